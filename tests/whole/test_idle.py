"""Where nothing happens, nothing wakes: told by what is due on the loop, and counted by the kernel."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faces.tray.child import woken
from tests.faces.tray.desk import WATCHER, Daemon, Desk, until
from tests.rig import Clock, Rig, running
from tests.whole.processes import environment, prepared
from tray_app import app as house
from tray_app.control.callers import connect

NOON = 1_760_011_200.0  # of some day, UTC
POLLED = "[quota]\npolling = true\n"


@pytest.fixture
def plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio's own loop, since one can look into it."""
    monkeypatch.setattr(house, "_loop_factory", lambda: asyncio.new_event_loop)


def due(rig: Rig) -> dict[str, float]:
    """What the loop is to do later, and in how many seconds."""
    found: dict[str, float] = {}
    done = threading.Event()

    def look() -> None:
        loop: Any = rig.app.loop
        for timer in loop._scheduled:
            if not timer.cancelled():
                found[timer._callback.__qualname__] = timer.when() - loop.time()
        done.set()

    rig.app.in_loop(look)
    assert done.wait(5)
    return found


def test_an_app_that_nobody_uses_has_only_its_tidying_before_it(tmp_path: Path, plain_loop: None) -> None:
    with running(tmp_path, {"main": '{do="ok"}'}) as rig:
        until(lambda: set(due(rig)) == {"App._tidy"}, "something else is due")
        rig.app.in_loop(rig.app._tidy)
        until(lambda: due(rig)["App._tidy"] > house.TIDY_AFTER_S, "it is not done with for today")
        assert set(due(rig)) == {"App._tidy"}


def test_providers_are_asked_once_and_not_again_while_nothing_is_used(tmp_path: Path, plain_loop: None) -> None:
    with running(tmp_path, {"main": '{do="ok"}'}, settings=POLLED, chance=0.0) as rig:
        until(lambda: "Prober._ring" in due(rig), "nobody will be asked")
        until(lambda: "Prober._ring" not in due(rig), "they are asked again")
        left = {"App._tidy", "Upstream._sweep"}  # the connection that was used is closed when it has been idle
        until(lambda: set(due(rig)) == left, "something else is due")


def test_with_a_tray_no_thread_wakes_while_nothing_happens(tmp_path: Path) -> None:
    (tmp_path / "bus").mkdir()
    daemon = Daemon(tmp_path / "bus")
    desk = Desk(daemon)
    desk.be(WATCHER)
    home, _ = prepared(tmp_path / "home", "http://127.0.0.1:9", ["main", "backup"], "[proxy]\nport = 0\n")
    env = environment(home.config.parent, DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nowhere", **daemon.environ)
    process = subprocess.Popen([sys.executable, "-m", "tray_app"], env=env, stderr=subprocess.DEVNULL)
    try:
        until(lambda: desk.items, "no icon came", 20)
        until(lambda: "openrouter-main is serving" in desk.labels(), "the icon does not follow the app", 20)
        settled(process.pid)
        before = woken(process.pid)
        time.sleep(1.5)
        assert woken(process.pid) == before
    finally:
        process.terminate()
        process.wait(10)
        desk.close()
        daemon.kill()


def settled(pid: int) -> None:
    """Wait until nothing has woken it for a while."""
    seen = [-1, woken(pid)]
    while seen[-1] != seen[-2]:
        time.sleep(0.6)  # more than the ledger waits for what is written lazily
        seen.append(woken(pid))
        assert len(seen) < 20, "it does not come to rest"


def test_what_was_to_end_while_the_machine_slept_ends_when_it_wakes(tmp_path: Path) -> None:
    with running(tmp_path, {"main": '{do="ok"}'}, clock=Clock(NOON, ticks=False)) as rig:
        connect(rig.home.running).ask("pause", profile="openrouter-main", for_s=3600)
        assert rig.clock is not None
        rig.clock.leap(7200)  # timers stand still meanwhile
        assert not rig.rows("SELECT 1 FROM operator_event WHERE verb = 'resume'")
        rig.in_loop(rig.app.wake)
        assert rig.eventually("SELECT 1 FROM operator_event WHERE verb = 'resume' AND actor = 'app'")
