"""Read JSON as people write it by hand: comments, trailing commas and a byte order mark are allowed."""

from __future__ import annotations

import re

import msgspec

_STRING = r'"(?:\\.|[^"\\\n])*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])")


def parsed(data: bytes) -> object:
    """The document in `data`; None where it is no JSON."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        text = _COMMENT.sub(lambda found: found.group(1) or " ", data.decode("utf-8"))
        return msgspec.json.decode(_COMMA.sub(lambda found: found.group(1) or "", text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
