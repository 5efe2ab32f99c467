"""The verbs about clients, as the running app and the files alone carry them out: the same deeds, the same words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from tray_app.agents.catalog import discover
from tray_app.agents.found import Found
from tray_app.control.answers import ClientToken
from tray_app.control.connecting import Asked, Connecting, where_of
from tray_app.control.registry import Registry
from tray_app.control.verbs import Argument, Refused
from tray_app.control.views import ConnectionView, WiringView
from tray_app.core.pool import Pool
from tray_app.core.providers import Provider
from tray_app.core.redact import redact
from tray_app.host.program import command_line, needed_environ


@dataclass(frozen=True, slots=True)
class Clients:
    """Carries out what is asked about clients.

    `url` is where the proxy is, if that is known; `routes` are the models that have a route; `discovering` tells
    whether keys that agents hold are to be taken over. Files are read and changed on whichever thread calls; `adopt`
    changes the pool.
    """

    connecting: Connecting
    registry: Registry
    url: Callable[[], str | None]
    routes: Callable[[], Iterable[str]]
    discovering: Callable[[], bool]

    def token(self, client: str = "default", revoke: bool = False) -> ClientToken:
        """A client's local token; or it counts no longer."""
        if not client.replace("-", "").replace("_", "").isalnum() or not client.isascii() or len(client) > 40:
            raise Refused("bad_argument", "a client's name is made of letters, digits, '-' and '_'")
        if redact(client) != client:
            raise Refused("bad_argument", "this is no name of a client: it looks like a key")
        if not revoke:
            return {"client": client, "token": self.registry.token(client)}
        if not self.registry.revoke(client):
            raise Refused("not_found", f"{client} has no token")
        return {"client": client, "revoked": True, "message": f"the token of {client} counts no longer"}

    def connect(
        self,
        client: str,
        dry_run: bool = False,
        provider: str | None = None,
        models: str | None = None,
        places: str | None = None,
        command: bool | None = None,
        mcp: bool | None = None,
    ) -> WiringView:
        """Point a client at the proxy."""
        url, known = self.url(), self.registry.providers()
        if url is None:
            from tray_app.control.callers import NotRunning  # the running app has an address, and no use for it

            raise NotRunning("O-Switcher takes any free port (proxy.port = 0), so it has to run: o-switcher")
        held = served(self.registry.cell.pool, known)
        if dry_run:  # what would be taken over counts
            held = tuple(dict.fromkeys((*held, *(known[one.provider] for one in self.found(places)))))
        named = tuple(filter(None, (one.strip() for one in (models or "").split(","))))
        asked = Asked(
            url,
            held,
            known,
            provider,
            named,
            tuple(self.routes()),
            command,
            mcp,
            command_line(),
            needed_environ(),
        )
        return self.connecting.connect(client, asked, where_of(places, os.environ), dry_run=dry_run)

    def found(self, places: Argument = None) -> list[Found]:
        """The keys that a client may lose sight of when it is connected."""
        if not self.discovering():
            return []
        where = where_of(None if places is None else str(places), os.environ)
        return discover({**os.environ, **where.environ}, where.home, where.home, self.registry.providers())

    def adopt(self, found: Iterable[Found]) -> tuple[str, ...]:
        """Take over those of them that are not held yet; what a person should know of it."""
        added = self.registry.adopt(found)
        members = self.registry.cell.pool.members
        return tuple(f"found a key in {members[one].profile.source}: it is {one} now" for one in added)

    def disconnect(self, client: str, dry_run: bool = False, force: bool = False) -> WiringView:
        """Put back what stood in a client's files before."""
        return self.connecting.disconnect(client, dry_run=dry_run, force=force)

    def connections(self) -> list[ConnectionView]:
        """Every client, and where it is pointed."""
        return self.connecting.connections(self.url())


def served(pool: Pool, known: Mapping[str, Provider]) -> tuple[Provider, ...]:
    """The providers that the pool has keys of: the preferred profile's first, then in the order of the profiles."""
    names = [member.profile.provider for member in pool.members.values()]
    if pool.preferred is not None and pool.preferred in pool.members:
        names.insert(0, pool.members[pool.preferred].profile.provider)
    return tuple(known[name] for name in dict.fromkeys(names) if name in known)


CLIENT_VERBS: Mapping[str, Callable[..., object]] = {
    "token": Clients.token,
    "connect": Clients.connect,
    "disconnect": Clients.disconnect,
    "connections": Clients.connections,
}


def takes_over(verb: str, given: Mapping[str, Argument]) -> bool:
    """Whether keys are to be taken over before: one that our token replaces in a file must not be lost to the pool."""
    return verb == "connect" and not given.get("dry_run")


def noted(done: object, news: Iterable[str]) -> object:
    """What was done, with further notes."""
    return replace(done, notes=(*news, *done.notes)) if isinstance(done, WiringView) else done


def detail_of(verb: str, given: Mapping[str, Argument], done: object) -> str | None:
    """What the record says of it; None where nothing was changed."""
    if isinstance(done, WiringView) and done.changed and not done.dry_run:
        return f"{done.client}: {', '.join(view.path for view in done.files)}"
    if verb == "token" and given.get("revoke"):
        return f"{given.get('client') or 'default'}: revoked"
    return None
