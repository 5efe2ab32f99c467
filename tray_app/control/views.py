"""What faces are shown: plain frozen values, ready to be drawn or sent as JSON.

Nothing here decides anything; the service fills these in from the pool and the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tray_app.core.history import Hour, Numbers, PastFailover, PastRequest, Share


class AppState(StrEnum):
    """The app in one word; the tray's icon and the headline follow it."""

    READY = "ready"  # the preferred profile serves
    DEGRADED = "degraded"  # some profile is out, another serves
    EXHAUSTED = "exhausted"  # no profile can serve until a reset
    OFFLINE = "offline"  # no provider can be reached from this machine
    PAUSED = "paused"  # the operator has paused or disabled every profile
    NEEDS_YOU = "needs_you"  # no profile yet, or every key is refused


@dataclass(frozen=True, slots=True)
class ProfileView:
    """One profile as a person should see it."""

    id: str
    provider: str
    label: str
    account: str
    state: str  # values.Phase
    active: bool  # serves the next request of its provider's pool
    preferred: bool  # chosen by the operator with `use`
    admin_state: str  # values.Admin
    reason: str | None  # why it is not ready, in words
    resets_at: int | None  # ms; when it may serve again, where that is known
    reset_source: str | None  # values.Source
    in_flight: int
    priority: int
    key_tail: str
    base_url: str
    source: str  # where the key came from: "cli", "env OPENROUTER_API_KEY", "opencode auth.json", ...
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SwitchView:
    """The latest change of profile."""

    at: int
    from_profile: str | None
    to_profile: str
    reason: str
    manual: bool


@dataclass(frozen=True, slots=True)
class Status:
    """One screen of state: `o-switcher status`, the tray and `/api/v1/status` show exactly this."""

    version: str
    url: str
    state: AppState
    headline: str  # e.g. "openrouter-main is serving" or "exhausted until 14:05: ..."
    active: str | None  # the profile that the default pool uses now
    profiles: tuple[ProfileView, ...]
    last_switch: SwitchView | None
    requests_today: int
    ledger: str  # "ok", or what is wrong with the history file and what is done about it
    dropped_facts: int
    autostart: bool | None  # None: this system offers no launch at login
    history_path: str
    config_path: str
    started_at: int
    notices: tuple[str, ...] = ()  # what the user should know and could mend, one sentence each


@dataclass(frozen=True, slots=True)
class ReportView:
    """All that the usage report's page shows. Times in ms since the epoch."""

    now: int
    day_at: int  # the local midnight from which `numbers` and `shares` count
    status: Status
    numbers: Numbers
    hours: tuple[Hour, ...]  # the last 24 hours, one each, also those without requests
    shares: tuple[Share, ...]
    requests: tuple[PastRequest, ...]  # the newest first
    failovers: tuple[PastFailover, ...]  # the newest first
