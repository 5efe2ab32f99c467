"""OpenAI chat completions as OpenRouter serves them; the other JSON endpoints take their errors from here.

Shapes: https://openrouter.ai/docs/api_reference/errors-and-debugging and .../streaming
"""

from __future__ import annotations

from ..text import CREATED, PROVIDER, comments, cost, data, encode, pieces, spoken, tokens
from ..values import Ask, Fault, Stream

Json = dict[str, object]

DONE = b"data: [DONE]\n\n"


def whole(ask: Ask) -> bytes:
    text = spoken(ask)
    return encode(_completion(ask, text, "stop") | {"usage": usage(ask, tokens(text))})


def blank(ask: Ask) -> bytes:
    """Seen in the wild: a 200 with empty content and no finish reason."""
    return encode(_completion(ask, "", None) | {"usage": usage(ask, 0) | {"cost": 0}})


def broken(ask: Ask, fault: Fault, after: int) -> bytes:
    part = "".join(pieces(spoken(ask), ask.shape.chunks)[:after])
    return encode(_completion(ask, part, "error", {"error": _error(fault)}))


def refusal(fault: Fault) -> bytes:
    if fault.availability is not None:
        return encode({"error": _availability(fault)})
    owner = {} if fault.user_id is None else {"user_id": fault.user_id}
    return encode({"error": _error(fault)} | owner)


def stream(ask: Ask) -> Stream:
    text = spoken(ask)
    opening = _chunk(ask, [_delta("", None)])
    deltas = (data(_chunk(ask, [_delta(piece, None)])) for piece in pieces(text, ask.shape.chunks))
    finish = _chunk(ask, [_delta("", "stop") | {"native_finish_reason": "stop"}])
    bill = _chunk(ask, []) | {"usage": usage(ask, tokens(text))}
    return Stream((*comments(ask), data(opening)), tuple(deltas), (data(finish), data(bill)), (DONE,))


def error_events(ask: Ask, fault: Fault, bare: bool) -> tuple[bytes, ...]:
    if bare:
        return (data({"error": _error(fault), "user_id": ask.user_id}),)
    ending: Json = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    return (data(_chunk(ask, [ending]) | {"error": _error(fault)}),)


def usage(ask: Ask, completion_tokens: int) -> Json:
    """The bill, `cost` in US dollars, as it stands in every answer and in the last chunk of a stream."""
    return {
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": ask.prompt_tokens + completion_tokens,
        "cost": cost(ask, completion_tokens),
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": None},
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _completion(ask: Ask, text: str, reason: str | None, more: Json | None = None) -> Json:
    message: Json = {"role": "assistant", "content": text, "refusal": None}
    choice: Json = {
        "index": 0,
        "message": message,
        "finish_reason": reason,
        "native_finish_reason": reason,
        "logprobs": None,
    }
    return _envelope(ask, "chat.completion") | {"choices": [choice | (more or {})]}


def _chunk(ask: Ask, choices: list[Json]) -> Json:
    return _envelope(ask, "chat.completion.chunk") | {"choices": choices}


def _envelope(ask: Ask, kind: str) -> Json:
    return {"id": ask.gen, "object": kind, "created": CREATED, "model": ask.model, "provider": PROVIDER}


def _delta(text: str, reason: str | None) -> Json:
    return {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}


def _error(fault: Fault) -> Json:
    code = fault.status if fault.code is None else fault.code
    metadata = dict(fault.metadata) | {"error_type": fault.error_type}
    return {"message": fault.message, "code": code, "metadata": metadata}


def _availability(fault: Fault) -> Json:
    """The newer shape: typed, without a `code`."""
    return {
        "message": fault.message,
        "error_type": fault.error_type,
        "http_status": fault.status,
        "availability": fault.availability,
    }
