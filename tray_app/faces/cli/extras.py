"""Libraries that only some want: what to do where one is missing."""

from __future__ import annotations

import re
import shutil
import sys
from importlib import metadata, util

from tray_app.control.verbs import Refused

DISTRIBUTION = "o-switcher"


def missing(command: str, library: str) -> Refused:
    """The error for a command whose library is not installed. It names what installs it, in this environment."""
    return Refused(
        "unavailable", f"{command} needs {library}, which is not installed; install it with: {_installs(library)}"
    )


def _installs(library: str) -> str:
    wanted = f"'{_requirement(library)}'"
    if util.find_spec("pip") is not None:
        return f"{sys.executable} -m pip install {wanted}"
    if shutil.which("uv"):
        return f"uv pip install --python {sys.executable} {wanted}"
    return f"python3 -m pip --python {sys.executable} install {wanted}"


def _requirement(library: str) -> str:
    """The versions of that library that this O-Switcher was made for, as its own package states them."""
    try:
        stated = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        stated = []
    found = (one.partition(";")[0].strip() for one in stated if re.match(rf"{library}\b", one))
    return next(found, library)
