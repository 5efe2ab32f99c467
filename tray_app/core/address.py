"""Where a provider lives: the origin that a key is bound to, and the path of its base URL."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from tray_app.core.redact import redact

_VISIBLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+(?:%[a-z0-9._-]+)?")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class BadAddress(ValueError):
    """A base URL that cannot be used; says why and what to do."""


class Origin(Struct, frozen=True):
    """Scheme, host and port: what a key is bound to, and what a connection leads to."""

    tls: bool
    host: str
    port: int

    @property
    def authority(self) -> bytes:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}").encode()

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority.decode()}"


class Base(Struct, frozen=True):
    """A base URL, taken apart once. `path` has no trailing slash."""

    origin: Origin
    path: bytes


@lru_cache(maxsize=256)
def base_of(url: str) -> Base:
    """Take `url` apart. Plain http is for loopback only, since it would carry the key in the clear."""
    parts = _split(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise BadAddress(f"{redact(url)!r} is not an http(s) address; give one like https://host/v1")
    if "@" in parts.netloc:
        raise BadAddress(f"the address of {host} must not hold a user name or password")
    if parts.query or parts.fragment:
        raise BadAddress(f"the address of {host} must end before '?' and '#'")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise BadAddress(f"http://{host} would carry the key in the clear; use https")
    return Base(Origin(parts.scheme == "https", host, _port(parts)), parts.path.rstrip("/").encode())


def _split(url: str) -> SplitResult:
    """Take `url` apart; it goes into a request's head, so nothing but visible ASCII may be in it."""
    if not _VISIBLE.fullmatch(url):
        raise BadAddress(f"{redact(url)!r} holds blanks or characters beyond ASCII; give one like https://host/v1")
    try:
        return urlsplit(url)
    except ValueError as error:
        raise BadAddress(f"{redact(url)!r} is not an address: {error}") from error


def _port(parts: SplitResult) -> int:
    usual = 443 if parts.scheme == "https" else 80
    try:
        port = usual if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise BadAddress(f"the port of {parts.hostname} is not a number from 1 to 65535")
    return port
