"""An answer that could not be told, made fit for a bug report: its shape without what anybody wrote.

Kept are the names of fields, codes, numbers and the error's own message, redacted and cut. Every
other text becomes its length; fields that carry what users wrote are not looked into at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import msgspec

from tray_app.core.buckets import UNKNOWN, family_of
from tray_app.core.errorbody import MAX_BODY
from tray_app.core.redact import LOOK_AT, brief, redact

DEEPEST, WIDEST, LONGEST_LIST = 6, 40, 3

_HEADERS = re.compile(r"retry-after.*|(?:x-|anthropic-)?ratelimit.*|content-type|x-should-retry")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MESSAGES = _names("message error errors detail title msg status_msg error_msg error_message")
_CODES = _names(
    "code type status error_type reason error_code limit_source http_status status_code object domain provider"
    " provider_name quotaId quotaMetric quotaValue retryDelay quotaResetDelay quotaResetTimeStamp resets_at"
    " retry_after @type __type"
)
# What users wrote, or models, comes back in these.
_ECHOES = _names(
    "input inputs prompt prompts messages content contents choices candidates output outputs text data delta"
    " tools tool_calls functions function arguments instructions system query documents failed_generation"
    " flagged_input user user_id ctx loc param params parameters patterns request"
)
_NAME = re.compile(r"[A-Za-z_@$][\w.@-]{0,39}")
_CODE = re.compile(r"[\w.:/@ -]{1,80}")
_HIDDEN = (
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[mail]"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "[address]"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "[id]"),
    (re.compile(r"\b(?:org|proj|user|acct|team|ak|req)[-_]\w+", re.IGNORECASE), "[id]"),
)
_ADDRESS = re.compile(r"https?://([\w.-]+)([^\s\"'`)\]?#]*)[^\s\"'`)\]]*")
_PLAIN_STEP = re.compile(r"[a-z][a-z-]{0,23}")
_JSON = re.compile(r"\{.{20,}", re.DOTALL)
_QUOTED = re.compile(r"\"[^\"\n]*\"|`[^`\n]*`|\u201c[^\u201d\n]*\u201d|(?<!\w)'[^'\n]*'(?!\w)")


def report_line(provider: str, status: int | None, headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    """The line of a bug report for an answer, in the shape that `o-switcher classify` reads.

    A provider of the user's own is only called so. `headers` has names of any case.
    """
    return {
        "provider": provider if family_of(provider) is not UNKNOWN else "custom",
        "status": status,
        "headers": _headers(headers),
        "body": _body(body[:MAX_BODY]),
    }


def _headers(headers: Mapping[str, object]) -> dict[str, str]:
    """Those that speak of limits and waits."""
    spelled = ((name.lower(), str(value)) for name, value in headers.items())
    return {name: _words(value) for name, value in spelled if _HEADERS.fullmatch(name)}


def _body(body: bytes) -> object:
    stripped = body.strip().removeprefix(b"\xef\xbb\xbf").strip()
    if not stripped:
        return ""
    try:
        return _shape(msgspec.json.decode(stripped), "error", 0, echoed=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = stripped.decode("utf-8", "replace")
    if text.startswith("<"):
        title = re.search(r"<title[^>]*>([^<]*)", text[:4000], re.IGNORECASE)
        return f"<html><title>{_words(title.group(1)) if title else ''}</title>{_length(text)}</html>"
    broken = text.startswith(("{", "[", '"', "data:", "event:"))  # JSON cut short may hold anything
    return _length(text) if broken else _words(text)


def _shape(value: object, name: str, depth: int, *, echoed: bool) -> object:
    """`value` without its words, unless `name` says that they are the error's own."""
    if isinstance(value, str):
        return _length(value) if echoed else _text(value, name, depth)
    if isinstance(value, dict):
        return _headers(value) if name == "headers" else _fields(value, depth, echoed=echoed)
    if isinstance(value, list):
        shapes = (
            [_shape(one, name, depth + 1, echoed=echoed) for one in value[:LONGEST_LIST]] if depth < DEEPEST else []
        )
        left = len(value) - len(shapes)
        return [*shapes, f"… {left} more"] if left else shapes
    if value is None or isinstance(value, bool):
        return value
    return value if not echoed and _is_plain(value) else "…"


def _is_plain(number: object) -> bool:
    """Whether a number is short enough to be a count, a code or a time."""
    return isinstance(number, int | float) and math.isfinite(number) and abs(number) < 1e14


def _fields(fields: Mapping[str, object], depth: int, *, echoed: bool) -> object:
    if depth >= DEEPEST or echoed:
        return f"… {len(fields)} fields"
    shown: dict[str, object] = {}
    for name, value in list(fields.items())[:WIDEST]:
        hidden = (
            name in _ECHOES
            or (name == "metadata" and depth == 0)  # there it is the request's own
            or (name == "msg" and "loc" in fields)  # a validator's words may quote anything
        )
        shown[_name(name)] = _shape(value, name, depth + 1, echoed=hidden)
    return shown


def _name(name: str) -> str:
    return name if _NAME.fullmatch(name) and redact(name) == name else _length(name)


def _text(text: str, name: str, depth: int) -> str:
    if name in _MESSAGES:
        return _message(text, depth)
    if name == "raw" and text.lstrip().startswith("{"):  # an error that an aggregator passes on
        return _message(text, depth)
    if name in _CODES and _CODE.fullmatch(text):
        return _words(text)
    return _length(text)


def _message(text: str, depth: int) -> str:
    """A message of the error's own. JSON within it is told by its shape."""
    if not text.lstrip().startswith(("{", "[")):
        return _words(text)
    try:
        inner = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _length(text)
    return msgspec.json.encode(_shape(inner, "error", depth + 1, echoed=False)).decode()


def _words(text: str) -> str:
    """At most 200 characters without keys, addresses, names and what is quoted."""
    words = _JSON.sub(lambda found: _length(found[0]), redact(text[:LOOK_AT]))
    words = _QUOTED.sub(_quoted, _ADDRESS.sub(_address, words))
    for pattern, instead in _HIDDEN:
        words = pattern.sub(instead, words)
    return brief(words) or ""


def _address(found: re.Match[str]) -> str:
    """A link as far as it is made of plain words: which page an error points to tells much."""
    steps = [step if _PLAIN_STEP.fullmatch(step) else "…" for step in found[2].split("/")[1:] if step]
    return "/".join([f"https://{found[1]}", *steps])


def _quoted(found: re.Match[str]) -> str:
    """A quoted name is what the error is about; a quoted passage is what somebody wrote."""
    return found[0] if len(found[0].split()) == 1 else _length(found[0])


def _length(text: str) -> str:
    return f"…({len(text)})"
