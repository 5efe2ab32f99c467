"""All places in which keys are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tray_app.agents import environment, opencode
from tray_app.agents.found import Found, usable
from tray_app.core.providers import Provider


def discover(environ: Mapping[str, str], home: Path, project: Path, known: Mapping[str, Provider]) -> list[Found]:
    """Every key of a known provider on this machine, each once. What agents hold goes before the environment."""
    return usable(
        [*opencode.discover(environ, home, project, known), *environment.discover(environ, known)],
        known,
    )
