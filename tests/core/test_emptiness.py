"""What counts as an answer that says nothing, and what does not."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.core.emptiness import says_nothing
from tray_app.core.values import Protocol

P = Protocol


def chat(message: object = None, finish: object = "stop") -> dict[str, object]:
    return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": {}}


def messages(content: object, stop: object = "end_turn") -> dict[str, object]:
    return {"type": "message", "role": "assistant", "content": content, "stop_reason": stop}


def responses(output: object, status: str = "completed") -> dict[str, object]:
    return {"object": "response", "status": status, "output": output}


def gemini(parts: object, reason: object = "STOP") -> dict[str, object]:
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason}]}


TEXT_ITEM = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        pytest.param(P.CHAT, {}, id="an empty object"),
        pytest.param(P.CHAT, {"choices": []}, id="no choice"),
        pytest.param(P.CHAT, {"choices": None}, id="choices of null"),
        pytest.param(P.CHAT, chat(), id="no message"),
        pytest.param(P.CHAT, chat({"role": "assistant", "content": ""}), id="no content"),
        pytest.param(P.CHAT, chat({"role": "assistant", "content": None, "tool_calls": []}, None), id="no end either"),
        pytest.param(P.MESSAGES, {}, id="messages: an empty object"),
        pytest.param(P.MESSAGES, messages([]), id="messages: no content"),
        pytest.param(P.MESSAGES, messages([{"type": "text", "text": ""}]), id="messages: an empty text"),
        pytest.param(P.RESPONSES, {}, id="responses: an empty object"),
        pytest.param(P.RESPONSES, responses([]), id="responses: no output"),
        pytest.param(
            P.RESPONSES,
            responses([TEXT_ITEM | {"content": [{"type": "output_text", "text": "", "annotations": []}]}]),
            id="responses: an empty text",
        ),
        pytest.param(P.GEMINI, {"candidates": []}, id="Gemini: no candidate"),
        pytest.param(P.GEMINI, gemini([{"text": ""}]), id="Gemini: an empty part"),
        pytest.param(P.GEMINI, gemini(None, None), id="Gemini: no part"),
        pytest.param(P.OLLAMA, {"message": {"role": "assistant", "content": ""}, "done_reason": "stop"}, id="Ollama"),
        pytest.param(P.OLLAMA, {"response": "", "done_reason": "stop"}, id="Ollama: a completion"),
    ],
)
def test_an_answer_that_says_nothing(protocol: Protocol, answer: object) -> None:
    assert says_nothing(protocol, json.dumps(answer).encode())
    assert says_nothing(protocol, b"\xef\xbb\xbf" + json.dumps(answer).encode())  # with a byte order mark


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        pytest.param(P.CHAT, chat({"role": "assistant", "content": "hi"}), id="text"),
        pytest.param(
            P.CHAT,
            chat({"content": None, "tool_calls": [{"id": "c", "function": {"name": "read"}}]}, None),
            id="a tool",
        ),
        pytest.param(P.CHAT, chat({"content": "", "refusal": "no"}), id="a refusal"),
        pytest.param(P.CHAT, chat({"content": "", "reasoning": "hm"}), id="reasoning"),
        pytest.param(P.CHAT, chat({"content": ""}, "length"), id="cut short by the limit that was asked for"),
        pytest.param(P.CHAT, chat({"content": ""}, "content_filter"), id="filtered"),
        pytest.param(P.CHAT, {"choices": [{"text": "hi"}]}, id="text of the older kind"),
        pytest.param(P.CHAT, {"choices": 5}, id="a shape that is not known"),
        pytest.param(P.CHAT, [1], id="no object"),
        pytest.param(P.MESSAGES, messages([{"type": "text", "text": "hi"}]), id="messages: text"),
        pytest.param(P.MESSAGES, messages([{"type": "tool_use", "id": "t", "input": {}}], None), id="messages: a tool"),
        pytest.param(P.MESSAGES, messages([], "refusal"), id="messages: a refusal"),
        pytest.param(P.MESSAGES, {"input_tokens": 0}, id="messages: a count of tokens"),
        pytest.param(P.RESPONSES, responses([{"type": "function_call", "arguments": ""}]), id="responses: a tool"),
        pytest.param(P.RESPONSES, responses([], "queued"), id="responses: in the background"),
        pytest.param(P.GEMINI, gemini([{"text": "hi"}]), id="Gemini: text"),
        pytest.param(P.GEMINI, gemini([], "SAFETY"), id="Gemini: blocked"),
        pytest.param(P.GEMINI, {"totalTokens": 5}, id="Gemini: a count of tokens"),
        pytest.param(P.OLLAMA, {"message": {"content": ""}, "done": True}, id="Ollama has loaded a model"),
        pytest.param(
            P.OLLAMA, {"message": {"content": ""}, "done": True, "done_reason": "load"}, id="Ollama says so itself"
        ),
        pytest.param(P.OLLAMA, {"message": {"content": "hi"}, "done_reason": "stop"}, id="Ollama: text"),
        pytest.param(P.OLLAMA, {"response": "hi", "done_reason": "stop"}, id="Ollama: a completion"),
        pytest.param(
            P.OLLAMA,
            {"message": {"content": "", "tool_calls": [{"function": {"name": "f"}}]}, "done_reason": "stop"},
            id="Ollama: a tool",
        ),
        pytest.param(P.OTHER, {}, id="whatever else is asked"),
    ],
)
def test_an_answer_that_says_something(protocol: Protocol, answer: object) -> None:
    assert not says_nothing(protocol, json.dumps(answer).encode())


def test_what_is_no_json_is_said_to_be_none() -> None:
    with pytest.raises(msgspec.DecodeError):
        says_nothing(P.CHAT, b"{")


@given(st.sampled_from([*P]), st.text(min_size=1))
def test_a_text_is_never_nothing(protocol: Protocol, text: str) -> None:
    if protocol in (P.CHAT, P.MESSAGES):
        answer = chat({"content": text}) if protocol is P.CHAT else messages([{"type": "text", "text": text}])
        assert not says_nothing(protocol, json.dumps(answer).encode())
