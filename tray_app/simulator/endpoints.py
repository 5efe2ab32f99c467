"""The paths that cost something, under either base, and the answers too small for a skin of their own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from .skins import chat, messages, responses
from .text import CREATED, encode
from .values import Ask, Endpoint

BASES = ("/api/v1/", "/v1/")

VECTOR = (0.125, -0.25, 0.5, -0.0625, 0.75, -0.375, 0.03125, 0.25)
PIXEL = (  # a transparent PNG of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def _embeddings(ask: Ask) -> bytes:
    usage = {"prompt_tokens": ask.prompt_tokens, "total_tokens": ask.prompt_tokens}
    vector = {"object": "embedding", "index": 0, "embedding": VECTOR}
    return encode({"id": ask.gen, "object": "list", "model": ask.model, "data": [vector], "usage": usage})


def _images(ask: Ask) -> bytes:
    return encode({"created": CREATED, "data": [{"b64_json": PIXEL}]})


def _files(ask: Ask) -> bytes:
    """The size and hash of the whole body as it came, and of the file within it where there is one."""
    told = {"id": f"file-{ask.id[:24]}", "object": "file", "created_at": CREATED}
    whole = {"bytes": ask.request.body_bytes, "sha256": ask.request.digest.hex()}
    return encode(told | whole | {"file": _part(ask)})


def _part(ask: Ask) -> dict[str, object] | None:
    """The first part with a file name: what lies between its head and the next boundary."""
    boundary = re.search(r'boundary="?([^";]+)', ask.request.header(b"content-type") or "")
    named = re.search(rb'filename="([^"\r\n]*)"', ask.body[:65_536])
    if boundary is None or named is None:
        return None
    start = ask.body.find(b"\r\n\r\n", named.end()) + 4
    end = ask.body.find(b"\r\n--" + boundary[1].encode("latin-1"), start - 2)
    content = memoryview(ask.body)[start : max(start, end)]
    name = named[1].decode("utf-8", "replace")
    return {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


ENDPOINTS: Mapping[str, Endpoint] = {
    "chat/completions": Endpoint(chat, chat.whole, streams=True),
    "messages": Endpoint(messages, messages.whole, streams=True),
    "messages/count_tokens": Endpoint(messages, messages.token_count, streams=False),
    "responses": Endpoint(responses, responses.whole, streams=True),
    "embeddings": Endpoint(chat, _embeddings, streams=False),
    "images/generations": Endpoint(chat, _images, streams=False),
    "files": Endpoint(chat, _files, streams=False, json=False),
}

ELSEWHERE = Endpoint(chat, chat.whole, streams=False, json=False)
"""Where a path is unknown or free: errors in the chat shape."""


def local(path: str) -> str | None:
    """The path under its base, or None for what lies under neither."""
    for base in BASES:
        if path.startswith(base):
            return path[len(base) :]
    return None
