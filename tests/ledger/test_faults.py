"""What failed is counted by its class, and what failing over spared is counted with care."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.facts import BACKUP, MAIN, T0, attempt_ended, attempt_started, ended, failed_attempt, id_of, started
from tests.ledger.look import ask
from tray_app.core.values import Fact, FailedOver, Outcome, Spent
from tray_app.ledger import batch, database

SWITCH = FailedOver(id_of(1), T0 + 891, MAIN, BACKUP, "the rate limit is reached", False)


def told(path: Path, facts: Sequence[Fact]) -> list[tuple[Any, ...]]:
    with closing(database.open_for_writing(path, T0).connection) as connection:
        batch.write(connection, facts, batch.Unfinished())
    return [tuple(row.values())[1:] for row in ask(path, "SELECT * FROM fault_hour ORDER BY profile_id")]


def moved(switch: Sequence[Fact] = (SWITCH,), ttft_ms: int | None = 1_890, **more: Any) -> list[Fact]:
    """The first profile refuses after 890 ms; the second one's answer begins a second later."""
    outcome = more.pop("outcome", Outcome.SERVED)
    return [
        started(1),
        attempt_started(1),
        failed_attempt(1, **more),
        *switch,
        attempt_started(1, 2, profile_id=BACKUP),
        attempt_ended(1, 2, profile_id=BACKUP, outcome=outcome),
        ended(1, profile_id=BACKUP, attempts=2, failovers=1, ttft_ms=ttft_ms, outcome=outcome),
    ]


@pytest.mark.parametrize(
    ("facts", "failovers", "spared_ms"),
    [
        (moved(), 1, 11_500),  # 12.5 s, less the second that it took instead
        (moved(switch=()), 1, 0),  # another request's failure has moved the pool already
        (moved(outcome=Outcome.FAILED), 1, 0),
        (moved(retry_after_s=None), 1, 0),
        (moved(retry_after_s=0.5), 1, 0),
        (moved(retry_after_s=86_400.0), 1, 3_599_000),  # an hour at most
        (moved(ttft_ms=None), 1, 12_490),
        (moved(ttft_ms=100), 1, 12_500),  # it had begun before it broke off
        (moved(switch=[FailedOver(id_of(1), T0, MAIN, BACKUP, "chosen", True)]), 1, 0),
        ([started(1), attempt_started(1), failed_attempt(1), ended(1, outcome=Outcome.FAILED)], 0, 0),
    ],
    ids=["moved", "no move", "failed", "unsaid", "short", "long", "whole", "begun", "by hand", "alone"],
)
def test_time_is_spared_where_another_profile_served(
    history: Path, facts: list[Fact], failovers: int, spared_ms: int
) -> None:
    model, client = ask_of(facts)
    assert told(history, facts) == [(MAIN, model, client, "rate_limited", 1, failovers, spared_ms, None)]


def ask_of(facts: list[Fact]) -> tuple[str, str]:
    begun: Any = facts[0]
    return begun.model, begun.client


def test_only_the_first_move_spares_time(history: Path) -> None:
    facts = moved()
    third = [
        failed_attempt(1, 2, profile_id=BACKUP),
        FailedOver(id_of(1), T0 + 900, BACKUP, "third", "full", False),
        attempt_started(1, 3, profile_id="third"),
        attempt_ended(1, 3, profile_id="third"),
        ended(1, profile_id="third", attempts=3, failovers=2, ttft_ms=1_890),
    ]
    rows = {row[0]: row[4:7] for row in told(history, [*facts[:5], *third])}
    assert rows == {MAIN: (1, 1, 11_500), BACKUP: (1, 1, 0)}


@pytest.mark.parametrize(
    ("outcome", "following", "spared"),
    [(Outcome.INTERRUPTED, BACKUP, 0.25), (Outcome.FAILED, BACKUP, None), (Outcome.INTERRUPTED, MAIN, None)],
    ids=["gone on with", "given up", "by the same profile"],
)
def test_money_is_spared_where_another_profile_went_on_with_what_was_paid_for(
    history: Path, outcome: Outcome, following: str, spared: float | None
) -> None:
    facts = [
        started(1),
        attempt_started(1),
        failed_attempt(1, outcome=outcome, error_class="mid_stream_error", spent=Spent(10, 5, cost_usd=0.25)),
        attempt_started(1, 2, profile_id=following),
        attempt_ended(1, 2, profile_id=following),
        ended(1, profile_id=following, attempts=2),
    ]
    ((*_, money),) = told(history, facts)
    assert money == spared


def test_a_request_that_left_a_resting_profile_and_failed_nowhere_is_kept(history: Path) -> None:
    """It has a change of profile, and no call that failed."""
    first = [attempt_started(1, profile_id=BACKUP), attempt_ended(1, profile_id=BACKUP)]
    assert told(history, [started(1), SWITCH, *first, ended(1, profile_id=BACKUP, failovers=1)]) == []
    assert [row["outcome"] for row in ask(history, "SELECT outcome FROM request")] == ["served"]
