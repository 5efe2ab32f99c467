"""The clients themselves, as the test set-up has installed them, and a way out to the world that leads nowhere."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.clients.agents import AGENTS, PYTHON, Agent, has_opencode
from tests.clients.packages import Packages
from tests.installed import clients, environment

UNRUN = pytest.StashKey[int]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where there is no OpenCode to be run, its tests are none of this system's, and that is said."""
    if has_opencode():
        return
    here = Path(__file__).parent
    gone = [one for one in items if one.path.is_relative_to(here) and _is_of_opencode(one)]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [one for one in items if one not in gone]
        config.stash[UNRUN] = len(gone)


def _is_of_opencode(item: pytest.Item) -> bool:
    """Told by its name, or that of a fixture."""
    return any("opencode" in name.lower() for name in (item.name, *getattr(item, "fixturenames", ())))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Why tests were left out."""
    if count := config.stash.get(UNRUN, 0):
        why = f"its pinned version has no package for {sys.platform} on {platform.machine()}"
        terminalreporter.write_line(f"{count} tests of OpenCode are not run here: {why}")


class NoWayOut:
    """An HTTP proxy that reaches nobody, and keeps what it was asked for. Clients get it for all but this machine."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._refuse, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _refuse(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return  # closed
            with connection, suppress(OSError):
                connection.settimeout(5)
                head = connection.recv(65536).decode("latin-1")
                self.asked.append(head.partition("\r\n")[0])
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)


@pytest.fixture(scope="session")
def installed() -> environment.Environment:
    """The clients; made now where only these tests are run, else by the set-up before them."""
    return clients()


@pytest.fixture(scope="session")
def way_out() -> Iterator[NoWayOut]:
    proxy = NoWayOut()
    yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def nobody_else_is_asked(way_out: NoWayOut) -> Iterator[None]:
    """Whatever a client asks of the world fails the test: its telemetry and its updates are switched off."""
    way_out.asked.clear()
    yield
    assert way_out.asked == []


@pytest.fixture(scope="session")
def agents(
    installed: environment.Environment, way_out: NoWayOut, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Agent]:
    """Every way to use a program by its name, with one home for each program: some do much at their first start."""
    places = {name: (kind, installed.node / "node_modules") for name, kind in AGENTS.items()}
    places |= {name: (kind, installed.python.parent) for name, kind in PYTHON.items()}
    homes = tmp_path_factory.mktemp("homes")
    return {name: kind(place, homes / name.partition("-")[0], way_out.url) for name, (kind, place) in places.items()}


@pytest.fixture(scope="session")
def packages(installed: environment.Environment, way_out: NoWayOut) -> Iterator[Packages]:
    """The Python packages, at work."""
    packages = Packages(installed.python, way_out.url)
    yield packages
    packages.close()
