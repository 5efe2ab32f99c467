"""Runs one of the set-up scripts and kills its process right before the Nth thing that it does to the disk.

    python killed.py N SCRIPT ARGUMENTS...      # N = 0: to the end; then the steps stand in the file that STEPS names

The interpreter itself tells of each step (an audit hook), so nothing in the scripts knows of it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "subprocess.Popen"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
AT = int(sys.argv[1])
steps: list[str] = []


def see(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        if not isinstance(arguments[2], int) or not arguments[2] & WRITING or isinstance(arguments[0], int):
            return
    elif event not in CHANGES:
        return
    steps.append(f"{event} {arguments[0]}")
    if len(steps) == AT:
        os.kill(os.getpid(), signal.SIGKILL)


sys.argv = sys.argv[2:]
sys.path[0] = str(Path(sys.argv[0]).parent)
sys.addaudithook(see)
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    AT = 0
    if "STEPS" in os.environ:
        Path(os.environ["STEPS"]).write_text("\n".join(steps))
