"""The first moments: the icon is there before the app is, says so, and goes again if there is to be no app."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faces.tray.desk import NOTIFICATIONS, WATCHER, Daemon, Desk, until
from tests.whole.processes import ROOT, environment, inotify
from tray_app.__main__ import _plain_start
from tray_app.faces.tray.texts import ENGLISH
from tray_app.host.home import Home, find_home
from tray_app.host.instance import find_running, lives

SETTINGS = '[secrets]\nstore = "file"\n[discovery]\nenabled = false\n[proxy]\nport = 0\n'

# what the icon does not need, and what costs a start much of its time
HEAVY = {
    *(
        "tray_app.app",
        "tray_app.proxy",
        "tray_app.ledger",
        "tray_app.agents",
        "tray_app.faces.cli",
        "tray_app.faces.web",
    ),
    *("tray_app.control.service", "tray_app.control.callers", "tray_app.host.settings", "tray_app.host.vault"),
    *("asyncio", "uvloop", "sqlite3", "ssl", "http", "email", "subprocess", "webbrowser", "concurrent", "tomllib"),
    *("typer", "rich", "tomlkit", "jinja2", "httpx", "starlette", "sqlmodel", "sqlalchemy", "pydantic", "keyring"),
}


@dataclass
class Place:
    """A desktop, and a home for the app on it."""

    daemon: Daemon
    desk: Desk
    home: Home
    env: dict[str, str]

    def restart(self) -> None:
        """Another bus in the place of one that has been killed."""
        self.daemon = Daemon(self.daemon.socket.parent)
        self.desk.close()
        self.desk = Desk(self.daemon)
        self.desk.host()


@dataclass
class Starting:
    """The app, held up in its start: its settings are a pipe that nobody has written into yet."""

    process: subprocess.Popen[str]
    place: Place
    opened: Path

    @property
    def home(self) -> Home:
        return self.place.home

    @property
    def desk(self) -> Desk:
        return self.place.desk

    def go_on(self) -> None:
        with self.home.config.open("w") as file:
            file.write(SETTINGS)

    def click(self, label: str) -> None:
        self.desk.click(self.desk.find(label).id)

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=15)
        return self.process.returncode, said


@contextmanager
def desktop(folder: Path) -> Iterator[Place]:
    (folder / "bus").mkdir()
    (folder / "home").mkdir()
    daemon = Daemon(folder / "bus")
    desk = Desk(daemon)
    desk.be(WATCHER)
    opener = folder / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$1" >> {folder}/opened\n')
    opener.chmod(0o755)
    env = environment(
        folder / "home",
        PATH=f"{folder}:{os.environ['PATH']}",
        LC_ALL="C.UTF-8",
        DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nowhere",
        **daemon.environ,
    )
    place = Place(daemon, desk, find_home(env), env)
    yield place
    place.desk.close()
    place.daemon.kill()


def started(env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "tray_app"], env=env, stderr=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Starting]:
    with desktop(tmp_path) as place:
        os.mkfifo(place.home.config)
        process = started(place.env)
        try:
            until(lambda: place.desk.items, "no icon came", 20)
            yield Starting(process, place, tmp_path / "opened")
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=15)


def test_the_icon_is_there_before_the_app_and_says_so(starting: Starting) -> None:
    assert starting.desk.labels() == [ENGLISH.starting, "", ENGLISH.report, "", ENGLISH.quit]
    assert starting.desk.property("ToolTip")[2:] == ("O-Switcher", ENGLISH.starting)
    assert starting.desk.property("IconPixmap")
    assert find_running(starting.home.running) is None
    assert lives(starting.home.lock), "a second start would be a second icon"
    starting.desk.forget()
    starting.go_on()
    until(lambda: ENGLISH.no_keys in starting.desk.labels(), "the icon does not follow the app")
    assert starting.desk.heard("NewIcon")
    starting.process.send_signal(signal.SIGTERM)
    assert starting.end()[0] == 0


def test_what_is_clicked_while_it_starts_is_done_once_it_is_there(starting: Starting) -> None:
    starting.click(ENGLISH.report)
    starting.desk.activate()
    starting.go_on()
    until(starting.opened.exists, "the report was not opened")
    until(lambda: ENGLISH.no_keys in starting.desk.labels(), "the icon does not follow the app")
    starting.click(ENGLISH.quit)
    assert starting.end()[0] == 0
    assert starting.opened.read_text().count("/report?ticket=") == 1, "two clicks on the same are one"


def test_a_menu_that_is_open_when_the_app_comes_is_left_as_it_is_until_it_closes(starting: Starting) -> None:
    starting.desk.click(0, "opened")
    before = starting.desk.labels()
    starting.go_on()
    until(lambda: find_running(starting.home.running), "the app does not come")
    starting.desk.settle()
    assert starting.desk.labels()[1:] == before[1:], "nothing moves under the mouse"
    starting.desk.click(0, "closed")
    until(lambda: "Pause everything" in starting.desk.labels(), "the icon does not follow the app")
    starting.click(ENGLISH.quit)
    assert starting.end()[0] == 0


def test_a_bus_that_is_lost_while_the_app_starts_does_not_stop_it(starting: Starting) -> None:
    starting.place.daemon.kill()
    starting.go_on()
    until(lambda: find_running(starting.home.running), "the app does not come")
    starting.place.restart()
    until(lambda: ENGLISH.no_keys in starting.desk.labels(), "the icon does not come back")
    starting.click(ENGLISH.quit)
    assert starting.end()[0] == 0


@pytest.mark.parametrize("how", ["a click", "SIGTERM", "SIGINT", "SIGHUP"])
def test_an_end_while_it_starts_leaves_nothing_behind(starting: Starting, how: str) -> None:
    if how == "a click":
        starting.click(ENGLISH.quit)
    else:
        starting.process.send_signal(signal.Signals[how])
    (item,) = starting.desk.items
    until(lambda: not on_the_bus(starting.desk, item), "the icon stays", 2)
    starting.go_on()
    assert starting.end() == (0, "")
    assert find_running(starting.home.running) is None
    assert not lives(starting.home.lock)
    assert not starting.home.history.exists() or starting.home.history.stat().st_size > 0


def on_the_bus(desk: Desk, item: str) -> bool:
    bus = "org.freedesktop.DBus"
    (names,) = desk.call(bus, "/org/freedesktop/DBus", bus, "ListNames")
    return item in names


def test_a_start_that_hangs_does_not_hold_up_the_end(starting: Starting) -> None:
    starting.click(ENGLISH.quit)
    began = time.monotonic()
    assert starting.end() == (0, "")
    assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param("[switcher]\nretries = 3\n", "switcher.retries", id="faulty settings"),
        pytest.param('[proxy]\nhost = "192.0.2.1"\nallow_remote = true\n', "192.0.2.1", id="an address of others"),
    ],
)
def test_a_start_that_fails_takes_the_icon_away_and_tells_why(tmp_path: Path, settings: str, words: str) -> None:
    with desktop(tmp_path) as place:
        place.desk.be(NOTIFICATIONS)
        place.home.config.write_text(settings)
        process = started(place.env)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 1
        assert words in said and "Traceback" not in said
        (item,) = place.desk.items
        assert not on_the_bus(place.desk, item)
        (note,) = place.desk.notes
        assert note[3] == ENGLISH.cannot_start and words in note[4]
        assert not lives(place.home.lock)


def test_an_app_that_cannot_announce_itself_is_stopped_and_leaves_no_icon(starting: Starting) -> None:
    starting.home.running.mkdir()
    starting.go_on()
    code, said = starting.end()
    assert code == 1
    assert said.splitlines()[-1] == f"{starting.home.running} cannot be written: Is a directory"
    assert "Traceback" not in said
    (item,) = starting.desk.items
    assert not on_the_bus(starting.desk, item)
    assert not lives(starting.home.lock)
    assert not starting.home.history.with_name("history.db-wal").exists(), "the history was closed in order"


PATIENT = """
import sys, tray_app.desktop
tray_app.desktop.FIRST_LOOK_S = tray_app.desktop.LONGEST_LOOK_S = 600.0
sys.argv = ["o-switcher"]
from tray_app.__main__ import main
main()
"""


def test_a_bus_that_makes_its_socket_anew_is_told_of_by_the_kernel(tmp_path: Path) -> None:
    with desktop(tmp_path) as place:
        place.home.config.write_text(SETTINGS)
        process = subprocess.Popen(
            [sys.executable, "-c", PATIENT], env=place.env, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        until(lambda: place.desk.items and find_running(place.home.running), "it does not start", 20)
        until(lambda: ENGLISH.no_keys in place.desk.labels(), "the icon does not follow the app")
        watched = len(inotify(process.pid))
        place.daemon.kill()
        until(lambda: len(inotify(process.pid)) > watched, "nobody watches for a bus")
        place.restart()
        until(lambda: ENGLISH.no_keys in place.desk.labels(), "the icon that is back does not follow the app")
        until(lambda: len(inotify(process.pid)) == watched, "somebody watches on")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=10)
        assert process.returncode == 0
        assert "the tray is back" in said


IMPORTED = """
import sys
from tray_app.desktop import run_on_desktop
from tray_app.house import House
import tray_app.desktop

def spy(build, say):
    def built():
        print(*sorted(sys.modules))
        return build()
    return run_on_desktop(built, say)

tray_app.desktop.run_on_desktop = spy
sys.exit(House().start(tray=True, port=None))
"""


def test_the_icon_is_shown_without_what_only_the_app_needs(tmp_path: Path) -> None:
    with desktop(tmp_path) as place:
        place.home.config.write_text("[faulty")
        done = subprocess.run(
            [sys.executable, "-c", IMPORTED],
            env=place.env,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=30,
            check=False,
        )
        assert done.returncode == 1
        assert place.desk.items, "the icon came first"
        imported = set(done.stdout.split())
        assert "tray_app.faces.tray.status_notifier" in imported, "the spy has seen the moment"
        assert {one for one in imported if any(one == heavy or one.startswith(f"{heavy}.") for heavy in HEAVY)} == set()


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ([], (True, None)),
        (["serve"], (False, None)),
        (["serve", "--port", "0"], (False, 0)),
        (["serve", "--port", "65535"], (False, 65_535)),
        (["serve", "--port", "65536"], None),
        (["serve", "--port", "\u0664"], None),
        (["serve", "--port", "-1"], None),
        (["serve", "--port"], None),
        (["serve", "--help"], None),
        (["status"], None),
    ],
)
def test_a_plain_start_is_told_from_what_the_command_line_must_read(
    words: list[str], plain: tuple[bool, int | None] | None
) -> None:
    assert _plain_start(words) == plain


def test_a_headless_start_waits_for_no_library_of_the_command_line(tmp_path: Path) -> None:
    code = """
import sys, tray_app.app
def built(home, **more):
    print(*sorted(sys.modules))
    raise tray_app.app.CannotStart("seen enough")
tray_app.app.build = built
from tray_app.__main__ import main
sys.argv = ["o-switcher", "serve", "--port", "0"]
main()
"""
    env = environment(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (1, "seen enough\n")
    needless = {"typer", "rich", "tomlkit", "httpx", "webbrowser", "tray_app.faces.cli", "PIL"}
    assert set(done.stdout.split()) & needless == set()
    assert "tray_app.ledger.database" in done.stdout.split()


@pytest.mark.parametrize("words", [["serve", "--port", "0"], []], ids=["headless", "with a tray"])
def test_a_hangup_that_nohup_has_it_ignore_is_ignored(tmp_path: Path, words: list[str]) -> None:
    with desktop(tmp_path) as place:
        place.home.config.write_text(SETTINGS)
        command = ["nohup", sys.executable, "-m", "tray_app", *words]
        process = subprocess.Popen(
            command, env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: find_running(place.home.running), "it does not start", 20)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
