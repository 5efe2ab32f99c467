"""The tray's own promises to the composition root, where no desktop is needed to keep them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.faces.tray.desk import Daemon
from tests.faces.tray.statuses import three
from tray_app.faces.tray.app import EndKind, Tray, TrayEnd


@pytest.fixture
def tray() -> Tray:
    def ask(_verb: str, _args: Mapping[str, str | bool]) -> None:
        """Nobody clicks here."""

    return Tray(three, ask)


@pytest.fixture
def bus(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in daemon.environ.items():
        monkeypatch.setenv(name, value)


def test_a_stop_before_the_start_is_not_forgotten(tray: Tray, bus: None) -> None:
    tray.stop("never mind")
    assert tray.run() == TrayEnd(EndKind.STOPPED, "never mind")


def test_a_stop_before_the_start_counts_without_a_bus_too(tray: Tray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
    tray.stop("never mind")
    assert tray.run() == TrayEnd(EndKind.STOPPED, "never mind")


def test_the_first_reason_to_stop_is_the_one_that_is_told(tray: Tray, bus: None) -> None:
    tray.stop("first")
    tray.stop("second")
    assert tray.run().reason == "first"


def test_signal_handlers_are_given_back(tray: Tray, bus: None) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    timer = threading.Timer(0.1, tray.stop)
    timer.start()
    tray.run()
    timer.join()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_tray_that_has_ended_takes_calls_and_does_nothing(tray: Tray, bus: None) -> None:
    tray.stop()
    tray.run()
    tray.repaint()
    tray.notify("title", "message")
    tray.stop()


def test_a_tray_that_has_lost_its_bus_runs_again_on_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = threading.Event()
    tray = Tray(lambda: None, lambda verb, args: None, shown=shown.set)
    first = Daemon(tmp_path)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", first.environ["DBUS_SESSION_BUS_ADDRESS"])

    def once_shown(deed: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=lambda: shown.wait(5) and deed())
        thread.start()
        return thread

    killer = once_shown(first.kill)
    assert tray.run().kind is EndKind.LOST
    killer.join()
    assert tray.run().kind is EndKind.LOST, "there is no other yet"
    shown.clear()
    second = Daemon(tmp_path)
    stopper = once_shown(tray.stop)
    assert tray.run().kind is EndKind.STOPPED
    stopper.join()
    second.kill()


def test_the_users_own_choice_of_a_pystray_backend_is_left_alone() -> None:
    from tray_app.faces.tray import library

    assert library.BaseIcon is not None
    assert "PYSTRAY_BACKEND" not in os.environ
