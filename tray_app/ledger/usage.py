"""What a period came to, out of the sums by the hour, and of the days that are over where that is as good.

Counts and money are read by the hour, so that days may begin when they do here; only a long period takes them by the
(UTC) day. How long things took is always taken by the day where a whole one is over: there is much of it to add up.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tray_app.core import histogram
from tray_app.core.history import Faults, Period, Quantiles, Slot, Sums, Usage
from tray_app.ledger.batch import HOUR_MS
from tray_app.ledger.packing import DAY_MS

LONG_MS = 62 * DAY_MS
_COLUMNS = (
    *("requests", "served", "saved", "cancelled", "failovers", "attempts", "unpriced"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cost_usd"),
)
_COST = len(_COLUMNS) - 1
_FILTERS = {
    "profile": "profile_id = :profile",
    "model": "model = :model",
    "client": "client = :client",
    "provider": "profile_id IN (SELECT id FROM profile WHERE provider = :provider)",
}

_Values = list[Any]  # numbers, and None where there is none


def asked(cursor: sqlite3.Cursor, period: Period, starts: Sequence[int]) -> Usage:
    """The answer, by slots that begin at `starts`."""
    source = _Source(cursor, period, starts)
    by_profile: dict[str, _Values] = {}
    by_slot: list[_Values] = [[None] * len(_COLUMNS) for _ in starts]
    costs: list[dict[str, float]] = [{} for _ in starts]
    for at, profile, *values in source.sums():
        slot = _slot(starts, at)
        _add(by_profile.setdefault(profile, [None] * len(_COLUMNS)), values)
        _add(by_slot[slot], values)
        if values[_COST] is not None:
            costs[slot][profile] = costs[slot].get(profile, 0.0) + values[_COST]
    times = [Counter[int]() for _ in starts]
    for at, texts in source.times():
        times[_slot(starts, at)].update(histogram.total(texts))
    errors: list[dict[str, int]] = [{} for _ in starts]
    faults: dict[str, _Values] = {}
    for at, error_class, *values in source.faults():
        of_slot = errors[_slot(starts, at)]
        of_slot[error_class] = of_slot.get(error_class, 0) + values[0]
        _add(faults.setdefault(error_class, [None] * len(values)), values)
    every: _Values = [None] * len(_COLUMNS)
    for found in by_profile.values():
        _add(every, found)
    return Usage(
        _sums(every),
        _quantiles(sum(times, Counter())),
        tuple(
            Slot(at, _sums(values), cost, error, _quantiles(took))
            for at, values, cost, error, took in zip(starts, by_slot, costs, errors, times, strict=True)
        ),
        {profile: _sums(found) for profile, found in by_profile.items()},
        tuple(Faults(name, *values) for name, values in sorted(faults.items(), key=_most_frequent)),
    )


class _Source:
    """The rows of a period. The first hour that counts is the one in which `since` lies."""

    def __init__(self, cursor: sqlite3.Cursor, period: Period, starts: Sequence[int]) -> None:
        self._cursor = cursor
        since = period.since // HOUR_MS * HOUR_MS
        terms = [sql for name, sql in _FILTERS.items() if getattr(period, name) is not None]
        self._filter = "".join(f" AND {sql}" for sql in terms)
        self._by_day = period.until - period.since > LONG_MS
        self._given: dict[str, object] = {
            **{name: value for name in _FILTERS if (value := getattr(period, name)) is not None},
            "since": since,
            "until": period.until,
            "day": -(-since // DAY_MS) * DAY_MS,
            "after": period.until // DAY_MS * DAY_MS,
            "first": starts[0],
        }
        steps = {later - at for at, later in pairwise(starts)}
        self._at = "at"
        if len(steps) == 1:  # no change of the clocks: fewer rows come out of the file
            self._at = ":first + (at - :first) / :step * :step"
            self._given["step"] = steps.pop()

    def sums(self) -> Iterator[tuple[Any, ...]]:
        """Time, profile, and the columns, summed up."""
        columns = ", ".join(f"sum({name})" for name in _COLUMNS)
        table = self._table("profile_id", *_COLUMNS) if self._by_day else self._hours("*")
        yield from self._rows(f"SELECT {self._at}, profile_id, {columns} FROM ({table}) GROUP BY 1, 2")  # noqa: S608

    def times(self) -> Iterator[tuple[Any, ...]]:
        """Time, and histograms in one text."""
        table = self._table("latency_histogram")
        yield from self._rows(
            f"SELECT {self._at}, group_concat(latency_histogram) AS texts FROM ({table})"  # noqa: S608
            " GROUP BY 1 HAVING texts IS NOT NULL"
        )

    def faults(self) -> Iterator[tuple[Any, ...]]:
        """Time, class, how many, and what came of them."""
        yield from self._rows(
            f"SELECT {self._at.replace('at', 'hour_at')}, error_class, sum(calls), sum(failovers), sum(spared_ms),"  # noqa: S608
            f" sum(spared_usd) FROM fault_hour WHERE hour_at >= :since AND hour_at < :until{self._filter} GROUP BY 1, 2"
        )

    def _hours(self, *columns: str) -> str:
        return (
            f"SELECT hour_at AS at, {', '.join(columns)} FROM usage_hour"  # noqa: S608
            f" WHERE hour_at >= :since AND hour_at < :until{self._filter}"
        )

    def _table(self, *columns: str) -> str:
        """Whole days that are summed up, at their noon, and the hours of the others."""
        days = "FROM usage_day WHERE day_at >= :day AND day_at < :after"
        return (
            f"SELECT day_at + {DAY_MS // 2} AS at, {', '.join(columns)} {days}{self._filter} UNION ALL "
            f"{self._hours(*columns)} AND hour_at / {DAY_MS} * {DAY_MS} NOT IN (SELECT day_at {days})"
        )

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        yield from self._cursor.execute(sql, self._given)


def _slot(starts: Sequence[int], at: int) -> int:
    return max(0, bisect_right(starts, at) - 1)


def _add(values: _Values, more: Sequence[Any]) -> None:
    for place, value in enumerate(more):
        if value is not None:
            values[place] = (values[place] or 0) + value


def _most_frequent(fault: tuple[str, _Values]) -> tuple[int, str]:
    """The order of classes: by how many there were, then by name."""
    return -fault[1][0], fault[0]


def _sums(values: _Values) -> Sums:
    counts = [value or 0 for value in values[:7]]
    return Sums(*counts, *values[7:])


def _quantiles(counts: Mapping[int, int]) -> Quantiles:
    return Quantiles(*(histogram.quantile(counts, share) for share in (0.5, 0.95, 0.99)))
