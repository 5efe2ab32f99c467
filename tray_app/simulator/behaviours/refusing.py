"""Refusals for what the request asks, for who asks it, and for what went wrong behind OpenRouter."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from .. import errors
from ..values import Ask, Fault, Reply
from .base import HTML, Behaviour, refusal
from .hinted import Hinted

DOCS = "https://openrouter.ai/docs/errors"

TYPES = {
    400: "invalid_request",
    401: "authentication",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    429: "rate_limit_exceeded",
    500: "server",
    502: "provider_unavailable",
    503: "provider_overloaded",
    504: "timeout",
    524: "timeout",
    529: "provider_overloaded",
}
"""The stable `error_type` for each status: https://openrouter.ai/docs/api_reference/errors-and-debugging"""

Status = Annotated[int, Meta(ge=400, le=599)]


class Unauthorized(Behaviour, frozen=True):
    """401: the key is revoked; `GET /key` says so too."""

    do: ClassVar[str] = "unauthorized"

    def reply(self, ask: Ask) -> Reply:
        return refusal(ask.endpoint.skin, errors.unknown_key())

    def about_key(self, facts: dict[str, object]) -> dict[str, object] | Fault:
        return errors.unknown_key()


class Forbidden(Behaviour, frozen=True):
    """403: moderation flagged the input."""

    do: ClassVar[str] = "forbidden"

    reasons: tuple[str, ...] = ("violence",)

    def reply(self, ask: Ask) -> Reply:
        message = f"{ask.model} requires moderation. Your input was flagged for {', '.join(self.reasons)!r}"
        metadata = {
            "reasons": self.reasons,
            "flagged_input": _middle_out(ask.said),
            "provider_name": "OpenAI",
            "model_slug": ask.model,
        }
        return refusal(ask.endpoint.skin, Fault(403, message, "permission_denied", metadata, user_id=ask.user_id))


class BadRequest(Behaviour, frozen=True):
    """400: the request is at fault."""

    do: ClassVar[str] = "bad_request"

    message: str = 'Input required: specify "prompt" or "messages"'

    def reply(self, ask: Ask) -> Reply:
        return refusal(ask.endpoint.skin, errors.invalid(self.message))


class ContextLength(Behaviour, frozen=True):
    """400: the prompt is longer than the model's context."""

    do: ClassVar[str] = "context_length"

    limit: int = 16_384
    asked: int = 26_265

    def reply(self, ask: Ask) -> Reply:
        message = (
            f"This endpoint's maximum context length is {self.limit} tokens. However, you requested about "
            f"{self.asked} tokens ({self.asked - 10} of text input, 10 in the output). Please reduce the length "
            "of either one, or use the context-compression plugin to compress your prompt automatically."
        )
        metadata = {"provider_name": None}
        return refusal(ask.endpoint.skin, Fault(400, message, "context_length_exceeded", metadata))


class ModelNotFound(Behaviour, frozen=True):
    """404: no endpoint for the model; 400: no such model. `availability`: in the newer shape without a code."""

    do: ClassVar[str] = "model_not_found"

    status: Literal[400, 404] = 404
    availability: bool = False

    def reply(self, ask: Ask) -> Reply:
        known = self.status == 404
        message = f"No endpoints found for {ask.model}." if known else f"{ask.model} is not a valid model ID"
        code = "no_endpoints" if known else "model_not_found"
        fault = Fault(
            self.status,
            message,
            TYPES[self.status],
            availability=_availability(ask, code, retryable=False) if self.availability else None,
        )
        return refusal(ask.endpoint.skin, fault)


class ServerError(Behaviour, frozen=True):
    """500, or another status of that family (502, 504, 524 ...), as JSON."""

    do: ClassVar[str] = "server_error"

    status: Annotated[int, Meta(ge=500, le=599)] = 500
    message: str = "Internal Server Error"

    def reply(self, ask: Ask) -> Reply:
        kind = TYPES.get(self.status, "server")
        return refusal(ask.endpoint.skin, Fault(self.status, self.message, kind, request_id=ask.gen))


class BadGatewayHtml(Behaviour, frozen=True):
    """502 as a page of HTML, the way an edge in front of the provider answers."""

    do: ClassVar[str] = "bad_gateway_html"

    status: Annotated[int, Meta(ge=500, le=599)] = 502

    def reply(self, ask: Ask) -> Reply:
        title = f"{self.status} Bad Gateway"
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        footer = "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
        return Reply(status=self.status, headers=HTML, pieces=((page + footer).encode(),))


class Overloaded(Hinted, frozen=True):
    """503 or 529: nobody can serve the model now. `availability`: in the newer shape without a code."""

    do: ClassVar[str] = "overloaded"

    status: Literal[503, 529] = 503
    availability: bool = False

    def reply(self, ask: Ask) -> Reply:
        message = f"All providers for {ask.model} are temporarily unavailable."
        fault = Fault(
            self.status,
            self.with_prose(message),
            "provider_overloaded",
            self.hint_metadata(),
            self.hint_headers(ask),
            request_id=ask.gen,
            availability=self._availability(ask) if self.availability else None,
        )
        return refusal(ask.endpoint.skin, fault)

    def _availability(self, ask: Ask) -> dict[str, object]:
        after = {} if self.metadata_after is None else {"retry_after": self.metadata_after}
        return _availability(ask, "temporarily_unavailable", retryable=True) | after


class ProviderError(Hinted, frozen=True):
    """Another's error passed on: `raw` speaks of the provider's account, not of this key's."""

    do: ClassVar[str] = "provider_error"

    status: Status = 429
    provider: str = "DigitalOcean"
    byok: bool = False
    raw: str | None = None

    def reply(self, ask: Ask) -> Reply:
        metadata = {"raw": self._raw(ask), "provider_name": self.provider, "is_byok": self.byok}
        if self.status == 429 and not self.byok:
            metadata["limit_source"] = "upstream_provider_shared_pool"
        fault = Fault(
            self.status,
            self.with_prose("Provider returned error"),
            TYPES.get(self.status, "unmapped"),
            metadata | self.hint_metadata(),
            self.hint_headers(ask),
            request_id=ask.gen,
        )
        return refusal(ask.endpoint.skin, fault)

    def _raw(self, ask: Ask) -> str:
        if self.raw is not None:
            return self.raw
        if self.status == 401:
            return '{"error":{"code":"authentication_error","message":"invalid API key"}}'
        return (
            f"{ask.model} is temporarily rate-limited upstream. Please retry shortly, or add your own key to "
            "accumulate your rate limits: https://openrouter.ai/settings/integrations"
        )


def _availability(ask: Ask, code: str, *, retryable: bool) -> dict[str, object]:
    return {
        "code": code,
        "retryable": retryable,
        "requested_models": [ask.model],
        "docs_url": f"{DOCS}#{code}",
    }


def _middle_out(text: str) -> str:
    """At most a hundred characters, the middle left out, as the documentation says of `flagged_input`."""
    return text if len(text) <= 100 else f"{text[:49]}...{text[-48:]}"
