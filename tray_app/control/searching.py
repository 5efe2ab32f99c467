"""What is asked of the history, checked: the same for the running app, the files alone, and the pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tray_app.control.verbs import CLASSES, LATEST_MS, OUTCOMES, Argument, Refused
from tray_app.core.history import QUOTA_KINDS, EventsWanted, FoundRequests, Trace, Wanted

if TYPE_CHECKING:
    from tray_app.ledger.queries import History

EVENT_KINDS = ("failover", "quota", *QUOTA_KINDS, "operator")
_EVENT_ID = re.compile("[0-9]{1,16}-[foq]-[0-9]{1,16}", re.ASCII)
_Answer = TypeVar("_Answer")


def answered(history: Callable[[], History], path: str, question: Callable[[History], _Answer]) -> _Answer:
    """What the history at `path` answers; it is read on the calling thread.

    Raises:
        Refused: it cannot be read.
    """
    from tray_app.ledger.queries import UNREADABLE

    try:
        return question(history())
    except UNREADABLE as error:
        words = getattr(error, "orig", None) or error  # without the statement
        raise Refused("unavailable", f"{path} cannot be read now: {words}; see: o-switcher doctor") from error


def traced(history: Callable[[], History], path: str, log: str, request_id: str, now: int) -> Trace:
    """All that is known of a request: by the history at `path`, and by the decisions log.

    Raises:
        Refused: there is no such request, or the history cannot be read.
    """
    from tray_app.ledger.decided import decided

    trace = answered(history, path, lambda history: history.trace(request_id))
    if trace is None:
        raise Refused("not_found", f"no request has the id {request_id!r}; list them with: o-switcher history")
    began, ended = trace.request.started_at, trace.request.ended_at
    return replace(trace, decisions=decided(Path(log), request_id, began, now if ended is None else ended))


def found(history: History, asked: Wanted, limit: int, patience_s: float) -> FoundRequests:
    """So many of the wanted requests, as far as that time of the processor allows to look."""
    from tray_app.ledger.search import cpu_s

    return history.found(limit, asked, cpu_s(patience_s))


def events_wanted(given: Mapping[str, Argument]) -> EventsWanted:
    """The arguments of a search for events.

    Raises:
        Refused: one of them can mean nothing.
    """
    before, after = _text(given, "before"), _text(given, "after")
    for cursor in (before, after):
        if cursor is not None and _EVENT_ID.fullmatch(cursor) is None:
            raise Refused("bad_argument", f"no event can have the id {cursor!r}")
    return EventsWanted(
        _one_of(given, "kind", EVENT_KINDS),
        _text(given, "profile"),
        _moment(given, "since"),
        _moment(given, "until"),
        before,
        after,
    )


def wanted(given: Mapping[str, Argument]) -> Wanted:
    """The arguments of the verb `history`, without its limit, as a search.

    Raises:
        Refused: one of them can mean nothing.
    """
    return Wanted(
        _text(given, "profile"),
        _text(given, "model"),
        _text(given, "client"),
        _one_of(given, "outcome", OUTCOMES),
        _text(given, "id"),
        _moment(given, "since"),
        _text(given, "before"),
        _text(given, "provider"),
        _one_of(given, "error_class", CLASSES),
        _text(given, "error"),
        _moment(given, "until"),
        _text(given, "after"),
    )


def _moment(given: Mapping[str, Argument], name: str) -> int | None:
    value = given.get(name)
    if isinstance(value, int) and abs(value) > LATEST_MS:
        raise Refused("bad_argument", f"{name} is no time in milliseconds since 1970")
    return value if isinstance(value, int) else None


def _one_of(given: Mapping[str, Argument], name: str, known: tuple[str, ...]) -> str | None:
    value = _text(given, name)
    if value is not None and value not in known:
        raise Refused("bad_argument", f"no {name} is called {value!r}; there are: {', '.join(known)}")
    return value


def _text(given: Mapping[str, Argument], name: str) -> str | None:
    value = given.get(name)
    return None if value is None else str(value)
