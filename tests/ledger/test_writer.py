"""The writer: what is settled is safe, whoever waits does not wait long, and nothing held is lost."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.ledger.facts import (
    MAIN,
    T0,
    attempt_ended,
    attempt_started,
    ended,
    id_of,
    seen,
    served,
    started,
    switched,
)
from tests.ledger.look import ask, contents, one
from tray_app.core.values import Admin, Fact, FailedOver, Lifecycle
from tray_app.ledger import batch, database, writer
from tray_app.ledger.writer import Health, Writer


@asynccontextmanager
async def writing(history: Path, connection: sqlite3.Connection | None = None) -> AsyncIterator[Writer]:
    """A running writer; stopped in the end."""
    made = Writer(history, history.with_name("decisions.ndjson"), connection)
    made.start(asyncio.get_running_loop())
    try:
        yield made
    finally:
        await asyncio.to_thread(made.stop)


def record(made: Writer, *facts: Fact) -> None:
    for fact in facts:
        made.record(fact)


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        await asyncio.sleep(0.02)


async def took(waiting: Awaitable[object]) -> float:
    """For how many seconds one has to wait."""
    began = time.monotonic()
    await waiting
    return time.monotonic() - began


def opened(history: Path) -> sqlite3.Connection:
    return database.open_for_writing(history, T0).connection


def count(history: Path, table: str = "request") -> int:
    number: int = one(history, f"SELECT count(*) FROM {table}")
    return number


# -- safe


def test_what_is_settled_is_seen_by_another_connection_at_once(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            for number in range(40):
                record(made, *served(number))
                await made.settled()
                row = ask(history, "SELECT outcome FROM request WHERE id = ?", id_of(number))
                assert row == [{"outcome": "served"}]
                assert count(history, "attempt") == number + 1

    asyncio.run(play())


def test_whoever_waits_in_the_same_moment_shares_one_commit(history: Path) -> None:
    statements: list[str] = []
    connection = opened(history)
    connection.set_trace_callback(statements.append)

    async def one_request(made: Writer, number: int) -> None:
        record(made, *served(number))
        await made.settled()
        assert ask(history, "SELECT 1 FROM request WHERE id = ?", id_of(number))

    async def play() -> None:
        async with writing(history, connection) as made:
            await asyncio.gather(*(one_request(made, number) for number in range(100)))
            assert statements.count("COMMIT") <= 3

    asyncio.run(play())
    assert count(history) == 100


def test_facts_that_nobody_waits_for_are_written_soon(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            record(made, *served(1))
            await until(lambda: count(history), writer.LAZY_S + 1)

    asyncio.run(play())


def test_facts_from_before_the_start_are_written_too(history: Path) -> None:
    async def play() -> None:
        made = Writer(history, history.with_name("decisions.ndjson"), opened(history))
        record(made, seen())
        await made.settled()  # nobody writes yet, so nobody waits
        made.start(asyncio.get_running_loop())
        await until(lambda: count(history, "profile"))
        assert await asyncio.to_thread(made.stop)

    asyncio.run(play())


def test_stopping_writes_what_is_left_and_may_be_done_twice(history: Path) -> None:
    async def play() -> None:
        made = Writer(history, history.with_name("decisions.ndjson"), opened(history))
        made.start(asyncio.get_running_loop())
        record(made, *served(1), Lifecycle("app.stop", T0, "stopped"))
        assert await asyncio.to_thread(made.stop)
        assert await asyncio.to_thread(made.stop)
        await made.settled()  # over: nobody waits

    asyncio.run(play())
    assert count(history) == 1
    assert '"app.stop"' in history.with_name("decisions.ndjson").read_text().splitlines()[-1]
    assert not Path(f"{history}-wal").exists()  # the last connection is closed


def test_a_writer_that_never_started_writes_when_it_is_stopped(history: Path) -> None:
    made = Writer(history, history.with_name("decisions.ndjson"), opened(history))
    record(made, seen())
    assert made.stop()
    assert made.stop()
    assert count(history, "profile") == 1
    assert not Path(f"{history}-wal").exists()


def test_a_writer_without_a_connection_opens_the_file_itself(history: Path) -> None:
    async def play() -> None:
        async with writing(history) as made:
            record(made, *served(1))
            await made.settled()
            assert count(history) == 1
            assert made.health == Health()

    asyncio.run(play())


def test_readers_that_hold_the_file_do_not_stop_the_writer(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            record(made, *served(1))
            await made.settled()
            with closing(sqlite3.connect(history)) as reader:
                reader.execute("BEGIN")
                assert reader.execute("SELECT count(*) FROM request").fetchone() == (1,)
                for number in range(2, 12):
                    record(made, *served(number))
                    assert await took(made.settled()) < 0.5
                assert made.health == Health()
                assert reader.execute("SELECT count(*) FROM request").fetchone() == (1,)
            assert count(history) == 11

    asyncio.run(play())


# -- locked


@pytest.mark.parametrize("how", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"])
def test_a_locked_file_holds_nobody_up_and_loses_nothing(history: Path, how: str) -> None:
    told: list[Health] = []

    async def play() -> None:
        async with writing(history, opened(history)) as made:
            made.on_change = lambda: told.append(made.health)
            with closing(sqlite3.connect(history)) as other:
                other.execute(how)
                record(made, *switched(1))
                assert await took(made.settled()) < 1.5
                assert made.health.trouble == "another program holds a lock on the history file"
                assert made.health.held == len(switched(1))
                record(made, *served(2))
                assert await took(made.settled()) < 0.5  # it is known: nobody waits again
                other.rollback()
            await until(lambda: made.health == Health())
            await until(lambda: count(history) == 2)
            record(made, *served(3))
            await made.settled()
            assert count(history) == 3  # settled means settled again

    asyncio.run(play())
    assert [health.trouble is None for health in told][-1]
    assert one(history, "SELECT sum(requests) FROM usage_hour") == 3
    assert count(history, "failover") == 1
    assert count(history, "quota_event") == 1


def test_a_file_that_is_locked_from_the_start_is_opened_later(history: Path) -> None:
    opened(history).close()

    async def play() -> None:
        with closing(sqlite3.connect(history)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            other.execute("DELETE FROM app_state")
            async with writing(history) as made:
                record(made, *served(1))
                assert await took(made.settled()) < 1.5
                assert made.health.trouble == "another program holds a lock on the history file"
                other.close()
                await until(lambda: made.health == Health())

    asyncio.run(play())
    assert count(history) == 1


def test_decisions_are_not_held_up_by_a_locked_database(history: Path) -> None:
    log = history.with_name("decisions.ndjson")

    async def play() -> None:
        async with writing(history, opened(history)) as made:
            with closing(sqlite3.connect(history)) as other:
                other.execute("BEGIN EXCLUSIVE")
                record(made, *served(1))
                await made.settled()
                await until(lambda: log.exists() and len(log.read_text().splitlines()) == 4)
                other.rollback()
            await until(lambda: made.health == Health())

    asyncio.run(play())
    assert len(log.read_text().splitlines()) == 4  # each once


def test_what_has_only_begun_is_not_written_for_the_sake_of_others(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            await made.settled()  # at its start it writes whatever there is
            record(made, started(1), *served(2))
            await made.settled()
            assert ask(history, "SELECT id FROM request") == [{"id": id_of(2)}]
            await until(lambda: count(history) == 2, writer.LAZY_S + 1)

    asyncio.run(play())


def test_commits_in_a_row_are_spaced_while_others_may_join(history: Path) -> None:
    """Ten of them; where nobody could join, they come as fast as the machine makes them, if it is not busy just then."""

    async def play(others: bool) -> float:
        async with writing(history, opened(history)) as made:
            if others:
                made.record(started(99))
            began = asyncio.get_running_loop().time()
            for number in range(10):
                record(made, *served(number))
                await made.settled()
            return asyncio.get_running_loop().time() - began

    spaced_s = 9 * writer.SPACING_S * 0.9
    assert asyncio.run(play(True)) > spaced_s
    assert any(asyncio.run(play(False)) < spaced_s for _ in range(20))


def test_stopping_while_the_file_is_locked_says_that_not_all_was_written(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LAST_TRY_S", 0.3)

    async def play() -> bool:
        made = Writer(history, history.with_name("decisions.ndjson"), opened(history))
        made.start(asyncio.get_running_loop())
        with closing(sqlite3.connect(history)) as other:
            other.execute("BEGIN EXCLUSIVE")
            record(made, *served(1))
            return await asyncio.to_thread(made.stop)

    assert asyncio.run(play()) is False
    assert count(history) == 0


def test_a_lock_that_goes_while_the_app_stops_is_waited_for(history: Path) -> None:
    async def play() -> None:
        made = Writer(history, history.with_name("decisions.ndjson"), opened(history))
        made.start(asyncio.get_running_loop())
        with closing(sqlite3.connect(history, check_same_thread=False)) as other:
            other.execute("BEGIN EXCLUSIVE")
            record(made, *served(1))
            threading.Timer(0.4, other.rollback).start()
            assert await asyncio.to_thread(made.stop)

    asyncio.run(play())
    assert count(history) == 1


def test_a_stop_that_takes_too_long_is_given_up(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LAST_TRY_S", 0.6)

    async def play() -> None:
        made = Writer(history, history.with_name("decisions.ndjson"), opened(history))
        made.start(asyncio.get_running_loop())
        with closing(sqlite3.connect(history)) as other:
            other.execute("BEGIN EXCLUSIVE")
            record(made, *served(1))
            assert await asyncio.to_thread(made.stop, 0.05) is False
            other.rollback()
        assert await asyncio.to_thread(made.stop)

    asyncio.run(play())
    assert count(history) == 1


# -- slow


def test_a_commit_that_takes_too_long_lets_its_waiters_go(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE_S", 0.2)
    connection = opened(history)
    connection.execute("PRAGMA busy_timeout = 5000")

    async def play() -> None:
        async with writing(history, connection) as made:
            with closing(sqlite3.connect(history)) as other:
                other.execute("BEGIN EXCLUSIVE")
                record(made, *served(1))
                assert 0.15 < await took(made.settled()) < 0.5
                assert made.health.trouble == "the history file has not answered for 0.2 s"
                other.rollback()
            await until(lambda: made.health == Health())
            assert count(history) == 1

    asyncio.run(play())


def test_many_quick_commits_in_a_row_are_not_taken_for_a_slow_one(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_S", 0.4)
    connection = opened(history)
    connection.set_trace_callback(lambda sql: time.sleep(0.02) if sql == "COMMIT" else None)
    told: list[str | None] = []

    async def client(made: Writer, first: int) -> None:
        deadline, number = time.monotonic() + 0.9, first
        while time.monotonic() < deadline:
            record(made, *served(number))
            await made.settled()
            number += 100
            await asyncio.sleep(0.001 * (first + 1))

    async def play() -> None:
        async with writing(history, connection) as made:
            made.on_change = lambda: told.append(made.health.trouble)
            await asyncio.gather(*(client(made, first) for first in range(20)))

    asyncio.run(play())
    assert told == []


def test_a_waiter_that_gives_up_harms_no_other(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            record(made, *served(1))
            leaving = asyncio.ensure_future(made.settled())
            staying = asyncio.ensure_future(made.settled())
            await asyncio.sleep(0)
            leaving.cancel()
            await staying
            assert leaving.cancelled()
            assert count(history) == 1

    asyncio.run(play())


# -- full


@asynccontextmanager
async def a_full_disk(history: Path) -> AsyncIterator[tuple[Writer, Callable[[], None]]]:
    """A writer whose file has no room left, and how room is made."""
    connection = opened(history)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    async with writing(history, connection) as made:
        yield made, lambda: connection.execute("PRAGMA max_page_count = 100000").fetchall() and None


def many(first: int, number: int = 100) -> list[Fact]:
    return [fact for one_number in range(first, first + number) for fact in served(one_number)]


def test_a_full_disk_holds_nobody_up_and_loses_nothing(history: Path) -> None:
    async def play() -> None:
        async with a_full_disk(history) as (made, make_room):
            record(made, *many(0))
            assert await took(made.settled()) < 1.5
            assert made.health == Health("the disk is full", 400)
            record(made, *many(100))
            await until(lambda: made.health.held == 800)
            assert count(history) == 0
            make_room()
            await until(lambda: made.health == Health())

    asyncio.run(play())
    assert count(history) == 200
    assert one(history, "SELECT sum(requests) FROM usage_hour") == 200


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None,
    reason="a disk of one's own needs root",
)
def test_a_disk_that_is_really_full_costs_nothing_either(small_disk: Path) -> None:
    path, ballast = small_disk / "history.db", small_disk / "ballast"

    async def play() -> None:
        async with writing(path, opened(path)) as made:
            record(made, *served(0))
            await made.settled()
            with ballast.open("wb") as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(b"x" * 65_536)
                    file.flush()
            record(made, *many(1, 2000))
            assert await took(made.settled()) < 1.5
            assert made.health.trouble == "the disk is full"
            words = "decisions.ndjson cannot be written (No space left on device)"
            await until(lambda: words in str(made.health.notice))
            ballast.unlink()
            await until(lambda: made.health == Health())
            await until(lambda: count(path) == 2001)

    asyncio.run(play())
    assert one(path, "PRAGMA integrity_check") == "ok"
    lines = (small_disk / "decisions.ndjson").read_bytes()
    assert lines.count(b'"request.end"') == 2001
    assert re.fullmatch(rb'(\{"time":[^\n]*\}\n)+', lines)


def test_the_oldest_facts_are_dropped_and_counted_when_too_many_wait(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_HELD", 400)

    async def play() -> None:
        async with a_full_disk(history) as (made, make_room):
            record(made, started(9000))
            record(made, *many(0))
            await made.settled()
            await until(lambda: made.health.dropped)
            assert made.health == Health("the disk is full", 400, 1)
            record(made, *many(100, 10))
            await until(lambda: made.health.dropped == 41)
            make_room()
            await until(lambda: made.health.trouble is None)
            record(made, ended(9000))  # its beginning was dropped
            await made.settled()
            assert made.health == Health(None, 0, 42)

    asyncio.run(play())
    assert count(history) == 100
    assert ask(history, "SELECT 1 FROM request WHERE id = ?", id_of(9)) == []
    assert ask(history, "SELECT 1 FROM request WHERE id = ?", id_of(10)) != []


# -- facts that do not fit


MISFITS = [
    pytest.param(lambda: started(500, client=None), id="a column that must not be empty"),
    pytest.param(lambda: started(500, model="\ud800"), id="a text that is no Unicode"),
    pytest.param(lambda: started(500, request_bytes=2**70), id="a number beyond all bounds"),
    pytest.param(lambda: started(500, client=object()), id="a value of a kind that no column has"),
    pytest.param(lambda: attempt_ended(500, ended_at=None, duration_ms=0), id="a time that is none"),
]


@pytest.mark.parametrize("make", MISFITS)
def test_a_fact_that_fits_no_table_is_dropped_and_counted_and_the_others_are_written(
    history: Path, make: Callable[[], Fact], caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            record(made, *many(0, 50), make(), *many(50, 51))
            await made.settled()
            await until(lambda: made.health == Health(None, 0, 1))
            assert count(history) == 101
            record(made, *served(200))
            await made.settled()
            assert count(history) == 102

    with caplog.at_level(logging.ERROR):
        asyncio.run(play())
    assert one(history, "SELECT sum(requests) FROM usage_hour") == 102
    assert "does not fit the history and was dropped" in caplog.text


def test_a_lock_between_misfits_writes_nothing_twice(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = batch.write
    connection = opened(history)
    other = sqlite3.connect(history, check_same_thread=False)

    def write_and_lock(*arguments: Any, **options: Any) -> int:
        lost = write(*arguments, **options)
        monkeypatch.undo()
        other.execute("BEGIN IMMEDIATE")
        return lost

    monkeypatch.setattr(batch, "write", write_and_lock)

    async def play() -> None:
        async with writing(history, connection) as made:
            misfit = FailedOver(None, T0, None, None, "to nobody", False)  # type: ignore[arg-type]
            record(made, *switched(1), misfit, *switched(2))
            await made.settled()
            assert made.health.trouble == "another program holds a lock on the history file"
            assert 0 < made.health.held < 19
            other.rollback()
            await until(lambda: made.health == Health(None, 0, 1))

    asyncio.run(play())
    other.close()
    assert count(history) == 2
    assert count(history, "failover") == 2
    assert one(history, "SELECT sum(requests) FROM usage_hour") == 2


# -- damaged while it is in use


def spoil(history: Path, table: str = "request_data") -> None:
    """Overwrite a table's first page, and have every connection look at the file again."""
    with closing(sqlite3.connect(history, isolation_level=None)) as other:
        (page,) = other.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        other.execute("REPLACE INTO app_state VALUES ('touched', 'yes')")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fd = os.open(history, os.O_RDWR)  # left open: closing it would take the writer's locks away
    os.pwrite(fd, b"\xff" * 4096, (page - 1) * 4096)


def test_a_file_that_is_damaged_under_us_is_moved_aside_and_nothing_since_is_lost(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            record(made, *served(1), seen(MAIN, Admin.PAUSED), started(2), attempt_started(2))
            await made.settled()
            spoil(history)
            record(made, *served(3))
            await made.settled()
            assert made.health.trouble is None
            assert re.fullmatch(
                r"history\.db was damaged; it was moved to history\.aside-\d+\.db and a new one begun",
                made.health.notice or "",
            )
            under_way, over = {"id": id_of(2), "outcome": None}, {"id": id_of(3), "outcome": "served"}
            await until(lambda: ask(history, "SELECT id, outcome FROM request ORDER BY id") == [under_way, over])
            record(made, attempt_ended(2), ended(2))
            await made.settled()

    asyncio.run(play())
    rows = ask(history, "SELECT id, outcome, client FROM request ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        (id_of(2), "served", "opencode"),
        (id_of(3), "served", "opencode"),
    ]
    assert ask(history, "SELECT seq, model FROM attempt WHERE request_id = ? AND outcome = 'served'", id_of(2))
    assert one(history, "SELECT admin_state FROM profile") == "paused"


def test_a_file_that_turns_into_garbage_is_no_database_any_more(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            record(made, *served(1))
            await made.settled()
            spoil(history, "app_state")
            os.pwrite(os.open(history, os.O_RDWR), b"\xff" * 4096, 0)
            record(made, *served(2))
            await made.settled()
            assert "history.db was damaged" in str(made.health.notice)

    asyncio.run(play())
    assert one(history, "SELECT id FROM request") == id_of(2)


def test_a_damaged_file_that_cannot_be_moved_is_trouble_and_facts_are_kept(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_way(*_: object) -> Path:
        raise PermissionError(13, "Permission denied")

    async def play() -> None:
        async with writing(history, opened(history)) as made:
            spoil(history)
            with monkeypatch.context() as patch:
                patch.setattr(database, "move_aside", no_way)
                record(made, *served(1))
                assert await took(made.settled()) < 1.5
                assert made.health == Health("the history file cannot be written (Permission denied)", 4)
            await until(lambda: made.health.trouble is None)
            assert "history.db was damaged" in str(made.health.notice) or "is damaged" in str(made.health.notice)

    asyncio.run(play())
    assert count(history) == 1


def test_a_file_that_is_damaged_again_and_again_does_not_fill_the_folder(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path] = []
    begin_anew = database.begin_anew

    def begin_and_spoil(path: Path, now: int, why: database.Unusable) -> database.Opened:
        found = begin_anew(path, now, why)
        begun.append(path)
        spoil(path)
        return found

    async def play() -> None:
        async with writing(history, opened(history)) as made:
            spoil(history)
            with monkeypatch.context() as patch:
                patch.setattr(database, "begin_anew", begin_and_spoil)
                record(made, *served(1))
                await made.settled()
                assert len(begun) == 1
                assert "malformed" in str(made.health.trouble)
            await until(lambda: made.health.trouble is None)

    asyncio.run(play())
    assert count(history) == 1


# -- taken away while it is in use


@pytest.mark.parametrize("with_journal", [True, False], ids=["with its journal", "alone"])
def test_a_file_that_is_taken_away_is_begun_anew(history: Path, with_journal: bool) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            record(made, *served(1), started(2))
            await made.settled()
            history.unlink()
            if with_journal:
                Path(f"{history}-wal").unlink()
                Path(f"{history}-shm").unlink()
            record(made, *served(3))
            await made.settled()
            assert made.health == Health(notice="history.db was taken away; a new one was begun")
            await until(lambda: count(history) == 2)
            assert sorted(row["id"] for row in ask(history, "SELECT id FROM request")) == [id_of(2), id_of(3)]
            record(made, ended(2))
            await made.settled()

    asyncio.run(play())
    assert one(history, "SELECT count(*) FROM request WHERE outcome = 'served'") == 2


def test_a_folder_that_is_taken_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "history.db"

    async def play() -> None:
        async with writing(path, opened(path)) as made:
            record(made, *served(1))
            await made.settled()
            log = path.with_name("decisions.ndjson")
            await until(lambda: log.exists() and log.read_text().count("\n") == 4)
            shutil.rmtree(path.parent)
            record(made, *served(2))
            await made.settled()
            assert made.health.trouble is None

    asyncio.run(play())
    assert one(path, "SELECT id FROM request") == id_of(2)
    assert path.with_name("decisions.ndjson").read_text().count('"request.end"') == 1


def test_a_file_where_the_folder_should_be_is_trouble_until_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "data" / "history.db"
    path.parent.write_text("in the way")

    async def play() -> None:
        async with writing(path) as made:
            record(made, *served(1))
            assert await took(made.settled()) < 1.5
            assert made.health.trouble == "the history file cannot be written (File exists)"
            await until(lambda: "decisions.ndjson cannot be written" in str(made.health.notice))
            path.parent.unlink()
            await until(lambda: made.health.trouble is None)

    asyncio.run(play())
    assert count(path) == 1
    assert path.with_name("decisions.ndjson").read_text().count("\n") == 4


def test_trouble_that_nobody_foresaw_does_not_end_the_writer(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never_seen(*_: object) -> database.Opened:
        raise RuntimeError("a bug")

    async def play() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(database, "open_for_writing", never_seen)
            async with writing(history) as made:
                record(made, *served(1))
                await made.settled()
                assert made.health == Health("the history file cannot be written (a bug)", 4)
                patch.undo()
                await until(lambda: made.health == Health())

    asyncio.run(play())
    assert count(history) == 1


def test_a_file_that_cannot_be_used_is_named_once_the_writer_has_opened_it(history: Path) -> None:
    history.write_bytes(b"no database" * 1000)

    async def play() -> None:
        async with writing(history) as made:
            record(made, *served(1))
            await made.settled()
            assert "history.db is damaged (file is not a database); it was moved to" in str(made.health.notice)

    asyncio.run(play())
    assert count(history) == 1


def test_what_is_held_survives_a_batch_of_any_size(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_BATCH", 7)

    async def play() -> None:
        async with writing(history, opened(history)) as made:
            record(made, *(replace(fact) for fact in many(0, 20)))
            await made.settled()

    asyncio.run(play())
    found = contents(history)
    assert len(found["request"]) == len(found["attempt"]) == 20
    assert {row["outcome"] for row in found["request"] + found["attempt"]} == {"served"}
