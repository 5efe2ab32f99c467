"""Open an address in the user's browser."""

from __future__ import annotations

import os
import subprocess
import sys
import webbrowser

_BUNDLE_VARIABLES = (
    "LD_LIBRARY_PATH",
    "GTK_PATH",
    "GIO_MODULE_DIR",
    "GDK_PIXBUF_MODULE_FILE",
    "PYTHONHOME",
    "PYTHONPATH",
)


def open_in_browser(url: str) -> bool:
    """Whether a browser could be asked to open `url`."""
    if sys.platform != "linux":
        return webbrowser.open(url)
    # a program packed with its own libraries must not hand them to the browser
    environment = {name: value for name, value in os.environ.items() if name not in _BUNDLE_VARIABLES}
    try:
        subprocess.Popen(
            ["xdg-open", url],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return webbrowser.open(url)
    return True
