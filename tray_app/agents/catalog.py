"""All places in which keys are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tray_app.agents import claude_code_keys, codex_keys, environment, opencode
from tray_app.agents.found import Finding, Found, sifted
from tray_app.core.providers import Provider


def survey(environ: Mapping[str, str], home: Path, project: Path, known: Mapping[str, Provider]) -> list[Finding]:
    """Every key on this machine, each once, and what is passed over. What agents hold goes before the environment."""
    return sifted(
        [
            *opencode.discover(environ, home, project, known),
            *claude_code_keys.discover(environ, home, known),
            *codex_keys.discover(environ, home, known),
            *environment.discover(environ, known),
        ],
        known,
    )


def discover(environ: Mapping[str, str], home: Path, project: Path, known: Mapping[str, Provider]) -> list[Found]:
    """Every key of a known provider on this machine, each once."""
    return [one for one in survey(environ, home, project, known) if isinstance(one, Found)]
