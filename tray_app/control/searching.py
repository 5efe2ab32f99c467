"""What is asked of the history, checked: the same for the running app, the files alone, and the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from tray_app.control.verbs import CLASSES, LATEST_MS, OUTCOMES, Argument, Refused
from tray_app.core.history import Wanted

if TYPE_CHECKING:
    from tray_app.ledger.queries import History

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
