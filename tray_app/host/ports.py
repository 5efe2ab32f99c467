"""The listening socket: the wanted port, or who has it and the next free one."""

from __future__ import annotations

import errno
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TRIES = 50
LAST_PORT = 65_535
ASK_S = 0.5


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound socket. `notice` says what happened if it is not the wanted port."""

    sock: socket.socket
    host: str
    port: int
    notice: str | None = None


class NoPort(Exception):
    """No socket can be had; says why and what to do."""


def bind(host: str, port: int) -> Bound:
    """Bind `host`:`port` (0: any free one). A taken port is given up for the next free one.

    Raises:
        NoPort: the address itself cannot be used.
    """
    if not 0 <= port <= LAST_PORT:
        raise NoPort(f"{port} is no port; choose one from 1 to {LAST_PORT}, or 0 for any free one")
    try:
        return _bound(host, port)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES) or port == 0:
            raise NoPort(f"{host} cannot be listened on: {error.strerror}; check proxy.host in the settings") from error
        taken = error
    why = f"is taken by {who_has(host, port)}" if taken.errno == errno.EADDRINUSE else "may not be used by this user"
    for other in (*range(port + 1, min(port + TRIES, LAST_PORT + 1)), 0):
        try:
            bound = _bound(host, other)
        except OSError:
            continue
        return Bound(bound.sock, host, bound.port, f"port {port} {why}; listening on {bound.port} instead")
    raise NoPort(f"no port from {port} on is free; choose one with: o-switcher config set proxy.port N")


def _bound(host: str, port: int) -> Bound:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # SO_REUSEADDR would share the port
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(2048)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return Bound(sock, host, sock.getsockname()[1])


def who_has(host: str, port: int) -> str:
    """By what a port is taken, as well as can be told."""
    if _is_ours(host, port):
        return "another O-Switcher (of another user or folder)"
    name = _program_on(port) if sys.platform == "linux" else None
    return name or "another program"


def _is_ours(host: str, port: int) -> bool:
    """Whether O-Switcher answers there. Whatever else may listen gets half a second, and is read no further."""
    question = f"GET /healthz HTTP/1.1\r\nHost: {_authority(host, port)}\r\nConnection: close\r\n\r\n"
    deadline = time.monotonic() + ASK_S
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=ASK_S) as sock:
            sock.sendall(question.encode())
            while len(answer) < 4096 and (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                if not (more := sock.recv(4096)):
                    break
                answer += more
    except OSError:
        pass
    return b'"app":"o-switcher"' in answer.replace(b" ", b"")


def url_of(host: str, port: int) -> str:
    """The address of a program of this machine that listens there."""
    return f"http://{_authority(host, port)}"


def local_url(host: str, port: int) -> str:
    """The same for programs of this machine: who listens everywhere is reached on the loopback."""
    return url_of(_EVERYWHERE.get(host, host), port)


_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked for, not bound


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _program_on(port: int) -> str | None:
    """The name and id of the process that listens on that TCP port, from /proc."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, inodes):
            try:
                name = (process / "comm").read_text().strip()
            except OSError:
                continue
            return f"{name} (process {process.name})"
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in inodes for link in (process / "fd").iterdir())
    except OSError:
        return False
