"""What providers' own codes and sentences mean: rows of evidence, the more telling first.

A row decides by a structured code, or by a sentence in the error's own message under the statuses
for which it means what it says. Facts are from the providers' documentation and public captures.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct

from tray_app.core.buckets import Family
from tray_app.core.errorbody import ErrorBody
from tray_app.core.values import Action, ErrorClass, Scope, Window

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


class Finding(NamedTuple):
    """What an answer means, before its hint and its words are added. `known` is False where only the status told."""

    cls: ErrorClass
    scope: Scope
    reason: str
    action: Action
    window: Window | None = None
    known: bool = True


def finding(
    cls: ErrorClass,
    scope: Scope,
    reason: str,
    action: Action | None = None,
    *,
    window: Window | None = None,
    known: bool = True,
) -> Finding:
    """The finding of `cls`, with the action that it calls for unless another is given."""
    return Finding(cls, scope, reason, action or ACTION[cls], window, known)


class Sentences(Struct, frozen=True):
    """Sentences that say one thing. Each is a phrase, and what the words around it must be like, if that matters.

    The phrase is looked for first because that is quick: this runs for every error of every call.
    """

    phrases: tuple[tuple[str, re.Pattern[str] | None], ...]

    def in_words(self, words: str) -> bool:
        """Whether any of them is in `words`, which are lower case."""
        for phrase, pattern in self.phrases:  # noqa: SIM110 - a generator would take twice the time
            if phrase in words and (pattern is None or pattern.search(words)):
                return True
        return False


def says(*phrases: str | tuple[str, str]) -> Sentences:
    """Sentences from phrases, and from pairs of a phrase and a pattern that every match of holds the phrase."""
    pairs = [(one, None) if isinstance(one, str) else (one[0], re.compile(one[1])) for one in phrases]
    return Sentences(tuple(pairs))


class Rule(Struct, frozen=True):
    """One row: any of `codes`, or a code like `code_pattern`, or one of `sentences` in the message.

    Sentences hold for `statuses` alone. A code holds for any, save that the provider's own failure (5xx)
    is only ever an overload; None for a status: an error inside a 200 that does not say which it stands for.
    A number among the codes is one provider's own (`zai:1113`).
    """

    cls: ErrorClass
    scope: Scope | None  # None: of whom the provider has plans
    reason: str
    codes: frozenset[str] = frozenset()
    sentences: Sentences | None = None
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
        if not self.codes.isdisjoint(body.codes):
            return True
        like = self.code_pattern
        return like is not None and any(like.search(code) for code in body.codes)

    def _fits_words(self, status: int | None, body: ErrorBody) -> bool:
        if self.sentences is None or (status is not None and status not in self.statuses):
            return False
        return self.sentences.in_words(body.words)

    def finding(self, family: Family) -> Finding:
        """What the row says of an answer of `family` that it fits."""
        scope = self.scope or family.plan
        if family.local and self.cls is ErrorClass.OVERLOADED:
            scope = Scope.NONE  # the user's own machine, whatever the model
        return finding(self.cls, scope, self.reason, self.action, window=self.window)


_C, _S = ErrorClass, Scope
_MONEY_STATUSES = (400, 402, 403, 412, 429)


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TIER = Rule(
    _C.CONTEXT_LENGTH,
    None,
    "the request is larger than the plan allows for this model",
    _codes("tokens_limit_reached"),
    says(("request too large for", r"^request too large for"), "required for long context"),
    (400, 413, 429),
)

_CONTEXT = Rule(
    _C.CONTEXT_LENGTH,
    _S.REQUEST,
    "the request is longer than the model's context",
    _codes(
        "context_length_exceeded exceed_context_size_error max_tokens_exceeded token_limit_exceeded"
        " model_context_window_exceeded zai:1261"
    ),
    says(
        "maximum context length",
        "maximum prompt length",
        ("too long", r"\bprompt (?:is )?too long|input is too long"),
        ("exceed", r"exceed(?:s)? (?:the )?(?:model's |available )?(?:maximum )?context (?:limit|length|size|window)"),
        ("exceeds the maximum number of tokens", r"input token count .*exceeds the maximum number of tokens"),
        ("token limit", r"exceeded (?:the )?model token limit"),
        "too large for model",
        ("must be", r"\binputs?\b.{0,30}tokens?\b.{0,40}must be (?:<=|at most|less)"),
        ("must have", r"\binputs?\b.{0,10} must have (?:less|fewer) than [\d,]+ tokens"),
        ("reduce the length of the", r"reduce the length of the (?:messages|input|prompt)"),
        ("too many tokens", r"^too many tokens(?! per )"),
        "range of input length should be",
    ),
    (400, 403, 413, 422, 429),
)

CONTENT = Rule(
    _C.CONTENT_FILTER,
    _S.REQUEST,
    "the provider's content policy refused the request",
    _codes(
        "content_filter content_policy_violation responsibleaipolicyviolation refusal invalid_prompt cyber_policy"
        " bio_policy datainspectionfailed zai:1301 minimax:1026 minimax:1027"
    ),
    says(
        ("content", r"content (?:filter|management policy|policy violation|moderation)"),
        "content violates",
        "blocked by content",
        ("content", r"(?:unsafe|sensitive|prohibited|inappropriate) content"),
        "prompt injection patterns",
        "requires moderation",
        ("flagged", r"\bflagged\b"),
        "safety_check",
        ("safety", r"safety (?:system|filter|polic)"),
    ),
    (400, 403, 422, 451),
)

_ACCESS = Rule(
    _C.MODEL_UNAVAILABLE,
    None,
    "the model is not open to this key",
    _codes(
        "privacy_restricted deploymentnotfound model_terms_required tier_not_allowed labs_not_enabled"
        " mistral:1910 mistral:1913 zai:1311"
    ),
    says(
        ("access to", r"(?:\b(?:do not|does not|don't|doesn't) have|\bno) access to (?:the |this )?(?:model|it\b)"),
        ("no endpoints", r"^no endpoints .*(?:data policy|guardrail)"),
        ("plan", r"plan does not (?:yet )?include|model\b.{0,80}\bnot in your plan"),
        ("limit: 0", r"\blimit: 0(?![.\d])"),
    ),
    (400, 403, 404, 422, 429),
)

_MODEL = Rule(
    _C.MODEL_UNAVAILABLE,
    _S.MODEL,
    "the model is not available here",
    _codes(
        "model_not_found model_decommissioned model_deprecated model_unavailable_upstream no_endpoints"
        " constraint_filtered free_variant_ended invalid_model model_not_available mistral:1500 zai:1211"
    ),
    says(
        "is not a valid model",
        ("no endpoints", r"^no endpoints (?:found|available) (?!that (?:support|can handle))"),
        ("model ", r"model (?:[^ ]* )?(?:not found|does not exist|is (?:currently )?(?:not available|unavailable))"),
        ("model not exist", r"^model not exist"),
        ("unable to access", r"^unable to access (?:[\w-]+ )?model"),
        ("models/", r"models/\S+ is not found"),
        "no models loaded",
        ("model", r"^(?:invalid|unknown) model\b|model\b.{0,80}\b(?:decommissioned|deprecated|retired|disabled)"),
    ),
    (400, 403, 404, 422, 429),
)

_AUTH = Rule(
    _C.AUTH,
    _S.KEY,
    "the provider refuses the key",
    _codes(
        "invalid_api_key api_key_invalid account_deactivated unrecognizedclientexception expiredtokenexception"
        " zai:1000 zai:1001 zai:1002 zai:1003 zai:1004 minimax:1004 minimax:2049"
    ),
    says(
        ("api key", r"^(?:incorrect|invalid|missing|no) api key"),
        ("api key", r"\bapi key (?:is )?(?:not valid|not found|invalid|expired|revoked)"),
        "api key was reported as leaked",
        "unregistered callers",
        ("no auth credentials", r"^no auth credentials"),
        ("no cookie auth", r"^no cookie auth"),
        ("user not found", r"^user not found"),
        "authentication fails",
        ("login fail", r"^login fail"),
    ),
    (400, 401, 403, 404),
)

_CREDIT = Rule(
    _C.QUOTA_EXHAUSTED,
    _S.ACCOUNT,
    "the account is out of credit",
    _codes(
        "insufficient_quota exceeded_current_quota_error usage_limit_reached blocked_api_access zai:1113 minimax:1008"
    ),
    says(
        ("too low", r"\bbalance (?:is )?too low"),
        ("any credits", r"\b(?:do not|does not|don't|doesn't) have any credits"),
        ("top up", r"\bplease top up\b"),
        "please recharge",
        "in arrears",
        ("insufficient", r"insufficient (?:account )?(?:balance|credits|funds)"),
        "used all available credits",
        ("spending limit", r"(?:monthly|daily|weekly) spending limit"),
        ("usage limits", r"specified (?:workspace )?api usage limits"),
        "out of extra usage",
        ("insufficient", r"(?:balance|credits?|funds) (?:is|are) insufficient"),
        ("no credit", r"no credits? (?:remaining|left)"),
        ("out of credit", r"out of credits?\b"),
        ("credit", r"credits? (?:is|are|has been|have been) (?:depleted|exhausted|used up)"),
        ("balance", r"balance (?:is|has been) (?:depleted|exhausted|used up)"),
        "prompt tokens limit exceeded",
        ("depleted your", r"depleted your .{0,40}credits"),
    ),
    _MONEY_STATUSES,
    re.compile(r"insufficient.*quota|(?<!su)spend|billing|credit|payment|arrear|(?<!load_)(?<![a-z])balance"),
)

BUDGET = Rule(
    _C.QUOTA_EXHAUSTED,
    _S.ACCOUNT,
    "the workspace's budget is spent",
    _codes("openrouter_guardrail_budget openrouter_workspace_budget"),
    says(("budget of", r"^(?:workspace|guardrail|organization|member) .*budget of .* exceeded")),
    (402, 403, 429),
)

# What an aggregator passes on from a provider counts where it is about the request, never about a key.
ABOUT_THE_REQUEST = (_TIER, _CONTEXT, CONTENT, _ACCESS, _MODEL)
ABOUT_THE_KEY = (_AUTH, _CREDIT)

# Codes and sentences that mean one thing wherever they appear.
RULES = (
    Rule(
        _C.RATE_LIMITED,
        _S.ACCOUNT,
        "the account's credit is reserved by requests in flight",
        _codes("openrouter_in_flight_budget in_flight_budget_exhausted"),
        says(("current in-flight", r"^this request would exceed your available credits given your current in-flight")),
        (402,),
    ),
    Rule(
        _C.QUOTA_EXHAUSTED,
        _S.ACCOUNT_FREE_MODELS,
        "the account's daily allowance of free requests is used up",
        _codes("openrouter_free_tier_daily"),
        says(("free-models-per-day", r"^rate limit exceeded: free-models-per-day")),
        (429,),
        window=Window.DAY,
    ),
    Rule(
        _C.RATE_LIMITED,
        _S.ACCOUNT_FREE_MODELS,
        "the account's free requests per minute are used up",
        sentences=says(("free-models-per-min", r"^rate limit exceeded: free-models-per-min")),
        statuses=(429,),
    ),
    Rule(
        _C.RATE_LIMITED,
        _S.MODEL,
        "this model is limited for everybody",
        _codes("openrouter_shared_capacity"),
        says(("limit_rp", r"^rate limit exceeded: limit_rp[md]/")),
        (429,),
    ),
    Rule(
        _C.RATE_LIMITED,
        _S.MODEL_PROVIDER,
        "the model's provider limits its shared pool",
        _codes("upstream_provider_shared_pool"),
    ),
    Rule(
        _C.QUOTA_EXHAUSTED,
        _S.KEY,
        "the key's spending limit is reached",
        _codes("openrouter_key_limit"),
        says(("key limit exceeded", r"^key limit exceeded"), "/settings/keys and create a key with a higher"),
        (402, 403, 429),
    ),
    BUDGET,
    Rule(
        _C.AUTH,
        _S.NONE,
        "this address is not for keys of this kind",
        sentences=says((" keys", r"^only (?:management|provisioning|admin) keys")),
        statuses=(401, 403),
        action=Action.RETURN,
    ),
    _CREDIT,
    _TIER,
    _CONTEXT,
    CONTENT,
    _ACCESS,
    _MODEL,
    _AUTH,
    Rule(
        _C.AUTH,
        _S.ACCOUNT,
        "the account is banned or suspended",
        _codes("organization_restricted zai:1313"),
        says(
            (
                "has been",
                r"\b(?:organization|account|workspace) has been "
                r"(?:disabled|suspended|deactivated|banned|restricted|terminated)",
            )
        ),
        (400, 401, 403),
    ),
    Rule(
        _C.NETWORK,
        _S.ENVIRONMENT,
        "the provider does not serve this network or region",
        _codes("unsupported_country_region_territory region_restricted request_forbidden"),
        says(
            "location is not supported",
            ("in your", r"not (?:available|supported) in your (?:country|region)"),
            ("request not allowed", r"^request not allowed"),
            "check your network settings",
            ("error code: 1", r"^error code: 1\d{3}"),
            "firewall rules",
            ("ip", r"\bip(?: address)?\b.{0,40} not (?:allowed|authorized|permitted|whitelisted)"),
        ),
        (400, 403, 451),
        action=Action.NEXT,
    ),
    Rule(
        _C.OVERLOADED,
        _S.MODEL,
        "the provider is overloaded",
        _codes(
            "overloaded_error engine_overloaded_error server_is_overloaded slow_down queue_exceeded capacity_exceeded"
            " capacity_exhausted model_capacity_exhausted service_tier_capacity_exceeded provider_overloaded"
            " temporarily_unavailable nocapacity mistral:3505 zai:1305"
        ),
        says(
            ("overloaded", r"\boverloaded\b"),
            ("capacity", r"\b(?:at|no) capacity\b|\bcapacity (?:is )?exceeded"),
            ("experiencing high", r"experiencing high (?:demand|traffic|load)"),
            ("busy", r"\b(?:server|service) (?:is )?(?:too )?busy\b"),
            ("resource exhausted", r"^resource exhausted\. please try again"),
        ),
        (429, 498, 503, 529),
    ),
    Rule(
        _C.QUOTA_EXHAUSTED,
        _S.ACCOUNT,
        "the plan's allowance is used up",
        _codes("zai:1308 zai:1309 zai:1310 minimax:2056"),
        says(
            ("usage limit", r"usage limit (?:has been |was )?(?:reached|exceeded)"),
            ("usage limit", r"(?:reached|exceeded|hit) (?:your|the|its)\b[^.]{0,40}\busage limit"),
            ("quota", r"quota\b[^.]{0,40} (?:is|was|been) (?:exhausted|used up|depleted)"),
            ("allowance", r"allowance\b[^.]{0,40} (?:is|was|been) (?:exhausted|used up|depleted)"),
            ("out of", r"\bout of (?:call volume )?quota\b"),
            ("free tier", r"free tier\b[^.]{0,40} (?:is|was|been) (?:exhausted|used up|depleted)"),
        ),
        (400, 402, 403, 429),
    ),
)
