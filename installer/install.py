"""`python3 installer/install.py` installs O-Switcher for this user; `--uninstall` takes it away again.

No root needed. The package is copied into its environment, so this checkout may be deleted afterwards;
a copy of this folder stays beside it, for uninstalling. Running it again updates. History and keys are
never touched, except by `--uninstall --purge`.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import desktop
import environment
from terminal import Problem, run_or_explain

COPY = "installer"
PATIENCE_S = 60
NOT_RUNNING = 3  # the command's own exit code for "the app is not running"
STATE_FILES = (
    "config.toml*",
    "history*.db*",
    "decisions.ndjson*",
    "running.json",
    "keys.json",
    "keys-in-keyring",
    "connections.json",
    "demo",
    "o-switcher.lock",
)


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.purge and not options.uninstall:
        raise Problem("--purge goes with --uninstall.")
    if options.uninstall:
        return _uninstall(purge=options.purge, sure=options.yes)
    return _install(options.autostart)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="install.py", description="Installs O-Switcher for this user.")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--autostart", action="store_true", default=None, help="start at login")
    start.add_argument("--no-autostart", dest="autostart", action="store_false", help="do not start at login")
    parser.add_argument("--uninstall", action="store_true", help="take everything away but history and keys")
    parser.add_argument("--purge", action="store_true", help="with --uninstall: history, settings and keys too")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _install(autostart: bool | None) -> int:
    if not (environment.CHECKOUT / environment.PACKAGE).is_dir():
        raise Problem("there is nothing to install here: run install.py of a checkout (this copy only uninstalls).")
    if os.environ.get("SUDO_USER"):
        raise Problem("install it as yourself, without sudo: it goes into your own home folder and needs no root.")
    updated = desktop.command() is not None
    place = environment.ensure(environment.APP)
    for path in desktop.put_commands(place):
        print(f"command     {path}")
    environment.remove_earlier(environment.APP, place)
    for path in desktop.put_menu_entry(environment.CHECKOUT / "assets"):
        print(f"menu        {path}")
    undo = _keep_copy()
    command = _command()
    if autostart is None and not updated:
        autostart = _ask("Start O-Switcher at login? [y/N] ")
    if autostart is not None:
        _call(command, "autostart", "enable" if autostart else "disable")
        print(f"at login    {'starts' if autostart else 'does not start'}")
    elif _call(command, "autostart", "status", quiet=True) == 0:
        print("at login    unchanged (o-switcher autostart status)")
    _say_path()
    if updated and _call(command, "status", quiet=True) == 0:
        print("The running app still is the earlier version: o-switcher stop, then start it again.")
    print(f"Start it with: o-switcher\nTo undo all this: {undo} --uninstall")
    return 0


def _say_path() -> None:
    folder = desktop.commands_folder()
    if str(folder) not in os.environ.get("PATH", "").split(os.pathsep):
        print(f'{folder} is not on your PATH yet: log in again, or: export PATH="{folder}:$PATH"')


def _keep_copy() -> str:
    """Leaves a copy of this folder for uninstalling, and returns the command that starts it."""
    here = Path(__file__).resolve().parent
    kept = environment.data_folder() / COPY
    if here != kept:
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for source in here.glob("*.py"):
            shutil.copyfile(source, kept / source.name)
    return f'python3 "{kept / "install.py"}"'


def _uninstall(*, purge: bool, sure: bool) -> int:
    if purge and not sure and not _ask("This deletes history, settings and keys for good. Go on? [y/N] "):
        raise Problem("nothing was removed: --purge deletes history and keys; say --yes to do it without a question.")
    command = desktop.command()
    if command is not None:
        _leave_cleanly(_command(), purge=purge)
    removed = [*desktop.remove_commands(), *desktop.remove_menu_entry()]
    for path in removed:
        print(f"removed     {path}")
    busy = environment.remove_all("app")
    shutil.rmtree(environment.data_folder() / COPY, ignore_errors=True)
    if purge:
        _purge()
    for path in busy:
        print(f"still in use and therefore left: {path} (stop the app and run this again)")
    _say_what_is_left(purge=purge, nothing=not removed)
    return 1 if busy else 0


def _leave_cleanly(command: list[str], *, purge: bool) -> None:
    """Lets the app undo what only it knows: its own process, launch at login, clients pointed at it, keys."""
    if _call(command, "stop", quiet=True) not in {0, NOT_RUNNING}:
        print("the running app could not be stopped: o-switcher stop")
    _call(command, "autostart", "disable", quiet=True)
    for client in _rows(command, "connections", "client"):
        if _call(command, "disconnect", client, quiet=True) == 0:
            print(f"disconnected {client}")
    if purge:
        for profile in _rows(command, "profiles", "list", "id"):
            _call(command, "profiles", "remove", profile, quiet=True)  # its key leaves the keyring with it


def _purge() -> None:
    home = os.environ.get("O_SWITCHER_HOME")
    if home:  # a folder of the user's choice may hold other things: only our own files go
        for pattern in STATE_FILES:
            for path in Path(home).glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                print(f"removed     {path}")
        return
    for folder in _state_folders():
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            print(f"removed     {folder}")


def _state_folders() -> list[Path]:
    """The app's own folders by the rules of the system: data, settings, state, cache, logs."""
    user = Path.home()
    if sys.platform == "win32":
        return [environment.data_folder()]
    if sys.platform == "darwin":
        library = user / "Library"
        return [environment.data_folder(), library / "Caches" / "O-Switcher", library / "Logs" / "O-Switcher"]
    rules = {"DATA": ".local/share", "CONFIG": ".config", "STATE": ".local/state", "CACHE": ".cache"}
    bases = (os.environ.get(f"XDG_{name}_HOME") or str(user / default) for name, default in rules.items())
    return [Path(base) / "o-switcher" for base in bases]


def _say_what_is_left(*, purge: bool, nothing: bool) -> None:
    if nothing:
        print("O-Switcher was not installed: nothing to remove.")
    left = environment.environments_folder()
    if left.is_dir() and any(left.glob("run-*")):
        print(f"The environment of installer/run.py stays for the checkout; to remove it too, delete {left}")
    if not purge:
        print("History, settings and keys are kept; --uninstall --purge deletes them.")


def _command() -> list[str]:
    """The installed command, by the address that stays the same when it is updated."""
    return [str(desktop.commands_folder() / ("o-switcher.cmd" if sys.platform == "win32" else "o-switcher"))]


def _call(command: list[str], *arguments: str, quiet: bool = False) -> int:
    """Runs the installed app's command. What goes wrong is shown, and does not stop the rest."""
    answer = subprocess.run(
        [*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0 and not quiet:
        last = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"o-switcher {' '.join(arguments)}: {last}")
    return answer.returncode


def _answer(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {PATIENCE_S} s")


def _rows(command: list[str], *words: str) -> list[str]:
    """One column of a table that the app prints; the last word names it. Empty where there is none."""
    *verb, column = words
    answer = _answer([*command, *verb, "--json"])
    try:
        rows = json.loads(answer.stdout)
        return [str(row[column]) for row in rows if row.get("connected", True)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _ask(question: str) -> bool | None:
    """A yes-or-no answer; None where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
