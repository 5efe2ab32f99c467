"""The API's description of itself (OpenAPI 3.1), made from the table of verbs and the types of what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tray_app.control import archive
from tray_app.control.answers import ANSWERS
from tray_app.control.verbs import VERBS, Verb
from tray_app.control.views import ProfileView, QuotaView, Status
from tray_app.core.history import PastRequest, Trace
from tray_app.faces.web.answering import STATUS
from tray_app.faces.web.quota_stats import QuotaStats

# path -> what it shows, and as what
VIEWS: Mapping[str, tuple[str, Any]] = {
    "/api/v1/status": ("one screen of state", Status),
    "/api/v1/profiles": ("all profiles", list[ProfileView]),
    "/api/v1/profiles/{profile}": ("one profile", ProfileView),
    "/api/v1/quota": ("what is known to be left, without anybody being asked", list[QuotaView]),
    "/api/v1/requests": ("recent requests, the newest first", list[PastRequest]),
    "/api/v1/requests/{request_id}": ("the full trace of a request", Trace),
    "/v1/quota-stats": ("what is left, in the shape that menu-bar readers take", QuotaStats),
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "the kind of error, for programs"},
        "detail": {"type": "string", "description": "what happened and what to do, for people"},
    },
}
_SAYS = {
    "unauthorized": "no token, or a wrong one",
    "forbidden": "a browser's session may not have this",
    "not_found": "there is nothing of that name",
    "not_allowed": "the address knows no such method",
    "conflict": "not as things are now",
    "too_large": "the body is too large",
    "not_json": "the body is not declared to be JSON",
    "bad_argument": "an argument is unknown, missing, or unfit",
    "unavailable": "not possible now",
}
_TAGGED = {"ETag": {"schema": {"type": "string"}, "description": "names this state; send it as If-None-Match"}}
_IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}, "description": "an ETag"}


def description(version: str) -> dict[str, object]:
    """The whole document."""
    kinds = [*ANSWERS.values(), *(kind for _, kind in VIEWS.values())]
    shapes, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    answers = dict(zip(ANSWERS, shapes, strict=False))
    views = dict(zip(VIEWS, shapes[len(ANSWERS) :], strict=True))
    paths: dict[str, object] = {
        path: {"get": _view(path, summary, views[path])} for path, (summary, _) in VIEWS.items()
    }
    paths["/api/v1/export/{what}"] = {"get": _export()}
    paths["/api/v1/events"] = {"get": _events()}
    paths["/metrics"] = {"get": _metrics()}
    paths["/api/v1/openapi.json"] = {"get": _itself()}
    paths |= {f"/api/v1/verbs/{name}": {"post": _operation(verb, answers[name])} for name, verb in VERBS.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "O-Switcher",
            "version": version,
            "description": "The admin API of a running O-Switcher. Times are ms since the epoch. Errors are RFC 9457.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "admin": {"type": "http", "scheme": "bearer", "description": "`admin_token` of running.json"},
            },
        },
        "security": [{"admin": []}],
    }


def _problems(*codes: str) -> dict[str, object]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(STATUS[code]): {"description": _SAYS[code], "content": content} for code in codes}


def _view(path: str, summary: str, shape: dict[str, Any]) -> dict[str, object]:
    parameters = [*_parameters(path), _IF_NONE_MATCH]
    problems = ["unauthorized", "bad_argument", "unavailable", *(["not_found"] if "{" in path else [])]
    return {
        "operationId": _id_of(path),
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "the state now", "headers": _TAGGED, "content": _json(shape)},
            "304": {"description": "as the client has it", "headers": _TAGGED},
            **_problems(*problems),
        },
    }


def _id_of(path: str) -> str:
    parts = path.removeprefix("/api/v1/").strip("/").replace("/", "-")
    return "show-" + parts.replace("{", "").replace("}", "")


def _parameters(path: str) -> list[dict[str, object]]:
    if "{" in path:
        name = path.partition("{")[2].rstrip("}")
        return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}]
    if path == "/api/v1/requests":
        return _searched(tuple(one.name for one in VERBS["history"].parameters))
    if path == "/v1/quota-stats":
        return [{"name": "provider", "in": "query", "description": "only this one", "schema": {"type": "string"}}]
    return []


def _searched(names: tuple[str, ...]) -> list[dict[str, object]]:
    """Those arguments of `history` as parameters of an address."""
    kinds = {int: "integer", str: "string"}
    return [
        {
            "name": one.name,
            "in": "query",
            "description": one.help,
            "schema": {"type": kinds[one.kind], **one.bounds, **({"enum": one.choices} if one.choices else {})},
        }
        for one in VERBS["history"].parameters
        if one.name in names
    ]


def _events() -> dict[str, object]:
    return {
        "operationId": "follow-events",
        "summary": "live events, named and shaped as in decisions.ndjson, as server-sent events",
        "parameters": [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "description": "go on after this event; what is lost is owned up to by an event `events.missed`",
                "schema": {"type": "string"},
            },
            {
                "name": "last_event_id",
                "in": "query",
                "description": "the same, for those who cannot send headers",
                "schema": {"type": "string"},
            },
        ],
        "responses": {
            "200": {"description": "events", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **_problems("unauthorized", "bad_argument", "unavailable"),
        },
    }


def _export() -> dict[str, object]:
    whole = {"schema": {"type": "string"}}
    return {
        "operationId": "export",
        "summary": "all of one kind, or of it what is asked for, oldest first, as a file",
        "description": f"What is no request, nor a call of one, can be asked for by {', '.join(archive.TIMED)} alone.",
        "parameters": [
            {"name": "what", "in": "path", "required": True, "schema": {"type": "string", "enum": archive.KINDS}},
            {
                "name": "format",
                "in": "query",
                "schema": {"type": "string", "enum": archive.FORMATS, "default": archive.FORMATS[0]},
            },
            *_searched(archive.NARROWING),
        ],
        "responses": {
            "200": {"description": "the file", "content": dict.fromkeys(archive.MEDIA_TYPES.values(), whole)},
            **_problems("unauthorized", "bad_argument", "unavailable"),
        },
    }


def _metrics() -> dict[str, object]:
    return {
        "operationId": "metrics",
        "summary": "metrics for Prometheus",
        "responses": {
            "200": {"description": "metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **_problems("unauthorized", "unavailable"),
        },
    }


def _itself() -> dict[str, object]:
    return {
        "operationId": "describe",
        "summary": "this description",
        "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1", "content": _json({"type": "object"})}},
    }


def _operation(verb: Verb, shape: dict[str, Any]) -> dict[str, object]:
    schema = verb.schema()
    codes = (
        "unauthorized",
        "forbidden",
        "not_found",
        "conflict",
        "too_large",
        "not_json",
        "bad_argument",
        "unavailable",
    )
    return {
        "operationId": verb.name,
        "summary": verb.summary,
        "requestBody": {"required": True, "content": _json(schema)},
        "responses": {"200": {"description": "done", "content": _json(shape)}, **_problems(*codes)},
    }


def _json(schema: object) -> dict[str, object]:
    return {"application/json": {"schema": schema}}
