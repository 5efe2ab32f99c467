"""Launch at login for real: a session of openbox starts what stands in the user's autostart folder, and no more."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.processes import command, environment, prepared
from tray_app.control.callers import HttpCaller
from tray_app.host.instance import find_running, lives

STARTERS = sorted(Path("/usr/lib").glob("*/openbox-xdg-autostart"))

pytestmark = pytest.mark.skipif(not STARTERS, reason="openbox is not here")


class Login:
    """A user with the app's own command line, whose desktop is openbox."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.files, _ = prepared(home, "http://127.0.0.1:9", ["a"], "[proxy]\nport = 0\n")
        self.entry = home / ".config/autostart/o-switcher.desktop"
        self.variables = {"XDG_CONFIG_HOME": str(home / ".config"), "XDG_CURRENT_DESKTOP": "openbox"}

    def say(self, *words: str) -> str:
        done = command(self.home, "autostart", *words, **self.variables)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def begin(self) -> str:
        """Begins a session, which starts what is to be started; what it thinks of each entry."""
        variables = environment(self.home, XDG_CONFIG_DIRS=str(self.home / "none"), **self.variables)
        starter = [str(STARTERS[0]), "--list", "openbox"]
        thought = subprocess.run(starter, env=variables, capture_output=True, text=True, check=True).stdout
        subprocess.run([starter[0], "openbox"], env=variables, cwd=self.home, stderr=subprocess.DEVNULL, check=True)
        return thought

    def runs(self, patience_s: float = 15) -> bool:
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            found = find_running(self.files.running)
            if found is not None and lives(self.files.lock) and HttpCaller(found).alive():
                return True
            time.sleep(0.05)
        return False


@pytest.fixture
def login(tmp_path: Path) -> Iterator[Login]:
    made = Login(tmp_path)
    yield made
    command(made.home, "stop", **made.variables)


def test_a_session_starts_the_app_and_status_told_so(login: Login) -> None:
    assert login.say("status") == "launch at login is off"
    assert login.say("enable") == "launch at login is on"
    done = subprocess.run(["desktop-file-validate", login.entry], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "[*] O-Switcher" in login.begin()
    assert login.runs()


@pytest.mark.parametrize("line", ["Hidden=true", "OnlyShowIn=XFCE;"])
def test_what_status_says_is_what_a_session_does(login: Login, line: str) -> None:
    login.say("enable")
    login.entry.write_text(login.entry.read_text() + f"{line}\n")
    assert login.say("status").startswith("launch at login is off: ")
    assert "[ ] O-Switcher" in login.begin()
    assert not login.runs(patience_s=1)


def test_after_a_move_the_first_start_by_hand_puts_the_entry_right(login: Login) -> None:
    login.say("enable")
    text = login.entry.read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("Exec=")]
    login.entry.write_text(text.replace(line, "Exec=/gone/bin/o-switcher"))
    assert "which is not there any more" in login.say("status")
    with subprocess.Popen(
        [*line.removeprefix("Exec=").split(), "serve"],
        env=environment(login.home, **login.variables),
        cwd=login.home,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert login.runs()
            assert login.say("status") == "launch at login is on"
            assert line in login.entry.read_text().splitlines()
        finally:
            process.terminate()
            _, said = process.communicate(timeout=20)
    assert "launch at login starts this O-Switcher now" in said
