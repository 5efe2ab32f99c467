"""Keys that are on this machine already: show them, and take them over when asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tray_app.faces.cli.common import AsJson, Starter, anyone, print_json, print_noted, say

if TYPE_CHECKING:
    from tray_app.control.discovery import FoundView

COLUMNS = ("PROVIDER", "KEY", "STANDING", "FROM", "WHAT IT MEANS")


def register(app: typer.Typer, house: Starter, profiles: typer.Typer) -> None:
    """Add these commands to `app`, and one to `profiles`."""

    @app.command()
    def discover(
        apply: Annotated[bool, typer.Option("--apply", help="Take the new ones over.")] = False,
        file: Annotated[
            Path | None, typer.Option("--from", help="Look in this file alone: LiteLLM's config.yaml, or a .env.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Show the keys that OpenCode, Claude Code, Codex and the environment hold; take them over with --apply."""
        from tray_app.control import configuration, discovery

        settings = configuration.loaded(house.home().config)
        findings = discovery.found_from(settings, file)
        with anyone(house) as caller:
            found = discovery.seen_by(caller.ask, findings, settings.known_providers(), apply=apply)
        if as_json:
            print_json(found)
            return
        _show(found, file)
        if not settings.discovers:
            why = "config.toml has [[targets]]" if settings.targets else "discovery.enabled is false"
            print(f"Nothing is taken over by itself, since {why}.")

    @profiles.command()
    def confirm(
        profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A profile's id, such as openrouter-main.")],
        as_json: AsJson = False,
    ) -> None:
        """Let a profile's key go to the new address of its provider."""
        with anyone(house) as caller:
            answer = caller.ask("profiles-confirm", profile=profile)
        print_json(answer) if as_json else say(answer)


def _show(found: Sequence[FoundView], file: Path | None) -> None:
    if not found:
        print(
            f"no key was found in {file}" if file else "no key was found; add one: o-switcher profiles add openrouter"
        )
        return
    print_noted(COLUMNS, [_row(one) for one in found], 2)
    counts = Counter(one.standing for one in found)
    print()
    print(", ".join(f"{count} {standing}" for standing, count in counts.items()))
    if waiting := counts["new"] + counts["asks"]:
        again = f" --from {file}" if file else ""
        print(f"Take {'it' if waiting == 1 else 'them'} over: o-switcher discover{again} --apply")


def _row(one: FoundView) -> list[str]:
    return [one.provider, f"...{one.key_tail}" if one.key_tail else "", one.standing, one.source, one.words]
