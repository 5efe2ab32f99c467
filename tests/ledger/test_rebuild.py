"""The hourly sums equal the rows that they are made of, while they are written and when they are counted anew."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.facts import HOUR, T0, attempt_ended, attempt_started, ended, id_of, started
from tests.ledger.look import ask
from tray_app.core import histogram
from tray_app.core.values import Fact, FailedOver, Outcome, Spent
from tray_app.ledger import batch, database
from tray_app.ledger.rebuild import rebuild

tokens = st.none() | st.integers(0, 10**6)
spendings = st.builds(
    Spent,
    st.integers(0, 10**6),
    tokens,
    tokens,
    tokens,
    tokens,
    st.none() | st.integers(0, 1000).map(lambda thousandths: thousandths / 1024),
    usage=st.none() | st.just('{"prompt_tokens":1}'),
)
outcomes = st.sampled_from([Outcome.SERVED, Outcome.SERVED, Outcome.FAILED, Outcome.CLIENT_CANCELLED])

classes = st.sampled_from(["rate_limited", "mid_stream_error"])
waits = st.none() | st.floats(0, 10_000)
failed = st.builds(
    lambda kind, wait, outcome: {"error_class": kind, "retry_after_s": wait, "outcome": outcome},
    classes,
    waits,
    st.sampled_from([Outcome.FAILED, Outcome.INTERRUPTED]),
)
endings = st.just({}) | failed


@st.composite
def requests(draw: st.DrawFn) -> list[list[Fact]]:
    """Some requests, each as its facts in their order."""
    made = []
    for number in range(draw(st.integers(1, 6))):
        at = T0 + draw(st.integers(0, 2)) * HOUR + number
        told: dict[str, Any] = {"model": draw(st.sampled_from(["m", None])), "client": draw(st.sampled_from("ab"))}
        facts: list[Fact] = [started(number, started_at=at, **told)]
        calls = draw(st.integers(1, 3))
        for seq in range(1, calls + 1):
            profile, spent = draw(st.sampled_from(["p", "q"])), draw(st.none() | spendings)
            facts.append(attempt_started(number, seq, at=at, profile_id=profile))
            told_of = draw(endings)
            facts.append(attempt_ended(number, seq, at=at, profile_id=profile, spent=spent, **told_of))
            if told_of and draw(st.booleans()):
                facts.append(FailedOver(id_of(number, at), at, profile, "r", "why", draw(st.booleans())))
        ttft = draw(st.none() | st.integers(0, 9_000))
        last = {"outcome": draw(outcomes), "attempts": calls, "profile_id": draw(st.sampled_from(["p", "q", None]))}
        facts.append(ended(number, started_at=at, ttft_ms=ttft, **last))
        made.append(facts)
    return made


def sums(path: Path) -> list[dict[str, Any]]:
    rows = ask(path, "SELECT * FROM usage_hour ORDER BY hour_at, profile_id, model, client")
    for row in rows:
        row["latency_histogram"] = histogram.read(row["latency_histogram"])
        row["cost_usd"] = row["cost_usd"] and pytest.approx(row["cost_usd"])
    faults = ask(path, "SELECT * FROM fault_hour ORDER BY hour_at, profile_id, model, client, error_class")
    for row in faults:
        row["spared_usd"] = row["spared_usd"] and pytest.approx(row["spared_usd"])
    return rows + faults


@pytest.mark.many_cases
@settings(max_examples=60, deadline=None)
@given(requests(), st.randoms(use_true_random=False), st.integers(1, 8))
def test_the_sums_equal_the_rows(
    tmp_path_factory: Any, made: list[list[Fact]], chance: random.Random, size: int
) -> None:
    path = tmp_path_factory.mktemp("sums") / "history.db"
    facts: list[Fact] = []
    rest = [list(one) for one in made]
    while any(rest):  # interleaved, each in its own order
        facts.append(chance.choice([one for one in rest if one]).pop(0))
    unfinished = batch.Unfinished()
    with closing(database.open_for_writing(path, T0).connection) as connection:
        for at in range(0, len(facts), size):
            batch.write(connection, facts[at : at + size], unfinished)
    assert not unfinished.spent and not unfinished.trouble
    live = sums(path)
    for request in made:
        spent = [one for fact in request if (one := getattr(fact, "spent", None)) is not None]
        row = ask(path, "SELECT * FROM request WHERE id = ?", request[0].id)[0]  # type: ignore[union-attr]
        for name in ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "cost_usd"):
            known = [value for one in spent if (value := getattr(one, name)) is not None]
            assert row[name] == (pytest.approx(sum(known)) if known else None)
    assert rebuild(path, T0 + 4 * HOUR) >= 1
    assert sums(path) == live


def test_money_is_the_profiles_that_it_was_spent_on(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    lost, good = Spent(10, 0, cost_usd=0.5, cost_source="provider"), Spent(10, 5, cost_usd=None, usage='{"x":1}')
    facts: list[Fact] = [
        started(1),
        attempt_started(1, 1, profile_id="dear"),
        attempt_ended(1, 1, profile_id="dear", outcome=Outcome.INTERRUPTED, spent=lost),
        attempt_started(1, 2, profile_id="next"),
        attempt_ended(1, 2, profile_id="next", spent=good),
        ended(1, profile_id="next", attempts=2),
    ]
    with closing(database.open_for_writing(path, T0).connection) as connection:
        batch.write(connection, facts, batch.Unfinished())
    rows = {row["profile_id"]: row for row in sums(path) if "requests" in row}
    assert rows["dear"]["cost_usd"] == 0.5 and rows["dear"]["requests"] == 0 and rows["dear"]["unpriced"] == 0
    assert rows["next"]["cost_usd"] is None and rows["next"]["unpriced"] == 1
    row = ask(path, "SELECT input_tokens, output_tokens, cost_usd, cost_source FROM request")[0]
    assert row == {"input_tokens": 20, "output_tokens": 5, "cost_usd": 0.5, "cost_source": "provider"}
    words = "SELECT a.seq, u.usage FROM attempt_usage u JOIN attempt a ON a.id = u.attempt_id"
    assert ask(path, words) == [{"seq": 2, "usage": '{"x":1}'}]


def test_the_providers_own_words_are_kept_for_the_latest_alone(tmp_path: Path) -> None:
    with closing(database.open_for_writing(tmp_path / "h.db", T0).connection) as connection:
        connection.executemany("INSERT INTO attempt_usage VALUES (?, ?, '{}')", ((n, f"{n}") for n in range(1, 12_289)))
        kept = connection.execute("SELECT min(n), count(*) FROM attempt_usage").fetchone()
    assert kept == (2_289, 10_000)


def test_an_empty_history_and_a_locked_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.db"
    with closing(database.open_for_writing(path, T0).connection) as connection:
        assert rebuild(path, T0) == 0
        batch.write(connection, [started(1), ended(1)], batch.Unfinished())
        monkeypatch.setattr("tray_app.ledger.rebuild.BUSY_MS", 10)
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError):
            rebuild(path, T0 + HOUR)
        connection.execute("ROLLBACK")
        told: list[tuple[int, int]] = []
        assert rebuild(path, T0 + HOUR, lambda done, of: told.append((done, of))) == 1
        assert told == [(1, 1)]
    assert ask(path, "SELECT requests FROM usage_hour") == [{"requests": 1}]
    assert id_of(1)
