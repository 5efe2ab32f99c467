"""Good answers in the three protocols: faithful bodies, streams with usage and the right end, steady bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.simulator.text import pieces
from tray_app.simulator.thread import SimulatorThread

Simulate = Callable[..., SimulatorThread]
Knock = Callable[..., httpx.Client]
Question = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Event:
    name: str
    data: Any


def events(text: str) -> list[Event]:
    """The events of a stream, comments left out; data that is no JSON stays text."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            raw = fields["data"]
            found.append(Event(fields.get("event", ""), raw if raw == "[DONE]" else json.loads(raw)))
    return found


def test_a_chat_completion_is_whole(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = knock(simulate()).post("chat/completions", json=question())
    body = answer.json()
    assert body["object"] == "chat.completion"
    assert body["id"] == answer.headers["x-generation-id"]
    assert body["id"].startswith("gen-")
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "one answers: hello", "refusal": None}
    assert choice["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["cost"] > 0
    assert usage["is_byok"] is False
    assert set(usage) >= {"cost_details", "prompt_tokens_details", "completion_tokens_details"}


def test_a_message_is_whole(simulate: Simulate, knock: Knock, question: Question) -> None:
    body = knock(simulate()).post("messages?beta=true", json=question()).json()
    assert (body["type"], body["role"], body["stop_reason"]) == ("message", "assistant", "end_turn")
    assert body["content"] == [{"type": "text", "text": "one answers: hello"}]
    assert set(body["usage"]) >= {
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    }


def test_a_response_is_whole(simulate: Simulate, knock: Knock, question: Question) -> None:
    body = knock(simulate()).post("responses", json={"model": "m", "input": "hello"}).json()
    assert (body["object"], body["status"], body["error"]) == ("response", "completed", None)
    (item,) = body["output"]
    assert item["content"][0]["text"] == "one answers: hello"
    usage = body["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_a_chat_stream_ends_with_finish_usage_and_done(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = knock(simulate('{do="ok", comments=2, chunks=4}')).post("chat/completions", json=question(stream=True))
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.startswith(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata: ")
    *chunks, finish, bill, done = [event.data for event in events(answer.text)]
    deltas = [chunk["choices"][0]["delta"]["content"] for chunk in chunks]
    assert deltas[0] == ""
    assert len(deltas) == 1 + 4
    assert "".join(deltas) == "one answers: hello"
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert bill["choices"] == []
    assert bill["usage"]["cost"] > 0
    assert done == "[DONE]"
    assert len({chunk["id"] for chunk in (*chunks, finish, bill)}) == 1


def test_a_message_stream_ends_with_message_stop(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = knock(simulate('{do="ok", chunks=3}')).post("messages", json=question(stream=True))
    found = events(answer.text)
    assert [event.name for event in found] == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(event.data["type"] == event.name for event in found)
    assert "".join(event.data["delta"]["text"] for event in found[3:6]) == "one answers: hello"
    assert found[0].data["message"]["usage"]["input_tokens"] > 0
    assert found[-2].data["delta"]["stop_reason"] == "end_turn"
    assert found[-2].data["usage"]["output_tokens"] > 0


def test_a_response_stream_is_numbered_and_ends_with_completed(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    answer = knock(simulate('{do="ok", chunks=2}')).post("responses", json=question(stream=True))
    found = events(answer.text)
    assert [event.name for event in found] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.data["sequence_number"] for event in found] == list(range(10))
    assert found[-1].data["response"]["usage"]["output_tokens"] > 0
    assert "[DONE]" not in answer.text


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_same_request_gets_the_same_bytes_and_another_seed_other_ids(
    simulate: Simulate, knock: Knock, question: Question, path: str, stream: bool
) -> None:
    first, again, other = (
        knock(simulate(seed=seed)).post(path, json=question(stream=stream)).content for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "x"}]}),
        ("chat/completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": "one"}]}]}),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "one"}]}]}),
        ("responses", {"input": "one"}),
        ("responses", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "one"}]}]}),
        ("chat/completions", {"prompt": "one"}),
    ],
)
def test_the_answer_repeats_the_last_words_of_the_user(
    simulate: Simulate, knock: Knock, path: str, body: dict[str, Any]
) -> None:
    assert "one answers: one" in knock(simulate()).post(path, json={"model": "m", **body}).text


@pytest.mark.parametrize(
    "body", [{"messages": 7}, {"messages": [3]}, {"messages": []}, {"messages": None, "stream": None}, {}]
)
def test_a_request_without_words_is_answered_all_the_same(
    simulate: Simulate, knock: Knock, body: dict[str, Any]
) -> None:
    answer = knock(simulate()).post("chat/completions", json={"model": "m", **body})
    assert answer.json()["choices"][0]["message"]["content"] == "one answers: "


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": 7}', b'{"stream": "yes"}', b'"\xff"'])
def test_a_body_that_cannot_be_read_is_a_bad_request_and_uses_no_step_up(
    simulate: Simulate, knock: Knock, question: Question, body: bytes
) -> None:
    client = knock(simulate('{times=1, do="ok"}, {do="no_credit"}'))
    assert client.post("chat/completions", content=body).status_code == 400
    assert client.post("chat/completions", json=question()).status_code == 200


def test_headers_of_a_request_shape_its_answer(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate())
    shape = {"x-sim-chunks": "9", "x-sim-chars": "500", "x-sim-delay-ms": "1"}
    stream = client.post("chat/completions", json=question(stream=True), headers=shape).text
    deltas = [e.data["choices"][0]["delta"]["content"] for e in events(stream)[:-3]]
    assert len(deltas) == 1 + 9
    assert len("".join(deltas)) >= 500
    refused = client.post("chat/completions", json=question(), headers={"x-sim-chunks": "0"})
    assert refused.status_code == 400
    assert "x-sim" in refused.json()["error"]["message"]


def test_more_chunks_than_letters_lengthen_the_text_so_that_none_is_empty(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    text = knock(simulate('{do="ok", chunks=200}')).post("chat/completions", json=question(stream=True)).text
    deltas = [e.data["choices"][0]["delta"]["content"] for e in events(text)[1:-3]]
    assert len(deltas) == 200
    assert all(deltas)


def test_a_fixed_text_is_said_verbatim(simulate: Simulate, knock: Knock, question: Question) -> None:
    body = knock(simulate('{do="ok", text="Grüße"}')).post("chat/completions", json=question()).json()
    assert body["choices"][0]["message"]["content"] == "Grüße"


@pytest.mark.parametrize("stream", [False, True])
def test_gzip_is_sent_to_those_who_accept_it(
    simulate: Simulate, knock: Knock, question: Question, stream: bool
) -> None:
    client = knock(simulate('{do="ok", gzip=true}'))
    packed = client.post("chat/completions", json=question(stream=stream))
    plain = client.post("chat/completions", json=question(stream=stream), headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text


def test_a_free_model_costs_nothing(simulate: Simulate, knock: Knock, question: Question) -> None:
    body = knock(simulate()).post("chat/completions", json=question(model="a/b:free")).json()
    assert body["usage"]["cost"] == 0


def test_the_smaller_endpoints_answer(simulate: Simulate, knock: Knock) -> None:
    client = knock(simulate())
    count = client.post("messages/count_tokens", json={"model": "m", "messages": []}).json()
    assert count["input_tokens"] > 0
    vector = client.post("embeddings", json={"model": "m", "input": "x", "stream": True}).json()
    assert len(vector["data"][0]["embedding"]) == 8
    image = client.post("images/generations", json={"model": "m", "prompt": "x"}).json()
    assert image["data"][0]["b64_json"].startswith("iVBOR")


def test_an_upload_is_told_its_size_and_hash(simulate: Simulate, knock: Knock) -> None:
    content = bytes(range(256)) * 40
    client = knock(simulate())
    request = client.build_request("POST", "files", files={"file": ("a b.bin", content)}, data={"purpose": "x"})
    whole = request.read()
    told = client.send(request).json()
    assert told["bytes"] == len(whole)
    assert told["sha256"] == hashlib.sha256(whole).hexdigest()
    file = {"name": "a b.bin", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert told["file"] == file


def test_an_upload_that_is_no_form_is_told_its_size_too(simulate: Simulate, knock: Knock) -> None:
    told = knock(simulate()).post("files", content=b"plain").json()
    assert (told["bytes"], told["file"]) == (5, None)


def test_a_compressed_request_is_read_and_a_broken_one_refused(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    client = knock(simulate())
    packed = gzip.compress(json.dumps(question(said="packed")).encode())
    coded = {"content-encoding": "gzip"}
    answer = client.post("chat/completions", content=packed, headers=coded)
    assert answer.json()["choices"][0]["message"]["content"] == "one answers: packed"
    for body, coding in ((packed[:-9], "gzip"), (b"no gzip at all", "gzip"), (packed, "br")):
        refused = client.post("chat/completions", content=body, headers={"content-encoding": coding})
        assert refused.status_code == 400


@given(st.text(), st.integers(1, 50))
def test_a_text_is_cut_without_loss_into_as_many_pieces_as_asked(text: str, count: int) -> None:
    parts = pieces(text, count)
    assert "".join(parts) == text
    assert len(parts) == count
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
