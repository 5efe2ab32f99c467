"""Request ids: short, unique, and in the order of time, so that the newest request is the greatest id."""

from __future__ import annotations

from functools import lru_cache

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter looks like a digit
RANDOM_BITS = 25


_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
# To the digits that `int` knows; what is no digit here is none there.
_AS_INT = bytes.maketrans(_DIGITS.encode(), b"0123456789abcdefghijklmnopqrstuv")
_AS_INT = bytes(as_int if chr(byte) in _DIGITS else ord("!") for byte, as_int in enumerate(_AS_INT))


def time_of(request: str) -> int | None:
    """When the request of that id began, in ms; None where it is no such id."""
    if len(request) != 14:
        return None
    try:
        return int(request[:9].encode().translate(_AS_INT), 32)
    except ValueError:
        return None


def request_id(now: int, chance: int) -> str:
    """14 characters: 45 bits of `now` (ms since the epoch), then 25 bits of `chance`."""
    pairs, middle = _PAIRS, (now & 31) << 5 | (chance >> 20 & 31)
    late = f"{pairs[now >> 15 & 1023]}{pairs[now >> 5 & 1023]}{pairs[middle]}"
    return f"{_early(now >> 25)}{late}{pairs[chance >> 10 & 1023]}{pairs[chance & 1023]}"


@lru_cache(maxsize=4)
def _early(now: int) -> str:
    """The first four characters, of 20 bits: the same for nine hours."""
    return _PAIRS[now >> 10 & 1023] + _PAIRS[now & 1023]
