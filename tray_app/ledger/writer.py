"""The one writer: facts in from the event loop, rows out in group commits, on a thread of its own.

Whoever must know that its facts are safe waits for `settled()`: all that wait in the same moment
share one commit. When the file cannot be written, nobody waits: traffic goes on, facts are kept in
a bounded queue and tried again, and what had to be dropped is counted.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from tray_app.core.values import Fact, RequestStarted
from tray_app.ledger import batch, database
from tray_app.ledger.decisions import DecisionLog

LAZY_S = 0.25  # facts that nobody waits for are written within this time
PATIENCE_S = 1.0  # a commit that takes longer lets its waiters go
RETRY_S = 0.5
MAX_HELD = 50_000
MAX_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Health:
    """How the ledger fares. `trouble` is None when all is well."""

    trouble: str | None = None
    held: int = 0
    dropped: int = 0
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class _Batch:
    facts: list[Fact]
    waiters: list[asyncio.Future[None]]


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


class Writer:
    """The loop's side of the ledger. `record` and `settled` are for the event-loop thread only."""

    def __init__(self, path: Path, decisions: Path, connection: sqlite3.Connection | None) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_change: Callable[[], None] = lambda: None  # called on the loop's thread
        self._queue: SimpleQueue[_Batch | _Stop] = SimpleQueue()
        self._facts: list[Fact] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._kick_due = False
        self._lazy: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._scribe = _Scribe(path, DecisionLog(decisions), self._queue, self._report, connection)
        self._thread = threading.Thread(target=self._scribe.run, name="ledger writer", daemon=True)
        self.health = Health()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to write; waiters are resolved on `loop`."""
        self._loop = loop
        self._scribe.loop = loop
        self._thread.start()

    def record(self, fact: Fact) -> None:
        """Take note of `fact`. Cheap, never waits."""
        self._facts.append(fact)
        if self._lazy is None and self._loop is not None:
            self._lazy = self._loop.call_later(LAZY_S, self._kick)

    async def settled(self) -> None:
        """Wait until everything recorded so far is safe, or the ledger is in trouble."""
        loop = self._loop
        if loop is None or self.health.trouble is not None or not self._thread.is_alive():
            return
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        if not self._kick_due:
            self._kick_due = True
            loop.call_soon(self._kick)
        await waiter

    def _kick(self) -> None:
        """Hand over what has gathered in this turn of the loop."""
        self._kick_due = False
        if self._lazy is not None:
            self._lazy.cancel()
            self._lazy = None
        if not self._facts and not self._waiters:
            return
        handed = _Batch(self._facts, self._waiters)
        self._facts, self._waiters = [], []
        if handed.waiters and self._loop is not None:
            self._waiting.update(handed.waiters)
            if self._patience is None:
                self._patience = self._loop.call_later(PATIENCE_S, self._lose_patience)
        self._queue.put(handed)

    def _lose_patience(self) -> None:
        self._patience = None
        self._release(list(self._waiting))
        self._report(Health(f"the history file has not answered for {PATIENCE_S:g} s", self.health.held))

    def _release(self, waiters: Sequence[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            self._waiting.discard(waiter)
            if not waiter.done():
                waiter.set_result(None)
        if not self._waiting and self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _report(self, health: Health, waiters: Sequence[asyncio.Future[None]] = ()) -> None:
        """News from the scribe, on the loop's thread."""
        self._release(waiters)
        if health != self.health:
            self.health = health
            self.on_change()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Write what is left and end the thread. Whether all was written in time. Safe to call twice."""
        self._kick()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if not self._thread.is_alive():
            return True
        self._queue.put(_Stop())
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and self.health.trouble is None


class _Scribe:
    """The writer thread. Owns the only write connection."""

    def __init__(
        self,
        path: Path,
        decisions: DecisionLog,
        queue: SimpleQueue[_Batch | _Stop],
        report: Callable[[Health, Sequence[asyncio.Future[None]]], None],
        connection: sqlite3.Connection | None,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._path = path
        self._decisions = decisions
        self._queue = queue
        self._report = report
        self._connection = connection
        self._open_requests: dict[str, RequestStarted] = {}
        self._held: list[Fact] = []
        self._trouble: str | None = None
        self._notice: str | None = None
        self._dropped = 0
        self._undecided = 0  # how many of the held facts are in the decisions log already
        self._told = Health()

    def run(self) -> None:
        """Write until told to stop."""
        stopping = False
        while not stopping:
            waiters, stopping = self._gather()
            if self._held:
                self._write()
            self._tell(waiters)
        if self._held:
            self._last_try()
        self._decisions.close()
        if self._connection is not None:
            self._connection.close()

    def _gather(self) -> tuple[list[asyncio.Future[None]], bool]:
        """Wait for a batch (in trouble, not for ever), and take whatever else has come meanwhile."""
        waiters: list[asyncio.Future[None]] = []
        try:
            item = self._queue.get(timeout=RETRY_S if self._held else None)
            while True:
                if isinstance(item, _Stop):
                    return waiters, True
                self._held += item.facts
                waiters += item.waiters
                if len(self._held) > MAX_BATCH:
                    return waiters, False
                item = self._queue.get_nowait()
        except Empty:
            return waiters, False

    def _write(self) -> None:
        try:
            batch.write(self._opened(), self._held, self._open_requests)
        except sqlite3.DatabaseError as error:
            self._failed(error)
        except OSError as error:
            self._in_trouble(error.strerror or str(error))
        else:
            self._decide()
            self._held.clear()
            self._undecided = 0
            self._trouble = None

    def _failed(self, error: sqlite3.DatabaseError) -> None:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            self._begin_anew()
        elif name.startswith("SQLITE_CONSTRAINT"):
            self._one_by_one()
        else:
            self._in_trouble(_words(name, error))

    def _begin_anew(self) -> None:
        """The file went bad under us: keep it aside, go on in a new one, lose nothing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        try:
            aside = database.move_aside(self._path, round(time.time() * 1000))
        except OSError as error:
            self._in_trouble(error.strerror or str(error))
            return
        self._notice = f"{self._path.name} was damaged; it was moved to {aside.name} and a new one begun"
        self._write()

    def _one_by_one(self) -> None:
        """One fact does not fit the tables: write the others, and count it."""
        for fact in self._held:
            try:
                batch.write(self._opened(), [fact], self._open_requests)
            except sqlite3.IntegrityError:
                self._dropped += 1
            except sqlite3.DatabaseError as error:
                self._in_trouble(_words("", error))
                return
        self._decide()
        self._held.clear()
        self._undecided = 0

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            opened = database.open_for_writing(self._path, round(time.time() * 1000))
            self._connection = opened.connection
            self._notice = opened.moved_aside or self._notice
        return self._connection

    def _in_trouble(self, words: str) -> None:
        self._trouble = words
        self._decide()
        over = len(self._held) - MAX_HELD
        if over > 0:
            del self._held[:over]
            self._undecided = max(0, self._undecided - over)
            self._dropped += over

    def _decide(self) -> None:
        """Write the decisions of facts that have none yet: a locked database does not hold them up."""
        fresh = self._held[self._undecided :]
        self._undecided = len(self._held)
        try:
            self._decisions.write(fresh)
        except OSError:
            self._decisions.close()

    def _tell(self, waiters: list[asyncio.Future[None]]) -> None:
        health = Health(self._trouble, len(self._held), self._dropped, self._notice)
        if self.loop is None or (not waiters and health == self._told):
            return
        self._told = health
        with suppress(RuntimeError):  # the loop may have ended: then nobody waits any more
            self.loop.call_soon_threadsafe(self._report, health, waiters)

    def _last_try(self) -> None:
        deadline = time.monotonic() + 3.0
        while self._held and time.monotonic() < deadline:
            self._write()
            if self._held:
                time.sleep(0.1)


def _words(name: str, error: Exception) -> str:
    if name.startswith("SQLITE_BUSY") or "locked" in str(error):
        return "another program holds a lock on the history file"
    if name == "SQLITE_FULL" or "full" in str(error):
        return "the disk is full"
    return f"the history file cannot be written ({error})"
