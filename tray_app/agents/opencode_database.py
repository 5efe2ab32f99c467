"""OpenCode 2.x: its credentials, which are rows of `opencode.db`. Opened read-only, and never waited for.

The table has changed before (`connector_id` became `integration_id`) and will again: columns are looked up by name,
and a table that cannot be understood holds nothing for us.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from tray_app.agents.found import LOGIN, Finding, Found, PassedOver, elsewhere, provider_at
from tray_app.agents.reading import Table
from tray_app.core.providers import BUILT_IN, Provider, canonical

NAME = "opencode.db"
PLACE = "OpenCode's opencode.db"
_OWNERS = ("integration_id", "connector_id", "provider_id", "provider")  # newest first
_STAMPS = ("rowid", "id", "time_updated")
_MOST = 1000  # rows: nobody has so many keys


def place(environ: Mapping[str, str], folder: Path) -> Path:
    """The database: in OpenCode's folder of data, or where `OPENCODE_DB` says."""
    return folder / (environ.get("OPENCODE_DB") or NAME)


def discover(path: Path, known: Mapping[str, Provider]) -> Iterator[Finding]:
    """The API keys in that database."""
    for provider, value, stamp in rows(path):
        if (finding := _finding(provider, value, stamp, known)) is not None:
            yield finding


def rows(path: Path) -> list[tuple[str, Table, str]]:
    """Each credential: whose it is, what it holds, and what changes when it is given again.

    Nothing where there is no such table.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - Path's own raises where it may not look
        return []
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=1)) as connection:
            return [one for row in _select(connection) if (one := _understood(*row)) is not None]
    except (sqlite3.Error, ValueError, OSError):
        return []


def _select(connection: sqlite3.Connection) -> list[tuple[object, object, object]]:
    columns = {row[1] for row in connection.execute("PRAGMA table_info(credential)")}
    owner = next((name for name in _OWNERS if name in columns), None)
    if owner is None or "value" not in columns:
        return []
    order = "time_created, rowid" if "time_created" in columns else "rowid"
    stamp = " || ' ' || ".join(name for name in _STAMPS if name in {"rowid", *columns})
    statement = f"SELECT {owner}, value, {stamp} FROM credential ORDER BY {order} LIMIT {_MOST}"  # noqa: S608 - own names
    return connection.execute(statement).fetchall()


def _understood(owner: object, value: object, stamp: object) -> tuple[str, Table, str] | None:
    if not isinstance(owner, str) or not isinstance(value, str | bytes):
        return None
    try:
        document = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # a later version may encrypt it
    return (owner, document, str(stamp)) if isinstance(document, dict) else None


def _finding(name: str, value: Table, stamp: str, known: Mapping[str, Provider]) -> Finding | None:
    if value.get("type") == "oauth":
        return PassedOver(name, PLACE, LOGIN)
    key = value.get("key")
    if value.get("type") not in ("key", "api") or not isinstance(key, str):
        return None
    url = _address(value)
    provider = canonical(name) if url is None else provider_at(url, known)
    if provider is None:
        return PassedOver(name, PLACE, elsewhere(str(url)))
    own = url if provider not in BUILT_IN else None
    return Found(provider, "opencode", PLACE, key.strip(), own, stamp=stamp)


def _address(value: Table) -> str | None:
    """Some logins say where the key goes: `metadata.baseURL`, or `baseURL` beside the key."""
    metadata = value.get("metadata")
    given = {**value, **metadata} if isinstance(metadata, dict) else value
    url = given.get("baseURL")
    return url if isinstance(url, str) else None
