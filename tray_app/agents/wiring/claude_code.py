"""Claude Code: `ANTHROPIC_BASE_URL` and `ANTHROPIC_AUTH_TOKEN` in the `env` of its settings.

The address has no `/v1`: Claude Code puts it in. The token goes as a bearer, which wins over a key that the user
has in `ANTHROPIC_API_KEY` (https://docs.anthropic.com/en/docs/claude-code/settings).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tray_app.agents.jsonc import parsed
from tray_app.agents.wiring import command
from tray_app.agents.wiring.plan import FOLDER, Aim, Client, FileChange, Launch, Plan, Setting, Where
from tray_app.core.values import Protocol

PREFERRED = ("anthropic", "openrouter")
_URL, _TOKEN = "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"
_SETTINGS = "claude-settings.json"


def plan(aim: Aim, where: Where) -> Plan:
    """The `env` of the user's settings, which goes before the environment itself."""
    provider = aim.pick(Protocol.MESSAGES, PREFERRED, CLIENT.title)
    settings = (
        Setting(("env", _URL), aim.root(provider)),
        Setting(("env", _TOKEN), aim.token, secret=True),
    )
    folder = _folder(where)
    files, notes = command.planned(CLIENT.name, folder, aim, where, (folder / "skills" / "switcher" / "SKILL.md",))
    return Plan(provider.name, (FileChange(_file(where), "json", settings), *files), notes)


def _folder(where: Where) -> Path:
    return where.folder("CLAUDE_CONFIG_DIR", where.home / ".claude")


def _file(where: Where) -> Path:
    return _folder(where) / "settings.json"


def launch(aim: Aim, where: Where, arguments: Sequence[str]) -> Launch:
    """The environment; where a settings file has an address of its own, further settings that win over it."""
    provider = aim.pick(Protocol.MESSAGES, PREFERRED, CLIENT.title)
    ours = {_URL: aim.root(provider), _TOKEN: aim.token}
    environ: dict[str, str | None] = {**ours, "ANTHROPIC_API_KEY": None}
    if "--settings" in arguments or not _decides(where):
        return Launch(environ)
    settings = json.dumps({"env": ours})
    return Launch(environ, ("--settings", f"{FOLDER}/{_SETTINGS}"), {_SETTINGS: settings})


def _decides(where: Where) -> bool:
    """Whether the settings files say where to go, which would win over the environment."""
    project = Path(where.environ.get("PWD", "."))
    paths = (_file(where), project / ".claude" / "settings.json", project / ".claude" / "settings.local.json")
    for path in paths:
        document = parsed((where.text(path) or "").encode())
        env = document.get("env") if isinstance(document, dict) else None
        if isinstance(env, dict) and any(name in env for name in (_URL, _TOKEN, "ANTHROPIC_API_KEY")):
            return True
    return False


CLIENT = Client(
    "claude-code",
    "Claude Code",
    plan,
    launch,
    programs=("claude",),
    aliases=("claude",),
    mcp_by_hand="claude mcp add --scope user o-switcher -- o-switcher mcp",
)
