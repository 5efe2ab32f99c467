"""Health that drifts, and the score: its terms one by one, and what no term may do to the others."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.build import NOW, unhurried
from tray_app.core.score import HALF_LIFE_MS, Health, Score, Weights, score, worth

MINUTE = 60_000
EXPECTED_MS = 30_000

shares = st.floats(0, 1)
latencies = st.none() | st.floats(0, 1e9)
gaps = st.integers(-(10**12), 10**12)
priorities = st.integers(-(10**30), 10**30)
healths = st.builds(Health, shares, st.just(NOW), latencies)


def scored(
    health: Health | None = None, share: float = 0.0, priority: int = 0, weights: Weights | None = None, now: int = NOW
) -> Score:
    """The score of a profile that is new, save for what is named."""
    return score(health or Health(), share, priority, weights or Weights(), EXPECTED_MS, now)


def test_what_holds_of_a_new_profile() -> None:
    assert Health() == Health(1.0, 0, None)
    assert Weights() == Weights(1.0, 0.5, 0.8, 0.3)
    assert scored() == Score(total=1.0, health=1.0, latency=0.0, failure=0.0, priority=0.0)


@pytest.mark.parametrize(
    "value",
    [pytest.param(Health(), id="health"), pytest.param(Weights(), id="weights"), pytest.param(scored(), id="a score")],
)
def test_nothing_is_changed_in_place(value: object) -> None:
    with pytest.raises(AttributeError):
        setattr(value, type(value).__slots__[0], None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "after_ms", "health"),
    [
        pytest.param(0.0, 0, 0.0, id="at once nothing is forgiven"),
        pytest.param(0.0, 10 * MINUTE, 0.5, id="half after ten minutes"),
        pytest.param(0.0, 20 * MINUTE, 0.75, id="three quarters after twenty"),
        pytest.param(0.5, 10 * MINUTE, 0.75, id="half of what is missing"),
        pytest.param(0.0, 5 * MINUTE, 1 - 0.5**0.5, id="evenly in between"),
        pytest.param(0.0, 1, 1 - 0.5 ** (1 / 600_000), id="from the first millisecond on"),
        pytest.param(0.0, 10**12, 1.0, id="all after decades"),
        pytest.param(1.0, 7 * MINUTE, 1.0, id="nothing is missing"),
        pytest.param(0.1, -1, 0.1, id="a clock set back by a moment is no time"),
        pytest.param(0.1, -(10**12), 0.1, id="a clock set back by decades is no time"),
    ],
)
def test_an_idle_profile_recovers(value: float, after_ms: int, health: float) -> None:
    assert Health(value, NOW).now(NOW + after_ms) == health


def test_where_no_time_passed_health_is_as_it_was_to_the_last_digit() -> None:
    assert Health(0.1, NOW).now(NOW) == 0.1


@pytest.mark.parametrize(
    ("health", "well", "now", "value"),
    [
        pytest.param(Health(), False, NOW, 0.8, id="the first failure weighs a fifth"),
        pytest.param(Health(1.0, NOW), True, NOW, 1.0, id="a success keeps what is whole"),
        pytest.param(Health(0.5, NOW), True, NOW, 0.6, id="a success mends a fifth of what is missing"),
        pytest.param(Health(0.5, NOW), False, NOW, 0.4, id="a failure takes a fifth of what is there"),
        pytest.param(Health(0.0, NOW), False, NOW + 10 * MINUTE, 0.4, id="what was forgiven first counts"),
        pytest.param(Health(0.0, NOW), True, NOW + 10 * MINUTE, 0.6, id="what was forgiven first counts for a success"),
        pytest.param(Health(0.5, NOW), False, NOW - 10 * MINUTE, 0.4, id="a clock set back is no time"),
    ],
)
def test_an_outcome_moves_health(health: Health, well: bool, now: int, value: float) -> None:
    after = health.after(well, None, now)
    assert after.value == pytest.approx(value, abs=1e-12)
    assert after.at == now  # also where the clock was set back: from there on it drifts


@pytest.mark.parametrize(
    ("before", "sample", "after"),
    [
        pytest.param(None, None, None, id="never measured"),
        pytest.param(None, 500, 500.0, id="the first sample is taken whole"),
        pytest.param(None, 0, 0.0, id="even if it is nought"),
        pytest.param(1000.0, 500, 900.0, id="a further sample weighs a fifth"),
        pytest.param(0.0, 500, 100.0, id="an average of nought is an average"),
        pytest.param(1000.0, 0, 800.0, id="a sample of nought is a sample"),
        pytest.param(1000.0, None, 1000.0, id="no sample changes nothing"),
    ],
)
@pytest.mark.parametrize("well", [pytest.param(True, id="well"), pytest.param(False, id="failed")])
def test_the_average_of_latencies(well: bool, before: float | None, sample: int | None, after: float | None) -> None:
    found = Health(latency_ms=before).after(well, sample, NOW).latency_ms
    assert found == (None if after is None else pytest.approx(after))
    assert not isinstance(found, int)


@pytest.mark.parametrize(
    ("found", "terms"),
    [
        pytest.param(scored(Health(0.25, NOW)), (0.25, 0.0, 0.0, 0.0), id="health as it is"),
        pytest.param(scored(Health(0.0, NOW), now=NOW + HALF_LIFE_MS), (0.5, 0.0, 0.0, 0.0), id="health as it drifts"),
        pytest.param(scored(Health(latency_ms=0.0)), (1.0, 0.0, 0.0, 0.0), id="no latency costs nothing"),
        pytest.param(scored(Health(latency_ms=15_000.0)), (1.0, -0.25, 0.0, 0.0), id="half as long as expected"),
        pytest.param(scored(Health(latency_ms=30_000.0)), (1.0, -0.5, 0.0, 0.0), id="as long as expected is slow"),
        pytest.param(scored(Health(latency_ms=1e9)), (1.0, -0.5, 0.0, 0.0), id="slower than slow costs no more"),
        pytest.param(scored(share=0.5), (1.0, 0.0, -0.4, 0.0), id="half of the calls failed"),
        pytest.param(scored(share=1.0), (1.0, 0.0, -0.8, 0.0), id="all calls failed"),
        pytest.param(scored(priority=1), (1.0, 0.0, 0.0, 0.3 * 0.5), id="a priority of one is half of the weight"),
        pytest.param(scored(priority=-1), (1.0, 0.0, 0.0, -0.3 * 0.5), id="a priority below nought costs"),
        pytest.param(scored(priority=3), (1.0, 0.0, 0.0, 0.3 * 0.75), id="a priority of three"),
        pytest.param(scored(priority=10**400), (1.0, 0.0, 0.0, 0.3), id="a priority that no float can hold"),
        pytest.param(scored(priority=-(10**400)), (1.0, 0.0, 0.0, -0.3), id="nor below nought"),
        pytest.param(
            scored(Health(0.5, NOW, 15_000.0), 0.5, 1, Weights(2.0, 4.0, 8.0, 16.0)),
            (1.0, -2.0, -4.0, 8.0),
            id="each term has its own weight",
        ),
    ],
)
def test_the_terms_of_a_score(found: Score, terms: tuple[float, float, float, float]) -> None:
    health, latency, failure, priority = terms
    assert found == Score(health + latency + failure + priority, health, latency, failure, priority)


def test_what_costs_nothing_is_not_called_minus_nought() -> None:
    found = scored(Health(latency_ms=0.0))
    assert [str(term) for term in (found.latency, found.failure, found.priority)] == ["0.0", "0.0", "0.0"]


@unhurried
@given(shares, st.lists(st.tuples(st.booleans(), st.none() | st.integers(0, 10**9), gaps)))
def test_health_stays_between_nought_and_one(value: float, steps: list[tuple[bool, int | None, int]]) -> None:
    health, now, samples = Health(value, NOW), NOW, []
    for well, latency_ms, ms in steps:
        now += ms
        drifted = health.now(now)
        assert 0.0 <= drifted <= 1.0
        health = health.after(well, latency_ms, now)
        assert drifted <= health.value <= 1.0 if well else 0.0 <= health.value <= drifted
        samples += [] if latency_ms is None else [latency_ms]
        if samples:
            assert health.latency_ms is not None
            assert min(samples) * 0.999999 <= health.latency_ms <= max(samples) * 1.000001
        else:
            assert health.latency_ms is None


@unhurried
@given(shares, gaps, st.integers(0, 10**12))
def test_an_idle_profile_never_gets_worse(value: float, ms: int, more_ms: int) -> None:
    health = Health(value, NOW)
    assert value <= health.now(NOW + ms) <= health.now(NOW + ms + more_ms) <= 1.0


@unhurried
@given(healths, shares, priorities, st.integers(1, 10**9), gaps)
def test_the_total_is_the_sum_of_its_terms_and_each_is_within_its_weight(
    health: Health, share: float, priority: int, expected_ms: int, ms: int
) -> None:
    weights = Weights()
    found = score(health, share, priority, weights, expected_ms, NOW + ms)
    assert found.total == found.health + found.latency + found.failure + found.priority
    assert 0.0 <= found.health <= weights.health
    assert -weights.latency <= found.latency <= 0.0
    assert -weights.failure <= found.failure <= 0.0
    assert -weights.priority <= found.priority <= weights.priority


@unhurried
@given(healths | st.just(Health()), shares, priorities, st.integers(1, 10**9), gaps)
@example(Health(0.0, NOW), 0.0, 0, EXPECTED_MS, HALF_LIFE_MS)
def test_the_worth_is_the_total_to_the_last_digit(
    health: Health, share: float, priority: int, expected_ms: int, ms: int
) -> None:
    """Who is ranked first is who the log says was worth most."""
    weights = Weights(1.1, 0.7, 0.9, 0.4)
    told = score(health, share, priority, weights, expected_ms, NOW + ms)
    assert worth(health, share, priority, weights, expected_ms, NOW + ms) == told.total


@unhurried
@given(healths, healths, shares, shares, priorities, priorities)
def test_who_is_better_in_everything_is_never_worth_less(
    one: Health, other: Health, a: float, b: float, p: int, q: int
) -> None:
    latencies = sorted([one.latency_ms or 0.0, other.latency_ms or 0.0])
    better = Health(max(one.value, other.value), NOW, latencies[0])
    worse = Health(min(one.value, other.value), NOW, latencies[1])
    assert scored(better, min(a, b), max(p, q)).total >= scored(worse, max(a, b), min(p, q)).total


@unhurried
@given(priorities)
def test_no_priority_drowns_a_profile_that_fails(priority: int) -> None:
    """The best priority and the worst are 0.6 apart: less than what separates all well from all failed."""
    assert scored(priority=priority).total > scored(Health(0.0, NOW), 1.0, 10**30).total


@unhurried
@given(st.integers(-1000, 1000))
def test_a_higher_priority_is_worth_more(priority: int) -> None:
    assert scored(priority=priority + 1).priority > scored(priority=priority).priority
    assert scored(priority=-priority).priority == -scored(priority=priority).priority
