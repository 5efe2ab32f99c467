"""A program started on behalf of the user, who must not notice that there is somebody in between.

Signals are handed on, the exit code is the program's, and what was made for it is gone afterwards.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from tray_app.core.redact import redact

_HANDED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_OF_THE_TERMINAL = ("SIGINT", "SIGQUIT", "SIGBREAK")  # it sends these to the program as well
NOT_FOUND, NOT_STARTED = 127, 126


class NotStarted(Exception):
    """The program cannot be run; says why. `code` is what a shell ends with then."""

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.code = code


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run `command` to its end; its exit code, or 128 and the number of the signal that ended it.

    Raises:
        NotStarted: it is not there, or cannot be run.
    """
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        raise NotStarted(f"{redact(command[0])} is not there; install it, or look at PATH", NOT_FOUND)
    started: list[subprocess.Popen[bytes]] = []
    with _handing_on(lambda number: _send(started, number)):
        try:
            child = _started([program, *command[1:]], environ)
        except OSError as error:
            raise NotStarted(f"{redact(program)} cannot be started: {error.strerror}", NOT_STARTED) from error
        started.append(child)
        code = child.wait()
    return code if code >= 0 else 128 - code


def _started(words: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words, env=dict(environ))
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        return subprocess.Popen(["/bin/sh", *words], env=dict(environ))  # a script without a first line, as shells do


def _send(started: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for child in started:
        child.send_signal(number)


@contextmanager
def _handing_on(send: Callable[[int], object]) -> Iterator[None]:
    """Hand signals on meanwhile. Those that a terminal sends, it has sent to the program too."""

    def hand_on(number: int, frame: FrameType | None) -> None:
        with suppress(OSError, ValueError):
            send(number)

    def leave(number: int, frame: FrameType | None) -> None:
        if not _on_a_terminal():
            hand_on(number, frame)

    before = {}
    for names, handler in ((_HANDED_ON, hand_on), (_OF_THE_TERMINAL, leave)):
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _on_a_terminal() -> bool:
    """Whether this process is in front of a terminal, which sends its signals to every process there."""
    if sys.platform == "win32":
        return True
    try:
        handle = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(handle) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(handle)


@contextmanager
def folder_with(files: Mapping[str, str], links: Mapping[str, Path]) -> Iterator[Path | None]:
    """A folder that only this user can read, with those files and links, gone afterwards; None where none is needed.

    Raises:
        NotStarted: it cannot be made.
    """
    if not files:
        yield None
        return
    try:
        made = Path(tempfile.mkdtemp(prefix="o-switcher-"))
    except OSError as error:
        raise NotStarted(f"no folder for it can be made: {error.strerror}", NOT_STARTED) from error
    try:
        for name, text in files.items():
            handle = os.open(made / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
        for name, target in links.items():
            with suppress(OSError):  # Windows lets few users make links: the program does without
                (made / name).symlink_to(target, target_is_directory=target.is_dir())
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
