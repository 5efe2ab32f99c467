"""What the request path works with; all of it given, none of it fetched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol as Interface

from msgspec import Struct

from tray_app.core.affinity import Conversations
from tray_app.core.policy import Lane, Rules
from tray_app.core.pool import Cell
from tray_app.core.providers import Provider
from tray_app.core.storm import Storms
from tray_app.core.values import Call, Fact, Profile, Unreachable
from tray_app.proxy.admission import Admission
from tray_app.proxy.attempt import Step
from tray_app.proxy.http1 import Response


class Sender(Interface):
    """One attempt at one provider."""

    async def send(self, call: Call, profile: Profile) -> Response | Unreachable: ...


class Recorder(Interface):
    """Takes facts of one moment, of which a request's beginning comes first, and its end last."""

    def __call__(self, *facts: Fact) -> None: ...


class Means(Struct, frozen=True):
    """See the module.

    `clock` gives ms since the epoch, `ticks` monotonic seconds, `chance` a number in [0, 1);
    what `settled` gives is awaited until everything recorded so far is safe; `stopping` says that the app goes down.
    `routes` gives the ways of a name that stands for several providers' models; `heard` is shown the headers
    of every answer, for what they say of a quota.
    """

    cell: Cell
    upstream: Sender
    rules: Callable[[], Rules]
    providers: Callable[[], Mapping[str, Provider]]
    record: Recorder
    begun: Recorder  # the same for facts of what has only begun
    settled: Callable[[], Awaitable[None]]
    clock: Callable[[], int]
    ticks: Callable[[], float]
    chance: Callable[[], float]
    stopping: Callable[[], bool]
    routes: Callable[[str], tuple[Lane, ...]]
    heard: Callable[[Profile, list[tuple[bytes, bytes]], str | None], None]
    conversations: Conversations
    storms: Storms
    admission: Admission[Step]
