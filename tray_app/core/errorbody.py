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
_CODE_FIELDS = ("code", "type", "status", "error_type", "reason", "error_code", "limit_source", "status_msg")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says. `codes` are lower case, outermost first; `fields` are its objects."""

    message: str
    codes: tuple[str, ...]
    fields: tuple[Mapping[str, object], ...]
    relayed_from: str | None = None  # an aggregator passes on another provider's error
    is_json: bool = True
    present: bool = True  # whether the body holds an error at all

    def has(self, *codes: str) -> bool:
        """Whether any of `codes` is among the body's."""
        return any(code in self.codes for code in codes)


_NOTHING = ErrorBody("", (), (), is_json=False, present=False)


def read(body: bytes) -> ErrorBody:
    """Read `body`; never raises."""
    stripped = body[:MAX_BODY].strip()
    if not stripped:
        return _NOTHING
    try:
        document = msgspec.json.decode(stripped)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ErrorBody(_plain(stripped), (), (), is_json=False, present=True)
    return _from_document(document)


def _plain(body: bytes) -> str:
    text = body[:300].decode("utf-8", "replace")
    return "" if text.lstrip().startswith("<") else text


def _from_document(document: object) -> ErrorBody:
    if isinstance(document, list) and document:
        document = document[0]
    if isinstance(document, str):
        return ErrorBody(document[:1000], (), ())
    if not isinstance(document, dict):
        return ErrorBody("", (), (), present=False)
    layers = _layers(document)
    present = _has_error(document)
    fields = tuple(_fields(layers))
    return ErrorBody(_message(layers), _codes(fields), fields, _relayed_from(fields), present=present)


def _has_error(document: Mapping[str, object]) -> bool:
    if document.get("error") or document.get("type") == "error" or document.get("object") == "error":
        return True
    base = document.get("base_resp")
    return isinstance(base, Mapping) and base.get("status_code") not in (0, None)


def _layers(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The document and the errors nested in it, outermost first."""
    layers = [document]
    inner: object = document
    for _ in range(4):
        inner = layers[-1].get("error") or layers[-1].get("response") or layers[-1].get("base_resp")
        if isinstance(inner, str):
            inner = {"message": inner}
        if not isinstance(inner, Mapping):
            break
        layers.append(inner)
    if (unpacked := _json_in(layers[-1].get("message"))) is not None:
        layers += _layers(unpacked)
    return layers


def _json_in(text: object) -> Mapping[str, object] | None:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _fields(layers: list[Mapping[str, object]]) -> list[Mapping[str, object]]:
    fields: list[Mapping[str, object]] = list(layers)
    for layer in layers:
        for name in ("metadata", "availability", "details", "detail", "innererror"):
            fields += _objects(layer.get(name))
    for mapping in list(fields):
        fields += _objects(mapping.get("metadata")) if mapping not in layers else []
        fields += _objects(mapping.get("violations"))
    return fields


def _objects(value: object) -> list[Mapping[str, object]]:
    if isinstance(value, Mapping):
        return [value]
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _message(layers: list[Mapping[str, object]]) -> str:
    for layer in reversed(layers):
        for name in ("message", "detail", "title", "status_msg", "error"):
            text = layer.get(name)
            if isinstance(text, str) and text.strip():
                return text[:2000]
    return ""


def _codes(fields: tuple[Mapping[str, object], ...]) -> tuple[str, ...]:
    codes: dict[str, None] = {}
    for mapping in fields:
        for name in _CODE_FIELDS:
            value = mapping.get(name)
            if isinstance(value, str) and len(value) <= 80:
                codes[value.lower()] = None
            elif isinstance(value, int) and not isinstance(value, bool):
                codes[str(value)] = None
    return tuple(codes)


def _relayed_from(fields: tuple[Mapping[str, object], ...]) -> str | None:
    for mapping in fields:
        name = mapping.get("provider_name")
        if isinstance(name, str) and name and mapping.get("is_byok") is not True:
            return name
    return None
