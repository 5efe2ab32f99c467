"""The usage report on Starlette, beside the page of profiles and the admin API."""

from __future__ import annotations

import asyncio
import gzip
from functools import lru_cache

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.faces.web import api
from tray_app.faces.web.answering import broken, not_allowed, not_found, refusal
from tray_app.faces.web.drawing import PAGE_HEADERS, drawing, language_of, signed_out
from tray_app.faces.web.profiles import ProfilePages
from tray_app.faces.web.sessions import Sessions


def build(service: Service, sessions: Sessions) -> Starlette:
    """The application for `service`."""
    pages = _Pages(service, sessions)
    managing = ProfilePages(service, sessions)
    return Starlette(
        routes=[
            Route("/", pages.root, methods=["GET"]),
            Route("/report", pages.report, methods=["GET"]),
            Route("/profiles", managing.show, methods=["GET"]),
            Route("/profiles", managing.change, methods=["POST"]),
            Route("/static/{name}", pages.static, methods=["GET"]),
            *api.routes(service, sessions),
        ],
        exception_handlers={404: not_found, 405: not_allowed, 500: broken},
    )


_PAGES = {"profiles": "/profiles"}  # what a ticket may lead to, beside the report


class _Pages:
    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions

    async def root(self, request: Request) -> Response:
        return RedirectResponse("/report", 303)

    async def report(self, request: Request) -> Response:
        ticket = request.query_params.get("ticket")
        if ticket is not None:
            return await self._let_in(ticket, _PAGES.get(request.query_params.get("page", ""), "/report"))
        if not self._sessions.has_session(request.scope["headers"]):
            return await self._signed_out()
        if not self._service.cell.pool.members and "all" not in request.query_params:
            return RedirectResponse("/profiles", 303, headers={"cache-control": "no-store"})
        report = await asyncio.to_thread(drawing)
        view = await self._service.report_view()
        wanted = language_of(request)
        page = await asyncio.to_thread(lambda: gzip.compress(report.render(view, locale=wanted).encode(), 5))
        return HTMLResponse(page, headers={**PAGE_HEADERS, "content-encoding": "gzip"})

    async def _signed_out(self) -> Response:
        return await signed_out()

    async def _let_in(self, ticket: str, where: str) -> Response:
        session = self._sessions.redeem(ticket)
        if session is None:
            return await self._signed_out()
        response = RedirectResponse(where, 303, headers={"cache-control": "no-store"})
        response.set_cookie(self._sessions.cookie, session, httponly=True, samesite="strict", path="/")
        return response

    async def static(self, request: Request) -> Response:
        found = await asyncio.to_thread(_static, request.path_params["name"])
        if found is None:
            return refusal("not_found", "there is no such file")
        packed, kind = found
        headers = {
            "content-encoding": "gzip",
            "cache-control": "private, max-age=300",
            "x-content-type-options": "nosniff",
        }
        return Response(packed, media_type=kind, headers=headers)


@lru_cache(maxsize=16)
def _static(name: str) -> tuple[bytes, str] | None:
    found = drawing().static_file(name)
    return None if found is None else (gzip.compress(found[0], 6), found[1])
