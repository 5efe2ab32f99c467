"""A history as months of work leave it, of any length: facts of made-up requests in the proportions of real ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tray_app.core.ids import RANDOM_BITS, request_id
from tray_app.core.values import (
    Admin,
    AttemptEnded,
    AttemptStarted,
    Cooldown,
    CooldownCleared,
    CooldownSet,
    ErrorClass,
    Fact,
    FailedOver,
    OperatorActed,
    Outcome,
    Profile,
    ProfileSeen,
    RequestEnded,
    RequestStarted,
    Scope,
    Source,
    Spent,
)
from tray_app.ledger import batch, database

DAY_MS = 86_400_000
CHUNK = 2000  # requests that are written at once
WORDS_KEPT = 10_000  # the provider's own words are kept for so many calls
FAILING = 0.02  # of all requests meet a limit and fail over
LOST = 0.004  # are not served at all
LEFT = 0.006  # are left by their client
UNPRICED = 0.002  # of the calls have no known price
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class _Place:
    """A provider with its profiles, and how its calls look."""

    provider: str
    protocol: str
    path: str
    models: tuple[tuple[str, float, float, float], ...]  # US dollars for a million tokens: read, cached, written
    profiles: tuple[str, ...]
    clients: tuple[str, ...]
    share: int


PLACES = (
    _Place(
        "openrouter",
        "openai_chat",
        "/chat/completions",
        (
            ("anthropic/claude-sonnet-4.5", 3, 0.3, 15),
            ("openai/gpt-5-mini", 0.25, 0.025, 2),
            ("qwen/qwen3-coder", 0.22, 0.022, 0.95),
        ),
        ("openrouter-main", "openrouter-backup", "openrouter-spare"),
        ("opencode",),
        55,
    ),
    _Place(
        "anthropic",
        "anthropic_messages",
        "/messages",
        (("claude-sonnet-4-5", 3, 0.3, 15), ("claude-haiku-4-5", 1, 0.1, 5)),
        ("anthropic-work", "anthropic-home"),
        ("claude-code", "claude-code", "opencode"),
        30,
    ),
    _Place(
        "openai",
        "openai_responses",
        "/responses",
        (("gpt-5", 1.25, 0.125, 10),),
        ("openai-main",),
        ("codex", "codex", "opencode"),
        15,
    ),
)


class Past:
    """Requests of the `days` before `now` (ms), in the order of their ends; every call of it is one attempt."""

    def __init__(self, attempts: int, now: int, days: int = 30, seed: int = 1) -> None:
        self._attempts = attempts
        self._now = now
        self._chance = random.Random(seed)
        self._start = now - days * DAY_MS
        self._mean_gap = days * DAY_MS / max(attempts / (1 + FAILING + LOST), 1)
        self.made = 0

    def chunks(self) -> Iterator[list[Fact]]:
        """All of it, piece by piece."""
        at, number = float(self._start), 0
        while self.made < self._attempts:
            ends: list[tuple[int, list[Fact]]] = []
            for _ in range(CHUNK):
                if self.made >= self._attempts:
                    break
                at = min(at + self._chance.expovariate(1 / self._mean_gap), self._now - 40_000)
                ends.append(self._request(int(at), number))
                number += 1
            ends.sort(key=lambda one: one[0])
            yield [fact for _, facts in ends for fact in facts]

    def _request(self, at: int, number: int) -> tuple[int, list[Fact]]:
        chance = self._chance
        place = chance.choices(PLACES, [place.share for place in PLACES])[0]
        model = place.models[min(int(chance.expovariate(1.2)), len(place.models) - 1)]
        profile = place.profiles[min(int(chance.expovariate(1.5)), len(place.profiles) - 1)]
        luck = chance.random()
        request = request_id(at, chance.getrandbits(RANDOM_BITS))
        size = int(min(chance.lognormvariate(11.2, 0.9), 4e6))
        start = RequestStarted(
            request,
            at,
            chance.choice(place.clients),
            place.provider,
            place.protocol,
            place.path,
            model[0],
            luck < 0.97,
            size,
        )
        facts: list[Fact] = [start]
        seq, began, failovers, outcome = 1, at + (chance.random() < 0.2), 0, Outcome.SERVED
        if luck < FAILING + LOST:
            following = place.profiles[(place.profiles.index(profile) + 1) % len(place.profiles)]
            facts += self._limited(request, seq, profile, following, model[0], began)
            seq, began, failovers, profile = 2, began + chance.randrange(150, 500), 1, following
            outcome = Outcome.SERVED if luck >= LOST else Outcome.FAILED
        elif luck < FAILING + LOST + LEFT:
            outcome = Outcome.CLIENT_CANCELLED
        first = int(chance.lognormvariate(6.9, 0.6))
        took = first + int(chance.lognormvariate(8.2, 0.9))
        facts += self._call(place, request, seq, profile, model, began, first, took, size, outcome)
        last = facts[-1]
        assert isinstance(last, AttemptEnded)
        ended = began + took + (chance.random() < 0.3)
        facts.append(
            RequestEnded(
                request,
                ended,
                outcome,
                last.status_code,
                place.provider,
                profile,
                seq,
                failovers,
                0,
                None if last.ttft_ms is None else began + first - at,
                ended - at,
                last.response_bytes,
                None if outcome is not Outcome.FAILED else "every profile has failed",
            )
        )
        self.made += seq
        return ended, facts

    def _call(
        self,
        place: _Place,
        request: str,
        seq: int,
        profile: str,
        model: tuple[str, float, float, float],
        began: int,
        first: int,
        took: int,
        size: int,
        outcome: Outcome,
    ) -> list[Fact]:
        start = AttemptStarted(request, seq, profile, model[0], began)
        if outcome is Outcome.FAILED:
            told = ("server_error", "provider", "503", "upstream connect error or disconnect/reset before headers")
            end = AttemptEnded(
                request,
                seq,
                profile,
                began + took,
                outcome,
                503,
                *told,
                None,
                None,
                took,
                None,
                95,
                "the provider failed",
            )
            return [start, end]
        written = max(int(self._chance.lognormvariate(5.7, 0.9)), 1)
        end = AttemptEnded(
            request,
            seq,
            profile,
            began + took,
            outcome,
            200,
            None,
            None,
            None,
            None,
            None,
            first,
            took,
            self._id_of(place.provider, began),
            written * 90 + 700,
            None,
            written // 3 + 3,
            None,
            None
            if outcome is not Outcome.SERVED and self._chance.random() < 0.5
            else self._spent(model, size, written),
        )
        return [start, end]

    def _spent(self, model: tuple[str, float, float, float], size: int, written: int) -> Spent:
        read = size // 4
        cached = int(read * self._chance.choice((0, 0.6, 0.9, 0.95))) // 128 * 128
        cost = ((read - cached) * model[1] + cached * model[2] + written * model[3]) / 1e6
        words = f'{{"prompt_tokens":{read},"completion_tokens":{written},"prompt_tokens_details":{{"cached_tokens":{cached}}}}}'
        late = self.made >= self._attempts - WORDS_KEPT - CHUNK
        priced = self._chance.random() > UNPRICED
        money = (round(cost, 9), "provider") if priced else (None, None)
        return Spent(read, written, cached, 0, None, *money, words if late else None)

    def _id_of(self, provider: str, at: int) -> str | None:
        """As the documentation of each shows them; one in ten answers has none."""
        chance = self._chance
        if chance.random() < 0.1:
            return None
        if provider == "openrouter":
            return f"gen-{at // 1000}-{''.join(chance.choices(LETTERS, k=20))}"
        if provider == "anthropic":
            return f"req_011C{''.join(chance.choices(LETTERS, k=20))}"
        return f"req_{chance.getrandbits(128):032x}"

    def _limited(self, request: str, seq: int, profile: str, following: str, model: str, began: int) -> list[Fact]:
        """The first profile meets its limit, and the next one steps in."""
        took, wait = self._chance.randrange(80, 400), self._chance.choice((5.0, 20.0, 60.0))
        told = ("rate_limited", "key", "429", "Rate limit exceeded: limit_rpm/anthropic. High demand.")
        reason = "the rate limit is reached"
        at = began + took
        until = at + round(wait * 1000)
        rest = Cooldown(profile, Scope.KEY, None, until, at, ErrorClass.RATE_LIMITED, Source.HEADER, reason)
        return [
            AttemptStarted(request, seq, profile, model, began),
            AttemptEnded(request, seq, profile, at, Outcome.FAILED, 429, *told, wait, None, took, None, 180, reason),
            CooldownSet(rest, profile, request, at),
            FailedOver(request, at, profile, following, reason, False),
            CooldownCleared(rest, profile, until, "its time is over"),
        ]


def profiles(at: int) -> list[Fact]:
    """Those of all places, and something that an operator did."""
    seen: list[Fact] = []
    for place in PLACES:
        for name in place.profiles:
            label = name.partition("-")[2]
            made = Profile(
                name, place.provider, label, name, "https://example.org/v1", "0" * 16, "wxyz", "cli", 0, (), at
            )
            seen.append(ProfileSeen(made, Admin.ENABLED, None, at, new=True))
    return [*seen, OperatorActed(at, "cli", "pause", "openrouter-spare", "for 2 h")]


def make(path: Path, attempts: int, now: int, days: int = 30) -> int:
    """Write such a history; how many attempts it holds."""
    past, unfinished = Past(attempts, now, days), batch.Unfinished()
    with closing(database.open_for_writing(path, now).connection) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        batch.write(connection, profiles(now - days * DAY_MS), unfinished)
        for facts in past.chunks():
            batch.write(connection, facts, unfinished)
    return past.made
