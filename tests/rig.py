"""A whole O-Switcher in this process, in front of the simulator: what most tests of the request path need."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tray_app import app as house
from tray_app.core.values import Fact
from tray_app.host.home import Home, find_home, write_private
from tray_app.host.vault import Entry, open_vault
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

SETTINGS = """
[secrets]
store = "file"
[discovery]
enabled = false
[switcher.backoff]
base_ms = 10
max_ms = 40
"""
CHAT = "/openrouter/v1/chat/completions"
MODEL = "openai/gpt-4o-mini"


def key_of(name: str) -> str:
    """The practice key of a profile."""
    return f"sk-or-v1-test-{name}-0123456789abcdef"


def script_of(**steps: str) -> str:
    """A simulator's script: for each key name, the inside of its `steps` list."""
    keys = [
        f'[[key]]\nname = "{name}"\nkey = "{key_of(name)}"\naccount = "{name}"\nsteps = [{inside}]\n'
        for name, inside in steps.items()
    ]
    return f'models = ["{MODEL}"]\n' + "\n".join(keys)


@dataclass
class Rig:
    """The running app with its simulator and a client that holds a token."""

    app: house.App
    simulator: SimulatorThread
    home: Home
    client: httpx.Client
    facts: list[Fact] = field(default_factory=list)

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

    def eventually(self, sql: str, *parameters: object, within_s: float = 3.0) -> list[dict[str, Any]]:
        """The rows of `sql` once there are any."""
        deadline = time.monotonic() + within_s
        while not (found := self.rows(sql, *parameters)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def decisions(self) -> list[dict[str, Any]]:
        """The decisions log."""
        return [json.loads(line) for line in self.home.decisions.read_text().splitlines()]

    def calls(self) -> dict[str, int]:
        """Calls that reached the provider, by key; keys without any are left out."""
        return {name: count for name, count in self.simulator.counts().items() if count}

    def phase(self, profile: str) -> str:
        """A profile's label now."""
        return next(view.state for view in self.app.service.status().profiles if view.id == profile)


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
    script: str,
    *,
    settings: str = "",
    names: Sequence[str] | None = None,
    others: Mapping[str, str] | None = None,
    start: bool = True,
) -> Iterator[Rig]:
    """An app whose profiles are the keys of `script`, in their order, and `others`, at addresses of their own."""
    parsed = parse(script, "test")
    home = find_home({"O_SWITCHER_HOME": str(folder)})
    write_private(home.config, (SETTINGS + settings).encode())
    with SimulatorThread(parsed) as simulator:
        vault = open_vault(home.keys, "file")
        for place, name in enumerate(names if names is not None else [key.name for key in parsed.keys]):
            vault.put(f"openrouter-{name}", entry_of(name, simulator.url, place))
        for name, url in (others or {}).items():
            vault.put(f"openrouter-{name}", entry_of(name, url, 99))
        token = vault.token("test")
        app = house.build(home, port=0, environ={}, project=folder)
        rig_facts: list[Fact] = []
        app.listeners.append(rig_facts.append)
        try:
            if start:
                app.start()
            with httpx.Client(
                base_url=app.url, headers={"authorization": f"Bearer {token}"}, timeout=20, trust_env=False
            ) as client:
                yield Rig(app, simulator, home, client, rig_facts)
        finally:
            app.stop()


def entry_of(name: str, url: str, place: int = 0) -> Entry:
    """A vault entry for the simulator's key of that name."""
    return Entry(
        secret=key_of(name), provider="openrouter", label=name, base_url=url, source="test", added_at=place + 1
    )
