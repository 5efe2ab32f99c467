"""The page on the simulator says all that a script may say, and nothing that it may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tray_app
from tray_app.simulator.behaviours import BEHAVIOURS
from tray_app.simulator.endpoints import ENDPOINTS
from tray_app.simulator.script import parse
from tray_app.simulator.steps import Settings, When
from tray_app.simulator.values import Shape

PAGE = (Path(tray_app.__file__).parent / "docs" / "simulator.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(BEHAVIOURS))
def test_every_behaviour_has_its_row_with_its_parameters(name: str) -> None:
    kind = BEHAVIOURS[name]
    named = set(re.findall(r"`(\w+)", ROWS[name]))
    hints = {"retry_after", "retry_after_date", "retry_after_ms", "reset_ms", "metadata_after", "prose"}
    fields = set(kind.__struct_fields__)
    own = fields - hints if hints <= fields else fields
    assert own <= named
    assert ("*hints*" in ROWS[name]) == (hints <= fields)
    assert ("*shape*" in ROWS[name]) == kind.shapes


@pytest.mark.parametrize(
    "name", [*Settings.__struct_fields__, *When.__struct_fields__, *Shape.__struct_fields__, *ENDPOINTS]
)
def test_every_setting_and_endpoint_is_named(name: str) -> None:
    assert f"`{name}" in PAGE or name in PAGE


def test_no_row_is_of_a_behaviour_that_does_not_exist() -> None:
    table = PAGE.partition("## Behaviours")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(BEHAVIOURS)


def test_the_example_can_be_played() -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    assert parse(example[1], "example").keys
