"""`python3 installer/install.py` installs O-Switcher for this user; `--uninstall` takes it away again.

No root needed. The package is copied into its environment, so this checkout may be deleted afterwards; a copy of
this folder stays beside it, for uninstalling. Running it again, or with `--upgrade`, brings it up to date. Every
step can be repeated and is over in one moment, or else undone by the next run: kill it anywhere, run it again.
History and keys are never touched, except that an update brings the history's tables up to date and keeps a copy.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import desktop
import environment
from answers import answered
from installed import LONG_S, Installed
from record import Record, record
from terminal import Problem, run_or_explain
from uninstall import COPY, state_folders, uninstall

AUTOSTART, OPENCODE = "autostart", "opencode"
KEPT = (  # what uninstalling needs
    "answers.py",
    "desktop.py",
    "environment.py",
    "install.py",
    "installed.py",
    "python_version.py",
    "record.py",
    "terminal.py",
    "uninstall.py",
)
OPENCODE_FOLDERS = (".config/opencode", ".local/share/opencode")


def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.uninstall:
        return uninstall(purge=options.purge, sure=options.yes, leave_clients=options.leave_clients)
    if options.purge is not None or options.leave_clients:
        parser.error("--purge, --keep and --leave-clients go with --uninstall")
    return _install(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="install.py", description="Installs O-Switcher for this user.")
    parser.add_argument("--upgrade", action="store_true", help="bring what is installed up to date; ask nothing")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--autostart", action="store_true", default=None, help="start at login")
    start.add_argument("--no-autostart", dest="autostart", action="store_false", help="do not start at login")
    client = parser.add_mutually_exclusive_group()
    client.add_argument("--opencode", action="store_true", default=None, help="point OpenCode at O-Switcher")
    client.add_argument("--no-opencode", dest="opencode", action="store_false", help="leave OpenCode as it is")
    every = parser.add_mutually_exclusive_group()
    every.add_argument("--yes", action="store_true", default=None, help="say yes to every question")
    every.add_argument("--no", dest="yes", action="store_false", help="say no to every question")
    parser.add_argument("--uninstall", action="store_true", help="take everything away but history and keys")
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--purge", action="store_true", default=None, help="with --uninstall: history and keys too")
    data.add_argument("--keep", dest="purge", action="store_false", help="with --uninstall: keep them, do not ask")
    parser.add_argument(
        "--leave-clients", action="store_true", help="with --uninstall: even if a client cannot be disconnected"
    )
    return parser


def _install(options: argparse.Namespace) -> int:
    _look_around(upgrade=options.upgrade)
    done = record()
    done.expect(_folders())
    place = environment.ensure(environment.APP)
    _try_history(place)
    for path in desktop.put_commands(place):
        print(f"command     {path}")
    for path in desktop.put_menu_entry(environment.CHECKOUT / "assets"):
        print(f"menu        {path}")
    undo = _keep_copy()
    app = Installed(desktop.command_path())
    _bring_up_to_date(app, place)
    _ask_about_login(app, done, options)
    _ask_about_opencode(app, done, options)
    done.finish()
    _say_path()
    print(f"Start it with: o-switcher\nTo undo all this: {undo} --uninstall")
    return 0


def _look_around(*, upgrade: bool) -> None:
    """Refuses what cannot go well, before anything is made."""
    if not (environment.CHECKOUT / environment.PACKAGE).is_dir():
        raise Problem("there is nothing to install here: run install.py of a checkout (this copy only uninstalls).")
    if os.environ.get("SUDO_USER"):
        raise Problem("install it as yourself, without sudo: it goes into your own home folder and needs no root.")
    if upgrade and desktop.command() is None:
        raise Problem("O-Switcher is not installed yet: run this without --upgrade.")
    desktop.look_whether_free()


def _try_history(place: environment.Environment) -> None:
    """Tries on a copy whether the history goes through this version's migrations; if not, nothing changes at all."""
    tried = Installed(place.command("o-switcher")).call("migrate", "--trial", patience_s=LONG_S)
    if tried.good:
        return
    if desktop.leads_to() != place.folder:
        environment.discard(place)
    raise Problem(
        f"the history cannot be brought up to this version: {tried.why}. "
        "Nothing was changed, and what was installed before goes on working."
    )


def _folders() -> list[Path]:
    """Every folder that the installation, or the app at its bidding, puts something into."""
    own = [environment.environments_folder(), environment.data_folder() / COPY]
    return [*own, *desktop.folders(), *state_folders()]


def _bring_up_to_date(app: Installed, place: environment.Environment) -> None:
    """The app that still runs from an earlier environment ends its answers and starts anew; the history follows."""
    running = app.runs()
    left = environment.remove_earlier(environment.APP, place)
    if left and running:
        if sys.platform == "win32":  # there a running program cannot become its next version
            app.call("stop")
            subprocess.Popen([str(app.command.with_name("o-switcher-tray.cmd"))], close_fds=True)
        else:
            again = app.call("restart")
            if again.good:
                print(f"restarted   {again.said.strip()}")
            else:
                print(f"The running app still is the earlier version ({again.why}): o-switcher stop, then start it.")
        environment.remove_earlier(environment.APP, place)
    elif not running:
        brought = app.call("migrate", patience_s=LONG_S)
        if not brought.good:
            print(f"The history is brought up to date at the next start, since now: {brought.why}")
        elif "went from" in brought.said:
            print(f"history     {brought.said.strip()}")


def _ask_about_login(app: Installed, done: Record, options: argparse.Namespace) -> None:
    flag = options.autostart if options.autostart is not None else options.yes
    wanted = flag
    if flag is None and AUTOSTART not in done.asked and not options.upgrade:
        wanted = answered(None, "Start O-Switcher at login?")
    if wanted is None:
        state = app.view("autostart", "status") or {}
        if state.get("enabled"):
            app.call("autostart", "enable")  # by the command as it is called now
        print(f"at login    {'starts' if state.get('enabled') else 'does not start'} (o-switcher autostart status)")
        return
    changed = app.call("autostart", "enable" if wanted else "disable")
    if not changed.good:
        print(f"at login    could not be changed: {changed.why}")
        return
    print(f"at login    {'starts' if wanted else 'does not start'}")
    done.was_asked(AUTOSTART)


def _ask_about_opencode(app: Installed, done: Record, options: argparse.Namespace) -> None:
    """OpenCode's file is the user's own: it is changed only if somebody has seen the change, or has ordered it."""
    flag = options.opencode if options.opencode is not None else options.yes
    if flag is None and (OPENCODE in done.asked or options.upgrade):
        return
    if flag is False:
        done.was_asked(OPENCODE)
    if flag is False or (options.opencode is None and not _has_opencode()) or _is_connected(app):
        return
    shown = app.view("connect", "opencode", "--dry-run")
    if shown is None:
        print(f"OpenCode    not connected: {app.call('connect', 'opencode', '--dry-run').why}")
        return
    diffs = "".join(str(file.get("diff", "")) for file in shown.get("files", ()))
    if diffs:
        print(f"To point OpenCode at O-Switcher, this would be changed:\n{diffs}", end="")
    wanted = answered(flag, "Change it so? `o-switcher disconnect opencode` puts it back.")
    if not wanted:
        print("OpenCode    is left as it is; later: o-switcher connect opencode")
        if wanted is not None:  # else there was nobody to ask
            done.was_asked(OPENCODE)
    else:
        changed = app.call("connect", "opencode")
        if changed.good:
            print(f"OpenCode    {changed.said.strip().splitlines()[-1]}")
            done.was_asked(OPENCODE)
        else:
            print(f"OpenCode    not connected: {changed.why}")


def _has_opencode() -> bool:
    home = Path.home()
    return shutil.which("opencode") is not None or any((home / folder).is_dir() for folder in OPENCODE_FOLDERS)


def _is_connected(app: Installed) -> bool:
    rows = app.table("connections")
    return any(row.get("client") == "opencode" and row.get("state") == "connected" for row in rows)


def _say_path() -> None:
    folder = desktop.commands_folder()
    if str(folder) not in os.environ.get("PATH", "").split(os.pathsep):
        print(f'{folder} is not on your PATH yet: log in again, or: export PATH="{folder}:$PATH"')


def _keep_copy() -> str:
    """Leaves a copy of this folder for uninstalling, and returns the command that starts it."""
    here = Path(__file__).resolve().parent
    kept = environment.data_folder() / COPY
    if here != kept:
        kept.mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            part = kept / f"{name}.part"
            shutil.copyfile(here / name, part)
            part.replace(kept / name)
        for path in kept.iterdir():
            if path.is_file() and path.name not in KEPT:
                path.unlink()
    return f'python3 "{kept / "install.py"}"'


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
