"""The installed app as the set-up scripts see it: a command that is called and heard, and that may be broken."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_S = 60
LONG_S = 3600  # a history of some gigabytes is copied meanwhile
RUNNING, NOT_RUNNING = 0, 3  # exit codes of `o-switcher status`


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call led to. `why` is the last line of what it complained of."""

    code: int
    said: str
    why: str

    @property
    def good(self) -> bool:
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Installed:
    """A command of the app."""

    command: Path

    def call(self, *words: str, patience_s: float = PATIENCE_S) -> Answer:
        """Runs it with these words; nothing that goes wrong is raised."""
        try:
            done = subprocess.run(
                [str(self.command), *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=patience_s,
            )
        except subprocess.TimeoutExpired:
            return Answer(1, "", f"no answer within {patience_s:.0f} s")
        except OSError as error:
            return Answer(127, "", f"{self.command} does not start: {error.strerror}")
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        return Answer(done.returncode, done.stdout, lines[-1].removeprefix("o-switcher: "))

    def table(self, *words: str) -> list[dict[str, Any]]:
        """The rows that it prints as JSON; empty where there are none, or it cannot say."""
        rows = _json(self.call(*words, "--json"))
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def view(self, *words: str) -> dict[str, Any] | None:
        """The object that it prints as JSON; None where it refuses."""
        found = _json(self.call(*words, "--json"))
        return found if isinstance(found, dict) else None

    def works(self) -> bool:
        """Whether it starts at all: its Python, for example, may have been removed."""
        return self.call("--version").good

    def runs(self) -> bool:
        """Whether the app is running."""
        return self.call("status").code == RUNNING


def _json(answer: Answer) -> Any:
    if not answer.good:
        return None
    try:
        return json.loads(answer.said)
    except ValueError:
        return None
