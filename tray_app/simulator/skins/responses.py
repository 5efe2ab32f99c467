"""OpenAI responses as OpenRouter serves them: numbered events, `response.completed` at the end.

Shapes: OpenAI's streaming reference and, for errors,
https://openrouter.ai/docs/api_reference/errors-and-debugging (section on the Responses skin)
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from ..text import CREATED, comments, cost, encode, event, pieces, spoken, tokens
from ..values import Ask, Fault, Stream

Json = dict[str, object]

NATIVE_CODES = {
    "rate_limit_exceeded": "rate_limit_exceeded",
    "context_length_exceeded": "invalid_prompt",
    "invalid_request": "invalid_prompt",
    "content_policy_violation": "image_content_policy_violation",
}


def whole(ask: Ask) -> bytes:
    text = spoken(ask)
    return encode(_completed(ask, text))


def blank(ask: Ask) -> bytes:
    return encode(_response(ask, "completed", []) | {"usage": _usage(ask, 0)})


def broken(ask: Ask, fault: Fault, after: int) -> bytes:
    return encode(_failed(ask, fault))


def refusal(fault: Fault) -> bytes:
    more = dict(fault.metadata) or None
    return encode({"error": _error(fault), "metadata": more, "error_type": fault.error_type})


def stream(ask: Ask) -> Stream:
    text = spoken(ask)
    numbers = _Numbered()
    opening = _opening(ask, numbers)
    deltas = tuple(
        numbers("response.output_text.delta", _place(ask) | {"delta": piece, "logprobs": []})
        for piece in pieces(text, ask.shape.chunks)
    )
    finish = _finish(ask, numbers, text)
    end = numbers("response.completed", {"response": _completed(ask, text)})
    return Stream((*comments(ask), *opening), deltas, finish, (end,))


def error_events(ask: Ask, fault: Fault, bare: bool) -> tuple[bytes, ...]:
    if bare:
        flat: Json = {"type": "error", "code": _code(fault), "message": fault.message, "param": None}
        return (event("error", flat),)
    return (event("response.failed", {"type": "response.failed", "response": _failed(ask, fault)}),)


class _Numbered:
    """Events of one stream, each with the next sequence number."""

    def __init__(self) -> None:
        self._next = count()

    def __call__(self, kind: str, fields: Mapping[str, object]) -> bytes:
        return event(kind, {"type": kind, "sequence_number": next(self._next), **fields})


def _opening(ask: Ask, numbers: _Numbered) -> tuple[bytes, ...]:
    begun = {"response": _response(ask, "in_progress", []) | {"usage": None}}
    item = _item(ask, "in_progress", [])
    return (
        numbers("response.created", begun),
        numbers("response.in_progress", begun),
        numbers("response.output_item.added", {"output_index": 0, "item": item}),
        numbers("response.content_part.added", _place(ask) | {"part": _part("")}),
    )


def _finish(ask: Ask, numbers: _Numbered, text: str) -> tuple[bytes, ...]:
    item = _item(ask, "completed", [_part(text)])
    return (
        numbers("response.output_text.done", _place(ask) | {"text": text, "logprobs": []}),
        numbers("response.content_part.done", _place(ask) | {"part": _part(text)}),
        numbers("response.output_item.done", {"output_index": 0, "item": item}),
    )


def _completed(ask: Ask, text: str) -> Json:
    item = _item(ask, "completed", [_part(text)])
    return _response(ask, "completed", [item]) | {"usage": _usage(ask, tokens(text))}


def _failed(ask: Ask, fault: Fault) -> Json:
    return _response(ask, "failed", []) | {"error": _error(fault), "error_type": fault.error_type}


def _response(ask: Ask, status: str, output: list[Json]) -> Json:
    return {
        "id": f"resp_{ask.id[:24]}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "model": ask.model,
        "output": output,
        "error": None,
        "incomplete_details": None,
        "parallel_tool_calls": True,
        "tools": [],
        "metadata": {},
    }


def _item(ask: Ask, status: str, content: list[Json]) -> Json:
    return {
        "id": _item_id(ask),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _item_id(ask: Ask) -> str:
    return f"msg_{ask.id[:24]}"


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _place(ask: Ask) -> Json:
    return {"item_id": _item_id(ask), "output_index": 0, "content_index": 0}


def _usage(ask: Ask, output_tokens: int) -> Json:
    return {
        "input_tokens": ask.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": ask.prompt_tokens + output_tokens,
        "cost": cost(ask, output_tokens),
    }


def _code(fault: Fault) -> str:
    return NATIVE_CODES.get(fault.error_type, "server_error")


def _error(fault: Fault) -> Json:
    return {"code": _code(fault), "message": fault.message}
