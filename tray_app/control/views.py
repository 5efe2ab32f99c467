"""What faces are shown: plain frozen values, ready to be drawn or sent as JSON.

Nothing here decides anything; the service fills these in from the pool and the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tray_app.core.history import Choices, PastFailover, PastRequest, Usage


class AppState(StrEnum):
    """The app in one word; the tray's icon and the headline follow it."""

    READY = "ready"  # the preferred profile serves
    DEGRADED = "degraded"  # some profile is out, another serves
    EXHAUSTED = "exhausted"  # no profile can serve until a reset
    OFFLINE = "offline"  # no provider can be reached from this machine
    PAUSED = "paused"  # the operator has paused or disabled every profile
    NEEDS_YOU = "needs_you"  # no profile yet, or every key is refused


@dataclass(frozen=True, slots=True)
class TermsView:
    """What the routing score is made of: the weighted terms, and what was measured."""

    health: float
    latency: float
    failure: float
    priority: float
    latency_ms: int | None  # to the first byte, a moving average; None: never measured
    failure_share: float  # of the latest calls, 0 to 1


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
    pinned: bool = False  # the operator holds it in use
    score: float = 0.0  # as the routing score has it now
    health: float = 1.0  # 0 to 1
    circuit: str = "closed"  # breaker.Circuit
    quota: str | None = None  # in words, what is known to be left
    used_percent: float | None = None  # of the allowance that is nearest to its end
    title: str = ""  # the provider's name as people write it
    rest: str | None = None  # in words: why it does not serve, when it is back, and where that is known from
    rests: tuple[RestView, ...] = ()  # every limit that rests it, or models of it, now
    left: QuotaView | None = None  # the allowance that `quota` puts in words
    terms: TermsView | None = None  # of `score`


@dataclass(frozen=True, slots=True)
class RestView:
    """One limit that a profile waits out. `model` is None where it rests the whole profile, or all free models."""

    scope: str  # values.Scope
    model: str | None
    reason: str
    resets_at: int
    source: str  # values.Source
    error_class: str = ""  # values.ErrorClass


@dataclass(frozen=True, slots=True)
class QuotaView:
    """One allowance of a profile: what is known to be left of it."""

    profile: str
    name: str
    remaining: float | None
    limit: float | None
    unit: str
    used_percent: float | None
    resets_at: int | None
    source: str
    at: int


@dataclass(frozen=True, slots=True)
class AskedView:
    """What came of asking a profile's provider what is left. `known` holds what answers have told, too."""

    profile: str
    asked: bool
    answered: bool
    words: str  # what came of it, or why nobody was asked
    known: tuple[QuotaView, ...]


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """What the operator chose, and until when."""

    profile: str
    pinned: bool
    strict: bool
    until_at: int | None
    words: str


@dataclass(frozen=True, slots=True)
class SwitchView:
    """The latest change of profile."""

    at: int
    from_profile: str | None
    to_profile: str
    reason: str
    manual: bool


@dataclass(frozen=True, slots=True)
class ClientView:
    """A coding agent, and whether its requests go through the proxy."""

    name: str  # as commands take it
    title: str
    connected: bool


@dataclass(frozen=True, slots=True)
class RemovedView:
    """A profile that was removed and can be had back until then (ms), unless the app stops before."""

    profile: str
    provider: str
    key_tail: str
    until_at: int


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
    waiting: int = 0  # requests that wait for a place
    choice: ChoiceView | None = None
    paused_all: bool = False  # the operator lets nothing pass, whatever the profiles' states
    paused_until: int | None = None  # ms; when that ends by itself
    waiting_since: int | None = None  # ms; from then on some request has been waiting for a place
    clients: tuple[ClientView, ...] = ()  # those that can be pointed at the proxy; none: that is not known here
    removed: tuple[RemovedView, ...] = ()  # profiles that can be had back


@dataclass(frozen=True, slots=True)
class Selection:
    """Which days of whose usage the overview is asked for, as text: `days` before today, or days from and to.

    Empty stands for none, and then for today and for all.
    """

    days: str = ""
    first: str = ""  # such as 2026-06-26
    last: str = ""
    profile: str = ""
    model: str = ""
    client: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Days by the local calendar. `days` is 1, 7 or 30 where they end today, else None; `step` is hour, day or days."""

    days: int | None
    first: str
    last: str
    step: str
    since: int  # ms, as `until`, before which it ends
    until: int


@dataclass(frozen=True, slots=True)
class ReportView:
    """All that the overview shows. Times in ms since the epoch."""

    now: int
    status: Status
    selection: Selection
    span: Span
    usage: Usage
    choices: Choices
    requests: tuple[PastRequest, ...]  # the newest first
    failovers: tuple[PastFailover, ...]  # the newest first


@dataclass(frozen=True, slots=True)
class FileView:
    """What is done, or would be, to one file of a client. `diff` is unified; keys in it are blanked out."""

    path: str
    change: str  # "made", "changed", "restored", "removed", "untouched"
    diff: str


@dataclass(frozen=True, slots=True)
class WiringView:
    """A client that is connected or disconnected. `lines` are for the user to put where they belong."""

    client: str
    title: str
    provider: str | None
    changed: bool
    dry_run: bool
    files: tuple[FileView, ...]
    lines: dict[str, str]
    paste: bool  # `lines` are fields of a form, not variables of the environment
    notes: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class SettingView:
    """One setting, as it is in force."""

    key: str  # dotted, as `config set` takes it
    value: Any  # of tables: their names
    default: Any
    origin: str  # "default", "file", "command line"
    line: int | None  # of the file
    kind: str  # "switch", "choice", "number", "number or word", "numbers", "text", "tables"
    choices: tuple[str, ...]
    least: float | None
    most: float | None
    editable: bool  # by a verb
    reason: str | None  # why not: "remote", "keys", "tables"
    at_start: bool  # read when the app starts
    waits: bool  # the file says something else than the app started with


@dataclass(frozen=True, slots=True)
class ConfigurationView:
    """All settings, and the file that they may stand in. `undo` is the key of the change that can be taken back."""

    path: str
    exists: bool
    faults: tuple[str, ...]  # while there are any, the settings from before are in force
    settings: tuple[SettingView, ...]
    undo: str | None


@dataclass(frozen=True, slots=True)
class DemoView:
    """The demo that a page may start: whether it runs, where, and until when it does so at most (ms)."""

    running: bool
    url: str | None
    until_at: int | None


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A client, and where it is pointed."""

    client: str
    title: str
    connected: bool
    state: str  # "connected", "changed", "old address", "not connected"
    provider: str | None
    url: str | None
    since_at: int | None
    files: tuple[str, ...]
    has_token: bool
    words: str
    program: str | None = None  # what is typed to start it, where `run` knows it
    kind: str = "token"  # "files": its own are changed; "lines": it is shown what to set; "token": it has one, no more
