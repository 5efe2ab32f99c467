"""One HTTP/1.1 connection to a provider: a request at a time, bytes handed on as they arrive.

Our own since it is what the proxy does all day: the general-purpose clients cost several times as
much per request and per chunk. Parsing is llhttp's (httptools). Failures become values here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httptools

from tray_app.core.values import ErrorClass, Unreachable
from tray_app.proxy.deadlines import Deadlines

HIGH_WATER = 65_536  # a client that reads slowly holds back its provider from here on
READ = 262_144  # bytes that are taken from a provider at once
QUICK_READ = 65_536  # and of a stream whose client takes it as fast as it comes
SLOW_READ = 4_096  # and of one whose client may be slow: there may be many
MAX_HEAD = 65_536
MAX_HEADERS = 1_000
STALE_S = 1.0  # an idle connection that is closed later than this was at work on the call


class Patience:
    """Limits of one call, in seconds: until the head is whole, between bytes after it, and in all (0: none).

    `shortest_s` is when to look for the first time.
    """

    __slots__ = ("first_byte_s", "idle_s", "shortest_s", "total_s")

    def __init__(self, first_byte_s: float, idle_s: float, total_s: float = 0.0) -> None:
        self.first_byte_s = first_byte_s
        self.idle_s = idle_s
        self.total_s = total_s
        self.shortest_s = min(first_byte_s, idle_s, total_s or first_byte_s)


class Stale:
    """A kept connection was closed by the provider before it said a word: the call may go out on a fresh one."""


STALE = Stale()


class Response:
    """An answer that is arriving. `read` gives what has come; afterwards `failure` says if it was cut."""

    __slots__ = (
        "_buffer",
        "_connection",
        "_high",
        "_paused",
        "_size",
        "_waiter",
        "_whole_at",
        "complete",
        "failure",
        "headers",
        "heads",
        "status",
        "tap",
    )

    def __init__(self, connection: Connection, high: int, parts: list[bytes]) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []  # as they came, names in lower case
        self.heads: Mapping[bytes, bytes] = {}  # the same by name, once they are whole; of several alike the first
        self.complete = False
        self.failure: Unreachable | None = None
        self._connection = connection
        self._high = high
        self._buffer = parts
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._whole_at = 0
        self.tap: Callable[[list[bytes]], bool] | None = None  # takes what arrives at once, if it can

    async def read(self) -> bytes:
        """The bytes that have arrived since the last call, waiting for at least one; b"" at the end."""
        while not self._buffer:
            if self.complete or self.failure is not None:
                return b""
            self._waiter = self._connection.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.take()

    def take(self) -> bytes:
        """The bytes that have arrived since the last call; b"" where there are none."""
        parts = self._buffer
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._connection.resume_reading()
        return data

    def let_go(self) -> list[bytes]:
        """Where its parts came, for the next answer of the connection."""
        parts, self._buffer = self._buffer, []
        return parts

    def close(self) -> None:
        """Give the connection back, or end it if the answer is not over: nobody waits for the rest."""
        self._connection.done(self)

    def _arrived(self, size: int) -> None:
        """Body bytes were put into the buffer by the parser; `size` is what the packet weighed."""
        if self.complete:
            del self._buffer[self._whole_at :]  # whatever follows an answer is no part of it
        self._size += size
        self._wake()
        if self._size >= self._high and not self._paused:
            self._paused = True
            self._connection.pause_reading()

    def _ended(self, failure: Unreachable | None) -> None:
        if failure is None:
            self.complete = True
            self._whole_at = len(self._buffer)
        elif not self.complete:
            self.failure = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def pending(self) -> bool:
        """Whether bytes have arrived that were not read yet."""
        return bool(self._buffer)

    @property
    def held_back(self) -> bool:
        """Whether the client's slowness keeps us from reading."""
        return self._paused


class Room(dict[int, memoryview]):
    """A buffer, by the length of what has arrived in it: views of what chunks weigh are made once."""

    def __init__(self, size: int) -> None:
        self._buffer = memoryview(bytearray(size))

    def __missing__(self, length: int) -> memoryview:
        view = self._buffer[:length]
        if length <= _VIEWS_KEPT:
            self[length] = view
        return view


_VIEWS_KEPT = 1_024


class Connection(asyncio.BufferedProtocol):
    """A connection that carries one exchange after another.

    `free` is told when it may be used again (True), and once when it is lost (False). `room` is where bytes arrive,
    `READ` of them at most; all connections of a loop may share it, since the parser copies what is kept. So they share
    the `deadlines`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        free: Callable[[Connection, bool], None],
        room: Room,
        deadlines: Deadlines,
    ) -> None:
        self.loop = loop
        self._deadlines = deadlines
        self._room = room
        self._buffer = room[READ]  # as much of it as is taken at once
        self.idle_since = 0.0
        self.used = False  # whether an exchange has completed here before
        self._free = free
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._spare: tuple[httptools.HttpResponseParser, list[bytes]] | None = None  # of the exchange before
        self._response: Response | None = None
        self._head: asyncio.Future[Response | Unreachable | Stale] | None = None
        self._pairs: list[tuple[bytes, bytes]] = []  # where the headers go that come
        self._heard = False  # whether a byte has come in this exchange
        self._quiet = 0  # bytes that have come since the last of a body: heads, trailers, sizes of chunks
        self._bodyless = False
        self._framed = False
        self._patience = Patience(120.0, 300.0)
        self._last_life = self._sent_at = 0.0
        self._look_s = 0.0  # how long until the first look at it; 0: there is none any more
        self._timer: asyncio.TimerHandle | None = None  # for the others
        self._lost = False
        self._spoiled = False
        self._keep_alive = False
        self.on_body: Callable[[bytes], None]

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        response, parser = self._response, self._parser
        if parser is None or response is None or response.complete:
            self.abort()  # bytes that nobody asked for: the connection is not to be trusted
            return
        self._heard = True
        self._quiet += nbytes
        try:
            parser.feed_data(self._room[nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(ErrorClass.SERVER_ERROR, "the provider's answer is not valid HTTP")
        if response.status:
            self._last_life = self.loop.time()  # drops of a head, and interim answers, are no sign of life
        parts = response._buffer
        if parts:
            self._quiet = 0
            if response.tap is not None and not response.complete and response.tap(parts):
                parts.clear()  # it went through, as nearly every chunk does
            else:
                response._arrived(nbytes)
            return
        if self._quiet > MAX_HEAD and not response.complete:
            self._fail(ErrorClass.SERVER_ERROR, "the provider sends a head without end, or nothing but framing")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        response = self._response
        if response is not None and exc is None and response.status and not self._framed:
            self._finish()  # a body without a length ends with the connection
        elif response is not None:
            self._fail(ErrorClass.NETWORK, _cut_words(response))
        self._free(self, False)

    # -- the upstream's side

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin here."""
        return not self._lost and self._transport is not None and not self._transport.is_closing()

    async def exchange(
        self, head: bytes, body: bytes, *, bodyless: bool, patience: Patience, piece: int = READ
    ) -> Response | Unreachable | Stale:
        """Send a request and wait for the head of its answer.

        Args:
            head: request line and headers, with the empty line that ends them.
            body: the whole body; may be empty.
            bodyless: whether the answer has no body whatever its headers say (HEAD).
            patience: how long to wait for bytes.
            piece: so many bytes of the answer are taken at once.

        Raises:
            asyncio.CancelledError: the caller gave up; the connection is closed.
        """
        loop = self.loop
        self._parser, parts = self._spare or self._new_parser()
        self._spare = None
        response = self._response = Response(self, piece if piece < HIGH_WATER else HIGH_WATER, parts)
        self._pairs = response.headers
        self._buffer = self._room[piece]
        self._head = loop.create_future()
        self._quiet = 0
        self._heard = False
        self._bodyless, self._framed = bodyless, False
        self._patience = patience
        self._last_life = self._sent_at = loop.time()
        self._look_s = patience.shortest_s
        self._deadlines.add(self, self._look_s)
        self._send(head, body)
        try:
            return await self._head
        except asyncio.CancelledError:
            self.abort()
            raise

    def _new_parser(self) -> tuple[httptools.HttpResponseParser, list[bytes]]:
        """A parser, and where it puts the parts of bodies."""
        parts: list[bytes] = []
        self.on_body = parts.append  # its callback: one C call a chunk
        return httptools.HttpResponseParser(self), parts

    def _send(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - an exchange begins after connection_made
        if len(body) <= 16_384:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    def done(self, response: Response) -> None:
        """`response` is no longer wanted: keep the connection if it is clean, else end it."""
        if self._response is not response:
            return
        if not response.complete:
            self.abort()
            return
        self._release()

    def _release(self) -> None:
        reusable = self._keep_alive and self._framed and not self._spoiled and self.usable and self._flushed()
        response, parser = self._response, self._parser
        if response is not None and response._paused:
            self.resume_reading()  # the client was slow; whoever comes next must be heard
        self._response = self._head = self._parser = None
        if reusable:
            self.used = True
            if response is not None and parser is not None and not response._buffer:
                self._spare = (parser, response.let_go())
            self._free(self, True)
        else:
            self.abort()

    def _flushed(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    def abort(self) -> None:
        """End the connection at once; the provider sees that nobody waits any more."""
        self._stop_timer()
        self._response = self._head = self._parser = None
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Stop taking bytes from the provider."""
        if self.usable and self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes again; the wait does not count as the provider's silence."""
        self._last_life = self.loop.time()
        if self.usable and self._transport is not None:
            self._transport.resume_reading()

    # -- httptools' side

    # of no use here; where a name is missing, each new parser looks for it in vain, which costs more than a call
    on_message_begin = on_status = on_chunk_header = on_chunk_complete = None

    def on_header(self, name: bytes, value: bytes) -> None:
        self._pairs.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        response, parser = self._response, self._parser
        if response is None or parser is None:
            return
        if response.complete:
            self._spoiled = True  # a second answer to one request
            return
        status = parser.get_status_code()
        if status < 200:
            response.headers.clear()  # 100 Continue, 103 Early Hints: the real head follows
            return
        if len(response.headers) > MAX_HEADERS or (self._quiet > MAX_HEAD and _size(response.headers) > MAX_HEAD):
            self._fail(ErrorClass.SERVER_ERROR, "the head of the provider's answer is too large")
            return
        response.status = status
        response.heads = dict(reversed(response.headers))
        self._pairs = []  # what follows is of a trailer, or of a second answer to one request
        self._keep_alive = parser.should_keep_alive()  # llhttp forgets it when the message is complete
        self._framed = status in (204, 304) or _is_framed(response)
        if self._head is not None and not self._head.done():
            self._head.set_result(response)
        if self._bodyless:
            self._finish()

    def on_message_complete(self) -> None:
        if self._response is not None and self._response.status and not self._response.complete:
            self._finish()

    # -- ends

    def _finish(self) -> None:
        self._stop_timer()
        if self._bodyless:
            self._framed = False  # the parser still expects a body: never reuse this connection
        if self._response is not None:
            self._response._ended(None)

    def _fail(self, kind: ErrorClass, message: str) -> None:
        self._stop_timer()
        failure = Unreachable(kind, message, delivered=True)
        response, head = self._response, self._head
        self._response = self._head = self._parser = None
        if response is not None:
            response._ended(failure)
        if head is not None and not head.done():
            prompt = self.loop.time() - self._sent_at < STALE_S
            quiet_end = self.used and not self._heard and prompt and kind is ErrorClass.NETWORK
            head.set_result(STALE if quiet_end else failure)
        if self._transport is not None:
            self._transport.abort()

    def ring(self) -> None:
        """It is time for the first look at the exchange."""
        self._look_s = 0.0
        self._check_life()

    def _check_life(self) -> None:
        response = self._response
        if response is None or response.complete:
            return
        now, patience = self.loop.time(), self._patience
        if response.held_back or not self._flushed():
            self._last_life = now  # the client is slow, or our own request is still on its way
        limit = patience.idle_s if response.status else patience.first_byte_s
        left = limit - (now - self._last_life)
        words = f"went silent for {limit:g} s" if response.status else f"did not answer for {limit:g} s"
        if patience.total_s and patience.total_s - (now - self._sent_at) < left:
            left = patience.total_s - (now - self._sent_at)
            words = f"took longer than {patience.total_s:g} s"
        if left <= 0:
            self._fail(ErrorClass.TIMEOUT, f"the provider {words}")
            return
        self._timer = self.loop.call_later(left, self._check_life)

    def _stop_timer(self) -> None:
        if self._look_s:
            self._deadlines.drop(self, self._look_s)
            self._look_s = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_framed(response: Response) -> bool:
    """Whether it can be told where the body ends, other than by the connection's end."""
    heads = response.heads
    if b"content-length" in heads:
        return True
    coding = heads.get(b"transfer-encoding")
    if coding is None or coding == b"chunked":
        return coding is not None
    return any(name == b"transfer-encoding" and b"chunked" in value.lower() for name, value in response.headers)


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _cut_words(response: Response) -> str:
    if response.status:
        return "the connection to the provider broke in the middle of its answer"
    return "the provider closed the connection without an answer"
