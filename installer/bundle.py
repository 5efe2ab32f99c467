"""`python3 installer/bundle.py` freezes the app with its Python, for the system that this runs on, and packs it.

Linux gets a .tar.gz, macOS a .zip with O-Switcher.app, Windows a .zip and, where makensis is there, an installer. What
is in it says `o-switcher.spec`. On Linux the Python must be one with a shared library, as Debian's is not without
its package libpython3.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import argparse
import gzip
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import environment
import stamp
from terminal import Problem, run_or_explain, say

SPEC = environment.HERE / "o-switcher.spec"
SCRIPT = environment.HERE / "windows.nsi"
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
FOLDER, APP = "o-switcher", "O-Switcher.app"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bundle.py", description="Freezes the app for this system, and packs it.")
    parser.add_argument("--out", type=Path, default=environment.CHECKOUT / "dist", help="the folder for it (dist)")
    parser.add_argument("--keep", action="store_true", help="leave the unpacked folder there too")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    frozen = freeze(str(environment.ensure(environment.BUILD).python), out)
    for made in pack(frozen, out):
        stamp.tell(made)
    if not options.keep:
        shutil.rmtree(frozen)
    return 0


def freeze(python: str, out: Path) -> Path:
    """The folder with the app, or on macOS the .app, in `out`."""
    if sys.platform not in SYSTEMS:
        raise Problem(f"there is no frozen app for {sys.platform}: install the wheel, or run installer/install.py.")
    say("Freezing the app: this takes a minute or two.")
    with tempfile.TemporaryDirectory(prefix="o-switcher-bundle-") as work:
        command = [python, "-I", "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
        folders = ["--distpath", str(out), "--workpath", work]
        # the order of sets, and the dates, would differ from one build to the next
        fixed = {"PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": str(stamp.epoch()), "O_SWITCHER_VERSION": stamp.version()}
        command_line = [*command, *folders, str(SPEC)]
        done = subprocess.run(command_line, cwd=environment.CHECKOUT, env=os.environ | fixed, check=False)
    if done.returncode != 0:
        raise Problem("PyInstaller could not do it: what it says stands above.")
    return out / (APP if sys.platform == "darwin" else FOLDER)


def pack(frozen: Path, out: Path) -> list[Path]:
    """What people download, named after the version, the system and the processor."""
    name = f"o-switcher-{stamp.version()}-{SYSTEMS[sys.platform]}-{platform.machine().lower()}"
    if sys.platform == "linux":
        return [_tar(frozen, out / f"{name}.tar.gz")]
    if sys.platform == "darwin":
        made = out / f"{name}.zip"  # ditto keeps links and rights, which Python's own does not
        _run("ditto", "-c", "-k", "--keepParent", str(frozen), str(made))
        return [made]
    return [Path(shutil.make_archive(str(out / name), "zip", out, frozen.name)), *_installer(frozen, out, name)]


def _installer(frozen: Path, out: Path, name: str) -> list[Path]:
    """The Windows installer, where makensis is there."""
    if not shutil.which("makensis"):
        say("There is no makensis here, so no installer was made: get NSIS, and run this again.")
        return []
    made = out / f"{name}-setup.exe"
    make_installer(frozen, made)
    return [made]


def make_installer(frozen: Path, made: Path) -> None:
    """The installer `made` of that folder."""
    number = stamp.version().partition("-")[0].partition("+")[0]
    values = {"VERSION": stamp.version(), "NUMBER": f"{number}.0", "SOURCE": str(frozen), "OUT": str(made)}
    options = ["-V2", "-WX", "-INPUTCHARSET", "UTF8"]  # a warning is an error
    _run("makensis", *options, *(f"-D{key}={value}" for key, value in values.items()), str(SCRIPT))


def _tar(frozen: Path, made: Path) -> Path:
    """The same bytes from the same files: sorted, dated, and owned by nobody in particular."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = stamp_s
        return entry

    stamp_s = stamp.epoch()
    # in two statements: parentheses around one are newer than the Pythons that are to be turned away
    with made.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:  # noqa: SIM117  # as said
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(frozen, frozen.name, filter=plain)
    return made


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"{command[0]}: {(done.stdout + done.stderr).strip()[-1000:]}")


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
