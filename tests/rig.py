"""A whole O-Switcher in this process, in front of the simulator: what most tests of the request path need."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import httpx

from tray_app import app as house
from tray_app.core.values import Fact
from tray_app.host.home import Home, find_home, write_private
from tray_app.host.vault import Entry, open_vault
from tray_app.ledger.writer import Writer
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

if TYPE_CHECKING:
    import pytest

PATIENCE_S = 10.0  # for what comes soon: on a machine that is busy with others, not at once
SETTINGS = """
[secrets]
store = "file"
[discovery]
enabled = false
[quota]
polling = false
[switcher.backoff]
base_ms = 10
max_ms = 40
"""
CHAT = "/openrouter/v1/chat/completions"
MODEL = "openai/gpt-4o-mini"


def eventually(holds: Callable[[], object], within_s: float = PATIENCE_S) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + within_s
    while not (true := holds()) and time.monotonic() < end:
        time.sleep(0.01)
    return bool(true)


def key_of(name: str) -> str:
    """The practice key of a profile."""
    return f"sk-or-v1-test-{name}-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the simulator, by the inside of its `steps` list, and the profile that holds it.

    `account` is named to both; without one the key has an account of its own. `owner` is an account that only the
    provider knows of. `more` are further lines of the key's table in the script. Where `there` is False, nobody
    listens at the profile's address until `Rig.revive`.
    """

    steps: str = '{do="ok"}'
    provider: str = "openrouter"
    account: str = ""
    owner: str = ""
    priority: int = 0
    tags: tuple[str, ...] = ()
    more: str = ""
    there: bool = True


def script_of(**keys: str | Key) -> str:
    """A simulator's script: for each key name, the inside of its `steps` list, or all of it."""
    tables = [_table_of(name, Key(key) if isinstance(key, str) else key) for name, key in keys.items()]
    return f'models = ["{MODEL}"]\n' + "\n".join(tables)


def _table_of(name: str, key: Key) -> str:
    account = key.account or key.owner or name
    head = f'[[key]]\nname = "{name}"\nkey = "{key_of(name)}"\naccount = "{account}"\n'
    return f"{head}{key.more}\nsteps = [{key.steps}]\n"


class Clock:
    """The time that the app and the simulator see: it begins at `at`, and goes on by itself or by `leap` alone."""

    def __init__(self, at: float, *, ticks: bool = True) -> None:
        self._at = at
        self._began = time.monotonic() if ticks else None
        self._leapt = 0.0

    def __call__(self) -> float:
        passed = 0.0 if self._began is None else time.monotonic() - self._began
        return self._at + self._leapt + passed

    def ms(self) -> int:
        """UTC milliseconds since the epoch."""
        return round(self() * 1000)

    def skew(self) -> int:
        """How far it has been set, in ms: what the app takes for a leap."""
        return round(self._leapt * 1000)

    def leap(self, seconds: float) -> None:
        """Set it so much ahead, or back."""
        self._leapt += seconds


@dataclass(frozen=True, slots=True)
class Dice:
    """Chance as a test wants it, for the composition root, which asks the module `random`. Ids stay different."""

    chance: float

    def random(self) -> float:
        return self.chance

    def getrandbits(self, bits: int) -> int:
        return random.getrandbits(bits)


@dataclass
class Rig:
    """The running app with its simulator and a client that holds a token.

    `build` makes the app anew, out of the same home; `clock` is there where the test asked for one.
    """

    app: house.App
    simulator: SimulatorThread
    home: Home
    client: httpx.Client
    build: Callable[[], house.App]
    facts: list[Fact] = field(default_factory=list)
    clock: Clock | None = None
    unheard: socket.socket | None = None  # holds the port of those who are not there
    revived: SimulatorThread | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return self.app.url

    def chat(self, *, stream: bool = False, text: str = "hello", model: str = MODEL, **more: Any) -> httpx.Response:
        """One chat completion through the proxy."""
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}
        return self.client.post(CHAT, json=body, **more)

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """What plain SQLite sees in the history."""
        with closing(sqlite3.connect(f"file:{self.home.history}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, parameters)]

    def eventually(self, sql: str, *parameters: object, within_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """The rows of `sql` once there are any."""
        deadline = time.monotonic() + within_s
        while not (found := self.rows(sql, *parameters)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def rest(self) -> None:
        """Wait until nothing has been written to the history for a while: what is late would begin a new file."""
        files = (self.home.history, self.home.history.with_name(f"{self.home.history.name}-wal"))
        seen, since = None, time.monotonic()
        while time.monotonic() - since < 0.6:
            now = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists()]
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.02)

    def decisions(self) -> list[dict[str, Any]]:
        """The decisions log."""
        return [json.loads(line) for line in self.home.decisions.read_text().splitlines()]

    @property
    def simulators(self) -> list[SimulatorThread]:
        return [self.simulator, *filter(None, [self.revived])]

    def calls(self) -> dict[str, int]:
        """Calls that reached the provider, by key; keys without any are left out."""
        return {name: count for one in self.simulators for name, count in one.counts().items() if count}

    def phase(self, profile: str) -> str:
        """A profile's label now."""
        return next(view.state for view in self.app.service.status().profiles if view.id == profile)

    def restart(self, after: float = 0.0) -> None:
        """Stop the app, and start it again in the same home, so many seconds later. The simulator goes on."""
        self.app.stop()
        if self.clock is not None:
            self.clock.leap(after)
        self.app = self.build()
        self.app.start()
        self.client.base_url = self.app.url

    def revive(self, script: str) -> None:
        """Have a simulator with that script at the address of those who are not there."""
        assert self.unheard is not None
        port = self.unheard.getsockname()[1]
        self.unheard.close()
        self.revived = self.stack.enter_context(
            SimulatorThread(parse(script, "revived"), clock=self.clock or time.time, port=port)
        )

    def leap(self, seconds: float) -> None:
        """Set the clock, and have the app notice, which it else does within a second of the next request."""
        assert self.clock is not None
        self.clock.leap(seconds)
        self.in_loop(self.app._check_clock)

    def in_loop(self, work: Callable[[], object]) -> None:
        """Have `work` done on the app's loop, and wait for it."""
        done = Event()

        def whole() -> None:
            work()
            done.set()

        self.app.in_loop(whole)
        assert done.wait(10), "the loop did not come to it"


def said(stream: str) -> str:
    """What the model said in an event stream of any of the three protocols, put together as a client would."""
    parts = []
    for line in stream.splitlines():
        if line.startswith("data: {"):
            event = json.loads(line[6:])
            delta = event.get("delta")
            parts.append(delta if isinstance(delta, str) else (delta or {}).get("text") or "")
            parts += [choice["delta"].get("content") or "" for choice in event.get("choices") or ()]
    return "".join(parts)


@contextmanager
def running(
    folder: Path,
    script: str | Mapping[str, str | Key],
    *,
    settings: str = "",
    names: Sequence[str] | None = None,
    others: Mapping[str, str] | None = None,
    start: bool = True,
    clock: Clock | None = None,
    chance: float | None = None,
) -> Iterator[Rig]:
    """An app whose profiles are the keys of `script`, in their order, and `others`, at addresses of their own.

    `script` may be the keys themselves, by name, where profiles differ in more than their steps. With `clock` the
    app and the simulator go by it; with `chance` every chance of the app's is that.
    """
    keys = {} if isinstance(script, str) else {n: Key(k) if isinstance(k, str) else k for n, k in script.items()}
    parsed = parse(script_of(**keys) if keys else str(script), "test")
    home = find_home({"O_SWITCHER_HOME": str(folder)})
    write_private(home.config, (_base(settings) + settings).encode())
    with ExitStack() as stack:
        stack.enter_context(_going_by(clock, chance))
        simulator = stack.enter_context(SimulatorThread(parsed, clock=clock or time.time))
        unheard = stack.enter_context(_a_port_of_nobody()) if any(not key.there for key in keys.values()) else None
        vault = open_vault(home.keys, "file")
        for place, name in enumerate(names if names is not None else [key.name for key in parsed.keys]):
            key = keys.get(name, Key())
            url = simulator.url if key.there else f"http://127.0.0.1:{unheard.getsockname()[1]}/api/v1"
            vault.put(f"{key.provider}-{name}", entry_of(name, url, place, key))
        for name, url in (others or {}).items():
            vault.put(f"openrouter-{name}", entry_of(name, url, 99))
        token = vault.token("test")
        rig_facts: list[Fact] = []

        def build() -> house.App:
            app = house.build(home, port=0, environ={}, project=folder)
            app.listeners.append(rig_facts.append)
            return app

        app = build()
        rig: Rig | None = None
        try:
            if start:
                app.start()
            headers = {"authorization": f"Bearer {token}"}
            with httpx.Client(base_url=app.url, headers=headers, timeout=20, transport=plain_http()) as client:
                rig = Rig(app, simulator, home, client, build, rig_facts, clock, unheard, stack=stack)
                yield rig
        finally:
            (rig.app if rig else app).stop()


def settle_slowly(monkeypatch: pytest.MonkeyPatch, wait: Callable[[], Awaitable[object]]) -> None:
    """Whoever waits for records to be safe also waits for what `wait` gives."""
    settled = Writer.settled

    async def slowly(writer: Writer) -> None:
        await settled(writer)
        await wait()

    monkeypatch.setattr(Writer, "settled", slowly)


def plain_http() -> httpx.HTTPTransport:
    """For clients of this machine: there is no TLS here, and a trust store takes long to read."""
    return httpx.HTTPTransport(verify=False)


@contextmanager
def _going_by(clock: Clock | None, chance: float | None) -> Iterator[None]:
    """The composition root asks these names for time and chance; they are put back at the end."""
    before = house.now_ms, house._skew, house.random
    if clock is not None:
        house.now_ms, house._skew = clock.ms, clock.skew
    if chance is not None:
        house.random = Dice(chance)
    try:
        yield
    finally:
        house.now_ms, house._skew, house.random = before


def _a_port_of_nobody() -> socket.socket:
    """A port that is taken, so that nobody else gets it, and at which nobody listens."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def _base(settings: str) -> str:
    """The usual settings; a table stands only once in a file."""
    base = SETTINGS.replace("[quota]\npolling = false\n", "") if "[quota]" in settings else SETTINGS
    return base.replace("[discovery]\nenabled = false\n", "") if "[discovery]" in settings else base


def entry_of(name: str, url: str, place: int = 0, key: Key | None = None) -> Entry:
    """A vault entry for the simulator's key of that name."""
    key = key or Key()
    return Entry(
        secret=key_of(name),
        provider=key.provider,
        label=name,
        base_url=url,
        account=key.account,
        source="test",
        priority=key.priority,
        tags=key.tags,
        added_at=place + 1,
    )
