"""When an answer counts: nothing reaches the client before the provider has shown that it really answers.

A stream is accepted at its first event that is not a comment, a ping, an opening or an error; any
other answer once it is whole, or too large to hold. What is held back is bounded in bytes and time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import msgspec
from msgspec import Struct

from tray_app.core import errorbody
from tray_app.core.emptiness import says_nothing
from tray_app.core.sse import Event, Sign, Splitter, begins_plainly, is_readable, sign_of
from tray_app.core.values import Call, ErrorClass, Head, Protocol, Unreachable
from tray_app.proxy.http1 import Response

HOLD_BYTES = 262_144
MOST_UNPACKED = 4 * 1024 * 1024  # of one piece of a compressed stream
HOLD_STREAM_S = 300.0  # pings alone: thinking takes its time, and the client is kept alive meanwhile


class Unpacking:
    """The plain bytes of a compressed stream, which is passed on as it comes: only looked at, never changed."""

    def __init__(self, encoding: bytes) -> None:
        import zlib

        self._broken = zlib.error
        self._unpacker = zlib.decompressobj(wbits=15 if encoding == b"deflate" else 31)
        self.spoilt = False  # it cannot be unpacked any more
        self.blind = False  # more comes of it than anybody sends in earnest: it is not looked at any more

    def feed(self, data: bytes) -> bytes:
        """What `data` adds, as plain bytes."""
        if self.spoilt or self.blind:
            return b""
        try:
            plain = self._unpacker.decompress(data, MOST_UNPACKED)
        except self._broken:
            self.spoilt = True
            return b""
        self.blind = bool(self._unpacker.unconsumed_tail)
        return plain

    @property
    def whole(self) -> bool:
        """Whether its end has come."""
        return self._unpacker.eof and not self.spoilt


class Accepted(Struct, frozen=True):
    """An answer to pass on: `held` are the bytes read so far, the rest is still to come from `response`.

    `events` says that it is a stream whose events can be read. Where they are compressed, `unpacking` goes on with
    what follows `held`, which holds `plain`.
    """

    response: Response
    held: bytes
    events: bool
    unpacking: Unpacking | None = None
    plain: bytes = b""


class Rejected(Struct, frozen=True):
    """An answer to be judged: an error, or a success that is none.

    `held` is its body as it came, where it came whole enough to be passed on.
    """

    answer: Head | Unreachable
    response: Response | None = None
    held: bytes = b""


Judged = Accepted | Rejected


def accept(call: Call, response: Response, *, goes_on: bool = False) -> Judged | Awaitable[Judged]:
    """Whether the answer is good or bad: at once where what came with its head tells, else to be awaited.

    `goes_on`: it is to be the rest of a stream, so it must be one, and may be over at once.
    """
    content_type = header(response, b"content-type")
    if response.status >= 400:
        return _whole_error(response)
    is_stream = content_type.find(b"event-stream") >= 0 or (call.stream and content_type.find(b"ndjson") >= 0)
    if not is_stream:
        return _whole(call, response, content_type, goes_on)
    first = response.take()  # what came with the head decides as a rule: no time limit need be set
    if b"content-encoding" not in response.heads and begins_plainly(first, call.protocol):
        return Accepted(response, first, events=True)
    return _stream(call, response, first, goes_on)


def header(response: Response, name: bytes) -> bytes:
    """The first value of that header, lower case; empty if there is none."""
    return response.heads.get(name, b"").lower()


def headers_of(response: Response) -> dict[str, str]:
    """All headers as text, for the classifier."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}


async def _whole_error(response: Response) -> Rejected:
    held = await _read_up_to(response, HOLD_BYTES)
    # a cut body changes nothing: the status says enough, and what came of the words is passed on
    return Rejected(Head(response.status, headers_of(response), _plain(response, held)), response, held)


async def _read_up_to(response: Response, limit: int) -> bytes:
    parts, size = [], 0
    while size < limit and (data := await response.read()):
        parts.append(data)
        size += len(data)
    return b"".join(parts)


def _whole(call: Call, response: Response, content_type: bytes, goes_on: bool) -> Judged | Awaitable[Judged]:
    """A plain answer: held whole up to a bound; beyond it, it is real enough to pass on."""
    if goes_on:
        return Rejected(Unreachable(ErrorClass.SERVER_ERROR, "the provider did not answer as a stream", True))
    if call.method == "HEAD" or response.status in (204, 205) or response.status >= 300:
        return Accepted(response, b"", events=False)
    if response.complete:
        return _judged_whole(call.protocol, response, response.take(), content_type)
    return _read_whole(call.protocol, response, content_type)


async def _read_whole(protocol: Protocol, response: Response, content_type: bytes) -> Judged:
    held = await _read_up_to(response, HOLD_BYTES)
    if response.failure is not None:
        return Rejected(response.failure)
    return _judged_whole(protocol, response, held, content_type)


def _judged_whole(protocol: Protocol, response: Response, held: bytes, content_type: bytes) -> Judged:
    if protocol is Protocol.OTHER and b"html" not in content_type:
        return Accepted(response, held, events=False)
    plain = _plain(response, held)
    if not plain.strip():
        return Rejected(Unreachable(ErrorClass.SERVER_ERROR, "the provider answered with nothing", True))
    if content_type.find(b"html") >= 0 or plain[:64].lstrip().lower().startswith((b"<!doctype", b"<html")):
        words = "a web page came instead of an answer"
        return Rejected(Unreachable(ErrorClass.SERVER_ERROR, words, True))
    if not response.complete:
        return Accepted(response, held, events=False)
    if plain.find(b'"error"') >= 0 and errorbody.read(plain).present:
        return Rejected(Head(response.status, headers_of(response), plain), response, held)
    if content_type.find(b"json") >= 0:
        try:
            empty = says_nothing(protocol, plain)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Rejected(Unreachable(ErrorClass.SERVER_ERROR, "the provider's answer is not valid JSON", True))
        if empty:
            return Rejected(Unreachable(ErrorClass.SERVER_ERROR, "the provider's answer says nothing", True))
    return Accepted(response, held, events=False)


def _plain(response: Response, held: bytes) -> bytes:
    """`held` without its gzip, for judging only; the client gets the bytes as they came."""
    if header(response, b"content-encoding") != b"gzip":
        return held
    import zlib

    try:
        return zlib.decompressobj(wbits=31).decompress(held, 4 * HOLD_BYTES)
    except zlib.error:
        return held


async def _stream(call: Call, response: Response, first: bytes, goes_on: bool) -> Judged:
    """A stream that began with `first`."""
    encoding = header(response, b"content-encoding")
    if encoding not in (b"", b"identity"):
        if goes_on:
            words = "the provider compressed its stream, though it was not asked to"
            return Rejected(Unreachable(ErrorClass.SERVER_ERROR, words, True))
        if encoding not in (b"gzip", b"x-gzip", b"deflate"):
            return await _unreadable(response, first)
    unpacking = Unpacking(encoding) if encoding not in (b"", b"identity") else None
    reader = _StreamHead(call, response, goes_on, unpacking)
    if first and (decided := reader.look(first)) is not None:
        return decided
    try:
        async with asyncio.timeout(HOLD_STREAM_S):
            return await reader.read()
    except TimeoutError:
        return reader.accepted()


async def _unreadable(response: Response, first: bytes) -> Judged:
    """A stream in a compression that is not known here: its first bytes are taken for an answer."""
    held = first or await response.read()
    if response.failure is not None and not held:
        return Rejected(response.failure)
    if not held:
        return Rejected(Unreachable(ErrorClass.SERVER_ERROR, "the provider's stream ended without an answer", True))
    return Accepted(response, held, events=False)


class _StreamHead:
    """Reads the first events of a stream until one of them decides."""

    def __init__(self, call: Call, response: Response, goes_on: bool, unpacking: Unpacking | None) -> None:
        self._splitter = Splitter(call.protocol)
        self._response = response
        self._goes_on = goes_on
        self._lines = call.protocol is Protocol.OLLAMA  # of which each is JSON, while an event may be anything
        self._unpacking = unpacking
        self._plain = b""
        self.held = b""

    def accepted(self) -> Accepted:
        """What has come is an answer."""
        return Accepted(self._response, self.held, events=True, unpacking=self._unpacking, plain=self._plain)

    async def read(self) -> Judged:
        response = self._response
        while data := await response.read():
            if (decided := self.look(data)) is not None:
                return decided
        if response.failure is not None:
            return Rejected(response.failure)
        for event in self._splitter.close():
            if sign_of(event) is Sign.CONTENT and not is_readable(event):
                continue  # it was cut within its first event, and has shown nothing yet
            if (decided := self._decide(event)) is not None:
                return decided
        if self._goes_on and self.held.strip():
            return self.accepted()  # nothing was left to say
        return self._nothing("the provider's stream ended without an answer")

    def look(self, data: bytes) -> Judged | None:
        """What the stream is, if `data` shows it."""
        self.held += data
        unpacking = self._unpacking
        if unpacking is not None:
            data = unpacking.feed(data)
            self._plain += data
            if unpacking.spoilt:
                return self._nothing("the provider's stream is compressed in a way that cannot be read")
        for event in self._splitter.events(data):
            if (decided := self._decide(event)) is not None:
                return decided
        return self.accepted() if max(len(self.held), len(self._plain)) >= HOLD_BYTES else None

    def _decide(self, event: Event) -> Judged | None:
        if self._lines and not is_readable(event):
            return self._nothing("the provider's answer is not valid JSON")
        match sign_of(event):
            case Sign.END if not self._goes_on:
                return self._nothing("the provider's stream ended without content")
            case Sign.CONTENT | Sign.END:
                return self.accepted()
            case Sign.ERROR:
                answer = Head(200, headers_of(self._response), event.data or b"")
                return Rejected(answer, self._response, self.held)
            case _:
                return None

    def _nothing(self, words: str) -> Rejected:
        return Rejected(Unreachable(ErrorClass.SERVER_ERROR, words, delivered=True))
