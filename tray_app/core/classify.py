"""(provider, answer) -> Verdict: what happened, whose fault or limit it is, and what to do.

Order of evidence: how the transport failed; whether the error is ours or another provider's that
was passed on; structured codes; sentences anchored in the error's own message, each for the
statuses under which it means what it says; status. Never the raw body: it echoes what users wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, timedelta, timezone

from tray_app.core import errorbody, hints
from tray_app.core.errorbody import ErrorBody
from tray_app.core.evidence import ABOUT_THE_KEY, ABOUT_THE_REQUEST, CONTENT, RULES, verdict
from tray_app.core.values import Action, ErrorClass, Head, Hint, Scope, Source, Unreachable, Verdict, Window

LONG_HINT_S = 900.0  # a 429 that asks for more than this is a spent window, not a burst
DAY_WINDOW_S = 60.0  # a per-day limit with a longer hint than this is spent for the day

# Providers whose prose names times without their zone.
_ZONES = {"zai": timezone(timedelta(hours=8))}

_C, _S = ErrorClass, Scope


def _words(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_DAILY = _words(r"per[ _-]?(?:day|week|month)|/ ?(?:day|week|month)\b|\b[tr]pd\b|daily|weekly|monthly|per 86400s")
_DAILY_CODES = ("userbymodelbyday", "quota_exhausted", "1308", "1310", "1309", "access_terminated_error")
_RELAYED = _words(r"^provider returned error")
_SUSPENDED = _words(r"suspended|billing|invoice|payment")
_NO_ALLOWANCE = re.compile(r"x-ratelimit-limit-.+")
_LONG_WINDOW = re.compile(r"x-ratelimit.*-remaining-.*(day|week|month)")


def classify(provider: str, answer: Head | Unreachable, now_s: float) -> Verdict:
    """Judge an answer. `now_s` is seconds since the epoch, for hints that name an instant.

    A status of 2xx is an error here only when its body holds one, or no answer at all: whether a
    good-looking answer is complete is for the relay to see.
    """
    if isinstance(answer, Unreachable):
        judged = verdict(answer.kind, _UNREACHED.get(answer.kind, _S.ENVIRONMENT), answer.message)
        return replace(judged, ambiguous=answer.delivered and answer.kind is not _C.AUTH)
    body = errorbody.read(answer.body)
    status: int | None = answer.status
    if 200 <= answer.status < 300:
        if body.is_json and not body.present:
            return Verdict(_C.OK, _S.NONE, Action.SERVE, "answered", status=answer.status)
        status = _inner_status(body)
    hint = _hint(provider, body, answer.headers, now_s)
    judged = _judge(status, body, answer.headers, hint)
    if judged.action is Action.RETRY:  # the end of a rate window says nothing of when a failure is mended
        hint = _hint(provider, body, answer.headers, now_s, resets=False)
    return _dressed(judged, body, hint, status or _STANDS_FOR.get(judged.cls, 500))


# The status that an error has which came inside a 200 and named none.
_STANDS_FOR = {
    _C.BAD_REQUEST: 400,
    _C.CONTEXT_LENGTH: 400,
    _C.CONTENT_FILTER: 400,
    _C.AUTH: 401,
    _C.QUOTA_EXHAUSTED: 402,
    _C.MODEL_UNAVAILABLE: 404,
    _C.RATE_LIMITED: 429,
}
_UNREACHED = {_C.SERVER_ERROR: _S.PROVIDER, _C.AUTH: _S.KEY}


def _hint(
    provider: str, body: ErrorBody, headers: Mapping[str, str], now_s: float, *, resets: bool = True
) -> Hint | None:
    zone = _ZONES.get(provider, UTC)
    told = hints.from_headers(headers, now_s, resets=resets)
    return told or hints.from_body(body.fields, body.message, now_s, resets=resets, zone=zone)


def _inner_status(body: ErrorBody) -> int | None:
    """The status that an error inside a 200 stands for, where it says."""
    for code in body.codes:
        if code.isdecimal() and 400 <= int(code) <= 599:
            return int(code)
    for code, status in _TYPED.items():
        if code in body.codes:
            return status
    return next((status for pattern, status in _WORDED if pattern.search(body.message)), None)


# OpenRouter's error_type, Anthropic's error.type, Google's status and OpenAI's codes inside streams.
_TYPED = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "rate_limited": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "authentication": 401,
    "authentication_error": 401,
    "unauthenticated": 401,
    "payment_required": 402,
    "billing_error": 402,
    "permission_denied": 403,
    "permission_error": 403,
    "not_found": 404,
    "not_found_error": 404,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "request_too_large": 413,
    "overloaded_error": 529,
    "provider_overloaded": 503,
    "unavailable": 503,
    "provider_unavailable": 502,
    "timeout": 504,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "api_error": 500,
    "server_error": 500,
    "server": 500,
}
_WORDED = ((_words(r"^(?:rate limit|too many requests)"), 429),)


def _judge(status: int | None, body: ErrorBody, headers: Mapping[str, str], hint: Hint | None) -> Verdict:
    if body.relayed_from is not None and (_RELAYED.search(body.message) or status in (401, 403, 429)):
        return _relayed(status, body)
    if _request_too_dear(status, body):
        return verdict(
            _C.QUOTA_EXHAUSTED,
            _S.REQUEST,
            "this request may cost more than the credit that is left",
            action=Action.NEXT,
        )
    for rule in RULES:
        if rule.fits(status, body):
            return rule.verdict()
    return _by_status(status or 500, body, headers, hint)


def _request_too_dear(status: int | None, body: ErrorBody) -> bool:
    return status == 402 and "can only afford" in body.message and "/settings/keys" not in body.message


def _relayed(status: int | None, body: ErrorBody) -> Verdict:
    """An error of a provider behind an aggregator: never says anything about our key."""
    who = body.relayed_from
    if status == 429:
        return verdict(_C.RATE_LIMITED, _S.MODEL_PROVIDER, f"{who} limits this model for everybody")
    inner = errorbody.read(body.raw.encode())
    for rule in ABOUT_THE_REQUEST:
        if rule.fits(status, body) or rule.fits(status, inner):
            return rule.verdict()
    if status == 403 and any("flagged_input" in field for field in body.fields):
        return CONTENT.verdict()
    if status in (401, 402, 403) or any(rule.fits(status, inner) for rule in ABOUT_THE_KEY):
        return verdict(_C.SERVER_ERROR, _S.MODEL_PROVIDER, f"{who} refused the aggregator's own key")
    return _by_status(status or 502, body, {}, None)


def _by_status(status: int, body: ErrorBody, headers: Mapping[str, str], hint: Hint | None) -> Verdict:
    match status:
        case 429 | 498:
            return _too_many(body, hint, headers)
        case 401:
            return verdict(_C.AUTH, _S.KEY, "the provider refuses the key")
        case 402:
            return verdict(_C.QUOTA_EXHAUSTED, _S.ACCOUNT, "the provider asks for payment")
        case 403:
            return _forbidden(body)
        case 404:
            return _not_found(body)
        case 408 | 504 | 524:
            return verdict(_C.TIMEOUT, _S.MODEL_PROVIDER, "the provider timed out")
        case 412 if _SUSPENDED.search(body.message):
            return verdict(_C.QUOTA_EXHAUSTED, _S.ACCOUNT, "the provider asks for payment")
        case 503 | 529:
            return verdict(_C.OVERLOADED, _S.MODEL_PROVIDER, "the provider is overloaded")
    if status >= 500:
        return verdict(_C.SERVER_ERROR, _S.MODEL_PROVIDER, f"the provider failed with status {status}")
    if status >= 400:
        return verdict(_C.BAD_REQUEST, _S.REQUEST, f"the provider refuses the request with status {status}")
    return verdict(_C.OK, _S.NONE, "answered")


def _too_many(body: ErrorBody, hint: Hint | None, headers: Mapping[str, str]) -> Verdict:
    nothing = [name for name, value in headers.items() if value.strip() == "0"]
    if any(_NO_ALLOWANCE.fullmatch(name) for name in nothing):
        return verdict(_C.MODEL_UNAVAILABLE, _S.KEY_MODEL, "the plan allows this key no requests to the model")
    if spent := next((found for name in nothing if (found := _LONG_WINDOW.fullmatch(name))), None):
        return _spent(Window(spent.group(1)))
    if _names_a_day(body):
        return _spent(Window.PACIFIC_DAY)
    daily = bool(_DAILY.search(body.message)) or body.has(*_DAILY_CODES)
    if daily and (hint is None or hint.after_s > DAY_WINDOW_S):
        return _spent(None)
    if hint is not None and hint.after_s >= LONG_HINT_S:
        return _spent(None)
    return verdict(_C.RATE_LIMITED, _S.KEY, "the rate limit is reached")


def _spent(window: Window | None) -> Verdict:
    return verdict(_C.QUOTA_EXHAUSTED, _S.KEY, "a daily or longer limit is used up", window=window)


def _names_a_day(body: ErrorBody) -> bool:
    """Google's quotaId names the window; its retry hint does not (it says seconds for a day)."""
    ids = (field.get("quotaId") for field in body.fields)
    return any(isinstance(one, str) and "perday" in one.lower() for one in ids)


def _forbidden(body: ErrorBody) -> Verdict:
    if not body.is_json:
        return verdict(_C.NETWORK, _S.ENVIRONMENT, "a gateway on the way refused the request")
    if body.has("permission_error") and _DAILY.search(body.message):
        return verdict(_C.QUOTA_EXHAUSTED, _S.KEY, "the plan's allowance is used up")
    return verdict(_C.AUTH, _S.KEY, "the provider forbids this to the key")


def _not_found(body: ErrorBody) -> Verdict:
    if "model" in body.message.lower() and "support" not in body.message.lower():
        return verdict(_C.MODEL_UNAVAILABLE, _S.MODEL, "the model is not available here")
    return verdict(_C.BAD_REQUEST, _S.REQUEST, "the provider does not know this address")


def _dressed(judged: Verdict, body: ErrorBody, hint: Hint | None, status: int) -> Verdict:
    """Add what the answer stated: hint, code, its own words. Errors that waiting does not mend carry no hint."""
    told = hint if judged.action in (Action.COOL, Action.PARK, Action.RETRY) else None
    if judged.action is Action.PARK and told is not None and told.after_s <= DAY_WINDOW_S:
        told = None  # a spent quota is not back within a minute, whatever a general hint says
    words = [code for code in body.codes if code not in _SAYS_NOTHING]
    code = next((code for code in words if not code.isdecimal()), None) or next(iter(words), None)
    return replace(
        judged,
        retry_after_s=told.after_s if told else None,
        source=told.source if told else Source.INFERRED,
        code=code,
        message=body.message or None,
        status=status,
        ambiguous=judged.cls is _C.TIMEOUT,
    )


_SAYS_NOTHING = frozenset({"error", "response.failed", "response.error", "failed"})
