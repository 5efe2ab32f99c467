"""Facts become the same rows however they are spread over transactions."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.facts import (
    BACKUP,
    HOUR,
    MAIN,
    MODEL,
    T0,
    attempt_ended,
    attempt_started,
    ended,
    failed_attempt,
    id_of,
    rest,
    seen,
    served,
    started,
    switched,
)
from tests.ledger.look import ask, contents, one
from tray_app.core.values import (
    Admin,
    AttemptStarted,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    OperatorActed,
    Outcome,
    ProfileRemoved,
    ReauthChanged,
    Remember,
    RequestStarted,
    Scope,
    Spent,
)
from tray_app.ledger import batch, database


def write(path: Path, *batches: list[Fact]) -> int:
    """Write each batch in a transaction of its own; how many facts had no place."""
    with closing(database.open_for_writing(path, 1).connection) as connection:
        return written(connection, *batches)


def written(connection: sqlite3.Connection, *batches: list[Fact]) -> int:
    unfinished = batch.Unfinished()
    lost = sum(batch.write(connection, facts, unfinished) for facts in batches)
    assert unfinished == batch.Unfinished()
    return lost


@contextmanager
def in_memory() -> Iterator[sqlite3.Connection]:
    """An empty ledger that costs no disk."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for _, sql in database.migrations():
            connection.executescript(sql)
        yield connection


def test_a_request_within_one_batch_is_one_whole_row(history: Path) -> None:
    write(history, served(1))
    (row,) = ask(history, "SELECT * FROM request")
    assert {name: value for name, value in row.items() if value is not None} == {
        "id": id_of(1),
        "started_at": T0,
        "ended_at": T0 + 900,
        "client": "opencode",
        "provider": "openrouter",
        "protocol": "openai_chat",
        "path": "/chat/completions",
        "model": MODEL,
        "stream": 1,
        "outcome": "served",
        "status_code": 200,
        "profile_id": MAIN,
        "attempts": 1,
        "failovers": 0,
        "wait_ms": 0,
        "ttft_ms": 150,
        "duration_ms": 900,
        "request_bytes": 1000,
        "response_bytes": 5000,
    }


def test_an_attempt_has_its_error_and_its_times(history: Path) -> None:
    write(history, switched(7))
    first, second = ask(history, "SELECT * FROM attempt ORDER BY seq")
    assert (first["profile_id"], first["outcome"], first["error_class"], first["error_scope"]) == (
        MAIN,
        "failed",
        "rate_limited",
        "key",
    )
    assert (first["retry_after_s"], first["error_message"], first["ttft_ms"]) == (12.5, "Rate limit exceeded", None)
    assert (second["profile_id"], second["outcome"], second["ttft_ms"]) == (BACKUP, "served", 140)
    assert (second["started_at"], second["ended_at"], second["duration_ms"]) == (T0 + 10, T0 + 890, 880)
    assert second["upstream_request_id"] == "gen-7"


def test_a_longer_request_is_written_open_first(history: Path) -> None:
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(history, 1).connection) as connection:
        batch.write(connection, [started(1, provider=None), attempt_started(1)], unfinished)
        (row,) = ask(history, "SELECT outcome, ended_at, provider FROM request")
        assert row == {"outcome": None, "ended_at": None, "provider": None}
        ((attempt_id,),) = connection.execute("SELECT id FROM attempt WHERE ended_at IS NULL").fetchall()
        assert set(unfinished.open) == {id_of(1), (id_of(1), 1)}
        assert not unfinished.young
        batch.write(connection, [attempt_ended(1), ended(1)], unfinished)
    assert unfinished == batch.Unfinished()
    assert one(history, "SELECT provider FROM request WHERE outcome = 'served'") == "openrouter"
    assert one(history, "SELECT id FROM attempt WHERE outcome = 'served'") == attempt_id  # it keeps its number


def test_in_a_hurry_what_has_only_begun_waits_until_it_ends(history: Path) -> None:
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(history, 1).connection) as connection:
        batch.write(connection, [started(1), attempt_started(1), *served(2)], unfinished, open_too=False)
        assert ask(history, "SELECT id FROM request") == [{"id": id_of(2)}]
        assert set(unfinished.young) == {id_of(1), (id_of(1), 1)}
        batch.write(connection, [attempt_ended(1)], unfinished, open_too=False)
        # an attempt's row is never there without its request's
        assert one(history, f"SELECT count(*) FROM request WHERE id = '{id_of(1)}' AND outcome IS NULL") == 1
        batch.write(connection, [started(3), ended(1)], unfinished, open_too=False)
        assert one(history, f"SELECT outcome FROM request WHERE id = '{id_of(1)}'") == "served"
        assert one(history, "SELECT count(*) FROM request") == 2
        batch.write(connection, [], unfinished)
    assert one(history, "SELECT count(*) FROM request WHERE outcome IS NULL") == 1
    assert (set(unfinished.young), set(unfinished.open)) == (set(), {id_of(3)})


def test_the_next_file_gets_no_providers_words_on_calls_that_it_does_not_hold(history: Path) -> None:
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(history, 1).connection) as connection:
        told = attempt_ended(1, spent=Spent(1, 1, usage='{"x": 1}'))
        batch.write(connection, [started(2)], unfinished)
        batch.write(connection, [started(1), attempt_started(1), told, ended(1)], unfinished, open_too=False)
        assert one(history, "SELECT count(*) FROM attempt") == 1
    other = history.with_name("next.db")
    with closing(database.open_for_writing(other, 1).connection) as connection:
        batch.write(connection, unfinished.taken(), unfinished)
    assert one(other, "SELECT count(*) FROM attempt_usage") == 0
    assert ask(other, "SELECT id FROM request") == [{"id": id_of(2)}]


def test_an_end_whose_beginning_was_dropped_is_counted_as_lost(history: Path) -> None:
    assert write(history, [ended(1)], served(2)) == 1
    assert one(history, "SELECT id FROM request") == id_of(2)


def test_an_attempt_whose_beginning_was_dropped_is_kept_all_the_same(history: Path) -> None:
    assert write(history, [attempt_ended(1)]) == 0
    (row,) = ask(history, "SELECT request_id, seq, profile_id, model, started_at, ended_at FROM attempt")
    assert list(row.values()) == [id_of(1), 1, MAIN, None, T0 + 10, T0 + 890]


def test_what_goes_wrong_leaves_nothing_behind(history: Path) -> None:
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(history, 1).connection) as connection:
        with pytest.raises(sqlite3.IntegrityError):
            batch.write(connection, [*served(1), started(2, client=None)], unfinished)
        assert not connection.in_transaction
        assert unfinished == batch.Unfinished()
    assert one(history, "SELECT count(*) FROM request") == 0
    assert one(history, "SELECT count(*) FROM usage_hour") == 0


def test_a_locked_file_is_told_before_any_work_is_done(history: Path) -> None:
    def facts() -> Any:
        raise AssertionError("nobody should look")
        yield

    with closing(database.open_for_writing(history, 1).connection) as connection:
        with closing(sqlite3.connect(history)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                batch.write(connection, facts(), batch.Unfinished())


def test_requests_are_summed_up_by_hour_profile_model_and_client(history: Path) -> None:
    hour = T0 // HOUR * HOUR
    write(
        history,
        served(1, at=hour),
        served(2, at=hour + HOUR - 1, outcome=Outcome.FAILED),
        switched(3, at=hour + 5),
        served(4, at=hour + HOUR),
        [started(5, started_at=hour, model=None), ended(5, started_at=hour, profile_id=None, outcome=Outcome.REFUSED)],
    )
    found = ask(history, "SELECT * FROM usage_hour ORDER BY hour_at, profile_id, model")
    columns = [
        "hour_at",
        "profile_id",
        "requests",
        "served",
        "attempts",
        "failovers",
        "request_bytes",
        "response_bytes",
        "duration_ms",
    ]
    assert [tuple(row[column] for column in columns) for row in found] == [
        (hour, "", 1, 0, 1, 0, 1000, 5000, 900),
        (hour, BACKUP, 1, 1, 2, 1, 1000, 5000, 900),
        (hour, MAIN, 2, 1, 2, 0, 2000, 10000, 1800),
        (hour + HOUR, MAIN, 1, 1, 1, 0, 1000, 5000, 900),
    ]
    assert {row["model"] for row in found} == {MODEL, ""}


STATE = [
    pytest.param(
        [
            CooldownSet(rest(), "w", None, T0),
            CooldownCleared(rest(), "w", T0, "over"),
            CooldownSet(rest(), "w", None, T0),
        ],
        "SELECT count(*) FROM cooldown",
        1,
        id="a cooldown that is set again after it was cleared",
    ),
    pytest.param(
        [CooldownSet(rest(), "w", None, T0), CooldownCleared(rest(), "w", T0, "over")],
        "SELECT count(*) FROM cooldown",
        0,
        id="a cooldown that is cleared",
    ),
    pytest.param(
        [CooldownSet(rest(), "w", None, T0), CooldownSet(rest(until_at=T0 + 9), "w", None, T0)],
        "SELECT until_at FROM cooldown",
        T0 + 9,
        id="a cooldown that is set to another end",
    ),
    pytest.param(
        [seen(), ProfileRemoved(MAIN, T0), seen(admin=Admin.PAUSED)],
        "SELECT admin_state || coalesce(removed_at, '') FROM profile",
        "paused",
        id="a profile that is removed and comes back",
    ),
    pytest.param(
        [seen(), ProfileRemoved(MAIN, T0 + 5)],
        "SELECT removed_at FROM profile",
        T0 + 5,
        id="a profile that is removed",
    ),
    pytest.param(
        [
            seen(BACKUP),
            ReauthChanged(BACKUP, "w", T0, True, "no"),
            seen(),
            ReauthChanged(MAIN, "w", T0, True, "bad key"),
        ],
        "SELECT reauth_reason FROM profile WHERE id = 'openrouter-main'",
        "bad key",
        id="a profile that is new and refused at once",
    ),
    pytest.param(
        [seen(), ReauthChanged(MAIN, "w", T0, True, "no"), ReauthChanged(MAIN, "w", T0, False, "yes")],
        "SELECT reauth_reason FROM profile",
        None,
        id="a key that works again",
    ),
    pytest.param(
        [Remember("preferred", MAIN), Remember("preferred", BACKUP)],
        "SELECT value FROM app_state",
        BACKUP,
        id="the last preference",
    ),
]


@pytest.mark.parametrize(("facts", "sql", "expected"), STATE)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in a batch each"])
def test_the_last_word_counts(history: Path, facts: list[Fact], sql: str, expected: object, together: bool) -> None:
    write(history, *([facts] if together else [[fact] for fact in facts]))
    assert one(history, sql) == expected


QUOTA = [
    (CooldownSet(rest(), "wallet", None, T0), "cooldown", "key", "header", T0 + 60_000),
    (
        CooldownSet(rest(error_class=ErrorClass.QUOTA_EXHAUSTED, scope=Scope.ACCOUNT), "wallet", None, T0),
        "exhausted",
        "account",
        "header",
        T0 + 60_000,
    ),
    (CooldownCleared(rest(), "wallet", T0, "its time is over"), "reset", "key", "inferred", None),
    (ReauthChanged(MAIN, "wallet", T0, True, "refused"), "reauth", "key", "body", None),
    (ReauthChanged(MAIN, "wallet", T0, False, "a new key was given"), "reset", "key", "body", None),
]


@pytest.mark.parametrize(("fact", "kind", "scope", "source", "resets_at"), QUOTA, ids=[row[1] for row in QUOTA])
def test_changes_of_a_quota_are_events(
    history: Path, fact: Fact, kind: str, scope: str, source: str, resets_at: int | None
) -> None:
    write(history, [fact])
    (row,) = ask(history, "SELECT * FROM quota_event")
    assert (row["kind"], row["scope"], row["source"], row["resets_at"]) == (kind, scope, source, resets_at)
    assert (row["profile_id"], row["account"], row["at"]) == (MAIN, "wallet", T0)


def test_what_an_operator_does_is_kept_with_who_it_was(history: Path) -> None:
    write(
        history, [OperatorActed(T0, "tray", "pause", MAIN, "for 7200 s"), OperatorActed(T0, "cli", "stop", None, None)]
    )
    assert [tuple(row.values())[1:] for row in ask(history, "SELECT * FROM operator_event ORDER BY id")] == [
        (T0, "tray", "pause", MAIN, "for 7200 s"),
        (T0, "cli", "stop", None, None),
    ]


def test_a_profile_keeps_when_it_was_first_seen(history: Path) -> None:
    write(history, [seen()], [seen(admin=Admin.DRAINING, until=T0 + 7, new=False)])
    (row,) = ask(history, "SELECT * FROM profile")
    assert (row["created_at"], row["admin_state"], row["admin_until_at"]) == (T0, "draining", T0 + 7)
    assert (row["tags"], row["key_tail"], row["key_fingerprint"]) == ("work,fast", "wxyz", "0123456789abcdef")


# -- any order, any split

PROFILES = (MAIN, BACKUP, "openrouter-spare")


@st.composite
def lives(draw: st.DrawFn) -> list[Fact]:
    """All facts of one request, in their order; the ids are made unique afterwards."""
    at = T0 + draw(st.integers(0, 3)) * HOUR // 2
    facts: list[Fact] = [started(0, started_at=at, model=draw(st.sampled_from([MODEL, "openai/gpt-4o", None])))]
    attempts = draw(st.integers(0, 3))
    for seq in range(1, attempts + 1):
        facts.append(attempt_started(0, seq, at=at, profile_id=PROFILES[seq - 1]))
        last = seq == attempts
        facts.append((attempt_ended if last else failed_attempt)(0, seq, at=at, profile_id=PROFILES[seq - 1]))
    outcome = draw(st.sampled_from(list(Outcome)))
    profile = PROFILES[attempts - 1] if attempts else None
    size = draw(st.integers(0, 10_000))
    more = {"attempts": attempts, "failovers": max(0, attempts - 1), "response_bytes": size, "profile_id": profile}
    return [*facts, ended(0, started_at=at, outcome=outcome, **more)]


STATES: list[Fact] = [
    seen(),
    seen(BACKUP),
    CooldownSet(rest(), "wallet", None, T0),
    CooldownSet(rest(scope=Scope.KEY_MODEL, model=MODEL), "wallet", None, T0),
    CooldownCleared(rest(), "wallet", T0, "over"),
    ReauthChanged(MAIN, "wallet", T0, True, "no"),
    ReauthChanged(MAIN, "wallet", T0, False, "yes"),
    seen(admin=Admin.PAUSED, new=False),
    ProfileRemoved(BACKUP, T0),
    Remember("preferred", MAIN),
    Remember("preferred", BACKUP),
    OperatorActed(T0, "api", "use", BACKUP, None),
]


def numbered(number: int, facts: list[Fact]) -> list[Fact]:
    """The same life as request `number`."""
    name = id_of(number)
    made: list[Any] = []
    for fact in facts:
        values = {field: getattr(fact, field) for field in fact.__slots__}  # type: ignore[union-attr]
        key = "id" if "id" in values else "request_id"
        made.append(type(fact)(**values | {key: name}))
    return made


def expected(requests: list[list[Fact]], states: list[Fact]) -> dict[str, object]:
    """The same worked out by hand, a fact at a time."""
    usage: Counter[tuple[object, ...]] = Counter()
    ends: dict[str, tuple[object, ...]] = {}
    for life in requests:
        first, last = life[0], life[-1]
        assert isinstance(first, RequestStarted)
        key = (first.started_at // HOUR * HOUR, last.profile_id or "", first.model or "")  # type: ignore[union-attr]
        for name in ("attempts", "failovers", "response_bytes"):
            usage[*key, name] += getattr(last, name)
        usage[*key, "requests"] += 1
        usage[*key, "served"] += last.outcome is Outcome.SERVED  # type: ignore[union-attr]
        attempts = [fact for fact in life if isinstance(fact, AttemptStarted)]
        ends[first.id] = (last.outcome.value, first.model, len(attempts))  # type: ignore[union-attr]
    cooldowns: set[tuple[object, ...]] = set()
    admin: dict[str, str] = {}
    gone: set[str] = set()
    value = None
    for fact in states:
        match fact:
            case CooldownSet(one_rest):
                cooldowns.add((one_rest.scope.value, one_rest.model or ""))
            case CooldownCleared(one_rest):
                cooldowns.discard((one_rest.scope.value, one_rest.model or ""))
            case Remember(_, text):
                value = text
            case ProfileRemoved(name):
                gone.add(name)
            case _ if hasattr(fact, "admin"):
                admin[fact.profile.id] = fact.admin.value
                gone.discard(fact.profile.id)
    held = {name: state for name, state in admin.items() if name not in gone}
    return {"usage": +usage, "ends": ends, "cooldowns": cooldowns, "admin": held, "preferred": value}


def in_the_file(path: sqlite3.Connection) -> dict[str, object]:
    """What the file says of the same."""
    usage: Counter[tuple[object, ...]] = Counter()
    for row in ask(path, "SELECT * FROM usage_hour"):
        for name in ("requests", "served", "attempts", "failovers", "response_bytes"):
            usage[row["hour_at"], row["profile_id"], row["model"], name] = row[name]
    sql = (
        "SELECT id, outcome, model, (SELECT count(*) FROM attempt WHERE request_id = request.id AND ended_at > 0) AS n"
    )
    rows = ask(path, f"{sql} FROM request")
    state = ask(path, "SELECT value FROM app_state")
    return {
        "usage": +usage,
        "ends": {row["id"]: (row["outcome"], row["model"], row["n"]) for row in rows},
        "cooldowns": {(row["scope"], row["model"]) for row in ask(path, "SELECT * FROM cooldown")},
        "admin": {r["id"]: r["admin_state"] for r in ask(path, "SELECT * FROM profile WHERE removed_at IS NULL")},
        "preferred": state[0]["value"] if state else None,
    }


@pytest.mark.many_cases
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_interleaving_and_splitting_gives_the_same_rows(data: st.DataObject) -> None:
    found = data.draw(st.lists(lives(), max_size=6))
    requests = [numbered(number, life) for number, life in enumerate(found)]
    states = data.draw(st.lists(st.sampled_from(STATES), max_size=10))
    queues = [list(facts) for facts in (*requests, states) if facts]
    mixed: list[Fact] = []
    while queues:
        place = data.draw(st.integers(0, len(queues) - 1))
        mixed.append(queues[place].pop(0))
        queues = [queue for queue in queues if queue]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(mixed)), max_size=8)))
    parts = [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]
    with in_memory() as split, in_memory() as whole:
        assert written(split, *parts) == 0
        assert written(whole, mixed) == 0
        assert contents(split) == contents(whole)
        assert in_the_file(split) == expected(requests, states)
