"""One connection: requests wait in a row, and each one's reply is played act by act.

A reply needs no task: it goes on when its pause is over or when the client has taken what was sent.
So no more than one act is ever unsent, and a client's leaving is noticed in the same tick.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from typing import Protocol, cast

from .intake import Intake, NotHTTP
from .log import Entry, Log
from .reply import Act, acts, keeps_open
from .values import Ending, Gate, Reply, Request

PIPELINE_LIMIT = 64  # requests waiting on one connection before it is read no further
DISCARD_S = 1.0  # how long a body that was refused is still read, so that the refusal arrives
_NO_LINGER = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NOT_HTTP = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class House(Protocol):
    """Where connections belong: who answers, what is written down, who is still there and who is held."""

    @property
    def log(self) -> Log: ...

    @property
    def wires(self) -> set[Wire]: ...

    @property
    def held(self) -> list[Wire]: ...

    def answer(self, request: Request, connection: int) -> tuple[Reply, Entry | None]: ...

    def date(self) -> bytes: ...


class Wire(asyncio.Protocol):
    """The connection. One reply is under way at a time."""

    def __init__(self, house: House, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._house, self._number, self._loop = house, number, loop
        self._intake = Intake(self._take, self._invite)
        self._waiting: deque[Request] = deque()
        self._playing: Iterator[Act] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # `pause_writing` as soon as anything is unsent
        self._house.wires.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._intake.feed(data)
        except NotHTTP:
            if self._playing is None:
                self._transport.write(_NOT_HTTP)
                self._transport.close()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._timer is None and self not in self._house.held:
            self._resume()

    def go_on(self) -> None:
        """What was held is held no more."""
        self._resume()

    def eof_received(self) -> None:
        self._left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._house.wires.discard(self)
        self._left()

    def abort(self) -> None:
        """The simulator stops: nobody has left, and nothing more is sent."""
        self._forget()
        self._transport.abort()

    def _take(self, request: Request) -> None:
        self._waiting.append(request)
        if len(self._waiting) > PIPELINE_LIMIT:
            self._transport.pause_reading()
        self._next()

    def _invite(self) -> None:
        """`100 Continue`, but never into the middle of another answer."""
        if self._intake.expecting and self._playing is None and not self._waiting:
            self._intake.expecting = False
            self._transport.write(_CONTINUE)

    def _next(self) -> None:
        """Answer what waits, in its order, as far as that goes without a pause."""
        while self._playing is None and self._waiting and not self._transport.is_closing():
            request = self._waiting.popleft()
            if len(self._waiting) == PIPELINE_LIMIT:
                self._transport.resume_reading()
            self._asked, self._begun = request, self._loop.time()
            self._reply, self._entry = self._house.answer(request, self._number)
            self._playing = acts(self._reply, request, self._house.date())
            self._play()
        self._invite()

    def _play(self) -> None:
        while self._playing is not None and not self._full and not self._transport.is_closing():
            match next(self._playing, None):
                case bytes() as data:
                    self._send(data)
                case float() as seconds:
                    self._timer = self._loop.call_later(seconds, self._resume)
                    return
                case Gate():
                    self._house.held.append(self)
                    return
                case None:
                    self._complete()
                case ending:
                    self._end(ending)
                    return

    def _resume(self) -> None:
        self._timer = None
        self._play()
        self._next()

    def _send(self, data: bytes) -> None:
        if self._entry is not None:
            self._entry.status = None if self._reply.raw else self._reply.status
            self._entry.sent_bytes += len(data)
        self._transport.write(data)

    def _complete(self) -> None:
        self._playing = None
        self._close_entry(completed=True)
        if self._asked.too_large:
            self._transport.write_eof()
            self._loop.call_later(DISCARD_S, self._transport.close)
        elif not keeps_open(self._reply, self._asked) or (self._intake.deaf and not self._waiting):
            self._transport.close()

    def _end(self, ending: Ending) -> None:
        if ending is Ending.HANG:
            self._playing = repeat(ending)  # until the client leaves
            return
        self._close_entry()
        self._forget()
        if ending is Ending.RST:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()
        else:
            self._transport.close()

    def _left(self) -> None:
        """The client has gone. If an answer was under way, it is so recorded."""
        if self._playing is not None:
            self._close_entry(client_left=True)
        self._forget()

    def _close_entry(self, *, completed: bool = False, client_left: bool = False) -> None:
        if self._entry is not None:
            ms = round((self._loop.time() - self._begun) * 1000, 3)
            self._house.log.close(self._entry, ms, completed=completed, client_left=client_left)

    def _forget(self) -> None:
        self._playing = None
        self._intake.deaf = True
        self._waiting.clear()
        if self in self._house.held:
            self._house.held.remove(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
