"""Exports, backups and restores: whole or not at all, beside a writer that goes on, and never over anything by accident."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.host.ordinary_user import ordinary_user, shared_folder
from tests.ledger.facts import BACKUP, HOUR, MAIN, T0, id_of, seen, served, started, switched
from tests.ledger.look import ask, contents, one
from tray_app.control import archive
from tray_app.control.verbs import Refused
from tray_app.core.values import Fact, OperatorActed, QuotaSeen
from tray_app.host import instance
from tray_app.host.home import Home, find_home
from tray_app.ledger import backup, batch, database, export

MANY = 2500


def home_at(folder: Path) -> Home:
    return find_home({"O_SWITCHER_HOME": str(folder)})


def filled(home: Home, *facts: Fact) -> Home:
    with closing(database.open_for_writing(home.history, 1).connection) as connection:
        batch.write(connection, facts, batch.Unfinished())
    return home


def some(requests: int) -> list[Fact]:
    made = (switched if number % 7 == 0 else served for number in range(requests))
    return [seen(), *(fact for number, make in enumerate(made) for fact in make(number, T0 + number * 60_000))]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """More than two pages of everything that comes in pages of a thousand."""
    acts = (OperatorActed(T0 + n * 60_000, "cli", "pause", MAIN if n % 3 else BACKUP, "for 2 h") for n in range(MANY))
    quota = (
        QuotaSeen(MAIN, "wallet", "key", "warned", T0 + n * 60_000, 50.0, 2.5, "usd", None, "probe", '"a,\nb"')
        for n in range(MANY)
    )
    return filled(
        home_at(tmp_path_factory.mktemp("full")), *some(MANY), started(9999, started_at=T0 - 5), *acts, *quota
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield filled(home_at(tmp_path / "home"), *some(40))


def nothing(_: float) -> None:
    """No progress is shown."""


def taken(home: Home, what: str, form: str, since: int | None = None, **asked: str | int) -> bytes:
    if since is not None:
        asked["since"] = since
    return b"".join(page.data for page in archive.exported(home.history, what, form, asked))


# -- export


@pytest.mark.parametrize("what", archive.KINDS)
def test_json_lines_hold_every_row_with_its_columns(full: Home, what: str) -> None:
    table = export.KINDS[what]
    order = {"request": "id", "attempt": "request_id, seq"}.get(table, "id")
    lines = [json.loads(line) for line in taken(full, what, "jsonl").splitlines()]
    assert lines == ask(full.history, f"SELECT * FROM {table} ORDER BY {order}")
    assert len(lines) >= MANY / 7


@pytest.mark.parametrize("what", archive.KINDS)
def test_csv_holds_the_same(full: Home, what: str) -> None:
    head, *rows = csv.reader(io.StringIO(taken(full, what, "csv").decode(), newline=""))
    plain = [json.loads(line) for line in taken(full, what, "jsonl").splitlines()]
    assert [dict(zip(head, row, strict=True)) for row in rows] == [
        {name: "" if value is None else str(value) for name, value in line.items()} for line in plain
    ]


@pytest.mark.parametrize("minutes", [0, 1, 999, 1000, 1001, MANY - 1, MANY])
def test_since_leaves_out_what_was_before(full: Home, minutes: int) -> None:
    since = T0 + minutes * 60_000
    begun = [json.loads(line) for line in taken(full, "requests", "jsonl", since).splitlines()]
    assert [row["id"] for row in begun] == [id_of(n, T0 + n * 60_000) for n in range(minutes, MANY)]
    calls = [json.loads(line) for line in taken(full, "attempts", "jsonl", since).splitlines()]
    assert {row["request_id"] for row in calls} == {row["id"] for row in begun}
    for what in ("failovers", "quota-events"):
        found = [json.loads(line) for line in taken(full, what, "jsonl", since).splitlines()]
        table = export.KINDS[what]
        assert found == ask(full.history, f"SELECT * FROM {table} WHERE at >= ? ORDER BY id", since)


def rows_of(full: Home, what: str, **asked: str | int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in taken(full, what, "jsonl", **asked).splitlines()]


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"profile": MAIN}, f"profile_id = '{MAIN}'"),
        ({"profile": "*backup", "since": T0 + 600_000}, f"profile_id GLOB '*backup' AND started_at >= {T0 + 600_000}"),
        ({"until": T0 + 9_000_000}, f"started_at < {T0 + 9_000_000}"),
        ({"error_class": "rate_limited"}, "id IN (SELECT request_id FROM attempt WHERE error_class = 'rate_limited')"),
        ({"outcome": "failed"}, "outcome = 'failed'"),
        ({"client": "nobody"}, "FALSE"),
        ({"id": id_of(1, T0)[:5]}, f"id LIKE '{id_of(1, T0)[:5]}%'"),
    ],
    ids=str,
)
def test_what_is_selected_is_all_that_is_exported(full: Home, asked: dict[str, str | int], where: str) -> None:
    requests = ask(full.history, f"SELECT * FROM request WHERE {where} ORDER BY id")
    assert rows_of(full, "requests", **asked) == requests
    calls = f"SELECT * FROM attempt WHERE request_id IN (SELECT id FROM request WHERE {where}) ORDER BY request_id, seq"
    assert rows_of(full, "attempts", **asked) == ask(full.history, calls)
    assert taken(full, "requests", "csv", **asked).count(b"\r\n") == len(requests) + 1


@pytest.mark.parametrize("profile", [MAIN, "*-backup", "nobody"])
@pytest.mark.parametrize("what", ["failovers", "quota-events", "operator-events"])
def test_what_else_happened_is_exported_by_time_and_profile(full: Home, what: str, profile: str) -> None:
    table, edge = export.KINDS[what], T0 + 9_000_000
    names = ("to_profile", "from_profile") if what == "failovers" else ("profile_id",)
    of = " OR ".join(f"{name} GLOB '{profile}'" for name in names)
    assert rows_of(full, what, profile=profile, until=edge) == ask(
        full.history, f"SELECT * FROM {table} WHERE ({of}) AND at < ? ORDER BY id", edge
    )


def test_a_selection_that_has_no_sense_is_refused(full: Home) -> None:
    with pytest.raises(Refused, match="failovers cannot be exported by 'model'"):
        archive.exported(full.history, "failovers", "csv", {"model": "x"})
    with pytest.raises(Refused, match="requests cannot be exported by 'before'"):
        archive.exported(full.history, "requests", "csv", {"before": "x"})
    with pytest.raises(Refused, match="no outcome is called 'lost'"):
        archive.exported(full.history, "requests", "csv", {"outcome": "lost"})


def test_it_comes_in_pages_and_tells_how_far_it_has_come(full: Home) -> None:
    pages = list(archive.exported(full.history, "attempts", "csv", {}))
    assert max(page.rows for page in pages) <= 2 * export.ROWS and len(pages) >= 4
    done = [page.done for page in pages]
    assert done == sorted(done) and done[-1] == 1.0 and 0.3 < done[1] < 0.5


def test_an_export_keeps_nobody_from_cutting_the_journal(home: Home) -> None:
    pages = archive.exported(home.history, "requests", "csv", {})
    next(pages)
    with closing(sqlite3.connect(home.history)) as writer:
        writer.execute("REPLACE INTO app_state VALUES ('a', 'b')")
        writer.commit()
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert sum(page.rows for page in pages) == 40


def test_an_empty_history_gives_the_names_alone(tmp_path: Path) -> None:
    empty = filled(home_at(tmp_path))
    for what in archive.KINDS:
        assert taken(empty, what, "csv").count(b"\r\n") == 1
        assert taken(empty, what, "jsonl") == b""


@pytest.mark.parametrize(
    ("what", "form", "since", "words"),
    [
        ("keys", "csv", None, "'keys' cannot be exported; there are: requests, attempts"),
        ("requests", "xls", None, "no format is called 'xls'; there are: csv, jsonl"),
        ("requests", "csv", 1 << 60, "no time in milliseconds"),
    ],
)
def test_what_cannot_be_exported_is_said(home: Home, what: str, form: str, since: int | None, words: str) -> None:
    with pytest.raises(Refused, match=words):
        archive.exported(home.history, what, form, {} if since is None else {"since": since})


def test_without_a_history_there_is_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no history yet"):
        archive.exported(tmp_path / "history.db", "requests", "csv", {})


def test_a_damaged_history_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"no database at all " * 500)
    with pytest.raises(Refused, match="cannot be read: file is not a database; see: o-switcher doctor"):
        list(archive.exported(path, "requests", "csv", {}))


# -- files


def wrote(home: Home, out: Path, *, force: bool = False) -> archive.Exported:
    return archive.export_to(home, out, "requests", "jsonl", None, force=force, progress=nothing)


def copied(home: Home, out: Path, *, force: bool = False) -> archive.Backup:
    return archive.back_up(home, out, force=force, progress=nothing)


MAKERS = pytest.mark.parametrize("make", [wrote, copied], ids=["export", "backup"])
Make = Callable[..., Any]


@MAKERS
def test_a_file_is_whole_and_for_this_user_only(home: Home, tmp_path: Path, make: Make) -> None:
    out = tmp_path / "out"
    assert make(home, out).file == str(out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out"]


@MAKERS
def test_another_file_is_replaced_only_when_told_to(home: Home, tmp_path: Path, make: Make) -> None:
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(Refused, match="is there already; replace it with --force"):
        make(home, out)
    assert out.read_text() == "mine"
    make(home, out, force=True)
    assert out.read_bytes() != b"mine"


@MAKERS
@pytest.mark.parametrize("name", ["history.db", "config.toml", "keys.json"])
def test_nothing_of_the_apps_own_is_ever_replaced(home: Home, make: Make, name: str) -> None:
    before = contents(home.history)
    with pytest.raises(Refused, match="is the app's own; name another file"):
        make(home, home.history.with_name(name), force=True)
    assert contents(home.history) == before


@MAKERS
def test_a_folder_is_no_file(home: Home, tmp_path: Path, make: Make) -> None:
    with pytest.raises(Refused, match="is a folder"):
        make(home, tmp_path, force=True)
    with pytest.raises(Refused, match="cannot be written: no such file or directory"):
        make(home, tmp_path / "nowhere" / "out")


@MAKERS
def test_a_file_that_came_meanwhile_is_not_replaced(
    home: Home, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, link = tmp_path / "out", os.link

    def somebody_is_quicker(source: Any, target: Any) -> None:
        out.write_text("mine")
        link(source, target)

    monkeypatch.setattr(os, "link", somebody_is_quicker)
    with pytest.raises(Refused, match="is there already"):
        make(home, out)
    assert out.read_text() == "mine" and len(list(tmp_path.iterdir())) == 2


def test_a_disk_without_links_will_do(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    assert wrote(home, tmp_path / "out").rows == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out"]


@MAKERS
def test_a_full_disk_leaves_no_half_a_file(full: Home, small_disk: Path, make: Make) -> None:
    out = small_disk / "out"
    (small_disk / "ballast").write_bytes(b"x" * (12 * 1024 * 1024 - 200_000))
    with pytest.raises(Refused, match="out cannot be written: no space left on device"):
        make(full, out)
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_folder_without_the_rights_is_said() -> None:
    with shared_folder() as folder, ordinary_user():
        home = filled(home_at(folder / "home"), *some(3))
        (folder / "there").mkdir(mode=0o500)
        with pytest.raises(Refused, match="cannot be written: permission denied"):
            wrote(home, folder / "there" / "out")


# -- backup


def test_a_backup_is_the_history_of_one_moment_while_the_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer commits between any two steps of the copy; nothing of it comes in, and the copy does not begin anew."""
    monkeypatch.setattr(backup, "PAGES", 10)
    busy = filled(home_at(tmp_path / "home"), *some(600))
    before = contents(busy.history)
    told: list[float] = []
    with closing(database.open_for_writing(busy.history, 1).connection) as writer:

        def write_meanwhile(done: float) -> None:
            told.append(done)
            batch.write(writer, served(50_000 + len(told), T0 + HOUR), batch.Unfinished())

        archive.back_up(busy, tmp_path / "copy.db", force=False, progress=write_meanwhile)
        assert len(told) > 5 and told == sorted(told) and told[-1] == 1.0
        assert contents(tmp_path / "copy.db") == before
        assert one(busy.history, "SELECT count(*) FROM request") == 600 + len(told)


def test_a_backup_is_one_file_that_opens_where_nothing_may_be_written(home: Home, tmp_path: Path) -> None:
    copied(home, tmp_path / "copy.db")
    with closing(sqlite3.connect(f"file:{tmp_path / 'copy.db'}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT count(*) FROM request").fetchone() == (40,)


def test_a_damaged_history_makes_no_backup(home: Home, tmp_path: Path) -> None:
    page = one(home.history, "SELECT rootpage FROM sqlite_master WHERE name = 'request_data'")
    with home.history.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(Refused, match="is damaged"):
        copied(home, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_without_a_history_there_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no history yet"):
        copied(home_at(tmp_path), tmp_path / "copy.db")


# -- restore


def brought_back(home: Home, file: Path) -> archive.Restored:
    return archive.restore(home, file, progress=nothing)


def test_a_restore_brings_everything_back_and_keeps_what_was_there(home: Home, tmp_path: Path) -> None:
    before = contents(home.history)
    copied(home, tmp_path / "copy.db")
    filled(home, *served(900))
    later = contents(home.history)
    done = brought_back(home, tmp_path / "copy.db")
    assert (done.file, done.requests) == (str(home.history), 40)
    assert contents(home.history) == before
    assert done.former is not None and contents(Path(done.former)) == later
    assert stat.S_IMODE(home.history.stat().st_mode) == 0o600
    filled(home, *served(901))
    assert one(home.history, "SELECT count(*) FROM request") == 41
    assert one(home.history, "PRAGMA journal_mode") == "wal"


def test_a_journal_that_a_killed_app_left_is_kept_with_its_file(home: Home, tmp_path: Path) -> None:
    copied(home, tmp_path / "copy.db")
    with closing(sqlite3.connect(home.history, isolation_level=None)) as connection:
        connection.execute("REPLACE INTO app_state VALUES ('late', 'yes')")
        kept = {end: Path(f"{home.history}{end}").read_bytes() for end in ("", "-wal")}
    for end, data in kept.items():
        Path(f"{home.history}{end}").write_bytes(data)
    done = brought_back(home, tmp_path / "copy.db")
    assert one(Path(str(done.former)), "SELECT value FROM app_state WHERE name = 'late'") == "yes"
    assert one(home.history, "SELECT count(*) FROM app_state WHERE name = 'late'") == 0


def test_a_restore_onto_a_new_machine(home: Home, tmp_path: Path) -> None:
    copied(home, tmp_path / "copy.db")
    new = home_at(tmp_path / "new" / "home")
    done = brought_back(new, tmp_path / "copy.db")
    assert done.former is None and contents(new.history) == contents(home.history)


def test_an_older_copy_is_brought_up_to_date_by_the_next_start(home: Home, tmp_path: Path) -> None:
    from tests.ledger.test_upgrade import old_file

    old_file(tmp_path / "old.db", 2)
    assert brought_back(home, tmp_path / "old.db").requests == 10
    filled(home)
    assert one(home.history, "PRAGMA user_version") == database.migrations()[-1][0]


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database. " * 1000)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")


def bad_page(path: Path) -> None:
    page = one(path, "SELECT rootpage FROM sqlite_master WHERE name = 'usage_hour'")
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (garbage, "is damaged"),
        (newer, "was written by a newer version"),
        (foreign, "is the database of another program"),
        (bad_page, "is damaged"),
        (empty, "holds nothing"),
        (lambda path: path.unlink(), "is not there"),
        (lambda path: (path.unlink(), path.mkdir()), "is no file"),
    ],
    ids=["garbage", "newer", "foreign", "a bad page", "empty", "missing", "a folder"],
)
def test_what_is_no_backup_changes_nothing(
    home: Home, tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    file = tmp_path / "copy.db"
    if spoil is not foreign:
        copied(home, file)
    spoil(file)
    before = contents(home.history)
    with pytest.raises(Refused, match=words):
        brought_back(home, file)
    assert contents(home.history) == before
    assert [path.name for path in home.history.parent.iterdir() if "before-restore" in path.name] == []


def test_the_history_is_not_restored_from_itself(home: Home) -> None:
    with pytest.raises(Refused, match="is the history itself"):
        brought_back(home, home.history)


def test_nothing_is_restored_while_the_app_runs(home: Home, tmp_path: Path) -> None:
    copied(home, tmp_path / "copy.db")
    before = contents(home.history)
    held = instance.claim(home.lock, home.running)
    assert held is not None
    try:
        with pytest.raises(Refused, match="is running; stop it first: o-switcher stop"):
            brought_back(home, tmp_path / "copy.db")
    finally:
        held.release()
    assert contents(home.history) == before


def test_a_restore_that_fails_in_the_end_is_taken_back(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(home, tmp_path / "copy.db")
    before = contents(home.history)

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(Refused, match="permission denied"):
        brought_back(home, tmp_path / "copy.db")
    assert contents(home.history) == before
    left = {path.name for path in home.history.parent.iterdir()}
    assert not any("part" in name or "before-restore" in name for name in left)
