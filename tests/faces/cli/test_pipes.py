"""A reader that has seen enough, as `head` has: every command that prints ends quietly, and well."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.facts import T0, served
from tray_app.ledger import batch, database

ROOT = Path(__file__).parents[3]
COMMANDS = [
    ("--help",),
    ("--version",),
    ("history", "--limit", "500"),
    ("inspect", "1k7435pm000000"),
    ("export", "requests"),
    ("export", "attempts", "--format", "jsonl"),
    ("profiles", "list"),
    ("config", "show"),
    ("classify", str(ROOT / "tests" / "core" / "errors.jsonl")),
    ("doctor", "--json"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with enough in them to fill any pipe."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "config.toml").write_text('[secrets]\nstore = "file"\n[proxy]\nport = 0\n')
    facts = [fact for number in range(3000) for fact in served(number, T0 + number)]
    with closing(database.open_for_writing(folder / "history.db", 1).connection) as connection:
        batch.write(connection, facts, batch.Unfinished())
    return folder


@pytest.mark.parametrize(
    ("words", "reads"), [*((words, 0) for words in COMMANDS), (("export", "attempts"), 1), (("history", "--json"), 1)]
)
def test_a_reader_that_goes_is_no_failure(home: Path, words: tuple[str, ...], reads: int) -> None:
    command = [sys.executable, "-m", "tray_app", *words]
    environ = {**os.environ, "O_SWITCHER_HOME": str(home)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, cwd=ROOT) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(reads)
        process.stdout.close()
        said = process.stderr.read()
        code = process.wait(30)
    assert said == b""
    assert code == 0 or (words[0] == "doctor" and code == 1)  # what it has found is no matter of the pipe
