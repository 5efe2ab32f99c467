"""The history as CSV or JSON Lines, page by page: however long it is, little of it is in memory.

Each page is a read of its own, so that an export of hours keeps nobody from cutting the journal.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tray_app.core.ids import request_id, time_of
from tray_app.ledger.database import BUSY_MS, uri_of

KINDS = {"requests": "request", "attempts": "attempt", "failovers": "failover", "quota-events": "quota_event"}
FORMATS = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl"}
ROWS = 1000

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of the export. `done` is how far it reaches in time, from 0 to 1."""

    data: bytes
    rows: int
    done: float


def pages(path: Path, what: str, form: str, since: int | None = None) -> Iterator[Page]:
    """Everything of `what` (one of `KINDS`) from `since` (ms) on, oldest first, in `form` (one of `FORMATS`).

    Requests and calls count from the beginning of the request.

    Raises:
        sqlite3.Error: the file cannot be read (any more).
    """
    table, write = KINDS[what], _FORMS[form]
    with closing(sqlite3.connect(uri_of(path), uri=True, timeout=BUSY_MS / 1000, check_same_thread=False)) as history:
        columns = [row[1] for row in history.execute(f"PRAGMA table_info({table})")]
        yield Page(write.head(columns), 0, 0.0)
        begin, end = _span(history, table, since)
        reading = _by_request if table in ("request", "attempt") else _by_number
        for rows, at in reading(history, table, since):
            done = 1.0 if at is None else (at - begin) / max(end - begin, 1)
            yield Page(write.rows(columns, rows), len(rows), min(max(done, 0.0), 1.0))


def _by_request(history: sqlite3.Connection, table: str, since: int | None) -> Iterator[tuple[list[Row], int | None]]:
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


def _by_number(history: sqlite3.Connection, table: str, since: int | None) -> Iterator[tuple[list[Row], int | None]]:
    earliest = 0 if since is None else since
    first = history.execute(f"SELECT min(id) FROM {table} WHERE at >= ?", (earliest,)).fetchone()[0]  # noqa: S608
    last = (first or 0) - 1
    sql = f"SELECT id, at, * FROM {table} WHERE id > ? AND at >= ? ORDER BY id LIMIT ?"  # noqa: S608 - of KINDS
    while rows := history.execute(sql, (last, earliest, ROWS)).fetchall():
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
