"""Practice without an account: the simulator and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tray_app.faces.cli.common import Starter


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""

    @app.command()
    def simulate(
        port: Annotated[int, typer.Option(min=0, max=65_535, help="Listen on this port; 0 for any free one.")] = 0,
        script: Annotated[
            Path | None, typer.Option("--script", help="How each key behaves (TOML); default: the demo's.")
        ] = None,
    ) -> None:
        """Run the provider simulator on its own."""
        raise typer.Exit(house.simulate(port, script))

    @app.command()
    def demo(
        once: Annotated[bool, typer.Option("--once", help="End by itself.")] = False,
        beside: Annotated[Path | None, typer.Option(hidden=True, help="For the app: on behalf of its page.")] = None,
    ) -> None:
        """Show rotation with practice keys, no account needed."""
        if beside is not None:
            raise typer.Exit(house.accompany(beside))
        raise typer.Exit(house.demo(once=once))
