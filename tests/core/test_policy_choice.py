"""Who is asked first: the strategy's order, the operator's choice, the conversation's own, lanes, tags and targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import MODEL, NOW, PROVIDER, judged, member, rest, unhurried
from tray_app.core import policy
from tray_app.core.allowance import Allowance
from tray_app.core.breaker import Breaker, BreakerRules
from tray_app.core.policy import (
    Backoff,
    Case,
    Lane,
    Progress,
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
    ordered,
    said_of,
    stays,
)
from tray_app.core.pool import Choice, Halt, Member, Pool, pool_of
from tray_app.core.quota import DAY_MS
from tray_app.core.score import Health, Weights, score
from tray_app.core.values import Action, Admin, ErrorClass, Scope, Source, Verdict
from tray_app.core.vitals import UNKNOWN, Ceiling, Ramp, Vitals


@pytest.fixture(autouse=True)
def _together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for the end of a rest are not spread, so that they can be told to the millisecond."""
    monkeypatch.setattr(policy, "SPREAD_MS", 0)


C = ErrorClass
LANE = Lane(PROVIDER, MODEL)
PLAIN = Rules(backoff=Backoff(jitter="none"))
SPENT = judged(C.QUOTA_EXHAUSTED, status=402)
BROKEN = judged(C.SERVER_ERROR, status=500)
NO_MODEL = judged(C.MODEL_UNAVAILABLE, Scope.MODEL, status=404)
OPEN = replace(UNKNOWN, open_until=NOW + 5_000)


def decide(
    pool: Pool | Sequence[Member],
    *tried: tuple[str, Verdict],
    rules: Rules = PLAIN,
    lanes: tuple[Lane, ...] = (LANE,),
    progress: Progress | None = None,
    **more: Any,
) -> Step:
    calls = tuple(Tried(name, verdict, MODEL) for name, verdict in tried)
    pool = pool if isinstance(pool, Pool) else pool_of(pool)
    case = Case(lanes, progress or Progress(calls, len(calls) - 1), pool, rules, NOW, 0.5, **more)
    found = next_step(case)
    if not calls and progress is None:
        at_a_glance = stays(pool, rules, NOW, lanes, case.held, case.tags)
        assert at_a_glance in (None, found)
    return found


def whom(found: Step) -> str:
    assert isinstance(found, Try), found
    return found.profile_id


def with_vitals(name: str, *rests: Any, priority: int = 0, in_flight: int = 0, **vitals: Any) -> Member:
    return member(name, *rests, priority=priority, in_flight=in_flight, vitals=Vitals(**vitals))


def tagged(name: str, **fields: Any) -> Member:
    one = member(name)
    return replace(one, profile=replace(one.profile, **fields))


def order(pool: Pool, strategy: Strategy = Strategy.STICKY, model: str | None = MODEL, **rules: Any) -> str:
    found = ordered(pool, Lane(PROVIDER, model), Rules(strategy=strategy, **rules), NOW)
    return " ".join(one.profile.id for one in found)


# -- strategies

S = Strategy
TRIO = pool_of([member("a"), member("b"), member("c", priority=1), member("z", provider="other", priority=9)])


def test_sticky_is_the_strategy_where_none_is_set() -> None:
    assert Rules().strategy is S.STICKY
    assert [one.value for one in S] == [
        "sticky",
        "priority",
        "round_robin",
        "least_used",
        "soonest_reset",
        "score",
    ]
    assert Rules().failback_ms == 60_000


@pytest.mark.parametrize(
    ("strategy", "current", "names"),
    [
        pytest.param(S.STICKY, None, "c a b", id="sticky: by priority, then as given, while nobody is current"),
        pytest.param(S.PRIORITY, None, "c a b", id="priority: by priority, then as given"),
        pytest.param(S.PRIORITY, "b", "c a b", id="priority: whoever is current"),
        pytest.param(S.ROUND_ROBIN, None, "c a b", id="round robin: from the first"),
        pytest.param(S.ROUND_ROBIN, "c", "a b c", id="round robin: whoever comes after the current one"),
        pytest.param(S.ROUND_ROBIN, "a", "b c a", id="round robin: and after that one"),
        pytest.param(S.ROUND_ROBIN, "b", "c a b", id="round robin: round again"),
        pytest.param(S.ROUND_ROBIN, "gone", "c a b", id="round robin: from the first where the current one has gone"),
    ],
)
def test_the_order_of_a_strategy(strategy: Strategy, current: str | None, names: str) -> None:
    pool = TRIO if current is None else TRIO.moved(PROVIDER, current)
    assert order(pool, strategy) == names


@pytest.mark.parametrize("strategy", S)
def test_a_single_profile_is_the_first_whatever_the_strategy(strategy: Strategy) -> None:
    pool = pool_of([member("a")])
    assert order(pool, strategy) == "a"
    assert order(pool.moved(PROVIDER, "a").chosen(Choice("a")), strategy) == "a"
    assert order(pool_of([]), strategy) == ""


@pytest.mark.parametrize("strategy", [one for one in S if one is not S.STICKY])
def test_whom_the_operator_prefers_is_first_in_every_strategy(strategy: Strategy) -> None:
    assert order(TRIO.chosen(Choice("b")), strategy).startswith("b ")
    assert order(TRIO.chosen(Choice("b")), strategy).count("b") == 1
    assert order(TRIO.chosen(Choice("z")), strategy) == order(TRIO, strategy)


def test_the_least_used_has_fewest_calls_in_flight_then_has_served_fewest() -> None:
    pool = pool_of(
        [
            with_vitals("busy", in_flight=2),
            with_vitals("worn", served=9),
            with_vitals("fresh", served=3),
            with_vitals("as fresh", served=3, priority=1),
        ]
    )
    assert order(pool, S.LEAST_USED) == "as fresh fresh worn busy"


def quota(hours: float, remaining: float = 5, model: str | None = None, window_ms: int = DAY_MS) -> Allowance:
    until = NOW + round(hours * 3_600_000)
    return Allowance(
        "requests", remaining, 10, "requests", until, window_ms, Source.HEADER, NOW, Scope.ACCOUNT_MODEL, model
    )


def test_the_soonest_reset_spends_what_expires_first() -> None:
    pool = pool_of(
        [
            with_vitals("unknown"),
            with_vitals("late", allowances=(quota(9),)),
            with_vitals("soon", allowances=(quota(2),)),
            with_vitals("empty", allowances=(quota(1, remaining=0),)),
            with_vitals("minute", allowances=(quota(0.01, window_ms=60_000),)),
            with_vitals("no end", allowances=(replace(quota(1), resets_at=None),)),
            with_vitals("another's", allowances=(quota(1, model="other"),)),
        ]
    )
    assert order(pool, S.SOONEST_RESET) == "soon late unknown empty minute no end another's"
    assert order(pool, S.SOONEST_RESET, "other").startswith("another's soon late ")


def test_the_score_puts_the_healthy_and_quick_first() -> None:
    pool = pool_of(
        [
            with_vitals("failing", breaker=Breaker((False, True))),
            with_vitals("slow", health=Health(1.0, NOW, 30_000)),
            with_vitals("ill", health=Health(0.9, NOW)),
            with_vitals("well"),
            with_vitals("wanted", priority=1),
        ]
    )
    assert order(pool, S.SCORE) == "wanted well ill failing slow"
    assert order(pool, S.SCORE, weights=Weights(priority=0, latency=0)) == "wanted slow well ill failing"
    assert order(pool, S.SCORE, slow_ms=300_000) == "wanted well slow ill failing"


def test_the_score_of_a_profile_is_of_its_health_its_failures_and_its_priority() -> None:
    one = with_vitals("a", priority=3, health=Health(0.5, NOW, 300.0), breaker=Breaker((False, True, True, True)))
    rules = Rules(weights=Weights(1.5, 0.25, 0.75, 0.125), slow_ms=1_000)
    expected = score(Health(0.5, NOW, 300.0), 0.25, 3, rules.weights, 1_000, NOW + 600_000)
    assert rules.score_of(one, NOW + 600_000) == expected
    assert rules.worth_of(one, NOW + 600_000) == pytest.approx(expected.total)


# -- sticky: the current profile, and the way back


def back(**vitals: Any) -> Pool:
    """The first profile, with those vitals, was left for the second."""
    return pool_of([with_vitals("a", **vitals), member("b"), member("c")]).moved(PROVIDER, "b")


@pytest.mark.parametrize(
    ("pool", "names"),
    [
        pytest.param(back(back_at=NOW - 60_000), "a b c", id="well for a minute: new conversations begin there again"),
        pytest.param(back(back_at=NOW - 59_999), "b a c", id="not before"),
        pytest.param(back(back_at=NOW + 1), "b a c", id="nor by a clock that was set back"),
        pytest.param(back(open_until=NOW + 1), "b a c", id="not while its circuit is open"),
        pytest.param(back(open_until=NOW - 59_999), "b a c", id="nor soon after that"),
        pytest.param(back(open_until=NOW - 60_000), "a b c", id="a while after that a new conversation finds out"),
        pytest.param(back(open_until=NOW - 90_000, back_at=NOW - 1), "b a c", id="unless it was left since"),
        pytest.param(back().marked("a", "refused"), "b a c", id="not while its key is refused"),
        pytest.param(back().administered("a", Admin.PAUSED, None), "b a c", id="nor while it is paused"),
        pytest.param(back().rested(rest("a"))[0], "b a c", id="nor while it rests"),
        pytest.param(back().rested(rest("a", scope=Scope.MODEL, model=MODEL))[0], "b a c", id="for this model"),
        pytest.param(back().rested(rest("a", scope=Scope.KEY_MODEL, model="x"))[0], "a b c", id="another is nothing"),
        pytest.param(back().chosen(Choice("c")), "c a b", id="the preferred one is current at once"),
        pytest.param(back().chosen(Choice("c")).moved(PROVIDER, "b", fled_at=NOW), "b a c", id="until it fails"),
        pytest.param(
            back().chosen(Choice("c")).moved(PROVIDER, "b", fled_at=NOW - 60_000), "c a b", id="and again later"
        ),
        pytest.param(TRIO.moved(PROVIDER, "b").chosen(Choice("z")), "c a b", id="another provider's is no matter"),
        pytest.param(
            TRIO.moved(PROVIDER, "c", fled_at=0).moved(PROVIDER, "b", fled_at=NOW).chosen(Choice("z")),
            "b c a",
            id="nor is whether that one is well",
        ),
        pytest.param(replace(back(back_at=NOW), choice=Choice("gone")), "b a c", id="one that has gone is nobody"),
        pytest.param(
            replace(pool_of([member("a"), member("b"), with_vitals("c", back_at=NOW)]), choice=Choice("c")),
            "c a b",
            id="where nobody is current there is nobody to stay with",
        ),
    ],
)
def test_the_current_profile_stays_until_a_more_wanted_one_has_been_well_for_a_while(pool: Pool, names: str) -> None:
    assert order(pool) == names


def test_another_profile_may_be_current_for_one_model() -> None:
    pool = back(back_at=NOW).moved(PROVIDER, "c", model="x")
    assert (order(pool), order(pool, model="x")) == ("b a c", "c a b")
    assert order(pool, S.ROUND_ROBIN, "x") == "a b c"
    assert order(pool, S.ROUND_ROBIN) == "c a b"
    x = Lane(PROVIDER, "x")
    assert decide(pool, lanes=(x,)) == Try("c", "the current profile stays in use", lane=x)
    odd = pool_of([tagged("a"), tagged("b", tags=("eu",))]).moved(PROVIDER, "b").moved(PROVIDER, "a", model="x")
    found = decide(odd, lanes=(x,), tags=frozenset({"eu"}))
    assert found == Try("b", "a does not fit this call", lane=x, moves=False)
    waited = Progress((Tried("a", BROKEN, "x"),), waiting_for="a")
    for current, moves in ((odd, True), (odd.moved(PROVIDER, "b"), False)):
        assert decide(current, lanes=(x,), progress=waited) == Try("a", "again, after the wait", lane=x, moves=moves)


def test_a_request_too_dear_for_what_is_left_takes_nobody_along() -> None:
    found = decide(PAIR, ("a", replace(SPENT, scope=Scope.REQUEST, action=Action.NEXT)))
    assert found == Try("b", SPENT.reason, failover=True, lane=LANE, moves=False)


def test_how_long_is_a_setting() -> None:
    assert order(back(back_at=NOW - 5), failback_ms=5) == "a b c"
    assert order(back(back_at=NOW - 4), failback_ms=5) == "b a c"


def test_a_conversation_stays_where_it_is_when_its_first_profile_is_well_again() -> None:
    pool = back()
    assert whom(decide(pool)) == "a"
    found = decide(pool, held="b")
    assert found == Try("b", "the conversation stays where it is", lane=LANE, moves=False)


@pytest.mark.parametrize("strategy", S)
def test_a_conversation_stays_in_every_strategy(strategy: Strategy) -> None:
    rules = replace(PLAIN, strategy=strategy)
    assert whom(decide(TRIO, held="b", rules=rules)) == "b"
    assert whom(decide(TRIO.chosen(Choice("a")), held="b", rules=rules)) == "b"
    assert whom(decide(TRIO.marked("b", "refused"), held="b", rules=rules)) == "c"


# -- the words for it


@pytest.mark.parametrize(
    ("pool", "rules", "more", "reason"),
    [
        pytest.param(TRIO, {}, {}, "first of the profiles that can serve", id="nobody is current"),
        pytest.param(TRIO.moved(PROVIDER, "c"), {}, {}, "the current profile stays in use", id="the current one"),
        pytest.param(
            TRIO.moved(PROVIDER, "a"),
            {},
            {},
            "c has been well for a while, and a new conversation begins",
            id="the way back",
        ),
        pytest.param(
            TRIO.moved(PROVIDER, "a").marked("a", "refused"),
            {},
            {},
            "first of the profiles that can serve",
            id="the current one is out",
        ),
        pytest.param(
            TRIO.moved(PROVIDER, "a").rested(rest("a", scope=Scope.KEY_MODEL, model=MODEL))[0],
            {},
            {},
            "first of the profiles that can serve",
            id="the current one rests for this model",
        ),
        pytest.param(
            replace(TRIO, current={PROVIDER: "gone"}), {}, {}, "first of the profiles that can serve", id="it has gone"
        ),
        pytest.param(TRIO.chosen(Choice("c")), {}, {}, "preferred by the operator", id="preferred"),
        pytest.param(TRIO.chosen(Choice("c", pinned=True)), {}, {}, "pinned by the operator", id="pinned"),
        pytest.param(
            TRIO.chosen(Choice("c")), {}, {"held": "c"}, "preferred by the operator", id="preferred before held"
        ),
        pytest.param(TRIO, {}, {"held": "c"}, "the conversation stays where it is", id="held"),
        pytest.param(
            TRIO.moved(PROVIDER, "c"),
            {"strategy": S.PRIORITY},
            {},
            "first by the strategy priority",
            id="another strategy",
        ),
        pytest.param(TRIO, {"strategy": S.SCORE}, {"held": "c"}, "the conversation stays where it is", id="held first"),
        pytest.param(
            TRIO, {}, {"progress": Progress(waiting_for="c")}, "back after the wait", id="it has been waited for"
        ),
    ],
)
def test_why_a_profile_is_chosen(pool: Pool, rules: dict[str, Any], more: dict[str, Any], reason: str) -> None:
    found = decide(pool, rules=replace(PLAIN, **rules), **more)
    assert isinstance(found, Try)
    assert (found.profile_id, found.reason, found.failover) == ("c", reason, False)
    assert found.moves is ("held" not in more)


# -- the operator's choice

PIN = Choice("b", pinned=True)
PAIR = [member("a"), member("b")]


def test_a_pin_holds_for_conversations_that_are_elsewhere() -> None:
    pool = pool_of(PAIR).chosen(PIN)
    assert decide(pool, held="a") == Try("b", "pinned by the operator", lane=LANE)
    assert whom(decide(pool_of(PAIR).chosen(Choice("b")), held="a")) == "a"


@pytest.mark.parametrize("choice", [PIN, Choice("b")], ids=["a pin keeps failover", "a preference keeps failover"])
def test_failover_stays(choice: Choice) -> None:
    pool = pool_of(PAIR).chosen(choice)
    assert whom(decide(pool.marked("b", "refused"))) == "a"
    assert decide(pool, ("b", SPENT)) == Try("a", SPENT.reason, failover=True, lane=LANE)


def test_a_pin_comes_back_to_its_profile_at_once() -> None:
    pool = pool_of(PAIR).chosen(PIN).moved(PROVIDER, "a", fled_at=NOW)
    assert whom(decide(pool)) == "b"
    assert whom(decide(pool, held="a")) == "b"
    preferred = pool_of(PAIR).chosen(Choice("b")).moved(PROVIDER, "a", fled_at=NOW)
    assert whom(decide(preferred)) == "a"


@pytest.mark.parametrize(
    ("until_at", "name"),
    [
        pytest.param(NOW + 1, "b", id="a pin until later holds"),
        pytest.param(NOW, "a", id="a pin until now is over"),
        pytest.param(None, "b", id="a pin without an end holds"),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_pin_ends_by_itself(until_at: int | None, name: str, strict: bool) -> None:
    pool = replace(pool_of(PAIR), choice=replace(PIN, until_at=until_at, strict=strict))
    assert whom(decide(pool, held="a")) == name


def strictly(*members: Member) -> Pool:
    return pool_of([*members, member("spare")]).chosen(Choice(members[0].profile.id, strict=True))


@pytest.mark.parametrize(
    ("only", "end"),
    [
        pytest.param(
            member("a", rest("a", 6_000)), Refuse(Why.LIMITED, "no profile can serve now", NOW + 6_000), id="it rests"
        ),
        pytest.param(
            member("a", rest("a", 3_000)),
            Wait("a", 3_000, "no other profile is idle, and the wait is short: the rate limit is reached"),
            id="it rests for a moment",
        ),
        pytest.param(member("a", reauth="x"), Refuse(Why.REAUTH, "no profile can serve now"), id="it is refused"),
        pytest.param(
            member("a", admin=Admin.PAUSED), Refuse(Why.PAUSED, "no profile can serve now"), id="it is paused"
        ),
        pytest.param(
            member("a", vitals=OPEN),
            Refuse(Why.BROKEN, "the circuit of every profile that could serve is open", NOW + 5_000),
            id="its circuit is open",
        ),
    ],
)
def test_a_strict_choice_ends_as_its_profile_does_though_others_are_ready(only: Member, end: Step) -> None:
    assert decide(strictly(only)) == end


def test_a_strict_choice_is_not_failed_over() -> None:
    pool = strictly(member("a", rest("a")))
    assert decide(pool, ("a", SPENT)) == Refuse(Why.LIMITED, "no other profile is left", NOW + 60_000)
    assert decide(strictly(member("a")), ("a", BROKEN)) == Wait("a", 1_000, BROKEN.reason)
    assert decide(strictly(member("a")), *[("a", BROKEN)] * 4) == Refuse(Why.BROKEN, BROKEN.reason)
    assert whom(decide(strictly(member("a")), held="spare")) == "a"


def test_a_choice_of_another_provider_is_none_of_this_calls() -> None:
    pool = pool_of([member("a"), member("z", provider="other")]).chosen(Choice("z", pinned=True, strict=True))
    assert decide(pool) == Try("a", "first of the profiles that can serve", lane=LANE)
    route = (LANE, Lane("other", "m"))
    assert decide(pool, lanes=route) == Try("z", "pinned by the operator", lane=route[1])
    loose = pool.chosen(Choice("z"))
    assert whom(decide(loose, lanes=route)) == "a"


# -- tags and kinds


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        pytest.param(frozenset(), "a", id="no tag is asked for: the first"),
        pytest.param(frozenset({"eu"}), "b", id="one tag: who has it"),
        pytest.param(frozenset({"eu", "paid"}), "c", id="two tags: who has both"),
        pytest.param(frozenset({"eu", "none"}), None, id="a tag that nobody has"),
    ],
)
def test_only_who_has_every_tag_may_serve(tags: frozenset[str], names: str | None) -> None:
    pool = pool_of([tagged("a"), tagged("b", tags=("eu",)), tagged("c", tags=("paid", "eu", "x"))])
    found = decide(pool, tags=tags)
    if names is None:
        assert found == Refuse(Why.NO_MATCH, "no profile fits the tags or the kind of the call")
    else:
        assert whom(found) == names


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        pytest.param(None, "chat", id="no kind is asked for: the first"),
        pytest.param("chat", "chat", id="who says it can"),
        pytest.param("embeddings", "both", id="who says it can, among others"),
        pytest.param("images", "any", id="who says nothing can all"),
    ],
)
def test_only_who_can_do_it_may_serve(capability: str | None, name: str) -> None:
    pool = pool_of(
        [
            tagged("chat", capabilities=("chat",)),
            tagged("both", capabilities=("chat", "embeddings")),
            tagged("any"),
        ]
    )
    assert whom(decide(pool, capability=capability)) == name


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"tags": frozenset({"eu"})}, id="a tag"),
        pytest.param({"capability": "images"}, id="a kind"),
    ],
)
def test_who_does_not_fit_is_neither_held_nor_pinned_nor_asked_again(fields: dict[str, Any]) -> None:
    pool = pool_of([tagged("a", capabilities=("chat",)), tagged("b", tags=("eu",))])
    assert whom(decide(pool, held="a", **fields)) == "b"
    assert whom(decide(pool.chosen(Choice("a", pinned=True)), **fields)) == "b"
    assert decide(pool, ("a", BROKEN), **fields) == Try("b", BROKEN.reason, failover=True, lane=LANE)


def test_a_call_that_fits_nobody_of_the_strict_choice_is_told_so() -> None:
    found = decide(strictly(tagged("a")), tags=frozenset({"eu"}))
    assert found == Refuse(Why.NO_MATCH, "no profile fits the tags or the kind of the call")


def test_a_call_that_does_not_fit_the_current_profile_goes_elsewhere_by_itself() -> None:
    pool = pool_of([tagged("a"), tagged("b", tags=("eu",))]).moved(PROVIDER, "a")
    found = decide(pool, tags=frozenset({"eu"}))
    assert found == Try("b", "a does not fit this call", lane=LANE, moves=False)
    for fitting in (pool.moved(PROVIDER, "b"), replace(pool, current={}), replace(pool, current={PROVIDER: "gone"})):
        found = decide(fitting, tags=frozenset({"eu"}))
        assert isinstance(found, Try)
        assert (found.profile_id, found.moves) == ("b", True)


# -- routes

ROUTE = (Lane(PROVIDER, "x"), Lane("other", "y"), Lane(PROVIDER, "w"))
ABROAD = [member("a"), member("z", provider="other", priority=9)]


def along(pool: Pool | Sequence[Member], *tried: tuple[str, str, Verdict], **more: Any) -> Step:
    calls = tuple(Tried(name, verdict, model) for name, model, verdict in tried)
    changes = sum(one[0] != other[0] for one, other in zip(tried, tried[1:], strict=False))
    return decide(pool, lanes=ROUTE, progress=Progress(calls, changes), **more)


@pytest.mark.parametrize(
    ("rests", "name", "lane"),
    [
        pytest.param([], "a", 0, id="the first way first, whatever the priority"),
        pytest.param([rest("a", scope=Scope.KEY_MODEL, model="x")], "z", 1, id="then the second"),
        pytest.param(
            [rest("a", scope=Scope.KEY_MODEL, model="x"), rest("z")], "a", 2, id="then the same profile another way"
        ),
        pytest.param([rest("a")], "z", 1, id="a profile that rests has no way at all"),
    ],
)
def test_the_ways_of_a_route_are_taken_in_their_order(rests: list[Any], name: str, lane: int) -> None:
    pool = pool_of(ABROAD)
    for one in rests:
        pool, _ = pool.rested(one)
    assert along(pool) == Try(name, "first of the profiles that can serve", lane=ROUTE[lane])


def test_a_way_that_failed_is_left_for_the_next_and_may_lead_to_the_same_profile() -> None:
    assert along(ABROAD, ("a", "x", NO_MODEL)) == Try("z", NO_MODEL.reason, failover=True, lane=ROUTE[1])
    third = along(ABROAD, ("a", "x", NO_MODEL), ("z", "y", NO_MODEL))
    assert third == Try("a", NO_MODEL.reason, failover=True, lane=ROUTE[2])
    found = along(ABROAD, ("a", "x", NO_MODEL), ("z", "y", NO_MODEL), ("a", "w", NO_MODEL))
    assert found == Refuse(Why.LAST_ANSWER, NO_MODEL.reason)


def test_a_call_is_made_again_on_its_own_way() -> None:
    waited = Progress((Tried("a", BROKEN, "w"),), waiting_for="a")
    assert decide(ABROAD, lanes=ROUTE, progress=waited) == Try("a", "again, after the wait", lane=ROUTE[2])
    elsewhere = Progress((Tried("a", BROKEN, "gone"),), waiting_for="a")
    assert whom(decide(ABROAD, lanes=ROUTE, progress=elsewhere)) == "a"


def test_a_conversation_stays_on_its_profile_across_the_ways() -> None:
    assert along(ABROAD, held="z") == Try("z", "the conversation stays where it is", lane=ROUTE[1], moves=False)
    for_ms = 2_000  # not waited for: there is another way to it
    pool, _ = pool_of(ABROAD).rested(rest("a", for_ms, Scope.KEY_MODEL, "x"))
    assert along(pool, held="a") == Try("a", "the conversation stays where it is", lane=ROUTE[2], moves=False)


def test_who_is_on_no_way_is_not_asked() -> None:
    pool = pool_of([member("q", provider="third"), *ABROAD])
    assert whom(along(pool, held="q")) == "a"
    assert along(pool_of([member("q", provider="third")])) == Refuse(
        Why.NO_PROFILE, "no profile of this provider is known"
    )
    assert along(pool_of([tagged("a")]), tags=frozenset("t")) == Refuse(
        Why.NO_MATCH, "no profile fits the tags or the kind of the call"
    )


# -- targets


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("groq-main", "exact", id="its own name"),
        pytest.param("groq-spare", "groq", id="its provider's"),
        pytest.param("groq-eu-1", "longer", id="the longest that fits"),
        pytest.param("groqqq", None, id="a name is no beginning"),
        pytest.param("other-main", None, id="nothing is said of it"),
    ],
)
def test_what_is_said_of_a_profile(name: str, said: str | None) -> None:
    targets = {"groq-main": "exact", "groq-*": "groq", "groq-eu-*": "longer", "other": "x", "oth*": "y"}
    assert said_of(targets, name) == said


def targets(**said: Target) -> Rules:
    return replace(PLAIN, targets=said)


def test_a_target_has_its_own_budget_of_calls() -> None:
    rules = targets(a=Target(retry_budget=1))
    assert isinstance(decide(PAIR, ("a", BROKEN), rules=rules), Wait)
    assert whom(decide(PAIR, *[("a", BROKEN)] * 2, rules=rules)) == "b"
    assert isinstance(decide(PAIR, *[("b", BROKEN)] * 3, rules=rules), Wait)
    none = targets(a=Target(retry_budget=0))
    assert whom(decide(PAIR, ("a", BROKEN), rules=none)) == "b"
    limited = [member("a", rest("a", 1_000))]
    assert isinstance(decide(limited, ("a", SPENT), rules=none), Refuse)
    assert isinstance(decide(limited, ("a", SPENT), rules=rules), Wait)


@pytest.mark.parametrize(
    ("own", "changes"),
    [
        pytest.param((0,), 0, id="none"),
        pytest.param((1,), 1, id="one"),
        pytest.param((None,), 3, id="all"),
        pytest.param(None, 2, id="as for all"),
    ],
)
def test_the_target_that_was_called_first_says_how_often_profiles_are_changed(
    own: tuple[int | None] | None, changes: int
) -> None:
    rules = targets(a=Target(failover_budget=own), b=Target(failover_budget=(None,)))
    members, names = [member(name) for name in "abcd"], ["a"]
    while isinstance(found := decide(members, *((name, SPENT) for name in names), rules=rules), Try):
        assert found.failover
        names.append(found.profile_id)
    assert "".join(names) == "abcd"[: 1 + changes]
    assert found == Refuse(
        Why.LIMITED,
        "no other profile is left" if changes == 3 else "the budget of profile changes is spent",
        None if changes == 3 else NOW,
    )


def test_a_target_has_its_own_budget_of_calls_where_a_limit_is_over_in_a_moment_too() -> None:
    brief = judged(C.RATE_LIMITED, status=429, retry_after_s=2)
    members = [member("a", rest("a", 2_000)), member("b", in_flight=1)]
    assert isinstance(decide(members, *[("a", brief)] * 2, rules=targets(a=Target(retry_budget=2))), Wait)
    assert whom(decide(members, *[("a", brief)] * 2, rules=targets(a=Target(retry_budget=1)))) == "b"
    crowded = replace(judged(C.RATE_LIMITED, status=429), crowded=True)
    assert isinstance(decide([member("a")], *[("a", crowded)] * 2, rules=targets(a=Target(retry_budget=2))), Wait)
    assert isinstance(decide([member("a")], *[("a", crowded)] * 2, rules=targets(a=Target(retry_budget=1))), Refuse)


def test_a_target_has_its_own_backoff() -> None:
    rules = targets(a=Target(backoff=Backoff(base_ms=7, jitter="none")))
    assert decide(PAIR, ("a", BROKEN), rules=rules) == Wait("a", 7, BROKEN.reason)
    assert decide(PAIR, ("b", BROKEN), rules=rules) == Wait("b", 1_000, BROKEN.reason)


def test_a_target_has_its_own_breaker() -> None:
    own = BreakerRules(failure_threshold=1)
    rules = targets(a=Target(breaker=own))
    assert (rules.breaker_of("a"), rules.breaker_of("b"), Rules().breaker_of("a")) == (
        own,
        BreakerRules(),
        BreakerRules(),
    )
    assert rules.target("b") == Target() == Rules().target("a")


@pytest.mark.parametrize(
    ("vitals", "target", "places"),
    [
        pytest.param({}, None, 10, id="as for all"),
        pytest.param({}, Target(), 10, id="as for all where the target says nothing"),
        pytest.param({}, Target(concurrency_limit=3), 3, id="the target's own"),
        pytest.param({}, Target(concurrency_limit=30), 30, id="the target's own, though it is more"),
        pytest.param({"ramp": Ramp(NOW, 4)}, None, 5, id="one more than it carried when it took over"),
        pytest.param({"ramp": Ramp(NOW - 250, 4)}, None, 6, id="and one more after a moment"),
        pytest.param({"ramp": Ramp(NOW, 40)}, None, 10, id="never more than the limit"),
        pytest.param({"ceiling": Ceiling(2, NOW)}, None, 2, id="as many as its provider takes"),
        pytest.param({"ceiling": Ceiling(2, NOW - 60_000)}, None, 3, id="and one more after a minute"),
        pytest.param({"ceiling": Ceiling(99, NOW)}, None, 10, id="never more than the limit, whatever it takes"),
        pytest.param({"ceiling": Ceiling(3, NOW), "ramp": Ramp(NOW, 1)}, None, 2, id="the least of all"),
        pytest.param({"open_until": NOW}, None, 1, id="one probe"),
        pytest.param({"open_until": NOW}, Target(breaker=BreakerRules(half_open_max_probes=4)), 4, id="as many probes"),
        pytest.param({"open_until": NOW}, Target(concurrency_limit=0), 0, id="no more probes than calls"),
    ],
)
def test_how_many_calls_at_once(vitals: dict[str, Any], target: Target | None, places: int) -> None:
    rules = PLAIN if target is None else targets(a=target)
    assert rules.places(with_vitals("a", **vitals), NOW) == places


def test_without_settings_the_numbers_are_those_of_the_contract() -> None:
    rules = Rules()
    assert (rules.concurrency_limit, rules.queue_limit, rules.short_wait_ms) == (10, 100, 5_000)
    assert (rules.reserve_percent, rules.warn_at, rules.slow_ms) == (0.0, (80, 95), 30_000)
    assert (rules.weights, rules.breaker, rules.targets) == (Weights(), BreakerRules(), {})


# -- the usual case at a glance

WELL = with_vitals("main")
STATES = (
    WELL,
    with_vitals("main", in_flight=9),
    with_vitals("main", in_flight=10),
    with_vitals("main", rest("main")),
    with_vitals("main", rest("main", 900, model="another", scope=Scope.KEY_MODEL)),
    with_vitals("main", rest("main", -1)),
    with_vitals("main", ramp=Ramp(NOW, 0)),
    with_vitals("main", ceiling=Ceiling(1, NOW), in_flight=1),
    with_vitals("main", open_until=NOW + 1),
    with_vitals("main", open_until=NOW - 1),
    replace(WELL, admin=Admin.PAUSED),
    replace(WELL, admin=Admin.PAUSED, admin_until_at=NOW),
    replace(WELL, reauth="refused"),
    replace(WELL, profile=replace(WELL.profile, enabled=False)),
    replace(WELL, profile=replace(WELL.profile, capabilities=("chat",))),
    replace(WELL, profile=replace(WELL.profile, tags=("work",))),
    replace(WELL, profile=replace(WELL.profile, provider="elsewhere")),
)
CHOICES = (None, Choice("main"), Choice("spare"), Choice("spare", pinned=True), Choice("spare", until_at=NOW))


@unhurried
@given(
    mine=st.sampled_from(STATES),
    spare=st.sampled_from([None, with_vitals("spare"), with_vitals("spare", rest("spare"))]),
    current=st.sampled_from([None, "main", "spare"]),
    choice=st.sampled_from(CHOICES),
    held=st.sampled_from([None, "main", "main", "main", "gone"]),
    lanes=st.sampled_from([(LANE,), (LANE,), (LANE, Lane("elsewhere", MODEL)), (Lane(PROVIDER, None),)]),
    tags=st.sampled_from([frozenset(), frozenset(), frozenset({"work"})]),
    strategy=st.sampled_from(Strategy),
    limits=st.sampled_from([{}, {"concurrency_limit": 1}, {"targets": {"main": Target(concurrency_limit=0)}}]),
    halted=st.booleans(),
)
@example(WELL, None, None, None, "main", (LANE,), frozenset(), Strategy.STICKY, {}, False)
def test_a_glance_finds_what_the_policy_would_find(
    mine: Member,
    spare: Member | None,
    current: str | None,
    choice: Choice | None,
    held: str | None,
    lanes: tuple[Lane, ...],
    tags: frozenset[str],
    strategy: Strategy,
    limits: dict[str, Any],
    halted: bool,
) -> None:
    pool = pool_of([mine, *([spare] if spare else [])])
    if current is not None and current in pool.members:
        pool = pool.moved(PROVIDER, current)
    pool = replace(pool, choice=choice, halt=Halt() if halted else None)
    rules = replace(PLAIN, strategy=strategy, **limits)
    found = stays(pool, rules, NOW, lanes, held, tags)
    if found is not None:
        assert found == next_step(Case(lanes, Progress(), pool, rules, NOW, 0.5, held, 100, tags, "chat"))
    plain = (mine is WELL, choice, held, len(lanes), tags, limits, halted)
    if plain == (True, None, "main", 1, frozenset(), {}, False):
        assert found == Try("main", "the conversation stays where it is", lane=lanes[0], moves=False)


def test_nothing_is_told_at_a_glance_where_something_is_special() -> None:
    pool, none = pool_of([WELL]), frozenset[str]()
    assert stays(pool, PLAIN, NOW, (LANE,), "main", none) is not None
    for held in (None, "gone"):
        assert stays(pool, PLAIN, NOW, (LANE,), held, none) is None
    assert stays(pool, PLAIN, NOW, (LANE,), "main", frozenset({"work"})) is None
    assert stays(pool, PLAIN, NOW, (LANE, LANE), "main", none) is None
    assert stays(pool.chosen(Choice("main")), PLAIN, NOW, (LANE,), "main", none) is None
    assert stays(replace(pool, halt=Halt()), PLAIN, NOW, (LANE,), "main", none) is None
    for state in (STATES[2], STATES[3], STATES[8], STATES[10], STATES[12], STATES[14], STATES[16]):
        assert stays(pool_of([state]), PLAIN, NOW, (LANE,), "main", none) is None
