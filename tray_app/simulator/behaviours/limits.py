"""Refusals for money and for pace: whose limit it is stands in the message and in `metadata.limit_source`.

Messages and metadata are those of public captures; see also https://openrouter.ai/docs/api_reference/limits
"""

from __future__ import annotations

from typing import ClassVar, Literal

from tray_app.core.values import Headers

from ..values import Ask, Fault, Reply
from .base import Behaviour, refusal
from .hinted import Hinted

DAY_S = 86_400
MINUTE_S = 60


class NoCredit(Behaviour, frozen=True):
    """402: the account has no credit left."""

    do: ClassVar[str] = "no_credit"

    never_bought: bool = False

    def reply(self, ask: Ask) -> Reply:
        why = (
            "This account never purchased credits. Make sure your key is on the correct account or org, "
            "and if so, purchase more at https://openrouter.ai/settings/credits"
            if self.never_bought
            else "Add more using https://openrouter.ai/settings/credits"
        )
        return _refused(ask, 402, f"Insufficient credits. {why}", "openrouter_credits")


class CannotAfford(Behaviour, frozen=True):
    """402: the request may cost more than is left, of the account's credit or of the key's cap."""

    do: ClassVar[str] = "cannot_afford"

    asked: int = 65_536
    afford: int = 10_114
    of: Literal["account", "key"] = "account"

    def reply(self, ask: Ask) -> Reply:
        remedy = {
            "account": "https://openrouter.ai/settings/credits and upgrade to a paid account",
            "key": "https://openrouter.ai/settings/keys and create a key with a higher monthly limit",
        }
        message = (
            "This request requires more credits, or fewer max_tokens. You requested up to "
            f"{self.asked} tokens, but can only afford {self.afford}. To increase, visit {remedy[self.of]}"
        )
        return _refused(ask, 402, message, None, {"provider_name": None})


class InFlight(Hinted, frozen=True):
    """402 that passes: the credit is held by requests in flight."""

    do: ClassVar[str] = "in_flight"

    retry_after: str | int | float | None = 5

    def reply(self, ask: Ask) -> Reply:
        message = (
            "This request would exceed your available credits given your current in-flight requests. "
            "Retry after in-flight requests settle, or add credits."
        )
        more = {"reason": "in_flight_budget_exhausted"} | self.hint_metadata()
        source = "openrouter_in_flight_budget"
        return _refused(ask, 402, self.with_prose(message), source, more, self.hint_headers(ask))


class KeyLimit(Behaviour, frozen=True):
    """403: the key's own spending cap is reached."""

    do: ClassVar[str] = "key_limit"

    window: Literal["total", "daily", "weekly", "monthly"] = "monthly"

    def reply(self, ask: Ask) -> Reply:
        message = f"Key limit exceeded ({self.window} limit). Manage it using https://openrouter.ai/settings/keys"
        return _refused(ask, 403, message, "openrouter_key_limit")

    def about_key(self, facts: dict[str, object]) -> dict[str, object] | Fault:
        limit = facts["limit"] if facts["limit"] is not None else facts["usage"]
        reset = None if self.window == "total" else self.window
        return facts | {"limit": limit, "limit_remaining": 0, "limit_reset": reset}


class FreeDaily(Behaviour, frozen=True):
    """429: the account's day of free models is used up; back at midnight UTC."""

    do: ClassVar[str] = "free_daily"

    high_balance: bool = False  # ten credits bought: 1000 a day instead of 50

    def reply(self, ask: Ask) -> Reply:
        name = "free-models-per-day"
        message = (
            f"Rate limit exceeded: {name}-high-balance. "
            if self.high_balance
            else f"Rate limit exceeded: {name}. Add 10 credits to unlock 1000 free model requests per day"
        )
        limit = 1000 if self.high_balance else 50
        return _free(ask, message, limit, DAY_S, "openrouter_free_tier_daily")

    def about_key(self, facts: dict[str, object]) -> dict[str, object] | Fault:
        return facts | {"is_free_tier": not self.high_balance}


class FreeMinute(Behaviour, frozen=True):
    """429: too many free requests this minute."""

    do: ClassVar[str] = "free_minute"

    def reply(self, ask: Ask) -> Reply:
        return _free(ask, "Rate limit exceeded: free-models-per-min. ", 20, MINUTE_S, None)


class RateLimit(Hinted, frozen=True):
    """429 for the key, for calls at once, or (`of = "model"`) for a model that all share; with any hint, or none."""

    do: ClassVar[str] = "rate_limit"

    of: Literal["key", "model", "concurrency"] = "key"
    message: str | None = None

    def reply(self, ask: Ask) -> Reply:
        source = "openrouter_shared_capacity" if self.of == "model" else None
        message = self.with_prose(self.message or self._message(ask))
        return _refused(ask, 429, message, source, self.hint_metadata(), self.hint_headers(ask))

    def _message(self, ask: Ask) -> str:
        if self.of == "concurrency":
            return "Rate limit exceeded: too many concurrent requests"
        if self.of == "key":
            return "Rate limit exceeded"
        return (
            f"Rate limit exceeded: limit_rpm/{ask.model}/{ask.id[:8]}. High demand for {ask.model} on "
            "OpenRouter - limited to 8 requests per minute. Please retry shortly."
        )


def _free(ask: Ask, message: str, limit: int, window_s: int, source: str | None) -> Reply:
    """The same three headers stand in the answer's head and, once more, in the metadata."""
    reset_ms = int((ask.now // window_s + 1) * window_s * 1000)
    shown = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset_ms),
    }
    headers = tuple((name.encode(), value.encode()) for name, value in shown.items())
    return _refused(ask, 429, message, source, {"headers": shown, "provider_name": None}, headers)


def _refused(
    ask: Ask,
    status: int,
    message: str,
    source: str | None,
    more: dict[str, object] | None = None,
    headers: Headers = (),
) -> Reply:
    types = {402: "payment_required", 403: "permission_denied", 429: "rate_limit_exceeded"}
    metadata = (more or {}) | ({} if source is None else {"limit_source": source})
    fault = Fault(status, message, types[status], metadata, headers, user_id=ask.user_id)
    return refusal(ask.endpoint.skin, fault)
