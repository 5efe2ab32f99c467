"""Where things live, and files that are replaced in one step."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.host.home import Home, find_home, private_folder, write_private

ROOT = Path(__file__).parent.parent.parent


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def test_one_variable_puts_everything_under_one_folder(tmp_path: Path) -> None:
    home = find_home({"O_SWITCHER_HOME": str(tmp_path / "here")})
    folder = tmp_path / "here"
    names = "config.toml", "history.db", "decisions.ndjson", "running.json", "keys.json", "o-switcher.lock"
    assert home == Home(*(folder / name for name in names))
    assert home.folders == (folder,)
    assert not folder.exists()  # nothing is made before something is written


def test_without_it_platformdirs_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    home = find_home({})
    assert home.config == platformdirs.user_config_path("o-switcher", appauthor=False) / "config.toml"
    assert home.history == platformdirs.user_data_path("o-switcher", appauthor=False) / "history.db"
    assert home.keys.parent == home.decisions.parent == home.history.parent
    assert home.running.parent == home.lock.parent == platformdirs.user_state_path("o-switcher", appauthor=False)
    assert home.folders == (home.config.parent, home.history.parent, home.running.parent)


@pytest.mark.parametrize(
    ("given", "folder"),
    [("~/x", "{home}/x"), ("x/y", "{here}/x/y"), ("~nobody-of-that-name/x", "{here}/~nobody-of-that-name/x")],
)
def test_the_folder_may_be_given_in_any_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str, folder: str
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path)
    expected = folder.format(home="/home/somebody", here=tmp_path)
    assert find_home({"O_SWITCHER_HOME": given}).config == Path(expected) / "config.toml"


def test_a_folder_that_is_made_is_for_this_user_only(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    private_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_file_is_written_for_this_user_only_whatever_it_was_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_private(path, b"one")
    path.chmod(0o666)
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path.parent) == ["file"]


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "file", tmp_path / "link"
    link.symlink_to(real)
    write_private(link, b"through it")
    assert link.is_symlink()
    assert real.read_bytes() == b"through it"


def test_a_write_that_fails_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        write_private(path, b"x")
    assert names(tmp_path) == ["file"]


def test_a_folder_that_may_not_be_written_is_an_error() -> None:
    with shared_folder() as folder, ordinary_user():
        path = folder / "file"
        write_private(path, b"old")
        folder.chmod(0o500)
        with pytest.raises(PermissionError):
            write_private(path, b"new")
        assert path.read_bytes() == b"old"
        folder.chmod(0o700)


HANGS = """
import sys, time
from pathlib import Path
from tray_app.host.home import write_private
def never(self, target):
    print(self.name, flush=True)
    time.sleep(60)
Path.replace = never
write_private(Path(sys.argv[1]), b"new secret")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
def test_a_kill_between_writing_and_renaming_leaves_the_old_file_and_later_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_private(path, b"old secret")
    command = [sys.executable, "-c", HANGS, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        left = path.with_name(child.stdout.readline().strip())
        child.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"old secret"
    assert left.read_bytes() == b"new secret"
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    write_private(path, b"newer secret")
    assert left.exists()  # it might be another process that is still at it
    os.utime(left, (1, 1))
    write_private(path, b"newest secret")
    assert names(tmp_path) == ["keys.json"]


def test_what_is_left_and_cannot_be_taken_away_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".keys.json.left").mkdir()
    os.utime(tmp_path / ".keys.json.left", (1, 1))
    write_private(tmp_path / "keys.json", b"x")
    assert (tmp_path / "keys.json").read_bytes() == b"x"
