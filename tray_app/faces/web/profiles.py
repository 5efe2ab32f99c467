"""The start page, where there is no profile yet, and the page that manages them later.

Plain forms, answered by a redirect: no script is needed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from html import escape

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.registry import Standing
from tray_app.control.service import Service
from tray_app.control.verbs import Refused
from tray_app.control.views import ProfileView
from tray_app.core.providers import KeyHeader, canonical
from tray_app.faces.web.drawing import PAGE_HEADERS, drawn, signed_out
from tray_app.faces.web.forms import Form, form_of
from tray_app.faces.web.profile_texts import ProfileWords, words_for
from tray_app.faces.web.sessions import Sessions, form_token, is_form_token
from tray_app.faces.web.shell import language_of
from tray_app.faces.web.shell_texts import words_for as shell_words_for

HERE = "/profiles"
_ACTOR = "api"
_MEANT = frozenset({Standing.NEW, Standing.ASKS})


@dataclass(slots=True)
class Said:
    """What the page says once, of what was done. `undo` is a removed profile that can be had back."""

    words: str
    ok: bool
    undo: str | None = None
    kept: Form = field(default_factory=dict)  # what had been typed, but for the key


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The addresses of the page."""
    pages = ProfilePages(service, sessions)
    return [Route(HERE, pages.show, methods=["GET"]), Route(HERE, pages.change, methods=["POST"])]


class ProfilePages:
    """Shows and changes profiles."""

    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions
        self._said: dict[str, Said] = {}  # by session

    async def show(self, request: Request) -> Response:
        """The page."""
        session = self._sessions.session(request.scope["headers"])
        if session is None:
            return await signed_out(request)
        status = self._service.status()
        findings = await self._service.perform("discover", {}, _ACTOR)
        assert isinstance(findings, list)  # noqa: S101 - the verb's own kind
        said, locale = self._said.pop(session, None), language_of(request)
        return await drawn(
            request,
            "profiles.html",
            "profiles",
            status.state,
            now=self._service.clock(),
            w=words_for(locale),
            status=status,
            found=findings,
            meant=sum(one.standing in _MEANT for one in findings),
            providers=[one for one in self._service.providers().values() if one.key_header is not KeyHeader.NONE],
            said=said,
            token=form_token(session),
        )

    async def change(self, request: Request) -> Response:
        """Carry out what a form of the page asks for, and show the page again."""
        session = self._sessions.session(request.scope["headers"])
        if session is None:
            return await signed_out(request)
        words = words_for(language_of(request))
        try:
            form = await form_of(request)
        except ClientDisconnect:
            return Response(status_code=499)
        except Refused as refused:
            return HTMLResponse(escape(refused.message), 400, headers=PAGE_HEADERS)
        if not is_form_token(form.get("token", ""), session):
            return HTMLResponse(shell_words_for(language_of(request)).stale, 403, headers=PAGE_HEADERS)
        deed = _DEEDS.get(form.get("do", ""))
        try:
            said = Said(words.unknown, ok=False) if deed is None else await deed(self, form, words)
        except Refused as refused:
            said = Said(refused.message, ok=False, kept=_without_key(form))
        living = {one: what for one, what in self._said.items() if self._sessions.lives(one)}
        self._said = {**living, session: said}
        return _back()

    # -- what forms ask for

    async def _add(self, form: Form, words: ProfileWords) -> Said:
        """A key is asked about before it is kept; one that its provider refuses is not kept."""
        name, secret = canonical(form.get("provider", "")), form.get("secret", "").strip()
        provider = self._service.providers().get(name)
        if provider is None or not secret:
            return Said(words.no_key, ok=False, kept=_without_key(form))
        url = form.get("base_url", "").strip().rstrip("/")
        where = self._service.registry.fit_address(url or provider.base_url)
        check = await self._service.check_key(name, where, self._service.registry.fit_secret(secret))
        if check.taken is False or (check.taken is None and "anyway" not in form):
            hint = words.refused if check.taken is False else words.unchecked
            return Said(f"{check.words}. {hint}", ok=False, kept=_without_key(form))
        given: dict[str, object] = {"provider": name, "secret": secret}
        given |= {"label": form.get("label", "").strip() or self._service.registry.free_label(name, "main")}
        given |= {key: form[key].strip() for key in ("account", "base_url") if form.get(key, "").strip()}
        done = await self._perform("profiles-add", given)
        return Said(f"{check.words}. {done}", ok=True)

    async def _take_over(self, form: Form, words: ProfileWords) -> Said:
        found = await self._service.perform("discover", {"apply": True}, _ACTOR)
        assert isinstance(found, list)  # noqa: S101 - the verb's own kind
        taken = [one.profile for one in found if one.words.startswith("taken over")]
        return Said(words.taken.format(names=", ".join(taken)) if taken else words.nothing, ok=bool(taken))

    async def _change(self, form: Form, words: ProfileWords) -> Said:
        """Account and priority first: with the label the profile's name changes."""
        name, view = form.get("profile", ""), self._view(form)
        given: dict[str, object] = {}
        if (account := form.get("account", "").strip()) != view.account:
            given["account"] = account
        if (priority := _whole(form.get("priority", ""), words)) != view.priority:
            given["priority"] = priority
        said = [await self._perform("profiles-set", {"profile": name, **given})] if given else []
        if (label := form.get("label", "").strip()) != view.label:
            said.append(await self._perform("profiles-rename", {"profile": name, "label": label}))
        return Said("; ".join(said) or words.unchanged, ok=True)

    def _view(self, form: Form) -> ProfileView:
        for view in self._service.status().profiles:
            if view.id == form.get("profile"):
                return view
        raise Refused("not_found", f"no profile is called {form.get('profile', '')!r}")

    async def _remove(self, form: Form, words: ProfileWords) -> Said:
        name = form.get("profile", "")
        return Said(await self._perform("profiles-remove", {"profile": name}), ok=True, undo=name)

    async def _perform(self, verb: str, given: Mapping[str, object]) -> str:
        done = await self._service.perform(verb, given, _ACTOR)
        return str(done["message"]) if isinstance(done, dict) else ""


Deed = Callable[[ProfilePages, Form, ProfileWords], Awaitable[Said]]


def _verb(name: str) -> Deed:
    """A form that asks for one verb about one profile."""

    async def deed(page: ProfilePages, form: Form, words: ProfileWords) -> Said:
        return Said(await page._perform(name, {"profile": form.get("profile", "")}), ok=True)

    return deed


_DEEDS: Mapping[str, Deed] = {
    "add": ProfilePages._add,
    "take-over": ProfilePages._take_over,
    "change": ProfilePages._change,
    "remove": ProfilePages._remove,
    "undo": _verb("profiles-bring-back"),
    "pause": _verb("pause"),
    "resume": _verb("resume"),
    "enable": _verb("enable"),
    "confirm": _verb("profiles-confirm"),
    "retry": _verb("retry-now"),
}


def _back() -> Response:
    return RedirectResponse(HERE, 303, headers={"cache-control": "no-store"})


def _without_key(form: Form) -> Form:
    return {name: value for name, value in form.items() if name in ("provider", "label", "account", "base_url")}


def _whole(text: str, words: ProfileWords) -> int:
    try:
        return int(text.strip() or 0)
    except ValueError as error:
        raise Refused("bad_argument", words.no_number) from error
