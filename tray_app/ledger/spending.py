"""What a call has used and cost: read out of what went by of its answer, on the writer's thread, not the loop's."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from tray_app.core.cost import cost_of
from tray_app.core.usage import HEAD, TAIL, Usage, usage_of
from tray_app.core.values import AttemptEnded, Fact, Said, Spent

Price = Callable[[str, str | None, Usage], tuple[float | None, str | None]]  # provider, model -> US dollars, source
MOST_UNPACKED = 8 * 1024 * 1024

_log = logging.getLogger(__name__)


def unpriced(provider: str, model: str | None, usage: Usage) -> tuple[float | None, str | None]:
    """The provider's own figure, where it gives one."""
    return cost_of(provider, model, usage, {}, None)


def reckoned(facts: Iterable[Fact], price: Price) -> list[Fact]:
    """`facts` with what answers said put into numbers. The bytes of the answers are let go."""
    return [
        replace(fact, said=None, spent=_reckoned(fact.said, price))
        if type(fact) is AttemptEnded and fact.said is not None
        else fact
        for fact in facts
    ]


def _reckoned(said: Said, price: Price) -> Spent | None:
    try:
        return _spent(said, price)
    except Exception:  # a table of prices may be odd; a record is never lost for it
        _log.exception("what a call used could not be reckoned")
        return None


def _spent(said: Said, price: Price) -> Spent | None:
    head, tail = said.head[:HEAD], said.tail
    if said.encoding:
        plain = _unpacked(said.head, said.encoding)
        head, tail = plain[:HEAD], plain[-TAIL:]
    streamed = said.streamed or head.startswith((b"data:", b"event:"))  # packed streams come as they are
    usage = usage_of(said.provider, said.protocol, head, tail, streamed=streamed, whole=said.whole)
    if usage is None:
        return None
    cost, source = price(said.provider, said.model, usage)
    return Spent(
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        cost,
        source,
        usage.raw,
    )


def _unpacked(packed: bytes, encoding: bytes) -> bytes:
    """Without its compression, as far as it is known here and whole; else nothing."""
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        return b""
    try:
        return zlib.decompressobj(wbits=47 if b"gzip" in encoding else 15).decompress(packed, MOST_UNPACKED)
    except zlib.error:
        return b""
