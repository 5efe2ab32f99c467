"""The command `/switcher`: its file is one that agents can read, and it names only commands that there are."""

from __future__ import annotations

import re

import pytest
import typer

from tray_app.agents.switcher_command import AGENTS, command_file
from tray_app.faces.cli import build
from tray_app.house import House

KNOWN = set(typer.main.get_command(build(House())).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("agent", AGENTS)
def test_the_file_is_one_that_agents_read(agent: str) -> None:
    found = command_file(agent, "/opt/o s/o-switcher")
    assert found is not None and found.place.suffix == ".md" and not found.place.is_absolute()
    _, head, body = found.text.split("---\n", 2)
    settings = dict(line.split(": ", 1) for line in head.splitlines())
    assert settings["description"].startswith('"') and settings["description"].endswith('"')  # it holds a colon
    assert "$ARGUMENTS" in body and "!`/opt/o s/o-switcher status`" in body
    assert "PROGRAM" not in found.text


@pytest.mark.parametrize("agent", AGENTS)
def test_it_names_only_commands_that_there_are(agent: str) -> None:
    found = command_file(agent)
    assert found is not None
    spans = re.findall(r"`([a-z-]+)[^`]*`", found.text)
    assert set(spans) - {"o-switcher"} <= KNOWN
    assert set(re.findall(r"o-switcher ([a-z-]+)", found.text)) <= KNOWN


def test_an_agent_that_reads_no_commands_gets_none() -> None:
    assert command_file("codex") is None
