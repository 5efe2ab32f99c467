"""Whatever providers answer and whatever happens to the pool meanwhile: every request comes to an end, within its budgets."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import MODEL, NOW, PROVIDER, judged, member
from tray_app.core import quota
from tray_app.core.policy import (
    MAX_AMBIGUOUS,
    Backoff,
    Case,
    Lane,
    Progress,
    Queue,
    Refuse,
    Rules,
    Tried,
    Try,
    Wait,
    next_step,
)
from tray_app.core.pool import Pool, pool_of
from tray_app.core.values import Action, Admin, Cooldown, ErrorClass, Scope, Source, Verdict

LANES = (Lane(PROVIDER, MODEL),)
NAMES = ("a", "b", "c", "d")
FAILURES = [cls for cls in ErrorClass if cls not in (ErrorClass.OK, ErrorClass.MID_STREAM_ERROR)]
TURNED_BACK = (Action.SERVE, Action.RETURN)  # the pipeline hands these to the client at once


@dataclass
class Story:
    """One request from its first step to its end, told by the same rules as the pipeline's."""

    rules: Rules
    pool: Pool
    now: int = NOW
    progress: Progress = field(default_factory=Progress)
    steps: list[Try | Wait | Refuse] = field(default_factory=list)

    def step(self, chance: float) -> Try | Wait | Refuse:
        case = Case(LANES, self.progress, self.pool, self.rules, self.now, chance)
        found = next_step(case)
        assert not isinstance(found, Queue)  # nobody else is under way
        self.steps.append(found)
        return found

    def call(self, step: Try, verdict: Verdict, took_ms: int) -> None:
        failovers = self.progress.failovers + (step.failover and self.progress.last is not None)
        tried = (*self.progress.tried, Tried(step.profile_id, verdict, MODEL))
        self.progress = replace(self.progress, tried=tried, failovers=failovers, waiting_for=None)
        self.now += took_ms
        if step.profile_id in self.pool.members:
            self._learn(step.profile_id, verdict)

    def _learn(self, name: str, verdict: Verdict) -> None:
        if verdict.action is Action.REAUTH:
            self.pool = self.pool.marked(name, verdict.reason)
        elif found := quota.cooldown_for(name, MODEL, verdict, self.now, self.pool.members[name].vitals.ladder, 0.5):
            cooldown, ladder = found
            member = self.pool.members[name]
            self.pool = self.pool.known(name, replace(member.vitals, ladder=ladder))
            self.pool, _ = self.pool.rested(cooldown)

    def wait(self, step: Wait, overslept_ms: int) -> None:
        self.now += step.delay_ms + overslept_ms
        waited = self.progress.waited_ms + step.delay_ms
        self.progress = replace(self.progress, waited_ms=waited, waiting_for=step.profile_id)


clear_verdicts = st.builds(
    judged,
    st.sampled_from(FAILURES),
    st.sampled_from(Scope),
    status=st.none() | st.sampled_from([400, 429, 500, 504]),
    retry_after_s=st.none() | st.floats(0.5, 30) | st.floats(0.5, 10_000),
).filter(lambda verdict: verdict.action not in TURNED_BACK)

verdicts = st.builds(
    lambda verdict, ambiguous: replace(verdict, ambiguous=ambiguous),
    clear_verdicts,
    st.sampled_from([False, False, False, True]),
)

all_rules = st.builds(
    Rules,
    retry_budget=st.integers(0, 5),
    failover_budget=st.none() | st.integers(0, 5),
    max_attempts=st.integers(1, 14),
    backoff=st.builds(Backoff, st.integers(0, 5_000), st.floats(1, 1e9), st.integers(0, 30_000)),
    short_wait_ms=st.integers(0, 10_000),
    hold_ms=st.integers(0, 120_000),
    stop_on_auth_error=st.booleans(),
)


def others_rest(pool: Pool, name: str, for_ms: int, now: int) -> Pool:
    """Another request meets a limit."""
    until = now + for_ms
    cooldown = Cooldown(name, Scope.KEY, None, until, now, ErrorClass.RATE_LIMITED, Source.HEADER, "another's limit")
    return pool.rested(cooldown)[0] if name in pool.members else pool


@st.composite
def meanwhile(draw: st.DrawFn, story: Story) -> Pool:
    """What other requests and the operator may do between two steps."""
    name, pool = draw(st.sampled_from(NAMES)), story.pool
    match draw(st.integers(0, 12)):
        case 0 if name in pool.members:
            return pool.administered(name, draw(st.sampled_from(Admin)), None)
        case 1 if name in pool.members:
            return pool.cleared(name)[0]
        case 2:
            return pool.left(name)
        case 3:
            return pool.joined(member(name))
        case 4:
            return others_rest(pool, name, draw(st.integers(1, 10_000)), story.now)
        case 5 if name in pool.members:
            return pool.moved(PROVIDER, name)
    return pool


def told(
    data: st.DataObject,
    rules: Rules,
    *,
    answers: st.SearchStrategy[Verdict] = verdicts,
    disturbed: bool = True,
) -> Story:
    """A request's whole story with verdicts, chance and time by lot."""
    accounts = data.draw(st.lists(st.sampled_from(["x", "y"]), min_size=0, max_size=4), label="accounts")
    pool = pool_of([member(name, account=account) for name, account in zip(NAMES, accounts, strict=False)])
    story = Story(rules, pool)
    for _ in range(500):
        if disturbed:
            story.pool = data.draw(meanwhile(story))
        step = story.step(data.draw(st.floats(0, 1, exclude_max=True)))
        if isinstance(step, Refuse):
            return story
        if isinstance(step, Wait):
            story.wait(step, data.draw(st.integers(0, 50)))
        else:
            assert story.pool.members[step.profile_id].phase(story.now, MODEL).value == "ready"
            story.call(step, data.draw(answers), data.draw(st.integers(0, 5_000)))
    raise AssertionError("the request did not come to an end")


thorough = settings(deadline=None, max_examples=200)


@pytest.mark.many_cases
@thorough
@given(st.data(), all_rules)
def test_every_request_ends_within_its_budgets(data: st.DataObject, rules: Rules) -> None:
    story = told(data, rules)
    called = [one.profile_id for one in story.progress.tried]
    changes = sum(1 for one, other in zip(called, called[1:], strict=False) if one != other)
    assert len(called) <= rules.max_attempts
    assert all(called.count(name) <= rules.retry_budget + 1 for name in called)
    assert story.progress.failovers == changes
    assert rules.failover_budget is None or changes <= rules.failover_budget
    assert sum(one.verdict.ambiguous for one in story.progress.tried) <= MAX_AMBIGUOUS + 1


@pytest.mark.many_cases
@thorough
@given(st.data(), all_rules)
def test_all_waits_of_a_request_are_bounded(data: st.DataObject, rules: Rules) -> None:
    story = told(data, rules)
    one_retry = max(rules.backoff.max_ms, rules.short_wait_ms)
    assert story.progress.waited_ms <= rules.max_attempts * one_retry + 2 * max(rules.hold_ms, rules.short_wait_ms)
    assert all(step.delay_ms >= 0 for step in story.steps if isinstance(step, Wait))


@pytest.mark.many_cases
@thorough
@given(st.data(), all_rules)
def test_a_profile_is_never_called_twice_in_a_row_without_a_wait(data: st.DataObject, rules: Rules) -> None:
    story = told(data, rules)
    for before, now in zip(story.steps, story.steps[1:], strict=False):
        if isinstance(before, Try) and isinstance(now, Try):
            assert now.profile_id != before.profile_id
            assert now.failover


@pytest.mark.many_cases
@thorough
@given(st.data(), all_rules)
def test_nobody_is_refused_while_a_fresh_profile_is_ready_and_the_budgets_last(
    data: st.DataObject, rules: Rules
) -> None:
    story = told(data, rules)
    end, last = story.steps[-1], story.progress.last
    assert isinstance(end, Refuse)
    stopped = rules.stop_on_auth_error and last is not None and last.verdict.action is Action.REAUTH
    case = Case(LANES, story.progress, story.pool, rules, story.now, 0)
    may_be_paid = sum(one.verdict.ambiguous for one in story.progress.tried) > MAX_AMBIGUOUS
    if len(story.progress.tried) < rules.max_attempts and case.may_change and not stopped and not may_be_paid:
        assert not list(case.fresh())
    assert end.resets_at is None or end.resets_at >= story.now


@pytest.mark.many_cases
@thorough
@given(st.data(), all_rules)
def test_an_undisturbed_request_tries_every_profile_when_no_budget_forbids_it(
    data: st.DataObject, rules: Rules
) -> None:
    generous = replace(rules, failover_budget=None, max_attempts=100, stop_on_auth_error=False)
    story = told(data, generous, answers=clear_verdicts, disturbed=False)
    called = {one.profile_id for one in story.progress.tried}
    if any(one.verdict.cls is ErrorClass.NETWORK for one in story.progress.tried):
        return  # all are at one address, and it cannot be reached
    for name, one in story.pool.members.items():
        assert name in called or one.phase(story.now, MODEL).value != "ready"


def test_a_request_waits_for_what_another_request_has_rested() -> None:
    story = Story(Rules(), others_rest(pool_of([member("a")]), "a", 2_000, NOW))
    waiting = story.step(0)
    assert isinstance(waiting, Wait)
    story.wait(waiting, 1)
    assert isinstance(story.step(0), Try)
