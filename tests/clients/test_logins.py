"""Logins of the real OpenCode, made by itself and found by the running app: what it writes today is what is read."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import pty
import re
import select
import sqlite3
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.clients.agents import MODEL, PROMPT, SIDE, Agent
from tests.clients.test_connected import MODELS, POINTING, asked
from tests.control.test_discovery import Machine, profiles
from tests.rig import eventually, key_of, script_of
from tray_app import app as house
from tray_app.agents.opencode_database import rows
from tray_app.control.callers import connect
from tray_app.host import watch
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

ASKS = b"Enter your API key"
WITHIN_S = 60


class OpenCode:
    """The program in its home, with what it keeps there."""

    def __init__(self, agent: Agent) -> None:
        self.program = agent.command("")[0]
        self.work = agent.work
        given = agent._environment(agent.variables("", ""))
        self.environ = {name: value for name, value in given.items() if name not in POINTING}
        self.data = Path(self.environ["XDG_DATA_HOME"]) / "opencode"

    def log_in(self, provider: str, key: str) -> None:
        """As a person does, in a terminal."""
        terminal, its_end = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        command = [self.program, "auth", "login", "--provider", provider]
        ends = {"stdin": its_end, "stdout": its_end, "stderr": its_end}
        with subprocess.Popen(command, env=self.environ, cwd=self.work, start_new_session=True, **ends) as process:
            os.close(its_end)
            try:
                shown = _read(terminal, until=ASKS)
                assert ASKS in shown, shown
                os.write(terminal, f"{key}\r".encode())
                shown = _read(terminal, until=None)
                assert process.wait(WITHIN_S) == 0, shown
            finally:
                process.kill()
                os.close(terminal)

    @contextmanager
    def serving(self) -> Iterator[http.client.HTTPConnection]:
        """Its server, asked over HTTP; its own plugins tell it which providers take a key."""
        environ = {name: value for name, value in self.environ.items() if name != "OPENCODE_DISABLE_DEFAULT_PLUGINS"}
        command = [self.program, "serve", "--port", "0"]
        with subprocess.Popen(command, env=environ, cwd=self.work, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                told = (re.search(r"http://(127\.0\.0\.1:\d+)", line) for line in process.stdout)
                found = next(one for one in told if one is not None)
                with closing(http.client.HTTPConnection(found[1], timeout=WITHIN_S)) as connection:
                    yield connection
            finally:
                process.kill()


def _read(terminal: int, until: bytes | None) -> bytes:
    """What the program shows up to these words, or to its end."""
    shown, end = b"", time.monotonic() + WITHIN_S
    while time.monotonic() < end and (until is None or until not in shown):
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        data = b""
        with suppress(OSError):  # what Linux says of a terminal that nobody has any more
            data = os.read(terminal, 65_536)
        if not data:
            break
        shown += data
    return shown


@pytest.fixture
def opencode(agents: dict[str, Agent]) -> Iterator[OpenCode]:
    """Its home is that of other tests too, so it is left without logins."""
    found = OpenCode(agents["opencode"])
    yield found
    (found.data / "auth.json").unlink(missing_ok=True)
    with closing(sqlite3.connect(found.data / "opencode.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM credential")


@pytest.fixture
def machine(tmp_path: Path, opencode: OpenCode, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    with SimulatorThread(parse(script_of(a='{do="ok"}', b='{do="ok"}'), "test")) as simulator:
        found = Machine(tmp_path, simulator.url)
        found.environ["XDG_DATA_HOME"] = opencode.environ["XDG_DATA_HOME"]
        # a login asks for models, whatever it is told of that
        opencode.environ["OPENCODE_MODELS_URL"] = simulator.url.removesuffix("/api/v1")
        yield found


def test_a_login_adds_a_profile_and_another_one_leaves_the_earlier_there(machine: Machine, opencode: OpenCode) -> None:
    with machine.running() as app:
        opencode.log_in("openrouter", key_of("a"))
        assert eventually(lambda: list(profiles(app)) == ["openrouter-opencode"], 20)
        opencode.log_in("openrouter", key_of("b"))
        assert eventually(lambda: list(profiles(app)) == ["openrouter-opencode", "openrouter-opencode-2"], 20)
        held = {"type": "api", "key": key_of("b")}
        assert json.loads((opencode.data / "auth.json").read_text()) == {"openrouter": held}
        _connected_opencode_asks_us(app, opencode)
        assert json.loads((opencode.data / "auth.json").read_text()) == {"openrouter": held}


def _connected_opencode_asks_us(app: house.App, opencode: OpenCode) -> None:
    """With the login still there: the address and the token that `connect` sets go before it."""
    settings = Path(opencode.environ["XDG_CONFIG_HOME"]) / "opencode" / "opencode.json"
    content = {
        "$schema": "https://opencode.ai/config.json",  # which OpenCode would put in by itself
        "autoupdate": False,
        "small_model": f"openrouter/{SIDE}",
        "provider": {"openrouter": {"models": MODELS}},
    }
    settings.write_text(json.dumps(content))
    before = settings.read_bytes()
    caller = connect(app.home.running)
    caller.ask("connect", client="opencode", places=json.dumps({"HOME": opencode.environ["HOME"]}))
    words = ["run", "--title", "harbour", "-m", f"openrouter/{MODEL}", PROMPT]
    try:
        assert PROMPT in asked([opencode.program, *words], opencode.environ, opencode.work)
    finally:
        caller.ask("disconnect", client="opencode")
        assert settings.read_bytes() == before
        settings.unlink()
    (request,) = caller.ask("history", limit=5)
    assert (request["client"], request["profile_id"]) == ("opencode", "openrouter-opencode")


def test_a_credential_in_its_database_is_found(
    machine: Machine, opencode: OpenCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BUSY_S", 0.3)
    with machine.running() as app, opencode.serving() as server:
        _connect(server, "openrouter", key_of("a"))
        found = [(owner, value) for owner, value, _ in rows(opencode.data / "opencode.db")]
        assert found == [("openrouter", {"type": "key", "key": key_of("a")})]
        assert eventually(lambda: list(profiles(app)) == ["openrouter-opencode"], 20)
        _connect(server, "openrouter", key_of("b"))
        assert eventually(lambda: list(profiles(app)) == ["openrouter-opencode", "openrouter-opencode-2"], 20)


def _connect(server: http.client.HTTPConnection, provider: str, key: str) -> None:
    """Give a key as its newer screens do; they are there once its list of providers is."""
    end, status = time.monotonic() + WITHIN_S, 0
    while status != 204 and time.monotonic() < end:
        body, headers = json.dumps({"key": key, "label": "mine"}), {"content-type": "application/json"}
        server.request("POST", f"/api/integration/{provider}/connect/key", body, headers)
        answer = server.getresponse()
        answer.read()
        status = answer.status
        if status != 204:
            time.sleep(0.3)
    assert status == 204
