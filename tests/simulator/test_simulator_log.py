"""What the simulator saw, told without keys; who left; control from outside; starting and stopping."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tray_app.simulator.script import parse, practice
from tray_app.simulator.server import Simulator, line, serve
from tray_app.simulator.thread import SimulatorThread, new_loop

Simulate = Callable[..., SimulatorThread]
Knock = Callable[..., httpx.Client]
Dial = Callable[..., socket.socket]
Question = Callable[..., dict[str, Any]]
RequestBytes = Callable[..., bytes]

KEY = "sk-or-v1-test-0123456789"
OTHER = "sk-or-v1-foreign-98765432"


def soon(true: Callable[[], bool]) -> bool:
    """Whether it comes true within the time that a test may wait."""
    until = time.monotonic() + 2
    while not true() and time.monotonic() < until:
        time.sleep(0.002)
    return true()


def test_a_call_is_seen_with_all_that_matters(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate(clock=lambda: 1_790_000_000.5)
    knock(simulator).post("messages?beta=true", json=question(stream=True), headers={"x-one": "1"})
    (seen,) = simulator.calls
    assert (seen.number, seen.at, seen.key_name, seen.key_tail) == (1, 1_790_000_000_500, "one", "6789")
    assert (seen.method, seen.path, seen.query) == ("POST", "/api/v1/messages", "beta=true")
    assert (seen.model, seen.stream, seen.behaviour, seen.status) == ("openai/gpt-4o-mini", True, "ok", 200)
    assert (seen.ended, seen.completed, seen.client_left) == (True, True, False)
    assert seen.headers["x-one"] == "1"
    assert seen.body_bytes == int(seen.headers["content-length"])
    assert seen.sent_bytes > 0


def test_no_key_stands_in_an_answer_or_in_the_log(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate()
    client = knock(simulator)
    answers = [
        client.post("chat/completions", json=question(said=f"my key is {KEY}")),
        client.post("chat/completions", json=question(), headers={"authorization": f"Bearer {OTHER}"}),
        client.get(f"models?key={OTHER}&a=b", headers={"x-api-key": OTHER, "cookie": f"a=1; b={OTHER}"}),
        client.get("key"),
        client.get(simulator.url.replace("/api/v1", "/sim/calls")),
    ]
    told = "".join(answer.text for answer in answers) + repr(simulator.calls)
    assert KEY not in told
    assert OTHER not in told
    known, foreign, third = simulator.calls[:3]
    assert known.headers["authorization"] == "Bearer ***6789"
    assert (foreign.key_name, foreign.key_tail) == ("unknown", "5432")
    assert (third.query, third.headers["x-api-key"]) == ("key=***&a=b", "***5432")


def test_a_short_key_shows_nothing_of_itself(simulate: Simulate, knock: Knock) -> None:
    simulator = simulate()
    knock(simulator, "short").get("key")
    assert (simulator.calls[0].key_tail, simulator.calls[0].headers["authorization"]) == ("", "Bearer ***")


def test_repeated_headers_are_joined(simulate: Simulate, knock: Knock) -> None:
    simulator = simulate()
    knock(simulator).get("models", headers=[("x-two", "a"), ("x-two", "b")])
    assert simulator.calls[0].headers["x-two"] == "a, b"


def test_counts_are_of_what_a_step_answered(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{times=1, do="ok"}, {do="reset"}')
    client = knock(simulator)
    assert simulator.counts() == {"one": 0}
    client.get("key")
    client.get("models")
    client.post("chat/completions", json=question())
    with pytest.raises(httpx.ReadError):
        client.post("chat/completions", json=question())
    knock(simulator, OTHER).post("chat/completions", json=question())
    assert simulator.counts() == {"one": 2}
    assert [seen.behaviour for seen in simulator.calls] == ["free", "free", "ok", "reset", "refused"]


@pytest.mark.parametrize(
    "step",
    [
        'do="hang"',
        'do="hang", when="after_head"',
        'do="hang", when="mid_stream"',
        'do="slow", delay_ms=5000',
        'do="slow", delay_ms=0, chunk_delay_ms=5000',
        'do="ok", chunks=100, chars=7000000',
    ],
)
@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize(
    "simulate", [new_loop, asyncio.new_event_loop], indirect=True, ids=["the fastest loop", "asyncio's loop"]
)
def test_a_client_that_leaves_is_noticed_at_once(
    simulate: Simulate, dial: Dial, request_bytes: RequestBytes, step: str, torn: bool
) -> None:
    simulator = simulate(f"{{{step}}}")
    wire = dial(simulator)
    begun = time.monotonic()
    wire.sendall(request_bytes("/v1/chat/completions", True))
    assert soon(lambda: bool(simulator.calls))
    assert not simulator.calls[0].ended
    if torn:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
    left = (time.monotonic() - begun) * 1000
    assert soon(lambda: simulator.calls[0].ended)
    (seen,) = simulator.calls
    assert (seen.client_left, seen.completed) == (True, False)
    assert seen.ms is not None
    assert seen.ms < left + 250  # in truth about 1 ms; the rest is for a busy machine


def test_a_break_that_was_ordered_is_nobodys_leaving(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{times=1, do="reset"}, {times=1, do="close"}, {times=1, do="cut"}, {do="garbage"}')
    client = knock(simulator)
    for _ in range(4):
        with pytest.raises(httpx.TransportError):
            client.post("chat/completions", json=question())
    assert [(seen.client_left, seen.completed, seen.ended) for seen in simulator.calls] == [(False, False, True)] * 4


def test_another_script_holds_from_the_next_request_on(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate()
    client = knock(simulator)
    assert client.post("chat/completions", json=question()).status_code == 200
    script = f'[[key]]\nname = "two"\nkey = "{KEY}"\nsteps = [{{do = "no_credit"}}]'
    simulator.replace(parse(script, "t"))
    assert client.post("chat/completions", json=question()).status_code == 402
    assert [seen.key_name for seen in simulator.calls] == ["one", "two"]
    assert simulator.counts() == {"one": 1, "two": 1}


def test_a_reset_begins_anew(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{times=1, do="ok"}, {do="no_credit"}', more="limit = 1\ncost = 0.5")
    client = knock(simulator)
    assert [client.post("messages", json=question()).status_code for _ in range(2)] == [200, 402]
    simulator.reset()
    assert (simulator.calls, simulator.counts()) == ([], {"one": 0})
    assert client.get("key").json()["data"]["usage"] == 0
    assert client.post("messages", json=question()).status_code == 200


def test_the_control_paths_tell_and_change_the_same(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{times=1, do="ok"}, {do="no_credit"}')
    client = knock(simulator)
    sim = simulator.url.replace("/api/v1", "/sim")
    assert [client.post("chat/completions", json=question()).status_code for _ in range(2)] == [200, 402]
    assert client.get(f"{sim}/counts").json() == {"one": 2}
    assert [seen["status"] for seen in client.get(f"{sim}/calls").json()] == [200, 402]
    assert client.post(f"{sim}/reset").json() == {"ok": True}
    assert client.get(f"{sim}/calls").json() == []
    assert client.post("chat/completions", json=question()).status_code == 200
    script = f'[[key]]\nname = "new"\nkey = "{KEY}"\nsteps = [{{do = "overloaded"}}]'
    assert client.post(f"{sim}/script", content=script).json() == {"ok": True, "keys": ["new"]}
    assert client.post("chat/completions", json=question()).status_code == 503
    assert client.post(f"{sim}/release").json() == {"released": 0}


def test_a_script_with_a_fault_is_refused_and_the_old_one_stays(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    simulator = simulate()
    client = knock(simulator)
    for script, words in ((b'[[key]]\nnmae = "x"', "line 2"), (b"\xff", "UTF-8")):
        refused = client.post(simulator.url.replace("/api/v1", "/sim/script"), content=script)
        assert refused.status_code == 400
        assert words in refused.json()["error"]["message"]
    assert client.post("chat/completions", json=question()).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "http://127.0.0.1"}, {"host": "sim.example"}, {"host": "[::1"}, {"host": ""}]
)
def test_control_is_not_for_pages_in_a_browser_or_other_names(
    simulate: Simulate, knock: Knock, headers: dict[str, str]
) -> None:
    simulator = simulate()
    answer = knock(simulator).post(simulator.url.replace("/api/v1", "/sim/reset"), headers=headers)
    assert answer.status_code == 403


def test_control_paths_have_their_methods(simulate: Simulate, knock: Knock) -> None:
    simulator = simulate()
    client = knock(simulator)
    sim = simulator.url.replace("/api/v1", "/sim")
    assert client.post(f"{sim}/calls").headers["allow"] == "GET"
    assert client.get(f"{sim}/reset").headers["allow"] == "POST"
    assert client.get(f"{sim}/else").status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "example.org", ""])
def test_only_the_loopback_is_bound(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        asyncio.run(Simulator(practice()).start(host=host))


def test_stopping_tears_connections_down_and_can_be_repeated(request_bytes: RequestBytes) -> None:
    async def scene() -> None:
        simulator = Simulator(parse(f'[[key]]\nname="one"\nkey="{KEY}"\nsteps=[{{do="hang"}}]', "t"))
        await simulator.start()
        port = int(simulator.url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes())
        while not simulator.calls:
            await asyncio.sleep(0.002)
        await simulator.stop()
        await simulator.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        assert not simulator.calls[0].client_left
        assert simulator.log.under_way("one") == 0
        writer.close()

    asyncio.run(scene())


def test_the_address_of_the_newer_loopback_is_written_with_brackets() -> None:
    async def scene() -> str:
        simulator = Simulator(practice())
        await simulator.start(host="::1")
        url = simulator.url
        await simulator.stop()
        return url

    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    assert asyncio.run(scene()).startswith("http://[::1]:")


def test_it_can_start_again_after_it_was_stopped(question: Question) -> None:
    async def scene() -> list[int]:
        simulator = Simulator(practice())
        statuses = []
        for _ in range(2):
            await simulator.start()
            async with httpx.AsyncClient(trust_env=False) as client:
                statuses.append((await client.get(f"{simulator.url}/models")).status_code)
            await simulator.stop()
        return statuses

    assert asyncio.run(scene()) == [200, 200]


def test_a_taken_port_is_told_and_leaves_no_thread_behind(simulate: Simulate) -> None:
    port = int(simulate().url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match=r"[Aa]ddress"), SimulatorThread(practice(), port=port):
        pass


def test_serve_prints_the_address_then_a_line_a_call_and_ends_clean(question: Question) -> None:
    lines: list[str] = []

    async def scene() -> None:
        task = asyncio.create_task(serve(0, practice(), lines.append))
        while not lines:
            await asyncio.sleep(0.002)
        url = next(word for word in lines[0].split() if word.startswith("http"))
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"x-api-key": "sk-or-v1-practice-main"}
            for _ in range(5):
                await client.post(f"{url}/chat/completions", json=question(), headers=headers)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
    assert len(lines) == 1 + 5
    assert "main (...main)  POST /api/v1/chat/completions openai/gpt-4o-mini  ok 200, " in lines[1]
    assert "no_credit 402, " in lines[5]


def test_a_line_says_who_broke_off(simulate: Simulate, dial: Dial, request_bytes: RequestBytes) -> None:
    simulator = simulate('{times=1, do="reset"}, {do="hang"}')
    for _ in range(2):
        wire = dial(simulator)
        wire.sendall(request_bytes())
        assert soon(lambda: bool(simulator.calls))
        wire.close()
    assert soon(lambda: len(simulator.calls) == 2 and all(seen.ended for seen in simulator.calls))
    reset, hang = map(line, simulator.calls)
    assert "reset no answer, broken off after" in reset
    assert "hang no answer, the client left after" in hang
