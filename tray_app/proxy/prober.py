"""Asks providers what a profile has left, now and then and never in a request's way. When: see `core.poll`.

An answer that tells nothing means nothing about the key. For the event-loop thread only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from tray_app.core import allowance, probes
from tray_app.core.poll import Poll, next_poll_at
from tray_app.core.pool import Cell, Member
from tray_app.core.probes import Told
from tray_app.core.values import Call, ErrorClass, Profile, Protocol, Unreachable
from tray_app.proxy.http1 import Response
from tray_app.proxy.means import Sender

PATIENCE_S = 20.0
REARM_S = 3_600.0
EACH = 20


@dataclass(slots=True)
class _Round:
    """What is remembered of one profile between questions."""

    chance: float
    first_at: int | None = None  # when it is to be asked for the first time
    last_at: int | None = None
    failures: int = 0
    served: int = 0  # as it was when asked last


class Prober:
    """Keeps asking for the profiles in `cell`. `told` takes what a provider said of a profile."""

    def __init__(
        self,
        cell: Cell,
        upstream: Sender,
        told: Callable[[str, Told], None],
        polling: Callable[[], bool],
        clock: Callable[[], int],
        chance: Callable[[], float],
    ) -> None:
        self._cell = cell
        self._upstream = upstream
        self._told = told
        self._polling = polling
        self._clock = clock
        self._chance = chance
        self._rounds: dict[str, _Round] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_at: int | None = None
        self._ended = 0
        self._running: set[asyncio.Task[object]] = set()

    def served(self) -> None:
        """A request has ended: whoever served it may be due sooner. Looks at every `EACH`-th only, once armed."""
        self._ended += 1
        if self._timer is None or self._ended % EACH == 0:
            self.arm()

    def arm(self) -> None:
        """Set the timer for whoever is due next; none where nobody is. Cheap: called after every change."""
        now = self._clock()
        due = min((at for _, at in self._dues(now)), default=None)
        if self._timer is not None:
            if due is not None and self._due_at is not None and self._due_at <= due:
                return  # it rings early enough, and looks again
            self._timer.cancel()
            self._timer = None
        self._due_at = due
        if due is not None:
            delay = min(max(due - now, 0) / 1000, REARM_S)
            self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _dues(self, now: int) -> list[tuple[str, int]]:
        if not self._polling():
            return []
        members = self._cell.pool.members
        for gone in self._rounds.keys() - members.keys():
            del self._rounds[gone]
        dues = ((name, self._due(member, now)) for name, member in members.items() if _can_be_asked(member))
        return [(name, at) for name, at in dues if at is not None]

    def _due(self, member: Member, now: int) -> int | None:
        name = member.profile.id
        known = self._rounds.get(name)
        if known is None:
            known = self._rounds[name] = _Round(self._chance())
        fullest = allowance.fullest(member.vitals.allowances, now)
        resting = member.resting(now, None)
        parked = resting if resting is not None and resting.error_class is ErrorClass.QUOTA_EXHAUSTED else None
        served = member.vitals.served - known.served
        poll = Poll(
            known.last_at,
            known.failures,
            served,
            fullest.used_percent(now) if fullest else None,
            parked.until_at if parked else None,
        )
        if known.last_at is not None:
            return next_poll_at(poll, now, known.chance)
        if known.first_at is None:  # it counts from when the profile was seen first, not from each look
            known.first_at = next_poll_at(poll, now, known.chance)
        return known.first_at

    def _ring(self) -> None:
        self._timer = None
        now = self._clock()
        for name, at in self._dues(now):
            if at <= now:
                self._spawn(self.ask(name))
        self.arm()

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def can_ask(self, profile_id: str) -> bool:
        """Whether that profile's provider can be asked."""
        member = self._cell.pool.members.get(profile_id)
        return member is not None and _can_be_asked(member)

    async def ask(self, profile_id: str) -> Told | None:
        """Ask what that profile has left; None where the provider told nothing."""
        member = self._cell.pool.members.get(profile_id)
        if member is None or not _can_be_asked(member):
            return None
        known = self._rounds.setdefault(profile_id, _Round(0.5))
        known.last_at, known.served, known.chance = self._clock(), member.vitals.served, self._chance()
        told = await self._answer(member.profile)
        known.failures = known.failures + 1 if told is None else 0
        if told is not None:
            self._told(profile_id, told)
        self.arm()
        return told

    async def _answer(self, profile: Profile) -> Told | None:
        call, at = _question(profile, self._clock())
        try:
            async with asyncio.timeout(PATIENCE_S):
                response = await self._upstream.send(call, at)
                self._note(profile.base_url, there=not isinstance(response, Unreachable))
                if isinstance(response, Unreachable):
                    return None
                body = await _whole(response)
        except TimeoutError:
            return None
        return probes.read(profile.provider, response.status, body, self._clock(), profile.base_url)

    def _note(self, base_url: str, *, there: bool) -> None:
        """Whether that address answers is news of the network, as it is in a request's way."""
        pool, now = self._cell.pool, self._clock()
        after = pool.reached(base_url, now) if there else pool.unreachable(base_url, now)
        if after is not pool:
            self._cell.set(after, visible=after.offline != pool.offline)

    def close(self) -> None:
        """Ask nobody any more."""
        self._polling = lambda: False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._running:
            task.cancel()


def _can_be_asked(member: Member) -> bool:
    return member.profile.provider in probes.PROBES and member.profile.enabled and member.reauth is None


def _question(profile: Profile, now: int) -> tuple[Call, Profile]:
    """The call, and the profile as if its base URL were the origin: the key is bound to that."""
    url = urlsplit(probes.PROBES[profile.provider].url(profile.base_url))
    headers = ((b"accept", b"application/json"),)
    path = url.path
    call = Call("", "", profile.provider, Protocol.OTHER, "GET", path, b"", headers, b"", None, False, now)
    return call, replace(profile, base_url=f"{url.scheme}://{url.netloc}")


async def _whole(response: Response) -> bytes:
    parts, size = [], 0
    try:
        while size <= probes.MOST_BYTES and (data := await response.read()):
            parts.append(data)
            size += len(data)
    finally:
        response.close()
    return b"".join(parts)
