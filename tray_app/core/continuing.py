"""How a stream that broke off goes on with another attempt, so that its client sees one whole answer.

The other attempt is asked for the rest (`continuation_of`), in the provider's own way where it has one. What it
answers is a stream of its own: `Seam` takes its opening away and what it repeats, and makes the remainder the
continuation of the first stream: same names, numbers that go on, one terminator, counts summed.

Not gone on with are calls whose answer must have a form (JSON by schema, a forced tool call): the form is imposed from
an answer's first character, so the rest of one would begin it anew.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Raw

from tray_app.core.sse import Event, Sign, Splitter, sign_of
from tray_app.core.told import CHAT_THOUGHTS, Fields, Telling, document_of, fields_of, mended, spelled
from tray_app.core.values import Protocol

LOOK_BACK = 400  # characters of the text's end among which a repetition is looked for
ANEW = 40  # characters of the text's beginning that show that the answer begins anew
LEAST_WHOLE = 8  # a text this long is not repeated as a whole by accident
LEAST_PART = 8  # the same of a part of it
LEAST_WORD = 3  # and where it begins with a word: who is asked to go on in mid-word writes the word again
CUT_OFF = "Your previous message was cut off"  # so the instruction begins
QUOTED = 60  # characters of the text's end that the instruction quotes

_ALIVE = b": thinking\n\n"


class Way(StrEnum):
    """How a provider is asked to go on, and what it then repeats of the text so far."""

    ECHOED = "echoed"  # a prefix, which the answer repeats as a whole
    PREFIX = "prefix"  # a prefix, which it does not
    PARTIAL = "partial"  # the same by another name
    PREFILL = "prefill"  # the assistant's message stands last
    TRIMMED = "trimmed"  # the same; it must not end in blanks, so the answer may begin with them
    INSTRUCTION = "instruction"  # a user's message asks for it: the answer may repeat anything


_MARKS: dict[Way, dict[str, object]] = {
    Way.ECHOED: {"prefix": True},
    Way.PREFIX: {"prefix": True},
    Way.PARTIAL: {"partial": True},
}

# "Prefilling assistant messages returns a 400 error on Claude 4.6 models", and on all later ones:
# https://platform.claude.com/docs/en/about-claude/models/migration-guide. Names without a version may move on.
_PREFILLED_CLAUDE = re.compile(
    r"claude-(?:instant|[123](?!\d)|(?:opus|sonnet|haiku)-4(?:[-.][015])?(?=$|[@:]|-\d{8}))(?!.*:thinking)"
)
# "Requests ending with a model turn are not supported" by 3.5 Flash-Lite, 3.6 and later: pipecat-ai/pipecat#5821
_PREFILLED_GEMINI = re.compile(r"(?:models/)?gemini-(?:1\.|2\.|3-|3\.1-)")
# https://console.groq.com/docs/prefilling; models that think first begin a message of their own
_PREFILLED_GROQ = re.compile(r"llama|gemma|mixtral")


def way_of(call_body: bytes, protocol: Protocol, provider: str, model: str | None, *, beta: bool = False) -> Way:
    """How that provider is asked to go on with the answer to `call_body`.

    Args:
        model: as this provider spells it; None where only the body names it.
        beta: whether the call goes to DeepSeek's base URL `https://api.deepseek.com/beta`, the only one that takes a
            prefix: https://api-docs.deepseek.com/guides/chat_prefix_completion
    """
    return _way(document_of(call_body) or {}, protocol, provider, model, beta=beta)


def _way(document: Fields, protocol: Protocol, provider: str, model: str | None, *, beta: bool) -> Way:
    name = (model or str(document.get("model"))).lower()
    if protocol is Protocol.GEMINI:
        return Way.PREFILL if _PREFILLED_GEMINI.match(name) else Way.INSTRUCTION
    if protocol is Protocol.OLLAMA:
        return Way.INSTRUCTION if document.get("think") else Way.PREFILL  # ollama/ollama#6778
    if protocol is Protocol.RESPONSES or _thinks(document):
        return Way.INSTRUCTION  # a thought comes before the text, a prefill would come before the thought
    if _PREFILLED_CLAUDE.search(name):
        return Way.TRIMMED
    return _chat_way(document, provider, name, beta=beta) if protocol is Protocol.CHAT else Way.INSTRUCTION


def _chat_way(document: Fields, provider: str, name: str, *, beta: bool) -> Way:
    """Most hosts behind OpenRouter begin anew after an assistant's message, though it documents a prefill."""
    match provider:
        case "mistral":  # vercel/ai#3256: the answer repeats it
            return Way.ECHOED
        case "deepseek" if beta and not document.get("tools"):  # "Function call should not be used with prefix"
            return Way.PREFIX
        case "moonshot" if "thinking" not in name:  # platform.kimi.ai/docs/guide/use-partial-mode-feature-of-kimi-api
            return Way.PARTIAL
        case "groq" if _PREFILLED_GROQ.search(name):
            return Way.PREFILL
        case "ollama":
            return Way.PREFILL
        case _:
            return Way.INSTRUCTION


def _thinks(document: Fields) -> bool:
    """Whether the call asks for thoughts before the answer, in any dialect's way."""
    thinking, reasoning = fields_of(document.get("thinking")), document.get("reasoning")
    if thinking.get("type", "disabled") != "disabled" or document.get("reasoning_effort") not in (None, "none"):
        return True
    wanted = fields_of(reasoning)
    return bool(reasoning) and wanted.get("enabled") is not False and wanted.get("effort") != "none"


# -- the request


def continuation_of(
    call_body: bytes, protocol: Protocol, provider: str, model: str | None, text: str, *, beta: bool = False
) -> bytes | None:
    """The body that asks for the rest of an answer of which `text` has come; None where nobody may be asked.

    Everything else in the body stays as it is, byte for byte: also the limit of tokens, which then holds for the rest
    alone. Where `text` is blank there is nothing to go on from, and the body itself asks anew.

    Args:
        call_body: the body of the first call, with the model as the next provider spells it.
        provider: whom it goes to, by its canonical name.
        model, beta: see `way_of`.
    """
    document, place = document_of(call_body), _PLACES.get(protocol)
    if document is None or place is None or not _FITS[protocol](document):
        return None
    if not _may_be_added_to(document.get(place), protocol):
        return None
    if not text.strip():
        return call_body
    way = _way(document, protocol, provider, model, beta=beta)
    more = [spelled(turn) for turn in _SPELLERS[protocol](text, way, provider)]
    return _with_turns(call_body, place, more)


def _may_be_added_to(turns: object, protocol: Protocol) -> bool:
    """Whether the conversation can take the model's words: it must not end with words that its client began them with.

    Anthropic alone joins two beginnings.
    """
    if isinstance(turns, str):
        return protocol is Protocol.RESPONSES
    if not isinstance(turns, list) or not turns:
        return False
    begun = fields_of(turns[-1]).get("role") in ("assistant", "model")
    return not begun or protocol is Protocol.MESSAGES


def _with_turns(body: bytes, place: str, more: list[bytes]) -> bytes:
    start, end = _span(body, place) or (0, 0)
    turns = body[start:end]
    listed = turns[:-1] if turns.startswith(b"[") else b'[{"role":"user","content":%b}' % turns
    return body[:start] + b",".join([listed, *more]) + b"]" + body[end:]


def _instruction(text: str) -> str:
    """What a model without a prefill is told. The quotation shows where a word was cut."""
    return (
        f"{CUT_OFF} in transmission. It ends with: "
        f"{spelled(text[-QUOTED:]).decode()}\n"
        "Go on from exactly there. Write only what comes next, beginning with the very next character (a space or a "
        "line break where one is due). Do not repeat anything, do not start over, and do not comment on this."
    )


def _messages_turns(text: str, way: Way, _: str) -> list[dict[str, object]]:
    said = text.rstrip() if way is Way.TRIMMED else text
    turn: dict[str, object] = {"role": "assistant", "content": said, **_MARKS.get(way, {})}
    return [turn, {"role": "user", "content": _instruction(text)}] if way is Way.INSTRUCTION else [turn]


def _responses_turns(text: str, _: Way, provider: str) -> list[dict[str, object]]:
    # OpenRouter requires an id and a status of an assistant's message: openrouter.ai/docs/api/reference/responses
    known = {"id": "msg_1", "status": "completed"} if provider == "openrouter" else {}
    said = {"type": "output_text", "text": text, **({"annotations": []} if known else {})}
    asked = {"type": "input_text", "text": _instruction(text)}
    return [
        {"type": "message", "role": "assistant", **known, "content": [said]},
        {"type": "message", "role": "user", "content": [asked]},
    ]


def _gemini_turns(text: str, way: Way, _: str) -> list[dict[str, object]]:
    turns: list[dict[str, object]] = [{"role": "model", "parts": [{"text": text}]}]
    if way is Way.INSTRUCTION:
        turns.append({"role": "user", "parts": [{"text": _instruction(text)}]})
    return turns


_PLACES = {
    Protocol.CHAT: "messages",
    Protocol.MESSAGES: "messages",
    Protocol.RESPONSES: "input",
    Protocol.GEMINI: "contents",
    Protocol.OLLAMA: "messages",
}
_SPELLERS: dict[Protocol, Callable[[str, Way, str], list[dict[str, object]]]] = {
    Protocol.CHAT: _messages_turns,
    Protocol.MESSAGES: _messages_turns,
    Protocol.RESPONSES: _responses_turns,
    Protocol.GEMINI: _gemini_turns,
    Protocol.OLLAMA: _messages_turns,
}
# Other names for a form of the answer: vLLM, llama.cpp and their kin.
_FORMS = (
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "grammar",
    "json_schema",
    "structured_outputs",
)
_FREE = (None, "auto", "none")


def _fits_chat(document: Fields) -> bool:
    return (
        document.get("n") in (None, 1)
        and document.get("tool_choice") in _FREE
        and document.get("function_call") in _FREE
        and fields_of(document.get("response_format")).get("type", "text") == "text"
        and document.get("modalities") in (None, ["text"])
        and not any(document.get(name) for name in _FORMS)
    )


def _fits_messages(document: Fields) -> bool:
    return (
        fields_of(document.get("tool_choice")).get("type") in _FREE
        and not document.get("output_format")
        and not fields_of(document.get("output_config")).get("format")
    )


def _fits_responses(document: Fields) -> bool:
    """A conversation that the provider keeps would keep our question too; a background answer goes on by itself."""
    return (
        document.get("tool_choice") in _FREE
        and fields_of(fields_of(document.get("text")).get("format")).get("type", "text") == "text"
        and not document.get("conversation")
        and not document.get("background")
    )


def _fits_gemini(document: Fields) -> bool:
    """Google takes its fields in two spellings: `toolConfig` and `tool_config`."""
    fields = _one_spelling(document)
    config, tools = _one_spelling(fields.get("generationconfig")), _one_spelling(fields.get("toolconfig"))
    return (
        config.get("candidatecount") in (None, 1)
        and config.get("responsemimetype") in (None, "text/plain")
        and not any(config.get(name) for name in ("responseschema", "responsejsonschema"))
        and config.get("responsemodalities") in (None, ["TEXT"])
        and _one_spelling(tools.get("functioncallingconfig")).get("mode") != "ANY"
    )


def _fits_ollama(document: Fields) -> bool:
    return not document.get("format")


_FITS: dict[Protocol, Callable[[Fields], bool]] = {
    Protocol.CHAT: _fits_chat,
    Protocol.MESSAGES: _fits_messages,
    Protocol.RESPONSES: _fits_responses,
    Protocol.GEMINI: _fits_gemini,
    Protocol.OLLAMA: _fits_ollama,
}


def _one_spelling(value: object) -> Fields:
    return {name.replace("_", "").lower(): inner for name, inner in fields_of(value).items()}


def _first(value: object) -> Fields:
    return fields_of(value[0]) if isinstance(value, list) and value else {}


# -- the end


def closing_events(telling: Telling, protocol: Protocol) -> bytes:
    """What a stream whose model has finished still owes its client: the terminator, where the protocol has one."""
    if not telling.finished or telling.ended:
        return b""
    if protocol is Protocol.CHAT:
        return b"data: [DONE]\n\n"
    return _spoken("message_stop", {}) if protocol is Protocol.MESSAGES else b""


def _spoken(kind: str, fields: Fields) -> bytes:
    """A named event of our own."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), spelled({"type": kind, **fields}))


# -- what is repeated


class _Joint:
    """Finds where the continuation's own words begin. Texts go in and come out in pieces.

    As long as what has come might still be a repetition it is held back: a few characters as a rule, `LOOK_BACK` at
    most, and all of it while an answer that begins anew agrees with the text so far.
    """

    def __init__(self, told: str, way: Way) -> None:
        asked = way is Way.INSTRUCTION
        again = not told.strip()  # the question was asked anew
        self._told = told
        self._tail = told[-LOOK_BACK:] if asked else ""
        self._blanks = told[len(told.rstrip()) :] if asked or again or way is Way.TRIMMED else ""
        self._least = 1 if way is Way.ECHOED else LEAST_WHOLE
        self._held = ""
        self._open = False
        self.dropped = 0  # characters
        self.diverged = False  # it began anew, and went another way before it came to the text's end

    def more(self, text: str) -> str:
        """What is new of all that has come and was held back."""
        if self._open:
            return text
        self._held = mended(self._held + text)
        return self._decided(last=False)

    def rest(self) -> str:
        """The same when no more text comes."""
        return self._decided(last=True) if self._held else ""

    def _decided(self, *, last: bool) -> str:
        held = self._held
        drops, wait = self._blanks_again()
        for lead in self._leads():
            more, may_grow = self._repeated(held[lead:])
            drops += [lead + count for count in more]
            wait = wait or may_grow
        if (wait or "\ud800" <= held[-1] < "\udc00") and not last:  # half a character can be told from nothing
            return ""
        drop = max(drops, default=0)
        self._held, self._open, self.dropped = "", True, drop
        return held[drop:]

    def _leads(self) -> list[int]:
        """Where a repetition may begin: at once, or after blanks."""
        lead = len(self._held) - len(self._held.lstrip())
        return [0, lead] if 0 < lead <= LOOK_BACK else [0]

    def _repeated(self, text: str) -> tuple[list[int], bool]:
        """How much of `text` may be a repetition, and whether more of it could turn out to be one."""
        told, tail = self._told, self._tail
        drops, wait = [], told.startswith(text) and text != told
        same = len(text) if wait else _agreement(text, told)
        if same >= ANEW or self._least <= same == len(told):
            drops.append(same)
            self.diverged = same < min(len(text), len(told))
        if tail:
            drops += [n for n in range(LEAST_WORD, min(len(tail), len(text)) + 1) if self._is_end(text[:n])]
            wait = wait or tail.find(text, 0, len(tail) - 1) >= 0
        return drops, wait

    def _is_end(self, part: str) -> bool:
        """Whether the text ends with `part`, and not by accident."""
        before = len(self._tail) - len(part)
        if not self._tail.endswith(part):
            return False
        if len(part) >= LEAST_PART:
            return len(set(part)) > 2  # a row of dashes has no place of its own
        in_word = before > 0 and self._tail[before - 1].isalnum() and part[0].isalnum()
        return not in_word and sum(map(str.isalpha, part)) >= LEAST_WORD

    def _blanks_again(self) -> tuple[list[int], bool]:
        """How many of the blanks at the text's end come again."""
        held, blanks = self._held, self._blanks
        again = [n for n in range(1, len(blanks) + 1) if held.startswith(blanks[-n:])]
        return again, bool(blanks) and blanks.find(held, 0, len(blanks) - 1) >= 0


def _agreement(one: str, other: str) -> int:
    """How many characters both begin with."""
    if other.startswith(one):
        return len(one)
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))


# -- changes within JSON, every other byte kept

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_MARK = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_AFTER = re.compile(rb"[\s,\]}]|\Z")
_NESTING = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
_BLANKS, _OPENS, _CLOSES, _COMMA, _QUOTE, _BRACE = b" \t\r\n", b"{[", b"}]", b","[0], b'"'[0], b"{"[0]
_NUMBERS = (b"-", *(b"%d" % digit for digit in range(10)))

_Key = str | int
_Child = tuple[int, int, int]  # where a member begins, with its name; where its value begins; where that ends


def _skipped(data: bytes, at: int) -> int:
    while data[at] in _BLANKS:
        at += 1
    return at


def _end_of_value(data: bytes, at: int) -> int:
    """Where the value ends that begins there. The JSON is known to be well-formed."""
    if data[at] != _QUOTE and data[at] not in _OPENS:
        return next(_AFTER.finditer(data, at)).start()
    depth = 0
    return next(mark.end() for mark in _MARK.finditer(data, at) if (depth := depth + _NESTING.get(mark[0], 0)) == 0)


def _children(data: bytes, at: int) -> dict[_Key, _Child]:
    """The members of the object, or the elements of the list, that begins there; none of any other value."""
    key: _Key
    found: dict[_Key, _Child] = {}
    if data[at] not in _OPENS:
        return found
    named = data[at] == _BRACE
    at = _skipped(data, at + 1)
    while data[at] not in _CLOSES:
        start, key = at, len(found)
        if named:
            end = _end_of_value(data, at)
            key = json.loads(data[at:end]) if b"\\" in data[at:end] else data[at + 1 : end - 1].decode()
            at = _skipped(data, _skipped(data, end) + 1)
        end = _end_of_value(data, at)
        found[key] = (start, at, end)
        at = _skipped(data, end)
        if data[at] == _COMMA:
            at = _skipped(data, at + 1)
    return found


def _span(data: bytes, *path: _Key) -> tuple[int, int] | None:
    """Where the value at `path` stands; None where there is none."""
    at, end = _skipped(data, 0), len(data)
    for step in path:
        child = _children(data, at).get(step)
        if child is None:
            return None
        _, at, end = child
    return at, end


def _raw(data: bytes, *path: _Key) -> bytes:
    """The value at `path` as it is spelled; empty where there is none."""
    span = _span(data, *path)
    return b"" if span is None else data[span[0] : span[1]]


def _put(data: bytes, value: bytes, *path: _Key) -> bytes:
    """`data` with that value at `path`, where there is a value already."""
    span = _span(data, *path)
    return data if span is None else data[: span[0]] + value + data[span[1] :]


def _named(data: bytes, names: Mapping[str, object], *path: _Key) -> bytes:
    """`data` with those values in the object at `path`, each where there is one already, unless it is empty."""
    span = _span(data, *path)
    if span is None:
        return data
    members = _children(data, span[0])
    wanted = [(members[name], value) for name, value in names.items() if name in members and value not in ("", None)]
    for (_, start, end), value in sorted(wanted, key=lambda one: one[0], reverse=True):  # the last first: none moves
        data = data[:start] + spelled(value) + data[end:]
    return data


def _with_member(data: bytes, name: str, value: bytes) -> bytes:
    """The object `data` with one more member."""
    comma = b"," if data[1:-1].strip() else b""
    return b"%b%b%b:%b}" % (data[:-1], comma, spelled(name), value)


def _without(data: bytes, names: frozenset[str], *path: _Key) -> bytes:
    """`data` without those members of the object at `path`."""
    span = _span(data, *path)
    if span is None:
        return data
    members = _children(data, span[0])
    if names.isdisjoint(members):
        return data
    kept = [data[start:end] for name, (start, _, end) in members.items() if name not in names]
    return data[: span[0]] + b"{%b}" % b",".join(kept) + data[span[1] :]


def _summed(one: bytes, other: bytes) -> bytes:
    """Two objects of counts added up: `other`, each of its numbers with that of `one`, and what only `one` counts."""
    total = other
    for name, (_, start, end) in _children(one, 0).items():
        mine, theirs = one[start:end], _raw(other, name)
        if theirs:
            total = _put(total, _added(mine, theirs), name)
        elif _is_number(mine) or mine.startswith(b"{"):
            total = _with_member(total, str(name), mine)
    return total


def _added(mine: bytes, theirs: bytes) -> bytes:
    if _is_number(mine) and _is_number(theirs):
        return str(Decimal(mine.decode()) + Decimal(theirs.decode())).encode()  # as exact as they are spelled
    if mine.startswith(b"{") and theirs.startswith(b"{"):
        return _summed(mine, theirs)
    return mine if theirs == b"null" else theirs


def _is_number(raw: bytes) -> bool:
    return raw.startswith(_NUMBERS)


def _redrawn(event: Event, data: bytes) -> bytes:
    """The event with that data; its other lines stay as they are."""
    return event.raw if data == event.data else b"".join(_redrawn_lines(event, data))


def _redrawn_lines(event: Event, data: bytes) -> Iterator[bytes]:
    if event.raw.strip() == event.data:  # a line of NDJSON is nothing but data
        yield data + b"\n"
        return
    put = False
    for line in event.raw.splitlines(keepends=True):
        if not line.startswith(b"data:"):
            yield line
        elif not put:
            put = True
            start = b"data: " if line.startswith(b"data: ") else b"data:"
            end = line[len(line.rstrip(b"\r\n")) :] or b"\n"
            for part in data.split(b"\n"):
                yield start + part + end


# -- the second stream


class Seam:
    """The stream of another attempt made the continuation of the first one.

    Bytes go in as they come and come out as whole events for the client: never a half one, and none that the first
    stream has had already. An error of the provider's is kept back, so that its caller may try once more: `failed`
    holds it, and nothing comes out any more.

    Args:
        telling: what the client has been told, and may be gone on with.
        way: how the other attempt was asked, by `way_of`.
        usage: what the attempts before have counted, a JSON object in the protocol's own shape; where there is none,
            what their stream has shown. An attempt that broke off before it showed its counts adds nothing.

    A thought of the other attempt is not passed on, since the text has begun already: a comment stands for it, so that
    nobody takes the stream for dead.
    """

    def __init__(self, telling: Telling, protocol: Protocol, way: Way, usage: bytes = b"") -> None:
        self._splitter = Splitter(protocol)
        self._end = b"\n" if protocol is Protocol.OLLAMA else b"\n\n"  # of an event
        self._joint = _Joint(telling.text, way)
        self._weaver = _WEAVERS[protocol](telling, self._joint, usage or telling.usage)
        self.failed = b""

    def feed(self, data: bytes) -> bytes:
        """What the client gets of the bytes that have come now."""
        return b"".join(map(self._event, self._splitter.events(data)))

    def close(self) -> bytes:
        """What it gets of a last event that came without the blank line after it; the stream has ended."""
        rest = b"".join(map(self._event, self._splitter.close()))
        return rest.rstrip(b"\r\n") + self._end if rest else b""

    def _event(self, event: Event) -> bytes:
        weaver, data = self._weaver, event.data or b""
        if self.failed or weaver.over:
            return b""
        if not data.strip():
            return event.raw  # a comment
        if data.strip() == b"[DONE]":
            return weaver.done(event, data)
        if sign_of(event) is Sign.ERROR:
            self.failed = data
            return b""
        document = document_of(data)
        if document is None:
            return b""  # no client could read it either
        return weaver.event(event, data, document.get("type") or event.name, document)

    @property
    def ended(self) -> bool:
        """Whether the answer is whole: the terminator has been passed on, or what stands for one."""
        return self._weaver.ended

    @property
    def chars(self) -> int:
        """How many new characters have been passed on."""
        return self._weaver.chars

    @property
    def overlap_dropped(self) -> int:
        """How many characters were repetitions."""
        return self._joint.dropped

    @property
    def diverged(self) -> bool:
        """Whether the model began anew and then said something else: what follows may not fit what came before."""
        return self._joint.diverged

    @property
    def usage(self) -> bytes:
        """What all attempts have counted so far, for the seam of a further one."""
        return self._weaver.usage


class _Weaver(ABC):
    """What the protocols' ways have in common."""

    last = True  # nothing comes after the end

    def __init__(self, telling: Telling, joint: _Joint, usage: bytes) -> None:
        self.telling = telling
        self.joint = joint
        self.before = self.usage = usage
        self.ended = False
        self.chars = 0

    @property
    def over(self) -> bool:
        """Whether nothing more is passed on."""
        return self.ended and self.last

    @abstractmethod
    def event(self, event: Event, data: bytes, kind: str, document: Fields) -> bytes:
        """What the client gets of an event of the second stream."""

    def done(self, event: Event, data: bytes) -> bytes:
        """The same of `[DONE]`, which only one protocol ends with."""
        return b""

    def new(self, text: object) -> str:
        """What is new of a piece of text and of what was held back before it."""
        new = self.joint.more(text) if isinstance(text, str) and text else ""
        self.chars += len(new)
        return new

    def rest(self) -> str:
        """What is new of what was held back: no more text comes."""
        rest = self.joint.rest()
        self.chars += len(rest)
        return rest

    def counted(self, data: bytes, *path: _Key) -> bytes:
        """`data` with the counts at `path` added to those of the attempts before."""
        counts = _raw(data, *path)
        if not counts.startswith(b"{"):
            return data
        self.usage = _summed(self.before, counts) if self.before else counts
        return _put(data, self.usage, *path)


class _Chat(_Weaver):
    """Chunks are alike from first to last, so none but those that say nothing is left out."""

    def event(self, event: Event, data: bytes, kind: str, document: Fields) -> bytes:
        telling, choice = self.telling, _first(document.get("choices"))
        delta = fields_of(choice.get("delta"))
        text = delta.get("content")
        acts = any(value for name, value in delta.items() if name not in _CHAT_SAYS)
        closes = acts or not choice or bool(choice.get("finish_reason"))
        new = self.new(text) + (self.rest() if closes else "")
        if not (new or acts or choice.get("finish_reason") or document.get("usage")):
            return _ALIVE if any(delta.get(name) for name in CHAT_THOUGHTS) else b""
        before = b""
        if isinstance(text, str):
            data = data if new == text else _put(data, spelled(new), *_DELTA, "content")
        elif new:
            before = self._said(new)
        for path, holder in ((("usage",), document), (_GROQ_USAGE, document.get("x_groq")), (_MOONSHOT_USAGE, choice)):
            if fields_of(holder).get("usage"):
                data = self.counted(data, *path)
        if not _CHAT_ONCE.isdisjoint(delta):
            data = _without(data, _CHAT_ONCE, *_DELTA)
        names = {"id": telling.id, "model": telling.model, "created": telling.created}
        return before + _redrawn(event, _named(data, names))

    def done(self, event: Event, data: bytes) -> bytes:
        rest = self.rest()
        self.ended = True
        return (self._said(rest) if rest else b"") + _redrawn(event, data)

    def _said(self, text: str) -> bytes:
        telling = self.telling
        names = {"id": telling.id, "object": "chat.completion.chunk", "created": telling.created or 0}
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        return b"data: %b\n\n" % spelled({**names, "model": telling.model, "choices": [choice]})


_DELTA: tuple[_Key, ...] = ("choices", 0, "delta")
_CHAT_ONCE = frozenset({"role", *CHAT_THOUGHTS})  # OpenRouter names the role in every delta, others in the first
_CHAT_SAYS = _CHAT_ONCE | {"content"}
_GROQ_USAGE: tuple[_Key, ...] = ("x_groq", "usage")
_MOONSHOT_USAGE: tuple[_Key, ...] = ("choices", 0, "usage")


class _Messages(_Weaver):
    """Blocks are numbered. The first text goes on in the block that is open, every other block gets the next number."""

    def __init__(self, telling: Telling, joint: _Joint, usage: bytes) -> None:
        super().__init__(telling, joint, usage)
        self._open = telling.closed == 0  # whether the client has a text block open, at that place
        self._place = telling.index
        self._next = telling.next_index
        self._text: int | None = None  # the second stream's number of the block that goes on
        self._start: tuple[Event, bytes] | None = None  # its opening
        self._places: dict[int, int] = {}
        self._input = b""  # the counts of the second stream's opening

    def event(self, event: Event, data: bytes, kind: str, document: Fields) -> bytes:
        index = document.get("index")
        match kind:
            case "message_start":
                self._input = _raw(data, "message", "usage")
                self.counted(data, "message", "usage")
                return b""
            case "message_delta":
                return self._settled() + _redrawn(event, self._billed(data))
            case "message_stop":
                self.ended = True
                return self._settled() + _redrawn(event, data)
        if not isinstance(index, int):
            return _redrawn(event, data)  # a ping
        if kind == "content_block_start":
            return self._begun(event, data, index, fields_of(document.get("content_block")))
        if index == self._text:
            return self._more(event, data, kind, fields_of(document.get("delta")))
        return _at(event, data, self._places[index]) if index in self._places else _ALIVE

    def _begun(self, event: Event, data: bytes, index: int, block: Fields) -> bytes:
        if block.get("type") in ("thinking", "redacted_thinking"):
            return _ALIVE
        if block.get("type") == "text" and self._text is None:
            self._text, self._start = index, (event, _put(data, b'""', "content_block", "text"))
            return self._say(self.new(block.get("text")))
        settled = self._settled()
        self._places[index] = self._taken()
        return settled + _at(event, data, self._places[index])

    def _taken(self) -> int:
        self._next += 1
        return self._next - 1

    def _more(self, event: Event, data: bytes, kind: str, delta: Fields) -> bytes:
        """An event of the block that goes on."""
        if kind == "content_block_stop":
            return self._settled()
        if delta.get("type") != "text_delta":
            return self._opened() + _at(event, data, self._place)
        new = self.new(delta.get("text"))
        if not new:
            return b""
        opened = self._opened()
        return opened + _at(event, _put(data, spelled(new), "delta", "text"), self._place)

    def _opened(self) -> bytes:
        """The opening of the block that goes on, where the client has none open."""
        if self._open or self._start is None:
            return b""
        self._open, self._place = True, self._taken()
        return _at(*self._start, self._place)

    def _say(self, text: str) -> bytes:
        if not text:
            return b""
        opened = self._opened()
        delta = {"type": "text_delta", "text": text}
        return opened + _spoken("content_block_delta", {"index": self._place, "delta": delta})

    def _settled(self) -> bytes:
        """The end of the block that goes on."""
        said = self._say(self.rest())
        if not self._open:
            return said
        self._open = False
        return said + _spoken("content_block_stop", {"index": self._place})

    def _billed(self, data: bytes) -> bytes:
        """The final counts. What goes in is counted in the opening, which the client has only of the first stream."""
        counts = _raw(data, "usage")
        if not counts.startswith(b"{"):
            return data
        for name, (_, start, end) in _children(self._input or b"{}", 0).items():
            if self.before and _is_number(self._input[start:end]) and not _raw(counts, name):
                counts = _with_member(counts, str(name), self._input[start:end])
        return self.counted(_put(data, counts, "usage"), "usage")


def _at(event: Event, data: bytes, place: int) -> bytes:
    return _redrawn(event, _put(data, b"%d" % place, "index"))


class _Responses(_Weaver):
    """Events and items are numbered, and the last event holds every item that is done.

    The first message goes on in the item that is open, or becomes the next one; every other item gets the next number.
    """

    def __init__(self, telling: Telling, joint: _Joint, usage: bytes) -> None:
        super().__init__(telling, joint, usage)
        self._number = telling.sequence
        self._items = list(telling.items)
        self._closed = telling.closed  # of the item that goes on: how many of its closing events have been sent
        self._place = telling.index
        self._id = telling.item_id
        self._said = telling.item_text
        self._next = telling.next_index
        self._text: int | None = None  # the second stream's number of the message that goes on
        self._new_id = ""  # of that message, which counts where it becomes an item of its own
        self._openings: list[tuple[Event, bytes]] = []  # of the same
        self._places: dict[int, int] = {}

    def event(self, event: Event, data: bytes, kind: str, document: Fields) -> bytes:
        index = document.get("output_index")
        match kind:
            case "response.created" | "response.queued" | "response.in_progress":
                return b""
            case "response.completed" | "response.incomplete":
                return self._settled() + self._final(event, data)
        if not isinstance(index, int):
            return self._numbered(event, data)
        if kind == "response.output_item.added":
            return self._begun(event, data, index, fields_of(document.get("item")))
        if kind == "response.output_text.delta" and self._text is None:
            self._text, self._new_id = index, str(document.get("item_id", ""))  # a server that sends no openings
        if index == self._text:
            return self._more(event, data, kind, document)
        if index not in self._places:
            return _ALIVE  # of a thought
        if kind == "response.output_item.done":
            self._items.append(_raw(data, "item"))
        return self._numbered(event, data, output_index=self._places[index])

    def _begun(self, event: Event, data: bytes, index: int, item: Fields) -> bytes:
        if item.get("type") == "reasoning":
            return _ALIVE
        if item.get("type") == "message" and self._text is None:
            self._text, self._new_id, self._openings = index, str(item.get("id", "")), [(event, data)]
            return b""
        settled = self._settled()
        self._places[index] = self._taken()
        return settled + self._numbered(event, data, output_index=self._places[index])

    def _taken(self) -> int:
        self._next += 1
        return self._next - 1

    def _more(self, event: Event, data: bytes, kind: str, document: Fields) -> bytes:
        """An event of the message that goes on."""
        match kind:
            case "response.content_part.added":
                self._openings.append((event, data))
                return b""
            case "response.output_text.delta":
                return self._text_delta(event, data, document)
            case "response.output_text.done":
                return self._say(self.rest()) + self._closing(event, data, 1, "text")
            case "response.content_part.done":
                return self._closing(event, data, 2, "part", "text")
            case "response.output_item.done":
                return self._say(self.rest()) + self._item_done(event, data)
        return self._mine(event, data) if self._closed < _DONE else b""

    def _text_delta(self, event: Event, data: bytes, document: Fields) -> bytes:
        new = self.new(document.get("delta"))
        if not new:
            return b""
        opened = self._opened()
        self._said += new
        return opened + self._mine(event, _put(data, spelled(new), "delta"))

    def _opened(self) -> bytes:
        """The openings of the message that goes on, where the client has none that takes more text."""
        if self._closed <= 0:
            return b""
        closed = self._closings()
        self._place, self._id, self._closed, self._said = self._taken(), self._new_id, 0, ""
        return closed + b"".join(self._mine(event, data) for event, data in self._openings)

    def _closing(self, event: Event, data: bytes, count: int, *path: _Key) -> bytes:
        """One of the message's closing events, which repeats all of its text."""
        if self._closed >= count:
            return b""
        self._closed = count
        return self._mine(event, _put(data, spelled(self._whole_text), *path))

    def _item_done(self, event: Event, data: bytes) -> bytes:
        """The last of them, which holds the item. Where the second stream's has no text, ours takes its place."""
        text: tuple[_Key, ...] = ("item", "content", 0, "text")
        if self._closed != _DONE - 1 or _span(data, *text) is None:
            return self._closings()
        self._closed = _DONE
        data = _put(_put(data, spelled(self._id), "item", "id"), spelled(self._whole_text), *text)
        self._items.append(_raw(data, "item"))
        return self._mine(event, data)

    @property
    def _whole_text(self) -> str:
        return mended(self._said)

    def _mine(self, event: Event, data: bytes) -> bytes:
        """An event of the message that goes on, as the client knows it."""
        return self._numbered(event, data, item_id=self._id, output_index=self._place)

    def _numbered(self, event: Event, data: bytes, **names: object) -> bytes:
        if self._number is not None:
            self._number += 1
            names["sequence_number"] = self._number
        return _redrawn(event, _named(data, names))

    def _spoken(self, kind: str, fields: Fields) -> bytes:
        """An event of our own about the message that goes on."""
        number = {}
        if self._number is not None:
            self._number += 1
            number = {"sequence_number": self._number}
        return _spoken(kind, {**number, "output_index": self._place, **fields})

    def _say(self, text: str) -> bytes:
        """Text that was held back until its message ended."""
        if not text:
            return b""
        opened = self._opened()
        self._said += text
        part = {"item_id": self._id, "content_index": 0}
        return opened + self._spoken("response.output_text.delta", {**part, "delta": text, "logprobs": []})

    def _settled(self) -> bytes:
        """The end of the message that goes on."""
        return self._say(self.rest()) + self._closings()

    def _closings(self) -> bytes:
        """The closing events that it has not had."""
        place = {"item_id": self._id, "content_index": 0}
        text, closed = self._whole_text, self._closed
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
        item = {"id": self._id, "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        self._closed = _DONE
        said = b""
        if closed < 1:
            said += self._spoken("response.output_text.done", {**place, "text": text, "logprobs": []})
        if closed < 2:
            said += self._spoken("response.content_part.done", {**place, "part": part})
        if closed < _DONE:
            said += self._spoken("response.output_item.done", {"item": item})
            self._items.append(spelled(item))
        return said

    def _final(self, event: Event, data: bytes) -> bytes:
        self.ended = True
        telling = self.telling
        data = self.counted(data, "response", "usage")
        data = _put(data, b"[%b]" % b",".join(self._items), "response", "output")
        names = {"id": telling.id, "model": telling.model, "created_at": telling.created}
        return self._numbered(event, _named(data, names, "response"))


_DONE = 3  # closing events of a message


class _Gemini(_Weaver):
    """Every chunk is whole in itself, and counts all that came before it."""

    last = False  # older models give a reason to finish in every chunk

    def event(self, event: Event, data: bytes, kind: str, document: Fields) -> bytes:
        telling, candidate = self.telling, _first(document.get("candidates"))
        span = _span(data, *_PARTS)
        raws = [data[start:end] for _, start, end in _children(data, span[0]).values()] if span else []
        parts, thought = self._parts(raws, fields_of(candidate.get("content")).get("parts"))
        finish = bool(candidate.get("finishReason"))
        if finish and (rest := self.rest()):
            parts.append(spelled({"text": rest}))
        if candidate and not parts and not finish:
            return _ALIVE if thought else b""
        before, listed = b"", b"[%b]" % b",".join(parts)
        if span:
            data = data if parts == raws else data[: span[0]] + listed + data[span[1] :]
        elif parts:
            said = {"candidates": [{"content": {"parts": Raw(listed), "role": "model"}, "index": 0}]}
            before = b"data: %b\n\n" % spelled({**said, "modelVersion": telling.model, "responseId": telling.id})
        self.ended = self.ended or finish
        data = self.counted(data, "usageMetadata")
        names = {"responseId": telling.id, "modelVersion": telling.model}
        return before + _redrawn(event, _named(data, names))

    def _parts(self, raws: list[bytes], parts: object) -> tuple[list[bytes], bool]:
        """The parts that the client gets, as they are spelled, and whether there was a thought among them."""
        kept, thought = [], False
        for raw, part in zip(raws, parts if isinstance(parts, list) else [], strict=False):
            fields = fields_of(part)
            text = fields.get("text")
            if fields.get("thought"):
                thought = True
            elif not isinstance(text, str):
                kept += [spelled({"text": rest})] if (rest := self.rest()) else []
                kept.append(raw)
            elif (new := self.new(text)) or len(fields) > 1:
                kept.append(raw if new == text else _put(raw, spelled(new), "text"))
        return kept, thought


_PARTS: tuple[_Key, ...] = ("candidates", 0, "content", "parts")


class _Ollama(_Weaver):
    """A line is an event, and the last one counts."""

    def event(self, event: Event, data: bytes, kind: str, document: Fields) -> bytes:
        message, done = fields_of(document.get("message")), bool(document.get("done"))
        text, acts = message.get("content"), bool(message.get("tool_calls"))
        new = self.new(text) + (self.rest() if done or acts else "")
        if not (new or done or acts):
            return b""
        before = b""
        if isinstance(text, str):
            data = data if new == text else _put(data, spelled(new), "message", "content")
        elif new:
            before = self._said(new, document.get("created_at"))
        if done:
            self.ended = True
            data = _summed(self.before or b"{}", data)
            counts = {name: Raw(raw) for name in _OLLAMA_COUNTS if (raw := _raw(data, name))}
            self.usage = spelled(counts)
        data = _without(data, frozenset({"thinking"}), "message")
        return before + _redrawn(event, _named(data, {"model": self.telling.model}))

    def _said(self, text: str, created_at: object) -> bytes:
        message = {"role": "assistant", "content": text}
        line = {"model": self.telling.model, "created_at": created_at, "message": message, "done": False}
        return spelled(line) + b"\n"


_OLLAMA_COUNTS = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)
_WEAVERS: dict[Protocol, type[_Weaver]] = {
    Protocol.CHAT: _Chat,
    Protocol.MESSAGES: _Messages,
    Protocol.RESPONSES: _Responses,
    Protocol.GEMINI: _Gemini,
    Protocol.OLLAMA: _Ollama,
}
