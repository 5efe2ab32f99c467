"""What every behaviour has, and the two ways in which nearly all of them answer: well, or with an error."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

from msgspec import Struct

from tray_app.core.values import Headers

from ..text import cost, spoken, tokens
from ..values import Ask, Fault, Reply, Skin, Stream

JSON: Headers = ((b"content-type", b"application/json"),)
HTML: Headers = ((b"content-type", b"text/html; charset=utf-8"),)
EVENTS: Headers = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"))


class Behaviour(Struct, frozen=True, kw_only=True):
    """One way to answer. `shapes`: a step may set the parts of `Shape` too; `manner`: what it sets by itself."""

    do: ClassVar[str]
    shapes: ClassVar[bool] = False
    manner: ClassVar[Mapping[str, object]] = {}

    def reply(self, ask: Ask) -> Reply:
        raise NotImplementedError

    def about_key(self, facts: dict[str, object]) -> dict[str, object] | Fault:
        """What `GET /key` says while the key behaves like this: the facts, changed, or a refusal."""
        return facts


def answer(ask: Ask) -> Reply:
    """A good answer, in one body or in events, as the client asked."""
    if _streams(ask):
        return streamed(ask, ask.endpoint.skin.stream(ask))
    return unstreamed(ask, ask.endpoint.whole(ask))


def streamed(ask: Ask, stream: Stream) -> Reply:
    """The stream, paced as the shape says; billed if it comes to its finish."""
    headers, pieces = _compressed(ask, EVENTS + _generation(ask), stream.events)
    shape = ask.shape
    return Reply(
        headers=headers,
        pieces=pieces,
        chunked=True,
        burst=shape.burst,
        pause_s=shape.chunk_delay_ms / 1000,
        paced=stream.paced,
        cost=bill(ask) if stream.finish else 0.0,
    )


def unstreamed(ask: Ask, body: bytes, headers: Headers = JSON) -> Reply:
    """One body; it has no chunks, so the pause between chunks comes before the head."""
    headers, pieces = _compressed(ask, headers + _generation(ask), (body,))
    return Reply(headers=headers, pieces=pieces, delay_s=ask.shape.chunk_delay_ms / 1000, cost=bill(ask))


def refusal(skin: Skin, fault: Fault) -> Reply:
    """An error answer in the skin's shape, with the fault's own status and headers."""
    return Reply(status=fault.status, headers=JSON + fault.headers, pieces=(skin.refusal(fault),))


def stopped_after(ask: Ask, stream: Stream, chunks: int) -> Stream:
    """The stream as far as so many chunks of text, without its finish."""
    return replace(stream, deltas=stream.deltas[:chunks], finish=(), terminator=())


def bill(ask: Ask) -> float:
    return cost(ask, tokens(spoken(ask)))


def _streams(ask: Ask) -> bool:
    return ask.stream and ask.endpoint.streams


def _generation(ask: Ask) -> Headers:
    return ((b"x-generation-id", ask.gen.encode()),)


def _compressed(ask: Ask, headers: Headers, pieces: tuple[bytes, ...]) -> tuple[Headers, tuple[bytes, ...]]:
    accepted = ask.request.header(b"accept-encoding") or ""
    if not ask.shape.gzip or "gzip" not in accepted:
        return headers, pieces
    return (*headers, (b"content-encoding", b"gzip")), tuple(_gzip(pieces))


def _gzip(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Each piece flushed, so that it can be read as soon as it has come; the trailer with the last one."""
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return [*packed[:-1], (packed[-1] if packed else b"") + packer.flush()]
