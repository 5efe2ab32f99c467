"""What is turned away at the door, with the reason and never a key in it."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.rig import CHAT, MODEL, Rig, running, script_of

OK = '{do="ok"}'
BODY = {"model": MODEL, "messages": []}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> object:
    with running(tmp_path_factory.mktemp("door"), script_of(a=OK), settings="[proxy]\nmax_body_mb = 1\n") as found:
        yield found


def raw(rig: Rig, data: bytes, timeout: float = 5) -> bytes:
    url = httpx.URL(rig.url)
    with socket.create_connection((url.host, url.port or 80), timeout=timeout) as sock:
        sock.sendall(data)
        parts = []
        try:
            while part := sock.recv(65_536):
                parts.append(part)
        except (TimeoutError, ConnectionError):
            pass
        return b"".join(parts)


REFUSED = [
    pytest.param({"authorization": ""}, 401, "o-switcher token", id="no token"),
    pytest.param({"authorization": "Bearer wrong"}, 401, "not a token", id="a wrong token"),
    pytest.param({"host": "evil.example"}, 421, "Host", id="another host"),
    pytest.param({"host": "127.0.0.1:1"}, 421, "Host", id="another port"),
    pytest.param({"origin": "https://evil.example"}, 403, "other sites", id="a page of another site"),
    pytest.param({"origin": "null"}, 403, "other sites", id="a page without an origin"),
    pytest.param({"origin": "http://127.0.0.1:1"}, 403, "other sites", id="a page of another port"),
    pytest.param({"origin": "http://127.0.0.1"}, 403, "other sites", id="a page of the usual port"),
    pytest.param({"origin": "file://"}, 403, "other sites", id="a file"),
    pytest.param({"sec-fetch-site": "cross-site"}, 403, "other sites", id="a cross-site fetch"),
    pytest.param({"sec-fetch-site": "same-site"}, 403, "other sites", id="a fetch from another port"),
    pytest.param({"host": "127.0.0.1"}, 421, "Host", id="no port"),
    pytest.param({"host": "127.0.0.1.evil.example"}, 421, "Host", id="a longer name"),
    pytest.param({"host": "0.0.0.0"}, 421, "Host", id="any address"),
    pytest.param({"host": ""}, 421, "Host", id="an empty host"),
]


@pytest.mark.parametrize(("headers", "status", "words"), REFUSED)
def test_strangers_are_turned_away(rig: Rig, headers: dict[str, str], status: int, words: str) -> None:
    before = len(rig.simulator.calls)
    answer = rig.client.post(CHAT, json=BODY, headers=headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert answer.json()["error"]["type"] == "o_switcher_refused"
    assert "wrong" not in answer.text
    assert len(rig.simulator.calls) == before


def test_who_is_let_in_from_elsewhere_reaches_us_by_our_address(tmp_path: Path) -> None:
    """A number in the Host header cannot be a name that somebody has led here; any other number is refused."""
    lets_in = '[proxy]\nhost = "0.0.0.0"\nallow_remote = true\n'
    with running(tmp_path, script_of(a=OK), settings=lets_in) as rig:
        port = httpx.URL(rig.url).port
        here, there = f"127.0.0.2:{port}", f"127.0.0.3:{port}"
        with httpx.Client(
            base_url=f"http://{here}", headers={"authorization": rig.client.headers["authorization"]}, trust_env=False
        ) as client:
            assert client.post(CHAT, json=BODY).status_code == 200
            assert client.post(CHAT, json=BODY, headers={"origin": f"http://{here}"}).status_code == 200
            assert client.post(CHAT, json=BODY, headers={"origin": f"http://{there}"}).status_code == 403
            assert client.post(CHAT, json=BODY, headers={"host": there}).status_code == 421
            assert client.post(CHAT, json=BODY, headers={"host": f"evil.example:{port}"}).status_code == 421


LINK = {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
NO_LINKS = [
    ({}, "POST", "/report"),
    ({}, "GET", "/profiles"),
    ({}, "GET", "/api/v1/status"),
    ({"sec-fetch-site": "cross-site"}, "GET", "/report"),
    ({"sec-fetch-dest": "iframe"}, "GET", "/report"),
    ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, "GET", "/report"),
    ({"origin": "http://127.0.0.1:1"}, "GET", "/report"),
]


def test_a_link_from_another_port_of_this_host_leads_to_the_report(rig: Rig) -> None:
    """To its door, that is: without a ticket or a session nothing is there."""
    with httpx.Client(base_url=rig.url) as browser:
        assert browser.get("/report", headers=LINK).status_code == 401


@pytest.mark.parametrize(("headers", "method", "path"), NO_LINKS)
def test_nothing_else_from_there_is_let_in(rig: Rig, headers: dict[str, str], method: str, path: str) -> None:
    with httpx.Client(base_url=rig.url) as browser:
        assert browser.request(method, path, headers={**LINK, **headers}).status_code == 403


@pytest.mark.parametrize("path", ["/nobody/v1/models", "/openrouter/models", "/nobody/"])
def test_a_stranger_is_not_told_which_providers_there_are(rig: Rig, path: str) -> None:
    with httpx.Client(base_url=rig.url, trust_env=False) as stranger:
        answer = stranger.get(path)
    assert answer.status_code == 401 and "openrouter" not in answer.text and "groq" not in answer.text


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-goog-api-key"])
def test_a_token_is_taken_from_each_usual_header(rig: Rig, name: str) -> None:
    token = rig.client.headers["authorization"].removeprefix("Bearer ")
    value = f"Bearer {token}" if name == "authorization" else token
    with httpx.Client(base_url=rig.url, trust_env=False) as stranger:
        assert stranger.post(CHAT, json=BODY, headers={name: value}).status_code == 200


BAD = [
    pytest.param(CHAT, b'{"model": "m", ', "application/json", 400, "not valid JSON", id="malformed JSON"),
    pytest.param(CHAT, b"\xff\xfe\x00", "application/json", 400, "not valid JSON", id="bytes that are no text"),
    pytest.param(CHAT, b"model=m", "application/x-www-form-urlencoded", 415, "application/json", id="a form"),
    pytest.param("/nobody/v1/chat/completions", b"{}", "application/json", 404, "openrouter", id="unknown provider"),
    pytest.param("/openrouter/chat/completions", b"{}", "application/json", 404, "/openrouter/v1/", id="no /v1"),
    pytest.param(CHAT, b"x" * 1_100_000, "application/json", 413, "1048576", id="a body over the limit"),
]


@pytest.mark.parametrize(("path", "body", "kind", "status", "words"), BAD)
def test_bad_input_gets_a_clear_error(rig: Rig, path: str, body: bytes, kind: str, status: int, words: str) -> None:
    before = len(rig.simulator.calls)
    answer = rig.client.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert len(rig.simulator.calls) == before
    assert rig.chat().status_code == 200


def test_a_chunked_body_over_the_limit_is_refused_too(rig: Rig) -> None:
    answer = rig.client.post(
        CHAT, content=(b"x" * 65_536 for _ in range(20)), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413


def test_wrong_types_in_the_body_are_for_the_provider_to_judge(rig: Rig) -> None:
    answer = rig.client.post(CHAT, json={"model": 5, "stream": "yes", "messages": []})
    assert answer.status_code in (200, 400)
    assert answer.headers["x-o-switcher-attempts"] == "1"


def test_half_an_emoji_passes_as_it_came(rig: Rig) -> None:
    """JavaScript clients cut texts between the halves; JSON allows it, and strict readers do not."""
    body = (
        b'{"model": "%s", "stream": false, "messages": [{"role": "user", "content": "cut \\ud83d"}]}' % MODEL.encode()
    )
    answer = rig.client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert answer.headers["x-o-switcher-attempts"] == "1"
    assert rig.simulator.calls[-1].body_sha256 == hashlib.sha256(body).hexdigest()


def test_a_websocket_is_refused_at_once(rig: Rig) -> None:
    answer = rig.client.get("/openrouter/v1/responses", headers={"connection": "Upgrade", "upgrade": "websocket"})
    assert answer.status_code == 426


HEADS = [
    pytest.param(b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: " + b"b" * 70_000 + b"\r\n\r\n", b"431", id="a long header"),
    pytest.param(
        b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: 1\r\n" % n for n in range(300)) + b"\r\n", b"431", id="many headers"
    ),
    pytest.param(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"431", id="a long address"),
    pytest.param(b"nonsense\r\n\r\n", b"400", id="no HTTP"),
    pytest.param(
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"400",
        id="two lengths: request smuggling",
    ),
    pytest.param(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", b"400", id="twice"),
]


@pytest.mark.parametrize(("data", "status"), HEADS)
def test_header_bombs_and_nonsense_are_refused_and_traffic_goes_on(rig: Rig, data: bytes, status: bytes) -> None:
    assert status in raw(rig, data)[:15]
    assert rig.chat().status_code == 200


def test_the_health_address_says_no_more_than_it_must(rig: Rig) -> None:
    with httpx.Client(base_url=rig.url, trust_env=False) as stranger:
        found = stranger.get("/healthz").json()
        assert set(found) == {"app", "version", "instance"} and found["app"] == "o-switcher"
        for path in ("/", "/api/hello"):
            assert stranger.head(path).status_code == 200


def test_the_admin_api_is_not_for_client_tokens(rig: Rig) -> None:
    assert rig.client.get("/api/v1/status").status_code == 401
    assert rig.client.post("/api/v1/verbs/stop", json={}).status_code == 401
    assert rig.chat().status_code == 200


def test_another_scheme_of_our_own_address_is_another_origin(rig: Rig) -> None:
    answer = rig.client.post(CHAT, json=BODY, headers={"origin": rig.url.replace("http:", "https:")})
    assert answer.status_code == 403
    assert rig.client.post(CHAT, json=BODY, headers={"origin": rig.url.upper()}).status_code == 200


def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    host = httpx.URL(rig.url).netloc
    one = b"GET /healthz HTTP/1.1\r\nhost: %b\r\n\r\n" % host
    last = b"GET /healthz HTTP/1.1\r\nhost: %b\r\nconnection: close\r\n\r\n" % host
    assert raw(rig, one + one + last).count(b"200 OK") == 3


def test_a_client_that_sends_half_a_request_and_leaves_harms_nobody(rig: Rig) -> None:
    url = httpx.URL(rig.url)
    token = rig.client.headers["authorization"].encode()
    head = b"POST %b HTTP/1.1\r\nhost: %b\r\nauthorization: %b\r\ncontent-length: 100\r\n\r\nabc" % (
        CHAT.encode(),
        url.netloc,
        token,
    )
    before = len(rig.simulator.calls)
    with socket.create_connection((url.host, url.port or 80)) as sock:
        sock.sendall(head)
    time.sleep(0.05)
    assert rig.chat().status_code == 200
    assert len(rig.simulator.calls) == before + 1


def test_the_refusal_has_the_shape_of_the_protocol(rig: Rig) -> None:
    answer = rig.client.post("/openrouter/v1/messages", json=BODY, headers={"authorization": "Bearer no"})
    assert json.loads(answer.content)["type"] == "error"


def test_a_clients_own_mistake_is_in_the_history_and_a_strangers_is_not(rig: Rig) -> None:
    answer = rig.client.post(CHAT, content=b"{", headers={"content-type": "application/json"})
    request_id = answer.headers["x-o-switcher-request-id"]
    assert answer.headers["x-o-switcher-profile"] == "none" and answer.headers["x-o-switcher-attempts"] == "0"
    row = rig.rows("SELECT outcome, status_code, client, attempts, reason FROM request WHERE id = ?", request_id)[0]
    assert (row["outcome"], row["status_code"], row["client"], row["attempts"]) == ("refused", 400, "test", 0)
    assert "not valid JSON" in row["reason"]
    stranger = httpx.post(rig.url + CHAT, json=BODY, trust_env=False).headers["x-o-switcher-request-id"]
    assert rig.rows("SELECT 1 FROM request WHERE id = ?", stranger) == []


def test_what_is_known_of_a_head_ends_with_the_token_and_the_provider(tmp_path: Path) -> None:
    """A head that comes again on its connection is not judged once more, unless what it was judged by has changed."""
    settings = '[providers.mine]\nbase_url = "{}"\n'
    with running(tmp_path, script_of(a=OK)) as rig:
        rig.home.config.write_text(settings.format(rig.simulator.url), encoding="utf-8")
        rig.app.reload()
        token = rig.app.vault.token("passing")
        body = json.dumps(BODY).encode()
        url = httpx.URL(rig.url)

        def asked(path: str) -> bytes:
            lines = (
                f"POST {path} HTTP/1.1",
                f"Host: {url.host}:{url.port}",
                f"Authorization: Bearer {token}",
                "Content-Type: application/json",
            )
            head = "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode()
            sock.sendall(head + body)
            answer = b""
            while b"\r\n\r\n" not in answer or not _is_whole(answer):
                part = sock.recv(65_536)
                assert part, answer
                answer += part
            return answer[9:12]

        with socket.create_connection((url.host, url.port or 80), timeout=5) as sock:
            assert [asked(CHAT) for _ in range(3)] == [b"200"] * 3
            assert [asked("/mine/v1/x") for _ in range(2)] == [b"503"] * 2, "nobody has a key of it"
            rig.home.config.write_text("", encoding="utf-8")
            rig.app.reload()
            assert asked("/mine/v1/x") == b"404"
            assert asked(CHAT) == asked(CHAT) == b"200"
            rig.app.vault.revoke("passing")
            assert asked(CHAT) == b"401"


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= int(length.partition(b":")[2])
