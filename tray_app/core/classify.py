"""(provider, answer) -> Verdict: what happened, whose fault or limit it is, and what to do.

Order of evidence: how the transport failed; whether the error is ours or another provider's that
was passed on; structured codes; sentences anchored in the error's own message, each for the
statuses under which it means what it says; status. Never the raw body: it echoes what users wrote.
What is known by its status alone never condemns a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from tray_app.core import errorbody, hints
from tray_app.core.buckets import UNKNOWN, Family, family_of
from tray_app.core.errorbody import ErrorBody
from tray_app.core.evidence import (
    ABOUT_THE_KEY,
    ABOUT_THE_REQUEST,
    ACTION,
    BUDGET,
    CONTENT,
    RULES,
    Finding,
    finding,
    says,
)
from tray_app.core.values import Action, ErrorClass, Head, Hint, Scope, Source, Unreachable, Verdict, Window

LONG_HINT_S = 900.0  # a 429 that asks for more than this is a spent window, not a burst
DAY_WINDOW_S = 60.0  # a per-day limit with a longer hint than this is spent for the day

_C, _S = ErrorClass, Scope


class Judgement(Struct, frozen=True):
    """A verdict and how it was come by.

    `stated_s` is the answer's own hint as it stands, 0 for one that is past, where the verdict's is never so short
    that a pool would spin.
    """

    verdict: Verdict
    stated_s: float | None = None

    @property
    def known(self) -> bool:
        """Whether more than the status told: answers of which it did not are worth a look."""
        return self.verdict.known


def classify(provider: str, answer: Head | Unreachable, now_s: float) -> Verdict:
    """Judge an answer. `now_s` is seconds since the epoch, for hints that name an instant.

    A status of 2xx is an error here only when its body holds one, or no answer at all: whether a
    good-looking answer is complete is for the relay to see.
    """
    return judge(provider, answer, now_s).verdict


def judge(provider: str, answer: Head | Unreachable, now_s: float) -> Judgement:
    """The same, with what is known of how the verdict was come by."""
    if isinstance(answer, Unreachable):
        return Judgement(_unreached(answer))
    family = family_of(provider)
    body = errorbody.read(answer.body, family.name if family.numbers else "")
    status: int | None = answer.status
    if 200 <= answer.status < 300:
        if len(answer.body) > errorbody.MAX_BODY:  # an error is never so long
            return Judgement(_answered(answer.status))
        if body.is_json and not body.present:
            return Judgement(_answered(answer.status))
        status = _inner_status(body)
    if body.is_byok and body.raw:  # met with the user's own key at another provider: that one's words tell
        inner = errorbody.read(body.raw.encode())
        body = inner if inner.is_json and inner.present else body
    told = _Told(answer.headers, body, now_s, family)
    found = _find(status, body, told, family)
    return _dressed(found, body, told, status or _STANDS_FOR.get(found.cls, 500))


def _answered(status: int) -> Verdict:
    return Verdict(_C.OK, _S.NONE, Action.SERVE, "answered", status=status)


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


def _unreached(answer: Unreachable) -> Verdict:
    return Verdict(
        answer.kind,
        _UNREACHED.get(answer.kind, _S.ENVIRONMENT),
        ACTION[answer.kind],
        answer.message,
        ambiguous=answer.delivered and answer.kind is not _C.AUTH,
    )


class _Told:
    """When an answer says to come back: looked for only when that is asked, and once."""

    __slots__ = ("_body", "_now_s", "_sought", "_whole", "family", "headers")

    def __init__(self, headers: Mapping[str, str], body: ErrorBody, now_s: float, family: Family) -> None:
        self.headers = headers
        self._body = body
        self._now_s = now_s
        self.family = family
        self._sought = False
        self._whole: Hint | None = None

    def hint(self) -> Hint | None:
        """Whatever says so, the ends of rate windows too."""
        if not self._sought:
            self._whole, self._sought = self._look(resets=True), True
        return self._whole

    def wait(self) -> Hint | None:
        """What is meant for a failure: the end of a rate window says nothing of when that is mended."""
        return self._look(resets=False)

    def _look(self, *, resets: bool) -> Hint | None:
        body, zone = self._body, self.family.zone
        return hints.from_headers(self.headers, self._now_s, resets=resets) or hints.from_body(
            body.fields, body.words, self._now_s, resets=resets, zone=zone
        )


def _inner_status(body: ErrorBody) -> int | None:
    """The status that an error inside a 200 stands for, where it says."""
    for code in body.codes:
        if len(code) == 3 and code.isdecimal() and 400 <= int(code) <= 599:
            return int(code)
    named = [_RANK[code] for code in body.codes if code in _RANK]
    if named:
        return _STATUSES[min(named)]
    return 429 if _LIMITED.search(body.words) else None


# OpenRouter's error_type, Anthropic's error.type, Google's status, OpenAI's codes inside streams, MiniMax's
# numbers: what they stand for. Of several, the first counts: an aggregator's typed code says more than the native.
_TYPED = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "rate_limited": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "rate_limit_reached_error": 429,
    "ratelimitreached": 429,
    "throttlingexception": 429,
    "quota_exceeded": 429,
    "minimax:1002": 429,
    "minimax:1039": 429,
    "minimax:1041": 429,
    "authentication": 401,
    "authentication_error": 401,
    "unauthenticated": 401,
    "unauthorized": 401,
    "payment_required": 402,
    "billing_error": 402,
    "permission_denied": 403,
    "permission_error": 403,
    "forbidden": 403,
    "accessdeniedexception": 403,
    "not_found": 404,
    "not_found_error": 404,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "string_too_long": 400,
    "minimax:2013": 400,
    "precondition_failed": 412,
    "request_too_large": 413,
    "payload_too_large": 413,
    "unprocessable": 422,
    "overloaded_error": 529,
    "provider_overloaded": 503,
    "service_unavailable_error": 503,
    "unavailable": 503,
    "provider_unavailable": 502,
    "timeout": 504,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "minimax:1001": 504,
    "api_error": 500,
    "server_error": 500,
    "server": 500,
    "internal": 500,
    "internal_server_error": 500,
    "unmapped": 500,
}
_STATUSES = tuple(_TYPED.values())
_RANK = {code: rank for rank, code in enumerate(_TYPED)}
_LIMITED = re.compile(
    r"^(?:rate limit|too many requests)|\b(?:rate|requests?|qps|[tr]p[ms]) limit (?:is |was )?(?:reached|exceeded)"
)

_RELAYED = re.compile(r"^provider returned error")


def _find(status: int | None, body: ErrorBody, told: _Told, family: Family) -> Finding:
    relay = _relay(status, body, family)
    if relay is not None:
        return _relayed(status, body, relay, told)
    if _request_too_dear(status, body):
        reason = "this request may cost more than the credit that is left"
        return finding(_C.QUOTA_EXHAUSTED, _S.REQUEST, reason, Action.NEXT)
    if _never_fits(status, body):
        return ABOUT_THE_REQUEST[0].finding(family)
    for rule in RULES:
        if rule.fits(status, body):
            return _narrowed(rule.finding(family), body)
    if status is None:
        return _no_answer(body)
    return _by_status(status, body, told, family)


def _relay(status: int | None, body: ErrorBody, family: Family) -> str | None:
    """The provider whose error an aggregator passes on, if it does."""
    if body.relayed_from is not None:
        mine = _RELAYED.search(body.words) is None and status not in (401, 403, 429)
        return None if mine else body.relayed_from[:40]
    if not body.is_byok and _RELAYED.search(body.words):
        return "the model's provider"
    failed = status is None or status == 429 or status >= 500
    return body.served_by[:40] if body.served_by and failed and family.name == "openrouter" else None


def _narrowed(found: Finding, body: ErrorBody) -> Finding:
    """A budget may be one of a key's alone; then it says so."""
    if found.reason is BUDGET.reason and any("key" in str(field.get("scope")).lower() for field in body.fields):
        return found._replace(scope=_S.KEY)
    return found


def _request_too_dear(status: int | None, body: ErrorBody) -> bool:
    return status == 402 and "can only afford" in body.words and "/settings/keys" not in body.words


_ASKED = re.compile(r"\blimit:? (\d[\d,]*)\b.*?\brequested:? (\d[\d,]*)\b")


def _never_fits(status: int | None, body: ErrorBody) -> bool:
    """Whether one request alone asks for more than the limit: waiting does not help."""
    if status not in (413, 429) or "requested" not in body.words or (found := _ASKED.search(body.words)) is None:
        return False
    limit, asked = (int(number.replace(",", "")) for number in found.groups())
    return asked > limit > 0


def _relayed(status: int | None, body: ErrorBody, who: str, told: _Told) -> Finding:
    """An error of a provider behind an aggregator: never says anything about our key."""
    if status == 429:
        return finding(_C.RATE_LIMITED, _S.MODEL_PROVIDER, f"{who} limits this model for everybody")
    inner = errorbody.read(body.raw.encode())
    for rule in ABOUT_THE_REQUEST:
        if rule.fits(status, body) or rule.fits(status, inner):
            found = rule.finding(UNKNOWN)
            return found._replace(scope=rule.scope or _S.MODEL_PROVIDER)
    if status == 403 and any("flagged_input" in field and "provider_name" in field for field in body.fields):
        return CONTENT.finding(UNKNOWN)
    if status in (401, 402, 403) or any(rule.fits(status, inner) for rule in ABOUT_THE_KEY):
        return finding(_C.SERVER_ERROR, _S.MODEL_PROVIDER, f"{who} refused the aggregator's own key")
    found = _by_status(status or 502, body, told, UNKNOWN)
    return found if found.scope is _S.REQUEST else found._replace(scope=_S.MODEL_PROVIDER)


def _no_answer(body: ErrorBody) -> Finding:
    """A 2xx whose body is an error that names no status, or no answer."""
    if body.is_page:
        return finding(_C.NETWORK, _S.ENVIRONMENT, "a web page came instead of an answer", known=False)
    if not body.is_json:
        return finding(_C.SERVER_ERROR, _S.NONE, "the answer is empty or broken", known=False)
    return finding(_C.SERVER_ERROR, _S.NONE, "the provider failed without saying how", known=False)


def _by_status(status: int, body: ErrorBody, told: _Told, family: Family) -> Finding:
    known = not _STATED.isdisjoint(body.codes)
    match status:
        case 429 | 498:
            return _too_many(body, told, family)
        case 401:
            return _unauthorized(body, told.headers)
        case 402:
            return finding(_C.QUOTA_EXHAUSTED, _S.ACCOUNT, "the provider asks for payment", known=known)
        case 403:
            return _forbidden(body, family)
        case 404 | 410:
            return _not_found(body)
        case 407 | 451 | 511:
            reason = "the network on the way does not let the request through"
            return finding(_C.NETWORK, _S.ENVIRONMENT, reason, Action.NEXT, known=False)
        case 408 | 504 | 524:
            return finding(_C.TIMEOUT, _S.NONE, "the provider timed out", known=known)
        case 412 if _SUSPENDED.search(body.words):
            return finding(_C.QUOTA_EXHAUSTED, _S.ACCOUNT, "the provider asks for payment")
        case 499:
            return finding(_C.NETWORK, _S.REQUEST, "the client closed the request", Action.RETURN, known=known)
        case 503 | 529:
            return _overloaded(body, family)
    if status >= 500 or status == 424:
        scope = _S.MODEL_PROVIDER if body.has("provider_unavailable") else _S.NONE
        return finding(_C.SERVER_ERROR, scope, f"the provider failed with status {status}", known=known)
    if status >= 400:
        reason = f"the provider refuses the request with status {status}"
        return finding(_C.BAD_REQUEST, _S.REQUEST, reason, known=known)
    return finding(_C.OK, _S.NONE, "answered")


_STATED = frozenset(_TYPED)
_SUSPENDED = re.compile(r"suspended|billing|invoice|payment")


def _overloaded(body: ErrorBody, family: Family) -> Finding:
    """A 503 of a known provider's own is about the model; any other may be of any gateway."""
    known = not _STATED.isdisjoint(body.codes) or "unavailable" in body.words
    named = body.is_json and family.name != "" and not family.local
    scope = _S.MODEL if named else _S.NONE
    return finding(_C.OVERLOADED, scope, "the provider is overloaded", known=known)


_NO_ALLOWANCE = re.compile(r"x-ratelimit-limit-.+")
_LONG_WINDOW = re.compile(r"x-ratelimit.*-remaining-.*(day|week|month)")
_EDGE = re.compile(r"^error code: 1\d{3}")
_LIMIT_WORDS = re.compile(
    r"rate.?limit|too many|throttl|quota|limit (?:was |is |has been )?(?:reached|exceeded)|limited to"
)
# The window that is named first is the one that is meant; others are adverts.
_WINDOW = re.compile(
    r"(per[ _-]?(?:day|week|month)|/ ?(?:day|week|month)\b|\b[tr]pd\b|daily|weekly|monthly|per 86400s|\btomorrow\b"
    r"|\bfor (?:today\b|the day\b|this (?:day|week|month)))"
    r"|(?:per[ _-]?|/ ?)(?:s|sec|second|min|minute|h|hour)(?![a-z])|\b[tr]p[msh]\b|hourly"
)
_DAILY_CODES = frozenset({"quota_exhausted", "quota_exceeded", "access_terminated_error"})


def _too_many(body: ErrorBody, told: _Told, family: Family) -> Finding:
    if body.is_page or _EDGE.search(body.words):
        return finding(_C.RATE_LIMITED, _S.ENVIRONMENT, "a gateway on the way limits this address")
    headers = told.headers
    nothing = [name for name, value in headers.items() if value.strip() == "0"]
    if any(_NO_ALLOWANCE.fullmatch(name) for name in nothing) or _allows_nothing(body):
        return finding(_C.MODEL_UNAVAILABLE, family.plan, "the plan allows no requests to the model")
    if emptied := next((found for name in nothing if (found := _LONG_WINDOW.fullmatch(name))), None):
        window = Window(emptied.group(1))
        return _spent(_S.KEY if window is Window.MONTH else family.allowance, window)
    if _names_a_day(body):
        return _spent(family.allowance, Window.PACIFIC_DAY)
    google = family.name == "google"
    if body.words.startswith("you exceeded your current quota") and not google:
        return finding(_C.QUOTA_EXHAUSTED, _S.ACCOUNT, "the account is out of credit")
    rate, allowance = family.rate, family.allowance
    if subscription := headers.get("anthropic-ratelimit-unified-status"):
        rate = allowance = _S.ACCOUNT
    hint = told.hint()
    spent = subscription == "rejected" or _daily(body, headers, google=google)
    if spent and (hint is None or hint.after_s > DAY_WINDOW_S):
        return _spent(allowance)
    if hint is not None and hint.after_s >= LONG_HINT_S:
        return _spent(allowance)
    scope = _S.KEY if rate is _S.KEY_MODEL and "concurrent" in body.words else rate
    known = hint is not None or not _STATED.isdisjoint(body.codes) or _LIMIT_WORDS.search(body.words) is not None
    return finding(_C.RATE_LIMITED, scope, "the rate limit is reached", known=known)


def _spent(scope: Scope, window: Window | None = None) -> Finding:
    return finding(_C.QUOTA_EXHAUSTED, scope, "a daily or longer limit is used up", window=window)


def _daily(body: ErrorBody, headers: Mapping[str, str], *, google: bool) -> bool:
    """Whether the limit that is reached is one of a day or longer."""
    named = _WINDOW.search(body.message.lower() if google else body.words)  # Google names it between quotes
    if named is not None:
        return named.group(1) is not None
    if headers.get("x-ratelimit-type", "").lower().endswith("byday"):  # GitHub's
        return True
    return not _DAILY_CODES.isdisjoint(body.codes)


def _quotas(body: ErrorBody, name: str) -> list[str]:
    return [value.lower() for field in body.fields if isinstance(value := field.get(name), str)]


def _names_a_day(body: ErrorBody) -> bool:
    """Google's quotaId names the window; its retry hint does not (it says seconds for a day)."""
    return any("perday" in one for one in _quotas(body, "quotaId")) or any(
        "per_day" in one for one in _quotas(body, "quotaMetric")
    )


def _allows_nothing(body: ErrorBody) -> bool:
    return "0" in _quotas(body, "quotaValue")


def _unauthorized(body: ErrorBody, headers: Mapping[str, str]) -> Finding:
    """A 401: it condemns the key only where somebody says so who speaks for an API."""
    known = bool(body.words or body.codes) or "www-authenticate" in headers
    action = Action.REAUTH if known else Action.NEXT
    return finding(_C.AUTH, _S.KEY, "the provider refuses the key", action, known=known)


_FORBIDDING = frozenset({"permission_error", "permission_denied", "accessdeniedexception", "authentication_error"})
_ABOUT_A_KEY = says(
    ("key", r"\bkeys?\b"),
    ("token", r"\btokens?\b"),
    "credential",
    "authenti",
    "authori",
    "oauth",
    "log in",
    "login",
    "permission",
)


def _forbidden(body: ErrorBody, family: Family) -> Finding:
    if not body.is_json:
        return finding(_C.NETWORK, _S.ENVIRONMENT, "a gateway on the way refused the request", known=False)
    named = _WINDOW.search(body.words)
    if body.has("permission_error", "access_terminated_error") and named is not None and named.group(1):
        return finding(_C.QUOTA_EXHAUSTED, family.allowance, "the plan's allowance is used up")
    known = not _FORBIDDING.isdisjoint(body.codes) or _ABOUT_A_KEY.in_words(body.words)
    action = Action.REAUTH if known else Action.NEXT
    return finding(_C.AUTH, _S.KEY, "the provider forbids this to the key", action, known=known)


_UNSUPPORTED = re.compile(r"(?:\bnot |n't |\bun|\bthat )support")


def _not_found(body: ErrorBody) -> Finding:
    """A 404 is about a model where it says so; else the address is wrong."""
    words = body.words
    retryable = [field["retryable"] for field in body.fields if isinstance(field.get("retryable"), bool)]
    if ("model" in words and not _UNSUPPORTED.search(words)) or retryable == [False]:
        return finding(_C.MODEL_UNAVAILABLE, _S.MODEL, "the model is not available here")
    return finding(_C.BAD_REQUEST, _S.REQUEST, "the provider does not know this address", known=False)


def _dressed(found: Finding, body: ErrorBody, told: _Told, status: int) -> Judgement:
    """Add what the answer stated: hint, code, its own words. Errors that waiting does not mend carry no hint."""
    action, reason = found.action, found.reason
    hint = None
    if action in (Action.COOL, Action.PARK):
        hint = told.hint()
        if action is Action.PARK and hint is not None and hint.after_s <= DAY_WINDOW_S:
            hint = None  # a spent quota is not back within a minute, whatever a general hint says
    elif action is Action.RETRY:
        hint = told.wait()
    stated = None
    if hint is not None:
        stated = min(max(hint.after_s, 0.0), hints.CEILING_S)
        if doubt := hints.doubt(hint.after_s):
            reason = f"{reason} ({doubt})"
    verdict = Verdict(
        found.cls,
        found.scope,
        action,
        reason,
        None if hint is None else hints.believable(hint.after_s),
        Source.INFERRED if hint is None else hint.source,
        _telling(body.codes),
        body.message or None,
        status,
        found.cls is _C.TIMEOUT,
        found.window,
        _is_crowded(found, body, told),
        found.known,
    )
    return Judgement(verdict, stated)


_CROWDED = frozenset({"openrouter_in_flight_budget", "in_flight_budget_exhausted", "zai:1302", "minimax:1041"})
_OURS = frozenset({Scope.KEY, Scope.KEY_MODEL, Scope.ACCOUNT, Scope.ACCOUNT_MODEL})


def _is_crowded(found: Finding, body: ErrorBody, told: _Told) -> bool:
    """Whether the limit is one of calls at once, and ours."""
    if found.cls is not _C.RATE_LIMITED or found.scope not in _OURS:
        return False
    if "concurren" in body.words or "in-flight" in body.words or not _CROWDED.isdisjoint(body.codes):
        return True
    if told.family.name == "deepseek":  # its only limit
        return True
    return "concurrent" in told.headers.get("x-ratelimit-type", "").lower()


_SAYS_NOTHING = frozenset({"error", "response.failed", "response.error", "failed"})


def _telling(codes: tuple[str, ...]) -> str | None:
    """The code that tells most: the first name, else the first number."""
    number = None
    for code in codes:
        if code.isdecimal():
            number = number or code
        elif code not in _SAYS_NOTHING:
            return code
    return number
