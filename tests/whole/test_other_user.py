"""Another user of this machine: what they can read of ours, and what they come to with what they may get hold of.

The real thing where the tests run as root, who can be somebody else; elsewhere the modes of all files are looked at.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path

import httpx
import pytest

from tests.host.ordinary_user import ordinary_user
from tests.rig import CHAT, MODEL, key_of
from tests.whole.processes import Served, command, environment, practice, prepared, serve
from tray_app.faces.web.sessions import COOKIE
from tray_app.host import peers, ports
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

AS_ANOTHER = hasattr(os, "geteuid") and os.geteuid() == 0
BODY = json.dumps({"model": MODEL, "messages": []})


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter: what is ours in it must be closed by itself."""
    made = Path(tempfile.mkdtemp(prefix="o-switcher-test-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@pytest.fixture(scope="module")
def served(open_folder: Path) -> Iterator[tuple[Served, str]]:
    with ExitStack() as stack:
        before = os.umask(0o022)
        stack.callback(os.umask, before)
        simulator = stack.enter_context(SimulatorThread(parse(practice("a", "b"), "other user")))
        home = open_folder / "home"
        home.mkdir(mode=0o755)
        found, token = prepared(home, simulator.url, ["a"])
        app = serve(found)
        stack.callback(app.end)
        yield app, token


def said(url: str, request: str, *headers: str) -> bytes:
    """What is answered to this request, by whoever this process is now."""
    place = httpx.URL(url)
    body = BODY if request.startswith("POST") else ""
    lines = (f"{request} HTTP/1.1", f"host: {place.netloc.decode()}", "connection: close", *headers)
    head = "\r\n".join((*lines, "content-type: application/json", f"content-length: {len(body)}"))
    with socket.create_connection((place.host, place.port or 80), timeout=10) as sock:
        sock.sendall(f"{head}\r\n\r\n{body}".encode())
        parts = []
        while part := sock.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def status_of(answer: bytes) -> int:
    return int(answer[9:12])


def ticket_of(app: Served) -> str:
    url = httpx.URL(app.caller().ask("report")["url"])
    return url.raw_path.decode()


def session_of(app: Served) -> str:
    """The cookie of a new session, as browsers send it."""
    answer = said(app.url, f"GET {ticket_of(app)}")
    pair = answer.partition(b"set-cookie: ")[2].partition(b";")[0].decode()
    assert pair.startswith(COOKIE)
    return pair


STRANGE = ["POST /openrouter/v1/chat/completions", "GET /v1/models", "GET /api/v1/status", "POST /api/v1/verbs/stop"]
STRANGE += ["GET /report", "GET /metrics", "GET /v1/quota-stats", "GET /api/v1/events", "GET /api/v1/export/requests"]
STRANGE += ["POST /profiles", "GET /profiles", "POST /api/v1/verbs/token", "GET /api/v1/requests"]


@pytest.mark.parametrize("request_", STRANGE)
def test_a_process_without_a_token_comes_to_nothing(served: tuple[Served, str], request_: str) -> None:
    app, _ = served
    with ordinary_user():
        answer = said(app.url, request_)
    assert status_of(answer) == 401
    assert b"openrouter-a" not in answer and app.process.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one loopback address")
def test_only_one_address_of_this_machine_is_listened_on(served: tuple[Served, str]) -> None:
    port = httpx.URL(served[0].url).port or 80
    for host in ("127.0.0.2", "127.1.2.3", "::1"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), timeout=5)


def test_the_health_address_tells_no_more_than_that_it_is_there(served: tuple[Served, str]) -> None:
    with ordinary_user():
        answer = said(served[0].url, "GET /healthz")
    assert status_of(answer) == 200 and b"/" not in answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("request_", ["GET /report", "GET /api/v1/status", "POST /api/v1/verbs/next", "POST /profiles"])
def test_a_session_that_got_out_is_of_no_use_to_another_user(served: tuple[Served, str], request_: str) -> None:
    """A browser sends the cookie to whatever listens on another port of this machine."""
    app, _ = served
    cookie = f"cookie: x=y; {session_of(app)}"
    with ordinary_user():
        stolen = said(app.url, request_, cookie)
    own = said(app.url, "GET /api/v1/status", cookie)
    assert status_of(own) == 200
    if AS_ANOTHER:
        assert status_of(stolen) == 403 and b"another user" in stolen and b"openrouter-a" not in stolen


@pytest.mark.parametrize("name", ["ticket", "tick%65t", "%74icket"])
def test_a_ticket_that_was_read_off_a_command_line_is_of_no_use_either(served: tuple[Served, str], name: str) -> None:
    app, _ = served
    path = ticket_of(app)
    with ordinary_user():
        stolen = said(app.url, f"GET {path.replace('ticket', name, 1)}")
    if AS_ANOTHER:
        assert status_of(stolen) == 403 and COOKIE.encode() not in stolen
        own = said(app.url, f"GET {path}")  # and whom it was made for may still come in
        assert status_of(own) == 303 and COOKIE.encode() in own


def test_a_client_of_another_user_may_have_a_token(served: tuple[Served, str]) -> None:
    """A service with an account of its own, to which this user gave one."""
    app, token = served
    with ordinary_user():
        answer = said(app.url, f"POST {CHAT}", f"authorization: Bearer {token}")
    assert status_of(answer) == 200


def test_a_session_is_no_token(served: tuple[Served, str]) -> None:
    """No page that a provider might answer with can be opened with what a browser brings."""
    app, _ = served
    for request in (f"POST {CHAT}", "GET /openrouter/v1/models", "GET /v1/models"):
        assert status_of(said(app.url, request, f"cookie: {session_of(app)}")) == 401


def test_nothing_of_ours_can_be_read_by_another_user(served: tuple[Served, str], open_folder: Path) -> None:
    app, token = served
    home, user = app.home.history.parent, open_folder / "user"
    user.mkdir(mode=0o755)
    more = {"HOME": str(user), "TMPDIR": str(user)}
    assert status_of(said(app.url, f"POST {CHAT}", f"authorization: Bearer {token}")) == 200
    for words in (
        ("config", "set", "switcher.retry", "2"),
        ("token", "somebody"),
        ("connect", "codex"),
        ("export", "requests", "--format", "csv", "--out", str(user / "requests.csv")),
        ("backup", str(user / "backup.db")),
    ):
        done = command(home, *words, **more)
        assert done.returncode == 0, (words, done.stderr)
    added = command(home, "profiles", "add", "openrouter", "--label", "b", stdin=key_of("b"), **more)
    assert added.returncode == 0, added.stderr
    with client_at_work(home, more):
        files = [path for folder in (home, user) for path in folder.rglob("*") if path.is_file()]
        assert {path.name for path in files} >= {
            *("config.toml", "connections.json", "decisions.ndjson", "history.db", "history.db-wal", "history.db-shm"),
            *("keys.json", "running.json", "o-switcher.lock", "requests.csv", "auth.json", "backup.db"),
        }
        assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
        assert any(path.parent.name.startswith("o-switcher-") and path.name == "keys.json" for path in files)
        if AS_ANOTHER:
            with ordinary_user():
                assert [path for path in files if can_read(path)] == []


@contextmanager
def client_at_work(home: Path, more: dict[str, str]) -> Iterator[None]:
    """A client that `run` has started with a temporary configuration."""
    programs = home.parent / "programs"
    programs.mkdir(exist_ok=True)
    fake = programs / "llm"
    fake.write_text("#!/bin/sh\necho there\nread line\n")
    fake.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-m", "tray_app", "run", "--", "llm"],
        env=environment(home, **more, PATH=path),
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "there\n"
        yield
    finally:
        process.communicate("\n", 20)


def can_read(path: Path) -> bool:
    try:
        path.read_bytes()
    except PermissionError:
        return False
    return True


def test_what_the_system_tells_of_our_process_holds_no_secret(served: tuple[Served, str]) -> None:
    app, token = served
    process = Path(f"/proc/{app.process.pid}")
    secrets = (key_of("a").encode(), token.encode())
    for name in ("cmdline", "environ", "comm"):
        assert not any(secret in (process / name).read_bytes() for secret in secrets)
    if AS_ANOTHER:
        with ordinary_user():
            for name in ("environ", "maps", "mem"):
                with pytest.raises(PermissionError):
                    (process / name).open("rb").read(1)
            with pytest.raises(PermissionError):
                list((process / "fd").iterdir())
            with pytest.raises(PermissionError):
                os.kill(app.process.pid, 0)


# -- who is at the other end


@pytest.mark.parametrize(
    ("listens", "asks"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2"), ("::1", "::1"), ("::", "127.0.0.1")]
)
def test_the_system_tells_whose_a_connection_is(listens: str, asks: str) -> None:
    with closing(ports.bind(listens, 0).sock) as listening:
        listening.setblocking(True)
        place = ("127.0.0.1" if asks.startswith("127.") else asks, listening.getsockname()[1])
        for another in (False, True):
            with ordinary_user() if another else nullcontext():
                asking = socket.create_connection(place, 5, None if ":" in asks else (asks, 0))
            accepted, client = listening.accept()
            with asking, accepted:
                found = peers.is_foreign(client[:2], accepted.getsockname()[:2])
                assert found == (another and AS_ANOTHER)


def test_who_hangs_up_after_asking_is_nobodys(served: tuple[Served, str]) -> None:
    """Else a thief could have his verb carried out and not wait to be looked at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = listening.getsockname()[:2]
        asking = socket.create_connection(place)
        accepted, client = listening.accept()
        asking.sendall(b"POST")
        asking.close()
        with accepted:
            assert peers.is_foreign(client[:2], place)


@pytest.mark.parametrize("client", [("192.0.2.1", 5), ("2001:db8::1", 5), ("fe80::1%lo", 5)])
def test_of_other_machines_it_cannot_tell(client: tuple[str, int]) -> None:
    assert not peers.is_foreign(client, ("127.0.0.1", 4417))
