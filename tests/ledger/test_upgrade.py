"""A file of each former version comes through the migrations with everything that was in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.facts import BACKUP, HOUR, MAIN, MODEL, T0, id_of, served
from tests.ledger.look import ask, one
from tray_app.ledger import batch, database
from tray_app.ledger.rebuild import rebuild

NEWEST = database.migrations()[-1][0]
PLAIN = 3  # the last version in which requests and attempts were plain tables
REQUESTS: list[dict[str, Any]] = [
    {
        "id": id_of(number, T0 + number * 1000),
        "started_at": T0 + number * 1000 + (7 if number == 5 else 0),
        "ended_at": None if number == 9 else T0 + number * 1000 + 900 + number % 4 + (90_000 if number == 6 else 0),
        "client": "codex" if number % 3 == 0 else "opencode",
        "provider": "openrouter" if number else None,
        "protocol": "openai_chat",
        "path": "/chat/completions",
        "model": None if number == 4 else MODEL,
        "stream": number % 2,
        "outcome": None if number == 9 else ("failed" if number in (3, 4) else "served"),
        "status_code": None if number == 9 else 200,
        "profile_id": None if number == 9 else (BACKUP if number % 5 == 0 else MAIN),
        "attempts": None if number == 9 else 1 + (number % 5 == 0),
        "failovers": None if number == 9 else int(number % 5 == 0),
        "wait_ms": None if number == 9 else 0,
        "ttft_ms": None if number in (3, 9) else 150,
        "duration_ms": None if number in (8, 9) else 900,
        "request_bytes": 1000 + number,
        "response_bytes": None if number == 9 else 5000,
        "input_tokens": None if number == 9 else 25_000,
        "cost_usd": (None, 0.0123, 1e-12, 1 / 3, 2.0)[number % 5],
        "cost_source": None if number in (0, 5, 9) else "provider",
        "reason": 'it\'s "odd"' if number == 3 else None,
    }
    for number in range(10)
]
ATTEMPTS: list[dict[str, Any]] = [
    {
        "request_id": request["id"],
        "seq": seq,
        "profile_id": BACKUP if seq == 2 else MAIN,
        "model": MODEL,
        "started_at": request["started_at"] + seq,
        "ended_at": request["ended_at"],
        "outcome": request["outcome"] and ("failed" if seq < (request["attempts"] or 1) else "served"),
        "status_code": 429 if seq < (request["attempts"] or 1) else 200,
        "error_class": "rate_limited" if seq < (request["attempts"] or 1) else None,
        "error_message": "slow down" if seq < (request["attempts"] or 1) else None,
        "retry_after_s": 12.5 if seq < (request["attempts"] or 1) else None,
        "ttft_ms": request["ttft_ms"],
        "duration_ms": request["duration_ms"],
        "upstream_request_id": f"gen-{request['id']}",
        "cost_usd": request["cost_usd"],
        "reason": None,
    }
    for request in REQUESTS
    for seq in range(1, (request["attempts"] or 1) + 1)
]


def old_file(path: Path, version: int) -> None:
    """A file as that version left it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, 0, min(version, PLAIN))
        for table, rows in (("request", REQUESTS), ("attempt", ATTEMPTS)):
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
        connection.execute("INSERT INTO failover VALUES (1, ?, ?, ?, ?, 'why', 0)", (id_of(0), T0, MAIN, BACKUP))
        connection.execute("INSERT INTO segment VALUES (1, ?, 1, 2, ?, ?, ?, 3, 0, 'done')", (id_of(0), MAIN, T0, T0))
        if version >= 3:
            connection.execute("INSERT INTO attempt_usage VALUES (2, '{}')")
        migrate(connection, PLAIN, version)


def migrate(connection: sqlite3.Connection, after: int, upto: int) -> None:
    for number, sql in database.migrations():
        if after < number <= upto:
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")


def seen(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What people see, but for the calls' own numbers."""
    found = {
        table: ask(path, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in ("request", "attempt", "failover")
    }
    found["attempt"].sort(key=lambda row: (row["request_id"], row["seq"]))
    for row in found["attempt"]:
        del row["id"]
        row.setdefault("chunks", None)
    return found


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_everything_comes_through(history: Path, version: int) -> None:
    old_file(history, version)
    before = seen(history)
    with closing(sqlite3.connect(history, isolation_level=None)) as connection:
        migrate(connection, version, NEWEST)
    assert seen(history) == before
    assert one(history, "SELECT attempt_id FROM segment") == f"{id_of(0)}-2"
    if version >= 3:
        assert ask(history, "SELECT attempt_id, usage FROM attempt_usage") == [
            {"attempt_id": f"{id_of(0)}-2", "usage": "{}"}
        ]


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_the_app_goes_on_with_an_old_file_and_keeps_a_copy(history: Path, version: int) -> None:
    old_file(history, version)
    before = seen(history)
    opened = database.open_for_writing(history, T0)
    with closing(opened.connection) as connection:
        assert opened.moved_aside is None
        batch.write(connection, served(77, T0 + HOUR), batch.Unfinished())
    copy = history.with_name(f"history.before-schema-{version + 1}.db")
    assert seen(copy) == before
    assert one(history, "PRAGMA user_version") == NEWEST
    (left_open,) = ask(history, "SELECT outcome, reason FROM request WHERE id = ?", REQUESTS[9]["id"])
    assert left_open == {"outcome": "interrupted", "reason": "the app ended before the answer did"}
    assert one(history, "SELECT count(*) FROM request") == 11
    failed = ask(history, "SELECT * FROM fault_hour ORDER BY 1, 2, 3, 4, 5")
    assert sum(row["failovers"] for row in failed) == 2
    assert rebuild(history, T0 + 3 * HOUR) >= 1
    assert ask(history, "SELECT * FROM fault_hour ORDER BY 1, 2, 3, 4, 5") == failed
    assert one(history, "SELECT sum(requests) FROM usage_hour") == 11


def test_an_old_file_without_requests_is_as_good_as_a_new_one(history: Path) -> None:
    with closing(sqlite3.connect(history, isolation_level=None)) as connection:
        migrate(connection, 0, PLAIN)
    database.open_for_writing(history, T0).connection.close()
    assert seen(history) == {"request": [], "attempt": [], "failover": []}
