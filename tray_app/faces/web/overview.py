"""The first page of the report, which is also where a ticket becomes a session."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.control.verbs import Refused
from tray_app.control.views import Selection
from tray_app.faces.web.drawing import as_sent, drawing, signed_out
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell import pages_of, shell_of

HERE = "/report"


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The address of the page."""
    return [Route(HERE, _Overview(service, sessions).show, methods=["GET"])]


def selection_of(query: Mapping[str, str]) -> Selection:
    """What an address asks for; its words for the first and the last day are `from` and `to`."""
    names = {"days": "days", "first": "from", "last": "to"}
    fields = ("days", "first", "last", "profile", "model", "client", "provider")
    return Selection(*(query.get(names.get(field, field), "").strip() for field in fields))


class _Overview:
    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions

    async def show(self, request: Request) -> Response:
        ticket = request.query_params.get("ticket")
        if ticket is not None:
            return await self._let_in(request, ticket)
        if not self._sessions.has_session(request.scope["headers"]):
            return await signed_out(request)
        if not self._service.cell.pool.members and "all" not in request.query_params:
            return RedirectResponse("/profiles", 303, headers={"cache-control": "no-store"})
        selection, refused = selection_of(request.query_params), None
        try:
            view = await self._service.report_view(selection)
        except Refused as error:
            refused, kept = error.message, replace(selection, days="", first="", last="")
            view = await self._service.report_view(kept)
        shell = shell_of(request, "overview", view.status.state)
        return as_sent(request, await asyncio.to_thread(lambda: drawing().render(view, shell, refused=refused)))

    async def _let_in(self, request: Request, ticket: str) -> Response:
        session = self._sessions.redeem(ticket)
        if session is None:
            return await signed_out(request)
        wanted = request.query_params.get("page", "")
        where = next((page.address for page in pages_of(request) if page.name == wanted), HERE)
        response = RedirectResponse(where, 303, headers={"cache-control": "no-store"})
        response.set_cookie(self._sessions.cookie, session, httponly=True, samesite="strict", path="/")
        return response
