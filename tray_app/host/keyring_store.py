"""The keyring of the operating system, asked on a thread of its own: a locked one may wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar
from typing import Protocol as Interface

import msgspec

from tray_app.host.entries import VERSION, Aside, Document, Entry, NoKeyring, VaultError

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
        index = self._index()
        made = Document(VERSION, forgotten=list(index.forgotten) if index else [])
        for kind, field, type_ in _KINDS if index else ():
            for name in getattr(index, field):
                if (text := self._get(f"{kind}:{name}")) is not None:
                    getattr(made, field)[name] = text if type_ is str else self._decoded(text, type_)
        return made

    def _index(self) -> _Index | None:
        text = self._get("index")
        return None if text is None else self._decoded(text, _Index)

    def _decoded(self, text: str, kind: type[_T]) -> _T:
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.MsgspecError as error:
            raise VaultError(
                f"an item of {self._service!r} in the system's keyring is damaged ({str(error)[:80]}); remove it there"
            ) from error

    def save(self, document: Document) -> None:
        """Write what changed. The index names at least what is there at every moment: nothing is left behind."""
        before = self.load()
        wanted, known = _index_of(document), _index_of(before)
        if any(not set(getattr(wanted, field)) <= set(getattr(known, field)) for _, field, _ in _KINDS):
            both = {field: _both(getattr(wanted, field), getattr(known, field)) for _, field, _ in _KINDS}
            known = _Index(forgotten=wanted.forgotten, **both)
            self._set("index", msgspec.json.encode(known).decode())
        for kind, field, type_ in _KINDS:
            held = getattr(before, field)
            for name, value in getattr(document, field).items():
                if held.get(name) != value:
                    self._set(f"{kind}:{name}", value if type_ is str else msgspec.json.encode(value).decode())
        for kind, field, _ in _KINDS:
            for name in getattr(before, field).keys() - getattr(document, field).keys():
                self._delete(f"{kind}:{name}")
        if known != wanted:
            self._set("index", msgspec.json.encode(wanted).decode())
        self._saved()

    def clear(self) -> None:
        """Take everything away.

        Raises:
            VaultError: something is still there; it can be tried again.
        """
        index = self._index()
        if index is None:
            return
        for kind, field, _ in _KINDS:
            for name in getattr(index, field):
                self._delete(f"{kind}:{name}")
        self._delete("index")

    def is_empty(self) -> bool:
        """Whether nothing of ours is there."""
        return self._get("index") is None

    def _get(self, name: str) -> str | None:
        return _patiently(lambda: self._keyring.get_password(self._service, name))

    def _set(self, name: str, value: str) -> None:
        _patiently(lambda: self._keyring.set_password(self._service, name, value))

    def _delete(self, name: str) -> None:
        try:
            _patiently(lambda: self._keyring.delete_password(self._service, name))
        except VaultError:
            if self._get(name) is not None:
                raise  # else somebody took it away before us


class _Index(msgspec.Struct):
    profiles: list[str] = []
    tokens: list[str] = []
    forgotten: list[str] = []
    replaced: list[str] = []
    aside: list[str] = []


# What an item is called, the field of the document and of the index that it stands in, and what it is.
_KINDS: tuple[tuple[str, str, Any], ...] = (
    ("profile", "profiles", Entry),
    ("token", "tokens", str),
    ("replaced", "replaced", dict[str, str]),
    ("aside", "aside", Aside),
)


def _index_of(document: Document) -> _Index:
    return _Index(forgotten=document.forgotten, **{field: list(getattr(document, field)) for _, field, _ in _KINDS})


def _both(some: list[str], more: list[str]) -> list[str]:
    return list(dict.fromkeys((*some, *more)))


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
