"""One app a user: the lock, and `running.json`, by which commands find the running app."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from tray_app.host.home import private_folder, write_private

CLAIM_S = 0.2  # a command that only looks whether somebody holds the lock holds it for a moment itself


class Running(msgspec.Struct, frozen=True):
    """Who is running, and how to talk to it. The token is for this user's commands only."""

    pid: int
    url: str
    admin_token: str
    started_at: int
    version: str

    def __repr__(self) -> str:
        return f"Running(pid={self.pid}, url={self.url!r}, version={self.version!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("pid", self.pid), ("url", self.url), ("version", self.version)]


@dataclass(slots=True)
class Instance:
    """The right to be the one app. Hold it while running; `release` gives it up."""

    _lock: FileLock
    _running: Path

    def announce(self, running: Running) -> None:
        """Let commands find us."""
        write_private(self._running, msgspec.json.format(msgspec.json.encode(running), indent=2))

    def release(self) -> None:
        """Take the announcement back and free the lock."""
        with suppress(OSError):  # there may be none, or what cannot be taken away
            self._running.unlink()
        self._lock.release()


def claim(lock: Path, running: Path) -> Instance | None:
    """Become the one app, or None if another process is."""
    private_folder(lock.parent)
    held = FileLock(lock, mode=0o600, thread_local=False)  # given back by whichever thread stops the app
    try:
        held.acquire(timeout=CLAIM_S)
    except Timeout:
        return None
    running.unlink(missing_ok=True)  # of a process that was killed: nobody may be sent there any more
    return Instance(held, running)


def lives(lock: Path) -> bool:
    """Whether a process holds the lock. An announcement without it was left by one that was killed:

    whatever answers at its address now is not ours, and must not be given a key or a token.
    """
    if not lock.exists():
        return False
    probe = FileLock(lock, mode=0o600, thread_local=False)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return True
    probe.release()
    return False


def find_running(path: Path) -> Running | None:
    """The app that `running.json` names, whether or not it still lives."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError):
        return None
