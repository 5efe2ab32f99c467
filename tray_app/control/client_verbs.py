"""The verbs about clients, as the running app and the files alone carry them out: the same deeds, the same words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tray_app.control.connecting import Asked, Connecting, where_of
from tray_app.control.registry import Registry
from tray_app.control.verbs import Argument, Refused
from tray_app.control.views import ConnectionView, WiringView
from tray_app.core.pool import Pool
from tray_app.core.providers import Provider


@dataclass(frozen=True, slots=True)
class Clients:
    """Carries out what is asked about clients. `url` is where the proxy is; `routes` are the models that have a route.

    The files are changed on whichever thread calls.
    """

    connecting: Connecting
    registry: Registry
    url: Callable[[], str]
    routes: Callable[[], Iterable[str]]

    def token(self, client: str = "default", revoke: bool = False) -> dict[str, object]:
        """A client's local token; or it counts no longer."""
        if not client.replace("-", "").replace("_", "").isalnum() or not client.isascii() or len(client) > 40:
            raise Refused("bad_argument", "a client's name is made of letters, digits, '-' and '_'")
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
    ) -> WiringView:
        """Point a client at the proxy."""
        named = tuple(filter(None, (one.strip() for one in (models or "").split(","))))
        asked = Asked(
            self.url(),
            served(self.registry.cell.pool, self.registry.providers()),
            self.registry.providers(),
            provider,
            named or tuple(self.routes()),
        )
        return self.connecting.connect(client, asked, where_of(places, os.environ), dry_run=dry_run)

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
RECORDED = frozenset({"connect", "disconnect"})


def detail_of(verb: str, given: Mapping[str, Argument], done: object) -> str | None:
    """What the record says of it; None where nothing was changed."""
    if isinstance(done, WiringView) and done.changed and not done.dry_run:
        return f"{done.client}: {', '.join(view.path for view in done.files)}"
    if verb == "token" and given.get("revoke"):
        return f"{given.get('client') or 'default'}: revoked"
    return None
