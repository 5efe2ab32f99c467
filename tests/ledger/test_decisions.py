"""`decisions.ndjson`: every decision is a whole line of JSON, and the files never grow beyond their bound."""

from __future__ import annotations

import json
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.host.ordinary_user import ordinary_user, shared_folder
from tests.ledger.facts import (
    BACKUP,
    EVERY_KIND,
    MAIN,
    MODEL,
    T0,
    attempt_ended,
    failed_attempt,
    id_of,
    rest,
    seen,
    served,
    started,
    switched,
)
from tray_app.core.score import Score
from tray_app.core.values import (
    CircuitChanged,
    CooldownCleared,
    CooldownSet,
    Fact,
    FailedOver,
    Lifecycle,
    OperatorActed,
    Outcome,
    ProfileRemoved,
    Queued,
    QuotaSeen,
    ReauthChanged,
    Remember,
    RequestEnded,
    RetryScheduled,
    RouteSelected,
    Scope,
)
from tray_app.ledger import decisions
from tray_app.ledger.decisions import DecisionLog, lines_of

TIME = "2025-10-09T09:00:00.000Z"
SECRET = "sk-or-v1-0123456789abcdef0123456789abcdef"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.ndjson"


def lines(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    assert data.endswith(b"\n") or not data
    return [json.loads(line) for line in data.splitlines()]


def numbered(path: Path) -> list[Path]:
    return [path, *sorted(path.parent.glob("decisions.ndjson.*"))]


EVENTS: list[tuple[Fact, dict[str, object]]] = [
    (
        started(1),
        {"event": "request.start", "request_id": id_of(1), "client": "opencode", "model": MODEL, "stream": True}
        | {"path": "/chat/completions"},
    ),
    (
        RouteSelected(id_of(1), T0, MAIN, "it is the current profile"),
        {"event": "route.selected", "request_id": id_of(1), "profile": MAIN, "reason": "it is the current profile"},
    ),
    (failed_attempt(1), {"event": "attempt.end", "status": 429, "error_class": "rate_limited", "scope": "key"}),
    (attempt_ended(1), {"event": "attempt.end", "attempt": 1, "outcome": "served", "ttft_ms": 140, "duration_ms": 880}),
    (
        RetryScheduled(id_of(1), T0, MAIN, "server_error", 1500, "the provider failed"),
        {"event": "retry.scheduled", "delay_ms": 1500, "error_class": "server_error", "reason": "the provider failed"},
    ),
    (
        FailedOver(id_of(1), T0, MAIN, BACKUP, "limit", False),
        {"event": "failover", "request_id": id_of(1), "from": MAIN, "to": BACKUP, "reason": "limit", "manual": False},
    ),
    (
        CooldownSet(rest(scope=Scope.KEY_MODEL, model=MODEL), "wallet", id_of(1), T0),
        {"event": "cooldown.set", "profile": MAIN, "scope": "key_model", "model": MODEL, "delay_ms": 60_000}
        | {"until": "2025-10-09T09:01:00.000Z", "error_class": "rate_limited"},
    ),
    (
        CooldownCleared(rest(), "wallet", T0, "its time is over"),
        {"event": "cooldown.cleared", "profile": MAIN, "scope": "key", "reason": "its time is over"},
    ),
    (
        RequestEnded(id_of(1), T0, Outcome.EXHAUSTED, 429, None, None, 3, 2, 0, None, 1234, 77, "nobody is left"),
        {"event": "request.end", "outcome": "exhausted", "status": 429, "attempts": 3, "failovers": 2}
        | {"duration_ms": 1234, "reason": "nobody is left"},
    ),
    (seen(new=True), {"event": "profile.added", "profile": MAIN, "reason": "found in cli"}),
    (
        RouteSelected(id_of(1), T0, MAIN, "it is current", Score(1.23456, 1.0, -0.1, -0.00001, 0.3)),
        {
            "event": "route.selected",
            "score": {"total": 1.2346, "health": 1.0, "latency": -0.1, "failure": 0.0, "priority": 0.3},
        },
    ),
    (
        Queued(id_of(1), T0, 3, False, "openrouter-main is full"),
        {"event": "admission.queued", "waiting": 3, "reason": "openrouter-main is full"},
    ),
    (Queued(id_of(1), T0, 100, True, "full"), {"event": "admission.rejected", "waiting": 100}),
    (
        CircuitChanged(MAIN, T0, "open", "the provider failed"),
        {"event": "circuit.change", "profile": MAIN, "circuit": "open", "reason": "the provider failed"},
    ),
    (
        QuotaSeen(MAIN, "wallet", "key", "warned", T0, 50.0, 2.5, "usd", T0, "probe", "95 % of key limit are used"),
        {"event": "quota.update", "kind": "warned", "limit": 50.0, "remaining": 2.5, "unit": "usd", "until": TIME},
    ),
    (
        QuotaSeen(MAIN, "wallet", "account", "probe", T0, None, 2.5, "usd", None, "probe", "asked"),
        {"event": "quota.update", "kind": "probe", "scope": "account", "remaining": 2.5},
    ),
    (ProfileRemoved(MAIN, T0), {"event": "profile.removed", "profile": MAIN}),
    (
        ReauthChanged(MAIN, "wallet", T0, True, "the provider refuses the key"),
        {"event": "profile.reauth", "profile": MAIN, "needed": True, "reason": "the provider refuses the key"},
    ),
    (
        OperatorActed(T0, "tray", "pause", MAIN, "for 7200 s"),
        {"event": "operator.action", "actor": "tray", "verb": "pause", "profile": MAIN, "reason": "for 7200 s"},
    ),
    (OperatorActed(T0, "cli", "stop", None, None), {"event": "operator.action", "actor": "cli", "verb": "stop"}),
    (
        Lifecycle("app.start", T0, "listening", "0.1"),
        {"event": "app.start", "reason": "listening", "version": "0.1"},
    ),
    (Lifecycle("app.stop", T0, "stopped"), {"event": "app.stop", "reason": "stopped"}),
    (Lifecycle("config.reload", T0, "changed"), {"event": "config.reload", "reason": "changed"}),
]


@pytest.mark.parametrize(("fact", "told"), EVENTS, ids=[f"{told['event']}" for _, told in EVENTS])
def test_each_decision_says_what_it_needs_to(fact: Fact, told: dict[str, object]) -> None:
    line = lines_of([fact])
    assert line is not None and line.endswith(b"\n") and line.count(b"\n") == 1
    document = json.loads(line)
    assert list(document)[:2] == ["time", "event"]
    assert {name: document.get(name) for name in told} == told
    assert None not in document.values()


def test_no_term_of_a_score_is_a_negative_nothing() -> None:
    assert b"-0.0," not in lines_of([RouteSelected(id_of(1), T0, MAIN, "x", Score(1.0, 1.0, -0.00001, 0.0, 0.0))])


def test_times_are_utc_with_milliseconds() -> None:
    line = lines_of([ProfileRemoved(MAIN, T0 + 7)])
    assert line is not None and json.loads(line)["time"] == TIME.replace("000Z", "007Z")


@pytest.mark.parametrize(
    "fact", [seen(new=False), Remember("preferred", MAIN)], ids=["a profile seen again", "a memory"]
)
def test_what_is_no_decision_has_no_line(fact: Fact) -> None:
    assert lines_of([fact]) == b""


def test_a_line_break_in_a_text_stays_within_its_line(path: Path) -> None:
    log = DecisionLog(path)
    log.write([OperatorActed(T0, "api", "use", MAIN, "one\ntwo\u2028three")])
    log.close()
    assert path.read_bytes().count(b"\n") == 1
    assert lines(path)[0]["reason"] == "one\ntwo\u2028three"


def test_no_key_is_ever_written(path: Path) -> None:
    """Texts that come from outside, such as a settings file, may hold one."""
    log = DecisionLog(path)
    log.write([Lifecycle("config.reload", T0, f"refused: Bearer {SECRET}")])
    log.write([OperatorActed(T0, "api", "profiles-add", MAIN, f"key {SECRET}")])
    log.write(EVERY_KIND)
    log.close()
    assert b"0123456789abcdef" not in path.read_bytes()
    assert lines(path)[0]["reason"] == "refused: [key]"


def test_the_file_is_for_this_user_only(path: Path) -> None:
    log = DecisionLog(path)
    log.write(served(1))
    log.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_made_before_there_is_something_to_say(path: Path) -> None:
    log = DecisionLog(path)
    log.write([Remember("preferred", MAIN)])
    log.close()
    assert not path.exists()


# -- rotation


def test_rotation_keeps_whole_lines_in_order_and_bounds_the_total(path: Path) -> None:
    log = DecisionLog(path, file_bytes=4000)
    facts = [fact for number in range(200) for fact in switched(number)]
    for start in range(0, len(facts), 13):
        log.write(facts[start : start + 13])
    log.close()
    files = numbered(path)
    assert [file.name for file in files] == ["decisions.ndjson", *(f"decisions.ndjson.{n}" for n in (1, 2, 3, 4))]
    assert all(file.stat().st_size <= 4000 for file in files)
    kept = [line for file in reversed(files) for line in lines(file)]
    written = [json.loads(lines_of([fact])) for fact in facts]
    assert kept == written[-len(kept) :]
    assert len(kept) > 50


def test_one_huge_batch_is_spread_over_files_too(path: Path) -> None:
    log = DecisionLog(path, file_bytes=4000)
    log.write(fact for number in range(500) for fact in served(number))
    log.close()
    files = numbered(path)
    assert len(files) == 5
    assert all(3000 < file.stat().st_size <= 4000 for file in files[1:])
    assert lines(path)[-1]["request_id"] == id_of(499)


def test_a_line_longer_than_a_file_is_written_all_the_same(path: Path) -> None:
    log = DecisionLog(path, file_bytes=100)
    for text in ("x" * 300, "y" * 300):
        log.write([OperatorActed(T0, "api", "use", MAIN, text)])
    log.close()
    assert lines(path)[0]["reason"] == "y" * 300
    assert lines(numbered(path)[1])[0]["reason"] == "x" * 300


def test_a_restart_goes_on_in_the_same_file(path: Path) -> None:
    for number in range(3):
        log = DecisionLog(path)
        log.write(served(number))
        log.close()
    assert len(lines(path)) == 12


def test_half_a_line_that_a_killed_process_left_is_cut_off(path: Path) -> None:
    log = DecisionLog(path)
    log.write(served(1))
    log.close()
    with path.open("ab") as file:
        file.write(b'{"time":"2025-10-09T09')
    log.write(served(2))
    log.close()
    assert len(lines(path)) == 8


def test_a_file_of_half_a_line_alone_begins_anew(path: Path) -> None:
    path.write_bytes(b'{"time":')
    log = DecisionLog(path)
    log.write(served(1))
    log.close()
    assert len(lines(path)) == 4


def test_a_log_that_is_taken_away_is_begun_again(path: Path) -> None:
    log = DecisionLog(path)
    log.write(served(1))
    path.unlink()
    log.write(served(2))
    path.rename(path.with_name("rotated-by-hand"))
    path.write_bytes(b"")
    log.write(served(3))
    log.close()
    assert {line["request_id"] for line in lines(path)} == {id_of(3)}
    assert {line["request_id"] for line in lines(path.with_name("rotated-by-hand"))} == {id_of(2)}


# -- trouble


def test_what_cannot_be_written_waits_and_is_written_later(path: Path) -> None:
    path.mkdir()
    log = DecisionLog(path)
    log.write(served(1))
    log.write(served(2))
    assert log.trouble == "decisions.ndjson cannot be written (Is a directory)"
    path.rmdir()
    log.write(served(3))
    assert log.trouble is None
    log.close()
    assert [line["request_id"] for line in lines(path)] == [id_of(n) for n in (1, 2, 3) for _ in range(4)]


def test_only_so_many_lines_wait_and_the_oldest_are_dropped_and_counted(path: Path) -> None:
    path.mkdir()
    log = DecisionLog(path, lines_held=6)
    for number in range(3):
        log.write(served(number))
    assert log.trouble == "decisions.ndjson cannot be written (Is a directory); 6 lines were dropped"
    path.rmdir()
    log.close()
    assert [line["request_id"] for line in lines(path)] == [id_of(1)] * 2 + [id_of(2)] * 4


def test_a_fact_that_has_no_line_to_be_is_left_out(path: Path) -> None:
    log = DecisionLog(path)
    log.write([started(1, model="\ud800"), started(2, started_at=10**20), *served(3)])
    log.close()
    assert len(lines(path)) == 4


def test_a_file_without_the_rights_is_trouble_until_they_are_given() -> None:
    with shared_folder() as folder, ordinary_user():
        path = folder / "decisions.ndjson"
        path.touch(0o400)
        log = DecisionLog(path)
        log.write(served(1))
        assert log.trouble == "decisions.ndjson cannot be written (Permission denied)"
        path.chmod(0o600)
        log.close()
        assert len(lines(path)) == 4


def test_a_short_write_keeps_the_whole_lines_and_the_rest_waits(path: Path) -> None:
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = DecisionLog(path)
    log.write(served(1))
    size = path.stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300, old[1]))
        log.write(served(2))
        assert log.trouble == "decisions.ndjson cannot be written (No space left on device)"
        assert 4 < len(lines(path)) < 8
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    log.close()
    assert log.trouble is None
    assert len(lines(path)) == 8


def test_the_whole_log_stays_within_forty_megabytes() -> None:
    assert decisions.FILE_BYTES * (decisions.FILES_KEPT + 1) <= 40 * 1024 * 1024
