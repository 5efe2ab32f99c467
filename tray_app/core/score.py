"""How well a profile does, and what that makes it worth: health and latency as moving averages, and the routing score.

The score is kept term by term, so that a log can say why one profile was taken before another.
"""

from __future__ import annotations

from msgspec import Struct

NEWEST = 0.2  # the weight of the newest outcome, and of the newest latency, in their moving averages
HALF_LIFE_MS = 600_000  # an idle profile is forgiven half of its failures in ten minutes


class Health(Struct, frozen=True):
    """A moving average of outcomes, from 0.0 to 1.0, and of the time to the first byte."""

    value: float = 1.0
    at: int = 0  # ms of the last outcome
    latency_ms: float | None = None  # None: never measured

    def now(self, now: int) -> float:
        """The health at `now` (ms): it drifts back to 1.0 while nothing happens.

        A clock that was set back counts as no time passed.
        """
        if self.value == 1.0 or now <= self.at:
            return self.value
        return 1.0 - (1.0 - self.value) * self.kept(now)

    def kept(self, now: int) -> float:
        """How much of what was held against it still counts, from 1.0 just after an outcome down to 0.0."""
        if now <= self.at or not self.at:
            return 1.0
        kept: float = 0.5 ** ((now - self.at) / HALF_LIFE_MS)
        return kept

    def after(self, well: bool, latency_ms: int | None, now: int) -> Health:
        """The health after one more outcome at `now` (ms). `latency_ms` is None where no byte came."""
        value = self.now(now)
        average = self.latency_ms
        if latency_ms is not None:
            average = float(latency_ms) if average is None else average + NEWEST * (latency_ms - average)
        return Health(value + NEWEST * (well - value), now, average)


class Weights(Struct, frozen=True):
    """How much each term of the score counts."""

    health: float = 1.0
    latency: float = 0.5
    failure: float = 0.8
    priority: float = 0.3


class Score(Struct, frozen=True):
    """The weighted terms as they enter the sum, and their sum: the higher, the better."""

    total: float
    health: float
    latency: float
    failure: float
    priority: float


def score(health: Health, failure_share: float, priority: int, weights: Weights, expected_ms: int, now: int) -> Score:
    """What a profile is worth at `now` (ms). `failure_share` is the breaker's; from `expected_ms` on it counts as slow.

    Failures are forgiven with time as health is: else whoever is never called while others are well would never be.
    An unknown latency costs nothing, so that a new profile is tried. A priority is squashed between -1 and 1: no number
    that an operator may write drowns what is measured.
    """
    well = weights.health * health.now(now)
    # Subtracted from 0.0 rather than negated: a log should not say -0.0.
    slow = 0.0 if health.latency_ms is None else 0.0 - weights.latency * min(1.0, health.latency_ms / expected_ms)
    failed = 0.0 - weights.failure * failure_share * health.kept(now) if failure_share else 0.0
    preferred = weights.priority * (priority / (1 + abs(priority)))  # divided first: ints have no largest
    return Score(well + slow + failed + preferred, well, slow, failed, preferred)


def worth(health: Health, failure_share: float, priority: int, weights: Weights, expected_ms: int, now: int) -> float:
    """The total of `score` alone, for ranking many: a third of the cost."""
    total = weights.health * (health.value if health.value == 1.0 else health.now(now))
    if health.latency_ms is not None:
        total -= weights.latency * min(1.0, health.latency_ms / expected_ms)
    if failure_share:
        total -= weights.failure * failure_share * health.kept(now)
    return total + weights.priority * (priority / (1 + abs(priority)))
