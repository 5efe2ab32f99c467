"""The wire to clients: real sockets against the listener, with an application of a few lines."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tray_app.proxy import listener as wire
from tray_app.proxy.asgi import answering
from tray_app.proxy.listener import Answering, Exchange, Left, Serving, TooLarge

LIMIT = 200_000


class Place:
    """A listener that is open: where it is, and what it did."""

    def __init__(self, serving: Serving, port: int) -> None:
        self.serving = serving
        self.port = port
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self, limit: int = 65_536) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=limit)
        self.writers.append(writer)
        return reader, writer

    async def say(self, *parts: bytes, then_close: bool = False) -> bytes:
        """Send `parts`, each in a packet of its own, and read until the other side ends."""
        reader, writer = await self.connect()
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if then_close:
            writer.close()
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def place(app: Answering) -> AsyncIterator[Place]:
    sock = socket.create_server(("127.0.0.1", 0))
    serving = Serving(app)
    await serving.open(sock)
    found = Place(serving, sock.getsockname()[1])
    try:
        yield found
    finally:
        for writer in found.writers:
            writer.close()
        await serving.close(0.0)


async def echo(exchange: Exchange) -> None:
    body = await exchange.body(LIMIT)
    head = f"{exchange.method} {exchange.path.decode()}?{exchange.query.decode()}\n".encode()
    exchange.begin(200, ((b"content-length", b"%d" % len(head + body)),), head + body, over=True)


def run(talk: Callable[[Place], object], app: Answering = echo) -> None:
    async def whole() -> None:
        async with place(app) as found:
            await talk(found)  # type: ignore[misc]

    asyncio.run(whole())


def request(body: bytes = b"", extra: bytes = b"", version: bytes = b"1.1", path: bytes = b"/x?a=1") -> bytes:
    return b"POST %b HTTP/%b\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n%b" % (path, version, len(body), extra, body)


CLOSE = b"connection: close\r\n"


@settings(max_examples=60, deadline=None)
@given(
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    cuts=st.lists(st.integers(1, 900), max_size=6),
    chunked=st.booleans(),
)
def test_requests_are_read_alike_however_they_are_cut(bodies: list[bytes], cuts: list[int], chunked: bool) -> None:
    """Pipelined, in any packets, with a length or in chunks: each gets its own answer, in order."""
    data = b""
    for at, body in enumerate(bodies):
        extra = CLOSE if at == len(bodies) - 1 else b""
        if chunked and body:
            head = b"POST /x?a=1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n%b\r\n" % extra
            data += head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            data += request(body, extra)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]

    async def talk(found: Place) -> None:
        answer = await found.say(*parts)
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == len(bodies)
        at = 0
        for body in bodies:
            at = answer.index(b"POST /x?a=1\n" + body, at) + 1

    run(talk)


def test_an_old_client_gets_a_streamed_answer_whole() -> None:
    async def streamed(exchange: Exchange) -> None:
        exchange.begin(200, ((b"content-type", b"text/plain"),), b"one ")
        assert not exchange.through(b"past the length")
        exchange.write(b"two ")
        exchange.end(b"three")

    async def talk(found: Place) -> None:
        answer = await found.say(request(version=b"1.0"))
        assert b"content-length: 13\r\n" in answer and answer.endswith(b"\r\n\r\none two three")
        assert b"chunked" not in answer

    run(talk, streamed)


@pytest.mark.parametrize(
    ("version", "ends"),
    [pytest.param(b"1.1", b"c\r\nhalf a story\r\n", id="chunks"), pytest.param(b"1.0", b"", id="1.0")],
)
def test_a_cut_answer_cannot_be_taken_for_whole(version: bytes, ends: bytes) -> None:
    async def breaks(exchange: Exchange) -> None:
        exchange.begin(200, (), b"half a story")
        exchange.cut()

    async def talk(found: Place) -> None:
        answer = await found.say(request(version=version))
        if version == b"1.1":
            assert answer.endswith(ends)  # and no last chunk
        else:
            assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")

    run(talk, breaks)


def test_an_answer_shorter_than_it_promised_ends_the_connection() -> None:
    async def short(exchange: Exchange) -> None:
        exchange.begin(200, ((b"content-length", b"10"),), b"12345", over=True)

    async def talk(found: Place) -> None:
        assert (await found.say(request())).endswith(b"12345")

    run(talk, short)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(((b"x", b"a\r\nset-cookie: evil=1"),), id="a header with a line break"),
        pytest.param(((b"x", b"a\nb"),), id="a bare line feed"),
        pytest.param(((b"content-length", b"1"),), id="a body longer than promised"),
    ],
)
def test_a_faulty_answer_is_not_sent(head: tuple[tuple[bytes, bytes], ...]) -> None:
    async def faulty(exchange: Exchange) -> None:
        exchange.begin(200, head, b"abc", over=True)

    async def talk(found: Place) -> None:
        assert b"evil" not in (answer := await found.say(request())) and b"abc" not in answer

    run(talk, faulty)


def test_nonsense_after_a_request_does_not_take_its_answer_away() -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.body(LIMIT)
        await asyncio.sleep(0.1)
        exchange.begin(200, (), b"served", over=True)

    async def talk(found: Place) -> None:
        answer = await found.say(request(), b"\0nonsense\r\n\r\n")
        assert b"served" in answer and b"400" not in answer

    run(talk, slow)


def test_half_a_request_that_goes_bad_is_refused_and_its_task_ends() -> None:
    seen: list[str] = []

    async def waits(exchange: Exchange) -> None:
        try:
            await exchange.body(LIMIT)
        except (Left, asyncio.CancelledError):
            seen.append("ended")
            raise

    async def talk(found: Place) -> None:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        answer = await found.say(head, b"3\r\nabc\r\n", b"no size\r\n")
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        await asyncio.sleep(0)
        assert seen == ["ended"]

    run(talk, waits)


def test_a_client_that_leaves_ends_the_work_for_it_at_once() -> None:
    ended = asyncio.Event()

    async def works(exchange: Exchange) -> None:
        try:
            await exchange.body(LIMIT)
            await asyncio.sleep(60)
        finally:
            assert exchange.left
            ended.set()

    async def talk(found: Place) -> None:
        _, writer = await found.connect()
        writer.write(request())
        await asyncio.sleep(0.05)
        writer.close()
        async with asyncio.timeout(0.1):
            await ended.wait()

    run(talk, works)


def test_a_body_over_the_limit_is_noticed_while_it_comes() -> None:
    async def strict(exchange: Exchange) -> None:
        try:
            await exchange.body(1000)
        except TooLarge:
            exchange.begin(413, (), b"too large", over=True)

    async def talk(found: Place) -> None:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        reader, writer = await found.connect()
        writer.write(head + b"5dc\r\n" + b"a" * 1500 + b"\r\n")
        assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
        # what is left of it is thrown away, and the connection goes on
        writer.write(b"5dc\r\n" + b"a" * 1500 + b"\r\n0\r\n\r\n" + request(b"small", CLOSE))
        assert b"413" not in await reader.read()

    run(talk, strict)


def test_a_large_body_arrives_whole_and_nobody_holds_more_than_is_asked_for() -> None:
    body = b"x" * (LIMIT - 1)
    held: list[int] = []

    async def late(exchange: Exchange) -> None:
        await asyncio.sleep(0.1)  # meanwhile the client is held back
        held.append(sum(map(len, exchange._parts)))
        await echo(exchange)

    async def talk(found: Place) -> None:
        assert (await found.say(request(body, CLOSE))).endswith(body)
        assert held[0] <= wire.HIGH_WATER + 262_144  # and what one read brings

    run(talk, late)


def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    async def talk(found: Place) -> None:
        reader, writer = await found.connect()
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n" + CLOSE + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await reader.read()).endswith(b"abc")

    run(talk)


def test_a_slow_reader_holds_the_writer_back() -> None:
    waits: list[bool] = []

    async def floods(exchange: Exchange) -> None:
        exchange.begin(200, (), b"x")
        for _ in range(200):
            if exchange.slow:
                waits.append(exchange.through(b"not now"))
                await exchange.drained()
            exchange.write(b"y" * 65_536)
        exchange.end()

    async def talk(found: Place) -> None:
        reader, writer = await found.connect(limit=4096)
        writer.write(request(extra=CLOSE))
        await asyncio.sleep(0.2)
        size = 0
        while data := await reader.read(65_536):
            size += data.count(b"y")
        assert size == 200 * 65_536
        assert waits and not any(waits)

    run(talk, floods)


@pytest.mark.parametrize(
    ("name", "begun"),
    [
        pytest.param("HEAD_TIMEOUT_S", b"", id="nothing is asked"),
        pytest.param("HEAD_TIMEOUT_S", b"POST / HTTP/1.1\r\nhost:", id="a head that never ends"),
        pytest.param("KEEP_ALIVE_S", request(), id="nothing more is asked"),
        pytest.param("BODY_TIMEOUT_S", request(b"abcdef")[:-3], id="a body that never ends"),
    ],
)
def test_nobody_keeps_a_connection_for_nothing(name: str, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_TIMEOUT_S", 0.15)  # the first look
    monkeypatch.setattr(wire, name, 0.15)

    async def talk(found: Place) -> None:
        answer = await found.say(begun) if begun else await found.say()
        assert answer == b"" or name == "KEEP_ALIVE_S"
        await asyncio.sleep(0.05)
        assert not found.serving.connections

    run(talk)


def test_a_long_answer_is_nobodys_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_TIMEOUT_S", "KEEP_ALIVE_S", "BODY_TIMEOUT_S"):
        monkeypatch.setattr(wire, name, 0.1)

    async def long(exchange: Exchange) -> None:
        await exchange.body(LIMIT)
        await asyncio.sleep(0.5)
        exchange.begin(200, (), b"at last", over=True)

    async def talk(found: Place) -> None:
        assert b"at last" in await found.say(request(extra=CLOSE))

    run(talk, long)


def test_closing_waits_for_running_answers_and_cuts_the_rest() -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.1 if exchange.path == b"/quick" else 60)
        exchange.begin(200, (), b"served", over=True)

    async def talk(found: Place) -> None:
        quick = asyncio.create_task(found.say(request(path=b"/quick")))
        stuck = asyncio.create_task(found.say(request(path=b"/stuck")))
        _, idle = await found.connect()
        await asyncio.sleep(0.05)
        assert await found.serving.close(0.4) == 1
        assert b"served" in await quick and b"connection: close" in await quick
        assert await stuck == b""
        idle.close()

    run(talk, slow)


def test_an_asgi_application_is_served_and_hears_that_its_client_left() -> None:
    heard: list[str] = []

    async def app(scope: object, receive: object, send: object) -> None:
        asked = await receive()  # type: ignore[operator]
        start = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
        await send(start)  # type: ignore[operator]
        await send({"type": "http.response.body", "body": asked["body"], "more_body": True})  # type: ignore[operator]
        try:
            heard.append((await receive())["type"])  # type: ignore[operator]
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def talk(found: Place) -> None:
        reader, writer = await found.connect()
        writer.write(request(b"hello"))
        assert b"hello" in await reader.readuntil(b"hello\r\n")
        writer.close()
        await asyncio.sleep(0.05)
        assert heard and heard[0] in ("http.disconnect", "cancelled")

    run(talk, answering(app))  # type: ignore[arg-type]
