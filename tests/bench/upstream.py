"""The provider of the run: answers made beforehand, sent with as little work as Python can do.

`python -m tests.bench.upstream` prints its port and serves until its standard input ends. The model of a
request says what comes: `bench/json`; `bench/burst-SIZE-GAP`, a stream of 200 events, SIZE of them in one
write, GAP milliseconds apart; `bench/paced-RATE-COUNT`, a stream of COUNT events, RATE a second, each sent at
its own time from the first one's on. Each event is an HTTP chunk of its own, as providers send them.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable
from functools import cache, partial

EVENTS = 200  # in a stream of bursts
_LENGTH = re.compile(rb"\ncontent-length: ?(\d+)", re.IGNORECASE)
_MODEL = re.compile(rb'"model": ?"bench/([a-z]+)(?:-(\d+)-(\d+))?"')
_USAGE = {"prompt_tokens": 1034, "completion_tokens": 198, "total_tokens": 1232, "cost": 0.000412}
_JSON_TEXT = "The function walks the tree once and keeps the longest path it has seen so far. " * 7


def json_answer() -> bytes:
    """A whole chat completion of about 1 KB, head and all."""
    message = {"role": "assistant", "content": _JSON_TEXT, "refusal": None, "reasoning": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "native_finish_reason": "stop", "logprobs": None}
    document = _document("chat.completion", choice) | {"usage": _USAGE}
    body = json.dumps(document, separators=(",", ":")).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-generation-id: gen-1\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _document(kind: str, choice: dict[str, object]) -> dict[str, object]:
    opening = {"id": "gen-1764000000-bEnChMaRkBeNcHmArK01", "provider": "Bench", "model": "bench/model"}
    return opening | {"object": kind, "created": 1764000000, "choices": [choice]}


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\nx-generation-id: gen-1\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def event(number: int, count: int) -> bytes:
    """An event of a stream of `count`, as an HTTP chunk of its own; the last one ends the stream."""
    last = number == count - 1
    delta = {"role": "assistant", "content": "" if number == 0 or last else f" word{number % 1000:03d}"}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop" if last else None, "logprobs": None}
    document = _document("chat.completion.chunk", choice)
    if last:
        document["usage"] = _USAGE
    sent = _chunk(b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n")
    if number == 0:
        sent = STREAM_HEAD + _chunk(b": OPENROUTER PROCESSING\n\n") + sent
    return sent + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n" if last else sent


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def events(count: int) -> list[bytes]:
    """All events of a stream of `count`, ready to send."""
    return [event(number, count) for number in range(count)]


@cache
def bursts(size: int) -> list[bytes]:
    """The stream of bursts, one item a write."""
    made = events(EVENTS)
    return [b"".join(made[start : start + size]) for start in range(0, EVENTS, size)]


class Provider(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._got = b""
        self._transport: asyncio.Transport | None = None
        self._json = json_answer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        got = self._got + data if self._got else data
        end = got.find(b"\r\n\r\n")
        if end < 0:
            self._got = got
            return
        length = _LENGTH.search(got, 0, end)
        whole = end + 4 + (int(length.group(1)) if length else 0)
        if len(got) < whole:
            self._got = got
            return
        self._got = got[whole:]
        self._answer(got)

    def _answer(self, request: bytes) -> None:
        found = _MODEL.search(request)
        kind = found.group(1) if found else b""
        if kind == b"json":
            self._write(self._json)
            return
        first, second = (int(found.group(place) or 0) for place in (2, 3)) if found else (0, 0)
        if kind == b"burst":
            self._paced(bursts(first), second / 1000, self._loop.time(), 0)
        elif kind == b"paced":
            self._paced(events(second), 1 / first, self._loop.time(), 0)
        else:
            self._write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _paced(self, made: list[bytes], gap_s: float, began: float, number: int) -> None:
        """Send what is due; a delay of one event does not move the next."""
        if self._transport is None:
            return
        self._write(made[number])
        if number + 1 < len(made):
            due = began + (number + 1) * gap_s
            self._loop.call_at(due, self._paced, made, gap_s, began, number + 1)


def quick_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """The fastest event loop that is there."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def serve() -> None:
    """Serve until the standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Provider, loop), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=quick_loop()) as runner:
        runner.run(serve())
