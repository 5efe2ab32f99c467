"""What begins with a 200 and is no success: errors in bodies and streams, empty answers, missing ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tray_app.simulator.thread import SimulatorThread

Simulate = Callable[..., SimulatorThread]
Knock = Callable[..., httpx.Client]
Question = Callable[..., dict[str, Any]]


def data(text: str) -> list[Any]:
    """The data of each event; what is no JSON stays text."""
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def ask(simulator: SimulatorThread, knock: Knock, path: str, body: dict[str, Any]) -> httpx.Response:
    answer = knock(simulator).post(path, json=body)
    assert answer.status_code == 200
    return answer


def test_an_error_in_a_200_is_an_error_object(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{do="error_in_200", code=429, message="Provider returned error"}')
    body = ask(simulator, knock, "chat/completions", question()).json()
    assert (body["error"]["code"], body["error"]["message"]) == (429, "Provider returned error")
    assert body["error"]["metadata"]["error_type"] == "rate_limit_exceeded"


def test_a_partial_chat_answer_says_so_in_its_choice(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{do="error_in_200", partial=true, after=2}')
    (choice,) = ask(simulator, knock, "chat/completions", question()).json()["choices"]
    assert choice["finish_reason"] == "error"
    assert choice["error"]["code"] == 502
    assert choice["error"]["metadata"]["error_type"] == "provider_unavailable"
    content = choice["message"]["content"]
    assert content
    assert "one answers: hello".startswith(content)
    assert content != "one answers: hello"


def test_a_partial_response_is_a_failed_one(simulate: Simulate, knock: Knock, question: Question) -> None:
    body = ask(simulate('{do="error_in_200", partial=true}'), knock, "responses", question()).json()
    assert (body["status"], body["error"]["code"]) == ("failed", "server_error")
    assert body["error_type"] == "provider_unavailable"


def test_a_partial_message_is_an_error(simulate: Simulate, knock: Knock, question: Question) -> None:
    body = ask(simulate('{do="error_in_200", partial=true}'), knock, "messages", question()).json()
    assert (body["type"], body["error"]["type"]) == ("error", "api_error")


def test_the_first_chat_event_may_be_an_error(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = ask(simulate('{do="error_first"}'), knock, "chat/completions", question(stream=True))
    assert answer.text.startswith(": OPENROUTER PROCESSING\n\n")
    (only,) = data(answer.text)
    assert only["error"]["code"] == 502
    assert only["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]


def test_an_error_chunk_may_be_bare(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = ask(simulate('{do="error_first", bare=true}'), knock, "chat/completions", question(stream=True))
    (only,) = data(answer.text)
    assert set(only) == {"error", "user_id"}


def test_the_code_of_a_late_error_may_be_text(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = ask(simulate('{do="error_first", code="server_error"}'), knock, "chat/completions", question(stream=True))
    assert data(answer.text)[0]["error"]["code"] == "server_error"


def test_the_first_message_event_may_be_an_error(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = ask(simulate('{do="error_first", code=529}'), knock, "messages", question(stream=True))
    assert "event: error\n" in answer.text
    (only,) = data(answer.text)
    assert (only["type"], only["error"]["type"]) == ("error", "overloaded_error")


@pytest.mark.parametrize(("bare", "kind"), [("false", "response.failed"), ("true", "error")])
def test_the_first_response_event_may_be_an_error(
    simulate: Simulate, knock: Knock, question: Question, bare: str, kind: str
) -> None:
    answer = ask(simulate(f'{{do="error_first", bare={bare}}}'), knock, "responses", question(stream=True))
    (only,) = data(answer.text)
    assert only["type"] == kind


def test_unstreamed_an_error_first_is_an_error_in_a_200(simulate: Simulate, knock: Knock, question: Question) -> None:
    assert "error" in ask(simulate('{do="error_first"}'), knock, "chat/completions", question()).json()


def test_an_error_in_a_chat_stream_comes_after_its_chunks_and_ends_it(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    simulator = simulate('{do="error_in_stream", after=2, code=429, message="Rate limit exceeded"}')
    opening, *deltas, error = data(ask(simulator, knock, "chat/completions", question(stream=True)).text)
    assert len(deltas) == 2
    assert error["choices"][0]["finish_reason"] == "error"
    assert error["error"]["message"] == "Rate limit exceeded"
    assert error["id"] == opening["id"]


def test_done_may_follow_an_error_in_a_chat_stream(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = ask(simulate('{do="error_in_stream", done=true}'), knock, "chat/completions", question(stream=True))
    assert data(answer.text)[-1] == "[DONE]"


@pytest.mark.parametrize(("path", "last"), [("messages", "error"), ("responses", "response.failed")])
def test_an_error_in_another_stream_takes_that_protocols_shape(
    simulate: Simulate, knock: Knock, question: Question, path: str, last: str
) -> None:
    found = data(ask(simulate('{do="error_in_stream"}'), knock, path, question(stream=True)).text)
    assert found[-1]["type"] == last
    assert sum("delta" in event["type"] for event in found) == 3


def test_unstreamed_an_error_in_a_stream_is_a_partial_answer(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    body = ask(simulate('{do="error_in_stream"}'), knock, "chat/completions", question()).json()
    assert body["choices"][0]["finish_reason"] == "error"


@pytest.mark.parametrize(
    ("how", "stream", "text"),
    [
        ("", False, ""),
        ("", True, ""),
        (', how="no_body"', True, ""),
        (', how="only_done"', True, "data: [DONE]\n\n"),
    ],
)
def test_an_empty_answer_is_a_200_without_content(
    simulate: Simulate, knock: Knock, question: Question, how: str, stream: bool, text: str
) -> None:
    assert ask(simulate(f'{{do="empty"{how}}}'), knock, "chat/completions", question(stream=stream)).text == text


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_blank_answer_is_well_formed_and_says_nothing(
    simulate: Simulate, knock: Knock, question: Question, path: str, stream: bool
) -> None:
    answer = ask(simulate('{do="empty", how="blank"}'), knock, path, question(stream=stream))
    assert "output_text.delta" not in answer.text
    assert "content_block_delta" not in answer.text
    if path == "chat/completions" and not stream:
        (choice,) = answer.json()["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("", None)


@pytest.mark.parametrize(
    ("path", "end", "finish"),
    [
        ("chat/completions", "[DONE]", '"finish_reason":"stop"'),
        ("messages", "message_stop", "message_delta"),
        ("responses", "response.completed", "response.output_item.done"),
    ],
)
def test_a_stream_may_end_without_its_terminator_or_without_its_finish(
    simulate: Simulate, knock: Knock, question: Question, path: str, end: str, finish: str
) -> None:
    whole, cut, half = (
        ask(simulate(step), knock, path, question(stream=True)).text
        for step in ('{do="ok"}', '{do="no_terminator"}', '{do="no_terminator", finish=false}')
    )
    assert end in whole
    assert end not in cut
    assert finish in cut
    assert finish not in half
    assert whole.startswith(cut)
    assert cut.startswith(half)


def test_unstreamed_no_terminator_is_a_good_answer(simulate: Simulate, knock: Knock, question: Question) -> None:
    body = ask(simulate('{do="no_terminator"}'), knock, "chat/completions", question()).json()
    assert body["choices"][0]["finish_reason"] == "stop"


def test_a_page_of_html_may_come_with_status_200(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = ask(simulate('{do="garbage", how="html"}'), knock, "chat/completions", question(stream=True))
    assert answer.headers["content-type"].startswith("text/html")
    assert "<html>" in answer.text


def test_a_header_may_be_giant(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = ask(simulate('{do="giant_header", size=20000}'), knock, "chat/completions", question())
    assert len(answer.headers["x-giant"]) == 20_000
