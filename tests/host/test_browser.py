"""Opening an address: the browser gets none of our own libraries, and nobody waits for it."""

from __future__ import annotations

import os
import sys
import threading
import time
import webbrowser
from pathlib import Path

import pytest

from tray_app.host.browser import clean, open_in_browser

URL = "http://127.0.0.1:4417/report?ticket=x"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python opens it")


def opener(folder: Path, script: str) -> None:
    """An `xdg-open` that does so."""
    path = folder / "xdg-open"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def appears(path: Path) -> str:
    deadline = time.monotonic() + 5
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.read_text()


def test_the_address_is_handed_to_the_desktop_with_a_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/t; env >> {tmp_path}/t; mv {tmp_path}/t {tmp_path}/told')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/ours")
    monkeypatch.setenv("GTK_PATH", "/ours")
    monkeypatch.setenv("GTK_PATH_ORIG", "/theirs")
    monkeypatch.setenv("KEEP_ME", "yes")
    assert open_in_browser(URL) is True
    told = appears(tmp_path / "told").splitlines()
    assert told[0] == URL
    assert "KEEP_ME=yes" in told and "GTK_PATH=/theirs" in told
    assert not any(line.startswith(("LD_LIBRARY_PATH", "GTK_PATH_ORIG", "PYTHONHOME")) for line in told)


def test_no_dead_process_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener(tmp_path, f"echo $$ > {tmp_path}/t; mv {tmp_path}/t {tmp_path}/pid")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert open_in_browser(URL) is True
    pid = int(appears(tmp_path / "pid"))
    for thread in threading.enumerate():
        if thread.name == "browser":
            thread.join(5)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("answer", [True, False])
def test_without_xdg_open_python_looks_for_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda url: asked.append(url) or answer)
    assert open_in_browser(URL) is answer
    assert asked == [URL]


def test_other_systems_open_it_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(webbrowser, "open", lambda url: asked.append(url) is None)
    assert open_in_browser(URL) is True
    assert asked == [URL]


def test_a_variable_that_was_the_users_own_is_given_back() -> None:
    given = {"LD_LIBRARY_PATH": "/ours", "LD_LIBRARY_PATH_ORIG": "/theirs", "HOME": "/home", "X_ORIG": "kept"}
    assert clean(given) == {"LD_LIBRARY_PATH": "/theirs", "HOME": "/home", "X_ORIG": "kept"}
