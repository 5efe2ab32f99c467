"""The keys: in the OS keyring where one is usable, else in `keys.json`, mode 0600. Nowhere else.

Each key is kept with the origin of its provider and is given out for that origin only.
Local tokens of clients are kept here too, and the fingerprints of keys that the user removed,
so that discovery does not bring them back.
"""

from __future__ import annotations

import hashlib
import secrets
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol as Interface
from typing import TypeVar

import msgspec

from tray_app.core.address import BadAddress, base_of
from tray_app.host.home import write_private

SERVICE = "o-switcher"
TOKEN_PREFIX = "osw-"  # noqa: S105 - what tokens begin with, not one of them
KEYRING_PATIENCE_S = 5.0
_T = TypeVar("_T")


class VaultError(Exception):
    """Keys cannot be read or written; says why and what to do."""


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

    version: int = 1
    profiles: dict[str, Entry] = {}
    tokens: dict[str, str] = {}
    forgotten: list[str] = []


class Store(Interface):
    """Where a document is kept."""

    name: str

    def load(self) -> Document: ...

    def save(self, document: Document) -> None: ...


class Vault:
    """The keys of this user, read once and kept in memory; every change is written at once."""

    def __init__(self, store: Store, notices: tuple[str, ...] = ()) -> None:
        self.store = store
        self.notices = notices
        self._lock = threading.Lock()
        self._document = store.load()

    def entries(self) -> dict[str, Entry]:
        """All profiles with their keys, by profile id."""
        return dict(self._document.profiles)

    def secret(self, profile_id: str, base_url: str) -> str | None:
        """The key of that profile, if `base_url` is of the origin that the key is bound to."""
        entry = self._document.profiles.get(profile_id)
        if entry is None:
            return None
        try:
            same = base_of(entry.base_url).origin == base_of(base_url).origin
        except BadAddress:
            return None
        return entry.secret if same else None

    def put(self, profile_id: str, entry: Entry) -> None:
        """Keep that profile and its key.

        Raises:
            VaultError: it could not be written; nothing changed.
        """
        known = self._document
        forgotten = [mark for mark in known.forgotten if mark != entry.fingerprint]
        self._change(Document(1, {**known.profiles, profile_id: entry}, known.tokens, forgotten))

    def remove(self, profile_id: str) -> None:
        """Forget that profile's key, and remember that it is not wanted."""
        known = self._document
        entry = known.profiles.get(profile_id)
        if entry is None:
            return
        kept = {key: value for key, value in known.profiles.items() if key != profile_id}
        self._change(Document(1, kept, known.tokens, [*known.forgotten, entry.fingerprint]))

    def rename(self, old: str, new: str, label: str) -> None:
        """Give a profile another id and label, in the same place."""
        known = self._document
        renamed = {
            (new if key == old else key): (msgspec.structs.replace(value, label=label) if key == old else value)
            for key, value in known.profiles.items()
        }
        self._change(Document(1, renamed, known.tokens, known.forgotten))

    def is_known(self, secret: str) -> bool:
        """Whether that key is held already, or was removed by the user."""
        mark = fingerprint(secret)
        held = any(entry.fingerprint == mark for entry in self._document.profiles.values())
        return held or mark in self._document.forgotten

    def token(self, client: str) -> str:
        """That client's local token, made if it has none."""
        found = self._document.tokens.get(client)
        if found is None:
            found = f"{TOKEN_PREFIX}{client}-{secrets.token_hex(16)}"
            known = self._document
            self._change(Document(1, known.profiles, {**known.tokens, client: found}, known.forgotten))
        return found

    def tokens(self) -> dict[str, str]:
        """Client name by token hash is for the door; here: token by client name."""
        return dict(self._document.tokens)

    def _change(self, document: Document) -> None:
        with self._lock:
            try:
                self.store.save(document)
            except OSError as error:
                raise VaultError(f"keys could not be saved in the {self.store.name}: {error.strerror}") from error
            self._document = document


class FileStore:
    """`keys.json`, mode 0600."""

    def __init__(self, path: Path) -> None:
        self.name = f"file {path}"
        self._path = path

    def load(self) -> Document:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Document()
        except OSError as error:
            raise VaultError(f"{self._path} cannot be read: {error.strerror}. Check its owner and mode") from error
        try:
            return msgspec.json.decode(data, type=Document)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise VaultError(
                f"{self._path} is damaged ({str(error)[:80]}). Mend it, or move it away and add the keys again"
            ) from error

    def save(self, document: Document) -> None:
        write_private(self._path, msgspec.json.format(msgspec.json.encode(document), indent=2))

    def tighten(self) -> str | None:
        """Take the file away from other users' eyes. What was done, or None."""
        if sys.platform == "win32":
            return None
        try:
            mode = stat.S_IMODE(self._path.stat().st_mode)
            if mode & 0o077 == 0:
                return None
            self._path.chmod(0o600)
        except OSError:
            return None
        return f"{self._path} could be read by other users (mode {mode:04o}); it is 0600 now"


class Keyring(Interface):
    """The three calls of the keyring library that are needed."""

    def get_password(self, service: str, name: str) -> str | None: ...

    def set_password(self, service: str, name: str, value: str) -> None: ...

    def delete_password(self, service: str, name: str) -> None: ...


class KeyringStore:
    """One item a profile or token, and an index of their names, since keyrings cannot be listed."""

    name = "system's keyring"

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def load(self) -> Document:
        index = self._get("index")
        if index is None:
            return Document()
        names = msgspec.json.decode(index, type=_Index)
        profiles, tokens = {}, {}
        for name in names.profiles:
            if (text := self._get(f"profile:{name}")) is not None:
                profiles[name] = msgspec.json.decode(text, type=Entry)
        for client in names.tokens:
            if (text := self._get(f"token:{client}")) is not None:
                tokens[client] = text
        return Document(1, profiles, tokens, names.forgotten)

    def save(self, document: Document) -> None:
        before = self.load()
        for name, entry in document.profiles.items():
            if before.profiles.get(name) != entry:
                self._set(f"profile:{name}", msgspec.json.encode(entry).decode())
        for client, token in document.tokens.items():
            if before.tokens.get(client) != token:
                self._set(f"token:{client}", token)
        index = _Index(list(document.profiles), list(document.tokens), document.forgotten)
        self._set("index", msgspec.json.encode(index).decode())
        for name in before.profiles.keys() - document.profiles.keys():
            self._delete(f"profile:{name}")
        for client in before.tokens.keys() - document.tokens.keys():
            self._delete(f"token:{client}")

    def _get(self, name: str) -> str | None:
        return _patiently(lambda: self._keyring.get_password(SERVICE, name))

    def _set(self, name: str, value: str) -> None:
        _patiently(lambda: self._keyring.set_password(SERVICE, name, value))

    def _delete(self, name: str) -> None:
        with suppress(VaultError):
            _patiently(lambda: self._keyring.delete_password(SERVICE, name))


class _Index(msgspec.Struct):
    profiles: list[str] = []
    tokens: list[str] = []
    forgotten: list[str] = []


def _patiently(ask: Callable[[], _T]) -> _T:
    """Ask the keyring on a thread of its own: a locked one may wait for a dialog that nobody sees."""
    answer: list[_T] = []
    trouble: list[Exception] = []

    def work() -> None:
        try:
            answer.append(ask())
        except Exception as error:
            trouble.append(error)

    thread = threading.Thread(target=work, name="keyring", daemon=True)
    thread.start()
    thread.join(KEYRING_PATIENCE_S)
    if trouble:
        raise VaultError(f"the system's keyring failed: {type(trouble[0]).__name__}") from trouble[0]
    if not answer:
        raise VaultError("the system's keyring does not answer; unlock it and try again")
    return answer[0]


def open_vault(keys: Path, wanted: str) -> Vault:
    """The vault as `[secrets] store` wants it: `auto`, `keyring` or `file`.

    Raises:
        VaultError: the keys cannot be read, or no keyring is usable where one is demanded.
    """
    if wanted == "keyring":
        return Vault(KeyringStore(_usable_keyring()))
    if wanted == "auto" and not keys.exists():
        with suppress(VaultError):
            return Vault(KeyringStore(_usable_keyring()))
    store = FileStore(keys)
    tightened = store.tighten()
    return Vault(store, (tightened,) if tightened else ())


def _usable_keyring() -> Keyring:
    """The system's keyring, proven by a question. Imported only here: it is an extra, and slow to load."""
    try:
        import keyring
        import keyring.backends.fail
        import keyring.backends.null
    except ImportError as error:
        raise VaultError("the keyring library is not installed: pip install 'o-switcher[keyring]'") from error
    backend = _patiently(keyring.get_keyring)
    if isinstance(backend, keyring.backends.fail.Keyring | keyring.backends.null.Keyring):
        raise VaultError("this system offers no keyring; use: o-switcher config set secrets.store file")
    _patiently(lambda: backend.get_password(SERVICE, "index"))
    return backend
