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
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
        follow: Annotated[bool, typer.Option("--follow", help="Go on showing new ones.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Show recent requests."""
        start = None if since_ is None else since(since_)
        with anyone(house) as caller:
            wanted = {"profile": profile, "model": model, "client": client, "outcome": outcome, "id": prefix}
            found = caller.ask("history", limit=limit, since=start, before=before, **wanted)
            if as_json and not follow:
                print_json(found)
                return
            if not found and not follow:
                print("no requests yet" if not any((before, start, *wanted.values())) else "no such requests")
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
        print("\n".join(trace_lines(trace)))

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


def trace_lines(trace: dict[str, Any]) -> list[str]:
    """A trace as lines for people."""
    request = trace["request"]
    began = request["started_at"]
    streamed = "streamed" if request["stream"] else "not streamed"
    lines = [
        f"request {request['id']}  {clock(began)}  {request['client']}",
        f"  {request['protocol']} {request['path']}  model {request['model'] or '-'}, {streamed}",
    ]
    events = [(attempt["started_at"], 1, _attempt_line(attempt, began)) for attempt in trace["attempts"]]
    events += [(switch["at"], 0, _switch_line(switch, began)) for switch in trace["failovers"]]
    events += [(part["started_at"], 2, _segment_line(part, began)) for part in trace["segments"]]
    lines += [line for _, _, line in sorted(events, key=lambda event: event[:2])]
    outcome = request["outcome"] or "still running"
    status = f" with status {request['status_code']}" if request["status_code"] else ""
    lines.append(
        f"  {outcome}{status} after {span(request['duration_ms']) or '?'} by {request['profile_id'] or 'nobody'}"
    )
    if request["wait_ms"]:
        lines.append(f"  waited {span(request['wait_ms'])} in all")
    if request["reason"]:
        lines.append(f"  because {request['reason']}")
    return lines


def _attempt_line(attempt: dict[str, Any], began: int) -> str:
    parts = [f"  +{attempt['started_at'] - began:>6} ms  call {attempt['seq']} to {attempt['profile_id']}:"]
    if attempt["error_class"]:
        parts.append(f"{attempt['error_class']} ({attempt['error_scope']})")
    else:
        parts.append(attempt["outcome"] or "running")
    if attempt["status_code"]:
        parts.append(f"status {attempt['status_code']}")
    if attempt["reason"]:
        parts.append(f"- {attempt['reason']}")
    if attempt["input_tokens"] is not None or attempt["output_tokens"] is not None:
        parts.append(_usage_words(attempt))
    if attempt["retry_after_s"] is not None:
        parts.append(f"[come back in {attempt['retry_after_s']:g} s]")
    if attempt["error_message"] and attempt["error_message"] != attempt["reason"]:
        parts.append(f'"{attempt["error_message"]}"')
    return " ".join(parts)


def _usage_words(attempt: dict[str, Any]) -> str:
    """`[1,200 tokens in (800 from the cache), 30 out, $0.0041]`; what is not known is said to be so."""
    read = attempt["cache_read_tokens"]
    cached = f" ({read:,} from the cache)" if read else ""
    tokens_in, tokens_out = (
        "?" if attempt[name] is None else f"{attempt[name]:,}" for name in ("input_tokens", "output_tokens")
    )
    cost = "cost unknown" if attempt["cost_usd"] is None else f"${attempt['cost_usd']:.6f}".rstrip("0").rstrip(".")
    return f"[{tokens_in} tokens in{cached}, {tokens_out} out, {cost}]"


def _switch_line(switch: dict[str, Any], began: int) -> str:
    before = switch["from_profile"] or "none"
    return f"  +{switch['at'] - began:>6} ms  switched {before} -> {switch['to_profile']}: {switch['reason']}"


def _segment_line(part: dict[str, Any], began: int) -> str:
    repeated = f", {part['overlap_dropped']:,} repeated ones left out" if part["overlap_dropped"] else ""
    ended = "" if part["end"] == "served" else f", then it was {part['end']}"
    return (
        f"  +{part['started_at'] - began:>6} ms  part {part['seq']} of the stream from {part['profile_id']}: "
        f"{part['chars'] or 0:,} characters{repeated}{ended}"
    )
