"""A key that was found somewhere, and the rules by which a found key becomes a profile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tray_app.core.address import BadAddress, base_of
from tray_app.core.providers import Provider

_MIN_KEY = 8
_NOT_A_KEY = re.compile(
    r"\s|^(?:your|my[-_]?api|change[-_]?me|replace|insert|enter|placeholder|example|none|null|undefined|dummy"
    r"|test-?key|[$<{%])|your[-_]|api[-_]?key[-_]?here|x{6,}|\*{3,}|\.{3,}|\{(?:env|file):|opencode-oauth-dummy-key",
    re.IGNORECASE,
)
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
        and not text.lower().startswith(OURS)
        and not _NOT_A_KEY.search(text)
    )


def provider_at(base_url: str, known: Mapping[str, Provider]) -> str | None:
    """The known provider whose origin `base_url` has, or None. The addresses of known ones are well-formed."""
    try:
        origin = base_of(base_url).origin
    except BadAddress:
        return None
    return next((provider.name for provider in known.values() if base_of(provider.base_url).origin == origin), None)


def usable(found: Iterable[Found], known: Mapping[str, Provider]) -> list[Found]:
    """Those of `found` that are keys of known providers, each key once, the first place wins."""
    kept: dict[str, Found] = {}
    for one in found:
        if one.provider in known and looks_like_key(one.secret):
            kept.setdefault(one.secret, one)
    return list(kept.values())
