"""One value set in a TOML text, or taken out, with all else left as it is; `core.toml_text` knows the ways."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from tray_app.agents.unfit import MISSING, Unfit
from tray_app.core.toml_text import edits, removals, source_of

_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def value_at(text: str, path: Sequence[str]) -> object:
    """What stands at `path`, or MISSING.

    Raises:
        Unfit: the text is no TOML.
    """
    found: object = _document(text)
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return MISSING
        found = found[name]
    return found


def raw_at(text: str, path: Sequence[str]) -> str | None:
    """The source of the value at `path`, or None."""
    return None if value_at(text, path) is MISSING else source_of(text, path)


def with_value(text: str, path: Sequence[str], value: object) -> str:
    """`text` with `value`, which is a text, at `path`; tables on the way are made where they are missing.

    Raises:
        Unfit: the text is no TOML, or something else than a table is in the way.
    """
    return with_raw(text, path, json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f"))


def with_raw(text: str, path: Sequence[str], raw: str) -> str:
    """The same with the source of a value."""
    document = _document(text)
    table: Any = document
    for place, name in enumerate(path[:-1]):
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise Unfit(f"{'.'.join(path[: place + 1])} is no table, so {path[place + 1]} cannot be set in it")
    table[path[-1]] = tomllib.loads(f"value = {raw}")["value"]
    newline = "\r\n" if "\r\n" in text else "\n"
    key = path[-1] if re.fullmatch(r"[A-Za-z0-9_-]+", path[-1]) else json.dumps(path[-1])
    at_the_top = [f"{key} = {raw}{newline}{text}"] if len(path) == 1 else []
    for made in (*edits(text, path, raw), *at_the_top):
        if _is(made, document):
            return made
    raise Unfit(f"{'.'.join(path)} cannot be set without touching the rest")


def without(text: str, path: Sequence[str]) -> str:
    """`text` without what is at `path`, which is there.

    Raises:
        Unfit: it cannot be taken out without touching the rest.
    """
    document = deepcopy(_document(text))
    table: Any = document
    for name in path[:-1]:
        table = table[name]
    del table[path[-1]]
    wanted: list[dict[str, Any]] = [document]
    for depth in range(len(path) - 1, 0, -1):  # a table without a header goes with its last key
        slimmer = deepcopy(wanted[-1])
        table = slimmer
        for name in path[: depth - 1]:
            table = table[name]
        if table[path[depth - 1]]:
            break
        del table[path[depth - 1]]
        wanted.append(slimmer)
    ways = list(removals(text, path))
    for wish in wanted:
        for made in ways:
            if _is(made, wish):
                return made
    raise Unfit(f"{'.'.join(path)} cannot be taken out without touching the rest")


def is_empty(text: str) -> bool:
    """Whether nothing is left in the document that a person would miss."""
    return not text.strip()


def _is(text: str, document: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == document
    except tomllib.TOMLDecodeError:
        return False


def _document(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        raise Unfit(_LINE.sub("", str(error)).strip(), int(found[1]) if found else None) from None
