"""The licences of what this O-Switcher is made of."""

from __future__ import annotations

from collections import Counter

import typer

from tray_app.faces.cli.common import AsJson, Starter, print_json, print_table

COLUMNS = ("PACKAGE", "VERSION", "LICENCE", "KIND")


def register(app: typer.Typer, _house: Starter) -> None:
    """Add this command to `app`."""

    @app.command()
    def licences(as_json: AsJson = False) -> None:
        """List the licences of everything that this installation is made of."""
        from tray_app.host.licences import packages

        found = packages()
        if as_json:
            keys = ("name", "version", "licence", "kind", "note", "texts")
            print_json([{key: getattr(one, key) for key in keys} for one in found])
            return
        print_table(COLUMNS, [(one.name, one.version, one.licence, one.kind) for one in found])
        counts = Counter(one.kind for one in found)
        print()
        print(", ".join(f"{count} {kind}" for kind, count in counts.most_common()))
        for kind, note in {one.kind: one.note for one in found if one.note}.items():
            print(f"{kind}: {note}")
