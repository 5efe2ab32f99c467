"""The command line: one file a family of commands, each a thin question to the control surface."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from tray_app.control.callers import NotRunning
from tray_app.control.verbs import Refused
from tray_app.core.redact import redact
from tray_app.faces.cli import (
    archive,
    classify,
    clients,
    configuration,
    doctor,
    history,
    licences,
    live,
    operate,
    practice,
    profiles,
    run,
)
from tray_app.faces.cli.common import Misused, Starter

DONE, FAILED, USAGE, NOT_RUNNING = 0, 1, 2, 3


class _ReaderGone(Exception):
    """Nobody reads on what we print, as after `head`."""


class _Commands(typer.core.TyperGroup):
    """Our commands; the library would take a reader that has gone for a failure."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _while_somebody_reads():
            return super().make_context(*args, **extra)  # prints the help

    def invoke(self, ctx: Any) -> Any:
        with _while_somebody_reads():
            return super().invoke(ctx)


@contextmanager
def _while_somebody_reads() -> Iterator[None]:
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError as error:
        raise _ReaderGone from error


def build(house: Starter) -> typer.Typer:
    """All commands, wired to `house`."""
    app = typer.Typer(
        cls=_Commands,
        name="o-switcher",
        help="Pools your LLM API keys behind a local proxy and goes on with the next one when one runs dry.",
        no_args_is_help=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for family in (
        run,
        operate,
        profiles,
        clients,
        history,
        archive,
        configuration,
        doctor,
        classify,
        practice,
        live,
        licences,
    ):
        family.register(app, house)
    return app


def main(house: Starter, argv: Sequence[str]) -> int:
    """Run one command; the exit code. Expected failures are one line on stderr."""
    command = typer.main.get_command(build(house))
    try:
        result = command.main(list(argv), prog_name="o-switcher", standalone_mode=False)
    except NotRunning as error:
        return _fail(str(error), NOT_RUNNING)
    except Refused as refused:
        return _fail(refused.message, USAGE if isinstance(refused, Misused) else FAILED)
    except KeyboardInterrupt:
        return 130
    except _ReaderGone:
        return _quiet_end()
    except Exception as error:
        return _usage(error)
    return result if isinstance(result, int) else DONE


def _fail(message: str, code: int) -> int:
    print(f"o-switcher: {message}", file=sys.stderr)
    return code


def _quiet_end() -> int:
    """The reader of our output has gone, as `head` does."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def _usage(error: Exception) -> int:
    """Errors of the command's own words are shown by the library; anything else is a bug and is raised."""
    shown = getattr(error, "show", None)
    if shown is not None:
        error.message = redact(str(getattr(error, "message", "")))  # type: ignore[attr-defined]  # a key may be in it
        shown()
        return int(getattr(error, "exit_code", USAGE))
    if type(error).__name__ in ("Abort", "Exit"):
        return int(getattr(error, "exit_code", FAILED))
    raise error
