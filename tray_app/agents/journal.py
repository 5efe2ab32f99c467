"""The edits made in clients' files, and their way back.

`made` edits a text and notes for every step how it is undone; `undone` goes back: to the very bytes where nothing has
changed since, else value by value, and never over what somebody else has set. What was replaced may be a key: it is
kept apart (`concealed`), so that the journal itself holds none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tray_app.agents import whole_text
from tray_app.agents.formats import Format, format_named
from tray_app.agents.found import OURS
from tray_app.agents.unfit import MISSING, Unfit
from tray_app.agents.wiring.plan import FileChange, Setting
from tray_app.core.redact import redact

VERSION = 1
BOM = "\ufeff"


class Text(Struct, frozen=True):
    """A piece of a file: its words, or the mark by which they are kept apart."""

    words: str | None = None
    kept: str | None = None


class Undo(Struct, frozen=True):
    """`length` characters from `start` on are to be `text` again."""

    start: int
    length: int
    text: Text


class Step(Struct, frozen=True):
    """One value that was set. `ours` tells it from others without telling it; `value` has the token blanked out.

    `before` is the source of what stood there, None where nothing did; `made` are the objects on the way to it that
    were not there, the outermost first.
    """

    path: tuple[str, ...]
    ours: str
    value: str | None
    secret: bool
    before: Text | None
    made: tuple[int, ...]
    undo: Undo | None


class FileEdit(Struct, frozen=True):
    """What was done to one file. `before` None: it was not there, nor were `folders`."""

    path: str
    format: str
    before: str | None
    after: str
    steps: tuple[Step, ...]
    folders: tuple[str, ...] = ()


class Connection(Struct, frozen=True):
    """A client that was connected."""

    client: str
    url: str
    provider: str
    at: int
    edits: tuple[FileEdit, ...]
    asked: str | None = None
    models: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()  # every address of ours that it has been pointed at
    command: bool = True
    mcp: bool = False


class Journal(Struct):
    """All connections, by client."""

    version: int = VERSION
    connections: dict[str, Connection] = {}


def read(data: bytes | None) -> Journal:
    """The journal in `data`.

    Raises:
        Unfit: it is damaged, or of a newer version.
    """
    if data is None:
        return Journal()
    try:
        found = msgspec.json.decode(data, type=Journal)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unfit(f"is damaged ({str(error)[:80]}); move it away and connect the clients again") from error
    if found.version > VERSION:
        raise Unfit("was written by a newer version of O-Switcher; install that one again")
    return found


def written(journal: Journal) -> bytes:
    """The journal as it is kept."""
    return msgspec.json.format(msgspec.json.encode(journal), indent=2)


# -- there


class Made(Struct, frozen=True):
    """A text after an edit, and what is noted of it."""

    text: str
    edit: FileEdit


def made(text: str | None, change: FileChange, token: str, urls: Sequence[str]) -> Made:
    """Put the settings of `change` into `text`, which is None where there is no file.

    `urls` are our own addresses, now and before: what leads there was put there by us, and is not worth keeping.

    Raises:
        Unfit: the text cannot be edited.
    """
    form = format_named(change.format)
    mark = BOM if text is not None and text.startswith(BOM) else ""
    now = (text or "").removeprefix(BOM)
    steps = []
    for setting in change.settings:
        after, step = _step(now, setting, form, token, urls)
        if step is not None:
            steps.append(step)
        now = after
    done = mark + now
    edit = FileEdit(str(change.path), change.format, None if text is None else digest(text), digest(done), tuple(steps))
    return Made(done, edit)


def _step(text: str, setting: Setting, form: Format, token: str, urls: Sequence[str]) -> tuple[str, Step | None]:
    path = setting.path
    current = form.value_at(text, path)
    if setting.value is MISSING and current is MISSING:
        return text, None
    placeholder = _is_placeholder(current, token, urls)
    raw = None if placeholder or current is MISSING else form.raw_at(text, path)
    depths = tuple(depth for depth in range(1, len(path)) if form.value_at(text, path[:depth]) is MISSING)
    after = form.without(text, path) if setting.value is MISSING else form.with_value(text, path, setting.value)
    step = Step(
        path,
        _mark(setting.value),
        None if setting.value is MISSING else json.dumps(setting.value).replace(token, _TOKEN),
        setting.secret,
        None if raw is None else Text(raw),
        depths,
        None if placeholder else _way_back(after, text),
    )
    return after, step


_TOKEN = "{{token}}"  # noqa: S105 - stands where a token was


def _is_placeholder(value: object, token: str, urls: Sequence[str]) -> bool:
    """Whether a value is one that we have put there."""
    words = json.dumps(value) if isinstance(value, dict | list) else value
    if not isinstance(words, str):
        return False
    marks = (token, f"={OURS}", *(f"{url}/" for url in urls))
    return words.startswith(OURS) or any(mark in words for mark in marks)


def _way_back(after: str, before: str) -> Undo:
    """The one stretch in which two texts differ."""
    shorter = min(len(after), len(before))
    start = _common(after, before, shorter)
    end = _common(after[::-1], before[::-1], shorter - start)
    return Undo(start, len(after) - end - start, Text(before[start : len(before) - end]))


def _common(one: str, other: str, most: int) -> int:
    """How many characters two texts have in common at their beginning; found by halving."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


# -- and back


class Conflict(Struct, frozen=True):
    """A value that somebody else has set since."""

    path: tuple[str, ...]

    @property
    def place(self) -> str:
        return ".".join(self.path)


class Undone(Struct, frozen=True):
    """A text after going back; None: no file is to be left. `exact`: it is what it was, byte for byte."""

    text: str | None
    conflicts: tuple[Conflict, ...]
    exact: bool


def undone(text: str | None, edit: FileEdit, *, force: bool = False) -> Undone:
    """Take an edit back. What others have set since stays, unless `force` puts back what stood at our places.

    Raises:
        Unfit: the text can no longer be edited.
    """
    if text is None:
        return Undone(None, (), edit.before is None)
    if digest(text) == edit.before:
        return Undone(text, (), True)
    if digest(text) == edit.after and (original := _original(text, edit)) is not None:
        return Undone(original if edit.before is not None else None, (), True)
    return _by_value(text, edit, force=force)


def _original(text: str, edit: FileEdit) -> str | None:
    """The bytes from before; None where they cannot be told."""
    mark = BOM if text.startswith(BOM) else ""
    now = text.removeprefix(BOM)
    for step in reversed(edit.steps):
        if step.undo is None or step.undo.text.words is None:
            return None
        now = now[: step.undo.start] + step.undo.text.words + now[step.undo.start + step.undo.length :]
    whole = mark + now
    return whole if edit.before is None or digest(whole) == edit.before else None


def _by_value(text: str, edit: FileEdit, *, force: bool) -> Undone:
    form = format_named(edit.format)
    mark = BOM if text.startswith(BOM) else ""
    now = text.removeprefix(BOM)
    conflicts = []
    for step in reversed(edit.steps):
        if _mark(form.value_at(now, step.path)) == step.ours:
            now = _put_back(now, step, form)
        elif not _is_back(now, step, form):
            conflicts.append(Conflict(step.path))
            now = _put_back(now, step, form) if force else now
    left = None if edit.before is None and form.is_empty(now) else mark + now
    return Undone(left, tuple(reversed(conflicts)), False)


def _is_back(text: str, step: Step, form: Format) -> bool:
    """Whether somebody has put back by hand what stood there."""
    before = None if step.before is None else step.before.words
    return form.raw_at(text, step.path) == before


def _put_back(text: str, step: Step, form: Format) -> str:
    if step.before is not None and step.before.words is not None:
        return form.with_raw(text, step.path, step.before.words)
    if form.value_at(text, step.path) is not MISSING:
        text = form.without(text, step.path)
    for depth in reversed(step.made):
        if form.value_at(text, step.path[:depth]) == {}:
            text = form.without(text, step.path[:depth])
    return text


# -- what stands there now


def strays(text: str | None, edit: FileEdit) -> tuple[Conflict, ...]:
    """The places of an edit that do not hold our values any more.

    Raises:
        Unfit: the text can no longer be read.
    """
    form = format_named(edit.format)
    now = (text or "").removeprefix(BOM)
    return tuple(
        Conflict(step.path) for step in edit.steps if text is None or _mark(form.value_at(now, step.path)) != step.ours
    )


def is_own(edit: FileEdit) -> bool:
    """Whether it made a file that is all ours: one that somebody has changed or taken away since is theirs."""
    return edit.format == whole_text.NAME


def is_same(edit: FileEdit, other: FileEdit) -> bool:
    """Whether two edits put the same values at the same places of the same file."""
    return edit.path == other.path and _values(edit) == _values(other)


def _values(edit: FileEdit) -> list[tuple[tuple[str, ...], str]]:
    return [(step.path, step.ours) for step in edit.steps]


def moved(text: str, edit: FileEdit, values: Sequence[object], token: str, urls: Sequence[str]) -> Made:
    """Put other values at the places of an edit, all of which hold ours; what is noted of before stays.

    Args:
        values: for each step, in their order; MISSING where nothing is to stand.

    Raises:
        Unfit: the text cannot be edited.
    """
    settings = tuple(Setting(step.path, value, step.secret) for step, value in zip(edit.steps, values, strict=True))
    if digest(text) == edit.after and (original := _original(text, edit)) is not None:
        change = FileChange(Path(edit.path), edit.format, settings)
        again = made(None if edit.before is None else original, change, token, urls)
        if len(again.edit.steps) == len(edit.steps):
            return Made(again.text, replace(again.edit, folders=edit.folders))
    form = format_named(edit.format)
    mark = BOM if text.startswith(BOM) else ""
    now, steps = text.removeprefix(BOM), []
    for setting, step in zip(settings, edit.steps, strict=True):
        if setting.value is not MISSING:
            now = form.with_value(now, step.path, setting.value)
            value = json.dumps(setting.value).replace(token, _TOKEN)
            steps.append(replace(step, ours=_mark(setting.value), value=value, undo=None))
        else:
            steps.append(replace(step, undo=None))
    return Made(mark + now, replace(edit, after=digest(mark + now), steps=tuple(steps)))


def values_at(edit: FileEdit, old_url: str, new_url: str, token: str) -> list[object]:
    """The values of an edit with another address of ours in them."""
    found: list[object] = []
    for step in edit.steps:
        if step.value is None:
            found.append(MISSING)
        else:
            found.append(json.loads(step.value.replace(f"{old_url}/", f"{new_url}/").replace(_TOKEN, token)))
    return found


# -- keys are kept apart


def concealed(connection: Connection) -> tuple[Connection, dict[str, str]]:
    """The connection without what may be keys, and those, each by a mark that it alone can have."""
    kept: dict[str, str] = {}

    def apart(text: Text | None, secret: bool) -> Text | None:
        if text is None or not secret or text.words is None:
            return text
        mark = digest(text.words)[:32]
        kept[mark] = text.words
        return Text(None, mark)

    return _each_text(connection, apart), kept


def revealed(connection: Connection, kept: Mapping[str, str]) -> Connection:
    """The connection with what was kept apart, as far as it is still known."""

    def found(text: Text | None, secret: bool) -> Text | None:
        known = None if text is None or text.kept is None else kept.get(text.kept)
        return text if known is None else Text(known)

    return _each_text(connection, found)


def _each_text(connection: Connection, change: Callable[[Text | None, bool], Text | None]) -> Connection:
    def step_of(step: Step) -> Step:
        undo = step.undo
        if undo is not None:
            undo = replace(undo, text=change(undo.text, step.secret or _may_hold_key(undo.text.words)))
        return replace(step, before=change(step.before, step.secret or _may_hold_key(_words(step.before))), undo=undo)

    edits = tuple(replace(edit, steps=tuple(map(step_of, edit.steps))) for edit in connection.edits)
    return replace(connection, edits=edits)


def _words(text: Text | None) -> str | None:
    return None if text is None else text.words


def _may_hold_key(words: str | None) -> bool:
    return words is not None and redact(words) != words


def lost(connection: Connection) -> Iterator[tuple[str, ...]]:
    """The places whose former value is no longer known."""
    for edit in connection.edits:
        yield from (step.path for step in edit.steps if step.before is not None and step.before.words is None)


def digest(text: str) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def _mark(value: object) -> str:
    """Tells values apart without telling them."""
    if value is MISSING:
        return "nothing"
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
