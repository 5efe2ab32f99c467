"""Keys in the keyring of the system: a real backend that keeps them in memory, and ones that fail or wait for ever."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import keyring.backends.null
import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError

from tray_app.host import keyring_store
from tray_app.host import vault as room
from tray_app.host.keyring_store import KeyringStore
from tray_app.host.vault import Entry, VaultError, open_vault

KEY = "sk-or-v1-0123456789abcdefWXYZ"
URL = "https://openrouter.ai/api/v1"


class InMemory(KeyringBackend):
    """Works, unless `trouble` is set: an error to raise, or an event to wait for."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[tuple[str, str], str] = {}
        self.trouble: Exception | threading.Event | None = None
        self.asked: list[str] = []

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if isinstance(self.trouble, threading.Event):
            self.trouble.wait(10)
        elif self.trouble is not None:
            raise self.trouble

    def get_password(self, service: str, username: str) -> str | None:
        self._ask(f"get {username}")
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._ask(f"set {username}")
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._ask(f"delete {username}")
        if (service, username) not in self.items:
            raise PasswordDeleteError("not found")
        del self.items[service, username]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def use(monkeypatch: pytest.MonkeyPatch, backend: KeyringBackend) -> None:
    """Let the library choose that backend, as `keyring.set_keyring` does."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemory]:
    backend = InMemory()
    use(monkeypatch, backend)
    monkeypatch.setattr(keyring_store, "KEYRING_PATIENCE_S", 0.3)
    monkeypatch.setattr(room, "KEYRING_PATIENCE_S", 0.3)
    monkeypatch.setattr(room, "UNLOCK_PATIENCE_S", 0.4)
    yield backend
    if isinstance(backend.trouble, threading.Event):
        backend.trouble.set()


def entry(secret: str = KEY, label: str = "main") -> Entry:
    return Entry(secret=secret, provider="openrouter", label=label, base_url=URL)


@pytest.mark.parametrize("wanted", ["auto", "keyring"])
def test_keys_and_tokens_come_back_from_the_keyring(ring: InMemory, keys: Path, wanted: str) -> None:
    vault = open_vault(keys, wanted)
    vault.put("a", entry())
    vault.put("b", entry("another-secret"))
    token = vault.token("codex")
    vault.remove("b")
    again = open_vault(keys, wanted)
    assert again.entries() == {"a": entry()}
    assert again.tokens() == {"codex": token}
    assert again.is_known("another-secret")
    assert again.notices == ()
    assert again.store.name == "system's keyring"
    assert not keys.exists()


def test_no_file_holds_a_key_then(ring: InMemory, keys: Path) -> None:
    open_vault(keys, "auto").put("a", entry())
    assert all(KEY.encode() not in file.read_bytes() for file in keys.parent.iterdir())
    assert sum(KEY in value for value in ring.items.values()) == 1


def test_only_what_changed_is_written(ring: InMemory, keys: Path) -> None:
    vault = open_vault(keys, "keyring")
    vault.put("a", entry())
    vault.token("codex")
    ring.asked.clear()
    vault.put("b", entry("another-secret"))
    assert [call for call in ring.asked if call.startswith("set")] == ["set index", "set profile:b"]
    ring.asked.clear()
    vault.remove("a")
    writes = [call for call in ring.asked if not call.startswith("get")]
    assert writes == ["delete profile:a", "set index"], "the index names at least what is there"


def test_an_item_that_a_person_took_away_is_gone_and_does_no_harm(ring: InMemory, keys: Path) -> None:
    vault = open_vault(keys, "keyring")
    vault.put("a", entry())
    vault.put("b", entry("another-secret"))
    vault.token("codex")
    service = next(service for service, _ in ring.items)
    del ring.items[service, "profile:a"]
    del ring.items[service, "token:codex"]
    again = open_vault(keys, "keyring")
    assert list(again.entries()) == ["b"]
    assert again.tokens() == {}
    vault.remove("a")  # the deletion finds nothing
    assert list(open_vault(keys, "keyring").entries()) == ["b"]


@pytest.mark.parametrize("name", ["index", "profile:a"])
def test_a_damaged_item_is_a_clear_error_and_never_overwritten(ring: InMemory, keys: Path, name: str) -> None:
    open_vault(keys, "auto").put("a", entry())
    service = next(service for service, _ in ring.items)
    ring.items[service, name] = "{broken"
    with pytest.raises(VaultError, match=r"in the system's keyring is damaged .* remove it there"):
        open_vault(keys, "auto")
    assert ring.items[service, name] == "{broken"
    assert not keys.exists()


def test_two_homes_of_one_user_have_their_keys_apart(ring: InMemory, tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "keys.json", tmp_path / "two" / "keys.json"
    open_vault(one, "keyring").put("a", entry())
    other = open_vault(two, "keyring")
    assert other.entries() == {}
    other.put("b", entry("another-secret"))
    other.remove("b")
    assert list(open_vault(one, "keyring").entries()) == ["a"]


def test_the_usual_home_has_the_plain_name(ring: InMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    open_vault(tmp_path / "o-switcher" / "keys.json", "keyring").put("a", entry())
    assert {service for service, _ in ring.items} == {"o-switcher"}


# -- keyrings that are none

NONE = [
    pytest.param(keyring.backends.fail.Keyring, id="no service"),
    pytest.param(keyring.backends.null.Keyring, id="switched off"),
]


@pytest.mark.parametrize("kind", NONE)
def test_without_a_keyring_the_file_is_used_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, keys: Path, kind: type[KeyringBackend]
) -> None:
    use(monkeypatch, kind())
    vault = open_vault(keys, "auto")
    vault.put("a", entry())
    assert keys.exists()
    assert vault.notices == (f"keys are kept in {keys}, which only you can read, since this system offers no keyring",)
    assert open_vault(keys, "auto").notices == ()
    with pytest.raises(VaultError, match="offers no keyring; use: o-switcher config set"):
        open_vault(keys, "keyring")


def test_without_the_library_the_file_is_used(monkeypatch: pytest.MonkeyPatch, keys: Path) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    vault = open_vault(keys, "auto")
    why = "since the keyring library is not installed"
    assert vault.store.name == f"file {keys}"
    assert vault.notices == (f"keys are kept in {keys}, which only you can read, {why}",)
    with pytest.raises(VaultError, match="the keyring library is not installed"):
        open_vault(keys, "keyring")


# -- keyrings that fail or are locked


@pytest.mark.parametrize(
    "error", [InitError("no daemon"), KeyringLocked("locked"), RuntimeError(KEY)], ids=["no daemon", "locked", "a bug"]
)
def test_a_keyring_that_fails_is_named_and_the_file_is_used(ring: InMemory, keys: Path, error: Exception) -> None:
    ring.trouble = error
    vault = open_vault(keys, "auto")
    words = f"the system's keyring failed: {type(error).__name__}"
    assert vault.notices == (f"{words}; keys are kept in {keys} instead",)
    vault.put("a", entry())
    assert keys.exists()
    with pytest.raises(VaultError, match=words):
        open_vault(keys, "keyring")


def test_a_locked_keyring_that_waits_for_ever_is_not_waited_for(ring: InMemory, keys: Path) -> None:
    ring.trouble = threading.Event()
    vault = open_vault(keys, "auto")
    assert "does not answer; unlock it and try again; keys are kept in" in vault.notices[0]
    with pytest.raises(VaultError, match="does not answer"):
        open_vault(keys, "keyring")


def test_a_keyring_that_holds_keys_is_not_given_up_because_it_is_locked_today(ring: InMemory, keys: Path) -> None:
    open_vault(keys, "auto").put("a", entry())
    ring.trouble = KeyringLocked("locked")
    with pytest.raises(VaultError, match="failed: KeyringLocked"):
        open_vault(keys, "auto")
    assert not keys.exists()  # a new file would hide the keyring's keys for good
    ring.trouble = None
    assert list(open_vault(keys, "auto").entries()) == ["a"]


def test_a_keyring_that_is_unlocked_meanwhile_is_used(ring: InMemory, keys: Path) -> None:
    open_vault(keys, "auto").put("a", entry())
    ring.trouble = threading.Event()
    threading.Timer(0.35, ring.trouble.set).start()  # longer than a mere answer takes
    assert list(open_vault(keys, "auto").entries()) == ["a"]


def test_a_keyring_that_fails_while_a_key_is_saved_changes_nothing_in_memory(ring: InMemory, keys: Path) -> None:
    vault = open_vault(keys, "auto")
    vault.put("a", entry())
    ring.trouble = KeyringLocked("locked")
    with pytest.raises(VaultError, match="KeyringLocked"):
        vault.put("b", entry("another-secret"))
    assert list(vault.entries()) == ["a"]
    assert vault.secret("a", URL) == KEY


# -- both


def test_a_file_goes_before_a_keyring_and_that_is_said(ring: InMemory, keys: Path) -> None:
    open_vault(keys, "keyring").put("a", entry())
    open_vault(keys, "file").put("b", entry("another-secret"))
    auto = open_vault(keys, "auto")
    assert list(auto.entries()) == ["b"]
    assert auto.notices == (f"keys that are in the system's keyring are not used, since there is {keys}",)
    assert open_vault(keys, "file").notices == (
        'keys that are in the system\'s keyring are not used, since secrets.store is "file"',
    )


def test_a_file_beside_a_demanded_keyring_is_not_used_and_that_is_said(ring: InMemory, keys: Path) -> None:
    open_vault(keys, "file").put("b", entry())
    vault = open_vault(keys, "keyring")
    assert vault.entries() == {}
    assert vault.notices == (f'keys in {keys} are not used, since secrets.store is "keyring"',)


def test_a_store_of_ones_own_name_needs_no_mark(ring: InMemory) -> None:
    store = KeyringStore(ring)
    assert store.load().profiles == {}
    document = store.load()
    document.profiles["a"] = entry()
    store.save(document)
    assert KeyringStore(ring).load() == document
    assert KEY not in repr(store)


def test_a_revoked_token_and_what_a_client_had_before_leave_the_keyring(ring: InMemory, keys: Path) -> None:
    vault = open_vault(keys, "keyring")
    vault.token("codex")
    vault.keep_replaced("codex", {"a": KEY, "b": "x"})
    again = open_vault(keys, "keyring")
    assert again.replaced("codex") == {"a": KEY, "b": "x"} and "codex" in again.tokens()
    again.keep_replaced("codex", {"c": "y"})
    assert open_vault(keys, "keyring").replaced("codex") == {"c": "y"}
    again.keep_replaced("codex", {})
    assert again.revoke("codex")
    assert not again.revoke("codex")
    assert open_vault(keys, "keyring").replaced("codex") == {} and not open_vault(keys, "keyring").tokens()
    assert [name for _, name in ring.items] == ["index"]


@pytest.mark.parametrize("crash_at", range(5))
def test_a_key_that_is_set_aside_is_in_the_keyring_whenever_that_is_interrupted(
    ring: InMemory, keys: Path, crash_at: int
) -> None:
    vault = open_vault(keys, "keyring")
    vault.put("a", entry())
    before = len(ring.asked)
    ask, changes = ring._ask, [0]

    def crashing(what: str) -> None:
        ask(what)
        if what.startswith(("set", "delete")):
            changes[0] += 1
            if changes[0] > crash_at:
                raise InitError("the machine has gone")

    ring._ask = crashing  # type: ignore[method-assign]
    try:
        vault.set_aside("a", 1000)
    except VaultError:
        assert crash_at < 4
    ring._ask = ask  # type: ignore[method-assign]
    again = open_vault(keys, "keyring")
    kept = [*again.entries().values(), *(one.entry for one in again.aside().values())]
    assert {one.secret for one in kept} == {KEY}, ring.asked[before:]
    if "a" not in again.entries():
        again.take_back("a")
        assert again.entries() == {"a": entry()}
        again.set_aside("a", 1000)
        again.forget(["a"])
        assert KEY not in str(ring.items), "nothing is left behind"
