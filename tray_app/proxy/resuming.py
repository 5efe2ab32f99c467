"""A stream that broke off: whether another attempt may be asked for the rest, how, and what the record keeps of it.

Imported where a stream breaks off, which few do.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from tray_app.core.continuing import Way, continuation_of, way_of
from tray_app.core.policy import Lane
from tray_app.core.rewrite import with_model
from tray_app.core.told import Telling
from tray_app.core.values import Call, Fact, Outcome, Profile, Segment

MAX_CONTINUATIONS = 2  # of one stream


def may_go_on(call: Call, telling: Telling) -> bool:
    """Whether the rest of an answer to `call` that has told so much can be asked for: text alone, whole to its end."""
    if not telling.continuable or telling.half:
        return False
    if any(name == b"content-encoding" and value != b"identity" for name, value in call.headers):
        return False
    return continuation_of(call.body, call.protocol, "", call.model, telling.text) is not None


def rest_of(call: Call, profile: Profile, lane: Lane, telling: Telling) -> tuple[Call, Way]:
    """The call that asks that profile's provider for the rest, and how it does. Its answer must come unpacked."""
    body = call.body if lane.model in (None, call.model) else with_model(call.body, lane.model or "")
    beta = profile.base_url.rstrip("/").endswith("/beta")
    asked = (body, call.protocol, profile.provider, lane.model)
    rest = continuation_of(*asked, telling.text, beta=beta) or body
    headers = tuple(pair for pair in call.headers if pair[0] != b"accept-encoding")
    return replace(call, body=rest, headers=headers, model=lane.model), way_of(*asked, beta=beta)


class Stretches:
    """The parts of one stitched stream, each recorded at its end; the first once there is a second."""

    def __init__(self, request_id: str, record: Callable[[Fact], None]) -> None:
        self._request_id = request_id
        self._record = record
        self._first: Segment | None = None
        self.count = 0

    def ended(self, attempt: int, profile_id: str, began: int, now: int, told: tuple[int, int], end: Outcome) -> None:
        """A part has ended. `told` are its new characters and those it repeated; times in ms since the epoch."""
        self.count += 1
        segment = Segment(self._request_id, self.count, attempt, profile_id, began, now, *told, end)
        if self.count == 1:
            self._first = segment
        else:
            self._record(segment)

    def joined(self) -> None:
        """Another attempt goes on."""
        if self._first is not None:
            self._record(self._first)
            self._first = None
