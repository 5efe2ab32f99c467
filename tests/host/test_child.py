"""A program started on behalf of the user: its exit code, its signals, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from tray_app.host.child import NotStarted, folder_with, run

ROOT = Path(__file__).parent.parent.parent
ENVIRON = {**os.environ, "MARK": "here"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", 'test "$MARK" = here'), 0),
        (("sh", "-c", "kill -9 $$"), 137),
    ],
)
def test_the_exit_code_is_the_programs(words: tuple[str, ...], code: int) -> None:
    assert run(words, ENVIRON) == code


def test_a_script_without_a_first_line_is_run_as_shells_do(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("exit 6\n")
    script.chmod(0o755)
    assert run([str(script)], ENVIRON) == 6


def test_a_program_that_is_not_there_or_cannot_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="no-such-program is not there") as missing:
        run(["no-such-program"], ENVIRON)
    assert missing.value.code == 127
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(NotStarted, match="cannot be started") as failed:
        run([str(broken)], ENVIRON)
    assert failed.value.code == 126


CHILD = """
import signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: sys.exit(number + 50))
print('ready', flush=True)
time.sleep(30)
"""
PARENT = """
import os, sys
from tray_app.host.child import run
sys.exit(run([sys.executable, '-c', sys.argv[1]], os.environ))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_the_program(number: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,  # no terminal is in front of it, which would send signals to both
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    parent.send_signal(number)
    assert parent.wait(10) == number + 50
    parent.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_what_a_terminal_sends_reaches_the_program_once(number: signal.Signals) -> None:
    """On a real terminal: Ctrl-C goes to both, and the program must not get it twice."""
    import pty

    child = (
        "import signal,time\ncount=[]\n"
        f"signal.signal({int(number)}, lambda *_: count.append(1))\n"
        "print('ready', flush=True)\n"
        "end=time.monotonic()+1.0\n"
        "while time.monotonic()<end: time.sleep(0.05)\n"
        "print('got', len(count), flush=True)\n"
    )
    terminal, inner = pty.openpty()
    open_it = "import os\nos.open(os.environ['TTY'], os.O_RDWR)\n"  # whoever leads a session gets it for its own
    parent = subprocess.Popen(
        [sys.executable, "-c", open_it + PARENT, child],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TTY": os.ttyname(inner)},
        start_new_session=True,
    )
    os.close(inner)
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03" if number == signal.SIGINT else b"\x1c")
    deadline = time.monotonic() + 10
    while b"got 1" not in said and time.monotonic() < deadline:
        said += os.read(terminal, 1000)
    assert parent.wait(10) == 0
    os.close(terminal)
    assert b"got 1" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_to_this_process_are_handed_on(number: signal.Signals, tmp_path: Path) -> None:
    mark = tmp_path / "ready"

    def send() -> None:
        deadline = time.monotonic() + 10
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = Thread(target=send)
    thread.start()
    script = f"trap 'exit 3' TERM HUP; : > '{mark}'; while :; do sleep 0.05; done"
    assert run(["sh", "-c", script], ENVIRON) == 3
    thread.join()


def test_the_handlers_of_this_process_are_its_own_again() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    run(["true"], ENVIRON)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_folder_is_for_this_user_only_and_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "logs.db").write_text("x")
    with folder_with({"keys.json": "{}"}, {"logs.db": tmp_path / "logs.db"}) as made:
        assert made is not None and made.stat().st_mode & 0o777 == 0o700
        assert (made / "keys.json").stat().st_mode & 0o777 == 0o600
        (made / "logs.db").write_text("y")
    assert not made.exists() and (tmp_path / "logs.db").read_text() == "y"
    with folder_with({}, {}) as none:
        assert none is None


def test_where_no_folder_can_be_made_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    with pytest.raises(NotStarted, match="no folder for it can be made"), folder_with({"a": "b"}, {}):
        pass
