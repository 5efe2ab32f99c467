"""The demo that a page starts: apart from everything of the user's, and gone without a trace."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.host.test_companion import alive, until
from tests.rig import Rig, key_of, plain_http, running, script_of
from tray_app.control.callers import HttpCaller, connect
from tray_app.control.demonstration import Demonstration
from tray_app.control.verbs import Refused
from tray_app.host.companion import PREFIX


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, script_of(a='{do="ok"}')) as found:
        yield found


@pytest.fixture
def caller(rig: Rig) -> HttpCaller:
    return connect(rig.home.running, "api")


def folders(rig: Rig) -> list[Path]:
    return list(rig.home.history.parent.glob(f"{PREFIX}*"))


def processes(folder: Path) -> list[int]:
    """Those that have the folder among their words."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(folder).encode() in one.read_bytes():
                found.append(int(one.parent.name))
    return found


def test_it_runs_apart_from_everything_of_the_users_and_leaves_nothing(rig: Rig, caller: HttpCaller) -> None:
    assert caller.ask("demo-status") == {"running": False, "url": None, "until_at": None}
    with pytest.raises(Refused, match="the demo does not run; start it first"):
        caller.ask("demo-report")
    view = caller.ask("demo-start")
    assert view["running"] and view["url"] != rig.url
    assert 0 < view["until_at"] - rig.app.service.clock() <= 600_000
    assert caller.ask("demo-start") == view, "one is enough"
    (folder,) = folders(rig)
    (process,) = processes(folder)
    with httpx.Client(transport=plain_http(), follow_redirects=True, timeout=20) as browser:
        browser.get(caller.ask("report")["url"])
        page = browser.get(caller.ask("demo-report")["url"])
        assert page.status_code == 200 and str(page.url).startswith(view["url"])
        assert "this is the demo" in page.text and "openrouter-spare" in page.text
        found = browser.get(f"{view['url']}/api/v1/requests").json()
        until(lambda: bool(browser.get(f"{view['url']}/api/v1/requests").json()))
        assert browser.get(f"{rig.url}/api/v1/requests").json() == [], "nothing of it is in the user's history"
        status = browser.get(f"{view['url']}/api/v1/status").json()
        assert {one["source"] for one in status["profiles"]} == {"practice"}
        assert status["history_path"].startswith(str(folder)), found
        assert browser.get(f"{rig.url}/api/v1/status").status_code == 200, "its cookie does not replace ours"
        seen = browser.post(f"{view['url']}/api/v1/verbs/connect", json={"client": "opencode", "dry_run": True}).json()
        assert all(str(folder) in one["path"] for one in seen["files"]), "no client of the user's is in its reach"
    environ = Path(f"/proc/{process}/environ").read_bytes()
    assert key_of("a").encode() not in environ and f"HOME={folder}".encode() in environ
    assert caller.ask("demo-stop")["message"] == "the demo has ended; nothing of it is left"
    assert folders(rig) == [] and not alive(process)
    assert caller.ask("demo-stop")["message"] == "the demo does not run"


def test_it_ends_with_the_app(rig: Rig, caller: HttpCaller) -> None:
    caller.ask("demo-start")
    (process,) = processes(folders(rig)[0])
    rig.app.stop()
    assert folders(rig) == [] and not alive(process)


def test_one_that_was_ended_from_outside_is_gone_too(rig: Rig, caller: HttpCaller) -> None:
    view = caller.ask("demo-start")
    (process,) = processes(folders(rig)[0])
    os.kill(process, 9)
    until(lambda: not folders(rig))
    assert not caller.ask("demo-status")["running"]
    again = caller.ask("demo-start")
    assert again["running"] and again["url"] != view["url"]


def demonstration(tmp_path: Path, program: str) -> Demonstration:
    return Demonstration((sys.executable, "-c", program), tmp_path, os.environ, {}, lambda: None)


@pytest.mark.parametrize("program", ["", "print('what?')", "raise SystemExit(1)"])
def test_one_that_does_not_come_up_is_told_and_leaves_nothing(tmp_path: Path, program: str) -> None:
    made = demonstration(tmp_path, program)
    with pytest.raises(Refused, match="did not come up; see why with: o-switcher demo"):
        asyncio.run(made.start())
    assert not made.view().running and list(tmp_path.iterdir()) == []


def test_one_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tray_app.control.demonstration.START_S", 0.3)
    made = demonstration(tmp_path, "import sys; sys.stdin.read()")
    with pytest.raises(Refused, match="did not come up"):
        asyncio.run(made.start())
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_started_that_is_said(tmp_path: Path) -> None:
    made = Demonstration(("/not/there",), tmp_path, os.environ, {}, lambda: None)
    with pytest.raises(Refused, match="the demo cannot start: /not/there cannot be started"):
        asyncio.run(made.start())


def test_what_an_earlier_one_has_left_is_taken_away_at_the_start(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}x").mkdir()
    demonstration(tmp_path, "").begin()
    assert list(tmp_path.iterdir()) == []
