"""Codex: the API key in its `auth.json`, and those of the providers in its `config.toml`. Its tokens are a login's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tray_app.agents.found import LOGIN, Finding, Found, PassedOver, elsewhere, provider_at
from tray_app.agents.reading import read_jsonc, read_toml, tables
from tray_app.core.providers import Provider


def discover(environ: Mapping[str, str], home: Path, known: Mapping[str, Provider]) -> Iterator[Finding]:
    """The API keys that Codex holds."""
    folder = Path(environ.get("CODEX_HOME") or home / ".codex")
    settings, login = read_toml(folder / "config.toml"), read_jsonc(folder / "auth.json")
    key, place = login.get("OPENAI_API_KEY"), "Codex's auth.json"
    if isinstance(key, str) and key.strip():
        yield _at(settings.get("openai_base_url"), "openai", place, key.strip(), known)
    elif login.get("tokens"):
        yield PassedOver("openai", place, LOGIN)
    for name, block in tables(settings.get("model_providers")):
        key = block.get("experimental_bearer_token")
        if isinstance(key, str) and key.strip():
            yield _at(block.get("base_url"), name, f"Codex's config.toml, {name}", key.strip(), known)
        elif isinstance(variable := block.get("env_key"), str) and (key := environ.get(variable, "").strip()):
            yield _at(block.get("base_url"), name, f"environment variable {variable}, for Codex's {name}", key, known)


def _at(url: object, name: str, place: str, key: str, known: Mapping[str, Provider]) -> Finding:
    """A key for that address; without one, for the provider of that name."""
    provider = provider_at(url, known) if isinstance(url, str) else name
    if provider is None:
        return PassedOver(name, place, elsewhere(str(url)))
    return Found(provider, "codex", place, key)
