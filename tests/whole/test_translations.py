"""The Russian pages say what the English ones do: the same headings, tables, commands, blocks of code and links."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "tray_app" / "docs"
# For those who write programs and for those who build this one, whose language is English throughout.
ENGLISH_ONLY = {"api", "changelog", "contributing", "releasing"}
USERS = sorted(path.stem for path in DOCS.glob("*.md") if path.stem not in ENGLISH_ONLY)
PAIRS = {name: (DOCS / f"{name}.md", DOCS / "ru" / f"{name}.md") for name in USERS}
PAIRS["README"] = (ROOT / "README.md", DOCS / "ru" / "README.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LANGUAGES_LINE = re.compile(r"^.*(?:English · \[Русский|\[English\]\().*$", re.MULTILINE)


def texts(name: str) -> tuple[str, str]:
    english, russian = (LANGUAGES_LINE.sub("", path.read_text()) for path in PAIRS[name])
    return english, russian


def blocks(text: str) -> list[tuple[str, str]]:
    """Blocks of code without their comments, which are for people."""
    return [(kind, re.sub(r"[ \t]+#.*$", "", code, flags=re.MULTILINE)) for kind, code in FENCE.findall(text)]


def prose(text: str) -> str:
    return FENCE.sub("", text)


def code_in(text: str) -> Counter[str]:
    return Counter(" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose(text)))


def links(text: str) -> Counter[str]:
    found = re.findall(r"\]\(([^)#]*)[^)]*\)", prose(text))
    return Counter(PurePosixPath(one).name for one in found)


def test_every_page_for_users_is_there_in_russian_and_no_other() -> None:
    assert {path.stem for path in (DOCS / "ru").glob("*.md")} == set(PAIRS)


@pytest.mark.parametrize("name", PAIRS)
def test_headings_stand_where_they_do_in_english(name: str) -> None:
    english, russian = (
        [len(mark) for mark in re.findall(r"^(#+) ", prose(text), re.MULTILINE)] for text in texts(name)
    )
    assert russian == english


@pytest.mark.parametrize("name", PAIRS)
def test_blocks_of_code_are_the_same(name: str) -> None:
    english, russian = texts(name)
    assert blocks(russian) == blocks(english)


@pytest.mark.parametrize("name", PAIRS)
def test_commands_names_and_values_are_the_same(name: str) -> None:
    english, russian = map(code_in, texts(name))
    assert sorted((english - russian).elements()) == []
    assert sorted((russian - english).elements()) == []


@pytest.mark.parametrize("name", PAIRS)
def test_tables_lists_and_paragraphs_are_as_many(name: str) -> None:
    def shape(text: str) -> list[str]:
        parts = [part for part in re.split(r"\n\s*\n", prose(text)) if part.strip()]
        kinds = []
        for part in parts:
            rows = sum(line.startswith("|") for line in part.splitlines())
            items = len(re.findall(r"^- ", part, re.MULTILINE))
            kinds.append(f"table of {rows}" if rows else f"list of {items}" if items else "text")
        return kinds

    english, russian = texts(name)
    assert shape(russian) == shape(english)


@pytest.mark.parametrize("name", PAIRS)
def test_links_lead_to_the_same_pages(name: str) -> None:
    english, russian = map(links, texts(name))
    assert russian == english


@pytest.mark.parametrize("name", PAIRS)
def test_nothing_is_left_in_english(name: str) -> None:
    _, russian = texts(name)
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)|<[^>]*>|«[^»]*»", " ", prose(russian))
    for line in plain.splitlines():
        foreign = re.findall(r"(?:\b[A-Za-z]{3,}\b[ ,]+){5,}", line)
        assert not foreign, foreign
