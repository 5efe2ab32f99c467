"""The listening socket: the wanted port, or the next free one and who has the wanted one."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.host.ordinary_user import ordinary_user
from tray_app.host import ports
from tray_app.host.ports import NoPort, bind, who_has

LOCAL = "127.0.0.1"
LISTEN = """
import socket, sys
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
sock.listen()
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def another_program() -> Iterator[tuple[int, int]]:
    """A process that listens and never answers; its port and id."""
    command = [sys.executable, "-c", LISTEN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline()), child.pid
        child.communicate()


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """A server on this machine that gives that answer; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((LOCAL, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def behaving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener that treats its one visitor so; its port."""
    with closing(socket.create_server((LOCAL, 0))) as listener:

        def serve() -> None:
            visitor, _ = listener.accept()
            with visitor, ContextlessErrors():
                answer(visitor)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


class ContextlessErrors:
    """A visitor who leaves is no error."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        return isinstance(error, OSError)


def free_port() -> int:
    with closing(socket.create_server((LOCAL, 0))) as sock:
        port: int = sock.getsockname()[1]
        return port


def test_the_wanted_port_is_bound_and_listens() -> None:
    port = free_port()
    bound = bind(LOCAL, port)
    with closing(bound.sock):
        assert (bound.host, bound.port, bound.notice) == (LOCAL, port, None)
        assert not bound.sock.getblocking()
        socket.create_connection((LOCAL, port), timeout=1).close()


def test_port_zero_is_any_free_one() -> None:
    bound = bind(LOCAL, 0)
    with closing(bound.sock):
        assert bound.port > 1023
        assert bound.notice is None


def test_a_port_that_was_just_in_use_can_be_had_at_once() -> None:
    bound = bind(LOCAL, 0)
    with closing(bound.sock), closing(socket.create_connection((LOCAL, bound.port))) as client:
        server, _ = bound.sock.accept()
        server.close()  # this end closes first, and lingers
        client.recv(1)
    again = bind(LOCAL, bound.port)
    again.sock.close()
    assert again.port == bound.port


@pytest.mark.skipif(sys.platform != "linux", reason="names of processes are from /proc")
def test_a_port_that_another_program_has_is_named_with_it_and_the_next_is_taken() -> None:
    with another_program() as (port, pid):
        bound = bind(LOCAL, port)
        bound.sock.close()
    assert bound.port > port
    words = rf"port {port} is taken by python\S* \(process {pid}\); listening on {bound.port} instead"
    assert re.fullmatch(words, bound.notice or "")


def test_a_port_that_another_o_switcher_has_is_named_so() -> None:
    with answering(b'{"app": "o-switcher", "version": "1", "instance": "x"}') as port:
        bound = bind(LOCAL, port)
        bound.sock.close()
    assert bound.notice is not None
    assert f"port {port} is taken by another O-Switcher (of another user or folder); listening on" in bound.notice


@pytest.mark.skipif(sys.platform != "linux", reason="names of processes are from /proc")
@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"app":"other"}', b"\xff"], ids=["empty", "a list", "another app", "no text"]
)
def test_a_server_that_is_something_else_is_not_taken_for_one(body: bytes) -> None:
    with answering(body) as port:
        assert f"(process {os.getpid()})" in who_has(LOCAL, port)


def trickle(visitor: socket.socket) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        visitor.sendall(b"x")
        time.sleep(0.05)


def say_nothing(visitor: socket.socket) -> None:
    while visitor.recv(4096):
        pass


def hang_up(visitor: socket.socket) -> None:
    visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def pour(visitor: socket.socket) -> None:
    for _ in range(10_000):
        visitor.sendall(b"x" * 4096)


@pytest.mark.parametrize("answer", [trickle, say_nothing, hang_up, pour], ids=lambda answer: answer.__name__)
def test_whoever_listens_there_holds_the_start_up_for_half_a_second_at_most(
    answer: Callable[[socket.socket], None],
) -> None:
    with behaving(answer) as port:
        began = time.monotonic()
        assert "O-Switcher" not in who_has(LOCAL, port)
        assert time.monotonic() - began < 1.5


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="another user's process needs root")
def test_a_program_of_another_user_is_another_program() -> None:
    with another_program() as (port, _), ordinary_user():
        assert who_has(LOCAL, port) == "another program"


def test_a_port_that_nobody_has_is_nobodys() -> None:
    assert who_has(LOCAL, free_port()) == "another program"


def test_where_there_is_no_proc_it_is_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    with another_program() as (port, _):
        monkeypatch.setattr("sys.platform", "darwin")
        assert who_has(LOCAL, port) == "another program"


def test_a_process_that_ends_meanwhile_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    read_text = Path.read_text

    def gone(self: Path, *arguments: object) -> str:
        if self.name in ("comm", "tcp6"):
            raise FileNotFoundError(str(self))
        return read_text(self)

    with another_program() as (port, _):
        monkeypatch.setattr(Path, "read_text", gone)
        assert who_has(LOCAL, port) == "another program"


@pytest.mark.skipif(sys.platform != "linux", reason="ports below 1024 are another matter there")
def test_a_port_that_this_user_may_not_have_is_given_up_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first < 81:
        pytest.skip("every port may be had here")
    with ordinary_user():
        bound = bind(LOCAL, 80)
    bound.sock.close()
    assert bound.port >= first
    assert bound.notice == f"port 80 may not be used by this user; listening on {bound.port} instead"


def refusing(code: int, but: Callable[[int], bool]) -> Callable[[str, int], ports.Bound]:
    bound = ports._bound

    def attempt(host: str, port: int) -> ports.Bound:
        if but(port):
            return bound(host, port)
        raise OSError(code, os.strerror(code))

    return attempt


@pytest.mark.parametrize("code", [errno.EACCES, errno.EADDRINUSE])
def test_where_all_near_ports_are_gone_any_free_one_is_taken(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(ports, "_bound", refusing(code, lambda port: port == 0))
    bound = bind(LOCAL, 80)
    bound.sock.close()
    assert bound.port > 1023
    assert bound.notice is not None and bound.notice.startswith("port 80 ")


def test_where_nothing_is_free_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_bound", refusing(errno.EADDRINUSE, lambda _: False))
    with pytest.raises(
        NoPort, match=r"no port from 65530 on is free; choose one with: o-switcher config set proxy\.port N"
    ):
        bind(LOCAL, 65_530)
    with pytest.raises(NoPort, match=re.escape("127.0.0.1 cannot be listened on: Address already in use")):
        bind(LOCAL, 0)


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "::1::2"])
def test_an_address_that_is_not_of_this_machine_says_so(host: str) -> None:
    with pytest.raises(NoPort, match=r"cannot be listened on: .*; check proxy\.host in the settings"):
        bind(host, 0)


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_number_that_is_no_port_says_so(port: int) -> None:
    with pytest.raises(NoPort, match=f"{port} is no port; choose one from 1 to 65535, or 0 for any free one"):
        bind(LOCAL, port)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_an_ipv6_address_works_alike() -> None:
    first = bind("::1", 0)
    with closing(first.sock):
        assert first.sock.family is socket.AF_INET6
        second = bind("::1", first.port)
        second.sock.close()
        assert second.port != first.port
        assert second.notice is not None and f"port {first.port} is taken by" in second.notice


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:4417"),
        ("0.0.0.0", "http://127.0.0.1:4417"),
        ("::", "http://[::1]:4417"),
        ("::1", "http://[::1]:4417"),
    ],
)
def test_programs_of_this_machine_reach_us_on_the_loopback(host: str, url: str) -> None:
    assert ports.local_url(host, 4417) == url
