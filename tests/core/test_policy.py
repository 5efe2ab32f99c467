"""What is done next for a call: on the same profile, elsewhere, after a wait, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import MODEL, NOW, PROVIDER, judged, member, rest, unhurried
from tray_app.core.policy import Backoff, Case, Progress, Refuse, Rules, Step, Tried, Try, Wait, Why, next_step
from tray_app.core.pool import Member, Pool, pool_of
from tray_app.core.values import Action, Admin, ErrorClass, Scope, Verdict

C = ErrorClass
UNTRIED = Progress()
PLAIN = Rules(backoff=Backoff(jitter="none"))
LIMITED = judged(C.RATE_LIMITED, status=429)
SPENT = judged(C.QUOTA_EXHAUSTED, status=402)
BROKEN = judged(C.SERVER_ERROR, status=500)
OFFLINE = judged(C.NETWORK, status=None)
SLOW = judged(C.TIMEOUT, status=None)
SLOW_UPSTREAM = judged(C.TIMEOUT, status=504)
REFUSED = judged(C.AUTH, status=401)
NO_KEY = judged(C.AUTH, status=None)
NO_MODEL = judged(C.MODEL_UNAVAILABLE, Scope.MODEL, status=404)


def after(*tried: tuple[str, Verdict], **progress: object) -> Progress:
    """The progress of a request that had these answers, one after the other."""
    calls = tuple(Tried(name, verdict) for name, verdict in tried)
    changes = sum(1 for one, other in zip(calls, calls[1:], strict=False) if one.profile_id != other.profile_id)
    return replace(Progress(calls, changes), **progress)  # type: ignore[arg-type]


def step(
    members: Sequence[Member],
    progress: Progress = UNTRIED,
    rules: Rules = PLAIN,
    *,
    pool: Pool | None = None,
    model: str | None = MODEL,
    chance: float = 0.5,
) -> Step:
    return next_step(Case(model, PROVIDER, progress, pool or pool_of(members), rules, NOW, chance))


# -- the first call


def test_the_first_profile_that_can_serve_is_called() -> None:
    assert step([member("main"), member("spare")]) == Try("main", "first of the profiles that can serve")


def test_the_current_profile_stays_in_use() -> None:
    pool = pool_of([member("main"), member("spare")]).moved(PROVIDER, "spare")
    assert step([], pool=pool) == Try("spare", "the current profile stays in use")


def test_the_preferred_profile_is_called_by_that_name() -> None:
    pool = pool_of([member("main"), member("spare")]).prefers("spare")
    assert step([], pool=pool) == Try("spare", "preferred by the operator")


def test_a_profile_that_cannot_serve_is_passed_over_without_a_change_being_counted() -> None:
    found = step([member("main", rest("main")), member("spare")])
    assert found == Try("spare", "first of the profiles that can serve", failover=False)


def test_a_short_rest_of_all_is_waited_for_before_the_first_call() -> None:
    members = [member("main", rest("main", 4_000)), member("spare", rest("spare", 3_000))]
    assert step(members) == Wait("spare", 3_000, "nothing else can serve: the rate limit is reached")


def test_a_long_rest_of_all_is_not_waited_for() -> None:
    members = [member("main", rest("main", 60_000)), member("spare", rest("spare", 90_000))]
    assert step(members) == Refuse(Why.LIMITED, "no profile can serve now", NOW + 60_000)


def test_a_long_rest_is_waited_for_if_settings_say_so() -> None:
    found = step([member("main", rest("main", 60_000))], rules=replace(PLAIN, hold_ms=60_000))
    assert isinstance(found, Wait)
    assert found.delay_ms == 60_000


@pytest.mark.parametrize(
    ("members", "why"),
    [
        pytest.param([], Why.NO_PROFILE, id="nobody is there"),
        pytest.param([member("a", provider="other")], Why.NO_PROFILE, id="nobody of this provider"),
        pytest.param([member("a", admin=Admin.PAUSED)], Why.PAUSED, id="all are paused"),
        pytest.param(
            [member("a", admin=Admin.DISABLED), member("b", admin=Admin.DRAINING)], Why.PAUSED, id="all are out"
        ),
        pytest.param([member("a", reauth="x")], Why.REAUTH, id="all are refused"),
        pytest.param([member("a", admin=Admin.PAUSED), member("b", reauth="x")], Why.REAUTH, id="one is refused"),
        pytest.param([member("a", reauth="x"), member("b", rest("b"))], Why.LIMITED, id="one is only resting"),
    ],
)
def test_the_reason_is_told_when_nobody_can_serve(members: list[Member], why: Why) -> None:
    found = step(members)
    assert isinstance(found, Refuse)
    assert found.why is why


def test_a_rest_is_no_hope_where_something_else_bars_the_profile() -> None:
    members = [
        member("paused", rest("paused", 1_000), admin=Admin.PAUSED),
        member("refused", rest("refused", 1_000), reauth="x"),
        member("resting", rest("resting", 60_000)),
    ]
    assert step(members) == Refuse(Why.LIMITED, "no profile can serve now", NOW + 60_000)


# -- limits


def limited(for_ms: int) -> Member:
    return member("main", rest("main", for_ms))


@pytest.mark.parametrize("verdict", [pytest.param(LIMITED, id="a rate"), pytest.param(SPENT, id="a quota")])
def test_a_limit_moves_on_at_once_while_another_is_free(verdict: Verdict) -> None:
    found = step([limited(1_000), member("spare")], after(("main", verdict)))
    assert found == Try("spare", verdict.reason, failover=True)


def test_a_limit_waits_when_nothing_else_is_left_and_the_wait_is_short() -> None:
    found = step([limited(2_000), member("spare", reauth="x")], after(("main", LIMITED)))
    assert found == Wait("main", 2_000, "nothing else can serve: the rate limit is reached")


def test_a_limit_does_not_wait_long() -> None:
    found = step([limited(60_000)], after(("main", LIMITED)))
    assert found == Refuse(Why.LIMITED, "no other profile is left", NOW + 60_000)


def test_waits_of_one_request_add_up() -> None:
    found = step([limited(2_000)], after(("main", LIMITED), waited_ms=3_001))
    assert isinstance(found, Refuse)


def test_after_the_wait_the_same_profile_is_called_without_counting_a_change() -> None:
    found = step([member("main")], after(("main", LIMITED), waiting_for="main"))
    assert found == Try("main", "again, after the wait", failover=False)


def test_after_the_wait_for_another_profile_the_change_is_counted() -> None:
    members = [member("main"), member("spare", rest("spare", 60_000))]
    found = step(members, after(("main", LIMITED), ("spare", LIMITED), waiting_for="main"))
    assert found == Try("main", "back after the wait", failover=True)


def test_a_profile_that_is_still_out_after_the_wait_is_not_called() -> None:
    found = step([limited(60_000)], after(("main", LIMITED), waiting_for="main"))
    assert isinstance(found, Refuse)


def test_a_profile_is_waited_for_while_it_has_calls_left() -> None:
    found = step([limited(2_000)], after(*[("main", LIMITED)] * 3))
    assert isinstance(found, Wait)


def test_a_profile_that_has_had_its_calls_is_not_waited_for() -> None:
    found = step([limited(2_000)], after(*[("main", LIMITED)] * 4))
    assert isinstance(found, Refuse)


def test_a_limit_that_rests_nobody_is_not_asked_again() -> None:
    assert step([member("main")], after(("main", LIMITED))) == Refuse(Why.LIMITED, "no other profile is left", None)


# -- broken answers


def test_a_broken_answer_is_asked_for_again_after_a_backoff() -> None:
    members = [member("main"), member("spare")]
    assert step(members, after(("main", BROKEN))) == Wait("main", 1_000, BROKEN.reason)
    assert step(members, after(("main", BROKEN), waiting_for="main")) == Try("main", "again, after the wait")


def test_backoffs_grow_until_the_budget_of_retries_is_spent_and_then_another_is_called() -> None:
    members, waits = [member("main"), member("spare")], []
    for calls in range(1, 4):
        found = step(members, after(*[("main", BROKEN)] * calls))
        assert isinstance(found, Wait)
        waits.append(found.delay_ms)
    assert waits == [1_000, 2_000, 4_000]
    assert step(members, after(*[("main", BROKEN)] * 4)) == Try("spare", BROKEN.reason, failover=True)


def test_a_dead_network_is_tried_once_more() -> None:
    members = [member("main"), member("spare")]
    assert isinstance(step(members, after(("main", OFFLINE))), Wait)
    assert step(members, after(*[("main", OFFLINE)] * 2)) == Try("spare", OFFLINE.reason, failover=True)


def test_a_dead_network_is_not_even_tried_twice_without_a_budget_of_retries() -> None:
    found = step([member("main"), member("spare")], after(("main", OFFLINE)), replace(PLAIN, retry_budget=0))
    assert found == Try("spare", OFFLINE.reason, failover=True)


@pytest.mark.parametrize(
    ("stated_s", "delay_ms"),
    [
        pytest.param(0.5, 1_000, id="not less than the backoff"),
        pytest.param(3.0, 3_000, id="as long as is stated"),
        pytest.param(5.0, 5_000, id="as long as a wait is short"),
    ],
)
def test_a_stated_wait_is_kept_while_it_is_short(stated_s: float, delay_ms: int) -> None:
    busy = judged(C.OVERLOADED, retry_after_s=stated_s)
    assert step([member("main"), member("spare")], after(("main", busy))) == Wait("main", delay_ms, busy.reason)


def test_a_long_stated_wait_goes_elsewhere() -> None:
    busy = judged(C.OVERLOADED, retry_after_s=6)
    assert step([member("main"), member("spare")], after(("main", busy))) == Try("spare", busy.reason, failover=True)


def test_a_long_stated_wait_is_held_out_only_where_nothing_else_is_left() -> None:
    busy, patient = judged(C.OVERLOADED, retry_after_s=60), replace(PLAIN, hold_ms=90_000)
    pair = [member("main"), member("spare")]
    assert isinstance(step(pair, after(("main", busy)), patient), Try)
    assert step(pair[:1], after(("main", busy)), patient) == Wait("main", 60_000, busy.reason)
    assert isinstance(step(pair[:1], after(("main", busy), waited_ms=30_000), patient), Wait)
    assert isinstance(step(pair[:1], after(("main", busy), waited_ms=30_001), patient), Refuse)
    spent_budget = replace(patient, failover_budget=0)
    assert isinstance(step(pair, after(("main", busy)), spent_budget), Wait)


def test_a_profile_that_was_taken_out_meanwhile_is_left_alone() -> None:
    spare = member("spare")
    for gone in ([spare], [member("main", admin=Admin.PAUSED), spare], [limited(60_000), spare]):
        assert step(gone, after(("main", BROKEN), waiting_for="main")) == Try("spare", BROKEN.reason, failover=True)


# -- answers that may have to be paid for

CUT = replace(BROKEN, ambiguous=True)
DEAD = replace(OFFLINE, ambiguous=True)


def test_after_a_call_that_may_have_to_be_paid_for_the_next_goes_elsewhere_at_once() -> None:
    assert step([member("main"), member("spare")], after(("main", CUT))) == Try("spare", CUT.reason, failover=True)


def test_it_is_made_again_where_nobody_else_can_serve() -> None:
    assert isinstance(step([member("main")], after(("main", CUT))), Wait)
    no_change = replace(PLAIN, failover_budget=0)
    assert isinstance(step([member("main"), member("spare")], after(("main", CUT)), no_change), Wait)
    assert step([member("main")], after(("main", CUT), waiting_for="main")) == Try("main", "again, after the wait")


def test_after_two_of_them_no_more_are_made() -> None:
    members = [member("main"), member("spare"), member("third")]
    found = step(members, after(("main", CUT), ("spare", CUT)))
    assert found == Refuse(Why.BROKEN, CUT.reason, NOW)


def test_a_line_that_was_cut_is_not_called_offline() -> None:
    found = step([member("main")], after(("main", DEAD), ("main", DEAD)))
    assert isinstance(found, Refuse)
    assert found.why is Why.BROKEN


# -- timeouts, keys, models


@pytest.mark.parametrize(
    "verdict",
    [
        pytest.param(SLOW, id="no answer in time"),
        pytest.param(SLOW_UPSTREAM, id="a timeout of the provider's own"),
        pytest.param(REFUSED, id="a refused key"),
        pytest.param(NO_MODEL, id="a model that is not there"),
    ],
)
def test_some_answers_go_elsewhere_at_once(verdict: Verdict) -> None:
    found = step([member("main"), member("spare")], after(("main", verdict)))
    assert found == Try("spare", verdict.reason, failover=True)


def test_a_refused_key_stops_if_settings_say_so() -> None:
    stop = replace(PLAIN, stop_on_auth_error=True)
    members = [member("main", reauth="x"), member("spare")]
    found = step(members, after(("main", REFUSED)), stop)
    assert found == Refuse(Why.LAST_ANSWER, "settings say to stop when a key is refused")
    found = step(members, after(("main", NO_KEY)), stop)
    assert found == Refuse(Why.REAUTH, "settings say to stop when a key is refused")


def test_a_refused_key_stops_before_the_cap_is_looked_at() -> None:
    stop = replace(PLAIN, stop_on_auth_error=True, max_attempts=1)
    found = step([member("main", reauth="x")], after(("main", REFUSED)), stop)
    assert isinstance(found, Refuse)
    assert found.why is Why.LAST_ANSWER


@pytest.mark.parametrize(
    ("tried", "why"),
    [
        pytest.param([("main", NO_MODEL)], Why.LAST_ANSWER, id="a missing model: in the provider's words"),
        pytest.param([("main", SLOW)], Why.BROKEN, id="no answer in time"),
        pytest.param([("main", SLOW_UPSTREAM)], Why.BROKEN, id="a timeout says nothing better than we do"),
        pytest.param([("main", BROKEN)] * 4, Why.BROKEN, id="broken answers"),
        pytest.param([("main", OFFLINE)] * 2, Why.OFFLINE, id="nothing but dead lines"),
        pytest.param([("spare", BROKEN), *[("main", OFFLINE)] * 2], Why.BROKEN, id="a dead line after an answer"),
        pytest.param([("main", LIMITED)], Why.LIMITED, id="a limit"),
    ],
)
def test_the_end_says_what_came_last(tried: list[tuple[str, Verdict]], why: Why) -> None:
    found = step([member("main")], after(*tried))
    assert isinstance(found, Refuse)
    assert found.why is why


def test_the_end_of_refused_keys_asks_for_new_ones() -> None:
    found = step(
        [member("main", reauth="x"), member("spare", reauth="x")], after(("main", REFUSED), ("spare", REFUSED))
    )
    assert isinstance(found, Refuse)
    assert found.why is Why.REAUTH


# -- budgets


def test_profiles_are_changed_as_often_as_the_budget_allows() -> None:
    members = [member(name) for name in "abcd"]
    progress = after(("a", SPENT), ("b", SPENT))
    assert step(members, progress) == Try("c", SPENT.reason, failover=True)
    spent = step(members, after(("a", SPENT), ("b", SPENT), ("c", SPENT)))
    assert isinstance(spent, Refuse)
    assert spent.reason == "the budget of profile changes is spent"


def test_every_profile_is_tried_once_without_a_budget() -> None:
    members, everyone = [member(name) for name in "abcd"], replace(PLAIN, failover_budget=None)
    assert step(members, after(*[(name, SPENT) for name in "abc"]), everyone) == Try("d", SPENT.reason, failover=True)
    assert isinstance(step(members, after(*[(name, SPENT) for name in "abcd"]), everyone), Refuse)


def test_a_profile_that_was_not_asked_for_want_of_budget_could_serve_now() -> None:
    members = [member("main", rest("main")), member("spare")]
    found = step(members, after(("main", SPENT)), replace(PLAIN, failover_budget=0))
    assert found == Refuse(Why.LIMITED, "the budget of profile changes is spent", NOW)


def test_with_the_budget_spent_only_the_last_profile_is_waited_for() -> None:
    members = [member("a", rest("a", 1_000)), member("b", rest("b", 2_000))]
    once = replace(PLAIN, failover_budget=1)
    assert step(members, after(("a", LIMITED), ("b", LIMITED)), once) == Wait(
        "b", 2_000, "nothing else can serve: the rate limit is reached"
    )
    assert step(members, after(("a", LIMITED), ("b", LIMITED))) == Wait(
        "a", 1_000, "nothing else can serve: the rate limit is reached"
    )


def test_the_cap_on_calls_holds_whatever_the_budgets_say() -> None:
    capped = replace(PLAIN, max_attempts=2, retry_budget=9)
    found = step([member("main"), member("spare")], after(*[("main", BROKEN)] * 2), capped)
    assert found == Refuse(Why.BROKEN, BROKEN.reason, NOW)


def test_without_settings_the_budgets_are_those_of_the_contract() -> None:
    rules = Rules()
    assert (rules.retry_budget, rules.failover_budget, rules.max_attempts) == (3, 2, 12)
    assert (rules.hold_ms, rules.stop_on_auth_error) == (0, False)
    assert rules.backoff == Backoff(base_ms=1_000, multiplier=2.0, max_ms=30_000, jitter="full")


# -- backoff


@pytest.mark.parametrize(
    ("jitter", "chance", "delays"),
    [
        pytest.param("none", 0.9, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000], id="none: as computed"),
        pytest.param("full", 0.5, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000], id="full: from nothing to all"),
        pytest.param("equal", 0.5, [750, 1_500, 3_000, 6_000, 12_000, 22_500, 22_500], id="equal: from half to all"),
    ],
)
def test_backoff(jitter: str, chance: float, delays: list[int]) -> None:
    backoff = Backoff(jitter=jitter)
    assert [backoff.delay_ms(retry, chance) for retry in range(1, 8)] == delays


@unhurried
@given(
    st.integers(0, 10**6),
    st.floats(1, 1e300),
    st.integers(0, 10**6),
    st.sampled_from(["full", "equal", "none"]),
    st.integers(1, 10**4),
    st.floats(0, 1, exclude_max=True),
)
def test_no_setting_makes_a_backoff_longer_than_its_bound(
    base_ms: int, multiplier: float, max_ms: int, jitter: str, retry: int, chance: float
) -> None:
    backoff = Backoff(base_ms, multiplier, max_ms, jitter)
    delay = backoff.delay_ms(retry, chance)
    assert 0 <= delay <= max_ms
    assert Backoff(base_ms, multiplier, max_ms, "none").delay_ms(retry, 0) >= delay


def test_the_last_call_is_the_last_one() -> None:
    assert Progress().last is None
    progress = after(("a", BROKEN), ("b", BROKEN), ("a", SPENT))
    assert progress.last == Tried("a", SPENT)
    assert (progress.calls_on("a"), progress.calls_on("c")) == (2, 0)


def test_an_answer_that_is_none_goes_elsewhere() -> None:
    answered = Verdict(C.OK, Scope.NONE, Action.SERVE, "answered", status=200)
    assert step([member("main"), member("spare")], after(("main", answered))) == Try("spare", "answered", failover=True)


# -- calls that broke off, and may have to be paid for

BROKE_OFF = replace(judged(C.NETWORK, status=None), ambiguous=True)


def test_after_a_call_that_broke_off_the_one_call_left_goes_to_another_profile() -> None:
    assert step([member("main"), member("spare")], after(("main", BROKE_OFF))) == Try(
        "spare", BROKE_OFF.reason, failover=True
    )


def test_a_single_profile_is_tried_once_more_after_a_call_that_broke_off() -> None:
    assert isinstance(step([member("main")], after(("main", BROKE_OFF))), Wait)


def test_two_calls_that_broke_off_are_followed_by_none() -> None:
    members = [member("main"), member("spare"), member("third")]
    found = step(members, after(("main", BROKE_OFF), ("spare", BROKE_OFF)))
    assert isinstance(found, Refuse) and found.why is Why.BROKEN
