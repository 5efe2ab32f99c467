"""Reading the fields of a probe's answer: numbers that come as texts, resets of every spelling, names of windows.

Nothing here trusts a shape: what cannot be read is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from tray_app.core import hints
from tray_app.core.allowance import HOUR_MS, MINUTE_MS, MONTH_MS, WEEK_MS, ahead
from tray_app.core.quota import DAY_MS

Fields = Mapping[str, object]

LONGEST_TEXT = 100  # notes go into a menu
_NAMED_WINDOWS = {DAY_MS: "daily window", WEEK_MS: "weekly window", MONTH_MS: "monthly window"}


def fields_of(value: object) -> Fields:
    """The fields of an object; none of anything else."""
    return value if isinstance(value, dict) else {}


def items_of(value: object) -> list[Fields]:
    """The objects in a list; none of anything else."""
    return [fields_of(item) for item in value] if isinstance(value, list) else []


def number(value: object) -> float | None:
    """A finite number, also where it is spelled as a text, as DeepSeek and Kimi do."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > hints.LONGEST_SPELLING:
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def remaining(fields: Fields) -> float | None:
    """What is left: as stated, or what is not used of the limit."""
    left, limit, used = (number(fields.get(name)) for name in ("remaining", "limit", "used"))
    if left is None and limit is not None and used is not None:
        return limit - used
    return left


def resets_at(fields: Fields, now: int, *names: str) -> int | None:
    """The first of `names` that holds an instant ahead, in ms."""
    told = (ahead(hints.value_s(fields.get(name), now / 1000), now) for name in names)
    return next((at for at in told if at is not None), None)


def text(value: object) -> str | None:
    """A short printable text on one line."""
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value.strip()[:LONGEST_TEXT] if letter.isprintable()) or None


def window_name(window_ms: int) -> str:
    """`5-hour window`, `weekly window`."""
    if window_ms in _NAMED_WINDOWS:
        return _NAMED_WINDOWS[window_ms]
    for unit_ms, unit in ((DAY_MS, "day"), (HOUR_MS, "hour")):
        if window_ms >= unit_ms and window_ms % unit_ms == 0:
            return f"{window_ms // unit_ms}-{unit} window"
    return f"{max(1, window_ms // MINUTE_MS)}-minute window"
