"""Whether this machine can show a tray, asked before one is started, and the one line to say if it cannot."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.faces.tray import language
from tray_app.faces.tray.texts import Texts

WATCHER = "org.kde.StatusNotifierWatcher"  # where Linux desktops keep their tray icons


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a tray is worth starting, and the one line to tell people, if there is one.

    `headless`: nobody sits at a desktop here, so that none is missed.
    """

    ok: bool
    line: str | None = None
    headless: bool = False
    gtk: bool = False  # only GTK's icons can be shown
    hostless: bool = False  # the desktop is there, but nothing on it that shows icons


def available(environ: Mapping[str, str] = os.environ) -> Availability:
    """Whether this machine can show a tray now, or may later. Takes a few milliseconds."""
    words = language.choose(language.wanted(environ))
    if sys.platform in ("darwin", "win32"):
        return _available_natively(words)
    return _available_on_linux(words, environ)


def _available_natively(words: Texts) -> Availability:
    try:
        from tray_app.faces.tray import library  # noqa: F401
    except Exception as error:  # pystray raises what the system's own libraries raise
        return Availability(False, words.no_library.format(reason=error))
    if sys.platform == "darwin":
        import Quartz

        if Quartz.CGSessionCopyCurrentDictionary() is None:  # e.g. over ssh
            return Availability(False, words.no_session, headless=True)
    return Availability(True)


def _available_on_linux(words: Texts, environ: Mapping[str, str]) -> Availability:
    try:
        from tray_app.faces.tray import bus
    except ImportError as error:
        return Availability(False, words.no_library.format(reason=error))
    if _only_gtk_can(environ):
        return Availability(True, gtk=True)
    if not bus.addresses(environ):
        desktop = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
        return Availability(False, words.no_bus if desktop else words.no_session, headless=not desktop)
    try:
        hosted = bus.has_owner(WATCHER, environ)
        return Availability(True, None if hosted else words.no_host, hostless=not hosted)
    except bus.Lost as lost:
        return Availability(False, words.bus_refused.format(reason=lost))


def _only_gtk_can(environ: Mapping[str, str]) -> bool:
    """Whether nobody reads icons of our own, but an X11 tray is there, and PyGObject to fill it."""
    from tray_app.faces.tray import bus, x11

    try:
        if bus.addresses(environ) and bus.has_owner(WATCHER, environ):
            return False
    except bus.Lost:
        pass
    if not x11.has_tray(environ):
        return False
    try:
        from tray_app.faces.tray import gtk  # noqa: F401
    except ImportError:
        return False
    return True
