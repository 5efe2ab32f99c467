"""The first page of the report, which is also where a ticket becomes a session."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.faces.web.drawing import drawing, packed, signed_out
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell import pages_of, shell_of

HERE = "/report"


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The address of the page."""
    return [Route(HERE, _Overview(service, sessions).show, methods=["GET"])]


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
        view = await self._service.report_view()
        shell = shell_of(request, "overview", view.status.state)
        return packed(await asyncio.to_thread(lambda: drawing().render(view, shell)))

    async def _let_in(self, request: Request, ticket: str) -> Response:
        session = self._sessions.redeem(ticket)
        if session is None:
            return await signed_out(request)
        wanted = request.query_params.get("page", "")
        where = next((page.address for page in pages_of(request) if page.name == wanted), HERE)
        response = RedirectResponse(where, 303, headers={"cache-control": "no-store"})
        response.set_cookie(self._sessions.cookie, session, httponly=True, samesite="strict", path="/")
        return response
