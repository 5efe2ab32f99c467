"""next_step(call, progress, pool, ...) -> Try | Wait | Refuse: the whole of the failover policy.

The budgets are the seed's: retries on one profile, changes of profile, calls in all. A limit moves
on at once when another profile is free and waits only when nothing else is left; a broken answer
is tried again after a backoff; a client's own error never comes here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tray_app.core.pool import Member, Pool
from tray_app.core.values import Action, Cooldown, ErrorClass, Phase, Verdict

MAX_AMBIGUOUS = 1  # calls that broke off after the provider had the request: so many may be followed by another


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff; `jitter` is `full`, `equal` or `none`."""

    base_ms: int = 1000
    multiplier: float = 2.0
    max_ms: int = 30_000
    jitter: str = "full"

    def delay_ms(self, retry: int, chance: float) -> int:
        """The wait before the `retry`-th retry (from 1). `chance` is uniform in [0, 1)."""
        ceiling = float(self.base_ms)
        for _ in range(min(retry - 1, 64)):
            ceiling = min(ceiling * self.multiplier, self.max_ms)  # as a power it would overflow
        ceiling = min(ceiling, self.max_ms)
        if self.jitter == "none":
            return round(ceiling)
        if self.jitter == "equal":
            return round(ceiling / 2 + chance * ceiling / 2)
        return round(chance * ceiling)


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that the policy obeys. `failover_budget` None: every profile once.

    `short_wait_ms` is worth waiting rather than say no, and rather than change the profile where a
    broken answer asks for it; `hold_ms` is worth waiting only where no other profile is left.
    """

    retry_budget: int = 3
    failover_budget: int | None = 2
    max_attempts: int = 12
    backoff: Backoff = Backoff()
    short_wait_ms: int = 5_000
    hold_ms: int = 0
    stop_on_auth_error: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """One upstream call of this request and what came of it."""

    profile_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Progress:
    """What this request has been through. `waiting_for` is the profile that it has just waited for."""

    tried: tuple[Tried, ...] = ()
    failovers: int = 0
    waited_ms: int = 0
    waiting_for: str | None = None

    def calls_on(self, profile_id: str) -> int:
        """Calls made on that profile."""
        return sum(1 for one in self.tried if one.profile_id == profile_id)

    @property
    def last(self) -> Tried | None:
        """The latest call."""
        return self.tried[-1] if self.tried else None


@dataclass(frozen=True, slots=True)
class Try:
    """Call this profile now. `failover` says that it replaces the one tried before."""

    profile_id: str
    reason: str
    failover: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait, then ask again. `profile_id` is the profile that the wait is for."""

    profile_id: str
    delay_ms: int
    reason: str


class Why(StrEnum):
    """Why nothing more is tried; it decides the status that the client gets."""

    NO_PROFILE = "no_profile"
    PAUSED = "paused"
    REAUTH = "reauth"
    LIMITED = "limited"
    BROKEN = "broken"
    OFFLINE = "offline"
    LAST_ANSWER = "last_answer"  # the upstream's own answer says it best


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing more is tried. `resets_at` is the soonest time at which a retry could help, in ms."""

    why: Why
    reason: str
    resets_at: int | None = None


Step = Try | Wait | Refuse


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision looks at. `now` is ms since the epoch, `chance` is uniform in [0, 1)."""

    model: str | None
    provider: str
    progress: Progress
    pool: Pool
    rules: Rules
    now: int
    chance: float

    @property
    def patience_ms(self) -> int:
        """The longest wait that is better than saying no."""
        return max(self.rules.short_wait_ms, self.rules.hold_ms)

    def ready(self) -> list[Member]:
        """Profiles that may take the call now, the wanted one first."""
        return list(self.pool.routable(self.provider, self.model, self.now))

    def fresh(self) -> list[Member]:
        """Those of `ready` that this request has not called yet."""
        used = {one.profile_id for one in self.progress.tried}
        return [member for member in self.ready() if member.profile.id not in used]

    @property
    def may_change(self) -> bool:
        """Whether the budget of profile changes allows another one."""
        budget = self.rules.failover_budget
        return budget is None or self.progress.failovers < budget


def next_step(case: Case) -> Step:
    """What to do next for the call of `case`."""
    last = case.progress.last
    if last is None:
        return _first(case)
    if case.rules.stop_on_auth_error and last.verdict.action is Action.REAUTH:
        why = Why.REAUTH if last.verdict.status is None else Why.LAST_ANSWER
        return Refuse(why, "settings say to stop when a key is refused")
    if len(case.progress.tried) >= case.rules.max_attempts:
        return _give_up(case, "the cap on calls for one request is reached")
    if sum(one.verdict.ambiguous for one in case.progress.tried) > MAX_AMBIGUOUS:
        return _give_up(case, "calls broke off that may have to be paid for; no more are made")
    return _again(case, last) or _elsewhere(case, last)


def _first(case: Case) -> Step:
    if ready := case.ready():
        return Try(ready[0].profile.id, _why_chosen(ready[0], case.pool))
    return _wait_for_any(case) or _give_up(case, "no profile can serve now")


def _why_chosen(member: Member, pool: Pool) -> str:
    profile = member.profile
    if pool.preferred == profile.id:
        return "preferred by the operator"
    if pool.current.get(profile.provider) == profile.id:
        return "the current profile stays in use"
    return "first of the profiles that can serve"


def _again(case: Case, last: Tried) -> Step | None:
    """The same profile once more: after the wait for it, or a backoff if the failure calls for one."""
    member = case.pool.members.get(last.profile_id)
    if member is None or member.phase(case.now, case.model) is not Phase.READY:
        return None
    if case.progress.waiting_for == last.profile_id:
        return Try(last.profile_id, "again, after the wait")
    retries = case.progress.calls_on(last.profile_id)
    stated_ms = round((last.verdict.retry_after_s or 0) * 1000)
    if last.verdict.action is not Action.RETRY or retries > _retry_budget(case.rules, last.verdict):
        return None
    if last.verdict.ambiguous and case.may_change and case.fresh():
        return None  # the one call that is left goes to somebody else
    if stated_ms > case.rules.short_wait_ms and not _may_hold(case, stated_ms):
        return None
    delay = case.rules.backoff.delay_ms(retries, case.chance)
    return Wait(last.profile_id, max(delay, stated_ms), last.verdict.reason)


def _may_hold(case: Case, stated_ms: int) -> bool:
    """Whether settings allow so long a wait, and no other profile makes it needless."""
    elsewhere = case.may_change and case.fresh()
    return not elsewhere and stated_ms + case.progress.waited_ms <= case.rules.hold_ms


def _retry_budget(rules: Rules, verdict: Verdict) -> int:
    """A dead network is tried once more, since several tries only delay the failover."""
    return min(1, rules.retry_budget) if verdict.cls is ErrorClass.NETWORK else rules.retry_budget


def _elsewhere(case: Case, last: Tried) -> Step:
    fresh = case.fresh()
    back = [member for member in case.ready() if member.profile.id == case.progress.waiting_for]
    if case.may_change and (fresh or back):
        reason = last.verdict.reason if fresh else "back after the wait"
        return Try((fresh or back)[0].profile.id, reason, failover=True)
    if waiting := _wait_for_any(case, allowed=None if case.may_change else last.profile_id):
        return waiting
    return _give_up(case, "no other profile is left" if case.may_change else "the budget of profile changes is spent")


def _wait_for_any(case: Case, allowed: str | None = None) -> Wait | None:
    """Wait for the profile that is back soonest, if that is soon enough.

    `allowed` is the only profile to wait for, where the budget forbids to change it once more.
    """
    resting = _soonest(case, allowed)
    if resting is None:
        return None
    delay = max(resting.until_at - case.now, 1)
    if delay + case.progress.waited_ms > case.patience_ms:
        return None
    return Wait(resting.profile_id, delay, f"nothing else can serve: {resting.reason}")


def _soonest(case: Case, allowed: str | None) -> Cooldown | None:
    """The rest that ends first among profiles otherwise well, within their budget of calls and `allowed`."""
    ends = []
    for member in case.pool.ordered(case.provider):
        name = member.profile.id
        resting = member.resting(case.now, case.model)
        spent = case.progress.calls_on(name) > case.rules.retry_budget
        barred = allowed not in (None, name)
        if resting and member.phase(case.now, case.model) is Phase.COOLING and not spent and not barred:
            ends.append(resting)
    return min(ends, key=lambda cooldown: cooldown.until_at, default=None)


def _give_up(case: Case, reason: str) -> Refuse:
    last = case.progress.last
    if last is not None and _says_it_best(last.verdict):
        return Refuse(Why.LAST_ANSWER, last.verdict.reason)
    members = case.pool.ordered(case.provider)
    soonest = _soonest_help(case, members)
    if last is not None and last.verdict.action in (Action.RETRY, Action.NEXT):
        tried = case.progress.tried
        dead_line = all(one.verdict.cls is ErrorClass.NETWORK and not one.verdict.ambiguous for one in tried)
        return Refuse(Why.OFFLINE if dead_line else Why.BROKEN, last.verdict.reason, soonest)
    return Refuse(*_why_none(case, members, reason), soonest)


def _says_it_best(verdict: Verdict) -> bool:
    """Whether the client is served best with the provider's own words: not where those only say that it is slow."""
    return verdict.action is Action.NEXT and verdict.status is not None and verdict.cls is not ErrorClass.TIMEOUT


def _soonest_help(case: Case, members: tuple[Member, ...]) -> int | None:
    """When a retry could help: now if a profile was not asked for want of budget, else when the first rest ends."""
    if case.fresh():
        return case.now
    resting = [m for m in members if m.phase(case.now, case.model) is Phase.COOLING]
    return min((rest.until_at for m in resting if (rest := m.resting(case.now, case.model))), default=None)


def _why_none(case: Case, members: tuple[Member, ...], reason: str) -> tuple[Why, str]:
    phases = {member.phase(case.now, case.model) for member in members}
    if not members:
        return Why.NO_PROFILE, "no profile of this provider is known"
    if phases & {Phase.COOLING, Phase.READY}:
        return Why.LIMITED, reason
    return (Why.REAUTH if Phase.REAUTH in phases else Why.PAUSED), reason
