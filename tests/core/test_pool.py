"""The pool as a value: four axes of a profile that never overwrite one another."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.core.build import MODEL, NOW, PROVIDER, member, profile, rest
from tray_app.core.breaker import Breaker
from tray_app.core.pool import ALIVE_MS, Cell, Choice, Member, Pool, Reach, pool_of
from tray_app.core.providers import BUILT_IN
from tray_app.core.quota import Ladder
from tray_app.core.values import Admin, Cooldown, ErrorClass, Phase, Profile, Protocol, Scope, Source
from tray_app.core.vitals import UNKNOWN, Ceiling, Ramp, Vitals

FREE = "a/b:free"


def open_until(at: int) -> Vitals:
    return replace(UNKNOWN, open_until=at)


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
        pytest.param({"admin_until_at": NOW + 1}, Phase.READY, id="the end of no pause"),
        pytest.param({"vitals": open_until(NOW + 1)}, Phase.OPEN, id="a circuit that is open until later"),
        pytest.param({"vitals": open_until(NOW)}, Phase.PROBING, id="a circuit that was open until now"),
        pytest.param(
            {"vitals": open_until(NOW + 1), "cooldowns": (rest("a"),)}, Phase.OPEN, id="an open circuit outranks a rest"
        ),
        pytest.param(
            {"vitals": open_until(NOW), "cooldowns": (rest("a"),)}, Phase.COOLING, id="a rest outranks probes"
        ),
        pytest.param(
            {"vitals": open_until(NOW), "cooldowns": (rest("a", 0),)}, Phase.PROBING, id="but not one that is over"
        ),
        pytest.param(
            {"vitals": open_until(NOW + 1), "reauth": "x"}, Phase.REAUTH, id="a refused key outranks a circuit"
        ),
    ],
)
def test_the_label_of_a_profile(states: dict[str, object], phase: Phase) -> None:
    one = Member(profile("a"), **states)  # type: ignore[arg-type]
    assert one.phase(NOW, MODEL) is phase
    assert one.serves(NOW, MODEL) is (phase in (Phase.READY, Phase.PROBING))


def test_a_target_that_settings_switch_off_is_disabled() -> None:
    off = replace(profile("a"), enabled=False)
    assert (Member(off).phase(NOW), Member(off).serves(NOW, None)) == (Phase.DISABLED, False)
    assert Member(off, reauth="x").phase(NOW) is Phase.DISABLED
    assert Member(off, admin=Admin.PAUSED).phase(NOW) is Phase.PAUSED


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


def test_a_half_open_circuit_serves_the_models_that_do_not_rest() -> None:
    one = member("a", rest("a", scope=Scope.MODEL, model="x"), vitals=open_until(NOW))
    assert (one.serves(NOW, "x"), one.serves(NOW, "y")) == (False, True)


# -- membership


def test_a_profile_that_is_known_keeps_its_states_when_its_settings_change() -> None:
    pool = pool_of([member("a", rest("a"), reauth="x", admin=Admin.PAUSED, in_flight=2), member("b")])
    changed = replace(profile("a"), priority=7, label="other")
    known = pool.joined(Member(changed)).members["a"]
    assert known == replace(pool.members["a"], profile=changed)


def test_a_profile_that_left_is_forgotten_everywhere() -> None:
    pool = pool_of([member("a"), member("b")]).chosen(Choice("a")).left("a")
    assert list(pool.members) == ["b"]
    assert pool.preferred is None
    assert dict(pool.current) == {}
    assert pool.left("nobody") == pool


def test_the_leaving_of_one_is_nothing_to_the_others() -> None:
    pool = pool_of([member("a"), member("b")]).chosen(Choice("a")).left("b")
    assert (pool.preferred, dict(pool.current)) == ("a", {PROVIDER: "a"})


def test_a_profile_that_is_renamed_keeps_its_place_and_its_states() -> None:
    held = member("b", rest("b"), reauth="x", in_flight=1)
    pool = pool_of([member("a"), held, member("c")]).chosen(Choice("b"))
    renamed = replace(held, profile=profile("new"))
    later = pool.renamed("b", renamed)
    assert list(later.members) == ["a", "new", "c"]
    assert later.members["new"] is renamed
    assert (later.preferred, dict(later.current)) == ("new", {PROVIDER: "new"})
    assert later.renamed("a", member("z")).preferred == "new"
    assert pool.moved("other", "o").renamed("b", renamed).current == {PROVIDER: "new", "other": "o"}


def test_members_are_arranged_and_whoever_is_not_named_comes_last() -> None:
    pool = pool_of([member("a"), member("b"), member("c"), member("d")])
    later = pool.arranged(["c", "gone", "a"])
    assert list(later.members) == ["c", "a", "b", "d"]
    assert names(later.routable(PROVIDER, None, NOW)) == ["c", "a", "b", "d"]


def test_a_choice_goes_along_with_its_profile_when_that_is_renamed() -> None:
    choice = Choice("b", pinned=True, strict=True, until_at=NOW + 9)
    pool = pool_of([member("a"), member("b", priority=-1)]).chosen(choice)
    assert pool.renamed("b", member("new")).choice == replace(choice, profile_id="new")
    assert pool.renamed("a", member("new")).choice == choice
    assert pool_of([member("a")]).renamed("a", member("new")).choice is None


def test_a_newcomer_rests_where_its_account_or_its_provider_does() -> None:
    account, free = rest("a", 9, Scope.ACCOUNT), rest("a", 9, Scope.ACCOUNT_FREE_MODELS)
    provider, named = rest("b", 9, Scope.PROVIDER), rest("b", 9, Scope.MODEL, "x")
    others = [
        member("a", account, free, rest("a", 9), account="w"),
        member("b", provider, named, rest("b", 8, Scope.ACCOUNT_MODEL, "x")),
        member("c", rest("c", 9, Scope.ENVIRONMENT), account="w", provider="other"),
    ]
    pool = pool_of(others)
    assert pool.joined(member("n", account="w")).members["n"].cooldowns == tuple(
        replace(one, profile_id="n") for one in (account, free, provider, named)
    )
    own = rest("n", 1, Scope.ACCOUNT)
    assert pool.joined(member("n", own, account="w")).members["n"].cooldowns[0] == own
    stranger = member("n", provider="third")
    assert pool.joined(stranger).members["n"] is stranger


def test_a_rest_that_is_over_holds_nobody_to_it() -> None:
    """A new limit that is met before the old one was put away is a limit of its own."""
    stated = replace(rest("a", 1, source=Source.HEADER), since_at=NOW - 9)
    for since in (stated.until_at, stated.until_at + 5):
        guessed = replace(rest("a", 600, source=Source.INFERRED), since_at=since, until_at=since + 600)
        pool, changed = pool_of([member("a", stated)]).rested(guessed)
        assert changed == (guessed,) and pool.members["a"].cooldowns == (guessed,)


@pytest.mark.parametrize(("first", "second"), [(600, 1), (1, 600)], ids=["the short one second", "first"])
def test_of_two_kinds_of_limit_the_later_end_holds_whoever_states_it(first: int, second: int) -> None:
    spent = replace(rest("a", max(first, second), source=Source.INFERRED), error_class=ErrorClass.QUOTA_EXHAUSTED)
    limited = rest("a", min(first, second), source=Source.HEADER)
    order = (spent, limited) if first > second else (limited, spent)
    pool = pool_of([member("a")])
    for one in order:
        pool, _ = pool.rested(one)
    assert pool.members["a"].cooldowns == (spent,)


def test_who_left_for_another_provider_is_remembered_as_well() -> None:
    pool = pool_of([member("a"), member("b", provider="other"), member("c", provider="other")]).moved("other", "b")
    fled = pool.moved("other", "c", fled_at=NOW, left="a")
    assert [fled.members[name].vitals.fled_to for name in "abc"] == ["c", "c", None]
    assert fled.members["a"].vitals.back_at == fled.members["b"].vitals.back_at == NOW
    assert fled.moved("other", "c", fled_at=NOW, left="c").members["c"].vitals.fled_to is None


def test_a_newcomer_has_not_every_call_to_itself_until_it_has_served_as_many() -> None:
    busy, other = (member(name, vitals=replace(UNKNOWN, served=count)) for name, count in (("a", 90), ("b", 70)))
    elsewhere = member("c", provider="third", vitals=replace(UNKNOWN, served=5))
    joined = pool_of([busy, other, elsewhere]).joined(member("n"))
    assert joined.members["n"].vitals.served == 70
    again = pool_of([busy, elsewhere]).joined(member("n", vitals=replace(UNKNOWN, served=91)))
    assert again.members["n"].vitals.served == 91


def test_settings_are_laid_over_every_profile_and_states_stay() -> None:
    pool = pool_of([member("a", rest("a"), in_flight=2), member("b")]).moved(PROVIDER, "a")

    def wanted(one: Profile) -> Profile:
        return replace(one, priority=5) if one.id == "b" else one

    later = pool.adjusted(wanted)
    assert later.roster == {PROVIDER: ("b", "a")}
    assert later.members["a"] == pool.members["a"]
    assert later.members["b"] == replace(pool.members["b"], profile=replace(profile("b"), priority=5))
    assert later.current == pool.current


def test_the_roster_is_kept_by_priority_then_as_given() -> None:
    pool = pool_of([member("a"), member("z", provider="other"), member("b", priority=2), member("c")])
    assert pool.roster == {PROVIDER: ("b", "a", "c"), "other": ("z",)}
    assert pool.joined(member("d", priority=1)).roster[PROVIDER] == ("b", "d", "a", "c")
    assert pool.joined(member("a", priority=3)).roster[PROVIDER] == ("a", "b", "c")
    assert pool.left("b").roster[PROVIDER] == ("a", "c")
    assert pool.left("z").roster == {PROVIDER: ("b", "a", "c")}
    assert pool.renamed("c", member("n", priority=9)).roster[PROVIDER] == ("n", "b", "a")
    kept = pool.leased("a").rested(rest("a"))[0].marked("a", "x").released("a").moved(PROVIDER, "a")
    assert kept.roster is pool.roster


# -- leases


def test_leases_are_counted_and_never_negative() -> None:
    pool = pool_of([member("a")]).leased("a").leased("a").released("a")
    assert pool.members["a"].in_flight == 1
    assert pool.released("a").released("a").members["a"].in_flight == 0


def test_the_lease_of_a_profile_that_left_is_gone_with_it() -> None:
    pool = pool_of([member("b")])
    assert pool.released("a") is pool


def test_a_lease_touches_nothing_else_and_its_end_brings_what_was_shown() -> None:
    one = member("a", rest("a"), reauth="x", admin=Admin.PAUSED, admin_until_at=NOW + 9, vitals=open_until(7))
    pool = pool_of([one, member("b")])
    leased = pool.leased("a")
    assert leased.members["a"] == replace(one, in_flight=1)
    assert leased.members["b"] is pool.members["b"]
    assert leased.released("a") == pool
    shown = replace(UNKNOWN, served=3)
    assert leased.released("a", shown).members["a"] == replace(one, vitals=shown)
    assert pool_of([member("b")]).released("a", shown) == pool_of([member("b")])


def test_what_is_known_of_a_profile_is_kept_beside_its_other_states() -> None:
    one = member("a", rest("a"), in_flight=2)
    pool = pool_of([one])
    assert pool.known("a", one.vitals) is pool
    assert pool.known("a", open_until(7)).members["a"] == replace(one, vitals=open_until(7))


# -- the network

HERE, THERE = "https://openrouter.example/v1", "https://other.example/v1"
TWO = pool_of([member("a"), member("b"), member("z", provider="other")])


def test_this_machine_is_offline_when_no_address_can_be_reached() -> None:
    assert not TWO.offline
    assert not pool_of([]).offline
    cut = TWO.unreachable(HERE, NOW)
    assert not cut.offline
    cut = cut.unreachable(THERE, NOW + 1)
    assert cut.offline
    assert cut.unreachable("https://nobodys.example", NOW).offline
    assert not cut.reached(THERE, NOW + 2).offline


def test_a_profile_that_is_cleared_may_be_reached_again_for_all_that_is_known() -> None:
    cut = TWO.reached(HERE, NOW).unreachable(HERE, NOW + 1).unreachable(THERE, NOW + 1)
    assert cut.offline
    cleared, _ = cut.cleared("a")
    assert not cleared.offline and cleared.reach == {HERE: Reach(NOW, 0), THERE: Reach(0, NOW + 1)}
    assert TWO.cleared("a")[0].reach == {}


def test_an_address_that_only_a_disabled_profile_has_is_not_asked_after() -> None:
    pool = pool_of([member("a"), member("z", provider="other")])
    off = pool.adjusted(lambda one: replace(one, enabled=one.id == "a"))
    assert off.unreachable(HERE, NOW).offline
    assert not pool_of([]).adjusted(lambda one: one).offline


def test_an_address_that_answered_since_is_not_cut_off() -> None:
    pool = pool_of([member("a")]).unreachable(HERE, NOW)
    assert pool.reached(HERE, NOW).reach[HERE] == Reach(NOW, 0)
    answered = pool_of([member("a")]).reached(HERE, NOW)
    assert not answered.unreachable(HERE, NOW).offline
    assert answered.unreachable(HERE, NOW + 1).offline
    assert answered.unreachable(HERE, NOW + 1).reach[HERE] == Reach(NOW, NOW + 1)


def test_nobody_stays_benched_once_it_is_known_that_this_machine_is_offline() -> None:
    """Before the second address fails, the first is to blame, and its profiles' circuits may have opened."""
    opened = replace(open_until(NOW + 9), breaker=Breaker((False,), NOW), ladder=Ladder(9, 9), served=7, back_at=5)
    pool = pool_of([member("a", vitals=opened), member("b"), member("z", provider="other")])
    cut = pool.unreachable(HERE, NOW)
    assert cut.members == pool.members
    offline = cut.unreachable(THERE, NOW + 1)
    assert offline.members["a"].vitals == replace(opened, breaker=Breaker(), open_until=None)
    assert offline.members["b"] is pool.members["b"]
    again = offline.known("z", opened).unreachable(HERE, NOW + 2)
    assert again.members["z"].vitals == opened  # a probe of its own finds out


@pytest.mark.parametrize(
    ("later_ms", "news"),
    [
        pytest.param(0, False, id="at once"),
        pytest.param(29_999, False, id="within half a minute"),
        pytest.param(30_000, True, id="after half a minute"),
    ],
)
def test_an_answer_is_news_now_and_then_or_after_a_failure(later_ms: int, news: bool) -> None:
    pool = TWO.reached(HERE, NOW)
    assert pool.reach == {HERE: Reach(NOW, 0)}
    later = pool.reached(HERE, NOW + later_ms)
    assert (later is not pool) is news
    assert later.reach[HERE].answered_at == NOW + later_ms * news
    assert pool.unreachable(HERE, NOW).reached(HERE, NOW + 1).reach == {HERE: Reach(NOW + 1, 0)}
    failed = pool.unreachable(HERE, NOW + 1)
    assert failed.reached(HERE, NOW + 2).reach == {HERE: Reach(NOW + 2, 0)}
    assert failed.reached(THERE, NOW).reach[HERE] == Reach(NOW, NOW + 1)


@pytest.mark.parametrize(
    ("reach", "blames"),
    [
        pytest.param({}, False, id="nothing is known"),
        pytest.param({HERE: Reach(NOW, 0)}, False, id="it answered itself"),
        pytest.param({THERE: Reach(NOW, 0)}, True, id="another answers"),
        pytest.param({THERE: Reach(NOW - 59_999, 0)}, True, id="another answered within a minute"),
        pytest.param({THERE: Reach(NOW - 60_000, 0)}, False, id="another answered too long ago"),
        pytest.param({THERE: Reach(NOW - 9, NOW - 8)}, False, id="another cannot be reached since"),
        pytest.param({THERE: Reach(NOW - 8, NOW - 9)}, True, id="another can be reached again"),
        pytest.param({THERE: Reach(NOW - 8, NOW - 8)}, False, id="another answered and failed in one moment"),
        pytest.param({HERE: Reach(NOW, 0), THERE: Reach(0, NOW), "x": Reach(NOW, 0)}, True, id="one of several"),
    ],
)
def test_an_address_is_to_blame_where_another_answers(reach: dict[str, Reach], blames: bool) -> None:
    assert ALIVE_MS == 60_000
    assert Pool(reach=reach).blames(HERE, NOW) is blames


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
    "scope",
    [
        pytest.param(scope, id=f"{scope.value} is the key's own")
        for scope in (Scope.NONE, Scope.REQUEST, Scope.KEY, Scope.KEY_MODEL, Scope.MODEL_PROVIDER)
    ],
)
def test_other_rests_reach_the_profile_alone(scope: Scope) -> None:
    pool, changed = pool_of([member("a", account="w"), member("b", account="w")]).rested(rest("a", scope=scope))
    assert [one.profile_id for one in changed] == ["a"]
    assert not pool.members["b"].cooldowns


@pytest.mark.parametrize("scope", [Scope.MODEL, Scope.PROVIDER, Scope.ENVIRONMENT])
def test_what_is_nobodys_own_rests_every_profile_of_the_provider(scope: Scope) -> None:
    pool, changed = pool_of([member("a"), member("b"), member("c", provider="other")]).rested(rest("a", scope=scope))
    assert [one.profile_id for one in changed] == ["a", "b"]
    assert not pool.members["c"].cooldowns


def test_the_rest_of_a_profile_that_left_rests_nobody() -> None:
    pool = pool_of([member("b", account="a")])
    assert pool.rested(rest("a", scope=Scope.ACCOUNT)) == (pool, ())


@pytest.mark.parametrize(
    ("old", "new", "until"),
    [
        pytest.param((60, Source.HEADER), (90, Source.INFERRED), 60, id="a guess does not lengthen what was stated"),
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


def test_the_same_rest_told_twice_is_no_news() -> None:
    pool = pool_of([member("a", rest("a"))])
    assert pool.rested(rest("a")) == (pool, ())


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


def test_clearing_forgives_what_calls_have_shown() -> None:
    shown = replace(open_until(NOW + 9), breaker=Breaker((False,)), ladder=Ladder(9, 9), ramp=Ramp(NOW, 1), served=7)
    shown = replace(shown, ceiling=Ceiling(2, NOW), back_at=NOW)
    pool, _ = pool_of([member("a", vitals=shown)]).cleared("a")
    assert pool.members["a"].vitals == shown.forgiven() == replace(UNKNOWN, served=7)


def test_single_rests_can_be_lifted() -> None:
    whole, model, other = rest("a"), rest("a", scope=Scope.MODEL, model="x"), rest("a", scope=Scope.MODEL, model="y")
    pool = pool_of([member("a", whole, model, other, reauth="x")])
    lifted = pool.lifted("a", (one.key for one in (whole, other)))
    assert lifted.members["a"] == replace(pool.members["a"], cooldowns=(model,))
    assert pool.lifted("a", []) == pool


# -- what runs out


def test_every_deadline_moves_along_with_the_clock() -> None:
    resting, hour = rest("a", 60), 3_600_000
    pool = pool_of(
        [
            member("a", resting, admin=Admin.PAUSED, admin_until_at=NOW + 5, vitals=open_until(NOW)),
            member("b"),
        ]
    )
    reach = {HERE: Reach(NOW, NOW + 1), THERE: Reach(NOW, 0)}
    pool = replace(pool.moved(PROVIDER, "a"), reach=reach, choice=Choice("a", until_at=NOW + 7))
    back = pool.shifted(-hour)
    assert back.members["a"] == replace(
        pool.members["a"],
        cooldowns=(replace(resting, until_at=resting.until_at - hour, since_at=NOW - hour),),
        admin_until_at=NOW + 5 - hour,
        vitals=open_until(NOW - hour),
    )
    assert back.members["b"] == pool.members["b"]
    assert back.choice == Choice("a", until_at=NOW + 7 - hour)
    assert back.reach == {HERE: Reach(NOW - hour, NOW + 1 - hour), THERE: Reach(NOW - hour, 0)}
    assert (back.current, back.roster) == (pool.current, pool.roster)
    assert back.shifted(hour) == pool
    assert pool_of([member("a")]).chosen(Choice("a")).shifted(9).choice == Choice("a")
    assert pool_of([member("a")]).unreachable(HERE, NOW).shifted(9).reach == {HERE: Reach(0, NOW + 9)}


def test_a_clock_that_was_set_back_does_not_hide_that_this_machine_is_offline() -> None:
    pool, back = pool_of([member("a")]).reached(HERE, NOW), NOW - 3_600_000
    assert pool.shifted(-3_600_000).unreachable(HERE, back + 1).offline
    other = TWO.reached(THERE, NOW).shifted(-3_600_000)
    assert other.blames(HERE, back)
    assert not other.blames(HERE, back + ALIVE_MS)


@pytest.mark.parametrize(
    ("until_at", "stays"),
    [
        pytest.param(None, True, id="a choice without an end stays"),
        pytest.param(NOW + 1, True, id="a choice until later stays"),
        pytest.param(NOW, False, id="a choice until now is over"),
    ],
)
def test_a_choice_ends_by_itself(until_at: int | None, stays: bool) -> None:
    pool = pool_of([member("a"), member("b")]).chosen(Choice("b", pinned=True, until_at=until_at))
    assert pool.next_expiry() == until_at
    later, ended, resumed = pool.expired(NOW)
    assert (later.choice, ended, resumed) == (pool.choice if stays else None, (), ())
    assert later.current == {PROVIDER: "b"}


def test_a_profile_is_back_from_the_end_of_its_last_rest_on() -> None:
    pool = pool_of([member("a", rest("a", 10), rest("a", 30, Scope.MODEL, "x"), rest("a", 20, Scope.MODEL, "y"))])
    assert pool.expired(NOW + 20)[0].members["a"].vitals.back_at == NOW + 20
    assert pool.expired(NOW + 99)[0].members["a"].vitals.back_at == NOW + 30


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
    back = replace(pool.members["a"].vitals, back_at=NOW + 10)
    assert later.members["a"] == replace(
        pool.members["a"], cooldowns=(still,), admin=Admin.ENABLED, admin_until_at=None, vitals=back
    )
    assert (later.members["b"], later.members["c"]) == (pool.members["b"], pool.members["c"])
    assert pool.expired(NOW) == (pool, (), ())


def test_what_has_run_out_is_told_of_every_profile() -> None:
    pool = pool_of([member("a", rest("a", 1)), member("b", rest("b", 2)), member("c", rest("c", 3))])
    later, ended, _ = pool.expired(NOW + 2)
    assert [one.profile_id for one in ended] == ["a", "b"]
    assert [name for name, one in later.members.items() if one.cooldowns] == ["c"]


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
    pool = pool_of([member("a"), member("b")]).moved(PROVIDER, "a").chosen(Choice("b"))
    assert (pool.preferred, dict(pool.current)) == ("b", {PROVIDER: "b"})
    pool = pool.chosen(None)
    assert (pool.preferred, dict(pool.current)) == (None, {PROVIDER: "b"})


def test_a_choice_is_current_at_once_and_its_end_changes_nobody() -> None:
    choice = Choice("b", pinned=True, strict=True, until_at=NOW + 9)
    pool = pool_of([member("a"), member("b")]).moved(PROVIDER, "a").chosen(choice)
    assert (pool.choice, pool.preferred, pool.current) == (choice, "b", {PROVIDER: "b"})
    assert pool.chosen(None) == replace(pool, choice=None)
    assert pool.chosen(Choice("a")).choice == Choice("a", pinned=False, strict=False, until_at=None)


def test_a_profile_that_was_left_must_be_well_for_a_while_and_the_next_is_not_stormed() -> None:
    pool = pool_of([member("a"), member("b", in_flight=3), member("c")]).moved(PROVIDER, "a")
    fled = pool.moved(PROVIDER, "b", fled_at=NOW)
    assert fled.current == {PROVIDER: "b"}
    assert fled.members["a"].vitals == replace(UNKNOWN, back_at=NOW, fled_to="b")
    assert fled.members["b"] == replace(pool.members["b"], vitals=replace(UNKNOWN, ramp=Ramp(NOW, 3)))
    assert fled.members["c"] is pool.members["c"]
    again = fled.moved(PROVIDER, "a", fled_at=NOW - 5)
    assert again.members["b"].vitals.back_at == NOW - 5
    assert again.members["a"].vitals == replace(UNKNOWN, back_at=NOW, ramp=Ramp(NOW - 5, 0), fled_to="b")
    later = replace(pool.members["a"].vitals, back_at=NOW + 7)
    assert pool.known("a", later).moved(PROVIDER, "b", fled_at=NOW).members["a"].vitals.back_at == NOW + 7


def test_a_profile_may_be_current_for_one_model_alone() -> None:
    pool = pool_of([member("a"), member("b")])
    first = pool.moved(PROVIDER, "b", model="x")
    assert [first.holder(PROVIDER, model) for model in ("x", "y", None)] == ["b", "b", "b"]
    pool = pool.moved(PROVIDER, "a").moved(PROVIDER, "b", fled_at=NOW, model="x")
    assert [pool.holder(PROVIDER, model) for model in ("x", "y", None)] == ["b", "a", "a"]
    assert pool.holder("other", "x") is None
    assert (pool.members["a"].vitals.back_at, pool.members["b"].vitals.ramp) == (NOW, Ramp(NOW, 0))
    back = pool.moved(PROVIDER, "a", fled_at=NOW + 5, model="x")
    assert back.current == {PROVIDER: "a"}
    assert back.members["b"].vitals.back_at == NOW + 5
    assert pool.moved(PROVIDER, "b").current == {PROVIDER: "b"}
    assert pool.moved("openrouter-2", "z").moved(PROVIDER, "b").holder("openrouter-2", None) == "z"
    assert pool.left("b").current == {PROVIDER: "a"}
    assert pool.renamed("b", member("n")).holder(PROVIDER, "x") == "n"
    assert pool.left("a").holder(PROVIDER, "x") == "b"
    both = pool.moved(PROVIDER, "b", model="y")
    assert [both.holder(PROVIDER, model) for model in ("x", "y", None)] == ["b", "b", "a"]


def test_a_model_whose_name_has_spaces_goes_along_when_its_provider_moves() -> None:
    pool = pool_of([member("a"), member("b"), member("c")]).moved(PROVIDER, "a").moved(PROVIDER, "b", model="my own x")
    assert pool.holder(PROVIDER, "my own x") == "b"
    assert pool.moved(PROVIDER, "c").current == {PROVIDER: "c"}


def test_a_change_that_nobody_fled_from_leaves_everybody_as_they_are() -> None:
    pool = pool_of([member("a"), member("b")])
    assert pool.moved(PROVIDER, "a").moved(PROVIDER, "b") == replace(pool, current={PROVIDER: "b"})


def test_nobody_flees_from_itself_nor_from_who_has_gone() -> None:
    pool = pool_of([member("a", in_flight=2)]).moved(PROVIDER, "a").moved(PROVIDER, "a", fled_at=NOW)
    assert pool.members["a"].vitals == replace(UNKNOWN, ramp=Ramp(NOW, 2))
    gone = replace(pool_of([member("a")]), current={PROVIDER: "gone"}).moved(PROVIDER, "a", fled_at=NOW)
    assert gone.members["a"].vitals == replace(UNKNOWN, ramp=Ramp(NOW, 0))
    assert pool_of([member("a")]).moved(PROVIDER, "gone", fled_at=NOW).members == pool_of([member("a")]).members


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
    pool = pool.chosen(Choice(preferred)) if preferred else pool
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


def test_models_with_a_current_profile_of_their_own_are_bounded() -> None:
    pool = pool_of([member("a"), member("b")]).moved(PROVIDER, "a")
    for number in range(200):
        pool = pool.moved(PROVIDER, "b", model=f"m{number}")
    assert len(pool.current) == 65
    assert pool.holder(PROVIDER, "m199") == pool.holder(PROVIDER, "m136") == "b"
    assert pool.holder(PROVIDER, "m135") == "a"
    assert len(pool.moved(PROVIDER, "a", model="m199").current) == 64
