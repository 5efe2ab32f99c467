"""What the icon looks like, as data: shapes on a 100 by 100 board, one set for each look.

Looks differ in outline and in the sign inside, so that they are told apart without colour. Every
colour stands out from a white panel and from a black one. The same shapes become pixels (`icon`)
and SVG (here), so the two cannot drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tray_app.control.views import AppState

Point = tuple[float, float]

WHITE = "#ffffff"
GREEN = "#12966a"
AMBER = "#c2780c"
RED = "#d8433c"
GREY = "#7c848e"
BLUE = "#4f7fc4"
VIOLET = "#a45bcb"
TEAL = "#118ca0"


class Look(StrEnum):
    """What the icon may look like: a state of the app, what passes, or a profile that only stands by."""

    READY = AppState.READY.value
    DEGRADED = AppState.DEGRADED.value
    EXHAUSTED = AppState.EXHAUSTED.value
    OFFLINE = AppState.OFFLINE.value
    PAUSED = AppState.PAUSED.value
    NEEDS_YOU = AppState.NEEDS_YOU.value
    SWITCHED = "switched"  # another profile has just taken over
    WAITING = "waiting"  # requests wait for a place, or the app for its start
    SPARE = "spare"  # for profiles in the menu


@dataclass(frozen=True, slots=True)
class Disc:
    centre: Point
    radius: float
    colour: str


@dataclass(frozen=True, slots=True)
class Polygon:
    points: tuple[Point, ...]
    colour: str


@dataclass(frozen=True, slots=True)
class Line:
    """A stroke with round ends."""

    start: Point
    end: Point
    width: float
    colour: str


@dataclass(frozen=True, slots=True)
class Arc:
    """A stroke along a circle, clockwise from `start` degrees (0 points right) to `end`."""

    centre: Point
    radius: float
    width: float
    start: float
    end: float
    colour: str


Shape = Disc | Polygon | Line | Arc

_MIDDLE: Point = (50, 50)


def _around(count: int, radius: float, turn: float) -> tuple[Point, ...]:
    """The corners of a regular polygon about the middle."""
    angles = (math.radians(turn + 360 * step / count) for step in range(count))
    return tuple((50 + radius * math.cos(angle), 50 + radius * math.sin(angle)) for angle in angles)


def _rounded(points: Sequence[Point], width: float, colour: str) -> tuple[Shape, ...]:
    """A polygon whose corners are rounded by a stroke along its edge."""
    edges = zip(points, (*points[1:], points[0]), strict=True)
    return (Polygon(tuple(points), colour), *(Line(start, end, width, colour) for start, end in edges))


def _ring(radius: float, width: float, colour: str) -> Arc:
    return Arc(_MIDDLE, radius, width, 0, 360, colour)


def _arrowhead(radius: float, angle: float, size: float, colour: str) -> Polygon:
    """The head of an arrow that runs clockwise along a circle and points on from `angle`."""
    turn = math.radians(angle)
    outward, onward = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    base = (50 + radius * outward[0], 50 + radius * outward[1])
    corners = ((outward, size), (outward, -size), (onward, 1.5 * size))
    return Polygon(tuple((base[0] + way[0] * by, base[1] + way[1] * by) for way, by in corners), colour)


_LOOKS: dict[Look, tuple[Shape, ...]] = {
    # a disc with an O: all is well
    Look.READY: (Disc(_MIDDLE, 47, GREEN), _ring(23, 14, WHITE)),
    # an arrow that points on: another one serves from now on
    Look.SWITCHED: (
        *_rounded(((8, 20), (56, 20), (91, 50), (56, 80), (8, 80)), 14, GREEN),
        Line((24, 34), (40, 50), 11, WHITE),
        Line((40, 50), (24, 66), 11, WHITE),
        Line((50, 34), (66, 50), 11, WHITE),
        Line((66, 50), (50, 66), 11, WHITE),
    ),
    # an hourglass
    Look.WAITING: (
        *_rounded(((22, 14), (78, 14), (50, 52)), 12, TEAL),
        *_rounded(((22, 86), (78, 86), (50, 48)), 12, TEAL),
        Line((16, 9), (84, 9), 14, TEAL),
        Line((16, 91), (84, 91), 14, TEAL),
        Polygon(((36, 24), (64, 24), (50, 43)), WHITE),
        Polygon(((50, 66), (68, 82), (32, 82)), WHITE),
    ),
    # an empty O: it could serve
    Look.SPARE: (_ring(37, 16, GREEN),),
    # a diamond whose O has become an arrow: some are out
    Look.DEGRADED: (
        *_rounded(_around(4, 42, 0), 14, AMBER),
        Arc(_MIDDLE, 18, 11, -15, 240, WHITE),
        _arrowhead(18, 240, 15, WHITE),
    ),
    # a stop sign with a bar: nothing left
    Look.EXHAUSTED: (
        *_rounded(_around(8, 44, 22.5), 8, RED),
        Line((30, 50), (70, 50), 15, WHITE),
    ),
    # a hollow O, struck through: no way out
    Look.OFFLINE: (_ring(37, 16, GREY), Line((14, 14), (86, 86), 15, GREY)),
    # a square with two bars
    Look.PAUSED: (
        *_rounded(((13, 13), (87, 13), (87, 87), (13, 87)), 18, BLUE),
        Line((37, 33), (37, 67), 14, WHITE),
        Line((63, 33), (63, 67), 14, WHITE),
    ),
    # a triangle with an exclamation mark
    Look.NEEDS_YOU: (
        *_rounded(((50, 13), (90, 85), (10, 85)), 17, VIOLET),
        Line((50, 38), (50, 58), 13, WHITE),
        Disc((50, 78), 7.5, WHITE),
    ),
}


def shapes(look: Look | AppState) -> tuple[Shape, ...]:
    """What is drawn, in painting order."""
    return _LOOKS[Look(look.value)]


def svg(look: Look | AppState) -> str:
    """A look as a complete SVG document."""
    body = "\n".join(f"  {_element(shape)}" for shape in shapes(look))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">\n{body}\n</svg>\n'


def _element(shape: Shape) -> str:
    match shape:
        case Disc((x, y), radius, colour):
            return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>'
        case Polygon(points, colour):
            corners = " ".join(f"{x:.5g},{y:.5g}" for x, y in points)
            return f'<polygon points="{corners}" fill="{colour}"/>'
        case Line((x1, y1), (x2, y2), width, colour):
            ends = f'x1="{x1:.5g}" y1="{y1:.5g}" x2="{x2:.5g}" y2="{y2:.5g}"'
            return f'<line {ends} stroke="{colour}" stroke-width="{width:g}" stroke-linecap="round"/>'
        case Arc((x, y), radius, width, start, end, colour) if end - start >= 360:
            stroke = f'fill="none" stroke="{colour}" stroke-width="{width:g}"'
            return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" {stroke}/>'
        case Arc((x, y), radius, width, start, end, colour):
            (x1, y1), (x2, y2) = (on_circle((x, y), radius, angle) for angle in (start, end))
            large = int(end - start > 180)
            path = f"M{x1:.5g} {y1:.5g}A{radius:g} {radius:g} 0 {large} 1 {x2:.5g} {y2:.5g}"
            return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def on_circle(centre: Point, radius: float, angle: float) -> Point:
    """The point of a circle at `angle` degrees, clockwise from the right."""
    turn = math.radians(angle)
    return (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn))
