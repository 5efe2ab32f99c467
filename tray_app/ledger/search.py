"""Finds the ids of wanted requests without looking at those of no interest, from the newest on or from the oldest.

What was not served has an index, and calls that failed have a table of their own. For the rest the hourly sums say in
which hours there is anything to be found. A search that is told to hurry says how far it came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tray_app.core.history import RUNNING, Wanted
from tray_app.core.ids import request_id, time_of
from tray_app.ledger.batch import HOUR_MS

AFTER_ALL = "~"  # greater than every character of an id
FIRST_SPAN_MS = 6 * HOUR_MS  # of time that is looked at in one statement; more where that was quick
QUICK_S, SLOW_S = 0.004, 0.016

Ask = Callable[[str, Mapping[str, object]], Iterable[Sequence[Any]]]  # a statement and its parameters, by name
Patience = Callable[[], bool]  # whether to go on looking


@dataclass(frozen=True, slots=True)
class Ids:
    """What was found, in the order of the search.

    Where patience ended, `reached` is what to go on `before`, or `after`, as the search goes; else it is None.
    """

    found: list[str]
    reached: str | None = None


def cpu_s(seconds: float) -> Patience:
    """Patience for so much of this thread's processor time."""
    end = time.thread_time() + seconds
    return lambda: time.thread_time() < end


class Search:
    """One search. With `wanted.after` it goes from there to what is newer, else from the newest to what is older."""

    def __init__(self, ask: Ask, wanted: Wanted) -> None:
        self._ask = ask
        self._wanted = wanted
        self._up = wanted.after is not None
        self._low, self._high = _bounds(wanted)
        self._given: dict[str, object] = {}
        self._needed: list[str] = []  # statements that find something, if the search can
        self._terms = ["r.id >= :low", "r.id < :high", *self._conditions()]
        self._faults = list(self._of_errors())

    def ids(self, limit: int, patience: Patience = lambda: True) -> Ids:
        """The first `limit` ids, as far as patience goes."""
        if self._low >= self._high or not all(any(self._ask(sql, self._given)) for sql in self._needed):
            return Ids([])
        wanted = self._wanted
        by_hours = (wanted.profile, wanted.model, wanted.client, wanted.provider) != (None,) * 4
        if self._faults or wanted.outcome not in (None, "served"):
            spans = self._spans()
        elif by_hours:
            spans = self._hours()
        else:
            spans = iter([(self._low, self._high)])
        return self._looked(spans, limit, patience)

    def _looked(self, spans: Iterator[tuple[str, str]], limit: int, patience: Patience) -> Ids:
        found: list[str] = []
        for begin, end in spans:
            low, high = max(begin, self._low), min(end, self._high)
            if low >= high:
                continue
            found += self._within(low, high, limit - len(found))
            if len(found) >= limit:
                break
            if not patience():
                more = high < self._high if self._up else low > self._low
                return Ids(found, (high[:-1] if self._up else low) if more else None)
        return Ids(found)

    # -- what is wanted

    def _conditions(self) -> Iterator[str]:
        wanted = self._wanted
        if wanted.after is not None:
            self._given["after"] = wanted.after
            yield "r.id > :after"
        kinds = list(self._like(model=wanted.model, client=wanted.client, provider=wanted.provider))
        if kinds:
            yield f"r.kind IN ({self._those('request_kind', kinds)})"
        ends = list(self._like(profile_id=wanted.profile))
        if wanted.outcome == RUNNING:
            yield "r.ended IS NULL"
        elif wanted.outcome is not None:
            ends.append("outcome = :outcome")
            self._given["outcome"] = wanted.outcome
            yield "r.ending < 0" if wanted.outcome != "served" else "r.ending > 0"
        if ends:
            yield f"r.ending IN ({self._those('request_end', ends)})"

    def _those(self, table: str, terms: list[str]) -> str:
        sql = f"SELECT id FROM {table} WHERE {' AND '.join(terms)}"  # noqa: S608 - words of ours
        self._needed.append(f"{sql} LIMIT 1")
        return sql

    def _like(self, **columns: str | None) -> Iterator[str]:
        for column, value in columns.items():
            if value is not None:
                self._given[column] = value
                yield f"{column} GLOB :{column}" if "*" in value else f"{column} = :{column}"

    def _of_errors(self) -> Iterator[str]:
        """What must be true of one of the request's calls."""
        if self._wanted.error_class is not None:
            self._given["error_class"] = self._wanted.error_class
            self._needed.append("SELECT id FROM attempt_fault WHERE error_class = :error_class LIMIT 1")
            yield "f.error_class = :error_class"
        if self._wanted.error is not None:
            self._given["error"] = f"%{_plain(self._wanted.error)}%"
            columns = ("error_class", "error_code", "error_message", "reason")
            yield "(" + " OR ".join(f"f.{column} LIKE :error ESCAPE '\\'" for column in columns) + ")"

    # -- a stretch of time

    def _within(self, low: str, high: str, limit: int) -> list[str]:
        given = {**self._given, "low": low, "high": high, "limit": limit}
        order = "ASC" if self._up else "DESC"
        if self._faults:
            sql = (
                "SELECT a.request_id FROM attempt_data a CROSS JOIN attempt_fault f ON f.id = a.fault"  # noqa: S608
                " CROSS JOIN request_data r ON r.id = a.request_id"
                f" WHERE a.request_id >= :low AND a.request_id < :high AND {' AND '.join(self._terms + self._faults)}"
                f" GROUP BY a.request_id ORDER BY a.request_id {order} LIMIT :limit"
            )
        else:
            sql = (
                f"SELECT r.id FROM request_data r WHERE {' AND '.join(self._terms)} ORDER BY r.id {order} LIMIT :limit"  # noqa: S608
            )
        return [row[0] for row in self._ask(sql, given)]

    def _spans(self) -> Iterator[tuple[str, str]]:
        """All of the time, in stretches that take neither too long nor too little to look at."""
        begin, end = self._times()
        span = FIRST_SPAN_MS
        while begin < end:
            began = time.thread_time()
            if self._up:
                yield first_id(begin), self._high if begin + span >= end else first_id(begin + span)
                begin += span
            else:
                yield self._low if end - span <= begin else first_id(end - span), first_id(end)
                end -= span
            took = time.thread_time() - began
            span = span * 2 if took < QUICK_S else max(span // 2, HOUR_MS // 4) if took > SLOW_S else span

    def _times(self) -> tuple[int, int]:
        """From when to when (ms) anything may be found."""
        rows = self._ask("SELECT (SELECT min(id) FROM request_data), (SELECT max(id) FROM request_data)", {})
        oldest, newest = next(iter(rows))
        if oldest is None:
            return 0, 0
        return max(_time(self._low), time_of(oldest) or 0), min(_time(self._high), time_of(newest) or 0) + 1

    def _hours(self) -> Iterator[tuple[str, str]]:
        """The hours in which there may be any; those of requests that go on among them."""
        wanted = self._wanted
        terms = ["requests > 0", *self._like(profile_id=wanted.profile, model=wanted.model, client=wanted.client)]
        if wanted.provider is not None:
            (term,) = self._like(provider=wanted.provider)
            terms.append(f"model IN (SELECT coalesce(model, '') FROM request_kind WHERE {term})")  # noqa: S608
        order = "ASC" if self._up else "DESC"
        sql = (
            f"SELECT hour_at FROM usage_hour WHERE hour_at BETWEEN :low AND :high AND {' AND '.join(terms)}"  # noqa: S608
            " UNION SELECT :hour * (started_at / :hour) AS began FROM request"
            " WHERE id IN (SELECT id FROM request_data WHERE ended IS NULL) AND began BETWEEN :low AND :high"
            f" ORDER BY 1 {order}"
        )
        low, high = _time(self._low) // HOUR_MS * HOUR_MS, _time(self._high)
        given = {**self._given, "low": low, "high": high, "hour": HOUR_MS}
        for row in self._ask(sql, given):
            yield first_id(row[0]), first_id(row[0] + HOUR_MS)


def _bounds(wanted: Wanted) -> tuple[str, str]:
    """The ids are from the first one on, and smaller than the second."""
    prefix = (wanted.prefix or "").lower()
    low = max(prefix, "" if wanted.since is None else first_id(wanted.since), wanted.after or "")
    high = f"{prefix}{AFTER_ALL}"
    if wanted.until is not None:
        high = min(high, first_id(wanted.until))
    return low, high if wanted.before is None else min(high, wanted.before)


def _time(bound: str) -> int:
    """The time (ms) at which a bound lies, or that of the first bound beyond it."""
    filler = "z" if bound.endswith(AFTER_ALL) else "0"
    return time_of(bound.replace(AFTER_ALL, "z")[:14].ljust(14, filler)) or 0


def first_id(since: int) -> str:
    """The smallest id that a request of that time can have: ids are in the order of time."""
    return request_id(max(since, 0), 0)


def _plain(words: str) -> str:
    """As LIKE takes it for nothing but letters."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
