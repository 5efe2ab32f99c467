"""Clients that take more than their share: held to limits, while others are served."""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.proxy.test_listener import Place, request
from tests.rig import CHAT, MODEL, Rig, running, script_of
from tests.whole.processes import Served, prepared, serve
from tray_app.proxy import listener as wire
from tray_app.proxy.listener import Exchange, Serving
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

FEW = 20


@asynccontextmanager
async def small_place(most: int = FEW) -> AsyncIterator[Place]:
    """A listener with room for a few. `/slow` is answered when `release` is asked for."""
    released = asyncio.Event()

    async def app(exchange: Exchange) -> None:
        if exchange.path == b"/slow":
            await released.wait()
        if exchange.path == b"/release":
            released.set()
        words = b"ok" * (50_000 if exchange.path == b"/big" else 1)
        exchange.begin(200, ((b"content-length", b"%d" % len(words)),), words, over=True)

    sock = socket.create_server(("127.0.0.1", 0))
    serving = Serving(app, most)
    await serving.open(sock)
    place = Place(serving, sock.getsockname()[1])
    try:
        yield place
    finally:
        for writer in place.writers:
            writer.transport.abort()
        await serving.close(0.0)


def run(talk: Callable[[Place], object], most: int = FEW) -> None:
    async def whole() -> None:
        async with small_place(most) as found:
            await talk(found)  # type: ignore[misc]

    asyncio.run(whole())


async def is_served(place: Place) -> bool:
    return b"200 OK" in await place.say(request(extra=b"connection: close\r\n"))


def test_connections_that_ask_nothing_make_way() -> None:
    async def talk(place: Place) -> None:
        for _ in range(10 * FEW):
            await place.connect()
            assert len(place.serving.connections) <= FEW
        assert await is_served(place)

    run(talk)


def test_a_client_at_rest_outlasts_those_that_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FRESH_S", 0.0)

    async def talk(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(request())
        await reader.readuntil(b"ok")
        for _ in range(5 * FEW):
            await place.connect()
        writer.write(request())
        assert (await reader.readuntil(b"ok")).endswith(b"ok")

    run(talk)


def test_a_newcomer_is_given_the_time_to_ask() -> None:
    """Else a crowd that has asked something once would drive out whoever comes after it."""

    async def talk(place: Place) -> None:
        for _ in range(FEW - 1):
            reader, writer = await place.connect()
            writer.write(request())
            await reader.readuntil(b"ok")
        newcomer, its = await place.connect()
        for _ in range(FEW // 2):
            reader, writer = await place.connect()
            writer.write(request())
            await reader.readuntil(b"ok")
        its.write(request())
        assert (await newcomer.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")

    run(talk)


def test_among_clients_at_rest_the_one_that_asked_first_makes_way() -> None:
    async def talk(place: Place) -> None:
        clients = []
        for _ in range(FEW):
            clients.append(await place.connect())
            clients[-1][1].write(request())
            await clients[-1][0].readuntil(b"ok")
        clients[0][1].write(request())
        await clients[0][0].readuntil(b"ok")
        assert await is_served(place)
        async with asyncio.timeout(2):
            assert await clients[1][0].read() == b""
        clients[0][1].write(request())
        await clients[0][0].readuntil(b"ok")

    run(talk)


def test_nobody_who_is_being_answered_makes_way_and_others_are_told_so() -> None:
    async def talk(place: Place) -> None:
        slow = []
        for _ in range(FEW):
            slow.append(await place.connect())
            slow[-1][1].write(request(path=b"/slow"))
        await asyncio.sleep(0.1)
        answer = await place.say()
        assert answer.startswith(b"HTTP/1.1 503 ") and b"connection: close" in answer
        slow[0][1].transport.abort()
        await asyncio.sleep(0.05)
        assert b"200 OK" in await place.say(request(path=b"/release", extra=b"connection: close\r\n"))
        for reader, _ in slow[1:]:
            await reader.readuntil(b"ok")

    run(talk)


def test_who_asks_and_never_reads_makes_way() -> None:
    async def talk(place: Place) -> None:
        for _ in range(FEW):
            _, writer = await place.connect(limit=1024)
            writer.write(request(path=b"/big") * 200)
            await asyncio.sleep(0.05)
        assert any(one.held_back for one in place.serving.connections)
        assert await is_served(place)

    run(talk, most=3)


def test_there_is_room_for_files_of_our_own_whatever_the_limit_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {1024: 409, 256: 102, 20: 16, 1_000_000: wire.MOST_CONNECTIONS, -1: wire.MOST_CONNECTIONS}
    for files, most in limits.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert Serving(lambda _: None).most == most  # type: ignore[arg-type,return-value]


# -- those who are not let in


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("greedy"), script_of(a='{do="ok"}')) as found:
        yield found


@pytest.mark.parametrize("path", ["/api/v1/verbs/use", "/profiles", CHAT, "/nothing", "/metrics"])
def test_nobody_waits_for_the_body_of_a_stranger(rig: Rig, path: str) -> None:
    """Who has no token is told so before the body has come, so a thousand of them hold a thousand heads, no bodies."""
    url = httpx.URL(rig.url)
    head = f"POST {path} HTTP/1.1\r\nhost: {url.netloc.decode()}\r\ncontent-length: 900000\r\n"
    with socket.create_connection((url.host, url.port or 80), timeout=5) as sock:
        sock.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + b" " * 100_000)
        status = int(sock.recv(65_536)[9:12])
    assert status in (401, 404, 405)


def test_a_page_that_is_told_too_much_stops_listening(rig: Rig) -> None:
    admin = {"authorization": f"Bearer {rig.app.admin_token}", "content-type": "application/json"}
    with httpx.Client(base_url=rig.url, headers=admin, trust_env=False, timeout=10) as client:
        answer = client.post("/api/v1/verbs/use", content=(b" " * 65_536 for _ in range(40)))
        assert answer.status_code == 413
        assert client.get("/api/v1/status").status_code == 200


# -- the real program, from outside

CROWD = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
host, port, count, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
said = {"quiet": b"", "head": b"POST / HTTP/1.1\\r\\nx: " + b"y" * 60_000,
        "asks": b"GET /healthz HTTP/1.1\\r\\nhost: %b:%d\\r\\n\\r\\n" % (host.encode(), port)}[kind]
held = []
for _ in range(count):
    try:
        held.append(socket.create_connection((host, port), timeout=5))
        held[-1].sendall(said)
    except OSError:
        pass
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    with ExitStack() as stack:
        simulator = stack.enter_context(SimulatorThread(parse(script_of(a='{do="ok"}'), "greedy")))
        home, token = prepared(tmp_path_factory.mktemp("crowd"), simulator.url, ["a"])
        app = serve(home)
        stack.callback(app.end)
        yield app, token


def files_of(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def bytes_of(process: int) -> int:
    line = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize(("kind", "count"), [("quiet", 10_000), ("head", 2_000), ("asks", 2_000)])
def test_a_crowd_is_bounded_in_files_and_bytes_and_others_are_served(
    served: tuple[Served, str], kind: str, count: int
) -> None:
    app, token = served
    url, process = httpx.URL(app.url), app.process.pid
    most = min(wire.MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 2 // 5)
    ask = {"authorization": f"Bearer {token}"}
    body = {"model": MODEL, "messages": []}
    with httpx.Client(base_url=app.url, headers=ask, trust_env=False, timeout=10) as client:
        assert client.post(CHAT, json=body).status_code == 200  # what is loaded once is loaded
    before = bytes_of(process)
    crowd = subprocess.Popen(
        [sys.executable, "-c", CROWD, url.host, str(url.port), str(count), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert crowd.stdout is not None
        reading = crowd.stdout
        peak = 0
        deadline = time.monotonic() + 60
        served_meanwhile = 0
        while not _ready(reading) and time.monotonic() < deadline:
            with httpx.Client(base_url=app.url, headers=ask, trust_env=False, timeout=10) as client:
                served_meanwhile += client.post(CHAT, json=body).status_code == 200
            peak = max(peak, files_of(process))
            time.sleep(0.05)
        assert served_meanwhile > 0 and peak <= most + 100
        with httpx.Client(base_url=app.url, headers=ask, trust_env=False, timeout=10) as client:
            assert client.post(CHAT, json=body).status_code == 200
        assert files_of(process) <= most + 100
        assert bytes_of(process) - before < most * (120_000 if kind == "head" else 24_000)
    finally:
        crowd.communicate()


def _ready(stream: object) -> bool:
    import select

    return bool(select.select([stream], [], [], 0)[0])
