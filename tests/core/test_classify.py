"""What answers mean: statuses, codes and sentences of many providers, and what must never sway the verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import at, unhurried
from tray_app.core.classify import classify
from tray_app.core.classify import judge as judgement_of
from tray_app.core.errorbody import MAX_BODY
from tray_app.core.evidence import ACTION
from tray_app.core.hints import CEILING_S, FLOOR_S
from tray_app.core.values import Action, ErrorClass, Head, Scope, Source, Unreachable, Verdict, Window

NOW_S = at("2026-09-29T14:00:00") / 1000
C, S = ErrorClass, Scope


def judge(
    status: int,
    body: object = None,
    headers: dict[str, str] | None = None,
    provider: str = "openrouter",
) -> Verdict:
    """The verdict on an answer; a body that is not bytes is sent as JSON, None as nothing."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return classify(provider, Head(status, headers or {}, raw), NOW_S)


def says(message: str, code: object = None, **more: object) -> dict[str, Any]:
    """An error in the shape that most providers share."""
    return {"error": {"message": message, "code": code, **more}}


def relayed(message: str, raw: object, **metadata: object) -> dict[str, Any]:
    """Another provider's error as OpenRouter passes it on."""
    text = raw if isinstance(raw, str) else json.dumps(raw)
    return says(message, metadata={"provider_name": "Other", "raw": text, "is_byok": False, **metadata})


# -- no answer


@pytest.mark.parametrize(
    ("kind", "scope", "action"),
    [
        pytest.param(C.NETWORK, S.ENVIRONMENT, Action.RETRY, id="no way to the provider"),
        pytest.param(C.TIMEOUT, S.ENVIRONMENT, Action.NEXT, id="no answer in time"),
        pytest.param(C.SERVER_ERROR, S.PROVIDER, Action.RETRY, id="the provider broke HTTP"),
        pytest.param(C.AUTH, S.KEY, Action.REAUTH, id="no key is stored"),
    ],
)
def test_no_answer_is_judged_by_what_the_transport_saw(kind: ErrorClass, scope: Scope, action: Action) -> None:
    verdict = classify("openai", Unreachable(kind, "400 rate limit exceeded", False), NOW_S)
    assert (verdict.cls, verdict.scope, verdict.action, verdict.status) == (kind, scope, action, None)
    assert (verdict.reason, verdict.known) == ("400 rate limit exceeded", True)


@pytest.mark.parametrize(
    ("kind", "delivered", "ambiguous"),
    [
        pytest.param(C.NETWORK, False, False, id="the provider never had the request"),
        pytest.param(C.NETWORK, True, True, id="the line was cut after it had"),
        pytest.param(C.TIMEOUT, True, True, id="no answer came to what it had"),
        pytest.param(C.SERVER_ERROR, True, True, id="a broken answer"),
        pytest.param(C.AUTH, True, False, id="no key, so no request"),
    ],
)
def test_it_is_told_whether_the_provider_may_ask_to_be_paid(kind: ErrorClass, delivered: bool, ambiguous: bool) -> None:
    assert classify("openai", Unreachable(kind, "x", delivered), NOW_S).ambiguous is ambiguous


def test_a_timeout_of_the_providers_own_may_have_to_be_paid_for_a_failure_not() -> None:
    assert judge(504).ambiguous
    assert not judge(500).ambiguous
    assert not judge(429).ambiguous


def test_every_class_calls_for_an_action() -> None:
    assert set(ACTION) == set(ErrorClass)


# -- statuses alone


@pytest.mark.parametrize(
    ("status", "cls", "scope", "action"),
    [
        pytest.param(400, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="400 is the client's"),
        pytest.param(401, C.AUTH, S.KEY, Action.REAUTH, id="401 refuses the key"),
        pytest.param(402, C.QUOTA_EXHAUSTED, S.ACCOUNT, Action.PARK, id="402 asks for money"),
        pytest.param(
            404, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="404 without a word of models is a wrong address"
        ),
        pytest.param(405, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="405 is the client's"),
        pytest.param(408, C.TIMEOUT, S.NONE, Action.NEXT, id="408 is a timeout"),
        pytest.param(409, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="409 is the client's"),
        pytest.param(412, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="412 alone is the client's"),
        pytest.param(413, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="413 alone is about bytes"),
        pytest.param(422, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="422 is the client's"),
        pytest.param(429, C.RATE_LIMITED, S.KEY, Action.COOL, id="429 is a rate limit"),
        pytest.param(498, C.RATE_LIMITED, S.KEY, Action.COOL, id="498 is Groq's rate limit"),
        pytest.param(407, C.NETWORK, S.ENVIRONMENT, Action.NEXT, id="407 is a proxy's on the way"),
        pytest.param(410, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="410 is like 404"),
        pytest.param(424, C.SERVER_ERROR, S.NONE, Action.RETRY, id="424 is a model's failure"),
        pytest.param(423, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="423 is the client's"),
        pytest.param(451, C.NETWORK, S.ENVIRONMENT, Action.NEXT, id="451 is the region's"),
        pytest.param(499, C.NETWORK, S.REQUEST, Action.RETURN, id="499 is the client's leaving"),
        pytest.param(511, C.NETWORK, S.ENVIRONMENT, Action.NEXT, id="511 is a network's that wants a login"),
        pytest.param(500, C.SERVER_ERROR, S.NONE, Action.RETRY, id="500 is a failure"),
        pytest.param(502, C.SERVER_ERROR, S.NONE, Action.RETRY, id="502 is a failure"),
        pytest.param(503, C.OVERLOADED, S.MODEL, Action.RETRY, id="503 is an overload"),
        pytest.param(504, C.TIMEOUT, S.NONE, Action.NEXT, id="504 is a timeout"),
        pytest.param(521, C.SERVER_ERROR, S.NONE, Action.RETRY, id="Cloudflare's own are failures"),
        pytest.param(524, C.TIMEOUT, S.NONE, Action.NEXT, id="524 is a timeout"),
        pytest.param(529, C.OVERLOADED, S.MODEL, Action.RETRY, id="529 is an overload"),
        pytest.param(301, C.OK, S.NONE, Action.SERVE, id="a redirect is for the client"),
    ],
)
def test_a_status_alone(status: int, cls: ErrorClass, scope: Scope, action: Action) -> None:
    verdict = judge(status, {"error": {"code": status}})
    assert (verdict.cls, verdict.scope, verdict.action, verdict.status) == (cls, scope, action, status)


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        pytest.param(b"", C.NETWORK, id="nothing"),
        pytest.param(b"Forbidden", C.NETWORK, id="plain words"),
        pytest.param(b"<!doctype html><title>Just a moment...</title>", C.NETWORK, id="a challenge"),
        pytest.param(b'{"error": {"message": "no"}}', C.AUTH, id="the provider's own error"),
    ],
)
def test_a_403_is_the_providers_only_in_the_providers_words(body: bytes, cls: ErrorClass) -> None:
    assert judge(403, body).cls is cls


# -- what providers say, beyond what the corpus holds

SENTENCES = [
    # OpenRouter
    pytest.param(
        429, says("Rate limit exceeded: limit_rpd/a/b/c. "), C.RATE_LIMITED, S.MODEL, id="a model's own limit"
    ),
    pytest.param(
        429,
        says("over", metadata={"limit_source": "openrouter_free_tier_daily"}),
        C.QUOTA_EXHAUSTED,
        S.ACCOUNT_FREE_MODELS,
        id="the free tier by its code",
    ),
    pytest.param(
        402, says("over", metadata={"limit_source": "openrouter_credits"}), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="credits"
    ),
    pytest.param(
        403,
        says("over", metadata={"limit_source": "openrouter_workspace_budget"}),
        C.QUOTA_EXHAUSTED,
        S.ACCOUNT,
        id="a workspace's budget by its code",
    ),
    pytest.param(
        402, says("Prompt tokens limit exceeded: 2 > 1."), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="credit in tokens"
    ),
    pytest.param(402, says("Insufficient credits. Add more"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="no credits"),
    pytest.param(403, says("Key limit exceeded (weekly limit)."), C.QUOTA_EXHAUSTED, S.KEY, id="a key's limit"),
    pytest.param(401, says("No cookie auth credentials found"), C.AUTH, S.KEY, id="no credentials"),
    pytest.param(
        404,
        says("No endpoints found matching your data policy"),
        C.MODEL_UNAVAILABLE,
        S.ACCOUNT_MODEL,
        id="a data policy",
    ),
    pytest.param(404, says("No endpoints found that support tool use"), C.BAD_REQUEST, S.REQUEST, id="a modality"),
    pytest.param(
        403, says("here not", availability={"code": "region_restricted"}), C.NETWORK, S.ENVIRONMENT, id="a region"
    ),
    pytest.param(
        404, says("ended", availability={"code": "free_variant_ended"}), C.MODEL_UNAVAILABLE, S.MODEL, id="free ended"
    ),
    # OpenAI
    pytest.param(
        429, says("x", "organization_spend_limit_exceeded"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="a spend limit by code"
    ),
    pytest.param(429, says("x", "slow_down"), C.OVERLOADED, S.MODEL, id="slow down"),
    pytest.param(
        429,
        says("on requests per day (RPD): Limit 10000. Please try again in 8.64s."),
        C.RATE_LIMITED,
        S.KEY,
        id="a leaky bucket of the day that is soon back",
    ),
    pytest.param(401, says("x", "invalid_api_key"), C.AUTH, S.KEY, id="a wrong key"),
    pytest.param(
        403, says("x", "unsupported_country_region_territory"), C.NETWORK, S.ENVIRONMENT, id="a country not served"
    ),
    pytest.param(400, says("x", "invalid_prompt"), C.CONTENT_FILTER, S.REQUEST, id="a prompt that is refused"),
    # Anthropic
    pytest.param(
        429, says("Number of request tokens has exceeded your per-minute rate limit"), C.RATE_LIMITED, S.KEY, id="burst"
    ),
    pytest.param(
        400,
        says("You have reached your specified workspace API usage limits."),
        C.QUOTA_EXHAUSTED,
        S.ACCOUNT,
        id="a workspace's own limit",
    ),
    pytest.param(
        400,
        says("input length and `max_tokens` exceed context limit: 198000 + 21333 > 200000"),
        C.CONTEXT_LENGTH,
        S.REQUEST,
        id="input and output together too long",
    ),
    pytest.param(
        429,
        says("Extra usage is required for long context requests."),
        C.CONTEXT_LENGTH,
        S.ACCOUNT_MODEL,
        id="long context",
    ),
    pytest.param(
        403,
        says("OAuth authentication is currently not allowed for this organization", type="permission_error"),
        C.AUTH,
        S.KEY,
        id="a login that is not allowed",
    ),
    # Google
    pytest.param(400, says("API key expired. Please renew the API key."), C.AUTH, S.KEY, id="an expired key as 400"),
    pytest.param(403, says("Method doesn't allow unregistered callers"), C.AUTH, S.KEY, id="no key at all"),
    pytest.param(
        429,
        says("x", 429, details=[{"reason": "INSUFFICIENT_G1_CREDITS_BALANCE"}]),
        C.QUOTA_EXHAUSTED,
        S.ACCOUNT,
        id="no credits of a plan",
    ),
    pytest.param(
        429,
        says("x", 429, details=[{"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quotaResetDelay": "539.4ms"}}]),
        C.RATE_LIMITED,
        S.KEY,
        id="a burst with its delay",
    ),
    pytest.param(
        429, says("Quota exceeded, limit: 0, model: m"), C.MODEL_UNAVAILABLE, S.ACCOUNT_MODEL, id="a limit of nothing"
    ),
    pytest.param(429, says("Quota exceeded, limit: 0.5, model: m"), C.RATE_LIMITED, S.KEY, id="half is not nothing"),
    # Groq, Mistral, Together, Fireworks, Cerebras
    pytest.param(400, says("x", "spend_alert_reached"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="spending as 400"),
    pytest.param(
        403, says("x", "model_terms_required"), C.MODEL_UNAVAILABLE, S.ACCOUNT_MODEL, id="terms to be accepted"
    ),
    pytest.param(402, says("x", None, type="credit_limit"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="a credit limit"),
    pytest.param(412, says("Account a is suspended"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="a suspended account as 412"),
    pytest.param(429, {"message": "x", "code": "queue_exceeded"}, C.OVERLOADED, S.MODEL, id="a queue that is full"),
    # Z.ai, Moonshot, Kimi
    pytest.param(
        403,
        says("You've reached your weekly allowance", type="permission_error"),
        C.QUOTA_EXHAUSTED,
        S.KEY,
        id="a plan's week as 403",
    ),
    pytest.param(
        403, says("You have exceeded your 5-hour usage limit"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="a plan's five hours"
    ),
    pytest.param(
        403,
        says("only available for coding agents", type="access_terminated_error"),
        C.AUTH,
        S.KEY,
        id="not this client",
    ),
    # the same facts in other providers' words
    pytest.param(
        403, says("Your account balance is insufficient"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="money, turned round"
    ),
    pytest.param(400, says("x", "Arrearage"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="arrears"),
    pytest.param(
        403, says("The free tier of the model has been exhausted"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="a free tier"
    ),
    pytest.param(
        429,
        says("you have reached your hourly usage limit, upgrade"),
        C.QUOTA_EXHAUSTED,
        S.ACCOUNT,
        id="an hour's usage",
    ),
    pytest.param(400, says("too many tokens: 9 exceed 8"), C.CONTEXT_LENGTH, S.REQUEST, id="too many tokens"),
    pytest.param(
        429,
        says("Tokens per minute limit exceeded - too many tokens processed."),
        C.RATE_LIMITED,
        S.KEY,
        id="in a minute",
    ),
    pytest.param(400, says("Input is too long for requested model."), C.CONTEXT_LENGTH, S.REQUEST, id="a long input"),
    pytest.param(
        400, says("Your input exceeds the context window of this model."), C.CONTEXT_LENGTH, S.REQUEST, id="a window"
    ),
    pytest.param(400, says("rejected by our safety system"), C.CONTENT_FILTER, S.REQUEST, id="a safety system"),
    pytest.param(400, says("x", "DataInspectionFailed"), C.CONTENT_FILTER, S.REQUEST, id="an inspection"),
    pytest.param(403, says("Request not allowed"), C.NETWORK, S.ENVIRONMENT, id="a request not allowed from here"),
    pytest.param(
        403,
        says("Access denied. Please check your network settings."),
        C.NETWORK,
        S.ENVIRONMENT,
        id="a network refused",
    ),
    pytest.param(
        404,
        says("The model grok-9 does not exist or your team does not have access to it."),
        C.MODEL_UNAVAILABLE,
        S.ACCOUNT_MODEL,
        id="a model or its access",
    ),
    pytest.param(401, b"<html>401 Authorization Required</html>", C.AUTH, S.KEY, id="a web page that refuses the key"),
    # local servers and others
    pytest.param(404, says('model "x" not found, try pulling it first'), C.MODEL_UNAVAILABLE, S.MODEL, id="Ollama"),
    pytest.param(400, says("No models loaded."), C.MODEL_UNAVAILABLE, S.MODEL, id="LM Studio as 400"),
    pytest.param(429, says("limited to 1000 API calls / month"), C.QUOTA_EXHAUSTED, S.KEY, id="a trial's month"),
    pytest.param(402, says("x", "PAYMENT_METHOD_REQUIRED"), C.QUOTA_EXHAUSTED, S.ACCOUNT, id="no payment method"),
    pytest.param(403, b"error code: 1010", C.NETWORK, S.ENVIRONMENT, id="an edge that blocks this machine"),
    pytest.param(429, b"error code: 1015", C.RATE_LIMITED, S.ENVIRONMENT, id="an edge that limits this machine"),
]


@pytest.mark.parametrize(("status", "body", "cls", "scope"), SENTENCES)
def test_what_a_provider_says(status: int, body: object, cls: ErrorClass, scope: Scope) -> None:
    verdict = judge(status, body)
    assert (verdict.cls, verdict.scope) == (cls, scope)


@pytest.mark.parametrize(
    ("message", "cls", "statuses"),
    [
        pytest.param("Insufficient credits", C.QUOTA_EXHAUSTED, (400, 402, 403, 412, 429), id="money"),
        pytest.param("usage limit reached", C.QUOTA_EXHAUSTED, (400, 402, 403, 429), id="a plan's allowance"),
        pytest.param("Key limit exceeded (total limit)", C.QUOTA_EXHAUSTED, (402, 403, 429), id="a key's limit"),
        pytest.param("Workspace budget of $5 exceeded", C.QUOTA_EXHAUSTED, (402, 403, 429), id="a workspace's budget"),
        pytest.param("prompt is too long", C.CONTEXT_LENGTH, (400, 403, 413, 422, 429), id="length"),
        pytest.param("Content violates the rules", C.CONTENT_FILTER, (400, 403, 422, 451), id="content"),
        pytest.param("x is not a valid model", C.MODEL_UNAVAILABLE, (400, 403, 404, 422, 429), id="a model"),
        pytest.param("API key not valid", C.AUTH, (400, 401, 403, 404), id="a key"),
        pytest.param("Only management keys can do this", C.AUTH, (401, 403), id="a kind of key"),
        pytest.param("Your location is not supported", C.NETWORK, (400, 403, 451), id="a region"),
    ],
)
def test_a_sentence_counts_under_each_of_its_statuses_and_no_other(
    message: str, cls: ErrorClass, statuses: tuple[int, ...]
) -> None:
    for status in statuses:
        assert judge(status, says(message)).reason == judge(statuses[0], says(message)).reason, status
        assert judge(status, says(message)).cls is cls, status
    for status in {400, 401, 404, 405, 409, 413, 422, 429, 451, 500, 502, 503}.difference(statuses):
        assert judge(status, says(message)).reason == judge(status, says("no")).reason, status


@pytest.mark.parametrize(
    ("status", "message", "cls"),
    [
        pytest.param(500, "monthly spending limit service is down", C.SERVER_ERROR, id="500 with words of money"),
        pytest.param(
            503, "quota service unavailable, insufficient credits", C.OVERLOADED, id="503 with words of quota"
        ),
        pytest.param(502, "rate limit exceeded", C.SERVER_ERROR, id="502 with words of limits"),
        pytest.param(500, "invalid api key cache", C.SERVER_ERROR, id="500 with words of keys"),
        pytest.param(500, "this model's maximum context length", C.SERVER_ERROR, id="500 with words of length"),
        pytest.param(401, "insufficient credits or permissions", C.AUTH, id="401 with words of money"),
        pytest.param(401, "rate limit exceeded", C.AUTH, id="401 with words of limits"),
        pytest.param(404, "quota exceeded", C.BAD_REQUEST, id="404 with words of quota"),
        pytest.param(400, "rate limit exceeded", C.BAD_REQUEST, id="400 with words of limits"),
        pytest.param(422, "you exceeded your quota", C.BAD_REQUEST, id="422 with words of quota"),
        pytest.param(429, "see our billing page", C.RATE_LIMITED, id="429 with an advert"),
        pytest.param(400, "tools are unbalanced", C.BAD_REQUEST, id="a word that holds another"),
    ],
)
def test_words_alone_do_not_change_what_a_status_says(status: int, message: str, cls: ErrorClass) -> None:
    assert judge(status, says(message)).cls is cls


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        pytest.param("insufficient_quota", C.SERVER_ERROR, id="of quota"),
        pytest.param("invalid_api_key", C.SERVER_ERROR, id="of keys"),
        pytest.param("context_length_exceeded", C.SERVER_ERROR, id="of length"),
        pytest.param("overloaded_error", C.OVERLOADED, id="of overload, which it is"),
    ],
)
def test_a_failure_of_the_provider_stays_one_beside_a_code(code: str, cls: ErrorClass) -> None:
    assert judge(500, says("x", code)).cls is cls


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("load_balancer_busy", id="a balancer"),
        pytest.param("account_suspended_soon", id="a suspension"),
        pytest.param("unbalanced_brackets", id="brackets"),
        pytest.param("invalid_credentials_format", id="credentials"),
    ],
)
def test_a_code_is_about_money_only_by_whole_words(code: str) -> None:
    assert judge(400, says("x", code)).cls is C.BAD_REQUEST


def test_a_probe_with_the_wrong_kind_of_key_does_not_condemn_the_key() -> None:
    verdict = judge(403, says("Only management keys can perform this operation"))
    assert (verdict.cls, verdict.action) == (C.AUTH, Action.RETURN)


def test_a_region_that_is_not_served_goes_elsewhere_without_a_second_try() -> None:
    assert judge(403, says("x", "request_forbidden")).action is Action.NEXT


# -- passed on by an aggregator


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        pytest.param(
            429, relayed("Provider returned error", says("quota", "insufficient_quota")), C.RATE_LIMITED, id="429"
        ),
        pytest.param(429, relayed("rate-limited upstream", "slow down"), C.RATE_LIMITED, id="429 in other words"),
        pytest.param(401, relayed("Provider returned error", says("bad key")), C.SERVER_ERROR, id="401"),
        pytest.param(401, relayed("bad key", says("bad key")), C.SERVER_ERROR, id="401 in other words"),
        pytest.param(402, relayed("Provider returned error", says("pay")), C.SERVER_ERROR, id="402"),
        pytest.param(403, relayed("Provider returned error", says("no")), C.SERVER_ERROR, id="403"),
        pytest.param(
            400,
            relayed("Provider returned error", says("x", "invalid_api_key")),
            C.SERVER_ERROR,
            id="400 about the key",
        ),
        pytest.param(
            400, relayed("Provider returned error", says("Insufficient Balance")), C.SERVER_ERROR, id="400 about money"
        ),
        pytest.param(
            400,
            relayed("Provider returned error", says("prompt is too long: 2 > 1")),
            C.CONTEXT_LENGTH,
            id="400 length",
        ),
        pytest.param(
            400, relayed("Provider returned error", says("x", "content_filter")), C.CONTENT_FILTER, id="400 content"
        ),
        pytest.param(
            404,
            relayed("Provider returned error", says("model `x` does not exist")),
            C.MODEL_UNAVAILABLE,
            id="404 model",
        ),
        pytest.param(400, relayed("Provider returned error", "ERROR"), C.BAD_REQUEST, id="400 in no words"),
        pytest.param(400, relayed("Provider returned error", ""), C.BAD_REQUEST, id="400 without the original"),
        pytest.param(502, relayed("Provider returned error", ""), C.SERVER_ERROR, id="502"),
        pytest.param(503, relayed("Provider returned error", ""), C.OVERLOADED, id="503"),
        pytest.param(504, relayed("Provider returned error", ""), C.TIMEOUT, id="504"),
        pytest.param(
            403,
            relayed("Your input was flagged", "", reasons=["violence"], flagged_input="ignore this"),
            C.CONTENT_FILTER,
            id="moderation in words",
        ),
        pytest.param(
            403, relayed("Refused", "", reasons=["x"], flagged_input="ignore this"), C.CONTENT_FILTER, id="moderation"
        ),
        pytest.param(
            403,
            relayed("Refused", "", error_type="content_policy_violation"),
            C.CONTENT_FILTER,
            id="moderation by code",
        ),
    ],
)
def test_an_error_passed_on_never_condemns_our_key(status: int, body: object, cls: ErrorClass) -> None:
    verdict = judge(status, body)
    assert verdict.cls is cls
    assert verdict.action not in (Action.REAUTH, Action.PARK)
    assert verdict.scope in (Scope.REQUEST, Scope.MODEL, Scope.MODEL_PROVIDER)


def test_an_error_passed_on_inside_a_success_is_the_providers() -> None:
    assert judge(200, relayed("Provider returned error", "")).cls is C.SERVER_ERROR


def test_the_error_of_the_users_own_key_behind_an_aggregator_is_the_users() -> None:
    assert judge(401, relayed("Provider returned error", "", is_byok=True)).cls is C.AUTH


def test_a_request_too_dear_for_one_account_goes_to_another_without_resting_the_first() -> None:
    body = says("This request requires more credits. You requested up to 9 tokens, but can only afford 3.")
    verdict = judge(402, body)
    assert (verdict.cls, verdict.scope, verdict.action) == (C.QUOTA_EXHAUSTED, S.REQUEST, Action.NEXT)


# -- errors inside a success


@pytest.mark.parametrize(
    ("body", "cls", "status"),
    [
        pytest.param(says("x", 429), C.RATE_LIMITED, 429, id="a status as the code"),
        pytest.param(says("x", "402"), C.QUOTA_EXHAUSTED, 402, id="a status as a text"),
        pytest.param(says("x", "rate_limit_exceeded"), C.RATE_LIMITED, 429, id="a name that stands for a status"),
        pytest.param(says("x", "server_error"), C.SERVER_ERROR, 500, id="a failure by its name"),
        pytest.param(
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            C.OVERLOADED,
            529,
            id="an event of Anthropic's",
        ),
        pytest.param(
            {"type": "response.failed", "response": {"error": {"code": "context_length_exceeded", "message": "x"}}},
            C.CONTEXT_LENGTH,
            400,
            id="a code that names no status: too long",
        ),
        pytest.param(says("x", "invalid_prompt"), C.CONTENT_FILTER, 400, id="a code that names no status: content"),
        pytest.param(says("x", "model_not_found"), C.MODEL_UNAVAILABLE, 404, id="a code that names no status: model"),
        pytest.param(says("x", "invalid_api_key"), C.AUTH, 401, id="a code that names no status: key"),
        pytest.param(says("x", "insufficient_quota"), C.QUOTA_EXHAUSTED, 402, id="a code that names no status: quota"),
        pytest.param(says("x", "slow_down"), C.OVERLOADED, 500, id="a code that names no status: overload"),
        pytest.param(says("Rate limit exceeded"), C.RATE_LIMITED, 429, id="words alone: a limit"),
        pytest.param(says("Open api qps request limit reached"), C.RATE_LIMITED, 429, id="words alone: another limit"),
        pytest.param(says("x", "4290"), C.SERVER_ERROR, 500, id="a number longer than a status"),
        pytest.param(says("x", 599, type="rate_limit_error"), C.SERVER_ERROR, 599, id="a status wins over a name"),
        pytest.param(says("prompt is too long"), C.CONTEXT_LENGTH, 400, id="words alone: too long"),
        pytest.param(says("Something broke"), C.SERVER_ERROR, 500, id="words alone: anything else"),
        pytest.param(
            {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
            C.QUOTA_EXHAUSTED,
            402,
            id="MiniMax, out of balance",
        ),
        pytest.param(
            {"base_resp": {"status_code": 1004, "status_msg": "login fail: no key"}}, C.AUTH, 401, id="MiniMax, no key"
        ),
        pytest.param(
            {"base_resp": {"status_code": 1002, "status_msg": "rate limit exceeded"}},
            C.RATE_LIMITED,
            429,
            id="MiniMax, a limit",
        ),
        pytest.param(
            {"base_resp": {"status_code": 1039, "status_msg": "x"}}, C.RATE_LIMITED, 429, id="MiniMax, by its number"
        ),
        pytest.param({"base_resp": {"status_code": 2013, "status_msg": "x"}}, C.BAD_REQUEST, 400, id="MiniMax, 2013"),
        pytest.param({"base_resp": {"status_code": 1001, "status_msg": "x"}}, C.TIMEOUT, 504, id="MiniMax, 1001"),
        pytest.param(
            {"base_resp": {"status_code": 1026, "status_msg": "x"}}, C.CONTENT_FILTER, 400, id="MiniMax, 1026"
        ),
        pytest.param({"choices": [{"finish_reason": "error"}]}, C.SERVER_ERROR, 500, id="a choice that ended so"),
        pytest.param(
            {"id": "r", "status": "failed", "error": {"code": "server_error"}, "error_type": "authentication"},
            C.AUTH,
            401,
            id="the typed code wins over the native one",
        ),
        pytest.param(says("x", "²"), C.SERVER_ERROR, 500, id="a figure that is no number"),
        pytest.param(says("x", 400), C.BAD_REQUEST, 400, id="the least status of an error"),
        pytest.param(says("x", 599), C.SERVER_ERROR, 599, id="the greatest"),
        pytest.param(says("x", 399), C.SERVER_ERROR, 500, id="a number that is no status of an error"),
        pytest.param(says("x", 600), C.SERVER_ERROR, 500, id="a number beyond all statuses"),
    ],
)
def test_an_error_inside_a_success(body: object, cls: ErrorClass, status: int) -> None:
    provider = "minimax" if isinstance(body, dict) and "base_resp" in body else "openrouter"
    verdict = judge(200, body, provider=provider)
    assert (verdict.cls, verdict.status) == (cls, status)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        *[pytest.param(name, C.RATE_LIMITED, id=name) for name in ("rate_limit_exceeded", "rate_limit_error")],
        *[pytest.param(name, C.RATE_LIMITED, id=name) for name in ("too_many_requests", "resource_exhausted")],
        pytest.param("rate_limited", C.RATE_LIMITED, id="rate_limited"),
        *[pytest.param(name, C.RATE_LIMITED, id=name) for name in ("rate_limit_reached_error", "RateLimitReached")],
        *[pytest.param(name, C.AUTH, id=name) for name in ("unauthorized", "forbidden")],
        *[pytest.param(name, C.BAD_REQUEST, id=name) for name in ("failed_precondition", "string_too_long")],
        *[pytest.param(name, C.BAD_REQUEST, id=name) for name in ("precondition_failed", "payload_too_large")],
        pytest.param("unprocessable", C.BAD_REQUEST, id="unprocessable"),
        pytest.param("quota_exceeded", C.QUOTA_EXHAUSTED, id="quota_exceeded"),
        pytest.param("ThrottlingException", C.RATE_LIMITED, id="ThrottlingException"),
        pytest.param("AccessDeniedException", C.AUTH, id="AccessDeniedException"),
        pytest.param("service_unavailable_error", C.OVERLOADED, id="service_unavailable_error"),
        *[pytest.param(name, C.SERVER_ERROR, id=name) for name in ("internal", "internal_server_error", "unmapped")],
        *[pytest.param(name, C.AUTH, id=name) for name in ("authentication", "authentication_error")],
        *[pytest.param(name, C.AUTH, id=name) for name in ("unauthenticated", "permission_denied", "permission_error")],
        *[pytest.param(name, C.QUOTA_EXHAUSTED, id=name) for name in ("payment_required", "billing_error")],
        *[pytest.param(name, C.BAD_REQUEST, id=name) for name in ("not_found", "not_found_error", "request_too_large")],
        *[pytest.param(name, C.BAD_REQUEST, id=name) for name in ("invalid_request", "invalid_request_error")],
        pytest.param("invalid_argument", C.BAD_REQUEST, id="invalid_argument"),
        *[pytest.param(name, C.OVERLOADED, id=name) for name in ("overloaded_error", "provider_overloaded")],
        pytest.param("unavailable", C.OVERLOADED, id="unavailable"),
        *[pytest.param(name, C.TIMEOUT, id=name) for name in ("timeout", "timeout_error", "deadline_exceeded")],
        *[pytest.param(name, C.SERVER_ERROR, id=name) for name in ("api_error", "server_error", "server")],
        pytest.param("provider_unavailable", C.SERVER_ERROR, id="provider_unavailable"),
    ],
)
def test_a_name_inside_a_success_stands_for_a_status(name: str, cls: ErrorClass) -> None:
    assert judge(200, says("x", name)).cls is cls


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Internal failure", id="words"),
        pytest.param(b'{"choices": [{"mess', id="half an answer"),
    ],
)
def test_a_success_that_is_no_answer_is_a_failure(body: bytes) -> None:
    verdict = judge(200, body)
    assert (verdict.cls, verdict.scope, verdict.action, verdict.known) == (C.SERVER_ERROR, S.NONE, Action.RETRY, False)
    assert (verdict.reason, verdict.status) == ("the answer is empty or broken", 500)


def test_a_web_page_in_the_dress_of_a_success_is_a_network_that_wants_a_login() -> None:
    verdict = judge(200, b"<html>Sign in to the hotel's network: rate limit exceeded</html>")
    assert (verdict.cls, verdict.scope, verdict.action) == (C.NETWORK, S.ENVIRONMENT, Action.RETRY)
    assert (verdict.reason, verdict.known) == ("a web page came instead of an answer", False)


def test_an_error_in_the_dress_of_a_success_that_says_nothing_is_a_failure() -> None:
    verdict = judge(200, says("Something broke"))
    assert (verdict.cls, verdict.scope, verdict.known) == (C.SERVER_ERROR, S.NONE, False)
    assert verdict.reason == "the provider failed without saying how"


def test_a_long_success_is_no_error_whatever_it_holds() -> None:
    frame = len(json.dumps({"error": ""}))
    assert judge(200, {"error": "x" * (MAX_BODY - frame)}).cls is C.SERVER_ERROR
    longer = judge(200, {"error": "x" * (MAX_BODY - frame + 1)})
    assert (longer.cls, longer.status) == (C.OK, 200)
    assert judge(299, b"").cls is C.SERVER_ERROR
    assert judge(300, b"").cls is C.OK


def test_an_answer_is_served() -> None:
    verdict = judge(200, {"choices": [{"message": {"content": "429 quota"}}]}, {"retry-after": "9"})
    assert verdict == Verdict(C.OK, S.NONE, Action.SERVE, "answered", status=200)


# -- windows and hints


@pytest.mark.parametrize(
    ("headers", "body", "cls", "window"),
    [
        pytest.param({"retry-after": "3"}, says("x"), C.RATE_LIMITED, None, id="a short wait"),
        pytest.param({"retry-after": "899"}, says("x"), C.RATE_LIMITED, None, id="a quarter of an hour is a rate"),
        pytest.param({"retry-after": "900"}, says("x"), C.QUOTA_EXHAUSTED, None, id="more is a spent window"),
        pytest.param({}, says("on tokens per day (TPD)"), C.QUOTA_EXHAUSTED, None, id="a day without a time"),
        pytest.param({"retry-after": "61"}, says("daily limit"), C.QUOTA_EXHAUSTED, None, id="a day and minutes"),
        pytest.param({"retry-after": "60"}, says("daily limit"), C.RATE_LIMITED, None, id="a day but seconds"),
        pytest.param(
            {"retry-after": "30"},
            says("x", 429, details=[{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]),
            C.QUOTA_EXHAUSTED,
            Window.PACIFIC_DAY,
            id="Google's day, whatever its hint says",
        ),
        pytest.param(
            {},
            says("x", 429, details=[{"violations": [{"quotaId": "GenerateRequestsPerMinute"}, {"quotaId": 5}]}]),
            C.RATE_LIMITED,
            None,
            id="Google's minute",
        ),
        pytest.param(
            {"x-ratelimitbysize-remaining-month": "0"}, says("x"), C.QUOTA_EXHAUSTED, Window.MONTH, id="no month left"
        ),
        pytest.param(
            {"x-ratelimit-remaining-requests-day": "0"}, says("x"), C.QUOTA_EXHAUSTED, Window.DAY, id="no day left"
        ),
        pytest.param({"x-ratelimit-remaining-req-minute": "0"}, says("x"), C.RATE_LIMITED, None, id="no minute left"),
        pytest.param({"x-ratelimit-limit-req-minute": "0"}, says("x"), C.MODEL_UNAVAILABLE, None, id="never any"),
        pytest.param({}, says("Rate limit exceeded: free-models-per-day"), C.QUOTA_EXHAUSTED, Window.DAY, id="free"),
    ],
)
def test_a_limit_is_told_from_a_quota_by_its_window(
    headers: dict[str, str], body: object, cls: ErrorClass, window: Window | None
) -> None:
    verdict = judge(429, body, headers)
    assert (verdict.cls, verdict.window) == (cls, window)


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds", "source"),
    [
        pytest.param(429, says("x"), {"retry-after": "7"}, 7, Source.HEADER, id="of a rate limit"),
        pytest.param(429, says("try again in 7s"), {}, 7, Source.BODY, id="of a rate limit in prose"),
        pytest.param(503, says("x"), {"retry-after": "8"}, 8, Source.HEADER, id="of a failure"),
        pytest.param(
            503, says("x", availability={"retry_after": 8}), {}, 8, Source.BODY, id="of a failure, in its body"
        ),
        pytest.param(
            500, says("x"), {"x-ratelimit-reset": "50"}, None, Source.INFERRED, id="not a window's of a failure"
        ),
        pytest.param(
            500,
            says("x", metadata={"headers": {"X-RateLimit-Reset": "50"}}),
            {},
            None,
            Source.INFERRED,
            id="not a window's in the body of a failure",
        ),
        pytest.param(401, says("x"), {"retry-after": "7"}, None, Source.INFERRED, id="not of a refused key"),
        pytest.param(400, says("x"), {"retry-after": "7"}, None, Source.INFERRED, id="not of a bad request"),
        pytest.param(404, says("model x"), {"retry-after": "7"}, None, Source.INFERRED, id="not of a missing model"),
        pytest.param(402, says("x"), {"retry-after": "7"}, None, Source.INFERRED, id="not seconds of a spent quota"),
        pytest.param(402, says("x"), {"retry-after": "60"}, None, Source.INFERRED, id="not even a minute"),
        pytest.param(402, says("x"), {"retry-after": "90"}, 90, Source.HEADER, id="but minutes"),
    ],
)
def test_the_hint_of_an_answer(
    status: int, body: object, headers: dict[str, str], seconds: float | None, source: Source
) -> None:
    verdict = judge(status, body, headers)
    assert (verdict.retry_after_s, verdict.source) == (seconds, source)


def test_a_time_without_a_zone_is_chinas_only_where_the_provider_is() -> None:
    body = says("Usage limit reached. Your limit will reset at 2026-09-29 23:10:05", "1308")
    assert judge(429, body, provider="zai").retry_after_s == 4205
    assert judge(429, body, provider="openai").retry_after_s == 33_005


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        pytest.param(says("m", "some_code", type="t"), "some_code", "m", id="the code"),
        pytest.param(says("m", None, type="some_type"), "some_type", "m", id="else the type"),
        pytest.param(says("m", 1302), "1302", "m", id="else a number"),
        pytest.param(says("m", 429, status="RESOURCE_EXHAUSTED"), "resource_exhausted", "m", id="a word, not a number"),
        pytest.param(
            {"type": "error", "error": {"type": "api_error", "message": "m"}}, "api_error", "m", id="not 'error'"
        ),
        pytest.param({}, None, None, id="nothing said"),
    ],
)
def test_the_providers_own_words_are_kept(body: object, code: str | None, message: str | None) -> None:
    verdict = judge(400, body)
    assert (verdict.code, verdict.message) == (code, message)


# -- what must never sway or stop it

POISON = (
    "429 rate limit exceeded, insufficient credits, invalid api key, prompt is too long, content filter, "
    "model x does not exist, usage limit reached, daily limit, try again in 99s"
)
codes = ["insufficient_quota", "invalid_api_key", "model_not_found", "content_filter", "overloaded_error", "1313", 429]
poisons = st.sampled_from(
    [POISON, [POISON], *({"code": code, "type": code, "error": {"code": code, "message": POISON}} for code in codes)]
)
echoes = st.sampled_from(["input", "failed_generation", "flagged_text", "prompt", "messages", "user", "ctx", "param"])
answers = st.sampled_from([case.values[:2] for case in SENTENCES if not isinstance(case.values[1], bytes)])


@unhurried
@given(answers, st.dictionaries(echoes, poisons, min_size=1), st.booleans())
def test_what_users_wrote_never_changes_the_class(
    answer: tuple[int, dict[str, Any]], echoed: dict[str, object], inside: bool
) -> None:
    status, body = answer
    error = body.get("error")
    poisoned = {**echoed, **body}
    if inside and isinstance(error, dict):
        poisoned = {**body, "error": {**echoed, **error}}
    assert judge(status, poisoned) == judge(status, body)


@unhurried
@given(st.sampled_from([400, 401, 403, 404, 413, 422, 500, 503]), poisons)
def test_a_requests_own_metadata_never_changes_the_class(status: int, poison: object) -> None:
    plain = says("no")
    assert judge(status, {**plain, "metadata": poison}) == judge(status, plain)


names = st.sampled_from(
    ["error", "message", "code", "type", "response", "choices", "metadata", "details", "quotaId", "raw", "headers"]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
documents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner))


@pytest.mark.many_cases
@unhurried
@given(
    st.integers(200, 599),
    st.binary() | documents.map(lambda document: json.dumps(document).encode()),
    st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset", "x-ratelimit-limit-a"]), st.text()),
    st.sampled_from(["openrouter", "zai", "made-up", ""]),
)
def test_every_answer_is_judged(status: int, body: bytes, headers: dict[str, str], provider: str) -> None:
    verdict = classify(provider, Head(status, headers, body), NOW_S)
    assert verdict.reason
    assert verdict.status is not None
    if 200 <= status < 300 and verdict.cls is not C.OK:
        assert verdict.status >= 400
    if status >= 400:
        assert verdict.cls is not C.OK


# -- one provider's own numbers, and whose limit it is


@pytest.mark.parametrize(
    ("provider", "code", "status", "cls", "scope", "action"),
    [
        *[
            pytest.param("zai", str(code), 429, C.AUTH, S.KEY, Action.REAUTH, id=f"Z.ai {code}")
            for code in range(1000, 1005)
        ],
        pytest.param("zai", "1113", 429, C.QUOTA_EXHAUSTED, S.ACCOUNT, Action.PARK, id="Z.ai 1113"),
        pytest.param("zai", "1211", 400, C.MODEL_UNAVAILABLE, S.MODEL, Action.NEXT, id="Z.ai 1211"),
        pytest.param("zai", "1261", 400, C.CONTEXT_LENGTH, S.REQUEST, Action.RETURN, id="Z.ai 1261"),
        pytest.param("zai", "1301", 400, C.CONTENT_FILTER, S.REQUEST, Action.RETURN, id="Z.ai 1301"),
        pytest.param("zai", "1302", 429, C.RATE_LIMITED, S.KEY, Action.COOL, id="Z.ai 1302"),
        pytest.param("zai", "1303", 429, C.RATE_LIMITED, S.KEY, Action.COOL, id="Z.ai 1303"),
        pytest.param("zai", "1305", 429, C.OVERLOADED, S.MODEL, Action.RETRY, id="Z.ai 1305"),
        *[
            pytest.param("zai", code, 429, C.QUOTA_EXHAUSTED, S.ACCOUNT, Action.PARK, id=f"Z.ai {code}")
            for code in ("1308", "1309", "1310")
        ],
        pytest.param("zai", "1311", 429, C.MODEL_UNAVAILABLE, S.KEY_MODEL, Action.NEXT, id="Z.ai 1311"),
        pytest.param("zai", "1313", 429, C.AUTH, S.ACCOUNT, Action.REAUTH, id="Z.ai 1313"),
        pytest.param("mistral", "1300", 429, C.RATE_LIMITED, S.KEY_MODEL, Action.COOL, id="Mistral 1300"),
        pytest.param("mistral", "1500", 400, C.MODEL_UNAVAILABLE, S.MODEL, Action.NEXT, id="Mistral 1500"),
        pytest.param("mistral", "1910", 403, C.MODEL_UNAVAILABLE, S.KEY_MODEL, Action.NEXT, id="Mistral 1910"),
        pytest.param("mistral", "1913", 403, C.MODEL_UNAVAILABLE, S.KEY_MODEL, Action.NEXT, id="Mistral 1913"),
        pytest.param("mistral", "3505", 429, C.OVERLOADED, S.MODEL, Action.RETRY, id="Mistral 3505"),
        pytest.param("openai", "1001", 429, C.RATE_LIMITED, S.ACCOUNT_MODEL, Action.COOL, id="a number of nobody's"),
        pytest.param("made-up", "1313", 400, C.BAD_REQUEST, S.REQUEST, Action.RETURN, id="a number of a stranger's"),
    ],
)
def test_a_number_means_what_its_provider_says(
    provider: str, code: str, status: int, cls: ErrorClass, scope: Scope, action: Action
) -> None:
    verdict = judge(status, says("x", code), provider=provider)
    assert (verdict.cls, verdict.scope, verdict.action) == (cls, scope, action)


@pytest.mark.parametrize(
    ("provider", "rate", "day"),
    [
        pytest.param("openrouter", S.KEY, S.KEY, id="OpenRouter"),
        pytest.param("openai", S.ACCOUNT_MODEL, S.ACCOUNT_MODEL, id="OpenAI"),
        pytest.param("anthropic", S.ACCOUNT_MODEL, S.ACCOUNT_MODEL, id="Anthropic"),
        pytest.param("anthropic-oauth", S.ACCOUNT, S.ACCOUNT, id="a Claude subscription"),
        pytest.param("gemini", S.ACCOUNT_MODEL, S.ACCOUNT_MODEL, id="Google"),
        pytest.param("groq", S.ACCOUNT_MODEL, S.ACCOUNT_MODEL, id="Groq"),
        pytest.param("mistral", S.KEY_MODEL, S.KEY_MODEL, id="Mistral"),
        pytest.param("fireworks", S.ACCOUNT, S.ACCOUNT, id="Fireworks"),
        pytest.param("github-models", S.KEY_MODEL, S.KEY_MODEL, id="GitHub"),
        pytest.param("zai", S.KEY, S.ACCOUNT, id="Z.ai"),
        pytest.param("moonshot", S.ACCOUNT, S.ACCOUNT, id="Moonshot"),
        pytest.param("made-up", S.KEY, S.KEY, id="a stranger"),
    ],
)
def test_a_limit_fills_the_providers_own_bucket(provider: str, rate: Scope, day: Scope) -> None:
    assert judge(429, says("Too many requests"), provider=provider).scope is rate
    spent = judge(429, says("Requests per day exceeded"), provider=provider)
    assert (spent.cls, spent.scope) == (C.QUOTA_EXHAUSTED, day)


def test_calls_at_once_are_the_keys_not_a_models() -> None:
    assert judge(429, says("Too many concurrent requests"), provider="github-models").scope is S.KEY
    assert judge(429, says("Too many concurrent requests"), provider="moonshot").scope is S.ACCOUNT


@pytest.mark.parametrize(
    ("status", "body", "headers", "provider", "crowded"),
    [
        pytest.param(429, says("Too many concurrent requests"), {}, "openai", True, id="in words"),
        pytest.param(429, says("High concurrency usage"), {}, "openai", True, id="in other words"),
        pytest.param(429, says("x", "1302"), {}, "zai", True, id="Z.ai's number"),
        pytest.param(429, says("x", "1302"), {}, "openai", False, id="not another's"),
        pytest.param(
            402, says("x", metadata={"reason": "in_flight_budget_exhausted"}), {}, "openrouter", True, id="credit"
        ),
        pytest.param(402, says("given your current in-flight requests"), {}, "openrouter", False, id="not a quota"),
        pytest.param(429, says("other in-flight requests"), {}, "openrouter", True, id="in flight, in words"),
        pytest.param(
            429, says("x"), {"x-ratelimit-type": "UserConcurrentRequests"}, "github-models", True, id="GitHub"
        ),
        pytest.param(
            429, says("x"), {"x-ratelimit-type": "UserByModelByMinute"}, "github-models", False, id="a minute"
        ),
        pytest.param(429, says("x"), {}, "deepseek", True, id="DeepSeek's only limit"),
        pytest.param(429, says("x"), {}, "openai", False, id="nothing said"),
        pytest.param(503, says("too many concurrent requests"), {}, "openai", False, id="not a failure"),
        pytest.param(
            429, relayed("Provider returned error", "concurrency"), {}, "openrouter", False, id="not another's"
        ),
    ],
)
def test_it_is_told_whether_the_provider_speaks_of_calls_at_once(
    status: int, body: object, headers: dict[str, str], provider: str, crowded: bool
) -> None:
    assert judge(status, body, headers, provider).crowded is crowded


# -- nobody is condemned on a guess


@pytest.mark.parametrize(
    ("status", "body", "headers", "action"),
    [
        pytest.param(401, says("no"), {}, Action.REAUTH, id="401 in an error's words"),
        pytest.param(401, b"Unauthorized", {}, Action.REAUTH, id="401 in plain words"),
        pytest.param(401, says("", "bad_key"), {}, Action.REAUTH, id="401 with a code"),
        pytest.param(401, b"", {"www-authenticate": "Bearer"}, Action.REAUTH, id="401 as HTTP wants it"),
        pytest.param(401, b"", {}, Action.NEXT, id="401 without a word"),
        pytest.param(401, b"<html>Login</html>", {}, Action.NEXT, id="401 as a web page"),
        pytest.param(401, {"foo": {"bar": "invalid api key"}}, {}, Action.NEXT, id="401 in an unknown shape"),
        pytest.param(403, says("no"), {}, Action.NEXT, id="403 that does not say of what"),
        pytest.param(403, says("Your key may not do this"), {}, Action.REAUTH, id="403 about a key"),
        pytest.param(403, says("several keys"), {}, Action.REAUTH, id="403 about keys"),
        pytest.param(403, says("the turkey monkeys"), {}, Action.NEXT, id="403 about other keys"),
        pytest.param(403, says("this token has no right"), {}, Action.REAUTH, id="403 about a token"),
        pytest.param(403, says("bad credentials"), {}, Action.REAUTH, id="403 about credentials"),
        pytest.param(403, says("Authentication failed"), {}, Action.REAUTH, id="403 about authentication"),
        pytest.param(403, says("Authorization failed"), {}, Action.REAUTH, id="403 about authorization"),
        pytest.param(403, says("use OAuth"), {}, Action.REAUTH, id="403 about OAuth"),
        pytest.param(403, says("please log in"), {}, Action.REAUTH, id="403 about a login"),
        pytest.param(403, says("login required"), {}, Action.REAUTH, id="403 about a login in one word"),
        pytest.param(403, says("insufficient permissions"), {}, Action.REAUTH, id="403 about permissions"),
        pytest.param(403, says("no", type="permission_error"), {}, Action.REAUTH, id="403 by a code"),
        pytest.param(403, says("no", 403, status="PERMISSION_DENIED"), {}, Action.REAUTH, id="403 by Google's code"),
        pytest.param(403, {"foo": "invalid api key"}, {}, Action.NEXT, id="403 in an unknown shape"),
    ],
)
def test_a_key_is_condemned_only_by_an_error_about_it(
    status: int, body: object, headers: dict[str, str], action: Action
) -> None:
    verdict = judge(status, body, headers)
    assert (verdict.cls, verdict.scope, verdict.action) == (C.AUTH, S.KEY, action)
    assert verdict.known is (action is Action.REAUTH)


@pytest.mark.parametrize(
    ("status", "body", "headers", "known"),
    [
        pytest.param(400, says("x"), {}, False, id="400 in any words"),
        pytest.param(400, says("x", "invalid_request_error"), {}, True, id="400 by its name"),
        pytest.param(400, says("Insufficient credits"), {}, True, id="400 by a sentence"),
        pytest.param(402, says("x"), {}, False, id="402"),
        pytest.param(402, says("x", "payment_required"), {}, True, id="402 by its name"),
        pytest.param(404, says("x"), {}, False, id="404"),
        pytest.param(404, says("the model is gone"), {}, True, id="404 about a model"),
        pytest.param(408, b"", {}, False, id="408"),
        pytest.param(412, says("suspended"), {}, True, id="412 about money"),
        pytest.param(429, says("x"), {}, False, id="429"),
        pytest.param(429, says("x"), {"retry-after": "1"}, True, id="429 that says when"),
        pytest.param(429, says("x", "rate_limit_exceeded"), {}, True, id="429 by its name"),
        *[
            pytest.param(429, says(words), {}, True, id=f"429: {words}")
            for words in (
                "rate limit",
                "RateLimit",
                "Too many calls",
                "you are throttled",
                "no quota",
                "the limit was reached",
                "the limit is exceeded",
                "it is limited to 5",
            )
        ],
        pytest.param(429, b"<html></html>", {}, True, id="429 of a gateway"),
        pytest.param(499, b"", {}, False, id="499"),
        pytest.param(500, says("x"), {}, False, id="500"),
        pytest.param(500, says("x", type="api_error"), {}, True, id="500 by its name"),
        pytest.param(503, says("x"), {}, False, id="503"),
        pytest.param(503, says("the service is unavailable"), {}, True, id="503 in its words"),
        pytest.param(503, says("x", "unavailable"), {}, True, id="503 by its name"),
        pytest.param(504, says("x", "deadline_exceeded"), {}, True, id="504 by its name"),
        pytest.param(403, b"<html></html>", {}, False, id="403 of a gateway"),
        pytest.param(451, b"", {}, False, id="451"),
    ],
)
def test_it_is_told_whether_more_than_the_status_told(
    status: int, body: object, headers: dict[str, str], known: bool
) -> None:
    assert judge(status, body, headers).known is known


@pytest.mark.parametrize(
    ("provider", "body", "scope"),
    [
        pytest.param("openai", says("x"), S.MODEL, id="of a provider that is known"),
        pytest.param("made-up", says("x"), S.NONE, id="of a stranger"),
        pytest.param("openai", b"<html></html>", S.NONE, id="of a gateway on the way"),
        pytest.param("ollama", says("x"), S.NONE, id="of the user's own machine"),
    ],
)
def test_whose_a_503_is(provider: str, body: object, scope: Scope) -> None:
    verdict = judge(503, body, provider=provider)
    assert (verdict.cls, verdict.scope) == (C.OVERLOADED, scope)


# -- limits, more closely


@pytest.mark.parametrize(
    ("message", "cls"),
    [
        pytest.param("Limit 100, Used 0, Requested 101", C.CONTEXT_LENGTH, id="more than the limit alone"),
        pytest.param("limit: 1,000, requested: 1,001", C.CONTEXT_LENGTH, id="with colons and commas"),
        pytest.param("Limit 100, Used 50, Requested 100", C.RATE_LIMITED, id="as much as the limit"),
        pytest.param("Limit 0, Requested 5", C.RATE_LIMITED, id="no limit at all"),
        pytest.param("Limit 1, Requested 2", C.CONTEXT_LENGTH, id="the least limit"),
        pytest.param("Limit 100, Used 50", C.RATE_LIMITED, id="nothing of what was requested"),
        pytest.param("Requested 101, Limit 100", C.RATE_LIMITED, id="the other way round"),
        pytest.param("Limit ,,, Requested 5", C.RATE_LIMITED, id="no number"),
    ],
)
def test_a_request_beyond_the_limit_itself_is_too_long(message: str, cls: ErrorClass) -> None:
    assert judge(429, says(message), provider="groq").cls is cls
    assert judge(413, says("Limit 100, Requested 101"), provider="groq").scope is S.ACCOUNT_MODEL
    assert judge(400, says("Limit 100, Requested 101")).cls is C.BAD_REQUEST


@pytest.mark.parametrize(
    ("message", "cls"),
    [
        *[
            pytest.param(f"limited to 5 requests {window}", C.QUOTA_EXHAUSTED, id=window)
            for window in (
                "per day",
                "per-week",
                "per_month",
                "/day",
                "/ month",
                "daily",
                "weekly",
                "monthly",
                "per 86400s",
            )
        ],
        *[pytest.param(f"{short} exceeded", C.QUOTA_EXHAUSTED, id=short) for short in ("TPD", "RPD")],
        pytest.param("come back tomorrow", C.QUOTA_EXHAUSTED, id="tomorrow"),
        *[
            pytest.param(f"5 {window}; the plan has 100 per day", C.RATE_LIMITED, id=f"{window}, and a day's advert")
            for window in (
                "per second",
                "per min",
                "per hour",
                "per-minute",
                "/s",
                "/ min",
                "/hour",
                "hourly",
                "RPM",
                "TPS",
                "per_minute_per_project",
            )
        ],
        pytest.param("5 per day, 1 per minute", C.QUOTA_EXHAUSTED, id="a day, and a minute's advert"),
        pytest.param("5 per daytime", C.QUOTA_EXHAUSTED, id="a longer word"),
        pytest.param("5/dayz", C.RATE_LIMITED, id="no day"),
        pytest.param("the rpdx", C.RATE_LIMITED, id="no window"),
        pytest.param("per secondary 3 daily", C.QUOTA_EXHAUSTED, id="no second"),
    ],
)
def test_the_window_that_is_named_first_is_meant(message: str, cls: ErrorClass) -> None:
    assert judge(429, says(message)).cls is cls


@pytest.mark.parametrize(
    ("headers", "body", "provider", "cls", "scope", "seconds"),
    [
        pytest.param(
            {"x-ratelimit-type": "UserByModelByDay"},
            says("x"),
            "github-models",
            C.QUOTA_EXHAUSTED,
            S.KEY_MODEL,
            None,
            id="GitHub's day",
        ),
        pytest.param(
            {}, says("x", "QUOTA_EXHAUSTED"), "gemini", C.QUOTA_EXHAUSTED, S.ACCOUNT_MODEL, None, id="by a code"
        ),
        pytest.param(
            {},
            says("x", "quota_exceeded"),
            "gemini",
            C.QUOTA_EXHAUSTED,
            S.ACCOUNT_MODEL,
            None,
            id="by a code of Interactions",
        ),
        pytest.param(
            {},
            says("5 per minute", "quota_exceeded"),
            "gemini",
            C.RATE_LIMITED,
            S.ACCOUNT_MODEL,
            None,
            id="the words win",
        ),
        pytest.param(
            {"retry-after": "60"},
            says("x", "quota_exceeded"),
            "gemini",
            C.RATE_LIMITED,
            S.ACCOUNT_MODEL,
            60,
            id="a minute away",
        ),
        pytest.param(
            {"retry-after": "61"},
            says("x", "quota_exceeded"),
            "gemini",
            C.QUOTA_EXHAUSTED,
            S.ACCOUNT_MODEL,
            61,
            id="more than a minute away",
        ),
        pytest.param(
            {"anthropic-ratelimit-unified-status": "rejected", "retry-after": "300"},
            says("x"),
            "anthropic",
            C.QUOTA_EXHAUSTED,
            S.ACCOUNT,
            300,
            id="a subscription's window",
        ),
        pytest.param(
            {"anthropic-ratelimit-unified-status": "allowed", "retry-after": "300"},
            says("x"),
            "anthropic",
            C.RATE_LIMITED,
            S.ACCOUNT,
            300,
            id="a subscription's burst",
        ),
        pytest.param(
            {"anthropic-ratelimit-unified-status": "allowed", "retry-after": "900"},
            says("x"),
            "anthropic",
            C.QUOTA_EXHAUSTED,
            S.ACCOUNT,
            900,
            id="a subscription's long wait",
        ),
        pytest.param(
            {"x-ratelimitbysize-remaining-month": "0"},
            says("x"),
            "mistral",
            C.QUOTA_EXHAUSTED,
            S.KEY,
            None,
            id="a month is of all models",
        ),
        pytest.param(
            {"x-ratelimit-remaining-tokens-day": " 0 "},
            says("x"),
            "cerebras",
            C.QUOTA_EXHAUSTED,
            S.KEY_MODEL,
            None,
            id="a day may be of one",
        ),
        pytest.param(
            {"x-ratelimit-limit-requests": "0"},
            says("x"),
            "mistral",
            C.MODEL_UNAVAILABLE,
            S.KEY_MODEL,
            None,
            id="an allowance of nothing",
        ),
        pytest.param(
            {"x-ratelimit-limit-requests": "0"},
            says("x"),
            "openai",
            C.MODEL_UNAVAILABLE,
            S.ACCOUNT_MODEL,
            None,
            id="an account's allowance of nothing",
        ),
        pytest.param(
            {},
            says("x", 429, details=[{"violations": [{"quotaValue": "0"}]}]),
            "gemini",
            C.MODEL_UNAVAILABLE,
            S.ACCOUNT_MODEL,
            None,
            id="Google's value of nothing",
        ),
        pytest.param(
            {},
            says("x", 429, details=[{"violations": [{"quotaMetric": "a/generate_per_day"}]}]),
            "gemini",
            C.QUOTA_EXHAUSTED,
            S.ACCOUNT_MODEL,
            None,
            id="Google's metric of a day",
        ),
        pytest.param(
            {},
            says("quota metric 'Requests per day' of"),
            "gemini",
            C.QUOTA_EXHAUSTED,
            S.ACCOUNT_MODEL,
            None,
            id="Google's quotes",
        ),
        pytest.param(
            {},
            says("the tool 'limit per day' of"),
            "openai",
            C.RATE_LIMITED,
            S.ACCOUNT_MODEL,
            None,
            id="nobody else's quotes",
        ),
        pytest.param(
            {},
            says("You exceeded your current quota, please check"),
            "openai",
            C.QUOTA_EXHAUSTED,
            S.ACCOUNT,
            None,
            id="OpenAI's sentence",
        ),
        pytest.param(
            {},
            says("You exceeded your current quota, please check"),
            "gemini",
            C.RATE_LIMITED,
            S.ACCOUNT_MODEL,
            None,
            id="is not Google's",
        ),
        pytest.param({}, b"<html>429</html>", "openai", C.RATE_LIMITED, S.ENVIRONMENT, None, id="a gateway's page"),
        pytest.param({}, b"error code: 1015", "openai", C.RATE_LIMITED, S.ENVIRONMENT, None, id="an edge's words"),
        pytest.param(
            {}, b"an error code: 1015", "openai", C.RATE_LIMITED, S.ACCOUNT_MODEL, None, id="words that only hold them"
        ),
    ],
)
def test_limits_more_closely(
    headers: dict[str, str], body: object, provider: str, cls: ErrorClass, scope: Scope, seconds: float | None
) -> None:
    verdict = judge(429, body, headers, provider)
    assert (verdict.cls, verdict.scope, verdict.retry_after_s) == (cls, scope, seconds)


def test_a_burst_of_the_day_is_not_over_at_midnight() -> None:
    assert judge(429, says("Requests per day exceeded")).window is None
    assert judge(429, says("x"), {"x-ratelimit-remaining-tokens-week": "0"}).window is Window.WEEK


@pytest.mark.parametrize(
    ("budget", "scope"),
    [
        pytest.param({"scope": "api_key"}, S.KEY, id="a key's"),
        pytest.param({"scope": "workspace"}, S.ACCOUNT, id="a workspace's"),
        pytest.param({}, S.ACCOUNT, id="nobody says"),
    ],
)
def test_whose_a_budget_is(budget: dict[str, str], scope: Scope) -> None:
    body = says("x", metadata={"limit_source": "openrouter_guardrail_budget", **budget})
    assert judge(403, body).scope is scope
    assert judge(403, says("Insufficient credits", metadata=budget)).scope is S.ACCOUNT


@pytest.mark.parametrize(
    ("status", "availability", "cls", "action"),
    [
        pytest.param(404, {"code": "new", "retryable": False}, C.MODEL_UNAVAILABLE, Action.NEXT, id="gone for good"),
        pytest.param(404, {"code": "new", "retryable": True}, C.BAD_REQUEST, Action.RETURN, id="perhaps not"),
        pytest.param(404, {"code": "new", "retryable": "no"}, C.BAD_REQUEST, Action.RETURN, id="not said"),
        pytest.param(503, {"code": "new", "retryable": True}, C.OVERLOADED, Action.RETRY, id="for a while"),
    ],
)
def test_an_availability_of_tomorrow(
    status: int, availability: dict[str, object], cls: ErrorClass, action: Action
) -> None:
    verdict = judge(status, says("x", availability=availability))
    assert (verdict.cls, verdict.action) == (cls, action)


@pytest.mark.parametrize(
    ("message", "cls"),
    [
        pytest.param("The model was not found", C.MODEL_UNAVAILABLE, id="a model"),
        pytest.param("The model does not support images", C.BAD_REQUEST, id="what a model cannot do"),
        pytest.param("See the list of supported models", C.MODEL_UNAVAILABLE, id="a list of those that can be had"),
        pytest.param("unsupported model feature", C.BAD_REQUEST, id="what is not supported"),
        pytest.param("models that support images: none", C.BAD_REQUEST, id="none that can"),
        pytest.param("no such page", C.BAD_REQUEST, id="an address"),
    ],
)
def test_a_404_is_about_a_model_where_it_says_so(message: str, cls: ErrorClass) -> None:
    assert judge(404, says(message)).cls is cls
    assert judge(410, says(message)).cls is cls


# -- passed on, more closely


@pytest.mark.parametrize(
    ("status", "body", "cls", "scope", "reason"),
    [
        pytest.param(
            502,
            says("Provider returned error"),
            C.SERVER_ERROR,
            S.MODEL_PROVIDER,
            "the provider failed with status 502",
            id="nobody is named",
        ),
        pytest.param(
            429,
            says("Provider returned error"),
            C.RATE_LIMITED,
            S.MODEL_PROVIDER,
            "the model's provider limits this model for everybody",
            id="nobody is named, and limited",
        ),
        pytest.param(
            401,
            says("Provider returned error"),
            C.SERVER_ERROR,
            S.MODEL_PROVIDER,
            "the model's provider refused the aggregator's own key",
            id="nobody is named, and refused",
        ),
        pytest.param(
            400,
            says("Another error. Provider returned error"),
            C.BAD_REQUEST,
            S.REQUEST,
            "the provider refuses the request with status 400",
            id="words that only hold it",
        ),
        pytest.param(
            500,
            says("x", type="api_error", metadata={"provider_name": "P"}),
            C.SERVER_ERROR,
            S.NONE,
            "the provider failed with status 500",
            id="named, but our own failure",
        ),
        pytest.param(
            429,
            relayed("x", "", provider_name="P" * 50),
            C.RATE_LIMITED,
            S.MODEL_PROVIDER,
            "P" * 40 + " limits this model for everybody",
            id="a long name",
        ),
        pytest.param(
            403,
            relayed("x", says("model `m` is not available")),
            C.MODEL_UNAVAILABLE,
            S.MODEL,
            "the model is not available here",
            id="a model there",
        ),
        pytest.param(
            404,
            relayed("Provider returned error", says("You do not have access to the model")),
            C.MODEL_UNAVAILABLE,
            S.MODEL_PROVIDER,
            "the model is not open to this key",
            id="a model that the aggregator may not have",
        ),
        pytest.param(
            413,
            relayed("Provider returned error", says("Request too large for model m")),
            C.CONTEXT_LENGTH,
            S.MODEL_PROVIDER,
            "the request is larger than the plan allows for this model",
            id="a plan of the aggregator's",
        ),
        pytest.param(
            503,
            relayed("Provider returned error", ""),
            C.OVERLOADED,
            S.MODEL_PROVIDER,
            "the provider is overloaded",
            id="an overload there",
        ),
        pytest.param(
            422,
            relayed("Provider returned error", "bad"),
            C.BAD_REQUEST,
            S.REQUEST,
            "the provider refuses the request with status 422",
            id="a bad request there",
        ),
    ],
)
def test_an_error_passed_on_more_closely(status: int, body: object, cls: ErrorClass, scope: Scope, reason: str) -> None:
    verdict = judge(status, body)
    assert (verdict.cls, verdict.scope, verdict.reason) == (cls, scope, reason)


@pytest.mark.parametrize(
    ("provider", "code", "named", "cls", "scope"),
    [
        pytest.param("openrouter", 429, "P", C.RATE_LIMITED, S.MODEL_PROVIDER, id="a limit"),
        pytest.param("openrouter", 500, "P", C.SERVER_ERROR, S.MODEL_PROVIDER, id="a failure"),
        pytest.param("openrouter", "odd", "P", C.SERVER_ERROR, S.MODEL_PROVIDER, id="who knows"),
        pytest.param("openrouter", 401, "P", C.AUTH, S.KEY, id="but a key is ours"),
        pytest.param("openrouter", 429, "", C.RATE_LIMITED, S.KEY, id="nobody served it"),
        pytest.param("openai", 429, "P", C.RATE_LIMITED, S.ACCOUNT_MODEL, id="only of an aggregator"),
    ],
)
def test_what_broke_off_is_of_who_served_it(
    provider: str, code: object, named: str, cls: ErrorClass, scope: Scope
) -> None:
    verdict = judge(200, {"provider": named, "choices": [], **says("x", code)}, provider=provider)
    assert (verdict.cls, verdict.scope) == (cls, scope)


def test_the_users_own_key_at_the_provider_is_judged_by_the_providers_words() -> None:
    body = relayed("Provider returned error", says("try again in 7s", "insufficient_quota"), is_byok=True)
    verdict = judge(429, body)
    assert (verdict.cls, verdict.code, verdict.message) == (C.QUOTA_EXHAUSTED, "insufficient_quota", "try again in 7s")
    plain = judge(403, relayed("Provider returned error", "no", is_byok=True))
    assert (plain.cls, plain.message) == (C.AUTH, "Provider returned error")
    assert judge(429, relayed("Provider returned error", {"choices": []}, is_byok=True)).cls is C.RATE_LIMITED


# -- absurd hints


@pytest.mark.parametrize(
    ("stated", "seconds", "as_stated", "reason"),
    [
        pytest.param("4", 4, 4, "the rate limit is reached", id="what is usual"),
        pytest.param("0.004", 0.5, 0.004, "the rate limit is reached", id="a moment"),
        pytest.param("0", 0.5, 0, "the rate limit is reached", id="nothing"),
        pytest.param(
            "-30", 0.5, 0, "the rate limit is reached (the time it named was 30 s ago, taken as now)", id="the past"
        ),
        pytest.param(
            str(400 * 86_400),
            32 * 86_400,
            32 * 86_400,
            "a daily or longer limit is used up (it asked for 400 days, taken as 32 days)",
            id="more than a year",
        ),
        pytest.param(
            "1e400",
            32 * 86_400,
            32 * 86_400,
            "a daily or longer limit is used up (it asked for longer than a lifetime, taken as 32 days)",
            id="for ever",
        ),
        pytest.param("nan", None, None, "the rate limit is reached", id="not a number"),
    ],
)
def test_an_absurd_hint_is_clamped_and_the_reason_says_so(
    stated: str, seconds: float | None, as_stated: float | None, reason: str
) -> None:
    judgement = judgement_of("openrouter", Head(429, {"retry-after": stated}, b""), NOW_S)
    assert (judgement.verdict.retry_after_s, judgement.stated_s) == (seconds, as_stated)
    assert judgement.verdict.reason == reason
    assert judgement.known == judgement.verdict.known


odd_hints = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.sampled_from(["1e400", "-1e400", "9" * 400, "nan", "inf", "-inf", "", "soon", "0x10", "1_000", "٣"]),
)


@unhurried
@given(st.sampled_from([402, 429, 500, 503]), odd_hints, st.sampled_from(["retry-after", "retry-after-ms"]))
def test_no_hint_is_ever_beyond_what_is_believable(status: int, stated: str, header: str) -> None:
    judgement = judgement_of("openrouter", Head(status, {header: stated}, b""), NOW_S)
    seconds, as_stated = judgement.verdict.retry_after_s, judgement.stated_s
    assert (seconds is None) == (as_stated is None)
    if seconds is not None and as_stated is not None:
        assert FLOOR_S <= seconds <= CEILING_S
        assert 0 <= as_stated <= CEILING_S
        assert seconds == max(as_stated, FLOOR_S)


strangers = st.text(st.characters(codec="ascii", categories=["L"]), min_size=9)  # names of fields that nobody has
shapes = st.recursive(leaves | st.just(POISON), lambda inner: st.lists(inner) | st.dictionaries(strangers, inner))


@pytest.mark.many_cases
@unhurried
@given(st.integers(400, 599), shapes | st.binary().map(lambda raw: "<" + raw.hex()), st.booleans())
def test_an_unknown_shape_never_condemns_a_key(status: int, document: object, empty: bool) -> None:
    body = b"" if empty else document.encode() if isinstance(document, str) else json.dumps(document).encode()
    verdict = classify("openrouter", Head(status, {}, b"{" + body if body[:1].isalpha() else body), NOW_S)
    assert verdict.action is not Action.REAUTH
    assert verdict.action is not Action.PARK or status == 402


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        pytest.param(400, says("x"), {}, "the provider refuses the request with status 400", id="400"),
        pytest.param(401, says("x"), {}, "the provider refuses the key", id="401"),
        pytest.param(402, says("x"), {}, "the provider asks for payment", id="402"),
        pytest.param(
            402,
            says("You can only afford 3"),
            {},
            "this request may cost more than the credit that is left",
            id="402 for this request",
        ),
        pytest.param(403, says("x"), {}, "the provider forbids this to the key", id="403"),
        pytest.param(403, b"", {}, "a gateway on the way refused the request", id="403 of a gateway"),
        pytest.param(
            403,
            says("Your weekly share is over", type="access_terminated_error"),
            {},
            "the plan's allowance is used up",
            id="403 for a week, by its code",
        ),
        pytest.param(
            403,
            says("Not today", type="access_terminated_error"),
            {},
            "the provider forbids this to the key",
            id="no week",
        ),
        pytest.param(404, says("x"), {}, "the provider does not know this address", id="404"),
        pytest.param(404, says("no such model"), {}, "the model is not available here", id="404 for a model"),
        pytest.param(407, b"", {}, "the network on the way does not let the request through", id="407"),
        pytest.param(408, b"", {}, "the provider timed out", id="408"),
        pytest.param(412, says("An invoice is due"), {}, "the provider asks for payment", id="412"),
        pytest.param(429, says("x"), {}, "the rate limit is reached", id="429"),
        pytest.param(429, b"<html>", {}, "a gateway on the way limits this address", id="429 of a gateway"),
        pytest.param(429, says("TPD"), {}, "a daily or longer limit is used up", id="429 for a day"),
        pytest.param(
            429, says("x"), {"x-ratelimit-limit-a": "0"}, "the plan allows no requests to the model", id="429 for ever"
        ),
        pytest.param(
            429, says("You exceeded your current quota"), {}, "the account is out of credit", id="429 for money"
        ),
        pytest.param(499, b"", {}, "the client closed the request", id="499"),
        pytest.param(500, says("x"), {}, "the provider failed with status 500", id="500"),
        pytest.param(503, says("x"), {}, "the provider is overloaded", id="503"),
        pytest.param(304, b"", {}, "answered", id="304"),
        pytest.param(
            502,
            relayed("Provider returned error", says("prompt is too long")),
            {},
            "the provider failed with status 502",
            id="a failure there, with words of length",
        ),
        pytest.param(
            502,
            relayed("Provider returned error: prompt is too long", ""),
            {},
            "the provider failed with status 502",
            id="a failure there, with words of length outside",
        ),
        pytest.param(
            500,
            relayed("Provider returned error", says("Insufficient credits")),
            {},
            "the provider failed with status 500",
            id="a failure there, with words of money",
        ),
        pytest.param(498, relayed("Provider returned error", ""), {}, "the rate limit is reached", id="498 there"),
        pytest.param(
            200,
            {"provider": "P" * 50, "choices": [], **says("x", 429)},
            {},
            "P" * 40 + " limits this model for everybody",
            id="a long name of who served it",
        ),
    ],
)
def test_the_reason_is_one_plain_sentence(status: int, body: object, headers: dict[str, str], reason: str) -> None:
    assert judge(status, body, headers).reason == reason
