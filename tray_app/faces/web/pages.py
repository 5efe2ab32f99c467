"""The pages of the report on Starlette, beside the admin API. Here pages are registered."""

from __future__ import annotations

import asyncio
import gzip
from functools import lru_cache
from html import escape

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.control.verbs import Refused
from tray_app.faces.web import api, clients, event_pages, help, overview, profiles, request_pages, settings
from tray_app.faces.web.answering import broken, not_allowed, not_found, refusal
from tray_app.faces.web.drawing import PAGE_HEADERS, drawing, takes_gzip, unavailable
from tray_app.faces.web.forms import form_of
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell import LOOK, Page, choose_look

# In the order of the navigation.
PAGES: tuple[Page, ...] = (
    Page("overview", "/report", overview.routes),
    Page("profiles", "/profiles", profiles.routes),
    Page("requests", request_pages.HERE, request_pages.routes),
    Page("events", event_pages.HERE, event_pages.routes),
    Page("clients", "/report/clients", clients.routes),
    Page("settings", "/report/settings", settings.routes),
    Page("help", "/help", help.routes),
)


def build(service: Service, sessions: Sessions) -> Starlette:
    """The application for `service`."""
    site = Starlette(
        routes=[
            Route("/", _root, methods=["GET"]),
            Route(LOOK, _look, methods=["POST"]),
            *(route for page in PAGES for route in page.routes(service, sessions)),
            Route("/static/{name}", _static, methods=["GET"]),
            *api.routes(service, sessions),
        ],
        exception_handlers={404: not_found, 405: not_allowed, 500: broken, Refused: unavailable},
    )
    site.state.pages = PAGES
    return site


async def _root(request: Request) -> Response:
    return RedirectResponse(PAGES[0].address, 303)


async def _look(request: Request) -> Response:
    try:
        return choose_look(request, await form_of(request))
    except ClientDisconnect:
        return Response(status_code=499)
    except Refused as refused:
        return HTMLResponse(escape(refused.message), 400, headers=PAGE_HEADERS)


async def _static(request: Request) -> Response:
    found = await asyncio.to_thread(_file, request.path_params["name"])
    if found is None:
        return refusal("not_found", "there is no such file")
    plain, packed, kind = found
    headers = {"cache-control": "private, max-age=300", "vary": "accept-encoding", "x-content-type-options": "nosniff"}
    if not takes_gzip(request):
        return Response(plain, media_type=kind, headers=headers)
    return Response(packed, media_type=kind, headers={**headers, "content-encoding": "gzip"})


@lru_cache(maxsize=64)
def _file(name: str) -> tuple[bytes, bytes, str] | None:
    """A file as it is, compressed, and its type."""
    found = drawing().static_file(name)
    return None if found is None else (found[0], gzip.compress(found[0], 6), found[1])
