"""`decisions.ndjson`: the same facts as one JSON object a line, for people and for `jq`. Rotated by size."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

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
_encoder = msgspec.json.Encoder()


class DecisionLog:
    """Appends lines to `path`; older files are `path.1` (the newest) to `path.4`. For one thread only."""

    def __init__(self, path: Path, file_bytes: int = FILE_BYTES) -> None:
        self._path = path
        self._file_bytes = file_bytes
        self._fd: int | None = None
        self._size = 0

    def write(self, facts: Iterable[Fact]) -> None:
        """Append a line for each fact that is a decision.

        Raises:
            OSError: the disk is full or the file cannot be written; whole lines only were lost.
        """
        lines = [line for fact in facts if (line := line_of(fact)) is not None]
        if not lines:
            return
        data = b"".join(lines)
        if self._fd is None:
            self._open()
        if self._size and self._size + len(data) > self._file_bytes:
            self._rotate()
        assert self._fd is not None  # noqa: S101 - opened above
        self._size += os.write(self._fd, data)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(FILES_KEPT - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def close(self) -> None:
        """Close the file. The next write opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


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
            told = {"actor": actor, "verb": verb, "profile": profile_id, "reason": detail}
            return at, "operator.action", told
        case ProfileSeen(profile, _, _, at, True):
            return at, "profile.added", {"profile": profile.id, "reason": f"found in {profile.source}"}
        case ProfileRemoved(profile_id, at):
            return at, "profile.removed", {"profile": profile_id}
        case Lifecycle(event, at, reason, detail):
            return at, event, {"reason": reason, **detail}
        case _:
            return None
