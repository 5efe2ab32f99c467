"""Providers that say exactly what a test gives them, over real sockets, packet by packet."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Speaker:
    """Answers every request with these pieces, one chunk each; with `cut` the connection is then torn down.

    `bodies` and `heads` are what it was asked.
    """

    pieces: Sequence[bytes]
    cut: bool = False
    kind: str = "text/event-stream"
    encoding: str = ""
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    def answer(self, connection: socket.socket) -> None:
        """Read requests and answer them until the client goes."""
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                data = connection.recv(65_536)
                if not data:
                    return
                received += data
            head, _, received = received.partition(b"\r\n\r\n")
            length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))[15:])
            while len(received) < length:
                received += connection.recv(65_536)
            self.heads.append(head)
            self.bodies.append(received[:length])
            received = received[length:]
            packed = f"content-encoding: {self.encoding}\r\n" if self.encoding else ""
            head = f"HTTP/1.1 200 OK\r\ncontent-type: {self.kind}\r\n{packed}transfer-encoding: chunked\r\n\r\n"
            connection.sendall(head.encode())
            for piece in self.pieces:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            if self.cut:
                threading.Event().wait(0.05)  # a reset overtakes what was not read yet
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            connection.sendall(b"0\r\n\r\n")


@contextmanager
def speaking(*speakers: Speaker) -> Iterator[tuple[Speaker, ...]]:
    """Each speaker at a port of its own, as `url` says."""
    with ExitStack() as stack:
        for speaker in speakers:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            speaker.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
            listener = threading.Thread(target=_listen, args=(listening, speaker), daemon=True)
            listener.start()
            stack.callback(_end, listening, listener)
        yield speakers


def _end(listening: socket.socket, listener: threading.Thread) -> None:
    """Wake the thread, and wait for it.

    A socket that is closed does not wake who waits in it; a signal would, and the call then begins again by the
    number of the file, which may by then be another test's socket.
    """
    with suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)
    listener.join(10)
    assert not listener.is_alive()


def _listen(listening: socket.socket, speaker: Speaker) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, speaker), daemon=True).start()


def _serve(connection: socket.socket, speaker: Speaker) -> None:
    with connection:
        try:
            speaker.answer(connection)
        except OSError:
            return
