"""Opening the file: made when missing, brought up to date when old, moved aside whole when it cannot be used."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.host.ordinary_user import ordinary_user, shared_folder
from tests.ledger.facts import (
    BACKUP,
    HOUR,
    MAIN,
    MODEL,
    T0,
    attempt_ended,
    attempt_started,
    ended,
    failed_attempt,
    id_of,
    profile,
    rest,
    seen,
    served,
    started,
)
from tests.ledger.look import ask, contents, one
from tray_app.core.pool import Member
from tray_app.core.values import (
    Admin,
    CooldownSet,
    Fact,
    FailedOver,
    ReauthChanged,
    Remember,
    Scope,
)
from tray_app.ledger import batch, database

NOW = T0 + HOUR


def filled(path: Path, *facts: Fact) -> None:
    """Write some facts to that file and close it."""
    with closing(database.open_for_writing(path, NOW).connection) as connection:
        batch.write(connection, facts or served(1), batch.Unfinished())


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


# -- a new file


def test_a_new_file_is_made_with_its_folder_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.db"
    opened = database.open_for_writing(path, NOW)
    opened.connection.close()
    assert opened.moved_aside is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_file_keeps_its_readers_and_its_writer_apart(history: Path) -> None:
    with closing(database.open_for_writing(history, NOW).connection) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (database.BUSY_MS,)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA user_version").fetchone() == (database.migrations()[-1][0],)


def test_a_file_that_a_killed_start_left_empty_is_begun_as_a_new_one(history: Path) -> None:
    history.touch(0o644)
    with closing(database.open_for_writing(history, NOW).connection) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_a_file_that_a_killed_start_left_without_tables_is_finished(history: Path) -> None:
    with closing(sqlite3.connect(history)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert history.stat().st_size > 0
    opened = database.open_for_writing(history, NOW)
    opened.connection.close()
    assert opened.moved_aside is None
    assert one(history, "SELECT count(*) FROM request") == 0
    assert names(history.parent) == ["history.db"]


@pytest.mark.parametrize("name", ["a#b", "50%", "what?", "mit Umlaut ä", "a&b=c"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "history.db"
    filled(path)
    with database.reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM request").fetchone() == (1,)


def test_a_second_opening_finds_what_the_first_wrote(history: Path) -> None:
    filled(history)
    opened = database.open_for_writing(history, NOW)
    opened.connection.close()
    assert opened.moved_aside is None
    assert one(history, "SELECT outcome FROM request") == "served"
    assert names(history.parent) == ["history.db"]


def test_a_reader_cannot_write(history: Path) -> None:
    filled(history)
    with database.reading(history) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM request_data")


# -- a file that cannot be used


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database. " * 1000)


def cut_short(path: Path) -> None:
    filled(path)
    os.truncate(path, 8192)


def bad_page(path: Path) -> None:
    """The page that holds the profiles is overwritten."""
    filled(path, seen())
    number = one(path, "SELECT rootpage FROM sqlite_master WHERE name = 'profile'")
    with path.open("r+b") as file:
        file.seek((number - 1) * 4096)
        file.write(b"\xff" * 4096)


def bad_index(path: Path) -> None:
    """The index of the open requests is overwritten: found when the file is swept."""
    filled(path)
    number = one(path, "SELECT rootpage FROM sqlite_master WHERE name = 'request_open'")
    with path.open("r+b") as file:
        file.seek((number - 1) * 4096)
        file.write(b"\xff" * 4096)


def contradictory(path: Path) -> None:
    """Rows that the table's own description forbids."""
    filled(path, seen())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_master SET sql = replace(sql, 'removed_at INTEGER', 'removed_at INTEGER NOT NULL')"
        connection.execute(sql)
        connection.commit()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE profile (id, something_new)")
        connection.execute("PRAGMA user_version = 999")
        connection.commit()


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE request (url)")
        connection.commit()


def with_a_table_missing(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP VIEW request")
        connection.commit()


UNUSABLE = [
    pytest.param(garbage, "is damaged", id="garbage"),
    pytest.param(cut_short, "is damaged", id="cut short"),
    pytest.param(bad_page, "is damaged", id="a broken page"),
    pytest.param(bad_index, "is damaged", id="a broken index"),
    pytest.param(contradictory, "is damaged (NULL value in profile.removed_at)", id="rows that cannot be"),
    pytest.param(newer, "was written by a newer version (schema 999, known up to 6)", id="a newer schema"),
    pytest.param(of_another_program, "is the database of another program", id="another program's"),
    pytest.param(with_a_table_missing, "is the database of another program", id="a table missing"),
]


@pytest.mark.parametrize(("spoil", "words"), UNUSABLE)
def test_a_file_that_cannot_be_used_is_moved_aside_unchanged(
    history: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(history)
    before = history.read_bytes()
    opened = database.open_for_writing(history, NOW)
    with closing(opened.connection) as connection:
        batch.write(connection, served(2), batch.Unfinished())
    assert opened.moved_aside is not None
    assert words in opened.moved_aside
    aside = history.with_name(f"history.aside-{NOW}.db")
    assert opened.moved_aside.startswith("history.db ") and aside.name in opened.moved_aside
    assert aside.read_bytes() == before
    assert one(history, "SELECT id FROM request") == id_of(2)


def test_a_newer_file_takes_its_journal_along_and_neither_is_changed(tmp_path: Path, history: Path) -> None:
    busy = tmp_path / "busy.db"
    newer(busy)
    with closing(sqlite3.connect(busy, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO profile VALUES ('a', 'b')")
        for ending in ("", "-wal"):  # as a killed process leaves them
            shutil.copy(f"{busy}{ending}", f"{history}{ending}")
    before = history.read_bytes(), Path(f"{history}-wal").read_bytes()
    database.open_for_writing(history, NOW).connection.close()
    aside = history.with_name(f"history.aside-{NOW}.db")
    assert (aside.read_bytes(), Path(f"{aside}-wal").read_bytes()) == before
    assert one(aside, "SELECT something_new FROM profile") == "b"


def test_a_folder_in_its_place_is_moved_aside_with_what_is_in_it(history: Path) -> None:
    history.mkdir()
    (history / "mine.txt").write_text("hello")
    opened = database.open_for_writing(history, NOW)
    opened.connection.close()
    assert "is not a file" in str(opened.moved_aside)
    assert (history.with_name(f"history.aside-{NOW}.db") / "mine.txt").read_text() == "hello"


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o200], ids=["unreadable", "read-only", "write-only"])
def test_a_file_without_the_rights_is_moved_aside(mode: int) -> None:
    with shared_folder() as folder, ordinary_user():
        path = folder / "history.db"
        filled(path)
        path.chmod(mode)
        opened = database.open_for_writing(path, NOW)
        opened.connection.close()
        assert "cannot be read and written by this user" in str(opened.moved_aside)
        assert one(path, "SELECT count(*) FROM request") == 0
        aside = folder / f"history.aside-{NOW}.db"
        aside.chmod(0o600)
        assert one(aside, "SELECT count(*) FROM request") == 1


def test_a_folder_without_the_rights_is_an_error_and_nothing_is_moved() -> None:
    with shared_folder() as folder, ordinary_user():
        path = folder / "history.db"
        garbage(path)
        folder.chmod(0o500)
        with pytest.raises(PermissionError):
            database.open_for_writing(path, NOW)
        folder.chmod(0o700)
        assert names(folder) == ["history.db"]


def test_what_was_moved_aside_before_is_never_overwritten(history: Path) -> None:
    for number in range(3):
        history.write_bytes(b"%d" % number * 5000)
        database.open_for_writing(history, NOW).connection.close()
    kept = sorted(history.parent.glob("history.aside-*.db"))
    assert [path.read_bytes()[:1] for path in kept] == [b"0", b"1", b"2"]


def test_a_move_that_fails_half_way_is_taken_back(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    garbage(history)
    Path(f"{history}-wal").write_bytes(b"journal")
    rename = Path.rename

    def fail_for_the_file(self: Path, target: Path) -> Path:
        if self == history:
            raise PermissionError(13, "in use", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_file)
    with pytest.raises(PermissionError):
        database.move_aside(history, NOW)
    monkeypatch.undo()
    assert names(history.parent) == ["history.db", "history.db-wal"]
    history.unlink()


def test_a_link_stays_a_link_and_the_file_behind_it_is_moved(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "ledger.db"
    real.parent.mkdir()
    garbage(real)
    link = tmp_path / "history.db"
    link.symlink_to(real)
    opened = database.open_for_writing(link, NOW)
    opened.connection.close()
    assert link.is_symlink()
    assert one(link, "SELECT count(*) FROM request") == 0
    assert (real.parent / f"ledger.aside-{NOW}.db").exists()


def test_a_locked_file_is_well_and_stays_where_it_is(history: Path) -> None:
    filled(history, seen())
    with closing(sqlite3.connect(history)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM app_state")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            database.open_for_writing(history, NOW)
    assert names(history.parent) == ["history.db"]


# -- what can be saved from a damaged file


def test_paused_profiles_and_cooldowns_are_saved_from_a_damaged_file(history: Path) -> None:
    filled(
        history,
        seen(MAIN, Admin.PAUSED, NOW + 9),
        seen(BACKUP, Admin.DISABLED),
        CooldownSet(rest(until_at=NOW + 5), "wallet", None, T0),
        Remember("preferred", BACKUP),
        *served(1),
    )
    number = one(history, "SELECT rootpage FROM sqlite_master WHERE name = 'request_open'")
    with history.open("r+b") as file:
        file.seek((number - 1) * 4096)
        file.write(b"\xff" * 4096)
    opened = database.open_for_writing(history, NOW)
    with closing(opened.connection) as connection:
        remembered = database.remember(connection)
    assert "is damaged" in str(opened.moved_aside)
    members = remembered.pool.members
    assert {name: member.admin for name, member in members.items()} == {MAIN: Admin.PAUSED, BACKUP: Admin.DISABLED}
    assert [rest.until_at for rest in members[MAIN].cooldowns] == [NOW + 5]
    assert remembered.state == {"preferred": BACKUP}


def test_profiles_before_the_damage_are_saved(history: Path) -> None:
    filled(history, *(seen(f"openrouter-{number:04}", Admin.DISABLED) for number in range(200)))
    pages = one(history, "SELECT count(*) FROM dbstat WHERE name = 'profile' AND pagetype = 'leaf'")
    last = one(
        history, "SELECT pageno FROM dbstat WHERE name = 'profile' AND pagetype = 'leaf' ORDER BY path DESC LIMIT 1"
    )
    assert pages > 3
    with history.open("r+b") as file:
        file.seek((last - 1) * 4096)
        file.write(b"\xff" * 4096)
    database.open_for_writing(history, NOW).connection.close()
    saved = one(history, "SELECT count(*) FROM profile WHERE admin_state = 'disabled'")
    assert 100 < saved < 200


def test_nothing_is_taken_from_a_newer_file(history: Path) -> None:
    filled(history, seen(MAIN, Admin.PAUSED))
    with closing(sqlite3.connect(history)) as connection:
        connection.execute("PRAGMA user_version = 999")
    database.open_for_writing(history, NOW).connection.close()
    assert one(history, "SELECT count(*) FROM profile") == 0


# -- migrations


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A program that knows one migration more than the file."""
    known = database.migrations()
    step = known[-1][0] + 1
    sql = "ALTER TABLE profile ADD COLUMN mood TEXT; UPDATE profile SET mood = 'old';"
    monkeypatch.setattr(database, "migrations", lambda: [*known, (step, sql)])
    yield step


def test_an_older_file_is_brought_up_to_date_and_a_copy_of_it_kept(
    history: Path, request: pytest.FixtureRequest
) -> None:
    filled(history, *served(1), seen())
    before = contents(history)
    step = request.getfixturevalue("one_more")
    opened = database.open_for_writing(history, NOW)
    opened.connection.close()
    assert opened.moved_aside is None
    assert one(history, "SELECT mood FROM profile") == "old"
    assert one(history, "PRAGMA user_version") == step
    copy = history.with_name(f"history.before-schema-{step}.db")
    assert names(history.parent) == [copy.name, "history.db"]
    assert contents(copy) == before
    assert one(copy, "PRAGMA user_version") == step - 1
    assert one(copy, "PRAGMA integrity_check") == "ok"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_the_copy_of_an_earlier_try_is_kept_and_half_a_copy_is_not(
    history: Path, request: pytest.FixtureRequest
) -> None:
    filled(history)
    step = request.getfixturevalue("one_more")
    copy = history.with_name(f"history.before-schema-{step}.db")
    half = copy.with_name(f"{copy.name}.part")
    half.write_bytes(b"half a copy")
    database.open_for_writing(history, NOW).connection.close()
    assert one(copy, "SELECT count(*) FROM request") == 1
    assert not half.exists()
    earlier = copy.read_bytes()
    with closing(sqlite3.connect(history)) as connection:
        connection.execute("ALTER TABLE profile DROP COLUMN mood")
        connection.execute(f"PRAGMA user_version = {step - 1}")
    database.open_for_writing(history, NOW).connection.close()
    assert copy.read_bytes() == earlier


def test_a_migration_that_fails_leaves_the_file_as_it_was(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(history)
    known = database.migrations()
    bad = (known[-1][0] + 1, "ALTER TABLE profile ADD COLUMN mood TEXT; SELECT * FROM nowhere;")
    monkeypatch.setattr(database, "migrations", lambda: [*known, bad])
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        database.open_for_writing(history, NOW)
    assert one(history, "PRAGMA user_version") == known[-1][0]
    assert "mood" not in [column["name"] for column in ask(history, "SELECT name FROM pragma_table_info('profile')")]


def test_without_its_copy_no_file_is_migrated(history: Path, request: pytest.FixtureRequest) -> None:
    filled(history)
    step = request.getfixturevalue("one_more")
    history.with_name(f"history.before-schema-{step}.db.part").mkdir()
    with pytest.raises(OSError, match="before-schema"):
        database.open_for_writing(history, NOW)
    assert one(history, "PRAGMA user_version") == step - 1


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    found = [number for number, _ in database.migrations()]
    assert found == list(range(1, len(found) + 1))


# -- the sweep


def left_open(path: Path) -> None:
    """As a killed process leaves it: one request before its first attempt, one in its second, one that ended."""
    facts: list[Fact] = [
        started(1),
        started(2),
        attempt_started(2),
        failed_attempt(2),
        FailedOver(id_of(2), T0, MAIN, BACKUP, "limit", False),
        attempt_started(2, 2, profile_id=BACKUP),
        *served(3),
    ]
    filled(path, *facts)


def test_rows_that_a_killed_process_left_open_are_closed_as_interrupted(history: Path) -> None:
    left_open(history)
    database.open_for_writing(history, NOW).connection.close()
    rows = ask(
        history, "SELECT id, outcome, ended_at, attempts, failovers, profile_id, reason FROM request ORDER BY id"
    )
    words = "the app ended before the answer did"
    assert [tuple(row.values()) for row in rows] == [
        (id_of(1), "interrupted", T0, 0, 0, None, words),
        (id_of(2), "interrupted", T0, 2, 1, BACKUP, words),
        (id_of(3), "served", T0 + 900, 1, 0, MAIN, None),
    ]
    attempts = ask(history, "SELECT seq, outcome, ended_at, reason FROM attempt WHERE request_id = ?", id_of(2))
    assert [tuple(row.values()) for row in attempts] == [
        (1, "failed", T0 + 890, "the rate limit is reached"),
        (2, "interrupted", T0 + 10, words),
    ]


def test_interrupted_requests_are_counted_like_others(history: Path) -> None:
    left_open(history)
    for _ in range(2):  # a second opening counts nothing twice
        database.open_for_writing(history, NOW).connection.close()
    rows = ask(history, "SELECT profile_id, model, requests, served, attempts, failovers FROM usage_hour")
    assert sorted(tuple(row.values()) for row in rows) == [
        ("", MODEL, 1, 0, 0, 0),
        (BACKUP, MODEL, 1, 0, 2, 1),
        (MAIN, MODEL, 1, 1, 1, 0),
    ]


def test_requests_that_this_process_is_busy_with_are_left_alone(history: Path) -> None:
    left_open(history)
    opened = database.open_for_writing(history, NOW, {id_of(2)})
    with closing(opened.connection) as connection:
        still = connection.execute("SELECT id FROM request WHERE ended_at IS NULL").fetchall()
        assert still == [(id_of(2),)]
        assert connection.execute("SELECT seq FROM attempt WHERE ended_at IS NULL").fetchall() == [(2,)]
        known = batch.Unfinished(open={id_of(2): started(2)})
        batch.write(connection, [attempt_ended(2, 2, profile_id=BACKUP), ended(2)], known)
    assert one(history, "SELECT outcome FROM request WHERE id = ?", id_of(2)) == "served"


# -- what is remembered


def test_the_pool_is_remembered_as_it_was_left(history: Path) -> None:
    facts: list[Fact] = [
        seen(BACKUP, Admin.PAUSED, NOW + 60),
        seen(MAIN),
        ReauthChanged(MAIN, "wallet", T0, True, "the provider refuses the key"),
        CooldownSet(rest(until_at=NOW + 1), "wallet", None, T0),
        CooldownSet(rest(until_at=NOW + 2, scope=Scope.KEY_MODEL, model=MODEL), "wallet", None, T0),
        CooldownSet(rest(until_at=NOW, scope=Scope.PROVIDER), "wallet", None, T0),  # over: somebody must say so
        Remember("preferred", MAIN),
    ]
    filled(history, *facts)
    with closing(database.open_for_writing(history, NOW).connection) as connection:
        remembered = database.remember(connection)
    resting = (
        rest(until_at=NOW + 1),
        rest(until_at=NOW + 2, scope=Scope.KEY_MODEL, model=MODEL),
        rest(until_at=NOW, scope=Scope.PROVIDER),
    )
    assert dict(remembered.pool.members) == {
        BACKUP: Member(profile(BACKUP), Admin.PAUSED, NOW + 60),
        MAIN: Member(profile(MAIN), reauth="the provider refuses the key", cooldowns=resting),
    }
    assert remembered.state == {"preferred": MAIN}


def test_words_of_another_version_do_not_keep_the_app_from_starting(history: Path) -> None:
    filled(history, seen(), CooldownSet(rest(until_at=NOW + 1), "w", None, T0))
    with closing(sqlite3.connect(history, isolation_level=None)) as connection:
        connection.execute("UPDATE profile SET admin_state = 'asleep'")
        connection.execute("UPDATE cooldown SET source = 'rumour'")
        connection.execute(
            "INSERT INTO cooldown SELECT profile_id, 'planet', '', until_at, since_at, error_class, source, reason"
            " FROM cooldown"
        )
    with closing(database.open_for_writing(history, NOW).connection) as connection:
        member = database.remember(connection).pool.members[MAIN]
    assert member.admin is Admin.ENABLED
    assert [(one_rest.scope, one_rest.source.value) for one_rest in member.cooldowns] == [(Scope.KEY, "inferred")]


def test_requests_of_today_are_counted_from_the_hours(history: Path) -> None:
    day = T0 // HOUR * HOUR
    filled(history, *served(1, at=day - 1), *served(2, at=day), *served(3, at=day + 2 * HOUR))
    with closing(database.open_for_writing(history, NOW).connection) as connection:
        assert database.requests_since(connection, day) == 2
        assert database.requests_since(connection, day + 9 * HOUR) == 0
