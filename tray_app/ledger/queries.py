"""Questions to the history, each answered in values of `core`. Read-only, on any thread.

Imports SQLModel, which is heavy: imported by whoever asks, not at the app's start.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Boolean, Engine, NullPool, create_engine, text
from sqlmodel import Session, SQLModel, col, select

from tray_app.core.history import (
    RUNNING,
    Choices,
    ClientTotal,
    PastAttempt,
    PastFailover,
    PastRequest,
    PastSegment,
    Period,
    Trace,
    UnknownKind,
    Usage,
    UsageTotal,
    Wanted,
)
from tray_app.core.ids import request_id, time_of
from tray_app.ledger import usage
from tray_app.ledger.batch import HOUR_MS
from tray_app.ledger.database import uri_of
from tray_app.ledger.packing import DAY_MS
from tray_app.ledger.tables import AttemptRow, FailoverRow, RequestRow, SegmentRow, UnknownAnswerRow

EVERY = Wanted()
AFTER_ALL = "~"  # greater than every character of an id
_Value = TypeVar("_Value")
_THOSE = text(
    f"SELECT {', '.join(field.name for field in fields(PastRequest))} FROM request"  # noqa: S608 - names of ours
    " WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id DESC"
).columns(stream=Boolean)


class History:
    """The history file at `path`."""

    def __init__(self, path: Path) -> None:
        self._engine: Engine = create_engine(
            "sqlite://", poolclass=NullPool, creator=lambda: sqlite3.connect(uri_of(path), uri=True, timeout=1.0)
        )

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self._engine) as session:
            yield session

    def recent(self, limit: int, wanted: Wanted = EVERY) -> list[PastRequest]:
        """The newest of the wanted requests first. Nothing is counted; the last one's id pages on, as `before`."""
        with self._session() as session:
            ids = json.dumps(_Search(session, wanted).ids(limit))
            return [PastRequest(*row) for row in session.execute(_THOSE, {"ids": ids}).all()]

    def trace(self, request_id: str) -> Trace | None:
        """One request with its attempts and failovers, or None."""
        with self._session() as session:
            request = session.get(RequestRow, request_id)
            if request is None:
                return None
            attempts = session.exec(
                select(AttemptRow).where(col(AttemptRow.request_id) == request_id).order_by(col(AttemptRow.seq))
            ).all()
            failovers = session.exec(
                select(FailoverRow).where(col(FailoverRow.request_id) == request_id).order_by(col(FailoverRow.id))
            ).all()
            segments = session.exec(
                select(SegmentRow).where(col(SegmentRow.request_id) == request_id).order_by(col(SegmentRow.seq))
            ).all()
            return Trace(
                _value(PastRequest, request),
                tuple(_value(PastAttempt, row) for row in attempts),
                tuple(_value(PastFailover, row) for row in failovers),
                tuple(_value(PastSegment, row) for row in segments),
            )

    def failovers(self, limit: int) -> list[PastFailover]:
        """The newest changes of profile first."""
        query = select(FailoverRow).order_by(col(FailoverRow.id).desc()).limit(limit)
        with self._session() as session:
            return [_value(PastFailover, row) for row in session.exec(query)]

    def unknown_answers(self) -> list[UnknownKind]:
        """The kinds of errors that no rule knew, the latest first."""
        query = select(UnknownAnswerRow).order_by(col(UnknownAnswerRow.last_at).desc())
        with self._session() as session:
            return [UnknownKind(row.line, row.count, row.first_at, row.last_at) for row in session.exec(query)]

    def usage(self, period: Period, starts: Sequence[int]) -> Usage:
        """What a period came to, by slots that begin at `starts`. Read from the sums alone.

        An hour belongs to the slot in which it begins; where days that are over are read whole, the slot of its noon.
        """
        with self._session() as session:
            cursor = cast("sqlite3.Cursor", session.connection().connection.cursor())
            return usage.asked(cursor, period, starts)

    def choices(self) -> Choices:
        """Whom there is anything of in the history."""
        with self._session() as session:
            columns = ((row[0] for row in session.execute(text(sql))) for sql in _CHOICES)
            return Choices(*(tuple(sorted(found)) for found in columns))

    def client_totals(self, since: int) -> list[ClientTotal]:
        """What each client came to from `since` (ms) on, of whole hours, and when it last asked for something."""
        with self._session() as session:
            rows = session.execute(text(_CLIENTS), _from_hour(since)).all()
        return [
            ClientTotal(client, requests, served, inputs, outputs, cost, unpriced, self._last(client, at))
            for client, requests, served, inputs, outputs, cost, unpriced, at in rows
        ]

    def _last(self, client: str, hour_at: int) -> int:
        """When that client's latest request began, which was in that day or hour or later."""
        latest = self.recent(1, Wanted(client=client, since=hour_at))
        return latest[0].started_at if latest else hour_at

    def usage_totals(self) -> list[UsageTotal]:
        """Tokens and costs by profile and model, since the history began."""
        with self._session() as session:
            return [UsageTotal(*row) for row in session.execute(text(_TOTALS))]


_CHOICES = (
    "SELECT id FROM profile",
    "SELECT DISTINCT model FROM request_kind WHERE model IS NOT NULL",
    "SELECT DISTINCT client FROM request_kind",
    "SELECT DISTINCT provider FROM profile",
)
_CLIENTS = """
WITH sums AS (
    SELECT client, requests, served, input_tokens, output_tokens, cost_usd, unpriced, day_at AS at
    FROM usage_day WHERE day_at >= :day
    UNION ALL
    SELECT client, requests, served, input_tokens, output_tokens, cost_usd, unpriced, hour_at
    FROM usage_hour WHERE hour_at >= :since
    AND (hour_at < :day OR hour_at / 86400000 * 86400000 NOT IN (SELECT day_at FROM usage_day WHERE day_at >= :day))
)
SELECT client, sum(requests), sum(served), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
       coalesce(sum(cost_usd), 0), sum(unpriced), max(at)
FROM sums GROUP BY client HAVING sum(requests) > 0 ORDER BY client
"""
_TOTALS = """
SELECT profile_id, model, sum(requests), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
       coalesce(sum(cache_read_tokens), 0), coalesce(sum(cache_write_tokens), 0), coalesce(sum(reasoning_tokens), 0),
       coalesce(sum(cost_usd), 0), sum(unpriced)
FROM usage_hour GROUP BY profile_id, model
"""


class _Search:
    """Finds the ids of wanted requests, newest first, without looking at those of no interest.

    What was not served has an index. For the rest the hourly sums say in which hours there is anything to be found.
    """

    def __init__(self, session: Session, wanted: Wanted) -> None:
        self._session = session
        self._wanted = wanted
        self._low, self._high = _bounds(wanted)
        self._given: dict[str, object] = {}
        self._terms = ["r.id >= :low", "r.id < :high", *self._conditions()]

    def _conditions(self) -> Iterator[str]:
        wanted = self._wanted
        kinds = list(self._like(model=wanted.model, client=wanted.client))
        if kinds:
            yield f"r.kind IN (SELECT id FROM request_kind WHERE {' AND '.join(kinds)})"  # noqa: S608 - words of ours
        ends = list(self._like(profile_id=wanted.profile))
        if wanted.outcome == RUNNING:
            yield "r.ended IS NULL"
        elif wanted.outcome is not None:
            ends.append("outcome = :outcome")
            self._given["outcome"] = wanted.outcome
            yield "r.ending < 0" if wanted.outcome != "served" else "r.ending > 0"
        if ends:
            yield f"r.ending IN (SELECT id FROM request_end WHERE {' AND '.join(ends)})"  # noqa: S608 - words of ours

    def _like(self, **columns: str | None) -> Iterator[str]:
        for column, value in columns.items():
            if value is not None:
                self._given[column] = value
                yield f"{column} GLOB :{column}" if "*" in value else f"{column} = :{column}"

    def ids(self, limit: int) -> Sequence[str]:
        wanted, found = self._wanted, list[str]()
        if wanted.outcome not in (None, "served") or (wanted.profile, wanted.model, wanted.client) == (None,) * 3:
            return self._within(self._low, self._high, limit)
        for hour_at in self._hours():
            low, high = _first_id(hour_at), _first_id(hour_at + HOUR_MS)
            found += self._within(max(low, self._low), min(high, self._high), limit - len(found))
            if len(found) >= limit:
                break
        return found

    def _within(self, low: str, high: str, limit: int) -> list[str]:
        sql = f"SELECT r.id FROM request_data r WHERE {' AND '.join(self._terms)} ORDER BY r.id DESC LIMIT :limit"  # noqa: S608
        given = {**self._given, "low": low, "high": high, "limit": limit}
        return [row[0] for row in self._session.execute(text(sql), given)]

    def _hours(self) -> Iterator[int]:
        """The hours in which there may be any, the latest first; those of requests that go on among them."""
        wanted = self._wanted
        terms = ["requests > 0", *self._like(profile_id=wanted.profile, model=wanted.model, client=wanted.client)]
        low = (time_of(self._low[:14].ljust(14, "0")) or 0) // HOUR_MS * HOUR_MS
        high = time_of(self._high.replace(AFTER_ALL, "z")[:14].ljust(14, "z")) or 0
        sql = (
            f"SELECT hour_at FROM usage_hour WHERE hour_at BETWEEN :low AND :high AND {' AND '.join(terms)}"  # noqa: S608
            " UNION SELECT :hour * (started_at / :hour) FROM request"
            " WHERE id IN (SELECT id FROM request_data WHERE ended IS NULL) ORDER BY 1 DESC"
        )
        given = {**self._given, "low": low, "high": high, "hour": HOUR_MS}
        for row in self._session.execute(text(sql), given):
            yield row[0]


def _bounds(wanted: Wanted) -> tuple[str, str]:
    """The ids are from the first one on, and smaller than the second."""
    prefix = (wanted.prefix or "").lower()
    low = max(prefix, "" if wanted.since is None else _first_id(wanted.since))
    high = f"{prefix}{AFTER_ALL}"
    return low, high if wanted.before is None else min(high, wanted.before)


def _from_hour(since: int) -> dict[str, int]:
    """From which hour on, and from which whole day on."""
    hour = -(-since // HOUR_MS) * HOUR_MS
    return {"since": hour, "day": -(-hour // DAY_MS) * DAY_MS}


def _first_id(since: int) -> str:
    """The smallest id that a request of that time can have: ids are in the order of time."""
    return request_id(max(since, 0), 0)


def _value(kind: type[_Value], row: SQLModel) -> _Value:
    return kind(*(getattr(row, field.name) for field in fields(kind)))  # type: ignore[arg-type]
