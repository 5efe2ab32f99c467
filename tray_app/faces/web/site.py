"""The ASGI application behind the door: health, admin API, usage report.

`/healthz` is answered at once; the rest is built on first use, since most days nobody asks. Here every answer gets the
headers that keep browsers narrow, and here it ends for other users of this machine who bring a cookie or a ticket:
browsers send a cookie to every port of its host, and a ticket stands in the arguments of the browser's command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec

from tray_app.faces.web.sessions import COOKIE, Sessions

if TYPE_CHECKING:
    from tray_app.control.service import Service

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Address = tuple[str, int]
Headers = list[tuple[bytes, bytes]]

NOT_YOURS = (
    "This session belongs to the user of this machine who runs O-Switcher, and another user's program has sent it.\n"
    "Open the report as that user: o-switcher report\n"
)
# What an answer says to browsers where it does not say it itself; pages say more.
SEAL = (
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Site:
    """Everything that is no provider's.

    `is_foreign` tells of a connection, by the client's address and ours, whether it is another user's of this machine.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        sessions: Sessions,
        health: dict[str, str],
        is_foreign: Callable[[Address, Address], bool] = lambda client, server: False,
    ) -> None:
        self._is_foreign = is_foreign
        self._service = service
        self._sessions = sessions
        self._health = msgspec.json.encode(health)
        self._pages: App | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        send, path = _sealing(send), scope["path"]
        if _brings_session(scope) and self._is_foreign(scope["client"], scope["server"]):
            await _send(send, 403, NOT_YOURS.encode(), b"text/plain; charset=utf-8")
        elif path == "/healthz":
            await _send(send, 200, self._health, b"application/json")
        elif path in ("/", "/api/hello") and scope["method"] == "HEAD":
            await _send(send, 200, b"", b"application/json")  # Claude Code asks whether anybody is there
        else:
            await (await self._built())(scope, receive, send)

    async def _built(self) -> App:
        async with self._building:
            if self._pages is None:
                self._pages = await asyncio.to_thread(self._build)
        return self._pages

    def _build(self) -> App:
        from tray_app.faces.web.pages import build

        return build(self._service(), self._sessions)


def _brings_session(scope: Scope) -> bool:
    """Whether a cookie or a ticket of ours comes along."""
    if b"ticket" in unquote_to_bytes(scope["query_string"]):
        return True
    return any(name == b"cookie" and COOKIE.encode() in value for name, value in scope["headers"])


def _sealing(send: Send) -> Send:
    """`send`, with what every answer says to browsers."""

    async def sealed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers: Headers = list(message.get("headers", ()))
            said = {name for name, _ in headers}
            message["headers"] = [*headers, *(pair for pair in SEAL if pair[0] not in said)]
        await send(message)

    return sealed


async def _send(send: Send, status: int, body: bytes, kind: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
