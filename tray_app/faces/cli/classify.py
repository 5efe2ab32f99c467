"""Judge provider answers that were written down: JSON Lines in, JSON Lines out. Works without the app."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from tray_app.control.verbs import Refused
from tray_app.faces.cli.common import Starter

BATCH = 500  # lines that are written at once where nobody waits for them


def register(app: typer.Typer, _house: Starter) -> None:
    """Add this command to `app`."""

    @app.command()
    def classify(
        file: Annotated[
            str, typer.Argument(metavar="FILE|-", help="Answers, one JSON object a line; - or nothing: stdin.")
        ] = "-",
    ) -> None:
        """Say what answers of providers mean: class, scope, hint, action and why, one JSON object a line."""
        with _opened(file) as (lines, name):
            faults = _judge_all(lines, name, waited_for=file == "-")
        if faults:
            raise typer.Exit(1)


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO | Iterator[bytes], str]]:
    """The lines of `file` and what to call it.

    Raises:
        Refused: it cannot be read.
    """
    if file == "-":
        buffer = getattr(sys.stdin, "buffer", None)
        yield (buffer or (line.encode() for line in sys.stdin)), "stdin"
        return
    try:
        opened = Path(file).open("rb")  # noqa: SIM115 - closed below: what becomes of the lines may fail otherwise
    except OSError as error:
        raise Refused("bad_argument", f"{file} cannot be read: {error.strerror or error}") from error
    with opened:
        yield opened, file


def _judge_all(lines: BinaryIO | Iterator[bytes], name: str, *, waited_for: bool) -> int:
    """Write what each line means, in their order; how many could not be read. `waited_for`: each at once."""
    import msgspec

    from tray_app.core.corpus import BadLine, judge_line, read_line

    encoder = msgspec.json.Encoder()
    began, now_s = time.monotonic(), time.time()
    classes: Counter[str] = Counter()
    faults, ready = 0, []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            judged = judge_line(read_line(text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text), now_s)
        except BadLine as error:
            faults += 1
            print(f"o-switcher: {name}, line {number}: {error}", file=sys.stderr)
            continue
        if judged.id is None:
            judged.id = number
        classes[judged.cls] += 1
        ready.append(encoder.encode(judged))
        if waited_for or len(ready) >= BATCH:
            _write(ready)
    _write(ready)
    if sys.stderr.isatty():
        print(_summary(classes, faults, time.monotonic() - began), file=sys.stderr)
    return faults


def _write(ready: list[bytes]) -> None:
    if ready:
        sys.stdout.write((b"\n".join(ready) + b"\n").decode())
        sys.stdout.flush()
        ready.clear()


def _summary(classes: Counter[str], faults: int, seconds: float) -> str:
    """How many answers of which class, in how long."""
    counted = ", ".join(f"{count} {name}" for name, count in classes.most_common()) or "nothing"
    unread = f", {faults} unread" if faults else ""
    return f"{classes.total()} answers in {seconds:.1f} s: {counted}{unread}"
