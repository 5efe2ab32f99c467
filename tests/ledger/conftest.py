"""What the ledger's tests share: after each of them the file must be whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Where the ledger of this test is."""
    return tmp_path / "history.db"


@pytest.fixture(autouse=True)
def the_file_is_whole_in_the_end(tmp_path: Path) -> Iterator[None]:
    yield
    path = tmp_path / "history.db"
    if path.is_file():
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
