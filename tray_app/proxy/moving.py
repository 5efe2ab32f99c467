"""Which profile is the pool's current one: changed once, however many requests find it dead, and recorded."""

from __future__ import annotations

from tray_app.core import quota
from tray_app.core.policy import Lane, Strategy, Tried, Try
from tray_app.core.pool import Pool
from tray_app.core.values import Action, Admin, ErrorClass, FailedOver, Profile, Scope, Verdict
from tray_app.proxy.means import Means


def take_over(means: Means, request_id: str, step: Try, lane: Lane, now: int) -> None:
    """The current profile was out before this request came, or another is due: whoever serves now is current."""
    pool = means.cell.pool
    before = pool.members.get(pool.holder(lane.provider, lane.model) or "")
    if before is not None and before.profile.id == step.profile_id:
        return
    well = before is not None and before.serves(now, lane.model)
    in_turn = well and means.rules().strategy is not Strategy.STICKY  # as the strategy has it: no failover
    fled_at = None if well or before is None else now
    of_a_model = before is not None and (
        pool.current.get(lane.provider) != before.profile.id if well else before.serves(now, None)
    )
    model = lane.model if of_a_model else None
    pool = pool.moved(lane.provider, step.profile_id, fled_at=fled_at, model=model)
    means.cell.set(pool, visible=not in_turn)
    if before is not None and not in_turn:
        reason = step.reason if well else f"{before.profile.id} is {before.phase(now, lane.model).value}"
        manual = before.admin_now(now) is not Admin.ENABLED
        means.record(FailedOver(request_id, now, before.profile.id, step.profile_id, reason, manual))


def switch(means: Means, request_id: str, last: Tried, step: Try, lane: Lane, now: int) -> None:
    """Change the pool's profile once, however many requests find the old one dead; for a model, if it is only that.

    A request too dear for what the profile has left, or a rate limit that is over in a moment, says nothing of
    the profile: only this request goes elsewhere.
    """
    pool, left, reason = means.cell.pool, last.profile_id, step.reason
    if not step.moves:
        reason = f"for this call alone: {reason}"
    elif _is_seen_to(pool, last, lane, now):
        return
    else:
        current, failed = pool.members.get(pool.holder(lane.provider, lane.model) or ""), pool.members.get(left)
        at_home = failed is not None and failed.profile.provider == lane.provider
        if current is not None and at_home and current.profile.id != left and not current.serves(now, lane.model):
            left, reason = current.profile.id, f"{current.profile.id} is {current.phase(now, lane.model).value}"
        model = lane.model if _is_of_a_model(last.verdict) else None
        pool = pool.moved(lane.provider, step.profile_id, fled_at=now, model=model, left=last.profile_id)
        means.cell.set(pool)
    means.record(FailedOver(request_id, now, left, step.profile_id, reason, manual=False))


def _is_seen_to(pool: Pool, last: Tried, lane: Lane, now: int) -> bool:
    """Whether another request has brought those to safety who depended on the profile that failed."""
    failed = pool.members.get(last.profile_id)
    if failed is None:
        return True
    if _is_of_a_model(last.verdict) and failed.profile.provider == lane.provider:
        taken = pool.holder(lane.provider, lane.model)  # with other models it goes on: the mark says nothing
    else:
        taken = failed.vitals.fled_to
    other = pool.members.get(taken or "")
    return other is not None and other is not failed and other.serves(now, lane.model)


def move_on(means: Means, request_id: str, profile: Profile, lane: Lane, why: str) -> None:
    """A stream broke off under the client, which will ask again: then it should meet another profile."""
    pool, now = means.cell.pool, means.clock()
    others = [m for m in pool.routable(lane.provider, lane.model, now) if m.profile.id != profile.id]
    if others and pool.holder(lane.provider, lane.model) == profile.id:
        means.cell.set(pool.moved(lane.provider, others[0].profile.id, fled_at=now))
        reason = f"its stream broke off: {why}"
        means.record(FailedOver(request_id, now, profile.id, others[0].profile.id, reason, manual=False))


def _is_of_a_model(verdict: Verdict) -> bool:
    """Whether a refusal concerns a model alone: the profile goes on with others."""
    if verdict.cls is ErrorClass.MODEL_UNAVAILABLE:
        return True
    of_a_model = verdict.scope in quota.NAMES_A_MODEL or verdict.scope is Scope.ACCOUNT_FREE_MODELS
    return of_a_model and verdict.action in (Action.COOL, Action.PARK)
