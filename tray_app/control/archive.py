"""What people take out of the history and bring back: exports, backups, restores. Works beside the running app.

Files come into being whole or not at all, for this user only, and replace another only when told to.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tray_app.control.searching import wanted
from tray_app.control.verbs import VERBS, Argument, Refused
from tray_app.core.history import Wanted
from tray_app.host import instance
from tray_app.host.home import Home, private_folder
from tray_app.ledger import backup, database, export
from tray_app.ledger.database import Unusable, reading

MEDIA_TYPES = export.FORMATS
Page = export.Page
KINDS, FORMATS = tuple(export.KINDS), tuple(export.FORMATS)
TIMED = ("profile", "since", "until")
NARROWING = tuple(one.name for one in VERBS["history"].parameters if one.name not in ("limit", "before", "after"))
Progress = Callable[[float], None]  # from 0 to 1


@dataclass(frozen=True, slots=True)
class Exported:
    """What has been written, and how much of it."""

    what: str
    rows: int
    file: str


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that has been made. `size` is in bytes."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in place now, and the file that was there before."""

    file: str
    requests: int
    former: str | None


def exported(path: Path, what: str, form: str, asked: Mapping[str, Argument]) -> Iterator[Page]:
    """The pages of an export of the history at `path`. `asked` are arguments of the verb `history` that say of what.

    Of what is no request, nor a call of one, only a time and a profile can be asked for.

    Raises:
        Refused: there is no such thing or form, or the history cannot be read.
    """
    if what not in export.KINDS:
        raise Refused("bad_argument", f"{what!r} cannot be exported; there are: {', '.join(KINDS)}")
    if form not in FORMATS:
        raise Refused("bad_argument", f"no format is called {form!r}; there are: {', '.join(FORMATS)}")
    for name in asked:
        if name not in (NARROWING if what in export.OF_REQUESTS else TIMED):
            raise Refused("bad_argument", f"{what} cannot be exported by {name!r}")
    search = wanted(asked)
    _there(path)
    return _read(path, what, form, search)


def _read(path: Path, what: str, form: str, search: Wanted) -> Iterator[Page]:
    try:
        yield from export.pages(path, what, form, search)
    except sqlite3.Error as error:
        raise Refused("unavailable", f"{path} cannot be read: {error}; see: o-switcher doctor") from error


def export_to(
    home: Home, out: Path, what: str, form: str, since: int | None, *, force: bool, progress: Progress
) -> Exported:
    """Write an export to a file.

    Raises:
        Refused: it cannot be done; the file is as it was.
    """
    pages = exported(home.history, what, form, {} if since is None else {"since": since})
    _not_ours(home, out)
    rows = 0
    with new_file(out, force=force) as part, part.open("wb") as file:
        for page in pages:
            file.write(page.data)
            rows += page.rows
            progress(page.done)
        file.flush()
        os.fsync(file.fileno())
    return Exported(what, rows, str(out))


def back_up(home: Home, out: Path, *, force: bool, progress: Progress) -> Backup:
    """Copy the history to a file, whether or not the app runs.

    Raises:
        Refused: it cannot be done; the file is as it was.
    """
    source = home.history
    _there(source)
    _not_ours(home, out)
    with new_file(out, force=force) as part, _understood(source):
        backup.copy(source, part, lambda done, of: progress(done / max(of, 1)))
    return Backup(str(out), out.stat().st_size)


def restore(home: Home, file: Path, *, progress: Progress) -> Restored:
    """Let a backup be the history from now on; the former one is kept beside it.

    Raises:
        Refused: the file will not do, or the app runs; everything is as it was.
    """
    path = home.history
    if not file.is_file():
        raise Refused("not_found", f"{file} is not there, or is no file")
    if path.exists() and file.samefile(path):
        raise Refused("bad_argument", f"{file} is the history itself")
    with _understood(file):
        requests = backup.requests_in(file)
    private_folder(path.parent)
    with _alone(home), new_file(path, force=True, place=False) as part:
        with _understood(file):
            backup.copy(file, part, lambda done, of: progress(done / max(of, 1)))
        former = backup.put_in_place(part, path, round(time.time() * 1000))
    return Restored(str(path), requests, None if former is None else str(former))


@dataclass(frozen=True, slots=True)
class Updated:
    """A history and its schema, before and now. `kept` is the file as it was; None where nothing was to be done."""

    file: str
    before: int
    now: int
    kept: str | None


def bring_up_to_date(home: Home, *, trial: bool) -> Updated:
    """Carry out the migrations that the history lacks, on a copy only where it is but a trial.

    A trial works beside the running app.

    Raises:
        Refused: it cannot be done, or (no trial) the app runs; the history is as it was.
    """
    path = home.history
    newest = database.migrations()[-1][0]
    if not path.exists():
        return Updated(str(path), newest, newest, None)
    with _understood(path):
        if trial:
            with reading(path) as connection:
                before = database.fit_version(connection)
            if before != newest:
                with new_file(path, force=True, place=False) as part:
                    backup.copy(path, part)
                    database.try_migrations(part)
            return Updated(str(path), before, newest, None)
        with _alone(home):
            before, now = database.bring_up_to_date(path)
    kept = None if before == now else str(database.copy_before(path, before))
    return Updated(str(path), before, now, kept)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Nobody else may have the history open for writing meanwhile."""
    try:
        held = instance.claim(home.lock, home.running)
    except OSError as error:
        raise Refused("unavailable", f"{home.lock.parent} cannot be written: {error.strerror or error}") from error
    if held is None:
        raise Refused("conflict", "O-Switcher is running; stop it first: o-switcher stop")
    try:
        yield
    finally:
        held.release()


@contextmanager
def new_file(path: Path, *, force: bool, place: bool = True) -> Iterator[Path]:
    """A file to write to, beside `path`; it gets that name in the end, if nothing goes wrong and it is to be placed.

    Raises:
        Refused: `path` is there already and is not to be replaced, or nothing can be written there.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise Refused("bad_argument", f"{path} is a folder; name a file")
    if target.exists() and not force:
        raise _exists(path)
    try:
        fd, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        os.close(fd)
    except OSError as error:
        raise _unwritten(path, error) from error
    part = Path(name)
    try:
        yield part
        if place:
            _put(part, target, path, force=force)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _put(part: Path, target: Path, path: Path, *, force: bool) -> None:
    if force:
        part.replace(target)
        return
    try:
        os.link(part, target)  # unlike a renaming it replaces nothing that has come there meanwhile
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:  # a disk that knows no links
        part.rename(target)


@contextmanager
def _understood(source: Path) -> Iterator[None]:
    """What goes wrong between two databases, in words."""
    try:
        yield
    except Unusable as error:
        raise Refused("conflict", f"{source} {error}") from error
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise Refused("unavailable", f"{source} cannot be read now: {error}; see: o-switcher doctor") from error


def _not_ours(home: Home, out: Path) -> None:
    """Even with --force, nothing of the app's own is replaced."""
    own = (home.config, home.history, home.decisions, home.running, home.keys, home.lock)
    if os.path.realpath(out) in {os.path.realpath(path) for path in own}:
        raise Refused("bad_argument", f"{out} is the app's own; name another file")


def _there(path: Path) -> None:
    if not path.exists():
        raise Refused("not_found", f"there is no history yet: {path} is made by the first start")


def _exists(path: Path) -> Refused:
    return Refused("conflict", f"{path} is there already; replace it with --force, or name another file")


def _unwritten(path: Path, error: OSError) -> Refused:
    return Refused("unavailable", f"{path} cannot be written: {(error.strerror or str(error)).lower()}")
