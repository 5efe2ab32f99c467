"""The overview of a period: which hours or days it has, by the calendar of this machine, and what came of them."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tray_app.control.verbs import Refused
from tray_app.control.views import ReportView, Selection, Span, Status
from tray_app.core.history import Period

if TYPE_CHECKING:
    from tray_app.ledger.queries import History

HOUR_MS = 3_600_000
DAYS = (1, 7, 30)  # that end today, and are one click away
BY_HOUR_DAYS, BY_DAY_DAYS, BY_WEEK_DAYS = 2, 92, 730  # up to so many days are told by the hour, the day, the week
LATEST_REQUESTS, LATEST_FAILOVERS = 10, 10
_FIRST_YEAR = 2000


def span_of(asked: Selection, now: int) -> tuple[Span, list[int]]:
    """The days that are asked for, and where their hours, days or weeks begin (ms).

    Raises:
        Refused: there are no such days.
    """
    today = _day_at(now)
    days, first, last = _days_of(asked, today)
    count = (last - first).days + 1
    since, until = midnight(first), midnight(last + timedelta(1))
    if count <= BY_HOUR_DAYS:
        return Span(days, first.isoformat(), last.isoformat(), "hour", since, until), list(range(since, until, HOUR_MS))
    step = 1 if count <= BY_DAY_DAYS else 7 if count <= BY_WEEK_DAYS else 30
    starts = [midnight(first + timedelta(day)) for day in range(0, count, step)]
    return Span(days, first.isoformat(), last.isoformat(), "day" if step == 1 else "days", since, until), starts


def _days_of(asked: Selection, today: date) -> tuple[int | None, date, date]:
    if asked.first or asked.last:
        last = min(_day(asked.last, "to"), today) if asked.last else today
        first = _day(asked.first, "from") if asked.first else last
        if first > last:
            raise Refused("bad_argument", f"there are no days from {first} to {last}")
        count = (last - first).days + 1
        return (count if last == today and count in DAYS else None), first, last
    if asked.days and asked.days not in map(str, DAYS):
        raise Refused("bad_argument", f"days must be one of {', '.join(map(str, DAYS))}")
    days = int(asked.days or DAYS[0])
    return days, today - timedelta(days - 1), today


def _day(text: str, name: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Refused("bad_argument", f"{name} must be a day such as 2026-06-26") from error
    if day.year < _FIRST_YEAR:
        raise Refused("bad_argument", f"{name} must be a day since {_FIRST_YEAR}")
    return day


def _day_at(at: int) -> date:
    return date.fromtimestamp(at / 1000)


def midnight(day: date) -> int:
    """When a day begins here, in ms."""
    return round(time.mktime((day.year, day.month, day.day, 0, 0, 0, 0, 0, -1)) * 1000)


def report_view(
    history: History, status: Status, asked: Selection, span: Span, starts: list[int], now: int
) -> ReportView:
    """What the overview shows at the moment `now` (ms)."""
    whose = (asked.profile or None, asked.model or None, asked.client or None, asked.provider or None)
    return ReportView(
        now,
        status,
        asked,
        span,
        history.usage(Period(span.since, span.until, *whose), starts),
        history.choices(),
        tuple(history.recent(LATEST_REQUESTS)),
        tuple(history.failovers(LATEST_FAILOVERS)),
    )
