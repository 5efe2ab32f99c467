"""How long a limit rests its scope, where the answer does not say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tray_app.core.values import Action, Cooldown, ErrorClass, Scope, Source, Verdict

UNSTATED_MS = {
    ErrorClass.RATE_LIMITED: 10_000,
    ErrorClass.QUOTA_EXHAUSTED: 30 * 60_000,  # until a top-up may have happened: one call then finds out
}
_WINDOWS = (("daily", "day"), ("per-day", "day"), ("per day", "day"), ("weekly", "week"), ("monthly", "month"))
_TOTAL = re.compile(r"total limit")
DAY_MS = 86_400_000


def cooldown_for(profile_id: str, model: str | None, verdict: Verdict, now: int) -> Cooldown | None:
    """The rest that `verdict` calls for, or None. `now` is ms since the epoch."""
    if verdict.action not in (Action.COOL, Action.PARK):
        return None
    until, source, words = _until(verdict, now)
    named = (
        model if verdict.scope in (Scope.KEY_MODEL, Scope.MODEL, Scope.MODEL_PROVIDER, Scope.ACCOUNT_MODEL) else None
    )
    return Cooldown(profile_id, verdict.scope, named, until, now, verdict.cls, source, f"{verdict.reason}{words}")


def _until(verdict: Verdict, now: int) -> tuple[int, Source, str]:
    if verdict.retry_after_s is not None:
        return now + max(1, round(verdict.retry_after_s * 1000)), verdict.source, ", time stated by the provider"
    if verdict.action is Action.PARK and (reset := window_end(verdict.message or "", now)) is not None:
        return reset, Source.INFERRED, ", until the provider's next period"
    return now + UNSTATED_MS[verdict.cls], Source.INFERRED, ", no time stated"


def window_end(message: str, now: int) -> int | None:
    """When the window that `message` names begins anew, in UTC; None if it names none. A total limit: a day on."""
    text = message.lower()
    if _TOTAL.search(text):
        return now + DAY_MS
    for word, window in _WINDOWS:
        if word in text:
            return next_start(window, now)
    return None


def next_start(window: str, now: int) -> int:
    """The next start of a `day`, `week` (Monday) or `month` in UTC, in ms."""
    midnight = datetime.fromtimestamp(now / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "day":
        start = midnight + timedelta(days=1)
    elif window == "week":
        start = midnight + timedelta(days=7 - midnight.weekday())
    else:
        start = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    return round(start.timestamp() * 1000)
