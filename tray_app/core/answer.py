"""How an answer that holds no error ends: whole, filtered, starved, or with nothing in it.

Read from one JSON object of any dialect, whole or a piece of a stream. Only the fields that say how
the model ended are looked at, never its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tray_app.core.evidence import Finding, finding
from tray_app.core.values import Action, ErrorClass, Scope

Fields = Mapping[str, object]


class Piece(NamedTuple):
    """What a piece of an answer holds. `finish` is the reason that the model ended for, in lower case, if it did."""

    says: bool
    finish: str = ""
    empty: bool = False  # the provider itself counts no tokens


_FILTERED = finding(ErrorClass.CONTENT_FILTER, Scope.REQUEST, "the provider's content policy stopped the answer")
_ENDS = {
    "content_filter": _FILTERED,
    "refusal": _FILTERED,
    "safety": _FILTERED,
    "prohibited_content": _FILTERED,
    "recitation": _FILTERED,
    "blocklist": _FILTERED,
    "spii": _FILTERED,
    "image_safety": _FILTERED,
    "model_context_window_exceeded": finding(
        ErrorClass.CONTEXT_LENGTH, Scope.REQUEST, "the answer reached the end of the model's context"
    ),
    # DeepSeek's: the answer is cut short
    "insufficient_system_resource": finding(
        ErrorClass.OVERLOADED, Scope.MODEL, "the provider ran out of room while it answered", Action.RETRY
    ),
}


def ending(piece: Piece) -> Finding | None:
    """What `piece` means, if it says or lacks something that matters; None where it is as it should be."""
    if (found := _ENDS.get(piece.finish)) is not None:
        return found
    if not piece.says and (piece.empty or not piece.finish):
        return finding(ErrorClass.SERVER_ERROR, Scope.NONE, "the answer holds nothing")
    return None


def read(document: object) -> Piece:
    """What `document` says of itself. An object of a kind that is not known says something."""
    if not isinstance(document, Mapping):
        return Piece(says=True)
    for name, reader in _DIALECTS:
        if name in document:
            return reader(document)
    return Piece(says=True)


def _objects(value: object) -> list[Fields]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _object(value: object) -> Fields:
    return value if isinstance(value, Mapping) else {}


def _reason(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _chat(document: Fields) -> Piece:
    says, finish = False, ""
    for choice in _objects(document["choices"]):
        said = {**_object(choice.get("message")), **_object(choice.get("delta"))}
        says = says or bool(choice.get("text")) or any(value for name, value in said.items() if name != "role")
        finish = _reason(choice.get("finish_reason")) or finish
    return Piece(says, finish, _object(document.get("usage")).get("completion_tokens") == 0)


def _gemini(document: Fields) -> Piece:
    says, finish = False, ""
    for candidate in _objects(document.get("candidates")):
        says = says or bool(_object(candidate.get("content")).get("parts"))
        finish = _reason(candidate.get("finishReason")) or finish
    if _object(document.get("promptFeedback")).get("blockReason"):
        finish = "safety"
    return Piece(says, finish)


_FRAMES = ("message_start", "message_stop", "content_block_start", "content_block_stop", "ping")


def _typed(document: Fields) -> Piece:
    """A message of Anthropic's or an event of a stream of Anthropic's or of OpenAI's Responses."""
    kind = document["type"]
    if kind == "message":
        return Piece(bool(document.get("content")), _reason(document.get("stop_reason")))
    if kind == "message_delta":
        return Piece(says=False, finish=_reason(_object(document.get("delta")).get("stop_reason")))
    if isinstance(document.get("response"), Mapping):
        return _response(_object(document["response"]))
    return Piece(says=kind not in _FRAMES)


def _response(response: Fields) -> Piece:
    why = _reason(_object(response.get("incomplete_details")).get("reason"))
    return Piece(bool(response.get("output")), why or _reason(response.get("status")))


def _ollama(document: Fields) -> Piece:
    said = document.get("response") or _object(document.get("message")).get("content")
    finish = _reason(document.get("done_reason")) or "stop" if document["done"] else ""
    return Piece(bool(said), finish)


_DIALECTS = (
    ("choices", _chat),
    ("candidates", _gemini),
    ("promptFeedback", _gemini),
    ("type", _typed),
    ("incomplete_details", _response),
    ("done", _ollama),
)
