"""What is asked of the list of requests, checked: the same for the running app, the files alone, and the pages."""

from __future__ import annotations

from collections.abc import Mapping

from tray_app.control.verbs import LATEST_MS, OUTCOMES, Argument, Refused
from tray_app.core.history import Wanted


def wanted(given: Mapping[str, Argument]) -> Wanted:
    """The arguments of the verb `history`, without its limit, as a search.

    Raises:
        Refused: one of them can mean nothing.
    """
    since, outcome = given.get("since"), _text(given, "outcome")
    if isinstance(since, int) and abs(since) > LATEST_MS:
        raise Refused("bad_argument", "since is no time in milliseconds since 1970")
    if outcome is not None and outcome not in OUTCOMES:
        raise Refused("bad_argument", f"no outcome is called {outcome!r}; there are: {', '.join(OUTCOMES)}")
    return Wanted(
        _text(given, "profile"),
        _text(given, "model"),
        _text(given, "client"),
        outcome,
        _text(given, "id"),
        since if isinstance(since, int) else None,
        _text(given, "before"),
    )


def _text(given: Mapping[str, Argument], name: str) -> str | None:
    value = given.get(name)
    return None if value is None else str(value)
