"""Moments that nearly never come: one timer for all that wait equally long, instead of one for each.

A timer of the loop costs more to set and to call off than most of what it stands guard over. For one loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Due(Protocol):
    """Whoever waits."""

    def ring(self) -> None:
        """The moment has come."""


class Deadlines:
    """Who waits for what moment, by how long they wait: those who came first are due first."""

    def __init__(self) -> None:
        self._waiting: dict[float, dict[Due, float]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}
        self._time: Callable[[], float]

    def add(self, due: Due, after_s: float) -> None:
        """Ring `due` after that time, which is one of a few; once, and not twice at a time."""
        waiting = self._waiting.get(after_s) or self._begun(after_s)  # an empty one has no timer
        waiting[due] = self._time() + after_s

    def _begun(self, after_s: float) -> dict[Due, float]:
        """Nobody else waits for so long now: the place for those who do, and a timer."""
        loop = asyncio.get_running_loop()  # a call of the system's: not for each
        self._time = loop.time
        self._timers[after_s] = loop.call_later(after_s, self._ring, after_s)
        return self._waiting.setdefault(after_s, {})

    def drop(self, due: Due, after_s: float) -> None:
        """It need not be rung any more. Safe to call for whoever does not wait."""
        waiting = self._waiting.get(after_s)
        if waiting is not None and waiting.pop(due, None) is not None and not waiting:
            self._timers.pop(after_s).cancel()

    def _ring(self, after_s: float) -> None:
        loop, waiting = asyncio.get_running_loop(), self._waiting[after_s]
        now = loop.time() + 0.001
        late = [due for due, at in waiting.items() if at <= now]
        for due in late:
            del waiting[due]
        for at in list(waiting.values())[:1]:
            self._timers[after_s] = loop.call_later(at - now, self._ring, after_s)
        for due in late:
            due.ring()
