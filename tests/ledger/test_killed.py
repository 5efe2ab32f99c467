"""A process that is killed at any moment loses the record of no request that it had settled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ledger.facts import T0
from tests.ledger.look import ask, one
from tray_app.ledger import database

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")


def killed_after(folder: Path, lines: int, first: int) -> list[str]:
    """Let the child work until it has settled that many requests, and kill it; the ids of all that it settled."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.busy_child", str(folder), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    with child, child.stdout:
        told = [child.stdout.readline().strip() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        told += [line.strip() for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL
    return told


def test_no_settled_request_is_lost_and_no_row_stays_open(tmp_path: Path, history: Path) -> None:
    told: list[str] = []
    for turn, lines in enumerate((1, 7, 300, 300)):
        told += killed_after(tmp_path, lines, turn * 100_000)
    assert Path(f"{history}-wal").exists()
    opened = database.open_for_writing(history, T0)
    opened.connection.close()
    assert opened.moved_aside is None
    rows = {row["id"]: row for row in ask(history, "SELECT * FROM request")}
    assert len(told) >= 608
    assert {rows[name]["outcome"] for name in told} == {"served"}
    attempts = ask(history, "SELECT request_id, count(*) AS n FROM attempt WHERE outcome <> 'interrupted' GROUP BY 1")
    counted = {row["request_id"]: row["n"] for row in attempts}
    assert [name for name in told if counted[name] != rows[name]["attempts"]] == []
    for table in ("request", "attempt"):
        assert one(history, f"SELECT count(*) FROM {table} WHERE ended_at IS NULL OR outcome IS NULL") == 0
    # what only began is written within a quarter of a second: the last two children live longer, the first need not
    assert one(history, "SELECT count(*) FROM request WHERE outcome = 'interrupted'") >= 2
    assert one(history, "SELECT sum(requests) FROM usage_hour") == len(rows)
    served = one(history, "SELECT count(*) FROM request WHERE outcome = 'served'")
    assert one(history, "SELECT sum(served) FROM usage_hour") == served


def test_the_decisions_before_the_kill_are_whole_lines(tmp_path: Path) -> None:
    runs = [killed_after(tmp_path, 400, 0), killed_after(tmp_path, 400, 100_000)]
    text = (tmp_path / "decisions.ndjson").read_bytes()
    lines = [json.loads(line) for line in text.splitlines()]
    assert text.endswith(b"\n")
    ended = {line["request_id"] for line in lines if line["event"] == "request.end"}
    for told in runs:  # nobody waits for the log: the last quarter of a second of each may be missing
        missing = [place for place, request_id in enumerate(told) if request_id not in ended]
        assert len(missing) < len(told)
        assert len(told) - min(missing, default=len(told)) <= len(missing) + 8
