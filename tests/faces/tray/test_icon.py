"""The icon: told apart without colour, seen on any panel, sharp at any size, no Pillow before it is drawn."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.faces.tray.desktop import draw_assets
from tray_app.control.views import AppState
from tray_app.faces.tray.artwork import AMBER, GREEN, RED, WHITE, Look, shapes, svg
from tray_app.faces.tray.icon import SIZES, Picture

ASSETS = Path(__file__).parents[3] / "assets"


@pytest.mark.parametrize("size", [*SIZES, 20, 44, 256])
@pytest.mark.parametrize("state", Look)
def test_each_state_is_drawn_at_the_size_asked_for(state: Look, size: int) -> None:
    image = Picture(state).image(size)
    assert (image.mode, image.size) == ("RGBA", (size, size))
    assert image.getchannel("A").getpixel((0, 0)) == 0, "the corner is transparent"


@pytest.mark.parametrize(("one", "other"), list(combinations(Look, 2)))
def test_two_states_differ_in_shape_alone_at_the_smallest_size(one: Look, other: Look) -> None:
    forms = [_form(Picture(state).image(16)) for state in (one, other)]
    difference = ImageChops.difference(*forms)
    differing = sum(count for value, count in enumerate(difference.histogram()) if value > 96)
    assert differing >= 16, "at least one pixel in sixteen is clearly another"


def _form(image: Image.Image) -> Image.Image:
    """What is left without colour: nothing, body or sign, as black, grey and white."""
    levels = image.convert("RGB").point(lambda value: 255 if value > 225 else 128).convert("L")
    return Image.composite(levels, Image.new("L", image.size, 0), image.getchannel("A"))


@pytest.mark.parametrize("panel", ["#ffffff", "#f2f2f2", "#2e3440", "#000000"])
@pytest.mark.parametrize("state", Look)
def test_the_body_of_each_icon_stands_out_from_the_panel(state: Look, panel: str) -> None:
    body = next(shape.colour for shape in shapes(state) if shape.colour != WHITE)
    assert _contrast(body, panel) >= 2.8


def _contrast(one: str, other: str) -> float:
    """As the Web Content Accessibility Guidelines define it; 3 is asked of icons."""
    dark, light = sorted(_luminance(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("tenths", "colour"), [(10, GREEN), (3, GREEN), (2, AMBER), (1, RED), (0, None)])
def test_the_bar_is_as_long_as_what_is_left_and_sharp(size: int, tenths: int, colour: str | None) -> None:
    image = Picture(Look.READY, tenths).image(size)
    row = [image.getpixel((x, size - 1)) for x in range(size)]
    filled = [pixel for pixel in row if pixel[3] == 255]
    assert len(filled) == (0 if colour is None else max(1, round(size * tenths / 10)))
    assert {"#{:02x}{:02x}{:02x}".format(*pixel[:3]) for pixel in filled} == ({colour} if colour else set())
    assert all(pixel[3] in (255, 0x70) for pixel in row), "every edge lies on a whole pixel"
    above = image.getchannel("A").crop((0, 0, size, size - max(2, round(size * 0.14)) - 1))
    assert above.getextrema() == (0, 255), "the picture stands above"


def test_a_bar_tells_looks_apart_no_less() -> None:
    for one, other in combinations(Look, 2):
        pictures = [_form(Picture(look, 5).image(16)) for look in (one, other)]
        assert ImageChops.difference(*pictures).getbbox() is not None


def test_pixels_are_given_as_argb_in_network_order() -> None:
    data = Picture(AppState.READY).argb(32)
    assert len(data) == 32 * 32 * 4
    assert data[:4] == bytes((0, *data[1:4])), "the first corner is transparent"
    edge = (16 * 32 + 2) * 4  # in the green rim, left of the middle
    assert data[edge : edge + 4] == bytes((255, 0x12, 0x96, 0x6A))


def test_edges_are_not_mixed_with_what_is_behind_them() -> None:
    for red, green, blue, alpha in Picture(AppState.READY).image(22).get_flattened_data():
        if 0 < alpha < 200:
            assert max(abs(red - 0x12), abs(green - 0x96), abs(blue - 0x6A)) < 24, "rims keep their colour"


def test_a_picture_is_drawn_once() -> None:
    assert Picture(AppState.PAUSED).image(22) is Picture(AppState.PAUSED).image(22)
    assert Picture(AppState.PAUSED).argb(22) is Picture(AppState.PAUSED).argb(22)


@pytest.mark.parametrize("state", Look)
def test_the_svg_has_every_shape(state: Look) -> None:
    root = ElementTree.fromstring(svg(state))  # noqa: S314  # our own text
    assert len(root) == len(shapes(state))


def test_the_files_in_assets_are_what_the_artwork_draws(tmp_path: Path) -> None:
    draw_assets(tmp_path)
    assert (ASSETS / "o-switcher.svg").read_text() == (tmp_path / "o-switcher.svg").read_text()
    with Image.open(ASSETS / "o-switcher.png") as kept, Image.open(tmp_path / "o-switcher.png") as new:
        assert kept.size == (256, 256)
        differences = ImageStat.Stat(ImageChops.difference(kept, new)).mean
        assert max(differences) < 1, "draw them anew: python -m tests.faces.tray.desktop --assets assets"


def test_pillow_is_not_imported_before_an_icon_is_drawn() -> None:
    code = (
        "import sys; import tray_app.faces.tray.app, tray_app.faces.tray.status_notifier;"
        "assert 'PIL' not in sys.modules;"
        "from tray_app.faces.tray.icon import Picture; from tray_app.control.views import AppState;"
        "Picture(AppState.READY).argb(16); assert 'PIL' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ASSETS.parent)
