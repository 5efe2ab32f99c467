"""How long a limit rests its scope, where the answer does not say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from tray_app.core.values import Action, Cooldown, Scope, Source, Verdict, Window

RATE_BASE_MS, RATE_MOST_MS = 2_000, 120_000
QUOTA_STEPS_MS = (10 * 60_000, 60 * 60_000)  # then until the provider's next period
_WINDOWS = (
    (re.compile(r"daily|per[ _-]?day|/ ?day\b|\b[rt]pd\b"), Window.DAY),
    (re.compile(r"weekly|per[ _-]?week|/ ?week\b"), Window.WEEK),
    (re.compile(r"monthly|per[ _-]?month|/ ?month\b"), Window.MONTH),
)
_TOTAL = re.compile(r"total limit")
_MONEY = re.compile(r"credit|balance|billing|spend|payment|top.?up|suspended")  # somebody may pay before the month ends
NAMES_A_MODEL = frozenset({Scope.KEY_MODEL, Scope.MODEL, Scope.MODEL_PROVIDER, Scope.ACCOUNT_MODEL})
DAY_MS = 86_400_000


class Ladder(Struct, frozen=True):
    """How far a profile has climbed by limits in a row that named no time. A success leads back to the ground.

    `rate_ms` is the latest rest for a rate, `quota` counts rests for a quota.
    """

    rate_ms: int = 0
    quota: int = 0

    def climbed(self, verdict: Verdict, now: int, chance: float) -> tuple[Ladder, int]:
        """One step up, and when the rest that it stands for ends.

        A rate: decorrelated jitter between 2 s and three times the rest before, at most 2 minutes. A quota:
        10 minutes, an hour, then until the provider's next period: midnight UTC, the usual rule.
        """
        if verdict.action is Action.COOL:
            most = max(RATE_BASE_MS, 3 * self.rate_ms)
            rest = min(RATE_MOST_MS, round(RATE_BASE_MS + chance * (most - RATE_BASE_MS)))
            return replace(self, rate_ms=rest), now + rest
        if self.quota < len(QUOTA_STEPS_MS):
            until = now + QUOTA_STEPS_MS[self.quota]
        else:
            until = max(next_start(Window.DAY, now), now + QUOTA_STEPS_MS[-1])
        return replace(self, quota=self.quota + 1), until


def cooldown_for(
    profile_id: str, model: str | None, verdict: Verdict, now: int, ladder: Ladder, chance: float
) -> tuple[Cooldown, Ladder] | None:
    """The rest that `verdict` calls for and the ladder after it; None: it rests nobody.

    It keeps away at least the call that met it. `now` is ms, `chance` is uniform in [0, 1).
    """
    if verdict.action not in (Action.COOL, Action.PARK):
        return None
    until, source, ladder = _until(verdict, now, ladder, chance)
    scope = verdict.scope
    if scope is Scope.ACCOUNT_FREE_MODELS and not is_free(model):
        scope = Scope.ACCOUNT_MODEL  # a free model that is not called so, such as a router
    named = model if scope in NAMES_A_MODEL else None
    return Cooldown(profile_id, scope, named, until, now, verdict.cls, source, verdict.reason), ladder


def is_free(model: str | None) -> bool:
    """Whether `model` is one of OpenRouter's free variants, by its name."""
    return model is not None and model.endswith(":free")


def _until(verdict: Verdict, now: int, ladder: Ladder, chance: float) -> tuple[int, Source, Ladder]:
    if verdict.retry_after_s is not None:
        return now + max(1, round(verdict.retry_after_s * 1000)), verdict.source, ladder
    if verdict.action is Action.PARK and (reset := spent_until(verdict, now)) is not None:
        return reset, Source.INFERRED, ladder
    ladder, until = ladder.climbed(verdict, now, chance)
    return until, Source.INFERRED, ladder


def spent_until(verdict: Verdict, now: int) -> int | None:
    """When what a spent quota's message names begins anew, in ms; None where it names nothing that the calendar ends.

    An account's money is back when somebody pays, whatever period its message speaks of; what a plan includes is not.
    """
    if verdict.window is not None:
        return next_start(verdict.window, now)
    message = verdict.message or ""
    if verdict.scope is Scope.ACCOUNT and _MONEY.search(message.lower()) and "included" not in message:
        return None
    return window_end(message, now)


def window_end(message: str, now: int) -> int | None:
    """When the window that `message` names begins anew, in UTC; None if it names none. A total limit: a day on."""
    text = message.lower()
    if _TOTAL.search(text):
        return now + DAY_MS
    for pattern, window in _WINDOWS:
        if pattern.search(text):
            return next_start(window, now)
    return None


def next_start(window: Window, now: int) -> int:
    """The next start of `window`, in ms."""
    midnight = datetime.fromtimestamp(now / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match window:
        case Window.DAY:
            start = midnight + timedelta(days=1)
        case Window.WEEK:
            start = midnight + timedelta(days=7 - midnight.weekday())
        case Window.MONTH:
            start = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            start = _pacific_midnight(midnight, now)
    return round(start.timestamp() * 1000)


def _pacific_midnight(midnight: datetime, now: int) -> datetime:
    """The first midnight in California after `now`: 07:00 UTC in summer, else 08:00. `midnight` is UTC's last."""
    today = midnight + timedelta(hours=7 if _is_pacific_summer(midnight) else 8)
    if today.timestamp() * 1000 > now:
        return today
    tomorrow = midnight + timedelta(days=1)
    return tomorrow + timedelta(hours=7 if _is_pacific_summer(tomorrow) else 8)


def _is_pacific_summer(day: datetime) -> bool:
    """Whether daylight saving time holds as that day begins in California: not yet on the days of its change.

    From the second Sunday of March to the first of November, at 02:00 (Energy Policy Act of 2005). Written
    out because Windows has no time zone database of its own.
    """
    return _sunday(2, day.replace(month=3, day=1)) < day <= _sunday(1, day.replace(month=11, day=1))


def _sunday(nth: int, first: datetime) -> datetime:
    """The `nth` Sunday of the month that begins with `first`."""
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))
