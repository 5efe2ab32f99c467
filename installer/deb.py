"""`python3 installer/deb.py` builds the Debian package: thin, for every architecture, the same bytes each time.

It holds our code, the set-up scripts with the lock, a menu entry, icons and a manual page; `launch.py` says how the
rest comes to the user. No root needed, and nothing but `dpkg-deb`. The fixed texts lie in `debian/`.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from email.utils import formatdate
from pathlib import Path

import desktop
import environment
import launch
import stamp
from terminal import Problem, run_or_explain

TEXTS = environment.HERE / "debian"
SHARE = Path("usr/share/o-switcher")
DOC = Path("usr/share/doc/o-switcher")
RTUPDATE = Path("usr/share/python3/runtime.d/o-switcher.rtupdate")
COMMAND, TRAY = (Path("usr/bin") / name for name in environment.COMMANDS)
SCRIPTS = ("postinst", "prerm", "postrm")
# of the set-up scripts those that a first start needs
NEEDED = (
    *("launch.py", "environment.py", "packages.py", "fetch.py", "sources.py", "terminal.py", "python_version.py"),
    *("requirements.lock", "pip.lock"),
)
# nobody's: who publishes the package says who keeps it, by Debian's own variables
NAME, ADDRESS = "O-Switcher", "o-switcher@localhost.invalid"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="deb.py", description="Builds the Debian package.")
    parser.add_argument("--out", type=Path, default=environment.CHECKOUT / "dist", help="the folder for it (dist)")
    stamp.tell(build(parser.parse_args(arguments).out.absolute()))
    return 0


def build(out: Path) -> Path:
    """The package, in the folder `out`."""
    if not shutil.which("dpkg-deb"):
        raise Problem("a Debian package is built by dpkg-deb, which is not here: use Debian, Ubuntu or a container.")
    out.mkdir(parents=True, exist_ok=True)
    made = out / f"o-switcher_{debian_version()}_all.deb"
    with tempfile.TemporaryDirectory(prefix="o-switcher-deb-") as folder:
        tree = Path(folder) / "tree"
        lay_out(tree)
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(made)]
        environ = os.environ | {"SOURCE_DATE_EPOCH": str(stamp.epoch()), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"dpkg-deb: {done.stderr.strip()}")
    return made


def debian_version() -> str:
    """The version as Debian sorts it: a pre-release before its release."""
    number, mark, rest = stamp.version().partition("-")
    return f"{number}~{rest}" if mark else number


def lay_out(tree: Path) -> None:
    """All files of the package below `tree`, as they are to be installed."""
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(environment.CHECKOUT / environment.PACKAGE, tree / SHARE / environment.PACKAGE, ignore=skip)
    for name in NEEDED:
        _put(tree / SHARE / "installer" / name, (environment.HERE / name).read_bytes())
    build = f"{debian_version()}-{environment.tree_digest(environment.CHECKOUT)[:12]}\n"
    _put(tree / SHARE / launch.CODE, build.encode())
    _put_commands(tree)
    _put_desktop(tree)
    _put_documents(tree)
    _put(tree / RTUPDATE, (TEXTS / RTUPDATE.name).read_bytes())
    for path in tree.rglob("*"):  # whatever the builder's own umask is
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    (tree / COMMAND).chmod(0o755)
    (tree / RTUPDATE).chmod(0o755)
    tree.chmod(0o755)
    _put_control(tree)


def _put_commands(tree: Path) -> None:
    _put(tree / COMMAND, (TEXTS / COMMAND.name).read_bytes())
    (tree / TRAY).symlink_to(COMMAND.name)


def _put_desktop(tree: Path) -> None:
    entry = desktop.entry_text(Path("/", COMMAND).parent, desktop.ICON)
    _put(tree / "usr/share/applications" / desktop.ENTRY, entry.encode())
    icons = tree / "usr/share/icons/hicolor"
    for place, name in (("scalable", "o-switcher.svg"), ("256x256", "o-switcher.png")):
        picture = environment.CHECKOUT / "assets" / name
        if picture.is_file():
            _put(icons / place / "apps" / name, picture.read_bytes())


def _put_documents(tree: Path) -> None:
    page = _filled("o-switcher.1")
    for command in environment.COMMANDS:
        _put(tree / "usr/share/man/man1" / f"{command}.1.gz", _packed(page))
    _put(tree / DOC / "copyright", _filled("copyright").encode())
    changes = f"/{SHARE / environment.PACKAGE / 'docs/changelog.md'}"
    entry = f"  * What has changed: {changes}\n\n -- {_maintainer()}  {formatdate(stamp.epoch())}\n"
    log = f"o-switcher ({debian_version()}) unstable; urgency=medium\n\n{entry}"
    _put(tree / DOC / "changelog.gz", _packed(log))


def _put_control(tree: Path) -> None:
    control = tree / "DEBIAN"
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree).as_posix()}\n" for path in files]  # noqa: S324  # the format's own
    # as Debian counts it: each file in whole KiB, and one for every other entry
    others = sum(path.is_symlink() or path.is_dir() for path in tree.rglob("*"))
    size = sum(-(-path.stat().st_size // 1024) for path in files) + others
    _put(control / "control", _filled("control", SIZE=str(size)).encode())
    _put(control / "md5sums", "".join(sums).encode())
    for name in SCRIPTS:
        _put(control / name, (TEXTS / name).read_bytes(), 0o755)
    control.chmod(0o755)


def _filled(name: str, **more: str) -> str:
    """One of the fixed texts, with what stands for `@NAME@`."""
    text = (TEXTS / name).read_text(encoding="utf-8")
    year = str(time.gmtime(stamp.epoch()).tm_year)
    marks = {"VERSION": debian_version(), "MAINTAINER": _maintainer(), "YEAR": year, **more}
    for mark, value in marks.items():
        text = text.replace(f"@{mark}@", value)
    return text


def _maintainer() -> str:
    return f"{os.environ.get('DEBFULLNAME', NAME)} <{os.environ.get('DEBEMAIL', ADDRESS)}>"


def _packed(text: str) -> bytes:
    return gzip.compress(text.encode(), 9, mtime=0)


def _put(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
