"""Pages whose forms do something: who may, what is said of it, and where.

Plain forms, answered by a redirect; a browser with scripts (`deeds.js`) asks for the page itself, and changes only what
differs. A form counts only with the session's cookie, which no other site's page can send, and with the token that
this session's pages bring along.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.control.verbs import Refused
from tray_app.core.redact import redact
from tray_app.faces.web.drawing import PAGE_HEADERS, drawn, signed_out
from tray_app.faces.web.forms import Form, form_of
from tray_app.faces.web.sessions import Sessions, form_token, is_form_token
from tray_app.faces.web.shell import language_of
from tray_app.faces.web.shell_texts import words_for

ACTOR = "api"
BY_SCRIPT = "x-o-switcher-deed"  # with this header the page itself is the answer; no other site's page can send it


@dataclass(frozen=True, slots=True)
class Said:
    """What the page says once, of what was done. `about` is what it was done to, `undo` the deed that may follow."""

    words: str
    ok: bool = True
    about: str = ""
    undo: str | None = None
    then: str | None = None  # what the button of that deed says, if not that it takes something back
    kept: Form = field(default_factory=dict)  # what had been typed, but for secrets
    more: object = None  # what was asked for, to be shown once


Deed = Callable[[Form, str], Awaitable[Said]]  # what was sent, and the language of the page
Given = Callable[[Request, Said | None], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class DeedPage:
    """One page at `address`, drawn by `template` with what `given` gives; its forms name one of `deeds` in `do`.

    What follows a colon there goes to the deed as the field `with`.
    """

    service: Service
    sessions: Sessions
    name: str
    address: str
    template: str
    deeds: Mapping[str, Deed]
    given: Given
    _said: dict[str, Said] = field(default_factory=dict)  # by session

    def routes(self) -> list[Route]:
        """Its addresses."""
        return [
            Route(self.address, self._show, methods=["GET"]),
            Route(self.address, self._do, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        session = self.sessions.session(request.scope["headers"])
        if session is None:
            return await signed_out(request)
        return await self._drawn(request, session, self._said.pop(session, None))

    async def _drawn(self, request: Request, session: str, said: Said | None) -> Response:
        given = await self.given(request, said)
        return await drawn(
            request,
            self.template,
            self.name,
            self.service.status().state,
            now=self.service.clock(),
            said=said,
            token=form_token(session),
            address=self.address,
            **given,
        )

    async def _do(self, request: Request) -> Response:
        """Carry out what a form asks for, and show the page again."""
        session = self.sessions.session(request.scope["headers"])
        if session is None:
            return await signed_out(request)
        try:
            form = await form_of(request)
        except ClientDisconnect:
            return Response(status_code=499)
        except Refused as refused:
            return HTMLResponse(escape(refused.message), 400, headers=PAGE_HEADERS)
        language = language_of(request)
        if not is_form_token(form.get("token", ""), session):
            return HTMLResponse(words_for(language).stale, 403, headers=PAGE_HEADERS)
        said = await self._carried_out(form, language)
        if BY_SCRIPT in request.headers:
            return await self._drawn(request, session, said)
        self._said.update({session: said})
        for one in [one for one in self._said if not self.sessions.lives(one)]:
            del self._said[one]
        return RedirectResponse(self.address, 303, headers={"cache-control": "no-store"})

    async def _carried_out(self, form: Form, language: str) -> Said:
        name, _, more = form.get("do", "").partition(":")
        deed = self.deeds.get(name)
        if deed is None:
            return Said(words_for(language).unknown_deed, ok=False)
        try:
            return await deed({**form, "with": more}, language)
        except Refused as refused:
            return Said(refused.message, ok=False, about=redact(form.get("about", "")), kept=_kept(form))


def _kept(form: Form) -> Form:
    """What was typed, to be typed no second time; no key, and nothing that looks like one in a wrong place."""
    return {key: value for key, value in form.items() if key not in _NOT_KEPT and redact(value) == value}


_NOT_KEPT = frozenset({"secret", "token", "do", "with"})


async def perform(service: Service, verb: str, given: Mapping[str, object]) -> str:
    """Have a verb carried out; the sentence that its answer carries."""
    done = await service.perform(verb, given, ACTOR)
    return str(done["message"]) if isinstance(done, dict) else ""
