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
        try:
            body = await exchange.body(MAX_BODY)
        except Left:
            return
        except TooLarge:
            refusal = problem_ending(413, "too_large", "the body is too large for a page")
            exchange.begin(refusal.status, refusal.headers, refusal.body, over=True)
            return
        talk = _Talk(exchange, body)
        await app(talk.scope(), talk.receive, talk.send)

    return answer


class _Talk:
    """One exchange in ASGI's words."""

    def __init__(self, exchange: Exchange, body: bytes) -> None:
        self._exchange = exchange
        self._body: bytes | None = body

    def scope(self) -> Message:
        exchange = self._exchange
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
            "server": None,
            "client": exchange.peer,
        }

    async def receive(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            await self._exchange.gone()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        exchange = self._exchange
        if exchange.slow:
            await exchange.drained()
        if message["type"] == "http.response.start":
            exchange.begin(message["status"], tuple(message.get("headers", ())))
        elif message.get("more_body"):
            exchange.write(message.get("body", b""))
        else:
            exchange.end(message.get("body", b""))
