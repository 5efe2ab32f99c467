"""What the pages of requests and of events share: the filters of an address, and the ways from page to page.

A page is told by its filters and by the id that it ends before or follows, all in the address: nothing is counted, and
whoever goes back finds the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from tray_app.control.verbs import Refused

ROWS = 50
ASKED = ROWS + 1  # one more tells whether there are more
PATIENCE_S = 0.04  # of processor time for a page's search
LONGEST = 400  # letters of a filter
_CURSORS = ("before", "after")

Filters = Mapping[str, str]
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Ways:
    """Where the pages around this one are; None where there is none."""

    newest: str | None
    newer: str | None
    older: str | None
    further: str | None  # the search has not come to its end


def filters_of(query: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """The filters, and where the page begins, that an address names; what is left empty asks for nothing."""
    return {name: text for name in (*known, *_CURSORS) if (text := query.get(name, "").strip()[:LONGEST])}


def moment(text: str, no_moment: str) -> int:
    """A time as a form's field or a link writes it, in ms: `2026-11-30T14:05` by the local clock, or ms.

    Raises:
        Refused: it is none; says so by `no_moment`.
    """
    if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 17:
        return int(text)
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise Refused("bad_argument", no_moment.format(text=text)) from error


def field_of(text: str) -> str:
    """A time as a form's field takes it; nothing where it is none."""
    try:
        return datetime.fromtimestamp(moment(text, "{text}") / 1000).isoformat(timespec="minutes")
    except (Refused, ValueError, OverflowError, OSError):
        return ""


def cut(filters: Filters, rows: Sequence[Row]) -> tuple[list[Row], bool]:
    """A page's rows of those that were found, the newest first, and whether there are more: one more is asked for."""
    if len(rows) <= ROWS:
        return list(rows), False
    return list(rows[-ROWS:] if "after" in filters else rows[:ROWS]), True


def ways(here: str, filters: Filters, ids: Sequence[str], more: bool, reached: str | None) -> Ways:
    """The ways from a page with those rows, the newest first. The page at the top goes on by itself."""
    up, top = "after" in filters, not filters.keys() & set(_CURSORS)

    def to(**more: str) -> str:
        return address(here, filters, **more)

    newer = older = further = None
    if ids and not top:
        newer = to(after=ids[0])
    if not ids and "before" in filters:
        newer = to(after=filters["before"])
    if ids and (more or up):
        older = to(before=ids[-1])
    if reached is not None:
        further = to(after=reached) if up else to(before=reached)
    return Ways(None if top else to(), newer, older, further)


def is_spent(filters: Filters, more: bool, reached: str | None) -> bool:
    """Whether the way to what is newer has come to the newest page."""
    return "after" in filters and reached is None and not more


def address(path: str, filters: Filters, **more: str) -> str:
    """An address with those filters, without where the page begins."""
    query = urlencode(
        {name: text for name, text in {**filters, **more}.items() if name in more or name not in _CURSORS}
    )
    return f"{path}?{query}" if query else path


def to_top(here: str, filters: Filters) -> Response:
    """The way to the newest page, which goes on by itself."""
    return RedirectResponse(address(here, filters), 303, headers={"cache-control": "no-store"})
