"""Events in sentences: every kind that the history holds, in both languages."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import fields

import pytest

from tray_app.control import happening
from tray_app.control.happening import ENGLISH, RUSSIAN, sentence
from tray_app.control.verbs import VERBS
from tray_app.core.history import QUOTA_KINDS, PastEvent

CHANGES = [name for name, verb in VERBS.items() if not verb.reads]


def event(group: str, kind: str = "", **more: object) -> PastEvent:
    return PastEvent("1-f-1", 1, group, kind, **more)  # type: ignore[arg-type]


def quota(kind: str, **more: object) -> PastEvent:
    return event("quota", kind, profile="or-main", **more)


def deed(verb: str, **more: object) -> PastEvent:
    return event("operator", "operator", verb=verb, **more)


CASES = [
    (event("failover", profile="b", from_profile="a", reason="a limit"), "Switched from a to b: a limit"),
    (event("failover", profile="b", manual=False, reason="x"), "Switched from nobody to b: x"),
    (event("failover", profile="b", from_profile="a", manual=True, reason="x"), "b was chosen instead of a: x"),
    (
        quota("cooldown", until_at=5, source="header", reason="x"),
        "or-main rests until at 5 (stated by the provider): x",
    ),
    (
        quota("exhausted", until_at=5, source="body"),
        "or-main has used up its quota, resets at 5 (stated by the provider)",
    ),
    (quota("exhausted", until_at=5, source="inferred"), "or-main has used up its quota, resets at 5 (assumed)"),
    (
        quota("warned", remaining=2.5, limit_value=50.0, unit="usd", source="probe", reason="95 % are used"),
        "or-main has little left, 2.50 of 50 USD left (found by asking): 95 % are used",
    ),
    (quota("probe", remaining=3.0, unit="requests", source="odd"), "or-main was asked what is left, 3 requests left"),
    (quota("reset", source="inferred", reason="its time is over"), "or-main can be used again: its time is over"),
    (quota("reauth", source="body", reason="x"), "or-main needs another key: x"),
    (quota("unheard-of", source="body"), "or-main: unheard-of"),
    (deed("pause", profile="a", actor="tray", reason="for 2 h"), "a was paused (in the tray): for 2 h"),
    (deed("pause-all", actor="cli"), "Everything was paused (in a terminal)"),
    (deed("retry-now", actor="api"), "retry-now (over the API)"),
    (deed("connect", actor="cli", reason="codex"), "A client was connected (in a terminal): codex"),
    (deed("odd", profile="a", actor="robot"), "odd: a (robot)"),
    (deed("odd"), "odd"),
    (
        deed("circuit-open", profile="a", actor="app", reason="5 calls failed"),
        "a failed too often: its circuit opened: 5 calls failed",
    ),
]


@pytest.mark.parametrize(("what", "words"), CASES, ids=[words for _, words in CASES])
def test_each_event_is_a_sentence(what: PastEvent, words: str) -> None:
    assert sentence(what, lambda at: f"at {at}") == words


@pytest.mark.parametrize("language", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
def test_every_kind_has_words(language: happening.Words) -> None:
    assert set(language.quotas) == set(QUOTA_KINDS)
    assert set(language.verbs) <= set(CHANGES)
    for what, _ in CASES:
        assert sentence(what, str, language)


def test_both_languages_fill_in_the_same() -> None:
    for field in fields(happening.Words):
        english, russian = getattr(ENGLISH, field.name), getattr(RUSSIAN, field.name)
        if isinstance(english, str):
            assert places(english) == places(russian), field.name
        elif isinstance(english, Mapping):
            assert {key: places(text) for key, text in english.items()} == {
                key: places(text) for key, text in russian.items()
            }


def places(text: str) -> set[str]:
    return {place for _, place, _, _ in string.Formatter().parse(text) if place}
