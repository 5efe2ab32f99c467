"""Every spelling of "come back later" -> seconds.

Sources, in the order in which they win: `retry-after-ms`, `Retry-After` (seconds or an HTTP
date), reset headers (epoch or delta), fields of the body, prose in the error's message.
A hint is what the answer states, however absurd; `believable` is what may be slept on.
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
LATE_S = 1.0  # a time that is past by less is a clock that differs
LONGEST_SPELLING = 64  # a longer value is no time, unless it is all digits

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_ONE = (
    r"(\d+(?:\.\d+)?)\s*"
    r"(ms|msecs?|milliseconds?|s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)(?![a-z])"
)
_PART = re.compile(_ONE)
_NEXT_PART = re.compile(r"[\s,]*(?:and\s+)?" + _ONE)
_PROSE = re.compile(
    r"\b(?:(?:try|retry)(?:ing)?(?: again)?(?: (?:your|the|this) request)?(?: again)?(?: in| after)|wait(?: for)?|"
    r"(?:reset(?:s|ting)?|refresh(?:es|ed)?|renew(?:s|ed)?|available(?: again)?|back) in|after)"
    r"\s+(?:about |approximately |another |~)?(?=\d)"
)
# Azure's gateway: "replenished in 2.03:12:45", days.hours:minutes:seconds.
_CLOCK = re.compile(r"\bin (?:(\d{1,3})\.)?(\d{1,2}):(\d\d):(\d\d)\b")
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
    "estimated_time",
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
    if math.isnan(value):
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


def value_s(value: object, now_s: float, zone: timezone = UTC, scale: float = 1.0) -> float | None:
    """Read one header or field, whatever its spelling, as seconds from `now_s`.

    `zone` is the zone of a time that names none, `scale` the seconds that a bare number's one stands for.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > LONGEST_SPELLING and not value.isdecimal():
        return None
    try:
        return number_s(float(value) * scale, now_s)
    except OverflowError:  # an integer beyond all floats
        return math.inf if int(value) > 0 else -math.inf
    except ValueError:
        text = str(value)
    duration = duration_s(text)
    return duration if duration is not None else instant_s(text, now_s, zone)


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
    if clock := _CLOCK.search(text):
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return days * 86_400.0 + hours * 3600 + minutes * 60 + seconds
    if named := _INSTANT.search(text):
        day, time, zoned = named.groups()
        spelled = {None: "", "utc": "+00:00", "gmt": "+00:00", "z": "+00:00"}.get(zoned, zoned)
        return instant_s(f"{day}T{time or '00:00'}{spelled}", now_s, zone)
    return None


def believable(seconds: float) -> float:
    """What may be slept on: `seconds` between the floor and the ceiling."""
    return min(max(seconds, FLOOR_S), CEILING_S)


def doubt(seconds: float) -> str:
    """What an absurd hint asked for and what is made of it, in words; empty for one that is believed."""
    if seconds > CEILING_S:
        asked = f"{seconds / 86_400:.0f} days" if seconds < 1e9 else "longer than a lifetime"
        return f"it asked for {asked}, taken as {CEILING_S / 86_400:.0f} days"
    if seconds <= -LATE_S:
        asked = f"{-seconds:.0f} s ago" if seconds > -1e9 else "before anybody's time"
        return f"the time it named was {asked}, taken as now"
    return ""


def from_headers(headers: Mapping[str, str], now_s: float, *, resets: bool = True) -> Hint | None:
    """The hint that headers state. `headers` has lower-case names.

    `resets` says whether the ends of rate windows count, which some providers state with every answer.
    """
    seconds = value_s(headers.get("retry-after-ms"), now_s, scale=0.001)
    if seconds is None:
        seconds = value_s(headers.get("retry-after"), now_s)
    if seconds is None and resets:
        seconds = _window_end(headers, now_s)
    return None if seconds is None else Hint(seconds, Source.HEADER)


def _window_end(headers: Mapping[str, str], now_s: float) -> float | None:
    """When the window that is meant ends: it says so, or the last of those with nothing left."""
    for name in _RESET_HEADERS:
        if name in headers and (stated := value_s(headers[name], now_s)) is not None and stated > 0:
            return stated
    latest = None
    for name, value in headers.items():
        if "remaining" in name and value.strip() == "0":
            ends = value_s(headers.get(name.replace("remaining", "reset")), now_s)
            if ends is not None and ends > (latest or 0):
                latest = ends
    return latest


def from_body(
    fields: Iterable[Mapping[str, object]], message: str, now_s: float, *, resets: bool = True, zone: timezone = UTC
) -> Hint | None:
    """The hint that an error body states: known fields of `fields`, innermost last, then prose.

    `resets` as for `from_headers`; `zone` is the zone of times that name none.
    """
    for mapping in fields:
        for name in _BODY_FIELDS:
            if name in mapping and (seconds := value_s(mapping[name], now_s, zone)) is not None:
                return Hint(seconds, Source.BODY)
        headers = mapping.get("headers")
        if isinstance(headers, Mapping):  # OpenRouter repeats them in the body
            texts = {str(name).lower(): value for name, value in headers.items() if isinstance(value, str)}
            if told := from_headers(texts, now_s, resets=resets):
                return Hint(told.after_s, Source.BODY)
    stated = prose_s(message, now_s, zone)
    return None if stated is None else Hint(stated, Source.BODY)
