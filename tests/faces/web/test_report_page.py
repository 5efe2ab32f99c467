"""The page in a real Chromium, behind the policy that the app sends."""

# ruff: noqa: RUF001  # the page writes an en dash for nothing, and Russian in Cyrillic letters

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.faces.web.report_harness import (
    HOUR,
    LONG,
    MINUTE,
    NOW,
    SECOND,
    Stand,
    Tab,
    busy_view,
    chromium,
    counting,
    crowded_view,
    empty_view,
    hostile_view,
    past,
    profile,
    tab,
    told,
)
from tray_app.control.views import AppState, ReportView
from tray_app.core.history import PastFailover
from tray_app.faces.web import report
from tray_app.faces.web.report_formats import Formats
from tray_app.faces.web.shell_texts import ENGLISH

expect.set_options(timeout=12_000)  # more than two of the page's own readings

WIDTHS = (320, 360, 414, 768, 1023, 1024, 1100, 1280, 1599, 2560, 3840)
GROUNDS: dict[Literal["light", "dark"], str] = {"light": "rgb(244, 246, 248)", "dark": "rgb(14, 18, 22)"}
VIEWS = {"busy": busy_view, "crowded": crowded_view, "empty": empty_view, "hostile": hostile_view}

TABLES = {  # rows, and the first of them
    "requests-chart": (14, "14:00 29 29 2"),
    "costs-chart": (14, "14:00 $0.899 $0.348"),
    "latency-chart": (14, "14:00 919 ms 3.6 s 6.7 s"),
}
TALLEST = "Math.max(...[...document.querySelectorAll('tbody tr')].map((row) => row.offsetHeight))"

# Text that stands out too little from its ground: WCAG 2 asks for 4.5 to 1.
FAINT = """() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/^rgba\\(.*, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const node of document.querySelectorAll("#page *")) {
    if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) || !node.checkVisibility()) continue;
    if (node.nodeName === "SCRIPT") continue;
    const [one, other] = [luminance(getComputedStyle(node).color), luminance(ground(node))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) faint.push(node.className + ": " + node.textContent.slice(0, 40));
  }
  return faint;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def stand() -> Iterator[Stand]:
    with Stand(busy_view()) as stand:
        yield stand


def test_the_page_shows_what_the_view_says(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand) as page:
        assert page.page.title() == "Degraded · O-Switcher"
        assert page.text("h1") == "Degraded"
        assert page.text(".headline") == "openrouter-backup is serving"
        assert page.texts(".tile") == [
            "Requests 1,247 cancelled by clients: 7",
            "Served 99.1% without failing over: 97.7%",
            "Failed 11 0.8% of 1,240 finished",
            "Saved by failing over 17 failovers: 19",
            "Waiting spared 1 h 30 min paid and not lost: $0.42",
            "First byte 640 ms median; 95%: 2.9 s, 99%: 6.1 s",
            "Cost $15.74 calls of unknown cost: 5",
            "Tokens 35.9M read 35.3M (57.5% from caches), written 583k",
        ]
        assert page.texts(".classes tbody tr") == ["rate limit 41 15", "server error 12 3", "for other reasons 1"]
        assert page.texts(".profiles tbody tr") == [
            "openrouter-main openrouter.example/api/v1 pinned cooling, back in 95 min (the rate limit is reached, "
            "stated by OpenRouter) key limit: unlimited …7f3a from opencode auth.json ann 0 1,108 99.8% 31.9M $11.35 "
            "unknown: 3",
            "openrouter-backup openrouter.example/api/v1 paid serving key limit: 12.40 of 50 USD left, resets in 5 d "
            "…c91e from cli ben 2 122 100% 4M $4.39",
            "openrouter-spare openrouter.example/api/v1 ready, deepseek/deepseek-r1 back in 25 min (this model is limited "
            "for everybody, assumed) free requests per day: 3 of 50 requests left, resets in 10 h "
            "…03bd from env OPENROUTER_API_KEY ben 0 0 – – –",
            "openai-work openai.example/api/v1 needs re-authentication, the provider refuses the key …Xq2A "
            "from codex auth.json default 0 9 50% – –",
            "anthropic-team anthropic.example/api/v1 paused by the operator, back in 26 h …pAAA from cli default 0 0 – – –",
            "google-free google.example/api/v1 cooling, back in 10 h (the account is out of credit, assumed) "
            "…k0Lm from cli default 0 0 – – –",
            "openrouter-shaky openrouter.example/api/v1 circuit open, tried again in 1 min (60% of its latest calls failed) "
            "…77ab from cli default 0 0 – – –",
            "anthropic-back anthropic.example/api/v1 probing, 50% of its latest calls failed "
            "…90AA from cli default 0 0 – – –",
            "groq-old groq.example/api/v1 disabled by the operator …7f3a from cli default 0 0 – – –",
            "openrouter-gone no longer in the pool – – – 2 100% 1.5k – unknown: 2",
            "no profile ended before a profile could serve – – – 6 0% – –",
        ]
        assert page.text(".choice") == "openrouter-main is pinned until it ends in 38 min"
        assert page.page.locator("progress").count() == 2
        assert page.page.locator("progress.low").get_attribute("value") == "6.0"
        assert page.texts(".switches li")[:2] == [
            f"openrouter-main → openrouter-backup the rate limit is reached 4 min ago · {stand.view.requests[1].id}",
            "openrouter-spare → openrouter-main by hand chosen by the operator (tray) 1 h ago",
        ]
        rows = page.texts(".requests tbody tr")
        assert len(rows) == len(stand.view.requests)
        assert rows[3] == (
            f"14:00:13 4 min ago {stand.view.requests[3].id} 48 kB → 13 kB opencode anthropic/claude-sonnet-4.5 "
            "openrouter/chat/completions failed 502 openrouter-spare 4 2 – streamed 1 min 1 s waited 7.2 s "
            "the provider is overloaded, and nothing else can serve"
        )
        assert "running" in rows[0]
        assert page.text("footer").startswith(
            "History /home/ann/.local/share/o-switcher/history.db Settings /home/ann/.config/o-switcher/config.toml"
        )
        assert not page.page.locator("#notices").is_visible()


def test_the_empty_page_says_what_to_do_next(browser: Browser, stand: Stand) -> None:
    stand.view = empty_view()
    with tab(browser, stand) as page:
        assert page.text("h1") == "Needs you"
        assert "Nothing yet. Point an agent at http://127.0.0.1:4417/openrouter/v1" in page.text("#requests")
        assert "o-switcher profiles add openrouter --label main" in page.text("#profiles")
        assert "No requests in these days." in page.text("#requests-chart-card")
        assert "No call has failed in these days." in page.text("#errors")
        assert "No switch yet" in page.text("#switches")
        assert page.texts(".figure") == ["0", "–", "0", "0", "–", "–", "–", "–"]
        assert page.page.locator("canvas, table").count() == 0


def test_trouble_stands_first_and_is_announced(browser: Browser, stand: Stand) -> None:
    stand.view = told(
        busy_view(), ledger="the disk is full; 412 records are held in memory", dropped_facts=3, notices=("Mend it.",)
    )
    with tab(browser, stand) as page:
        assert page.texts("#notices li") == [
            "History file: the disk is full; 412 records are held in memory",
            "Records that had to be dropped since the start: 3",
            "Mend it.",
        ]
        notices, today = (page.page.locator(one).bounding_box() for one in ("#notices", "#usage"))
        assert notices is not None
        assert today is not None
        assert notices["y"] < today["y"]
        assert page.page.get_by_role("alert").count() == 1


@pytest.mark.parametrize("name", VIEWS)
def test_a_page_of_any_width_never_scrolls_sideways_and_is_readable_light_and_dark(
    browser: Browser, stand: Stand, name: str
) -> None:
    stand.view = VIEWS[name]()
    with tab(browser, stand) as page:
        for width in WIDTHS:
            page.page.set_viewport_size({"width": width, "height": 800})
            assert page.width() == width
        for scheme, ground in GROUNDS.items():
            page.page.emulate_media(color_scheme=scheme)
            assert page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == ground
            assert page.page.evaluate(FAINT) == []


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1280, True), (2560, False)])
def test_a_page_opened_at_any_width_is_clean(browser: Browser, stand: Stand, width: int, dark: bool) -> None:
    with tab(browser, stand, width=width, dark=dark) as page:
        assert page.width() == width
        assert page.texts(".figure")[0] == "1,247"


def test_on_a_narrow_screen_rows_become_cards_that_are_read_whole(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand, width=360) as page:
        overflowing = (
            "[...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth).length"
        )
        assert page.page.evaluate(overflowing) == 0
        assert page.page.get_by_role("row").count() > len(stand.view.requests)  # still a table to a screen reader
        assert page.page.get_by_role("cell", name="openrouter-backup").count() >= 1


def test_hostile_words_are_shown_and_do_nothing(browser: Browser, stand: Stand) -> None:
    stand.view = hostile_view()
    with tab(browser, stand) as page:
        page.page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
        stand.view = replace(stand.view, now=NOW + SECOND)
        page.look_again()
        expect(page.page.locator("#as-of")).to_have_text("as of 14:05:13")
        assert page.page.locator("img:not([src^='/static/'])").count() == 0
        assert page.page.locator("body script").count() == 1
        assert "<script>alert(1)</script>" in page.text(".requests tbody tr:nth-child(2) .reason")
        assert "{{ 7 * 7 }}" in page.text("#notices")
        assert page.page.locator(".requests .model bdi").first.get_attribute("title") == LONG
        assert page.text(".profiles tbody tr:nth-child(3) .state").endswith(", stated by OpenRouter)")
        for width in (1280, 360):
            page.page.set_viewport_size({"width": width, "height": 800})
            assert page.page.evaluate(TALLEST) < 800


def test_the_chart_holds_the_hours_and_a_table_says_the_same(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand) as page:
        drawn = page.page.evaluate(
            """() => { const {data} = Chart.getChart('requests-chart');
                       return {labels: data.labels, sets: data.datasets.map((set) => set.data)}; }"""
        )
        hours = [slot.sums for slot in stand.view.usage.slots]
        assert (drawn["labels"][0], drawn["labels"][-1]) == ("00:00", "23:00")
        assert drawn["sets"][0] == [hour.served for hour in hours]
        assert drawn["sets"][1] == [hour.requests - hour.served for hour in hours]
        assert drawn["sets"][2] == [hour.requests if hour.failovers else None for hour in hours]
        inked = """() => { const canvas = document.getElementById('requests-chart');
          const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 0; at < data.length; at += 4) count += data[at] === 42 && data[at + 1] === 157 && data[at + 2] === 120;
          return count; }"""
        assert page.page.evaluate(inked) > 2000  # the bars are there, in their colour
        for chart, rows in TABLES.items():
            card = f"#{chart}-card"
            page.page.locator(f"{card} summary").click()
            found = page.texts(f"{card} tbody tr")
            assert (len(found), found[0]) == rows
        assert "failovers: 19" in str(page.page.get_by_role("img").first.get_attribute("aria-label"))
        names = (
            "Object.values(Chart.instances).map((one) => [one.canvas.id, one.data.datasets.map((set) => set.label)])"
        )
        assert dict(page.page.evaluate(names)) == {
            "requests-chart": ["Served", "Not served", "Failovers"],
            "costs-chart": ["openrouter-main", "openrouter-backup"],
            "latency-chart": ["50%", "95%", "99%"],
            "errors-chart": ["rate limit", "server error"],
        }


def test_the_chart_follows_light_and_dark(browser: Browser, stand: Stand) -> None:
    colour = "Chart.getChart('requests-chart').getDatasetMeta(0).data[10].options.backgroundColor"
    with tab(browser, stand) as page:
        light = page.page.evaluate(colour)
        page.page.emulate_media(color_scheme="dark")
        page.until(f"{colour} !== '{light}'")


def test_without_script_or_chart_the_page_is_whole(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand, script=False) as page:
        assert page.texts(".figure")[0] == "1,247"
        assert not page.page.locator(".plot").first.is_visible()
        page.page.locator("#requests-chart-card summary").click()
        assert page.texts("#requests-chart-card tbody tr")[0] == "14:00 29 29 2"
        page.page.get_by_label("Client").select_option("codex")
        page.page.get_by_role("button", name="Show").click()
        assert "client=codex" in page.page.url
    stand.missing = frozenset({"/static/chart.js"})
    with tab(browser, stand, allowed="Failed to load resource|Refused to execute") as page:
        assert page.texts(".figure")[0] == "1,247"
        stand.view = counting(stand.view, requests=1248)
        page.look_again()
        expect(page.page.locator(".figure").first).to_have_text("1,248")


def test_a_number_changes_by_itself_without_a_reload(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand) as page:
        page.page.evaluate("window.same = true")
        stand.view = counting(told(busy_view(), state=AppState.READY), saved=18)
        expect(page.page.locator(".is-saved .figure")).to_have_text("18")
        expect(page.page).to_have_title("Ready · O-Switcher")
        assert page.text("h1") == "Ready"
        assert page.page.evaluate("window.same")
        assert "/static/state-ready.svg" in str(page.page.locator("link[rel=icon]").get_attribute("href"))


def test_an_update_leaves_scroll_focus_and_untouched_rows_alone(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand) as page:
        page.page.locator("#requests-chart-card summary").click()
        page.page.locator("#requests-chart-card summary").focus()
        page.page.evaluate(
            """() => {
              scrollTo(0, 700);
              window.row = document.querySelectorAll('.requests tbody tr')[4];
              getSelection().selectAllChildren(window.row.querySelector('.id'));
              window.touched = [];
              new MutationObserver((all) => all.forEach((one) => touched.push(one.target.parentElement?.closest('[id]')?.id)))
                .observe(document.getElementById('page'), {subtree: true, childList: true, characterData: true, attributes: true});
            }"""
        )
        before = page.page.evaluate("getSelection().toString()")
        busy = busy_view()
        fresh = past(0, id="zzzzzzzzzzzzzz", client="newcomer")
        busier = counting(busy, requests=1248)
        stand.view = replace(busier, now=NOW + SECOND, requests=(fresh, *busy.requests[:-1]))
        page.look_again()
        expect(page.page.locator(".is-failed .figure")).to_have_text("12")
        assert page.text(".requests tbody tr").count("newcomer") == 1
        assert page.page.locator(".requests tbody tr").count() == len(busy.requests)
        assert page.page.evaluate("row.isConnected && row === document.querySelectorAll('.requests tbody tr')[5]")
        assert page.page.evaluate("getSelection().toString()") == before != ""
        assert page.page.evaluate("document.activeElement.nodeName") == "SUMMARY"
        assert page.page.evaluate("document.querySelector('#requests-chart-card details').open")
        assert page.page.evaluate("scrollY") >= 700
        assert set(page.page.evaluate("touched")) <= {
            None,
            "page",
            "as-of",
            "usage",
            "requests",
            "switches",
            "requests-chart-card",
        }


def test_the_same_view_again_touches_nothing_but_the_clock(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand) as page:
        page.page.evaluate(
            """() => { window.touched = [];
              new MutationObserver((all) => touched.push(...all.map((one) => one.target.nodeName)))
                .observe(document.getElementById('page'), {subtree: true, childList: true, characterData: true, attributes: true}); }"""
        )
        page.look_again()
        _read_again(page, stand)
        assert set(page.page.evaluate("touched")) <= {"TIME", "#text"}


def test_requests_appear_where_there_were_none(browser: Browser, stand: Stand) -> None:
    stand.view = empty_view()
    with tab(browser, stand) as page:
        stand.view = busy_view()
        page.look_again()
        expect(page.page.locator(".requests tbody tr")).to_have_count(len(stand.view.requests))
        page.until("Chart.getChart('requests-chart')?.data.labels.length === 24")
        stand.view = empty_view()
        page.look_again()
        expect(page.page.locator("canvas")).to_have_count(0)
        stand.view = busy_view()
        page.look_again()
        page.until("Chart.getChart('requests-chart')?.getDatasetMeta(0).data[10].height > 0")


def test_how_long_ago_is_told_as_the_server_tells_it(browser: Browser, stand: Stand) -> None:
    ages = (0, 30 * SECOND, 90 * SECOND, 50 * MINUTE, 90 * MINUTE, 20 * HOUR, 30 * HOUR, 900 * HOUR)
    switches = tuple(PastFailover(NOW - age, None, "a", "b", str(age), False) for age in ages)
    stand.view = replace(busy_view(), failovers=switches)
    said = Formats(ENGLISH, NOW)
    with tab(browser, stand) as page:
        told_there = page.texts(".switches time")
        assert told_there[1] in {f"{seconds} s ago" for seconds in range(30, 36)}
        assert [*told_there[:1], *told_there[2:]] == [said.ago(NOW - age) for age in (ages[0], *ages[2:])]


def test_when_the_app_has_gone_the_page_says_so_and_recovers(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand, allowed="net::ERR_") as page:
        stand.close()
        page.look_again()
        expect(page.page.locator("#banner")).to_contain_text("O-Switcher is not running")
        expect(page.page).to_have_title("Not running · O-Switcher")
        assert page.texts(".figure")[0] == "1,247"
        stand.view = counting(busy_view(), requests=1300)
        stand.open()
        page.look_again()
        expect(page.page.locator("#banner")).to_be_empty()
        expect(page.page).to_have_title("Degraded · O-Switcher")
        assert page.texts(".figure")[0] == "1,300"


def test_an_answer_that_is_no_report_leaves_the_last_one_standing(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand, allowed="Failed to load resource") as page:
        for status, body, words in (
            (401, report.signed_out(), "This page is signed out"),
            (500, '{"title": "broken"}', "could not make this page"),
            (200, "<title>Somebody else</title>", "could not make this page"),
        ):
            stand.answer = (status, body)
            page.look_again()
            expect(page.page.locator("#banner")).to_contain_text(words)
            assert page.text("h1") == "Degraded"
            stand.answer = None
            page.look_again()
            expect(page.page.locator("#banner")).to_be_empty()


def test_another_version_of_the_app_is_taken_over_by_one_reload(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand) as page:
        page.page.evaluate("window.same = true")
        newer = report.render(stand.view, local=time.gmtime).replace("report.css?v=", "report.css?v=0")
        stand.answer = (200, newer)
        with page.page.expect_navigation():
            page.look_again()
        assert page.page.evaluate("window.same === undefined")
        page.page.evaluate("window.same = true")
        stand.asked.clear()
        page.look_again()
        page.look_again()
        page.until("document.getElementById('banner').textContent === ''")
        page.page.wait_for_timeout(300)
        assert stand.asked.count("/report") >= 1
        assert page.page.evaluate("window.same")


def test_a_hidden_tab_asks_for_nothing(browser: Browser, stand: Stand) -> None:
    with tab(browser, stand) as page:
        page.page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden'})")
        page.look_again()
        page.page.wait_for_timeout(200)
        assert stand.asked.count("/report") == 1


def test_every_place_that_scrolls_or_opens_is_reached_by_keyboard_and_shows_it(browser: Browser, stand: Stand) -> None:
    reached = []
    with tab(browser, stand) as page:
        for _ in range(60):
            page.page.keyboard.press("Tab")
            reached.append(
                page.page.evaluate(
                    """() => { const one = document.activeElement, style = getComputedStyle(one);
                      return [one.nodeName, one.closest('section')?.id, style.outlineStyle + style.outlineWidth]; }"""
                )
            )
    seen = {(name, section) for name, section, _ in reached}
    assert {("SUMMARY", "usage"), ("SUMMARY", "requests-chart-card"), ("OL", "switches"), ("DIV", "requests")} <= seen
    assert {("DIV", "profiles"), ("SUMMARY", "latency-chart-card")} <= seen
    assert all(outline == "solid2px" for _, section, outline in reached if section)


def test_the_whole_page_weighs_less_than_300_kb(browser: Browser, stand: Stand) -> None:
    stand.view = crowded_view()
    with tab(browser, stand) as page:
        assert page.page.locator(".profiles tbody tr").count() == 50
        assert page.page.locator(".requests tbody tr").count() == 50
        assert stand.sent < 300_000


def test_the_page_speaks_russian(browser: Browser, stand: Stand) -> None:
    stand.locale = "ru"
    with tab(browser, stand, width=360) as page:
        assert page.text("h1") == "Работает с потерями"
        assert page.texts(".figure")[1] == "99,1 %"
        assert page.texts(".switches time")[0] == "4 мин назад"
        assert page.width() == 360


def test_a_browser_without_a_session_is_told_how_to_get_in(browser: Browser, stand: Stand) -> None:
    stand.answer = (200, report.signed_out())
    with tab(browser, stand, width=360) as page:
        assert "o-switcher report" in page.text("main")
        assert page.width() == 360


def test_one_profile_among_many_is_shown_as_serving(browser: Browser, stand: Stand) -> None:
    stand.view = _many()
    with tab(browser, stand) as page:
        assert page.texts(".profiles .standing b").count("serving") == 1


def _read_again(page: Tab, stand: Stand) -> None:
    """Wait until a reading that began has been taken over."""
    end = time.monotonic() + 5
    while stand.asked.count("/report") < 2:
        assert time.monotonic() < end
        page.page.wait_for_timeout(20)
    page.page.wait_for_timeout(200)


def _many() -> ReportView:
    return told(busy_view(), profiles=(profile("a-one", active=True), *(profile(f"a-{n}") for n in range(5))))
