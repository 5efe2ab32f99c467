"""Request ids: short, unique, and in the order of time, so that the newest request is the greatest id."""

from __future__ import annotations

from functools import lru_cache

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter looks like a digit
RANDOM_BITS = 25


_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)


def time_of(request: str) -> int | None:
    """When the request of that id began, in ms; None where it is no such id."""
    value = 0
    for digit in request[:9]:
        place = _DIGITS.find(digit)
        if place < 0:
            return None
        value = value << 5 | place
    return value if len(request) == 14 else None


def request_id(now: int, chance: int) -> str:
    """14 characters: 45 bits of `now` (ms since the epoch), then 25 bits of `chance`."""
    pairs = _PAIRS
    return f"{_moment(now)}{_DIGITS[chance >> 20 & 31]}{pairs[chance >> 10 & 1023]}{pairs[chance & 1023]}"


@lru_cache(maxsize=4)
def _moment(now: int) -> str:
    """The first 9 characters. Under load there are several requests in a millisecond."""
    digits = [_PAIRS[now >> place & 1023] for place in (35, 25, 15, 5)]
    return "".join((*digits, _DIGITS[now & 31]))
