"""`decisions.ndjson`: the same facts as one JSON object a line, for people and for `jq`. Rotated by size."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tray_app.core.redact import redact
from tray_app.core.values import (
    AttemptEnded,
    AttemptStarted,
    CooldownCleared,
    CooldownSet,
    Fact,
    FailedOver,
    Lifecycle,
    OperatorActed,
    ProfileRemoved,
    ProfileSeen,
    ReauthChanged,
    RequestEnded,
    RequestStarted,
    RetryScheduled,
    RouteSelected,
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
        self._lines: deque[bytes] = deque()
        self._lines_held = lines_held
        self._fd: int | None = None
        self._size = 0
        self._dropped = 0
        self.trouble: str | None = None

    def write(self, facts: Iterable[Fact] = ()) -> None:
        """Append a line for each fact that is a decision, and those that waited."""
        for fact in facts:
            self._add(fact)
        try:
            self._append()
            self.trouble = None
        except OSError as error:
            self._release()
            self._in_trouble(error.strerror or str(error))

    def _add(self, fact: Fact) -> None:
        try:
            line = line_of(fact)
        except Exception:  # such as a text that is no Unicode; one odd fact must not end the writer
            self._dropped += 1
        else:
            if line is not None:
                self._lines.append(line)

    def _in_trouble(self, words: str) -> None:
        while len(self._lines) > self._lines_held:
            self._lines.popleft()
            self._dropped += 1
        told = f"{self._path.name} cannot be written ({words})"
        self.trouble = f"{told}; {self._dropped} lines were dropped" if self._dropped else told

    def _append(self) -> None:
        while self._lines:
            self._opened()
            if self._size and self._size + len(self._lines[0]) > self._file_bytes:
                self._rotate()
            self._write_some(self._fitting())

    def _fitting(self) -> list[bytes]:
        """The next lines, as many as this file has room for; at least one."""
        room = min(self._file_bytes - self._size, _WRITE_BYTES)
        some: list[bytes] = []
        for line in self._lines:
            room -= len(line)
            if some and room < 0:
                break
            some.append(line)
        return some

    def _write_some(self, lines: list[bytes]) -> None:
        assert self._fd is not None  # noqa: S101 - opened by the caller
        data = b"".join(lines)
        written = os.write(self._fd, data)
        whole = data.rfind(b"\n", 0, written) + 1
        if whole < written:  # the disk became full within a line
            os.ftruncate(self._fd, self._size + whole)
        self._size += whole
        for _ in range(data.count(b"\n", 0, whole)):
            self._lines.popleft()
        if whole < len(data):
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
            found = self._path.stat()
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


def line_of(fact: Fact) -> bytes | None:
    """The line for `fact`, or None where it is no decision."""
    found = _event(fact)
    if found is None:
        return None
    at, event, fields = found
    document: dict[str, object] = {"time": _iso(at), "event": event}
    document |= {name: value for name, value in fields.items() if value is not None}
    return _encoder.encode(document) + b"\n"


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at % 1000:03d}Z"


_Fields = dict[str, object]


def _event(fact: Fact) -> tuple[int, str, _Fields] | None:
    match fact:
        case RequestStarted() | RequestEnded():
            return _request(fact)
        case AttemptStarted() | AttemptEnded():
            return _attempt(fact)
        case RouteSelected(request_id, at, profile, reason):
            return at, "route.selected", {"request_id": request_id, "profile": profile, "reason": reason}
        case RetryScheduled(request_id, at, profile, error_class, delay_ms, reason):
            told = {"request_id": request_id, "profile": profile, "error_class": error_class, "delay_ms": delay_ms}
            return at, "retry.scheduled", {**told, "reason": reason}
        case FailedOver(request_id, at, from_profile, to_profile, reason, manual):
            told = {"request_id": request_id, "from": from_profile, "to": to_profile, "reason": reason}
            return at, "failover", {**told, "manual": manual}
        case _:
            return _state(fact)


def _request(fact: RequestStarted | RequestEnded) -> tuple[int, str, _Fields]:
    if isinstance(fact, RequestStarted):
        told: _Fields = {"request_id": fact.id, "client": fact.client, "model": fact.model, "path": fact.path}
        return fact.started_at, "request.start", {**told, "stream": fact.stream}
    return (
        fact.ended_at,
        "request.end",
        {
            "request_id": fact.id,
            "profile": fact.profile_id,
            "outcome": fact.outcome.value,
            "status": fact.status_code,
            "attempts": fact.attempts,
            "failovers": fact.failovers,
            "ttft_ms": fact.ttft_ms,
            "duration_ms": fact.duration_ms,
            "reason": fact.reason,
        },
    )


def _attempt(fact: AttemptStarted | AttemptEnded) -> tuple[int, str, _Fields]:
    told: _Fields = {"request_id": fact.request_id, "attempt": fact.seq, "profile": fact.profile_id}
    if isinstance(fact, AttemptStarted):
        return fact.started_at, "attempt.start", told
    return (
        fact.ended_at,
        "attempt.end",
        {
            **told,
            "outcome": fact.outcome.value,
            "status": fact.status_code,
            "error_class": fact.error_class,
            "scope": fact.error_scope,
            "ttft_ms": fact.ttft_ms,
            "duration_ms": fact.duration_ms,
            "reason": fact.reason,
        },
    )


def _state(fact: Fact) -> tuple[int, str, _Fields] | None:
    match fact:
        case CooldownSet(rest, _, request_id, at):
            told: _Fields = {"request_id": request_id, "profile": rest.profile_id, "scope": rest.scope.value}
            told |= {"error_class": rest.error_class.value, "delay_ms": rest.until_at - at, "reason": rest.reason}
            return at, "cooldown.set", {**told, "model": rest.model, "until": _iso(rest.until_at)}
        case CooldownCleared(rest, _, at, reason):
            return at, "cooldown.cleared", {"profile": rest.profile_id, "scope": rest.scope.value, "reason": reason}
        case ReauthChanged(profile_id, _, at, needed, reason):
            return at, "profile.reauth", {"profile": profile_id, "needed": needed, "reason": reason}
        case OperatorActed(at, actor, verb, profile_id, detail):
            told = {"actor": actor, "verb": verb, "profile": profile_id, "reason": detail and redact(detail)}
            return at, "operator.action", told
        case ProfileSeen(profile, _, _, at, True):
            return at, "profile.added", {"profile": profile.id, "reason": f"found in {profile.source}"}
        case ProfileRemoved(profile_id, at):
            return at, "profile.removed", {"profile": profile_id}
        case Lifecycle(event, at, reason, detail):
            return at, event, {"reason": redact(reason), **{name: redact(text) for name, text in detail.items()}}
        case _:
            return None
