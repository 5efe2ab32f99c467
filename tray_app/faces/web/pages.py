"""The admin API and the usage report on Starlette. Errors are problem+json (RFC 9457)."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from functools import lru_cache
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.control.verbs import VERBS, Refused, Verb
from tray_app.faces.web import key_form
from tray_app.faces.web.sessions import COOKIE, Sessions

MAX_BODY = 65_536
_STATUS = {"not_found": 404, "conflict": 409, "bad_argument": 422, "unavailable": 503, "unauthorized": 401}
_TOKEN_ONLY = frozenset({"token"})  # what it gives opens the proxy, so no page may have it
_ACTORS = frozenset({"cli", "api", "mcp", "web", "tray"})
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}

Handler = Callable[[Request], Awaitable[Response]]


def build(service: Service, sessions: Sessions) -> Starlette:
    """The application for `service`."""
    pages = _Pages(service, sessions)
    return Starlette(
        routes=[
            Route("/", pages.root, methods=["GET"]),
            Route("/report", pages.report, methods=["GET"]),
            Route("/report/key", pages.ask_for_key, methods=["GET"]),
            Route("/report/key", pages.take_key, methods=["POST"]),
            Route("/static/{name}", pages.static, methods=["GET"]),
            Route("/api/v1/status", pages.guarded(pages.status), methods=["GET"]),
            Route("/api/v1/profiles", pages.guarded(pages.profiles), methods=["GET"]),
            Route("/api/v1/requests", pages.guarded(pages.requests), methods=["GET"]),
            Route("/api/v1/requests/{request_id}", pages.guarded(pages.request), methods=["GET"]),
            Route("/api/v1/verbs/{name}", pages.guarded(pages.verb), methods=["POST"]),
            Route("/api/v1/openapi.json", pages.openapi, methods=["GET"]),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed, 500: _broken},
    )


class _Pages:
    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions

    def guarded(self, handler: Handler) -> Handler:
        """`handler`, for the admin token or a session only; refusals become problem+json."""

        async def checked(request: Request) -> Response:
            headers = request.scope["headers"]
            if not self._sessions.has_token(headers) and not self._sessions.has_session(headers):
                return _problem(401, "unauthorized", "the admin API needs the token in running.json, or a session")
            try:
                return await handler(request)
            except Refused as refused:
                return _problem(_STATUS.get(refused.code, 409), refused.code, refused.message)
            except ClientDisconnect:
                return Response(status_code=499)

        return checked

    async def root(self, request: Request) -> Response:
        return RedirectResponse("/report", 303)

    async def report(self, request: Request) -> Response:
        ticket = request.query_params.get("ticket")
        if ticket is not None:
            return await self._let_in(ticket, "/report")
        if not self._sessions.has_session(request.scope["headers"]):
            return await self._signed_out()
        report = await asyncio.to_thread(_report)
        view = await self._service.report_view()
        wanted = _language(request)
        page = await asyncio.to_thread(lambda: gzip.compress(report.render(view, locale=wanted).encode(), 5))
        return HTMLResponse(page, headers={**_PAGE_HEADERS, "content-encoding": "gzip"})

    async def ask_for_key(self, request: Request) -> Response:
        ticket, profile = request.query_params.get("ticket"), request.query_params.get("profile")
        if ticket is not None:
            here = "/report/key" + (f"?{urlencode({'profile': profile})}" if profile else "")
            return await self._let_in(ticket, here)
        if not self._sessions.has_session(request.scope["headers"]):
            return await self._signed_out()
        return await self._key_page(request, key_form.Entered(profile or None))

    async def take_key(self, request: Request) -> Response:
        """From a page of ours alone: the door has looked where it comes from, the cookie goes to no other site."""
        if not self._sessions.has_session(request.scope["headers"]):
            return await self._signed_out()
        fields: dict[str, str] = {}
        try:
            fields = key_form.read(await _body(request))
            await key_form.save(self._service, fields)
        except Refused as refused:
            return await self._key_page(request, key_form.entered_in(fields), refused)
        except ClientDisconnect:
            return Response(status_code=499)
        return RedirectResponse("/report#profiles", 303, headers={"cache-control": "no-store"})

    async def _key_page(self, request: Request, entered: key_form.Entered, refused: Refused | None = None) -> Response:
        trouble = None if refused is None else refused.message
        wanted = _language(request)
        page = await asyncio.to_thread(lambda: key_form.render(self._service, entered, wanted, trouble))
        status = 200 if refused is None else _STATUS.get(refused.code, 409)
        # without a referrer a browser sends a form from nowhere: the door would take it for another site's
        return HTMLResponse(page, status, headers={**_PAGE_HEADERS, "referrer-policy": "same-origin"})

    async def _signed_out(self) -> Response:
        report = await asyncio.to_thread(_report)
        return HTMLResponse(report.signed_out(), 401, headers=_PAGE_HEADERS)

    async def _let_in(self, ticket: str, where: str) -> Response:
        session = self._sessions.redeem(ticket)
        if session is None:
            return await self._signed_out()
        response = RedirectResponse(where, 303, headers={"cache-control": "no-store"})
        response.set_cookie(COOKIE, session, httponly=True, samesite="strict", path="/")
        return response

    async def static(self, request: Request) -> Response:
        found = await asyncio.to_thread(_static, request.path_params["name"])
        if found is None:
            return _problem(404, "not_found", "there is no such file")
        packed, kind = found
        headers = {
            "content-encoding": "gzip",
            "cache-control": "private, max-age=300",
            "x-content-type-options": "nosniff",
        }
        return Response(packed, media_type=kind, headers=headers)

    async def status(self, request: Request) -> Response:
        return _json(self._service.status())

    async def profiles(self, request: Request) -> Response:
        return _json(self._service.status().profiles)

    async def requests(self, request: Request) -> Response:
        query: dict[str, Any] = dict(request.query_params)
        for name in ("limit", "since"):
            if name in query:
                query[name] = _whole_number(name, query[name])
        return _json(await self._service.perform("history", query, "api"))

    async def request(self, request: Request) -> Response:
        found = await self._service.perform("inspect", {"request_id": request.path_params["request_id"]}, "api")
        return _json(found)

    async def verb(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        if not kind.startswith("application/json"):
            raise Refused("bad_argument", "send JSON with content-type: application/json")
        if request.path_params["name"] in _TOKEN_ONLY and not self._sessions.has_token(request.scope["headers"]):
            raise Refused("bad_argument", "a browser may not ask for tokens; print them with: o-switcher token")
        arguments = _arguments(await _body(request))
        actor = request.headers.get("x-o-switcher-actor", "api")
        result = await self._service.perform(
            request.path_params["name"], arguments, actor if actor in _ACTORS else "api"
        )
        return _json(result)

    async def openapi(self, request: Request) -> Response:
        return _json(_openapi(self._service.about.version))


def _report() -> ModuleType:
    """The report's drawing, imported when first wanted: it brings a template engine."""
    from tray_app.faces.web import report

    return report


def _language(request: Request) -> str:
    """The language that the browser asks for first, such as `ru_RU`."""
    first = request.headers.get("accept-language", "en").partition(",")[0]
    return first.partition(";")[0].strip().replace("-", "_")


async def _body(request: Request) -> bytes:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY:
            raise Refused("bad_argument", f"the body is over {MAX_BODY} bytes")
    return data


def _arguments(data: bytes) -> dict[str, object]:
    try:
        document = msgspec.json.decode(data) if data.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("bad_argument", f"the body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refused("bad_argument", "the body must be a JSON object with the verb's arguments")
    return document


def _whole_number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Refused("bad_argument", f"{name} must be a whole number") from error


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


def _problem(status: int, code: str, detail: str) -> Response:
    document = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return Response(msgspec.json.encode(document), status, media_type="application/problem+json")


async def _not_found(request: Request, error: Exception) -> Response:
    return _problem(404, "not_found", f"there is nothing at {request.url.path}")


async def _not_allowed(request: Request, error: Exception) -> Response:
    return _problem(405, "not_allowed", f"{request.method} is not possible at {request.url.path}")


async def _broken(request: Request, error: Exception) -> Response:
    return _problem(500, "broken", "something went wrong inside O-Switcher; its log says what")


@lru_cache(maxsize=16)
def _static(name: str) -> tuple[bytes, str] | None:
    found = _report().static_file(name)
    return None if found is None else (gzip.compress(found[0], 6), found[1])


_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _openapi(version: str) -> dict[str, object]:
    """The description of the API, made from the table of verbs."""
    paths: dict[str, object] = {f"/api/v1/verbs/{verb.name}": {"post": _operation(verb)} for verb in VERBS.values()}
    for path, summary in (
        ("/api/v1/status", "one screen of state"),
        ("/api/v1/profiles", "all profiles"),
        ("/api/v1/requests", "recent requests"),
        ("/api/v1/requests/{request_id}", "the full trace of a request"),
    ):
        paths[path] = {"get": {"summary": summary, "responses": _RESPONSES, **_path_parameters(path)}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "O-Switcher", "version": version},
        "paths": paths,
        "components": {"securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}}},
        "security": [{"admin": []}],
    }


_RESPONSES = {
    "200": {"description": "done"},
    "default": {"description": "refused, as application/problem+json"},
}


def _path_parameters(path: str) -> dict[str, object]:
    if "{" not in path:
        return {}
    return {"parameters": [{"name": "request_id", "in": "path", "required": True, "schema": {"type": "string"}}]}


def _operation(verb: Verb) -> dict[str, object]:
    properties = {
        parameter.name: {"type": _KINDS[parameter.kind], "description": parameter.help} for parameter in verb.parameters
    }
    required = [parameter.name for parameter in verb.parameters if parameter.required]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {
        "summary": verb.summary,
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": _RESPONSES,
    }
