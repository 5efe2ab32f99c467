"""The operator's verbs: switch, pause, drain, disable, clear."""

from __future__ import annotations

from typing import Annotated

import typer

from tray_app.control.verbs import Refused
from tray_app.faces.cli.common import (
    PROFILE_COLUMNS,
    AsJson,
    Starter,
    duration,
    print_json,
    print_table,
    profile_rows,
    running,
    say,
)

ProfileId = Annotated[str, typer.Argument(metavar="PROFILE", help="A profile's id, such as openrouter-main.")]


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""

    def simple(verb: str, summary: str) -> None:
        def command(profile: ProfileId, as_json: AsJson = False) -> None:
            answer = running(house).ask(verb, profile=profile)
            print_json(answer) if as_json else say(answer)

        command.__doc__ = summary
        app.command(verb)(command)

    simple("use", "Prefer a profile. Failover stays on.")
    simple("resume", "Take a paused or draining profile back into use.")
    simple("drain", "Let a profile finish what it does and take nothing new.")
    simple("disable", "Take a profile out of use until it is enabled.")
    simple("enable", "Take a disabled profile back into use.")

    @app.command("list")
    def list_profiles(as_json: AsJson = False) -> None:
        """Show all profiles with their states."""
        found = running(house).ask("status")["profiles"]
        if as_json:
            print_json(found)
        elif not found:
            print("no profiles yet; add one with: o-switcher profiles add openrouter --label main")
        else:
            print_table(PROFILE_COLUMNS, profile_rows(found))

    @app.command("next")
    def next_profile(as_json: AsJson = False) -> None:
        """Move on to the next profile that can serve."""
        answer = running(house).ask("next")
        print_json(answer) if as_json else say(answer)

    @app.command()
    def pause(
        profile: ProfileId,
        for_: Annotated[str | None, typer.Option("--for", help="For this long, such as 30m or 2h.")] = None,
        until_reset: Annotated[bool, typer.Option("--until-reset", help="Until its limit resets.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Take a profile out of use for a while, or until it is resumed."""
        if for_ is not None and until_reset:
            raise Refused("bad_argument", "give --for or --until-reset, not both")
        answer = running(house).ask(
            "pause",
            profile=profile,
            for_s=None if for_ is None else duration(for_),
            until_reset=until_reset or None,
        )
        print_json(answer) if as_json else say(answer)

    @app.command("retry-now")
    def retry_now(
        profile: Annotated[str | None, typer.Argument(metavar="PROFILE", help="A profile's id.")] = None,
        every: Annotated[bool, typer.Option("--all", help="Every profile.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Clear cooldowns and the re-authentication mark."""
        answer = running(house).ask("retry-now", profile=profile, all=every or None)
        print_json(answer) if as_json else say(answer)
