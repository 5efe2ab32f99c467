"""The page of settings: what is in force, where it comes from, and single changes of the file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.control.verbs import Refused
from tray_app.control.views import SettingView
from tray_app.faces.web.deeds import ACTOR, DeedPage, Said, perform
from tray_app.faces.web.forms import Form
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.settings_texts import words_for
from tray_app.faces.web.shell import language_of

HERE = "/report/settings"
LICENCE = "Apache-2.0"

# In which section a setting stands: by the longest beginning of its key. The order is that of the page.
_SECTIONS: Mapping[str, Sequence[str]] = {
    "login": (),
    "notifications": ("notifications.",),
    "routing": ("switcher.strategy", "switcher.on_auth_error", "switcher.failback_after_s", "discovery."),
    "quota": ("quota.",),
    "history": ("history.",),
    "waiting": ("switcher.", "streams."),
    "proxy": ("proxy.port", "proxy.max_body_mb"),
    "breaker": ("switcher.circuit_breaker.",),
    "score": ("switcher.routing_weights.", "switcher.timeout", "switcher.max_expected_latency_ms"),
    "timeouts": ("timeouts.",),
    "file": ("",),
}
_FOLDED = frozenset({"breaker", "score", "timeouts", "file"})  # for those who look for it


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The address of the page."""
    page = _Settings(service)
    deeds = {"set": page.set, "reset": page.reset, "undo": page.undo, "login": page.login}
    return DeedPage(service, sessions, "settings", HERE, "settings.html", deeds, page.given).routes()


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that belong together. `folded`: shown on demand."""

    name: str
    settings: tuple[SettingView, ...]
    folded: bool


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the page shows, and what its forms ask for."""

    service: Service

    async def given(self, request: Request, said: Said | None) -> Mapping[str, Any]:
        """What the template draws."""
        view, status = self.service.configuration.view(), self.service.status()
        folder = await self.service.perform("folder", {}, ACTOR)
        assert isinstance(folder, dict)  # noqa: S101 - the verb's own kind
        return {
            "w": words_for(language_of(request)),
            "view": view,
            "file": PurePath(view.path).name,
            "sections": sections(view.settings),
            "status": status,
            "folder": folder["path"],
            "decisions": self.service.decisions_path,
            "by_environment": bool(os.environ.get("O_SWITCHER_HOME")),
            "store": self.service.registry.vault.store.name,
            "licence": LICENCE,
            "shown": shown,
        }

    async def set(self, form: Form, language: str) -> Said:
        """One setting is changed."""
        key, value = form.get("about", ""), form.get("value", "").strip()
        found = next((one for one in self.service.configuration.view().settings if one.key == key), None)
        if found is not None and found.kind == "numbers":
            value = f"[{value.strip('[]')}]"
        if not value:
            raise Refused("bad_argument", f"{key} needs a value; its default comes back with: {_reset(language)}")
        await perform(self.service, "config-set", {"key": key, "value": value})
        words = words_for(language)
        at_start = found is not None and found.at_start
        return Said((words.changed_at_start if at_start else words.changed).format(key=key), about=key, undo="undo")

    async def reset(self, form: Form, language: str) -> Said:
        """One has its default again."""
        key = form.get("about", "")
        await perform(self.service, "config-reset", {"key": key})
        return Said(words_for(language).is_reset.format(key=key), about=key, undo="undo")

    async def undo(self, form: Form, language: str) -> Said:
        """The latest change is taken back."""
        done = await self.service.perform("config-undo", {}, ACTOR)
        key = str(done["key"]) if isinstance(done, dict) else ""
        return Said(words_for(language).taken_back.format(key=key), about=key)

    async def login(self, form: Form, language: str) -> Said:
        """Launch at login, or not."""
        wanted = form["with"] == "on"
        await perform(self.service, "autostart", {"enabled": wanted})
        words = words_for(language)
        return Said(words.login_on if wanted else words.login_off)


def _reset(language: str) -> str:
    return words_for(language).reset


def sections(settings: Sequence[SettingView]) -> tuple[Section, ...]:
    """The settings in their sections."""
    return tuple(
        Section(name, tuple(one for one in settings if _section_of(one) == name), name in _FOLDED) for name in _SECTIONS
    )


def _section_of(setting: SettingView) -> str:
    if not setting.editable:
        return "file"
    return max(_beginnings(setting.key), default=(0, "file"))[1]


def _beginnings(key: str) -> Iterator[tuple[int, str]]:
    for name, beginnings in _SECTIONS.items():
        for one in beginnings:
            if key.startswith(one):
                yield len(one), name


def shown(value: object) -> str:
    """A value as it is written in a field: whole numbers without decimals, lists with commas."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
