"""The live view: driven by Textual's own pilot in front of a running app, and its lines by themselves."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, RichLog, Static

from tests.rig import Rig, running, script_of
from tray_app.control.callers import NotRunning, connect
from tray_app.faces import top_text
from tray_app.faces.top import Top

ROOT = Path(__file__).parents[2]
OK = '{do="ok"}'


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, script_of(a='{do="ok", times=1}, {do="no_credit"}', b=OK)) as found:
        yield found


def table(view: Top, name: str) -> list[list[str]]:
    found = view.query_one(f"#{name}", DataTable)
    return [[str(cell) for cell in found.get_row_at(row)] for row in range(found.row_count)]


def lines(view: Top) -> str:
    return "\n".join(strip.text for strip in view.query_one("#events", RichLog).lines)


def headline(view: Top) -> str:
    return str(view.query_one("#headline", Static).content)


async def until(pilot: Pilot[None], what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not what() and time.monotonic() < deadline:
        await pilot.pause(0.05)
    assert what()


def driven(rig: Rig, story: Callable[[Top, Pilot[None]], Any]) -> None:
    """Run `story` with the view of the rig's app on a screen of 120 by 40."""

    async def run() -> None:
        view = Top(lambda: connect(rig.home.running, "cli"))
        async with view.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: bool(table(view, "profiles")))
            await story(view, pilot)

    asyncio.run(run())


def test_profiles_requests_and_events_are_shown_as_they_happen(rig: Rig) -> None:
    async def story(view: Top, pilot: Pilot[None]) -> None:
        assert headline(view).startswith("openrouter-a is serving")
        assert [row[0] for row in table(view, "profiles")] == ["* openrouter-a", "  openrouter-b"]
        await until(pilot, lambda: len(rig.app.feed) == 1)
        for _ in range(2):
            await asyncio.to_thread(rig.chat)
        await until(pilot, lambda: len(table(view, "requests")) == 2 and "switched" in table(view, "requests")[0][4])
        newest = table(view, "requests")[0]
        assert newest[1:4] == ["test", "openai/gpt-4o-mini", "openrouter-b"] and newest[4].startswith("served in")
        await until(pilot, lambda: "openrouter-a -> openrouter-b" in lines(view))
        await until(pilot, lambda: table(view, "profiles")[0][1] == "cooling")
        assert "resets" in table(view, "profiles")[0][5] or "back" in table(view, "profiles")[0][5]

    driven(rig, story)


def test_keys_carry_out_verbs_on_the_chosen_profile(rig: Rig) -> None:
    async def story(view: Top, pilot: Pilot[None]) -> None:
        await pilot.press("down", "u")
        await until(pilot, lambda: table(view, "profiles")[1][0] == "* openrouter-b")
        assert "preferred" in table(view, "profiles")[1][1]
        await pilot.press("p")
        await until(pilot, lambda: table(view, "profiles")[1][1].startswith("paused"))
        await pilot.press("p")
        await until(pilot, lambda: table(view, "profiles")[1][1].startswith("ready"))
        await pilot.press("o")
        await until(pilot, lambda: "preferred" not in table(view, "profiles")[1][1])
        await pilot.press("o")  # nothing is preferred any more
        await until(pilot, lambda: any("nothing is pinned" in str(one.message) for one in view._notifications))

    driven(rig, story)
    assert rig.eventually("SELECT 1 FROM operator_event WHERE actor = 'cli' AND verb = 'pause'")


def test_the_view_waits_for_an_app_that_is_gone_and_goes_on_when_it_is_back(rig: Rig) -> None:
    async def story(view: Top, pilot: Pilot[None]) -> None:
        await asyncio.to_thread(rig.app.stop)
        await until(pilot, lambda: "not running" in headline(view))
        rig.app = rig.build()
        await asyncio.to_thread(rig.app.start)
        await until(pilot, lambda: "is serving" in headline(view))
        await until(pilot, lambda: len(rig.app.feed) == 1)

    driven(rig, story)


def test_without_profiles_the_keys_say_how_to_add_one(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a=OK), names=[]) as rig:

        async def run() -> None:
            view = Top(lambda: connect(rig.home.running, "cli"))
            async with view.run_test() as pilot:
                await until(pilot, lambda: "asking" not in headline(view))
                await pilot.press("u")
                await until(pilot, lambda: any("profiles add" in str(one.message) for one in view._notifications))

        asyncio.run(run())


# -- following


def test_scripts_follow_live_events_and_end_when_they_like(rig: Rig) -> None:
    following = connect(rig.home.running).follow()
    rig.chat()
    names = []
    for event in following:
        names.append(event["event"])
        if event["event"] == "request.end":
            following.close()
    assert names[0] == "request.start" and names[-1] == "request.end"


def test_following_ends_with_the_app(rig: Rig) -> None:
    caller = connect(rig.home.running)
    following = caller.follow()
    rig.app.stop()
    assert list(following) == []
    with pytest.raises(NotRunning):
        caller.follow()


# -- lines


@pytest.mark.parametrize(
    ("used", "shown"),
    [
        (None, ""),
        (0.0, "██████████ 100 %"),
        (75.0, "██░░░░░░░░ 25 %"),
        (100.0, "░░░░░░░░░░ 0 %"),
        (130.0, "░░░░░░░░░░ 0 %"),
    ],
)
def test_what_is_left_is_a_bar(used: float | None, shown: str) -> None:
    assert top_text.bar(used) == shown


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"event": "failover", "from": "a", "to": "b", "reason": "out of credit"}, "a -> b out of credit"),
        ({"event": "operator.action", "verb": "pause", "profile": "a"}, "pause a"),
        ({"event": "cooldown.set", "profile": "a", "time": "2026-11-30T10:00:00.000Z", "reason": "limit"}, "a limit"),
        ({"event": "attempt.start", "profile": "a"}, None),
    ],
)
def test_an_event_is_a_line(event: dict[str, str], words: str | None) -> None:
    line = top_text.event_line(event)
    assert line is None if words is None else line is not None and line.endswith(words)


def test_a_request_is_followed_from_its_start_to_its_end() -> None:
    seen = top_text.Requests()
    assert not seen.see({"event": "attempt.start", "request_id": "1", "profile": "a"})  # began before we came
    assert not seen.see({"event": "circuit.change", "profile": "a"})
    states = []
    for event in (
        {"event": "request.start", "client": "c", "model": "m"},
        {"event": "admission.queued"},
        {"event": "attempt.start", "profile": "a"},
        {"event": "retry.scheduled"},
        {"event": "request.end", "profile": "b", "outcome": "served", "duration_ms": 7, "failovers": 1},
    ):
        assert seen.see({**event, "request_id": "1"})
        states.append(seen.rows()[0][4])
    assert states == ["starting", "waiting for a place", "asking", "waiting to ask again", "served in 7 ms, 1 switched"]
    assert not seen.see({"event": "stream.segment", "request_id": "1"})
    seen.see({"event": "request.start", "request_id": "2"})
    assert not seen.see({"event": "stream.segment", "request_id": "2"})
    assert seen.see({"event": "events.missed"}) and not seen.running


# -- in a terminal


def test_it_runs_in_a_terminal_and_is_left_by_a_key(rig: Rig, tmp_path: Path) -> None:
    """As a person has it, over SSH too: in tmux, on a screen of 100 by 30."""
    socket = str(tmp_path / "tmux")

    def tmux(*words: str) -> str:
        environ = {"PATH": os.environ["PATH"], "TERM": "screen-256color", "LANG": "C.UTF-8", "HOME": str(tmp_path)}
        done = subprocess.run(
            ["tmux", "-S", socket, "-f", "/dev/null", *words],
            env={**environ, "O_SWITCHER_HOME": str(rig.home.running.parent), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def shows(words: str) -> bool:
        deadline = time.monotonic() + 20
        while words not in (screen := tmux("capture-pane", "-p")) and time.monotonic() < deadline:
            time.sleep(0.1)
        return words in screen

    command = f"{shlex.quote(sys.executable)} -m tray_app top; echo left with $?; sleep 60"
    tmux("new-session", "-d", "-x", "100", "-y", "30", command)
    try:
        assert shows("* openrouter-a")
        rig.chat()
        rig.chat()
        assert shows("openrouter-a -> openrouter-b")
        tmux("send-keys", "q")
        assert shows("left with 0")
    finally:
        tmux("kill-server")
