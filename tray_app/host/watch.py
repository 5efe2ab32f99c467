"""Notices when other programs' files change, without waking up while they do not.

On Linux the kernel tells. Elsewhere, and for what the kernel does not see (a link's target, a folder of another
machine), `look` compares; whoever has work anyway calls it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from tray_app.host.inotify import (
    CLOSE_WRITE,
    CREATE,
    DELETE_SELF,
    IGNORED,
    MODIFY,
    MOVE_SELF,
    MOVED_TO,
    ONESHOT,
    ONLYDIR,
    OVERFLOW,
    Inotify,
)

SETTLE_S = 0.2  # what is written in several steps is looked at once
BUSY_S = 5.0  # a database that is written all the time is looked at no more often
_CAME = CREATE | MOVED_TO | DELETE_SELF | MOVE_SELF | ONLYDIR
_BUSY_ENDING = "-wal"

Folders = Iterable[tuple[Path, tuple[str, ...]]]


class Watch:
    """Calls `changed` after one of the named files has. For the event-loop thread only."""

    def __init__(self, folders: Folders, changed: Callable[[], None]) -> None:
        self._folders = [(folder.absolute(), names) for folder, names in folders]
        self._changed = changed
        self._marks = self._marks_now()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kernel: Inotify | None = None
        self._watched: dict[int, tuple[Path, frozenset[str]]] = {}
        self._busy: frozenset[int] = frozenset()
        self._due: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the kernel tell from now on, where it can."""
        self._loop = loop
        with suppress(OSError, NotImplementedError):
            self._kernel = Inotify()
            loop.add_reader(self._kernel.fd, self._told)
            self._arm()

    def close(self) -> None:
        """Watch no more."""
        if self._due is not None:
            self._due.cancel()
        if self._kernel is not None and self._loop is not None:
            self._loop.remove_reader(self._kernel.fd)
            self._kernel.close()
            self._kernel = None

    def look(self) -> None:
        """Compare, and call `changed` if something has."""
        marks = self._marks_now()
        if marks != self._marks:
            self._marks = marks
            self._changed()

    def _marks_now(self) -> list[tuple[int, int, int] | None]:
        return [_mark(folder / name) for folder, names in self._folders for name in names]

    # -- what the kernel tells

    def _arm(self) -> None:
        """Watch each folder, or what of the way to it is there; and databases that are open, once."""
        if self._kernel is None:
            return
        watched: dict[int, tuple[Path, set[str]]] = {}
        busy: set[int] = set()
        for folder, names in self._folders:
            place, wanted = _nearest(folder, names)
            with suppress(OSError):
                mask = _CAME | (CLOSE_WRITE if place == folder else 0)
                watched.setdefault(self._kernel.watch(place, mask), (place, set()))[1].update(wanted)
            for name in wanted:
                if place == folder and name.endswith(_BUSY_ENDING):
                    with suppress(OSError):
                        busy.add(self._kernel.watch(folder / name, MODIFY | ONESHOT))
        for watch in self._watched.keys() - watched.keys():
            self._kernel.unwatch(watch)
        self._watched = {watch: (place, frozenset(names)) for watch, (place, names) in watched.items()}
        self._busy = frozenset(busy)

    def _told(self) -> None:
        if self._kernel is None:
            return
        for notice in self._kernel.read():
            place, names = self._watched.get(notice.watch, (None, frozenset[str]()))
            if notice.watch in self._busy and notice.mask & MODIFY:
                self._soon(BUSY_S)
            elif notice.mask & OVERFLOW or (place is not None and notice.mask & (DELETE_SELF | MOVE_SELF | IGNORED)):
                self._soon(SETTLE_S)
            elif notice.name in names:
                self._soon(BUSY_S if notice.name.endswith(_BUSY_ENDING) else SETTLE_S)

    def _soon(self, seconds: float) -> None:
        assert self._loop is not None  # noqa: S101 - there are no notices before the start
        at = self._loop.time() + seconds
        if self._due is not None and not self._due.cancelled():
            if self._due.when() <= at:
                return
            self._due.cancel()
        self._due = self._loop.call_at(at, self._look_again)

    def _look_again(self) -> None:
        self._due = None
        self._arm()
        self.look()


def _nearest(folder: Path, names: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """The folder and its files, or the part of the way to it that is there and what is to come in it."""
    while not folder.is_dir() and folder != folder.parent:
        folder, names = folder.parent, (folder.name,)
    return folder, names


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Tells whether a file has changed."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
