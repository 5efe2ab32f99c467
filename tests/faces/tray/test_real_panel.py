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


def test_a_profile_is_chosen_from_the_open_menu(desktop: Desktop) -> None:
    desktop.open_menu(submenu=False)
    desktop.press("Down", "Return")
    until(lambda: ("use", {"profile": "openrouter-main"}) in asked(desktop), "the choice did not arrive")


def test_a_profile_is_paused_from_the_submenu(desktop: Desktop) -> None:
    desktop.open_menu()
    desktop.press("Down", "Right", "Return")
    until(lambda: ("pause", {"profile": "openrouter-work"}) in asked(desktop), "the choice did not arrive")
    until(lambda: any(line.label.endswith("work: paused") for line in desktop.lines()), "no pause is shown")
