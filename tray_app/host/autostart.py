"""Launch at login: an XDG autostart entry on Linux, a LaunchAgent on macOS, a Run value on Windows.

Each system has a switch of its own beside what we write: what is told is what will happen, and who said so.
"""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol as Interface

from tray_app.host.home import write_private
from tray_app.host.packed import frozen
from tray_app.host.program import UNLED

LABEL = "io.github.o-switcher"
ENTRY = "o-switcher.desktop"
LIST_S = 60.0


class Autostart(Interface):
    """Launch at login of this user. `enabled` is None where the system offers none."""

    def enabled(self) -> bool | None: ...

    def switched_off(self) -> str | None:
        """Where it was asked for, and somebody else has switched it off: who, in words."""

    def program(self) -> str | None: ...

    def set(self, on: bool) -> None: ...


def command_of_this() -> list[str]:
    """How this very program is started again: the installed script, or the interpreter with the package."""
    if frozen():
        return [str(_without_console(Path(sys.executable), "o-switcher-tray"))]
    script = Path(sys.argv[0])
    if script.stem in ("o-switcher", "o-switcher-tray") and script.is_file():
        return [str(_without_console(script.absolute(), "o-switcher-tray"))]
    return [str(_without_console(Path(sys.executable), "pythonw")), *UNLED, "-m", "tray_app"]


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
    desktops = [name for name in environ.get("XDG_CURRENT_DESKTOP", "").split(":") if name]
    return DesktopEntry(config / "autostart" / ENTRY, words, desktops)


def words_on(state: bool | None) -> str:
    """Launch at login in one word or two."""
    return {True: "on", False: "off", None: "not offered on this system"}[state]


def told(here: Autostart) -> str:
    """Launch at login as it will happen: on or off, who has switched it off, and whether what it starts is there."""
    state = here.enabled()
    if state is False and (who := here.switched_off()):
        return f"launch at login is off: {who}; to have it again: o-switcher autostart enable"
    if state and (program := here.program()) is not None and shutil.which(program) is None:
        return f"launch at login starts {program}, which is not there any more; mend it: o-switcher autostart enable"
    return f"launch at login is {words_on(state)}"


def follow(here: Autostart) -> bool:
    """After a move of the installation: let login start this program, where what it was to start has gone.

    Raises:
        OSError: it cannot be changed.
    """
    program = here.program() if here.enabled() else None
    if program is None or shutil.which(program) is not None:
        return False
    here.set(True)
    return True


class DesktopEntry:
    """`~/.config/autostart/o-switcher.desktop`, after the Desktop Entry and Autostart specifications.

    `desktops` are the names by which the running desktop calls itself.
    """

    def __init__(self, path: Path, command: Sequence[str], desktops: Sequence[str] = ()) -> None:
        self._path = path
        self._command = command
        self._desktops = desktops

    def enabled(self) -> bool | None:
        """Whether the entry is there and no desktop has switched it off."""
        return bool(self._fields()) and self.switched_off() is None

    def switched_off(self) -> str | None:
        """Which line of the entry keeps desktops from starting it."""
        fields = self._fields()
        for key, off in (("Hidden", "true"), ("X-GNOME-Autostart-enabled", "false")):
            if fields.get(key, "").lower() == off:
                return f"the desktop's settings have switched it off ({key}={off} in {self._path})"
        if "XFCE" in self._desktops and fields.get("X-XFCE-Autostart-Override", "").lower() == "true":
            return None  # there a person has said that it is to start all the same
        for key, wanted in (("OnlyShowIn", False), ("NotShowIn", True)):
            named = [name for name in fields.get(key, "").split(";") if name]
            if key in fields and self._desktops and any(one in named for one in self._desktops) is wanted:
                return f"it is not for this desktop ({key}={fields[key]} in {self._path})"
        return None

    def _fields(self) -> dict[str, str]:
        try:
            return _main_group(self._path.read_text("utf-8", errors="replace"))
        except OSError:
            return {}

    def program(self) -> str | None:
        """The program that the entry starts, if that can be told."""
        line = self._fields().get("Exec", "")
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


def launchctl(*words: str) -> str:
    """What launchd's own program says; empty where it says nothing."""
    try:
        done = subprocess.run(["launchctl", *words], capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


class LaunchAgent:
    """A property list in `~/Library/LaunchAgents`, and launchd's own list of what is disabled.

    What is forbidden under Login Items in the system's settings cannot be read without being root.
    """

    def __init__(self, path: Path, command: Sequence[str], ask: Callable[..., str] = launchctl) -> None:
        self._path = path
        self._command = command
        self._ask = ask
        self._listed: tuple[float, str] | None = None

    def enabled(self) -> bool | None:
        """Whether the agent is there and nobody has disabled it."""
        return bool(self._agent().get("RunAtLoad")) and self.switched_off() is None

    def switched_off(self) -> str | None:
        """Whether the agent or launchd says that it is disabled."""
        agent = self._agent()
        if agent.get("Disabled"):
            return f"Disabled stands in {self._path}"
        if agent and re.search(rf'"{re.escape(LABEL)}"\s*=>\s*(disabled|true)\b', self._disabled()):
            return "launchctl has disabled it"
        return None

    def _disabled(self) -> str:
        """What launchd lists; asked at most once a minute, since the tray looks often."""
        now = time.monotonic()
        if self._listed is None or now - self._listed[0] > LIST_S:
            self._listed = now, self._ask("print-disabled", _domain())
        return self._listed[1]

    def _agent(self) -> dict[str, object]:
        try:
            agent = plistlib.loads(self._path.read_bytes())
        except Exception:  # what a damaged list raises differs: ExpatError, InvalidFileException, IndexError
            return {}
        return agent if isinstance(agent, dict) else {}

    def program(self) -> str | None:
        """The program that the agent starts, if that can be told."""
        words = self._agent().get("ProgramArguments")
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
        self._ask("enable", f"{_domain()}/{LABEL}")
        self._listed = None


def _domain() -> str:
    """This user's session, as launchd calls it."""
    return f"gui/{os.getuid()}" if hasattr(os, "getuid") else "gui"


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
        return self._read(self.RUN) is not None and self.switched_off() is None

    def switched_off(self) -> str | None:
        """Whether Task Manager, or the system's settings, have switched the value off."""
        switch = self._read(self.APPROVED)
        if self._read(self.RUN) is not None and isinstance(switch, bytes) and switch and switch[0] & 1:
            return "the Startup apps of Task Manager and of Windows' settings have switched it off"
        return None

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
