"""The manual in the report's shell: an index with a search, and a page for each file of the documentation."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.faces.web import manual
from tray_app.faces.web.answering import refusal
from tray_app.faces.web.drawing import drawn, signed_out
from tray_app.faces.web.help_texts import words_for
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell import language_of

HERE = "help"
LONGEST = 100  # characters of a question


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The addresses of the manual."""
    pages = _Help(service, sessions)
    return [
        Route(manual.ADDRESS, pages.index, methods=["GET"]),
        Route(f"{manual.ADDRESS}/{{name}}", pages.show, methods=["GET"]),
    ]


class _Help:
    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions

    async def index(self, request: Request) -> Response:
        if not self._sessions.has_session(request.scope["headers"]):
            return await signed_out(request)
        words = words_for(language_of(request))
        asked = request.query_params.get("q", "")[:LONGEST]
        found = await asyncio.to_thread(manual.index, words.lang, asked)
        state, now = self._service.status().state, self._service.clock()
        return await drawn(request, "help.html", HERE, state, now=now, w=words, asked=asked, found=found)

    async def show(self, request: Request) -> Response:
        if not self._sessions.has_session(request.scope["headers"]):
            return await signed_out(request)
        words, name = words_for(language_of(request)), request.path_params["name"]
        article = await asyncio.to_thread(manual.article, name, words.lang, words.beside)
        if article is None:
            return refusal("not_found", "there is no such page; see /help")
        around = await asyncio.to_thread(manual.neighbours, name, words.lang)
        state, now = self._service.status().state, self._service.clock()
        return await drawn(request, "help_page.html", HERE, state, now=now, w=words, article=article, around=around)
