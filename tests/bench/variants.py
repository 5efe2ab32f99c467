"""O-Switcher with another way of keeping records, to learn what the durable record costs.

`python -m tests.bench.variants NAME` serves the home that O_SWITCHER_HOME names:

- `settled`: as it is; the ledger's group commit is waited for before the last byte of an answer
- `line`: one JSON line for each ended request is written at once, by the loop's thread, before the last
  byte; the ledger follows lazily
- `none`: nothing is recorded at all

and with one part of the way switched off, to learn what that costs:

- `hasty`: an answer is passed on as soon as its head has come, good or bad
- `uncounted`: what answers say of their usage is not read
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from tray_app import app as composition
from tray_app.core.values import (
    AttemptEnded,
    AttemptStarted,
    Call,
    CooldownSet,
    Fact,
    FailedOver,
    RequestEnded,
    RequestStarted,
    RetryScheduled,
    RouteSelected,
)
from tray_app.host.home import find_home
from tray_app.ledger.writer import Writer
from tray_app.proxy import pipeline
from tray_app.proxy.accept import Accepted, header
from tray_app.proxy.attempt import Attempt
from tray_app.proxy.http1 import Response

SETTLED, LINE, NONE, HASTY, UNCOUNTED = VARIANTS = ("settled", "line", "none", "hasty", "uncounted")
_OF_REQUESTS = (AttemptEnded, AttemptStarted, CooldownSet, FailedOver, RetryScheduled, RouteSelected)


class LineFirst:
    """Stands before the ledger: a request that ends is a line in an append-only file before anything else."""

    def __init__(self, writer: Writer, path: Path) -> None:
        self._ledger = writer.record
        self._encoder = msgspec.json.Encoder()
        self._running: dict[str, list[Fact]] = {}
        self._lines: list[bytes] = []
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def record(self, *facts: Fact) -> None:
        """Give `facts` to the ledger, which writes when it has time, and keep them for their request's line."""
        self._ledger(*facts)
        for fact in facts:
            self._keep(fact)

    def _keep(self, fact: Fact) -> None:
        if isinstance(fact, RequestStarted):
            self._running[fact.id] = [fact]
        elif isinstance(fact, RequestEnded):
            facts = [*self._running.pop(fact.id, ()), fact]
            named = [(type(one).__name__, one) for one in facts]
            self._lines.append(self._encoder.encode(named) + b"\n")
        elif isinstance(fact, _OF_REQUESTS) and fact.request_id in self._running:
            self._running[fact.request_id].append(fact)

    async def settled(self) -> None:
        """Write the lines that are due: after that the death of the process loses none of them."""
        lines, self._lines = self._lines, []
        if lines:
            os.write(self._fd, b"".join(lines))


class Nothing:
    """Records nothing."""

    def record(self, *facts: Fact) -> None:
        """Forget them."""

    async def settled(self) -> None:
        """There is nothing to wait for."""


async def _at_once(call: Call, response: Response, *, goes_on: bool = False) -> Accepted:
    """Accept every answer by its head alone."""
    kind = header(response, b"content-type")
    return Accepted(response, b"" if not response.pending else await response.read(), events=b"event-stream" in kind)


def main(name: str) -> None:
    """Serve in that way until told to stop."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # in every thread, so that `sigwait` gets them
    home = find_home()
    built = composition.build(home, port=0)
    if name == HASTY:
        pipeline.accept = _at_once  # type: ignore[assignment]
    if name == UNCOUNTED:
        Attempt._said = lambda self, passed: None  # type: ignore[method-assign]
    if name in (LINE, NONE):
        way = LineFirst(built.writer, home.history.with_name("ahead.ndjson")) if name == LINE else Nothing()
        built.writer.record = way.record  # type: ignore[method-assign]
        built.writer.settled = way.settled  # type: ignore[method-assign]
    built.start()
    signal.sigwait(ends)
    built.stop()


if __name__ == "__main__":
    main(sys.argv[1])
