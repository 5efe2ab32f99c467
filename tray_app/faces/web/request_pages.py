"""The list of requests, searched and paged by its address, and the page of one request with its waterfall."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tray_app.control import archive, tracing
from tray_app.control.service import Service
from tray_app.control.verbs import CLASSES, OUTCOMES, Refused
from tray_app.core.history import RUNNING, Choices, FoundRequests, Trace
from tray_app.core.ids import time_of
from tray_app.faces.web import listing, waterfall
from tray_app.faces.web.answering import STATUS
from tray_app.faces.web.drawing import drawn, signed_out
from tray_app.faces.web.report_texts import words_for as report_words_for
from tray_app.faces.web.request_texts import Words, words_for
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell import language_of
from tray_app.faces.web.shell_texts import words_for as shell_words_for

HERE = "/report/requests"
FILTERS = ("profile", "model", "client", "provider", "outcome", "error_class", "error", "id", "since", "until")
_MOMENTS = frozenset({"since", "until"})


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The addresses of the pages."""
    pages = _Requests(service, sessions)
    return [
        Route(HERE, pages.index, methods=["GET"]),
        Route(f"{HERE}/{{request_id}}", pages.one, methods=["GET"]),
    ]


def asked_of(filters: listing.Filters, w: Words) -> dict[str, str | int]:
    """Filters as arguments of the verb `history`.

    Raises:
        Refused: a time is none.
    """
    return {name: listing.moment(text, w.no_moment) if name in _MOMENTS else text for name, text in filters.items()}


@dataclass(frozen=True, slots=True)
class _Said:
    """What is shown of a search: what was found, or why nothing could be."""

    found: FoundRequests = field(default_factory=lambda: FoundRequests([]))
    more: bool = False
    choices: Choices = field(default_factory=Choices)
    trouble: str | None = None
    code: int = 200


class _Requests:
    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions

    # -- the list

    async def index(self, request: Request) -> Response:
        if not self._sessions.has_session(request.scope["headers"]):
            return await signed_out(request)
        w = words_for(language_of(request))
        filters = listing.filters_of(request.query_params, FILTERS)
        said = await self._searched(filters, w)
        if said.trouble is None and listing.is_spent(filters, said.more, said.found.reached):
            return listing.to_top(HERE, filters)
        return await self._shown(request, filters, said, w)

    async def _shown(self, request: Request, filters: listing.Filters, said: _Said, w: Words) -> Response:
        found, status, shell = said.found, self._service.status(), shell_words_for(language_of(request))
        names = {**shell.outcomes, RUNNING: shell.running}
        plain = {name: text for name, text in filters.items() if name in FILTERS}
        page = await drawn(
            request,
            "requests.html",
            "requests",
            status.state,
            w=w,
            requests=found.requests,
            reached=_reached(found.reached),
            choices=said.choices,
            trouble=said.trouble,
            filters={name: filters.get(name, "") for name in FILTERS},
            narrowed=bool(plain),
            more=bool(plain.keys() - {"profile", "model", "client", "outcome", "since"}),
            fields={name: listing.field_of(plain.get(name, "")) for name in _MOMENTS},
            ways=listing.ways(HERE, filters, [one.id for one in found.requests], said.more, found.reached),
            live=filters.keys() <= set(FILTERS) - {"until"} and said.trouble is None,
            outcomes=[(one, names.get(one, one)) for one in OUTCOMES],
            classes=[(one, report_words_for(w.lang).errors_classes.get(one, one)) for one in CLASSES],
            files=_files(plain, w) if said.trouble is None else (),
            base=HERE,
            money=lambda usd: tracing.money(usd, w.tracing),
            now=self._service.clock(),
        )
        page.status_code = said.code
        return page

    async def _searched(self, filters: listing.Filters, w: Words) -> _Said:
        try:
            found, choices = await self._service.found(asked_of(filters, w), listing.ASKED, listing.PATIENCE_S)
        except Refused as refused:
            return _Said(trouble=refused.message, code=STATUS[refused.code])
        rows, more = listing.cut(filters, found.requests)
        return _Said(FoundRequests(rows, found.reached), more, choices)

    # -- one request

    async def one(self, request: Request) -> Response:
        if not self._sessions.has_session(request.scope["headers"]):
            return await signed_out(request)
        w, state = words_for(language_of(request)), self._service.status().state
        given: dict[str, Any] = {"w": w, "base": HERE, "trouble": None, "now": self._service.clock()}
        try:
            trace = await self._service.trace(request.path_params["request_id"])
        except Refused as refused:
            given["trouble"] = refused.message
            page = await drawn(request, "request.html", "requests", state, **given)
            page.status_code = STATUS[refused.code]
            return page
        return await drawn(request, "request.html", "requests", state, **given, **_told(trace, w, given["now"]))


def _told(trace: Trace, w: Words, now: int) -> dict[str, Any]:
    """What the page of one request shows."""
    request = trace.request
    steps = tracing.steps(trace, w.tracing)
    length = waterfall.length_of(steps, request.duration_ms, max(now - request.started_at, 0))
    return {
        "one": request,
        "bars": waterfall.bars(steps, length),
        "ticks": waterfall.ticks(length),
        "ending": tuple(tracing.ending(request, w.tracing)),
        "lines": tracing.lines(trace, _clock, w.tracing),
        "upstream": tuple(one for one in trace.attempts if one.upstream_request_id),
        "span": lambda ms: tracing.span(ms, w.tracing),
        "money": lambda usd: tracing.money(usd, w.tracing),
    }


def _clock(at: int) -> str:
    """As the command line says it."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _reached(cursor: str | None) -> int | None:
    """The time (ms) at which a search stopped."""
    return None if cursor is None else time_of(cursor.ljust(14, "0"))


def _files(plain: listing.Filters, w: Words) -> tuple[tuple[str, str], ...]:
    """The files with what is selected: their names, and where they are had."""
    given = {name: str(value) for name, value in asked_of(plain, w).items()}
    return tuple(
        (f"{names[what]}, {form.upper()}", listing.address(f"/api/v1/export/{what}", given, format=form))
        for names in ({"requests": w.found, "attempts": w.attempts},)
        for what in names
        for form in archive.FORMATS
    )
