"""The app on a desktop: the tray on the main thread, its clicks handed to the loop, its end the app's end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from tray_app.app import App
from tray_app.control.callers import ThreadCaller
from tray_app.control.news import NewsKind, Newsroom
from tray_app.control.verbs import Refused
from tray_app.faces.tray.app import EndKind, Tray
from tray_app.host import clipboard
from tray_app.host.browser import open_folder, open_in_browser


def run_tray(app: App, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Show the tray until the app is to stop. If the desktop goes away, the app goes on without."""
    snapshot = [app.service.status()]
    caller = ThreadCaller(app.loop, app.service.perform, lambda verb, result: _done(app, tray, verb, result), "tray")
    tray = Tray(lambda: snapshot[0], caller.ask, woke=lambda: app.in_loop(app.wake))
    newsroom = Newsroom(app.service.status, lambda: _wanted(app), tray.announce, app.service.clock, app.loop.call_later)

    def changed() -> None:  # on the loop's thread
        snapshot[0] = app.service.status()
        newsroom.changed(snapshot[0])
        tray.repaint()

    def stopped() -> None:
        stop.set()
        tray.farewell(app.cut)

    app.on_change = changed
    app.on_stop = stopped
    app.listeners.append(newsroom.see)
    app.in_loop(changed)
    asyncio.run_coroutine_threadsafe(app.service.look_at_clients(), app.loop)
    if stop.is_set():
        return
    end = tray.run()
    app.listeners.remove(newsroom.see)
    app.on_change = lambda: None
    app.on_stop = stop.set
    if end.kind is EndKind.LOST:
        say(f"the tray is gone ({end.reason}); O-Switcher goes on without it. See: o-switcher status")
    else:
        stop.set()


def _wanted(app: App) -> frozenset[NewsKind]:
    """The kinds of news that the settings let through."""
    table = app.settings.notifications
    return frozenset(kind for kind in NewsKind if table.enabled and getattr(table, kind.value))


def _done(app: App, tray: Tray, verb: str, result: object) -> None:
    """What a click led to: an address or a folder to open, a text to copy, or why it could not be done."""
    if isinstance(result, Refused):
        tray.notify("O-Switcher", result.message)
    elif isinstance(result, dict):
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
