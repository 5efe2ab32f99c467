"""Where things stand in a JSON text as people write it, and one value set or taken out with all else left as it is.

Comments, trailing commas and repeated keys are allowed; of keys alike the last one counts, as in every reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tray_app.agents.unfit import MISSING, Unfit

MAX_DEPTH = 200
_TRIVIA = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_SAME_LINE = re.compile(r"(?:[ \t]|/\*.*?\*/)*(?://[^\r\n]*)?", re.DOTALL)
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_PLAIN = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_GAP = r"[ \t\r\n]*+"
_ITEM = rf"(?:{_STRING.pattern}|{_PLAIN.pattern})"
_FLAT = re.compile(rf"\[{_GAP}(?:{_ITEM}{_GAP}(?:,{_GAP}{_ITEM}{_GAP})*+(?:,{_GAP})?)?\]")  # a list without lists
_INDENT = re.compile(r"\{[ \t]*(?:\r?\n[ \t]*)*?\r?\n([ \t]+)[\"/]")


@dataclass(slots=True)
class _Node:
    """A value: where it stands, and its members if it is an object."""

    start: int
    end: int = 0
    members: list[_Member] | None = None

    def member(self, name: str) -> _Member | None:
        """The member that counts of those called `name`."""
        return next((one for one in reversed(self.members or ()) if one.name == name), None)


@dataclass(slots=True)
class _Member:
    """One `"name": value` of an object. `comma` is where the comma after it stands, if there is one."""

    name: str
    start: int
    value: _Node
    comma: int | None = None


def value_at(text: str, path: Sequence[str]) -> object:
    """What stands at `path`, or MISSING.

    Raises:
        Unfit: the text is no JSON.
    """
    raw = raw_at(text, path)
    return MISSING if raw is None else _Scan(raw).plain()


def raw_at(text: str, path: Sequence[str]) -> str | None:
    """The source of the value at `path`, or None."""
    node = _root(text)
    for name in path:
        member = node.member(name) if node is not None else None
        if member is None:
            return None
        node = member.value
    return None if node is None else text[node.start : node.end]


def with_value(text: str, path: Sequence[str], value: object) -> str:
    """`text` with `value` at `path`; objects on the way are made where they are missing.

    Raises:
        Unfit: the text is no JSON, or something else than an object is in the way.
    """
    return _put(text, path, value, None)


def with_raw(text: str, path: Sequence[str], raw: str) -> str:
    """The same with the source of a value."""
    return _put(text, path, None, raw)


def without(text: str, path: Sequence[str]) -> str:
    """`text` without the member at `path`, which is there."""
    node = _root(text)
    assert node is not None  # noqa: S101 - the caller has seen it
    for name in path[:-1]:
        member = node.member(name)
        assert member is not None  # noqa: S101 - the same
        node = member.value
    found = node.member(path[-1])
    assert found is not None  # noqa: S101 - the same
    return _taken_out(text, node, found)


def is_empty(text: str) -> bool:
    """Whether nothing is left in the document that a person would miss."""
    return not text.strip() or re.fullmatch(r"\s*\{\s*\}\s*", text) is not None


# -- setting


def _put(text: str, path: Sequence[str], value: object, raw: str | None) -> str:
    node = _root(text)
    style = _Style(text)
    if node is None:
        return _begun(text, _nested(path, value, raw, style, ""), style)
    for place, name in enumerate(path):
        if node.members is None:
            where = ".".join(path[:place]) or "the document"
            raise Unfit(f"{where} is no object, so {name} cannot be set in it", _line(text, node.start))
        member = node.member(name)
        if member is None:
            return _joined(text, node, name, path[place + 1 :], value, raw, style, root=place == 0)
        node = member.value
    source = raw if raw is not None else json.dumps(value, ensure_ascii=False)
    return text[: node.start] + source + text[node.end :]


@dataclass(slots=True)
class _Style:
    """How the text is laid out."""

    text: str
    newline: str = field(init=False)
    unit: str = field(init=False)
    inline: bool = field(init=False)

    def __post_init__(self) -> None:
        self.newline = "\r\n" if "\r\n" in self.text else "\n"
        found = _INDENT.search(self.text)
        self.unit = found[1] if found else "  "
        self.inline = bool(self.text.strip()) and "\n" not in self.text.strip()


def _nested(path: Sequence[str], value: object, raw: str | None, style: _Style, indent: str, flat: bool = False) -> str:
    """The source of `value` within the objects that `path` names."""
    if not path:
        return raw if raw is not None else json.dumps(value, ensure_ascii=False)
    name = json.dumps(path[0], ensure_ascii=False)
    if flat:
        return f"{{{name}: {_nested(path[1:], value, raw, style, indent, flat)}}}"
    inner = indent + style.unit
    inside = _nested(path[1:], value, raw, style, inner)
    return f"{{{style.newline}{inner}{name}: {inside}{style.newline}{indent}}}"


def _begun(text: str, source: str, style: _Style) -> str:
    """A document out of a text that holds nothing but blanks and comments."""
    if not text.strip():
        return f"{source}{style.newline}"
    gap = "" if text.endswith("\n") else style.newline
    return f"{text}{gap}{source}{style.newline}"


def _joined(
    text: str, node: _Node, name: str, rest: Sequence[str], value: object, raw: str | None, style: _Style, *, root: bool
) -> str:
    """`text` with a further member in that object, behind its others."""
    members = node.members or []
    key = json.dumps(name, ensure_ascii=False)
    if not members:
        return _first(text, node, key, rest, value, raw, style, root=root)
    last = members[-1]
    line = text.rfind("\n", 0, last.start) + 1
    indent = text[line : last.start]
    if line <= node.start or indent.strip(" \t"):  # it does not begin its line: the object is written in one
        inside = _nested(rest, value, raw, style, "", flat=True)
        return f"{text[: last.value.end]}, {key}: {inside}{text[last.value.end :]}"
    source = f"{style.newline}{indent}{key}: {_nested(rest, value, raw, style, indent)}"
    if last.comma is not None:
        place = _end_of_line(text, last.comma + 1)
        return f"{text[:place]}{source},{text[place:]}"
    place = _end_of_line(text, last.value.end)
    return f"{text[: last.value.end]},{text[last.value.end : place]}{source}{text[place:]}"


def _end_of_line(text: str, place: int) -> int:
    """Behind the comments that follow on the same line."""
    found = _SAME_LINE.match(text, place)
    assert found is not None  # noqa: S101 - it matches nothing as well
    return place + len(found[0].rstrip(" \t"))


def _first(
    text: str, node: _Node, key: str, rest: Sequence[str], value: object, raw: str | None, style: _Style, *, root: bool
) -> str:
    inside = text[node.start + 1 : node.end - 1]
    if not inside.strip() and style.inline and not root:
        return f"{text[: node.start + 1]}{key}: {_nested(rest, value, raw, style, '', flat=True)}{text[node.end - 1 :]}"
    line = text.rfind("\n", 0, node.start) + 1
    begins = text[line : node.start]
    outer = begins[: len(begins) - len(begins.lstrip(" \t"))]
    inner = outer + style.unit
    kept = inside.rstrip()
    tail = inside[len(kept) :] if kept and "\n" in inside[len(kept) :] else style.newline + outer
    source = f"{style.newline}{inner}{key}: {_nested(rest, value, raw, style, inner)}{tail}"
    return f"{text[: node.start + 1]}{kept}{source}{text[node.end - 1 :]}"


# -- taking out


def _taken_out(text: str, node: _Node, found: _Member) -> str:
    members = node.members or []
    place = next(place for place, one in enumerate(members) if one is found)
    start, end = _span(text, node, found, last=place == len(members) - 1)
    if len(members) == 1 and not (text[node.start + 1 : start] + text[end : node.end - 1]).strip():
        return text[: node.start + 1] + text[node.end - 1 :]
    text = text[:start] + text[end:]
    comma = members[place - 1].comma if place else None
    if found.comma is None and comma is not None:  # it was the last one, and there was no comma behind it
        text = text[:comma] + text[comma + 1 :]
    return text


def _span(text: str, node: _Node, found: _Member, *, last: bool) -> tuple[int, int]:
    """From where to where a member is taken out: its lines if it has them for itself."""
    end = found.value.end if found.comma is None else found.comma + 1
    line = text.rfind("\n", 0, found.start) + 1
    alone = line > node.start and not text[line : found.start].strip(" \t")
    after = _blanks(text, end)
    if alone and text[after : after + 2] == "\r\n":
        return line, after + 2
    if alone and text[after : after + 1] == "\n":
        return line, after + 1
    start = found.start
    if not last:
        return start, after
    while text[start - 1] in " \t":
        start -= 1
    return start, end


def _blanks(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t"):
        place += 1
    return place


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


# -- reading


@lru_cache(maxsize=2)  # the questions about one text come one after the other
def _root(text: str) -> _Node | None:
    return _Scan(text).root()


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def root(self) -> _Node | None:
        """The document; None where there is nothing but blanks and comments."""
        self._skip()
        if self._at == len(self._text):
            return None
        node = self._value(0)
        self._skip()
        if self._at < len(self._text):
            raise self._wrong("something stands behind the end of the document")
        return node

    def plain(self) -> object:
        """The document as plain values."""
        self._skip()
        return self._plain()

    def _plain(self) -> object:
        if self._text[self._at] == "{":
            found: dict[str, object] = {}
            self._at += 1
            while (name := self._next_key()) is not None:
                found[name] = self._plain()
                self._comma()
            return found
        if self._text[self._at] == "[":
            items: list[object] = []
            self._at += 1
            self._skip()
            while self._text[self._at] != "]":
                items.append(self._plain())
                self._comma()
            self._at += 1
            return items
        start = self._at
        self._value(0)
        return json.loads(self._text[start : self._at], strict=False)

    def _next_key(self) -> str | None:
        """The next key, its colon passed; None at the end of the object."""
        self._skip()
        if self._text[self._at] == "}":
            self._at += 1
            return None
        name = self._string()
        self._colon()
        return name

    def _wrong(self, words: str) -> Unfit:
        return Unfit(words, _line(self._text, self._at))

    def _skip(self) -> None:
        found = _TRIVIA.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _here(self) -> str:
        return self._text[self._at : self._at + 1]

    def _value(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self._wrong("it is nested too deeply")
        node = _Node(self._at)
        if self._here() == "{":
            node.members = self._members(depth)
        elif self._here() == "[":
            self._items(depth)
        elif self._here() == '"':
            self._string()
        else:
            found = _PLAIN.match(self._text, self._at)
            if found is None:
                raise self._wrong("a value is missing" if self._here() else "it ends too early")
            self._at = found.end()
        node.end = self._at
        return node

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._wrong("a name in quotation marks is missing, or one of them has no end")
        self._at = found.end()
        try:
            return str(json.loads(found[0], strict=False))
        except ValueError:
            raise self._wrong("a text in quotation marks is wrongly escaped") from None

    def _colon(self) -> None:
        self._skip()
        if self._here() != ":":
            raise self._wrong("a colon is missing")
        self._at += 1
        self._skip()

    def _comma(self) -> None:
        """Pass what parts the members of a document that is known to be good."""
        self._skip()
        if self._here() == ",":
            self._at += 1
            self._skip()

    def _members(self, depth: int) -> list[_Member]:
        members: list[_Member] = []
        self._at += 1
        self._skip()
        while self._here() != "}":
            start = self._at
            name = self._string()
            self._colon()
            member = _Member(name, start, self._value(depth + 1))
            members.append(member)
            self._skip()
            if self._here() == ",":
                member.comma = self._at
                self._at += 1
                self._skip()
            elif self._here() != "}":
                raise self._wrong("a comma or the end of an object is missing")
        self._at += 1
        return members

    def _items(self, depth: int) -> None:
        if (flat := _FLAT.match(self._text, self._at)) is not None:
            self._at = flat.end()
            return
        self._at += 1
        self._skip()
        while self._here() != "]":
            self._value(depth + 1)
            self._skip()
            if self._here() == ",":
                self._at += 1
                self._skip()
            elif self._here() != "]":
                raise self._wrong("a comma or the end of a list is missing")
        self._at += 1
