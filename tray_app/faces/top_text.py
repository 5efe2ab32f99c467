"""What the live view shows, as text: rows of profiles, requests and events. Pure; the view draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

BAR = 10
ENDED_KEPT = 30
PROFILE_COLUMNS = ("PROFILE", "STATE", "IN FLIGHT", "LEFT", "HEALTH", "WHY, UNTIL")
REQUEST_COLUMNS = ("SINCE", "CLIENT", "MODEL", "PROFILE", "STATE")
_QUIET = frozenset({"request.start", "request.end", "route.selected", "attempt.start", "attempt.end"})


def bar(used_percent: float | None) -> str:
    """What is left as a bar; empty where no limit is known."""
    if used_percent is None:
        return ""
    left = min(max(100 - used_percent, 0), 100)
    full = round(left / 100 * BAR)
    return f"{'█' * full}{'░' * (BAR - full)} {left:.0f} %"


def headline(status: Mapping[str, Any]) -> str:
    """The first line: who serves, and how much is going on."""
    parts = [status["headline"], f"{status['requests_today']} requests today", status["url"]]
    if status["choice"]:
        parts.insert(1, f"{status['choice']['profile']} is {status['choice']['words']}")
    if status["waiting"]:
        parts.insert(1, f"{status['waiting']} waiting for a place")
    return "  ·  ".join(parts)


def profile_row(profile: Mapping[str, Any]) -> tuple[str, ...]:
    """One row for `PROFILE_COLUMNS`."""
    chosen = ", pinned" if profile["pinned"] else ", preferred" if profile["preferred"] else ""
    left = " ".join(part for part in (bar(profile["used_percent"]), profile["quota"]) if part)
    return (
        ("* " if profile["active"] else "  ") + profile["id"],
        profile["state"] + chosen,
        str(profile["in_flight"] or ""),
        left,
        f"{profile['health'] * 100:.0f} %",
        profile["rest"] or "",
    )


def toggled(profile: Mapping[str, Any], out: str, back: str) -> str:
    """The verb that a key stands for: `out` for a profile that is in use, `back` for one that the operator took out."""
    return back if profile["admin_state"] != "enabled" else out


def event_line(event: Mapping[str, Any]) -> str | None:
    """An event in one line; None for the steps that every request takes, which the requests show."""
    name = event["event"]
    if name in _QUIET:
        return None
    who = event.get("profile") or ""
    if name == "failover":
        who = f"{event.get('from') or 'none'} -> {event['to']}"
    if name == "operator.action":
        who = f"{event.get('verb')} {who}".strip()
    said = " ".join(part for part in (who, event.get("reason") or "") if part)
    return f"{_clock(event.get('time'))}  {name:<18}  {said}".rstrip()


def _clock(time: str | None) -> str:
    if time is None:
        return " " * 8
    return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")


@dataclass(slots=True)
class Request:
    """A request as far as events have told of it."""

    since: str
    client: str
    model: str
    profile: str = ""
    state: str = "starting"


@dataclass(slots=True)
class Requests:
    """Requests that are on their way, and the latest that ended."""

    running: dict[str, Request] = field(default_factory=dict)
    ended: list[Request] = field(default_factory=list)

    def see(self, event: Mapping[str, Any]) -> bool:
        """Take note of an event; whether that changes what is shown."""
        name, request_id = event["event"], event.get("request_id")
        if name == "events.missed":
            self.running.clear()  # who knows what has become of them
            return True
        if request_id is None:
            return False
        if name == "request.start":
            model, client = event.get("model") or "", event.get("client") or ""
            self.running[request_id] = Request(_clock(event.get("time")), client, model)
            return True
        request = self.running.get(request_id)
        if request is None:
            return False
        return self._step(name, request_id, request, event)

    def _step(self, name: str, request_id: str, request: Request, event: Mapping[str, Any]) -> bool:
        if name in ("route.selected", "attempt.start"):
            request.profile, request.state = event.get("profile") or "", "asking"
        elif name == "retry.scheduled":
            request.state = "waiting to ask again"
        elif name == "admission.queued":
            request.state = "waiting for a place"
        elif name == "request.end":
            self._end(request_id, request, event)
        else:
            return False
        return True

    def _end(self, request_id: str, request: Request, event: Mapping[str, Any]) -> None:
        del self.running[request_id]
        took, failovers = event.get("duration_ms"), event.get("failovers")
        switched = f", {failovers} switched" if failovers else ""
        request.state = f"{event.get('outcome')} in {took} ms{switched}"
        request.profile = event.get("profile") or ""
        self.ended = [request, *self.ended][:ENDED_KEPT]

    def rows(self) -> list[tuple[str, ...]]:
        """Rows for `REQUEST_COLUMNS`: those on their way first, then the latest."""
        shown = [*reversed(self.running.values()), *self.ended]
        return [(one.since, one.client, one.model, one.profile, one.state) for one in shown]
