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
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct
from msgspec.structs import astuple, replace

from tray_app.core.values import Protocol

HEAD = 8_192  # bytes of a body's beginning that are enough
TAIL = 16_384  # and of its end
MOST_TOKENS = 10**12  # what counts more is no count
MOST_USD = 1e6
MOST_RAW = 4096
TRIES = 8  # names that are looked at before it is taken that there is no usage

Count = Annotated[int, Meta(ge=0, le=MOST_TOKENS)] | None
Fields = Mapping[str, object]
_Counts = tuple[int | None, int | None, int | None, int | None, int | None]  # as in Usage

_NOTHING = Raw(b"")
_Shape = TypeVar("_Shape", bound=Struct)
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


class _Within(Struct, gc=False):
    """What is read of an object within: of one that tells parts of the input, of the output, or of the cost."""

    cached_tokens: Count = None
    cache_write_tokens: Count = None
    reasoning_tokens: Count = None
    thinking_tokens: Count = None
    upstream_inference_cost: object = None


class _Fields(Struct, gc=False):
    """All that any dialect tells. What stands there and is no count is as if it was not there."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    input_tokens: Count = None
    output_tokens: Count = None
    cached_tokens: Count = None
    reasoning_tokens: Count = None
    prompt_cache_hit_tokens: Count = None
    prompt_cache_miss_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    prompt_eval_count: Count = None
    eval_count: Count = None
    promptTokenCount: Count = None  # noqa: N815 - as it is spelled
    toolUsePromptTokenCount: Count = None  # noqa: N815
    candidatesTokenCount: Count = None  # noqa: N815
    thoughtsTokenCount: Count = None  # noqa: N815
    totalTokenCount: Count = None  # noqa: N815
    cachedContentTokenCount: Count = None  # noqa: N815
    cost: object = None
    cost_in_usd_ticks: object = None
    is_byok: object = UNSET
    prompt_tokens_details: _Within | None = None
    input_tokens_details: _Within | None = None
    completion_tokens_details: _Within | None = None
    output_tokens_details: _Within | None = None
    cost_details: _Within | None = None


_NOTHING_WITHIN = _Within()


class _Stated(Struct, frozen=True):
    """The object that tells what was used, as it is spelled and as it is read."""

    spelled: bytes
    fields: _Fields


class _Dialect(Struct, frozen=True):
    """How a protocol tells what was used: the names that begin it, what follows them, and how it is counted."""

    names: tuple[bytes, ...]
    value: re.Pattern[bytes]
    spelled: Callable[[_Told], bytes]
    counts: Callable[[str, _Fields], _Counts]


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
    if last is None:
        return _Stated(first.spelled, replace(first.fields, output_tokens=None))
    early, late = _members_of(first.spelled), _members_of(last.spelled)
    early.pop("output_tokens", None)
    later = {name for name, value in late.items() if value or name not in early}
    told = {name: value for name, value in _members.decode(last.spelled).items() if name in later}
    spelled = _encode(_members.decode(first.spelled) | told)
    fields = _fields(spelled)
    return _Stated(spelled, fields if "output_tokens" in later else replace(fields, output_tokens=None))


# -- what it says

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])
_anything = msgspec.json.Decoder()
_shape = msgspec.json.Decoder(_Fields)
_COUNTS = 19  # the first of the fields


def _stated(spelled: bytes) -> _Stated | None:
    """The object, if there is any count in it."""
    fields = _fields(spelled)
    if fields.prompt_tokens is None and astuple(fields)[:_COUNTS] == _NONE_STATED:  # at first what most tell
        return None
    return _Stated(spelled, fields)


def _fields(spelled: bytes) -> _Fields:
    try:
        if spelled.isascii():  # else what is passed over would not be held to UTF-8
            return _shape.decode(spelled)
    except _UNREADABLE:
        pass
    return _fitting(_members_of(spelled), _Fields)


_NONE_STATED = (None,) * _COUNTS


def _fitting(members: Fields, shape: type[_Shape]) -> _Shape:
    """Those that are as `shape` has them."""
    fit: dict[str, object] = {}
    for field in msgspec.structs.fields(shape):
        value = members.get(field.name)
        if isinstance(value, dict) and field.name.endswith("_details"):
            fit[field.name] = _fitting(value, _Within)
        elif field.name in members:
            with suppress(msgspec.ValidationError):
                fit[field.name] = msgspec.convert(value, field.type)
    return shape(**fit)


def _members_of(spelled: bytes) -> dict[str, Any]:
    """The members that can be read; of an object that cannot be as a whole, since a number may be beyond all bounds."""
    try:
        members = _anything.decode(spelled)
        return members if isinstance(members, dict) else {}
    except _UNREADABLE:
        pass
    members = {}
    try:
        raw = _members.decode(spelled)
    except _UNREADABLE:
        return members
    for name, value in raw.items():
        with suppress(*_UNREADABLE):
            members[name] = _anything.decode(value)
    return members


def _usage(provider: str, dialect: _Dialect, stated: _Stated) -> Usage | None:
    counts, cost = dialect.counts(provider, stated.fields), _cost(provider, stated.fields)
    if cost is None and counts == _NO_COUNTS:
        return None
    raw = stated.spelled.decode("utf-8", "replace")
    return Usage(*counts, cost, raw if len(raw) <= MOST_RAW else None)


_NO_COUNTS: _Counts = (None, None, None, None, None)


def _openai(provider: str, told: _Fields) -> _Counts:
    """OpenAI's two protocols and those that speak like them; also embeddings, which only total what they read."""
    read = told.prompt_tokens_details or told.input_tokens_details or _NOTHING_WITHIN
    wrote = told.completion_tokens_details or told.output_tokens_details or _NOTHING_WITHIN
    cached = read.cached_tokens
    if cached is None:
        cached = told.cached_tokens if told.prompt_cache_hit_tokens is None else told.prompt_cache_hit_tokens
    asked = told.input_tokens if told.prompt_tokens is None else told.prompt_tokens
    if asked is None:  # DeepSeek's two parts
        asked = _sum(told.prompt_cache_hit_tokens, told.prompt_cache_miss_tokens)
    output = told.output_tokens if told.completion_tokens is None else told.completion_tokens
    reasoning = told.reasoning_tokens if wrote.reasoning_tokens is None else wrote.reasoning_tokens
    over = _difference(told.total_tokens, asked)
    if output is None:
        output = over
    elif reasoning and _is_apart(
        output, reasoning, over, by_rule=provider == "xai" and told.completion_tokens is not None
    ):
        output += reasoning
    elif provider == "google" and over is not None and over > output:  # its thoughts are only in the total
        output, reasoning = over, reasoning or over - output
    return asked, output, cached, read.cache_write_tokens, reasoning


def _is_apart(output: int, reasoning: int, over: int | None, *, by_rule: bool) -> bool:
    """Whether reasoning is not counted in `output`, as in xAI's chats. `over` is the total less the input: it tells.

    Without a total the provider's rule does, and that a part cannot be more than the whole.
    """
    if reasoning > output:
        return True
    return by_rule if over is None else over >= output + reasoning


def _anthropic(provider: str, told: _Fields) -> _Counts:
    """The input leaves out what was written to the cache and read from it."""
    read, written = told.cache_read_input_tokens, told.cache_creation_input_tokens
    thought = (told.output_tokens_details or _NOTHING_WITHIN).thinking_tokens
    asked = None if told.input_tokens is None else told.input_tokens + (read or 0) + (written or 0)
    return asked, told.output_tokens, read, written, thought


def _google(provider: str, told: _Fields) -> _Counts:
    """A count of 0 is left out. What tools gave the model to read is input, and thoughts are output."""
    asked, thought = told.promptTokenCount, told.thoughtsTokenCount
    asked = None if asked is None else asked + (told.toolUsePromptTokenCount or 0)
    output = _sum(told.candidatesTokenCount, thought)
    if output is None:
        output = _difference(told.totalTokenCount, asked)
    return asked, output, told.cachedContentTokenCount, None, thought


def _ollama(provider: str, told: _Fields) -> _Counts:
    return told.prompt_eval_count, told.eval_count, None, None, None


def _cost(provider: str, told: _Fields) -> float | None:
    """The provider's own figure in US dollars. With a key of one's own at another provider, OpenRouter's fee and
    that one's bill; xAI counts in 1e-10 of a dollar. What somebody else calls `cost` may be of any currency.
    """
    if (ticks := _dollars(told.cost_in_usd_ticks, 1e10)) is not None:
        return ticks
    if told.cost is None or (provider != "openrouter" and told.is_byok is UNSET):
        return None
    cost = _dollars(told.cost)
    if cost is None or told.is_byok is not True:
        return cost
    upstream = None if told.cost_details is None else _dollars(told.cost_details.upstream_inference_cost)
    return None if upstream is None else cost + upstream


def _sum(one: int | None, other: int | None) -> int | None:
    """Both, or the one that is known."""
    return (one or 0) + (other or 0) if one is not None or other is not None else None


def _difference(whole: int | None, part: int | None) -> int | None:
    return whole - part if whole is not None and part is not None and whole >= part else None


def _dollars(value: object, unit: float = 1.0) -> float | None:
    if (type(value) is float or type(value) is int) and 0 <= value <= MOST_USD * unit:
        return value / unit
    return None


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
