"""Taking the history out and bringing it back: exports, backups, restores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tray_app.core.redact import redact
from tray_app.faces.cli.common import AsJson, Misused, Starter, print_json, since

STEPS = 1000
Force = Annotated[bool, typer.Option("--force", help="Replace that file.")]


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""

    @app.command()
    def export(
        what: Annotated[str, typer.Argument(help="requests, attempts, failovers or quota-events")],
        form: Annotated[str, typer.Option("--format", help="csv or jsonl (one JSON object a line)")] = "csv",
        since_: Annotated[str | None, typer.Option("--since", help="From this time on: 2h, 2026-11-25, ...")] = None,
        out: Annotated[Path | None, typer.Option("--out", help="Write to this file; without it, to stdout.")] = None,
        force: Force = False,
    ) -> None:
        """Write the history out, oldest first. Works beside the running app."""
        from tray_app.control import archive

        if what not in archive.KINDS:
            raise Misused(f"{what!r} cannot be exported; there are: {', '.join(archive.KINDS)}")
        if form not in archive.FORMATS:
            raise Misused(f"no format is called {form!r}; there are: {', '.join(archive.FORMATS)}")
        start = None if since_ is None else since(since_)
        if out is None:
            if force:
                raise typer.BadParameter("goes with --out only", param_hint="--force")
            _print_all(house, what, form, start)
            return
        with _bar(f"exporting {what}") as progress:
            done = archive.export_to(house.home(), out, what, form, start, force=force, progress=progress)
        print(redact(f"{done.rows} {'row' if done.rows == 1 else 'rows'} of {what}: {done.file}"), file=sys.stderr)

    @app.command()
    def backup(
        file: Annotated[Path, typer.Argument(help="Where the copy goes.")],
        force: Force = False,
        as_json: AsJson = False,
    ) -> None:
        """Copy the history to a file, whether or not the app runs."""
        from tray_app.control import archive

        with _bar("copying", shown=not as_json) as progress:
            made = archive.back_up(house.home(), file, force=force, progress=progress)
        if as_json:
            print_json(made)
        else:
            print(
                redact(f"{made.file}: {made.size / 1e6:.1f} MB, looked through and sound; bring it back with: restore")
            )

    @app.command()
    def restore(
        file: Annotated[Path, typer.Argument(help="A copy that `backup` made.")], as_json: AsJson = False
    ) -> None:
        """Let a copy be the history from now on; the one before is kept. The app must be stopped."""
        from tray_app.control import archive

        with _bar("copying", shown=not as_json) as progress:
            done = archive.restore(house.home(), file, progress=progress)
        if as_json:
            print_json(done)
            return
        kept = f"; the one before is kept as {done.former}" if done.former else ""
        print(redact(f"{done.file} is {file} now, with {done.requests} requests{kept}"))

    _register_migrate(app, house)


def _register_migrate(app: typer.Typer, house: Starter) -> None:
    """What an update of the program does to the history."""

    @app.command()
    def migrate(
        trial: Annotated[bool, typer.Option("--trial", help="Only on a copy, which is thrown away.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Bring the history to this version's schema, as each start does by itself; a copy of it is kept."""
        from tray_app.control import archive

        done = archive.bring_up_to_date(house.home(), trial=trial)
        if as_json:
            print_json(done)
        elif done.before == done.now:
            print(redact(f"{done.file} is up to date: schema {done.now}"))
        elif trial:
            print(redact(f"{done.file}: a copy went from schema {done.before} to {done.now}; nothing was changed"))
        else:
            print(redact(f"{done.file} went from schema {done.before} to {done.now}; as it was: {done.kept}"))


def _print_all(house: Starter, what: str, form: str, start: int | None) -> None:
    from tray_app.control import archive

    shown = sys.stderr.isatty() and not sys.stdout.isatty()
    out = sys.stdout.buffer if hasattr(sys.stdout, "buffer") else None
    with _bar(f"exporting {what}", shown=shown) as progress:
        for page in archive.exported(house.home().history, what, form, {} if start is None else {"since": start}):
            if out is not None:
                out.write(page.data)
            else:
                sys.stdout.write(page.data.decode())
            progress(page.done)
        sys.stdout.flush()


@contextmanager
def _bar(label: str, *, shown: bool = True) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal, nothing elsewhere; what it gives takes how far it has come, from 0 to 1."""
    if not shown or not sys.stderr.isatty():
        yield lambda _: None
        return
    with typer.progressbar(length=STEPS, label=label, file=sys.stderr, show_pos=False) as bar:
        yield lambda done: bar.update(round(done * STEPS) - bar.pos)
