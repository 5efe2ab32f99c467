"""pystray's GTK icons, for desktops that only they can serve: a tray of X11's old kind, and nobody who reads ours.

Importing this imports the distribution's PyGObject, from an isolated environment too if it was built for this minor
version of Python; where there is none, ImportError. Notifications go over our own connection to the session bus.
"""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tray_app.faces.tray import session
from tray_app.faces.tray.bus import Bus, Lost, connect
from tray_app.faces.tray.icon import Picture
from tray_app.faces.tray.library import Click, build  # before any backend of pystray
from tray_app.faces.tray.menu import Item
from tray_app.faces.tray.notifications import Note, Notifier, Unseen

DISTRIBUTION = Path("/usr/lib/python3/dist-packages")
_IMAGE_SIZE = 64
_NO_GL = "GDK_GL"  # as "disable" it saves 50 MB


def _backend() -> Any:
    """The AppIndicator one, which moves on to a tray host of the new kind when one comes; else the plain one."""
    asked = os.environ.get(_NO_GL)
    os.environ[_NO_GL] = "disable"
    try:
        for name in ("pystray._appindicator", "pystray._gtk"):
            try:
                return importlib.import_module(name)
            except (ImportError, ValueError, AttributeError):  # as PyGObject says that a library is not there
                continue
    finally:  # programs we start keep the user's own choice
        os.environ.pop(_NO_GL)
        if asked is not None:
            os.environ[_NO_GL] = asked
    raise ImportError("GTK cannot be used")


def find_distributions_own(folder: Path = DISTRIBUTION) -> None:
    """Let PyGObject be found where the distribution keeps it, after everything else."""
    fits = folder / "gi" / f"_gi{sysconfig.get_config_var('EXT_SUFFIX')}"
    if str(folder) not in sys.path and fits.exists():
        sys.path.append(str(folder))


find_distributions_own()
_gtk: Any = _backend()
_glib: Any = importlib.import_module("gi.repository.GLib")


class Icon(_gtk.Icon):  # type: ignore[misc]  # untyped
    """A pystray icon. `icon` is a `Picture`, `menu` a tuple of our items. `post` and `end` are for any thread."""

    watched = False  # what changes while a menu is open would close it

    def __init__(
        self, name: str, picture: Picture, title: str, menu: tuple[Item, ...], click: Click, unseen: Unseen
    ) -> None:
        self._files = _Files(_folder())
        super().__init__(name, picture, title, build(menu, click))
        self.opening: Callable[[], None] = lambda: None
        self.woke: Callable[[], None] = lambda: None
        self.session_ended: Callable[[str], None] = lambda _: None
        self._click = click
        self._unseen = unseen
        self._buses: list[Bus] = []
        self._notes: Notifier | None = None

    def put_up(self, done: Callable[[], None]) -> None:
        self.visible = True
        done()

    def post(self, work: Callable[[], None]) -> None:
        _glib.idle_add(self._do, work)

    def end(self) -> None:
        self._stop()

    @property
    def menu(self) -> Any:
        return self._menu

    @menu.setter
    def menu(self, items: tuple[Item, ...]) -> None:
        _gtk.Icon.menu.fset(self, build(items, self._click))

    def show_note(self, note: Note) -> None:
        """Show a message, where there is a session bus with a daemon for it."""
        if self._notes is None:
            self._unseen(note.title, note.message)
        else:
            self._notes.send(note, self.icon if note.look is None else Picture(note.look))
            self._flush()

    def _do(self, work: Callable[[], None]) -> bool:
        """False: once is enough."""
        try:
            work()
        except Exception:
            self._log.exception("work for the tray failed")
        return False

    def _initialize(self) -> None:
        """As pystray's, without its handler for SIGINT and its blocking search for a notification daemon."""
        try:
            bus = connect()
        except Lost:
            pass
        else:
            self._notes = Notifier(bus, self._click, self._unseen)
            self._listen_to(bus)
        machine = session.listen(self.woke, self.session_ended)
        if machine is not None:
            self._listen_to(machine)
        self._mark_ready()

    def _finalize(self) -> None:
        self._files.remove()
        for bus in self._buses:
            bus.close()

    def _listen_to(self, bus: Bus) -> None:
        self._buses.append(bus)
        _glib.io_add_watch(bus.fileno(), _glib.IO_IN | _glib.IO_HUP, lambda *_: self._hear(bus))
        self._flush()

    def _hear(self, bus: Bus) -> bool:
        """Whether to go on listening."""
        try:
            bus.receive()
            bus.flush()
        except Lost:
            self._buses.remove(bus)
            bus.close()
            return False
        return True

    def _flush(self) -> None:
        for bus in self._buses:
            try:
                bus.flush()
            except Lost:  # told again where it is heard
                continue

    def _on_status_icon_popup_menu(self, *arguments: Any) -> None:
        """Only the plain backend calls this. pystray draws a new menu when it is told to, in a moment of its own."""
        self.opening()
        _glib.idle_add(self._do, lambda: super(Icon, self)._on_status_icon_popup_menu(*arguments))

    # the picture, in a file that its reader can tell from the last one

    def _update_fs_icon(self) -> None:
        self._icon_path = self._files.write(self.icon)
        self._icon_valid = True

    def _remove_fs_icon(self) -> None:
        self._icon_valid = False


class _Files:
    """The icon as a file of its own for each version: GTK and its hosts keep what they have read under a name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self.remove()  # what a process that was killed has left

    def write(self, picture: Picture) -> str:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        before, self._number = self._path(), self._number + 1
        self._path().write_bytes(picture.png(_IMAGE_SIZE))
        before.unlink(missing_ok=True)
        return str(self._path())

    def remove(self) -> None:
        if self._folder.is_dir():
            for path in self._folder.glob("*.png"):
                path.unlink(missing_ok=True)
            self._folder.rmdir()

    def _path(self) -> Path:
        return self._folder / f"{os.getpid()}-{self._number}.png"


def _folder() -> Path:
    import tempfile

    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"o-switcher-icons-{os.getuid()}"
