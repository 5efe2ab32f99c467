"""Streams that are not there, and a packer's variables, as a process really meets them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tray_app.host.packed import frozen, give_back, settle

ROOT = Path(__file__).parents[2]

CHILD = """
import sys
sys.stdin = sys.stdout = sys.stderr = None  # as pythonw has them
sys.argv = ["o-switcher-tray", *sys.argv[1:]]
from tray_app.__main__ import main
main()
"""


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["status"], 3), (["no-such-thing"], 2)])
def test_without_a_console_a_command_ends_as_it_would_with_one(tmp_path: Path, words: list[str], code: int) -> None:
    environ = {"O_SWITCHER_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", CHILD, *words], env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


def test_an_app_that_is_not_frozen_leaves_the_variables_alone() -> None:
    environ = {"LD_LIBRARY_PATH": "/own"}
    settle(environ)
    assert (frozen(), environ) == (False, {"LD_LIBRARY_PATH": "/own"})


def test_a_frozen_app_gives_its_children_what_the_user_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    environ = {"LD_LIBRARY_PATH": "/app/_internal", "LD_LIBRARY_PATH_ORIG": "/own", "HOME": "/home/user"}
    settle(environ)
    assert environ == {"LD_LIBRARY_PATH": "/own", "HOME": "/home/user"}


def test_where_the_user_had_none_there_is_none() -> None:
    environ = {"LD_LIBRARY_PATH": "/app/_internal"}
    give_back(environ)
    assert environ == {}
