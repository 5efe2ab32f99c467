"""The pool as a value: four axes of a profile that never overwrite one another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.build import MODEL, NOW, PROVIDER, member, profile, rest
from tray_app.core.pool import Cell, Member, Pool, pool_of
from tray_app.core.providers import BUILT_IN
from tray_app.core.values import Admin, Cooldown, Phase, Protocol, Scope, Source

FREE = "a/b:free"


def names(members: tuple[Member, ...]) -> list[str]:
    return [one.profile.id for one in members]


# -- labels


@pytest.mark.parametrize(
    ("states", "phase"),
    [
        pytest.param({}, Phase.READY, id="nothing against it"),
        pytest.param({"cooldowns": (rest("a"),)}, Phase.COOLING, id="a rest"),
        pytest.param(
            {"reauth": "refused", "cooldowns": (rest("a"),)}, Phase.REAUTH, id="a refused key outranks a rest"
        ),
        pytest.param({"admin": Admin.PAUSED, "reauth": "refused"}, Phase.PAUSED, id="the operator outranks all"),
        pytest.param({"admin": Admin.DRAINING}, Phase.DRAINING, id="draining"),
        pytest.param({"admin": Admin.DISABLED}, Phase.DISABLED, id="disabled"),
        pytest.param({"admin": Admin.PAUSED, "admin_until_at": NOW + 1}, Phase.PAUSED, id="a pause until later"),
        pytest.param({"admin": Admin.PAUSED, "admin_until_at": NOW}, Phase.READY, id="a pause until now is over"),
        pytest.param({"in_flight": 99}, Phase.READY, id="calls in flight are no label"),
    ],
)
def test_the_label_of_a_profile(states: dict[str, object], phase: Phase) -> None:
    assert Member(profile("a"), **states).phase(NOW, MODEL) is phase  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cooldown", "model", "covers"),
    [
        pytest.param(rest("a"), MODEL, True, id="a key's rest covers every model"),
        pytest.param(rest("a"), None, True, id="a key's rest covers a call without a model"),
        pytest.param(rest("a", 0), MODEL, False, id="a rest until now is over"),
        pytest.param(rest("a", scope=Scope.ACCOUNT), MODEL, True, id="an account's rest covers every model"),
        pytest.param(rest("a", scope=Scope.MODEL, model="x"), "x", True, id="a model's rest covers it"),
        pytest.param(rest("a", scope=Scope.MODEL, model="x"), "y", False, id="and no other"),
        pytest.param(rest("a", scope=Scope.KEY_MODEL, model="x"), None, False, id="nor a call without a model"),
        pytest.param(rest("a", scope=Scope.MODEL_PROVIDER), "x", True, id="an unnamed model may be any"),
        pytest.param(rest("a", scope=Scope.ACCOUNT_FREE_MODELS), FREE, True, id="a rest of free models covers them"),
        pytest.param(rest("a", scope=Scope.ACCOUNT_FREE_MODELS), MODEL, False, id="and no paid ones"),
        pytest.param(rest("a", scope=Scope.ACCOUNT_FREE_MODELS), None, False, id="nor a call without a model"),
    ],
)
def test_what_a_rest_covers(cooldown: Cooldown, model: str | None, covers: bool) -> None:
    resting = member("a", cooldown)
    assert (resting.resting(NOW, model) is cooldown) is covers
    assert (resting.phase(NOW, model) is Phase.COOLING) is covers


def test_of_several_rests_the_longest_is_told() -> None:
    long = rest("a", 90, Scope.MODEL, MODEL)
    assert member("a", rest("a", 50), long, rest("a", 99, Scope.MODEL, "other")).resting(NOW, MODEL) is long


# -- membership


def test_a_profile_that_is_known_keeps_its_states_when_its_settings_change() -> None:
    pool = pool_of([member("a", rest("a"), reauth="x", admin=Admin.PAUSED, in_flight=2), member("b")])
    changed = replace(profile("a"), priority=7, label="other")
    known = pool.joined(Member(changed)).members["a"]
    assert known == replace(pool.members["a"], profile=changed)


def test_a_profile_that_left_is_forgotten_everywhere() -> None:
    pool = pool_of([member("a"), member("b")]).prefers("a").left("a")
    assert list(pool.members) == ["b"]
    assert pool.preferred is None
    assert dict(pool.current) == {}
    assert pool.left("nobody") == pool


def test_the_leaving_of_one_is_nothing_to_the_others() -> None:
    pool = pool_of([member("a"), member("b")]).prefers("a").left("b")
    assert (pool.preferred, dict(pool.current)) == ("a", {PROVIDER: "a"})


def test_a_profile_that_is_renamed_keeps_its_place_and_its_states() -> None:
    held = member("b", rest("b"), reauth="x", in_flight=1)
    pool = pool_of([member("a"), held, member("c")]).prefers("b")
    renamed = replace(held, profile=profile("new"))
    later = pool.renamed("b", renamed)
    assert list(later.members) == ["a", "new", "c"]
    assert later.members["new"] is renamed
    assert (later.preferred, dict(later.current)) == ("new", {PROVIDER: "new"})
    assert later.renamed("a", member("z")).preferred == "new"


# -- leases


def test_leases_are_counted_and_never_negative() -> None:
    pool = pool_of([member("a")]).leased("a").leased("a").released("a")
    assert pool.members["a"].in_flight == 1
    assert pool.released("a").released("a").members["a"].in_flight == 0


def test_the_lease_of_a_profile_that_left_is_gone_with_it() -> None:
    pool = pool_of([member("b")])
    assert pool.released("a") is pool


# -- rests


def test_an_accounts_rest_reaches_its_siblings_at_that_provider_and_nobody_else() -> None:
    pool = pool_of(
        [
            member("a", account="wallet"),
            member("b", account="wallet"),
            member("c"),
            member("d", account="wallet", provider="other"),
        ]
    )
    pool, changed = pool.rested(rest("a", scope=Scope.ACCOUNT))
    assert [one.profile_id for one in changed] == ["a", "b"]
    assert [name for name, one in pool.members.items() if one.cooldowns] == ["a", "b"]


@pytest.mark.parametrize(
    "scope", [pytest.param(scope, id=f"{scope.value} is the key's own") for scope in Scope if "account" not in scope]
)
def test_other_rests_reach_the_profile_alone(scope: Scope) -> None:
    pool, changed = pool_of([member("a", account="w"), member("b", account="w")]).rested(rest("a", scope=scope))
    assert [one.profile_id for one in changed] == ["a"]
    assert not pool.members["b"].cooldowns


def test_the_rest_of_a_profile_that_left_rests_nobody() -> None:
    pool = pool_of([member("b", account="a")])
    assert pool.rested(rest("a", scope=Scope.ACCOUNT)) == (pool, ())


@pytest.mark.parametrize(
    ("old", "new", "until"),
    [
        pytest.param((60, Source.HEADER), (90, Source.INFERRED), 90, id="a later end holds, from whatever source"),
        pytest.param((60, Source.HEADER), (30, Source.INFERRED), 60, id="a guess does not shorten what was stated"),
        pytest.param((60, Source.HEADER), (30, Source.PROBE), 60, id="nor does a probe"),
        pytest.param((60, Source.HEADER), (30, Source.HEADER), 60, id="nor does the same source"),
        pytest.param((60, Source.HEADER), (30, Source.BODY), 60, id="header and body are as good as each other"),
        pytest.param((60, Source.BODY), (30, Source.HEADER), 60, id="body and header are as good as each other"),
        pytest.param((60, Source.INFERRED), (30, Source.INFERRED), 60, id="nor does another guess"),
        pytest.param((60, Source.INFERRED), (30, Source.PROBE), 30, id="a probe corrects a guess"),
        pytest.param((60, Source.INFERRED), (30, Source.BODY), 30, id="the provider corrects a guess"),
        pytest.param((60, Source.PROBE), (30, Source.HEADER), 30, id="the provider corrects a probe"),
    ],
)
def test_which_of_two_rests_holds(old: tuple[int, Source], new: tuple[int, Source], until: int) -> None:
    first, second = rest("a", old[0], source=old[1]), rest("a", new[0], source=new[1])
    pool, changed = pool_of([member("a", first)]).rested(second)
    assert [one.until_at for one in pool.members["a"].cooldowns] == [NOW + until]
    assert bool(changed) == (until == new[0])


def test_rests_of_different_scopes_stand_side_by_side() -> None:
    pool = pool_of([member("a", rest("a", 90))])
    pool, _ = pool.rested(rest("a", 10, Scope.MODEL, "x"))
    pool, _ = pool.rested(rest("a", 20, Scope.MODEL, "y"))
    assert len(pool.members["a"].cooldowns) == 3


def test_a_sibling_that_rests_longer_already_is_not_told_as_changed() -> None:
    longer = rest("b", 90, Scope.ACCOUNT)
    pool = pool_of([member("a", account="w"), member("b", longer, account="w")])
    pool, changed = pool.rested(rest("a", 60, Scope.ACCOUNT))
    assert [one.profile_id for one in changed] == ["a"]
    assert pool.members["b"].cooldowns == (longer,)


def test_clearing_takes_rests_and_the_mark_away_and_nothing_else() -> None:
    resting = member("a", rest("a"), reauth="x", admin=Admin.PAUSED, in_flight=1)
    pool, gone = pool_of([resting, member("b", rest("b"))]).cleared("a")
    assert gone == resting.cooldowns
    assert pool.members["a"] == replace(resting, cooldowns=(), reauth=None)
    assert pool.members["b"].cooldowns


# -- what runs out


def test_what_has_run_out_is_removed_and_told() -> None:
    over, still = rest("a", 10), rest("a", 11, Scope.MODEL, "x")
    pool = pool_of(
        [
            member("a", over, still, admin=Admin.PAUSED, admin_until_at=NOW + 10),
            member("b", admin=Admin.PAUSED, admin_until_at=NOW + 11),
            member("c", admin=Admin.PAUSED),
        ]
    )
    later, ended, resumed = pool.expired(NOW + 10)
    assert (ended, resumed) == ((over,), ("a",))
    assert later.members["a"] == replace(
        pool.members["a"], cooldowns=(still,), admin=Admin.ENABLED, admin_until_at=None
    )
    assert (later.members["b"], later.members["c"]) == (pool.members["b"], pool.members["c"])
    assert pool.expired(NOW) == (pool, (), ())


@pytest.mark.parametrize(
    ("members", "at"),
    [
        pytest.param([], None, id="nobody"),
        pytest.param([member("a", admin=Admin.PAUSED)], None, id="nothing that ends by itself"),
        pytest.param([member("a", rest("a", 20), rest("a", 10, Scope.MODEL))], NOW + 10, id="the first rest to end"),
        pytest.param(
            [member("a", rest("a", 20), admin=Admin.PAUSED, admin_until_at=NOW + 5)], NOW + 5, id="a pause before it"
        ),
        pytest.param([member("a", admin_until_at=NOW - 5)], None, id="an end without a pause ends nothing"),
    ],
)
def test_when_something_runs_out_next(members: list[Member], at: int | None) -> None:
    assert pool_of(members).next_expiry() == at


# -- marks


def test_a_mark_and_the_operators_state_are_set_and_taken_off() -> None:
    pool = pool_of([member("a", rest("a"))])
    marked = pool.marked("a", "refused").administered("a", Admin.PAUSED, NOW + 9)
    assert marked.members["a"] == replace(
        pool.members["a"], reauth="refused", admin=Admin.PAUSED, admin_until_at=NOW + 9
    )
    assert marked.marked("a", None).administered("a", Admin.ENABLED, None) == pool


def test_the_preferred_profile_is_current_at_once_and_stays_so_without_the_preference() -> None:
    pool = pool_of([member("a"), member("b")]).moved(PROVIDER, "a").prefers("b")
    assert (pool.preferred, dict(pool.current)) == ("b", {PROVIDER: "b"})
    pool = pool.prefers(None)
    assert (pool.preferred, dict(pool.current)) == (None, {PROVIDER: "b"})


# -- questions


def test_members_are_wanted_in_order_current_then_priority_then_as_given() -> None:
    pool = pool_of([member("a"), member("b", priority=5), member("c"), member("d", provider="other", priority=9)])
    assert names(pool.ordered(PROVIDER)) == ["b", "a", "c"]
    assert names(pool.moved(PROVIDER, "c").ordered(PROVIDER)) == ["c", "b", "a"]
    assert names(pool.moved("other", "a").ordered(PROVIDER)) == ["b", "a", "c"]


def test_only_members_that_are_ready_for_the_model_are_routable() -> None:
    pool = pool_of(
        [
            member("a", rest("a")),
            member("b", rest("b", scope=Scope.MODEL, model=MODEL)),
            member("c", admin=Admin.DRAINING),
            member("d", reauth="x"),
            member("e"),
        ]
    )
    assert names(pool.routable(PROVIDER, MODEL, NOW)) == ["e"]
    assert names(pool.routable(PROVIDER, "another", NOW)) == ["b", "e"]
    assert names(pool.routable("other", MODEL, NOW)) == []


@pytest.mark.parametrize(
    ("members", "preferred", "protocol", "provider"),
    [
        pytest.param([], None, Protocol.CHAT, None, id="nobody"),
        pytest.param([("a", "groq"), ("b", "openai")], None, Protocol.CHAT, "groq", id="the first one's"),
        pytest.param([("a", "groq"), ("b", "openai")], "b", Protocol.CHAT, "openai", id="the preferred one's"),
        pytest.param([("a", "groq"), ("b", "anthropic")], "a", Protocol.MESSAGES, "anthropic", id="who speaks it"),
        pytest.param([("a", "groq")], "a", Protocol.MESSAGES, None, id="nobody speaks it"),
        pytest.param([("a", "unheard-of"), ("b", "groq")], None, Protocol.CHAT, "groq", id="who is known"),
    ],
)
def test_the_provider_of_the_default_pool(
    members: list[tuple[str, str]], preferred: str | None, protocol: Protocol, provider: str | None
) -> None:
    pool = pool_of([member(name, provider=of) for name, of in members])
    pool = pool.prefers(preferred) if preferred else pool
    assert pool.default_provider(protocol, BUILT_IN) == provider


def test_priority_decides_on_the_default_provider_before_order() -> None:
    pool = pool_of([member("a", provider="groq"), member("b", provider="openai", priority=1)])
    assert pool.default_provider(Protocol.CHAT, BUILT_IN) == "openai"


# -- the cell


def test_the_cell_holds_the_pool_and_tells_its_watchers_of_what_a_person_could_see() -> None:
    cell, told = Cell(), []
    assert cell.pool == Pool()
    cell.watch(lambda: told.append("first"))
    cell.watch(lambda: told.append("second"))
    pool = pool_of([member("a")])
    cell.set(pool)
    assert cell.pool is pool
    assert told == ["first", "second"]
    cell.set(pool.leased("a"), visible=False)
    assert cell.pool.members["a"].in_flight == 1
    assert told == ["first", "second"]


def test_a_cell_may_begin_with_a_pool() -> None:
    pool = pool_of([member("a")])
    assert Cell(pool).pool is pool
