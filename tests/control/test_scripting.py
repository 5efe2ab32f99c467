"""The examples of the page on asking run as they stand there, against a running app."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import Rig, running, script_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "tray_app" / "docs" / "api.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, script_of(a='{do="ok"}', b='{do="ok"}')) as found:
        found.chat()
        yield found


def started(rig: Rig, code: str) -> subprocess.Popen[str]:
    environ = {"O_SWITCHER_HOME": str(rig.home.running.parent), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True)


def test_the_verbs_from_a_script(rig: Rig) -> None:
    with started(rig, EXAMPLES[0]) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = said.splitlines()
    assert lines[0] == "openrouter-a is serving" and lines[1].startswith("openrouter-a ready")
    assert lines[3:5] == ["openrouter-a is paused for 1 min", "openrouter-a is ready for use"]
    assert lines[5].endswith("openrouter-a served")


def test_the_example_of_the_readme(rig: Rig) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    with started(rig, example) as process:
        said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "openrouter-a is serving\n")


def test_live_events_from_a_script(rig: Rig) -> None:
    assert len(EXAMPLES) == 3
    with started(rig, EXAMPLES[1]) as process:
        deadline = time.monotonic() + 20
        while len(rig.app.feed) == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        rig.chat()
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert said.splitlines()[0].startswith("request.start") and said.splitlines()[-1].startswith("request.end")


def test_within_an_event_loop_as_in_a_notebook(rig: Rig) -> None:
    with started(rig, EXAMPLES[2]) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    state, left, _, refused = said.splitlines()
    assert state == "ready" and left.startswith("openrouter-a ")
    assert refused == "not_found no profile is called 'openrouter-nobody'; known are: openrouter-a, openrouter-b"


def test_without_the_app_a_script_is_told_how_to_start_it(tmp_path: Path) -> None:
    environ = {"O_SWITCHER_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", EXAMPLES[2]]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=True).stdout
    assert said == "O-Switcher is not running; start it with: o-switcher\n"


def test_the_page_names_every_view_verb_and_metric(rig: Rig) -> None:
    from tray_app.faces.mcp import CONTROLS, READS
    from tray_app.faces.web.openapi import VIEWS

    text = PAGE.read_text()
    for path in VIEWS:
        assert path.partition("{")[0] in text, path
    for name in (*READS, *CONTROLS):
        assert f"`{name}`" in text, name
    for name in re.findall(r"`(o_switcher_[a-z_]+)`", text):
        assert name in _told(rig), name


def _told(rig: Rig) -> str:
    import httpx

    from tests.rig import plain_http
    from tray_app.control.callers import connect

    token = connect(rig.home.running).ask("token", client="prometheus")["token"]
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=rig.url, headers=headers, transport=plain_http(), timeout=30) as client:
        return client.get("/metrics").text
