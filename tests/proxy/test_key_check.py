"""A key is shown to its provider before it is kept: by a free question, at the address that it is for, and nowhere else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.rig import MODEL, running, script_of
from tray_app.core.providers import BUILT_IN, Provider
from tray_app.proxy import key_check
from tray_app.proxy.key_check import KeyCheck, check_key
from tray_app.proxy.upstream import Timeouts

KEY = "sk-or-v1-0123456789abcdef"


@dataclass
class Answering:
    """A server that gives one answer to everything, and notes what it was sent."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""


@contextmanager
def answering(**given: object) -> Iterator[Answering]:
    there = Answering(**given)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            self.rfile.read(length)
            there.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(there.status)
            for name, value in there.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(there.body)))
            self.end_headers()
            self.wfile.write(there.body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    there.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def checked(name: str, url: str) -> KeyCheck:
    known: Mapping[str, Provider] = BUILT_IN
    timeouts = Timeouts(connect=2.0)
    return asyncio.run(check_key(known[name], url, KEY, lambda: known, lambda: timeouts, 1_790_000_000_000))


QUESTIONS = [
    ("openrouter", "/v1/key", {"authorization": f"Bearer {KEY}"}),
    ("openai", "/v1/models", {"authorization": f"Bearer {KEY}"}),
    ("anthropic", "/v1/models", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}),
    ("google", "/v1/models", {"x-goog-api-key": KEY}),
    ("deepseek", "/user/balance", {"authorization": f"Bearer {KEY}"}),
]


@pytest.mark.parametrize(("name", "path", "headers"), QUESTIONS, ids=[row[0] for row in QUESTIONS])
def test_what_is_asked_is_free_and_carries_the_key_in_the_providers_header(
    name: str, path: str, headers: dict[str, str]
) -> None:
    with answering() as there:
        check = checked(name, there.url)
    assert check == KeyCheck(True, f"{BUILT_IN[name].title} takes this key")
    ((asked, sent),) = there.asked
    assert asked == path and headers.items() <= sent.items()


REFUSALS = [
    ("openai", 401, b'{"error": {"message": "Incorrect API key provided: sk-or-v1-0123456789abcdef"}}'),
    ("groq", 403, b""),
    ("google", 400, b'{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", '
        b'"details": [{"reason": "API_KEY_INVALID"}]}}'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status", "body"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_refused_key_is_told_without_the_key(name: str, status: int, body: bytes) -> None:
    with answering(status=status, body=body) as there:
        check = checked(name, there.url)
    assert check.taken is False and check.words.startswith(f"{BUILT_IN[name].title} refuses this key")
    assert KEY not in check.words


@pytest.mark.parametrize("status", [404, 429, 500, 307])
def test_an_answer_that_says_nothing_of_the_key_is_no_verdict(status: int) -> None:
    with answering(status=status) as there:
        check = checked("mistral", there.url)
    assert check == KeyCheck(None, f"Mistral answered {status}, which says nothing of the key")


def test_nobody_there_is_no_verdict() -> None:
    check = checked("mistral", "http://127.0.0.1:1/v1")
    assert check.taken is None and check.words.startswith("Mistral could not be asked: http://127.0.0.1:1 cannot be")


def test_a_provider_that_keeps_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(key_check, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check = checked("mistral", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
    assert check == KeyCheck(None, "Mistral did not answer within 0 s")


def test_a_provider_without_keys_is_not_asked() -> None:
    assert checked("ollama", "http://127.0.0.1:1/v1") == KeyCheck(None, "Ollama takes calls without a key")


def test_no_redirect_carries_a_key(tmp_path: Path) -> None:
    with answering() as elsewhere:
        moved = {"location": f"{elsewhere.url}/stolen"}
        with answering(status=307, headers=moved) as there:
            assert checked("openrouter", there.url).taken is None
            with running(tmp_path, script_of(a='{do="ok"}'), names=[], others={"x": there.url}) as rig:
                answer = rig.client.post(
                    "/openrouter/v1/chat/completions", json={"model": MODEL}, follow_redirects=False
                )
                assert "location" not in answer.headers
            assert len(there.asked) >= 2
    assert elsewhere.asked == []
