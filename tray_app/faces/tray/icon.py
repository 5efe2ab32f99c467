"""The artwork as pixels: drawn at four times the size asked for, then averaged down; kept once drawn.

Below the picture a bar tells how much quota is left; its edges lie on whole pixels, so that it is sharp at any size.
Pillow is imported when the first icon is really drawn: where no tray host ever comes, never.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tray_app.control.views import AppState
from tray_app.faces.tray.artwork import (
    AMBER,
    GREEN,
    GREY,
    RED,
    Arc,
    Disc,
    Line,
    Look,
    Point,
    Polygon,
    Shape,
    shapes,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIZES = (16, 22, 24, 32, 48, 64)  # what panels ask for, at one and at two times their height
SIGN_SIZE = 16  # beside an item of the menu
_FINER = 4
_TRACK = "70"  # how much of the bar's empty part is seen through: its alpha


@dataclass(frozen=True, slots=True)
class Picture:
    """The icon of one look, at whatever size is asked for. `tenths` of the quota are left; None: no bar."""

    look: Look | AppState
    tenths: int | None = None

    def image(self, size: int) -> Image:
        """RGBA, `size` by `size` pixels. Shared: not to be drawn upon."""
        return _image(self.look, self.tenths, size)

    def argb(self, size: int) -> bytes:
        """ARGB32 in network byte order, as StatusNotifierItem wants it."""
        return _argb(self.look, self.tenths, size)

    def png(self, size: int) -> bytes:
        """A PNG file, as menus want it."""
        return _png(self.look, self.tenths, size)


@lru_cache(maxsize=64)
def _image(look: Look | AppState, tenths: int | None, size: int) -> Image:
    from PIL import Image

    if tenths is None:
        return _drawn(look, size)
    height, gap = max(2, round(size * 0.14)), max(1, round(size * 0.05))
    body = size - height - gap
    whole = Image.new("RGBA", (size, size), (255, 255, 255, 0))
    whole.paste(_drawn(look, body), ((size - body) // 2, 0))
    _draw_bar(whole, tenths, height)
    return whole


def _draw_bar(whole: Image, tenths: int, height: int) -> None:
    """What is left, in the colour of how serious that is, on a track of its full length."""
    from PIL import ImageDraw

    draw, size = ImageDraw.Draw(whole), whole.width
    top, bottom = size - height, size - 1
    draw.rectangle((0, top, size - 1, bottom), fill=GREY + _TRACK)
    filled = max(1, round(size * tenths / 10)) if tenths else 0
    if filled:
        draw.rectangle((0, top, filled - 1, bottom), fill=_serious(tenths))


def _serious(tenths: int) -> str:
    if tenths > 2:
        return GREEN
    return AMBER if tenths > 1 else RED


def _drawn(look: Look | AppState, size: int) -> Image:
    from PIL import Image, ImageDraw

    scale = size * _FINER / 100
    board = Image.new("RGBA", (size * _FINER, size * _FINER), (255, 255, 255, 0))
    draw = ImageDraw.Draw(board)
    for shape in shapes(look):
        _draw(draw, shape, scale)
    return _shrunk(board)


@lru_cache(maxsize=64)
def _argb(look: Look | AppState, tenths: int | None, size: int) -> bytes:
    from PIL import Image

    red, green, blue, alpha = _image(look, tenths, size).split()
    return Image.merge("RGBA", (alpha, red, green, blue)).tobytes()


@lru_cache(maxsize=16)
def _png(look: Look | AppState, tenths: int | None, size: int) -> bytes:
    data = io.BytesIO()
    _image(look, tenths, size).save(data, "png")
    return data.getvalue()


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
