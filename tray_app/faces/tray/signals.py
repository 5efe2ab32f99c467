"""SIGINT, SIGTERM and SIGHUP end the tray in order, whatever native loop the main thread is in.

Python runs a handler only when the main thread comes back to bytecode, which a native loop may never do.
So the C handler writes the signal's number to a socket, and a thread that sleeps on it asks for the stop. A native
loop may put its own socket in place of ours, so that it comes back to bytecode: then the Python handler writes it.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last one only on Windows
_DONE = 0


@contextlib.contextmanager
def watched(stop: Callable[[str], None]) -> Iterator[None]:
    """Call `stop` with a signal's name, in a thread of its own. Only the main thread may enter."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    thread = threading.Thread(target=_watch, args=(reader, stop), name="tray-signals", daemon=True)
    with reader, writer, _caught(writer):
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):
                writer.send(bytes([_DONE]))
            thread.join(timeout=1)


@contextlib.contextmanager
def _caught(writer: socket.socket) -> Iterator[None]:
    def write(number: int, _frame: object) -> None:
        with contextlib.suppress(BlockingIOError):
            writer.send(bytes([number]))

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    # what is ignored stays ignored: that is what nohup and background jobs of a shell rely on
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    fd_before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, write) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(fd_before)


def _watch(reader: socket.socket, stop: Callable[[str], None]) -> None:
    names = {int(getattr(signal, name)): name for name in _NAMES if hasattr(signal, name)}
    while data := reader.recv(64):
        for number in data:
            if number == _DONE:
                return
            if number in names:
                stop(names[number])
