"""pystray, imported the one way that is safe on each system, and its menu built from our items.

On Linux pystray would pick a backend by trying GTK and Xlib, and raises where there is no display.
We bring our own there, so the choice is taken out of its hands before it is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

from tray_app.faces.tray.menu import Item, Kind, Verb

if sys.platform not in ("darwin", "win32"):
    _asked = os.environ.get("PYSTRAY_BACKEND")
    os.environ["PYSTRAY_BACKEND"] = "dummy"
    try:
        import pystray  # noqa: F401
    finally:  # programs we start, such as the browser, keep the user's own choice
        if _asked is None:
            del os.environ["PYSTRAY_BACKEND"]
        else:
            os.environ["PYSTRAY_BACKEND"] = _asked

from pystray._base import Icon as BaseIcon
from pystray._base import Menu, MenuItem

__all__ = ["BaseIcon", "Click", "Menu", "MenuItem", "build", "default_verb"]

Click = Callable[[Verb], None]
Action = Callable[[object, object], None]


def default_verb(items: Iterable[Item]) -> Verb | None:
    """What a left click on the icon itself asks for."""
    return next((item.verb for item in items if item.default), None)


def build(items: Iterable[Item], click: Click, *, default: bool = True, ampersands: bool = False) -> Menu:
    """Our items as a pystray menu.

    `default` False leaves out the mark of what a left click does, for systems where it opens the menu.
    `ampersands` True doubles them, for systems where one marks the next letter as a shortcut.
    """

    def one(item: Item) -> MenuItem:
        if item.kind is Kind.SEPARATOR:
            return Menu.SEPARATOR
        label = item.label.replace("&", "&&") if ampersands else item.label
        checkable = item.kind in (Kind.RADIO, Kind.CHECK)
        return MenuItem(  # type: ignore[no-untyped-call]
            label,
            submenu(item.children) if item.kind is Kind.SUBMENU else _action(item, click),
            checked=(lambda _: item.checked) if checkable else None,
            radio=item.kind is Kind.RADIO,
            default=default and item.default,
            enabled=item.enabled,
        )

    def submenu(children: Iterable[Item]) -> Menu:
        return Menu(*map(one, children))  # type: ignore[no-untyped-call]

    return submenu(items)


def _action(item: Item, click: Click) -> Action:
    def act(_icon: object, _item: object) -> None:
        if item.verb is not None:
            click(item.verb)

    return act
