"""Request ids: short, unique, and in the order of time, so that the newest request is the greatest id."""

from __future__ import annotations

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter looks like a digit
RANDOM_BITS = 25


def request_id(now: int, chance: int) -> str:
    """14 characters: 45 bits of `now` (ms since the epoch), then 25 bits of `chance`."""
    return _base32(now, 9) + _base32(chance, 5)


def _base32(value: int, width: int) -> str:
    return "".join(_DIGITS[(value >> 5 * place) & 31] for place in range(width - 1, -1, -1))
