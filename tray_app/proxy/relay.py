"""The answer on its way to the client: bytes out as they come in, closed once, recorded before the last byte.

The record of a request is committed before its last byte leaves, so that killing the process
can never lose the record of an answered request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from typing import Protocol as Interface

from msgspec import Struct, structs

from tray_app.core import sse
from tray_app.core.alive import sign_of_life
from tray_app.core.ending import stream_error
from tray_app.core.told import TOO_LONG, Telling, Told
from tray_app.core.unasked import without_usage
from tray_app.core.values import Call, ErrorClass, Head, Headers, Outcome, Protocol, Unreachable
from tray_app.proxy.accept import Accepted, headers_of
from tray_app.proxy.attempt import Passed
from tray_app.proxy.http1 import Response

if TYPE_CHECKING:
    from tray_app.core.continuing import Seam  # nearly no stream needs one

_SERVED, _OLLAMA, _OTHER = Outcome.SERVED, Protocol.OLLAMA, Protocol.OTHER  # quicker than on their classes
Broken = Unreachable | Head  # why an answer ended too early: the way to it, or the provider's error event

HEAD = 65_536  # bytes of an answer's beginning that are kept to its end: all of most that are packed
STREAM_HEAD = 8_192  # of a stream, of which there may be many at a time
MOST_HELD = 65_536  # bytes of an unfinished event; a longer one passes as it comes
BEAT_S = 10.0  # between the signs of life that a client gets while another attempt is asked for
LINGER_S = 0.25  # how long a stream's terminator waits for the end of the message, to be recorded first


class Body(Interface):
    """What the door sends on. `read` gives bytes until `over`; `cut` says that the end is not a whole one.

    `through`, if the door sets it, writes bytes to the client at once, or says that it cannot now: a body
    may then send what arrives while `read` waits by itself.
    """

    cut: bool
    over: bool
    through: Callable[[bytes], bool] | None

    async def read(self) -> bytes: ...

    def slow(self) -> None:
        """The client takes less than it is sent: as little is to be held for it as may be."""

    def close(self) -> None: ...


class Answer(Struct, frozen=True):
    """What the client gets. `headers` are ready to send.

    A `body` of bytes is all there, and its end is recorded: it may be sent as soon as the record is safe.
    """

    status: int
    headers: Headers
    body: Body | bytes


@dataclass(frozen=True, slots=True)
class Going:
    """Another attempt at an answer that broke off: its stream, and how it is joined to what the client has."""

    accepted: Accepted
    seam: Seam
    hides_usage: bool


class Story(Interface):
    """The request whose answer is relayed."""

    def ended(self, outcome: Outcome, failure: Broken | None, passed: Passed) -> None:
        """The answer has ended. Told once, at once."""

    def goes_on(self, telling: Telling) -> bool:
        """Whether another attempt may be asked for the rest of a stream that has told so much."""

    async def resumed(self, telling: Telling, failure: Broken, passed: Passed, usage: bytes) -> Going | None:
        """The attempt has broken off: another one that goes on with it, None where there is none.

        `usage` is what earlier seams have counted, see `Seam`.
        """


class _Leg:
    """One attempt's part of the answer: the bytes as its provider sends them."""

    __slots__ = (
        "_first",
        "_last",
        "_lingered",
        "_plain",
        "chunks",
        "error",
        "half",
        "held",
        "hides_usage",
        "response",
        "seam",
        "sent",
        "shown",
        "unpacking",
        "watch",
    )

    def __init__(self, accepted: Accepted, protocol: Protocol, *, hides_usage: bool, seam: Seam | None = None) -> None:
        self.response = accepted.response
        self.held = accepted.held
        self.watch = sse.EndWatch(protocol) if accepted.events else None
        self.unpacking, self._plain = accepted.unpacking, accepted.plain
        self.hides_usage = hides_usage and accepted.events and accepted.unpacking is None
        self.seam = seam
        self.half = b""  # an event that has not come whole
        self.error: bytes | None = None  # the provider's own, which the client has not been shown
        self.shown: bytes | None = None  # one that it has
        self.sent = self.chunks = 0
        self._first = self._last = b""
        self._lingered = False

    async def read(self, wait: Callable[[Response], Awaitable[bytes]]) -> bytes:
        """The next bytes of the provider, `wait`ed for where none are held."""
        response, watch = self.response, self.watch
        data, held = (self.held, True) if self.held else (await wait(response), False)
        self.held = b""
        plain = data if self.unpacking is None else self._plain if held else self.unpacking.feed(data)
        if not self.chunks:
            self._first = plain[: HEAD if watch is None else STREAM_HEAD]
        self.chunks += 1
        if watch is None:
            self._last = data[-sse.KEPT :] if len(data) >= sse.KEPT else (self._last + data)[-sse.KEPT :]
            return data
        watch.passed(plain)
        if watch.final and not response.complete and not self._lingered:
            self._lingered = True
            rest = await self._rest()
            watch.passed(rest if self.unpacking is None else self.unpacking.feed(rest))
            data += rest
        return data

    async def _rest(self) -> bytes:
        """What comes after a terminator, as a rule nothing but the end of the message: it is recorded first."""
        parts = []
        try:
            async with asyncio.timeout(LINGER_S):
                while data := await self.response.read():
                    parts.append(data)
        except TimeoutError:
            pass
        return b"".join(parts)

    @property
    def is_final(self) -> bool:
        """Whether the terminator has come, and all of the event that it stands in; an error's end is none."""
        watch = self.watch
        return watch is not None and watch.final and self.seam is None and not self.half and not watch.failed

    @property
    def over(self) -> bool:
        """Whether nothing more comes that the client is to get."""
        response = self.response
        arrived = not response.pending and (response.complete or response.failure is not None)
        if arrived or self.error is not None or (self.seam is not None and self.seam.diverged):
            return True
        return self.unpacking is not None and self.unpacking.spoilt

    def passed(self, protocol: Protocol) -> Passed:
        """What went by of it."""
        watch, seam = self.watch, self.seam
        last = self._last if watch is None else watch.last
        whole, all_in_first = self.response.complete, self.sent <= len(self._first)
        stretch = (seam.chars, seam.overlap_dropped) if seam is not None else None
        plain = self.unpacking is not None
        streamed = watch is not None
        return Passed(
            protocol, self.chunks, self._first, last, streamed, whole, all_in_first, self.sent, stretch, plain
        )


def passed_whole(accepted: Accepted, protocol: Protocol) -> Passed | None:
    """An answer that has come whole, and need not be looked at any more, as what went by of it; else None."""
    response, held, events = accepted.response, accepted.held, accepted.events
    if not held or not response.complete or response.pending or accepted.unpacking is not None:
        return None
    if events and not sse.ends_well(held, protocol):
        return None
    size, kept = len(held), STREAM_HEAD if events else HEAD
    head, tail = held[:kept], held[-sse.KEPT :]
    return Passed(protocol, 1, head, tail, streamed=events, whole=True, all_in_head=size <= kept, size=size)


class Relay:
    """A provider's answer as it arrives, and where that breaks off, what another attempt goes on with.

    `story.ended` is called once, whatever happens. `settled` is waited for between that call and the last byte: when
    it returns, the record is safe. A stream is passed on by whole events, so that its client never holds half of one
    when it breaks off.
    """

    def __init__(
        self,
        accepted: Accepted,
        call: Call,
        story: Story,
        settled: Callable[[], Awaitable[None]],
        *,
        hides_usage: bool = False,
    ) -> None:
        self.cut = False
        self.over = False
        self.through: Callable[[bytes], bool] | None = None
        self._call = call
        self._protocol = call.protocol
        self._story: Story | None = story
        self._settled = settled
        self._leg = _Leg(accepted, call.protocol, hides_usage=hides_usage)
        self._ndjson = call.protocol is _OLLAMA
        known = accepted.events and accepted.unpacking is None and call.protocol is not _OTHER
        self._told = Told() if known else None  # the client has been told, if that can be read at all
        self._lets_pass = not known  # errors in the middle of a stream
        self._going: asyncio.Task[Going | None] | None = None
        self._failure: Broken | None = None  # of the latest attempt that broke off

    async def read(self) -> bytes:
        """The next bytes for the client; the last of them when `over` is set."""
        while True:
            if self._going is not None:
                out = await self._gone_on(self._going)
            else:
                leg = self._leg
                out = self._said(leg, await leg.read(self._next))
                if leg.over:
                    out += await self._finish(leg)
            if out or self.over:
                return out

    async def _next(self, response: Response) -> bytes:
        """The next bytes that could not go through by themselves."""
        leg = self._leg
        if self.through is None or leg.watch is None or leg.seam is not None or leg.unpacking is not None:
            return await response.read()
        if response.pending:
            return response.take()
        response.tap = partial(self._pass, leg, leg.watch, self.through)
        try:
            return await response.read()
        finally:
            response.tap = None

    def slow(self) -> None:
        """See `Body`."""
        if self._told is not None:
            self._told.slow()

    def _pass(self, leg: _Leg, watch: sse.EndWatch, through: Callable[[bytes], bool], parts: list[bytes]) -> bool:
        """Send on what has arrived, without a turn of the loop. The end, errors and a slow client are `read`'s."""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if watch.ending(data):
            return False
        if not leg.half and data.endswith(b"\n\n"):  # nearly always
            whole, half = data, b""
        else:
            whole, half = self._cut_at_event(leg.half + data)
        if not self._lets_pass and (whole.find(b'error"') >= 0 if len(whole) < sse.SHORT else sse.may_fail(whole, 1)):
            return False
        if leg.hides_usage:
            whole = without_usage(whole)
        if whole and not through(whole):
            return False
        leg.half = half
        watch.keep(data)
        leg.chunks += 1
        leg.sent += len(whole)
        if self._told is not None:
            self._told.passed(whole)
        return True

    def _cut_at_event(self, data: bytes) -> tuple[bytes, bytes]:
        """The whole events, and the beginning of the next one. An endless one passes as it comes."""
        if self._told is None:
            return data, b""
        end = sse.whole_to(data, ndjson=self._ndjson)
        return (data, b"") if len(data) - end > MOST_HELD else (data[:end], data[end:])

    def _said(self, leg: _Leg, data: bytes) -> bytes:
        """What the client gets of the provider's bytes."""
        if leg.watch is None:  # no stream, so nothing of it is looked at
            leg.sent += len(data)
            return data
        if leg.seam is not None:
            out = self._joined(leg, leg.seam, data)
        else:
            out, leg.half = self._cut_at_event(leg.half + data)
            if leg.half and leg.watch.whole and leg.response.complete:
                out, leg.half = out + leg.half, b""  # an end without a blank line
            if not self._lets_pass and sse.may_fail(out, sse.LATEST):
                out = self._until_error(leg, out)
        if leg.hides_usage:
            out = without_usage(out)
        leg.sent += len(out)
        if self._told is not None and not leg.is_final:  # of what is whole nobody asks any more
            self._told.passed(out)
        return out

    def _joined(self, leg: _Leg, seam: Seam, data: bytes) -> bytes:
        out = seam.feed(data)
        if leg.over and not leg.response.failure:
            out += seam.close()
        if seam.failed:
            leg.error = seam.failed
        return b"" if seam.diverged else out

    def _until_error(self, leg: _Leg, events: bytes) -> bytes:
        """What comes before an error event, where another attempt may take it from there; else all of it."""
        found = sse.error_in(events, self._protocol)
        if found is None or self._told is None or self._story is None:
            return events
        before, error = found
        if not self._story.goes_on(self._told.read(self._protocol, before)):
            self._lets_pass, leg.shown = True, error
            return events
        leg.error = error
        return before

    # -- the end, or another attempt

    async def _finish(self, leg: _Leg) -> bytes:
        """The last bytes of an answer that has ended; none yet where another attempt is asked for the rest."""
        failure, told, story = _failure_of(leg), self._told, self._story
        if failure is None:
            return await self._served()
        if leg.seam is None and leg.error is None and leg.watch is not None and leg.watch.failed:
            self.over = True  # the client has been shown the provider's error
            await self._end(Outcome.INTERRUPTED, failure)
            return b""
        if told is None or story is None:
            return await self._broken_off(failure)
        if leg.is_final and leg.error is None:
            return await self._served()
        telling = told.read(self._protocol)
        if leg.error is None and _is_finished(leg, telling):
            return _terminator(telling, self._protocol) + await self._served()
        if not story.goes_on(telling):
            return await self._broken_off(failure)
        usage = leg.seam.usage if leg.seam is not None else b""
        self._failure = failure
        self._going = asyncio.create_task(story.resumed(telling, failure, leg.passed(self._protocol), usage))
        return b""

    async def _gone_on(self, going: asyncio.Task[Going | None]) -> bytes:
        """Wait for the other attempt; meanwhile the client is kept alive."""
        done, _ = await asyncio.wait({going}, timeout=BEAT_S)
        if not done:
            return sign_of_life(self._call)
        self._going = None
        found = going.result()
        if found is None:
            return await self._broken_off(self._failure)
        self._leg = _Leg(found.accepted, self._protocol, hides_usage=found.hides_usage, seam=found.seam)
        return b""

    async def _served(self) -> bytes:
        self.over = True
        self._closed(_SERVED, None)
        await self._settled()
        return b""

    async def _broken_off(self, failure: Broken | None) -> bytes:
        """The protocol's own error event; the connection is then cut, so that nobody takes it for whole."""
        self.cut = self.over = True
        await self._end(Outcome.INTERRUPTED, failure)
        if self._leg.watch is None or self._leg.unpacking is not None:
            return b""  # no event of ours fits in there
        # "server error" makes OpenCode ask again, in its own time: whoever has half an answer needs another
        return stream_error(self._protocol, f"O-Switcher: server error: {words_of(failure)}", self._call.id)

    async def _end(self, outcome: Outcome, failure: Broken | None) -> None:
        self._closed(outcome, failure)
        await self._settled()

    def _closed(self, outcome: Outcome, failure: Broken | None) -> None:
        story, self._story = self._story, None
        self._leg.response.close()
        if story is not None:
            story.ended(outcome, failure, self._leg.passed(self._protocol))

    def close(self) -> None:
        """The client has left, or all is sent. Safe to call twice."""
        if self._going is not None:
            self._going.cancel()
            self._going = None
        if self._story is not None:
            self._closed(Outcome.CLIENT_CANCELLED, None)


def _failure_of(leg: _Leg) -> Broken | None:
    """Why an answer that has ended is not whole."""
    response, watch, seam = leg.response, leg.watch, leg.seam
    if leg.error is not None:
        return Head(200, headers_of(response), leg.error)
    if leg.shown is not None:
        return Head(200, headers_of(response), leg.shown)
    if seam is not None and seam.diverged:
        return broken("the other attempt began the answer anew, and differently")
    if response.failure is not None:
        return response.failure
    if leg.unpacking is not None and leg.unpacking.blind:
        return None
    if leg.unpacking is not None and not leg.unpacking.whole:
        return broken("the provider's compressed stream ended too early, or cannot be read")
    if watch is not None and watch.failed:
        return broken("the provider reported an error in the middle of its stream")
    if not (watch is None or watch.whole) or not (seam is None or seam.ended):
        return broken("the provider ended its stream before the end of the answer")
    return None


def _is_finished(leg: _Leg, telling: Telling) -> bool:
    """Whether the model had finished when its stream broke off: the client misses nothing but the terminator."""
    if telling.why_not != TOO_LONG:
        return telling.finished
    return leg.watch is not None and leg.watch.whole and not leg.half


def _terminator(telling: Telling, protocol: Protocol) -> bytes:
    from tray_app.core.continuing import closing_events

    return closing_events(telling if telling.finished else structs.replace(telling, finished=True), protocol)


def words_of(failure: Broken | None) -> str:
    """Why it broke off."""
    if isinstance(failure, Unreachable):
        return failure.message
    return "the provider reported an error in the middle of its stream"


def broken(words: str) -> Unreachable:
    return Unreachable(ErrorClass.MID_STREAM_ERROR, words, delivered=True)
