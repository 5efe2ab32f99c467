"""Live events as a stream of server-sent events. A quiet stream is kept alive, a slow reader is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.responses import Response

from tray_app.control.feed import Event, Feed, Subscription

HEARTBEAT_S = 15.0
LAST_WORDS_S = 0.5  # for a reader that can still be told the end
HELLO = b"retry: 2000\n: O-Switcher's live events\n\n"
HEARTBEAT = b": still here\n\n"

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


def spoken(events: Sequence[Event]) -> bytes:
    """Events in the words of an event stream."""
    return b"".join(b"id: %b\nevent: %b\ndata: %b\n\n" % (e.id.encode(), e.name.encode(), e.data) for e in events)


class EventStream(Response):
    """An answer that goes on until the client leaves, the app stops, or the client takes too little."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, subscription: Subscription, heartbeat_s: float = HEARTBEAT_S) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._feed = feed
        self._subscription = subscription
        self._heartbeat_s = heartbeat_s

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer."""
        tasks: list[asyncio.Task[object]] = []
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": HELLO, "more_body": True})
            pumping: asyncio.Task[object] = asyncio.create_task(self._pump(send))
            tasks = [pumping, asyncio.create_task(_left(receive)), asyncio.create_task(self._subscription.over.wait())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._subscription.over.is_set():
                await asyncio.wait([pumping], timeout=LAST_WORDS_S)
        finally:
            self._feed.leave(self._subscription)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, send: Send) -> None:
        while True:
            events = await self._subscription.take(self._heartbeat_s)
            if events:
                await send({"type": "http.response.body", "body": spoken(events), "more_body": True})
            elif self._subscription.over.is_set():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            else:
                await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
