"""A client that waits is kept alive, and served by whoever answers in the end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.rig import MODEL, Rig, running, said, script_of, settle_slowly
from tray_app.proxy import patience

BODY = {"model": MODEL, "stream": True, "max_tokens": 99, "input": "q", "messages": [{"role": "user", "content": "q"}]}
CHAT, MESSAGES, RESPONSES = (f"/openrouter/v1/{name}" for name in ("chat/completions", "messages", "responses"))
SOON = "[timeouts]\nfirst_byte = 0.5\n"
HANGS = '{do="hang", when="before_head"}'
COMMENT = ": O-Switcher waits for the provider"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HOLD_S", 0.1)
    monkeypatch.setattr(patience, "BEAT_S", 0.1)


def read(rig: Rig, path: str = CHAT, **headers: str) -> tuple[httpx.Response, str, bool]:
    """The head, the text as far as it came, and whether the connection ended in order."""
    parts: list[bytes] = []
    with rig.client.stream("POST", path, json=BODY, headers=headers) as answer:
        try:
            parts.extend(answer.iter_bytes())
        except httpx.RemoteProtocolError:
            return answer, b"".join(parts).decode(), False
    return answer, b"".join(parts).decode(), True


@pytest.mark.parametrize(
    ("path", "headers", "sign"),
    [
        pytest.param(CHAT, {}, COMMENT, id="chat"),
        pytest.param(RESPONSES, {}, COMMENT, id="responses"),
        pytest.param(
            RESPONSES, {"originator": "codex_cli_rs"}, "event: keepalive", id="Codex, for which only events count"
        ),
        pytest.param(MESSAGES, {}, "event: ping", id="messages"),
    ],
)
def test_it_hears_signs_of_life_and_then_the_next_profiles_answer(
    tmp_path: Path, path: str, headers: dict[str, str], sign: str
) -> None:
    with running(tmp_path, script_of(first=HANGS, second='{do="ok"}'), settings=SOON) as rig:
        answer, text, in_order = read(rig, path, **headers)
        assert answer.status_code == 200 and in_order
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-o-switcher-request-id"]
        assert text.startswith(sign) and text.count(sign) >= 2
        assert said(text)
        row = rig.rows("SELECT outcome, attempts, failovers, profile_id FROM request")[0]
        assert row == {"outcome": "served", "attempts": 2, "failovers": 1, "profile_id": "openrouter-second"}


DOCUMENTS = {
    CHAT: {"choices": [{"message": {"content": "hello"}}]},
    RESPONSES: {"object": "response", "status": "completed", "output": [{"type": "message", "content": "hello"}]},
    MESSAGES: {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}]},
}


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
def test_a_whole_answer_that_waits_for_the_disk_alone_comes_as_it_is(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_slowly(monkeypatch, lambda: asyncio.sleep(0.3))
    document = json.dumps(DOCUMENTS[path])
    step = f'{{do="custom", status=200, body={json.dumps(document)}}}'
    with running(tmp_path, script_of(only=step)) as rig:
        answer, text, in_order = read(rig, path)
        assert (answer.status_code, text, in_order) == (200, document, True)
        assert answer.headers["content-type"].startswith("application/json")
        assert rig.rows("SELECT outcome, response_bytes FROM request") == [
            {"outcome": "served", "response_bytes": len(document)}
        ]


def test_pings_of_the_provider_are_held_and_failing_over_still_works(tmp_path: Path) -> None:
    pings = '{do="hang", when="after_head"}'
    with running(tmp_path, script_of(first=pings, second='{do="ok"}'), settings="[timeouts]\nidle = 0.5\n") as rig:
        answer, text, in_order = read(rig)
        assert answer.status_code == 200 and in_order and text.startswith(COMMENT) and said(text)
        assert rig.calls() == {"first": 1, "second": 1}


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
def test_where_nobody_answers_the_stream_ends_with_the_protocols_error_and_a_cut(tmp_path: Path, path: str) -> None:
    with running(tmp_path, script_of(only=HANGS), settings=SOON + "[switcher]\nretry_budget = 0\n") as rig:
        answer, text, in_order = read(rig, path)
        assert answer.status_code == 200 and not in_order
        assert "o_switcher_interrupted" in text and "openrouter-only" in text
        assert "[DONE]" not in text and "message_stop" not in text
        assert rig.rows("SELECT outcome FROM request") == [{"outcome": "failed"}]


def test_whoever_does_not_stream_waits_in_silence_for_the_true_status(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only='{do="ok", delay_ms=400}')) as rig:
        answer = rig.client.post(CHAT, json=BODY | {"stream": False})
        assert answer.status_code == 200 and answer.json()["choices"]


def test_a_compressed_stream_is_unpacked_for_a_client_that_was_told_of_none(tmp_path: Path) -> None:
    slow = '{do="ok", delay_ms=400, gzip=true}'
    with running(tmp_path, script_of(only=slow)) as rig:
        answer, text, in_order = read(rig)
        assert in_order and "content-encoding" not in answer.headers
        assert text.startswith(COMMENT) and said(text)


def test_a_client_that_leaves_while_it_waits_ends_the_providers_call(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only=HANGS)) as rig:
        with rig.client.stream("POST", CHAT, json=BODY) as answer:
            next(answer.iter_raw())
        row = rig.eventually("SELECT outcome FROM request WHERE ended_at IS NOT NULL")
        assert row == [{"outcome": "client_cancelled"}]
