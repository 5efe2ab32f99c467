"""What providers say, in each protocol: whole answers and streams, errors, and what a request looks like.

Every answer names its speaker, and says `TEXT`, in which characters of two, three and four bytes stand, so that a
cut may fall within one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tray_app.core.values import Protocol

PROTOCOLS = (Protocol.CHAT, Protocol.RESPONSES, Protocol.MESSAGES, Protocol.GEMINI, Protocol.OLLAMA)
PIECES = ("Grüße from ", "the 東京 station: ", "one “two” ", "three 😀 four, ", 'a "quote" and a \\ slash.')
TEXT = "".join(PIECES)
MODEL = "m-1"
INPUT_TOKENS, OUTPUT_TOKENS = 11, 7

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: where it goes below the provider's prefix, and its body."""

    path: str
    query: str
    body: bytes

    @property
    def target(self) -> str:
        return self.path + (f"?{self.query}" if self.query else "")


def asked(protocol: Protocol, text: str, *, stream: bool) -> Asked:
    """The request of a client that wants `text` answered."""
    turns = [{"role": "user", "content": text}]
    match protocol:
        case Protocol.CHAT:
            more: Document = {"stream_options": {"include_usage": True}} if stream else {}
            return _asked("/chat/completions", {"model": MODEL, "stream": stream, "messages": turns} | more)
        case Protocol.RESPONSES:
            return _asked("/responses", {"model": MODEL, "stream": stream, "input": text})
        case Protocol.MESSAGES:
            return _asked("/messages", {"model": MODEL, "stream": stream, "max_tokens": 99, "messages": turns})
        case Protocol.GEMINI:
            body: Document = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
            if stream:
                return _asked(f"/models/{MODEL}:streamGenerateContent", body, "alt=sse")
            return _asked(f"/models/{MODEL}:generateContent", body)
        case _:
            return _asked("/api/chat", {"model": MODEL, "stream": stream, "messages": turns})


def _asked(path: str, document: Document, query: str = "") -> Asked:
    return Asked(path, query, json.dumps(document, ensure_ascii=False).encode())


def content_type(protocol: Protocol, *, stream: bool) -> str:
    """How the protocol's answers are labelled."""
    if not stream:
        return "application/json"
    return "application/x-ndjson" if protocol is Protocol.OLLAMA else "text/event-stream"


# -- streams


def events(protocol: Protocol, who: str, pieces: Sequence[str] = PIECES, *, terminated: bool = True) -> list[bytes]:
    """The events of a whole stream, one by one, with line feeds. Without pieces it is an empty completion."""
    found = _STREAMS[protocol](who, pieces)
    return found if terminated else found[:-1]


def _sse(document: Document, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


def _line(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _chat(who: str, pieces: Sequence[str]) -> list[bytes]:
    head = {"id": f"chatcmpl-{who}", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": MODEL}

    def chunk(delta: Document, finish: str | None = None) -> bytes:
        return _sse(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 18}
    said = [chunk({"content": piece}) for piece in pieces]
    opening, end = chunk({"role": "assistant", "content": ""}), chunk({}, "stop")
    return [opening, *said, end, _sse(head | {"choices": [], "usage": usage}), b"data: [DONE]\n\n"]


def _messages(who: str, pieces: Sequence[str]) -> list[bytes]:
    def event(kind: str, **fields: Any) -> bytes:
        return _sse({"type": kind, **fields}, kind)

    message = {
        "id": f"msg_{who}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1},
    }
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        event("message_start", message=message),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
        *(event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}) for piece in pieces),
        event("content_block_stop", index=0),
        event("message_delta", delta=delta, usage={"output_tokens": OUTPUT_TOKENS}),
        event("message_stop"),
    ]


def _responses(who: str, pieces: Sequence[str]) -> list[bytes]:
    text, found = "".join(pieces), []
    response = _response(who, [], "in_progress")
    item = {"id": "item_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    at = {"item_id": "item_1", "output_index": 0, "content_index": 0}

    def event(kind: str, **fields: Any) -> None:
        found.append(_sse({"type": kind, "sequence_number": len(found), **fields}, kind))

    event("response.created", response=response)
    event("response.in_progress", response=response)
    event("response.output_item.added", output_index=0, item=item)
    event("response.content_part.added", **at, part=part)
    for piece in pieces:
        event("response.output_text.delta", **at, delta=piece)
    event("response.output_text.done", **at, text=text)
    event("response.content_part.done", **at, part=part | {"text": text})
    done = item | {"status": "completed", "content": [part | {"text": text}]}
    event("response.output_item.done", output_index=0, item=done)
    event("response.completed", response=_response(who, [done] if pieces else [], "completed"))
    return found if pieces else [*found[:2], found[-1]]


def _response(who: str, output: list[Document], status: str) -> Document:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "total_tokens": 18}
    return {
        "id": f"resp_{who}",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "model": MODEL,
        "output": output,
        "usage": usage if status == "completed" else None,
    }


def _gemini(who: str, pieces: Sequence[str]) -> list[bytes]:
    def chunk(text: str, finish: str = "") -> bytes:
        candidate: Document = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
        candidate |= {"finishReason": finish} if finish else {}
        counts = {"promptTokenCount": INPUT_TOKENS, "totalTokenCount": 18}
        counts |= {"candidatesTokenCount": OUTPUT_TOKENS} if finish else {}
        return _sse(
            {"candidates": [candidate], "usageMetadata": counts, "modelVersion": MODEL, "responseId": f"g-{who}"}
        )

    *first, last = pieces or [""]
    return [*map(chunk, first), chunk(last, "STOP")]


def _ollama(who: str, pieces: Sequence[str]) -> list[bytes]:
    def line(text: str, *, done: bool, **more: Any) -> bytes:
        head = {"model": f"{MODEL}-{who}", "created_at": "2026-01-01T00:00:00Z"}
        return _line(head | {"message": {"role": "assistant", "content": text}, "done": done, **more})

    counts = {"done_reason": "stop", "prompt_eval_count": INPUT_TOKENS, "eval_count": OUTPUT_TOKENS}
    return [*(line(piece, done=False) for piece in pieces), line("", done=True, **counts)]


_STREAMS = {
    Protocol.CHAT: _chat,
    Protocol.RESPONSES: _responses,
    Protocol.MESSAGES: _messages,
    Protocol.GEMINI: _gemini,
    Protocol.OLLAMA: _ollama,
}


# -- answers that are not streamed


def whole(protocol: Protocol, who: str, text: str = TEXT) -> bytes:
    """A whole answer. Without text it is an empty completion."""
    return json.dumps(_WHOLE[protocol](who, text), ensure_ascii=False).encode()


def _whole_chat(who: str, text: str) -> Document:
    return {
        "id": f"chatcmpl-{who}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 18},
    }


def _whole_messages(who: str, text: str) -> Document:
    return {
        "id": f"msg_{who}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }


def _whole_response(who: str, text: str) -> Document:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "item_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return _response(who, [item] if text else [], "completed")


def _whole_gemini(who: str, text: str) -> Document:
    content = {"role": "model", "parts": [{"text": text}] if text else []}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": 18,
        },
        "modelVersion": MODEL,
        "responseId": f"g-{who}",
    }


def _whole_ollama(who: str, text: str) -> Document:
    return {
        "model": f"{MODEL}-{who}",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": INPUT_TOKENS,
        "eval_count": OUTPUT_TOKENS,
    }


_WHOLE = {
    Protocol.CHAT: _whole_chat,
    Protocol.RESPONSES: _whole_response,
    Protocol.MESSAGES: _whole_messages,
    Protocol.GEMINI: _whole_gemini,
    Protocol.OLLAMA: _whole_ollama,
}


# -- errors


def error(protocol: Protocol, status: int, kind: str, words: str) -> Document:
    """An error as the protocol's own provider words it."""
    match protocol:
        case Protocol.MESSAGES:
            return {"type": "error", "error": {"type": kind, "message": words}}
        case Protocol.GEMINI:
            return {"error": {"code": status, "message": words, "status": kind.upper()}}
        case Protocol.OLLAMA:
            return {"error": words}
        case _:
            return {"error": {"message": words, "type": kind, "param": None, "code": status}}


def error_event(protocol: Protocol, status: int, kind: str, words: str) -> bytes:
    """The same in the middle of a stream."""
    document = error(protocol, status, kind, words)
    match protocol:
        case Protocol.OLLAMA:
            return _line(document)
        case Protocol.MESSAGES:
            return _sse(document, "error")
        case Protocol.RESPONSES:
            return _sse({"type": "error", "code": kind, "message": words, "param": None}, "error")
        case _:
            return _sse(document)


def failed_response(kind: str, words: str) -> bytes:
    """The other way in which a stream of Responses ends badly."""
    response = _response("x", [], "failed") | {"error": {"code": kind, "message": words}}
    return _sse({"type": "response.failed", "sequence_number": 9, "response": response}, "response.failed")
