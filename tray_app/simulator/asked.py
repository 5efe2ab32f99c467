"""What a request's body says, as far as the simulator needs it, out of any of the three protocols.

Only the fields that are used are decoded: a conversation of megabytes costs no more than its last turn.
"""

from __future__ import annotations

import zlib

import msgspec
from msgspec import Raw, Struct

BODY_LIMIT = 64 * 1024 * 1024
ECHO_CHARS = 200

_NULL = Raw(b"null")
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Unreadable(Exception):
    """A body that cannot be read; says why."""


class Said(Struct, frozen=True):
    """The body of any endpoint. What a request may leave out, or set to null, may be absent here."""

    model: str | None = None
    stream: bool | None = None
    messages: Raw = _NULL
    input: Raw = _NULL
    prompt: Raw = _NULL


class _Turn(Struct):
    role: str = "user"
    content: Raw = _NULL
    text: str | None = None


_said = msgspec.json.Decoder(Said)
_turn = msgspec.json.Decoder(_Turn)
_list = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)


def plain(body: bytes, encoding: str | None) -> bytes:
    """The body without its content coding; raises `Unreadable` for what is broken, unknown or too large."""
    if not encoding or encoding.lower() == "identity":
        return body
    bits = _WINDOW_BITS.get(encoding.lower())
    if bits is None:
        raise Unreadable(f"Unsupported content-encoding: {encoding}")
    unpacker = zlib.decompressobj(bits)
    try:
        unpacked = unpacker.decompress(body, BODY_LIMIT)
    except zlib.error as error:
        raise Unreadable("The body is not what its content-encoding says") from error
    if not unpacker.eof:
        raise Unreadable("The compressed body is cut short or too large")
    return unpacked


def read(body: bytes) -> Said:
    """The fields of a JSON body; raises `Unreadable`."""
    try:
        return _said.decode(body)
    except msgspec.ValidationError as error:
        raise Unreadable(f"Invalid request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("Invalid JSON in the request body") from error


def last_words(said: Said) -> str:
    """The beginning of the last thing the user said; empty where nothing like it can be found."""
    for raw in (said.messages, said.input, said.prompt):
        try:
            words = _words(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if words:
            return words[:ECHO_CHARS]
    return ""


def _words(raw: Raw) -> str:
    match bytes(raw[:1]) if isinstance(raw, bytes) else bytes(memoryview(raw)[:1]):
        case b'"':
            return _text.decode(raw)
        case b"[":
            return _last(_list.decode(raw))
        case _:
            return ""


def _last(items: list[Raw]) -> str:
    """Of turns, parts of a turn, or plain strings: the last that the user wrote."""
    for item in reversed(items):
        words = _words(item) if bytes(memoryview(item)[:1]) == b'"' else _of_turn(_turn.decode(item))
        if words:
            return words
    return ""


def _of_turn(turn: _Turn) -> str:
    return "" if turn.role != "user" else turn.text or _words(turn.content)
