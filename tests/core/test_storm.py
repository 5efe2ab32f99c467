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
    assert storm(20, 9) == [0, 0, 0, 1_000, 2_000, 4_000, 8_000, MAX_MS, MAX_MS]


def test_who_waits_by_itself_is_not_slowed() -> None:
    assert storm(QUICK_MS + 1, 9) == [0] * 9
    assert storm(QUICK_MS, 4)[-1] == 1_000


def test_an_answer_ends_it() -> None:
    storms = Storms()
    for _ in range(FREE):
        storms.failed(KEY, NOW, NOW)
    assert storms.hold_ms(KEY, NOW) and storms.failures(KEY, NOW) == FREE
    assert not storms.hold_ms(b"another", NOW)
    storms.served(KEY)
    assert not storms.hold_ms(KEY, NOW)


def test_while_nothing_fails_nothing_is_looked_at() -> None:
    storms = Storms()
    assert storms.is_calm(0) and storms.is_calm(NOW)
    storms.failed(KEY, NOW, NOW)
    assert not storms.is_calm(NOW + QUICK_MS)
    assert storms.is_calm(NOW + QUICK_MS + 1)
    assert storms.is_calm(NOW - 1)  # a clock that was set back


@given(st.lists(st.integers(0, 1_000), max_size=600))
def test_what_is_kept_is_bounded(keys: list[int]) -> None:
    storms = Storms()
    for key in keys:
        storms.failed(str(key).encode(), NOW, NOW)
    assert len(storms._failures) <= KEPT


def test_requests_are_alike_if_all_that_matters_is() -> None:
    call = Call("1", "c", "p", Protocol.CHAT, "POST", "/chat/completions", b"", (), b"body", "m", True, NOW)
    assert key_of(call) == key_of(replace(call, id="2", started_at=NOW + 1))
    others = [replace(call, body=b"other"), replace(call, client="d"), replace(call, path="/x")]
    assert len({key_of(one) for one in (call, *others)}) == 4
