"""What every face says in the same words, as tables in both languages."""

# ruff: noqa: RUF001  # Russian is written in Cyrillic letters

from __future__ import annotations

import string
from dataclasses import fields, replace
from typing import Any

import pytest

from tray_app.control import wording
from tray_app.control.views import ChoiceView, ProfileView, QuotaView, RestView
from tray_app.control.wording import ENGLISH, RUSSIAN, Wording
from tray_app.core.values import Phase, Source

NOW = 1_782_475_200_000  # 2026-06-26 12:00 UTC, in milliseconds
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
RATE = "the rate limit is reached"


def profile(**more: Any) -> ProfileView:
    known = {field.name: None for field in fields(ProfileView)}
    usual = {"id": "openrouter-a", "state": "ready", "title": "OpenRouter", "rests": ()}
    return ProfileView(**{**known, **usual, **more})


def cooling(source: str | None = "header", at: int = NOW + 38 * MINUTE, **more: Any) -> ProfileView:
    return profile(**{"state": Phase.COOLING, "reason": RATE, "resets_at": at, "reset_source": source, **more})


def quota(**more: Any) -> QuotaView:
    return replace(QuotaView("p", "key limit", 12.4, 50.0, "usd", 75.2, NOW + 5 * HOUR, "probe", NOW), **more)


@pytest.mark.parametrize(
    ("wait", "words", "russian"),
    [
        (1, "in 1 min", "через 1 мин"),
        (MINUTE, "in 1 min", "через 1 мин"),
        (MINUTE + 1, "in 2 min", "через 2 мин"),
        (119 * MINUTE, "in 119 min", "через 119 мин"),
        (120 * MINUTE, "in 2 h", "через 2 ч"),
        (5 * HOUR + 20 * MINUTE, "in 5 h", "через 5 ч"),
        (47 * HOUR, "in 47 h", "через 47 ч"),
        (48 * HOUR, "in 2 d", "через 2 д"),
        (12 * DAY, "in 12 d", "через 12 д"),
    ],
)
def test_a_time_to_come_is_told_as_a_wait(wait: int, words: str, russian: str) -> None:
    assert wording.in_time(NOW + wait, NOW) == words
    assert wording.in_time(NOW + wait, NOW, RUSSIAN) == russian


@pytest.mark.parametrize("wait", [1, 999, MINUTE, MINUTE + 1, 38 * MINUTE + 5 * SECOND, 2 * HOUR, 5 * HOUR, 3 * DAY])
def test_a_wait_is_told_anew_no_later_than_it_changes(wait: int) -> None:
    at, until = NOW + wait, wording.changes_at(NOW + wait, NOW)
    assert NOW < until <= NOW + 30 * MINUTE
    if wait <= 2 * HOUR:
        assert wording.in_time(at, NOW) == wording.in_time(at, until - 1)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        pytest.param(profile(), None, id="all is well"),
        pytest.param(cooling(), f"back in 38 min ({RATE}, stated by OpenRouter)", id="by a header"),
        pytest.param(cooling("body"), f"back in 38 min ({RATE}, stated by OpenRouter)", id="by the body"),
        pytest.param(cooling("probe"), f"back in 38 min ({RATE}, found by asking)", id="asked for"),
        pytest.param(cooling("inferred"), f"back in 38 min ({RATE}, assumed)", id="assumed"),
        pytest.param(cooling(None), f"back in 38 min ({RATE})", id="from nowhere"),
        pytest.param(cooling(reason=None), "back in 38 min (stated by OpenRouter)", id="for no reason"),
        pytest.param(cooling(None, reason=None), "back in 38 min", id="nothing but a time"),
        pytest.param(cooling(at=NOW - 1), RATE, id="a time that is over"),
        pytest.param(profile(state=Phase.REAUTH, reason="the key is refused"), "the key is refused", id="no time"),
        pytest.param(
            profile(state=Phase.PAUSED, reason="paused by the operator", resets_at=NOW + 2 * HOUR),
            "by the operator, back in 2 h",
            id="a pause that ends",
        ),
        pytest.param(
            profile(state=Phase.DISABLED, reason="disabled by the operator"), "by the operator", id="switched off"
        ),
        pytest.param(
            profile(state=Phase.DISABLED, reason="switched off in the settings"),
            "switched off in the settings",
            id="by the settings",
        ),
        pytest.param(
            profile(state=Phase.OPEN, reason="60% of its latest calls failed", resets_at=NOW + 25 * SECOND),
            "tried again in 1 min (60% of its latest calls failed)",
            id="an open circuit",
        ),
        pytest.param(
            profile(
                reason="of no account here",
                rests=(
                    RestView("key_model", "m", RATE, NOW + MINUTE, "body"),
                    RestView("account_free_models", None, "spent", NOW + 9 * HOUR, "inferred"),
                ),
            ),
            f"m back in 1 min ({RATE}, stated by OpenRouter); free models back in 9 h (spent, assumed)",
            id="single models",
        ),
    ],
)
def test_a_rest_says_when_why_and_where_it_is_known_from(one: ProfileView, words: str | None) -> None:
    assert wording.rest_words(one, NOW) == words


def test_a_rest_in_russian() -> None:
    assert wording.rest_words(cooling(), NOW, RUSSIAN) == f"вернётся через 38 мин ({RATE}, сообщил OpenRouter)"
    paused = profile(state=Phase.PAUSED, reason="paused by the operator", resets_at=NOW + 2 * HOUR)
    assert wording.rest_words(paused, NOW, RUSSIAN) == "вами, вернётся через 2 ч"


def test_what_others_wrote_is_marked_in_the_pieces() -> None:
    one = profile(rests=(RestView("model", "m", "spent", NOW + MINUTE, "body"),))
    assert [text for text, by_others in wording.rest(one, NOW) if by_others] == ["m", "spent"]
    assert [text for text, by_others in wording.rest(cooling(), NOW) if by_others] == [RATE]


def test_a_rest_reads_on_from_the_faces_word_for_the_state() -> None:
    def said(one: ProfileView) -> str:
        return "X" + "".join(text for text, _ in wording.standing(one, NOW))

    assert said(profile()) == "X"
    assert said(cooling()).startswith("X, back in")
    assert said(profile(state=Phase.PAUSED, reason="paused by the operator")) == "X by the operator"


def test_the_first_who_is_back_is_found_among_those_that_wait() -> None:
    late, soon = cooling(at=NOW + HOUR), replace(cooling(at=NOW + MINUTE), id="soon")
    paused = profile(state=Phase.PAUSED, resets_at=NOW + 1)
    assert wording.first_back([late, paused, soon, cooling(at=NOW - 1)], NOW) is soon
    assert wording.first_back([paused], NOW) is None
    assert wording.back_words(soon, NOW) == "back in 1 min"


@pytest.mark.parametrize(
    ("one", "words", "russian"),
    [
        (
            quota(),
            "key limit: 12.40 of 50 USD left, resets in 5 h",
            "key limit: осталось 12,40 из 50 USD, сброс через 5 ч",
        ),
        (quota(limit=None, resets_at=None), "key limit: 12.40 USD left", "key limit: осталось 12,40 USD"),
        (quota(remaining=None), "key limit: unlimited", "key limit: без ограничения"),
        (
            quota(resets_at=NOW),
            "key limit: began anew, not asked since",
            "key limit: начат заново, с тех пор не спрошено",
        ),
        (
            quota(name="weekly window", remaining=41.6, limit=100.0, unit="percent", resets_at=None),
            "weekly window: 42% left",
            "weekly window: осталось 42\u00a0%",
        ),
        (
            quota(remaining=149_984.0, limit=1e6, unit="tokens", resets_at=None),
            "key limit: 149,984 of 1,000,000 tokens left",
            "key limit: осталось 149\u00a0984 из 1\u00a0000\u00a0000 токенов",
        ),
        (quota(remaining=-3.0, resets_at=None), "key limit: -3 of 50 USD left", "key limit: осталось -3 из 50 USD"),
    ],
)
def test_what_is_left_of_a_quota(one: QuotaView, words: str, russian: str) -> None:
    assert wording.quota_words(one, NOW) == words
    assert wording.quota_words(one, NOW, RUSSIAN) == russian


@pytest.mark.parametrize(
    ("pinned", "strict", "until", "words"),
    [
        (True, False, NOW + 38 * MINUTE, "pinned until it ends in 38 min"),
        (True, False, None, "pinned until unpinned"),
        (False, False, None, "preferred"),
        (False, True, None, "preferred, strictly: nobody else may serve"),
        (False, False, NOW + DAY, "preferred until it ends in 24 h"),
    ],
)
def test_what_the_operator_chose(pinned: bool, strict: bool, until: int | None, words: str) -> None:
    assert wording.choice_words(ChoiceView("p", pinned, strict, until, ""), NOW) == words


@pytest.mark.parametrize("name", [field.name for field in fields(Wording)])
def test_both_languages_leave_the_same_places_to_fill_in(name: str) -> None:
    assert _places(getattr(ENGLISH, name)) == _places(getattr(RUSSIAN, name))


def _places(text: Any) -> set[str]:
    return {place for _, place, _, _ in string.Formatter().parse(text) if place} if isinstance(text, str) else set()


def test_every_source_is_told() -> None:
    assert len({wording.rest_words(cooling(source), NOW) for source in Source}) == 3
