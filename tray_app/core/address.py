"""Where a provider lives: the origin that a key is bound to, and the path of its base URL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class BadAddress(ValueError):
    """A base URL that cannot be used; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Origin:
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


@dataclass(frozen=True, slots=True)
class Base:
    """A base URL, taken apart once. `path` has no trailing slash."""

    origin: Origin
    path: bytes


@lru_cache(maxsize=256)
def base_of(url: str) -> Base:
    """Take `url` apart. Plain http is for loopback only, since it would carry the key in the clear."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadAddress(f"{url!r} is not an http(s) address; give one like https://host/v1")
    if parts.username or parts.password:
        raise BadAddress(f"the address of {parts.hostname} must not hold a user name or password")
    if parts.query or parts.fragment:
        raise BadAddress(f"the address of {parts.hostname} must end before '?' and '#'")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise BadAddress(f"http://{parts.hostname} would carry the key in the clear; use https")
    origin = Origin(parts.scheme == "https", parts.hostname, _port(parts))
    return Base(origin, parts.path.rstrip("/").encode())


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"the port of {parts.hostname} is not a number from 1 to 65535") from error
    return port or (443 if parts.scheme == "https" else 80)
