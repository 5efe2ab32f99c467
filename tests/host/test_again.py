"""By which words this program is started anew."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tray_app.host.again import words_of_this


def test_the_installed_command_is_called_anew_whatever_it_leads_to_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "o-switcher"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["./o-switcher", "serve", "--port", "0"])
    assert words_of_this() == [str(script), "serve", "--port", "0"]


def test_without_a_command_the_interpreter_gets_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/tray_app/__main__.py", "serve"])
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-I", "-m", "tray_app", "serve"])
    assert words_of_this() == [sys.executable, "-I", "-m", "tray_app", "serve"]


def test_a_packed_program_is_started_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "argv", ["o-switcher", "serve"])
    assert words_of_this() == [sys.executable, "serve"]
