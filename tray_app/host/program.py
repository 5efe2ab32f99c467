"""How this program's command line is started by others, such as an agent: whatever their PATH and folder are."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_SCRIPTS = ("o-switcher", "o-switcher-tray")
UNLED = ("-P",)  # to no module in the folder where it happens to be started, which may be a stranger's


def command_line() -> tuple[str, ...]:
    """The installed script by its whole path, else the interpreter with the package."""
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    script = Path(sys.argv[0])
    if script.stem in _SCRIPTS and script.is_file():
        return (str(script.absolute().with_name(f"{_SCRIPTS[0]}{script.suffix}")),)
    return (sys.executable, *UNLED, "-m", "tray_app")


def needed_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables without which it would not find the files of this very app."""
    home = environ.get("O_SWITCHER_HOME")
    return {"O_SWITCHER_HOME": str(Path(home).absolute())} if home else {}
