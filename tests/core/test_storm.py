"""Haste is slowed, and nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import NOW
from tray_app.core.storm import FREE, KEPT, MAX_MS, QUICK_MS, Storms, key_of
from tray_app.core.values import Call, Protocol

KEY = b"k"


def storm(gap_ms: int, times: int) -> list[int]:
    """How long each of so many failing requests is held, which come so soon after one another."""
    storms, now, held = Storms(), NOW, []
    for _ in range(times):
        held.append(storms.hold_ms(KEY, now))
        ended = now + held[-1] + 10
        storms.failed(KEY, now, ended)
        now = ended + gap_ms
    return held


def test_a_storm_is_slowed_more_and_more_up_to_a_bound() -> None:
    assert storm(20, 9) == [0, 0, 0, 1_000, 2_000, 4_000, MAX_MS, MAX_MS, MAX_MS]


def test_who_waits_by_itself_is_not_slowed() -> None:
    assert storm(QUICK_MS + 1, 9) == [0] * 9
    assert storm(QUICK_MS, 4)[-1] == 1_000


def test_an_answer_ends_it() -> None:
    storms = Storms()
    for at in range(1, FREE + 1):
        storms.failed(KEY, NOW + at, NOW + at)
    now = NOW + FREE
    assert storms.hold_ms(KEY, now) and storms.failures(KEY, now) == FREE
    assert not storms.hold_ms(b"another", now)
    storms.served(KEY)
    assert not storms.hold_ms(KEY, now)


def test_requests_side_by_side_count_once_and_loops_side_by_side_are_slowed() -> None:
    storms = Storms()
    for came_at in (NOW, NOW, NOW + 10, NOW + 50):  # the last in the very moment in which the first failed
        storms.failed(KEY, came_at, NOW + 50)
    assert storms.failures(KEY, NOW + 60) == 1
    came = [NOW + 60, NOW + 90]  # two clients that ask in turn, each once the other's request is under way
    for turn in range(2, 12):
        ended = NOW + 60 * turn
        storms.failed(KEY, came[turn % 2], ended)
        came[turn % 2] = ended + 1
    assert storms.hold_ms(KEY, NOW + 700)


def test_while_nothing_fails_nothing_is_looked_at() -> None:
    storms = Storms()
    assert storms.is_calm(0) and storms.is_calm(NOW)
    storms.failed(KEY, NOW, NOW)
    assert not storms.is_calm(NOW + QUICK_MS)
    assert storms.is_calm(NOW + QUICK_MS + 1)
    assert storms.is_calm(NOW - 3_600_000)  # a clock that was set back


@given(st.lists(st.integers(0, 1_000), max_size=60))
def test_what_is_kept_is_bounded(keys: list[int]) -> None:
    storms = Storms()
    for key in [*range(2_000, 2_000 + KEPT), *keys]:
        storms.failed(str(key).encode(), NOW, NOW)
    assert len(storms._failures) == KEPT
    assert all(str(key).encode() in storms._failures for key in keys)  # the latest are kept


def test_requests_are_alike_if_all_that_matters_is() -> None:
    call = Call("1", "c", "p", Protocol.CHAT, "POST", "/chat/completions", b"", (), b"body", "m", True, NOW)
    assert key_of(call) == key_of(replace(call, id="2", started_at=NOW + 1))
    changes = ({"body": b"other"}, {"client": "d"}, {"path": "/x"}, {"query": b"id=1"}, {"tags": frozenset({"eu"})})
    assert len({key_of(one) for one in (call, *(replace(call, **change) for change in changes))}) == 6
