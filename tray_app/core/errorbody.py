"""Read an error body tolerantly: whatever its dress, out come one message, its codes and its fields.

Shapes seen: `{"error": {...}}`, `{"error": "text"}`, a one-element list, double nesting, fields at
the top level, FastAPI's `detail`, JSON inside a string. Only the error's own words are read:
bodies echo what users wrote, and users write about quotas too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

MAX_BODY = 262_144
_BOM = b"\xef\xbb\xbf"
_NO_WORDS = (b"<", b"{", b"[", b'"', b"data:", b"event:")
_CODE_FIELDS = ("code", "type", "status", "error_type", "reason", "error_code", "limit_source")
_DETAILS = ("metadata", "availability", "details", "detail", "innererror")
_ERROR_TYPES = ("error", "response.failed", "response.error")
_ANSWERS = ("choices", "content", "output", "candidates", "response", "data", "model", "usage")

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says. `codes` are lower case, outermost first; `fields` are its objects.

    `relayed_from` names the provider whose error an aggregator passes on, and `raw` is that error as it came.
    """

    message: str
    codes: tuple[str, ...]
    fields: tuple[Fields, ...]
    relayed_from: str | None = None
    raw: str = ""
    is_json: bool = True
    present: bool = True  # whether the body holds an error at all

    def has(self, *codes: str) -> bool:
        """Whether any of `codes` is among the body's."""
        return any(code in self.codes for code in codes)


_NOTHING = ErrorBody("", (), (), is_json=False, present=False)


def read(body: bytes) -> ErrorBody:
    """Read `body`; never raises."""
    stripped = body[:MAX_BODY].strip().removeprefix(_BOM).strip()
    if not stripped:
        return _NOTHING
    try:
        document = msgspec.json.decode(stripped)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ErrorBody(_plain(stripped), (), (), is_json=False)
    return _from_document(document)


def _plain(body: bytes) -> str:
    """The words of a body that is not JSON: not of a web page, nor of JSON cut short, which may echo the request."""
    return "" if body.startswith(_NO_WORDS) else body[:300].decode("utf-8", "replace")


def _from_document(document: object) -> ErrorBody:
    if isinstance(document, list) and document:
        document = document[0]
    if isinstance(document, str):
        unpacked = _json_in(document)
        if unpacked is None:
            return ErrorBody(document[:1000], (), (), present=False)
        document = unpacked
    if not isinstance(document, dict):
        return ErrorBody("", (), (), present=False)
    layers, own = _layers(document)
    fields = (*layers, *_details(own))
    relay = next(filter(_names_a_relay, fields), {})
    return ErrorBody(
        _message(layers),
        _codes(fields),
        fields,
        _text(relay.get("provider_name")) or None,
        _text(relay.get("raw")),
        present=_has_error(document),
    )


def _has_error(document: Fields) -> bool:
    if document.get("error") or document.get("type") in _ERROR_TYPES or document.get("object") == "error":
        return True
    if any(choice.get("error") or choice.get("finish_reason") == "error" for choice in _objects(document, "choices")):
        return True
    if any(base.get("status_code") not in (0, None) for base in _objects(document, "base_resp")):
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
    found = _objects(layer, "error") or [e for choice in _objects(layer, "choices") for e in _objects(choice, "error")]
    return found[0] if found else None


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


def _details(own: list[Fields]) -> list[Fields]:
    """The objects in which errors keep the particulars, Google's within those too."""
    details = [item for layer in own for name in _DETAILS for item in _objects(layer, name)]
    return details + [item for one in details for name in ("metadata", "violations") for item in _objects(one, name)]


def _objects(layer: Fields, name: str) -> list[Fields]:
    """The object of that name, or the objects of the list of that name; empty ones are none."""
    value = layer.get(name)
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, Mapping) and item]


def _message(layers: list[Fields]) -> str:
    for layer in reversed(layers):
        for name in ("message", "detail", "title", "status_msg"):
            text = _text(layer.get(name))
            if text.strip():
                return text[:2000]
    return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _codes(fields: tuple[Fields, ...]) -> tuple[str, ...]:
    codes: dict[str, None] = {}
    for mapping in fields:
        for name in _CODE_FIELDS:
            value = mapping.get(name)
            if isinstance(value, str) and len(value) <= 80:
                codes[value.lower()] = None
            elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1_000_000:
                codes[str(value)] = None
    return tuple(codes)


def _names_a_relay(mapping: Fields) -> bool:
    return bool(_text(mapping.get("provider_name"))) and mapping.get("is_byok") is not True
