"""The benchmark runs and prints all its rows. What the figures are is not judged here: tests run on busy machines."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import nginx, scenarios
from tests.bench.__main__ import main
from tests.bench.table import Row, Series, text

CHECKOUT = Path(__file__).resolve().parents[2]
ROWS = (
    "JSON, 8 connections: CPU a request",
    "SSE in bursts, 16 connections: CPU an answer",
    "20 streams of 50 chunks a second: CPU a chunk",
    "  slowest stream over its paced time",
    "JSON, 256 connections over 8: CPU a request",
    "record: no record: CPU a request",
    "record: group commit awaited: CPU a request",
    "record: line ahead, lazy commit: CPU a request",
    "SSE bursts: all on: CPU a request",
    "SSE bursts: without late commit: CPU a request",
    "SSE bursts: without usage and cost: CPU a request",
    "SSE bursts: without recording: CPU a request",
    "start to first answer, fresh home",
    "start to first answer, home in use",
    "idle for 0.5 s: memory (PSS)",
    "idle: context switches in 0.5 s",
    "start to icon",
    "idle with a tray: memory (PSS)",
    "idle with a tray: context switches in 0.5 s",
    "the tray's menu of 50 profiles",
    "  the same, told to the desktop a minute later",
    "  the same, every profile in another state",
    "herd: ",
    "herd: calls on the dead key",
    "herd: not served",
    "burst: longest rest",
    "burst: not served",
    "next_step, 50 profiles, a new conversation",
    "next_step, 50 profiles, a conversation that is held",
    "next_step, 50 profiles, after a failure",
    "classify",
    "o-switcher classify",
)


def test_a_quick_run_prints_every_row(tmp_path: Path) -> None:
    try:
        nginx.program()
    except nginx.NoNginx as error:
        pytest.skip(str(error))
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(CHECKOUT / "tests/bench/__main__.py"), "--quick", "--json", str(figures)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(figures.read_text())
    names = [row["scenario"] for row in document["rows"]]
    assert len(names) == len(ROWS)
    for name, wanted in zip(names, ROWS, strict=True):
        assert name.startswith(wanted)
        assert name in done.stdout
    assert all(row["o_switcher"]["values"] for row in document["rows"])


def test_without_nginx_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert main(["--quick"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "nginx-light" in said.err


@pytest.mark.parametrize(("floor", "verdict"), [(2.0, "ok"), (1.4, "OVER"), (None, "")])
def test_a_floor_stands_against_the_median_of_the_ratios(floor: float | None, verdict: str) -> None:
    row = Row("a row", Series((30.0,), "us"), Series((20.0,), "us"), Series((1.0, 1.5, 9.0), "x"), floor)
    assert row.cells()[-1] == verdict
    assert "1.50 [1.00-9.00]" in text([row])


def test_a_missed_floor_is_the_exit_code_of_a_full_run_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    over = Row("a row", Series((2.0,), "x"), floor=1.0)
    monkeypatch.setattr(nginx, "program", lambda: "nginx")
    monkeypatch.setattr(scenarios, "run", lambda *_: iter([over]))
    assert (main([]), main(["--quick"])) == (1, 0)
    assert "OVER" in capsys.readouterr().out
