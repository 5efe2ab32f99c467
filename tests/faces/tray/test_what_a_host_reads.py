"""What a tray host reads of the icon and its menu, over a real bus. One tray serves all these tests."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.faces.tray.child import Runner
from tests.faces.tray.desk import DAEMON, ITEM, ITEM_PATH, MENU, MENU_PATH, CallFailed, Daemon, Desk, until
from tray_app.control.views import AppState
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.icon import SIZES, Picture

PROPERTIES = f"{DAEMON}.Properties"


@pytest.fixture(scope="module")
def desk(daemon: Daemon) -> Iterator[Desk]:
    desk, runner = Desk(daemon), Runner(daemon.environ)
    profiles = [{"id": "openrouter-a", "active": True}, {"id": "openrouter-b"}]
    runner.tell(status={"profiles": profiles, "headline": "openrouter-a is serving"})
    desk.host()
    until(lambda: "openrouter-b: ready" in desk.labels(), "the profiles are not shown")
    yield desk
    runner.tell(stop="the tests are over")
    assert runner.finish() == (0, "")
    desk.close()


def test_a_host_finds_everything_it_needs_with_the_type_it_needs(desk: Desk) -> None:
    types = {
        "Category": ("s", "ApplicationStatus"),
        "Id": ("s", "o-switcher"),
        "Title": ("s", "O-Switcher"),
        "Status": ("s", "Active"),
        "IconName": ("s", ""),
        "ItemIsMenu": ("b", False),
        "Menu": ("o", MENU_PATH),
        "WindowId": ("i", 0),
    }
    assert {name: desk.variant(name) for name in types} == types


def test_all_properties_can_be_read_at_once(desk: Desk) -> None:
    everything = desk.properties()
    assert everything["ToolTip"] == ("", [], "O-Switcher", "openrouter-a is serving\n2 of 2 profiles ready")
    assert everything["Menu"] == MENU_PATH


def test_the_icon_comes_as_pixels_in_every_size(desk: Desk) -> None:
    pixmaps = desk.property("IconPixmap")
    assert [(width, height) for width, height, _ in pixmaps] == [(size, size) for size in SIZES]
    picture = Picture(AppState.NEEDS_YOU)
    assert [data for _, _, data in pixmaps] == [picture.argb(size) for size in SIZES]


def test_the_menu_says_who_it_is(desk: Desk) -> None:
    (values,) = desk.call(desk.item(), MENU_PATH, PROPERTIES, "GetAll", "s", MENU)
    assert values == {
        "Version": ("u", 3),
        "TextDirection": ("s", "ltr"),
        "Status": ("s", "normal"),
        "IconThemePath": ("as", []),
    }


@pytest.mark.parametrize("path", ["/", ITEM_PATH, MENU_PATH])
def test_introspection_is_answered_and_keeps_quiet_about_activate(desk: Desk, path: str) -> None:
    (text,) = desk.call(desk.item(), path, f"{DAEMON}.Introspectable", "Introspect")
    root = ElementTree.fromstring(text)  # noqa: S314  # our own text
    assert f"{DAEMON}.Introspectable" in [one.get("name") for one in root.iter("interface")]
    assert "Activate" not in [one.get("name") for one in root.iter("method")]


def test_introspection_describes_the_menu_as_its_specification_does(desk: Desk) -> None:
    (text,) = desk.call(desk.item(), MENU_PATH, f"{DAEMON}.Introspectable", "Introspect")
    layout = ElementTree.fromstring(text).find(f"interface[@name='{MENU}']/method[@name='GetLayout']")  # noqa: S314  # our own text
    assert layout is not None
    arguments = [(argument.get("type"), argument.get("direction")) for argument in layout]
    assert arguments == [("i", "in"), ("i", "in"), ("as", "in"), ("u", "out"), ("(ia{sv}av)", "out")]


def test_items_can_be_read_in_groups_and_one_by_one(desk: Desk) -> None:
    one, other = desk.find("Use openrouter-a"), desk.find("Start at login")
    (group,) = desk.ask_menu("GetGroupProperties", "aias", [one.id, other.id, 4711], ["label"])
    assert dict(group) == {
        one.id: {"label": ("s", "Use openrouter-a")},
        other.id: {"label": ("s", "Start at login")},
    }
    assert desk.ask_menu("GetProperty", "is", one.id, "toggle-state") == (("i", 1),)
    (everything,) = desk.ask_menu("GetGroupProperties", "aias", [], [])
    assert {id_ for id_, _ in everything} == {line.id for line in desk.menu().walk()}


def test_a_part_of_the_layout_can_be_read(desk: Desk) -> None:
    parent = desk.find("About O-Switcher")
    _, (id_, _, children) = desk.ask_menu("GetLayout", "iias", parent.id, 1, ["label"])
    assert id_ == parent.id
    assert [child[1]["label"][1] for _, child in children][:2] == ["O-Switcher 1.0.0", "http://127.0.0.1:4417"]


def test_a_profile_has_a_picture_beside_it_that_tells_its_state(desk: Desk) -> None:
    for name, look in (("openrouter-a:", Look.READY), ("openrouter-b:", Look.SPARE)):
        (kind, data) = desk.ask_menu("GetProperty", "is", desk.find(name).id, "icon-data")[0]
        assert kind == "ay"
        assert Image.open(io.BytesIO(bytes(data))).tobytes() == Picture(look).image(16).tobytes()


@pytest.mark.parametrize(
    ("path", "interface", "member", "signature", "body", "error"),
    [
        (MENU_PATH, MENU, "Explode", None, (), "UnknownMethod"),
        ("/nowhere", ITEM, "Activate", "ii", (0, 0), "UnknownMethod"),
        (MENU_PATH, MENU, "GetLayout", "s", ("0",), "InvalidArgs"),
        (MENU_PATH, MENU, "GetLayout", "iias", (4711, -1, []), "InvalidArgs"),
        (MENU_PATH, MENU, "AboutToShow", "i", (4711,), "InvalidArgs"),
        (MENU_PATH, MENU, "GetProperty", "is", (0, "weight"), "InvalidArgs"),
        (ITEM_PATH, PROPERTIES, "Get", "ss", (ITEM, "Weight"), "UnknownProperty"),
        (ITEM_PATH, PROPERTIES, "Set", "ssv", (ITEM, "Title", ("s", "mine")), "PropertyReadOnly"),
    ],
)
def test_a_wrong_call_gets_its_error_and_does_no_harm(
    desk: Desk, path: str, interface: str, member: str, signature: str, body: Any, error: str
) -> None:
    with pytest.raises(CallFailed) as caught:
        desk.call(desk.item(), path, interface, member, signature, *body)
    assert caught.value.name == f"{DAEMON}.Error.{error}"
    assert desk.labels()


def test_a_call_without_an_interface_finds_its_method(desk: Desk) -> None:
    assert desk.call(desk.item(), MENU_PATH, None, "AboutToShow", "i", 0) == (False,)


def test_a_ping_is_answered(desk: Desk) -> None:
    assert desk.call(desk.item(), "/anywhere", f"{DAEMON}.Peer", "Ping") == ()
