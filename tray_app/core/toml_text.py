"""Where things stand in a TOML text, and one value changed in it with all else left as it is.

`tomllib` tells the values, this tells the places. Only for text that `tomllib` has accepted.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[\s,]|#[^\n]*)*")  # commas too: they part the items of lists and inline tables
_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_KEY = re.compile(rf"(?:{_PART.pattern})(?:{_DOT.pattern}(?:{_PART.pattern}))*")
_STRING = re.compile(r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?'{3,5}|"(?:\\.|[^"\\])*"|'[^']*\'''', re.DOTALL)
_PLAIN = re.compile(r"[^,\]}#\n]*[^,\]}#\s]")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_COMMA_AFTER = re.compile(r"[ \t]*,[ \t]*")
_COMMA_BEFORE = re.compile(r"[ \t]*,[ \t]*\Z")
_REST_OF_LINE = re.compile(r"[ \t]*(?:\r?\n|\Z)")
_BLANK_LINE = re.compile(r"(?<=\n)\r?\n\Z")


@dataclass(slots=True)
class _Section:
    """A table with its header, or the top of the text. `end` is where its last value ends."""

    table: KeyPath
    end: int
    begin: int = 0


@dataclass(slots=True)
class _Places:
    lines: dict[KeyPath, int] = field(default_factory=dict)
    values: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    begins: dict[KeyPath, int] = field(default_factory=dict)  # where a key is written
    tables_of: dict[KeyPath, KeyPath] = field(default_factory=dict)  # under which header a key stands
    sections: list[_Section] = field(default_factory=list)


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line of each key and table, by path; the places in lists are numbers from 0 on."""
    return _Scan(text).all().lines


def parts_of(key: str) -> tuple[str, ...]:
    """The parts of a dotted key as TOML spells it; none if it is no key."""
    return tuple(_plain(word) for word in _PART.findall(key)) if _KEY.fullmatch(key) else ()


def value_text(text: str) -> str:
    """`text` as TOML: itself where it is a value, else as a string."""
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        document = {}
    if list(document) != ["value"]:
        return _quoted(text)
    start, end = _Scan(f"value = {text}").all().values["value",]
    return f"value = {text}"[start:end]


def edits(text: str, path: Sequence[str], value: str) -> Iterator[str]:
    """Ways of setting the key at `path`, the most natural first. The caller sees which of them came out right."""
    places = _Scan(text).all()
    key = tuple(path)
    parent = key[:-1]
    newline = "\r\n" if "\r\n" in text else "\n"

    def line_at(place: int, words: str) -> str:
        end = text.find("\n", place)
        if end < 0:
            return f"{text}{newline if text else ''}{words}{newline}"
        return f"{text[: end + 1]}{words}{newline}{text[end + 1 :]}"

    if key in places.values:
        start, end = places.values[key]
        yield text[:start] + value + text[end:]
    for length in range(len(parent), 0, -1):
        start, end = places.values.get(key[:length], (0, 0))
        if text[start:end].startswith("{"):
            inside = text[start : end - 1].rstrip()
            comma = "" if inside == "{" else ","
            yield f"{text[:start]}{inside}{comma} {_dotted(key[length:])} = {value} }}{text[end:]}"
    for section in places.sections:
        if section.table == parent:
            yield line_at(section.end, f"{_dotted(key[-1:])} = {value}")
    beside = [(other, len(places.tables_of[other])) for other in reversed(places.values)]
    for other, depth in beside:
        if other[:-1] == parent:
            yield line_at(places.values[other][1], f"{_dotted(key[depth:])} = {value}")
    gap = newline if text.strip() else ""
    end_of_line = "" if not text or text.endswith("\n") else newline
    yield f"{text}{end_of_line}{gap}[{_dotted(parent)}]{newline}{_dotted(key[-1:])} = {value}{newline}"
    for other, depth in beside:  # a table that dotted keys have made may have no header
        if other[: depth + 1] == key[: depth + 1]:
            yield line_at(places.values[other][1], f"{_dotted(key[depth:])} = {value}")


def source_of(text: str, path: Sequence[str]) -> str | None:
    """The source of the value at `path`; None where a table with a header, or nothing, is there."""
    place = _Scan(text).all().values.get(tuple(path))
    return None if place is None else text[place[0] : place[1]]


def removals(text: str, path: Sequence[str]) -> Iterator[str]:
    """Ways of taking out what is at `path`, the most natural first. The caller sees which of them came out right."""
    places = _Scan(text).all()
    key = tuple(path)
    if key in places.values:
        begin, end = places.begins[key], places.values[key][1]
        if _REST_OF_LINE.match(text, end):
            yield "".join(_around_lines(text, begin, end))
        if after := _COMMA_AFTER.match(text, end):
            yield text[:begin] + text[after.end() :]
        before = _COMMA_BEFORE.search(text[:begin])
        yield text[: before.start() if before else begin] + text[end:]
    for section in places.sections:
        if section.table == key and key:
            kept, rest = _around_lines(text, section.begin, section.end)
            yield _BLANK_LINE.sub("", kept) + rest
            yield kept + rest


def _around_lines(text: str, begin: int, end: int) -> tuple[str, str]:
    """What stands before and behind the lines from `begin` to `end`."""
    stop = text.find("\n", end)
    return text[: text.rfind("\n", 0, begin) + 1], text[stop + 1 :] if stop >= 0 else ""


def _dotted(parts: Sequence[str | int]) -> str:
    return ".".join(part if _BARE.fullmatch(part) else _quoted(part) for part in map(str, parts))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(word: str) -> str:
    text: str = tomllib.loads(f"key = {word}")["key"] if word[0] in "\"'" else word
    return text


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lists: dict[KeyPath, int] = {}  # lists of tables: the place of the item that is being read
        self._places = _Places()

    def all(self) -> _Places:
        section = _Section((), 0)
        self._places.sections.append(section)
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                begin = self._at
                section = _Section(self._header(), self._at, begin)
                self._places.sections.append(section)
            else:
                self._key_and_value(section.table, section.table)
            section.end = self._at
            self._skip()
        return self._places

    def _skip(self) -> None:
        self._at = self._end(_BLANK)

    def _end(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        return found.end() if found else self._at

    def _found(self, path: KeyPath, at: int) -> None:
        self._places.lines.setdefault(path, self._text.count("\n", 0, at) + 1)

    def _header(self) -> KeyPath:
        begin, several = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if several else 1
        table: KeyPath = ()
        parts = self._key()
        self._at = self._text.index("]", self._at) + (2 if several else 1)
        for place, part in enumerate(parts, 1):
            table = (*table, part)
            self._found(table, begin)
            if several and place == len(parts):
                self._lists[table] = self._lists.get(table, -1) + 1
            if table in self._lists:
                table = (*table, self._lists[table])
                self._found(table, begin)
        return table

    def _key(self) -> list[str]:
        """The parts of the dotted key that comes next."""
        parts: list[str] = []
        while True:
            self._skip()
            end = self._end(_PART)
            parts.append(_plain(self._text[self._at : end]))
            self._at = end
            end = self._end(_DOT)
            if end == self._at:
                return parts
            self._at = end

    def _key_and_value(self, path: KeyPath, table: KeyPath) -> None:
        begin = self._at
        for part in self._key():
            path = (*path, part)
            self._found(path, begin)
        self._at = self._text.index("=", self._at) + 1
        self._skip()
        start = self._at
        self._value(path, table)
        self._places.values[path] = start, self._at
        self._places.begins[path] = begin
        self._places.tables_of[path] = table

    def _value(self, path: KeyPath, table: KeyPath) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._list(path, table)
        elif opening == "{":
            self._inline(path)
        else:
            self._at = self._end(_STRING if opening in "\"'" else _PLAIN)

    def _list(self, path: KeyPath, table: KeyPath) -> None:
        self._at += 1
        self._skip()
        place = 0
        while self._text[self._at] != "]":
            self._found((*path, place), self._at)
            self._value((*path, place), table)
            self._skip()
            place += 1
        self._at += 1

    def _inline(self, path: KeyPath) -> None:
        self._at += 1
        self._skip()
        while self._text[self._at] != "}":
            self._key_and_value(path, path)
            self._skip()
        self._at += 1
