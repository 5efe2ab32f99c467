"""The tables of words, and how one is chosen."""

from __future__ import annotations

import string
from dataclasses import fields
from typing import Any

import pytest

from tray_app.control.views import AppState
from tray_app.core.values import Phase
from tray_app.faces.tray.language import choose, wanted
from tray_app.faces.tray.texts import ENGLISH, RUSSIAN, Texts


@pytest.mark.parametrize(
    ("languages", "texts"),
    [
        ([], ENGLISH),
        (["C"], ENGLISH),
        (["en_GB.UTF-8", "ru_RU"], ENGLISH),
        (["ru_RU.UTF-8"], RUSSIAN),
        (["ru-RU"], RUSSIAN),
        (["de_DE.UTF-8", "ru_RU.UTF-8"], RUSSIAN),
        (["de_DE.UTF-8"], ENGLISH),
        (["run_BI"], ENGLISH),
    ],
)
def test_the_first_language_with_a_table_is_taken(languages: list[str], texts: Texts) -> None:
    assert choose(languages) is texts


@pytest.mark.parametrize(
    ("environ", "languages"),
    [
        ({}, []),
        ({"LANG": "ru_RU.UTF-8"}, ["ru_RU.UTF-8"]),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "en_US.UTF-8"}, ["en_US.UTF-8"]),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "ru:en"}, ["ru", "en", "de_DE.UTF-8"]),
        ({"LC_ALL": "C", "LANGUAGE": "ru"}, ["C"]),
    ],
)
def test_the_environment_says_which_languages_are_wanted(environ: dict[str, str], languages: list[str]) -> None:
    assert wanted(environ) == languages


def test_each_table_has_a_word_for_every_phase_and_state() -> None:
    for texts in (ENGLISH, RUSSIAN):
        assert set(texts.wording.phases) == set(Phase)
    assert RUSSIAN.headlines is not None
    assert set(RUSSIAN.headlines) == set(AppState)


@pytest.mark.parametrize("name", [field.name for field in fields(Texts) if field.name not in ("headlines", "wording")])
def test_both_tables_leave_the_same_places_to_fill_in(name: str) -> None:
    assert _places(getattr(ENGLISH, name)) == _places(getattr(RUSSIAN, name))


def _places(text: Any) -> set[str]:
    sentences = [text] if isinstance(text, str) else []
    return {place for one in sentences for _, place, _, _ in string.Formatter().parse(one) if place}
