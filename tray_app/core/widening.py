"""The same limit on two accounts within seconds is nobody's own: its scope is wider than each answer says.

So the rest of the pool is not walked into the same wall, one profile after the other.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from tray_app.core.values import Cooldown, ErrorClass, Scope, Verdict

WITHIN_MS = 10_000
MOST_MS = 30_000  # it is a guess: after so long somebody finds out
_OWN = frozenset({Scope.KEY, Scope.KEY_MODEL, Scope.ACCOUNT, Scope.ACCOUNT_MODEL, Scope.MODEL_PROVIDER})


class Limit(Struct, frozen=True):
    """One account's limit, as it was met. `at` is ms."""

    provider: str
    account: str
    model: str | None
    cls: ErrorClass
    code: str | None
    at: int


Limits = tuple[Limit, ...]


def is_shared_kind(verdict: Verdict) -> bool:
    """Whether such a limit may be one that several accounts share: a wallet is never shared, a rate may be."""
    if verdict.cls is ErrorClass.QUOTA_EXHAUSTED:
        return verdict.scope is Scope.ACCOUNT_FREE_MODELS  # OpenRouter governs these globally
    return verdict.cls is ErrorClass.RATE_LIMITED and verdict.scope in _OWN and not verdict.crowded


def seen(recent: Limits, limit: Limit) -> tuple[Limits, Scope | None]:
    """`recent` with `limit`, and the wider scope if another account has met the same a moment ago.

    The model's where both met it with one model, else the provider's.
    """
    fresh = tuple(one for one in recent if 0 <= limit.at - one.at <= WITHIN_MS)
    alike = [one for one in fresh if _is_same(one, limit)]
    kept = (*(one for one in fresh if (one.provider, one.account) != (limit.provider, limit.account)), limit)
    if not alike:
        return kept, None
    one_model = limit.model is not None and all(one.model == limit.model for one in alike)
    return kept, Scope.MODEL if one_model else Scope.PROVIDER


def _is_same(one: Limit, other: Limit) -> bool:
    return (one.provider, one.cls, one.code) == (other.provider, other.cls, other.code) and one.account != other.account


def widened(cooldown: Cooldown, scope: Scope, model: str | None, now: int) -> Cooldown:
    """The rest for everybody that follows from `cooldown`, met by the second account."""
    whom = f"{model} rests everywhere" if scope is Scope.MODEL else "the whole provider rests"
    return replace(
        cooldown,
        scope=scope,
        model=model if scope is Scope.MODEL else None,
        until_at=min(cooldown.until_at, now + MOST_MS),
        reason=f"{cooldown.reason}; two accounts met it within {WITHIN_MS // 1000} s, so {whom}",
    )
