"""A YAML list of small tables, as `llm` keeps further models: tables are added and taken out whole.

The path to a table is the value of its first key, `model_id`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tray_app.agents.unfit import MISSING, Unfit

_ALLOWED = re.compile(r"[ \t]*(?:#.*)?|[ \t]+.*|-[ \t].*|---[ \t]*")
_FIELD = re.compile(r'[- ] ([a-z_]+): (".*")')


def value_at(text: str, path: Sequence[str]) -> object:
    """The table whose `model_id` is in `path`, or MISSING.

    Raises:
        Unfit: the text is no such list.
    """
    raw = raw_at(text, path)
    if raw is None:
        return MISSING
    lines = [_FIELD.fullmatch(line.rstrip("\r")) for line in raw.splitlines()]
    return {line[1]: json.loads(line[2]) for line in lines if line} if all(lines) else raw


def raw_at(text: str, path: Sequence[str]) -> str | None:
    """The lines of that table, or None."""
    found = _place(text, path[0])
    return None if found is None else text[found[0] : found[1]]


def with_value(text: str, path: Sequence[str], value: object) -> str:
    """`text` with that table at its end, or in place of the one of that name."""
    assert isinstance(value, dict)  # noqa: S101 - what the plan of `llm` holds
    lines = [f"{name}: {json.dumps(one, ensure_ascii=False)}" for name, one in value.items()]
    newline = "\r\n" if "\r\n" in text else "\n"
    return with_raw(text, path, f"- {(newline + '  ').join(lines)}{newline}")


def with_raw(text: str, path: Sequence[str], raw: str) -> str:
    """The same with the lines of a table."""
    found = _place(text, path[0])
    if found is not None:
        return text[: found[0]] + raw + text[found[1] :]
    gap = "" if not text or text.endswith("\n") else "\r\n" if "\r\n" in text else "\n"
    return text + gap + raw


def without(text: str, path: Sequence[str]) -> str:
    """`text` without that table, which is there."""
    found = _place(text, path[0])
    assert found is not None  # noqa: S101 - the caller has seen it
    return text[: found[0]] + text[found[1] :]


def is_empty(text: str) -> bool:
    """Whether nothing is left in the document that a person would miss."""
    return not text.strip()


def _place(text: str, name: str) -> tuple[int, int] | None:
    head = f"- model_id: {json.dumps(name, ensure_ascii=False)}"
    found, start = None, 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        bare = line.rstrip("\r\n")
        if _ALLOWED.fullmatch(bare) is None:
            raise Unfit("this line belongs to no list of models, so the file cannot be edited safely", number)
        if found is not None and bare[:1] != " ":
            return found, start
        if bare == head:
            found = start
        start += len(line)
    return None if found is None else (found, start)
