"""Asks a provider whether it takes a key, before the key is kept. Only by a question that costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tray_app.core import probes
from tray_app.core.classify import classify
from tray_app.core.providers import KeyHeader, Provider
from tray_app.core.redact import brief
from tray_app.core.values import Action, Call, Head, Profile, Protocol, Unreachable
from tray_app.proxy.http1 import Response
from tray_app.proxy.upstream import Timeouts, Upstream

PATIENCE_S = 15.0
_ACCEPT = (b"accept", b"application/json")
_ANTHROPIC = (b"anthropic-version", b"2023-06-01")


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What the provider said of a key: `taken` is None where that could not be told."""

    taken: bool | None
    words: str


async def check_key(
    provider: Provider,
    base_url: str,
    secret: str,
    providers: Callable[[], Mapping[str, Provider]],
    timeouts: Callable[[], Timeouts],
    now: int,
) -> KeyCheck:
    """Ask the provider at `base_url`. What is asked: its own question about keys, else its list of models."""
    if provider.key_header is KeyHeader.NONE:
        return KeyCheck(None, f"{provider.title} takes calls without a key")
    probe = probes.PROBES.get(provider.name)
    url = urlsplit(probe.url(base_url) if probe else f"{base_url}/models")
    headers = (_ACCEPT, _ANTHROPIC) if provider.name == "anthropic" else (_ACCEPT,)
    call = Call("", "", provider.name, Protocol.OTHER, "GET", url.path, b"", headers, b"", None, False, now)
    profile = Profile("new", provider.name, "new", "new", f"{url.scheme}://{url.netloc}", "", "", "")
    upstream = Upstream(lambda _: secret, providers, timeouts)
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await upstream.send(call, profile)
            if isinstance(answer, Unreachable):
                return KeyCheck(None, f"{provider.title} could not be asked: {brief(answer.message)}")
            return _understood(provider, answer.status, await _beginning(answer), now)
    except TimeoutError:
        return KeyCheck(None, f"{provider.title} did not answer within {PATIENCE_S:.0f} s")
    finally:
        upstream.close()


def _understood(provider: Provider, status: int, body: bytes, now: int) -> KeyCheck:
    if 200 <= status < 300:
        return KeyCheck(True, f"{provider.title} takes this key")
    verdict = classify(provider.name, Head(status, {}, body), now / 1000)
    if verdict.action is Action.REAUTH or status in (401, 403):
        said = f": {brief(verdict.message)}" if verdict.message else ""
        return KeyCheck(False, f"{provider.title} refuses this key{said}")
    return KeyCheck(None, f"{provider.title} answered {status}, which says nothing of the key")


async def _beginning(answer: Response) -> bytes:
    data = b""
    try:
        while len(data) <= probes.MOST_BYTES and (more := await answer.read()):
            data += more
    finally:
        answer.close()
    return data
