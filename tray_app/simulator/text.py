"""What the simulator says, and how it is cut. Numbered filler, so that lost or doubled text shows."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from msgspec import json

from .values import Ask

CREATED = 1_760_000_000  # one constant `created`: the same request gives the same bytes
PROVIDER = "Simulator"
PROMPT_USD = 0.000_001  # a token; `models` lists the same prices
COMPLETION_USD = 0.000_004

encode = json.Encoder().encode


def spoken(ask: Ask) -> str:
    """The text of a good answer: long enough to be cut into as many chunks as are asked for.

    Of an answer that another key has begun it is the rest.
    """
    begun = ask.begun
    name = begun.partition(_ANSWERS)[0] if _ANSWERS in begun else ask.name
    text = ask.shape.text or f"{name}{_ANSWERS}{ask.said}"
    chars = max(ask.shape.chars, ask.shape.chunks if ask.stream else 0)
    whole = text if len(text) >= chars else _stretched(text, chars)
    return whole[len(begun) :] if whole.startswith(begun) else whole


_ANSWERS = " answers: "


@lru_cache(maxsize=4)
def _stretched(text: str, chars: int) -> str:
    parts, length, number = [text], len(text), 1
    while length < chars:
        parts.append(f" {number}")
        length += len(parts[-1])
        number += 1
    return "".join(parts)


def pieces(text: str, count: int) -> list[str]:
    """The text in `count` parts of nearly one length, in order, none lost."""
    size, longer = divmod(len(text), count)
    cuts = [number * size + min(number, longer) for number in range(count + 1)]
    return [text[start:end] for start, end in pairwise(cuts)]


def tokens(text: str) -> int:
    """As steady a count as the prompt's: four characters a token."""
    return max(1, len(text) // 4)


def cost(ask: Ask, completion_tokens: int) -> float:
    """What the answer costs; nothing on a `:free` model."""
    if ask.call_cost is not None:
        return ask.call_cost
    if ask.model.endswith(":free"):
        return 0.0
    return round(ask.prompt_tokens * PROMPT_USD + completion_tokens * COMPLETION_USD, 9)


def data(value: object) -> bytes:
    """An event of the OpenAI kind: no name, one line of JSON."""
    return b"data: %b\n\n" % encode(value)


def event(kind: str, value: object) -> bytes:
    """An event with its name."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode(value))


def comments(ask: Ask) -> tuple[bytes, ...]:
    """What OpenRouter sends while a provider is still thinking."""
    return (b": OPENROUTER PROCESSING\n\n",) * ask.shape.comments
