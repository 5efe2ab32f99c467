"""Our Linux backend for pystray: org.kde.StatusNotifierItem over D-Bus, in pure Python.

No GTK, no PyGObject, nothing of the distribution's: Plasma, XFCE, LXQt, waybar and GNOME's AppIndicator
extension all read this interface. One thread owns the icon and the bus and sleeps in `select` until one
of them, or another thread by way of the mailbox, has something for it.
"""

from __future__ import annotations

import contextlib
import html
import os
import selectors
import time
from collections.abc import Callable
from typing import Any, cast

from tray_app.faces.tray import session
from tray_app.faces.tray.availability import WATCHER
from tray_app.faces.tray.bus import DAEMON, Bus, Lost, connect
from tray_app.faces.tray.dbus_menu import PATH as MENU_PATH
from tray_app.faces.tray.dbus_menu import MenuObject
from tray_app.faces.tray.icon import SIZES, Picture
from tray_app.faces.tray.library import BaseIcon, Click, default_verb
from tray_app.faces.tray.mailbox import Mailbox, Work
from tray_app.faces.tray.menu import Item
from tray_app.faces.tray.notifications import Note, Notifier, Unseen
from tray_app.faces.tray.objects import Body, CallError, Interface, Method, Property

INTERFACE = "org.kde.StatusNotifierItem"
PATH = "/StatusNotifierItem"
WATCHER_PATH = "/StatusNotifierWatcher"
_TOOLTIP = "(sa(iiay)ss)"
LAST_WORDS_SECONDS = 0.3


class Icon(BaseIcon):
    """A pystray icon. `icon` is a `Picture`; the first line of `title` is the tooltip's title.

    `menu` is a tuple of our items. `run` raises `Lost` where there is no bus, or when it goes away. Everything but
    `run`, `post` and `end` is for the thread that runs: others `post` it.
    """

    def __init__(
        self, name: str, picture: Picture, title: str, menu: tuple[Item, ...], click: Click, unseen: Unseen
    ) -> None:
        super().__init__(name, picture, title)  # type: ignore[no-untyped-call]
        self._shown: tuple[Item, ...] = menu
        self.opening: Callable[[], None] = lambda: None
        self.woke: Callable[[], None] = lambda: None
        self.session_ended: Callable[[str], None] = lambda _: None
        self._put_up: Callable[[], None] = lambda: None
        self._click = click
        self._unseen = unseen
        self._mail = Mailbox()
        self._ended = False
        self._watcher = ""  # the unique name of the one we are registered with
        self._service = f"{INTERFACE}-{os.getpid()}-1"
        self._bus: Bus | None = None
        self._machine: Bus | None = None  # the system's
        self._menu_object: MenuObject | None = None
        self._notifier: Notifier | None = None

    def put_up(self, done: Callable[[], None]) -> None:
        """Show the icon. `done` is called once it is drawn for the tray host, or there is none yet."""
        self._put_up = done
        self.visible = True

    def post(self, work: Work) -> None:
        """Have work done by the thread that runs. From any thread, before and after as well."""
        self._mail.post(work)

    def end(self) -> None:
        """Have `run` return. From any thread."""
        self._ended = True
        self._mail.wake()

    @property
    def watched(self) -> bool:
        """Whether somebody may be reading the menu now."""
        return self._menu_object is not None and self._menu_object.watched

    def run(self, setup: Callable[[Any], None] | None = None) -> None:
        try:
            # before pystray starts its thread, which would wait for ever if we failed later
            self._bus = connect()
            with contextlib.closing(self._bus):
                self._open(self._bus)
                self._machine = session.listen(self.woke, self.session_ended)
                super().run(setup)  # type: ignore[no-untyped-call]
        finally:
            self._running = False
            self._bus = None
            if self._machine is not None:
                self._machine.close()
            self._mail.close()

    # the loop

    def _run(self) -> None:
        self._mark_ready()  # type: ignore[no-untyped-call]
        assert self._bus is not None and self._menu_object is not None  # noqa: S101  # set by run
        with selectors.DefaultSelector() as selector:
            selector.register(self._mail, selectors.EVENT_READ)
            selector.register(self._bus, selectors.EVENT_READ)
            if self._machine is not None:
                self._machine.flush()
                selector.register(self._machine, selectors.EVENT_READ)
            while not self._ended:
                self._turn(selector, self._bus, self._menu_object, self._menu_object.seconds_held())
            self._say_last(selector, self._bus, self._menu_object)

    def _say_last(self, selector: selectors.BaseSelector, bus: Bus, menu: MenuObject) -> None:
        """A message that was sent on its way before the end is shown, if the daemon takes it at once."""
        until = time.monotonic() + LAST_WORDS_SECONDS
        self._mail.drain()
        while self._notifier is not None and self._notifier.busy and (left := until - time.monotonic()) > 0:
            self._turn(selector, bus, menu, left)

    def _turn(self, selector: selectors.BaseSelector, bus: Bus, menu: MenuObject, at_most: float | None) -> None:
        """Send what is to be sent, sleep, take in what has come, and answer before anything else."""
        bus.flush()
        selector.modify(bus, selectors.EVENT_READ | (selectors.EVENT_WRITE if bus.unsent else 0))
        ready = {key.fileobj: events for key, events in selector.select(at_most)}
        if ready.get(bus, 0) & selectors.EVENT_READ:
            bus.receive()
        if self._machine in ready:
            self._hear(selector, self._machine)
        if menu.seconds_held() == 0:
            menu.release()
        bus.flush()
        self._mail.drain()

    def _hear(self, selector: selectors.BaseSelector, machine: Bus) -> None:
        """The system bus may go, and the tray stays."""
        try:
            machine.receive()
            machine.flush()
        except Lost:
            selector.unregister(machine)
            machine.close()
            self._machine = None

    def _open(self, bus: Bus) -> None:
        """Put our objects on the bus, then watch for tray hosts."""
        self._menu_object = MenuObject(bus, self._mail.post, self._click, self._begin_to_show)
        self._notifier = Notifier(bus, self._click, self._unseen)
        bus.export(PATH, self._interface())
        bus.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "RequestName", "su", (self._service, 4))
        bus.listen(DAEMON, "NameOwnerChanged", self._owner_changed, f"arg0='{WATCHER}'")

    # tray hosts come and go

    def _owner_known(self, answer: Body | CallError) -> None:
        self._register("" if isinstance(answer, CallError) else answer[0])
        if self._watcher and self._bus is not None:
            self._bus.flush()
            self._pixmaps()  # drawn while the host takes the icon in, and before the app's start takes the processor
        done, self._put_up = self._put_up, lambda: None
        done()

    def _owner_changed(self, _sender: str, body: Body) -> None:
        name, _before, now = body
        if name == WATCHER:
            self._register(now)

    def _register(self, watcher: str) -> None:
        """Register with a watcher, once; an empty name means that there is none."""
        if self._bus is None or watcher == self._watcher:
            return
        self._watcher = watcher
        if self._menu_object is not None:
            self._menu_object.release()  # the host that may have had it open has gone
        if watcher:
            self._bus.call(WATCHER, WATCHER_PATH, WATCHER, "RegisterStatusNotifierItem", "s", (self._service,))

    # what pystray asks of a backend

    def _show(self) -> None:
        self._emit("NewStatus", "s", ("Active",))
        if self._bus is not None:
            path = "/org/freedesktop/DBus"
            self._bus.call(DAEMON, path, DAEMON, "GetNameOwner", "s", (WATCHER,), self._owner_known)

    def _hide(self) -> None:
        self._emit("NewStatus", "s", ("Passive",))

    def _update_icon(self) -> None:
        self._icon_valid = True
        self._emit("NewIcon")

    def _update_title(self) -> None:
        self._emit("NewToolTip")

    def _update_menu(self) -> None:
        if self._menu_object is not None:
            self._menu_object.update(self._shown)

    def show_note(self, note: Note) -> None:
        """Show a message beside the icon."""
        if self._notifier is not None:
            self._notifier.send(note, self._picture() if note.look is None else Picture(note.look))

    def _notify(self, message: str, title: str | None = None) -> None:
        self.show_note(Note(title or self._name, message))

    def _remove_notification(self) -> None:
        """Notifications go by themselves."""

    def _stop(self) -> None:
        self.end()

    def _begin_to_show(self) -> None:
        self.opening()

    @property
    def menu(self) -> Any:
        """A tuple of our items. pystray would make its own of them, at ten times the cost."""
        return self._shown

    @menu.setter
    def menu(self, items: tuple[Item, ...]) -> None:
        self._shown = items
        self._update_menu()

    # the object

    def _emit(self, signal: str, signature: str | None = None, body: Body = ()) -> None:
        if self._bus is not None and not self._ended:
            self._bus.emit(PATH, INTERFACE, signal, signature, body)

    def _activate(self, _x: int, _y: int) -> None:
        verb = default_verb(self._shown)
        if verb is not None:
            self._mail.post(lambda: self._click(verb))  # after the answer: a host may wait for that

    def _tooltip(self) -> tuple[str, list[Any], str, str]:
        title, _, text = self._title.partition("\n")
        return ("", [], title, html.escape(text, quote=False))  # hosts may read it as markup

    def _picture(self) -> Picture:
        return cast(Picture, self._icon)

    def _pixmaps(self) -> list[tuple[int, int, bytes]]:
        return [(size, size, self._picture().argb(size)) for size in SIZES]

    def _is_only_menu(self) -> bool:
        """Otherwise a left click must do something: XFCE and waybar take no other answer to Activate."""
        return default_verb(self._shown) is None

    def _interface(self) -> Interface:
        at = ("i", "i")
        return Interface(
            INTERFACE,
            {
                # unlisted: GNOME's extension would hold every menu back to see whether a second click comes
                "Activate": Method(at, (), self._activate, listed=False),
                "SecondaryActivate": Method(at, (), lambda *_: None),
                "ContextMenu": Method(at, (), lambda *_: None),
                "Scroll": Method(("i", "s"), (), lambda *_: None),
                "ProvideXdgActivationToken": Method(("s",), (), lambda *_: None),
            },
            {
                "Category": Property("s", lambda: "ApplicationStatus"),  # waybar drops items without one
                "Id": Property("s", lambda: self._name),
                "Title": Property("s", lambda: self._title.partition("\n")[0]),
                "Status": Property("s", lambda: "Active" if self.visible else "Passive"),
                "WindowId": Property("i", lambda: 0),
                "IconThemePath": Property("s", str),
                "IconName": Property("s", str),  # a name would win over the pixmaps
                "IconPixmap": Property("a(iiay)", self._pixmaps),
                "OverlayIconName": Property("s", str),
                "OverlayIconPixmap": Property("a(iiay)", list),
                "AttentionIconName": Property("s", str),
                "AttentionIconPixmap": Property("a(iiay)", list),
                "AttentionMovieName": Property("s", str),
                "ToolTip": Property(_TOOLTIP, self._tooltip),
                "ItemIsMenu": Property("b", self._is_only_menu),
                "Menu": Property("o", lambda: MENU_PATH),  # as a string, Plasma shows no menu
            },
            {
                "NewTitle": (),
                "NewIcon": (),
                "NewAttentionIcon": (),
                "NewOverlayIcon": (),
                "NewToolTip": (),
                "NewStatus": ("s",),
            },
        )


__all__ = ["Icon", "Lost"]
