"""Work for the thread that owns the icon, left by any other; a socket that selects wake up on."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]
_log = logging.getLogger(__name__)


class Mailbox:
    """`post` and `wake` from any thread, at any time, also after `close`; the rest by the owner."""

    def __init__(self) -> None:
        self._work: deque[Work] = deque()
        # sockets, not a pipe: writing to a closed one fails, whoever was given its number meanwhile
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)
        self._outside.setblocking(False)

    def fileno(self) -> int:
        return self._inside.fileno()

    def post(self, work: Work) -> None:
        self._work.append(work)
        self.wake()

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # full means that waking is on its way
            self._outside.send(b"\0")

    def drain(self) -> None:
        """Do what has been left. A fault in one piece of work does not stop the next."""
        with contextlib.suppress(BlockingIOError):
            while self._inside.recv(4096):
                pass
        while self._work:
            work = self._work.popleft()
            try:
                work()
            except Exception:
                _log.exception("work for the tray failed")

    def close(self) -> None:
        self._inside.close()
        self._outside.close()
