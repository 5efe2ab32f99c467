"""What all pages share: the headers they are sent with, the language they are in, the way to what draws them."""

from __future__ import annotations

import asyncio
from types import ModuleType

from starlette.requests import Request
from starlette.responses import HTMLResponse

PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def drawing() -> ModuleType:
    """The drawing of pages, imported when first wanted: it brings a template engine."""
    from tray_app.faces.web import report

    return report


def language_of(request: Request) -> str:
    """The language that the browser likes best."""
    wanted = request.headers.get("accept-language", "en").partition(",")[0].partition(";")[0]
    return wanted.strip().replace("-", "_")


async def signed_out() -> HTMLResponse:
    """What a browser without a session is shown."""
    report = await asyncio.to_thread(drawing)
    return HTMLResponse(report.signed_out(), 401, headers=PAGE_HEADERS)
