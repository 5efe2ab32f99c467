"""Live events: what is told, from where on, to how many, and what it costs when nobody listens."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.rig import Rig, eventually, plain_http, running, script_of
from tray_app.control import feed
from tray_app.control.callers import connect
from tray_app.core.values import Lifecycle
from tray_app.faces.web import events
from tray_app.host.instance import find_running

EVENTS = "/api/v1/events"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, script_of(a='{do="no_credit", times=1}, {do="ok"}', b='{do="ok"}')) as found:
        yield found


def bearer(rig: Rig) -> dict[str, str]:
    announced = find_running(rig.home.running)
    assert announced is not None
    return {"authorization": f"Bearer {announced.admin_token}"}


class Stream:
    """An event stream as a client reads it."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()

    def next(self) -> dict[str, str]:
        """The next event's fields."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in fields:
                return fields
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                fields[name] = value
        raise EOFError

    def until(self, name: str) -> list[dict[str, str]]:
        """The next events, to the first of that name."""
        found = [self.next()]
        while found[-1]["event"] != name:
            found.append(self.next())
        return found


@contextmanager
def listening(rig: Rig, **headers: str) -> Iterator[Stream]:
    with httpx.Client(base_url=rig.url, headers={**bearer(rig), **headers}, timeout=30, transport=plain_http()) as http:
        with http.stream("GET", EVENTS) as answer:
            assert answer.status_code == 200 and answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            yield Stream(answer)


def hearing(rig: Rig) -> bool:
    return rig.app.feed._see in rig.app.listeners


def test_what_happens_is_told_as_in_the_decisions_log(rig: Rig) -> None:
    with listening(rig) as stream:
        request_id = rig.chat().headers["x-o-switcher-request-id"]
        told = stream.until("request.end")
    names = [event["event"] for event in told]
    assert names[0] == "request.start" and "cooldown.set" in names and "failover" in names
    numbers = [int(event["id"].rpartition("-")[2]) for event in told]
    assert numbers == list(range(numbers[0], numbers[0] + len(told)))
    assert json.loads(told[-1]["data"])["request_id"] == request_id
    rig.app.stop()
    logged = [line for line in rig.decisions() if line.get("request_id") == request_id]
    assert [json.loads(event["data"]) for event in told if request_id in event["data"]] == logged


def test_nobody_listens_and_nothing_is_done(rig: Rig) -> None:
    assert not hearing(rig)
    rig.chat()
    assert rig.app.feed._told == 0
    with listening(rig):
        assert hearing(rig)
    assert eventually(lambda: len(rig.app.feed) == 0)
    assert hearing(rig)  # for a while: whoever comes back misses nothing
    rig.in_loop(rig.app.feed._stop_hearing)
    assert not hearing(rig)


def test_who_comes_back_is_told_what_it_missed(rig: Rig) -> None:
    with listening(rig) as stream:
        rig.chat()
        last = stream.until("request.end")[-1]["id"]
    assert eventually(lambda: len(rig.app.feed) == 0)
    missed = rig.chat().headers["x-o-switcher-request-id"]
    with listening(rig, **{"last-event-id": last}) as stream:
        told = stream.until("request.end")
    assert told[0]["event"] == "request.start" and json.loads(told[0]["data"])["request_id"] == missed
    with httpx.Client(base_url=rig.url, headers=bearer(rig), transport=plain_http(), timeout=30) as http:
        with http.stream("GET", EVENTS, params={"last_event_id": last}) as answer:
            assert Stream(answer).next()["id"] == told[0]["id"]


@pytest.mark.parametrize("after", ["another-3", "nonsense", "-", "{instance}-99999", "{instance}--1", "{instance}-²"])
def test_what_cannot_be_told_any_more_is_owned_up_to(rig: Rig, after: str) -> None:
    wanted = after.format(instance=rig.app.instance).encode()
    with httpx.Client(base_url=rig.url, headers=bearer(rig), transport=plain_http(), timeout=30) as http:
        with http.stream("GET", EVENTS, headers={b"last-event-id": wanted}) as answer:
            first = Stream(answer).next()
    assert first["event"] == "events.missed" and "reason" in json.loads(first["data"])


def test_a_ring_that_has_turned_owns_up_and_tells_what_it_still_has(rig: Rig) -> None:
    with listening(rig) as stream:
        rig.in_loop(lambda: rig.app.record(Lifecycle("clock.leap", 1_000, "first")))
        first = stream.next()["id"]
    assert eventually(lambda: len(rig.app.feed) == 0)
    rig.in_loop(lambda: [rig.app.record(Lifecycle("clock.leap", 1_000, str(n))) for n in range(feed.RING + 5)])
    with listening(rig, **{"last-event-id": first}) as stream:
        told = [stream.next() for _ in range(feed.RING + 1)]
    assert told[0]["event"] == "events.missed"
    assert [json.loads(event["data"])["reason"] for event in told[1:]] == [str(n) for n in range(5, feed.RING + 5)]
    with listening(rig, **{"last-event-id": told[0]["id"]}) as stream:
        assert stream.next() == told[1]


def test_a_quiet_stream_is_kept_alive(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.EventStream.__init__, "__defaults__", (0.05,))
    with listening(rig) as stream:
        assert [line for _, line in zip(range(7), stream.answer.iter_lines(), strict=False)].count(": still here") >= 2


def test_too_many_listeners_are_refused(rig: Rig) -> None:
    rig.in_loop(lambda: [rig.app.feed.subscribe() for _ in range(feed.MOST)])
    refused = httpx.get(rig.url + EVENTS, headers=bearer(rig), trust_env=False, timeout=30)
    assert refused.status_code == 503 and "listen already" in refused.json()["detail"]


def test_a_listener_that_takes_nothing_is_given_up_and_holds_nobody_up(rig: Rig) -> None:
    host, port = rig.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        token = bearer(rig)["authorization"]
        lazy.sendall(f"GET {EVENTS} HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: {token}\r\n\r\n".encode())
        assert eventually(lambda: len(rig.app.feed) == 1)

        def flood() -> None:
            for _ in range(feed.BACKLOG // 4):
                rig.app.record(Lifecycle("clock.leap", 1_000, "x" * 500))

        deadline = time.monotonic() + 10
        while len(rig.app.feed) and time.monotonic() < deadline:
            rig.in_loop(flood)
        assert len(rig.app.feed) == 0
        assert rig.chat().status_code == 200


def test_stopping_ends_the_streams_at_once(rig: Rig) -> None:
    with listening(rig) as stream:
        began = time.monotonic()
        connect(rig.home.running).ask("stop")
        with pytest.raises(EOFError):
            while True:
                stream.next()
        assert time.monotonic() - began < 3
    with pytest.raises(Exception, match="stops"):
        rig.app.feed.subscribe()


def test_head_tells_only_what_would_come(rig: Rig) -> None:
    answer = httpx.head(rig.url + EVENTS, headers=bearer(rig), trust_env=False, timeout=30)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    assert len(rig.app.feed) == 0
