"""The tray in a real panel, with a mouse and a keyboard; see `desktop`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faces.tray.desk import until
from tests.faces.tray.desktop import DEMO, Desktop, missing_programs

pytestmark = pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}")


@pytest.fixture(scope="module")
def desktop() -> Iterator[Desktop]:
    with Desktop() as desktop, desktop.run(DEMO):
        desktop.item()
        yield desktop


def asked(desktop: Desktop) -> list[tuple[str, dict[str, Any]]]:
    lines = (desktop.home / "command.log").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return [(event["verb"], event["args"]) for event in events if event["event"] == "ask"]


def test_the_icon_is_seen_and_a_left_click_opens_the_report(desktop: Desktop) -> None:
    desktop.click(1)
    until(lambda: ("report", {}) in asked(desktop), "the click did not arrive")


def test_a_panel_that_crashes_and_comes_again_shows_the_icon_again(desktop: Desktop) -> None:
    clicks = asked(desktop).count(("report", {}))
    desktop.restart_panel()
    desktop.item()
    desktop.click(1)
    until(lambda: asked(desktop).count(("report", {})) > clicks, "the click did not arrive")


def test_a_profile_is_chosen_from_its_submenu(desktop: Desktop) -> None:
    desktop.open_menu()
    desktop.press("Return")
    until(lambda: ("use", {"profile": "openrouter-main"}) in asked(desktop), "the choice did not arrive")


def test_a_profile_is_paused_from_the_second_submenu_for_two_hours(desktop: Desktop) -> None:
    desktop.open_menu()
    desktop.press("Left", "Down", "Right", *["Down"] * 5, "Return")
    wanted = ("pause", {"profile": "openrouter-work", "for_s": 7200})
    until(lambda: wanted in asked(desktop), "the choice did not arrive")
    until(lambda: any(line.label.endswith("work: paused") for line in desktop.lines()), "no pause is shown")


def test_everything_is_paused_by_a_check_item(desktop: Desktop) -> None:
    desktop.open_menu(submenu=False)
    labels = [line.label for line in desktop.lines() if line.properties.get("enabled")]
    desktop.press(*["Down"] * (labels.index("Pause everything") + 1), "Return")
    until(lambda: ("pause-all", {}) in asked(desktop), "the choice did not arrive")
    until(
        lambda: any(
            line.label == "Pause everything" and line.properties["toggle-state"] == 1 for line in desktop.lines()
        ),
        "no check mark",
    )
