"""The nouns that every room speaks. Frozen values, no behaviour beyond what they say of themselves.

Times are UTC milliseconds since the epoch (`*_at`), durations are milliseconds (`*_ms`) or
seconds (`*_s`). A profile carries an id and the last characters of its key, never the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tray_app.core.score import Score

Headers = tuple[tuple[bytes, bytes], ...]


class Word(StrEnum):
    """One of a few texts. As a key it is as quick as any text: an enum's own hash is a call."""

    __hash__ = str.__hash__


class Protocol(Word):
    """The wire protocol that a client speaks; it decides the shape of errors and stream ends."""

    CHAT = "openai_chat"
    RESPONSES = "openai_responses"
    MESSAGES = "anthropic_messages"
    GEMINI = "gemini"
    OLLAMA = "ollama"
    OTHER = "other"


class ErrorClass(Word):
    """What an upstream answer means for the pool."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTH = "auth"
    MODEL_UNAVAILABLE = "model_unavailable"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    NETWORK = "network"
    BAD_REQUEST = "bad_request"
    CONTENT_FILTER = "content_filter"
    CONTEXT_LENGTH = "context_length"
    MID_STREAM_ERROR = "mid_stream_error"


class Scope(Word):
    """Whose limit or fault an error is."""

    NONE = "none"
    REQUEST = "request"
    KEY = "key"
    KEY_MODEL = "key_model"
    ACCOUNT = "account"
    ACCOUNT_MODEL = "account_model"
    ACCOUNT_FREE_MODELS = "account_free_models"
    MODEL = "model"
    MODEL_PROVIDER = "model_provider"
    PROVIDER = "provider"
    ENVIRONMENT = "environment"


class Source(Word):
    """Where a reset time is known from, strongest first."""

    HEADER = "header"
    BODY = "body"
    PROBE = "probe"
    INFERRED = "inferred"


class Action(Word):
    """What a verdict asks the policy to do."""

    SERVE = "serve"
    RETURN = "return"  # hand the answer to the client as it is
    RETRY = "retry"  # same profile, after a backoff
    COOL = "cool"  # rest the scope for the hint, go on elsewhere
    PARK = "park"  # out of credit or quota: rest until the reset
    REAUTH = "reauth"  # the key is refused: mark it, go on elsewhere
    NEXT = "next"  # nobody's fault here: another profile at once


class Window(Word):
    """A calendar period after which a quota begins anew, in UTC where nothing else is said."""

    DAY = "day"
    WEEK = "week"  # from Monday
    MONTH = "month"
    PACIFIC_DAY = "pacific_day"  # Google's: midnight in California


class Admin(Word):
    """What the operator wants of a profile."""

    ENABLED = "enabled"
    PAUSED = "paused"
    DRAINING = "draining"
    DISABLED = "disabled"


class Phase(Word):
    """The one label shown for a profile, derived from its independent states."""

    READY = "ready"
    COOLING = "cooling"
    PROBING = "probing"  # the circuit is half open: one call at a time finds out
    OPEN = "circuit open"
    REAUTH = "needs re-authentication"
    DRAINING = "draining"
    PAUSED = "paused"
    DISABLED = "disabled"


class Outcome(Word):
    """How a request ended."""

    SERVED = "served"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    REFUSED = "refused"
    CLIENT_CANCELLED = "client_cancelled"
    INTERRUPTED = "interrupted"


class Profile(Struct, frozen=True):
    """One key of one provider. `base_url` carries no trailing slash and binds the key to its origin."""

    id: str
    provider: str
    label: str
    account: str
    base_url: str
    fingerprint: str
    key_tail: str
    source: str
    priority: int = 0
    tags: tuple[str, ...] = ()
    created_at: int = 0
    capabilities: tuple[str, ...] = ()  # empty: whatever is asked
    enabled: bool = True  # settings may switch a target off


class Call(Struct, frozen=True):
    """What a client asks, read once at the door. `path` is what follows `/v1`, with its slash."""

    id: str
    client: str
    provider: str | None  # None: the default pool
    protocol: Protocol
    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes
    model: str | None
    stream: bool
    started_at: int
    tags: frozenset[str] = frozenset()  # only profiles with all of these may serve
    conversation: bytes | None = None  # what the call belongs to, where that can be told
    quick: bool = False  # its client takes what it is sent at once: a stream may come in large pieces


class Head(Struct, frozen=True):
    """An upstream's answer as far as it is needed to judge it."""

    status: int
    headers: Mapping[str, str]  # lower-case names
    body: bytes = b""  # whole for errors and held answers, the offending event for a stream


class Unreachable(Struct, frozen=True):
    """No answer: what went wrong on the way. `kind` is what the transport saw, never its text."""

    kind: ErrorClass  # NETWORK, TIMEOUT, SERVER_ERROR (the provider broke HTTP) or AUTH (no key is stored)
    message: str
    delivered: bool  # whether the whole request may have reached the provider


class Hint(Struct, frozen=True):
    """When to come back, as the answer states it."""

    after_s: float
    source: Source


class Verdict(Struct, frozen=True):
    """What an answer means. `retry_after_s` is None where nothing was stated; `window` is the period that is spent."""

    cls: ErrorClass
    scope: Scope
    action: Action
    reason: str  # one plain sentence
    retry_after_s: float | None = None
    source: Source = Source.INFERRED
    code: str | None = None
    message: str | None = None  # the provider's own words, still to be redacted
    status: int | None = None
    ambiguous: bool = False  # the call broke off: the provider may have done the work, and may ask to be paid
    window: Window | None = None  # where the answer does not name it in its message
    crowded: bool = False  # the provider speaks of too many calls at once
    known: bool = True  # decided by a code or a sentence; else by the status alone


class Cooldown(Struct, frozen=True):
    """A rest for one scope of a profile, until an absolute time that survives restarts."""

    profile_id: str
    scope: Scope
    model: str | None  # only for scopes that name a model
    until_at: int
    since_at: int
    error_class: ErrorClass
    source: Source
    reason: str

    @property
    def key(self) -> tuple[str, Scope, str | None]:
        """What the cooldown rests: there is at most one for each key."""
        return (self.profile_id, self.scope, self.model)


class Said(Struct, frozen=True, gc=False):
    """What an answer may say of its usage: its first bytes and its last, to be read when there is time."""

    provider: str
    protocol: Protocol
    model: str | None
    head: bytes
    tail: bytes
    streamed: bool
    whole: bool  # whether it came to its end
    encoding: bytes = b""  # then `head` is all of it, or there is nothing


class Spent(Struct, frozen=True, gc=False):
    """Tokens and US dollars of a call; None: not known. Cache and reasoning are parts of input and output.

    `usage` are the provider's own words.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    cost_source: str | None = None
    usage: str | None = None


# Facts: what happened, for whoever keeps a record. Field names are the ledger's column names.


class RequestStarted(Struct, frozen=True, gc=False):
    id: str
    started_at: int
    client: str
    provider: str | None
    protocol: str
    path: str
    model: str | None
    stream: bool
    request_bytes: int


class RequestEnded(Struct, frozen=True, gc=False):
    id: str
    ended_at: int
    outcome: Outcome
    status_code: int | None
    provider: str | None
    profile_id: str | None
    attempts: int
    failovers: int
    wait_ms: int
    ttft_ms: int | None
    duration_ms: int
    response_bytes: int
    reason: str | None = None


class AttemptStarted(Struct, frozen=True, gc=False):
    request_id: str
    seq: int
    profile_id: str
    model: str | None
    started_at: int


class AttemptEnded(Struct, frozen=True, gc=False):
    request_id: str
    seq: int
    profile_id: str
    ended_at: int
    outcome: Outcome
    status_code: int | None
    error_class: str | None
    error_scope: str | None
    error_code: str | None
    error_message: str | None
    retry_after_s: float | None
    ttft_ms: int | None
    duration_ms: int
    upstream_request_id: str | None
    response_bytes: int
    reason: str | None
    chunks: int | None = None
    said: Said | None = None
    spent: Spent | None = None  # what `said` comes to


class Segment(Struct, frozen=True, gc=False):
    """A stretch of a stream that several attempts had a part in. `seq` counts them, `attempt` is the attempt's own."""

    request_id: str
    seq: int
    attempt: int
    profile_id: str
    started_at: int
    ended_at: int
    chars: int  # of the model's text that the client got in it
    overlap_dropped: int  # characters that it repeated
    end: Outcome


class RouteSelected(Struct, frozen=True, gc=False):
    """Which profile an attempt goes to, and why; only in the decisions log."""

    request_id: str
    at: int
    profile_id: str
    reason: str
    score: Score | None = None


class Queued(Struct, frozen=True, gc=False):
    """A request waits for a place (`waiting` counts it), or was turned away since too many wait already."""

    request_id: str
    at: int
    waiting: int
    rejected: bool
    reason: str


class CircuitChanged(Struct, frozen=True, gc=False):
    """A profile's circuit opened, lets a probe through, or closed."""

    profile_id: str
    at: int
    circuit: str
    reason: str


class QuotaSeen(Struct, frozen=True, gc=False):
    """What is known of a quota changed in a way that matters. `kind` is `warned`, `probe` or `reset`."""

    profile_id: str
    account: str
    scope: str
    kind: str
    at: int
    limit_value: float | None
    remaining: float | None
    unit: str | None
    resets_at: int | None
    source: str
    reason: str


class UnknownAnswer(Struct, frozen=True, gc=False):
    """An error that no rule knew. `line` is JSON without anything of the user's; `shape` is equal for equal kinds."""

    shape: str
    provider: str
    status: int
    line: str
    at: int


class RetryScheduled(Struct, frozen=True, gc=False):
    """A wait before the next attempt; only in the decisions log."""

    request_id: str
    at: int
    profile_id: str
    error_class: str
    delay_ms: int
    reason: str


class FailedOver(Struct, frozen=True, gc=False):
    """The pool changed its profile. `request_id` is None when an operator did it."""

    request_id: str | None
    at: int
    from_profile: str | None
    to_profile: str
    reason: str
    manual: bool


class CooldownSet(Struct, frozen=True, gc=False):
    cooldown: Cooldown
    account: str
    request_id: str | None
    at: int


class CooldownCleared(Struct, frozen=True, gc=False):
    cooldown: Cooldown
    account: str
    at: int
    reason: str


class ReauthChanged(Struct, frozen=True, gc=False):
    """The provider refused a key (`needed`), or it works again."""

    profile_id: str
    account: str
    at: int
    needed: bool
    reason: str


class OperatorActed(Struct, frozen=True, gc=False):
    at: int
    actor: str
    verb: str
    profile_id: str | None
    detail: str | None


class ProfileSeen(Struct, frozen=True, gc=False):
    """A profile that joined the pool, or whose settings changed."""

    profile: Profile
    admin: Admin
    admin_until_at: int | None
    at: int
    new: bool


class ProfileRemoved(Struct, frozen=True, gc=False):
    profile_id: str
    at: int


class Remember(Struct, frozen=True, gc=False):
    """A value that must survive a restart, such as the preferred profile."""

    name: str
    value: str


class Lifecycle(Struct, frozen=True, gc=False):
    """`app.start`, `app.stop` or `config.reload`; only in the decisions log."""

    event: str
    at: int
    reason: str
    version: str | None = None


Fact = (
    RequestStarted
    | RequestEnded
    | AttemptStarted
    | AttemptEnded
    | Segment
    | RouteSelected
    | Queued
    | CircuitChanged
    | QuotaSeen
    | UnknownAnswer
    | RetryScheduled
    | FailedOver
    | CooldownSet
    | CooldownCleared
    | ReauthChanged
    | OperatorActed
    | ProfileSeen
    | ProfileRemoved
    | Remember
    | Lifecycle
)
