"""next_step(case) -> Try | Wait | Queue | Refuse: the whole of the routing and failover policy.

The budgets are the seed's: retries on one profile, changes of profile, calls in all. A limit moves
on at once when another profile is free and waits only when that is better; a broken answer is tried
again after a backoff; a client's own error never comes here.

Who is asked first: the operator's pin, the profile that holds the conversation, then the order of
the strategy. A profile that is full is queued for; one that cannot serve is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct, field

from tray_app.core import allowance
from tray_app.core.breaker import BreakerRules
from tray_app.core.once import once
from tray_app.core.pool import Choice, Member, Pool
from tray_app.core.score import Score, Weights, score, worth
from tray_app.core.values import Action, Cooldown, ErrorClass, Phase, Scope, Source, Verdict

MAX_AMBIGUOUS = 1  # calls that broke off after the provider had the request: so many may be followed by another
SPREAD_MS = 250  # those who wait for one rest do not all come back in the same moment
LARGE_BYTES = 65_536  # a conversation of this size costs more to begin anew elsewhere than a short wait


class Backoff(Struct, frozen=True):
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


class Strategy(StrEnum):
    """Whom a new conversation goes to."""

    STICKY = "sticky"
    PRIORITY = "priority"
    ROUND_ROBIN = "round_robin"
    LEAST_USED = "least_used"
    SOONEST_RESET = "soonest_reset"
    SCORE = "score"


class Target(Struct, frozen=True):
    """What settings say of one profile; None: as for all. `failover_budget` as in `Rules`, in a tuple to tell."""

    retry_budget: int | None = None
    failover_budget: tuple[int | None] | None = None
    backoff: Backoff | None = None
    concurrency_limit: int | None = None
    breaker: BreakerRules | None = None


_NO_TARGET = Target()
_Said = TypeVar("_Said")


def said_of(targets: Mapping[str, _Said], profile_id: str) -> _Said | None:
    """What `targets` says of that profile: under its own name, else under its provider's, such as `openrouter-*`."""
    if profile_id in targets:
        return targets[profile_id]
    alike = [name for name in targets if name.endswith("-*") and profile_id.startswith(name[:-1])]
    return targets[max(alike, key=len)] if alike else None


class Rules(Struct, frozen=True):
    """The settings that the policy obeys. `failover_budget` None: every profile once.

    `short_wait_ms` is worth waiting rather than say no, and rather than change the profile where a
    broken answer asks for it; `hold_ms` is worth waiting only where no other profile is left. A preferred
    profile takes over again once it has been well for `failback_ms`.
    """

    retry_budget: int = 3
    failover_budget: int | None = 2
    max_attempts: int = 12
    backoff: Backoff = Backoff()
    short_wait_ms: int = 5_000
    hold_ms: int = 0
    stop_on_auth_error: bool = False
    strategy: Strategy = Strategy.STICKY
    weights: Weights = field(default_factory=Weights)
    slow_ms: int = 30_000
    breaker: BreakerRules = field(default_factory=BreakerRules)
    concurrency_limit: int = 10
    queue_limit: int = 100
    failback_ms: int = 60_000
    goes_on: bool = True  # with a stream that broke off, on another attempt
    reserve_percent: float = 0.0
    warn_at: tuple[int, ...] = (80, 95)
    targets: Mapping[str, Target] = field(default_factory=dict)  # by profile, see `said_of`

    def target(self, profile_id: str) -> Target:
        """What settings say of that profile."""
        return (said_of(self.targets, profile_id) or _NO_TARGET) if self.targets else _NO_TARGET

    def breaker_of(self, profile_id: str) -> BreakerRules:
        """When that profile's circuit opens."""
        return self.target(profile_id).breaker or self.breaker

    def places(self, member: Member, now: int) -> int:
        """How many calls at once `member` may carry now."""
        limit = self.concurrency_limit
        if self.targets:
            own = self.target(member.profile.id).concurrency_limit
            limit = limit if own is None else own
        vitals = member.vitals
        if vitals.ramp is not None:
            limit = min(limit, vitals.ramp.places(now))
        if vitals.ceiling is not None:
            limit = min(limit, vitals.ceiling.places(now))
        if vitals.open_until is not None:
            # No permits are counted: whoever is in flight holds one. So a probe that is cancelled, or ends in what
            # does not count, cannot leak its permit.
            limit = min(limit, self.breaker_of(member.profile.id).half_open_max_probes)
        return limit

    def score_of(self, member: Member, now: int) -> Score:
        """The routing score of `member`."""
        vitals = member.vitals
        share = vitals.breaker.failure_share
        return score(vitals.health, share, member.profile.priority, self.weights, self.slow_ms, now)

    def worth_of(self, member: Member, now: int) -> float:
        """The total of that score alone."""
        vitals = member.vitals
        share = vitals.breaker.failure_share
        return worth(vitals.health, share, member.profile.priority, self.weights, self.slow_ms, now)


class Lane(Struct, frozen=True):
    """A way that a request may go: a provider, and what it calls the model."""

    provider: str
    model: str | None


class Tried(Struct, frozen=True):
    """One upstream call of this request and what came of it. `told`: it broke off after its client had text of it."""

    profile_id: str
    verdict: Verdict
    model: str | None = None
    told: bool = False


class Progress(Struct, frozen=True):
    """What this request has been through. `waiting_for` is the profile that it has just waited for.

    `queued_ms` is how long it has waited for a place.
    """

    tried: tuple[Tried, ...] = ()
    failovers: int = 0
    waited_ms: int = 0
    waiting_for: str | None = None
    queued_ms: int = 0

    def calls_on(self, profile_id: str) -> int:
        """Calls made on that profile."""
        return sum(1 for one in self.tried if one.profile_id == profile_id)

    @property
    def last(self) -> Tried | None:
        """The latest call."""
        return self.tried[-1] if self.tried else None


FRESH = Progress()  # of a request that has just come


class Try(Struct, frozen=True):
    """Call this profile now. `failover` says that it replaces the one tried before.

    `moves`: the pool goes along, and the conversation; else only this call is served there.
    """

    profile_id: str
    reason: str
    failover: bool = False
    lane: Lane | None = None
    moves: bool = True


class Wait(Struct, frozen=True):
    """Wait, then ask again. `profile_id` is the profile that the wait is for."""

    profile_id: str
    delay_ms: int
    reason: str


class Queue(Struct, frozen=True):
    """Everybody who may serve is full: wait for a place, or until `until_at`, when there may be one by itself."""

    profile_id: str
    reason: str
    until_at: int | None = None


class Why(StrEnum):
    """Why nothing more is tried; it decides the status that the client gets."""

    NO_PROFILE = "no_profile"
    NO_MATCH = "no_match"  # profiles there are, but none that fits the call's tags or kind
    PAUSED = "paused"
    HALTED = "halted"  # the operator has paused everything
    REAUTH = "reauth"
    LIMITED = "limited"
    BROKEN = "broken"
    OFFLINE = "offline"
    BUSY = "busy"  # too many wait already
    LAST_ANSWER = "last_answer"  # the upstream's own answer says it best


class Refuse(Struct, frozen=True):
    """Nothing more is tried. `resets_at` is the soonest time at which a retry could help, in ms."""

    why: Why
    reason: str
    resets_at: int | None = None


Step = Try | Wait | Queue | Refuse


class Candidate(Struct, frozen=True):
    """A profile that may serve the call, and how."""

    member: Member
    lane: Lane


class Standing(Struct, frozen=True):
    """How a candidate stands: its label, and the rest that keeps it away, if one does."""

    one: Candidate
    phase: Phase
    resting: Cooldown | None


@dataclass(eq=False)  # neither slots nor frozen: `standings` is kept, and one is made for every request
class Case:
    """All that a decision looks at. `now` is ms since the epoch, `chance` is uniform in [0, 1).

    `held` is the profile that holds the conversation; None: a new one begins. `size` is the body's, in bytes.
    """

    lanes: tuple[Lane, ...]
    progress: Progress
    pool: Pool
    rules: Rules
    now: int
    chance: float
    held: str | None = None
    size: int = 0
    tags: frozenset[str] = frozenset()
    capability: str | None = None

    @property
    def patience_ms(self) -> int:
        """The longest wait that is better than saying no."""
        return max(self.rules.short_wait_ms, self.rules.hold_ms)

    def everybody(self) -> Iterator[Candidate]:
        """Whoever fits the call, able to serve now or not, the wanted one first."""
        for lane in self.lanes:
            for member in ordered(self.pool, lane, self.rules, self.now):
                if self._fits(member):
                    yield Candidate(member, lane)

    @once
    def first_wanted(self) -> str | None:
        """The pinned profile, else the one that holds the conversation."""
        return self.choice.profile_id if self.choice is not None and self.choice.pinned else self.held

    @property
    def current(self) -> str | None:
        """Who is current where the call wants to go, if it rests and the strategy would stay with it."""
        if self.rules.strategy is not Strategy.STICKY:
            return None
        held = self.pool.members.get(self.pool.holder(self.lanes[0].provider, self.lanes[0].model) or "")
        return held.profile.id if held is not None and held.cooldowns else None

    @once
    def ahead(self) -> Candidate | None:
        """That profile, if it may take the call now."""
        return None if self.first_wanted is None else self._ready_one(self.first_wanted)

    @once
    def choice(self) -> Choice | None:
        """The operator's choice, where it concerns this call."""
        choice = self.pool.choice_at(self.now)
        if choice is None:
            return None
        member = self.pool.members.get(choice.profile_id)
        concerned = member is not None and any(lane.provider == member.profile.provider for lane in self.lanes)
        return choice if concerned else None

    def _fits(self, member: Member) -> bool:
        profile, choice = member.profile, self.choice
        if choice is not None and choice.strict and profile.id != choice.profile_id:
            return False
        if self.tags and not self.tags.issubset(profile.tags):
            return False
        return not (self.capability and profile.capabilities and self.capability not in profile.capabilities)

    def ready(self) -> Iterator[Candidate]:
        """Those who may take the call now."""
        return (one for one in self.everybody() if one.member.serves(self.now, one.lane.model))

    def _ready_one(self, profile_id: str) -> Candidate | None:
        """That profile, if it may take the call now."""
        member = self.pool.members.get(profile_id)
        if member is None or not self._fits(member):
            return None
        for lane in self.lanes:
            if lane.provider == member.profile.provider and member.serves(self.now, lane.model):
                return Candidate(member, lane)
        return None

    def again(self, tried: Tried) -> Candidate | None:
        """The profile of that call, where it still may be asked in the same way."""
        member = self.pool.members.get(tried.profile_id)
        if member is None or not self._fits(member):
            return None
        provider = member.profile.provider
        lanes = (lane for lane in self.lanes if lane.provider == provider and lane.model == tried.model)
        return next((Candidate(member, lane) for lane in lanes), None)

    def fresh(self) -> Iterator[Candidate]:
        """Those of `ready` that this request has not called yet, nor their dead line."""
        return filter(self._is_new(), self.ready())

    def _is_new(self) -> Callable[[Candidate], bool]:
        tried = self.progress.tried
        used = {(one.profile_id, one.model) for one in tried}
        dead = self.dead_lines

        def is_new(one: Candidate) -> bool:
            profile = one.member.profile
            return (profile.id, one.lane.model) not in used and profile.base_url not in dead

        return is_new

    @property
    def dead_lines(self) -> set[str | None]:
        """The addresses to which this call has found no connection."""
        return {self._base(one) for one in self.progress.tried if _is_dead_line(one.verdict)}

    def _base(self, tried: Tried) -> str | None:
        member = self.pool.members.get(tried.profile_id)
        return member.profile.base_url if member else None

    @once
    def standings(self) -> tuple[Standing, ...]:
        """How everybody stands. Looked at where nobody can serve."""
        found = []
        for one in self.everybody():
            phase = one.member.phase(self.now, one.lane.model)
            resting = one.member.resting(self.now, one.lane.model) if phase is Phase.COOLING else None
            found.append(Standing(one, phase, resting))
        return tuple(found)

    def is_odd(self, lane: Lane) -> bool:
        """Whether the current profile does not fit this call: it goes elsewhere by itself, and nobody has failed."""
        current = self.pool.members.get(self.pool.holder(lane.provider, lane.model) or "")
        return current is not None and not self._fits(current)

    def has_place(self, member: Member) -> bool:
        """Whether `member` may carry one more call."""
        return member.in_flight < self.rules.places(member, self.now)

    @property
    def may_change(self) -> bool:
        """Whether the budget of profile changes allows another one. Before the first call nothing is changed."""
        if not self.progress.tried:
            return True
        budget = self.rules.failover_budget
        if self.rules.targets:
            own = self.rules.target(self.progress.tried[0].profile_id).failover_budget
            budget = budget if own is None else own[0]
        return budget is None or self.progress.failovers < budget


# -- the order of choice


def ordered(pool: Pool, lane: Lane, rules: Rules, now: int) -> Iterator[Member]:
    """A provider's profiles in the order in which a new conversation wants them, one by one: most need the first."""
    names: Sequence[str] = pool.roster.get(lane.provider, ())
    members, first = pool.members, None
    if len(names) > 1:
        if rules.strategy is Strategy.STICKY:
            first = _stuck_to(names[0], pool, lane, rules, now)
        else:
            first = _chosen(pool, now)
            names = _in_order(names, pool, lane, rules, now)
    if first is not None and first in names:
        yield members[first]
    for name in names:
        if name != first:
            yield members[name]


def _chosen(pool: Pool, now: int) -> str | None:
    choice = pool.choice_at(now)
    return None if choice is None else choice.profile_id


def _in_order(names: Sequence[str], pool: Pool, lane: Lane, rules: Rules, now: int) -> Sequence[str]:
    """`names`, which come by priority, in the order of a strategy that is not sticky."""
    members = pool.members
    match rules.strategy:
        case Strategy.ROUND_ROBIN:
            current = pool.holder(lane.provider, lane.model) or ""
            place = names.index(current) + 1 if current in names else 0
            return (*names[place:], *names[:place])
        case Strategy.LEAST_USED:
            return sorted(names, key=lambda name: (members[name].in_flight, members[name].vitals.served))
        case Strategy.SOONEST_RESET:
            return sorted(names, key=lambda name: _resets_at(members[name], lane.model, now))
        case Strategy.SCORE:
            return sorted(names, key=lambda name: -rules.worth_of(members[name], now))
        case _:
            return names


def _resets_at(member: Member, model: str | None, now: int) -> float:
    known = member.vitals.allowances
    soonest = allowance.soonest(known, now, model) if known else None
    return float("inf") if soonest is None or soonest.resets_at is None else soonest.resets_at


def _stuck_to(first: str, pool: Pool, lane: Lane, rules: Rules, now: int) -> str | None:
    """The current profile, unless a more wanted one has been well again for a while.

    One whose circuit lets probes through counts: nobody but a new conversation finds out whether it is well.
    """
    current, preferred = pool.holder(lane.provider, lane.model), _chosen(pool, now)
    wanted = pool.members.get(first if preferred is None else preferred)
    if wanted is None or wanted.profile.provider != lane.provider:
        wanted = pool.members[first]
    if current is None or wanted.profile.id == current:
        return wanted.profile.id
    back_at = max(wanted.vitals.back_at, wanted.vitals.open_until or 0)
    well = now - back_at >= rules.failback_ms
    return wanted.profile.id if well and wanted.serves(now, lane.model) else current


# -- the decision

_STAYS = "the conversation stays where it is"


def stays(
    pool: Pool, rules: Rules, now: int, lanes: tuple[Lane, ...], held: str | None, tags: frozenset[str]
) -> Try | None:
    """The usual case at a glance: a first call that goes to whoever holds its conversation.

    `next_step` would say the same; where this is None, ask it.
    """
    member = pool.members.get(held) if held is not None else None
    if member is None or tags or len(lanes) > 1 or pool.choice is not None or pool.halt is not None:
        return None
    profile, lane = member.profile, lanes[0]
    if lane.provider != profile.provider or profile.capabilities or not member.serves(now, lane.model):
        return None
    if member.in_flight >= rules.places(member, now):
        return None
    return Try(profile.id, _STAYS, lane=lane, moves=False)


def next_step(case: Case) -> Step:
    """What to do next for the call of `case`."""
    if case.pool.halt is not None and case.pool.halted(case.now):
        return Refuse(Why.HALTED, "everything is paused by the operator", case.pool.halt.until_at)
    last = case.progress.last
    if last is None:
        return _first(case)
    if case.rules.stop_on_auth_error and last.verdict.action is Action.REAUTH:
        why = Why.REAUTH if last.verdict.status is None else Why.LAST_ANSWER
        return Refuse(why, "settings say to stop when a key is refused")
    if len(case.progress.tried) >= case.rules.max_attempts:
        return _give_up(case, "the cap on calls for one request is reached")
    if sum(one.verdict.ambiguous and not one.told for one in case.progress.tried) > MAX_AMBIGUOUS:
        return _give_up(case, "calls broke off that may have to be paid for; no more are made")
    return _again(case, last) or _elsewhere(case, last)


def _first(case: Case) -> Step:
    waiting_for, short = case.progress.waiting_for, _own_short_rest(case)
    if short is not None and (waiting := _stay(case, short)):
        return waiting
    full: Candidate | None = None
    for one in _wanted(case) if short is None else _idle_first(case.ready()):
        name = one.member.profile.id
        if case.has_place(one.member):
            reason = "back after the wait" if name == waiting_for else _why_chosen(one, case, full, short)
            moves = full is None and short is None and name != case.held and not case.is_odd(one.lane)
            return Try(name, reason, lane=one.lane, moves=moves)
        full = full or one
        if _keeps_its_place(case, one) or _takes_over(case, one):
            return _queue(case, one)
    if full is not None:
        return _queue(case, full)
    return _wait_for_any(case) or _give_up(case, "no profile can serve now")


def _wanted(case: Case) -> Iterator[Candidate]:
    """Those who may take the call, the pinned one first, or the one that holds the conversation."""
    ahead = case.ahead
    if ahead is not None:
        yield ahead
    for one in case.ready():
        if ahead is None or one.member is not ahead.member or one.lane is not ahead.lane:
            yield one


def _own_short_rest(case: Case) -> Cooldown | None:
    """The rest of the profile that the call belongs to, where it is a rate's and over in a moment.

    That is the pinned one, the one that holds the conversation, or for a new one the current: a moment's rest moves
    nobody for good.
    """
    wanted = case.first_wanted or case.current
    if wanted is None or case.ahead is not None:
        return None
    own = (stands.resting for stands in case.standings if stands.one.member.profile.id == wanted)
    resting = next(own, None)
    if resting is None or resting.error_class is not ErrorClass.RATE_LIMITED or resting.source is Source.INFERRED:
        return None
    return resting if resting.until_at - case.now <= case.rules.short_wait_ms else None


def _idle_first(candidates: Iterable[Candidate]) -> list[Candidate]:
    """In their order, but the idle before the busy: a burst that a limit has met is not to be moved as a whole."""
    return sorted(candidates, key=lambda one: one.member.in_flight > 0)


def _takes_over(case: Case, one: Candidate) -> bool:
    """Whether it is full only because it has just taken over: whoever comes after it is not to be stormed instead."""
    ramp = one.member.vitals.ramp
    return ramp is not None and one.member.in_flight >= ramp.places(case.now)


def _keeps_its_place(case: Case, one: Candidate) -> bool:
    """Whether a call waits for a full profile rather than go elsewhere: for a pinned one, and a while for its own."""
    name, choice = one.member.profile.id, case.choice
    if choice is not None and choice.pinned and choice.profile_id == name:
        return True
    return case.held == name and case.progress.queued_ms < case.rules.short_wait_ms


def _queue(case: Case, one: Candidate) -> Queue:
    member, vitals, now = one.member, one.member.vitals, case.now
    grows = [limit.next_at(now) for limit in (vitals.ramp, vitals.ceiling) if limit is not None]
    if case.held == member.profile.id and case.progress.queued_ms < case.rules.short_wait_ms:
        grows.append(now + case.rules.short_wait_ms - case.progress.queued_ms)
    opens = (stands.one.member.vitals.open_until for stands in case.standings if stands.phase is Phase.OPEN)
    grows += [at for at in opens if at is not None]
    places = case.rules.places(member, now)
    reason = f"{member.profile.id} carries {member.in_flight} calls, and takes {places} now"
    return Queue(member.profile.id, reason, min(grows, default=None))


def _why_chosen(one: Candidate, case: Case, full: Candidate | None, short: Cooldown | None) -> str:
    profile, pool = one.member.profile, case.pool
    if full is not None:
        return f"{full.member.profile.id} is full"
    if short is not None:
        return f"{short.profile_id} is back in a moment"
    choice = case.choice
    if choice is not None and choice.profile_id == profile.id:
        return "pinned by the operator" if choice.pinned else "preferred by the operator"
    if case.held == profile.id:
        return _STAYS
    current = pool.holder(profile.provider, one.lane.model)
    if case.rules.strategy is not Strategy.STICKY:
        return f"first by the strategy {case.rules.strategy.value}"
    if case.is_odd(one.lane):
        return f"{current} does not fit this call"
    if current == profile.id:
        return "the current profile stays in use"
    if current is not None and (other := pool.members.get(current)) and other.serves(case.now, one.lane.model):
        return f"{profile.id} has been well for a while, and a new conversation begins"
    return "first of the profiles that can serve"


def _again(case: Case, last: Tried) -> Step | None:
    """The same profile once more: after the wait for it, or a backoff if the failure calls for one."""
    one = case.again(last)
    if one is None or not one.member.serves(case.now, one.lane.model):
        return None
    if case.progress.waiting_for == last.profile_id:
        if not case.has_place(one.member):
            return _queue(case, one)
        still_here = case.pool.holder(one.lane.provider, one.lane.model) in (None, last.profile_id)
        return Try(last.profile_id, "again, after the wait", lane=one.lane, moves=still_here)
    retries = case.progress.calls_on(last.profile_id)
    stated_ms = round((last.verdict.retry_after_s or 0) * 1000)
    if last.verdict.action is not Action.RETRY or retries > _retry_budget(case.rules, last):
        return None
    if last.verdict.ambiguous and case.may_change and any(case.fresh()):
        return None  # the one call that is left goes to somebody else
    if stated_ms > case.rules.short_wait_ms and not _may_hold(case, stated_ms):
        return None
    return Wait(last.profile_id, max(_backoff_ms(case, last), stated_ms), last.verdict.reason)


def _backoff_ms(case: Case, last: Tried) -> int:
    backoff = case.rules.target(last.profile_id).backoff or case.rules.backoff
    return backoff.delay_ms(case.progress.calls_on(last.profile_id), case.chance)


def _may_hold(case: Case, stated_ms: int) -> bool:
    """Whether settings allow so long a wait, and no other profile makes it needless."""
    elsewhere = case.may_change and any(case.fresh())
    return not elsewhere and stated_ms + case.progress.waited_ms <= case.rules.hold_ms


def _retry_budget(rules: Rules, last: Tried) -> int:
    """A dead network is tried once more, since several tries only delay the failover."""
    own = rules.target(last.profile_id).retry_budget
    budget = rules.retry_budget if own is None else own
    return min(1, budget) if last.verdict.cls is ErrorClass.NETWORK else budget


def _elsewhere(case: Case, last: Tried) -> Step:
    short = _short_rest(case, last)
    if short is not None and (waiting := _stay(case, short)):
        return waiting
    crowded = last.verdict.crowded and _serves_again(case, last)
    others: Iterable[Candidate] = case.fresh() if case.may_change else ()
    full: Candidate | None = None
    for one in others if short is None else _idle_first(others):
        if case.has_place(one.member):
            moves = short is None and not crowded and last.verdict.scope is not Scope.REQUEST
            return Try(one.member.profile.id, last.verdict.reason, failover=True, lane=one.lane, moves=moves)
        full = full or one
        if _takes_over(case, one):
            break
    if full is not None:
        return _rested(case, last) or _queue(case, full)
    if crowded and case.progress.calls_on(last.profile_id) <= _budget_of(case.rules, last.profile_id):
        return Wait(last.profile_id, _backoff_ms(case, last), last.verdict.reason)  # then for a place there
    return _back_or_wait(case, last)


def _rested(case: Case, last: Tried) -> Try | None:
    """One that this call has met a limit of, whose rest is over while the call waits for a place elsewhere."""
    if not case.progress.queued_ms:
        return None
    for tried in case.progress.tried:
        one = case.again(tried)
        if one is None or not _has_rested_it(tried.verdict) or not one.member.serves(case.now, one.lane.model):
            continue
        name = tried.profile_id
        changes = (name, tried.model) != (last.profile_id, last.model)
        within = case.progress.calls_on(name) <= _budget_of(case.rules, name)
        if within and case.has_place(one.member):
            return Try(name, "its rest is over, and the others are full", changes, one.lane, moves=False)
    return None


def _has_rested_it(verdict: Verdict) -> bool:
    return verdict.action is Action.COOL and verdict.scope is not Scope.REQUEST and not verdict.crowded


def _serves_again(case: Case, last: Tried) -> bool:
    one = case.again(last)
    return one is not None and one.member.serves(case.now, one.lane.model)


def _short_rest(case: Case, last: Tried) -> Cooldown | None:
    """The rest of the profile called last, where it is a rate's, is stated, and is over in a moment."""
    one = case.again(last)
    if one is None or one.member.phase(case.now, one.lane.model) is not Phase.COOLING:
        return None
    resting = one.member.resting(case.now, one.lane.model)
    if resting is None or last.verdict.cls is not ErrorClass.RATE_LIMITED or last.verdict.retry_after_s is None:
        return None
    return resting if resting.until_at - case.now <= case.rules.short_wait_ms else None


def _stay(case: Case, resting: Cooldown) -> Wait | None:
    """Wait for the profile that holds the conversation: if nobody else is idle, or the prompt is dear to begin anew."""
    name = resting.profile_id
    dear = case.held == name and case.size >= LARGE_BYTES
    idle = case.may_change and any(one.member.in_flight == 0 for one in case.fresh())
    delay = max(resting.until_at - case.now, 1)
    spent = case.progress.calls_on(name) > _budget_of(case.rules, name)
    if (idle and not dear) or spent or delay + case.progress.waited_ms > case.rules.short_wait_ms:
        return None
    why = "the conversation is large" if idle else "no other profile is idle"
    return Wait(name, _spread(case, delay), f"{why}, and the wait is short: {resting.reason}")


def _budget_of(rules: Rules, profile_id: str) -> int:
    own = rules.target(profile_id).retry_budget
    return rules.retry_budget if own is None else own


def _back_or_wait(case: Case, last: Tried) -> Step:
    """Nobody fresh is left: the profile that was waited for, else another wait, else the end."""
    if case.may_change:
        for one in case.ready():
            if one.member.profile.id == case.progress.waiting_for:
                if not case.has_place(one.member):
                    return _queue(case, one)
                return Try(one.member.profile.id, "back after the wait", failover=True, lane=one.lane)
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
    return Wait(resting.profile_id, _spread(case, delay), f"nothing else can serve: {resting.reason}")


def _spread(case: Case, delay_ms: int) -> int:
    """A little more than the wait, each call another: at the end of a shared rest they come one by one."""
    return delay_ms + round(case.chance * min(SPREAD_MS, delay_ms / 4))


def _soonest(case: Case, allowed: str | None) -> Cooldown | None:
    """The rest that ends first among profiles otherwise well, within their budget of calls and `allowed`."""
    soonest: Cooldown | None = None
    dead = case.dead_lines
    for stands in case.standings:
        resting, name = stands.resting, stands.one.member.profile.id
        if resting is None or (allowed is not None and allowed != name):
            continue
        if dead and stands.one.member.profile.base_url in dead:
            continue
        sooner = soonest is None or resting.until_at < soonest.until_at
        if sooner and case.progress.calls_on(name) <= _budget_of(case.rules, name):
            soonest = resting
    return soonest


# -- the end


def _give_up(case: Case, reason: str) -> Refuse:
    last = case.progress.last
    if last is not None and _says_it_best(last.verdict):
        return Refuse(Why.LAST_ANSWER, last.verdict.reason)
    soonest = _soonest_help(case)
    if last is not None and last.verdict.action in (Action.RETRY, Action.NEXT):
        dead_line = all(_is_dead_line(one.verdict) for one in case.progress.tried)
        return Refuse(Why.OFFLINE if dead_line else Why.BROKEN, last.verdict.reason, soonest)
    return Refuse(*_why_none(case, reason), soonest)


def _is_dead_line(verdict: Verdict) -> bool:
    """Whether not even a connection came about."""
    return verdict.cls is ErrorClass.NETWORK and verdict.status is None and not verdict.ambiguous


def _says_it_best(verdict: Verdict) -> bool:
    """Whether the client is served best with the provider's own words: not where those only say that it is slow."""
    return verdict.action is Action.NEXT and verdict.status is not None and verdict.cls is not ErrorClass.TIMEOUT


def _soonest_help(case: Case) -> int | None:
    """When a retry could help: now if a profile was not asked for want of budget, else when the first is back."""
    if any(case.fresh()):
        return case.now
    return min((at for stands in case.standings if (at := _back_at(stands)) is not None), default=None)


def _back_at(stands: Standing) -> int | None:
    if stands.phase is Phase.OPEN:
        return stands.one.member.vitals.open_until
    return stands.resting.until_at if stands.resting is not None else None


def _why_none(case: Case, reason: str) -> tuple[Why, str]:
    phases = {stands.phase for stands in case.standings}
    if not phases:
        wanted = {lane.provider for lane in case.lanes}
        if any(member.profile.provider in wanted for member in case.pool.members.values()):
            return Why.NO_MATCH, "no profile fits the tags or the kind of the call"
        return Why.NO_PROFILE, "no profile of this provider is known"
    if phases & {Phase.COOLING, Phase.READY, Phase.PROBING}:
        return Why.LIMITED, reason
    if Phase.OPEN in phases:
        return Why.BROKEN, "the circuit of every profile that could serve is open"
    return (Why.REAUTH if Phase.REAUTH in phases else Why.PAUSED), reason
