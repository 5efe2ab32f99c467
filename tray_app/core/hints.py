"""Every spelling of "come back later" -> seconds.

Sources, in the order in which they win: `retry-after-ms`, `Retry-After` (seconds or an HTTP
date), reset headers (epoch or delta), fields of the body, prose in the error's message.
Unbelievable values (a year away, negative) are clamped or dropped, never slept on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tray_app.core.values import Hint, Source

CEILING_S = 32 * 86_400.0  # no provider's own period is longer than a month
FLOOR_S = 0.5

_UNIT_S = {"ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0}
_UNIT_S |= {"h": 3600.0, "hr": 3600.0, "hour": 3600.0, "d": 86_400.0, "day": 86_400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)(?![a-z])")
_DURATION = (
    r"((?:\d+(?:\.\d+)?\s*(?:ms|s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)(?![a-z])\s*)+)"
)
_PROSE = re.compile(
    r"(?:(?:try|retry)(?:ing)?(?: again)?(?: in| after)|wait|after|reset (?:after|in)|available in)\s+" + _DURATION
)
_REGAIN = re.compile(
    r"(?:regain access on|resets? at|until)\s+(\d{4}-\d\d-\d\d)(?:[ T]at)?[ T]+(\d\d:\d\d(?::\d\d)?)\s*(utc|z)?"
)

_RESET_HEADERS = (
    "x-ratelimit-reset",
    "anthropic-ratelimit-unified-reset",
    "ratelimit-reset",
    "x-ratelimit-timeremaining",
)
_BODY_FIELDS = (
    "retry_after",
    "retry_after_seconds",
    "retryDelay",
    "resets_in_seconds",
    "resets_at",
    "quotaResetDelay",
    "quotaResetTimeStamp",
)


def duration_s(text: str) -> float | None:
    """Read a duration such as `6m0s`, `370ms`, `2m59.56s`, `6m 11.52s`, `7 days`. None if it is none."""
    text = text.strip().lower()
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip(" ,"):
        return None
    return sum(float(number) * _unit(unit) for number, unit in parts)


def _unit(unit: str) -> float:
    return _UNIT_S[unit] if unit in _UNIT_S else _UNIT_S[unit.rstrip("s")]


def number_s(value: float, now_s: float) -> float | None:
    """Read a bare number by its magnitude: epoch milliseconds, epoch seconds, or seconds from now."""
    if not math.isfinite(value):
        return None
    if value > 1e12:
        return value / 1000 - now_s
    if value > 1e9:
        return value - now_s
    return value


def instant_s(text: str, now_s: float) -> float | None:
    """Read an ISO 8601 or HTTP date as seconds from `now_s`; a time without a zone is taken as UTC."""
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (TypeError, ValueError, IndexError):
            return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return when.timestamp() - now_s


def value_s(value: object, now_s: float) -> float | None:
    """Read one header or field, whatever its spelling, as seconds from `now_s`."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return number_s(float(value), now_s)
    if not isinstance(value, str) or not value.strip() or len(value) > 64:
        return None
    try:
        return number_s(float(value), now_s)
    except ValueError:
        pass
    duration = duration_s(value)
    return duration if duration is not None else instant_s(value, now_s)


def prose_s(message: str, now_s: float) -> float | None:
    """Find "try again in 7m12s", "retry after 6 seconds", "regain access on 2026-09-01 at 00:00 UTC"."""
    text = message[:1000].lower()
    if found := _PROSE.search(text):
        return duration_s(found.group(1).strip())
    if found := _REGAIN.search(text):
        return instant_s(f"{found.group(1)}T{found.group(2)}+00:00", now_s)
    return None


def believable(seconds: float | None) -> float | None:
    """Clamp to [floor, ceiling]; None stays None."""
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, FLOOR_S), CEILING_S)


def from_headers(headers: Mapping[str, str], now_s: float) -> Hint | None:
    """The hint that headers state. `headers` has lower-case names."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (text := headers.get(name)) is not None:
            seconds = _retry_after(text, scale, now_s)
            if seconds is not None:
                return _hint(seconds, Source.HEADER)
    for name in _RESET_HEADERS:
        if (text := headers.get(name)) is not None:
            seconds = value_s(text, now_s)
            if seconds is not None and seconds > 0:
                return _hint(seconds, Source.HEADER)
    return None


def _retry_after(text: str, scale: float, now_s: float) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return duration_s(text) if scale == 1.0 and duration_s(text) is not None else instant_s(text, now_s)
    return seconds * scale if math.isfinite(seconds) else None


def _hint(seconds: float, source: Source) -> Hint | None:
    clamped = believable(seconds)
    return None if clamped is None else Hint(clamped, source)


def from_body(fields: Iterable[Mapping[str, object]], message: str, now_s: float) -> Hint | None:
    """The hint that an error body states: known fields of `fields`, innermost last, then prose."""
    for mapping in fields:
        for name in _BODY_FIELDS:
            if name in mapping:
                seconds = value_s(mapping[name], now_s)
                if seconds is not None:
                    return _hint(seconds, Source.BODY)
    seconds = prose_s(message, now_s)
    return None if seconds is None else _hint(seconds, Source.BODY)
