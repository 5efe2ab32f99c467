"""The page of events: what happened besides requests, each in a sentence, searched and paged by its address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tray_app.control import archive, happening
from tray_app.control.searching import EVENT_KINDS
from tray_app.control.service import Service
from tray_app.control.verbs import Refused
from tray_app.core.history import Choices, Events, PastEvent
from tray_app.faces.web import listing
from tray_app.faces.web.answering import STATUS
from tray_app.faces.web.drawing import drawn, signed_out
from tray_app.faces.web.event_texts import Words, words_for
from tray_app.faces.web.request_pages import HERE as REQUESTS
from tray_app.faces.web.request_texts import words_for as request_words_for
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell import language_of

HERE = "/report/events"
FILTERS = ("kind", "profile", "since", "until")
_MOMENTS = frozenset({"since", "until"})
_FILES = {"failovers": "failover", "quota-events": "quota", "operator-events": "operator"}  # and of which group
# In the order of what a kind tells of a profile: names in shapes.html.
_SHAPES = {
    "exhausted": "bad",
    "cooldown": "waiting",
    "warned": "alert",
    "reset": "good",
    "probe": "probing",
    "reauth": "alert",
    "failover": "switch",
}
_CIRCUITS = {"circuit-open": "open", "circuit-half-open": "probing", "circuit-closed": "good"}


def routes(service: Service, sessions: Sessions) -> list[Route]:
    """The address of the page."""
    return [Route(HERE, _Events(service, sessions).index, methods=["GET"])]


def shape_of(event: PastEvent) -> str:
    """The shape that stands beside an event."""
    return _SHAPES.get(event.kind) or _CIRCUITS.get(event.verb or "", "ready")


@dataclass(frozen=True, slots=True)
class _Said:
    """What is shown of a search: what was found, or why nothing could be."""

    found: Events = field(default_factory=lambda: Events([]))
    more: bool = False
    choices: Choices = field(default_factory=Choices)
    refused: Refused | None = None


class _Events:
    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions

    async def index(self, request: Request) -> Response:
        if not self._sessions.has_session(request.scope["headers"]):
            return await signed_out(request)
        locale = language_of(request)
        w, no_moment = words_for(locale), request_words_for(locale).no_moment
        filters = listing.filters_of(request.query_params, FILTERS)
        try:
            said = await self._searched(filters, no_moment)
        except Refused as refused:
            said = _Said(refused=refused)
        if said.refused is None and listing.is_spent(filters, said.more, said.found.reached):
            return listing.to_top(HERE, filters)
        return await self._shown(request, filters, said, w)

    async def _searched(self, filters: listing.Filters, no_moment: str) -> _Said:
        found, choices = await self._service.happened(_asked_of(filters, no_moment), listing.ASKED)
        rows, more = listing.cut(filters, found.events)
        return _Said(Events(rows, found.reached), more, choices)

    async def _shown(self, request: Request, filters: listing.Filters, said: _Said, w: Words) -> Response:
        found, refused = said.found, said.refused
        plain = {name: text for name, text in filters.items() if name in FILTERS}
        page = await drawn(
            request,
            "events.html",
            "events",
            self._service.status().state,
            w=w,
            events=found.events,
            sentence=_sentence(w),
            shape_of=shape_of,
            reached=None if found.reached is None else int(found.reached.partition("-")[0]),
            choices=said.choices,
            trouble=None if refused is None else refused.message,
            filters={name: filters.get(name, "") for name in FILTERS},
            narrowed=bool(plain),
            fields={name: listing.field_of(plain.get(name, "")) for name in _MOMENTS},
            ways=listing.ways(HERE, filters, [one.id for one in found.events], said.more, found.reached),
            live=filters.keys() <= set(FILTERS) - {"until"} and refused is None,
            kinds=[(one, w.kinds[one]) for one in EVENT_KINDS],
            files=() if refused is not None else _files(plain, w),
            base=HERE,
            requests=REQUESTS,
            now=self._service.clock(),
        )
        page.status_code = 200 if refused is None else STATUS[refused.code]
        return page


def _asked_of(filters: listing.Filters, no_moment: str) -> dict[str, str | int]:
    return {name: listing.moment(text, no_moment) if name in _MOMENTS else text for name, text in filters.items()}


def _sentence(w: Words) -> Callable[[PastEvent, Callable[[int], str]], str]:
    return lambda event, clock: happening.sentence(event, clock, w.happening)


def _files(plain: listing.Filters, w: Words) -> tuple[tuple[str, str], ...]:
    """The files with what is selected: their names, and where they are had."""
    given = {name: str(value) for name, value in _asked_of(plain, "{text}").items() if name != "kind"}
    return tuple(
        (f"{w.files[what]}, {form.upper()}", listing.address(f"/api/v1/export/{what}", given, format=form))
        for what, group in _FILES.items()
        if plain.get("kind", group) in (group, *(() if group != "quota" else EVENT_KINDS[2:-1]))
        for form in archive.FORMATS
    )
