"""Facts to write, each with whatever a test does not care about filled in."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tray_app.core.ids import request_id
from tray_app.core.values import (
    Admin,
    AttemptEnded,
    AttemptStarted,
    CircuitChanged,
    Cooldown,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    FailedOver,
    Lifecycle,
    OperatorActed,
    Outcome,
    Profile,
    ProfileRemoved,
    ProfileSeen,
    Queued,
    QuotaSeen,
    ReauthChanged,
    Remember,
    RequestEnded,
    RequestStarted,
    RetryScheduled,
    RouteSelected,
    Scope,
    Source,
    UnknownAnswer,
)

HOUR = 3_600_000
T0 = 1_760_000_400_000  # a quarter past some hour would do as well
MAIN, BACKUP = "openrouter-main", "openrouter-backup"
MODEL = "anthropic/claude-sonnet-4.5"


def id_of(number: int, at: int = T0) -> str:
    """The id of a request of that time."""
    return request_id(at, number)


def started(number: int, **more: Any) -> RequestStarted:
    at = more.get("started_at", T0)
    fact = RequestStarted(
        id_of(number, at), at, "opencode", "openrouter", "openai_chat", "/chat/completions", MODEL, True, 1000
    )
    return replace(fact, **more)


def ended(number: int, **more: Any) -> RequestEnded:
    at = more.pop("started_at", T0)
    fact = RequestEnded(
        id_of(number, at), at + 900, Outcome.SERVED, 200, "openrouter", MAIN, 1, 0, 0, 150, 900, 5000, None
    )
    return replace(fact, **more)


def attempt_started(number: int, seq: int = 1, **more: Any) -> AttemptStarted:
    at = more.pop("at", T0)
    return replace(AttemptStarted(id_of(number, at), seq, MAIN, MODEL, at + 10), **more)


def attempt_ended(number: int, seq: int = 1, **more: Any) -> AttemptEnded:
    at = more.pop("at", T0)
    fact = AttemptEnded(
        id_of(number, at),
        seq,
        MAIN,
        at + 890,
        Outcome.SERVED,
        200,
        None,
        None,
        None,
        None,
        None,
        140,
        880,
        f"gen-{number}",
        5000,
        None,
    )
    return replace(fact, **more)


def failed_attempt(number: int, seq: int = 1, **more: Any) -> AttemptEnded:
    """One that met a rate limit."""
    told: dict[str, Any] = {
        "outcome": Outcome.FAILED,
        "status_code": 429,
        "error_class": "rate_limited",
        "error_scope": "key",
        "error_code": "429",
        "error_message": "Rate limit exceeded",
        "retry_after_s": 12.5,
        "ttft_ms": None,
        "upstream_request_id": None,
        "response_bytes": 80,
        "reason": "the rate limit is reached",
    }
    return attempt_ended(number, seq, **(told | more))


def served(number: int, at: int = T0, **more: Any) -> list[Fact]:
    """A request that one attempt served."""
    return [
        started(number, started_at=at),
        attempt_started(number, at=at),
        attempt_ended(number, at=at),
        ended(number, started_at=at, **more),
    ]


def switched(number: int, at: int = T0) -> list[Fact]:
    """A request that the second profile served, after the first had met its limit."""
    return [
        started(number, started_at=at),
        RouteSelected(id_of(number, at), at, MAIN, "it is the current profile"),
        attempt_started(number, at=at),
        failed_attempt(number, at=at),
        CooldownSet(rest(until_at=at + 12_500, since_at=at), "wallet", id_of(number, at), at + 890),
        FailedOver(id_of(number, at), at + 891, MAIN, BACKUP, "the rate limit is reached", False),
        attempt_started(number, 2, at=at, profile_id=BACKUP),
        attempt_ended(number, 2, at=at, profile_id=BACKUP),
        ended(number, started_at=at, profile_id=BACKUP, attempts=2, failovers=1),
    ]


def rest(**more: Any) -> Cooldown:
    fact = Cooldown(
        MAIN, Scope.KEY, None, T0 + 60_000, T0, ErrorClass.RATE_LIMITED, Source.HEADER, "the rate limit is reached"
    )
    return replace(fact, **more)


def profile(id: str = MAIN, **more: Any) -> Profile:
    label = id.rpartition("-")[2]
    url = "https://openrouter.ai/api/v1"
    made = Profile(id, "openrouter", label, "wallet", url, "0123456789abcdef", "wxyz", "cli", 0, ("work", "fast"), T0)
    return replace(made, **more)


def seen(id: str = MAIN, admin: Admin = Admin.ENABLED, until: int | None = None, *, new: bool = True) -> ProfileSeen:
    return ProfileSeen(profile(id), admin, until, T0, new)


EVERY_KIND: list[Fact] = [
    started(1),
    ended(1),
    attempt_started(1),
    attempt_ended(1),
    RouteSelected(id_of(1), T0, MAIN, "it is the current profile"),
    RetryScheduled(id_of(1), T0, MAIN, "server_error", 1000, "the provider failed"),
    FailedOver(None, T0, MAIN, BACKUP, "chosen by the operator (tray)", True),
    CooldownSet(rest(), "wallet", id_of(1), T0),
    CooldownCleared(rest(), "wallet", T0, "its time is over"),
    ReauthChanged(MAIN, "wallet", T0, True, "the provider refuses the key"),
    OperatorActed(T0, "tray", "pause", MAIN, "for 7200 s"),
    seen(),
    ProfileRemoved(MAIN, T0),
    Remember("preferred", MAIN),
    Queued(id_of(1), T0, 3, False, "the profile is full"),
    CircuitChanged(MAIN, T0, "open", "the provider failed"),
    QuotaSeen(MAIN, "wallet", "key", "warned", T0, 50.0, 2.5, "usd", T0 + HOUR, "probe", "95 % of key limit are used"),
    UnknownAnswer("abc", "openrouter", 418, '{"provider": "openrouter", "status": 418}', T0),
    Lifecycle("app.start", T0, "listening on http://127.0.0.1:4417", "0.1"),
]
