"""All clients that can be connected, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from tray_app.agents.unfit import Unfit
from tray_app.agents.wiring import aider, claude_code, cline, codex, llm, opencode, sdk
from tray_app.agents.wiring.plan import Client
from tray_app.core.redact import redact

CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        opencode.CLIENT,
        claude_code.CLIENT,
        codex.CLIENT,
        aider.CLIENT,
        llm.CLIENT,
        cline.CLIENT,
        sdk.OPENAI,
        sdk.ANTHROPIC,
    )
}


def client_named(name: str) -> Client:
    """That client, by its name or another that people give it.

    Raises:
        Unfit: there is none.
    """
    wanted = name.strip().lower()
    for client in CLIENTS.values():
        if wanted == client.name or wanted in client.aliases:
            return client
    raise Unfit(f"no client is called {redact(name)!r}; known are: {', '.join(CLIENTS)}")


def has_files(name: str) -> bool:
    """Whether that client is connected by its own files, with nothing left to paste."""
    client = CLIENTS.get(name)
    return client is not None and client.plan is not None


def client_of_program(program: str) -> Client:
    """The client that a command starts; any other program is taken for one that uses an SDK."""
    name = PurePath(program.replace("\\", "/")).name.lower().removesuffix(".exe").removesuffix(".cmd")
    known = next((client for client in CLIENTS.values() if name in client.programs), None)
    return known or Client(_token_name(name), name, launch=sdk.launch)


def _token_name(program: str) -> str:
    """A program's name as a client's: letters, digits, `-` and `_`."""
    plain = "".join(mark if mark.isascii() and (mark.isalnum() or mark in "-_") else "-" for mark in program)
    return plain.strip("-_")[:40] or "default"
