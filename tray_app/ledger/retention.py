"""What is too old, or too much, goes: whole days (UTC), the oldest first, in steps of a few milliseconds.

Before that, days that are over are summed up for reports. Each step is one small transaction of the one writer, which
does a step only while nobody waits for a commit. Sums stay. The space that is freed is given back to the disk, in small
steps as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from tray_app.core.ids import request_id
from tray_app.ledger import packing
from tray_app.ledger.days import sum_up_next
from tray_app.ledger.packing import DAY_MS

ROWS = 150  # requests, or other rows, that one step takes away
PAGES = 32  # that one step gives back
TIMED = ("failover", "quota_event", "operator_event")  # tables that are found by `at`


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: `days` whole ones before today, and in all `size` bytes, without what cannot be taken away."""

    days: int
    size: int


class Retention:
    """One round of it. `step` until nothing is left to do."""

    def __init__(self, limits: Limits, now: int) -> None:
        self._limits = limits
        self._today = now // DAY_MS * DAY_MS
        self._before = self._today - limits.days * DAY_MS  # what began before is taken away
        self._summed = 0  # days before are
        self._doing: Callable[[sqlite3.Connection], bool] = self._sum_up
        self.note: str | None = None

    def step(self, connection: sqlite3.Connection) -> bool:
        """Do a little; whether there may be more to do.

        Raises:
            sqlite3.Error: nothing of this step was done.
        """
        return self._doing(connection)

    def _sum_up(self, connection: sqlite3.Connection) -> bool:
        """Days that are over; yesterday may still go on: a request counts in the hour in which it began."""
        day_at = sum_up_next(connection, self._summed, self._today - DAY_MS)
        if day_at is None:
            self._doing = self._take_away
        else:
            self._summed = day_at + DAY_MS
        return True

    def _take_away(self, connection: sqlite3.Connection) -> bool:
        connection.execute("BEGIN IMMEDIATE")
        try:
            gone = _requests_gone(connection, request_id(max(self._before, 0), 0)) or any(
                _events_gone(connection, table, self._before) for table in TIMED
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if not gone:
            self._doing = self._forget
        return True

    def _forget(self, connection: sqlite3.Connection) -> bool:
        packing.forget(connection, self._before)
        self._doing = self._next_day
        return True

    def _next_day(self, connection: sqlite3.Connection) -> bool:
        """Where it is still too much, the oldest day goes as well; never today."""
        self._doing = self._give_back
        if _used(connection) <= self._limits.size:
            return True
        oldest = _oldest(connection)
        if oldest is None or oldest >= self._today:
            self.note = (
                f"history.db holds more than its {self._limits.size / 1024**2:,.0f} MB with today's records alone; "
                "allow more with: o-switcher config set history.max_size_mb"
            )
        else:
            self._before = (oldest // DAY_MS + 1) * DAY_MS
            self._doing = self._take_away
        return True

    def _give_back(self, connection: sqlite3.Connection) -> bool:
        connection.executescript(f"PRAGMA incremental_vacuum({PAGES});")  # `execute` would end after one page
        return _pragma(connection, "auto_vacuum") == 2 and _pragma(connection, "freelist_count") > 0


def _requests_gone(connection: sqlite3.Connection, before: str) -> bool:
    """Take a few of the oldest requests away, with all that belongs to them; whether there were any."""
    sql = "SELECT max(id) FROM (SELECT id FROM request_data WHERE id < ? ORDER BY id LIMIT ?)"
    last = connection.execute(sql, (before, ROWS)).fetchone()[0]
    bound = before if last is None else last
    calls = connection.execute("DELETE FROM attempt_data WHERE request_id <= ?", (bound,))
    connection.execute("DELETE FROM attempt_usage WHERE attempt_id < ? || '.'", (bound,))  # which comes after '-'
    if last is None:
        return calls.rowcount > 0
    connection.execute("DELETE FROM segment WHERE request_id <= ?", (last,))
    connection.execute("DELETE FROM request_data WHERE id <= ?", (last,))
    return True


def _events_gone(connection: sqlite3.Connection, table: str, before: int) -> bool:
    sql = f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE at < ? ORDER BY at LIMIT ?)"  # noqa: S608 - of TIMED
    return connection.execute(sql, (before, ROWS)).rowcount > 0


def _oldest(connection: sqlite3.Connection) -> int | None:
    """When the oldest record that could be taken away was made, in ms."""
    first = connection.execute("SELECT started_at FROM request ORDER BY id LIMIT 1").fetchone()
    times = [first[0]] if first else []
    times += [connection.execute(f"SELECT min(at) FROM {table}").fetchone()[0] for table in TIMED]  # noqa: S608
    return min((at for at in times if at is not None), default=None)


def _used(connection: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
