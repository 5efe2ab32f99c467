"""Everything paused: nothing passes, the profiles' own states stay, and it ends by itself where it was told to."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tests.core.build import MODEL, NOW, PROVIDER, judged, member
from tray_app.core.ending import exhausted
from tray_app.core.policy import Case, Lane, Progress, Refuse, Rules, Tried, Try, Why, next_step
from tray_app.core.pool import Halt, Pool, pool_of
from tray_app.core.values import ErrorClass, Protocol

FOREVER = Halt()
FOR_A_MINUTE = Halt(NOW + 60_000)


def halted(halt: Halt | None = FOREVER) -> Pool:
    return replace(pool_of([member("a"), member("b")]), halt=halt)


def case(pool: Pool, progress: Progress | None = None, now: int = NOW) -> Case:
    return Case((Lane(PROVIDER, MODEL),), progress or Progress(), pool, Rules(), now, 0.5)


@pytest.mark.parametrize(
    ("halt", "now", "holds"),
    [
        pytest.param(None, NOW, False, id="nothing is paused"),
        pytest.param(FOREVER, NOW, True, id="until resumed"),
        pytest.param(FOR_A_MINUTE, NOW, True, id="its time is not over"),
        pytest.param(FOR_A_MINUTE, NOW + 60_000, False, id="its time is over"),
    ],
)
def test_what_holds_of_it_at_a_time(halt: Halt | None, now: int, holds: bool) -> None:
    assert halted(halt).halted(now) is holds
    step = next_step(case(halted(halt), now=now))
    assert isinstance(step, Refuse if holds else Try)


def test_a_call_that_has_failed_somewhere_is_not_taken_elsewhere() -> None:
    failed = Progress((Tried("a", judged(ErrorClass.SERVER_ERROR)),))
    assert next_step(case(halted(FOR_A_MINUTE), failed)) == Refuse(
        Why.HALTED, "everything is paused by the operator", FOR_A_MINUTE.until_at
    )


def test_the_answer_says_so_and_how_to_go_on_and_blames_no_profile() -> None:
    refuse = next_step(case(halted()))
    assert isinstance(refuse, Refuse)
    members = tuple(halted().members.values())
    end = exhausted(refuse, Protocol.CHAT, members, MODEL, NOW, "req1", only="a")
    error = msgspec.json.decode(end.body)["error"]
    assert (end.status, dict(end.headers).get(b"retry-after")) == (503, None)
    assert error["message"] == "Everything is paused by the operator. To go on: o-switcher resume-all."
    assert error["why"] == "halted"


def test_it_survives_what_happens_to_profiles() -> None:
    assert halted().leased("a").released("a").halt == FOREVER


def test_it_ends_by_itself_and_profiles_stay_as_they_were() -> None:
    pool = halted(FOR_A_MINUTE)
    assert pool.next_expiry() == NOW + 60_000
    assert pool.expired(NOW + 59_999)[0] is pool
    over, ended, resumed = pool.expired(NOW + 60_000)
    assert (over, ended, resumed) == (replace(pool, halt=None), (), ())


def test_without_an_end_there_is_nothing_to_wake_up_for() -> None:
    assert halted().next_expiry() is None
    assert halted().expired(NOW + 10**12)[0] == halted()


def test_its_end_moves_along_with_the_clock() -> None:
    assert halted(FOR_A_MINUTE).shifted(-5000).halt == Halt(NOW + 55_000)
    assert halted().shifted(-5000).halt == FOREVER
