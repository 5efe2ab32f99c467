"""The pool in words: the state of the app, the headline, each profile as a person should see it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tray_app.control import wording
from tray_app.control.views import AppState, AskedView, ChoiceView, ProfileView, QuotaView, RestView, TermsView
from tray_app.control.wording import in_time
from tray_app.core import allowance
from tray_app.core.allowance import Allowance
from tray_app.core.breaker import Circuit
from tray_app.core.history import UnknownKind
from tray_app.core.policy import Rules
from tray_app.core.pool import Member, Pool
from tray_app.core.probes import PROBES
from tray_app.core.providers import Provider
from tray_app.core.score import Score
from tray_app.core.values import Phase, Protocol, Source


def active_profile(pool: Pool, providers: Mapping[str, Provider], now: int) -> str | None:
    """The profile that the default pool would use now."""
    if pool.halted(now):
        return None
    provider = pool.default_provider(Protocol.CHAT, providers) or pool.default_provider(Protocol.MESSAGES, providers)
    if provider is None:
        return None
    ready = pool.routable(provider, None, now)
    return ready[0].profile.id if ready else None


def profile_views(pool: Pool, now: int, rules: Rules, known: Mapping[str, Provider]) -> tuple[ProfileView, ...]:
    """Every profile, in the pool's order."""
    providers = {member.profile.provider for member in pool.members.values()}
    first = {name: ready[0].profile.id for name in providers if (ready := pool.routable(name, None, now))}
    active = frozenset() if pool.halted(now) else frozenset(first.values())
    views = (_view(member, pool, active, now, rules, known) for member in pool.members.values())
    return tuple(replace(view, rest=wording.rest_words(view, now)) for view in views)


def _view(
    member: Member, pool: Pool, active: frozenset[str], now: int, rules: Rules, known: Mapping[str, Provider]
) -> ProfileView:
    profile = member.profile
    phase = member.phase(now)
    resting = member.resting(now, None)
    reason, resets_at, source = None, None, None
    rests = tuple(
        RestView(one.scope.value, one.model, one.reason, one.until_at, one.source.value, one.error_class.value)
        for one in member.cooldowns
        if one.until_at > now
    )
    if phase is Phase.COOLING and resting is not None:
        reason, resets_at, source = resting.reason, resting.until_at, resting.source.value
    elif phase is Phase.REAUTH:
        reason = member.reauth
    elif phase in (Phase.OPEN, Phase.PROBING):
        share = round(member.vitals.breaker.failure_share * 100)
        reason, resets_at = f"{share}% of its latest calls failed", member.vitals.open_until
    elif not profile.enabled:
        reason = "switched off in the settings"
    elif phase in (Phase.PAUSED, Phase.DRAINING, Phase.DISABLED):
        reason, resets_at = f"{phase.value} by the operator", member.admin_until_at
    elif rests:
        reason = "; ".join(f"{one.model or one.scope}: {one.reason}" for one in rests)
    fullest = allowance.fullest(member.vitals.allowances, now)
    left, score = _left(member, fullest, now), rules.score_of(member, now)
    return ProfileView(
        profile.id,
        profile.provider,
        profile.label,
        profile.account,
        phase.value,
        profile.id in active,
        pool.preferred == profile.id,
        member.admin_now(now).value,
        reason,
        resets_at,
        source,
        member.in_flight,
        profile.priority,
        profile.key_tail,
        profile.base_url,
        profile.source,
        profile.tags,
        pool.preferred == profile.id and pool.choice is not None and pool.choice.pinned,
        round(score.total, 4),
        round(member.vitals.health.now(now), 4),
        _circuit(member.vitals.open_until, now),
        wording.quota_words(left, now) if left else None,
        fullest.used_percent(now) if fullest else None,
        _title(member, known),
        None,
        rests,
        left,
        _terms(score, member),
    )


def _terms(score: Score, member: Member) -> TermsView:
    latency = member.vitals.health.latency_ms
    return TermsView(
        round(score.health, 4),
        round(score.latency, 4),
        round(score.failure, 4),
        round(score.priority, 4),
        None if latency is None else round(latency),
        round(member.vitals.breaker.failure_share, 4),
    )


def _circuit(open_until: int | None, now: int) -> str:
    if open_until is None:
        return Circuit.CLOSED.value
    return (Circuit.OPEN if now < open_until else Circuit.HALF_OPEN).value


def _title(member: Member, known: Mapping[str, Provider]) -> str:
    """The provider's name as people write it."""
    provider = known.get(member.profile.provider)
    return provider.title if provider else member.profile.provider


def _left(member: Member, fullest: Allowance | None, now: int) -> QuotaView | None:
    """The allowance to show: the one that is used most, else one without a limit."""
    lasting = (one for one in member.vitals.allowances if one.lasting)
    shown = fullest or next(lasting, None)
    return None if shown is None else _quota_view(member.profile.id, shown, now)


def quota_words(pool: Pool, profile_id: str, now: int) -> str | None:
    """What is known to be left, such as `key limit: 12.40 of 50 USD left, resets in 5 h`; None where nothing is."""
    member = pool.members[profile_id]
    left = _left(member, allowance.fullest(member.vitals.allowances, now), now)
    return wording.quota_words(left, now) if left else None


def _quota_view(profile_id: str, one: Allowance, now: int) -> QuotaView:
    return QuotaView(
        profile_id,
        one.name if one.model is None else f"{one.name} ({one.model})",
        one.remaining,
        one.limit,
        one.unit,
        one.used_percent(now),
        one.resets_at,
        one.source.value,
        one.at,
    )


def quota_views(pool: Pool, profile_id: str, now: int) -> tuple[QuotaView, ...]:
    """Every allowance that is known of a profile."""
    return tuple(_quota_view(profile_id, one, now) for one in pool.members[profile_id].vitals.allowances)


def asked_view(
    pool: Pool, profile_id: str, asked: bool, answered: bool, known: Mapping[str, Provider], now: int
) -> AskedView:
    """What came of asking for that profile."""
    title = _title(pool.members[profile_id], known)
    if answered:
        words = quota_words(pool, profile_id, now) or f"{title} answers, but names no limit"
    elif asked:
        words = f"{title} was asked, but told nothing"
    else:
        words = f"not asked: {_why_not_asked(pool.members[profile_id])}"
    views = quota_views(pool, profile_id, now)
    if answered:  # what is as it was before was said again just now
        views = tuple(replace(one, at=now) if one.source == Source.PROBE else one for one in views)
    return AskedView(profile_id, asked, answered, words, views)


def _why_not_asked(member: Member) -> str:
    if member.profile.provider not in PROBES:
        return "its provider offers no free question"
    return "its key is refused" if member.reauth is not None else "it is switched off in the settings"


def choice_view(pool: Pool, now: int) -> ChoiceView | None:
    """The operator's choice, if there is one."""
    choice = pool.choice
    if choice is None:
        return None
    view = ChoiceView(choice.profile_id, choice.pinned, choice.strict, choice.until_at, "")
    return replace(view, words=wording.choice_words(view, now))


def app_state(pool: Pool, active: str | None, now: int) -> AppState:
    """The app in one word."""
    phases = [member.phase(now) for member in pool.members.values()]
    if pool.halted(now):
        return AppState.PAUSED
    if pool.offline:
        return AppState.OFFLINE
    if not phases or all(phase is Phase.REAUTH for phase in phases):
        return AppState.NEEDS_YOU
    if active is not None:
        well = all(phase in (Phase.READY, Phase.DISABLED, Phase.PAUSED, Phase.DRAINING) for phase in phases)
        return AppState.READY if well else AppState.DEGRADED
    if Phase.COOLING in phases or Phase.OPEN in phases:
        return AppState.EXHAUSTED
    return AppState.NEEDS_YOU if Phase.REAUTH in phases else AppState.PAUSED


def headline(state: AppState, active: str | None, pool: Pool, now: int) -> str:
    """One line that says how things are."""
    match state:
        case AppState.READY | AppState.DEGRADED:
            return f"{active} is serving"
        case AppState.OFFLINE:
            return "no provider can be reached: this machine seems to be offline"
        case AppState.PAUSED if pool.halted(now):
            until = pool.halt.until_at if pool.halt else None
            return "everything is paused" + (f"; it ends {in_time(until, now)}" if until is not None else "")
        case AppState.PAUSED:
            return "every profile is paused, draining or disabled"
        case AppState.EXHAUSTED:
            return _exhausted(pool, now)
        case AppState.NEEDS_YOU:
            if not pool.members:
                return "no keys yet: o-switcher profiles add openrouter --label main"
            return "the provider refuses every key: o-switcher profiles set PROFILE --key"


def _exhausted(pool: Pool, now: int) -> str:
    ends = [(c.until_at, name) for name, member in pool.members.items() if (c := member.resting(now, None))]
    ends += [(until, name) for name, m in pool.members.items() if (until := m.vitals.open_until) and until > now]
    until, name = min(ends)
    return f"no profile can serve; {name} is back {in_time(until, now)}"


def unknown_lines(kinds: Iterable[UnknownKind]) -> list[dict[str, object]]:
    """What is kept of errors that no rule knew, as rows to be shown or attached to a bug report."""
    return [
        {**json.loads(kind.line), "count": kind.count, "first_at": kind.first_at, "last_at": kind.last_at}
        for kind in kinds
    ]
