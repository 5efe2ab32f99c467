"""What the calls of a profile have shown of it: its circuit, its health, its quota, how much it takes at once.

Evolves by pure functions: an outcome in, the next value out.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from tray_app.core.allowance import Allowance
from tray_app.core.breaker import Breaker, BreakerRules
from tray_app.core.quota import Ladder
from tray_app.core.score import Health

RAMP_MS = 250  # a profile that takes over takes one call more each time
GROWTH_MS = 60_000  # a ceiling that a provider has shown is tried one higher after so long
_CLOSED, _WELL, _BOTTOM = Breaker(), Health(), Ladder()


class Ramp(Struct, frozen=True):
    """A profile has taken over: one call at first, one more each `RAMP_MS`, all of them at the first success."""

    began_at: int
    base: int  # calls that it carried already

    def places(self, now: int) -> int:
        """How many calls it may carry."""
        return self.base + 1 + max(0, now - self.began_at) // RAMP_MS

    def next_at(self, now: int) -> int:
        """When it takes one more."""
        return self.began_at + (max(0, now - self.began_at) // RAMP_MS + 1) * RAMP_MS


class Ceiling(Struct, frozen=True):
    """So many calls at once a provider took before it spoke of concurrency."""

    limit: int
    since_at: int

    def places(self, now: int) -> int:
        """How many calls are tried."""
        return self.limit + max(0, now - self.since_at) // GROWTH_MS

    def next_at(self, now: int) -> int:
        """When one more is tried."""
        return self.since_at + (max(0, now - self.since_at) // GROWTH_MS + 1) * GROWTH_MS


class Vitals(Struct, frozen=True):
    """Everything that the app has learnt of a profile by itself. Times in ms.

    `open_until` is set while the circuit is not closed: until then nothing is sent, afterwards probes.
    `back_at` is when the profile became able to serve again; `served` counts its answers since the start, and begins
    where that of others stands. `fled_to` is who took over when it failed, until it is called again.
    """

    breaker: Breaker = _CLOSED
    open_until: int | None = None
    health: Health = _WELL
    allowances: tuple[Allowance, ...] = ()
    ladder: Ladder = _BOTTOM
    ramp: Ramp | None = None
    ceiling: Ceiling | None = None
    back_at: int = 0
    served: int = 0
    fled_to: str | None = None

    def succeeded(self, latency_ms: int | None, now: int, rules: BreakerRules) -> Vitals:
        """After an answer."""
        breaker = self.breaker.after(True, now, rules)
        open_until, back_at = self.open_until, self.back_at
        if breaker.opened_at is None and open_until is not None:
            open_until, back_at = None, now
        elif open_until is None:  # even a success may fill a window of which half has failed
            open_until = breaker.half_open_at(rules)
        health = self.health.after(True, latency_ms, now)
        return Vitals(  # for every answer: spelled out, since replace() is slow
            breaker,
            open_until,
            health,
            self.allowances,
            _BOTTOM,
            None,
            self.ceiling,
            back_at,
            self.served + 1,
            self.fled_to,
        )

    def failed(self, now: int, rules: BreakerRules) -> Vitals:
        """After a failure that counts against the profile."""
        breaker = self.breaker.after(False, now, rules)
        opens = breaker.half_open_at(rules)
        return replace(self, breaker=breaker, open_until=opens, health=self.health.after(False, None, now))

    def forgiven(self) -> Vitals:
        """With nothing held against it: the operator wants it tried now."""
        return replace(self, breaker=_CLOSED, open_until=None, ladder=_BOTTOM, ramp=None, ceiling=None, back_at=0)

    def closed(self) -> Vitals:
        """With its circuit closed: the failures were not its own."""
        return replace(self, breaker=_CLOSED, open_until=None)

    def crowded(self, carried: int, now: int) -> Vitals:
        """The provider spoke of too many calls at once while it carried `carried` others."""
        return replace(self, ceiling=Ceiling(max(1, carried), now))

    def shifted(self, by_ms: int) -> Vitals:
        """With every time moved along with the clock."""
        breaker, until, health = self.breaker, self.open_until, self.health
        if breaker.opened_at is not None:
            breaker = replace(breaker, opened_at=breaker.opened_at + by_ms)
        if until is not None:
            until += by_ms
        if health.at:
            health = replace(health, at=health.at + by_ms)
        ceiling = self.ceiling and replace(self.ceiling, since_at=self.ceiling.since_at + by_ms)
        ramp = self.ramp and replace(self.ramp, began_at=self.ramp.began_at + by_ms)
        back_at = self.back_at + by_ms if self.back_at else 0
        return replace(
            self, breaker=breaker, open_until=until, health=health, ceiling=ceiling, ramp=ramp, back_at=back_at
        )


UNKNOWN = Vitals()
