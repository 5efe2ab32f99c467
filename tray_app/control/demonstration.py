"""The demo that a page starts: an O-Switcher on the simulator, in a folder, a process and at a port of its own.

It knows nothing of the user's keys, history and clients, and ends with the app that started it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tray_app.control.verbs import Refused
from tray_app.control.views import DemoView
from tray_app.host.companion import Companion, NotStarted, sweep

START_S = 30.0
REPORT = "report"  # what it is told to give a new one-time address of its report


class Hello(msgspec.Struct):
    """What the demo says of itself: its address, a one-time address of its report, and when it ends (ms)."""

    url: str
    report: str
    until_at: int


@dataclass(slots=True)
class Demonstration:
    """At most one demo. For the event-loop thread only; `changed` is called on any when it has ended."""

    command: Sequence[str]
    parent: Path
    environ: Mapping[str, str]
    more: Mapping[str, str]
    changed: Callable[[], None]
    _companion: Companion | None = None
    _hello: Hello | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def begin(self) -> None:
        """At the app's start: nothing of an earlier one is left."""
        sweep(self.parent)

    def view(self) -> DemoView:
        """Whether it runs."""
        hello = self._hello
        if hello is None or self._companion is None or not self._companion.alive:
            return DemoView(False, None, None)
        return DemoView(True, hello.url, hello.until_at)

    async def start(self) -> DemoView:
        """Start it; where it runs already, nothing.

        Raises:
            Refused: it does not come up.
        """
        async with self._turn:
            if not self.view().running:
                await asyncio.to_thread(self._close)
                self._companion, self._hello = await self._started()
            return self.view()

    async def _started(self) -> tuple[Companion, Hello]:
        try:
            made = await asyncio.to_thread(
                Companion, self.command, self.parent, self.environ, self._environ, self.changed
            )
        except NotStarted as error:
            raise Refused("unavailable", f"the demo cannot start: {error}") from error
        try:
            async with asyncio.timeout(START_S):
                said = await asyncio.to_thread(made.hear)
            return made, msgspec.json.decode(said, type=Hello)
        except (TimeoutError, msgspec.MsgspecError) as error:
            await asyncio.to_thread(made.end)
            raise Refused("unavailable", "the demo did not come up; see why with: o-switcher demo") from error

    def _environ(self, folder: Path) -> Mapping[str, str]:
        """Everything that is looked for at home is looked for in its folder."""
        places = ("O_SWITCHER_HOME", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TMPDIR", "TEMP", "TMP")
        return {**self.more, **dict.fromkeys(places, str(folder))}

    async def report(self) -> str:
        """A one-time address of its report.

        Raises:
            Refused: it does not run.
        """
        async with self._turn:
            companion = self._companion
            said = await asyncio.to_thread(companion.ask, REPORT) if companion and self.view().running else ""
            try:
                return msgspec.json.decode(said, type=Hello).report
            except msgspec.MsgspecError as error:
                raise Refused("conflict", "the demo does not run; start it first") from error

    async def stop(self) -> bool:
        """End it; whether it ran. Its process and its files are gone then."""
        async with self._turn:
            ran = self.view().running
            if self._companion is not None:
                await asyncio.to_thread(self._close)
            return ran

    def _close(self) -> None:
        companion, self._companion, self._hello = self._companion, None, None
        if companion is not None:
            companion.end()
