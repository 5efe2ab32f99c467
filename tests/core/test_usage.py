"""Tokens out of an answer's first and last kilobytes: the providers' shapes, any cut, and no word of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core.usage import (
    HEAD,
    MOST_RAW,
    TAIL,
    Usage,
    asks_for_usage,
    is_usage_only,
    usage_of,
    with_usage_asked,
)
from tray_app.core.values import Protocol

Case = dict[str, Any]
CASES: list[Case] = [
    json.loads(line) for line in (Path(__file__).parent / "usage_cases.jsonl").read_text().splitlines()
]
NUMBERS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd")
NAMES = (b'"usage"', b'"usageMetadata"', b'"prompt_eval_count"', b'"eval_count"')


def named(cases: list[Case]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


def body_of(case: Case) -> bytes:
    """The answer as it came. `<PAD>` stands for what would be too long to keep."""
    pad = case.get("pad", {"text": "", "times": 0})
    return str(case["body"]).replace("<PAD>", pad["text"] * pad["times"]).encode()


def read(case: Case, head: bytes, tail: bytes) -> Usage | None:
    protocol, whole = Protocol(case["protocol"]), case.get("whole", True)
    return usage_of(case["provider"], protocol, head, tail, streamed=case["streamed"], whole=whole)


def ends(body: bytes) -> tuple[bytes, bytes]:
    return body[:HEAD], body[-TAIL:]


def numbers(usage: Usage | None) -> dict[str, Any] | None:
    return None if usage is None else {name: getattr(usage, name) for name in NUMBERS}


# -- what providers send


@pytest.mark.parametrize("case", named(CASES))
def test_what_a_provider_tells_is_read(case: Case) -> None:
    usage = read(case, *ends(body_of(case)))
    expected = case["expect"]
    if expected is not None and expected["cost_usd"] is not None:
        expected = {**expected, "cost_usd": pytest.approx(expected["cost_usd"], rel=1e-12)}
    assert numbers(usage) == expected
    if usage is not None:
        assert usage.raw is not None and isinstance(json.loads(usage.raw), dict)


def test_there_are_cases_enough_and_each_names_its_source() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES) >= 45
    assert all(case["source"] for case in CASES)
    assert {case["protocol"] for case in CASES} == set(Protocol)
    assert sum(len(body_of(case)) > HEAD + TAIL for case in CASES) >= 8


def test_what_was_told_is_kept_as_it_was_written() -> None:
    body = b'{"choices":[],"usage":{ "prompt_tokens":1,\n"completion_tokens":2 , "x":"\xff"}}'
    usage = usage_of("openai", Protocol.CHAT, body, body, streamed=False, whole=True)
    assert usage is not None
    assert usage.raw == '{ "prompt_tokens":1,\n"completion_tokens":2 , "x":"\ufffd"}'
    assert (usage.input_tokens, usage.output_tokens) == (1, 2)


def test_what_came_in_two_parts_is_kept_as_one() -> None:
    [case] = [case for case in CASES if case["id"] == "anthropic, stream of a web search"]
    usage = read(case, *ends(body_of(case)))
    assert usage is not None and usage.raw is not None
    assert json.loads(usage.raw) == {
        "input_tokens": 10682,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 510,
        "server_tool_use": {"web_search_requests": 1},
    }


def test_what_is_too_long_to_keep_is_not_kept_in_part() -> None:
    for size in (MOST_RAW, MOST_RAW + 1):
        spelled = f'{{"prompt_tokens":1,"x":"{"y" * (size - 26)}"}}'
        assert len(spelled) == size
        body = f'{{"usage":{spelled}}}'.encode()
        usage = usage_of("openai", Protocol.CHAT, body, body, streamed=False, whole=True)
        assert usage == Usage(1, None, None, None, None, None, spelled if size == MOST_RAW else None)


def test_of_many_objects_that_tell_nothing_not_all_are_tried() -> None:
    inner = '"usage":{"prompt_tokens":7}'
    for times, told in ((7, True), (8, False)):
        body = (
            f'{{"usage":{{"prompt_tokens":1}},"x":[{",".join([f"{{{inner}}}"] * times)}],"y":"{"z" * HEAD}"}}'.encode()
        )
        usage = usage_of("openai", Protocol.CHAT, b"", body, streamed=False, whole=True)
        assert (usage is not None) is told
        assert usage_of("openai", Protocol.CHAT, body[:HEAD], body, streamed=False, whole=True) is not None


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"id":"x","choices":[', id="none"),
        pytest.param(b'{"id":"x","usage":null,"choices":[', id="null"),
        pytest.param(b'{"id":"x","usage":{"prompt_tokens":1', id="cut off"),
        pytest.param(b'{"id":"x","usage":{"prompt_tokens":null},"choices":[', id="no count"),
        pytest.param(b'{"id":"x","choices":[{"usage":{"prompt_tokens":1}},{"b":{}},{"c":{}},{"d":{}},[', id="inside"),
        pytest.param(
            b'{"id":"x","choices":[{"usage":{"prompt_tokens":1}' + b",{}" * 9, id="inside, and far from an end"
        ),
        pytest.param(b'[{"usage":{"prompt_tokens":1},"choices":[', id="in a list"),
        pytest.param(b'["usage":{"prompt_tokens":1},"choices":[', id="in no object"),
    ],
)
def test_a_beginning_that_tells_nothing(head: bytes) -> None:
    assert usage_of("mistral", Protocol.CHAT, head, b'no end"}', streamed=False, whole=True) is None


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'data: {"type":"content_block_delta","delta":{"text":"message_start"}}\n\n', id="a word"),
        pytest.param(b'data: {"type":"message_start"}\n\n', id="no message"),
        pytest.param(b'data: {"type":"message_start","message":{"usage":null}}\n\n', id="null"),
        pytest.param(b'data: {"type":"message_start","message":{"usage":{}}}\n\n', id="empty"),
        pytest.param(
            b'data: {"type":"x","a":"message_start","message":{"usage":{"input_tokens":7}}}\n\n', id="another"
        ),
        pytest.param(b'data: {"type":"message_start","message":{"usage":{"input_tokens":7}', id="cut off"),
    ],
)
def test_an_anthropic_stream_whose_first_event_tells_nothing(first: bytes) -> None:
    last = b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":5}}\n\n'
    usage = usage_of("anthropic", Protocol.MESSAGES, first, last, streamed=True, whole=True)
    assert usage == Usage(None, 5, None, None, None, None, '{"output_tokens":5}')
    assert usage_of("anthropic", Protocol.MESSAGES, first, first, streamed=True, whole=True) is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_kind_of_line_end_does_not_matter(end: str) -> None:
    for name in ("anthropic, stream", "openai chat, stream that was asked", "gemini, stream"):
        [case] = [case for case in CASES if case["id"] == name]
        body = body_of(case).replace(b"\r\n", b"\n").replace(b"\n", end.encode())
        assert numbers(read(case, body, body)) == case["expect"]


def test_a_member_that_cannot_be_read_costs_only_itself() -> None:
    for spelled in (b'{"prompt_tokens":5,"completion_tokens":1e999}', b'{"prompt_tokens":5,"a":"\xff"}'):
        body = b'{"usage":' + spelled + b"}"
        usage = usage_of("openai", Protocol.CHAT, body, body, streamed=False, whole=True)
        assert usage is not None and (usage.input_tokens, usage.output_tokens) == (5, None)
    body = b'{"usage":{"prompt_tokens":5,"\xff":1}}'  # not even its names
    assert usage_of("openai", Protocol.CHAT, body, body, streamed=False, whole=True) is None


def test_what_is_no_count_is_as_if_it_was_not_there() -> None:
    details = b'{"cached_tokens":"many","cache_write_tokens":2}'
    body = b'{"usage":{"prompt_tokens":5,"completion_tokens":-1,"input_tokens_details":' + details + b"}}"
    usage = usage_of("openai", Protocol.CHAT, body, body, streamed=False, whole=True)
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (5, None)
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (None, 2)


def test_what_the_first_event_says_of_the_output_is_never_taken_for_it() -> None:
    first = b'data: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n'
    last = b'data: {"type":"message_delta","usage":{"cache_read_input_tokens":3}}\n\n'
    for body in (first, first + last):
        usage = usage_of("anthropic", Protocol.MESSAGES, body, body, streamed=True, whole=True)
        assert usage is not None and usage.output_tokens is None
        assert usage.input_tokens == (7 if body == first else 10)


# -- wherever it was cut


told = [case for case in CASES if case["expect"] is not None]


def is_streamed_document(case: Case) -> bool:
    return case["streamed"] and case["protocol"] != Protocol.OLLAMA and case["body"].lstrip()[:1] in ("{", "[")


def needs_its_head(case: Case) -> bool:
    return case["protocol"] == Protocol.MESSAGES or is_streamed_document(case)


@pytest.mark.parametrize(
    ("case", "size"),
    [pytest.param(case, HEAD, id=case["id"]) for case in told]
    + [pytest.param(case, 0, id=f"{case['id']}, alone") for case in told if not needs_its_head(case)],
)
def test_a_tail_that_was_cut_anywhere_tells_the_same_or_nothing(case: Case, size: int) -> None:
    body = body_of(case)
    head = body[:size]
    expected = numbers(read(case, head, body))
    assert expected is not None
    last = max(body.rfind(name) for name in NAMES)
    found = {at: numbers(read(case, head, body[at:])) for at in range(max(0, last - 900), min(len(body), last + 900))}
    enough = max((at for at, usage in found.items() if usage == expected), default=-1)
    assert all(usage == expected for at, usage in found.items() if at <= enough)
    # From the first byte of its name on it is understood; or else the beginning tells it.
    assert body.startswith(NAMES, enough) or enough == max(found)
    for at, usage in found.items():
        if usage is not None and case["protocol"] == Protocol.MESSAGES:
            assert usage["output_tokens"] in (None, expected["output_tokens"]), at  # input: as the first event had it
        elif usage is not None:
            assert all(usage[name] in (None, expected[name]) for name in NUMBERS), at


@pytest.mark.parametrize("case", named(told))
def test_a_head_that_was_cut_anywhere_tells_the_same_or_nothing(case: Case) -> None:
    body = body_of(case)
    tail = body[-TAIL:]
    expected = numbers(read(case, body, tail))
    assert expected is not None
    for at in range(1 if is_streamed_document(case) else 0, min(len(body), body.find(b'"usage"') + 400)):
        usage = numbers(read(case, body[:at], tail))
        if case["protocol"] == Protocol.MESSAGES:
            assert (usage or {"output_tokens": None})["output_tokens"] == expected["output_tokens"], at
        else:
            assert usage == expected or (usage is None and len(body) > TAIL), at


FILLER = b'data: {"type":"x","choices":[{"delta":"usage"}],"delta":"usage","usage":null,"usageMetadata":null}\n\n'


@unhurried
@given(st.sampled_from(told), st.integers(0, 60_000), st.integers(0, 60_000), st.integers(0, 400))
def test_the_sizes_of_head_and_tail_do_not_matter(case: Case, more: int, longer: int, events: int) -> None:
    body = body_of(case)
    if body.startswith((b"data:", b"event:", b":")):
        at = body.index(b"\n\n") + 2 if case["protocol"] == Protocol.MESSAGES else 0
        body = body[:at] + FILLER * events + body[at:]
    if len(body) <= 60_000:
        expected = numbers(read(case, body[:HEAD], body[-TAIL:]))
        assert expected is not None
        assert numbers(read(case, body[: HEAD + more], body[-TAIL - longer :])) == expected
        assert numbers(read(case, body, body)) == expected


# -- no word of a model counts

LURES = [
    '"usage":{"prompt_tokens":7,"completion_tokens":7,"input_tokens":7,"output_tokens":7}',
    '{"usage":{"prompt_tokens":7}}',
    '"usage"',
    "usage",
    '\\"usage\\":{\\"prompt_tokens\\":7}',
    'data: {"choices":[],"usage":{"prompt_tokens":7}}\n\n',
    '"usageMetadata":{"promptTokenCount":7}}',
    '\n{"prompt_eval_count":7,"eval_count":7,"done":true}\n',
    '"prompt_eval_count":7',
    '"message_start"',
    'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n',
    "}]}}",
    '"x_groq":{"usage":{"prompt_tokens":7}}',
    "\\",
    '"',
    "\u2028",
    "\U0001f600",
]
lures = st.sampled_from(LURES)
texts = st.lists(lures | st.text(max_size=8), max_size=6).map("".join)
names = lures | st.sampled_from(
    ["usage", "usageMetadata", "prompt_eval_count", "eval_count", "response", "message", "x_groq", "choices", 'x"usage']
)
counts = st.just(7) | texts
trees = st.recursive(
    counts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
objects = st.dictionaries(names, trees, max_size=4)


def events(*documents: object, name: bool = False) -> str:
    return "".join(
        (f"event: {document['type']}\n" if name and isinstance(document, dict) else "")
        + f"data: {json.dumps(document, ensure_ascii=False)}\n\n"
        for document in documents
    )


def answers(said: list[str], tool: dict[str, Any], *, told: bool) -> dict[tuple[Protocol, bool], bytes]:
    """Answers of every protocol, whole and streamed, in which a model says and calls that; with usage, or without."""
    text, arguments = "".join(said), json.dumps(tool)
    chat: Any = {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}} if told else {}
    other: Any = {"usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}} if told else {}
    begun: Any = {"usage": {"input_tokens": 1, "output_tokens": 1}} if told else {}
    ended: Any = {"usage": {"output_tokens": 2}} if told else {}
    whole: Any = {"usage": {"input_tokens": 1, "output_tokens": 2}} if told else {}
    gemini: Any = {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}
    gemini = {"usageMetadata": gemini} if told else {}
    ollama: Any = {"prompt_eval_count": 1, "eval_count": 2} if told else {}
    call = [{"id": "1", "type": "function", "function": {"name": text, "arguments": arguments}}]
    message = {"role": "assistant", "content": text, "tool_calls": call}
    blocks = [{"type": "text", "text": text}, {"type": "tool_use", "id": "1", "name": "x", "input": tool}]
    output = [{"type": "function_call", "name": text, "arguments": arguments}, {"content": [{"text": text}]}]
    parts = [{"text": text}, {"functionCall": {"name": "x", "args": tool}}]
    local = {"role": "assistant", "content": text, "tool_calls": [{"function": {"arguments": tool}}]}
    schema = {"tools": [{"type": "function", "parameters": tool}]}
    found = {
        (Protocol.CHAT, False): json.dumps({"choices": [{"message": message}], **chat, "service_tier": text}),
        (Protocol.CHAT, True): events(
            *({"choices": [{"delta": {"content": one}}], "usage": None} for one in said),
            {"choices": [{"delta": {"tool_calls": call}}], "usage": None},
            {"choices": [], **chat},
        )
        + "data: [DONE]\n\n",
        (Protocol.RESPONSES, False): json.dumps({"output": output, **schema, **other, "user": text}),
        (Protocol.RESPONSES, True): events(
            {"type": "response.created", "response": {"usage": None, **schema}},
            *({"type": "response.output_text.delta", "delta": one} for one in said),
            {"type": "response.output_item.done", "item": output[0]},
            {"type": "response.completed", "response": {"output": output, **other, **schema, "user": text}},
            name=True,
        ),
        (Protocol.MESSAGES, False): json.dumps({"content": blocks, **whole}),
        (Protocol.MESSAGES, True): events(
            {"type": "message_start", "message": {"content": [], **begun}},
            *({"type": "content_block_delta", "delta": {"text": one}} for one in said),
            {"type": "content_block_delta", "delta": {"partial_json": arguments}},
            {"type": "content_block_start", "content_block": blocks[1]},
            {"type": "message_delta", "delta": {"stop_reason": text}, **ended},
            {"type": "message_stop"},
            name=True,
        ),
        (Protocol.GEMINI, False): json.dumps(
            {"candidates": [{"content": {"parts": parts}}], **gemini, "modelVersion": text}, indent=1
        ),
        (Protocol.GEMINI, True): events(
            *({"candidates": [{"content": {"parts": [{"text": one}]}}]} for one in said),
            {"candidates": [{"content": {"parts": parts}}], **gemini},
        ),
        (Protocol.OLLAMA, False): json.dumps({"message": local, "done": True, **ollama}),
        (Protocol.OLLAMA, True): "".join(
            json.dumps(line) + "\n"
            for line in (
                *({"message": {"content": one}, "done": False} for one in said),
                {"message": local, "done": True, **ollama},
            )
        ),
        (Protocol.OTHER, False): json.dumps({"text": text, "words": [tool], **other}),
    }
    return {key: body.encode("utf-8", "replace") for key, body in found.items()}


@unhurried
@given(st.lists(texts, max_size=6), objects, st.integers(0, 300))
@example([LURES[0]], {"usage": {"prompt_tokens": 7}, "usageMetadata": {"promptTokenCount": 7}}, 0)
@example(['"message_start"'], {}, 0)
def test_what_a_model_says_and_calls_changes_no_number(said: list[str], tool: dict[str, Any], cut: int) -> None:
    for (protocol, streamed), body in answers(said, tool, told=True).items():
        for tail in (body, body[cut:]):
            usage = usage_of("custom", protocol, body, tail, streamed=streamed, whole=True)
            if usage is None or usage.output_tokens is None:
                assert tail is not body, (protocol, streamed)
                continue  # the end is not all there
            assert (usage.input_tokens or 1, usage.output_tokens) == (1, 2), (protocol, streamed)
            assert usage.input_tokens == 1 or (protocol is Protocol.OLLAMA and tail is not body)
            assert usage.cache_read_tokens is usage.reasoning_tokens is usage.cost_usd is None


@unhurried
@given(st.lists(texts, max_size=6), objects, st.floats(0, 1))
@example([], {"usageMetadata": {"promptTokenCount": 7}}, 0.9)
def test_what_a_model_says_is_no_usage_where_the_provider_tells_none(
    said: list[str], tool: dict[str, Any], share: float
) -> None:
    for (protocol, streamed), body in answers(said, tool, told=False).items():
        at = int(share * len(body))
        for whole in (True, False):
            assert usage_of("x", protocol, body, body, streamed=streamed, whole=whole) is None
            assert usage_of("x", protocol, body, body[at:], streamed=streamed, whole=whole) is None
        assert usage_of("x", protocol, body[:at], body[:at], streamed=streamed, whole=False) is None


# -- whatever comes

protocols = st.sampled_from(list(Protocol))
shreds = st.lists(
    st.sampled_from(
        [
            *NAMES,
            b":",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b'"',
            b"\\",
            b"1",
            b"-1",
            b"1.5",
            b"1e999",
            b"9" * 400,
            b"null",
            b"true",
            b" ",
            b"\n",
            b"\r\n",
            b"data: ",
            b'"usage":{"prompt_tokens":1}',
            b'"usageMetadata":{"promptTokenCount":1}',
            b'"message_start"',
            b'{"type":"message_start","message":{"usage":{"input_tokens":1}}}',
            b'"input_tokens":',
            b'"is_byok":true,"cost":1',
            b'"cost_in_usd_ticks":1',
            b"\xff",
            b"\xef\xbb\xbf",
            b"[" * 3000,
        ]
    )
    | st.binary(max_size=5),
    max_size=25,
).map(b"".join)


@unhurried
@given(
    st.sampled_from(["openai", "openrouter", "xai", "google", ""]),
    protocols,
    shreds,
    shreds,
    st.booleans(),
    st.booleans(),
)
def test_nothing_that_comes_is_an_error(
    provider: str, protocol: Protocol, head: bytes, tail: bytes, streamed: bool, whole: bool
) -> None:
    usage = usage_of(provider, protocol, head, tail, streamed=streamed, whole=whole)
    assert usage is None or any(getattr(usage, name) is not None for name in NUMBERS)


values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
)
fields = st.dictionaries(
    st.sampled_from(
        [
            *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cached_tokens"),
            *("prompt_tokens_details", "completion_tokens_details", "cache_read_input_tokens", "reasoning_tokens"),
            *("cache_creation_input_tokens", "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"),
            *("totalTokenCount", "cost", "is_byok", "cost_details", "cost_in_usd_ticks", "prompt_cache_hit_tokens"),
        ]
    ),
    values | st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens", "upstream_inference_cost"]), values),
)


@unhurried
@given(st.sampled_from(["openai", "openrouter", "xai", "google"]), protocols, fields)
def test_every_number_is_a_count_or_unknown(provider: str, protocol: Protocol, told: dict[str, Any]) -> None:
    name = "usageMetadata" if protocol is Protocol.GEMINI else "usage"
    body = json.dumps({name: told}).encode()
    usage = usage_of(provider, protocol, body, body, streamed=False, whole=True)
    if usage is not None:
        for one in NUMBERS[:-1]:
            number = getattr(usage, one)
            assert number is None or (type(number) is int and 0 <= number <= 3 * 10**12)
        assert usage.cost_usd is None or (isinstance(usage.cost_usd, float) and 0 <= usage.cost_usd <= 2e6)


# -- asking for it


@pytest.mark.parametrize(
    ("provider", "protocol", "asks"),
    [
        ("openai", Protocol.CHAT, True),
        ("openai", Protocol.RESPONSES, False),
        ("openai", Protocol.OTHER, False),
        ("xai", Protocol.CHAT, True),
        ("github-models", Protocol.CHAT, True),
        ("ollama", Protocol.CHAT, True),
        ("ollama", Protocol.OLLAMA, False),
        ("lmstudio", Protocol.CHAT, True),
        ("openrouter", Protocol.CHAT, False),
        ("groq", Protocol.CHAT, False),
        ("mistral", Protocol.CHAT, False),
        ("deepseek", Protocol.CHAT, False),
        ("anthropic", Protocol.MESSAGES, False),
        ("somebody", Protocol.CHAT, False),
    ],
)
def test_who_is_asked_for_usage(provider: str, protocol: Protocol, asks: bool) -> None:
    assert asks_for_usage(provider, protocol) is asks


ASKED = b'"stream_options":{"include_usage":true},'


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        pytest.param(b'{"stream":true}', b"{" + ASKED + b'"stream":true}', id="no options"),
        pytest.param(
            b' \n{ "stream" : true }\n', b" \n{" + ASKED + b' "stream" : true }\n', id="with every space kept"
        ),
        pytest.param(
            b'{"stream":true,"stream_options":null}',
            b'{"stream":true,"stream_options":{"include_usage":true}}',
            id="null",
        ),
        pytest.param(
            b'{"stream":true,"stream_options" :\t{ } }',
            b'{"stream":true,"stream_options" :\t{"include_usage":true } }',
            id="empty options",
        ),
        pytest.param(
            b'{"stream_options":{ "include_obfuscation": false},"stream":true}',
            b'{"stream_options":{"include_usage":true, "include_obfuscation": false},"stream":true}',
            id="other options",
        ),
        pytest.param(
            b'{"stream_options":{"include_usage" : false ,"a":1},"stream":true}',
            b'{"stream_options":{"include_usage" : true ,"a":1},"stream":true}',
            id="asked not to",
        ),
        pytest.param(
            b'{"stream_options":{"x":{"include_usage":false},"include_usage":null},"stream":true}',
            b'{"stream_options":{"x":{"include_usage":false},"include_usage":true},"stream":true}',
            id="not inside the options",
        ),
        pytest.param(
            b'{"a":{"stream_options":null},"stream_options":null,"stream":true}',
            b'{"a":{"stream_options":null},"stream_options":{"include_usage":true},"stream":true}',
            id="not inside",
        ),
        pytest.param(
            b'{"a":{"stream_options":{"include_usage":true}},"stream":true}',
            b"{" + ASKED + b'"a":{"stream_options":{"include_usage":true}},"stream":true}',
            id="an inner object that asks",
        ),
        pytest.param(
            rb'{"a":"\"stream_options\":null","stream_options":null,"stream":true}',
            rb'{"a":"\"stream_options\":null","stream_options":{"include_usage":true},"stream":true}',
            id="nor in a text",
        ),
        pytest.param(
            b'{"a":["stream_options",{"stream_options":{}}],"stream_options":null,"stream":true}',
            b'{"a":["stream_options",{"stream_options":{}}],"stream_options":{"include_usage":true},"stream":true}',
            id="another value elsewhere",
        ),
        pytest.param(
            '{"stream":true,"messages":["ä"]}'.encode(),
            b"{" + ASKED + '"stream":true,"messages":["ä"]}'.encode(),
            id="beyond ASCII",
        ),
    ],
)
def test_usage_is_asked_for_and_nothing_else_is_changed(body: bytes, changed: bytes) -> None:
    assert with_usage_asked(body) == changed
    assert with_usage_asked(changed) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[true]", id="no object"),
        pytest.param(b'{"stream":true', id="cut off"),
        pytest.param(b'{"a":\xff,"stream":true}', id="no JSON"),
        pytest.param(b'{"messages":[]}', id="no stream"),
        pytest.param(b'{"stream":false}', id="not streamed"),
        pytest.param(b'{"stream":"true"}', id="streamed in other words"),
        pytest.param(b'{"stream":true,"stream_options":{"include_usage":true}}', id="asked already"),
        pytest.param(
            b'{"stream":true,"stream_options":{"include_usage":true,"x":{"include_usage":false}}}',
            id="asked already, and not inside",
        ),
        pytest.param(b'{"stream":true,"stream_options":{"include_usage":"yes"}}', id="asked in other words"),
        pytest.param(b'{"stream":true,"stream_options":{"include_usage":0,"x":{"include_usage":false}}}', id="0"),
        pytest.param(b'{"stream":true,"stream_options":7}', id="options that are none"),
        pytest.param(rb'{"stream":true,"stream\u005foptions":null}', id="spelled with escapes"),
        pytest.param(rb'{"stream":true,"stream\u005foptions":null,"a":{"stream_options":null}}', id="and inside"),
        pytest.param(b'{"stream":true,"stream_options":{"a":1e999}}', id="a number beyond all bounds"),
        pytest.param(b'{"stream":true,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="as deep as a well"),
    ],
)
def test_what_asks_already_or_cannot_be_changed_stays(body: bytes) -> None:
    assert with_usage_asked(body) is None


words = st.sampled_from(["stream_options", '"stream_options":null', "include_usage", "a", "\\", 'x"'])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)
options = st.none() | st.dictionaries(st.sampled_from(["include_usage", "a"]), st.none() | st.booleans() | anything)


@unhurried
@given(st.dictionaries(words, anything, max_size=4), st.just(...) | options, st.sampled_from([None, 1]))
def test_any_body_differs_in_what_it_asks_alone(document: dict[str, Any], asked: Any, indent: int | None) -> None:
    document = {**document, "stream": True}
    if asked is not ...:
        document["stream_options"] = asked
    body = json.dumps(document, indent=indent).encode()
    changed = with_usage_asked(body)
    before = document.get("stream_options")
    before = {} if before is None else before
    included = before.get("include_usage") if isinstance(before, dict) else before
    if included is None or (included is False and isinstance(before, dict)):
        assert changed is not None
        assert json.loads(changed) == {**document, "stream_options": {**before, "include_usage": True}}
    else:
        assert changed is None


@pytest.mark.parametrize(
    ("data", "only"),
    [
        pytest.param(b'{"id":"1","choices":[],"usage":{"prompt_tokens":1}}', True, id="usage alone"),
        pytest.param(b'{"choices" : [ ], "usage" : {}}', True, id="with spaces"),
        pytest.param(b'{"choices":[],"usage":null,"prompt_filter_results":[]}', False, id="Azure's first"),
        pytest.param(b'{"choices":[],"usage":null,"error":null}', False, id="no usage yet"),
        pytest.param(b'{"choices":[{"delta":{"content":"usage"}}],"usage":null}', False, id="words"),
        pytest.param(b'{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}', False, id="usage beside a choice"),
        pytest.param(b'{"choices":[],"usage":{},"error":{"code":500}}', False, id="an error"),
        pytest.param(b'{"usage":{"prompt_tokens":1}}', False, id="no choices at all"),
        pytest.param(b'{"choices":null,"usage":{"prompt_tokens":1}}', False, id="choices that are null"),
        pytest.param(b'{"choices":[]}', False, id="neither"),
        pytest.param(b'{"choices":[],"usage"', False, id="cut off"),
        pytest.param(b'{"choices":7,"usage":{}}', False, id="choices that are none"),
        pytest.param(b"[DONE]", False, id="the end"),
    ],
)
def test_a_chunk_of_usage_alone_is_known(data: bytes, only: bool) -> None:
    assert is_usage_only(data) is only


@given(shreds)
def test_no_chunk_is_an_error(data: bytes) -> None:
    assert is_usage_only(data) in (True, False)
    changed = with_usage_asked(data)
    assert changed is None or changed != data
