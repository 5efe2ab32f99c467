"""A process of ours that lives no longer than we do, in a folder that is gone with it.

It speaks in lines: what it says comes on its stdout, what it is told goes to its stdin, whose end is its end as well.
So it ends by itself when this process ends, however that happens.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PREFIX = "companion-"  # so folders are called, beside which nothing else may be
END_S = 10.0  # for it to end in order
_KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "TZ", "LD_LIBRARY_PATH")


class NotStarted(Exception):
    """It does not come up; says why."""


class Companion:
    """One such process, running. `ended` is called, from another thread, when it has ended and its folder is gone."""

    def __init__(
        self,
        command: Sequence[str],
        parent: Path,
        environ: Mapping[str, str],
        more: Callable[[Path], Mapping[str, str]],
        ended: Callable[[], None],
    ) -> None:
        """Start `command`. It gets of `environ` what programs cannot do without, and what `more` makes of its folder.

        Raises:
            NotStarted: it cannot be started.
        """
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        except OSError as error:
            raise NotStarted(f"no folder can be made in {parent}: {error.strerror}") from error
        kept = {name: environ[name] for name in _KEPT if name in environ}
        try:
            self._process = subprocess.Popen(
                [*command, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                cwd=self.folder,
                env={**kept, **more(self.folder)},
            )
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise NotStarted(f"{command[0]} cannot be started: {error.strerror}") from error
        self._turn, self._reading = threading.Lock(), threading.Lock()
        self._gone = threading.Event()
        self._watch = threading.Thread(target=self._outlive, args=(ended,), name="companion", daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def hear(self) -> str:
        """Its next line; nothing once it has ended."""
        assert self._process.stdout is not None  # noqa: S101 - it is piped
        with self._reading, suppress(ValueError):
            return self._process.stdout.readline().strip()
        return ""

    def ask(self, line: str) -> str:
        """Tell it a line, and hear its answer; nothing once it has ended."""
        assert self._process.stdin is not None  # noqa: S101 - it is piped
        with self._turn:
            try:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
            except (OSError, ValueError):
                return ""
            return self.hear()

    def end(self) -> None:
        """End it, and wait until its folder is gone."""
        self._hang_up()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._gone.wait(END_S)

    def _hang_up(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is piped
        with suppress(OSError):  # it may have gone before
            self._process.stdin.close()

    def _outlive(self, ended: Callable[[], None]) -> None:
        self._process.wait()
        self._hang_up()
        assert self._process.stdout is not None  # noqa: S101 - it is piped
        with self._reading:  # whoever reads comes to the end now
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._gone.set()
        ended()


def sweep(parent: Path) -> None:
    """Take away what companions of a process that was killed have left in `parent`."""
    with suppress(OSError):
        for left in parent.glob(f"{PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
