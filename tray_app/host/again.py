"""This program started anew in its own place: by its installed command, which an update may have led elsewhere.

The process stays the same where the system can do that, so whoever started it (a terminal, a service, a
session) goes on holding it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tray_app.host.packed import frozen

COMMANDS = ("o-switcher", "o-switcher-tray")


def words_of_this() -> list[str]:
    """The command line of this process: the installed script rather than the interpreter that it led to."""
    if frozen():
        return [sys.executable, *sys.argv[1:]]
    script = Path(sys.argv[0])
    if script.name in COMMANDS and os.access(script, os.X_OK):
        return [str(script.absolute()), *sys.argv[1:]]
    return [sys.executable, *sys.orig_argv[1:]]


def start_again() -> int:
    """Become what the command line starts now; the exit code where this process cannot become it."""
    words = words_of_this()
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform == "win32":  # there a process cannot become another one
        subprocess.Popen(words, close_fds=True)
        return 0
    os.execv(words[0], words)  # noqa: S606 - a list of words, no shell
