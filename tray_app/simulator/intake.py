"""Bytes into requests: one HTTP/1.1 parser a connection, over httptools. No replies, no socket.

A body over the limit makes a request that says so at once; whatever follows it is thrown away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import httptools

from .asked import BODY_LIMIT
from .values import Request


class NotHTTP(Exception):
    """The bytes are no request; the connection cannot be read any further."""


class Intake:
    """`take` is called with each request as it becomes whole, `expected` when a client waits to be invited."""

    def __init__(self, take: Callable[[Request], None], expected: Callable[[], None]) -> None:
        self._take, self._expected = take, expected
        self._parser = httptools.HttpRequestParser(self)
        self.expecting = False  # a client waits for `100 Continue` before it sends its body
        self.deaf = False  # nothing that comes now is a request

    def feed(self, data: bytes) -> None:
        """Raises `NotHTTP`, once."""
        if self.deaf:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.deaf = True  # the request has been taken, as one that closes the connection
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError as error:
            self.deaf = True
            raise NotHTTP from error

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._hash = hashlib.sha256()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        headers = dict(self._headers)
        if int(headers.get(b"content-length", b"0")) > BODY_LIMIT:
            self._refuse_body()
        elif headers.get(b"expect", b"").lower() == b"100-continue":
            self.expecting = True
            self._expected()

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self.deaf:
            return
        self._hash.update(body)
        self._body.append(body)
        if self._size > BODY_LIMIT:
            self._refuse_body()

    def on_message_complete(self) -> None:
        self.expecting = False
        if not self.deaf:
            self._take(self._request())

    def _refuse_body(self) -> None:
        self._body.clear()
        request = self._request(too_large=True)
        self.deaf = True
        self._take(request)

    def _request(self, too_large: bool = False) -> Request:
        parser = self._parser
        path, _, query = self._target.decode("latin-1").partition("?")
        lasting = parser.should_keep_alive() and not parser.should_upgrade()
        return Request(
            method=parser.get_method().decode("ascii"),
            path=_absolute_path(self._target) if "://" in path else path,
            query=query,
            headers=self._headers,
            body=b"".join(self._body),
            body_bytes=self._size,
            digest=self._hash.digest(),
            keep_alive=lasting and not too_large,
            chunkable=parser.get_http_version() == "1.1",
            too_large=too_large,
        )


def _absolute_path(target: bytes) -> str:
    """The path of a target in absolute form, which a client sends that takes us for a proxy."""
    path: bytes | None = httptools.parse_url(target).path
    return (path or b"/").decode("latin-1")
