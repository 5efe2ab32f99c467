"""What each verb answers, as types: the service is held to them, and the API describes itself by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from tray_app.control.discovery import FoundView
from tray_app.control.views import AskedView, ConfigurationView, ConnectionView, DemoView, Status, WiringView
from tray_app.core.history import ClientTotal, PastRequest, Trace


class Said(TypedDict):
    """A sentence for people."""

    message: str


class Chosen(TypedDict):
    """The profile that is preferred or pinned now; `until_at` in ms, None: until something else is chosen."""

    profile: str
    until_at: int | None
    message: str


class Done(TypedDict):
    """What was done to a profile."""

    profile: str
    message: str


class RemovedProfile(TypedDict):
    """A profile that was removed; `until_at` in ms: till then it can be had back, None: it cannot."""

    profile: str
    until_at: int | None
    message: str


class Administered(TypedDict):
    """A profile's operator state; `until_at` in ms, None: until it is changed."""

    profile: str
    admin_state: str
    until_at: int | None
    message: str


class Halted(TypedDict):
    """Nothing passes; `until_at` in ms, None: until it is resumed."""

    until_at: int | None
    message: str


class Folder(TypedDict):
    """Where the files are: the folder, and the history, the decisions log and the settings in it."""

    path: str
    files: tuple[str, ...]
    message: str


class Cleared(TypedDict):
    """The profiles against which something was held."""

    profiles: list[str]
    message: str


class Renamed(TypedDict):
    """A profile's new id, and the one it had."""

    profile: str
    message: str
    was: str


class Changed(TypedDict):
    """What of a profile was changed, in words."""

    profile: str
    message: str
    changed: str


class ClientToken(TypedDict):
    """A client's local token: a secret. Or, where it counts no longer, that it was revoked."""

    client: str
    token: NotRequired[str]
    revoked: NotRequired[bool]
    message: NotRequired[str]


class KeyStanding(TypedDict):
    """How a key that was found stands to those that are held, and the profile that has it."""

    standing: str
    profile: str | None


class KeyStore(TypedDict):
    """Where the keys are."""

    store: str
    message: str


class Link(TypedDict):
    """A one-time address: a secret for as long as nobody has used it."""

    url: str


class LaunchAtLogin(TypedDict):
    """Whether the app is launched at login; None: not offered on this system."""

    enabled: bool | None
    message: str


class SettingChanged(TypedDict):
    """The setting that was changed."""

    key: str
    message: str


ANSWERS: Mapping[str, Any] = {
    "status": Status,
    "use": Chosen,
    "pin": Chosen,
    "unpin": Done,
    "next": Chosen,
    "quota": list[AskedView],
    "pause": Administered,
    "resume": Administered,
    "drain": Administered,
    "disable": Administered,
    "enable": Administered,
    "pause-all": Halted,
    "resume-all": Said,
    "retry-now": Cleared,
    "inspect": Trace,
    "history": list[PastRequest],
    "profiles-add": Done,
    "profiles-adopt": Done,
    "known-key": KeyStanding,
    "discover": list[FoundView],
    "move-keys": KeyStore,
    "profiles-confirm": Changed,
    "profiles-remove": RemovedProfile,
    "profiles-bring-back": Done,
    "profiles-forget": Done,
    "profiles-rename": Renamed,
    "profiles-set": Changed,
    "unknown-answers": list[dict[str, Any]],
    "token": ClientToken,
    "connect": WiringView,
    "disconnect": WiringView,
    "connections": list[ConnectionView],
    "report": Link,
    "folder": Folder,
    "client-usage": list[ClientTotal],
    "config-show": ConfigurationView,
    "config-set": SettingChanged,
    "config-reset": SettingChanged,
    "config-undo": SettingChanged,
    "demo-status": DemoView,
    "demo-start": DemoView,
    "demo-stop": Said,
    "demo-report": Link,
    "autostart": LaunchAtLogin,
    "stop": Said,
    "restart": Said,
}
