"""The whole app against the simulator, scenario by scenario: see `scenarios` for the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.proxy.playing import Row, ask, do, play
from tests.proxy.scenarios.table import ROWS
from tests.proxy.scenarios.words import cut_off
from tray_app.core import policy


@pytest.fixture(autouse=True)
def _together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for the end of a rest are not spread, so that they can be told to the millisecond."""
    monkeypatch.setattr(policy, "SPREAD_MS", 0)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_rotation(tmp_path: Path, row: Row) -> None:
    play(row, tmp_path)


def test_the_table_is_as_large_as_it_should_be() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) >= 60
    assert {number for row in ROWS for number in row.pitfalls} >= {*range(1, 20), 24, 25, 26}


RICH = Row(
    name="a bit of everything",
    keys={"a": '{times=1, do="server_error"}, {do="no_credit"}', "b": '{do="ok"}', "c": '{do="ok"}'},
    acts=[ask("a:server_error a:quota_exhausted b:ok"), do("pause", "c")],
    calls={"a": 2, "b": 1},
    moves=["a>b"],
    quota=["a exhausted account inferred 600s"],
    waits=["a 5"],
    operators=["pause c"],
    phases={"a": "cooling", "c": "paused"},
    log={"request.end": 1},
)


def test_a_row_that_says_what_happens_passes(tmp_path: Path) -> None:
    play(RICH, tmp_path)


def asking(tries: str, **more: object) -> Mapping[str, object]:
    return {"acts": [ask(tries, **more), *RICH.acts[1:]]}


TRIES = "a:server_error a:quota_exhausted b:ok"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(asking("a:server_error b:ok"), id="fewer tries"),
        pytest.param(asking("a:timeout a:quota_exhausted b:ok"), id="another error"),
        pytest.param(asking("a:server_error a:quota_exhausted c:ok"), id="another profile"),
        pytest.param(asking(TRIES, status=502, outcome="failed"), id="another status"),
        pytest.param(asking(TRIES, outcome="failed"), id="another outcome"),
        pytest.param(asking(TRIES, failovers=2), id="more failovers"),
        pytest.param(asking(TRIES, retry_after=5), id="a time to come back"),
        pytest.param({"calls": {"a": 2, "b": 2}}, id="more calls"),
        pytest.param({"calls": {"a": 2}}, id="fewer calls"),
        pytest.param({"moves": []}, id="no failover"),
        pytest.param({"moves": ["a>b alone"]}, id="another kind of failover"),
        pytest.param({"quota": []}, id="no quota event"),
        pytest.param({"quota": ["a exhausted account inferred 601s"]}, id="a longer rest"),
        pytest.param({"rests": ["a account x"]}, id="a rest for a model"),
        pytest.param({"waits": []}, id="no wait"),
        pytest.param({"waits": ["a 6"]}, id="a longer wait"),
        pytest.param({"operators": []}, id="no operator event"),
        pytest.param({"phases": {"c": "paused"}}, id="another phase"),
        pytest.param({"log": {"request.end": 2}}, id="more lines in the log"),
        pytest.param({"also": cut_off}, id="what else is looked at"),
    ],
)
def test_a_row_that_says_anything_else_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Mapping[str, object]
) -> None:
    monkeypatch.setattr("tests.proxy.playing.PATIENCE_S", 0.2)
    with pytest.raises(AssertionError):
        play(replace(RICH, **wrong), tmp_path)
