"""`decisions.ndjson`: the same facts as one JSON object a line, for people and for `jq`. Rotated by size."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from tray_app.core.redact import redact
from tray_app.core.score import Score
from tray_app.core.values import (
    AttemptEnded,
    AttemptStarted,
    CircuitChanged,
    Cooldown,
    CooldownCleared,
    CooldownSet,
    Fact,
    FailedOver,
    Lifecycle,
    OperatorActed,
    ProfileRemoved,
    ProfileSeen,
    Queued,
    QuotaSeen,
    ReauthChanged,
    RequestEnded,
    RequestStarted,
    RetryScheduled,
    RouteSelected,
    Segment,
)

FILE_BYTES = 8 * 1024 * 1024
FILES_KEPT = 4
LINES_HELD = 50_000
_WRITE_BYTES = 1024 * 1024
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would else write "\r\n"
_encoder = msgspec.json.Encoder()


class DecisionLog:
    """Appends lines to `path`; older files are `path.1` (the newest) to `path.4`. For one thread only.

    Lines that cannot be written wait for the next call, as many as `lines_held`; `trouble` says why.
    """

    def __init__(self, path: Path, file_bytes: int = FILE_BYTES, lines_held: int = LINES_HELD) -> None:
        self._path = path
        self._file_bytes = file_bytes
        self._waiting = b""  # whole lines
        self._lines_held = lines_held
        self._fd: int | None = None
        self._size = 0
        self._dropped = 0
        self.trouble: str | None = None

    def write(self, facts: Sequence[Fact] = ()) -> None:
        """Append a line for each fact that is a decision, and those that waited."""
        self._waiting += self._lines(facts)
        try:
            self._append()
            self.trouble = None
        except OSError as error:
            self._release()
            self._in_trouble(error.strerror or str(error))

    def _lines(self, facts: Sequence[Fact]) -> bytes:
        try:
            return lines_of(facts)
        except Exception:  # such as a text that is no Unicode; one odd fact must not end the writer
            if len(facts) > 1:
                return b"".join([self._lines([fact]) for fact in facts])
            self._dropped += 1
            return b""

    def _in_trouble(self, words: str) -> None:
        over = self._waiting.count(b"\n") - self._lines_held
        if over > 0:
            self._waiting = self._waiting.split(b"\n", over)[over]
            self._dropped += over
        told = f"{self._path.name} cannot be written ({words})"
        self.trouble = f"{told}; {self._dropped} lines were dropped" if self._dropped else told

    def _append(self) -> None:
        while self._waiting:
            self._opened()
            end = self._fitting(min(self._file_bytes - self._size, _WRITE_BYTES))
            if self._size and self._size + end > self._file_bytes:
                self._rotate()
                end = self._fitting(min(self._file_bytes, _WRITE_BYTES))
            self._write_some(end)

    def _fitting(self, room: int) -> int:
        """Where the last line ends that has room; at least one line."""
        waiting = self._waiting
        if len(waiting) <= room:
            return len(waiting)
        return waiting.rfind(b"\n", 0, max(room, 0)) + 1 or waiting.find(b"\n") + 1

    def _write_some(self, end: int) -> None:
        assert self._fd is not None  # noqa: S101 - opened by the caller
        data = self._waiting[:end]
        written = os.write(self._fd, data)
        whole = data.rfind(b"\n", 0, written) + 1
        if whole < written:  # the disk became full within a line
            os.ftruncate(self._fd, self._size + whole)
        self._size += whole
        self._waiting = self._waiting[whole:]
        if whole < end:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _opened(self) -> None:
        if self._fd is not None and not self._moved(self._fd):
            return
        self._release()
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY, 0o600)
        self._size = _whole_lines(self._fd)

    def _moved(self, fd: int) -> bool:
        """Whether somebody has taken the file away, as a person or logrotate does."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - for every batch, and four times as quick as Path.stat
        except FileNotFoundError:
            return True
        return not os.path.samestat(found, os.fstat(fd))

    def _rotate(self) -> None:
        self._release()
        for number in range(FILES_KEPT - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._opened()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def close(self) -> None:
        """Write what waits, if that is possible now, and close the file. The next write opens it again."""
        self.write()
        self._release()


def _whole_lines(fd: int) -> int:
    """The size of an open file, once half a line at its end, left by a killed process, is cut off."""
    size = os.fstat(fd).st_size
    start = os.lseek(fd, max(0, size - 65_536), os.SEEK_SET)
    tail = os.read(fd, 65_536)
    if not tail or tail.endswith(b"\n"):
        return size
    whole = start + tail.rfind(b"\n") + 1
    os.ftruncate(fd, whole)
    return whole


class Line(msgspec.Struct, omit_defaults=True, rename={"from_": "from"}):
    """One line: what it does not need is left out. `time` is ISO 8601 in UTC, with milliseconds."""

    time: str
    event: str
    request_id: str | None = None
    attempt: int | None = None
    client: str | None = None
    profile: str | None = None
    from_: str | None = None
    to: str | None = None
    model: str | None = None
    path: str | None = None
    stream: bool | None = None
    outcome: str | None = None
    status: int | None = None
    error_class: str | None = None
    scope: str | None = None
    delay_ms: int | None = None
    until: str | None = None
    attempts: int | None = None
    failovers: int | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    manual: bool | None = None
    needed: bool | None = None
    actor: str | None = None
    verb: str | None = None
    version: str | None = None
    waiting: int | None = None
    circuit: str | None = None
    kind: str | None = None
    limit: float | None = None
    remaining: float | None = None
    unit: str | None = None
    chars: int | None = None
    overlap_dropped: int | None = None
    reason: str | None = None


def lines_of(facts: Iterable[Fact]) -> bytes:
    """A line for each of the facts that is a decision."""
    made = [_MAKERS.get(type(fact), _pool)(fact) for fact in facts]
    return _encoder.encode_lines([line for line in made if line is not None])


def event_of(fact: Fact) -> tuple[str, bytes] | None:
    """The same as an event: its name and its JSON object, or None where it is no decision."""
    made = _MAKERS.get(type(fact), _pool)(fact)
    return None if made is None else (made.event, _encoder.encode(made))


@lru_cache(maxsize=4)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


@lru_cache(maxsize=16)  # the steps of a request share their times
def _iso(at: int) -> str:
    return f"{_second(at // 1000)}{str(1000 + at % 1000)[1:]}Z"  # a format with a width costs three times that


# The steps that every request takes, each with the fields of a `Line` that it has: fewer are quicker to write.


class _RequestStart(msgspec.Struct, omit_defaults=True, gc=False):
    time: str
    event: str
    request_id: str
    client: str
    model: str | None = None
    path: str | None = None
    stream: bool | None = None


class _RouteSelected(msgspec.Struct, omit_defaults=True, gc=False):
    time: str
    event: str
    request_id: str
    profile: str
    score: msgspec.Raw | None = None
    reason: str | None = None


class _AttemptStart(msgspec.Struct, omit_defaults=True, gc=False):
    time: str
    event: str
    request_id: str
    attempt: int
    profile: str


class _AttemptEnd(msgspec.Struct, omit_defaults=True, gc=False):
    time: str
    event: str
    request_id: str
    attempt: int
    profile: str
    outcome: str
    status: int | None = None
    error_class: str | None = None
    scope: str | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    reason: str | None = None


class _RequestEnd(msgspec.Struct, omit_defaults=True, gc=False):
    time: str
    event: str
    request_id: str
    profile: str | None = None
    outcome: str | None = None
    status: int | None = None
    attempts: int | None = None
    failovers: int | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    reason: str | None = None


_Written = Line | _RequestStart | _RouteSelected | _AttemptStart | _AttemptEnd | _RequestEnd


def _request_start(fact: RequestStarted) -> _RequestStart:
    time = _iso(fact.started_at)
    return _RequestStart(time, "request.start", fact.id, fact.client, fact.model, fact.path, fact.stream)


def _route_selected(fact: RouteSelected) -> _RouteSelected:
    score = None if fact.score is None else _terms(fact.score)
    return _RouteSelected(_iso(fact.at), "route.selected", fact.request_id, fact.profile_id, score, fact.reason)


def _attempt_start(fact: AttemptStarted) -> _AttemptStart:
    return _AttemptStart(_iso(fact.started_at), "attempt.start", fact.request_id, fact.seq, fact.profile_id)


def _attempt_end(fact: AttemptEnded) -> _AttemptEnd:
    return _AttemptEnd(
        _iso(fact.ended_at),
        "attempt.end",
        fact.request_id,
        fact.seq,
        fact.profile_id,
        fact.outcome,
        fact.status_code,
        fact.error_class,
        fact.error_scope,
        fact.ttft_ms,
        fact.duration_ms,
        fact.reason,
    )


def _request_end(fact: RequestEnded) -> _RequestEnd:
    return _RequestEnd(
        _iso(fact.ended_at),
        "request.end",
        fact.id,
        fact.profile_id,
        fact.outcome,
        fact.status_code,
        fact.attempts,
        fact.failovers,
        fact.ttft_ms,
        fact.duration_ms,
        fact.reason,
    )


def _queued(fact: Queued) -> Line:
    event = "admission.rejected" if fact.rejected else "admission.queued"
    return Line(_iso(fact.at), event, fact.request_id, waiting=fact.waiting, reason=fact.reason)


def _segment(fact: Segment) -> Line:
    line = Line(_iso(fact.ended_at), "stream.segment", fact.request_id, fact.attempt, profile=fact.profile_id)
    line.outcome, line.chars, line.overlap_dropped = fact.end.value, fact.chars, fact.overlap_dropped
    line.duration_ms = fact.ended_at - fact.started_at
    return line


def _retry(fact: RetryScheduled) -> Line:
    line = Line(_iso(fact.at), "retry.scheduled", fact.request_id, profile=fact.profile_id, reason=fact.reason)
    line.error_class, line.delay_ms = fact.error_class, fact.delay_ms
    return line


def _pool(fact: Fact) -> Line | None:
    """The line for a change of the pool or of the app."""
    match fact:
        case FailedOver(request_id, at, from_profile, to_profile, reason, manual):
            line = Line(_iso(at), "failover", request_id, from_=from_profile, to=to_profile, reason=reason)
            line.manual = manual
            return line
        case CooldownSet(rest, _, request_id, at):
            return _cooldown_set(rest, request_id, at)
        case CooldownCleared(rest, _, at, reason):
            line = Line(_iso(at), "cooldown.cleared", profile=rest.profile_id, reason=reason)
            line.scope = rest.scope.value
            return line
        case CircuitChanged(profile_id, at, circuit, reason):
            return Line(_iso(at), "circuit.change", profile=profile_id, circuit=circuit, reason=reason)
        case QuotaSeen():
            return _quota_update(fact)
        case ReauthChanged(profile_id, _, at, needed, reason):
            return Line(_iso(at), "profile.reauth", profile=profile_id, needed=needed, reason=reason)
        case OperatorActed(at, actor, verb, profile_id, detail):
            words = detail and redact(detail)
            return Line(_iso(at), "operator.action", actor=actor, verb=verb, profile=profile_id, reason=words)
        case ProfileSeen(profile, _, _, at, True):
            return Line(_iso(at), "profile.added", profile=profile.id, reason=f"found in {profile.source}")
        case ProfileRemoved(profile_id, at):
            return Line(_iso(at), "profile.removed", profile=profile_id)
        case Lifecycle(event, at, reason, version):
            return Line(_iso(at), event, version=version, reason=redact(reason))
        case _:
            return None


def _quota_update(fact: QuotaSeen) -> Line:
    return Line(
        _iso(fact.at),
        "quota.update",
        profile=fact.profile_id,
        scope=fact.scope,
        kind=fact.kind,
        limit=fact.limit_value,
        remaining=fact.remaining,
        unit=fact.unit,
        until=None if fact.resets_at is None else _iso(fact.resets_at),
        reason=fact.reason,
    )


@lru_cache(maxsize=64)
def _terms(score: Score) -> msgspec.Raw:
    """The score, rounded for reading, as JSON. Most of the time it is the same as before."""
    rounded = Score(*[round(term, 4) + 0.0 for term in structs.astuple(score)])  # never "-0.0"
    return msgspec.Raw(_encoder.encode(rounded))


def _cooldown_set(rest: Cooldown, request_id: str | None, at: int) -> Line:
    return Line(
        _iso(at),
        "cooldown.set",
        request_id,
        profile=rest.profile_id,
        model=rest.model,
        error_class=rest.error_class.value,
        scope=rest.scope.value,
        delay_ms=rest.until_at - at,
        until=_iso(rest.until_at),
        reason=rest.reason,
    )


_MAKERS: Mapping[type, Callable[[Any], _Written | None]] = {
    RequestStarted: _request_start,
    RouteSelected: _route_selected,
    AttemptStarted: _attempt_start,
    AttemptEnded: _attempt_end,
    RequestEnded: _request_end,
    Queued: _queued,
    RetryScheduled: _retry,
    Segment: _segment,
}
