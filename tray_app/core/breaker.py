"""The circuit breaker of a profile: who fails again and again is left alone for a while, then tried with care.

closed     an outcome by which a rule is met      -> open
open       half_open_after_ms have passed         -> half open
half open  a failure                              -> open
half open  success_threshold successes in a row   -> closed, with an empty window
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from tray_app.core.values import ErrorClass

COUNTED = frozenset(
    {
        ErrorClass.SERVER_ERROR,
        ErrorClass.OVERLOADED,  # whoever is overloaded behind the profile: it does not serve
        ErrorClass.TIMEOUT,
        ErrorClass.NETWORK,
        ErrorClass.MID_STREAM_ERROR,
    }
)


def counts(cls: ErrorClass) -> bool:
    """Whether a failure of that class is an outcome for the breaker.

    Limits rest their scope instead; keys, models and the client's own errors say nothing of how well a profile works.
    """
    return cls in COUNTED


class Circuit(StrEnum):
    """Whether calls flow."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerRules(Struct, frozen=True):
    """When a circuit opens, and what closes it again. Counts are at least 1."""

    failure_threshold: int = 5  # failures in a row; no more are needed than the window holds
    failure_rate_threshold: float = 0.5  # share of failures in a full window
    sliding_window_size: int = 10
    half_open_after_ms: int = 30_000
    half_open_max_probes: int = 1
    success_threshold: int = 2


class Breaker(Struct, frozen=True):
    """What the circuit of one profile is derived from; all times are ms.

    Outcomes are recorded while the circuit is closed: once it is open, they stay those that opened it.
    """

    outcomes: tuple[bool, ...] = ()  # True = well; the newest last, at most `sliding_window_size`
    opened_at: int | None = None
    successes: int = 0  # in a row, while half open

    @property
    def failure_share(self) -> float:
        """The share of failures among the outcomes, 0.0 where there are none."""
        return self.outcomes.count(False) / len(self.outcomes) if self.outcomes else 0.0

    def circuit(self, now: int, rules: BreakerRules) -> Circuit:
        """Open for `half_open_after_ms` at most, seen from any `now`.

        A clock that was set back to before the opening leaves unknown how long ago that was: a probe finds out.
        Once a probe has gone well, no clock opens the circuit again.
        """
        if self.opened_at is None:
            return Circuit.CLOSED
        if not self.successes and 0 <= now - self.opened_at < rules.half_open_after_ms:
            return Circuit.OPEN
        return Circuit.HALF_OPEN

    def half_open_at(self, rules: BreakerRules) -> int | None:
        """When an open circuit lets a probe through; None if it is closed."""
        return None if self.opened_at is None else self.opened_at + rules.half_open_after_ms

    def after(self, well: bool, now: int, rules: BreakerRules) -> Breaker:
        """The breaker after one more outcome; this very object where that changes nothing.

        `well` is False only for what `counts`. Other failures, and calls that the client gave up, are no outcomes.
        """
        if self.opened_at is None:
            return self._recorded(well, now, rules)
        match self.circuit(now, rules):
            case Circuit.OPEN:
                # An open circuit lets nobody through, so this call began before it opened. A failure is a late echo
                # of the fault that opened it and must not put off the probe; a success shows only how things were.
                return self
            case _ if not well:
                return Breaker(self.outcomes, now)
            case _ if self.successes + 1 < rules.success_threshold:
                return Breaker(self.outcomes, self.opened_at, self.successes + 1)
            case _:
                return Breaker()

    def _recorded(self, well: bool, now: int, rules: BreakerRules) -> Breaker:
        """A closed breaker with the outcome in its window, opened if a rule is met."""
        size = rules.sliding_window_size
        if well and len(self.outcomes) == size and False not in self.outcomes:
            return self  # the most common case by far
        recorded = Breaker((*self.outcomes, well)[-size:])
        return Breaker(recorded.outcomes, now) if recorded._fails(rules) else recorded

    def _fails(self, rules: BreakerRules) -> bool:
        """Whether the window opens the circuit. One without failures never does, whatever the rules say."""
        last = self.outcomes[-rules.failure_threshold :]
        if len(last) == rules.failure_threshold and True not in last:
            return True
        full = len(self.outcomes) == rules.sliding_window_size
        return full and False in self.outcomes and self.failure_share >= rules.failure_rate_threshold
