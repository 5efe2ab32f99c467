"""What the simulator's tests share: real simulators on port 0, a client with a key, and a bare socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

KEY = "sk-or-v1-test-0123456789"

Simulate = Callable[..., SimulatorThread]
Knock = Callable[..., httpx.Client]
Dial = Callable[..., socket.socket]


@pytest.fixture
def simulate(request: pytest.FixtureRequest) -> Iterator[Simulate]:
    """Start a simulator: from steps for one key called "one", or from a whole script. Its parameter: the loop."""
    make_loop = getattr(request, "param", None)
    with ExitStack() as stack:

        def start(steps: str = "", *, script: str = "", more: str = "", **options: Any) -> SimulatorThread:
            text = script or f'[[key]]\nname = "one"\nkey = "{KEY}"\nsteps = [{steps}]\n{more}'
            return stack.enter_context(SimulatorThread(parse(text, "test.toml"), make_loop=make_loop, **options))

        yield start


@pytest.fixture
def knock() -> Iterator[Knock]:
    """An HTTP client with the key, on the simulator's base address."""
    with ExitStack() as stack:

        def connect(simulator: SimulatorThread, key: str | None = KEY) -> httpx.Client:
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            plain = httpx.HTTPTransport(verify=False)  # no TLS here, and a trust store takes long to read
            client = httpx.Client(base_url=simulator.url + "/", headers=headers, timeout=5, transport=plain)
            return stack.enter_context(client)

        yield connect


@pytest.fixture
def dial() -> Iterator[Dial]:
    """A bare connection."""
    with ExitStack() as stack:

        def connect(simulator: SimulatorThread) -> socket.socket:
            place = urlsplit(simulator.url)
            return stack.enter_context(socket.create_connection((place.hostname, place.port), timeout=5))

        yield connect


@pytest.fixture
def question() -> Callable[..., dict[str, Any]]:
    """The body of a chat or messages request; `input` is there for the responses protocol."""

    def ask(stream: bool = False, model: str = "openai/gpt-4o-mini", said: str = "hello") -> dict[str, Any]:
        turns = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": said}]
        return {"model": model, "stream": stream, "messages": turns, "input": said, "max_tokens": 100}

    return ask


@pytest.fixture
def request_bytes() -> Callable[..., bytes]:
    """A whole request as it goes over the wire."""

    def write(path: str = "/api/v1/chat/completions", stream: bool = False, *more: str, key: str = KEY) -> bytes:
        asked = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        body = json.dumps(asked).encode()
        lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {key}", *more]
        lines.append(f"content-length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    return write
