"""The app on a desktop: the icon first, then the app behind it; clicks are handed to its loop, and its end is the end.

The main thread shows the tray. A thread builds and starts the app once the icon is up; until then the icon says that
it starts. Where the desktop is lost the app goes on, and the icon comes back with the session bus.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tray_app.faces.tray.app import EndKind, Tray
from tray_app.starting import CannotStart, ending_signals

if TYPE_CHECKING:
    from tray_app.app import App
    from tray_app.control.news import NewsKind
    from tray_app.control.thread_caller import ThreadCaller
    from tray_app.control.views import Status
    from tray_app.faces.tray.menu import Arguments
    from tray_app.host.watch import Watch

Say = Callable[[str], None]

ICON_S = 1.0  # a desktop that takes longer to show an icon does not hold the app up
FIRST_LOOK_S = 0.25  # a desktop that is lost may be back at once, and
LONGEST_LOOK_S = 60.0  # is looked for more and more seldom, where the kernel does not tell of it
LATEST_S = 3.0  # a start that hangs, such as on a locked keyring, does not hold up the end


def run_on_desktop(build: Callable[[], App], say: Say) -> int:
    """Show the icon, start the app that `build` gives, and run both until told to stop; the exit code."""
    return _Desktop(build, say).run()


class _Desktop:
    """One app and its icon. The fields are set by the thread that starts the app, and read by the main thread."""

    def __init__(self, build: Callable[[], App], say: Say) -> None:
        self._build = build
        self._say = say
        self._app: App | None = None
        self._status: Status | None = None
        self._refusal: str | None = None
        self._ending = False
        self._shown = threading.Event()
        # for the main thread while there is no tray: it ends, or there may be a bus. A signal's handler may put, too
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._absent = False
        self._watch: Watch | None = None
        self._clicks = _Clicks(self._quit)
        self._tray = Tray(lambda: self._status, self._clicks.ask, woke=self._woke, shown=self._is_shown)

    def run(self) -> int:
        for number in ending_signals():
            signal.signal(number, lambda *_: self._quit())
        starter = threading.Thread(target=self._start, name="starter", daemon=True)
        starter.start()
        self._show()
        self._end()
        starter.join(LATEST_S)
        if self._refusal is not None:
            if self._app is not None:
                self._app.stop()
            self._say(self._refusal)
            return 1
        if self._app is None:
            return 0
        from tray_app.app import end

        return end(self._app, self._say)

    def _end(self) -> None:
        self._ending = True
        self._news.put(None)

    def _quit(self) -> None:
        self._end()
        self._tray.stop("asked to stop")

    def _woke(self) -> None:
        app = self._app
        if app is not None:
            app.in_loop(app.wake)

    # the main thread

    def _show(self) -> None:
        """Show the icon until the app is to stop; again whenever the desktop was lost and may be back."""
        pause = FIRST_LOOK_S
        while (end := self._tray.run()).kind is EndKind.LOST and not self._ending:
            if not self._absent:
                self._say(f"the tray is gone ({end.reason}); O-Switcher goes on, and the icon comes back with the bus")
                self._absent, pause = True, FIRST_LOOK_S
                self._shown.set()  # the start need not wait for it
                self._watch_for_bus()
            pause = FIRST_LOOK_S if self._told(pause) else min(2 * pause, LONGEST_LOOK_S)
            if self._ending:
                break
        self._watch_no_more()

    def _told(self, within_s: float) -> bool:
        """Wait for news while there is no tray; False where none come."""
        try:
            self._news.get(timeout=within_s)
        except queue.Empty:
            return False
        return True

    def _is_shown(self) -> None:
        if self._absent:
            self._absent = False
            self._watch_no_more()
            self._say("the tray is back")
        self._shown.set()

    def _watch_for_bus(self) -> None:
        """Have the kernel tell when a session bus makes its socket anew."""
        from tray_app.faces.tray import bus
        from tray_app.host.watch import Watch

        app, paths = self._app, [Path(place) for place in bus.places() if not place.startswith("\0")]
        if app is not None and paths:
            self._watch = watch = Watch([(path.parent, (path.name,)) for path in paths], lambda: self._news.put(None))
            app.in_loop(lambda: watch.start(app.loop))

    def _watch_no_more(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None and self._app is not None:
            self._app.in_loop(watch.close)

    # the thread that starts the app

    def _start(self) -> None:
        self._shown.wait(ICON_S)
        try:
            self._app = app = self._build()
            if self._ending:
                return
            from tray_app.app import begin

            app.on_stop = self._end
            begin(app, self._say)
            self._connect(app)
        except CannotStart as error:
            self._refusal = str(error)
            self._tray.refuse(self._refusal)
        except BaseException:
            self._refusal = "O-Switcher could not start because of a fault of its own"
            self._tray.refuse(self._refusal)
            raise

    def _connect(self, app: App) -> None:
        """Let the icon follow the app, and clicks reach it."""
        import asyncio

        from tray_app.control.news import Newsroom
        from tray_app.control.thread_caller import ThreadCaller

        tray, service = self._tray, app.service
        newsroom = Newsroom(service.status, lambda: _wanted(app), tray.announce, service.clock, app.loop.call_later)

        def changed() -> None:  # on the loop's thread
            self._status = service.status()
            newsroom.changed(self._status)
            tray.repaint()

        def stopped() -> None:
            self._end()
            tray.farewell(app.cut)

        app.on_change = changed
        app.on_stop = stopped
        app.listeners.append(newsroom.see)
        app.in_loop(changed)
        asyncio.run_coroutine_threadsafe(service.look_at_clients(), app.loop)
        self._clicks.hand_to(
            ThreadCaller(app.loop, service.perform, lambda verb, result: _done(app, tray, verb, result), "tray")
        )
        if app.failure is not None or self._ending:  # it ended before anybody listened
            stopped()


class _Clicks:
    """Where clicks go: to the app, or, while that starts, to be kept until it takes them. Quit waits for nothing."""

    def __init__(self, quit_now: Callable[[], None]) -> None:
        self._quit = quit_now
        self._lock = threading.Lock()
        self._kept: list[tuple[str, Arguments]] = []
        self._caller: ThreadCaller | None = None

    def ask(self, verb: str, arguments: Arguments) -> None:
        with self._lock:
            if self._caller is not None:
                self._caller.ask(verb, arguments)
            elif verb == "stop":
                self._quit()
            elif (verb, arguments) not in self._kept:
                self._kept.append((verb, arguments))

    def hand_to(self, caller: ThreadCaller) -> None:
        with self._lock:
            self._caller = caller
            for verb, arguments in self._kept:
                caller.ask(verb, arguments)
            self._kept.clear()


def _wanted(app: App) -> frozenset[NewsKind]:
    """The kinds of news that the settings let through."""
    from tray_app.control.news import NewsKind

    table = app.settings.notifications
    return frozenset(kind for kind in NewsKind if table.enabled and getattr(table, kind.value))


def _done(app: App, tray: Tray, verb: str, result: object) -> None:
    """What a click led to: an address or a folder to open, a text to copy, or why it could not be done."""
    from tray_app.control.verbs import Refused

    if isinstance(result, Refused):
        tray.notify("O-Switcher", result.message)
    elif isinstance(result, dict):
        from tray_app.host import clipboard
        from tray_app.host.browser import open_folder, open_in_browser

        match verb:
            case "report":
                open_in_browser(str(result["url"]))
            case "folder":
                open_folder(str(result["path"]))
            case "token":
                lines = f"OPENAI_BASE_URL={app.local_url}/v1\nOPENAI_API_KEY={result['token']}\n"
                threading.Thread(
                    target=lambda: tray.tell_copied(clipboard.copy(lines)), name="copy", daemon=True
                ).start()
