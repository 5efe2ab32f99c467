"""One app a user: a lock that dies with its process, and an announcement that is never stale."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.host.instance import Instance, Running, claim, find_running, lives

ROOT = Path(__file__).parent.parent.parent
RUNNING = Running(4242, "http://127.0.0.1:4417", "secret-admin-token", 1_760_000_000_000, "0.1")
HOLD = """
import sys, time
from pathlib import Path
from tray_app.host.instance import Running, claim
folder = Path(sys.argv[1])
held = claim(folder / "lock", folder / "running.json")
if held is not None:
    held.announce(Running(1, "http://127.0.0.1:1", "t", 0, "0"))
print(held is not None, flush=True)
sys.stdin.read()
if held is not None:
    held.release()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], bool]]:
    """A process that claims the instance and holds it until its input ends; whether it got it."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield child, child.stdout.readline().strip() == "True"


def mine(folder: Path) -> Instance | None:
    return claim(folder / "lock", folder / "running.json")


def test_only_one_process_is_the_app(tmp_path: Path) -> None:
    with another_process(tmp_path) as (child, got):
        assert got
        assert mine(tmp_path) is None
        with another_process(tmp_path) as (_, second_got):
            assert not second_got
        assert find_running(tmp_path / "running.json") == Running(1, "http://127.0.0.1:1", "t", 0, "0")
        child.communicate()
    assert child.returncode == 0
    assert find_running(tmp_path / "running.json") is None
    held = mine(tmp_path)
    assert held is not None
    held.release()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
def test_a_killed_process_gives_the_lock_back_and_its_announcement_counts_no_more(tmp_path: Path) -> None:
    with another_process(tmp_path) as (child, _):
        child.send_signal(signal.SIGKILL)
    assert find_running(tmp_path / "running.json") is not None  # stale
    held = mine(tmp_path)
    assert held is not None
    assert find_running(tmp_path / "running.json") is None  # a second start must not be sent to a dead address
    held.release()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
def test_whether_the_announced_app_lives_is_told_by_its_lock(tmp_path: Path) -> None:
    assert not lives(tmp_path / "lock")
    assert not (tmp_path / "lock").exists()  # to ask makes nothing
    with another_process(tmp_path) as (child, _):
        assert lives(tmp_path / "lock")
        child.send_signal(signal.SIGKILL)
    assert find_running(tmp_path / "running.json") is not None
    assert not lives(tmp_path / "lock")


def test_being_asked_about_does_not_keep_an_app_from_starting(tmp_path: Path) -> None:
    first = mine(tmp_path)
    assert first is not None
    first.release()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            lives(tmp_path / "lock")
            time.sleep(0.005)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(20):
            held = mine(tmp_path)
            assert held is not None
            held.release()
    finally:
        done.set()
        thread.join()


def test_within_one_process_too_there_is_only_one(tmp_path: Path) -> None:
    held = mine(tmp_path)
    assert held is not None
    assert mine(tmp_path) is None
    held.release()
    again = mine(tmp_path)
    assert again is not None
    again.release()
    again.release()  # harmless


def test_any_thread_may_give_it_back(tmp_path: Path) -> None:
    held = mine(tmp_path)
    assert held is not None
    thread = threading.Thread(target=held.release)
    thread.start()
    thread.join()
    again = mine(tmp_path)
    assert again is not None
    again.release()


def test_the_announcement_is_for_this_user_only_and_shows_no_token(tmp_path: Path) -> None:
    held = mine(tmp_path / "state")
    assert held is not None
    held.announce(RUNNING)
    path = tmp_path / "state" / "running.json"
    assert find_running(path) == RUNNING
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "secret-admin-token" not in repr(RUNNING)
    held.release()
    assert not path.exists()


@pytest.mark.parametrize(
    "data", [None, b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"], ids=["none", "empty", "cut", "a list", "odd", "no text"]
)
def test_an_announcement_that_cannot_be_read_is_none(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "running.json"
    if data is not None:
        path.write_bytes(data)
    assert find_running(path) is None


def test_a_folder_that_may_not_be_written_is_an_error() -> None:
    with shared_folder() as folder, ordinary_user():
        folder.chmod(0o500)
        with pytest.raises(PermissionError):
            claim(folder / "state" / "lock", folder / "state" / "running.json")
        folder.chmod(0o700)
