"""What providers' own codes and sentences mean: rows of evidence, the more telling first.

A row decides by a structured code, or by a sentence in the error's own message under the statuses
for which it means what it says. Facts are from the providers' documentation and public captures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tray_app.core.errorbody import ErrorBody
from tray_app.core.values import Action, ErrorClass, Scope, Verdict, Window

ACTION = {
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


def verdict(
    cls: ErrorClass, scope: Scope, reason: str, action: Action | None = None, window: Window | None = None
) -> Verdict:
    """The verdict for `cls`, with the action that it calls for unless another is given."""
    return Verdict(cls, scope, action or ACTION[cls], reason, window=window)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: any of `codes`, or a code like `code_pattern`, or `pattern` in the message.

    A pattern holds for `statuses` alone. A code holds for any, save that the provider's own failure (5xx)
    is only ever an overload; None for a status: an error inside a 200 that does not say which it stands for.
    """

    cls: ErrorClass
    scope: Scope
    reason: str
    codes: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    statuses: tuple[int, ...] = ()
    code_pattern: re.Pattern[str] | None = None
    action: Action | None = None
    window: Window | None = None

    def fits(self, status: int | None, body: ErrorBody) -> bool:
        """Whether the answer is of this row's kind."""
        return self._fits_code(status, body) or self._fits_words(status, body)

    def _fits_code(self, status: int | None, body: ErrorBody) -> bool:
        if status is not None and status >= 500 and self.cls is not ErrorClass.OVERLOADED:
            return False
        like = self.code_pattern
        return body.has(*self.codes) or (like is not None and any(like.search(code) for code in body.codes))

    def _fits_words(self, status: int | None, body: ErrorBody) -> bool:
        if self.pattern is None or (status is not None and status not in self.statuses):
            return False
        return self.pattern.search(body.message) is not None

    def verdict(self) -> Verdict:
        """What the row says of an answer that it fits."""
        return verdict(self.cls, self.scope, self.reason, self.action, self.window)


def _says(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_C, _S = ErrorClass, Scope
_MONEY_STATUSES = (400, 402, 403, 412, 429)

_CONTEXT = Rule(
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
        r"maximum (?:context|prompt) length|prompt is too long|exceed(?:s)? (?:the )?(?:model's |available )?"
        r"(?:maximum )?context (?:limit|length|size|window)|input token count .* exceeds|exceeded model token limit|"
        r"^request too large for|too large for model|\binputs?\b.{0,30}tokens?\b.{0,40}must be (?:<=|at most|less)|"
        r"reduce the length of the (?:messages|input|prompt)|required for long context|^too many tokens|"
        r"input is too long"
    ),
    (400, 403, 413, 422, 429),
)

CONTENT = Rule(
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
        "datainspectionfailed",
        "1301",
    ),
    _says(
        r"content (?:filter|management policy|policy violation|moderation)|content violates|blocked by content|"
        r"(?:unsafe|sensitive|prohibited|inappropriate) content|prompt injection patterns|requires moderation|"
        r"\bflagged\b|safety_check|safety (?:system|filter|polic)"
    ),
    (400, 403, 422, 451),
)

_MODEL = Rule(
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
        r"is not a valid model|^no endpoints found (?!that support)|"
        r"model [^ ]* (?:not found|does not exist|is not available)|models/\S+ is not found|no models loaded|"
        r"(?:not|n't) have access to (?:the |this )?model|"
        r"^(?:invalid|unknown) model\b|model\b.{0,80}\b(?:decommissioned|deprecated|retired|not in your plan)|"
        r"plan does not (?:yet )?include|\blimit: 0(?![.\d])"
    ),
    (400, 403, 404, 422, 429),
)

_AUTH = Rule(
    _C.AUTH,
    _S.KEY,
    "the provider refuses the key",
    ("invalid_api_key", "api_key_invalid", "account_deactivated", "1000", "1001", "1002", "1003", "1004"),
    _says(
        r"^(?:incorrect|invalid) api key|api key not valid|api key expired|api key was reported as leaked|"
        r"unregistered callers|^no auth credentials|^no cookie auth|^user not found|authentication fails|^login fail"
    ),
    (400, 401, 403, 404),
)

_CREDIT = Rule(
    _C.QUOTA_EXHAUSTED,
    _S.ACCOUNT,
    "the account is out of credit",
    ("insufficient_quota", "exceeded_current_quota_error", "usage_limit_reached", "blocked_api_access", "1113"),
    _says(
        r"credit balance is too low|insufficient (?:account )?(?:balance|credits|funds)|used all available credits|"
        r"(?:monthly|daily|weekly) spending limit|specified (?:workspace )?api usage limits|out of extra usage|"
        r"(?:balance|credits?|funds) (?:is|are) insufficient|no credits? (?:remaining|left)|out of credits?\b|"
        r"(?:credits?|balance) (?:is|are|has been|have been) (?:depleted|exhausted|used up)|"
        r"prompt tokens limit exceeded|depleted your .{0,40}credits"
    ),
    _MONEY_STATUSES,
    _says(r"(?<!su)spend|billing|credit|payment|arrear|(?<!load_)(?<![a-z])balance"),
)

# What an aggregator passes on from a provider counts where it is about the request, never about a key.
ABOUT_THE_REQUEST = (_CONTEXT, CONTENT, _MODEL)
ABOUT_THE_KEY = (_AUTH, _CREDIT)

# Codes and sentences that mean one thing wherever they appear.
RULES = (
    Rule(
        _C.RATE_LIMITED,
        _S.ACCOUNT,
        "the account's credit is reserved by requests in flight",
        ("openrouter_in_flight_budget", "in_flight_budget_exhausted"),
        _says(r"^this request would exceed your available credits given your current in-flight"),
        (402,),
    ),
    Rule(
        _C.QUOTA_EXHAUSTED,
        _S.ACCOUNT_FREE_MODELS,
        "the account's daily allowance of free requests is used up",
        ("openrouter_free_tier_daily",),
        _says(r"^rate limit exceeded: free-models-per-day"),
        (429,),
        window=Window.DAY,
    ),
    Rule(
        _C.RATE_LIMITED,
        _S.ACCOUNT_FREE_MODELS,
        "the account's free requests per minute are used up",
        (),
        _says(r"^rate limit exceeded: free-models-per-min"),
        (429,),
    ),
    Rule(
        _C.RATE_LIMITED,
        _S.MODEL,
        "this model is limited for everybody",
        ("openrouter_shared_capacity",),
        _says(r"^rate limit exceeded: limit_rp[md]/"),
        (429,),
    ),
    Rule(
        _C.RATE_LIMITED,
        _S.MODEL_PROVIDER,
        "the model's provider limits its shared pool",
        ("upstream_provider_shared_pool",),
    ),
    Rule(
        _C.QUOTA_EXHAUSTED,
        _S.KEY,
        "the key's spending limit is reached",
        ("openrouter_key_limit",),
        _says(r"^key limit exceeded|/settings/keys and create a key with a higher"),
        (402, 403, 429),
    ),
    Rule(
        _C.QUOTA_EXHAUSTED,
        _S.ACCOUNT,
        "the workspace's budget is spent",
        ("openrouter_guardrail_budget", "openrouter_workspace_budget"),
        _says(r"^(?:workspace|guardrail|organization|member) .*budget of .* exceeded"),
        (402, 403, 429),
    ),
    Rule(
        _C.AUTH,
        _S.REQUEST,
        "this address is not for keys of this kind",
        (),
        _says(r"^only (?:management|provisioning|admin) keys"),
        (401, 403),
        action=Action.RETURN,
    ),
    _CREDIT,
    _CONTEXT,
    CONTENT,
    _MODEL,
    _AUTH,
    Rule(
        _C.AUTH,
        _S.ACCOUNT,
        "the account is banned or suspended",
        ("organization_restricted", "1313"),
    ),
    Rule(
        _C.NETWORK,
        _S.ENVIRONMENT,
        "the provider does not serve this network or region",
        ("unsupported_country_region_territory", "region_restricted", "request_forbidden"),
        _says(
            r"location is not supported|not (?:available|supported) in your (?:country|region)|^request not allowed|"
            r"check your network settings|^error code: 1\d{3}"
        ),
        (400, 403, 451),
        action=Action.NEXT,
    ),
    Rule(
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
    Rule(
        _C.QUOTA_EXHAUSTED,
        _S.ACCOUNT,
        "the plan's allowance is used up",
        (),
        _says(
            r"usage limit (?:has been |was )?(?:reached|exceeded)|"
            r"(?:reached|exceeded|hit) (?:your|the|its)\b[^.]{0,40}\busage limit|"
            r"(?:quota|allowance|free tier)\b[^.]{0,40} (?:is|was|been) (?:exhausted|used up|depleted)"
        ),
        (400, 402, 403, 429),
    ),
)
