"""Days that are over are summed up, and what is asked of a period says the same with their sums and without."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.facts import HOUR, served, switched
from tests.ledger.look import ask, one
from tests.ledger.past import make
from tray_app.core import histogram
from tray_app.core.history import Period, Sums, Usage
from tray_app.ledger import batch, database
from tray_app.ledger.days import sum_up_next
from tray_app.ledger.queries import History
from tray_app.ledger.rebuild import rebuild
from tray_app.ledger.retention import DAY_MS, Limits, Retention
from tray_app.ledger.usage import LONG_MS

TODAY = 1_760_000_400_000 // DAY_MS * DAY_MS
NOW = TODAY + 13 * HOUR
SUMS = "requests served attempts failovers request_bytes response_bytes duration_ms saved cancelled unpriced"
SUMS += " input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven days of work, and half of today."""
    path = tmp_path_factory.mktemp("week") / "history.db"
    make(path, 1500, NOW, 8)
    return path


@pytest.fixture
def week(made: Path, history: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copy(made, history)
    return history


def one_round(path: Path) -> None:
    with closing(database.open_for_writing(path, NOW).connection) as connection:
        made = Retention(Limits(100, 1 << 40), NOW)
        while made.step(connection):
            assert not connection.in_transaction


def days(path: Path) -> list[int]:
    return [row["day_at"] for row in ask(path, "SELECT DISTINCT day_at FROM usage_day ORDER BY 1")]


def test_every_day_before_yesterday_is_summed_up(week: Path) -> None:
    one_round(week)
    first = one(week, "SELECT min(hour_at) FROM usage_hour") // DAY_MS * DAY_MS
    assert days(week) == list(range(first, TODAY - DAY_MS, DAY_MS))
    for row in ask(week, "SELECT * FROM usage_day"):
        of_day = "FROM usage_hour WHERE hour_at >= ? AND hour_at < ? AND (profile_id, model, client) = (?, ?, ?)"
        place = (row["day_at"], row["day_at"] + DAY_MS, row["profile_id"], row["model"], row["client"])
        (hours,) = ask(week, f"SELECT {', '.join(f'sum({name}) AS {name}' for name in SUMS.split())} {of_day}", *place)
        assert {name: row[name] for name in SUMS.split()} == hours
        assert row["cost_usd"] == pytest.approx(one(week, f"SELECT sum(cost_usd) {of_day}", *place))
        texts = [found["h"] for found in ask(week, f"SELECT latency_histogram AS h {of_day}", *place) if found["h"]]
        assert histogram.read(row["latency_histogram"]) == histogram.total(",".join(texts))


def used(path: Path, since: int = TODAY - 8 * DAY_MS, until: int = TODAY + DAY_MS, step: int = DAY_MS) -> Usage:
    """What a period came to, with money to the billionth."""
    found = History(path).usage(Period(since, until), range(since, until, step))
    slots = tuple(replace(slot, sums=billionths(slot.sums), costs=approximate(slot.costs)) for slot in found.slots)
    profiles = {name: billionths(sums) for name, sums in found.profiles.items()}
    return replace(found, sums=billionths(found.sums), slots=slots, profiles=profiles)


def billionths(sums: Sums) -> Sums:
    return replace(sums, cost_usd=None if sums.cost_usd is None else round(sums.cost_usd, 9))


def approximate(costs: Mapping[str, float]) -> dict[str, float]:
    return {name: round(cost, 9) for name, cost in costs.items()}


@pytest.mark.parametrize("hours", [0, 13, 37, 100, 200])
@pytest.mark.parametrize("more", [0, 1_234_567])
def test_a_period_has_the_same_sums_as_before(week: Path, hours: int, more: int) -> None:
    since = NOW - hours * HOUR - more
    until = NOW + HOUR
    before = used(week, since, until, until - since)
    one_round(week)
    assert used(week, since, until, until - since) == before


@pytest.mark.parametrize("until", [TODAY + DAY_MS, TODAY - DAY_MS + 5 * HOUR], ids=["until today", "until a morning"])
def test_a_long_period_is_read_by_the_day_and_comes_to_the_same(week: Path, until: int) -> None:
    short = TODAY - 8 * DAY_MS
    one_round(week)
    long = used(week, short - LONG_MS, until)
    assert len(long.slots) >= 70
    told = used(week, short, until)
    assert (long.sums, long.profiles, long.latency, long.faults) == (
        told.sums,
        told.profiles,
        told.latency,
        told.faults,
    )
    assert long.slots[-len(told.slots) :] == told.slots


def test_slots_of_uneven_length_come_to_the_same(week: Path) -> None:
    """As where the clocks are changed: a day of 23 hours."""
    since, until = TODAY - 5 * DAY_MS, TODAY
    even = used(week, since, until)
    starts = [at - (HOUR if number > 2 else 0) for number, at in enumerate(range(since, until, DAY_MS))]
    found = History(week).usage(Period(since, until), starts)
    assert billionths(found.sums) == even.sums
    assert [slot.sums.requests for slot in found.slots[:2]] == [slot.sums.requests for slot in even.slots[:2]]
    assert sum(slot.sums.requests for slot in found.slots) == even.sums.requests
    hour = used(week, starts[3], starts[3] + HOUR)
    assert found.slots[2].sums.requests == even.slots[2].sums.requests - hour.sums.requests


def test_a_day_that_changes_after_all_is_summed_up_anew(week: Path) -> None:
    one_round(week)
    day_at = days(week)[2]
    before = used(week)
    with closing(database.open_for_writing(week, NOW).connection) as connection:
        batch.write(connection, [*served(1, day_at + HOUR), *switched(2, day_at + 2 * HOUR)], batch.Unfinished())
    assert day_at not in days(week)
    later = used(week)
    assert (later.sums.requests, later.sums.saved) == (before.sums.requests + 2, before.sums.saved + 1)
    one_round(week)
    assert day_at in days(week)
    assert used(week) == later


def test_hours_that_are_counted_anew_take_their_days_with_them(week: Path) -> None:
    one_round(week)
    before = used(week)
    rebuild(week, NOW)
    assert days(week) == []
    one_round(week)
    assert days(week) != [] and used(week) == before


def test_nothing_is_summed_up_where_there_is_nothing(history: Path) -> None:
    with closing(database.open_for_writing(history, NOW).connection) as connection:
        assert sum_up_next(connection, 0, NOW) is None
    one_round(history)
    assert days(history) == []


def test_the_sums_of_clients_are_the_same_with_days_and_without(week: Path) -> None:
    since = TODAY - 4 * DAY_MS + 5 * HOUR
    before = History(week).client_totals(since)
    one_round(week)
    after = History(week).client_totals(since)
    assert [one.client for one in after] == [one.client for one in before] and before
    for old, new in zip(before, after, strict=True):
        assert (new.requests, new.served, new.input_tokens, new.last_at) == (
            old.requests, old.served, old.input_tokens, old.last_at,
        )  # fmt: skip
        assert new.cost_usd == pytest.approx(old.cost_usd)
