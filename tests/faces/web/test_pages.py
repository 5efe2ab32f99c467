"""What holds of every page that is registered, in a real Chromium before the real app.

It weighs little, asks nobody else, reads well in both themes and on a phone, and is for keyboards, screen readers and
both languages. What axe-core (a test's tool, never shipped) calls serious is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.faces.web.report_harness import chromium
from tests.faces.web.test_report_page import GROUNDS
from tests.installed import clients
from tests.rig import Rig, running, script_of
from tray_app.control.callers import connect
from tray_app.faces.web import pages
from tray_app.faces.web.shell_texts import ENGLISH, RUSSIAN

every_page = pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)

SCRIPT = script_of(a='{do="rate_limit", retry_after=5400}', b='{do="ok"}')
MOST_BYTES = 300_000
MOST_STOPS = 600  # of the Tab key
FOCUSABLE = """[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => one.checkVisibility() && !one.disabled && one.type !== "hidden" && one.type !== "radio")"""
STOP = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  if (one === document.body) return null;
  window.stops = (window.stops || new Set()).add(one);
  return [one.nodeName, one.className, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1];
}"""
UNREACHED = f"() => {FOCUSABLE}.filter((one) => !stops.has(one)).map((one) => one.outerHTML.slice(0, 90))"
GROUND = "getComputedStyle(document.documentElement).backgroundColor"
WEIGHT = """() => performance.getEntries().filter((one) => "transferSize" in one)
  .map((one) => one.transferSize).reduce((sum, size) => sum + size, 0)"""
AXE = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 120) + " " + node.failureSummary).join("; ")}`)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An app in use: one profile at its limit, one that serves, and some requests."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch, running(folder / "home", SCRIPT, names=["a", "b"]) as found:
        (folder / "user").mkdir()
        patch.setenv("HOME", str(folder / "user"))
        for number in range(4):
            assert found.chat(stream=number % 2 == 1).status_code == 200
        found.client.post("/openrouter/v1/chat/completions", content=b"{")
        yield found


@pytest.fixture(scope="session")
def axe() -> str:
    return (clients().node / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@dataclass
class Visit:
    """A page in a tab of its own, and what a good one never causes."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.set_default_timeout(12_000)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.violatedDirective))"
        )

    def _said(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)

    def _asked(self, url: str) -> None:
        if not url.startswith((f"{self.origin}/", "data:")):
            self.complaints.append(f"asked {url}")

    def width(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


@contextmanager
def visiting(
    browser: Browser, rig: Rig, page: pages.Page, *, width: int = 1280, theme: Literal["light", "dark"] = "light"
) -> Iterator[Visit]:
    """By a one-time address that leads there; afterwards there must be nothing to complain of."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce", locale="en-GB"
    )
    visit = Visit(context.new_page(), rig.url)
    visit.watch()
    try:
        ticket = str(connect(rig.home.running).ask("report")["url"])
        visit.page.goto(f"{ticket}&page={page.name}")
        visit.page.wait_for_load_state("load")
        assert visit.page.url == rig.url + page.address
        yield visit
        assert not visit.complaints, visit.complaints
    finally:
        context.close()


@every_page
def test_on_a_desk_in_the_light(browser: Browser, rig: Rig, axe: str, page: pages.Page) -> None:
    with visiting(browser, rig, page) as visit:
        weighs_little(visit)
        has_what_every_page_has(visit.page, page)
        is_walked_by_the_tab_key(visit.page)
        assert serious(visit.page, axe) == []


@every_page
def test_on_a_phone_in_the_dark(browser: Browser, rig: Rig, axe: str, page: pages.Page) -> None:
    with visiting(browser, rig, page, width=360, theme="dark") as visit:
        assert visit.page.evaluate(GROUND) == GROUNDS["dark"]
        assert serious(visit.page, axe) == []
        for width in (320, 360, 768, 1024, 3840):
            visit.page.set_viewport_size({"width": width, "height": 600})
            assert visit.width() <= width


def weighs_little(visit: Visit) -> None:
    visit.page.wait_for_timeout(200)  # what it asks for by itself
    assert 2_000 < visit.page.evaluate(WEIGHT) < MOST_BYTES


def has_what_every_page_has(found: Page, page: pages.Page) -> None:
    assert found.locator("h1").count() == 1
    assert found.locator("main, body > header, footer").count() == 3
    assert re.search(r"\S · O-Switcher$", found.title())
    assert found.locator("nav [aria-current=page]").all_inner_texts() == [ENGLISH.pages[page.name]]
    assert found.locator("nav a").all_inner_texts() == [ENGLISH.pages[one.name] for one in pages.PAGES]


def is_walked_by_the_tab_key(found: Page) -> None:
    """Every place that does something is reached, and shows that it is."""
    found.keyboard.press("Tab")
    assert found.evaluate("document.activeElement.className") == "skip"
    stops = [found.evaluate(STOP)]
    while len(stops) < MOST_STOPS:
        found.keyboard.press("Tab")
        stop = found.evaluate(STOP)
        if stop is None:
            break
        stops.append(stop)
    assert [stop for stop in stops if not stop[2]] == []
    assert found.evaluate(UNREACHED) == []
    found.locator(".skip").focus()
    found.keyboard.press("Enter")
    assert found.evaluate("document.activeElement.id") == "content"


def serious(found: Page, axe: str) -> object:
    """What axe-core calls serious, with all that opens open."""
    found.evaluate("[...document.querySelectorAll('details')].forEach((one) => { one.open = true; })")
    found.evaluate(axe)
    return found.evaluate(AXE)


@every_page
def test_theme_and_language_are_chosen_at_once_and_kept(browser: Browser, rig: Rig, page: pages.Page) -> None:
    with visiting(browser, rig, page) as visit:
        found = visit.page
        with found.expect_response("**/report/look"):
            found.get_by_role("button", name=ENGLISH.themes["dark"], exact=True).click()
        expect(found.locator("html")).to_have_attribute("data-theme", "dark")
        assert found.evaluate(GROUND) == GROUNDS["dark"]
        found.get_by_role("button", name="Русский").click()
        expect(found.locator("html")).to_have_attribute("lang", "ru")
        assert found.url == rig.url + page.address
        assert found.evaluate(GROUND) == GROUNDS["dark"]
        assert found.locator("nav [aria-current=page]").all_inner_texts() == [RUSSIAN.pages[page.name]]
        assert re.search("[\u0430-\u044f]{4}", found.locator("main").inner_text())
        found.set_viewport_size({"width": 360, "height": 900})
        assert visit.width() <= 360


def test_without_script_the_theme_is_chosen_all_the_same(browser: Browser, rig: Rig) -> None:
    context = browser.new_context(java_script_enabled=False, color_scheme="light")
    found = context.new_page()
    found.goto(str(connect(rig.home.running).ask("report")["url"]))
    found.get_by_role("button", name=ENGLISH.themes["dark"], exact=True).click()
    expect(found.locator("html")).to_have_attribute("data-theme", "dark")
    expect(found.locator("html")).to_have_css("background-color", GROUNDS["dark"])
    context.close()
