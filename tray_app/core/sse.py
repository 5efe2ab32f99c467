"""Server-sent events as far as the relay needs them: the first events, and whether the end was whole.

Only the head of a stream is ever parsed, until one event proves that the provider really answers;
after that bytes are passed on unread, and only the last few are looked at.
Format: the HTML standard's "event stream interpretation".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from tray_app.core.values import Protocol

# Where it is done for every stream or chunk, bytes are searched with `find`: `in` first takes what is looked for as a
# number, and throws the error away, which takes longer than to search.

_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"\r\n|\n|\r")
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")


class Event(Struct, frozen=True):
    """One block of a stream. A block of comments alone has no data."""

    name: str
    data: bytes | None
    raw: bytes


class Splitter:
    """Cuts a byte stream into events, whatever the packets' edges. Unfinished bytes wait for more."""

    def __init__(self, protocol: Protocol) -> None:
        self._ndjson = protocol is Protocol.OLLAMA
        self._rest = b""
        self._at = 0  # where in it the first event begins that has not been given
        self._first = True

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes, in order."""
        return list(self.events(data))

    def events(self, data: bytes) -> Iterator[Event]:
        """The same one by one: whoever has seen enough leaves the rest uncut."""
        self._rest, self._at = self._rest[self._at :] + data, 0
        if self._first and not _BOM.startswith(self._rest):
            self._first = False
            self._rest = self._rest.removeprefix(_BOM)
        yield from self._lines() if self._ndjson else self._blocks()

    def close(self) -> list[Event]:
        """What is left when the stream has ended: an unfinished event is shown, not dropped."""
        rest = self._rest.removeprefix(_BOM) if self._first else self._rest[self._at :]
        self._rest, self._at = b"", 0
        if not rest.strip():
            return []
        return [Event("", rest.strip(), rest)] if self._ndjson else [_event(rest)]

    def _lines(self) -> list[Event]:
        *lines, self._rest = self._rest.split(b"\n")
        return [Event("", line.strip(), line + b"\n") for line in lines if line.strip()]

    def _blocks(self) -> Iterator[Event]:
        while end := self._end_of_block():
            block, self._at = self._rest[self._at : end], end
            if block.strip():
                yield _event(block)

    def _end_of_block(self) -> int:
        """Where the first block ends, with its blank line; 0 where that has not come."""
        rest, at = self._rest, self._at
        plain = rest.find(b"\n\n", at)
        if plain >= 0 and rest.find(b"\r", at, plain) < 0:
            return plain + 2  # nearly always
        found = _BLANK_LINE.search(rest, at)
        if found is None or (found.end() == len(rest) and found.group().endswith(b"\r")):
            return 0  # a lone CR at the edge may be half of a CRLF
        return found.end()


def whole_to(data: bytes, *, ndjson: bool) -> int:
    """How many bytes of a stretch of a stream are whole events: what follows is the beginning of another."""
    if data.endswith(b"\n") and (ndjson or data.endswith(b"\n\n")):  # nearly always
        return len(data)
    if ndjson:
        return data.rfind(b"\n") + 1
    end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\n\r\n") + 3, data.rfind(b"\r\r") + 2)
    return end if end > 2 else 0


def _event(block: bytes) -> Event:
    if block.startswith(b"data: ") and block.find(b"\n") == len(block) - 2 and b"\r" not in block:
        return Event("", block[6:-2], block)  # nearly always
    name, data = "", []
    for line in _LINE.split(block) if b"\r" in block else block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            data.append(value)
    return Event(name, b"\n".join(data) if data else None, block)


class Sign(StrEnum):
    """What an early event says of the stream."""

    LIFE = "life"  # comment, ping, an opening without content: keep holding back
    CONTENT = "content"  # the provider really answers
    ERROR = "error"  # an error in a stream's dress
    END = "end"  # the terminator


def latest_from(events: bytes, count: int) -> int:
    """Where the latest `count` events begin, with the blank line before them; 0 where there are no more."""
    at = len(events)
    for _ in range(count):
        at = events.rfind(b"\n\n", 0, at - 1) if at > 1 else -1
        if at <= 0:
            return 0
    return at


def may_fail(events: bytes, count: int) -> bool:
    """Whether the word for an error stands among the latest `count` events."""
    at = max(0, len(events) - count * SHORT)
    if at:
        parts = events[at:].rsplit(b"\n\n", count + 1)  # from the end: it looks at no more than it has to
        at = at + len(parts[0]) if len(parts) > count + 1 else latest_from(events, count)
    return events.find(b'error"', at) >= 0


def error_in(events: bytes, protocol: Protocol) -> tuple[bytes, bytes] | None:
    """What comes before the first event that is an error, and what that holds; None if there is none."""
    splitter, at = Splitter(protocol), 0
    for event in (*splitter.events(events), *splitter.close()):
        start = events.find(event.raw, at)
        if sign_of(event) is Sign.ERROR:
            return events[:start], event.data or b""
        at = start + len(event.raw)
    return None


class _Delta(msgspec.Struct):
    """The parts of any dialect's event that tell an opening from content."""

    type: str | None = None
    object: str | None = None
    error: Any = None
    choices: list[_Choice] | None = None
    delta: Any = None
    candidates: list[_Candidate] | None = None
    message: Any = None
    response: Any = None
    done: bool | None = None
    done_reason: str | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None
    finish_reason: str | None = msgspec.field(name="finishReason", default=None)


class _Content(msgspec.Struct):
    parts: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct):
    delta: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    finish_reason: str | None = None
    text: str | None = None
    error: Any = None


_delta = msgspec.json.Decoder(_Delta, strict=False)
_ERROR_TYPES = frozenset({"error", "response.failed", "response.error"})
_OPENINGS = frozenset(
    {
        "message_start",
        "content_block_start",
        "ping",
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "keepalive",
    }
)
_PLAIN_ENDS = ("stop", "STOP", "end_turn")  # of an answer that is complete: without content it is none
_ENDS = frozenset({"message_stop", "response.completed", "response.incomplete"})


def is_readable(event: Event) -> bool:
    """Whether `event` holds what every protocol's events hold: JSON, or the terminator of chats."""
    data = event.data
    if data is None or data.strip() == b"[DONE]":
        return True
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def sign_of(event: Event) -> Sign:
    """What `event` says of its stream. An event that cannot be read counts as content: it is not ours to judge."""
    data = event.data
    if data is None or not (said := data.strip()):
        return Sign.LIFE
    if said == b"[DONE]":
        return Sign.END
    try:
        delta = _delta.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Sign.ERROR if event.name == "error" else Sign.CONTENT
    return _sign_of_delta(event.name, delta)


class _Plain(Struct, frozen=True):
    """What most answers begin with: `text` matches an event with some; `odd` are words that may make it another matter.

    In the model's own words quotes are escaped, so that they do not match.
    """

    text: re.Pattern[bytes]
    odd: tuple[bytes, ...]


_ODD = (b"error", b'"done"', b"\\u")
_PLAIN_OF = {
    Protocol.CHAT: _Plain(
        re.compile(rb'"delta": ?\{(?:"role": ?"assistant", ?)?"content": ?"[^"]'),
        (*_ODD, b"[DONE]", b'"type"', b"event:"),
    ),
    Protocol.MESSAGES: _Plain(
        re.compile(
            rb'data: \{"type": ?"content_block_delta", ?"index": ?\d+, ?'
            rb'"delta": ?\{"type": ?"text_delta", ?"text": ?"[^"]'
        ),
        (*_ODD, b"[DONE]", b"response.", b"message_stop"),
    ),
}
_GLANCE = 8_192


def begins_plainly(data: bytes, protocol: Protocol) -> bool:
    """Whether the beginning of a stream shows at a glance that it answers, as reading its events would find too.

    False says nothing: then its events must be read one by one.
    """
    plain = _PLAIN_OF.get(protocol)
    found = plain.text.search(data, 0, _GLANCE) if plain is not None else None
    if plain is None or found is None:
        return False
    line, end = data.rfind(b"\n", 0, found.start()) + 1, data.find(b"\n\n", found.end())
    if end < 0 or not data.startswith(b"data: ", line):
        return False
    before = data[:end]
    for word in plain.odd:  # noqa: SIM110 - a generator costs more than the search
        if before.find(word) >= 0:
            return False
    return True


def _sign_of_delta(name: str, delta: _Delta) -> Sign:
    kind = delta.type or name
    if kind in _ERROR_TYPES or name in _ERROR_TYPES or delta.object == "error" or delta.error:
        return Sign.ERROR
    if kind in _OPENINGS:
        return Sign.LIFE
    if kind in _ENDS or _is_done_with_nothing(delta):
        return Sign.END
    if delta.choices is not None:
        return _sign_of_choices(delta.choices)
    return Sign.CONTENT if _is_told(kind, delta) else Sign.LIFE


def _is_told(kind: str, delta: _Delta) -> bool:
    """Whether an event of the other dialects holds anything: empty deltas, and an end of nothing, do not."""
    if kind in ("content_block_delta", "response.output_text.delta"):
        return _is_filled(delta.delta)
    if kind == "content_block_stop":
        return False
    if kind == "message_delta":
        return isinstance(delta.delta, dict) and delta.delta.get("stop_reason") not in (None, *_PLAIN_ENDS)
    if delta.candidates is not None:
        return any(_is_candidate_told(one) for one in delta.candidates)
    if delta.done is False:
        return _is_filled(delta.message) or _is_filled(delta.response)
    return True


def _is_done_with_nothing(delta: _Delta) -> bool:
    """Whether Ollama's model has stopped by itself. Loading one ends at once too, for a reason of its own."""
    return bool(delta.done) and delta.done_reason == "stop" and not (_is_filled(delta.message) or delta.response)


def _is_candidate_told(one: _Candidate) -> bool:
    parts = one.content.parts if one.content is not None else None
    return any(map(_is_filled, parts or ())) or one.finish_reason not in (None, *_PLAIN_ENDS)


def _is_filled(said: Any) -> bool:
    """Whether there is more than names and empty strings."""
    if isinstance(said, dict):
        return any(value for key, value in said.items() if key not in ("type", "role"))
    return bool(said)


def _sign_of_choices(choices: list[_Choice]) -> Sign:
    sign = Sign.LIFE
    for choice in choices:
        if choice.error or choice.finish_reason == "error":
            return Sign.ERROR
        if _says_something(choice):
            sign = Sign.CONTENT
    return sign


def _says_something(choice: _Choice) -> bool:
    if choice.text or choice.finish_reason not in (None, "", *_PLAIN_ENDS):
        return True
    for said in (choice.message, choice.delta):
        for key, value in (said or {}).items():
            if value and key != "role":
                return True
    return False


class EndWatch:
    """Tells from passing bytes, without parsing them, whether a stream came to its protocol's own end.

    Every chunk is looked at for the terminator, and only where that can stand; the rest is asked of
    the last chunks when the stream is over. Marks are such as cannot stand in a model's own words,
    where quotes are escaped and lines do not break.
    """

    __slots__ = ("_ends", "_failed", "_kept", "_latest", "_recent", "ended_by")

    def __init__(self, protocol: Protocol) -> None:
        self._ends = _ENDS_OF.get(protocol)
        self._latest = b""
        self._recent: deque[bytes] = deque()  # it is the last of these
        self._kept = 0
        self._failed: bool | None = None  # as it was judged last; None once more has passed
        self.ended_by = b""  # the terminator that has passed

    def passed(self, data: bytes) -> None:
        """Look at the bytes that pass now."""
        self.ended_by = self.ending(data) or self.ended_by
        self.keep(data)

    def keep(self, data: bytes) -> None:
        """These bytes pass, and `ending` has found nothing in them."""
        self._latest = data
        self._recent.append(data)
        self._kept += len(data)
        self._failed = None
        if self._kept > MOST_KEPT:
            self._let_go()

    def _let_go(self) -> None:
        recent, size = self._recent, self._kept
        while size - len(recent[0]) > KEPT:
            size -= len(recent.popleft())
        self._kept = size

    @property
    def _edge(self) -> bytes:
        """The last bytes: a mark may begin among them and end in the next."""
        latest = self._latest if len(self._latest) >= _LONGEST_MARK else self.last
        return latest[-_LONGEST_MARK:]

    def ending(self, data: bytes) -> bytes:
        """The terminator that passes with `data`, if one does. Changes nothing."""
        ends = self._ends
        if ends is None:
            return b""
        beyond = len(data) - ends.reach
        if beyond > 0:
            if data.find(ends.common, beyond) < 0:
                return b""  # nearly always
            window = data[beyond:]
        else:
            window = self._edge + data
        for mark in ends.terminators:  # spelled out: this runs for every chunk
            if window.find(mark) >= 0:
                return mark
        return b""

    @property
    def final(self) -> bool:
        """Whether the terminator itself has passed."""
        return bool(self.ended_by)

    @property
    def last(self) -> bytes:
        """The last bytes that passed, at least `KEPT` if there were more."""
        return b"".join(self._recent)

    def _tail(self) -> bytes:
        return b"\n" + b"".join(self._recent)[-_TAIL:]

    @property
    def whole(self) -> bool:
        """Whether the answer is complete, with or without its terminator.

        A mark alone proves nothing: the event that it stands in may be cut after it, and what that holds be missing.
        """
        ends = self._ends
        if ends is None:
            return True
        if self.ended_by and self._edge.endswith(b"\n\n"):
            return True  # nearly always
        last = b"\n" + self.last
        end = whole_to(last, ndjson=ends.lines)
        marks, events = ends.terminators + ends.others, last[:end][-_TAIL:]
        if any(mark in events for mark in marks):
            return True
        marked = bool(self.ended_by) or any(mark in last[-_TAIL:] for mark in marks)
        return marked and _is_event(last[end:], ends)

    @property
    def failed(self) -> bool:
        """Whether the provider ended the stream with an error of its own."""
        if self._failed is None:
            self._failed = self._ends is not None and self._ends_in_error(self._ends)
        return self._failed

    def is_error(self, terminator: bytes) -> bool:
        """Whether a stream that ends so has failed."""
        return self._ends is not None and terminator in self._ends.errors

    def _ends_in_error(self, ends: _Ends) -> bool:
        if self.is_error(self.ended_by):
            return True
        tail = self._tail()
        if not may_fail(tail, LATEST):
            return False  # nearly always
        tail = tail[latest_from(tail, LATEST) :]
        return any(mark in tail for mark in ends.errors)


def ends_well(stream: bytes, protocol: Protocol) -> bool:
    """Whether `stream`, all of it, ends with its protocol's terminator and no error. False says nothing."""
    ends = _ENDS_OF.get(protocol)
    if ends is None or not stream.endswith(b"\n\n"):
        return False
    window = stream[-ends.reach :]
    for mark in ends.terminators:
        if window.find(mark) >= 0:
            return mark not in ends.errors and not may_fail(stream, LATEST)
    return False


def _is_event(rest: bytes, ends: _Ends) -> bool:
    """Whether what stands after the last blank line of a stream is an event that lacks only its own."""
    if len(rest) >= KEPT:
        return rest.rstrip().endswith(b"}")  # where it begins is not known any more
    event = Event("", rest.strip() or None, rest) if ends.lines else _event(rest)
    return is_readable(event)


_FINISH = (b'"finish_reason":"', b'"finish_reason": "')
_ERROR = (b'"error":{', b'"error": {', b'"error":"', b'"error": "')
_TAIL = 8192
SHORT = 400  # bytes: most events have fewer
LATEST = 6  # events among which an error stands: little follows one, and a search through all takes longer
MOST_KEPT = 24_576  # bytes that are kept before some are let go
KEPT = 16_384  # bytes of a stream's end: what it says of its usage stands there
_LONGEST_MARK = 24


class _Ends(Struct, frozen=True):
    """How a protocol's streams end. The terminator stands within the last `reach` bytes of a chunk."""

    terminators: tuple[bytes, ...]
    reach: int
    common: bytes = b""  # what stands in each terminator, and in little else
    others: tuple[bytes, ...] = ()  # what else shows that an answer is complete
    errors: tuple[bytes, ...] = _ERROR
    lines: bool = False  # whether each line is an event


_ANYWHERE = 1 << 30
_ENDS_OF = {
    Protocol.CHAT: _Ends((b"\ndata: [DONE]", b"\ndata:[DONE]", b"\rdata: [DONE]"), 128, b"[DONE]", _FINISH),
    Protocol.RESPONSES: _Ends(  # the last event holds the whole answer, so it may be long
        (b'"response.completed"', b'"response.incomplete"', b'"response.failed"'),
        _ANYWHERE,
        errors=(b'"response.failed"', b'"type":"error"', b'"type": "error"'),
    ),
    Protocol.MESSAGES: _Ends(
        (b'"message_stop"',),
        512,
        b'"message_stop"',
        (b'"type":"error"', b'"type": "error"'),
        (b'"type":"error"', b'"type": "error"'),
    ),
    # These two send a tool's arguments as they are, not as a text: only an event that begins so is an error.
    Protocol.GEMINI: _Ends(
        (b'"finishReason"',), _ANYWHERE, b'"finishReason"', errors=(b'\ndata: {"error"', b'\ndata:{"error"')
    ),
    Protocol.OLLAMA: _Ends((b'"done":true', b'"done": true'), _ANYWHERE, b"true", errors=(b'\n{"error"',), lines=True),
}
