"""News out of facts and states: what is told, what is silenced, and no more than one a minute of each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from tests.faces.tray.statuses import MINUTE, NOON, cooling, profile, status
from tray_app.control.news import News, NewsKind, Newsroom
from tray_app.control.views import AppState, Status
from tray_app.core.values import (
    Cooldown,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    FailedOver,
    Lifecycle,
    OperatorActed,
    QuotaSeen,
    ReauthChanged,
    Scope,
    Source,
)

A, B, C = "openrouter-a", "openrouter-b", "openrouter-c"
ALL = frozenset(NewsKind)


@dataclass
class Call:
    """A call to come."""

    at: float
    work: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Desk:
    """A newsroom with a clock that the test turns."""

    status: Status
    wanted: frozenset[NewsKind] = ALL
    now: int = NOON
    told: list[News] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.room = Newsroom(lambda: self.status, lambda: self.wanted, self.told.append, lambda: self.now, self._later)
        self.room.changed(self.status)

    def _later(self, seconds: float, work: Callable[[], None]) -> Call:
        self.calls.append(Call(self.now + seconds * 1000, work))
        return self.calls[-1]

    def waiting(self) -> list[Call]:
        return [call for call in self.calls if not call.cancelled]

    def see(self, *facts: Fact) -> None:
        for fact in facts:
            self.room.see(fact)

    def change(self, **fields: object) -> None:
        self.status = replace(self.status, **fields)
        self.room.changed(self.status)

    def passes(self, ms: int) -> list[News]:
        """So much time goes by; what is told meanwhile."""
        self.told.clear()
        end = self.now + ms
        while due := sorted((call for call in self.waiting() if call.at <= end), key=lambda call: call.at):
            self.calls.remove(due[0])
            self.now = max(self.now, round(due[0].at))
            due[0].work()
        self.now = end
        return list(self.told)


def well() -> Desk:
    return Desk(status(profile(A, active=True), profile(B), profile(C)))


def rest(name: str, cls: ErrorClass = ErrorClass.QUOTA_EXHAUSTED, scope: Scope = Scope.KEY) -> Cooldown:
    return Cooldown(name, scope, "m", NOON + 60 * MINUTE, NOON, cls, Source.BODY, "out of credit")


def spent(name: str) -> CooldownSet:
    return CooldownSet(rest(name), name, None, NOON)


def switch(to: str, before: str | None = A, manual: bool = False) -> FailedOver:
    return FailedOver("r", NOON, before, to, "out of credit", manual)


def warned(limit: float | None, remaining: float | None, unit: str = "usd") -> QuotaSeen:
    return QuotaSeen(A, A, "key", "warned", NOON, limit, remaining, unit, None, "header", "80 % are used")


@pytest.mark.parametrize(
    ("fact", "news"),
    [
        pytest.param(switch(B), News(NewsKind.SWITCHED, (B,), "out of credit", A), id="a switch"),
        pytest.param(switch(B, manual=True), None, id="a switch by hand"),
        pytest.param(warned(50, 8), News(NewsKind.WARNED, (A,), "80 % are used", percent=84), id="a threshold"),
        pytest.param(
            warned(None, 5, "percent"), News(NewsKind.WARNED, (A,), "80 % are used", percent=95), id="percent"
        ),
        pytest.param(warned(None, 8), News(NewsKind.WARNED, (A,), "80 % are used"), id="of an unknown limit"),
        pytest.param(warned(50, None), News(NewsKind.WARNED, (A,), "80 % are used"), id="of an unknown rest"),
        pytest.param(ReauthChanged(A, A, NOON, False, "works"), News(NewsKind.BACK, (A,)), id="a key works again"),
        pytest.param(CooldownCleared(rest(A), A, NOON, "over"), News(NewsKind.BACK, (A,)), id="a quota begins anew"),
        pytest.param(
            OperatorActed(NOON, "cli", "connect", None, "opencode: /home/ann/opencode.json"),
            News(NewsKind.CONNECTED, ("opencode",)),
            id="a client is connected",
        ),
        pytest.param(OperatorActed(NOON, "cli", "connect", None, None), None, id="nobody knows which client"),
        pytest.param(OperatorActed(NOON, "cli", "pause", A, None), None, id="what an operator did"),
        pytest.param(Lifecycle("app.start", NOON, "r"), None, id="no news"),
        pytest.param(CooldownSet(rest(A, ErrorClass.RATE_LIMITED), A, None, NOON), None, id="a rate limit"),
        pytest.param(CooldownSet(rest(A, scope=Scope.KEY_MODEL), A, None, NOON), None, id="the quota of one model"),
        pytest.param(
            CooldownSet(rest(A, scope=Scope.ACCOUNT_FREE_MODELS), A, None, NOON), None, id="that of free models"
        ),
    ],
)
def test_what_is_news(fact: Fact, news: News | None) -> None:
    desk = well()
    desk.see(fact)
    told = [replace(one, view=None) for one in desk.passes(1000)]
    assert told == ([] if news is None else [news])


def test_a_profile_that_is_out_of_quota_is_told_with_how_it_is_now() -> None:
    desk = well()
    desk.see(spent(A))
    desk.change(profiles=(cooling(profile(A)), profile(B, active=True)))
    (one,) = desk.passes(1000)
    assert (one.kind, one.profiles) == (NewsKind.EXHAUSTED, (A,))
    assert one.view is not None and one.view.resets_at is not None


def test_a_refused_key_is_told() -> None:
    desk = well()
    desk.see(ReauthChanged(A, A, NOON, True, "the key is refused"))
    desk.change(profiles=(profile(A, state="needs re-authentication"), profile(B)))
    assert [(one.kind, one.reason) for one in desk.passes(1000)] == [(NewsKind.REAUTH, "the key is refused")]


@pytest.mark.parametrize(
    "fact", [spent(A), ReauthChanged(A, A, NOON, True, "r"), CooldownCleared(rest("gone"), "x", 1, "r")]
)
def test_what_is_true_no_longer_is_not_told(fact: Fact) -> None:
    desk = well()
    desk.see(fact)
    assert desk.passes(1000) == [], "by then it is ready again, or not there any more"


def test_within_a_minute_the_rest_of_a_kind_is_held_and_told_as_one() -> None:
    desk = well()
    desk.see(switch(B))
    assert len(desk.passes(1000)) == 1
    for to, before in ((C, B), (A, C), (B, A)):
        desk.see(switch(to, before))
        assert desk.passes(1000) == []
    (one,) = desk.passes(MINUTE)
    assert (one.count, one.profiles, one.from_profile) == (3, (C, A, B), A)
    assert desk.passes(10 * MINUTE) == [], "and that was all"
    desk.see(switch(A, B))
    assert len(desk.passes(1000)) == 1, "the next one is told at once"


def test_what_comes_together_is_told_as_one_at_once() -> None:
    desk = well()
    desk.see(spent(A), spent(B), spent(A))
    desk.change(profiles=(cooling(profile(A)), cooling(profile(B)), profile(C, active=True)))
    (one,) = desk.passes(1000)
    assert (one.profiles, one.count) == ((B, A), 3)


def test_one_kind_does_not_hold_up_another() -> None:
    desk = well()
    desk.see(switch(B))
    desk.passes(1000)
    desk.see(switch(C, B), warned(50, 8))
    assert [one.kind for one in desk.passes(1000)] == [NewsKind.WARNED]
    assert [one.kind for one in desk.passes(MINUTE)] == [NewsKind.SWITCHED]


def test_nothing_is_woken_up_for_while_there_is_no_news() -> None:
    desk = well()
    assert desk.waiting() == []
    desk.see(switch(B))
    assert len(desk.waiting()) == 1
    desk.passes(5 * MINUTE)
    assert desk.waiting() == []


@pytest.mark.parametrize("kind", NewsKind)
def test_each_kind_can_be_silenced_alone(kind: NewsKind) -> None:
    desk = well()
    desk.wanted = ALL - {kind}
    desk.see(switch(B), warned(50, 8), spent(B), CooldownCleared(rest(C), C, NOON, "over"))
    desk.see(ReauthChanged(A, A, NOON, True, "r"), OperatorActed(NOON, "cli", "connect", None, "opencode"))
    resting = (profile(A, state="needs re-authentication"), cooling(profile(B)), profile(C))
    desk.change(profiles=resting, state=AppState.EXHAUSTED)
    assert {one.kind for one in desk.passes(1000)} == ALL - {kind}


def test_what_is_silenced_meanwhile_is_not_told() -> None:
    desk = well()
    desk.see(switch(B))
    desk.wanted = frozenset()
    assert desk.passes(MINUTE) == []


def test_when_nobody_can_serve_the_first_who_is_back_is_named() -> None:
    desk = well()
    late, soon = cooling(profile(A), NOON + 90 * MINUTE), cooling(profile(B), NOON + 20 * MINUTE)
    desk.change(state=AppState.EXHAUSTED, active=None, profiles=(late, soon))
    (one,) = desk.passes(1000)
    assert (one.kind, one.profiles) == (NewsKind.ALL_EXHAUSTED, (B,))
    desk.change(state=AppState.EXHAUSTED)
    assert desk.passes(MINUTE) == [], "it is told once"
    desk.change(state=AppState.READY, active=B, profiles=(late, profile(B, active=True)))
    assert [(one.kind, one.profiles) for one in desk.passes(MINUTE)] == [(NewsKind.BACK, (B,))]


def test_nobody_knows_who_is_back_first() -> None:
    desk = well()
    desk.change(state=AppState.EXHAUSTED, active=None, profiles=())
    assert [(one.kind, one.profiles) for one in desk.passes(1000)] == [(NewsKind.ALL_EXHAUSTED, ())]


def test_a_moment_without_anybody_is_not_worth_a_word() -> None:
    desk = well()
    desk.change(state=AppState.EXHAUSTED, active=None)
    desk.change(state=AppState.PAUSED)
    assert desk.passes(MINUTE) == []


def test_how_it_is_at_the_start_is_no_news() -> None:
    desk = Desk(status(cooling(profile(A)), state=AppState.EXHAUSTED))
    assert desk.passes(MINUTE) == []


def test_at_the_end_nothing_is_told_any_more() -> None:
    desk = well()
    desk.room.close()
    desk.see(switch(B))
    desk.room.close()
    assert desk.waiting() == []
