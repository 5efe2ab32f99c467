"""Tries the Debian package where it is to be used: in bare Debians, by apt, with its tray, an update and a removal.

    python3 tests/installer/deb_trial.py                    # Debian 12 and 13
    python3 tests/installer/deb_trial.py trixie

Needs root, debootstrap and a network. Each Debian is made anew (minbase, without a Python), gets an earlier version of
the package, runs it as an ordinary user, is updated, and loses it again; what the users have must outlive all that.
Ends with 1, and the reason, at the first thing that is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bare_machine import CHECKOUT, USER, BareMachine

SUITES = ("bookworm", "trixie")
EARLIER = "0.0.9"
HOME = "/home/user"
DATA = f"{HOME}/.local/share/o-switcher"
PRACTICE = ("python3", "dbus")  # what a desktop has: a session bus
GONE = ("usr/share/o-switcher", "usr/bin/o-switcher", "usr/bin/o-switcher-tray", "usr/share/man/man1/o-switcher.1.gz")


@dataclass
class Trial:
    """One Debian, and what has been measured in it."""

    machine: BareMachine
    figures: dict[str, Any] = field(default_factory=dict)

    def root(self, *command: str) -> str:
        """What a command of root's says; it must succeed."""
        return self._heard(command, 0, "/root")

    def user(self, *command: str) -> str:
        """The same of the user's."""
        return self._heard(command, USER, HOME)

    def install(self, package: Path) -> str:
        shutil.copyfile(package, self.machine.root / "tmp" / package.name)
        return self.root(*APT, "install", f"/tmp/{package.name}")

    def timed(self, name: str, *command: str) -> str:
        started = time.monotonic()
        said = self.user(*command)
        self.figures[name] = round(time.monotonic() - started, 2)
        return said

    def tray(self) -> dict[str, Any]:
        """What `tray_trial` sees, run by the Python of the user's own environment."""
        (python,) = self.machine.root.glob(f"{DATA[1:]}/environments/packaged-*/bin/python")
        inside = f"/{python.relative_to(self.machine.root)}"
        script = f"{HOME}/o-switcher/tests/installer/tray_trial.py"
        said = self.user(inside, "-I", script, f"{HOME}/trial", "/usr/bin/o-switcher-tray")
        seen: dict[str, Any] = json.loads(said.splitlines()[-1])
        return seen

    def kept(self) -> list[str]:
        """The user's own files that are there."""
        wanted = (f"{DATA}/history.db", f"{DATA}/keys.json", f"{HOME}/.config/o-switcher/config.toml")
        return [path for path in wanted if (self.machine.root / path[1:]).is_file()]

    def _heard(self, command: tuple[str, ...], user: int, home: str) -> str:
        done = self.machine.hear(list(command), user=user, home=home)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout + done.stderr


APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "--yes", "--no-install-recommends")


def need(holds: object, otherwise: str) -> None:
    """Stop here unless it holds."""
    if not holds:
        raise SystemExit(otherwise)


def try_in(trial: Trial, earlier: Path, package: Path) -> None:
    """The life of the package in one Debian."""
    trial.root(*APT, "update")
    trial.install(earlier)
    trial.root(*APT, "install", *PRACTICE)
    said = trial.timed("first start, with the set-up", "o-switcher", "--version")
    need(EARLIER in said and "Setting up" in said, f"the first start says: {said}")
    first = trial.tray()
    need(first["version"] == EARLIER, f"it is {first}")
    trial.user("o-switcher", "autostart", "enable")
    entry = (trial.machine.root / f"{HOME[1:]}/.config/autostart/o-switcher.desktop").read_text()
    need("\nExec=/usr/bin/o-switcher\n" in entry, f"at login it would start: {entry}")

    said = trial.install(package)
    need(f"is still version {EARLIER}" in said, f"the update does not say what it leaves: {said}")
    need(len(trial.kept()) == 3, f"after the update there is only {trial.kept()}")
    said = trial.timed("first start after the update", "o-switcher", "--version")
    need(EARLIER not in said and "Setting up" not in said, f"after the update it says: {said}")
    trial.timed("start of a command", "o-switcher", "--version")
    second = trial.tray()
    need(second["requests"] == first["requests"] + 1, f"the history was not kept: {first}, {second}")
    trial.figures["tray"] = second
    need(trial.root("dpkg", "--verify", "o-switcher") == "", "files differ from those of the package")

    said = trial.root(*APT, "remove", "o-switcher")
    need("history, settings and keys are kept" in said, f"the removal does not say what stays: {said}")
    left = [path for path in GONE if (trial.machine.root / path).exists()]
    need(not left, f"the removal left {left}")
    said = trial.root(*APT, "purge", "o-switcher")
    need("purging deletes nothing" in said, f"purging does not say what stays: {said}")
    need(len(trial.kept()) == 3, f"after purging there is only {trial.kept()}")
    trial.install(package)
    rows = json.loads(trial.user("o-switcher", "history", "--json"))
    need(len(rows) == second["requests"], f"after coming back it knows {len(rows)} requests")


def built(folder: Path, version: str | None = None) -> Path:
    """The package of this checkout, or of a copy of it that says it is of that version."""
    checkout = CHECKOUT
    if version is not None:
        checkout = folder / version
        for name in ("installer", "tray_app", "assets"):
            shutil.copytree(CHECKOUT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        (checkout / "tray_app/__init__.py").write_text(f'"""O-Switcher."""\n\n__version__ = "{version}"\n')
    out = folder / f"packages-{version or 'now'}"
    subprocess.run([sys.executable, str(checkout / "installer/deb.py"), "--out", str(out)], check=True)
    (made,) = out.glob("*.deb")
    return made


def judged(package: Path) -> None:
    """What lintian, where it is, has to say of the package: nothing."""
    if shutil.which("lintian") is None:
        print("lintian is not here: what it would say of the package is not known")
        return
    done = subprocess.run(
        ["lintian", "--fail-on", "warning", str(package)], capture_output=True, text=True, check=False
    )
    need(done.returncode == 0 and not done.stdout, f"lintian: {done.stdout}{done.stderr}")
    print("lintian has nothing to say")


def main() -> int:
    parser = argparse.ArgumentParser(description="Tries the Debian package in bare Debians.")
    parser.add_argument("suites", nargs="*", default=SUITES)
    suites = parser.parse_args().suites
    with tempfile.TemporaryDirectory(prefix="o-switcher-deb-trial-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        earlier, package = built(folder, EARLIER), built(folder)
        judged(package)
        for suite in suites:
            started = time.monotonic()
            trial = Trial(BareMachine(folder / suite, suite, holds=""))
            trial.machine.make()
            try_in(trial, earlier, package)
            load = os.getloadavg()[0]
            print(f"{suite}: good, {time.monotonic() - started:.0f} s, load {load:.1f}: {json.dumps(trial.figures)}")
            shutil.rmtree(trial.machine.root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
