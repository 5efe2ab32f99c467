"""Signs of life for a client that waits for its stream: bytes that its protocol passes over, and that it counts."""

from __future__ import annotations

from tray_app.core.values import Call, Protocol

_NO_EVENTS, _GEMINI = frozenset({Protocol.OTHER, Protocol.OLLAMA}), Protocol.GEMINI
_COMMENT = b": O-Switcher waits for the provider\n\n"
_PING = b'event: ping\ndata: {"type": "ping"}\n\n'
# Codex counts events alone as life, and passes over those that it does not know; other clients of its protocol
# take the first event for the opening
_EVENT = b'event: keepalive\ndata: {"type": "keepalive"}\n\n'


def is_sse(call: Call) -> bool:
    """Whether the answer will be events, not NDJSON; Gemini streams a list where it is not asked for events."""
    if not call.stream or call.protocol in _NO_EVENTS or call.path.endswith("/count_tokens"):
        return False
    return call.protocol is not _GEMINI or b"alt=sse" in call.query


def sign_of_life(call: Call) -> bytes:
    """One sign of life for a stream of events; empty where the protocol knows none, as NDJSON does not."""
    if call.protocol is Protocol.OLLAMA:
        return b""
    if call.protocol is Protocol.MESSAGES:
        return _PING
    if call.protocol is Protocol.RESPONSES and any(name == b"originator" for name, _ in call.headers):
        return _EVENT
    return _COMMENT
