"""Every question of the documentation's page is asked of a history by SQLite's own program, and has an answer."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.ledger.past import make

PAGES = Path(__file__).parents[2] / "tray_app" / "docs"
QUESTION = re.compile(r"\n([^\n]+)\n\n```sql\n(.*?)```", re.DOTALL)
QUERIES = dict(QUESTION.findall((PAGES / "queries.md").read_text()))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty days of work, up to this moment."""
    path = tmp_path_factory.mktemp("page") / "history.db"
    assert make(path, 6000, round(time.time() * 1000)) >= 6000
    return path


def answered(history: Path, sql: str) -> list[dict[str, str]]:
    """What the program `sqlite3` prints for it, or its complaint."""
    program = shutil.which("sqlite3")
    assert program is not None, "install sqlite3, the command line's program"
    done = subprocess.run(
        [program, "-readonly", "-csv", "-header", history, sql], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_there_are_twenty_questions_and_more() -> None:
    assert len(QUERIES) >= 20


@pytest.mark.parametrize("title", QUERIES)
def test_each_question_has_an_answer(history: Path, title: str) -> None:
    assert answered(history, QUERIES[title])


def test_the_example_on_the_command_line_runs(history: Path) -> None:
    (line,) = re.findall(r"^sqlite3 .*$", (PAGES / "queries.md").read_text(), re.MULTILINE)
    done = subprocess.run(line, shell=True, cwd=history.parent, capture_output=True, text=True, check=False)  # noqa: S602 - as people do
    assert done.returncode == 0 and done.stdout.count("\n") > 20


def test_answers_are_right_where_they_can_be_checked(history: Path) -> None:
    def number(sql: str) -> float:
        ((value,),) = (row.values() for row in answered(history, sql))
        return float(value)

    days = answered(history, QUERIES["What did each of the last days cost, by profile?"].replace("LIMIT 30", ""))
    assert sum(float(row["usd"]) for row in days) == pytest.approx(number("SELECT sum(cost_usd) FROM attempt"), abs=2)
    saved = answered(history, QUERIES["How many requests were served only because another profile stepped in?"])
    by_hand = "SELECT count(*) FROM request WHERE outcome = 'served' AND failovers > 0"
    assert sum(int(row["stepped_in"]) for row in saved) == number(by_hand)
    health = answered(history, QUERIES["How is each profile now, and how were its last 24 hours?"])
    assert len(health) == number("SELECT count(*) FROM profile")
    (latest, *_) = answered(history, QUERIES["How did the latest of them go, call by call?"])
    assert latest["outcome"] == "failed" and latest["error_class"] == "rate_limited"


def test_the_schema_explains_itself(history: Path) -> None:
    """Whoever opens the file finds out from it what stands there."""
    found = "\n".join(row["sql"] for row in answered(history, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
    for words in (
        "whose token it came with",
        "as the provider said",
        "billionths of a US dollar",
        "-- The newest first",
    ):
        assert words in found
