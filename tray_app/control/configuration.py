"""What faces may ask about the settings file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tray_app.control.verbs import Refused
from tray_app.host import settings
from tray_app.host.home import write_private

STORE = "secrets.store"  # changing it moves the keys


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with the file."""

    path: str
    exists: bool
    faults: tuple[str, ...]


def check(path: Path) -> Checked:
    """Every fault of the file."""
    try:
        settings.load(path)
    except settings.Faulty as error:
        return Checked(str(path), path.exists(), tuple(str(fault) for fault in error.faults))
    return Checked(str(path), path.exists(), ())


def loaded(path: Path) -> settings.Settings:
    """The settings in force.

    Raises:
        Refused: the file has faults.
    """
    try:
        return settings.load(path)
    except settings.Faulty as error:
        raise Refused("conflict", str(error)) from error


def shown(path: Path) -> dict[str, object]:
    """All settings in force, by dotted key."""
    return _flat(msgspec.to_builtins(loaded(path)), "")


def _flat(table: dict[str, object], prefix: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def change(path: Path, key: str, text: str) -> None:
    """Change one setting, in the file.

    Raises:
        Refused: the value does not fit, or the file has faults; nothing was written.
    """
    try:
        settings.set_in_file(path, key, text)
    except settings.Faulty as error:
        raise Refused("bad_argument", "; ".join(str(fault) for fault in error.faults)) from error
    except OSError as error:
        raise Refused("unavailable", f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def undone_if_refused(path: Path) -> Iterator[None]:
    """The file is as it was if what was done with it is refused."""
    before = path.read_bytes() if path.exists() else None
    try:
        yield
    except Refused:
        with suppress(OSError):
            path.unlink(missing_ok=True) if before is None else write_private(path, before)
        raise
