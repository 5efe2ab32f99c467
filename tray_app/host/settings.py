"""`config.toml` -> settings. Everything optional; a fault is named by line and key, and nothing is half applied."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct, structs

from tray_app.core.address import BadAddress, base_of
from tray_app.core.providers import BUILT_IN, RESERVED_NAMES, canonical
from tray_app.core.toml_text import KeyPath, edits, lines_of, parts_of, value_text
from tray_app.host.home import write_private
from tray_app.host.settings_tables import Settings

__all__ = ["Fault", "Faulty", "Settings", "load", "parse", "set_in_file"]

BOM = "\ufeff"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,63}\Z")
_POSITION = re.compile(r"\(at (?:line (\d+), column \d+|end of document)\)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the file. `line` is None where it cannot be told."""

    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.key}: {self.message}" if self.key else f"{where}{self.message}"


class Faulty(Exception):
    """The file is refused whole."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{path}: {fault}" for fault in faults))
        self.path = path
        self.faults = faults


def load(path: Path) -> Settings:
    """The settings in `path`; all defaults where there is no such file.

    Raises:
        Faulty: the file has faults; each is named.
    """
    settings, faults = parse(_text_of(path))
    if settings is None:
        raise Faulty(path, faults)
    return settings


def _text_of(path: Path) -> str:
    """The text of the file, nothing where there is none. A byte order mark is kept."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Faulty(path, [Fault(None, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Faulty(path, [Fault(line, "", "this is not UTF-8 text; save the file as UTF-8")]) from error


def parse(text: str) -> tuple[Settings | None, list[Fault]]:
    """The settings in `text`, or None and every fault in it."""
    text = text.removeprefix(BOM)
    document, fault = _document(text)
    if fault is not None:
        return None, [fault]
    return _checked(document, lines_of(text))


def _checked(document: dict[str, Any], lines: Mapping[KeyPath, int]) -> tuple[Settings | None, list[Fault]]:
    faults = [Fault(_line(lines, path), _spelled(path), words) for path, words in _faults(document, Settings, ())]
    if faults:
        return None, faults
    settings = msgspec.convert(document, Settings)
    faults = [Fault(_line(lines, path), _spelled(path), words) for path, words in _senseless(settings)]
    return (None, faults) if faults else (settings, [])


def _document(text: str) -> tuple[dict[str, Any], Fault | None]:
    try:
        return tomllib.loads(text), None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _POSITION.search(str(error))
        line = int(found.group(1) or text.rstrip().count("\n") + 1) if found else None
        words = _POSITION.sub("", str(error)).strip()
        return {}, Fault(line, "", f"this is not valid TOML: {words[:1].lower()}{words[1:]}")


def _faults(value: object, kind: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every value that does not fit its kind, not just the first."""
    table = _table_in(kind)
    if table is None:
        yield from _misfit(value, kind, path)
    elif isinstance(table, list):
        yield from _faults_in_list(value, table[0], path)
    elif not isinstance(value, dict):
        yield path, "must be a table"
    elif isinstance(table, dict):
        for name, inner in value.items():
            if path != ("prices",) and not _NAME.match(name):  # models are called as their makers like
                yield (*path, name), "is no name; use lower-case letters, digits, '-', '_' and '.'"
            yield from _faults(inner, table["value"], (*path, name))
    else:
        fields = {field.encode_name: field for field in structs.fields(table)}
        for name, inner in value.items():
            if name not in fields:
                yield (*path, name), f"is not a known setting{_did_you_mean(name, fields)}"
            else:
                yield from _faults(inner, fields[name].type, (*path, name))
        for field in fields.values():
            if field.required and field.name not in value:
                yield (*path, field.name), "is missing"


def _faults_in_list(value: object, table: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if not isinstance(value, list):
        yield path, f"must be a list of tables: [[{path[-1]}]]"
        return
    for place, item in enumerate(value):
        yield from _faults(item, table, (*path, place))


def _table_in(kind: Any) -> Any:
    """The Struct, [Struct] or {"value": Struct} that `kind` stands for; None for a plain value."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    arguments = get_args(kind)
    if get_origin(kind) is tuple and isinstance(arguments[0], type) and issubclass(arguments[0], Struct):
        return [arguments[0]]
    if get_origin(kind) is dict:
        return {"value": arguments[1]}
    return next((_table_in(one) for one in arguments if isinstance(one, type) and issubclass(one, Struct)), None)


def _misfit(value: object, kind: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield path, _plain_words(str(error), kind)


def _plain_words(words: str, kind: Any) -> str:
    """What is wanted, without the value: it may be a key that went astray."""
    words, _, place = words.partition(" - at `$[")
    if "enum" in words.lower():
        number = "a whole number, or " if _takes_numbers(kind) else ""
        words = f"must be {number}one of {', '.join(_choices(kind))}"
    else:
        words = words[:1].lower() + words[1:].replace("`", "")
    return f"item {int(place.rstrip(']`')) + 1} of the list: {words}" if place else words


def _choices(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(one.value) for one in kind]
    return [one for part in get_args(kind) for one in _choices(part)]


def _takes_numbers(kind: Any) -> bool:
    return kind is int or any(_takes_numbers(part) for part in get_args(kind))


def _did_you_mean(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _senseless(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Values that fit but cannot be meant."""
    proxy = settings.proxy
    if proxy.host not in ("127.0.0.1", "localhost", "::1") and not proxy.allow_remote:
        yield ("proxy", "host"), "is not the loopback address; set proxy.allow_remote = true if that is meant"
    yield from _senseless_targets(settings)
    yield from _senseless_routes(settings)
    names = list(map(canonical, settings.providers))
    for place, (name, table) in enumerate(settings.providers.items()):
        if names[place] in names[:place]:
            yield ("providers", name), f"is another name of {names[place]}, which has its settings above"
        if canonical(name) in RESERVED_NAMES:
            yield ("providers", name), "is a reserved name; choose another"
        if table.base_url is None and canonical(name) not in BUILT_IN:
            yield ("providers", name), "needs a base_url, since no provider of that name is built in"
        if table.base_url is not None:
            try:
                base_of(table.base_url)
            except BadAddress as error:
                yield ("providers", name, "base_url"), str(error)


def _senseless_targets(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    seen: set[str] = set()
    for place, table in enumerate(settings.targets):
        name = table.profile_id
        if not name:
            yield ("targets", place, "profile"), "is missing: name a profile, such as openrouter-main"
        elif name in seen:
            yield ("targets", place), f"is a second target for {name}"
        seen.add(name)


def _senseless_routes(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    known, seen = settings.known_providers(), set()
    for place, table in enumerate(settings.routes):
        if table.model in seen:
            yield ("routes", place, "model"), f"is a second route called {table.model}"
        seen.add(table.model)
        if not table.targets:
            yield ("routes", place, "targets"), 'is empty; give "provider:model" for each way'
        for target in table.targets:
            provider, colon, model = target.partition(":")
            if not colon or not model:
                yield ("routes", place, "targets"), f'{target!r} is not of the form "provider:model"'
            elif canonical(provider) not in known:
                yield ("routes", place, "targets"), f"no provider is called {provider!r}"


def _line(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _spelled(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def set_in_file(path: Path, key: str, given: str) -> Settings:
    """Change one setting in the file, keeping its comments, its order and everything else.

    Args:
        key: dotted, such as `switcher.retry`; a part with a dot in it is quoted, as in TOML.
        given: the value in TOML, or a bare word for a string.

    Raises:
        Faulty: the file or the value has faults; nothing was written.
        OSError: it cannot be written.
    """
    text = _text_of(path)
    mark = BOM if text.startswith(BOM) else ""
    text = text.removeprefix(BOM)
    document, fault = _document(text)
    parts = parts_of(key)
    if fault is not None or not parts:
        raise Faulty(path, [fault or Fault(None, key, "is no key; give one like switcher.retry")])
    value = value_text(given)
    if not _put(document, parts, tomllib.loads(f"value = {value}")["value"]):
        raise Faulty(path, [Fault(None, key, "a part of it is a value, not a table")])
    settings, faults = _checked(document, {})
    after = next((one for one in edits(text, parts, value) if _document(one)[0] == document), None)
    if settings is None:
        raise Faulty(path, faults if after is None else parse(after)[1])
    if after is None:
        raise Faulty(path, [Fault(None, key, "cannot be changed without touching the rest; edit the file by hand")])
    write_private(path, (mark + after).encode())
    return settings


def _put(document: dict[str, Any], parts: Sequence[str], value: object) -> bool:
    """Set the value in plain dictionaries; False if something else is in the way."""
    *tables, name = parts
    for part in tables:
        document = document.setdefault(part, {})
        if not isinstance(document, dict):
            return False
    document[name] = value
    return True
