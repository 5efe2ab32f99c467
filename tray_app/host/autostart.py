"""Launch at login: an XDG autostart entry on Linux, a LaunchAgent on macOS, a Run value on Windows."""

from __future__ import annotations

import os
import plistlib
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol as Interface

from tray_app.host.home import write_private
from tray_app.host.packed import frozen

LABEL = "io.github.o-switcher"
ENTRY = "o-switcher.desktop"


class Autostart(Interface):
    """Launch at login of this user. `enabled` is None where the system offers none."""

    def enabled(self) -> bool | None: ...

    def program(self) -> str | None: ...

    def set(self, on: bool) -> None: ...


def command_of_this() -> list[str]:
    """How this very program is started again: the installed script, or the interpreter with the package."""
    if frozen():
        return [str(_without_console(Path(sys.executable), "o-switcher-tray"))]
    script = Path(sys.argv[0])
    if script.stem in ("o-switcher", "o-switcher-tray") and script.is_file():
        return [str(_without_console(script.absolute(), "o-switcher-tray"))]
    return [str(_without_console(Path(sys.executable), "pythonw")), "-m", "tray_app"]


def _without_console(program: Path, quiet: str) -> Path:
    """The sibling that opens no console window at login, where Windows has one."""
    sibling = program.with_name(quiet + program.suffix)
    return sibling if sys.platform == "win32" and sibling.is_file() else program


def autostart_here(environ: Mapping[str, str] = os.environ, command: Sequence[str] | None = None) -> Autostart:
    """Launch at login on this system."""
    words = list(command or command_of_this())
    if sys.platform == "darwin":
        return LaunchAgent(Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist", words)
    if sys.platform == "win32":
        return RunValue(words)
    config = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return DesktopEntry(config / "autostart" / ENTRY, words)


class DesktopEntry:
    """`~/.config/autostart/o-switcher.desktop`, after the Desktop Entry and Autostart specifications."""

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        self._path = path
        self._command = command

    def enabled(self) -> bool | None:
        """Whether the entry is there and no desktop has switched it off."""
        try:
            text = self._path.read_text("utf-8", errors="replace")
        except OSError:
            return False
        fields = _main_group(text)
        off = fields.get("Hidden", "").lower() == "true"
        return bool(fields) and not off and fields.get("X-GNOME-Autostart-enabled", "true").lower() != "false"

    def program(self) -> str | None:
        """The program that the entry starts, if that can be told."""
        try:
            line = _main_group(self._path.read_text("utf-8", errors="replace")).get("Exec", "")
        except OSError:
            return None
        found = _WORD.match(_ESCAPE.sub(lambda escape: _UNESCAPED.get(escape[1], escape[1]), line))
        if found is None:
            return None
        word = found[2] if found[1] is None else _ESCAPE.sub(r"\1", found[1])
        return word.replace("%%", "%")

    def set(self, on: bool) -> None:
        """Write the entry, or take it away."""
        if not on:
            self._path.unlink(missing_ok=True)
            return
        write_private(self._path, self.text().encode("utf-8", "surrogateescape"))

    def text(self) -> str:
        """The entry."""
        words = " ".join(quoted(word) for word in self._command)
        return (
            "[Desktop Entry]\nType=Application\nName=O-Switcher\n"
            "Comment=Goes on with the next API key when one runs dry\n"
            f"Exec={words}\nIcon=o-switcher\nTerminal=false\nCategories=Development;\n"
            "X-GNOME-Autostart-enabled=true\n"
        )


def _main_group(text: str) -> dict[str, str]:
    """What stands under `[Desktop Entry]`."""
    fields: dict[str, str] = {}
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == "[Desktop Entry]"
        elif inside and "=" in line:
            name, _, value = line.partition("=")
            fields[name.strip()] = value.strip()
    return fields


_RESERVED = set(" \t\n\r\"'\\><~|&;$*?#()`")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})  # of every string in such a file


_ESCAPE = re.compile(r"\\(.)")
_WORD = re.compile(r'"((?:\\.|[^"\\])*)"|([^\s"]+)')
_UNESCAPED = {"n": "\n", "t": "\t", "r": "\r", "s": " "}


def quoted(word: str) -> str:
    """One word of an Exec line, quoted as the Desktop Entry specification wants it."""
    word = word.replace("%", "%%")
    if word and not _RESERVED & set(word):
        return word
    inner = word.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`").replace("$", "\\$")
    return f'"{inner}"'.translate(_ESCAPES)


class LaunchAgent:
    """A property list in `~/Library/LaunchAgents`."""

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        self._path = path
        self._command = command

    def enabled(self) -> bool | None:
        """Whether the agent is there."""
        try:
            agent = plistlib.loads(self._path.read_bytes())
        except Exception:  # what a damaged list raises differs: ExpatError, InvalidFileException, IndexError
            return False
        return isinstance(agent, dict) and bool(agent.get("RunAtLoad")) and not agent.get("Disabled")

    def program(self) -> str | None:
        """The program that the agent starts, if that can be told."""
        try:
            words = plistlib.loads(self._path.read_bytes()).get("ProgramArguments")
        except Exception:  # what a damaged list raises differs
            return None
        return str(words[0]) if isinstance(words, list) and words else None

    def set(self, on: bool) -> None:
        """Write the agent, or take it away; it counts from the next login on."""
        if not on:
            self._path.unlink(missing_ok=True)
            return
        agent = {
            "Label": LABEL,
            "ProgramArguments": list(self._command),
            "RunAtLoad": True,
            "ProcessType": "Interactive",
            "LimitLoadToSessionType": "Aqua",
        }
        write_private(self._path, plistlib.dumps(agent))


class RunValue:
    """A value under HKCU's Run key, and Task Manager's switch for it."""

    RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
    APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"
    NAME = "O-Switcher"

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    def enabled(self) -> bool | None:
        """Whether the value is there and Task Manager has not switched it off."""
        if sys.platform != "win32":
            return None
        switch = self._read(self.APPROVED)
        off = isinstance(switch, bytes) and bool(switch) and bool(switch[0] & 1)
        return self._read(self.RUN) is not None and not off

    def program(self) -> str | None:
        """The program that the value starts, if that can be told."""
        line = self._read(self.RUN)
        found = re.match(r'"([^"]+)"|(\S+)', line) if isinstance(line, str) else None
        return (found[1] or found[2]) if found else None

    def set(self, on: bool) -> None:
        """Write the value and clear Task Manager's switch, or take the value away."""
        if sys.platform != "win32":
            return
        import winreg

        if on:
            line = subprocess.list2cmdline(list(self._command))
            with winreg.CreateKey(winreg.HKEY_CURRENT_USER, self.RUN) as key:
                winreg.SetValueEx(key, self.NAME, 0, winreg.REG_SZ, line)
        else:
            self._delete(self.RUN)
        self._delete(self.APPROVED)

    def _read(self, path: str) -> object:
        if sys.platform != "win32":
            return None
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, path) as key:
                return winreg.QueryValueEx(key, self.NAME)[0]
        except OSError:
            return None

    def _delete(self, path: str) -> None:
        if sys.platform != "win32":
            return
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, path, access=winreg.KEY_SET_VALUE) as key:
                winreg.DeleteValue(key, self.NAME)
        except FileNotFoundError:
            pass  # there is none
