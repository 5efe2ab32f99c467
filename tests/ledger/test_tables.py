"""The file as the migrations make it is the file that the tables describe, and the statements fit it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from tests.ledger.facts import EVERY_KIND
from tests.ledger.look import TABLES, VIEWED, ask, one
from tray_app.core.history import PastAttempt, PastFailover, PastRequest
from tray_app.ledger import batch, database, tables

# what people and SQL queries may rely on
PROMISED = {
    "profile": "id provider label account base_url key_fingerprint key_tail source priority admin_state created_at"
    " removed_at",
    "request": "id started_at ended_at client provider protocol path model stream outcome status_code profile_id attempts"
    " failovers wait_ms ttft_ms duration_ms request_bytes response_bytes input_tokens output_tokens cache_read_tokens"
    " cache_write_tokens reasoning_tokens cost_usd cost_source",
    "attempt": "id request_id seq profile_id model started_at ended_at status_code error_class error_scope error_code"
    " error_message retry_after_s ttft_ms duration_ms upstream_request_id outcome input_tokens output_tokens cost_usd",
    "failover": "id request_id at from_profile to_profile reason manual",
    "quota_event": "id at profile_id account scope kind limit_value remaining unit resets_at source",
    "segment": "id request_id seq attempt_id profile_id started_at ended_at chars overlap_dropped end",
    "operator_event": "id at actor verb profile_id detail",
    "usage_hour": "hour_at profile_id model client requests input_tokens output_tokens cost_usd latency_histogram",
}


@pytest.fixture
def migrated(history: Path) -> Iterator[sqlite3.Connection]:
    with closing(database.open_for_writing(history, 1).connection) as connection:
        yield connection


@pytest.fixture
def described(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A file made from SQLModel's metadata alone."""
    path = tmp_path / "described.db"
    engine = create_engine(f"sqlite:///{path}")
    SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables[name] for name in TABLES])
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def shape(connection: sqlite3.Connection, table: str) -> object:
    """Columns with type, nullability, default and place in the primary key; indices; with a rowid or without."""
    columns = {
        name: (re.sub("VARCHAR.*", "TEXT", kind), bool(not_null), default, key)
        for _, name, kind, not_null, default, key, _ in connection.execute(f"PRAGMA table_xinfo({table})")
    }
    indices = set()
    for _, name, unique, origin, partial in connection.execute(f"PRAGMA index_list({table})"):
        parts = tuple(row[2] for row in connection.execute(f"PRAGMA index_xinfo({name})") if row[5])
        named = name if origin == "c" else origin
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        where = sql[0].partition("WHERE")[2].strip() if partial and sql else ""
        indices.add((named, unique, parts, where))
    ((without_rowid,),) = connection.execute(
        "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", (table,)
    )
    return columns, indices, without_rowid


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 37), reason="table_list came with SQLite 3.37")
@pytest.mark.parametrize("table", TABLES)
def test_migrations_give_exactly_the_table_that_is_described(
    migrated: sqlite3.Connection, described: sqlite3.Connection, table: str
) -> None:
    assert shape(migrated, table) == shape(described, table)


def test_there_are_no_other_tables_on_either_side(migrated: sqlite3.Connection) -> None:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    assert {name for (name,) in migrated.execute(sql)} == set(TABLES)
    described = {row.__tablename__ for row in vars(tables).values() if hasattr(row, "__table__")}
    assert described == {*TABLES, *VIEWED}


@pytest.mark.parametrize("row", [tables.RequestRow, tables.AttemptRow], ids=VIEWED)
def test_the_views_have_exactly_the_columns_that_are_described(
    migrated: sqlite3.Connection, row: type[SQLModel]
) -> None:
    found = {column[1] for column in migrated.execute(f"PRAGMA table_info({row.__tablename__})")}
    assert found == set(row.model_fields)


@pytest.mark.parametrize(("table", "columns"), PROMISED.items(), ids=list(PROMISED))
def test_the_promised_columns_are_there(migrated: sqlite3.Connection, table: str, columns: str) -> None:
    found = {row[1] for row in migrated.execute(f"PRAGMA table_info({table})")}
    assert set(columns.split()) <= found


@pytest.mark.parametrize(
    ("value", "row"),
    [(PastRequest, tables.RequestRow), (PastAttempt, tables.AttemptRow), (PastFailover, tables.FailoverRow)],
    ids=["requests", "attempts", "failovers"],
)
def test_what_the_history_answers_has_its_columns(value: type, row: type[SQLModel]) -> None:
    assert {field.name for field in fields(value)} <= set(row.model_fields)


STATEMENTS = {
    name: sql
    for name, sql in vars(batch).items()
    if name.isupper() and not name.startswith("_") and isinstance(sql, str)
}


def test_every_statement_is_looked_at() -> None:
    assert len(STATEMENTS) == 20


@pytest.mark.parametrize("sql", STATEMENTS.values(), ids=list(STATEMENTS))
def test_each_statement_fits_the_tables(migrated: sqlite3.Connection, sql: str) -> None:
    plan = migrated.execute(f"EXPLAIN {sql}", ("0",) * sql.count("?")).fetchall()
    assert plan


@pytest.mark.parametrize("fact", EVERY_KIND, ids=lambda fact: type(fact).__name__)
def test_each_kind_of_fact_can_be_written_alone(migrated: sqlite3.Connection, fact: object) -> None:
    batch.write(migrated, [fact], batch.Unfinished())  # type: ignore[list-item]


def test_the_views_can_be_read(migrated: sqlite3.Connection, history: Path) -> None:
    batch.write(migrated, EVERY_KIND, batch.Unfinished())
    assert ask(history, "SELECT * FROM v_recent_requests")[0]["started_utc"] == "2025-10-09 09:00:00"
    daily = ask(history, "SELECT day_utc, requests, served FROM v_daily_usage")
    assert daily == [{"day_utc": "2025-10-09", "requests": 1, "served": 1}]
    assert ask(history, "SELECT * FROM v_profile_health") == []  # it was removed
    assert one(history, "SELECT removed_at FROM profile") is not None
