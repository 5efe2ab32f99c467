"""Behaviours that break HTTP or the connection under it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from ..values import BEFORE_HEAD, Ask, Ending, Reply
from .base import HTML, Behaviour, answer, stopped_after, streamed

Bytes = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Torn = Literal["fin", "rst"]


class Hang(Behaviour, frozen=True):
    """Silence on an open connection: before the head, after it, or after so many chunks."""

    do: ClassVar[str] = "hang"
    shapes: ClassVar[bool] = True

    when: Literal["before_head", "after_head", "mid_stream"] = "before_head"
    after: Count = 3

    def reply(self, ask: Ask) -> Reply:
        match self.when:
            case "before_head":
                return Reply(ending=Ending.HANG, stop_at=BEFORE_HEAD)
            case "after_head":
                return replace(answer(ask), ending=Ending.HANG, stop_at=0, cost=0.0)
            case _:
                return self._mid_stream(ask)

    def _mid_stream(self, ask: Ask) -> Reply:
        """An unstreamed answer has no chunks: there it is half of the body that comes."""
        if not (ask.stream and ask.endpoint.streams):
            whole = answer(ask)
            return replace(whole, ending=Ending.HANG, stop_at=whole.size // 2, cost=0.0)
        part = streamed(ask, stopped_after(ask, ask.endpoint.skin.stream(ask), self.after))
        return replace(part, ending=Ending.HANG)


class Reset(Behaviour, frozen=True):
    """The connection torn down (RST) before the head."""

    do: ClassVar[str] = "reset"

    def reply(self, ask: Ask) -> Reply:
        return Reply(ending=Ending.RST, stop_at=BEFORE_HEAD)


class Close(Behaviour, frozen=True):
    """The connection closed in order (FIN) before the head."""

    do: ClassVar[str] = "close"

    def reply(self, ask: Ask) -> Reply:
        return Reply(ending=Ending.FIN, stop_at=BEFORE_HEAD)


class Cut(Behaviour, frozen=True):
    """A good answer cut off at a byte of its body, or (a stream) after so many chunks; always short of its end."""

    do: ClassVar[str] = "cut"
    shapes: ClassVar[bool] = True

    at: Bytes = 100
    after: Count | None = None
    how: Torn = "fin"

    def reply(self, ask: Ask) -> Reply:
        if self.after is not None and ask.stream and ask.endpoint.streams:
            part = streamed(ask, stopped_after(ask, ask.endpoint.skin.stream(ask), self.after))
            return replace(part, ending=Ending(self.how))
        whole = answer(ask)
        return replace(whole, ending=Ending(self.how), stop_at=min(self.at, whole.size - 1), cost=0.0)


class WrongLength(Behaviour, frozen=True):
    """A content-length bigger than the body, which is then followed by the end of the connection or by silence."""

    do: ClassVar[str] = "wrong_length"
    shapes: ClassVar[bool] = True

    extra: Annotated[int, Meta(ge=1)] = 64
    then: Literal["fin", "rst", "hang"] = "fin"

    def reply(self, ask: Ask) -> Reply:
        return replace(answer(ask), overstate=self.extra, ending=Ending(self.then), cost=0.0)


class Garbage(Behaviour, frozen=True):
    """Bytes that are no HTTP, or a page of HTML with status 200."""

    do: ClassVar[str] = "garbage"

    how: Literal["bytes", "html"] = "bytes"

    def reply(self, ask: Ask) -> Reply:
        if self.how == "bytes":
            return Reply(raw=b"\x16\x03\x01\x00\xff SSH-2.0-not-http\r\n\x00\x01\x02\r\n\r\n")
        page = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome</body></html>\n"
        return Reply(headers=HTML, pieces=(page,))
