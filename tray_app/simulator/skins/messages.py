"""Anthropic messages as OpenRouter serves them: named events, `message_stop` at the end, never `[DONE]`.

Shapes: https://platform.claude.com/docs/en/build-with-claude/streaming and, for errors,
https://openrouter.ai/docs/api_reference/errors-and-debugging (section on the Messages skin)
"""

from __future__ import annotations

from ..text import PROVIDER, comments, cost, encode, event, pieces, spoken, tokens
from ..values import Ask, Fault, Stream

Json = dict[str, object]

NATIVE_TYPES = {
    "authentication": "authentication_error",
    "permission_denied": "permission_error",
    "payment_required": "billing_error",
    "not_found": "not_found_error",
    "rate_limit_exceeded": "rate_limit_error",
    "provider_overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "payload_too_large": "request_too_large",
    "provider_unavailable": "api_error",
    "server": "api_error",
    "unmapped": "api_error",
}


def whole(ask: Ask) -> bytes:
    text = spoken(ask)
    content = [{"type": "text", "text": text}]
    return encode(_message(ask, content, "end_turn", _usage(ask) | _bill(ask, tokens(text))))


def blank(ask: Ask) -> bytes:
    return encode(_message(ask, [], None, _usage(ask) | {"output_tokens": 0}))


def broken(ask: Ask, fault: Fault, after: int) -> bytes:
    """This skin has no half answer: the error takes its place."""
    return refusal(fault)


def refusal(fault: Fault) -> bytes:
    return encode(_error(fault) | {"request_id": fault.request_id})


def stream(ask: Ask) -> Stream:
    text = spoken(ask)
    return Stream(
        (*comments(ask), *_opening(ask)),
        tuple(_delta(piece) for piece in pieces(text, ask.shape.chunks)),
        _finish(ask, tokens(text)),
        (event("message_stop", {"type": "message_stop"}),),
    )


def error_events(ask: Ask, fault: Fault, bare: bool) -> tuple[bytes, ...]:
    return (event("error", _error(fault)),)


def token_count(ask: Ask) -> bytes:
    """The answer of `messages/count_tokens`."""
    return encode({"input_tokens": ask.prompt_tokens})


def _opening(ask: Ask) -> tuple[bytes, ...]:
    message = _message(ask, [], None, _usage(ask) | {"output_tokens": 1})
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    return (
        event("message_start", {"type": "message_start", "message": message}),
        event("content_block_start", block),
        event("ping", {"type": "ping"}),
    )


def _delta(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return event("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta})


def _finish(ask: Ask, output_tokens: int) -> tuple[bytes, ...]:
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    bill = _usage(ask) | _bill(ask, output_tokens)
    return (
        event("content_block_stop", {"type": "content_block_stop", "index": 0}),
        event("message_delta", {"type": "message_delta", "delta": end, "usage": bill}),
    )


def _message(ask: Ask, content: list[dict[str, str]], reason: str | None, usage: Json) -> Json:
    return {
        "id": ask.gen,
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "provider": PROVIDER,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _usage(ask: Ask) -> Json:
    """The input side: in this protocol `input_tokens` leaves cached tokens out."""
    return {
        "input_tokens": ask.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }


def _bill(ask: Ask, output_tokens: int) -> Json:
    return {"output_tokens": output_tokens, "cost": cost(ask, output_tokens), "is_byok": False}


def _error(fault: Fault) -> Json:
    native = NATIVE_TYPES.get(fault.error_type, "invalid_request_error")
    error = {"type": native, "message": fault.message, "error_type": fault.error_type}
    return {"type": "error", "error": error}
