"""Clients are connected and disconnected: plans of `agents` carried out on the user's files, journaled before.

The journal is written first, then the files, each in one step: whenever this is interrupted, the way back is known.
Nothing here knows the event loop; calls are in turn.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from tray_app.agents import journal
from tray_app.agents.journal import Connection, FileEdit, Journal
from tray_app.agents.unfit import Unfit
from tray_app.agents.wiring.clients import CLIENTS, client_named
from tray_app.agents.wiring.plan import PLACES, Aim, Client, Extras, FileChange, Plan, Where
from tray_app.control.verbs import Refused
from tray_app.control.views import ConnectionView, FileView, WiringView
from tray_app.core.providers import Provider
from tray_app.core.redact import redact
from tray_app.host import user_files
from tray_app.host.home import write_private
from tray_app.host.vault import Vault, VaultError

TRIES = 3
DEFAULT_URL = "http://127.0.0.1:4417"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of `connect`, as in `Aim`: `providers` are those that the pool has keys of, in order of choice.

    Where nothing is said of provider, models, command and mcp, those of the last time hold; then `routes`, the models
    that have one. `program` and `environ` are as in `Extras`.
    """

    url: str
    providers: tuple[Provider, ...]
    known: Mapping[str, Provider]
    provider: str | None = None
    models: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    command: bool | None = None
    mcp: bool | None = None
    program: tuple[str, ...] = ("o-switcher",)
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Write:
    """What one file is to become: `after` None: it is to go. `folders` go with it where they are empty."""

    path: Path
    before: str | None
    after: str | None
    folders: tuple[str, ...] = ()


@dataclass(slots=True)
class Connecting:
    """`write` and `remove` change the user's files; a test may look in between."""

    journal_file: Path
    vault: Vault
    clock: Callable[[], int]
    write: Callable[[Path, str | None, str], None] = user_files.replace
    remove: Callable[[Path, str, tuple[str, ...]], None] = user_files.remove
    _turn: threading.Lock = field(default_factory=threading.Lock)

    # -- connect

    def connect(self, name: str, asked: Asked, where: Where, *, dry_run: bool = False) -> WiringView:
        """Point a client at the proxy.

        Raises:
            Refused: it cannot be done; nothing was changed.
        """
        with self._turn, _explained():
            client = client_named(name)
            token = self._token(client.name, make=not dry_run)
            aim = Aim(asked.url, token, asked.providers, asked.known, asked.provider, asked.models)
            if asked.mcp and not client.takes_mcp:
                raise Unfit(_no_mcp(client))
            if client.plan is None:
                return _shown_lines(client, _completed(aim, None, asked), dry_run)
            return _in_peace(lambda: self._connect(client, aim, asked, where, dry_run))

    def _token(self, client: str, *, make: bool) -> str:
        known = self.vault.tokens().get(client)
        return known or (self.vault.token(client) if make else f"osw-{client}-made-when-connected")

    def _connect(self, client: Client, aim: Aim, asked: Asked, where: Where, dry_run: bool) -> WiringView:
        assert client.plan is not None  # noqa: S101 - the caller has looked
        book = self._read()
        old = self._revealed(book.connections.get(client.name))
        aim = _completed(aim, old, asked)
        found = {Path(edit.path): user_files.read_text(Path(edit.path)) for edit in (old.edits if old else ())}
        back = {path: _undone(path, found[path], edit).text for path, edit in _by_path(old).items()}
        plan = client.plan(aim, Where(where.environ, where.home, back, where.system))
        urls = tuple(dict.fromkeys((*(old.urls if old else ()), aim.url, DEFAULT_URL)))
        edits, writes = [], []
        for change in plan.files:
            before = found[change.path] if change.path in found else user_files.read_text(change.path)
            base = back.get(change.path, before)
            edit, after = _made(change, base, before, _by_path(old).get(change.path), aim.token, urls)
            edits.append(edit)
            writes.append(_Write(change.path, before, after, edit.folders if before is None else ()))
        planned = {change.path for change in plan.files}
        writes += [
            _Write(path, found[path], back[path], edit.folders)
            for path, edit in _by_path(old).items()
            if path not in planned
        ]
        at = old.at if old is not None else self.clock()
        new = Connection(
            client.name,
            aim.url,
            plan.provider,
            at,
            tuple(edits),
            aim.asked,
            aim.models,
            urls,
            aim.extras.command,
            aim.extras.mcp,
        )
        changing = [write for write in writes if write.after != write.before]
        view = self._view_of(client, plan, aim, changing, dry_run)
        if not dry_run and (changing or old != new):
            self._carry_out(book, client.name, new, changing)
        return view

    def _view_of(self, client: Client, plan: Plan, aim: Aim, changing: Sequence[_Write], dry_run: bool) -> WiringView:
        notes = [*plan.notes, *(_open_notes(changing, aim.token))]
        would = "would be" if dry_run else "is"
        base = f"{client.title} {would} pointed at {aim.url} ({plan.provider})"
        message = f"{base}; restart it if it runs" if changing else f"{client.title} is connected already"
        files = tuple(_file_view(write, aim.token, "changed") for write in changing)
        return WiringView(
            client.name, client.title, plan.provider, bool(changing), dry_run, files, {}, False, tuple(notes), message
        )

    # -- disconnect

    def disconnect(self, name: str, *, dry_run: bool = False, force: bool = False) -> WiringView:
        """Put back what stood in a client's files.

        Raises:
            Refused: it is not connected, or somebody has changed our values since; nothing was changed.
        """
        with self._turn, _explained():
            client = client_named(name)
            return _in_peace(lambda: self._disconnect(client, dry_run, force))

    def _disconnect(self, client: Client, dry_run: bool, force: bool) -> WiringView:
        book = self._read()
        old = self._revealed(book.connections.get(client.name))
        if old is None:
            raise Refused("conflict", f"{client.title} is not connected; see: o-switcher connections")
        writes, notes, strays = [], [], []
        for path, edit in _by_path(old).items():
            text = user_files.read_text(path)
            result = _undone(path, text, edit, force=force)
            if journal.is_own(edit) and result.conflicts and not force:
                notes.append(f"{path} was changed since, so it stays")
                continue
            strays += [f"{conflict.place} in {path}" for conflict in result.conflicts]
            if text is None and edit.before is not None:
                notes.append(f"{path} is no longer there, so nothing was put back in it")
            elif result.text != text:
                writes.append(_Write(path, text, result.text, edit.folders))
        if (gone := [".".join(path) for path in journal.lost(old)]) and not force:
            raise Refused(
                "conflict",
                f"what stood at {', '.join(gone)} is no longer known to the vault; "
                f"take our values out all the same with: o-switcher disconnect {client.name} --force",
            )
        token = self._token(client.name, make=False)
        files = tuple(_file_view(write, token, "restored") for write in writes)
        if strays and not force:
            raise Refused("conflict", _would_do(client, strays, files))
        if not dry_run:
            self._carry_out(book, client.name, None, writes)
        did = "would be" if dry_run else "is"
        message = f"{client.title} {did} as it was before"
        return WiringView(
            client.name, client.title, old.provider, bool(writes), dry_run, files, {}, False, tuple(notes), message
        )

    # -- what is there

    def connections(self, url: str | None) -> list[ConnectionView]:
        """Every client that can be connected, and every other that has a token. `url` None: we may be anywhere."""
        with self._turn, _explained():
            book, tokens = self._read(), self.vault.tokens()
            views = [_view(client, book.connections.get(name), url, name in tokens) for name, client in CLIENTS.items()]
            others = [name for name in tokens if name not in CLIENTS]
            return views + [_token_view(name) for name in others]

    def move(self, url: str) -> list[tuple[str, str | None]]:
        """Point every connected client at our new address. For each that had another: its name, and why not if not."""
        told: list[tuple[str, str | None]] = []
        with self._turn:
            try:
                book = self._read()
            except (Refused, Unfit) as error:
                return [("", str(error))]
            for name, connection in list(book.connections.items()):
                if connection.url == url:
                    continue
                try:
                    with _explained():
                        _in_peace(partial(self._move, name, url))
                    told.append((name, None))
                except Refused as refused:
                    told.append((name, refused.message))
        return told

    def _move(self, name: str, url: str) -> None:
        book = self._read()
        old = self._revealed(book.connections[name])
        assert old is not None  # noqa: S101 - it was there a moment ago
        token, urls = self.vault.tokens().get(name), tuple(dict.fromkeys((*old.urls, url)))
        if token is None:
            raise Refused("conflict", f"its token was revoked; make a new one with: o-switcher connect {name}")
        edits, writes = [], []
        for path, edit in _by_path(old).items():
            if journal.is_own(edit):
                edits.append(edit)
                continue
            text = user_files.read_text(path)
            if text is None or _strays(path, text, edit):
                raise Refused("conflict", f"{path} was changed since; point it here with: o-switcher connect {name}")
            again = journal.moved(text, edit, journal.values_at(edit, old.url, url, token), token, urls)
            edits.append(again.edit)
            writes.append(_Write(path, text, again.text))
        new = replace(old, url=url, urls=urls, edits=tuple(edits))
        self._carry_out(book, name, new, [write for write in writes if write.before != write.after])

    # -- the journal, and the files

    def _read(self) -> Journal:
        try:
            return journal.read(self.journal_file.read_bytes())
        except FileNotFoundError:
            return Journal()
        except OSError as error:
            raise Refused("unavailable", f"{self.journal_file} cannot be read: {error.strerror}") from error
        except Unfit as error:
            raise Refused("unavailable", f"{self.journal_file} {error.words}") from error

    def _revealed(self, connection: Connection | None) -> Connection | None:
        return None if connection is None else journal.revealed(connection, self.vault.replaced(connection.client))

    def _carry_out(self, book: Journal, name: str, new: Connection | None, writes: Sequence[_Write]) -> None:
        """Journal first, then the files; all or nothing."""
        before, kept_before = book.connections.get(name), self.vault.replaced(name)
        shown, kept = (None, {}) if new is None else journal.concealed(new)
        try:
            if shown is not None:
                self.vault.keep_replaced(
                    name, kept_before | kept
                )  # whichever journal is on the disk, its keys are there
                self._note(book, name, shown)
            self._write_all(writes)
        except BaseException:
            if shown is not None:
                with suppress(Refused, VaultError):
                    self._note(book, name, before)
                    self.vault.keep_replaced(name, kept_before)
            raise
        if shown is None:
            self._note(book, name, None)
        self.vault.keep_replaced(name, kept)

    def _note(self, book: Journal, name: str, connection: Connection | None) -> None:
        """Have the journal hold that of the client; None: nothing."""
        kept = {other: one for other, one in book.connections.items() if other != name}
        book.connections = kept if connection is None else {**kept, name: connection}
        self._write(book)

    def _write(self, book: Journal) -> None:
        if not book.connections:
            self.journal_file.unlink(missing_ok=True)
            return
        try:
            write_private(self.journal_file, journal.written(book))
        except OSError as error:
            raise Refused("unavailable", f"{self.journal_file} cannot be written: {error.strerror or error}") from error

    def _write_all(self, writes: Sequence[_Write]) -> None:
        done: list[_Write] = []
        try:
            for write in writes:
                self._change(write.path, write.before, write.after, write.folders)
                done.append(write)
        except BaseException:
            for write in reversed(done):
                with suppress(user_files.Changed, user_files.Untouchable):
                    self._change(write.path, write.after, write.before, write.folders)
            raise

    def _change(self, path: Path, before: str | None, after: str | None, folders: tuple[str, ...]) -> None:
        if after is not None:
            self.write(path, before, after)
        elif before is not None:
            self.remove(path, before, folders)


def _completed(aim: Aim, old: Connection | None, asked: Asked) -> Aim:
    """What was not said is as it was the last time."""
    last = old or Connection("", "", "", 0, ())
    command = last.command if asked.command is None else asked.command
    mcp = last.mcp if asked.mcp is None else asked.mcp
    return dataclasses.replace(
        aim,
        asked=aim.asked or last.asked,
        models=aim.models or last.models or asked.routes,
        extras=Extras(asked.program, asked.environ, command, mcp),
    )


def _no_mcp(client: Client) -> str:
    by_hand = f"; do it with: {client.mcp_by_hand}" if client.mcp_by_hand else ""
    return f"O-Switcher's tools are not given to {client.title} by connect{by_hand}"


def _made(
    change: FileChange, base: str | None, before: str | None, old: FileEdit | None, token: str, urls: Sequence[str]
) -> tuple[FileEdit, str]:
    """The edit of one file, and what is in it then. One that is in force already stays as it is."""
    try:
        new = journal.made(base, change, token, urls)
        if old is not None and before is not None and not journal.strays(before, old):
            if journal.is_same(old, new.edit):
                return old, before
            if [step.path for step in old.steps] == [step.path for step in new.edit.steps]:
                values = {setting.path: setting.value for setting in change.settings}
                again = journal.moved(before, old, [values[step.path] for step in old.steps], token, urls)
                return again.edit, again.text
    except Unfit as error:
        raise _in_file(change.path, error) from error
    folders = user_files.missing_folders(change.path) if base is None and before is None else ()
    if old is not None:
        folders = (*old.folders, *folders)
    return replace(new.edit, folders=folders), new.text


def _undone(path: Path, text: str | None, edit: FileEdit, *, force: bool = False) -> journal.Undone:
    try:
        return journal.undone(text, edit, force=force)
    except Unfit as error:
        raise _in_file(path, error) from error


def _strays(path: Path, text: str | None, edit: FileEdit) -> tuple[journal.Conflict, ...]:
    try:
        return journal.strays(text, edit)
    except Unfit as error:
        raise _in_file(path, error) from error


def _by_path(connection: Connection | None) -> dict[Path, FileEdit]:
    return {Path(edit.path): edit for edit in connection.edits} if connection is not None else {}


def _in_file(path: Path, error: Unfit) -> Refused:
    where = f"{path}, line {error.line}" if error.line else str(path)
    return Refused("conflict", f"{where}: {error.words}. Nothing was changed")


@contextmanager
def _explained() -> Iterator[None]:
    """Turns what goes wrong below into the one error that people are shown."""
    try:
        yield
    except Unfit as error:
        raise Refused("bad_argument", error.words) from error
    except (user_files.Untouchable, VaultError) as error:
        raise Refused("unavailable", str(error)) from error


_T = TypeVar("_T")


def _in_peace(work: Callable[[], _T]) -> _T:
    """Do it again where a file was written by somebody else meanwhile."""
    for _ in range(TRIES - 1):
        with suppress(user_files.Changed):
            return work()
    try:
        return work()
    except user_files.Changed as error:
        raise Refused("conflict", f"{error} again and again; close what writes it, then try once more") from error


# -- words


def _shown_lines(client: Client, aim: Aim, dry_run: bool) -> WiringView:
    assert client.lines is not None  # noqa: S101 - a client has a plan or lines
    lines = dict(client.lines(aim))
    what = "put these into its settings" if client.paste else "put these into its environment"
    return WiringView(
        client.name, client.title, None, False, dry_run, (), lines, client.paste, (), f"{client.title}: {what}"
    )


def _open_notes(changing: Iterable[_Write], token: str) -> Iterator[str]:
    for write in changing:
        if write.before is not None and write.after and token in write.after and user_files.open_to_others(write.path):
            yield (
                f"other users of this machine can read {write.path}, in which the token is now; "
                f"keep them out with: chmod go-rwx '{write.path}'"
            )


def _would_do(client: Client, strays: Sequence[str], files: Sequence[FileView]) -> str:
    rest = f" What it would do:\n{''.join(view.diff for view in files)}" if any(view.diff for view in files) else ""
    return (
        f"{client.title} was not disconnected, since somebody has changed {', '.join(strays)} since it was connected. "
        f"Put back what stood there before with: o-switcher disconnect {client.name} --force{rest}"
    )


def _file_view(write: _Write, token: str, change: str) -> FileView:
    if write.before is None:
        change = "made"
    elif write.after is None:
        change = "removed"
    return FileView(str(write.path), change, diff(write.path, write.before, write.after, token))


def diff(path: Path, before: str | None, after: str | None, token: str) -> str:
    """What changes, as a unified diff in which no key can be read."""
    lines = [_without_keys(text or "", token).splitlines(keepends=True) for text in (before, after)]
    ends = [str(path) if text is not None else "/dev/null" for text in (before, after)]
    made = difflib.unified_diff(lines[0], lines[1], ends[0], ends[1])
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in made)


_NAMED = re.compile(
    r"""(?i)((["']?)[\w.-]*(?:api[-_]?key|token|secret|password|authorization)(?![\w-])\2\s*[:=]\s*)"""
    r"""("(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^\s,}\]"']+)"""
)


def _without_keys(text: str, token: str) -> str:
    shown = text.replace(token, _OURS_SHOWN)
    shown = _NAMED.sub(lambda found: found[1] + (found[3] if _OURS_SHOWN in found[3] else '"[key]"'), shown)
    return "".join(redact(line) for line in shown.splitlines(keepends=True))


_OURS_SHOWN = "<token>"  # short, so that nothing takes it for a key


def _view(client: Client, connection: Connection | None, url: str | None, has_token: bool) -> ConnectionView:
    if connection is None:
        state, words = "not connected", "" if client.plan else "shows what to set: o-switcher connect " + client.name
        found = ConnectionView(client.name, client.title, False, state, None, None, None, (), has_token, words)
        return _known(found, client)
    state, words = _state(connection, url)
    found = ConnectionView(
        client.name,
        client.title,
        True,
        state,
        connection.provider,
        connection.url,
        connection.at,
        tuple(edit.path for edit in connection.edits),
        has_token,
        words if has_token or words else f"its token was revoked; make a new one: o-switcher connect {client.name}",
    )
    return _known(found, client)


def _known(view: ConnectionView, client: Client) -> ConnectionView:
    program = client.programs[0] if client.programs else None
    return dataclasses.replace(view, program=program, kind="lines" if client.plan is None else "files")


def _state(connection: Connection, url: str | None) -> tuple[str, str]:
    again = f"o-switcher connect {connection.client}"
    for path, edit in _by_path(connection).items():
        if journal.is_own(edit):
            continue
        try:
            strays = _strays(path, user_files.read_text(path), edit)
        except (Refused, user_files.Untouchable) as error:
            return "changed", str(error)
        if strays:
            return "changed", f"{strays[0].place} in {path} is not ours any more; {again}"
    if url is not None and connection.url != url:
        return "old address", f"it points at {connection.url}, O-Switcher is at {url}; {again}"
    return "connected", ""


def _token_view(name: str) -> ConnectionView:
    return ConnectionView(name, name, False, "not connected", None, None, None, (), True, "has a token")


def where_of(places: str | None, environ: Mapping[str, str]) -> Where:
    """The machine as `places`, a JSON object of variables, describes it; as `environ` does where it says nothing.

    Raises:
        Refused: it is no such object.
    """
    named: object = {}
    try:
        named = json.loads(places) if places else {}
    except ValueError:
        named = None
    if not isinstance(named, dict) or not all(isinstance(one, str) for one in named.values()):
        raise Refused("bad_argument", "places must be a JSON object of variables and their values")
    known = {
        name: named[name] if places else environ[name] for name in PLACES if name in (named if places else environ)
    }
    home = known.get("HOME")
    return Where(known, Path(home) if home else Path.home())
