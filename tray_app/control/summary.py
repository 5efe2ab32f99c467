"""The pool in words: the state of the app, the headline, each profile as a person should see it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tray_app.control.views import AppState, ProfileView
from tray_app.core.pool import Member, Pool
from tray_app.core.providers import Provider
from tray_app.core.values import Phase, Protocol


def active_profile(pool: Pool, providers: Mapping[str, Provider], now: int) -> str | None:
    """The profile that the default pool would use now."""
    provider = pool.default_provider(Protocol.CHAT, providers) or pool.default_provider(Protocol.MESSAGES, providers)
    if provider is None:
        return None
    ready = pool.routable(provider, None, now)
    return ready[0].profile.id if ready else None


def profile_views(pool: Pool, now: int) -> tuple[ProfileView, ...]:
    """Every profile, in the pool's order."""
    providers = {member.profile.provider for member in pool.members.values()}
    first = {name: ready[0].profile.id for name in providers if (ready := pool.routable(name, None, now))}
    active = frozenset(first.values())
    return tuple(_view(member, pool, active, now) for member in pool.members.values())


def _view(member: Member, pool: Pool, active: frozenset[str], now: int) -> ProfileView:
    profile = member.profile
    phase = member.phase(now)
    resting = member.resting(now, None)
    reason, resets_at, source = None, None, None
    if phase is Phase.COOLING and resting is not None:
        reason, resets_at, source = resting.reason, resting.until_at, resting.source.value
    elif phase is Phase.REAUTH:
        reason = member.reauth
    elif phase in (Phase.PAUSED, Phase.DRAINING, Phase.DISABLED):
        reason, resets_at = f"{phase.value} by the operator", member.admin_until_at
    elif partial := _partial_rest(member, now):
        reason = partial
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
    )


def _partial_rest(member: Member, now: int) -> str | None:
    """A ready profile may still rest for one model."""
    resting = [cooldown for cooldown in member.cooldowns if cooldown.until_at > now]
    if not resting:
        return None
    return "; ".join(f"{cooldown.model or cooldown.scope.value}: {cooldown.reason}" for cooldown in resting)


def app_state(pool: Pool, active: str | None, offline: bool, now: int) -> AppState:
    """The app in one word."""
    phases = [member.phase(now) for member in pool.members.values()]
    if offline:
        return AppState.OFFLINE
    if not phases or all(phase is Phase.REAUTH for phase in phases):
        return AppState.NEEDS_YOU
    if active is not None:
        well = all(phase in (Phase.READY, Phase.DISABLED, Phase.PAUSED, Phase.DRAINING) for phase in phases)
        return AppState.READY if well else AppState.DEGRADED
    if Phase.COOLING in phases:
        return AppState.EXHAUSTED
    return AppState.NEEDS_YOU if Phase.REAUTH in phases else AppState.PAUSED


def headline(state: AppState, active: str | None, pool: Pool, now: int) -> str:
    """One line that says how things are."""
    match state:
        case AppState.READY | AppState.DEGRADED:
            return f"{active} is serving"
        case AppState.OFFLINE:
            return "no provider can be reached: this machine seems to be offline"
        case AppState.PAUSED:
            return "every profile is paused, draining or disabled"
        case AppState.EXHAUSTED:
            return _exhausted(pool, now)
        case AppState.NEEDS_YOU:
            if not pool.members:
                return "no keys yet: o-switcher profiles add openrouter --label main"
            return "the provider refuses every key: o-switcher profiles set PROFILE --key"


def _exhausted(pool: Pool, now: int) -> str:
    ends = [c for member in pool.members.values() if (c := member.resting(now, None)) is not None]
    soonest = min(ends, key=lambda cooldown: cooldown.until_at)
    minutes = max(1, -(-(soonest.until_at - now) // 60_000))
    away = f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
    return f"no profile can serve; {soonest.profile_id} is back in {away}"
