"""Takes out of a chat stream the chunk that tells its usage, where the client did not ask for one.

It was asked for on the client's behalf: the provider tells no usage else.
"""

from __future__ import annotations

import re

from tray_app.core.usage import is_usage_only

_BLANK_LINE = re.compile(rb"((?:\r\n|\n|\r(?!\n)){2})")
_LINE = re.compile(rb"\r\n|\n|\r")
MOST_HELD = 65_536  # bytes of an unfinished event; a longer one passes as it comes


class WithoutUsage:
    """Bytes in, bytes out; unfinished events wait for their end."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """What of it goes to the client now."""
        held = self._rest + data
        end = max(held.rfind(b"\n\n") + 2, held.rfind(b"\n\r\n") + 3, held.rfind(b"\r\r") + 2)
        whole, self._rest = (held[:end], held[end:]) if end > 2 else (b"", held)
        if len(self._rest) > MOST_HELD:
            whole, self._rest = held, b""
        return _without(whole) if b'"usage"' in whole else whole

    def close(self) -> bytes:
        """What is left when the stream has ended."""
        rest, self._rest = self._rest, b""
        return _without(rest) if b'"usage"' in rest else rest


def _without(events: bytes) -> bytes:
    parts = _BLANK_LINE.split(events)
    kept = []
    for at in range(0, len(parts), 2):
        if not _is_usage(parts[at]):
            kept += parts[at : at + 2]
    return b"".join(kept)


def _is_usage(block: bytes) -> bool:
    lines = [line[5:].removeprefix(b" ") for line in _LINE.split(block) if line.startswith(b"data:")]
    return bool(lines) and is_usage_only(b"\n".join(lines))
