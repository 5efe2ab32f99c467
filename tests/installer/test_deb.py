"""The Debian package: the same bytes each time, whole, and a first start that sets up what it needs.

Bare Debians, apt, an update and a removal are `deb_trial.py`'s, which takes minutes.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installer.tray_trial import try_tray
from tray_app import __version__

from .conftest import CHECKOUT, Checkout

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not a Debian")

SYSTEM_PYTHON = getattr(sys, "_base_executable", sys.executable)


def build(out: Path, **variables: str) -> Path:
    """The package of this checkout."""
    command = [sys.executable, str(CHECKOUT / "installer/deb.py"), "--out", str(out)]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
    (made,) = out.glob("*.deb")
    assert str(made) in done.stdout and "sha256:" in done.stdout
    return made


def unpack(package: Path, folder: Path) -> Path:
    """Its files, and its scripts in DEBIAN."""
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("deb"), SOURCE_DATE_EPOCH="1700000000")


@pytest.fixture(scope="module")
def tree(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(package, tmp_path_factory.mktemp("tree") / "root")


def test_the_same_bytes_come_of_the_same_files(package: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = build(tmp_path, SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo")
    finally:
        os.umask(before)
    assert again.read_bytes() == package.read_bytes()


def test_it_says_what_it_is_and_needs_python_alone(package: Path) -> None:
    said = subprocess.run(["dpkg-deb", "--field", str(package)], capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line and not line.startswith(" "))
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("o-switcher", __version__, "all")
    assert fields["Depends"] == "python3 (>= 3.11)"
    assert package.name == f"o-switcher_{__version__}_all.deb"
    assert "@" not in said.replace("@localhost", "")


def test_whoever_publishes_it_says_so(tmp_path: Path) -> None:
    made = unpack(build(tmp_path, DEBFULLNAME="A Publisher", DEBEMAIL="deb@example.org"), tmp_path / "root")
    assert "\nMaintainer: A Publisher <deb@example.org>\n" in (made / "DEBIAN/control").read_text()
    log = gzip.decompress((made / "usr/share/doc/o-switcher/changelog.gz").read_bytes()).decode()
    assert "\n -- A Publisher <deb@example.org>  " in log


def test_it_holds_the_package_whole_and_nothing_else_of_the_checkout(tree: Path) -> None:
    share = tree / "usr/share/o-switcher"
    ours = {path.relative_to(CHECKOUT) for path in (CHECKOUT / "tray_app").rglob("*") if path.is_file()}
    wanted = {path for path in ours if "__pycache__" not in path.parts}
    held = {path.relative_to(share) for path in share.rglob("*") if path.is_file()}
    assert {path for path in held if path.parts[0] == "tray_app"} == wanted
    assert {path.parts[0] for path in held} == {"tray_app", "installer", "code"}
    assert (share / "installer/requirements.lock").read_bytes() == (
        CHECKOUT / "installer/requirements.lock"
    ).read_bytes()
    for path in tree.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        runs = path.is_dir() or path.parent.name in ("bin", "runtime.d") or path.name in ("postinst", "prerm", "postrm")
        assert path.is_symlink() or mode == (0o755 if runs else 0o644), path


def test_the_sums_are_those_of_the_files(tree: Path) -> None:
    subprocess.run(["md5sum", "--check", "--quiet", "DEBIAN/md5sums"], cwd=tree, check=True)
    named = {line.split("  ", 1)[1] for line in (tree / "DEBIAN/md5sums").read_text().splitlines()}
    files = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file() and not path.is_symlink()}
    assert named == {name for name in files if not name.startswith("DEBIAN/")}


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-validate is not here")
def test_the_menu_entry_is_valid_and_its_programs_are_there(tree: Path) -> None:
    entry = tree / "usr/share/applications/o-switcher.desktop"
    checked = subprocess.run(["desktop-file-validate", str(entry)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
    programs = [line.removeprefix("Exec=").split()[0] for line in entry.read_text().splitlines() if "Exec=" in line]
    assert programs == ['"/usr/bin/o-switcher-tray"', '"/usr/bin/o-switcher"']
    assert all((tree / program.strip('"/')).exists() for program in programs)
    assert (tree / "usr/share/icons/hicolor/scalable/apps/o-switcher.svg").is_file()


def test_removing_and_purging_say_what_stays_and_touch_nothing(tree: Path, tmp_path: Path) -> None:
    def say(script: str, *words: str) -> str:
        command = ["sh", str(tree / "DEBIAN" / script), *words]
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    (tmp_path / ".local/share/o-switcher").mkdir(parents=True)
    (tmp_path / ".local/share/o-switcher/history.db").write_text("mine")
    said = say("postrm", "remove")
    assert "history, settings and keys are kept" in said and "~/.local/share/o-switcher" in said
    assert "disconnect" in said and "autostart" in said
    assert "purging deletes nothing of the users'" in say("postrm", "purge")
    assert say("postrm", "upgrade", "0.0.9") == ""
    assert (tmp_path / ".local/share/o-switcher/history.db").read_text() == "mine"


def test_the_app_runs_from_its_files_with_its_tray(package: Path, tmp_path: Path) -> None:
    tree = unpack(package, tmp_path / "root")  # its own, since Python puts what it compiles beside the files
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environ |= {"O_SWITCHER_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    # the tests' environment stands for the user's own, whose making is below
    command = [sys.executable, "-I", str(tree / "usr/bin/o-switcher-tray")]
    seen = try_tray(command, tmp_path / "trial", environ)
    assert (seen.version, seen.requests) == (__version__, 1)


class Installed:
    """The package of a small checkout, unpacked, and a user who starts it."""

    def __init__(self, checkout: Checkout, folder: Path) -> None:
        self._checkout = checkout
        self.root = folder / "installed"
        self.messages = folder / "messages"
        (checkout.home / "bin").mkdir(exist_ok=True)
        notify = checkout.home / "bin/notify-send"
        notify.write_text(f'#!/bin/sh\nfor word; do last="$word"; done\necho "$last" >> "{self.messages}"\n')
        notify.chmod(0o755)
        self.update()

    def update(self) -> None:
        """Build it anew and put it in place of what is there."""
        out = self.root.with_name("out")
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        done = self._checkout.run("deb.py", "--out", str(out))
        assert done.returncode == 0, done.stderr
        (made,) = out.glob("*.deb")
        unpack(made, self.root)

    def start(self, *words: str, program: str = "o-switcher", **variables: str) -> subprocess.Popen[str]:
        """A start by the user, from a menu or a session: no terminal."""
        environ = self._checkout.variables | {
            "PATH": f"{self._checkout.home}/bin:/usr/bin:/bin",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere",
            **variables,
        }
        command = [SYSTEM_PYTHON, "-I", str(self.root / "usr/bin" / program), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environ, cwd=self._checkout.home, stdout=pipe, stderr=pipe, text=True)

    def run(self, *words: str, program: str = "o-switcher", **variables: str) -> subprocess.CompletedProcess[str]:
        """The same, to its end."""
        with self.start(*words, program=program, **variables) as process:
            out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def told(self) -> list[str]:
        """What the desktop was told."""
        return self.messages.read_text().splitlines() if self.messages.exists() else []


@pytest.fixture
def installed(checkout: Checkout, tmp_path: Path) -> Iterator[Installed]:
    (checkout.folder / "tray_app/__init__.py").write_text('__version__ = "1.0.0"\n')
    checkout.prefer_uv()  # quicker; test_environment.py has both ways
    yield Installed(checkout, tmp_path)


def test_the_first_start_sets_up_and_says_so_on_the_desktop_and_later_ones_start_at_once(
    installed: Installed, checkout: Checkout
) -> None:
    first = installed.run("where", program="o-switcher-tray")
    assert first.returncode == 0, first.stderr
    assert "Setting up" in first.stderr
    assert [line for line in installed.told() if "set up for you, once" in line] == installed.told() != []
    where = json.loads(first.stdout)
    assert where["command"] == str(installed.root / "usr/bin/o-switcher-tray")  # what launch at login is to start
    assert Path(where["file"]).is_relative_to(checkout.environments)  # an update does not change it
    again = installed.run("where")
    assert (again.returncode, again.stderr, len(installed.told())) == (0, "", 1)
    assert installed.run("exit", "3").returncode == 3


def test_an_update_changes_nothing_under_an_app_that_runs(installed: Installed, checkout: Checkout) -> None:
    def copies() -> set[str]:
        return {
            path.parent.parent.name for path in checkout.environments.glob("packaged-*/code/*/tray_app/__main__.py")
        }

    with installed.start("wait") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        (first,) = copies()
        assert first.startswith("1.0.0-")
        # other code needs no set-up
        (checkout.folder / "tray_app/__init__.py").write_text('__version__ = "1.0.1-rc1"\n')
        installed.update()
        assert installed.run("where").stderr == ""
        assert first in copies() and any(name.startswith("1.0.1~rc1-") for name in copies() - {first})
        running.terminate()
        assert running.wait(30) == 7
    assert installed.run("where").returncode == 0
    assert len(copies()) == 1 and first not in copies()
    # another lock does need one, and what was there for the earlier one goes
    checkout.lock("2.0")
    installed.update()
    assert json.loads(installed.run("where").stdout)["tiny"] == "2.0"
    assert len([name for name in checkout.made() if name.startswith("packaged-")]) == 1


def test_starts_at_once_share_one_copy_and_one_that_was_interrupted_goes(
    installed: Installed, checkout: Checkout
) -> None:
    assert installed.run("where").returncode == 0
    (code,) = checkout.environments.glob("packaged-*/code")
    (copy,) = (path for path in code.iterdir() if path.is_dir())
    copy.rename(code / "part-1")  # as a start that was killed leaves it
    both = [installed.start("exit", "0") for _ in range(4)]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0] * 4
    assert [path.name for path in code.iterdir() if path.is_dir()] == [copy.name]


def test_a_copy_is_made_by_one_start_at_a_time(installed: Installed, checkout: Checkout) -> None:
    """Another that clears up would else take away what this one has begun and not yet marked as in use."""
    assert installed.run("where").returncode == 0
    (code,) = checkout.environments.glob("packaged-*/code")
    (copy,) = (path for path in code.iterdir() if path.is_dir())
    shutil.rmtree(copy)
    with (code / "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with installed.start("exit", "0") as process:
            assert process.stderr is not None
            assert "waiting for it" in process.stderr.readline()
            assert [path for path in code.iterdir() if path.is_dir()] == []
            fcntl.flock(lock, fcntl.LOCK_UN)
            process.communicate(timeout=60)
    assert process.returncode == 0
    assert copy.is_dir()


def test_a_first_start_without_a_network_says_what_to_do_there_too(installed: Installed) -> None:
    done = installed.run("where", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "check the network" in done.stderr.splitlines()[-1]
    assert any("check the network" in line for line in installed.told())
    assert installed.run("where").returncode == 0


def test_a_version_that_is_none_and_a_wrong_date_are_said_in_one_line(checkout: Checkout) -> None:
    (checkout.folder / "tray_app/__init__.py").write_text('__version__ = "soon"\n')
    done = checkout.run("deb.py")
    assert (done.returncode, done.stderr) == (1, "O-Switcher: tray_app/__init__.py names no version.\n")
    (checkout.folder / "tray_app/__init__.py").write_text('__version__ = "1.0.0"\n')
    done = checkout.run("deb.py", SOURCE_DATE_EPOCH="yesterday")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "SOURCE_DATE_EPOCH" in done.stderr
    assert checkout.run("stamp.py").stdout == "1.0.0\n"
    assert checkout.run("stamp.py", "v1.0.0").returncode == 0
    done = checkout.run("stamp.py", "v1.0.1")
    assert (done.returncode, "it would be v1.0.0" in done.stderr) == (1, True)
