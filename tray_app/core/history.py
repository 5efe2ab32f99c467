"""What the ledger answers when it is asked: plain values for faces to draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.core.score import Score

QUOTA_KINDS = ("exhausted", "cooldown", "warned", "reset", "probe", "reauth")  # what happens to a quota
RUNNING = "running"  # stands for the outcome of a request that goes on


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests. In `profile`, `model`, `client` and `provider`, a `*` stands for anything.

    From `since` on and before `until` (ms). `before` is the id that a page ends before, `after` the one that it
    follows, `prefix` how ids begin. `error_class`, and words of `error`, are those of one of the request's calls.
    """

    profile: str | None = None
    model: str | None = None
    client: str | None = None
    outcome: str | None = None
    prefix: str | None = None
    since: int | None = None
    before: str | None = None
    provider: str | None = None
    error_class: str | None = None
    error: str | None = None
    until: int | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class PastRequest:
    """One request as the history holds it. Times in ms since the epoch; None where not known (yet)."""

    id: str
    started_at: int
    ended_at: int | None
    client: str
    provider: str | None
    protocol: str
    path: str
    model: str | None
    stream: bool
    outcome: str | None
    status_code: int | None
    profile_id: str | None
    attempts: int | None
    failovers: int | None
    wait_ms: int | None
    ttft_ms: int | None
    duration_ms: int | None
    request_bytes: int
    response_bytes: int | None
    reason: str | None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    cost_source: str | None = None


@dataclass(frozen=True, slots=True)
class FoundRequests:
    """Requests, the newest first. `reached`: the search went no further than this id; None: it went to its end."""

    requests: list[PastRequest]
    reached: str | None = None


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """One upstream call of a request."""

    seq: int
    profile_id: str
    model: str | None
    started_at: int
    ended_at: int | None
    outcome: str | None
    status_code: int | None
    error_class: str | None
    error_scope: str | None
    error_code: str | None
    error_message: str | None
    retry_after_s: float | None
    ttft_ms: int | None
    duration_ms: int | None
    upstream_request_id: str | None
    response_bytes: int | None
    reason: str | None
    chunks: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    cost_source: str | None = None


@dataclass(frozen=True, slots=True)
class PastFailover:
    """One change of profile."""

    at: int
    request_id: str | None
    from_profile: str | None
    to_profile: str
    reason: str
    manual: bool


@dataclass(frozen=True, slots=True)
class PastSegment:
    """A stretch of a stream that several attempts had a part in. `attempt_id` is the row's, `end` an outcome."""

    seq: int
    attempt_id: str
    profile_id: str
    started_at: int
    ended_at: int | None
    chars: int | None
    overlap_dropped: int | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a request, out of the decisions log. `event` is the log's name for it, times are in ms."""

    at: int
    event: str
    profile: str | None = None
    reason: str | None = None
    model: str | None = None
    error_class: str | None = None
    scope: str | None = None
    delay_ms: int | None = None
    until_at: int | None = None
    waiting: int | None = None
    score: Score | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known of one request. `decisions` are kept less long than the rest."""

    request: PastRequest
    attempts: tuple[PastAttempt, ...]
    failovers: tuple[PastFailover, ...]
    segments: tuple[PastSegment, ...] = ()
    decisions: tuple[Decided, ...] = ()


@dataclass(frozen=True, slots=True)
class EventsWanted:
    """Which events. `kind` is a group or, of quotas, what happened; in `profile` a `*` stands for anything.

    From `since` on and before `until` (ms); `before` and `after` are the ids that a page ends before, or follows.
    """

    kind: str | None = None
    profile: str | None = None
    since: int | None = None
    until: int | None = None
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class PastEvent:
    """Something that happened besides requests. `group` is `failover`, `quota` or `operator`; the rest as it fits."""

    id: str
    at: int
    group: str
    kind: str
    profile: str | None = None
    from_profile: str | None = None
    request_id: str | None = None
    manual: bool | None = None
    reason: str | None = None
    scope: str | None = None
    until_at: int | None = None
    source: str | None = None
    limit_value: float | None = None
    remaining: float | None = None
    unit: str | None = None
    actor: str | None = None
    verb: str | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """Events, the newest first. `reached`: the search went no further, and goes on from there; None: to its end."""

    events: list[PastEvent]
    reached: str | None = None


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What a profile and a model came to since the history began. `unpriced` are attempts of unknown cost."""

    profile_id: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: float
    unpriced: int


@dataclass(frozen=True, slots=True)
class ClientTotal:
    """What a client came to in a period. `unpriced` are attempts of unknown cost; `last_at` is its latest request."""

    client: str
    requests: int
    served: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Period:
    """Which hours, from `since` to before `until` (ms), and of whom; None: of all."""

    since: int
    until: int
    profile: str | None = None
    model: str | None = None
    client: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """What requests that have ended came to. `saved` were served only because another profile stepped in.

    Tokens and `cost_usd` are of calls that told their usage, None where none did; `unpriced` are those of unknown cost.
    """

    requests: int = 0
    served: int = 0
    saved: int = 0
    cancelled: int = 0  # left by their client, which says nothing of the pool
    failovers: int = 0
    attempts: int = 0
    unpriced: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cost_usd: float | None = None

    @property
    def finished(self) -> int:
        """Requests that ended one way or the other."""
        return self.requests - self.cancelled

    @property
    def failed(self) -> int:
        """Requests that nobody served."""
        return self.finished - self.served


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Within how many ms the answers to half, 95 % and 99 % of the served requests began; None of nothing."""

    p50: int | None = None
    p95: int | None = None
    p99: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """An hour or a day of a period, from its beginning `at` (ms)."""

    at: int
    sums: Sums
    costs: Mapping[str, float]  # by profile
    errors: Mapping[str, int]  # calls that failed, by the class of their error
    latency: Quantiles


@dataclass(frozen=True, slots=True)
class Faults:
    """Calls that failed with errors of one class, the failovers that they led to, and what these have spared."""

    error_class: str
    calls: int
    failovers: int
    spared_ms: int
    spared_usd: float | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a period came to: in all, by slot, by profile and by class of error."""

    sums: Sums
    latency: Quantiles
    slots: tuple[Slot, ...]
    profiles: Mapping[str, Sums]
    faults: tuple[Faults, ...]  # the most frequent first


@dataclass(frozen=True, slots=True)
class Choices:
    """Whom there is anything of, in the order of the alphabet."""

    profiles: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownKind:
    """Errors of one kind that no rule knew: a JSON line of its shape, and how often and when it was met (ms)."""

    line: str
    count: int
    first_at: int
    last_at: int
