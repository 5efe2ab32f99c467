"""The simulator with a loop and a thread of its own, for programs and tests that have none."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Self, TypeVar

from .log import Seen
from .server import Simulator
from .steps import Script

_T = TypeVar("_T")


class SimulatorThread:
    """A context manager; within it the simulator runs. Every method may be called from any thread."""

    def __init__(
        self,
        script: Script,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        port: int = 0,
        make_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self._script, self._clock, self._seed, self._port = script, clock, seed, port
        self._make_loop = make_loop or new_loop

    def __enter__(self) -> Self:
        self._simulator = Simulator(self._script, clock=self._clock, seed=self._seed)
        self._loop = self._make_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)
        self._thread.start()
        try:
            self._run(self._simulator.start(self._port))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run(self._simulator.stop())
        finally:
            self._end()

    @property
    def url(self) -> str:
        return self._simulator.url

    @property
    def calls(self) -> list[Seen]:
        return self._on_loop(lambda: self._simulator.calls)

    def counts(self) -> dict[str, int]:
        return self._on_loop(self._simulator.counts)

    def replace(self, script: Script) -> None:
        self._on_loop(lambda: self._simulator.replace(script))

    def reset(self) -> None:
        self._on_loop(self._simulator.reset)

    def release(self) -> int:
        return self._on_loop(self._simulator.release)

    def _on_loop(self, look: Callable[[], _T]) -> _T:
        async def look_there() -> _T:
            return look()

        return self._run(look_there())

    def _run(self, work: Coroutine[object, object, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where there is one (not on Windows), else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
