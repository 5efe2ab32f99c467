"""The keys: in the OS keyring where one is usable, else in `keys.json`, mode 0600. Nowhere else.

Each key is kept with the origin of its provider and is given out for that origin only.
Local tokens of clients are kept here too, with the keys that stood in their files before they were connected, and the
fingerprints of keys that the user removed, so that discovery does not bring them back. A key that was removed may be
set aside, to be had back for a while: it is given out to nobody meanwhile.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tray_app.core.address import BadAddress, base_of
from tray_app.host.entries import VERSION, Aside, Document, Entry, NoKeyring, Store, VaultError, fingerprint, merged
from tray_app.host.home import find_home, remove_private, write_private
from tray_app.host.keyring_store import KEYRING_PATIENCE_S, SERVICE, KeyringStore, usable_keyring

__all__ = ["Entry", "FileStore", "Vault", "VaultError", "fingerprint", "open_vault"]

TOKEN_PREFIX = "osw-"  # noqa: S105 - what tokens begin with, not one of them
UNLOCK_PATIENCE_S = 30.0  # where a keyring must be unlocked, a person types a password meanwhile


class Vault:
    """The keys of this user, read once and kept in memory; every change is written at once."""

    def __init__(self, store: Store, notices: tuple[str, ...] = ()) -> None:
        self.store = store
        self.notices = notices
        self._lock = threading.Lock()
        self._document = store.load()

    def settle(self, keys: Path, wanted: str) -> str:
        """Have the keys be where `wanted` says, from now on; where they are.

        Raises:
            VaultError: they cannot be there; they are where they were.
        """
        with self._lock:
            there = open_vault(keys, wanted, move=True)
            self.store, self.notices, self._document = there.store, there.notices, there._document
        return self.store.name

    def take_in(self, other: Store) -> str:
        """Move everything of `other` here: written, read back and compared before anything is taken away there.

        Returns what was done, or why it was not. Interrupted, it may be done again.
        """
        try:
            more = other.load()
            with self._changing() as made:
                made.become(merged(made, more))
            kept = self.store.load()
            if merged(kept, more) != kept:
                return f"not every key could be moved to the {self.store.name}; they are still in the {other.name} too"
            other.clear()
        except OSError as error:
            return f"keys are still in the {other.name}: {error.strerror}"
        except VaultError as error:
            return f"keys are still in the {other.name}: {error}"
        return f"{_count(len(more.profiles))} moved from the {other.name} to the {self.store.name}"

    def entries(self) -> dict[str, Entry]:
        """All profiles with their keys, by profile id."""
        return dict(self._document.profiles)

    def secret(self, profile_id: str, base_url: str) -> str | None:
        """The key of that profile, if `base_url` is of the origin that the key is bound to."""
        entry = self._document.profiles.get(profile_id)
        if entry is None:
            return None
        if entry.base_url == base_url:
            return entry.secret  # nearly always
        try:
            same = base_of(entry.base_url).origin == base_of(base_url).origin
        except BadAddress:
            return None
        return entry.secret if same else None

    def put(self, profile_id: str, entry: Entry) -> None:
        """Keep that profile and its key. A key that it replaces is not wanted any more.

        Raises:
            VaultError: it could not be written; nothing changed.
        """
        with self._changing() as made:
            replaced = made.profiles.get(profile_id)
            made.profiles[profile_id] = entry
            if replaced is not None:
                made.forgotten.append(replaced.fingerprint)

    def remove(self, profile_id: str) -> None:
        """Forget that profile's key, and remember that it is not wanted."""
        with self._changing() as made:
            removed = made.profiles.pop(profile_id, None)
            if removed is not None:
                made.forgotten.append(removed.fingerprint)

    def set_aside(self, profile_id: str, until_at: int) -> None:
        """Take that profile away, and keep its key to be had back until then (ms). One step: it is never in neither."""
        with self._changing() as made:
            removed = made.profiles.pop(profile_id, None)
            if removed is not None:
                made.forgotten.append(removed.fingerprint)
                made.aside[profile_id] = Aside(removed, until_at)

    def aside(self) -> dict[str, Aside]:
        """The profiles that can be had back, with their keys, by id."""
        return dict(self._document.aside)

    def take_back(self, profile_id: str) -> None:
        """Have back a profile that was set aside; one that is there already stays as it is."""
        with self._changing() as made:
            kept = made.aside.pop(profile_id, None)
            if kept is not None:
                made.profiles.setdefault(profile_id, kept.entry)

    def forget(self, profile_ids: Iterable[str]) -> None:
        """Forget the keys of those that were set aside."""
        with self._changing() as made:
            for profile_id in profile_ids:
                made.aside.pop(profile_id, None)

    def rename(self, old: str, new: str, label: str) -> None:
        """Give a profile another id and label, in the same place."""
        with self._changing() as made:
            made.profiles = {
                (new if key == old else key): (msgspec.structs.replace(entry, label=label) if key == old else entry)
                for key, entry in made.profiles.items()
            }

    def is_unwanted(self, mark: str) -> bool:
        """Whether the key of that fingerprint was removed, or replaced, by the user."""
        return mark in self._document.forgotten

    def is_known(self, secret: str) -> bool:
        """Whether that key is held already, or was removed by the user."""
        mark = fingerprint(secret)
        held = any(entry.fingerprint == mark for entry in self._document.profiles.values())
        return held or mark in self._document.forgotten

    def token(self, client: str) -> str:
        """That client's local token, made if it has none."""
        with self._changing() as made:
            return made.tokens.setdefault(client, f"{TOKEN_PREFIX}{client}-{secrets.token_hex(16)}")

    def tokens(self) -> dict[str, str]:
        """All local tokens, by client name."""
        return dict(self._document.tokens)

    def edition(self) -> object:
        """Stands for all that is kept: another object after each change."""
        return self._document

    def revoke(self, client: str) -> bool:
        """Let that client's token count no longer; whether there was one."""
        with self._changing() as made:
            return made.tokens.pop(client, None) is not None

    def replaced(self, client: str) -> dict[str, str]:
        """What our values replaced in that client's files and may be keys, each by its mark."""
        return dict(self._document.replaced.get(client, {}))

    def keep_replaced(self, client: str, texts: dict[str, str]) -> None:
        """Keep those, and no longer what was kept for that client before."""
        with self._changing() as made:
            made.replaced.pop(client, None)
            if texts:
                made.replaced[client] = texts

    @contextmanager
    def _changing(self) -> Iterator[Document]:
        """A copy to change. It is saved, and then counts, unless it stays as it was."""
        with self._lock:
            known = self._document
            made = known.copied()
            yield made
            held = {entry.fingerprint for entry in made.profiles.values()}
            made.forgotten = [mark for mark in dict.fromkeys(made.forgotten) if mark not in held]
            made.aside = {name: one for name, one in made.aside.items() if one.entry.fingerprint not in held}
            if made == known:
                return
            try:
                self.store.save(made)
            except OSError as error:
                raise VaultError(f"keys could not be saved in the {self.store.name}: {error.strerror}") from error
            self._document = made


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
            document = msgspec.json.decode(data, type=Document)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise VaultError(
                f"{self._path} is damaged ({str(error)[:80]}). Mend it, or move it away and add the keys again"
            ) from error
        if document.version > VERSION:
            raise VaultError(f"{self._path} was written by a newer version of O-Switcher; install that one again")
        return document

    def save(self, document: Document) -> None:
        write_private(self._path, msgspec.json.format(msgspec.json.encode(document), indent=2))

    def clear(self) -> None:
        remove_private(self._path)

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


MARK = "keys-in-keyring"
_MARK_TEXT = b"O-Switcher keeps its keys in the keyring of this system. Without this file it would not look for them.\n"


def open_vault(keys: Path, wanted: str, *, move: bool = False) -> Vault:
    """The vault as `[secrets] store` wants it: `auto`, `keyring` or `file`.

    `auto` is the file where there is one, else the keyring where one can be used. A keyring that
    holds keys already is not given up for a file because it is locked today. With `move`, keys that
    are not where they are wanted are taken there; else it is only said that they lie unused.

    Raises:
        VaultError: the keys cannot be read, or no keyring is usable where one is demanded.
    """
    mark = keys.with_name(MARK)
    if wanted == "keyring" or (wanted == "auto" and mark.exists() and not os.path.lexists(keys)):
        return _in_keyring(keys, mark, UNLOCK_PATIENCE_S, move=move)
    notices: list[str] = []
    if wanted == "auto" and not os.path.lexists(keys):
        try:
            return _in_keyring(keys, mark, KEYRING_PATIENCE_S, move=False)
        except NoKeyring as error:
            notices.append(f"keys are kept in {keys}, which only you can read, since {_reason(error)}")
        except VaultError as error:
            notices.append(f"{error}; keys are kept in {keys} instead")
    store = FileStore(keys)
    if tightened := store.tighten():
        notices.append(tightened)
    vault = Vault(store)
    if mark.exists():
        said = _out_of_keyring(vault, keys, mark) if move and wanted == "file" else None
        notices.append(said or f"keys that are in the system's keyring are not used, since {_why(wanted, keys)}")
    vault.notices = tuple(notices)
    return vault


def _out_of_keyring(vault: Vault, keys: Path, mark: Path) -> str | None:
    """Move the keyring's keys to the file; None where the keyring cannot be asked."""
    service = _service_of(keys)
    try:
        store = KeyringStore(usable_keyring(service, UNLOCK_PATIENCE_S), service)
    except VaultError:
        return None
    said = vault.take_in(store)
    with suppress(VaultError):
        if store.is_empty():
            mark.unlink(missing_ok=True)
    return said


def _why(wanted: str, keys: Path) -> str:
    return 'secrets.store is "file"' if wanted == "file" else f"there is {keys}"


def _in_keyring(keys: Path, mark: Path, patience_s: float, *, move: bool) -> Vault:
    service = _service_of(keys)
    vault = Vault(KeyringStore(usable_keyring(service, patience_s), service, lambda: _leave(mark)))
    if os.path.lexists(keys):
        unused = f'keys in {keys} are not used, since secrets.store is "keyring"'
        vault.notices = (vault.take_in(FileStore(keys)) if move else unused,)
    return vault


def _reason(error: NoKeyring) -> str:
    """What is the matter, without what could be done about it."""
    return re.split("[;:]", str(error), maxsplit=1)[0]


def _count(keys: int) -> str:
    return "1 key was" if keys == 1 else f"{keys} keys were"


def _leave(mark: Path) -> None:
    if not mark.exists():
        write_private(mark, _MARK_TEXT)


def _service_of(keys: Path) -> str:
    """The keyring's name for this home: two homes of one user must not overwrite each other's keys."""
    return SERVICE if keys == find_home({}).keys else f"{SERVICE} {keys.parent}"
