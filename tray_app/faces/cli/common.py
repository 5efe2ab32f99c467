"""What the commands share: who answers, how times are read and written, tables and JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from tray_app.control.callers import HttpCaller, NotRunning, connect
from tray_app.control.verbs import Refused
from tray_app.host.home import Home

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


class Starter(Protocol):
    """What the command line may start."""

    def home(self) -> Home: ...

    def start(self, *, tray: bool, port: int | None) -> int: ...

    def simulate(self, port: int, script: Path | None) -> int: ...

    def demo(self, *, once: bool) -> int: ...


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
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(len(columns))]
    for row in (columns, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(answer: Any) -> None:
    """The sentence that a verb's answer carries."""
    print(answer["message"] if isinstance(answer, dict) and "message" in answer else answer)


_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration(text: str) -> float:
    """Read `90s`, `30m`, `2h`, `1h30m`, `3d` as seconds.

    Raises:
        Refused: it is none of these.
    """
    compact = text.strip().lower().replace(" ", "")
    parts = _PART.findall(compact)
    if not parts or _PART.sub("", compact):
        raise Refused("bad_argument", f"{text!r} is no duration; write one like 30m, 2h or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def since(text: str) -> int:
    """Read a date, a date with time (local), or a duration ago, as ms since the epoch.

    Raises:
        Refused: it is none of these.
    """
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        ago = timedelta(seconds=duration(text))
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


def profile_rows(profiles: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Profiles as rows for `PROFILE_COLUMNS`."""
    return [
        [
            ("* " if profile["active"] else "  ") + profile["id"],
            profile["state"] + (", preferred" if profile["preferred"] else ""),
            _until(profile),
            str(profile["priority"]),
            f"...{profile['key_tail']}" if profile["key_tail"] else "",
            profile["source"],
        ]
        for profile in profiles
    ]


_KNOWN_FROM = {
    "header": ", as the provider says",
    "body": ", as the provider says",
    "probe": ", as the provider says",
    "inferred": " or so",
}
PROFILE_COLUMNS = ("PROFILE", "STATE", "WHY, UNTIL", "PRIORITY", "KEY", "FROM")


def _until(profile: dict[str, Any]) -> str:
    words = profile["reason"] or ""
    if profile["resets_at"]:
        known = _KNOWN_FROM.get(profile["reset_source"] or "", "")
        words += f" (back {clock(profile['resets_at'])}{known})"
    return words.strip()
