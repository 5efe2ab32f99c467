"""How the web face answers: JSON with ETags, problems, and the one place that knows who is let in."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tray_app.control.verbs import Refused
from tray_app.core.problem import KIND, problem
from tray_app.core.redact import brief

MAX_BODY = 65_536
STATUS = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "not_allowed": 405,
    "conflict": 409,
    "too_large": 413,
    "not_json": 415,
    "bad_argument": 422,
    "unavailable": 503,
}

Handler = Callable[[Request], Awaitable[Response]]
Guard = Callable[[Request], bool]


def guarded(handler: Handler, lets_in: Guard, needs: str) -> Handler:
    """`handler`, for those only whom `lets_in` lets in; refusals become problems."""

    async def checked(request: Request) -> Response:
        if not lets_in(request):
            return refusal("unauthorized", needs, {"www-authenticate": "Bearer"})
        try:
            return await handler(request)
        except Refused as refused:
            return refusal(refused.code, refused.message)
        except ClientDisconnect:
            return Response(status_code=499)

    return checked


def refusal(code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A problem of a known kind."""
    status = STATUS.get(code, 409)
    return Response(problem(status, code, detail), status, headers, KIND)


def shown(request: Request, value: object) -> Response:
    """`value` as JSON with an ETag, or only that nothing has changed since the client asked last."""
    body = msgspec.json.encode(value)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _tags(header: str) -> frozenset[str]:
    return frozenset(part.strip().removeprefix("W/") for part in header.split(","))


def done(value: object) -> Response:
    """What came of a verb: JSON that nobody may keep."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


async def arguments_of(request: Request) -> dict[str, object]:
    """A verb's arguments.

    Raises:
        Refused: the body is no JSON object, or too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("not_json", "send JSON with content-type: application/json")
    data = await _body(request)
    try:
        document = msgspec.json.decode(data) if data.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("bad_argument", f"the body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refused("bad_argument", "the body must be a JSON object with the verb's arguments")
    return document


async def _body(request: Request) -> bytes:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY:
            raise Refused("too_large", f"the body is over {MAX_BODY} bytes")
    return data


def query_of(request: Request, numbers: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The query's parameters, those in `numbers` as whole numbers.

    Raises:
        Refused: one is given twice, or is no number.
    """
    query: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in query:
            raise Refused("bad_argument", f"{name} is given more than once")
        query[name] = _whole_number(name, value) if name in numbers else value
    return query


def _whole_number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Refused("bad_argument", f"{name} must be a whole number") from error


# -- what the framework itself answers


async def not_found(request: Request, error: Exception) -> Response:
    return refusal("not_found", f"there is nothing at {brief(request.url.path)}")


async def not_allowed(request: Request, error: Exception) -> Response:
    allowed = (error.headers or {}).get("Allow", "") if isinstance(error, HTTPException) else ""
    methods = ", ".join(sorted(allowed.split(", ")))
    words = f"{request.method} is not possible at {brief(request.url.path)}; possible: {methods}"
    return refusal("not_allowed", words, {"allow": methods})


async def broken(request: Request, error: Exception) -> Response:
    return Response(
        problem(500, "broken", "something went wrong inside O-Switcher; its log says what"), 500, None, KIND
    )
