"""What the vault holds: keys with the profiles they belong to, local tokens, keys that are not wanted, and what
stood in clients' files before they were connected."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from copy import copy
from typing import Protocol as Interface

import msgspec

VERSION = 1


class VaultError(Exception):
    """Keys cannot be read or written; says why and what to do."""


class NoKeyring(VaultError):
    """This system has none that could be used."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A key's profile, with the key. Never shown: use `fingerprint` and `tail`.

    `base_url` is where the key may go. `follows`: no address of its own was given, so the profile goes where the
    settings say that its provider is, once the key may go there too.
    """

    secret: str
    provider: str
    label: str
    base_url: str
    account: str = ""
    source: str = "cli"
    priority: int = 0
    tags: tuple[str, ...] = ()
    added_at: int = 0
    follows: bool = False

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


class Aside(msgspec.Struct, frozen=True):
    """The key of a profile that was removed, kept to be had back until then (ms)."""

    entry: Entry
    until_at: int


class Document(msgspec.Struct):
    """All that the vault holds."""

    version: int = VERSION
    profiles: dict[str, Entry] = {}
    tokens: dict[str, str] = {}
    forgotten: list[str] = []
    replaced: dict[str, dict[str, str]] = {}
    aside: dict[str, Aside] = {}

    def copied(self) -> Document:
        """The same, to be changed."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return Document(**{name: copy(value) for name, value in fields.items()})

    def become(self, other: Document) -> None:
        """Hold what `other` holds."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(other, name))

    def __repr__(self) -> str:
        return f"Document({len(self.profiles)} profiles, {len(self.tokens)} tokens)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("profiles", len(self.profiles)), ("tokens", len(self.tokens))]


def merged(held: Document, more: Document) -> Document:
    """`held`, with everything of `more` that it does not have. Of two keys, or tokens, of one name both stay."""
    made = held.copied()
    marks = {entry.fingerprint for entry in held.profiles.values()}
    for name, entry in more.profiles.items():
        if entry.fingerprint not in marks:
            free = _free(name, made.profiles)
            label = entry.label + free.removeprefix(name)
            made.profiles[free] = msgspec.structs.replace(entry, label=label)
    for client, token in more.tokens.items():
        if token not in made.tokens.values():
            made.tokens[_free(client, made.tokens)] = token
    for client, texts in more.replaced.items():
        made.replaced[client] = {**texts, **made.replaced.get(client, {})}
    made.aside = {**more.aside, **held.aside}
    marks = {entry.fingerprint for entry in made.profiles.values()}
    made.forgotten = [mark for mark in dict.fromkeys((*held.forgotten, *more.forgotten)) if mark not in marks]
    return made


def _free(name: str, taken: Container[str]) -> str:
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


class Store(Interface):
    """Where a document is kept."""

    name: str

    def load(self) -> Document: ...

    def save(self, document: Document) -> None: ...

    def clear(self) -> None: ...
