"""A request's trace as sentences, each step with its time and how long it took. `inspect` prints them, pages draw them.

Pure. One table for each language; reasons, names and what providers said come from elsewhere and are said as they come.
"""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tray_app.control import wording
from tray_app.control.wording import Wording
from tray_app.core.history import Decided, PastAttempt, PastFailover, PastRequest, PastSegment, Trace
from tray_app.core.score import Score
from tray_app.core.values import Outcome

_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
GAP_MS = 20  # between two calls: less is no wait, but the work in between


class Kind(StrEnum):
    """What a step is."""

    QUEUED = "queued"
    TURNED_AWAY = "turned-away"
    CHOSEN = "chosen"
    CALL = "call"
    REST = "rest"
    WAIT = "wait"
    SWITCH = "switch"
    PART = "part"


# Of the same millisecond: what came of a call, before what was done about it.
_ORDER = (
    Kind.QUEUED,
    Kind.TURNED_AWAY,
    Kind.REST,
    Kind.WAIT,
    Kind.SWITCH,
    Kind.CHOSEN,
    Kind.CALL,
    Kind.PART,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `after_ms` counts from the request's beginning; `took_ms` is None where it goes on, 0 for an instant.

    `number` is that of a call or of a part; `first_ms` how long a call took to its first byte.
    """

    kind: Kind
    after_ms: int
    took_ms: int | None
    text: str
    profile: str | None = None
    well: bool | None = None
    number: int | None = None
    first_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    wording: Wording
    request: str
    asked: str
    streamed: str
    whole: str
    no_model: str
    call: str
    running: str
    status: str
    usage: str
    cached: str
    cost: str
    cost_unknown: str
    hint: str
    switched: str
    nobody: str
    part: str
    repeated: str
    broken_off: str
    queued: str
    turned_away: str
    chosen: str
    score: str
    rests: str
    waits: str
    gap: str
    ended: str
    with_status: str
    by: str
    going_on: str
    waited: str
    because: str
    forgotten: str
    outcomes: Mapping[str, str]  # those that stand in no table are said as they are


ENGLISH = Words(
    wording=wording.ENGLISH,
    request="request {id}  {time}  {client}",
    asked="{protocol} {path}  model {model}, {how}",
    streamed="streamed",
    whole="not streamed",
    no_model="-",
    call="call {number} to {profile}: {what}",
    running="running",
    status="status {status}",
    usage="[{read} tokens in{cached}, {written} out, {cost}]",
    cached=" ({n} from the cache)",
    cost="${n}",
    cost_unknown="cost unknown",
    hint="[come back in {seconds} s]",
    switched="switched {before} -> {after}: {reason}",
    nobody="none",
    part="part {number} of the stream from {profile}: {chars} characters{repeated}{ended}",
    repeated=", {n} repeated ones left out",
    broken_off=", then it was {end}",
    queued="waits for a place, {waiting} waiting: {reason}",
    turned_away="turned away, {waiting} waiting: {reason}",
    chosen="chose {profile}: {reason}{score}",
    score=" [score {total}: health {health}, latency {latency}, failures {failure}, priority {priority}]",
    rests="{profile} rests for {time} ({scope}): {reason}",
    waits="waits {time} for {profile}: {reason}",
    gap="waited {time}",
    ended="{outcome}{status} after {time} by {profile}",
    with_status=" with status {status}",
    by="nobody",
    going_on="still running",
    waited="waited {time} in all",
    because="because {reason}",
    forgotten="the scores of these choices are no longer in the decisions log",
    outcomes={},
)

RUSSIAN = Words(
    wording=wording.RUSSIAN,
    request="запрос {id}  {time}  {client}",
    asked="{protocol} {path}  модель {model}, {how}",
    streamed="потоком",
    whole="целиком",
    no_model="-",
    call="вызов {number} к {profile}: {what}",
    running="идёт",
    status="статус {status}",
    usage="[токенов прочитано {read}{cached}, написано {written}, {cost}]",
    cached=" (из кэша {n})",
    cost="{n} $",
    cost_unknown="стоимость неизвестна",
    hint="[просят вернуться через {seconds} с]",
    switched="переключение {before} -> {after}: {reason}",
    nobody="никого",
    part="часть потока {number} от {profile}: символов {chars}{repeated}{ended}",
    repeated=", повторённых пропущено {n}",
    broken_off=", затем {end}",
    queued="ждёт места, в очереди {waiting}: {reason}",
    turned_away="не принят, в очереди {waiting}: {reason}",
    chosen="выбран {profile}: {reason}{score}",
    score=" [оценка {total}: здоровье {health}, задержка {latency}, сбои {failure}, приоритет {priority}]",
    rests="{profile} отдыхает {time} ({scope}): {reason}",
    waits="ожидание {time}, затем {profile}: {reason}",
    gap="ожидание {time}",
    ended="{outcome}{status} через {time}, ответил {profile}",
    with_status=", статус {status}",
    by="никто",
    going_on="ещё идёт",
    waited="всего в ожидании {time}",
    because="причина: {reason}",
    forgotten="оценок этого выбора в журнале решений уже нет",
    outcomes={
        Outcome.SERVED: "успешно",
        Outcome.FAILED: "не удалось",
        Outcome.EXHAUSTED: "ключи исчерпаны",
        Outcome.REFUSED: "отклонено",
        Outcome.CLIENT_CANCELLED: "отменено клиентом",
        Outcome.INTERRUPTED: "прервано",
    },
)


def steps(trace: Trace, words: Words = ENGLISH) -> tuple[Step, ...]:
    """What happened to the request, in the order of time."""
    began = trace.request.started_at
    found = [
        *(_switch(one, began, words) for one in trace.failovers),
        *_decisions(trace, words),
        *(_call(one, began, words) for one in trace.attempts),
        *(_part(one, began, words) for one in trace.segments),
        *_gaps(trace, words),
    ]
    return tuple(sorted(found, key=lambda step: (step.after_ms, _ORDER.index(step.kind))))


def lines(trace: Trace, clock: Callable[[int], str], words: Words = ENGLISH) -> list[str]:
    """A trace as lines for people; `clock` says a time (ms)."""
    request = trace.request
    told = [words.request.format(id=request.id, time=clock(request.started_at), client=request.client)]
    how = words.streamed if request.stream else words.whole
    model = request.model or words.no_model
    told.append("  " + words.asked.format(protocol=request.protocol, path=request.path, model=model, how=how))
    for step in steps(trace, words):
        after = words.wording.milliseconds.format(n=f"{step.after_ms:>6}")
        told.append(f"  +{after}  {step.text}")
    if trace.attempts and not any(one.score for one in trace.decisions):
        told.append(f"  ({words.forgotten})")
    return [*told, *(f"  {line}" for line in ending(request, words))]


def ending(request: PastRequest, words: Words = ENGLISH) -> Iterator[str]:
    """How the request ended, and why."""
    status = words.with_status.format(status=request.status_code) if request.status_code else ""
    took = "?" if request.duration_ms is None else span(request.duration_ms, words)
    by, outcome = request.profile_id or words.by, _outcome(request.outcome, words) or words.going_on
    yield words.ended.format(outcome=outcome, status=status, time=took, profile=by)
    if request.wait_ms:
        yield words.waited.format(time=span(request.wait_ms, words))
    if request.reason:
        yield words.because.format(reason=request.reason)


def span(ms: int, words: Words = ENGLISH) -> str:
    """A length of time as `12 ms`, `3.4 s`, `38 min`, `5 h` or `3 d`."""
    if ms < 1000:
        return words.wording.milliseconds.format(n=ms)
    if ms < 120_000:
        return words.wording.seconds.format(n=_figure(f"{(ms + 50) // 100 / 10:.1f}", words))
    if ms < 120 * _MINUTE_MS:
        return words.wording.minutes.format(n=round(ms / _MINUTE_MS))
    if ms < 48 * _HOUR_MS:
        return words.wording.hours.format(n=round(ms / _HOUR_MS))
    return words.wording.days.format(n=_count(round(ms / _HOUR_MS / 24), words))


def usage(attempt: PastAttempt | PastRequest, words: Words = ENGLISH) -> str:
    """`[1,200 tokens in (800 from the cache), 30 out, $0.0041]`; what is not known is said to be so."""
    cached, cost = attempt.cache_read_tokens, attempt.cost_usd
    return words.usage.format(
        read=_count(attempt.input_tokens, words),
        cached=words.cached.format(n=_count(cached, words)) if cached else "",
        written=_count(attempt.output_tokens, words),
        cost=words.cost_unknown if cost is None else money(cost, words),
    )


def money(usd: float, words: Words = ENGLISH) -> str:
    """US dollars, to a millionth."""
    return words.cost.format(n=_figure(f"{usd:,.6f}".rstrip("0").rstrip("."), words))


# -- one step


def _call(attempt: PastAttempt, began: int, words: Words) -> Step:
    well = None if attempt.outcome is None else attempt.outcome == Outcome.SERVED
    text = " ".join(_call_words(attempt, words))
    took = None if attempt.outcome is None else attempt.duration_ms or 0
    after = attempt.started_at - began
    return Step(Kind.CALL, after, took, text, attempt.profile_id, well, attempt.seq, attempt.ttft_ms)


def _call_words(attempt: PastAttempt, words: Words) -> Iterator[str]:
    scope = f" ({attempt.error_scope})" if attempt.error_scope else ""
    what = f"{attempt.error_class}{scope}" if attempt.error_class else _outcome(attempt.outcome, words) or words.running
    yield words.call.format(number=attempt.seq, profile=attempt.profile_id, what=what)
    if attempt.status_code:
        yield words.status.format(status=attempt.status_code)
    if attempt.reason:
        yield f"- {attempt.reason}"
    if attempt.input_tokens is not None or attempt.output_tokens is not None:
        yield usage(attempt, words)
    if attempt.retry_after_s is not None:
        yield words.hint.format(seconds=_figure(f"{attempt.retry_after_s:g}", words))
    if attempt.error_message and attempt.error_message != attempt.reason:
        yield f'"{attempt.error_message}"'


def _switch(switch: PastFailover, began: int, words: Words) -> Step:
    before = switch.from_profile or words.nobody
    text = words.switched.format(before=before, after=switch.to_profile, reason=switch.reason)
    return Step(Kind.SWITCH, switch.at - began, 0, text, switch.to_profile)


def _part(part: PastSegment, began: int, words: Words) -> Step:
    served = part.end == Outcome.SERVED
    dropped = part.overlap_dropped
    text = words.part.format(
        number=part.seq,
        profile=part.profile_id,
        chars=_count(part.chars or 0, words),
        repeated=words.repeated.format(n=_count(dropped, words)) if dropped else "",
        ended="" if served else words.broken_off.format(end=_outcome(part.end, words)),
    )
    took = None if part.ended_at is None else part.ended_at - part.started_at
    return Step(Kind.PART, part.started_at - began, took, text, part.profile_id, served, part.seq)


def _decisions(trace: Trace, words: Words) -> Iterator[Step]:
    for one in trace.decisions:
        after, reason = one.at - trace.request.started_at, one.reason or ""
        match one.event:
            case "admission.queued":
                text = words.queued.format(waiting=one.waiting or 0, reason=reason)
                yield Step(Kind.QUEUED, after, _until_chosen(one, trace), text)
            case "admission.rejected":
                text = words.turned_away.format(waiting=one.waiting or 0, reason=reason)
                yield Step(Kind.TURNED_AWAY, after, 0, text, None, False)
            case "route.selected":
                score = _score(one.score, words) if one.score else ""
                text = words.chosen.format(profile=one.profile, reason=reason, score=score)
                yield Step(Kind.CHOSEN, after, 0, text, one.profile)
            case "retry.scheduled":
                text = words.waits.format(time=span(one.delay_ms or 0, words), profile=one.profile, reason=reason)
                yield Step(Kind.WAIT, after, one.delay_ms or 0, text, one.profile)
            case "cooldown.set":
                rest = span(one.delay_ms or 0, words)
                text = words.rests.format(profile=one.profile, time=rest, scope=one.scope, reason=reason)
                yield Step(Kind.REST, after, 0, text, one.profile)


def _until_chosen(queued: Decided, trace: Trace) -> int | None:
    """How long the request stood in the queue."""
    ends = (one.at for one in trace.decisions if one.event in ("route.selected", "admission.rejected"))
    return next((at - queued.at for at in ends if at >= queued.at), None)


def _score(score: Score, words: Words) -> str:
    def term(value: float) -> str:
        return _figure(f"{round(value, 2) + 0.0:.2f}", words)  # never "-0.00"

    return words.score.format(
        total=term(score.total),
        health=term(score.health),
        latency=term(score.latency),
        failure=term(score.failure),
        priority=term(score.priority),
    )


def _gaps(trace: Trace, words: Words) -> Iterator[Step]:
    """The waits of which no decision tells any more."""
    if any(one.event in ("retry.scheduled", "admission.queued") for one in trace.decisions):
        return
    before = began = trace.request.started_at
    for attempt in trace.attempts:
        gap = attempt.started_at - before
        if gap >= GAP_MS:
            yield Step(Kind.WAIT, before - began, gap, words.gap.format(time=span(gap, words)))
        before = attempt.ended_at or attempt.started_at


def _outcome(outcome: str | None, words: Words) -> str | None:
    return outcome and words.outcomes.get(outcome, outcome)


# -- figures


def _count(number: int | None, words: Words) -> str:
    return "?" if number is None else f"{number:,}".replace(",", words.wording.grouping)


def _figure(english: str, words: Words) -> str:
    return english.translate({ord(","): words.wording.grouping, ord("."): words.wording.point})
