"""What happened besides requests, page by page: none twice, none left out, and never all of the file looked at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.facts import BACKUP, MAIN, T0, id_of, rest
from tray_app.control.searching import events_wanted
from tray_app.control.verbs import Refused
from tray_app.core.history import EventsWanted, PastEvent
from tray_app.core.values import (
    CircuitChanged,
    CooldownCleared,
    CooldownSet,
    Fact,
    FailedOver,
    OperatorActed,
    QuotaSeen,
    ReauthChanged,
)
from tray_app.ledger import batch, database
from tray_app.ledger.happenings import happened
from tray_app.ledger.queries import History

SPARE = "openrouter-spare"


def minute(number: int) -> list[Fact]:
    """What happens in one minute; several things at the same time."""
    at = T0 + number * 60_000
    until = at + 90_000
    told = QuotaSeen(BACKUP, "b", "key", "warned", at + number % 2, 50.0, 2.5, "usd", until, "probe", "95 % are used")
    return [
        CooldownSet(rest(until_at=until, since_at=at, reason="a limit"), "a", id_of(number, at), at),
        FailedOver(id_of(number, at), at, MAIN, BACKUP, "a limit", False),
        CircuitChanged(BACKUP, at, "half_open", "30 s are over"),
        told,
        OperatorActed(at + 1, "tray", "pause", SPARE if number % 13 == 0 else None, "for 2 h"),
    ]


RARE: list[Fact] = [
    FailedOver(None, T0 - 5, None, SPARE, "chosen by the operator (cli)", True),
    ReauthChanged(SPARE, "c", T0 - 4, True, "the key is refused"),
    CooldownCleared(rest(), "a", T0 - 3, "its time is over"),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "history.db"
    with closing(database.open_for_writing(path, 1).connection) as connection:
        facts = [*RARE, *(fact for number in range(60) for fact in minute(number))]
        batch.write(connection, facts, batch.Unfinished())
    return path


@pytest.fixture
def connection(filled: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(filled)) as found:
        yield found


def read(connection: sqlite3.Connection, limit: int, wanted: EventsWanted, looked_at: int = 10_000) -> Any:
    return happened(lambda sql, given: connection.execute(sql, dict(given)), limit, wanted, looked_at)


def place(event: PastEvent) -> tuple[int, str, int]:
    at, letter, number = event.id.split("-")
    return int(at), letter, int(number)


def test_each_kind_is_told_whole(filled: Path) -> None:
    at = T0 + 59 * 60_000
    newest = History(filled).events(5).events
    assert [replace(event, id=event.id[:15]) for event in newest] == [
        PastEvent(f"{at + 1}-q", at + 1, "quota", "warned", BACKUP, None, None, None, "95 % are used", "key", at + 90_000,
                  "probe", 50.0, 2.5, "usd"),
        PastEvent(f"{at + 1}-o", at + 1, "operator", "operator", None, None, None, None, "for 2 h", None, None, None, None,
                  None, None, "tray", "pause"),
        PastEvent(f"{at}-q", at, "quota", "cooldown", MAIN, None, None, None, "a limit", rest().scope.value, at + 90_000,
                  rest().source.value),
        PastEvent(f"{at}-o", at, "operator", "operator", BACKUP, None, None, None, "30 s are over", None, None, None, None,
                  None, None, "app", "circuit-half-open"),
        PastEvent(f"{at}-f", at, "failover", "failover", BACKUP, MAIN, id_of(59, at), 0, "a limit"),
    ]  # fmt: skip
    assert len(History(filled).events(1000).events) == 303


WANTED = [
    EventsWanted(),
    EventsWanted(kind="failover"),
    EventsWanted(kind="quota"),
    EventsWanted(kind="operator"),
    EventsWanted(kind="reauth"),
    EventsWanted(kind="warned", profile=BACKUP),
    EventsWanted(profile=SPARE),
    EventsWanted(profile=MAIN, since=T0 + 5 * 60_000, until=T0 + 40 * 60_000),
    EventsWanted(profile="openrouter-*", kind="failover"),
    EventsWanted(profile="nobody"),
]


def fits(event: PastEvent, wanted: EventsWanted) -> bool:
    names = (name for name in (event.profile, event.from_profile) if name is not None)
    return (
        wanted.kind in (None, event.group, event.kind)
        and (wanted.profile is None or any(fnmatchcase(name, wanted.profile) for name in names))
        and (wanted.since or 0) <= event.at < (wanted.until or 1 << 60)
    )


@pytest.mark.parametrize("wanted", WANTED, ids=str)
@pytest.mark.parametrize("looked_at", [7, 10_000], ids=["looking at little", "looking at all"])
@pytest.mark.parametrize("up", [False, True], ids=["to what is older", "to what is newer"])
def test_pages_follow_one_another_without_gap_or_overlap(
    connection: sqlite3.Connection, wanted: EventsWanted, looked_at: int, up: bool
) -> None:
    right = [event for event in read(connection, 1000, EventsWanted()).events if fits(event, wanted)]
    seen: list[PastEvent] = []
    step, pages = (replace(wanted, after="0-f-0") if up else wanted), 0
    while True:
        page = read(connection, 4, step, looked_at)
        assert len(page.events) <= 4 and page.events == sorted(page.events, key=place, reverse=True)
        seen = page.events + seen if up else seen + page.events
        pages += 1
        assert pages < 500
        on = page.reached or (page.events[0 if up else -1].id if len(page.events) == 4 else None)
        if on is None:
            break
        step = replace(wanted, after=on) if up else replace(wanted, before=on)
    assert seen == right


def test_no_page_looks_at_all_events(connection: sqlite3.Connection) -> None:
    plans: list[str] = []

    def asked(sql: str, given: Mapping[str, object]) -> list[Any]:
        plans.extend(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", dict(given)))
        return connection.execute(sql, dict(given)).fetchall()

    for wanted in (EventsWanted(profile=SPARE), EventsWanted(before=f"{T0 + 60_000}-o-3"), EventsWanted(after="5-f-1")):
        happened(asked, 4, wanted)
    tables = [plan for plan in plans if any(name in plan for name in ("failover", "operator_event", "quota_event"))]
    assert len(tables) > 9
    assert all("INDEX" in plan and "_at" in plan for plan in tables), tables
    assert not any("TEMP B-TREE" in plan for plan in plans), plans


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("1-f-0", True),
        ("1760000400000-q-12", True),
        ("", False),
        ("1-f-0\n", False),
        ("1-x-1", False),
        ("1-f", False),
        ("1-f-", False),
        ("-f-1", False),
        ("1-f-1-2", False),
        ("٣-f-1", False),
        ("1-f-12345678901234567", False),
        ("1-f-1'; DROP TABLE failover", False),
    ],
)
def test_only_ids_of_events_page_on(text: str, right: bool) -> None:
    if right:
        assert events_wanted({"before": text}).before == events_wanted({"after": text}).after == text
        return
    with pytest.raises(Refused, match="no event can have the id"):
        events_wanted({"before": text})
