"""Every spelling of "come back later", in each unit that providers use."""

from __future__ import annotations

import math
from datetime import timedelta, timezone

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
        pytest.param("inf", id="infinity"),
        pytest.param(math.inf, id="infinity as a number"),
        pytest.param(10**400, id="an integer beyond all floats"),
        pytest.param("1" * 65, id="a number longer than any time"),
        pytest.param("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", id="a year beyond all calendars"),
        pytest.param("Mon, 01 Jan 2026 00:00:00 +99999999999", id="a zone beyond all clocks"),
        pytest.param("Mon, 32 Jan 2026 00:00:00 GMT", id="a day that no month has"),
    ],
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert hints.value_s(value, NOW) is None


def test_a_time_without_a_zone_is_one_of_the_zone_given() -> None:
    east = timezone(timedelta(hours=8))
    assert hints.instant_s("2026-10-21T15:28:00", NOW, east) == 60
    assert hints.instant_s(A_MINUTE_ON, NOW, east) == 60


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
        pytest.param("x" * 1000 + " retry in 5s", id="what comes after a thousand characters"),
    ],
)
def test_prose_without_a_time_is_none(message: str) -> None:
    assert hints.prose_s(message, NOW) is None


def test_prose_without_a_zone_is_in_the_zone_given() -> None:
    east = timezone(timedelta(hours=8))
    assert hints.prose_s("reset at 2026-10-21 15:28:00", NOW, east) == 60
    assert hints.prose_s("reset at 2026-10-21 07:28:00 UTC", NOW, east) == 60


# -- headers


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after": "40"}, 40, id="Retry-After in seconds"),
        pytest.param({"retry-after": "1.5"}, 1.5, id="Retry-After in fractions"),
        pytest.param({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 60, id="Retry-After as a date"),
        pytest.param({"retry-after": "6m0s"}, 360, id="Retry-After as a duration"),
        pytest.param({"retry-after": str(EPOCH + 60)}, 60, id="Retry-After as an epoch"),
        pytest.param({"retry-after": "0"}, hints.FLOOR_S, id="zero is a moment"),
        pytest.param({"retry-after": "-5"}, hints.FLOOR_S, id="a negative one is a moment"),
        pytest.param({"retry-after": "99999999"}, hints.CEILING_S, id="years are a month"),
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
        pytest.param({"headers": {"X-RateLimit-Reset": str((EPOCH + 48) * 1000)}}, 48, id="headers in the body"),
        pytest.param({"headers": {"Retry-After": "3", "x": 5}}, 3, id="headers in the body, whatever else is there"),
    ],
)
def test_fields_of_a_body_are_read(field: dict[str, object], seconds: float) -> None:
    hint = hints.from_body([{"retry_after": None}, field], "try again in 77s", NOW)
    assert hint is not None
    assert hint.source is Source.BODY
    assert hint.after_s == pytest.approx(max(seconds, hints.FLOOR_S), abs=1e-3)


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


def test_the_ends_of_windows_in_a_body_can_be_left_out() -> None:
    field = {"headers": {"X-RateLimit-Reset": "60"}}
    assert hints.from_body([field], "", NOW, resets=False) is None


# -- whatever comes


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [
        pytest.param(None, None, id="nothing stays nothing"),
        pytest.param(math.nan, None, id="not a number is nothing"),
        pytest.param(-math.inf, hints.FLOOR_S, id="below the floor"),
        pytest.param(math.inf, hints.CEILING_S, id="above the ceiling"),
        pytest.param(5.0, 5.0, id="between"),
    ],
)
def test_what_is_believable(seconds: float | None, kept: float | None) -> None:
    assert hints.believable(seconds) == kept


odd_texts = st.text(max_size=80) | st.text("0123456789.:-+TZ msh,ndayGMTJan", max_size=80)
odd_values = odd_texts | st.none() | st.booleans() | st.floats() | st.integers() | st.lists(st.integers())


@unhurried
@given(odd_values, st.floats(0, 4e9))
def test_no_value_makes_the_reader_stumble(value: object, now_s: float) -> None:
    seconds = hints.value_s(value, now_s)
    assert seconds is None or not math.isnan(seconds)


@unhurried
@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset"]), odd_texts), odd_texts)
def test_no_hint_is_ever_beyond_what_is_believable(headers: dict[str, str], words: str) -> None:
    for hint in (
        hints.from_headers(headers, NOW),
        hints.from_body([headers, {"headers": headers, "retry_after": words}], f"try again in {words}", NOW),
        hints.from_body([], f"resets at 2026-10-{words}", NOW),
    ):
        assert hint is None or hints.FLOOR_S <= hint.after_s <= hints.CEILING_S


@unhurried
@given(
    st.integers(0, 700), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999), st.sampled_from(["", " ", ", "])
)
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, ms: int, between: str) -> None:
    spelled = between.join([f"{hours}h", f"{minutes}m", f"{seconds}.{ms:03}s"])
    total = hours * 3600 + minutes * 60 + seconds + ms / 1000
    assert hints.duration_s(spelled) == pytest.approx(total)
    assert hints.prose_s(f"Please try again in {spelled}. Bye.", NOW) == pytest.approx(total)
