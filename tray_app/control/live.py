"""What faces are told of the moment: kept up to date from the facts as they pass."""

from __future__ import annotations

from dataclasses import dataclass

from tray_app.control.views import ClientView, SwitchView
from tray_app.core.values import Fact, FailedOver, RequestEnded

DAY_MS = 86_400_000
SHOWN = frozenset({FailedOver, RequestEnded})  # the facts that `Live` looks at


@dataclass(slots=True)
class Live:
    """Sums and latest events. `day_at` is the local midnight that `requests_today` counts from, in ms."""

    day_at: int = 0
    requests_today: int = 0
    last_switch: SwitchView | None = None
    clients: tuple[ClientView, ...] = ()  # as they were when last asked for

    def see(self, fact: Fact) -> bool:
        """Take note; whether something changed that a person would want to see at once."""
        if isinstance(fact, RequestEnded):  # the one that there are many of
            if fact.ended_at >= self.day_at + DAY_MS:
                self.day_at += (fact.ended_at - self.day_at) // DAY_MS * DAY_MS
                self.requests_today = 0
            self.requests_today += 1
            return False
        if isinstance(fact, FailedOver):
            self.last_switch = SwitchView(fact.at, fact.from_profile, fact.to_profile, fact.reason, fact.manual)
            return True
        return False
