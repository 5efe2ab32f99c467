"""(provider, answer) -> Verdict: what happened, whose fault or limit it is, and what to do.

Order of evidence: how the transport failed; whether the error is ours or another provider's that
was passed on; structured codes; status; sentences anchored in the error's own message. Never the
raw body: it echoes what users wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tray_app.core import errorbody, hints
from tray_app.core.errorbody import ErrorBody
from tray_app.core.values import Action, ErrorClass, Head, Hint, Scope, Source, Unreachable, Verdict

LONG_HINT_S = 900.0  # a 429 that asks for more than this is a spent window, not a burst
DAY_WINDOW_S = 60.0  # a per-day limit with a longer hint than this is spent for the day

_ACTION = {
    ErrorClass.OK: Action.SERVE,
    ErrorClass.RATE_LIMITED: Action.COOL,
    ErrorClass.QUOTA_EXHAUSTED: Action.PARK,
    ErrorClass.AUTH: Action.REAUTH,
    ErrorClass.MODEL_UNAVAILABLE: Action.NEXT,
    ErrorClass.SERVER_ERROR: Action.RETRY,
    ErrorClass.OVERLOADED: Action.RETRY,
    ErrorClass.TIMEOUT: Action.NEXT,
    ErrorClass.NETWORK: Action.RETRY,
    ErrorClass.BAD_REQUEST: Action.RETURN,
    ErrorClass.CONTENT_FILTER: Action.RETURN,
    ErrorClass.CONTEXT_LENGTH: Action.RETURN,
    ErrorClass.MID_STREAM_ERROR: Action.RETURN,
}


@dataclass(frozen=True, slots=True)
class _Rule:
    """One row: any of `codes`, or `pattern` in the message (with `statuses`, where given)."""

    cls: ErrorClass
    scope: Scope
    reason: str
    codes: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    statuses: tuple[int, ...] = ()

    def fits(self, status: int, body: ErrorBody) -> bool:
        if self.statuses and status not in self.statuses:
            return False
        if self.codes and body.has(*self.codes):
            return True
        return bool(self.pattern and self.pattern.search(body.message))


def _says(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_C, _S = ErrorClass, Scope

# Codes that mean one thing wherever they appear.
_CODE_RULES = (
    _Rule(
        _C.RATE_LIMITED,
        _S.ACCOUNT,
        "the account's credit is reserved by requests in flight",
        ("openrouter_in_flight_budget", "in_flight_budget_exhausted"),
        _says(r"^this request would exceed your available credits given your current in-flight"),
    ),
    _Rule(
        _C.QUOTA_EXHAUSTED,
        _S.ACCOUNT_FREE_MODELS,
        "the account's daily allowance of free requests is used up",
        ("openrouter_free_tier_daily",),
        _says(r"^rate limit exceeded: free-models-per-day"),
    ),
    _Rule(
        _C.RATE_LIMITED,
        _S.ACCOUNT_FREE_MODELS,
        "the account's free requests per minute are used up",
        (),
        _says(r"^rate limit exceeded: free-models-per-min"),
    ),
    _Rule(
        _C.RATE_LIMITED,
        _S.MODEL,
        "this model is limited for everybody",
        ("openrouter_shared_capacity",),
        _says(r"^rate limit exceeded: limit_rp[md]/"),
    ),
    _Rule(
        _C.RATE_LIMITED,
        _S.MODEL_PROVIDER,
        "the model's provider limits its shared pool",
        ("upstream_provider_shared_pool",),
    ),
    _Rule(
        _C.QUOTA_EXHAUSTED,
        _S.KEY,
        "the key's spending limit is reached",
        ("openrouter_key_limit",),
        _says(r"^key limit exceeded|/settings/keys and create a key with a higher"),
    ),
    _Rule(
        _C.QUOTA_EXHAUSTED,
        _S.ACCOUNT,
        "the workspace's budget is spent",
        ("openrouter_guardrail_budget", "openrouter_workspace_budget"),
        _says(r"^workspace .*budget of .* exceeded"),
    ),
    _Rule(
        _C.QUOTA_EXHAUSTED,
        _S.ACCOUNT,
        "the account is out of credit",
        (
            "openrouter_credits",
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "billing_hard_limit_reached",
            "billing_not_active",
            "enforced_spend_limit_reached",
            "exceeded_current_quota_error",
            "usage_limit_reached",
            "blocked_api_access",
            "billing_error",
            "payment_required",
            "insufficient_credits",
            "payment_method_required",
            "1113",
        ),
        _says(
            r"credit balance is too low|insufficient (?:balance|credits|funds)|specified (?:workspace )?api usage "
            r"limits|out of extra usage|used all available credits|monthly spending limit|"
            r"prepayment credits are depleted|prompt tokens limit exceeded"
        ),
    ),
    _Rule(
        _C.CONTEXT_LENGTH,
        _S.REQUEST,
        "the request is longer than the model's context",
        (
            "context_length_exceeded",
            "exceed_context_size_error",
            "tokens_limit_reached",
            "max_tokens_exceeded",
            "token_limit_exceeded",
            "model_context_window_exceeded",
        ),
        _says(
            r"maximum (?:context|prompt) length|prompt is too long|exceed(?:s)? (?:the )?context (?:limit|length|size)|"
            r"input token count .* exceeds|exceeded model token limit|^request too large for|too large for model"
        ),
        (400, 403, 413, 422, 429),
    ),
    _Rule(
        _C.CONTENT_FILTER,
        _S.REQUEST,
        "the provider's content policy refused the request",
        (
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "refusal",
            "invalid_prompt",
            "cyber_policy",
            "bio_policy",
            "1301",
        ),
        _says(
            r"content filter|content violates|blocked by content|prompt injection patterns|requires moderation|flagged"
        ),
        (400, 403, 422, 451),
    ),
    _Rule(
        _C.MODEL_UNAVAILABLE,
        _S.MODEL,
        "the model is not available here",
        (
            "model_not_found",
            "model_decommissioned",
            "model_deprecated",
            "model_unavailable_upstream",
            "no_endpoints",
            "privacy_restricted",
            "constraint_filtered",
            "free_variant_ended",
            "invalid_model",
            "1500",
            "tier_not_allowed",
            "1910",
            "1913",
            "labs_not_enabled",
            "model_terms_required",
            "deploymentnotfound",
            "1211",
            "1311",
        ),
        _says(
            r"is not a valid model|^no endpoints found (?!that support)|model [^ ]* (?:not found|does not exist)|"
            r"models/\S+ is not found|no models loaded|\blimit: 0(?![.\d])"
        ),
        (400, 403, 404, 422, 429),
    ),
    _Rule(
        _C.AUTH,
        _S.KEY,
        "the provider refuses the key",
        ("invalid_api_key", "api_key_invalid", "account_deactivated", "1000", "1001", "1002", "1003", "1004"),
        _says(
            r"^incorrect api key|api key not valid|api key expired|api key was reported as leaked|"
            r"unregistered callers|^no auth credentials|^no cookie auth|^user not found|authentication fails"
        ),
        (400, 401, 403, 404),
    ),
    _Rule(
        _C.AUTH,
        _S.ACCOUNT,
        "the account is banned or suspended",
        ("organization_restricted", "1313"),
    ),
    _Rule(
        _C.NETWORK,
        _S.ENVIRONMENT,
        "the provider does not serve this network or region",
        ("unsupported_country_region_territory", "region_restricted", "request_forbidden"),
        _says(r"location is not supported|error code: 10\d\d"),
    ),
    _Rule(
        _C.OVERLOADED,
        _S.MODEL_PROVIDER,
        "the provider is overloaded",
        (
            "overloaded_error",
            "engine_overloaded_error",
            "server_is_overloaded",
            "slow_down",
            "queue_exceeded",
            "capacity_exceeded",
            "capacity_exhausted",
            "model_capacity_exhausted",
            "service_tier_capacity_exceeded",
            "3505",
            "1305",
            "provider_overloaded",
            "temporarily_unavailable",
        ),
    ),
)

_DAILY = _says(r"per[ _-]?day|\b[tr]pd\b|daily|per 86400s|weekly|monthly|per[ _-]?month|perday")
_DAILY_CODES = ("userbymodelbyday", "quota_exhausted", "1308", "1310", "1309", "access_terminated_error")
_RELAYED = _says(r"^provider returned error")


def classify(provider: str, answer: Head | Unreachable, now_s: float) -> Verdict:
    """Judge an answer. `now_s` is seconds since the epoch, for hints that name an instant.

    A status of 2xx is an error here only when its body holds one: whether a good-looking answer
    is complete is for the relay to see.
    """
    if isinstance(answer, Unreachable):
        return _unreachable(answer)
    body = errorbody.read(answer.body)
    status = answer.status
    if 200 <= status < 300:
        if not body.present or not body.is_json:
            return Verdict(_C.OK, _S.NONE, Action.SERVE, "answered", status=status)
        status = _inner_status(body) or 500
    hint = hints.from_headers(answer.headers, now_s) or hints.from_body(body.fields, body.message, now_s)
    verdict = _judge(status, body, hint, answer)
    return _dressed(verdict, body, hint, status)


def _unreachable(answer: Unreachable) -> Verdict:
    scope = _S.PROVIDER if answer.kind is _C.SERVER_ERROR else _S.ENVIRONMENT
    return _verdict(answer.kind, scope, answer.message, code=None)


def _inner_status(body: ErrorBody) -> int | None:
    """The status that an error inside a 200 stands for, where it says."""
    for code in body.codes:
        if code.isdigit() and 400 <= int(code) <= 599:
            return int(code)
    for code, status in _TYPED.items():
        if code in body.codes:
            return status
    return None


# OpenRouter's error_type, Anthropic's error.type and OpenAI's codes inside streams.
_TYPED = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "authentication": 401,
    "authentication_error": 401,
    "payment_required": 402,
    "billing_error": 402,
    "permission_denied": 403,
    "permission_error": 403,
    "not_found": 404,
    "not_found_error": 404,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "request_too_large": 413,
    "overloaded_error": 529,
    "provider_overloaded": 503,
    "provider_unavailable": 502,
    "timeout": 504,
    "timeout_error": 504,
    "api_error": 500,
    "server_error": 500,
    "server": 500,
}


def _judge(status: int, body: ErrorBody, hint: Hint | None, answer: Head) -> Verdict:
    if body.relayed_from is not None and (_RELAYED.search(body.message) or status in (401, 403, 429)):
        if status == 403 and body.has("content_policy_violation"):
            return _verdict(_C.CONTENT_FILTER, _S.REQUEST, "the provider's content policy refused the request")
        return _relayed(status, body)
    if _request_too_dear(status, body):
        return _verdict(
            _C.QUOTA_EXHAUSTED,
            _S.REQUEST,
            "this request may cost more than the credit that is left",
            action=Action.NEXT,
        )
    for rule in _CODE_RULES:
        if rule.fits(status, body):
            return _verdict(rule.cls, rule.scope, rule.reason)
    return _by_status(status, body, hint, answer)


def _request_too_dear(status: int, body: ErrorBody) -> bool:
    return status == 402 and "can only afford" in body.message and "/settings/keys" not in body.message


def _relayed(status: int, body: ErrorBody) -> Verdict:
    """An error of a provider behind an aggregator: never says anything about our key."""
    who = body.relayed_from
    if status == 429:
        return _verdict(_C.RATE_LIMITED, _S.MODEL_PROVIDER, f"{who} limits this model for everybody")
    if status in (401, 402, 403):
        return _verdict(_C.SERVER_ERROR, _S.MODEL_PROVIDER, f"{who} refused the aggregator's own key")
    if status >= 500:
        return _verdict(_C.SERVER_ERROR, _S.MODEL_PROVIDER, f"{who} failed")
    return _by_status(status, body, None, Head(status, {}))


def _by_status(status: int, body: ErrorBody, hint: Hint | None, answer: Head) -> Verdict:
    match status:
        case 429 | 498:
            return _too_many(body, hint, answer)
        case 401:
            return _verdict(_C.AUTH, _S.KEY, "the provider refuses the key")
        case 402 | 412:
            return _verdict(_C.QUOTA_EXHAUSTED, _S.ACCOUNT, "the provider asks for payment")
        case 403:
            return _forbidden(body, answer)
        case 404:
            return _not_found(body)
        case 408 | 504 | 524:
            return _verdict(_C.TIMEOUT, _S.MODEL_PROVIDER, "the provider timed out")
        case 503 | 529:
            return _verdict(_C.OVERLOADED, _S.MODEL_PROVIDER, "the provider is overloaded")
    if status >= 500:
        return _verdict(_C.SERVER_ERROR, _S.MODEL_PROVIDER, f"the provider failed with status {status}")
    if status >= 400:
        return _verdict(_C.BAD_REQUEST, _S.REQUEST, f"the provider refuses the request with status {status}")
    return _verdict(_C.OK, _S.NONE, "answered")


def _too_many(body: ErrorBody, hint: Hint | None, answer: Head) -> Verdict:
    daily = bool(_DAILY.search(body.message)) or body.has(*_DAILY_CODES) or _names_a_day(body)
    long = hint is None or hint.after_s > DAY_WINDOW_S
    if (daily and long) or _names_a_day(body) or (hint is not None and hint.after_s >= LONG_HINT_S):
        return _verdict(_C.QUOTA_EXHAUSTED, _S.KEY, "a daily or longer limit is used up")
    return _verdict(_C.RATE_LIMITED, _S.KEY, "the rate limit is reached")


def _names_a_day(body: ErrorBody) -> bool:
    """Google's quotaId names the window; its retry hint does not (it says seconds for a day)."""
    return any("perday" in str(field.get("quotaId", "")).lower() for field in body.fields)


def _forbidden(body: ErrorBody, answer: Head) -> Verdict:
    if not body.is_json:
        return _verdict(_C.NETWORK, _S.ENVIRONMENT, "a gateway on the way refused the request")
    if body.has("permission_error") and _DAILY.search(body.message):
        return _verdict(_C.QUOTA_EXHAUSTED, _S.KEY, "the plan's allowance is used up")
    return _verdict(_C.AUTH, _S.KEY, "the provider forbids this to the key")


def _not_found(body: ErrorBody) -> Verdict:
    if "model" in body.message.lower() and "support" not in body.message.lower():
        return _verdict(_C.MODEL_UNAVAILABLE, _S.MODEL, "the model is not available here")
    return _verdict(_C.BAD_REQUEST, _S.REQUEST, "the provider does not know this address")


def _verdict(
    cls: ErrorClass, scope: Scope, reason: str, *, action: Action | None = None, code: str | None = None
) -> Verdict:
    return Verdict(cls, scope, action or _ACTION[cls], reason, code=code)


def _dressed(verdict: Verdict, body: ErrorBody, hint: Hint | None, status: int) -> Verdict:
    """Add what the answer stated: hint, code, its own words. Permanent errors carry no hint."""
    waits = verdict.action in (Action.COOL, Action.PARK, Action.RETRY, Action.NEXT)
    told = hint if waits else None
    code = next((code for code in body.codes if not code.isdigit()), None) or next(iter(body.codes), None)
    return replace(
        verdict,
        retry_after_s=told.after_s if told else None,
        source=told.source if told else Source.INFERRED,
        code=code,
        message=body.message or None,
        status=status,
    )
