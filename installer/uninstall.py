"""Taking O-Switcher away: clients are pointed back first, then all that was made goes; data only if it is wanted.

What was put into other programs' files is taken out before anything is removed, since afterwards nobody could: where
that fails, the whole is refused and it is said how to go on. Killed anywhere, the next run takes the rest.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

import desktop
import environment
from answers import answered
from installed import NOT_RUNNING, Installed
from record import NAME, record
from terminal import Problem

COPY = "installer"
LEAVING_S = 5.0  # a process that has said that it stops still has to end
STATE_FILES = (
    "config.toml*",
    "history*.db*",
    ".history*.db.*",
    "decisions.ndjson*",
    "running.json",
    "keys.json",
    "keys-in-keyring",
    "connections.json",
    "demo",
    "o-switcher.lock",
)


def uninstall(*, purge: bool | None, sure: bool | None, leave_clients: bool) -> int:
    """Takes away what `install.py` made; with `purge` history, settings and keys too. The exit code."""
    done = record()
    app = Installed(desktop.command_path())
    there = desktop.command() is not None
    wanted = _purge_wanted(purge, sure, there=there)
    if there:
        _point_back(app, leave_clients=leave_clients)
        _leave_cleanly(app, purge=wanted)
    desktop.remove_autostart()
    removed = [*desktop.remove_commands(), *desktop.remove_menu_entry()]
    for path in removed:
        print(f"removed     {path}")
    busy = _remove_environments()
    if wanted:
        _purge()
    if not busy:
        shutil.rmtree(environment.data_folder() / COPY, ignore_errors=True)
        environment.tidy_up()
        done.remove()
        if wanted:
            _remove_empty(state_folders())
    for path in busy:
        print(f"still in use and therefore left: {path} (end what runs from it, and run this again)")
    _say_what_is_left(purge=wanted, nothing=not removed)
    return 1 if busy else 0


def _purge_wanted(purge: bool | None, sure: bool | None, *, there: bool) -> bool:
    if purge is False or (purge is None and (sure is not None or not there)):
        return False  # what deletes has to be said by its own name: --yes alone keeps the data
    question = "Delete history, settings and keys for good, too?"
    found = answered(True if purge and sure else None, question)
    if purge and not found:
        raise Problem("nothing was removed: --purge deletes history and keys; say --yes to do it without a question.")
    return bool(found)


def _point_back(app: Installed, *, leave_clients: bool) -> None:
    """Puts back what stood in clients' files, or refuses the whole."""
    if not app.works():
        if any((folder / "connections.json").exists() for folder in state_folders()) and not leave_clients:
            raise Problem(
                "nothing was removed: clients are pointed at O-Switcher, and its command does not start, so that they "
                "cannot be pointed back. Run install.py of a checkout first (it repairs), or say --leave-clients."
            )
        return
    for row in app.table("connections"):
        client = str(row.get("client"))
        if not row.get("connected", True):
            continue
        answer = app.call("disconnect", client)
        if answer.good:
            print(f"disconnected {client}")
        elif not leave_clients:
            raise Problem(
                f"nothing was removed: {client} could not be disconnected: {answer.why}. Mend that and run this "
                f"again (o-switcher disconnect {client} --force puts back what is ours), or say --leave-clients."
            )
        else:
            print(f"{client} is left as it is: {answer.why}")


def _leave_cleanly(app: Installed, *, purge: bool) -> None:
    """Lets the app undo what only it knows: its own process, launch at login, keys in the keyring."""
    if app.call("stop").code not in {0, NOT_RUNNING}:
        print("the running app could not be stopped: o-switcher stop")
    app.call("autostart", "disable")
    if purge and any((folder / "keys-in-keyring").exists() for folder in state_folders()):
        moved = app.call("config", "set", "secrets.store", "file")  # out of the keyring: the file is deleted next
        if not moved.good:
            print(f"keys are still in the system's keyring, under the name o-switcher: {moved.why}")


def _remove_environments() -> list[Path]:
    """Removes them; those that stayed because something still runs from them."""
    deadline = time.monotonic() + LEAVING_S
    while busy := environment.remove_all("app"):
        if time.monotonic() > deadline:
            return busy
        time.sleep(0.1)
    return []


def _purge() -> None:
    home = os.environ.get("O_SWITCHER_HOME")
    if home:  # a folder of the user's choice may hold other things: only our own files go
        for pattern in STATE_FILES:
            for path in Path(home).glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                print(f"removed     {path}")
        return
    for folder in filter(Path.is_dir, state_folders()):
        for path in folder.iterdir():
            if path.name == NAME:
                continue  # the record goes last: it knows what else is to go
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        print(f"removed     {folder}")


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def state_folders() -> list[Path]:
    """The app's own folders by the rules of the system: data, settings, state, cache, logs."""
    chosen = os.environ.get("O_SWITCHER_HOME")
    if chosen:
        return [Path(chosen)]
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
