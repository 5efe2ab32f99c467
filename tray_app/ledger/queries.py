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
from typing import TypeVar

from sqlalchemy import Boolean, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col, select

from tray_app.core import histogram
from tray_app.core.history import (
    Events,
    EventsWanted,
    Found,
    Hour,
    Numbers,
    PastAttempt,
    PastFailover,
    PastRequest,
    PastSegment,
    Share,
    Trace,
    UnknownKind,
    UsageTotal,
    Wanted,
)
from tray_app.ledger.batch import HOUR_MS
from tray_app.ledger.database import uri_of
from tray_app.ledger.happenings import happened
from tray_app.ledger.packing import DAY_MS
from tray_app.ledger.search import Ask, Patience, Search, first_id
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

    def found(self, limit: int, wanted: Wanted, patience: Patience) -> Found:
        """The same, as far as patience goes. The last one's id pages on, as `before`; the first one's as `after`."""
        with self._session() as session:
            ids = Search(_asking(session), wanted).ids(limit, patience)
            rows = session.execute(_THOSE, {"ids": json.dumps(ids.found)}).all()
            return Found([PastRequest(*row) for row in rows], ids.reached)

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

    def hours(self, since: int) -> list[Hour]:
        """Sums by hour from `since` (ms) on; hours without requests are left out."""
        with self._session() as session:
            return [Hour(*row) for row in session.execute(text(_HOURS), {"since": since})]

    def shares(self, since: int) -> list[Share]:
        """What each profile did from `since` (ms) on; of an hour that is not whole, nothing."""
        with self._session() as session:
            rows = session.execute(text(_SHARES), _from_hour(since))
            return [
                Share(profile_id, requests, served, round(duration / requests) if requests else None)
                for profile_id, requests, served, duration in rows
            ]

    def usage_totals(self) -> list[UsageTotal]:
        """Tokens and costs by profile and model, since the history began."""
        with self._session() as session:
            return [UsageTotal(*row) for row in session.execute(text(_TOTALS))]

    def numbers(self, since: int) -> Numbers:
        """Sums of all requests that started at or after `since` (ms).

        From the hourly sums, and from single requests for the hour in which `since` lies.
        """
        whole = -(-since // HOUR_MS) * HOUR_MS
        with self._session() as session:
            of_hours = session.execute(text(_OF_HOURS), _from_hour(whole)).one()
            span = {"low": first_id(since), "high": first_id(whole)}
            of_rest = session.execute(text(_OF_REQUESTS), span).one()
            took = histogram.total(of_hours[-1])
            for ms, count in session.execute(text(_TIMES), span):
                bucket = histogram.bucket_of(ms)
                took[bucket] = took.get(bucket, 0) + count
            running = session.execute(text(_RUNNING), {"low": span["high"]}).one()[0]
        requests, served, saved, cancelled, failovers, attempts = (
            int(one or 0) + int(other or 0) for one, other in zip(of_hours[:-1], of_rest[:-1], strict=True)
        )
        failed = requests - served - cancelled - int(of_rest[-1] or 0)
        median = histogram.quantile(took, 0.5)
        return Numbers(requests + running, served, saved, failed, failovers, attempts, median)


# days that are summed up, and the hours of the others
_SUMS = """
WITH sums AS (
    SELECT profile_id, requests, served, saved, cancelled, failovers, attempts, duration_ms, latency_histogram
    FROM usage_day WHERE day_at >= :day
    UNION ALL
    SELECT profile_id, requests, served, saved, cancelled, failovers, attempts, duration_ms, latency_histogram
    FROM usage_hour WHERE hour_at >= :since
    AND (hour_at < :day OR hour_at / 86400000 * 86400000 NOT IN (SELECT day_at FROM usage_day WHERE day_at >= :day))
)
"""
_OF_HOURS = f"""{_SUMS}
SELECT sum(requests), sum(served), sum(saved), sum(cancelled), sum(failovers), sum(attempts),
       group_concat(latency_histogram)
FROM sums
"""  # noqa: S608 - words of ours
_SHARES = f"{_SUMS} SELECT profile_id, sum(requests), sum(served), sum(duration_ms) FROM sums GROUP BY profile_id"  # noqa: S608
_HOURS = """
SELECT hour_at, sum(requests), sum(served), sum(failovers) FROM usage_hour WHERE hour_at >= :since
GROUP BY hour_at ORDER BY hour_at
"""
_TOTALS = """
SELECT profile_id, model, sum(requests), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
       coalesce(sum(cache_read_tokens), 0), coalesce(sum(cache_write_tokens), 0), coalesce(sum(reasoning_tokens), 0),
       coalesce(sum(cost_usd), 0), sum(unpriced)
FROM usage_hour GROUP BY profile_id, model
"""
_OF_REQUESTS = """
SELECT count(*), sum(outcome = 'served'), sum(outcome = 'served' AND failovers > 0), sum(outcome = 'client_cancelled'),
       sum(failovers), sum(attempts), sum(outcome IS NULL)
FROM request WHERE id >= :low AND id < :high
"""
_TIMES = """
SELECT coalesce(ttft_ms, duration_ms), count(*) FROM request
WHERE id >= :low AND id < :high AND outcome = 'served' GROUP BY 1
"""
_RUNNING = "SELECT count(*) FROM request_data WHERE ended IS NULL AND id >= :low"


def _asking(session: Session) -> Ask:
    return lambda sql, given: session.execute(text(sql), dict(given))


def _from_hour(since: int) -> dict[str, int]:
    """From which hour on, and from which whole day on."""
    hour = -(-since // HOUR_MS) * HOUR_MS
    return {"since": hour, "day": -(-hour // DAY_MS) * DAY_MS}


def _value(kind: type[_Value], row: SQLModel) -> _Value:
    return kind(*(getattr(row, field.name) for field in fields(kind)))  # type: ignore[arg-type]
