"""Request ids: fixed width, ordered by time, told apart by chance."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import NOW, unhurried
from tray_app.core.ids import RANDOM_BITS, request_id, time_of

LAST_MS = 2**45 - 1
moments = st.integers(0, LAST_MS)
chances = st.integers(0, 2**RANDOM_BITS - 1)


def test_an_id_is_spelled_the_same_for_ever() -> None:
    assert request_id(NOW, 0) == "1m3250v0000000"
    assert request_id(0, 0) == "0" * 14
    assert request_id(LAST_MS, 2**RANDOM_BITS - 1) == "z" * 14


def test_what_is_beyond_the_width_never_makes_an_id_longer() -> None:
    assert request_id(LAST_MS + 1, 2**RANDOM_BITS) == request_id(0, 0)


def test_the_width_lasts_for_a_thousand_years() -> None:
    assert LAST_MS > NOW + 1000 * 365 * 86_400_000


@unhurried
@given(moments, chances)
def test_an_id_is_14_characters_that_no_one_misreads(now: int, chance: int) -> None:
    assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{14}", request_id(now, chance))


@unhurried
@given(moments, chances)
def test_an_id_tells_its_time(now: int, chance: int) -> None:
    assert time_of(request_id(now, chance)) == now


@pytest.mark.parametrize(
    "other",
    [
        "",
        "1m3250v",
        "1m3250v0000000x",
        "1m3250u0000000",
        "1M3250V0000000",
        "1_m3250v000000",
        "1m3250é0000000",
        "\ud800" * 14,
        "nothing of ours",
    ],
)
def test_what_is_no_id_tells_none(other: str) -> None:
    assert time_of(other) is None


@unhurried
@given(moments, moments, chances, chances)
def test_the_order_of_ids_is_the_order_of_time(one: int, other: int, chance: int, luck: int) -> None:
    earlier, later = request_id(one, chance), request_id(other, luck)
    if one != other:
        assert (earlier < later) == (one < other)


@unhurried
@given(moments, st.sets(chances, min_size=2, max_size=50))
def test_no_two_ids_of_one_millisecond_collide_while_their_chance_differs(now: int, luck: set[int]) -> None:
    assert len({request_id(now, chance) for chance in luck}) == len(luck)
