"""What has happened: recent requests, one request's trace."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tray_app.faces.cli.common import AsJson, Starter, anyone, clock, print_json, print_table, since, span

COLUMNS = (
    "TIME",
    "REQUEST",
    "CLIENT",
    "MODEL",
    "OUTCOME",
    "STATUS",
    "PROFILE",
    "CALLS",
    "SWITCHES",
    "FIRST BYTE",
    "TOOK",
)


def register(app: typer.Typer, house: Starter) -> None:
    """Add these commands to `app`."""

    @app.command()
    def history(
        profile: Annotated[
            str | None, typer.Option("--profile", "--target", help="Only this profile's; * stands for anything.")
        ] = None,
        model: Annotated[str | None, typer.Option(help="Only this model's; * stands for anything.")] = None,
        client: Annotated[str | None, typer.Option(help="Only this client's; * stands for anything.")] = None,
        outcome: Annotated[str | None, typer.Option(help="Only those that ended so: served, failed, ...")] = None,
        prefix: Annotated[str | None, typer.Option("--id", help="Only those whose id begins so.")] = None,
        before: Annotated[str | None, typer.Option(help="Only those older than this request: the next page.")] = None,
        since_: Annotated[str | None, typer.Option("--since", help="From this time on: 2h, 2026-11-25, ...")] = None,
        provider: Annotated[str | None, typer.Option(help="Only this provider's; * stands for anything.")] = None,
        class_: Annotated[str | None, typer.Option("--class", help="Only those of which a call failed so.")] = None,
        error: Annotated[str | None, typer.Option(help="Only those of which a call's error says this.")] = None,
        until: Annotated[str | None, typer.Option(help="Up to this time: 2h, 2026-11-25, ...")] = None,
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
        follow: Annotated[bool, typer.Option("--follow", help="Go on showing new ones.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Show recent requests."""
        start, end = (None if text is None else since(text) for text in (since_, until))
        with anyone(house) as caller:
            wanted = {"profile": profile, "model": model, "client": client, "outcome": outcome, "id": prefix}
            wanted |= {"provider": provider, "error_class": class_, "error": error}
            found = caller.ask("history", limit=limit, since=start, until=end, before=before, **wanted)
            if as_json and not follow:
                print_json(found)
                return
            if not found and not follow:
                print("no requests yet" if not any((before, start, end, *wanted.values())) else "no such requests")
                return
            print_table(COLUMNS, [_row(request) for request in reversed(found)])
            if follow:
                _follow(caller, found, wanted)
            elif len(found) == limit and sys.stdout.isatty():
                print(f"older ones: --before {found[-1]['id']}")

    @app.command()
    def inspect(
        request_id: Annotated[str, typer.Argument(metavar="REQUEST_ID", help="See: o-switcher history")],
        as_json: AsJson = False,
    ) -> None:
        """Show the full trace of a request."""
        with anyone(house) as caller:
            trace = caller.ask("inspect", request_id=request_id)
        if as_json:
            print_json(trace)
            return
        print("\n".join(_told(trace)))

    @app.command()
    def rebuild(as_json: AsJson = False) -> None:
        """Count the hourly sums of the history anew, from its requests."""
        terminal = sys.stderr.isatty() and not as_json

        def show(done: int, of: int) -> None:
            if terminal:
                print(f"\r{done} of {of} hours", end="" if done < of else "\n", file=sys.stderr, flush=True)

        hours = house.rebuild(show)
        if as_json:
            print_json({"hours": hours})
        else:
            print(f"{hours} hours were counted anew; the one that goes on was left alone")


def _follow(caller: Any, shown: list[dict[str, Any]], wanted: Mapping[str, str | None]) -> None:
    """Print requests as they end, until Ctrl-C."""
    known = {request["id"] for request in shown if request["outcome"]}
    while True:
        time.sleep(1.0)
        fresh = caller.ask("history", limit=100, **wanted)
        for request in reversed(fresh):
            if request["outcome"] and request["id"] not in known:
                known.add(request["id"])
                print("  ".join(cell for cell in _row(request) if cell), flush=True)


def _row(request: dict[str, Any]) -> list[str]:
    return [
        clock(request["started_at"]),
        request["id"],
        request["client"],
        request["model"] or "",
        request["outcome"] or "running",
        str(request["status_code"] or ""),
        request["profile_id"] or "",
        str(request["attempts"] or ""),
        str(request["failovers"] or ""),
        span(request["ttft_ms"]),
        span(request["duration_ms"]),
    ]


def _told(trace: dict[str, Any]) -> list[str]:
    """A trace as lines for people."""
    import msgspec

    from tray_app.control import tracing
    from tray_app.core.history import Trace

    return tracing.lines(msgspec.convert(trace, Trace), clock)
