"""What a stream has told its client so far: enough to say whether another attempt may go on with it, and from where.

Bytes are only laid aside while the stream runs; they are read when it breaks off. A stream is gone on with only where
nothing but plain text stands in it: a tool call or a thought in progress cannot be taken up by another attempt.

Formats: https://platform.openai.com/docs/api-reference/chat-streaming and .../responses-streaming,
https://platform.claude.com/docs/en/build-with-claude/streaming, https://ai.google.dev/api/generate-content,
https://docs.ollama.com/api/streaming
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tray_app.core.sse import Event, Sign, Splitter, sign_of
from tray_app.core.values import Protocol

BLOCK_BYTES = 65_536  # are packed together, to a twentieth of that as a rule: most answers never have so many
SLOW_BLOCK_BYTES = 8_192
KEPT_BYTES = 40_960  # of one stream, packed: some 5,000 tokens of chat chunks, 8,000 of Anthropic's
SLOW_KEPT_BYTES = 16_384
EACH_BYTES = 48  # what a chunk costs besides its own bytes

_SMALL = (-12, 4)  # window and memory: of events, which are much alike, all that is to be had, and five times as quick

Fields = Mapping[str, Any]

NO_TEXT = "no text had come"
TOO_LONG = "the answer is too long to be held"
FINISHED = "the answer was finished"
ERROR = "the provider's error has been passed on"
UNREADABLE = "an event cannot be read"
TOOL = "a tool call had begun"
THINKING = "the model was thinking"
SIGNED = "it holds thoughts with a signature, which another attempt cannot take up"
REFUSAL = "the model refused"
SEVERAL = "it holds several answers"
OTHER = "it holds something else than text"
HALF_CHARACTER = "its text ends within a character"

BEGUN = -1  # an item has been announced, its text has not


class Telling(Struct, frozen=True):
    """What the whole events of a stream said. `text` is the model's visible text, exactly.

    `id`, `model` and `created` are the stream's own; empty or None where it named none. `usage` is the JSON object of
    the counts that it has shown, empty where it has shown none.
    """

    text: str = ""
    why_not: str = NO_TEXT  # why no other attempt may go on with it; empty where one may
    whole: int = 0  # bytes from the start that are whole events: what follows them is half an event
    half: bool = False  # whether an unfinished event stands at the end
    finished: bool = False  # the model has finished: only the terminator may be missing
    ended: bool = False  # the terminator has come too
    id: str = ""
    model: str = ""
    created: float | None = None
    usage: bytes = b""
    # Anthropic's blocks and the output items of Responses
    index: int = 0  # of the block or item that holds the latest text
    next_index: int = 0  # the first that is not taken
    closed: int = BEGUN  # how many of its closing events it has had: a block has one, an item three
    item_id: str = ""
    item_text: str = ""  # the item's part of `text`
    items: tuple[bytes, ...] = ()  # the items that are done, as JSON
    sequence: int | None = None  # the latest sequence number

    @property
    def continuable(self) -> bool:
        """Whether another attempt may go on with it."""
        return not self.why_not


class Told:
    """The bytes that one stream's client has got, whole or not.

    They are held packed, at most `limit` bytes and one block; of a longer stream nothing is.
    """

    __slots__ = ("_block", "_kept", "_limit", "_over", "_packed", "_parts", "_size")

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._block = BLOCK_BYTES
        self._kept = 0
        self._over = False
        self._packed: list[bytes] = []
        self._parts: list[bytes] = []  # that are still to be packed
        self._size = 0

    def passed(self, data: bytes) -> None:
        """These bytes have been sent. This runs for every chunk of every stream."""
        if self._over:
            return
        self._parts.append(data)
        self._size += len(data) + EACH_BYTES
        if self._size >= self._block:
            self._pack()

    def slow(self) -> None:
        """The client is slow: from now on as little is held as may be."""
        if self._block == SLOW_BLOCK_BYTES:
            return
        self._limit, self._block = min(self._limit, SLOW_KEPT_BYTES), SLOW_BLOCK_BYTES
        if self._kept > self._limit or self._size >= self._block:
            self._pack()

    def _pack(self) -> None:
        packer = zlib.compressobj(1, zlib.DEFLATED, *_SMALL)
        block = packer.compress(b"".join(self._parts)) + packer.flush()
        self._kept += len(block)
        self._packed.append(block)
        self._parts, self._size = [], 0
        if self._kept > self._limit:
            self._over, self._packed = True, []

    def _blocks(self) -> list[bytes]:
        return [*(zlib.decompress(block, _SMALL[0]) for block in self._packed), *self._parts]

    def read(self, protocol: Protocol, more: bytes = b"") -> Telling:
        """What the bytes so far, and `more`, say in that protocol. Never raises.

        Of a stream that was too long only that is known.
        """
        reader = _READERS.get(protocol)
        if self._over:
            return Telling(why_not=TOO_LONG)
        if reader is None:
            return Telling(why_not=UNREADABLE)
        tale, splitter, blocks = _Tale(), Splitter(protocol), [*self._blocks(), more]
        for part in blocks:
            for event in splitter.events(part):
                tale.hear(event, reader)
        rest = b"".join(event.raw for event in splitter.close())
        return tale.telling(_whole(blocks, rest), half=bool(rest))


def _whole(parts: list[bytes], rest: bytes) -> int:
    """How many bytes come before the unfinished event. Blanks without one would spoil the line that comes next."""
    if rest:
        return sum(map(len, parts)) - len(rest)
    return len(b"".join(parts).rstrip(b" \t"))


def document_of(data: bytes) -> dict[str, Any] | None:
    """The JSON object that `data` holds, None if it holds none.

    Some providers send the two halves of a character beyond the first 65,536 one by one, as `\\ud83d` and `\\ude00`:
    such halves stay what they are, see `mended`.
    """
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _with_halves(data)
    return found if isinstance(found, dict) else None


def _with_halves(data: bytes) -> object:
    if b"\\u" not in data:
        return None
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        return None


def mended(text: str) -> str:
    """`text` with the halves of characters that stand side by side made whole."""
    if is_text(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def is_text(text: str) -> bool:
    """Whether `text` holds whole characters only."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def spelled(value: object) -> bytes:
    """`value` as JSON. Half characters are escaped, as they came."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


# -- reading


class _Tale:
    """What is gathered from the events of one stream."""

    def __init__(self) -> None:
        self.why = ""
        self.texts: list[str] = []
        self.item_texts: list[str] = []
        self.thinking = self.finished = self.ended = False
        self.id = self.model = self.item_id = ""
        self.created: float | None = None
        self.usage: dict[str, Any] = {}
        self.index = self.next_index = 0
        self.closed = BEGUN
        self.items: list[bytes] = []
        self.sequence: int | None = None

    def hear(self, event: Event, reader: Callable[[_Tale, str, Fields], None]) -> None:
        """Take in one event."""
        data = event.data
        if data is None or not data.strip():
            return
        sign = sign_of(event)
        if sign is Sign.END:
            self.finished = self.ended = True
        if data.strip() == b"[DONE]":
            return
        document = document_of(data)
        if document is None:
            self.refuse(UNREADABLE)
        elif sign is Sign.ERROR:
            self.refuse(ERROR)
        else:
            reader(self, document.get("type") or event.name, document)

    def refuse(self, why: str) -> None:
        """Nobody can go on with this. The first reason is told."""
        self.why = self.why or why

    def name(self, fields: Fields, model: str = "model", created: str = "created") -> None:
        """Whose stream it is; the first that says so holds."""
        self.id = self.id or _text(fields.get("id"))
        self.model = self.model or _text(fields.get(model))
        when = fields.get(created)
        if self.created is None and isinstance(when, int | float):
            self.created = when

    def count(self, usage: object) -> None:
        """Counts that the stream shows. They are totals: the latest of each holds."""
        self.usage.update({name: value for name, value in fields_of(usage).items() if value is not None})

    def say(self, text: object) -> None:
        """A piece of visible text. It closes a thought that has no end of its own."""
        if isinstance(text, str):
            if text:
                self.thinking = False
                self.texts.append(text)
                self.item_texts.append(text)
        elif text:
            self.refuse(OTHER)

    def take(self, index: object) -> int:
        """A block or item has begun at that index."""
        number = index if isinstance(index, int) else self.next_index
        self.next_index = max(self.next_index, number + 1)
        return number

    def telling(self, whole: int, *, half: bool) -> Telling:
        """All of it as one value."""
        text = mended("".join(self.texts))
        return Telling(
            text,
            self._why_not(text),
            whole,
            half,
            self.finished,
            self.ended,
            self.id,
            self.model,
            self.created,
            spelled(self.usage) if self.usage else b"",
            self.index,
            self.next_index,
            self.closed,
            self.item_id,
            mended("".join(self.item_texts)),
            tuple(self.items),
            self.sequence,
        )

    def _why_not(self, text: str) -> str:
        if self.why:
            return self.why
        if self.finished:
            return FINISHED
        if self.thinking:
            return THINKING
        if not text:
            return NO_TEXT
        if self.item_id and self.closed == BEGUN:
            return OTHER  # another message of Responses, which has no part yet
        return "" if is_text(text) else HALF_CHARACTER


def fields_of(value: object) -> Fields:
    """The members of a JSON object, none of anything else."""
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Fields]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# What a chat delta may hold besides text that nobody can take up.
_CHAT_REFUSES = {
    "tool_calls": TOOL,
    "function_call": TOOL,
    "refusal": REFUSAL,
    "audio": OTHER,
    "images": OTHER,  # OpenRouter's
}
CHAT_THOUGHTS = ("reasoning", "reasoning_content", "reasoning_details", "thinking")


def _chat(tale: _Tale, _kind: str, document: Fields) -> None:
    tale.name(document)
    tale.count(document.get("usage"))
    for choice in _objects(document.get("choices")):
        if choice.get("index"):
            tale.refuse(SEVERAL)
        if "delta" not in choice and "text" in choice:
            tale.refuse(OTHER)  # a completion of the older kind, which has no messages
        _chat_delta(tale, fields_of(choice.get("delta")))
        if choice.get("finish_reason"):
            tale.finished = True


def _chat_delta(tale: _Tale, delta: Fields) -> None:
    for name, why in _CHAT_REFUSES.items():
        if delta.get(name):
            tale.refuse(why)
    if any(delta.get(name) for name in CHAT_THOUGHTS):
        tale.thinking = True
    for detail in _objects(delta.get("reasoning_details")):
        if detail.get("signature") or detail.get("type") == "reasoning.encrypted":
            tale.refuse(SIGNED)
    tale.say(delta.get("content"))


def _messages(tale: _Tale, kind: str, document: Fields) -> None:
    match kind:
        case "message_start":
            message = fields_of(document.get("message"))
            tale.name(message)
            tale.count(message.get("usage"))
        case "content_block_start":
            _block(tale, tale.take(document.get("index")), fields_of(document.get("content_block")))
        case "content_block_delta":
            _block_delta(tale, fields_of(document.get("delta")))
        case "content_block_stop":
            tale.thinking = False
            tale.closed = 1
        case "message_delta":
            tale.count(document.get("usage"))
            tale.finished = tale.finished or bool(fields_of(document.get("delta")).get("stop_reason"))


def _block(tale: _Tale, index: int, block: Fields) -> None:
    match block.get("type"):
        case "text":
            tale.index, tale.closed = index, 0
            tale.say(block.get("text"))
        case "thinking":
            tale.thinking = True
        case "redacted_thinking":
            tale.refuse(SIGNED)
        case "tool_use":
            tale.refuse(TOOL)
        case _:
            tale.refuse(OTHER)


def _block_delta(tale: _Tale, delta: Fields) -> None:
    match delta.get("type"):
        case "text_delta":
            tale.say(delta.get("text"))
        case "signature_delta":
            tale.refuse(SIGNED)


def _responses(tale: _Tale, kind: str, document: Fields) -> None:
    number = document.get("sequence_number")
    tale.sequence = number if isinstance(number, int) else tale.sequence
    response = fields_of(document.get("response"))
    tale.name(response, created="created_at")
    tale.count(response.get("usage"))
    item = fields_of(document.get("item"))
    match kind:
        case "response.output_item.added":
            _item(tale, tale.take(document.get("output_index")), item)
        case "response.content_part.added":
            _part(tale, document)
        case "response.output_text.delta":
            _output_text(tale, document)
        case "response.output_text.done":
            tale.closed = 1
        case "response.content_part.done" if fields_of(document.get("part")).get("type") == "output_text":
            tale.closed = 2
        case "response.output_item.done":
            _item_done(tale, item)
        case "response.refusal.delta":
            tale.refuse(REFUSAL)


def _item(tale: _Tale, index: int, item: Fields) -> None:
    match item.get("type"):
        case "message":
            tale.index, tale.closed = index, BEGUN
            tale.item_id, tale.item_texts = _text(item.get("id")), []
        case "reasoning":
            tale.thinking = True
        case "function_call" | "custom_tool_call":
            tale.refuse(TOOL)
        case _:
            tale.refuse(OTHER)


def _part(tale: _Tale, document: Fields) -> None:
    """A part of an item, as a rule its only one: a message of several is beyond what a seam can close."""
    kind = fields_of(document.get("part")).get("type")
    if kind == "reasoning_text":
        return
    if document.get("content_index") or kind != "output_text":
        tale.refuse(OTHER)
    tale.closed = 0


def _output_text(tale: _Tale, document: Fields) -> None:
    """A delta, which servers that imitate the protocol may send without any opening."""
    tale.index = tale.take(document.get("output_index"))
    tale.item_id = tale.item_id or _text(document.get("item_id"))
    tale.closed = 0
    tale.say(document.get("delta"))


def _item_done(tale: _Tale, item: Fields) -> None:
    tale.items.append(spelled(item))
    tale.thinking = False
    if item.get("type") == "message":
        tale.closed = 3
    if item.get("encrypted_content"):
        tale.refuse(SIGNED)


def _gemini(tale: _Tale, _kind: str, document: Fields) -> None:
    tale.name({"id": document.get("responseId"), "model": document.get("modelVersion")})
    tale.count(document.get("usageMetadata"))
    if fields_of(document.get("promptFeedback")).get("blockReason"):
        tale.refuse(REFUSAL)
    for candidate in _objects(document.get("candidates")):
        if candidate.get("index"):
            tale.refuse(SEVERAL)
        for part in _objects(fields_of(candidate.get("content")).get("parts")):
            _gemini_part(tale, part)
        if candidate.get("finishReason"):
            tale.finished = tale.ended = True


def _gemini_part(tale: _Tale, part: Fields) -> None:
    if part.get("thoughtSignature"):
        tale.refuse(SIGNED)
    if "functionCall" in part:
        tale.refuse(TOOL)
    elif part.get("thought"):
        tale.thinking = True
    elif "text" in part:
        tale.say(part["text"])
    elif part:
        tale.refuse(OTHER)


def _ollama(tale: _Tale, _kind: str, document: Fields) -> None:
    tale.name(document)
    message = fields_of(document.get("message"))
    if "response" in document:
        tale.refuse(OTHER)  # a completion, which has no messages
    if message.get("tool_calls"):
        tale.refuse(TOOL)
    if message.get("thinking"):
        tale.thinking = True
    tale.say(message.get("content"))
    if document.get("done"):
        tale.finished = tale.ended = True


_READERS: dict[Protocol, Callable[[_Tale, str, Fields], None]] = {
    Protocol.CHAT: _chat,
    Protocol.MESSAGES: _messages,
    Protocol.RESPONSES: _responses,
    Protocol.GEMINI: _gemini,
    Protocol.OLLAMA: _ollama,
}
