"""Claude Code: API keys in the `env` block of its settings. Its own login is a consumer's, and is left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tray_app.agents import environment
from tray_app.agents.found import LOGIN, Finding, PassedOver
from tray_app.agents.reading import read_jsonc, texts
from tray_app.core.providers import Provider


def discover(environ: Mapping[str, str], home: Path, known: Mapping[str, Provider]) -> Iterator[Finding]:
    """The keys that this user's settings of Claude Code set."""
    folder = Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    settings = read_jsonc(folder / "settings.json")
    yield from environment.discover(texts(settings.get("env")), known, "Claude Code's settings.json,", "claude-code")
    if isinstance(settings.get("apiKeyHelper"), str):
        yield PassedOver("anthropic", "Claude Code's settings.json, apiKeyHelper", "a program, which is not run")
    if os.path.lexists(folder / ".credentials.json"):
        yield PassedOver("anthropic", "Claude Code's .credentials.json", LOGIN)
