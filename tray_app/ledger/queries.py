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
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col, select

from tray_app.core.history import (
    Choices,
    ClientTotal,
    Events,
    EventsWanted,
    FoundRequests,
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
from tray_app.ledger import usage
from tray_app.ledger.batch import HOUR_MS
from tray_app.ledger.database import uri_of
from tray_app.ledger.happenings import happened
from tray_app.ledger.packing import DAY_MS
from tray_app.ledger.search import Ask, Patience, Search
from tray_app.ledger.tables import AttemptRow, FailoverRow, RequestRow, SegmentRow, UnknownAnswerRow

EVERY = Wanted()
UNREADABLE = (DBAPIError, sqlite3.Error)  # what questions raise where the file is gone, locked or broken
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
        """The newest of the wanted requests first; with `wanted.after`, those that follow it. Nothing is counted."""
        return self.found(limit, wanted, lambda: True).requests

    def found(self, limit: int, wanted: Wanted, patience: Patience) -> FoundRequests:
        """The same, as far as patience goes. The last one's id pages on, as `before`; the first one's as `after`."""
        with self._session() as session:
            ids = Search(_asking(session), wanted).ids(limit, patience)
            rows = session.execute(_THOSE, {"ids": json.dumps(ids.found)}).all()
            return FoundRequests([PastRequest(*row) for row in rows], ids.reached)

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

    def events(self, limit: int, wanted: EventsWanted = EventsWanted()) -> Events:  # noqa: B008 - a frozen value
        """What happened besides requests."""
        with self._session() as session:
            return happened(_asking(session), limit, wanted)

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


def _asking(session: Session) -> Ask:
    return lambda sql, given: session.execute(text(sql), dict(given))


def _from_hour(since: int) -> dict[str, int]:
    """From which hour on, and from which whole day on."""
    hour = -(-since // HOUR_MS) * HOUR_MS
    return {"since": hour, "day": -(-hour // DAY_MS) * DAY_MS}


def _value(kind: type[_Value], row: SQLModel) -> _Value:
    return kind(*(getattr(row, field.name) for field in fields(kind)))  # type: ignore[arg-type]
