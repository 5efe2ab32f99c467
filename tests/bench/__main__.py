"""How dear O-Switcher is beside nginx doing the same work.

`python -m tests.bench [--quick] [--json FILE]` measures, prints a table, and exits 1 if a floor is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import nginx, scenarios, table
from tests.bench.processes import Failed


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 all floors kept, 1 one missed or the run failed, 2 usage."""
    asked = _asked(arguments)
    began = time.monotonic()
    try:
        nginx.program()
        rows = _measured(scenarios.QUICK if asked.quick else scenarios.Sizes())
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    print(table.text(rows))
    if asked.json is not None:
        asked.json.write_text(json.dumps(_document(rows, asked.quick, time.monotonic() - began), indent=1) + "\n")
    missed = [row.name for row in rows if row.ok is False]
    return 1 if missed and not asked.quick else 0


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run everything once and shortly; floors do not count")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


def _measured(sizes: scenarios.Sizes) -> list[table.Row]:
    with tempfile.TemporaryDirectory(prefix="o-switcher-bench-") as folder:
        return list(scenarios.run(Path(folder), sizes, _say))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _document(rows: Sequence[table.Row], quick: bool, took_s: float) -> dict[str, object]:
    machine = {"python": platform.python_version(), "system": platform.platform(), "processors": os.cpu_count()}
    return {"quick": quick, "took_s": round(took_s, 1), "machine": machine, "rows": [row.document() for row in rows]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
