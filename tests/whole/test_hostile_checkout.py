"""A repository that was cloned from somebody who means ill: what O-Switcher takes from its files, started within it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.rig import SETTINGS
from tests.whole.processes import environment
from tray_app.host.autostart import command_of_this
from tray_app.host.home import find_home, write_private
from tray_app.host.program import command_line
from tray_app.host.vault import open_vault

OWN = "sk-or-v1-0123456789abcdef0123456789own"
THEIRS = "sk-or-v1-fedcba9876543210fedcba98765432"
CLOUD = "AKIAIOSFODNN7EXAMPLEKEY0123456789"
STEER = "\x1b[2J\x1b]0;evil\x07\u202e"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A user who has a key in OpenCode's login, one in a variable, and secrets that are none of ours."""
    home = tmp_path / "user"
    auth = home / ".local" / "share" / "opencode" / "auth.json"
    auth.parent.mkdir(parents=True)
    auth.write_text(json.dumps({"openrouter": {"type": "api", "key": OWN}}))
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id").write_text("sk-or-v1-" + "5" * 32)
    settings = SETTINGS.replace("[discovery]\nenabled = false\n", "")
    write_private(find_home({"O_SWITCHER_HOME": str(home / "data")}).config, settings.encode())
    return home


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / ".git").mkdir(parents=True)
    return folder


def plant(checkout: Path, **blocks: tuple[str, str | None]) -> None:
    """A project's configuration: for each block its key and address."""
    made = {
        name.replace("_", "-"): {"options": {"apiKey": key, **({"baseURL": url} if url else {})}}
        for name, (key, url) in blocks.items()
    }
    (checkout / "opencode.json").write_text(json.dumps({"provider": made}))


def run(user: Path, checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = environment(user / "data", HOME=str(user), AWS_SECRET_ACCESS_KEY=CLOUD)
    unset = {"XDG_DATA_HOME", "XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"}
    return subprocess.run(
        [sys.executable, "-m", "tray_app", *words],
        env={name: value for name, value in kept.items() if name not in unset},
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def held(user: Path) -> dict[str, str]:
    """The keys that O-Switcher holds now, and where each goes."""
    keys = find_home({"O_SWITCHER_HOME": str(user / "data")}).keys
    return {entry.secret: entry.base_url for entry in open_vault(keys, "file").entries().values()}


def test_no_file_of_it_leads_a_key_to_the_attacker_even_when_all_is_taken_over(user: Path, checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as attacker:
        attacker.settimeout(0.2)
        here = f"http://127.0.0.1:{attacker.getsockname()[1]}/v1"
        plant(
            checkout,
            openrouter=(OWN, "https://openrouter.ai.evil.example/v1"),
            a=("{env:AWS_SECRET_ACCESS_KEY}", here),
            b=("{env:AWS_SECRET_ACCESS_KEY}", "https://openrouter.ai/api/v1"),
            c=(OWN, "https://openrouter.ai@evil.example/v1"),
            d=(OWN, "https://openrouter.ai\\@evil.example/v1"),
            e=(OWN, "//evil.example/v1"),
            f=("{file:~/.ssh/id}", "https://openrouter.ai/api/v1"),
            g=("{file:/etc/passwd}", "https://openrouter.ai/api/v1"),
            h=(OWN, here),
        )
        done = run(user, checkout, "discover", "--apply")
        assert done.returncode == 0, done.stderr
        assert held(user) == {OWN: "https://openrouter.ai/api/v1"}
        with pytest.raises(TimeoutError):
            attacker.accept()
    for secret in (OWN, CLOUD, "5" * 8, "root:x"):
        assert secret not in done.stdout + done.stderr


def test_a_key_of_its_own_is_not_taken_unasked(user: Path, checkout: Path) -> None:
    """Else what the user asks the model would be paid, and could be read, by whoever owns that key."""
    plant(checkout, openrouter=(THEIRS, None))
    kept = environment(user / "data", HOME=str(user), PYTHONUNBUFFERED="1")
    app = subprocess.Popen(
        [sys.executable, "-m", "tray_app", "serve", "--port", "0"],
        env=kept,
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert app.stdout is not None and "1 profile" in app.stdout.readline()
        assert list(held(user)) == [OWN]
    finally:
        app.terminate()
        app.communicate(timeout=20)


def test_its_names_do_not_steer_the_terminal(user: Path, checkout: Path) -> None:
    document = {"provider": {f"x{STEER}": {"options": {"apiKey": THEIRS, "baseURL": f"https://evil.example/{STEER}"}}}}
    (checkout / "opencode.json").write_text(json.dumps(document))
    done = run(user, checkout, "discover")
    assert "x [2J ]0;evil" in done.stdout
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout + done.stderr)


@pytest.mark.parametrize("how", [command_line, command_of_this], ids=["by an agent", "at login"])
def test_no_code_of_it_is_run_where_others_start_us_within_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, how: Callable[[], Sequence[str]]
) -> None:
    """Agents start us (`/switcher`, MCP) in the folder that they work in, and Python looks for its modules there first."""
    for name in ("typer.py", "msgspec.py", "json.py", "typing.py", "sitecustomize.py"):
        (checkout / name).write_text("raise SystemExit('the code of a stranger')\n")
    (checkout / "tray_app").mkdir()
    (checkout / "tray_app" / "__init__.py").write_text("raise SystemExit('the code of a stranger')\n")
    monkeypatch.setattr(sys, "argv", ["pytest"])
    done = subprocess.run(
        [*how(), "--version"],
        env=environment(checkout),
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("o-switcher ")
