"""The chunk of usage that was asked for on the client's behalf does not reach it, and nothing else is missing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.core.unasked import MOST_HELD, WithoutUsage

USAGE = json.dumps({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
NULL = json.dumps({"choices": [{"delta": {"content": 'say "usage"'}}], "usage": None})
BOTH = json.dumps({"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 1}})


def stream(*documents: str, end: str = "\n") -> bytes:
    return "".join(f"data: {one}{end}{end}" for one in (*documents, "[DONE]")).encode()


def seen(data: bytes, edges: list[int]) -> bytes:
    hidden, at, out = WithoutUsage(), 0, b""
    for edge in sorted(edge for edge in edges if edge < len(data)):
        out, at = out + hidden.feed(data[at:edge]), edge
    return out + hidden.feed(data[at:]) + hidden.close()


@given(
    st.lists(st.sampled_from([NULL, BOTH, '{"x":1}']), max_size=5), st.lists(st.integers(0, 900)), st.sampled_from("nr")
)
def test_only_that_chunk_is_taken_out_whatever_the_packets(kept: list[str], edges: list[int], kind: str) -> None:
    end = "\n" if kind == "n" else "\r\n"
    assert seen(stream(*kept, USAGE, end=end), edges) == stream(*kept, end=end)


@given(st.binary(max_size=400), st.lists(st.integers(0, 400)))
def test_whatever_else_passes_as_it_came(data: bytes, edges: list[int]) -> None:
    if b'"usage"' not in data:
        assert seen(data, edges) == data


def test_whole_events_are_not_held_back() -> None:
    hidden = WithoutUsage()
    assert hidden.feed(b"data: {}\n\ndata: {") == b"data: {}\n\n"
    assert hidden.feed(b"}\n\n") == b"data: {}\n\n"


def test_an_event_without_end_is_not_held_for_ever() -> None:
    hidden = WithoutUsage()
    assert hidden.feed(b"x" * (MOST_HELD + 1)) == b"x" * (MOST_HELD + 1)


@pytest.mark.parametrize("block", [b": comment\n\n", b"event: x\n\n", b'data: "usage"\n\n', b'data: {"usage"\n\n'])
def test_what_is_no_chunk_of_usage_stays(block: bytes) -> None:
    assert seen(block, []) == block
