"""What several of the pages' tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import Rig, running, script_of


@pytest.fixture
def lively(tmp_path: Path) -> Iterator[Rig]:
    """An app to which something happens."""
    with running(tmp_path / "home", script_of(a='{do="ok"}', b='{do="ok"}')) as found:
        yield found
