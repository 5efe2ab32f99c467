"""One app for each temper in a process, however many cases are played on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.faults.stage import Stage, staged

SILENCE_S = 1.2
TOTAL_S = 2.6  # of an answer that is not streamed: more than a drip takes


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An app with the usual timeouts: a busy machine changes nothing."""
    with staged(tmp_path_factory.mktemp("patient")) as stage:
        yield stage


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An app that bears no silence for long."""
    bounds = f"first_byte = {SILENCE_S}\nidle = {SILENCE_S}\ntotal_non_stream = {TOTAL_S}\n"
    with staged(tmp_path_factory.mktemp("impatient"), f"[timeouts]\n{bounds}") as stage:
        yield stage


@pytest.fixture(scope="session")
def unstitched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An app that does not go on with a stream that broke off."""
    with staged(tmp_path_factory.mktemp("unstitched"), '[streams]\ncontinue = "off"\n') as stage:
        yield stage
