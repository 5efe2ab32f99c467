"""What the commands share: who answers, how times are read and written, tables and JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from tray_app.control.callers import HttpCaller, NotRunning, connect
from tray_app.control.verbs import Refused
from tray_app.core.redact import printable
from tray_app.host.home import Home

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


class Starter(Protocol):
    """What the command line may start."""

    def home(self) -> Home: ...

    def start(self, *, tray: bool, port: int | None) -> int: ...

    def simulate(self, port: int, script: Path | None) -> int: ...

    def demo(self, *, once: bool) -> int: ...

    def accompany(self, folder: Path) -> int: ...

    def rebuild(self, progress: Callable[[int, int], None]) -> int: ...


class Caller(Protocol):
    """Whoever carries out verbs."""

    def ask(self, verb: str, **arguments: object) -> Any: ...


def running(house: Starter) -> HttpCaller:
    """The running app.

    Raises:
        NotRunning: there is none.
    """
    return connect(house.home().running, "cli")


@contextmanager
def anyone(house: Starter) -> Iterator[Caller]:
    """The running app, or the files themselves where none runs."""
    try:
        yield running(house)
        return
    except NotRunning:
        pass
    from tray_app.control.cold import cold

    with cold(house.home()) as caller:
        yield caller


def print_json(value: object) -> None:
    """`value` as indented JSON."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: drawn on a terminal, plain columns elsewhere."""
    rows = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, column in enumerate(columns):
            table.add_column(column, overflow="fold", no_wrap=place == 0)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(len(columns))]
    for row in (columns, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_noted(columns: Sequence[str], rows: Sequence[Sequence[str]], notes: int) -> None:
    """A table whose last `notes` columns are sentences: on a terminal they stand below their row, to be read whole."""
    if not sys.stdout.isatty():
        print_table(columns, rows)
        return
    rows = [[printable(cell) for cell in row] for row in rows]
    short = len(columns) - notes
    widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(short)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in (columns, *rows)]
    typer.secho(lines[0].rstrip(), bold=True)
    for line, row in zip(lines[1:], rows, strict=True):
        print(line.rstrip())
        for note in filter(None, row[short:]):
            print(f"    {note}")


def say(answer: Any) -> None:
    """The sentence that a verb's answer carries."""
    words = answer["message"] if isinstance(answer, dict) and "message" in answer else answer
    print("\n".join(map(printable, str(words).split("\n"))))


class Misused(Refused):
    """What was typed is no such command: told in one line, as any refusal, but it ends with the code for that."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_argument", message)


_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration(text: str) -> float:
    """Read `90s`, `30m`, `2h`, `1h30m`, `3d` as seconds.

    Raises:
        Misused: it is none of these.
    """
    compact = text.strip().lower().replace(" ", "")
    parts = _PART.findall(compact)
    if not parts or _PART.sub("", compact):
        raise Misused(f"{text!r} is no duration; write one like 30m, 2h or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def since(text: str) -> int:
    """Read a date, a date with time (local), or a duration ago, as ms since the epoch.

    Raises:
        Misused: it is none of these.
    """
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        try:
            ago = timedelta(seconds=duration(text))
        except Misused:
            words = "is no time; write a date such as 2026-11-25, or how long ago, such as 2h"
            raise Misused(f"{text!r} {words}") from None
        return round((datetime.now().astimezone() - ago).timestamp() * 1000)


def clock(at: int | None) -> str:
    """A time of today as `14:05`, another as `2026-11-25 14:05`; local."""
    if at is None:
        return ""
    when = datetime.fromtimestamp(at / 1000).astimezone()
    same_day = when.date() == datetime.now().astimezone().date()
    return when.strftime("%H:%M:%S") if same_day else when.strftime("%Y-%m-%d %H:%M")


def span(ms: int | None) -> str:
    """A duration as `12 ms` or `3.4 s`."""
    if ms is None:
        return ""
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


# -- profiles

PROFILE_COLUMNS = ("PROFILE", "STATE", "WHY, UNTIL", "LEFT")
HELD_COLUMNS = ("PROFILE", "STATE", "WHY, UNTIL", "PRIORITY", "ACCOUNT", "KEY", "FROM")
POOL_COLUMNS = ("PROFILE", "STATE", "HEALTH", "SCORE", "CIRCUIT", "OPERATOR", "IN FLIGHT", "WHY, UNTIL", "LEFT")
POOL_NOTES = 2


def profile_rows(profiles: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Profiles as rows for `PROFILE_COLUMNS`: what a person wants to know at a glance."""
    return [[*_how(one), one["quota"] or ""] for one in profiles]


def held_rows(profiles: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Profiles as rows for `HELD_COLUMNS`: what has been said of them."""
    return [[*_how(one), str(one["priority"]), one["account"], _tail(one), one["source"]] for one in profiles]


def pool_rows(profiles: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Profiles as rows for `POOL_COLUMNS`: all that decides who is asked."""
    return [_pool_row(one) for one in profiles]


def _pool_row(profile: dict[str, Any]) -> list[str]:
    name, state, rest = _how(profile)
    return [
        name,
        state,
        f"{profile['health'] * 100:.0f} %",
        f"{profile['score']:.2f}",
        profile["circuit"].replace("_", " "),
        profile["admin_state"],
        str(profile["in_flight"]),
        rest,
        profile["quota"] or "",
    ]


def _how(profile: dict[str, Any]) -> list[str]:
    chosen = ", pinned" if profile["pinned"] else ", preferred" if profile["preferred"] else ""
    return [
        ("* " if profile["active"] else "  ") + profile["id"],
        profile["state"] + chosen,
        profile["rest"] or "",
    ]


def _tail(profile: dict[str, Any]) -> str:
    return f"...{profile['key_tail']}" if profile["key_tail"] else ""
