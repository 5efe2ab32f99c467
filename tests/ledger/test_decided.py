"""What the decisions log still holds of a request: found by its time, whole, across rotated files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.facts import BACKUP, MAIN, MODEL, T0, attempt_started, id_of, rest, started
from tray_app.core.history import Decided
from tray_app.core.score import Score
from tray_app.core.values import CooldownSet, Fact, Queued, RetryScheduled, RouteSelected
from tray_app.ledger.decided import decided
from tray_app.ledger.decisions import FILES_KEPT, DecisionLog

MANY = 400
SECOND = 1000


def story(number: int) -> list[Fact]:
    """A request every second: it waits for a place, is refused, waits, and goes elsewhere."""
    at = T0 + number * SECOND
    request = id_of(number, at)
    score = Score(1.25, 1.0, -0.05, 0.0, 0.3)
    until = at + 60_000
    return [
        started(number, id=request, started_at=at),
        Queued(request, at + 1, 3, False, "every place is taken"),
        RouteSelected(request, at + 2, MAIN, "first in order", score),
        attempt_started(number, request_id=request, started_at=at + 2),
        CooldownSet(rest(until_at=until, since_at=at + 5, reason="a limit"), "a", request, at + 5),
        RetryScheduled(request, at + 6, MAIN, "rate_limited", 250, "a short wait"),
        RouteSelected(request, at + 260, BACKUP, "the next"),
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.ndjson"


def filled(path: Path, file_bytes: int) -> Path:
    log = DecisionLog(path, file_bytes=file_bytes)
    for number in range(MANY):
        log.write(story(number))
    log.close()
    return path


def asked(path: Path, number: int) -> tuple[Decided, ...]:
    at = T0 + number * SECOND
    return decided(path, id_of(number, at), at, at + 300)


@pytest.mark.parametrize("number", [0, 1, 7, 199, MANY - 2, MANY - 1])
def test_a_request_s_decisions_are_found_in_their_order(path: Path, number: int) -> None:
    filled(path, 1 << 30)
    at = T0 + number * SECOND
    assert asked(path, number) == (
        Decided(at + 1, "admission.queued", reason="every place is taken", waiting=3),
        Decided(at + 2, "route.selected", MAIN, "first in order", score=Score(1.25, 1.0, -0.05, 0.0, 0.3)),
        Decided(
            at + 5, "cooldown.set", MAIN, "a limit", None, rest().error_class.value, rest().scope.value, 59_995, at + 60_000
        ),
        Decided(at + 6, "retry.scheduled", MAIN, "a short wait", None, "rate_limited", None, 250),
        Decided(at + 260, "route.selected", BACKUP, "the next"),
    )  # fmt: skip


def test_files_that_were_put_aside_are_read_too_and_what_has_gone_is_nothing(path: Path) -> None:
    whole = filled(path, 1 << 30).stat().st_size
    path.unlink()
    filled(path, whole // (FILES_KEPT + 3))
    lengths = [len(asked(path, number)) for number in range(MANY)]
    kept = lengths.index(5)
    assert set(lengths[:kept]) <= {0, 1, 2, 3, 4} and set(lengths[kept:]) == {5}
    assert 0 < kept < MANY // 2 and lengths[0] == 0


def test_another_request_of_the_same_time_is_left_out(path: Path) -> None:
    log = DecisionLog(path)
    log.write([*story(1), RouteSelected(id_of(2), T0 + SECOND + 3, MAIN, "another's")])
    log.close()
    assert all(one.reason != "another's" for one in asked(path, 1))
    assert [one.reason for one in decided(path, id_of(2), T0 + SECOND, T0 + SECOND)] == ["another's"]


@pytest.mark.parametrize("size", [10, 1_000, 1_500, 5_000])
def test_lines_of_any_length_are_stepped_over(path: Path, size: int) -> None:
    log = DecisionLog(path)
    for number in range(9):
        at = T0 + number * 10_000
        log.write([RouteSelected(id_of(number, at), at, MAIN, "x" * size)])
    log.close()
    for number in range(9):
        at = T0 + number * 10_000
        assert [len(one.reason or "") for one in decided(path, id_of(number, at), at, at)] == [size]


def test_a_line_that_cannot_be_read_hides_no_other(path: Path) -> None:
    filled(path, 1 << 30)
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(place for place, line in enumerate(lines) if b"retry.scheduled" in line)
    lines[at] = lines[at].replace(b'"delay_ms":250', b'"delay_ms":"soon"')
    path.write_bytes(b"".join(lines)[:-1])
    assert [one.event for one in asked(path, 0)].count("retry.scheduled") == 0
    assert len(asked(path, 0)) == 4 and len(asked(path, MANY - 1)) == 5


@pytest.mark.parametrize("content", [None, b"", b"\n", b"no line", b'{"time":"\n' * 3], ids=str)
def test_without_a_log_there_is_nothing(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    assert decided(path, id_of(1), T0, T0) == ()


def test_times_beyond_the_calendar_find_what_there_is(path: Path) -> None:
    filled(path, 1 << 30)
    assert len(decided(path, id_of(3, T0 + 3 * SECOND), -(10**15), 10**18)) == 5
    assert MODEL not in str(asked(path, 3))
