"""YAML as the settings of small tools are written: lines of `key: value`, edited line by line.

Only what can be told without a YAML reader is touched: a mapping whose keys begin their lines, values on one line.
Anything else is left alone, and said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from tray_app.agents.unfit import MISSING, Unfit

_KEY = re.compile(r"""(?P<key>[A-Za-z0-9_.-]+|"[^"\\]*"|'[^']*')(?P<colon>[ \t]*:)(?P<rest>[ \t].*)?""")
_VALUE = re.compile(
    r"""[ \t]*(?P<value>"(?:\\.|[^"\\])*"|'(?:[^']|'')*'|\[[^#]*\]|[^\s"'\[{&*!|>%@`#](?:[^#]|(?<!\s)#)*)?"""
)
_NOT_A_KEY = re.compile(r"[ \t]*(?:#.*)?|[ \t]+.*|-[ \t].*|-|---[ \t]*")


def value_at(text: str, path: Sequence[str]) -> object:
    """What stands at the key in `path`, or MISSING.

    Raises:
        Unfit: the text is not of the kind that is edited here.
    """
    raw = raw_at(text, path)
    return MISSING if raw is None else _plain(raw)


def raw_at(text: str, path: Sequence[str]) -> str | None:
    """The source of the value at `path`, or None."""
    found = _place(text, path[0])
    return None if found is None else text[found[0] : found[1]]


def with_value(text: str, path: Sequence[str], value: object) -> str:
    """`text` with `value`, a text or a list of texts, at the key in `path`.

    Raises:
        Unfit: the text is not of the kind that is edited here.
    """
    return with_raw(text, path, json.dumps(value, ensure_ascii=False))


def with_raw(text: str, path: Sequence[str], raw: str) -> str:
    """The same with the source of a value."""
    found = _place(text, path[0])
    if found is not None:
        gap = "" if text[found[0] - 1] in " \t" else " "
        return text[: found[0]] + gap + raw + text[found[1] :]
    newline = "\r\n" if "\r\n" in text else "\n"
    end = "" if not text or text.endswith("\n") else newline
    return f"{text}{end}{path[0]}: {raw}{newline}"


def without(text: str, path: Sequence[str]) -> str:
    """`text` without the line of that key, which is there."""
    found = _place(text, path[0])
    assert found is not None  # noqa: S101 - the caller has seen it
    stop = text.find("\n", found[1])
    return text[: text.rfind("\n", 0, found[0]) + 1] + (text[stop + 1 :] if stop >= 0 else "")


def is_empty(text: str) -> bool:
    """Whether nothing is left in the document that a person would miss."""
    return not text.strip()


def _place(text: str, key: str) -> tuple[int, int] | None:
    """From where to where the value of `key` stands; None where the key is not there."""
    places = None
    for number, start, line in _keys(text):
        if _plain(line["key"]) == key:
            if places is not None:
                raise Unfit(f"{key} stands there twice; leave one of them", number)
            places = _value(text, key, number, start, line)
    return places


def _keys(text: str) -> Iterator[tuple[int, int, re.Match[str]]]:
    """Number, place and parts of every line that begins with a key."""
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        found = _KEY.fullmatch(line.rstrip("\r"))
        if found is not None:
            yield number, start, found
        elif _NOT_A_KEY.fullmatch(line.rstrip("\r")) is None:
            raise Unfit("this line is no `key: value`, so the file cannot be edited safely", number)
        start += len(line) + 1


def _value(text: str, key: str, number: int, start: int, line: re.Match[str]) -> tuple[int, int]:
    rest = line["rest"] or ""
    found = _VALUE.match(rest)
    value = (found["value"] or "").rstrip() if found else ""
    behind = rest[found.start("value") + len(value) :] if found and value else rest
    below = text[start + len(line[0]) :].lstrip("\r")[1:2]
    if (behind.strip() and not behind.strip().startswith("#")) or below in (" ", "\t", "-"):
        raise Unfit(f"{key} is more than a value on one line, so it cannot be changed safely", number)
    begin = start + line.end("colon") + (found.start("value") if found and value else 0)
    return begin, begin + len(value)


def _plain(raw: str) -> object:
    """A value as text, or a list of texts. Types do not matter: it is only compared."""
    if raw[:1] in ('"', "["):
        try:
            return json.loads(raw)
        except ValueError:
            return raw
    return raw[1:-1].replace("''", "'") if raw[:1] == "'" else raw
