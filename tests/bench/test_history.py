"""The benchmark of a long history runs on a short one and prints all its rows. What the figures are is not judged here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import history, pages
from tray_app.faces.web.pages import PAGES

ROWS = (
    "making it: CPU an attempt",
    "a million attempts on the disk",
    "30-day report: CPU",
    "the last 100 requests: CPU",
    *(f"100 requests {name}: CPU" for name in history.SEARCHES),
    "one request's trace: CPU",
    *(
        f"the page {pages.LONGEST.get(page.address, page.address)}: {what}"
        for page in PAGES
        for what in ("CPU", "first paint")
    ),
    *(f"the page {address}: CPU" for address in pages.HARD),
    "export of all attempts: memory",
    "export of all attempts: CPU a row",
    "a step of retention: wall clock",
)


def test_a_short_run_prints_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history, "RUNS", 2)
    figures = tmp_path / "figures.json"
    history.main(["--attempts", "1500", "--file", str(tmp_path / "history.db"), "--json", str(figures)])
    document = json.loads(figures.read_text())
    assert tuple(row["scenario"] for row in document["rows"]) == ROWS
    printed = capsys.readouterr().out
    assert all(name in printed for name in ROWS)
    assert all(row["o_switcher"]["values"] for row in document["rows"])
