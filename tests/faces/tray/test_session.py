"""The machine sleeps and wakes up, shuts down, the session ends: as a played logind says on a real system bus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faces.tray.child import Runner
from tests.faces.tray.desk import DAEMON, LOGIND, Daemon, Desk, until


@dataclass
class Machine:
    """A system bus with a logind, and the tray that listens to it."""

    bus: Daemon
    logind: Desk
    tray: Runner


@pytest.fixture
def machine(start: Callable[..., Runner], daemon: Daemon, desk: Desk, tmp_path: Path) -> Iterator[Machine]:
    system = Daemon(tmp_path)
    logind = Desk(system)
    logind.be(LOGIND)
    address = system.environ["DBUS_SESSION_BUS_ADDRESS"]
    tray = start({**daemon.environ, "DBUS_SYSTEM_BUS_ADDRESS": address, "XDG_SESSION_ID": "c2"})
    desk.host()
    until(lambda: names(logind) >= 2, "the tray does not listen")
    until(lambda: desk.property("Status") == "Active", "the icon is not active")
    yield Machine(system, logind, tray)
    logind.close()
    system.kill()


def names(desk: Desk) -> int:
    """How many are connected to that bus."""
    (found,) = desk.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "ListNames")
    return sum(name.startswith(":") for name in found)


def test_the_app_is_told_when_the_machine_wakes_up(machine: Machine) -> None:
    machine.logind.machine("PrepareForSleep", "b", True)
    assert machine.tray.quiet()
    machine.logind.machine("PrepareForSleep", "b", False)
    machine.tray.event("woke")


def test_the_end_of_the_session_ends_the_tray_in_order(machine: Machine) -> None:
    machine.logind.machine("SessionRemoved", "so", "c7", "/org/freedesktop/login1/session/c7")
    assert machine.tray.quiet(), "another session's end is not ours"
    machine.logind.machine("SessionRemoved", "so", "c2", "/org/freedesktop/login1/session/c2")
    end = machine.tray.event("end")
    assert (end["kind"], end["reason"], end["threads"]) == ("stopped", "the session has ended", ["MainThread"])


def test_a_shutdown_ends_the_tray_in_order(machine: Machine) -> None:
    machine.logind.machine("PrepareForShutdown", "b", False)
    assert machine.tray.quiet(), "it was called off"
    machine.logind.machine("PrepareForShutdown", "b", True)
    assert machine.tray.event("end")["reason"] == "the machine shuts down"


def test_nobody_else_may_speak_for_logind(machine: Machine) -> None:
    stranger = Desk(machine.bus)
    stranger.machine("PrepareForShutdown", "b", True)
    assert machine.tray.quiet()
    stranger.close()


def test_a_system_bus_that_dies_takes_nothing_with_it(machine: Machine, desk: Desk) -> None:
    machine.bus.kill()
    desk.activate()
    assert machine.tray.event("ask")["verb"] == "report"
    desk.settle()
    before = machine.tray.switches()
    assert machine.tray.quiet(0.5)
    assert machine.tray.switches() == before, "nobody listens to a socket that has gone"


@pytest.mark.parametrize("address", ["unix:path=/nowhere/bus", "tcp:host=localhost,port=1"])
def test_without_a_system_bus_the_tray_is_as_it_is(
    start: Callable[..., Runner], daemon: Daemon, desk: Desk, address: str
) -> None:
    tray = start({**daemon.environ, "DBUS_SYSTEM_BUS_ADDRESS": address})
    desk.host()
    desk.activate()
    assert tray.event("ask")["verb"] == "report"
