"""A key that was found somewhere, and the rules by which a found key becomes a profile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tray_app.core.address import BadAddress, base_of
from tray_app.core.providers import Provider, canonical

_MIN_KEY = 8
_NOT_A_KEY = re.compile(r"\s|^(?:your|changeme|xxx|none|null|dummy|test-?key|sk-\.\.\.|\$|\{)", re.IGNORECASE)
OURS = "osw-"


@dataclass(frozen=True, slots=True)
class Found:
    """A key with the place it was found in. `base_url` None: the provider's own."""

    provider: str
    label: str
    source: str
    secret: str = field(repr=False)
    base_url: str | None = None


def looks_like_key(text: object) -> bool:
    """Whether `text` may be an API key: no placeholder, no token of our own, printable ASCII."""
    return (
        isinstance(text, str)
        and len(text) >= _MIN_KEY
        and text.isascii()
        and text.isprintable()
        and not text.startswith(OURS)
        and not _NOT_A_KEY.search(text)
    )


def provider_at(base_url: str, known: Mapping[str, Provider]) -> str | None:
    """The known provider whose origin `base_url` has, or None."""
    try:
        origin = base_of(base_url).origin
    except BadAddress:
        return None
    for provider in known.values():
        try:
            if base_of(provider.base_url).origin == origin:
                return provider.name
        except BadAddress:
            continue
    return None


def usable(found: Iterable[Found], known: Mapping[str, Provider]) -> list[Found]:
    """Those of `found` that are keys of known providers, each key once, the first place wins."""
    kept: dict[str, Found] = {}
    for one in found:
        if canonical(one.provider) in known and looks_like_key(one.secret):
            kept.setdefault(one.secret, one)
    return list(kept.values())
