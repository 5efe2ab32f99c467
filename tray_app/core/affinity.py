"""Which conversation a request belongs to, and which profile each conversation stays on.

A conversation that changes its profile loses the provider's prompt cache, which costs real money.
It is known by the id that its client sends, else by its opening: the system prompt and the first
words of the user, which every later turn repeats. Only digests are kept; ids and words may be private.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct

IDLE_MS = 3_600_000
MOST = 4096
KEY_BYTES = 16
EDGE = 1024  # bytes of a text's beginning and of its end that count, besides its length
BLOCKS = 8  # of a message's blocks, as many first and as many last ones count: the prompt may follow long reminders
TURNS = 32  # the first turns, among which the user's first is looked for

_NOTHING = Raw(b"")
_QUOTE, _BRACKET, _BRACE = b'"[{'
_SYSTEM = ("system", "developer")
_Text = bytes | memoryview
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_RANKS = {
    name: rank
    for rank, name in enumerate(
        (
            b"x-session-id",
            b"session_id",  # Codex, before it used a hyphen
            b"session-id",
            b"x-claude-code-session-id",  # shared by its subagents
            b"x-session-affinity",
            b"conversation_id",
        )
    )
}


class Opening(Struct, frozen=True, gc=False):
    """What a body of any dialect says of its conversation, and the two fields that routing needs.

    Decode it with `opening_of`, and let it go soon: it keeps the whole body alive.
    """

    model: object = None
    stream: object = None
    session_id: Raw = _NOTHING
    prompt_cache_key: Raw = _NOTHING
    metadata: Raw = _NOTHING
    system: Raw = _NOTHING
    instructions: Raw = _NOTHING
    system_instruction: Raw = _NOTHING  # Gemini takes both spellings
    gemini_system: Raw = msgspec.field(name="systemInstruction", default=_NOTHING)
    messages: list[Raw] | None = None
    contents: list[Raw] | None = None
    input: list[Raw] | str | None = None
    prompt: Raw = _NOTHING


class _Asked(Struct, frozen=True):
    model: object = None
    stream: object = None


class _Turn(Struct, frozen=True, gc=False):
    """A message, an item of Responses or a content of Gemini's."""

    role: object = None
    type: object = None
    content: Raw = _NOTHING
    parts: Raw = _NOTHING


class _Block(Struct, frozen=True, gc=False):
    """A part of a message. Markers such as `cache_control` come and go between turns: only words count."""

    text: Raw = _NOTHING


class _Metadata(Struct, frozen=True, gc=False):
    user_id: Raw = _NOTHING


class _User(Struct, frozen=True, gc=False):
    session_id: Raw = _NOTHING


_opening = msgspec.json.Decoder(Opening)
_asked = msgspec.json.Decoder(_Asked)
_turn = msgspec.json.Decoder(_Turn)
_blocks = msgspec.json.Decoder(list[_Block])
_metadata = msgspec.json.Decoder(_Metadata)
_user = msgspec.json.Decoder(_User)
_text = msgspec.json.Decoder(str)
_spell = msgspec.json.Encoder().encode


def header_key(client: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The key of the conversation that a request belongs to, where a header names it; else ask `opening_key`.

    For the paths of a conversation's protocols only: a prompt for a picture looks like any other.

    Args:
        client: whose token it is; two clients never share a conversation.
        headers: names in lower case.
    """
    best, named = len(_RANKS), b""
    for name, value in headers:
        if name in _RANKS and value and _RANKS[name] < best:
            best, named = _RANKS[name], value
    return _key(b"id", client, _counted(named)) if named else None


def opening_of(body: bytes) -> Opening:
    """Read a body, in one pass and without building what is not needed.

    Where the turns are no list, nothing but model and stream is read. Raises what msgspec's decoder raises
    where the body is not JSON (`DecodeError`, `UnicodeDecodeError`, `RecursionError`) or no object
    (`ValidationError`).
    """
    try:
        return _opening.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        asked = _asked.decode(body)
        return Opening(asked.model, asked.stream)


def opening_key(client: str, opening: Opening) -> bytes | None:
    """The key of the session that a body names, else of what its conversation began with, or None. Never raises."""
    try:
        named = _quoted(opening.session_id) or _quoted(opening.prompt_cache_key) or _session_of(opening.metadata)
        if named:
            return _key(b"id", client, _counted(named))
        system, user = _first_words(opening)
    except _UNREADABLE:
        return None
    # Without words of the user, everybody who uses that system prompt would be in one conversation.
    return _key(b"words", client, b"%d;" % len(system) + b"".join(map(_counted, system + user))) if user else None


# -- ids


def _session_of(metadata: Raw) -> _Text:
    """The session in Claude Code's `metadata.user_id`, which was `user_..._account_..._session_<uuid>`.

    Since 2.1.78 it is an object, spelled as a string: ding113/claude-code-hub#939.
    """
    if _first(metadata) != _BRACE:
        return b""
    spelled = _metadata.decode(metadata).user_id
    user_id = bytes(_quoted(spelled)[:EDGE])
    if user_id.startswith(b"{"):
        try:
            return _quoted(_user.decode(_text.decode(spelled)).session_id)
        except _UNREADABLE:
            return b""
    return user_id.partition(b"_session_")[2]


# -- words


def _first_words(opening: Opening) -> tuple[list[_Text], list[_Text]]:
    """The system prompt's texts, and those of the user's first message."""
    system: list[_Text] = []
    for raw in (opening.system, opening.instructions, opening.system_instruction, opening.gemini_system):
        if raw is not _NOTHING:
            system += _texts(raw)
    turns = opening.messages or opening.contents or opening.input
    if not isinstance(turns, list):
        return system, _lone(opening)
    for raw in turns[:TURNS]:
        turn = _turn.decode(raw)
        if turn.role in _SYSTEM:
            system += _texts(turn.content)
        elif turn.role == "user" or (turn.role is None and turn.type is None):
            return system, _texts(turn.content) or _texts(turn.parts)
    return system, []


def _lone(opening: Opening) -> list[_Text]:
    """What is asked where there are no turns.

    An `input` with neither instructions nor `stream` is as likely to be embedded as to be answered.
    """
    asked = opening.input
    if isinstance(asked, str) and asked and (opening.instructions is not _NOTHING or opening.stream is not None):
        return [_spell(asked)[1:-1]]
    return [text] if (text := _quoted(opening.prompt)) else []


def _texts(raw: Raw) -> list[_Text]:
    """The texts of a message's content, in whatever shape, as they are spelled in JSON.

    One block is as good as its bare text: some clients change between the two when they mark what to cache.
    """
    if text := _quoted(raw):
        return [text]
    return _texts_of(_turn.decode(raw).parts if _first(raw) == _BRACE else raw)


def _texts_of(raw: Raw) -> list[_Text]:
    """The texts of a list of blocks."""
    if _first(raw) != _BRACKET:
        return []
    blocks = _blocks.decode(raw)
    if len(blocks) > 2 * BLOCKS:
        blocks = blocks[:BLOCKS] + blocks[-BLOCKS:]
    return [text for block in blocks if (text := _quoted(block.text))]


def _first(raw: Raw) -> int:
    """The byte that a JSON value begins with, which says its type; 0 where there is none."""
    return 0 if raw is _NOTHING else memoryview(raw)[0]


def _quoted(raw: Raw) -> _Text:
    """What stands between the quotes of a JSON string; empty for anything else."""
    if raw is _NOTHING:  # the most frequent by far
        return b""
    view = memoryview(raw)
    return view[1:-1] if view[0] == _QUOTE else b""


def _counted(text: _Text) -> bytes:
    """A text's length and its two ends, or the whole of a short one."""
    size = len(text)
    if size <= 2 * EDGE:
        return b"".join((b"%d:" % size, text))
    return b"".join((b"%d:" % size, text[:EDGE], text[-EDGE:]))


def _key(kind: bytes, client: str, content: bytes) -> bytes:
    return blake2b(b"%b %b%b" % (kind, _counted(client.encode()), content), digest_size=KEY_BYTES).digest()


# -- who stays where


class Conversations:
    """Which profile each conversation stays on. The one thing in this module that changes; it belongs to one loop.

    At most `most` conversations are remembered, the longest idle dropped first, and none that has been
    idle for `idle_ms`. A time that lies ahead counts as one that lies as far back: when the clock is set
    back, conversations may end early, but none stays for ever.
    """

    __slots__ = ("_held", "_idle_ms", "_most")

    def __init__(self, most: int = MOST, idle_ms: int = IDLE_MS) -> None:
        self._most = most
        self._idle_ms = idle_ms
        # by last use, longest ago first; a plain dict slows down where its first entry is dropped again and again
        self._held: OrderedDict[bytes, tuple[str, int]] = OrderedDict()

    def __len__(self) -> int:
        """How many are remembered, with those whose hour is over and that nothing has come across since."""
        return len(self._held)

    def find(self, key: bytes, now: int) -> str | None:
        """The profile that the conversation stays on, whose idle time begins anew; None: it begins."""
        held = self._held.get(key)
        if held is None:
            return None
        if self._over(held[1], now):
            del self._held[key]
            return None
        self._held[key] = (held[0], now)
        self._held.move_to_end(key)
        return held[0]

    def hold(self, key: bytes, profile_id: str, now: int) -> None:
        """From now on the conversation stays on that profile."""
        held = self._held
        held[key] = (profile_id, now)
        held.move_to_end(key)
        while held and (len(held) > self._most or self._over(next(iter(held.values()))[1], now)):
            held.popitem(last=False)

    def forget(self, key: bytes) -> None:
        """The conversation begins anew, if it was known."""
        self._held.pop(key, None)

    def leave(self, profile_id: str) -> None:
        """A profile is gone: its conversations begin anew elsewhere."""
        self._held = OrderedDict((key, held) for key, held in self._held.items() if held[0] != profile_id)

    def rename(self, old: str, new: str) -> None:
        """A profile has another name: its conversations stay."""
        for key, (profile_id, since) in self._held.items():
            if profile_id == old:
                self._held[key] = (new, since)

    def _over(self, since: int, now: int) -> bool:
        return abs(now - since) >= self._idle_ms
