"""The operator's verbs: prefer, pin, pause, drain, disable, clear; and what is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from tray_app.control.wording import ENGLISH, in_time, number_words
from tray_app.faces.cli.common import (
    POOL_COLUMNS,
    POOL_NOTES,
    AsJson,
    Misused,
    Starter,
    clock,
    duration,
    pool_rows,
    print_json,
    print_noted,
    print_table,
    running,
    say,
)

ProfileId = Annotated[str, typer.Argument(metavar="PROFILE", help="A profile's id, such as openrouter-main.")]
Strict = Annotated[bool, typer.Option("--strict", help="Nobody else may serve, even if it fails.")]
QUOTA_COLUMNS = ("PROFILE", "WHAT", "LEFT", "OF", "USED", "RESETS", "KNOWN FROM")


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""

    def simple(verb: str, summary: str) -> None:
        def command(profile: ProfileId, as_json: AsJson = False) -> None:
            answer = running(house).ask(verb, profile=profile)
            print_json(answer) if as_json else say(answer)

        command.__doc__ = summary
        app.command(verb)(command)

    _register_pauses(app, house)
    simple("resume", "Take a paused or draining profile back into use.")
    simple("drain", "Let a profile finish what it does and take nothing new.")
    simple("disable", "Take a profile out of use until it is enabled.")
    simple("enable", "Take a disabled profile back into use.")

    @app.command("list")
    def list_profiles(as_json: AsJson = False) -> None:
        """Show all profiles: state, rest and reset, quota left, health, score, circuit, operator's state."""
        found = running(house).ask("status")["profiles"]
        if as_json:
            print_json(found)
        elif not found:
            print("no profiles yet; add one with: o-switcher profiles add openrouter --label main")
        else:
            print_noted(POOL_COLUMNS, pool_rows(found), POOL_NOTES)

    @app.command()
    def use(profile: ProfileId, strict: Strict = False, as_json: AsJson = False) -> None:
        """Prefer a profile. Failover stays on, unless --strict."""
        answer = running(house).ask("use", profile=profile, strict=strict or None)
        print_json(answer) if as_json else say(answer)

    @app.command()
    def pin(
        profile: ProfileId,
        for_: Annotated[str | None, typer.Option("--for", help="For this long, such as 30m or 2h.")] = None,
        strict: Strict = False,
        as_json: AsJson = False,
    ) -> None:
        """Hold a profile in use: it takes over again as soon as it can. Failover stays on, unless --strict."""
        seconds = None if for_ is None else duration(for_)
        answer = running(house).ask("pin", profile=profile, for_s=seconds, strict=strict or None)
        print_json(answer) if as_json else say(answer)

    @app.command()
    def unpin(as_json: AsJson = False) -> None:
        """End what was pinned or preferred."""
        answer = running(house).ask("unpin")
        print_json(answer) if as_json else say(answer)

    @app.command()
    def quota(
        profile: Annotated[str | None, typer.Argument(metavar="PROFILE", help="A profile's id; none: all.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Ask the providers what is left, and show it with what their answers have told."""
        found = running(house).ask("quota", profile=profile)
        print_json(found) if as_json else _show_quota(found)

    @app.command("next")
    def next_profile(as_json: AsJson = False) -> None:
        """Move on to the next profile that can serve."""
        answer = running(house).ask("next")
        print_json(answer) if as_json else say(answer)

    @app.command("retry-now")
    def retry_now(
        profile: Annotated[str | None, typer.Argument(metavar="PROFILE", help="A profile's id.")] = None,
        every: Annotated[bool, typer.Option("--all", help="Every profile.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Clear cooldown, circuit and the mark of a refused key; ask the provider what is left, where it can be."""
        if (profile is None) is not every:
            raise Misused("name one profile, or say --all")
        answer = running(house).ask("retry-now", profile=profile, all=every or None)
        print_json(answer) if as_json else say(answer)


def _register_pauses(app: typer.Typer, house: Starter) -> None:
    """Those that take a profile out of use for a while, or all of them."""

    @app.command()
    def pause(
        profile: ProfileId,
        for_: Annotated[str | None, typer.Option("--for", help="For this long, such as 30m or 2h.")] = None,
        until_reset: Annotated[bool, typer.Option("--until-reset", help="Until its limit resets.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Take a profile out of use for a while, or until it is resumed."""
        if for_ is not None and until_reset:
            raise Misused("give --for or --until-reset, not both")
        seconds = None if for_ is None else duration(for_)
        answer = running(house).ask("pause", profile=profile, for_s=seconds, until_reset=until_reset or None)
        print_json(answer) if as_json else say(answer)

    @app.command("pause-all")
    def pause_all(
        for_: Annotated[str | None, typer.Option("--for", help="For this long, such as 30m or 2h.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Let nothing pass for a while: every request is refused, and told why."""
        seconds = None if for_ is None else duration(for_)
        answer = running(house).ask("pause-all", for_s=seconds)
        print_json(answer) if as_json else say(answer)

    @app.command("resume-all")
    def resume_all(as_json: AsJson = False) -> None:
        """End that: every profile is as it was before."""
        answer = running(house).ask("resume-all")
        print_json(answer) if as_json else say(answer)


def _show_quota(found: Sequence[dict[str, Any]]) -> None:
    if not found:
        print("no profiles yet; add one with: o-switcher profiles add openrouter --label main")
        return
    rows = [_quota_row(one) for answer in found for one in answer["known"]]
    if rows:
        print_table(QUOTA_COLUMNS, rows)
    silent = [answer for answer in found if not answer["answered"]]
    if rows and silent:
        print()
    for answer in silent:
        print(f"{answer['profile']}: {answer['words']}")


def _quota_row(one: dict[str, Any]) -> list[str]:
    used = one["used_percent"]
    return [
        one["profile"],
        one["name"],
        "unlimited" if one["remaining"] is None else _amount(one["remaining"], one["unit"]),
        "" if one["limit"] is None else _amount(one["limit"], one["unit"]),
        "" if used is None else f"{used:.0f} %",
        _resets(one["resets_at"], time.time_ns() // 1_000_000),
        f"{_KNOWN_FROM.get(one['source'], one['source'])} {clock(one['at'])}",
    ]


_KNOWN_FROM = {"probe": "asked", "header": "an answer", "body": "an answer"}


def _resets(at: int | None, now: int) -> str:
    if at is None:
        return ""
    return in_time(at, now) if at > now else "began anew"


def _amount(value: float, unit: str) -> str:
    words = ENGLISH.units.get(unit, "%" if unit == "percent" else unit)
    return f"{number_words(value)} {words}"
