"""What the pages of the report cost over a long history: the app's CPU for each, and when a browser first paints it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Browser

from tests.bench.processes import cpu_s
from tests.bench.table import Row, Series
from tests.faces.web.report_harness import chromium
from tests.whole.processes import Served, practice, prepared, serve
from tray_app.faces.web.pages import PAGES
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

CPU_MS, PAINT_MS = 100.0, 500.0
ASKED = 5  # times, for one figure of CPU
PAINT = "performance.getEntriesByName('first-contentful-paint').map((one) => one.startTime)[0] ?? -1"
LONGEST = {"/report": "/report?days=30"}  # the most that a click shows
HARD = (  # what takes the longest to find, or is not there
    "/report/requests?outcome=exhausted",
    "/report/requests?error=no+such+words",
    "/report/requests?profile=*spare&model=qwen/*",
    "/report/requests?after=1",
    "/report/events?profile=nobody",
)


def measured(history: Path, runs: int) -> Iterator[Row]:
    """Two rows for each page, of an app that has `history`."""
    with (
        tempfile.TemporaryDirectory(prefix="o-switcher-pages-") as folder,
        SimulatorThread(parse(practice("main"), "pages")) as simulator,
        chromium() as browser,
    ):
        home, _ = prepared(Path(folder), simulator.url, ["main"], "[proxy]\nport = 0\n[history]\nkeep_days = 36500\n")
        home.history.parent.mkdir(parents=True, exist_ok=True)
        home.history.symlink_to(history.absolute())
        served = serve(home)
        try:
            for page in PAGES:
                address = LONGEST.get(page.address, page.address)
                yield Row(f"the page {address}: CPU", _cpu(served, address, runs), floor=CPU_MS)
                note = "a browser that has none of its files yet"
                yield Row(
                    f"the page {address}: first paint",
                    _paint(browser, served, address, runs),
                    floor=PAINT_MS,
                    note=note,
                )
            for address in HARD:
                yield Row(f"the page {address}: CPU", _cpu(served, address, runs), floor=CPU_MS)
        finally:
            served.end()
            served.close()


def _ticket(served: Served) -> str:
    return str(served.caller().ask("report")["url"])


def _cpu(served: Served, address: str, runs: int) -> Series:
    ticket, figures = httpx.URL(_ticket(served)), []
    with httpx.Client(base_url=f"{ticket.scheme}://{ticket.netloc.decode()}", trust_env=False, timeout=30) as client:
        client.get(ticket)
        client.get(address).raise_for_status()
        for _ in range(runs):
            began = cpu_s(served.process.pid)
            for _ in range(ASKED):
                client.get(address)
            figures.append((cpu_s(served.process.pid) - began) * 1000 / ASKED)
    return Series(tuple(figures), "ms")


def _paint(browser: Browser, served: Served, address: str, runs: int) -> Series:
    figures = []
    for _ in range(runs):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        context.request.get(_ticket(served))  # the session, and nothing of the page yet
        page.goto(f"{served.caller().ask('status')['url']}{address}", wait_until="load")
        page.wait_for_timeout(100)
        figures.append(float(page.evaluate(PAINT)))
        context.close()
    return Series(tuple(figures), "ms")
