"""The client may leave at any moment: the provider's call ends at once, and nobody is blamed."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.rig import CHAT, MODEL, Rig, eventually, running, script_of
from tests.stalls import Watch


@contextmanager
def asking(rig: Rig, *, stream: bool) -> Iterator[socket.socket]:
    """A connection on which a request has been sent."""
    body = json.dumps({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "q"}]}).encode()
    url = httpx.URL(rig.url)
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\nAuthorization: {rig.client.headers['authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80), timeout=5) as sock:
        sock.sendall(head.encode() + body)
        yield sock


MOMENTS = [
    pytest.param('{do="hang", when="before_head"}', False, id="before the head"),
    pytest.param('{do="hang", when="after_head"}', True, id="after the head, before an event"),
    pytest.param('{do="hang", when="mid_stream", after=2}', True, id="in the middle of the stream"),
    pytest.param('{do="ok", chunks=200, chunk_delay_ms=20}', True, id="while chunks come"),
]


@pytest.mark.parametrize(("behaviour", "stream"), MOMENTS)
@pytest.mark.parametrize("reset", [False, True], ids=["closing", "resetting"])
def test_the_providers_call_ends_within_100_ms(tmp_path: Path, behaviour: str, stream: bool, reset: bool) -> None:
    with running(tmp_path, script_of(first=behaviour, second='{do="ok"}')) as rig:
        with asking(rig, stream=stream) as sock:
            assert eventually(lambda: rig.simulator.calls)
            time.sleep(0.15)
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            left = Watch()
        assert eventually(lambda: rig.simulator.calls[0].client_left)
        assert left.seconds < 0.2  # the bound is 100 ms; the test machine may be slow
        found = rig.eventually("SELECT outcome, attempts FROM request WHERE outcome IS NOT NULL")
        assert found == [{"outcome": "client_cancelled", "attempts": 1}]
        assert rig.eventually("SELECT outcome FROM attempt WHERE outcome IS NOT NULL") == [
            {"outcome": "client_cancelled"}
        ]
        assert rig.phase("openrouter-first") == "ready"
        assert [view.in_flight for view in rig.app.service.status().profiles] == [0, 0]
        assert rig.calls() == {"first": 1}


def test_leaving_during_a_wait_starts_no_further_call(tmp_path: Path) -> None:
    script = script_of(only='{do="rate_limit", retry_after_ms=800}')
    with running(tmp_path, script) as rig:
        with asking(rig, stream=False):
            assert eventually(lambda: rig.simulator.calls)
            time.sleep(0.1)
        found = rig.eventually("SELECT outcome, attempts FROM request WHERE outcome IS NOT NULL")
        assert found == [{"outcome": "client_cancelled", "attempts": 1}]
        time.sleep(1.0)
        assert rig.calls() == {"only": 1}


def test_a_hundred_that_leave_give_back_every_lease(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only='{do="hang", when="mid_stream", after=1}')) as rig:
        for _ in range(100):
            with asking(rig, stream=True):
                pass
        assert eventually(lambda: rig.app.service.status().profiles[0].in_flight == 0)
        assert eventually(lambda: all(seen.ended for seen in rig.simulator.calls))


def test_stopping_the_app_ends_running_answers_as_interrupted(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only='{do="hang", when="mid_stream", after=2}')) as rig:
        with asking(rig, stream=True) as sock:
            assert eventually(lambda: rig.simulator.calls)
            time.sleep(0.1)
            import tray_app.app as house

            grace, house.GRACE_S = house.GRACE_S, 0.3
            try:
                rig.app.stop()
            finally:
                house.GRACE_S = grace
            data = b""
            while part := sock.recv(65_536):
                data += part
            assert not data.endswith(b"0\r\n\r\n")
        assert rig.rows("SELECT outcome FROM request") == [{"outcome": "interrupted"}]
        assert rig.rows("SELECT 1 FROM request WHERE ended_at IS NULL") == []
