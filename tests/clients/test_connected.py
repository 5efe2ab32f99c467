"""Real clients as `connect` leaves their files, and as `run` starts them: the answer arrives, and nothing of it stays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.agents import MODEL, PROMPT, SIDE, Agent
from tests.clients.answers import ANSWER, saying
from tests.rig import Rig, running
from tests.whole.processes import ROOT
from tray_app.control.callers import connect

KEY = "sk-or-v1-of-the-users-own-0123456789abcdef"
POINTING = ("OPENCODE_CONFIG_CONTENT", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "POOL_API_KEY", "LLM_USER_PATH")


@dataclass(frozen=True)
class Settled:
    """A client with settings of its user's, in which a key stands that is not for us. `words` are those of a question.

    What `connect` writes, or `run` gives, is all that points it anywhere.
    """

    name: str
    client: str
    files: dict[str, str]
    words: tuple[str, ...]

    def held(self, home: Path) -> dict[str, str]:
        return {name: (home / name).read_text() for name in self.files}


LIMIT = {"limit": {"context": 128_000, "output": 8_192}}
MODELS = {MODEL: {"name": "Fake", **LIMIT}, SIDE: {"name": "Small", **LIMIT}}
QUIET = "[features]\nplugins = false\n[analytics]\nenabled = false\n"
QUIETER = 'check_for_update_on_startup = false\nweb_search = "disabled"\n'
OPENCODE = {
    "$schema": "https://opencode.ai/config.json",
    "autoupdate": False,
    "share": "disabled",
    "small_model": f"openrouter/{SIDE}",
    "enabled_providers": ["openrouter"],
    "provider": {"openrouter": {"options": {"apiKey": KEY}, "models": MODELS}},
}
CODEX = ("exec", "--skip-git-repo-check", PROMPT)
SETTLED = [
    Settled(
        "opencode",
        "opencode",
        {".config/opencode/opencode.jsonc": "// mine\n" + json.dumps(OPENCODE, indent=2)},
        ("run", "--title", "harbour", "-m", f"openrouter/{MODEL}", PROMPT),
    ),
    Settled(
        "claude",
        "claude-code",
        {".claude/settings.json": '{\n  "env": {\n    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"\n  }\n}\n'},
        ("-p", PROMPT, "--output-format", "text"),
    ),
    Settled(
        "codex",  # with an API key, and the provider that it has built in
        "codex",
        {
            ".codex/config.toml": f'model = "{MODEL}"  # mine\n{QUIETER}{QUIET}',
            ".codex/auth.json": json.dumps({"OPENAI_API_KEY": KEY}),
        },
        CODEX,
    ),
    Settled(
        "codex",  # with a provider of the user's own
        "codex",
        {
            ".codex/config.toml": f'model = "{MODEL}"\nmodel_provider = "mine"\n{QUIETER}[model_providers.mine]\n'
            'name = "Mine"\nbase_url = "https://openrouter.ai/api/v1"\nenv_key = "MY_KEY"  # from the shell\n'
            f'wire_api = "responses"\n{QUIET}'
        },
        CODEX,
    ),
    Settled(
        "llm",
        "llm",
        {".config/io.datasette.llm/keys.json": json.dumps({"openai": KEY})},
        ("-m", f"o-switcher/{MODEL}", PROMPT),
    ),
]
IDS = ["opencode", "claude", "codex", "codex elsewhere", "llm"]


@dataclass(frozen=True)
class User:
    """One of them, in the client's home."""

    settled: Settled
    agent: Agent

    def program(self) -> list[str]:
        """What starts it, by one word, as from a PATH."""
        place = self.agent.place
        if self.settled.name == "llm":
            return [str(place / "llm"), *self.settled.words]
        if self.settled.name != "codex":
            return [self.agent.command("")[0], *self.settled.words]
        shim = self.agent.home / "bin" / "codex"
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(f'#!/bin/sh\nexec node "{place}/@openai/codex/bin/codex.js" "$@"\n')
        shim.chmod(0o755)
        return [str(shim), *self.settled.words]

    def environment(self, **more: str) -> dict[str, str]:
        given = self.agent._environment(self.agent.variables("", "token"))
        return {name: value for name, value in given.items() if name not in POINTING} | more


@contextmanager
def user_of(settled: Settled, agents: dict[str, Agent]) -> Iterator[User]:
    """That user, in the client's home, which is left as it was: what some do at their first start takes long."""
    agent = agents[settled.name]
    (agent.home / "llm").mkdir(exist_ok=True)
    for name, text in settled.files.items():
        (agent.home / name).parent.mkdir(parents=True, exist_ok=True)
        (agent.home / name).write_text(text)
    yield User(settled, agent)
    for name in settled.files:
        (agent.home / name).unlink()


def asked(command: list[str], environment: dict[str, str], folder: Path) -> str:
    """What it prints."""
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def served(rig: Rig) -> list[dict[str, Any]]:
    return rig.rows("SELECT DISTINCT client FROM request WHERE outcome = 'served'")


@pytest.mark.parametrize("settled", SETTLED, ids=IDS)
def test_a_connected_client_answers_and_is_as_it_was_afterwards(
    tmp_path: Path, agents: dict[str, Agent], settled: Settled
) -> None:
    with running(tmp_path, {"only": saying(ANSWER)}) as rig, user_of(settled, agents) as user:
        home = user.agent.home
        before = settled.held(home)
        caller = connect(rig.home.running)
        caller.ask("connect", client=settled.client, models=MODEL, places=json.dumps({"HOME": str(home)}))
        assert settled.held(home) != before
        assert asked(user.program(), user.environment(), user.agent.work) == ANSWER
        assert served(rig) == [{"client": settled.client}]
        caller.ask("disconnect", client=settled.client)
        assert settled.held(home) == before


@pytest.mark.parametrize("settled", SETTLED, ids=IDS)
def test_a_client_that_is_run_answers_with_no_file_of_its_own_touched(
    tmp_path: Path, agents: dict[str, Agent], settled: Settled
) -> None:
    with running(tmp_path, {"only": saying(ANSWER)}) as rig, user_of(settled, agents) as user:
        before = settled.held(user.agent.home)
        environment = user.environment(O_SWITCHER_HOME=str(tmp_path), PYTHONPATH=str(ROOT))
        program = [MODEL if word == f"o-switcher/{MODEL}" else word for word in user.program()]
        command = [sys.executable, "-m", "tray_app", "run", "--", *program]
        assert asked(command, environment, user.agent.work) == ANSWER
        assert served(rig) == [{"client": settled.client}]
        assert settled.held(user.agent.home) == before
