"""The tray as the composition root sees it: a status to draw, verbs to hand on, one call that blocks.

The main thread runs the desktop's loop. pystray's setup thread is the painter: it sleeps until a repaint
is asked for, draws the newest status, and posts what changed to the main thread. Nothing waits for it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from tray_app.control.views import Status
from tray_app.faces.tray import language, menu
from tray_app.faces.tray.availability import Availability, available
from tray_app.faces.tray.menu import Arguments, Face, LocalTime, Verb
from tray_app.faces.tray.texts import Texts

__all__ = ["Availability", "EndKind", "Tray", "TrayEnd", "available"]

NAME = "o-switcher"
LONGEST_WAIT_S = 1800.0  # the clock may be set back meanwhile
COALESCE_SECONDS = 0.06  # GNOME shows blank menus when updates follow one another quicker
_JOIN_SECONDS = 1.0
_log = logging.getLogger(__name__)


class EndKind(StrEnum):
    STOPPED = "stopped"  # somebody asked for it
    LOST = "lost"  # the desktop went away: the app may go on headless


@dataclass(frozen=True, slots=True)
class TrayEnd:
    """Why `run` returned. `reason` is a signal's name, the word of who stopped it, or what was lost."""

    kind: EndKind
    reason: str


class Backend(Protocol):
    """What is asked of a desktop's icon. Properties are set on its own thread, by way of `post`."""

    icon: Any
    title: str
    menu: Any
    visible: bool

    def run(self, setup: Callable[[Any], None]) -> None: ...

    def post(self, work: Callable[[], None]) -> None: ...

    def end(self) -> None: ...

    def notify(self, message: str, title: str) -> None: ...


class Tray:
    """One icon. `run` once, on the main thread; `repaint`, `notify` and `stop` from any.

    `status` must return at once, from any thread. `ask` gets a verb and its arguments, and must return at
    once too: it is called on the thread that serves the desktop.
    """

    def __init__(
        self,
        status: Callable[[], Status],
        ask: Callable[[str, Arguments], None],
        *,
        texts: Texts | None = None,
        clock: Callable[[], float] = time.time,
        local: LocalTime = time.localtime,
    ) -> None:
        self._status = status
        self._ask = ask
        self._texts = texts
        self._clock = clock
        self._local = local
        self._backend: Backend | None = None
        self._unseen: str | None = None
        self._stopped_by: str | None = None
        self._stop = threading.Event()
        self._dirty = threading.Event()

    def run(self) -> TrayEnd:
        """Show the icon until stopped, by `stop` or by SIGINT, SIGTERM or SIGHUP."""
        from tray_app.faces.tray import signals
        from tray_app.faces.tray.bus import Lost

        try:
            with signals.watched(self.stop):
                self._run()
        except Lost as lost:
            if self._stopped_by is None:
                return TrayEnd(EndKind.LOST, str(lost))
        finally:
            self._wake_to_stop()
            self._backend = None
        return TrayEnd(EndKind.STOPPED, self._stopped_by or "the desktop closed the icon")

    def repaint(self) -> None:
        """The status has changed. Cheap; however often it is called, the newest status is drawn."""
        self._dirty.set()

    def notify(self, title: str, message: str) -> None:
        """Show a message. Where the desktop cannot, it appears as a line of the menu."""
        backend = self._backend
        if backend is None:
            self._keep(title, message)
        else:
            backend.post(lambda: backend.notify(message, title))

    def stop(self, reason: str = "asked to stop") -> None:
        """Have `run` return. Returns at once; safe to call twice, and before `run`."""
        if self._stopped_by is None:
            self._stopped_by = reason
        self._wake_to_stop()
        if self._backend is not None:
            self._backend.end()

    # the main thread

    def _run(self) -> None:
        first = self._face()
        backend = self._backend = _backend(first, self._clicked, self._keep)
        if self._stop.is_set():  # asked before there was anything to end
            backend.end()
        painter: list[threading.Thread] = []

        def paint(_icon: object) -> None:
            painter.append(threading.current_thread())
            self._paint(backend, first)

        try:
            backend.run(paint)
        finally:
            self._wake_to_stop()
            for thread in painter:
                thread.join(_JOIN_SECONDS)

    def _clicked(self, verb: Verb) -> None:
        self._ask(verb.name, verb.arguments(self._clock(), self._local))

    def _wake_to_stop(self) -> None:
        self._stop.set()
        self._dirty.set()

    # the painter

    def _paint(self, backend: Backend, first: Face) -> None:
        shown, until = first, first.until
        backend.post(lambda: setattr(backend, "visible", True))
        while self._something_to_paint(until):
            self._dirty.clear()
            try:
                face = self._face()
            except Exception:
                _log.exception("a status could not be drawn")
                until = None
                continue
            until = face.until
            if face != shown:
                backend.post(_change(backend, shown, face, self._clicked))
                shown = face

    def _something_to_paint(self, until: float | None) -> bool:
        """Wait for a change, or until a time to come is told anew. False: the tray is to stop."""
        self._dirty.wait(None if until is None else min(max(0.0, until - self._clock()), LONGEST_WAIT_S))
        return not self._stop.wait(COALESCE_SECONDS)

    def _face(self) -> Face:
        if self._texts is None:
            self._texts = language.choose(language.wanted())
        return menu.face(self._status(), self._clock(), self._texts, self._local, self._unseen)

    def _keep(self, title: str, message: str) -> None:
        _log.info("no notification was shown: %s: %s", title, message)
        when = self._local(self._clock())
        self._unseen = f"{when.tm_hour:02}:{when.tm_min:02} {title}: {message}"
        self.repaint()


def _change(backend: Backend, old: Face, new: Face, click: Callable[[Verb], None]) -> Callable[[], None]:
    """What turns one face into another, touching only what differs."""
    from tray_app.faces.tray.icon import Picture

    def apply() -> None:
        if old.state != new.state:
            backend.icon = Picture(new.state)
        if old.tooltip != new.tooltip:
            backend.title = new.tooltip
        if old.items != new.items:
            backend.menu = _menu(new, click)

    return apply


def _backend(face: Face, click: Callable[[Verb], None], unseen: Callable[[str, str], None]) -> Backend:
    from tray_app.faces.tray.icon import Picture

    if sys.platform == "darwin":
        from tray_app.faces.tray.mac import Icon
    elif sys.platform == "win32":
        from tray_app.faces.tray.windows import Icon
    else:
        from tray_app.faces.tray.status_notifier import Icon
    backend: Backend = Icon(NAME, Picture(face.state), face.tooltip, _menu(face, click), unseen)
    return backend


def _menu(face: Face, click: Callable[[Verb], None]) -> Any:
    from tray_app.faces.tray import library

    windows, mac = sys.platform == "win32", sys.platform == "darwin"
    return library.build(face.items, click, default=not mac, ampersands=windows)
