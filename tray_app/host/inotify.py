"""The kernel's notices of changed files (Linux): the few calls that are needed. Costs nothing while nothing happens."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODIFY, CLOSE_WRITE, MOVED_TO, CREATE = 0x2, 0x8, 0x80, 0x100
DELETE_SELF, MOVE_SELF = 0x400, 0x800
OVERFLOW, IGNORED = 0x4000, 0x8000
ONLYDIR, ONESHOT = 0x1000000, 0x80000000
_HEAD = struct.Struct("iIII")  # inotify(7): watch, mask, cookie, length of the name
_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Notice:
    """Something happened to `name` in the watched folder, or to the watched file itself."""

    watch: int
    mask: int
    name: str


class Inotify:
    """One queue of notices. `fd` becomes readable when there are some."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            OSError: this system has none, or has no more to give.
        """
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "this system has no inotify")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def watch(self, path: Path, mask: int) -> int:
        """Watch that folder or file; the watch's number. Watching it again changes what is looked for.

        Raises:
            OSError: it is not there, or cannot be watched.
        """
        return self._checked(self._libc.inotify_add_watch(self.fd, os.fsencode(path), ctypes.c_uint32(mask)))

    def unwatch(self, watch: int) -> None:
        """Watch that no more; it may have ended by itself."""
        self._libc.inotify_rm_watch(self.fd, watch)

    def read(self) -> Iterator[Notice]:
        """The notices that are there."""
        try:
            data = os.read(self.fd, _MOST)
        except BlockingIOError:
            return
        place = 0
        while place < len(data):
            watch, mask, _, length = _HEAD.unpack_from(data, place)
            place += _HEAD.size
            yield Notice(watch, mask, os.fsdecode(data[place : place + length].rstrip(b"\0")))
            place += length

    def close(self) -> None:
        os.close(self.fd)

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
