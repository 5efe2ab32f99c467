"""What surrounds the app where it is started without a console, or frozen by a packer: put in order first of all.

Without a console (`pythonw`, a frozen program without a window) there are no standard streams, and writing to none is
an error. A frozen program's own libraries reach the variables that its children would inherit: a browser or a coding
agent that is started from here must find its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

LIBRARIES = "LD_LIBRARY_PATH"


def frozen() -> bool:
    """Whether the app is frozen: its interpreter is the app, and nothing can be installed into it."""
    return bool(getattr(sys, "frozen", False))


def settle(environ: MutableMapping[str, str] = os.environ) -> None:
    """Give the streams that are missing, and children the variables of the user."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # as long as the process
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    if frozen():
        give_back(environ)


def give_back(environ: MutableMapping[str, str]) -> None:
    """Undo what the packer has set: the user's own value is kept under `_ORIG`. Libraries are found already."""
    own = environ.pop(f"{LIBRARIES}_ORIG", None)
    environ.pop(LIBRARIES, None)
    if own is not None:
        environ[LIBRARIES] = own
