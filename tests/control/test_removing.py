"""A profile is removed, and had back: its key is in the vault until then, and nowhere afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import Clock, Rig, key_of, running, script_of
from tray_app.control.callers import HttpCaller, connect
from tray_app.control.registry import Registry
from tray_app.control.verbs import Refused
from tray_app.core.pool import Cell
from tray_app.core.providers import BUILT_IN
from tray_app.core.values import Fact
from tray_app.host.vault import Entry, FileStore, Vault, VaultError

OK = '{do="ok"}'
T0 = 1_796_000_000.0
A = "openrouter-a"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    script = script_of(a='{do="rate_limit", retry_after=900}', b=OK, c=OK)
    with running(tmp_path, script, clock=Clock(T0)) as found:
        yield found


@pytest.fixture
def caller(rig: Rig) -> HttpCaller:
    return connect(rig.home.running, "api")


def ids(caller: HttpCaller) -> list[str]:
    return [one["id"] for one in caller.ask("status")["profiles"]]


def kept(rig: Rig) -> bool:
    return key_of("a") in rig.home.keys.read_text()


def test_it_is_had_back_as_it_was_and_in_its_place(rig: Rig, caller: HttpCaller) -> None:
    caller.ask("profiles-set", profile=A, account="team", tags="x")
    assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-b"
    caller.ask("pin", profile=A)
    before = next(one for one in caller.ask("status")["profiles"] if one["id"] == A)
    assert (before["state"], before["pinned"], before["tags"]) == ("cooling", True, ["x"])
    removed = caller.ask("profiles-remove", profile=A, undo_s=600)
    assert removed["until_at"] == pytest.approx(T0 * 1000 + 600_000, abs=60_000)
    assert "its key is forgotten in 10 min, or when O-Switcher stops" in removed["message"]
    status = caller.ask("status")
    assert ids(caller) == ["openrouter-b", "openrouter-c"] and status["choice"] is None
    assert status["removed"] == [
        {"profile": A, "provider": "openrouter", "key_tail": key_of("a")[-4:], "until_at": removed["until_at"]}
    ]
    assert kept(rig) and rig.app.vault.secret(A, rig.simulator.url) is None
    assert caller.ask("known-key", mark=rig.app.vault.aside()[A].entry.fingerprint, base_url=rig.simulator.url) == {
        "standing": "removed",
        "profile": None,
    }
    caller.ask("profiles-bring-back", profile=A)
    assert ids(caller) == [A, "openrouter-b", "openrouter-c"]
    after = next(one for one in caller.ask("status")["profiles"] if one["id"] == A)
    assert {**after, "score": 0} == {**before, "score": 0}
    rows = rig.eventually("SELECT removed_at FROM profile WHERE id = ? AND removed_at IS NULL", A)
    assert rows == [{"removed_at": None}]
    rig.restart()
    again = connect(rig.home.running).ask("status")["profiles"][0]
    assert (again["id"], again["state"], again["pinned"]) == (A, "cooling", True), "and so it is after a restart"


def test_its_key_is_forgotten_when_the_time_is_over(rig: Rig, caller: HttpCaller) -> None:
    caller.ask("profiles-remove", profile=A, undo_s=600)
    rig.leap(590)
    assert kept(rig)
    rig.leap(11)
    assert not kept(rig)
    assert caller.ask("status")["removed"] == [] and rig.app.registry.removed == {}
    with pytest.raises(Refused, match="cannot be had back any more; add its key again"):
        caller.ask("profiles-bring-back", profile=A)


def test_that_happens_by_itself(rig: Rig, caller: HttpCaller) -> None:
    caller.ask("profiles-remove", profile=A, undo_s=0.05)
    end = time.monotonic() + 5
    while kept(rig) and time.monotonic() < end:
        time.sleep(0.02)
    assert not kept(rig)


def test_its_key_is_forgotten_at_once_where_that_is_asked_for(rig: Rig, caller: HttpCaller) -> None:
    caller.ask("profiles-remove", profile=A, undo_s=600)
    assert caller.ask("profiles-forget", profile=A)["message"] == f"the key of {A} is forgotten"
    assert not kept(rig)
    with pytest.raises(Refused, match="no key of a removed profile"):
        caller.ask("profiles-forget", profile=A)
    assert caller.ask("profiles-remove", profile="openrouter-b")["until_at"] is None
    assert key_of("b") not in rig.home.keys.read_text()
    with pytest.raises(Refused, match="cannot be had back"):
        caller.ask("profiles-bring-back", profile="openrouter-b")


def test_its_key_is_forgotten_when_the_app_stops(rig: Rig, caller: HttpCaller) -> None:
    caller.ask("profiles-remove", profile=A, undo_s=600)
    rig.app.stop()
    assert not kept(rig)


def test_nothing_is_had_back_over_something_else(rig: Rig, caller: HttpCaller) -> None:
    caller.ask("profiles-remove", profile=A, undo_s=600)
    given = {"provider": "openrouter", "label": "a", "base_url": rig.simulator.url}
    caller.ask("profiles-add", secret=key_of("x"), **given)
    with pytest.raises(Refused, match=f"is in use again, by {A}"):
        caller.ask("profiles-bring-back", profile=A)


@pytest.mark.parametrize("span", [0, -1, 3_601])
def test_a_time_that_cannot_be_meant_is_refused(caller: HttpCaller, span: float) -> None:
    with pytest.raises(Refused, match="at most an hour"):
        caller.ask("profiles-remove", profile=A, undo_s=span)
    assert A in ids(caller)


# -- after a crash


def registry(keys: Path, at: int) -> Registry:
    facts: list[Fact] = []
    return Registry(Cell(), Vault(FileStore(keys)), lambda: BUILT_IN, facts.append, lambda: at, lambda: 0)


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """What a process that was killed left: a key that is set aside until 601 s."""
    keys = tmp_path / "keys.json"
    one = registry(keys, 1_000)
    one.add("openrouter", "a", key_of("a"))
    one.remove(A, 600)
    return keys


def test_after_a_crash_it_can_still_be_had_back(crashed: Path) -> None:
    later = registry(crashed, 400_000)
    later.restore({})
    assert list(later.cell.pool.members) == []
    assert later.forgets_at() == 601_000
    later.bring_back(A)
    assert later.vault.entries()[A].secret == key_of("a") and later.forgets_at() is None


@pytest.mark.parametrize("at", [601_000, 10**12, -10_000_000], ids=["just over", "long over", "a clock set back"])
def test_after_a_crash_no_key_outlives_its_time(crashed: Path, at: int) -> None:
    later = registry(crashed, at)
    later.restore({})
    assert key_of("a") not in crashed.read_text()


class Stuck(FileStore):
    """Cannot be written."""

    def save(self, document: object) -> None:
        raise VaultError("the disk is full")


def test_a_vault_that_cannot_be_written_is_tried_again(crashed: Path) -> None:
    facts: list[Fact] = []
    stuck = Registry(Cell(), Vault(Stuck(crashed)), lambda: BUILT_IN, facts.append, lambda: 700_000, lambda: 0)
    stuck.restore({})
    assert stuck.forgets_at() == 730_000
    with pytest.raises(Refused, match="the disk is full"):
        stuck.forget_due()


def test_a_removal_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    Vault(FileStore(keys)).put(
        A, Entry(secret=key_of("a"), provider="openrouter", label="a", base_url="https://x.example")
    )
    facts: list[Fact] = []
    stuck = Registry(Cell(), Vault(Stuck(keys)), lambda: BUILT_IN, facts.append, lambda: 0, lambda: 0)
    stuck.restore({})
    with pytest.raises(Refused, match="the disk is full"):
        stuck.remove(A, 600)
    assert list(stuck.cell.pool.members) == [A] and stuck.removed == {} and stuck.vault.aside() == {}
