"""The admin API and the usage report on Starlette. Errors are problem+json (RFC 9457)."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tray_app.control import archive
from tray_app.control.service import Service
from tray_app.control.verbs import VERBS, Refused, Verb
from tray_app.core.redact import brief
from tray_app.faces.web.drawing import PAGE_HEADERS, drawing, language_of, signed_out
from tray_app.faces.web.profiles import ProfilePages
from tray_app.faces.web.sessions import COOKIE, Sessions

MAX_BODY = 65_536
_STATUS = {"not_found": 404, "conflict": 409, "bad_argument": 422, "unavailable": 503, "unauthorized": 401}
_TOKEN_ONLY = frozenset({"token"})  # what it gives opens the proxy, so no page may have it
_ACTORS = frozenset({"cli", "api", "mcp", "web", "tray"})
Handler = Callable[[Request], Awaitable[Response]]


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
            Route("/api/v1/status", pages.guarded(pages.status), methods=["GET"]),
            Route("/api/v1/profiles", pages.guarded(pages.profiles), methods=["GET"]),
            Route("/api/v1/requests", pages.guarded(pages.requests), methods=["GET"]),
            Route("/api/v1/requests/{request_id}", pages.guarded(pages.request), methods=["GET"]),
            Route("/api/v1/export/{what}", pages.guarded(pages.export), methods=["GET"]),
            Route("/api/v1/verbs/{name}", pages.guarded(pages.verb), methods=["POST"]),
            Route("/api/v1/openapi.json", pages.openapi, methods=["GET"]),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed, 500: _broken},
    )


_PAGES = {"profiles": "/profiles"}  # what a ticket may lead to, beside the report


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

    async def export(self, request: Request) -> Response:
        what, form = request.path_params["what"], request.query_params.get("format", "csv")
        since = request.query_params.get("since")
        start = None if since is None else _whole_number("since", since)
        pieces = await self._service.export(what, form, start)
        headers = {
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="o-switcher-{what}.{form}"',
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(pieces, media_type=archive.MEDIA_TYPES[form], headers=headers)

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
    return _problem(404, "not_found", f"there is nothing at {brief(request.url.path)}")


async def _not_allowed(request: Request, error: Exception) -> Response:
    return _problem(405, "not_allowed", f"{request.method} is not possible at {brief(request.url.path)}")


async def _broken(request: Request, error: Exception) -> Response:
    return _problem(500, "broken", "something went wrong inside O-Switcher; its log says what")


@lru_cache(maxsize=16)
def _static(name: str) -> tuple[bytes, str] | None:
    found = drawing().static_file(name)
    return None if found is None else (gzip.compress(found[0], 6), found[1])


_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _openapi(version: str) -> dict[str, object]:
    """The description of the API, made from the table of verbs."""
    paths: dict[str, object] = {f"/api/v1/verbs/{verb.name}": {"post": _operation(verb)} for verb in VERBS.values()}
    for path, summary in (
        ("/api/v1/status", "one screen of state"),
        ("/api/v1/profiles", "all profiles"),
        ("/api/v1/requests", "recent requests; takes the arguments of the verb history as a query"),
        ("/api/v1/export/{what}", "all requests, attempts, failovers or quota-events, as a file"),
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
    name = path.partition("{")[2].partition("}")[0]
    if not name:
        return {}
    schema: dict[str, object] = {"type": "string"}
    parameters = [{"name": name, "in": "path", "required": True, "schema": schema}]
    if name == "what":
        schema["enum"] = list(archive.KINDS)
        form = {"type": "string", "enum": list(archive.FORMATS), "default": "csv"}
        parameters.append({"name": "format", "in": "query", "required": False, "schema": form})
        parameters.append({"name": "since", "in": "query", "required": False, "schema": {"type": "integer"}})
    return {"parameters": parameters}


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
