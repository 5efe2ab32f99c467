"""pystray's macOS icon, made safe to feed from other threads.

AppKit may be touched on the main thread only; anything else is a hard crash. So everything goes through
`AppHelper.callAfter`. pystray ends the whole process on Ctrl-C; here `run` returns instead.
"""

from __future__ import annotations

import importlib
import io
import threading
from collections.abc import Callable
from typing import Any

import AppKit
from PyObjCTools import AppHelper

from tray_app.faces.tray.icon import Picture
from tray_app.faces.tray.library import Click, build  # before any backend of pystray
from tray_app.faces.tray.menu import Item
from tray_app.faces.tray.notifications import Note, Unseen

_darwin: Any = importlib.import_module("pystray._darwin")

_ACCESSORY = 1  # NSApplicationActivationPolicyAccessory: no Dock icon, no menu bar of its own
_RETINA = 2


class Icon(_darwin.Icon):  # type: ignore[misc]  # untyped
    """A pystray icon. `icon` is a `Picture`, `menu` a tuple of our items.

    `post`, `end` and `notify` are for any thread. Nothing tells when the menu opens, so it is always taken for one
    that is being read.
    """

    watched = True

    def __init__(
        self, name: str, picture: Picture, title: str, menu: tuple[Item, ...], click: Click, unseen: Unseen
    ) -> None:
        super().__init__(name, picture, title, build(menu, click, default=False))
        self.opening: Callable[[], None] = lambda: None
        self.woke: Callable[[], None] = lambda: None
        self.session_ended: Callable[[str], None] = lambda _: None
        self._click = click
        self._app.setActivationPolicy_(_ACCESSORY)
        self._unseen = unseen

    def put_up(self, done: Callable[[], None]) -> None:
        self.visible = True
        done()

    def post(self, work: Callable[[], None]) -> None:
        AppHelper.callAfter(self._do, work)

    def end(self) -> None:
        AppHelper.callAfter(self._stop)

    @property
    def menu(self) -> Any:
        return self._menu

    @menu.setter
    def menu(self, items: tuple[Item, ...]) -> None:
        _darwin.Icon.menu.fset(self, build(items, self._click, default=False))

    def show_note(self, note: Note) -> None:
        """Show a message. A click on it leads nowhere: `osascript` takes no answer."""
        self.notify(note.message, note.title)

    def notify(self, message: str, title: str | None = None) -> None:
        """pystray runs `osascript` and waits for it, and fails without a title."""
        arguments = (message, title or self._name)
        threading.Thread(target=self._try_to_notify, args=arguments, name="tray-notify", daemon=True).start()

    def _do(self, work: Callable[[], None]) -> None:
        """An exception must not reach Objective-C."""
        try:
            work()
        except Exception:
            self._log.exception("work for the tray failed")

    def _try_to_notify(self, message: str, title: str) -> None:
        try:
            super()._notify(message, title)
        except Exception:  # whatever osascript says: the message is shown elsewhere
            self._unseen(title, message)

    def _run(self) -> None:
        """As pystray's, without its handler for SIGINT, which terminates the process."""
        self._mark_ready()
        try:
            self._app.run()
        finally:
            self._running = False
            self._status_bar.removeStatusItem_(self._status_item)

    def _update_icon(self) -> None:
        self._icon_image = None
        self._assert_image()
        self._icon_valid = True

    def _assert_image(self) -> None:
        """Twice the points in pixels, or the icon is blurred on every current display."""
        if self._icon_image is not None:
            return
        points = int(self._status_bar.thickness())
        png = io.BytesIO()
        self._icon.image(points * _RETINA).save(png, "png")
        data = AppKit.NSData.dataWithBytes_length_(png.getvalue(), len(png.getvalue()))
        image: Any = AppKit.NSImage.alloc().initWithData_(data)
        image.setSize_((points, points))
        self._icon_image = image
        self._status_item.button().setImage_(image)
