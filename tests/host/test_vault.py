"""The keys: kept in one private file, given out for their own origin only, and never shown."""

from __future__ import annotations

import json
import logging
import stat
import threading
import traceback
from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.host.entries import Document
from tray_app.host.instance import Running
from tray_app.host.vault import Entry, FileStore, Vault, VaultError, fingerprint, open_vault

KEY = "sk-or-v1-0123456789abcdefWXYZ"
OTHER = "sk-or-v1-fedcba9876543210wxyz"
URL = "https://openrouter.ai/api/v1"
MAIN = "openrouter-main"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def vault(keys: Path) -> Vault:
    return open_vault(keys, "file")


def entry(secret: str = KEY, label: str = "main", url: str = URL) -> Entry:
    return Entry(secret=secret, provider="openrouter", label=label, base_url=url, account="w", tags=("a",), added_at=7)


# -- keeping


def test_a_key_that_is_put_is_there_after_a_restart(vault: Vault, keys: Path) -> None:
    vault.put(MAIN, entry())
    again = open_vault(keys, "file")
    assert again.entries() == vault.entries() == {MAIN: entry()}
    assert again.secret(MAIN, URL) == KEY
    assert again.notices == ()


def test_the_file_is_for_this_user_only_and_can_be_read_by_a_person(vault: Vault, keys: Path) -> None:
    vault.put(MAIN, entry())
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert json.loads(keys.read_text())["profiles"][MAIN]["secret"] == KEY
    assert keys.read_text().count("\n") > 5


def test_nothing_is_written_while_nothing_changes(vault: Vault, keys: Path) -> None:
    vault.remove("nobody")
    vault.rename("nobody", "somebody", "x")
    assert not keys.exists()
    vault.put(MAIN, entry())
    written = keys.stat().st_mtime_ns
    vault.put(MAIN, entry())
    assert keys.stat().st_mtime_ns == written


def test_what_is_asked_for_is_a_copy(vault: Vault) -> None:
    vault.put(MAIN, entry())
    vault.entries().clear()
    vault.tokens()["x"] = "y"
    assert vault.entries() and not vault.tokens()


def test_a_profile_is_renamed_in_its_place(vault: Vault, keys: Path) -> None:
    for name in ("a", "b", "c"):
        vault.put(name, entry(secret=f"secret-of-{name}"))
    vault.rename("b", "d", "new")
    assert list(open_vault(keys, "file").entries()) == ["a", "d", "c"]
    assert vault.entries()["d"] == entry("secret-of-b", "new")


# -- origins

ORIGINS = [
    (URL, URL, True),
    (URL, "https://openrouter.ai/other/path", True),
    (URL, "https://openrouter.ai:443/api/v1", True),
    (URL, "https://OPENROUTER.ai/api/v1", True),
    (URL, "http://openrouter.ai/api/v1", False),
    (URL, "https://openrouter.ai:444/api/v1", False),
    (URL, "https://evil.example/api/v1", False),
    (URL, "https://openrouter.ai.evil.example/api/v1", False),
    (URL, "https://user@openrouter.ai/api/v1", False),
    (URL, "https://[::1", False),
    (URL, "", False),
    ("http://127.0.0.1:9000", "http://127.0.0.1:9000/v1", True),
    ("http://127.0.0.1:9000", "http://127.0.0.1:9001/v1", False),
]


@pytest.mark.parametrize(
    ("bound", "asked", "given"), ORIGINS, ids=[f"{row[0]} -> {row[1] or 'nothing'}" for row in ORIGINS]
)
def test_a_key_is_given_out_for_its_own_origin_only(vault: Vault, bound: str, asked: str, given: bool) -> None:
    vault.put(MAIN, entry(url=bound))
    assert vault.secret(MAIN, asked) == (KEY if given else None)


def test_there_is_no_key_for_a_profile_that_is_not_there(vault: Vault) -> None:
    assert vault.secret("nobody", URL) is None


# -- forgotten keys


def test_a_removed_key_stays_unwanted_until_it_is_given_again(vault: Vault, keys: Path) -> None:
    assert not vault.is_known(KEY)
    vault.put(MAIN, entry())
    assert vault.is_known(KEY)
    vault.remove(MAIN)
    assert vault.entries() == {}
    assert vault.is_known(KEY)  # so that discovery does not bring it back
    assert open_vault(keys, "file").is_known(KEY)
    assert KEY not in keys.read_text()
    vault.put("again", entry())
    assert json.loads(keys.read_text())["forgotten"] == []


def test_a_key_that_was_replaced_is_unwanted_too(vault: Vault) -> None:
    vault.put(MAIN, entry())
    vault.put(MAIN, entry(OTHER))
    assert vault.is_known(KEY) and vault.is_known(OTHER)
    assert vault.secret(MAIN, URL) == OTHER


def test_a_key_that_another_profile_holds_is_not_unwanted(vault: Vault, keys: Path) -> None:
    vault.put(MAIN, entry())
    vault.put("twin", entry())
    vault.remove(MAIN)
    assert json.loads(keys.read_text())["forgotten"] == []


# -- tokens


def test_each_client_has_one_token_that_stays(vault: Vault, keys: Path) -> None:
    token = vault.token("codex")
    assert token.startswith("osw-codex-") and len(token) > 40
    assert vault.token("codex") == token
    assert vault.token("opencode") != token
    assert open_vault(keys, "file").tokens() == vault.tokens() == {"codex": token, "opencode": vault.token("opencode")}


def test_threads_that_ask_at_once_get_the_same_token_and_lose_no_key(vault: Vault, keys: Path) -> None:
    got: list[str] = []
    start = threading.Barrier(8)

    def ask(number: int) -> None:
        start.wait()
        got.append(vault.token("codex"))
        vault.put(f"p{number}", entry(f"secret-number-{number}"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert open_vault(keys, "file").tokens() == {"codex": got[0]}
    assert len(open_vault(keys, "file").entries()) == 8


# -- trouble

DAMAGED = [
    pytest.param(b"", id="empty"),
    pytest.param(b"{", id="cut short"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'{"profiles": {"a": {}}}', id="a profile without a key"),
    pytest.param(
        b'{"profiles": {"a": {"secret": 5, "provider": "x", "label": "y", "base_url": "z"}}}', id="a number for a key"
    ),
    pytest.param(b"\xff\xfe{}", id="no text"),
    pytest.param(b'{"forgotten": ["\xff"]}', id="no Unicode"),
]


@pytest.mark.parametrize("data", DAMAGED)
@pytest.mark.parametrize("wanted", ["file", "auto"])
def test_a_damaged_file_is_a_clear_error_and_never_overwritten(keys: Path, data: bytes, wanted: str) -> None:
    keys.write_bytes(data)
    with pytest.raises(VaultError, match=r"is damaged .* Mend it, or move it away and add the keys again"):
        open_vault(keys, wanted)
    assert keys.read_bytes() == data


def test_an_error_about_a_damaged_file_shows_no_key(keys: Path) -> None:
    keys.write_text(json.dumps({"profiles": {"a": {"secret": KEY, "provider": 5}}, "tokens": {"x": KEY}}))
    with pytest.raises(VaultError) as caught:
        open_vault(keys, "file")
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_file_of_a_newer_version_is_left_alone(keys: Path) -> None:
    text = '{"version": 2, "profiles": {}, "something_new": 1}'
    keys.write_text(text)
    with pytest.raises(VaultError, match="newer version of O-Switcher"):
        open_vault(keys, "auto")
    assert keys.read_text() == text


def test_a_folder_in_its_place_is_a_clear_error(keys: Path) -> None:
    keys.mkdir()
    with pytest.raises(VaultError, match=r"cannot be read: Is a directory\. Check its owner and mode"):
        open_vault(keys, "auto")


def test_a_file_that_cannot_be_written_changes_nothing_in_memory() -> None:
    with shared_folder() as folder, ordinary_user():
        vault = open_vault(folder / "keys.json", "file")
        vault.put(MAIN, entry())
        folder.chmod(0o500)
        with pytest.raises(VaultError, match=r"keys could not be saved in the file .*keys.json: Permission denied"):
            vault.put("other", entry(OTHER))
        with pytest.raises(VaultError):
            vault.token("codex")
        assert list(vault.entries()) == [MAIN]
        assert vault.tokens() == {}
        folder.chmod(0o700)
        vault.put("other", entry(OTHER))
        assert list(open_vault(folder / "keys.json", "file").entries()) == [MAIN, "other"]


def test_a_file_that_may_not_be_read_is_a_clear_error() -> None:
    with shared_folder() as folder, ordinary_user():
        keys = folder / "keys.json"
        open_vault(keys, "file").put(MAIN, entry())
        keys.chmod(0o000)
        with pytest.raises(VaultError, match="cannot be read: Permission denied"):
            open_vault(keys, "auto")


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o777])
def test_a_file_that_others_could_read_is_taken_from_them_and_that_is_said(vault: Vault, keys: Path, mode: int) -> None:
    vault.put(MAIN, entry())
    keys.chmod(mode)
    again = open_vault(keys, "file")
    assert again.notices == (f"{keys} could be read by other users (mode {mode:04o}); it is 0600 now",)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert open_vault(keys, "file").notices == ()


def test_there_is_nothing_to_tighten_without_a_file(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FileStore(keys).tighten() is None
    keys.touch(0o666)
    monkeypatch.setattr("sys.platform", "win32")
    assert FileStore(keys).tighten() is None


# -- never shown


def test_no_picture_of_a_vault_shows_a_key(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    vault.put(MAIN, entry())
    token = vault.token("codex")
    document = Document(profiles=vault.entries(), tokens=vault.tokens())
    running = Running(1, "http://127.0.0.1:4417", "admin-token-0123456789", 0, "0.1")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("%s %r", vault.entries(), document)
    pictures = [
        caplog.text,
        *(f"{thing!r} {thing} {pretty_repr(thing)}" for thing in (vault, document, entry(), running, vault.store)),
        pretty_repr([vault.entries(), {"entry": entry()}, document, running]),
    ]
    for picture in pictures:
        assert KEY not in picture and token not in picture and "admin-token" not in picture
    assert "...WXYZ" in repr(entry())


def test_a_fingerprint_tells_keys_apart_and_tells_no_key() -> None:
    assert entry().fingerprint == fingerprint(KEY) != fingerprint(OTHER)
    assert len(fingerprint(KEY)) == 16
    assert entry().tail == "WXYZ"
    assert entry("short").tail == ""  # a third of it would be too much


# -- keys that were set aside


def test_a_key_that_is_set_aside_is_given_to_nobody_and_can_be_had_back(vault: Vault, keys: Path) -> None:
    vault.put(MAIN, entry())
    vault.set_aside(MAIN, 1000)
    again = open_vault(keys, "file")
    assert again.entries() == {} and again.secret(MAIN, URL) is None
    assert again.is_unwanted(fingerprint(KEY)), "nobody takes it over meanwhile"
    assert {name: (one.entry, one.until_at) for name, one in again.aside().items()} == {MAIN: (entry(), 1000)}
    again.take_back(MAIN)
    assert open_vault(keys, "file").entries() == {MAIN: entry()}
    assert again.aside() == {} and not again.is_unwanted(fingerprint(KEY))


def test_a_key_that_was_set_aside_is_forgotten_without_a_trace(vault: Vault, keys: Path) -> None:
    vault.put(MAIN, entry())
    vault.set_aside(MAIN, 1000)
    assert KEY in keys.read_text()
    vault.forget([MAIN, "nobody"])
    assert KEY not in keys.read_text()
    vault.take_back(MAIN)
    assert vault.entries() == {}


def test_a_key_that_is_held_again_is_not_set_aside_any_more(vault: Vault) -> None:
    vault.put(MAIN, entry())
    vault.set_aside(MAIN, 1000)
    vault.put("openrouter-again", entry(label="again"))
    assert vault.aside() == {}


def test_nobody_is_set_aside(vault: Vault, keys: Path) -> None:
    vault.set_aside("nobody", 1000)
    assert not keys.exists()


def test_what_is_set_aside_moves_along(tmp_path: Path) -> None:
    old, new = Vault(FileStore(tmp_path / "old.json")), Vault(FileStore(tmp_path / "new.json"))
    old.put(MAIN, entry())
    old.set_aside(MAIN, 1000)
    new.take_in(old.store)
    assert new.aside()[MAIN].entry == entry()
    assert not (tmp_path / "old.json").exists()
