"""pystray's Windows icon, made safe to feed from other threads.

An update from another thread destroys the menu that may be open, and so would one that arrives while the
menu runs its own message loop. So work is queued, the icon's thread is woken by a message, and what comes
while the menu is open waits until it has closed.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable
from typing import Any

from tray_app.faces.tray.icon import Picture
from tray_app.faces.tray.library import Click, build  # before any backend of pystray
from tray_app.faces.tray.menu import Item
from tray_app.faces.tray.notifications import Note, Unseen

_win32: Any = importlib.import_module("pystray._win32")
win32: Any = importlib.import_module("pystray._util.win32")

_WM_WORK = win32.WM_USER + 42  # pystray itself uses 10 and 11
_WM_ENDSESSION = 0x0016
_WM_POWERBROADCAST = 0x0218
_PBT_APMRESUMEAUTOMATIC = 0x0012
_LONGEST_TITLE = 127  # of the tooltip; longer ones raise ValueError, as do the next two
_LONGEST_MESSAGE = 255
_LONGEST_MESSAGE_TITLE = 63
_IMAGE_SIZE = 64


class Icon(_win32.Icon):  # type: ignore[misc]  # untyped
    """A pystray icon. `icon` is a `Picture`, `menu` a tuple of our items. `post` and `end` are for any thread."""

    watched = False  # what an open menu says cannot be changed here

    def __init__(
        self, name: str, picture: Picture, title: str, menu: tuple[Item, ...], click: Click, unseen: Unseen
    ) -> None:
        shown = build(menu, click, ampersands=True)
        super().__init__(name, picture.image(_IMAGE_SIZE), _clip(title, _LONGEST_TITLE), shown)
        self.opening: Callable[[], None] = lambda: None
        self.woke: Callable[[], None] = lambda: None
        self.session_ended: Callable[[str], None] = lambda _: None
        self._click = click
        self._unseen = unseen
        self._work: deque[Callable[[], None]] = deque()
        self._menu_is_open = False
        self._menu_handle = None
        self._ended = False
        self._message_handlers[_WM_WORK] = lambda *_: self._do_work()
        self._message_handlers[_WM_ENDSESSION] = self._on_end_of_session
        self._message_handlers[_WM_POWERBROADCAST] = self._on_power

    def put_up(self, done: Callable[[], None]) -> None:
        self.visible = True
        done()

    def post(self, work: Callable[[], None]) -> None:
        self._work.append(work)
        self._wake()

    def end(self) -> None:
        self._ended = True
        if self._hwnd:
            self._stop()

    def show_note(self, note: Note) -> None:
        """Show a message. A click on it leads nowhere: pystray hears of none."""
        self.notify(note.message, note.title)

    def notify(self, message: str, title: str | None = None) -> None:
        try:
            self._notify(_clip(message, _LONGEST_MESSAGE), _clip(title or self._name, _LONGEST_MESSAGE_TITLE))
        except Exception:  # the shell may be restarting: the message is shown elsewhere
            self._unseen(title or self._name, message)

    @property
    def icon(self) -> Any:
        return self._icon

    @icon.setter
    def icon(self, picture: Picture) -> None:
        _win32.Icon.icon.fset(self, picture.image(_IMAGE_SIZE))

    @property
    def title(self) -> str:
        return str(self._title)

    @title.setter
    def title(self, title: str) -> None:
        _win32.Icon.title.fset(self, _clip(title, _LONGEST_TITLE))

    @property
    def menu(self) -> Any:
        return self._menu

    @menu.setter
    def menu(self, items: tuple[Item, ...]) -> None:
        _win32.Icon.menu.fset(self, build(items, self._click, ampersands=True))

    def _mark_ready(self) -> None:
        """The window is there now: work and a stop that were asked for earlier can be delivered."""
        super()._mark_ready()
        self._wake()
        if self._ended:
            self._stop()

    def _wake(self) -> None:
        if self._hwnd:
            win32.PostMessage(self._hwnd, _WM_WORK, 0, 0)

    def _do_work(self) -> None:
        while self._work and not self._menu_is_open:
            work = self._work.popleft()
            try:
                work()
            except Exception:
                self._log.exception("work for the tray failed")

    def _on_notify(self, wparam: int, lparam: int) -> None:
        """A click: for a right one this returns only when the menu has closed."""
        if lparam == win32.WM_RBUTTONUP:
            self.opening()
        self._menu_is_open = True
        try:
            super()._on_notify(wparam, lparam)
        finally:
            self._menu_is_open = False
            self._do_work()

    def _on_power(self, wparam: int, _lparam: int) -> None:
        if wparam == _PBT_APMRESUMEAUTOMATIC:
            self.woke()

    def _on_end_of_session(self, wparam: int, _lparam: int) -> None:
        if wparam:
            self._on_stop(0, 0)


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
