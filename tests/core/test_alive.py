"""Which sign of life each client gets while it waits."""

from __future__ import annotations

import pytest

from tray_app.core.alive import is_sse, sign_of_life
from tray_app.core.values import Call, Protocol


def call(protocol: Protocol, *, path: str = "/x", stream: bool = True, query: bytes = b"", name: bytes = b"") -> Call:
    headers = ((name, b"x"),) if name else ()
    return Call("1", "c", "p", protocol, "POST", path, query, headers, b"", "m", stream, 0)


@pytest.mark.parametrize(
    ("asked", "sse"),
    [
        (call(Protocol.CHAT), True),
        (call(Protocol.RESPONSES), True),
        (call(Protocol.MESSAGES), True),
        (call(Protocol.GEMINI, query=b"alt=sse"), True),
        (call(Protocol.GEMINI), False),
        (call(Protocol.OLLAMA), False),
        (call(Protocol.OTHER), False),
        (call(Protocol.CHAT, stream=False), False),
        (call(Protocol.MESSAGES, path="/messages/count_tokens"), False),
    ],
)
def test_only_streams_of_events_can_be_filled_with_signs_of_life(asked: Call, sse: bool) -> None:
    assert is_sse(asked) is sse


@pytest.mark.parametrize(
    ("asked", "sign"),
    [
        (call(Protocol.CHAT), b": "),
        (call(Protocol.GEMINI), b": "),
        (call(Protocol.MESSAGES), b"event: ping"),
        (call(Protocol.RESPONSES), b": "),
        (call(Protocol.RESPONSES, name=b"originator"), b"event: keepalive"),  # Codex counts events alone
    ],
)
def test_each_client_gets_what_it_counts_as_life(asked: Call, sign: bytes) -> None:
    assert sign_of_life(asked).startswith(sign) and sign_of_life(asked).endswith(b"\n\n")


def test_ndjson_knows_no_sign_of_life() -> None:
    assert sign_of_life(call(Protocol.OLLAMA)) == b""
