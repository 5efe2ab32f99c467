"""What is done next for a call: on the same profile, elsewhere, after a wait, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import MODEL, NOW, PROVIDER, judged, member, rest, unhurried
from tray_app.core import policy
from tray_app.core.policy import (
    LARGE_BYTES,
    Backoff,
    Case,
    Lane,
    Progress,
    Queue,
    Refuse,
    Rules,
    Step,
    Strategy,
    Target,
    Tried,
    Try,
    Wait,
    Why,
    next_step,
)
from tray_app.core.pool import Choice, Member, Pool, pool_of
from tray_app.core.values import Action, Admin, Cooldown, ErrorClass, Scope, Source, Verdict
from tray_app.core.vitals import Ceiling, Ramp, Vitals


@pytest.fixture(autouse=True)
def _together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for the end of a rest are not spread, so that they can be told to the millisecond."""
    monkeypatch.setattr(policy, "SPREAD_MS", 0)


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
    calls = tuple(Tried(name, verdict, MODEL) for name, verdict in tried)
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
    **more: Any,
) -> Step:
    found = next_step(Case((Lane(PROVIDER, model),), progress, pool or pool_of(members), rules, NOW, chance, **more))
    if isinstance(found, Try):
        assert found.lane == Lane(PROVIDER, model)
        return replace(found, lane=None)
    return found


def busy(name: str, in_flight: int = 1, *rests: Cooldown, **vitals: Any) -> Member:
    """A profile that carries so many calls."""
    return member(name, *rests, in_flight=in_flight, vitals=Vitals(**vitals))


def full(name: str, *rests: Cooldown, **vitals: Any) -> Member:
    """A profile that carries as many calls as it may."""
    return busy(name, 10, *rests, **vitals)


# -- the first call


def test_the_first_profile_that_can_serve_is_called() -> None:
    assert step([member("main"), member("spare")]) == Try("main", "first of the profiles that can serve")


def test_the_current_profile_stays_in_use() -> None:
    pool = pool_of([member("main"), member("spare")]).moved(PROVIDER, "main").moved(PROVIDER, "spare", fled_at=NOW)
    assert step([], pool=pool) == Try("spare", "the current profile stays in use")


def test_the_preferred_profile_is_called_by_that_name() -> None:
    pool = pool_of([member("main"), member("spare")]).chosen(Choice("spare"))
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


def test_of_two_that_are_back_at_once_the_more_wanted_is_waited_for() -> None:
    for order in (("main", "spare"), ("spare", "main")):
        found = step([member(name, rest(name, 2_000)) for name in order])
        assert found == Wait(order[0], 2_000, "nothing else can serve: the rate limit is reached")


@pytest.mark.parametrize(("left_ms", "delay_ms"), [(1, 1), (2, 2)])
def test_a_wait_is_no_longer_than_the_rest(left_ms: int, delay_ms: int) -> None:
    found = step([limited(left_ms)])
    assert isinstance(found, Wait)
    assert found.delay_ms == delay_ms
    found = step([limited(left_ms), busy("spare")], after(("main", BRIEF)))
    assert isinstance(found, Wait)
    assert found.delay_ms == delay_ms


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


def test_a_backoff_is_spread_by_chance() -> None:
    assert step([member("main")], after(("main", BROKEN)), Rules(), chance=0.25) == Wait("main", 250, BROKEN.reason)


def test_backoffs_grow_until_the_budget_of_retries_is_spent_and_then_another_is_called() -> None:
    members, waits = [member("main"), member("spare")], []
    for calls in range(1, 4):
        found = step(members, after(*[("main", BROKEN)] * calls))
        assert isinstance(found, Wait)
        waits.append(found.delay_ms)
    assert waits == [1_000, 2_000, 4_000]
    assert step(members, after(*[("main", BROKEN)] * 4)) == Try("spare", BROKEN.reason, failover=True)


def test_a_dead_network_is_tried_once_more() -> None:
    members = [member("main"), elsewhere("spare")]
    assert isinstance(step(members, after(("main", OFFLINE))), Wait)
    assert step(members, after(*[("main", OFFLINE)] * 2)) == Try("spare", OFFLINE.reason, failover=True)


def elsewhere(name: str, *rests: Cooldown) -> Member:
    """A profile at another address of the provider."""
    one = member(name, *rests)
    return replace(one, profile=replace(one.profile, base_url="https://other.example/v1"))


def test_another_key_does_not_mend_a_dead_line() -> None:
    found = step([member("main"), member("spare")], after(*[("main", OFFLINE)] * 2))
    assert found == Refuse(Why.OFFLINE, OFFLINE.reason, None)


def test_the_dead_line_of_a_profile_that_has_gone_says_nothing_of_others() -> None:
    assert step([member("spare")], after(("gone", OFFLINE))) == Try("spare", OFFLINE.reason, failover=True)


def test_a_dead_network_is_not_even_tried_twice_without_a_budget_of_retries() -> None:
    found = step([member("main"), elsewhere("spare")], after(("main", OFFLINE)), replace(PLAIN, retry_budget=0))
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
    spare, for_model = member("spare"), member("main", rest("main", scope=Scope.KEY_MODEL, model=MODEL))
    for gone in ([spare], [member("main", admin=Admin.PAUSED), spare], [limited(60_000), spare], [for_model, spare]):
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


def test_the_cap_on_calls_is_told_where_nobody_else_has_better_words() -> None:
    found = step(
        [member("main", rest("main")), member("spare")], after(("main", SPENT)), replace(PLAIN, max_attempts=1)
    )
    assert found == Refuse(Why.LIMITED, "the cap on calls for one request is reached", NOW)
    paid = replace(SPENT, ambiguous=True)
    found = step([member("main", rest("main"))], after(("main", paid), ("main", paid)))
    reason = "calls broke off that may have to be paid for; no more are made"
    assert found == Refuse(Why.LIMITED, reason, NOW + 60_000)


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
    assert progress.last == Tried("a", SPENT, MODEL)
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


def test_calls_whose_client_had_text_of_them_are_paid_for_already_and_do_not_count() -> None:
    members = [member("main"), member("spare"), member("third")]
    tried = tuple(Tried(name, BROKE_OFF, MODEL, told=True) for name in ("main", "spare"))
    progress = Progress(tried, failovers=1)
    assert step(members, progress) == Try("third", BROKE_OFF.reason, failover=True)
    lost = replace(progress, tried=(*tried, Tried("third", BROKE_OFF, MODEL), Tried("third", BROKE_OFF, MODEL)))
    assert isinstance(step(members, lost), Refuse)


# -- a rate limit that is over in a moment

BRIEF = judged(C.RATE_LIMITED, status=429, retry_after_s=2)
PASSING = rest("main", 2_000)
HOP = Try("spare", BRIEF.reason, failover=True, moves=False)
NOBODY_IDLE = Wait("main", 2_000, "no other profile is idle, and the wait is short: the rate limit is reached")
DEAR = Wait("main", 2_000, "the conversation is large, and the wait is short: the rate limit is reached")


def briefly(*others: Member, tried: int = 1, waited_ms: int = 0, rules: Rules = PLAIN, **more: Any) -> Step:
    """The first profile has answered that it takes calls again in two seconds."""
    progress = after(*[("main", BRIEF)] * tried, waited_ms=waited_ms)
    return step([member("main", PASSING), *others], progress, rules, **more)


@pytest.mark.parametrize(
    ("others", "more", "then"),
    [
        pytest.param([member("spare")], {}, HOP, id="one hop to an idle one"),
        pytest.param([busy("spare")], {}, NOBODY_IDLE, id="nobody else is idle: a wait"),
        pytest.param([], {}, NOBODY_IDLE, id="nobody else is there: a wait"),
        pytest.param([member("spare")], {"held": "main", "size": LARGE_BYTES}, DEAR, id="a large prompt: a wait"),
        pytest.param([member("spare")], {"held": "main", "size": LARGE_BYTES - 1}, HOP, id="a smaller one: a hop"),
        pytest.param([member("spare")], {"held": "spare", "size": LARGE_BYTES}, HOP, id="large, but not at home there"),
        pytest.param([member("spare")], {"size": LARGE_BYTES}, HOP, id="large, but it begins"),
        pytest.param([busy("spare")], {"held": "main", "size": LARGE_BYTES}, NOBODY_IDLE, id="large, and nobody idle"),
        pytest.param([busy("x"), member("spare")], {}, HOP, id="the idle one before a busy one"),
        pytest.param([member("spare"), member("x")], {}, HOP, id="the first of the idle ones"),
        pytest.param([busy("spare")], {"waited_ms": 3_000}, NOBODY_IDLE, id="five seconds in all"),
        pytest.param([busy("spare")], {"waited_ms": 3_001}, HOP, id="and no more"),
        pytest.param([busy("spare")], {"tried": 4}, HOP, id="its calls are spent"),
        pytest.param([busy("spare")], {"tried": 3}, NOBODY_IDLE, id="it has one call left"),
        pytest.param(
            [busy("spare")],
            {"rules": replace(PLAIN, short_wait_ms=1_999)},
            Try("spare", BRIEF.reason, failover=True),
            id="for settings that wait less it is no short wait: the pool goes along",
        ),
        pytest.param([busy("spare")], {"rules": replace(PLAIN, short_wait_ms=2_000)}, NOBODY_IDLE, id="at the bound"),
        pytest.param(
            [member("spare")], {"rules": replace(PLAIN, failover_budget=0)}, NOBODY_IDLE, id="no change is left"
        ),
        pytest.param([member("spare", rest("spare"))], {}, NOBODY_IDLE, id="the other one rests"),
    ],
)
def test_a_short_rate_limit(others: list[Member], more: dict[str, Any], then: Step) -> None:
    assert briefly(*others, **more) == then


def test_a_rest_for_this_model_alone_is_as_short() -> None:
    resting = member("main", rest("main", 2_000, Scope.KEY_MODEL, MODEL))
    assert step([resting, busy("spare")], after(("main", BRIEF))) == NOBODY_IDLE


def test_a_burst_that_meets_it_is_spread_over_the_idle_and_then_waits() -> None:
    pool = pool_of([busy("main", 6, PASSING), member("b"), member("c"), busy("d")])
    went = []
    for _ in range(4):
        found = step([], after(("main", BRIEF)), pool=pool)
        assert isinstance(found, Try | Wait)
        went.append(found.profile_id)
        if isinstance(found, Try):
            pool = pool.leased(found.profile_id)
    assert went == ["b", "c", "main", "main"]


@pytest.mark.parametrize(
    ("member_", "verdict"),
    [
        pytest.param(member("main", rest("main", 6_000)), BRIEF, id="another rest is longer"),
        pytest.param(member("main", PASSING), SPENT, id="a quota"),
        pytest.param(member("main", PASSING), replace(SPENT, retry_after_s=2.0), id="a quota that names a time"),
        pytest.param(member("main", PASSING), LIMITED, id="a rate that names no time"),
        pytest.param(member("main"), BRIEF, id="nobody rests"),
    ],
)
def test_other_limits_move_the_pool(member_: Member, verdict: Verdict) -> None:
    found = step([member_, busy("spare")], after(("main", verdict)))
    assert found == Try("spare", verdict.reason, failover=True)


@pytest.mark.parametrize(
    ("rested", "others", "more", "then"),
    [
        pytest.param(PASSING, [busy("spare")], {}, NOBODY_IDLE, id="nobody else is idle: a wait"),
        pytest.param(PASSING, [], {}, NOBODY_IDLE, id="nobody else is there: a wait"),
        pytest.param(PASSING, [member("spare")], {"size": LARGE_BYTES}, DEAR, id="a large prompt: a wait"),
        pytest.param(PASSING, [member("spare")], {}, "this call", id="else one hop, and home again"),
        pytest.param(PASSING, [busy("x"), member("spare")], {}, "this call", id="to the idle one"),
        pytest.param(
            PASSING,
            [member("spare")],
            {"rules": replace(PLAIN, failover_budget=0)},
            "this call",
            id="the first call is no change",
        ),
        pytest.param(rest("main", 5_000), [busy("spare")], {}, 5_000, id="at the bound: a wait"),
        pytest.param(rest("main", 5_001), [busy("spare")], {}, "for good", id="a longer rest: it moves for good"),
        pytest.param(rest("main", 2_000, source=Source.INFERRED), [busy("spare")], {}, "for good", id="a guess"),
        pytest.param(rest("main", 2_000, cls=C.QUOTA_EXHAUSTED), [busy("spare")], {}, "for good", id="a quota"),
        pytest.param(
            PASSING, [busy("spare")], {"progress": Progress(waited_ms=3_001)}, "this call", id="it has waited enough"
        ),
        pytest.param(
            PASSING, [busy("spare")], {"progress": Progress(waited_ms=3_000)}, 2_000, id="it may wait a little more"
        ),
    ],
)
def test_a_conversation_whose_profile_is_back_in_a_moment(
    rested: Cooldown, others: list[Member], more: dict[str, Any], then: Step | str | int
) -> None:
    found = step([member("main", rested), *others], **{"held": "main", **more})
    if isinstance(then, int):
        assert found == replace(NOBODY_IDLE, delay_ms=then)
    elif isinstance(then, str):
        stays = then == "this call"
        reason = "main is back in a moment" if stays else "first of the profiles that can serve"
        assert found == Try("spare", reason, moves=not stays)
    else:
        assert found == then


@pytest.mark.parametrize(
    "out",
    [
        pytest.param(member("main", PASSING, reauth="x"), id="its key is refused"),
        pytest.param(member("main", PASSING, admin=Admin.PAUSED), id="it is paused"),
        pytest.param(member("main", PASSING, vitals=Vitals(open_until=NOW + 1)), id="its circuit is open"),
        pytest.param(member("x", reauth="x"), id="it has gone"),
    ],
)
def test_one_that_is_out_for_another_reason_is_not_waited_for(out: Member) -> None:
    spare = Try("spare", "first of the profiles that can serve")
    assert step([out, busy("spare")], held="main") == spare
    assert step([out, busy("spare")], after(("main", BRIEF))) == replace(spare, reason=BRIEF.reason, failover=True)


def test_a_pin_waits_for_its_profile_as_a_conversation_does() -> None:
    pool = pool_of([member("main", PASSING), busy("spare")]).chosen(Choice("main", pinned=True))
    assert step([], pool=pool, held="spare") == NOBODY_IDLE
    assert step([], pool=pool.chosen(Choice("main")), held=None) == NOBODY_IDLE


def test_a_moments_rest_of_the_current_profile_moves_no_new_conversation_for_good() -> None:
    current = pool_of([member("main", PASSING), member("spare")]).moved(PROVIDER, "main")
    assert step([], pool=current) == Try("spare", "main is back in a moment", moves=False)
    taken = pool_of([member("main", PASSING), busy("spare")]).moved(PROVIDER, "main")
    assert step([], pool=taken) == NOBODY_IDLE
    assert isinstance(step([], pool=taken, rules=Rules(strategy=Strategy.PRIORITY)), Try)


@pytest.mark.parametrize(("chance", "delay_ms"), [(0.0, 4_000), (0.5, 4_125), (0.999, 4_250)])
def test_the_end_of_a_rest_finds_not_everybody_there_in_one_moment(
    chance: float, delay_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "SPREAD_MS", 250)
    found = step([member("main", rest("main", 4_000))], chance=chance)
    assert isinstance(found, Wait) and found.delay_ms == delay_ms


def test_a_short_wait_is_spread_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "SPREAD_MS", 250)
    found = step([member("main", rest("main", 400))], chance=0.999)
    assert isinstance(found, Wait) and found.delay_ms == 500


@pytest.mark.parametrize(
    ("verdict", "rules"),
    [
        pytest.param(replace(LIMITED, scope=Scope.REQUEST), Rules(), id="a request that is too large for it stays so"),
        pytest.param(
            replace(LIMITED, crowded=True), Rules(), id="it spoke of too many at once: that is a place, not a rest"
        ),
        pytest.param(LIMITED, Rules(retry_budget=0), id="it has been called as often as it may"),
        pytest.param(
            LIMITED, Rules(targets={"main": Target(retry_budget=0)}), id="it has been called as often as its own say"
        ),
    ],
)
def test_a_call_that_waits_for_a_place_does_not_go_back(verdict: Verdict, rules: Rules) -> None:
    tried = replace(after(("main", verdict)), queued_ms=500)
    assert isinstance(step([member("main"), full("spare")], tried, rules), Queue)


def test_it_does_not_go_back_while_the_model_rests_there() -> None:
    members = [member("main", rest("main", 60_000, Scope.KEY_MODEL, MODEL)), full("spare")]
    assert isinstance(step(members, replace(after(("main", LIMITED)), queued_ms=500)), Queue)


def test_it_goes_back_past_one_that_refused_it_and_with_the_last_call_that_it_has_left() -> None:
    tried = replace(after(("a", REFUSED), ("main", LIMITED)), queued_ms=500)
    found = step([member("a"), member("main"), full("spare")], tried, Rules(retry_budget=1))
    assert found == Try("main", "its rest is over, and the others are full", moves=False)


def test_it_goes_back_by_the_way_on_which_it_met_the_limit() -> None:
    lanes = (Lane(PROVIDER, "m1"), Lane(PROVIDER, "m2"))
    tried = (Tried("main", LIMITED, "m1"), Tried("main", LIMITED, "m2"))
    rests = rest("main", 60_000, Scope.KEY_MODEL, "m2")
    pool = pool_of([member("main", rests), full("spare")])
    found = next_step(Case(lanes, Progress(tried, queued_ms=500), pool, Rules(), NOW, 0.5))
    assert found == Try("main", "its rest is over, and the others are full", True, lanes[0], moves=False)


def test_nobody_is_waited_for_at_an_address_that_cannot_be_reached() -> None:
    dead = judged(C.NETWORK, status=None)
    members = [member("main"), member("spare", rest("spare", 1_000))]
    found = step(members, after(("main", dead), ("main", dead)), Rules(retry_budget=0))
    assert isinstance(found, Refuse) and found.why is Why.OFFLINE
    tried = after(("main", dead))
    then = Wait("spare", 1_000, "nothing else can serve: the rate limit is reached")
    for main in (members[0], member("main", rest("main", 500))):
        other = elsewhere("spare", rest("spare", 1_000))
        assert step([main, other], tried, Rules(retry_budget=0)) == then


@pytest.mark.parametrize("strategy", [Strategy.STICKY, Strategy.PRIORITY])
@pytest.mark.parametrize(("until", "first"), [(1, "spare"), (0, "main"), (-1, "main")])
def test_a_choice_whose_time_is_over_counts_no_more(strategy: Strategy, until: int, first: str) -> None:
    pool = pool_of([member("main"), member("spare")])
    pool = replace(pool, choice=Choice("spare", until_at=NOW + until))
    found = step([], pool=pool, rules=Rules(strategy=strategy))
    assert isinstance(found, Try) and found.profile_id == first


def test_a_call_that_waits_for_a_place_goes_back_to_whose_rest_is_over() -> None:
    limited = after(("main", LIMITED))
    members = [member("main"), full("spare")]
    assert isinstance(step(members, limited), Queue)  # it has not waited yet
    found = step(members, replace(limited, queued_ms=500))
    assert found == Try("main", "its rest is over, and the others are full", moves=False)
    assert isinstance(step([full("main"), full("spare")], replace(limited, queued_ms=500)), Queue)
    broken = replace(after(("main", REFUSED)), queued_ms=500)
    assert isinstance(step(members, broken), Queue)


def test_after_the_wait_a_conversation_goes_on_where_it_was() -> None:
    found = step([member("main"), member("spare")], Progress(waited_ms=2_000, waiting_for="main"), held="main")
    assert found == Try("main", "back after the wait", moves=False)


# -- who goes along


def test_a_call_made_again_does_not_take_the_pool_back_that_has_moved_on() -> None:
    waited = after(("main", BROKEN), waiting_for="main")
    pool = pool_of([member("main"), member("spare")])
    for current in (pool, pool.moved(PROVIDER, "main")):
        assert step([], waited, pool=current) == Try("main", "again, after the wait")
    moved = pool.moved(PROVIDER, "main").moved(PROVIDER, "spare", fled_at=NOW)
    assert step([], waited, pool=moved) == Try("main", "again, after the wait", moves=False)


# -- full profiles


def queue_for(name: str, until: int | None = None, places: int = 10, carries: int = 10) -> Queue:
    until_at = None if until is None else NOW + until
    return Queue(name, f"{name} carries {carries} calls, and takes {places} now", until_at)


def test_a_new_conversation_passes_a_full_profile_over_for_itself_alone() -> None:
    found = step([full("main"), full("b"), busy("c", 9)])
    assert found == Try("c", "main is full", moves=False)


def test_where_all_are_full_it_waits_for_a_place_at_the_first() -> None:
    assert step([full("main"), full("spare"), member("c", rest("c"))]) == queue_for("main")


def test_a_full_profile_is_no_failure_and_nobody_is_refused_for_it() -> None:
    assert step([full("main")]) == queue_for("main")
    assert step([full("main")], rules=replace(PLAIN, queue_limit=0)) == queue_for("main")


@pytest.mark.parametrize(
    ("queued_ms", "then"),
    [
        pytest.param(0, queue_for("main", 5_000), id="a conversation waits for its own profile"),
        pytest.param(4_999, queue_for("main", 1), id="for five seconds"),
        pytest.param(5_000, Try("spare", "main is full", moves=False), id="then this call is served elsewhere"),
    ],
)
def test_a_conversation_keeps_its_place_for_a_while(queued_ms: int, then: Step) -> None:
    assert step([full("main"), member("spare")], Progress(queued_ms=queued_ms), held="main") == then


def test_a_conversation_waits_on_where_nobody_else_has_a_place() -> None:
    assert step([full("main")], Progress(queued_ms=9_000), held="main") == queue_for("main")
    assert step([full("main"), full("spare")], Progress(queued_ms=5_000), held="main") == queue_for("main")


def test_a_pin_is_waited_for_however_long_it_takes() -> None:
    pool = pool_of([member("spare"), full("main")]).chosen(Choice("main", pinned=True))
    assert step([], Progress(queued_ms=10**6), pool=pool) == queue_for("main")
    assert step([], Progress(queued_ms=10**6), pool=pool, held="main") == queue_for("main")
    preferred = pool.chosen(Choice("main"))
    assert step([], pool=preferred) == Try("spare", "main is full", moves=False)
    other = pool.chosen(Choice("spare", pinned=True))
    assert isinstance(step([], pool=other), Try)


def test_a_strict_choice_waits_for_its_full_profile() -> None:
    pool = pool_of([full("main"), member("spare")]).chosen(Choice("main", strict=True))
    assert step([], pool=pool) == queue_for("main")


@pytest.mark.parametrize(
    ("vitals", "carries", "places", "until"),
    [
        pytest.param({"ramp": Ramp(NOW - 100, 2)}, 3, 3, 150, id="a ramp takes one more soon"),
        pytest.param({"ceiling": Ceiling(3, NOW - 100)}, 3, 3, 59_900, id="a ceiling takes one more in a minute"),
        pytest.param({"ceiling": Ceiling(3, NOW), "ramp": Ramp(NOW, 2)}, 3, 3, 250, id="of both whichever is sooner"),
        pytest.param({"open_until": NOW - 1}, 1, 1, None, id="a half-open circuit takes one probe"),
    ],
)
def test_when_a_place_comes_about_by_itself(
    vitals: dict[str, Any], carries: int, places: int, until: int | None
) -> None:
    assert step([busy("main", carries, **vitals)]) == queue_for("main", until, places, carries)


def test_a_circuit_that_lets_probes_through_soon_is_a_place_too() -> None:
    opening = [busy("b", 0, open_until=NOW + 7_000), busy("c", 0, open_until=NOW + 6_000)]
    assert step([full("main"), *opening]) == queue_for("main", 6_000)
    out = replace(opening[0], admin=Admin.PAUSED)
    assert step([full("main"), out]) == queue_for("main")


def test_after_a_wait_and_a_failure_a_full_profile_is_queued_for() -> None:
    assert step([full("main"), member("spare")], after(("main", BROKEN), waiting_for="main")) == queue_for("main")
    members = [full("main"), member("spare", rest("spare"))]
    found = step(members, after(("main", LIMITED), ("spare", LIMITED), waiting_for="main"))
    assert found == queue_for("main")
    spent = replace(PLAIN, failover_budget=1)
    assert isinstance(step(members, after(("main", LIMITED), ("spare", LIMITED), waiting_for="main"), spent), Refuse)
    resting = [member("main", rest("main")), full("b"), full("c")]
    assert step(resting, after(("main", SPENT))) == queue_for("b")
    assert step([*resting, member("d")], after(("main", SPENT))) == Try("d", SPENT.reason, failover=True)


# -- a crowd that loses its profile

STEEP = {"ramp": Ramp(NOW, 0)}


def test_whoever_takes_over_is_not_stormed_nor_the_next_in_its_stead() -> None:
    pool = pool_of([member("main", rest("main")), busy("b", 1, **STEEP), member("c")]).moved(PROVIDER, "b")
    waiting = queue_for("b", 250, 1, 1)
    assert step([], after(("main", SPENT)), pool=pool) == waiting
    assert step([], pool=pool) == waiting
    assert step([], pool=pool, held="main") == waiting
    assert step([], pool=pool, held="c") == Try("c", "the conversation stays where it is", moves=False)


def test_one_that_is_full_for_another_reason_is_passed_over_while_it_takes_over() -> None:
    pool = pool_of([member("main", rest("main")), full("b", ramp=Ramp(NOW - 60_000, 0)), member("c")])
    pool = pool.moved(PROVIDER, "b")
    assert step([], after(("main", SPENT)), pool=pool) == Try("c", SPENT.reason, failover=True)
    assert step([], pool=pool) == Try("c", "b is full", moves=False)
    older = pool_of([full("b", ramp=Ramp(NOW, 10)), member("c")])
    assert step([], pool=older) == Try("c", "b is full", moves=False)


def test_a_herd_has_one_failover_and_the_next_profile_takes_one_call_then_one_more_each_quarter_of_a_second() -> None:
    """All that were in flight ask again at once, and then each quarter of a second."""
    pool = pool_of([member("main", rest("main")), busy("b", 3), member("c")]).moved(PROVIDER, "main")
    began = {}
    waiting = list(range(8))
    for turn in range(20):
        now = NOW + 50 * turn
        for one in list(waiting):
            case = Case((Lane(PROVIDER, MODEL),), after(("main", SPENT)), pool, PLAIN, now, 0.5)
            found = next_step(case)
            if isinstance(found, Queue):
                assert (found.profile_id, found.until_at) == ("b", NOW + 250 * (1 + (now - NOW) // 250))
                continue
            assert isinstance(found, Try)
            assert (found.profile_id, found.failover) == ("b", True)
            if pool.current[PROVIDER] == "main":
                pool = pool.moved(PROVIDER, "b", fled_at=now)
            pool = pool.leased("b")
            began[one] = now - NOW
            waiting.remove(one)
    assert list(began.values()) == [0, 250, 500, 750]
    opened = replace(pool.members["b"].vitals, ramp=None)
    found = step([], after(("main", SPENT)), pool=pool.known("b", opened))
    assert found == Try("b", SPENT.reason, failover=True)


@pytest.mark.parametrize("strategy", Strategy)
def test_a_profile_that_ran_out_gets_no_call_whatever_the_strategy(strategy: Strategy) -> None:
    rules = replace(PLAIN, strategy=strategy)
    pool = pool_of([member("main", rest("main")), busy("b", 5)]).moved(PROVIDER, "main")
    for progress in (UNTRIED, after(("main", SPENT))):
        found = step([], progress, rules, pool=pool, held="main")
        assert isinstance(found, Try)
        assert found.profile_id == "b"


# -- too many calls at once

CROWDED = replace(LIMITED, crowded=True)
FEWER = busy("main", 3, ceiling=Ceiling(3, NOW))


@pytest.mark.parametrize(
    ("members", "tried", "then"),
    [
        pytest.param([FEWER, member("b")], 1, Try("b", LIMITED.reason, failover=True, moves=False), id="one hop"),
        pytest.param([FEWER, full("b")], 1, queue_for("b"), id="or a place there"),
        pytest.param([FEWER], 1, Wait("main", 1_000, LIMITED.reason), id="nobody else: again after a backoff"),
        pytest.param([FEWER], 3, Wait("main", 4_000, LIMITED.reason), id="a longer one each time"),
        pytest.param([FEWER], 4, Refuse(Why.LIMITED, "no other profile is left"), id="while it has calls left"),
        pytest.param(
            [member("main", rest("main")), member("b")],
            1,
            Try("b", LIMITED.reason, failover=True),
            id="one that rests has lost the pool all the same",
        ),
        pytest.param(
            [member("main", rest("main", scope=Scope.KEY_MODEL, model=MODEL)), member("b")],
            1,
            Try("b", LIMITED.reason, failover=True),
            id="or rests for this model",
        ),
        pytest.param([member("b")], 1, Try("b", LIMITED.reason, failover=True), id="so has one that has gone"),
    ],
)
def test_a_provider_speaks_of_too_many_calls_at_once(members: list[Member], tried: int, then: Step) -> None:
    assert step(members, after(*[("main", CROWDED)] * tried)) == then


def test_the_call_that_was_one_too_many_waits_for_a_place_and_is_made_again() -> None:
    waited = after(("main", CROWDED), waiting_for="main")
    assert step([FEWER], waited) == queue_for("main", 60_000, 3, 3)
    assert step([replace(FEWER, in_flight=2)], waited) == Try("main", "again, after the wait")


def test_a_target_says_how_often_a_crowded_profile_is_asked() -> None:
    none = replace(PLAIN, retry_budget=0)
    assert isinstance(step([FEWER], after(("main", CROWDED)), none), Refuse)
    assert isinstance(step([FEWER, member("b")], after(("main", CROWDED)), replace(PLAIN, failover_budget=0)), Wait)


# -- circuits


def test_an_open_circuit_is_passed_over_and_a_half_open_one_takes_one_probe() -> None:
    assert step([busy("main", 0, open_until=NOW + 1), member("b")]) == Try("b", "first of the profiles that can serve")
    assert step([busy("main", 0, open_until=NOW)]) == Try("main", "first of the profiles that can serve")
    found = step([busy("main", 1, open_until=NOW), member("b")])
    assert found == Try("b", "main is full", moves=False)


def test_open_circuits_tell_when_the_first_lets_a_probe_through() -> None:
    members = [
        busy("main", 0, open_until=NOW + 9_000),
        busy("b", 0, open_until=NOW + 7_000),
        member("c", reauth="x"),
    ]
    assert step(members) == Refuse(Why.BROKEN, "the circuit of every profile that could serve is open", NOW + 7_000)
    assert step([*members, member("d", rest("d", 8_000))]) == Refuse(
        Why.LIMITED, "no profile can serve now", NOW + 7_000
    )
