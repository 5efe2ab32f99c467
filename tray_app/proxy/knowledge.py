"""What providers say of a profile's quota, in answer headers or when they are asked: kept, shown, warned of, obeyed.

A profile is left before it is empty where settings ask for a reserve, rested when it is said to be
empty, and taken back when it is said to have something again. For the event-loop thread only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from tray_app.core import allowance
from tray_app.core.allowance import Allowance, Allowances
from tray_app.core.policy import Rules
from tray_app.core.pool import Cell, Member
from tray_app.core.values import (
    Cooldown,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    Profile,
    QuotaSeen,
    Source,
)

RESERVED = "kept in reserve"  # how the reason of such a rest begins
_WEAK = frozenset({Source.INFERRED, Source.PROBE})  # a time that an answer has stated stands: it may be another limit's
UNKNOWN_MS = 3_600_000  # how long an empty wallet rests: it has no reset, and is asked again meanwhile


class Knowledge:
    """Learns for the pool in `cell`."""

    def __init__(
        self, cell: Cell, record: Callable[[Fact], None], rules: Callable[[], Rules], clock: Callable[[], int]
    ) -> None:
        self._cell = cell
        self._record = record
        self._rules = rules
        self._clock = clock

    def heard(self, profile: Profile, headers: list[tuple[bytes, bytes]], model: str | None) -> None:
        """Take from the headers of an answer what they say. Costs next to nothing where they say nothing."""
        if not allowance.tells(profile.provider):
            return
        fresh = allowance.from_headers(profile.provider, headers, self._clock(), model)
        if fresh:
            self._learn(profile.id, fresh)

    def told(self, profile_id: str, fresh: Allowances, note: str | None) -> None:
        """Take what the provider said when it was asked, and take the profile back if it has something again."""
        known = self._cell.pool.members.get(profile_id)
        before = {one.key: one for one in known.vitals.allowances} if known is not None else {}
        member = self._learn(profile_id, fresh)
        if member is not None:
            news = [one for one in fresh if one.key not in before or not before[one.key].looks_like(one)]
            self._record_probe(member, news, note)
            self._take_back(member)

    def _learn(self, profile_id: str, fresh: Iterable[Allowance]) -> Member | None:
        """The member as it is now; None if it has gone."""
        cell, now = self._cell, self._clock()
        member = cell.pool.members.get(profile_id)
        if member is None:
            return None
        before = member.vitals.allowances
        after = allowance.learn(before, fresh)
        if after is before:
            return member
        member = member.carrying(member.in_flight, replace(member.vitals, allowances=after))
        cell.set(cell.pool.known(profile_id, member.vitals), visible=_looks_other(before, after, now))
        self._warn(member, before, after, now)
        self._obey(member, now)
        return cell.pool.members[profile_id]

    def _warn(self, member: Member, before: Allowances, after: Allowances, now: int) -> None:
        for one, percent in allowance.crossed(before, after, self._rules().warn_at, now):
            self._record(self._fact(member, one, "warned", f"{percent} % of {one.name} are used"))

    def _fact(self, member: Member, one: Allowance, kind: str, reason: str) -> QuotaSeen:
        return QuotaSeen(
            member.profile.id,
            member.profile.account,
            one.scope.value,
            kind,
            self._clock(),
            one.limit,
            one.remaining,
            one.unit,
            one.resets_at,
            one.source.value,
            reason,
        )

    def _record_probe(self, member: Member, news: Iterable[Allowance], note: str | None) -> None:
        for one in news:
            if one.lasting:
                self._record(self._fact(member, one, "probe", note or f"asked for {one.name}"))

    # -- what follows from it

    def _obey(self, member: Member, now: int) -> None:
        """Rest what is empty, or as empty as settings allow it to become."""
        known, percent = member.vitals.allowances, self._rules().reserve_percent
        kept = {allowance.reserved(known, percent, now, model) for model in {one.model for one in known}}
        for one in known:
            if one in kept:
                left = one.left_percent(now) or 0.0
                self._rest(member, one, f"{RESERVED}: {left:.0f} % of {one.name} is left", now)
            elif one.lasting and one.left_percent(now) == 0:
                self._rest(member, one, f"nothing is left of {one.name}", now)

    def _rest(self, member: Member, one: Allowance, reason: str, now: int) -> None:
        until = one.resets_at if one.resets_at is not None and one.resets_at > now else now + UNKNOWN_MS
        if any((rest.scope, rest.model) == (one.scope, one.model) and rest.until_at > now for rest in member.cooldowns):
            return
        cooldown = Cooldown(
            member.profile.id, one.scope, one.model, until, now, ErrorClass.QUOTA_EXHAUSTED, one.source, reason
        )
        pool, changed = self._cell.pool.rested(cooldown)
        self._cell.set(pool)
        for rest in changed:
            self._record(CooldownSet(rest, pool.members[rest.profile_id].profile.account, None, now))

    def _take_back(self, member: Member) -> None:
        """End rests for want of quota that the provider's own words now contradict."""
        now, percent = self._clock(), self._rules().reserve_percent
        allowances = member.vitals.allowances
        full = {one.scope for one in allowances if _has_some(one, percent, now)}
        empty = {one.scope for one in allowances if one.lasting and not _has_some(one, percent, now)}
        over = [
            rest
            for rest in member.cooldowns
            if rest.error_class is ErrorClass.QUOTA_EXHAUSTED and rest.source in _WEAK and rest.scope in full - empty
        ]
        if not over:
            return
        pool = self._cell.pool.lifted(member.profile.id, [rest.key for rest in over])
        self._cell.set(pool)
        for rest in over:
            self._record(
                CooldownCleared(rest, member.profile.account, now, "the provider says that there is some left")
            )


def _has_some(one: Allowance, reserve_percent: float, now: int) -> bool:
    """Whether a lasting allowance has more left than the reserve; one without a limit has."""
    if not one.lasting or one.source is not Source.PROBE:
        return False
    left = one.left_percent(now)
    return left > reserve_percent if left is not None else one.remaining is None or one.remaining > 0


def _looks_other(before: Allowances, after: Allowances, now: int) -> bool:
    """Whether a person sees a difference: in whole per cent of the fullest lasting allowance."""
    shown = []
    for known in (before, after):
        fullest = allowance.fullest(known, now)
        used = fullest.used_percent(now) if fullest else None
        shown.append((fullest.name if fullest else None, None if used is None else round(used)))
    return shown[0] != shown[1]
