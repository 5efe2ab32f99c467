"""What calls have shown of a profile: outcomes in, circuit, ladder, ramp and ceiling out; all of it moves with the clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import NOW, unhurried
from tray_app.core.breaker import Breaker, BreakerRules
from tray_app.core.quota import Ladder
from tray_app.core.score import Health
from tray_app.core.vitals import GROWTH_MS, RAMP_MS, UNKNOWN, Ceiling, Ramp, Vitals

RULES = BreakerRules(failure_threshold=2, half_open_after_ms=1_000, success_threshold=2)
OPENED = UNKNOWN.failed(NOW, RULES).failed(NOW, RULES)


def test_what_is_known_at_first() -> None:
    assert Vitals(Breaker(), None, Health(), (), Ladder(), None, None, 0, 0) == UNKNOWN
    assert (RAMP_MS, GROWTH_MS) == (250, 60_000)


# -- how many calls at once


@pytest.mark.parametrize(
    ("after_ms", "places", "next_ms"),
    [
        pytest.param(-5_000, 4, 250, id="a clock that was set back: the one call"),
        pytest.param(0, 4, 250, id="one call beside those it carried"),
        pytest.param(249, 4, 250, id="no other one within the quarter of a second"),
        pytest.param(250, 5, 500, id="the second after it"),
        pytest.param(499, 5, 500, id="and no third"),
        pytest.param(2_500, 14, 2_750, id="eleven after two and a half seconds"),
    ],
)
def test_a_ramp(after_ms: int, places: int, next_ms: int) -> None:
    ramp = Ramp(NOW, 3)
    assert (ramp.places(NOW + after_ms), ramp.next_at(NOW + after_ms)) == (places, NOW + next_ms)


@pytest.mark.parametrize(
    ("after_ms", "places", "next_ms"),
    [
        pytest.param(-5_000, 3, 60_000, id="a clock that was set back: as many as it took"),
        pytest.param(0, 3, 60_000, id="as many as it took"),
        pytest.param(59_999, 3, 60_000, id="for a minute"),
        pytest.param(60_000, 4, 120_000, id="then one more is tried"),
        pytest.param(300_000, 8, 360_000, id="five after five minutes"),
    ],
)
def test_a_ceiling(after_ms: int, places: int, next_ms: int) -> None:
    ceiling = Ceiling(3, NOW)
    assert (ceiling.places(NOW + after_ms), ceiling.next_at(NOW + after_ms)) == (places, NOW + next_ms)


@unhurried
@given(st.integers(0, 50), st.integers(-(10**6), 10**7), st.sampled_from([Ramp, Ceiling]))
def test_a_place_comes_about_at_the_time_that_is_told_and_not_before(base: int, after: int, kind: type) -> None:
    limit = kind(NOW, base) if kind is Ramp else kind(base, NOW)
    now = NOW + after
    at = limit.next_at(now)
    assert at > now
    assert limit.places(at) == limit.places(now) + 1
    assert limit.places(at - 1) == limit.places(now)


@pytest.mark.parametrize(
    ("carried", "limit"),
    [
        pytest.param(5, 5, id="as many as it carried"),
        pytest.param(1, 1, id="the one that it carried"),
        pytest.param(0, 1, id="one where it carried none"),
    ],
)
def test_a_provider_that_speaks_of_too_many_at_once_shows_its_ceiling(carried: int, limit: int) -> None:
    before = replace(UNKNOWN, served=3, ramp=Ramp(NOW, 1))
    assert before.crowded(carried, NOW) == replace(before, ceiling=Ceiling(limit, NOW))


# -- outcomes


def test_an_answer_counts_and_opens_the_ramp_and_leads_the_ladder_to_the_ground() -> None:
    before = Vitals(
        Breaker((False,)), None, Health(0.5, NOW, 100.0), (), Ladder(8_000, 2), Ramp(NOW, 3), Ceiling(4, NOW), 77, 9
    )
    assert before.succeeded(200, NOW, RULES) == Vitals(
        Breaker((False, True)), None, Health(0.6, NOW, 120.0), (), Ladder(), None, Ceiling(4, NOW), 77, 10
    )


def test_an_answer_without_a_first_byte_leaves_the_latency() -> None:
    assert replace(UNKNOWN, health=Health(1.0, NOW, 100.0)).succeeded(None, NOW, RULES).health == Health(
        1.0, NOW, 100.0
    )


def test_failures_open_the_circuit_and_nothing_else() -> None:
    before = replace(UNKNOWN, ladder=Ladder(8_000, 2), ramp=Ramp(NOW, 3), ceiling=Ceiling(4, NOW), back_at=7, served=9)
    once = before.failed(NOW, RULES)
    assert once == replace(before, breaker=Breaker((False,)), health=Health(0.8, NOW))
    twice = once.failed(NOW + 5, RULES)
    assert twice.open_until == NOW + 5 + 1_000
    assert replace(twice, breaker=before.breaker, open_until=None, health=before.health) == before


def test_a_success_that_fills_a_window_of_which_half_has_failed_opens_the_circuit() -> None:
    rules = BreakerRules(failure_threshold=9, sliding_window_size=4, half_open_after_ms=1_000)
    shown = UNKNOWN.failed(NOW, rules).succeeded(9, NOW, rules).failed(NOW, rules)
    assert shown.open_until is None
    opened = shown.succeeded(9, NOW + 5, rules)
    assert (opened.open_until, opened.back_at) == (NOW + 1_005, 0)
    assert shown.succeeded(9, NOW + 5, RULES).open_until is None


def test_a_late_echo_of_the_fault_does_not_put_off_the_probe() -> None:
    assert OPENED.open_until == NOW + 1_000
    assert OPENED.failed(NOW + 999, RULES).open_until == NOW + 1_000


def test_an_answer_from_before_the_opening_closes_nothing() -> None:
    late = OPENED.succeeded(10, NOW + 999, RULES)
    assert (late.open_until, late.back_at, late.breaker) == (NOW + 1_000, 0, OPENED.breaker)


def test_a_probe_that_fails_opens_the_circuit_again() -> None:
    assert OPENED.failed(NOW + 1_000, RULES).open_until == NOW + 2_000


def test_probes_that_go_well_close_the_circuit_and_the_profile_is_back_from_then_on() -> None:
    once = OPENED.succeeded(10, NOW + 1_000, RULES)
    assert (once.open_until, once.back_at) == (NOW + 1_000, 0)
    twice = once.succeeded(10, NOW + 1_500, RULES)
    assert (twice.open_until, twice.back_at, twice.breaker) == (None, NOW + 1_500, Breaker())


def test_an_open_circuit_of_which_the_breaker_has_forgotten_is_closed_by_an_answer() -> None:
    found = replace(UNKNOWN, open_until=NOW - 1).succeeded(10, NOW, RULES)
    assert (found.open_until, found.back_at) == (None, NOW)


def test_a_closed_circuit_leaves_when_the_profile_came_back() -> None:
    assert replace(UNKNOWN, back_at=5).succeeded(10, NOW, RULES).back_at == 5


def test_the_operator_holds_nothing_against_it() -> None:
    before = replace(OPENED, ladder=Ladder(8_000, 2), ramp=Ramp(NOW, 3), ceiling=Ceiling(4, NOW), back_at=7, served=9)
    assert before.forgiven() == replace(UNKNOWN, health=OPENED.health, served=9)


# -- the clock


def test_every_time_moves_along_with_the_clock() -> None:
    before = Vitals(
        Breaker((False, False), NOW, 1),
        NOW + 1_000,
        Health(0.5, NOW, 10.0),
        (),
        Ladder(8_000, 2),
        Ramp(NOW, 3),
        Ceiling(4, NOW),
        NOW - 7,
        9,
    )
    later = NOW - 3_600_000
    assert before.shifted(-3_600_000) == Vitals(
        Breaker((False, False), later, 1),
        later + 1_000,
        Health(0.5, later, 10.0),
        (),
        Ladder(8_000, 2),
        Ramp(later, 3),
        Ceiling(4, later),
        later - 7,
        9,
    )


def test_what_never_happened_has_no_time_to_move() -> None:
    assert UNKNOWN.shifted(-3_600_000) == UNKNOWN
