"""The programs that people ask: how each is started, pointed at the proxy, and kept from asking anybody else.

By their own settings and variables alone, each with a home of its own, as their documentation says.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

PROMPT = "What is the weather at the harbour?"
MODEL = "fake-model"
HERE = "127.0.0.1,localhost"  # what a client with a proxy for the world must be told
SIDE = "fake-small"  # for what an agent asks beside the conversation
LOCK = Path(__file__).parents[2] / "installer" / "clients" / "package-lock.json"
NODE_CPU = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}  # what Node.js calls them


def has_opencode(system: str = sys.platform, machine: str | None = None) -> bool:
    """Whether a package of OpenCode's that the lock pins is for this system: not every version is there for all."""
    machine = (machine or platform.machine()).lower()
    packages = json.loads(LOCK.read_text())["packages"]
    pinned = [one for name, one in packages.items() if name.startswith("node_modules/opencode-")]
    return any(system in one["os"] and NODE_CPU.get(machine, machine) in one["cpu"] for one in pinned)


class Agent(ABC):
    """One of them. `place` is where it is installed, `way_out` its proxy for the rest of the world."""

    def __init__(self, place: Path, home: Path, way_out: str) -> None:
        self.place = place
        self.home = home
        self.work = home / "work"
        self._way_out = way_out
        self.work.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self, url: str) -> list[str]:
        """What to run, once what it reads is in place; `url` is the proxy's."""

    @abstractmethod
    def variables(self, url: str, token: str) -> dict[str, str]:
        """What it needs in its environment besides what all need."""

    def ask(self, url: str, token: str, *, within_s: float = 90) -> subprocess.CompletedProcess[str]:
        """One question, to its answer."""
        with self.asking(url, token) as process:
            out, err = process.communicate(timeout=within_s)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @contextmanager
    def asking(self, url: str, token: str) -> Iterator[subprocess.Popen[str]]:
        """The same, under way; ended with the block at the latest."""
        with subprocess.Popen(
            self.command(url),
            env=self._environment(self.variables(url, token)),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, 9)  # an agent's shim may have started the agent as a child
                    process.communicate()

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        node = shutil.which("node")
        assert node is not None, "the set-up installs Node.js"
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            "PATH": f"{Path(node).parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "TMPDIR": str(temporary),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_DATA_HOME": str(self.home / ".local/share"),
            "XDG_STATE_HOME": str(self.home / ".local/state"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "HTTP_PROXY": self._way_out,
            "HTTPS_PROXY": self._way_out,
            "NO_PROXY": HERE,
            **more,
        }

    def _program(self, pattern: str) -> str:
        """The program inside the package for this system. The one for another C library may lie beside it, after it."""
        found = sorted(self.place.glob(pattern))
        if not found:
            pytest.skip(f"the lock has no package for this system that holds {pattern}")
        return str(found[0])


class OpenCode(Agent):
    """`provider` is an id of OpenCode's own, or a new one for any OpenAI-compatible address."""

    provider = "pool"
    npm = "@ai-sdk/openai-compatible"

    def command(self, url: str) -> list[str]:
        # with a title of its own it asks for none beforehand
        program = self._program("opencode-*/bin/opencode")
        return [program, "run", "--title", "harbour", "-m", f"{self.provider}/{MODEL}", PROMPT]

    def variables(self, url: str, token: str) -> dict[str, str]:
        limit = {"limit": {"context": 128_000, "output": 8_192}}
        models = {MODEL: {"name": "Fake", **limit}, SIDE: {"name": "Small", **limit}}
        options = {"baseURL": f"{url}/v1", "apiKey": token}
        provider = {"npm": self.npm, "name": "Pool", "options": options, "models": models}
        settings = {
            "$schema": "https://opencode.ai/config.json",
            "autoupdate": False,
            "share": "disabled",
            "model": f"{self.provider}/{MODEL}",
            "small_model": f"{self.provider}/{SIDE}",
            "enabled_providers": [self.provider],
            "provider": {self.provider: provider},
        }
        return {
            "OPENCODE_CONFIG_CONTENT": json.dumps(settings),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_SHARE": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            "npm_config_offline": "true",
        }


class OpenCodeAnthropic(OpenCode):
    """OpenCode by its own client of Anthropic's protocol."""

    provider = "anthropic"
    npm = "@ai-sdk/anthropic"


class OpenCodeOpenAI(OpenCode):
    """OpenCode by its own client of OpenAI's Responses."""

    provider = "openai"
    npm = "@ai-sdk/openai"


class ClaudeCode(Agent):
    def command(self, url: str) -> list[str]:
        return [self._program("@anthropic-ai/claude-code-*/claude"), "-p", PROMPT, "--output-format", "text"]

    def variables(self, url: str, token: str) -> dict[str, str]:
        return {
            "ANTHROPIC_BASE_URL": url,  # it adds /v1 by itself
            "ANTHROPIC_API_KEY": token,
            "ANTHROPIC_MODEL": MODEL,
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": SIDE,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }


class Codex(Agent):
    def command(self, url: str) -> list[str]:
        folder = self.home / ".codex"
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text(f"""
model = "{MODEL}"
model_provider = "pool"
check_for_update_on_startup = false
approval_policy = "never"
sandbox_mode = "read-only"
web_search = "disabled"
[model_providers.pool]
name = "Pool"
base_url = "{url}/v1"
env_key = "POOL_API_KEY"
wire_api = "responses"
[features]
plugins = false
[analytics]
enabled = false
""")
        return ["node", f"{self.place}/@openai/codex/bin/codex.js", "exec", "--skip-git-repo-check", PROMPT]

    def variables(self, url: str, token: str) -> dict[str, str]:
        return {"POOL_API_KEY": token}


class Llm(Agent):
    """The command line of the package `llm`, which lies among the Python packages' commands."""

    more: tuple[str, ...] = ()

    def command(self, url: str) -> list[str]:
        folder = self.home / "llm"
        folder.mkdir(exist_ok=True)
        (folder / "extra-openai-models.yaml").write_text(
            f'- {{model_id: pool, model_name: {MODEL}, api_base: "{url}/v1", api_key_name: pool}}\n'
        )
        return [str(self.place / "llm"), "-m", "pool", *self.more, PROMPT]

    def variables(self, url: str, token: str) -> dict[str, str]:
        folder = self.home / "llm"
        (folder / "keys.json").write_text(json.dumps({"pool": token}))
        return {"LLM_USER_PATH": str(folder)}


class LlmWhole(Llm):
    """The same, without streaming."""

    more = ("--no-stream",)


AGENTS: dict[str, type[Agent]] = {  # from npm
    "opencode": OpenCode,
    "opencode-anthropic": OpenCodeAnthropic,
    "opencode-openai": OpenCodeOpenAI,
    "claude": ClaudeCode,
    "codex": Codex,
}
PYTHON: dict[str, type[Agent]] = {"llm": Llm, "llm-whole": LlmWhole}  # from PyPI
