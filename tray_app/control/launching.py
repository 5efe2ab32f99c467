"""A client started through the proxy with none of its files touched: what its environment and its words are then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tray_app.agents.unfit import Unfit
from tray_app.agents.wiring.clients import client_of_program
from tray_app.agents.wiring.plan import FOLDER, PLACES, Aim, Launch, Where
from tray_app.control.verbs import Refused
from tray_app.host import child, settings
from tray_app.host.home import Home

_LOOPBACK = ("127.0.0.1", "localhost")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class Asks(Protocol):
    """Whoever carries out verbs."""

    def ask(self, verb: str, **arguments: object) -> Any: ...


def run(
    home: Home,
    caller: Asks,
    command: Sequence[str],
    environ: Mapping[str, str],
    provider: str | None = None,
) -> tuple[int, str | None]:
    """Run that command through the proxy; its exit code, and why it could not be started if it could not.

    Raises:
        Refused: the client cannot be served, or the settings have faults.
    """
    plan = planned(home, caller, command, environ, provider)
    try:
        return _run(plan, command, environ), None
    except child.NotStarted as error:
        return error.code, str(error)


def _run(plan: Launch, command: Sequence[str], environ: Mapping[str, str]) -> int:
    with child.folder_with(plan.files, plan.links) as folder:
        name = str(folder or "")
        arguments = [one.replace(FOLDER, name) for one in plan.arguments]
        changed = {key: value if value is None else value.replace(FOLDER, name) for key, value in plan.environ.items()}
        return child.run([command[0], *arguments, *command[1:]], around_proxies(merged(environ, changed)))


def planned(
    home: Home, caller: Asks, command: Sequence[str], environ: Mapping[str, str], provider: str | None
) -> Launch:
    """How that command is started."""
    client = client_of_program(command[0])
    try:
        known = settings.load(home.config).known_providers()
    except settings.Faulty as error:
        raise Refused("conflict", str(error)) from error
    status = caller.ask("status")
    token = caller.ask("token", client=client.name)["token"]
    held = sorted(status["profiles"], key=lambda one: not one["preferred"])
    names = dict.fromkeys(one["provider"] for one in held)
    served = tuple(known[name] for name in names if name in known)
    where = Where(environ, Path(environ.get("HOME") or Path.home()))
    assert client.launch is not None  # noqa: S101 - every program's client has one
    try:
        return client.launch(Aim(status["url"], token, served, known, provider), where, command[1:])
    except Unfit as error:
        raise Refused("bad_argument", error.words) from error


def merged(environ: Mapping[str, str], changed: Mapping[str, str | None]) -> dict[str, str]:
    """`environ` with those variables set, or taken away where they are None."""
    kept = {name: value for name, value in environ.items() if name not in changed}
    return kept | {name: value for name, value in changed.items() if value is not None}


def around_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Where calls go through a proxy, those to this machine must not: every client would ask it for the loopback."""
    found = dict(environ)
    if not any(found.get(name) for name in _PROXIES):
        return found
    for name in ("NO_PROXY", "no_proxy"):
        listed = [one.strip() for one in found.get(name, "").split(",") if one.strip()]
        found[name] = ",".join([*listed, *(one for one in _LOOPBACK if one not in listed)])
    return found


def places(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables that say where clients keep their files; relative ones begin at `folder`."""
    found = {name: environ[name] for name in PLACES if environ.get(name)}
    return {name: str(folder / Path(value).expanduser()) for name, value in found.items()}
