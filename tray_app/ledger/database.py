"""Open `history.db`: pragmas, migrations, and what to do with a file that cannot be used.

A file that is corrupt, unreadable or newer than this program is moved aside whole, never changed
and never deleted: it is looked at read-only before anything is written. Fresh files are made by the
same migrations as old ones.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TypeVar

from tray_app.core.pool import Member, Pool, pool_of
from tray_app.core.values import Admin, Cooldown, ErrorClass, Outcome, Profile, Scope, Source
from tray_app.ledger import faults, packing
from tray_app.ledger.batch import FAULTS, USAGE, Row, usage_key

BUSY_MS = 200  # the writer gives way to others for this long before it says so
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",  # safe against the death of the process; a power cut may cost the last moments
    "PRAGMA journal_size_limit = 33554432",
    "PRAGMA cache_size = -2048",
    "PRAGMA temp_store = MEMORY",
)
KILLED = "the app ended before the answer did"
STATE_TABLES = ("profile", "cooldown", "app_state")  # small, and needed to go on as before
_FAULTS = faults.counted("d.request_id = ?")
_NUMBER = re.compile(r"^(\d{4})_\w+\.sql$")


class Unusable(Exception):
    """The file cannot be this program's history: a folder, unreadable, foreign or newer. The text says which."""


class Damaged(Unusable):
    """The file is corrupt; some of it may still be readable."""


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


def open_for_writing(path: Path, now: int, alive: Collection[object] = ()) -> Opened:
    """Open the ledger at `path`, made or brought up to date as needed.

    Args:
        now: ms since the epoch.
        alive: ids of requests that this process is still busy with; open rows of others are closed.

    Raises:
        OSError, sqlite3.Error: not even a new file can be made there.
    """
    path = path.resolve()
    try:
        return Opened(_open(path, alive))
    except Unusable as error:
        return begin_anew(path, now, error)


def begin_anew(path: Path, now: int, why: Unusable) -> Opened:
    """Move the file aside and begin a new one, with as much of the profiles' state as can still be read.

    Raises:
        OSError, sqlite3.Error: it cannot be moved, or no new file can be made there.
    """
    path = path.resolve()
    aside = move_aside(path, now)
    connection = _open(path, ())
    if isinstance(why, Damaged):
        _salvage(aside, connection)
    return Opened(connection, f"{path.name} {why}; it was moved to {aside.name} and a new one begun")


def _open(path: Path, alive: Collection[object]) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    version = _examined(path)
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        if version is None:
            path.chmod(0o600)
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in PRAGMAS:
            connection.execute(pragma)
        _migrate(connection, path, version or 0)
        _sweep(connection, alive)
    except sqlite3.OperationalError:
        connection.close()
        raise  # locked or full: the file itself is well
    except sqlite3.DatabaseError as error:
        connection.close()
        raise Damaged(f"is damaged ({error})") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _examined(path: Path) -> int | None:
    """The version of the schema in the file, None where there is none yet. Changes nothing.

    Raises:
        Unusable: the file must be moved aside.
        sqlite3.OperationalError: it cannot be looked at now.
    """
    if not path.exists():
        return None
    if not path.is_file():
        raise Unusable("is not a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise Unusable("cannot be read and written by this user")
    if path.stat().st_size == 0:
        return None
    try:
        with reading(path) as connection:
            return fit_version(connection)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise Damaged(f"is damaged ({error})") from error


def fit_version(connection: sqlite3.Connection) -> int:
    """The version of the schema; 0 where there is nothing at all.

    Raises:
        Unusable: it is not ours, newer than this program, or damaged in a table that the app needs to go on.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    newest = migrations()[-1][0]
    if version > newest:
        raise Unusable(f"was written by a newer version (schema {version}, known up to {newest})")
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    if not version and not tables:
        return version
    if not version or not tables.issuperset(("request", "attempt", "failover", "usage_hour", *STATE_TABLES)):
        raise Unusable("is the database of another program")
    for table in STATE_TABLES:
        found = connection.execute(f"PRAGMA quick_check({table})").fetchone()[0]
        if found != "ok":
            raise Damaged(f"is damaged ({found.splitlines()[-1]})")
    return version


def _migrate(connection: sqlite3.Connection, path: Path | None, version: int) -> None:
    steps = [(number, sql) for number, sql in migrations() if number > version]
    if path is not None and steps and version > 0:
        _copy(path, version)
    if steps:  # all of them or none: an earlier version of the program can go on with what a failure leaves
        script = "\n".join(f"{sql}\nPRAGMA user_version = {number};" for number, sql in steps)
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nCOMMIT;")


def bring_up_to_date(path: Path) -> tuple[int, int]:
    """Carry out the migrations that a history lacks, and keep a copy of it as it was; from which schema to which.

    Raises:
        Unusable: it is no history of ours, newer, damaged, or its rows do not go through the migrations.
        sqlite3.OperationalError: it cannot be read or written now.
    """
    path = path.resolve()
    before = _examined(path)
    newest = migrations()[-1][0]
    if before is None or before == newest:
        return newest, newest
    _open(path, ()).close()
    return before, newest


def try_migrations(copy: Path) -> None:
    """Carry out the migrations on a copy that nobody else has open; nothing is kept of it.

    Raises:
        Unusable: they cannot be carried out.
        sqlite3.OperationalError: there is no room for it.
    """
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            _migrate(connection, None, fit_version(connection))
            connection.execute("SELECT * FROM v_recent_requests LIMIT 1").fetchall()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "SQLITE_ERROR") == "SQLITE_ERROR":
            raise Damaged(f"does not go through the migrations ({error})") from error
        raise
    except sqlite3.DatabaseError as error:
        raise Damaged(f"does not go through the migrations ({error})") from error


def copy_before(path: Path, version: int) -> Path:
    """Where a history is kept as it was with that schema."""
    return path.with_name(f"{path.stem}.before-schema-{version + 1}{path.suffix}")


def _copy(path: Path, version: int) -> None:
    """Keep a copy of the file as it was before a migration, once for each version."""
    target = copy_before(path, version)
    if target.exists():
        return
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)  # of a process that was killed
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
        part.chmod(0o600)
        source.backup(copy)
    part.replace(target)


def _sweep(connection: sqlite3.Connection, alive: Collection[object]) -> None:
    """Close the rows that a killed process left open, and count their requests as those that ended."""
    calls = connection.execute("SELECT request_id, seq FROM attempt_data WHERE clock IS NULL").fetchall()
    requests = connection.execute("SELECT id FROM request_data WHERE ended IS NULL").fetchall()
    dead_calls = [key for key in calls if key[0] not in alive]
    dead = [request_id for (request_id,) in requests if request_id not in alive]
    if not dead_calls and not dead:
        return
    connection.execute("BEGIN IMMEDIATE")
    combinations = packing.Combinations(connection, {})
    for key in dead_calls:
        _close_call(connection, combinations, key)
    for request_id in dead:
        _close_request(connection, combinations, request_id)
        _count(connection, request_id)
    connection.execute("COMMIT")


def _close_call(connection: sqlite3.Connection, combinations: packing.Combinations, key: Row) -> None:
    sql = "SELECT started_at, profile_id, model FROM attempt WHERE request_id = ? AND seq = ?"
    at, profile_id, model = connection.execute(sql, key).fetchone()
    kind = combinations.number(packing.ATTEMPT_KIND, (profile_id, model, Outcome.INTERRUPTED, None, None, ""), at)
    fault = combinations.number(packing.ATTEMPT_FAULT, (None, None, None, None, KILLED), at)
    sql = "UPDATE attempt_data SET clock = 0, kind = ?, fault = ? WHERE request_id = ? AND seq = ?"
    connection.execute(sql, (kind, fault, *key))


def _close_request(connection: sqlite3.Connection, combinations: packing.Combinations, request_id: str) -> None:
    sql = (
        "SELECT started_at, (SELECT profile_id FROM attempt WHERE request_id = ?1 ORDER BY seq DESC LIMIT 1),"
        " (SELECT count(*) FROM attempt WHERE request_id = ?1), (SELECT count(*) FROM failover WHERE request_id = ?1)"
        " FROM request WHERE id = ?1"
    )
    at, *told = connection.execute(sql, (request_id,)).fetchone()
    ending = (Outcome.INTERRUPTED, None, *told, None, "", None)
    number = combinations.number(packing.REQUEST_END, ending, at)
    sql = (
        "UPDATE request_data SET ended = 1, ending = ?, more = json_set(coalesce(more, '{}'), '$.reason', ?)"
        " WHERE id = ?"
    )
    connection.execute(sql, (number, KILLED, request_id))


def _count(connection: sqlite3.Connection, request_id: str) -> None:
    sql = "SELECT started_at, profile_id, model, client, attempts, failovers, request_bytes FROM request WHERE id = ?"
    *place, attempts, failovers, size = connection.execute(sql, (request_id,)).fetchone()
    nothing = [None] * 7
    connection.execute(USAGE, (*usage_key(*place), 1, 0, attempts, failovers, size, *[0] * 5, *nothing))
    connection.executemany(FAULTS, connection.execute(_FAULTS, (request_id,)).fetchall())


def _salvage(aside: Path, connection: sqlite3.Connection) -> None:
    """Take the small tables over from a damaged file, as far as they can be read: paused stays paused."""
    for table in STATE_TABLES:
        rows: list[tuple[object, ...]] = []
        with suppress(sqlite3.Error), reading(aside) as old:  # the rows before the damage are kept
            for row in old.execute(f"SELECT * FROM {table}"):  # noqa: S608
                rows.append(row)
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            with suppress(sqlite3.Error):
                connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)  # noqa: S608


def move_aside(path: Path, now: int, why: str = "aside") -> Path:
    """Rename the file and its journal files to a name that nothing else uses and that says `why`; where the file went.

    Raises:
        OSError: nothing was moved.
    """
    target = path.with_name(f"{path.stem}.{why}-{now}{path.suffix}")
    while os.path.lexists(target):
        now += 1
        target = path.with_name(f"{path.stem}.{why}-{now}{path.suffix}")
    _rename(path, target)
    return target


def move_back(aside: Path, path: Path) -> None:
    """Undo `move_aside`.

    Raises:
        OSError: it stays where it is.
    """
    _rename(aside, path)


def _rename(path: Path, target: Path) -> None:
    """All files of a database, or none."""
    moved: list[tuple[Path, Path]] = []
    try:
        for ending in ("-wal", "-shm", ""):  # the file last: without it SQLite would throw its journal away
            source = path.with_name(path.name + ending)
            if os.path.lexists(source):
                moved.append((source, source.rename(target.with_name(target.name + ending))))
    except OSError:
        for source, place in moved:
            place.rename(source)
        raise


def uri_of(path: Path) -> str:
    """The address of that file for a read-only connection; a name may hold `?`, `#` and `%`."""
    return f"{path.absolute().as_uri()}?mode=ro"


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection for a short question."""
    with closing(sqlite3.connect(uri_of(path), uri=True, timeout=BUSY_MS / 1000)) as connection:
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


def remember(connection: sqlite3.Connection) -> Remembered:
    """Profiles, operator states, re-authentication marks and cooldowns; also those that have ended meanwhile."""
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
        rests = _cooldowns(connection, profile.id)
        admin = _known(Admin, row["admin_state"]) or Admin.ENABLED
        members.append(Member(profile, admin, row["admin_until_at"], row["reauth_reason"], rests))
    state = {row["name"]: row["value"] for row in _rows(connection, "SELECT name, value FROM app_state")}
    return Remembered(pool_of(members), state)


def _cooldowns(connection: sqlite3.Connection, profile_id: str) -> tuple[Cooldown, ...]:
    found = []
    for row in _rows(connection, "SELECT * FROM cooldown WHERE profile_id = ?", profile_id):
        scope, error = _known(Scope, row["scope"]), _known(ErrorClass, row["error_class"])
        source = _known(Source, row["source"]) or Source.INFERRED
        if scope is not None and error is not None:
            until, since = row["until_at"], row["since_at"]
            found.append(Cooldown(profile_id, scope, row["model"] or None, until, since, error, source, row["reason"]))
    return tuple(found)


_Word = TypeVar("_Word", bound=StrEnum)


def _known(kind: type[_Word], word: str) -> _Word | None:
    """The member of that name; None for one that another version of the program wrote."""
    return next((member for member in kind if member.value == word), None)


def _rows(connection: sqlite3.Connection, sql: str, *parameters: object) -> list[sqlite3.Row]:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql, parameters).fetchall()
