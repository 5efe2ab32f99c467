"""Believable statuses for the tray's tests, its runner and its screenshot. Nothing here decides anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tray_app.control.views import AppState, ChoiceView, ProfileView, QuotaView, Status, SwitchView

NOON = 1_782_475_200_000  # 2026-06-26 12:00 UTC, in milliseconds
MINUTE = 60_000


def profile(id_: str, **more: Any) -> ProfileView:
    """A ready profile; `id_` is its provider and its label, joined by a hyphen."""
    provider, _, label = id_.partition("-")
    fields: dict[str, Any] = {
        "id": id_,
        "provider": provider,
        "label": label,
        "account": "default",
        "state": "ready",
        "active": False,
        "preferred": False,
        "admin_state": "enabled",
        "reason": None,
        "resets_at": None,
        "reset_source": None,
        "in_flight": 0,
        "priority": 0,
        "key_tail": "7f3a",
        "base_url": f"https://{provider}.example/api/v1",
        "source": "cli",
        "title": _TITLES.get(provider, provider),
    }
    return ProfileView(**{**fields, **more})


_TITLES = {"openrouter": "OpenRouter", "anthropic": "Anthropic"}


def status(*profiles: ProfileView, **more: Any) -> Status:
    """A status that says of itself what its profiles say, unless told otherwise."""
    active = next((one.id for one in profiles if one.active), None)
    fields: dict[str, Any] = {
        "version": "1.0.0",
        "url": "http://127.0.0.1:4417",
        "state": AppState.READY if profiles else AppState.NEEDS_YOU,
        "headline": f"{active} is serving" if active else "no profile is serving",
        "active": active,
        "profiles": profiles,
        "last_switch": None,
        "requests_today": 128,
        "ledger": "ok",
        "dropped_facts": 0,
        "autostart": False,
        "history_path": "/home/ann/.local/share/o-switcher/history.db",
        "config_path": "/home/ann/.config/o-switcher/config.toml",
        "started_at": NOON - 90 * MINUTE,
    }
    return Status(**{**fields, **more})


def cooling(one: ProfileView, until: int = NOON + 125 * MINUTE) -> ProfileView:
    reason = "the rate limit is reached"
    return replace(one, state="cooling", active=False, reason=reason, resets_at=until, reset_source="header")


def left(id_: str, remaining: float = 12.4, **more: Any) -> QuotaView:
    """What is left of a cap of 50 dollars, until five hours on."""
    fields: dict[str, Any] = {
        "profile": id_,
        "name": "key limit",
        "remaining": remaining,
        "limit": 50.0,
        "unit": "usd",
        "used_percent": 100 - 2 * remaining,
        "resets_at": NOON + 300 * MINUTE,
        "source": "probe",
        "at": NOON,
    }
    return QuotaView(**{**fields, **more})


def pinned(one: Status, id_: str, until: int | None = NOON + 38 * MINUTE, **more: Any) -> Status:
    """`one` with that profile pinned by the operator."""
    profiles = tuple(replace(each, preferred=each.id == id_, pinned=each.id == id_) for each in one.profiles)
    return replace(one, profiles=profiles, choice=ChoiceView(id_, True, False, until, "", **more))


def paused(one: ProfileView) -> ProfileView:
    reason = "paused by the operator"
    return replace(one, state="paused", admin_state="paused", active=False, reason=reason)


def three(now: int = NOON) -> Status:
    """Three OpenRouter profiles: one has run dry, one serves, one is paused."""
    return status(
        cooling(
            profile("openrouter-main", left=left("openrouter-main", resets_at=now + 300 * MINUTE)), now + 38 * MINUTE
        ),
        profile("openrouter-work", active=True, key_tail="c04e"),
        paused(profile("openrouter-spare", key_tail="91bd")),
        state=AppState.DEGRADED,
        last_switch=SwitchView(
            now - 3 * MINUTE, "openrouter-main", "openrouter-work", "the rate limit is reached", False
        ),
    )


def many(count: int) -> Status:
    """So many ready profiles, the first one active."""
    return status(*(profile(f"openrouter-key{n:02}", active=n == 0) for n in range(count)))
