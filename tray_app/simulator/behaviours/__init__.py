"""What a key can do, by the name a script gives it: one small class each, its fields the parameters."""

from __future__ import annotations

from collections.abc import Mapping

from .answering import Custom, Empty, GiantHeader, NoTerminator, Ok, Slow
from .base import Behaviour
from .breaking import Close, Cut, Garbage, Hang, Reset, WrongLength
from .late import ErrorFirst, ErrorIn200, ErrorInStream
from .limits import CannotAfford, FreeDaily, FreeMinute, InFlight, KeyLimit, NoCredit, RateLimit
from .refusing import (
    BadGatewayHtml,
    BadRequest,
    ContextLength,
    Forbidden,
    ModelNotFound,
    Overloaded,
    ProviderError,
    ServerError,
    Unauthorized,
)

BEHAVIOURS: Mapping[str, type[Behaviour]] = {
    kind.do: kind
    for kind in (
        *(Ok, Slow, Empty, NoTerminator, GiantHeader, Custom),
        *(NoCredit, CannotAfford, InFlight, KeyLimit, FreeDaily, FreeMinute, RateLimit),
        *(Unauthorized, Forbidden, BadRequest, ContextLength, ModelNotFound),
        *(ServerError, BadGatewayHtml, Overloaded, ProviderError),
        *(ErrorIn200, ErrorFirst, ErrorInStream),
        *(Hang, Reset, Close, Cut, WrongLength, Garbage),
    )
}

__all__ = ["BEHAVIOURS", "Behaviour", "Ok"]
