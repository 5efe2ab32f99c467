"""How our command line is started by others: by whole paths, and with what it needs to find this app's files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tray_app.host.program import command_line, needed_environ


@pytest.mark.parametrize("started", ["o-switcher", "o-switcher-tray"])
def test_the_installed_script_is_named_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str) -> None:
    (tmp_path / started).write_text("")
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.chdir(tmp_path)
    assert command_line() == (str(tmp_path / "o-switcher"),)


def test_otherwise_the_interpreter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for argument in (str(tmp_path / "o-switcher"), "pytest", "-c"):
        monkeypatch.setattr(sys, "argv", [argument])
        assert command_line() == (sys.executable, "-P", "-m", "tray_app")


def test_a_program_in_one_file_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert command_line() == (sys.executable,)


def test_files_elsewhere_are_named_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert needed_environ({"O_SWITCHER_HOME": "here", "HOME": "/x"}) == {"O_SWITCHER_HOME": str(tmp_path / "here")}
    assert needed_environ({"HOME": "/x"}) == {}
