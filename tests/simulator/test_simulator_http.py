"""HTTP/1.1 itself: keep-alive, pipelining, methods, expectations, framing, sizes, and what is no request."""

from __future__ import annotations

import gzip
import hashlib
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tray_app.simulator.asked import BODY_LIMIT
from tray_app.simulator.thread import SimulatorThread
from tray_app.simulator.wire import PIPELINE_LIMIT

Simulate = Callable[..., SimulatorThread]
Knock = Callable[..., httpx.Client]
Dial = Callable[..., socket.socket]
Question = Callable[..., dict[str, Any]]
RequestBytes = Callable[..., bytes]

LARGER = f"content-length: {BODY_LIMIT + 1}"


def until(wire: socket.socket, end: bytes) -> bytes:
    heard = b""
    while not heard.endswith(end):
        part = wire.recv(1 << 20)
        if not part:
            break
        heard += part
    return heard


def to_the_end(wire: socket.socket) -> bytes:
    return until(wire, b"\0never")


def test_one_connection_serves_many_requests(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate()
    client = knock(simulator)
    for stream in (False, True, False):
        client.post("chat/completions", json=question(stream=stream))
    assert len({seen.connection for seen in simulator.calls}) == 1


def test_pipelined_requests_are_answered_in_their_order(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes
) -> None:
    wire = dial(simulate('{times=1, do="slow", delay_ms=50, chunk_delay_ms=0}, {times=1, do="no_credit"}, {do="ok"}'))
    calls = 2 * PIPELINE_LIMIT
    last = request_bytes("/api/v1/chat/completions", False, "connection: close")
    wire.sendall(request_bytes() * calls + last)
    heard = to_the_end(wire)
    statuses = [part[:3] for part in heard.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"402", *[b"200"] * (calls - 1)]
    assert heard.count(b"connection: close") == 1


def test_a_pipelined_stream_is_not_mixed_with_its_neighbour(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes
) -> None:
    wire = dial(simulate('{do="ok", chunk_delay_ms=5}'))
    stream = request_bytes("/v1/messages", True)
    wire.sendall(stream + request_bytes("/v1/chat/completions", True, "connection: close"))
    heard = to_the_end(wire)
    assert heard.index(b"message_stop") < heard.index(b"chat.completion.chunk")


def test_a_request_may_come_in_single_bytes(simulate: Simulate, dial: Dial, request_bytes: RequestBytes) -> None:
    wire = dial(simulate())
    for byte in request_bytes("/v1/chat/completions", False, "connection: close"):
        wire.send(bytes([byte]))
    assert b"one answers: hello" in to_the_end(wire)


def test_a_chunked_request_is_read(simulate: Simulate, knock: Knock) -> None:
    parts = (b'{"model":"m","messages":[{"role":"user",', b'"content":"in parts"}]}')
    simulator = simulate()
    answer = knock(simulator).post("chat/completions", content=iter(parts))
    assert "one answers: in parts" in answer.text
    assert simulator.calls[0].body_sha256 == hashlib.sha256(b"".join(parts)).hexdigest()


def test_close_is_answered_with_close(simulate: Simulate, dial: Dial, request_bytes: RequestBytes) -> None:
    wire = dial(simulate())
    wire.sendall(request_bytes("/v1/chat/completions", False, "connection: close"))
    assert b"connection: close\r\n" in to_the_end(wire)


@pytest.mark.parametrize("stream", [False, True])
def test_an_old_client_gets_no_chunks(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes, stream: bool
) -> None:
    wire = dial(simulate())
    wire.sendall(request_bytes("/v1/chat/completions", stream).replace(b"HTTP/1.1", b"HTTP/1.0"))
    heard = to_the_end(wire)
    assert b"transfer-encoding" not in heard
    assert heard.endswith(b"data: [DONE]\n\n" if stream else b"}")


def test_head_gets_the_head_alone(simulate: Simulate, knock: Knock) -> None:
    client = knock(simulate())
    got, head = client.get("models"), client.head("models")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert head.content == b""
    assert client.head("nothing").status_code == 404


def test_options_are_told(simulate: Simulate, knock: Knock) -> None:
    answer = knock(simulate()).options("chat/completions")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    assert "content-length" not in answer.headers


def test_who_expects_it_is_invited_to_send_the_body(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes
) -> None:
    wire = dial(simulate())
    head, _, body = request_bytes("/v1/chat/completions", False, "expect: 100-continue").partition(b"\r\n\r\n")
    wire.sendall(head + b"\r\n\r\n")
    assert until(wire, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.sendall(body)
    assert until(wire, b"}").startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_invitation_never_falls_into_another_answer(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes
) -> None:
    wire = dial(simulate('{do="ok", chunk_delay_ms=10, chunks=3}'))
    head, _, body = request_bytes("/v1/chat/completions", False, "expect: 100-continue").partition(b"\r\n\r\n")
    wire.sendall(request_bytes("/v1/chat/completions", True) + head + b"\r\n\r\n")
    heard = until(wire, b"100 Continue\r\n\r\n")
    assert heard.endswith(b"0\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
    wire.sendall(body)
    assert until(wire, b"}").startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_upgrade_is_declined_by_an_ordinary_answer(simulate: Simulate, dial: Dial) -> None:
    wire = dial(simulate())
    wire.sendall(
        b"GET /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-or-v1-test-0123456789\r\n"
        b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    heard = to_the_end(wire)
    assert heard.startswith(b"HTTP/1.1 405 ")
    assert b"connection: close" in heard


def test_a_target_may_be_a_whole_address(simulate: Simulate, dial: Dial) -> None:
    wire = dial(simulate())
    wire.sendall(b"GET http://openrouter.ai/api/v1/models?a=b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert to_the_end(wire).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"HELLO / FTP/9\r\n\r\n"])
def test_what_is_no_request_is_refused_and_the_connection_closed(simulate: Simulate, dial: Dial, noise: bytes) -> None:
    wire = dial(simulate())
    wire.sendall(noise)
    assert to_the_end(wire).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_noise_after_a_request_does_not_keep_its_answer_back(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes
) -> None:
    wire = dial(simulate('{do="ok", delay_ms=20}'))
    wire.sendall(request_bytes() + b"\x00\x01\x02 noise\r\n\r\n")
    heard = to_the_end(wire)
    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert heard.count(b"HTTP/1.1") == 1


def test_a_body_of_64_megabytes_is_taken(simulate: Simulate, knock: Knock) -> None:
    simulator = simulate()
    content = b'{"model":"m","messages":[{"role":"user","content":"' + b"a" * (64 * 1024 * 1024 - 60) + b'"}]}'
    answer = knock(simulator).post("chat/completions", content=content)
    assert answer.json()["choices"][0]["message"]["content"] == "one answers: " + "a" * 200
    assert simulator.calls[0].body_bytes == len(content)


@pytest.mark.parametrize("lines", [("expect: 100-continue", LARGER), (LARGER, "expect: 100-continue")])
def test_a_larger_body_is_refused_before_it_has_come(simulate: Simulate, dial: Dial, lines: tuple[str, str]) -> None:
    wire = dial(simulate())
    wire.sendall("\r\n".join(("POST /v1/messages HTTP/1.1", "host: x", *lines, "", "")).encode())
    heard = to_the_end(wire)
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in heard
    assert b'"type":"request_too_large"' in heard


def test_a_larger_chunked_body_is_refused_and_the_refusal_arrives(simulate: Simulate, dial: Dial) -> None:
    wire = dial(simulate())
    wire.sendall(b"POST /v1/files HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    part = b"1000000\r\n" + b"a" * 0x1000000 + b"\r\n"
    for _ in range(5):
        wire.sendall(part)
    assert to_the_end(wire).startswith(b"HTTP/1.1 413 ")


def test_a_bomb_is_not_unpacked(simulate: Simulate, knock: Knock) -> None:
    bomb = gzip.compress(b"\0" * (65 * 1024 * 1024), 1)
    answer = knock(simulate()).post("chat/completions", content=bomb, headers={"content-encoding": "gzip"})
    assert answer.status_code == 400


@pytest.mark.parametrize("burst", ["true", "false"])
def test_every_event_is_a_chunk_of_its_own(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes, burst: str
) -> None:
    wire = dial(simulate(f'{{do="ok", chunks=5, burst={burst}}}'))
    wire.sendall(request_bytes("/v1/chat/completions", True, "connection: close"))
    body = to_the_end(wire).partition(b"\r\n\r\n")[2]
    sizes = []
    while body:
        size, _, body = body.partition(b"\r\n")
        sizes.append(int(size, 16))
        body = body[sizes[-1] + 2 :]
    assert len(sizes) == 1 + 1 + 5 + 2 + 1 + 1  # comment, opening, text, finish and usage, [DONE], the end
    assert sizes[-1] == 0


def test_a_slow_reader_gets_all_of_a_long_stream(simulate: Simulate, dial: Dial, request_bytes: RequestBytes) -> None:
    simulator = simulate('{do="ok", chunks=300, chars=7000000}')
    wire = dial(simulator)
    wire.sendall(request_bytes("/v1/chat/completions", True, "connection: close"))
    assert wire.recv(10).startswith(b"HTTP/1.1")
    assert not simulator.calls[0].ended
    assert to_the_end(wire).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert simulator.calls[0].completed


def test_every_answer_carries_a_date(simulate: Simulate, knock: Knock) -> None:
    client = knock(simulate(clock=lambda: 1_790_000_000.9))
    assert client.get("models").headers["date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
