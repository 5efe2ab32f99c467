"""The page of clients: who goes through the proxy, what connecting would change, and each one's token and its use.

A token opens the proxy: it is in no page unless a form of the page has just asked for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.control.verbs import CLIENT, CLIENT_LONGEST, Refused
from tray_app.control.views import ConnectionView, WiringView
from tray_app.core.history import ClientTotal
from tray_app.core.redact import redact
from tray_app.core.values import Protocol
from tray_app.faces.web.clients_texts import words_for
from tray_app.faces.web.deeds import ACTOR, DeedPage, Said
from tray_app.faces.web.forms import Form
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell import language_of

HERE = "/report/clients"
SDK = "sdk"  # the name under which the use of programs without one of their own is counted
_MODELS = "--model"  # in what is said of a client that must be told which models there are
LOOK_S = 15.0  # so long it is not tried again what would be refused


@dataclass(frozen=True, slots=True)
class Panel:
    """What is shown once beside a client: what would be changed, what to set, or its token."""

    wiring: WiringView | None = None
    deed: str | None = None  # that carries it out
    models: str = ""  # that are named, where a client must be told
    token: str | None = None


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The address of the page."""
    page = _Clients(service)
    deeds = {
        "see-connect": page.see_connect,
        "see-disconnect": page.see_disconnect,
        "connect": page.connect,
        "disconnect": page.disconnect,
        "force": page.force,
        "lines": page.lines,
        "token": page.token,
        "revoke": page.revoke,
    }
    return DeedPage(service, sessions, "clients", HERE, "clients.html", deeds, page.given).routes()


@dataclass(slots=True)
class _Clients:
    """What the page shows, and what its forms ask for."""

    service: Service
    _refusals: dict[str, str] = field(default_factory=dict)
    _looked_at: float = float("-inf")

    async def given(self, request: Request, said: Said | None) -> Mapping[str, Any]:
        """What the template draws."""
        found = await self._connections()
        used = await self.service.perform("client-usage", {}, ACTOR)
        assert isinstance(used, list)  # noqa: S101 - the verb's own kind
        agents = [one for one in found if one.kind != "token"]
        known = {one.client for one in found if one.has_token}
        use: dict[str, ClientTotal] = {one.client: one for one in used}
        if said is not None or time.monotonic() - self._looked_at > LOOK_S:
            self._refusals, self._looked_at = await self._refused(agents), time.monotonic()
        names = {one.client for one in agents}
        status = self.service.status()
        return {
            "w": words_for(language_of(request)),
            "agents": agents,
            "others": sorted({*known, *use} - names - {SDK}),
            "with_token": known,
            "use": use,
            "refusals": self._refusals,
            "wants_models": {name for name, why in self._refusals.items() if _MODELS in why},
            "panel": said.more if said is not None and isinstance(said.more, Panel) else None,
            "addresses": self._addresses(status.url),
            "sdk": SDK,
        }

    async def _refused(self, agents: Sequence[ConnectionView]) -> dict[str, str]:
        """Those that could not be connected now, and why."""
        refused: dict[str, str] = {}
        for one in agents:
            if not one.connected:
                try:
                    await self.service.perform("connect", {"client": one.client, "dry_run": True}, ACTOR)
                except Refused as error:
                    refused[one.client] = error.message
        return refused

    def _addresses(self, url: str) -> list[tuple[str, str]]:
        """Addresses for SDKs, and what each is for: the default pool, then each provider that there is a profile of."""
        known = self.service.providers()
        names = dict.fromkeys(member.profile.provider for member in self.service.cell.pool.members.values())
        found = [("", f"{url}/v1")]
        for provider in (known[name] for name in names if name in known):
            bare = provider.protocols <= {Protocol.MESSAGES, Protocol.OTHER}  # those SDKs put the version in themselves
            found.append((provider.title, f"{url}/{provider.name}" + ("" if bare else "/v1")))
        return found

    # -- connecting

    async def see_connect(self, form: Form, language: str) -> Said:
        """What connecting would change."""
        return await self._shown("connect", form, {"dry_run": True, **_models(form)}, "connect")

    async def see_disconnect(self, form: Form, language: str) -> Said:
        """What disconnecting would change."""
        client = form.get("about", "")
        try:
            return await self._shown("disconnect", form, {"dry_run": True}, "disconnect")
        except Refused as refused:
            connected = any(one.client == client and one.connected for one in await self._connections())
            if refused.code != "conflict" or not connected:
                raise
            return Said(refused.message, ok=False, about=client, undo="force", then=words_for(language).force)

    async def _connections(self) -> Sequence[ConnectionView]:
        found = await self.service.perform("connections", {}, ACTOR)
        assert isinstance(found, list)  # noqa: S101 - the verb's own kind
        return found

    async def _shown(self, verb: str, form: Form, more: Mapping[str, object], deed: str | None) -> Said:
        client = form.get("about", "")
        done = await self.service.perform(verb, {"client": client, **more}, ACTOR)
        assert isinstance(done, WiringView)  # noqa: S101 - the verb's own kind
        return Said(done.message, about=done.client, more=Panel(done, deed, models=_models(form).get("models", "")))

    async def connect(self, form: Form, language: str) -> Said:
        """Point it at the proxy."""
        done = await self.service.perform("connect", {"client": form.get("about", ""), **_models(form)}, ACTOR)
        assert isinstance(done, WiringView)  # noqa: S101 - the verb's own kind
        words = words_for(language).connected.format(client=done.title)
        return Said(" ".join((words, *done.notes)), about=done.client)

    async def disconnect(self, form: Form, language: str) -> Said:
        """Put back what stood there."""
        return await self._disconnected(form, language, {})

    async def force(self, form: Form, language: str) -> Said:
        """The same where somebody has changed our values since."""
        return await self._disconnected(form, language, {"force": True})

    async def _disconnected(self, form: Form, language: str, more: Mapping[str, object]) -> Said:
        done = await self.service.perform("disconnect", {"client": form.get("about", ""), **more}, ACTOR)
        assert isinstance(done, WiringView)  # noqa: S101 - the verb's own kind
        words = words_for(language).disconnected.format(client=done.title)
        return Said(" ".join((words, *done.notes)), about=done.client)

    async def lines(self, form: Form, language: str) -> Said:
        """What to set where a client has no files: its token is among it."""
        client = form.get("about", "")
        if any(one.client == client and one.kind == "files" for one in await self._connections()):
            return await self.see_connect(form, language)
        return await self._shown("connect", form, {}, None)

    # -- tokens

    async def token(self, form: Form, language: str) -> Said:
        """A client's token, made if it has none."""
        client = form.get("about", "") or form.get("name", "").strip()
        if not re.fullmatch(CLIENT, client) or len(client) > CLIENT_LONGEST:
            raise Refused("bad_argument", words_for(language).unfit_name)
        done = await self.service.perform("token", {"client": client}, ACTOR)
        assert isinstance(done, dict)  # noqa: S101 - the verb's own kind
        words = words_for(language).token_shown.format(client=client)
        return Said(words, about=client, more=Panel(token=str(done["token"])))

    async def revoke(self, form: Form, language: str) -> Said:
        """It counts no longer."""
        client = form.get("about", "")
        await self.service.perform("token", {"client": client, "revoke": True}, ACTOR)
        return Said(words_for(language).revoked.format(client=client), about=client)


def _models(form: Form) -> dict[str, str]:
    named = form.get("models", "").strip()
    if redact(named) != named:
        raise Refused("bad_argument", "names of models are wanted there; this looks like a key")
    return {"models": named} if named else {}
