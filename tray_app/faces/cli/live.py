"""Commands that stay: the verbs as tools for agents, and the live view. Their libraries are extras."""

from __future__ import annotations

from importlib import util
from typing import Annotated

import typer

from tray_app.control.callers import connect
from tray_app.faces.cli.common import Starter, running
from tray_app.faces.cli.extras import missing


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""

    @app.command()
    def mcp(
        allow_control: Annotated[
            bool, typer.Option("--allow-control", help="Also offer what changes something, such as use or pause.")
        ] = False,
    ) -> None:
        """Serve the operator's verbs as MCP tools over stdio: for agents. Reads only, unless --allow-control."""
        if util.find_spec("mcp") is None:
            raise missing("o-switcher mcp", "mcp")
        from tray_app.faces.mcp import serve

        serve(house.home().running, allow_control=allow_control)

    @app.command()
    def top() -> None:
        """Show profiles, quotas, requests and events live, with keys for the verbs."""
        if util.find_spec("textual") is None:
            raise missing("o-switcher top", "textual")
        from tray_app.faces.top import show

        running(house)  # one who starts it without the app is told so, rather than shown an empty screen
        show(lambda: connect(house.home().running, "cli"))
