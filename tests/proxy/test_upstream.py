"""One attempt on the wire, against providers that speak raw bytes: framing, reuse, TLS, gateways."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tray_app.core.providers import BUILT_IN
from tray_app.core.values import Call, ErrorClass, Profile, Protocol, Unreachable
from tray_app.proxy import network
from tray_app.proxy.http1 import Response
from tray_app.proxy.upstream import Timeouts, Upstream

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def call(method: str = "POST", body: bytes = b"{}", stream: bool = False) -> Call:
    return Call(
        "id",
        "c",
        "openrouter",
        Protocol.CHAT,
        method,
        "/chat/completions",
        b"a=b",
        ((b"x-a", b"1"),),
        body,
        "m",
        stream,
        0,
    )


def profile(url: str) -> Profile:
    return Profile("openrouter-a", "openrouter", "a", "a", url, "f", "tail", "test")


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            head += await reader.readexactly(int(line.split(b":")[1]))
    return head


def answering(*answers: bytes, close: bool = False) -> Handler:
    """A provider that gives these answers one after another on each connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            try:
                await read_request(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            writer.write(answer)
        if close:
            writer.close()

    return handle


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on the loopback, its port; every connection is closed at the end."""
    running: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running[task] = writer
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            await handler(reader, writer)
            await writer.drain()
            await reader.read()  # until the other side has gone

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task, writer in running.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0.02)


async def with_provider(handler: Handler, use: Callable[[Upstream, str], Awaitable[None]], **timeouts: float) -> None:
    async with serving(handler) as port:
        upstream = Upstream(lambda _: "the-key", lambda: BUILT_IN, lambda: Timeouts(**timeouts))
        try:
            await use(upstream, f"http://127.0.0.1:{port}/v1")
        finally:
            upstream.close()


async def body_of(response: Response | Unreachable) -> bytes:
    assert isinstance(response, Response), response
    parts = []
    while data := await response.read():
        parts.append(data)
    return b"".join(parts)


WHOLE = [
    pytest.param(OK, b"ok", id="a content length"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nt: 1\r\n\r\n",
        b"ok",
        id="chunks",
    ),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"ok", id="after 1xx"
    ),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="no content"),
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"", id="an empty body"),
]


@pytest.mark.parametrize(("answer", "body"), WHOLE)
def test_a_well_framed_answer_is_read_and_its_connection_kept(answer: bytes, body: bytes) -> None:
    connections = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await answering(answer, answer)(reader, writer)

    async def use(upstream: Upstream, url: str) -> None:
        for _ in range(2):
            response = await upstream.send(call(), profile(url))
            assert await body_of(response) == body
            assert isinstance(response, Response) and response.complete and response.failure is None
            response.close()
        assert len(connections) == 1

    asyncio.run(with_provider(handle, use))


def test_the_request_on_the_wire_is_exact() -> None:
    seen = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(OK)

    async def use(upstream: Upstream, url: str) -> None:
        await body_of(await upstream.send(call(body=b'{"a": 1}'), profile(url)))
        host = url.split("/")[2].encode()
        assert seen[0] == (
            b"POST /v1/chat/completions?a=b HTTP/1.1\r\nhost: " + host + b"\r\nx-a: 1\r\ncontent-length: 8\r\n"
            b'authorization: Bearer the-key\r\n\r\n{"a": 1}'
        )

    asyncio.run(with_provider(handle, use))


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async def use(upstream: Upstream, url: str) -> None:
        assert await body_of(await upstream.send(call(), profile(url))) == b"to the end"

    asyncio.run(with_provider(answering(b"HTTP/1.1 200 OK\r\n\r\nto the end", close=True), use))


def test_the_answer_to_head_has_no_body_whatever_it_says() -> None:
    async def use(upstream: Upstream, url: str) -> None:
        assert await body_of(await upstream.send(call("HEAD", b""), profile(url))) == b""

    asyncio.run(with_provider(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n"), use))


def test_a_connection_closed_while_idle_is_replaced_without_a_failure() -> None:
    count = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        if count == 1:
            await reader.read(1)  # the second request arrives, and the connection is closed on it
            writer.close()

    async def use(upstream: Upstream, url: str) -> None:
        for _ in range(2):
            response = await upstream.send(call(), profile(url))
            assert await body_of(response) == b"ok"
            assert isinstance(response, Response)
            response.close()
        assert count == 2

    asyncio.run(with_provider(handle, use))


FAILURES = [
    pytest.param(b"", ErrorClass.NETWORK, id="closed without a word"),
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-le", ErrorClass.NETWORK, id="cut in the head"),
    pytest.param(b"SSH-2.0-x\r\n\r\n", ErrorClass.SERVER_ERROR, id="another protocol"),
    pytest.param(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 80_000 + b"\r\n\r\n", ErrorClass.SERVER_ERROR, id="a giant head"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
        ErrorClass.SERVER_ERROR,
        id="two framings",
    ),
]


@pytest.mark.parametrize(("answer", "kind"), FAILURES)
def test_what_is_no_answer_is_a_failure_with_a_kind(answer: bytes, kind: ErrorClass) -> None:
    async def use(upstream: Upstream, url: str) -> None:
        found = await upstream.send(call(), profile(url))
        assert isinstance(found, Unreachable) and found.kind is kind, found

    asyncio.run(with_provider(answering(answer, close=True), use))


CUT = [
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", id="less than its length"),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", id="chunks without an end"),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", id="a bad chunk"),
]


@pytest.mark.parametrize("answer", CUT)
def test_a_body_that_is_cut_gives_its_bytes_and_then_the_failure(answer: bytes) -> None:
    async def use(upstream: Upstream, url: str) -> None:
        response = await upstream.send(call(), profile(url))
        assert await body_of(response) == b"half"
        assert isinstance(response, Response) and response.failure is not None and not response.complete

    asyncio.run(with_provider(answering(answer, close=True), use))


def test_bytes_after_an_answer_spoil_the_connection() -> None:
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering(OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")(reader, writer)

    async def use(upstream: Upstream, url: str) -> None:
        for _ in range(2):
            response = await upstream.send(call(), profile(url))
            assert await body_of(response) == b"ok"
            assert isinstance(response, Response)
            response.close()
        assert connections == 2

    asyncio.run(with_provider(handle, use))


def test_timeouts_are_kept_before_the_head_and_between_bytes() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await reader.read()
        writer.close()

    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        await reader.read()
        writer.close()

    async def first(upstream: Upstream, url: str) -> None:
        found = await upstream.send(call(stream=True), profile(url))
        assert isinstance(found, Unreachable) and found.kind is ErrorClass.TIMEOUT

    async def between(upstream: Upstream, url: str) -> None:
        response = await upstream.send(call(stream=True), profile(url))
        assert await body_of(response) == b"half"
        assert isinstance(response, Response) and response.failure is not None
        assert response.failure.kind is ErrorClass.TIMEOUT

    asyncio.run(with_provider(silent, first, first_byte=0.2))
    asyncio.run(with_provider(stalling, between, first_byte=0.2, idle=0.2))


def test_a_slow_reader_holds_back_the_provider() -> None:
    async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n")
        try:
            for _ in range(500):
                writer.write(b"x" * 100_000)
                await writer.drain()
        except ConnectionError:
            pass

    async def use(upstream: Upstream, url: str) -> None:
        response = await upstream.send(call(), profile(url))
        assert isinstance(response, Response)
        async with asyncio.timeout(10):
            while not response.held_back:
                await asyncio.sleep(0.01)
        total = len(await body_of(response))
        assert total == 50_000_000

    asyncio.run(with_provider(flooding, use))


UNREACHABLE = [
    pytest.param("http://127.0.0.1:1/v1", "cannot be reached", id="nobody listens"),
    pytest.param("https://name.invalid/v1", "resolved", id="a name that is none"),
    pytest.param("http://example.org/v1", "in the clear", id="plain http elsewhere"),
]


@pytest.mark.parametrize(("url", "words"), UNREACHABLE)
def test_who_cannot_be_reached_is_told_apart(url: str, words: str) -> None:
    async def go() -> None:
        upstream = Upstream(lambda _: "k", lambda: BUILT_IN, lambda: Timeouts(connect=3))
        found = await upstream.send(call(), profile(url))
        assert isinstance(found, Unreachable) and words in found.message, found
        assert not found.delivered

    asyncio.run(go())


def test_without_a_key_nothing_is_sent() -> None:
    seen = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(10))

    async def go() -> None:
        upstream = Upstream(lambda _: None, lambda: BUILT_IN, lambda: Timeouts())
        async with serving(handle) as port:
            found = await upstream.send(call(), profile(f"http://127.0.0.1:{port}"))
            assert isinstance(found, Unreachable) and found.kind is ErrorClass.AUTH
            await asyncio.sleep(0.05)
        assert seen == [], "not even a connection is made"

    asyncio.run(go())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )
    return key, cert


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "not trusted"])
def test_tls_needs_a_certificate_that_the_system_trusts(
    certificate: tuple[Path, Path], trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    network.tls_context.cache_clear()

    async def go() -> None:
        upstream = Upstream(lambda _: "k", lambda: BUILT_IN, lambda: Timeouts(connect=5))
        async with serving(answering(OK), context) as port:
            found = await upstream.send(call(), profile(f"https://localhost:{port}/v1"))
            if trusted:
                assert await body_of(found) == b"ok"
            else:
                assert isinstance(found, Unreachable) and "no trusted connection" in found.message
            upstream.close()

    try:
        asyncio.run(go())
    finally:
        network.tls_context.cache_clear()


def gateway(log: list[bytes], refuse: bool = False) -> Handler:
    """An HTTP proxy that knows CONNECT."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        log.append(head)
        if refuse:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            writer.close()
            return
        port = int(head.split()[1].rpartition(b":")[2])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    return handle


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("refuse", [False, True], ids=["led on", "refused"])
def test_a_gateway_from_the_environment_is_used(
    certificate: tuple[Path, Path], refuse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    network.tls_context.cache_clear()
    log: list[bytes] = []

    async def go() -> None:
        upstream = Upstream(lambda _: "k", lambda: BUILT_IN, lambda: Timeouts(connect=5))
        async with serving(answering(OK), context) as port, serving(gateway(log, refuse)) as way:
            origin = network.Origin(True, "127.0.0.1", port)
            found = network.Gateway("127.0.0.1", way, b"Basic dTpw")
            monkeypatch.setattr("tray_app.proxy.upstream.gateway_for", lambda asked: found if asked == origin else None)
            answer = await upstream.send(call(), profile(f"https://127.0.0.1:{port}/v1"))
            if refuse:
                assert isinstance(answer, Unreachable) and "407" in answer.message
            else:
                assert await body_of(answer) == b"ok"
            upstream.close()
            assert log[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % port)
        assert b"proxy-authorization: Basic dTpw" in log[0]
        assert b"Bearer" not in log[0]

    try:
        asyncio.run(go())
    finally:
        network.tls_context.cache_clear()


def test_the_usual_proxy_variables_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    far, near = network.Origin(True, "api.example.org", 443), network.Origin(False, "127.0.0.1", 80)
    network.gateway_for.cache_clear()
    assert network.gateway_for(far) is None
    network.gateway_for.cache_clear()
    monkeypatch.setenv("https_proxy", "http://user:p%40ss@proxy.example:3128")
    found = network.gateway_for(far)
    assert found is not None and (found.host, found.port) == ("proxy.example", 3128)
    assert "p@ss" not in repr(found)
    assert network.gateway_for(near) is None
    network.gateway_for.cache_clear()
    monkeypatch.setenv("no_proxy", "example.org")
    assert network.gateway_for(far) is None
    network.gateway_for.cache_clear()
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("https_proxy", "socks5://proxy.example:1080")
    with pytest.raises(network.BadAddress, match="socks5"):
        network.gateway_for(far)
    network.gateway_for.cache_clear()


def test_a_call_is_sent_anew_once_at_most_however_many_connections_lie_idle() -> None:
    seen = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await read_request(reader)
        seen += 1
        if seen <= 4:
            await asyncio.sleep(0.05)  # so that each of the first four gets a connection of its own
            writer.write(OK)
            await read_request(reader)
            seen += 1
        writer.close()

    async def use(upstream: Upstream, url: str) -> None:
        answers = await asyncio.gather(*(upstream.send(call(), profile(url)) for _ in range(4)))
        for answer in answers:
            assert await body_of(answer) == b"ok"
            assert isinstance(answer, Response)
            answer.close()
        found = await upstream.send(call(), profile(url))
        assert isinstance(found, Unreachable) and found.delivered
        assert seen == 4 + 2

    asyncio.run(with_provider(handle, use))


def test_a_connection_that_was_held_back_is_heard_again() -> None:
    big = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000

    async def use(upstream: Upstream, url: str) -> None:
        response = await upstream.send(call(), profile(url))
        assert isinstance(response, Response)
        await asyncio.sleep(0.1)  # all of it has come, and reading is paused
        response.close()
        assert await body_of(await upstream.send(call(), profile(url))) == b"ok"

    asyncio.run(with_provider(answering(big, OK), use, first_byte=2, total_non_stream=2))


def test_a_trickle_does_not_outlast_the_total() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def use(upstream: Upstream, url: str) -> None:
        response = await upstream.send(call(), profile(url))
        await body_of(response)
        assert isinstance(response, Response) and response.failure is not None
        assert "took longer than 0.4 s" in response.failure.message

    asyncio.run(with_provider(trickle, use, total_non_stream=0.4, idle=5))
