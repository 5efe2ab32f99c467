"""The simulator as a running thing: bound to the loopback, on the loop of whoever starts it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from itertools import count

from . import control
from .desk import Desk
from .log import Entry, Log, Seen
from .steps import Script
from .values import Reply, Request
from .wire import Wire

BACKLOG = 1_024


class Simulator:
    """Start it, point clients at `url`, read `calls`, and stop it. Everything happens on one event loop.

    `clock` gives seconds since the epoch; `seed` changes the ids of otherwise equal answers;
    `on_call` is told of each call when it has ended.
    """

    def __init__(
        self,
        script: Script,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        on_call: Callable[[Seen], object] | None = None,
    ) -> None:
        self._clock, self._seed = clock, seed
        self._script = script
        self._numbers = count(1)
        self._server: asyncio.Server | None = None
        self._date = (0, b"")
        self._url = ""
        self.log = Log(on_call)
        self._desk = Desk(script, clock, seed, self.log.under_way)
        self.wires: set[Wire] = set()
        self.held: list[Wire] = []

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Bind (port 0: any free one). `ValueError` for a host that is not this machine's loopback."""
        if host not in control.LOOPBACK:
            raise ValueError(f"the simulator binds to the loopback only, not to {host}")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Wire(self, next(self._numbers), loop), host, port, backlog=BACKLOG
        )
        bound = self._server.sockets[0].getsockname()[1]
        self._url = f"http://{f'[{host}]' if ':' in host else host}:{bound}/api/v1"

    async def stop(self) -> None:
        """Refuse new connections and tear the others down. Safe to call twice."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for wire in list(self.wires):
            wire.abort()
        await server.wait_closed()
        while self.wires:  # noqa: ASYNC110 - each is told of its end in one of the loop's next rounds
            await asyncio.sleep(0)
        self.log.none_under_way()

    @property
    def url(self) -> str:
        """The base address that a client is given, the way OpenRouter documents its own."""
        return self._url

    @property
    def calls(self) -> list[Seen]:
        """The newest 10,000 calls, oldest first; those under way too."""
        return self.log.calls()

    def counts(self) -> dict[str, int]:
        """By key name, the calls that a step answered; `/key`, `/models` and refusals are not counted."""
        return self.log.counts(self._desk.names)

    def replace(self, script: Script) -> None:
        """Behave by this script from the next request on; the log stays."""
        self._script = script
        self._desk = Desk(script, self._clock, self._seed, self.log.under_way)

    def reset(self) -> None:
        """Every key at its first step again, and an empty log."""
        self.replace(self._script)
        self.log.clear()

    def release(self) -> int:
        """Let the answers that are held go on, in the order of their calls; how many there were."""
        held, self.held = self.held, []
        for wire in held:
            wire.go_on()
        return len(held)

    def answer(self, request: Request, connection: int) -> tuple[Reply, Entry | None]:
        """What to send, and the entry that the wire keeps up to date. Control calls have none."""
        if request.path.startswith(control.PREFIX):
            return control.answer(request, self), None
        judged, caller = self._desk.judge(request)
        at = int(self._clock() * 1000)
        return judged.reply, self.log.open(request, connection, at, judged, caller)

    def date(self) -> bytes:
        """The time as HTTP writes it, made once a second."""
        second = int(self._clock())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]


async def serve(port: int, script: Script, out: Callable[[str], object]) -> None:
    """Run until cancelled: the address first, then a line for each call that has ended. Ends clean."""
    simulator = Simulator(script, on_call=lambda seen: out(line(seen)))
    await simulator.start(port)
    out(f"The provider simulator answers at {simulator.url} (Ctrl-C ends it)")
    try:
        await asyncio.Event().wait()
    finally:
        await simulator.stop()


def line(seen: Seen) -> str:
    """One call, for people: when, whose key, what was asked, how it was answered."""
    clock = time.strftime("%H:%M:%S", time.localtime(seen.at / 1000))
    who = (seen.key_name or "no key") + (f" (...{seen.key_tail})" if seen.key_tail else "")
    what = " ".join(filter(None, (seen.method, seen.path, seen.model)))
    status = "no answer" if seen.status is None else str(seen.status)
    end = "the client left after " if seen.client_left else "" if seen.completed else "broken off after "
    return f"{clock}  {who}  {what}  {seen.behaviour} {status}, {end}{seen.ms:.0f} ms"
