"""What desktops do to a tray: come late, restart, crash, vanish, end the session."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faces.tray.child import Runner
from tests.faces.tray.desk import DAEMON, ITEM, NOTIFICATIONS, WATCHER, Daemon, Desk, until
from tray_app.faces.tray.availability import available

Start = Callable[..., Runner]

AT_ONCE_S = 1.5  # half a second on a quiet machine; whoever waits for the bus needs far longer
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def names_on(desk: Desk) -> list[str]:
    (names,) = desk.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "ListNames")
    return [name for name in names if name.startswith(ITEM)]


# tray hosts


def test_a_host_that_starts_later_gets_the_icon(start: Start, desk: Desk) -> None:
    runner = start()
    assert runner.ready["ok"]
    assert runner.ready["line"] == "no tray host is there yet: the icon appears as soon as one starts"
    until(lambda: names_on(desk), "the tray is not on the bus")
    assert desk.host() == f"{ITEM}-{runner.process.pid}-1"
    assert desk.property("Status") == "Active"


def test_a_host_that_is_there_already_gets_the_icon_and_nothing_is_said(start: Start, desk: Desk) -> None:
    desk.be(WATCHER)
    runner = start()
    assert (runner.ready["ok"], runner.ready["line"]) == (True, None)
    desk.item()


def test_the_icon_registers_again_after_each_of_ten_restarts(tray: Runner, desk: Desk) -> None:
    desk.cease(WATCHER)
    for _ in range(10):
        desk.host()
        desk.settle(0.02)
        assert len(desk.items) == 1, "once for each time"
        desk.cease(WATCHER)


def test_a_host_that_takes_over_gets_the_icon_and_a_crash_of_one_is_survived(
    start: Start, daemon: Daemon, desk: Desk
) -> None:
    first = Desk(daemon)
    start()
    first.host()
    first.click(0, "opened")
    first.close()
    assert desk.host()
    assert desk.labels()


# notifications


@pytest.mark.parametrize(
    "fault",
    [None, f"{DAEMON}.Error.NoReply", f"{DAEMON}.Error.ServiceUnknown", f"{DAEMON}.Error.LimitsExceeded"],
)
def test_a_notification_that_cannot_be_shown_stands_in_the_menu(tray: Runner, desk: Desk, fault: str | None) -> None:
    """With no daemon at all, and with one that fails."""
    if fault is not None:
        desk.notification_fault = fault
        desk.be(NOTIFICATIONS)
    tray.tell(notify=["Out of credit", "openrouter-main"])
    pattern = re.compile(r"\d\d:\d\d Out of credit: openrouter-main")
    until(lambda: any(pattern.fullmatch(label) for label in desk.labels()), "the message is nowhere")
    assert desk.property("Status") == "Active"
    if fault is not None:
        desk.cease(NOTIFICATIONS)


def test_a_notification_daemon_that_dies_over_a_message_takes_nothing_with_it(
    tray: Runner, desk: Desk, daemon: Daemon
) -> None:
    crasher = Desk(daemon)
    crasher.silent = True
    crasher.be(NOTIFICATIONS)
    tray.tell(notify=["Last words", "none"])
    until(lambda: crasher.asked, "the daemon was not asked")
    crasher.close()
    until(lambda: any("Last words" in label for label in desk.labels()), "the message is nowhere")


# the bus


def test_without_a_desktop_session_there_is_no_tray_and_one_line_says_so(start: Start) -> None:
    runner = start({})
    assert (runner.ready["ok"], runner.ready["line"]) == (False, "no desktop session: running headless")


@pytest.mark.parametrize("display", [{"DISPLAY": ":99"}, {"WAYLAND_DISPLAY": "wayland-9"}])
def test_a_display_without_a_bus_is_headless_too(display: dict[str, str]) -> None:
    can = available(display)
    assert (can.ok, can.line) == (False, "this desktop session has no D-Bus session bus: running headless")


@pytest.mark.parametrize("address", ["autolaunch:", "tcp:host=localhost,port=1", "nonsense", "unix:dir=/x"])
def test_a_bus_address_that_cannot_be_used_is_headless_too(address: str) -> None:
    assert not available({"DBUS_SESSION_BUS_ADDRESS": address, "DISPLAY": ":0"}).ok


def test_a_dead_bus_is_headless_and_says_why(tmp_path: Path) -> None:
    can = available({"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/gone", "DISPLAY": ":0"})
    assert not can.ok
    assert can.line is not None
    assert "No such file or directory" in can.line


def test_the_users_own_bus_is_found_where_no_address_is_given(start: Start, daemon: Daemon, desk: Desk) -> None:
    start({"XDG_RUNTIME_DIR": str(daemon.socket.parent)})
    assert desk.host()


def test_a_second_address_is_tried_when_the_first_is_dead(start: Start, daemon: Daemon, desk: Desk) -> None:
    start({"DBUS_SESSION_BUS_ADDRESS": f"unix:path=/nowhere/bus;unix:path={daemon.socket}"})
    assert desk.host()


def test_a_tray_started_without_a_bus_ends_in_order(start: Start) -> None:
    runner = start({}, "--anyway")
    end = runner.event("end")
    assert (end["kind"], end["threads"]) == ("lost", ["MainThread"])
    assert end["reason"] == "no session bus is named in the environment"


def test_a_bus_that_dies_ends_the_tray_in_order_and_with_a_reason(start: Start, tmp_path: Path) -> None:
    own = Daemon(tmp_path)
    runner = start(own.environ)
    desk = Desk(own)
    desk.host()
    own.kill()
    end = runner.event("end")
    assert (end["kind"], end["reason"]) == ("lost", "the session bus has gone")
    assert end["threads"] == ["MainThread"]
    desk.close()


# endings


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_it_in_order_within_half_a_second(start: Start, desk: Desk, number: signal.Signals) -> None:
    runner = start()
    desk.host()
    assert runner.signal(number) < AT_ONCE_S
    end = runner.event("end")
    assert (end["kind"], end["reason"]) == ("stopped", number.name)
    assert end["threads"] == ["MainThread"]
    assert runner.finish() == (0, "")
    assert names_on(desk) == []


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_right_after_the_start_ends_it_as_well(start: Start, number: signal.Signals) -> None:
    """Once the tray runs. What comes before belongs to whoever started it."""
    runner = start()
    until(lambda: _caught(runner.process.pid, number), "signals are not heeded")
    assert runner.signal(number) < AT_ONCE_S
    assert runner.event("end")["kind"] == "stopped"


def _caught(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal; SIGINT always has one in Python."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
        return bool(mask >> (signal.SIGTERM - 1) & 1) and bool(mask >> (number - 1) & 1)
    return False


def test_a_hangup_that_was_to_be_ignored_still_is(start: Start, desk: Desk) -> None:
    runner = start(None, wrapper=["nohup"])
    desk.host()
    os.kill(runner.process.pid, signal.SIGHUP)
    assert runner.quiet()
    assert desk.labels()
    assert runner.signal(signal.SIGTERM) < AT_ONCE_S


def test_it_can_be_stopped_from_another_thread_within_half_a_second(start: Start, desk: Desk) -> None:
    runner = start()
    desk.host()
    begun = time.monotonic()
    runner.tell(stop="another thread said so")
    end = runner.event("end")
    assert (end["kind"], end["reason"]) == ("stopped", "another thread said so")
    runner.process.wait(5)
    assert time.monotonic() - begun < AT_ONCE_S


def test_quit_in_the_menu_asks_the_app_to_stop(start: Start, desk: Desk) -> None:
    runner = start()
    desk.host()
    desk.click(desk.find("Quit O-Switcher").id)
    assert runner.event("ask")["verb"] == "stop"
    assert runner.event("end")["reason"] == "quit was clicked"


def test_a_stopping_tray_waits_for_no_bus_that_hangs(start: Start, tmp_path: Path) -> None:
    own = Daemon(tmp_path)
    runner = start(own.environ)
    desk = Desk(own)
    desk.host()
    own.freeze()
    runner.tell(status={"headline": "nobody will read this"})
    assert runner.signal(signal.SIGTERM) < AT_ONCE_S
    assert runner.event("end")["kind"] == "stopped"
    own.kill()
    desk.close()


def test_twenty_starts_and_stops_all_end_well(start: Start) -> None:
    for _ in range(5):
        batch = [start() for _ in range(4)]
        for runner in batch:
            runner.tell(stop="soon")
        for runner in batch:
            assert runner.event("end")["kind"] == "stopped"
            assert runner.finish() == (0, "")
