"""What the command line may start: the app, the simulator, the demo. Each imported only when asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tray_app.host.home import Home, find_home

if TYPE_CHECKING:
    from tray_app.app import App
    from tray_app.starting import AlreadyRunning


class House:
    """The composition root as the command line sees it."""

    def home(self) -> Home:
        """This user's files."""
        return find_home()

    def start(self, *, tray: bool, port: int | None) -> int:
        """Run the app in this process until it stops; the exit code."""
        from tray_app.starting import AlreadyRunning, CannotStart, claim

        home = self.home()
        try:
            claimed = claim(home)
        except AlreadyRunning as error:
            return self._second_start(error, tray)
        except CannotStart as error:
            print(error, file=sys.stderr)
            return 1

        made: list[App] = []

        def build() -> App:
            from tray_app import app

            built = app.build(home, claimed=claimed, port=port)
            self._mend_login(built.notices)
            made.append(built)
            return built

        if tray and self._can_show_tray():
            from tray_app.desktop import run_on_desktop

            code = run_on_desktop(build, _say)
        else:
            code = self._run_headless(build)
        if made and made[0].again:
            from tray_app.host.again import start_again

            return start_again()
        return code

    def _run_headless(self, build: Callable[[], App]) -> int:
        from tray_app import app

        try:
            built = build()
        except app.CannotStart as error:
            print(error, file=sys.stderr)
            return 1
        return app.run(built, _say)

    def _mend_login(self, notices: list[str]) -> None:
        from tray_app.host.autostart import autostart_here, follow

        try:
            if follow(autostart_here()):
                notices.append("launch at login starts this O-Switcher now; the one that it was to start is gone")
        except OSError as error:
            notices.append(f"launch at login leads to a program that is gone, and could not be changed: {error}")

    def _can_show_tray(self) -> bool:
        from tray_app.faces.tray.app import available

        found = available()
        if found.line:
            _say(found.line)
        return found.ok

    def _second_start(self, error: AlreadyRunning, tray: bool) -> int:
        """The app runs already: open its report instead, or say where it is."""
        from tray_app.control.callers import HttpCaller, NotRunning
        from tray_app.control.verbs import Refused
        from tray_app.host.browser import open_in_browser

        running = error.running
        if running is None:
            print("O-Switcher is starting or stopping in another process; try again in a moment", file=sys.stderr)
            return 1
        where = f"O-Switcher already runs at {running.url} (process {running.pid})"
        if not tray:
            print(f"{where}; stop it with: o-switcher stop", file=sys.stderr)
            return 1
        try:
            open_in_browser(HttpCaller(running).ask("report")["url"])
        except (NotRunning, Refused):
            print(f"{where}, but it does not answer", file=sys.stderr)
            return 1
        _say(f"{where}; its usage report was opened")
        return 0

    def simulate(self, port: int, script: Path | None) -> int:
        """Run the provider simulator until Ctrl-C; the exit code."""
        from tray_app.demo import simulate

        return simulate(port, script)

    def rebuild(self, progress: Callable[[int, int], None]) -> int:
        """Count the hourly sums of the history anew; how many hours there were.

        Raises:
            Refused: the file cannot be read or written.
        """
        import sqlite3

        from tray_app.control.verbs import Refused
        from tray_app.ledger.rebuild import rebuild

        path = self.home().history
        if not path.exists():
            return 0
        try:
            return rebuild(path, round(time.time() * 1000), progress)
        except sqlite3.Error as error:
            raise Refused("unavailable", f"{path} cannot be counted anew: {error}") from error

    def demo(self, *, once: bool) -> int:
        """Show rotation on the simulator; the exit code."""
        from tray_app.demo import demo

        return demo(self.home(), once=once)

    def accompany(self, folder: Path) -> int:
        """The demo that a running app has started, in that folder; the exit code."""
        from tray_app.demo import accompany

        return accompany(folder)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
