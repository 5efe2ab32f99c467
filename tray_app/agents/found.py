"""What was found somewhere, and the rules by which a found key becomes a profile, or why it does not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tray_app.core.address import BadAddress, base_of
from tray_app.core.providers import BUILT_IN, Provider
from tray_app.core.redact import brief

_MIN_KEY = 8
_NOT_A_KEY = re.compile(
    r"\s|^(?:your|my[-_]?api|change[-_]?me|replace|insert|enter|placeholder|example|none|null|undefined|dummy"
    r"|test-?key|[$<{%])|your[-_]|api[-_]?key[-_]?here|x{6,}|\*{3,}|\.{3,}|\{(?:env|file):|opencode-oauth-dummy-key",
    re.IGNORECASE,
)
OURS = "osw-"
_LOGIN_TOKEN = "sk-ant-oat"  # noqa: S105 - what the tokens of Claude's subscriptions begin with
LOGIN = "a consumer login, not an API key: only API keys are pooled"
UNKNOWN = "no provider of that name is known; name one with: o-switcher config set providers.NAME.base_url https://..."


@dataclass(frozen=True, slots=True)
class Found:
    """A key with the place it was found in. `base_url` None: the provider's own.

    `project`: a file of the project has a say in it, which may come from a stranger; so it is taken only when asked.
    `stamp` changes where the same key is given again in the same place, as by another login.
    """

    provider: str
    label: str
    source: str
    secret: str = field(repr=False)
    base_url: str | None = None
    project: bool = False
    stamp: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What is there but is not taken. `provider` is the name that the place gives it."""

    provider: str
    source: str
    why: str


Finding = Found | PassedOver


class Unreadable(Exception):
    """A file that the user named gives no keys; says why, and what to do."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")


def looks_like_key(text: object) -> bool:
    """Whether `text` may be an API key: no placeholder, no token of our own, printable ASCII."""
    return isinstance(text, str) and _fault_of(text) is None


def _fault_of(text: str) -> str | None:
    if text.lower().startswith(OURS):
        return "a token of O-Switcher's own"
    fits = len(text) >= _MIN_KEY and text.isascii() and text.isprintable()
    return None if fits and not _NOT_A_KEY.search(text) else "a placeholder, not a key"


def provider_at(base_url: str, known: Mapping[str, Provider]) -> str | None:
    """The known provider whose origin `base_url` has, or None. The addresses of known ones are well-formed."""
    try:
        origin = base_of(base_url).origin
    except BadAddress:
        return None
    return next((provider.name for provider in known.values() if base_of(provider.base_url).origin == origin), None)


def elsewhere(base_url: str) -> str:
    """Why a key that is for that address is not taken."""
    return f"it is for {_shown(base_url)}, where no known provider is; name it with: o-switcher config set {_NAMED}"


_NAMED = "providers.NAME.base_url https://..."


def _shown(base_url: str) -> str:
    try:
        return str(base_of(base_url).origin)
    except BadAddress:
        return "an address that cannot be used"


def sifted(findings: Iterable[Finding], known: Mapping[str, Provider]) -> list[Finding]:
    """The keys of known providers, each once, the first place wins; and why all else is not taken."""
    kept: dict[str, Found] = {}
    out: list[Finding] = []
    for one in findings:
        if isinstance(one, PassedOver) or ((why := _why_not(one, known)) is None and one.secret not in kept):
            out.append(one)
            if isinstance(one, Found):
                kept[one.secret] = one
            continue
        out.append(PassedOver(one.provider, one.source, why or f"the same key as in {kept[one.secret].source}"))
    return [_tidy(one) if isinstance(one, PassedOver) else one for one in out]


def usable(findings: Iterable[Finding], known: Mapping[str, Provider]) -> list[Found]:
    """Those of `findings` that are keys of known providers, each key once, the first place wins."""
    return [one for one in sifted(findings, known) if isinstance(one, Found)]


def _why_not(one: Found, known: Mapping[str, Provider]) -> str | None:
    if one.provider not in known:
        return UNKNOWN
    return _fault_of(one.secret) or (LOGIN if one.secret.startswith(_LOGIN_TOKEN) else _of_another(one, known))


def _of_another(one: Found, known: Mapping[str, Provider]) -> str | None:
    """A key that plainly is another provider's would be shown to the wrong one; a named endpoint may take any."""
    own = known[one.provider].key_prefix
    if one.provider not in BUILT_IN or (own and one.secret.startswith(own)):
        return None
    for provider in known.values():
        if provider.key_prefix and provider.name != one.provider and one.secret.startswith(provider.key_prefix):
            return f"it begins as keys of {provider.title} do; if it is one: o-switcher profiles add {provider.name}"
    return None


def _tidy(one: PassedOver) -> PassedOver:
    """Names in other people's files may be anything, a key in the wrong place among it."""
    return PassedOver(brief(one.provider) or "?", one.source, one.why)
