"""Launch at login on three systems, the other two by their files and a small registry."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.host import autostart
from tray_app.host.autostart import (
    DesktopEntry,
    LaunchAgent,
    RunValue,
    autostart_here,
    command_of_this,
    follow,
    quoted,
    told,
)

COMMAND = ["/home/me/.local/bin/o-switcher"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "autostart" / "o-switcher.desktop"


# -- what is started


def test_the_installed_script_is_started_by_its_own_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "o-switcher"
    script.touch()
    monkeypatch.chdir(tmp_path)
    for given_name in (str(script), "./o-switcher"):
        monkeypatch.setattr(sys, "argv", [given_name, "autostart", "enable"])
        assert [Path(word).resolve() for word in command_of_this()] == [script]
        assert Path(command_of_this()[0]).is_absolute()


@pytest.mark.parametrize("name", ["/nowhere/o-switcher", "/usr/lib/python3/tray_app/__main__.py", "-c", ""])
def test_without_a_script_the_interpreter_is_started_with_the_package(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    assert command_of_this() == [sys.executable, "-P", "-m", "tray_app"]


def test_a_packed_program_starts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert command_of_this() == [sys.executable]


def test_a_packed_program_on_windows_starts_the_one_without_a_console(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "o-switcher.exe"))
    (tmp_path / "o-switcher-tray.exe").touch()
    assert command_of_this() == [str(tmp_path / "o-switcher-tray.exe")]


def test_windows_gets_the_program_without_a_console(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    for name in ("o-switcher.exe", "o-switcher-tray.exe", "python.exe", "pythonw.exe"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "o-switcher.exe")])
    assert command_of_this() == [str(tmp_path / "o-switcher-tray.exe")]
    (tmp_path / "o-switcher-tray.exe").unlink()
    assert command_of_this() == [str(tmp_path / "o-switcher.exe")]
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python.exe"))
    assert command_of_this() == [str(tmp_path / "pythonw.exe"), "-P", "-m", "tray_app"]


HERE = [("linux", DesktopEntry), ("freebsd14", DesktopEntry), ("darwin", LaunchAgent), ("win32", RunValue)]


@pytest.mark.parametrize(("platform", "kind"), HERE, ids=[row[0] for row in HERE])
def test_each_system_has_its_own_way(monkeypatch: pytest.MonkeyPatch, platform: str, kind: type) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert isinstance(autostart_here({}), kind)


def test_the_entry_is_where_the_desktop_looks(tmp_path: Path) -> None:
    here = autostart_here({"XDG_CONFIG_HOME": str(tmp_path)}, COMMAND)
    here.set(True)
    assert (tmp_path / "autostart" / "o-switcher.desktop").is_file()
    assert here.enabled() is True


# -- Linux


def test_an_entry_is_written_and_taken_away(path: Path) -> None:
    entry = DesktopEntry(path, COMMAND)
    assert entry.enabled() is False
    entry.set(True)
    assert entry.enabled() is True
    assert f"Exec={COMMAND[0]}\n" in path.read_text()
    entry.set(False)
    entry.set(False)
    assert entry.enabled() is False
    assert not path.exists()


OFF = [
    ("hidden", "Hidden=true", False),
    ("hidden in capitals", "Hidden=TRUE", False),
    ("hidden with blanks", "Hidden = true ", False),
    ("not hidden", "Hidden=false", True),
    ("off in GNOME", "X-GNOME-Autostart-enabled=false", False),
    ("on in GNOME", "X-GNOME-Autostart-enabled=true", True),
    ("both", "X-GNOME-Autostart-enabled=true\nHidden=true", False),
    ("a comment", "#Hidden=true", True),
    ("another group", "[Desktop Action New]\nHidden=true", True),
    ("a value with a sign of equality", "Comment=a=b", True),
]


@pytest.mark.parametrize(("line", "on"), [row[1:] for row in OFF], ids=[row[0] for row in OFF])
def test_a_desktop_can_switch_it_off(path: Path, line: str, on: bool) -> None:
    entry = DesktopEntry(path, COMMAND)
    path.parent.mkdir()
    path.write_text(f"[Desktop Entry]\nType=Application\nName=x\nExec=x\n{line}\n")
    assert entry.enabled() is on
    entry.set(True)
    assert entry.enabled() is True


SHOWN = [
    ("OnlyShowIn=GNOME;", ["XFCE"], False),
    ("OnlyShowIn=GNOME;XFCE;", ["XFCE"], True),
    ("OnlyShowIn=GNOME;", [], True),
    ("OnlyShowIn=GNOME;\nX-XFCE-Autostart-Override=true", ["XFCE"], True),
    ("OnlyShowIn=GNOME;\nX-XFCE-Autostart-Override=true", ["KDE"], False),
    ("Hidden=true\nX-XFCE-Autostart-Override=true", ["XFCE"], False),
    ("NotShowIn=XFCE;", ["XFCE"], False),
    ("NotShowIn=XFCE;", ["ubuntu", "GNOME"], True),
    ("NotShowIn=GNOME;", ["ubuntu", "GNOME"], False),
]


@pytest.mark.parametrize(("line", "desktops", "on"), SHOWN, ids=str)
def test_an_entry_can_be_for_some_desktops_only(path: Path, line: str, desktops: list[str], on: bool) -> None:
    path.parent.mkdir()
    path.write_text(f"[Desktop Entry]\nType=Application\nName=x\nExec=x\n{line}\n")
    here = DesktopEntry(path, COMMAND, desktops)
    assert here.enabled() is on
    assert (here.switched_off() is None) is on


def test_the_desktop_says_its_name(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_CURRENT_DESKTOP": "ubuntu:GNOME"}
    autostart_here(environ, COMMAND).set(True)
    entry = tmp_path / "autostart" / "o-switcher.desktop"
    entry.write_text(entry.read_text() + "NotShowIn=GNOME\n")
    assert autostart_here(environ, COMMAND).enabled() is False
    assert autostart_here(environ | {"XDG_CURRENT_DESKTOP": "KDE"}, COMMAND).enabled() is True


def test_who_switched_it_off_is_told_and_how_to_have_it_again(path: Path) -> None:
    here = DesktopEntry(path, [sys.executable])
    assert told(here) == "launch at login is off"
    here.set(True)
    assert told(here) == "launch at login is on"
    path.write_text(path.read_text() + "Hidden=true\n")
    assert told(here) == (
        f"launch at login is off: the desktop's settings have switched it off (Hidden=true in {path}); "
        "to have it again: o-switcher autostart enable"
    )


def test_a_moved_installation_is_followed_but_never_against_a_will(path: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old" / "o-switcher", tmp_path / "new" / "o-switcher"
    for script in (old, new):
        script.parent.mkdir()
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
    there, moved = DesktopEntry(path, [str(old)]), DesktopEntry(path, [str(new)])
    assert follow(moved) is False, "it was never asked for"
    there.set(True)
    assert follow(moved) is False, "what it starts is there"
    old.unlink()
    assert "which is not there any more" in told(moved)
    text = path.read_text()
    path.write_text(text + "Hidden=true\n")
    assert follow(moved) is False, "the desktop has switched it off"
    path.write_text(text)
    assert follow(moved) is True
    assert (moved.program(), told(moved)) == (str(new), "launch at login is on")


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"Exec=x\n"], ids=["empty", "no text", "no group"])
def test_a_file_that_is_no_entry_is_off(path: Path, data: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    assert DesktopEntry(path, COMMAND).enabled() is False


def test_a_folder_that_may_not_be_written_is_an_error() -> None:
    with shared_folder() as folder, ordinary_user():
        folder.chmod(0o500)
        with pytest.raises(PermissionError):
            DesktopEntry(folder / "autostart" / "x.desktop", COMMAND).set(True)
        folder.chmod(0o700)


ODD = [
    ["/usr/bin/o-switcher"],
    ["/home/me/my apps/o-switcher"],
    ["/home/me/it's/o-switcher", "--flag=a b"],
    ['/home/me/"quoted"/o-switcher'],
    ["/home/me/back\\slash/o-switcher"],
    ["/home/me/100%/o-switcher", "%f", "%%"],
    ["/home/me/$HOME/`id`/o-switcher", "a;b&c|d>e<f(g)h*i?j#k~l"],
    ["/home/me/ümläut/o-switcher"],
    ["/home/me/tab\there/o-switcher", ""],
]


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-validate is not here")
@pytest.mark.parametrize("command", ODD, ids=[" ".join(command) for command in ODD])
def test_an_entry_for_any_path_is_valid(path: Path, command: list[str]) -> None:
    DesktopEntry(path, command).set(True)
    done = subprocess.run(["desktop-file-validate", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def as_a_desktop_reads_it(value: str) -> list[str]:
    """First the escapes of every string in such a file, then the quotes of a command line, then the field codes."""
    text = re.sub(r"\\(.)", lambda found: {"s": " ", "n": "\n", "t": "\t", "r": "\r"}.get(found[1], found[1]), value)
    found = re.findall(r'"((?:\\.|[^"\\])*)"|([^ "]+)', text, re.DOTALL)
    words = [plain if plain else re.sub(r'\\(["`$\\])', r"\1", inner) for inner, plain in found]
    return [word.replace("%%", "%") for word in words]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=4))
def test_any_word_comes_back_as_it_was(words: list[str]) -> None:
    assert as_a_desktop_reads_it(" ".join(map(quoted, words))) == words


@pytest.mark.parametrize("command", [*ODD, ["/a\nb"]], ids=str)
def test_an_odd_command_comes_back_as_it_was(path: Path, command: list[str]) -> None:
    DesktopEntry(path, command).set(True)
    (line,) = [line for line in path.read_text().splitlines() if line.startswith("Exec=")]
    assert as_a_desktop_reads_it(line.removeprefix("Exec=")) == command


def test_a_path_that_is_no_unicode_is_kept_byte_by_byte(path: Path) -> None:
    entry = DesktopEntry(path, ["/home/caf\udce9/o-switcher"])
    entry.set(True)
    assert b"/home/caf\xe9/o-switcher" in path.read_bytes()
    assert entry.enabled() is True


# -- macOS


def test_an_agent_is_written_and_taken_away(tmp_path: Path) -> None:
    place = tmp_path / "LaunchAgents" / "io.github.o-switcher.plist"
    agent = LaunchAgent(place, [*COMMAND, "a & <b>"])
    assert agent.enabled() is False
    agent.set(True)
    assert agent.enabled() is True
    assert plistlib.loads(place.read_bytes()) == {
        "Label": "io.github.o-switcher",
        "ProgramArguments": [*COMMAND, "a & <b>"],
        "RunAtLoad": True,
        "ProcessType": "Interactive",
        "LimitLoadToSessionType": "Aqua",
    }
    agent.set(False)
    agent.set(False)
    assert agent.enabled() is False


AGENTS = [
    ({"RunAtLoad": True}, True),
    ({"RunAtLoad": False}, False),
    ({"RunAtLoad": True, "Disabled": True}, False),
    ({}, False),
    ([1, 2], False),
    ("text", False),
]


@pytest.mark.parametrize(("content", "on"), AGENTS, ids=str)
@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY], ids=["xml", "binary"])
def test_an_agent_can_be_switched_off(tmp_path: Path, content: Any, on: bool, form: Any) -> None:
    place = tmp_path / "x.plist"
    place.write_bytes(plistlib.dumps(content, fmt=form))
    assert LaunchAgent(place, COMMAND).enabled() is on


LISTED = [
    ('\t\t"io.github.o-switcher" => disabled\n', False),
    ('\t\t"io.github.o-switcher" => true\n', False),
    ('\t\t"io.github.o-switcher" => enabled\n', True),
    ('\t\t"io.github.o-switcher" => false\n', True),
    ('\t\t"io.github.o-switcher.other" => disabled\n', True),
    ("", True),
]


@pytest.mark.parametrize(("listed", "on"), LISTED, ids=[row[0].strip() or "nothing" for row in LISTED])
def test_launchd_can_have_disabled_an_agent(tmp_path: Path, listed: str, on: bool) -> None:
    asked: list[tuple[str, ...]] = []
    lines = [listed]

    def launchctl(*words: str) -> str:
        asked.append(words)
        if words[0] == "enable":
            lines[0] = ""
        return f"disabled services = {{\n{lines[0]}}}\n"

    agent = LaunchAgent(tmp_path / "x.plist", COMMAND, launchctl)
    assert (agent.enabled(), asked) == (False, []), "nobody is asked where there is no agent"
    (tmp_path / "x.plist").write_bytes(plistlib.dumps({"RunAtLoad": True}))
    for _ in range(3):
        assert agent.enabled() is on
    assert len(asked) == 1, "the tray looks often"
    assert asked[0][0] == "print-disabled"
    agent.set(True)
    assert agent.enabled() is True
    assert asked[1][0] == "enable" and asked[1][1].endswith("/io.github.o-switcher")


def test_without_launchctl_the_agents_own_words_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    agent = LaunchAgent(tmp_path / "x.plist", COMMAND)
    agent.set(True)
    assert agent.enabled() is True


@pytest.mark.parametrize("data", [b"", b"<plist><dict>", b"<?xml version='1.0'?>", b"bplist00\x00", b"\xff"], ids=repr)
def test_a_damaged_agent_is_off(tmp_path: Path, data: bytes) -> None:
    place = tmp_path / "x.plist"
    place.write_bytes(data)
    assert LaunchAgent(place, COMMAND).enabled() is False


# -- Windows


class Registry(types.ModuleType):
    """As much of `winreg` as is needed, on dictionaries."""

    HKEY_CURRENT_USER, REG_SZ, KEY_SET_VALUE, KEY_READ = "HKCU", 1, 2, 131_097

    def __init__(self) -> None:
        super().__init__("winreg")
        self.keys: dict[str, dict[str, object]] = {}
        self.locked = False

    class Key:
        def __init__(self, values: dict[str, object], access: int) -> None:
            self.values, self.access = values, access

        def __enter__(self) -> Registry.Key:
            return self

        def __exit__(self, *_: object) -> None: ...

    def CreateKey(self, root: str, path: str) -> Key:
        if self.locked:
            raise PermissionError(5, "Access is denied")
        return Registry.Key(self.keys.setdefault(path, {}), self.KEY_SET_VALUE)

    def OpenKey(self, root: str, path: str, access: int = KEY_READ) -> Key:
        if path not in self.keys:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        if self.locked and access == self.KEY_SET_VALUE:
            raise PermissionError(5, "Access is denied")
        return Registry.Key(self.keys[path], access)

    def SetValueEx(self, key: Key, name: str, _: int, kind: int, value: object) -> None:
        assert key.access == self.KEY_SET_VALUE
        key.values[name] = value

    def QueryValueEx(self, key: Key, name: str) -> tuple[object, int]:
        if name not in key.values:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return key.values[name], self.REG_SZ

    def DeleteValue(self, key: Key, name: str) -> None:
        assert key.access == self.KEY_SET_VALUE
        if name not in key.values:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        del key.values[name]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "winreg", made)
    return made


def test_a_run_value_is_written_and_taken_away(registry: Registry) -> None:
    value = RunValue([r"C:\Program Files\O Switcher\o-switcher-tray.exe", "--x", 'a "b"'])
    assert value.enabled() is False
    value.set(True)
    assert value.enabled() is True
    assert registry.keys[RunValue.RUN] == {
        "O-Switcher": r'"C:\Program Files\O Switcher\o-switcher-tray.exe" --x "a \"b\""'
    }
    value.set(False)
    value.set(False)
    assert value.enabled() is False
    assert registry.keys[RunValue.RUN] == {}


SWITCH = [
    (b"\x02\0\0\0", True),
    (b"\x06\0\0\0", True),
    (b"\x03\0\0\0", False),
    (b"\x07\0\0\0", False),
    (b"", True),
    ("odd", True),
]


@pytest.mark.parametrize(("switch", "on"), SWITCH, ids=repr)
def test_task_managers_switch_is_read_and_cleared(registry: Registry, switch: object, on: bool) -> None:
    value = RunValue(COMMAND)
    value.set(True)
    registry.keys[RunValue.APPROVED] = {"O-Switcher": switch, "Other": b"\x03"}
    assert value.enabled() is on
    assert (value.switched_off() is None) is on
    value.set(True)
    assert value.enabled() is True
    assert registry.keys[RunValue.APPROVED] == {"Other": b"\x03"}


def test_a_registry_that_may_not_be_written_is_an_error(registry: Registry) -> None:
    value = RunValue(COMMAND)
    value.set(True)
    registry.locked = True
    for on in (True, False):
        with pytest.raises(PermissionError):
            value.set(on)
    assert value.enabled() is True


def test_elsewhere_there_is_no_registry() -> None:
    value = RunValue(COMMAND)
    attempts: list[Callable[[], object]] = [
        value.enabled,
        lambda: value.set(True),
        lambda: value._read(RunValue.RUN),
        lambda: value._delete(RunValue.RUN),
    ]
    assert [attempt() for attempt in attempts] == [None] * 4
    assert autostart.ENTRY == "o-switcher.desktop"


@pytest.mark.parametrize(
    "command",
    [
        ["/usr/bin/o-switcher"],
        ["/home/ann/my tools/o-switcher", "serve"],
        ['/odd/quo"te\\back$lash`tick%percent', "-m", "tray_app"],
    ],
    ids=["plain", "with a blank", "odd"],
)
def test_the_program_that_is_started_can_be_told(tmp_path: Path, command: list[str]) -> None:
    entry = DesktopEntry(tmp_path / "x.desktop", command)
    assert entry.program() is None
    entry.set(True)
    assert entry.program() == command[0]
    agent = LaunchAgent(tmp_path / "x.plist", command)
    assert agent.program() is None
    agent.set(True)
    assert agent.program() == command[0]
    (tmp_path / "x.plist").write_bytes(b"{")
    (tmp_path / "x.desktop").write_text('[Desktop Entry]\nExec="unclosed\n')
    assert agent.program() is None and entry.program() is None
