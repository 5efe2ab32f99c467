"""Keys in environment variables, by the names that the providers' own documentation uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tray_app.agents.found import Found
from tray_app.core.providers import Provider


def discover(environ: Mapping[str, str], known: Mapping[str, Provider]) -> Iterator[Found]:
    """The keys in `environ`."""
    for provider in known.values():
        for name in provider.env:
            if value := environ.get(name, "").strip():
                yield Found(provider.name, "env", f"environment variable {name}", value)
