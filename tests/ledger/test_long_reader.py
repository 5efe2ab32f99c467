"""A reader that keeps a transaction open: the writer goes on, the journal grows by what is recorded, and is cut after."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.ledger.facts import T0, served
from tests.ledger.look import one
from tests.ledger.test_writer import opened, record, took, until, writing
from tray_app.ledger import upkeep, writer
from tray_app.ledger.writer import Writer


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal counts as large early, and is looked at often."""
    monkeypatch.setattr(upkeep, "JOURNAL_MOST", 2 * 1024 * 1024)
    monkeypatch.setattr(upkeep, "LOOK_S", 0.02)
    monkeypatch.setattr(upkeep, "CROWDED_PACE_S", 0.2)


@contextmanager
def reading(history: Path) -> Iterator[None]:
    """Another program in the midst of a transaction."""
    with closing(sqlite3.connect(history, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        seen = reader.execute("SELECT count(*) FROM request").fetchone()
        yield
        assert reader.execute("SELECT count(*) FROM request").fetchone() == seen  # it saw one state all the while


def journal(history: Path) -> int:
    return Path(f"{history}-wal").stat().st_size


async def work(made: Writer, first: int, requests: int) -> None:
    for number in range(first, first + requests):
        record(made, *served(number, T0 + number))
        await made.settled()


def test_the_writer_goes_on_says_so_and_cuts_the_journal_when_the_reader_is_gone(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            with reading(history):
                for turn in range(40):
                    await work(made, turn * 20, 20)
                    if made.health.crowded:
                        break
                assert made.health.crowded and made.health.trouble is None
                assert "end that transaction" in str(made.health.notice)
                assert journal(history) > upkeep.JOURNAL_MOST
                at_once = one(history, "SELECT count(*) FROM request")
                await work(made, 10_000, 1)
                assert one(history, "SELECT count(*) FROM request") == at_once + 1  # still before the last byte
            await until(lambda: not made.health.crowded)
            assert made.health.notice is None
            assert journal(history) < upkeep.JOURNAL_MOST
            assert await took(work(made, 30_000, 5)) < writer.CROWDED_SPACING_S  # as quick as ever

    asyncio.run(play())


def test_while_it_lasts_commits_are_far_apart_however_much_comes(history: Path) -> None:
    """So an hour costs at most so many commits, of a handful of pages each, and what is recorded."""

    async def one_client(made: Writer, first: int) -> None:
        for number in range(first, first + 12):
            record(made, *served(number, T0 + number))
            await made.settled()

    async def play() -> None:
        async with writing(history, opened(history)) as made:
            with reading(history):
                while not made.health.crowded:
                    await work(made, one(history, "SELECT count(*) FROM request"), 20)
                before = journal(history)
                seconds = await took(asyncio.gather(*(one_client(made, 100_000 * n) for n in range(1, 9))))
                grown = journal(history) - before
            commits = 12  # eight clients share each
            assert seconds >= (commits - 1) * writer.CROWDED_SPACING_S
            assert grown / commits < 200_000

    asyncio.run(play())


def test_without_a_reader_the_journal_stays_small_by_itself(history: Path) -> None:
    async def play() -> None:
        async with writing(history, opened(history)) as made:
            for turn in range(15):
                await work(made, turn * 100, 100)
                assert not made.health.crowded
            assert journal(history) < 5 * 1024 * 1024

    asyncio.run(play())


def test_a_lock_does_not_hinder_looking(history: Path) -> None:
    with closing(opened(history)) as connection, closing(sqlite3.connect(history, isolation_level=None)) as other:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(3000000))")
        with reading(history):
            connection.execute("UPDATE t SET x = zeroblob(3000001)")
            other.execute("BEGIN IMMEDIATE")
            kept = upkeep.Upkeep(history)
            kept.work(connection, idle=True)
            assert kept.crowded
            assert connection.execute("PRAGMA busy_timeout").fetchone() == (200,)
            other.execute("ROLLBACK")
        connection.execute("DROP TABLE t")
