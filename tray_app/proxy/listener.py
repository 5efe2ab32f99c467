"""The wire to clients: HTTP/1.1 connections, each a row of exchanges; bounded in size and time.

Our own for the same reason as the wire to providers: this runs for every request, and a general-purpose
server costs several times as much. Parsing is llhttp's (httptools), which is strict about lengths.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from http import HTTPStatus

import httptools

from tray_app.core.values import Headers

Answering = Callable[["Exchange"], Awaitable[None]]

KEEP_ALIVE_S = 75.0  # a connection that asks nothing for so long is closed
HEAD_TIMEOUT_S = 30.0
BODY_TIMEOUT_S = 60.0  # between two parts of a request's body
MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 200
LONG = 16_384  # bytes that it takes longer to copy than to send beside others
MOST_STRANGE = 3  # heads in a row that are learnt in vain
CRUMBS = 256  # parts of a body that are kept as they came
HIGH_WATER = 65_536  # bytes of a body that are taken before somebody asks for it
UNSENT = 1_024  # bytes of answers that may wait here for a slow client: the system holds far more
MAX_QUEUED = 16  # pipelined requests that are read while the first is answered
STUCK_S = 600.0  # a client that takes nothing for so long is given up
BACKLOG = 2_048  # connections that the system takes before we do
FRESH_S = 1.0  # so long a new connection may take to ask before it counts as one that asks nothing
MOST_CONNECTIONS = 1_024  # at once; beyond them the one that has asked nothing for longest makes way
LINGER_S = 1.0  # so long a refused body is thrown away before its connection ends, so that the refusal arrives
_BODYLESS = frozenset({204, 304})
_WATCHED = frozenset({b"content-length", b"expect"})
_END = b"0\r\n\r\n"  # of a body in chunks

_log = logging.getLogger(__name__)


class Left(Exception):
    """The client left before its request was whole."""


class TooLarge(Exception):
    """The body is over the limit."""


class Head:
    """The head of a request, taken apart.

    Clients send the same head again and again, but for its content-length. So the latest of a connection is kept as it
    was spelled, `before` and `after` that number: what is spelled alike need not be taken apart once more. Both are
    empty where that cannot be told.
    """

    __slots__ = ("after", "before", "headers", "length_at", "method", "target", "version")

    def __init__(
        self,
        method: str,
        target: tuple[bytes, bytes],
        headers: list[tuple[bytes, bytes]],
        version: str,
        length_at: int | None,
    ) -> None:
        self.method = method
        self.target = target  # path and query as they came
        self.headers = headers  # names in lower case
        self.version = version
        self.length_at = length_at  # where the content-length stands among the headers
        self.before = self.after = b""

    def spelled(self, data: bytes) -> None:
        """`data` begins with this head, whole."""
        end = data.find(b"\r\n\r\n") + 4
        found = _LENGTH_LINE.search(data, 0, end)
        if self.length_at is not None and found is not None and found.group(1) == self.headers[self.length_at][1]:
            self.before, self.after = data[: found.start(1)], data[found.end(1) : end]

    def length_in(self, data: bytes) -> bytes:
        """The digits of the length where `data`, which begins with `before`, begins with a head like this; else b""."""
        start = len(self.before)
        end = data.find(b"\r", start, start + _MOST_DIGITS)
        digits = data[start:end]
        return digits if digits.isdigit() and data.startswith(self.after, end) else b""


_LENGTH_LINE = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_MOST_DIGITS = 16


class Exchange:
    """A request, and the way back to its client. For the task that answers it.

    An answer is `begin`, then `write` as often as needed, then `end`; or `begin` with all of it. Nothing
    waits: whoever sends much asks `slow` and awaits `drained`.
    """

    __slots__ = (
        "_bodyless",
        "_chunked",
        "_expects",
        "_gathered",
        "_left_to_send",
        "_limit",
        "_listener",
        "_many",
        "_parts",
        "_size",
        "_waiter",
        "begun",
        "complete",
        "head",
        "headers",
        "keep",
        "left",
        "method",
        "path",
        "query",
        "taken_up",
        "task",
        "version",
        "whole",
    )

    def __init__(self, listener: Listener, head: Head) -> None:
        self.head = head  # the same for each request of the connection that repeats it
        self.method = head.method
        self.path, self.query = head.target  # as they came
        self.headers = head.headers  # names in lower case
        self.version = head.version
        self.task: asyncio.Task[None] | None = None
        self.taken_up = False  # whether that task has begun
        self.keep = False  # whether the connection outlives the answer
        self.whole = False  # whether the request has come whole
        self.left = False  # whether the client is gone
        self.begun = False  # whether the head of the answer is out
        self.complete = False  # whether the answer is out, or given up
        self._listener = listener
        self._parts: list[bytes] = []
        self._many: bytearray | None = None  # the same, once it comes in crumbs
        self._size = 0
        self._limit: int | None = None  # of the body, once it is asked for
        self._expects = False
        self._waiter: asyncio.Future[None] | None = None
        self._chunked = False
        self._bodyless = False
        self._left_to_send = 0
        self._gathered: tuple[int, Headers, list[bytes]] | None = None  # for HTTP/1.0, which knows no chunks

    # -- the request

    def remember(self, what: object) -> None:
        """Keep `what` with the connection, in place of what was kept before."""
        self._listener.memory = what

    def recalled(self) -> object:
        """What was kept with the connection last; None where nothing was."""
        return self._listener.memory

    async def body(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            TooLarge: it is over `limit` bytes.
            Left: the client is gone.
        """
        await self.come(limit)
        return self.taken(limit)

    async def come(self, limit: int) -> None:
        """Wait until the request is whole, or its body is over `limit` bytes.

        Raises:
            Left: the client is gone.
        """
        if self._expects and not self._size and not self.whole:
            self._expects = False
            self._listener.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._limit = limit
        while not self.whole:
            if self.left:
                raise Left
            if self._size > limit:
                return
            self._listener.want_body()
            self._waiter = self._listener.loop.create_future()
            await self._waiter

    def taken(self, limit: int) -> bytes:
        """The body, which has come.

        Raises:
            TooLarge: it is over `limit` bytes.
        """
        if self._size > limit:
            raise TooLarge
        if self._many is not None:
            return bytes(self._many)
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    async def gone(self) -> None:
        """Wait until the client has left, or has its answer."""
        while not (self.left or self.complete):
            self._waiter = self._listener.loop.create_future()
            await self._waiter

    def came(self, body: bytes) -> None:
        """It has come whole, with all of its body."""
        self._parts, self._size, self.whole = [body], len(body), True

    def expects_continue(self) -> None:
        """The client waits for a word before it sends its body."""
        self._expects = True

    def feed(self, data: bytes) -> bool:
        """Take a part of the body; whether that is enough for now."""
        if self.complete:
            return False
        if self._many is not None:
            self._many += data
        else:
            self._parts.append(data)
            if len(self._parts) > CRUMBS:
                self._many = bytearray().join(self._parts)
                self._parts.clear()
        self._size += len(data)
        if self._limit is None:
            return self._size >= HIGH_WATER
        if self._size > self._limit:
            self.wake()
            return True
        return False

    def wake(self) -> None:
        """Something has changed for whoever waits."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # -- the answer

    @property
    def slow(self) -> bool:
        """Whether the client takes less than it is sent."""
        return self._listener.held_back

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """The client's address and our own."""
        return self._listener.ends

    @property
    def quick(self) -> bool:
        """Whether the client has taken a stream on this connection as fast as it came."""
        return self._listener.quick

    async def drained(self) -> None:
        """Wait until the client has taken most of what it was sent."""
        await self._listener.drained()

    def begin(self, status: int, headers: Headers, data: bytes = b"", *, over: bool = False) -> None:
        """Send the head and the first bytes of the body; `over`: these are all.

        Args:
            status: the answer's.
            headers: ready to send, names in lower case. Without a content-length the body goes in chunks.
            data: the first bytes of the body.
            over: whether nothing follows.
        """
        if self._expects and not self.whole and not self._size:
            self.keep = False  # it may send its body now or never: what comes next cannot be told
        if self.version == "1.0":
            if not over:
                self.begun = True
                self._gathered = (status, headers, [data])
                return
            headers = (*(pair for pair in headers if pair[0] != b"content-length"), _length(len(data)))
        heads = dict(headers)
        if b"connection" in heads:
            self.keep = self.keep and heads[b"connection"].lower() != b"close"
            headers = tuple(pair for pair in headers if pair[0] != b"connection")
        stated = heads.get(b"content-length")
        lines = [_status_line(status), *map(b": ".join, headers)]  # formatting each costs several times as much
        if not self.keep:
            lines.append(b"connection: close")
        self._bodyless = self.method == "HEAD" or status in _BODYLESS
        if stated is None and not self._bodyless:
            self._chunked = True
            lines.append(b"transfer-encoding: chunked")
        lines.append(b"\r\n")
        head, breaks = b"\r\n".join(lines), len(lines)
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
            raise ValueError("a header of the answer holds a line break")
        if self._chunked and over:
            self.begun = True
            if not self.complete:
                self._say_last(data, head)
            return
        length = 0 if stated is None or self._bodyless else int(stated)
        if over and not self._bodyless and len(data) > length:
            raise ValueError("the body is longer than its content-length")
        self.begun = True
        self._left_to_send = length
        if not over:
            self._send(head, data)
        elif not self.complete:
            self._listener.say(head if self._bodyless else head + data)
            self.keep = self.keep and (self._bodyless or len(data) == length)
            self._over()

    def write(self, data: bytes) -> None:
        """Send more of the body."""
        if self._gathered is not None:
            self._gathered[2].append(data)
        else:
            self._send(b"", data)

    def end(self, data: bytes = b"") -> None:
        """Send the last of the body."""
        if self._gathered is not None:
            status, headers, parts = self._gathered
            self._gathered = None
            self.begin(status, headers, b"".join([*parts, data]), over=True)
            return
        if self._chunked and not self.complete:  # the last bytes and the end in one write
            self._say_last(data)
            return
        self._send(b"", data)
        self.keep = self.keep and self._left_to_send <= 0
        self._over()

    def _say_last(self, data: bytes, head: bytes = b"") -> None:
        """Send what a stream ends with, after `head`."""
        if len(data) < LONG:
            self._listener.say(_chunk(data, head, _END))
        else:
            self._listener.say_all((b"%b%x\r\n" % (head, len(data)), data, b"\r\n" + _END))
        self._listener.taken()
        self._over()

    def through(self, data: bytes) -> bool:
        """Write a part of a streamed body at once; False where the client is slow or gone."""
        listener = self._listener
        if self.complete or not self._chunked or listener.held_back:
            return False
        transport = listener._transport
        if not transport.is_closing():
            transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    def cut(self) -> None:
        """Break off, so that nobody takes what was sent for a whole answer."""
        if self._gathered is not None:
            self._gathered = None
            words = b"the answer was cut before its end\n"
            self.begin(502, ((b"content-type", b"text/plain"),), words, over=True)
        self.keep = False
        self._over()

    def _send(self, head: bytes, data: bytes) -> None:
        if self.complete:
            return
        if self._bodyless:
            data = b""
        if self._chunked and data:
            self._listener.say(_chunk(data, head))
            return
        if not self._chunked and len(data) > self._left_to_send:
            raise ValueError("the body is longer than its content-length")
        self._left_to_send -= len(data)
        if head or data:
            self._listener.say(head + data)

    def _over(self) -> None:
        if not self.complete:
            self.complete = True
            self._parts.clear()
            self._many = None
            self.wake()
            self._listener.answered(self)


class Listener(asyncio.Protocol):
    """One client connection. Refuses heads that no real client sends; exchanges are answered in their order."""

    def __init__(self, serving: Serving, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.held_back = False  # whether the client takes less than it is sent
        self.memory: object = None  # what the app keeps from one exchange for the next
        self._serving = serving
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._length_at: int | None = None
        self._head: Head | None = None  # the latest
        self._heads = 0  # how many the parser has found
        self._strange = 0  # heads in a row that were spelled unlike the one before
        self._owed = 0  # bytes of a body that are still to come and are not the parser's
        self._head_open = False
        self._head_bytes = 0
        self._quiet_bytes = 0  # that came while a body arrives, and are none of it
        self._resuming = False  # the parser is given a head that has been read already
        self._expects = False
        self._coming: Exchange | None = None  # whose request arrives, or came last
        self._queue: deque[Exchange] = deque()  # the first is being answered
        self._reading = True
        self._deaf = False  # what the client says from now on is not understood
        self._drained: asyncio.Future[None] | None = None
        self._since = 0.0  # the last sign of life of what the timer looks at
        self._limit_s = HEAD_TIMEOUT_S  # how long that may last; 0: for ever
        self._held_since = 0.0
        self._hesitated = False  # whether the client was slow since the latest stream ended
        self.quick = False  # whether it took that one as fast as it came: then it gets larger pieces
        self._timer: asyncio.TimerHandle | None = None

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._transport.set_write_buffer_limits(UNSENT, UNSENT)
        self._since = self.loop.time()
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._look)
        if not self._serving.has_room():
            self._refuse(b"503 Service Unavailable", b"O-Switcher is busy with as many connections as it may have")
        self._serving.connections[self] = self._serving.strangers[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._serving.forget(self)
        if self._timer is not None:
            self._timer.cancel()
        for exchange in self._queue:
            exchange.left = exchange.complete = True
            exchange.wake()
            self._serving.give_up(exchange)
        self._queue.clear()
        self.resume_writing()
        # the parser and this hold each other, and what has been read; a collector of cycles would come late
        self._deaf, self._coming, self._headers, self._head, self.memory = True, None, [], None, None
        self._parser = None  # type: ignore[assignment]  # nothing is fed any more

    def data_received(self, data: bytes) -> None:
        while data and not self._deaf:
            if self._owed:
                data = self._more_of_body(data)
                continue
            between = not self._head_open and (self._coming is None or self._coming.whole)
            head = self._head
            if between and head is not None and head.before and data.startswith(head.before):
                length = head.length_in(data)
                if length:
                    data = self._begins_again(head, length, data)
                    continue
            self._parse(data, between)
            return

    def _parse(self, data: bytes, between: bool) -> None:
        """Have the parser read. `between`: a request begins with `data`."""
        if self._coming is None or self._coming.whole:
            if not self._head_open:
                self._head_open, self._head_bytes = True, 0
                if not self._queue:
                    self._since, self._limit_s = self.loop.time(), HEAD_TIMEOUT_S
            self._head_bytes += len(data)
            if self._head_bytes - len(data) > MAX_HEAD_BYTES:
                self._misunderstood()
                return
        elif not self._coming.complete:
            self._since = self.loop.time()
        heads = self._heads
        self._feed(data)
        if between and self._heads == heads + 1:
            self._learn(data)

    # -- heads that come again

    def _learn(self, data: bytes) -> None:
        """A head has come with `data`, whole: see how it is spelled, unless this client spells each in another way."""
        head, coming = self._head, self._coming
        if head is None or coming is None or self._strange > MOST_STRANGE:
            return
        self._strange += 1
        if coming.keep and not self._expects and not self._parser.should_upgrade():
            head.spelled(data)

    def _begins_again(self, head: Head, length: bytes, data: bytes) -> bytes:
        """`data` begins with a head that is known, of that length: what follows. Its body needs no parser either."""
        self._strange = 0
        exchange = Exchange(self, head)
        exchange.keep = not self._serving.closing
        headers, at = head.headers, head.length_at
        assert at is not None  # noqa: S101 - by it the head was known again
        if headers[at][1] != length:
            exchange.headers = [*headers[:at], (headers[at][0], length), *headers[at + 1 :]]
        start, size = len(head.before) + len(length) + len(head.after), int(length)
        body = data[start : start + size]
        if len(body) == size:  # as a rule
            exchange.came(body)
            self._begin(exchange, head)
            return data[start + size :]
        self._owed = size
        self._begin(exchange, head)
        return self._more_of_body(body)

    def _more_of_body(self, data: bytes) -> bytes:
        """Take what belongs to the body of the request that comes; the rest."""
        part = data[: self._owed]
        self._owed -= len(part)
        coming = self._coming
        assert coming is not None  # noqa: S101 - it is whose body is owed
        if not coming.complete:
            self._since = self.loop.time()
        if part and coming.feed(part):
            self._pause()
        if not self._owed:
            self._whole()
        return data[len(part) :]

    def _feed(self, data: bytes) -> None:
        self._quiet_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._not_upgraded(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._misunderstood()
        else:
            coming = self._coming
            if coming is not None and not coming.whole and self._quiet_bytes > MAX_HEAD_BYTES and not self._head_open:
                self._misunderstood()  # chunk sizes or trailers without end

    def _not_upgraded(self, rest: bytes) -> None:
        """No other protocol is spoken here. The parser has left a body to that protocol: it is read as it is framed."""
        coming = self._coming
        if coming is None or coming.whole:
            self._deaf = True
            if coming is not None:
                coming.keep = False
            return
        coming.keep = False
        framing = b"".join(b"%b: %b\r\n" % pair for pair in coming.headers if pair[0] in _FRAMING)
        self._parser = httptools.HttpRequestParser(self)
        self._resuming = True
        self._feed(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
        self._resuming = False
        if rest:
            self._feed(rest)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self.held_back = self._hesitated = True
        self._held_since = self.loop.time()

    def taken(self) -> None:
        """A stream has been sent to its end."""
        self.quick, self._hesitated = not self._hesitated, False

    def resume_writing(self) -> None:
        was, self.held_back = self.held_back, False
        if was and self._queue and self._queue[0].task is None and not self._transport.is_closing():
            self._start(self._queue[0])
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    # -- the parser's side

    def on_message_begin(self) -> None:
        if not self._resuming:
            self._url, self._headers, self._expects = b"", [], False
            self._length_at = None

    def on_url(self, url: bytes) -> None:
        if not self._resuming:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _WATCHED:
            self._watch(name, value)
        self._headers.append((name, value))

    def _watch(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._length_at = len(self._headers)
        elif value.lower() == b"100-continue":
            self._expects = True

    def on_headers_complete(self) -> None:
        if self._resuming:
            return
        large = self._head_bytes > MAX_HEAD_BYTES and self._size_of_head() > MAX_HEAD_BYTES
        if large or len(self._headers) > MAX_HEADERS:
            raise _HeadTooLarge
        headers, self._headers = self._headers, []  # trailers are none
        self._head_open = False
        parser = self._parser
        version = parser.get_http_version()
        method = parser.get_method().decode("ascii")
        if not self._url.startswith(b"/"):
            headers = _asked_of(self._url, headers)
            self._length_at = next((at for at, pair in enumerate(headers) if pair[0] == b"content-length"), None)
        self._heads += 1
        head = Head(method, _target(self._url), headers, version, self._length_at)
        exchange = Exchange(self, head)
        exchange.keep = version != "1.0" and parser.should_keep_alive() and not self._serving.closing
        if self._expects and version != "1.0":
            exchange.expects_continue()
        self._begin(exchange, head)

    def _begin(self, exchange: Exchange, head: Head) -> None:
        """A request begins to come."""
        self._coming, self._head = exchange, head
        self._limit_s = 0.0
        self._queue.append(exchange)
        self._quiet_bytes = 0
        if len(self._queue) == 1 and not self.held_back:
            self._start(exchange)
        elif len(self._queue) > MAX_QUEUED:
            self._pause()  # pipelined: one after the other

    def on_body(self, body: bytes) -> None:
        self._quiet_bytes = 0
        if self._coming is not None and self._coming.feed(body):
            self._pause()

    def on_message_complete(self) -> None:
        coming = self._coming
        if coming is not None and self._parser.should_upgrade() and any(name in _FRAMING for name, _ in coming.headers):
            return  # see `_not_upgraded`
        self._whole()

    def _whole(self) -> None:
        """The request that was coming is whole."""
        if self._coming is not None:
            self._coming.whole = True
            if len(self._queue) <= MAX_QUEUED:
                self._resume()  # only who is read from is seen to leave
            self._limit_s = 0.0 if self._queue else KEEP_ALIVE_S
            self._coming.wake()
        self._head_bytes = 0

    def _size_of_head(self) -> int:
        return len(self._url) + sum(len(name) + len(value) for name, value in self._headers)

    def _misunderstood(self) -> None:
        """What came is no request. Whoever is answered still gets that answer; half a request gets none."""
        self._deaf = True
        coming = self._coming
        if coming is not None and not coming.whole and not coming.begun and coming in self._queue:
            coming.left = True
            coming.wake()
            self._serving.give_up(coming)
            self._queue.remove(coming)
        if self._queue:
            self._queue[-1].keep = False
            return
        if self._head_open and (self._head_bytes > MAX_HEAD_BYTES or len(self._headers) > MAX_HEADERS):
            self._refuse(b"431 Request Header Fields Too Large", b"the request's head is too large")
        else:
            self._refuse(b"400 Bad Request", b"this is not a valid HTTP request")

    def _refuse(self, status: bytes, words: bytes) -> None:
        """Say why, and end the connection."""
        self._deaf = True
        body = b'{"error":{"type":"o_switcher_refused","message":"' + words + b'"}}'
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.say(head % (status, len(body)) + body)
        self._transport.close()

    # -- the server's side

    @property
    def waits(self) -> bool:
        """Whether nobody is at work for it: it may make way for another."""
        return not self._queue or self._queue[0].task is None

    @property
    def is_fresh(self) -> bool:
        """Whether it has had little time to ask."""
        return self.loop.time() - self._since <= FRESH_S

    def make_way(self) -> None:
        """End the connection, at which nobody is at work."""
        if self.held_back:
            self.abort()
        else:
            self._transport.close()

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """The client's address and our own."""
        asked = self._transport.get_extra_info
        return asked("peername")[:2], asked("sockname")[:2]

    # -- the exchange's side

    def say(self, data: bytes) -> None:
        """Send bytes to the client."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def say_all(self, parts: Sequence[bytes]) -> None:
        """Send bytes to the client that need not be put together for it."""
        if not self._transport.is_closing():
            self._transport.writelines(parts)

    async def drained(self) -> None:
        """Wait until the client has taken most of what it was sent, or is gone."""
        while self.held_back:
            if self._drained is None:
                self._drained = self.loop.create_future()
            await asyncio.shield(self._drained)

    def want_body(self) -> None:
        """Somebody waits for the rest of the request."""
        self._limit_s = BODY_TIMEOUT_S
        self._since = self.loop.time()
        self._resume()

    def answered(self, exchange: Exchange) -> None:
        """That exchange is over: on with the next."""
        if self._queue and self._queue[0] is exchange:
            self._queue.popleft()
        if not exchange.keep:
            self._close(exchange)
            return
        self._since = self.loop.time()
        self._serving.answered(self)
        if self._queue:
            if not self.held_back:  # else once the client has taken what it was sent
                self._start(self._queue[0])
            return
        # the rest of a request that nobody wanted whole is read and thrown away, but not for ever
        self._limit_s = KEEP_ALIVE_S if exchange.whole and not self._head_open else BODY_TIMEOUT_S
        self._resume()

    def _close(self, exchange: Exchange) -> None:
        """End the connection; where the client still sends, not before it can have read the answer."""
        if exchange.whole or exchange.left or self._transport.is_closing():
            self._transport.close()
            return
        self._deaf = True
        self._resume()
        self._transport.write_eof()
        self.loop.call_later(LINGER_S, self._transport.close)

    def shut_down(self) -> None:
        """End the connection, now if it is idle, else with the answer that is on its way."""
        if not self._queue:
            self._transport.close()
        for exchange in self._queue:
            exchange.keep = False

    def abort(self) -> None:
        """End the connection, whatever is on its way."""
        self._transport.abort()

    def _start(self, exchange: Exchange) -> None:
        self._serving.running.add(exchange)
        self._serving.strangers.pop(self, None)
        exchange.task = self.loop.create_task(self._serving.answer(exchange))

    def _pause(self) -> None:
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def _look(self) -> None:
        """One timer for all limits, never set back: it looks whether the limit that holds now has passed."""
        now = self.loop.time()
        left = self._since + self._limit_s - now if self._limit_s else HEAD_TIMEOUT_S
        if self._transport.is_closing() or (self.held_back and now - self._held_since > STUCK_S):
            self._transport.abort()  # it does not even take its last bytes
            return
        if left <= 0.001:
            self._transport.close()
            left = HEAD_TIMEOUT_S
        self._timer = self.loop.call_later(left, self._look)


class _HeadTooLarge(Exception):
    """Stops the parser; it reports any exception of a callback as a parser error."""


class _NotHere(Exception):
    """Stops the parser: what is asked for is not to be had over this wire."""


def _target(url: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request's target."""
    if url.startswith(b"/") and b"#" not in url:
        path, _, query = url.partition(b"?")
        return path, query
    parsed = httptools.parse_url(url)
    return parsed.path or b"/", parsed.query or b""


def _asked_of(url: bytes, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of a request whose target names a host: that counts, and not what `Host` says (RFC 9112, 3.2.2)."""
    if url == b"*":
        return headers
    parsed = httptools.parse_url(url)
    if parsed.schema.lower() != b"http" or not parsed.host:
        raise _NotHere
    host = b"[" + parsed.host + b"]" if b":" in parsed.host else parsed.host
    host = host if parsed.port is None else b"%b:%d" % (host, parsed.port)
    return [*(pair for pair in headers if pair[0] != b"host"), (b"host", host)]


def _length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % size


def _chunk(data: bytes, head: bytes = b"", end: bytes = b"") -> bytes:
    """`data` as a chunk, after `head` and before `end`; no chunk where it is empty, since that would end the body."""
    if not data:
        return head + end
    return b"".join((head, b"%x\r\n" % len(data), data, b"\r\n", end))  # once copied: it may be long


@lru_cache(maxsize=128)
def _status_line(status: int) -> bytes:
    try:
        words = HTTPStatus(status).phrase
    except ValueError:
        words = ""
    return b"HTTP/1.1 %d %b" % (status, words.encode())


_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


def _most_connections() -> int:
    """As many as leave files enough for calls to providers, one each, and for the app's own."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return MOST_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if files < 0 else max(16, min(MOST_CONNECTIONS, files * 2 // 5))


class Serving:
    """The open door: a socket on which clients are answered by `app`."""

    def __init__(self, app: Answering, most: int | None = None) -> None:
        self.connections: dict[Listener, None] = {}  # whoever asked last comes last
        self.strangers: dict[Listener, None] = {}  # those of them that have not asked yet, the latest last
        self.most = most or _most_connections()
        self.closing = False
        self.running: set[Exchange] = set()
        self._app = app
        self._server: asyncio.Server | None = None

    async def open(self, sock: socket.socket) -> None:
        """Begin to accept clients on `sock`, which is bound already."""
        loop = asyncio.get_running_loop()
        backlog = min(BACKLOG, self.most)
        self._server = await loop.create_server(lambda: Listener(self, loop), sock=sock, backlog=backlog)

    def has_room(self) -> bool:
        """Whether one more connection may stay. Who has asked nothing for longest makes way for it."""
        if len(self.connections) < self.most:
            return True
        leaving = next(iter(self.strangers), None)
        if leaving is None or leaving.is_fresh:
            leaving = next((one for one in self.connections if one.waits), None)
        if leaving is None:
            return False
        self.forget(leaving)
        leaving.make_way()
        return True

    def forget(self, connection: Listener) -> None:
        """That connection is over."""
        self.connections.pop(connection, None)
        self.strangers.pop(connection, None)

    def answered(self, connection: Listener) -> None:
        """That connection has had an answer, and is the last to make way."""
        if connection in self.connections:
            del self.connections[connection]
            self.connections[connection] = None

    def give_up(self, exchange: Exchange) -> None:
        """End the work for a client that has left: a provider's call that nobody waits for costs money."""
        if exchange.task is not None:
            exchange.task.cancel()
            if not exchange.taken_up:  # such a task never comes to its end
                self.running.discard(exchange)

    async def answer(self, exchange: Exchange) -> None:
        """Have `app` answer; whatever it leaves unfinished is cut."""
        exchange.taken_up = True
        try:
            await self._app(exchange)
        except asyncio.CancelledError:
            if not exchange.left:
                raise
        except Exception:
            _log.exception("an answer met a fault of O-Switcher's own")
        finally:
            self.running.discard(exchange)
            if not exchange.complete:
                exchange.cut()

    async def close(self, grace_s: float) -> int:
        """Stop accepting, give running answers `grace_s` seconds, then cut them; how many were cut."""
        self.closing = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.shut_down()
        loop = asyncio.get_running_loop()
        until = loop.time() + grace_s
        while (tasks := self._tasks()) and loop.time() < until:
            await asyncio.wait(tasks, timeout=until - loop.time())
        left = self._tasks()
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)
        while self.connections and loop.time() < until:  # noqa: ASYNC110 - once, at the end of the app
            await asyncio.sleep(0.01)  # what is on its way to slow readers
        for connection in list(self.connections):
            connection.abort()
        return len(left)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [exchange.task for exchange in self.running if exchange.task is not None]
