"""The app keeps its history within the limits of its settings: after the start, once a day, and when they change."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from tests.rig import SETTINGS, Clock, running, script_of
from tray_app import app as house
from tray_app.host.home import find_home, write_private

DAY_S = 86_400.0
NOON = 1_760_011_200.0  # of some day, UTC


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start waits for little."""
    monkeypatch.setattr(house, "TIDY_AFTER_S", 0.05)


def test_what_is_too_old_goes_soon_after_the_start(tmp_path: Path, soon: None) -> None:
    script = script_of(a='{do="ok"}')
    with running(tmp_path, script, settings="[history]\nkeep_days = 2\n", clock=Clock(NOON, ticks=False)) as rig:
        rig.chat()
        rig.restart(after=2 * DAY_S)
        time.sleep(0.3)
        assert len(rig.rows("SELECT id FROM request")) == 1  # two days ago: it is kept
        rig.restart(after=DAY_S)
        assert rig.eventually("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM request)")
        assert rig.rows("SELECT sum(requests) AS sum FROM usage_hour") == [{"sum": 1}]


def test_other_limits_are_in_force_at_once(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="ok"}'), clock=Clock(NOON, ticks=False)) as rig:
        rig.chat()
        rig.leap(10 * DAY_S)
        rig.home.config.write_text(rig.home.config.read_text() + "[history]\nkeep_days = 9\n")
        rig.in_loop(rig.app.reload)
        assert rig.eventually("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM request)")


def test_nothing_wakes_up_for_it_but_one_timer_a_day(tmp_path: Path, soon: None) -> None:
    with running(tmp_path, script_of(a='{do="ok"}'), clock=Clock(NOON, ticks=False)) as rig:
        deadline = time.monotonic() + 5
        while (last := rig.app._tidying) is None or last.when() < rig.app.loop.time() + 1000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert last.when() - rig.app.loop.time() == pytest.approx(DAY_S / 2, abs=6)  # with the day's end
        time.sleep(0.3)
        assert rig.app._tidying is last


def test_a_start_that_fails_lets_go_of_the_history_and_of_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[sqlite3.Connection] = []

    def fill(app: house.App, connection: sqlite3.Connection, *rest: object) -> None:
        opened.append(connection)
        raise OSError("the disk is gone")

    home = find_home({"O_SWITCHER_HOME": str(tmp_path)})
    write_private(home.config, SETTINGS.encode())
    with monkeypatch.context() as patch:
        patch.setattr(house, "_fill", fill)
        with pytest.raises(OSError, match="the disk is gone"):
            house.build(home, port=0, environ={}, project=tmp_path)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
    house.build(home, port=0, environ={}, project=tmp_path).stop()  # nothing is held that stands in the way
