"""`o-switcher config set secrets.store`: the keys move with the setting, or neither does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faces.cli.test_commands import Here, Run, runner
from tests.host.test_keyring import InMemory, use
from tests.rig import Rig, key_of, running, script_of
from tray_app.host.vault import open_vault

OK = '{do="ok"}'


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    backend = InMemory()
    use(monkeypatch, backend)
    return backend


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text('# mine\n[secrets]\nstore = "file"\n[proxy]\nport = 0\n')
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(Here(folder, []), capsys, monkeypatch)


@pytest.fixture
def rig(tmp_path: Path, ring: InMemory) -> Iterator[Rig]:
    with running(tmp_path, script_of(a=OK)) as found:
        yield found


def test_without_the_app_they_move_at_once(folder: Path, run: Run, ring: InMemory) -> None:
    run("profiles", "add", "openrouter", "--label", "a", stdin=key_of("a"))
    ran = run("config", "set", "secrets.store", "keyring")
    assert (ran.code, ran.out.splitlines()) == (0, ["keys are in the system's keyring", "secrets.store = keyring"])
    assert not (folder / "keys.json").exists() and any(key_of("a") in text for text in ring.items.values())
    assert "openrouter-a" in run("profiles", "list").out
    run("config", "set", "secrets.store", "file")
    assert ring.items == {} and "openrouter-a" in open_vault(folder / "keys.json", "file").entries()


def test_where_they_cannot_be_neither_moves(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring.backends.fail

    use(monkeypatch, keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    run("profiles", "add", "openrouter", "--label", "a", stdin=key_of("a"))
    before = (folder / "config.toml").read_text()
    ran = run("config", "set", "secrets.store", "keyring")
    assert ran.code == 1 and "this system offers no keyring" in ran.err
    assert (folder / "config.toml").read_text() == before
    assert "openrouter-a" in run("profiles", "list").out


def test_the_running_app_goes_on_with_them(
    rig: Rig, ring: InMemory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner(Here(rig.home.config.parent, []), capsys, monkeypatch)
    assert run("config", "set", "secrets.store", "keyring").code == 0
    assert not rig.home.keys.exists()
    assert rig.chat().status_code == 200
    monkeypatch.setattr("sys.stdin", None)
    assert run("profiles", "add", "openrouter", "--label", "b", stdin=key_of("b")).code == 0
    rig.restart()
    assert rig.chat().status_code == 200
    assert {view.id for view in rig.app.service.status().profiles} == {"openrouter-a", "openrouter-b"}


def test_profiles_that_lay_elsewhere_join_when_they_come(
    rig: Rig, ring: InMemory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = open_vault(rig.home.keys, "keyring")
    elsewhere.put("openrouter-b", rig.app.vault.entries()["openrouter-a"].__class__(
        secret=key_of("b"), provider="openrouter", label="b", base_url=rig.simulator.url,
    ))  # fmt: skip
    run = runner(Here(rig.home.config.parent, []), capsys, monkeypatch)
    assert "1 key was moved" in run("config", "set", "secrets.store", "file").out
    assert {view.id for view in rig.app.service.status().profiles} == {"openrouter-a", "openrouter-b"}


def test_the_first_key_in_a_file_is_told_where_it_is(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring.backends.fail

    use(monkeypatch, keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    (folder / "config.toml").write_text("[proxy]\nport = 0\n")
    ran = run("profiles", "add", "openrouter", "--label", "a", stdin=key_of("a"))
    why = "since this system offers no keyring"
    assert ran.out.splitlines()[1:] == [f"keys are kept in {folder / 'keys.json'}, which only you can read, {why}"]
    assert len(run("profiles", "add", "openrouter", "--label", "b", stdin=key_of("b")).out.splitlines()) == 1
