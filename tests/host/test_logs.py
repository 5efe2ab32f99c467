"""Log lines go to stderr, and nothing that looks like a key is in them."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tray_app.host import logs

ROOT = Path(__file__).parent.parent.parent
KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"


@contextmanager
def logging_as_the_app_does(level: int) -> Iterator[io.StringIO]:
    """What is written to stderr, without the handlers that the test runner has."""
    root = logging.getLogger()
    before, level_before, stderr = root.handlers[:], root.level, sys.stderr
    root.handlers[:] = []
    sys.stderr = out = io.StringIO()
    try:
        logs.set_up(level)
        yield out
    finally:
        root.handlers[:], sys.stderr = before, stderr
        root.setLevel(level_before)


def test_a_line_says_when_how_bad_and_where() -> None:
    with logging_as_the_app_does(logging.WARNING) as lines:
        logging.getLogger("tray_app.test").warning("something is %s", "odd")
        logging.getLogger("tray_app.test").info("nobody needs this")
    (line,) = lines.getvalue().splitlines()
    assert line.endswith(" WARNING tray_app.test: something is odd")


def fail() -> None:
    raise ValueError(f"Bearer {KEY}")


def test_keys_are_taken_out_of_messages_arguments_and_traces() -> None:
    with logging_as_the_app_does(logging.INFO) as lines:
        logging.getLogger("x").info("with %s", KEY)
        try:
            fail()
        except ValueError:
            logging.getLogger("x").exception("failed with key=%s", KEY)
    text = lines.getvalue()
    assert KEY not in text
    assert "Traceback" in text and "[key]" in text


@pytest.mark.parametrize(
    "death",
    [
        f"raise ValueError('Bearer {KEY}')",
        f"import threading\nt = threading.Thread(target=lambda: {{}}['{KEY}'])\nt.start(); t.join()",
    ],
    ids=["the process", "a thread"],
)
def test_whatever_ends_by_surprise_shows_no_key(death: str) -> None:
    code = f"from tray_app.host.logs import guard_traces\nguard_traces()\n{death}\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert "Traceback" in done.stderr and "[key]" in done.stderr
    assert KEY not in done.stderr + done.stdout
