"""Killed at any step, run again: installing, upgrading and uninstalling end as if nothing had happened."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Checkout

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="menu entries and links of Linux")

KILLED = Path(__file__).with_name("killed.py")
OUTSIDE = {"calls", "bin"}  # what the tests themselves put into the home
ALIKE = {
    "files of a tree that goes": r"^os\.(remove|rmdir|open) [^/]",
    "copies of the scripts": r"/o-switcher/installer/",
    "folders that are there or not": r"^os\.mkdir ",
    "making an environment": r"/environments/app-[^/]*/",
}
OF_ALIKE = dict(zip(ALIKE, (120, 20, 12, 25), strict=True))


def tree(home: Path) -> dict[str, str]:
    """Every file, link and folder with its content and mode; compiled files by their names alone, for they hold times."""
    found = {}
    for path in sorted(home.rglob("*")):
        name = str(path.relative_to(home))
        if name.partition("/")[0] in OUTSIDE:
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[name] = "folder"
        elif "__pycache__" in path.parts or path.name == "RECORD":
            found[name] = "compiled"
        else:
            mode = path.stat().st_mode & 0o777
            content = path.read_bytes()
            text = content.decode() if path.suffix == ".json" else hashlib.sha256(content).hexdigest()
            found[name] = f"{mode:o} {text}"
    return found


class Stepper:
    """install.py with the same words, killed before its Nth step or let to its end."""

    def __init__(self, checkout: Checkout, *words: str) -> None:
        self._checkout = checkout
        self._script = [str(checkout.folder / "installer" / "install.py"), *words]
        self._steps = checkout.home.with_name("steps")

    def run(self, at: int = 0) -> int:
        """Its exit code; -9 where it was killed."""
        command = [sys.executable, "-B", str(KILLED), str(at), *self._script]
        variables = self._checkout.variables | {"STEPS": str(self._steps)}
        done = subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode

    def steps(self) -> list[str]:
        """What the last run that came to its end did to the disk."""
        return self._steps.read_text().splitlines()

    def moments(self) -> list[int]:
        """The steps to kill it before: without those that change nothing, and only some of what is all alike."""
        alike: dict[str, int] = {}
        found = []
        for number, step in enumerate(self.steps(), 1):
            name, _, place = step.partition(" ")
            if place == os.devnull or (name == "os.remove" and place.endswith(".part")):
                continue
            kind = next((kind for kind, mark in ALIKE.items() if re.search(mark, step)), "")
            alike[kind] = alike.get(kind, -1) + 1
            if not kind or alike[kind] % OF_ALIKE[kind] == 0:
                found.append(number)
        return found


@pytest.fixture
def checkout(checkout: Checkout) -> Checkout:
    checkout.prefer_uv()
    return checkout


def test_an_installation_killed_anywhere_ends_like_one_that_was_not(checkout: Checkout) -> None:
    (checkout.home / ".config/opencode").mkdir(parents=True)
    before = tree(checkout.home)
    install = Stepper(checkout, "--yes")
    assert install.run() == 0
    wanted, moments = tree(checkout.home), install.moments()
    assert ".config/opencode/opencode.json" in wanted and ".config/autostart/o-switcher.desktop" in wanted
    assert Stepper(checkout, "--uninstall", "--keep").run() == 0
    (checkout.home / ".config/opencode").mkdir(exist_ok=True)
    assert tree(checkout.home) == before
    for moment in [*moments[:6], *moments[6::4]]:
        assert install.run(moment) in (-signal.SIGKILL, 0)
    assert install.run() == 0
    assert tree(checkout.home) == wanted


def test_an_upgrade_killed_anywhere_leaves_a_command_that_works_and_ends_like_one_that_was_not(
    checkout: Checkout,
) -> None:
    assert Stepper(checkout, "--yes").run() == 0
    old = checkout.home.with_name("old")
    shutil.copytree(checkout.home, old, symlinks=True)
    main = checkout.folder / "tray_app/__main__.py"
    main.write_text(main.read_text().replace('"tiny": tiny.VERSION', '"tiny": "upgraded"'))
    upgrade = Stepper(checkout, "--upgrade")
    assert upgrade.run() == 0
    wanted, steps, moments = tree(checkout.home), upgrade.steps(), upgrade.moments()
    shutil.rmtree(checkout.home)
    old.rename(checkout.home)
    whole = next(number for number, step in enumerate(steps, 1) if step.endswith("complete.json.part"))
    app = checkout.home / ".local/bin/o-switcher"
    seen = set()
    for moment in moments:
        upgrade.run(moment)
        said = subprocess.run([app, "where"], env=checkout.variables, capture_output=True, text=True, check=False)
        assert said.returncode == 0, (moment, steps[moment - 1], said.stderr)
        seen.add("upgraded" in said.stdout)
        if moment >= whole and not any(checkout.environments.glob("app-*/complete.json")):
            raise AssertionError("no environment is whole")
    assert seen == {False, True}
    assert upgrade.run() == 0
    assert tree(checkout.home) == wanted


def test_an_uninstalling_killed_anywhere_leaves_nothing_in_the_end(checkout: Checkout) -> None:
    (checkout.home / ".config/opencode").mkdir(parents=True)
    (checkout.home / ".local/share/applications").mkdir(parents=True)
    (checkout.home / ".local/share/applications/other.desktop").write_text("[Desktop Entry]\n")
    before = tree(checkout.home)
    assert Stepper(checkout, "--yes").run() == 0
    installed = checkout.home.with_name("installed")
    shutil.copytree(checkout.home, installed, symlinks=True)
    uninstall = Stepper(checkout, "--uninstall", "--purge", "--yes")
    assert uninstall.run() == 0
    moments = uninstall.moments()
    shutil.rmtree(checkout.home)
    installed.rename(checkout.home)
    for moment in moments:
        uninstall.run(moment)
    assert uninstall.run() == 0
    (checkout.home / ".config/opencode").mkdir(parents=True, exist_ok=True)  # the stand-in is no careful client
    assert tree(checkout.home) == before


def test_what_is_killed_really_dies(checkout: Checkout) -> None:
    assert Stepper(checkout, "--yes").run(1) == -signal.SIGKILL
    assert not os.path.lexists(checkout.home / ".local")
