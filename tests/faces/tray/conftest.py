"""A private bus for each module, a desk on it for each test, and the tray in a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.faces.tray.child import Runner
from tests.faces.tray.desk import Daemon, Desk, until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed")
    daemon = Daemon(tmp_path_factory.mktemp("bus"))
    yield daemon
    daemon.kill()


@pytest.fixture
def desk(daemon: Daemon) -> Iterator[Desk]:
    desk = Desk(daemon)
    yield desk
    desk.close()


@pytest.fixture
def start(daemon: Daemon) -> Iterator[Callable[..., Runner]]:
    """Start the tray; it must end with code 0 and nothing to complain of."""
    started: list[Runner] = []

    def start(environ: dict[str, str] | None = None, *arguments: str, wrapper: Sequence[str] = ()) -> Runner:
        runner = Runner(daemon.environ if environ is None else environ, arguments, wrapper)
        started.append(runner)
        return runner

    yield start
    for runner in started:
        if runner.process.poll() is None:
            runner.tell(stop="the test is over")
        assert runner.finish() == (0, "")


@pytest.fixture
def tray(start: Callable[..., Runner], desk: Desk) -> Runner:
    """The tray, shown by the desk."""
    runner = start()
    desk.host()
    until(lambda: desk.property("Status") == "Active", "the icon is not active")
    return runner
