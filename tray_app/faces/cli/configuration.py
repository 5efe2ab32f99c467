"""The settings file: show, check, where it is, set."""

from __future__ import annotations

from typing import Annotated

import typer

from tray_app.faces.cli.common import AsJson, Misused, Starter, anyone, print_json, say


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""
    family = typer.Typer(help="Look at and change the settings.", no_args_is_help=True)
    app.add_typer(family, name="config")

    @family.command()
    def path() -> None:
        """Print where the settings file is."""
        print(house.home().config)

    @family.command()
    def check(as_json: AsJson = False) -> None:
        """Check the settings file; each fault is named by line and key."""
        from tray_app.control.configuration import check as checked

        report = checked(house.home().config)
        if as_json:
            print_json(report)
        else:
            for fault in report.faults:
                print(f"{report.path}: {fault}")
            if not report.faults:
                print(f"{report.path}: {'good' if report.exists else 'not there; the defaults are in force'}")
        if report.faults:
            raise typer.Exit(1)

    @family.command()
    def show(as_json: AsJson = False) -> None:
        """Show all settings in force."""
        from tray_app.control.configuration import shown

        settings = shown(house.home().config)
        if as_json:
            print_json(settings)
            return
        for key, value in settings.items():
            print(f"{key} = {value}")

    @family.command("set")
    def change(
        key: Annotated[str, typer.Argument(help="Such as switcher.retry.")],
        value: Annotated[str, typer.Argument(help="Such as 2, true or file.")],
    ) -> None:
        """Change one setting, keeping the file's comments. A running app obeys within a second."""
        from tray_app.control import configuration

        if not key.strip("."):
            raise Misused("name a setting, such as switcher.retry")
        with configuration.undone_if_refused(house.home().config):
            configuration.change(house.home().config, key, value)
            if key.strip() == configuration.STORE:
                with anyone(house) as caller:
                    say(caller.ask("move-keys", store=configuration.loaded(house.home().config).secrets.store))
        print(f"{key} = {value}")
