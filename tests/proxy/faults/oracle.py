"""What must come of a case, told from what the providers play: the one place that knows the rules.

`judged` says what a play amounts to, `story` which calls must be made for it and how the request must end, `check`
what is wrong with what really came. None of them knows the faults by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from tests.proxy.faults import answers, readers
from tests.proxy.faults.stage import Came, End
from tests.proxy.faults.wires import Arrived
from tray_app.core.values import ErrorClass, Protocol

CONTINUES = False  # whether a stream that broke off after text goes on with another profile
RETRIES = 3  # the default `[switcher] retry`
AMBIGUOUS = 1  # so many calls that broke off may be followed by another


class Kind(Enum):
    """What a play amounts to."""

    GOOD = "a whole answer"
    BAD = "no answer, and nothing of it may reach the client"
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

    `body` is what of the answer came, `status` what it came with, or stands for where it came inside a 200.
    """

    kind: Kind
    cls: ErrorClass = _C.OK
    ambiguous: bool = False
    body: bytes = b""
    status: int = 200
    http_status: int | None = 200
    packed: bool = False


# -- what a play amounts to


def judged(protocol: Protocol, arrived: Arrived, end: End, *, stream: bool) -> Effect:
    """The meaning of an answer with status 200 of which so much came."""
    cut = _C.TIMEOUT if end is End.SILENT else _C.NETWORK
    if not arrived.head:
        return Effect(Kind.BAD, cut, ambiguous=True, http_status=None)
    if not stream:
        if arrived.complete and readers.whole(protocol, arrived.body).whole:
            return Effect(Kind.GOOD, body=arrived.body)
        return Effect(Kind.BAD, _C.SERVER_ERROR if arrived.complete else cut, ambiguous=True)
    reading = readers.stream(protocol, ended(protocol, arrived.body))
    if not reading.text:
        return Effect(Kind.BAD, _C.SERVER_ERROR if arrived.complete or reading.terminators else cut, ambiguous=True)
    if reading.terminators or (arrived.complete and reading.whole and protocol is Protocol.CHAT):
        return Effect(Kind.GOOD, body=arrived.body)
    return Effect(Kind.BROKEN, _C.MID_STREAM_ERROR if arrived.complete else cut, body=arrived.body)


def ended(protocol: Protocol, body: bytes) -> bytes:
    """`body` with its last event ended, if it lacks only the end: many readers take it then as well."""
    if protocol is Protocol.OLLAMA or body.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
        return body
    _, _, last = body.rpartition(b"\n")
    whole = b"[DONE]" in last or last.strip() == b"" or readers.stream(protocol, last + b"\n\n").begun
    return body + b"\n\n" if whole else body


def is_half(protocol: Protocol, body: bytes) -> bool:
    """Whether `body` ends within an event."""
    if protocol is Protocol.OLLAMA:
        return not body.endswith(b"\n")
    return not body.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))


# -- what must be done about it


Playing = Callable[[str, int], Effect]  # what the nth call to a profile amounts to


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
    def counts(self) -> dict[str, int]:
        names = [name for name, _ in self.calls]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    @property
    def failovers(self) -> int:
        return len(self.counts) - 1


def story(of: Playing, names: tuple[str, ...] = ("a", "b")) -> Story:
    """The fewest calls that serve the client, by the settings' defaults."""
    calls = tuple(_calls(of, names))
    last = calls[-1][1]
    if last.kind is Kind.GOOD:
        return Story(calls, "served", 200)
    if last.kind is not Kind.BAD:
        return Story(calls, "interrupted", 200)
    rule = RULES[last.cls]
    if rule in (Rule.RETURN, Rule.ELSEWHERE_THEN_RETURN):
        return Story(calls, "failed", last.status)
    status = STATUS.get(last.cls, 502)
    return Story(calls, "failed" if status == 502 else "exhausted", status)


def _calls(of: Playing, names: tuple[str, ...]) -> Iterator[tuple[str, Effect]]:
    ambiguous = 0
    for name in names:
        for time in range(1, RETRIES + 2):
            effect = of(name, time)
            yield name, effect
            ambiguous += effect.ambiguous
            if CONTINUES and effect.kind is Kind.BROKEN:
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
    wrong += _wrong_records(expected, came)
    if expected.outcome == "served":
        wrong += _wrong_answer(protocol, expected, came, stream=stream)
    elif expected.outcome == "interrupted":
        wrong += _wrong_break(protocol, expected, came, stream=stream)
    else:
        wrong += _wrong_end(protocol, expected, came)
    return wrong


def _differences(expected: dict[str, object], found: dict[str, object]) -> list[str]:
    return [f"{name}: {found.get(name)!r}, not {value!r}" for name, value in expected.items() if found.get(name) != value]


def _wrong_calls(expected: Story, came: Came) -> list[str]:
    return [] if came.calls == expected.counts else [f"calls: {came.calls}, not {expected.counts}"]


def _wrong_records(expected: Story, came: Came) -> list[str]:
    """The ledger says what happened, no more and no less."""
    last = expected.calls[-1]
    wanted: dict[str, object] = {
        "outcome": expected.outcome,
        "attempts": len(expected.calls),
        "failovers": expected.failovers,
        "status_code": expected.status,
        "response_bytes": len(came.seen.body) if expected.outcome != "interrupted" else len(last[1].body),
    }
    if last[1].kind is Kind.GOOD:
        wanted |= {"input_tokens": answers.INPUT_TOKENS, "output_tokens": answers.OUTPUT_TOKENS}
    if CONTINUES and any(effect.kind is Kind.BROKEN for _, effect in expected.calls):
        for name in ("failovers", "response_bytes", "input_tokens", "output_tokens"):
            wanted.pop(name, None)  # the sums of two answers
    wrong = _differences(wanted, came.request)
    profile = str(came.request.get("profile_id")).rpartition("-")[2]
    wrong += [] if profile == last[0] else [f"profile: {profile}, not {last[0]}"]
    wrong += [] if came.request.get("ended_at") else ["the request is still open"]
    told = [_told(row) for row in came.attempts]
    meant = [_meant(name, effect, expected) for name, effect in expected.calls]
    wrong += [] if told == meant else [f"attempts: {told}, not {meant}"]
    moved = [str(row["to_profile"]).rpartition("-")[2] for row in came.failovers]
    must = ["b"] * (expected.failovers or expected.outcome == "interrupted")  # the client's next try is kept in mind
    return wrong + ([] if moved == must else [f"moved to {moved}, not {must}"])


def _told(row: dict[str, object]) -> tuple[object, ...]:
    profile = str(row["profile_id"]).rpartition("-")[2]
    return profile, row["status_code"], row["outcome"], row["error_class"], row["ended_at"] is not None


def _meant(name: str, effect: Effect, expected: Story) -> tuple[object, ...]:
    bad = None if effect.kind is Kind.GOOD else effect.cls.value
    outcomes = {Kind.GOOD: "served", Kind.BAD: "failed", Kind.BROKEN: "interrupted", Kind.ERROR: "interrupted"}
    return name, effect.http_status, outcomes[effect.kind], bad, True


def _wrong_answer(protocol: Protocol, expected: Story, came: Came, *, stream: bool) -> list[str]:
    """The client has one whole answer, of one speaker, as the provider sent it."""
    seen, (name, effect) = came.seen, expected.calls[-1]
    wrong = [] if seen.ended else ["the connection was cut, though the answer is whole"]
    wrong += _wrong_head(expected, came)
    stitched = CONTINUES and any(one.kind is Kind.BROKEN for _, one in expected.calls)
    if not stitched and seen.body != effect.body:
        wrong.append(f"the body is not the provider's: {_first_difference(seen.body, effect.body)}")
    if effect.packed:
        return wrong  # these bytes can only be compared
    reading = readers.stream(protocol, ended(protocol, seen.body)) if stream else readers.whole(protocol, seen.body)
    wrong += reading.faults
    if reading.text != answers.TEXT or not reading.whole:
        wrong.append(f"not the whole answer: {reading}")
    if not stitched and reading.speaker != name:
        wrong.append(f"{reading.speaker} speaks, not {name}")
    return wrong


def _wrong_head(expected: Story, came: Came) -> list[str]:
    headers = {name.decode(): value.decode() for name, value in came.seen.headers.items()}
    wanted: dict[str, object] = {"x-o-switcher-attempts": str(len(expected.calls))}
    wanted["x-o-switcher-failovers"] = str(expected.failovers)
    wrong = [] if came.seen.status == expected.status else [f"status {came.seen.status}, not {expected.status}"]
    return wrong + ([] if CONTINUES else _differences(wanted, dict(headers)))


def _first_difference(found: bytes, wanted: bytes) -> str:
    at = next((at for at, (one, other) in enumerate(zip(found, wanted, strict=False)) if one != other), None)
    at = min(len(found), len(wanted)) if at is None else at
    return f"at byte {at} of {len(wanted)}: {found[at : at + 40]!r}, not {wanted[at : at + 40]!r}"


def _wrong_break(protocol: Protocol, expected: Story, came: Came, *, stream: bool) -> list[str]:
    """The client knows that its answer is not whole, and has all of it that came."""
    seen, effect = came.seen, expected.last
    wrong = _wrong_head(expected, came)
    if not seen.body.startswith(effect.body):
        wrong.append(f"what came was not passed on: {_first_difference(seen.body, effect.body)}")
    own = effect.kind is Kind.ERROR
    if seen.ended and not own:
        wrong.append("the connection ends in order, as if the answer were whole")
    if not stream or effect.packed:
        return wrong  # without an error's place the cut alone tells
    reading = readers.stream(protocol, seen.body)
    wrong += reading.faults
    if reading.error is None:
        wrong.append(f"no error event: ...{seen.body[-120:]!r}")
    elif not own and "O-Switcher: " not in reading.error:
        wrong.append(f"the error says {reading.error!r}")
    if reading.half and not is_half(protocol, effect.body):
        wrong.append("half an event that the provider sent whole")
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


def inside(effect: Effect) -> Effect:
    """The same where the error came inside a 200."""
    return replace(effect, http_status=200)
