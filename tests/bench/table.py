"""What was measured, as rows for people and for programs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """The same thing measured several times."""

    values: tuple[float, ...]
    unit: str

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        return f"{_short(self.median)} {self.unit}".rstrip()


@dataclass(frozen=True)
class Row:
    """A scenario. `ratio` is what the floor stands against; without one, O-Switcher's own figure is."""

    name: str
    own: Series
    nginx: Series | None = None
    ratio: Series | None = None
    floor: float | None = None
    note: str = ""

    @property
    def held(self) -> float:
        """The figure that the floor stands against."""
        return (self.ratio or self.own).median

    @property
    def ok(self) -> bool | None:
        """Whether the floor is kept; None where there is none."""
        return None if self.floor is None else self.held <= self.floor

    def cells(self) -> tuple[str, ...]:
        spread = self.ratio or self.own
        if self.ratio is not None or len(spread.values) > 1:
            between = f"{_short(spread.median)} [{_short(min(spread.values))}-{_short(max(spread.values))}]"
        else:
            between = ""
        verdict = {True: "ok", False: "OVER", None: ""}[self.ok]
        floor = "" if self.floor is None else f"{self.floor:g}"
        return self.name, str(self.nginx or ""), str(self.own), between, floor, verdict

    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            "scenario": self.name,
            "nginx": _document(self.nginx),
            "o_switcher": _document(self.own),
            "ratio": _document(self.ratio),
            "floor": self.floor,
            "ok": self.ok,
            "note": self.note,
        }


def _document(series: Series | None) -> dict[str, object] | None:
    if series is None:
        return None
    return {"median": series.median, "values": list(series.values), "unit": series.unit}


def _short(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 20 else f"{value:.2f}"


_TITLES = ("scenario", "nginx", "O-Switcher", "median [min-max]", "floor", "")


def text(rows: Iterable[Row]) -> str:
    """The table, with a line for each note."""
    rows = list(rows)
    lines = _aligned([_TITLES, *(row.cells() for row in rows)])
    lines.insert(1, "-" * max(map(len, lines)))
    notes = [f"{row.name}: {row.note}" for row in rows if row.note]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in cells) for place in range(len(_TITLES))]
    lines = []
    for row in cells:
        first, *others = (
            cell.ljust(width) if place == 0 else cell.rjust(width) for place, (cell, width) in _pairs(row, widths)
        )
        lines.append("  ".join([first, *others]).rstrip())
    return lines


def _pairs(row: Sequence[str], widths: Sequence[int]) -> Iterable[tuple[int, tuple[str, int]]]:
    return enumerate(zip(row, widths, strict=True))
