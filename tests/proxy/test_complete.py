"""What is told of an answer that came whole, whether or not its client waited for it; and of a call's own id."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from tests.proxy.test_leaving import asking
from tests.rig import running, script_of, settle_slowly
from tray_app.core.policy import Lane
from tray_app.core.values import Outcome, Profile, Protocol
from tray_app.proxy.accept import Accepted, Unpacking
from tray_app.proxy.attempt import Attempt, Passed
from tray_app.proxy.deadlines import Deadlines
from tray_app.proxy.http1 import READ, Connection, Response, Room
from tray_app.proxy.relay import passed_whole

BODY = b'{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}'


def answer(*headers: tuple[bytes, bytes]) -> Response:
    """One that has come whole, and was read."""
    connection = Connection(asyncio.get_running_loop(), lambda *_: None, Room(READ), Deadlines())
    response = Response(connection, READ, [])
    response.status, response.complete, response.headers = 200, True, list(headers)
    response.heads = dict(reversed(response.headers))
    return response


EVENTS = b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(("held", "events"), [(BODY, False), (EVENTS, True)], ids=["document", "stream"])
def test_what_went_by_of_an_answer_that_came_whole(held: bytes, events: bool) -> None:
    async def play() -> Passed | None:
        return passed_whole(Accepted(answer(), held, events=events), Protocol.CHAT)

    passed = asyncio.run(play())
    assert passed == Passed(Protocol.CHAT, 1, held, held, events, True, True, len(held))


@pytest.mark.parametrize(
    "what", ["goes on", "more is there", "nothing", "compressed", "without its end", "with an error"]
)
def test_what_is_not_whole_or_not_plain_is_looked_at_more_closely(what: str) -> None:
    async def play() -> Passed | None:
        response = answer()
        response.complete = what != "goes on"
        if what == "more is there":
            response._buffer.append(b"x")
        cut = EVENTS.removesuffix(b"data: [DONE]\n\n")
        held = {"nothing": b"", "without its end": cut, "with an error": b'data: {"error":{}}\n\n' + EVENTS}
        unpacking = Unpacking(b"gzip") if what == "compressed" else None
        return passed_whole(Accepted(response, held.get(what, EVENTS), True, unpacking), Protocol.CHAT)

    assert asyncio.run(play()) is None


@pytest.fixture
def safe(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once records may be taken for safe."""
    event = threading.Event()

    async def wait() -> None:
        while not event.is_set():
            await asyncio.sleep(0.01)

    settle_slowly(monkeypatch, wait)
    return event


@pytest.mark.parametrize("stays", [True, False], ids=["the client waits", "the client leaves"])
@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
def test_what_it_used_is_recorded_once_and_before_it_is_sent(
    tmp_path: Path, safe: threading.Event, stream: bool, stays: bool
) -> None:
    with running(tmp_path, script_of(only='{do="ok"}')) as rig:
        with asking(rig, stream=stream) as sock:
            found = rig.eventually("SELECT outcome, output_tokens > 0 AS paid FROM request WHERE output_tokens")
            assert found == [{"outcome": "served", "paid": 1}]
            sock.settimeout(0.2)
            with pytest.raises(TimeoutError):
                sock.recv(1)
            if stays:
                safe.set()
                sock.settimeout(5)
                assert sock.recv(65_536).startswith(b"HTTP/1.1 200")
        time.sleep(0.05)  # whoever has left is gone by now
        safe.set()
        rig.app.stop()
        assert (
            rig.rows("SELECT outcome FROM request")
            == rig.rows("SELECT outcome FROM attempt")
            == [{"outcome": "served"}]
        )


def test_of_several_ids_the_first_is_the_calls_own() -> None:
    async def play() -> str | None:
        profile = Profile("main", "openrouter", "main", "main", "https://x.example/v1", "print", "cdef", "cli")
        attempt = Attempt(profile, Lane("openrouter", "m"), 1, 0.0, True)
        attempt.response = answer((b"x-generation-id", b"gen-1"), (b"date", b"now"), (b"x-request-id", b"req-1"))
        return attempt.ended("id", 0, 1, Outcome.SERVED, None, 0).upstream_request_id

    assert asyncio.run(play()) == "gen-1"
