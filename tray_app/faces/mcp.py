"""The operator's verbs as MCP tools over stdio, for agents. What changes something is offered only where it is allowed.

A process of its own, which asks the running app: it lives on when the app is started anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from tray_app import __version__
from tray_app.control.callers import HttpCaller, NotRunning, connect
from tray_app.control.verbs import VERBS, Refused, Verb

LIST = Verb("list", "all profiles: state, rest and reset, quota left, health, score, circuit", reads=True)
READS = ("status", "quota", "inspect", "history")
# `report` is a link that lets whoever opens it do everything that the report offers
CONTROLS = (
    *(
        "use",
        "next",
        "pin",
        "unpin",
        "pause",
        "resume",
        "drain",
        "disable",
        "enable",
        "pause-all",
        "resume-all",
        "retry-now",
    ),
    "report",
)
INSTRUCTIONS = (
    "O-Switcher pools the user's LLM API keys behind a local proxy and goes on with the next one when one runs dry. "
    "These tools show its profiles (keys), their limits and resets, and what became of requests. "
    "Times are milliseconds since the epoch."
)


def tools_for(allow_control: bool) -> dict[str, Verb]:
    """The verbs that are offered, by the tool's name."""
    names = (*READS, *CONTROLS) if allow_control else READS
    return {"list": LIST, **{name: VERBS[name] for name in names}}


def serve(running_file: Path, *, allow_control: bool) -> None:
    """Answer on stdin and stdout until they end."""
    asyncio.run(_serve(server(lambda: connect(running_file, "mcp"), allow_control=allow_control)))


async def _serve(made: Server[dict[str, Any]]) -> None:
    async with stdio_server() as (read, write):
        await made.run(read, write, made.create_initialization_options())


def server(caller: Callable[[], HttpCaller], *, allow_control: bool) -> Server[dict[str, Any]]:
    """The MCP server; `caller` finds the running app anew for every call."""
    offered = tools_for(allow_control)
    listed = ListToolsResult(tools=[_tool(verb) for verb in offered.values()])

    async def list_tools(context: object, params: PaginatedRequestParams | None) -> ListToolsResult:
        return listed

    async def call_tool(context: object, params: CallToolRequestParams) -> CallToolResult:
        verb = offered.get(params.name)
        if verb is None:
            return _refused(_not_offered(params.name))
        try:
            answer = await asyncio.to_thread(_ask, caller, verb, dict(params.arguments or {}))
        except Refused as refused:
            return _refused(refused.message)
        except NotRunning as error:
            return _refused(str(error))
        return _answered(answer)

    return Server(
        "o-switcher",
        version=__version__,
        title="O-Switcher",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _tool(verb: Verb) -> Tool:
    hints = ToolAnnotations(
        title=verb.summary, read_only_hint=verb.reads, destructive_hint=False, open_world_hint=verb.name == "quota"
    )
    return Tool(name=verb.name, description=verb.summary, input_schema=verb.plain_schema(), annotations=hints)


def _ask(caller: Callable[[], HttpCaller], verb: Verb, arguments: dict[str, object]) -> object:
    verb.checked(arguments)
    if verb is LIST:
        return caller().get("/api/v1/profiles")
    return caller().ask(verb.name, **arguments)


def _answered(answer: object) -> CallToolResult:
    text = TextContent(text=msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    structured = answer if isinstance(answer, dict) else {"items": answer}
    return CallToolResult(content=[text], structured_content=structured)


def _refused(words: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=words)], is_error=True)


def _not_offered(name: str) -> str:
    if name in CONTROLS:
        return (
            f"{name} changes something, and only reading is allowed; the user may start: o-switcher mcp --allow-control"
        )
    return f"there is no tool {name!r}"
