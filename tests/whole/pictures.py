"""The README's pictures, taken of the real app: `python -m tests.whole.pictures` draws all of them into assets/.

The app runs in front of the simulator, its first key out of credit, in XFCE's panel on a display of
its own; the report is the one that the app serves, in headless Chromium.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import sync_playwright

from tests.faces.tray.desk import until
from tests.faces.tray.desktop import picture_of_menu, picture_of_notes
from tests.rig import CHAT, MODEL, Key, script_of
from tests.whole.processes import ROOT, prepared, serve
from tray_app.control.callers import connect
from tray_app.host.home import Home
from tray_app.host.instance import Running, find_running
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

ASSETS = ROOT / "assets"
BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("main", "work", "spare")
SCRIPT = script_of(
    main='{do="ok", times=9}, {do="no_credit"}',
    work='{do="ok", times=7}, {do="rate_limit", retry_after=5400}',
    spare=Key('{do="ok"}', more='limit = 50.0\nlimit_reset = "monthly"\nusage = 12.6\n'),
)


def main() -> None:
    """Take them all."""
    with tempfile.TemporaryDirectory() as folder, SimulatorThread(parse(SCRIPT, "pictures")) as simulator:
        home, token = prepared(Path(folder), simulator.url, NAMES, "[proxy]\nport = 0\n")
        command = [sys.executable, "-m", "tray_app"]
        more = {"O_SWITCHER_HOME": folder, "PYTHONPATH": str(ROOT)}
        save(picture_of_notes(command, lambda: ask(url_of(home), token), more), "tray-notes.png")
        served = serve(home)
        picture_of_report(str(served.caller().ask("report")["url"]))
        served.end()

        def know() -> None:
            """What is left is asked for, so that it is shown."""
            url_of(home)
            connect(home.running).ask("quota")
            time.sleep(0.5)

        save(picture_of_menu(command, more=more, act=know), "tray-menu.png")
        save(picture_of_menu(command, dark=True, more=more, act=know), "tray-menu-dark.png")
        save(picture_of_menu(command, more=more, submenu=True, act=know), "tray-profile.png")


def save(picture: Image.Image, name: str) -> None:
    picture.save(ASSETS / name, optimize=True)


def url_of(home: Home) -> str:
    """Where the app that has just been started listens."""
    running: Running = until(lambda: find_running(home.running), "the app did not announce itself", 20)
    return running.url


def ask(url: str, token: str) -> None:
    """Enough requests for two keys to give out."""
    for number in range(21):
        body = {"model": MODEL, "stream": number % 3 == 0, "messages": [{"role": "user", "content": str(number)}]}
        answer = httpx.post(url + CHAT, json=body, headers={"authorization": f"Bearer {token}"}, trust_env=False)
        answer.raise_for_status()


def picture_of_report(url: str) -> None:
    """The report as a browser shows it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_timeout(800)
        page.screenshot(path=ASSETS / "report.png")
        browser.close()


if __name__ == "__main__":
    main()
