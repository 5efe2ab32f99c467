"""The page as text: what it is made of, without a browser."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.faces.web.report_harness import (
    SCRIPT,
    busy_view,
    crowded_view,
    empty_view,
    hostile_view,
    past,
    profile,
    shell_in,
    told,
)
from tray_app.control.views import AppState, ChoiceView, ReportView
from tray_app.core.values import Phase
from tray_app.faces.web import report
from tray_app.faces.web.pages import PAGES

VIEWS = {"busy": busy_view, "crowded": crowded_view, "empty": empty_view, "hostile": hostile_view}


class Elements(HTMLParser):
    """Every element of a page, with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize("locale", ["en", "ru"])
@pytest.mark.parametrize("name", VIEWS)
def test_a_page_needs_no_inline_script_style_or_foreign_address(name: str, locale: str) -> None:
    seen = Elements(report.render(VIEWS[name](), shell_in(locale))).seen
    seen += Elements(report.signed_out(locale=locale)).seen
    assert len(seen) > 100
    for tag, attributes in seen:
        assert tag != "style"
        assert not [one for one in attributes if one == "style" or one.startswith("on")]
        assert tag != "script" or "src" in attributes or attributes["type"] == "application/json"
        for value in (attributes.get("src"), attributes.get("href")):
            assert value is None or value.startswith(("/static/", "#", *(page.address for page in PAGES)))


@pytest.mark.parametrize("name", VIEWS)
def test_every_file_that_a_page_names_is_served(name: str) -> None:
    page = report.render(VIEWS[name]())
    names = set(re.findall(r'"/static/([^"?]+)\?v=[0-9a-f]{12}"', page))
    assert names >= {"report.css", "report.js", "chart.js"}
    assert all(report.static_file(one) for one in names)


@pytest.mark.parametrize("state", AppState)
def test_every_state_of_the_app_has_its_own_icon_and_word(state: AppState) -> None:
    page = report.render(told(empty_view(), state=state))
    others = [report.static_file(f"state-{other}.svg") for other in AppState if other is not state]
    icon = report.static_file(f"state-{state}.svg")
    assert f"/static/state-{state.value}.svg" in page
    assert icon is not None
    assert icon[1] == "image/svg+xml"
    assert icon not in others


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../report.py",
        "..%2freport.py",
        "/etc/passwd",
        "report.html",
        "chartkick.js",
        "REPORT.CSS",
        "a\0b",
        "static/report.css",
        "./report.css",
        "report.css/",
        "state-.svg",
        "Chart.bundle.js",
    ],
)
def test_no_other_file_is_served(name: str) -> None:
    assert report.static_file(name) is None


def test_chart_js_comes_from_the_installed_wheel() -> None:
    found = report.static_file("chart.js")
    assert found is not None
    assert b"Chart.js v4" in found[0][:200]
    assert found[1].startswith("text/javascript")


def test_a_state_or_outcome_that_is_not_known_yet_is_shown_as_it_comes() -> None:
    view = told(busy_view(), profiles=(profile("openrouter-main", state="circuit open"),))
    page = report.render(replace(view, requests=(past(1, outcome="stitched"),)))
    assert "circuit open" in page
    assert "stitched" in page


def test_half_a_surrogate_pair_does_not_break_the_page() -> None:
    page = report.render(replace(busy_view(), requests=(past(1, model="half \ud83d of a face"),)))
    assert "half ? of a face" in page
    page.encode()


def test_what_others_wrote_is_escaped_everywhere() -> None:
    page = report.render(hostile_view())
    assert SCRIPT not in page
    assert "<script>alert" not in page
    assert "<img src=//" not in page


def test_the_example_address_is_one_that_can_serve() -> None:
    def example(view: ReportView) -> str:
        found = re.search(r"<code>(http[^<]+/v1)</code>", report.render(view))
        return found.group(1) if found else ""

    view = empty_view(url="http://127.0.0.1:9999")
    assert example(view) == "http://127.0.0.1:9999/openrouter/v1"
    assert example(told(view, profiles=(profile("groq-main"),))) == "http://127.0.0.1:9999/groq/v1"


def test_the_page_without_a_session_says_how_to_get_one() -> None:
    page = report.signed_out()
    assert "in the tray" in page
    assert "o-switcher report" in page


def test_a_page_is_made_in_a_moment() -> None:
    view = crowded_view()
    report.render(view)
    began = time.thread_time()
    report.render(view)
    assert time.thread_time() - began < 0.5


def test_a_preference_a_pin_and_a_strict_one_are_told_apart() -> None:
    def badge(**more: bool) -> str:
        one = profile("openrouter-main", preferred=True, pinned=more["pinned"])
        choice = ChoiceView("openrouter-main", more["pinned"], more["strict"], None, "")
        page = report.render(told(empty_view(), profiles=(one,), choice=choice))
        return re.sub(r"<svg.*?</svg>", "", re.findall(r'<span class="badge(?: is-pinned)?">(.*?)</span>', page)[0])

    assert badge(pinned=False, strict=False) == "preferred"
    assert badge(pinned=True, strict=False) == "pinned"
    assert badge(pinned=True, strict=True) == "pinned, strict"


def test_requests_that_wait_for_a_place_are_told_where_there_are_any() -> None:
    assert "Waiting for a place" not in report.render(busy_view())
    assert "<dt>Waiting for a place</dt><dd>3</dd>" in report.render(told(busy_view(), waiting=3))


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_an_outline_of_its_own(phase: Phase) -> None:
    page = report.render(told(empty_view(), profiles=(profile("openrouter-main", state=phase.value),)))
    (shape,) = re.findall(r'class="shape is-([a-z]+)" aria-hidden="true"><use', page)
    assert f'<symbol id="{shape}"' in page
    assert f".is-{shape}" in (report.static_file("report.css") or (b"", ""))[0].decode()
