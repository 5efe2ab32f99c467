"""The verbs about profiles, as the running app and the files alone carry them out: the same deeds, the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tray_app.control.answers import Changed, Done, RemovedProfile, Renamed
from tray_app.control.registry import Registry
from tray_app.control.verbs import LONGEST_UNDO_S, Argument, Refused


def add(registry: Registry, **given: Argument) -> Done:
    """Add a key as a profile."""
    profile = registry.add(**given)  # type: ignore[arg-type]
    return {"profile": profile.id, "message": f"{profile.id} was added (key ending in {profile.key_tail or '?'})"}


def adopt(registry: Registry, **given: Argument) -> Done:
    """Take over a key that was found."""
    profile = registry.take(**given)  # type: ignore[arg-type]
    return {"profile": profile.id, "message": f"{profile.id} was taken over from {profile.source}"}


def confirm(registry: Registry, profile: str) -> Changed:
    """Let a profile's key go to where its provider is now."""
    url = registry.confirm(profile).base_url
    return {"profile": profile, "message": f"{profile}: its key may go to {url} now", "changed": f"goes to {url}"}


def remove(registry: Registry, profile: str, undo_s: float | None = None) -> RemovedProfile:
    """Forget a profile and its key, or keep the key for so long."""
    if undo_s is not None and not 0 < undo_s <= LONGEST_UNDO_S:
        raise Refused("bad_argument", "it can be had back for more than nothing and at most an hour")
    until = registry.remove(profile, undo_s)
    words = f"{profile} and its key were removed"
    if undo_s is not None:
        minutes = max(1, round(undo_s / 60))
        words = f"{profile} was removed; its key is forgotten in {minutes} min, or when O-Switcher stops"
    return {"profile": profile, "until_at": until, "message": words}


def forget(registry: Registry, profile: str) -> Done:
    """Forget the key of a removed profile now."""
    registry.forget(profile)
    return {"profile": profile, "message": f"the key of {profile} is forgotten"}


def bring_back(registry: Registry, profile: str) -> Done:
    """Have back a profile that was removed."""
    registry.bring_back(profile)
    return {"profile": profile, "message": f"{profile} is back, with its key"}


def rename(registry: Registry, profile: str, label: str) -> Renamed:
    """Give a profile another label."""
    new = registry.rename(profile, label)
    return {"profile": new, "message": f"{profile} is called {new} now", "was": profile}


def change(registry: Registry, profile: str, **given: Argument) -> Changed:
    """Change a profile's key, account, address, priority or tags."""
    registry.require(profile)
    if not given:
        raise Refused("bad_argument", "say what to change: --key, --account, --base-url, --priority or --tag")
    registry.change(profile, **given)  # type: ignore[arg-type]
    changed = ", ".join("key" if name == "secret" else name for name in given)
    return {"profile": profile, "message": f"{profile}: {changed} changed", "changed": changed}


PROFILE_VERBS: Mapping[str, Callable[..., Done | Renamed | Changed | RemovedProfile]] = {
    "profiles-add": add,
    "profiles-adopt": adopt,
    "profiles-confirm": confirm,
    "profiles-remove": remove,
    "profiles-bring-back": bring_back,
    "profiles-forget": forget,
    "profiles-rename": rename,
    "profiles-set": change,
}
