"""The charts of the overview as data: what stands in their tables, and what `overview.js` draws. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlencode

from tray_app.control.views import ReportView, Selection
from tray_app.faces.web.report_formats import Formats

MOST_COLOURS = 8  # in a chart; report.css has as many
OTHERS = "…"

_PARAMETERS = {"days": "days", "first": "from", "last": "to"}


def series(view: ReportView, formats: Formats) -> dict[str, list[Any]]:
    """Columns by slot, in the order of time. None: there was nothing to measure."""
    slots = view.usage.slots
    return {
        "labels": [_label(view, formats, slot.at) for slot in slots],
        "served": [slot.sums.served for slot in slots],
        "rest": [slot.sums.requests - slot.sums.served for slot in slots],
        "failovers": [slot.sums.failovers for slot in slots],
        "costs": _columns([slot.costs for slot in slots], [name for name, _ in costly(view)]),
        "errors": _columns([slot.errors for slot in slots], [one.error_class for one in view.usage.faults]),
        "p50": [slot.latency.p50 for slot in slots],
        "p95": [slot.latency.p95 for slot in slots],
        "p99": [slot.latency.p99 for slot in slots],
    }


def costly(view: ReportView) -> list[tuple[str, float]]:
    """Profiles with what they are known to have cost, the dearest first."""
    known = [(name, sums.cost_usd) for name, sums in view.usage.profiles.items() if sums.cost_usd is not None]
    return sorted(known, key=lambda one: (-one[1], one[0]))


def _label(view: ReportView, formats: Formats, at: int) -> str:
    span = view.span
    if span.step != "hour":
        return formats.day(at)
    return formats.hour(at) if span.first == span.last else f"{formats.day(at)} {formats.hour(at)}"


def _columns(slots: Sequence[Mapping[str, float]], names: Sequence[str]) -> list[tuple[str, list[float]]]:
    """A column for each name; where there are many, the last is of the rest together."""
    alone = names if len(names) <= MOST_COLOURS else names[: MOST_COLOURS - 1]
    columns = [(name, [slot.get(name, 0) for slot in slots]) for name in alone]
    if len(alone) < len(names):
        rest = names[len(alone) :]
        columns.append((OTHERS, [sum(slot.get(name, 0) for name in rest) for slot in slots]))
    return columns


def link(selection: Selection, **other: str) -> str:
    """The address of the overview for that selection, with what is given in place of its own."""
    if other.keys() & {"days", "first", "last"}:
        selection = replace(selection, days="", first="", last="")
    asked = asdict(replace(selection, **other))
    return "/report?" + urlencode(
        {_PARAMETERS.get(name, name): value for name, value in asked.items() if value} or {"all": ""}
    )
