"""Which days the overview shows, by the calendar of the machine it runs on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.ledger.facts import HOUR
from tray_app.control.overview import midnight, span_of
from tray_app.control.verbs import Refused
from tray_app.control.views import Selection

NOW = 1_782_482_712_000  # 2026-06-26 14:05:12 UTC
DAY = 24 * HOUR
TODAY = NOW // DAY * DAY


@pytest.fixture(autouse=True)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is in the zone that a test names, else in none."""
    monkeypatch.setenv("TZ", getattr(request, "param", "UTC"))
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("asked", "days", "first", "last", "step", "slots"),
    [
        ({}, 1, "2026-06-26", "2026-06-26", "hour", 24),
        ({"days": "1"}, 1, "2026-06-26", "2026-06-26", "hour", 24),
        ({"days": "7"}, 7, "2026-06-20", "2026-06-26", "day", 7),
        ({"days": "30"}, 30, "2026-05-28", "2026-06-26", "day", 30),
        ({"first": "2026-06-20"}, None, "2026-06-20", "2026-06-20", "hour", 24),
        ({"first": "2026-06-20", "last": "2026-06-21"}, None, "2026-06-20", "2026-06-21", "hour", 48),
        ({"first": "2026-06-20", "last": "2026-06-26"}, 7, "2026-06-20", "2026-06-26", "day", 7),
        ({"first": "2026-06-20", "last": "2030-01-01"}, 7, "2026-06-20", "2026-06-26", "day", 7),
        ({"last": "2026-06-01"}, None, "2026-06-01", "2026-06-01", "hour", 24),
        ({"first": "2026-03-27", "last": "2026-06-26"}, None, "2026-03-27", "2026-06-26", "day", 92),
        ({"first": "2026-03-26", "last": "2026-06-26"}, None, "2026-03-26", "2026-06-26", "days", 14),
        ({"first": "2020-01-01", "last": "2026-06-26"}, None, "2020-01-01", "2026-06-26", "days", 79),
        ({"first": "2026-06-20", "last": "2026-06-26", "days": "30"}, 7, "2026-06-20", "2026-06-26", "day", 7),
    ],
)
def test_days_are_those_asked_for(
    asked: dict[str, str], days: int | None, first: str, last: str, step: str, slots: int
) -> None:
    if asked == {"first": "2026-06-20"}:
        asked = {**asked, "last": "2026-06-20"}
    span, starts = span_of(Selection(**asked), NOW)
    assert (span.days, span.first, span.last, span.step, len(starts)) == (days, first, last, step, slots)
    assert starts[0] == span.since and starts == sorted(set(starts)) and starts[-1] < span.until
    assert span.until - span.since == ((datetime.fromisoformat(last) - datetime.fromisoformat(first)).days + 1) * DAY


def test_days_from_one_on_go_until_today() -> None:
    assert span_of(Selection(first="2026-06-25"), NOW)[0].last == "2026-06-26"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"days": "2"}, "days must be one of 1, 7, 30"),
        ({"first": "yesterday"}, "from must be a day such as 2026-06-26"),
        ({"last": "26.06.2026"}, "to must be a day"),
        ({"first": "1999-12-31"}, "from must be a day since 2000"),
        ({"first": "2026-06-02", "last": "2026-06-01"}, "there are no days from 2026-06-02 to 2026-06-01"),
        ({"first": "2026-07-01"}, "there are no days from 2026-07-01 to 2026-06-26"),
    ],
)
def test_days_that_are_none_are_refused(asked: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        span_of(Selection(**asked), NOW)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"], indirect=True)
def test_a_day_begins_at_midnight_here(zone: None) -> None:
    span, starts = span_of(Selection(), NOW)
    assert time.localtime(span.since / 1000)[3:6] == (0, 0, 0)
    assert span.since <= NOW < span.until
    assert len(starts) == 24


@pytest.mark.parametrize("zone", ["Europe/Berlin"], indirect=True)
@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_the_clocks_change_has_its_hours(zone: None, day: str, hours: int) -> None:
    later = NOW + 365 * DAY
    assert len(span_of(Selection(first=day, last=day), later)[1]) == hours
    week = datetime.fromisoformat(day).date()
    _, starts = span_of(Selection(first=str(week - timedelta(3)), last=str(week + timedelta(3))), later)
    assert [time.localtime(at / 1000)[3] for at in starts] == [0] * 7


def test_midnight_is_in_milliseconds() -> None:
    assert midnight(datetime.fromtimestamp(NOW / 1000, UTC).date()) == TODAY
