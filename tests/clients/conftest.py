"""The clients themselves, as the test set-up has installed them, and a way out to the world that leads nowhere."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.clients.agents import AGENTS, Agent
from tests.whole.processes import ROOT

sys.path.append(str(ROOT / "installer"))  # as a script's own folder is; at the end, so that it shadows nothing

import environment  # found only once its folder is on the path


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
            with connection:
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
    place = environment.ensure(environment.CLIENTS)
    place.hold()
    return place


@pytest.fixture
def no_way_out() -> Iterator[NoWayOut]:
    """Whatever a client asks of the world fails the test: its telemetry and its updates are switched off."""
    proxy = NoWayOut()
    yield proxy
    proxy.close()
    assert proxy.asked == []


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each client has a home of its own, made once: what they do at their first start takes long."""
    return tmp_path_factory.mktemp("clients")


@pytest.fixture
def agents(installed: environment.Environment, homes: Path, no_way_out: NoWayOut) -> dict[str, Agent]:
    """Every coding agent by its name."""
    return {
        name: kind(installed.node / "node_modules", homes / name, no_way_out.url) for name, kind in AGENTS.items()
    }
