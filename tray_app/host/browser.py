"""Open an address in the user's browser."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Mapping
from pathlib import Path

_BUNDLE_VARIABLES = (
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "GTK_PATH",
    "GTK_EXE_PREFIX",
    "GTK_DATA_PREFIX",
    "GIO_MODULE_DIR",
    "GDK_PIXBUF_MODULE_FILE",
    "GSETTINGS_SCHEMA_DIR",
    "PYTHONHOME",
    "PYTHONPATH",
)


def open_in_browser(url: str) -> bool:
    """Whether a browser could be asked to open `url`."""
    if sys.platform != "linux":
        return webbrowser.open(url)
    try:
        opener = subprocess.Popen(
            ["xdg-open", url],
            env=clean(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return webbrowser.open(url)
    # it may live as long as the browser; without someone who waits it would stay as a zombie
    threading.Thread(target=opener.wait, name="browser", daemon=True).start()
    return True


def open_folder(path: str) -> bool:
    """Whether a file manager could be asked to show that folder."""
    return open_in_browser(Path(path).as_uri())


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """What a browser may inherit: a program packed with its own libraries must not hand them on.

    Packers keep the user's own value of such a variable under its name with `_ORIG`.
    """
    kept = {name: value for name, value in environ.items() if name not in _BUNDLE_VARIABLES}
    own = {name: kept.pop(f"{name}_ORIG") for name in _BUNDLE_VARIABLES if f"{name}_ORIG" in kept}
    return {**kept, **own}
