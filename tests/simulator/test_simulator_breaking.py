"""What breaks below the answer: silence, resets, early ends, false lengths, bytes that are no HTTP."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tray_app.simulator.thread import SimulatorThread, new_loop

Simulate = Callable[..., SimulatorThread]
Knock = Callable[..., httpx.Client]
Dial = Callable[..., socket.socket]
Question = Callable[..., dict[str, Any]]
RequestBytes = Callable[..., bytes]

SILENCE_S = 0.3  # where silence is the end
PATIENCE_S = 10.0  # where it is none

pytestmark = pytest.mark.parametrize(
    "simulate", [new_loop, asyncio.new_event_loop], indirect=True, ids=["the fastest loop", "asyncio's loop"]
)


def listen(wire: socket.socket, *, hangs: bool = False) -> tuple[bytes, str]:
    """All that comes, and how it ends: "fin", "rst", or "silence"."""
    heard = b""
    wire.settimeout(SILENCE_S if hangs else PATIENCE_S)
    while True:
        try:
            part = wire.recv(1 << 20)
        except ConnectionResetError:
            return heard, "rst"
        except TimeoutError:
            return heard, "silence"
        if not part:
            return heard, "fin"
        heard += part


def body_of(heard: bytes) -> bytes:
    return heard.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(("do", "end"), [('do="hang"', "silence"), ('do="close"', "fin"), ('do="reset"', "rst")])
def test_nothing_comes_before_the_head(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes, do: str, end: str
) -> None:
    simulator = simulate(f"{{{do}}}")
    wire = dial(simulator)
    wire.sendall(request_bytes())
    assert listen(wire, hangs=end == "silence") == (b"", end)
    (seen,) = simulator.calls
    assert (seen.status, seen.sent_bytes, seen.completed) == (None, 0, False)


@pytest.mark.parametrize("stream", [False, True])
def test_a_hang_after_the_head_sends_the_head_alone(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes, stream: bool
) -> None:
    wire = dial(simulate('{do="hang", when="after_head"}'))
    wire.sendall(request_bytes("/v1/chat/completions", stream))
    heard, end = listen(wire, hangs=True)
    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (body_of(heard), end) == (b"", "silence")


def test_a_hang_in_a_stream_comes_after_so_many_chunks(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes
) -> None:
    wire = dial(simulate('{do="hang", when="mid_stream", after=2}'))
    wire.sendall(request_bytes("/v1/chat/completions", True))
    heard, end = listen(wire, hangs=True)
    assert end == "silence"
    assert heard.count(b'"content":"') == 1 + 2
    assert heard.endswith(b"\n\n\r\n")


def test_unstreamed_a_hang_comes_in_the_middle_of_the_body(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes
) -> None:
    wire = dial(simulate('{do="hang", when="mid_stream"}'))
    wire.sendall(request_bytes())
    heard, end = listen(wire, hangs=True)
    length = int(heard.split(b"content-length: ")[1].split(b"\r\n")[0])
    assert (len(body_of(heard)), end) == (length // 2, "silence")


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_body_is_cut_at_its_byte(simulate: Simulate, dial: Dial, request_bytes: RequestBytes, how: str) -> None:
    wire = dial(simulate(f'{{do="cut", at=40, how="{how}"}}'))
    wire.sendall(request_bytes())
    heard, end = listen(wire)
    assert (len(body_of(heard)), end) == (40, how)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_stream_is_cut_in_the_middle_of_a_chunk(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes, how: str
) -> None:
    wire = dial(simulate(f'{{do="cut", at=60, comments=1, how="{how}"}}'))
    wire.sendall(request_bytes("/v1/chat/completions", True))
    heard, end = listen(wire)
    comment = b": OPENROUTER PROCESSING\n\n"
    first, second = body_of(heard).removeprefix(b"19\r\n" + comment + b"\r\n").split(b"\r\n", 1)
    assert len(second) == 60 - len(comment)
    assert int(first, 16) > len(second)
    assert end == how


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_is_never_the_whole(simulate: Simulate, knock: Knock, question: Question, stream: bool) -> None:
    client = knock(simulate('{do="cut", at=100000000}'))
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
        client.post("chat/completions", json=question(stream=stream))


def test_a_stream_is_cut_after_so_many_chunks(simulate: Simulate, dial: Dial, request_bytes: RequestBytes) -> None:
    wire = dial(simulate('{do="cut", after=3}'))
    wire.sendall(request_bytes("/v1/chat/completions", True))
    heard, end = listen(wire)
    assert (heard.count(b'"content":"'), end) == (1 + 3, "fin")
    assert not heard.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("then", ["fin", "rst", "hang"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_length_may_promise_too_much(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes, then: str, stream: bool
) -> None:
    wire = dial(simulate(f'{{do="wrong_length", extra=7, then="{then}"}}'))
    wire.sendall(request_bytes("/v1/chat/completions", stream))
    heard, end = listen(wire, hangs=then == "hang")
    promised = int(heard.split(b"content-length: ")[1].split(b"\r\n")[0])
    assert promised == len(body_of(heard)) + 7
    assert end == {"hang": "silence"}.get(then, then)


def test_garbage_is_no_http(simulate: Simulate, knock: Knock, question: Question) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        knock(simulate('{do="garbage"}')).post("chat/completions", json=question())


def test_a_slow_stream_waits_before_its_head_and_between_its_chunks(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes
) -> None:
    wire = dial(simulate('{do="slow", delay_ms=60, chunk_delay_ms=40, chunks=4}'))
    begun = time.monotonic()
    wire.sendall(request_bytes("/v1/chat/completions", True))
    heard, parts = b"", 0
    while not heard.endswith(b"0\r\n\r\n"):
        if not heard:
            wire.recv(1, socket.MSG_PEEK)
            assert time.monotonic() - begun >= 0.06
        heard += wire.recv(1 << 20)
        parts += 1
    assert time.monotonic() - begun >= 0.06 + 3 * 0.04
    assert parts > 1


def test_an_unstreamed_slow_answer_waits_before_its_head(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{do="slow", delay_ms=50, chunk_delay_ms=30}'))
    assert client.post("chat/completions", json=question()).elapsed.total_seconds() >= 0.08


def test_the_next_call_meets_a_sound_server_after_every_breakage(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    broken = '{times=1, do="reset"}, {times=1, do="close"}, {times=1, do="cut"}, {times=1, do="garbage"}'
    client = knock(simulate(f'{broken}, {{do="ok"}}'))
    for _ in range(4):
        with pytest.raises(httpx.TransportError):
            client.post("chat/completions", json=question())
    assert client.post("chat/completions", json=question()).status_code == 200
