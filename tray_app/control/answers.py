"""What each verb answers, as types: the service is held to them, and the API describes itself by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from tray_app.control.views import AskedView, Status
from tray_app.core.history import PastRequest, Trace


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


class Administered(TypedDict):
    """A profile's operator state; `until_at` in ms, None: until it is changed."""

    profile: str
    admin_state: str
    until_at: int | None
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
    """A client's local token: a secret."""

    client: str
    token: str


class Link(TypedDict):
    """A one-time address: a secret for as long as nobody has used it."""

    url: str


class LaunchAtLogin(TypedDict):
    """Whether the app is launched at login; None: not offered on this system."""

    enabled: bool | None
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
    "retry-now": Cleared,
    "inspect": Trace,
    "history": list[PastRequest],
    "profiles-add": Done,
    "profiles-remove": Done,
    "profiles-rename": Renamed,
    "profiles-set": Changed,
    "unknown-answers": list[dict[str, Any]],
    "token": ClientToken,
    "report": Link,
    "autostart": LaunchAtLogin,
    "stop": Said,
}
