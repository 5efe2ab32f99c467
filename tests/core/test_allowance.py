"""What is known of a quota: how much is used, when to warn, when to leave; and what answer headers tell of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.core.build import NOW, at, unhurried
from tray_app.core.allowance import (
    HOUR_MS,
    MINUTE_MS,
    MONTH_MS,
    WEEK_MS,
    Allowance,
    ahead,
    crossed,
    from_headers,
    fullest,
    learn,
    reserved,
    soonest,
)
from tray_app.core.quota import DAY_MS
from tray_app.core.values import Scope, Source


def allowance(name: str = "credit", left: float | None = 40, of: float | None = 100, **fields: object) -> Allowance:
    """An allowance of a day, learnt now from a probe, which resets in an hour; `fields` are its others."""
    made = Allowance(name, left, of, "usd", NOW + HOUR_MS, DAY_MS, Source.PROBE, NOW, Scope.ACCOUNT)
    return replace(made, **fields)  # type: ignore[arg-type]


def wallet(left: float) -> Allowance:
    return allowance("wallet", left, None, resets_at=None, window_ms=None)


bucket = allowance("tokens per minute", 0, 100, window_ms=MINUTE_MS)


# -- one allowance


@pytest.mark.parametrize(
    ("one", "used", "left"),
    [
        pytest.param(allowance(left=40), 60, 40, id="what is not left is used"),
        pytest.param(allowance(left=100), 0, 100, id="nothing is used"),
        pytest.param(allowance(left=100 - 100 * 0.57), 57, 43, id="a share that cannot be written exactly"),
        pytest.param(allowance(left=0), 100, 0, id="everything is used"),
        pytest.param(allowance(left=-3), 100, 0, id="more than everything is everything"),
        pytest.param(allowance(left=120), 0, 100, id="more left than there is: nothing is used"),
        pytest.param(allowance(left=0, resets_at=NOW), 0, 100, id="nothing is used once it has been reset"),
        pytest.param(allowance(left=0, resets_at=NOW + 1), 100, 0, id="a moment before it is still used"),
        pytest.param(allowance(left=0, resets_at=None), 100, 0, id="what never resets stays used"),
        pytest.param(allowance(left=5, of=None), None, None, id="without a limit no share can be said"),
        pytest.param(allowance(left=5, of=0), None, None, id="nor of a limit of nothing"),
        pytest.param(allowance(left=None), None, None, id="nor where it is not known what is left"),
        pytest.param(allowance(left=None, of=None), None, None, id="nor where there is no limit"),
        pytest.param(wallet(12.5), None, None, id="nor of a wallet with something in it"),
        pytest.param(wallet(0), None, 0, id="an empty wallet has nothing left"),
        pytest.param(wallet(-0.2), None, 0, id="nor has one in debt"),
        pytest.param(allowance(left=0, of=0), None, 0, id="nor a model that is not on the plan"),
        pytest.param(
            allowance(left=0, of=None, resets_at=NOW), None, None, id="after a reset it is not known any more"
        ),
    ],
)
def test_how_much_is_used_and_left(one: Allowance, used: float | None, left: float | None) -> None:
    assert one.used_percent(NOW) == used
    assert one.left_percent(NOW) == left


@pytest.mark.parametrize(
    ("window_ms", "lasting"),
    [
        pytest.param(MINUTE_MS, False, id="a minute's bucket is full again before anybody looks"),
        pytest.param(HOUR_MS, False, id="so is an hour's"),
        pytest.param(5 * HOUR_MS, False, id="a window of five hours is not warned of"),
        pytest.param(DAY_MS, True, id="a day lasts"),
        pytest.param(WEEK_MS, True, id="a week lasts"),
        pytest.param(MONTH_MS, True, id="a month lasts"),
        pytest.param(None, True, id="a wallet lasts"),
    ],
)
def test_what_is_worth_showing(window_ms: int | None, lasting: bool) -> None:
    assert allowance(window_ms=window_ms).lasting is lasting


@pytest.mark.parametrize(
    ("one", "model", "counts"),
    [
        pytest.param(allowance(), "a/b", True, id="what is the account's is used by each call"),
        pytest.param(allowance(), None, True, id="also by a call that names no model"),
        pytest.param(allowance(model="a/b"), "a/b", True, id="what is a model's by a call of it"),
        pytest.param(allowance(model="a/b"), "a/c", False, id="not by another's"),
        pytest.param(allowance(model="a/b"), None, False, id="nor by one that names none"),
        pytest.param(allowance(scope=Scope.ACCOUNT_FREE_MODELS), "a/b:free", True, id="free requests by free models"),
        pytest.param(allowance(scope=Scope.ACCOUNT_FREE_MODELS), "a/b", False, id="not by paid ones"),
    ],
)
def test_which_call_uses_it(one: Allowance, model: str | None, counts: bool) -> None:
    assert one.counts(model) is counts


# -- learning


def test_what_is_newer_takes_the_place_of_what_was_known() -> None:
    known = (allowance("a"), allowance("b"))
    newer = allowance("a", 30, at=NOW + 1)
    assert learn(known, [newer, replace(known[1], at=NOW + 1)]) == (newer, known[1])


def test_the_newest_of_a_name_wins_whatever_the_order() -> None:
    newer, newest = allowance("a", 30, at=NOW + 1), allowance("a", 20, at=NOW + 2)
    assert learn((allowance("a"),), [newest, newer]) == (newest,)


def test_an_answer_that_was_overtaken_changes_nothing() -> None:
    known = (allowance("a", at=NOW + 5),)
    assert learn(known, [allowance("a", 90, at=NOW + 4)]) is known


def test_what_is_new_comes_last() -> None:
    known = (allowance("a", source=Source.HEADER),)
    assert [one.name for one in learn(known, [allowance("b"), allowance("c")])] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "fresh",
    [
        pytest.param([], id="nothing new"),
        pytest.param([allowance("a", at=NOW + 60_000)], id="the same, learnt later"),
        pytest.param([allowance("a", at=NOW + 1, resets_at=NOW + HOUR_MS + 900)], id="a reset that wandered a little"),
    ],
)
def test_what_looks_the_same_is_the_same_object(fresh: list[Allowance]) -> None:
    known = (allowance("a"),)
    assert learn(known, fresh) is known


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"remaining": 39.9}, id="what is left"),
        pytest.param({"limit": 200}, id="the limit"),
        pytest.param({"unit": "cny"}, id="the unit"),
        pytest.param({"resets_at": NOW + 2 * HOUR_MS}, id="the reset"),
        pytest.param({"resets_at": None}, id="no reset any more"),
        pytest.param({"window_ms": WEEK_MS}, id="the window"),
        pytest.param({"source": Source.HEADER}, id="who said it"),
        pytest.param({"scope": Scope.KEY}, id="whose it is"),
    ],
)
def test_what_a_person_could_see_is_a_change(changed: dict[str, object]) -> None:
    known = (allowance("a"),)
    newer = replace(known[0], at=NOW + 1, **changed)  # type: ignore[arg-type]
    assert learn(known, [newer]) == (newer,)
    never = (replace(newer, resets_at=None),)
    assert learn(never, [replace(never[0], at=NOW + 2)]) is never


def test_what_a_probe_does_not_tell_any_more_is_gone() -> None:
    header = allowance("requests per day", source=Source.HEADER)
    known = (allowance("key limit"), header, allowance("credit"))
    told = allowance("credit", at=NOW + 1)
    assert learn(known, [told]) == (header, known[2])


def test_headers_take_nothing_away_from_what_a_probe_told() -> None:
    known = (allowance("key limit"),)
    header = allowance("requests per day", source=Source.HEADER, at=NOW + 1)
    assert learn(known, [header]) == (*known, header)


def test_a_probe_that_was_overtaken_takes_nothing_away() -> None:
    known = (allowance("key limit", at=NOW + 5),)
    late = allowance("credit", at=NOW + 1)
    assert learn(known, [late]) == (*known, late)


def test_each_model_has_its_own_until_its_window_is_over() -> None:
    one = allowance("requests per day", 1, source=Source.HEADER, model="a/b")
    other = replace(one, remaining=90, model="a/c", resets_at=NOW + 2 * HOUR_MS)
    known = learn((one,), [other])
    assert known == (one, other)
    later = replace(other, remaining=80, at=NOW + HOUR_MS)
    assert learn(known, [later]) == (later,)


# -- a reserve


@pytest.mark.parametrize(
    ("known", "percent", "name"),
    [
        pytest.param((allowance("a", 10),), 10, "a", id="no more than the reserve is left"),
        pytest.param((allowance("a", 10.1),), 10, None, id="more than the reserve is left"),
        pytest.param((allowance("a", 0),), 0, None, id="without a reserve it is used to the end"),
        pytest.param((allowance("a", 0),), -1, None, id="a reserve below nothing is none"),
        pytest.param((allowance("a", 8), allowance("b", 3)), 10, "b", id="what has least left is named"),
        pytest.param((allowance("a", 3, resets_at=NOW),), 10, None, id="after its reset it is full"),
        pytest.param((bucket,), 10, None, id="a minute's bucket fills by itself"),
        pytest.param((wallet(0),), 10, "wallet", id="an empty wallet"),
        pytest.param((wallet(0.5),), 10, None, id="a wallet of unknown size, not yet empty"),
        pytest.param((allowance("a", 3, scope=Scope.ACCOUNT_FREE_MODELS),), 10, None, id="free requests do not matter"),
        pytest.param((allowance("a", 3, model="a/b"),), 10, "a", id="the model's own"),
        pytest.param((allowance("a", 3, model="a/c"),), 10, None, id="another model's does not matter"),
        pytest.param((), 10, None, id="nothing is known"),
        pytest.param((allowance(left=0.5),), 0.6, "credit", id="a reserve below one percent"),
    ],
)
def test_a_reserve_is_kept(known: tuple[Allowance, ...], percent: float, name: str | None) -> None:
    left = reserved(known, percent, NOW, "a/b")
    assert (left and left.name) == name


def test_a_limit_of_one_dollar_is_a_limit() -> None:
    assert (allowance(left=0.25, of=1).used_percent(NOW), allowance(left=0.25, of=1).left_percent(NOW)) == (75, 25)


def test_of_two_that_expire_together_the_first_is_spent_and_a_fraction_is_something() -> None:
    known = (allowance("a", left=0.5), allowance("b", left=0.5))
    first = soonest(known, NOW)
    assert first is not None and first.name == "a"


# -- warnings


@pytest.mark.parametrize(
    ("before", "after", "shares"),
    [
        pytest.param(allowance(left=21), allowance(left=20), [80], id="reaching a share is passing it"),
        pytest.param(allowance(left=21), allowance(left=20.1), [], id="just below it is not"),
        pytest.param(allowance(left=20), allowance(left=19), [], id="beyond it nothing is said again"),
        pytest.param(allowance(left=60), allowance(left=2), [95], id="of several at once only the highest"),
        pytest.param(allowance(left=15), allowance(left=2), [95], id="the next one"),
        pytest.param(None, allowance(left=10), [80], id="at first sight"),
        pytest.param(None, allowance(left=100), [], id="at first sight, with nothing used"),
        pytest.param(allowance(left=10), allowance(left=90), [], id="less used than before"),
        pytest.param(
            allowance(left=10, resets_at=NOW), allowance(left=15), [80], id="after a reset in between it is said again"
        ),
        pytest.param(allowance(left=30), allowance(left=10, resets_at=NOW), [], id="what has been reset by now"),
        pytest.param(allowance(of=None), allowance(left=10), [80], id="a limit that was not known before"),
        pytest.param(allowance(left=30), allowance(left=0, of=None), [], id="a limit that is not known any more"),
        pytest.param(replace(bucket, remaining=100), bucket, [], id="a minute's bucket is not warned of"),
    ],
)
def test_a_share_is_passed(before: Allowance | None, after: Allowance, shares: list[int]) -> None:
    known = () if before is None else (before,)
    assert crossed(known, (after,), (95, 80), NOW) == [(after, share) for share in shares]


def test_each_allowance_warns_for_itself() -> None:
    before = (allowance("a"), allowance("b"), allowance("c"))
    after = (allowance("a", 15), allowance("b", 39), allowance("c", 1))
    assert crossed(before, after, (80, 95), NOW) == [(after[0], 80), (after[2], 95)]
    assert crossed(before, after, (), NOW) == []


def test_a_share_of_nothing_is_passed_at_first_sight_alone() -> None:
    full = (allowance(left=100),)
    assert crossed((), full, (0,), NOW) == [(full[0], 0)]
    assert crossed(full, (allowance(left=50),), (0,), NOW) == []


@unhurried
@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(1, 100))
def test_a_share_is_passed_exactly_once_while_use_only_grows(spent: list[int], share: int) -> None:
    known: tuple[Allowance, ...] = ()
    warned = 0
    for step, used in enumerate(sorted(spent)):
        newer = learn(known, [allowance(left=100 - used, at=NOW + step)])
        warned += len(crossed(known, newer, (share,), NOW + step))
        known = newer
    assert warned == (max(spent) >= share)


@unhurried
@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=20), st.sets(st.integers(0, 100), max_size=4))
def test_warnings_are_of_shares_that_were_passed_upwards(steps: list[tuple[int, bool]], shares: set[int]) -> None:
    known: tuple[Allowance, ...] = ()
    for step, (used, reset) in enumerate(steps):
        now = NOW + step * HOUR_MS
        fresh = allowance(left=100 - used, at=now, resets_at=now + (HOUR_MS if reset else DAY_MS))
        newer = learn(known, [fresh])
        was = known[0].used_percent(now) if known else -1
        assert was is not None
        passed = [share for share in shares if was < share <= used]
        assert [share for _, share in crossed(known, newer, tuple(shares), now)] == ([max(passed)] if passed else [])
        known = newer


# -- what expires first, what the tray shows


@pytest.mark.parametrize(
    ("known", "name"),
    [
        pytest.param(
            (allowance("a", resets_at=NOW + 9), allowance("b", resets_at=NOW + 8)), "b", id="the sooner reset"
        ),
        pytest.param((allowance("a", 0, resets_at=NOW + 8), allowance("b")), "b", id="nothing left: nothing expires"),
        pytest.param((allowance("a", None, resets_at=NOW + 8), allowance("b")), "b", id="it is not known what is left"),
        pytest.param((allowance("a", resets_at=NOW), allowance("b")), "b", id="it was reset already"),
        pytest.param((wallet(5), allowance("b")), "b", id="a wallet never expires"),
        pytest.param((replace(bucket, remaining=50), allowance("b")), "b", id="a minute's bucket does not count"),
        pytest.param((allowance("a", model="a/c", resets_at=NOW + 8), allowance("b")), "b", id="nor another model's"),
        pytest.param((allowance("a", model="a/b", resets_at=NOW + 8), allowance("b")), "a", id="the model's own does"),
        pytest.param((wallet(5),), None, id="nothing expires"),
        pytest.param((), None, id="nothing is known"),
    ],
)
def test_what_expires_first(known: tuple[Allowance, ...], name: str | None) -> None:
    first = soonest(known, NOW, "a/b")
    assert (first and first.name) == name


@pytest.mark.parametrize(
    ("known", "name"),
    [
        pytest.param((allowance("a", 50), allowance("b", 20), allowance("c", 80)), "b", id="what is used most"),
        pytest.param((bucket, allowance("b", 80)), "b", id="not a minute's bucket"),
        pytest.param((allowance("a", 5, resets_at=NOW), allowance("b", 80)), "b", id="not what was reset"),
        pytest.param((wallet(5), allowance("b", 100)), "b", id="a wallet of unknown size comes last"),
        pytest.param((wallet(5),), "wallet", id="it is shown where there is nothing else"),
        pytest.param((allowance("b", 10), wallet(0)), "wallet", id="an empty wallet comes first"),
        pytest.param((allowance("a", None, None),), None, id="what has no limit is not shown"),
        pytest.param((bucket,), None, id="nothing lasting is known"),
        pytest.param((), None, id="nothing is known"),
    ],
)
def test_what_the_tray_shows(known: tuple[Allowance, ...], name: str | None) -> None:
    shown = fullest(known, NOW)
    assert (shown and shown.name) == name


# -- answer headers

OTHERS = {"date": "Mon, 21 Sep 2026 20:53:20 GMT", "content-type": "application/json", "x-request-id": "req_1"}
PER_MINUTE = {
    "x-ratelimit-limit-requests": "5000",
    "x-ratelimit-remaining-requests": "4999",
    "x-ratelimit-reset-requests": "12ms",
    "x-ratelimit-limit-tokens": "160000",
    "x-ratelimit-remaining-tokens": "159976",
    "x-ratelimit-reset-tokens": "6m0s",
}
IN_A_MINUTE = "2026-09-21T14:14:20Z"


def headers(*stated: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for each in stated for name, value in each.items()]


def told(provider: str, *stated: dict[str, str], model: str | None = None) -> list[tuple[object, ...]]:
    """Name, what is left, the limit, the unit, ms until the reset, the window and whose it is."""
    return [
        (one.name, one.remaining, one.limit, one.unit, one.resets_at and one.resets_at - NOW, one.window_ms, one.scope)
        for one in from_headers(provider, headers(OTHERS, *stated), NOW, model)
    ]


def test_openai_states_requests_and_tokens_of_a_minute() -> None:
    assert told("openai", PER_MINUTE) == [
        ("requests per minute", 4999, 5000, "requests", 12, MINUTE_MS, Scope.ACCOUNT_MODEL),
        ("tokens per minute", 159_976, 160_000, "tokens", 360_000, MINUTE_MS, Scope.ACCOUNT_MODEL),
    ]


@pytest.mark.parametrize(
    ("limit", "left", "reset", "name"),
    [
        pytest.param("10000", "9999", "8.64s", "requests per day", id="one of 10000 a day"),
        pytest.param("200", "199", "7m12s", "requests per day", id="one of 200 a day"),
        pytest.param("200", "0", "24h0m0s", "requests per day", id="all of 200 a day"),
        pytest.param("60", "59", "1s", "requests per minute", id="one of 60 a minute"),
        pytest.param("500", "0", "1m0s", "requests per minute", id="all of 500 a minute"),
        pytest.param("1000000", "999999", "1ms", "requests per minute", id="a wait that was rounded up tells nothing"),
        pytest.param("500", "500", "2s", "requests per minute", id="nor does a full bucket"),
        pytest.param("many", "5", "8.64s", "requests per minute", id="nor one of unknown size"),
        pytest.param("200", "5", "soon", "requests per minute", id="nor one whose reset is not known"),
    ],
)
def test_the_pace_at_which_openais_bucket_fills_tells_its_window(limit: str, left: str, reset: str, name: str) -> None:
    stated = {
        "x-ratelimit-limit-requests": limit,
        "x-ratelimit-remaining-requests": left,
        "x-ratelimit-reset-requests": reset,
    }
    [one] = from_headers("openai", headers(stated), NOW)
    assert (one.name, one.lasting) == (name, name == "requests per day")


def test_groqs_requests_are_of_a_day_and_its_tokens_of_a_minute() -> None:
    stated = {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-remaining-requests": "14370",
        "x-ratelimit-reset-requests": "2m59.56s",
        "x-ratelimit-limit-tokens": "18000",
        "x-ratelimit-remaining-tokens": "17997",
        "x-ratelimit-reset-tokens": "370ms",
    }
    assert told("groq", stated) == [
        ("requests per day", 14_370, 14_400, "requests", 179_560, DAY_MS, Scope.ACCOUNT_MODEL),
        ("tokens per minute", 17_997, 18_000, "tokens", 370, MINUTE_MS, Scope.ACCOUNT_MODEL),
    ]


def test_cerebras_names_its_windows_and_states_seconds() -> None:
    stated = {
        f"x-ratelimit-{part}-{kind}": value
        for kind, values in {
            "requests-minute": ("30", "29", "45.5"),
            "requests-hour": ("900", "899", "3011.25"),
            "requests-day": ("14400", "14399", "33011.382867"),
            "tokens-minute": ("60000", "59000", "30.2"),
        }.items()
        for part, value in zip(("limit", "remaining", "reset"), values, strict=True)
    }
    assert told("cerebras", stated) == [
        ("requests per minute", 29, 30, "requests", 45_500, MINUTE_MS, Scope.ACCOUNT_MODEL),
        ("requests per hour", 899, 900, "requests", 3_011_250, HOUR_MS, Scope.ACCOUNT_MODEL),
        ("requests per day", 14_399, 14_400, "requests", 33_011_383, DAY_MS, Scope.ACCOUNT_MODEL),
        ("tokens per minute", 59_000, 60_000, "tokens", 30_200, MINUTE_MS, Scope.ACCOUNT_MODEL),
    ]


def test_anthropic_states_four_buckets_and_instants() -> None:
    assert at(IN_A_MINUTE) - NOW == MINUTE_MS
    stated = {
        f"anthropic-ratelimit-{kind}-{part}": value
        for kind in ("requests", "tokens", "input-tokens", "output-tokens")
        for part, value in (("limit", "4000"), ("remaining", "1000"), ("reset", IN_A_MINUTE))
    }
    assert told("anthropic", stated) == [
        (name, 1000, 4000, unit, MINUTE_MS, MINUTE_MS, Scope.ACCOUNT_MODEL)
        for name, unit in (
            ("requests per minute", "requests"),
            ("tokens per minute", "tokens"),
            ("input tokens per minute", "tokens"),
            ("output tokens per minute", "tokens"),
        )
    ]


def test_a_claude_subscription_states_shares_and_epochs() -> None:
    stated = {
        "anthropic-ratelimit-unified-status": "allowed",
        "anthropic-ratelimit-unified-reset": str(NOW // 1000 + 60),
        "anthropic-ratelimit-unified-5h-status": "allowed",
        "anthropic-ratelimit-unified-5h-utilization": "0.25",
        "anthropic-ratelimit-unified-5h-reset": str(NOW // 1000 + 60),
        "anthropic-ratelimit-unified-7d-utilization": "1.02",
        "anthropic-ratelimit-unified-7d-reset": str(NOW // 1000 + 3600),
    }
    assert told("anthropic", stated, model="claude") == [
        ("5-hour window", 75, 100, "percent", 60_000, 5 * HOUR_MS, Scope.ACCOUNT),
        ("weekly window", 0, 100, "percent", 3_600_000, WEEK_MS, Scope.ACCOUNT),
    ]
    found = from_headers("anthropic", headers(stated), NOW, "claude")
    assert {(one.model, one.source, one.at) for one in found} == {(None, Source.HEADER, NOW)}


def test_limits_are_of_the_model_that_answered() -> None:
    one, other = from_headers("openai", headers(PER_MINUTE), NOW, "gpt-5")
    assert (one.model, other.model) == ("gpt-5", "gpt-5")
    assert (one.source, one.at) == (Source.HEADER, NOW)
    assert {one.model for one in from_headers("openai", headers(PER_MINUTE), NOW)} == {None}


@pytest.mark.parametrize(
    "provider",
    [
        pytest.param("openrouter", id="OpenRouter states none with its answers"),
        pytest.param("deepseek", id="nor does DeepSeek"),
        pytest.param("mine", id="nor is it known what one's own provider states"),
        pytest.param("", id="nor what nobody does"),
    ],
)
def test_a_provider_without_a_reader_tells_nothing(provider: str) -> None:
    assert from_headers(provider, headers(PER_MINUTE), NOW) == ()


@pytest.mark.parametrize("provider", ["openai", "groq", "cerebras", "anthropic"])
def test_an_answer_without_such_headers_tells_nothing(provider: str) -> None:
    assert from_headers(provider, headers(OTHERS), NOW) == ()


@pytest.mark.parametrize(
    ("stated", "left", "of", "ms"),
    [
        pytest.param({"remaining": "7"}, 7, None, None, id="what is left is enough"),
        pytest.param({"remaining": "7", "limit": "-1", "reset": "0"}, 7, None, None, id="Azure's no limit"),
        pytest.param({"remaining": "7", "limit": "nan", "reset": "nan"}, 7, None, None, id="no numbers"),
        pytest.param({"remaining": "7", "limit": "inf", "reset": "inf"}, 7, None, None, id="no finite numbers"),
        pytest.param({"remaining": "7", "limit": "many", "reset": "soon"}, 7, None, None, id="words"),
        pytest.param({"remaining": "7", "reset": "-5s"}, 7, None, None, id="a reset that was"),
        pytest.param({"remaining": "7", "reset": "9999h"}, 7, None, None, id="a reset beyond belief"),
        pytest.param({"remaining": "7", "reset": "1" * 65}, 7, None, None, id="a reset too long to be one"),
        pytest.param({"remaining": "7", "reset": ""}, 7, None, None, id="an empty reset"),
        pytest.param({"remaining": "7", "reset": "\xff\xfe"}, 7, None, None, id="bytes that are no text"),
        pytest.param({"remaining": "7", "reset": "30"}, 7, None, 30_000, id="bare seconds"),
        pytest.param({"remaining": "7", "reset": IN_A_MINUTE}, 7, None, 60_000, id="an instant"),
    ],
)
def test_bad_values_are_skipped(stated: dict[str, str], left: float, of: float | None, ms: int | None) -> None:
    named = {f"x-ratelimit-{part}-tokens": value for part, value in stated.items()}
    assert told("openai", named) == [("tokens per minute", left, of, "tokens", ms, MINUTE_MS, Scope.ACCOUNT_MODEL)]


@pytest.mark.parametrize(
    "left",
    [
        pytest.param("-1", id="Azure's no limit"),
        pytest.param("some", id="words"),
        pytest.param("", id="nothing"),
        pytest.param("nan", id="not a number"),
        pytest.param("1e999", id="beyond all numbers"),
    ],
)
def test_a_bucket_of_which_it_is_not_known_what_is_left_is_not_told(left: str) -> None:
    stated = {"x-ratelimit-remaining-tokens": left, "x-ratelimit-limit-tokens": "5"}
    assert from_headers("openai", headers(stated), NOW) == ()


@pytest.mark.parametrize(
    ("seconds", "at_ms"),
    [
        pytest.param(0.5, NOW + 500, id="half a second"),
        pytest.param(None, None, id="nothing"),
        pytest.param(0.0, None, id="now"),
        pytest.param(-1.0, None, id="before"),
        pytest.param(math.nan, None, id="not a number"),
        pytest.param(math.inf, None, id="never"),
    ],
)
def test_an_instant_ahead(seconds: float | None, at_ms: int | None) -> None:
    assert ahead(seconds, NOW) == at_ms


parts = st.sampled_from(["limit", "remaining", "reset", "utilization"])
kinds = st.sampled_from(["requests", "tokens", "input-tokens", "requests-day", "tokens-minute", "unified-5h"])
names = st.one_of(
    st.builds(lambda part, kind: f"x-ratelimit-{part}-{kind}".encode(), parts, kinds),
    st.builds(lambda part, kind: f"anthropic-ratelimit-{kind}-{part}".encode(), parts, kinds),
    st.binary(max_size=40),
)
values = st.binary(max_size=80) | st.text("0123456789.-+:TZ msheinfa", max_size=40).map(str.encode)


@unhurried
@given(st.sampled_from(["openai", "groq", "cerebras", "anthropic", "openrouter"]), st.lists(st.tuples(names, values)))
def test_no_headers_make_the_reader_stumble(provider: str, stated: list[tuple[bytes, bytes]]) -> None:
    fresh = from_headers(provider, stated, NOW)
    for one in fresh:
        used = one.used_percent(NOW)
        assert one.remaining is not None
        assert 0 <= one.remaining < math.inf
        assert used is None or 0 <= used <= 100
        assert one.resets_at is None or one.resets_at >= NOW
    assert len({one.key for one in fresh}) == len(fresh)
    assert learn(learn((), fresh), fresh) == fresh


finite = st.floats(allow_nan=False, allow_infinity=False) | st.none()


@unhurried
@given(
    st.lists(
        st.builds(
            Allowance,
            st.sampled_from("abc"),
            finite,
            finite,
            st.just("usd"),
            st.none() | st.integers(NOW - DAY_MS, NOW + DAY_MS),
            st.none() | st.sampled_from([MINUTE_MS, DAY_MS, WEEK_MS]),
            st.sampled_from([Source.HEADER, Source.PROBE]),
            st.integers(NOW - 5, NOW),
            st.sampled_from([Scope.KEY, Scope.ACCOUNT, Scope.ACCOUNT_FREE_MODELS]),
            st.sampled_from([None, "a/b", "a/c:free"]),
        )
    ),
    st.floats(0, 100),
)
def test_whatever_is_known_can_be_decided_on(fresh: list[Allowance], reserve: float) -> None:
    known = learn((), fresh)
    assert len({one.key for one in known}) == len(known)
    assert learn(known, known) is known
    for one in (reserved(known, reserve, NOW, "a/b"), soonest(known, NOW, "a/b"), fullest(known, NOW)):
        assert one is None or one.lasting
    for one, share in crossed((), known, (50, 80), NOW):
        assert (one.used_percent(NOW) or 0) >= share
