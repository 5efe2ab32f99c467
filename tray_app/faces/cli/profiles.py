"""Profiles: add, list, remove, rename, set. Keys come from stdin or a hidden prompt, never as arguments."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tray_app.control.verbs import Refused
from tray_app.faces.cli import discover
from tray_app.faces.cli.common import (
    HELD_COLUMNS,
    AsJson,
    Caller,
    Starter,
    anyone,
    held_rows,
    print_json,
    print_table,
    say,
)

ProfileId = Annotated[str, typer.Argument(metavar="PROFILE", help="A profile's id, such as openrouter-main.")]
Account = Annotated[str | None, typer.Option(help="Profiles of one account share its limits.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Another address than the provider's own.")]
Priority = Annotated[int | None, typer.Option(help="Higher is preferred.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="A policy tag; may be given several times.")]


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""
    family = typer.Typer(help="Add, list, remove, rename and change profiles.", no_args_is_help=True)
    app.add_typer(family, name="profiles")
    app.add_typer(family, name="targets", hidden=True)  # another word for profiles
    discover.register(app, house, family)

    @family.command()
    def add(
        provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Such as openrouter, openai, anthropic.")],
        label: Annotated[str, typer.Option(help="What to call this key, such as main.")],
        account: Account = None,
        base_url: BaseUrl = None,
        priority: Priority = None,
        tag: Tag = None,
        as_json: AsJson = False,
    ) -> None:
        """Add a key, read from stdin or a hidden prompt."""
        secret = read_secret(f"Key for {provider}-{label}")
        with anyone(house) as caller:
            answer = caller.ask(
                "profiles-add",
                provider=provider,
                label=label,
                secret=secret,
                account=account,
                base_url=base_url,
                priority=priority,
                tags=_joined(tag),
            )
        print_json(answer) if as_json else say(answer)

    @family.command("list")
    def list_profiles(as_json: AsJson = False) -> None:
        """Show all profiles."""
        with anyone(house) as caller:
            found = _listed(caller)
        if as_json:
            print_json(found)
        elif not found:
            print("no profiles yet; add one with: o-switcher profiles add openrouter --label main")
        else:
            print_table(HELD_COLUMNS, held_rows(found))

    @family.command()
    def remove(profile: ProfileId, as_json: AsJson = False) -> None:
        """Forget a profile and its key."""
        with anyone(house) as caller:
            answer = caller.ask("profiles-remove", profile=profile)
        print_json(answer) if as_json else say(answer)

    @family.command()
    def rename(
        profile: ProfileId,
        label: Annotated[str, typer.Argument(metavar="LABEL", help="The new label.")],
        as_json: AsJson = False,
    ) -> None:
        """Give a profile another label."""
        with anyone(house) as caller:
            answer = caller.ask("profiles-rename", profile=profile, label=label)
        print_json(answer) if as_json else say(answer)

    @family.command("set")
    def change(
        profile: ProfileId,
        key: Annotated[bool, typer.Option("--key", help="Ask for a new key.")] = False,
        account: Account = None,
        base_url: BaseUrl = None,
        priority: Priority = None,
        tag: Tag = None,
        as_json: AsJson = False,
    ) -> None:
        """Change a profile's key, account, address, priority or tags."""
        secret = read_secret(f"New key for {profile}") if key else None
        with anyone(house) as caller:
            answer = caller.ask(
                "profiles-set",
                profile=profile,
                secret=secret,
                account=account,
                base_url=base_url,
                priority=priority,
                tags=_joined(tag),
            )
        print_json(answer) if as_json else say(answer)


def _listed(caller: Caller) -> list[dict[str, object]]:
    from tray_app.control.callers import HttpCaller

    if isinstance(caller, HttpCaller):
        return list(caller.ask("status")["profiles"])
    return list(caller.ask("profiles-list"))


def _joined(tags: list[str] | None) -> str | None:
    return None if tags is None else ",".join(tags)


def read_secret(prompt: str) -> str:
    """A key from a hidden prompt on a terminal, else the first line of stdin.

    Raises:
        Refused: nothing came.
    """
    if sys.stdin.isatty():
        import getpass

        secret = getpass.getpass(f"{prompt} (hidden): ")
    else:
        secret = sys.stdin.readline()
    if not secret.strip():
        raise Refused(
            "bad_argument", "no key came; type it at the prompt, or pipe it in from a file or another command"
        )
    return secret.strip()
