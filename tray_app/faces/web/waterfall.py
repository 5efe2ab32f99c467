"""A request's steps as bars on one axis of time, in thousandths of its length. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tray_app.control.tracing import Kind, Step

WHOLE = 1000
LEAST = 4  # what is shorter would not be seen
TICKS = 6  # at most
_LEADS = (1, 2, 5)

_SHAPES = {
    Kind.QUEUED: "waiting",
    Kind.TURNED_AWAY: "off",
    Kind.CHOSEN: "ready",
    Kind.REST: "waiting",
    Kind.WAIT: "waiting",
    Kind.SWITCH: "switch",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A step and its place. `first` is how far into the bar its first byte came, `shape` a name in shapes.html."""

    step: Step
    start: int
    width: int
    first: int | None
    shape: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis."""

    ms: int
    at: int


def length_of(steps: Sequence[Step], took_ms: int | None, running_ms: int) -> int:
    """How long the axis is, in ms: the request's time and all of its steps; `running_ms` where it goes on."""
    ends = [step.after_ms + (step.took_ms if step.took_ms is not None else 0) for step in steps]
    return max(1, running_ms if took_ms is None else took_ms, *ends, 0)


def bars(steps: Sequence[Step], length: int) -> tuple[Bar, ...]:
    """Each step's bar; an instant is a mark, and what goes on reaches to the end."""
    return tuple(_bar(step, length) for step in steps)


def _bar(step: Step, length: int) -> Bar:
    start = min(max(step.after_ms, 0) * WHOLE // length, WHOLE - LEAST)
    took = max(length - step.after_ms, 0) if step.took_ms is None else step.took_ms
    width = min(max(took * WHOLE // length, LEAST), WHOLE - start)
    first = None if step.first_ms is None else min(step.first_ms * WHOLE // length, width)
    return Bar(step, start, width, first, _shape(step))


def _shape(step: Step) -> str:
    if step.kind in _SHAPES:
        return _SHAPES[step.kind]
    return "running" if step.well is None else "good" if step.well else "bad"


def ticks(length: int) -> tuple[Tick, ...]:
    """Round times on the axis, from 0 on."""
    step = next(lead * 10**power for power in range(15) for lead in _LEADS if length // (lead * 10**power) < TICKS)
    return tuple(Tick(ms, ms * WHOLE // length) for ms in range(0, length + 1, step))
