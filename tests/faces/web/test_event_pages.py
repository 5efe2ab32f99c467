"""The page of events in a real Chromium before the real app: search, pages, the live tail and its pause, files."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.faces.web.eventful import BACKUP, MAIN, SPARE, a_past, switched, tell
from tests.faces.web.report_harness import chromium
from tests.faces.web.test_request_pages import ROW, keys, link, listens, visiting
from tests.faces.web.visiting import guest_of
from tests.rig import Rig, running, script_of
from tray_app.control.callers import connect
from tray_app.core.history import PastEvent
from tray_app.core.values import CircuitChanged, Fact, FailedOver, OperatorActed
from tray_app.faces.web.event_pages import HERE, shape_of
from tray_app.faces.web.event_texts import ENGLISH, RUSSIAN
from tray_app.faces.web.listing import ROWS
from tray_app.faces.web.request_pages import HERE as REQUESTS

NOW = round(time.time() * 1000)
MANY = 120


def pauses() -> list[Fact]:
    """More than two pages, hours ago."""
    at = NOW - 20 * 3_600_000
    return [OperatorActed(at + n * 1000, "cli", "pause", f"openrouter-old{n % 2}", f"number {n}") for n in range(MANY)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("events") / "home", script_of(a='{do="ok"}')) as found:
        tell(found, [*pauses(), *a_past(NOW, 3)])
        yield found


@pytest.fixture(scope="module")
def guest(rig: Rig) -> Iterator[httpx.Client]:
    with guest_of(rig) as client:
        yield client


def sentences(page: Page) -> list[str]:
    return page.locator("#rows .what").all_inner_texts()


def test_each_event_is_told_in_a_sentence_with_its_links(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as page:
        told = sentences(page)
        for said in (
            f"Switched from {MAIN} to {BACKUP}: the stream broke off",
            f"{SPARE} was chosen instead of {MAIN}: chosen by the operator (tray)",
            f"{SPARE} needs another key: the provider refuses the key",
            f"{BACKUP} was paused (in the tray): for 2 h",
            f"{MAIN} failed too often: its circuit opened: 5 calls in a row failed",
            f"{MAIN} can be used again: asked for by the operator (cli)",
        ):
            assert said in told
        assert any(
            re.fullmatch(rf"{MAIN} has used up its quota, resets .+ \(stated by the provider\): credit is used up", one)
            for one in told
        )
        one = switched(1, NOW).id
        page.get_by_role("link", name=ENGLISH.request.format(id=one)).click()
        assert page.url == f"{rig.url}{REQUESTS}/{one}"


def test_pages_lead_on_and_back(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as page:
        seen = [keys(page)]
        while link(page, ENGLISH.older).count():
            link(page, ENGLISH.older).click()
            seen.append(keys(page))
        every = [key for some in seen for key in some]
        assert len(every) == len(set(every)) > MANY and [len(some) for some in seen[:-1]] == [ROWS] * (len(seen) - 1)
        times = [int(key.partition("-")[0]) for key in every]
        assert times == sorted(times, reverse=True)
        back = seen.pop()
        while link(page, ENGLISH.newer).count():
            link(page, ENGLISH.newer).click()
            back = keys(page) + back
        assert back == every and page.url == rig.url + HERE


@pytest.mark.parametrize(
    ("query", "kinds", "count"),
    [
        ("kind=failover", {"f"}, 6),
        ("kind=quota", {"q"}, 6),
        ("kind=operator&profile=openrouter-backup", {"o"}, 2),
        ("kind=reauth", {"q"}, 1),
        (f"profile={SPARE}", {"f", "q"}, 2),
        ("profile=nobody", set(), 0),
        (f"since={NOW - 395_000}&until={NOW - 375_000}", {"o", "f"}, 2),
    ],
)
def test_each_filter_finds_what_it_says(guest: httpx.Client, query: str, kinds: set[str], count: int) -> None:
    page = guest.get(f"{HERE}?{query}").text
    found = re.findall(r'<li data-key="\d+-(\w)-\d+"', page)
    assert (set(found), len(found)) == (kinds, count)
    assert (ENGLISH.none_found in page) is (count == 0)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("kind=odd", "no kind is called"),
        ("before=1-x-1", "no event can have the id"),
        ("until=later", "later is no date and time"),
    ],
)
def test_a_search_without_sense_is_told_so(guest: httpx.Client, query: str, words: str) -> None:
    answer = guest.get(f"{HERE}?{query}")
    assert answer.status_code == 422 and words in answer.text and "data-key" not in answer.text


def test_what_happens_comes_in_at_the_top_and_can_be_held_back(browser: Browser, lively: Rig) -> None:
    tell(lively, a_past(NOW, 1))
    with visiting(browser, lively, HERE) as page:
        before = keys(page)
        listens(lively)
        connect(lively.home.running).ask("pause", profile="openrouter-a")
        expect(page.locator(ROW)).to_have_count(len(before) + 1)
        assert sentences(page)[0] == "openrouter-a was paused (over the API): until resumed"
        page.get_by_role("button", name=ENGLISH.pause).click()
        connect(lively.home.running).ask("resume", profile="openrouter-a")
        expect(page.locator("#tail-says")).to_have_text(ENGLISH.held.format(n=1))
        connect(lively.home.running).ask("use", profile="openrouter-a")
        expect(page.locator("#tail-says")).to_have_text(ENGLISH.held.format(n=2))
        assert keys(page)[1:] == before
        page.get_by_role("button", name=ENGLISH.go_on).click()
        assert keys(page)[3:] == before
        expect(page.locator("#tail-says")).to_have_text(ENGLISH.live)
        lively.restart()
        page.goto(str(connect(lively.home.running).ask("report")["url"]))
        page.goto(lively.url + HERE)
        assert keys(page)[3:] == before


def test_the_first_event_of_all_appears_by_itself(browser: Browser, lively: Rig) -> None:
    with visiting(browser, lively, f"{HERE}?kind=failover") as page:
        expect(page.get_by_text(ENGLISH.none_found)).to_be_visible()
        listens(lively)
        fact = FailedOver(None, round(time.time() * 1000), "openrouter-a", "openrouter-b", "by hand", True)
        lively.in_loop(lambda: lively.app.record(fact))
        expect(page.locator(ROW)).to_have_count(1)


def test_it_is_read_without_script_and_in_russian(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, f"{HERE}?kind=operator", script=False, locale="ru-RU") as page:
        assert f"{BACKUP} приостановлен (в трее): for 2 h" in sentences(page)
        assert f"{MAIN} снова работает после сбоев: 2 probes went well" in sentences(page)
        assert page.locator("#pause:visible").count() == 0
        link(page, RUSSIAN.older).click()
        assert len(keys(page)) == ROWS


@pytest.mark.parametrize(
    ("query", "name", "rows"),
    [
        (f"profile={SPARE}", "failovers", 1),
        (f"kind=operator&until={NOW - 3_600_000}", "operator-events", MANY),
        ("kind=reauth", "quota-events", 6),
    ],
)
def test_what_is_selected_is_taken_along(guest: httpx.Client, query: str, name: str, rows: int) -> None:
    page = guest.get(f"{HERE}?{query}").text
    offered = [one.replace("&amp;", "&") for one in re.findall(r'href="(/api/v1/export/[^"]+)" download', page)]
    wanted = next(one for one in offered if f"/{name}?" in one and one.endswith("format=csv"))
    assert len(offered) == (2 if "kind" in query else 6)
    assert len(list(csv.DictReader(io.StringIO(guest.get(wanted).text, newline="")))) == rows


def test_an_event_without_a_shape_of_its_own_has_a_plain_one() -> None:
    assert shape_of(PastEvent("1-o-1", 1, "operator", "operator", verb="pin")) == "ready"
    assert shape_of(PastEvent("1-o-1", 1, "operator", "operator", verb="circuit-open")) == "open"
    assert CircuitChanged(MAIN, 1, "half_open", "").circuit.replace("_", "-") == "half-open"
