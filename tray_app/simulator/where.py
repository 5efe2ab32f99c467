"""Where in a TOML text a fault stands, as far as that can be told without a second parser."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_HEADER = re.compile(r"^\s*\[+\s*([\w.\"'-]+)\s*\]+")


@dataclass(frozen=True, slots=True)
class Spot:
    """A table of the script: the top, a single one, the nth of an array, or a step within one (both from 0)."""

    table: str = ""
    number: int | None = None
    step: int | None = None

    def at(self, step: int) -> Spot:
        return replace(self, step=step)

    def path(self, name: str) -> str:
        """As people count: `key[2].steps[1].do` is the second key's first step."""
        number = "" if self.number is None else f"[{self.number + 1}]"
        step = "" if self.step is None else f".steps[{self.step + 1}]"
        return f"{self.table}{number}{step}.{name}".lstrip(".")

    def line(self, text: str, name: str) -> int | None:
        """The line (from 1) of that name, else of the step or table that should hold it."""
        lines = text.splitlines()
        section = self._section(lines)
        if section is None:
            return None
        if self.step is not None:
            return self._step_line(lines, *section, name)
        return _assigned(lines, *section, name) or section[0] or None

    def _section(self, lines: list[str]) -> tuple[int, int] | None:
        """The table's lines: its header's number, which is the index of the line after, and its end.

        None for a table without a header of its own.
        """
        headers = [(n + 1, m[1]) for n, line in enumerate(lines) if (m := _HEADER.match(line))]
        if not self.table:
            return 0, headers[0][0] - 1 if headers else len(lines)
        mine = [number for number, name in headers if name == self.table]
        if (self.number or 0) >= len(mine):
            return None
        start = mine[self.number or 0]
        later = [n - 1 for n, name in headers if n > start and not name.startswith(f"{self.table}.")]
        return start, later[0] if later else len(lines)

    def _step_line(self, lines: list[str], start: int, end: int, name: str) -> int:
        step = self.step or 0
        heads = [n for n in range(start, end) if _HEADER.match(lines[n])]
        if step < len(heads):
            until = heads[step + 1] if step + 1 < len(heads) else end
            return _assigned(lines, heads[step] + 1, until, name) or heads[step] + 1
        first = _assigned(lines, start, end, "steps") or start
        braces = [n + 1 for n in range(first - 1, end) for _ in range(_opened(lines[n]))]
        return braces[step] if step < len(braces) else first


def _assigned(lines: list[str], start: int, end: int, name: str) -> int | None:
    wanted = re.compile(rf"^\s*[\"']?{re.escape(name)}[\"']?\s*(=|\.)")
    return next((n + 1 for n in range(start, end) if wanted.match(lines[n])), None)


def _opened(line: str) -> int:
    """How many inline tables begin on the line, strings and comments left aside."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", line).split("#")[0]
    return bare.count("{")
