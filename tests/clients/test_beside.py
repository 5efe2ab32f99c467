"""What `connect` gives real agents beside the address: the command `/switcher`, and O-Switcher's tools over MCP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.agents import MODEL, Agent
from tests.clients.test_connected import SETTLED, Settled, User, asked, user_of
from tests.rig import Key, Rig, running
from tests.whole.processes import ROOT
from tray_app.control.callers import connect

OPENCODE, CLAUDE = SETTLED[:2]
STATUS = "openrouter-only is serving"  # how the app's own status begins


@contextmanager
def connected(
    folder: Path, agents: dict[str, Agent], settled: Settled, steps: str, **more: object
) -> Iterator[tuple[Rig, User, dict[str, str]]]:
    """The app, an agent that `connect` has wired, and that agent's environment, in which our command line works."""
    with running(folder, {"only": Key(steps)}) as rig, user_of(settled, agents) as user:
        caller = connect(rig.home.running)
        places = json.dumps({"HOME": str(user.agent.home)})
        caller.ask("connect", client=settled.client, models=MODEL, places=places, **more)
        yield rig, user, user.environment(O_SWITCHER_HOME=str(folder), PYTHONPATH=str(ROOT))
        caller.ask("disconnect", client=settled.client)
        assert not [*user.agent.home.rglob("switcher.md")]


def calling(tool: str) -> str:
    """The step of a simulator's script in which the model calls that tool."""
    function = {"name": tool, "arguments": "{}"}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    deltas = [({"role": "assistant", "content": None, "tool_calls": [call]}, None), ({}, "tool_calls")]
    chunks = [
        {
            "id": "gen-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        for delta, finish in deltas
    ]
    events = [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"]
    return f'{{times = 1, do = "custom", events = {json.dumps(events)}}}'


def test_opencode_knows_the_command_and_calls_a_tool(tmp_path: Path, agents: dict[str, Agent]) -> None:
    steps = f'{calling("o-switcher_status")}, {{do = "ok"}}'
    with connected(tmp_path, agents, OPENCODE, steps, mcp=True) as (rig, user, environ):
        words = [
            "run",
            "--title",
            "x",
            "-m",
            f"openrouter/{MODEL}",
            "--format",
            "json",
            "--command",
            "switcher",
            "list",
        ]
        lines = asked([user.program()[0], *words], environ, user.agent.work).splitlines()
        parts: list[dict[str, Any]] = [json.loads(line)["part"] for line in lines]
        [tool] = [part for part in parts if part["type"] == "tool"]
        assert (tool["tool"], tool["state"]["status"]) == ("o-switcher_status", "completed")
        assert json.loads(tool["state"]["output"])["headline"] == STATUS
        # the model says back what it was told: the command's text, with what our own command line printed in it
        [said] = [part["text"] for part in parts if part["type"] == "text"]
        assert "The user asks O-Switcher" in said and STATUS in said and "!`" not in said
        assert rig.calls() == {"only": 2}


def test_claude_code_knows_the_command(tmp_path: Path, agents: dict[str, Agent]) -> None:
    with connected(tmp_path, agents, CLAUDE, '{do="ok"}') as (_, user, environ):
        said = asked([user.program()[0], "-p", "/switcher list", "--output-format", "text"], environ, user.agent.work)
        assert "The user asks O-Switcher" in said and STATUS in said and "!`" not in said
