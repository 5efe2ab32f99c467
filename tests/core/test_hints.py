"""Every spelling of "come back later", in each unit that providers use."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import at, unhurried
from tray_app.core import hints
from tray_app.core.values import Hint, Source

NOW = at("2026-10-21T07:27:00") / 1000
A_MINUTE_ON = "2026-10-21T07:28:00Z"
EPOCH = int(NOW)

# -- durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("12ms", 0.012, id="milliseconds are not minutes"),
        pytest.param("4 ms", 0.004, id="a blank before the unit"),
        pytest.param("1s", 1, id="seconds"),
        pytest.param("6m0s", 360, id="a Go duration"),
        pytest.param("2m59.56s", 179.56, id="Groq"),
        pytest.param("370ms", 0.37, id="Groq, short"),
        pytest.param("3h1m26.4s", 10_886.4, id="Groq, for the day"),
        pytest.param("56s", 56, id="a protobuf duration"),
        pytest.param("0.539477544s", 0.539477544, id="a protobuf duration of nanoseconds"),
        pytest.param("156h14m36.75s", 562_476.75, id="Gemini's prose"),
        pytest.param("19h14m47s", 69_287, id="CloudCode"),
        pytest.param("10m", 600, id="minutes"),
        pytest.param("539.477544ms", 0.539477544, id="fractions of milliseconds"),
        pytest.param("6m 11.52s", 371.52, id="a blank between the parts"),
        pytest.param("2h31m16.752s", 9_076.752, id="hours, minutes, seconds"),
        pytest.param("7 days", 604_800, id="days"),
        pytest.param("1 day", 86_400, id="a day"),
        pytest.param("2 hrs", 7_200, id="hrs"),
        pytest.param("1 hour and 5 minutes", 3_900, id="and between the parts"),
        pytest.param("1h, 5 min", 3_900, id="a comma between the parts"),
        pytest.param("250 milliseconds", 0.25, id="a unit in full"),
        pytest.param("30 SEC", 30, id="capitals"),
        pytest.param(" 5 seconds ", 5, id="blanks around"),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert hints.duration_s(text) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("soon", id="words"),
        pytest.param("10", id="a number without a unit"),
        pytest.param("5 months", id="a unit that only begins like minutes"),
        pytest.param("5s later", id="words after it"),
        pytest.param("about 5s", id="words before it"),
        pytest.param("5s and", id="an unfinished sum"),
        pytest.param(", 5s", id="a sum without its first part"),
        pytest.param("-5s", id="a negative one"),
    ],
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert hints.duration_s(text) is None


# -- bare numbers and instants


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("6", 6, id="seconds"),
        pytest.param("33011.382867", 33_011.382867, id="seconds as Cerebras spells them"),
        pytest.param("0", 0, id="zero"),
        pytest.param("-1", -1, id="a negative number, to be clamped"),
        pytest.param(12345, 12_345, id="a number, not a text"),
        pytest.param(5.5, 5.5, id="a fraction"),
        pytest.param(str(EPOCH + 60), 60, id="epoch seconds"),
        pytest.param(str((EPOCH + 60) * 1000), 60, id="epoch milliseconds, as OpenRouter spells them"),
        pytest.param((EPOCH + 60) * 1000, 60, id="epoch milliseconds as a number"),
        pytest.param(A_MINUTE_ON, 60, id="RFC 3339"),
        pytest.param("2026-10-21T09:28:00+02:00", 60, id="RFC 3339 with an offset"),
        pytest.param("2026-10-21 07:28:00", 60, id="ISO without a zone: UTC"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", 60, id="an HTTP date"),
        pytest.param("Wednesday, 21-Oct-26 07:28:00 GMT", 60, id="an HTTP date of the old kind"),
        pytest.param("539.477544ms", 0.539477544, id="a duration"),
        pytest.param("0" * 62 + "5s", 5, id="a spelling as long as any time"),
    ],
)
def test_a_value_is_read_by_its_magnitude_and_spelling(value: object, seconds: float) -> None:
    assert hints.value_s(value, NOW) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="nothing"),
        pytest.param(True, id="a truth value is no second"),
        pytest.param([5], id="a list"),
        pytest.param({}, id="an object"),
        pytest.param("", id="an empty text"),
        pytest.param("  ", id="blanks"),
        pytest.param("soon", id="words"),
        pytest.param("nan", id="not a number"),
        pytest.param(math.nan, id="not a number, as a number"),
        pytest.param("1" * 64 + "s", id="a spelling longer than any time"),
        pytest.param("-" + "1" * 64, id="a spelling longer than any time that begins like a number"),
        pytest.param("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", id="a year beyond all calendars"),
        pytest.param("Mon, 01 Jan 2026 00:00:00 +99999999999", id="a zone beyond all clocks"),
        pytest.param("Mon, 32 Jan 2026 00:00:00 GMT", id="a day that no month has"),
    ],
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert hints.value_s(value, NOW) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("inf", math.inf, id="infinity"),
        pytest.param(math.inf, math.inf, id="infinity as a number"),
        pytest.param("1e400", math.inf, id="a number beyond all floats"),
        pytest.param(10**400, math.inf, id="an integer beyond all floats"),
        pytest.param(-(10**400), -math.inf, id="a negative one beyond all floats"),
        pytest.param("9" * 64, 10**61 - NOW, id="a number as long as any spelling"),
        pytest.param("9" * 65, 10**62 - NOW, id="a number that is longer"),
        pytest.param("9" * 5000, math.inf, id="a number without end"),
        pytest.param("1000000000", 1e9, id="the greatest number of seconds"),
        pytest.param("1000000001", 1_000_000_001 - NOW, id="the least epoch"),
        pytest.param("1000000000000", 1e12 - NOW, id="the greatest epoch in seconds"),
        pytest.param("1000000000001", 1_000_000_000.001 - NOW, id="the least epoch in milliseconds"),
    ],
)
def test_absurd_numbers_are_read_as_they_stand(value: object, seconds: float) -> None:
    assert hints.value_s(value, NOW) == pytest.approx(seconds, rel=1e-9)


def test_a_time_without_a_zone_is_one_of_the_zone_given() -> None:
    east = timezone(timedelta(hours=8))
    assert hints.instant_s("2026-10-21T15:28:00", NOW, east) == 60
    assert hints.instant_s(A_MINUTE_ON, NOW, east) == 60
    assert hints.value_s("2026-10-21 15:28:00", NOW, east) == 60
    assert hints.value_s("2026-10-21 07:28:00", NOW) == 60


def test_a_bare_number_may_stand_for_another_unit() -> None:
    assert hints.value_s("1500", NOW, scale=0.001) == 1.5
    assert hints.value_s("1500ms", NOW, scale=0.001) == 1.5


# -- prose


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        pytest.param("Please try again in 1.4s. Visit https://h.example", 1.4, id="try again in"),
        pytest.param("Please try again in 4ms.", 0.004, id="try again in, milliseconds"),
        pytest.param("(RPD): Limit 200, Used 200. Please try again in 7m12s.", 432, id="after other numbers"),
        pytest.param("try again in 6m 11.52s", 371.52, id="a blank in the duration"),
        pytest.param("Please try again in 2h31m16.752s", 9_076.752, id="hours"),
        pytest.param("please try again after 1 seconds", 1, id="try again after"),
        pytest.param("Please retry after 6 seconds.", 6, id="retry after"),
        pytest.param("Retry after 40 seconds.", 40, id="a capital"),
        pytest.param("Please retry in 34.074824224s.", 34.074824224, id="retry in"),
        pytest.param("Please wait 5631 seconds before retrying.", 5_631, id="wait"),
        pytest.param("wait for 2 minutes", 120, id="wait for"),
        pytest.param("Your quota will reset after 19h14m47s.", 69_287, id="reset after"),
        pytest.param("limit resets in about 20 minutes", 1_200, id="about"),
        pytest.param("You may ask again after 7 days", 604_800, id="after 7 days"),
        pytest.param("try again in 1 hour and 5 minutes.", 3_900, id="hours and minutes"),
        pytest.param("Request failed, please try again in 5s", 5, id="a failure before it does not matter"),
        pytest.param("timed out after 60s; retry in 3 s", 3, id="the wait, not how long it took"),
        pytest.param("You will regain access on 2026-10-22 at 00:00 UTC.", 59_580, id="regain access on"),
        pytest.param("Your limit will reset at 2026-10-21 07:28:00", 60, id="reset at"),
        pytest.param("resets at 2026-10-21T07:28:00Z", 60, id="resets at, RFC 3339"),
        pytest.param("resets at 2026-10-21T07:28:00.250Z", 60, id="fractions of a second"),
        pytest.param("available again at 2026-10-21T09:28:00+02:00", 60, id="an offset"),
        pytest.param("blocked until 2026-10-22", 59_580, id="a date alone is its midnight"),
        pytest.param("Please retry your request after 12 seconds", 12, id="retry your request after"),
        pytest.param("retry the request again in 12 s", 12, id="retry the request again in"),
        pytest.param("Expected available in 42 seconds.", 42, id="available in"),
        pytest.param("available again in 3 min", 180, id="available again in"),
        pytest.param("your quota refreshes in 2 hours", 7_200, id="refreshes in"),
        pytest.param("it renews in 1 day", 86_400, id="renews in"),
        pytest.param("I'll be back in 5 min", 300, id="back in"),
        pytest.param("Quota will be replenished in 12:34:56.", 45_296, id="a clock"),
        pytest.param("Quota will be replenished in 2.03:12:45.", 184_365, id="a clock with days"),
        pytest.param("wait for another 20s", 20, id="another"),
        pytest.param("x" * 985 + " retry in 5 min", 300, id="the last of a thousand characters"),
    ],
)
def test_prose_is_read(message: str, seconds: float) -> None:
    assert hints.prose_s(message, NOW) == pytest.approx(seconds, abs=0.3)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="nothing"),
        pytest.param("Please try again later.", id="later"),
        pytest.param("please wait up to 5 minutes", id="at most five minutes are no hint"),
        pytest.param("Limit 30000, Used 29500, Requested 1200", id="numbers without a unit"),
        pytest.param("The request timed out after 60s", id="how long it took"),
        pytest.param("connection closed after 30 seconds", id="how long it took, otherwise"),
        pytest.param("no response after 2 min", id="how long nothing came"),
        pytest.param("resets at 2026-13-45 07:28:00", id="a date that no calendar has"),
        pytest.param("wait 3 months", id="a unit that is none"),
        pytest.param("the meeting is in 12:34", id="a time of day"),
        pytest.param("retry it some day", id="no number"),
        pytest.param("x" * 1000 + " retry in 5s", id="what comes after a thousand characters"),
        pytest.param("x" * 986 + " retry in 5 min", id="what does not end within a thousand characters"),
    ],
)
def test_prose_without_a_time_is_none(message: str) -> None:
    assert hints.prose_s(message, NOW) is None


def test_prose_without_a_zone_is_in_the_zone_given() -> None:
    east = timezone(timedelta(hours=8))
    assert hints.prose_s("reset at 2026-10-21 15:28:00", NOW, east) == 60
    for zone in ("UTC", "GMT", "Z", "+00:00", "+0000"):
        assert hints.prose_s(f"reset at 2026-10-21 07:28:00 {zone}", NOW, east) == 60, zone


# -- headers


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after": "40"}, 40, id="Retry-After in seconds"),
        pytest.param({"retry-after": "1.5"}, 1.5, id="Retry-After in fractions"),
        pytest.param({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 60, id="Retry-After as a date"),
        pytest.param({"retry-after": "6m0s"}, 360, id="Retry-After as a duration"),
        pytest.param({"retry-after": str(EPOCH + 60)}, 60, id="Retry-After as an epoch"),
        pytest.param({"retry-after": "0"}, 0, id="zero"),
        pytest.param({"retry-after": "-5"}, -5, id="a negative one"),
        pytest.param({"retry-after": "99999999"}, 99_999_999, id="years"),
        pytest.param({"retry-after": "2", "retry-after-ms": "1400"}, 1.4, id="milliseconds win"),
        pytest.param({"retry-after": "2", "retry-after-ms": "soon"}, 2, id="unless they cannot be read"),
        pytest.param({"x-ratelimit-reset": str((EPOCH + 60) * 1000)}, 60, id="X-RateLimit-Reset of OpenRouter"),
        pytest.param({"ratelimit-reset": str(EPOCH + 60)}, 60, id="ratelimit-reset of DigitalOcean"),
        pytest.param({"x-ratelimit-timeremaining": "5631"}, 5_631, id="x-ratelimit-timeremaining of GitHub"),
        pytest.param({"anthropic-ratelimit-unified-reset": str(EPOCH + 60)}, 60, id="a Claude subscription"),
        pytest.param({"x-ratelimit-reset": "0.7"}, 0.7, id="less than a second"),
        pytest.param({"retry-after": "7", "x-ratelimit-reset": "60"}, 7, id="Retry-After wins over a window's end"),
        pytest.param(
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "8.64s"},
            8.64,
            id="the end of the window that has nothing left, of OpenAI",
        ),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "700ms"}, 0.7, id="a window's end at once"
        ),
        pytest.param(
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            360,
            id="the last end, where two windows have nothing left",
        ),
        pytest.param(
            {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": A_MINUTE_ON},
            60,
            id="the end of the window that has nothing left, of Anthropic",
        ),
    ],
)
def test_headers_are_read(headers: dict[str, str], seconds: float) -> None:
    hint = hints.from_headers(headers, NOW)
    assert hint is not None
    assert hint.source is Source.HEADER
    assert hint.after_s == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no headers"),
        pytest.param({"retry-after": "soon"}, id="words"),
        pytest.param({"retry-after": "nan"}, id="not a number"),
        pytest.param({"retry-after": "1" * 400 + "x"}, id="a spelling longer than any time"),
        pytest.param({"x-ratelimit-reset": "0"}, id="a window that has ended"),
        pytest.param({"x-ratelimit-reset": str(EPOCH - 5)}, id="a window that ended before"),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": "6m0s"}, id="a window with something left"
        ),
        pytest.param({"x-ratelimit-remaining-tokens": "0"}, id="a spent window without its end"),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "0s"}, id="a spent window that ends now"
        ),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "-1"}, id="Azure's end of nothing"
        ),
    ],
)
def test_headers_without_a_time_give_no_hint(headers: dict[str, str]) -> None:
    assert hints.from_headers(headers, NOW) is None


def test_the_ends_of_windows_can_be_left_out() -> None:
    assert hints.from_headers({"x-ratelimit-reset": "60"}, NOW, resets=False) is None
    assert hints.from_headers({"retry-after": "60"}, NOW, resets=False) == Hint(60, Source.HEADER)


# -- bodies


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        pytest.param({"retry_after": 40}, 40, id="OpenRouter's availability"),
        pytest.param({"retry_after_seconds": 12.5}, 12.5, id="OpenRouter's metadata"),
        pytest.param({"resets_at": A_MINUTE_ON}, 60, id="an ISO time"),
        pytest.param({"retryDelay": "56s"}, 56, id="Google's RetryInfo"),
        pytest.param({"quotaResetDelay": "539.477544ms"}, 0.539477544, id="CloudCode's delay"),
        pytest.param({"quotaResetTimeStamp": A_MINUTE_ON}, 60, id="CloudCode's time"),
        pytest.param({"resets_in_seconds": 12345}, 12_345, id="Codex"),
        pytest.param({"estimated_time": 20.5}, 20.5, id="Hugging Face's model that is loading"),
        pytest.param({"retry_after": "soon", "retry_after_seconds": 3}, 3, id="the next where one cannot be read"),
        pytest.param({"headers": {"X-RateLimit-Reset": str((EPOCH + 48) * 1000)}}, 48, id="headers in the body"),
        pytest.param({"headers": {"Retry-After": "3", "x": 5}}, 3, id="headers in the body, whatever else is there"),
    ],
)
def test_fields_of_a_body_are_read(field: dict[str, object], seconds: float) -> None:
    hint = hints.from_body([{"retry_after": None}, field], "try again in 77s", NOW)
    assert hint is not None
    assert hint.source is Source.BODY
    assert hint.after_s == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="no fields"),
        pytest.param([{"retry_after": "soon"}], id="a field that cannot be read"),
        pytest.param([{"headers": {"x-request-id": "1"}}], id="headers without a time"),
        pytest.param([{"headers": "Retry-After: 3"}], id="headers that are none"),
    ],
)
def test_prose_is_read_where_no_field_says(fields: list[dict[str, object]]) -> None:
    assert hints.from_body(fields, "try again in 77s", NOW) == Hint(77, Source.BODY)
    assert hints.from_body(fields, "try again later", NOW) is None


def test_times_without_a_zone_are_in_the_zone_given() -> None:
    east = timezone(timedelta(hours=8))
    assert hints.from_body([{"resets_at": "2026-10-21 15:28:00"}], "", NOW, zone=east) == Hint(60, Source.BODY)
    assert hints.from_body([], "resets at 2026-10-21 15:28:00", NOW, zone=east) == Hint(60, Source.BODY)
    assert hints.from_body([], "resets at 2026-10-21 07:28:00", NOW) == Hint(60, Source.BODY)


def test_the_ends_of_windows_in_a_body_can_be_left_out() -> None:
    field = {"headers": {"X-RateLimit-Reset": "60"}}
    assert hints.from_body([field], "", NOW, resets=False) is None


# -- whatever comes


DAY = 86_400.0


@pytest.mark.parametrize(
    ("seconds", "kept", "doubt"),
    [
        pytest.param(5.0, 5.0, "", id="what is usual"),
        pytest.param(0.5, 0.5, "", id="the floor"),
        pytest.param(0.499, 0.5, "", id="less than the floor is a moment"),
        pytest.param(0.0, 0.5, "", id="zero is a moment"),
        pytest.param(-0.999, 0.5, "", id="a clock that differs"),
        pytest.param(-1.0, 0.5, "the time it named was 1 s ago, taken as now", id="the past"),
        pytest.param(-999_999_999, 0.5, "the time it named was 999999999 s ago, taken as now", id="the far past"),
        pytest.param(-1e9, 0.5, "the time it named was before anybody's time, taken as now", id="beyond the past"),
        pytest.param(-math.inf, 0.5, "the time it named was before anybody's time, taken as now", id="no past at all"),
        pytest.param(32 * DAY, 32 * DAY, "", id="the ceiling"),
        pytest.param(32 * DAY + 1, 32 * DAY, "it asked for 32 days, taken as 32 days", id="just more than the ceiling"),
        pytest.param(400 * DAY, 32 * DAY, "it asked for 400 days, taken as 32 days", id="a year and more"),
        pytest.param(9999.51 * DAY, 32 * DAY, "it asked for 10000 days, taken as 32 days", id="a rounded number"),
        pytest.param(1e9 - 1, 32 * DAY, "it asked for 11574 days, taken as 32 days", id="half a life"),
        pytest.param(1e9, 32 * DAY, "it asked for longer than a lifetime, taken as 32 days", id="a life"),
        pytest.param(math.inf, 32 * DAY, "it asked for longer than a lifetime, taken as 32 days", id="for ever"),
    ],
)
def test_an_absurd_hint_is_clamped_and_its_words_are_kept(seconds: float, kept: float, doubt: str) -> None:
    assert (hints.believable(seconds), hints.doubt(seconds)) == (kept, doubt)


odd_texts = st.text(max_size=80) | st.text("0123456789.:-+TZ msh,ndayGMTJan", max_size=80)
odd_values = odd_texts | st.none() | st.booleans() | st.floats() | st.integers() | st.lists(st.integers())


@unhurried
@given(odd_values, st.floats(0, 4e9))
def test_no_value_makes_the_reader_stumble(value: object, now_s: float) -> None:
    seconds = hints.value_s(value, now_s)
    assert seconds is None or not math.isnan(seconds)


@unhurried
@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset"]), odd_texts), odd_texts)
def test_every_hint_can_be_made_believable(headers: dict[str, str], words: str) -> None:
    for hint in (
        hints.from_headers(headers, NOW),
        hints.from_body([headers, {"headers": headers, "retry_after": words}], f"try again in {words}", NOW),
        hints.from_body([], f"resets at 2026-10-{words}", NOW),
    ):
        if hint is not None:
            assert hints.FLOOR_S <= hints.believable(hint.after_s) <= hints.CEILING_S
            assert isinstance(hints.doubt(hint.after_s), str)


UNITS = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    " seconds": 1,
    " minutes": 60,
    " hours": 3600,
    " days": 86_400,
}


@unhurried
@given(st.integers(0, 5_000_000), st.sampled_from(sorted(UNITS)))
def test_a_hint_in_any_unit_is_read_to_the_second(thousandths: int, unit: str) -> None:
    amount = thousandths / 1000
    spelled, seconds = f"{amount:.3f}{unit}", amount * UNITS[unit]
    for hint in (
        hints.from_headers({"retry-after": spelled}, NOW),
        hints.from_body([{"retryDelay": spelled}], "", NOW),
        hints.from_body([], f"Please try again in {spelled}.", NOW),
    ):
        assert hint is not None
        assert hint.after_s == pytest.approx(seconds, abs=1e-3)


@unhurried
@given(st.integers(1, 30 * 86_400))
def test_an_instant_in_any_spelling_is_read_to_the_second(ahead: int) -> None:
    when = datetime.fromtimestamp(EPOCH + ahead, UTC)
    for spelled in (
        str(EPOCH + ahead),
        str((EPOCH + ahead) * 1000),
        when.isoformat(),
        when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        when.astimezone(timezone(timedelta(hours=8))).isoformat(),
        format_datetime(when, usegmt=True),
    ):
        assert hints.from_headers({"retry-after": spelled}, NOW) == Hint(ahead, Source.HEADER), spelled
        assert hints.from_body([{"resets_at": spelled}], "", NOW) == Hint(ahead, Source.BODY), spelled
    china = when.astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%d %H:%M:%S")
    prose = f"Your limit will reset at {china}"
    assert hints.from_body([], prose, NOW, zone=timezone(timedelta(hours=8))) == Hint(ahead, Source.BODY)


@unhurried
@given(
    st.integers(0, 700), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999), st.sampled_from(["", " ", ", "])
)
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, ms: int, between: str) -> None:
    spelled = between.join([f"{hours}h", f"{minutes}m", f"{seconds}.{ms:03}s"])
    total = hours * 3600 + minutes * 60 + seconds + ms / 1000
    assert hints.duration_s(spelled) == pytest.approx(total)
    assert hints.prose_s(f"Please try again in {spelled}. Bye.", NOW) == pytest.approx(total)
