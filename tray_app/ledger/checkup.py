"""Whether `history.db` is well: looked at read-only, by anybody, while the app runs or not. Mends nothing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tray_app.ledger.database import migrations, reading


@dataclass(frozen=True, slots=True)
class Checkup:
    """`size` is in bytes, journal included. `requests` are those recorded; None where they cannot be counted.

    `held`: nothing may be wrong with it, but it cannot be looked at now.
    """

    size: int
    requests: int | None
    trouble: str | None  # what is wrong with it, in words
    held: bool = False
    latest_at: int | None = None  # ms; when the latest request began


def check_up(path: Path) -> Checkup | None:
    """How the file is; None where there is none yet. Reads all of it once."""
    path = path.resolve()
    if not path.exists():
        return None
    size = sum(_size(path.with_name(path.name + ending)) for ending in ("", "-wal"))
    if not path.is_file():
        return Checkup(0, None, "is not a file")
    if not os.access(path, os.R_OK | os.W_OK):
        return Checkup(size, None, "cannot be read and written by this user")
    try:
        with reading(path) as connection:
            requests, trouble = _examined(connection)
            return Checkup(size, requests, trouble, latest_at=_latest(connection) if requests else None)
    except sqlite3.OperationalError as error:
        return Checkup(size, None, f"cannot be read now ({error})", held=True)
    except sqlite3.Error as error:
        return Checkup(size, None, f"cannot be read ({error})")


def _latest(connection: sqlite3.Connection) -> int | None:
    found = connection.execute("SELECT max(started_at) FROM request").fetchone()[0]
    return None if found is None else int(found)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _examined(connection: sqlite3.Connection) -> tuple[int | None, str | None]:
    version, newest = int(connection.execute("PRAGMA user_version").fetchone()[0]), migrations()[-1][0]
    if version > newest:
        return None, f"was written by a newer version (schema {version}, known up to {newest})"
    found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if found != "ok":
        return None, f"is damaged ({found.splitlines()[-1]})"
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    if "request" not in tables:
        return 0, "is the database of another program" if tables else None
    return int(connection.execute("SELECT count(*) FROM request").fetchone()[0]), None
