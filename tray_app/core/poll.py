"""When a profile's provider is asked next what is left: a pure function of use, what remains, and failures.

| the profile | is asked |
|---|---|
| a person or retry-now asks for it | at once |
| was never asked | in 2 to 10 s |
| is parked and was not asked since its reset | once, 5 to 25 s after the reset |
| served nothing since it was last asked | not at all: nothing happens, so nothing wakes |
| served calls | after the interval below, doubled for each failure in a row, at most 30 minutes |

| used | below 20 calls since | 20 to 99 | 100 and more |
|---|---|---|---|
| below 50 %, or not known | 30 min | 20 min | 10 min |
| from 50 % | 20 min | 10 min | 5 min |
| from 80 % | 10 min | 5 min | 2 min |
| from 95 % | 5 min | 2 min | 2 min |

Every interval is spread over 10 % to either side, within 2 to 30 minutes, so that profiles do not ask in step.
"""

from __future__ import annotations

from msgspec import Struct

from tray_app.core.allowance import MINUTE_MS

SHORTEST_MS, LONGEST_MS = 2 * MINUTE_MS, 30 * MINUTE_MS
SPREAD = 0.1
FIRST_MS = (2_000, 10_000)
AFTER_RESET_MS = (5_000, 25_000)

_BUSY = (20, 100)  # calls since it was last asked
_INTERVALS_MIN = (
    (95.0, (5, 2, 2)),
    (80.0, (10, 5, 2)),
    (50.0, (20, 10, 5)),
    (0.0, (30, 20, 10)),
)
_MOST_DOUBLINGS = 4  # then even the shortest interval is the longest


class Poll(Struct, frozen=True):
    """What decides when to ask. `last_at` is when it was last asked, whatever came of it. Times in ms."""

    last_at: int | None = None
    failures: int = 0  # in a row
    calls_since: int = 0  # requests that the profile served since `last_at`
    used_percent: float | None = None  # of what is nearest to its end
    parked_until: int | None = None
    asked: bool = False  # by retry-now or by a person


def next_poll_at(poll: Poll, now: int, chance: float) -> int | None:
    """When to ask next, `now` or later, in ms; None: no need. See the table above.

    `chance` is uniform in [0, 1); draw it once for each time that the provider was asked, not for each question.
    """
    if poll.asked:
        return now
    if poll.last_at is None:
        return now + _between(FIRST_MS, chance)
    last_at = min(poll.last_at, now)  # the clock may have been set back since
    if poll.parked_until is not None and last_at < poll.parked_until:
        return max(now, last_at + SHORTEST_MS, poll.parked_until + _between(AFTER_RESET_MS, chance))
    if poll.calls_since <= 0:
        return None
    return max(now, last_at + _interval_ms(poll, chance))


def _between(span: tuple[int, int], chance: float) -> int:
    return round(span[0] + chance * (span[1] - span[0]))


def _interval_ms(poll: Poll, chance: float) -> int:
    """The interval of the table, so that its spread stays within the bounds."""
    wanted = _table_min(poll) * MINUTE_MS << min(max(poll.failures, 0), _MOST_DOUBLINGS)
    middle = min(max(wanted, SHORTEST_MS / (1 - SPREAD)), LONGEST_MS / (1 + SPREAD))
    return round(middle * (1 - SPREAD + 2 * SPREAD * chance))


def _table_min(poll: Poll) -> int:
    used = poll.used_percent or 0.0
    row = next((row for least, row in _INTERVALS_MIN if used >= least), _INTERVALS_MIN[-1][1])
    return row[sum(poll.calls_since >= calls for calls in _BUSY)]
