"""Keys that move between keyring and file: nothing is lost, nothing is left behind, whenever it is interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from keyring.errors import KeyringLocked

from tests.host.test_keyring import InMemory, use
from tray_app.host import home, keyring_store
from tray_app.host import vault as room
from tray_app.host.entries import Document, Entry, fingerprint, merged
from tray_app.host.vault import MARK, Vault, open_vault

KEYS = {name: f"sk-or-v1-{name}-0123456789abcdef" for name in ("a", "b", "c")}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemory]:
    backend = InMemory()
    use(monkeypatch, backend)
    monkeypatch.setattr(keyring_store, "KEYRING_PATIENCE_S", 0.3)
    monkeypatch.setattr(room, "UNLOCK_PATIENCE_S", 0.3)
    yield backend
    backend.trouble = None


def entry(name: str, label: str = "") -> Entry:
    return Entry(secret=KEYS[name], provider="openrouter", label=label or name, base_url="https://openrouter.ai/api/v1")


def filled(keys: Path, wanted: str) -> Vault:
    """A vault with two keys, a token and a key that is not wanted."""
    vault = open_vault(keys, wanted)
    for name in ("c", "a", "b"):
        vault.put(f"openrouter-{name}", entry(name))
    vault.token("opencode")
    vault.remove("openrouter-c")
    return vault


def all_is_there(vault: Vault) -> bool:
    held = {name: one.secret for name, one in vault.entries().items()}
    return (
        held == {"openrouter-a": KEYS["a"], "openrouter-b": KEYS["b"]}
        and list(vault.tokens()) == ["opencode"]
        and vault.is_unwanted(fingerprint(KEYS["c"]))
    )


def in_files(keys: Path) -> bool:
    return any(b"sk-or-v1" in path.read_bytes() or b"osw-" in path.read_bytes() for path in keys.parent.iterdir())


def in_ring(ring: InMemory) -> bool:
    return bool(ring.items)


def test_keys_move_to_the_keyring_and_none_is_left_in_a_file(ring: InMemory, keys: Path) -> None:
    filled(keys, "file")
    (keys.parent / ".keys.json.halfwritten").write_text(KEYS["a"])
    vault = open_vault(keys, "keyring", move=True)
    assert vault.notices == (f"2 keys were moved from the file {keys} to the system's keyring",)
    assert all_is_there(vault) and not in_files(keys)
    assert all_is_there(open_vault(keys, "auto"))


def test_keys_move_to_the_file_and_none_is_left_in_the_keyring(ring: InMemory, keys: Path) -> None:
    filled(keys, "keyring")
    vault = open_vault(keys, "file", move=True)
    assert vault.notices == (f"2 keys were moved from the system's keyring to the file {keys}",)
    assert all_is_there(vault) and not in_ring(ring)
    assert keys.stat().st_mode & 0o777 == 0o600
    assert not keys.with_name(MARK).exists()
    assert all_is_there(open_vault(keys, "auto")) and open_vault(keys, "file").notices == ()


def test_a_vault_in_use_moves_and_goes_on(ring: InMemory, keys: Path) -> None:
    vault = filled(keys, "file")
    assert vault.settle(keys, "keyring") == "system's keyring"
    assert all_is_there(vault) and not in_files(keys)
    vault.put("openrouter-c", entry("c"))
    assert "openrouter-c" in open_vault(keys, "keyring").entries()
    assert vault.settle(keys, "keyring") == "system's keyring", "once more does no harm"
    vault.settle(keys, "file")
    assert not in_ring(ring) and "openrouter-c" in open_vault(keys, "file").entries()


def test_whoever_only_looks_moves_nothing(ring: InMemory, keys: Path) -> None:
    filled(keys, "file")
    vault = open_vault(keys, "keyring")
    assert vault.entries() == {} and vault.notices == (
        f'keys in {keys} are not used, since secrets.store is "keyring"',
    )
    assert all_is_there(open_vault(keys, "file"))


class Cut(BaseException):
    """The power goes off."""


class Failing(InMemory):
    """Works until it has been asked so many times to change something."""

    def __init__(self, items: dict[tuple[str, str], str], changes: int) -> None:
        super().__init__()
        self.items, self.left = items, changes

    def set_password(self, service: str, username: str, password: str) -> None:
        self._count()
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        self._count()
        super().delete_password(service, username)

    def _count(self) -> None:
        if self.left == 0:
            raise KeyringLocked("locked in the middle of it")
        self.left -= 1


@pytest.mark.parametrize("changes", range(9))
@pytest.mark.parametrize(("origin", "to"), [("file", "keyring"), ("keyring", "file")])
def test_interrupted_by_the_keyring_at_any_step_nothing_is_lost_and_the_next_time_ends_it(
    ring: InMemory, keys: Path, monkeypatch: pytest.MonkeyPatch, origin: str, to: str, changes: int
) -> None:
    filled(keys, origin)
    use(monkeypatch, Failing(ring.items, changes))
    first = open_vault(keys, to, move=True)
    if "moved" not in first.notices[0]:
        assert "are still in the" in first.notices[0], first.notices
        assert all_is_there(first) or all_is_there(open_vault(keys, origin))
    use(monkeypatch, ring)
    vault = open_vault(keys, to, move=True)
    assert all_is_there(vault)
    assert in_files(keys) is (to == "file") and in_ring(ring) is (to == "keyring")


STEPS = ["write_private", "remove_private"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("origin", "to"), [("file", "keyring"), ("keyring", "file")])
def test_killed_at_any_step_nothing_is_lost_and_the_next_time_ends_it(
    ring: InMemory, keys: Path, monkeypatch: pytest.MonkeyPatch, origin: str, to: str, step: str, when: str
) -> None:
    filled(keys, origin)
    real: Callable[..., None] = getattr(home, step)

    def cut(*arguments: object) -> None:
        if when == "after":
            real(*arguments)
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(room, step, cut)
        with suppress(Cut):
            open_vault(keys, to, move=True)
    assert all_is_there(open_vault(keys, to)) or all_is_there(open_vault(keys, origin))
    vault = open_vault(keys, to, move=True)
    assert all_is_there(vault)
    assert in_files(keys) is (to == "file") and in_ring(ring) is (to == "keyring")


def test_a_keyring_that_cannot_be_asked_keeps_what_it_has(ring: InMemory, keys: Path) -> None:
    filled(keys, "keyring")
    ring.trouble = KeyringLocked("locked")
    vault = open_vault(keys, "file", move=True)
    assert vault.entries() == {}
    assert vault.notices == ('keys that are in the system\'s keyring are not used, since secrets.store is "file"',)
    ring.trouble = None
    assert all_is_there(open_vault(keys, "file", move=True))


def test_a_damaged_file_is_not_taken_away(ring: InMemory, keys: Path) -> None:
    keys.write_text("{broken")
    vault = open_vault(keys, "keyring", move=True)
    assert vault.notices[0].startswith(f"keys are still in the file {keys}: {keys} is damaged")
    assert keys.read_text() == "{broken"


def test_of_two_keys_of_one_name_both_stay() -> None:
    held = Document(
        profiles={"openrouter-a": entry("a")}, tokens={"codex": "osw-1"}, forgotten=[fingerprint(KEYS["c"])]
    )
    more = Document(
        profiles={"openrouter-a": entry("b", "a"), "openrouter-x": entry("a"), "openrouter-c": entry("c")},
        tokens={"codex": "osw-2", "aider": "osw-1"},
        forgotten=["0123"],
    )
    made = merged(held, more)
    assert {name: (one.label, one.secret) for name, one in made.profiles.items()} == {
        "openrouter-a": ("a", KEYS["a"]),
        "openrouter-a-2": ("a-2", KEYS["b"]),
        "openrouter-c": ("c", KEYS["c"]),
    }
    assert made.tokens == {"codex": "osw-1", "codex-2": "osw-2"}
    assert made.forgotten == ["0123"], "a key that is held is not unwanted"
    assert merged(made, more) == made, "once more does nothing"
