"""Short ways to make the values that core decides on, and the settings that keep Hypothesis unhurried."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import settings

from tray_app.core.evidence import ACTION
from tray_app.core.pool import Member
from tray_app.core.values import Cooldown, ErrorClass, Profile, Scope, Source, Verdict

NOW = 1_790_000_000_000
"""A moment in September 2026, in ms."""

PROVIDER = "openrouter"
MODEL = "openai/gpt-4o-mini"

unhurried = settings(deadline=None)


def at(text: str) -> int:
    """An ISO time, UTC where it names no zone, in ms."""
    when = datetime.fromisoformat(text)
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def profile(name: str, *, provider: str = PROVIDER, account: str = "", priority: int = 0) -> Profile:
    """A profile whose account is its own unless one is named."""
    url = f"https://{provider}.example/v1"
    return Profile(name, provider, name, account or name, url, f"print-{name}", "cdef", "cli", priority)


def member(
    name: str, *cooldowns: Cooldown, provider: str = PROVIDER, account: str = "", priority: int = 0, **states: object
) -> Member:
    """A member of the pool with that name; `states` are its other fields."""
    made = profile(name, provider=provider, account=account, priority=priority)
    return Member(made, cooldowns=cooldowns, **states)  # type: ignore[arg-type]


def rest(
    name: str,
    for_ms: int = 60_000,
    scope: Scope = Scope.KEY,
    model: str | None = None,
    source: Source = Source.HEADER,
    cls: ErrorClass = ErrorClass.RATE_LIMITED,
) -> Cooldown:
    """A rest of that profile that began now."""
    return Cooldown(name, scope, model, NOW + for_ms, NOW, cls, source, "the rate limit is reached")


def judged(
    cls: ErrorClass, scope: Scope = Scope.KEY, *, status: int | None = 500, retry_after_s: float | None = None
) -> Verdict:
    """A verdict of that class with the action it calls for."""
    source = Source.INFERRED if retry_after_s is None else Source.HEADER
    return Verdict(cls, scope, ACTION[cls], f"a case of {cls.value}", retry_after_s, source, status=status)
