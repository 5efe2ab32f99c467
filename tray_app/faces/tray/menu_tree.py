"""A menu as com.canonical.dbusmenu sees it: numbered nodes, and what changed between two versions.

Pure, save that a picture is drawn when a desktop is told of it. Numbers are kept by an item's key *and form* for
as long as the program runs, and never given to another: Plasma fixes an item's form by its number, and a click may
arrive for one shown a moment ago. An item that is the very one from before keeps its node: most of a big menu is
never looked at again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.icon import SIGN_SIZE, Picture
from tray_app.faces.tray.menu import Item, Kind
from tray_app.faces.tray.objects import Variant

Properties = Mapping[str, Variant]
Layout = tuple[int, dict[str, Variant], list[Variant]]

ROOT = 0
LAYOUT = "(ia{sv}av)"


@dataclass(frozen=True, slots=True)
class Node:
    id: int
    properties: Properties
    children: tuple[int, ...] = ()
    item: Item | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a desktop must be told. `held` says that structure has changed too, but was left as it was."""

    properties: tuple[tuple[int, dict[str, Variant]], ...] = ()
    parents: tuple[int, ...] = ()
    held: bool = False


class Tree:
    """The version that desktops have been told of."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {ROOT: Node(ROOT, _ROOT_PROPERTIES)}
        self.revision = 1
        self._ids: dict[tuple[str, str], int] = {}

    def update(self, menu: Iterable[Item], *, structure: bool = True) -> Changes:
        """Take over a new version; without `structure` only what it says of items that are there already."""
        new, old = self._numbered(menu), self.nodes
        both = [id_ for id_, node in new.items() if id_ in old and old[id_] is not node]
        properties = tuple(
            (id_, changed) for id_ in both if (changed := _changed(old[id_].properties, new[id_].properties))
        )
        parents = tuple(sorted(id_ for id_ in both if old[id_].children != new[id_].children))
        if parents and not structure:
            kept = {id_: replace(new[id_], children=old[id_].children) for id_ in both}
            self.nodes = {**old, **kept}
            return Changes(properties, held=True)
        self.nodes = new
        self.revision += bool(parents)
        return Changes(properties, parents)

    def layout(self, id_: int, depth: int, names: Collection[str]) -> Layout:
        """A node and what is below it, `depth` levels down, -1 for all. Raises KeyError."""
        node = self.nodes[id_]
        below = node.children if depth else ()
        children: list[Variant] = [(LAYOUT, self.layout(child, depth - 1, names)) for child in below]
        return (id_, chosen(node.properties, names), children)

    def _numbered(self, menu: Iterable[Item]) -> dict[int, Node]:
        nodes: dict[int, Node] = {}
        old, ids = self.nodes, self._ids

        def number(item: Item) -> int:
            form = _FORMS[item.kind]
            id_ = ids.setdefault((item.key, form), len(ids) + 1)
            before = old.get(id_)
            if before is not None and before.item is item and not item.children:
                nodes[id_] = before
                return id_
            children = tuple(map(number, item.children))
            properties = _properties(item, form)
            if before is not None and before.children == children and before.properties == properties:
                nodes[id_] = replace(before, item=item) if before.item is not item else before
            else:
                nodes[id_] = Node(id_, properties, children, item)
            return id_

        top = tuple(map(number, menu))
        return {ROOT: Node(ROOT, _ROOT_PROPERTIES, top), **nodes}


def chosen(properties: Properties, names: Collection[str]) -> dict[str, Variant]:
    """The properties asked for; none asked for means all."""
    return {name: _told(value) for name, value in properties.items() if not names or name in names}


def _told(value: Variant) -> Variant:
    """A look as the picture that it stands for."""
    return ("ay", Picture(value[1]).png(SIGN_SIZE)) if isinstance(value[1], Look) else value


_ROOT_PROPERTIES: Properties = {"children-display": ("s", "submenu")}

_FORMS = {  # what may not change for one number
    Kind.TEXT: "plain",
    Kind.ACTION: "plain",
    Kind.RADIO: "radio",
    Kind.CHECK: "checkmark",
    Kind.SUBMENU: "submenu",
    Kind.SEPARATOR: "separator",
}


def _properties(item: Item, form: str) -> Properties:
    if form == "separator":
        return {"type": ("s", "separator")}
    properties: dict[str, Variant] = {
        "label": ("s", item.label.replace("_", "__")),  # one alone would mark a shortcut
        "enabled": ("b", item.enabled),
    }
    if item.sign is not None:
        properties["icon-data"] = ("ay", item.sign)
    if form == "submenu":
        properties["children-display"] = ("s", "submenu")
    elif form != "plain":
        properties["toggle-type"] = ("s", form)
        properties["toggle-state"] = ("i", int(item.checked))
    return properties


def _changed(old: Properties, new: Properties) -> dict[str, Variant]:
    """An item of one key always has the same property names, so that none is ever taken away."""
    return {name: _told(value) for name, value in new.items() if old.get(name) != value}
