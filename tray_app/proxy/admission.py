"""One queue for calls that find every profile full: first come, first served, and whoever leaves makes room.

A call in the queue is offered a place whenever one may have become free. Offering decides and takes
the place in the same turn of the loop, so that no two calls are given one place. For the event-loop thread only.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tray_app.core.policy import Queue

_Got = TypeVar("_Got")


@dataclass(eq=False, slots=True)
class _Waiter(Generic[_Got]):
    offer: Callable[[], _Got | Queue]
    alike: Hashable  # calls that are alike and wait for one profile: offered a place while the first of them gets one
    step: Queue
    since: int
    looks_at: int | None = None  # when it must be offered a place again; those behind one that is alike need not
    place: asyncio.Future[_Got] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Admission(Generic[_Got]):
    """The queue. `changed` is told when its length has changed."""

    def __init__(self, clock: Callable[[], int], changed: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._changed = changed
        self._waiters: list[_Waiter[_Got]] = []
        self._wanted: Counter[str] = Counter()  # who is waited for
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False

    def __len__(self) -> int:
        return len(self._waiters)

    @property
    def since(self) -> int | None:
        """From when on some call has been waiting, in ms; None where none does."""
        return self._waiters[0].since if self._waiters else None

    def is_wanted(self, profile_id: str) -> bool:
        """Whether somebody waits for a place there: then newcomers come after them."""
        return self._wanted[profile_id] > 0

    async def place(self, step: Queue, offer: Callable[[], _Got | Queue], alike: Hashable) -> _Got:
        """Wait until `offer` gives something else than `Queue`.

        Raises:
            asyncio.CancelledError: the client left; its place in the queue is free.
        """
        waiter = _Waiter(offer, alike, step, self._clock())
        self._waiters.append(waiter)
        self._wanted[step.profile_id] += 1
        self._changed()
        self.pump()
        try:
            return await waiter.place
        finally:
            self._leave(waiter)

    def _leave(self, waiter: _Waiter[_Got]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            self._wanted[waiter.step.profile_id] -= 1
            self._changed()
            if not self._waiters:
                self._disarm()

    def pump(self) -> None:
        """Offer places to those who wait, in their order. Cheap where nobody does."""
        if not self._waiters or self._busy:
            return
        self._busy = True  # taking a place changes the pool, which calls here again
        try:
            full: set[Hashable] = set()
            for waiter in list(self._waiters):
                if (waiter.alike, waiter.step.profile_id) in full or waiter.place.done():
                    waiter.looks_at = None
                elif not self._offered(waiter):
                    full.add((waiter.alike, waiter.step.profile_id))
        finally:
            self._busy = False
        self._arm()

    def _offered(self, waiter: _Waiter[_Got]) -> bool:
        try:
            got = waiter.offer()
        except Exception as error:  # a fault of one call's is not the others'
            self._leave(waiter)
            waiter.place.set_exception(error)
            return True
        if isinstance(got, Queue):
            self._wanted[waiter.step.profile_id] -= 1
            self._wanted[got.profile_id] += 1
            waiter.step, waiter.looks_at = got, got.until_at
            return False
        self._leave(waiter)
        waiter.place.set_result(got)
        return True

    def _arm(self) -> None:
        """Look again when a place may come about by itself."""
        self._disarm()
        times = [waiter.looks_at for waiter in self._waiters if waiter.looks_at is not None]
        if times:
            delay = max(min(times) - self._clock(), 1) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self.pump)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
