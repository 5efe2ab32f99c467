"""The verbs as MCP tools, asked by the official SDK's own client over stdio, in front of a running app."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult

from tests.rig import Rig, running, script_of
from tray_app.control.verbs import VERBS
from tray_app.faces.mcp import CONTROLS, READS, tools_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, script_of(a='{do="ok"}', b='{do="ok"}')) as found:
        found.chat()
        yield found


def client(home: Path, *options: str) -> AbstractAsyncContextManager[Client]:
    environ = {"O_SWITCHER_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = StdioServerParameters(command=sys.executable, args=["-m", "tray_app", "mcp", *options], env=environ)
    return Client(stdio_client(command))


def words(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if part.type == "text")


def test_an_agent_may_look_but_not_touch(rig: Rig) -> None:
    async def look() -> None:
        async with client(rig.home.running.parent) as agent:
            tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
            assert tools.keys() == {"list", *READS}
            assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
            status = await agent.call_tool("status")
            assert not status.is_error and json.loads(words(status))["active"] == "openrouter-a"
            listed = await agent.call_tool("list")
            assert [one["id"] for one in json.loads(words(listed))] == ["openrouter-a", "openrouter-b"]
            past = json.loads(words(await agent.call_tool("history", {"limit": 1})))
            trace = await agent.call_tool("inspect", {"request_id": past[0]["id"]})
            assert trace.structured_content and trace.structured_content["request"]["id"] == past[0]["id"]
            refused = await agent.call_tool("pause", {"profile": "openrouter-a"})
            assert refused.is_error and "--allow-control" in words(refused)
            unknown = await agent.call_tool("inspect", {"request_id": "nope"})
            assert unknown.is_error and "no request has the id" in words(unknown)
            odd = await agent.call_tool("status", {"colour": "red"})
            assert odd.is_error and "takes no argument" in words(odd)
            assert (await agent.call_tool("dance")).is_error

    asyncio.run(look())
    assert rig.phase("openrouter-a") == "ready"


def test_an_agent_that_is_allowed_to_controls(rig: Rig) -> None:
    async def control() -> None:
        async with client(rig.home.running.parent, "--allow-control") as agent:
            assert {tool.name for tool in (await agent.list_tools()).tools} == {"list", *READS, *CONTROLS}
            said = await agent.call_tool("pause", {"profile": "openrouter-a", "for_s": 60})
            assert json.loads(words(said))["message"].startswith("openrouter-a is paused")
            assert rig.phase("openrouter-a") == "paused"
            await agent.call_tool("resume", {"profile": "openrouter-a"})
            await agent.call_tool("use", {"profile": "openrouter-b"})
            await agent.call_tool("unpin")
            assert "ticket=" in words(await agent.call_tool("report"))

    asyncio.run(control())
    assert rig.eventually("SELECT 1 FROM operator_event WHERE actor = 'mcp' AND verb = 'pause'")


def test_without_the_app_the_tools_say_how_to_start_it(tmp_path: Path) -> None:
    async def ask() -> None:
        async with client(tmp_path) as agent:
            said = await agent.call_tool("status")
            assert said.is_error and "start it with: o-switcher" in words(said)

    asyncio.run(ask())


def test_what_reads_and_what_controls_is_as_the_verbs_say() -> None:
    assert all(VERBS[name].reads for name in READS)
    assert not any(VERBS[name].reads for name in CONTROLS)
    for verb in tools_for(True).values():
        schema = verb.plain_schema()
        assert not schema.keys() & {"oneOf", "anyOf", "allOf"}  # some models' tools refuse them


@pytest.mark.parametrize(
    ("words", "library"), [(["mcp"], "mcp"), (["top"], "textual"), (["connect", "opencode", "--mcp"], "mcp")]
)
def test_without_the_library_one_line_says_what_installs_it(words: list[str], library: str, tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u\n"
        "found = u.find_spec\n"
        f"u.find_spec = lambda name, *rest: None if name == {library!r} else found(name, *rest)\n"
        "from tray_app.__main__ import main\n"
        f"sys.argv = ['o-switcher', *{words!r}]\n"
        "main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 1 and ran.stdout == ""
    assert len(ran.stderr.splitlines()) == 1 and library in ran.stderr and "install" in ran.stderr
