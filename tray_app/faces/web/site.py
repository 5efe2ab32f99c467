"""The ASGI application behind the door: health, admin API, usage report.

`/healthz` is answered at once; the rest is built on first use, since most days nobody asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import msgspec

from tray_app.faces.web.sessions import Sessions

if TYPE_CHECKING:
    from tray_app.control.service import Service

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Site:
    """Everything that is no provider's."""

    def __init__(self, service: Callable[[], Service], sessions: Sessions, health: dict[str, str]) -> None:
        self._service = service
        self._sessions = sessions
        self._health = msgspec.json.encode(health)
        self._pages: App | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/healthz":
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


async def _send(send: Send, status: int, body: bytes, kind: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
