"""What providers say of quotas is kept, warned of once, and obeyed; what they say against a rest ends it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from tests.core.build import MODEL, NOW, member, rest
from tray_app.core.allowance import Allowance
from tray_app.core.policy import Rules
from tray_app.core.pool import Cell, Member, pool_of
from tray_app.core.quota import DAY_MS
from tray_app.core.values import CooldownCleared, CooldownSet, ErrorClass, Fact, QuotaSeen, Scope, Source
from tray_app.proxy.knowledge import Knowledge


def cap(left: float | None, limit: float | None = 100.0, **more: object) -> Allowance:
    """A key's daily cap, as a probe tells it."""
    told = Allowance("key limit", left, limit, "usd", NOW + 3_600_000, DAY_MS, Source.PROBE, NOW, Scope.KEY)
    return replace(told, **more)  # type: ignore[arg-type]


@dataclass
class World:
    """A pool of one account's two profiles and another's, and who learns for it."""

    rules: Rules = field(default_factory=Rules)
    now: int = NOW
    facts: list[Fact] = field(default_factory=list)
    painted: int = 0

    def __post_init__(self) -> None:
        members = [member("main", account="w"), member("sibling", account="w"), member("other")]
        self.cell = Cell(pool_of(members))
        self.cell.watch(self.paint)
        self.knowledge = Knowledge(self.cell, self.facts.append, lambda: self.rules, lambda: self.now)

    def paint(self) -> None:
        self.painted += 1

    def tell(self, *told: Allowance, of: str = "main", note: str | None = None) -> None:
        self.now += 1
        self.knowledge.told(of, tuple(replace(one, at=self.now) for one in told), note)

    def main(self) -> Member:
        return self.cell.pool.members["main"]

    def of_kind(self, kind: str) -> list[str]:
        return [fact.reason for fact in self.facts if isinstance(fact, QuotaSeen) and fact.kind == kind]


def test_what_a_probe_says_is_kept_shown_and_recorded() -> None:
    world = World()
    world.tell(cap(60), note="the key may spend 100 USD a day")
    assert [one.remaining for one in world.main().vitals.allowances] == [60]
    assert world.painted == 1
    (fact,) = [fact for fact in world.facts if isinstance(fact, QuotaSeen)]
    assert (fact.kind, fact.profile_id, fact.account, fact.scope, fact.source) == ("probe", "main", "w", "key", "probe")
    assert (fact.limit_value, fact.remaining, fact.unit, fact.resets_at) == (100, 60, "usd", NOW + 3_600_000)
    assert fact.reason == "the key may spend 100 USD a day"


def test_the_same_again_is_no_news() -> None:
    world = World()
    world.tell(cap(60))
    world.tell(cap(60))
    world.tell(cap(59))
    assert len(world.of_kind("probe")) == 2


def test_what_nobody_could_see_is_not_painted_anew() -> None:
    world = World()
    world.tell(cap(60))
    world.tell(cap(59.9))
    assert world.painted == 1
    world.tell(cap(58))
    assert world.painted == 2


def test_each_threshold_is_warned_of_once_for_each_crossing() -> None:
    world = World()
    for left in (30, 21, 20, 19, 10, 5, 4):
        world.tell(cap(left))
    assert world.of_kind("warned") == ["80 % of key limit are used", "95 % of key limit are used"]
    world.tell(cap(100, resets_at=NOW + 2 * DAY_MS))
    world.tell(cap(15, resets_at=NOW + 2 * DAY_MS))
    assert len(world.of_kind("warned")) == 3


def test_a_profile_that_is_empty_rests_until_its_reset() -> None:
    world = World()
    world.tell(cap(0))
    (cooldown,) = world.main().cooldowns
    assert (cooldown.scope, cooldown.until_at, cooldown.source) == (Scope.KEY, NOW + 3_600_000, Source.PROBE)
    assert cooldown.reason == "nothing is left of key limit"


def test_an_empty_wallet_rests_the_whole_account_for_an_hour() -> None:
    world = World()
    wallet = cap(0, None, name="credit", scope=Scope.ACCOUNT, resets_at=None, window_ms=None)
    world.tell(wallet)
    until = {name: [one.until_at for one in m.cooldowns] for name, m in world.cell.pool.members.items()}
    assert until == {"main": [NOW + 1 + 3_600_000], "sibling": [NOW + 1 + 3_600_000], "other": []}


def test_a_reserve_is_left_untouched() -> None:
    world = World(Rules(reserve_percent=10))
    world.tell(cap(11))
    assert not world.main().cooldowns
    world.tell(cap(9))
    assert [one.reason for one in world.main().cooldowns] == ["kept in reserve: 9 % of key limit is left"]
    world.tell(cap(8))
    assert len([fact for fact in world.facts if isinstance(fact, CooldownSet)]) == 1
    world.tell(cap(50))
    assert not world.main().cooldowns


@pytest.mark.parametrize(
    ("told", "over"),
    [
        pytest.param(cap(5), True, id="some is left again"),
        pytest.param(cap(None, None), True, id="the cap was lifted"),
        pytest.param(cap(0), False, id="still nothing"),
        pytest.param(cap(5, source=Source.HEADER), False, id="only a probe can tell"),
        pytest.param(cap(5, scope=Scope.ACCOUNT), False, id="it speaks of the account, the key rests"),
        pytest.param(cap(5, window_ms=60_000), False, id="a minute's bucket says nothing of a day's"),
    ],
)
def test_a_rest_for_want_of_quota_ends_when_the_provider_says_so(told: Allowance, over: bool) -> None:
    world = World()
    spent = rest("main", DAY_MS, Scope.KEY, source=Source.INFERRED, cls=ErrorClass.QUOTA_EXHAUSTED)
    world.cell.set(world.cell.pool.rested(spent)[0])
    world.tell(told)
    assert (world.main().cooldowns == ()) is over
    assert any(isinstance(fact, CooldownCleared) for fact in world.facts) is over


@pytest.mark.parametrize("source", [Source.HEADER, Source.BODY])
def test_a_time_that_an_answer_has_stated_stands(source: Source) -> None:
    """It may be of another limit than the one that was asked for."""
    world = World()
    spent = rest("main", DAY_MS, Scope.KEY, source=source, cls=ErrorClass.QUOTA_EXHAUSTED)
    world.cell.set(world.cell.pool.rested(spent)[0])
    world.tell(cap(None, None))
    assert world.main().cooldowns == (spent,)


def test_a_rest_for_a_rate_is_not_a_probes_to_end() -> None:
    world = World()
    world.cell.set(world.cell.pool.rested(rest("main"))[0])
    world.tell(cap(50))
    assert world.main().cooldowns


def test_answer_headers_tell_without_being_asked() -> None:
    world = World()
    world.cell.set(world.cell.pool.joined(member("oa", provider="openai")))
    profile = world.cell.pool.members["oa"].profile
    headers = [
        (b"x-ratelimit-limit-requests", b"100"),
        (b"x-ratelimit-remaining-requests", b"99"),
        (b"x-ratelimit-reset-requests", b"600ms"),
    ]
    world.knowledge.heard(profile, headers, MODEL)
    assert [one.remaining for one in world.cell.pool.members["oa"].vitals.allowances] == [99]
    assert world.facts == []
    world.knowledge.heard(world.main().profile, headers, MODEL)
    assert world.main().vitals.allowances == ()


def test_what_is_said_of_a_profile_that_has_gone_is_forgotten() -> None:
    world = World()
    world.tell(cap(50), of="gone")
    assert world.facts == []
