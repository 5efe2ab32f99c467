"""The sums of days that are over, made of their hours: one day at a time, a few milliseconds each."""

from __future__ import annotations

import sqlite3

from tray_app.core import histogram
from tray_app.ledger.packing import DAY_MS

_SUMS = (
    "sum(requests), sum(served), sum(attempts), sum(failovers), sum(request_bytes), sum(response_bytes),"
    " sum(duration_ms), sum(saved), sum(cancelled), sum(unpriced), sum(input_tokens), sum(output_tokens),"
    " sum(cache_read_tokens), sum(cache_write_tokens), sum(reasoning_tokens), sum(cost_usd),"
    " group_concat(latency_histogram)"
)
_OF_DAY = (
    f"SELECT profile_id, model, client, {_SUMS} FROM usage_hour WHERE hour_at >= ? AND hour_at < ?"  # noqa: S608
    " GROUP BY profile_id, model, client"
)
_INSERT = f"INSERT OR REPLACE INTO usage_day VALUES ({', '.join('?' * 21)})"  # noqa: S608
_NEXT = "SELECT min(hour_at) FROM usage_hour WHERE hour_at >= ?"
_THERE = "SELECT EXISTS (SELECT 1 FROM usage_day WHERE day_at = ?)"


def sum_up_next(connection: sqlite3.Connection, after: int, before: int) -> int | None:
    """Sum up the first day from `after` (ms) on that is not yet, if it is over by `before`; its beginning, or None.

    Raises:
        sqlite3.Error: nothing was done.
    """
    day_at = _next_day(connection, after)
    while day_at is not None and connection.execute(_THERE, (day_at,)).fetchone()[0]:
        day_at = _next_day(connection, day_at + DAY_MS)
    if day_at is None or day_at + DAY_MS > before:
        return None
    rows = []
    for *place, histograms in connection.execute(_OF_DAY, (day_at, day_at + DAY_MS)):
        text = histogram.merged(None, histogram.total(histograms)) if histograms else None
        rows.append((day_at, *place, text))
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, rows)
    return day_at


def _next_day(connection: sqlite3.Connection, after: int) -> int | None:
    """The next day in which there is anything."""
    hour_at = connection.execute(_NEXT, (after,)).fetchone()[0]
    return None if hour_at is None else int(hour_at) // DAY_MS * DAY_MS
