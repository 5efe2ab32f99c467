"""A provider that means ill: what it may not bring into our memory, our connections or our origin."""

from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from tests.proxy.speaking import Speaker, speaking
from tests.proxy.test_upstream import body_of, call, profile, read_request, with_provider
from tests.rig import CHAT, Rig, running, script_of
from tray_app.core.values import ErrorClass, Unreachable
from tray_app.proxy import http1
from tray_app.proxy.accept import MOST_UNPACKED, Unpacking
from tray_app.proxy.http1 import Response
from tray_app.proxy.upstream import Upstream

MOST = 2_000_000  # bytes that one connection may make us hold, with what the test itself holds
FLOOD = 40_000_000

ENDLESS = [
    pytest.param(b"HTTP/1.1 200 OK\r\nx: ", b"y" * 65_536, id="a header's value"),
    pytest.param(b"HTTP/1.1 200 OK\r\n", b"y" * 65_536, id="a header's name"),
    pytest.param(b"HTTP/1.1 200 ", b"y" * 65_536, id="a status line"),
    pytest.param(b"HTTP/1.1 200 OK\r\n", b"a:\r\n" * 10_000, id="empty headers"),
    pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000, id="interim answers"),
    pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 1_500, id="interim answers with headers"),
]
ENDLESS_LATER = [
    pytest.param(b"0\r\nx: ", b"y" * 65_536, id="a trailer"),
    pytest.param(b"0\r\n", b"x: y\r\n" * 10_000, id="trailers"),
    pytest.param(b"1;", b"y" * 65_536, id="an extension of a chunk"),
    pytest.param(b"", b"0" * 65_536, id="the size of a chunk"),
]


def flooding(start: bytes, piece: bytes, sent: list[int]) -> Callable[..., object]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(start)
        with suppress(ConnectionError):
            while sum(sent) < FLOOD:
                writer.write(piece)
                await writer.drain()
                sent.append(len(piece))

    return handle


@pytest.mark.parametrize(("start", "piece"), ENDLESS)
def test_a_head_without_end_is_not_kept(start: bytes, piece: bytes) -> None:
    sent: list[int] = []

    async def use(upstream: Upstream, url: str) -> None:
        tracemalloc.start()
        try:
            found = await asyncio.wait_for(upstream.send(call(stream=True), profile(url)), 10)
            assert isinstance(found, Unreachable) and found.kind is ErrorClass.SERVER_ERROR
            assert tracemalloc.get_traced_memory()[1] < MOST
        finally:
            tracemalloc.stop()

    asyncio.run(with_provider(flooding(start, piece, sent), use))  # type: ignore[arg-type]
    assert sum(sent) < FLOOD


@pytest.mark.parametrize(("start", "piece"), ENDLESS_LATER)
def test_what_stands_between_the_parts_of_a_body_is_bounded_too(start: bytes, piece: bytes) -> None:
    sent: list[int] = []
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"

    async def use(upstream: Upstream, url: str) -> None:
        tracemalloc.start()
        try:
            response = await upstream.send(call(stream=True), profile(url))
            assert await asyncio.wait_for(body_of(response), 10) == b"half"
            assert isinstance(response, Response) and response.failure is not None
            assert tracemalloc.get_traced_memory()[1] < MOST
        finally:
            tracemalloc.stop()

    asyncio.run(with_provider(flooding(head + start, piece, sent), use))  # type: ignore[arg-type]
    assert sum(sent) < FLOOD


@pytest.mark.parametrize(
    "piece",
    [pytest.param(b"y", id="of a head"), pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="of interim answers")],
)
def test_a_drip_is_no_first_byte(piece: bytes) -> None:
    """Else a provider could hold a call, and keep it from failing over, for as long as it likes."""

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        if piece == b"y":
            writer.write(b"HTTP/1.1 200 OK\r\nx: ")
        with suppress(ConnectionError):
            for _ in range(60):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.05)

    async def use(upstream: Upstream, url: str) -> None:
        found = await asyncio.wait_for(upstream.send(call(stream=True), profile(url)), 2)
        assert isinstance(found, Unreachable) and found.kind is ErrorClass.TIMEOUT

    asyncio.run(with_provider(dripping, use, first_byte=0.3))


def test_a_few_interim_answers_are_well_meant() -> None:
    async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async def use(upstream: Upstream, url: str) -> None:
        response = await upstream.send(call(), profile(url))
        assert await body_of(response) == b"ok"
        assert isinstance(response, Response) and not any(name == b"link" for name, _ in response.headers)

    asyncio.run(with_provider(polite, use))


def test_a_long_body_is_no_head() -> None:
    """What is counted begins anew with each part of the body, however small the parts are."""

    async def long(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")

    async def use(upstream: Upstream, url: str) -> None:
        response = await upstream.send(call(), profile(url))
        assert await body_of(response) == b"x" * 100_000
        assert isinstance(response, Response) and response.complete

    assert http1.MAX_HEAD < 600_000
    asyncio.run(with_provider(long, use))


# -- what reaches the client


@dataclass
class Raw(Speaker):
    """Says every answer exactly as a test gives it."""

    whole: bytes = b""

    def answer(self, connection: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received or not received.endswith(b"}"):
            if not (data := connection.recv(65_536)):
                return
            received += data
        self.heads.append(received)
        connection.sendall(self.whole)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)


@contextmanager
def asked(folder: Path, whole: bytes) -> Iterator[Rig]:
    """An app with one profile, whose provider says `whole`."""
    with (
        speaking(Raw([], whole=whole)) as (provider,),
        running(folder, script_of(a='{do="ok"}'), names=[], others={"evil": provider.url}) as rig,
    ):
        yield rig


def told(*lines: bytes, body: bytes = b"", status: bytes = b"200 OK") -> bytes:
    body = body or b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}'
    head = (b"HTTP/1.1 " + status, b"content-type: application/json", b"content-length: %d" % len(body), *lines)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


TO_BROWSERS = (
    b"set-cookie: o_switcher_session=theirs; Path=/",
    b"set-cookie2: x=y",
    b"access-control-allow-origin: *",
    b"access-control-allow-credentials: true",
    b"access-control-allow-private-network: true",
    b'clear-site-data: "*"',
    b"content-security-policy: default-src *",
    b"cross-origin-resource-policy: cross-origin",
    b"refresh: 0; url=https://evil.example",
    b"report-to: {}",
    b"service-worker-allowed: /",
    b"strict-transport-security: max-age=1",
    b"x-o-switcher-profile: somebody-else",
    b"x-o-switcher-held: 1",
    b"connection: x-hop",
    b"x-hop: y",
    b"upgrade: h2c",
    b'alt-svc: h3=":443"',
)


@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request"])
def test_what_a_provider_tells_browsers_of_its_origin_is_not_told_of_ours(tmp_path: Path, status: bytes) -> None:
    with asked(tmp_path, told(*TO_BROWSERS, b"x-kept: yes", status=status)) as rig:
        answer = rig.chat()
        assert answer.status_code == int(status[:3])
        assert answer.headers["x-kept"] == "yes"
        assert answer.headers.get_list("x-o-switcher-profile") == ["openrouter-evil"]
        names = {line.partition(b":")[0].decode() for line in TO_BROWSERS} - {"x-o-switcher-profile"}
        assert not names & set(answer.headers)


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(told(b"x: a\rset-cookie: o_switcher_session=theirs"), id="a bare carriage return"),
        pytest.param(told(b"x: a\nset-cookie: o_switcher_session=theirs"), id="a bare line feed"),
        pytest.param(told(b"x: a\0b"), id="a null"),
        pytest.param(told(b"x: a\r\n folded: b"), id="a folded line"),
        pytest.param(told(b"content-length: 5"), id="two lengths"),
        pytest.param(told(b"transfer-encoding: chunked"), id="a length and chunks"),
        pytest.param(told(b"x y: z"), id="a name with a blank"),
        pytest.param(told(b"x : z"), id="a blank before the colon"),
        pytest.param(told(status=b"101 Switching Protocols"), id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}", id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}", id="a length with a sign"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n{}", id="an absurd length"),
    ],
)
def test_an_answer_that_could_be_read_in_two_ways_is_no_answer(tmp_path: Path, whole: bytes) -> None:
    with asked(tmp_path, whole) as rig:
        answer = rig.chat()
        assert answer.status_code in (502, 503)
        assert "set-cookie" not in answer.headers and "folded" not in str(answer.headers)


def test_what_follows_an_answer_is_no_answer_to_the_next_request(tmp_path: Path) -> None:
    forged = told(b"x-forged: yes")
    with asked(tmp_path, told() + forged) as rig:
        for _ in range(3):
            answer = rig.chat()
            assert answer.status_code == 200 and "x-forged" not in answer.headers


@pytest.mark.parametrize("kind", [b"text/html", b"text/html; charset=utf-8", b"TEXT/HTML"])
@pytest.mark.parametrize("path", [CHAT, "/openrouter/v1/anything"])
def test_a_page_is_no_answer(tmp_path: Path, kind: bytes, path: str) -> None:
    body = b"<!doctype html><script>fetch('/api/v1/verbs/stop', {method: 'POST'})</script>"
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(body), body)
    with asked(tmp_path, whole) as rig:
        answer = rig.client.post(path, json={"model": "m", "messages": []})
        assert answer.status_code == 502 and "<script" not in answer.text


@lru_cache(maxsize=1)
def bomb() -> bytes:
    return gzip.compress(b'{"choices": [{"message": {"content": "' + b"x" * 30_000_000)


def test_a_bomb_is_unpacked_no_further_than_it_is_looked_at(tmp_path: Path) -> None:
    """Thirty megabytes in thirty kilobytes."""
    body = bomb()
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    with asked(tmp_path, head % len(body) + body) as rig:
        tracemalloc.start()
        try:
            answer = rig.chat()
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()
        assert answer.status_code == 502


def test_of_a_bomb_in_a_stream_one_piece_is_unpacked_at_a_time_and_no_more_after_a_large_one() -> None:
    unpacking, body, size = Unpacking(b"gzip"), bomb(), 0
    for at in range(0, len(body), 16_384):
        piece = unpacking.feed(body[at : at + 16_384])
        assert len(piece) <= MOST_UNPACKED
        size += len(piece)
    assert unpacking.blind and size == MOST_UNPACKED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_or_passed_on(tmp_path: Path, status: int) -> None:
    """Not even to another port of the same host: the key is for one origin."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.05)
        there = b"location: http://127.0.0.1:%d/v1" % elsewhere.getsockname()[1]
        with asked(tmp_path, told(there, status=b"%d Elsewhere" % status)) as rig:
            assert "location" not in rig.chat().headers
            with pytest.raises(TimeoutError):
                elsewhere.accept()
