"""What the writer does between commits: rounds of retention, and an eye on the journal.

A reader that keeps a transaction open keeps SQLite from using the journal (`history.db-wal`) again, and nothing but its
end can change that. Commits go on as before. While the journal is large, they are made further apart, so that it grows
by what is recorded and not by how often; it is cut as soon as the reader is gone, and people are told meanwhile.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path

from tray_app.ledger.retention import Limits, Retention

JOURNAL_MOST = 32 * 1024 * 1024  # bytes; without such a reader it stays at a few megabytes
LOOK_S = 1.0  # between looks at the journal, while there is something to write
IDLE_PACE_S = 0.02  # between two steps of a round while nothing is to be written
BUSY_PACE_S = 0.1  # and while there is
CROWDED_PACE_S = 10.0  # between looks whether the reader is gone, while nothing is to be written
TRIES = 50  # for a step that another program's lock does not let through

_log = logging.getLogger(__name__)


class Upkeep:
    """For the writer's thread only. `crowded`: the journal is large, and a reader keeps it so."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._round: Retention | None = None
        self._tries = 0
        self._stepped_at = self._looked_at = float("-inf")
        self._note: str | None = None
        self._journal_note: str | None = None
        self.crowded = False

    @property
    def notes(self) -> tuple[str | None, str | None]:
        """What people should know of it, of the rounds and of the journal."""
        return self._note, self._journal_note

    @property
    def pace(self) -> float | None:
        """For how long to wait for facts before the next step; None: there is nothing to be done."""
        if self._round is not None:
            return IDLE_PACE_S
        return CROWDED_PACE_S if self.crowded else None

    def begin(self, limits: Limits, now: int) -> None:
        """Begin a round of retention; one that goes on is given up for it."""
        self._round, self._tries = Retention(limits, now), 0

    def work(self, connection: sqlite3.Connection, *, idle: bool) -> bool:
        """Do what is due, a few milliseconds at most, and say whether anything was.

        `idle`: nothing came to be written just now.
        """
        now, did = time.monotonic(), False
        if self._round is not None and now - self._stepped_at >= (0 if idle else BUSY_PACE_S):
            self._step(self._round, connection)
            self._stepped_at, did = time.monotonic(), True
        if now - self._looked_at >= LOOK_S:
            self._looked_at, did = now, True
            self._look_at_journal(connection)
        return did

    def _step(self, going_on: Retention, connection: sqlite3.Connection) -> None:
        try:
            more = going_on.step(connection)
        except sqlite3.Error as error:
            self._tries += 1
            more = self._tries < TRIES
            if not more:
                _log.warning("old records could not be taken away, the next round tries again: %s", error)
        if not more:
            self._round = None
            self._note = going_on.note

    def _look_at_journal(self, connection: sqlite3.Connection) -> None:
        size = self._journal_size()
        if size > JOURNAL_MOST:
            _cut(connection)
            size = self._journal_size()
        self.crowded = size > JOURNAL_MOST
        self._journal_note = _held_words(self._path.name, size) if self.crowded else None

    def _journal_size(self) -> int:
        try:
            return os.stat(f"{os.path.realpath(self._path)}-wal").st_size  # noqa: PTH116 - quicker, and it is hot
        except OSError:
            return 0


def _cut(connection: sqlite3.Connection) -> None:
    """Take over what the journal holds and make it empty, where no reader is in the way; waits for nobody."""
    patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        _log.info("the journal could not be cut now: %s", error)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


def _held_words(name: str, size: int) -> str:
    """In steps of powers of two, so that it is news only now and then."""
    megabytes = 1 << (size // 1024**2).bit_length() - 1
    return (
        f"a program has been reading {name} in one transaction for long, so its journal cannot be cut: it has over "
        f"{megabytes:,} MB; end that transaction"
    )
