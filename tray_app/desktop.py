"""The app on a desktop: the tray on the main thread, its clicks handed to the loop, its end the app's end."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tray_app.app import App
from tray_app.control.callers import ThreadCaller
from tray_app.control.verbs import Refused
from tray_app.faces.tray.app import EndKind, Tray
from tray_app.host.browser import open_in_browser


def run_tray(app: App, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Show the tray until the app is to stop. If the desktop goes away, the app goes on without."""
    snapshot = [app.service.status()]
    caller = ThreadCaller(app.loop, app.service.perform, lambda verb, result: _done(tray, verb, result), "tray")
    tray = Tray(lambda: snapshot[0], caller.ask)

    def changed() -> None:  # on the loop's thread
        snapshot[0] = app.service.status()
        tray.repaint()

    def stopped() -> None:
        stop.set()
        tray.stop("the app stops")

    app.on_change = changed
    app.on_stop = stopped
    app.in_loop(changed)
    if stop.is_set():
        return
    end = tray.run()
    app.on_change = lambda: None
    app.on_stop = stop.set
    if end.kind is EndKind.LOST:
        say(f"the tray is gone ({end.reason}); O-Switcher goes on without it. See: o-switcher status")
    else:
        stop.set()


def _done(tray: Tray, verb: str, result: object) -> None:
    """What a click led to: an address to open, or why it could not be done."""
    if isinstance(result, Refused):
        tray.notify("O-Switcher", result.message)
    elif verb == "report" and isinstance(result, dict):
        open_in_browser(str(result["url"]))
