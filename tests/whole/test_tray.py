"""The whole app with its tray, over D-Bus, as a desktop's panel sees it: clicks become switches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.faces.tray.desk import WATCHER, Daemon, Desk, Line, until
from tests.rig import CHAT, MODEL, script_of
from tests.whole.processes import environment, prepared
from tray_app.control.callers import HttpCaller, connect
from tray_app.host.home import Home
from tray_app.host.instance import find_running
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread


@dataclass
class Shown:
    """The app, shown by a desk."""

    process: subprocess.Popen[str]
    home: Home
    daemon: Daemon
    desk: Desk
    token: str
    opened: Path

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


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    script = parse(
        script_of(main='{do="ok", times=1}, {do="no_credit", times=1}, {do="ok"}', backup='{do="ok"}'), "test"
    )
    (tmp_path / "bus").mkdir()
    daemon = Daemon(tmp_path / "bus")
    programs, opened = tmp_path / "bin", tmp_path / "opened"
    programs.mkdir()
    (programs / "xdg-open").write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    (programs / "xdg-open").chmod(0o755)
    with SimulatorThread(script) as simulator:
        home, token = prepared(tmp_path / "home", simulator.url, ["main", "backup"], "[proxy]\nport = 0\n")
        env = environment(
            home.config.parent,
            PATH=f"{programs}:{os.environ['PATH']}",
            XDG_CONFIG_HOME=str(tmp_path / "xdg"),
            LC_ALL="C.UTF-8",
            **daemon.environ,
        )
        desk = Desk(daemon)
        desk.be(WATCHER)
        process = subprocess.Popen([sys.executable, "-m", "tray_app"], env=env, stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: desk.items, "no icon came", 20)
            until(lambda: find_running(home.running) is not None, "the app did not announce itself", 20)
            yield Shown(process, home, daemon, desk, token, opened)
        finally:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=15)
            desk.close()
            daemon.kill()


def test_the_menu_shows_who_serves_and_changes_when_a_profile_runs_dry(shown: Shown) -> None:
    until(lambda: any("openrouter-main is serving" in label for label in shown.desk.labels()), "no headline")
    assert shown.ask() == "openrouter-main"
    assert shown.ask() == "openrouter-backup"
    until(
        lambda: any("openrouter-backup is serving" in label for label in shown.desk.labels()), "the tray did not follow"
    )
    assert any("openrouter-main" in label and "cooling" in label for label in shown.desk.labels())


def test_a_click_switches_the_profile(shown: Shown) -> None:
    shown.desk.click(radio(shown, "Use openrouter-backup").id)
    until(lambda: shown.caller().ask("status")["active"] == "openrouter-backup", "the click did not switch")
    assert shown.ask() == "openrouter-backup"
    until(lambda: radio(shown, "Use openrouter-backup").properties.get("toggle-state") == 1, "the radio did not move")
    assert radio(shown, "Use openrouter-main").properties.get("toggle-state", 0) == 0


def radio(shown: Shown, label: str) -> Line:
    return next(
        line
        for line in shown.desk.menu().walk()
        if line.label.startswith(label) and line.properties.get("toggle-type") == "radio"
    )


def test_a_click_pauses_and_another_resumes(shown: Shown) -> None:
    shown.click("Pause openrouter-main until resumed")
    until(lambda: shown.caller().ask("status")["profiles"][0]["state"] == "paused", "not paused")
    assert shown.ask() == "openrouter-backup"
    way_back = "Resume openrouter-main"
    until(lambda: shown.desk.find(way_back).properties["enabled"], "no way back in the menu")
    shown.click(way_back)
    until(lambda: shown.caller().ask("status")["profiles"][0]["state"] == "ready", "not resumed")


def test_a_click_opens_the_report_through_a_ticket(shown: Shown) -> None:
    shown.click("Open usage report")
    until(lambda: shown.opened.exists(), "no browser was asked")
    url = shown.opened.read_text().strip()
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=20) as browser:
        assert "openrouter-main" in browser.get(url).text


def test_start_at_login_is_switched_from_the_menu(shown: Shown, tmp_path: Path) -> None:
    entry = tmp_path / "xdg" / "autostart" / "o-switcher.desktop"
    shown.click("Start at login")
    until(entry.is_file, "no entry was written")
    until(lambda: shown.desk.find("Start at login").properties.get("toggle-state") == 1, "no check mark")
    shown.click("Start at login")
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
