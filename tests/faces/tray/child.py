"""The tray in a process of its own, as a test sees it: commands in, events out, signals, an exit code."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faces.tray.desk import PATIENCE

ROOT = Path(__file__).parents[3]


def woken(pid: int) -> int:
    """How often the threads of a process have gone to sleep of their own will, and so have been woken."""
    files = Path(f"/proc/{pid}/task").glob("*/status")
    lines = [line for file in files for line in file.read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


class Runner:
    """A child that runs the real tray; see `runner`."""

    def __init__(self, environ: dict[str, str], arguments: Sequence[str] = (), wrapper: Sequence[str] = ()) -> None:
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
        clean = {
            **measured,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
        }
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-W", "error", "-m", "tests.faces.tray.runner", *arguments],
            env={**clean, **environ},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._finished: tuple[int, str] | None = None
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.ready = self.event("ready")

    def tell(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def event(self, kind: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next event; anything but the kind asked for is a failure."""
        try:
            event = self.events.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"the runner said no {kind}") from None
        assert event["event"] == kind, event
        return event

    def quiet(self, seconds: float = 0.2) -> bool:
        """Whether it says nothing for so long."""
        time.sleep(seconds)
        return self.events.empty()

    def signal(self, number: signal.Signals) -> float:
        """Send a signal and give back how many seconds it took to end."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        return time.monotonic() - start

    def switches(self) -> int:
        """How often its threads have been woken so far."""
        return woken(self.process.pid)

    def finish(self) -> tuple[int, str]:
        """Its exit code, and what it wrote to stderr; to be asked as often as one likes."""
        if self._finished is None:
            self._finished = self._finish()
        return self._finished

    def _finish(self) -> tuple[int, str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(PATIENCE)
            complaints = self.process.stderr.read()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                stream.close()
        return self.process.returncode, complaints

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put(json.loads(line))
