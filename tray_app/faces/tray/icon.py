"""The artwork as pixels: drawn at four times the size asked for, then averaged down; kept once drawn.

Pillow is imported when the first icon is really drawn: where no tray host ever comes, never.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tray_app.control.views import AppState
from tray_app.faces.tray.artwork import Arc, Disc, Line, Point, Polygon, Shape, shapes

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIZES = (16, 22, 24, 32, 48, 64)  # what panels ask for, at one and at two times their height
_FINER = 4


@dataclass(frozen=True, slots=True)
class Picture:
    """The icon of one state, at whatever size is asked for."""

    state: AppState

    def image(self, size: int) -> Image:
        """RGBA, `size` by `size` pixels. Shared: not to be drawn upon."""
        return _image(self.state, size)

    def argb(self, size: int) -> bytes:
        """ARGB32 in network byte order, as StatusNotifierItem wants it."""
        return _argb(self.state, size)


@lru_cache(maxsize=64)
def _image(state: AppState, size: int) -> Image:
    from PIL import Image, ImageDraw

    scale = size * _FINER / 100
    board = Image.new("RGBA", (size * _FINER, size * _FINER), (255, 255, 255, 0))
    draw = ImageDraw.Draw(board)
    for shape in shapes(state):
        _draw(draw, shape, scale)
    return _shrunk(board)


@lru_cache(maxsize=64)
def _argb(state: AppState, size: int) -> bytes:
    from PIL import Image

    red, green, blue, alpha = _image(state, size).split()
    return Image.merge("RGBA", (alpha, red, green, blue)).tobytes()


def _shrunk(board: Image) -> Image:
    """Averaged down with colours weighted by their cover, or edges would mix in what is transparent."""
    return board.convert("RGBa").reduce(_FINER).convert("RGBA")


def _draw(draw: ImageDraw, shape: Shape, scale: float) -> None:
    match shape:
        case Disc(centre, radius, colour):
            draw.ellipse(_box(centre, radius, scale), fill=colour)
        case Polygon(points, colour):
            draw.polygon([(x * scale, y * scale) for x, y in points], fill=colour)
        case Line(start, end, width, colour):
            ends = [(x * scale, y * scale) for x, y in (start, end)]
            draw.line(ends, fill=colour, width=round(width * scale))
            for point in (start, end):
                draw.ellipse(_box(point, width / 2, scale), fill=colour)
        case Arc(centre, radius, width, start, end, colour):
            box = _box(centre, radius + width / 2, scale)
            draw.arc(box, start, end, fill=colour, width=round(width * scale))


def _box(centre: Point, radius: float, scale: float) -> tuple[float, float, float, float]:
    (x, y) = centre
    # Pillow counts the last pixel in
    return (
        (x - radius) * scale,
        (y - radius) * scale,
        (x + radius) * scale - 1,
        (y + radius) * scale - 1,
    )
