"""What the history costs on the disk."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

from tests.ledger.facts import BACKUP, MAIN, T0, served, switched
from tray_app.core.values import Fact
from tray_app.ledger import batch, database

REQUESTS = 3000
BYTES_A_REQUEST = 450


def test_a_request_with_its_attempt_costs_a_few_hundred_bytes(history: Path) -> None:
    chance, at = random.Random(4), T0
    facts: list[Fact] = []
    for _ in range(REQUESTS):
        at += chance.randrange(60_000)
        facts += (switched if chance.random() < 0.05 else served)(chance.getrandbits(25), at)
    with closing(database.open_for_writing(history, 1).connection) as connection:
        batch.write(connection, facts, batch.Unfinished())
    assert history.stat().st_size / REQUESTS < BYTES_A_REQUEST
    assert MAIN.encode() in history.read_bytes() and BACKUP.encode() in history.read_bytes()
