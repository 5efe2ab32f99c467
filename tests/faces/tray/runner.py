"""The real tray in a process of its own, over statuses that its parent chooses.

Commands come as JSON lines on stdin: `{"status": {...}}` puts fields over the present status,
`{"burst": count}` changes it so often, `{"notify": [title, message]}`, `{"announce": {"kind": ..., ...}}`,
`{"stop": reason}`, `{"farewell": answers that were cut}`,
`{"fault": "ask" | "status" | null}` makes that callback raise. What happens goes to stdout as JSON lines:
`ready`, `ask`, `log`, `end`. With `--demo` it shows three profiles, acts on clicks, and needs no parent;
with `--anyway` it starts the tray although it is told that there is no use in it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.faces.tray import statuses
from tray_app.control.news import News, NewsKind
from tray_app.control.views import AppState, ProfileView, QuotaView, Status, SwitchView
from tray_app.faces.tray.app import Tray, available


def say(event: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
    sys.stdout.flush()


class SayLogs(logging.Handler):
    """Complaints become events, so that a test sees them and stderr stays empty."""

    def emit(self, record: logging.LogRecord) -> None:
        say("log", level=record.levelname, message=record.getMessage())


class Source:
    """Holds the status; an immutable value in one slot, as in the app."""

    def __init__(self, status: Status) -> None:
        self.status = status
        self.fault: str | None = None

    def read(self) -> Status:
        if self.fault == "status":
            raise RuntimeError("no status today")
        return self.status

    def put(self, fields: dict[str, Any]) -> None:
        self.status = replace(self.status, **{name: _value(name, value) for name, value in fields.items()})

    def act(self, verb: str, args: Mapping[str, str | bool]) -> None:
        """Enough of the control surface to make a demo move."""
        match verb:
            case "use":
                profiles = tuple(replace(one, active=one.id == args["profile"]) for one in self._profiles())
                headline = f"{args['profile']} is serving"
                self.status = replace(self.status, profiles=profiles, headline=headline)
            case "pause" | "resume":
                state = "paused" if verb == "pause" else "ready"
                profiles = tuple(
                    replace(one, state=state) if one.id == args["profile"] else one for one in self._profiles()
                )
                self.status = replace(self.status, profiles=profiles)
            case "pause-all" | "resume-all":
                self.status = replace(self.status, paused_all=verb == "pause-all")
            case "autostart":
                self.status = replace(self.status, autostart=bool(args["enabled"]))

    def _profiles(self) -> tuple[ProfileView, ...]:
        return self.status.profiles


def _value(name: str, value: Any) -> Any:
    """A field as the view has it, out of JSON."""
    match name:
        case "profiles":
            return tuple(_profile(one) for one in value)
        case "last_switch" if value is not None:
            return SwitchView(**value)
        case "state":
            return AppState(value)
        case "notices":
            return tuple(value)
    return value


def _profile(fields: dict[str, Any]) -> ProfileView:
    left = fields.pop("left", None)
    return statuses.profile(fields.pop("id"), left=None if left is None else QuotaView(**left), **fields)


def obey(tray: Tray, source: Source) -> None:
    """The parent's commands, until it hangs up."""
    for line in sys.stdin:
        for command, value in json.loads(line).items():
            match command:
                case "status":
                    source.put(value)
                    tray.repaint()
                case "burst":
                    for number in range(value):
                        source.put({"headline": f"burst {number + 1}"})
                        tray.repaint()
                case "notify":
                    tray.notify(*value)
                case "announce":
                    tray.announce(News(NewsKind(value.pop("kind")), tuple(value.pop("profiles")), **value))
                case "farewell":
                    tray.farewell(value)
                case "stop":
                    tray.stop(value)
                case "fault":
                    source.fault = value


def main(demo: bool, anyway: bool) -> int:
    logging.basicConfig(level=logging.WARNING, handlers=[SayLogs()])
    source = Source(statuses.three(int(time.time() * 1000)) if demo else statuses.status())
    tray: Tray

    def ask(verb: str, args: Mapping[str, str | bool]) -> None:
        say("ask", verb=verb, args=dict(args))
        if verb == "stop":
            tray.stop("quit was clicked")
        elif source.fault == "ask":
            raise RuntimeError("no verbs today")
        elif demo:
            source.act(verb, args)
            tray.repaint()

    tray = Tray(source.read, ask, woke=lambda: say("woke"))
    can = available()
    say("ready", pid=os.getpid(), ok=can.ok, line=can.line)
    if not can.ok and not anyway:
        return 0
    if not demo:
        threading.Thread(target=obey, args=(tray, source), name="parent", daemon=True).start()
    end = tray.run()
    threads = [one.name for one in threading.enumerate() if one.name != "parent"]
    say("end", kind=end.kind, reason=end.reason, threads=threads)
    return 0


if __name__ == "__main__":
    sys.exit(main("--demo" in sys.argv[1:], "--anyway" in sys.argv[1:]))
