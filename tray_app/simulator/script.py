"""The script, read from TOML into frozen values: which keys there are and how each behaves.

A fault is refused by name: file, line where it can be told, the key within the file, and the remedy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from .behaviours import BEHAVIOURS, Behaviour, Ok
from .fields import field_types
from .steps import MODELS, Key, Name, Script, Settings, Step, When
from .values import Shape
from .where import Spot

__all__ = ["Script", "ScriptError", "load", "parse", "practice"]

_T = TypeVar("_T", bound=Struct)


class ScriptError(Exception):
    """A script that cannot be played: what is wrong, where, and what to write instead."""

    def __init__(self, file: str, line: int | None, key: str, problem: str, fix: str) -> None:
        self.file, self.line, self.key, self.problem, self.fix = file, line, key, problem, fix
        place = file if line is None else f"{file}, line {line}"
        super().__init__(f"{place}: {key}: {problem}. {fix}" if key else f"{place}: {problem}. {fix}")


def load(path: str | Path) -> Script:
    """Read a script; raises `ScriptError`, also where there is no such file."""
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(str(path), None, "", f"cannot be read ({error})", "Name a TOML file") from error
    return parse(text, str(path))


def practice() -> Script:
    """The demo's script: one key runs out of credit, one is told to wait, one always answers."""
    text = resources.files(__package__).joinpath("practice.toml").read_text("utf-8")
    return parse(text, "practice.toml")


def parse(text: str, name: str) -> Script:
    """Read a script from TOML; `name` is what faults are reported against."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fix = "Mend the TOML at that place"
        raise ScriptError(name, None, "", f"is not TOML: {error}", fix) from error
    return _Reader(name, text).script(tables)


class _Reader:
    """One reading of one text; it knows where in the text each fault stands."""

    def __init__(self, file: str, text: str) -> None:
        self._file, self._text = file, text

    def script(self, tables: Mapping[str, object]) -> Script:
        top = Spot()
        self._known(tables, ("answer", "account", "key", "default", "models"), top)
        shape = self._struct(Shape, self._table(tables, "answer", top), Spot("answer"))
        accounts = dict(self._accounts(tables, shape))
        keys = tuple(self._key(table, spot, shape, accounts) for table, spot in self._tables(tables, "key", top))
        self._apart(keys)
        default = self._default(tables, shape, accounts)
        if not keys and default is None:
            raise self._fault(top, "key", "there is none", 'Add a [[key]] with name = "..." and key = "..."')
        return Script(keys, default, self._models(tables, top))

    def _accounts(self, tables: Mapping[str, object], shape: Shape) -> Iterator[tuple[str, object]]:
        for table, spot in self._tables(tables, "account", Spot()):
            self._known(table, ("name", "steps"), spot)
            name = self._value(Name, table.get("name", ""), spot, "name")
            self._steps(table.get("steps", []), spot, shape)  # faults are told of the account, once
            yield name, table.get("steps", [])

    def _default(self, tables: Mapping[str, object], shape: Shape, accounts: Mapping[str, object]) -> Key | None:
        if "default" not in tables:
            return None
        table = {"name": "default"} | self._table(tables, "default", Spot())
        return self._key(table, Spot("default"), shape, accounts)

    def _key(self, table: Mapping[str, object], spot: Spot, shape: Shape, accounts: Mapping[str, object]) -> Key:
        given = {name: value for name, value in table.items() if name != "steps"}
        looks = {name: value for name, value in given.items() if name in Shape.__struct_fields__}
        rest = {name: value for name, value in given.items() if name not in looks}
        settings = self._struct(Settings, rest, spot, also=("steps", *Shape.__struct_fields__))
        if spot.table == "key" and not settings.key:
            raise self._fault(spot, "key", "is missing", 'Write key = "sk-or-v1-..."')
        shape = self._reshaped(shape, looks, spot)
        shared = "steps" not in table and settings.account in accounts
        steps = accounts[settings.account] if shared else table.get("steps", [])
        return Key(settings, self._steps(steps, spot, shape), Step(Ok(), When(), shape), shared)

    def _steps(self, steps: object, spot: Spot, shape: Shape) -> tuple[Step, ...]:
        tables = self._value(list[dict[str, object]], steps, spot, "steps")
        read = tuple(self._step(table, spot.at(number), shape) for number, table in enumerate(tables))
        for number, step in enumerate(read[:-1]):
            if not step.when.ends and not step.when.narrowed:
                fix = "Give it times = N or for_s = N, or leave out what follows"
                raise self._fault(spot.at(number), "do", "holds for ever, so no later step is reached", fix)
        return read

    def _step(self, table: dict[str, object], spot: Spot, shape: Shape) -> Step:
        kind = self._kind(table, spot)
        looks = Shape.__struct_fields__ if kind.shapes else ("held", "delay_ms")
        mine = {"do", *kind.__struct_fields__, *When.__struct_fields__, *looks}
        self._known(table, tuple(mine), spot)
        when = self._struct(When, _only(table, When.__struct_fields__), spot)
        behaviour = self._struct(kind, _only(table, kind.__struct_fields__), spot)
        manner = dict(kind.manner) | _only(table, looks)
        return Step(behaviour, when, self._reshaped(shape, manner, spot))

    def _kind(self, table: Mapping[str, object], spot: Spot) -> type[Behaviour]:
        name = self._value(str, table.get("do", ""), spot, "do")
        if name in BEHAVIOURS:
            return BEHAVIOURS[name]
        problem = f'"{name}" is no behaviour' if name else "is missing"
        raise self._fault(spot, "do", problem, _meant(name, BEHAVIOURS))

    def _reshaped(self, shape: Shape, changes: Mapping[str, object], spot: Spot) -> Shape:
        types = field_types(Shape)
        return replace(shape, **{n: self._value(types[n], v, spot, n) for n, v in changes.items()})

    def _apart(self, keys: tuple[Key, ...]) -> None:
        """Two keys of one name or one value could not be told apart."""
        for what in ("name", "key"):
            seen: set[str] = set()
            for number, key in enumerate(keys):
                value = getattr(key.settings, what)
                if value in seen:
                    fix = "Give every key one of its own"
                    raise self._fault(Spot("key", number), what, "is another key's as well", fix)
                seen.add(value)

    def _models(self, tables: Mapping[str, object], spot: Spot) -> tuple[str, ...]:
        models = self._value(list[str], tables.get("models", list(MODELS)), spot, "models")
        return tuple(models)

    def _table(self, tables: Mapping[str, object], name: str, spot: Spot) -> dict[str, object]:
        table: dict[str, object] = self._value(dict[str, object], tables.get(name, {}), spot, name)
        return table

    def _tables(self, tables: Mapping[str, object], name: str, spot: Spot) -> Iterator[tuple[dict[str, object], Spot]]:
        found = self._value(list[dict[str, object]], tables.get(name, []), spot, name)
        for number, table in enumerate(found):
            yield table, Spot(name, number)

    def _struct(self, kind: type[_T], table: Mapping[str, object], spot: Spot, also: tuple[str, ...] = ()) -> _T:
        types = field_types(kind)
        self._known(table, (*kind.__struct_fields__, *also), spot)
        values = {name: self._value(types[name], value, spot, name) for name, value in table.items()}
        try:
            return kind(**values)
        except TypeError:
            missing = next(n for n in kind.__struct_fields__ if n not in values)
            raise self._fault(spot, missing, "is missing", f"Write {missing} = ...") from None

    def _known(self, table: Mapping[str, object], names: tuple[str, ...], spot: Spot) -> None:
        for name in table:
            if name not in names:
                raise self._fault(spot, name, "is not known here", _meant(name, names))

    def _value(self, kind: Any, value: object, spot: Spot, name: str) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            problem = f"does not fit: {str(error)[:1].lower()}{str(error)[1:]}"
            raise self._fault(spot, name, problem, _choices(kind) or "Write a value of that kind") from None

    def _fault(self, spot: Spot, name: str, problem: str, fix: str) -> ScriptError:
        return ScriptError(self._file, spot.line(self._text, name), spot.path(name), problem, fix)


def _only(table: Mapping[str, object], names: tuple[str, ...]) -> dict[str, object]:
    return {name: value for name, value in table.items() if name in names}


def _choices(kind: Any) -> str:
    """What a closed set holds, for a value that is none of it."""
    literals = [k for k in (kind, *get_args(kind)) if get_origin(k) is Literal]
    options = ", ".join(str(option) for literal in literals for option in get_args(literal))
    return options and f"Choose one of: {options}"


def _meant(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), 1)
    return f'Did you mean "{close[0]}"?' if close else f"Known are: {', '.join(sorted(names))}"
