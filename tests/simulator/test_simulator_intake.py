"""Bytes into requests, without a socket; and the loop that the simulator brings along."""

from __future__ import annotations

import asyncio
import sys
from itertools import pairwise

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.simulator.intake import Intake, NotHTTP
from tray_app.simulator.thread import new_loop
from tray_app.simulator.values import Request

ONE = b"POST /v1/x?a=b HTTP/1.1\r\nhost: h\r\nX-Two: 1\r\ncontent-length: 5\r\n\r\nhello"
TWO = b"POST /v1/y HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def taken(*parts: bytes) -> list[Request]:
    requests: list[Request] = []
    intake = Intake(requests.append, lambda: None)
    for part in parts:
        intake.feed(part)
    return requests


@given(st.lists(st.integers(0, len(ONE + TWO)), max_size=6))
def test_requests_are_the_same_however_their_bytes_arrive(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(ONE + TWO)]
    parts = [(ONE + TWO)[start:end] for start, end in pairwise(edges)]
    assert taken(*parts) == taken(ONE, TWO)


def test_a_request_is_taken_with_lower_case_names_and_its_query_apart() -> None:
    one, two = taken(ONE, TWO)
    assert (one.method, one.path, one.query, one.body) == ("POST", "/v1/x", "a=b", b"hello")
    assert one.header(b"x-two") == "1"
    assert two.body == b"abcde"


def test_noise_is_said_once_and_then_nothing_is_heard() -> None:
    requests: list[Request] = []
    intake = Intake(requests.append, lambda: None)
    with pytest.raises(NotHTTP):
        intake.feed(b"\x00\x01")
    intake.feed(ONE)
    assert requests == []


def test_a_fault_of_the_simulator_is_not_taken_for_noise() -> None:
    def broken(request: Request) -> None:
        raise ZeroDivisionError

    with pytest.raises(httptools.HttpParserCallbackError):
        Intake(broken, lambda: None).feed(ONE)


def test_without_uvloop_asyncios_own_loop_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_loop()
    assert isinstance(loop, asyncio.BaseEventLoop)
    loop.close()
