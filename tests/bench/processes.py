"""The processes of a run: started here, watched from outside, and ended by their own number only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for task in _tasks(pid):
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_s(pid: int) -> float:
    """User and system time that the process and its children have used, in seconds.

    The kernel's own clock of a process: the sum that stands in /proc/PID/stat, without its rounding
    to ticks of 10 ms. Children that have ended are added from there.
    """
    return sum(_clock(one) + _ended_children(one) for one in tree(pid))


def _clock(pid: int) -> float:
    # clock_getcpuclockid(3): the complement of the number, shifted, with the clock of the scheduler
    return time.clock_gettime((~pid << 3) | 2)


def _ended_children(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def memory_mb(pid: int, field: str = "Pss") -> float:
    """A line of /proc/PID/smaps_rollup over the whole tree, in MB of 10^6 bytes."""
    total = 0
    for one in tree(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{field}:"):
                total += int(line.split()[1])
    return total * 1024 / 1e6


def context_switches(pid: int) -> int:
    """How often the threads of the tree have been taken from a processor so far, of their own will or not."""
    total = 0
    for one in tree(pid):
        for task in _tasks(one):
            for line in (task / "status").read_text().splitlines():
                if "ctxt_switches:" in line:
                    total += int(line.split()[1])
    return total


class Child:
    """A process that this run started. Its words go to a file of its own."""

    def __init__(
        self, command: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str] | None = None, pipes: bool = False
    ) -> None:
        self.log = log
        with log.open("ab") as words:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else words,
                stderr=words,
                text=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, line: str) -> str:
        """Say a line to it, and wait for the line that it answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.line()

    def line(self) -> str:
        """The next line that it says."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if not said:
            raise Failed(f"a process ended too early: {self.words()}")
        return said.strip()

    def words(self) -> str:
        """The end of what it complained of."""
        return self.log.read_text("utf-8", "replace").strip()[-2000:] or "it gave no reason"

    def stop(self) -> None:
        """End it: kindly, then not. Safe to call twice."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


class Failed(Exception):
    """The run cannot go on; the text says why."""


def free_port() -> int:
    """A port of the loopback that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def polled(within_s: float, every_s: float = 0.002) -> Iterator[float]:
    """Ticks to poll on, until `within_s` seconds have passed."""
    deadline = time.monotonic() + within_s
    while (left := deadline - time.monotonic()) > 0:
        yield left
        time.sleep(every_s)
