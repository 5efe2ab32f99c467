"""The heads of answers: what passes of the provider's, and what says how the answer came about."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from tray_app.core.values import Headers

_NOT_PASSED_ON = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"set-cookie",  # a cookie of the provider's would bind the client to one key
        b"set-cookie2",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"alt-svc",
        # what it says to browsers about its own origin is not for them to hear from ours
        b"access-control-allow-credentials",
        b"access-control-allow-headers",
        b"access-control-allow-methods",
        b"access-control-allow-origin",
        b"access-control-allow-private-network",
        b"access-control-expose-headers",
        b"access-control-max-age",
        b"clear-site-data",
        b"content-security-policy",
        b"content-security-policy-report-only",
        b"cross-origin-embedder-policy",
        b"cross-origin-opener-policy",
        b"cross-origin-resource-policy",
        b"nel",
        b"origin-agent-cluster",
        b"permissions-policy",
        b"refresh",
        b"report-to",
        b"reporting-endpoints",
        b"service-worker-allowed",
        b"sourcemap",
        b"strict-transport-security",
        # what we say of our own work
        b"x-o-switcher-attempts",
        b"x-o-switcher-failovers",
        b"x-o-switcher-held",
        b"x-o-switcher-profile",
        b"x-o-switcher-request-id",
    }
)


def passed_on(
    headers: list[tuple[bytes, bytes]],
    heads: Mapping[bytes, bytes],
    status: int,
    *,
    length: int | None = None,
    promised: bool = True,
) -> Headers:
    """The provider's headers without those that concern one connection only.

    Args:
        headers: as they came, names in lower case.
        heads: the same by name.
        status: of the answer. The Location of a redirect is left out: it leads past the proxy.
        length: the body's length where it is known to be whole, to be stated instead of what was.
        promised: whether a stated length may stand.
    """
    connection = b""
    if b"connection" in heads:
        connection = b",".join([value for name, value in headers if name == b"connection"]).lower()
    stated = length is None and promised and status not in (204, 304)
    left_out = _left_out(connection, 300 <= status < 400, stated)
    kept = [pair for pair in headers if pair[0] not in left_out]
    if length is not None:
        kept.append((b"content-length", b"%d" % length))
    return tuple(kept)


@lru_cache(maxsize=64)
def _left_out(connection: bytes, redirect: bool, stated: bool) -> frozenset[bytes]:
    """The names of the headers that do not pass."""
    names = {part.strip() for part in connection.split(b",")}
    if redirect:
        names.add(b"location")
    if not stated:
        names.add(b"content-length")
    return _NOT_PASSED_ON | names


def marks(request_id: str, profile_id: str | None = None, attempts: int = 0, failovers: int = 0) -> Headers:
    """The headers that say what was done for a request."""
    return (
        (b"x-o-switcher-request-id", request_id.encode()),
        (b"x-o-switcher-profile", (profile_id or "none").encode()),
        (b"x-o-switcher-attempts", b"%d" % attempts),
        (b"x-o-switcher-failovers", b"%d" % failovers),
    )
