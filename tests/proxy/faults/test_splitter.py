"""The splitter of events against `httpx-sse`, which clients use: the same events, wherever the packets end.

Known differences, all meant: the splitter takes a byte order mark away at the start, as the standard says; it shows
events without data, which the standard drops and `httpx-sse` gives; and at the end it shows an unfinished event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import httpx
import pytest
from httpx_sse import EventSource
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core.sse import Splitter, whole_to
from tray_app.core.values import Protocol

pytestmark = pytest.mark.many_cases

BOM = b"\xef\xbb\xbf"
LAST = b": the last line\n"  # so that a CR at the very end is known to be no half of a CRLF


class _Packets(httpx.SyncByteStream):
    def __init__(self, packets: Sequence[bytes]) -> None:
        self._packets = packets

    def __iter__(self) -> Iterator[bytes]:
        yield from self._packets


def heard_by_a_client(packets: Sequence[bytes]) -> list[tuple[str, str]]:
    """Names and data of the events that `httpx-sse` gives."""
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=_Packets(packets))
    return [(one.event, one.data) for one in EventSource(response).iter_sse() if one.data]


def heard_by_us(packets: Sequence[bytes]) -> list[tuple[str, str]]:
    """The same of the splitter."""
    splitter = Splitter(Protocol.CHAT)
    events = [event for packet in packets for event in splitter.feed(packet)]
    return [(one.name or "message", one.data.decode("utf-8", "replace")) for one in events if one.data]


def cut(data: bytes, edges: Sequence[int]) -> list[bytes]:
    """`data` in packets that end there."""
    places = [0, *sorted(edge % (len(data) + 1) for edge in edges), len(data)]
    return [data[start:end] for start, end in zip(places, places[1:], strict=False) if start != end]


names = st.sampled_from([b"data", b"event", b"id", b"retry", b"", b"x", b" data", b"Data", b"dat", b"data "])
values = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12).map(
    str.encode
) | st.sampled_from(
    [
        b"",
        b" ",
        b"  two",
        b"a: b",
        b"[DONE]",
        b'{"a": "\xc3\xa9\xf0\x9f\x98\x80"}',
        b"\x00",
        b"\x85\x0b\x0c\x1c",
        b"\xff\xe2",
    ]
)
separators = st.sampled_from([b":", b": ", b""])
lines = st.tuples(names, separators, values).map(b"".join)
line_ends = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"])
streams = st.lists(lines | line_ends, max_size=30).map(b"".join) | st.lists(
    st.tuples(lines, line_ends).map(b"".join), max_size=30
).map(b"".join)
cuts = st.lists(st.integers(0, 600), max_size=25)


@unhurried
@given(streams, cuts, cuts)
@example(b"data: a\r\n\r\ndata: b\r\r", [9, 10], [8])
@example(b"event: x\n\ndata: a\n\n", [], [])
@example(b"data: \xe2\x80\n\ndata: \xa8\n\n", [8], [7])
@example(b"data\n\ndata:\ndata:\n\n", [], [])
def test_both_hear_the_same_events(data: bytes, ours: list[int], theirs: list[int]) -> None:
    data += LAST
    assert heard_by_us(cut(data, ours)) == heard_by_a_client(cut(data, theirs))


@unhurried
@given(streams.filter(lambda data: not data.startswith(BOM)), cuts)
def test_a_byte_order_mark_at_the_start_is_none_of_it(data: bytes, edges: list[int]) -> None:
    data += LAST
    assert heard_by_us(cut(BOM + data, edges)) == heard_by_a_client([data])


@unhurried
@given(streams, st.integers(0, 600))
def test_what_goes_to_a_client_as_whole_events_loses_and_splits_none(data: bytes, edge: int) -> None:
    data += LAST
    first, rest = data[: edge % len(data)], data[edge % len(data) :]
    end = whole_to(first, ndjson=False)
    whole, left = first[:end], first[end:]
    assert heard_by_a_client([whole]) + heard_by_a_client([left + rest]) == heard_by_a_client([data])
