"""Requests that two readers could read in two ways: refused at the door, and nothing behind them is taken for another."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.proxy.test_door import raw
from tests.rig import CHAT, Rig, running, script_of


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("smuggling"), script_of(a='{do="ok"}')) as found:
        yield found


BODY = b'{"model": "openai/gpt-4o-mini", "messages": []}'
HIDDEN = b"GET /healthz HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\n\r\n"  # what would be answered 200
CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
LENGTH = b"content-length: %d\r\n" % len(BODY)

FRAMINGS = [
    pytest.param(LENGTH + CHUNKED, CHUNK + b"0\r\n\r\n", id="a length and chunks"),
    pytest.param(CHUNKED + LENGTH, CHUNK + b"0\r\n\r\n", id="chunks and a length"),
    pytest.param(CHUNKED + CHUNKED, CHUNK + b"0\r\n\r\n", id="chunks twice"),
    pytest.param(CHUNKED + b"transfer-encoding: identity\r\n", CHUNK + b"0\r\n\r\n", id="chunks and identity"),
    pytest.param(b"transfer-encoding: identity, chunked\r\n", CHUNK + b"0\r\n\r\n", id="a list of codings"),
    pytest.param(b"transfer-encoding: gzip, chunked\r\n", CHUNK + b"0\r\n\r\n", id="packed chunks"),
    pytest.param(b"transfer-encoding: chunked, gzip\r\n", CHUNK + b"0\r\n\r\n", id="chunks that are not the last"),
    pytest.param(b"transfer-encoding: xchunked\r\n", CHUNK + b"0\r\n\r\n", id="another coding"),
    pytest.param(b"transfer-encoding: \x0bchunked\r\n", CHUNK + b"0\r\n\r\n", id="a vertical tab"),
    pytest.param(b"transfer-encoding : chunked\r\n", CHUNK + b"0\r\n\r\n", id="a blank before the colon"),
    pytest.param(b"transfer-encoding:\r\n chunked\r\n", CHUNK + b"0\r\n\r\n", id="a folded line"),
    pytest.param(b"x: y\r\n z\r\n" + LENGTH, BODY, id="any folded line"),
    pytest.param(b" x: y\r\n" + LENGTH, BODY, id="a blank at the beginning of a line"),
    pytest.param(LENGTH + LENGTH, BODY, id="one length twice"),
    pytest.param(LENGTH + b"content-length: 1\r\n", BODY, id="two lengths"),
    pytest.param(b"content-length: %d, %d\r\n" % (len(BODY), len(BODY)), BODY, id="a list of lengths"),
    pytest.param(b"content-length: +%d\r\n" % len(BODY), BODY, id="a length with a plus"),
    pytest.param(b"content-length: -1\r\n", BODY, id="a negative length"),
    pytest.param(b"content-length: 0x2f\r\n", BODY, id="a length in hexadecimal"),
    pytest.param(b"content-length: 4_7\r\n", BODY, id="a length as Python writes it"),
    pytest.param(b"content-length: 4 7\r\n", BODY, id="a length with a blank"),
    pytest.param(b"content-length: \r\n", BODY, id="an empty length"),
    pytest.param(b"content-length : %d\r\n" % len(BODY), BODY, id="a length with a blank before the colon"),
    pytest.param(b"content-length: 99999999999999999999999\r\n", BODY, id="a length beyond all numbers"),
    pytest.param(b"x: a\n" + LENGTH, BODY, id="a bare line feed"),
    pytest.param(b"x: a\rb: c\r\n" + LENGTH, BODY, id="a bare carriage return"),
    pytest.param(b"x: a\0b\r\n" + LENGTH, BODY, id="a null"),
    pytest.param(b"x\xff: a\r\n" + LENGTH, BODY, id="a name beyond ASCII"),
    pytest.param(b": a\r\n" + LENGTH, BODY, id="no name"),
    pytest.param(b"abc\r\n" + LENGTH, BODY, id="no colon"),
    pytest.param(CHUNKED, b"-1\r\n" + BODY + b"\r\n0\r\n\r\n", id="a negative chunk"),
    pytest.param(CHUNKED, b"+2f\r\n" + BODY + b"\r\n0\r\n\r\n", id="a chunk with a plus"),
    pytest.param(CHUNKED, b"0x2f\r\n" + BODY + b"\r\n0\r\n\r\n", id="a chunk with 0x"),
    pytest.param(CHUNKED, b" 2f\r\n" + BODY + b"\r\n0\r\n\r\n", id="a chunk after a blank"),
    pytest.param(CHUNKED, b"10000000000000002f\r\n" + BODY + b"\r\n0\r\n\r\n", id="a chunk beyond 64 bits"),
    pytest.param(CHUNKED, b"2f\n" + BODY + b"\r\n0\r\n\r\n", id="a chunk's size with a bare line feed"),
    pytest.param(CHUNKED, b"2f;a=\nb\r\n" + BODY + b"\r\n0\r\n\r\n", id="an extension with a line feed"),
    pytest.param(CHUNKED, b"2f\r\n" + BODY + b"XX0\r\n\r\n", id="a chunk that is longer than it says"),
    pytest.param(CHUNKED, b"\r\n" + BODY + b"\r\n0\r\n\r\n", id="a chunk without a size"),
    pytest.param(b"connection: upgrade\r\nupgrade: h2c\r\n" + LENGTH + CHUNKED, BODY, id="behind an upgrade"),
    pytest.param(b"host: evil.example\r\n" + LENGTH, BODY, id="two hosts"),
    pytest.param(b"host: HOST\r\n" + LENGTH, BODY, id="one host twice"),
    pytest.param(b"authorization: Bearer x\r\n" + LENGTH, BODY, id="two credentials"),
    pytest.param(b"content-type: text/plain\r\n" + LENGTH, BODY, id="two kinds of content"),
    pytest.param(b"origin: http://HOST\r\norigin: http://evil.example\r\n" + LENGTH, BODY, id="two origins"),
]


@pytest.mark.parametrize(("framing", "body"), FRAMINGS)
def test_a_framing_that_can_be_read_in_two_ways_is_refused(rig: Rig, framing: bytes, body: bytes) -> None:
    before = len(rig.simulator.calls)
    answer = spoken(rig, b"POST %b HTTP/1.1" % CHAT.encode(), framing, body + HIDDEN)
    assert answer[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 501 "), answer[:60]
    if answer[9:12] == b"400" and b"more than once" not in answer:
        assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1, "what stood behind was taken for a request"
    assert len(rig.simulator.calls) == before


def test_what_is_said_twice_alike_can_be_read_in_one_way(rig: Rig) -> None:
    """As clients do that add what their library adds too."""
    answer = spoken(
        rig, b"POST %b HTTP/1.1" % CHAT.encode(), b"content-type: application/json\r\n" + LENGTH, BODY + HIDDEN
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_what_is_plain_passes_and_what_follows_is_the_next_request(rig: Rig) -> None:
    for framing, body in ((LENGTH, BODY), (CHUNKED, CHUNK + b"0\r\n\r\n"), (CHUNKED, b"2f;a=b\r\n" + CHUNK[4:])):
        data = body if body.endswith(BODY) or body.endswith(b"0\r\n\r\n") else body + b"0\r\n\r\n"
        answer = spoken(rig, b"POST %b HTTP/1.1" % CHAT.encode(), framing, data + HIDDEN)
        assert answer.count(b"HTTP/1.1 200 OK") == 2 and b'"app":"o-switcher"' in answer


TARGETS = [
    pytest.param(b"GET http://evil.example/healthz HTTP/1.1", b"421", id="the address of another host"),
    pytest.param(b"GET http://HOST@evil.example/healthz HTTP/1.1", b"421", id="another host behind our name"),
    pytest.param(b"GET http://127.0.0.1:1/healthz HTTP/1.1", b"421", id="the address of another port"),
    pytest.param(b"GET https://HOST/healthz HTTP/1.1", b"400", id="another scheme"),
    pytest.param(b"GET ftp://HOST/healthz HTTP/1.1", b"400", id="a scheme that is none"),
    pytest.param(b"GET evil.example:443 HTTP/1.1", b"400", id="an authority"),
    pytest.param(b"CONNECT evil.example:443 HTTP/1.1", b"400", id="a tunnel"),
    pytest.param(b"CONNECT HOST HTTP/1.1", b"400", id="a tunnel to ourselves"),
    pytest.param(b"PRI * HTTP/2.0", b"400", id="the preface of HTTP/2"),
    pytest.param(b"GET /healthz HTTP/2.0", b"505", id="HTTP/2 in words"),
    pytest.param(b"GET /healthz HTTP/1.2", b"400", id="a version that is none"),
    pytest.param(b"GET /healthz x HTTP/1.1", b"400", id="a blank in the address"),
    pytest.param(b"GET /\x01 HTTP/1.1", b"400", id="a control character"),
    pytest.param(b"GET /\xff HTTP/1.1", b"400", id="beyond ASCII"),
    pytest.param(b"GET //evil.example/healthz HTTP/1.1", b"404", id="two slashes"),
    pytest.param(b"GET /healthz/../api/v1/status HTTP/1.1", b"404", id="up a folder"),
    pytest.param(b"GET /openrouter/v1/%0d%0ax HTTP/1.1", b"", id="a line break in the path"),
    pytest.param(b"TRACE /healthz HTTP/1.1", b"200", id="a trace, which is not echoed"),
]


@pytest.mark.parametrize(("line", "status"), TARGETS)
def test_a_target_is_a_path_of_ours(rig: Rig, line: bytes, status: bytes) -> None:
    answer = spoken(rig, line, b"connection: close\r\nx-secret: s3cret\r\n", b"")
    assert status in answer[9:13], answer[:60]
    assert b"s3cret" not in answer and b"location: //" not in answer.lower()
    if rig.simulator.calls:
        assert "\r" not in rig.simulator.calls[-1].path and "\n" not in rig.simulator.calls[-1].path


def test_our_own_address_may_be_written_out(rig: Rig) -> None:
    """As a client does that takes us for its HTTP proxy, or is told to."""
    answer = spoken(rig, b"GET http://HOST/healthz HTTP/1.1", b"connection: close\r\n", b"")
    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_the_host_of_the_target_counts_and_not_that_of_the_header(rig: Rig) -> None:
    authority = httpx.URL(rig.url).netloc
    good = b"GET http://%b/healthz HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n" % authority
    assert raw(rig, good).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/0.9"])
def test_old_versions_know_no_chunks(rig: Rig, version: bytes) -> None:
    before = len(rig.simulator.calls)
    answer = spoken(rig, b"POST %b %b" % (CHAT.encode(), version), CHUNKED, CHUNK + b"0\r\n\r\n" + HIDDEN)
    assert answer[9:12] in (b"501", b"505", b"400") and len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1
    assert len(rig.simulator.calls) == before


def spoken(rig: Rig, line: bytes, framing: bytes, rest: bytes) -> bytes:
    """What is answered to a request of these bytes, with our host and a client's token."""
    authority = httpx.URL(rig.url).netloc
    token = rig.client.headers["authorization"].encode()
    head = b"%b\r\nhost: HOST\r\nauthorization: %b\r\ncontent-type: application/json\r\n%b\r\n" % (line, token, framing)
    return raw(rig, (head + rest).replace(b"HOST", authority), timeout=2)
