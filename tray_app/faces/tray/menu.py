"""What the tray shows for a status: pure, so that it can be tested as a table.

An item's key names it for good (`use:openrouter-main`): desktops keep an item, and an open menu,
alive across updates by it. What a click means travels with the item as a verb.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import groupby

from tray_app.control.views import AppState, ProfileView, Status
from tray_app.core.values import Phase, Source
from tray_app.faces.tray.texts import ENGLISH, Texts

LocalTime = Callable[[float], time.struct_time]

_LABEL_LENGTH = 100  # a menu wider than this is no longer read
_REASON_LENGTH = 70


class Kind(Enum):
    TEXT = auto()  # said, not clicked
    RADIO = auto()
    CHECK = auto()
    ACTION = auto()
    SUBMENU = auto()
    SEPARATOR = auto()


@dataclass(frozen=True, slots=True)
class Verb:
    """What a click asks of the control surface."""

    name: str
    args: Mapping[str, str | bool] = field(default_factory=dict)


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


def face(
    status: Status,
    now: float,
    texts: Texts = ENGLISH,
    local: LocalTime = time.localtime,
    unseen: str | None = None,
) -> Face:
    """Draw a status. `now` is in seconds; `unseen` is a notification that no desktop would show."""
    words = _Words(texts, now, local)
    return Face(status.state, words.tooltip(status), tuple(_items(status, words, unseen)))


def _items(status: Status, words: _Words, unseen: str | None) -> Iterator[Item]:
    yield from _head(status, words, unseen)
    if status.profiles:
        yield _separator(1)
        yield from _switches(status.profiles, words)
    yield _separator(2)
    if status.profiles:
        yield _pausing(status.profiles, words.texts)
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


def _pausing(profiles: tuple[ProfileView, ...], texts: Texts) -> Item:
    children = tuple(_pause_or_resume(profile, texts) for profile in profiles)
    return Item("pausing", texts.pausing, Kind.SUBMENU, children=children)


def _pause_or_resume(profile: ProfileView, texts: Texts) -> Item:
    """Two keys, not one: a click meant as "pause" must never arrive as "resume"."""
    resumes = profile.state in (Phase.PAUSED, Phase.DRAINING)
    name, label = ("resume", texts.resume) if resumes else ("pause", texts.pause)
    return Item(
        key=f"{name}:{profile.id}",
        label=_clip(label.format(id=profile.id), _LABEL_LENGTH),
        kind=Kind.ACTION,
        enabled=profile.state != Phase.DISABLED,
        verb=Verb(name, {"profile": profile.id}),
    )


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

    def headline(self, status: Status) -> str:
        if not status.profiles:
            return self.texts.no_keys
        if self.texts.headlines is None:
            return status.headline
        return self.texts.headlines[status.state].format(active=status.active or self.texts.nobody)

    def switched(self, status: Status) -> str:
        switch = status.last_switch
        assert switch is not None  # noqa: S101  # asked by _head only
        reason = _clip(switch.reason, _REASON_LENGTH)
        return self.texts.switched.format(time=self.moment(switch.at), to=switch.to_profile, reason=reason)

    def profile(self, profile: ProfileView) -> str:
        return self.texts.profile.format(id=profile.id, state=self.state(profile))

    def state(self, profile: ProfileView) -> str:
        """E.g. "cooling until 14:05, rate limit stated by the provider"."""
        if profile.state == Phase.READY:
            return self.texts.serving if profile.active else self.texts.phases[Phase.READY]
        words = self.texts.phases.get(profile.state, profile.state)
        if profile.resets_at is not None:
            guessed = profile.reset_source == Source.INFERRED
            frame = self.texts.until_about if guessed else self.texts.until
            words = frame.format(state=words, time=self.moment(profile.resets_at))
        return f"{words}, {_clip(profile.reason, _REASON_LENGTH)}" if profile.reason else words

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
