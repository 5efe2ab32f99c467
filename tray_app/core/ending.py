"""The honest end: what a client gets when no profile can serve, or when a stream cannot go on.

In the client protocol's own error shape. The words are chosen so that no agent takes a definite
end for a passing fault: OpenCode retries any error whose text speaks of rate limits, overload or
numbers such as 503, whatever the status says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from tray_app.core.policy import Refuse, Why
from tray_app.core.pool import Member
from tray_app.core.values import ErrorClass, Phase, Protocol

RETRY_AFTER_CAP_S = 60

_STATUS = {
    Why.NO_PROFILE: 503,
    Why.NO_MATCH: 503,
    Why.BUSY: 503,
    Why.PAUSED: 503,
    Why.HALTED: 503,
    Why.REAUTH: 403,
    Why.LIMITED: 429,
    Why.BROKEN: 502,
    Why.OFFLINE: 503,
    Why.LAST_ANSWER: 502,
}

_SAYS = {
    Why.NO_PROFILE: "O-Switcher holds no key for this provider. Add one: o-switcher profiles add PROVIDER --label main",
    Why.NO_MATCH: "No profile fits the tags or the kind of this request. See: o-switcher list",
    Why.BUSY: "Too many requests wait for a place already.",
    Why.PAUSED: "Every profile is paused, draining or disabled. See: o-switcher status",
    Why.HALTED: "Everything is paused by the operator. To go on: o-switcher resume-all.",
    Why.REAUTH: "The provider refuses the key of every profile. Give a new one: o-switcher profiles set PROFILE --key.",
    Why.LIMITED: "No profile can serve this request now.",
    Why.BROKEN: "The provider failed on every profile that was tried.",
    Why.OFFLINE: "The provider cannot be reached from this machine.",
    Why.LAST_ANSWER: "The provider's answer could not be passed on.",
}

_COOLING = {
    ErrorClass.QUOTA_EXHAUSTED: "out of quota",
    ErrorClass.RATE_LIMITED: "cooling",
}


class Ending(Struct, frozen=True):
    """A whole answer of our own. `retry_after_s` is already in `headers`."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def exhausted(
    refuse: Refuse,
    protocol: Protocol,
    members: Sequence[Member],
    model: str | None,
    now: int,
    request_id: str,
    *,
    only: str | None = None,
    slowed: str | None = None,
) -> Ending:
    """The answer when no profile can serve. Times are ms since the epoch.

    Args:
        only: the one profile that may serve at all.
        slowed: why the request was held back, in a sentence without its point.
    """
    profiles = [_profile_state(member, model, now) for member in members]
    listed = "; ".join(f"{item['id']}: {item['words']}" for item in profiles)
    message = _says(refuse.why, only) + (f" {listed}." if listed and refuse.why is not Why.HALTED else "")
    if slowed is not None:
        message += f" {slowed[0].upper()}{slowed[1:]}."
    details: dict[str, object] = {
        "why": refuse.why.value,
        "profiles": [{k: v for k, v in item.items() if k != "words"} for item in profiles],
        "resets_at": refuse.resets_at,
        "request_id": request_id,
    }
    wait = _retry_after(refuse, now)
    # SDKs try again by themselves where they are not told: the profiles have been tried already
    extra = ((b"retry-after", b"%d" % wait),) if wait is not None else ((b"x-should-retry", b"false"),)
    status = _STATUS[refuse.why]
    return _json(status, _shape(protocol, status, "o_switcher_exhausted", message, details), extra)


def _says(why: Why, only: str | None) -> str:
    if only is None or why in (Why.NO_PROFILE, Why.BUSY, Why.OFFLINE, Why.LAST_ANSWER, Why.HALTED):
        return _SAYS[why]
    return f"Only {only} may serve now, as it was chosen with --strict; to end that: o-switcher unpin."


def refused(
    status: int,
    message: str,
    protocol: Protocol = Protocol.OTHER,
    *,
    request_id: str | None = None,
    retry_after_s: int | None = None,
) -> Ending:
    """The answer to a request that is turned away at the door."""
    extra = ((b"retry-after", b"%d" % min(retry_after_s, RETRY_AFTER_CAP_S)),) if retry_after_s is not None else ()
    details: dict[str, object] = {"request_id": request_id} if request_id else {}
    return _json(status, _shape(protocol, status, "o_switcher_refused", message, details), extra)


def _retry_after(refuse: Refuse, now: int) -> int | None:
    if refuse.why is Why.OFFLINE:
        return 5
    if refuse.why not in (Why.LIMITED, Why.BUSY) or refuse.resets_at is None:
        return None
    seconds = max(1, -(-(refuse.resets_at - now) // 1000))
    return min(seconds, RETRY_AFTER_CAP_S)


def _profile_state(member: Member, model: str | None, now: int) -> dict[str, object]:
    phase = member.phase(now, model)
    resting = member.resting(now, model)
    resets_at = resting.until_at if phase is Phase.COOLING and resting else None
    words = phase.value
    if resets_at is not None and resting is not None:
        words = f"{_COOLING.get(resting.error_class, 'cooling')}, back {_in_words(resets_at, now)}"
    return {"id": member.profile.id, "state": phase.value, "resets_at": resets_at, "words": words}


def _in_words(at: int, now: int) -> str:
    """`in 38 min`, or the UTC time where that is more than 12 hours away."""
    minutes = max(1, -(-(at - now) // 60_000))
    if minutes < 60:
        return f"in {minutes} min"
    if minutes <= 720:
        return f"in {minutes // 60} h {minutes % 60} min"
    return datetime.fromtimestamp(at / 1000, UTC).strftime("on %Y-%m-%d at %H:%M UTC")


def _json(status: int, document: object, extra: tuple[tuple[bytes, bytes], ...]) -> Ending:
    body = msgspec.json.encode(document)
    headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *extra)
    return Ending(status, headers, body)


_GOOGLE_STATUS = {429: "RESOURCE_EXHAUSTED", 403: "PERMISSION_DENIED", 503: "UNAVAILABLE", 401: "UNAUTHENTICATED"}


def _shape(protocol: Protocol, status: int, kind: str, message: str, details: dict[str, object]) -> dict[str, object]:
    error: dict[str, object] = {"type": kind, "message": message}
    if protocol is Protocol.MESSAGES:
        return {"type": "error", "error": {**error, **details}, "request_id": details.get("request_id")}
    if protocol is Protocol.GEMINI:
        return {"error": {"code": status, "status": _GOOGLE_STATUS.get(status, "INTERNAL"), **error, **details}}
    if protocol is Protocol.OLLAMA:
        return {"error": message, "o_switcher": {**error, **details}}
    return {"error": {**error, "code": kind, "param": None, **details}}


def stream_error(protocol: Protocol, message: str, request_id: str) -> bytes:
    """The protocol's own error event, for a stream that was cut after content."""
    kind = "o_switcher_interrupted"
    document: dict[str, object]
    if protocol is Protocol.RESPONSES:
        document = {"type": "error", "code": kind, "message": message, "param": None, "request_id": request_id}
    else:
        document = _shape(protocol, 502, kind, message, {"request_id": request_id})
    data = msgspec.json.encode(document)
    if protocol is Protocol.OLLAMA:
        return data + b"\n"
    named = b"event: error\n" if protocol in (Protocol.MESSAGES, Protocol.RESPONSES) else b""
    said = b"\n\n" + named + b"data: " + data + b"\n\n"
    return said + _failed(message, request_id) if protocol is Protocol.RESPONSES else said


def _failed(message: str, request_id: str) -> bytes:
    """What Codex shows to its user: it passes over the event `error`."""
    error = {"code": "server_error", "message": message}
    response = {"id": request_id, "object": "response", "status": "failed", "error": error, "output": []}
    document = {"type": "response.failed", "response": response}
    return b"event: response.failed\ndata: %b\n\n" % msgspec.json.encode(document)
