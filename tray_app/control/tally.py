"""Sums of what this run of the app has done: for `/metrics`. On the request's path, so counting is all it does."""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tray_app.core.history import UsageTotal
from tray_app.core.values import (
    AttemptEnded,
    CircuitChanged,
    CooldownSet,
    Fact,
    FailedOver,
    OperatorActed,
    Queued,
    RequestEnded,
    RetryScheduled,
)

_log = logging.getLogger(__name__)

# Milliseconds up to which an answer falls into a bucket: from a short answer to a thinking model's.
BOUNDS_MS = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000)
USAGE_S = 30.0  # so old may sums from the history be


class Spread:
    """A histogram of durations. `counts` are by bucket, the last for all that is longer."""

    __slots__ = ("counts", "total_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.total_ms = 0


class _Spreads(dict[str, Spread]):
    """By provider; empty ones are made where they are asked for."""

    def __missing__(self, provider: str) -> Spread:
        found = self[provider] = Spread()
        return found

    def add(self, provider: str, ms: int) -> None:
        """Count one."""
        spread = self[provider]
        spread.counts[bisect_left(BOUNDS_MS, ms)] += 1
        spread.total_ms += ms


class Tally:
    """Counters by what a person would ask for. Keys are the labels' values; enums are strings already."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self.requests: Counter[tuple[str, ...]] = Counter()  # provider, profile, outcome
        self.attempts: Counter[tuple[str, ...]] = Counter()  # profile, outcome, error class
        self.retries: Counter[tuple[str, ...]] = Counter()  # profile, error class
        self.failovers: Counter[tuple[str, ...]] = Counter()  # from, to, by whom
        self.cooldowns: Counter[tuple[str, ...]] = Counter()  # profile, scope, error class
        self.circuits: Counter[tuple[str, ...]] = Counter()  # profile, circuit
        self.operations: Counter[tuple[str, ...]] = Counter()  # actor, verb
        self.queued = 0
        self.rejected = 0
        self.wait_ms = 0
        self.durations = _Spreads()
        self.first_bytes = _Spreads()
        self._ticks = ticks
        self._usage: Sequence[UsageTotal] = ()
        self._usage_until = 0.0
        self._asking = asyncio.Lock()

    def see(self, *facts: Fact) -> None:
        """Count facts."""
        for fact in facts:
            count = _COUNTED.get(type(fact))
            if count is not None:
                count(self, fact)

    async def usage(self, ask: Callable[[], Sequence[UsageTotal]]) -> Sequence[UsageTotal]:
        """What `ask` answers, in another thread; asked again only when it is too old.

        Where it cannot answer, such as while the file is locked, what it answered before is better than nothing.
        """
        async with self._asking:
            if self._ticks() >= self._usage_until:
                try:
                    self._usage = await asyncio.to_thread(ask)
                except Exception:
                    _log.warning("the history could not be asked for tokens and costs", exc_info=True)
                self._usage_until = self._ticks() + USAGE_S
        return self._usage

    def _request(self, fact: RequestEnded) -> None:
        provider = fact.provider or ""
        self.requests[provider, fact.profile_id or "", fact.outcome] += 1
        if fact.wait_ms:
            self.wait_ms += fact.wait_ms
        self.durations.add(provider, fact.duration_ms)
        if fact.ttft_ms is not None:
            self.first_bytes.add(provider, fact.ttft_ms)

    def _attempt(self, fact: AttemptEnded) -> None:
        self.attempts[fact.profile_id, fact.outcome, fact.error_class or ""] += 1

    def _retry(self, fact: RetryScheduled) -> None:
        self.retries[fact.profile_id, fact.error_class] += 1

    def _failover(self, fact: FailedOver) -> None:
        self.failovers[fact.from_profile or "", fact.to_profile, "operator" if fact.manual else "app"] += 1

    def _cooldown(self, fact: CooldownSet) -> None:
        rest = fact.cooldown
        self.cooldowns[rest.profile_id, rest.scope, rest.error_class] += 1

    def _circuit(self, fact: CircuitChanged) -> None:
        self.circuits[fact.profile_id, fact.circuit] += 1

    def _operation(self, fact: OperatorActed) -> None:
        self.operations[fact.actor, fact.verb] += 1

    def _queued(self, fact: Queued) -> None:
        if fact.rejected:
            self.rejected += 1
        else:
            self.queued += 1


_COUNTED: Mapping[type, Callable[[Tally, Any], None]] = {
    RequestEnded: Tally._request,
    AttemptEnded: Tally._attempt,
    RetryScheduled: Tally._retry,
    FailedOver: Tally._failover,
    CooldownSet: Tally._cooldown,
    CircuitChanged: Tally._circuit,
    OperatorActed: Tally._operation,
    Queued: Tally._queued,
}
