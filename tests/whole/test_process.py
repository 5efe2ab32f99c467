"""The app from outside: starting, stopping, starting twice, ports, faulty files, exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from tests.rig import CHAT, MODEL, key_of, script_of
from tests.whole.processes import ROOT, command, environment, practice, prepared, serve
from tray_app.app import CannotStart, build
from tray_app.host.home import find_home
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread


def ask(url: str, token: str) -> httpx.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    return httpx.post(url + CHAT, json=body, headers={"authorization": f"Bearer {token}"}, timeout=10, trust_env=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_is_a_clean_end(tmp_path: Path, number: signal.Signals) -> None:
    home, _ = prepared(tmp_path, "http://127.0.0.1:9", ["a"])
    served = serve(home)
    began = time.monotonic()
    served.process.send_signal(number)
    assert served.process.wait(10) == 0
    assert time.monotonic() - began < 2
    served.close()
    assert not home.running.exists()
    assert "app.stop" in home.decisions.read_text()


def test_stop_ends_the_running_app_and_says_so(tmp_path: Path) -> None:
    home, _ = prepared(tmp_path, "http://127.0.0.1:9", ["a"])
    served = serve(home)
    done = command(tmp_path, "stop")
    assert (done.returncode, done.stdout) == (0, "stopped\n")
    assert served.process.wait(10) == 0
    served.close()
    again = command(tmp_path, "stop")
    assert again.returncode == 3
    assert "not running" in again.stderr and len(again.stderr.splitlines()) == 1


def test_a_restart_answers_what_is_under_way_and_keeps_process_and_words(tmp_path: Path) -> None:
    script = practice("a", behaviour='{do="slow", delay_ms=800}')
    with SimulatorThread(parse(script, "slow")) as simulator, ThreadPoolExecutor(1) as pool:
        home, token = prepared(tmp_path, simulator.url, ["a"])
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        served = serve(home, "serve", "--port", str(port))
        answer = pool.submit(ask, served.url, token)
        while not simulator.counts():
            time.sleep(0.01)
        done = command(tmp_path, "restart")
        assert (done.returncode, done.stdout.startswith("O-Switcher ")) == (0, True), done.stderr
        assert answer.result().status_code == 200
        assert served.process.poll() is None
        assert served.caller().running.pid == served.process.pid
        assert ask(served.url, token).status_code == 200
    assert served.end() == 0
    said = home.decisions.read_text()
    assert said.count('"app.start"') == 2 and '"restart"' in said


def test_without_a_desktop_the_app_runs_headless_and_says_why_in_one_line(tmp_path: Path) -> None:
    home, _ = prepared(tmp_path, "http://127.0.0.1:9", ["a"], "[proxy]\nport = 0\n")
    home.running.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tray_app"],
        env=environment(tmp_path, XDG_RUNTIME_DIR=str(tmp_path)),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = [process.stderr.readline(), process.stderr.readline()]
    assert "headless" in lines[0] or "without" in lines[0]
    assert "listens on http://127.0.0.1:" in lines[1]
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=10)
    assert process.returncode == 0 and "Traceback" not in rest


def test_an_app_that_cannot_be_built_leaves_its_port_and_its_lock(tmp_path: Path) -> None:
    home = find_home({"O_SWITCHER_HOME": str(tmp_path / "home")})
    home.config.parent.mkdir(parents=True)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home.config.write_text('[secrets]\nstore = "file"\n')
    home.keys.write_text("no keys")
    for _ in range(2):
        with pytest.raises(CannotStart, match=re.escape(home.keys.name)):
            build(home, port=port, environ={}, project=tmp_path)
        with closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", port))


def test_a_second_serve_is_refused_and_names_the_first(tmp_path: Path) -> None:
    home, _ = prepared(tmp_path, "http://127.0.0.1:9", ["a"])
    served = serve(home)
    second = command(tmp_path, "serve")
    assert second.returncode == 1
    assert served.url in second.stderr and "o-switcher stop" in second.stderr
    assert served.end() == 0


def test_five_starts_at_once_are_one_app_and_the_others_open_its_report(tmp_path: Path) -> None:
    prepared(tmp_path, "http://127.0.0.1:9", ["a"], "[proxy]\nport = 0\n")
    fake = tmp_path / "bin"
    fake.mkdir()
    opened = tmp_path / "opened"
    (fake / "xdg-open").write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    (fake / "xdg-open").chmod(0o755)
    env = environment(tmp_path, PATH=f"{fake}:{os.environ['PATH']}", XDG_RUNTIME_DIR=str(tmp_path))
    starts = [
        subprocess.Popen(
            [sys.executable, "-m", "tray_app"], env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(5)
    ]
    deadline = time.monotonic() + 30
    while sum(start.poll() is not None for start in starts) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    ended = [start for start in starts if start.poll() is not None]
    running = [start for start in starts if start.poll() is None]
    assert len(running) == 1
    said = [start.communicate()[1] for start in ended]
    assert [start.returncode for start in ended] == [0] * 4, said
    assert all("already runs" in text for text in said)
    addresses = [line for line in opened.read_text().splitlines() if "/report?ticket=" in line]
    assert len(addresses) == 4
    running[0].terminate()
    running[0].communicate(timeout=10)
    assert running[0].returncode == 0


def test_a_taken_port_is_named_and_the_next_free_one_used(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        home, _ = prepared(tmp_path, "http://127.0.0.1:9", ["a"])
        served = serve(home, "serve", "--port", str(port))
        assert served.url != f"http://127.0.0.1:{port}"
        status = json.loads(command(tmp_path, "status", "--json").stdout)
        notice = next(one for one in status["notices"] if str(port) in one)
        assert f"(process {os.getpid()})" in notice and served.url.rpartition(":")[2] in notice
        assert served.end() == 0


def test_a_faulty_settings_file_is_named_by_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[switcher]\nretry = "many"\nretri = 3\n\n[proxy]\nhost = "0.0.0.0"\n')
    started = command(tmp_path, "serve")
    assert started.returncode == 1 and "Traceback" not in started.stderr
    assert f"{tmp_path / 'config.toml'}: line 2: switcher.retry" in started.stderr
    assert "line 3: switcher.retri: is not a known setting; did you mean retry?" in started.stderr
    checked = command(tmp_path, "config", "check")
    assert checked.returncode == 1 and "line 2" in checked.stdout
    (tmp_path / "config.toml").write_text("[switcher\n")
    assert "line 1" in command(tmp_path, "config", "check").stdout


def test_changed_settings_are_obeyed_and_a_faulty_change_is_not(tmp_path: Path) -> None:
    script = parse(script_of(a='{do="server_error"}'), "test")
    with SimulatorThread(script) as simulator:
        home, token = prepared(tmp_path, simulator.url, ["a"])
        for rule in ("failure_threshold", "sliding_window_size"):  # no circuit in the way
            assert command(tmp_path, "config", "set", f"switcher.circuit_breaker.{rule}", "1000").returncode == 0
        served = serve(home)
        assert ask(served.url, token).headers["x-o-switcher-attempts"] == "4"
        assert command(tmp_path, "config", "set", "switcher.retry", "1").returncode == 0
        time.sleep(1.1)
        assert ask(served.url, token).headers["x-o-switcher-attempts"] == "2"
        home.config.write_text(home.config.read_text() + "\nnonsense = \n")
        time.sleep(1.1)
        assert ask(served.url, token).headers["x-o-switcher-attempts"] == "2"
        notices = json.loads(command(tmp_path, "status", "--json").stdout)["notices"]
        assert any("refused" in notice and "config.toml" in notice for notice in notices)
        assert served.end() == 0


DAMAGE = [
    pytest.param(b"this is no database, and longer than a header of one would be" * 100, "damaged", id="corrupt"),
    pytest.param("newer", "newer version", id="newer"),
]


@pytest.mark.parametrize(("content", "word"), DAMAGE)
def test_a_history_that_cannot_be_used_is_moved_aside_whole(tmp_path: Path, content: bytes | str, word: str) -> None:
    script = parse(script_of(a='{do="ok"}'), "test")
    with SimulatorThread(script) as simulator:
        home, token = prepared(tmp_path, simulator.url, ["a"])
        if isinstance(content, bytes):
            home.history.write_bytes(content)
        else:
            with closing(sqlite3.connect(home.history)) as connection:
                connection.executescript("CREATE TABLE x (y); PRAGMA user_version = 9999")
        before = home.history.read_bytes()
        served = serve(home)
        assert ask(served.url, token).status_code == 200
        aside = list(tmp_path.glob("history.aside-*.db"))
        assert len(aside) == 1 and aside[0].read_bytes() == before
        notices = json.loads(command(tmp_path, "status", "--json").stdout)["notices"]
        assert any(word in notice and aside[0].name in notice for notice in notices)
        assert served.end() == 0


def test_a_locked_history_holds_nothing_up_and_loses_nothing(tmp_path: Path) -> None:
    script = parse(script_of(a='{do="ok"}'), "test")
    with SimulatorThread(script) as simulator:
        home, token = prepared(tmp_path, simulator.url, ["a"])
        served = serve(home)
        assert ask(served.url, token).status_code == 200
        with closing(sqlite3.connect(home.history, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            for _ in range(10):
                assert ask(served.url, token).status_code == 200
            assert time.monotonic() - began < 6
            status = json.loads(command(tmp_path, "status", "--json").stdout)
            assert "lock" in status["ledger"] and status["dropped_facts"] == 0
            other.execute("ROLLBACK")
        deadline = time.monotonic() + 5
        while command(tmp_path, "status", "--json").stdout.count('"ledger": "ok"') == 0 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert served.end() == 0
        with closing(sqlite3.connect(home.history)) as connection:
            assert connection.execute("SELECT count(*) FROM request WHERE outcome = 'served'").fetchone() == (11,)
            assert connection.execute("SELECT count(*) FROM attempt WHERE ended_at IS NOT NULL").fetchone() == (11,)


def test_a_full_disk_stops_no_traffic_and_what_fits_in_memory_is_kept(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=False, capture_output=True
    )
    assert mounted.returncode == 0, mounted.stderr
    try:
        script = parse(script_of(a='{do="ok"}'), "test")
        with SimulatorThread(script) as simulator:
            home, token = prepared(small, simulator.url, ["a"])
            served = serve(home)
            assert ask(served.url, token).status_code == 200
            ballast = small / "ballast"
            handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
            with suppress(OSError):
                while os.write(handle, b"x" * 4096):
                    pass
            os.close(handle)
            for _ in range(20):
                assert ask(served.url, token).status_code == 200
            status = served.caller().ask("status")
            assert "full" in status["ledger"] and status["dropped_facts"] == 0, status["ledger"]
            ballast.unlink()
            deadline = time.monotonic() + 5
            while served.caller().ask("status")["ledger"] != "ok" and time.monotonic() < deadline:
                time.sleep(0.1)
            assert served.end() == 0
            with closing(sqlite3.connect(home.history)) as connection:
                assert connection.execute("SELECT count(*) FROM request WHERE outcome = 'served'").fetchone() == (21,)
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        subprocess.run(["umount", "-l", small], check=False)


def test_keys_that_others_could_read_are_tightened_and_it_is_said(tmp_path: Path) -> None:
    home, _ = prepared(tmp_path, "http://127.0.0.1:9", ["a"])
    home.keys.chmod(0o644)
    served = serve(home)
    assert home.keys.stat().st_mode & 0o777 == 0o600
    notices = served.caller().ask("status")["notices"]
    assert any("0600" in notice for notice in notices)
    assert served.end() == 0


def test_damaged_keys_are_a_clear_error_and_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[secrets]\nstore = "file"\n')
    (tmp_path / "keys.json").write_text('{"profiles": {"a": ')
    started = command(tmp_path, "serve")
    assert started.returncode == 1
    assert str(tmp_path / "keys.json") in started.stderr and len(started.stderr.splitlines()) == 1
    assert (tmp_path / "keys.json").read_text() == '{"profiles": {"a": '


def test_a_first_start_finds_the_keys_of_opencode_and_the_environment(tmp_path: Path) -> None:
    auth = tmp_path / ".local/share/opencode/auth.json"
    auth.parent.mkdir(parents=True)
    auth.write_text(json.dumps({"openrouter": {"type": "api", "key": key_of("login")}}))
    (tmp_path / "config.toml").write_text('[secrets]\nstore = "file"\n')
    home = find_home({"O_SWITCHER_HOME": str(tmp_path)})
    served = serve(home, env={"OPENROUTER_API_KEY": key_of("env"), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""})
    found = {profile["id"]: profile["source"] for profile in served.caller().ask("status")["profiles"]}
    assert served.end() == 0
    assert found == {
        "openrouter-opencode": "OpenCode's auth.json",
        "openrouter-env": "environment variable OPENROUTER_API_KEY",
    }


def test_the_demo_serves_every_request_and_ends_by_itself(tmp_path: Path) -> None:
    done = command(tmp_path, "demo", "--once")
    assert done.returncode == 0, done.stderr
    assert "12 of 12 requests were served" in done.stdout
    assert "openrouter-main -> openrouter-backup: the account is out of credit" in done.stdout
    assert "openrouter-backup -> openrouter-spare: the rate limit is reached" in done.stdout
    history = tmp_path / "demo" / "history.db"
    assert str(history) in done.stdout
    with closing(sqlite3.connect(history)) as connection:
        assert connection.execute(
            "SELECT count(*), sum(failovers) FROM request WHERE outcome = 'served'"
        ).fetchone() == (12, 2)


def test_the_simulator_runs_on_its_own(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tray_app", "simulate"]
    with subprocess.Popen(words, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            url = next(word for word in line.split() if word.startswith("http"))
            assert httpx.get(f"{url}/models", trust_env=False).status_code == 200
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
            assert process.returncode == 0
        finally:
            process.kill()
    bad = tmp_path / "bad.toml"
    bad.write_text("[[key]]\nname = 3\n")
    failed = command(tmp_path, "simulate", "--script", str(bad))
    assert failed.returncode == 1 and "bad.toml" in failed.stderr and "Traceback" not in failed.stderr


def test_this_test_run_has_the_programs_it_needs() -> None:
    assert all(shutil.which(name) for name in ("dbus-daemon", "Xvfb", "chromium", "openssl", "sqlite3"))
    assert (ROOT / "pyproject.toml").is_file()
