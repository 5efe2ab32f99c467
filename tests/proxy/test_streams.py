"""Streams in flight: cut, silent, without an end. A stream never ends as if it were whole when it is not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.rig import CHAT, MODEL, Key, Rig, running, said, script_of

BODY = {"model": MODEL, "stream": True, "max_tokens": 99, "input": "q", "messages": [{"role": "user", "content": "q"}]}
PATHS = ["/openrouter/v1/chat/completions", "/openrouter/v1/messages", "/openrouter/v1/responses"]


def read(rig: Rig, path: str = CHAT) -> tuple[str, bool]:
    """The stream as far as it came, and whether the connection ended in order."""
    parts: list[bytes] = []
    try:
        with rig.client.stream("POST", path, json=BODY) as answer:
            assert answer.status_code == 200
            parts.extend(answer.iter_raw())
    except httpx.RemoteProtocolError:
        return b"".join(parts).decode(), False
    return b"".join(parts).decode(), True


CUTS = [
    pytest.param('{do="cut", after=4, how="rst"}', id="torn down"),
    pytest.param('{do="cut", after=4, how="fin"}', id="closed"),
    pytest.param('{do="no_terminator", finish=false}', id="ended in order, but half-way"),
]


OFF = '[streams]\ncontinue = "off"\n'


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fault", CUTS)
def test_a_stream_cut_after_content_ends_with_the_protocols_error_and_a_cut_where_it_is_not_gone_on_with(
    tmp_path: Path, fault: str, path: str
) -> None:
    with running(tmp_path, script_of(first=fault, second='{do="ok"}'), settings=OFF) as rig:
        text, in_order = read(rig, path)
        assert not in_order
        assert "o_switcher_interrupted" in "".join(text.splitlines()[-5:])
        assert "[DONE]" not in text and "message_stop" not in text and "response.completed" not in text
        assert said(text) != ""
        assert rig.calls() == {"first": 1}
        row = rig.rows("SELECT outcome, status_code FROM request")[0]
        assert row == {"outcome": "interrupted", "status_code": 200}
        assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-second"  # the client's second try


@pytest.mark.parametrize("path", PATHS)
def test_an_error_in_mid_stream_passes_as_the_provider_sent_it_where_it_is_not_gone_on_with(
    tmp_path: Path, path: str
) -> None:
    with running(tmp_path, script_of(only='{do="error_in_stream", code=502, after=3}'), settings=OFF) as rig:
        text, _ = read(rig, path)
        assert "Provider" in text or "error" in text
        assert rig.calls() == {"only": 1}


def test_a_limit_that_is_named_in_mid_stream_rests_the_profile_also_where_nobody_goes_on(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only='{do="error_in_stream", code=402, after=3}'), settings=OFF) as rig:
        read(rig)
        assert rig.rows("SELECT error_class FROM attempt") == [{"error_class": "quota_exhausted"}]
        assert rig.phase("openrouter-only") == "cooling"


def test_a_stream_that_goes_silent_ends_after_idle(tmp_path: Path) -> None:
    settings = "[timeouts]\nidle = 0.4\n" + OFF
    with running(tmp_path, script_of(only='{do="hang", when="mid_stream", after=3}'), settings=settings) as rig:
        began = time.monotonic()
        text, in_order = read(rig)
        assert not in_order and "o_switcher_interrupted" in text
        assert 0.3 < time.monotonic() - began < 3
        assert rig.rows("SELECT error_class FROM attempt") == [{"error_class": "timeout"}]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_silent_provider_is_left_for_the_next_one(tmp_path: Path, stream: bool) -> None:
    settings = "[timeouts]\nfirst_byte = 0.3\ntotal_non_stream = 0.3\n"
    script = script_of(first='{do="hang", when="before_head"}', second='{do="ok"}')
    with running(tmp_path, script, settings=settings) as rig:
        answer = rig.chat(stream=stream)
        assert answer.status_code == 200
        assert answer.headers["x-o-switcher-profile"] == "openrouter-second"
        assert rig.calls() == {"first": 1, "second": 1}
        assert rig.chat(stream=stream).headers["x-o-switcher-attempts"] == "1"  # nobody waits for the silent one again


def test_comments_and_pings_count_as_life(tmp_path: Path) -> None:
    settings = "[timeouts]\nidle = 0.5\nfirst_byte = 0.5\n"
    script = script_of(only='{do="ok", comments=1, chunks=12, chunk_delay_ms=100}')
    with running(tmp_path, script, settings=settings) as rig:
        text, in_order = read(rig)
        assert in_order and text.rstrip().endswith("[DONE]")


def test_chunks_arrive_as_they_are_sent(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only='{do="ok", chunks=6, chunk_delay_ms=120}')) as rig:
        times = []
        with rig.client.stream("POST", CHAT, json=BODY) as answer:
            times.extend(time.monotonic() for _ in answer.iter_raw())
        gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        assert sum(gap > 0.06 for gap in gaps) >= 4


def test_many_streams_at_once_are_each_whole(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with running(tmp_path, script_of(only='{do="ok", chunks=30, chunk_delay_ms=5}')) as rig:
        with ThreadPoolExecutor(24) as pool:
            found = list(pool.map(lambda _: read(rig), range(48)))
        assert all(in_order and text.rstrip().endswith("[DONE]") for text, in_order in found)
        assert len({said(text) for text, _ in found}) == 1
        assert rig.rows("SELECT count(*) AS n FROM request WHERE outcome = 'served'") == [{"n": 48}]


def test_a_stream_is_recorded_before_its_terminator_reaches_the_client(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only='{do="ok", chunks=3}')) as rig:
        with rig.client.stream("POST", CHAT, json=BODY) as answer:
            for chunk in answer.iter_raw():
                if b"[DONE]" in chunk:
                    assert rig.rows("SELECT outcome FROM request") == [{"outcome": "served"}]


# -- a client that is slow


@contextmanager
def flooding(stream: list[bytes]) -> Iterator[tuple[int, list[int]]]:
    """A provider that sends `stream` as fast as it is taken: its port, and the bytes it got rid of so far."""
    sent = [0]
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                received = b""
                while b'"messages"' not in received:
                    received += connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                for part in stream:
                    connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))
                    sent[0] += len(part)
                connection.sendall(b"0\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], sent
        thread.join(10)


def test_a_client_that_stops_reading_holds_back_the_provider_and_loses_nothing(tmp_path: Path) -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"content":"%06d' + b"x" * 2000 + b'"}}]}\n\n'
    stream = [event % number for number in range(30_000)] + [b"data: [DONE]\n\n"]
    with (
        flooding(stream) as (port, sent),
        running(
            tmp_path, script_of(spare='{do="ok"}'), names=[], others={"flood": f"http://127.0.0.1:{port}/v1"}
        ) as rig,
    ):
        with rig.client.stream("POST", CHAT, json=BODY) as answer:
            parts = answer.iter_raw()
            got = [next(parts)]
            before = -1
            while sent[0] != before:  # the system's own buffers fill first
                before = sent[0]
                time.sleep(0.3)
            assert before < sum(map(len, stream)) / 2
            got += parts
        assert b"".join(got) == b"".join(stream)
        row = rig.rows("SELECT outcome, response_bytes FROM request")[0]
        assert row == {"outcome": "served", "response_bytes": sum(map(len, stream))}


def test_usage_is_asked_for_where_it_is_not_told_else_and_the_client_does_not_see_it(tmp_path: Path) -> None:
    with running(tmp_path, {"only": Key(provider="openai")}) as rig:
        body = BODY | {"stream": True}
        path = "/openai/v1/chat/completions"
        plain = rig.client.post(path, json=body).text
        asked = rig.client.post(path, json=body | {"stream_options": {"include_usage": True}}).text
        assert '"completion_tokens"' not in plain and said(plain) and plain.rstrip().endswith("[DONE]")
        assert '"completion_tokens"' in asked
        rows = rig.eventually("SELECT input_tokens > 0 AS known FROM request ORDER BY id")
        assert rows == [{"known": 1}, {"known": 1}]
