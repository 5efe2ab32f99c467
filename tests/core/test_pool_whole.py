"""Requests on their whole way through a pool, many at a time, against a model that can be seen to be right.

`Flow` does with core's functions what the pipeline does with them; `Flow.seen` is the plain model: who may serve, who
is full, which rests hold. Whatever is answered, whoever leaves and whatever the operator and the clock do: only those
are called that may be, no lease is lost or doubled, no rest gets shorter, every refusal has its reasons, and everybody
comes to an end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from tests.core.build import NOW, judged, member
from tray_app.core import breaker, quota, widening
from tray_app.core.breaker import BreakerRules
from tray_app.core.policy import (
    MAX_AMBIGUOUS,
    Backoff,
    Case,
    Lane,
    Progress,
    Queue,
    Refuse,
    Rules,
    Step,
    Strategy,
    Tried,
    Try,
    Wait,
    Why,
    next_step,
)
from tray_app.core.pool import Choice, Member, Pool, pool_of
from tray_app.core.values import Action, Admin, Cooldown, ErrorClass, Profile, Scope, Source, Verdict

C, S = ErrorClass, Scope
X, Y = Lane("openrouter", "m/x"), Lane("groq", "y")
FREE = Lane("openrouter", "m/x:free")
WAYS = ((X,), (FREE,), (Y,), (X, Y), (X, FREE))
OF_ACCOUNTS = (S.ACCOUNT, S.ACCOUNT_MODEL, S.ACCOUNT_FREE_MODELS)
OF_PROVIDERS = (S.MODEL, S.PROVIDER, S.ENVIRONMENT)
OF_MODELS = (S.KEY_MODEL, S.MODEL, S.MODEL_PROVIDER, S.ACCOUNT_MODEL)
WEAKNESS = {Source.HEADER: 0, Source.BODY: 0, Source.PROBE: 1, Source.INFERRED: 2}
SPENT = judged(C.QUOTA_EXHAUSTED, S.ACCOUNT, status=402)


@dataclass(eq=False)
class Ask:
    """A request on its way. `state`: new, queued, waiting, calling, over."""

    lanes: tuple[Lane, ...] = (X,)
    held: str | None = None
    tags: frozenset[str] = frozenset()
    capability: str | None = None
    size: int = 0
    state: str = "new"
    progress: Progress = field(default_factory=Progress)
    since: int = 0  # it queues, or is served
    until: int = 0  # it waits
    step: Step | None = None
    on: Profile | None = None
    served_by: str | None = None


class Flow:
    """The pipeline's part without its loop: one pool, its queue, its clock."""

    def __init__(self, pool: Pool, rules: Rules, now: int = NOW) -> None:
        self.pool, self.rules, self.now, self.chance = pool, rules, now, 0.5
        self.asks: list[Ask] = []
        self.queue: list[Ask] = []
        self.moves: list[tuple[str | None, str, bool]] = []  # of the pool: from, to, in flight from a failure
        self.calls: list[tuple[int, str]] = []
        self.ramps: dict[str, tuple[int, int]] = {}  # since when, and what it carried

    # -- deciding

    def ask(self, ask: Ask) -> Ask:
        self.asks.append(ask)
        self.offer(ask)
        return ask

    def case(self, ask: Ask) -> Case:
        queued = self.now - ask.since if ask.state == "queued" else 0
        progress = replace(ask.progress, queued_ms=queued)
        fields = (ask.held, ask.size, ask.tags, ask.capability)
        return Case(ask.lanes, progress, self.pool, self.rules, self.now, self.chance, *fields)

    def offer(self, ask: Ask) -> None:
        """Decide, and do it."""
        case = self.case(ask)
        step = ask.step = next_step(case)
        self.check(ask, case, step)
        wanted = {one.step.profile_id for one in self.queue if isinstance(one.step, Queue)}
        if isinstance(step, Try) and ask not in self.queue and step.profile_id in wanted:
            step = ask.step = Queue(step.profile_id, "others wait for it already")
        if isinstance(step, Queue):
            if ask not in self.queue:
                self.queue.append(ask)
                ask.state, ask.since = "queued", self.now
                self.pump()
            return
        if ask in self.queue:
            self.queue.remove(ask)
        match step:
            case Try():
                self.start(ask, step)
            case Wait():
                ask.state, ask.until = "waiting", self.now + step.delay_ms
            case Refuse():
                ask.state = "over"

    def pump(self) -> None:
        for ask in list(self.queue):
            if ask in self.queue:
                self.offer(ask)

    def check(self, ask: Ask, case: Case, step: Step) -> None:
        """For the machine below."""

    def ripe(self, ask: Ask) -> None:
        """The wait is over."""
        assert isinstance(ask.step, Wait)
        waited = ask.progress.waited_ms + ask.step.delay_ms
        ask.progress = replace(ask.progress, waited_ms=waited, waiting_for=ask.step.profile_id)
        ask.state = "new"
        self.offer(ask)

    # -- calling

    def start(self, ask: Ask, step: Try) -> None:
        lane, last = step.lane or ask.lanes[0], ask.progress.last
        if step.failover and last is not None:
            ask.progress = replace(ask.progress, failovers=ask.progress.failovers + 1)
            if step.moves and not self._others_went_ahead(last, lane):
                self._move(lane, step.profile_id, self.now, lane.model if _is_of_a_model(last.verdict) else None)
        elif step.moves:
            self._take_over(step, lane)
        self.pool = self.pool.leased(step.profile_id)
        self.calls.append((self.now, step.profile_id))
        ask.on, ask.state, ask.since = self.pool.members[step.profile_id].profile, "calling", self.now
        ask.progress = replace(ask.progress, waiting_for=None)

    def _current(self, lane: Lane) -> Member | None:
        return self.pool.members.get(self.pool.holder(lane.provider, lane.model) or "")

    def _take_over(self, step: Try, lane: Lane) -> None:
        before = self._current(lane)
        if before is None:
            self._move(lane, step.profile_id, None, None)
        elif before.profile.id != step.profile_id:
            well = before.serves(self.now, lane.model)
            of_all = self.pool.holder(lane.provider, None) == before.profile.id
            of_a_model = not of_all if well else before.serves(self.now, None)
            self._move(lane, step.profile_id, None if well else self.now, lane.model if of_a_model else None)

    def _others_went_ahead(self, last: Tried, lane: Lane) -> bool:
        """Whether the pool has left the profile that failed already, for one that serves."""
        current = self._current(lane)
        return current is not None and current.profile.id != last.profile_id and current.serves(self.now, lane.model)

    def _move(self, lane: Lane, to: str, fled_at: int | None, model: str | None) -> None:
        self.moves.append((self.pool.holder(lane.provider, lane.model), to, fled_at is not None))
        if fled_at is not None:
            self.ramps[to] = (fled_at, self.pool.members[to].in_flight)
        self.pool = self.pool.moved(lane.provider, to, fled_at=fled_at, model=model)

    def succeed(self, ask: Ask) -> None:
        """The answer came, to its end."""
        assert ask.on is not None
        if ask.on.id in self.pool.members:
            vitals = self.pool.members[ask.on.id].vitals
            self._release(ask, vitals.succeeded(100, self.now, self.rules.breaker_of(ask.on.id)))
            self.ramps.pop(ask.on.id, None)
        else:
            self._release(ask, None)
        ask.state, ask.served_by = "over", ask.on.id
        self.pump()

    def fail(self, ask: Ask, verdict: Verdict) -> None:
        """The provider said no: the pool learns, and it is decided again."""
        profile, lane = ask.on, ask.step.lane if isinstance(ask.step, Try) else None
        assert profile is not None and lane is not None
        tried = (*ask.progress.tried, Tried(profile.id, verdict, lane.model))
        ask.progress = replace(ask.progress, tried=tried)
        if profile.id in self.pool.members:
            self._learn(profile, lane, verdict)
        self._release(ask, self._shown(profile, verdict))
        ask.state = "new"
        self.pump()
        self.offer(ask)

    def leave(self, ask: Ask) -> None:
        """The client is gone."""
        if ask in self.queue:
            self.queue.remove(ask)
        if ask.state == "calling":
            self._release(ask, None)
        ask.state = "over"
        self.pump()

    def _release(self, ask: Ask, vitals: object) -> None:
        assert ask.on is not None
        self.pool = self.pool.released(ask.on.id, vitals)  # type: ignore[arg-type]

    def _shown(self, profile: Profile, verdict: Verdict) -> object:
        one = self.pool.members.get(profile.id)
        if one is None or not breaker.counts(verdict.cls):
            return None
        if verdict.cls is C.NETWORK and not verdict.ambiguous:
            self.pool = self.pool.unreachable(profile.base_url, self.now)
            if not self.pool.blames(profile.base_url, self.now):
                return None
        return one.vitals.failed(self.now, self.rules.breaker_of(profile.id))

    def _learn(self, profile: Profile, lane: Lane, verdict: Verdict) -> None:
        one = self.pool.members[profile.id]
        if verdict.action is Action.REAUTH:
            self.mark(profile.id, verdict.reason)
        elif verdict.crowded and one.in_flight > 1:
            self.pool = self.pool.known(profile.id, one.vitals.crowded(one.in_flight - 1, self.now))
        else:
            ladder = one.vitals.ladder
            found = quota.cooldown_for(profile.id, lane.model, verdict, self.now, ladder, self.chance)
            if found is not None:
                self._rest(one, lane, verdict, *found)

    def _rest(self, one: Member, lane: Lane, verdict: Verdict, rest: Cooldown, climbed: quota.Ladder) -> None:
        if climbed is not one.vitals.ladder:
            if any(old.key == rest.key and old.until_at > self.now for old in one.cooldowns):
                return
            self.pool = self.pool.known(one.profile.id, replace(one.vitals, ladder=climbed))
        rests = [rest]
        if widening.is_shared_kind(verdict):
            profile = one.profile
            met = widening.Limit(profile.provider, profile.account, lane.model, verdict.cls, verdict.code, self.now)
            limits, scope = widening.seen(self.pool.limits, met)
            self.pool = replace(self.pool, limits=limits)
            if scope is not None:
                rests.append(widening.widened(rest, scope, lane.model, self.now))
        for each in rests:
            self.rest(each)

    def rest(self, cooldown: Cooldown) -> None:
        self.pool, _ = self.pool.rested(cooldown)

    def mark(self, name: str, reason: str | None) -> None:
        self.pool = self.pool.marked(name, reason)

    def later(self, by_ms: int) -> None:
        self.now += by_ms
        self.pool, _, _ = self.pool.expired(self.now)

    def run_dry(self, turns: int = 400) -> None:
        """Every call that runs is answered, time goes by, nobody new comes: until all is over."""
        for _ in range(turns):
            for ask in self.asks:
                if ask.state == "calling":
                    self.succeed(ask)
            self.later(250)
            self.pump()
            for ask in self.asks:
                if ask.state == "waiting" and ask.until <= self.now:
                    self.ripe(ask)
            if all(ask.state == "over" for ask in self.asks):
                return
        raise AssertionError(f"left behind: {[ask for ask in self.asks if ask.state != 'over']}")


def _is_of_a_model(verdict: Verdict) -> bool:
    of_a_model = verdict.scope in (*OF_MODELS, S.ACCOUNT_FREE_MODELS) and verdict.action in (Action.COOL, Action.PARK)
    return of_a_model or verdict.cls is C.MODEL_UNAVAILABLE


# -- the machine


@dataclass
class Seen:
    """What the plain model knows of a profile."""

    profile: Profile
    admin: Admin = Admin.ENABLED
    reauth: bool = False
    rests: dict[tuple[Scope, str | None], tuple[int, Source]] = field(default_factory=dict)
    kinds: dict[tuple[Scope, str | None], ErrorClass] = field(default_factory=dict)

    def rests_now(self, model: str | None, now: int) -> bool:
        return any(until > now and _holds(scope, named, model) for (scope, named), (until, _) in self.rests.items())


def _holds(scope: Scope, named: str | None, model: str | None) -> bool:
    if scope in OF_MODELS:
        return named in (None, model)
    return scope is not S.ACCOUNT_FREE_MODELS or (model or "").endswith(":free")


def _profile(name: str, account: str, url: str, **fields: object) -> Member:
    one = member(name, provider=name.partition("-")[0], account=account)
    return replace(one, profile=replace(one.profile, base_url=url, **fields))  # type: ignore[arg-type]


EVERYBODY = (
    _profile("openrouter-a", "w", "https://or.example", tags=("eu",)),
    _profile("openrouter-b", "w", "https://or.example", capabilities=("chat",)),
    _profile("openrouter-c", "h", "https://or2.example", tags=("eu",), priority=1),
    _profile("groq-a", "g", "https://groq.example", tags=("eu",)),
    _profile("groq-b", "h", "https://groq.example"),
)
NAMES = tuple(one.profile.id for one in EVERYBODY)

verdicts = st.builds(
    lambda verdict, ambiguous, crowded, code: replace(verdict, ambiguous=ambiguous, crowded=crowded, code=code),
    st.builds(
        judged,
        st.sampled_from([one for one in C if judged(one).action not in (Action.SERVE, Action.RETURN)]),
        st.sampled_from([one for one in S if one is not S.NONE]),
        status=st.sampled_from([None, 429, 500, 504]),
        retry_after_s=st.none() | st.sampled_from([0.5, 2, 5, 30, 4000]),
    ),
    st.sampled_from([False, False, False, True]),
    st.booleans(),
    st.sampled_from([None, "429"]),
)

all_rules = st.builds(
    Rules,
    retry_budget=st.integers(0, 3),
    failover_budget=st.none() | st.integers(0, 3),
    max_attempts=st.integers(1, 9),
    backoff=st.builds(Backoff, st.integers(0, 3_000)),
    short_wait_ms=st.sampled_from([0, 3_000, 5_000]),
    hold_ms=st.sampled_from([0, 0, 40_000]),
    stop_on_auth_error=st.sampled_from([False, False, True]),
    strategy=st.sampled_from(Strategy),
    breaker=st.builds(BreakerRules, st.integers(1, 3), st.just(0.5), st.just(4), st.integers(0, 2_000)),
    concurrency_limit=st.integers(1, 3),
    failback_ms=st.sampled_from([0, 1_000]),
)


class Watched(Flow):
    """A flow that holds each of its steps against the plain model."""

    def __init__(self, pool: Pool, rules: Rules) -> None:
        super().__init__(pool, rules)
        self.seen = {name: Seen(one.profile) for name, one in pool.members.items()}

    # -- the model

    def serves(self, name: str, model: str | None) -> bool:
        seen, open_until = self.seen[name], self.pool.members[name].vitals.open_until
        shut = open_until is not None and self.now < open_until
        out = seen.admin is not Admin.ENABLED or seen.reauth or shut
        return not out and not seen.rests_now(model, self.now)

    def carries(self, name: str) -> int:
        return sum(1 for ask in self.asks if ask.state == "calling" and ask.on is not None and ask.on.id == name)

    def is_full(self, name: str) -> bool:
        vitals, carries = self.pool.members[name].vitals, self.carries(name)
        ramp = self.ramps.get(name)
        return (
            carries >= self.rules.concurrency_limit
            or (ramp is not None and carries > ramp[1] + (self.now - ramp[0]) // 250)
            or (vitals.ceiling is not None and carries >= vitals.ceiling.places(self.now))
            or (vitals.open_until is not None and carries >= 1)
        )

    def choice(self, ask: Ask) -> Choice | None:
        choice = self.pool.choice
        if choice is None or (choice.until_at is not None and choice.until_at <= self.now):
            return None
        return choice if any(choice.profile_id.startswith(lane.provider + "-") for lane in ask.lanes) else None

    def fits(self, ask: Ask, name: str) -> bool:
        choice, profile = self.choice(ask), self.seen[name].profile
        if choice is not None and choice.strict and choice.profile_id != name:
            return False
        able = ask.capability is None or not profile.capabilities or ask.capability in profile.capabilities
        return ask.tags <= set(profile.tags) and able

    # -- what must hold of a step

    def check(self, ask: Ask, case: Case, step: Step) -> None:
        match step:
            case Try():
                self.check_try(ask, step)
            case Queue():
                ways = [lane for lane in ask.lanes if step.profile_id.startswith(lane.provider + "-")]
                assert any(self.serves(step.profile_id, lane.model) for lane in ways)
                assert self.fits(ask, step.profile_id)
                assert self.is_full(step.profile_id)
                assert step.until_at is None or step.until_at > self.now
                self.check_queue(ask, step)
            case Wait():
                assert step.delay_ms >= 0
                assert self.fits(ask, step.profile_id)
                ways = [lane for lane in ask.lanes if step.profile_id.startswith(lane.provider + "-")]
                assert any(self.is_back_within(step.profile_id, lane, step.delay_ms) for lane in ways)
            case Refuse():
                self.check_refusal(ask, case, step)

    def check_try(self, ask: Ask, step: Try) -> None:
        name, lane, last = step.profile_id, step.lane, ask.progress.last
        assert lane in ask.lanes
        assert name.startswith(lane.provider + "-")
        assert self.serves(name, lane.model)
        assert self.fits(ask, name)
        assert not self.is_full(name)
        again = last is not None and last.profile_id == name
        assert step.failover is (last is not None and (not again or last.model != lane.model))
        used = any((one.profile_id, one.model) == (name, lane.model) for one in ask.progress.tried)
        rested = ask.state == "queued" and any(
            (one.profile_id, one.model) == (name, lane.model)
            and one.verdict.action is Action.COOL
            and one.verdict.scope is not Scope.REQUEST
            for one in ask.progress.tried
        )
        assert ask.progress.waiting_for == name or not (used or self.is_dead(ask, name)) or rested

    def check_queue(self, ask: Ask, step: Queue) -> None:
        """Nobody else has a place for it, unless it has a reason to want this very one."""
        choice, last = self.choice(ask), ask.progress.last
        wants = {ask.held, choice.profile_id if choice and choice.pinned else None, ask.progress.waiting_for}
        if step.profile_id in wants or step.profile_id in self.ramps or (last and not self.case(ask).may_change):
            return
        for name in self.unused(ask):
            assert self.is_full(name) or any(other in self.ramps and self.is_full(other) for other in self.seen)

    def unused(self, ask: Ask) -> set[str]:
        """Who could serve it now, and has not been called for it."""
        used = {(one.profile_id, one.model) for one in ask.progress.tried}
        return {
            name
            for lane in ask.lanes
            for name in self.seen
            if name.startswith(lane.provider + "-")
            and (name, lane.model) not in used
            and self.serves(name, lane.model)
            and self.fits(ask, name)
            and not self.is_dead(ask, name)
        }

    def is_dead(self, ask: Ask, name: str) -> bool:
        """Whether the request has found the address of that profile to be out of reach."""
        url = self.seen[name].profile.base_url
        return any(
            one.verdict.cls is C.NETWORK
            and one.verdict.status is None
            and not one.verdict.ambiguous
            and self.seen[one.profile_id].profile.base_url == url
            for one in ask.progress.tried
        )

    def check_refusal(self, ask: Ask, case: Case, step: Refuse) -> None:
        tried, rules = ask.progress.tried, self.rules
        assert step.reason
        assert step.resets_at is None or step.resets_at >= self.now
        stopped = rules.stop_on_auth_error and bool(tried) and tried[-1].verdict.action is Action.REAUTH
        capped = len(tried) >= rules.max_attempts
        dear = sum(one.verdict.ambiguous for one in tried) > MAX_AMBIGUOUS
        assert bool(self.unused(ask)) <= (stopped or capped or dear or not case.may_change)
        if step.why is Why.NO_MATCH:
            assert not any(self.fits(ask, name) for lane in ask.lanes for name in self.of(lane))
        if not tried:
            patience = max(rules.short_wait_ms, rules.hold_ms) - ask.progress.waited_ms
            for lane in ask.lanes:
                for name in self.of(lane):
                    assert not self.fits(ask, name) or not self.is_back_within(name, lane, patience)

    def of(self, lane: Lane) -> list[str]:
        return [name for name in self.seen if name.startswith(lane.provider + "-")]

    def is_back_within(self, name: str, lane: Lane, patience: int) -> bool:
        """Whether only rests keep it away, and they are over soon."""
        seen, open_until = self.seen[name], self.pool.members[name].vitals.open_until
        if seen.admin is not Admin.ENABLED or seen.reauth or (open_until is not None and self.now < open_until):
            return False
        return not seen.rests_now(lane.model, self.now + patience)

    # -- what changes the model along with the pool

    def rest(self, cooldown: Cooldown) -> None:
        before = {name: one.cooldowns for name, one in self.pool.members.items()}
        origin = self.seen[cooldown.profile_id].profile
        for name, one in self.seen.items():
            near = one.profile.provider == origin.provider
            of_account = near and one.profile.account == origin.account and cooldown.scope in OF_ACCOUNTS
            if name != origin.id and not of_account and not (near and cooldown.scope in OF_PROVIDERS):
                continue
            old = one.rests.get((cooldown.scope, cooldown.model))
            key = (cooldown.scope, cooldown.model)
            other = one.kinds.get(key) is not cooldown.error_class
            worse = old is not None and WEAKNESS[cooldown.source] > WEAKNESS[old[1]] and not other
            stronger = old is not None and WEAKNESS[cooldown.source] < WEAKNESS[old[1]] and not other
            better = old is None or old[0] <= self.now or stronger
            if better or (old is not None and cooldown.until_at > old[0] and not worse):
                one.rests[key], one.kinds[key] = (cooldown.until_at, cooldown.source), cooldown.error_class
        super().rest(cooldown)
        for name, olds in before.items():
            held = {one.key: one for one in self.pool.members[name].cooldowns}
            for was in olds:
                stronger = WEAKNESS[cooldown.source] < WEAKNESS[was.source]
                assert held[was.key].until_at >= was.until_at or stronger or was.until_at <= self.now

    def mark(self, name: str, reason: str | None) -> None:
        super().mark(name, reason)
        self.seen[name].reauth = reason is not None

    def later(self, by_ms: int) -> None:
        super().later(by_ms)
        for one in self.seen.values():
            one.rests = {key: held for key, held in one.rests.items() if held[0] > self.now}

    def clear(self, name: str) -> None:
        self.pool, _ = self.pool.cleared(name)
        self.seen[name].rests, self.seen[name].reauth = {}, False
        self.ramps.pop(name, None)

    def administer(self, name: str, admin: Admin) -> None:
        self.pool = self.pool.administered(name, admin, None)
        self.seen[name].admin = admin

    def set_back(self, by_ms: int) -> None:
        self.now -= by_ms
        self.pool = self.pool.shifted(-by_ms)
        self.ramps = {name: (at - by_ms, base) for name, (at, base) in self.ramps.items()}
        for one in self.seen.values():
            one.rests = {key: (until - by_ms, source) for key, (until, source) in one.rests.items()}
        for ask in self.asks:
            ask.since, ask.until = ask.since - by_ms, ask.until - by_ms


class WholeMachine(RuleBasedStateMachine):
    """Everything that happens to requests and their pool, in any order."""

    flow: Watched

    @initialize(rules=all_rules, ways=st.lists(st.sampled_from(WAYS), max_size=6))
    def begin(self, rules: Rules, ways: list[tuple[Lane, ...]]) -> None:
        self.flow = Watched(pool_of(EVERYBODY), rules)
        for lanes in ways:
            self.flow.ask(Ask(lanes))

    def some(self, data: st.DataObject, state: str) -> Ask | None:
        fit = [ask for ask in self.flow.asks if ask.state == state]
        return data.draw(st.sampled_from(fit), label=state) if fit else None

    @rule(
        lanes=st.sampled_from(WAYS),
        held=st.none() | st.sampled_from((*NAMES, "gone")),
        tags=st.sampled_from([*[frozenset[str]()] * 4, frozenset({"eu"}), frozenset({"eu"}), frozenset({"moon"})]),
        capability=st.sampled_from([None, None, "chat", "images"]),
        size=st.sampled_from([0, 10**6]),
    )
    def come(
        self,
        lanes: tuple[Lane, ...],
        held: str | None,
        tags: frozenset[str],
        capability: str | None,
        size: int,
    ) -> None:
        self.flow.ask(Ask(lanes, held, tags, capability, size))

    @rule(lanes=st.sampled_from(WAYS), times=st.integers(1, 3))
    def a_herd_comes(self, lanes: tuple[Lane, ...], times: int) -> None:
        for _ in range(times):
            self.flow.ask(Ask(lanes))

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        if ask := self.some(data, "calling"):
            self.flow.succeed(ask)

    @rule(data=st.data(), answers=st.lists(verdicts, min_size=1, max_size=4), chance=st.floats(0, 1, exclude_max=True))
    def fail(self, data: st.DataObject, answers: list[Verdict], chance: float) -> None:
        """One call after the other; a request that waits for its next one has waited."""
        self.flow.chance = chance
        for verdict in answers:
            if ask := self.some(data, "calling"):
                self.flow.fail(ask, verdict)
                if ask.state == "waiting":
                    self.flow.later(ask.until - self.flow.now)
                    self.flow.ripe(ask)

    @rule(data=st.data(), verdict=verdicts)
    def fail_all(self, data: st.DataObject, verdict: Verdict) -> None:
        """Everything that a profile carries meets the same."""
        if first := self.some(data, "calling"):
            for ask in [one for one in self.flow.asks if one.state == "calling" and one.on == first.on]:
                self.flow.fail(ask, verdict)

    @rule(data=st.data(), state=st.sampled_from(["calling", "queued", "waiting"]))
    def leave(self, data: st.DataObject, state: str) -> None:
        if ask := self.some(data, state):
            self.flow.leave(ask)

    @rule(by_ms=st.sampled_from([1, 249, 250, 1_000, 5_000, 61_000]))
    def time_passes(self, by_ms: int) -> None:
        self.flow.later(by_ms)
        self.flow.pump()
        for ask in [one for one in self.flow.asks if one.state == "waiting" and one.until <= self.flow.now]:
            self.flow.ripe(ask)

    @rule(by_ms=st.sampled_from([1, 1_000, 3_600_000]))
    def the_clock_is_set_back(self, by_ms: int) -> None:
        self.flow.set_back(by_ms)
        self.flow.pump()

    @rule(url=st.sampled_from([one.profile.base_url for one in EVERYBODY]))
    def an_address_answers(self, url: str) -> None:
        self.flow.pool = self.flow.pool.reached(url, self.flow.now)

    @rule(
        name=st.none() | st.sampled_from(NAMES),
        pinned=st.booleans(),
        strict=st.sampled_from([False, False, False, True]),
        for_ms=st.none() | st.just(3_000),
    )
    def choose(self, name: str | None, pinned: bool, strict: bool, for_ms: int | None) -> None:
        until = None if for_ms is None else self.flow.now + for_ms
        self.flow.pool = self.flow.pool.chosen(None if name is None else Choice(name, pinned, strict, until))
        self.flow.pump()

    @rule(name=st.sampled_from(NAMES), admin=st.sampled_from([*[Admin.ENABLED] * 3, Admin.PAUSED]))
    def administer(self, name: str, admin: Admin) -> None:
        self.flow.administer(name, admin)
        self.flow.pump()

    @rule(name=st.sampled_from(NAMES))
    def retry_now(self, name: str) -> None:
        self.flow.clear(name)
        self.flow.pump()

    # -- what holds always

    @invariant()
    def no_lease_is_lost_or_doubled(self) -> None:
        for name, one in self.flow.pool.members.items():
            assert one.in_flight == self.flow.carries(name)

    @invariant()
    def rests_are_as_modelled(self) -> None:
        for name, one in self.flow.pool.members.items():
            rests = {(rest.scope, rest.model): (rest.until_at, rest.source) for rest in one.cooldowns}
            assert rests == self.flow.seen[name].rests
            assert bool(one.reauth) is self.flow.seen[name].reauth

    @invariant()
    def every_request_is_somewhere(self) -> None:
        queued = Counter(map(id, self.flow.queue))
        for ask in self.flow.asks:
            assert queued[id(ask)] == (ask.state == "queued")
            assert ask.state != "new"
            assert len(ask.progress.tried) <= self.flow.rules.max_attempts

    def teardown(self) -> None:
        if hasattr(self, "flow"):
            self.flow.pool = self.flow.pool.chosen(None)
            for name in NAMES:
                self.flow.administer(name, Admin.ENABLED)
            self.flow.run_dry()
            assert all(one.in_flight == 0 for one in self.flow.pool.members.values())


TestWhole = pytest.mark.many_cases(WholeMachine.TestCase)
TestWhole.settings = settings(deadline=None, max_examples=150, stateful_step_count=60)


# -- herds


@settings(deadline=None, max_examples=60)
@given(
    herd=st.integers(1, 10),
    others=st.integers(1, 4),
    also_dead=st.integers(0, 3),
    carries=st.integers(0, 3),
    answers_after_ms=st.sampled_from([0, 100, 300, 1_000]),
)
def test_a_herd_decides_on_one_failover_for_each_profile_that_runs_out(
    herd: int, others: int, also_dead: int, carries: int, answers_after_ms: int
) -> None:
    """A profile runs out under a herd, and so may the next ones; each that takes over is met by one call at first."""
    names = ["main", *(f"p{number}" for number in range(others))]
    dead = set(names[: 1 + min(also_dead, others - 1)])
    pool = pool_of([member(name) for name in names])
    for _ in range(carries):
        pool = pool.leased(names[-1])
    flow = Flow(pool, Rules(failover_budget=None, concurrency_limit=20))
    for _ in range(herd):
        flow.ask(Ask())
    assert [name for _, name in flow.calls] == ["main"] * herd
    fails: dict[str, int] = {}
    for _ in range(400):
        for ask in [one for one in flow.asks if one.state == "calling"]:
            assert ask.on is not None
            if ask.on.id in dead:
                fails.setdefault(ask.on.id, len(flow.calls))
                flow.fail(ask, replace(SPENT, scope=S.KEY))
            elif flow.now - ask.since >= answers_after_ms:
                flow.succeed(ask)
        flow.later(50)
        flow.pump()
        if all(ask.state == "over" for ask in flow.asks):
            break
    alive = next(name for name in names if name not in dead)
    assert {ask.served_by for ask in flow.asks} == {alive}
    fled = [(before, to) for before, to, in_flight in flow.moves if in_flight]
    assert fled == list(zip(names, names[1 : 1 + len(dead)], strict=False))
    for name, calls_then in fails.items():
        assert name not in [called for _, called in flow.calls[calls_then:]]  # none after the first verdict
    for name in dead - {"main"}:
        assert [called for _, called in flow.calls].count(name) == 1
    begins = [at for at, name in flow.calls if name == alive]
    for place, at in enumerate(begins):
        assert at >= begins[0] + min(250 * place, answers_after_ms)
