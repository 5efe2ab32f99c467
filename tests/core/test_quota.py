"""How long a limit rests its scope: as stated, until the next period, or for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import MODEL, NOW, at, judged, member, unhurried
from tray_app.core.evidence import ACTION
from tray_app.core.pool import pool_of
from tray_app.core.quota import DAY_MS, Ladder, cooldown_for, is_free, next_start, spent_until, window_end
from tray_app.core.values import Action, Cooldown, ErrorClass, Scope, Source, Verdict, Window

LIMITS = [cls for cls in ErrorClass if ACTION[cls] in (Action.COOL, Action.PARK)]
moments = st.integers(at("2000-01-01"), at("2090-01-01"))
GROUND = Ladder()
MINUTE = 60_000


def rest_of(verdict: Verdict, model: str | None = MODEL, ladder: Ladder = GROUND, chance: float = 0.5) -> Cooldown:
    found = cooldown_for("main", model, verdict, NOW, ladder, chance)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("window", "now", "start"),
    [
        pytest.param("day", "2026-09-29T15:04:05", "2026-09-30", id="a day begins at midnight"),
        pytest.param("day", "2026-09-30", "2026-10-01", id="at midnight the next day is meant"),
        pytest.param("day", "2026-09-30T23:59:59.999", "2026-10-01", id="the last millisecond of a day"),
        pytest.param("day", "2026-12-31T12:00", "2027-01-01", id="over the end of a year"),
        pytest.param("day", "2028-02-28T12:00", "2028-02-29", id="a leap year has a 29 February"),
        pytest.param("day", "2027-02-28T12:00", "2027-03-01", id="another year has none"),
        pytest.param("week", "2026-09-27T12:00", "2026-09-28", id="a week begins on Monday, from Sunday"),
        pytest.param("week", "2026-09-28T00:00", "2026-10-05", id="a week begins on Monday, from Monday"),
        pytest.param("week", "2026-12-30T12:00", "2027-01-04", id="a week over the end of a year"),
        pytest.param("month", "2026-01-31T12:00", "2026-02-01", id="a short month after a long one"),
        pytest.param("month", "2026-02-01T00:00", "2026-03-01", id="the first moment of a month"),
        pytest.param("month", "2028-02-29T23:59", "2028-03-01", id="the last minute of a leap February"),
        pytest.param("month", "2026-12-31T23:59", "2027-01-01", id="December"),
        pytest.param("pacific_day", "2026-10-05T17:00", "2026-10-06T07:00", id="California in summer: 07:00 UTC"),
        pytest.param("pacific_day", "2026-10-06T06:59:59", "2026-10-06T07:00", id="just before its midnight"),
        pytest.param("pacific_day", "2026-10-06T07:00", "2026-10-07T07:00", id="at its midnight the next is meant"),
        pytest.param("pacific_day", "2026-12-05T17:00", "2026-12-06T08:00", id="California in winter: 08:00 UTC"),
        pytest.param("pacific_day", "2026-03-08T07:30", "2026-03-08T08:00", id="the day on which summer time begins"),
        pytest.param("pacific_day", "2026-03-08T12:00", "2026-03-09T07:00", id="the first day after it"),
        pytest.param("pacific_day", "2026-11-01T06:30", "2026-11-01T07:00", id="the day on which summer time ends"),
        pytest.param("pacific_day", "2026-11-01T12:00", "2026-11-02T08:00", id="the first day after that"),
        pytest.param("pacific_day", "2026-01-31T12:00", "2026-02-01T08:00", id="the 31st of a month"),
    ],
)
def test_the_next_start_of_a_window(window: str, now: str, start: str) -> None:
    assert next_start(Window(window), at(now)) == at(start)


@unhurried
@given(st.sampled_from(Window), moments)
def test_a_window_begins_ahead_and_within_its_own_length(window: Window, now: int) -> None:
    longest = {Window.DAY: 24, Window.WEEK: 7 * 24, Window.MONTH: 31 * 24, Window.PACIFIC_DAY: 25}[window]
    start = next_start(window, now)
    assert 0 < start - now <= longest * 3_600_000
    assert next_start(window, start - 1) == start
    assert datetime.fromtimestamp(start / 1000, UTC).minute == 0


@unhurried
@given(moments)
def test_a_week_begins_on_monday_and_a_month_on_the_first(now: int) -> None:
    assert datetime.fromtimestamp(next_start(Window.WEEK, now) / 1000, UTC).weekday() == 0
    assert datetime.fromtimestamp(next_start(Window.MONTH, now) / 1000, UTC).day == 1


@pytest.mark.parametrize(
    ("message", "window"),
    [
        pytest.param("Key limit exceeded (daily limit).", Window.DAY, id="daily"),
        pytest.param("Rate limit exceeded: free-models-per-day.", Window.DAY, id="per-day"),
        pytest.param("Tokens per day limit exceeded", Window.DAY, id="per day"),
        pytest.param("on requests per day (RPD): Limit 200", Window.DAY, id="RPD"),
        pytest.param("reached organization TPD", Window.DAY, id="TPD"),
        pytest.param("limited to 50 calls / day", Window.DAY, id="calls / day"),
        pytest.param("Key limit exceeded (weekly limit).", Window.WEEK, id="weekly"),
        pytest.param("5 requests per week", Window.WEEK, id="per week"),
        pytest.param("Workspace monthly budget of $500.00 exceeded.", Window.MONTH, id="monthly"),
        pytest.param("limited to 1000 API calls / month", Window.MONTH, id="calls / month"),
    ],
)
def test_a_message_names_the_window_that_is_spent(message: str, window: Window) -> None:
    assert window_end(message, NOW) == next_start(window, NOW)


def test_a_total_limit_is_looked_at_again_a_day_later() -> None:
    assert window_end("Key limit exceeded (total limit).", NOW) == NOW + DAY_MS


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("Insufficient credits", id="money names no window"),
        pytest.param("", id="nothing"),
        pytest.param("paid today", id="a day that is no window"),
    ],
)
def test_a_message_without_a_window_gives_no_end(message: str) -> None:
    assert window_end(message, NOW) is None


def told(cls: ErrorClass, **fields: object) -> Verdict:
    return Verdict(cls, Scope.KEY, ACTION[cls], "it is spent", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "until", "source"),
    [
        pytest.param(
            told(ErrorClass.RATE_LIMITED, retry_after_s=2.5, source=Source.BODY),
            NOW + 2500,
            Source.BODY,
            id="a stated time is taken, with where it was stated",
        ),
        pytest.param(
            told(ErrorClass.QUOTA_EXHAUSTED, retry_after_s=90.0, source=Source.HEADER, message="daily"),
            NOW + 90_000,
            Source.HEADER,
            id="a stated time wins over a window",
        ),
        pytest.param(
            told(ErrorClass.RATE_LIMITED, retry_after_s=0.0001, source=Source.HEADER),
            NOW + 1,
            Source.HEADER,
            id="a rest lasts at least a millisecond",
        ),
        pytest.param(
            told(ErrorClass.QUOTA_EXHAUSTED, message="daily limit"),
            next_start(Window.DAY, NOW),
            Source.INFERRED,
            id="a spent quota rests until the window that its message names",
        ),
        pytest.param(
            told(ErrorClass.QUOTA_EXHAUSTED, message="daily limit", window=Window.PACIFIC_DAY),
            next_start(Window.PACIFIC_DAY, NOW),
            Source.INFERRED,
            id="or until the window that is known otherwise",
        ),
        pytest.param(
            told(ErrorClass.QUOTA_EXHAUSTED, window=Window.MONTH),
            next_start(Window.MONTH, NOW),
            Source.INFERRED,
            id="whether or not there is a message",
        ),
        pytest.param(
            told(ErrorClass.QUOTA_EXHAUSTED),
            NOW + 10 * MINUTE,
            Source.INFERRED,
            id="a spent quota of unknown window is looked at again after ten minutes",
        ),
        pytest.param(
            told(ErrorClass.RATE_LIMITED, message="daily limit", window=Window.DAY),
            NOW + 2_000,
            Source.INFERRED,
            id="a rate limit rests for seconds, whatever its message says",
        ),
    ],
)
def test_a_rest_lasts(verdict: Verdict, until: int, source: Source) -> None:
    rest = rest_of(verdict)
    assert (rest.until_at, rest.source, rest.since_at) == (until, source, NOW)
    assert (rest.profile_id, rest.error_class) == ("main", verdict.cls)
    assert rest.reason == "it is spent"


@pytest.mark.parametrize(
    "cls", [pytest.param(cls, id=f"{cls.value} rests nobody") for cls in ErrorClass if cls not in LIMITS]
)
def test_only_limits_rest_anybody(cls: ErrorClass) -> None:
    assert cooldown_for("main", MODEL, judged(cls), NOW, GROUND, 0.5) is None


@pytest.mark.parametrize(
    ("scope", "model", "kept", "named"),
    [
        pytest.param(Scope.KEY, "a/b", Scope.KEY, None, id="a key's rest names no model"),
        pytest.param(Scope.ACCOUNT, "a/b", Scope.ACCOUNT, None, id="an account's rest names no model"),
        pytest.param(Scope.MODEL, "a/b", Scope.MODEL, "a/b", id="a model's rest names it"),
        pytest.param(Scope.KEY_MODEL, "a/b", Scope.KEY_MODEL, "a/b", id="a key's rest for a model names it"),
        pytest.param(Scope.MODEL_PROVIDER, "a/b", Scope.MODEL_PROVIDER, "a/b", id="a model at a provider"),
        pytest.param(Scope.ACCOUNT_FREE_MODELS, "a/b:free", Scope.ACCOUNT_FREE_MODELS, None, id="free models"),
        pytest.param(
            Scope.ACCOUNT_FREE_MODELS,
            "openrouter/free",
            Scope.ACCOUNT_MODEL,
            "openrouter/free",
            id="a free model that is not called free is rested by its name",
        ),
    ],
)
def test_a_rest_names_the_model_where_its_scope_needs_it(
    scope: Scope, model: str, kept: Scope, named: str | None
) -> None:
    rest = rest_of(judged(ErrorClass.RATE_LIMITED, scope), model)
    assert (rest.scope, rest.model) == (kept, named)


@unhurried
@given(
    st.sampled_from(LIMITS),
    st.sampled_from(Scope),
    st.none() | st.sampled_from(["a/b", "a/b:free", "openrouter/free", ""]),
    st.none() | st.floats(0.5, 32 * 86_400),
)
def test_a_rest_keeps_away_at_least_the_call_that_met_the_limit(
    cls: ErrorClass, scope: Scope, model: str | None, retry_after_s: float | None
) -> None:
    rest = rest_of(judged(cls, scope, retry_after_s=retry_after_s), model)
    pool, changed = pool_of([member("main")]).rested(rest)
    assert changed == (rest,)
    assert not pool.routable("openrouter", model, NOW)
    assert pool.routable("openrouter", model, rest.until_at)


@pytest.mark.parametrize(
    ("model", "free"),
    [
        pytest.param("a/b:free", True, id="a free variant"),
        pytest.param("a/b", False, id="another model"),
        pytest.param("a/b:free-ish", False, id="a name that only holds the word"),
        pytest.param(None, False, id="no model"),
    ],
)
def test_a_free_model_is_known_by_its_name(model: str | None, free: bool) -> None:
    assert is_free(model) is free


# -- limits that name no time

RATE = told(ErrorClass.RATE_LIMITED)
SPENT = told(ErrorClass.QUOTA_EXHAUSTED)


@pytest.mark.parametrize(
    ("before_ms", "chance", "rest_ms"),
    [
        pytest.param(0, 0.0, 2_000, id="the first rest is two seconds"),
        pytest.param(0, 0.99, 2_000, id="by whatever chance"),
        pytest.param(2_000, 0.0, 2_000, id="the second at least as much"),
        pytest.param(2_000, 0.5, 4_000, id="halfway to three times the one before"),
        pytest.param(2_000, 0.75, 5_000, id="three quarters of the way"),
        pytest.param(5_000, 0.5, 8_500, id="each from the one before"),
        pytest.param(50_000, 0.5, 76_000, id="still under the bound"),
        pytest.param(120_000, 0.5, 120_000, id="two minutes at most"),
        pytest.param(120_000, 0.0, 2_000, id="and by chance down again"),
        pytest.param(500, 0.9, 2_000, id="a shorter one counts as the base"),
    ],
)
def test_the_ladder_of_a_rate(before_ms: int, chance: float, rest_ms: int) -> None:
    ladder, until = Ladder(before_ms, 7).climbed(RATE, NOW, chance)
    assert until == NOW + rest_ms
    assert ladder == Ladder(rest_ms, 7)


def test_the_ladder_of_a_quota_is_ten_minutes_an_hour_then_the_next_day() -> None:
    ladder, rests = Ladder(rate_ms=9), []
    for _ in range(4):
        ladder, until = ladder.climbed(SPENT, NOW, 0.5)
        rests.append(until)
    assert rests == [NOW + 10 * MINUTE, NOW + 60 * MINUTE, next_start(Window.DAY, NOW), next_start(Window.DAY, NOW)]
    assert ladder == Ladder(9, 4)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-09-29T22:59:59", "2026-09-30", id="more than an hour before midnight: until midnight"),
        pytest.param("2026-09-29T23:30", "2026-09-30T00:30", id="less: an hour all the same"),
    ],
)
def test_the_top_of_a_quotas_ladder_is_never_lower_than_the_step_before(now: str, until: str) -> None:
    assert Ladder(quota=2).climbed(SPENT, at(now), 0.5) == (Ladder(quota=3), at(until))


@pytest.mark.parametrize(
    ("verdict", "after"),
    [
        pytest.param(RATE, Ladder(4_000, 1), id="a rate climbs"),
        pytest.param(SPENT, Ladder(2_000, 2), id="a quota climbs"),
        pytest.param(told(ErrorClass.RATE_LIMITED, retry_after_s=3), Ladder(2_000, 1), id="a stated time does not"),
        pytest.param(told(ErrorClass.QUOTA_EXHAUSTED, window=Window.WEEK), Ladder(2_000, 1), id="a window does not"),
    ],
)
def test_only_what_names_no_time_climbs(verdict: Verdict, after: Ladder) -> None:
    before = Ladder(2_000, 1)
    found = cooldown_for("main", MODEL, verdict, NOW, before, 0.5)
    assert found is not None
    assert found[1] == after
    assert (found[1] is before) is (after == before)


@unhurried
@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
def test_however_often_a_rate_is_met_it_rests_between_two_seconds_and_two_minutes(chances: list[float]) -> None:
    ladder, before = GROUND, 2_000
    for chance in chances:
        ladder, until = ladder.climbed(RATE, NOW, chance)
        assert 2_000 <= until - NOW <= min(120_000, max(2_000, 3 * before))
        before = until - NOW


# The days on which summer time begins and ends in California, as the time zone database gives them.
SUMMERS = [
    ("2024-03-10", "2024-11-03"),
    ("2025-03-09", "2025-11-02"),
    ("2026-03-08", "2026-11-01"),
    ("2027-03-14", "2027-11-07"),
    ("2028-03-12", "2028-11-05"),
    ("2029-03-11", "2029-11-04"),
    ("2030-03-10", "2030-11-03"),
    ("2031-03-09", "2031-11-02"),
    ("2032-03-14", "2032-11-07"),
]


@pytest.mark.parametrize(("begins", "ends"), [pytest.param(*days, id=days[0][:4]) for days in SUMMERS])
def test_every_midnight_of_a_year_in_california_is_met(begins: str, ends: str) -> None:
    day = datetime.fromisoformat(f"{begins[:4]}-01-01T00:00:00+00:00")
    for _ in range(366):
        summer = begins < f"{day:%Y-%m-%d}" <= ends
        midnight = round(day.timestamp() * 1000) + (7 if summer else 8) * 3_600_000
        assert next_start(Window.PACIFIC_DAY, midnight - 1) == midnight
        assert next_start(Window.PACIFIC_DAY, midnight) > midnight
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("message", "scope", "window"),
    [
        pytest.param(
            "reached its monthly spending limit", Scope.ACCOUNT, None, id="an account's money may come sooner"
        ),
        pytest.param("suspended, monthly invoice unpaid", Scope.ACCOUNT, None, id="so may a payment"),
        pytest.param("Key limit exceeded (monthly limit)", Scope.KEY, Window.MONTH, id="a key's cap is the calendar's"),
        pytest.param("add credit or raise the monthly limit", Scope.KEY, Window.MONTH, id="whatever it says of credit"),
        pytest.param("your monthly included credits are used", Scope.ACCOUNT, Window.MONTH, id="what a plan includes"),
        pytest.param("monthly budget of $5 exceeded", Scope.ACCOUNT, Window.MONTH, id="a budget"),
        pytest.param("nothing", Scope.ACCOUNT, None, id="no period at all"),
    ],
)
def test_what_the_calendar_ends(message: str, scope: Scope, window: Window | None) -> None:
    verdict = replace(judged(ErrorClass.QUOTA_EXHAUSTED, scope), message=message)
    assert spent_until(verdict, NOW) == (None if window is None else next_start(window, NOW))
