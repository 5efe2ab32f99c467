"""The admin API: every view and verb of the control surface, live events, metrics. Errors are problem+json."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tray_app.control import archive
from tray_app.control.service import Service
from tray_app.control.verbs import VERBS, Refused
from tray_app.faces.web.answering import Handler, arguments_of, done, guarded, query_of, refusal, shown
from tray_app.faces.web.events import EventStream
from tray_app.faces.web.metrics import KIND, exposition
from tray_app.faces.web.openapi import description
from tray_app.faces.web.quota_stats import quota_stats
from tray_app.faces.web.sessions import Sessions

_TOKEN_ONLY = frozenset({"token"})  # what it gives opens the proxy, so no page may have it
_ACTORS = frozenset({"cli", "api", "mcp", "tray"})  # who may say that it asks
_NUMBERS = frozenset({"limit", "since", "until"})
READER = "prometheus"  # the client whose token, which lasts, may read /metrics


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The addresses."""
    api = _Api(service, sessions)

    def admin(handler: Handler) -> Handler:
        return guarded(handler, api.is_admin, "the admin API needs the token in running.json, or a session")

    def get(path: str, handler: Handler) -> Route:
        return Route(path, handler, methods=["GET"])

    return [
        get("/api/v1/status", admin(api.status)),
        get("/api/v1/profiles", admin(api.profiles)),
        get("/api/v1/profiles/{profile}", admin(api.profile)),
        get("/api/v1/quota", admin(api.quota)),
        get("/api/v1/requests", admin(api.requests)),
        get("/api/v1/requests/{request_id}", admin(api.request)),
        get("/api/v1/export/{what}", admin(api.export)),
        get("/api/v1/events", admin(api.events)),
        get("/api/v1/openapi.json", api.openapi),
        Route("/api/v1/verbs/{name}", admin(api.verb), methods=["POST"]),
        get(
            "/metrics",
            guarded(
                api.metrics,
                api.reads_metrics,
                f"send the token that `o-switcher token {READER}` prints as a bearer token",
            ),
        ),
        get(
            "/v1/quota-stats",
            guarded(api.quota_stats, api.is_known, "no token; print one with: o-switcher token menubar"),
        ),
    ]


class _Api:
    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions

    # -- who is let in

    def is_admin(self, request: Request) -> bool:
        headers = request.scope["headers"]
        return self._sessions.has_token(headers) or self._sessions.has_session(headers)

    def reads_metrics(self, request: Request) -> bool:
        return self.is_admin(request) or self._sessions.client(request.scope["headers"]) == READER

    def is_known(self, request: Request) -> bool:
        return self.is_admin(request) or self._sessions.client(request.scope["headers"]) is not None

    # -- views

    async def status(self, request: Request) -> Response:
        return shown(request, self._service.status())

    async def profiles(self, request: Request) -> Response:
        return shown(request, self._service.status().profiles)

    async def profile(self, request: Request) -> Response:
        return shown(request, self._service.profile(request.path_params["profile"]))

    async def quota(self, request: Request) -> Response:
        return shown(request, self._service.quotas())

    async def requests(self, request: Request) -> Response:
        found = await self._service.perform("history", query_of(request, _NUMBERS), "api")
        return shown(request, found)

    async def request(self, request: Request) -> Response:
        found = await self._service.perform("inspect", {"request_id": request.path_params["request_id"]}, "api")
        return shown(request, found)

    async def export(self, request: Request) -> Response:
        what, query = request.path_params["what"], query_of(request, _NUMBERS)
        form = query.pop("format", "csv")
        if query.keys() & {"limit", "before", "after"}:
            raise Refused("bad_argument", "an export has no pages; narrow it by since and until")
        pieces = await self._service.export(what, form, VERBS["history"].checked(query))
        headers = {
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="o-switcher-{what}.{form}"',
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(pieces, media_type=archive.MEDIA_TYPES[form], headers=headers)

    async def openapi(self, request: Request) -> Response:
        return shown(request, description(self._service.about.version))

    async def events(self, request: Request) -> Response:
        after = request.headers.get("last-event-id") or query_of(request).get("last_event_id")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return EventStream(self._service.feed, self._service.feed.subscribe(after))

    async def metrics(self, request: Request) -> Response:
        service = self._service
        usage = await service.usage()
        held, listeners = service.health().held, len(service.feed)
        text = exposition(service.status(), service.quotas(), service.tally, usage, held, listeners)
        return Response(text, headers={"cache-control": "no-store", "content-type": KIND})

    async def quota_stats(self, request: Request) -> Response:
        service, query = self._service, query_of(request)
        if query.keys() - {"provider"}:
            raise Refused("bad_argument", "the only parameter is provider")
        usage = await service.usage()
        return shown(
            request, quota_stats(service.status(), service.quotas(), usage, service.clock(), query.get("provider"))
        )

    # -- verbs

    async def verb(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name in _TOKEN_ONLY and not self._sessions.has_token(request.scope["headers"]):
            return refusal("forbidden", "a browser may not ask for tokens; print them with: o-switcher token")
        arguments = await arguments_of(request)
        actor = request.headers.get("x-o-switcher-actor", "api")
        return done(await self._service.perform(name, arguments, actor if actor in _ACTORS else "api"))
