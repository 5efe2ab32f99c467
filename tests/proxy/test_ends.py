"""When no profile can serve, the client gets an honest end in its own protocol's shape."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.rig import MODEL, running, script_of
from tray_app.control.callers import connect
from tray_app.proxy import pipeline

ENDS = [
    pytest.param('{do="no_credit"}', 429, "exhausted", True, id="every profile out of credit"),
    pytest.param('{do="rate_limit", retry_after=3600}', 429, "exhausted", True, id="every profile limited for long"),
    pytest.param('{do="unauthorized"}', 403, "exhausted", False, id="every key refused"),
    pytest.param('{do="server_error"}', 502, "failed", False, id="every profile broken"),
    pytest.param('{do="reset"}', 502, "failed", False, id="every connection broke off"),
]


@pytest.mark.parametrize(("fault", "status", "outcome", "hinted"), ENDS)
def test_the_status_says_what_is_wrong(tmp_path: Path, fault: str, status: int, outcome: str, hinted: bool) -> None:
    with running(tmp_path, script_of(a=fault, b=fault)) as rig:
        answer = rig.chat()
        error = answer.json()["error"]
        assert answer.status_code == status
        assert error["type"] == "o_switcher_exhausted"
        assert [profile["id"] for profile in error["profiles"]] == ["openrouter-a", "openrouter-b"] or {
            profile["id"] for profile in error["profiles"]
        } == {"openrouter-a", "openrouter-b"}
        assert ("retry-after" in answer.headers) is hinted
        assert int(answer.headers.get("retry-after", "1")) <= 60
        assert answer.headers["x-o-switcher-request-id"] == error["request_id"]
        assert rig.rows("SELECT outcome, status_code FROM request") == [{"outcome": outcome, "status_code": status}]


SHAPES = [
    pytest.param("/openrouter/v1/chat/completions", ("error", "type"), id="chat"),
    pytest.param("/openrouter/v1/responses", ("error", "type"), id="responses"),
    pytest.param("/openrouter/v1/messages?beta=true", ("error", "type"), id="messages"),
]


@pytest.mark.parametrize(("path", "where"), SHAPES)
def test_the_error_has_the_protocols_shape(tmp_path: Path, path: str, where: tuple[str, ...]) -> None:
    with running(tmp_path, script_of(a='{do="no_credit"}')) as rig:
        answer = rig.client.post(path, json={"model": MODEL, "messages": [], "input": "x", "max_tokens": 5})
        document = answer.json()
        assert answer.status_code == 429
        assert document["error"]["type"] == "o_switcher_exhausted"
        if "messages" in path:
            assert document["type"] == "error"


def test_once_all_are_parked_nothing_is_sent_to_anybody(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="no_credit"}', b='{do="no_credit"}')) as rig:
        rig.chat()
        before = rig.calls()
        for _ in range(3):
            assert rig.chat().status_code == 429
        assert rig.calls() == before


def test_without_any_profile_the_answer_says_how_to_add_one(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="ok"}'), names=[]) as rig:
        answer = rig.chat()
        assert answer.status_code == 503
        assert "profiles add" in answer.json()["error"]["message"]
        assert sum(rig.calls().values()) == 0


def test_a_missing_model_on_every_profile_gives_the_providers_own_words(tmp_path: Path) -> None:
    with running(
        tmp_path, script_of(a='{do="model_not_found", status=404}', b='{do="model_not_found", status=404}')
    ) as rig:
        answer = rig.chat()
        assert answer.status_code == 404
        assert "o_switcher" not in answer.text
        assert rig.calls() == {"a": 1, "b": 1}
        assert rig.phase("openrouter-a") == rig.phase("openrouter-b") == "ready"


def test_an_error_in_the_dress_of_a_success_gets_its_true_status(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="error_in_200", code=400, message="bad input"}')) as rig:
        answer = rig.chat()
        assert answer.status_code == 400
        assert "bad input" in answer.text


def test_paused_profiles_give_a_clear_answer(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="ok"}')) as rig:
        connect(rig.home.running).ask("pause", profile="openrouter-a")
        answer = rig.chat()
        assert answer.status_code == 503
        assert "paused" in answer.json()["error"]["message"]
        assert "retry-after" not in answer.headers
        connect(rig.home.running).ask("resume", profile="openrouter-a")
        assert rig.chat().status_code == 200


def test_when_nobody_can_be_reached_the_answer_says_so_and_nobody_is_blamed(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="ok"}'), names=[]) as rig:
        caller = connect(rig.home.running)
        for label in ("a", "b"):
            key = f"sk-or-v1-nobody-listens-{label}"
            caller.ask("profiles-add", provider="openrouter", label=label, secret=key, base_url="http://127.0.0.1:1/v1")
        answer = rig.chat()
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
        assert "cannot be reached" in answer.json()["error"]["message"]
        assert caller.ask("status")["state"] == "offline"
        assert rig.phase("openrouter-a") == rig.phase("openrouter-b") == "ready"


def test_the_queue_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "QUEUE_S", 0.2)
    settings = "[switcher]\nconcurrency_limit = 1\n"
    with running(tmp_path, script_of(only='{do="ok", delay_ms=1500}'), settings=settings) as rig:
        with ThreadPoolExecutor(1) as crowd:
            first = crowd.submit(rig.chat)
            while not rig.calls().get("only"):
                time.sleep(0.01)
            second = rig.chat()
            assert second.status_code == 503 and second.headers["retry-after"] == "5"
            assert second.json()["error"]["why"] == "busy"
            assert first.result().status_code == 200
        assert rig.calls() == {"only": 1}
