"""The overview of the real app in a real Chromium: what it counts, its filters, and that it is live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.faces.web.report_harness import chromium
from tests.rig import Rig, running, script_of
from tray_app.control.callers import connect
from tray_app.control.views import Selection
from tray_app.faces.web.overview import selection_of
from tray_app.faces.web.report_series import MOST_COLOURS, OTHERS, _columns, link

SCRIPT = script_of(a='{do="rate_limit", retry_after=600}', b='{do="ok"}')


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Two profiles, the first one at its limit, and three requests."""
    with running(tmp_path / "home", SCRIPT, names=["a", "b"]) as found:
        for _ in range(3):
            assert found.chat().status_code == 200
        yield found


@contextmanager
def overview(browser: Browser, rig: Rig) -> Iterator[Page]:
    """The page after a one-time address; afterwards nothing must have gone wrong in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, complaints = context.new_page(), list[str]()
    page.set_default_timeout(12_000)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        page.goto(str(connect(rig.home.running).ask("report")["url"]))
        yield page
        assert not complaints, complaints
    finally:
        context.close()


def figures(page: Page) -> list[str]:
    return page.locator(".figure").all_inner_texts()


def test_it_counts_what_was_served_saved_and_spared(browser: Browser, rig: Rig) -> None:
    with overview(browser, rig) as page:
        requests, served, failed, saved, spared, *_ = figures(page)
        assert (requests, served, failed, saved) == ("3", "100%", "0", "1")
        assert spared.startswith(("9 min", "10 min"))  # of ten that the provider wanted, less what it took instead
        assert page.locator(".tile .note").nth(1).inner_text() == "without failing over: 66.6%"
        assert page.locator(".classes tbody tr").all_inner_texts()[0].split("\t") == ["rate limit", "1", "1"]


def test_a_filter_stays_in_the_address_and_needs_no_reload(browser: Browser, rig: Rig) -> None:
    with overview(browser, rig) as page:
        page.evaluate("window.same = true")
        page.locator("[name=profile]").select_option("openrouter-a")
        expect(page.locator(".figure").first).to_have_text("0")
        assert page.url.endswith("/report?profile=openrouter-a")
        page.get_by_role("link", name="7 days").click()
        expect(page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
        assert page.url.endswith("/report?days=7&profile=openrouter-a")
        page.locator("[name=profile]").select_option("openrouter-b")
        expect(page.locator(".figure").first).to_have_text("3")
        assert page.url.endswith("/report?profile=openrouter-b&days=7")
        page.go_back()
        expect(page.locator(".figure").first).to_have_text("0")
        assert page.locator("[name=profile]").input_value() == "openrouter-a"
        page.get_by_role("link", name="Clear the filters").click()
        expect(page.locator(".figure").first).to_have_text("3")
        assert page.evaluate("window.same")
        page.locator("[name=from]").fill("2025-01-01")
        expect(page.locator("#usage-title")).to_have_text("Usage")
        assert "from=2025-01-01" in page.url
        page.reload()
        assert page.locator("[name=from]").input_value() == "2025-01-01"
        assert figures(page)[0] == "3"


def test_days_that_are_none_are_told_and_today_is_shown(browser: Browser, rig: Rig) -> None:
    with overview(browser, rig) as page:
        page.goto(f"{rig.url}/report?from=yesterday&client=nobody")
        expect(page.get_by_role("alert")).to_contain_text("from must be a day such as 2026-06-26")
        assert figures(page)[0] == "0"
        assert page.locator("[name=client]").input_value() == "nobody"


def test_a_request_is_shown_at_once(browser: Browser, rig: Rig) -> None:
    with overview(browser, rig) as page:
        expect(page.locator(".figure").first).to_have_text("3")
        rig.chat()
        expect(page.locator(".figure").first).to_have_text("4", timeout=3_000)  # long before the next reading in turn


def test_an_address_is_what_was_chosen() -> None:
    chosen = Selection(days="7", model="a b&c", client="x")
    assert link(chosen) == "/report?days=7&model=a+b%26c&client=x"
    assert link(chosen, days="30") == "/report?days=30&model=a+b%26c&client=x"
    assert link(chosen, days="", model="", client="") == "/report?all="
    asked = {"from": "2026-06-01", "to": " 2026-06-02 ", "provider": "p"}
    assert selection_of(asked) == Selection(first="2026-06-01", last="2026-06-02", provider="p")
    assert link(selection_of(asked)) == "/report?from=2026-06-01&to=2026-06-02&provider=p"


def test_what_has_no_colour_of_its_own_is_one_column() -> None:
    names = [f"p{number}" for number in range(MOST_COLOURS + 3)]
    columns = _columns([dict.fromkeys(names, 1.0), {names[-1]: 5.0}], names)
    assert [name for name, _ in columns] == [*names[: MOST_COLOURS - 1], OTHERS]
    assert columns[-1][1] == [4.0, 5.0]
    assert [name for name, _ in _columns([], names[:MOST_COLOURS])] == names[:MOST_COLOURS]
