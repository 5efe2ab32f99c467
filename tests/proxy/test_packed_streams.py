"""Streams that come compressed: passed on byte for byte, and looked into all the same."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy.speaking import Speaker, speaking
from tests.rig import CHAT, Rig, running, script_of

BODY: dict[str, Any] = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "q"}]}
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error":{"message":"Overloaded","code":502}}\n\n'


def chunk(text: str, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": more.pop("reason", None)}]
    return b"data: %b\n\n" % json.dumps({"id": "c", "model": "m", "choices": choices, **more}).encode()


USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"cost":0.5}}\n\n'
WHOLE = b": hello\n\n" + chunk("a") + chunk("b", reason="stop") + USAGE + DONE


def deflated(data: bytes) -> bytes:
    return zlib.compress(data)


def read(rig: Rig) -> tuple[bytes, bool, dict[str, str]]:
    parts: list[bytes] = []
    with rig.client.stream("POST", CHAT, json=BODY, headers={"accept-encoding": "gzip, deflate"}) as answer:
        try:
            parts.extend(answer.iter_raw())
        except httpx.RemoteProtocolError:
            return b"".join(parts), False, dict(answer.headers)
    return b"".join(parts), True, dict(answer.headers)


def pieces(data: bytes, size: int = 40) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


PACKERS = {"gzip": gzip.compress, "deflate": deflated}


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_whole_one_passes_as_it_came_and_its_usage_is_known(tmp_path: Path, encoding: str) -> None:
    packed = PACKERS[encoding](WHOLE)
    with speaking(Speaker(pieces(packed), encoding=encoding)) as (one,):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url}) as rig:
            got, in_order, headers = read(rig)
            assert (got, in_order, headers["content-encoding"]) == (packed, True, encoding)
            rows = rig.eventually("SELECT outcome, input_tokens, cost_usd FROM request WHERE input_tokens > 0")
            assert rows == [{"outcome": "served", "input_tokens": 7, "cost_usd": 0.5}]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(gzip.compress(ERROR), id="an error"),
        pytest.param(gzip.compress(b": hello\n\n" + DONE), id="nothing"),
        pytest.param(gzip.compress(b""), id="no event"),
        pytest.param(gzip.compress(WHOLE)[:12], id="its beginning alone"),
        pytest.param(b"\x1f\x8b no gzip at all, as anybody can see", id="what is none"),
    ],
)
def test_one_without_an_answer_is_left_for_the_next_profile(tmp_path: Path, first: bytes) -> None:
    good = gzip.compress(WHOLE)
    with speaking(Speaker([first], encoding="gzip"), Speaker([good], encoding="gzip")) as (one, two):
        settings = "[switcher]\nretry = 0\n"
        keys = {"a": one.url, "b": two.url}
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others=keys, settings=settings) as rig:
            got, in_order, _ = read(rig)
            assert got == good and in_order
            assert (len(one.bodies), len(two.bodies)) == (1, 1)


@pytest.mark.parametrize("fault", ["cut short", "spoilt", "ended half-way", "without its last bytes"])
def test_one_that_breaks_off_after_content_never_ends_as_if_it_were_whole(tmp_path: Path, fault: str) -> None:
    stream = WHOLE.replace(DONE, b"") + b"".join(chunk(f"{n} {hash(str(n))}") for n in range(400))
    packed = gzip.compress(stream + DONE)
    sent = {
        "cut short": packed[: len(packed) // 2],
        "spoilt": packed[: len(packed) // 2] + bytes(len(packed) // 2),
        "without its last bytes": packed[:-6],
        "ended half-way": gzip.compress(chunk("a") * 30),
    }[fault]
    with speaking(Speaker(pieces(sent, 500), encoding="gzip")) as (one,):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url}) as rig:
            got, in_order, _ = read(rig)
            assert not in_order and sent.startswith(got[:500])
            assert rig.rows("SELECT outcome FROM request") == [{"outcome": "interrupted"}]


def test_one_in_a_compression_that_is_not_known_here_passes_as_it_comes(tmp_path: Path) -> None:
    with speaking(Speaker([b"\x0b\x05\x80 brotli", b"more"], encoding="br")) as (one,):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url}) as rig:
            assert read(rig)[:2] == (b"\x0b\x05\x80 brotlimore", True)


def test_one_that_unpacks_to_more_than_anybody_sends_passes_and_costs_no_memory(tmp_path: Path) -> None:
    packed = gzip.compress(chunk("a") + b": " + bytes(64 * 1024 * 1024) + b"\n\n" + DONE)
    with speaking(Speaker([packed], encoding="gzip")) as (one,):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url}) as rig:
            assert read(rig)[:2] == (packed, True)


def test_an_error_event_after_content_passes_and_is_recorded(tmp_path: Path) -> None:
    packed = gzip.compress(chunk("a") + ERROR)
    with speaking(Speaker(pieces(packed, 60), encoding="gzip")) as (one,):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url}) as rig:
            assert read(rig)[0] == packed
            assert rig.rows("SELECT outcome FROM request") == [{"outcome": "interrupted"}]
