"""The pages of requests in a real Chromium before the real app: search, pages, what is new, one request, copies, files."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.faces.web.eventful import BACKUP, HOSTILE, MAIN, MINI, a_past, exhausted, hostile, switched, tell, told
from tests.faces.web.report_harness import chromium
from tests.faces.web.visiting import guest_of
from tests.rig import Rig, running, script_of
from tray_app.control.callers import connect
from tray_app.core.values import RequestStarted
from tray_app.faces.web import listing
from tray_app.faces.web.event_pages import HERE as EVENTS
from tray_app.faces.web.listing import ROWS
from tray_app.faces.web.request_pages import HERE
from tray_app.faces.web.request_texts import ENGLISH, RUSSIAN

ORDINARY = 130
NOW = round(time.time() * 1000)
PAST = a_past(NOW, ORDINARY)
IDS = sorted((fact.id for fact in PAST if isinstance(fact, RequestStarted)), reverse=True)
ROW = "#rows > [data-key]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An app that has been used for hours; nothing new happens."""
    with running(tmp_path_factory.mktemp("requests") / "home", script_of(a='{do="ok"}')) as found:
        tell(found, PAST)
        yield found


@pytest.fixture(scope="module")
def guest(rig: Rig) -> Iterator[httpx.Client]:
    """A browser's session, driven by hand."""
    with guest_of(rig) as client:
        yield client


@contextmanager
def visiting(
    browser: Browser, rig: Rig, address: str = HERE, *, script: bool = True, allowed: str = "", **more: Any
) -> Iterator[Page]:
    """A tab at that address; afterwards nothing must have gone wrong in it, and nobody else have been asked."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, reduced_motion="reduce", java_script_enabled=script,
        permissions=["clipboard-read", "clipboard-write"], **more,
    )  # fmt: skip
    page, complaints = context.new_page(), list[str]()
    page.set_default_timeout(12_000)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(f"{rig.url}/") else complaints.append(asked.url))
    try:
        page.goto(str(connect(rig.home.running).ask("report")["url"]))
        page.goto(rig.url + address)
        yield page
        assert [one for one in complaints if not allowed or allowed not in one] == []
    finally:
        context.close()


def keys(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(ROW, "rows => rows.map((row) => row.dataset.key)")
    return found


def field(page: Page, name: str) -> Any:
    return page.locator(f"form.search [name={name}]")


def link(page: Page, name: str) -> Any:
    return page.get_by_role("link", name=name, exact=True)


def listens(rig: Rig) -> None:
    """Wait until a page hears live events."""
    deadline = time.monotonic() + 10
    while not rig.app.service.feed and time.monotonic() < deadline:
        time.sleep(0.02)


# -- the list


def test_pages_lead_on_and_back_without_gap_or_overlap(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as page:
        seen = keys(page)
        assert seen == IDS[:ROWS]
        assert link(page, ENGLISH.newer).count() == link(page, ENGLISH.newest).count() == 0
        while link(page, ENGLISH.older).count():
            link(page, ENGLISH.older).click()
            seen += keys(page)
        assert seen == IDS
        assert page.evaluate("document.getElementById('page').dataset.live") == ""
        back = keys(page)
        while link(page, ENGLISH.newer).count():
            link(page, ENGLISH.newer).click()
            back = keys(page) + back
        assert back == IDS
        assert keys(page) == IDS[:ROWS] and "before" not in page.url
        link(page, ENGLISH.older).click()
        link(page, ENGLISH.newest).click()
        assert page.url == rig.url + HERE


def test_filters_stand_in_the_address_and_stay_from_page_to_page(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as page:
        field(page, "model").fill(f"{MINI[:8]}*")
        field(page, "outcome").select_option("served")
        page.get_by_role("button", name=ENGLISH.find).click()
        assert httpx.URL(page.url).params.multi_items() == [("model", "openai/g*"), ("outcome", "served")]
        assert len(keys(page)) == ORDINARY // 5
        page.goto(f"{rig.url}{HERE}?client=opencode&outcome=served")
        link(page, ENGLISH.older).click()
        assert "client=opencode" in page.url and "before=" in page.url
        assert field(page, "client").input_value() == "opencode"
        link(page, ENGLISH.clear).click()
        assert page.url == rig.url + HERE and keys(page) == IDS[:ROWS]


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("outcome=running", [told(0, NOW).id]),
        ("outcome=exhausted", [exhausted(2, NOW).id]),
        ("profile=*backup&outcome=served", [switched(1, NOW).id]),
        ("error_class=rate_limited", [switched(1, NOW).id, exhausted(2, NOW).id]),
        ("error=free-models", [switched(1, NOW).id, exhausted(2, NOW).id]),
        ("provider=nobody", []),
        (f"id={told(4, NOW).id}", [told(4, NOW).id]),
        (f"since={told(1, NOW).at}", [told(0, NOW).id, told(1, NOW).id]),
        (f"since={told(4, NOW).at}&until={told(2, NOW).at}", [told(3, NOW).id, told(4, NOW).id]),
    ],
)
def test_each_filter_finds_what_it_says_and_stays_filled_in(guest: httpx.Client, query: str, right: list[str]) -> None:
    page = guest.get(f"{HERE}?{query}").text
    assert re.findall(r'<tr role="row" data-key="(\w+)"', page) == right
    assert (ENGLISH.none_found in page) is not bool(right)
    for name, value in httpx.QueryParams(query).items():
        if name in ("outcome", "error_class"):
            assert f'<option value="{value}" selected>' in page
        elif name not in ("since", "until"):
            assert f'name="{name}" value="{value}"' in page


def test_times_are_asked_for_by_the_local_clock(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as page:
        minute = time.strftime("%Y-%m-%dT%H:%M", time.localtime(told(4, NOW).at / 1000))
        field(page, "since").fill(minute)
        page.get_by_role("button", name=ENGLISH.find).click()
        assert field(page, "since").input_value() == minute
        assert keys(page)[-1] in (told(4, NOW).id, told(5, NOW).id) and 4 < len(keys(page)) < 7


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=soon", "soon is no date and time"),
        ("outcome=lost", "no outcome is called 'lost'"),
        ("error_class=bad", "no error_class is called 'bad'"),
        ("since=99999999999999999", "99999999999999999 is no date and time"),
        ("since=9999999999999999", "since is no time in milliseconds since 1970"),
    ],
)
def test_a_search_without_sense_is_told_so(guest: httpx.Client, query: str, words: str) -> None:
    answer = guest.get(f"{HERE}?{query}")
    assert answer.status_code == 422
    assert f'role="alert"><p><bdi>{html.escape(words)}' in answer.text.replace("&#39;", "&#x27;")
    assert "data-key" not in answer.text and f'class="button" href="{HERE}">{ENGLISH.clear}' in answer.text
    assert "/api/v1/export" not in answer.text


def test_a_search_that_runs_out_of_patience_says_how_far_it_came_and_goes_on(
    guest: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PATIENCE_S", 0.0)
    address, found, steps = f"{HERE}?client=codex&outcome=served", list[str](), 0
    while True:
        page = guest.get(address).text
        found += re.findall(r'<tr role="row" data-key="(\w+)"', page)
        further = re.search(rf'href="([^"]+)">{ENGLISH.further}<', page)
        if further is None:
            break
        assert ENGLISH.reached.split("{")[0] in page
        address, steps = html.unescape(further[1]), steps + 1
    monkeypatch.undo()
    whole = guest.get(f"{HERE}?client=codex&outcome=served").text
    assert steps > 1 and found == re.findall(r'<tr role="row" data-key="(\w+)"', whole) and len(found) == ORDINARY // 5


def test_without_script_all_of_it_can_be_read_and_searched(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, script=False) as page:
        field(page, "client").fill("codex")
        page.get_by_role("button", name=ENGLISH.find).click()
        assert len(keys(page)) == ORDINARY // 5 + 1
        page.locator(f"[data-key='{exhausted(2, NOW).id}'] .when a").click()
        expect(page.locator("h1")).to_have_text(ENGLISH.title.format(id=exhausted(2, NOW).id))
        assert "no profile can serve" in page.locator("#as-text").inner_text()
        assert page.locator("button.copy:visible").count() == 0


# -- what is new


def test_new_requests_are_announced_and_move_no_row(browser: Browser, lively: Rig) -> None:
    tell(lively, a_past(NOW, 20))
    with visiting(browser, lively) as page:
        before = keys(page)
        listens(lively)
        for _ in range(3):
            lively.chat()
        news = page.locator("#news button")
        expect(news).to_have_text(ENGLISH.fresh.format(n=3))
        assert keys(page) == before
        news.click()
        assert keys(page)[3:] == before and page.locator("#news button").count() == 0
        assert page.evaluate("document.activeElement.className") == "scroll"
        lively.chat()
        expect(news).to_have_text(ENGLISH.fresh.format(n=1))
        assert keys(page)[3:] == before


def test_a_request_that_goes_on_ends_in_its_row(browser: Browser, lively: Rig) -> None:
    one = told(0, NOW)
    tell(lively, one.facts)
    with visiting(browser, lively) as page:
        listens(lively)
        row = page.locator(f"[data-key='{one.id}']")
        expect(row.locator(".outcome")).to_contain_text("running")
        one.facts.clear()
        one.call(2, MAIN, 300).end(310)
        lively.in_loop(lambda: [lively.app.record(fact) for fact in one.facts])
        expect(row.locator(".outcome")).to_contain_text("served")
        assert page.locator("#news button").count() == 0


def test_the_first_request_of_all_appears_by_itself(browser: Browser, lively: Rig) -> None:
    with visiting(browser, lively) as page:
        expect(page.get_by_text(ENGLISH.none_yet)).to_be_visible()
        listens(lively)
        lively.chat()
        expect(page.locator(ROW)).to_have_count(1)


# -- one request


def test_a_request_opens_as_a_waterfall_with_a_sentence_for_each_step(browser: Browser, rig: Rig) -> None:
    one = switched(1, NOW)
    with visiting(browser, rig) as page:
        page.locator(f"[data-key='{one.id}'] .when a").click()
        page.wait_for_url(f"**{HERE}/{one.id}")
        steps = page.locator(".fall li:not(.axis)")
        afters, texts = (steps.locator(part).all_inner_texts() for part in (".after", ".what"))
        told_steps = list(zip(afters, texts, strict=True))
        assert [(after, text[:24]) for after, text in told_steps] == [
            ("+0 ms", "waits for a place, 3 wai"),
            ("+350 ms", "chose openrouter-main: f"),
            ("+350 ms", "call 1 to openrouter-mai"),
            ("+590 ms", "openrouter-main rests fo"),
            ("+590 ms", "waits 900 ms for openrou"),
            ("+1.5 s", "chose openrouter-main: t"),
            ("+1.5 s", "call 2 to openrouter-mai"),
            ("+1.9 s", "part 1 of the stream fro"),
            ("+3.6 s", "switched openrouter-main"),
            ("+3.6 s", "chose openrouter-backup:"),
            ("+3.6 s", "call 3 to openrouter-bac"),
            ("+4.9 s", "part 2 of the stream fro"),
        ]
        assert "rate_limited (key) status 429" in told_steps[2][1] and "[come back in 2.5 s]" in told_steps[2][1]
        assert "[score 1.12: health 0.98, latency -0.11, failures -0.05, priority 0.30]" in told_steps[1][1]
        boxes = [steps.nth(number).locator("rect.bar").bounding_box() for number in range(12)]
        lefts = [box["x"] for box in boxes if box]
        assert lefts == sorted(lefts) and len(lefts) == 12
        widths = [box["width"] for box in boxes if box]
        assert widths[10] > widths[6] > widths[4] > widths[2] > widths[3]
        facts = page.locator(".facts").inner_text()
        for words in (one.id, BACKUP, "12,400 / 820", "9,600 from the cache", "$0.021384", "1.9 s", f"gen-{one.id}-3"):
            assert words in facts
        assert page.locator(f".facts a[href='/profiles#{BACKUP}']").count() == 1
        assert page.evaluate("document.getElementById('page').dataset.live") == ""


def test_its_text_is_what_inspect_prints(browser: Browser, rig: Rig) -> None:
    from tray_app.control import tracing
    from tray_app.faces.web.request_pages import _clock

    one = switched(1, NOW)
    trace = connect(rig.home.running).ask("inspect", request_id=one.id)
    with visiting(browser, rig, f"{HERE}/{one.id}") as page:
        import msgspec

        from tray_app.core.history import Trace

        lines = tracing.lines(msgspec.convert(trace, Trace), _clock)
        assert page.locator("#as-text").text_content() == "\n".join(lines)
        page.get_by_role("button", name=ENGLISH.copy_text).click()
        expect(page.locator("#toasts")).to_have_text(ENGLISH.copied)
        assert page.evaluate("navigator.clipboard.readText()") == "\n".join(lines)
        page.get_by_role("button", name=ENGLISH.copy_json).click()
        expect(page.locator("#toasts p")).to_have_count(2)
        assert json.loads(page.evaluate("navigator.clipboard.readText()")) == trace
        page.get_by_role("button", name=ENGLISH.copy_id).click()
        expect(page.locator("#toasts p")).to_have_count(3)
        assert page.evaluate("navigator.clipboard.readText()") == one.id


def test_what_cannot_be_copied_is_said(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, f"{HERE}/{told(4, NOW).id}", allowed="500") as page:
        page.route("**/api/v1/requests/*", lambda route: route.fulfill(status=500))
        page.get_by_role("button", name=ENGLISH.copy_json).click()
        expect(page.get_by_role("alert")).to_have_text(ENGLISH.not_copied)
        assert ENGLISH.cost_unknown in page.locator(".facts").inner_text()


def test_a_request_that_goes_on_is_followed_to_its_end(browser: Browser, lively: Rig) -> None:
    one = told(0, round(time.time() * 1000))
    tell(lively, one.facts)
    with visiting(browser, lively, f"{HERE}/{one.id}") as page:
        expect(page.locator(".state.big")).to_have_text("running")
        listens(lively)
        one.facts.clear()
        one.call(2, MAIN, 300)
        lively.in_loop(lambda: [lively.app.record(fact) for fact in one.facts])
        expect(page.locator(".fall .step-call")).to_have_count(1)
        one.facts.clear()
        one.end(310)
        lively.in_loop(lambda: [lively.app.record(fact) for fact in one.facts])
        expect(page.locator(".state.big")).to_have_text("served")
        expect(page.get_by_role("button", name=ENGLISH.copy_id)).to_be_visible()


def test_a_request_that_is_not_there_is_said_to_be_so(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, f"{HERE}/nothing", allowed="404") as page:
        expect(page.get_by_role("alert")).to_contain_text("no request has the id 'nothing'")
        link(page, ENGLISH.back).click()
        assert page.url == rig.url + HERE


def test_words_that_mean_ill_are_shown_as_words(browser: Browser, rig: Rig) -> None:
    ones = [hostile(10 + place, NOW, words).id for place, words in enumerate(HOSTILE)]
    search = f"{HERE}?{httpx.QueryParams({'client': HOSTILE[0]})}"
    with visiting(browser, rig) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.set_viewport_size({"width": 360, "height": 800})
        for address, said in [(HERE, HOSTILE), (search, HOSTILE[:1]), (EVENTS, HOSTILE)] + [
            (f"{HERE}/{one}", [words]) for one, words in zip(ones, HOSTILE, strict=True)
        ]:
            page.goto(rig.url + address)
            text = str(page.locator("main").text_content())
            assert [words for words in said if words not in text] == [], address
            assert page.locator("main script:not([type='application/json']), main img").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_it_is_all_in_russian_too(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, f"{HERE}/{switched(1, NOW).id}", locale="ru-RU") as page:
        expect(page.locator("h1")).to_have_text(RUSSIAN.title.format(id=switched(1, NOW).id))
        told_steps = page.locator(".fall .what").all_inner_texts()
        assert told_steps[2].startswith("вызов 1 к openrouter-main: rate_limited (key) статус 429")
        assert "успешно, статус 200 через 8,0 с" in page.locator("#as-text").inner_text()  # noqa: RUF001


# -- files


@pytest.mark.parametrize(
    ("name", "rows"), [(f"{ENGLISH.found}, CSV", 2), (f"{ENGLISH.attempts}, CSV", 5), (f"{ENGLISH.found}, JSONL", 2)]
)
def test_what_is_selected_is_taken_along(browser: Browser, rig: Rig, name: str, rows: int) -> None:
    with visiting(browser, rig, f"{HERE}?error_class=rate_limited") as page:
        page.get_by_text(ENGLISH.take).click()
        with page.expect_download() as coming:
            link(page, name).click()
        text = coming.value.path().read_text()
        assert coming.value.suggested_filename.startswith("o-switcher-")
        if name.endswith("CSV"):
            found = list(csv.DictReader(io.StringIO(text, newline="")))
        else:
            found = [json.loads(line) for line in text.splitlines()]
        assert len(found) == rows
        assert {row.get("request_id") or row["id"] for row in found} == {switched(1, NOW).id, exhausted(2, NOW).id}


# -- those who have no business there, and a history that cannot be read


@pytest.mark.parametrize("address", [HERE, f"{HERE}/{IDS[0]}", EVENTS])
def test_without_a_session_nothing_is_shown(rig: Rig, address: str) -> None:
    answer = httpx.get(rig.url + address, trust_env=False)
    assert answer.status_code == 401 and IDS[0] not in answer.text and MAIN not in answer.text


@pytest.mark.parametrize("address", ["/report", HERE, f"{HERE}/{IDS[0]}", EVENTS])
def test_a_history_that_cannot_be_read_is_a_page_that_says_so(lively: Rig, address: str) -> None:
    with httpx.Client(base_url=lively.url, trust_env=False, timeout=20) as client:
        client.get(str(connect(lively.home.running).ask("report")["url"]))
        lively.rest()
        history, kept = lively.home.history, lively.home.history.with_name("kept.db")
        history.rename(kept)
        history.mkdir()
        answer = client.get(address)
        history.rmdir()
        kept.rename(history)
    assert answer.status_code == 503
    assert "cannot be read now" in answer.text and "o-switcher doctor" in answer.text and "SELECT" not in answer.text
