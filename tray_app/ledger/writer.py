"""The one writer: facts in from the event loop, rows out in group commits, on a thread of its own.

Whoever must know that its facts are safe waits for `settled()`: all that wait in the same moment
share one commit. When the file cannot be written, nobody waits: traffic goes on, facts are kept in
a bounded queue and tried again, and what had to be dropped is counted.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from msgspec import Struct
from msgspec.structs import replace

from tray_app.core.values import Fact, RequestEnded, RequestStarted
from tray_app.ledger import batch, database
from tray_app.ledger.decisions import DecisionLog
from tray_app.ledger.retention import Limits
from tray_app.ledger.spending import Price, reckoned, unpriced
from tray_app.ledger.upkeep import Upkeep

LAZY_S = 0.25  # facts that nobody waits for are written within this time
SPACING_S = 0.005  # under load commits are this far apart: one costs as much as the rows of several requests
CROWDED_SPACING_S = 0.1  # also without load, while a reader of the file lets its journal grow with every commit
SOON_S = 0.001  # and others get at least so long to join
PATIENCE_S = 1.0  # a commit that takes longer lets its waiters go
RETRY_S = 0.5
LAST_TRY_S = 3.0
MAX_HELD = 50_000
MAX_BATCH = 5_000
MANY_FRESH = 1_000

_log = logging.getLogger(__name__)


class Health(Struct, frozen=True):
    """How the ledger fares. `trouble` is None when all is well; `crowded`: commits are made further apart."""

    trouble: str | None = None
    held: int = 0
    dropped: int = 0
    notice: str | None = None
    crowded: bool = False


class _Batch(Struct, frozen=True):
    facts: list[Fact]
    waiters: list[asyncio.Future[None]]
    whole: bool  # also what has only begun is to be written


class _Tidy(Struct, frozen=True):
    limits: Limits
    now: int


class _Stop(Struct, frozen=True):
    pass


_Item = _Batch | _Tidy | _Stop


class Writer:
    """The loop's side of the ledger. `record` and `settled` are for the event-loop thread only."""

    def __init__(
        self, path: Path, decisions: Path, connection: sqlite3.Connection | None, price: Price = unpriced
    ) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_change: Callable[[], None] = lambda: None  # called on the loop's thread
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._facts: list[Fact] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._waiting: dict[asyncio.Future[None], float] = {}  # since when, oldest first
        self._running = 0  # requests that may still end
        self._kick_due: asyncio.Handle | None = None
        self._kicked_at = float("-inf")
        self._lazy: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._scribe = _Scribe(path, DecisionLog(decisions), self._queue, self._report, connection, price)
        self._thread = threading.Thread(target=self._scribe.run, name="ledger writer", daemon=True)
        self.health = Health()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to write; waiters are resolved on `loop`."""
        self._loop = loop
        self._scribe.loop = loop
        self._thread.start()
        self._hand_over([])

    def record(self, *facts: Fact) -> None:
        """Take note of `facts`: a request's beginning comes first, its end comes last. Cheap, never waits."""
        self._facts += facts
        if type(facts[0]) is RequestStarted:
            self._running += 1
        elif type(facts[-1]) is RequestEnded:
            self._running -= 1
        if self._lazy is None and self._loop is not None:
            self._lazy = self._loop.call_later(LAZY_S, self._kick_lazily)

    def settled(self) -> Awaitable[None]:
        """To be awaited at once: over when everything recorded so far is safe, or the ledger is in trouble.

        What has only begun is written within `LAZY_S`: its end will say it all.
        """
        loop = self._loop
        if loop is None or self.health.trouble is not None or self._scribe.ended:
            return _NO_WAIT
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        self._waiting[waiter] = loop.time()
        if self._patience is None:
            self._patience = loop.call_later(PATIENCE_S, self._look_at_waiters, loop)
        self._arrange_kick(loop)
        return waiter

    def _arrange_kick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a commit made: at once where nobody else could join, else when the time is due."""
        crowded = self.health.crowded
        if self._running <= 0 and not crowded:
            if self._kick_due is not None:
                self._kick_due.cancel()
            self._kick_due = loop.call_soon(self._kick)
        elif self._kick_due is None:
            early = self._kicked_at + (CROWDED_SPACING_S if crowded else SPACING_S) - loop.time()
            self._kick_due = loop.call_later(max(early, SOON_S), self._kick)

    def _kick(self) -> None:
        """Hand over what has gathered since the last time."""
        assert self._loop is not None  # noqa: S101 - nobody waits before the start
        self._kick_due = None
        self._kicked_at = self._loop.time()
        waiters, self._waiters = self._waiters, []
        self._hand_over(waiters, whole=False)

    def _kick_lazily(self) -> None:
        """Have written what nobody waits for, and what has begun a while ago and goes on."""
        self._lazy = None
        self._hand_over([])

    def tidy(self, limits: Limits, now: int) -> None:
        """Begin to take away what is too old (`now` in ms) or too much, as far as traffic leaves time for it."""
        self._queue.put(_Tidy(limits, now))

    def _hand_over(self, waiters: list[asyncio.Future[None]], *, whole: bool = True) -> None:
        facts = self._facts[:]
        del self._facts[: len(facts)]  # another thread may add to the list between these two lines
        self._queue.put(_Batch(facts, waiters, whole))

    def _look_at_waiters(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let those go who have waited too long, and look again when the next would have."""
        self._patience = None
        limit = loop.time() - PATIENCE_S + 0.001
        late = [waiter for waiter, since in self._waiting.items() if since <= limit]
        self._release(late)
        for oldest in list(self._waiting.values())[:1]:
            self._patience = loop.call_at(oldest + PATIENCE_S, self._look_at_waiters, loop)
        if late:
            words = f"the history file has not answered for {PATIENCE_S:g} s"
            self._report(replace(self.health, trouble=words))

    def _release(self, waiters: Sequence[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            self._waiting.pop(waiter, None)
            if not waiter.done():
                waiter.set_result(None)

    def _report(self, health: Health, waiters: Sequence[asyncio.Future[None]] = ()) -> None:
        """News from the scribe, on the loop's thread."""
        self._release(waiters)
        if health != self.health:
            self.health = health
            self.on_change()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Write what is left and end the thread. Whether all was written. Safe to call twice, from any thread."""
        self._hand_over([])
        self._queue.put(_Stop())
        if self._thread.ident is None:
            self._scribe.run()  # never started: the facts of a start that failed are written here
        else:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self.health = self._scribe.health()
        return self.health.held == 0


class _NoWait:
    """Nothing to wait for."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_NO_WAIT = _NoWait()


class _Scribe:
    """The writer thread. Owns the only write connection."""

    def __init__(
        self,
        path: Path,
        decisions: DecisionLog,
        queue: SimpleQueue[_Item],
        report: Callable[[Health, Sequence[asyncio.Future[None]]], None],
        connection: sqlite3.Connection | None,
        price: Price,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.ended = False  # whether nothing is written any more
        self._path = path
        self._decisions = decisions
        self._queue = queue
        self._report = report
        self._price = price
        self._connection = connection
        self._file = _identity(path) if connection is not None else None
        self._unfinished = batch.Unfinished()
        self._upkeep = Upkeep(path)
        self._held: list[Fact] = []
        self._open_due = True
        self._idle = False
        self._fresh: list[Fact] = []  # those of the held ones that the decisions log has not seen
        self._trouble: str | None = None
        self._notice: str | None = None
        self._dropped = 0
        self._told = self._health = Health()
        self._state: tuple[str | None, int, int, tuple[str | None, ...], bool] | None = None  # that it tells

    def run(self) -> None:
        """Write until told to stop."""
        try:
            self._run()
        finally:
            self.ended = True

    def _run(self) -> None:
        stopping = False
        while not stopping:
            waiters, stopping = self._gather()
            unhurried = self._open_due
            self._write()
            self._tell(waiters)
            if unhurried or len(self._fresh) > MANY_FRESH:
                self._decide()  # nobody waits for the log
            if not stopping:
                self._keep_up()
        deadline = time.monotonic() + LAST_TRY_S
        while self._held and time.monotonic() < deadline:
            time.sleep(0.05)
            self._write()
        self._decisions.close()
        self._disconnect()

    def _gather(self) -> tuple[list[asyncio.Future[None]], bool]:
        """Wait for a batch (in trouble, not for ever), and take whatever else has come meanwhile."""
        waiters: list[asyncio.Future[None]] = []
        self._idle = True
        try:
            item = self._queue.get(timeout=RETRY_S if self._held else self._upkeep.pace if self._connection else None)
        except Empty:
            return waiters, False
        while not isinstance(item, _Stop):
            if isinstance(item, _Tidy):
                self._upkeep.begin(item.limits, item.now)
            else:
                self._idle = False
                facts = reckoned(item.facts, self._price)  # at once: it lets go of many bytes
                self._held += facts
                self._fresh += facts
                waiters += item.waiters
                self._open_due |= item.whole
            if self._queue.empty():
                return waiters, False
            item = self._queue.get_nowait()
        self._open_due = True
        return waiters, True

    def _keep_up(self) -> None:
        """Do a little of what is due besides, now that nobody waits."""
        connection = self._connection
        if self._trouble is None and connection is not None and self._upkeep.work(connection, idle=self._idle):
            self._tell([])

    def _decide(self) -> None:
        self._decisions.write(self._fresh)
        self._fresh.clear()
        self._tell([])

    # -- writing

    def _write(self) -> None:
        """Write all that is held, or keep it and remember why not."""
        try:
            self._write_held()
            self._trouble = None
        except Exception as error:
            self._in_trouble(error)

    def _write_held(self) -> None:
        """In parts, halved until a fact that does not fit the tables stands alone: it is dropped and counted."""
        size, renewed = MAX_BATCH, False
        while self._held or (self._open_due and (self._unfinished.young or self._unfinished.words)):
            connection = self._opened()
            try:
                self._dropped += batch.write(connection, self._held[:size], self._unfinished, open_too=self._open_due)
                del self._held[:size]
            except Exception as error:
                if _is_misfit(error) and self._unfinished.young:
                    self._held[:0] = self._unfinished.taken(young_only=True)  # it may be one of these
                    self._open_due = True
                elif _is_misfit(error):
                    size = min(size, len(self._held)) // 2 or self._drop_first(error)
                elif _is_damage(error) and not renewed:
                    renewed = True
                    self._begin_anew()
                else:
                    raise
        self._open_due = False

    def _drop_first(self, error: Exception) -> int:
        _log.error("a %s does not fit the history and was dropped: %s", type(self._held[0]).__name__, error)
        del self._held[0]
        self._dropped += 1
        return MAX_BATCH

    def _begin_anew(self) -> None:
        """The file went bad under us: keep it aside, go on in a new one, lose nothing."""
        self._disconnect()
        now = round(time.time() * 1000)
        self._connected(database.begin_anew(self._path, now, database.Damaged("was damaged")))

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._file == _identity(self._path):
            return self._connection
        if self._connection is not None:
            self._disconnect()
            self._notice = f"{self._path.name} was taken away; a new one was begun"
            self._hold_unfinished()
        alive = self._unfinished.requests()
        return self._connected(database.open_for_writing(self._path, round(time.time() * 1000), alive))

    def _connected(self, opened: database.Opened) -> sqlite3.Connection:
        self._connection = opened.connection
        self._file = _identity(self._path)
        if opened.moved_aside is not None:
            self._notice = opened.moved_aside
            self._hold_unfinished()
        return opened.connection

    def _hold_unfinished(self) -> None:
        """What had been begun in the file that is gone is begun in the new one."""
        self._held[:0] = self._unfinished.taken()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _in_trouble(self, error: Exception) -> None:
        self._trouble = _words(error)
        if not _is_passing(error):
            self._disconnect()  # the next try opens the file anew
        over = len(self._held) - MAX_HELD
        if over > 0:
            del self._held[:over]
            self._dropped += over

    # -- telling

    def health(self) -> Health:
        """How it fares. The same one as long as nothing changes, since it is asked for with every commit."""
        notes = (self._notice, self._decisions.trouble, *self._upkeep.notes)
        state = (self._trouble, len(self._held), self._dropped, notes, self._upkeep.crowded)
        if state != self._state:
            told = "; ".join(note for note in notes if note) or None
            self._state = state
            self._health = Health(*state[:3], told, state[-1])
        return self._health

    def _tell(self, waiters: list[asyncio.Future[None]]) -> None:
        health = self.health()
        if self.loop is None or (not waiters and health is self._told):
            return
        self._told = health
        try:
            self.loop.call_soon_threadsafe(self._report, health, waiters)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at `path`."""
    try:
        found = os.stat(path)  # noqa: PTH116 - for every batch, and four times as quick as Path.stat
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", None) or ""


def _is_misfit(error: Exception) -> bool:
    """Whether a fact cannot be put into the tables, whatever the state of the file."""
    kinds = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
    return isinstance(error, kinds) or not isinstance(error, sqlite3.Error | OSError)


def _is_damage(error: Exception) -> bool:
    return _name(error).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _is_passing(error: Exception) -> bool:
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL"))


def _words(error: Exception) -> str:
    if _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "another program holds a lock on the history file"
    if _name(error) == "SQLITE_FULL" or getattr(error, "errno", None) == errno.ENOSPC:
        return "the disk is full"
    return f"the history file cannot be written ({getattr(error, 'strerror', None) or error})"
