"""When a provider is asked next what is left: often when it matters, never when nothing happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import NOW, unhurried
from tray_app.core.allowance import DAY_MS, HOUR_MS, MINUTE_MS
from tray_app.core.poll import AFTER_RESET_MS, FIRST_MS, LONGEST_MS, SHORTEST_MS, Poll, next_poll_at

used = Poll(last_at=NOW, calls_since=1)


@pytest.mark.parametrize(
    ("percent", "calls", "minutes"),
    [
        pytest.param(None, 1, 30, id="it is not known how much is used"),
        pytest.param(None, 100, 10, id="not known, and very busy"),
        pytest.param(0.0, 1, 30, id="nothing used, hardly busy"),
        pytest.param(49.9, 19, 30, id="less than half used"),
        pytest.param(10.0, 20, 20, id="busy"),
        pytest.param(10.0, 99, 20, id="still no more than busy"),
        pytest.param(10.0, 100, 10, id="very busy"),
        pytest.param(50.0, 1, 20, id="half used"),
        pytest.param(50.0, 20, 10, id="half used, busy"),
        pytest.param(50.0, 100, 5, id="half used, very busy"),
        pytest.param(80.0, 1, 10, id="a fifth left"),
        pytest.param(80.0, 20, 5, id="a fifth left, busy"),
        pytest.param(80.0, 100, 2, id="a fifth left, very busy"),
        pytest.param(95.0, 1, 5, id="nearly spent"),
        pytest.param(95.0, 20, 2, id="nearly spent, busy"),
        pytest.param(100.0, 5000, 2, id="spent, very busy"),
        pytest.param(-1.0, 1, 30, id="less than nothing used"),
    ],
)
def test_the_interval_follows_use_and_what_is_left(percent: float | None, calls: int, minutes: int) -> None:
    due = next_poll_at(replace(used, used_percent=percent, calls_since=calls), NOW, 0.5)
    assert due is not None
    spread = (2 / 0.9, 30 / 1.1)
    assert due - NOW == pytest.approx(min(max(minutes, spread[0]), spread[1]) * MINUTE_MS, abs=1)


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [
        pytest.param(0, 5, id="none"),
        pytest.param(1, 10, id="one doubles it"),
        pytest.param(2, 20, id="two double it twice"),
        pytest.param(3, 30 / 1.1, id="three: half an hour at most"),
        pytest.param(1000, 30 / 1.1, id="a thousand"),
        pytest.param(-1, 5, id="fewer than none"),
    ],
)
def test_failures_in_a_row_stretch_it(failures: int, minutes: float) -> None:
    due = next_poll_at(replace(used, used_percent=95.0, failures=failures), NOW, 0.5)
    assert due == pytest.approx(NOW + minutes * MINUTE_MS, abs=1)


@pytest.mark.parametrize(
    ("poll", "due"),
    [
        pytest.param(Poll(asked=True), NOW, id="at once when asked, though never polled"),
        pytest.param(Poll(last_at=NOW - 1, asked=True, failures=9), NOW, id="at once when asked, whatever came before"),
        pytest.param(
            Poll(last_at=NOW - 1, asked=True, parked_until=NOW + DAY_MS), NOW, id="at once when asked, though parked"
        ),
        pytest.param(Poll(), NOW + 6_000, id="never polled: soon"),
        pytest.param(Poll(parked_until=NOW + DAY_MS), NOW + 6_000, id="never polled, parked: soon as well"),
        pytest.param(Poll(last_at=NOW - DAY_MS), None, id="nobody used it: not at all"),
        pytest.param(Poll(last_at=NOW - DAY_MS, failures=3), None, id="nobody used it, and it failed: not at all"),
        pytest.param(Poll(last_at=NOW, used_percent=99.0), None, id="nearly spent, but nobody uses it: not at all"),
        pytest.param(
            Poll(last_at=NOW, parked_until=NOW + DAY_MS), NOW + DAY_MS + 15_000, id="parked: a little after the reset"
        ),
        pytest.param(
            Poll(last_at=NOW - HOUR_MS, parked_until=NOW - MINUTE_MS), NOW, id="parked, and its reset has passed: now"
        ),
        pytest.param(
            Poll(last_at=NOW - HOUR_MS, parked_until=NOW - 1),
            NOW + 14_999,
            id="parked, its reset has just passed: a little after it",
        ),
        pytest.param(
            Poll(last_at=NOW - 1_000, parked_until=NOW + 1_000),
            NOW - 1_000 + SHORTEST_MS,
            id="parked, and polled just before its reset: not within two minutes",
        ),
        pytest.param(
            Poll(last_at=NOW - 1_000, parked_until=NOW - 2_000), None, id="parked, and polled after its reset: once"
        ),
        pytest.param(
            Poll(last_at=NOW - 1_000, parked_until=NOW - 2_000, failures=1), None, id="once, though that one failed"
        ),
        pytest.param(Poll(last_at=NOW - DAY_MS, calls_since=1), NOW, id="used for the first time since yesterday: now"),
    ],
)
def test_when_it_is_asked(poll: Poll, due: int | None) -> None:
    assert next_poll_at(poll, NOW, 0.5) == due


def test_a_clock_that_was_set_back_does_not_put_it_off() -> None:
    due = next_poll_at(replace(used, last_at=NOW + DAY_MS), NOW, 0.5)
    assert due is not None
    assert due <= NOW + LONGEST_MS


chances = st.floats(0, 1, exclude_max=True)
polls = st.builds(
    Poll,
    st.none() | st.integers(NOW - DAY_MS, NOW),
    st.integers(0, 100),
    st.integers(0, 1000),
    st.none() | st.floats(0, 100),
    st.none() | st.integers(NOW - DAY_MS, NOW + DAY_MS),
    st.booleans(),
)


@unhurried
@given(polls, chances)
def test_it_is_never_asked_in_the_past_nor_sooner_than_two_minutes_on(poll: Poll, chance: float) -> None:
    due = next_poll_at(poll, NOW, chance)
    if due is not None:
        assert due >= NOW
        assert poll.asked or poll.last_at is None or due - poll.last_at >= SHORTEST_MS


@unhurried
@given(polls, chances)
def test_every_interval_is_between_two_minutes_and_half_an_hour(poll: Poll, chance: float) -> None:
    due = next_poll_at(replace(poll, last_at=NOW, parked_until=None, asked=False, calls_since=1), NOW, chance)
    assert due is not None
    assert SHORTEST_MS <= due - NOW <= LONGEST_MS


@unhurried
@given(polls, chances)
def test_intervals_are_spread_by_ten_percent(poll: Poll, chance: float) -> None:
    busy = replace(poll, last_at=NOW, parked_until=None, asked=False, calls_since=max(1, poll.calls_since))
    middle, due = next_poll_at(busy, NOW, 0.5), next_poll_at(busy, NOW, chance)
    assert middle is not None
    assert due is not None
    assert abs(due - middle) <= 0.1 * (middle - NOW) + 1


@unhurried
@given(polls, chances, st.integers(0, 500), st.floats(0, 100))
def test_more_use_and_less_left_never_put_it_off(poll: Poll, chance: float, calls: int, percent: float) -> None:
    calm = replace(poll, last_at=NOW, parked_until=None, asked=False, calls_since=1 + poll.calls_since)
    busier = replace(calm, calls_since=calm.calls_since + calls, used_percent=max(percent, calm.used_percent or 0))
    later, sooner = next_poll_at(calm, NOW, chance), next_poll_at(busier, NOW, chance)
    assert later is not None
    assert sooner is not None
    assert sooner <= later


@unhurried
@given(st.integers(NOW, NOW + DAY_MS), chances)
def test_a_parked_profile_is_asked_once(until: int, chance: float) -> None:
    parked = Poll(last_at=NOW - HOUR_MS, parked_until=until)
    due = next_poll_at(parked, NOW, chance)
    assert due is not None
    assert AFTER_RESET_MS[0] <= due - until <= AFTER_RESET_MS[1]
    assert next_poll_at(replace(parked, last_at=due), due, chance) is None


@unhurried
@given(chances)
def test_one_that_was_never_asked_is_asked_in_a_few_seconds(chance: float) -> None:
    due = next_poll_at(Poll(), NOW, chance)
    assert due is not None
    assert FIRST_MS[0] <= due - NOW <= FIRST_MS[1]
