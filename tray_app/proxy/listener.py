"""uvicorn's HTTP protocol with the limits that it lacks: a bound on the head of a request, and on a slow one."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tray_app.proxy.door import THROUGH

ASGIApplication = Callable[[Any, Any, Any], Awaitable[None]]
KEEP_ALIVE_S = 75
MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 200
HEAD_TIMEOUT_S = 30.0


class Listener(HttpToolsProtocol):
    """One client connection. Refuses heads that no real client sends."""

    _head_open = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(HEAD_TIMEOUT_S, self.timeout_keep_alive_handler)
        self._slow_head: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_open:
            self._head_bytes += len(data)
            if self._head_bytes - len(data) > MAX_HEAD_BYTES:
                self.send_400_response("")
                return
        super().data_received(data)
        if self._head_open and self._slow_head is None and not self.transport.is_closing():
            self._slow_head = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _head_done(self) -> None:
        if self._slow_head is not None:
            self._slow_head.cancel()
            self._slow_head = None

    def on_message_begin(self) -> None:
        self._head_open = True
        super().on_message_begin()
        self.scope["extensions"] = {THROUGH: self._through}  # type: ignore[dict-item]

    def _through(self, data: bytes) -> bool:
        """Write a part of a streamed answer at once; False where the client is slow or gone."""
        cycle = self.cycle
        if cycle.disconnected or cycle.response_complete or not cycle.chunked_encoding or self.flow.write_paused:
            return False
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    def on_header(self, name: bytes, value: bytes) -> None:
        # uvicorn's own, and a bound: this runs for every header of every request
        headers = self.headers
        if len(headers) >= MAX_HEADERS:
            raise _HeadTooLarge
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._head_done()
        if self._head_bytes > MAX_HEAD_BYTES and self._size_of_head() > MAX_HEAD_BYTES:
            raise _HeadTooLarge
        self._head_bytes = 0
        super().on_headers_complete()

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def send_400_response(self, msg: str) -> None:
        too_large = self._head_bytes > MAX_HEAD_BYTES or (self.headers is not None and len(self.headers) >= MAX_HEADERS)
        self._head_open = False
        status = b"431 Request Header Fields Too Large" if too_large else b"400 Bad Request"
        words = b"the request's head is too large" if too_large else b"this is not a valid HTTP request"
        body = b'{"error":{"type":"o_switcher_refused","message":"' + words + b'"}}'
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, len(body)) + body)
        self.transport.close()


class _HeadTooLarge(Exception):
    """Stops the parser; it reports any exception of a callback as a parser error."""


class Serving:
    """The open door: uvicorn's protocol on a socket, without its server loop, which wakes ten times a second."""

    def __init__(self, app: ASGIApplication) -> None:
        self._config = Config(
            app,
            http=Listener,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def open(self, sock: socket.socket) -> None:
        """Begin to accept clients on `sock`, which is bound already."""
        logging.getLogger("uvicorn.error").disabled = True  # the door reports its own failures, and cuts on purpose
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Listener(self._config, self._state, {}, loop), sock=sock, backlog=2048
        )

    async def close(self, grace_s: float) -> int:
        """Stop accepting, give running answers `grace_s` seconds, then cut them; how many were cut."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        deadline = asyncio.get_running_loop().time() + grace_s
        while self._state.tasks and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait(list(self._state.tasks), timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        left = list(self._state.tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)
        for connection in list(self._state.connections):
            if isinstance(connection, Listener):
                connection.transport.abort()
        return len(left)
