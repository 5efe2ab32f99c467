"""A process that writes requests until it is killed. It prints the id of each request that it has settled."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from tests.ledger.facts import attempt_started, ended, id_of, served, started, switched
from tray_app.ledger import database
from tray_app.ledger.writer import Writer


async def work(folder: Path, first: int) -> None:
    path = folder / "history.db"
    writer = Writer(path, folder / "decisions.ndjson", database.open_for_writing(path, 1).connection)
    writer.start(asyncio.get_running_loop())

    async def client(lane: int) -> None:
        for number in range(first + lane, sys.maxsize, 4):
            facts = (switched if number % 3 else served)(number)
            for fact in facts[:3]:
                writer.record(fact)
            await asyncio.sleep(0.3 if lane == 0 else 0)  # written open, as a long answer is
            await writer.settled()
            for fact in facts[3:]:
                writer.record(fact)
            await writer.settled()
            print(id_of(number), flush=True)

    writer.record(started(first + 4_000_000))
    writer.record(attempt_started(first + 4_000_000))  # one that never ends
    writer.record(started(first + 4_000_001))
    writer.record(ended(first + 4_000_001))
    await asyncio.gather(*(client(lane) for lane in range(4)))


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2])), debug=False)
    time.sleep(60)
