"""What the simulator saw: the newest calls, each without its body and without a key.

A credential is masked before it is kept: the last four characters tell keys apart and open nothing.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from .values import Caller, Judged, Request

KEPT = 10_000
SECRETIVE = frozenset(
    {b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"proxy-authorization", b"cookie"}
)
_IN_QUERY = re.compile(r"((?:^|&)[^=&]*(?:key|token|secret)[^=&]*=)[^&]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """One call, as it stands when the log is read. `at` is UTC milliseconds since the epoch."""

    number: int  # counts up from 1
    at: int
    connection: int  # equal for calls on one connection
    key_name: str | None  # "unknown" for a key that the script does not know, None for no key
    key_tail: str
    method: str
    path: str
    query: str
    model: str
    stream: bool
    behaviour: str  # its name, "free" for what no step governs, "refused" for what never reached a step
    status: int | None  # None: no head went out
    headers: dict[str, str]  # lower-case names, credentials masked
    body_bytes: int
    body_sha256: str
    sent_bytes: int
    ended: bool
    completed: bool  # the whole answer went out
    client_left: bool  # before the answer was whole
    ms: float | None  # from the whole request to the end, or to when the leaving was noticed


@dataclass(slots=True)
class Entry:
    """A call in the making. The wire tells it what happens; `seen` says so far."""

    number: int
    at: int
    connection: int
    key_name: str | None
    key_tail: str
    model: str
    stream: bool
    behaviour: str
    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    body_bytes: int
    digest: bytes
    status: int | None = None
    sent_bytes: int = 0
    completed: bool = False
    client_left: bool = False
    ms: float | None = None

    def seen(self) -> Seen:
        return Seen(
            number=self.number,
            at=self.at,
            connection=self.connection,
            key_name=self.key_name,
            key_tail=self.key_tail,
            method=self.method,
            path=self.path,
            query=self.query,
            model=self.model,
            stream=self.stream,
            behaviour=self.behaviour,
            status=self.status,
            headers=_joined(self.headers),
            body_bytes=self.body_bytes,
            body_sha256=self.digest.hex(),
            sent_bytes=self.sent_bytes,
            ended=self.ms is not None,
            completed=self.completed,
            client_left=self.client_left,
            ms=self.ms,
        )


class Log:
    """The newest calls, how many of those that cost something each key has had, and how many it has under way."""

    def __init__(self, tell: Callable[[Seen], object] | None = None) -> None:
        self._tell = tell
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._numbers = count(1)
        self._counts: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()

    def open(self, request: Request, connection: int, at: int, judged: Judged, caller: Caller) -> Entry:
        """A new entry; it is in the log at once, so that calls which hang are seen too."""
        entry = Entry(
            next(self._numbers),
            at,
            connection,
            caller.name,
            caller.tail,
            judged.model,
            judged.stream,
            judged.behaviour,
            request.method,
            request.path,
            masked_query(request.query),
            masked(request.headers),
            request.body_bytes,
            request.digest,
        )
        self._entries.append(entry)
        self._under_way[entry.key_name or ""] += 1
        if judged.counted and caller.name is not None:
            self._counts[caller.name] += 1
        return entry

    def close(self, entry: Entry, ms: float, *, completed: bool = False, client_left: bool = False) -> None:
        """The call has come to its end, whichever it was."""
        entry.ms, entry.completed, entry.client_left = ms, completed, client_left
        self._under_way[entry.key_name or ""] -= 1
        if self._tell is not None:
            self._tell(entry.seen())

    def clear(self) -> None:
        self._entries.clear()
        self._counts.clear()

    def under_way(self, name: str) -> int:
        """Calls of that key that are being answered."""
        return self._under_way[name]

    def none_under_way(self) -> None:
        """All connections are torn down."""
        self._under_way.clear()

    def calls(self) -> list[Seen]:
        return [entry.seen() for entry in self._entries]

    def counts(self, names: list[str]) -> dict[str, int]:
        """Every named key, and any other that has been counted."""
        return dict.fromkeys(names, 0) | dict(self._counts)


def tail(secret: str | None) -> str:
    """The last characters of a key that is long enough for them to give nothing away."""
    return secret[-4:] if secret is not None and len(secret) >= 12 else ""


def masked(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, _mask(value)) if name in SECRETIVE else (name, value) for name, value in headers]


def masked_query(query: str) -> str:
    return _IN_QUERY.sub(r"\1***", query) if query else ""


def _mask(value: bytes) -> bytes:
    scheme, space, secret = value.partition(b" ")
    if scheme.lower() not in (b"bearer", b"basic"):
        scheme, space, secret = b"", b"", value
    return scheme + space + b"***" + tail(secret.decode("latin-1")).encode("latin-1")


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """As one mapping, the values of a repeated name joined as HTTP allows."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
