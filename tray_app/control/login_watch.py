"""Keys taken over by themselves: at the start, and when a login of OpenCode's has changed, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tray_app.agents.found import Finding, Found
from tray_app.agents.opencode import LOGINS
from tray_app.control.discovery import Logins
from tray_app.control.registry import Registry, Standing
from tray_app.control.verbs import Refused
from tray_app.host.vault import fingerprint
from tray_app.host.watch import Watch

Folders = Iterable[tuple[Path, tuple[str, ...]]]


@dataclass
class LoginWatch:
    """Looks where keys are, takes over what is new, and says so. After the start it is the event loop's.

    `state` tells how the file of logins is: what changes with each writing, and with its content. `looks` is whether
    it may look at all, `wanted` whether it may take anything: keys that are given again are tried again without. Both
    may change meanwhile: then `follow`.
    """

    folders: Folders
    state: Callable[[], tuple[str, str]]
    survey: Callable[[], list[Finding]]
    registry: Registry
    looks: Callable[[], bool]
    wanted: Callable[[], bool]
    say: Callable[[str], None]
    _logins: Logins = field(default_factory=Logins)
    _watch: Watch | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _looking: asyncio.Task[None] | None = None
    _again: bool = False
    _took: bool = False  # whether it might take what it saw the last time
    _tells: bool = False  # whether keys that ask first are still to be told of

    def begin(self) -> None:
        """The first look, before anything runs."""
        if not self.looks():
            return
        self._watch = Watch(self.folders, self._changed)
        self._took = self.wanted()
        findings = self.survey()
        self._logins.look(findings, *self.state(), LOGINS)
        self._take(findings)
        self._tell_of_projects(findings)

    def _tell_of_projects(self, findings: list[Finding]) -> None:
        if not self.wanted():
            return
        asks = {one.source for one in findings if isinstance(one, Found) and one.project and self._is_new(one)}
        for source in sorted(asks):
            self.say(f"a key in {source} of this project is not used without being asked: o-switcher discover --apply")

    def _is_new(self, one: Found) -> bool:
        return self.registry.standing(fingerprint(one.secret), self.registry.address_of(one))[0] is Standing.NEW

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch from now on."""
        self._loop = loop
        if self._watch is not None:
            self._watch.start(loop)

    def follow(self) -> None:
        """The settings have changed: watch if that is wanted by now, and take over what was not wanted before."""
        if not self.looks():
            self._rest()
        elif self._watch is None and self._loop is not None:
            self._watch = Watch(self.folders, self._changed)
            self._watch.start(self._loop)
        took, self._took = self._took, self.wanted()
        if self._took and not took:
            self._tells = True
            self._changed()

    def look(self) -> None:
        """Notice what the system does not tell; cheap enough to be asked every second."""
        if self._watch is not None:
            self._watch.look()

    def close(self) -> None:
        """Watch no more, whatever the settings come to say."""
        self._rest()
        self._loop = None

    def _rest(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._looking is not None:
            self._looking.cancel()

    def _changed(self) -> None:
        """A file has changed: look again, once more if it changes meanwhile."""
        self._again = True
        if self._loop is not None and (self._looking is None or self._looking.done()):
            self._looking = self._loop.create_task(self._look())

    async def _look(self) -> None:
        while self._again and self.looks():
            self._again = False
            state = await asyncio.to_thread(self.state)
            findings = await asyncio.to_thread(self.survey)
            first = self._logins == Logins()  # nothing was looked at before, so nothing is given again
            again = self._logins.look(findings, *state, LOGINS)
            again = frozenset() if first else again
            try:
                for name in self.registry.given_again(again, "OpenCode"):
                    self.say(f"{name}: its key was given again in OpenCode, so it is tried again")
            finally:
                self._take(findings)
            if self._tells:
                self._tells = False
                self._tell_of_projects(findings)

    def _take(self, findings: list[Finding]) -> None:
        if not self.wanted():
            return
        found = [one for one in findings if isinstance(one, Found)]
        try:
            for profile_id in self.registry.adopt(found):
                source = self.registry.cell.pool.members[profile_id].profile.source
                self.say(f"found a key in {source}: it is {profile_id} now")
        except Refused as error:
            self.say(error.message)
