"""Figures and states in words, as tables."""

# ruff: noqa: RUF001  # the page writes an en dash for nothing, and Russian in Cyrillic letters

from __future__ import annotations

import time

import pytest

from tests.faces.web.report_harness import HOUR, MINUTE, NOW, SECOND, left, profile
from tray_app.control.views import AppState, ChoiceView, ProfileView
from tray_app.core.values import Outcome, Phase
from tray_app.faces.web.report_formats import Formats
from tray_app.faces.web.shell_texts import ENGLISH, RUSSIAN, ShellWords, words_for

DAY = 24 * HOUR
SAID = Formats(ENGLISH, NOW, time.gmtime)


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "–"), (0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (10**12, "1,000,000,000,000")],
)
def test_a_count_is_grouped_by_thousands(number: int | None, text: str) -> None:
    assert SAID.count(number) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "–"),
        (0, 7, "0%"),
        (7, 7, "100%"),
        (1, 2, "50%"),
        (2, 3, "66.6%"),
        (9997, 10_000, "99.9%"),
        (99_999, 100_000, "99.9%"),
        (1, 100_000, "<0.1%"),
        (8, 7, "100%"),
    ],
)
def test_a_share_is_never_rounded_up_to_all_or_down_to_nothing(part: int, whole: int, text: str) -> None:
    assert SAID.percent(part, whole) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (1240, "1.2 s"),
        (9949, "9.9 s"),
        (9950, "10 s"),
        (42_400, "42 s"),
        (59_499, "59 s"),
        (59_500, "1 min"),
        (192_000, "3 min 12 s"),
        (3_599_499, "59 min 59 s"),
        (3_599_500, "1 h"),
        (2 * HOUR + 5 * MINUTE, "2 h 5 min"),
        (2 * HOUR + 59 * SECOND, "2 h"),
        (3 * DAY + 4 * HOUR, "3 d 4 h"),
    ],
)
def test_a_duration_is_told_in_the_two_units_that_matter(ms: int | None, text: str) -> None:
    assert SAID.duration(ms) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1234, "1.2 kB"),
        (9999, "10 kB"),
        (48_200, "48 kB"),
        (999_499, "999 kB"),
        (999_950, "1 MB"),
        (4_000_000_000, "4 GB"),
        (10**15, "1,000 TB"),
    ],
)
def test_a_size_is_told_by_thousands(octets: int | None, text: str) -> None:
    assert SAID.size(octets) == text


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (-HOUR, "just now"),
        (0, "just now"),
        (4999, "just now"),
        (5000, "5 s ago"),
        (59_999, "59 s ago"),
        (MINUTE, "1 min ago"),
        (HOUR - 1, "59 min ago"),
        (HOUR, "1 h ago"),
        (DAY - 1, "23 h ago"),
        (DAY, "1 d ago"),
        (400 * DAY, "400 d ago"),
    ],
)
def test_how_long_ago_is_told_in_one_unit(before: int, text: str) -> None:
    assert SAID.ago(NOW - before) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW, "14:05:12"),
        (NOW - 14 * HOUR, "00:05:12"),
        (NOW - 15 * HOUR, "25 Jun 23:05:12"),
        (NOW + 365 * DAY, "26 Jun 2027 14:05:12"),
        (10**21, "–"),
    ],
)
def test_a_time_names_its_day_where_that_is_not_today(at: int, text: str) -> None:
    assert SAID.clock(at, seconds=True) == text


def test_times_are_told_by_the_clock_of_this_machine() -> None:
    east = Formats(ENGLISH, NOW, lambda seconds: time.gmtime(seconds + 19_800))
    assert east.clock(NOW) == "19:35"
    assert east.hour(NOW - 14 * HOUR - 5 * MINUTE - 12 * SECOND) == "05:30"
    assert east.clock(NOW - 20 * HOUR) == "25 Jun 23:35"


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (profile("a-b"), "ready"),
        (profile("a-b", active=True), "serving"),
        (profile("a-b", state="some day", active=True), "some day"),
        (
            profile(
                "openrouter-b", state=Phase.COOLING, reason="spent", resets_at=NOW + 90 * MINUTE, reset_source="body"
            ),
            "cooling, back in 90 min (spent, stated by OpenRouter)",
        ),
        (
            profile("a-b", state=Phase.PAUSED, reason="paused by the operator", resets_at=NOW + 20 * HOUR),
            "paused by the operator, back in 20 h",
        ),
        (profile("a-b", state=Phase.OPEN, resets_at=NOW + 30 * SECOND), "circuit open, tried again in 1 min"),
        (profile("a-b", state=Phase.PROBING, reason="50% failed"), "probing, 50% failed"),
    ],
)
def test_a_profiles_state_is_told_in_the_words_of_every_face(one: ProfileView, text: str) -> None:
    assert SAID.phase(one) + "".join(piece for piece, _ in SAID.standing(one)) == text


def test_what_others_wrote_is_kept_apart() -> None:
    one = profile("a-b", state=Phase.COOLING, reason="spent", resets_at=NOW + HOUR)
    assert [text for text, by_others in SAID.standing(one) if by_others] == ["spent"]


def test_what_is_left_and_what_was_chosen_is_told_in_both_languages() -> None:
    choice = ChoiceView("a-b", True, True, NOW + 38 * MINUTE, "")
    russian = Formats(RUSSIAN, NOW, time.gmtime)
    assert SAID.left(left("a-b")) == "key limit: 12.40 of 50 USD left, resets in 5 d"
    assert russian.left(left("a-b")) == "key limit: осталось 12,40 из 50 USD, сброс через 5 д"
    assert SAID.choice(choice) == "a-b is pinned until it ends in 38 min, strictly: nobody else may serve"
    assert russian.choice(choice) == "a-b закреплён, срок кончится через 38 мин, строго: больше никто не отвечает"


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en", ENGLISH), ("ru", RUSSIAN), ("ru-RU", RUSSIAN), ("ru_RU.UTF-8", RUSSIAN), ("de", ENGLISH), ("", ENGLISH)],
)
def test_a_locale_chooses_its_words_and_english_stands_in(locale: str, words: ShellWords) -> None:
    assert words_for(locale) is words


@pytest.mark.parametrize("words", [ENGLISH, RUSSIAN], ids=lambda words: words.lang)
def test_every_state_and_outcome_has_its_words(words: ShellWords) -> None:
    assert set(words.states) == set(AppState)
    assert set(words.wording.phases) == set(Phase)
    assert set(words.outcomes) == set(Outcome)


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "–"),
        (0, "$0.00"),
        (0.00001, "<$0.0001"),
        (0.0042, "$0.0042"),
        (0.04, "$0.04"),
        (0.4203, "$0.4203"),
        (0.42, "$0.42"),
        (12.345, "$12.35"),
        (999.5, "$999.50"),
        (1234.5, "$1,234"),
        (9_876_543.2, "$9,876,543"),
    ],
)
def test_money_is_told_as_far_as_it_matters_and_unknown_is_no_zero(usd: float | None, text: str) -> None:
    assert SAID.money(usd) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "–"), (0, "0"), (950, "950"), (999, "999"), (1000, "1k"), (12_345, "12.3k"), (99_950, "100k"),
     (146_603_340, "147M"), (7_882_145_219, "7.9B"), (999_600, "1M"), (10**15, "1,000T")],
)  # fmt: skip
def test_a_large_number_is_told_in_few_figures(number: int | None, text: str) -> None:
    assert SAID.rough(number) == text


@pytest.mark.parametrize(
    ("at", "text"), [(NOW, "26 Jun"), (NOW - 400 * DAY, "22 May 2025"), (10**24, "–")], ids=["now", "then", "never"]
)
def test_a_day_names_its_year_where_that_is_not_this_one(at: int, text: str) -> None:
    assert SAID.day(at) == text


def test_figures_follow_the_language() -> None:
    said = Formats(RUSSIAN, NOW, time.gmtime)
    assert said.count(1_234_567) == "1\u00a0234\u00a0567"
    assert said.percent(984, 1000) == "98,4 %"
    assert said.money(1234.5) == "1\u00a0234\u00a0$"
    assert said.money(0.00001) == "<0,0001\u00a0$"
    assert said.rough(12_345) == "12,3\u00a0тыс."
    assert said.duration(192_000) == "3 мин 12 с"
    assert said.clock(NOW + DAY) == "27 июн 14:05"
