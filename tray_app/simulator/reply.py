"""A reply turned into acts: bytes to send, seconds or a word to wait for, the way to leave the connection. Pure.

Framing, cuts and false lengths are decided here, so that the wire only has to play what it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus

from .values import BEFORE_HEAD, Ending, Gate, Reply, Request

Act = bytes | float | Gate | Ending

# A reset overtakes bytes that the peer has not read yet (on Linux it does not, elsewhere it may).
RESET_LINGER_S = 0.02

BODILESS = frozenset({204, 304})


def acts(reply: Reply, request: Request, date: bytes) -> Iterator[Act]:
    """The reply to this request, act by act; clean ends are silent, every other one is the last act.

    `date` is the current time as HTTP writes it.
    """
    if reply.held:
        yield Gate.RELEASE
    if reply.delay_s:
        yield reply.delay_s
    if reply.raw is not None:
        yield reply.raw
        yield Ending.FIN
    elif reply.ending is None or reply.stop_at != BEFORE_HEAD:
        yield from _answer(reply, request, date)
    else:
        yield reply.ending


def _answer(reply: Reply, request: Request, date: bytes) -> Iterator[Act]:
    chunked = reply.chunked and request.chunkable and not reply.overstate
    bodiless = request.method == "HEAD" or reply.status in BODILESS
    frames = [] if bodiless else _frames(reply, chunked)
    yield from _written(reply, _head(reply, request, chunked, date), frames)
    if reply.ending is Ending.RST:
        yield RESET_LINGER_S
    if reply.ending is not None:
        yield reply.ending


def _written(reply: Reply, head: bytes, frames: list[bytes]) -> Iterator[Act]:
    if not reply.pause_s and (reply.burst or not reply.chunked):
        yield head + b"".join(frames)
        return
    yield head
    for number, frame in enumerate(frames):
        if reply.pause_s and number in reply.paced:
            yield reply.pause_s
        yield frame


def _frames(reply: Reply, chunked: bool) -> list[bytes]:
    """One frame a piece, as far as `stop_at` lets them out; the last one closes a body that is whole."""
    frames = []
    left = reply.size if reply.ending is None or reply.stop_at is None else reply.stop_at
    for piece in filter(None, reply.pieces):  # an empty chunk would end the body
        if left <= 0:
            break
        frames.append(_chunk(piece[:left], len(piece)) if chunked else piece[:left])
        left -= len(piece)
    if chunked and reply.ending is None:
        frames.append((frames.pop() if frames else b"") + b"0\r\n\r\n")
    return frames


def _chunk(part: bytes, announced: int) -> bytes:
    return b"%x\r\n%b%b" % (announced, part, b"\r\n" if len(part) == announced else b"")


def _head(reply: Reply, request: Request, chunked: bool, date: bytes) -> bytes:
    lines = [_status_line(reply.status), b"date: %b\r\n" % date]
    lines += [b"%b: %b\r\n" % header for header in reply.headers]
    if chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    elif (not reply.chunked or reply.overstate) and reply.status not in BODILESS:
        lines.append(b"content-length: %d\r\n" % (reply.size + reply.overstate))
    if not keeps_open(reply, request):
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def keeps_open(reply: Reply, request: Request) -> bool:
    """Whether another request may follow on the connection."""
    length_known = request.chunkable or not reply.chunked
    return request.keep_alive and length_known


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()
