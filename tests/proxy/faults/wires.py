"""An answer's bytes on the wire in each framing, and how much of the answer a part of them carries."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tests.proxy.faults.answers import content_type
from tray_app.core.values import Protocol


class Framing(Enum):
    """How a body tells its end."""

    LENGTH = "by length"
    CHUNKED = "in chunks"
    CLOSE = "by closing"


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a part of the bytes carries. `complete`: HTTP's own rules say that nothing is missing."""

    head: bool
    body: bytes
    complete: bool


@dataclass(frozen=True, slots=True)
class Wire:
    """A response as bytes: each piece says whether it is of the body. Without `bounded` only closing ends it."""

    pieces: tuple[tuple[bytes, bool], ...]
    bounded: bool

    @property
    def data(self) -> bytes:
        return b"".join(piece for piece, _ in self.pieces)

    @property
    def body(self) -> bytes:
        return b"".join(piece for piece, of_body in self.pieces if of_body)

    @property
    def head(self) -> bytes:
        return self.pieces[0][0]

    def arrived(self, size: int, *, closed: bool = False) -> Arrived:
        """What the first `size` bytes carry; `closed`: the provider has closed in order after them."""
        left, body = size, b""
        for piece, of_body in self.pieces:
            body += piece[:left] if of_body else b""
            left = max(0, left - len(piece))
        head = size >= len(self.head)
        complete = size >= len(self.data) if self.bounded else head and closed
        return Arrived(head, body, complete)


def wire(
    parts: Sequence[bytes],
    kind: str,
    framing: Framing = Framing.CHUNKED,
    *,
    status: int = 200,
    headers: str = "",
    length: int | None = None,
) -> Wire:
    """A response of those parts; `length` is what it says of its length where that is not the truth."""
    head = f"HTTP/1.1 {status} Whatever\r\ncontent-type: {kind}\r\n{headers}"
    if framing is Framing.CHUNKED:
        pieces = [((head + "transfer-encoding: chunked\r\n\r\n").encode(), False)]
        for part in parts:
            pieces += [(b"%x\r\n" % len(part), False), (part, True), (b"\r\n", False)]
        return Wire((*pieces, (b"0\r\n\r\n", False)), bounded=True)
    size = sum(map(len, parts)) if length is None else length
    head += f"content-length: {size}\r\n\r\n" if framing is Framing.LENGTH else "connection: close\r\n\r\n"
    body = [(part, True) for part in parts]
    return Wire(((head.encode(), False), *body), bounded=framing is Framing.LENGTH)


def answer(protocol: Protocol, parts: Sequence[bytes], *, stream: bool, framing: Framing = Framing.CHUNKED) -> Wire:
    """A good answer in the protocol's usual dress."""
    return wire(parts, content_type(protocol, stream=stream), framing)


def packed(data: bytes) -> bytes:
    """The same with gzip."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()
