"""The whole app with a provider that plays bytes and clients that read bytes, all on the app's own loop.

One loop means that packets have the edges that a play gives them: what is written is there at the loop's next turn,
and a few turns later it has been read. Many cases run at once, each with two profiles of a provider of its own, `a` and
`b`; when all are done the pool is put back to what it was.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import httptools

from tests.rig import PATIENCE_S, SETTINGS
from tray_app import app as house
from tray_app.core.pool import Pool
from tray_app.host.home import find_home, write_private
from tray_app.host.vault import Entry, open_vault

SLOTS = 64
NAMES = ("a", "b")
TURNS = 4  # of the loop: after so many a packet has been read
BATCH_S = 60.0
_RESET = struct.pack("ii", 1, 0)
_Result = TypeVar("_Result")


class End(Enum):
    """How a provider ends its part of the conversation."""

    OPEN = "open"  # the connection stays for the next call
    FIN = "fin"
    RST = "rst"
    SILENT = "silent"  # it stays, and nothing more comes


@dataclass(frozen=True, slots=True)
class Play:
    """What a provider does once it has a request: packets, some time between them, and an end."""

    packets: tuple[bytes, ...]
    end: End = End.OPEN
    pause_s: float = 0.0


@dataclass
class Seen:
    """What a client got. `ended` says that the answer came to its end by HTTP's own rules."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    trouble: str = ""  # what was wrong with the HTTP of it

    @property
    def id(self) -> str:
        return self.headers.get(b"x-o-switcher-request-id", b"").decode()


Plan = Callable[[str, int, bytes], Play]  # the profile's name, how many calls it has had, the request's body


@dataclass(frozen=True, slots=True)
class Ask:
    """A request below its provider's prefix, and what the profiles do about it."""

    target: str
    body: bytes
    plan: Plan
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Came:
    """What came of a request."""

    seen: Seen
    calls: dict[str, int]
    request: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    failovers: list[dict[str, Any]] = field(default_factory=list)
    segments: list[dict[str, Any]] = field(default_factory=list)


# -- the provider's side


class _Provider(asyncio.Protocol):
    """One connection of the provider's: reads a request, plays, reads the next."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._used = False
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._parts: list[bytes] = []
        self.transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._stage.providers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stage.providers.discard(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        url, body = self._url.decode(), b"".join(self._parts)
        self._url, self._parts = b"", []
        play = self._stage.called(url, body, used=self._used)
        self._used = True
        self._task = asyncio.get_running_loop().create_task(self._play(play))

    async def _play(self, play: Play) -> None:
        for place, packet in enumerate(play.packets):
            if place:
                await (asyncio.sleep(play.pause_s) if play.pause_s else turns())
            self.transport.write(packet)
        if play.end is End.FIN:
            self.transport.close()
        elif play.end is End.RST:
            await turns()
            found: socket.socket = self.transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()


async def turns(count: int = TURNS) -> None:
    """Let the loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


# -- the client's side


class Client(asyncio.Protocol):
    """A client of one request."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parts: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.seen.ended:
            self.seen.trouble = f"bytes follow the answer: {data[:40]!r}"
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.seen.trouble = f"no HTTP: {error}"
            self._done()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in self.seen.headers:
            self.seen.trouble = f"{name!r} comes twice"
        self.seen.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.seen.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self.seen.ended = True
        self._done()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()

    def _done(self) -> None:
        self.seen.body = b"".join(self._parts)
        self.transport.close()
        if not self.over.done():
            self.over.set_result(None)


# -- the app between them


class Stage:
    """A running app and its provider. `ask` plays many cases at once."""

    def __init__(self, app: house.App, token: str, history: Path) -> None:
        self.app = app
        self.token = token
        self.providers: set[_Provider] = set()
        self._history = history
        self._plans: dict[str, Plan] = {}
        self._calls: Counter[str] = Counter()
        self._pristine: Pool | None = None

    def called(self, url: str, body: bytes, *, used: bool = False) -> Play:
        """The provider has a request: what it does.

        One that ends a connection which it has `used` before, without a word, had closed it already: such a call was
        none, and comes again at once on another.
        """
        _, slot, name, *_ = url.split("/")
        who = f"{slot}/{name}"
        play = self._plans[slot](name, self._calls[who] + 1, body)
        if play.packets or play.end is End.SILENT or not used:
            self._calls[who] += 1
        return play

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Have `work` done on the app's loop."""
        done: Future[_Result] = asyncio.run_coroutine_threadsafe(_bounded(work), self.app.loop)
        return done.result(BATCH_S + 10)

    def ask(self, asks: Sequence[Ask]) -> list[Came]:
        """Ask all of it, as many at once as there are slots, and look up what was recorded."""
        found: list[Came] = []
        for start in range(0, len(asks), SLOTS):
            found += self.run(lambda batch=asks[start : start + SLOTS]: self._batch(batch))  # type: ignore[misc]
        self._look_up(found)
        return found

    async def _batch(self, asks: Sequence[Ask]) -> list[Came]:
        self._calls.clear()
        for slot, ask in enumerate(asks):
            pristine = self.play(slot, ask)
        seen = await asyncio.gather(*(self.send(slot, ask) for slot, ask in enumerate(asks)))
        self.app.cell.set(pristine)
        calls = [
            {n: self._calls[f"s{slot}/{n}"] for n in NAMES if self._calls[f"s{slot}/{n}"]} for slot in range(len(asks))
        ]
        return [Came(*one) for one in zip(seen, calls, strict=True)]

    def play(self, slot: int, ask: Ask) -> Pool:
        """From now on the slot's profiles do as `ask` says; the pool as it was before any case."""
        if self._pristine is None:
            self._pristine = self.app.cell.pool
        self._plans[f"s{slot}"] = ask.plan
        return self._pristine

    async def send(self, slot: int, ask: Ask) -> Seen:
        """Send a request and read its answer to the end."""
        client = await self.connect()
        client.transport.write(self.request(slot, ask))
        await client.over
        return client.seen

    async def connect(self) -> Client:
        """A client at the door."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(Client, "127.0.0.1", self.app.bound.port)
        return client

    def request(self, slot: int, ask: Ask) -> bytes:
        """The bytes of a request."""
        more = "".join(f"{name}: {value}\r\n" for name, value in ask.headers.items())
        head = (
            f"POST /s{slot}/v1{ask.target} HTTP/1.1\r\nhost: 127.0.0.1:{self.app.bound.port}\r\n"
            f"authorization: Bearer {self.token}\r\ncontent-type: application/json\r\n{more}"
            f"content-length: {len(ask.body)}\r\n\r\n"
        )
        return head.encode() + ask.body

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """What plain SQLite sees in the history."""
        with closing(sqlite3.connect(f"file:{self._history}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, parameters)]

    def eventually(self, sql: str, *parameters: object, within_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """The rows of `sql` once there are any."""
        deadline = time.monotonic() + within_s
        while not (found := self.rows(sql, *parameters)) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

    def _look_up(self, found: Sequence[Came]) -> None:
        by_id = {came.seen.id: came for came in found}
        marks = ",".join("?" * len(by_id))
        for row in self.rows(f"SELECT * FROM request WHERE id IN ({marks})", *by_id):
            by_id[row["id"]].request = row
        for row in self.rows(f"SELECT * FROM attempt WHERE request_id IN ({marks}) ORDER BY seq", *by_id):
            by_id[row["request_id"]].attempts.append(row)
        for row in self.rows(f"SELECT * FROM failover WHERE request_id IN ({marks}) ORDER BY id", *by_id):
            by_id[row["request_id"]].failovers.append(row)
        for row in self.rows(f"SELECT * FROM segment WHERE request_id IN ({marks}) ORDER BY seq", *by_id):
            by_id[row["request_id"]].segments.append(row)


async def _bounded(work: Callable[[], Awaitable[_Result]]) -> _Result:
    async with asyncio.timeout(BATCH_S):
        return await work()


@contextmanager
def staged(folder: Path, settings: str = "", *, system_holds: int | None = None) -> Iterator[Stage]:
    """A stage whose app goes by `settings`; of what is sent, the system itself holds back so many bytes at most."""
    home = find_home({"O_SWITCHER_HOME": str(folder)})
    port = _Port()
    tables = "".join(f'[providers.s{slot}]\nbase_url = "{port.url}/s{slot}"\n' for slot in range(SLOTS))
    fast = SETTINGS.replace("base_ms = 10", "base_ms = 1").replace("max_ms = 40", "max_ms = 2")
    write_private(home.config, (fast + settings + tables).encode())
    vault = open_vault(home.keys, "file")
    for slot in range(SLOTS):
        for place, name in enumerate(NAMES):
            secret, base = f"sk-fault-{slot}-{name}-0123456789", f"{port.url}/s{slot}/{name}"
            entry = Entry(secret=secret, provider=f"s{slot}", label=name, base_url=base, added_at=place + 1)
            vault.put(f"s{slot}-{name}", entry)
    token = vault.token("test")
    app = house.build(home, port=0, environ={}, project=folder)
    if system_holds is not None:
        for sock in (app.bound.sock, port.sock):  # those that are accepted there inherit it
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, system_holds)
    app.start()
    stage = Stage(app, token, home.history)
    server: list[asyncio.Server] = []

    async def open_provider() -> None:
        loop = asyncio.get_running_loop()
        server.append(await loop.create_server(lambda: _Provider(stage), sock=port.sock))

    async def close_provider() -> None:
        server[0].close()
        for one in list(stage.providers):
            one.transport.abort()

    try:
        stage.run(open_provider)
        try:
            yield stage
        finally:
            stage.run(close_provider)
    finally:
        app.stop()
    assert not [thread for thread in threading.enumerate() if thread is app._thread and thread.is_alive()]


class _Port:
    """A port for the provider, taken before the app is told of it."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}"
