"""Read other programs' files: ordinary ones of a sensible size only, and never as a fault of ours."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tray_app.agents.jsonc import parsed

MAX_FILE = 4 * 1024 * 1024
Table = dict[str, object]


def read(path: Path, limit: int = MAX_FILE) -> bytes:
    """The bytes of an ordinary file of at most that size.

    Raises:
        OSError, ValueError: it cannot be read, is no file (a pipe would keep us waiting), or is too long.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
        raise ValueError(f"{path} is no file, or too long")
    return path.read_bytes()


def read_jsonc(path: Path) -> Table:
    """The object in a JSON file, comments and trailing commas allowed; empty where there is none."""
    try:
        document = parsed(read(path))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def read_toml(path: Path) -> Table:
    """The tables of a TOML file; empty where there is none."""
    try:
        return tomllib.loads(read(path).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}


def tables(document: object) -> Iterator[tuple[str, Table]]:
    """The tables in `document` with their names; nothing where it is none itself."""
    if isinstance(document, dict):
        yield from ((str(key), value) for key, value in document.items() if isinstance(value, dict))


def texts(document: object) -> dict[str, str]:
    """The texts in `document` by their names."""
    if not isinstance(document, dict):
        return {}
    return {str(key): value for key, value in document.items() if isinstance(value, str)}
