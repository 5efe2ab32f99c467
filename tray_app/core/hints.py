"""Every spelling of "come back later" -> seconds.

Sources, in the order in which they win: `retry-after-ms`, `Retry-After` (seconds or an HTTP
date), reset headers (epoch or delta), fields of the body, prose in the error's message.
Unbelievable values (a year away, negative) are clamped or dropped, never slept on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timezone
from email.utils import parsedate_to_datetime

from tray_app.core.values import Hint, Source

CEILING_S = 32 * 86_400.0  # no provider's own period is longer than a month
FLOOR_S = 0.5
LONGEST_SPELLING = 64  # a longer value is no time

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_ONE = (
    r"(\d+(?:\.\d+)?)\s*"
    r"(ms|msecs?|milliseconds?|s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)(?![a-z])"
)
_PART = re.compile(_ONE)
_NEXT_PART = re.compile(r"[\s,]*(?:and\s+)?" + _ONE)
_PROSE = re.compile(
    r"\b(?:(?:try|retry)(?:ing)?(?: again)?(?: in| after)|wait(?: for)?|reset(?:s|ting)? in|available in|back in|after)"
    r"\s+(?:about |approximately |another |~)?(?=\d)"
)
# "timed out after 60s" says how long it took, not how long to wait.
_TOOK = re.compile(r"(?:time(?:d )?out|fail(?:ed|ure)|abort|clos|expire|disconnect|response)[^.]{0,20}$")
_INSTANT = re.compile(
    r"(?:\b(?:regain access|resets?|available(?: again)?|refresh(?:es|ed)?|renews?|try again|retry)"
    r"(?: on| at| after)|\buntil)\s+(\d{4}-\d\d-\d\d)"
    r"(?:(?: at|,)?[ t]+(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(?:\s*(utc|gmt|z\b|[+-]\d\d:?\d\d))?)?"
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
    seconds, end = _leading_duration(text)
    return seconds if end == len(text) else None


def _leading_duration(text: str) -> tuple[float | None, int]:
    """The duration that `text` begins with, and where it ends."""
    total: float | None = None
    end = 0
    while piece := (_NEXT_PART if end else _PART).match(text, end):
        total, end = (total or 0.0) + float(piece.group(1)) * _unit(piece.group(2)), piece.end()
    return total, end


def _unit(unit: str) -> float:
    return _UNIT_S["ms"] if unit.startswith(("ms", "milli")) else _UNIT_S[unit[0]]


def number_s(value: float, now_s: float) -> float | None:
    """Read a bare number by its magnitude: epoch milliseconds, epoch seconds, or seconds from now."""
    if not math.isfinite(value):
        return None
    if value > 1e12:
        return value / 1000 - now_s
    if value > 1e9:
        return value - now_s
    return value


def instant_s(text: str, now_s: float, zone: timezone = UTC) -> float | None:
    """Read an ISO 8601 or HTTP date as seconds from `now_s`; a time without a zone is taken as one of `zone`."""
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    return when.timestamp() - now_s


def value_s(value: object, now_s: float) -> float | None:
    """Read one header or field, whatever its spelling, as seconds from `now_s`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (not value.strip() or len(value) > LONGEST_SPELLING):
        return None
    try:
        return number_s(float(value), now_s)
    except OverflowError:
        return None
    except ValueError:
        text = str(value)
    duration = duration_s(text)
    return duration if duration is not None else instant_s(text, now_s)


def prose_s(message: str, now_s: float, zone: timezone = UTC) -> float | None:
    """Find "try again in 7m12s", "retry after 6 seconds", "regain access on 2026-09-01 at 00:00 UTC".

    `zone` is the zone of times that name none.
    """
    text = message[:1000].lower()
    for found in _PROSE.finditer(text):
        took = found.group().startswith("after") and _TOOK.search(text[max(0, found.start() - 40) : found.start()])
        seconds, _ = _leading_duration(text[found.end() :])
        if seconds is not None and not took:
            return seconds
    if named := _INSTANT.search(text):
        day, time, zoned = named.groups()
        spelled = {None: "", "utc": "+00:00", "gmt": "+00:00", "z": "+00:00"}.get(zoned, zoned)
        return instant_s(f"{day}T{time or '00:00'}{spelled}", now_s, zone)
    return None


def believable(seconds: float | None) -> float | None:
    """Clamp to [floor, ceiling]; None stays None."""
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, FLOOR_S), CEILING_S)


def from_headers(headers: Mapping[str, str], now_s: float, *, resets: bool = True) -> Hint | None:
    """The hint that headers state. `headers` has lower-case names.

    `resets` says whether the ends of rate windows count, which some providers state with every answer.
    """
    seconds = _retry_after(headers.get("retry-after-ms", ""), 0.001, now_s)
    if seconds is None:
        seconds = _retry_after(headers.get("retry-after", ""), 1.0, now_s)
    if seconds is None and resets:
        seconds = _window_end(headers, now_s)
    return _hint(seconds, Source.HEADER)


def _retry_after(text: str, scale: float, now_s: float) -> float | None:
    try:
        return number_s(float(text) * scale, now_s)
    except ValueError:
        return value_s(text, now_s)


def _window_end(headers: Mapping[str, str], now_s: float) -> float | None:
    """When the window that is meant ends: it says so, or the last of those with nothing left."""
    stated = [value_s(headers.get(name), now_s) for name in _RESET_HEADERS]
    spent = [name for name, value in headers.items() if "remaining" in name and value.strip() == "0"]
    emptied = [value_s(headers.get(name.replace("remaining", "reset")), now_s) for name in spent]
    ahead = [seconds for seconds in stated if seconds is not None and seconds > 0]
    return ahead[0] if ahead else max((s for s in emptied if s is not None and s > 0), default=None)


def _hint(seconds: float | None, source: Source) -> Hint | None:
    clamped = believable(seconds)
    return None if clamped is None else Hint(clamped, source)


def from_body(
    fields: Iterable[Mapping[str, object]], message: str, now_s: float, *, resets: bool = True, zone: timezone = UTC
) -> Hint | None:
    """The hint that an error body states: known fields of `fields`, innermost last, then prose.

    `resets` as for `from_headers`; `zone` is the zone of times in prose that name none.
    """
    for mapping in fields:
        for name in _BODY_FIELDS:
            seconds = value_s(mapping.get(name), now_s)
            if seconds is not None:
                return _hint(seconds, Source.BODY)
        headers = mapping.get("headers")
        if isinstance(headers, Mapping):  # OpenRouter repeats them in the body
            texts = {str(name).lower(): value for name, value in headers.items() if isinstance(value, str)}
            if told := from_headers(texts, now_s, resets=resets):
                return Hint(told.after_s, Source.BODY)
    return _hint(prose_s(message, now_s, zone), Source.BODY)
