"""The start of an O-Switcher that the distribution's package manager has installed.

The package holds our code; what it needs is put into the user's own environment at the first start, from the
hash-checked lock, as for a checkout: nothing is downloaded, or run, as root, and the distribution's own Python
packages, which are years older, stay out of it. Our code is copied there as well, once for each build of it: an update
of the package changes no file under an app that runs. From then on a start finds all of it and goes on at once. Started
from a menu there is no terminal to read, so the desktop is told that it takes a while, and why if it fails.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import environment
from terminal import Problem

CODE = "code"  # beside our code the name of its build, and in an environment the folder of the copies
PACKAGED = environment.Plan("packaged", environment.HERE / "requirements.lock", 250, project=None)
WAIT = "It is being set up for you, once: that takes a minute. Its icon appears when it is done."


def main(arguments: list[str]) -> int:
    if not environment.is_ready(PACKAGED):
        _tell(WAIT)
    try:
        place = environment.ensure(PACKAGED)
    except Problem as problem:
        _tell(str(problem))
        raise
    place.hold()
    _take_code(place.folder / CODE)
    sys.stdout.flush()
    command = [str(place.python), "-I", str(Path(sys.argv[0]).absolute()), *arguments]
    os.execv(command[0], command)  # noqa: S606  # a list of arguments, no shell


def _take_code(copies: Path) -> None:
    """Have this build's copy of our code among those, and hold it until the app ends; others go unless they run."""
    build = (environment.CHECKOUT / CODE).read_text(encoding="utf-8").strip()
    copy = environment.Environment(copies / build)
    with environment.alone(copies / environment.SET_UP):  # else what is not held yet could be cleared up by another
        if not copy.folder.is_dir():
            _copy(copy.folder)
        copy.hold()
    for place in copies.iterdir():
        if place.is_dir() and place != copy.folder:
            environment.discard(environment.Environment(place))


def _copy(folder: Path) -> None:
    """In one step: one that was interrupted is none."""
    part = folder.with_name(f"part-{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / environment.IN_USE).touch()
    source = environment.CHECKOUT / environment.PACKAGE
    shutil.copytree(source, part / environment.PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    part.rename(folder)


def _tell(sentence: str) -> None:
    """Say it on the desktop, where nobody could read it elsewhere."""
    if sys.stderr.isatty():
        return
    notify = shutil.which("notify-send")
    if notify and os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        _quietly([notify, "--app-name=O-Switcher", "--icon=o-switcher", "O-Switcher", sentence])


def _quietly(command: Sequence[str]) -> None:
    """Run it, whatever comes of it, and not for long."""
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=3)
    except (OSError, subprocess.TimeoutExpired):
        return
