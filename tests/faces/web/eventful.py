"""A past with everything that the pages of requests and of events have to show, told to a running app as facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from tests.faces.web.report_harness import LONG, RIGHT_TO_LEFT, SCRIPT
from tests.rig import Rig
from tray_app.core.ids import request_id
from tray_app.core.score import Score
from tray_app.core.values import (
    AttemptEnded,
    AttemptStarted,
    CircuitChanged,
    Cooldown,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    FailedOver,
    OperatorActed,
    Outcome,
    Queued,
    QuotaSeen,
    ReauthChanged,
    RequestEnded,
    RequestStarted,
    RetryScheduled,
    RouteSelected,
    Scope,
    Segment,
    Source,
    Spent,
)

MAIN, BACKUP, SPARE = "openrouter-main", "openrouter-backup", "anthropic-team"
SONNET, MINI = "anthropic/claude-sonnet-4.5", "openai/gpt-5-mini"
HOSTILE = (SCRIPT, LONG, RIGHT_TO_LEFT)


@dataclass
class Told:
    """A request as it is being told."""

    id: str
    at: int
    client: str = "opencode"
    model: str | None = SONNET
    stream: bool = True
    facts: list[Fact] = field(default_factory=list)
    calls: int = 0

    def begin(self) -> Told:
        path = "/chat/completions"
        self.facts.append(
            RequestStarted(
                self.id, self.at, self.client, "openrouter", "openai_chat", path, self.model, self.stream, 48_200
            )
        )
        return self

    def call(self, after: int, profile: str, took: int, outcome: Outcome = Outcome.SERVED, **more: object) -> Told:
        self.calls += 1
        began = self.at + after
        served = outcome is Outcome.SERVED
        score = Score(1.12, 0.98, -0.11, -0.05, 0.3)
        self.facts += [
            RouteSelected(self.id, began, profile, "first in order" if self.calls == 1 else "the next that can serve", score),
            AttemptStarted(self.id, self.calls, profile, self.model, began),
        ]  # fmt: skip
        end = AttemptEnded(
            self.id, self.calls, profile, began + took, outcome, 200 if served else None, None, None, None, None, None,
            took // 3 if served else None, took, f"gen-{self.id}-{self.calls}" if served else None, 900, None, 12, None,
            Spent(12_400, 820, 9_600, None, None, 0.021384, "provider") if served else None,
        )  # fmt: skip
        self.facts.append(replace(end, **more))
        return self

    def end(self, took: int, outcome: Outcome = Outcome.SERVED, profile: str | None = MAIN, **more: object) -> Told:
        status = {Outcome.SERVED: 200, Outcome.FAILED: 502, Outcome.EXHAUSTED: 429}.get(outcome)
        switches = sum(isinstance(fact, FailedOver) for fact in self.facts)
        first = 640 if outcome is Outcome.SERVED else None
        end = RequestEnded(
            self.id, self.at + took, outcome, status, "openrouter", profile, self.calls, switches, 0, first, took, 12_900
        )  # fmt: skip
        self.facts.append(replace(end, **more))
        return self


def told(number: int, now: int, **more: object) -> Told:
    """Request `number`; the greater, the longer ago."""
    at = now - number * 97_000 - 8_000
    return Told(request_id(at, number * 7_777), at, **more).begin()  # type: ignore[arg-type]


LIMITED = {
    "status_code": 429, "error_class": "rate_limited", "error_scope": "key", "error_code": "429",
    "error_message": "Rate limit exceeded: free-models-per-min", "retry_after_s": 2.5, "reason": "the rate limit is reached",
}  # fmt: skip
BROKEN = {
    "status_code": 503, "error_class": "server_error", "error_scope": "provider", "error_code": "503",
    "error_message": "upstream connect error", "reason": "the provider failed",
}  # fmt: skip


def limit(one: Told, profile: str, after: int, reason: str = "the rate limit is reached") -> CooldownSet:
    at = one.at + after
    kind, until = ErrorClass.RATE_LIMITED, one.at + after + 2_500
    rest = Cooldown(profile, Scope.KEY, None, until, at, kind, Source.HEADER, reason)
    return CooldownSet(rest, profile, one.id, at)


def switched(number: int, now: int) -> Told:
    """Two profiles, a wait, a switch, and a stream in two parts."""
    one = told(number, now)
    one.facts.append(Queued(one.id, one.at, 3, False, "every place of openrouter-main is taken"))
    one.call(350, MAIN, 240, Outcome.FAILED, **LIMITED)
    one.facts += [
        limit(one, MAIN, 590),
        RetryScheduled(one.id, one.at + 590, MAIN, "rate_limited", 900, "a short rest is waited for: the cache is warm"),
    ]  # fmt: skip
    one.call(1_490, MAIN, 2_100, Outcome.INTERRUPTED, status_code=200, ttft_ms=400, reason="the stream broke off")
    one.facts += [
        Segment(one.id, 1, 2, MAIN, one.at + 1_890, one.at + 3_590, 1_204, 0, Outcome.INTERRUPTED),
        FailedOver(one.id, one.at + 3_600, MAIN, BACKUP, "the stream broke off", False),
    ]
    one.call(3_605, BACKUP, 4_400)
    one.facts.append(Segment(one.id, 2, 3, BACKUP, one.at + 4_900, one.at + 8_000, 3_310, 42, Outcome.SERVED))
    return one.end(8_010, profile=BACKUP, wait_ms=1_250, ttft_ms=1_890)


def exhausted(number: int, now: int) -> Told:
    one = told(number, now, client="codex", model=MINI)
    one.call(2, MAIN, 90, Outcome.FAILED, **LIMITED)
    one.facts += [
        limit(one, MAIN, 92),
        FailedOver(one.id, one.at + 93, MAIN, BACKUP, "the rate limit is reached", False),
    ]
    one.call(95, BACKUP, 70, Outcome.FAILED, **LIMITED)
    reason = "no profile can serve; openrouter-main is back in 12 min"
    return one.end(170, Outcome.EXHAUSTED, None, reason=reason)


def hostile(number: int, now: int, words: str) -> Told:
    """Every place that other people's words can reach holds words that mean ill."""
    one = told(number, now, client=words, model=words)
    one.call(
        1, MAIN, 400, Outcome.FAILED, **{**BROKEN, "error_message": words[:200], "reason": words, "error_code": words}
    )
    one.facts.append(FailedOver(one.id, one.at + 402, MAIN, BACKUP, words, False))
    return one.end(410, Outcome.FAILED, BACKUP, reason=words)


def a_past(now: int, requests: int = 130) -> list[Fact]:
    """Some hours before `now` (ms): so many ordinary requests, and one of each of the others."""
    ordinary: list[Told] = []
    for number in range(20, 20 + requests):
        model, client = (MINI, "codex") if number % 5 == 0 else (SONNET, "opencode")
        one = told(number, now, model=model, client=client, stream=number % 3 > 0)
        ordinary.append(one.call(2, MAIN, 2_000 + number * 7).end(2_010 + number * 7))
    cancelled = told(3, now, client="claude-code", model="claude-sonnet-4-5")
    cancelled.call(1, SPARE, 1_800, Outcome.CLIENT_CANCELLED, status_code=200)
    cancelled.end(1_805, Outcome.CLIENT_CANCELLED, SPARE)
    unpriced = told(4, now, model="local/unknown")
    unpriced.call(1, MAIN, 700, spent=Spent(300, 20)).end(710)
    refused = told(5, now, client="unknown", model=None, stream=False).end(2, Outcome.REFUSED, None, status_code=401)
    failed = (
        told(6, now)
        .call(1, MAIN, 900, Outcome.FAILED, **BROKEN)
        .end(910, Outcome.FAILED, MAIN, reason="the provider failed")
    )
    running = told(0, now)
    running.facts.append(AttemptStarted(running.id, 1, MAIN, SONNET, running.at + 1))
    meant_ill = [hostile(10 + place, now, words) for place, words in enumerate(HOSTILE)]
    stories = [
        *reversed(ordinary),
        *meant_ill,
        failed,
        refused,
        unpriced,
        cancelled,
        exhausted(2, now),
        switched(1, now),
        running,
    ]
    return [*(fact for one in stories for fact in one.facts), *besides(now)]  # fmt: skip


def besides(now: int) -> list[Fact]:
    """What happened besides requests."""
    rest = Cooldown(
        MAIN, Scope.ACCOUNT, None, now + 3_600_000, now, ErrorClass.QUOTA_EXHAUSTED, Source.BODY, "credit is used up"
    )
    return [
        QuotaSeen(BACKUP, "b", "key", "warned", now - 900_000, 50.0, 2.5, "usd", now + 86_400_000, "probe", "95 % are used"),
        CooldownSet(rest, "a", None, now - 800_000),
        CooldownCleared(rest, "a", now - 700_000, "asked for by the operator (cli)"),
        CircuitChanged(MAIN, now - 600_000, "open", "5 calls in a row failed"),
        CircuitChanged(MAIN, now - 570_000, "half_open", "30 s are over"),
        CircuitChanged(MAIN, now - 565_000, "closed", "2 probes went well"),
        ReauthChanged(SPARE, "c", now - 500_000, True, "the provider refuses the key"),
        OperatorActed(now - 400_000, "tray", "pause", BACKUP, "for 2 h"),
        OperatorActed(now - 390_000, "cli", "resume", BACKUP, None),
        FailedOver(None, now - 380_000, MAIN, SPARE, "chosen by the operator (tray)", True),
        OperatorActed(now - 370_000, "api", "unheard-of", None, SCRIPT),
    ]  # fmt: skip


def tell(rig: Rig, facts: Sequence[Fact]) -> None:
    """Have the app record them, and wait until they are in the history."""
    rig.in_loop(lambda: [rig.app.record(fact) for fact in facts])
    last = max((fact for fact in facts if isinstance(fact, RequestStarted)), key=lambda fact: fact.id)
    assert rig.eventually("SELECT 1 FROM request WHERE id = ?", last.id)
