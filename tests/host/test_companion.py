"""A process that lives no longer than this one: its lines, its environment, its end, and its folder's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from tray_app.host.companion import Companion, NotStarted, sweep

ECHO = "import sys\nprint('hello', flush=True)\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('x', flush=True)\ntime.sleep(600)"
TELLING = "import json, os, sys\nprint(json.dumps([dict(os.environ), os.getcwd(), sys.argv[1]]), flush=True)\nsys.stdin.read()"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def until(true: Callable[[], bool], within_s: float = 10) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def ended() -> Event:
    return Event()


@pytest.fixture
def start(tmp_path: Path, ended: Event) -> Iterator[Callable[[str], Companion]]:
    made: list[Companion] = []

    def start(program: str) -> Companion:
        environ = {**os.environ, "A_SECRET": "sk-x", "LANG": "C.UTF-8"}
        command = [sys.executable, "-c", program]
        made.append(Companion(command, tmp_path, environ, lambda folder: {"HOME": str(folder)}, ended.set))
        return made[-1]

    yield start
    for one in made:
        one.end()


def test_it_speaks_and_is_spoken_to_in_lines(start: Callable[[str], Companion], tmp_path: Path, ended: Event) -> None:
    one = start(ECHO)
    assert one.hear() == "hello" and one.alive and one.folder.parent == tmp_path
    assert [one.ask("report"), one.ask("again")] == ["REPORT", "AGAIN"]
    one.end()
    assert not one.alive and not alive(one.pid) and list(tmp_path.iterdir()) == [] and ended.is_set()
    assert (one.ask("anybody?"), one.hear()) == ("", "")
    one.end()


def test_it_gets_nothing_of_the_environment_but_what_it_needs(start: Callable[[str], Companion]) -> None:
    one = start(TELLING)
    environ, folder, argument = json.loads(one.hear())
    assert folder == argument == environ["HOME"] == str(one.folder)
    assert environ["LANG"] == "C.UTF-8" and "A_SECRET" not in environ


def test_one_that_ends_by_itself_takes_its_folder_along(
    start: Callable[[str], Companion], tmp_path: Path, ended: Event
) -> None:
    one = start("print('bye')")
    assert one.hear() == "bye"
    assert ended.wait(10) and list(tmp_path.iterdir()) == [] and one.hear() == ""


def test_one_that_does_not_want_to_end_is_ended(
    start: Callable[[str], Companion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tray_app.host.companion.END_S", 0.3)
    one = start(STUBBORN)
    one.hear()
    one.end()
    until(lambda: not alive(one.pid) and list(tmp_path.iterdir()) == [])


def test_it_ends_when_this_process_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\nfrom pathlib import Path\nfrom tray_app.host.companion import Companion\n"
        f"one = Companion([sys.executable, '-c', {ECHO!r}], Path({str(tmp_path)!r}), os.environ, lambda _: {{}}, print)\n"
        "one.hear()\nprint(one.pid, flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    until(lambda: not alive(pid))
    assert len(list(tmp_path.iterdir())) == 1, "nobody was left to take it away"
    (tmp_path / "history.db").touch()
    sweep(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["history.db"]


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="/not/there cannot be started"):
        Companion(["/not/there"], tmp_path, {}, lambda _: {}, lambda: None)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotStarted, match="no folder can be made"):
        Companion([sys.executable], tmp_path / "nowhere", {}, lambda _: {}, lambda: None)
    with suppress(OSError):
        sweep(tmp_path / "nowhere")
