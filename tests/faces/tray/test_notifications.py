"""Notifications over a real bus: what a daemon is given, and what a click on a message or a button leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faces.tray.child import Runner
from tests.faces.tray.desk import NOTIFICATIONS, Desk, until
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.icon import Picture


@pytest.fixture
def daemon_of(desk: Desk) -> Iterator[Desk]:
    desk.be(NOTIFICATIONS)
    yield desk
    desk.cease(NOTIFICATIONS)


def shown(desk: Desk, count: int = 1) -> tuple[Any, ...]:
    until(lambda: len(desk.notes) >= count, "no notification came")
    desk.settle(0.05)
    assert len(desk.notes) == count
    return desk.notes[-1]


def test_a_message_is_shown_with_the_icon_and_a_click_on_it_opens_the_report(tray: Runner, daemon_of: Desk) -> None:
    tray.tell(notify=["Out of credit", "main <b>& co</b>"])
    app, replaces, icon, title, body, actions, hints, _ = shown(daemon_of)
    assert (app, replaces, icon, title) == ("O-Switcher", 0, "", "Out of credit")
    assert body == "main &lt;b&gt;&amp; co&lt;/b&gt;", "a daemon that reads markup is given none"
    assert actions[0] == "default"
    assert hints["image-data"][1][:2] == (48, 48)
    assert bytes(hints["image-data"][1][6]) == Picture(Look.NEEDS_YOU).image(48).tobytes()
    daemon_of.invoke(4711, "default")
    daemon_of.invoke(1, "other")
    daemon_of.invoke(1, "default")
    assert tray.event("ask")["verb"] == "report"
    assert tray.quiet()


def test_a_simple_daemon_gets_plain_text_and_no_actions(tray: Runner, daemon_of: Desk) -> None:
    daemon_of.capabilities = ["body"]
    tray.tell(notify=["Title", "a < b"])
    assert shown(daemon_of)[4:6] == ("a < b", [])


def test_a_refused_key_leads_to_the_form_that_takes_a_new_one(tray: Runner, daemon_of: Desk) -> None:
    tray.tell(announce={"kind": "reauth", "profiles": ["openrouter-a"], "reason": "the key is refused"})
    _, _, _, title, body, actions, hints, _ = shown(daemon_of)
    assert (title, body) == ("openrouter-a: a new key is needed", "the key is refused")
    assert actions[2:] == ["0", "Give a new key"]
    assert hints["urgency"] == ("y", 2)
    assert bytes(hints["image-data"][1][6]) == Picture(Look.NEEDS_YOU).image(48).tobytes()
    for action in ("default", "0"):
        daemon_of.invoke(1, action)
        asked = tray.event("ask")
        assert (asked["verb"], asked["args"]) == ("report", {"page": "profiles", "profile": "openrouter-a"})


def test_when_nobody_can_serve_one_button_tries_all_of_them_again(tray: Runner, daemon_of: Desk) -> None:
    tray.tell(announce={"kind": "all_exhausted", "profiles": []})
    assert shown(daemon_of)[5] == ["default", "No profile can serve", "0", "Retry now"]
    daemon_of.invoke(1, "0")
    asked = tray.event("ask")
    assert (asked["verb"], asked["args"]) == ("retry-now", {"all": True})


def test_a_message_takes_the_place_of_the_last_of_its_kind_until_that_has_gone(tray: Runner, daemon_of: Desk) -> None:
    switch = {"kind": "switched", "reason": "out of credit", "from_profile": "openrouter-a"}
    tray.tell(announce={**switch, "profiles": ["openrouter-b"]})
    shown(daemon_of, 1)
    tray.tell(announce={"kind": "back", "profiles": ["openrouter-a"]})
    assert shown(daemon_of, 2)[1] == 0, "another kind"
    tray.tell(announce={**switch, "profiles": ["openrouter-c"]})
    assert shown(daemon_of, 3)[1] == 1
    daemon_of.dismiss(3)
    daemon_of.settle()
    tray.tell(announce={**switch, "profiles": ["openrouter-d"]})
    assert shown(daemon_of, 4)[1] == 0, "the number may be another program's by now"


def test_a_click_that_comes_with_the_end_of_a_message_is_heard(tray: Runner, daemon_of: Desk) -> None:
    tray.tell(announce={"kind": "switched", "profiles": ["openrouter-b"]})
    shown(daemon_of)
    daemon_of.dismiss(1)
    daemon_of.invoke(1, "default")
    assert tray.event("ask")["verb"] == "report"


def test_the_last_words_are_shown_before_the_end(tray: Runner, daemon_of: Desk) -> None:
    tray.tell(farewell=2)
    assert tray.event("end")["reason"] == "the app stops"
    assert shown(daemon_of)[3:5] == ("O-Switcher has stopped", "Answers that were cut short: 2")


def test_where_nothing_was_cut_nothing_is_said_at_the_end(tray: Runner, daemon_of: Desk) -> None:
    tray.tell(farewell=0)
    tray.event("end")
    assert daemon_of.notes == []


def test_last_words_that_nobody_takes_hold_nothing_up(tray: Runner, daemon_of: Desk) -> None:
    daemon_of.silent = True
    tray.tell(farewell=1)
    assert tray.event("end", 2.0)["reason"] == "the app stops"
