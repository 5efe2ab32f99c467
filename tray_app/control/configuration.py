"""What faces may ask about the settings: what is in force, where it comes from, and changes of the file one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from tray_app.agents import toml_text
from tray_app.agents.unfit import Unfit
from tray_app.control.verbs import Refused
from tray_app.control.views import ConfigurationView, SettingView
from tray_app.core.redact import redact
from tray_app.core.toml_text import KeyPath, lines_of, parts_of
from tray_app.host import settings
from tray_app.host.home import write_private

STORE = "secrets.store"  # changing it moves the keys
PORT = "proxy.port"
MOST_UNDONE = 50  # changes that can be taken back, the latest first

# Read when the app starts: what the file says counts from the next start on.
AT_START = frozenset({PORT, "proxy.host", "proxy.allow_remote"})
# Not to be changed by a click, and why: the names of reasons, which each face has its own words for.
BY_HAND: Mapping[str, str] = {
    "proxy.host": "remote",
    "proxy.allow_remote": "remote",
    STORE: "keys",
    "targets": "tables",
    "providers": "tables",
    "routes": "tables",
    "prices": "tables",
}
_REASONS: Mapping[str, str] = {
    "remote": "it decides who can reach the proxy; set it with: o-switcher config set {key} VALUE",
    "keys": "it moves your keys; set it with: o-switcher config set {key} auto, keyring or file",
    "tables": "it is made of tables; write them in the file: o-switcher config path",
}
# The seed's two names of one setting: the long one wins where it is given.
_OTHER_NAMES: Mapping[str, str] = {
    "switcher.retry_budget": "switcher.retry",
    "switcher.max_expected_latency_ms": "switcher.timeout",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with the file."""

    path: str
    exists: bool
    faults: tuple[str, ...]


def check(path: Path) -> Checked:
    """Every fault of the file."""
    try:
        settings.load(path)
    except settings.Faulty as error:
        return Checked(str(path), path.exists(), tuple(str(fault) for fault in error.faults))
    return Checked(str(path), path.exists(), ())


def loaded(path: Path) -> settings.Settings:
    """The settings in force.

    Raises:
        Refused: the file has faults.
    """
    try:
        return settings.load(path)
    except settings.Faulty as error:
        raise Refused("conflict", str(error)) from error


def shown(path: Path) -> dict[str, object]:
    """All settings in force, by dotted key."""
    return _flat(msgspec.to_builtins(loaded(path)), "")


def _flat(table: dict[str, object], prefix: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def change(path: Path, key: str, text: str) -> None:
    """Change one setting, in the file.

    Raises:
        Refused: the value does not fit, or the file has faults; nothing was written.
    """
    try:
        settings.set_in_file(path, key, text)
    except settings.Faulty as error:
        raise Refused("bad_argument", "; ".join(str(fault) for fault in error.faults)) from error
    except OSError as error:
        raise Refused("unavailable", f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def undone_if_refused(path: Path) -> Iterator[None]:
    """The file is as it was if what was done with it is refused."""
    before = path.read_bytes() if path.exists() else None
    try:
        yield
    except Refused:
        with suppress(OSError):
            path.unlink(missing_ok=True) if before is None else write_private(path, before)
        raise


# -- for the running app


@dataclass(frozen=True, slots=True)
class _Edit:
    """What the file was before a change and after it; None: it was not there."""

    key: str
    before: bytes | None
    after: bytes | None


@dataclass(slots=True)
class Configuration:
    """The settings of a running app. For the event-loop thread only.

    `in_force` are those that the app obeys, `started` those that it started with, `asked_port` what its command line
    said of the port; `obey` has it read the file anew.
    """

    path: Path
    in_force: Callable[[], settings.Settings]
    started: settings.Settings
    asked_port: int | None
    obey: Callable[[], None]
    _edits: list[_Edit] = field(default_factory=list)

    # -- what is in force

    def view(self) -> ConfigurationView:
        """Every setting, and what is wrong with the file."""
        checked = check(self.path)
        lines = {} if checked.faults else self._lines()
        found = tuple(self._views(lines))
        undo = self._edits[-1].key if self._edits and self._edits[-1].after == self._data() else None
        return ConfigurationView(str(self.path), checked.exists, tuple(map(redact, checked.faults)), found, undo)

    def _views(self, lines: Mapping[KeyPath, int]) -> Iterator[SettingView]:
        now, default = msgspec.to_builtins(self.in_force()), msgspec.to_builtins(settings.Settings())
        before = msgspec.to_builtins(self.started)
        for key, kind in _kinds().items():
            line = _line_at(lines, tuple(key.split(".")))
            if key in _OTHER_NAMES and _at(now, key) is None:
                continue
            if any(short == key and _at(now, long) is not None for long, short in _OTHER_NAMES.items()):
                continue
            value, usual = _told(_at(now, key)), _told(_at(default, key))
            origin = "default" if line is None else "file"
            waits = key in AT_START and _at(now, key) != _at(before, key)
            if key == PORT and self.asked_port is not None:
                origin, value, line, waits = "command line", self.asked_port, None, False
            reason = BY_HAND.get(key)
            yield SettingView(
                key,
                value,
                usual,
                origin,
                line,
                kind.name,
                kind.choices,
                kind.least,
                kind.most,
                reason is None,
                reason,
                key in AT_START,
                waits,
            )

    def _lines(self) -> dict[KeyPath, int]:
        return lines_of((self._data() or b"").decode("utf-8").removeprefix(settings.BOM))

    def _data(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except OSError:
            return None

    # -- changes

    def set(self, key: str, text: str) -> str:
        """Change one setting in the file, keeping everything else in it; what was done, in words.

        Raises:
            Refused: it may not be changed here, or the value does not fit; nothing was written.
        """
        name = self._fit(key)
        before = self._data()
        change(self.path, name, text.strip())
        self._changed(name, before)
        return f"{name} is {_spelled(_at(msgspec.to_builtins(loaded(self.path)), name))} now{self._counts(name)}"

    def reset(self, key: str) -> str:
        """Take one setting out of the file, so that its default holds.

        Raises:
            Refused: it is not in the file, or cannot be taken out; nothing was written.
        """
        name, before = self._fit(key), self._data()
        loaded(self.path)  # a file with faults is not touched
        text = (before or b"").decode("utf-8")
        mark, text = text[: len(settings.BOM) * text.startswith(settings.BOM)], text.removeprefix(settings.BOM)
        if _line_at(lines_of(text), tuple(name.split("."))) is None:
            raise Refused("conflict", f"{name} is not in the file: its default is in force")
        try:
            after = mark + toml_text.without(text, name.split("."))
        except Unfit as error:
            raise Refused("conflict", f"{error.words}; edit the file by hand: {self.path}") from error
        self._write(after.encode())
        self._changed(name, before)
        usual = _spelled(_at(msgspec.to_builtins(settings.Settings()), name))
        return f"{name} is {usual} again, its default{self._counts(name)}"

    def undo(self) -> tuple[str, str]:
        """Take the latest change back: the file is, byte for byte, as it was before. The key, and what was done.

        Raises:
            Refused: there is none, or the file was changed since.
        """
        if not self._edits:
            raise Refused("conflict", "no setting was changed here since O-Switcher started")
        edit = self._edits[-1]
        if self._data() != edit.after:
            raise Refused("conflict", f"{self.path} was changed since by somebody else; edit it by hand")
        if edit.before is None:
            self.path.unlink(missing_ok=True)
        else:
            self._write(edit.before)
        self._edits.pop()
        self.obey()
        return edit.key, f"{edit.key} is as it was before, and so is the whole file"

    def _fit(self, key: str) -> str:
        """The name of a setting that may be changed here."""
        name = ".".join(parts_of(key.strip()))
        table = name.partition(".")[0]
        reason = BY_HAND.get(name) or BY_HAND.get(table)
        if reason is not None:
            raise Refused("bad_argument", f"{name} is not changed here: {_REASONS[reason].format(key=name)}")
        if name not in _kinds():
            raise Refused("bad_argument", f"no setting is called {redact(key)!r}; see: o-switcher config show")
        return name

    def _changed(self, key: str, before: bytes | None) -> None:
        self._edits = [*self._edits[-MOST_UNDONE + 1 :], _Edit(key, before, self._data())]
        self.obey()

    def _counts(self, key: str) -> str:
        return "; it counts from the next start on" if key in AT_START else ""

    def _write(self, data: bytes) -> None:
        try:
            write_private(self.path, data)
        except OSError as error:
            raise Refused("unavailable", f"{self.path} cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a setting's value may be. `name`: `switch`, `choice`, `number`, `numbers`, `text` or `tables`."""

    name: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


def _kinds() -> dict[str, _Kind]:
    """Every setting by its key, in the order of the file's description."""
    return dict(_within(inspect.type_info(settings.Settings), ""))


def _within(table: inspect.Type, prefix: str) -> Iterator[tuple[str, _Kind]]:
    assert isinstance(table, inspect.StructType)  # noqa: S101 - settings are made of tables
    for one in table.fields:
        key = f"{prefix}{one.encode_name}"
        if isinstance(one.type, inspect.StructType):
            yield from _within(one.type, f"{key}.")
        else:
            yield key, _kind_of(one.type)


def _kind_of(kind: inspect.Type) -> _Kind:
    match kind:
        case inspect.BoolType():
            return _Kind("switch")
        case inspect.LiteralType(values):
            return _Kind("choice", tuple(map(str, values)))
        case inspect.IntType() | inspect.FloatType():
            least = kind.ge if kind.ge is not None else kind.gt
            return _Kind("number", (), least, kind.le if kind.le is not None else kind.lt)
        case inspect.UnionType(types):
            words = [word for one in types if isinstance(one, inspect.LiteralType) for word in map(str, one.values)]
            number = next((_kind_of(one) for one in types if isinstance(one, inspect.IntType)), None)
            if not words:
                return number or _Kind("text")
            return _Kind(
                "number or word", tuple(words), number.least if number else None, number.most if number else None
            )
        case inspect.VarTupleType(inspect.IntType()):
            return _Kind("numbers")
        case inspect.StrType():
            return _Kind("text")
    return _Kind("tables")


def _at(table: Mapping[str, Any], key: str) -> Any:
    found: Any = table
    for part in key.split("."):
        found = found[part]
    return found


def _told(value: Any) -> Any:
    """A value as it is shown: of tables only what each is called."""
    if isinstance(value, dict):
        return list(value)
    if isinstance(value, list | tuple):
        return [_name_of(one) if isinstance(one, dict) else one for one in value]
    return value


def _name_of(table: Mapping[str, Any]) -> str:
    """What a target or a route is called."""
    return str(table.get("model") or table.get("profile") or table.get("target_id") or table.get("provider_id"))


def _line_at(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    return lines.get(path)


def _spelled(value: Any) -> str:
    """A value as TOML has it."""
    return msgspec.json.encode(value).decode()
