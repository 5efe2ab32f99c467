"""The answers of the history: plain frozen values, so that a face can hold them across threads."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass

import pytest

from tray_app.core import history

ANSWERS = [noun for noun in vars(history).values() if inspect.isclass(noun) and is_dataclass(noun)]
PRIVATE = ("body", "prompt", "answer", "secret", "token", "headers")


@pytest.mark.parametrize("noun", [pytest.param(noun, id=f"{noun.__name__} is frozen and slotted") for noun in ANSWERS])
def test_every_answer_is_frozen(noun: type) -> None:
    assert noun.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(noun)


@pytest.mark.parametrize("noun", [pytest.param(noun, id=f"{noun.__name__} holds nothing private") for noun in ANSWERS])
def test_no_answer_has_a_place_for_what_users_wrote(noun: type) -> None:
    assert not [field.name for field in fields(noun) if field.name in PRIVATE]
