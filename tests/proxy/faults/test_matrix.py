"""The fault matrix: every protocol, streamed or not, every kind of fault in all its variants, at every moment.

Cases are generated, and what must come of each is told by the oracle from what is played. Whatever is wrong with any
case of a group is listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from tests.proxy.faults import answers, kinds, oracle
from tests.proxy.faults.kinds import ALL, IMPATIENT, Variant, good
from tests.proxy.faults.oracle import Effect, Kind, story
from tests.proxy.faults.stage import Ask, Play, Stage
from tray_app.core.values import Protocol

SHOWN = 12  # cases of a group that are told in full
MOMENTS = ("first", "once", "all")  # whom the fault befalls: the first profile, its first call alone, both


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
    cases = [
        _Case(protocol, stream, variant, moment)
        for variant in ALL[fault](protocol, stream)
        for moment in _moments(variant)
    ]
    found = stage.ask([case.ask(f"{fault} {place}") for place, case in enumerate(cases)])
    wrong = [
        f"{case.name}: {'; '.join(told)}"
        for case, came in zip(cases, found, strict=True)
        if (told := oracle.check(protocol, case.story, came, stream=stream))
    ]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:SHOWN])


def _moments(variant: Variant) -> tuple[str, ...]:
    """What ends with the first call is the same at every moment."""
    _, effect = variant.make("a")
    return MOMENTS if effect.kind is Kind.BAD else MOMENTS[:1]


class _Case:
    """A variant at a moment."""

    def __init__(self, protocol: Protocol, stream: bool, variant: Variant, moment: str) -> None:
        self.name = f"{variant.name} ({moment})"
        self._protocol, self._stream, self._moment = protocol, stream, moment
        self._bad = {name: variant.make(name) for name in ("a", "b")}
        self._good = {name: good(protocol, name, stream=stream) for name in ("a", "b")}
        self.story = story(lambda name, time: self._made(name, time)[1])

    def _made(self, name: str, time: int) -> tuple[Play, Effect]:
        befalls = {"first": name == "a", "once": name == "a" and time == 1, "all": True}[self._moment]
        return self._bad[name] if befalls else self._good[name]

    def ask(self, text: str) -> Ask:
        """The request, and what the profiles do about it."""
        words = f"{self._protocol.value} {self._stream}: {text}, {self.name}"  # equal ones are one conversation
        asked = answers.asked(self._protocol, words, stream=self._stream)
        return Ask(asked.target, asked.body, lambda name, time, _: self._made(name, time)[0])


def test_the_matrix_is_as_large_as_it_should_be() -> None:
    count = sum(
        len(_moments(variant))
        for protocol, stream, fault in product(answers.PROTOCOLS, (True, False), ALL)
        for variant in ALL[fault](protocol, stream)
    )
    assert len(ALL) >= 20 and kinds.CUTS == 12
    assert count > 10_000
