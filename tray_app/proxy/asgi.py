"""An ASGI application behind the door: it speaks in messages, an exchange in bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from tray_app.core.problem import problem_ending
from tray_app.proxy.listener import Answering, Exchange, Left, TooLarge

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
MAX_BODY = 1024 * 1024  # no page or verb takes more


def answering(app: App) -> Answering:
    """`app` as something that answers exchanges."""

    async def answer(exchange: Exchange) -> None:
        talk = _Talk(exchange)
        if any(name == b"content-length" and int(value) > MAX_BODY for name, value in exchange.headers):
            talk.refuse()
        else:
            await app(talk.scope(), talk.receive, talk.send)

    return answer


class _Talk:
    """One exchange in ASGI's words. A body is read when it is asked for: not of those who are turned away."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._read = False
        self._refused = False

    def refuse(self) -> None:
        """Say that the body is too large, and nothing else any more."""
        self._refused = True
        if not self._exchange.begun:
            refusal = problem_ending(413, "too_large", "the body is too large for a page")
            self._exchange.begin(refusal.status, refusal.headers, refusal.body, over=True)

    def scope(self) -> Message:
        exchange = self._exchange
        client, server = exchange.ends
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": exchange.version,
            "method": exchange.method,
            "scheme": "http",
            "path": unquote(exchange.path.decode("latin-1")),
            "raw_path": exchange.path,
            "query_string": exchange.query,
            "root_path": "",
            "headers": exchange.headers,
            "server": server,
            "client": client,
        }

    async def receive(self) -> Message:
        if not self._read:
            self._read = True
            try:
                return {"type": "http.request", "body": await self._exchange.body(MAX_BODY), "more_body": False}
            except TooLarge:
                self.refuse()
            except Left:
                pass
        await self._exchange.gone()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        exchange = self._exchange
        if self._refused:
            return
        if exchange.slow:
            await exchange.drained()
        if message["type"] == "http.response.start":
            exchange.begin(message["status"], tuple(message.get("headers", ())))
        elif message.get("more_body"):
            exchange.write(message.get("body", b""))
        else:
            exchange.end(message.get("body", b""))
