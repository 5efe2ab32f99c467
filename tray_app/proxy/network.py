"""How to reach a provider: the system's trust and the usual proxy variables."""

from __future__ import annotations

import base64
import ssl
import sys
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from msgspec import Struct

from tray_app.core.address import LOOPBACK, BadAddress, Origin


class Gateway(Struct, frozen=True):
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
    try:
        port = parts.port or 80
    except ValueError as error:
        raise BadAddress("the proxy address in the environment has a port that is no number") from error
    if parts.scheme != "http" or not parts.hostname:
        raise BadAddress(f"a proxy of kind {parts.scheme!r} is set in the environment; only http:// proxies are known")
    return Gateway(parts.hostname, port, _basic(parts))


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
