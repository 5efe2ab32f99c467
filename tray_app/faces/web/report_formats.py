"""Figures and states as a person reads them. Pure: the moment and the local clock are arguments.

Nothing is rounded into something it is not: a share of 99.97% stays below 100%.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tray_app.control import wording
from tray_app.control.views import ChoiceView, ProfileView, QuotaView
from tray_app.control.wording import Piece
from tray_app.core.values import Phase
from tray_app.faces.web.shell_texts import ShellWords

LocalTime = Callable[[float], time.struct_time]

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Formats:
    """Figures in the words of one language, seen at the moment `now` (ms) by the clock `local`."""

    words: ShellWords
    now: int
    local: LocalTime = time.localtime

    def count(self, number: int | None) -> str:
        """E.g. 1,234,567."""
        return self.words.none if number is None else f"{number:,}".replace(",", self.words.wording.grouping)

    def percent(self, part: int, whole: int) -> str:
        """E.g. 98.4%: rounded down, so that 100% means all; and never to 0% where there is something."""
        if whole <= 0:
            return self.words.none
        tenths = min(1000, part * 1000 // whole)
        if tenths == 0 and part > 0:
            return "<" + self._filled(self.words.percent, self._decimal(1))
        return self._filled(self.words.percent, self._decimal(tenths))

    def duration(self, ms: int | None) -> str:
        """E.g. 340 ms, 2.4 s, 42 s, 3 min 12 s, 2 h 5 min, 3 d 4 h."""
        if ms is None:
            return self.words.none
        if ms < 1000:
            return self._filled(self.words.wording.milliseconds, str(max(ms, 0)))
        tenths = (ms + 50) // 100
        if tenths < 100:
            return self._filled(self.words.wording.seconds, self._decimal(tenths))
        seconds, words = (ms + 500) // 1000, self.words
        for unit, size, smaller, small in (
            (words.wording.days, _DAY_S, words.wording.hours, _HOUR_S),
            (words.wording.hours, _HOUR_S, words.wording.minutes, _MINUTE_S),
            (words.wording.minutes, _MINUTE_S, words.wording.seconds, 1),
        ):
            if seconds >= size:
                whole, rest = self._filled(unit, self.count(seconds // size)), seconds % size // small
                return f"{whole} {self._filled(smaller, str(rest))}" if rest else whole
        return self._filled(words.wording.seconds, str(seconds))

    def size(self, octets: int | None) -> str:
        """E.g. 532 B, 1.2 kB, 48 MB, by thousands."""
        if octets is None:
            return self.words.none
        scale, step, last = 1, 0, len(self.words.sizes) - 1
        while octets * 2 >= 1999 * scale and step < last:  # would be rounded to 1000
            scale, step = scale * 1000, step + 1
        tenths = (octets * 10 + scale // 2) // scale
        text = self._decimal(tenths) if step and tenths < 100 else self.count((octets + scale // 2) // scale)
        return self._filled(self.words.sizes[step], text)

    def ago(self, at: int) -> str:
        """How long ago a time is: just now, 42 s ago, 5 min ago, 3 h ago, 12 d ago. `report.js` says the same."""
        seconds, words = (self.now - at) // 1000, self.words
        if seconds < 5:
            return words.just_now
        for unit, size in ((words.days_ago, _DAY_S), (words.hours_ago, _HOUR_S), (words.minutes_ago, _MINUTE_S)):
            if seconds >= size:
                return self._filled(unit, str(seconds // size))
        return self._filled(words.seconds_ago, str(seconds))

    def clock(self, at: int, seconds: bool = False) -> str:
        """By the local clock, with the day where that is not today: 14:05, 26 Jun 14:05, 26 Jun 2027 14:05."""
        try:
            then, today = self.local(at / 1000), self.local(self.now / 1000)
        except (OverflowError, OSError, ValueError):  # beyond what the system's calendar knows
            return self.words.none
        text = f"{then.tm_hour:02}:{then.tm_min:02}" + (f":{then.tm_sec:02}" if seconds else "")
        if then[:3] == today[:3]:
            return text
        year = "" if then.tm_year == today.tm_year else f" {then.tm_year}"
        return f"{then.tm_mday} {self.words.wording.months[then.tm_mon - 1]}{year} {text}"

    def day(self, at: int) -> str:
        """A day by the local calendar, e.g. 26 Jun, or 26 Jun 2025 where that is not this year."""
        try:
            then, today = self.local(at / 1000), self.local(self.now / 1000)
        except (OverflowError, OSError, ValueError):
            return self.words.none
        year = "" if then.tm_year == today.tm_year else f" {then.tm_year}"
        return f"{then.tm_mday} {self.words.wording.months[then.tm_mon - 1]}{year}"

    def money(self, usd: float | None) -> str:
        """E.g. $1,234, $12.34, $0.0042; what is not known is no 0."""
        if usd is None:
            return self.words.none
        digits = 0 if usd >= 1000 else 2 if usd >= 1 or usd == 0 else 4  # of these, two are always shown
        if 0 < usd < 0.0001:
            return "<" + self._filled(self.words.money, f"0{self.words.wording.point}0001")
        whole, _, rest = f"{usd:,.{digits}f}".partition(".")
        rest = rest[:2] + rest[2:].rstrip("0")
        text = whole.replace(",", self.words.wording.grouping) + (f"{self.words.wording.point}{rest}" if rest else "")
        return self._filled(self.words.money, text)

    def rough(self, number: int | None) -> str:
        """A large number in three figures or so: 950, 12.3 k, 146 M, 7.9 B."""
        if number is None:
            return self.words.none
        scale, step, last = 1, 0, len(self.words.thousands) - 1
        while number * 2 >= 1999 * scale and step < last:  # would be rounded to 1000
            scale, step = scale * 1000, step + 1
        tenths = (number * 10 + scale // 2) // scale
        text = self._decimal(tenths) if step and tenths < 1000 else self.count((number + scale // 2) // scale)
        return self._filled(self.words.thousands[step], text)

    def hour(self, at: int) -> str:
        """The local clock alone, e.g. 14:00."""
        return self.clock(at)[-5:]

    def phase(self, profile: ProfileView) -> str:
        """A profile's state in one word."""
        if profile.active and profile.state == Phase.READY:
            return self.words.wording.serving
        return self.words.wording.phases.get(profile.state, profile.state)

    def standing(self, profile: ProfileView) -> tuple[Piece, ...]:
        """What follows that word: `, back in 38 min (the rate limit is reached, stated by OpenRouter)`, in pieces."""
        return wording.standing(profile, self.now, self.words.wording)

    def in_time(self, at: int) -> str:
        """How far away an instant is: `in 38 min`. `deeds.js` says the same, and counts seconds down."""
        return wording.in_time(at, self.now, self.words.wording)

    def source(self, profile: ProfileView) -> str | None:
        """Where the end of a profile's rest is known from: `stated by OpenRouter`."""
        return wording.source_words(profile.reset_source, profile.title, self.words.wording)

    def left(self, left: QuotaView) -> str:
        """What is left of a quota."""
        return wording.quota_words(left, self.now, self.words.wording)

    def choice(self, choice: ChoiceView) -> str:
        """What holds of the profile that the operator chose."""
        return self.words.chosen.format(
            id=choice.profile, words=wording.choice_words(choice, self.now, self.words.wording)
        )

    def _decimal(self, tenths: int) -> str:
        whole, rest = divmod(tenths, 10)
        return f"{whole}{self.words.wording.point}{rest}" if rest else str(whole)

    def _filled(self, text: str, number: str) -> str:
        return text.format(n=number)
