"""A menu as com.canonical.dbusmenu sees it: numbered nodes, and what changed between two versions.

Pure. Numbers are kept by an item's key *and form* for as long as the program runs, and never given
to another: Plasma fixes an item's form by its number, and a click may arrive for one shown a moment ago.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from tray_app.faces.tray.library import Menu, MenuItem
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
    item: MenuItem | None = None


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

    def update(self, menu: Iterable[MenuItem], *, structure: bool = True) -> Changes:
        """Take over a new version; without `structure` only what it says of items that are there already."""
        new = self._numbered(menu)
        old, both = self.nodes, self.nodes.keys() & new.keys()
        properties = tuple(
            (id_, changed) for id_ in both if (changed := _changed(old[id_].properties, new[id_].properties))
        )
        parents = tuple(sorted(id_ for id_ in both if old[id_].children != new[id_].children))
        if parents and not structure:
            kept = {id_: replace(new[id_], children=node.children) for id_, node in old.items() if id_ in both}
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

    def _numbered(self, menu: Iterable[MenuItem]) -> dict[int, Node]:
        nodes: dict[int, Node] = {}
        seen: dict[str, int] = {}

        def number(item: MenuItem, parent: str) -> int:
            key = _key(item, parent)
            seen[key] = again = seen.get(key, 0) + 1
            key = key if again == 1 else f"{key}#{again}"
            id_ = self._ids.setdefault((key, _form(item)), len(self._ids) + 1)
            children = tuple(number(child, key) for child in item.submenu or ())
            nodes[id_] = Node(id_, _properties(item), children, item)
            return id_

        top = tuple(number(item, "") for item in menu)
        return {ROOT: Node(ROOT, _ROOT_PROPERTIES, top), **nodes}


def chosen(properties: Properties, names: Collection[str]) -> dict[str, Variant]:
    """The properties asked for; none asked for means all."""
    return {name: value for name, value in properties.items() if not names or name in names}


_ROOT_PROPERTIES: Properties = {"children-display": ("s", "submenu")}


def _key(item: MenuItem, parent: str) -> str:
    """Items that are not of our making are known by where they stand and what they say."""
    if item is Menu.SEPARATOR:
        return f"{parent}/-"
    return getattr(item, "key", None) or f"{parent}/{item.text}"


def _form(item: MenuItem) -> str:
    """What may not change for one number."""
    if item is Menu.SEPARATOR:
        return "separator"
    if item.submenu is not None:
        return "submenu"
    if item.checked is None:
        return "plain"
    return "radio" if item.radio else "checkmark"


def _properties(item: MenuItem) -> Properties:
    form = _form(item)
    if form == "separator":
        return {"type": ("s", "separator")}
    properties: dict[str, Variant] = {
        "label": ("s", item.text.replace("_", "__")),  # one alone would mark a shortcut
        "enabled": ("b", bool(item.enabled)),
    }
    if form == "submenu":
        properties["children-display"] = ("s", "submenu")
    elif form != "plain":
        properties["toggle-type"] = ("s", form)
        properties["toggle-state"] = ("i", int(bool(item.checked)))
    return properties


def _changed(old: Properties, new: Properties) -> dict[str, Variant]:
    """The same form always has the same property names, so that none is ever taken away."""
    return {name: value for name, value in new.items() if old.get(name) != value}
