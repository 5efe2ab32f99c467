"""Another model's name in a JSON body, and every other byte as it was: routes spell one name for each provider."""

from __future__ import annotations

import re

import msgspec

_NAME = re.compile(rb'"model"\s*:\s*(?=")')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class _Model(msgspec.Struct):
    model: object = None


_decoder = msgspec.json.Decoder(_Model)


def with_model(body: bytes, model: str) -> bytes:
    """`body` with that model; `body` itself where it is no JSON object that names one.

    The member may stand anywhere, and texts and inner objects may hold the same words: each place is tried until
    the object as a whole says the new name.
    """
    wanted = msgspec.json.encode(model)
    for found in _NAME.finditer(body):
        value = _STRING.match(body, found.end())
        if value is None:
            continue
        changed = body[: value.start()] + wanted + body[value.end() :]
        try:
            if _decoder.decode(changed).model == model:
                return changed
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return body
