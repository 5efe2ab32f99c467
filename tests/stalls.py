"""How long something took, less the time in which the machine was busy with others."""

from __future__ import annotations

import time
from pathlib import Path


class Watch:
    """Measures from where it is made, in the process that asks.

    Linux counts how long each thread was ready to run and was not let (schedstat, the second figure, in ns); elsewhere
    nothing is subtracted.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._stalled = _stalled_s()

    @property
    def seconds(self) -> float:
        taken = time.monotonic() - self._began
        return taken - max(0.0, _stalled_s() - self._stalled)


def _stalled_s() -> float:
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return 0.0
    total = 0
    for thread in tasks.iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[1])
        except (OSError, IndexError):
            continue  # it has ended, or this kernel does not count
    return total / 1e9
