"""`/v1/quota-stats`: what is left, in the shape that menu-bar readers of LLM proxies take. Pure.

That shape has no standard: the readers there are look for one of two spellings of each figure, so both are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypedDict

from tray_app.control.views import ProfileView, QuotaView, Status
from tray_app.core.history import UsageTotal
from tray_app.core.values import ErrorClass, Phase


class Tokens(TypedDict):
    """Tokens since the history began."""

    input_cached: int
    input_uncached: int
    output: int


class Group(TypedDict):
    """One allowance of a profile, or of a provider the one that is nearest to its end."""

    name: str
    unit: str
    remaining: float | None
    limit: float | None
    remaining_percent: float | None
    total_requests_remaining: float | None
    total_requests_max: float | None
    total_remaining_pct: float | None
    remaining_pct: float | None
    reset_time: str | None
    reset_time_iso: str | None
    is_exhausted: bool


class Credential(TypedDict):
    """One profile."""

    identifier: str
    status: str  # active, cooldown, exhausted, or disabled
    state: str  # in O-Switcher's own words
    requests: int
    tokens: Tokens
    approx_cost: float | None
    model_groups: dict[str, Group]


class ProviderStats(TypedDict):
    """One provider and its profiles."""

    credential_count: int
    active_count: int
    on_cooldown_count: int
    exhausted_count: int
    total_requests: int
    tokens: Tokens
    approx_cost: float | None
    quota_groups: dict[str, Group]
    credentials: list[Credential]


class Summary(TypedDict):
    """All providers together."""

    total_providers: int
    total_credentials: int
    active_credentials: int
    exhausted_credentials: int
    total_requests: int
    total_tokens: int
    tokens: Tokens
    approx_cost: float | None
    approx_total_cost: float | None


class QuotaStats(TypedDict):
    """Quota and usage by provider and profile; `timestamp` in seconds since the epoch."""

    providers: dict[str, ProviderStats]
    summary: Summary
    data_source: str
    timestamp: float


def quota_stats(
    status: Status, quotas: Sequence[QuotaView], usage: Sequence[UsageTotal], now: int, provider: str | None = None
) -> QuotaStats:
    """The whole document, or that of one provider. `now` in ms."""
    shown = [one for one in status.profiles if provider in (None, one.provider)]
    names = list(dict.fromkeys(one.provider for one in shown))
    providers = {name: _provider([one for one in shown if one.provider == name], quotas, usage) for name in names}
    return QuotaStats(
        providers=providers,
        summary=_summary(providers.values(), shown, usage),
        data_source="live",
        timestamp=now / 1000,
    )


def _summary(providers: Iterable[ProviderStats], shown: Sequence[ProfileView], usage: Sequence[UsageTotal]) -> Summary:
    all_of = list(providers)
    tokens = _tokens(shown, usage)
    cost = _cost(shown, usage)
    return Summary(
        total_providers=len(all_of),
        total_credentials=len(shown),
        active_credentials=sum(one["active_count"] for one in all_of),
        exhausted_credentials=sum(one["exhausted_count"] for one in all_of),
        total_requests=sum(one["total_requests"] for one in all_of),
        total_tokens=sum((tokens["input_cached"], tokens["input_uncached"], tokens["output"])),
        tokens=tokens,
        approx_cost=cost,
        approx_total_cost=cost,
    )


def _provider(
    profiles: Sequence[ProfileView], quotas: Sequence[QuotaView], usage: Sequence[UsageTotal]
) -> ProviderStats:
    credentials = [_credential(one, quotas, usage) for one in profiles]
    groups: dict[str, Group] = {}
    for credential in credentials:
        for name, group in credential["model_groups"].items():
            known = groups.get(name)
            if known is None or _rank(group) < _rank(known):
                groups[name] = group
    states = [one["status"] for one in credentials]
    return ProviderStats(
        credential_count=len(credentials),
        active_count=states.count("active"),
        on_cooldown_count=states.count("cooldown"),
        exhausted_count=states.count("exhausted"),
        total_requests=sum(one["requests"] for one in credentials),
        tokens=_tokens(profiles, usage),
        approx_cost=_cost(profiles, usage),
        quota_groups=groups,
        credentials=credentials,
    )


def _rank(group: Group) -> float:
    percent = group["remaining_percent"]
    return 101.0 if percent is None else percent


def _credential(profile: ProfileView, quotas: Sequence[QuotaView], usage: Sequence[UsageTotal]) -> Credential:
    groups = {one.name: _group(one) for one in quotas if one.profile == profile.id}
    return Credential(
        identifier=profile.id,
        status=_status(profile, groups.values()),
        state=profile.state,
        requests=sum(one.requests for one in _of((profile,), usage)),
        tokens=_tokens((profile,), usage),
        approx_cost=_cost((profile,), usage),
        model_groups=groups,
    )


def _status(profile: ProfileView, groups: Iterable[Group]) -> str:
    if profile.state in (Phase.READY, Phase.PROBING):
        return "active"
    if profile.state in (Phase.COOLING, Phase.OPEN):
        spent = any(rest.error_class == ErrorClass.QUOTA_EXHAUSTED for rest in profile.rests)
        return "exhausted" if spent or any(group["is_exhausted"] for group in groups) else "cooldown"
    return "disabled"


def _group(one: QuotaView) -> Group:
    percent = None if one.used_percent is None else round(100 - one.used_percent, 2)
    reset = None if one.resets_at is None else datetime.fromtimestamp(one.resets_at / 1000, UTC).isoformat()
    return Group(
        name=one.name,
        unit=one.unit,
        remaining=one.remaining,
        limit=one.limit,
        remaining_percent=percent,
        total_requests_remaining=one.remaining,
        total_requests_max=one.limit,
        total_remaining_pct=percent,
        remaining_pct=percent,
        reset_time=reset,
        reset_time_iso=reset,
        is_exhausted=percent == 0,
    )


def _of(profiles: Sequence[ProfileView], usage: Sequence[UsageTotal]) -> list[UsageTotal]:
    names = {one.id for one in profiles}
    return [one for one in usage if one.profile_id in names]


def _tokens(profiles: Sequence[ProfileView], usage: Sequence[UsageTotal]) -> Tokens:
    rows = _of(profiles, usage)
    cached = sum(one.cache_read_tokens for one in rows)
    whole = sum(one.input_tokens for one in rows)
    return Tokens(
        input_cached=cached, input_uncached=max(whole - cached, 0), output=sum(one.output_tokens for one in rows)
    )


def _cost(profiles: Sequence[ProfileView], usage: Sequence[UsageTotal]) -> float | None:
    """None where there is nothing to add up, or where no price at all is known."""
    rows = _of(profiles, usage)
    priced = any(one.cost_usd or one.requests > one.unpriced for one in rows)
    return round(sum(one.cost_usd for one in rows), 6) if priced else None
