"""The answer on its way to the client: bytes out as they come in, closed once, recorded before the last byte.

The record of a request is committed before its last byte leaves, so that killing the process
can never lose the record of an answered request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol as Interface

from msgspec import Struct

from tray_app.core import sse
from tray_app.core.ending import stream_error
from tray_app.core.unasked import WithoutUsage
from tray_app.core.values import ErrorClass, Headers, Outcome, Protocol, Unreachable
from tray_app.proxy.accept import Accepted
from tray_app.proxy.attempt import Passed

HEAD = 65_536  # bytes of an answer's beginning that are kept to its end: all of most that are packed
STREAM_HEAD = 8_192  # of a stream, of which there may be many at a time
LINGER_S = 0.25  # how long a stream's terminator waits for the end of the message, to be recorded first


class Ended(Interface):
    """Told once, at once, how an answer ended, and what went by of it."""

    def __call__(self, outcome: Outcome, failure: Unreachable | None, sent: int, passed: Passed) -> None: ...


class Body(Interface):
    """What the door sends on. `read` gives bytes until `over`; `cut` says that the end is not a whole one.

    `through`, if the door sets it, writes bytes to the client at once, or says that it cannot now: a body
    may then send what arrives while `read` waits by itself.
    """

    cut: bool
    over: bool
    through: Callable[[bytes], bool] | None

    async def read(self) -> bytes: ...

    def close(self) -> None: ...


class Answer(Struct, frozen=True):
    """What the client gets. `headers` are ready to send."""

    status: int
    headers: Headers
    body: Body


class Whole:
    """A body that is all there: our own words, or an upstream's error passed on."""

    cut = False
    over = True
    through: Callable[[bytes], bool] | None = None

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def close(self) -> None:
        self._data = b""


class Relay:
    """A provider's answer as it arrives. `ended` is called once, whatever happens.

    `settled` is waited for between that call and the last byte: when it returns, the record is safe.
    """

    def __init__(
        self,
        accepted: Accepted,
        protocol: Protocol,
        request_id: str,
        ended: Ended,
        settled: Callable[[], Awaitable[None]],
        *,
        hides_usage: bool = False,
    ) -> None:
        self.cut = False
        self.over = False
        self.through: Callable[[bytes], bool] | None = None
        self._response = accepted.response
        self._held = accepted.held
        self._protocol = protocol
        self._request_id = request_id
        self._ended: Ended | None = ended
        self._settled = settled
        self._watch = sse.EndWatch(protocol) if accepted.events else None
        self._hidden = WithoutUsage() if hides_usage and accepted.events else None
        self._sent = 0
        self._chunks = 0
        self._first = self._last = b""
        self._lingered = False

    async def read(self) -> bytes:
        """The next bytes for the client; the last of them when `over` is set."""
        data = self._held or await self._next()
        self._held = b""
        watch, response = self._watch, self._response
        if not self._chunks:
            self._first = data[: HEAD if watch is None else STREAM_HEAD]
        self._chunks += 1
        if watch is None:
            self._last = data[-sse.KEPT :] if len(data) >= sse.KEPT else (self._last + data)[-sse.KEPT :]
        else:
            watch.passed(data)
            if watch.final and not response.complete and not self._lingered:
                self._lingered = True
                data += await self._rest()
        over = not response.pending and (response.complete or response.failure is not None)
        if self._hidden is not None:
            data = self._hidden.feed(data) + (self._hidden.close() if over else b"")
        self._sent += len(data)
        if not over:
            return data
        self.over = True
        return data + await self._finish()

    async def _next(self) -> bytes:
        """The next bytes that could not go through by themselves."""
        response = self._response
        if self.through is None or self._watch is None or response.pending:
            return await response.read()
        response.tap = self._pass
        try:
            return await response.read()
        finally:
            response.tap = None

    def _pass(self, parts: list[bytes]) -> bool:
        """Send on what has arrived, without a turn of the loop. The end, and a slow client, are `read`'s."""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        watch, through = self._watch, self.through
        if watch is None or through is None or self._hidden is not None or watch.ending(data) or not through(data):
            return False
        watch.passed(data)
        self._chunks += 1
        self._sent += len(data)
        return True

    async def _rest(self) -> bytes:
        """What comes after a terminator, as a rule nothing but the end of the message: it is recorded first."""
        parts = []
        try:
            async with asyncio.timeout(LINGER_S):
                while data := await self._response.read():
                    parts.append(data)
        except TimeoutError:
            pass
        return b"".join(parts)

    async def _finish(self) -> bytes:
        failure, watch = self._response.failure, self._watch
        if failure is not None:
            return await self._interrupted(failure)
        if watch is not None and watch.failed:
            await self._end(Outcome.INTERRUPTED, _broken("the provider reported an error in the middle of its stream"))
        elif watch is not None and not watch.whole:
            return await self._interrupted(_broken("the provider ended its stream before the end of the answer"))
        else:
            await self._end(Outcome.SERVED, None)
        return b""

    async def _interrupted(self, failure: Unreachable) -> bytes:
        """The protocol's own error event; the connection is then cut, so that nobody takes it for whole."""
        self.cut = True
        await self._end(Outcome.INTERRUPTED, failure)
        if self._watch is None:
            return b""
        return stream_error(self._protocol, f"O-Switcher: {failure.message}", self._request_id)

    async def _end(self, outcome: Outcome, failure: Unreachable | None) -> None:
        self._closed(outcome, failure)
        await self._settled()

    def _closed(self, outcome: Outcome, failure: Unreachable | None) -> None:
        ended, self._ended = self._ended, None
        self._response.close()
        if ended is not None:
            ended(outcome, failure, self._sent, self._passed())

    def _passed(self) -> Passed:
        watch = self._watch
        last = self._last if watch is None else watch.last
        whole, all_in_first = self._response.complete, self._sent <= len(self._first)
        return Passed(self._protocol, self._chunks, self._first, last, watch is not None, whole, all_in_first)

    def close(self) -> None:
        """The client has left, or all is sent. Safe to call twice."""
        if self._ended is not None:
            self._closed(Outcome.CLIENT_CANCELLED, None)


def _broken(words: str) -> Unreachable:
    return Unreachable(ErrorClass.MID_STREAM_ERROR, words, delivered=True)
