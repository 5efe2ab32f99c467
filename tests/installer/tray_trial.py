"""Tries an installed O-Switcher as its user does, whichever way it was installed: what every package must do.

    PYTHON tests/installer/tray_trial.py FOLDER COMMAND...

On a private session bus with a desktop of its own the tray has to show its icon and menu, a request has to go through
the proxy to the simulator and stand in the history, the report has to open from the menu and say what it is, and Quit
has to end it all with code 0. PYTHON holds the packages of the lock; COMMAND starts the app. The app's files lie where
its user has them (`O_SWITCHER_HOME` says otherwise), everything else in FOLDER. Prints what it measured as JSON.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # where this is run as a script

import httpx  # only found once the folder is on the path, like the rest

from tests.faces.tray.desk import NOTIFICATIONS, WATCHER, Daemon, Desk, until
from tests.rig import CHAT, MODEL, SETTINGS, entry_of, plain_http, script_of
from tray_app.host.home import Home, find_home, write_private
from tray_app.host.instance import find_running
from tray_app.host.vault import open_vault
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

PATIENCE_S = 30
NAMES = ("main", "backup")


@dataclass(frozen=True, slots=True)
class Tried:
    """What was seen of it."""

    icon_s: float  # from the start to the registered icon
    pss_mb: float  # of all its processes, once it has served
    version: str
    requests: int  # that its history holds by now


def try_tray(command: Sequence[str], folder: Path, environ: Mapping[str, str] = os.environ) -> Tried:
    """Start the app by `command`, use it, and end it.

    Raises:
        AssertionError: something is not as it must be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    daemon = Daemon(folder)
    desk = Desk(daemon)
    desk.be(WATCHER)
    desk.be(NOTIFICATIONS)
    home = find_home(environ)
    opened = folder / "opened"
    opened.unlink(missing_ok=True)
    try:
        with SimulatorThread(parse(script_of(**dict.fromkeys(NAMES, '{do="ok"}')), "trial")) as simulator:
            token = _prepare(home, simulator.url)
            started = time.monotonic()
            env = _environment(folder, opened, environ, daemon)
            with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
                try:
                    until(lambda: desk.items or process.poll() is not None, "no icon came", PATIENCE_S)
                    assert process.poll() is None, f"it ended: {process.communicate()[1]}"
                    icon_s = time.monotonic() - started
                    return _use(process, desk, home, token, opened, icon_s)
                finally:
                    process.kill()
    finally:
        desk.close()
        daemon.kill()


def _prepare(home: Home, url: str) -> str:
    """Two profiles on the simulator; a client's token."""
    write_private(home.config, (SETTINGS + "[proxy]\nport = 0\n").encode())
    vault = open_vault(home.keys, "file")
    for place, name in enumerate(NAMES):
        vault.put(f"openrouter-{name}", entry_of(name, url, place))
    return vault.token("trial")


def _environment(folder: Path, opened: Path, environ: Mapping[str, str], daemon: Daemon) -> dict[str, str]:
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "xdg-open").write_text(f'#!/bin/sh\necho "$1" >> "{opened}"\n')
    (programs / "xdg-open").chmod(0o755)
    path = f"{programs}:{environ['PATH']}"
    return {**environ, **daemon.environ, "PATH": path, "LC_ALL": "C.UTF-8", "WAYLAND_DISPLAY": "wayland-trial"}


def _use(process: subprocess.Popen[str], desk: Desk, home: Home, token: str, opened: Path, icon_s: float) -> Tried:
    running = until(lambda: find_running(home.running), "it does not say where it listens", PATIENCE_S)
    until(lambda: any("openrouter-main" in label for label in desk.labels()), "the menu does not say who serves")
    with httpx.Client(transport=plain_http(), timeout=PATIENCE_S, follow_redirects=True) as client:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"authorization": f"Bearer {token}"}
        answer = client.post(running.url + CHAT, json=body, headers=headers)
        assert (answer.status_code, answer.headers["x-o-switcher-profile"]) == (200, "openrouter-main")
        version = client.get(f"{running.url}/healthz").json()["version"]
        desk.click(desk.find("Open usage report").id)
        address = until(lambda: opened.exists() and opened.read_text().strip(), "the report was not opened", PATIENCE_S)
        page = client.get(address)
        assert page.status_code == 200 and "openrouter-main" in page.text, "the report shows nothing"
        sheets = re.findall(r'(?:href|src)="([^"]+\.(?:css|js)[^"]*)"', page.text)
        assert sheets, "the report has neither style nor script"
        for sheet in sheets:
            found = client.get(httpx.URL(page.url).join(sheet))
            assert found.status_code == 200 and found.content, f"{sheet} is not in the package"
    pss_mb = sum(map(_pss_mb, _family(process.pid)))
    desk.click(desk.find("Quit").id)
    assert process.wait(PATIENCE_S) == 0, f"it ended with {process.returncode}"
    assert not home.running.exists(), "it left a mark that it runs"
    with closing(sqlite3.connect(f"file:{home.history}?mode=ro", uri=True)) as history:
        (requests,) = history.execute("SELECT count(*) FROM request WHERE outcome = 'served'").fetchone()
    assert requests >= 1, "the history does not know the request"
    return Tried(round(icon_s, 2), round(pss_mb, 1), version, requests)


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _pss_mb(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    print(json.dumps(asdict(try_tray(sys.argv[2:], Path(sys.argv[1]).absolute()))))
