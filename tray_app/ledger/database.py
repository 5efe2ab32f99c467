"""Open `history.db`: pragmas, migrations, and what to do with a file that cannot be used.

A file that is corrupt, unreadable or newer than this program is moved aside whole, never changed
and never deleted. Fresh files are made by the same migrations as old ones.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from tray_app.core.pool import Member, Pool, pool_of
from tray_app.core.values import Admin, Cooldown, ErrorClass, Profile, Scope, Source

BUSY_MS = 200  # the writer gives way to others for this long before it says so
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",  # safe against the death of the process; a power cut may cost the last moments
    f"PRAGMA busy_timeout = {BUSY_MS}",
    "PRAGMA journal_size_limit = 33554432",
    "PRAGMA cache_size = -2048",
    "PRAGMA temp_store = MEMORY",
)
_NUMBER = re.compile(r"^(\d{4})_\w+\.sql$")


class Unusable(Exception):
    """The file is corrupt, unreadable or newer than this program. The text says which."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open write connection. `moved_aside` names where an unusable file went, and why."""

    connection: sqlite3.Connection
    moved_aside: str | None = None


def migrations() -> list[tuple[int, str]]:
    """All migrations as (version, SQL), in order."""
    folder = resources.files("tray_app.ledger") / "migrations"
    found = [(_NUMBER.match(entry.name), entry) for entry in folder.iterdir()]
    return sorted((int(match.group(1)), entry.read_text("utf-8")) for match, entry in found if match)


def open_for_writing(path: Path, now: int) -> Opened:
    """Open the ledger at `path`, made or brought up to date as needed. `now` is ms since the epoch.

    Raises:
        OSError, sqlite3.Error: not even a new file can be made there.
    """
    try:
        return Opened(_open(path, now))
    except Unusable as error:
        aside = move_aside(path, now)
        return Opened(_open(path, now), f"{path.name} {error}; it was moved to {aside.name} and a new one begun")


def _open(path: Path, now: int) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_unreadable(path)
    created = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        if created:
            path.chmod(0o600)
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in PRAGMAS:
            connection.execute(pragma)
        _migrate(connection, path)
        _sweep(connection)
    except sqlite3.OperationalError:
        connection.close()
        raise  # locked or full: the file itself is well
    except sqlite3.DatabaseError as error:
        connection.close()
        raise Unusable(f"is damaged ({error})") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_unreadable(path: Path) -> None:
    if not path.exists():
        return
    if path.is_dir():
        raise Unusable("is a folder")
    if not os.access(path, os.R_OK | os.W_OK):
        raise Unusable("cannot be read and written by this user")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    steps = migrations()
    newest = steps[-1][0]
    if version > newest:
        raise Unusable(f"was written by a newer version (schema {version}, known up to {newest})")
    if version == newest:
        return
    if version > 0:
        _copy(path, version)
    for number, sql in steps:
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")


def _copy(path: Path, version: int) -> None:
    """Keep a copy of the file as it was before a migration, once for each version."""
    target = path.with_name(f"{path.stem}.before-schema-{version + 1}{path.suffix}")
    if target.exists():
        return
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    target.chmod(0o600)


def _sweep(connection: sqlite3.Connection) -> None:
    """Close the rows that a killed process left open."""
    words = "the app ended before the answer did"
    for table in ("request", "attempt"):
        connection.execute(
            f"UPDATE {table} SET ended_at = started_at, outcome = 'interrupted', reason = ? WHERE ended_at IS NULL",  # noqa: S608
            (words,),
        )


def move_aside(path: Path, now: int) -> Path:
    """Rename the file and its journal files to a name that nothing else uses; where the file went."""
    stem = f"{path.stem}.aside-{now}"
    target = path.with_name(stem + path.suffix)
    path.rename(target)
    for ending in ("-wal", "-shm"):
        journal = path.with_name(path.name + ending)
        if journal.exists():
            journal.rename(target.with_name(target.name + ending))
    return target


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection for a short question."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


# -- what the app remembers


@dataclass(frozen=True, slots=True)
class Remembered:
    """The pool as it was left, for the profiles whose keys are still there."""

    pool: Pool
    state: dict[str, str]


NOTHING = Remembered(Pool(), {})


def requests_since(connection: sqlite3.Connection, since: int) -> int:
    """How many requests began in the hours from `since` (ms) on."""
    row = connection.execute("SELECT sum(requests) FROM usage_hour WHERE hour_at >= ?", (since,)).fetchone()
    return int(row[0] or 0)


def remember(connection: sqlite3.Connection, now: int) -> Remembered:
    """Profiles, operator states, re-authentication marks and cooldowns that still hold at `now`."""
    members = []
    for row in _rows(connection, "SELECT * FROM profile WHERE removed_at IS NULL ORDER BY created_at, id"):
        profile = Profile(
            row["id"],
            row["provider"],
            row["label"],
            row["account"],
            row["base_url"],
            row["key_fingerprint"],
            row["key_tail"],
            row["source"],
            row["priority"],
            tuple(tag for tag in row["tags"].split(",") if tag),
            row["created_at"],
        )
        rests = _cooldowns(connection, profile.id, now)
        members.append(Member(profile, Admin(row["admin_state"]), row["admin_until_at"], row["reauth_reason"], rests))
    state = {row["name"]: row["value"] for row in _rows(connection, "SELECT name, value FROM app_state")}
    return Remembered(pool_of(members), state)


def _cooldowns(connection: sqlite3.Connection, profile_id: str, now: int) -> tuple[Cooldown, ...]:
    sql = "SELECT * FROM cooldown WHERE profile_id = ? AND until_at > ?"
    return tuple(
        Cooldown(
            row["profile_id"],
            Scope(row["scope"]),
            row["model"] or None,
            row["until_at"],
            row["since_at"],
            ErrorClass(row["error_class"]),
            Source(row["source"]),
            row["reason"],
        )
        for row in _rows(connection, sql, profile_id, now)
    )


def _rows(connection: sqlite3.Connection, sql: str, *parameters: object) -> list[sqlite3.Row]:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql, parameters).fetchall()
