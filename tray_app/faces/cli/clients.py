"""Clients: connect, disconnect, look at, run through the proxy; their tokens."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tray_app.faces.cli.common import (
    AsJson,
    Starter,
    anyone,
    clock,
    print_json,
    print_noted,
    running,
    say,
)

ClientName = Annotated[
    str,
    typer.Argument(
        metavar="CLIENT", help="opencode, claude-code, codex, aider, llm, cline, openai-sdk or anthropic-sdk."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
ProviderName = Annotated[str | None, typer.Option("--provider", help="Whose API it is to use; by itself: the best.")]
COLUMNS = ("CLIENT", "STATE", "PROVIDER", "ADDRESS", "SINCE", "TOKEN", "FILES", "NOTE")
NOTES = 2


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""

    @app.command()
    def connect(
        client: ClientName,
        dry_run: DryRun = False,
        provider: ProviderName = None,
        model: Annotated[
            list[str] | None,
            typer.Option("--model", help="A model to offer, where the client must be told; repeatable."),
        ] = None,
        command: Annotated[
            bool | None,
            typer.Option("--command/--no-command", help="OpenCode, Claude Code: the command /switcher. Default: yes."),
        ] = None,
        mcp: Annotated[
            bool | None, typer.Option("--mcp/--no-mcp", help="OpenCode: O-Switcher's tools over MCP. Default: no.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Point a client at the proxy, by the smallest edit of its own file; the edit is shown."""
        import json
        from importlib import util

        from tray_app.control.launching import places
        from tray_app.faces.cli.extras import missing

        if mcp and util.find_spec("mcp") is None:
            raise missing("o-switcher mcp", "mcp")
        with anyone(house) as caller:
            done = caller.ask(
                "connect",
                client=client,
                dry_run=dry_run or None,
                provider=provider,
                models=",".join(model) if model else None,
                command=command,
                mcp=mcp,
                places=json.dumps(places(os.environ, Path.cwd())),
            )
        print_json(done) if as_json else _show(done)

    @app.command()
    def disconnect(
        client: ClientName,
        dry_run: DryRun = False,
        force: Annotated[
            bool,
            typer.Option("--force", help="Put ours back even where it was changed since; nothing else is touched."),
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Put back what stood in a client's file before."""
        with anyone(house) as caller:
            done = caller.ask("disconnect", client=client, dry_run=dry_run or None, force=force or None)
        print_json(done) if as_json else _show(done)

    @app.command()
    def connections(as_json: AsJson = False) -> None:
        """Show which clients are pointed at the proxy."""
        with anyone(house) as caller:
            found = caller.ask("connections")
        print_json(found) if as_json else print_noted(COLUMNS, [_row(one) for one in found], NOTES)

    @app.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
    def run_client(
        command: Annotated[list[str], typer.Argument(metavar="CLIENT ARGS...", help="A program, and its words.")],
        provider: ProviderName = None,
    ) -> None:
        """Start a client through the proxy with no file touched: o-switcher run -- opencode."""
        from tray_app.control import launching

        code, trouble = launching.run(house.home(), running(house), command, os.environ, provider)
        if trouble is not None:
            print(f"o-switcher: {trouble}", file=sys.stderr)
        raise typer.Exit(code)

    @app.command()
    def token(
        client: Annotated[
            str, typer.Argument(help="The client that it is for; usage is attributed to it.")
        ] = "default",
        revoke: Annotated[bool, typer.Option("--revoke", help="Let it count no longer.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Print (make) a client's local token, or revoke it."""
        with anyone(house) as caller:
            found = caller.ask("token", client=client, revoke=revoke or None)
        if as_json:
            print_json(found)
        else:
            say(found) if revoke else print(found["token"])


def _show(done: Mapping[str, Any]) -> None:
    if done["lines"]:
        _show_lines(done)
        return
    for view in done["files"]:
        print(view["diff"], end="")
    for note in done["notes"]:
        print(f"note: {note}")
    print(done["message"])


def _show_lines(done: Mapping[str, Any]) -> None:
    """Fields of a form, or lines that a shell can take as they are; what they are for goes to stderr."""
    print(f"# {done['message']}", file=sys.stderr)
    for name, value in done["lines"].items():
        if done["paste"]:
            print(f"{name}: {value}")
        elif os.name == "nt":
            print(f'$env:{name} = "{value}"')
        else:
            print(f"export {name}={shlex.quote(value)}")


def _row(one: Mapping[str, Any]) -> Sequence[str]:
    return [
        one["client"],
        one["state"],
        one["provider"] or "",
        one["url"] or "",
        clock(one["since_at"]),
        "yes" if one["has_token"] else "",
        ", ".join(one["files"]),
        one["words"],
    ]
