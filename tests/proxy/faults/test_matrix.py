"""The fault matrix: every protocol, streamed or not, every kind of fault in all its variants, at every moment.

Cases are generated, and what must come of each is told by the oracle from what is played. Whatever is wrong with any
case of a group is listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from tests.proxy.faults import answers, kinds, oracle
from tests.proxy.faults.kinds import ALL, IMPATIENT, Variant, good, refusal, rest
from tests.proxy.faults.oracle import Effect, Kind, story
from tests.proxy.faults.stage import Ask, Play, Stage
from tray_app.core.values import Protocol

pytestmark = pytest.mark.many_cases

SHOWN = 12  # cases of a group that are told in full
BEFORE = ("first", "once", "all")  # whom a fault befalls: the first profile, its first call alone, both
AFTER = ("first", "alone")  # after content: whether anybody is left who may go on


def _groups() -> Iterator[object]:
    for protocol, stream, fault in product(answers.PROTOCOLS, (True, False), ALL):
        if any(True for _ in ALL[fault](protocol, stream)):
            name = f"{protocol.value}, {'streamed' if stream else 'whole'}: {fault}"
            yield pytest.param(protocol, stream, fault, id=name)


@pytest.mark.parametrize(("protocol", "stream", "fault"), list(_groups()))
def test_the_client_gets_what_is_right_for_the_least_calls_and_the_ledger_tells_the_truth(
    request: pytest.FixtureRequest, protocol: Protocol, stream: bool, fault: str
) -> None:
    stage: Stage = request.getfixturevalue("impatient" if fault in IMPATIENT else "patient")
    _play(stage, list(_cases(protocol, stream, fault)))


@pytest.mark.parametrize(("protocol", "fault"), list(product(answers.PROTOCOLS, ("cut", "an error as an event"))))
def test_where_settings_say_so_a_stream_that_broke_off_ends_with_an_error(
    unstitched: Stage, protocol: Protocol, fault: str
) -> None:
    every = ALL[fault](protocol, True)
    cases = [_Case(protocol, True, variant, "off", fault) for variant in every]
    _play(unstitched, [case for case in cases if case.story.outcome == "interrupted"])


def _play(stage: Stage, cases: list[_Case]) -> None:
    found = stage.ask([case.ask(place) for place, case in enumerate(cases)])
    wrong = [
        f"{case.name}: {'; '.join(told)}"
        for case, came in zip(cases, found, strict=True)
        if (told := oracle.check(case.protocol, case.story, came, stream=case.stream))
    ]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:SHOWN])


def _cases(protocol: Protocol, stream: bool, fault: str) -> Iterator[_Case]:
    for variant in ALL[fault](protocol, stream):
        _, effect = variant.make("a")
        moments = BEFORE if effect.kind is Kind.BAD else AFTER if _may_go_on(effect) else BEFORE[:1]
        for moment in moments:
            yield _Case(protocol, stream, variant, moment, fault)


def _may_go_on(effect: Effect) -> bool:
    return effect.kind in (Kind.BROKEN, Kind.ERROR) and effect.streamed


class _Case:
    """A variant at a moment."""

    def __init__(self, protocol: Protocol, stream: bool, variant: Variant, moment: str, fault: str) -> None:
        self.name = f"{variant.name} ({moment})"
        self.protocol, self.stream = protocol, stream
        self._moment, self._fault = moment, fault
        self._bad = {name: variant.make(name) for name in ("a", "b")}
        self._goes_on = _may_go_on(self._bad["a"][1])
        self.story = story(lambda name, time: self._made(name, time)[1], goes_on=moment != "off")

    def _made(self, name: str, time: int) -> tuple[Play, Effect]:
        befalls = self._moment == "all" or (name == "a" and (self._moment != "once" or time == 1))
        if befalls:
            return self._bad[name]
        return refusal(self.protocol) if self._moment == "alone" else good(self.protocol, name, stream=self.stream)

    def ask(self, place: int) -> Ask:
        """The request, and what the profiles do about it."""
        words = f"{self.protocol.value} {self.stream} {self._fault} {place} {self.name}"  # equal ones are one talk
        asked = answers.asked(self.protocol, words, stream=self.stream)

        def plan(name: str, time: int, body: bytes) -> Play:
            if self._goes_on and self._moment == "first" and name == "b":
                return rest(self.protocol, name, body)
            return self._made(name, time)[0]

        return Ask(asked.target, asked.body, plan)


def test_the_matrix_is_as_large_as_it_should_be() -> None:
    groups = product(answers.PROTOCOLS, (True, False), ALL)
    assert len(ALL) >= 20 and kinds.CUTS == 12
    assert sum(sum(1 for _ in _cases(*group)) for group in groups) > 10_000
