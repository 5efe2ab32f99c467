"""What is known of a profile's quota: what is left, of how much, until when; learnt from probes and answer headers.

Everything here is what a provider stated, never a guess from our own counting. Headers are read on the
request's path, so a provider without a reader costs one look-up; a bad value is skipped, never an error.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from tray_app.core import hints
from tray_app.core.quota import DAY_MS, is_free
from tray_app.core.values import Scope, Source

MINUTE_MS, HOUR_MS, WEEK_MS, MONTH_MS = 60_000, 3_600_000, 7 * DAY_MS, 30 * DAY_MS
_INFINITY = math.inf
UNSEEN_MS = 1000  # a reset stated as "in 6 minutes" wanders by this much from answer to answer

Allowances = tuple["Allowance", ...]


class Allowance(Struct, frozen=True):
    """One thing that a provider lets a profile use so much of. Times in ms.

    `remaining` and `limit` are in `unit`; with neither known, the provider said that there is no limit.
    `window_ms` is None for what has no window: a wallet, or a cap that never resets. `model` is set where
    each model has an allowance of its own.
    """

    name: str
    remaining: float | None
    limit: float | None
    unit: str
    resets_at: int | None
    window_ms: int | None
    source: Source
    at: int
    scope: Scope
    model: str | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """What it is an allowance of: one is known for each key."""
        return (self.name, self.model)

    @property
    def lasting(self) -> bool:
        """Whether it is worth showing and warning of: a day's or longer, a wallet or a cap; not a minute's bucket."""
        return self.window_ms is None or self.window_ms >= DAY_MS

    def used_percent(self, now: int) -> float | None:
        """How much is used, 0 to 100: nothing once it has been reset. None where no limit is known."""
        if self.remaining is None or self.limit is None or self.limit <= 0:
            return None
        if self._renewed(now):
            return 0.0
        used = 100 * (self.limit - self.remaining) / self.limit
        return round(min(100.0, max(0.0, used)), 6)  # 57 is meant where 56.99999999999999 comes out

    def left_percent(self, now: int) -> float | None:
        """How much is left, 0 to 100: of an empty wallet nothing. None where that cannot be said."""
        used = self.used_percent(now)
        if used is not None:
            return 100 - used
        spent = self.remaining is not None and self.remaining <= 0 and not self._renewed(now)
        return 0.0 if spent else None

    def counts(self, model: str | None) -> bool:
        """Whether a call of `model` uses it."""
        if self.scope is Scope.ACCOUNT_FREE_MODELS:
            return is_free(model)
        return self.model in (None, model)

    def looks_like(self, other: Allowance) -> bool:
        """Whether a person would see no difference to `other`, save when it was learnt."""
        mine, theirs = self.resets_at, other.resets_at
        if mine is None or theirs is None:
            return mine is theirs and self._amounts() == other._amounts()
        return abs(mine - theirs) < UNSEEN_MS and self._amounts() == other._amounts()

    def _amounts(self) -> tuple[object, ...]:
        return (self.remaining, self.limit, self.unit, self.window_ms, self.source, self.scope)

    def _renewed(self, now: int) -> bool:
        return self.resets_at is not None and now >= self.resets_at


def learn(known: Allowances, fresh: Iterable[Allowance]) -> Allowances:
    """`known` with what is newer in `fresh`; `known` itself where a person would see no difference.

    A probe tells all that its provider has to tell: what an earlier one knew and this one does not is gone,
    such as a cap that was lifted. What a model had left goes with its window.
    """
    told = {one.key: one for one in sorted(fresh, key=operator.attrgetter("at"))}
    if not told:
        return known
    at = max(one.at for one in told.values())
    probed_at = max((one.at for one in told.values() if one.source is Source.PROBE), default=-1)
    kept = []
    for old in known:
        new = told.pop(old.key, None)
        if new is not None:
            kept.append(old if new.at < old.at or old.looks_like(new) else new)
        elif not (_is_gone(old, probed_at) or _is_over(old, at)):
            kept.append(old)
    if not told and len(kept) == len(known) and all(map(operator.is_, kept, known)):
        return known
    return (*kept, *told.values())


def _is_gone(old: Allowance, probed_at: int) -> bool:
    return old.source is Source.PROBE and old.at <= probed_at


def _is_over(old: Allowance, now: int) -> bool:
    return old.model is not None and old.resets_at is not None and old.resets_at <= now


def reserved(known: Allowances, reserve_percent: float, now: int, model: str | None = None) -> Allowance | None:
    """The lasting allowance of a call of `model` that has least left, if that is no more than the reserve.

    With a reserve of 0 a profile is used until it is empty: None.
    """
    if reserve_percent <= 0:
        return None
    lefts = [(one.left_percent(now), one) for one in _lasting(known, model)]
    low = [(left, one) for left, one in lefts if left is not None and left <= reserve_percent]
    return min(low, key=operator.itemgetter(0))[1] if low else None


def crossed(before: Allowances, after: Allowances, warn_at: tuple[int, ...], now: int) -> list[tuple[Allowance, int]]:
    """Lasting allowances of which `after` has used a share in `warn_at` (percent) that `before` had not.

    Of several shares that one has passed at once only the highest; after a reset they can be passed again.
    """
    used_before = {one.key: one.used_percent(now) for one in before}
    passed = []
    for one in after:
        used, was = one.used_percent(now), used_before.get(one.key)
        if one.lasting and used is not None:
            floor = -1.0 if was is None else was
            passed += [(one, share) for share in sorted(warn_at)[::-1] if floor < share <= used][:1]
    return passed


def soonest(known: Allowances, now: int, model: str | None = None) -> Allowance | None:
    """The lasting allowance of a call of `model` that has something left and resets soonest: it expires first."""
    ahead = [
        (one.resets_at, one)
        for one in _lasting(known, model)
        if one.resets_at is not None and one.resets_at > now and (one.remaining or 0) > 0
    ]
    return min(ahead, key=operator.itemgetter(0))[1] if ahead else None


def fullest(known: Allowances, now: int) -> Allowance | None:
    """The lasting allowance that is used most: what the tray shows. A wallet comes after all whose share is known."""
    shown = [one for one in known if one.lasting and one.remaining is not None]
    lefts = [(math.inf if (left := one.left_percent(now)) is None else left, one) for one in shown]
    return min(lefts, key=operator.itemgetter(0))[1] if lefts else None


def _lasting(known: Allowances, model: str | None) -> Iterator[Allowance]:
    return (one for one in known if one.lasting and one.counts(model))


# -- what answer headers tell

_STATED, _OF_MODELS = Source.HEADER, Scope.ACCOUNT_MODEL  # on the request's path: finding a member takes 80 ns


def _go_duration_s(text: str, now_s: float) -> float | None:
    """A reset such as `6m0s`; one spelled otherwise is read all the same."""
    seconds = hints.duration_s(text)
    return hints.value_s(text, now_s) if seconds is None else seconds


class _Bucket(Struct, frozen=True):
    """Three headers that speak of one allowance. `read` turns its reset into seconds from now.

    `is_share`: instead of what remains, they say which share is used, 0 to 1, as Claude subscriptions do.
    `if_slow`: the bucket's name where it fills at a day's pace.
    """

    name: str
    unit: str
    window_ms: int
    limit: bytes
    left: bytes
    reset: bytes
    read: Callable[[str, float], float | None]
    if_slow: str | None = None
    is_share: bool = False

    def told(self, stated: Mapping[bytes, bytes], now: int, model: str | None) -> Allowance | None:
        """The allowance that its headers state; None where they do not state what is left."""
        left = _number(stated.get(self.left))
        if left is None:
            return None
        spelled = stated.get(self.reset, b"")
        readable = 0 < len(spelled) <= hints.LONGEST_SPELLING
        resets_at = ahead(self.read(spelled.decode("latin-1"), now / 1000), now) if readable else None
        if self.is_share:
            left = max(0.0, 100 - 100 * left)
            return Allowance(self.name, left, 100.0, self.unit, resets_at, self.window_ms, _STATED, now, Scope.ACCOUNT)
        name, window_ms, limit = self.name, self.window_ms, _number(stated.get(self.limit))
        if self.if_slow and _fills_slowly(left, limit, resets_at, now):
            name, window_ms = self.if_slow, DAY_MS
        return Allowance(name, left, limit, self.unit, resets_at, window_ms, _STATED, now, _OF_MODELS, model)


def _by_kind(
    kind: str,
    name: str,
    window_ms: int,
    read: Callable[[str, float], float | None] = _go_duration_s,
    if_slow: str | None = None,
) -> _Bucket:
    """`x-ratelimit-remaining-requests` and its like, of an organisation and for each model."""
    limit, left, reset = (f"x-ratelimit-{part}-{kind}".encode() for part in ("limit", "remaining", "reset"))
    return _Bucket(name, kind.partition("-")[0], window_ms, limit, left, reset, read, if_slow)


def _of_anthropic(kind: str) -> _Bucket:
    """`anthropic-ratelimit-input-tokens-remaining` and its like, of an organisation and for each class of models."""
    limit, left, reset = (f"anthropic-ratelimit-{kind}-{part}".encode() for part in ("limit", "remaining", "reset"))
    name = f"{kind.replace('-', ' ')} per minute"
    return _Bucket(name, kind.rpartition("-")[2], MINUTE_MS, limit, left, reset, hints.instant_s)


def _of_claude(window: str, name: str, window_ms: int) -> _Bucket:
    """A window of a Claude subscription: which share of it is used, and an epoch. Seen in answers, not documented."""
    used, reset = (f"anthropic-ratelimit-unified-{window}-{part}".encode() for part in ("utilization", "reset"))
    return _Bucket(name, "percent", window_ms, b"", used, reset, hints.value_s, is_share=True)


# OpenAI states Go durations (https://developers.openai.com/api/docs/guides/rate-limits) and, for models with a
# limit of requests per day, that one under the names of the minute's. Groq's requests are always a day's, its
# tokens a minute's (https://console.groq.com/docs/rate-limits). Cerebras names the window and states float seconds
# (https://inference-docs.cerebras.ai/support/rate-limits). Anthropic states RFC 3339 instants
# (https://platform.claude.com/docs/en/api/rate-limits).
_BUCKETS: Mapping[str, tuple[_Bucket, ...]] = {
    "openai": (
        _by_kind("requests", "requests per minute", MINUTE_MS, if_slow="requests per day"),
        _by_kind("tokens", "tokens per minute", MINUTE_MS),
    ),
    "groq": (
        _by_kind("requests", "requests per day", DAY_MS),
        _by_kind("tokens", "tokens per minute", MINUTE_MS),
    ),
    "cerebras": tuple(
        _by_kind(f"{unit}-{window}", f"{unit} per {window}", window_ms, hints.value_s)
        for unit in ("requests", "tokens")
        for window, window_ms in (("minute", MINUTE_MS), ("hour", HOUR_MS), ("day", DAY_MS))
    ),
    "anthropic": (
        *map(_of_anthropic, ("requests", "tokens", "input-tokens", "output-tokens")),
        _of_claude("5h", "5-hour window", 5 * HOUR_MS),
        _of_claude("7d", "weekly window", WEEK_MS),
    ),
}
_READ = {
    provider: frozenset(name for one in buckets for name in (one.limit, one.left, one.reset))
    for provider, buckets in _BUCKETS.items()
}


def tells(provider: str) -> bool:
    """Whether that provider's answers are known to tell anything in their headers."""
    return provider in _READ


def from_headers(
    provider: str, headers: Iterable[tuple[bytes, bytes]], now: int, model: str | None = None
) -> Allowances:
    """What the headers of an answer tell; nothing where `provider` is not known to tell any. Names are lower case.

    `model` is the one that answered: most limits are for each model. None takes them as the whole profile's.
    """
    names = _READ.get(provider)
    if names is None:
        return ()
    stated = {name: value for name, value in headers if name in names}
    if not stated:
        return ()
    return tuple([one for bucket in _BUCKETS[provider] if (one := bucket.told(stated, now, model)) is not None])


def _number(text: bytes | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < _INFINITY else None  # Azure states -1 where it has no limit


def ahead(seconds: float | None, now: int) -> int | None:
    """The instant that is so many seconds on, in ms; None for one that is past or beyond belief."""
    if seconds is None or not 0 < seconds <= hints.CEILING_S:
        return None
    return now + round(seconds * 1000)


def _fills_slowly(left: float, limit: float | None, full_at: int | None, now: int) -> bool:
    """Whether a bucket that is full again at `full_at` would take hours to fill from empty: it is a day's.

    Waits below a second tell nothing: they are rounded up.
    """
    if limit is None or full_at is None or full_at - now < 1000:
        return False
    return 0 < (limit - left) * HOUR_MS < limit * (full_at - now)
