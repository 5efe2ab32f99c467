"""com.canonical.dbusmenu: the menu's object on the bus.

Changes are pushed: texts and states by ItemsPropertiesUpdated, structure by one LayoutUpdated for each
parent whose children changed, since Plasma re-reads only the level named. AboutToShow therefore answers
"nothing to fetch"; after a "yes" Plasma would swallow that item's next LayoutUpdated.
An open menu is not restructured: XFCE would not resize it. The change waits until the menu has closed,
of which hosts made with libdbusmenu-gtk say nothing for the outermost menu: for that, a moment's patience.
Times to come are told anew when the menu opens, before the host is answered, and while it may be looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tray_app.faces.tray.bus import Bus
from tray_app.faces.tray.library import Click
from tray_app.faces.tray.menu import Item
from tray_app.faces.tray.menu_tree import LAYOUT, ROOT, Tree, chosen
from tray_app.faces.tray.objects import Body, CallError, Interface, Method, Property

INTERFACE = "com.canonical.dbusmenu"
PATH = "/MenuBar"
OPEN_SECONDS = 30.0  # a host that died with the menu open never says that it closed
GLANCE_SECONDS = 3.0  # a host that says only that it is about to show the menu
WATCHED_SECONDS = 120.0  # nobody reads a menu for longer without moving in it
_NO_SUCH_ITEM = "org.freedesktop.DBus.Error.InvalidArgs"

Later = Callable[[Callable[[], None]], None]


class MenuObject:
    """`later` runs work after the call in hand has been answered; `click` is told what was clicked.

    `opening` is called when a host begins to show the menu; it may call `update`.
    """

    def __init__(self, bus: Bus, later: Later, click: Click, opening: Callable[[], None]) -> None:
        self._bus = bus
        self._later = later
        self._click = click
        self._opening = opening
        self._tree = Tree()
        self._open: set[int] = set()
        self._waiting: tuple[Item, ...] | None = None
        self._waiting_since = 0.0
        self._glance_until = 0.0
        self._watched_until = 0.0
        bus.export(PATH, self._interface())

    @property
    def watched(self) -> bool:
        """Whether somebody may be reading the menu now."""
        return time.monotonic() < self._watched_until

    def update(self, items: tuple[Item, ...]) -> None:
        """Show a new version, and signal what changed."""
        now = time.monotonic()
        changes = self._tree.update(items, structure=not self._open and now >= self._glance_until)
        if changes.properties:
            self._emit("ItemsPropertiesUpdated", (list(changes.properties), []))
        for parent in changes.parents:
            self._emit("LayoutUpdated", (self._tree.revision, parent))
        if changes.held and self._waiting is None:
            self._waiting_since = now
        self._waiting = items if changes.held else None

    def seconds_held(self) -> float | None:
        """How long a change of structure may still wait; None when none does."""
        if self._waiting is None:
            return None
        until = self._waiting_since + OPEN_SECONDS if self._open else self._glance_until
        return max(0.0, until - time.monotonic())

    def release(self) -> None:
        """Take every menu for closed, and show what waited for that."""
        self._open.clear()
        self._glance_until = 0.0
        if self._waiting is not None:
            self.update(self._waiting)

    # calls

    def _get_layout(self, parent: int, depth: int, names: list[str]) -> Body:
        self._check(parent)
        return (self._tree.revision, self._tree.layout(parent, depth, names))

    def _get_group_properties(self, ids: list[int], names: list[str]) -> Body:
        nodes = self._tree.nodes
        asked = (nodes[id_] for id_ in ids or nodes if id_ in nodes)
        return ([(node.id, chosen(node.properties, names)) for node in asked],)

    def _get_property(self, id_: int, name: str) -> Body:
        self._check(id_)
        found = chosen(self._tree.nodes[id_].properties, [name])
        if name not in found:
            raise CallError(_NO_SUCH_ITEM, f"item {id_} has no {name}")
        return (found[name],)

    def _event(self, id_: int, event: str, _data: object, _timestamp: int) -> None:
        self._check(id_)
        match event:
            case "clicked":
                self._clicked(id_)
            case "opened":
                self._begins(id_)
                self._open.add(id_)
            case "closed":
                self._open.discard(id_)
                if id_ == ROOT:
                    self._watched_until = 0.0
                if not self._open and (id_ == ROOT or time.monotonic() >= self._glance_until):
                    self._later(self.release)

    def _event_group(self, events: list[tuple[int, str, object, int]]) -> Body:
        unknown = []
        for event in events:
            try:
                self._event(*event)
            except CallError:
                unknown.append(event[0])
        return (unknown,)

    def _about_to_show(self, id_: int) -> Body:
        self._check(id_)
        self._begins(id_)
        if id_ == ROOT:
            self._glance_until = time.monotonic() + GLANCE_SECONDS
        return (False,)

    def _begins(self, id_: int) -> None:
        """A menu is to be shown: what it tells of times must be true. A submenu of a menu being read is no news."""
        before, self._watched_until = self.watched, time.monotonic() + WATCHED_SECONDS
        if id_ == ROOT or not before:
            self._opening()

    def _about_to_show_group(self, ids: list[int]) -> Body:
        known = [id_ for id_ in ids if id_ in self._tree.nodes]
        for id_ in known:
            self._about_to_show(id_)
        return ([], [id_ for id_ in ids if id_ not in known])

    def _clicked(self, id_: int) -> None:
        """A click closes the menu, on every desktop."""
        item = self._tree.nodes[id_].item
        verb = item.verb if item is not None and item.enabled else None
        self._watched_until = 0.0
        if verb is not None:
            self._later(lambda: self._click(verb))
        self._later(self.release)

    def _check(self, id_: int) -> None:
        if id_ not in self._tree.nodes:
            raise CallError(_NO_SUCH_ITEM, f"there is no item {id_}")

    # the table

    def _emit(self, signal: str, body: Body) -> None:
        self._bus.emit(PATH, INTERFACE, signal, "".join(_SIGNALS[signal]), body)

    def _interface(self) -> Interface:
        return Interface(
            INTERFACE,
            {
                "GetLayout": Method(("i", "i", "as"), ("u", LAYOUT), self._get_layout),
                "GetGroupProperties": Method(("ai", "as"), ("a(ia{sv})",), self._get_group_properties),
                "GetProperty": Method(("i", "s"), ("v",), self._get_property),
                "Event": Method(("i", "s", "v", "u"), (), self._event),
                "EventGroup": Method(("a(isvu)",), ("ai",), self._event_group),
                "AboutToShow": Method(("i",), ("b",), self._about_to_show),
                "AboutToShowGroup": Method(("ai",), ("ai", "ai"), self._about_to_show_group),
            },
            {
                "Version": Property("u", lambda: 3),
                "TextDirection": Property("s", lambda: "ltr"),
                "Status": Property("s", lambda: "normal"),
                "IconThemePath": Property("as", list),
            },
            _SIGNALS,
        )


_SIGNALS = {
    "ItemsPropertiesUpdated": ("a(ia{sv})", "a(ias)"),
    "LayoutUpdated": ("u", "i"),
    "ItemActivationRequested": ("i", "u"),
}
