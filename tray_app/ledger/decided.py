"""What the decisions log holds of one request. Its lines are in the order of time: only those of that time are read."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tray_app.core.history import Decided
from tray_app.core.score import Score
from tray_app.ledger.decisions import FILES_KEPT

SLACK_MS = 2_000  # lines of several requests are a little out of order
MOST_BYTES = 48 * 1024 * 1024  # all of the log, and a little more
_PIECE = 1_024  # as long as most lines
_TIME_AT = len('{"time":"')
_TOLD = frozenset({
    "admission.queued", "admission.rejected", "route.selected", "retry.scheduled", "cooldown.set",
})  # fmt: skip


class _Line(msgspec.Struct):
    """What is wanted of a line; the rest of a request is in the history itself."""

    time: str
    event: str
    request_id: str | None = None
    profile: str | None = None
    model: str | None = None
    error_class: str | None = None
    scope: str | None = None
    delay_ms: int | None = None
    until: str | None = None
    waiting: int | None = None
    score: Score | None = None
    reason: str | None = None


_decoder = msgspec.json.Decoder(_Line)


def decided(log: Path, request_id: str, since: int, until: int) -> tuple[Decided, ...]:
    """What was decided for a request between two times (ms), in the order of time; nothing of what is there no more.

    `log` is the newest of the files. Lines that cannot be read are passed over: the log is no part of the history.
    """
    begin, end = _iso(since - SLACK_MS), _iso(until + SLACK_MS)
    mark = b'"request_id":' + msgspec.json.encode(request_id)
    found = []
    for path in [*(log.with_name(f"{log.name}.{number}") for number in range(FILES_KEPT, 0, -1)), log]:
        with suppress(OSError), path.open("rb") as file:
            found += [_value(line) for line in _lines(file.fileno(), begin, end, mark)]
    return tuple(one for one in found if one is not None)


def _lines(fd: int, begin: bytes, end: bytes, mark: bytes) -> Iterator[bytes]:
    """The lines of that time in which `mark` stands."""
    low, high = (_first_at(fd, time) for time in (begin, end))
    data = _read(fd, low, min(high - low, MOST_BYTES))
    at = data.find(mark)
    while at >= 0:
        start = data.rfind(b"\n", 0, at) + 1
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop
        yield data[start:stop]
        at = data.find(mark, stop)


def _first_at(fd: int, time: bytes) -> int:
    """Where the first line begins that is not before `time`; the size where there is none."""
    size = os.fstat(fd).st_size
    offset = bisect_left(range(size), time, key=lambda offset: _time_at(fd, _line_from(fd, offset)))
    return min(_line_from(fd, offset), size)


def _line_from(fd: int, offset: int) -> int:
    """Where the first line begins that begins at `offset` or after it."""
    while offset and (piece := _read(fd, offset - 1, _PIECE)):
        place = piece.find(b"\n")
        if place >= 0:
            return offset + place
        offset += len(piece)
    return offset


def _time_at(fd: int, offset: int) -> bytes:
    return _read(fd, offset, _TIME_AT + 23)[_TIME_AT:] or b"~"


def _read(fd: int, offset: int, most: int) -> bytes:
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, most)


def _value(line: bytes) -> Decided | None:
    try:
        read = _decoder.decode(line)
        if read.event not in _TOLD:
            return None
        return Decided(
            _ms(read.time),
            read.event,
            read.profile,
            read.reason,
            read.model,
            read.error_class,
            read.scope,
            read.delay_ms,
            None if read.until is None else _ms(read.until),
            read.waiting,
            read.score,
        )
    except (msgspec.DecodeError, ValueError):
        return None


def _iso(at: int) -> bytes:
    try:
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").encode()[:23]
    except (OverflowError, OSError, ValueError):
        return b"9" if at > 0 else b"0"


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
