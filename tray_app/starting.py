"""What every start does first, and before the app's parts are imported: it claims the instance, or says why not.

Nothing heavy is imported here: on a desktop the icon is shown next, and only then is the rest built.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tray_app.host import instance
from tray_app.host.home import private_folder

if TYPE_CHECKING:
    from tray_app.host.home import Home

_ANNOUNCED_WITHIN_S = 5.0
_LOOK_S = 0.1


class CannotStart(Exception):
    """Says why, and what to do."""


class AlreadyRunning(Exception):
    """Another process of this user is the app. `running` is what it announced, if anything."""

    def __init__(self, running: instance.Running | None) -> None:
        super().__init__("O-Switcher is already running")
        self.running = running


def claim(home: Home) -> instance.Instance:
    """Become the one app of this user.

    Raises:
        CannotStart: its folders cannot be written.
        AlreadyRunning: another process is the app.
    """
    try:
        for folder in home.folders:
            private_folder(folder)
        claimed = instance.claim(home.lock, home.running)
    except OSError as error:
        raise CannotStart(f"{error.filename or home.lock.parent} cannot be written: {error.strerror}") from error
    if claimed is None:
        raise AlreadyRunning(_running_soon(home.running))
    return claimed


def _running_soon(path: Path) -> instance.Running | None:
    """What the other process announced; it may still be starting."""
    for _ in range(round(_ANNOUNCED_WITHIN_S / _LOOK_S)):
        if (running := instance.find_running(path)) is not None:
            return running
        time.sleep(_LOOK_S)
    return None


def ending_signals() -> Iterable[signal.Signals]:
    """Those that ask a program to end, as far as this system has them; not the hangup that `nohup` has it ignore."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    there = (getattr(signal, name) for name in names if hasattr(signal, name))
    return [one for one in there if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]
