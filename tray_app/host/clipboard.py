"""Put a text on the desktop's clipboard, by whatever the system offers; a secret never stands in an argument.

On Linux programs are asked first (`wl-copy`, `xclip`, `xsel`), since the text then outlives this one; where there is
none, and an X server, this process holds the clipboard itself until somebody else copies something.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tray_app.host.browser import clean

_PATIENCE_S = 3.0
_LOCAL = re.compile(r":(\d+)(?:\.\d+)?")  # a display of this machine
_WAYLAND = (("wl-copy",),)
_X11 = (("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input"))


def copy(text: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `text` is on the clipboard now. May take a moment: not for a thread that serves others."""
    return any(_given(command, text, environ) for command in _commands(environ)) or _held(text, environ)


def _commands(environ: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Programs that take the text on their standard input."""
    if sys.platform == "darwin":
        return [("pbcopy",)]
    if sys.platform == "win32":
        return [("clip",)]
    wanted = [*(_WAYLAND if environ.get("WAYLAND_DISPLAY") else ()), *(_X11 if environ.get("DISPLAY") else ())]
    return [command for command in wanted if shutil.which(command[0], path=environ.get("PATH"))]


def _given(command: tuple[str, ...], text: str, environ: Mapping[str, str]) -> bool:
    data = text.encode("utf-16-le" if sys.platform == "win32" else "utf-8")
    try:
        done = subprocess.run(
            command,
            input=data,
            env=clean(environ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _held(text: str, environ: Mapping[str, str]) -> bool:
    """Whether an X server lets this process hold the clipboard."""
    name = environ.get("DISPLAY", "")
    number = _LOCAL.fullmatch(name)
    if sys.platform in ("darwin", "win32") or number is None:
        return False
    if not Path(f"/tmp/.X11-unix/X{number[1]}").exists():  # noqa: S108  # where X servers of every system listen
        return False
    try:
        holder = _Holder(name, text.encode())
    except Exception:  # no such display, no leave to use it, no library: all mean that it cannot be done
        return False
    threading.Thread(target=holder.serve, name="clipboard", daemon=True).start()
    return True


class _Holder:
    """Owns the CLIPBOARD selection of an X display, and hands its text to whoever asks."""

    def __init__(self, name: str, data: bytes) -> None:
        self._x: Any = importlib.import_module("Xlib.X")
        self._event: Any = importlib.import_module("Xlib.protocol.event")
        display: Any = importlib.import_module("Xlib.display").Display(name)
        self._display, self._data = display, data
        names = ("CLIPBOARD", "TARGETS", "UTF8_STRING", "ATOM")
        self._clipboard, self._targets, self._utf8, self._atom = map(display.intern_atom, names)
        self._string = importlib.import_module("Xlib.Xatom").STRING
        self._window = display.screen().root.create_window(0, 0, 1, 1, 0, 0, self._x.InputOnly)
        self._window.set_selection_owner(self._clipboard, self._x.CurrentTime)
        if display.get_selection_owner(self._clipboard) != self._window:
            display.close()
            raise OSError("another program keeps the clipboard")

    def serve(self) -> None:
        """Answer until another program owns the clipboard, or the display is gone."""
        try:
            while (event := self._display.next_event()).type != self._x.SelectionClear:
                if event.type == self._x.SelectionRequest:
                    self._answer(event)
            self._display.close()
        except Exception:  # the connection has gone, and the clipboard with it
            return

    def _answer(self, asked: Any) -> None:
        place = asked.property or asked.target  # old programs name none
        if asked.target == self._targets:
            asked.requestor.change_property(place, self._atom, 32, [self._targets, self._utf8, self._string])
        elif asked.target in (self._utf8, self._string):
            asked.requestor.change_property(place, asked.target, 8, self._data)
        else:
            place = self._x.NONE
        told = self._event.SelectionNotify(
            time=asked.time,
            requestor=asked.requestor,
            selection=asked.selection,
            target=asked.target,
            property=place,
        )
        asked.requestor.send_event(told)
        self._display.flush()
