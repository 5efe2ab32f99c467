"""The chunk of usage that was asked for on the client's behalf does not reach it, and nothing else is missing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.core.unasked import without_usage

USAGE = json.dumps({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
SAID = json.dumps({"choices": [{"delta": {"content": 'say ,"usage":null and "usage"'}}]})
BOTH = json.dumps({"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 1}})


def stream(*documents: str, end: str = "\n") -> bytes:
    return "".join(f"data: {one}{end}{end}" for one in (*documents, "[DONE]")).encode()


@given(st.lists(st.sampled_from([SAID, BOTH, '{"x":1}']), max_size=5), st.sampled_from(["\n", "\r\n", "\r"]))
def test_only_that_chunk_is_taken_out(kept: list[str], end: str) -> None:
    assert without_usage(stream(*kept, USAGE, end=end)) == stream(*kept, end=end)


@given(st.binary(max_size=400))
def test_whatever_else_passes_as_it_came(data: bytes) -> None:
    if b'"usage"' not in data:
        assert without_usage(data) == data


@pytest.mark.parametrize("block", [b": comment\n\n", b"event: x\n\n", b'data: "usage"\n\n', b'data: {"usage"\n\n'])
def test_what_is_no_chunk_of_usage_stays(block: bytes) -> None:
    assert without_usage(block) == block


@pytest.mark.parametrize("null", [',"usage":null', ',"usage": null', ', "usage": null'])
def test_the_empty_usage_of_other_chunks_goes_too(null: str) -> None:
    chunk = 'data: {"id":"c","choices":[{"delta":{"content":"x"}}]%s}\n\n'
    assert without_usage((chunk % null).encode()) == (chunk % "").encode()
