"""The load generator: a coding agent's requests over connections that stay open, with little work for each.

`python -m tests.bench.load PLAN` (JSON, see `Plan`) connects, sends one request on each connection to warm up, says
"ready", and then for each line of its standard input, a number, has that many requests answered and says
what came of it as JSON. A request follows at once on the answer to the one before on its connection.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass

from tests.bench.upstream import quick_loop

_LENGTH = re.compile(rb"\ncontent-length: ?(\d+)", re.IGNORECASE)
_STREAM_END = b"0\r\n\r\n"
STAGGER_S = 0.0053  # paced streams begin one after the other, so that they are out of step


@dataclass(frozen=True)
class Plan:
    """What to send where. `model` names the kind of answer; `limit_s` bounds one round."""

    port: int
    token: str
    model: str
    connections: int
    stream: bool
    paced: bool = False
    limit_s: float = 60.0


@dataclass(frozen=True)
class Result:
    """A round: how many answers, the time it took, and the slowest answer, in seconds; `fault` if one was bad."""

    answers: int
    wall_s: float
    slowest_s: float
    received: int
    fault: str | None = None


def request(plan: Plan, number: int) -> bytes:
    """A chat request of about 4 KB as a coding agent sends it."""
    body = json.dumps(_body(plan), separators=(",", ":")).encode()
    session = f"ses_{number:026d}"
    lines = [
        "POST /openrouter/v1/chat/completions HTTP/1.1",
        f"Host: 127.0.0.1:{plan.port}",
        f"Authorization: Bearer {plan.token}",
        "Content-Type: application/json",
        "User-Agent: opencode/1.18.33 ai-sdk/provider-utils/4.0.21 runtime/bun/1.3.11",
        "HTTP-Referer: https://opencode.ai/",
        "X-Title: opencode",
        f"x-session-id: {session}",
        f"x-session-affinity: {session}",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Connection: keep-alive",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _body(plan: Plan) -> dict[str, object]:
    system = "You are a coding agent. Read before you write, keep changes small, and run the tests. " * 20
    user = "Why does `walk` visit the same node twice? Find the fault in src/tree.py and mend it. " * 12
    properties = {name: {"type": "string", "description": f"The {name} of the call."} for name in ("path", "text")}
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}
        for name in ("read", "write", "search", "run")
    ]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    asked: dict[str, object] = {"model": plan.model, "max_tokens": 32000, "temperature": 0, "messages": messages}
    return asked | {"tools": tools, "tool_choice": "auto", "stream": plan.stream, "usage": {"include": True}}


class Round:
    """How many requests are still to be sent, and when all are answered."""

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self.to_send = count
        self.to_come = count
        self.slowest_s = 0.0
        self.received = 0
        self.over: asyncio.Future[None] = loop.create_future()

    def answered(self, took_s: float) -> None:
        self.slowest_s = max(self.slowest_s, took_s)
        self.to_come -= 1
        if self.to_come == 0 and not self.over.done():
            self.over.set_result(None)

    def failed(self, why: str) -> None:
        if not self.over.done():
            self.over.set_exception(RuntimeError(why))


class Client(asyncio.Protocol):
    """One connection that asks and waits for the answer."""

    def __init__(self, asked: bytes, streamed: bool) -> None:
        self._asked = asked
        self._streamed = streamed
        self._transport: asyncio.Transport | None = None
        self._round: Round | None = None
        self._began = 0.0
        self._got = b""
        self._good = False

    @property
    def lost(self) -> bool:
        """Whether there is no connection (any more)."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._round is not None:
            self._round.failed(f"the connection broke: {exc}")

    def take(self, current: Round) -> None:
        """Send the round's next request, if there is one left."""
        if current.to_send <= 0 or self._transport is None:
            return
        current.to_send -= 1
        self._round, self._got, self._good = current, b"", False
        self._began = time.perf_counter()
        self._transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        current = self._round
        if current is None:
            return
        current.received += len(data)
        if self._streamed and self._good:
            self._got = data if len(data) >= len(_STREAM_END) else self._got[-len(_STREAM_END) :] + data
        else:
            self._got = self._got + data if self._got else data
        if self._over(current):
            self._round = None
            current.answered(time.perf_counter() - self._began)
            self.take(current)

    def _over(self, current: Round) -> bool:
        got = self._got
        if not self._good:
            if not got.startswith(b"HTTP/1.1 200"):
                current.failed(f"an answer was not good: {got[:300]!r}")
                return False
            self._good = b"\r\n\r\n" in got
        if self._streamed:
            return self._good and got.endswith(_STREAM_END)
        end = got.find(b"\r\n\r\n")
        length = _LENGTH.search(got, 0, end) if end > 0 else None
        return length is not None and len(got) >= end + 4 + int(length.group(1))


class Load:
    """All connections of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._clients: list[Client] = []

    async def connect(self) -> None:
        """Open what is not open."""
        loop = asyncio.get_running_loop()
        self._clients = [one for one in self._clients if not one.lost]
        for number in range(len(self._clients), self.plan.connections):
            asked = request(self.plan, number)
            stream = self.plan.stream
            _, client = await loop.create_connection(
                lambda asked=asked, stream=stream: Client(asked, stream),  # type: ignore[misc]
                "127.0.0.1",
                self.plan.port,
            )
            self._clients.append(client)

    async def round(self, count: int) -> Result:
        """Have `count` requests answered."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.02)  # learn which connections have gone meanwhile
        await self.connect()
        current = Round(count, loop)
        began = time.perf_counter()
        for number, client in enumerate(self._clients):
            if self.plan.paced:
                loop.call_later(number * STAGGER_S, client.take, current)
            else:
                client.take(current)
        fault = None
        try:
            await asyncio.wait_for(current.over, self.plan.limit_s)
        except (TimeoutError, RuntimeError) as error:
            fault = str(error) or f"not all answered within {self.plan.limit_s:g} s"
        wall_s = time.perf_counter() - began
        return Result(count - current.to_come, wall_s, current.slowest_s, current.received, fault)


def main() -> None:
    """Rounds as they are asked for."""
    plan = Plan(**json.loads(sys.argv[1]))
    load = Load(plan)
    with asyncio.Runner(loop_factory=quick_loop()) as runner:
        runner.run(load.connect())
        print("ready", flush=True)
        for line in sys.stdin:
            result = runner.run(load.round(int(line)))
            print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main()
