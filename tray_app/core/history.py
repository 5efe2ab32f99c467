"""What the ledger answers when it is asked: plain values for faces to draw."""

from __future__ import annotations

from dataclasses import dataclass

RUNNING = "running"  # stands for the outcome of a request that goes on


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests. In `profile`, `model` and `client`, a `*` stands for anything.

    `since` is in ms, `before` the id that a page ends before, `prefix` how ids begin.
    """

    profile: str | None = None
    model: str | None = None
    client: str | None = None
    outcome: str | None = None
    prefix: str | None = None
    since: int | None = None
    before: str | None = None


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
class Trace:
    """All that is known of one request."""

    request: PastRequest
    attempts: tuple[PastAttempt, ...]
    failovers: tuple[PastFailover, ...]
    segments: tuple[PastSegment, ...] = ()


@dataclass(frozen=True, slots=True)
class Hour:
    """Sums of one hour, from its beginning `at`."""

    at: int
    requests: int
    served: int
    failovers: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one profile did in a period."""

    profile_id: str
    requests: int
    served: int
    mean_ms: int | None


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
class Numbers:
    """The sums of a period. `saved` are requests served only because another profile stepped in."""

    requests: int
    served: int
    saved: int
    failed: int
    failovers: int
    attempts: int
    median_ttft_ms: int | None


@dataclass(frozen=True, slots=True)
class UnknownKind:
    """Errors of one kind that no rule knew: a JSON line of its shape, and how often and when it was met (ms)."""

    line: str
    count: int
    first_at: int
    last_at: int
