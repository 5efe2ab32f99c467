"""Start, stop, and look at the app."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Annotated, Any

import typer

from tray_app import __version__
from tray_app.control.callers import NotRunning
from tray_app.control.verbs import Refused
from tray_app.faces.cli.common import (
    PROFILE_COLUMNS,
    AsJson,
    Misused,
    Starter,
    clock,
    print_json,
    print_table,
    profile_rows,
    running,
    say,
)

Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="Listen on this port; 0 for any free one.")]


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""

    @app.callback(invoke_without_command=True)
    def start(
        context: typer.Context,
        version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    ) -> None:
        """Pools your LLM API keys behind a local proxy and goes on with the next one when one runs dry.

        Without a command: start, with the tray icon where a desktop can show one.
        """
        if version:
            print(f"o-switcher {__version__}")
            raise typer.Exit
        if context.invoked_subcommand is None:
            raise typer.Exit(house.start(tray=True, port=None))

    _register_folder(app, house)
    _register_restart(app, house)

    @app.command()
    def serve(port: Port = None) -> None:
        """Run in the foreground without a tray."""
        raise typer.Exit(house.start(tray=False, port=port))

    @app.command()
    def stop() -> None:
        """Stop the running app."""
        caller = running(house)
        caller.ask("stop")
        for _ in range(150):
            if not caller.alive():
                print("stopped")
                return
            time.sleep(0.1)
        print("O-Switcher still finishes what it is doing")

    @app.command()
    def status(
        as_json: AsJson = False,
        for_waybar: Annotated[bool, typer.Option("--waybar", help="One line of JSON for a status bar.")] = False,
    ) -> None:
        """Show one screen of state."""
        _tell(running(house).ask("status"), as_json=as_json, for_waybar=for_waybar)

    @app.command()
    def report(
        print_only: Annotated[bool, typer.Option("--print", help="Only print the one-time address.")] = False,
        page: Annotated[str, typer.Option(help="report, or profiles: where keys are pasted.")] = "report",
        profile: Annotated[str | None, typer.Option(help="With --page profiles: which one to look at.")] = None,
    ) -> None:
        """Open the usage report in the browser, or another page."""
        from tray_app.host.browser import open_in_browser

        url = running(house).ask("report", page=page, profile=profile)["url"]
        if print_only:
            print(url)
        elif open_in_browser(url):
            print("the usage report was opened in the browser")
        else:
            print(f"no browser could be opened; go to {url} within 30 s")

    @app.command()
    def autostart(
        what: Annotated[str, typer.Argument(help="enable, disable or status")],
        as_json: AsJson = False,
    ) -> None:
        """Launch at login: enable, disable or status."""
        from tray_app.host.autostart import autostart_here, told

        if what not in ("enable", "disable", "status"):
            raise Misused("say: o-switcher autostart enable, disable or status")
        here = autostart_here()
        if what != "status":
            try:
                here.set(what == "enable")
            except OSError as error:
                raise Refused("unavailable", f"launch at login could not be changed: {error}") from error
        if as_json:
            print_json({"enabled": here.enabled(), "program": here.program(), "words": told(here)})
        else:
            print(told(here))


def _tell(found: dict[str, Any], *, as_json: bool, for_waybar: bool) -> None:
    if for_waybar:
        from tray_app.faces.cli.waybar import waybar_line

        print(waybar_line(found))
    elif as_json:
        print_json(found)
    else:
        _show(found)


def _register_restart(app: typer.Typer, house: Starter) -> None:
    """What an update asks for."""

    @app.command()
    def restart() -> None:
        """Stop the running app, and have the version start that is installed now."""
        before = running(house)
        before.ask("restart")
        for _ in range(300):
            with suppress(NotRunning):
                now = running(house)
                if now.running != before.running and now.alive():
                    print(f"O-Switcher {now.running.version} listens on {now.running.url}")
                    return
            time.sleep(0.1)
        raise Refused("unavailable", "O-Switcher does not come up again; see why with: o-switcher serve")


def _register_folder(app: typer.Typer, house: Starter) -> None:
    """Where the files are."""

    @app.command()
    def folder(
        open_it: Annotated[bool, typer.Option("--open", help="Open it in the file manager.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Show where the history, the decisions log and the settings are kept."""
        from tray_app.host.browser import open_folder

        answer = running(house).ask("folder")
        print_json(answer) if as_json else say(answer)
        if open_it and not open_folder(answer["path"]):
            print(f"no file manager could be opened; go to {answer['path']}")


def _show(found: dict[str, Any]) -> None:
    print(f"{found['headline']}  [{found['state']}]")
    print(f"address   {found['url']}")
    print(f"today     {found['requests_today']} requests")
    if found["choice"]:
        print(f"chosen    {found['choice']['profile']}, {found['choice']['words']}")
    if found["waiting"]:
        print(f"waiting   {found['waiting']} {'request' if found['waiting'] == 1 else 'requests'} for a place")
    if found["last_switch"]:
        switch = found["last_switch"]
        before = switch["from_profile"] or "none"
        print(f"switched  {clock(switch['at'])} {before} -> {switch['to_profile']}: {switch['reason']}")
    print(f"history   {found['history_path']} ({found['ledger']})")
    if found["dropped_facts"]:
        print(f"dropped   {found['dropped_facts']} records could not be kept")
    for notice in found["notices"]:
        print(f"note      {notice}")
    if found["profiles"]:
        print()
        print_table(PROFILE_COLUMNS, profile_rows(found["profiles"]))
