"""What happened besides requests: failovers, what became known of quotas, operators' deeds; by time, page by page.

Three tables, each found by its time and its number. Of each so many rows are looked at for a page, and no more: a page
that found too little says how far it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tray_app.core.history import QUOTA_KINDS, Events, EventsWanted, PastEvent
from tray_app.ledger.search import Ask

LOOKED_AT = 20_000  # rows of each table, for one page
_LAST = 10**16 - 1  # greater than the number of any row
_COLUMNS = "profile from_profile request_id manual reason scope until_at source limit_value remaining unit actor verb"


@dataclass(frozen=True, slots=True)
class _Source:
    """A table. `group` is what its events are, `kind` where it says more, `given` its columns by those of an event."""

    table: str
    group: str
    kind: str
    given: Mapping[str, str]
    profiles: tuple[str, ...]


# By the letter that their events' ids have, in the order of events of the same time.
_SOURCES: Mapping[str, _Source] = {
    "f": _Source(
        "failover",
        "failover",
        "'failover'",
        {
            "profile": "to_profile",
            "from_profile": "from_profile",
            "request_id": "request_id",
            "manual": "manual",
            "reason": "reason",
        },
        ("to_profile", "from_profile"),
    ),
    "o": _Source(
        "operator_event",
        "operator",
        "'operator'",
        {"profile": "profile_id", "reason": "detail", "actor": "actor", "verb": "verb"},
        ("profile_id",),
    ),
    "q": _Source(
        "quota_event",
        "quota",
        "kind",
        {
            "profile": "profile_id",
            "reason": "reason",
            "scope": "scope",
            "until_at": "resets_at",
            "source": "source",
            "limit_value": "limit_value",
            "remaining": "remaining",
            "unit": "unit",
        },
        ("profile_id",),
    ),
}


def happened(ask: Ask, limit: int, wanted: EventsWanted, looked_at: int = LOOKED_AT) -> Events:
    """The newest of the wanted events first; with `wanted.after`, those that follow it. The ids page on."""
    up = wanted.after is not None
    found: list[PastEvent] = []
    edges: list[int] = []  # how far those came that did not come to their end
    for letter, source in _SOURCES.items():
        if wanted.kind in (None, source.group) or (source.group == "quota" and wanted.kind in QUOTA_KINDS):
            events, edge = _Reading(letter, source, wanted).read(ask, limit, looked_at)
            found += events
            edges += [] if edge is None else [edge]
    edge = None if not edges else min(edges) if up else max(edges)
    if edge is not None:  # from there on some of one kind may be missing between those of another
        found = [event for event in found if (event.at < edge if up else event.at > edge)]
    found.sort(key=_place, reverse=not up)
    on = None if edge is None or len(found) >= limit else f"{edge - 1}-q-{_LAST}" if up else f"{edge + 1}-f-0"
    return Events(sorted(found[:limit], key=_place, reverse=True), on)


def _place(event: PastEvent) -> tuple[int, str, int]:
    at, letter, number = event.id.split("-")
    return int(at), letter, int(number)


class _Reading:
    """One table read for one page."""

    def __init__(self, letter: str, source: _Source, wanted: EventsWanted) -> None:
        self._letter = letter
        self._source = source
        self._wanted = wanted
        self._up = wanted.after is not None
        self._order = "ORDER BY at ASC, id ASC" if self._up else "ORDER BY at DESC, id DESC"
        self._given: dict[str, object] = {}

    def read(self, ask: Ask, limit: int, looked_at: int) -> tuple[list[PastEvent], int | None]:
        """Its events, and up to which time (ms) it was looked at, where that is not to its end."""
        source, terms, filters = self._source, [*self._times()], [*self._filters()]
        edge = self._edge(ask, terms, looked_at) if filters else None
        if edge is not None:
            self._given["edge"] = edge
            terms.append("at < :edge" if self._up else "at > :edge")
        columns = ", ".join(source.given.get(name, "NULL") for name in _COLUMNS.split())
        where = " AND ".join([*terms, *filters, "TRUE"])
        sql = f"SELECT id, at, {source.kind}, {columns} FROM {source.table} WHERE {where} {self._order} LIMIT :limit"  # noqa: S608
        rows = [tuple(row) for row in ask(sql, {**self._given, "limit": limit})]
        events = [PastEvent(f"{row[1]}-{self._letter}-{row[0]}", row[1], source.group, *row[2:]) for row in rows]
        return events, edge

    def _edge(self, ask: Ask, terms: list[str], looked_at: int) -> int | None:
        """The time (ms) of the last row that may be looked at, if there are so many."""
        where = " AND ".join([*terms, "TRUE"])
        rows = f"SELECT at FROM {self._source.table} WHERE {where} {self._order} LIMIT :looked_at"  # noqa: S608
        given = {**self._given, "looked_at": looked_at}
        count, first, last = next(iter(ask(f"SELECT count(*), min(at), max(at) FROM ({rows})", given)))  # noqa: S608
        return None if count < looked_at else int(last if self._up else first)

    def _filters(self) -> Iterator[str]:
        wanted = self._wanted
        if wanted.profile is not None:
            self._given["profile"] = wanted.profile
            like = "GLOB" if "*" in wanted.profile else "="
            yield "(" + " OR ".join(f"{column} {like} :profile" for column in self._source.profiles) + ")"
        if wanted.kind is not None and wanted.kind != self._source.group:
            self._given["kind"] = wanted.kind
            yield "kind = :kind"

    def _times(self) -> Iterator[str]:
        wanted = self._wanted
        for name, sign, edge in (("since", ">=", wanted.since), ("until", "<", wanted.until)):
            if edge is not None:
                self._given[name] = edge
                yield f"at {sign} :{name}"
        for name, sign, edge_id in (("after", ">", wanted.after), ("before", "<", wanted.before)):
            if edge_id is not None:
                yield self._beyond(name, sign, edge_id)

    def _beyond(self, name: str, sign: str, event_id: str) -> str:
        """Events of the same time are in the order of their letters, and then of their numbers."""
        at, letter, number = event_id.split("-")
        self._given[f"{name}_at"] = int(at)
        if self._letter != letter:
            same = (self._letter > letter) == (sign == ">")
            return f"at {sign}{'=' if same else ''} :{name}_at"
        self._given[f"{name}_id"] = int(number)
        return f"at {sign}= :{name}_at AND (at {sign} :{name}_at OR id {sign} :{name}_id)"
