"""How answers without an error end, in every dialect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core.answer import Piece, ending, read
from tray_app.core.values import Action, ErrorClass, Scope


@pytest.mark.parametrize(
    ("document", "piece"),
    [
        pytest.param(
            {"choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "STOP"}]},
            Piece(True, "stop"),
            id="chat",
        ),
        pytest.param({"choices": [{"delta": {"role": "assistant", "content": ""}}]}, Piece(False), id="a role alone"),
        pytest.param({"choices": [{"delta": {"tool_calls": [{}]}}]}, Piece(True), id="a call of a tool"),
        pytest.param({"choices": [{"text": "a"}]}, Piece(True), id="a completion of the old kind"),
        pytest.param({"choices": [{"text": ""}, {"message": {"content": "b"}}]}, Piece(True), id="the second choice"),
        pytest.param(
            {"choices": [{"message": {"content": "b"}, "finish_reason": "length"}, {"finish_reason": None}]},
            Piece(True, "length"),
            id="the last reason that is one",
        ),
        pytest.param({"choices": [], "usage": {"completion_tokens": 0}}, Piece(False, "", True), id="no tokens"),
        pytest.param({"choices": [], "usage": {"completion_tokens": 5}}, Piece(False), id="tokens"),
        pytest.param({"choices": "none", "usage": None}, Piece(False), id="choices that are none"),
        pytest.param({"choices": ["a", {"message": "a", "finish_reason": 5}]}, Piece(False), id="odd choices"),
        pytest.param(
            {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]},
            Piece(True, "stop"),
            id="Google",
        ),
        pytest.param({"candidates": [{"finishReason": "SAFETY"}]}, Piece(False, "safety"), id="Google, filtered"),
        pytest.param({"candidates": [{"finishReason": "STOP"}, {}]}, Piece(False, "stop"), id="Google, two"),
        pytest.param(
            {"candidates": [{"content": {"parts": [1]}}, {"content": {}}]}, Piece(True), id="Google, the first of two"
        ),
        pytest.param({"promptFeedback": {"blockReason": "OTHER"}}, Piece(False, "safety"), id="Google, blocked"),
        pytest.param({"promptFeedback": {}, "candidates": []}, Piece(False), id="Google, nothing"),
        pytest.param(
            {"type": "message", "content": [1], "stop_reason": "end_turn"}, Piece(True, "end_turn"), id="Anthropic"
        ),
        pytest.param(
            {"type": "message", "content": [], "stop_reason": "refusal"}, Piece(False, "refusal"), id="refused"
        ),
        pytest.param(
            {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}, Piece(False, "max_tokens"), id="its end"
        ),
        pytest.param({"type": "content_block_delta", "delta": {"text": "a"}}, Piece(True), id="a piece of text"),
        *[
            pytest.param({"type": kind}, Piece(False), id=kind)
            for kind in ("message_start", "message_stop", "content_block_start", "content_block_stop", "ping")
        ],
        pytest.param({"type": "response.output_text.delta", "delta": "a"}, Piece(True), id="a piece of a response"),
        pytest.param(
            {"type": "response.created", "response": {"status": "in_progress"}},
            Piece(False, "in_progress"),
            id="a response begins",
        ),
        pytest.param(
            {
                "type": "response.incomplete",
                "response": {"output": [1], "status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            },
            Piece(True, "content_filter"),
            id="a response is filtered",
        ),
        pytest.param(
            {"incomplete_details": None, "status": "completed", "output": [1]},
            Piece(True, "completed"),
            id="a response",
        ),
        pytest.param({"done": False, "response": "a"}, Piece(True), id="Ollama"),
        pytest.param({"done": False, "message": {"content": "a"}}, Piece(True), id="Ollama, chat"),
        pytest.param(
            {"done": True, "response": "", "done_reason": "length"}, Piece(False, "length"), id="Ollama, its end"
        ),
        pytest.param({"done": True, "message": {}}, Piece(False, "stop"), id="Ollama, its end without a reason"),
        pytest.param({"data": []}, Piece(True), id="another kind"),
        pytest.param({"type": []}, Piece(True), id="a type that is none"),
        pytest.param([], Piece(True), id="a list"),
        pytest.param(None, Piece(True), id="null"),
    ],
)
def test_a_piece_is_read(document: object, piece: Piece) -> None:
    assert read(document) == piece


@pytest.mark.parametrize(
    ("piece", "cls", "scope", "action"),
    [
        *[
            pytest.param(
                Piece(says, finish), ErrorClass.CONTENT_FILTER, Scope.REQUEST, Action.RETURN, id=f"{finish}, {says}"
            )
            for finish in (
                "content_filter",
                "refusal",
                "safety",
                "prohibited_content",
                "recitation",
                "blocklist",
                "spii",
                "image_safety",
            )
            for says in (True, False)
        ],
        pytest.param(
            Piece(True, "model_context_window_exceeded"),
            ErrorClass.CONTEXT_LENGTH,
            Scope.REQUEST,
            Action.RETURN,
            id="too long",
        ),
        pytest.param(
            Piece(True, "insufficient_system_resource"), ErrorClass.OVERLOADED, Scope.MODEL, Action.RETRY, id="starved"
        ),
        pytest.param(Piece(False), ErrorClass.SERVER_ERROR, Scope.NONE, Action.RETRY, id="nothing, without an end"),
        pytest.param(
            Piece(False, "stop", True), ErrorClass.SERVER_ERROR, Scope.NONE, Action.RETRY, id="nothing, counted"
        ),
    ],
)
def test_an_end_that_matters(piece: Piece, cls: ErrorClass, scope: Scope, action: Action) -> None:
    found = ending(piece)
    assert found is not None
    assert (found.cls, found.scope, found.action) == (cls, scope, action)
    assert found.reason
    assert found.known


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(Piece(True), id="something"),
        pytest.param(Piece(True, "length"), id="something, cut at its length"),
        pytest.param(Piece(False, "stop"), id="the model chose to say nothing"),
        pytest.param(Piece(True, "", True), id="something, whatever is counted"),
    ],
)
def test_an_end_as_it_should_be(piece: Piece) -> None:
    assert ending(piece) is None


def test_ends_say_what_they_are() -> None:
    ends = [
        Piece(True, "refusal"),
        Piece(True, "model_context_window_exceeded"),
        Piece(True, "insufficient_system_resource"),
    ]
    assert [found.reason for piece in [*ends, Piece(False)] if (found := ending(piece))] == [
        "the provider's content policy stopped the answer",
        "the answer reached the end of the model's context",
        "the provider ran out of room while it answered",
        "the answer holds nothing",
    ]


names = st.sampled_from(
    [
        "choices",
        "candidates",
        "promptFeedback",
        "type",
        "response",
        "done",
        "message",
        "delta",
        "content",
        "parts",
        "usage",
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
documents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner))


@pytest.mark.many_cases
@unhurried
@given(documents)
def test_no_document_makes_the_reader_stumble(document: object) -> None:
    piece = read(document)
    assert piece.finish == piece.finish.lower()
    ending(piece)
