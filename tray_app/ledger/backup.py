"""A copy of the history in one file, made while the app writes, and the way back from such a copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tray_app.ledger import database
from tray_app.ledger.database import Unusable, reading

PAGES = 1024  # copied at once

Progress = Callable[[int, int], None]  # pages done, and of how many


def copy(source: Path, target: Path, progress: Progress = lambda done, of: None) -> None:
    """Copy the history as it is in this moment to `target`, an empty or new file, and look whether the copy is whole.

    The writer goes on meanwhile; what it writes after the beginning is not in the copy.

    Raises:
        Unusable: the source is no history of ours, or damaged.
        sqlite3.OperationalError: it cannot be read now, or the target cannot be written.
    """
    try:
        with reading(source) as connection, closing(sqlite3.connect(target, isolation_level=None)) as made:
            connection.execute("BEGIN")  # one state all the while: else every commit would begin the copy anew
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.backup(made, pages=PAGES, progress=lambda _, left, of: progress(of - left, of))
            made.execute("PRAGMA journal_mode = DELETE")  # one file, also where nothing may be written beside it
            _sound(made)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise database.Damaged(f"is damaged ({error})") from error


def requests_in(path: Path) -> int:
    """How many requests a history holds that can be restored, read all through.

    Raises:
        Unusable: it is no history of ours, damaged, or newer than this program.
        sqlite3.OperationalError: it cannot be read.
    """
    try:
        with reading(path) as connection:
            if not database.fit_version(connection):
                raise Unusable("holds nothing")
            _sound(connection)
            return int(connection.execute("SELECT count(*) FROM request").fetchone()[0])
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise database.Damaged(f"is damaged ({error})") from error


def _sound(connection: sqlite3.Connection) -> None:
    found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if found != "ok":
        raise database.Damaged(f"is damaged ({found.splitlines()[-1]})")


def put_in_place(copied: Path, path: Path, now: int) -> Path | None:
    """Let `copied`, a file beside it, be the history from now on; where the former one went, if there was any.

    Nobody may have the history open. `now` is in ms.

    Raises:
        OSError: everything is as it was.
    """
    path = path.resolve()
    former = database.move_aside(path, now, "before-restore") if path.exists() else None
    try:
        copied.replace(path)
    except OSError:
        if former is not None:
            database.move_back(former, path)
        raise
    return former
