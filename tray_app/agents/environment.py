"""Keys in environment variables, by the names that the providers' own documentation uses.

A variable that sends a client elsewhere says whose the key beside it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tray_app.agents.found import LOGIN, OURS, Finding, Found, PassedOver, elsewhere, provider_at
from tray_app.core.providers import Provider

_ADDRESSES: Mapping[str, tuple[str, ...]] = {
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "anthropic": ("ANTHROPIC_BASE_URL",),
    "google": ("GOOGLE_GEMINI_BASE_URL",),
}
_TOKEN = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - a variable's name: a login's token, or a gateway's key


def discover(
    environ: Mapping[str, str], known: Mapping[str, Provider], place: str = "environment variable", label: str = "env"
) -> Iterator[Finding]:
    """The keys in `environ`, or in what some file sets as such. `place` is what to call it."""
    for provider in known.values():
        for name in provider.env:
            if value := environ.get(name, "").strip():
                yield _whose(provider.name, f"{place} {name}", value, environ, known, label)
    if value := environ.get(_TOKEN, "").strip():
        yield _token(f"{place} {_TOKEN}", value, environ, known, label)


def _whose(
    provider: str, source: str, key: str, environ: Mapping[str, str], known: Mapping[str, Provider], label: str
) -> Finding:
    url = _address(provider, environ)
    if url is None or key.startswith(OURS):
        return Found(provider, label, source, key)
    there = provider_at(url, known)
    return PassedOver(provider, source, elsewhere(url)) if there is None else Found(there, label, source, key)


def _address(provider: str, environ: Mapping[str, str]) -> str | None:
    return next((url for name in _ADDRESSES.get(provider, ()) if (url := environ.get(name, "").strip())), None)


def _token(source: str, token: str, environ: Mapping[str, str], known: Mapping[str, Provider], label: str) -> Finding:
    """At Anthropic it is a login; elsewhere it is how Claude Code is given a gateway's key."""
    url = _address("anthropic", environ)
    there = "anthropic" if url is None else provider_at(url, known)
    if there == "anthropic":
        return PassedOver(there, source, LOGIN)
    if url is not None and there is None and not token.startswith(OURS):
        return PassedOver("anthropic", source, elsewhere(url))
    return Found(there or "anthropic", label, source, token)
