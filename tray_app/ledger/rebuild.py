"""The hourly sums, counted anew from requests and attempts: hour by hour, so that a running app goes on meanwhile."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tray_app.core import histogram
from tray_app.core.ids import request_id
from tray_app.ledger import faults
from tray_app.ledger.batch import FAULTS, HOUR_MS, USAGE, Row

BUSY_MS = 10_000
_FAULTS = faults.counted("d.request_id >= ? AND d.request_id < ?")

_REQUESTS = """
SELECT coalesce(profile_id, ''), coalesce(model, ''), client, count(*), sum(outcome = 'served'),
       sum(coalesce(attempts, 0)), sum(coalesce(failovers, 0)), sum(request_bytes),
       sum(coalesce(response_bytes, 0)), sum(coalesce(duration_ms, 0)),
       sum(outcome = 'served' AND failovers > 0), sum(outcome = 'client_cancelled')
FROM request WHERE id >= ? AND id < ? AND ended_at IS NOT NULL GROUP BY 1, 2, 3
"""
_ATTEMPTS = """
SELECT a.profile_id, coalesce(r.model, ''), r.client,
       sum(a.cost_usd IS NULL AND coalesce(a.input_tokens, a.output_tokens) IS NOT NULL),
       sum(a.input_tokens), sum(a.output_tokens), sum(a.cache_read_tokens), sum(a.cache_write_tokens),
       sum(a.reasoning_tokens), sum(a.cost_usd)
FROM attempt a JOIN request r ON r.id = a.request_id WHERE a.request_id >= ? AND a.request_id < ?
GROUP BY 1, 2, 3 HAVING coalesce(sum(a.input_tokens), sum(a.output_tokens), sum(a.cost_usd)) IS NOT NULL
"""
_LATENCIES = """
SELECT coalesce(profile_id, ''), coalesce(model, ''), client, coalesce(ttft_ms, duration_ms)
FROM request WHERE id >= ? AND id < ? AND outcome = 'served'
"""


def rebuild(path: Path, now: int, progress: Callable[[int, int], None] = lambda done, of: None) -> int:
    """Count every hour up to the one before `now` (ms) anew; how many there were.

    The hour that goes on is left alone: a running app adds to it. `progress` is told hours done, and of how many.

    Raises:
        sqlite3.Error: the file cannot be read or written; hours that are done are right.
    """
    with closing(sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)) as connection:
        first = connection.execute("SELECT started_at FROM request ORDER BY id LIMIT 1").fetchone()
        if first is None:
            return 0
        hours = range(first[0] // HOUR_MS * HOUR_MS, now // HOUR_MS * HOUR_MS, HOUR_MS)
        for done, hour_at in enumerate(hours, 1):
            _rebuild_hour(connection, hour_at)
            progress(done, len(hours))
        return len(hours)


def _rebuild_hour(connection: sqlite3.Connection, hour_at: int) -> None:
    span = (request_id(hour_at, 0), request_id(hour_at + HOUR_MS, 0))
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("DELETE FROM usage_hour WHERE hour_at = ?", (hour_at,))
        connection.executemany(USAGE, _rows(connection, hour_at, span))
        connection.execute("DELETE FROM fault_hour WHERE hour_at = ?", (hour_at,))
        connection.executemany(FAULTS, connection.execute(_FAULTS, span).fetchall())
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _rows(connection: sqlite3.Connection, hour_at: int, span: tuple[str, str]) -> list[Row]:
    took: dict[Row, Counter[int]] = {}
    for *place, ms in connection.execute(_LATENCIES, span):
        took.setdefault(tuple(place), Counter())[histogram.bucket_of(ms or 0)] += 1
    rows: list[Row] = []
    for row in connection.execute(_REQUESTS, span):
        place, counts = row[:3], (*row[3:], 0)
        text = histogram.merged(None, took[tuple(place)]) if tuple(place) in took else None
        rows.append((hour_at, *place, *counts, *[None] * 6, text))
    for *place, unpriced, inputs, outputs, read, written, reasoning, cost in connection.execute(_ATTEMPTS, span):
        spent = (inputs, outputs, read, written, reasoning, cost)
        rows.append((hour_at, *place, *[0] * 9, unpriced, *spent, None))
    return rows
