"""Numbers of menu items, and what changed between two versions: what keeps an open menu open."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from tests.faces.tray.statuses import NOON, many, paused, pinned, profile, status, three
from tray_app.control.views import Status
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.icon import SIGN_SIZE, Picture
from tray_app.faces.tray.menu import Item, Kind, face
from tray_app.faces.tray.menu_tree import ROOT, Changes, Tree


def menu(status: Status) -> tuple[Item, ...]:
    return face(status, NOON / 1000, local=time.gmtime).items


def tree(status: Status) -> Tree:
    one = Tree()
    one.update(menu(status))
    return one


def numbers(tree: Tree) -> dict[str, int]:
    return {node.item.key: node.id for node in tree.nodes.values() if node.item is not None}


def changed(changes: Changes) -> dict[int, dict[str, Any]]:
    return {id_: {name: value for name, (_, value) in all_.items()} for id_, all_ in changes.properties}


def test_an_update_that_changes_nothing_says_nothing() -> None:
    assert tree(three()).update(menu(three())) == Changes()


def test_a_new_text_is_a_property_of_the_same_number() -> None:
    one = tree(three())
    before = numbers(one)
    changes = one.update(menu(replace(three(), headline="other")))
    assert changed(changes) == {before["headline"]: {"label": "other"}}
    assert changes.parents == ()
    assert numbers(one) == before


def test_a_switch_changes_two_marks_and_texts_and_no_structure() -> None:
    first = status(profile("p-a", active=True), profile("p-b"), headline="h")
    second = status(profile("p-a"), profile("p-b", active=True), headline="h")
    one = tree(first)
    ids = numbers(one)
    changes = one.update(menu(second))
    assert changes.parents == ()
    assert changed(changes) == {
        ids["use:p-a"]: {"toggle-state": 0},
        ids["use:p-b"]: {"toggle-state": 1},
        ids["profile:p-a"]: {"label": "p-a: ready", "icon-data": Picture(Look.SPARE).png(SIGN_SIZE)},
        ids["profile:p-b"]: {"label": "p-b: serving", "icon-data": Picture(Look.READY).png(SIGN_SIZE)},
        ids["state:p-a"]: {"label": "ready"},
        ids["state:p-b"]: {"label": "serving"},
        ids["why"]: {"label": "stays in use as long as it can serve"},
    }


def test_a_new_profile_changes_the_one_level_that_lists_it() -> None:
    one = tree(many(2))
    ids = numbers(one)
    revision = one.revision
    changes = one.update(menu(many(3)))
    assert changes.parents == (ROOT,)
    assert one.revision == revision + 1
    assert numbers(one).items() >= ids.items()


def test_what_an_operator_does_changes_properties_and_moves_nothing() -> None:
    one = tree(many(2))
    ids = numbers(one)
    changes = one.update(menu(status(profile("openrouter-key00", active=True), paused(profile("openrouter-key01")))))
    assert changes.parents == ()
    told = changed(changes)
    assert told[ids["resume:openrouter-key01"]] == {"enabled": True}
    assert told[ids["pause:openrouter-key01"]] == {"enabled": False}
    changes = one.update(menu(pinned(many(2), "openrouter-key01")))
    assert changes.parents == ()
    assert changed(changes)[ids["unpin:openrouter-key01"]] == {"enabled": True}


def test_what_is_the_very_same_is_not_looked_at_again() -> None:
    one = tree(many(3))
    nodes, ids = dict(one.nodes), numbers(one)
    one.update(menu(replace(many(3), headline="new")))
    for name in ("use", "pin", "pause", "retry-now"):
        id_ = ids[f"{name}:openrouter-key01"]
        assert one.nodes[id_] is nodes[id_]


def test_a_number_is_never_given_to_another_item() -> None:
    one = tree(many(3))
    owners = {id_: key for key, id_ in numbers(one).items()}
    for count in (1, 5, 0, 2, 8):
        one.update(menu(many(count)))
        for key, id_ in numbers(one).items():
            assert owners.setdefault(id_, key) == key


def test_an_item_that_comes_back_has_its_old_number() -> None:
    one = tree(many(3))
    ids = numbers(one)
    one.update(menu(many(1)))
    one.update(menu(many(3)))
    assert numbers(one) == ids


def test_an_item_that_changes_its_form_gets_a_new_number() -> None:
    one = Tree()
    seen = set()
    for kind in (Kind.ACTION, Kind.CHECK, Kind.RADIO, Kind.SUBMENU):
        inner = (Item("inner", "inner", Kind.TEXT),)
        one.update((Item("same", "same", kind, children=inner if kind is Kind.SUBMENU else ()),))
        seen.add(numbers(one)["same"])
    assert len(seen) == 4


def test_underscores_are_doubled_so_that_none_becomes_a_shortcut() -> None:
    one = tree(status(profile("p-my_big_key")))
    label = one.nodes[numbers(one)["profile:p-my_big_key"]].properties["label"]
    assert label == ("s", "p-my__big__key: ready")


def test_a_held_update_changes_texts_and_keeps_the_structure() -> None:
    one = tree(many(2))
    shape = one.layout(ROOT, -1, ["type"])
    changes = one.update(menu(replace(many(3), headline="new")), structure=False)
    assert changes.held
    assert changed(changes) == {numbers(one)["headline"]: {"label": "new"}}
    assert one.layout(ROOT, -1, ["type"]) == shape
    released = one.update(menu(replace(many(3), headline="new")))
    assert not released.held
    assert released.parents == (ROOT,)


def test_a_held_update_without_new_structure_is_a_plain_one() -> None:
    one = tree(many(2))
    assert not one.update(menu(replace(many(2), headline="new")), structure=False).held


def test_a_layout_goes_as_deep_as_asked_and_tells_what_is_asked() -> None:
    one = tree(three())
    assert one.layout(ROOT, 0, [])[2] == []
    top = [child for _, child in one.layout(ROOT, 1, ["label"])[2]]
    assert all(not below for _, _, below in top)
    assert all(set(properties) <= {"label"} for _, properties, _ in top)
    whole = [child for _, child in one.layout(ROOT, -1, [])[2]]
    assert any(below for _, _, below in whole)
