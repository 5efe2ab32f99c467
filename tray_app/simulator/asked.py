"""What a request's body says, as far as the simulator needs it, out of any of the three protocols.

Only the fields that are used are decoded: a conversation of megabytes costs no more than its last turn.
"""

from __future__ import annotations

import zlib

import msgspec
from msgspec import Raw, Struct

from tray_app.core.continuing import CUT_OFF

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


def conversation(said: Said) -> tuple[str, str]:
    """The beginning of the last thing the user said, and the answer begun, where the model is to go on with one.

    Both are empty where nothing like it can be found. The answer begun is the assistant's message at the end, or the
    one before a request to go on after a break.
    """
    for raw in (said.messages, said.input, said.prompt):
        try:
            words, begun = _words(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if words:
            return words[:ECHO_CHARS], begun
    return "", ""


def _words(raw: Raw) -> tuple[str, str]:
    match bytes(raw[:1]) if isinstance(raw, bytes) else bytes(memoryview(raw)[:1]):
        case b'"':
            return _text.decode(raw), ""
        case b"[":
            return _last(_list.decode(raw))
        case _:
            return "", ""


def _last(items: list[Raw]) -> tuple[str, str]:
    """Of turns, parts of a turn, or plain strings: the last that the user wrote, and what was begun after it."""
    begun, asked_on, last = "", False, True
    for item in reversed(items):
        role, words = ("user", _text.decode(item)) if bytes(memoryview(item)[:1]) == b'"' else _turned(item)
        if role == "assistant":
            begun = words if last or asked_on else begun
        elif role == "user" and words:
            if not (last and words.startswith(CUT_OFF)):
                return words, begun
            asked_on = True
        last = False
    return "", begun


def _turned(item: Raw) -> tuple[str, str]:
    turn = _turn.decode(item)
    return turn.role, turn.text or _words_of_parts(turn.content)


def _words_of_parts(raw: Raw) -> str:
    """The text of a turn: itself, or the last of its parts that has one."""
    match bytes(memoryview(raw)[:1]):
        case b'"':
            return _text.decode(raw)
        case b"[":
            texts = (_turned(part)[1] for part in reversed(_list.decode(raw)))
            return next((text for text in texts if text), "")
        case _:
            return ""
