"""Rows that are kept small say, through the views, exactly what was recorded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from tests.ledger.facts import (
    BACKUP,
    MAIN,
    MODEL,
    T0,
    attempt_ended,
    attempt_started,
    ended,
    failed_attempt,
    id_of,
    started,
)
from tests.ledger.look import ask, one
from tray_app.core.values import (
    AttemptEnded,
    AttemptStarted,
    Fact,
    Outcome,
    RequestEnded,
    RequestStarted,
    Spent,
)
from tray_app.ledger import batch, database, packing

DAY = packing.DAY_MS
SPENT = Spent(25_000, 410, 20_000, 0, None, 0.0123, "provider")


@pytest.fixture
def tmp(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "history.db"


def close_call(number: int, **more: Any) -> list[Fact]:
    """A request as the app records it: its one call lies a millisecond or so within it."""
    end = more.pop("end", {})
    call = {"ended_at": T0 + 899, "ttft_ms": 149, "duration_ms": 898, "spent": SPENT} | more
    return [
        started(number),
        attempt_started(number, at=T0, started_at=T0 + 1),
        attempt_ended(number, **call),
        ended(number, **end),
    ]


def written(path: Path, facts: list[Fact], size: int = 1 << 30) -> None:
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(path, 1).connection) as connection:
        for at in range(0, len(facts), size):
            batch.write(connection, facts[at : at + size], unfinished)


def told(facts: list[Fact]) -> tuple[dict[str, Any], dict[tuple[str, int], dict[str, Any]]]:
    """What the views must say, worked out by hand."""
    requests: dict[str, Any] = {}
    calls: dict[tuple[str, int], dict[str, Any]] = {}
    spent: dict[str, Spent] = {}
    for fact in facts:
        row = structs.asdict(fact) if hasattr(fact, "__struct_fields__") else {}
        match fact:
            case RequestStarted():
                requests[fact.id] = row
            case AttemptStarted():
                calls[fact.request_id, fact.seq] = row
            case AttemptEnded():
                calls[fact.request_id, fact.seq] |= row | _money(fact.spent or Spent())
                if fact.spent is not None:
                    spent[fact.request_id] = batch.together(spent.get(fact.request_id), fact.spent)
            case RequestEnded():
                requests[fact.id] |= row | _money(spent.get(fact.id) or Spent())
    return requests, calls


def _money(spent: Spent) -> dict[str, Any]:
    return {name: value for name, value in structs.asdict(spent).items() if name != "usage"}


def assert_told(path: Path, facts: list[Fact]) -> None:
    requests, calls = told(facts)
    for row in ask(path, "SELECT * FROM request"):
        assert {name: row[name] for name in requests[row["id"]]} == requests.pop(row["id"])
    for row in ask(path, "SELECT * FROM attempt"):
        wanted = calls.pop((row["request_id"], row["seq"]))
        del wanted["said"], wanted["spent"]
        assert {name: row[name] for name in wanted} == wanted
        assert row["id"] == f"{row['request_id']}-{row['seq']}"
    assert not requests and not calls


def apart(path: Path) -> int:
    """Calls that have a row of their own."""
    return int(one(path, "SELECT count(*) FROM attempt_data"))


# -- whatever comes

texts = st.one_of(
    st.none(), st.sampled_from(["", MAIN, "gen-25a988fd993cdf4395526728", "req_" + "0f" * 16, "ü", "gen-"])
)
few = st.integers(-3, 40)
money = st.one_of(
    st.none(), st.just(0.0), st.floats(0, 1e7), st.integers(0, 10**9).map(lambda n: n / 1e9), st.just(1e-12)
)
tokens = st.one_of(st.none(), st.integers(0, 1 << 40))
spents = st.one_of(
    st.none(),
    st.builds(Spent, tokens, tokens, tokens, tokens, tokens, money, st.sampled_from([None, "provider", "override"])),
)


@st.composite
def stories(draw: st.DrawFn, number: int = 1) -> list[Fact]:
    """A request of any number of calls, with times that mostly follow from one another."""
    began = T0 + draw(st.sampled_from([0, 0, 0, 5, -7, DAY]))
    model = draw(st.sampled_from([MODEL, None]))
    first = started(number, started_at=began, id=id_of(number), model=model, stream=draw(st.booleans()))
    facts: list[Fact] = [first]
    count = draw(st.sampled_from([1, 1, 1, 0, 2, 3]))
    outcomes = st.sampled_from([Outcome.SERVED, Outcome.SERVED, Outcome.FAILED, Outcome.CLIENT_CANCELLED])
    outcome, status = draw(outcomes), draw(st.sampled_from([200, 200, 429, None]))
    at, ttft = began, None
    for seq in range(1, count + 1):
        at += draw(few)
        called = draw(st.sampled_from([MODEL, MODEL, None, "other"]))
        facts.append(attempt_started(number, seq, at=T0, started_at=at, model=called, profile_id=MAIN))
        took = draw(st.integers(0, 5000))
        ttft = draw(st.one_of(st.none(), st.integers(0, 4000)))
        make = attempt_ended if draw(st.integers(0, 5)) else failed_attempt
        more: dict[str, Any] = {"outcome": outcome, "status_code": status} if make is attempt_ended else {}
        end = make(
            number,
            seq,
            ended_at=at + took + draw(st.sampled_from([0, 1, -1])),
            duration_ms=took,
            ttft_ms=ttft,
            upstream_request_id=draw(texts),
            chunks=draw(st.one_of(st.none(), st.integers(0, 900))),
            spent=draw(spents),
            **more,
        )
        facts.append(end)
        at = end.ended_at
    at += draw(few)
    facts.append(
        ended(
            number,
            started_at=T0,
            ended_at=at,
            duration_ms=max(at - began + draw(st.sampled_from([0, 1, -1, 900])), 0),
            outcome=outcome,
            status_code=status,
            attempts=count,
            ttft_ms=None if ttft is None else ttft + draw(few),
            wait_ms=draw(st.integers(0, 70_000)),
            profile_id=MAIN if count else None,
            reason=draw(texts),
        )
    )
    return facts


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is ready to be written to."""
    path = tmp_path_factory.mktemp("empty") / "history.db"
    database.open_for_writing(path, 1).connection.close()
    return path


@settings(max_examples=70, deadline=None)
@given(stories(), st.integers(1, 4))
def test_the_views_say_exactly_what_was_recorded(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, facts: list[Fact], size: int
) -> None:
    path = tmp_path_factory.mktemp("packed") / "history.db"
    shutil.copy(empty, path)
    written(path, facts, size)
    assert_told(path, facts)


# -- one by one


def test_a_request_with_its_one_call_is_one_row(tmp: Path) -> None:
    written(tmp, close_call(1))
    assert_told(tmp, close_call(1))
    assert apart(tmp) == 0


@pytest.mark.parametrize(
    "more",
    [
        {"ended_at": T0 + 880},
        {"ended_at": T0 + 901},
        {"ttft_ms": None},
        {"ttft_ms": 90},
        {"duration_ms": 500},
        {"response_bytes": 1},
        {"status_code": 201},
        {"outcome": Outcome.INTERRUPTED},
        {"profile_id": BACKUP},
        {"reason": "it is said"},
        {"retry_after_s": 2.0},
        {"end": {"attempts": 2}},
    ],
    ids=str,
)
def test_a_call_that_does_not_follow_from_its_request_has_a_row_of_its_own(tmp: Path, more: dict[str, Any]) -> None:
    facts = close_call(1, **more)
    if more.get("profile_id"):
        facts[1] = structs.replace(facts[1], profile_id=BACKUP)  # type: ignore[arg-type]
    written(tmp, facts)
    assert_told(tmp, facts)
    assert apart(tmp) == 1


def test_a_call_under_another_name_of_the_model_needs_none(tmp: Path) -> None:
    facts = close_call(1)
    facts[1] = structs.replace(facts[1], model="claude-sonnet-4-5")  # type: ignore[arg-type]
    written(tmp, facts)
    assert one(tmp, "SELECT model FROM attempt") == "claude-sonnet-4-5"
    assert one(tmp, "SELECT model FROM request") == MODEL and apart(tmp) == 0


def test_a_call_that_was_written_open_moves_into_its_request(tmp: Path) -> None:
    facts = close_call(1)
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(tmp, 1).connection) as connection:
        batch.write(connection, facts[:2], unfinished)
        assert ask(connection, "SELECT id, ended_at, outcome, profile_id FROM attempt") == [
            {"id": f"{id_of(1)}-1", "ended_at": None, "outcome": None, "profile_id": MAIN}
        ]
        assert ask(connection, "SELECT ended_at, outcome FROM request") == [{"ended_at": None, "outcome": None}]
        batch.write(connection, facts[2:], unfinished)
    assert_told(tmp, facts)
    assert apart(tmp) == 0


def test_what_is_repeated_stands_once_and_what_failed_has_a_sign(tmp: Path) -> None:
    facts = [fact for number in range(20) for fact in close_call(number)]
    lost = close_call(30, outcome=Outcome.FAILED, end={"outcome": Outcome.FAILED})
    written(tmp, facts + lost, 8)
    assert one(tmp, "SELECT count(*) FROM request_kind") == 1
    assert ask(tmp, "SELECT id, outcome FROM request_end ORDER BY id") == [
        {"id": -1, "outcome": "failed"},
        {"id": 1, "outcome": "served"},
    ]
    plan = " ".join(
        row["detail"] for row in ask(tmp, "EXPLAIN QUERY PLAN SELECT id FROM request_data WHERE ending < 0 ORDER BY id")
    )
    assert "request_unserved" in plan


def test_what_was_not_used_for_long_is_forgotten_and_numbered_anew(tmp: Path) -> None:
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(tmp, 1).connection) as connection:
        batch.write(connection, close_call(1), unfinished)
        packing.forget(connection, T0 + 3 * DAY)
        assert one(connection, "SELECT count(*) FROM request_kind") == 0
        later = [
            structs.replace(fact, id=id_of(2, T0 + 4 * DAY), **times)
            for fact, times in (
                (started(2), {"started_at": T0 + 4 * DAY}),
                (ended(2), {"ended_at": T0 + 4 * DAY + 900, "attempts": 0}),
            )
        ]
        batch.write(connection, later, unfinished)
    assert ask(tmp, "SELECT model FROM request WHERE id = ?", id_of(2, T0 + 4 * DAY)) == [{"model": MODEL}]


def test_a_day_of_use_keeps_what_is_known(tmp: Path) -> None:
    with closing(database.open_for_writing(tmp, 1).connection) as connection:
        combinations = packing.Combinations(connection, {})
        values = ("failed", 429, MAIN, 1, 0, None, "", None)
        number = combinations.number(packing.REQUEST_END, values, T0)
        again = packing.Combinations(connection, {})
        assert again.number(packing.REQUEST_END, values, T0 + 2 * DAY) == number
        assert again.number(packing.REQUEST_END, values, T0) == number  # an older row changes nothing
        assert one(connection, "SELECT used_at FROM request_end") == (T0 + 2 * DAY) // DAY * DAY
        packing.forget(connection, T0 + 2 * DAY)
        assert one(connection, "SELECT count(*) FROM request_end") == 1


def test_a_batch_that_fails_leaves_no_numbers_behind(tmp: Path) -> None:
    """What a rolled-back transaction had numbered is numbered again by the next."""
    unfinished = batch.Unfinished()
    bad = structs.replace(started(2), id=id_of(2), client=None)  # type: ignore[arg-type]
    with closing(database.open_for_writing(tmp, 1).connection) as connection:
        with pytest.raises(Exception, match="NOT NULL"):
            batch.write(connection, [*close_call(1), bad, ended(2)], unfinished)
        assert not unfinished.combinations
        batch.write(connection, close_call(1), unfinished)
    assert_told(tmp, close_call(1))


def test_only_so_many_combinations_are_remembered(tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_KNOWN", 3)
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(tmp, 1).connection) as connection:
        for number in range(9):
            facts = close_call(number)
            facts[0] = structs.replace(facts[0], path=f"/files/{number % 4}")  # type: ignore[arg-type]
            batch.write(connection, facts, unfinished)
            assert len(unfinished.combinations) <= 5
    assert one(tmp, "SELECT count(*) FROM request_kind") == 4
    assert sorted(row["path"] for row in ask(tmp, "SELECT path FROM request"))[-1] == "/files/3"


@pytest.mark.parametrize(
    ("usd", "kept"),
    [(None, None), (0.0, 0), (0.0123, 12_300_000), (1.845e-05, 18_450), (1e-12, 1e-12), (1e10, 1e10), (1 / 3, 1 / 3)],
)
def test_money_is_kept_exactly(usd: float | None, kept: float | None) -> None:
    found = packing.packed_money(usd)
    assert found == kept and type(found) is type(kept)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (None, ("", None)),
        ("gen-25a988fd993cdf4395526728", ("gen-", bytes.fromhex("25a988fd993cdf4395526728"))),
        ("gen-1764520000-AbC", ("gen-", "1764520000-AbC")),
        ("req_011CSHoEeqs5C35K2UUqR7Fy", ("req_011C", "SHoEeqs5C35K2UUqR7Fy")),
        ("abc", ("", "abc")),
        ("ABCDEF0123", ("", "ABCDEF0123")),
        ("", ("", "")),
    ],
)
def test_ids_of_providers_are_kept_short(told: str | None, kept: tuple[str, object]) -> None:
    assert packing.split_id(told) == kept
