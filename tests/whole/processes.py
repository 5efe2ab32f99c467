"""The app as a real process of its own, for what can only be seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.rig import SETTINGS, entry_of, script_of
from tray_app.control.callers import HttpCaller
from tray_app.host.home import Home, find_home, write_private
from tray_app.host.instance import find_running
from tray_app.host.vault import open_vault

ROOT = Path(__file__).parent.parent.parent


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a child: this one's, without what the user of this machine has set up."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith("_API_KEY") and name not in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
    }
    return {**kept, "O_SWITCHER_HOME": str(home), "PYTHONPATH": str(ROOT), "HOME": str(home), **more}


def prepared(folder: Path, url: str, names: Sequence[str], settings: str = "") -> tuple[Home, str]:
    """A home with those profiles on the simulator at `url`; the home, and a client's token."""
    home = find_home({"O_SWITCHER_HOME": str(folder)})
    write_private(home.config, (SETTINGS + settings).encode())
    vault = open_vault(home.keys, "file")
    for place, name in enumerate(names):
        vault.put(f"openrouter-{name}", entry_of(name, url, place))
    return home, vault.token("test")


def command(
    folder: Path, *words: str, stdin: str = "", timeout: float = 60, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run one command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tray_app", *words],
        input=stdin,
        env=environment(folder, **more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@dataclass
class Served:
    """A running `o-switcher serve`."""

    process: subprocess.Popen[str]
    home: Home
    url: str

    def caller(self) -> HttpCaller:
        """A caller of its admin API."""
        running = find_running(self.home.running)
        assert running is not None
        return HttpCaller(running)

    def end(self, timeout: float = 20) -> int:
        """Ask it to stop; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout)
        self.close()
        return code

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)
        self.close()

    def close(self) -> None:
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def serve(home: Home, *words: str, env: Mapping[str, str] | None = None) -> Served:
    """Start `o-switcher serve` (or `words`) and wait until it listens."""
    home.running.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tray_app", *(words or ("serve", "--port", "0"))],
        env=environment(home.config.parent, **(env or {})),
        cwd=home.config.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if (running := find_running(home.running)) is not None:
            return Served(process, home, running.url)
        time.sleep(0.01)
    process.kill()
    _, words_said = process.communicate()
    raise AssertionError(f"the app did not come up: {words_said}")


def practice(*names: str, behaviour: str = '{do="ok"}') -> str:
    """A script in which each of `names` behaves alike."""
    return script_of(**dict.fromkeys(names, behaviour))


def inotify(pid: int) -> list[str]:
    """What a process watches folders with."""
    found = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it may close one meanwhile
            found.append(str(file.readlink()))
    return [name for name in found if "inotify" in name]
