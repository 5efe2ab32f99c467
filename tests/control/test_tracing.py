"""A trace in sentences: every kind of step, what is not known, in both languages."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import fields, replace

import pytest

from tests.ledger.facts import BACKUP, MAIN, MODEL, T0
from tray_app.control import tracing
from tray_app.control.tracing import ENGLISH, RUSSIAN, Kind, lines, span, steps
from tray_app.core.history import Decided, PastAttempt, PastFailover, PastRequest, PastSegment, Trace
from tray_app.core.score import Score

REQUEST = PastRequest(
    "1k7435pm000000", T0, T0 + 9_000, "codex", "openrouter", "openai_chat", "/chat/completions", MODEL, True, "served",
    200, BACKUP, 2, 1, 250, 640, 9_000, 100, 200, None,
)  # fmt: skip
FIRST = PastAttempt(
    1, MAIN, MODEL, T0 + 40, T0 + 300, "failed", 429, "rate_limited", "key", "429", "slow down", 12.5, None, 260, None, 80,
    "the rate limit is reached",
)  # fmt: skip
SECOND = PastAttempt(
    2, BACKUP, MODEL, T0 + 550, T0 + 9_000, "served", 200, None, None, None, None, None, 500, 8_450, "gen-1", 200, None,
    30, 1_200, 30, 800, None, None, 0.0041, "provider",
)  # fmt: skip
SWITCH = PastFailover(T0 + 301, REQUEST.id, MAIN, BACKUP, "the rate limit is reached", False)
TRACE = Trace(REQUEST, (FIRST, SECOND), (SWITCH,))


def said(trace: Trace, words: tracing.Words = ENGLISH) -> list[str]:
    return [step.text for step in steps(trace, words)]


def test_a_trace_reads_as_lines() -> None:
    assert lines(TRACE, str) == [
        f"request 1k7435pm000000  {T0}  codex",
        f"  openai_chat /chat/completions  model {MODEL}, streamed",
        "  +     0 ms  waited 40 ms",
        "  +    40 ms  call 1 to openrouter-main: rate_limited (key) status 429 - the rate limit is reached"
        ' [come back in 12.5 s] "slow down"',
        "  +   300 ms  waited 250 ms",
        "  +   301 ms  switched openrouter-main -> openrouter-backup: the rate limit is reached",
        "  +   550 ms  call 2 to openrouter-backup: served status 200"
        " [1,200 tokens in (800 from the cache), 30 out, $0.0041]",
        "  (the scores of these choices are no longer in the decisions log)",
        "  served with status 200 after 9.0 s by openrouter-backup",
        "  waited 250 ms in all",
    ]


def test_decisions_say_what_else_happened_and_leave_no_gap_to_guess() -> None:
    decisions = (
        Decided(T0 + 1, "admission.queued", reason="every place is taken", waiting=3),
        Decided(T0 + 40, "route.selected", MAIN, "first in order", score=Score(1.254, 1.0, -0.001, 0.0, 0.3)),
        Decided(T0 + 300, "cooldown.set", MAIN, "a limit", MODEL, "rate_limited", "key", 7_200_000, T0 + 7_200_300),
        Decided(T0 + 302, "retry.scheduled", BACKUP, "a short wait", delay_ms=248),
        Decided(T0 + 550, "route.selected", BACKUP, "the next"),
        Decided(T0 + 551, "admission.rejected", reason="100 wait already", waiting=100),
        Decided(T0 + 552, "something.else"),
    )
    found = steps(replace(TRACE, decisions=decisions))
    assert [(step.kind, step.after_ms, step.took_ms) for step in found] == [
        (Kind.QUEUED, 1, 39),
        (Kind.CHOSEN, 40, 0),
        (Kind.CALL, 40, 260),
        (Kind.REST, 300, 0),
        (Kind.SWITCH, 301, 0),
        (Kind.WAIT, 302, 248),
        (Kind.CHOSEN, 550, 0),
        (Kind.CALL, 550, 8_450),
        (Kind.TURNED_AWAY, 551, 0),
    ]
    texts = [step.text for step in found]
    assert texts[0] == "waits for a place, 3 waiting: every place is taken"
    assert texts[1].endswith("[score 1.25: health 1.00, latency 0.00, failures 0.00, priority 0.30]")
    assert texts[3] == "openrouter-main rests for 2 h (key): a limit"
    assert texts[5] == "waits 248 ms for openrouter-backup: a short wait"
    assert texts[6] == "chose openrouter-backup: the next"
    assert texts[8] == "turned away, 100 waiting: 100 wait already"
    assert not any("no longer" in line for line in lines(replace(TRACE, decisions=decisions), str))


def test_one_that_waits_still_has_no_end_of_its_wait() -> None:
    queued = Decided(T0 + 1, "admission.queued", reason="full", waiting=1)
    (step,) = steps(Trace(REQUEST, (), (), (), (queued,)))
    assert step.took_ms is None


def test_what_goes_on_has_no_end() -> None:
    request = replace(REQUEST, outcome=None, status_code=None, duration_ms=None, profile_id=None, wait_ms=None)
    attempt = replace(
        SECOND, seq=1, outcome=None, status_code=None, duration_ms=None, input_tokens=None, output_tokens=None
    )
    trace = Trace(replace(request, model=None, stream=False), (attempt,), ())
    assert said(trace)[-1] == "call 1 to openrouter-backup: running"
    assert steps(trace)[-1].took_ms is None and steps(trace)[-1].well is None
    told = lines(trace, str)
    assert told[1].endswith("model -, not streamed") and told[-1] == "  still running after ? by nobody"


def test_what_is_not_known_is_said_to_be_so() -> None:
    unpriced = replace(SECOND, cost_usd=None, output_tokens=None, cache_read_tokens=None)
    assert said(Trace(REQUEST, (unpriced,), ()))[-1].endswith("[1,200 tokens in, ? out, cost unknown]")
    assert tracing.money(1234.5) == "$1,234.5" and tracing.money(0.0000004) == "$0"
    bare = replace(FIRST, error_scope=None, status_code=None, retry_after_s=None, error_message=FIRST.reason)
    assert (
        said(Trace(REQUEST, (bare,), ()))[-1] == "call 1 to openrouter-main: rate_limited - the rate limit is reached"
    )


def test_parts_of_a_stream_are_told_with_what_became_of_them() -> None:
    parts = (
        PastSegment(1, "a", MAIN, T0 + 60, T0 + 290, 1_204, 0, "interrupted"),
        PastSegment(2, "b", BACKUP, T0 + 600, None, None, 42, "served"),
    )
    one, other = (step for step in steps(Trace(REQUEST, (), (), parts)) if step.kind is Kind.PART)
    assert one.text == "part 1 of the stream from openrouter-main: 1,204 characters, then it was interrupted"
    assert (one.took_ms, one.well, other.took_ms, other.well) == (230, False, None, True)
    assert other.text == "part 2 of the stream from openrouter-backup: 0 characters, 42 repeated ones left out"


def test_who_was_chosen_out_of_nobody_and_why_it_ended_so() -> None:
    first = replace(SWITCH, from_profile=None)
    assert said(Trace(REQUEST, (), (first,)))[-1] == f"switched none -> {BACKUP}: the rate limit is reached"
    failed = replace(REQUEST, outcome="failed", reason="nothing else can serve")
    assert lines(Trace(failed, (), ()), str)[-1] == "  because nothing else can serve"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (1_250, "1.3 s"), (119_949, "119.9 s"), (120_000, "2 min"),
        (7_199_000, "120 min"), (7_200_000, "2 h"), (172_799_000, "48 h"), (172_800_000, "2 d"), (10**12, "11,574 d"),
    ],
)  # fmt: skip
def test_lengths_of_time(ms: int, words: str) -> None:
    assert span(ms) == words


def test_in_russian_the_same_is_said() -> None:
    assert said(TRACE, RUSSIAN)[1].startswith("вызов 1 к openrouter-main: rate_limited (key) статус 429")
    assert lines(TRACE, str, RUSSIAN)[-2] == "  успешно, статус 200 через 9,0 с, ответил openrouter-backup"  # noqa: RUF001


@pytest.mark.parametrize(
    "field", [one for one in fields(tracing.Words) if one.type == "str"], ids=lambda field: field.name
)
def test_every_language_fills_in_the_same(field: object) -> None:
    name = field.name  # type: ignore[attr-defined]
    english, russian = getattr(ENGLISH, name), getattr(RUSSIAN, name)
    if isinstance(english, Mapping):
        return
    places = [{place for _, place, _, _ in string.Formatter().parse(text) if place} for text in (english, russian)]
    assert places[0] == places[1] and russian
