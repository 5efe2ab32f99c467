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

from environment import CHECKOUT, COMMANDS, Environment
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
        part = _part_of(target)
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
    for name in COMMANDS:
        _part_of(command_path(name)).unlink(missing_ok=True)
    return _unlink([path for path in map(command_path, COMMANDS) if _is_our_command(path)])


def command_path(name: str = COMMANDS[0]) -> Path:
    """The address of a command, which stays the same when the environment behind it changes."""
    return commands_folder() / (name + (".cmd" if sys.platform == "win32" else ""))


def command() -> Path | None:
    """The installed command, if it is ours; what it leads to may be gone."""
    path = command_path()
    return path if _is_our_command(path) else None


def leads_to() -> Path | None:
    """The environment that the installed command leads into."""
    path = command()
    if path is None:
        return None
    found = re.search(r"(.*environments[/\\]app-[\w.-]+)[/\\]", _aim(path))
    return Path(found[1].lstrip('@"')) if found else None


def look_whether_free() -> None:
    """Refuses to replace what is somebody else's, before anything is made.

    Raises:
        Problem: something is in the way.
    """
    for path in map(command_path, COMMANDS):
        if not _is_free(path):
            raise Problem(f"{path} is there already and is not O-Switcher's: move it away and run this again.")
    entry = _share("applications") / ENTRY
    if sys.platform == "linux" and entry.exists() and OURS not in entry.read_text(encoding="utf-8", errors="replace"):
        raise Problem(f"{entry} is there already and is not O-Switcher's: move it away and run this again.")


def folders() -> list[Path]:
    """The folders that commands, menu entry, icons and launch at login are put into."""
    found = [commands_folder()]
    if sys.platform == "linux":
        icons = {_share("icons") / "hicolor" / size / "apps" for size in ("scalable", *_sizes())}
        found += [_share("applications"), *sorted(icons), _config() / "autostart"]
    return found


def put_menu_entry(assets: Path) -> list[Path]:
    """A menu entry with its icon. Linux only: elsewhere the command is all there is."""
    if sys.platform != "linux":
        return []
    entry = _share("applications") / ENTRY
    icons = _put_icons(assets)
    entry.parent.mkdir(parents=True, exist_ok=True)
    part = _part_of(entry)
    icon = ICON if icons else "applications-internet"
    part.write_text(entry_text(commands_folder(), icon, mark=OURS), encoding="utf-8")
    part.replace(entry)
    return [entry, *icons]


def remove_menu_entry() -> list[Path]:
    """Removes entry and icons; the entry last, since it is what says that the icons are ours."""
    if sys.platform != "linux":
        return []
    entry = _share("applications") / ENTRY
    for left in (_part_of(entry), *_share("icons").glob(f"hicolor/*/apps/.{ICON}.*.part")):
        left.unlink(missing_ok=True)
    ours = entry.is_file() and OURS in entry.read_text(encoding="utf-8", errors="replace")
    if not ours:
        return []
    icons = _share("icons").glob(f"hicolor/*/apps/{ICON}.*")
    return _unlink([*icons, entry])


def remove_autostart() -> None:
    """Removes a launch at login that starts our command, where the app itself could not."""
    if sys.platform != "linux":
        return  # there only the app knows how
    entry = _config() / "autostart" / ENTRY
    try:
        ours = re.search(r"^Exec=.*o-switcher", entry.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    except OSError:
        return
    if ours:
        entry.unlink(missing_ok=True)


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
            part = _part_of(target)
            shutil.copyfile(source, part)
            part.replace(target)
            made.append(target)
    return made


def _share(name: str) -> Path:
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / name


def _config() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(base) if base.startswith("/") else Path.home() / ".config"


def _sizes() -> list[str]:
    """The folders of the icon theme that drawn icons go into."""
    found = (re.fullmatch(r"o-switcher-(\d+)\.png", path.name) for path in (CHECKOUT / "assets").glob("o-switcher-*"))
    return [f"{size[1]}x{size[1]}" for size in found if size]


def _part_of(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(f".{path.name}.part")


def _is_free(path: Path) -> bool:
    return _is_our_command(path) or not (path.is_symlink() or path.exists())


def _is_our_command(path: Path) -> bool:
    """Ours leads into an installed app's environment, even into one that is gone by now."""
    return re.search(r"environments[/\\]app-[\w.-]+[/\\](bin|Scripts)[/\\]", _aim(path)) is not None


def _aim(path: Path) -> str:
    """Where a command leads to, as its link or its script says."""
    try:
        if sys.platform == "win32":
            return path.read_text(encoding="utf-8")
        return str(path.readlink()) if path.is_symlink() else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _unlink(paths: list[Path]) -> list[Path]:
    for path in paths:
        path.unlink(missing_ok=True)
    return paths
