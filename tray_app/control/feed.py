"""Live events: what happens, named and shaped as in `decisions.ndjson`, for whoever listens.

Costs nothing while nobody does: only then, and for a while after the last has left, so that whoever comes back misses
nothing, does the feed hear of facts. For the event-loop thread only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import msgspec

from tray_app.control.verbs import Refused
from tray_app.core.values import Fact
from tray_app.ledger.decisions import event_of

RING = 1_000  # events that are kept for those who come back
BACKLOG = 2_000  # events that a listener may be behind
MOST = 16  # listeners
LINGER_S = 120.0
MISSED = "events.missed"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `id` tells where to go on, `data` is a JSON object."""

    id: str
    name: str
    data: bytes


class Subscription:
    """What one listener has still to be told. `over` once it ended: the app stops, or the listener was too slow."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self.over = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Put an event in line; a listener that is too far behind is given up."""
        if self.over.is_set():
            return
        if len(self._events) >= BACKLOG:
            self._events.clear()
            self.end()
            return
        self._events.append(event)
        self._news.set()

    async def take(self, within_s: float) -> list[Event]:
        """What has happened; waits at most so long for something to happen, or for the end."""
        if not self._events and not self.over.is_set():
            self._news.clear()
            try:
                async with asyncio.timeout(within_s):
                    await self._news.wait()
            except TimeoutError:
                return []
        taken = list(self._events)
        self._events.clear()
        return taken

    def end(self) -> None:
        """Nothing more will come."""
        self.over.set()
        self._news.set()


class Feed:
    """Tells facts to listeners as events. `listeners` are called with every fact; `instance` names this run."""

    def __init__(self, listeners: list[Callable[[Fact], None]], instance: str) -> None:
        self._listeners = listeners
        self._instance = instance
        self._ring: deque[Event] = deque(maxlen=RING)
        self._told = 0  # the number of the latest event
        self._subscriptions: list[Subscription] = []
        self._leaving: asyncio.TimerHandle | None = None
        self._hearing = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._subscriptions)

    def subscribe(self, after: str | None = None) -> Subscription:
        """Listen from now on, or from what came after the event with the id `after`.

        What cannot be told any more is owned up to by an event of its own, `events.missed`.

        Raises:
            Refused: too many listen already, or the app stops.
        """
        if self._closed:
            raise Refused("unavailable", "O-Switcher stops")
        if len(self._subscriptions) >= MOST:
            raise Refused("unavailable", f"{MOST} listen already; end one of them first")
        self._hear()
        subscription = Subscription()
        for event in [] if after is None else self._since(after):
            subscription.offer(event)
        self._subscriptions.append(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """That listener has gone."""
        subscription.end()
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        if not self._subscriptions and self._hearing and not self._closed:
            self._leaving = asyncio.get_running_loop().call_later(LINGER_S, self._stop_hearing)

    def close(self) -> None:
        """End every listener: the app stops."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()
        self._stop_hearing()

    def _hear(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if not self._hearing:
            self._hearing = True
            self._listeners.append(self._see)

    def _stop_hearing(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._hearing:
            self._hearing = False
            self._listeners.remove(self._see)
            self._ring.clear()
            self._told += 1  # whoever comes back later has missed something, perhaps

    def _see(self, fact: Fact) -> None:
        told = event_of(fact)
        if told is None:
            return
        self._told += 1
        event = Event(self._id(self._told), *told)
        self._ring.append(event)
        for subscription in self._subscriptions:
            subscription.offer(event)

    def _id(self, number: int) -> str:
        return f"{self._instance}-{number}"

    def _since(self, after: str) -> list[Event]:
        instance, _, text = after.rpartition("-")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
        oldest = self._told - len(self._ring) + 1
        if instance == self._instance and oldest - 1 <= number <= self._told:
            return list(islice(self._ring, number - oldest + 1, None))
        data = msgspec.json.encode({"event": MISSED, "reason": "events in between are not held any more; ask for all"})
        return [Event(self._id(oldest - 1), MISSED, data), *self._ring]
