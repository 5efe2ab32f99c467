"""What is wrong and the command that mends it; and the errors that no rule knew, for a bug report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tray_app import __version__
from tray_app.control.verbs import Refused
from tray_app.faces.cli.common import AsJson, Starter, anyone, print_json

if TYPE_CHECKING:
    from tray_app.control.doctor import Check

COLLECTED = Path("o-switcher-unknown-errors.jsonl")


def register(app: typer.Typer, house: Starter) -> None:
    """Add this command to `app`."""

    @app.command()
    def doctor(
        as_json: AsJson = False,
        collect: Annotated[
            bool, typer.Option("--collect", help="Write the errors that no rule knew to a file, without your words.")
        ] = False,
        out: Annotated[Path | None, typer.Option("--out", help=f"That file; default: {COLLECTED}")] = None,
        force: Annotated[bool, typer.Option("--force", help="Replace that file.")] = False,
    ) -> None:
        """Look for what is wrong here, and name the command that mends it. Ends with 1 if something is."""
        if collect:
            _collect(house, out or COLLECTED, force=force, as_json=as_json)
        elif out is not None or force:
            raise typer.BadParameter("goes with --collect only", param_hint="--force" if force else "--out")
        elif not _examine(house, as_json=as_json):
            raise typer.Exit(1)


def _examine(house: Starter, *, as_json: bool) -> bool:
    """Print every check; whether all is well."""
    from tray_app.control.doctor import Doctor

    found = []
    for check in Doctor(house.home(), __version__, more=(_look_at_tray,)).examine():
        found.append(check)
        if not as_json:
            print(check.line(), flush=True)
    if as_json:
        print_json(found)
    wrong = sum(not check.ok for check in found)
    if not as_json:
        print()
        print(f"{wrong} of {len(found)} checks found something wrong" if wrong else f"all {len(found)} checks are good")
    return not wrong


def _look_at_tray() -> Iterator[Check]:
    from tray_app.control.doctor import Check
    from tray_app.faces.tray.availability import available

    found = available()
    if found.headless or (found.ok and found.line is None):
        yield Check("tray", True, found.line or "this desktop shows icons")
    else:
        here = "on GNOME, switch on its AppIndicator extension"
        elsewhere = "start it from a terminal of that desktop, or without a tray: o-switcher serve"
        yield Check("tray", False, found.line or "", here if found.hostless else elsewhere)


def _collect(house: Starter, path: Path, *, force: bool, as_json: bool) -> None:
    """Write the unknown errors down, one JSON object a line, and say how many."""
    with anyone(house) as caller:
        rows: Sequence[dict[str, Any]] = caller.ask("unknown-answers")
    if rows:
        _write(path, rows, force=force)
    kinds, answers = len(rows), sum(row["count"] for row in rows)
    if as_json:
        print_json({"file": str(path) if rows else None, "kinds": kinds, "answers": answers})
    elif not rows:
        print("there is nothing to collect: every error so far was one that a rule knows")
    else:
        of = f"{answers} {'error' if answers == 1 else 'errors'} of {kinds} {'kind' if kinds == 1 else 'kinds'}"
        print(f"{of} that no rule knew: {path}")
        print("Keys, addresses and what you wrote were taken out. Have a look, then attach it to a bug report.")


def _write(path: Path, rows: Sequence[dict[str, Any]], *, force: bool) -> None:
    """A file of its own, readable by this user only.

    Raises:
        Refused: it is there already, or cannot be written.
    """
    import msgspec

    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    try:
        if force:
            path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(lines)
    except FileExistsError as error:
        raise Refused(
            "conflict", f"{path} is there already; replace it with --force, or name another: --out"
        ) from error
    except OSError as error:
        raise Refused("unavailable", f"{path} cannot be written: {error.strerror or error}") from error
