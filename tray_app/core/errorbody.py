"""Read an error body tolerantly: whatever its dress, out come one message, its codes and its fields.

Shapes seen: `{"error": {...}}`, `{"error": "text"}`, a one-element list, double nesting, fields at
the top level, FastAPI's `detail`, JSON inside a string. Only the error's own words are read:
bodies echo what users wrote, and users write about quotas too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

MAX_BODY = 262_144
_BOM = b"\xef\xbb\xbf"
_NO_WORDS = (b"<", b"{", b"[", b'"', b"data:", b"event:")
_CODE_FIELDS = (
    "code",
    "type",
    "status",
    "error_type",
    "reason",
    "error_code",
    "limit_source",
    "http_status",
    "status_code",
    "__type",
)
_MESSAGES = ("message", "detail", "title", "status_msg", "msg", "error_msg", "error_message", "Message")
_DETAILS = ("metadata", "availability", "details", "detail", "innererror")
# At the top level the request's own metadata may be repeated; only inside an error it is the error's.
_TOP_DETAILS = tuple(name for name in _DETAILS if name != "metadata")
_ERROR_TYPES = ("error", "response.failed", "response.error")
_ANSWERS = ("choices", "content", "output", "candidates", "response", "data", "model", "usage")

Fields = Mapping[str, object]
_NO_FIELDS: Fields = {}


class ErrorBody(Struct, frozen=True):
    """What an error body says. `codes` are lower case, outermost first; `fields` are its objects.

    `words` is the message in lower case without what it quotes. `relayed_from` names the provider whose error
    an aggregator passes on, and `raw` is that error as it came; `is_byok` says that it was met with the user's
    own key there. `served_by` names the provider that an aggregator's answer came from until it failed.
    """

    message: str
    words: str
    codes: tuple[str, ...]
    fields: tuple[Fields, ...]
    relayed_from: str | None = None
    raw: str = ""
    is_byok: bool = False
    served_by: str | None = None
    is_json: bool = True
    is_page: bool = False  # a web page, so nothing that an API says
    present: bool = True  # whether the body holds an error at all

    def has(self, *codes: str) -> bool:
        """Whether any of `codes` is among the body's."""
        return any(code in self.codes for code in codes)


_NOTHING = ErrorBody("", "", (), (), is_json=False, present=False)


def read(body: bytes, numbers_of: str = "") -> ErrorBody:
    """Read `body`; never raises. `numbers_of` is the provider whose numbers are its own codes: they get its name."""
    stripped = body[:MAX_BODY].strip().removeprefix(_BOM).strip()
    if not stripped:
        return _NOTHING
    try:
        document = msgspec.json.decode(stripped)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = _plain(stripped)
        return ErrorBody(text, _words(text), (), (), is_json=False, is_page=stripped.startswith(b"<"))
    return _from_document(document, numbers_of)


def _plain(body: bytes) -> str:
    """The words of a body that is not JSON: not of a web page, nor of JSON cut short, which may echo the request."""
    return "" if body.startswith(_NO_WORDS) else body[:300].decode("utf-8", "replace")


# A quoted passage of several words is what somebody wrote; a quoted name is what the error is about.
_QUOTED = re.compile(r"\"[^\"\n]*\"|`[^`\n]*`|\u201c[^\u201d\n]*\u201d|(?<!\w)'[^'\n]*'(?!\w)")
_QUOTES = ('"', "`", "\u201c", "'")


def _words(message: str) -> str:
    words = message.lower()
    for quote in _QUOTES:
        if quote in words:
            return _QUOTED.sub(_name_alone, words)
    return words


def _name_alone(quoted: re.Match[str]) -> str:
    return "\u2026" if " " in quoted[0] else quoted[0]


def _from_document(document: object, numbers_of: str) -> ErrorBody:
    if isinstance(document, list) and document:
        document = document[0]
    if isinstance(document, str):
        unpacked = _json_in(document)
        if unpacked is None:
            return ErrorBody(document[:1000], _words(document[:1000]), (), (), present=False)
        document = unpacked
    if not isinstance(document, dict):
        return ErrorBody("", "", (), (), present=False)
    layers, own = _layers(document)
    fields = (*layers, *_details(document, own))
    message = _message(layers)
    relay = next((one for one in fields if one.get("provider_name")), _NO_FIELDS)
    is_byok = relay.get("is_byok") is True
    return ErrorBody(
        message,
        _words(message),
        _codes(fields, numbers_of),
        fields,
        None if is_byok else _text(relay.get("provider_name")) or None,
        _text(relay.get("raw")),
        is_byok,
        (_text(document.get("provider")) or None) if "choices" in document else None,
        present=_has_error(document),
    )


def _has_error(document: Fields) -> bool:
    if document.get("error") or document.get("type") in _ERROR_TYPES or document.get("object") == "error":
        return True
    if any(choice.get("error") or choice.get("finish_reason") == "error" for choice in _objects(document, "choices")):
        return True
    if any(base.get("status_code") not in (0, None) for base in _objects(document, "base_resp")):
        return True
    if document.get("success") is False or (document.get("error_msg") and document.get("error_code")):
        return True
    return isinstance(document.get("message"), str) and not any(name in document for name in _ANSWERS)


def _layers(document: Fields) -> tuple[list[Fields], list[Fields]]:
    """The document and what is nested in it, outermost first; and those of them that are errors themselves.

    The distinction matters: around an error stands what the request brought along, such as its `metadata`.
    """
    layers: list[Fields] = [document]
    own: list[Fields] = []
    for _ in range(4):
        error = _error_in(layers[-1])
        wrapped = _objects(layers[-1], "response") + _objects(layers[-1], "base_resp")
        if error is not None:
            own.append(error)
        elif not wrapped:
            break
        layers.append(wrapped[0] if error is None else error)
    if layers == [document]:
        own = [document]
    if (unpacked := _json_in(layers[-1].get("message"))) is not None:
        inner_layers, inner_own = _layers(unpacked)
        return layers + inner_layers, own + inner_own
    return layers, own


def _error_in(layer: Fields) -> Fields | None:
    error = layer.get("error")
    if isinstance(error, str):
        return {"message": error}
    if (found := _objects(layer, "error")) or (found := _objects(layer, "errors")):
        return found[0]
    if isinstance(detail := layer.get("detail"), dict):  # FastAPI's, where the server put an object into it
        return detail or None
    in_choices = (one for choice in _objects(layer, "choices") for one in _objects(choice, "error"))
    return next(in_choices, None)


def _json_in(text: object) -> Fields | None:
    """The object that a string holds as JSON, alone or as the first of a list."""
    if not isinstance(text, str) or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    first = found[0] if isinstance(found, list) and found else found
    return first if isinstance(first, dict) else None


def _details(document: Fields, own: list[Fields]) -> list[Fields]:
    """The objects in which errors keep the particulars, Google's within those too."""
    details = []
    for layer in own:
        for name in _TOP_DETAILS if layer is document else _DETAILS:
            if name in layer:
                details += _objects(layer, name)
    inner = [
        item for one in details for name in ("metadata", "violations") if name in one for item in _objects(one, name)
    ]
    return details + inner


def _objects(layer: Fields, name: str) -> list[Fields]:
    """The object of that name, or the objects of the list of that name; empty ones are none."""
    value = layer.get(name)
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, Mapping) and item]


def _message(layers: list[Fields]) -> str:
    for layer in reversed(layers):
        for name in _MESSAGES:
            text = layer.get(name)
            if isinstance(text, str) and text.strip():
                return text[:2000]
    return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _codes(fields: tuple[Fields, ...], numbers_of: str) -> tuple[str, ...]:
    codes: dict[str, None] = {}
    for mapping in fields:
        for name in _CODE_FIELDS:
            value = mapping.get(name)
            if isinstance(value, str) and len(value) <= 80:
                codes[value.lower()] = None
            elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1_000_000:
                codes[str(value)] = None
    if numbers_of:
        codes |= {f"{numbers_of}:{code}": None for code in codes if code.isdecimal()}
    return tuple(codes)
