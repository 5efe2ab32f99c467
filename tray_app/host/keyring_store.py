"""The keyring of the operating system, asked on a thread of its own: a locked one may wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol as Interface
from typing import TypeVar

import msgspec

from tray_app.host.entries import VERSION, Document, Entry, NoKeyring, VaultError

SERVICE = "o-switcher"
KEYRING_PATIENCE_S = 5.0
_T = TypeVar("_T")


class Keyring(Interface):
    """The three calls of the keyring library that are needed."""

    def get_password(self, service: str, name: str) -> str | None: ...

    def set_password(self, service: str, name: str, value: str) -> None: ...

    def delete_password(self, service: str, name: str) -> None: ...


class KeyringStore:
    """One item a profile or token, and an index of their names, since keyrings cannot be listed."""

    name = "system's keyring"

    def __init__(self, keyring: Keyring, service: str = SERVICE, saved: Callable[[], None] = lambda: None) -> None:
        self._keyring = keyring
        self._service = service
        self._saved = saved

    def load(self) -> Document:
        text = self._get("index")
        if text is None:
            return Document()
        index = self._decoded(text, _Index)
        profiles, tokens = {}, {}
        for name in index.profiles:
            if (text := self._get(f"profile:{name}")) is not None:
                profiles[name] = self._decoded(text, Entry)
        for client in index.tokens:
            if (text := self._get(f"token:{client}")) is not None:
                tokens[client] = text
        replaced = {}
        for client in index.replaced:
            if (text := self._get(f"replaced:{client}")) is not None:
                replaced[client] = self._decoded(text, dict[str, str])
        return Document(VERSION, profiles, tokens, index.forgotten, replaced)

    def _decoded(self, text: str, kind: type[_T]) -> _T:
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.MsgspecError as error:
            raise VaultError(
                f"an item of {self._service!r} in the system's keyring is damaged ({str(error)[:80]}); remove it there"
            ) from error

    def save(self, document: Document) -> None:
        before = self.load()
        for name, entry in document.profiles.items():
            if before.profiles.get(name) != entry:
                self._set(f"profile:{name}", msgspec.json.encode(entry).decode())
        for client, token in document.tokens.items():
            if before.tokens.get(client) != token:
                self._set(f"token:{client}", token)
        for client, texts in document.replaced.items():
            if before.replaced.get(client) != texts:
                self._set(f"replaced:{client}", msgspec.json.encode(texts).decode())
        index = _Index(list(document.profiles), list(document.tokens), document.forgotten, list(document.replaced))
        self._set("index", msgspec.json.encode(index).decode())
        for name in before.profiles.keys() - document.profiles.keys():
            self._delete(f"profile:{name}")
        for client in before.tokens.keys() - document.tokens.keys():
            self._delete(f"token:{client}")
        for client in before.replaced.keys() - document.replaced.keys():
            self._delete(f"replaced:{client}")
        self._saved()

    def _get(self, name: str) -> str | None:
        return _patiently(lambda: self._keyring.get_password(self._service, name))

    def _set(self, name: str, value: str) -> None:
        _patiently(lambda: self._keyring.set_password(self._service, name, value))

    def _delete(self, name: str) -> None:
        with suppress(VaultError):
            _patiently(lambda: self._keyring.delete_password(self._service, name))


class _Index(msgspec.Struct):
    profiles: list[str] = []
    tokens: list[str] = []
    forgotten: list[str] = []
    replaced: list[str] = []


def _patiently(ask: Callable[[], _T], seconds: float | None = None) -> _T:
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
    thread.join(KEYRING_PATIENCE_S if seconds is None else seconds)
    if trouble:
        raise VaultError(f"the system's keyring failed: {type(trouble[0]).__name__}") from trouble[0]
    if not answer:
        raise VaultError("the system's keyring does not answer; unlock it and try again")
    return answer[0]


def usable_keyring(service: str, patience_s: float) -> Keyring:
    """The system's keyring, proven by a question. Imported only here: it is an extra, and slow to load."""
    try:
        import keyring
        import keyring.backends.fail
        import keyring.backends.null
    except ImportError as error:
        raise NoKeyring("the keyring library is not installed: pip install 'o-switcher[keyring]'") from error
    backend = _patiently(keyring.get_keyring)
    if isinstance(backend, keyring.backends.fail.Keyring | keyring.backends.null.Keyring):
        raise NoKeyring("this system offers no keyring; use: o-switcher config set secrets.store file")
    _patiently(lambda: backend.get_password(service, "index"), patience_s)
    return backend
