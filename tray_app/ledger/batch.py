"""Facts -> rows: what one transaction of the writer holds.

A request that starts and ends within one batch is one insert; only a longer one is written open
first, so that a killed process leaves a trace of what it was doing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from tray_app.core.values import (
    AttemptEnded,
    AttemptStarted,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    FailedOver,
    OperatorActed,
    Outcome,
    ProfileRemoved,
    ProfileSeen,
    ReauthChanged,
    Remember,
    RequestEnded,
    RequestStarted,
)

HOUR_MS = 3_600_000


def _insert(table: str, columns: str, *, replace: bool = False) -> str:
    names = columns.split()
    marks = ", ".join("?" for _ in names)
    return f"INSERT {'OR REPLACE ' if replace else ''}INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608


_REQUEST_START = "id started_at client provider protocol path model stream request_bytes"
_REQUEST_END = "ended_at outcome status_code provider profile_id attempts failovers wait_ms ttft_ms duration_ms"
_REQUEST_END += " response_bytes reason"
_ATTEMPT_START = "request_id seq profile_id model started_at"
_ATTEMPT_END = "ended_at outcome status_code error_class error_scope error_code error_message retry_after_s ttft_ms"
_ATTEMPT_END += " duration_ms upstream_request_id response_bytes reason"
_START_ONLY = _REQUEST_START.replace("provider ", "")

REQUEST_OPEN = _insert("request", _REQUEST_START, replace=True)
REQUEST_WHOLE = _insert("request", f"{_START_ONLY} {_REQUEST_END}", replace=True)
REQUEST_CLOSE = f"UPDATE request SET {' = ?, '.join(_REQUEST_END.split())} = ? WHERE id = ?"  # noqa: S608
ATTEMPT_OPEN = _insert("attempt", _ATTEMPT_START, replace=True)
ATTEMPT_WHOLE = _insert("attempt", f"{_ATTEMPT_START} {_ATTEMPT_END}", replace=True)
ATTEMPT_CLOSE = f"UPDATE attempt SET {' = ?, '.join(_ATTEMPT_END.split())} = ? WHERE request_id = ? AND seq = ?"  # noqa: S608
FAILOVER = _insert("failover", "request_id at from_profile to_profile reason manual")
QUOTA = _insert("quota_event", "at profile_id account scope kind resets_at source reason")
OPERATOR = _insert("operator_event", "at actor verb profile_id detail")
COOLDOWN = _insert("cooldown", "profile_id scope model until_at since_at error_class source reason", replace=True)
COOLDOWN_OFF = "DELETE FROM cooldown WHERE profile_id = ? AND scope = ? AND model = ?"
PROFILE = (
    "INSERT INTO profile (id, provider, label, account, base_url, key_fingerprint, key_tail, source, priority, tags,"
    " admin_state, admin_until_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET provider = excluded.provider, label = excluded.label,"
    " account = excluded.account, base_url = excluded.base_url, key_fingerprint = excluded.key_fingerprint,"
    " key_tail = excluded.key_tail, source = excluded.source, priority = excluded.priority, tags = excluded.tags,"
    " admin_state = excluded.admin_state, admin_until_at = excluded.admin_until_at, removed_at = NULL"
)
PROFILE_GONE = "UPDATE profile SET removed_at = ? WHERE id = ?"
REAUTH = "UPDATE profile SET reauth_reason = ? WHERE id = ?"
STATE = _insert("app_state", "name value", replace=True)
USAGE = (
    "INSERT INTO usage_hour (hour_at, profile_id, model, client, requests, served, attempts, failovers,"
    " request_bytes, response_bytes, duration_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, served = served + excluded.served,"
    " attempts = attempts + excluded.attempts, failovers = failovers + excluded.failovers,"
    " request_bytes = request_bytes + excluded.request_bytes,"
    " response_bytes = response_bytes + excluded.response_bytes, duration_ms = duration_ms + excluded.duration_ms"
)

Row = tuple[object, ...]


def write(connection: sqlite3.Connection, facts: Iterable[Fact], open_requests: dict[str, RequestStarted]) -> None:
    """Write `facts` in one transaction.

    `open_requests` are requests that were written open earlier; it is kept up to date, but only
    once the transaction is safe.

    Raises:
        sqlite3.Error: nothing was written.
    """
    batch = _Batch(open_requests)
    for fact in facts:
        batch.add(fact)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for sql, rows in batch.statements():
            connection.executemany(sql, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    open_requests.update(batch.starts)
    for request_id in batch.closed:
        open_requests.pop(request_id, None)


class _Batch:
    """Sorts facts into rows for each statement, in the order in which they must be written."""

    def __init__(self, known: dict[str, RequestStarted]) -> None:
        self._known = known
        self.starts: dict[str, RequestStarted] = {}
        self.closed: list[str] = []
        self._attempts: dict[tuple[str, int], AttemptStarted] = {}
        self._rows: dict[str, list[Row]] = {}
        self._usage: dict[Row, list[int]] = {}

    def add(self, fact: Fact) -> None:
        match fact:
            case RequestStarted():
                self.starts[fact.id] = fact
            case AttemptStarted():
                self._attempts[fact.request_id, fact.seq] = fact
            case AttemptEnded():
                self._attempt_ended(fact)
            case RequestEnded():
                self._request_ended(fact)
            case _:
                self._other(fact)

    def _put(self, sql: str, *row: object) -> None:
        self._rows.setdefault(sql, []).append(row)

    def _request_ended(self, fact: RequestEnded) -> None:
        end = (
            fact.ended_at,
            fact.outcome.value,
            fact.status_code,
            fact.provider,
            fact.profile_id,
            fact.attempts,
            fact.failovers,
            fact.wait_ms,
            fact.ttft_ms,
            fact.duration_ms,
            fact.response_bytes,
            fact.reason,
        )
        start = self.starts.pop(fact.id, None)
        if start is not None:
            self._put(
                REQUEST_WHOLE,
                start.id,
                start.started_at,
                start.client,
                start.protocol,
                start.path,
                start.model,
                start.stream,
                start.request_bytes,
                *end,
            )
        else:
            start = self._known.get(fact.id)
            self._put(REQUEST_CLOSE, *end, fact.id)
        self.closed.append(fact.id)
        if start is not None:
            self._count(start, fact)

    def _count(self, start: RequestStarted, end: RequestEnded) -> None:
        key = (start.started_at // HOUR_MS * HOUR_MS, end.profile_id or "", start.model or "", start.client)
        sums = self._usage.setdefault(key, [0] * 7)
        served = end.outcome is Outcome.SERVED
        added = (1, served, end.attempts, end.failovers, start.request_bytes, end.response_bytes, end.duration_ms)
        for place, value in enumerate(added):
            sums[place] += value

    def _attempt_ended(self, fact: AttemptEnded) -> None:
        end = (
            fact.ended_at,
            fact.outcome.value,
            fact.status_code,
            fact.error_class,
            fact.error_scope,
            fact.error_code,
            fact.error_message,
            fact.retry_after_s,
            fact.ttft_ms,
            fact.duration_ms,
            fact.upstream_request_id,
            fact.response_bytes,
            fact.reason,
        )
        start = self._attempts.pop((fact.request_id, fact.seq), None)
        if start is None:
            self._put(ATTEMPT_CLOSE, *end, fact.request_id, fact.seq)
        else:
            self._put(ATTEMPT_WHOLE, start.request_id, start.seq, start.profile_id, start.model, start.started_at, *end)

    def _other(self, fact: Fact) -> None:
        match fact:
            case FailedOver():
                self._put(
                    FAILOVER, fact.request_id, fact.at, fact.from_profile, fact.to_profile, fact.reason, fact.manual
                )
            case CooldownSet():
                self._cooldown_set(fact)
            case CooldownCleared():
                rest = fact.cooldown
                self._put(COOLDOWN_OFF, rest.profile_id, rest.scope.value, rest.model or "")
                self._put(
                    QUOTA,
                    fact.at,
                    rest.profile_id,
                    fact.account,
                    rest.scope.value,
                    "reset",
                    None,
                    "inferred",
                    fact.reason,
                )
            case ReauthChanged():
                self._put(REAUTH, fact.reason if fact.needed else None, fact.profile_id)
                kind = "reauth" if fact.needed else "reset"
                self._put(QUOTA, fact.at, fact.profile_id, fact.account, "key", kind, None, "body", fact.reason)
            case OperatorActed():
                self._put(OPERATOR, fact.at, fact.actor, fact.verb, fact.profile_id, fact.detail)
            case ProfileSeen():
                self._profile(fact)
            case ProfileRemoved():
                self._put(PROFILE_GONE, fact.at, fact.profile_id)
            case Remember():
                self._put(STATE, fact.name, fact.value)

    def _cooldown_set(self, fact: CooldownSet) -> None:
        rest = fact.cooldown
        self._put(
            COOLDOWN,
            rest.profile_id,
            rest.scope.value,
            rest.model or "",
            rest.until_at,
            rest.since_at,
            rest.error_class.value,
            rest.source.value,
            rest.reason,
        )
        kind = "exhausted" if rest.error_class is ErrorClass.QUOTA_EXHAUSTED else "cooldown"
        self._put(
            QUOTA,
            fact.at,
            rest.profile_id,
            fact.account,
            rest.scope.value,
            kind,
            rest.until_at,
            rest.source.value,
            rest.reason,
        )

    def _profile(self, fact: ProfileSeen) -> None:
        profile = fact.profile
        self._put(
            PROFILE,
            profile.id,
            profile.provider,
            profile.label,
            profile.account,
            profile.base_url,
            profile.fingerprint,
            profile.key_tail,
            profile.source,
            profile.priority,
            ",".join(profile.tags),
            fact.admin.value,
            fact.admin_until_at,
            profile.created_at or fact.at,
        )

    def statements(self) -> Iterable[tuple[str, list[Row]]]:
        """Each statement with its rows; a row is opened before it could be closed."""
        for start in self.starts.values():
            self._put(
                REQUEST_OPEN,
                start.id,
                start.started_at,
                start.client,
                start.provider,
                start.protocol,
                start.path,
                start.model,
                start.stream,
                start.request_bytes,
            )
        for attempt in self._attempts.values():
            self._put(
                ATTEMPT_OPEN, attempt.request_id, attempt.seq, attempt.profile_id, attempt.model, attempt.started_at
            )
        for key, sums in self._usage.items():
            self._put(USAGE, *key, *sums)
        return self._rows.items()
