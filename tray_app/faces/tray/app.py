"""The tray as the composition root sees it: a status to draw, verbs to hand on, one call that blocks.

The main thread runs the desktop's loop, and draws there. pystray's setup thread is the painter: it sleeps until a
repaint is asked for or an icon is over, gathers what comes together, and posts the drawing to the main thread.
Nothing waits for it, and where nothing happens nothing wakes up: times to come are told when the menu opens.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from tray_app.faces.tray import language, menu
from tray_app.faces.tray.availability import Availability, available
from tray_app.faces.tray.menu import Arguments, Face, LocalTime, Verb
from tray_app.faces.tray.texts import Texts

if TYPE_CHECKING:
    from tray_app.control.news import News
    from tray_app.control.views import Status
    from tray_app.faces.tray.notifications import Note

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
    """What is asked of a desktop's icon. Properties are set on its own thread, by way of `post`.

    `opening` is called there when the menu is about to be shown; `watched`: somebody may be reading it.
    `woke` is called when the machine has slept, `session_ended` with a reason when the session is over.
    """

    icon: Any
    title: str
    menu: Any
    opening: Callable[[], None]
    woke: Callable[[], None]
    session_ended: Callable[[str], None]

    @property
    def watched(self) -> bool: ...

    def run(self, setup: Callable[[Any], None]) -> None: ...

    def put_up(self, done: Callable[[], None]) -> None:
        """Show the icon. `done` is called once it is where people look, or there is nobody to show it."""

    def post(self, work: Callable[[], None]) -> None: ...

    def end(self) -> None: ...

    def show_note(self, note: Note) -> None: ...


class Tray:
    """One icon. `run` on the main thread, and again if the desktop was lost; `repaint`, `notify`, `stop` from any.

    `status` must return at once, from any thread; None while the app starts. `ask` gets a verb and its arguments,
    and must return at once too, as must `woke`, which is told when the machine has slept, and `shown`, when the icon
    has been put up or nobody is there to show it: they are called on the thread that serves the desktop.
    """

    def __init__(
        self,
        status: Callable[[], Status | None],
        ask: Callable[[str, Arguments], None],
        *,
        texts: Texts | None = None,
        clock: Callable[[], float] = time.time,
        local: LocalTime = time.localtime,
        woke: Callable[[], None] = lambda: None,
        shown: Callable[[], None] = lambda: None,
    ) -> None:
        self._status = status
        self._woke = woke
        self._put_up = shown
        self._ask = ask
        self._texts = texts
        self._clock = clock
        self._local = local
        self._backend: Backend | None = None
        self._unseen: str | None = None
        self._stopped_by: str | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._dirty = False
        self._until: float | None = None  # then the face is another by itself, in seconds
        self._shown: Face | None = None

    def run(self) -> TrayEnd:
        """Show the icon until stopped, by `stop` or by SIGINT, SIGTERM or SIGHUP."""
        from tray_app.faces.tray import signals
        from tray_app.faces.tray.bus import Lost

        self._stop.clear()
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
        self._dirty = True
        self._wake.set()

    def notify(self, title: str, message: str) -> None:
        """Show a message; a click on it opens the report. Where the desktop cannot, it stands in the menu."""
        from tray_app.faces.tray.notifications import Note

        self._show(Note(title, message))

    def announce(self, news: News) -> None:
        """Tell of what has happened, in the person's language."""
        from tray_app.faces.tray import notices

        self._show(notices.note(news, self._words(), self._clock(), self._local))

    def tell_copied(self, copied: bool) -> None:
        """Say whether what was to be copied is on the clipboard."""
        words = self._words()
        if copied:
            self.notify(words.copied, words.copied_means)
        else:
            self.notify(words.not_copied, words.not_copied_means)

    def refuse(self, reason: str) -> None:
        """Have `run` return since the app cannot start, and say why, in the app's own words."""
        self.notify(self._words().cannot_start, reason)
        self.stop("the app cannot start")

    def farewell(self, cut: int) -> None:
        """Have `run` return since the app has stopped; `cut` answers were cut short, which is said."""
        if cut and self._stopped_by is None:
            self.notify(self._words().stopped, self._words().cut.format(count=cut))
        self.stop("the app stops")

    def _show(self, note: Note) -> None:
        backend = self._backend
        if backend is None:
            self._keep(note.title, note.message)
        else:
            backend.post(lambda: backend.show_note(note))

    def stop(self, reason: str = "asked to stop") -> None:
        """Have `run` return, once what it was told to show is shown. Returns at once; safe twice, and before."""
        if self._stopped_by is None:
            self._stopped_by = reason
        self._wake_to_stop()
        if self._backend is not None:
            self._backend.end()

    # the main thread

    def _run(self) -> None:
        first = self._shown = self._face()
        backend = self._backend = _backend(first, self._clicked, self._keep)
        backend.opening = lambda: self._refresh(backend)
        backend.woke = self._woke
        backend.session_ended = self.stop
        self._set_alarm(first, backend)
        if self._stopped_by is not None:  # asked before there was anything to end
            backend.end()
        painter: list[threading.Thread] = []

        def paint(_icon: object) -> None:
            painter.append(threading.current_thread())
            self._paint(backend)

        try:
            backend.run(paint)
        finally:
            self._wake_to_stop()
            for thread in painter:
                thread.join(_JOIN_SECONDS)

    def _clicked(self, verb: Verb) -> None:
        try:
            self._ask(verb.name, verb.arguments(self._clock(), self._local))
        except Exception:
            _log.exception("a click could not be handed on")

    def _refresh(self, backend: Backend) -> None:
        """Draw the newest status, touching only what differs."""
        try:
            face = self._face()
        except Exception:
            _log.exception("a status could not be drawn")
            return
        shown, self._shown = self._shown, face
        if shown is not None and face != shown:
            _change(backend, shown, face)
        self._set_alarm(face, backend)

    def _set_alarm(self, face: Face, backend: Backend) -> None:
        """Have the painter come back when the icon is another by itself, or what a menu tells that is being read."""
        ends = [face.until, face.told_until if backend.watched else None]
        self._until = min((end for end in ends if end is not None), default=None)
        if self._until is not None:
            self._wake.set()

    def _wake_to_stop(self) -> None:
        self._stop.set()
        self._wake.set()

    # the painter

    def _paint(self, backend: Backend) -> None:
        backend.post(lambda: backend.put_up(self._put_up))
        while not self._stop.is_set():
            self._wake.wait(self._seconds_left())
            self._wake.clear()
            if self._stop.is_set() or not (self._dirty or self._seconds_left() == 0):
                continue
            if self._stop.wait(COALESCE_SECONDS):
                return
            self._dirty, self._until = False, None
            backend.post(lambda: self._refresh(backend))

    def _seconds_left(self) -> float | None:
        until = self._until
        return None if until is None else min(max(0.0, until - self._clock()), LONGEST_WAIT_S)

    def _face(self) -> Face:
        status = self._status()
        if status is None:
            return menu.starting(self._words(), self._unseen)
        return menu.face(status, self._clock(), self._words(), self._local, self._unseen)

    def _words(self) -> Texts:
        if self._texts is None:
            self._texts = language.choose(language.wanted())
        return self._texts

    def _keep(self, title: str, message: str) -> None:
        _log.info("no notification was shown: %s: %s", title, message)
        when = self._local(self._clock())
        self._unseen = f"{when.tm_hour:02}:{when.tm_min:02} {title}: {message}"
        self.repaint()


def _change(backend: Backend, old: Face, new: Face) -> None:
    """Turn one face into another, touching only what differs."""
    from tray_app.faces.tray.icon import Picture

    if (old.look, old.tenths) != (new.look, new.tenths):
        backend.icon = Picture(new.look, new.tenths)
    if old.tooltip != new.tooltip:
        backend.title = new.tooltip
    if old.items != new.items:
        backend.menu = new.items


def _backend(face: Face, click: Callable[[Verb], None], unseen: Callable[[str, str], None]) -> Backend:
    from tray_app.faces.tray.icon import Picture

    made: Backend = _icon_class()(NAME, Picture(face.look, face.tenths), face.tooltip, face.items, click, unseen)
    return made


def _icon_class() -> Callable[..., Any]:
    if sys.platform == "darwin":
        from tray_app.faces.tray.mac import Icon as MacIcon

        return MacIcon
    if sys.platform == "win32":
        from tray_app.faces.tray.windows import Icon as WindowsIcon

        return WindowsIcon
    if available().gtk:
        from tray_app.faces.tray.gtk import Icon as GtkIcon

        return GtkIcon
    from tray_app.faces.tray.status_notifier import Icon

    return Icon
