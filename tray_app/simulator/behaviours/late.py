"""Behaviours that begin with a 200 and fail after it, in the shape that each skin has for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

from msgspec import Meta

from ..skins import chat
from ..text import comments
from ..values import Ask, Fault, Reply, Stream
from .base import JSON, Behaviour, refusal, streamed, unstreamed
from .refusing import TYPES


class Late(Behaviour, frozen=True):
    """The error that comes too late for a status. `code` may be text, as OpenRouter sometimes sends it."""

    code: int | str = 502
    message: str = "Provider disconnected mid-stream"

    def fault(self, ask: Ask) -> Fault:
        kind = TYPES.get(self.code, "unmapped") if isinstance(self.code, int) else "server"
        return Fault(200, self.message, kind, code=self.code, request_id=ask.gen)


class ErrorIn200(Late, frozen=True):
    """JSON with status 200 that holds an error; `partial`: an answer that broke off and says so in its choice."""

    do: ClassVar[str] = "error_in_200"

    partial: bool = False
    after: Annotated[int, Meta(ge=0)] = 3

    def reply(self, ask: Ask) -> Reply:
        fault = self.fault(ask)
        if not self.partial:
            return refusal(ask.endpoint.skin, fault)
        body = ask.endpoint.skin.broken(ask, fault, self.after)
        return Reply(headers=JSON, pieces=(body,))


class ErrorFirst(Late, frozen=True):
    """A stream whose first event is an error; unstreamed, a 200 that holds an error."""

    do: ClassVar[str] = "error_first"

    bare: bool = False

    def reply(self, ask: Ask) -> Reply:
        fault = self.fault(ask)
        if not (ask.stream and ask.endpoint.streams):
            return refusal(ask.endpoint.skin, fault)
        events = ask.endpoint.skin.error_events(ask, fault, self.bare)
        return streamed(ask, Stream(comments(ask) + events, (), (), ()))


class ErrorInStream(Late, frozen=True):
    """A stream that fails after so many chunks; unstreamed, an answer that broke off there."""

    do: ClassVar[str] = "error_in_stream"
    shapes: ClassVar[bool] = True

    after: Annotated[int, Meta(ge=0)] = 3
    bare: bool = False
    done: bool = False  # OpenAI sends its `[DONE]` even then

    def reply(self, ask: Ask) -> Reply:
        skin, fault = ask.endpoint.skin, self.fault(ask)
        if not (ask.stream and ask.endpoint.streams):
            return replace(unstreamed(ask, skin.broken(ask, fault, self.after)), cost=0.0)
        stream = skin.stream(ask)
        events = skin.error_events(ask, fault, self.bare)
        end = (chat.DONE,) if self.done and skin is chat else ()
        broken = replace(stream, deltas=stream.deltas[: self.after], finish=events, terminator=end)
        return replace(streamed(ask, broken), cost=0.0)
