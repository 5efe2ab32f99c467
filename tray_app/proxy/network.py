"""Where a provider lives and how to reach it: origins, the system's trust, the usual proxy variables."""

from __future__ import annotations

import base64
import ssl
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

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


@dataclass(frozen=True, slots=True)
class Gateway:
    """An HTTP proxy of the user's, on the way to a provider. `auth` is the ready header value."""

    host: str
    port: int
    auth: bytes | None

    def __repr__(self) -> str:
        return f"Gateway({self.host}:{self.port})"


@lru_cache(maxsize=256)
def gateway_for(origin: Origin) -> Gateway | None:
    """The proxy that the environment (or the system) names for `origin`, or None."""
    if origin.host in LOOPBACK or proxy_bypass(origin.host):
        return None
    proxies = getproxies()
    url = proxies.get("https" if origin.tls else "http") or proxies.get("all")
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise BadAddress(f"a proxy of kind {parts.scheme!r} is set in the environment; only http:// proxies are known")
    return Gateway(parts.hostname, parts.port or 80, _basic(parts))


def _basic(parts: SplitResult) -> bytes | None:
    if not parts.username:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return b"Basic " + base64.b64encode(pair.encode())


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """The client side of TLS with the system's trust; certifi's where the system has none."""
    context = _system_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _system_context() -> ssl.SSLContext:
    if sys.platform != "linux":
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if _linux_has_trust():
        return ssl.create_default_context()
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _linux_has_trust() -> bool:
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile) or (paths.capath is not None and any(Path(paths.capath).iterdir()))
