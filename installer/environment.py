"""The project's own Python environment, made in the user's data folder from a hash-checked lock.

Works on a bare machine: no pip, no ensurepip, no compiler, no root. Each environment has a folder
named after everything it depends on, so a changed lock makes a new one; a marker, written last, says
that it is complete (a folder cannot be renamed into place, since scripts hold absolute paths). Killed
at any moment, it is simply made anew; one set-up at a time, by a lock that dies with its holders.

The project itself is not built or installed by pip: a build would need hatchling and its dependencies,
outside the lock. From a checkout a `.pth` file leads to it (edits take effect, as developers expect);
an installed app gets a plain copy. Both get the console scripts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import locale
import os
import shlex
import shutil
import stat
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from terminal import Problem, say

LAYOUT = 1  # raise it when environments made by earlier versions of this file must not be used
HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
PACKAGE = "tray_app"
MARKER = "complete.json"
IN_USE = "in-use"
SET_UP = "set-up.lock"
COMMANDS = ("o-switcher", "o-switcher-tray")
NPM_FILES = ("package.json", "package-lock.json")

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@dataclass(frozen=True, slots=True)
class Plan:
    """What an environment is to hold. `copied`: the package itself, not a path to the checkout.

    Without a `project` it holds packages alone, and serves every checkout. `npm`: a folder with a package.json
    and its lock, whose packages it holds too.
    """

    kind: str
    lock: Path
    space_mb: int  # on disk, with the downloads' copies in pip's cache
    project: Path | None = CHECKOUT
    copied: bool = False
    npm: Path | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete environment."""

    folder: Path

    @property
    def python(self) -> Path:
        return _python(self.folder)

    def command(self, name: str) -> Path:
        """The console script of that name (on Windows a .cmd file)."""
        return self.python.parent / (f"{name}.cmd" if sys.platform == "win32" else name)

    @property
    def node(self) -> Path:
        """The folder of its npm packages."""
        return self.folder / "node"

    def hold(self) -> None:
        """Marks it as in use until this process, or the program it becomes, ends: it is not removed meanwhile."""
        _hold(self.folder / IN_USE)


RUN = Plan("run", HERE / "requirements.lock", 250)
TEST = Plan("test", HERE / "requirements-test.lock", 700)
APP = Plan("app", HERE / "requirements.lock", 250, copied=True)
BUILD = Plan("build", HERE / "requirements-build.lock", 400)
CLIENTS = Plan("clients", HERE / "requirements-clients.lock", 2200, project=None, npm=HERE / "clients")


def data_folder() -> Path:
    """The user's own data folder for this app; `O_SWITCHER_ENV_DIR` puts the environments elsewhere."""
    override = os.environ.get("O_SWITCHER_ENV_DIR")
    if override:
        return Path(override).absolute()
    try:
        return _user_data_folder()
    except RuntimeError:  # what Path.home() raises for a user without a home, as in some containers
        raise Problem("this user has no home folder: set HOME, or O_SWITCHER_ENV_DIR, to a writable one.") from None


def _user_data_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "O-Switcher"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "O-Switcher"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "o-switcher"


def environments_folder() -> Path:
    """Where the environments lie, one folder each."""
    return data_folder() / "environments"


def is_ready(plan: Plan) -> bool:
    """Whether that environment is there."""
    key = _key(plan)
    return _is_complete(_place(plan, key), key)


def ensure(plan: Plan) -> Environment:
    """The environment of that plan, made now if it is not there. Silent and quick if it is."""
    key = _key(plan)
    place = _place(plan, key)
    if _is_complete(place, key):
        return Environment(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone(place.parent / SET_UP) as held:
        if not _is_complete(place, key):
            _remove_unfinished(place.parent)
            _check_space(place.parent, plan.space_mb)
            _build(plan, place, key, held)
            if not plan.copied:  # an installed app's commands lead to the earlier one until they are moved
                _remove_stale(plan, place)
    return Environment(place)


def remove_earlier(plan: Plan, current: Environment) -> list[Path]:
    """Removes what an installed app used before; returns what stays because something still runs from it."""
    with alone(current.folder.parent / SET_UP):
        return _remove_stale(plan, current.folder)


def discard(unwanted: Environment) -> None:
    """Removes an environment that was made and is not going to be used."""
    with alone(unwanted.folder.parent / SET_UP):
        _remove(unwanted.folder)


def tidy_up() -> None:
    """Removes what is left beside the environments once there is none."""
    parent = environments_folder()
    if not parent.is_dir():
        return
    with alone(parent / SET_UP):
        _remove_unfinished(parent)
        if any(place.is_dir() and place.name != "downloads" for place in parent.iterdir()):
            return
        shutil.rmtree(parent / "downloads", ignore_errors=True)
        for log in parent.glob("*.log"):
            log.unlink(missing_ok=True)
        if sys.platform != "win32":  # there a file that is open stays
            (parent / SET_UP).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                parent.rmdir()


def remove_all(kind: str) -> list[Path]:
    """Removes every environment of a kind; returns those that stayed because they are in use."""
    parent = environments_folder()
    if not parent.is_dir():
        return []
    with alone(parent / SET_UP):
        found = [place for place in parent.glob(f"{kind}-*") if place.is_dir()]
        return [place for place in found if not _remove(place)]


def _key(plan: Plan) -> str:
    """A digest of everything that the environment depends on."""
    parts: list[object] = [LAYOUT, plan.kind, _interpreter(), sysconfig.get_config_var("EXT_SUFFIX")]
    parts += [plan.lock.read_bytes(), tree_digest(plan.project) if plan.copied and plan.project else str(plan.project)]
    if plan.npm:
        parts += [(plan.npm / name).read_bytes() for name in NPM_FILES]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _place(plan: Plan, key: str) -> Path:
    return environments_folder() / f"{plan.kind}-{sys.implementation.cache_tag}-{key[:12]}"


def _interpreter() -> str:
    """The Python that environments are made from, even when this one is itself in an environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return f"{os.path.realpath(base)} {sys.version_info[0]}.{sys.version_info[1]}"


def tree_digest(project: Path) -> str:
    """A digest of the package's and the assets' files."""
    digest = hashlib.sha256()
    for path in _project_files(project):
        digest.update(f"{path.relative_to(project).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _project_files(project: Path) -> list[Path]:
    found = [path for top in (PACKAGE, "assets") for path in (project / top).rglob("*") if path.is_file()]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def _python(place: Path) -> Path:
    return place / "Scripts" / "python.exe" if sys.platform == "win32" else place / "bin" / "python"


def _site_packages(place: Path) -> Path:
    base = {"base": str(place), "platbase": str(place)}
    return Path(sysconfig.get_path("purelib", "venv", base))


def _is_complete(place: Path, key: str) -> bool:
    # exists() follows the link to the system's Python, which an upgrade may have removed
    return _marker(place).get("key") == key and _python(place).exists()


def _marker(place: Path) -> dict[str, str]:
    try:
        content = json.loads((place / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _build(plan: Plan, place: Path, key: str, held: int) -> None:
    # only needed here: importing these would double the time of a start with nothing to do
    import packages

    say(f"Setting up O-Switcher's own environment (once) in {place}")
    log = place.with_suffix(".log")
    log.unlink(missing_ok=True)
    downloads = place.parent / "downloads"
    target = packages.Target(_python(place), _site_packages(place), log, downloads, held)
    packages.install(plan.lock, target, lambda: _make_empty(place))
    compiled = [target.site_packages]
    if plan.project:
        _add_project(plan.project, place, copied=plan.copied)
        compiled.append(plan.project / PACKAGE)
    packages.compile_all(target, compiled)
    if plan.npm:
        import npm

        npm.install([plan.npm / name for name in NPM_FILES], Environment(place).node, target)
    (place / IN_USE).touch()
    marker = {"key": key, "interpreter": _interpreter(), "project": str(plan.project or "")}
    part = place / f"{MARKER}.part"
    part.write_text(json.dumps(marker), encoding="utf-8")
    log.unlink(missing_ok=True)
    part.replace(place / MARKER)  # the last step: from here on nobody looks at what lies around


def _make_empty(place: Path) -> None:
    import venv

    if place.exists():
        shutil.rmtree(place)
    # Debian's python3 has no ensurepip: with_pip=True would fail there
    venv.EnvBuilder(with_pip=False, symlinks=sys.platform != "win32").create(place)


def _add_project(project: Path, place: Path, *, copied: bool) -> None:
    site = _site_packages(place)
    if copied:
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(project / PACKAGE, site / PACKAGE, ignore=skip)
        if (project / "assets").is_dir():  # the same place as in a wheel, see pyproject.toml
            shutil.copytree(project / "assets", site / PACKAGE / "assets", dirs_exist_ok=True)
    else:
        # `site` reads these files in the locale's encoding before Python 3.13
        (site / "o_switcher_checkout.pth").write_text(f"{project}\n", encoding=locale.getencoding())
    environment = Environment(place)
    for name in COMMANDS:
        script = environment.command(name)
        if sys.platform == "win32":
            script.write_text(_windows_script(environment.python, name), encoding="utf-8")
        else:
            script.write_text(_posix_script(environment), encoding="utf-8")
            script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _posix_script(environment: Environment) -> str:
    """A script that is both shell and Python: a #! line can hold neither blanks nor long paths.

    `-I` keeps the working folder and PYTHONPATH from shadowing the app's modules. `$0` stays the path
    it was called by, so the app knows the stable name of its command.
    """
    return f"""#!/bin/sh
'''exec' {shlex.quote(str(environment.python))} -I "$0" "$@"
' '''
import fcntl, os, sys
try:  # in use: an update leaves this environment alone until the app ends
    fcntl.flock(os.open({str(environment.folder / IN_USE)!r}, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB)
except OSError:
    pass
from {PACKAGE}.__main__ import main
sys.exit(main())
"""


def _windows_script(python: Path, name: str) -> str:
    if name.endswith("-tray"):  # no console window
        return f'@start "" "{python.with_name("pythonw.exe")}" -I -m {PACKAGE} %*\r\n'
    return f'@"{python}" -I -m {PACKAGE} %*\r\n'


def _check_space(folder: Path, needed_mb: int) -> None:
    free_mb = shutil.disk_usage(folder).free >> 20
    if free_mb < needed_mb:
        raise Problem(
            f"the disk is nearly full: {free_mb} MB are free in {folder} and {needed_mb} MB are needed. "
            "Free some space, or set O_SWITCHER_ENV_DIR to a folder on another disk."
        )


def _remove_unfinished(parent: Path) -> None:
    """What an interrupted set-up or removal left; nobody else is at work, since the lock is ours."""
    for place in parent.iterdir():
        if place.is_dir() and place.name != "downloads" and not _marker(place):
            shutil.rmtree(place, ignore_errors=True)
            place.with_suffix(".log").unlink(missing_ok=True)


def _remove_stale(plan: Plan, current: Path) -> list[Path]:
    """Removes what the current one replaces; returns what is in use."""
    found = [place for place in current.parent.glob(f"{plan.kind}-*") if place != current and place.is_dir()]
    return [place for place in found if _is_stale(plan, place) and not _remove(place)]


def _is_stale(plan: Plan, place: Path) -> bool:
    """Replaced by the current one, or of no use to anybody. Another checkout's or Python's may stay."""
    marker = _marker(place)
    replaced = marker.get("interpreter") == _interpreter() and marker.get("project") == str(plan.project or "")
    lost = not _python(place).exists() or not Path(marker.get("project", "")).exists()
    return plan.copied or replaced or lost


def _remove(place: Path) -> bool:
    """Removes an environment unless it is in use. Interrupted, the next set-up removes the rest."""
    with contextlib.ExitStack() as stack:
        if sys.platform != "win32" and (place / IN_USE).exists():
            use = stack.enter_context((place / IN_USE).open("r"))
            try:
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
        gone = place.with_name(f"removed-{place.name}-{os.getpid()}")
        try:
            place.rename(gone)  # Windows refuses this while a program runs from it
        except OSError:
            return False
        (gone / MARKER).unlink(missing_ok=True)
        shutil.rmtree(gone, ignore_errors=True)
        return True


def _hold(path: Path) -> None:
    if sys.platform == "win32":
        return  # there a running program keeps its folder by itself
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        os.set_inheritable(descriptor, True)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[int]:
    """Holds the set-up lock; the operating system frees it when its holders end, however they end."""
    descriptor = _locked(path)
    while not _is_still(path, descriptor):  # an uninstalling has removed it meanwhile: what we hold locks nobody out
        os.close(descriptor)
        descriptor = _locked(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _try_lock(descriptor):
            say("Another set-up is under way: waiting for it.")
            while not _try_lock(descriptor):
                time.sleep(0.2)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
