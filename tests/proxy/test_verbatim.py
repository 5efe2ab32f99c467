"""Bytes in are bytes out: only the credential changes."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from pathlib import Path

import httpx
import pytest

from tests.rig import CHAT, MODEL, key_of, running, script_of

OK = '{do="ok"}'


def test_a_request_body_reaches_the_provider_byte_for_byte(tmp_path: Path) -> None:
    bodies = [
        b'{"model":"m","x":1.0,"y":1e3,"z":"\\u00e9\xc3\xa9","messages":[]}',
        b' {\n\t"stream" : false , "model":"m", "unknown":{"a":[1,2,{"b":null}]} }\n',
        json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 3_000_000}]}).encode(),
    ]
    with running(tmp_path, script_of(a=OK)) as rig:
        for body in bodies:
            answer = rig.client.post(CHAT, content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 200
            seen = rig.simulator.calls[-1]
            assert (seen.body_bytes, seen.body_sha256) == (len(body), hashlib.sha256(body).hexdigest())


def test_headers_pass_but_for_credentials_and_the_connections_own(tmp_path: Path) -> None:
    sent = {
        "anthropic-beta": "a,b",
        "anthropic-version": "2023-06-01",
        "http-referer": "https://example.org/",
        "x-title": "agent",
        "session-id": "s1",
        "user-agent": "agent/1",
        "x-api-key": "osw-somebody-else",
        "cookie": "secret=1",
        "connection": "keep-alive, x-hop",
        "x-hop": "1",
        "x-o-switcher-hop": "t",
        "x-session-id": "the-session",  # OpenRouter keeps a session on one of its providers by it
        "te": "trailers",
        "accept-encoding": "gzip, br",
    }
    with running(tmp_path, script_of(a=OK)) as rig:
        answer = rig.chat(headers=sent)
        assert answer.status_code == 200
        seen = rig.simulator.calls[-1].headers
        for name in ("anthropic-beta", "anthropic-version", "http-referer", "x-title", "session-id", "user-agent"):
            assert seen[name] == sent[name]
        assert seen["accept-encoding"] == "gzip, br"
        assert seen["x-session-id"] == "the-session"
        assert not {"cookie", "connection", "x-hop", "x-o-switcher-hop", "te", "x-api-key"} & seen.keys()
        assert seen["host"] == httpx.URL(rig.simulator.url).netloc.decode()


def test_the_query_and_the_path_pass_as_they_came(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a=OK)) as rig:
        rig.client.post(
            "/openrouter/v1/messages?beta=true&x=%2F%20y", json={"model": "m", "messages": [], "max_tokens": 1}
        )
        seen = rig.simulator.calls[-1]
        assert seen.path.endswith("/messages") and seen.query == "beta=true&x=%2F%20y"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", ["/chat/completions", "/messages", "/responses"])
def test_an_answer_reaches_the_client_byte_for_byte(tmp_path: Path, stream: bool, path: str) -> None:
    body = {
        "model": MODEL,
        "stream": stream,
        "max_tokens": 99,
        "input": "q",
        "messages": [{"role": "user", "content": "q"}],
    }
    with running(tmp_path, script_of(a='{do="ok", comments=3, chunks=20}')) as rig:
        direct = httpx.post(rig.simulator.url + path, json=body, headers={"authorization": f"Bearer {key_of('a')}"})
        relayed = rig.client.post(f"/openrouter/v1{path}", json=body)
        assert relayed.status_code == direct.status_code == 200
        assert relayed.content == direct.content
        assert relayed.headers["content-type"] == direct.headers["content-type"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_compressed_answer_stays_compressed(tmp_path: Path, stream: bool) -> None:
    body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "q"}]}
    headers = {"accept-encoding": "gzip"}
    with running(tmp_path, script_of(a='{do="ok", gzip=true}')) as rig:
        with rig.client.stream("POST", CHAT, json=body, headers=headers) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert b"choices" in gzip.decompress(raw)


def test_a_compressed_request_passes_and_its_model_is_known(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "q"}]}).encode())
    with running(tmp_path, script_of(a=OK)) as rig:
        headers = {"content-encoding": "gzip", "content-type": "application/json"}
        assert rig.client.post(CHAT, content=packed, headers=headers).status_code == 200
        assert rig.simulator.calls[-1].body_sha256 == hashlib.sha256(packed).hexdigest()
        assert rig.rows("SELECT model FROM request") == [{"model": MODEL}]


def test_other_paths_and_methods_are_relayed_too(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a=OK)) as rig:
        models = rig.client.get("/openrouter/v1/models")
        assert models.status_code == 200 and models.json()["data"]
        default_pool = rig.client.get("/v1/models?limit=1000")
        assert default_pool.status_code == 200
        counted = rig.client.post("/openrouter/v1/messages/count_tokens", json={"model": "m", "messages": []})
        assert counted.status_code == 200
        embedded = rig.client.post("/openrouter/v1/embeddings", json={"model": "m", "input": "x"})
        assert embedded.json()["data"]
        drawn = rig.client.post("/openrouter/v1/images/generations", json={"model": "m", "prompt": "x"})
        assert drawn.status_code == 200
        head = rig.client.head("/openrouter/v1/models")
        assert head.status_code == 200 and head.content == b""
        assert rig.client.options("/openrouter/v1/models").status_code < 500
        assert rig.client.get("/openrouter/v1/nothing").status_code == 404


def test_a_multipart_upload_passes_whole(tmp_path: Path) -> None:
    data = random.Random(7).randbytes(500_000)
    with running(tmp_path, script_of(a=OK)) as rig:
        answer = rig.client.post(
            "/openrouter/v1/files", files={"file": ("a.bin", data)}, data={"purpose": "assistants"}
        )
        assert answer.status_code == 200
        assert hashlib.sha256(data).hexdigest() in answer.text


def test_a_client_that_asks_for_continue_is_told_to(tmp_path: Path) -> None:
    import socket

    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "q"}]}).encode()
    with running(tmp_path, script_of(a=OK)) as rig:
        url = httpx.URL(rig.url)
        token = rig.client.headers["authorization"]
        head = (
            f"POST {CHAT} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\nAuthorization: {token}\r\n"
            f"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((url.host, url.port or 80), timeout=5) as sock:
            sock.sendall(head.encode())
            assert sock.recv(1000).startswith(b"HTTP/1.1 100")
            sock.sendall(body)
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        assert "expect" not in rig.simulator.calls[-1].headers


def test_connections_to_the_provider_are_kept(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a=OK)) as rig:
        for turn in range(5):
            rig.chat(text=str(turn), stream=turn % 2 == 0)
        assert len({seen.connection for seen in rig.simulator.calls}) == 1
