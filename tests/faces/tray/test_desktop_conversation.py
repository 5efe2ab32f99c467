"""The tray and a desktop, talking over a real bus: what a host does, and what it is told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.faces.tray.child import Runner
from tests.faces.tray.desk import CallFailed, Desk, until
from tray_app.control.views import AppState
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.icon import SIZES, Picture


def profiles(*names: str, active: int = 0, **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"openrouter-{name}", "active": n == active, **more} for n, name in enumerate(names)]


LEFT = {
    "profile": "openrouter-b",
    "name": "key limit",
    "remaining": 12.4,
    "limit": 50.0,
    "unit": "usd",
    "used_percent": 75.2,
    "resets_at": None,
    "source": "probe",
    "at": 0,
}


def show(tray: Runner, desk: Desk, headline: str = "openrouter-a is serving", **fields: Any) -> None:
    """Put a status and wait until the desk can read it; signals so far are forgotten."""
    tray.tell(status={"headline": headline, **fields})
    until(lambda: desk.labels()[0] == headline, "the status is not shown")
    desk.forget()


# what a host does


def test_a_left_click_opens_the_report(tray: Runner, desk: Desk) -> None:
    desk.activate()
    assert tray.event("ask") == {"event": "ask", "verb": "report", "args": {}}


@pytest.mark.parametrize(
    ("label", "verb", "args"),
    [
        ("Use openrouter-b", "use", {"profile": "openrouter-b"}),
        ("Pause openrouter-a until resumed", "pause", {"profile": "openrouter-a"}),
        ("Pause openrouter-a for 30 min", "pause", {"profile": "openrouter-a", "for_s": 1800}),
        ("Drain openrouter-b", "drain", {"profile": "openrouter-b"}),
        ("Pin openrouter-b for 1 hour", "pin", {"profile": "openrouter-b", "for_s": 3600}),
        ("Pin openrouter-b until unpinned", "pin", {"profile": "openrouter-b"}),
        ("Retry openrouter-a now", "retry-now", {"profile": "openrouter-a"}),
        ("Start at login", "autostart", {"enabled": True}),
        ("Pause everything", "pause-all", {}),
        ("Copy address and token for an SDK", "token", {"client": "sdk"}),
        ("Add a profile...", "report", {"page": "profiles"}),
        ("Logs and data folder", "folder", {}),
        ("openrouter-a is serving", "report", {}),
        ("Open usage report", "report", {}),
    ],
)
def test_a_click_becomes_a_verb(tray: Runner, desk: Desk, label: str, verb: str, args: dict[str, Any]) -> None:
    show(tray, desk, profiles=profiles("a", "b"))
    desk.click(desk.find(label).id)
    assert tray.event("ask") == {"event": "ask", "verb": verb, "args": args}


def test_clicks_may_come_in_groups_and_unknown_ones_are_named(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a", "b"))
    events = [(desk.find(label).id, "clicked", ("i", 0), 0) for label in ("Use openrouter-b", "Open usage report")]
    (unknown,) = desk.ask_menu("EventGroup", "a(isvu)", [events[0], (4711, "clicked", ("i", 0), 0), events[1]])
    assert unknown == [4711]
    assert [tray.event("ask")["verb"] for _ in range(2)] == ["use", "report"]


def test_a_click_on_what_is_only_said_does_nothing(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("b", "a", active=1))
    for label in ("ready", "openrouter-a: serving", "Resume openrouter-a"):
        desk.click(desk.find(label).id)
    desk.click(0)
    desk.click(desk.find("Open usage report").id, "hovered")
    assert tray.quiet()


def test_a_click_on_an_item_that_has_gone_does_nothing_wrong(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a", "b"))
    old = [desk.find(label).id for label in ("Use openrouter-b", "Pause openrouter-b", "openrouter-b:")]
    show(tray, desk, "other", profiles=profiles("a", "c", state="paused"))
    for id_ in old:
        with pytest.raises(CallFailed):
            desk.click(id_)
    assert tray.quiet()


def test_forty_clicks_during_forty_changes_all_mean_what_was_shown(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a", "b"))
    id_ = desk.find("Use openrouter-b").id
    for turn in range(40):
        names = ("a", "b", "c") if turn % 2 else ("z", "a", "b")
        tray.tell(status={"profiles": profiles(*names), "headline": f"turn {turn}"})
        desk.click(id_)
        assert tray.event("ask")["args"] == {"profile": "openrouter-b"}


def test_a_callback_that_raises_leaves_the_icon_alive(tray: Runner, desk: Desk) -> None:
    tray.tell(fault="ask")
    desk.settle(0.1)
    desk.activate()
    assert tray.event("ask")["verb"] == "report"
    assert tray.event("log")["level"] == "ERROR"
    tray.tell(fault=None)
    desk.activate()
    assert tray.event("ask")["verb"] == "report"


# what a host is told


def test_a_new_text_is_told_as_a_property_only(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a"))
    id_ = desk.find("openrouter-a is serving").id
    tray.tell(status={"headline": "openrouter-a is tired"})
    told = desk.wait_for("ItemsPropertiesUpdated")
    assert told == [([(id_, {"label": ("s", "openrouter-a is tired")})], [])]
    desk.settle()
    assert desk.heard("LayoutUpdated") == desk.heard("NewIcon") == []
    assert len(desk.heard("NewToolTip")) == 1


def test_a_switch_moves_the_mark_without_touching_the_layout(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a", "b", active=-1))
    ids = {name: desk.find(f"Use openrouter-{name}").id for name in ("a", "b")}
    tray.tell(status={"profiles": profiles("a", "b", active=1)})
    ((updated, removed),) = desk.wait_for("ItemsPropertiesUpdated")
    states = {id_: one["toggle-state"] for id_, one in updated if "toggle-state" in one}
    assert states == {ids["b"]: ("i", 1)}
    assert removed == []
    desk.settle()
    assert {name for name, _ in desk.signals} == {"ItemsPropertiesUpdated"}
    assert {name: desk.find(f"Use openrouter-{name}").id for name in ("a", "b")} == ids


def test_a_new_profile_is_told_once_to_the_parent_that_lists_it(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a", "b"))
    (before, _) = desk.ask_menu("GetLayout", "iias", 0, 0, [])
    tray.tell(status={"profiles": profiles("a", "b", "c")})
    desk.wait_for("LayoutUpdated")
    desk.settle()
    assert desk.heard("LayoutUpdated") == [(before + 1, 0)]


def test_a_new_line_in_a_submenu_is_told_to_that_submenu_alone(tray: Runner, desk: Desk) -> None:
    """Plasma re-reads the level named and no other."""
    show(tray, desk, profiles=profiles("a", "b"))
    parent = desk.find("openrouter-b:").id
    (before, _) = desk.ask_menu("GetLayout", "iias", 0, 0, [])
    known = profiles("a", "b")
    known[1]["left"] = LEFT
    tray.tell(status={"profiles": known})
    desk.wait_for("LayoutUpdated")
    desk.settle()
    assert desk.heard("LayoutUpdated") == [(before + 1, parent)]


def test_the_icon_changes_with_the_apps_state_and_only_then(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a"), state="ready")
    tray.tell(status={"state": "exhausted"})
    desk.wait_for("NewIcon")
    desk.settle()
    assert [name for name, _ in desk.signals] == ["NewIcon"]
    assert desk.property("IconPixmap")[0][2] == Picture(AppState.EXHAUSTED).argb(SIZES[0])


def test_the_bar_follows_the_active_profiles_quota(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a"), state="ready", active="openrouter-a")
    tray.tell(status={"profiles": profiles("a", used_percent=71.0)})
    desk.wait_for("NewIcon")
    assert desk.property("IconPixmap")[0][2] == Picture(AppState.READY, 3).argb(SIZES[0])


def test_a_switch_is_shown_for_a_while_and_then_the_icon_is_as_before(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a", "b", active=1), state="ready")
    nearly_over = round(time.time() * 1000) - 7_500
    switch = {"at": nearly_over, "from_profile": "openrouter-a", "to_profile": "openrouter-b", "reason": "r"}
    tray.tell(status={"last_switch": {**switch, "manual": False}, "active": "openrouter-b"})
    desk.wait_for("NewIcon")
    assert desk.property("IconPixmap")[0][2] == Picture(Look.SWITCHED).argb(SIZES[0])
    until(lambda: len(desk.heard("NewIcon")) == 2, "the icon stays as it is", 8)
    assert desk.property("IconPixmap")[0][2] == Picture(Look.READY).argb(SIZES[0])


def test_a_burst_of_changes_is_gathered_and_ends_with_the_newest(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a"))
    tray.tell(burst=500)
    until(lambda: desk.labels()[0] == "burst 500", "the newest status is not shown")
    desk.settle()
    assert 1 <= len(desk.heard("ItemsPropertiesUpdated")) <= 3


def test_a_repaint_without_a_visible_change_says_nothing(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a"))
    for count in range(20):
        tray.tell(status={"requests_today": count})
    desk.settle()
    assert desk.signals == []


def test_nothing_stirs_while_nothing_happens(tray: Runner, desk: Desk) -> None:
    desk.settle()
    before = tray.switches()
    time.sleep(1.5)
    assert tray.switches() == before


def test_a_status_that_cannot_be_read_leaves_the_last_one_shown(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a"))
    tray.tell(fault="status")
    tray.tell(status={"headline": "never seen"})
    assert tray.event("log")["message"] == "a status could not be drawn"
    assert desk.labels()[0] == "openrouter-a is serving"
    tray.tell(fault=None)
    tray.tell(status={"headline": "seen again"})
    until(lambda: desk.labels()[0] == "seen again", "painting has stopped")


def test_fifty_profiles_are_shown_and_updated(tray: Runner, desk: Desk) -> None:
    names = [f"key_{n:02}" for n in range(50)]
    show(tray, desk, profiles=profiles(*names))
    assert len(list(desk.menu().walk())) > 800
    assert desk.find("openrouter-key__49: ready")
    tray.tell(status={"profiles": profiles(*names, active=49)})
    ((updated, _),) = desk.wait_for("ItemsPropertiesUpdated")
    assert len(updated) == 6  # two marks, two signs, and how the two are doing in their submenus
    desk.settle()
    assert desk.heard("LayoutUpdated") == []


def resting(back_in_ms: int) -> dict[str, Any]:
    at = round(time.time() * 1000) + back_in_ms
    return {"id": "openrouter-a", "state": "cooling", "reason": "spent", "resets_at": at, "reset_source": "body"}


def test_a_time_to_come_is_told_anew_when_the_menu_opens_and_before_the_host_is_answered(
    tray: Runner, desk: Desk
) -> None:
    over = time.monotonic() + 3
    show(tray, desk, profiles=[resting(63_000)])  # "in 2 min" for three seconds more
    two = desk.find("openrouter-a: cooling, back in 2 min (spent, stated by OpenRouter)").id
    time.sleep(over + 0.2 - time.monotonic())
    assert desk.heard("ItemsPropertiesUpdated") == [], "nobody looks, so nobody is told"
    assert desk.ask_menu("AboutToShow", "i", 0) == (False,)
    ((updated, _),) = desk.heard("ItemsPropertiesUpdated")
    told = dict(updated)[two]["label"][1]
    assert told == "openrouter-a: cooling, back in 1 min (spent, stated by OpenRouter)"
    assert desk.find("openrouter-a:").id == two


@pytest.mark.parametrize("way", ["AboutToShow", "opened"])
def test_a_time_to_come_goes_on_while_the_menu_is_read(tray: Runner, desk: Desk, way: str) -> None:
    show(tray, desk, profiles=[resting(61_000)])
    if way == "opened":
        desk.click(0, "opened")
    else:
        desk.ask_menu("AboutToShow", "i", 0)
    wanted = "openrouter-a: cooling, back in 1 min (spent, stated by OpenRouter)"
    until(lambda: wanted in desk.labels(), "the minute did not pass", 5)


def test_no_countdown_wakes_anybody_while_the_menu_is_closed(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=[resting(60_800)])
    desk.settle()
    before = tray.switches()
    time.sleep(1.5)
    assert tray.switches() == before


def test_a_profile_is_pinned_for_the_rest_of_the_day(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a"))
    desk.click(desk.find("Pin openrouter-a for today").id)
    args = tray.event("ask")["args"]
    assert args.keys() == {"profile", "for_s"}
    end = time.localtime(time.time() + args["for_s"] + 2)
    assert (end.tm_hour, end.tm_min) == (0, 0)


# an open menu


def test_about_to_show_has_nothing_to_fetch(tray: Runner, desk: Desk) -> None:
    assert desk.ask_menu("AboutToShow", "i", 0) == (False,)
    assert desk.ask_menu("AboutToShowGroup", "ai", [0, 4711]) == ([], [4711])


def test_texts_change_in_an_open_menu_but_structure_waits_until_it_closes(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a", "b"))
    parent = desk.find("openrouter-a:").id
    desk.click(parent, "opened")
    tray.tell(status={"profiles": profiles("a", "b", "c"), "headline": "three now"})
    desk.wait_for("ItemsPropertiesUpdated")
    desk.settle()
    assert desk.heard("LayoutUpdated") == []
    assert "openrouter-c: ready" not in desk.labels()
    assert desk.labels()[0] == "three now"
    desk.click(parent, "closed")
    desk.wait_for("LayoutUpdated")
    assert "openrouter-c: ready" in desk.labels()


def test_a_click_in_an_open_menu_closes_it(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a", "b"))
    desk.click(0, "opened")
    tray.tell(status={"profiles": profiles("a", "b", "c"), "headline": "three now"})
    desk.wait_for("ItemsPropertiesUpdated")
    desk.click(desk.find("Use openrouter-b").id)
    assert tray.event("ask")["verb"] == "use"
    desk.wait_for("LayoutUpdated")


def test_a_host_that_never_says_closed_gets_the_change_a_moment_later(tray: Runner, desk: Desk) -> None:
    show(tray, desk, profiles=profiles("a"))
    desk.ask_menu("AboutToShow", "i", 0)
    start = time.monotonic()
    tray.tell(status={"profiles": profiles("a", "b")})
    desk.wait_for("LayoutUpdated")
    assert 2 < time.monotonic() - start < 4
