"""Clients through the real app, by the command line, in a home of their own: connected, served, moved, disconnected."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.rig import MODEL
from tests.whole.processes import command, environment, practice, prepared, serve
from tray_app.host.home import Home
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

KEY = "sk-or-v1-mine-0123456789abcdef0123456789"
CONFIG = (
    '// mine\r\n{\r\n\t"theme": "dark",\r\n\t"provider": {\r\n\t\t"openrouter": {\r\n'
    f'\t\t\t"options": {{ "apiKey": "{KEY}", }}, // the old one\r\n\t\t}},\r\n\t}},\r\n}}\r\n'
)
PLAIN = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_DATA_HOME", "OPENCODE_CONFIG", "CLAUDE_CONFIG_DIR", "CODEX_HOME"), "")


@pytest.fixture
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread(parse(practice("a"), "clients")) as found:
        yield found


def said(folder: Path, *words: str, code: int = 0) -> str:
    """What a command prints; no key and no traceback is ever in it."""
    done = command(folder, *words, **PLAIN)
    assert done.returncode == code, done.stderr
    assert KEY not in done.stdout + done.stderr and "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def rows(home: Home, sql: str, within_s: float = 5.0) -> list[tuple[Any, ...]]:
    """The rows of the history, once there are any."""
    deadline = time.monotonic() + within_s
    while True:
        with closing(sqlite3.connect(f"file:{home.history}?mode=ro", uri=True)) as connection:
            found = connection.execute(sql).fetchall()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def ask(base: str, token: str) -> httpx.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(f"{base}/chat/completions", json=body, headers=headers, timeout=10, trust_env=False)


def options(path: Path) -> tuple[str, str]:
    """Address and key, as OpenCode reads them."""
    from tray_app.agents.jsonc import parsed

    document: Any = parsed(path.read_bytes())
    found = document["provider"]["openrouter"]["options"]
    return found["baseURL"], found["apiKey"]


def test_a_client_is_connected_served_moved_and_disconnected(tmp_path: Path, simulator: SimulatorThread) -> None:
    home, _ = prepared(tmp_path, simulator.url, ["a"])
    path = tmp_path / ".config" / "opencode" / "opencode.jsonc"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONFIG.encode())
    served = serve(home)
    assert "+++" in said(tmp_path, "connect", "opencode", "--dry-run") and path.read_bytes() == CONFIG.encode()
    shown = said(tmp_path, "connect", "opencode")
    assert "<token>" in shown and f"OpenCode is pointed at {served.url}" in shown
    assert "connected already" in said(tmp_path, "connect", "opencode")
    base, token = options(path)
    assert base == f"{served.url}/openrouter/v1" and token.startswith("osw-opencode-") and token not in shown
    assert ask(base, token).status_code == 200
    assert rows(home, "SELECT DISTINCT client FROM request") == [("opencode",)]
    [row] = [one for one in json.loads(said(tmp_path, "connections", "--json")) if one["connected"]]
    mine = path.parent / "commands" / "switcher.md"
    assert (row["client"], row["state"], row["url"]) == ("opencode", "connected", served.url)
    assert row["files"] == [str(path), str(mine)] and "status`" in mine.read_text()
    # its token is revoked: it alone is turned away, and connecting again mends it
    assert "counts no longer" in said(tmp_path, "token", "opencode", "--revoke")
    assert ask(base, token).status_code == 401
    assert "its token was revoked" in said(tmp_path, "connections")
    said(tmp_path, "connect", "opencode")
    base, token = options(path)
    assert ask(base, token).status_code == 200
    events = rows(home, "SELECT actor, verb, detail FROM operator_event ORDER BY at")
    assert [event[:2] for event in events] == [("cli", "connect"), ("cli", "token"), ("cli", "connect")]
    assert events[0][2] == f"opencode: {path}, {mine}"
    assert served.end() == 0
    # another port at the next start: the client follows, and it is said
    again = serve(home)
    assert again.url != served.url
    assert options(path) == (f"{again.url}/openrouter/v1", token) and ask(*options(path)).status_code == 200
    assert f"opencode is pointed at {again.url} now" in said(tmp_path, "status")
    assert rows(home, "SELECT detail FROM operator_event WHERE actor = 'app'") == [(f"opencode: moved to {again.url}",)]
    again.process.terminate()
    _, log = again.process.communicate(timeout=20)
    assert f"opencode is pointed at {again.url} now; restart it if it runs" in log
    # back without a trace, with no app running
    assert "OpenCode is as it was before" in said(tmp_path, "disconnect", "opencode")
    assert path.read_bytes() == CONFIG.encode() and not mine.parent.exists()
    assert not home.connections.exists() and KEY not in home.keys.read_text()
    assert "OpenCode is not connected" in said(tmp_path, "disconnect", "opencode", code=1)


PROGRAM = """
import json, os, sys, urllib.request
base, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
body = json.dumps({"model": sys.argv[1], "messages": [{"role": "user", "content": "hi"}]}).encode()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
heads = {"authorization": "Bearer " + key, "content-type": "application/json"}
answer = opener.open(urllib.request.Request(base + "/chat/completions", body, heads))
words = open("/proc/self/cmdline", "rb").read() + open(f"/proc/{os.getppid()}/cmdline", "rb").read()
print(json.dumps({"status": answer.status, "seen": key.encode() in words, "no_proxy": os.environ.get("NO_PROXY")}))
sys.exit(5)
"""


def test_any_program_is_run_through_the_proxy_with_no_file_touched(tmp_path: Path, simulator: SimulatorThread) -> None:
    home, _ = prepared(tmp_path, simulator.url, ["a"])
    served = serve(home)
    before = {path for path in tmp_path.rglob("*") if "history" not in path.name}
    done = command(
        tmp_path, "run", "--", sys.executable, "-c", PROGRAM, MODEL, HTTP_PROXY="http://127.0.0.1:9", **PLAIN
    )
    assert done.returncode == 5, done.stderr
    found = json.loads(done.stdout)
    assert found == {"status": 200, "seen": False, "no_proxy": "127.0.0.1,localhost"}
    program = Path(sys.executable).name.replace(".", "-")
    assert rows(home, "SELECT client FROM request") == [(program,)]
    assert {path for path in tmp_path.rglob("*") if "history" not in path.name} == before
    assert "nothing-here is not there" in said(tmp_path, "run", "nothing-here", code=127)
    assert served.end() == 0
    assert "not running" in said(tmp_path, "run", "--", "true", code=3)


def test_a_client_with_files_of_its_own_is_run_beside_them(tmp_path: Path, simulator: SimulatorThread) -> None:
    """A stand-in for `llm`, which reads its keys from a folder."""
    home, _ = prepared(tmp_path, simulator.url, ["a"])
    folder = tmp_path / ".config" / "io.datasette.llm"
    folder.mkdir(parents=True)
    (folder / "keys.json").write_text('{"openai": "sk-mine"}')
    (folder / "logs.db").write_text("old")
    programs = tmp_path / "bin"
    programs.mkdir()
    script = programs / "llm"
    script.write_text(
        '#!/bin/sh\ntrap "exit 9" TERM; echo "$LLM_USER_PATH"; cat "$LLM_USER_PATH/keys.json"; echo\n'
        'echo new > "$LLM_USER_PATH/logs.db"; cat "$LLM_USER_PATH/extra-openai-models.yaml"; echo "$@"; [ "$1" = wait ] || exit 0\n'
        "while :; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    served = serve(home)
    done = command(tmp_path, "run", "--", "llm", "-m", "a/b", "a question", PATH=path, **PLAIN)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    keys = json.loads(lines[1])
    assert keys["openai"] == keys["o-switcher"] and keys["openai"].startswith("osw-llm-")
    assert '- model_id: "a/b"' in lines and lines[-1] == "-m a/b a question"
    assert not Path(lines[0]).exists()
    assert (folder / "keys.json").read_text() == '{"openai": "sk-mine"}' and (folder / "logs.db").read_text() == "new\n"
    # a signal ends the client, not what was made for it
    process = subprocess.Popen(
        [sys.executable, "-m", "tray_app", "run", "--", "llm", "wait", "-m", "x"],
        env=environment(tmp_path, PATH=path, **PLAIN),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    made = Path(process.stdout.readline().strip())
    while not process.stdout.readline().startswith("wait"):
        pass
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 9
    process.stdout.close()
    assert not made.exists()
    assert served.end() == 0
