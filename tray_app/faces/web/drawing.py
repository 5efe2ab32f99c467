"""How pages are answered: the headers they are sent with, and the way to what draws them."""

from __future__ import annotations

import asyncio
import gzip
from types import ModuleType

from starlette.requests import Request
from starlette.responses import HTMLResponse

from tray_app.control.verbs import Refused
from tray_app.control.views import AppState
from tray_app.faces.web.answering import STATUS
from tray_app.faces.web.shell import language_of, shell_of

PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    # With no-referrer a browser names no origin to its own site either, and the door turns such forms away.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def drawing() -> ModuleType:
    """The drawing of pages, imported when first wanted: it brings a template engine."""
    from tray_app.faces.web import report

    return report


async def drawn(request: Request, template: str, here: str, state: AppState, **given: object) -> HTMLResponse:
    """The page `here`: `template` in the shell, with what is `given` to it."""
    shell = shell_of(request, here, state)
    return as_sent(request, await asyncio.to_thread(lambda: drawing().page(template, shell, **given)))


def as_sent(request: Request, page: str) -> HTMLResponse:
    """A page, compressed for whoever takes it so."""
    if not takes_gzip(request):
        return HTMLResponse(page, headers=PAGE_HEADERS)
    return HTMLResponse(gzip.compress(page.encode(), 5), headers={**PAGE_HEADERS, "content-encoding": "gzip"})


def takes_gzip(request: Request) -> bool:
    """Whether the client reads gzip. All browsers do; a script may not."""
    return "gzip" in request.headers.get("accept-encoding", "")


async def unavailable(request: Request, error: Exception) -> HTMLResponse:
    """What is shown where a page was refused what it is made of."""
    report = await asyncio.to_thread(drawing)
    code, words = (STATUS.get(error.code, 409), error.message) if isinstance(error, Refused) else (500, str(error))
    return HTMLResponse(report.unavailable(words, locale=language_of(request)), code, headers=PAGE_HEADERS)


async def signed_out(request: Request) -> HTMLResponse:
    """What a browser without a session is shown."""
    report = await asyncio.to_thread(drawing)
    return HTMLResponse(report.signed_out(locale=language_of(request)), 401, headers=PAGE_HEADERS)
