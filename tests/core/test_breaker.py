"""The circuit breaker: when it opens, how long it stays open, whom it lets through, and what closes it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.build import NOW, unhurried
from tray_app.core.breaker import Breaker, BreakerRules, Circuit, counts
from tray_app.core.values import ErrorClass

RULES = BreakerRules()
LATER = NOW + RULES.half_open_after_ms
EAGER = BreakerRules(failure_threshold=1, success_threshold=1)
RATE_ONLY = BreakerRules(failure_threshold=100)

some_rules = st.builds(
    BreakerRules,
    failure_threshold=st.integers(1, 6),
    failure_rate_threshold=st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]),
    sliding_window_size=st.integers(1, 6),
    half_open_after_ms=st.integers(1, 100),
    half_open_max_probes=st.integers(1, 3),
    success_threshold=st.integers(1, 3),
)


def met(outcomes: str, rules: BreakerRules = RULES, breaker: Breaker | None = None, now: int = NOW) -> Breaker:
    """The breaker after these outcomes, all at `now`: `+` for a success, `-` for a failure."""
    breaker = breaker or Breaker()
    for one in outcomes:
        breaker = breaker.after(one == "+", now, rules)
    return breaker


OPENED = met("-----")


def admits(breaker: Breaker, now: int, in_flight: int, rules: BreakerRules) -> bool:
    """What follows from a circuit for one more call: whoever is in flight while it is half open holds a permit."""
    circuit = breaker.circuit(now, rules)
    return circuit is Circuit.CLOSED or (circuit is Circuit.HALF_OPEN and in_flight < rules.half_open_max_probes)


def test_the_numbers_that_hold_where_nothing_is_set() -> None:
    assert BreakerRules() == BreakerRules(5, 0.5, 10, 30_000, 1, 2)
    assert Breaker() == Breaker((), None, 0)
    assert [one.value for one in Circuit] == ["closed", "open", "half_open"]


@pytest.mark.parametrize(
    ("cls", "counted"),
    [
        pytest.param(ErrorClass.OK, False, id="what went well is no failure"),
        pytest.param(ErrorClass.RATE_LIMITED, False, id="a rate limit rests its scope instead"),
        pytest.param(ErrorClass.QUOTA_EXHAUSTED, False, id="a spent quota rests its scope instead"),
        pytest.param(ErrorClass.AUTH, False, id="a refused key is marked instead"),
        pytest.param(ErrorClass.MODEL_UNAVAILABLE, False, id="a missing model is nobody's fault"),
        pytest.param(ErrorClass.SERVER_ERROR, True, id="a server error counts"),
        pytest.param(ErrorClass.OVERLOADED, True, id="an overloaded provider counts"),
        pytest.param(ErrorClass.TIMEOUT, True, id="a timeout counts"),
        pytest.param(ErrorClass.NETWORK, True, id="a broken connection counts"),
        pytest.param(ErrorClass.BAD_REQUEST, False, id="a bad request is the client's"),
        pytest.param(ErrorClass.CONTENT_FILTER, False, id="a policy is no fault"),
        pytest.param(ErrorClass.CONTEXT_LENGTH, False, id="too long a context is the client's"),
        pytest.param(ErrorClass.MID_STREAM_ERROR, True, id="an interruption counts"),
    ],
)
def test_which_failures_count(cls: ErrorClass, counted: bool) -> None:
    assert counts(cls) is counted


@pytest.mark.parametrize(
    ("outcomes", "rules", "circuit"),
    [
        pytest.param("", RULES, Circuit.CLOSED, id="a new circuit is closed"),
        pytest.param("----", RULES, Circuit.CLOSED, id="four failures in a row do not open it"),
        pytest.param("-----", RULES, Circuit.OPEN, id="five failures in a row do"),
        pytest.param("+-----", RULES, Circuit.OPEN, id="five failures in a row after a success do"),
        pytest.param("----+----", RULES, Circuit.CLOSED, id="a success begins the row anew"),
        pytest.param("-+-+-+-+-", RULES, Circuit.CLOSED, id="a window that is not full has no share"),
        pytest.param(
            "-+-+-+-+-+", RULES, Circuit.OPEN, id="half of a full window opens it, even as a success fills it"
        ),
        pytest.param("+-+-+-+-+-", RULES, Circuit.OPEN, id="half of a full window opens it"),
        pytest.param("+-+-+-+-++", RULES, Circuit.CLOSED, id="less than half of a full window does not"),
        pytest.param("-+-+-+-+++-", RULES, Circuit.CLOSED, id="what slid out of the window is forgotten"),
        pytest.param("++-+-+-+-+-", RULES, Circuit.OPEN, id="a window that is full goes on sliding"),
        pytest.param("-", EAGER, Circuit.OPEN, id="a threshold of one opens at the first failure"),
        pytest.param("++++++++++", EAGER, Circuit.CLOSED, id="successes open nothing"),
        pytest.param("+" * 10, BreakerRules(failure_rate_threshold=0.0), Circuit.CLOSED, id="a share of none neither"),
        pytest.param(
            "-" + "+" * 9, BreakerRules(failure_rate_threshold=0.0), Circuit.OPEN, id="any failure, if told so"
        ),
        pytest.param("-" * 9, RATE_ONLY, Circuit.CLOSED, id="a row longer than the window: nine failures are too few"),
        pytest.param("-" * 10, RATE_ONLY, Circuit.OPEN, id="a row longer than the window: the full window opens it"),
        pytest.param(
            "-" * 7 + "+" * 93,
            BreakerRules(failure_threshold=8, failure_rate_threshold=0.07, sliding_window_size=100),
            Circuit.OPEN,
            id="seven of a hundred are seven hundredths, with no rounding in between",
        ),
        pytest.param(
            "-" * 6 + "+" * 94,
            BreakerRules(failure_threshold=8, failure_rate_threshold=0.07, sliding_window_size=100),
            Circuit.CLOSED,
            id="six of a hundred are less",
        ),
        pytest.param("+", BreakerRules(sliding_window_size=1), Circuit.CLOSED, id="a window of one success"),
        pytest.param("-", BreakerRules(sliding_window_size=1), Circuit.OPEN, id="a window of one failure"),
    ],
)
def test_a_circuit_opens_by_its_rules(outcomes: str, rules: BreakerRules, circuit: Circuit) -> None:
    before, after = met(outcomes[:-1], rules), met(outcomes, rules)
    assert before.circuit(NOW, rules) is Circuit.CLOSED
    assert after.circuit(NOW, rules) is circuit
    assert after.opened_at == (NOW if circuit is Circuit.OPEN else None)
    assert after.outcomes == tuple(one == "+" for one in outcomes[-rules.sliding_window_size :])
    assert after.successes == 0


@pytest.mark.parametrize(
    ("after_ms", "circuit"),
    [
        pytest.param(0, Circuit.OPEN, id="open at once"),
        pytest.param(29_999, Circuit.OPEN, id="open to the last millisecond"),
        pytest.param(30_000, Circuit.HALF_OPEN, id="half open after thirty seconds"),
        pytest.param(10**12, Circuit.HALF_OPEN, id="half open until an outcome decides"),
        pytest.param(-1, Circuit.HALF_OPEN, id="a clock set back by a moment: a probe finds out"),
        pytest.param(-(10**12), Circuit.HALF_OPEN, id="a clock set back by years: a probe finds out"),
    ],
)
def test_an_open_circuit_is_open_for_a_while(after_ms: int, circuit: Circuit) -> None:
    assert OPENED.circuit(NOW + after_ms, RULES) is circuit
    assert admits(OPENED, NOW + after_ms, 0, RULES) is (circuit is Circuit.HALF_OPEN)


def test_a_circuit_that_is_open_for_no_time_is_half_open_at_once() -> None:
    rules = BreakerRules(failure_threshold=1, half_open_after_ms=0)
    assert met("-", rules).circuit(NOW, rules) is Circuit.HALF_OPEN


def test_when_a_probe_is_let_through_is_known_in_advance() -> None:
    assert OPENED.half_open_at(RULES) == NOW + 30_000
    assert met("----").half_open_at(RULES) is None
    assert Breaker(opened_at=0).half_open_at(RULES) == 30_000


def test_a_circuit_opened_at_the_beginning_of_time_is_open() -> None:
    assert Breaker(opened_at=0).circuit(0, RULES) is Circuit.OPEN


@pytest.mark.parametrize(
    ("breaker", "now", "probes", "in_flight", "admitted"),
    [
        pytest.param(Breaker(), NOW, 1, 0, True, id="a closed circuit admits"),
        pytest.param(Breaker(), NOW, 1, 1000, True, id="a closed circuit admits however many there are"),
        pytest.param(OPENED, NOW, 1, 0, False, id="an open circuit admits nobody"),
        pytest.param(OPENED, NOW, 3, 1, False, id="an open circuit admits nobody, whatever its probes"),
        pytest.param(OPENED, LATER, 1, 0, True, id="a half open circuit admits a probe"),
        pytest.param(OPENED, LATER, 1, 1, False, id="a half open circuit admits one probe at a time"),
        pytest.param(OPENED, LATER, 3, 2, True, id="a half open circuit admits as many probes as it is told"),
        pytest.param(OPENED, LATER, 3, 3, False, id="and not one more"),
        pytest.param(OPENED, LATER, 1, 7, False, id="calls from before it opened hold their permits too"),
    ],
)
def test_whom_a_circuit_admits(breaker: Breaker, now: int, probes: int, in_flight: int, admitted: bool) -> None:
    assert admits(breaker, now, in_flight, BreakerRules(half_open_max_probes=probes)) is admitted


@pytest.mark.parametrize(
    "late", [pytest.param("+", id="a late success is ignored"), pytest.param("-", id="a late failure puts nothing off")]
)
@pytest.mark.parametrize(
    "after_ms", [pytest.param(0, id="at once"), pytest.param(29_999, id="at the last millisecond")]
)
def test_an_open_circuit_takes_no_outcomes(late: str, after_ms: int) -> None:
    assert met(late, breaker=OPENED, now=NOW + after_ms) is OPENED


@pytest.mark.parametrize(
    ("probes", "after"),
    [
        pytest.param("+", Breaker(OPENED.outcomes, NOW, 1), id="one success closes nothing yet"),
        pytest.param("++", Breaker(), id="two successes close it, with an empty window"),
        pytest.param("-", Breaker(OPENED.outcomes, LATER), id="a failure opens it again"),
        pytest.param("+-", Breaker(OPENED.outcomes, LATER), id="a failure after a success opens it again"),
        pytest.param("-+", Breaker(OPENED.outcomes, LATER), id="a success after a failure comes too late"),
        pytest.param("++-", Breaker((False,)), id="closed, it begins to count anew"),
        pytest.param("++----", Breaker((False,) * 4), id="closed, the old failures are forgotten"),
        pytest.param("++-----", Breaker((False,) * 5, LATER), id="closed, it opens by the same rules"),
    ],
)
def test_the_outcomes_of_probes_decide(probes: str, after: Breaker) -> None:
    assert met(probes, breaker=OPENED, now=LATER) == after


@pytest.mark.parametrize(
    ("threshold", "successes"), [pytest.param(n, n, id=f"{n} close it where {n} are asked for") for n in (1, 2, 3)]
)
def test_as_many_successes_close_it_as_are_asked_for(threshold: int, successes: int) -> None:
    rules = BreakerRules(success_threshold=threshold)
    assert met("+" * (successes - 1), rules, OPENED, LATER).circuit(LATER, rules) is Circuit.HALF_OPEN
    assert met("+" * successes, rules, OPENED, LATER) == Breaker()


def test_the_successes_of_probes_are_counted_from_the_last_opening() -> None:
    again = met("+-", breaker=OPENED, now=LATER)
    assert met("+", breaker=again, now=LATER + 30_000).circuit(LATER + 30_000, RULES) is Circuit.HALF_OPEN


def test_a_circuit_that_opens_again_waits_as_long_again() -> None:
    again = met("-", breaker=OPENED, now=LATER + 5)
    assert again.half_open_at(RULES) == LATER + 5 + 30_000
    assert again.circuit(LATER + 5 + 29_999, RULES) is Circuit.OPEN


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(NOW - 1, id="just before it opened"),
        pytest.param(NOW, id="just as it opened"),
        pytest.param(NOW + 29_999, id="while it was open"),
    ],
)
def test_once_a_probe_went_well_no_clock_opens_the_circuit_again(now: int) -> None:
    probed = met("+", breaker=OPENED, now=LATER)
    assert probed.circuit(now, RULES) is Circuit.HALF_OPEN
    assert met("+", breaker=probed, now=now) == Breaker()
    assert met("-", breaker=probed, now=now) == Breaker(OPENED.outcomes, now)


def test_a_clock_that_was_set_back_is_taken_as_it_is_when_the_circuit_opens_again() -> None:
    assert met("-", breaker=OPENED, now=NOW - 10**9).opened_at == NOW - 10**9


@pytest.mark.parametrize(
    ("outcomes", "share"),
    [
        pytest.param("", 0.0, id="of no outcomes"),
        pytest.param("+", 0.0, id="of one success"),
        pytest.param("-", 1.0, id="of one failure"),
        pytest.param("-+++", 0.25, id="of four outcomes"),
        pytest.param("-----", 1.0, id="of a circuit that has opened"),
        pytest.param("--" + "+" * 10, 0.0, id="of the window only"),
    ],
)
def test_the_share_of_failures(outcomes: str, share: float) -> None:
    assert met(outcomes).failure_share == share


def test_an_outcome_that_changes_nothing_gives_the_same_object() -> None:
    full = met("+" * 10)
    assert full.after(True, NOW + 1, RULES) is full
    for other in (met("+" * 9), met("-" + "+" * 9), met("+" * 11, BreakerRules(sliding_window_size=11))):
        after = other.after(True, NOW + 1, RULES)
        assert after is not other
        assert after == full
    failed = full.after(False, NOW + 1, RULES)
    assert failed.outcomes == (True,) * 9 + (False,)


def test_a_large_window_is_as_exact_as_a_small_one() -> None:
    rules = BreakerRules(failure_threshold=300, sliding_window_size=600)
    assert met("-" * 299, rules).opened_at is None
    assert met("-" * 300, rules).opened_at == NOW
    assert met("-+" * 299 + "-", rules).opened_at is None
    assert met("-+" * 300, rules).opened_at == NOW
    full = met("+" * 600, rules)
    assert met("+", rules, full) is full


@pytest.mark.parametrize("value", [pytest.param(RULES, id="rules"), pytest.param(OPENED, id="a breaker")])
def test_nothing_is_changed_in_place(value: object) -> None:
    with pytest.raises(AttributeError):
        setattr(value, type(value).__slots__[0], None)  # type: ignore[attr-defined]


def test_other_rules_hold_from_the_next_outcome_on() -> None:
    smaller = BreakerRules(sliding_window_size=4)
    assert met("+", smaller, met("--+++-")).outcomes == (True, True, False, True)
    assert met("+", smaller, met("--+-+-")).opened_at == NOW
    assert met("-", BreakerRules(failure_threshold=3), met("--")).opened_at == NOW
    assert met("+", EAGER, OPENED, LATER) == Breaker()
    probed = met("++", BreakerRules(success_threshold=4), OPENED, LATER)
    assert met("+", breaker=probed, now=LATER) == Breaker()
    assert OPENED.circuit(LATER, BreakerRules(half_open_after_ms=30_001)) is Circuit.OPEN


@unhurried
@given(st.lists(st.tuples(st.booleans(), st.integers(-50, 150))), some_rules)
def test_what_holds_after_every_outcome(steps: list[tuple[bool, int]], rules: BreakerRules) -> None:
    breaker, now = Breaker(), NOW
    for well, ms in steps:
        now += ms
        before, circuit = breaker, breaker.circuit(now, rules)
        breaker = before.after(well, now, rules)
        assert (breaker is before) == (breaker == before)
        assert len(breaker.outcomes) <= rules.sliding_window_size
        assert breaker.successes < rules.success_threshold
        assert 0.0 <= breaker.failure_share <= 1.0
        assert breaker.opened_at is not None or not breaker.successes
        if well and circuit is not Circuit.CLOSED:
            assert breaker.opened_at in (None, before.opened_at)  # no success opens a circuit again
        if not well and circuit is Circuit.HALF_OPEN:
            assert breaker.circuit(now, rules) is Circuit.OPEN


@unhurried
@given(st.integers(-200, 200), st.integers(0, 200), st.integers(0, 2), some_rules)
def test_an_open_circuit_is_never_further_from_a_probe_than_its_rules_say(
    ms: int, later_ms: int, successes: int, rules: BreakerRules
) -> None:
    breaker = Breaker(opened_at=NOW, successes=successes)
    now = NOW + ms
    wait = 0 if admits(breaker, now, 0, rules) else (breaker.half_open_at(rules) or 0) - now
    assert 0 <= wait <= rules.half_open_after_ms
    assert admits(breaker, now + wait, 0, rules)
    assert admits(breaker, now + max(later_ms, wait), 0, rules) or now < NOW  # and it goes on to do so


@unhurried
@given(st.lists(st.booleans(), max_size=12), st.integers(0, 20), st.integers(0, 200), some_rules)
def test_fewer_in_flight_are_never_refused_where_more_are_admitted(
    outcomes: list[bool], in_flight: int, ms: int, rules: BreakerRules
) -> None:
    breaker = met("".join("+" if one else "-" for one in outcomes), rules)
    if admits(breaker, NOW + ms, in_flight + 1, rules):
        assert admits(breaker, NOW + ms, in_flight, rules)


@unhurried
@given(st.lists(st.booleans(), max_size=12), st.integers(0, 11), some_rules)
def test_one_failure_more_never_closes_what_would_be_open(outcomes: list[bool], at: int, rules: BreakerRules) -> None:
    """A circuit opens at the latest where it opened with a success in that failure's place."""
    worse = [well and index != at for index, well in enumerate(outcomes)]
    breaker = other = Breaker()
    for well, worse_well in zip(outcomes, worse, strict=True):
        breaker, other = breaker.after(well, NOW, rules), other.after(worse_well, NOW, rules)
        assert other.opened_at is not None or breaker.opened_at is None


class BreakerMachine(RuleBasedStateMachine):
    """Calls that begin, end and are cancelled as time goes on, against a model that keeps its whole history."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.rules = RULES
        self.breaker = Breaker()
        self.in_flight = 0
        self.history: list[bool] = []  # since the circuit last closed
        self.opened: int | None = None
        self.probed_well = 0

    @initialize(rules=some_rules)
    def begin_with(self, rules: BreakerRules) -> None:
        self.rules = rules

    def state(self) -> str:
        if self.opened is None:
            return "closed"
        if self.probed_well:
            return "half_open"
        waited = self.now - self.opened
        return "half_open" if waited < 0 or waited >= self.rules.half_open_after_ms else "open"

    def must_open(self) -> bool:
        in_a_row = 0
        for well in reversed(self.history):
            if well:
                break
            in_a_row += 1
        window = self.history[-self.rules.sliding_window_size :]
        failures = sum(not well for well in window)
        full = len(self.history) >= self.rules.sliding_window_size
        often = full and failures > 0 and failures / len(window) >= self.rules.failure_rate_threshold
        return in_a_row >= self.rules.failure_threshold or often

    @rule()
    def a_call_begins_if_admitted(self) -> None:
        admitted = admits(self.breaker, self.now, self.in_flight, self.rules)
        state = self.state()
        assert admitted == (
            state == "closed" or (state == "half_open" and self.in_flight < self.rules.half_open_max_probes)
        )
        if admitted:
            self.in_flight += 1
            assert state == "closed" or self.in_flight <= self.rules.half_open_max_probes

    @precondition(lambda self: self.in_flight)
    @rule()
    def a_call_is_cancelled_or_meets_what_does_not_count(self) -> None:
        self.in_flight -= 1

    @precondition(lambda self: self.in_flight)
    @rule(well=st.booleans())
    def a_call_ends(self, well: bool) -> None:
        self.in_flight -= 1
        state = self.state()
        self.breaker = self.breaker.after(well, self.now, self.rules)
        if state == "closed":
            self.history.append(well)
            if self.must_open():
                self.opened, self.probed_well = self.now, 0
        elif state == "half_open" and not well:
            self.opened, self.probed_well = self.now, 0
        elif state == "half_open":
            self.probed_well += 1
            if self.probed_well == self.rules.success_threshold:
                self.history, self.opened, self.probed_well = [], None, 0

    @rule(ms=st.integers(0, 120))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(ms=st.integers(1, 250))
    def the_clock_is_set_back(self, ms: int) -> None:
        self.now -= ms

    @precondition(lambda self: self.opened is not None and not self.probed_well)
    @rule(ms=st.sampled_from([-1, 0]))
    def it_is_just_about_time_for_a_probe(self, ms: int) -> None:
        assert self.opened is not None
        self.now = self.opened + self.rules.half_open_after_ms + ms

    @invariant()
    def it_is_as_modelled(self) -> None:
        assert self.breaker.circuit(self.now, self.rules).value == self.state()
        assert self.breaker.opened_at == self.opened
        assert self.breaker.successes == self.probed_well
        assert self.breaker.outcomes == tuple(self.history[-self.rules.sliding_window_size :])

    @invariant()
    def a_probe_is_admitted_at_the_latest_when_it_was_promised(self) -> None:
        """However the calls ended, and without any outcome in between: no permit is lost."""
        promised = self.breaker.half_open_at(self.rules)
        if promised is not None and self.state() == "open":
            assert self.now < promised <= self.now + self.rules.half_open_after_ms
            assert not admits(self.breaker, promised - 1, 0, self.rules)
            assert admits(self.breaker, promised, 0, self.rules)
        else:
            assert admits(self.breaker, self.now, 0, self.rules)


TestBreakerAgainstItsModel = pytest.mark.many_cases(BreakerMachine.TestCase)
TestBreakerAgainstItsModel.settings = settings(deadline=None, max_examples=150, stateful_step_count=50)
