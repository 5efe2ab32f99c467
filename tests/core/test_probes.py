"""What providers tell of a key when asked, and that an answer which tells nothing means nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import NOW, at, unhurried
from tray_app.core.allowance import HOUR_MS, MONTH_MS, WEEK_MS, fullest, learn, reserved
from tray_app.core.probe_fields import window_name
from tray_app.core.probes import MOST_BYTES, PROBES, Told, read
from tray_app.core.providers import BUILT_IN
from tray_app.core.quota import DAY_MS, next_start
from tray_app.core.values import Scope, Source, Window

Row = tuple[str, float | None, float | None, str, int | None, int | None, Scope]
MIDNIGHT = next_start(Window.DAY, NOW)
IN_AN_HOUR = "2026-09-21T15:13:20Z"


def asked(provider: str, answer: object, base_url: str = "") -> Told | None:
    return read(provider, 200, json.dumps(answer).encode(), NOW, base_url)


def rows(told: Told | None) -> list[Row]:
    """Name, what is left, the limit, the unit, the reset, the window and whose it is."""
    assert told is not None
    for one in told.allowances:
        assert (one.source, one.at, one.model) == (Source.PROBE, NOW, None)
    return [
        (one.name, one.remaining, one.limit, one.unit, one.resets_at, one.window_ms, one.scope)
        for one in told.allowances
    ]


# -- where it is asked


@pytest.mark.parametrize(
    ("provider", "base_url", "url"),
    [
        pytest.param("openrouter", None, "https://openrouter.ai/api/v1/key", id="OpenRouter"),
        pytest.param("deepseek", None, "https://api.deepseek.com/user/balance", id="DeepSeek: beside /v1"),
        pytest.param(
            "deepseek", "https://api.deepseek.com", "https://api.deepseek.com/user/balance", id="without a path"
        ),
        pytest.param("moonshot", None, "https://api.moonshot.ai/v1/users/me/balance", id="Moonshot"),
        pytest.param("kimi-code", None, "https://api.kimi.com/coding/v1/usages", id="Kimi Code"),
        pytest.param("zai", None, "https://api.z.ai/api/monitor/usage/quota/limit", id="Z.ai: at the origin"),
        pytest.param(
            "zai",
            "https://api.z.ai/api/coding/paas/v4",
            "https://api.z.ai/api/monitor/usage/quota/limit",
            id="Z.ai's coding plan: the same",
        ),
        pytest.param("openrouter", "http://localhost:8080/or/v1", "http://localhost:8080/or/v1/key", id="one's own"),
        pytest.param(
            "zai", "http://[::1]:80/x", "http://[::1]:80/api/monitor/usage/quota/limit", id="one's own origin"
        ),
    ],
)
def test_where_a_provider_is_asked(provider: str, base_url: str | None, url: str) -> None:
    assert PROBES[provider].url(base_url or BUILT_IN[provider].base_url) == url


# -- OpenRouter


def key(**changes: object) -> dict[str, object]:
    data = {
        "label": "sk-or-v1-0e6...1c96",
        "limit": 20,
        "limit_remaining": 8.1,
        "limit_reset": "monthly",
        "usage": 31.9,
        "usage_daily": 0.4,
        "usage_weekly": 2.1,
        "usage_monthly": 11.9,
        "byok_usage": 3,
        "byok_usage_monthly": 1,
        "include_byok_in_limit": False,
        "is_free_tier": False,
        "creator_user_id": "user_2dHF",
        "rate_limit": {"requests": -1, "interval": "10s"},
    }
    return {"data": {**data, **changes}}


def without(answer: dict[str, object], *names: str) -> dict[str, object]:
    data = answer["data"]
    assert isinstance(data, dict)
    return {"data": {name: value for name, value in data.items() if name not in names}}


NO_CAP: Row = ("key limit", None, None, "usd", None, None, Scope.KEY)


@pytest.mark.parametrize(
    ("answer", "cap"),
    [
        pytest.param(
            key(),
            ("key limit", 8.1, 20, "usd", next_start(Window.MONTH, NOW), MONTH_MS, Scope.KEY),
            id="a cap of a month",
        ),
        pytest.param(
            key(limit_reset="weekly"),
            ("key limit", 8.1, 20, "usd", at("2026-09-28"), WEEK_MS, Scope.KEY),
            id="a cap of a week, from Monday",
        ),
        pytest.param(
            key(limit_reset="daily"), ("key limit", 8.1, 20, "usd", MIDNIGHT, DAY_MS, Scope.KEY), id="a cap of a day"
        ),
        pytest.param(
            key(limit_reset=None), ("key limit", 8.1, 20, "usd", None, None, Scope.KEY), id="a cap that never resets"
        ),
        pytest.param(
            key(limit_reset="hourly"), ("key limit", 8.1, 20, "usd", None, None, Scope.KEY), id="a period not known"
        ),
        pytest.param(
            key(limit_remaining=-0.5, limit_reset=None),
            ("key limit", -0.5, 20, "usd", None, None, Scope.KEY),
            id="a cap that is overspent",
        ),
        pytest.param(key(limit=None, limit_remaining=None), NO_CAP, id="null is no cap, not an empty one"),
        pytest.param(
            key(limit=5, limit_remaining="4.5", limit_reset=None),
            ("key limit", 4.5, 5, "usd", None, None, Scope.KEY),
            id="a number as a text",
        ),
        pytest.param(
            without(key(), "limit_remaining"),
            ("key limit", pytest.approx(8.1), 20, "usd", next_start(Window.MONTH, NOW), MONTH_MS, Scope.KEY),
            id="what is left is what the month has not used",
        ),
        pytest.param(
            without(key(include_byok_in_limit=True), "limit_remaining"),
            ("key limit", pytest.approx(7.1), 20, "usd", next_start(Window.MONTH, NOW), MONTH_MS, Scope.KEY),
            id="nor what one's own keys have used, where they count",
        ),
        pytest.param(
            without(key(limit=40, limit_reset=None, include_byok_in_limit=True, byok_usage=None), "limit_remaining"),
            ("key limit", pytest.approx(8.1), 40, "usd", None, None, Scope.KEY),
            id="of all times where it never resets",
        ),
        pytest.param(
            without(key(limit_reset=None), "limit_remaining", "usage"),
            ("key limit", None, 20, "usd", None, None, Scope.KEY),
            id="what is left is not known",
        ),
    ],
)
def test_the_cap_of_an_openrouter_key(answer: object, cap: Row) -> None:
    assert rows(asked("openrouter", answer)) == [cap]


def test_a_cap_that_was_lifted_is_not_kept() -> None:
    spent, lifted = (
        asked("openrouter", key(limit_remaining=0)),
        asked("openrouter", key(limit=None, limit_remaining=None)),
    )
    assert spent is not None
    assert lifted is not None
    known = learn((), spent.allowances)
    assert reserved(known, 10, NOW) is not None
    assert reserved(learn(known, lifted.allowances), 10, NOW) is None


@pytest.mark.parametrize(
    ("changes", "account"),
    [
        pytest.param({}, "user_2dHF", id="keys of one user share his account"),
        pytest.param({"organization_id": "org_1"}, "org_1", id="keys of an organisation share its account"),
        pytest.param({"organization_id": None, "creator_user_id": None}, None, id="nobody is named"),
        pytest.param({"creator_user_id": 7}, None, id="a name that is none"),
        pytest.param({"creator_user_id": " "}, None, id="a blank name"),
    ],
)
def test_the_account_of_an_openrouter_key(changes: dict[str, object], account: str | None) -> None:
    told = asked("openrouter", key(**changes))
    assert told is not None
    assert told.account == account


def test_what_an_openrouter_key_has_spent_is_noted() -> None:
    told, bare = asked("openrouter", key()), asked("openrouter", {"data": {"limit": None, "usage": 0}})
    assert told is not None
    assert bare is not None
    assert told.note == "spent in usd: 0.40 today, 2.10 this week, 11.90 this month"
    assert bare.note is None


@pytest.mark.parametrize(
    ("free", "left", "limit"),
    [
        pytest.param({"used": 10, "limit": 1000, "remaining": 990}, 990, 1000, id="what is left is stated"),
        pytest.param({"used": 50, "limit": 50}, 0, 50, id="what is left is what was not used"),
        pytest.param({"remaining": 5}, 5, None, id="the limit is not stated"),
    ],
)
def test_free_requests_are_of_the_utc_day_and_of_free_models(
    free: dict[str, object], left: float, limit: float | None
) -> None:
    told = asked("openrouter", key(limit=None, limit_remaining=None, free_model_daily_requests=free))
    row = ("free requests per day", left, limit, "requests", MIDNIGHT, DAY_MS, Scope.ACCOUNT_FREE_MODELS)
    assert rows(told) == [NO_CAP, row]


def test_spent_free_requests_do_not_keep_paid_models_away() -> None:
    told = asked("openrouter", key(free_model_daily_requests={"used": 50, "limit": 50, "remaining": 0}))
    assert told is not None
    spent = told.allowances[1]
    assert reserved(told.allowances, 5, NOW, "a/b") is None
    assert reserved(told.allowances, 5, NOW, "a/b:free") == spent
    assert fullest(told.allowances, NOW) == spent


def test_budgets_are_told_by_their_layer() -> None:
    week = {"limit_usd": 50, "remaining_usd": 17.5, "reset_interval": "weekly", "resets_at": "2026-09-28T00:00:00.000Z"}
    listed = [
        {**week, "scope": "member"},
        {**week, "scope": "workspace", "reset_interval": None, "resets_at": None},
        {**week, "scope": "api_key", "reset_interval": "daily", "resets_at": None},
        {**week, "scope": "one_of_2027"},
        {**week, "scope": "one_of_2027", "remaining_usd": 50},
        {**week, "scope": "key_limit"},
        {**week, "scope": "workspace_default_key", "remaining_usd": None},
        "no budget",
    ]
    binding = {"remaining_usd": 1, "scope": "workspace"}
    assert rows(
        asked("openrouter", key(limit=None, limit_remaining=None, budgets=listed, effective_budget=binding))
    ) == [
        NO_CAP,
        ("weekly member budget", 17.5, 50, "usd", at("2026-09-28"), WEEK_MS, Scope.ACCOUNT),
        ("workspace budget", 17.5, 50, "usd", None, None, Scope.ACCOUNT),
        ("daily key budget", 17.5, 50, "usd", MIDNIGHT, DAY_MS, Scope.KEY),
        ("weekly one of 2027 budget", 17.5, 50, "usd", at("2026-09-28"), WEEK_MS, Scope.KEY),
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param(
            {"effective_budget": {"remaining_usd": 3}},
            [("budget", 3, None, "usd", None, None, Scope.KEY)],
            id="the one that binds",
        ),
        pytest.param({"effective_budget": {"remaining_usd": 3, "scope": "key_limit"}}, [], id="the cap, told already"),
        pytest.param({"effective_budget": {"remaining_usd": 3}, "budgets": []}, [], id="none is listed"),
        pytest.param({"effective_budget": None}, [], id="none binds"),
    ],
)
def test_without_a_list_the_budget_that_binds_is_told(changes: dict[str, object], told: list[Row]) -> None:
    assert rows(asked("openrouter", key(limit=None, limit_remaining=None, **changes))) == [NO_CAP, *told]


# -- DeepSeek


def balance(*wallets: tuple[str, str], available: object = True) -> dict[str, object]:
    infos = [{"currency": currency, "total_balance": held, "granted_balance": "0.00"} for currency, held in wallets]
    return {"is_available": available, "balance_infos": infos}


def credit(left: float, unit: str = "usd", name: str = "credit") -> Row:
    return (name, left, None, unit, None, None, Scope.ACCOUNT)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(balance(("CNY", "110.00")), [credit(110, "cny")], id="one wallet"),
        pytest.param(
            balance(("CNY", "5.00"), ("USD", "0.20")),
            [credit(5, "cny", "cny credit"), credit(0.2, "usd", "usd credit")],
            id="two wallets",
        ),
        pytest.param(
            balance(("CNY", "5.00"), ("CNY", "7.00")),
            [credit(5, "cny", "cny credit")],
            id="a wallet that is told twice",
        ),
        pytest.param(balance(("CNY", "0.00"), ("USD", "0.20")), [credit(0.2)], id="an empty one beside does not count"),
        pytest.param(balance(("CNY", "0.00"), ("USD", "0.00")), [credit(0, "cny")], id="two empty wallets"),
        pytest.param(balance(("CNY", "much"), ("USD", "7")), [credit(7)], id="one that cannot be read"),
        pytest.param(balance(("CNY", "1" * 65), ("USD", "7")), [credit(7)], id="more money than there is"),
        pytest.param(balance(("", "7")), [credit(7)], id="a currency that is not named"),
        pytest.param(balance(("CNY", "0.01"), available=False), [credit(0, "cny")], id="not enough for a call: empty"),
        pytest.param(balance(available=False), [credit(0)], id="no wallet at all: empty"),
        pytest.param(
            balance(("CNY", "1"), available=None), [credit(1, "cny")], id="it is not said whether it is enough"
        ),
    ],
)
def test_deepseeks_wallets(answer: object, told: list[Row]) -> None:
    assert rows(asked("deepseek", answer)) == told


def test_a_deepseek_balance_that_is_not_enough_is_noted() -> None:
    told = asked("deepseek", balance(("CNY", "0.01"), available=False))
    assert told is not None
    assert told.note == "the balance is not enough for calls"


# -- Moonshot


@pytest.mark.parametrize(
    ("held", "base_url", "told"),
    [
        pytest.param(49.58894, "https://api.moonshot.ai/v1", credit(49.58894), id="dollars"),
        pytest.param(49.58894, "https://api.moonshot.cn/v1", credit(49.58894, "cny"), id="yuan at the mainland's host"),
        pytest.param(0, "http://127.0.0.1:9/v1.cn", credit(0), id="an empty wallet, the host is no mainland's"),
        pytest.param(-1.5, "", credit(-1.5), id="in debt"),
    ],
)
def test_moonshots_wallet(held: float, base_url: str, told: Row) -> None:
    data = {"available_balance": held, "voucher_balance": 46.58893, "cash_balance": 3.00001}
    answer = {"code": 0, "data": data, "scode": "0x0", "status": True}
    assert rows(asked("moonshot", answer, base_url)) == [told]


def test_percents_stay_percents_on_the_mainland() -> None:
    answer = {"limits": [{"type": "TOKENS_LIMIT", "unit": 3, "number": 5, "percentage": 1}]}
    assert [row[3] for row in rows(asked("zai", answer, "https://open.bigmodel.cn/api/paas/v4"))] == ["percent"]


# -- Kimi Code

KIMI = {
    "user": {"userId": "d6uc03bacc", "region": "REGION_OVERSEA", "membership": {"level": "LEVEL_ADVANCED"}},
    "usage": {"limit": "100", "used": "6", "remaining": "94", "resetTime": "2026-09-23T10:46:54.841042Z"},
    "limits": [
        {
            "window": {"duration": 300, "timeUnit": "TIME_UNIT_MINUTE"},
            "detail": {"limit": "200", "used": "62", "resetTime": "2026-09-21T15:13:20.716839300Z"},
        }
    ],
    "parallel": {"limit": "30"},
    "totalQuota": {},
}


def test_the_windows_of_a_kimi_plan() -> None:
    told = asked("kimi-code", KIMI)
    assert rows(told) == [
        ("weekly window", 94, 100, "percent", at("2026-09-23T10:46:54.841"), WEEK_MS, Scope.ACCOUNT),
        ("5-hour window", 138, 200, "requests", at("2026-09-21T15:13:20.717"), 5 * HOUR_MS, Scope.ACCOUNT),
    ]
    assert told is not None
    assert (told.account, told.note) == ("d6uc03bacc", "Advanced plan")


@pytest.mark.parametrize(
    ("window", "name", "window_ms"),
    [
        pytest.param({"duration": 5, "timeUnit": "TIME_UNIT_HOUR"}, "5-hour window", 5 * HOUR_MS, id="hours"),
        pytest.param({"duration": "24", "timeUnit": "HOUR"}, "daily window", DAY_MS, id="a day in hours"),
        pytest.param({"duration": 2, "timeUnit": "time_unit_day"}, "2-day window", 2 * DAY_MS, id="days"),
        pytest.param({"duration": 90, "timeUnit": "MINUTE"}, "90-minute window", 90 * 60_000, id="minutes"),
        pytest.param({"duration": 30, "timeUnit": "SECOND"}, "1-minute window", 30_000, id="half a minute"),
        pytest.param({"duration": 1, "timeUnit": "TIME_UNIT_WEEK"}, "weekly window", WEEK_MS, id="a week"),
    ],
)
def test_a_window_is_named_by_its_length(window: dict[str, object], name: str, window_ms: int) -> None:
    assert window_name(window_ms) == name
    detail = {"limit": 10, "remaining": 3, "reset_at": IN_AN_HOUR}
    expected = (name, 3, 10, "requests", NOW + HOUR_MS, window_ms, Scope.ACCOUNT)
    assert rows(asked("kimi-code", {"limits": [{"window": window, "detail": detail}]})) == [expected]
    assert rows(asked("kimi-code", {"limits": [{"window": window, **detail}]})) == [expected]


def test_a_month_is_named() -> None:
    assert window_name(MONTH_MS) == "monthly window"


def test_a_newer_kimi_states_shares_by_name() -> None:
    answer = {
        "usages": {
            "limit_5h": {"used_ratio": 0.25, "reset_time": IN_AN_HOUR},
            "limit_7d": {"used_ratio": "0.5"},
            "limit_month_total": {"used_ratio": 1.4},
            "limit_month_code": {"reset_time": IN_AN_HOUR},
        }
    }
    assert rows(asked("kimi-code", answer)) == [
        ("5-hour window", 75, 100, "percent", NOW + HOUR_MS, 5 * HOUR_MS, Scope.ACCOUNT),
        ("weekly window", 50, 100, "percent", None, WEEK_MS, Scope.ACCOUNT),
        ("monthly window", 0, 100, "percent", None, MONTH_MS, Scope.ACCOUNT),
    ]


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param({"window": {"duration": 5, "timeUnit": "MOON"}, "detail": {"remaining": 1}}, id="an unknown unit"),
        pytest.param({"window": {"duration": 0, "timeUnit": "HOUR"}, "detail": {"remaining": 1}}, id="no time at all"),
        pytest.param({"window": {"duration": 1e9, "timeUnit": "WEEK"}, "detail": {"remaining": 1}}, id="for ever"),
        pytest.param(
            {"window": {"duration": 5, "timeUnit": "HOUR"}, "detail": {"limit": 1}}, id="nothing of what is left"
        ),
        pytest.param({"window": {"duration": 5, "timeUnit": [[]]}, "remaining": 1}, id="a unit that is no word"),
        pytest.param({"title": "Daily", "remaining": 1}, id="no window"),
        pytest.param(7, id="no limit"),
    ],
)
def test_a_kimi_window_that_cannot_be_read_is_left_out(limit: object) -> None:
    assert asked("kimi-code", {"limits": [limit]}) is None
    assert len(rows(asked("kimi-code", {**KIMI, "limits": [limit]}))) == 1


# -- Z.ai

TOKENS = {"type": "TOKENS_LIMIT", "unit": 3, "number": 5, "percentage": 1, "nextResetTime": NOW + HOUR_MS}
WEEKLY = {"type": "TOKENS_LIMIT", "unit": 6, "number": 1, "percentage": 40.5, "nextResetTime": NOW + DAY_MS}
TOOLS = {
    "type": "TIME_LIMIT",
    "unit": 5,
    "number": 1,
    "usage": 100,
    "currentValue": 28,
    "remaining": 72,
    "percentage": 28,
}


def test_the_windows_of_a_zai_plan() -> None:
    answer = {"code": 200, "msg": "ok", "success": True, "data": {"limits": [TOOLS, TOKENS, WEEKLY], "level": "lite"}}
    told = asked("zai", answer)
    assert rows(told) == [
        ("5-hour window", 99, 100, "percent", NOW + HOUR_MS, 5 * HOUR_MS, Scope.ACCOUNT),
        ("weekly window", 59.5, 100, "percent", NOW + DAY_MS, WEEK_MS, Scope.ACCOUNT),
    ]
    assert told is not None
    assert (told.account, told.note) == (None, "Lite plan, 72 of 100 tool calls left")


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        pytest.param({**TOKENS, "unit": 1, "number": 1}, "daily window", id="a day"),
        pytest.param({**TOKENS, "unit": 5, "number": 1}, "monthly window", id="a month"),
        pytest.param({**TOKENS, "type": "CREDITS_LIMIT"}, "5-hour window", id="another type"),
        pytest.param({**TOKENS, "percentage": "250"}, "5-hour window", id="more than everything"),
    ],
)
def test_a_zai_window(limit: object, name: str) -> None:
    [one] = rows(asked("zai", {"limits": [limit]}))
    assert one[0] == name


def test_of_two_windows_of_a_name_the_first_is_told() -> None:
    assert [row[1] for row in rows(asked("zai", {"limits": [TOKENS, {**TOKENS, "percentage": 9}]}))] == [99]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            {"code": 401, "msg": "token expired or incorrect", "success": False}, id="refused, with status 200"
        ),
        pytest.param({"code": 500, "data": {"limits": [TOKENS]}}, id="a failure, with status 200"),
        pytest.param({"success": False, "data": {"limits": [TOKENS]}}, id="no success"),
        pytest.param({"data": {"limits": []}}, id="no limits"),
        pytest.param({"data": {"limits": [{**TOKENS, "unit": 4}]}}, id="a unit that is not known"),
        pytest.param({"data": {"limits": [{**TOKENS, "unit": None}]}}, id="no unit"),
        pytest.param({"data": {"limits": [{**TOKENS, "percentage": True}]}}, id="a share that is none"),
        pytest.param({"data": {"limits": [{"type": "TIME_LIMIT"}]}}, id="tool calls that are not counted"),
    ],
)
def test_a_zai_answer_that_tells_nothing(answer: object) -> None:
    assert asked("zai", answer) is None


# -- answers that tell nothing

GOOD = {
    "openrouter": key(),
    "deepseek": balance(("CNY", "1")),
    "moonshot": {"code": 0, "data": {"available_balance": 1}},
    "kimi-code": KIMI,
    "zai": {"limits": [TOKENS]},
}


@pytest.mark.parametrize("provider", PROBES)
@pytest.mark.parametrize(
    "status",
    [
        pytest.param(status, id=f"status {status}")
        for status in (0, 199, 301, 401, 402, 403, 404, 408, 429, 500, 502, 503, 529)
    ],
)
def test_an_error_tells_nothing_of_the_key(provider: str, status: int) -> None:
    body = json.dumps(GOOD[provider]).encode()
    assert read(provider, 200, body, NOW) is not None
    assert read(provider, status, body, NOW) is None


@pytest.mark.parametrize("provider", PROBES)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<!DOCTYPE html><title>Sign in</title>", id="a web page"),
        pytest.param(b"Authentication Fails (governor)", id="words"),
        pytest.param(b'{"data": {"limit": 5', id="a part of an answer"),
        pytest.param(b"\xff\xfe{}", id="bytes that are no text"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b'"ok"', id="a text"),
        pytest.param(b"7", id="a number"),
        pytest.param(b'{"data": null}', id="no data"),
        pytest.param(b'{"data": {"object": "list"}}', id="other data"),
        pytest.param(
            b'{"error": {"message": "Only management keys can perform this operation", "code": 403}}', id="an error"
        ),
        pytest.param(b'{"code": 5, "data": {"available_balance": 1}}', id="a failure with a code"),
        pytest.param(b"[" * 100_000, id="deeper than anybody reads"),
        pytest.param(b'{"limits":[' + b" " * MOST_BYTES + b"]}", id="longer than anybody reads"),
    ],
)
def test_another_answer_tells_nothing(provider: str, body: bytes) -> None:
    assert read(provider, 200, body, NOW) is None


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mine", ""])
def test_a_provider_that_cannot_be_asked_tells_nothing(provider: str) -> None:
    assert read(provider, 200, json.dumps(key()).encode(), NOW) is None


def test_every_probe_is_of_a_provider_that_we_know() -> None:
    assert set(PROBES) <= set(BUILT_IN)
    assert all(probe.path.startswith("/") for probe in PROBES.values())


def test_words_of_a_provider_are_short_and_on_one_line() -> None:
    told = asked("openrouter", key(creator_user_id="user\n\x1b[31m" + "x" * 500, usage_daily=1e300))
    assert told is not None
    assert told.account is not None
    assert told.note is not None
    for words in (told.account, told.note):
        assert len(words) <= 100
        assert words.isprintable()


# -- whatever comes


def names_in(value: object) -> set[str]:
    """The names of all fields in a document."""
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    return set(value).union(*map(names_in, value.values())) if isinstance(value, dict) else set()


RARE = {"free_model_daily_requests", "effective_budget", "budgets", "scope", "reset_interval", "resets_at"}
RARE |= {"remaining_usd", "limit_usd", "organization_id", "success", "usages", "limit_5h", "used_ratio", "reset_time"}
FIELDS = sorted(names_in(list(GOOD.values())) | RARE)
WORDS = ["monthly", "weekly", "TOKENS_LIMIT", "TIME_LIMIT", "TIME_UNIT_HOUR", "key_limit", "12.5", "1e999", IN_AN_HOUR]
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([*WORDS, 0, 5, 100, 200, 10**400, NOW])
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=25,
)


def sound(told: Told | None) -> None:
    """What is told can be decided on and shown."""
    if told is None:
        return
    known = learn((), told.allowances)
    assert len(known) == len(told.allowances)
    for one in known:
        used = one.used_percent(NOW)
        assert used is None or 0 <= used <= 100
        assert one.resets_at is None or one.resets_at >= NOW
        assert one.name.isprintable()
    reserved(known, 10, NOW)
    fullest(known, NOW)


@unhurried
@given(st.sampled_from(sorted(PROBES)), documents)
def test_no_document_makes_a_reader_stumble(provider: str, document: object) -> None:
    sound(PROBES[provider].read(document, NOW))
    sound(read(provider, 200, json.dumps(document).encode(), NOW))


@unhurried
@given(st.sampled_from(sorted(PROBES)), st.data())
def test_no_change_to_a_good_answer_makes_a_reader_stumble(provider: str, data: st.DataObject) -> None:
    def changed(value: object) -> object:
        if data.draw(st.integers(0, 5)) == 0:
            return data.draw(documents)
        if isinstance(value, dict):
            return {name: changed(inner) for name, inner in value.items()}
        return [changed(inner) for inner in value] if isinstance(value, list) else value

    sound(read(provider, 200, json.dumps(changed(GOOD[provider])).encode(), NOW, "https://api.example.cn/v1"))


@unhurried
@given(st.sampled_from(sorted(PROBES)), st.integers(0, 700), st.binary(max_size=200))
def test_no_bytes_make_a_reader_stumble(provider: str, status: int, body: bytes) -> None:
    sound(read(provider, status, body, NOW))
