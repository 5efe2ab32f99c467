"""What the lists share: filters, times, the ways from page to page; and the bars of a waterfall."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.control.tracing import Kind, Step
from tray_app.control.verbs import Refused
from tray_app.faces.web import listing, waterfall
from tray_app.faces.web.listing import ROWS, Ways, cut, field_of, filters_of, moment, ways

ALL = [f"{number:03}" for number in range(ROWS + 1, 0, -1)]


def test_what_is_left_empty_asks_for_nothing_and_what_is_unknown_is_left_out() -> None:
    query = {"client": " codex ", "model": "", "page": "7", "before": "x", "error": "y" * 999}
    assert filters_of(query, ("client", "model", "error")) == {"client": "codex", "before": "x", "error": "y" * 400}


@pytest.mark.parametrize("text", ["1760000000000", "-5", "0"])
def test_a_time_may_be_a_number(text: str) -> None:
    assert moment(text, "") == int(text)


@pytest.mark.parametrize("text", ["2026-11-30T14:05", "2026-11-30", "2026-11-30T14:05:09"])
def test_a_time_goes_into_its_field_and_out_again(text: str) -> None:
    assert moment(field_of(text), "") == moment(text, "") // 60_000 * 60_000
    assert len(field_of(text)) == 16


@pytest.mark.parametrize("text", ["soon", "12:70", "9" * 30, "٣", "0000-01-01", "2026-13-01", "--5"])
def test_what_is_no_time_is_refused_in_words(text: str) -> None:
    with pytest.raises(Refused, match="no time: "):
        moment(text, "no time: {text}")
    assert field_of(text) == ""


def test_a_time_beyond_the_calendar_has_no_field() -> None:
    assert field_of("9999999999999999") == ""


@pytest.mark.parametrize(
    ("filters", "rows", "reached", "right"),
    [
        ({}, 0, None, Ways(None, None, None, None)),
        ({}, ROWS, None, Ways(None, None, None, None)),
        ({}, ROWS + 1, None, Ways(None, None, "/x?before=002", None)),
        ({"client": "a&b"}, ROWS + 1, None, Ways(None, None, "/x?client=a%26b&before=002", None)),
        ({"before": "060"}, ROWS, None, Ways("/x", "/x?after=050", None, None)),
        ({"before": "060"}, 0, None, Ways("/x", "/x?after=060", None, None)),
        ({"before": "060"}, 3, "0", Ways("/x", "/x?after=003", None, "/x?before=0")),
        ({"after": "000"}, ROWS + 1, None, Ways("/x", "/x?after=050", "/x?before=001", None)),
        ({"after": "000"}, 0, "9", Ways("/x", None, None, "/x?after=9")),
        ({"model": "m"}, 0, "0", Ways(None, None, None, "/x?model=m&before=0")),
    ],
)
def test_the_ways_from_page_to_page(filters: dict[str, str], rows: int, reached: str | None, right: Ways) -> None:
    found, more = cut(filters, ALL[-rows:] if rows else [])
    assert (len(found), more) == (min(rows, ROWS), rows > ROWS)
    assert ways("/x", filters, found, more, reached) == right


def test_the_row_that_only_tells_of_more_is_the_farthest() -> None:
    assert cut({}, ALL)[0] == ALL[:-1]
    assert cut({"after": "000"}, ALL)[0] == ALL[1:]


def test_an_address_keeps_its_filters_and_not_its_page() -> None:
    assert listing.address("/x", {"a": "1", "before": "2", "after": "3"}, format="csv") == "/x?a=1&format=csv"
    answer = listing.to_top("/x", {"a": "1", "after": "3"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/x?a=1")


# -- the waterfall

STEPS = st.builds(
    Step,
    st.sampled_from(Kind),
    st.integers(-5, 10**9),
    st.none() | st.integers(0, 10**9),
    st.just("x"),
    st.none(),
    st.none() | st.booleans(),
    st.none(),
    st.none() | st.integers(0, 10**9),
)


@given(st.lists(STEPS, max_size=8), st.none() | st.integers(0, 10**9), st.integers(0, 10**9))
def test_every_bar_is_on_the_axis_and_can_be_seen(steps: list[Step], took: int | None, running: int) -> None:
    length = waterfall.length_of(steps, took, running)
    for bar in waterfall.bars(steps, length):
        assert 0 <= bar.start <= waterfall.WHOLE - waterfall.LEAST
        assert waterfall.LEAST <= bar.width <= waterfall.WHOLE - bar.start
        assert bar.first is None or 0 <= bar.first <= bar.width
    marks = waterfall.ticks(length)
    assert marks[0] == waterfall.Tick(0, 0) and 1 <= len(marks) <= waterfall.TICKS
    assert all(0 <= mark.at <= waterfall.WHOLE for mark in marks)


def test_bars_lie_where_their_time_is() -> None:
    call = Step(Kind.CALL, 250, 500, "", well=True, first_ms=125)
    going_on = Step(Kind.CALL, 500, None, "")
    instant = Step(Kind.SWITCH, 999, 0, "")
    one, other, mark = waterfall.bars([call, going_on, instant], 1_000)
    assert (one.start, one.width, one.first, one.shape) == (250, 500, 125, "good")
    assert (other.start, other.width, other.shape) == (500, 500, "running")
    assert (mark.start + mark.width, mark.width, mark.shape) == (waterfall.WHOLE, waterfall.LEAST, "switch")
    assert waterfall.bars([Step(Kind.CALL, 0, 1, "", well=False)], 10)[0].shape == "bad"
    assert [tick.ms for tick in waterfall.ticks(8_010)] == [0, 2_000, 4_000, 6_000, 8_000]
