"""What a long history costs: on the disk, and to ask.

`python -m tests.bench.history [--attempts N] [--file FILE] [--json FILE]` makes a history of the last 30 days, asks it,
prints a table, and exits 1 if a floor is missed. Times are of the processor, medians of several runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tests.bench import pages
from tests.bench.table import Row, Series, text
from tests.ledger.past import DAY_MS, make
from tray_app.core.history import Period, Wanted
from tray_app.ledger import database
from tray_app.ledger.queries import History
from tray_app.ledger.retention import Limits, Retention

MB_A_MILLION, REPORT_MS, LIST_MS, EXPORT_MB = 110.0, 50.0, 5.0, 60.0
RUNS, PAGE_RUNS = 15, 5
STEPS = 200  # of retention that are timed
SEARCHES = {
    "by a rare model and profile": Wanted(model="qwen/*", profile="openrouter-spare"),
    "by a client and profile": Wanted(client="claude-code", profile="anthropic-home"),
    "of what failed": Wanted(outcome="failed"),
    "of a model that nobody asks for": Wanted(model="nobody/*"),
    "from the middle on": Wanted(before="MIDDLE"),
}
_EXPORT = """
import sys, time; from pathlib import Path
from tray_app.control.archive import exported
began, rows = time.process_time(), 0
for page in exported(Path(sys.argv[1]), "attempts", "csv", {}):
    rows += page.rows
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(rows, peak, time.process_time() - began)
"""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 all floors kept, 1 one missed, 2 usage."""
    asked = _asked(arguments)
    with tempfile.TemporaryDirectory(prefix="o-switcher-history-") as folder:
        rows = list(measured(asked.file or Path(folder) / "history.db", asked.attempts))
    print(text(rows))
    if asked.json is not None:
        machine = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "processors": os.cpu_count()}
        document = {"attempts": asked.attempts, "machine": machine, "rows": [row.document() for row in rows]}
        asked.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if any(row.ok is False for row in rows) else 0


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.history", description=__doc__)
    parser.add_argument("--attempts", type=int, default=1_000_000, metavar="N", help="how long it is (1,000,000)")
    parser.add_argument("--file", type=Path, metavar="FILE", help="make it there, or ask the one that is there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


def measured(path: Path, attempts: int) -> Iterator[Row]:
    """Every row of the table."""
    now = round(time.time() * 1000)
    if not path.exists():
        began = time.process_time()
        make(path, attempts, now)
        spent = (time.process_time() - began) * 1e6 / attempts
        yield Row("making it: CPU an attempt", Series((spent,), "us"), note=f"{attempts:,} attempts in 30 days")
    _sum_up(path, now)
    yield from _disk(path)
    yield from _questions(path, now)
    yield from pages.measured(path, min(RUNS, PAGE_RUNS))
    yield from _way_out(path)
    yield from _retention(path, now)


def _sum_up(path: Path, now: int) -> None:
    """As the app does once a day."""
    with closing(database.open_for_writing(path, now).connection) as connection:
        going_on = Retention(Limits(36_500, 1 << 60), now)
        while going_on.step(connection):
            pass


def _disk(path: Path) -> Iterator[Row]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (count,) = connection.execute("SELECT count(*) FROM attempt").fetchone()
        parts = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY 1 ORDER BY 2 DESC LIMIT 6").fetchall()
    biggest = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts)
    share = path.stat().st_size / count
    yield Row("a million attempts on the disk", Series((share,), "MB"), floor=MB_A_MILLION, note=biggest)


def _questions(path: Path, now: int) -> Iterator[Row]:
    asked, since = History(path), (now // DAY_MS - 29) * DAY_MS

    def report() -> None:
        asked.usage(Period(since, since + 30 * DAY_MS), range(since, since + 30 * DAY_MS, DAY_MS))

    with closing(sqlite3.connect(path)) as connection:
        (hourly,) = connection.execute("SELECT count(*) FROM usage_hour").fetchone()
    note = f"sums, by day, profile and class; usage_hour has {hourly:,} rows"
    yield Row("30-day report: CPU", _timed(report), floor=REPORT_MS, note=note)
    yield Row("the last 100 requests: CPU", _timed(lambda: asked.recent(100)), floor=LIST_MS)
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT id FROM request_data WHERE id > ? LIMIT 1"
        low, high = connection.execute("SELECT min(id), max(id) FROM request_data").fetchone()
        (middle,) = connection.execute(sql, (low[:3] + "m" if low[:3] == high[:3] else high[:4],)).fetchone() or (high,)
    for name, wanted in SEARCHES.items():
        found = Wanted(before=middle) if wanted.before else wanted
        yield Row(f"100 requests {name}: CPU", _timed(lambda found=found: asked.recent(100, found)))  # type: ignore[misc]
    newest = asked.recent(1)[0].id
    yield Row("one request's trace: CPU", _timed(lambda: asked.trace(newest)))


def _timed(work: Callable[[], object]) -> Series:
    work()
    times = []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        times.append((time.process_time() - began) * 1000)
    return Series(tuple(times), "ms")


def _way_out(path: Path) -> Iterator[Row]:
    done = subprocess.run([sys.executable, "-c", _EXPORT, str(path)], capture_output=True, text=True, check=True)
    rows, peak, seconds = done.stdout.split()
    yield Row("export of all attempts: memory", Series((int(peak) * 1024 / 1e6,), "MB"), floor=EXPORT_MB)
    yield Row("export of all attempts: CPU a row", Series((float(seconds) * 1e6 / int(rows),), "us"))


def _retention(path: Path, now: int) -> Iterator[Row]:
    """How long whoever waits for a commit may have to wait for a step."""
    going_on, times = Retention(Limits(29, 1 << 60), now), []
    with closing(database.open_for_writing(path, now).connection) as connection:
        more = True
        while more and len(times) < STEPS:
            began = time.perf_counter()
            more = going_on.step(connection)
            times.append((time.perf_counter() - began) * 1000)
    yield Row("a step of retention: wall clock", Series(tuple(times), "ms"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
