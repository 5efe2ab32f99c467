"""The whole app with its tray, over D-Bus, as a desktop's panel sees it: clicks become switches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.faces.tray.desk import ITEM, NOTIFICATIONS, WATCHER, Daemon, Desk, Line, until
from tests.rig import CHAT, MODEL, script_of
from tests.whole.processes import environment, inotify, prepared
from tray_app.control.callers import HttpCaller, connect
from tray_app.control.verbs import Refused
from tray_app.faces.tray.texts import ENGLISH
from tray_app.host.home import Home
from tray_app.host.instance import find_running
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

SCRIPT = script_of(main='{do="ok", times=1}, {do="no_credit", times=1}, {do="ok"}', backup='{do="ok"}')


@dataclass
class Shown:
    """The app, shown by a desk."""

    process: subprocess.Popen[str]
    home: Home
    daemon: Daemon
    desk: Desk
    token: str
    opened: Path
    env: dict[str, str]

    def caller(self) -> HttpCaller:
        return connect(self.home.running)

    def ask(self) -> str:
        running = find_running(self.home.running)
        assert running is not None
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
        headers = {"authorization": f"Bearer {self.token}"}
        answer = httpx.post(running.url + CHAT, json=body, headers=headers, timeout=10, trust_env=False)
        assert answer.status_code == 200
        return answer.headers["x-o-switcher-profile"]

    def click(self, label: str) -> None:
        self.desk.click(self.desk.find(label).id)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tray_app"], env=self.env, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def asked_to_open(self) -> str:
        """What the desktop was asked to open; the program that keeps it makes the file before it writes."""
        lines = until(lambda: self.opened.exists() and self.opened.read_text().splitlines(), "nothing was opened")
        return str(lines[-1])

    def left_behind(self) -> list[str]:
        """Files outside its home that it made and did not take away."""
        return [str(path) for path in Path(self.env["TMPDIR"]).rglob("*")]


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    with showing(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with showing(tmp_path_factory.mktemp("lasting"), script_of(main='{do="ok"}', backup='{do="ok"}')) as found:
        yield found


@pytest.fixture
def open_app(lasting: Shown) -> Shown:
    """One app for all tests that leave it as it was."""
    lasting.opened.unlink(missing_ok=True)
    lasting.desk.notes.clear()
    with suppress(Refused):
        lasting.caller().ask("unpin")
    return lasting


@contextmanager
def showing(tmp_path: Path, script: str = SCRIPT, settings: str = "") -> Iterator[Shown]:
    (tmp_path / "bus").mkdir()
    (tmp_path / "tmp").mkdir()
    daemon = Daemon(tmp_path / "bus")
    programs, opened = tmp_path / "bin", tmp_path / "opened"
    programs.mkdir()
    for program, line in (("xdg-open", f'echo "$1" >> {opened}'), ("wl-copy", f"cat > {tmp_path}/copied")):
        (programs / program).write_text(f"#!/bin/sh\n{line}\n")
        (programs / program).chmod(0o755)
    with SimulatorThread(parse(script, "test")) as simulator:
        home, token = prepared(tmp_path / "home", simulator.url, ["main", "backup"], f"[proxy]\nport = 0\n{settings}")
        env = environment(
            home.config.parent,
            PATH=f"{programs}:{os.environ['PATH']}",
            XDG_CONFIG_HOME=str(tmp_path / "xdg"),
            LC_ALL="C.UTF-8",
            TMPDIR=str(tmp_path / "tmp"),
            WAYLAND_DISPLAY="wayland-test",
            **daemon.environ,
        )
        desk = Desk(daemon)
        desk.be(WATCHER)
        process = subprocess.Popen([sys.executable, "-m", "tray_app"], env=env, stderr=subprocess.PIPE, text=True)
        found = Shown(process, home, daemon, desk, token, opened, env)
        try:
            until(lambda: desk.items, "no icon came", 20)
            until(lambda: find_running(home.running) is not None, "the app did not announce itself", 20)
            until(lambda: desk.labels()[0] != ENGLISH.starting, "the icon does not follow the app")
            yield found
        finally:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=15)
            found.desk.close()
            found.daemon.kill()


def test_the_menu_shows_who_serves_and_changes_when_a_profile_runs_dry(shown: Shown) -> None:
    until(lambda: any("openrouter-main is serving" in label for label in shown.desk.labels()), "no headline")
    assert shown.ask() == "openrouter-main"
    assert shown.ask() == "openrouter-backup"
    until(
        lambda: any("openrouter-backup is serving" in label for label in shown.desk.labels()), "the tray did not follow"
    )
    assert any("openrouter-main" in label and "cooling" in label for label in shown.desk.labels())


def test_a_click_switches_the_profile(open_app: Shown) -> None:
    open_app.desk.click(radio(open_app, "Use openrouter-backup").id)
    until(lambda: open_app.caller().ask("status")["active"] == "openrouter-backup", "the click did not switch")
    assert open_app.ask() == "openrouter-backup"
    until(
        lambda: radio(open_app, "Use openrouter-backup").properties.get("toggle-state") == 1, "the radio did not move"
    )
    assert radio(open_app, "Use openrouter-main").properties.get("toggle-state", 0) == 0


def radio(shown: Shown, label: str) -> Line:
    return next(
        line
        for line in shown.desk.menu().walk()
        if line.label.startswith(label) and line.properties.get("toggle-type") == "radio"
    )


def test_a_click_pauses_and_another_resumes(open_app: Shown) -> None:
    open_app.click("Pause openrouter-main until resumed")
    until(lambda: open_app.caller().ask("status")["profiles"][0]["state"] == "paused", "not paused")
    assert open_app.ask() == "openrouter-backup"
    way_back = "Resume openrouter-main"
    until(lambda: open_app.desk.find(way_back).properties["enabled"], "no way back in the menu")
    open_app.click(way_back)
    until(lambda: open_app.caller().ask("status")["profiles"][0]["state"] == "ready", "not resumed")


def test_a_click_opens_the_report_through_a_ticket(open_app: Shown) -> None:
    open_app.click("Open usage report")
    url = open_app.asked_to_open()
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=20) as browser:
        assert "openrouter-main" in browser.get(url).text


def test_start_at_login_is_switched_from_the_menu(open_app: Shown) -> None:
    entry = open_app.opened.parent / "xdg" / "autostart" / "o-switcher.desktop"
    open_app.click("Start at login")
    until(entry.is_file, "no entry was written")
    until(lambda: open_app.desk.find("Start at login").properties.get("toggle-state") == 1, "no check mark")
    open_app.click("Start at login")
    until(lambda: not entry.exists(), "the entry stayed")


def test_quit_ends_the_app_cleanly(shown: Shown) -> None:
    shown.click("Quit O-Switcher")
    assert shown.process.wait(10) == 0
    assert not shown.home.running.exists()


def test_a_signal_ends_the_app_within_half_a_second(shown: Shown) -> None:
    began = time.monotonic()
    shown.process.send_signal(signal.SIGTERM)
    assert shown.process.wait(10) == 0
    assert time.monotonic() - began < 1.5  # half a second on a quiet machine


def test_the_app_goes_on_without_its_tray_when_the_bus_is_lost(shown: Shown) -> None:
    shown.daemon.kill()
    assert shown.ask() == "openrouter-main"
    assert shown.process.poll() is None
    assert shown.caller().ask("status")["state"] == "ready"
    shown.process.send_signal(signal.SIGTERM)
    assert shown.process.wait(10) == 0


def test_the_icon_comes_back_each_time_that_the_bus_does(shown: Shown) -> None:
    for _ in range(3):
        shown.daemon.kill()
        assert shown.ask(), "the app goes on relaying"
        shown.daemon = Daemon(shown.daemon.socket.parent)
        shown.desk.close()
        shown.desk = Desk(shown.daemon)
        shown.desk.host()
        assert any("is serving" in label for label in shown.desk.labels())
    shown.click("Pause everything")
    until(lambda: shown.caller().ask("status")["paused_all"], "the icon that is back is not obeyed")
    shown.click(ENGLISH.quit)
    assert shown.process.wait(10) == 0
    _, said = shown.process.communicate()
    assert said.count("the tray is gone") == said.count("the tray is back") == 3


def test_a_signal_ends_the_app_while_its_desktop_is_away(shown: Shown) -> None:
    watched = len(inotify(shown.process.pid))
    shown.daemon.kill()
    shown.daemon.socket.unlink()
    until(lambda: len(inotify(shown.process.pid)) > watched, "it does not watch for a bus")
    time.sleep(0.6)  # it has looked in vain
    shown.process.send_signal(signal.SIGHUP)
    assert shown.process.wait(10) == 0


def test_address_and_token_are_copied_for_an_sdk(open_app: Shown) -> None:
    open_app.desk.be(NOTIFICATIONS)
    open_app.click("Copy address and token for an SDK")
    copied = open_app.opened.parent / "copied"
    until(lambda: copied.exists() and copied.read_text().count("\n") == 2, "nothing was copied")
    lines = dict(line.split("=", 1) for line in copied.read_text().splitlines())
    running = find_running(open_app.home.running)
    assert running is not None
    assert lines["OPENAI_BASE_URL"] == f"{running.url}/v1"
    headers = {"authorization": f"Bearer {lines['OPENAI_API_KEY']}"}
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    with httpx.Client(trust_env=False, timeout=10, headers=headers) as sdk:
        assert sdk.post(lines["OPENAI_BASE_URL"] + "/chat/completions", json=body).status_code == 200
    until(lambda: open_app.desk.notes, "nobody was told")
    assert open_app.desk.notes[0][3] == "Address and token copied"
    assert lines["OPENAI_API_KEY"] not in str(open_app.desk.notes), "and the token is not shown"
    open_app.desk.cease(NOTIFICATIONS)


def test_the_data_folder_is_opened(open_app: Shown) -> None:
    open_app.click("Logs and data folder")
    assert open_app.asked_to_open() == open_app.home.history.parent.as_uri()


def test_add_a_profile_opens_the_form_for_it(open_app: Shown) -> None:
    open_app.click("Add a profile...")
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=20) as browser:
        page = browser.get(open_app.asked_to_open())
        assert page.url.path == "/profiles" and "<form" in page.text


def test_everything_is_paused_and_resumed_from_the_menu(open_app: Shown) -> None:
    open_app.click("Pause everything")
    until(lambda: open_app.desk.labels()[0] == "everything is paused", "the headline does not say so")
    assert open_app.desk.find("Pause everything").properties["toggle-state"] == 1
    with pytest.raises(AssertionError):
        open_app.ask()
    open_app.click("Pause everything")
    until(lambda: not open_app.caller().ask("status")["paused_all"], "not resumed")
    assert open_app.ask()


def titles(shown: Shown) -> set[str]:
    return {note[3] for note in shown.desk.notes}


def test_a_profile_that_runs_dry_is_told_of_and_a_click_opens_the_report(shown: Shown) -> None:
    shown.desk.be(NOTIFICATIONS)
    shown.ask()
    assert shown.desk.notes == [], "what works is no news"
    shown.ask()
    wanted = {"Switched to openrouter-backup", "openrouter-main: out of quota"}
    until(lambda: titles(shown) == wanted, "not told")
    shown.desk.invoke(1, "default")
    assert "/report?ticket=" in shown.asked_to_open()
    shown.caller().ask("retry-now", profile="openrouter-main")
    until(lambda: "openrouter-main: back again" in titles(shown), "not told that it is back")


def test_what_the_settings_silence_is_not_told(tmp_path: Path) -> None:
    with showing(tmp_path, settings="[notifications]\nswitched = false\n") as shown:
        shown.desk.be(NOTIFICATIONS)
        shown.ask(), shown.ask()
        until(lambda: titles(shown) == {"openrouter-main: out of quota"}, "not told")
        shown.desk.settle(0.3)
        assert len(shown.desk.notes) == 1


def test_five_starts_at_once_are_one_icon_and_the_others_open_the_report(shown: Shown) -> None:
    shown.process.terminate()
    shown.process.wait(10)
    shown.desk.items.clear()
    starts = [shown.start() for _ in range(5)]
    try:
        until(lambda: sum(one.poll() is not None for one in starts) == 4, "more than one stays, or none", 40)
        assert {one.returncode for one in starts} == {0, None}
        until(lambda: shown.opened.exists() and shown.opened.read_text().count("/report?ticket=") == 4, "not opened")
        (living,) = [one for one in starts if one.poll() is None]
        until(lambda: shown.desk.items, "no icon came")
        shown.desk.settle()
        assert shown.desk.items == [f"{ITEM}-{living.pid}-1"]
    finally:
        for one in starts:
            if one.poll() is None:
                one.terminate()
            one.communicate(timeout=15)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_end_by_a_signal_leaves_nothing_behind(shown: Shown, number: signal.Signals) -> None:
    shown.process.send_signal(number)
    assert shown.process.wait(10) == 0
    assert shown.left_behind() == []
    assert not shown.home.running.exists()


def test_after_a_kill_nothing_is_left_that_the_next_start_does_not_put_right(shown: Shown) -> None:
    shown.process.kill()
    shown.process.wait()
    assert shown.left_behind() == [], "the icon is in no file"
    shown.desk.items.clear()
    again = shown.start()
    try:
        assert until(lambda: shown.desk.items, "no icon came", 20) == [f"{ITEM}-{again.pid}-1"]
        until(lambda: find_running(shown.home.running), "it does not announce itself")
        assert shown.ask() == "openrouter-main"
    finally:
        again.terminate()
        again.communicate(timeout=15)


def ask_in_vain(shown: Shown) -> None:
    with suppress(httpx.HTTPError, AssertionError):
        shown.ask()


def test_quit_waits_for_answers_a_while_and_says_what_it_cut(tmp_path: Path) -> None:
    with showing(tmp_path, script_of(main='{do="ok", delay_ms=60000}', backup='{do="ok"}')) as shown:
        shown.desk.be(NOTIFICATIONS)
        waiting = threading.Thread(target=ask_in_vain, args=(shown,))
        waiting.start()
        until(lambda: shown.caller().ask("status")["profiles"][0]["in_flight"] == 1, "nothing is under way")
        began = time.monotonic()
        shown.click("Quit O-Switcher")
        assert shown.process.wait(15) == 0
        assert 4.5 < time.monotonic() - began < 12
        waiting.join()
        until(lambda: shown.desk.notes, "nothing was said")
        assert shown.desk.notes[-1][3:5] == ("O-Switcher has stopped", "Answers that were cut short: 1")
        assert "answers that were cut short: 1" in (shown.process.stderr or sys.stdin).read()


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere/bus"}, id="a dead bus"),
        pytest.param({"DBUS_SESSION_BUS_ADDRESS": "nonsense", "DISPLAY": ":4711"}, id="a wrong display"),
    ],
)
def test_a_desktop_that_is_broken_is_one_line_and_the_app_serves(
    shown: Shown, tmp_path: Path, more: dict[str, str]
) -> None:
    shown.process.terminate()
    shown.process.wait(10)
    shown.env |= more
    process = shown.start()
    until(lambda: find_running(shown.home.running) is not None, "it did not come up", 20)
    assert shown.ask() == "openrouter-main"
    process.terminate()
    _, said = process.communicate(timeout=15)
    assert process.returncode == 0
    assert said.count("running headless") == 1 and "Traceback" not in said


def reads(shown: Shown, label: str) -> bool:
    return any(line.label == label for line in shown.desk.menu().walk())


def test_a_client_is_connected_and_put_back_from_the_menu(open_app: Shown) -> None:
    open_app.desk.be(NOTIFICATIONS)
    until(lambda: reads(open_app, "OpenCode: not connected"), "no clients are shown")
    assert not reads(open_app, "OpenAI SDK: not connected"), "there is no file of it"
    open_app.click("OpenCode: not connected")
    until(lambda: reads(open_app, "OpenCode: connected"), "not connected")
    assert open_app.desk.find("OpenCode: connected").properties["toggle-state"] == 1
    (one,) = [one for one in open_app.caller().ask("connections") if one["client"] == "opencode"]
    assert one["connected"] and one["files"]
    until(lambda: "opencode: connected" in titles(open_app), "nobody was told")
    open_app.click("OpenCode: connected")
    until(lambda: reads(open_app, "OpenCode: not connected"), "not put back")
    open_app.desk.cease(NOTIFICATIONS)
