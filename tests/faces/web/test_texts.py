"""The sentences of all pages: each language says the same things, with the same places to fill in."""

from __future__ import annotations

import importlib
import pkgutil
import string
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import pytest

from tray_app.faces import web
from tray_app.faces.web import pages, shell_texts

MODULES = sorted(one.name for one in pkgutil.iter_modules(web.__path__) if one.name.endswith("_texts"))
TABLES: dict[str, Mapping[str, Any]] = {
    name: importlib.import_module(f"{web.__name__}.{name}").LANGUAGES for name in MODULES
}


def sentences(said: object, path: str) -> Iterator[tuple[str, str]]:
    """Every sentence in a table, with the way to it."""
    if isinstance(said, str):
        yield path, said
    elif isinstance(said, Mapping):
        for key, value in said.items():
            yield from sentences(value, f"{path}.{key}")


def told(table: object) -> dict[str, str]:
    values = {field.name: getattr(table, field.name) for field in fields(table)}  # type: ignore[arg-type]
    return dict(sentences(values, ""))


def places(text: str) -> set[str]:
    return {place for _, place, _, _ in string.Formatter().parse(text) if place}


@pytest.mark.parametrize("name", MODULES)
def test_every_language_has_every_sentence_with_the_same_places_to_fill_in(name: str) -> None:
    english = told(TABLES[name]["en"])
    assert set(TABLES[name]) == set(shell_texts.LANGUAGES)
    for language, table in TABLES[name].items():
        assert table.lang == language
        other = told(table)
        assert other.keys() == english.keys()
        assert {key: places(text) for key, text in other.items()} == {
            key: places(text) for key, text in english.items()
        }
        assert not [key for key, text in other.items() if not text]


@pytest.mark.parametrize("language", shell_texts.LANGUAGES)
def test_every_page_has_its_name_in_the_navigation(language: str) -> None:
    assert {page.name for page in pages.PAGES} <= set(shell_texts.LANGUAGES[language].pages)
    assert len({page.name for page in pages.PAGES}) == len({page.address for page in pages.PAGES}) == len(pages.PAGES)
