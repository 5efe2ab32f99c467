"""Be a user who may not do everything, even where the tests run as root."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65_534


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Without root's rights until the end; nothing changes for whoever has none."""
    if sys.platform == "win32":
        pytest.skip("rights are another matter here")
    if os.geteuid() != 0:
        yield
        return
    "x".encode("idna")  # what is loaded only when it is needed may not be readable any more then
    importlib.import_module("importlib.readers")
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A temporary folder that this user may enter with root's rights or without."""
    with tempfile.TemporaryDirectory(prefix="o-switcher-test-") as name:
        folder = Path(name)
        if sys.platform != "win32" and os.geteuid() == 0:
            os.chown(folder, NOBODY, -1)
        yield folder
