"""What the pool learns from each call: rests, marks, ceilings, health, circuits. Decided in `core`, kept here."""

from __future__ import annotations

from msgspec.structs import replace

from tray_app.core import breaker, quota, widening
from tray_app.core.policy import Lane
from tray_app.core.pool import Member
from tray_app.core.values import (
    Action,
    CircuitChanged,
    CooldownSet,
    ErrorClass,
    Outcome,
    Profile,
    ReauthChanged,
    Verdict,
)
from tray_app.core.vitals import Vitals
from tray_app.proxy.means import Means

_SERVED = Outcome.SERVED
SAME_MS = 1_000  # a rest that grows by less is no news


def learn(means: Means, profile: Profile, lane: Lane, verdict: Verdict, request_id: str) -> None:
    """Let the pool learn from an answer that was no good: a mark, a ceiling, or a rest."""
    now = means.clock()
    member = means.cell.pool.members.get(profile.id)
    if member is None or member.profile.fingerprint != profile.fingerprint:
        return  # the profile has gone, or got another key meanwhile: this says nothing of that one
    if verdict.action is Action.REAUTH:
        if member.reauth is None:
            means.cell.set(means.cell.pool.marked(profile.id, verdict.reason))
            means.record(ReauthChanged(profile.id, profile.account, now, True, verdict.reason))
        return
    if verdict.crowded and member.in_flight > 1:  # others are under way: it takes these, and no more
        vitals = member.vitals.crowded(member.in_flight - 1, now)
        means.cell.set(means.cell.pool.known(profile.id, vitals), visible=False)
        return
    _rest(means, member, lane, verdict, request_id)


def _rest(means: Means, member: Member, lane: Lane, verdict: Verdict, request_id: str) -> None:
    """Rest what the limit concerns, and more where two accounts have met it."""
    now, profile, ladder = means.clock(), member.profile, member.vitals.ladder
    found = quota.cooldown_for(profile.id, lane.model, verdict, now, ladder, means.chance())
    if found is None:
        return
    cooldown, climbed = found
    if climbed is not ladder:
        if any(one.key == cooldown.key and one.until_at > now for one in member.cooldowns):
            return  # it rests already: calls that were under way have met the same limit
        means.cell.set(means.cell.pool.known(profile.id, replace(member.vitals, ladder=climbed)), visible=False)
    rests = [cooldown]
    if widening.is_shared_kind(verdict):
        limit = widening.Limit(profile.provider, profile.account, lane.model, verdict.cls, verdict.code, now)
        limits, scope = widening.seen(means.cell.pool.limits, limit)
        means.cell.set(replace(means.cell.pool, limits=limits), visible=False)
        if scope is not None:
            rests.append(widening.widened(cooldown, scope, lane.model, now))
    for rest in rests:
        members = means.cell.pool.members.values()
        before = {one.key: one.until_at for member in members for one in member.cooldowns if one.until_at > now}
        pool, changed = means.cell.pool.rested(rest)
        if changed:
            means.cell.set(pool)
        for one in changed:
            if one.until_at - before.get(one.key, 0) < SAME_MS:
                continue  # the same words again, to a call that was under way
            means.record(CooldownSet(one, pool.members[one.profile_id].profile.account, request_id, now))


def end(
    means: Means, profile_id: str, outcome: Outcome, verdict: Verdict | None, latency_ms: int | None, now: int
) -> None:
    """Give back the lease of a call that has ended, with what it has shown; its profile may have gone meanwhile."""
    member = means.cell.pool.members.get(profile_id)
    if member is None:
        return
    vitals = _shown(means, member, outcome, verdict, latency_ms, now)
    means.cell.set(means.cell.pool.released(profile_id, vitals), visible=False)
    _tell_circuit(means, member, vitals, verdict)


def _shown(
    means: Means, member: Member, outcome: Outcome, verdict: Verdict | None, latency_ms: int | None, now: int
) -> Vitals:
    """What a call has shown of its profile."""
    vitals, rules = member.vitals, means.rules().breaker_of(member.profile.id)
    if outcome is _SERVED:
        return vitals.succeeded(latency_ms, now, rules)
    if verdict is None or not breaker.counts(verdict.cls):
        return vitals
    if verdict.cls is ErrorClass.NETWORK and not verdict.ambiguous:
        if verdict.status is not None:
            return vitals  # a gateway on the way, or a region: not the profile's
        base, pool = member.profile.base_url, means.cell.pool
        after = pool.unreachable(base, now)
        means.cell.set(after, visible=not pool.offline)
        for name, one in after.members.items():
            if one.vitals.open_until is None and pool.members[name].vitals.open_until is not None:
                reason = "nothing can be reached from this machine: nobody is to blame"
                means.record(CircuitChanged(name, now, "closed", reason))
        if not pool.blames(base, now):
            return vitals  # as far as anyone can tell it is this machine that is cut off: bench nobody
    return vitals.failed(now, rules)


def _tell_circuit(means: Means, member: Member, vitals: Vitals, verdict: Verdict | None) -> None:
    before, after = member.vitals.open_until, vitals.open_until
    if before == after:
        return
    means.cell.set(means.cell.pool)  # a person can see it
    circuit = "closed" if after is None else "open"
    reason = "probes were answered" if after is None else (verdict.reason if verdict else "calls failed")
    means.record(CircuitChanged(member.profile.id, means.clock(), circuit, reason))
