"""A scenario as a row of a table: the keys, what happens, and all that must come of it.

A row is played on the whole app in front of the simulator. What a row does not name must not be there: no
failover, no rest, no wait, no profile that is not well. It is noon of a Wednesday in UTC, time passes only where
the row says so, and chance is always one half, so that every rest can be told to the millisecond.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.rig import CHAT, MODEL, SETTINGS, Clock, Key, Rig, key_of, plain_http, running, said, script_of
from tray_app.control.callers import connect
from tray_app.control.verbs import Refused
from tray_app.host.home import write_private
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

START = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
CHANCE = 0.5
PATIENCE_S = 10.0
NEAR_S = 1.5  # what "~500" may be more than a wait was, where the clock goes on
EARLY_MS = 2  # a timer may ring so much early: the rest of such a wait is no wait of its own
DAY_MS = 86_400_000

Act = Callable[["Stage"], None]
Steps = str | Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A scenario. Profiles go by the names of their keys.

    Attributes:
        name: what is shown, in a sentence.
        keys: the profiles in their order, each by the steps of its key.
        acts: what happens, in order.
        calls: calls per key that reached the provider.
        settings: lines of `config.toml`.
        ticks: whether the clock goes on by itself: so that a rest which is waited for comes to its end.
        moves: rows of `failover`: `a>b`, `a>b alone` for a call that leaves the pool where it is, `a>b by hand`.
        quota: rows of `quota_event`: `a cooldown key header 30s`, `a reset key`, `a reauth`.
        rests: the models of those rests left at the end that are for one model: `a model openai/gpt-4o-mini`.
        waits: lines `retry.scheduled`: whom a request waited for and how many ms.
        operators: rows of `operator_event`: `pin b`, `unpin b by app`.
        phases: the labels at the end of profiles that are not ready; `gone` for one that was removed.
        log: how many lines of an event there are in the decisions log.
        also: what else is looked at before the end.
        pitfalls: the rows of PITFALLS.md that it is a case of.
    """

    name: str
    keys: Mapping[str, Steps]
    acts: Sequence[Act]
    calls: Mapping[str, int]
    settings: str = ""
    ticks: bool = False
    moves: Sequence[str] = ()
    quota: Sequence[str] = ()
    rests: Sequence[str] = ()
    waits: Sequence[str] = ()
    operators: Sequence[str] = ()
    phases: Mapping[str, str] = field(default_factory=dict)
    log: Mapping[str, int] = field(default_factory=dict)
    also: Act | None = None
    pitfalls: tuple[int, ...] = ()

    def id_of(self, name: str) -> str:
        """The profile's id."""
        key = self.keys[name]
        return f"{key.provider if isinstance(key, Key) else 'openrouter'}-{name}"


# -- what can happen


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and what must come of it.

    Attributes:
        tries: the calls in their order and what each came to: `a:server_error*4 b:ok`.
        other: the same, where of several alike one must come to that.
        status: what the client gets.
        of: the session that the client names; without one it belongs with whatever began with the same `text`.
        size: least length of the prompt.
        failovers: changes of profile, where they are not those in `tries`.
        retry_after: the header in seconds; None: there is none.
        why: the `why` of an answer of ours.
        profiles: what that says of each profile: `a cooling 1800s`.
        verbatim: the key whose provider's own answer, byte for byte, the client gets.
        cut: whether the answer is a stream that breaks off.
    """

    tries: str
    status: int = 200
    of: str | None = None
    text: str = ""
    stream: bool = False
    size: int = 0
    model: str = MODEL
    path: str = CHAT
    tags: str = ""
    body: bytes = b""
    failovers: int | None = None
    outcome: str = ""
    retry_after: int | None = None
    why: str = ""
    profiles: Sequence[str] | None = None
    verbatim: str = ""
    cut: bool = False
    other: str = ""

    def __call__(self, stage: Stage) -> None:
        turn = stage.next_turn()
        stage.check_answer(self, turn, stage.send(self, turn))

    @property
    def results(self) -> list[str]:
        """Each call and what it came to."""
        parts = [part.partition("*") for part in self.tries.split()]
        return [one for one, _, times in parts for _ in range(int(times or 1))]

    @property
    def names(self) -> list[str]:
        """Whose key each call was made with."""
        return [one.partition(":")[0] for one in self.results]

    @property
    def changes(self) -> int:
        """How often the profile was changed."""
        if self.failovers is not None:
            return self.failovers
        names = self.names
        return sum(one != other for one, other in zip(names, names[1:], strict=False))

    @property
    def ending(self) -> str:
        """The outcome that is recorded."""
        if self.outcome:
            return self.outcome
        if self.cut:
            return "interrupted"
        return "failed" if self.verbatim else _OUTCOMES[self.status]

    def headers(self) -> dict[str, str]:
        named = {"x-session-id": self.of, "x-o-switcher-tags": self.tags}
        return {name: value for name, value in named.items() if value}

    def content(self, turn: int) -> bytes:
        text = self.text or f"words {turn}"
        text += "." * max(0, self.size - len(text))
        asked: dict[str, Any] = {"model": self.model, "stream": self.stream}
        if self.path.endswith("/embeddings"):
            asked = {"model": self.model, "input": text}
        else:
            asked["messages"] = [{"role": "user", "content": text}]
        return self.body or json.dumps(asked).encode()


_OUTCOMES = {200: "served", 429: "exhausted", 403: "exhausted", 502: "failed", 503: "refused"}
ask = Ask


def begin(asked: Ask, *, calls: Mapping[str, int] | None = None, queued: int | None = None) -> Act:
    """Begin a request, and go on once so many calls have been made, or so many requests wait for a place."""

    def act(stage: Stage) -> None:
        turn = stage.next_turn()
        stage.begun.append((asked, turn, stage.crowd.submit(stage.send, asked, turn)))
        stage.reach(calls, queued)

    return act


def release(*, calls: Mapping[str, int] | None = None, queued: int | None = None) -> Act:
    """Let the provider's answers go that it holds, and go on once so many calls have been made."""

    def act(stage: Stage) -> None:
        for simulator in stage.rig.simulators:
            simulator.release()
        stage.reach(calls, queued)

    return act


def reach(*, calls: Mapping[str, int] | None = None, queued: int | None = None) -> Act:
    """Go on once so many calls have been made, and so many requests wait for a place."""
    return lambda stage: stage.reach(calls, queued)


def end() -> Act:
    """Wait for the answers to what has been begun."""

    def act(stage: Stage) -> None:
        for asked, turn, answer in stage.begun:
            stage.check_answer(asked, turn, answer.result(PATIENCE_S))
        stage.begun.clear()

    return act


def leave(
    asked: Ask, *, calls: Mapping[str, int] | None = None, queued: int | None = None, waiting: int | None = None
) -> Act:
    """Ask, and hang up once so many calls have been made, requests queued, or waits begun; a stream after its head."""

    def act(stage: Stage) -> None:
        turn, before = stage.next_turn(), stage.under_way()
        with stage.line(asked, turn) as sock:
            stage.reach(calls, queued)
            if waiting is not None:
                stage.until(lambda: len(stage.scheduled()) >= waiting, "nobody waits")
            if asked.stream and calls is not None:
                assert sock.recv(100)
        stage.left.append(asked)
        stage.until(lambda: stage.under_way() == before, "the leaving was not noticed")

    return act


def do(verb: str, name: str = "", *, refused: str = "", **arguments: object) -> Act:
    """An operator's verb, said to the running app."""

    def act(stage: Stage) -> None:
        given = {"profile": stage.row.id_of(name), **arguments} if name else arguments
        caller = connect(stage.rig.home.running)
        if refused:
            with pytest.raises(Refused, match=refused):
                caller.ask(verb, **given)
        else:
            caller.ask(verb, **given)

    return act


def later(seconds: float) -> Act:
    """So much time passes at once, as in a machine that slept; negative: the clock is set back."""
    return lambda stage: stage.rig.leap(seconds)


def waiting(times: int) -> Act:
    """Wait until so many waits have begun, since the start."""
    return lambda stage: stage.until(lambda: len(stage.scheduled()) >= times, "nobody waits")


def restart(after: float = 0.0) -> Act:
    """The app stops, and is started again in the same home so many seconds later."""
    return lambda stage: stage.rig.restart(after)


def over(name: str) -> Act:
    """Wait until nothing rests that profile any more."""

    def act(stage: Stage) -> None:
        profile = stage.row.id_of(name)
        stage.until(lambda: not stage.rig.app.cell.pool.members[profile].cooldowns, f"{name} rests for ever")

    return act


def unpinned() -> Act:
    """Wait until nothing is pinned or preferred any more."""
    return lambda stage: stage.until(lambda: stage.rig.app.cell.pool.choice is None, "the pin stays for ever")


def becomes(name: str, phase: str) -> Act:
    """That is how the profile stands now."""

    def act(stage: Stage) -> None:
        assert stage.rig.phase(stage.row.id_of(name)) == phase

    return act


def behave(**steps: Steps) -> Act:
    """From now on the provider's keys behave like that."""
    return lambda stage: stage.rig.simulator.replace(parse(script_of(**{**stage.row.keys, **steps}), "later"))


def revive() -> Act:
    """Somebody listens again at the address of those who were not there."""
    return lambda stage: stage.rig.revive(script_of(**stage.row.keys))


def settings(text: str) -> Act:
    """The settings file is changed, which the app else notices within a second of the next request."""

    def act(stage: Stage) -> None:
        write_private(stage.rig.home.config, (SETTINGS + text).encode())
        stage.rig.in_loop(stage.rig.app.reload)

    return act


# -- how it is played, and looked at


def play(row: Row, folder: Path) -> None:
    """Play `row` in that folder, and hold what came of it against what must."""
    clock = Clock(START, ticks=row.ticks)
    with running(folder, row.keys, settings=row.settings, clock=clock, chance=CHANCE) as rig:
        with ThreadPoolExecutor(max_workers=32) as crowd:
            stage = Stage(row, rig, crowd)
            try:
                for act in row.acts:
                    act(stage)
                stage.check_state()
            finally:
                stage.let_go()
    stage.check_history()


@dataclass
class Stage:
    """One row being played."""

    row: Row
    rig: Rig
    crowd: ThreadPoolExecutor
    turns: int = 0
    begun: list[tuple[Ask, int, Future[httpx.Response]]] = field(default_factory=list)
    asked: dict[str, Ask] = field(default_factory=dict)  # by the request's id
    left: list[Ask] = field(default_factory=list)

    def next_turn(self) -> int:
        self.turns += 1
        return self.turns

    def send(self, asked: Ask, turn: int) -> httpx.Response:
        headers = {"content-type": "application/json", **asked.headers()}
        content = asked.content(turn)
        if not asked.cut:
            return self.rig.client.post(asked.path, content=content, headers=headers)
        with self.rig.client.stream("POST", asked.path, content=content, headers=headers) as answer:
            with pytest.raises(httpx.RemoteProtocolError):
                for _ in answer.iter_raw():
                    pass
            return answer

    @contextmanager
    def line(self, asked: Ask, turn: int) -> Iterator[socket.socket]:
        """A connection on which a request has been sent."""
        url, body = httpx.URL(self.rig.url), asked.content(turn)
        headers = {
            "host": url.netloc.decode(),
            "authorization": self.rig.client.headers["authorization"],
            "content-type": "application/json",
            "content-length": str(len(body)),
            **asked.headers(),
        }
        lines = [f"POST {asked.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        with socket.create_connection((url.host, url.port or 80), timeout=PATIENCE_S) as sock:
            sock.sendall("\r\n".join(lines).encode() + body)
            yield sock

    def until(self, true: Callable[[], object], else_: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline, else_
            time.sleep(0.004)

    def reach(self, calls: Mapping[str, int] | None, queued: int | None) -> None:
        """Go on once it is so."""

        def now() -> tuple[object, object]:
            return (
                None if calls is None else self.rig.calls(),
                None if queued is None else len(self.rig.app.admission),
            )

        wanted = (None if calls is None else dict(calls), queued)
        deadline = time.monotonic() + PATIENCE_S
        while (there := now()) != wanted:
            assert time.monotonic() < deadline, f"calls and queue are {there}, and should become {wanted}"
            time.sleep(0.004)

    def under_way(self) -> tuple[int, int, int]:
        """Calls in flight, requests in the queue, and requests that have begun and not ended."""
        views = self.rig.app.service.status().profiles
        facts = Counter(type(fact).__name__ for fact in list(self.rig.facts))
        return (
            sum(view.in_flight for view in views),
            len(self.rig.app.admission),
            facts["RequestStarted"] - facts["RequestEnded"],
        )

    def let_go(self) -> None:
        """Where something went wrong, nobody is to wait for answers that are held."""
        while any(not answer.done() for _, _, answer in self.begun):
            for simulator in self.rig.simulators:
                simulator.release()
            time.sleep(0.01)

    def scheduled(self) -> list[object]:
        return [fact for fact in list(self.rig.facts) if type(fact).__name__ == "RetryScheduled"]

    # -- an answer

    def check_answer(self, asked: Ask, turn: int, answer: httpx.Response) -> None:
        told = answer.headers
        served = (told["x-o-switcher-profile"], int(told["x-o-switcher-attempts"]))
        if asked.other and served != (self.row.id_of(asked.names[-1]), len(asked.names)):
            asked = replace(asked, tries=asked.other)
        self.asked[told["x-o-switcher-request-id"]] = asked
        marks = {
            "status": answer.status_code,
            "profile": told["x-o-switcher-profile"],
            "attempts": int(told["x-o-switcher-attempts"]),
            "failovers": int(told["x-o-switcher-failovers"]),
        }
        names = asked.names
        assert marks == {
            "status": asked.status,
            "profile": self.row.id_of(names[-1]) if names else "none",
            "attempts": len(names),
            "failovers": asked.changes,
        }, "" if asked.cut else answer.text[:600]
        self._check_retry_after(asked, told.get("retry-after"))
        if asked.verbatim:
            self._check_verbatim(asked, turn, answer)
        elif asked.status == 200 and not asked.cut:
            _check_speaker(asked, answer)
        elif not asked.cut:
            self._check_ending(asked, answer)

    def _check_retry_after(self, asked: Ask, header: str | None) -> None:
        assert header == (None if asked.retry_after is None else str(asked.retry_after))

    def _check_verbatim(self, asked: Ask, turn: int, answer: httpx.Response) -> None:
        """What the client gets is what the provider says to it alone."""
        script = parse(script_of(**self.row.keys), "alone")
        with SimulatorThread(script, clock=self.rig.clock or time.time) as alone:
            url = alone.url + asked.path.partition("/v1")[2]
            headers = {"authorization": f"Bearer {key_of(asked.verbatim)}", "content-type": "application/json"}
            with httpx.Client(transport=plain_http(), headers=headers) as client:
                direct = client.post(url, content=asked.content(turn))
        assert (answer.status_code, answer.content) == (direct.status_code, direct.content)
        assert answer.headers["content-type"] == direct.headers["content-type"]

    def _check_ending(self, asked: Ask, answer: httpx.Response) -> None:
        """An end of ours, in the shape of the protocol."""
        error = answer.json()["error"]
        assert error["type"] == "o_switcher_exhausted"
        assert error["request_id"] == answer.headers["x-o-switcher-request-id"]
        if asked.why:
            assert error["why"] == asked.why
        if asked.profiles is not None:
            assert self.rig.clock is not None
            now = self.rig.clock.ms()
            told = [_said_of(self._short(one["id"]), one["state"], one["resets_at"], now) for one in error["profiles"]]
            _compare(asked.profiles, told, "what the answer says of the profiles")

    # -- the state at the end

    def check_state(self) -> None:
        """Nothing is left open, everybody stands as they should, and every call was counted."""
        assert not self.begun, "say end()"
        self.until(lambda: self.under_way() == (0, 0, 0), f"{self.under_way()} are still under way")
        if self.row.also is not None:
            self.row.also(self)
        phases = {self._short(view.id): view.state for view in self.rig.app.service.status().profiles}
        assert dict.fromkeys(self.row.keys, "gone") | phases == dict.fromkeys(self.row.keys, "ready") | self.row.phases
        assert self.rig.calls() == {name: count for name, count in self.row.calls.items() if count}

    # -- what was recorded

    def check_history(self) -> None:
        """The app has stopped: all that it recorded is in its files."""
        self._check_requests()
        self._check_attempts()
        _compare(self.row.moves, [self._move(one) for one in self._table("failover")], "failover")
        events = self._table("quota_event")
        _compare(self.row.quota, [self._event(one) for one in events], "quota_event")
        self._check_cooldowns(events)
        acts = self._table("operator_event")
        circuits = [one for one in acts if one["verb"].startswith("circuit-")]
        assert {one["actor"] for one in circuits} <= {"app"}
        assert len(circuits) == self.row.log.get("circuit.change", 0)
        assert [self._operator(one) for one in acts if one not in circuits] == list(self.row.operators)
        self._check_log(events)

    def _table(self, name: str) -> list[dict[str, Any]]:
        return self.rig.rows(f"SELECT * FROM {name} ORDER BY rowid")

    def _short(self, profile: str | None) -> str:
        names = {self.row.id_of(name): name for name in self.row.keys}
        return names[profile] if profile else "nobody"

    def _check_requests(self) -> None:
        rows = self.rig.rows("SELECT * FROM request ORDER BY id")
        assert all(row["ended_at"] is not None for row in rows)
        left = [row for row in rows if row["id"] not in self.asked]
        assert len(rows) == len(self.asked) + len(self.left)
        expected = [(row, self.asked[row["id"]]) for row in rows if row["id"] in self.asked]
        for row, asked in [*expected, *zip(left, self.left, strict=True)]:
            names, gone = asked.names, row["id"] not in self.asked
            wanted = {
                "outcome": "client_cancelled" if gone else asked.ending,
                "profile_id": self.row.id_of(names[-1]) if names else None,
                "attempts": len(names),
                "failovers": asked.changes,
            }
            if not gone:
                wanted["status_code"] = asked.status
            assert {name: row[name] for name in wanted} == wanted
            tries = self.rig.rows("SELECT * FROM attempt WHERE request_id = ? ORDER BY seq", row["id"])
            assert [one["seq"] for one in tries] == list(range(1, len(tries) + 1))
            assert [f"{self._short(one['profile_id'])}:{_result(one)}" for one in tries] == asked.results
            assert row["wait_ms"] >= self._waited(row["id"])

    def _waited(self, request_id: str) -> int:
        lines = self.rig.decisions()
        waits = (one for one in lines if one["event"] == "retry.scheduled" and one["request_id"] == request_id)
        left = request_id not in self.asked  # in the middle of a wait, perhaps
        return 0 if left else sum(one["delay_ms"] for one in waits)

    def _check_attempts(self) -> None:
        """An attempt for every call that the provider saw, and for every one that did not reach it."""
        rows = self._table("attempt")
        assert all(row["ended_at"] is not None for row in rows)
        reached = Counter(self._short(row["profile_id"]) for row in rows if not _came_to_nothing(row))
        assert dict(reached) == {name: count for name, count in self.row.calls.items() if count}

    def _move(self, row: Mapping[str, Any]) -> str:
        move = f"{self._short(row['from_profile'])}>{self._short(row['to_profile'])}"
        if row["manual"]:
            return f"{move} by hand"
        return f"{move} alone" if row["reason"].startswith("for this call alone") else move

    def _event(self, row: Mapping[str, Any]) -> str:
        who, kind = self._short(row["profile_id"]), row["kind"]
        match kind:
            case "reauth":
                return f"{who} reauth"
            case "reset":
                return f"{who} reset {row['scope']}"
            case "cooldown" | "exhausted":
                span = _span(row["resets_at"], row["at"])
                return f"{who} {kind} {row['scope']} {row['source']} {span}"
        if row["remaining"] is None:
            return f"{who} {kind} {row['scope']} unlimited"
        return f"{who} {kind} {row['scope']} {row['remaining']:g}/{row['limit_value']:g} {row['unit']}"

    def _check_cooldowns(self, events: Sequence[Mapping[str, Any]]) -> None:
        """What rests at the end is what the events say."""
        resting: dict[tuple[str, str], int] = {}
        for event in events:
            key = event["profile_id"], event["scope"]
            if event["kind"] in ("cooldown", "exhausted"):
                resting[key] = event["resets_at"]
            elif event["kind"] == "reset":
                resting.pop(key, None)
        rows = self._table_of_cooldowns()
        assert {(row["profile_id"], row["scope"]): row["until_at"] for row in rows} == resting
        models = [f"{self._short(row['profile_id'])} {row['scope']} {row['model']}" for row in rows if row["model"]]
        assert models == list(self.row.rests)

    def _table_of_cooldowns(self) -> list[dict[str, Any]]:
        return self.rig.rows("SELECT * FROM cooldown ORDER BY profile_id, scope, model")

    def _operator(self, row: Mapping[str, Any]) -> str:
        whom = f" {self._short(row['profile_id'])}" if row["profile_id"] else ""
        return f"{row['verb']}{whom}" + ("" if row["actor"] == "api" else f" by {row['actor']}")

    def _check_log(self, events: Sequence[Mapping[str, Any]]) -> None:
        """The decisions log tells the same story as the tables, and what only it tells."""
        lines = self.rig.decisions()
        counts = Counter(line["event"] for line in lines)
        kinds = Counter(row["kind"] for row in events)
        reauth = [line for line in lines if line["event"] == "profile.reauth"]
        told = {
            "request.start": len(self._all("request")),
            "request.end": len(self._all("request")),
            "route.selected": len(self._table("attempt")),
            "attempt.start": len(self._table("attempt")),
            "attempt.end": len(self._table("attempt")),
            "failover": len(self.row.moves),
            "cooldown.set": kinds["cooldown"] + kinds["exhausted"],
            "cooldown.cleared": kinds["reset"] - sum(not line.get("needed") for line in reauth),
            "profile.reauth": len(reauth),
            "operator.action": len(self.row.operators),
            **dict(self.row.log),
        }
        for quiet in ("circuit.change", "admission.queued", "admission.rejected"):
            told.setdefault(quiet, 0)
        assert {event: counts[event] for event in told} == told
        delays = [(line["profile"], line["delay_ms"]) for line in lines if line["event"] == "retry.scheduled"]
        waits = [f"{self._short(profile)} {delay}" for profile, delay in delays if delay > EARLY_MS]
        _compare(self.row.waits, waits, "retry.scheduled")

    def _all(self, table: str) -> list[dict[str, Any]]:
        return self.rig.rows(f"SELECT 1 FROM {table}")


def _check_speaker(asked: Ask, answer: httpx.Response) -> None:
    """The words are those of the key that is named, and whole."""
    if asked.path.endswith("/embeddings"):
        assert answer.json()["data"]
    else:
        text = said(answer.text) if asked.stream else answer.text
        assert f"{asked.names[-1]} answers: " in text


def _result(row: Mapping[str, Any]) -> str:
    return row["error_class"] or {"served": "ok"}.get(row["outcome"], row["outcome"])


def _came_to_nothing(row: Mapping[str, Any]) -> bool:
    """Whether not even a connection came about."""
    return row["error_class"] == "network" and "cannot be reached" in (row["error_message"] or "")


def _said_of(name: str, state: str, resets_at: int | None, now: int) -> str:
    return f"{name} {state}" + ("" if resets_at is None else f" {(resets_at - now) / 1000:.8g}s")


def _span(until: int | None, at: int) -> str:
    """How long a rest lasts; one that ends with a day is told by the day that begins then."""
    if until is None:
        return "for ever"
    if until % DAY_MS == 0:
        return f"{datetime.fromtimestamp(until / 1000, UTC):%a %d %b}"
    return f"{(until - at) / 1000:.8g}s"


_NUMBER = re.compile(r"~?(\d+)$")


def _compare(expected: Sequence[str], found: Sequence[str], what: str) -> None:
    same = len(expected) == len(found) and all(map(_alike, expected, found))
    assert same, f"{what}: expected {list(expected)}, found {list(found)}"


def _alike(expected: str, found: str) -> bool:
    """Whether they say the same; a number with a tilde may be a little more than what was found."""
    wanted, got = _NUMBER.search(expected), _NUMBER.search(found)
    if wanted is None or got is None or "~" not in wanted[0]:
        return expected == found
    same = expected[: wanted.start()] == found[: got.start()]
    return same and 0 <= int(wanted[1]) - int(got[1]) <= NEAR_S * 1000
