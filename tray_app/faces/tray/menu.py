"""What the tray shows for a status: pure, so that it can be tested as a table.

An item's key names it for good (`use:openrouter-main`): desktops keep an item, and an open menu,
alive across updates by it. What a click means travels with the item as a verb. Times to come are told as
"in 38 min", so a face holds for so long only as its `until` says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import groupby

from tray_app.control import wording
from tray_app.control.views import AppState, ProfileView, QuotaView, Status
from tray_app.core.values import Phase
from tray_app.faces.tray.texts import ENGLISH, Texts

LocalTime = Callable[[float], time.struct_time]

Arguments = Mapping[str, str | bool | float]

_LABEL_LENGTH = 100  # a menu wider than this is no longer read
_REASON_LENGTH = 70
_SHORTEST_REASON = 24
_HOUR_S, _DAY_S = 3600, 86_400


class Kind(Enum):
    TEXT = auto()  # said, not clicked
    RADIO = auto()
    CHECK = auto()
    ACTION = auto()
    SUBMENU = auto()
    SEPARATOR = auto()


@dataclass(frozen=True, slots=True)
class Verb:
    """What a click asks of the control surface. `today`: for the rest of the day in which it is clicked."""

    name: str
    args: Arguments = field(default_factory=dict)
    today: bool = False

    def arguments(self, now: float, local: LocalTime) -> Arguments:
        """What goes with it if it is clicked at `now`, in seconds."""
        return {**self.args, "for_s": _to_midnight(now, local)} if self.today else self.args


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the menu."""

    key: str
    label: str
    kind: Kind
    checked: bool = False
    enabled: bool = True
    children: tuple[Item, ...] = ()
    verb: Verb | None = None
    default: bool = False  # a left click on the icon itself does this


@dataclass(frozen=True, slots=True)
class Face:
    """All that is visible. Two equal faces need no repaint."""

    state: AppState
    tooltip: str  # the first line is the title
    items: tuple[Item, ...]
    until: float | None = field(default=None, compare=False)  # in seconds: then its times are told anew


def face(
    status: Status,
    now: float,
    texts: Texts = ENGLISH,
    local: LocalTime = time.localtime,
    unseen: str | None = None,
) -> Face:
    """Draw a status. `now` is in seconds; `unseen` is a notification that no desktop would show."""
    words = _Words(texts, now, local)
    return Face(status.state, words.tooltip(status), tuple(_items(status, words, unseen)), _holds_until(status, now))


def _holds_until(status: Status, now: float) -> float | None:
    """When the first of the times to come is to be told anew."""
    now_ms = round(now * 1000)
    ahead = [at for profile in status.profiles for at in _times(profile) if at > now_ms]
    if status.choice is not None and status.choice.until_at is not None:
        ahead.append(status.choice.until_at)
    return min((wording.changes_at(at, now_ms) / 1000 for at in ahead), default=None)


def _times(profile: ProfileView) -> Iterator[int]:
    yield from (rest.resets_at for rest in profile.rests)
    if profile.resets_at is not None:
        yield profile.resets_at
    if profile.left is not None and profile.left.resets_at is not None:
        yield profile.left.resets_at


def _items(status: Status, words: _Words, unseen: str | None) -> Iterator[Item]:
    yield from _head(status, words, unseen)
    if status.profiles:
        yield _separator(1)
        yield from _switches(status.profiles, words)
    yield _separator(2)
    if status.profiles:
        yield _managing(status.profiles, words)
    yield from _tail(status, words.texts)


def _head(status: Status, words: _Words, unseen: str | None) -> Iterator[Item]:
    yield _text("headline", words.headline(status))
    if status.last_switch is not None:
        yield _text("switch", words.switched(status))
    if unseen:
        yield _text("unseen", unseen)
    for number, notice in enumerate(status.notices):
        yield _text(f"notice:{number}", notice)


def _switches(profiles: tuple[ProfileView, ...], words: _Words) -> Iterator[Item]:
    """A radio item for each profile. Each provider's pool has its own active one, hence a group each."""
    ordered = sorted(profiles, key=lambda profile: profile.provider)
    groups = [(name, tuple(group)) for name, group in groupby(ordered, key=lambda one: one.provider)]
    for provider, group in groups:
        if len(groups) > 1:
            yield _text(f"provider:{provider}", provider)
        for profile in group:
            yield Item(
                key=f"use:{profile.id}",
                label=_clip(words.profile(profile), _LABEL_LENGTH),
                kind=Kind.RADIO,
                checked=profile.active,
                enabled=profile.state != Phase.DISABLED,
                verb=Verb("use", {"profile": profile.id}),
            )


def _managing(profiles: tuple[ProfileView, ...], words: _Words) -> Item:
    children = tuple(
        Item(f"profile:{one.id}", _clip(one.id, _LABEL_LENGTH), Kind.SUBMENU, children=tuple(_of(one, words)))
        for one in profiles
    )
    return Item("managing", words.texts.managing, Kind.SUBMENU, children=children)


def _of(profile: ProfileView, words: _Words) -> Iterator[Item]:
    """How a profile is, and what can be done with it."""
    texts = words.texts
    yield _text(f"state:{profile.id}", words.state(profile, _LABEL_LENGTH))
    if profile.left is not None:
        yield _text(f"left:{profile.id}", words.left(profile.left))
    yield Item(f"separator:{profile.id}", "", Kind.SEPARATOR)
    yield _pause_or_resume(profile, texts)
    yield _action("pin-hour", texts.pin_hour, profile, Verb("pin", {"profile": profile.id, "for_s": _HOUR_S}))
    yield _action("pin-today", texts.pin_today, profile, Verb("pin", {"profile": profile.id}, today=True))
    yield _action("pin", texts.pin, profile, Verb("pin", {"profile": profile.id}))
    if profile.preferred:
        yield _action("unpin", texts.unpin if profile.pinned else texts.unprefer, profile, Verb("unpin"))
    yield _action("retry-now", texts.retry_now, profile, Verb("retry-now", {"profile": profile.id}))


def _pause_or_resume(profile: ProfileView, texts: Texts) -> Item:
    """Two keys, not one: a click meant as "pause" must never arrive as "resume"."""
    resumes = profile.state in (Phase.PAUSED, Phase.DRAINING)
    name, label = ("resume", texts.resume) if resumes else ("pause", texts.pause)
    return _action(name, label, profile, Verb(name, {"profile": profile.id}))


def _action(name: str, label: str, profile: ProfileView, verb: Verb) -> Item:
    text = _clip(label.format(id=profile.id), _LABEL_LENGTH)
    enabled = profile.state != Phase.DISABLED or name == "unpin"
    return Item(f"{name}:{profile.id}", text, Kind.ACTION, enabled=enabled, verb=verb)


def _tail(status: Status, texts: Texts) -> Iterator[Item]:
    yield Item("report", texts.report, Kind.ACTION, verb=Verb("report"), default=True)
    if status.autostart is not None:
        verb = Verb("autostart", {"enabled": not status.autostart})
        yield Item("autostart", texts.autostart, Kind.CHECK, checked=status.autostart, verb=verb)
    yield _separator(3)
    yield Item("quit", texts.quit, Kind.ACTION, verb=Verb("stop"))


def _text(key: str, label: str) -> Item:
    return Item(key, _clip(label, _LABEL_LENGTH), Kind.TEXT, enabled=False)


def _separator(number: int) -> Item:
    return Item(f"separator:{number}", "", Kind.SEPARATOR)


def _clip(text: str, length: int) -> str:
    """One line of at most `length` characters, also where a provider's words hold line breaks."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class _Words:
    """Sentences about a status, in one language and by one clock."""

    texts: Texts
    now: float
    local: LocalTime

    @property
    def now_ms(self) -> int:
        return round(self.now * 1000)

    def headline(self, status: Status) -> str:
        if not status.profiles:
            return self.texts.no_keys
        said, choice = self._how(status), status.choice
        if choice is None or not choice.pinned:
            return said
        frame = self.texts.chosen if choice.profile == status.active else self.texts.chosen_elsewhere
        words = wording.choice_words(choice, self.now_ms, self.texts.wording)
        return frame.format(headline=said, id=choice.profile, words=words)

    def _how(self, status: Status) -> str:
        if status.state is AppState.EXHAUSTED and (first := wording.first_back(status.profiles, self.now_ms)):
            back = wording.back_words(first, self.now_ms, self.texts.wording)
            return self.texts.exhausted_until.format(id=first.id, back=back)
        if self.texts.headlines is None:
            return status.headline
        return self.texts.headlines[status.state].format(active=status.active or self.texts.nobody)

    def switched(self, status: Status) -> str:
        switch = status.last_switch
        assert switch is not None  # noqa: S101  # asked by _head only
        reason = _clip(switch.reason, _REASON_LENGTH)
        return self.texts.switched.format(time=self.moment(switch.at), to=switch.to_profile, reason=reason)

    def profile(self, profile: ProfileView) -> str:
        room = _LABEL_LENGTH - len(self.texts.profile.format(id=profile.id, state=""))
        return self.texts.profile.format(id=profile.id, state=self.state(profile, room))

    def state(self, profile: ProfileView, room: int) -> str:
        """E.g. "cooling, back in 38 min (rate limit, stated by OpenRouter)"; what others wrote gives way first."""
        if profile.active and profile.state == Phase.READY:
            phase = self.texts.serving
        else:
            phase = self.texts.phases.get(profile.state, profile.state)
        pieces = wording.standing(profile, self.now_ms, self.texts.wording)
        foreign = [text for text, by_others in pieces if by_others]
        own = sum(len(text) for text, by_others in pieces if not by_others) + len(phase)
        each = max(_SHORTEST_REASON, (room - own) // max(len(foreign), 1))
        return phase + "".join(_clip(text, each) if by_others else text for text, by_others in pieces)

    def left(self, left: QuotaView) -> str:
        return wording.quota_words(left, self.now_ms, self.texts.wording)

    def tooltip(self, status: Status) -> str:
        lines = ["O-Switcher", _clip(self.headline(status), _LABEL_LENGTH)]
        if len(status.profiles) > 1:
            ready = sum(profile.state == Phase.READY for profile in status.profiles)
            lines.append(self.texts.ready_count.format(ready=ready, all=len(status.profiles)))
        return "\n".join(lines)

    def moment(self, at: int) -> str:
        """A time in milliseconds by the local clock, with its day unless that is today."""
        then, today = self.local(at / 1000), self.local(self.now)
        clock = f"{then.tm_hour:02}:{then.tm_min:02}"
        if then[:3] == today[:3]:
            return clock
        return f"{then.tm_mday} {self.texts.months[then.tm_mon - 1]} {clock}"


def _to_midnight(now: float, local: LocalTime) -> float:
    """How many seconds the local day of `now` still has, also where the clocks change in it."""
    left = _DAY_S - _of_day(local(now))
    beside = _of_day(local(now + left))
    return left - beside if beside < _DAY_S / 2 else left + _DAY_S - beside


def _of_day(moment: time.struct_time) -> int:
    return moment.tm_hour * 3600 + moment.tm_min * 60 + moment.tm_sec
