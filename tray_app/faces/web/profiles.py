"""The start page, where there is no profile yet, and the page that manages them later."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.discovery import FoundView
from tray_app.control.registry import Standing
from tray_app.control.service import Service
from tray_app.control.verbs import UNDO_S, Refused
from tray_app.control.views import ProfileView, QuotaView
from tray_app.core.providers import KeyHeader, canonical
from tray_app.faces.web.deeds import ACTOR, DeedPage, Said, perform
from tray_app.faces.web.drawing import signed_out
from tray_app.faces.web.forms import Form
from tray_app.faces.web.profile_texts import ProfileWords, words_for
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell import language_of

HERE = "/profiles"
DEMO = "/report/demo"  # under which the door lets pages through
FOUND_S = 15.0  # so long what is on the machine is not looked for again
_MEANT = frozenset({Standing.NEW, Standing.ASKS})
MANY = 8  # profiles from which on the page offers to filter them
_HOUR_S = 3600.0


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The addresses of the page."""
    profiles = _Profiles(service)
    page = DeedPage(
        service,
        sessions,
        "profiles",
        HERE,
        "profiles.html",
        {
            "add": profiles.add,
            "take-over": profiles.take_over,
            "change": profiles.change,
            "use": profiles.use,
            "pin": profiles.pin,
            "unpin": profiles.unpin,
            "pause": profiles.pause,
            "resume": profiles.plain("resume"),
            "resume-all": profiles.resume_all,
            "enable": profiles.plain("enable"),
            "disable": profiles.plain("disable"),
            "drain": profiles.plain("drain"),
            "retry": profiles.retry,
            "confirm": profiles.plain("profiles-confirm"),
            "remove": profiles.remove,
            "undo": profiles.plain("profiles-bring-back"),
            "forget": profiles.plain("profiles-forget"),
            "demo": profiles.start_demo,
            "end-demo": profiles.end_demo,
        },
        profiles.given,
    )

    async def demo(request: Request) -> Response:
        """The way to the demo's report: another address, which no form may lead to."""
        if not sessions.has_session(request.scope["headers"]):
            return await signed_out(request)
        try:
            url = await service.demonstration.report()
        except Refused:
            url = HERE
        return RedirectResponse(url, 303, headers={"cache-control": "no-store"})

    return [*page.routes(), Route(DEMO, demo, methods=["GET"])]


@dataclass(slots=True)
class _Profiles:
    """What the page shows, and what its forms ask for."""

    service: Service
    _found: list[FoundView] = field(default_factory=list)
    _found_at: float = float("-inf")

    async def given(self, request: Request, said: Said | None) -> Mapping[str, Any]:
        """What the template draws."""
        status, quotas = self.service.status(), self.service.quotas()
        findings = await self._findings(afresh=said is not None)
        left: dict[str, list[QuotaView]] = {}
        for one in quotas:
            left.setdefault(one.profile, []).append(one)
        return {
            "w": words_for(language_of(request)),
            "status": status,
            "left": left,
            "many": MANY,
            "found": findings,
            "meant": sum(one.standing in _MEANT for one in findings),
            "providers": [one for one in self.service.providers().values() if one.key_header is not KeyHeader.NONE],
            "demo": self.service.demonstration.view(),
            "demo_address": DEMO,
            "kept": said.kept if said is not None else {},
        }

    async def _findings(self, *, afresh: bool) -> list[FoundView]:
        """What is on this machine; files are not read again at each event."""
        if afresh or time.monotonic() - self._found_at > FOUND_S:
            found = await self.service.perform("discover", {}, ACTOR)
            assert isinstance(found, list)  # noqa: S101 - the verb's own kind
            self._found, self._found_at = found, time.monotonic()
        return self._found

    # -- keys come

    async def add(self, form: Form, language: str) -> Said:
        """A key is asked about before it is kept; one that its provider refuses is not kept."""
        words, registry = words_for(language), self.service.registry
        name, secret = canonical(form.get("provider", "")), form.get("secret", "").strip()
        provider = self.service.providers().get(name)
        if provider is None or not secret:
            raise Refused("bad_argument", words.no_key)
        url = form.get("base_url", "").strip().rstrip("/")
        checked = await self._checked(name, url or provider.base_url, secret, form, words)
        given: dict[str, object] = {"provider": name, "secret": secret}
        given |= {"label": form.get("label", "").strip() or registry.free_label(name, "main")}
        given |= {key: form[key].strip() for key in ("account", "base_url", "tags") if form.get(key, "").strip()}
        if form.get("priority", "").strip():
            given["priority"] = _whole(form["priority"], words)
        return Said(f"{checked}. {await perform(self.service, 'profiles-add', given)}")

    async def _checked(self, name: str, url: str, secret: str, form: Form, words: ProfileWords) -> str:
        """What the provider says of a key.

        Raises:
            Refused: it does not take it, or cannot be asked and that does not do.
        """
        registry = self.service.registry
        check = await self.service.check_key(name, registry.fit_address(url), registry.fit_secret(secret))
        if check.taken is False or (check.taken is None and "anyway" not in form):
            hint = words.refused if check.taken is False else words.unchecked
            raise Refused("conflict", f"{check.words}. {hint}")
        return check.words

    async def take_over(self, form: Form, language: str) -> Said:
        """Take over what was found."""
        words = words_for(language)
        found = await self.service.perform("discover", {"apply": True}, ACTOR)
        assert isinstance(found, list)  # noqa: S101 - the verb's own kind
        taken = [one.profile for one in found if one.words.startswith("taken over")]
        return Said(words.taken.format(names=", ".join(taken)) if taken else words.nothing, ok=bool(taken))

    # -- they are changed

    async def change(self, form: Form, language: str) -> Said:
        """The label last: with it the profile's name changes."""
        words, name, view = words_for(language), form.get("about", ""), self._view(form)
        given: dict[str, object] = {}
        if (account := form.get("account", "").strip()) != view.account:
            given["account"] = account
        if (priority := _whole(form.get("priority", ""), words)) != view.priority:
            given["priority"] = priority
        if "tags" in form and (tags := _tags(form["tags"])) != ", ".join(view.tags):
            given["tags"] = tags
        said = []
        if secret := form.get("secret", "").strip():
            said.append(await self._checked(view.provider, view.base_url, secret, form, words))
            given["secret"] = secret
        if given:
            said.append(await perform(self.service, "profiles-set", {"profile": name, **given}))
        if (label := form.get("label", "").strip()) != view.label:
            said.append(await perform(self.service, "profiles-rename", {"profile": name, "label": label}))
        return Said("; ".join(said) or words.unchanged)

    def _view(self, form: Form) -> ProfileView:
        return self.service.profile(form.get("about", ""))

    # -- the operator's word

    async def use(self, form: Form, language: str) -> Said:
        """Prefer one."""
        return await self._ask("use", form, language)

    async def pin(self, form: Form, language: str) -> Said:
        """For an hour, for today, or until it is unpinned."""
        spans = {"1h": _HOUR_S, "today": _rest_of_today_s()}
        span = spans.get(form["with"])
        return await self._ask("pin", form, language, {} if span is None else {"for_s": span})

    async def unpin(self, form: Form, language: str) -> Said:
        """End what was chosen."""
        await perform(self.service, "unpin", {})
        return Said(words_for(language).done["unpin"])

    async def resume_all(self, form: Form, language: str) -> Said:
        """Requests pass again."""
        await perform(self.service, "resume-all", {})
        return Said(words_for(language).done["resume-all"])

    async def pause(self, form: Form, language: str) -> Said:
        """For a while, until a reset, or until it is resumed."""
        ways: dict[str, dict[str, object]] = {
            "30m": {"for_s": _HOUR_S / 2},
            "2h": {"for_s": 2 * _HOUR_S},
            "reset": {"until_reset": True},
        }
        return await self._ask("pause", form, language, ways.get(form["with"], {}))

    async def retry(self, form: Form, language: str) -> Said:
        """Nothing is held against it any more; its provider is asked."""
        name = form.get("about", "")
        return Said(await perform(self.service, "retry-now", {"profile": name}), about=name)

    async def remove(self, form: Form, language: str) -> Said:
        """It can be had back for a while."""
        said = await self._ask("profiles-remove", form, language, {"undo_s": UNDO_S})
        return Said(said.words, about=said.about, undo="undo")

    def plain(self, verb: str) -> _Plain:
        """A form that asks for one verb about one profile."""
        return _Plain(self, verb)

    async def _ask(self, verb: str, form: Form, language: str, more: Mapping[str, object] | None = None) -> Said:
        name = form.get("about", "")
        await perform(self.service, verb, {"profile": name, **(more or {})})
        return Said(words_for(language).done[verb].format(id=name, minutes=round(UNDO_S / 60)), about=name)

    # -- the demo

    async def start_demo(self, form: Form, language: str) -> Said:
        """Run it."""
        view = await self.service.perform("demo-start", {}, ACTOR)
        return Said(words_for(language).demo_runs.format(url=getattr(view, "url", "")))

    async def end_demo(self, form: Form, language: str) -> Said:
        """End it."""
        await perform(self.service, "demo-stop", {})
        return Said(words_for(language).done["demo-stop"])


@dataclass(frozen=True, slots=True)
class _Plain:
    profiles: _Profiles
    verb: str

    async def __call__(self, form: Form, language: str) -> Said:
        return await self.profiles._ask(self.verb, form, language)


def _whole(text: str, words: ProfileWords) -> int:
    try:
        return int(text.strip() or 0)
    except ValueError as error:
        raise Refused("bad_argument", words.no_number) from error


def _tags(text: str) -> str:
    return ", ".join(tag.strip() for tag in text.split(",") if tag.strip())


def _rest_of_today_s() -> float:
    """Until the next local midnight, in seconds."""
    now = datetime.now().astimezone()
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1.0, (midnight - now).total_seconds())
