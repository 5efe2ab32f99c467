"""A file that is one value, its whole text, set at the empty path: what is made by us or is not there.

Answers the same questions as the formats that edit within a text.
"""

from __future__ import annotations

from collections.abc import Sequence

from tray_app.agents.unfit import MISSING

NAME = "text"


def value_at(text: str, path: Sequence[str]) -> object:
    """The text; MISSING where there is none."""
    return text or MISSING


def raw_at(text: str, path: Sequence[str]) -> str | None:
    """The text; None where there is none."""
    return text or None


def with_value(text: str, path: Sequence[str], value: object) -> str:
    """The new text."""
    return str(value)


def with_raw(text: str, path: Sequence[str], raw: str) -> str:
    """The new text."""
    return raw


def without(text: str, path: Sequence[str]) -> str:
    """Nothing."""
    return ""


def is_empty(text: str) -> bool:
    """Whether there is no text."""
    return not text
