"""The types of a struct's fields, with their bounds; worked out once for each."""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints

from msgspec import Struct


@cache
def field_types(kind: type[Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
