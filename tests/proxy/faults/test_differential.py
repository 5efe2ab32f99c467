"""Undamaged traffic: what the client gets is what the provider sent, byte for byte, however it is cut into packets."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from tests.proxy.faults import answers, readers
from tests.proxy.faults.answers import content_type, events
from tests.proxy.faults.kinds import BOM
from tests.proxy.faults.stage import Ask, Came, End, Play, Stage
from tests.proxy.faults.wires import Framing, packed, wire
from tray_app.core.values import Protocol

STREAMS = 50
WORDS = (
    "one",
    "zwei",
    "três",
    "четыре",
    "五",
    "😀",
    "\\",
    '"',
    "\n",
    "\u2028",
    "data: x",
    "[DONE]",
    '{"error":{}}',
    "\x7f",
)

pytestmark = pytest.mark.many_cases
LINE_ENDS = (b"\n", b"\n", b"\r\n", b"\r")
NOISE = (b": OPENROUTER PROCESSING\n\n", b'event: ping\ndata: {"type": "ping"}\n\n', b"id: 7\n\n", b"\n")


@dataclass(frozen=True, slots=True)
class _Traffic:
    """One answer: its text, its bytes on the wire, and the packets that they come in."""

    protocol: Protocol
    stream: bool
    text: str
    body: bytes
    packets: tuple[bytes, ...]
    end: End
    packed: bool
    pause_s: float


def _traffic(chance: random.Random) -> _Traffic:
    protocol = chance.choice(answers.PROTOCOLS)
    stream, is_packed = chance.random() < 0.8, chance.random() < 0.1
    pieces = [" ".join(chance.choices(WORDS, k=chance.randint(1, 6))) for _ in range(chance.choice((1, 5, 40, 150)))]
    parts = _events(protocol, pieces, chance) if stream else [answers.whole(protocol, "a", "".join(pieces))]
    if is_packed:
        parts = [packed(b"".join(parts))]
    more = "content-encoding: gzip\r\n" if is_packed else ""
    framing = chance.choice(list(Framing))
    sent = wire(parts, content_type(protocol, stream=stream), framing, headers=more)
    data, count = sent.data, chance.choice((1, 2, 8, 60))
    edges = sorted(chance.randrange(1, len(data)) for _ in range(count - 1))
    cut = tuple(data[start:stop] for start, stop in zip([0, *edges], [*edges, len(data)], strict=True) if start != stop)
    end = End.FIN if framing is Framing.CLOSE else End.OPEN
    pause_s = chance.choice((0.0, 0.0, 0.001))
    return _Traffic(protocol, stream, "".join(pieces), sent.body, cut, end, is_packed, pause_s)


def _events(protocol: Protocol, pieces: list[str], chance: random.Random) -> list[bytes]:
    """A stream with what providers put between its events, in one kind of line ends."""
    parts = events(protocol, "a", pieces)
    if protocol is Protocol.OLLAMA:
        line_end = chance.choice((b"\n", b"\r\n"))
        return [part.replace(b"\n", line_end) for part in parts]
    noise = NOISE if protocol is Protocol.MESSAGES else (NOISE[0], *NOISE[2:])
    loud = [one for part in parts for one in ((part, chance.choice(noise)) if chance.random() < 0.2 else (part,))]
    line_end = chance.choice(LINE_ENDS)
    mark = BOM if chance.random() < 0.1 else b""
    return [mark + loud[0].replace(b"\n", line_end), *(one.replace(b"\n", line_end) for one in loud[1:])]


def _ask(one: _Traffic, place: str) -> Ask:
    asked = answers.asked(one.protocol, f"undamaged {place}", stream=one.stream)
    play = Play(one.packets, one.end, one.pause_s)
    return Ask(asked.target, asked.body, lambda name, time, body: play, {"accept-encoding": "gzip"})


def _wrong(one: _Traffic, came: Came) -> str | None:
    seen, request = came.seen, came.request
    if seen.trouble or not seen.ended or seen.status != 200:
        return f"{seen.trouble or 'cut'}, status {seen.status}"
    if seen.body != one.body:
        return "the bytes differ"
    told = request["outcome"], request["attempts"], request["response_bytes"], came.calls
    if told != ("served", 1, len(one.body), {"a": 1}):
        return f"recorded as {told}"
    if one.packed:
        return None
    reading = (readers.stream if one.stream else readers.whole)(one.protocol, seen.body)
    if reading.faults or reading.text != one.text:
        return f"read as {reading}"
    counted = request["input_tokens"], request["output_tokens"]
    return None if counted == (answers.INPUT_TOKENS, answers.OUTPUT_TOKENS) else f"counted as {counted}"


@pytest.mark.parametrize("seed", range(12))
def test_fifty_answers_at_once_reach_their_clients_byte_for_byte(patient: Stage, seed: int) -> None:
    chance = random.Random(seed)
    traffic = [_traffic(chance) for _ in range(STREAMS)]
    found = patient.ask([_ask(one, f"{seed} {place}") for place, one in enumerate(traffic)])
    wrong = [
        f"{place}, {one.protocol.value}, {'streamed' if one.stream else 'whole'}: {told}"
        for place, (one, came) in enumerate(zip(traffic, found, strict=True))
        if (told := _wrong(one, came)) is not None
    ]
    assert not wrong, "\n".join(wrong)
