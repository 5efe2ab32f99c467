"""Every spelling of "come back later", for the behaviours that may give such a hint."""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import Annotated

from msgspec import Meta

from tray_app.core.values import Headers

from ..values import Ask
from .base import Behaviour

Seconds = Annotated[float, Meta(ge=0)]


class Hinted(Behaviour, frozen=True):
    """The hints are independent: a step may give none, one, or several that disagree."""

    retry_after: str | int | float | None = None  # the header, verbatim
    retry_after_date: Seconds | None = None  # the header as an HTTP date so far from now
    retry_after_ms: float | None = None  # the header `retry-after-ms`
    reset_ms: float | None = None  # `x-ratelimit-reset`: now and so much, in epoch milliseconds
    metadata_after: float | None = None  # `metadata.retry_after_seconds`
    prose: str | None = None  # "Please try again in ..." in the message

    def hint_headers(self, ask: Ask) -> Headers:
        spelled = {
            b"retry-after": self.retry_after if self.retry_after_date is None else self._date(ask),
            b"retry-after-ms": None if self.retry_after_ms is None else f"{self.retry_after_ms:g}",
            b"x-ratelimit-reset": None if self.reset_ms is None else int(ask.now * 1000 + self.reset_ms),
        }
        given = {name: str(value) for name, value in spelled.items() if value is not None}
        return tuple((name, value.encode("latin-1", "replace")) for name, value in given.items())

    def hint_metadata(self) -> dict[str, object]:
        return {} if self.metadata_after is None else {"retry_after_seconds": self.metadata_after}

    def with_prose(self, message: str) -> str:
        return message if self.prose is None else f"{message.rstrip('.')}. Please try again in {self.prose}."

    def _date(self, ask: Ask) -> str:
        """Rounded up: a date has whole seconds, and a hint must not come too early."""
        return formatdate(math.ceil(ask.now + (self.retry_after_date or 0)), usegmt=True)
