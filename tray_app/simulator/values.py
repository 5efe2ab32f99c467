"""The nouns of the simulator, each frozen: what is asked, what is sent, and how it goes wrong.

Durations are milliseconds (`*_ms`) or seconds (`*_s`); `now` is seconds since the epoch; money is US dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Protocol

from msgspec import Meta, Struct

from tray_app.core.values import Headers

BEFORE_HEAD = -1
"""A `Reply.stop_at` that lets not even the status line out."""

Chunks = Annotated[int, Meta(ge=1, le=100_000)]
Chars = Annotated[int, Meta(ge=0, le=10_000_000)]
Pause = Annotated[float, Meta(ge=0, le=600_000)]


class Ending(Enum):
    """How a connection is left where a reply stops short."""

    HANG = "hang"  # open and silent
    FIN = "fin"  # closed in order
    RST = "rst"  # torn down


class Gate(Enum):
    """Where a reply stops until somebody lets it go on."""

    RELEASE = "release"


class Shape(Struct, frozen=True, kw_only=True):
    """How a good answer is made and cut up. Script, key, step and request may each set a part of it."""

    text: str = ""  # empty: who answers, and what was said
    chars: Chars = 0  # the least length of the text
    chunks: Chunks = 6  # pieces of text in a stream
    held: bool = False  # before the head, until the simulator is told to release what it holds
    delay_ms: Pause = 0  # before the head
    chunk_delay_ms: Pause = 0  # between the pieces of text
    comments: Annotated[int, Meta(ge=0, le=1_000)] = 1  # `: OPENROUTER PROCESSING` before the first event
    burst: bool = False  # the whole stream in one write; otherwise one write a chunk
    gzip: bool = False  # compress for clients that accept it


@dataclass(slots=True)
class Request:
    """One request as it came over the wire. Header names are lower-case; `path` keeps its percent signs."""

    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    body_bytes: int
    digest: bytes  # SHA-256 of the body as it was sent
    keep_alive: bool
    chunkable: bool  # the client speaks HTTP/1.1
    too_large: bool = False

    def header(self, name: bytes) -> str | None:
        """The first header of that (lower-case) name."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None


@dataclass(frozen=True, slots=True)
class Ask:
    """What one client asks of one key, ready for a behaviour to answer."""

    endpoint: Endpoint
    request: Request
    body: bytes  # decompressed
    id: str  # hexadecimal; follows from the seed, the key's name and the request
    model: str
    stream: bool
    said: str  # the last thing the user said
    name: str  # the script's name for the key
    account: str
    shape: Shape
    now: float
    call_cost: float | None = None
    begun: str = ""  # the answer that the model has begun already, and is to go on with

    @property
    def gen(self) -> str:
        """The generation id, as OpenRouter spells it."""
        return f"gen-{self.id[:24]}"

    @property
    def user_id(self) -> str:
        """The account, as OpenRouter names it in errors."""
        return f"user_{self.account}"

    @property
    def prompt_tokens(self) -> int:
        """A made-up but steady count: four bytes of the request a token."""
        return max(1, len(self.body) // 4)


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as OpenRouter means it, before a skin gives it a shape.

    `availability` set makes the newer chat shape, which has no `code`.
    `request_id` is None for what is refused before any provider was asked.
    """

    status: int
    message: str
    error_type: str
    metadata: Mapping[str, object] = field(default_factory=dict)
    headers: Headers = ()
    code: int | str | None = None  # None: the status
    user_id: str | None = None
    request_id: str | None = None
    availability: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of a streamed answer, in four stretches so that a behaviour can leave one out."""

    opening: tuple[bytes, ...]  # comments and events that carry no text yet
    deltas: tuple[bytes, ...]  # one a piece of text
    finish: tuple[bytes, ...]  # why it ended, and the usage
    terminator: tuple[bytes, ...]  # what tells the client that it has all

    @property
    def events(self) -> tuple[bytes, ...]:
        return self.opening + self.deltas + self.finish + self.terminator

    @property
    def paced(self) -> range:
        """The events that wait for the pause between chunks."""
        first = len(self.opening)
        return range(first + 1, first + len(self.deltas))


class Skin(Protocol):
    """One wire protocol: how it spells an answer, a stream and an error. Each skin is a module."""

    def whole(self, ask: Ask) -> bytes:
        """The body of a good answer."""

    def blank(self, ask: Ask) -> bytes:
        """The body of a well-formed answer without content."""

    def broken(self, ask: Ask, fault: Fault, after: int) -> bytes:
        """The body (status 200) of an answer that failed after `after` pieces of text."""

    def stream(self, ask: Ask) -> Stream:
        """The events of a good answer."""

    def refusal(self, fault: Fault) -> bytes:
        """The body of an error answer."""

    def error_events(self, ask: Ask, fault: Fault, bare: bool) -> tuple[bytes, ...]:
        """An error inside a stream; `bare` is the shorter spelling that occurs as well."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the API under its base. Whatever has a skin only for its errors makes its own `whole`."""

    skin: Skin
    whole: Callable[[Ask], bytes]
    streams: bool
    json: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send, to the byte, and how to go wrong on the way.

    `ending` takes the place of a clean end once `stop_at` bytes of the body are out (None: all of them).
    """

    status: int = 200
    headers: Headers = ()
    pieces: tuple[bytes, ...] = ()
    chunked: bool = False
    burst: bool = False
    held: bool = False
    delay_s: float = 0.0
    pause_s: float = 0.0
    paced: range = range(0)
    ending: Ending | None = None
    stop_at: int | None = None
    overstate: int = 0  # how much more the content-length claims than there is
    raw: bytes | None = None  # instead of anything that is HTTP
    cost: float = 0.0  # what the answer adds to the key's usage

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, told without the key: its name in the script ("unknown", None: no key) and its last characters."""

    name: str | None
    tail: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A reply, and what the log is told of how it came about."""

    reply: Reply
    behaviour: str = "refused"
    model: str = ""
    stream: bool = False
    counted: bool = False
