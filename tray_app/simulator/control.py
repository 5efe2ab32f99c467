"""The simulator's own paths, `/sim/...`: read the log, swap the script, begin anew, let go of what is held.

They answer programs of this machine only: not a page in a browser, not a name that resolves to it.
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from . import errors
from .behaviours.base import JSON, refusal
from .log import Seen
from .script import ScriptError, parse
from .skins import chat
from .steps import Script
from .text import encode
from .values import Fault, Reply, Request

PREFIX = "/sim/"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Controlled(Protocol):
    """What can be asked of a simulator."""

    @property
    def calls(self) -> list[Seen]: ...

    def counts(self) -> dict[str, int]: ...

    def replace(self, script: Script) -> None: ...

    def reset(self) -> None: ...

    def release(self) -> int: ...


def answer(request: Request, simulator: Controlled) -> Reply:
    if request.header(b"origin") is not None or not _is_here(request.header(b"host")):
        return _refused(errors.elsewhere())
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "calls":
            return _json(simulator.calls)
        case "GET", "counts":
            return _json(simulator.counts())
        case "POST", "script":
            return _replaced(request, simulator)
        case "POST", "reset":
            simulator.reset()
            return _json({"ok": True})
        case "POST", "release":
            return _json({"released": simulator.release()})
        case _, "calls" | "counts" | "script" | "reset" | "release" as name:
            return _refused(errors.wrong_method("GET" if name in ("calls", "counts") else "POST"))
    return _refused(errors.no_such_path())


def _replaced(request: Request, simulator: Controlled) -> Reply:
    try:
        script = parse(request.body.decode(), "request body")
    except UnicodeDecodeError:
        return _refused(errors.invalid("The script is not UTF-8"))
    except ScriptError as error:
        return _refused(errors.invalid(str(error)))
    simulator.replace(script)
    return _json({"ok": True, "keys": [key.name for key in script.keys]})


def _is_here(host: str | None) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK
    except ValueError:
        return False


def _json(value: object) -> Reply:
    return Reply(headers=JSON, pieces=(encode(value),))


def _refused(fault: Fault) -> Reply:
    return refusal(chat, fault)
