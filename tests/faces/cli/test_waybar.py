"""`status --waybar`: one line that a bar can take, whatever the state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli.test_commands import Here, runner
from tests.rig import running, script_of
from tray_app.faces.cli.waybar import waybar_line

PROFILE = {"id": "openrouter-a", "state": "ready", "rest": None, "quota": "3 of 10 USD left", "used_percent": 70.4}


def status(**more: Any) -> dict[str, Any]:
    return {"state": "ready", "headline": "it is well", "active": "openrouter-a", "profiles": [PROFILE], **more}


@pytest.mark.parametrize(
    ("given", "text", "left"),
    [
        pytest.param(status(), "openrouter-a", 30, id="serving"),
        pytest.param(status(active=None, state="needs_you"), "needs you", 0, id="nobody serves"),
        pytest.param(status(profiles=[{**PROFILE, "used_percent": None}]), "openrouter-a", 100, id="no limit known"),
        pytest.param(status(active=None, profiles=[], state="exhausted"), "exhausted", 0, id="no profiles"),
    ],
)
def test_a_line_says_who_serves_and_what_is_left(given: dict[str, Any], text: str, left: int) -> None:
    line = json.loads(waybar_line(given))
    assert (line["text"], line["percentage"], line["class"]) == (text, left, given["state"])


def test_names_are_no_markup_to_a_bar() -> None:
    line = json.loads(waybar_line(status(headline="a <b> & c")))
    assert line["tooltip"].splitlines() == ["a &lt;b&gt; &amp; c", "openrouter-a: ready, 3 of 10 USD left"]


def test_the_command_prints_that_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, script_of(a='{do="ok"}')):
        ran = runner(Here(tmp_path, []), capsys, monkeypatch)("status", "--waybar")
    assert ran.code == 0 and len(ran.out.splitlines()) == 1
    assert json.loads(ran.out)["text"] == "openrouter-a"
    ended = runner(Here(tmp_path, []), capsys, monkeypatch)("status", "--waybar")
    assert (ended.code, ended.out) == (3, "")
