"""What Prometheus is told, in its text format: names, units and labels after its conventions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from tray_app.control.tally import BOUNDS_MS, Spread, Tally
from tray_app.control.views import AppState, QuotaView, Status
from tray_app.core.history import UsageTotal
from tray_app.core.values import Phase

KIND = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def exposition(
    status: Status, quotas: Sequence[QuotaView], tally: Tally, usage: Sequence[UsageTotal], held: int, listeners: int
) -> str:
    """All metrics. `held` are records that wait for the history file, `listeners` those who follow live events."""
    families = (*_of_the_app(status, held, listeners), *_of_profiles(status), *_of_quotas(quotas))
    return "".join((*families, *_counted(tally), *_spread(tally), *_used(usage)))


def _of_the_app(status: Status, held: int, listeners: int) -> Iterator[str]:
    yield _gauge("build_info", "The version that runs.", [({"version": status.version}, 1)])
    yield _gauge("start_time_seconds", "When the app was started, since the epoch.", [({}, status.started_at / 1000)])
    states = [({"state": one.value}, float(one is status.state)) for one in AppState]
    yield _gauge("state", "1 for the state that the app is in.", states)
    yield _gauge("queued_requests", "Requests that wait for a place now.", [({}, status.waiting)])
    yield _gauge("ledger_up", "Whether the history file can be written.", [({}, float(status.ledger == "ok"))])
    yield _gauge("ledger_held_records", "Records that wait in memory for the history file.", [({}, held)])
    yield _gauge("event_listeners", "Who follows the live events.", [({}, listeners)])
    yield _counter("ledger_dropped_records", "Records that could not be kept.", [({}, status.dropped_facts)])


def _of_profiles(status: Status) -> Iterator[str]:
    profiles = status.profiles
    named = [({"profile": one.id, "provider": one.provider}, one) for one in profiles]
    yield _gauge(
        "profile_state",
        "1 for the state that a profile is in.",
        [
            ({**labels, "state": phase.value}, float(one.state == phase.value))
            for labels, one in named
            for phase in Phase
        ],
    )
    yield _gauge(
        "profile_active",
        "Whether a profile serves the next request of its provider.",
        [(labels, float(one.active)) for labels, one in named],
    )
    yield _gauge(
        "profile_in_flight_requests", "Calls that a profile serves now.", [(ls, one.in_flight) for ls, one in named]
    )
    yield _gauge(
        "profile_health_ratio",
        "How well a profile's latest calls went, 0 to 1.",
        [(ls, one.health) for ls, one in named],
    )
    yield _gauge("profile_score", "A profile's routing score.", [(labels, one.score) for labels, one in named])
    yield _gauge(
        "profile_reset_timestamp_seconds",
        "When a profile that does not serve may serve again, where that is known.",
        [(labels, one.resets_at / 1000) for labels, one in named if one.resets_at is not None],
    )


def _of_quotas(quotas: Sequence[QuotaView]) -> Iterator[str]:
    named = [({"profile": one.profile, "quota": one.name, "unit": one.unit}, one) for one in quotas]
    yield _gauge(
        "quota_remaining",
        "What is left of an allowance, in its unit.",
        [(labels, one.remaining) for labels, one in named if one.remaining is not None],
    )
    yield _gauge(
        "quota_limit",
        "How much an allowance is when it is whole, in its unit.",
        [(labels, one.limit) for labels, one in named if one.limit is not None],
    )
    yield _gauge(
        "quota_used_ratio",
        "How much of an allowance is used, 0 to 1.",
        [(labels, one.used_percent / 100) for labels, one in named if one.used_percent is not None],
    )
    yield _gauge(
        "quota_reset_timestamp_seconds",
        "When an allowance begins anew, where that is known.",
        [(labels, one.resets_at / 1000) for labels, one in named if one.resets_at is not None],
    )


def _counted(tally: Tally) -> Iterator[str]:
    yield _counter(
        "requests", "Requests of clients, by how they ended.", _keyed(tally.requests, "provider", "profile", "outcome")
    )
    yield _counter("attempts", "Calls to providers.", _keyed(tally.attempts, "profile", "outcome", "error_class"))
    yield _counter("retries", "Further calls to the same profile.", _keyed(tally.retries, "profile", "error_class"))
    yield _counter(
        "failovers", "Changes of profile.", _keyed(tally.failovers, "from_profile", "to_profile", "initiator")
    )
    yield _counter(
        "cooldowns", "Rests that a limit or a fault set.", _keyed(tally.cooldowns, "profile", "scope", "error_class")
    )
    yield _counter("circuit_changes", "Changes of a profile's circuit.", _keyed(tally.circuits, "profile", "circuit"))
    yield _counter("operations", "What operators did.", _keyed(tally.operations, "actor", "verb"))
    queue = [({"result": "queued"}, tally.queued), ({"result": "rejected"}, tally.rejected)]
    yield _counter("admissions", "Requests that found no place at once.", queue)
    yield _counter("wait_seconds", "Time that requests waited, all together.", [({}, tally.wait_ms / 1000)])


def _spread(tally: Tally) -> Iterator[str]:
    yield _histogram("request_duration_seconds", "From a request to the end of its answer.", tally.durations)
    yield _histogram("time_to_first_byte_seconds", "From a request to the first byte.", tally.first_bytes)


def _used(usage: Sequence[UsageTotal]) -> Iterator[str]:
    named = [({"profile": one.profile_id, "model": one.model}, one) for one in usage]
    yield _counter(
        "tokens",
        "Tokens since the history began; cached and reasoning ones are parts of input and output.",
        [
            ({**labels, "kind": kind}, getattr(one, f"{kind}_tokens"))
            for labels, one in named
            for kind in ("input", "output", "cache_read", "cache_write", "reasoning")
        ],
    )
    yield _counter(
        "cost_usd", "US dollars since the history began, as far as known.", [(ls, one.cost_usd) for ls, one in named]
    )
    yield _counter(
        "unpriced_attempts",
        "Calls since the history began whose cost is not known.",
        [(ls, u.unpriced) for ls, u in named],
    )


# -- the format


def _keyed(counts: Mapping[tuple[str, ...], int], *names: str) -> list[Sample]:
    return [(dict(zip(names, key, strict=True)), count) for key, count in sorted(counts.items())]


def _gauge(name: str, about: str, samples: Iterable[Sample]) -> str:
    return _family(f"o_switcher_{name}", "gauge", about, samples)


def _counter(name: str, about: str, samples: Iterable[Sample]) -> str:
    return _family(f"o_switcher_{name}_total", "counter", about, samples)


def _family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    lines = "".join(_line(name, labels, value) for labels, value in samples)
    return f"# HELP {name} {about}\n# TYPE {name} {kind}\n{lines}"


def _histogram(name: str, about: str, spreads: Mapping[str, Spread]) -> str:
    name = f"o_switcher_{name}"
    lines = [f"# HELP {name} {about}\n# TYPE {name} histogram\n"]
    for provider, spread in sorted(spreads.items()):
        labels = {"provider": provider}
        sums = list(accumulate(spread.counts))
        bounds = [*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf"]
        lines += [_line(f"{name}_bucket", {**labels, "le": le}, count) for le, count in zip(bounds, sums, strict=True)]
        lines.append(_line(f"{name}_sum", labels, spread.total_ms / 1000))
        lines.append(_line(f"{name}_count", labels, sums[-1]))
    return "".join(lines)


def _line(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {_number(value)}\n" if inside else f"{name} {_number(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
