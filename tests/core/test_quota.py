"""How long a limit rests its scope: as stated, until the next period, or for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import MODEL, NOW, at, judged, member, unhurried
from tray_app.core.evidence import ACTION
from tray_app.core.pool import pool_of
from tray_app.core.quota import DAY_MS, UNSTATED_MS, cooldown_for, next_start, window_end
from tray_app.core.values import Action, ErrorClass, Scope, Source, Verdict, Window

LIMITS = [cls for cls in ErrorClass if ACTION[cls] in (Action.COOL, Action.PARK)]
moments = st.integers(at("2000-01-01"), at("2090-01-01"))


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
            told(ErrorClass.QUOTA_EXHAUSTED),
            NOW + UNSTATED_MS[ErrorClass.QUOTA_EXHAUSTED],
            Source.INFERRED,
            id="a spent quota of unknown window is looked at again after half an hour",
        ),
        pytest.param(
            told(ErrorClass.RATE_LIMITED, message="daily limit"),
            NOW + UNSTATED_MS[ErrorClass.RATE_LIMITED],
            Source.INFERRED,
            id="a rate limit rests for seconds, whatever its message says",
        ),
    ],
)
def test_a_rest_lasts(verdict: Verdict, until: int, source: Source) -> None:
    rest = cooldown_for("main", MODEL, verdict, NOW)
    assert rest is not None
    assert (rest.until_at, rest.source, rest.since_at) == (until, source, NOW)
    assert (rest.profile_id, rest.error_class) == ("main", verdict.cls)
    assert rest.reason == "it is spent"


@pytest.mark.parametrize(
    "cls", [pytest.param(cls, id=f"{cls.value} rests nobody") for cls in ErrorClass if cls not in LIMITS]
)
def test_only_limits_rest_anybody(cls: ErrorClass) -> None:
    assert cooldown_for("main", MODEL, judged(cls), NOW) is None


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
    rest = cooldown_for("main", model, judged(ErrorClass.RATE_LIMITED, scope), NOW)
    assert rest is not None
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
    rest = cooldown_for("main", model, judged(cls, scope, retry_after_s=retry_after_s), NOW)
    assert rest is not None
    pool, changed = pool_of([member("main")]).rested(rest)
    assert changed == (rest,)
    assert not pool.routable("openrouter", model, NOW)
    assert pool.routable("openrouter", model, rest.until_at)


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
