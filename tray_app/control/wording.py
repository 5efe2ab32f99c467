"""What every face says in the same words: when a rest is over, what is left of a quota, what the operator chose.

Pure. One table for each language; reasons, models and names of quotas come from elsewhere and are said as they come.
"""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tray_app.control.views import ChoiceView, ProfileView, QuotaView
from tray_app.core.values import Phase, Source

Piece = tuple[str, bool]  # a text, and whether somebody else wrote it
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_IN_MINUTES, _IN_HOURS = 2 * _HOUR, 2 * _DAY  # up to so long a wait is told in that unit


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one language."""

    in_minutes: str
    in_hours: str
    in_days: str
    back: str
    tried: str
    stated: str
    found: str
    assumed: str
    by_operator: str
    free_models: str
    grouping: str  # between thousands
    point: str  # before decimals
    left: str
    left_of: str
    percent_left: str
    unlimited: str
    renewed: str
    resets: str
    units: Mapping[str, str]
    pinned: str
    pinned_until: str
    preferred: str
    preferred_until: str
    strictly: str
    months: tuple[str, ...]
    milliseconds: str
    seconds: str
    minutes: str
    hours: str
    days: str
    phases: Mapping[str, str]
    serving: str


ENGLISH = Wording(
    in_minutes="in {n} min",
    in_hours="in {n} h",
    in_days="in {n} d",
    back="back {when}",
    tried="tried again {when}",
    stated="stated by {who}",
    found="found by asking",
    assumed="assumed",
    by_operator="by the operator",
    free_models="free models",
    grouping=",",
    point=".",
    left="{name}: {left} {unit} left",
    left_of="{name}: {left} of {limit} {unit} left",
    percent_left="{name}: {left}% left",
    unlimited="{name}: unlimited",
    renewed="{name}: began anew, not asked since",
    resets=", resets {when}",
    units={"usd": "USD", "cny": "CNY"},
    pinned="pinned until unpinned",
    pinned_until="pinned until it ends {when}",
    preferred="preferred",
    preferred_until="preferred until it ends {when}",
    strictly=", strictly: nobody else may serve",
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    milliseconds="{n} ms",
    seconds="{n} s",
    minutes="{n} min",
    hours="{n} h",
    days="{n} d",
    phases={phase: phase.value for phase in Phase},
    serving="serving",
)

RUSSIAN = Wording(
    in_minutes="через {n} мин",
    in_hours="через {n} ч",
    in_days="через {n} д",
    back="вернётся {when}",
    tried="новая попытка {when}",
    stated="сообщил {who}",
    found="узнано по запросу",
    assumed="предположительно",
    by_operator="вами",
    free_models="бесплатные модели",
    grouping="\u00a0",
    point=",",
    left="{name}: осталось {left} {unit}",
    left_of="{name}: осталось {left} из {limit} {unit}",
    percent_left="{name}: осталось {left}\u00a0%",
    unlimited="{name}: без ограничения",
    renewed="{name}: начат заново, с тех пор не спрошено",
    resets=", сброс {when}",
    units={"usd": "USD", "cny": "CNY", "requests": "запросов", "tokens": "токенов"},
    pinned="закреплён до отмены",
    pinned_until="закреплён, срок кончится {when}",
    preferred="предпочтён",
    preferred_until="предпочтён, срок кончится {when}",
    strictly=", строго: больше никто не отвечает",
    months=("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
    milliseconds="{n} мс",
    seconds="{n} с",
    minutes="{n} мин",
    hours="{n} ч",
    days="{n} д",
    phases={
        Phase.READY: "готов",
        Phase.COOLING: "отдыхает",
        Phase.PROBING: "проверяется",
        Phase.OPEN: "отключён из-за сбоев",
        Phase.REAUTH: "ключ не принят",
        Phase.DRAINING: "завершает запросы",
        Phase.PAUSED: "приостановлен",
        Phase.DISABLED: "отключён",
    },
    serving="работает",
)


# -- time


def in_time(at: int, now: int, words: Wording = ENGLISH) -> str:
    """How far away an instant is, in ms: `in 38 min`, `in 5 h`, `in 3 d`. Minutes are rounded up."""
    minutes = max(1, -(-(at - now) // _MINUTE))
    if minutes * _MINUTE < _IN_MINUTES:
        return words.in_minutes.format(n=minutes)
    if minutes * _MINUTE < _IN_HOURS:
        return words.in_hours.format(n=round(minutes / 60))
    return words.in_days.format(n=round(minutes / 1440))


def changes_at(at: int, now: int) -> int:
    """When `in_time` may say something else of `at` than at `now`, in ms; of far instants at least now and then."""
    wait = at - now
    if wait <= 0:
        return now + _HOUR
    return now + ((wait % _MINUTE or _MINUTE) if wait <= _IN_MINUTES else _HOUR // 2)


# -- a rest


def rest(profile: ProfileView, now: int, words: Wording = ENGLISH) -> tuple[Piece, ...]:
    """Why a profile does not serve, when it is back, and where that is known from, in pieces; none where all is well.

    `back in 38 min (the rate limit is reached, stated by OpenRouter)`. A profile that serves, but not every model,
    says so of each of them.
    """
    if profile.state in (Phase.READY, Phase.PROBING) and profile.rests:
        return tuple(_partial(profile, now, words))
    if _by_operator(profile):
        ends = tuple(_told(words.back, profile.resets_at, None, None, now, words))
        return ((words.by_operator, False), *(((", ", False), *ends) if ends else ()))
    frame = words.tried if profile.state == Phase.OPEN else words.back
    why = (profile.reason, True) if profile.reason else None
    source = _source(profile.reset_source, profile.title, words)
    return tuple(_told(frame, profile.resets_at, why, source, now, words))


def rest_words(profile: ProfileView, now: int, words: Wording = ENGLISH) -> str | None:
    """`rest` as one text; None where all is well."""
    return "".join(text for text, _ in rest(profile, now, words)) or None


def first_back(profiles: Iterable[ProfileView], now: int) -> ProfileView | None:
    """The profile that can serve again first, of those that wait for a time."""
    waiting = [
        (one.resets_at, number, one)
        for number, one in enumerate(profiles)
        if one.state in (Phase.COOLING, Phase.OPEN) and one.resets_at is not None and one.resets_at > now
    ]
    return min(waiting)[2] if waiting else None


def back_words(profile: ProfileView, now: int, words: Wording = ENGLISH) -> str:
    """When that profile is back, without why: `back in 38 min`."""
    return words.back.format(when=in_time(profile.resets_at or now, now, words))


def standing(profile: ProfileView, now: int, words: Wording = ENGLISH) -> tuple[Piece, ...]:
    """What follows a profile's state, which each face has its own word for, so that it reads on: `, back in ...`."""
    said = rest(profile, now, words)
    if not said:
        return ()
    return ((" " if _by_operator(profile) else ", ", False), *said)


def _by_operator(profile: ProfileView) -> bool:
    return profile.reason == f"{profile.state} by the operator"


def _partial(profile: ProfileView, now: int, words: Wording) -> Iterator[Piece]:
    for number, one in enumerate(profile.rests):
        if number:
            yield "; ", False
        yield (one.model, True) if one.model else (words.free_models, False)
        yield " ", False
        source = _source(one.source, profile.title, words)
        yield from _told(words.back, one.resets_at, (one.reason, True), source, now, words)


def _told(
    frame: str, at: int | None, why: Piece | None, source: str | None, now: int, words: Wording
) -> Iterator[Piece]:
    """A rest that ends at `at`; a time that is over tells nothing any more."""
    ahead = at is not None and at > now
    inside: list[Piece] = [why] if why else []
    if ahead and source:
        inside += [(", ", False)] if inside else []
        inside += [(source, False)]
    if at is None or not ahead:
        yield from inside
        return
    yield frame.format(when=in_time(at, now, words)), False
    if inside:
        yield from ((" (", False), *inside, (")", False))


def source_words(source: str | None, title: str, words: Wording = ENGLISH) -> str | None:
    """Where a time is known from: `stated by OpenRouter`; None where that is not known."""
    return _source(source, title, words)


def _source(source: str | None, title: str, words: Wording) -> str | None:
    match source:
        case Source.HEADER | Source.BODY:
            return words.stated.format(who=title)
        case Source.PROBE:
            return words.found
        case Source.INFERRED:
            return words.assumed
    return None


# -- a quota


def quota_words(one: QuotaView, now: int, words: Wording = ENGLISH) -> str:
    """What is left of one allowance: `key limit: 12.40 of 50 USD left, resets in 5 h`."""
    if one.remaining is None:
        return words.unlimited.format(name=one.name)
    if one.resets_at is not None and one.resets_at <= now:
        return words.renewed.format(name=one.name)
    left, unit = number_words(one.remaining, words), words.units.get(one.unit, one.unit)
    if one.unit == "percent":
        text = words.percent_left.format(name=one.name, left=f"{one.remaining:.0f}")
    elif one.limit:
        text = words.left_of.format(name=one.name, left=left, limit=number_words(one.limit, words), unit=unit)
    else:
        text = words.left.format(name=one.name, left=left, unit=unit)
    return text if one.resets_at is None else text + words.resets.format(when=in_time(one.resets_at, now, words))


def endless(one: QuotaView) -> QuotaView:
    """`one` without its reset, for where that is told in another way."""
    return replace(one, resets_at=None)


def number_words(value: float, words: Wording = ENGLISH) -> str:
    """A figure with two decimals, or none where it is whole: `12.40`, `1,500`."""
    text = f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
    return text.translate({ord(","): words.grouping, ord("."): words.point})


# -- the operator's choice


def choice_words(choice: ChoiceView, now: int, words: Wording = ENGLISH, when: str | None = None) -> str:
    """What holds of the profile that the operator chose: `pinned until it ends in 38 min`.

    `when` is how its end is told, if not by how far away it is.
    """
    if choice.until_at is None:
        text = words.pinned if choice.pinned else words.preferred
    else:
        frame = words.pinned_until if choice.pinned else words.preferred_until
        text = frame.format(when=when or in_time(choice.until_at, now, words))
    return text + (words.strictly if choice.strict else "")
