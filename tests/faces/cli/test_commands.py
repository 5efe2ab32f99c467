"""The commands: what they print, how they end, with the app running and without."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from tests.rig import Rig, key_of, running, script_of
from tray_app import __version__
from tray_app.control.callers import connect
from tray_app.control.verbs import Refused
from tray_app.faces.cli import main
from tray_app.faces.cli.common import clock, duration, since, span
from tray_app.host.home import Home, find_home
from tray_app.house import House

OK = '{do="ok"}'


@dataclass
class Here:
    """The command line's house, with its files in a folder of the test's, and a note of what was started."""

    folder: Path
    started: list[tuple[str, object]]

    def home(self) -> Home:
        return find_home({"O_SWITCHER_HOME": str(self.folder)})

    def start(self, *, tray: bool, port: int | None) -> int:
        self.started.append(("start", (tray, port)))
        return 0

    def simulate(self, port: int, script: Path | None) -> int:
        self.started.append(("simulate", (port, script)))
        return 0

    def demo(self, *, once: bool) -> int:
        self.started.append(("demo", once))
        return 0

    def accompany(self, folder: Path) -> int:
        raise AssertionError(folder)

    def rebuild(self, progress: Callable[[int, int], None]) -> int:
        return _There(self.home()).rebuild(progress)


class _There(House):
    """The real house, with its files there."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def home(self) -> Home:
        return self._home


@dataclass
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def runner(here: Here, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*words: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main(here, words)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def cold(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands where no app runs."""
    (tmp_path / "config.toml").write_text('[secrets]\nstore = "file"\n')
    return runner(Here(tmp_path, []), capsys, monkeypatch)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    script = script_of(a='{do="ok", times=1}, {do="no_credit"}', b=OK)
    with running(tmp_path / "home", script) as found:
        yield found


@pytest.fixture
def run(rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands beside a running app."""
    return runner(Here(tmp_path / "home", []), capsys, monkeypatch)


# -- without the app


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("list",),
        ("use", "x"),
        ("pin", "x"),
        ("unpin",),
        ("quota",),
        ("quota", "x"),
        ("next",),
        ("pause", "x"),
        ("pause-all",),
        ("resume-all",),
        ("folder",),
        ("retry-now", "--all"),
        ("stop",),
        ("report",),
    ],
    ids=" ".join,
)
def test_what_needs_the_app_ends_with_3_and_one_line(cold: Run, words: tuple[str, ...]) -> None:
    ran = cold(*words)
    assert ran.code == 3 and ran.out == ""
    assert "not running" in ran.err and len(ran.err.splitlines()) == 1


def test_profiles_can_be_kept_without_the_app(cold: Run, tmp_path: Path) -> None:
    added = cold(
        "profiles",
        "add",
        "openrouter",
        "--label",
        "main",
        "--priority",
        "2",
        "--tag",
        "x",
        "--tag",
        "y",
        stdin=key_of("a"),
    )
    assert (added.code, added.out) == (0, "openrouter-main was added (key ending in cdef)\n"), added
    listed = json.loads(cold("profiles", "list", "--json").out)
    assert [(one["id"], one["priority"], one["tags"]) for one in listed] == [("openrouter-main", 2, ["x", "y"])]
    assert cold("profiles", "set", "openrouter-main", "--account", "team").code == 0
    assert (
        cold("profiles", "rename", "openrouter-main", "first").out == "openrouter-main is called openrouter-first now\n"
    )
    assert "openrouter-first" in cold("profiles", "list").out
    token = cold("token", "aider").out.strip()
    assert token.startswith("osw-aider-") and cold("token", "aider").out.strip() == token
    assert cold("history").out == "no requests yet\n"
    assert cold("profiles", "remove", "openrouter-first").code == 0
    assert "no profiles yet" in cold("profiles", "list").out


@pytest.mark.parametrize(
    ("words", "stdin", "code", "says"),
    [
        pytest.param(("profiles", "add", "openrouter", "--label", "x"), "", 1, "no key came", id="no key"),
        pytest.param(("profiles", "add", "nobody", "--label", "x"), "k" * 20, 1, "known are", id="unknown provider"),
        pytest.param(("profiles", "remove", "x"), "", 1, "none yet", id="unknown profile"),
        pytest.param(("profiles", "set", "x"), "", 1, "none yet", id="nothing to change of nobody"),
        pytest.param(("inspect", "x"), "", 1, "no request", id="unknown request"),
        pytest.param(("dance",), "", 2, "dance", id="unknown command"),
        pytest.param(("pin",), "", 2, "PROFILE", id="pin nothing"),
        pytest.param(("pin", "x", "--for", "soon"), "", 2, "no duration", id="duration"),
        pytest.param(("retry-now",), "", 2, "name one profile, or say --all", id="retry nothing"),
        pytest.param(("retry-now", "x", "--all"), "", 2, "name one profile, or say --all", id="retry one and all"),
        pytest.param(("doctor", "--out", "x"), "", 2, "--collect", id="out without collect"),
        pytest.param(("doctor", "--force"), "", 2, "--collect", id="force without collect"),
        pytest.param(("history", "--limit", "0"), "", 2, "limit", id="limit"),
        pytest.param(("profiles", "add"), "", 2, "PROVIDER", id="missing argument"),
        pytest.param(("history", "--since", "soon"), "", 2, "is no time", id="since"),
        pytest.param(("config", "set", "switcher.retry", "many"), "", 1, "switcher.retry", id="bad value"),
        pytest.param(("config", "set", ".", "1"), "", 2, "name a setting", id="no setting"),
        pytest.param(("autostart", "maybe"), "", 2, "enable, disable or status", id="autostart"),
    ],
)
def test_mistakes_end_with_one_clear_line(cold: Run, words: tuple[str, ...], stdin: str, code: int, says: str) -> None:
    ran = cold(*words, stdin=stdin)
    assert ran.code == code
    assert says in ran.err and "Traceback" not in ran.err


def test_settings_are_shown_checked_and_changed(cold: Run, tmp_path: Path) -> None:
    assert cold("config", "path").out.strip() == str(tmp_path / "config.toml")
    assert cold("config", "check").out.endswith("config.toml: good\n")
    assert cold("config", "set", "switcher.retry", "1").code == 0
    shown = json.loads(cold("config", "show", "--json").out)
    assert shown["switcher.retry"] == 1 and shown["secrets.store"] == "file"
    assert "switcher.retry = 1" in cold("config", "show").out
    assert cold("config", "set", "notifications.enabled", "true").code == 0
    assert cold("config", "check").out.endswith("config.toml: good\n")
    report = json.loads(cold("config", "check", "--json").out)
    assert report["faults"] == []
    (tmp_path / "config.toml").write_text("[proxy]\nprt = 1\n")
    ran = cold("config", "check")
    assert ran.code == 1 and "line 2: proxy.prt" in ran.out
    assert cold("config", "show").code == 1


def test_launch_at_login_is_switched_and_told(cold: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert cold("autostart", "status").out == "launch at login is off\n"
    assert cold("autostart", "enable").out == "launch at login is on\n"
    assert (tmp_path / "xdg/autostart/o-switcher.desktop").is_file()
    assert cold("autostart", "disable").out == "launch at login is off\n"


def test_what_starts_the_app_is_handed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(tmp_path, [])
    run = runner(here, capsys, monkeypatch)
    assert run().code == run("serve", "--port", "0").code == run("demo", "--once").code == run("simulate").code == 0
    assert here.started == [("start", (True, None)), ("start", (False, 0)), ("demo", True), ("simulate", (0, None))]
    assert run("--version").out == f"o-switcher {__version__}\n"
    assert "profiles" in run("--help").out and "Pools your LLM API keys" in run("-h").out


# -- beside the running app


def test_one_screen_of_state(rig: Rig, run: Run) -> None:
    rig.chat()
    rig.chat()
    shown = run("status")
    assert shown.code == 0
    assert "openrouter-b is serving  [degraded]" in shown.out
    assert "openrouter-a -> openrouter-b: the account is out of credit" in shown.out
    assert "* openrouter-b" in shown.out and "today     2 requests" in shown.out
    assert json.loads(run("status", "--json").out)["active"] == "openrouter-b"
    rest = "back in 10 min (the account is out of credit, assumed)"
    assert rest in shown.out
    listed = run("list").out
    assert rest in listed and "cooling" in listed
    assert listed.split("\n")[0].split("  ")[0] == "PROFILE"
    found = json.loads(run("list", "--json").out)
    assert [(one["state"], one["circuit"], one["admin_state"]) for one in found] == [
        ("cooling", "closed", "enabled"),
        ("ready", "closed", "enabled"),
    ]
    assert found[0]["rest"] == rest and found[0]["rests"][0]["resets_at"] == found[0]["resets_at"]
    assert found[1]["health"] == 1.0 and found[1]["score"] > 0
    assert {"quota", "left", "used_percent", "pinned", "title"} <= found[0].keys()


def test_a_choice_is_shown_with_its_end_in_words(rig: Rig, run: Run) -> None:
    assert run("pin", "openrouter-b", "--for", "38m").out == "openrouter-b is pinned until it ends in 38 min\n"
    shown = run("status").out
    assert "chosen    openrouter-b, pinned until it ends in 38 min\n" in shown
    assert "ready, pinned" in shown and "waiting" not in shown
    assert json.loads(run("status", "--json").out)["choice"]["words"] == "pinned until it ends in 38 min"
    assert run("unpin").out == "openrouter-b is no longer pinned\n"
    assert "chosen    " not in run("status").out
    again = run("unpin")
    assert (again.code, again.err) == (1, "o-switcher: nothing is pinned or preferred\n")
    strict = json.loads(run("use", "openrouter-b", "--strict", "--json").out)
    assert strict["message"] == "openrouter-b is preferred, strictly: nobody else may serve"
    assert run("pin", "openrouter-a", "--strict").out.endswith("strictly: nobody else may serve\n")
    assert run("pin", "openrouter-a", "--for", "soon").code == 2


def test_requests_that_wait_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = "[switcher]\nconcurrency_limit = 1\n"
    with running(tmp_path / "home", script_of(a='{do="ok", delay_ms=1500}'), settings=settings) as rig:
        run = runner(Here(tmp_path / "home", []), capsys, monkeypatch)
        clients = [Thread(target=rig.chat) for _ in range(2)]
        for client in clients:
            client.start()
        deadline = time.monotonic() + 1.2
        while not rig.app.service.status().waiting and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "waiting   1 request for a place\n" in run("status").out
        for client in clients:
            client.join()


def test_a_quota_is_a_table_and_a_line_for_whom_nobody_can_ask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = script_of(a=OK, b=OK).replace('name = "a"\n', 'name = "a"\nlimit = 50.0\nlimit_reset = "monthly"\n', 1)
    with running(tmp_path / "home", script) as rig:
        run = runner(Here(tmp_path / "home", []), capsys, monkeypatch)
        address = ("--base-url", rig.simulator.url)
        assert run("profiles", "add", "groq", "--label", "x", *address, stdin=key_of("groq")).code == 0
        lines = run("quota").out.splitlines()
        assert lines[0].split() == ["PROFILE", "WHAT", "LEFT", "OF", "USED", "RESETS", "KNOWN", "FROM"]
        assert lines[1].startswith("openrouter-a  key limit  50 USD     50 USD  0 %   in ")
        assert re.search(r"in \d+ (d|h|min)  asked \d\d:\d\d:\d\d$", lines[1])
        assert lines[2].split()[:4] == ["openrouter-b", "key", "limit", "unlimited"]
        assert lines[3:] == ["", "groq-x: not asked: its provider offers no free question"]
        assert run("quota", "groq-x").out == "groq-x: not asked: its provider offers no free question\n"
        found = json.loads(run("quota", "openrouter-a", "--json").out)
        assert [one["profile"] for one in found] == ["openrouter-a"]
        assert found[0]["known"][0].keys() == {
            "profile", "name", "remaining", "limit", "unit", "used_percent", "resets_at", "source", "at",
        }  # fmt: skip
        unknown = run("quota", "nobody")
        assert unknown.code == 1 and "known are: openrouter-a" in unknown.err
        for name in ("a", "b", "groq"):
            said = run("quota").out + run("quota", "--json").out + run("list", "--json").out
            assert key_of(name) not in said and key_of(name)[:-4] not in said
    assert "no profiles yet" in _quota_of_nobody(tmp_path / "other", capsys, monkeypatch)


def _quota_of_nobody(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    with running(folder, script_of(a=OK), names=[]):
        return runner(Here(folder, []), capsys, monkeypatch)("quota").out


def test_the_operators_verbs(rig: Rig, run: Run) -> None:
    assert run("use", "openrouter-b").out == "openrouter-b is preferred\n"
    assert run("next").out.startswith("openrouter-a is preferred")
    assert run("pause", "openrouter-a", "--for", "30m").out == "openrouter-a is paused for 30 min\n"
    assert run("resume", "openrouter-a").out == "openrouter-a is ready for use\n"
    assert run("drain", "openrouter-a").out == "openrouter-a is draining\n"
    assert json.loads(run("disable", "openrouter-a", "--json").out)["admin_state"] == "disabled"
    assert run("enable", "openrouter-a").out == "openrouter-a is ready for use\n"
    assert run("retry-now", "openrouter-a").out == (
        "nothing was held against them; openrouter-a: key limit: unlimited\n"
    )
    both = run("pause", "openrouter-a", "--for", "1h", "--until-reset")
    assert both.code == 2 and "not both" in both.err
    unknown = run("use", "nobody")
    assert unknown.code == 1 and "known are: openrouter-a, openrouter-b" in unknown.err


def test_history_and_inspect(rig: Rig, run: Run) -> None:
    rig.chat()
    request_id = rig.chat(stream=True).headers["x-o-switcher-request-id"]
    table = run("history").out
    assert request_id in table and "openrouter-b" in table and "served" in table
    assert len(json.loads(run("history", "--limit", "1", "--json").out)) == 1
    assert request_id not in run("history", "--profile", "openrouter-a").out
    assert request_id in run("history", "--since", "1h").out
    assert request_id in run("history", "--class", "quota_exhausted", "--provider", "open*", "--error", "credit").out
    for found_none in (("--class", "auth"), ("--error", "nothing"), ("--until", "1h"), ("--provider", "anthropic")):
        assert run("history", *found_none).out == "no such requests\n"
    unknown = run("history", "--class", "odd")
    assert unknown.code != 0 and "no error_class is called 'odd'; there are: rate_limited," in unknown.err
    told = run("inspect", request_id).out
    assert "call 1 to openrouter-a: quota_exhausted (account) status 402 - the account is out of credit" in told
    assert "switched openrouter-a -> openrouter-b" in told
    assert "served with status 200" in told
    assert re.search(r"\[\d+ tokens in, \d+ out, \$0\.\d+\]", told)
    assert json.loads(run("inspect", request_id, "--json").out)["request"]["id"] == request_id


def test_the_hourly_sums_are_counted_anew(rig: Rig, run: Run) -> None:
    rig.chat()
    rig.eventually("SELECT 1 FROM usage_hour")
    assert run("rebuild").out == "0 hours were counted anew; the one that goes on was left alone\n"
    assert json.loads(run("rebuild", "--json").out) == {"hours": 0}


def test_a_history_that_is_none_cannot_be_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(tmp_path, [])
    run = runner(here, capsys, monkeypatch)
    assert run("rebuild").code == 0
    here.home().history.parent.mkdir(parents=True, exist_ok=True)
    here.home().history.write_bytes(b"no database" * 1000)
    ran = run("rebuild")
    assert ran.code == 1 and "history.db cannot be counted anew" in ran.err


def test_the_report_address_is_printed(rig: Rig, run: Run) -> None:
    assert run("report", "--print").out.startswith(f"{rig.url}/report?ticket=")


def test_profiles_beside_the_running_app(rig: Rig, run: Run) -> None:
    assert (
        run(
            "profiles",
            "add",
            "openrouter",
            "--label",
            "c",
            "--base-url",
            rig.simulator.url,
            stdin="sk-or-v1-another-key-9999",
        ).code
        == 0
    )
    assert "openrouter-c" in run("profiles", "list").out
    assert (
        run("profiles", "set", "openrouter-c", "--key", stdin="sk-or-v1-another-key-8888").out
        == "openrouter-c: key changed\n"
    )
    assert run("profiles", "rename", "openrouter-c", "d").code == 0
    assert run("profiles", "remove", "openrouter-d").code == 0
    assert run("token").out.startswith("osw-default-")


def test_a_stale_announcement_counts_as_not_running(rig: Rig, run: Run) -> None:
    announced = rig.home.running.read_text()
    rig.app.stop()
    rig.home.running.write_text(announced)
    ran = run("status")
    assert ran.code == 3 and "not running any more" in ran.err


def test_history_follows_until_interrupted(rig: Rig, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def pass_time(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 1:
            rig.chat(text="followed")
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pass_time)
    ran = run("history", "--follow")
    assert ran.code == 130
    assert ran.out.count("served") == 1


def test_a_terminal_gets_a_drawn_table(rig: Rig, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    rig.chat()
    rig.chat()
    lines = run("list").out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("  openrouter-a"))
    assert lines[place + 1] == "    back in 10 min (the account is out of credit, assumed)"
    assert "openrouter-a" in run("status").out


# -- reading and writing times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("3d", 259_200), ("1.5h", 5400), ("1 w", 604_800)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5", "5x", "h", "-1h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        duration(text)


def test_times_are_written_for_people() -> None:
    assert since("1970-01-02T00:00:00+00:00") == 86_400_000
    assert clock(None) == "" and span(None) == "" and span(12) == "12 ms" and span(3400) == "3.4 s"
    assert clock(0).startswith("19") and ":" in clock(round(time.time() * 1000))


def test_the_python_api_is_the_same_verbs(rig: Rig) -> None:
    assert connect(rig.home.running).ask("use", profile="openrouter-b")["profile"] == "openrouter-b"


def test_everything_is_paused_and_resumed(run: Run, rig: Rig) -> None:
    assert run("pause-all", "--for", "2h").out == "everything is paused for 2 h; requests are refused and told why\n"
    assert rig.chat().status_code == 503
    assert run("status").out.startswith("everything is paused; it ends in 2 h  [paused]")
    assert (
        json.loads(run("resume-all", "--json").out)["message"]
        == "requests pass again; every profile is as it was before"
    )
    again = run("resume-all")
    assert again.code == 1 and "o-switcher resume PROFILE" in again.err
    assert json.loads(run("pause-all", "--json").out)["until_at"] is None
    assert run("pause-all", "--for", "soon").code == 2


def test_the_folder_is_told_and_opened(run: Run, rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run("folder").out.splitlines()
    assert said == [str(path) for path in (rig.home.history, rig.home.decisions, rig.home.config)]
    assert json.loads(run("folder", "--json").out)["path"] == str(rig.home.history.parent)
    (tmp_path / "xdg-open").write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    (tmp_path / "xdg-open").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert run("folder", "--open").code == 0
    deadline = time.monotonic() + 5
    opened = tmp_path / "opened"
    while not (opened.exists() and opened.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "opened").read_text().strip() == rig.home.history.parent.as_uri()


def test_other_pages_have_one_time_addresses_too(run: Run, rig: Rig) -> None:
    assert "&page=profiles" in run("report", "--print", "--page", "profiles").out
    one = run("report", "--print", "--page", "profiles", "--profile", "openrouter-a").out
    assert one.strip().endswith("&page=profiles#openrouter-a")
    assert run("report", "--print", "--page", "nowhere").code == 1
    assert run("report", "--print", "--profile", "openrouter-a").code == 1
