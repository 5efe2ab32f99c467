"""`o-switcher doctor`: what it finds, what it says of it, what it writes down."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faces.cli.test_commands import Here, Run, runner
from tests.faces.tray.desk import WATCHER, Daemon, Desk
from tests.rig import Rig, key_of, running, script_of
from tray_app.control.doctor import Doctor
from tray_app.host.vault import Entry, open_vault

OK = '{do="ok"}'
FILE = '[secrets]\nstore = "file"\n'
ODD = '{do="custom", status=418, body="{\\"error\\":{\\"message\\":\\"the kettle KEY is cold\\"}}"}'


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No desktop, and nothing of this user's."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LC_ALL", "C")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home whose app is told to take any port."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text(FILE + "[proxy]\nport = 0\n")
    return tmp_path / "home"


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(Here(folder, []), capsys, monkeypatch)


def hold(folder: Path, *names: str, account: str = "") -> None:
    """Put keys into the vault of that home."""
    vault = open_vault(folder / "keys.json", "file")
    for place, name in enumerate(names):
        entry = Entry(
            secret=key_of(name), provider="openrouter", label=name, base_url="https://openrouter.ai/api/v1",
            account=account, added_at=place + 1,
        )  # fmt: skip
        vault.put(f"openrouter-{name}", entry)


def lines_of(out: str, what: str) -> list[str]:
    return [line for line in out.splitlines() if line[3:].startswith(f"{what}:")]


# -- without the app


def test_where_all_is_well_every_line_is_ok_and_the_code_is_0(folder: Path, run: Run) -> None:
    hold(folder, "a")
    ran = run("doctor")
    assert ran.code == 0, ran
    *checks, blank, summary = ran.out.splitlines()
    assert [line.partition(":")[0] for line in checks] == [
        "ok settings", "ok app", "ok keys", "ok history", "ok disk", "ok decisions", "ok port", "ok tray", "ok login",
        "ok openrouter-a",
    ]  # fmt: skip
    assert blank == "" and summary == f"all {len(checks)} checks are good"
    assert "ok tray: no desktop session: running headless" in checks
    assert "ok openrouter-a: not asked: O-Switcher is not running" in checks
    found = json.loads(run("doctor", "--json").out)
    assert len(found) == len(checks) and all(one["ok"] for one in found)
    assert all(one.keys() == {"what", "ok", "words", "mend"} for one in found)


def test_a_machine_without_a_key_is_told_how_to_give_one_and_nothing_is_made(folder: Path, run: Run) -> None:
    ran = run("doctor")
    assert ran.code == 1
    assert "!! profiles: there are none yet; o-switcher profiles add openrouter --label main" in ran.out
    assert ran.out.endswith(" checks found something wrong\n")
    assert [path.name for path in folder.iterdir()] == ["config.toml"]


def test_faults_of_the_settings_are_named_each(folder: Path, run: Run) -> None:
    (folder / "config.toml").write_text(FILE + "[proxy]\nprt = 1\n[switcher]\nretry = -1\n")
    ran = run("doctor")
    faults = lines_of(ran.out, "settings")
    assert ran.code == 1 and len(faults) == 2 and all(line.startswith("!!") for line in faults)
    assert "proxy.prt" in faults[0] and "o-switcher config check" in faults[0]
    assert "ok profiles: not looked at: what stands above comes first" in ran.out


def test_keys_that_cannot_be_read_are_told_with_a_way_out(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # whatever this machine has
    (folder / "keys.json").write_text("{")
    (line,) = lines_of(run("doctor").out, "keys")
    assert line.startswith("!!") and "is damaged" in line
    (folder / "config.toml").write_text('[secrets]\nstore = "keyring"\n')
    (line,) = lines_of(run("doctor").out, "keys")
    assert line.startswith("!!") and line.endswith("o-switcher config set secrets.store file")


def test_keys_that_lie_unused_are_told(folder: Path, run: Run) -> None:
    hold(folder, "a")
    (folder / "keys-in-keyring").write_text("")
    lines = lines_of(run("doctor").out, "keys")
    assert lines[0].startswith("ok") and lines[1].startswith("!!")
    assert "not used" in lines[1] and "secrets.store keyring" in lines[1]


@pytest.mark.parametrize(
    ("damage", "says", "mend"),
    [
        pytest.param(
            lambda path: path.write_bytes(b"x" * 9000), "cannot be read", "begins a new one", id="no database"
        ),
        pytest.param(lambda path: path.mkdir(), "is not a file", "begins a new one", id="a folder"),
        pytest.param(lambda path: newer(path), "newer version", "begins a new one", id="newer"),
        pytest.param(lambda path: foreign(path), "another program", "begins a new one", id="foreign"),
        pytest.param(lambda path: torn(path), "is damaged", "begins a new one", id="torn"),
    ],
)
def test_a_history_that_is_not_well_is_told_and_left_as_it_is(
    folder: Path, run: Run, damage: Callable[[Path], object], says: str, mend: str
) -> None:
    hold(folder, "a")
    damage(folder / "history.db")
    before = sorted(path.name for path in folder.iterdir())
    ran = run("doctor")
    (line,) = lines_of(ran.out, "history")
    assert ran.code == 1 and line.startswith("!!") and says in line and mend in line
    assert "ok profiles: not looked at" in ran.out
    assert sorted(path.name for path in folder.iterdir()) == before


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 4711")


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipe (name)")


def torn(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE request (name)")
        connection.executemany("INSERT INTO request VALUES (?)", [("x" * 900,)] * 200)
        connection.commit()
    data = bytearray(path.read_bytes())
    data[8192:40_000] = bytes(len(data[8192:40_000]))
    path.write_bytes(data)


def test_a_history_that_another_program_holds_is_not_called_broken(folder: Path, run: Run) -> None:
    hold(folder, "a")
    run("profiles", "list")
    with closing(sqlite3.connect(folder / "history.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        (line,) = lines_of(run("doctor").out, "history")
    assert line.startswith("!!") and "cannot be read now (database is locked); end what holds it" in line


def test_decisions_that_cannot_be_written_are_told(folder: Path, run: Run) -> None:
    (folder / "decisions.ndjson").mkdir()
    (line,) = lines_of(run("doctor").out, "decisions")
    assert line.startswith("!!") and "cannot be written" in line


def test_a_port_that_somebody_has_is_told_with_its_owner(folder: Path, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (folder / "config.toml").write_text(FILE + f"[proxy]\nport = {port}\n")
        (line,) = lines_of(run("doctor").out, "port")
        assert line.startswith(f"!! port: {port} is taken by ") and "o-switcher config set proxy.port" in line
    (line,) = lines_of(run("doctor").out, "port")
    assert line == f"ok port: {port} is free"
    (folder / "config.toml").write_text(FILE + '[proxy]\nhost = "192.0.2.1"\nallow_remote = true\n')
    (line,) = lines_of(run("doctor").out, "port")
    assert line.startswith("!! port: 192.0.2.1 cannot be listened on")


def test_an_app_that_is_starting_is_told(folder: Path, run: Run) -> None:
    from tray_app.host import instance

    hold(folder, "a")
    held = instance.claim(folder / "o-switcher.lock", folder / "running.json")
    assert held is not None
    try:
        assert "!! profiles: O-Switcher is starting or stopping" in run("doctor").out
    finally:
        held.release()


def test_a_desktop_without_a_place_for_icons_is_wrong_but_none_at_all_is_not(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    (line,) = lines_of(run("doctor").out, "tray")
    assert line.startswith("!! tray: this desktop session has no D-Bus session bus")
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed")
    (tmp_path / "bus").mkdir()
    daemon = Daemon(tmp_path / "bus")
    for name, value in daemon.environ.items():
        monkeypatch.setenv(name, value)
    (line,) = lines_of(run("doctor").out, "tray")
    assert line.startswith("!! tray: no tray host is there yet") and "AppIndicator" in line
    desk = Desk(daemon)
    try:
        desk.be(WATCHER)
        assert lines_of(run("doctor").out, "tray") == ["ok tray: this desktop shows icons"]
    finally:
        desk.close()
        daemon.kill()


def test_launch_at_login_is_told(folder: Path, run: Run) -> None:
    assert "ok login: launch at login is off" in run("doctor").out
    run("autostart", "enable")
    assert "ok login: launch at login is on" in run("doctor").out


def test_keys_of_one_account_are_told_not_to_add_anything(folder: Path, run: Run) -> None:
    hold(folder, "a", "b", account="team")
    hold(folder, "c")
    (line,) = lines_of(run("doctor").out, "account")
    assert line == (
        "ok account: openrouter-a, openrouter-b are of one account at OpenRouter: "
        "several keys of one account do not add free capacity"
    )


# -- beside the app


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path / "home", script_of(a='{do="unauthorized"}', b=OK), settings="[proxy]\nport = 0\n") as found:
        yield found


def test_beside_the_running_app_providers_are_asked_for_nothing(
    rig: Rig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner(Here(rig.home.config.parent, []), capsys, monkeypatch)
    run("profiles", "add", "groq", "--label", "x", "--base-url", rig.simulator.url, stdin=key_of("groq"))
    run("profiles", "add", "deepseek", "--label", "x", "--base-url", "http://127.0.0.1:1", stdin=key_of("deep"))
    rig.chat()
    calls = rig.calls()
    ran = run("doctor")
    assert ran.code == 1
    assert f"ok app: 0.1.0 at {rig.url} runs: openrouter-b is serving [degraded]" in ran.out
    assert f"ok port: any free one; now {rig.url.rpartition(':')[2]}" in ran.out
    (line,) = lines_of(ran.out, "openrouter-a")
    assert line.startswith("!! ") and line.endswith("; o-switcher profiles set openrouter-a --key")
    assert "ok openrouter-b: OpenRouter answers: key limit: unlimited" in ran.out
    assert "ok groq-x: not asked: its provider offers no free question" in ran.out
    assert "!! deepseek-x: DeepSeek was asked, but told nothing; look at the network" in ran.out
    assert "is sound: 1 requests" in ran.out
    assert rig.calls() == calls, "nothing that costs was asked"
    said = ran.out + run("doctor", "--json").out
    for name in ("a", "b", "groq", "deep"):
        assert key_of(name)[:-4] not in said


def test_a_state_that_needs_somebody_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, script_of(a='{do="no_credit"}')) as rig:
        run = runner(Here(tmp_path, []), capsys, monkeypatch)
        rig.chat()
        (line,) = lines_of(run("doctor").out, "app")
        assert line.startswith("!! app: ") and line.endswith("[exhausted]; o-switcher status")


def test_what_the_running_app_has_noticed_is_told(
    rig: Rig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner(Here(rig.home.config.parent, []), capsys, monkeypatch)
    rig.app.notices.append("mind the gap")
    port = rig.url.rpartition(":")[2]
    rig.home.config.write_text(rig.home.config.read_text().replace("port = 0", f"port = {port}"))
    with closing(sqlite3.connect(rig.home.history, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert rig.chat().status_code == 200
        told = run("doctor").out
    assert "ok note: mind the gap" in told
    assert f"ok port: {port} is this app's" in told
    assert any(line.startswith("!! history: ") and "held in memory" in line for line in told.splitlines())


def test_a_launch_at_login_that_cannot_be_looked_at_is_told(folder: Path) -> None:
    def fails() -> bool | None:
        raise PermissionError("no entry")

    found = {check.what: check for check in Doctor(Here(folder, []).home(), "1", autostart=fails).examine()}
    assert found["login"].line() == "!! login: launch at login cannot be looked at: no entry"


def test_another_version_that_runs_is_told(
    rig: Rig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tray_app.faces.cli.doctor.__version__", "9.9.9")
    run = runner(Here(rig.home.config.parent, []), capsys, monkeypatch)
    assert "!! app: 0.1.0 at" in run("doctor").out and "but this command is 9.9.9" in run("doctor").out


def test_an_app_that_does_not_answer_is_told(
    rig: Rig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = rig.home.running.read_text()
    rig.home.running.write_text(announced.replace(rig.url, "http://127.0.0.1:1"))
    run = runner(Here(rig.home.config.parent, []), capsys, monkeypatch)
    (line,) = lines_of(run("doctor").out, "app")
    assert line.startswith("!! app: O-Switcher does not answer at http://127.0.0.1:1")


# -- errors that no rule knew


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Rig]:
    """An app whose provider has answered twice in a way that no rule knows, with a key in its words."""
    with running(tmp_path / "home", script_of(a=ODD.replace("KEY", key_of("a")))) as rig:
        rig.chat()
        rig.chat()
        assert rig.eventually("SELECT count FROM unknown_answer WHERE count = 2")
        yield rig


def test_unknown_errors_are_collected_without_what_is_yours(
    odd: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = runner(Here(odd.home.config.parent, []), capsys, monkeypatch)
    ran = run("doctor", "--collect")
    assert ran.code == 0, ran
    assert ran.out.startswith("2 errors of 1 kind that no rule knew: o-switcher-unknown-errors.jsonl\n")
    assert "attach it to a bug report" in ran.out
    path = tmp_path / "o-switcher-unknown-errors.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (row,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert row.keys() == {"provider", "status", "headers", "body", "count", "first_at", "last_at"}
    assert (row["provider"], row["status"], row["count"]) == ("openrouter", 418, 2)
    assert key_of("a")[:-4] not in path.read_text()
    again = run("doctor", "--collect")
    assert again.code == 1 and "is there already; replace it with --force" in again.err
    assert run("doctor", "--collect", "--force").code == 0
    assert run("doctor", "--collect", "--out", "other.jsonl").code == 0
    assert (tmp_path / "other.jsonl").read_text() == path.read_text()
    judged = run("classify", "other.jsonl")
    assert judged.code == 0 and json.loads(judged.out)["class"]
    told = json.loads(run("doctor", "--collect", "--force", "--json").out)
    assert told == {"file": "o-switcher-unknown-errors.jsonl", "kinds": 1, "answers": 2}
    nowhere = run("doctor", "--collect", "--out", "no/such/folder.jsonl")
    assert nowhere.code == 1 and "cannot be written: No such file" in nowhere.err


def test_collecting_never_writes_through_a_link(
    odd: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "mine")
    run = runner(Here(odd.home.config.parent, []), capsys, monkeypatch)
    assert run("doctor", "--collect", "--out", str(tmp_path / "link.jsonl")).code == 1
    assert run("doctor", "--collect", "--force", "--out", str(tmp_path / "link.jsonl")).code == 0
    assert (tmp_path / "mine").read_text() == "precious"


def test_where_every_error_was_known_nothing_is_written(
    folder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("doctor", "--collect")
    assert ran.code == 0 and "nothing to collect" in ran.out
    assert json.loads(run("doctor", "--collect", "--json").out) == {"file": None, "kinds": 0, "answers": 0}
    assert not list(tmp_path.glob("*.jsonl"))


def test_unknown_errors_are_collected_without_the_app_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "home", script_of(a=ODD)) as rig:
        rig.chat()
        assert rig.eventually("SELECT 1 FROM unknown_answer")
    run = runner(Here(tmp_path / "home", []), capsys, monkeypatch)
    assert run("doctor", "--collect", "--out", str(tmp_path / "x.jsonl")).out.startswith("1 error of 1 kind")


def test_the_help_says_what_it_does(run: Run) -> None:
    text = " ".join(run("doctor", "--help").out.split())
    assert "Ends with 1 if something is" in text and "--collect" in text and "without your words" in text
