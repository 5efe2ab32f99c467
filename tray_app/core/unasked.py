"""Takes out of a chat stream what tells its usage, where the client did not ask for that.

It was asked for on the client's behalf: the provider tells no usage else.
"""

from __future__ import annotations

import re

from tray_app.core.usage import is_usage_only

_BLANK_LINE = re.compile(rb"((?:\r\n|\n|\r(?!\n)){2})")
_LINE = re.compile(rb"\r\n|\n|\r")


_NULLS = (b',"usage":null', b',"usage": null', b', "usage": null')  # no text holds that: its quotes are escaped


def without_usage(events: bytes) -> bytes:
    """What of these whole events goes to the client: neither that chunk, nor the empty `usage` of all the others."""
    if b'"usage"' not in events:
        return events
    for null in _NULLS:
        events = events.replace(null, b"")
    return _without(events) if b'"usage"' in events else events


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
