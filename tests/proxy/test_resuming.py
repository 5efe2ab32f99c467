"""A stream that breaks off after text goes on with another attempt: its client sees one whole answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.proxy.speaking import Speaker, speaking
from tests.rig import CHAT, Rig, running, said, script_of
from tray_app.control import tracing
from tray_app.control.callers import connect
from tray_app.core.history import Trace
from tray_app.proxy import relay

BODY: dict[str, Any] = {
    "model": "openai/gpt-4o-mini",
    "stream": True,
    "max_tokens": 99,
}
ASKED = {"messages": [{"role": "user", "content": "q"}]}
PATHS = ["/openrouter/v1/chat/completions", "/openrouter/v1/messages", "/openrouter/v1/responses"]
ENDS = {PATHS[0]: "data: [DONE]", PATHS[1]: '"message_stop"', PATHS[2]: '"response.completed"'}
FAULTS = {
    "torn down": '{do="cut", after=4, how="rst"}',
    "closed": '{do="cut", after=4, how="fin"}',
    "cut within an event": '{do="cut", at=AT, how="rst"}',
    "ended in order, but half-way": '{do="no_terminator", finish=false}',
    "an error event": '{do="error_in_stream", code=502, after=3}',
    "silence": '{do="hang", when="mid_stream", after=3}',
}
ANSWER = "first answers: q 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"
SHAPE = f"[answer]\nchars = {len(ANSWER)}\nchunks = 12\n"
QUICK = "[timeouts]\nidle = 0.3\n"


def script(**keys: str) -> str:
    return script_of(**keys).replace("[[key]]", f"{SHAPE}[[key]]", 1)


def read(rig: Rig, path: str = CHAT, **more: Any) -> tuple[str, bool]:
    """The stream as far as it came, and whether the connection ended in order."""
    parts: list[bytes] = []
    try:
        body = BODY | ({"input": "q"} if path.endswith("/responses") else ASKED) | more
        with rig.client.stream("POST", path, json=body) as answer:
            assert answer.status_code == 200
            parts.extend(answer.iter_raw())
    except httpx.RemoteProtocolError:
        return b"".join(parts).decode(), False
    return b"".join(parts).decode(), True


def documents(stream: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_what_breaks_off_after_text_goes_on_with_another_profile(tmp_path: Path, fault: str, path: str) -> None:
    fault = fault.replace("AT", "2600" if path == PATHS[2] else "1300")  # after the openings
    with running(tmp_path, script(first=fault, second='{do="ok"}'), settings=QUICK) as rig:
        text, in_order = read(rig, path)
        assert in_order and "o_switcher" not in text
        assert said(text) == ANSWER
        assert text.count(ENDS[path]) == 1 and ENDS[path] in "".join(text.splitlines()[-3:])
        named = [
            one.get("id") or (one.get("response") or one.get("message") or {}).get("id") for one in documents(text)
        ]
        assert len({name for name in named if name}) == 1
        assert rig.calls() == {"first": 1, "second": 1}
        request = rig.rows("SELECT outcome, status_code, profile_id, attempts, failovers FROM request")
        assert request == [
            {
                "outcome": "served",
                "status_code": 200,
                "profile_id": "openrouter-second",
                "attempts": 2,
                "failovers": 1,
            }
        ]
        attempts = rig.rows("SELECT outcome FROM attempt ORDER BY seq")
        assert attempts == [{"outcome": "interrupted"}, {"outcome": "served"}]
        segments = rig.rows(
            "SELECT s.seq, s.chars, s.end, a.seq AS of FROM segment s JOIN attempt a ON a.id = s.attempt_id"
        )
        assert [one["end"] for one in segments] == ["interrupted", "served"]
        assert [one["of"] for one in segments] == [one["seq"] for one in segments] == [1, 2]
        assert sum(one["chars"] for one in segments) == len(ANSWER)
        sent = rig.rows("SELECT response_bytes FROM request")[0]["response_bytes"]
        assert sent == len(text.encode())
    lines = [line for line in rig.decisions() if line["event"] == "stream.segment"]
    assert [line["profile"] for line in lines] == ["openrouter-first", "openrouter-second"]


def test_two_breaks_are_gone_on_with_and_the_third_is_told(tmp_path: Path) -> None:
    cut = '{do="cut", after=4, how="rst"}'
    for name, third, whole in (("two", '{do="ok"}', True), ("three", cut, False)):
        home = tmp_path / name
        home.mkdir()
        with running(home, script(first=cut, second=cut, third=third), settings=QUICK) as rig:
            text, in_order = read(rig)
            assert in_order is whole
            assert ("o_switcher_interrupted" in text) is not whole
            assert said(text) == ANSWER if whole else ANSWER.startswith(said(text))
            assert rig.calls() == {"first": 1, "second": 1, "third": 1}
            outcome = "served" if whole else "interrupted"
            assert rig.rows("SELECT outcome FROM request") == [{"outcome": outcome}]
            ends = [row["end"] for row in rig.rows("SELECT end FROM segment ORDER BY seq")]
            assert ends == ["interrupted", "interrupted", outcome]


def test_a_lone_profile_goes_on_itself(tmp_path: Path) -> None:
    steps = '{times=1, do="cut", after=4, how="rst"}, {do="ok"}'
    with running(tmp_path, script(first=steps), settings=QUICK) as rig:
        text, in_order = read(rig)
        assert in_order and said(text) == ANSWER
        assert rig.calls() == {"first": 2}
        assert rig.rows("SELECT * FROM failover") == []


def test_where_nobody_can_go_on_the_client_is_told_so_by_the_protocols_error(tmp_path: Path) -> None:
    with running(tmp_path, script(first='{do="cut", after=4, how="rst"}', second='{do="no_credit"}')) as rig:
        text, in_order = read(rig)
        assert not in_order and "o_switcher_interrupted" in text
        assert ANSWER.startswith(said(text)) and said(text)
        row = rig.rows("SELECT outcome, status_code, attempts FROM request")
        assert row == [{"outcome": "interrupted", "status_code": 200, "attempts": 2}]
        assert rig.rows("SELECT * FROM segment") == []  # nothing was stitched
        phases = {view.id: view.state for view in rig.app.service.status().profiles}
        assert phases["openrouter-second"] == "cooling"


def test_a_limit_that_is_named_in_mid_stream_rests_the_profile(tmp_path: Path) -> None:
    with running(tmp_path, script(first='{do="error_in_stream", code=402, after=3}', second='{do="ok"}')) as rig:
        text, in_order = read(rig)
        assert in_order and said(text) == ANSWER
        assert rig.phase("openrouter-first") == "cooling"
        assert rig.chat().headers["x-o-switcher-attempts"] == "1"


def test_money_of_both_attempts_is_summed_and_told(tmp_path: Path) -> None:
    with running(tmp_path, script(first='{do="cut", after=4, how="rst"}', second='{do="ok"}')) as rig:
        text, _ = read(rig, PATHS[1])
        rows = rig.eventually("SELECT input_tokens, output_tokens, cost_usd FROM request WHERE input_tokens > 0")
        attempts = rig.rows("SELECT input_tokens, output_tokens, cost_usd FROM attempt ORDER BY seq")
        assert rows[0]["input_tokens"] == sum(one["input_tokens"] or 0 for one in attempts)
        told = next(one for one in reversed(documents(text)) if one.get("usage"))["usage"]
        assert told["output_tokens"] >= attempts[1]["output_tokens"]


def test_a_client_that_leaves_while_another_attempt_is_asked_ends_that_call(tmp_path: Path) -> None:
    steps = {"first": '{do="cut", after=4, how="rst"}', "second": '{do="hang", when="before_head"}'}
    with running(tmp_path, script(**steps)) as rig:
        with rig.client.stream("POST", CHAT, json=BODY | ASKED) as answer:
            parts = answer.iter_raw()
            next(parts)
            _until(lambda: rig.calls() == {"first": 1, "second": 1})
        rows = rig.eventually("SELECT outcome FROM request WHERE ended_at IS NOT NULL")
        assert rows == [{"outcome": "client_cancelled"}]
        ends = rig.rows("SELECT outcome FROM attempt ORDER BY seq")
        assert ends == [{"outcome": "interrupted"}, {"outcome": "client_cancelled"}]
        assert rig.phase("openrouter-second") == "ready"


def test_the_client_is_kept_alive_until_the_other_attempt_answers(tmp_path: Path) -> None:
    before, relay.BEAT_S = relay.BEAT_S, 0.1
    try:
        steps = {"first": '{do="cut", after=4, how="rst"}', "second": '{do="slow", delay_ms=450, chunk_delay_ms=0}'}
        with running(tmp_path, script(**steps)) as rig:
            text, in_order = read(rig)
            assert in_order and said(text) == ANSWER
            assert text.count(": O-Switcher waits for the provider") >= 3
    finally:
        relay.BEAT_S = before


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- streams that the simulator does not speak

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m-1"}


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: %b\n\n" % json.dumps(HEAD | {"choices": [choice]} | more).encode()


DONE = b"data: [DONE]\n\n"
TOOL = {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}]}


def chat_of(texts: list[str], *, whole: bool = True) -> list[bytes]:
    parts = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in texts)]
    return [*parts, chunk({}, "stop"), DONE] if whole else parts


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ([*chat_of(["Let me see. "], whole=False), chunk(TOOL)], "a tool call"),
        ([*chat_of(["Yes"], whole=False), chunk({"reasoning_content": "hm"})], "a thought"),
        ([chunk({"content": "x"}, index=1).replace(b'"index": 0', b'"index": 1')], "several answers"),
    ],
    ids=["a tool call", "a thought", "several answers"],
)
def test_what_is_more_than_text_is_not_gone_on_with(tmp_path: Path, first: list[bytes], why: str) -> None:
    with speaking(Speaker(first, cut=True), Speaker(chat_of(["no"]))) as (one, two):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url, "b": two.url}) as rig:
            text, in_order = read(rig)
            assert not in_order and "o_switcher_interrupted" in text, why
            assert (len(one.bodies), len(two.bodies)) == (1, 0)


def test_half_an_event_never_reaches_the_client(tmp_path: Path) -> None:
    half = chunk({"content": " there"})[:60]
    with speaking(Speaker([*chat_of(["Hello"], whole=False), half], cut=True), Speaker(chat_of([" there."]))) as (
        one,
        two,
    ):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url, "b": two.url}) as rig:
            text, in_order = read(rig)
            assert in_order and said(text) == "Hello there."
            asked = json.loads(two.bodies[0])
            assert asked["messages"][1] == {"role": "assistant", "content": "Hello"}
            assert b"accept-encoding" not in two.heads[0].lower()


def test_a_stream_whose_model_had_finished_only_gets_its_terminator(tmp_path: Path) -> None:
    finished = chat_of(["All."])[:-1]
    with speaking(Speaker(finished, cut=True), Speaker(chat_of(["no"]))) as (one, two):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url, "b": two.url}) as rig:
            text, in_order = read(rig)
            assert in_order and text.endswith("data: [DONE]\n\n") and said(text) == "All."
            assert two.bodies == []
            assert rig.rows("SELECT outcome FROM request") == [{"outcome": "served"}]


def test_an_answer_that_begins_anew_and_differently_is_no_continuation(tmp_path: Path) -> None:
    told = "The quick brown fox jumps over the lazy dog, and then it sleeps."
    anew = "The quick brown fox jumps over the lazy dog, but the cat stays awake for long."
    with speaking(Speaker(chat_of([told], whole=False), cut=True), Speaker(chat_of([anew]))) as (one, two):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url, "b": two.url}) as rig:
            text, in_order = read(rig)
            assert not in_order and said(text) == told and "differently" in text


def test_one_that_has_nothing_left_to_say_ends_the_stream(tmp_path: Path) -> None:
    with speaking(Speaker(chat_of(["All."], whole=False), cut=True), Speaker(chat_of([]))) as (one, two):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url, "b": two.url}) as rig:
            text, in_order = read(rig)
            assert in_order and said(text) == "All." and text.count("[DONE]") == 1


def test_an_answer_that_is_no_stream_cannot_go_on(tmp_path: Path) -> None:
    whole = json.dumps({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}).encode()
    plain = Speaker([whole], kind="application/json")
    with speaking(Speaker(chat_of(["Hello"], whole=False), cut=True), plain) as (one, two):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url, "b": two.url}) as rig:
            text, in_order = read(rig)
            assert not in_order and "o_switcher_interrupted" in text
            errors = rig.rows("SELECT error_class FROM attempt ORDER BY seq")
            assert [row["error_class"] for row in errors] == ["network", "server_error", "server_error"]
            assert len(two.bodies) == 2  # it may have been a fault of the moment: once more, and no more


def test_a_call_whose_answer_must_have_a_form_is_not_gone_on_with(tmp_path: Path) -> None:
    with speaking(Speaker(chat_of(['{"a":'], whole=False), cut=True), Speaker(chat_of(["1}"]))) as (one, two):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url, "b": two.url}) as rig:
            _, in_order = read(rig, response_format={"type": "json_object"})
            assert not in_order and two.bodies == []


def test_an_endless_event_passes_as_it_comes_and_its_stream_is_not_gone_on_with(tmp_path: Path) -> None:
    giant = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 300_000
    with speaking(Speaker([chunk({"content": "a"}), giant], cut=True), Speaker(chat_of(["b"]))) as (one, two):
        with running(tmp_path, script_of(x='{do="ok"}'), names=[], others={"a": one.url, "b": two.url}) as rig:
            text, in_order = read(rig)
            assert not in_order and text.count("x") > 200_000 and two.bodies == []


def test_inspect_shows_the_parts_of_the_stream(tmp_path: Path) -> None:
    with running(tmp_path, script(first='{do="cut", after=4, how="rst"}', second='{do="ok"}')) as rig:
        read(rig)
        request_id = rig.rows("SELECT id FROM request")[0]["id"]
        trace = connect(rig.home.running).ask("inspect", request_id=request_id)
    told = tracing.lines(msgspec.convert(trace, Trace), str)
    parts = [line for line in told if "part" in line]
    assert ["part 1 of the stream from openrouter-first" in parts[0], "then it was interrupted" in parts[0]] == [
        True
    ] * 2
    assert "part 2 of the stream from openrouter-second" in parts[1] and "interrupted" not in parts[1]
