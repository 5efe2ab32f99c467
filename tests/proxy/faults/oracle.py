"""What must come of a case, told from what the providers play: the one place that knows the rules.

`judged` says what a play amounts to, `story` which calls must be made for it and how the request must end, `check`
what is wrong with what really came. None of them knows the faults by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from tests.proxy.faults import answers, readers
from tests.proxy.faults.stage import Came, End
from tests.proxy.faults.wires import Arrived
from tray_app.core.values import ErrorClass, Protocol

RETRIES = 3  # the default `[switcher] retry`
AMBIGUOUS = 1  # so many calls that broke off may be followed by another


class Kind(Enum):
    """What a play amounts to."""

    GOOD = "a whole answer"
    BAD = "no answer, and nothing of it may reach the client"
    FINISHED = "an answer that lacks nothing but its terminator"
    BROKEN = "an answer that breaks off after content"
    ERROR = "an answer that the provider ends with its own error after content"


class Rule(Enum):
    """What a failure asks for."""

    RETURN = "the client gets it as it came"
    ELSEWHERE = "another profile, once each; the client is told why none can serve"
    ELSEWHERE_THEN_RETURN = "another profile, once each; the client gets the last one's own words"
    AGAIN = "the same profile a few times, then another"


_C = ErrorClass
RULES = {
    _C.BAD_REQUEST: Rule.RETURN,
    _C.CONTEXT_LENGTH: Rule.RETURN,
    _C.CONTENT_FILTER: Rule.RETURN,
    _C.AUTH: Rule.ELSEWHERE,
    _C.RATE_LIMITED: Rule.ELSEWHERE,
    _C.QUOTA_EXHAUSTED: Rule.ELSEWHERE,
    _C.TIMEOUT: Rule.ELSEWHERE,
    _C.MODEL_UNAVAILABLE: Rule.ELSEWHERE_THEN_RETURN,
    _C.SERVER_ERROR: Rule.AGAIN,
    _C.OVERLOADED: Rule.AGAIN,
    _C.NETWORK: Rule.AGAIN,
}
STATUS = {_C.AUTH: 403, _C.RATE_LIMITED: 429, _C.QUOTA_EXHAUSTED: 429}  # what the client gets; of all others 502


@dataclass(frozen=True, slots=True)
class Effect:
    """A play's meaning. `ambiguous`: the provider may have answered, and want to be paid for it.

    `body` is what of the answer came, `before` that without the provider's error at its end; `status` is what it came
    with, or stands for where it came inside a 200. `counted`: it tells its usage. `packed`: only bytes can be compared.
    """

    kind: Kind
    cls: ErrorClass = _C.OK
    ambiguous: bool = False
    body: bytes = b""
    status: int = 200
    http_status: int | None = 200
    packed: bool = False
    counted: bool = False
    streamed: bool = True
    before: bytes = b""


# -- what a play amounts to


def judged(protocol: Protocol, arrived: Arrived, end: End, *, stream: bool) -> Effect:
    """The meaning of an answer with status 200 of which so much came."""
    cut = _C.TIMEOUT if end is End.SILENT else _C.NETWORK
    if not arrived.head:
        return Effect(Kind.BAD, cut, ambiguous=True, http_status=None)
    if not stream:
        if arrived.complete and readers.whole(protocol, arrived.body).whole:
            return Effect(Kind.GOOD, body=arrived.body, counted=True)
        return Effect(Kind.BAD, _C.SERVER_ERROR if arrived.complete else cut, ambiguous=True)
    reading = readers.stream(protocol, (ended if arrived.complete else whole_events)(protocol, arrived.body))
    if not reading.text:
        return Effect(Kind.BAD, _C.SERVER_ERROR if arrived.complete or reading.terminators else cut, ambiguous=True)
    if reading.terminators:
        return Effect(Kind.GOOD, body=arrived.body, counted=True)
    if reading.finished and arrived.complete and protocol is Protocol.CHAT:
        return Effect(Kind.GOOD, body=arrived.body)  # many servers send no more
    if reading.finished:
        return Effect(Kind.FINISHED, body=arrived.body)
    return Effect(Kind.BROKEN, _C.MID_STREAM_ERROR if arrived.complete else cut, body=arrived.body)


def ended(protocol: Protocol, body: bytes) -> bytes:
    """`body` with its last event ended, if it lacks only the end: many readers take it then as well."""
    if protocol is Protocol.OLLAMA or body.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
        return body
    _, _, last = body.rpartition(b"\n")
    whole = b"[DONE]" in last or last.strip() == b"" or readers.stream(protocol, last + b"\n\n").begun
    return body + b"\n\n" if whole else body


def whole_events(protocol: Protocol, body: bytes) -> bytes:
    """`body` without the event that it ends within."""
    ends = (b"\n",) if protocol is Protocol.OLLAMA else (b"\n\n", b"\n\r\n", b"\r\r")
    return body[: max(body.rfind(one) + len(one) if one in body else 0 for one in ends)]


# -- what must be done about it


Playing = Callable[[str, int], Effect]  # what the nth call to a profile amounts to
_BREAKS = frozenset({Kind.BROKEN, Kind.ERROR})


@dataclass(frozen=True, slots=True)
class Story:
    """The calls that must be made, and how the request must end."""

    calls: tuple[tuple[str, Effect], ...]
    outcome: str
    status: int

    @property
    def last(self) -> Effect:
        return self.calls[-1][1]

    @property
    def broken(self) -> Effect | None:
        """The answer that broke off, if one did: what came of it stands at the client's."""
        return next((effect for _, effect in self.calls if effect.kind in _BREAKS), None)

    @property
    def counts(self) -> dict[str, int]:
        names = [name for name, _ in self.calls]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    @property
    def failovers(self) -> int:
        return len(self.counts) - 1


def story(of: Playing, names: tuple[str, ...] = ("a", "b"), *, goes_on: bool = True) -> Story:
    """The fewest calls that serve the client, by the settings' defaults; `goes_on` as in `[streams] continue`."""
    calls = tuple(_calls(of, names, goes_on=goes_on))
    last = calls[-1][1]
    if last.kind in (Kind.GOOD, Kind.FINISHED):
        return Story(calls, "served", 200)
    if any(effect.kind in _BREAKS for _, effect in calls):
        return Story(calls, "interrupted", 200)
    rule = RULES[last.cls]
    if rule in (Rule.RETURN, Rule.ELSEWHERE_THEN_RETURN):
        return Story(calls, "failed", last.status)
    status = STATUS.get(last.cls, 502)
    return Story(calls, "failed" if status == 502 else "exhausted", status)


def _calls(of: Playing, names: tuple[str, ...], *, goes_on: bool) -> Iterator[tuple[str, Effect]]:
    ambiguous = 0
    for name in names:
        for time in range(1, RETRIES + 2):
            effect = of(name, time)
            yield name, effect
            ambiguous += effect.ambiguous
            if effect.kind in _BREAKS and goes_on and effect.streamed:
                break
            if effect.kind is not Kind.BAD or RULES[effect.cls] is Rule.RETURN or ambiguous > AMBIGUOUS:
                return
            if RULES[effect.cls] is not Rule.AGAIN or effect.ambiguous:
                break


# -- whether it came so


def check(protocol: Protocol, expected: Story, came: Came, *, stream: bool) -> list[str]:
    """What is wrong with what came; nothing if all is as it must be."""
    wrong = [] if not came.seen.trouble else [came.seen.trouble]
    wrong += _wrong_calls(expected, came)
    wrong += _wrong_records(protocol, expected, came)
    if expected.outcome == "served":
        wrong += _wrong_answer(protocol, expected, came, stream=stream)
    elif expected.outcome == "interrupted":
        wrong += _wrong_break(protocol, expected, came, stream=stream)
    else:
        wrong += _wrong_end(protocol, expected, came)
    return wrong


def _differences(expected: dict[str, object], found: dict[str, object]) -> list[str]:
    return [
        f"{name}: {found.get(name)!r}, not {value!r}" for name, value in expected.items() if found.get(name) != value
    ]


def _wrong_calls(expected: Story, came: Came) -> list[str]:
    return [] if came.calls == expected.counts else [f"calls: {came.calls}, not {expected.counts}"]


def _wrong_records(protocol: Protocol, expected: Story, came: Came) -> list[str]:
    """The ledger says what happened, no more and no less."""
    name, last = expected.calls[-1]
    wanted: dict[str, object] = {
        "outcome": expected.outcome,
        "attempts": len(expected.calls),
        "failovers": expected.failovers,
        "status_code": expected.status,
        "profile_id": f"{came.request.get('provider')}-{name}",
        "response_bytes": _size(protocol, expected, came),
        "input_tokens": _sum(came, "input_tokens"),
        "output_tokens": _sum(came, "output_tokens"),
    }
    wrong = _differences(wanted, came.request)
    wrong += [] if came.request.get("ended_at") else ["the request is still open"]
    if last.counted and came.attempts:
        told = {"input_tokens": answers.INPUT_TOKENS, "output_tokens": answers.OUTPUT_TOKENS}
        wrong += _differences(told, came.attempts[-1])
    told_of = [_told(row) for row in came.attempts]
    meant = [_meant(name, effect) for name, effect in expected.calls]
    wrong += [] if told_of == meant else [f"attempts: {told_of}, not {meant}"]
    moved = [str(row["to_profile"]).rpartition("-")[2] for row in came.failovers]
    must = ["b"] * (expected.failovers or expected.outcome == "interrupted")  # the client's next try is kept in mind
    wrong += [] if moved == must else [f"moved to {moved}, not {must}"]
    return wrong + _wrong_segments(expected, came)


def _size(protocol: Protocol, expected: Story, came: Came) -> int:
    """The bytes that the client has of providers: not those of our own end."""
    broken = expected.broken
    if expected.outcome == "interrupted" and broken is not None:
        return len(_passed_on(protocol, expected, broken))
    if expected.last.kind is Kind.FINISHED:
        return len(whole_events(protocol, expected.last.body))
    return len(came.seen.body)


def _sum(came: Came, name: str) -> int | None:
    known = [row[name] for row in came.attempts if row[name] is not None]
    return sum(known) if known else None


def _told(row: dict[str, object]) -> tuple[object, ...]:
    profile = str(row["profile_id"]).rpartition("-")[2]
    return profile, row["status_code"], row["outcome"], row["error_class"], row["ended_at"] is not None


_OUTCOMES = {Kind.BAD: "failed", Kind.BROKEN: "interrupted", Kind.ERROR: "interrupted"}


def _meant(name: str, effect: Effect) -> tuple[object, ...]:
    bad = effect.cls.value if effect.kind in _OUTCOMES else None
    return name, effect.http_status, _OUTCOMES.get(effect.kind, "served"), bad, True


def _wrong_segments(expected: Story, came: Came) -> list[str]:
    """A stream of two providers is recorded in its stretches; one of a single provider is not."""
    found = [(str(row["profile_id"]).rpartition("-")[2], row["end"]) for row in came.segments]
    if expected.broken is None or expected.outcome != "served":
        return [] if not found else [f"segments: {found}"]
    wrong = [] if found == [("a", "interrupted"), ("b", "served")] else [f"segments: {found}"]
    chars = sum(row["chars"] for row in came.segments)
    return wrong + ([] if chars == len(answers.TEXT) else [f"{chars} characters in segments"])


def _wrong_answer(protocol: Protocol, expected: Story, came: Came, *, stream: bool) -> list[str]:
    """The client has one whole answer, of one speaker, as the provider sent it."""
    seen, effect = came.seen, expected.last
    wrong = [] if seen.ended else ["the connection was cut, though the answer is whole"]
    wrong += _wrong_head(expected, came)
    if expected.broken is None and effect.kind is Kind.GOOD:
        if seen.body != effect.body:
            wrong.append(f"the body is not the provider's: {_first_difference(seen.body, effect.body)}")
        if effect.packed:
            return wrong  # these bytes can only be compared
    elif not seen.body.startswith(_passed_on(protocol, expected, expected.broken or effect)):
        wrong.append("what came was not passed on")
    reading = readers.stream(protocol, ended(protocol, seen.body)) if stream else readers.whole(protocol, seen.body)
    wrong += reading.faults
    if reading.text != answers.TEXT or not reading.whole:
        wrong.append(f"not the whole answer: {reading}")
    elif reading.terminators != 1 and not (effect.kind is Kind.GOOD and protocol is Protocol.CHAT):
        wrong.append(f"{reading.terminators} terminators")
    speaker = expected.calls[-1][0] if expected.broken is None else "a"
    if reading.speaker != speaker:
        wrong.append(f"{reading.speaker} speaks, not {speaker}")
    return wrong


def _wrong_head(expected: Story, came: Came) -> list[str]:
    headers = {name.decode(): value.decode() for name, value in came.seen.headers.items()}
    tried = list(expected.calls)
    if expected.broken is not None:  # the head was out before it broke off
        tried = tried[: 1 + [effect for _, effect in tried].index(expected.broken)]
    changes = len({name for name, _ in tried}) - 1
    wanted: dict[str, object] = {"x-o-switcher-attempts": str(len(tried)), "x-o-switcher-failovers": str(changes)}
    wrong = [] if came.seen.status == expected.status else [f"status {came.seen.status}, not {expected.status}"]
    return wrong + _differences(wanted, dict(headers))


def _first_difference(found: bytes, wanted: bytes) -> str:
    at = next((at for at, (one, other) in enumerate(zip(found, wanted, strict=False)) if one != other), None)
    at = min(len(found), len(wanted)) if at is None else at
    return f"at byte {at} of {len(wanted)}: {found[at : at + 40]!r}, not {wanted[at : at + 40]!r}"


def _passed_on(protocol: Protocol, expected: Story, broken: Effect) -> bytes:
    """What the client has of an answer that broke off: its whole events, and the provider's error at the very end."""
    if broken.packed or not broken.streamed:
        return broken.body
    if broken.kind is Kind.ERROR and expected.last is not broken:
        return broken.before  # it was kept back while another profile was asked
    return whole_events(protocol, broken.body)


def _wrong_break(protocol: Protocol, expected: Story, came: Came, *, stream: bool) -> list[str]:
    """The client knows that its answer is not whole, and has all of it that came."""
    seen, broken = came.seen, expected.broken
    assert broken is not None
    wrong = _wrong_head(expected, came)
    passed = _passed_on(protocol, expected, broken)
    if not seen.body.startswith(passed):
        wrong.append(f"what came was not passed on: {_first_difference(seen.body, passed)}")
    own = broken.kind is Kind.ERROR and expected.last is broken
    if seen.ended and not own:
        wrong.append("the connection ends in order, as if the answer were whole")
    if not stream or broken.packed:
        return wrong  # without an error's place the cut alone tells
    reading = readers.stream(protocol, seen.body)
    wrong += reading.faults
    if reading.error is None:
        wrong.append(f"no error event: ...{seen.body[-120:]!r}")
    elif not own and "O-Switcher: " not in reading.error:
        wrong.append(f"the error says {reading.error!r}")
    if reading.half:
        wrong.append("half an event")
    if reading.terminators:
        wrong.append("an answer that broke off has a terminator")
    return wrong


def _wrong_end(protocol: Protocol, expected: Story, came: Came) -> list[str]:
    """No profile could serve: an error of the protocol's own shape, with a status of its own."""
    seen, effect = came.seen, expected.last
    wrong = [] if seen.ended else ["the error was cut"]
    wrong += _wrong_head(expected, came)
    if RULES[effect.cls] in (Rule.RETURN, Rule.ELSEWHERE_THEN_RETURN):
        return wrong + ([] if seen.body == effect.body else [f"not the provider's words: {seen.body[:80]!r}"])
    reading = readers.whole(protocol, seen.body)
    if reading.error is None:
        wrong.append(f"no error in the protocol's shape: {seen.body[:80]!r}")
    if b"o_switcher_exhausted" not in seen.body:
        wrong.append("it does not say who says so")
    return wrong
