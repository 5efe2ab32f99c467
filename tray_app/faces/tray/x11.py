"""Trays of X11's old kind: whether a window of this display embeds icons."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LOCAL = re.compile(r":(\d+)(?:\.(\d+))?")  # a display of this machine, and its screen


def has_tray(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody there embeds icons now. Where there is no display that can be asked: no."""
    named = _LOCAL.fullmatch(environ.get("DISPLAY", ""))
    if named is None or not Path(f"/tmp/.X11-unix/X{named[1]}").exists():  # noqa: S108  # where every X server listens
        return False
    try:
        display: Any = importlib.import_module("Xlib.display").Display(named[0])
    except Exception:  # no leave to use it, no library: nobody can be asked
        return False
    try:
        selection = display.intern_atom(f"_NET_SYSTEM_TRAY_S{named[2] or display.get_default_screen()}")
        return bool(display.get_selection_owner(selection))
    finally:
        display.close()
