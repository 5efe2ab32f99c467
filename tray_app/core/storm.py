"""Clients that ask the same again and again within moments: each time a little later, so that haste costs nobody.

Some agents take an end that they do not understand for a passing one, and ask several times a second, for ever.
"""

from __future__ import annotations

from hashlib import blake2b

from tray_app.core.values import Call

QUICK_MS = 900  # who asks again so soon after a failure does not wait by itself
OVERLAP_MS = 60_000  # a request may come before one like it has failed; a clock may also have been set back
FREE = 3  # quick repetitions that are nothing unusual: SDKs try twice more
BASE_MS = 1_000
MAX_MS = 8_000  # less than any client waits for a head
KEPT = 256  # requests


class Storms:
    """Which requests failed a moment ago, and how often in a row. For one thread."""

    def __init__(self) -> None:
        # when last (ms), how often, and when that was counted; the latest at the end
        self._failures: dict[bytes, tuple[int, int, int]] = {}
        self._latest = -QUICK_MS - 1

    def is_calm(self, now: int) -> bool:
        """Whether nothing at all failed a moment ago: then no request need be looked at."""
        return not -OVERLAP_MS <= now - self._latest <= QUICK_MS

    def hold_ms(self, key: bytes, now: int) -> int:
        """How long a request that comes at `now` is to wait."""
        count = self._count(key, now)
        return 0 if count < FREE else min(MAX_MS, BASE_MS * 2 ** min(count - FREE, 10))

    def failures(self, key: bytes, now: int) -> int:
        """How often it has failed in a row, each time a moment after the last."""
        return self._count(key, now)

    def failed(self, key: bytes, came_at: int, now: int) -> None:
        """A request that came at `came_at` has got no answer. Those that run side by side count once."""
        last_at, count, counted_at = self._failures.pop(key, (0, 0, 0))
        if count and came_at <= counted_at:
            self._failures[key] = (now, count, counted_at)
        else:
            self._failures[key] = (now, count + 1 if count and came_at - last_at <= QUICK_MS else 1, now)
        self._latest = now
        if len(self._failures) > KEPT:
            del self._failures[next(iter(self._failures))]

    def served(self, key: bytes) -> None:
        """It has got an answer."""
        self._failures.pop(key, None)

    def _count(self, key: bytes, now: int) -> int:
        at, count, _ = self._failures.get(key, (0, 0, 0))
        return count if -OVERLAP_MS <= now - at <= QUICK_MS else 0


def key_of(call: Call) -> bytes:
    """Equal for equal requests of one client."""
    digest = blake2b(call.body, digest_size=16)
    digest.update(repr((call.client, call.provider, call.method, call.path, call.query, sorted(call.tags))).encode())
    return digest.digest()
