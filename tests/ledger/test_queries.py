"""Questions to the history, answered as one works it out by hand."""

from __future__ import annotations

import fnmatch
import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from tests.ledger.facts import (
    BACKUP,
    HOUR,
    MAIN,
    MODEL,
    T0,
    attempt_ended,
    ended,
    id_of,
    seen,
    served,
    started,
    switched,
)
from tray_app.core.history import Choices, PastAttempt, PastFailover, PastRequest, Period, Quantiles, Sums, Wanted
from tray_app.core.values import AttemptEnded, Fact, FailedOver, Outcome, RequestEnded, RequestStarted, Spent
from tray_app.ledger import batch, database
from tray_app.ledger.queries import History
from tray_app.ledger.search import cpu_s

DAY = T0 // HOUR * HOUR
OUTCOMES = (
    Outcome.SERVED,
    Outcome.FAILED,
    Outcome.SERVED,
    Outcome.CLIENT_CANCELLED,
    Outcome.EXHAUSTED,
    Outcome.REFUSED,
)
MODELS = (MODEL, "openai/gpt-4o-mini", None)


def one_request(number: int) -> list[Fact]:
    """Request `number` of a busy morning: every 7 minutes one, each a little different."""
    at = DAY + number * 420_000
    outcome = OUTCOMES[number % len(OUTCOMES)]
    ttft = None if outcome is not Outcome.SERVED else (number * 37) % 101 + 100
    facts = switched(number, at) if number % 5 == 0 else served(number, at)
    facts[0] = replace(facts[0], model=MODELS[number % 3], client="codex" if number % 4 == 0 else "opencode")  # type: ignore[arg-type]
    facts[-1] = replace(facts[-1], outcome=outcome, ttft_ms=ttft, duration_ms=500 + number)  # type: ignore[arg-type]
    return facts


MORNING = [one_request(number) for number in range(60)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the morning in it, and what an operator did."""
    path = tmp_path_factory.mktemp("queries") / "history.db"
    with closing(database.open_for_writing(path, 1).connection) as connection:
        facts = [fact for facts in MORNING for fact in facts]
        by_hand = FailedOver(None, DAY + 61 * 420_000, BACKUP, MAIN, "chosen by the operator (tray)", True)
        batch.write(connection, [seen(MAIN), seen(BACKUP), *facts, by_hand], batch.Unfinished())
        batch.write(connection, [started(99, started_at=DAY + 62 * 420_000)], batch.Unfinished())  # still under way
    return path


@pytest.fixture
def asked(filled: Path) -> Iterator[History]:
    yield History(filled)


def ends() -> list[tuple[RequestStarted, RequestEnded]]:
    return [(facts[0], facts[-1]) for facts in MORNING]  # type: ignore[misc]


def ids(found: list[PastRequest]) -> list[str]:
    return [request.id for request in found]


ALL = [*(facts[0].id for facts in MORNING), id_of(99, DAY + 62 * 420_000)]  # type: ignore[union-attr]


def test_the_newest_requests_come_first(asked: History) -> None:
    assert ids(asked.recent(1000)) == sorted(ALL, reverse=True)
    assert ids(asked.recent(5)) == sorted(ALL, reverse=True)[:5]


def test_pages_follow_one_another_without_gap_or_overlap(asked: History) -> None:
    found: list[str] = []
    while page := asked.recent(7, Wanted(before=found[-1] if found else None)):
        assert len(page) <= 7
        found += ids(page)
    assert found == sorted(ALL, reverse=True)


@pytest.mark.parametrize("profile", [MAIN, BACKUP, "nobody"])
def test_requests_of_one_profile(asked: History, profile: str) -> None:
    wanted = [start.id for start, end in ends() if end.profile_id == profile]
    assert ids(asked.recent(1000, Wanted(profile=profile))) == sorted(wanted, reverse=True)


def test_requests_of_one_model(asked: History) -> None:
    wanted = [start.id for start, _ in ends() if start.model == MODELS[1]]
    assert ids(asked.recent(1000, Wanted(model=MODELS[1]))) == sorted(wanted, reverse=True)


@pytest.mark.parametrize("number", [0, 10, 59, 60, 70])
def test_requests_since_a_moment(asked: History, number: int) -> None:
    since = DAY + number * 420_000
    found = asked.recent(1000, Wanted(since=since))
    assert ids(found) == sorted(ALL, reverse=True)[: max(0, 60 - number) + (number <= 62)]
    assert all(request.started_at >= since for request in found)


def test_filters_hold_together(asked: History) -> None:
    found = asked.recent(3, Wanted(profile=BACKUP, model=MODEL, since=DAY + HOUR, before=ALL[50]))
    wanted = [
        start.id
        for start, end in ends()
        if end.profile_id == BACKUP and start.model == MODEL and start.started_at >= DAY + HOUR and start.id < ALL[50]
    ]
    assert ids(found) == sorted(wanted, reverse=True)[:3]
    assert found


def test_a_request_is_given_whole(asked: History) -> None:
    (found,) = asked.recent(1, Wanted(before=ALL[6]))
    start, end = ends()[5]
    assert found == PastRequest(
        start.id,
        start.started_at,
        end.ended_at,
        "opencode",
        "openrouter",
        "openai_chat",
        "/chat/completions",
        start.model,
        True,
        end.outcome.value,
        200,
        BACKUP,
        2,
        1,
        0,
        end.ttft_ms,
        505,
        1000,
        5000,
        None,
    )


def test_a_trace_has_the_attempts_and_failovers_in_their_order(asked: History) -> None:
    trace = asked.trace(ALL[5])
    at = DAY + 5 * 420_000
    assert trace is not None
    assert trace.request.id == ALL[5]
    assert [attempt.seq for attempt in trace.attempts] == [1, 2]
    assert trace.attempts[0] == PastAttempt(
        1, MAIN, MODEL, at + 10, at + 890, "failed", 429, "rate_limited", "key", "429", "Rate limit exceeded", 12.5, None,
        880, None, 80, "the rate limit is reached",
    )  # fmt: skip
    assert trace.failovers == (PastFailover(at + 891, ALL[5], MAIN, BACKUP, "the rate limit is reached", False),)


def test_a_trace_of_nothing_is_none(asked: History) -> None:
    assert asked.trace("nothing") is None


def test_a_trace_of_a_request_under_way_has_no_end(asked: History) -> None:
    trace = asked.trace(ALL[-1])
    assert trace is not None
    assert (trace.request.outcome, trace.request.ended_at, trace.attempts) == (None, None, ())


def test_the_newest_failovers_come_first(asked: History) -> None:
    found = asked.failovers(4)
    assert found[0] == PastFailover(DAY + 61 * 420_000, None, BACKUP, MAIN, "chosen by the operator (tray)", True)
    assert [one.request_id for one in found[1:]] == [ALL[55], ALL[50], ALL[45]]


WHOSE: dict[str, dict[str, str]] = {
    "all": {},
    "a profile": {"profile": BACKUP},
    "a model": {"model": MODEL},
    "a client": {"client": "codex"},
    "a provider": {"provider": "openrouter"},
    "nobody": {"client": "nobody"},
}


@pytest.mark.parametrize("whose", WHOSE.values(), ids=list(WHOSE))
@pytest.mark.parametrize("hours", [(0, 8), (2, 5)], ids=["all of it", "some hours"])
def test_usage_is_that_of_the_requests_asked_for(asked: History, hours: tuple[int, int], whose: dict[str, str]) -> None:
    starts = [DAY + hour * HOUR for hour in range(*hours)]
    period = Period(starts[0], starts[-1] + HOUR, **whose)
    found = asked.usage(period, starts)
    wanted = [(start, end) for start, end in ends() if period.since <= start.started_at < period.until]
    wanted = [(start, end) for start, end in wanted if fits(start, end, whose)]
    assert found.sums == counts(wanted)
    assert [slot.at for slot in found.slots] == starts
    for slot in found.slots:
        of_slot = [(start, end) for start, end in wanted if slot.at <= start.started_at < slot.at + HOUR]
        assert slot.sums == counts(of_slot)
        times = [end.ttft_ms for _, end in of_slot if end.outcome is Outcome.SERVED and end.ttft_ms is not None]
        assert slot.latency.p50 == (near(statistics.median_low(times)) if times else None)
    assert {name: sums.requests for name, sums in found.profiles.items()} == {
        name: sum((end.profile_id or "") == name for _, end in wanted)
        for name in {end.profile_id or "" for _, end in wanted}
    }


def fits(start: RequestStarted, end: RequestEnded, whose: dict[str, str]) -> bool:
    told = {"profile": end.profile_id, "model": start.model, "client": start.client, "provider": "openrouter"}
    return all(told[name] == value for name, value in whose.items())


def counts(wanted: list[tuple[RequestStarted, RequestEnded]]) -> Sums:
    found = [end for _, end in wanted]
    return Sums(
        requests=len(found),
        served=sum(end.outcome is Outcome.SERVED for end in found),
        saved=sum(end.outcome is Outcome.SERVED and end.failovers > 0 for end in found),
        cancelled=sum(end.outcome is Outcome.CLIENT_CANCELLED for end in found),
        failovers=sum(end.failovers for end in found),
        attempts=sum(end.attempts for end in found),
    )


def test_errors_are_told_by_class_and_slot(asked: History) -> None:
    starts = [DAY + hour * HOUR for hour in range(8)]
    found = asked.usage(Period(DAY, DAY + 8 * HOUR), starts)
    (fault,) = found.faults
    assert (fault.error_class, fault.calls, fault.failovers) == ("rate_limited", 12, 12)
    assert fault.spared_ms > 0 and fault.spared_usd is None
    assert sum(slot.errors.get("rate_limited", 0) for slot in found.slots) == 12
    assert asked.usage(Period(DAY, DAY + 8 * HOUR, profile=BACKUP), starts).faults == ()


def test_money_and_tokens_are_summed_where_they_are_known(history: Path) -> None:
    told = (Spent(1000, 50, 400, cost_usd=0.25), Spent(10, 5), None)
    with closing(database.open_for_writing(history, 1).connection) as connection:
        for number, spent in enumerate(told):
            facts = served(number)
            facts[2] = attempt_ended(number, spent=spent)
            batch.write(connection, facts, batch.Unfinished())
    at = T0 // HOUR * HOUR
    found = History(history).usage(Period(at, at + HOUR), [at])
    assert (found.sums.input_tokens, found.sums.output_tokens, found.sums.cache_read_tokens) == (1010, 55, 400)
    assert (found.sums.cost_usd, found.sums.unpriced) == (0.25, 1)
    assert (found.slots[0].costs, found.sums.finished, found.sums.failed) == ({MAIN: 0.25}, 3, 0)


def test_whom_there_is_anything_of(asked: History) -> None:
    found = asked.choices()
    assert found.clients == ("codex", "opencode")
    assert found.models == tuple(sorted(model for model in MODELS if model))


def near(ms: float) -> Any:
    """What a histogram makes of it."""
    return pytest.approx(ms, rel=0.05, abs=0.5)


@pytest.mark.parametrize(
    ("times", "median"),
    [((), None), ((7,), 7), ((10, 20), 10), ((30, 10, 20), 20), ((1, 2, 3, 100), 2), ((5, None, 7), 7)],
    ids=["none", "one", "two", "three", "four", "without a first byte the whole time counts"],
)
@pytest.mark.parametrize("since", [0, T0 - 1], ids=["long", "from within its hour"])
def test_the_median_is_in_the_middle(
    history: Path, times: tuple[int | None, ...], median: int | None, since: int
) -> None:
    with closing(database.open_for_writing(history, 1).connection) as connection:
        for number, ttft in enumerate(times):
            batch.write(connection, [started(number), ended(number, ttft_ms=ttft)], batch.Unfinished())
    at = T0 // HOUR * HOUR
    found = History(history).usage(Period(since, at + HOUR), [at]).latency
    assert found.p50 == (median and near(median))
    assert (found.p95 or 0) >= (found.p50 or 0)


# -- the search


def told_by(request: str) -> list[str]:
    """The class of the error of a request's first call, and what is said of it."""
    ends = (
        fact for facts in MORNING for fact in facts if isinstance(fact, AttemptEnded) and fact.request_id == request
    )
    return [text for one in ends for text in (one.error_class, one.error_code, one.error_message, one.reason) if text]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(client="codex"),
        Wanted(client="cod*"),
        Wanted(model="openai/*"),
        Wanted(model="*claude*", client="*"),
        Wanted(outcome="served"),
        Wanted(outcome="refused"),
        Wanted(outcome="client_cancelled"),
        Wanted(outcome="served", model=MODEL, client="opencode"),
        Wanted(outcome="failed", profile=BACKUP),
        Wanted(profile="openrouter-*", since=DAY + 2 * HOUR, before=ALL[40]),
        Wanted(prefix=ALL[30][:7]),
        Wanted(prefix=ALL[30].upper()),
        Wanted(prefix=ALL[30], client="codex"),
        Wanted(prefix=ALL[30], client="nobody"),
        Wanted(prefix="ugh"),
        Wanted(model="ugh", before="1"),
        Wanted(client="codex", before=ALL[20] + "000"),
        Wanted(until=DAY + 3 * HOUR),
        Wanted(until=DAY + 3 * HOUR, since=DAY + HOUR, outcome="failed"),
        Wanted(until=DAY + 3 * HOUR, since=DAY + 4 * HOUR, outcome="failed"),
        Wanted(provider="openrouter", since=DAY + HOUR),
        Wanted(provider="open*", until=DAY + 2 * HOUR, client="codex"),
        Wanted(provider="anthropic"),
        Wanted(error_class="rate_limited"),
        Wanted(error_class="rate_limited", outcome="served", until=DAY + 4 * HOUR),
        Wanted(error_class="auth"),
        Wanted(error="LIMIT exceeded"),
        Wanted(error="429", client="codex"),
        Wanted(error="Rate%exceeded"),
        Wanted(error="Rate_limit"),
        Wanted(error="rate_limit"),
        Wanted(after=ALL[50]),
        Wanted(after=ALL[10], before=ALL[20], client="opencode"),
        Wanted(after=ALL[10], outcome="refused"),
        Wanted(after=ALL[10], error_class="rate_limited", before=ALL[41]),
        Wanted(after=ALL[60]),
    ],
    ids=str,
)
def test_requests_are_found_by_all_that_they_are(asked: History, wanted: Wanted) -> None:
    def like(value: str | None, pattern: str | None) -> bool:
        return pattern is None or (value is not None and fnmatch.fnmatchcase(value, pattern))

    right = [
        start.id
        for start, end in ends()
        if like(end.profile_id, wanted.profile)
        and like(start.model, wanted.model)
        and like(start.client, wanted.client)
        and like(end.outcome.value, wanted.outcome)
        and start.id.startswith((wanted.prefix or "").lower())
        and start.started_at >= (wanted.since or 0)
        and start.id < (wanted.before or "~")
        and start.started_at < (wanted.until or 1 << 60)
        and start.id > (wanted.after or "")
        and like(start.provider, wanted.provider)
        and (wanted.error_class is None or wanted.error_class in told_by(start.id))
        and (wanted.error is None or any(wanted.error.lower() in words.lower() for words in told_by(start.id)))
    ]
    going_on = replaced(wanted, client=None, model=None, since=None, after=None, provider=None) == Wanted()
    if going_on and wanted.after != ALL[60] and like("openrouter", wanted.provider):
        right += [ALL[60]] if like("opencode", wanted.client) and like(MODEL, wanted.model) else []  # it goes on
    nearest_first = sorted(right, reverse=wanted.after is None)
    for limit in (1000, 2):
        assert ids(asked.recent(limit, wanted)) == sorted(nearest_first[:limit], reverse=True)


def test_what_goes_on_is_found_too(asked: History) -> None:
    assert ids(asked.recent(10, Wanted(outcome="running"))) == [ALL[60]]
    assert ids(asked.recent(10, Wanted(outcome="running", client="codex"))) == []


@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted(client="codex"), Wanted(outcome="served"), Wanted(outcome="failed")]
)
def test_every_search_pages_through_all_that_there_is(asked: History, wanted: Wanted) -> None:
    whole, pages = ids(asked.recent(1000, wanted)), list[str]()
    while page := asked.recent(4, replaced(wanted, before=pages[-1] if pages else None)):
        pages += ids(page)
    assert pages == whole and pages


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(client="codex"), Wanted(outcome="failed"), Wanted(error="limit")])
def test_every_search_goes_back_the_way_it_came(asked: History, wanted: Wanted) -> None:
    whole, pages = ids(asked.recent(1000, wanted)), list[str]()
    while page := asked.recent(4, replaced(wanted, after=pages[0] if pages else "0")):
        pages = ids(page) + pages
    assert pages == whole and len(pages) > 4


@pytest.mark.parametrize("after", [None, "0"], ids=["from the newest on", "from the oldest on"])
@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted(client="codex"), Wanted(outcome="failed"), Wanted(error_class="rate_limited")], ids=str
)
def test_a_search_without_patience_goes_on_where_it_stopped(asked: History, wanted: Wanted, after: str | None) -> None:
    whole, found, steps = ids(asked.recent(1000, wanted)), list[str](), 0
    step = replaced(wanted, after=after)
    while True:
        some = asked.found(3, step, lambda: False)
        assert len(some.requests) <= 3
        found += ids(some.requests) if after is None else ids(some.requests)[::-1]
        steps += 1
        on = some.reached or (found[-1] if len(some.requests) == 3 else None)
        if on is None:
            break
        step = replaced(wanted, before=on) if after is None else replaced(wanted, after=on)
    assert found == (whole if after is None else whole[::-1])
    assert steps > 1


def test_patience_is_counted_in_time_of_the_processor() -> None:
    assert cpu_s(60)() and not cpu_s(0)()


def test_no_search_looks_at_all_requests(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement that it makes finds what it reads by a key."""
    statements: list[tuple[str, Any]] = []
    plain = Session.execute

    def noted(self: Session, statement: Any, *more: Any, **named: Any) -> Any:
        statements.append((str(statement), more[0] if more else {}))
        return plain(self, statement, *more, **named)

    monkeypatch.setattr(Session, "execute", noted)
    for wanted in (
        Wanted(),
        Wanted(client="codex"),
        Wanted(outcome="failed"),
        Wanted(outcome="running"),
        Wanted(error="limit"),
        Wanted(after=ALL[20]),
        Wanted(provider="open*", until=DAY + HOUR),
    ):
        History(filled).recent(5, wanted)
    plans = []
    with closing(sqlite3.connect(filled)) as connection:
        for sql, given in statements:
            if "POSTCOMPILE" not in sql:
                plans += [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
    about = [line for line in plans if line.split()[1:2] in (["a"], ["f"], ["r"], ["request_data"])]
    assert about and all(line.startswith("SEARCH") or "request_open" in line for line in about), about


def test_an_empty_history_answers_with_nothing(history: Path) -> None:
    database.open_for_writing(history, 1).connection.close()
    asked = History(history)
    assert asked.recent(10) == asked.failovers(10) == []
    nothing = asked.usage(Period(0, HOUR), [0])
    assert (nothing.sums, nothing.profiles, nothing.faults, nothing.latency) == (Sums(), {}, (), Quantiles())
    assert asked.choices() == Choices()


def test_moments_before_all_time_are_understood(asked: History) -> None:
    assert asked.usage(Period(-1, DAY + 30 * HOUR), [0]).sums.requests == 60
    assert len(asked.recent(1000, Wanted(since=-1))) == 61


def test_nothing_can_be_written_through_a_history(filled: Path, asked: History) -> None:
    before = filled.read_bytes()
    with asked._session() as session, pytest.raises(OperationalError, match="readonly"):
        session.connection().execute(text("DELETE FROM request_data"))
    assert filled.read_bytes() == before


def test_a_history_never_makes_a_file(history: Path) -> None:
    with pytest.raises(OperationalError, match="unable to open"):
        History(history).recent(1)
    assert not history.exists()


def test_a_history_reads_while_another_writes(history: Path) -> None:
    with closing(database.open_for_writing(history, 1).connection) as connection:
        batch.write(connection, served(1), batch.Unfinished())
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM request_data")
        assert len(History(history).recent(5)) == 1
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("name", ["a#b", "50%", "what?", "mit Umlaut ä"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "history.db"
    with closing(database.open_for_writing(path, 1).connection) as connection:
        batch.write(connection, served(1), batch.Unfinished())
    assert len(History(path).recent(5)) == 1


def test_the_newest_requests_are_found_without_a_scan(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        sql = "EXPLAIN QUERY PLAN SELECT * FROM request WHERE id >= ? AND started_at >= ? ORDER BY id DESC LIMIT 5"
        plan = " ".join(row[3] for row in connection.execute(sql, ("0", 0)))
    assert "USING PRIMARY KEY" in plan and "TEMP B-TREE" not in plan


def test_what_each_client_came_to_and_when_it_came_last(asked: History) -> None:
    found = {one.client: one for one in asked.client_totals(DAY)}
    assert found.keys() == {"codex", "opencode"}
    for name, one in found.items():
        mine = [(start, end) for start, end in ends() if start.client == name]
        assert (one.requests, one.served) == (len(mine), sum(end.outcome is Outcome.SERVED for _, end in mine))
        latest = [start.started_at for start, _ in mine] + ([DAY + 62 * 420_000] if name == "opencode" else [])
        assert one.last_at == max(latest)
    assert asked.client_totals(DAY + 100 * HOUR) == []


def test_the_sums_of_clients_are_those_of_their_calls(asked: History, filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as plain:
        rows = plain.execute(
            "SELECT client, sum(a.input_tokens), sum(a.output_tokens), sum(a.cost_usd) FROM attempt a"
            " JOIN request r ON r.id = a.request_id GROUP BY client"
        ).fetchall()
    for client, inputs, outputs, cost in rows:
        (one,) = (one for one in asked.client_totals(DAY) if one.client == client)
        assert (one.input_tokens, one.output_tokens) == (inputs or 0, outputs or 0)
        assert one.cost_usd == pytest.approx(cost or 0)
