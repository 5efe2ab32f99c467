"""What is worth a notification: facts and states of the app, as news. At most one a minute of each kind.

What comes sooner is held, and told as one when the minute is over. Each kind can be silenced in the settings.
For the event-loop thread only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from tray_app.control.views import AppState, ProfileView, Status
from tray_app.control.wording import first_back
from tray_app.core.quota import NAMES_A_MODEL
from tray_app.core.values import (
    Cooldown,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    FailedOver,
    OperatorActed,
    Phase,
    QuotaSeen,
    ReauthChanged,
    Scope,
)

GATHER_S = 0.1  # what belongs together comes within so long
A_MINUTE_MS = 60_000


class NewsKind(StrEnum):
    """What can be silenced; these are the names in the settings."""

    SWITCHED = "switched"
    WARNED = "warned"
    EXHAUSTED = "exhausted"
    BACK = "back"
    REAUTH = "reauth"
    ALL_EXHAUSTED = "all_exhausted"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True)
class News:
    """One piece of news, of one profile (or client) or of several. `profiles` are their names, the latest last.

    `view` is the latest profile as it is when the news is told, or the one that is back first.
    """

    kind: NewsKind
    profiles: tuple[str, ...] = ()
    reason: str | None = None
    from_profile: str | None = None
    percent: int | None = None  # used
    count: int = 1
    view: ProfileView | None = None


class Timer(Protocol):
    """What the event loop gives for a call to come."""

    def cancel(self) -> None: ...


@dataclass(slots=True)
class Newsroom:
    """Hears facts and states, and tells news.

    `wanted` are the kinds that are not silenced, `later` has a function called after so many seconds.
    """

    status: Callable[[], Status]
    wanted: Callable[[], frozenset[NewsKind]]
    tell: Callable[[News], None]
    clock: Callable[[], int]
    later: Callable[[float, Callable[[], None]], Timer]
    _held: dict[NewsKind, list[News]] = field(default_factory=dict)
    _told_at: dict[NewsKind, int] = field(default_factory=dict)
    _state: AppState | None = None
    _timer: Timer | None = None
    _due_at: int | None = None

    def see(self, fact: Fact) -> None:
        """A fact has passed."""
        news = _news_of(fact)
        if news is not None:
            self._hold(news)

    def changed(self, status: Status) -> None:
        """What a person could see has changed; the first time: is as it is at the start."""
        before, self._state = self._state, status.state
        if before in (None, status.state):
            return
        if status.state is AppState.EXHAUSTED:
            self._hold(News(NewsKind.ALL_EXHAUSTED))
        elif before is AppState.EXHAUSTED and status.active is not None:
            self._hold(News(NewsKind.BACK, (status.active,)))

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    # -- held, and told

    def _hold(self, news: News) -> None:
        if news.kind in self.wanted():
            self._held.setdefault(news.kind, []).append(news)
            self._arm()

    def _arm(self) -> None:
        """Come back when the first of the kinds that are held may be told."""
        now = self.clock()
        times = [max(now + round(GATHER_S * 1000), self._free_at(kind)) for kind in self._held]
        if not times or (self._due_at is not None and self._due_at <= min(times)):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due_at = min(times)
        self._timer = self.later((self._due_at - now) / 1000, self._deliver)

    def _free_at(self, kind: NewsKind) -> int:
        return self._told_at.get(kind, -A_MINUTE_MS) + A_MINUTE_MS

    def _deliver(self) -> None:
        self._timer = self._due_at = None
        now, wanted = self.clock(), self.wanted()
        due = [kind for kind in NewsKind if kind in self._held and self._free_at(kind) <= now]
        gathered = {kind: self._held.pop(kind) for kind in due}
        if gathered:
            status = self.status()
            views = {view.id: view for view in status.profiles}
            for kind, several in gathered.items():
                news = _as_it_is_now(_as_one(several), status, views, now)
                if news is not None and kind in wanted:
                    self._told_at[kind] = now
                    self.tell(news)
        self._arm()


def _news_of(fact: Fact) -> News | None:
    match fact:
        case FailedOver(_, _, before, to, reason, False):
            return News(NewsKind.SWITCHED, (to,), reason, before)
        case QuotaSeen(profile_id=name, kind="warned", limit_value=limit, remaining=remaining, unit=unit):
            return News(NewsKind.WARNED, (name,), fact.reason, percent=_used(limit, remaining, unit))
        case CooldownSet(cooldown) if _is_spent(cooldown):
            return News(NewsKind.EXHAUSTED, (cooldown.profile_id,), cooldown.reason)
        case CooldownCleared(cooldown) if _is_spent(cooldown):
            return News(NewsKind.BACK, (cooldown.profile_id,))
        case ReauthChanged(name, _, _, True, reason):
            return News(NewsKind.REAUTH, (name,), reason)
        case ReauthChanged(name, _, _, False, _):
            return News(NewsKind.BACK, (name,))
        case OperatorActed(_, _, "connect", _, str(detail)):  # the client's name, then which files were changed
            return News(NewsKind.CONNECTED, (detail.partition(":")[0],))
    return None


def _is_spent(cooldown: Cooldown) -> bool:
    """Whether it is a quota's, and of more than one model."""
    partial = cooldown.scope in NAMES_A_MODEL or cooldown.scope is Scope.ACCOUNT_FREE_MODELS
    return cooldown.error_class is ErrorClass.QUOTA_EXHAUSTED and not partial


def _used(limit: float | None, remaining: float | None, unit: str | None) -> int | None:
    if remaining is None:
        return None
    if unit == "percent":
        return round(100 - remaining)
    return None if not limit else round(100 * (1 - remaining / limit))


def _as_one(several: list[News]) -> News:
    """All of one kind as one piece; the latest comes last and gives what cannot be summed up."""
    latest = several[-1]
    names = dict.fromkeys(name for news in reversed(several) for name in reversed(news.profiles))
    return replace(latest, profiles=tuple(reversed(names)), count=len(several))


def _as_it_is_now(news: News, status: Status, views: Mapping[str, ProfileView], now: int) -> News | None:
    """The news with what is known now; None where it is true no longer."""
    match news.kind:
        case NewsKind.ALL_EXHAUSTED:
            if status.state is not AppState.EXHAUSTED:
                return None
            first = first_back(status.profiles, now)
            return replace(news, view=first, profiles=() if first is None else (first.id,))
        case NewsKind.BACK:
            back = tuple(name for name in news.profiles if name in views and views[name].state == Phase.READY)
            return replace(news, profiles=back, view=views[back[-1]]) if back else None
        case NewsKind.EXHAUSTED | NewsKind.REAUTH:
            phase = Phase.REAUTH if news.kind is NewsKind.REAUTH else Phase.COOLING
            still = tuple(name for name in news.profiles if name in views and views[name].state == phase)
            return replace(news, profiles=still, view=views[still[-1]]) if still else None
    return replace(news, view=views.get(news.profiles[-1]))
