"""What the tray shows for a status: pure, so that it can be tested as a table.

An item's key names it for good (`use:openrouter-main`): desktops keep an item, and an open menu,
alive across updates by it. A profile's submenu always has the same items: what cannot be done now is shown as
disabled, so that nothing moves under the mouse. What a click means travels with the item as a verb. Times to come
are told as "in 38 min" in the menu, which is drawn anew when it opens; the tooltip tells them by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache
from itertools import groupby
from math import ceil

from tray_app.control import wording
from tray_app.control.views import AppState, ChoiceView, ClientView, ProfileView, QuotaView, Status
from tray_app.core.values import Phase
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.texts import ENGLISH, Texts

LocalTime = Callable[[float], time.struct_time]

Arguments = Mapping[str, str | bool | float]

SWITCHED_MS = 10_000  # so long the icon shows that the profile has changed
WAITING_MS = 1_000  # a request that waits for less is not worth a change of the icon
SDK_CLIENT = "sdk"  # the client whose token is copied for programs of one's own
_LABEL_LENGTH = 100  # a menu wider than this is no longer read
_REASON_LENGTH = 70
_SHORTEST_REASON = 24
_HALF_HOUR_S, _HOUR_S, _TWO_HOURS_S, _DAY_S = 1800, 3600, 7200, 86_400
_SERVING = (AppState.READY, AppState.DEGRADED)


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
    sign: Look | None = None  # a small picture beside the label, where the desktop shows any


@dataclass(frozen=True, slots=True)
class Face:
    """All that is visible. Two equal faces need no repaint.

    `until` and `told_until`, in seconds: then the icon, or only what the menu tells of times, is another.
    """

    look: Look
    tenths: int | None  # of the active profile's quota that are left; None: not known
    tooltip: str  # the first line is the title
    items: tuple[Item, ...]
    until: float | None = field(default=None, compare=False)
    told_until: float | None = field(default=None, compare=False)


def face(
    status: Status,
    now: float,
    texts: Texts = ENGLISH,
    local: LocalTime = time.localtime,
    unseen: str | None = None,
) -> Face:
    """Draw a status. `now` is in seconds; `unseen` is a notification that no desktop would show."""
    words = _Words(texts, now, local)
    look, until = _look(status, words.now_ms)
    return Face(
        look,
        _tenths(status),
        replace(words, by_clock=True).tooltip(status),
        tuple(_items(status, words, unseen)),
        until,
        _told_until(status, words.now_ms),
    )


def starting(texts: Texts = ENGLISH, unseen: str | None = None) -> Face:
    """What is shown before there is a status: that the app starts, and what can be asked of it already."""
    items = (
        Item("headline", texts.starting, Kind.ACTION, enabled=False),
        *([_text("unseen", unseen)] if unseen else ()),
        _separator(2),
        _report(texts),
        _separator(4),
        _quit(texts),
    )
    return Face(Look.WAITING, None, f"O-Switcher\n{texts.starting}", items)


# -- the icon


def _look(status: Status, now: int) -> tuple[Look, float | None]:
    """What the icon shows, and when that may change by itself, in seconds."""
    look = Look(status.state.value)
    if status.state not in _SERVING:
        return look, None
    ends: list[int] = []
    if status.waiting and status.waiting_since is not None:
        shown_at = status.waiting_since + WAITING_MS
        if now >= shown_at:
            return Look.WAITING, None
        ends.append(shown_at)
    switch = status.last_switch
    if switch is not None and switch.to_profile == status.active and 0 <= now - switch.at < SWITCHED_MS:
        look = Look.SWITCHED
        ends.append(switch.at + SWITCHED_MS)
    return look, min((at / 1000 for at in ends), default=None)


def _tenths(status: Status) -> int | None:
    """How much of its quota the active profile has left; some is never shown as none."""
    active = _active(status)
    if active is None or active.used_percent is None:
        return None
    return ceil((100 - min(max(active.used_percent, 0.0), 100.0)) / 10)


def _active(status: Status) -> ProfileView | None:
    return next((one for one in status.profiles if one.id == status.active), None)


# -- times


def _told_until(status: Status, now: int) -> float | None:
    """When the first of the times to come is to be told anew, in seconds."""
    ahead = [at for profile in status.profiles for at in _times(profile) if at > now]
    if status.choice is not None and status.choice.until_at is not None:
        ahead.append(status.choice.until_at)
    if status.paused_until is not None:
        ahead.append(status.paused_until)
    return min((wording.changes_at(at, now) / 1000 for at in ahead), default=None)


def _times(profile: ProfileView) -> Iterator[int]:
    yield from (rest.resets_at for rest in profile.rests)
    if profile.resets_at is not None:
        yield profile.resets_at
    if profile.left is not None and profile.left.resets_at is not None:
        yield profile.left.resets_at


# -- the menu


def _items(status: Status, words: _Words, unseen: str | None) -> Iterator[Item]:
    yield from _head(status, words, unseen)
    if status.profiles:
        yield _separator(1)
        yield from _profiles(status.profiles, words)
    yield _separator(2)
    yield from _tail(status, words)


def _head(status: Status, words: _Words, unseen: str | None) -> Iterator[Item]:
    headline = _clip(words.headline(status), _LABEL_LENGTH)
    yield Item("headline", headline, Kind.ACTION, verb=Verb("report"))
    active = _active(status)
    if active is not None and active.left is not None:
        yield _text("headline-left", words.left(active.left))
    if active is not None and (why := words.why(status, active)):
        yield _text("why", why)
    if status.last_switch is not None:
        yield _text("switch", words.switched(status))
    if unseen:
        yield _text("unseen", unseen)
    for number, notice in enumerate(status.notices):
        yield _text(f"notice:{number}", notice)


def _profiles(profiles: tuple[ProfileView, ...], words: _Words) -> Iterator[Item]:
    """A submenu for each profile. Each provider's pool has its own active one, hence a group each."""
    ordered = sorted(profiles, key=lambda profile: profile.provider)
    groups = [(name, tuple(group)) for name, group in groupby(ordered, key=lambda one: one.provider)]
    for provider, group in groups:
        if len(groups) > 1:
            yield _text(f"provider:{provider}", provider)
        for one in group:
            label = _clip(words.profile(one), _LABEL_LENGTH)
            children = (*_standing(one, words), *_actions_of(one, words.texts))
            yield Item(f"profile:{one.id}", label, Kind.SUBMENU, children=children, sign=_sign(one))


def _standing(profile: ProfileView, words: _Words) -> Iterator[Item]:
    """How a profile is."""
    yield _text(f"state:{profile.id}", words.state(profile, _LABEL_LENGTH))
    if profile.left is not None:
        yield _text(f"left:{profile.id}", words.left(profile.left))


def _sign(profile: ProfileView) -> Look:
    if profile.active and profile.state == Phase.READY:
        return Look.READY
    return _SIGNS.get(profile.state, Look.SPARE)


_SIGNS: Mapping[str, Look] = {
    Phase.COOLING: Look.WAITING,
    Phase.PROBING: Look.WAITING,
    Phase.OPEN: Look.EXHAUSTED,
    Phase.REAUTH: Look.NEEDS_YOU,
    Phase.DRAINING: Look.PAUSED,
    Phase.PAUSED: Look.PAUSED,
    Phase.DISABLED: Look.OFFLINE,
}


def _actions_of(profile: ProfileView, texts: Texts) -> tuple[Item, ...]:
    waits = profile.state == Phase.COOLING and profile.resets_at is not None
    return _actions(profile.id, profile.state, profile.active, profile.preferred, profile.pinned, waits, texts)


@lru_cache(maxsize=512)  # most profiles are as they were: the same items again, which the desktop need not be told
def _actions(
    id_: str, state: str, active: bool, preferred: bool, pinned: bool, waits: bool, texts: Texts
) -> tuple[Item, ...]:
    """What can be done with a profile."""
    there = state != Phase.DISABLED
    held = state in (Phase.PAUSED, Phase.DRAINING)

    def action(name: str, label: str, verb: str, enabled: bool, *, today: bool = False, **args: bool | float) -> Item:
        asked = Verb(verb, {} if verb == "unpin" else {"profile": id_, **args}, today)
        return Item(f"{name}:{id_}", _clip(label.format(id=id_), _LABEL_LENGTH), Kind.ACTION, False, enabled, (), asked)

    use = Item(f"use:{id_}", texts.use.format(id=id_), Kind.RADIO, active, there, (), Verb("use", {"profile": id_}))
    return (
        Item(f"separator:{id_}:1", "", Kind.SEPARATOR),
        use,
        action("pin-hour", texts.pin_hour, "pin", there, for_s=_HOUR_S),
        action("pin-today", texts.pin_today, "pin", there, today=True),
        action("pin", texts.pin, "pin", there),
        action("unpin", texts.unpin if pinned or not preferred else texts.unprefer, "unpin", preferred),
        Item(f"separator:{id_}:2", "", Kind.SEPARATOR),
        action("pause-half-hour", texts.pause_half_hour, "pause", there, for_s=_HALF_HOUR_S),
        action("pause-two-hours", texts.pause_two_hours, "pause", there, for_s=_TWO_HOURS_S),
        action("pause-reset", texts.pause_reset, "pause", waits, until_reset=True),
        action("pause", texts.pause, "pause", there and state != Phase.PAUSED),
        action("resume", texts.resume, "resume", held),
        action("drain", texts.drain, "drain", there and not held),
        Item(f"separator:{id_}:3", "", Kind.SEPARATOR),
        action("retry-now", texts.retry_now, "retry-now", there),
    )


def _tail(status: Status, words: _Words) -> Iterator[Item]:
    texts = words.texts
    yield _report(texts)
    if status.clients:
        yield Item("clients", texts.clients, Kind.SUBMENU, children=tuple(map(words.client, status.clients)))
    yield Item("copy", texts.copy, Kind.ACTION, verb=Verb("token", {"client": SDK_CLIENT}))
    verb = Verb("resume-all" if status.paused_all else "pause-all")
    yield Item("pause-all", texts.pause_all, Kind.CHECK, checked=status.paused_all, verb=verb)
    yield _separator(3)
    if status.autostart is not None:
        verb = Verb("autostart", {"enabled": not status.autostart})
        yield Item("autostart", texts.autostart, Kind.CHECK, checked=status.autostart, verb=verb)
    yield Item("add", texts.add, Kind.ACTION, verb=Verb("report", {"page": "profiles"}))
    yield Item("folder", texts.folder, Kind.ACTION, verb=Verb("folder"))
    yield Item("about", texts.about, Kind.SUBMENU, children=tuple(_about(status, words)))
    yield _separator(4)
    yield _quit(texts)


def _report(texts: Texts) -> Item:
    return Item("report", texts.report, Kind.ACTION, verb=Verb("report"), default=True)


def _quit(texts: Texts) -> Item:
    return Item("quit", texts.quit, Kind.ACTION, verb=Verb("stop"))


def _about(status: Status, words: _Words) -> Iterator[Item]:
    yield _text("version", f"O-Switcher {status.version}")
    yield _text("address", status.url)
    yield _text("since", words.texts.since.format(time=words.moment(status.started_at)))


def _text(key: str, label: str) -> Item:
    return Item(key, _clip(label, _LABEL_LENGTH), Kind.TEXT, enabled=False)


def _separator(number: int) -> Item:
    return Item(f"separator:{number}", "", Kind.SEPARATOR)


def _clip(text: str, length: int) -> str:
    """One line of at most `length` characters, also where a provider's words hold line breaks."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


# -- sentences


@dataclass(frozen=True, slots=True)
class _Words:
    """Sentences about a status, in one language and by one clock. `by_clock`: times to come as "at 14:05"."""

    texts: Texts
    now: float
    local: LocalTime
    by_clock: bool = False

    @property
    def now_ms(self) -> int:
        return round(self.now * 1000)

    def headline(self, status: Status) -> str:
        if not status.profiles:
            return self.texts.no_keys
        said, choice = self._how(status), status.choice
        if choice is None or not choice.pinned or status.paused_all:
            return said
        frame = self.texts.chosen if choice.profile == status.active else self.texts.chosen_elsewhere
        return frame.format(headline=said, id=choice.profile, words=self._choice(choice))

    def _how(self, status: Status) -> str:
        if status.paused_all:
            if status.paused_until is None:
                return self.texts.paused_all
            return self.texts.paused_all_until.format(when=self.when(status.paused_until))
        if status.state is AppState.EXHAUSTED and (first := wording.first_back(status.profiles, self.now_ms)):
            back = self.texts.wording.back.format(when=self.when(first.resets_at or self.now_ms))
            return self.texts.exhausted_until.format(id=first.id, back=back)
        if self.texts.headlines is None:
            return status.headline
        return self.texts.headlines[status.state].format(active=status.active or self.texts.nobody)

    def _choice(self, choice: ChoiceView) -> str:
        when = None if choice.until_at is None else self.when(choice.until_at)
        return wording.choice_words(choice, self.now_ms, self.texts.wording, when)

    def when(self, at: int) -> str:
        """A time to come, in milliseconds: "in 38 min", or by the clock."""
        if self.by_clock:
            return self.texts.at.format(time=self.moment(at))
        return wording.in_time(at, self.now_ms, self.texts.wording)

    def why(self, status: Status, active: ProfileView) -> str | None:
        """Why that profile is the active one, where neither the headline nor the latest switch says so."""
        if active.preferred:
            return None if active.pinned else self.texts.why_preferred
        if status.last_switch is not None and status.last_switch.to_profile == active.id:
            return None
        mine = [one for one in status.profiles if one.provider == active.provider]
        wanted = sorted(mine, key=lambda one: -one.priority)
        before = wanted[: wanted.index(active)]
        if before:
            out = all(one.state not in (Phase.READY, Phase.PROBING) for one in before)
            return self.texts.why_others_out if out else self.texts.why_stays
        if len(wanted) == 1:
            return None
        return self.texts.why_priority if wanted[1].priority < active.priority else self.texts.why_first

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
            phase = self.texts.wording.serving
        else:
            phase = self.texts.wording.phases.get(profile.state, profile.state)
        pieces = wording.standing(profile, self.now_ms, self.texts.wording)
        foreign = [text for text, by_others in pieces if by_others]
        own = sum(len(text) for text, by_others in pieces if not by_others) + len(phase)
        each = max((room - own) // max(1, len(foreign)), _SHORTEST_REASON)
        return phase + "".join(_clip(text, each) if by_others else text for text, by_others in pieces)

    def client(self, client: ClientView) -> Item:
        """A check item; a click asks for the opposite."""
        state = self.texts.connected if client.connected else self.texts.not_connected
        label = _clip(self.texts.client.format(title=client.title, state=state), _LABEL_LENGTH)
        verb = Verb("disconnect" if client.connected else "connect", {"client": client.name})
        return Item(f"client:{client.name}", label, Kind.CHECK, checked=client.connected, verb=verb)

    def left(self, left: QuotaView) -> str:
        return wording.quota_words(left, self.now_ms, self.texts.wording)

    def tooltip(self, status: Status) -> str:
        lines = ["O-Switcher", _clip(self.headline(status), _LABEL_LENGTH)]
        active = _active(status)
        left = active.left if active is not None else None
        if left is not None and left.remaining is not None and not (left.resets_at and left.resets_at <= self.now_ms):
            lines.append(_clip(self.left(wording.endless(left)), _LABEL_LENGTH))
        if len(status.profiles) > 1:
            ready = sum(profile.state == Phase.READY for profile in status.profiles)
            lines.append(self.texts.ready_count.format(ready=ready, all=len(status.profiles)))
        return "\n".join(lines)

    def moment(self, at: int) -> str:
        return moment(at, self.now, self.local, self.texts)


def moment(at: int, now: float, local: LocalTime, texts: Texts) -> str:
    """A time in milliseconds by the local clock, with its day unless that is today."""
    then, today = local(at / 1000), local(now)
    clock = f"{then.tm_hour:02}:{then.tm_min:02}"
    if then[:3] == today[:3]:
        return clock
    return f"{then.tm_mday} {texts.wording.months[then.tm_mon - 1]} {clock}"


def _to_midnight(now: float, local: LocalTime) -> float:
    """How many seconds the local day of `now` still has, also where the clocks change in it."""
    left = _DAY_S - _of_day(local(now))
    beside = _of_day(local(now + left))
    return left - beside if beside < _DAY_S / 2 else left + _DAY_S - beside


def _of_day(moment: time.struct_time) -> int:
    return moment.tm_hour * 3600 + moment.tm_min * 60 + moment.tm_sec
