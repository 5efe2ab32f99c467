"""One app for each temper in a process, however many cases are played on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.faults.stage import Stage, staged

SILENCE_S = 1.2


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An app with the usual timeouts: a busy machine changes nothing."""
    with staged(tmp_path_factory.mktemp("patient")) as stage:
        yield stage


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An app that bears no silence for long."""
    bounds = f"first_byte = {SILENCE_S}\nidle = {SILENCE_S}\ntotal_non_stream = 30\n"
    with staged(tmp_path_factory.mktemp("impatient"), f"[timeouts]\n{bounds}") as stage:
        yield stage
