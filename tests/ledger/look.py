"""Look into a ledger from outside: by a connection of one's own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

PACKED = ("request_", "attempt_data", "attempt_kind", "attempt_fault")  # seen through the views
VIEWED = ("request", "attempt")
TABLES = (
    "profile",
    "request_data",
    "request_kind",
    "request_end",
    "attempt_data",
    "attempt_kind",
    "attempt_fault",
    "failover",
    "quota_event",
    "segment",
    "operator_event",
    "usage_hour",
    "usage_day",
    "fault_hour",
    "cooldown",
    "app_state",
    "unknown_answer",
    "attempt_usage",
)


def ask(source: Path | sqlite3.Connection, sql: str, *parameters: object) -> list[dict[str, Any]]:
    """The rows of an answer."""
    if isinstance(source, Path):
        with closing(sqlite3.connect(source, timeout=2)) as connection:
            return ask(connection, sql, *parameters)
    cursor = source.cursor()
    cursor.row_factory = sqlite3.Row
    return [dict(row) for row in cursor.execute(sql, parameters)]


def one(source: Path | sqlite3.Connection, sql: str, *parameters: object) -> Any:
    """The one value of an answer."""
    ((value,),) = (row.values() for row in ask(source, sql, *parameters))
    return value


def contents(source: Path | sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """All rows that people see, without the numbers that are given out in the order of writing."""
    found = {}
    for table in (*VIEWED, *(name for name in TABLES if not name.startswith(PACKED))):
        rows = ask(source, f"SELECT * FROM {table}")
        for row in rows:
            if isinstance(row.get("id"), int):
                del row["id"]
            row.pop("n", None)
        found[table] = sorted(rows, key=repr)
    return found
