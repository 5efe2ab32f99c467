"""Questions to the history, each answered in values of `core`. Read-only, on any thread.

Imports SQLModel, which is heavy: imported by whoever asks, not at the app's start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, NullPool, create_engine, func
from sqlalchemy import select as sums
from sqlmodel import Session, SQLModel, col, select

from tray_app.core.history import (
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
)
from tray_app.ledger.database import uri_of
from tray_app.ledger.tables import AttemptRow, FailoverRow, RequestRow, SegmentRow, UnknownAnswerRow, UsageHourRow

_Value = TypeVar("_Value")


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

    def recent(
        self,
        limit: int,
        *,
        profile: str | None = None,
        model: str | None = None,
        since: int | None = None,
        before_id: str | None = None,
    ) -> list[PastRequest]:
        """The newest requests first. `since` in ms; `before_id` pages on."""
        query = select(RequestRow).order_by(col(RequestRow.id).desc()).limit(limit)
        if profile is not None:
            query = query.where(col(RequestRow.profile_id) == profile)
        if model is not None:
            query = query.where(col(RequestRow.model) == model)
        if since is not None:
            query = query.where(col(RequestRow.id) >= _first_id(since), col(RequestRow.started_at) >= since)
        if before_id is not None:
            query = query.where(col(RequestRow.id) < before_id)
        with self._session() as session:
            return [_value(PastRequest, row) for row in session.exec(query)]

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

    def hours(self, since: int) -> list[Hour]:
        """Sums by hour from `since` (ms) on; hours without requests are left out."""
        query = (
            sums(
                col(UsageHourRow.hour_at),
                func.sum(UsageHourRow.requests),
                func.sum(UsageHourRow.served),
                func.sum(UsageHourRow.failovers),
            )
            .where(col(UsageHourRow.hour_at) >= since)
            .group_by(col(UsageHourRow.hour_at))
            .order_by(col(UsageHourRow.hour_at))
        )
        with self._session() as session:
            return [Hour(*row) for row in session.execute(query)]

    def shares(self, since: int) -> list[Share]:
        """What each profile did from `since` (ms) on."""
        query = (
            sums(
                col(UsageHourRow.profile_id),
                func.sum(UsageHourRow.requests),
                func.sum(UsageHourRow.served),
                func.sum(UsageHourRow.duration_ms),
            )
            .where(col(UsageHourRow.hour_at) >= since)
            .group_by(col(UsageHourRow.profile_id))
        )
        with self._session() as session:
            return [
                Share(profile_id, requests, served, round(duration / requests) if requests else None)
                for profile_id, requests, served, duration in session.execute(query)
            ]

    def usage_totals(self) -> list[UsageTotal]:
        """Tokens and costs by profile and model, since the history began."""
        counted = ("requests", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
        columns = (*counted, "reasoning_tokens", "cost_usd", "unpriced")
        query = sums(
            col(UsageHourRow.profile_id),
            col(UsageHourRow.model),
            *(func.coalesce(func.sum(getattr(UsageHourRow, name)), 0) for name in columns),
        ).group_by(col(UsageHourRow.profile_id), col(UsageHourRow.model))
        with self._session() as session:
            return [UsageTotal(*row) for row in session.execute(query)]

    def numbers(self, since: int) -> Numbers:
        """Sums of all requests that started at or after `since` (ms)."""
        served = col(RequestRow.outcome) == "served"
        failed = col(RequestRow.outcome).in_(("failed", "exhausted", "interrupted", "refused"))
        rows = sums(
            func.count(),
            func.count().filter(served),
            func.count().filter(served & (col(RequestRow.failovers) > 0)),
            func.count().filter(failed),
            func.sum(RequestRow.failovers),
            func.sum(RequestRow.attempts),
        ).where(col(RequestRow.id) >= _first_id(since))
        with self._session() as session:
            requests, *counts = (int(value or 0) for value in session.execute(rows).one())
            found = dict(zip(("served", "saved", "failed", "failovers", "attempts"), counts, strict=True))
            return Numbers(requests, **found, median_ttft_ms=self._median_ttft(session, since))

    def _median_ttft(self, session: Session, since: int) -> int | None:
        known = (col(RequestRow.id) >= _first_id(since), col(RequestRow.ttft_ms).is_not(None))
        count = session.exec(select(func.count()).select_from(RequestRow).where(*known)).one()
        middle = (count - 1) // 2, 2 - count % 2  # of an even number the two in the middle
        query = select(RequestRow.ttft_ms).where(*known).order_by(col(RequestRow.ttft_ms))
        found = [value for value in session.exec(query.offset(middle[0]).limit(middle[1])) if value is not None]
        return round(sum(found) / len(found)) if count else None


def _first_id(since: int) -> str:
    """The smallest id that a request of that time can have: ids are in the order of time."""
    from tray_app.core.ids import request_id

    return request_id(max(since, 0), 0)


def _value(kind: type[_Value], row: SQLModel) -> _Value:
    return kind(*(getattr(row, field.name) for field in fields(kind)))  # type: ignore[arg-type]
