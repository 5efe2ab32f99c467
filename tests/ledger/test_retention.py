"""What is too old or too much goes by whole days; traffic does not wait for it, and the space comes back."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.facts import MAIN, T0, rest, served, started, switched
from tests.ledger.look import ask, one
from tests.ledger.test_writer import record, until, writing
from tray_app.core.ids import request_id
from tray_app.core.values import CooldownSet, Fact, OperatorActed, Spent
from tray_app.ledger import batch, database, retention
from tray_app.ledger.retention import DAY_MS, Limits, Retention
from tray_app.ledger.upkeep import TRIES, Upkeep

TODAY = T0 // DAY_MS * DAY_MS
NOW = T0
PLENTY = 1 << 40


def day(ago: int, requests: int = 3) -> list[Fact]:
    """Some requests and events of the day so long ago: one in its first moment, one in its last."""
    at = TODAY - ago * DAY_MS
    times = [at, at + DAY_MS - 2000, *(at + 1000 * n for n in range(1, requests - 1))]
    facts = [fact for n, began in enumerate(times) for fact in (switched if n == 0 else served)(ago * 1000 + n, began)]
    facts += [CooldownSet(rest(), "wallet", None, at), OperatorActed(at, "cli", "pause", MAIN, None)]
    return facts


def filled(path: Path, *facts: Fact) -> None:
    with closing(database.open_for_writing(path, NOW).connection) as connection:
        batch.write(connection, facts, batch.Unfinished())


def rounds(path: Path, days: int = 1 << 20, size: int = PLENTY, now: int = NOW) -> Retention:
    """One whole round."""
    made = Retention(Limits(days, size), now)
    with closing(database.open_for_writing(path, NOW).connection) as connection:
        while made.step(connection):
            pass
    return made


def days_kept(path: Path, table: str = "request", at: str = "started_at") -> set[int]:
    """How many days ago, of all that is there."""
    return {(TODAY - row[at] // DAY_MS * DAY_MS) // DAY_MS for row in ask(path, f"SELECT {at} FROM {table}")}


@pytest.fixture
def two_weeks(history: Path) -> Iterator[Path]:
    filled(history, *(fact for ago in range(14) for fact in day(ago)))
    yield history


@pytest.mark.parametrize("days", [1, 5, 13, 14, 90])
def test_whole_days_are_kept_before_today_and_no_more(two_weeks: Path, days: int) -> None:
    sums = ask(two_weeks, "SELECT * FROM usage_hour")
    profiles = ask(two_weeks, "SELECT * FROM cooldown")
    rounds(two_weeks, days)
    kept = set(range(min(days, 13) + 1))
    assert days_kept(two_weeks) == kept
    for table in ("failover", "operator_event"):
        assert days_kept(two_weeks, table, "at") == kept
    assert min(days_kept(two_weeks, "quota_event", "at")) == 0 and days_kept(two_weeks, "quota_event", "at") <= kept
    whole = "SELECT count(*) FROM request WHERE started_at < ?"
    assert one(two_weeks, whole, TODAY) == min(days, 13) * 3  # each day that is kept is there whole
    orphans = "SELECT count(*) FROM attempt WHERE request_id NOT IN (SELECT id FROM request)"
    assert one(two_weeks, orphans) == 0
    assert ask(two_weeks, "SELECT * FROM usage_hour") == sums
    assert ask(two_weeks, "SELECT * FROM cooldown") == profiles


def test_calls_without_their_request_and_the_providers_words_go_too(history: Path) -> None:
    spent = Spent(1, 1, usage='{"of": "the provider"}')
    facts = day(9)
    facts = [fact if not hasattr(fact, "spent") else _with(fact, spent) for fact in facts]
    filled(history, *facts, *day(0, 2))
    assert one(history, "SELECT count(*) FROM attempt_usage") == 4
    assert one(history, "SELECT count(*) FROM attempt_data") > 2
    with closing(sqlite3.connect(history)) as connection, connection:
        connection.execute("DELETE FROM request_data WHERE id < ?", (request_id(TODAY, 0),))
    rounds(history, 3)
    assert one(history, "SELECT count(*) FROM attempt_usage") == 0
    assert days_kept(history, "attempt") == {0}


def _with(fact: Fact, spent: Spent) -> Fact:
    from msgspec.structs import replace

    return replace(fact, spent=spent)


def test_no_step_takes_away_more_than_a_few_rows_and_the_space_comes_back(history: Path) -> None:
    filled(history, *day(5, 2000), *day(0, 2))
    before = history.stat().st_size
    made, left = Retention(Limits(2, PLENTY), NOW), [2002]
    with closing(database.open_for_writing(history, NOW).connection) as connection:
        while made.step(connection):
            left.append(connection.execute("SELECT count(*) FROM request").fetchone()[0])
            assert not connection.in_transaction
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    taken = [a - b for a, b in zip(left, left[1:], strict=False)]
    assert max(taken) == retention.ROWS and left[-1] == 2
    pages = (before - history.stat().st_size) // 4096
    assert len(left) < 2002 / retention.ROWS + pages / retention.PAGES + 12
    assert history.stat().st_size < before / 2
    assert made.note is None


def test_what_is_too_much_goes_by_whole_days_the_oldest_first(history: Path) -> None:
    filled(history, *day(0, 2))
    empty = history.stat().st_size
    for ago in (3, 2, 1):
        filled(history, *day(ago, 600))
    used = history.stat().st_size
    limit = used - (used - empty) // 2  # a day and a half must go
    made = rounds(history, size=limit)
    assert days_kept(history) == {0, 1}
    assert one(history, "SELECT count(*) FROM request") == 602
    assert history.stat().st_size <= limit and made.note is None


def test_today_stays_though_it_is_too_much_and_that_is_said(history: Path) -> None:
    filled(history, *day(1, 50), *day(0, 400))
    made = rounds(history, size=1000)
    assert days_kept(history) == {0}
    assert "o-switcher config set history.max_size_mb" in str(made.note)


def test_a_file_that_cannot_give_space_back_is_left_as_it_is(history: Path) -> None:
    filled(history, *day(5, 200))
    with closing(sqlite3.connect(history, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    rounds(history, 1)
    assert one(history, "SELECT count(*) FROM request") == 0
    assert one(history, "PRAGMA freelist_count") > 0


def test_an_empty_history_needs_nothing(history: Path) -> None:
    filled(history, OperatorActed(NOW, "cli", "pause", MAIN, None))
    assert rounds(history, 1, size=1).note is not None
    assert one(history, "SELECT count(*) FROM operator_event") == 1


# -- on the writer's thread


def test_a_round_makes_way_for_traffic(history: Path) -> None:
    """Thousands of old rows go while requests come: none of these waits for more than a step."""
    filled(history, *day(9, 4000))

    async def play() -> list[float]:
        async with writing(history, database.open_for_writing(history, NOW).connection) as made:
            made.tidy(Limits(2, PLENTY), NOW)
            waits = []
            for number in range(60):
                record(made, *served(number, NOW + number))
                began = time.monotonic()
                await made.settled()
                waits.append(time.monotonic() - began)
                await asyncio.sleep(0.005)
            assert one(history, "SELECT count(*) FROM request WHERE started_at < ?", TODAY) > 0  # it went on meanwhile
            await until(lambda: one(history, "SELECT count(*) FROM request WHERE started_at < ?", TODAY) == 0, 20)
            return waits

    waits = asyncio.run(play())
    assert sorted(waits)[len(waits) // 2] < 0.1
    assert one(history, "SELECT count(*) FROM request") == 60


def test_a_round_that_a_lock_hinders_is_given_up_until_the_next(history: Path) -> None:
    filled(history, *day(9))
    upkeep = Upkeep(history)
    upkeep.begin(Limits(1, PLENTY), NOW)
    with (
        closing(database.open_for_writing(history, NOW).connection) as connection,
        closing(sqlite3.connect(history, isolation_level=None)) as other,
    ):
        connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        for _ in range(TRIES - 1):
            upkeep.work(connection, idle=True)
        assert upkeep.pace is not None
        upkeep.work(connection, idle=True)
        assert upkeep.pace is None
        other.execute("ROLLBACK")
        upkeep.begin(Limits(1, PLENTY), NOW)
        while upkeep.pace is not None:
            upkeep.work(connection, idle=True)
    assert one(history, "SELECT count(*) FROM request") == 0


def test_what_is_under_way_is_not_lost_to_a_round(history: Path) -> None:
    async def play() -> None:
        async with writing(history, database.open_for_writing(history, NOW).connection) as made:
            old = TODAY - 9 * DAY_MS
            record(made, started(1, started_at=old))
            await until(lambda: one(history, "SELECT count(*) FROM request"))
            made.tidy(Limits(1, PLENTY), NOW)
            await until(lambda: not one(history, "SELECT count(*) FROM request"))
            record(made, *served(1, old)[1:])
            await made.settled()
            assert ask(history, "SELECT outcome FROM request") == [{"outcome": "served"}]

    asyncio.run(play())
