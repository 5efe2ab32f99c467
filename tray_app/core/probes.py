"""What each provider can be asked about a key's quota, and how its answer is read. Data first.

An answer that tells nothing (an error, a web page, another shape) is None and means nothing about the key: one
that may not ask may well call, so a probe never marks, rests or disables anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tray_app.core.allowance import HOUR_MS, MINUTE_MS, MONTH_MS, WEEK_MS, Allowance
from tray_app.core.probe_fields import (
    Fields,
    fields_of,
    items_of,
    number,
    remaining,
    resets_at,
    text,
    window_name,
)
from tray_app.core.quota import DAY_MS, next_start
from tray_app.core.values import Scope, Source, Window

MOST_BYTES = 262_144


class Told(Struct, frozen=True):
    """What a provider told of a key. `account` is equal for keys that share one; `note` is a sentence to show."""

    allowances: tuple[Allowance, ...]
    account: str | None = None
    note: str | None = None


class Beside(StrEnum):
    """What a probe's path is appended to."""

    BASE = "base"  # the profile's base URL
    ORIGIN = "origin"  # the scheme and host of it: the probe lies beside the API, whatever the base URL's path


class Probe(Struct, frozen=True):
    """A GET with the profile's own key. `read` turns its decoded JSON into what it told, None if nothing."""

    path: str
    beside: Beside
    read: Callable[[object, int], Told | None]

    def url(self, base_url: str) -> str:
        """Where to ask for a profile of that base URL: always of its origin, which the key is bound to."""
        if self.beside is Beside.BASE:
            return base_url + self.path
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{parts.netloc}{self.path}"


def read(provider: str, status: int, body: bytes, now: int, base_url: str = "") -> Told | None:
    """What the answer to `provider`'s probe tells; None if nothing. Never raises. `now` is ms.

    `base_url` tells the currency where the answer does not: Moonshot counts yuan at its `.cn` host.
    """
    probe = PROBES.get(provider)
    if probe is None or not 200 <= status < 300 or len(body) > MOST_BYTES:
        return None
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    told = probe.read(document, now)
    if told is None or told == _NOTHING:
        return None
    return _in_yuan(told) if _is_mainland(base_url) else told


_NOTHING = Told(())


def _is_mainland(base_url: str) -> bool:
    return base_url.partition("://")[2].partition("/")[0].partition(":")[0].endswith(".cn")


def _in_yuan(told: Told) -> Told:
    return replace(
        told, allowances=tuple(replace(one, unit="cny") if one.unit == "usd" else one for one in told.allowances)
    )


def _allowance(
    name: str,
    left: float | None,
    limit: float | None,
    unit: str,
    now: int,
    *,
    resets: int | None = None,
    window_ms: int | None = None,
    scope: Scope = Scope.ACCOUNT,
) -> Allowance:
    return Allowance(name, left, limit, unit, resets, window_ms, Source.PROBE, now, scope)


# -- OpenRouter: https://openrouter.ai/docs/api_reference/limits, …/docs/client-sdks/python/components/keybudget.md

_PERIODS = {
    "daily": (Window.DAY, DAY_MS),
    "weekly": (Window.WEEK, WEEK_MS),
    "monthly": (Window.MONTH, MONTH_MS),
}
# The layers of budgets that a key is checked against; its own cap is one more, told from other fields already.
_LAYERS = {
    "workspace_default_member": ("default member budget", Scope.ACCOUNT),
    "workspace_default_key": ("default key budget", Scope.KEY),
    "member": ("member budget", Scope.ACCOUNT),
    "api_key": ("key budget", Scope.KEY),
    "workspace": ("workspace budget", Scope.ACCOUNT),
}
_OWN_CAP = "key_limit"


def _openrouter(document: object, now: int) -> Told | None:
    """The key's own cap (not the account's credit, which no ordinary key may ask for), budgets and free requests.

    Keys of an organisation share its credit, those of one user his: `creator_user_id` is the member who made the key.
    """
    data = fields_of(fields_of(document).get("data"))
    if "limit" not in data and "usage" not in data:
        return None
    allowances = _one_of_each([_cap(data, now), *_free_requests(data, now), *_budgets(data, now)])
    account = text(data.get("organization_id")) or text(data.get("creator_user_id"))
    return Told(allowances, account, _spent(data))


def _cap(data: Fields, now: int) -> Allowance:
    """The key's cap. `limit_remaining` of null is no cap at all, and is told too: an earlier one is lifted."""
    limit, left, period = number(data.get("limit")), number(data.get("limit_remaining")), text(data.get("limit_reset"))
    if limit is not None and "limit_remaining" not in data:
        left = _unspent(data, limit, f"_{period}" if period in _PERIODS else "")
    resets, window_ms = (None, None) if limit is None else _period(period, now)
    return _allowance("key limit", left, limit, "usd", now, resets=resets, window_ms=window_ms, scope=Scope.KEY)


def _unspent(data: Fields, limit: float, period: str) -> float | None:
    used, own = number(data.get(f"usage{period}")), number(data.get(f"byok_usage{period}"))
    if used is None:
        return None
    return limit - used - (own or 0.0 if data.get("include_byok_in_limit") is True else 0.0)


def _period(name: str | None, now: int) -> tuple[int | None, int | None]:
    """The end and the length of a period in UTC; a week is from Monday."""
    if name is None or name not in _PERIODS:
        return None, None
    window, window_ms = _PERIODS[name]
    return next_start(window, now), window_ms


def _free_requests(data: Fields, now: int) -> list[Allowance]:
    """Requests of free models in the UTC day, which all keys of an account share."""
    free = fields_of(data.get("free_model_daily_requests"))
    left = remaining(free)
    if left is None:
        return []
    return [
        _allowance(
            "free requests per day",
            left,
            number(free.get("limit")),
            "requests",
            now,
            resets=next_start(Window.DAY, now),
            window_ms=DAY_MS,
            scope=Scope.ACCOUNT_FREE_MODELS,
        )
    ]


def _budgets(data: Fields, now: int) -> list[Allowance | None]:
    """Every budget that the key is checked against; where they are not listed, the one that binds."""
    listed = data.get("budgets")
    budgets = items_of(listed) if isinstance(listed, list) else [fields_of(data.get("effective_budget"))]
    return [_budget(budget, now) for budget in budgets if budget.get("scope") != _OWN_CAP]


def _budget(budget: Fields, now: int) -> Allowance | None:
    left = number(budget.get("remaining_usd"))
    if left is None:
        return None
    interval, layer = text(budget.get("reset_interval")), text(budget.get("scope")) or ""
    ends, window_ms = _period(interval, now)
    name, scope = _LAYERS.get(layer, (f"{layer.replace('_', ' ')} budget".strip(), Scope.KEY))
    return _allowance(
        name if window_ms is None else f"{interval} {name}",
        left,
        number(budget.get("limit_usd")),
        "usd",
        now,
        resets=resets_at(budget, now, "resets_at") or ends,
        window_ms=window_ms,
        scope=scope,
    )


def _spent(data: Fields) -> str | None:
    spans = (("usage_daily", "today"), ("usage_weekly", "this week"), ("usage_monthly", "this month"))
    told = [f"{used:.2f} {span}" for name, span in spans if (used := number(data.get(name))) is not None]
    return text(f"spent in usd: {', '.join(told)}") if told else None


# -- DeepSeek: https://api-docs.deepseek.com/api/get-user-balance


def _deepseek(document: object, now: int) -> Told | None:
    """A wallet for each currency. Without `is_available` it is not enough for calls, whatever it holds."""
    fields = fields_of(document)
    wallets = [
        ((text(info.get("currency")) or "usd").lower(), held)
        for info in items_of(fields.get("balance_infos"))
        if (held := number(info.get("total_balance"))) is not None
    ]
    if fields.get("is_available") is False:
        currency = wallets[0][0] if wallets else "usd"
        return Told((_allowance("credit", 0.0, None, currency, now),), note="the balance is not enough for calls")
    if not wallets:
        return None
    filled = [wallet for wallet in wallets if wallet[1] > 0] or wallets[:1]
    if len(filled) == 1:
        return Told((_allowance("credit", filled[0][1], None, filled[0][0], now),))
    return Told(
        _one_of_each([_allowance(f"{currency} credit", held, None, currency, now) for currency, held in filled])
    )


# -- Moonshot: https://platform.moonshot.cn/docs/api/balance


def _moonshot(document: object, now: int) -> Told | None:
    """The wallet: cash and vouchers together; at zero or below no model may be called."""
    fields = fields_of(document)
    held = number(fields_of(fields.get("data")).get("available_balance"))
    if held is None or fields.get("code", 0) != 0:
        return None
    return Told((_allowance("credit", held, None, "usd", now),))


# -- Kimi Code: /usages, as its own command line reads it and public captures of 2026 show it

_KIMI_UNITS_MS = {"SECOND": 1000, "MINUTE": MINUTE_MS, "HOUR": HOUR_MS, "DAY": DAY_MS, "WEEK": WEEK_MS}
_KIMI_SHARES = {"limit_5h": 5 * HOUR_MS, "limit_7d": WEEK_MS, "limit_month_total": MONTH_MS}
_RESETS = ("resetTime", "reset_time", "resetAt", "reset_at")


def _kimi(document: object, now: int) -> Told | None:
    """The windows of a plan: `usage` is the week's, `limits` are shorter; a newer shape states shares by name."""
    fields = fields_of(document)
    user = fields_of(fields.get("user"))
    shares = fields_of(fields.get("usages"))
    windows = [
        _kimi_window(fields_of(fields.get("usage")), WEEK_MS, now),
        *(_kimi_limit(limit, now) for limit in items_of(fields.get("limits"))),
        *(_kimi_share(fields_of(shares.get(name)), window_ms, now) for name, window_ms in _KIMI_SHARES.items()),
    ]
    plan = text(fields_of(user.get("membership")).get("level"))
    note = plan and f"{plan.removeprefix('LEVEL_').replace('_', ' ').capitalize()} plan"
    told = _one_of_each(windows)
    return Told(told, text(user.get("userId")), note) if told else None


def _kimi_limit(limit: Fields, now: int) -> Allowance | None:
    window = fields_of(limit.get("window"))
    unit_ms = _KIMI_UNITS_MS.get((text(window.get("timeUnit")) or "").upper().removeprefix("TIME_UNIT_"))
    return _kimi_window(fields_of(limit.get("detail")) or limit, _times(number(window.get("duration")), unit_ms), now)


def _kimi_window(detail: Fields, window_ms: int | None, now: int) -> Allowance | None:
    left, limit = remaining(detail), number(detail.get("limit"))
    if left is None or window_ms is None:
        return None
    unit = "percent" if limit == 100 else "requests"  # plans of 2026 count in hundredths
    resets = resets_at(detail, now, *_RESETS)
    return _allowance(window_name(window_ms), left, limit, unit, now, resets=resets, window_ms=window_ms)


def _kimi_share(share: Fields, window_ms: int, now: int) -> Allowance | None:
    used = number(share.get("used_ratio"))
    if used is None:
        return None
    return _percent(100 * used, window_ms, resets_at(share, now, *_RESETS), now)


# -- Z.ai: /api/monitor/usage/quota/limit, as its own plugin https://github.com/zai-org/zai-coding-plugins reads it

_ZAI_UNITS_MS = {1: DAY_MS, 3: HOUR_MS, 5: MONTH_MS, 6: WEEK_MS}
_ZAI_TOOLS = "TIME_LIMIT"


def _zai(document: object, now: int) -> Told | None:
    """The windows of a coding plan, in percent. Errors come with status 200 too: `code` and `success` tell.

    What is left of the plan's tool calls stops no model, so it is only a note.
    """
    fields = fields_of(document)
    if fields.get("success", True) is not True or number(fields.get("code", 200)) != 200:
        return None
    data = fields_of(fields.get("data")) or fields
    limits = items_of(data.get("limits"))
    told = _one_of_each([_zai_window(limit, now) for limit in limits if limit.get("type") != _ZAI_TOOLS])
    level = text(data.get("level"))
    tools = (_tool_calls(limit) for limit in limits if limit.get("type") == _ZAI_TOOLS)
    notes = [level and f"{level.capitalize()} plan", *tools]
    return Told(told, note=text(", ".join(filter(None, notes))))


def _zai_window(limit: Fields, now: int) -> Allowance | None:
    used, unit = number(limit.get("percentage")), number(limit.get("unit"))
    window_ms = _times(number(limit.get("number")), _ZAI_UNITS_MS.get(int(unit or 0)))
    if used is None or window_ms is None:
        return None
    return _percent(used, window_ms, resets_at(limit, now, "nextResetTime"), now)


def _tool_calls(limit: Fields) -> str | None:
    left, of = number(limit.get("remaining")), number(limit.get("usage"))
    return None if left is None or of is None else f"{left:.0f} of {of:.0f} tool calls left"


def _percent(used: float, window_ms: int, resets: int | None, now: int) -> Allowance:
    left = min(100.0, max(0.0, 100 - used))
    return _allowance(window_name(window_ms), left, 100.0, "percent", now, resets=resets, window_ms=window_ms)


def _times(count: float | None, unit_ms: int | None) -> int | None:
    """The length of a window, if it is one of at most a year."""
    if count is None or unit_ms is None or not 0 < count * unit_ms <= 366 * DAY_MS:
        return None
    return round(count * unit_ms)


def _one_of_each(read: Sequence[Allowance | None]) -> tuple[Allowance, ...]:
    """What could be read, the first of each name."""
    return tuple({one.name: one for one in reversed(read) if one is not None}.values())[::-1]


PROBES: Mapping[str, Probe] = {
    "openrouter": Probe("/key", Beside.BASE, _openrouter),
    "deepseek": Probe("/user/balance", Beside.ORIGIN, _deepseek),
    "moonshot": Probe("/users/me/balance", Beside.BASE, _moonshot),
    "kimi-code": Probe("/usages", Beside.BASE, _kimi),
    "zai": Probe("/api/monitor/usage/quota/limit", Beside.ORIGIN, _zai),
}
