"""The history as CSV or JSON Lines, page by page: however long it is, little of it is in memory.

Each page is a read of its own, so that an export of hours keeps nobody from cutting the journal.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from tray_app.core.history import Wanted
from tray_app.core.ids import request_id, time_of
from tray_app.ledger.database import BUSY_MS, uri_of
from tray_app.ledger.search import Search, cpu_s

KINDS = {
    "requests": "request",
    "attempts": "attempt",
    "failovers": "failover",
    "quota-events": "quota_event",
    "operator-events": "operator_event",
}
OF_REQUESTS = frozenset({"requests", "attempts"})
_PROFILES = {
    "failover": "(to_profile {like} :profile OR from_profile {like} :profile)",
    "quota_event": "profile_id {like} :profile",
    "operator_event": "profile_id {like} :profile",
}
FORMATS = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl"}
ROWS = 1000

Row = tuple[object, ...]
EVERY = Wanted()
STEP_S = 0.25  # of a search, between two pages

_Reading = Callable[[sqlite3.Connection, str, Wanted], Iterator[tuple[list[Row], int | None]]]


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of the export. `done` is how far it reaches in time, from 0 to 1."""

    data: bytes
    rows: int
    done: float


def pages(path: Path, what: str, form: str, wanted: Wanted = EVERY) -> Iterator[Page]:
    """All of `what` (one of `KINDS`) that is wanted, oldest first, in `form` (one of `FORMATS`).

    Requests and calls count from the beginning of the request. Of what else happened, time and profile are asked for.

    Raises:
        sqlite3.Error: the file cannot be read (any more).
    """
    table, write = KINDS[what], _FORMS[form]
    with closing(sqlite3.connect(uri_of(path), uri=True, timeout=BUSY_MS / 1000, check_same_thread=False)) as history:
        columns = [row[1] for row in history.execute(f"PRAGMA table_info({table})")]
        yield Page(write.head(columns), 0, 0.0)
        begin, end = _span(history, table, wanted.since)
        for rows, at in _reading(what, wanted)(history, table, wanted):
            done = 1.0 if at is None else (at - begin) / max(end - begin, 1)
            yield Page(write.rows(columns, rows), len(rows), min(max(done, 0.0), 1.0))


def _reading(what: str, wanted: Wanted) -> _Reading:
    if what not in OF_REQUESTS:
        return _by_number
    return _by_request if replace(wanted, since=None) == EVERY else _by_search


def _by_search(history: sqlite3.Connection, table: str, wanted: Wanted) -> Iterator[tuple[list[Row], int | None]]:
    """Those that a search finds, going from the oldest to the newest."""
    key, order = ("id", "id") if table == "request" else ("request_id", "request_id, seq")
    sql = f"SELECT * FROM {table} WHERE {key} IN (SELECT value FROM json_each(?)) ORDER BY {order}"  # noqa: S608
    last: str | None = wanted.after or ""
    while last is not None:
        ids = Search(lambda sql, given: history.execute(sql, dict(given)), replace(wanted, after=last)).ids(
            ROWS, cpu_s(STEP_S)
        )
        last = ids.reached or (ids.found[-1] if len(ids.found) >= ROWS else None)
        rows = history.execute(sql, (json.dumps(ids.found),)).fetchall()
        yield rows, None if last is None else time_of(last.ljust(14, "0"))


def _by_request(history: sqlite3.Connection, table: str, wanted: Wanted) -> Iterator[tuple[list[Row], int | None]]:
    since = wanted.since
    key = "id" if table == "request" else "request_id"
    order = "id" if table == "request" else "request_id, seq"
    last = "" if since is None else request_id(max(since, 0), 0)
    first = True
    while True:
        sql = "SELECT max(id) FROM (SELECT id FROM request_data WHERE id > ? ORDER BY id LIMIT ?)"
        upto = history.execute(sql, (last, ROWS)).fetchone()[0]
        after = ">=" if first else ">"
        terms = f"{key} {after} ?" + (f" AND {key} <= ?" if upto else "")
        sql = f"SELECT * FROM {table} WHERE {terms} ORDER BY {order}"  # noqa: S608 - words of ours
        rows = history.execute(sql, (last, upto) if upto else (last,)).fetchall()
        yield rows, upto and time_of(upto)
        if upto is None:
            return
        first, last = False, upto


def _by_number(history: sqlite3.Connection, table: str, wanted: Wanted) -> Iterator[tuple[list[Row], int | None]]:
    earliest = 0 if wanted.since is None else wanted.since
    latest = 1 << 62 if wanted.until is None else wanted.until
    profile = wanted.profile
    first = history.execute(f"SELECT min(id) FROM {table} WHERE at >= ?", (earliest,)).fetchone()[0]  # noqa: S608
    last = (first or 0) - 1
    term = "TRUE" if profile is None else _PROFILES[table].format(like="GLOB" if "*" in profile else "=")
    times = "id > :last AND at >= :earliest AND at < :latest"
    sql = f"SELECT id, at, * FROM {table} WHERE {times} AND {term} ORDER BY id LIMIT :rows"  # noqa: S608 - of KINDS
    given = {"earliest": earliest, "latest": latest, "profile": profile, "rows": ROWS}
    while rows := history.execute(sql, {**given, "last": last}).fetchall():
        last = rows[-1][0]
        yield [row[2:] for row in rows], rows[-1][1]
    yield [], None


def _span(history: sqlite3.Connection, table: str, since: int | None) -> tuple[int, int]:
    """From when to when the rows are."""
    if table in ("request", "attempt"):
        found = history.execute("SELECT min(id), max(id) FROM request_data").fetchone()
        begin, end = ((time_of(one) or 0) if one else 0 for one in found)
    else:
        found = history.execute(f"SELECT min(at), max(at) FROM {table}").fetchone()  # noqa: S608 - of KINDS
        begin, end = (one or 0 for one in found)
    return max(begin, since or 0), end


@dataclass(frozen=True, slots=True)
class _Form:
    head: Callable[[Sequence[str]], bytes]
    rows: Callable[[Sequence[str], Sequence[Row]], bytes]


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _json_lines(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    encoder = msgspec.json.Encoder()
    return encoder.encode_lines([dict(zip(columns, row, strict=True)) for row in rows])


_FORMS = {
    "csv": _Form(lambda columns: _csv([columns]), lambda columns, rows: _csv(rows)),
    "jsonl": _Form(lambda columns: b"", _json_lines),
}
