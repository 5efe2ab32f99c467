"""Answers that were written down: real ones (`errors.jsonl`, each with its source) and others of the same kinds.

`unseen.jsonl` holds other words, numbers, spellings and providers for the same documented facts. What is
expected of each was written before it was judged.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import NOW, at, unhurried
from tray_app.core.buckets import family_of
from tray_app.core.classify import classify
from tray_app.core.corpus import BadLine, Judged, judge_line, read_line
from tray_app.core.sse import EndWatch, Sign, Splitter, sign_of
from tray_app.core.values import Action, ErrorClass, Head, Protocol

HERE = Path(__file__).parent
LINES = (HERE / "errors.jsonl").read_bytes().splitlines()
OTHERS = (HERE / "unseen.jsonl").read_bytes().splitlines()
CASES: list[dict[str, Any]] = [json.loads(line) for line in LINES]
UNSEEN: list[dict[str, Any]] = [json.loads(line) for line in OTHERS]
STREAMS = [case for case in CASES + UNSEEN if case.get("phase") == "stream" and not case.get("exc")]
NOW_S = NOW / 1000


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=f"{case['id']}: {case['expected_class']}") for case in cases]


def judged(case: dict[str, Any]) -> Judged:
    return judge_line(read_line(json.dumps(case).encode()), NOW_S)


def allowed(case: dict[str, Any], expected: str) -> set[str]:
    return {expected, *case.get("also_ok", ())}


@pytest.mark.parametrize("case", named(CASES + UNSEEN))
def test_a_line_has_its_class(case: dict[str, Any]) -> None:
    assert judged(case).cls in allowed(case, case["expected_class"]), case.get("note")


@pytest.mark.parametrize("case", named(CASES + UNSEEN))
def test_a_line_has_its_scope(case: dict[str, Any]) -> None:
    assert judged(case).scope in {case["scope"], *case.get("also_scope", ())}


@pytest.mark.parametrize("case", named(CASES + UNSEEN))
def test_a_line_has_its_hint(case: dict[str, Any]) -> None:
    stated, found = case["retry_after_s"], judged(case).retry_after_s
    if stated is None or case.get("also_ok_retry_null"):  # core.quota infers these
        assert found is None
    else:
        assert found == pytest.approx(stated, abs=1 if stated >= 1 else 0.001)


RESETS = {"003-openrouter": 18_000, "018-openrouter": 28_800, "106-gemini": 50_400}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.get("also_ok_retry_null")], ids=lambda case: case["id"]
)
def test_a_window_that_only_the_calendar_ends_ends_with_it(case: dict[str, Any]) -> None:
    assert judged(case).resets_at == at(case["now"]) + RESETS[case["id"]] * 1000


@pytest.mark.parametrize("case", named(CASES + UNSEEN))
def test_only_the_keys_own_fault_condemns_the_key(case: dict[str, Any]) -> None:
    found = judged(case)
    if found.action == Action.REAUTH.value:
        assert case["expected_class"] == "auth"
    if case["expected_class"] in ("bad_request", "content_filter", "context_length"):
        assert found.action in (Action.RETURN.value, Action.NEXT.value)


def test_every_case_names_its_source() -> None:
    cases = CASES + UNSEEN
    assert all(case["source"] for case in cases)
    assert len({case["id"] for case in cases}) == len(cases)
    assert len(UNSEEN) >= 150


# -- streams, as the relay sees them


def protocol_of(case: dict[str, Any]) -> Protocol:
    if "responses" in case["provider"]:
        return Protocol.RESPONSES
    by_provider = {"anthropic": Protocol.MESSAGES, "ollama": Protocol.OLLAMA, "gemini": Protocol.GEMINI}
    return by_provider.get(case["provider"], Protocol.CHAT)


@pytest.mark.parametrize("case", named(STREAMS))
def test_a_stream_shows_its_error_and_its_end(case: dict[str, Any]) -> None:
    splitter, watch = Splitter(protocol_of(case)), EndWatch(protocol_of(case))
    events = splitter.feed(case["body"].encode()) + splitter.close()
    watch.passed(case["body"].encode())
    errors = [event for event in events if sign_of(event) is Sign.ERROR]
    now_s = datetime.fromisoformat(case["now"]).timestamp() if case.get("now") else NOW_S
    for event in errors:
        verdict = classify(case["provider"], Head(200, {}, event.data or b""), now_s)
        assert verdict.cls.value in allowed(case, case.get("inner_class", case["expected_class"]))
    if case["expected_class"] in ("ok", "content_filter"):
        assert not errors
        assert watch.whole
    elif not errors and case["expected_class"] != "server_error":
        assert not watch.whole
    if case.get("nothing_delivered"):
        assert Sign.CONTENT not in [sign_of(event) for event in events]


# -- what users wrote

POISON = (
    "429 rate limit exceeded, insufficient credits, invalid api key, prompt is too long, content filter, usage limit "
    "reached, daily limit, model x does not exist, the provider is overloaded, try again in 99s"
)
CODES = ("insufficient_quota", "invalid_api_key", "model_not_found", "content_filter", "overloaded_error", 402, 429)
poisons = st.sampled_from(
    [
        POISON,
        json.dumps({"error": {"code": "insufficient_quota", "message": POISON}}),
        [POISON, {"role": "user", "content": POISON}],
        *({"code": code, "type": code, "error": {"code": code, "message": POISON}} for code in CODES),
    ]
)
ECHOES = [
    "input",
    "failed_generation",
    "flagged_input",
    "prompt",
    "messages",
    "loc",
    "ctx",
    "param",
    "content",
    "failedGeneration",
    "query",
    "arguments",
    "instructions",
    "tools",
    "system",
    "user_text",
    "x_unknown",
    "received",
    "echo",
]
WITH_FIELDS = [case for case in CASES + UNSEEN if isinstance(case["body"], dict | list)]


def objects_in(value: object) -> list[dict[str, Any]]:
    """All objects within `value`, itself first."""
    if isinstance(value, list):
        return [found for item in value for found in objects_in(item)]
    if not isinstance(value, dict):
        return []
    return [value, *(found for item in value.values() for found in objects_in(item))]


def told(case: dict[str, Any]) -> tuple[str, str, str]:
    found = judged(case)
    return found.cls, found.scope, found.action


@unhurried
@given(st.sampled_from(WITH_FIELDS), st.dictionaries(st.sampled_from(ECHOES), poisons, min_size=1), st.integers(0, 99))
def test_what_users_wrote_changes_nothing_wherever_it_comes_back(
    case: dict[str, Any], echoed: dict[str, Any], place: int
) -> None:
    if "ok" in allowed(case, case["expected_class"]):
        return  # it holds no answer: with words in it, it does
    poisoned = json.loads(json.dumps(case))
    objects = objects_in(poisoned["body"]) or [poisoned]
    into = objects[place % len(objects)]
    # what a moderation has flagged stands where the provider is named, and is a sign of its own there
    signs = {"flagged_input"} if "provider_name" in into else set()
    into.update({name: value for name, value in echoed.items() if name not in into and name not in signs})
    assert told(poisoned) == told(case)


@pytest.mark.parametrize("place", [0, 1])
def test_what_was_flagged_is_a_moderations_sign_only_where_the_provider_is_named(place: int) -> None:
    case = next(case for case in UNSEEN if case["id"] == "u008-openrouter")
    echoing = json.loads(json.dumps(case))
    objects_in(echoing["body"])[place]["flagged_input"] = POISON
    assert told(echoing) == told(case)
    moderated = json.loads(json.dumps(case))
    objects_in(moderated["body"])[2]["flagged_input"] = POISON
    assert told(moderated)[0] == "content_filter"


@unhurried
@given(st.sampled_from(WITH_FIELDS), poisons)
def test_a_requests_own_metadata_changes_nothing(case: dict[str, Any], poison: object) -> None:
    if isinstance(case["body"], dict) and "metadata" not in case["body"]:
        assert told({**case, "body": {**case["body"], "metadata": poison}}) == told(case)


QUOTABLE = [
    case for case in WITH_FIELDS if isinstance(case["body"], dict) and isinstance(case["body"].get("error"), dict)
]


@unhurried
@given(st.sampled_from(QUOTABLE), st.sampled_from(['"{}"', "`{}`", "\u201c{}\u201d", "'{}'"]))
def test_what_a_message_quotes_changes_nothing(case: dict[str, Any], quotes: str) -> None:
    error = case["body"]["error"]
    message = error.get("message")
    if not isinstance(message, str) or message.startswith("{") or family_of(case["provider"]).name == "google":
        return  # Google quotes its own limits
    body = {**case["body"], "error": {**error, "message": f"{message} {quotes.format(POISON)}"}}
    assert told({**case, "body": body}) == told(case)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["expected_class"] == "ok"], ids=lambda case: case["id"]
)
def test_what_a_model_writes_changes_nothing(case: dict[str, Any]) -> None:
    if isinstance(case["body"], dict):
        body = json.loads(json.dumps(case["body"]))
        body["choices"][0]["message"]["content"] = POISON
        assert judged({**case, "body": body}).cls == "ok"
    else:
        assert judged({**case, "body": case["body"].replace("Hi", json.dumps(POISON)[1:-1])}).cls == "ok"


names = st.sampled_from(
    ["error", "message", "code", "type", "choices", "delta", "content", "usage", "response", "status"]
)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
documents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names | st.text(max_size=5), inner))


@pytest.mark.many_cases
@unhurried
@given(
    st.none() | st.integers(100, 999),
    documents,
    st.dictionaries(st.sampled_from(["Retry-After", "x-ratelimit-reset", "a"]), leaves | st.lists(leaves)),
    st.sampled_from([None, "stream", "head"]),
    st.sampled_from([None, "ReadTimeout", "x.y.ConnectError", ""]),
    st.sampled_from(["openrouter", "zai", "", None]),
    st.booleans() | st.none(),
)
def test_every_line_is_judged_or_refused(
    status: int | None, body: object, headers: object, phase: object, exc: object, provider: object, nothing: object
) -> None:
    line = {"status": status, "body": body, "headers": headers, "phase": phase, "exc": exc, "provider": provider}
    try:
        found = judge_line(read_line(json.dumps({**line, "nothing_delivered": nothing}).encode()), NOW_S)
    except BadLine as error:
        assert status is None or not str(error)
        return
    assert found.cls in set(ErrorClass)
    assert found.action in set(Action)
    assert found.reason


# -- one line


def test_a_line_out_has_these_fields_in_this_order() -> None:
    line = {
        "id": "a",
        "provider": "openai",
        "status": 429,
        "headers": {"RETRY-AFTER": 7},
        "body": None,
        "now": "2026-10-05T14:00:00Z",
    }
    out = msgspec.json.encode(judged(line))
    assert out == (
        b'{"id":"a","class":"rate_limited","scope":"account_model","retry_after_s":7.0,"resets_at":%d,'
        b'"action":"cool","reason":"the rate limit is reached"}' % at("2026-10-05T14:00:07")
    )


@pytest.mark.parametrize(
    ("line", "resets_at"),
    [
        pytest.param({"status": 429, "headers": {"retry-after": "2.5"}}, NOW + 2_500, id="a hint"),
        pytest.param({"status": 503, "headers": {"retry-after": "3"}}, NOW + 3_000, id="a hint of a failure"),
        pytest.param({"status": 429}, None, id="no hint of a limit"),
        pytest.param({"status": 402}, None, id="a quota without a calendar"),
        pytest.param({"status": 200, "body": {"choices": [{"message": {"content": "x"}}]}}, None, id="an answer"),
        pytest.param(
            {
                "status": 403,
                "body": {"error": {"message": "Key limit exceeded (daily limit)"}},
                "now": "2026-10-05T16:00:00Z",
            },
            at("2026-10-06T00:00:00"),
            id="the day that the words name",
        ),
        pytest.param(
            {"status": 403, "body": {"error": {"message": "Key limit exceeded (Total Limit). A daily one"}}},
            None,
            id="a total limit has no end",
        ),
        pytest.param(
            {
                "status": 429,
                "body": {"error": {"message": "Rate limit exceeded: free-models-per-day"}},
                "now": "2026-10-05T16:00:00Z",
            },
            at("2026-10-06T00:00:00"),
            id="the window that the rule names",
        ),
        pytest.param(
            {"status": 400, "body": {"error": {"message": "daily thoughts"}}}, None, id="words of days in another error"
        ),
    ],
)
def test_when_a_limit_ends(line: dict[str, Any], resets_at: int | None) -> None:
    assert judged({"provider": "openrouter", **line}).resets_at == resets_at


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        pytest.param("2026-10-05T14:00:00Z", 60, id="ISO"),
        pytest.param("2026-10-05T16:00:00+02:00", 60, id="ISO with an offset"),
        pytest.param("2026-10-05T14:00:00", 60, id="ISO without a zone"),
        pytest.param(1_791_208_800, 60, id="seconds"),
        pytest.param(1_791_208_800.5, 59.5, id="fractions of seconds"),
        pytest.param(1_791_208_800_000, 60, id="milliseconds"),
        pytest.param("1791208800", 60, id="seconds as a text"),
        pytest.param(None, 1_208_860, id="not said"),
        pytest.param(0, 32 * 86_400, id="the first moment"),
        pytest.param(100_000_000_000, 0, id="the last one"),
    ],
)
def test_the_time_of_receipt_may_be_spelled_in_many_ways(now: object, seconds: float) -> None:
    line = {"provider": "x", "status": 429, "headers": {"ratelimit-reset": "1791208860"}, "now": now}
    found = judged(line).retry_after_s
    assert (found or 0) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(b"nonsense", "JSON is malformed", id="no JSON"),
        pytest.param(b"[]", "Expected `object`, got `array`", id="no object"),
        pytest.param(b"{}", "it has neither a status nor the name of an exception", id="nothing in it"),
        pytest.param(
            b'{"body": "no Exception in here: 5"}', "it has neither a status nor", id="words that are no name"
        ),
        pytest.param(b'{"status": "often"}', "Expected `int | null`, got `str` - at `$.status`", id="no status"),
        pytest.param(b'{"status": 99}', "99 is no HTTP status", id="less than any status"),
        pytest.param(b'{"status": 1000}', "1000 is no HTTP status", id="more than any status"),
        pytest.param(b'{"status": 429, "headers": []}', "at `$.headers`", id="headers that are none"),
        pytest.param(b'{"status": 429, "now": "soon"}', "its time, 'soon', is none", id="no time"),
        pytest.param(
            b'{"status": 429, "now": "' + b"9" * 99 + b'"}', f"its time, '{'9' * 40}', is none", id="a far time"
        ),
        pytest.param(b'{"status": 429, "now": -1}', "its time, '-1.0', is none", id="a time before time"),
        pytest.param(b'{"status": 429, "now": "nan"}', "its time, 'nan', is none", id="no number"),
        pytest.param(b'{"status": 429, "body": "\\ud800 and more"}', "JSON is malformed", id="half a letter"),
        pytest.param(b'{"status": 429, "body": "\xff"}', "its body: ", id="a body that is no text"),
        pytest.param(b'{"status": 429, "x": ' + b"[" * 9999 + b"]" * 9999 + b"}", "", id="nesting without end"),
        pytest.param(b'{"status": 429, "provider": "\xff"}', "", id="no UTF-8"),
    ],
)
def test_a_line_that_is_no_answer_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(BadLine) as refused:
        judge_line(read_line(text), NOW_S)
    assert why in str(refused.value)
    assert str(refused.value)


@pytest.mark.parametrize("status", [100, 999, "429", 429.0])
def test_a_status_may_be_spelled_as_it_comes(status: object) -> None:
    assert judged({"status": status}).reason


@pytest.mark.parametrize(
    ("exc", "cls", "scope", "action", "reason"),
    [
        *[
            pytest.param(
                name, "network", "environment", "retry", "no connection to the provider could be made", id=name
            )
            for name in (
                "ConnectError",
                "ProxyError",
                "ClientConnectorError",
                "ClientConnectorDNSError",
                "ClientConnectorCertificateError",
                "ClientProxyConnectionError",
                "ConnectionRefusedError",
                "ConnectionError",
                "NewConnectionError",
                "NameResolutionError",
                "socket.gaierror",
                "SSLError",
                "UnsupportedProtocol",
                "InvalidURL",
            )
        ],
        *[
            pytest.param(name, "network", "none", "retry", "the connection to the provider broke", id=name)
            for name in (
                "ReadError",
                "WriteError",
                "httpx.RemoteProtocolError",
                "ServerDisconnectedError",
                "ClientOSError",
                "ClientPayloadError",
                "ClientResponseError",
                "ConnectionResetError",
                "ClientConnectionResetError",
                "APIConnectionError",
                "IncompleteRead",
                "SomethingElse",
            )
        ],
        *[
            pytest.param(name, "timeout", "none", "next", "the provider did not answer in time", id=name)
            for name in (
                "ReadTimeout",
                "WriteTimeout",
                "PoolTimeout",
                "TimeoutError",
                "SocketTimeoutError",
                "a.b.ReadTimeout",
            )
        ],
        *[
            pytest.param(name, "timeout", "environment", "next", "the provider did not answer in time", id=name)
            for name in ("ConnectTimeout", "ConnectionTimeoutError")
        ],
    ],
)
def test_an_exception_is_judged_by_its_type(exc: str, cls: str, scope: str, action: str, reason: str) -> None:
    found = judged(
        {"provider": "openai", "status": None, "exc": exc, "body": "400 rate limit exceeded, invalid api key"}
    )
    assert (found.cls, found.scope, found.action, found.reason) == (cls, scope, action, reason)
    assert (found.retry_after_s, found.resets_at) == (None, None)


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        pytest.param("httpx.ReadTimeout: ", "timeout", id="a name and nothing"),
        pytest.param("httpx.ReadTimeout", "timeout", id="a name alone"),
        pytest.param("ReadTimeout:", "timeout", id="a name and a colon"),
        pytest.param("aiohttp.client_exceptions.ClientPayloadError: 400, timeout", "network", id="a name and words"),
    ],
)
def test_the_type_may_stand_in_the_text_alone(body: str, cls: str) -> None:
    assert judged({"status": None, "body": body}).cls == cls


@pytest.mark.parametrize(
    ("line", "cls", "reason"),
    [
        pytest.param({"status": 200}, "network", "the connection to the provider broke", id="reading an answer"),
        pytest.param(
            {"status": 200, "phase": "stream"},
            "mid_stream_error",
            "the stream broke off after content: the connection to the provider broke",
            id="reading a stream",
        ),
        pytest.param(
            {"status": 399, "phase": "stream", "nothing_delivered": True},
            "network",
            "the connection to the provider broke",
            id="before anything came",
        ),
        pytest.param(
            {"status": 400, "body": ""},
            "bad_request",
            "the provider refuses the request with status 400",
            id="reading an error",
        ),
    ],
)
def test_an_exception_while_reading(line: dict[str, Any], cls: str, reason: str) -> None:
    found = judged({"provider": "openai", "exc": "ReadError", **line})
    assert (found.cls, found.reason) == (cls, reason)


ERROR = {"error": {"code": "rate_limit_exceeded", "message": "Try again in 7s"}}
CONTENT = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'


@pytest.mark.parametrize(
    ("line", "cls", "action", "seconds"),
    [
        pytest.param({"body": ERROR}, "mid_stream_error", "cool", 7, id="a lone event, as JSON"),
        pytest.param(
            {"body": ERROR, "nothing_delivered": True}, "rate_limited", "cool", 7, id="a lone event, the first"
        ),
        pytest.param({"body": f"data: {json.dumps(ERROR)}\n\n"}, "rate_limited", "cool", 7, id="the first event"),
        pytest.param({"body": f"data: {json.dumps(ERROR)}"}, "rate_limited", "cool", 7, id="an event without its end"),
        pytest.param(
            {"body": f"data: {json.dumps(ERROR)}\n\n", "nothing_delivered": False},
            "mid_stream_error",
            "cool",
            7,
            id="not the first",
        ),
        pytest.param(
            {"body": f"{CONTENT}data: {json.dumps(ERROR)}\n\n"}, "mid_stream_error", "cool", 7, id="after content"
        ),
        pytest.param({"body": CONTENT}, "mid_stream_error", "return", None, id="cut"),
        pytest.param({"body": f"{CONTENT}data: [DONE]\n\n"}, "ok", "serve", None, id="whole"),
        pytest.param({"body": "data: {half\n\n"}, "mid_stream_error", "return", None, id="words that cannot be read"),
        pytest.param({"body": ""}, "network", "retry", None, id="nothing at all"),
        pytest.param({"body": "data: [DONE]\n\n"}, "server_error", "retry", None, id="an end and nothing else"),
        pytest.param(
            {"body": 'data: {"error":{"code":401,"message":"bad key"}}\n\n'}, "auth", "reauth", None, id="a key"
        ),
        pytest.param(
            {"body": CONTENT + 'data: {"error":{"code":401,"message":"bad key"}}\n\n'},
            "mid_stream_error",
            "reauth",
            None,
            id="a key, after content",
        ),
        pytest.param(
            {"body": CONTENT + 'data: {"error":{"code":402,"message":"Insufficient credits"}}\n\n'},
            "mid_stream_error",
            "park",
            None,
            id="money, after content",
        ),
        pytest.param({"status": 429, "body": ERROR}, "rate_limited", "cool", 7, id="an error's own status"),
        pytest.param(
            {"body": CONTENT + 'data: {"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}\n\n'},
            "mid_stream_error",
            "return",
            None,
            id="starved after content",
        ),
        pytest.param(
            {"body": 'data: {"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}\n\n'},
            "overloaded",
            "retry",
            None,
            id="starved before content",
        ),
        pytest.param(
            {"body": CONTENT + 'data: {"choices":[{"delta":{},"finish_reason":"content_filter"}]}\n\ndata: [DONE]\n\n'},
            "content_filter",
            "return",
            None,
            id="filtered after content",
        ),
    ],
)
def test_a_stream(line: dict[str, Any], cls: str, action: str, seconds: float | None) -> None:
    found = judged({"provider": "openai", "status": 200, "phase": "stream", **line})
    assert (found.cls, found.action, found.retry_after_s) == (cls, action, seconds)


@pytest.mark.parametrize(
    ("line", "cls"),
    [
        pytest.param(
            {"body": 'data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}\n\n'},
            "network",
            id="Anthropic's needs its end",
        ),
        pytest.param(
            {"body": 'data: {"type":"content_block_delta","delta":{"text":"a"}}\n\ndata: {"type":"message_stop"}\n\n'},
            "ok",
            id="Anthropic's",
        ),
        pytest.param(
            {
                "body": 'data: {"type":"response.output_text.delta","delta":"a"}\n\ndata: {"type":"response.completed","response":{"status":"completed","output":[1]}}\n\n'
            },
            "ok",
            id="the Responses API's",
        ),
        pytest.param(
            {"body": 'data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}\n\n'},
            "ok",
            id="Google's",
        ),
        pytest.param({"body": '{"message":{"content":"a"},"done":true}\n'}, "ok", id="Ollama's"),
        pytest.param({"body": ' {"message":{"content":"a"},"done":false}\n'}, "mid_stream_error", id="Ollama's, cut"),
        pytest.param(
            {
                "body": 'data: {"type":"content_block_delta","delta":{"text":"a"}}\n\ndata: {"choices":[{"finish_reason":"stop"}]}\n\n'
            },
            "mid_stream_error",
            id="Anthropic's, with another's end",
        ),
        pytest.param(
            {
                "body": 'data: {"type":"content_block_delta","delta":{"text":"a"}}\n\ndata: {"choices":[{"finish_reason":"stop"}]}\n\n',
                "endpoint": "/api/v1/chat/completions",
            },
            "ok",
            id="the address tells better",
        ),
    ],
)
def test_a_streams_protocol_is_seen(line: dict[str, Any], cls: str) -> None:
    assert judged({"provider": "x", "status": 200, "phase": "stream", **line}).cls == cls


@pytest.mark.parametrize(
    ("provider", "body", "cls", "scope", "action"),
    [
        pytest.param(
            "openrouter", {"choices": []}, "server_error", "model_provider", "retry", id="nothing, by an aggregator"
        ),
        pytest.param("openai", {"choices": []}, "server_error", "none", "retry", id="nothing, by a provider"),
        pytest.param("openai", {"choices": [{"message": {"content": "a"}}]}, "ok", "none", "serve", id="something"),
        pytest.param(
            "openai",
            {"choices": [{"message": {"content": "a"}, "finish_reason": "content_filter"}]},
            "content_filter",
            "request",
            "return",
            id="filtered",
        ),
        pytest.param(
            "anthropic",
            {"type": "message", "content": [1], "stop_reason": "model_context_window_exceeded"},
            "context_length",
            "request",
            "return",
            id="as long as can be",
        ),
        pytest.param(
            "deepseek",
            {"choices": [{"message": {"content": "a"}, "finish_reason": "insufficient_system_resource"}]},
            "overloaded",
            "model",
            "retry",
            id="starved",
        ),
        pytest.param(
            "openai", "\ufeff" + '{"choices": []}', "ok", "none", "serve", id="what only an error's reader can read"
        ),
        pytest.param("openai", {"data": []}, "ok", "none", "serve", id="another kind of answer"),
        pytest.param("openai", [], "ok", "none", "serve", id="a list"),
    ],
)
def test_an_answer_that_only_looks_good(provider: str, body: object, cls: str, scope: str, action: str) -> None:
    found = judged({"provider": provider, "status": 200, "body": body})
    assert (found.cls, found.scope, found.action) == (cls, scope, action)
    assert judged({"provider": provider, "status": 201, "body": body}).cls == "ok"


@pytest.mark.parametrize(
    ("status", "endpoint", "scope", "action"),
    [
        pytest.param(403, "/api/v1/credits", "none", "return", id="credits"),
        pytest.param(403, "/user/balance", "none", "return", id="a balance"),
        pytest.param(403, "/api/v1/key?x=1", "none", "return", id="a key's own page"),
        pytest.param(403, "/v1/organization/costs/", "none", "return", id="costs"),
        pytest.param(403, "/v1/keyboards", "key", "reauth", id="an address that only begins so"),
        pytest.param(403, "/v1/chat/completions", "key", "reauth", id="a call"),
        pytest.param(403, None, "key", "reauth", id="nobody says where"),
        pytest.param(401, "/api/v1/credits", "key", "reauth", id="but a refused key is one"),
    ],
)
def test_what_a_key_may_not_ask_does_not_condemn_it(status: int, endpoint: str | None, scope: str, action: str) -> None:
    body = {"error": {"message": "Your key may not do this"}}
    found = judged({"provider": "openrouter", "status": status, "endpoint": endpoint, "body": body})
    assert (found.cls, found.scope, found.action) == ("auth", scope, action)


def test_headers_are_read_as_they_come() -> None:
    line = {"status": 429, "headers": {"Retry-After": ["5"], "X": None, "x-ratelimit-limit-a": 0}}
    assert judged(line).cls == "model_unavailable"
    assert judged({"status": 429, "headers": {"Retry-After": ["5"], "X": None}}).retry_after_s == 5
    assert judged({"status": 429, "headers": {"ratelimit-reset": ["5", "6"]}}).retry_after_s is None
    assert judged({"status": 429, "headers": None}).retry_after_s is None


def test_a_hint_is_written_to_the_microsecond() -> None:
    assert judged({"status": 429, "headers": {"retry-after": "1.23456789"}}).retry_after_s == 1.234568


@pytest.mark.parametrize(
    ("error", "resets_at"),
    [
        pytest.param(
            {"code": 403, "message": "Key limit exceeded (daily limit)"}, "2026-10-06T00:00:00", id="its words"
        ),
        pytest.param(
            {"code": 429, "message": "Rate limit exceeded: free-models-per-day"}, "2026-10-06T00:00:00", id="its rule"
        ),
        pytest.param(
            {"code": 429, "message": "x", "metadata": {"resets_at": "2026-10-05T14:00:30Z"}},
            "2026-10-05T14:00:30",
            id="its hint",
        ),
    ],
)
def test_a_limit_that_is_met_in_a_stream_ends_when_it_says(error: dict[str, Any], resets_at: str) -> None:
    line = {"provider": "openrouter", "status": 200, "phase": "stream", "now": "2026-10-05T14:00:00Z"}
    event = {"error": error}
    for body in (event, f"{CONTENT}data: {json.dumps(event)}\n\n", f"data: {json.dumps(event)}\n\n"):
        assert judged({**line, "body": body}).resets_at == at(resets_at)


@pytest.mark.parametrize(
    ("line", "cls", "reason"),
    [
        pytest.param({"phase": "stream", "body": ""}, "network", "the stream ended without its end", id="no stream"),
        pytest.param(
            {"phase": "stream", "body": CONTENT},
            "mid_stream_error",
            "the stream broke off after content: the stream ended without its end",
            id="a cut stream",
        ),
        pytest.param({"phase": "stream", "body": CONTENT + "data: [DONE]\n\n"}, "ok", "answered", id="a whole stream"),
        pytest.param(
            {"phase": "stream", "body": 'event: error\n\ndata: {"error": "x"}\n\n'},
            "server_error",
            "the provider failed without saying how",
            id="an event without data is none",
        ),
        pytest.param(
            {"phase": "stream", "body": ": ping\n\ndata: [DONE]\n\n"},
            "server_error",
            "the answer holds nothing",
            id="a stream of comments",
        ),
        pytest.param({"body": None}, "server_error", "the answer is empty or broken", id="no body"),
        pytest.param({"body": {"choices": []}}, "server_error", "the answer holds nothing", id="an empty answer"),
        pytest.param(
            {"status": 400, "phase": "stream", "body": {"error": "x"}},
            "bad_request",
            "the provider refuses the request with status 400",
            id="an error's status in a stream's dress",
        ),
    ],
)
def test_what_a_line_says_of_an_answer(line: dict[str, Any], cls: str, reason: str) -> None:
    found = judged({"provider": "openai", "status": 200, **line})
    assert (found.cls, found.reason) == (cls, reason)


def test_a_lone_event_is_judged_as_its_providers() -> None:
    event = {"error": {"code": "1302", "message": "x", "status": 429}}
    for body in (event, f"data: {json.dumps(event)}\n\n"):
        line = {"provider": "openai", "status": 200, "phase": "stream", "nothing_delivered": True, "body": body}
        assert judged(line).scope == "account_model"


def test_the_name_of_an_exception_is_looked_for_at_the_beginning() -> None:
    assert judged({"body": "a." * 94 + "ReadTimeout: "}).cls == "timeout"
    with pytest.raises(BadLine):
        judged({"body": "a." * 100 + "ReadTimeout: "})
    assert judged({"body": "ReadTimeout: \u00e9"}).cls == "timeout"
