"""Behaviours that answer with a 200: well, slowly, or with less than a client may hope for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from tray_app.core.values import Headers

from ..values import Ask, Reply
from .base import EVENTS, JSON, Behaviour, answer, streamed, unstreamed


class Ok(Behaviour, frozen=True):
    """A good answer. `headers` are further ones, such as those in which other providers state what is left."""

    do: ClassVar[str] = "ok"
    shapes: ClassVar[bool] = True

    headers: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it for each instance

    def reply(self, ask: Ask) -> Reply:
        good = answer(ask)
        return replace(good, headers=good.headers + _pairs(self.headers)) if self.headers else good


class Slow(Ok, frozen=True):
    """A good answer that takes its time before the head and between chunks."""

    do: ClassVar[str] = "slow"
    manner: ClassVar[Mapping[str, object]] = {"delay_ms": 2_000, "chunk_delay_ms": 200}


class Empty(Behaviour, frozen=True):
    """A 200 without content: no body, no events, only `[DONE]`, or a blank completion."""

    do: ClassVar[str] = "empty"

    how: Literal["no_body", "no_events", "only_done", "blank"] | None = None

    def reply(self, ask: Ask) -> Reply:
        match self.how or ("no_events" if ask.stream else "no_body"):
            case "blank":
                return self._blank(ask)
            case "only_done":
                return Reply(headers=EVENTS, pieces=(b"data: [DONE]\n\n",), chunked=True)
            case "no_events":
                return Reply(headers=EVENTS, chunked=True)
            case _:
                return Reply(headers=JSON)

    def _blank(self, ask: Ask) -> Reply:
        if not ask.stream:
            return replace(unstreamed(ask, ask.endpoint.skin.blank(ask)), cost=0.0)
        stream = replace(ask.endpoint.skin.stream(ask), deltas=())
        return replace(streamed(ask, stream), cost=0.0)


class NoTerminator(Behaviour, frozen=True):
    """A stream that ends in order but without its terminator, or without its finish as well."""

    do: ClassVar[str] = "no_terminator"
    shapes: ClassVar[bool] = True

    finish: bool = True

    def reply(self, ask: Ask) -> Reply:
        if not (ask.stream and ask.endpoint.streams):
            return answer(ask)
        stream = replace(ask.endpoint.skin.stream(ask), terminator=())
        return streamed(ask, stream if self.finish else replace(stream, finish=()))


class GiantHeader(Behaviour, frozen=True):
    """A good answer with one header of so many bytes."""

    do: ClassVar[str] = "giant_header"
    shapes: ClassVar[bool] = True

    size: Annotated[int, Meta(ge=1, le=16_000_000)] = 100_000

    def reply(self, ask: Ask) -> Reply:
        good = answer(ask)
        return replace(good, headers=(*good.headers, (b"x-giant", b"g" * self.size)))


class Custom(Behaviour, frozen=True):
    """Status, headers and body verbatim; with `events`, a stream of them, one chunk each."""

    do: ClassVar[str] = "custom"

    status: Annotated[int, Meta(ge=200, le=599)] = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it for each instance
    body: str = ""
    events: tuple[str, ...] = ()

    def reply(self, ask: Ask) -> Reply:
        return Reply(
            status=self.status,
            headers=self._headers(),
            pieces=tuple(event.encode() for event in self.events) or (self.body.encode(),),
            chunked=bool(self.events),
        )

    def _headers(self) -> Headers:
        given = _pairs(self.headers)
        if any(name.lower() == b"content-type" for name, _ in given):
            return given
        return (EVENTS[:1] if self.events else JSON) + given


def _pairs(headers: Mapping[str, str]) -> Headers:
    return tuple((_latin(name), _latin(value)) for name, value in headers.items())


def _latin(text: str) -> bytes:
    return text.encode("latin-1", "replace")
