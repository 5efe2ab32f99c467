"""What the vault holds: keys with the profiles they belong to, local tokens, keys that are not wanted, and what
stood in clients' files before they were connected."""

from __future__ import annotations

import hashlib
from typing import Protocol as Interface

import msgspec

VERSION = 1


class VaultError(Exception):
    """Keys cannot be read or written; says why and what to do."""


class NoKeyring(VaultError):
    """This system has none that could be used."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A key's profile, with the key. Never shown: use `fingerprint` and `tail`."""

    secret: str
    provider: str
    label: str
    base_url: str
    account: str = ""
    source: str = "cli"
    priority: int = 0
    tags: tuple[str, ...] = ()
    added_at: int = 0

    def __repr__(self) -> str:
        return f"Entry(provider={self.provider!r}, label={self.label!r}, key=...{self.tail})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("provider", self.provider), ("label", self.label), ("key", f"...{self.tail}")]

    @property
    def fingerprint(self) -> str:
        """Tells keys apart without telling the key."""
        return fingerprint(self.secret)

    @property
    def tail(self) -> str:
        """The last characters, for people to recognise the key by."""
        return self.secret[-4:] if len(self.secret) >= 12 else ""


def fingerprint(secret: str) -> str:
    """16 hexadecimal digits of the key's SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


class Document(msgspec.Struct):
    """All that the vault holds."""

    version: int = VERSION
    profiles: dict[str, Entry] = {}
    tokens: dict[str, str] = {}
    forgotten: list[str] = []
    replaced: dict[str, dict[str, str]] = {}

    def __repr__(self) -> str:
        return f"Document({len(self.profiles)} profiles, {len(self.tokens)} tokens)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("profiles", len(self.profiles)), ("tokens", len(self.tokens))]


class Store(Interface):
    """Where a document is kept."""

    name: str

    def load(self) -> Document: ...

    def save(self, document: Document) -> None: ...
