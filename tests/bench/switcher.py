"""O-Switcher as its users have it: its own process, its own home, one key, recording on."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import Child, Failed, polled

CHECKOUT = Path(__file__).resolve().parents[2]
KEY = "sk-or-v1-bench-0123456789abcdef0123456789abcdef"
_SETTINGS = """
[secrets]
store = "file"
[discovery]
enabled = false
[proxy]
port = 0
[switcher]
concurrency_limit = 1000
queue_limit = 1000
"""


@dataclass(frozen=True)
class Place:
    """A home folder that is ready to serve, and the token of its one client."""

    home: Path
    token: str


def prepare(home: Path, upstream_port: int) -> Place:
    """A fresh home with the profile `openrouter-main`, made by the commands that a user would type."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(_SETTINGS)
    url = f"http://127.0.0.1:{upstream_port}/v1"
    _command(home, "profiles", "add", "openrouter", "--label", "main", "--base-url", url, said=KEY)
    return Place(home, _command(home, "token", "bench").strip())


def environment(home: Path) -> dict[str, str]:
    """This process's environment, less proxies that someone set: all of this stays on the loopback.

    An installed app is compiled, so that this one must be, too.
    """
    unwanted = ("_proxy", "pythondontwritebytecode")
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith(unwanted)}
    return kept | {"O_SWITCHER_HOME": str(home), "PYTHONPATH": str(CHECKOUT)}


def _command(home: Path, *arguments: str, said: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tray_app", *arguments],
        cwd=CHECKOUT,
        env=environment(home),
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"o-switcher {' '.join(arguments)} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout


def spawn(place: Place, variant: str | None = None) -> Child:
    """Start it; `variant` names another way of keeping records (see variants.py)."""
    command = [sys.executable, "-m", "tray_app", "serve", "--port", "0"]
    if variant is not None:
        command = [sys.executable, "-m", "tests.bench.variants", variant]
    return Child(command, place.home / "words.log", cwd=CHECKOUT, env=environment(place.home))


def port_of(child: Child, place: Place, within_s: float = 30.0) -> int:
    """The port that it listens on, as soon as it says so.

    Raises:
        Failed: it ends, or says nothing.
    """
    for _ in polled(within_s):
        if (port := _announced(place.home / "running.json", child.pid)) is not None:
            return port
        if child.process.poll() is not None:
            break
    child.stop()
    raise Failed(f"O-Switcher does not come up: {child.words()}")


def _announced(path: Path, pid: int) -> int | None:
    try:
        running = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return int(running["url"].rpartition(":")[2]) if running["pid"] == pid else None


def answer(port: int, token: str, model: str = "bench/json", *, stream: bool = False) -> bytes:
    """The body of one answer through that port.

    Raises:
        Failed: it is not a 200.
        OSError: nobody listens.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        asked = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        connection.request("POST", "/openrouter/v1/chat/completions", json.dumps(asked), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise Failed(f"status {response.status} instead of an answer: {body[:500]!r}")
    return body
