"""Facts -> rows: what one transaction of the writer holds.

A short request is one insert, when it ends; only a longer one is written open first, so that a
killed process leaves a trace of what it was doing. Facts carry the names of the columns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

from msgspec import structs

from tray_app.core import histogram
from tray_app.core.values import (
    AttemptEnded,
    AttemptStarted,
    CircuitChanged,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    FailedOver,
    OperatorActed,
    Outcome,
    ProfileRemoved,
    ProfileSeen,
    QuotaSeen,
    ReauthChanged,
    Remember,
    RequestEnded,
    RequestStarted,
    Segment,
    Spent,
    UnknownAnswer,
)
from tray_app.ledger import faults, packing

HOUR_MS = 3_600_000
HISTOGRAMS_KEPT = 256

Row = tuple[object, ...]
Key = str | tuple[str, int]  # a request's id, or an attempt's request id and number
Start = RequestStarted | AttemptStarted
Counts = dict[int, int]  # of a histogram


def _insert(table: str, columns: str, *, replace: bool = False) -> str:
    names = columns.split()
    marks = ", ".join("?" for _ in names)
    return f"INSERT {'OR REPLACE ' if replace else ''}INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608


def _row_of(columns: str) -> Callable[[object], tuple[Any, ...]]:
    return attrgetter(*columns.split())


_SPENT = "input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens cost_usd"
_TOKENS = "input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens cost"
_FAILOVER = "request_id at from_profile to_profile reason manual"
_OPERATOR = "at actor verb profile_id detail"

REQUEST_OPEN = _insert("request_data", "id kind request_bytes more") + " ON CONFLICT DO NOTHING"
REQUEST_WHOLE = _insert(
    "request_data",
    f"id kind ending ended wait_ms ttft_ms duration_ms request_bytes response_bytes {_TOKENS} upstream_id chunks more",
    replace=True,
)
ATTEMPT_OPEN = _insert("attempt_data", "request_id seq kind started_at") + " ON CONFLICT DO NOTHING"
ATTEMPT_WHOLE = _insert(
    "attempt_data",
    "request_id seq kind fault started_at clock retry_after_s ttft_ms duration_ms response_bytes"
    f" {_TOKENS} upstream_id chunks",
    replace=True,
)
ATTEMPT_INLINED = "DELETE FROM attempt_data WHERE request_id = ? AND seq = ?"
OWN_WORDS = _insert("attempt_usage", "attempt_id usage", replace=True)
FAILOVER = _insert("failover", _FAILOVER)
SEGMENT = _insert(
    "segment", "request_id seq attempt_id profile_id started_at ended_at chars overlap_dropped end", replace=True
)
QUOTA = _insert("quota_event", "at profile_id account scope kind resets_at source reason")
UNKNOWN = (
    "INSERT INTO unknown_answer VALUES (?, ?, ?, ?, 1, ?, ?)"
    ' ON CONFLICT DO UPDATE SET "count" = "count" + 1, last_at = excluded.last_at'
)
_QUOTA_SEEN = "at profile_id account scope kind resets_at source reason limit_value remaining unit"
QUOTA_SEEN = _insert("quota_event", _QUOTA_SEEN)
OPERATOR = _insert("operator_event", _OPERATOR)
COOLDOWN = _insert("cooldown", "profile_id scope model until_at since_at error_class source reason", replace=True)
COOLDOWN_OFF = "DELETE FROM cooldown WHERE profile_id = ? AND scope = ? AND model = ?"
_PROFILE = "provider label account base_url key_fingerprint key_tail source priority tags admin_state admin_until_at"
PROFILE = (
    _insert("profile", f"id {_PROFILE} created_at")
    + " ON CONFLICT (id) DO UPDATE SET removed_at = NULL, "
    + ", ".join(f"{name} = excluded.{name}" for name in _PROFILE.split())
)
PROFILE_GONE = "UPDATE profile SET removed_at = ? WHERE id = ?"
REAUTH = "UPDATE profile SET reauth_reason = ? WHERE id = ?"
STATE = _insert("app_state", "name value", replace=True)
_SUMS = "requests served attempts failovers request_bytes response_bytes duration_ms saved cancelled"
USAGE = (
    _insert("usage_hour", f"hour_at profile_id model client {_SUMS} unpriced {_SPENT} latency_histogram")
    + " ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in f"{_SUMS} unpriced".split())
    + ", "
    + ", ".join(f"{name} = coalesce({name} + excluded.{name}, {name}, excluded.{name})" for name in _SPENT.split())
    + ", latency_histogram = coalesce(excluded.latency_histogram, latency_histogram)"
)
FAULTS = (
    _insert("fault_hour", "hour_at profile_id model client error_class calls failovers spared_ms spared_usd")
    + " ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, failovers = failovers + excluded.failovers,"
    " spared_ms = spared_ms + excluded.spared_ms,"
    " spared_usd = coalesce(spared_usd + excluded.spared_usd, spared_usd, excluded.spared_usd)"
)
_LATENCIES = "SELECT latency_histogram FROM usage_hour WHERE (hour_at, profile_id, model, client) = (?, ?, ?, ?)"

# Of each None the driver asks whether its class has some other form to be stored in, which is dear for so frequent a
# value, unless it is told what to call: one that gives None for None, and is no call in Python.
_NO_FORM: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NO_FORM.get)

_INSERTS = frozenset({REQUEST_WHOLE, ATTEMPT_WHOLE, OWN_WORDS})
_SERVED, _CANCELLED = Outcome.SERVED, Outcome.CLIENT_CANCELLED
_sums = _row_of(f"{_SUMS} unpriced {_SPENT}")
_NOTHING = packing.NOTHING
_segment = _row_of("profile_id started_at ended_at chars overlap_dropped end")
_failover, _operator = _row_of(_FAILOVER), _row_of(_OPERATOR)
_quota_seen = _row_of(_QUOTA_SEEN)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What has been seen of a request whose calls fail: those that have ended, and the profiles that the pool left."""

    calls: tuple[AttemptEnded, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(slots=True)
class Unfinished:
    """What has begun and not ended: `young` is not in the file yet, `open` has an open row there."""

    young: dict[Key, Start] = field(default_factory=dict)
    open: dict[Key, Start] = field(default_factory=dict)
    spent: dict[str, Spent] = field(default_factory=dict)  # by the request, of its attempts that have ended
    trouble: dict[str, Trouble] = field(default_factory=dict)  # by the request
    words: list[Row] = field(default_factory=list)  # the providers' own, on usage, that are still to be written
    latencies: dict[Row, Counts] = field(default_factory=dict, compare=False)  # as they stand in the file
    combinations: packing.Known = field(default_factory=dict, compare=False)  # with their numbers in the file

    def find(self, key: Key) -> Start | None:
        return self.young.get(key) or self.open.get(key)

    def requests(self) -> set[str]:
        """The ids of the requests."""
        return {key for held in (self.young, self.open) for key in held if isinstance(key, str)}

    def taken(self, *, young_only: bool = False) -> list[Start]:
        """All of it, or what is young, in the order in which it began; nothing of that is left."""
        starts = [*self.young.values()]
        self.young.clear()
        self.latencies.clear()
        self.combinations.clear()
        if not young_only:
            starts[:0] = self.open.values()
            self.open.clear()
            self.words.clear()  # the calls that they belong to are not in the next file
        return starts


def write(
    connection: sqlite3.Connection, facts: Iterable[Fact], unfinished: Unfinished, *, open_too: bool = True
) -> int:
    """Write `facts` in one transaction.

    `unfinished` is kept up to date, but only once the transaction is safe. `open_too` has what is
    young written as well; else it waits, unless a row that is written now belongs to it.

    Returns:
        How many facts had no place: ends of requests whose beginning was never seen.

    Raises:
        sqlite3.Error, ValueError, OverflowError: nothing was written.
    """
    connection.execute("BEGIN IMMEDIATE")  # first, so that a locked file costs no work
    try:
        batch = _Batch(unfinished)
        batch.add(facts)
        batch.load(connection, open_too)
        for sql, rows in batch.statements(open_too):
            _execute(connection, sql, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    batch.remember()
    return batch.lost


def _execute(connection: sqlite3.Connection, sql: str, rows: list[Row]) -> None:
    """Run `sql` for each row; inserts of several rows in one statement.

    The driver gives up the interpreter's lock for each statement, and gets it back only when the loop's thread
    has to wait: the fewer, the less the two are in each other's way.
    """
    if sql not in _INSERTS:
        connection.executemany(sql, rows)
        return
    at, left = 0, len(rows)
    while left:
        many = 8 if left >= 8 else 4 if left >= 4 else 2 if left >= 2 else 1
        values: list[object] = []
        for row in rows[at : at + many]:
            values += row
        connection.execute(_of_many(sql, many), values)
        at, left = at + many, left - many


@lru_cache(maxsize=64)
def _of_many(sql: str, rows: int) -> str:
    head, _, tail = sql.partition(" VALUES ")
    marks, close, rest = tail.partition(")")
    return f"{head} VALUES {', '.join([marks + close] * rows)}{rest}"


class _Batch:
    """Sorts facts into rows for each statement, in the order in which they must be written."""

    def __init__(self, known: Unfinished) -> None:
        self._known = known
        self._begun: dict[Key, Start] = {}
        self._opened: dict[Key, Start] = {}
        self._ended: list[Key] = []
        self._rows: dict[str, list[Row]] = {}  # of tables in which no row depends on another
        self._state: list[tuple[str, list[Row]]] = []  # in the order of the facts: the last word counts
        self._requests: list[tuple[RequestStarted, RequestEnded, Spent]] = []  # that have ended
        self._first: dict[str, packing.Call] = {}  # the first calls that have ended, by the request
        self._later: list[packing.Call] = []  # and the others
        self._combinations: packing.Known = {}
        self._usage: dict[Row, _Sums] = {}
        self._latest: tuple[RequestStarted, str | None, _Sums] | None = None  # that was asked for
        self._spent: dict[str, Spent] = {}  # by the request
        self._trouble: dict[str, Trouble] = {}  # by the request
        self._done: list[str] = []
        self._words: list[Row] = []
        self._wordy = False
        self._took: dict[Row, Counts] = {}  # the histograms as they will stand
        self.lost = 0

    def add(self, facts: Iterable[Fact]) -> None:
        takers = _TAKERS
        for fact in facts:
            take = takers.get(type(fact))
            if take is not None:
                take(self, fact)

    def _request_started(self, fact: RequestStarted) -> None:
        self._begun[fact.id] = fact

    def _attempt_started(self, fact: AttemptStarted) -> None:
        self._begun[fact.request_id, fact.seq] = fact

    def _put(self, sql: str, row: Row) -> None:
        self._rows.setdefault(sql, []).append(row)

    def _then(self, sql: str, *row: object) -> None:
        if not self._state or self._state[-1][0] != sql:
            self._state.append((sql, []))
        self._state[-1][1].append(row)

    def _start_of(self, key: Key) -> Start | None:
        start = self._begun.pop(key, None)
        if start is None:
            self._ended.append(key)
            start = self._known.find(key)
        return start

    def _request_ended(self, fact: RequestEnded) -> None:
        request_id = fact.id
        start = self._start_of(request_id)
        if not isinstance(start, RequestStarted):
            self.lost += 1
            return
        self._done.append(request_id)
        self._requests.append((start, fact, self._spent_of(request_id) or _NOTHING))
        self._count(start, fact)
        if (trouble := self._trouble_of(request_id)) is not None:
            self._count_faults(start, fact, trouble)

    def _count(self, start: RequestStarted, end: RequestEnded) -> None:
        sums, took = self._sums(start, end.profile_id), end.duration_ms
        sums.requests += 1
        sums.attempts += end.attempts
        sums.failovers += end.failovers
        sums.request_bytes += start.request_bytes
        sums.response_bytes += end.response_bytes
        sums.duration_ms += took
        if end.outcome is _SERVED:
            sums.served += 1
            sums.saved += end.failovers > 0
            bucket = histogram.bucket_of(took if end.ttft_ms is None else end.ttft_ms)
            sums.latencies[bucket] = sums.latencies.get(bucket, 0) + 1
        elif end.outcome is _CANCELLED:
            sums.cancelled += 1

    def _count_faults(self, start: RequestStarted, end: RequestEnded, trouble: Trouble) -> None:
        place = usage_key(start.started_at, None, start.model, start.client)
        calls = sorted(trouble.calls, key=attrgetter("seq"))
        for profile_id, error_class, *counts in faults.of_request(start, end, calls, trouble.left):
            self._put(FAULTS, (place[0], profile_id, *place[2:], error_class, 1, *counts))

    def _trouble_of(self, request_id: str) -> Trouble | None:
        return self._trouble.get(request_id) or self._known.trouble.get(request_id)

    def _failed_over(self, fact: FailedOver) -> None:
        self._put(FAILOVER, _failover(fact))
        if fact.request_id is not None and fact.from_profile is not None and not fact.manual:
            seen = self._trouble_of(fact.request_id) or Trouble()
            self._trouble[fact.request_id] = replace(seen, left=(*seen.left, fact.from_profile))

    def _sums(self, start: RequestStarted, profile_id: str | None) -> _Sums:
        latest = self._latest
        if latest is not None and latest[0] is start and latest[1] == profile_id:  # the call and its request, as a rule
            return latest[2]
        key = usage_key(start.started_at, profile_id, start.model, start.client)
        found = self._usage.get(key)
        if found is None:
            found = self._usage[key] = _Sums()
        self._latest = (start, profile_id, found)
        return found

    def _spent_of(self, request_id: str) -> Spent | None:
        return self._spent.get(request_id) or self._known.spent.get(request_id)

    def _add_spent(self, fact: AttemptEnded, spent: Spent) -> None:
        """Money is the profile's that it was spent on, also where another one served in the end."""
        request_id = fact.request_id
        before = self._spent_of(request_id)
        self._spent[request_id] = spent if before is None else together(before, spent)
        if spent.usage is not None:
            self._words.append((packing.attempt_id(request_id, fact.seq), spent.usage))
        start = self._begun.get(request_id) or self._known.find(request_id)
        if isinstance(start, RequestStarted):
            self._sums(start, fact.profile_id).spend(spent)

    def _attempt_ended(self, fact: AttemptEnded) -> None:
        request_id, seq, spent = fact.request_id, fact.seq, fact.spent
        start = self._start_of((request_id, seq))
        if not isinstance(start, AttemptStarted):
            start = AttemptStarted(request_id, seq, fact.profile_id, None, fact.ended_at - fact.duration_ms)
        if seq == 1:
            self._first[request_id] = packing.Call(start, fact)
        else:
            self._later.append(packing.Call(start, fact))
        if fact.error_class is not None or seq > 1:
            seen = self._trouble_of(request_id) or Trouble()
            self._trouble[request_id] = replace(seen, calls=(*seen.calls, fact))
        if spent is not None:
            self._add_spent(fact, spent)

    def _segment_ended(self, fact: Segment) -> None:
        key = (fact.request_id, fact.seq, packing.attempt_id(fact.request_id, fact.attempt))
        self._put(SEGMENT, key + _segment(fact))

    def _operator_acted(self, fact: OperatorActed) -> None:
        self._put(OPERATOR, _operator(fact))

    def _circuit_changed(self, fact: CircuitChanged) -> None:
        verb = f"circuit-{fact.circuit.replace('_', '-')}"
        self._put(OPERATOR, (fact.at, "app", verb, fact.profile_id, fact.reason))

    def _quota_known(self, fact: QuotaSeen) -> None:
        self._put(QUOTA_SEEN, _quota_seen(fact))

    def _unknown_answer(self, fact: UnknownAnswer) -> None:
        self._put(UNKNOWN, (fact.shape, fact.provider, fact.status, fact.line, fact.at, fact.at))

    def _reauth_changed(self, fact: ReauthChanged) -> None:
        self._then(REAUTH, fact.reason if fact.needed else None, fact.profile_id)
        kind = "reauth" if fact.needed else "reset"
        self._put(QUOTA, (fact.at, fact.profile_id, fact.account, "key", kind, None, "body", fact.reason))

    def _profile_removed(self, fact: ProfileRemoved) -> None:
        self._then(PROFILE_GONE, fact.at, fact.profile_id)

    def _remember(self, fact: Remember) -> None:
        self._then(STATE, fact.name, fact.value)

    def _cooldown_cleared(self, fact: CooldownCleared) -> None:
        rest = fact.cooldown
        self._then(COOLDOWN_OFF, rest.profile_id, rest.scope, rest.model or "")
        what = (rest.profile_id, fact.account, rest.scope)
        self._put(QUOTA, (fact.at, *what, "reset", None, "inferred", fact.reason))

    def _cooldown_set(self, fact: CooldownSet) -> None:
        rest = fact.cooldown
        kind = "exhausted" if rest.error_class is ErrorClass.QUOTA_EXHAUSTED else "cooldown"
        what, until = (rest.profile_id, rest.scope), rest.until_at
        self._then(COOLDOWN, *what, rest.model or "", until, rest.since_at, rest.error_class, rest.source, rest.reason)
        self._put(QUOTA, (fact.at, rest.profile_id, fact.account, rest.scope, kind, until, rest.source, rest.reason))

    def _profile(self, fact: ProfileSeen) -> None:
        profile = fact.profile
        self._then(
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
            fact.admin,
            fact.admin_until_at,
            profile.created_at or fact.at,
        )

    def load(self, connection: sqlite3.Connection, open_too: bool) -> None:
        """Learn what stands in the file: the numbers of combinations, and the histograms that this batch adds to.

        `open_too`: also what has begun and goes on is to be written.
        """
        combinations = packing.Combinations(connection, self._known.combinations)
        self._pack(combinations)
        if open_too or self._first or self._later:
            self._opened = self._to_open(open_too)
        for start in self._opened.values():
            if isinstance(start, RequestStarted):
                kind = combinations.number(packing.REQUEST_KIND, packing.asked(start, start.provider), start.started_at)
                self._put(REQUEST_OPEN, packing.opened(start, kind))
            else:
                self._put(ATTEMPT_OPEN, packing.opened_attempt(start, combinations))
        self._combinations = combinations.fresh
        known = self._known.latencies
        for key, sums in self._usage.items():
            if sums.latencies and key not in known:
                row = connection.execute(_LATENCIES, key).fetchone()
                known[key] = histogram.read(row[0] if row else None)

    def _pack(self, combinations: packing.Combinations) -> None:
        """What has ended as rows: a request's only call goes into the request's own row, where it fits."""
        first, rows = self._first, []
        for start, end, spent in self._requests:
            call = first.get(end.id)
            place = None if call is None else packing.place_of(start, end, spent, call)
            if place is None:
                call = None
            else:
                del first[end.id]
                if (key := (end.id, 1)) in self._known.open:
                    self._put(ATTEMPT_INLINED, key)
            rows.append(packing.whole_request(start, end, spent, call, place, combinations))
        if rows:
            self._rows[REQUEST_WHOLE] = rows
        for call in self._calls():
            self._put(ATTEMPT_WHOLE, packing.whole_attempt(call, combinations))

    def _calls(self) -> Iterator[packing.Call]:
        return chain(self._first.values(), self._later)

    def statements(self, open_too: bool) -> Iterator[tuple[str, list[Row]]]:
        """Each statement with its rows. `open_too`: also for what nobody waits for."""
        for key, sums in self._usage.items():
            text = None
            if sums.latencies:
                self._took[key] = took = histogram.added(self._known.latencies[key], sums.latencies)
                text = histogram.text_of(took)
            self._put(USAGE, (*key, *_sums(sums), text))
        yield from self._rows.items()
        self._wordy = open_too
        if open_too and (words := self._known.words + self._words):  # nobody waits for them
            yield OWN_WORDS, words
        yield from self._state

    def _to_open(self, open_too: bool) -> dict[Key, Start]:
        young = {**self._known.young, **self._begun}
        if not open_too:  # an attempt that ended is not shown without its request
            parents = dict.fromkeys(call.end.request_id for call in self._calls())
            young = {key: young[key] for key in parents if key in young}
        ended = set(self._ended)
        return {key: start for key, start in young.items() if key not in ended}

    def remember(self) -> None:
        """Bring what is unfinished up to date, now that this batch is written."""
        known = self._known
        if self._begun or self._opened or self._ended:
            self._go_on(known)
        if self._wordy:
            known.words = []
        else:
            known.words += self._words
        known.spent.update(self._spent)
        known.trouble.update(self._trouble)
        for kept in (known.spent, known.trouble):
            if kept:
                for request_id in self._done:
                    kept.pop(request_id, None)
        if self._combinations:
            if len(known.combinations) > packing.MOST_KNOWN:
                known.combinations.clear()
            known.combinations.update(self._combinations)
        if len(known.latencies) > HISTOGRAMS_KEPT:
            known.latencies.clear()
        known.latencies.update(self._took)

    def _go_on(self, known: Unfinished) -> None:
        """What has begun, is written open, or has ended."""
        known.young.update(self._begun)
        known.open.update(self._opened)
        for key in self._opened:
            known.young.pop(key, None)
        for key in self._ended:
            known.young.pop(key, None)
            known.open.pop(key, None)


# What each kind of fact is for. The others stand in the decisions log alone.
_TAKERS: Mapping[type, Callable[[_Batch, Any], None]] = {
    RequestStarted: _Batch._request_started,
    RequestEnded: _Batch._request_ended,
    AttemptStarted: _Batch._attempt_started,
    AttemptEnded: _Batch._attempt_ended,
    Segment: _Batch._segment_ended,
    FailedOver: _Batch._failed_over,
    CircuitChanged: _Batch._circuit_changed,
    OperatorActed: _Batch._operator_acted,
    CooldownSet: _Batch._cooldown_set,
    CooldownCleared: _Batch._cooldown_cleared,
    QuotaSeen: _Batch._quota_known,
    UnknownAnswer: _Batch._unknown_answer,
    ReauthChanged: _Batch._reauth_changed,
    ProfileSeen: _Batch._profile,
    ProfileRemoved: _Batch._profile_removed,
    Remember: _Batch._remember,
}


@dataclass(slots=True)
class _Sums:
    """What a batch adds to a row of `usage_hour`, by the names of its columns. Each by itself: a loop costs thrice."""

    requests: int = 0
    served: int = 0
    attempts: int = 0
    failovers: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    duration_ms: int = 0
    saved: int = 0
    cancelled: int = 0
    unpriced: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    latencies: Counts = field(default_factory=dict)

    def spend(self, spent: Spent) -> None:
        """Add what a call spent, as far as it is known."""
        if spent.input_tokens is not None:
            self.input_tokens = (self.input_tokens or 0) + spent.input_tokens
        if spent.output_tokens is not None:
            self.output_tokens = (self.output_tokens or 0) + spent.output_tokens
        if spent.cache_read_tokens is not None:
            self.cache_read_tokens = (self.cache_read_tokens or 0) + spent.cache_read_tokens
        if spent.cache_write_tokens is not None:
            self.cache_write_tokens = (self.cache_write_tokens or 0) + spent.cache_write_tokens
        if spent.reasoning_tokens is not None:
            self.reasoning_tokens = (self.reasoning_tokens or 0) + spent.reasoning_tokens
        if spent.cost_usd is None:
            self.unpriced += 1
        else:
            self.cost_usd = (self.cost_usd or 0) + spent.cost_usd


def together(one: Spent | None, other: Spent) -> Spent:
    """The sums of what is known."""
    if one is None or one is _NOTHING:
        return structs.replace(other, usage=None) if other.usage is not None else other
    tokens = [_plus(getattr(one, name), getattr(other, name)) for name in _SPENT.split()[:-1]]
    sources = {*(one.cost_source or "").split("+"), *(other.cost_source or "").split("+")} - {""}
    cost = _plus(one.cost_usd, other.cost_usd)
    return Spent(*tokens, cost, "+".join(sorted(sources)) or None)  # type: ignore[arg-type, call-arg]


def _plus(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other


def usage_key(started_at: int, profile_id: str | None, model: str | None, client: str) -> Row:
    """The row of `usage_hour` in which a request is counted."""
    return started_at // HOUR_MS * HOUR_MS, profile_id or "", model or "", client
