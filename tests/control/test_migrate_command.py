"""Bringing an older history up to date by a command: tried on a copy first, all of it or nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.look import one
from tests.ledger.test_upgrade import NEWEST, old_file, seen
from tray_app.control import archive
from tray_app.control.verbs import Refused
from tray_app.host import instance
from tray_app.host.home import Home, find_home
from tray_app.ledger import database


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find_home({"O_SWITCHER_HOME": str(tmp_path)})


def spoil(path: Path) -> None:
    """A table that a later migration is going to make is there already."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE usage_day (surprise TEXT)")
        connection.execute("CREATE TABLE request_data (surprise TEXT)")
        connection.commit()


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_trial_changes_nothing_and_the_migration_keeps_a_copy(home: Home, version: int) -> None:
    old_file(home.history, version)
    before = seen(home.history)
    tried = archive.bring_up_to_date(home, trial=True)
    assert (tried.before, tried.now, tried.kept) == (version, NEWEST, None)
    assert one(home.history, "PRAGMA user_version") == version
    done = archive.bring_up_to_date(home, trial=False)
    assert (done.before, done.now) == (version, NEWEST)
    assert done.kept is not None and seen(Path(done.kept)) == before
    assert one(home.history, "PRAGMA user_version") == NEWEST
    again = archive.bring_up_to_date(home, trial=False)
    assert (again.before, again.now, again.kept) == (NEWEST, NEWEST, None)
    assert not [path.name for path in home.history.parent.iterdir() if path.name.endswith(".part")]


def test_a_migration_that_fails_leaves_the_file_to_the_earlier_version(home: Home) -> None:
    old_file(home.history, 1)
    spoil(home.history)
    before = seen(home.history)
    with pytest.raises(Refused, match="does not go through the migrations"):
        archive.bring_up_to_date(home, trial=True)
    with pytest.raises((Refused, sqlite3.Error)):
        archive.bring_up_to_date(home, trial=False)
    assert one(home.history, "PRAGMA user_version") == 1, "all steps or none"
    assert seen(home.history) == before


def test_a_history_that_is_not_there_or_too_new_is_left_alone(home: Home) -> None:
    assert archive.bring_up_to_date(home, trial=False).kept is None
    assert not home.history.exists()
    database.open_for_writing(home.history, 0).connection.close()
    with closing(sqlite3.connect(home.history)) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    for trial in (True, False):
        with pytest.raises(Refused, match="newer version"):
            archive.bring_up_to_date(home, trial=trial)


def test_it_waits_for_nobody_while_the_app_runs(home: Home) -> None:
    old_file(home.history, 1)
    held = instance.claim(home.lock, home.running)
    assert held is not None
    assert archive.bring_up_to_date(home, trial=True).before == 1
    with pytest.raises(Refused, match="o-switcher stop"):
        archive.bring_up_to_date(home, trial=False)
    held.release()
