"""What is told of an answer that came whole, whether or not its client waited for it; and of a call's own id."""

from __future__ import annotations

import asyncio

import pytest

from tray_app.core.policy import Lane
from tray_app.core.values import Call, Outcome, Profile, Protocol
from tray_app.proxy.accept import Accepted
from tray_app.proxy.attempt import Attempt, Passed
from tray_app.proxy.deadlines import Deadlines
from tray_app.proxy.http1 import READ, Connection, Response, Room
from tray_app.proxy.relay import Complete, is_complete

BODY = b'{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}'


class Told:
    """A story that keeps what it is told."""

    def __init__(self) -> None:
        self.ends: list[tuple[Outcome, Passed]] = []

    def ended(self, outcome: Outcome, failure: object, passed: Passed) -> None:
        assert failure is None
        self.ends.append((outcome, passed))

    def goes_on(self, telling: object) -> bool:
        raise AssertionError("there is nothing to go on with")

    async def resumed(self, *_: object) -> None:
        raise AssertionError("there is nothing to go on with")


def answer(*headers: tuple[bytes, bytes]) -> Response:
    """One that has come whole, and was read."""
    connection = Connection(asyncio.get_running_loop(), lambda _: None, Room(READ), Deadlines())
    response = Response(connection, READ, [])
    response.status, response.complete, response.headers = 200, True, list(headers)
    response.heads = dict(reversed(response.headers))
    return response


@pytest.mark.parametrize("taken", [True, False], ids=["the client takes it", "the client has left"])
def test_what_it_used_is_told_once_whoever_waited(taken: bool) -> None:
    async def play() -> list[tuple[Outcome, Passed]]:
        told, settled = Told(), asyncio.Event()

        async def settle() -> None:
            assert len(told.ends) == 1, "recorded before the last byte"
            settled.set()

        accepted = Accepted(answer(), BODY, events=False)
        assert is_complete(accepted, Protocol.CHAT)
        call = Call("id", "agent", None, Protocol.CHAT, "POST", "/chat/completions", b"", (), b"{}", "m", False, 0)
        body = Complete(accepted, call, told, settle)
        if taken:
            assert await body.read() == BODY
            assert settled.is_set()
        body.close()
        body.close()
        return told.ends

    ((outcome, passed),) = asyncio.run(play())
    assert outcome is (Outcome.SERVED if taken else Outcome.CLIENT_CANCELLED)
    assert (passed.head, passed.tail, passed.whole, passed.size) == (BODY, BODY, True, len(BODY) if taken else 0)


def test_of_several_ids_the_first_is_the_calls_own() -> None:
    async def play() -> str | None:
        profile = Profile("main", "openrouter", "main", "main", "https://x.example/v1", "print", "cdef", "cli")
        attempt = Attempt(profile, Lane("openrouter", "m"), 1, 0.0, True)
        attempt.response = answer((b"x-generation-id", b"gen-1"), (b"date", b"now"), (b"x-request-id", b"req-1"))
        return attempt.ended("id", 0, 1, Outcome.SERVED, None, 0).upstream_request_id

    assert asyncio.run(play()) == "gen-1"
