"""The nouns: frozen, without a place for a secret, and labelled apart."""

from __future__ import annotations

import inspect
from dataclasses import fields
from enum import StrEnum

import msgspec
import pytest

from tests.core.build import profile, rest
from tray_app.core import history, values
from tray_app.core.values import Profile, Scope

NOUNS = [
    noun
    for noun in vars(values).values()
    if inspect.isclass(noun) and issubclass(noun, msgspec.Struct) and noun is not msgspec.Struct
]
CLOSED_SETS = [
    noun
    for noun in vars(values).values()
    if inspect.isclass(noun) and issubclass(noun, StrEnum) and noun is not StrEnum
]


@pytest.mark.parametrize("noun", [pytest.param(noun, id=f"{noun.__name__} is frozen") for noun in NOUNS])
def test_every_noun_is_frozen(noun: type) -> None:
    assert noun.__struct_config__.frozen  # type: ignore[attr-defined]


def test_a_profile_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        profile("main").label = "other"  # type: ignore[misc]


def test_a_profile_has_no_place_for_a_secret() -> None:
    assert not set(Profile.__struct_fields__) & {"key", "secret", "token", "api_key", "password"}


@pytest.mark.parametrize(
    "closed_set", [pytest.param(noun, id=f"the labels of {noun.__name__} differ") for noun in CLOSED_SETS]
)
def test_labels_are_told_apart(closed_set: type[StrEnum]) -> None:
    assert len({label.value for label in closed_set}) == len(closed_set.__members__)


def test_a_cooldown_is_known_by_whom_what_and_which_model_it_rests() -> None:
    short, long = rest("main", 1, Scope.MODEL, "a"), rest("main", 9, Scope.MODEL, "a")
    assert short.key == long.key == ("main", Scope.MODEL, "a")
    assert len({short.key, rest("main", 1, Scope.MODEL, "b").key, rest("main", 1).key, rest("spare", 1).key}) == 4


def test_the_history_tells_a_request_in_the_words_in_which_it_was_recorded() -> None:
    recorded = {name for noun in (values.RequestStarted, values.RequestEnded) for name in noun.__struct_fields__}
    usage = set(values.Spent.__struct_fields__) - {"usage"}
    assert {field.name for field in fields(history.PastRequest)} == recorded | usage


def test_the_history_tells_an_attempt_in_the_words_in_which_it_was_recorded() -> None:
    recorded = {name for noun in (values.AttemptStarted, values.AttemptEnded) for name in noun.__struct_fields__}
    told = {field.name for field in fields(history.PastAttempt)}
    usage = set(values.Spent.__struct_fields__) - {"usage"}
    assert told == recorded - {"request_id", "said", "spent"} | usage
