"""How many tokens an answer used, as its provider counted them: read from its first and last kilobytes.

Chunks pass unread. What was used stands at an answer's end, and Anthropic's input at its beginning too.
The end may have been cut anywhere, so a number is taken only from where a provider writes: from a name
such as `"usage"` on, the rest of a document is valid JSON behind one opening alone, the brackets that are
open where the name stands. Behind `{` it is therefore the answer's own member: never one in the arguments
of a tool, and in a text the quotes are escaped. Shapes: the pages that the cases of the tests name.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tray_app.core.values import Protocol

HEAD = 8_192  # bytes of a body's beginning that are enough
TAIL = 16_384  # and of its end
MOST_TOKENS = 10**12  # what counts more is no count
MOST_USD = 1e6
MOST_RAW = 4096
TRIES = 8  # names that are looked at before it is taken that there is no usage

Fields = Mapping[str, object]
_Counts = tuple[int | None, int | None, int | None, int | None, int | None]  # as in Usage

_NOTHING = Raw(b"")
_NO_FIELDS: Fields = {}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Usage(Struct, frozen=True):
    """What an answer used. None is unknown, never nothing.

    One rule for all providers: `input_tokens` is all that was read, `output_tokens` all that was written, and the
    others are parts of them: cache reads and writes of the input, reasoning of the output. So what Anthropic and
    Gemini and xAI count apart is added, and what others count within is not.
    """

    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None  # the provider's own figure
    raw: str | None  # the JSON object that told it, merged where it came in two; None for one beyond `MOST_RAW`


def usage_of(
    provider: str, protocol: Protocol, head: bytes, tail: bytes, *, streamed: bool, whole: bool
) -> Usage | None:
    """What the answer says it used; None where it does not say. Never raises.

    Args:
        provider: its name here; a few count in their own way.
        protocol: of the answer.
        head: the first `HEAD` bytes of the body, or fewer.
        tail: the last `TAIL` bytes or fewer; both may overlap, and be cut in the middle of anything.
        streamed: it came as events or as lines.
        whole: it came to its end. Of a document that did not nothing is known; of a stream what it had told.
    """
    lines = streamed and not _is_document(protocol, head)
    if not whole:
        if not lines:
            return None
        tail = tail[: tail.rfind(b"\n") + 1]  # of half a line nobody knows what it is in
    places = _PLACES[lines][protocol]
    for dialect in _DIALECTS[protocol]:
        stated = _in_tail(dialect, tail, places, lines)
        if stated is None and not lines:
            stated = _in_head(dialect, head)
        if lines and protocol is Protocol.MESSAGES:
            stated = _merged(_opening(head), stated)
        if stated is not None:
            return _usage(provider, dialect, stated)
    return None


def _is_document(protocol: Protocol, head: bytes) -> bool:
    """Whether it is one JSON document although it was streamed, as Gemini's lists are. Ollama's lines begin alike."""
    return protocol is not Protocol.OLLAMA and head.lstrip()[:1] in (b"{", b"[")


# -- where it stands


class _Told(Struct):
    """The members in which any dialect tells what was used."""

    usage: Raw = _NOTHING
    usage_metadata: Raw = msgspec.field(name="usageMetadata", default=_NOTHING)
    prompt_eval_count: Raw = _NOTHING
    eval_count: Raw = _NOTHING


class _Inside(Struct):
    inside: _Told


class _Listed(Struct):
    inside: list[_Told]


class _Place(Struct, frozen=True):
    """Where in a document the members stand: behind which opening, and how they are got out again."""

    opening: bytes
    decoder: msgspec.json.Decoder[Any]
    told: Callable[[Any], _Told]

    def read(self, rest: bytes) -> _Told | None:
        """The members, if `rest` is what follows this opening up to the document's end."""
        try:
            return self.told(self.decoder.decode(self.opening + rest))
        except _UNREADABLE:
            return None


def _itself(told: _Told) -> _Told:
    return told


_TOP = _Place(b"{", msgspec.json.Decoder(_Told), _itself)
_WRAPPED = _Place(b'{"inside":{', msgspec.json.Decoder(_Inside), operator.attrgetter("inside"))
_CHOICE = _Place(b'{"inside":[{', msgspec.json.Decoder(_Listed), lambda listed: listed.inside[0])
_ITEM = _Place(b"[{", msgspec.json.Decoder(list[_Told]), operator.itemgetter(0))

_ALONE = dict.fromkeys(Protocol, (_TOP,))
_PLACES: tuple[Mapping[Protocol, tuple[_Place, ...]], Mapping[Protocol, tuple[_Place, ...]]] = (
    {**_ALONE, Protocol.GEMINI: (_TOP, _ITEM, _WRAPPED)},  # a list without alt=sse; `response` of Code Assist
    {  # in lines
        **_ALONE,
        Protocol.CHAT: (_TOP, _WRAPPED, _CHOICE),  # Groq's `x_groq`; Moonshot's last choice
        Protocol.RESPONSES: (_WRAPPED, _TOP),  # `response` in its last event
        Protocol.GEMINI: (_TOP, _WRAPPED),
    },
)


class _Stated(Struct, frozen=True):
    """The object that tells what was used, as it is spelled and as it is read."""

    spelled: bytes
    fields: Fields


class _Dialect(Struct, frozen=True):
    """How a protocol tells what was used: the names that begin it, what follows them, and how it is counted."""

    names: tuple[bytes, ...]
    value: re.Pattern[bytes]
    spelled: Callable[[_Told], bytes]
    counts: Callable[[str, Fields], _Counts]


def _in_tail(dialect: _Dialect, tail: bytes, places: tuple[_Place, ...], lines: bool) -> _Stated | None:
    """The last that is told: what is counted anew in each event grows."""
    for name in dialect.names:
        at, tries = len(tail), TRIES
        while tries and (at := tail.rfind(name, 0, at)) >= 0:
            if dialect.value.match(tail, at + len(name)) is None:
                continue  # null in every event but the last, as a rule
            tries -= 1
            stop = tail.find(b"\n", at) if lines else -1
            rest = tail[at:] if stop < 0 else tail[at:stop]
            for place in places:
                told = place.read(rest.partition(b"\r")[0] if lines else rest)
                if told is not None and (stated := _stated(dialect.spelled(told))) is not None:
                    return stated
    return None


def _in_head(dialect: _Dialect, head: bytes) -> _Stated | None:
    """What a document tells before a long answer, as Mistral's do: so far it is valid JSON with one `}` more."""
    document, name = head.lstrip(), dialect.names[0]
    at = document.find(name)
    if not document.startswith(b"{") or at < 0 or dialect.value.match(document, at + len(name)) is None:
        return None
    for _ in range(TRIES):
        at = document.find(b"}", at) + 1
        if not at:
            return None
        if (told := _TOP.read(document[1:at] + b"}")) is not None:
            return _stated(dialect.spelled(told))
    return None


class _Message(Struct):
    usage: Raw = _NOTHING


class _Event(Struct):
    type: str
    message: _Message


_event = msgspec.json.Decoder(_Event)


def _opening(head: bytes) -> _Stated | None:
    """What Anthropic's first event tells: the input, and of the output a number that stands for none yet."""
    at = head.find(b'"message_start"')
    if at < 0:
        return None
    start = max(head.rfind(b"\n", 0, at), head.rfind(b"\r", 0, at)) + 1
    line = head[start:].partition(b"\n")[0].partition(b"\r")[0]
    try:
        event = _event.decode(line.removeprefix(b"data:"))
    except _UNREADABLE:
        return None
    return _stated(bytes(event.message.usage)) if event.type == "message_start" else None


def _merged(first: _Stated | None, last: _Stated | None) -> _Stated | None:
    """Both parts of what Anthropic tells. The last counts; what it leaves out, or gives as 0, the first had."""
    if first is None:
        return last
    early = {name: value for name, value in first.fields.items() if name != "output_tokens"}
    if last is None:
        return _Stated(first.spelled, early)
    later = {name: value for name, value in last.fields.items() if value or name not in early}
    spelled = _members.decode(first.spelled) | {
        name: value for name, value in _members.decode(last.spelled).items() if name in later
    }
    return _Stated(_encode(spelled), early | later)


# -- what it says

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])
_anything = msgspec.json.Decoder()


def _stated(spelled: bytes) -> _Stated | None:
    """The object, if there is any count in it."""
    fields = _fields(spelled)
    for value in fields.values():
        if _count(value) is not None:
            return _Stated(spelled, fields)
    return None


def _fields(spelled: bytes) -> Fields:
    try:
        fields = _anything.decode(spelled)
    except _UNREADABLE:
        return _readable(spelled)
    return fields if isinstance(fields, dict) else _NO_FIELDS


def _readable(spelled: bytes) -> Fields:
    """The members that can be read, of an object that cannot be as a whole: a number may be beyond all bounds."""
    try:
        members = _members.decode(spelled)
    except _UNREADABLE:
        return _NO_FIELDS
    fields = {}
    for name, value in members.items():
        try:
            fields[name] = _anything.decode(value)
        except _UNREADABLE:
            continue
    return fields


def _usage(provider: str, dialect: _Dialect, stated: _Stated) -> Usage | None:
    counts, cost = dialect.counts(provider, stated.fields), _cost(provider, stated.fields)
    if cost is None and counts == _NO_COUNTS:
        return None
    raw = stated.spelled.decode("utf-8", "replace")
    return Usage(*counts, cost, raw if len(raw) <= MOST_RAW else None)


_NO_COUNTS: _Counts = (None, None, None, None, None)


def _openai(provider: str, fields: Fields) -> _Counts:
    """OpenAI's two protocols and those that speak like them; also embeddings, which only total what they read."""
    told = fields.get
    asked, output = _count(told("prompt_tokens")), _count(told("completion_tokens"))
    if asked is None:
        asked = _count(told("input_tokens"))
    if asked is None:  # DeepSeek's two parts
        asked = _sum(_count(told("prompt_cache_hit_tokens")), _count(told("prompt_cache_miss_tokens")))
    if output is None:
        output = _count(told("output_tokens"))
    read = _object(fields, "prompt_tokens_details") or _object(fields, "input_tokens_details")
    wrote = _object(fields, "completion_tokens_details") or _object(fields, "output_tokens_details")
    cached = _first(read.get("cached_tokens"), told("prompt_cache_hit_tokens"), told("cached_tokens"))
    reasoning = _first(wrote.get("reasoning_tokens"), told("reasoning_tokens"))
    over = _difference(_count(told("total_tokens")), asked)
    if output is None:
        output = over
    elif reasoning and _is_apart(output, reasoning, over, by_rule=provider == "xai" and "completion_tokens" in fields):
        output += reasoning
    elif provider == "google" and over is not None and over > output:  # its thoughts are only in the total
        output, reasoning = over, reasoning or over - output
    return asked, output, cached, _count(read.get("cache_write_tokens")), reasoning


def _is_apart(output: int, reasoning: int, over: int | None, *, by_rule: bool) -> bool:
    """Whether reasoning is not counted in `output`, as in xAI's chats. `over` is the total less the input: it tells.

    Without a total the provider's rule does, and that a part cannot be more than the whole.
    """
    if reasoning > output:
        return True
    return by_rule if over is None else over >= output + reasoning


def _anthropic(provider: str, fields: Fields) -> _Counts:
    """The input leaves out what was written to the cache and read from it."""
    fresh = _count(fields.get("input_tokens"))
    read, written = _count(fields.get("cache_read_input_tokens")), _count(fields.get("cache_creation_input_tokens"))
    thought = _count(_object(fields, "output_tokens_details").get("thinking_tokens"))
    asked = None if fresh is None else fresh + (read or 0) + (written or 0)
    return asked, _count(fields.get("output_tokens")), read, written, thought


def _google(provider: str, fields: Fields) -> _Counts:
    """A count of 0 is left out. What tools gave the model to read is input, and thoughts are output."""
    asked, tools = _count(fields.get("promptTokenCount")), _count(fields.get("toolUsePromptTokenCount"))
    asked = None if asked is None else asked + (tools or 0)
    thought = _count(fields.get("thoughtsTokenCount"))
    output = _sum(_count(fields.get("candidatesTokenCount")), thought)
    if output is None:
        output = _difference(_count(fields.get("totalTokenCount")), asked)
    return asked, output, _count(fields.get("cachedContentTokenCount")), None, thought


def _ollama(provider: str, fields: Fields) -> _Counts:
    return _count(fields.get("prompt_eval_count")), _count(fields.get("eval_count")), None, None, None


def _cost(provider: str, fields: Fields) -> float | None:
    """The provider's own figure in US dollars. With a key of one's own at another provider, OpenRouter's fee and
    that one's bill; xAI counts in 1e-10 of a dollar. What somebody else calls `cost` may be of any currency.
    """
    ticks = _dollars(fields.get("cost_in_usd_ticks"), 1e10)
    if ticks is not None or (provider != "openrouter" and "is_byok" not in fields):
        return ticks
    cost = _dollars(fields.get("cost"))
    if cost is None or fields.get("is_byok") is not True:
        return cost
    upstream = _dollars(_object(fields, "cost_details").get("upstream_inference_cost"))
    return None if upstream is None else cost + upstream


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def _first(*values: object) -> int | None:
    """The first that is a count."""
    for value in values:
        if value is not None and (count := _count(value)) is not None:
            return count
    return None


def _sum(one: int | None, other: int | None) -> int | None:
    """Both, or the one that is known."""
    return (one or 0) + (other or 0) if one is not None or other is not None else None


def _difference(whole: int | None, part: int | None) -> int | None:
    return whole - part if whole is not None and part is not None and whole >= part else None


def _dollars(value: object, unit: float = 1.0) -> float | None:
    if (type(value) is float or type(value) is int) and 0 <= value <= MOST_USD * unit:
        return value / unit
    return None


def _object(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    return value if isinstance(value, dict) else _NO_FIELDS


def _of_ollama(told: _Told) -> bytes:
    """Its counts stand among other members: an object of them alone."""
    counts = {"prompt_eval_count": told.prompt_eval_count, "eval_count": told.eval_count}
    return _encode({name: count for name, count in counts.items() if count is not _NOTHING})


def _of_usage(told: _Told) -> bytes:
    return bytes(told.usage)


_AN_OBJECT, _A_COUNT = re.compile(rb"\s*:\s*\{"), re.compile(rb"\s*:\s*\d")
_OPENAI = _Dialect((b'"usage"',), _AN_OBJECT, _of_usage, _openai)
_ANTHROPIC = _Dialect((b'"usage"',), _AN_OBJECT, _of_usage, _anthropic)
_GOOGLE = _Dialect((b'"usageMetadata"',), _AN_OBJECT, lambda told: bytes(told.usage_metadata), _google)
_OLLAMA = _Dialect((b'"prompt_eval_count"', b'"eval_count"'), _A_COUNT, _of_ollama, _ollama)

_DIALECTS: Mapping[Protocol, tuple[_Dialect, ...]] = {
    Protocol.CHAT: (_OPENAI,),
    Protocol.RESPONSES: (_OPENAI,),
    Protocol.MESSAGES: (_ANTHROPIC,),
    Protocol.GEMINI: (_GOOGLE,),
    Protocol.OLLAMA: (_OLLAMA,),
    Protocol.OTHER: (_OPENAI, _GOOGLE, _OLLAMA),  # embeddings, pictures, transcriptions
}


# -- asking for it

# Those that document `stream_options.include_usage` and tell nothing without it. The others tell it anyway, and
# Mistral refuses the field: https://github.com/openai/openai-agents-python/issues/442.
_MUST_BE_ASKED = frozenset(
    {
        "openai",  # https://platform.openai.com/docs/api-reference/chat/create
        "xai",  # https://docs.x.ai/docs/api-reference
        "github-models",  # https://docs.github.com/en/rest/models/inference
        "ollama",  # https://docs.ollama.com/api/openai-compatibility
        "lmstudio",  # https://lmstudio.ai/docs/developer/api-changelog
    }
)


def asks_for_usage(provider: str, protocol: Protocol) -> bool:
    """Whether a streamed call must ask for usage to be told it. Of providers that nobody knows nothing is asked."""
    return protocol is Protocol.CHAT and provider in _MUST_BE_ASKED


class _Asked(Struct):
    stream: object = None
    stream_options: Raw = _NOTHING


_asked = msgspec.json.Decoder(_Asked)
_options = msgspec.json.Decoder(dict[str, object])
_OPTIONS = re.compile(rb'"stream_options"\s*:\s*')
_NOT_INCLUDED = re.compile(rb'("include_usage"\s*:\s*)(?:false|null)')


def with_usage_asked(body: bytes) -> bytes | None:
    """`body` with `stream_options.include_usage` set, and every other byte as it was.

    None where it asks already, is no streamed call, or cannot be changed safely. Each place that looks like the
    member is tried until the body as a whole asks: texts and inner objects may hold the same words.
    """
    asked = _asks(body)
    if asked is None or asked.stream is not True:
        return None
    spelled = bytes(asked.stream_options)
    if not spelled:
        at = body.index(b"{") + 1
        return body[:at] + b'"stream_options":{"include_usage":true},' + body[at:]
    wanted = _including(spelled)
    if wanted is None:
        return None
    for found in _OPTIONS.finditer(body):
        at = found.end()
        if body.startswith(spelled, at):
            changed = body[:at] + wanted + body[at + len(spelled) :]
            asked = _asks(changed)
            if asked is not None and bytes(asked.stream_options) == wanted:
                return changed
    return None


def _asks(body: bytes) -> _Asked | None:
    try:
        return _asked.decode(body)
    except _UNREADABLE:
        return None


def _including(spelled: bytes) -> bytes | None:
    """Options that ask for usage; None where they do already, or are none."""
    if spelled == b"null":
        return b'{"include_usage":true}'
    try:
        options = _options.decode(spelled)
    except _UNREADABLE:
        return None
    if "include_usage" not in options:
        return b'{"include_usage":true' + (b"," if options else b"") + spelled[1:]
    if options["include_usage"] is True:
        return None
    for found in _NOT_INCLUDED.finditer(spelled):
        changed = spelled[: found.end(1)] + b"true" + spelled[found.end() :]
        if _options.decode(changed).get("include_usage") is True:
            return changed
    return None


class _Chunk(Struct):
    choices: list[Raw] | None = None
    usage: Raw = _NOTHING
    error: object = None


_chunk = msgspec.json.Decoder(_Chunk)


def is_usage_only(event_data: bytes) -> bool:
    """Whether a chunk of a chat carries nothing but usage: one that did not ask must not see it.

    Clients that never asked take the first choice of every chunk. Azure's first chunk has no choices either, and
    no usage.
    """
    if b'"usage"' not in event_data:
        return False
    try:
        chunk = _chunk.decode(event_data)
    except _UNREADABLE:
        return False
    return chunk.choices == [] and not chunk.error and bytes(chunk.usage).startswith(b"{")
