"""Where a desktop looks for a program: the command on PATH, the menu entry and its icon.

Every file is made by one function and removed by its counterpart; a file of the same name that is not
ours is never replaced or removed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from environment import COMMANDS, Environment
from terminal import Problem

ENTRY = "o-switcher.desktop"
ICON = "o-switcher"
OURS = "X-O-Switcher-Installed=true"


def commands_folder() -> Path:
    """A folder that is on the user's PATH, or on most machines is."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base) / "Microsoft" / "WindowsApps"
    return Path.home() / ".local" / "bin"


def put_commands(environment: Environment) -> list[Path]:
    """Puts the commands on PATH; they keep their address when the environment behind them changes."""
    folder = commands_folder()
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name in COMMANDS:
        source = environment.command(name)
        target = folder / source.name
        if not _is_free(target):
            raise Problem(f"{target} is there already and is not O-Switcher's: move it away and run this again.")
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        if sys.platform == "win32":
            shutil.copyfile(source, part)
        else:
            part.symlink_to(source)
        part.replace(target)
        made.append(target)
    return made


def remove_commands() -> list[Path]:
    """Takes our commands off PATH."""
    suffix = ".cmd" if sys.platform == "win32" else ""
    found = [commands_folder() / (name + suffix) for name in COMMANDS]
    return _unlink([path for path in found if _is_our_command(path)])


def command() -> Path | None:
    """The installed command, if it is there and is ours."""
    path = commands_folder() / (COMMANDS[0] + (".cmd" if sys.platform == "win32" else ""))
    return path if _is_our_command(path) and path.exists() else None


def put_menu_entry(assets: Path) -> list[Path]:
    """A menu entry with its icon. Linux only: elsewhere the command is all there is."""
    if sys.platform != "linux":
        return []
    entry = _share("applications") / ENTRY
    if entry.exists() and OURS not in entry.read_text(encoding="utf-8", errors="replace"):
        raise Problem(f"{entry} is there already and is not O-Switcher's: move it away and run this again.")
    icons = _put_icons(assets)
    entry.parent.mkdir(parents=True, exist_ok=True)
    part = entry.with_suffix(".part")
    icon = ICON if icons else "applications-internet"
    part.write_text(entry_text(commands_folder(), icon, mark=OURS), encoding="utf-8")
    part.replace(entry)
    return [entry, *icons]


def remove_menu_entry() -> list[Path]:
    """Removes entry and icons."""
    if sys.platform != "linux":
        return []
    entry = _share("applications") / ENTRY
    ours = entry.is_file() and OURS in entry.read_text(encoding="utf-8", errors="replace")
    if not ours:
        return []
    icons = _share("icons").glob(f"hicolor/*/apps/{ICON}.*")
    return _unlink([entry, *icons])


def exec_quoted(argument: str) -> str:
    """An argument of an Exec line: quoted by the Desktop Entry Specification, then escaped as its strings are."""
    quoted = '"' + re.sub(r'(["`$\\])', r"\\\1", argument) + '"'
    return quoted.replace("\\", "\\\\").replace("%", "%%")


def entry_text(commands: Path, icon: str, mark: str = "") -> str:
    """The menu entry for the commands in that folder; `mark` is a further line of it."""
    tray = exec_quoted(str(commands / "o-switcher-tray"))
    console = exec_quoted(str(commands / "o-switcher"))
    marked = f"{mark}\n" if mark else ""
    return f"""[Desktop Entry]
Type=Application
Version=1.0
Name=O-Switcher
Comment=Pools your LLM API keys and goes on with the next one when one runs dry
Exec={tray}
Icon={icon}
Terminal=false
Categories=Network;
Keywords=LLM;proxy;API;keys;quota;
StartupNotify=false
Actions=report;
{marked}
[Desktop Action report]
Name=Usage report
Exec={console} report
"""


def _put_icons(assets: Path) -> list[Path]:
    """`o-switcher.svg` and `o-switcher-SIZE.png` out of the assets folder, into the icon theme."""
    made = []
    for source in sorted(assets.glob("o-switcher*")):
        size = re.fullmatch(r"o-switcher-(\d+)\.png", source.name)
        place = f"{size[1]}x{size[1]}" if size else "scalable" if source.name == "o-switcher.svg" else None
        if place:
            target = _share("icons") / "hicolor" / place / "apps" / f"{ICON}{source.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            made.append(target)
    return made


def _share(name: str) -> Path:
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / name


def _is_free(path: Path) -> bool:
    return _is_our_command(path) or not (path.is_symlink() or path.exists())


def _is_our_command(path: Path) -> bool:
    """Ours leads into an installed app's environment, even into one that is gone by now."""
    try:
        leads_to = str(path.readlink()) if path.is_symlink() else ""
        if sys.platform == "win32":
            leads_to = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(r"environments[/\\]app-[\w.-]+[/\\](bin|Scripts)[/\\]", leads_to) is not None


def _unlink(paths: list[Path]) -> list[Path]:
    for path in paths:
        path.unlink(missing_ok=True)
    return paths
