"""A stream that broke off goes on with another attempt: its client sees one whole answer, and nothing twice.

The streams are those of `test_told`, from the documentation. The clients that read them are strict: events as the HTML
standard cuts them, every one valid JSON, and the accumulation that the official SDKs do (openai-python
`lib/streaming`, anthropic-sdk-python `lib/streaming/_messages.py`, google-genai, ollama-python).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tests.core.test_told import (
    MADE,
    MAKERS,
    PIECES,
    PLAIN,
    STYLES,
    TEXT,
    Document,
    Named,
    Style,
    chat,
    choice,
    dressed,
    gemini,
    item,
    messages,
    ollama,
    responses,
    rubbish,
    telling_of,
    typed,
)
from tray_app.core.continuing import ANEW, LOOK_BACK, Seam, Way, closing_events, continuation_of, way_of
from tray_app.core.sse import EndWatch, Splitter
from tray_app.core.told import Telling
from tray_app.core.values import Protocol

Maker = Callable[..., list[Named]]


# -- strict clients


def events_of(stream: bytes) -> Iterator[tuple[str, str]]:
    """The events that a browser would dispatch; bytes left over at the end are an error here."""
    name, data, rest = "", [], stream.decode()
    while rest:
        end = min((at for at in (rest.find("\n"), rest.find("\r")) if at >= 0), default=None)
        assert end is not None, f"half a line: {rest!r}"
        line, rest = rest[:end], rest[end + (2 if rest[end : end + 2] == "\r\n" else 1) :]
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        assert field in ("", "event", "data"), line
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field == "event":
            name = value.removeprefix(" ")
    assert not data, "an event without its end"


class Answer:
    """What a client makes of a stream."""

    def __init__(self) -> None:
        self.text = ""
        self.names: set[tuple[object, ...]] = set()
        self.ends = 0
        self.usage: Document = {}
        self.calls: list[Document] = []


def read_chat(stream: bytes) -> Answer:
    answer, finished = Answer(), 0
    for _, data in events_of(stream):
        assert answer.ends == 0, "something comes after the end"
        if data == "[DONE]":
            answer.ends += 1
            continue
        chunk = json.loads(data)
        assert chunk["object"] == "chat.completion.chunk"
        answer.names.add((chunk["id"], chunk["model"], chunk["created"]))
        for one in chunk["choices"]:
            assert one["index"] == 0
            assert not finished or not one["delta"].get("content"), "text after the finish"
            answer.text += one["delta"].get("content") or ""
            answer.calls += one["delta"].get("tool_calls") or []
            assert not set(one["delta"]) & {"reasoning", "reasoning_content", "reasoning_details"}
            finished += bool(one["finish_reason"])
        answer.usage = chunk.get("usage") or answer.usage
    assert finished == answer.ends
    return answer


def read_messages(stream: bytes) -> Answer:
    answer, blocks, opened = Answer(), [], None
    message: Document = {}
    for name, data in events_of(stream):
        event = json.loads(data)
        assert event["type"] == name
        assert answer.ends == 0, "something comes after the end"
        match name:
            case "message_start":
                assert not message
                message = event["message"]
                answer.names.add((message["id"], message["model"]))
                answer.usage = dict(message["usage"])
            case "content_block_start":
                assert message and opened is None and event["index"] == len(blocks)
                opened = event["index"]
                blocks.append(event["content_block"])
            case "content_block_delta":
                assert event["index"] == opened
                if event["delta"]["type"] == "text_delta":
                    blocks[opened]["text"] += event["delta"]["text"]
            case "content_block_stop":
                assert event["index"] == opened
                opened = None
            case "message_delta":
                assert opened is None and event["delta"]["stop_reason"]
                answer.usage |= event["usage"]
            case "message_stop":
                assert opened is None
                answer.ends += 1
            case _:
                assert name == "ping"
    answer.text = "".join(one["text"] for one in blocks if one["type"] == "text")
    answer.calls = [one for one in blocks if one["type"] == "tool_use"]
    assert not [one for one in blocks if "thinking" in one["type"]]
    return answer


def read_responses(stream: bytes) -> Answer:
    answer, items, number = Answer(), [], -1
    for name, data in events_of(stream):
        event = json.loads(data)
        assert event["type"] == name
        assert event["sequence_number"] == number + 1
        number = event["sequence_number"]
        assert answer.ends == 0, "something comes after the end"
        if "response" in event:
            answer.names.add(tuple(event["response"][one] for one in ("id", "created_at", "model")))
        if "output_index" not in event:
            if name in ("response.completed", "response.incomplete"):
                assert event["response"]["output"] == items
                answer.ends, answer.usage = 1, event["response"]["usage"]
            continue
        at = event["output_index"]
        if name == "response.output_item.added":
            assert at == len(items)
            assert all(one["status"] == "completed" for one in items)
            items.append(event["item"] | {"status": "in_progress", "content": []})
            continue
        one = items[at]
        assert one["status"] == "in_progress" and event.get("item_id", one["id"]) == one["id"]
        assert one["type"] != "message" or event.get("content_index", 0) == 0
        match name:
            case "response.content_part.added":
                one["content"].append(event["part"])
            case "response.output_text.delta":
                assert not one.get("said")
                one["content"][0]["text"] += event["delta"]
            case "response.output_text.done":
                assert event["text"] == one["content"][0]["text"]
                one["said"] = True
            case "response.content_part.done":
                assert one["said"] and event["part"]["text"] == one["content"][0]["text"]
            case "response.output_item.done":
                assert event["item"]["id"] == one["id"]
                assert event["item"].get("content", [{}])[0].get("text") == (one["content"] or [{}])[0].get("text")
                items[at] = event["item"]
    said = [part["text"] for one in items for part in one.get("content") or []]
    answer.text = "".join(said)
    answer.calls = [one for one in items if one["type"] == "function_call"]
    return answer


def read_gemini(stream: bytes) -> Answer:
    answer = Answer()
    for _, data in events_of(stream):
        chunk = json.loads(data)
        answer.names.add((chunk["responseId"], chunk["modelVersion"]))
        for one in chunk.get("candidates", []):
            assert one["index"] == 0
            for part in one.get("content", {}).get("parts", []):
                assert not part.get("thought")
                answer.text += part.get("text", "")
                answer.calls += [part["functionCall"]] if "functionCall" in part else []
            answer.ends += bool(one.get("finishReason"))
        answer.usage = chunk.get("usageMetadata") or answer.usage
    return answer


def read_ollama(stream: bytes) -> Answer:
    answer = Answer()
    assert stream.endswith(b"\n")
    for line in stream[:-1].split(b"\n"):
        chunk = json.loads(line)
        assert answer.ends == 0, "something comes after the end"
        answer.names.add((chunk["model"],))
        answer.text += chunk["message"].get("content") or ""
        answer.calls += chunk["message"].get("tool_calls") or []
        assert "thinking" not in chunk["message"]
        if chunk["done"]:
            answer.ends += 1
            answer.usage = {name: chunk[name] for name in chunk if name.endswith("_count")}
    return answer


READ = {
    Protocol.CHAT: read_chat,
    Protocol.MESSAGES: read_messages,
    Protocol.RESPONSES: read_responses,
    Protocol.GEMINI: read_gemini,
    Protocol.OLLAMA: read_ollama,
}


# -- attempts


def packets(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def gone_on(telling: Telling, protocol: Protocol, way: Way, second: bytes, cuts: list[int] | None = None) -> bytes:
    seam = Seam(telling, protocol, way)
    said = b"".join(map(seam.feed, packets(second, cuts or []))) + seam.close()
    assert seam.ended
    assert not seam.failed
    return said


def pieces_of(text: str, size: int = 7) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def whole_answer(
    protocol: Protocol,
    make: Maker,
    first: bytes,
    way: Way,
    anew: Callable[[str, str], str],
    style: Style,
    cuts: list[int] | None = None,
    sizes: int = 7,
) -> Answer:
    """What a client makes of a stream that broke off after `first` and was gone on with.

    `anew` says what the other attempt writes, from the text so far and the rest.
    """
    telling = telling_of(protocol, first)
    sent = first[: telling.whole]
    if telling.finished:
        return READ[protocol](sent + closing_events(telling, protocol))
    assert telling.continuable, telling.why_not
    text = anew(telling.text, TEXT[len(telling.text) :])
    second = b"".join(dressed(protocol, make(pieces_of(text, sizes), "two", (100, 50)), style))
    said = gone_on(telling, protocol, way, second, cuts)
    answer = READ[protocol](sent + said)
    assert answer.usage == summed(answer, protocol)
    return answer


SUMS = {
    Protocol.CHAT: {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    Protocol.MESSAGES: {"input_tokens": 110, "cache_read_input_tokens": 6, "output_tokens": 51},
    Protocol.RESPONSES: {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 50,
        "total_tokens": 150,
    },
    Protocol.OLLAMA: {"prompt_eval_count": 100, "eval_count": 50},
}


def summed(answer: Answer, protocol: Protocol) -> Document:
    """The counts of both attempts: of the first one, what its stream had shown when it broke off."""
    if protocol is Protocol.GEMINI:
        shown = answer.usage["candidatesTokenCount"] - 50
        assert 1 <= shown < len(PIECES)
        return {"promptTokenCount": 110, "candidatesTokenCount": 50 + shown, "totalTokenCount": 160 + shown}
    return SUMS[protocol] | ({"cost": 0.00012} if "cost" in answer.usage else {})


def exactly(told: str, rest: str) -> str:
    return rest


def check(answer: Answer) -> None:
    assert answer.text == TEXT
    assert len(answer.names) == 1
    assert answer.ends == 1
    assert not answer.calls


@pytest.mark.many_cases
@pytest.mark.parametrize("style", [pytest.param(style, id=name) for name, style in STYLES.items()])
@pytest.mark.parametrize(("protocol", "make"), MADE)
def test_wherever_a_stream_breaks_off_another_goes_on_with_it(protocol: Protocol, make: Maker, style: Style) -> None:
    blocks = dressed(protocol, make(PIECES), style)
    begin = next(at for at in range(len(blocks)) if telling_of(protocol, *blocks[: at + 1]).text)
    stream, known = b"".join(blocks), {}
    for cut in range(len(b"".join(blocks[: begin + 1])), len(stream) + 1, 1 if style is PLAIN else 11):
        telling = telling_of(protocol, stream[:cut])
        if telling.whole not in known:  # what was half an event is not sent, so it changes nothing
            known[telling.whole] = whole_answer(protocol, make, stream[:cut], Way.PREFILL, exactly, style)
            check(known[telling.whole])
    assert len(known) >= len(PIECES) - 1


ANSWERS: list[Any] = [
    pytest.param(Way.PREFILL, exactly, id="the rest, exactly"),
    pytest.param(Way.INSTRUCTION, lambda told, rest: told[-8:] + rest, id="8 characters again"),
    pytest.param(Way.INSTRUCTION, lambda told, rest: told[-25:] + rest, id="25 characters again"),
    pytest.param(Way.INSTRUCTION, lambda told, rest: told[-LOOK_BACK:] + rest, id="all that is looked at again"),
    pytest.param(Way.INSTRUCTION, lambda told, rest: "\n\n" + told[-20:] + rest, id="blanks, then 20 characters again"),
    pytest.param(Way.INSTRUCTION, lambda told, rest: told + rest, id="anew"),
    pytest.param(Way.INSTRUCTION, lambda told, rest: " \n" + told + rest, id="blanks, then anew"),
    pytest.param(Way.ECHOED, lambda told, rest: told + rest, id="the prefix, echoed"),
    pytest.param(Way.ECHOED, exactly, id="a prefix that is not echoed"),
    pytest.param(
        Way.TRIMMED,
        lambda told, rest: told[len(told.rstrip()) :] + rest,
        id="the blanks that were trimmed, and the rest",
    ),
]


@pytest.mark.many_cases
@pytest.mark.parametrize(("way", "anew"), ANSWERS)
@pytest.mark.parametrize(("protocol", "make"), MADE)
def test_what_the_other_attempt_repeats_is_said_once(
    protocol: Protocol, make: Maker, way: Way, anew: Callable[[str, str], str]
) -> None:
    blocks = dressed(protocol, make(PIECES))
    for count in range(1, len(blocks) + 1):
        first = b"".join(blocks[:count])
        if telling_of(protocol, first).text:
            check(whole_answer(protocol, make, first, way, anew, PLAIN))
            check(whole_answer(protocol, make, first, way, anew, PLAIN, sizes=1))


@unhurried
@given(
    st.sampled_from(list(MAKERS.values())),
    st.sampled_from([param.values for param in ANSWERS]),
    st.sampled_from(list(STYLES.values())),
    st.integers(1, 40),
    st.lists(st.integers(0, 5000), max_size=20),
    st.integers(0, 5000),
)
def test_packets_do_not_matter(
    maker: tuple[Protocol, Maker],
    answers: tuple[Way, Callable[[str, str], str]],
    style: Style,
    size: int,
    cuts: list[int],
    cut: int,
) -> None:
    protocol, make = maker
    blocks = dressed(protocol, make(PIECES), style)
    begin = next(at for at in range(len(blocks)) if telling_of(protocol, *blocks[: at + 1]).text)
    begin = len(b"".join(blocks[: begin + 1]))
    stream = b"".join(blocks)
    first = stream[: begin + cut % (len(stream) - begin + 1)]
    check(whole_answer(protocol, make, first, *answers, style, cuts, size))


@pytest.mark.parametrize(("protocol", "make"), MADE)
def test_a_continuation_that_breaks_off_is_gone_on_with_too(protocol: Protocol, make: Maker) -> None:
    blocks = dressed(protocol, make(PIECES))
    for first in range(1, len(blocks)):
        one = telling_of(protocol, *blocks[:first])
        if not one.continuable:
            continue
        rest = dressed(protocol, make(pieces_of(TEXT[len(one.text) :], 11), "two", (100, 50)))
        for second in range(len(rest)):
            seam = Seam(one, protocol, Way.PREFILL)
            sent = b"".join(blocks[:first])[: one.whole] + b"".join(map(seam.feed, rest[:second]))
            two = telling_of(protocol, sent)
            assert two.whole == len(sent)
            if not two.continuable:
                sent += closing_events(two, protocol)
                check(READ[protocol](sent))
                continue
            last = dressed(protocol, make(pieces_of(TEXT[len(two.text) :], 13), "three", (1000, 500)))
            seam = Seam(two, protocol, Way.PREFILL, seam.usage)
            answer = READ[protocol](sent + b"".join(map(seam.feed, last)))
            check(answer)
            if protocol is Protocol.MESSAGES:
                assert answer.usage["input_tokens"] == (1110 if second else 1010)


@pytest.mark.parametrize(("protocol", "make"), MADE)
def test_the_joined_stream_ends_as_the_relay_knows_ends(protocol: Protocol, make: Maker) -> None:
    blocks = dressed(protocol, make(PIECES))
    telling = telling_of(protocol, *blocks[:6])
    watch = EndWatch(protocol)
    watch.passed(gone_on(telling, protocol, Way.PREFILL, b"".join(dressed(protocol, make(["x"], "two")))))
    assert watch.whole and watch.final and not watch.failed


# -- what the other attempt does besides going on with the text


def opened(protocol: Protocol, make: Maker) -> tuple[bytes, Telling]:
    """A stream of that protocol that broke off after `The "quick" brown`, and what it told."""
    blocks = dressed(protocol, make(PIECES))
    for count in range(1, len(blocks)):
        if (telling := telling_of(protocol, *blocks[:count])).text == "".join(PIECES[:2]):
            return b"".join(blocks[:count]), telling
    raise AssertionError


def answered(protocol: Protocol, make: Maker, way: Way, *events: Named) -> Answer:
    first, telling = opened(protocol, make)
    return READ[protocol](first + gone_on(telling, protocol, way, b"".join(dressed(protocol, list(events)))))


CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALL_ITEM = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
THOUGHT = {"type": "thinking", "thinking": "", "signature": ""}


def numbered(*events: Named) -> list[Named]:
    return [
        (name, {"sequence_number": at, **fields})
        for at, (name, fields) in enumerate(events)
        if isinstance(fields, dict)
    ]


def messages_with(*middle: Named, pieces: list[str]) -> list[Named]:
    """The events of an answer in which others come between its text and its finish."""
    events = messages(pieces, "two", (100, 50))
    return [*events[:-2], *middle, *events[-2:]]


def responses_with(*middle: Named, pieces: list[str]) -> list[Named]:
    events = responses(pieces, "two", (100, 50))
    return numbered(*events[:-1], *middle, *events[-1:])


WITH_A_CALL = [
    pytest.param(
        Protocol.CHAT,
        chat,
        [*chat([" fox", " jum"], "two")[:3], choice(content=None, tool_calls=[CALL]), *chat([], "two")[1:]],
        id="chat",
    ),
    pytest.param(
        Protocol.CHAT,
        chat,
        [*chat([" fox"], "two")[:2], choice(content=" jum", tool_calls=[CALL]), *chat([], "two")[1:]],
        id="chat, in a chunk with text",
    ),
    pytest.param(
        Protocol.MESSAGES,
        messages,
        messages_with(
            typed("content_block_start", index=1, content_block=USE),
            typed("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": "{}"}),
            typed("content_block_stop", index=1),
            pieces=[" fox", " jum"],
        ),
        id="messages",
    ),
    pytest.param(
        Protocol.RESPONSES,
        responses,
        responses_with(
            typed("response.output_item.added", output_index=1, item=CALL_ITEM | {"arguments": ""}),
            typed("response.function_call_arguments.delta", output_index=1, item_id="fc_1", delta="{}"),
            typed("response.output_item.done", output_index=1, item=CALL_ITEM),
            pieces=[" fox", " jum"],
        ),
        id="responses",
    ),
    pytest.param(
        Protocol.GEMINI,
        gemini,
        [
            (
                "",
                {"candidates": [{"content": {"parts": [{"text": " fox"}]}, "index": 0}]}
                | {"responseId": "x", "modelVersion": "y"},
            ),
            (
                "",
                {
                    "candidates": [
                        {
                            "content": {"parts": [{"text": " jum"}, {"functionCall": {"name": "f"}}]},
                            "index": 0,
                            "finishReason": "STOP",
                        }
                    ],
                    "responseId": "x",
                    "modelVersion": "y",
                },
            ),
        ],
        id="Gemini",
    ),
    pytest.param(
        Protocol.OLLAMA,
        ollama,
        [
            *ollama([" fox", " jum"])[:2],
            ("", {"model": "m", "message": {"content": "", "tool_calls": [CALL]}, "done": False}),
            *ollama([])[-1:],
        ],
        id="Ollama",
    ),
]


@pytest.mark.parametrize("way", [Way.PREFILL, Way.INSTRUCTION])
@pytest.mark.parametrize(("protocol", "make", "events"), WITH_A_CALL)
def test_a_call_after_the_rest_of_the_text_is_passed_on(
    protocol: Protocol, make: Maker, events: list[Named], way: Way
) -> None:
    if protocol is Protocol.CHAT:
        events = [
            (name, fields | chat_names(fields)) if isinstance(fields, dict) else (name, fields)
            for name, fields in events
        ]
    answer = answered(protocol, make, way, *events)
    assert answer.text == 'The "quick" brown fox jum'
    assert len(answer.calls) == 1
    assert (len(answer.names), answer.ends) == (1, 1)


def chat_names(fields: Document) -> Document:
    return {"object": "chat.completion.chunk", "id": "x", "model": "y", "created": 0, **fields, **finish_of(fields)}


def finish_of(fields: Document) -> Document:
    return {"choices": [{"finish_reason": None} | one for one in fields["choices"]]}


WITH_A_CALL_ALONE = [
    pytest.param(
        Protocol.MESSAGES,
        messages,
        [
            *messages([], "two")[:1],
            typed("content_block_start", index=0, content_block=USE),
            typed("content_block_stop", index=0),
            *messages([], "two")[-2:],
        ],
        id="messages",
    ),
    pytest.param(
        Protocol.RESPONSES,
        responses,
        numbered(
            *responses([], "two")[:2],
            typed("response.output_item.added", output_index=0, item=CALL_ITEM),
            typed("response.output_item.done", output_index=0, item=CALL_ITEM),
            *responses([], "two")[-1:],
        ),
        id="responses",
    ),
]


@pytest.mark.parametrize("closed", [0, 1, 2, 3])
@pytest.mark.parametrize(("protocol", "make", "events"), WITH_A_CALL_ALONE)
def test_a_call_that_comes_at_once_closes_the_text(
    protocol: Protocol, make: Maker, events: list[Named], closed: int
) -> None:
    blocks = dressed(protocol, make(PIECES[:2]))
    until = [at for at in range(len(blocks)) if telling_of(protocol, *blocks[:at]).text == "".join(PIECES[:2])]
    first = blocks[: until[0] + closed]
    telling = telling_of(protocol, *first)
    if not telling.continuable:
        assert protocol is Protocol.MESSAGES and closed > 1
        return
    second = gone_on(telling, protocol, Way.INSTRUCTION, b"".join(dressed(protocol, events)))
    answer = READ[protocol](b"".join(first) + second)
    assert (answer.text, len(answer.calls), answer.ends) == ("".join(PIECES[:2]), 1, 1)


def test_more_text_after_the_text_was_closed_is_a_block_or_item_of_its_own() -> None:
    for protocol, make, closed in ((Protocol.MESSAGES, messages, 1), (Protocol.RESPONSES, responses, 3)):
        blocks = dressed(protocol, make(PIECES[:2]))
        for count in range(closed, 0, -1):
            first = blocks[: len(blocks) - (3 if protocol is Protocol.MESSAGES else 4) + count]
            telling = telling_of(protocol, *first)
            assert telling.closed == count
            for held in ([" fox jumps"], ["brown"], [" brown"]):  # the last are held back to the end
                rest = dressed(protocol, make(held, "two"))
                answer = READ[protocol](b"".join(first) + gone_on(telling, protocol, Way.INSTRUCTION, b"".join(rest)))
                assert answer.text == "".join(PIECES[:2]) + (" fox jumps" if len(held[0]) > 7 else "")


def test_a_word_that_was_held_back_is_said_before_the_end() -> None:
    """`quick` may be a repetition as long as nothing follows."""
    for protocol, make in MAKERS.values():
        _, telling = opened(protocol, make)
        rest = make([' "quick'], "two")
        for events in (rest, rest[:-1] if protocol is Protocol.CHAT else rest):
            answer = answered(protocol, make, Way.INSTRUCTION, *events, *([("", "[DONE]")] if events != rest else []))
            assert answer.text == 'The "quick" brown "quick'
        seam = Seam(telling, protocol, Way.INSTRUCTION)
        seam.feed(b"".join(dressed(protocol, rest)))
        assert (seam.chars, seam.overlap_dropped) == (7, 0)


def test_what_was_held_back_is_said_even_if_a_provider_forgets_to_finish() -> None:
    first, telling = opened(Protocol.CHAT, chat)
    rest = PLAIN([*chat([' "quick'], "two")[:2], ("", "[DONE]")])
    stream = first + gone_on(telling, Protocol.CHAT, Way.INSTRUCTION, b"".join(rest))
    assert b'{"content":" \\"quick"}' in stream
    assert stream.endswith(b"data: [DONE]\n\n")
    assert [len(json.loads(data)) for _, data in events_of(stream[:-14])][-1] == 5


def test_a_finish_without_a_text_of_its_own_lets_out_what_was_held_back() -> None:
    names = {"responseId": "x", "modelVersion": "y"}
    finish = ("", {"candidates": [{"index": 0, "finishReason": "STOP"}], **names})
    answer = answered(Protocol.GEMINI, gemini, Way.INSTRUCTION, *gemini([' "quick', ""])[:1], finish)
    assert (answer.text, len(answer.names), answer.ends) == ('The "quick" brown "quick', 1, 1)
    call = (
        "",
        {"candidates": [{"index": 0, "content": {"parts": [{"text": ' "quick'}, {"functionCall": {}}]}}], **names},
    )
    answer = answered(Protocol.GEMINI, gemini, Way.INSTRUCTION, call, finish)
    assert (answer.text, answer.calls, answer.ends) == ('The "quick" brown "quick', [{}], 1)
    finish = ("", {"model": "x", "created_at": "t", "message": {"role": "assistant"}, "done": True})
    answer = answered(Protocol.OLLAMA, ollama, Way.INSTRUCTION, *ollama([" fox"])[:1], finish)
    assert (answer.text, answer.ends) == ('The "quick" brown fox', 1)
    answer = answered(Protocol.OLLAMA, ollama, Way.INSTRUCTION, *ollama([' "quick'])[:1], finish)
    assert (answer.text, len(answer.names), answer.ends) == ('The "quick" brown "quick', 1, 1)


# -- thoughts


WITH_THOUGHTS = [
    pytest.param(Protocol.CHAT, chat, 1, [choice(reasoning="Hm"), choice(reasoning_content="Hm")], id="chat"),
    pytest.param(
        Protocol.MESSAGES,
        messages,
        1,
        [
            typed("content_block_start", index=7, content_block=THOUGHT),
            typed("content_block_delta", index=7, delta={"type": "thinking_delta", "thinking": "Hm"}),
            typed("content_block_delta", index=7, delta={"type": "signature_delta", "signature": "s"}),
            typed("content_block_stop", index=7),
            typed("content_block_start", index=8, content_block={"type": "redacted_thinking", "data": "d"}),
            typed("content_block_stop", index=8),
        ],
        id="messages",
    ),
    pytest.param(
        Protocol.RESPONSES,
        responses,
        2,
        [
            item("reasoning", summary=[]),
            typed("response.reasoning_summary_text.delta", output_index=1, delta="Hm"),
            item("reasoning", "done", encrypted_content="e"),
        ],
        id="responses",
    ),
    pytest.param(
        Protocol.GEMINI,
        gemini,
        0,
        [("", {"candidates": [{"content": {"parts": [{"text": "Hm", "thought": True}]}, "index": 0}]})],
        id="Gemini",
    ),
    pytest.param(
        Protocol.OLLAMA, ollama, 0, [("", {"message": {"content": "", "thinking": "Hm"}, "done": False})], id="Ollama"
    ),
]


@pytest.mark.parametrize(("protocol", "make", "at", "thoughts"), WITH_THOUGHTS)
def test_a_thought_of_the_other_attempt_is_a_comment(
    protocol: Protocol, make: Maker, at: int, thoughts: list[Named]
) -> None:
    first, telling = opened(protocol, make)
    events = make([" fox"], "two")
    second = b"".join(dressed(protocol, [*events[:at], *thoughts, *events[at:]]))
    if protocol is Protocol.RESPONSES:  # the thought is the first item, so the text comes in the second
        second = b"".join(
            PLAIN(
                [
                    *events[:at],
                    *thoughts,
                    *((n, {**f, "output_index": 2} if "output_index" in f else f) for n, f in events[at:]),
                ]
            )
        )
    said = gone_on(telling, protocol, Way.PREFILL, second)
    answer = READ[protocol](first + said)
    assert answer.text == 'The "quick" brown fox'
    assert b"Hm" not in said
    assert said.count(b": thinking\n\n") == (0 if protocol is Protocol.OLLAMA else len(thoughts))


def test_a_thought_beside_text_is_left_out_of_its_event() -> None:
    _, telling = opened(Protocol.CHAT, chat)
    both = ("", {"choices": [{"index": 0, "delta": {"content": " fox", "reasoning": "Hm"}, "finish_reason": None}]})
    seam = Seam(telling, Protocol.CHAT, Way.PREFILL)
    assert seam.feed(PLAIN([both])[0]) == (
        b'data: {"choices":[{"index":0,"delta":{"content":" fox"},"finish_reason":null}]}\n\n'
    )
    _, telling = opened(Protocol.OLLAMA, ollama)
    line = b'{"model": "m", "message": {"thinking": "Hm", "content": " fox"}, "done": false}\n'
    assert Seam(telling, Protocol.OLLAMA, Way.PREFILL).feed(line) == (
        b'{"model": "llama-one", "message": {"content": " fox"}, "done": false}\n'
    )


# -- errors, signs of life and rubbish


@pytest.mark.parametrize(
    ("protocol", "make", "error"),
    [
        pytest.param(Protocol.CHAT, chat, ("", {"error": {"code": 502}, "choices": []}), id="chat"),
        pytest.param(Protocol.CHAT, chat, ("error", "overloaded"), id="chat, in plain words"),
        pytest.param(Protocol.MESSAGES, messages, typed("error", error={}), id="messages"),
        pytest.param(Protocol.RESPONSES, responses, typed("response.failed", response={}), id="responses"),
        pytest.param(Protocol.GEMINI, gemini, ("", {"error": {"code": 500}}), id="Gemini"),
        pytest.param(Protocol.OLLAMA, ollama, ("", {"error": "no memory"}), id="Ollama"),
    ],
)
def test_an_error_of_the_other_attempt_is_kept_back(protocol: Protocol, make: Maker, error: Named) -> None:
    first, telling = opened(protocol, make)
    rest = make([" fox", " jumps", "."], "two")
    seam = Seam(telling, protocol, Way.PREFILL)
    said = seam.feed(b"".join(dressed(protocol, rest[:-4])))
    assert seam.feed(b"".join(dressed(protocol, [error]))) == b""
    assert seam.failed in b"".join(dressed(protocol, [error]))
    assert seam.failed and not seam.ended
    assert seam.feed(b"".join(dressed(protocol, rest[-4:]))) == b""
    assert telling_of(protocol, first + said).continuable


def test_signs_of_life_are_passed_on() -> None:
    for protocol, make, sign in (
        (Protocol.CHAT, chat, b": OPENROUTER PROCESSING\n\n"),
        (Protocol.CHAT, chat, b"data:\n\n"),
        (Protocol.MESSAGES, messages, b'event: ping\ndata: {"type": "ping"}\n\n'),
        (Protocol.RESPONSES, responses, b": keepalive\r\n\r\n"),
    ):
        seam = Seam(opened(protocol, make)[1], protocol, Way.PREFILL)
        assert seam.feed(sign) == sign


def test_an_event_without_a_place_gets_a_number() -> None:
    seam = Seam(opened(Protocol.RESPONSES, responses)[1], Protocol.RESPONSES, Way.PREFILL)
    alive = b'event: keepalive\ndata: {"type":"keepalive","sequence_number":3}\n\n'
    assert seam.feed(alive) == alive.replace(b"3", b"6")


def test_what_nobody_can_read_is_left_out() -> None:
    seam = Seam(opened(Protocol.CHAT, chat)[1], Protocol.CHAT, Way.PREFILL)
    assert seam.feed(b'data: {"choices":\n\ndata: [1]\n\ndata: ping\n\n') == b""
    assert not seam.failed


def test_done_ends_only_the_protocol_that_has_it() -> None:
    for protocol, make in ((Protocol.MESSAGES, messages), (Protocol.RESPONSES, responses)):
        first, telling = opened(protocol, make)
        seam = Seam(telling, protocol, Way.PREFILL)
        assert seam.feed(b"data: [DONE]\n\n") == b""
        said = seam.feed(b"".join(dressed(protocol, make([" fox"], "two"))) + b"data: [DONE]\n\n")
        assert READ[protocol](first + said).text == 'The "quick" brown fox'


def test_azures_opening_is_left_out() -> None:
    first, telling = opened(Protocol.CHAT, chat)
    seam = Seam(telling, Protocol.CHAT, Way.INSTRUCTION)
    assert seam.feed(PLAIN([("", {"choices": [], "prompt_filter_results": []})])[0]) == b""
    said = seam.feed(b"".join(PLAIN(chat(['"quick" brown fox'], "two"))))
    assert READ[Protocol.CHAT](first + said).text == 'The "quick" brown fox'


def test_a_last_event_without_its_end_is_made_whole() -> None:
    for protocol, make in ((Protocol.GEMINI, gemini), (Protocol.OLLAMA, ollama)):
        first, telling = opened(protocol, make)
        second = b"".join(dressed(protocol, make([" fox", " jumps"], "two"))).rstrip()
        seam = Seam(telling, protocol, Way.PREFILL)
        said = seam.feed(second)
        assert not seam.ended
        said += seam.close()
        assert seam.ended
        assert READ[protocol](first + said).text == 'The "quick" brown fox jumps'
        assert not said.endswith(b"\n\n") or protocol is Protocol.GEMINI
    assert Seam(telling, protocol, Way.PREFILL).close() == b""


@unhurried
@given(
    rubbish, st.sampled_from(list(MAKERS.values())), st.sampled_from(Way), st.lists(st.integers(0, 5000), max_size=9)
)
def test_a_seam_never_raises_and_never_lets_half_an_event_out(
    chunks: list[bytes], maker: tuple[Protocol, Maker], way: Way, cuts: list[int]
) -> None:
    protocol, make = maker
    telling = opened(protocol, make)[1]
    seam = Seam(telling, protocol, way)
    second = b"".join(chunks[:4] + dressed(protocol, make([" fox"], "two"))[:3] + chunks[4:])
    for packet in packets(second, cuts):
        said = seam.feed(packet)
        splitter = Splitter(protocol)
        splitter.feed(said)
        assert splitter.close() == []
    seam.close()
    assert seam.usage or not telling.usage


# -- what is repeated


TOLD = "".join(PIECES[:2])


def joined(told: str, way: Way, *texts: str) -> tuple[str, Seam]:
    """The text that a client gets of a chat that had told `told`, and the seam."""
    first = b"".join(PLAIN(chat([told])[:2]))
    seam = Seam(telling_of(Protocol.CHAT, first), Protocol.CHAT, way)
    said = b"".join(map(seam.feed, PLAIN(chat(list(texts), "two"))))
    return read_chat(first + said).text, seam


LONG = "It was the best of times, it was the worst of times, it was the age of wisdom"

JOINTS = [
    # exact ways: nothing but the whole is a repetition
    pytest.param("hel", Way.PREFILL, ["lo"], "hello", id="a letter twice is a word"),
    pytest.param("ha", Way.PREFIX, ["ha"], "haha", id="a short text may come twice"),
    pytest.param("ha", Way.ECHOED, ["haha"], "haha", id="unless it is echoed"),
    pytest.param("ha", Way.ECHOED, ["h", "a", "ha"], "haha", id="however it comes"),
    pytest.param("no, no, no", Way.PARTIAL, [", no"], "no, no, no, no", id="nor is a part one"),
    pytest.param("a brown fox", Way.PREFILL, ["brown fox"], "a brown foxbrown fox", id="even a long one"),
    pytest.param("a brown fox", Way.PREFILL, ["a brown fox jumps"], "a brown fox jumps", id="the whole is"),
    pytest.param("x = [\n", Way.PREFILL, ["\n  1"], "x = [\n\n  1", id="blanks are the model's own"),
    # blanks that were trimmed
    pytest.param("a ", Way.TRIMMED, [" b"], "a b", id="a blank that was trimmed comes again"),
    pytest.param("a ", Way.TRIMMED, ["b"], "a b", id="or does not"),
    pytest.param("a\n\n", Way.TRIMMED, ["\n", "\n", "b"], "a\n\nb", id="line by line"),
    pytest.param("a\n", Way.TRIMMED, ["\n\nb"], "a\n\nb", id="with one more"),
    pytest.param("a", Way.TRIMMED, ["\n\nb"], "a\n\nb", id="and where none were trimmed all are new"),
    pytest.param("a\n", Way.TRIMMED, ["\n"], "a\n", id="to the very end"),
    # after an instruction anything may be one
    pytest.param("The quick bro", Way.INSTRUCTION, ["brown fox"], "The quick brown fox", id="the word that was cut"),
    pytest.param("The quick bro", Way.INSTRUCTION, ["wn fox"], "The quick brown fox", id="or its rest"),
    pytest.param("The quick", Way.INSTRUCTION, [" brown"], "The quick brown", id="a word with its blank"),
    pytest.param("a can", Way.INSTRUCTION, ["can"], "a can", id="a word of three letters"),
    pytest.param("it is", Way.INSTRUCTION, ["is"], "it isis", id="not one of two"),
    pytest.param("0.125", Way.INSTRUCTION, ["125"], "0.125125", id="nor digits"),
    pytest.param("wonder", Way.INSTRUCTION, ["dery"], "wonderdery", id="nor the end of a word"),
    pytest.param("many wonders", Way.INSTRUCTION, ["y wonders are"], "many wonders are", id="unless it is long"),
    pytest.param("-" * 20, Way.INSTRUCTION, ["-" * 10], "-" * 30, id="nor ornament"),
    pytest.param("go on\n\n", Way.INSTRUCTION, ["\n\nwith"], "go on\n\nwith", id="nor blanks that were there"),
    pytest.param("The quick bro", Way.INSTRUCTION, ["\n", "\nbrown fox"], "The quick brown fox", id="after blanks"),
    pytest.param(LONG, Way.INSTRUCTION, [LONG[-30:] + ", it"], LONG + ", it", id="the longest counts"),
    pytest.param("x" * 500 + LONG, Way.INSTRUCTION, [LONG, "!"], "x" * 500 + LONG + "!", id="far from the beginning"),
    # anew
    pytest.param(LONG, Way.PREFILL, [LONG, "."], LONG + ".", id="all of it again"),
    pytest.param(LONG, Way.PREFILL, ["  ", LONG + "."], LONG + ".", id="all of it again after blanks"),
    pytest.param(LONG, Way.PREFILL, [LONG[:50]], LONG, id="a beginning that ends too early"),
    pytest.param(LONG, Way.PREFILL, [LONG[:10]], LONG + LONG[:10], id="a beginning that is too short to tell"),
    pytest.param(LONG, Way.PREFILL, [LONG[:ANEW], "!"], LONG + "!", id="a beginning that goes another way"),
    pytest.param(LONG, Way.PREFILL, [LONG[: ANEW - 1], "!"], LONG + LONG[: ANEW - 1] + "!", id="too soon to be one"),
    pytest.param("a", Way.PREFILL, [" " * 500, "b"], "a" + " " * 500 + "b", id="blanks without end are let through"),
    # nothing but blanks: the question was asked anew
    pytest.param("\n\n", Way.PREFILL, ["\n\nHello"], "\n\nHello", id="the same blanks"),
    pytest.param("\n\n", Way.PREFILL, ["Hello"], "\n\nHello", id="no blanks"),
]


@pytest.mark.parametrize(("told", "way", "texts", "whole"), JOINTS)
def test_what_is_a_repetition(told: str, way: Way, texts: list[str], whole: str) -> None:
    text, seam = joined(told, way, *texts)
    assert text == whole
    assert seam.chars == len(whole) - len(told)
    assert seam.overlap_dropped == len("".join(texts)) - seam.chars
    assert joined(told, way, *"".join(texts))[0] == whole


def test_an_answer_that_goes_another_way_is_known() -> None:
    assert joined(LONG, Way.INSTRUCTION, LONG[:60] + "?")[1].diverged
    assert not joined(LONG, Way.INSTRUCTION, LONG + "?")[1].diverged
    assert not joined(LONG, Way.INSTRUCTION, LONG[:60])[1].diverged
    assert not joined(LONG, Way.INSTRUCTION, ", it was")[1].diverged


def test_characters_in_halves_are_joined_and_compared_as_whole_ones() -> None:
    halves = [r"The \ud83e", r"\udd8a runs", r" home \ud83c", r"\udfe0"]
    chunks = [b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % half.encode() for half in halves]
    first = PLAIN(chat(["The 🦊 runs"])[:2])
    for way in (Way.ECHOED, Way.INSTRUCTION):
        seam = Seam(telling_of(Protocol.CHAT, *first), Protocol.CHAT, way)
        said = b"".join(map(seam.feed, chunks))
        assert telling_of(Protocol.CHAT, *first, said).text == "The 🦊 runs home 🏠"
        assert telling_of(Protocol.CHAT, *first, said).continuable


def test_a_text_in_halves_is_whole_where_it_is_repeated() -> None:
    _, telling = opened(Protocol.RESPONSES, responses)
    events = dressed(Protocol.RESPONSES, responses(["A", "B"], "two"))
    events[4] = events[4].replace(b'"delta":"A"', rb'"delta":" \ud83c"')
    events[5] = events[5].replace(b'"delta":"B"', rb'"delta":"\udfe0"')
    said = gone_on(telling, Protocol.RESPONSES, Way.PREFILL, b"".join(events))
    assert said.count('"text":"The \\"quick\\" brown 🏠"'.encode()) == 4


# -- every other byte


def test_what_needs_no_change_is_not_changed() -> None:
    first = b'data: {"id": "a", "model":"m" , "created":1, "choices":[{"index":0,"delta":{"content":"A"}}]}\n\n'
    seam = Seam(telling_of(Protocol.CHAT, first), Protocol.CHAT, Way.PREFILL)
    chunk = (
        rb'{ "id" : "b" ,"choices":[ {"index":0, "delta": {"content" : "\u00e4 \ud83e\udd8a\/"},'
        rb' "logprobs": null}],"x":1.500, "big": 12345678901234567890123, "created":2 , "model":"n", "e": 1E400}'
    )
    for start, end in ((b"data: ", b"\n"), (b"data:", b"\r\n")):
        block = b"event: chunk" + end + start + chunk + end + b"id: 5" + end + end
        wanted = block.replace(b'"b"', b'"a"').replace(b'"n"', b'"m"').replace(b'"created":2', b'"created":1')
        assert seam.feed(block) == wanted


@unhurried
@given(st.data())
def test_any_chunk_differs_in_its_names_alone(data: st.DataObject) -> None:
    inner = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda more: st.lists(more, max_size=3) | st.dictionaries(st.text(max_size=3), more, max_size=3),
        max_leaves=6,
    )
    extra = data.draw(
        st.dictionaries(
            st.text(min_size=3, max_size=6).filter(
                lambda name: name not in ("usage", "error", "type", "object", "model", "choices", "created")
            ),
            inner,
            max_size=4,
        )
    )
    indent = data.draw(st.sampled_from([None, 1]))
    chunk = {**extra, "id": "b", "model": "n", "choices": [{"index": 0, "delta": {"content": " fox"}, **extra}]}
    chunk["choices"][0].pop("finish_reason", None)
    lines = json.dumps(chunk, indent=indent).split("\n")
    seam = Seam(opened(Protocol.CHAT, chat)[1], Protocol.CHAT, Way.PREFILL)
    (_, said), *more = events_of(seam.feed("".join(f"data: {line}\n" for line in lines).encode() + b"\n"))
    assert not more
    assert json.loads(said) == chunk | {"id": "chatcmpl-one", "model": "gpt-4o-one"}
    assert (
        said
        == json.dumps(chunk, indent=indent)
        .replace('"id": "b"', '"id": "chatcmpl-one"')
        .replace('"model": "n"', '"model": "gpt-4o-one"')
        or '"b"' in json.dumps(extra)
        or '"n"' in json.dumps(extra)
    )


# -- counts


def usage_after(protocol: Protocol, make: Maker, before: bytes, *events: Named) -> Document:
    seam = Seam(opened(protocol, make)[1], protocol, Way.PREFILL, before)
    seam.feed(b"".join(dressed(protocol, list(events))))
    usage: Document = json.loads(seam.usage)
    return usage


def test_counts_are_summed_in_depth_and_exactly() -> None:
    before = (
        b'{"prompt_tokens": 1, "cost": 0.00000000000000000012, "is_byok": true, "none": 3, "other": null,'
        b' "details": {"cached": 2, "deep": {"n": 1}}, "only": {"here": 1}, "big": 90071992547409931, "tier": "x"}'
    )
    usage = {
        "prompt_tokens": 10,
        "cost": 0.1,
        "is_byok": False,
        "none": None,
        "other": 4,
        "details": {"cached": 5, "deep": {"n": 2}, "new": 1},
        "big": 2,
    }
    chunk = ("", {"choices": [], "usage": usage})
    seam = Seam(opened(Protocol.CHAT, chat)[1], Protocol.CHAT, Way.PREFILL, before)
    said = seam.feed(PLAIN([chunk])[0])
    assert seam.usage in said
    assert json.loads(seam.usage) == {
        "prompt_tokens": 11,
        "cost": 0.10000000000000000012,
        "is_byok": False,
        "none": 3,
        "other": 4,
        "details": {"cached": 7, "deep": {"n": 3}, "new": 1},
        "big": 90071992547409933,
        "only": {"here": 1},
    }
    assert b"0.10000000000000000012" in said


def test_counts_stand_where_each_provider_puts_them() -> None:
    finish = {"index": 0, "delta": {}, "finish_reason": "stop"}
    for chunk in (
        {"choices": [finish], "x_groq": {"id": "r", "usage": {"total_tokens": 5}}},
        {"choices": [finish | {"usage": {"total_tokens": 5}}]},
        {"choices": [], "usage": {"total_tokens": 5}, "x_groq": "r"},
    ):
        assert usage_after(Protocol.CHAT, chat, b'{"total_tokens":2}', ("", chunk)) == {"total_tokens": 7}


def test_counts_that_are_no_object_stay_as_they_are() -> None:
    end = typed("message_delta", delta={"stop_reason": "end_turn"}, usage=None)
    events = [typed("message_start", message={"usage": None}), end]
    assert usage_after(Protocol.MESSAGES, messages, b'{"input_tokens":2}', *events) == {"input_tokens": 2}
    _, telling = opened(Protocol.CHAT, chat)
    assert Seam(telling, Protocol.CHAT, Way.PREFILL).usage == b""


def test_what_went_in_is_counted_though_the_second_opening_is_left_out() -> None:
    events = messages(["x"], "two", (100, 50))
    assert usage_after(Protocol.MESSAGES, messages, b"", *events[:1]) == SUMS[Protocol.MESSAGES] | {"output_tokens": 2}
    assert usage_after(Protocol.MESSAGES, messages, b"", *events) == SUMS[Protocol.MESSAGES]
    end = typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": 100, "output_tokens": 50})
    assert usage_after(Protocol.MESSAGES, messages, b"", *events[:1], end) == SUMS[Protocol.MESSAGES]
    assert usage_after(Protocol.MESSAGES, messages, b"", end)["input_tokens"] == 110


def test_counts_without_any_before_are_the_second_streams_own() -> None:
    bare = [
        (name, {**fields, "message": {**fields["message"], "usage": None}} if "message" in fields else fields)
        for name, fields in messages(["x"])[:4]
        if isinstance(fields, dict)
    ]
    telling = telling_of(Protocol.MESSAGES, *PLAIN(bare))
    assert telling.usage == b""
    seam = Seam(telling, Protocol.MESSAGES, Way.PREFILL)
    seam.feed(b"".join(PLAIN(messages(["y"], "two", (100, 50)))))
    assert json.loads(seam.usage) == {"output_tokens": 50}


def test_the_counts_of_ollama_are_fields_of_its_last_line() -> None:
    before = b'{"prompt_eval_count":7,"eval_duration":3}'
    assert usage_after(Protocol.OLLAMA, ollama, before, *ollama(["x"], "two", (100, 50))) == {
        "total_duration": 4883583458,
        "prompt_eval_count": 107,
        "eval_count": 50,
        "eval_duration": 3,
    }


# -- shapes that only some servers send


def test_a_source_of_the_text_keeps_to_its_block() -> None:
    cited = typed("content_block_delta", index=0, delta={"type": "citations_delta", "citation": {}})
    events = messages([" fox"], "two")
    answer = answered(Protocol.MESSAGES, messages, Way.PREFILL, *events[:4], cited, *events[4:])
    assert answer.text == 'The "quick" brown fox'
    seam = Seam(telling_of(Protocol.MESSAGES, *PLAIN(messages(["a"])[:5])), Protocol.MESSAGES, Way.PREFILL)
    said = seam.feed(b"".join(PLAIN([*events[:2], cited])))
    assert said.count(b'"index":1') == 2
    noted = typed("response.output_text.annotation.added", output_index=0, content_index=0, item_id="msg_two")
    events = responses([" fox"], "two")
    answer = answered(Protocol.RESPONSES, responses, Way.PREFILL, *numbered(*events[:5], noted, *events[5:]))
    assert answer.text == 'The "quick" brown fox'


def test_a_block_that_opens_with_text_is_taken_at_its_word() -> None:
    events = messages([" jumps"], "two")
    start = typed("content_block_start", index=0, content_block={"type": "text", "text": " fox"})
    for first in (messages([TOLD])[:4], messages([TOLD])[:5]):
        sent = b"".join(PLAIN(first))
        said = gone_on(
            telling_of(Protocol.MESSAGES, sent),
            Protocol.MESSAGES,
            Way.PREFILL,
            b"".join(PLAIN([*events[:1], start, *events[3:]])),
        )
        assert read_messages(sent + said).text == TOLD + " fox jumps"


def test_a_second_block_of_text_stays_a_block() -> None:
    start = typed("content_block_start", index=1, content_block={"type": "text", "text": ""})
    more = typed("content_block_delta", index=1, delta={"type": "text_delta", "text": " jumps"})
    events = messages_with(start, more, typed("content_block_stop", index=1), pieces=[" fox"])
    assert answered(Protocol.MESSAGES, messages, Way.PREFILL, *events).text == 'The "quick" brown fox jumps'


def test_a_second_message_stays_an_item() -> None:
    place = {"item_id": "msg_b", "output_index": 1, "content_index": 0}
    part = {"type": "output_text", "annotations": [], "logprobs": []}
    done = {"id": "msg_b", "type": "message", "status": "completed", "content": [part | {"text": " jumps"}]}
    events = responses_with(
        typed("response.output_item.added", output_index=1, item=done | {"status": "in_progress", "content": []}),
        typed("response.content_part.added", **place, part=part | {"text": ""}),
        typed("response.output_text.delta", **place, delta=" jumps"),
        typed("response.output_text.done", **place, text=" jumps"),
        typed("response.content_part.done", **place, part=part | {"text": " jumps"}),
        typed("response.output_item.done", output_index=1, item=done),
        pieces=[" fox"],
    )
    assert answered(Protocol.RESPONSES, responses, Way.PREFILL, *events).text == 'The "quick" brown fox jumps'


def test_a_server_that_sends_no_openings_and_no_closings_is_completed() -> None:
    delta = typed("response.output_text.delta", output_index=0, item_id="msg_two", content_index=0, delta=" fox")
    last = responses([" fox"], "two", (100, 50))[-1]
    answer = answered(Protocol.RESPONSES, responses, Way.PREFILL, *numbered(delta, last))
    assert (answer.text, answer.ends, len(answer.names)) == ('The "quick" brown fox', 1, 1)
    bare = typed("response.output_text.delta", output_index=0, item_id="m", delta="The")
    telling = telling_of(Protocol.RESPONSES, *PLAIN([bare]))
    said = gone_on(telling, Protocol.RESPONSES, Way.PREFILL, b"".join(PLAIN([delta, last])))
    events = [json.loads(data) for _, data in events_of(said)]
    assert [event.get("sequence_number") for event in events] == [None] * 4 + [8]
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "The fox"
    assert events[-1]["response"]["output"][0]["id"] == events[0]["item_id"] == "m"


def test_an_item_without_text_closes_the_text_that_was_there() -> None:
    """The model had nothing to add."""
    item_two = {"id": "msg_two", "type": "message", "status": "completed", "content": []}
    added = typed("response.output_item.added", output_index=0, item=item_two)
    done = typed("response.output_item.done", output_index=0, item=item_two)
    first, *_, last = responses([], "two", (100, 50))
    answer = answered(Protocol.RESPONSES, responses, Way.PREFILL, *numbered(first, added, done, last))
    assert (answer.text, answer.ends, len(answer.names)) == ('The "quick" brown', 1, 1)


def test_a_response_that_breaks_its_item_off_is_still_well_formed() -> None:
    """Its text is done, and then there is more of it."""
    events = responses([" fox"], "two")
    again = typed("response.output_text.delta", output_index=0, item_id="msg_two", content_index=0, delta=" jumps")
    _, telling = opened(Protocol.RESPONSES, responses)
    seam = Seam(telling, Protocol.RESPONSES, Way.PREFILL)
    said = seam.feed(b"".join(PLAIN(numbered(*events[:6], again, *events[6:]))))
    items = [json.loads(data)["item"] for name, data in events_of(said) if name == "response.output_item.done"]
    assert [one["content"][0]["text"] for one in items] == ['The "quick" brown fox', " jumps"]
    late = typed("response.output_text.annotation.added", output_index=0, content_index=0)
    assert (
        Seam(telling_of(Protocol.RESPONSES, *PLAIN(responses(["a"])[:8])), Protocol.RESPONSES, Way.PREFILL).feed(
            b"".join(PLAIN(numbered(*events[:4], late)))
        )
        == b""
    )


@pytest.mark.parametrize(
    ("protocol", "make", "event"),
    [
        pytest.param(Protocol.GEMINI, gemini, ("", {"candidates": [5], "responseId": "id-one"}), id="a candidate"),
        pytest.param(
            Protocol.GEMINI,
            gemini,
            ("", {"candidates": [{"content": {"parts": {"text": "a"}}, "finishReason": "STOP"}]}),
            id="parts",
        ),
        pytest.param(Protocol.OLLAMA, ollama, ("", {"done": True}), id="a line"),
        pytest.param(Protocol.CHAT, chat, ("", {"choices": ["a"], "usage": {"a\nb": 1}, "x_groq": "r"}), id="a choice"),
    ],
)
def test_what_has_no_shape_is_passed_on_as_it_is(protocol: Protocol, make: Maker, event: Named) -> None:
    seam = Seam(opened(protocol, make)[1], protocol, Way.PREFILL, b"{}")
    (block,) = dressed(protocol, [event])
    said = seam.feed(block)
    assert said == block or json.loads(said.partition(b"data: ")[2])["candidates"][0]["content"]["parts"] == []


def test_a_response_that_ends_without_itself_has_ended() -> None:
    seam = Seam(opened(Protocol.RESPONSES, responses)[1], Protocol.RESPONSES, Way.PREFILL)
    *_, (name, data) = events_of(seam.feed(PLAIN([typed("response.completed")])[0]))
    assert (name, json.loads(data), seam.ended) == ("response.completed", {"type": "response.completed"}, True)


def test_gemini_may_send_parts_of_every_kind() -> None:
    names = {"responseId": "x", "modelVersion": "y"}
    parts = [
        {"text": "Hm", "thought": True},
        {"text": " fox"},
        {"text": "", "thoughtSignature": "s"},
        "odd",
        {"executableCode": {}},
    ]
    chunk = ("", {"candidates": [{"content": {"parts": parts}, "index": 0}], **names})
    seam = Seam(opened(Protocol.GEMINI, gemini)[1], Protocol.GEMINI, Way.PREFILL)
    ((_, said),) = events_of(seam.feed(PLAIN([chunk])[0]))
    assert json.loads(said)["candidates"][0]["content"]["parts"] == parts[1:]
    assert seam.feed(PLAIN([("", {"candidates": [{"content": {}, "index": 0}], **names})])[0]) == b""
    counts = PLAIN([("", {"usageMetadata": {"promptTokenCount": 1}, **names})])[0]
    assert json.loads(next(events_of(seam.feed(counts)))[1])["usageMetadata"]["promptTokenCount"] == 11


# -- the end


@pytest.mark.parametrize(
    ("protocol", "telling", "events"),
    [
        pytest.param(Protocol.CHAT, Telling(finished=True), b"data: [DONE]\n\n", id="chat"),
        pytest.param(
            Protocol.MESSAGES,
            Telling(finished=True),
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
            id="messages",
        ),
        pytest.param(Protocol.RESPONSES, Telling(finished=True), b"", id="responses end with all that they hold"),
        pytest.param(Protocol.GEMINI, Telling(finished=True), b"", id="Gemini has no terminator"),
        pytest.param(Protocol.CHAT, Telling(finished=True, ended=True), b"", id="nothing is owed twice"),
        pytest.param(Protocol.CHAT, Telling(), b"", id="nothing before the finish"),
    ],
)
def test_a_finished_stream_is_closed(protocol: Protocol, telling: Telling, events: bytes) -> None:
    assert closing_events(telling, protocol) == events


# -- the request


def asked(
    protocol: Protocol,
    provider: str,
    body: object,
    text: str = "The fox ",
    model: str | None = None,
    *,
    beta: bool = False,
) -> Any:
    said = continuation_of(
        body if isinstance(body, bytes) else json.dumps(body).encode(), protocol, provider, model, text, beta=beta
    )
    return None if said is None else json.loads(said)


USER: Document = {"role": "user", "content": "Write."}
CHAT_BODY: Document = {"model": "m", "messages": [USER], "stream": True}
OLD, NEW = "claude-sonnet-4-5-20250929", "claude-opus-4-6"

WAYS = [
    pytest.param(Protocol.MESSAGES, "anthropic", OLD, {}, Way.TRIMMED, id="Claude 4.5"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-3-haiku-20240307", {}, Way.TRIMMED, id="Claude 3"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-3-5-haiku-latest", {}, Way.TRIMMED, id="Claude 3.5"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-opus-4-20250514", {}, Way.TRIMMED, id="Claude 4"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-sonnet-4-0", {}, Way.TRIMMED, id="Claude 4.0"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-opus-4-1", {}, Way.TRIMMED, id="Claude 4.1"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-haiku-4-5", {}, Way.TRIMMED, id="Haiku 4.5"),
    pytest.param(Protocol.MESSAGES, "anthropic", NEW, {}, Way.INSTRUCTION, id="Claude 4.6"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-sonnet-4-6-20260201", {}, Way.INSTRUCTION, id="with a date"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-opus-4-10", {}, Way.INSTRUCTION, id="a version of two digits"),
    pytest.param(Protocol.MESSAGES, "anthropic", "claude-opus-5", {}, Way.INSTRUCTION, id="Claude 5"),
    pytest.param(
        Protocol.MESSAGES, "anthropic", "claude-sonnet-latest", {}, Way.INSTRUCTION, id="a name that moves on"
    ),
    pytest.param(Protocol.MESSAGES, "zai", "glm-5.3", {}, Way.INSTRUCTION, id="another model behind messages"),
    pytest.param(
        Protocol.MESSAGES, "anthropic", OLD, {"thinking": {"type": "enabled"}}, Way.INSTRUCTION, id="thoughts"
    ),
    pytest.param(
        Protocol.MESSAGES, "anthropic", OLD, {"thinking": {"type": "disabled"}}, Way.TRIMMED, id="no thoughts"
    ),
    pytest.param(Protocol.CHAT, "openrouter", "anthropic/claude-sonnet-4.5", {}, Way.TRIMMED, id="Claude elsewhere"),
    pytest.param(
        Protocol.CHAT, "openrouter", "anthropic/claude-3.7-sonnet:thinking", {}, Way.INSTRUCTION, id="its thinking kind"
    ),
    pytest.param(Protocol.CHAT, "openrouter", "anthropic/claude-3.7-sonnet:beta", {}, Way.TRIMMED, id="another kind"),
    pytest.param(
        Protocol.CHAT,
        "openrouter",
        "anthropic/claude-haiku-4.5",
        {"reasoning": {"effort": "low"}},
        Way.INSTRUCTION,
        id="reasoning",
    ),
    pytest.param(
        Protocol.CHAT,
        "openrouter",
        "anthropic/claude-haiku-4.5",
        {"reasoning": {"effort": "none"}},
        Way.TRIMMED,
        id="none of it",
    ),
    pytest.param(
        Protocol.CHAT,
        "openrouter",
        "anthropic/claude-haiku-4.5",
        {"reasoning": {"enabled": False}},
        Way.TRIMMED,
        id="off",
    ),
    pytest.param(
        Protocol.CHAT,
        "openrouter",
        "anthropic/claude-haiku-4.5",
        {"reasoning_effort": "high"},
        Way.INSTRUCTION,
        id="effort",
    ),
    pytest.param(
        Protocol.CHAT, "openrouter", "deepseek/deepseek-chat", {}, Way.INSTRUCTION, id="hosts that begin anew"
    ),
    pytest.param(Protocol.CHAT, "openai", "gpt-5.2", {}, Way.INSTRUCTION, id="OpenAI"),
    pytest.param(Protocol.CHAT, "deepseek", "deepseek-chat", {}, Way.INSTRUCTION, id="DeepSeek"),
    pytest.param(Protocol.CHAT, "mistral", "mistral-large-latest", {}, Way.ECHOED, id="Mistral"),
    pytest.param(Protocol.CHAT, "moonshot", "kimi-k2.5", {}, Way.PARTIAL, id="Kimi"),
    pytest.param(Protocol.CHAT, "moonshot", "kimi-k2-thinking", {}, Way.INSTRUCTION, id="Kimi that thinks"),
    pytest.param(Protocol.CHAT, "groq", "llama-3.3-70b-versatile", {}, Way.PREFILL, id="Groq"),
    pytest.param(Protocol.CHAT, "groq", "openai/gpt-oss-120b", {}, Way.INSTRUCTION, id="Groq, a model that thinks"),
    pytest.param(Protocol.CHAT, "ollama", "llama3.2", {}, Way.PREFILL, id="Ollama's chat"),
    pytest.param(Protocol.OLLAMA, "ollama", "llama3.2", {}, Way.PREFILL, id="Ollama"),
    pytest.param(Protocol.OLLAMA, "ollama", "qwen3", {"think": True}, Way.INSTRUCTION, id="Ollama, thinking"),
    pytest.param(Protocol.GEMINI, "google", "gemini-2.5-pro", {}, Way.PREFILL, id="Gemini 2.5"),
    pytest.param(Protocol.GEMINI, "google", "models/gemini-3.1-pro-preview", {}, Way.PREFILL, id="Gemini 3.1"),
    pytest.param(Protocol.GEMINI, "google", "gemini-3-flash-preview", {}, Way.PREFILL, id="Gemini 3"),
    pytest.param(Protocol.GEMINI, "google", "gemini-3.5-flash-lite", {}, Way.INSTRUCTION, id="Gemini 3.5"),
    pytest.param(Protocol.GEMINI, "google", "gemini-3.6-flash", {}, Way.INSTRUCTION, id="Gemini 3.6"),
    pytest.param(
        Protocol.GEMINI, "google", "gemini-flash-latest", {}, Way.INSTRUCTION, id="Gemini by a name that moves"
    ),
    pytest.param(Protocol.RESPONSES, "openai", "gpt-5.2", {}, Way.INSTRUCTION, id="Responses"),
    pytest.param(Protocol.RESPONSES, "openrouter", OLD, {}, Way.INSTRUCTION, id="Responses of Claude"),
]


@pytest.mark.parametrize(("protocol", "provider", "model", "fields", "way"), WAYS)
def test_how_each_provider_is_asked(protocol: Protocol, provider: str, model: str, fields: Document, way: Way) -> None:
    assert way_of(json.dumps(fields).encode(), protocol, provider, model) is way
    if protocol in (Protocol.CHAT, Protocol.MESSAGES, Protocol.OLLAMA):
        assert way_of(json.dumps({"model": model, **fields}).encode(), protocol, provider, None) is way
    assert way_of(b"no JSON", protocol, provider, model) is way or fields


def test_deepseek_takes_a_prefix_at_its_beta_address_alone() -> None:
    said = asked(Protocol.CHAT, "deepseek", CHAT_BODY, model="deepseek-chat", beta=True)
    assert said["messages"][1:] == [{"role": "assistant", "content": "The fox ", "prefix": True}]
    said = asked(Protocol.CHAT, "deepseek", CHAT_BODY | {"tools": [{}]}, model="deepseek-chat", beta=True)
    assert [turn["role"] for turn in said["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("protocol", "provider", "model", "turns"),
    [
        pytest.param(
            Protocol.MESSAGES, "anthropic", OLD, [{"role": "assistant", "content": "The fox"}], id="without its blank"
        ),
        pytest.param(
            Protocol.CHAT, "mistral", "m", [{"role": "assistant", "content": "The fox ", "prefix": True}], id="a prefix"
        ),
        pytest.param(
            Protocol.CHAT,
            "moonshot",
            "kimi-k2.5",
            [{"role": "assistant", "content": "The fox ", "partial": True}],
            id="partial",
        ),
        pytest.param(Protocol.CHAT, "ollama", "m", [{"role": "assistant", "content": "The fox "}], id="a prefill"),
        pytest.param(Protocol.OLLAMA, "ollama", "m", [{"role": "assistant", "content": "The fox "}], id="Ollama's own"),
    ],
)
def test_a_beginning_is_put_where_the_provider_wants_it(
    protocol: Protocol, provider: str, model: str, turns: list[Document]
) -> None:
    assert asked(protocol, provider, CHAT_BODY, model=model) == CHAT_BODY | {"messages": [USER, *turns]}


def test_who_takes_no_beginning_is_told_to_go_on() -> None:
    for protocol, provider, model in ((Protocol.CHAT, "openai", "gpt-5.2"), (Protocol.MESSAGES, "anthropic", NEW)):
        said = asked(protocol, provider, CHAT_BODY, 'The "fox" ', model)
        user, assistant, instruction = said["messages"]
        assert (user, assistant) == (USER, {"role": "assistant", "content": 'The "fox" '})
        assert instruction["role"] == "user"
        assert '"The \\"fox\\" "' in instruction["content"]


def test_a_response_gets_its_turns_as_items() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "The fox "}]}
    for given_input in ("Write.", [{"type": "message", **USER}]):
        body = {"model": "gpt-5.2", "input": given_input, "store": False}
        user, assistant, instruction = asked(Protocol.RESPONSES, "openai", body)["input"]
        assert user == (USER if given_input == "Write." else {"type": "message", **USER})
        assert assistant == said
        assert (instruction["role"], instruction["content"][0]["type"]) == ("user", "input_text")
        assert '"The fox "' in instruction["content"][0]["text"]
    assistant = asked(Protocol.RESPONSES, "openrouter", body)["input"][1]
    assert (assistant["id"], assistant["status"], assistant["content"][0]["annotations"]) == ("msg_1", "completed", [])


def test_gemini_gets_contents() -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "Write."}]}], "generationConfig": {"topK": 1}}
    beginning = {"role": "model", "parts": [{"text": "The fox "}]}
    assert asked(Protocol.GEMINI, "google", body, model="gemini-2.5-pro")["contents"][1:] == [beginning]
    said = asked(Protocol.GEMINI, "google", body, model="gemini-3.6-flash")
    assert said["contents"][1] == beginning
    assert said["contents"][2]["role"] == "user"
    assert '"The fox "' in said["contents"][2]["parts"][0]["text"]
    assert said["generationConfig"] == {"topK": 1}


def test_every_other_byte_of_the_body_stays() -> None:
    before = (
        rb'{ "model":"m", "temperature": 0.70, "seed":12345678901234567890123, "x":{"b":1,"a":[ ]}, "u":"\ud83d\u00e4",'
    )
    turn = b'{"role":"user", "content":[{"type":"text","text":"]}\\"[", "n": 1E3}]}'
    after = b', "max_tokens":100, "messages2":[], "messages ":[1], "tools": [{"messages": []}]\n}'
    for protocol, provider in ((Protocol.CHAT, "ollama"), (Protocol.MESSAGES, "anthropic")):
        body = before + b' "messages" : [' + turn + b" ]" + after
        said = continuation_of(body, protocol, provider, OLD, "The fox")
        added = b',{"role":"assistant","content":"The fox"}]'
        assert said == before + b' "messages" : [' + turn + b" " + added + after


def test_a_blank_beginning_is_nothing_to_go_on_from() -> None:
    body = json.dumps(CHAT_BODY).encode()
    assert continuation_of(body, Protocol.CHAT, "openai", "m", "\n\n") is body


FORMED = {"type": "json_schema", "json_schema": {}}
REFUSED: list[Any] = [
    pytest.param(Protocol.CHAT, b"no JSON", id="no JSON"),
    pytest.param(Protocol.CHAT, [], id="no object"),
    pytest.param(Protocol.CHAT, {"model": "m"}, id="no messages"),
    pytest.param(Protocol.CHAT, {"messages": "Write."}, id="no list"),
    pytest.param(Protocol.CHAT, {"messages": []}, id="an empty list"),
    pytest.param(Protocol.CHAT, {"prompt": "Write."}, id="an old completion"),
    pytest.param(Protocol.OTHER, CHAT_BODY, id="another protocol"),
    pytest.param(Protocol.CHAT, {"messages": [USER, {"role": "assistant", "content": "T"}]}, id="a client's beginning"),
    pytest.param(Protocol.CHAT, CHAT_BODY | {"n": 2}, id="two answers"),
    pytest.param(Protocol.CHAT, CHAT_BODY | {"tool_choice": "required"}, id="a forced call"),
    pytest.param(Protocol.CHAT, CHAT_BODY | {"tool_choice": {"type": "function"}}, id="a certain call"),
    pytest.param(Protocol.CHAT, CHAT_BODY | {"function_call": {"name": "f"}}, id="a certain function"),
    pytest.param(Protocol.CHAT, CHAT_BODY | {"response_format": FORMED}, id="a schema"),
    pytest.param(Protocol.CHAT, CHAT_BODY | {"response_format": {"type": "json_object"}}, id="JSON"),
    pytest.param(Protocol.CHAT, CHAT_BODY | {"modalities": ["text", "audio"]}, id="audio"),
    pytest.param(Protocol.CHAT, CHAT_BODY | {"guided_regex": "a+"}, id="a grammar"),
    pytest.param(Protocol.MESSAGES, CHAT_BODY | {"tool_choice": {"type": "any"}}, id="messages: a forced call"),
    pytest.param(Protocol.MESSAGES, CHAT_BODY | {"output_config": {"format": FORMED}}, id="messages: a schema"),
    pytest.param(Protocol.MESSAGES, CHAT_BODY | {"output_format": FORMED}, id="messages: a schema by its old name"),
    pytest.param(Protocol.RESPONSES, {"model": "m"}, id="responses: no input"),
    pytest.param(Protocol.RESPONSES, {"input": 5}, id="responses: an input that is none"),
    pytest.param(Protocol.RESPONSES, {"input": "x", "tool_choice": "required"}, id="responses: a forced call"),
    pytest.param(Protocol.RESPONSES, {"input": "x", "text": {"format": FORMED}}, id="responses: a schema"),
    pytest.param(Protocol.RESPONSES, {"input": "x", "conversation": "conv_1"}, id="responses: a kept conversation"),
    pytest.param(Protocol.RESPONSES, {"input": "x", "background": True}, id="responses: in the background"),
    pytest.param(Protocol.GEMINI, {"contents": "x"}, id="Gemini: no list"),
    pytest.param(Protocol.GEMINI, {"contents": [{}], "generationConfig": {"candidateCount": 2}}, id="Gemini: two"),
    pytest.param(
        Protocol.GEMINI,
        {"contents": [{}], "generation_config": {"response_mime_type": "application/json"}},
        id="Gemini: JSON",
    ),
    pytest.param(
        Protocol.GEMINI, {"contents": [{}], "generationConfig": {"responseSchema": {"a": 1}}}, id="Gemini: a schema"
    ),
    pytest.param(
        Protocol.GEMINI, {"contents": [{}], "generationConfig": {"responseModalities": ["AUDIO"]}}, id="Gemini: audio"
    ),
    pytest.param(
        Protocol.GEMINI,
        {"contents": [{}], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
        id="Gemini: a forced call",
    ),
    pytest.param(Protocol.GEMINI, {"contents": [{"role": "model"}]}, id="Gemini: a client's beginning"),
    pytest.param(Protocol.OLLAMA, CHAT_BODY | {"format": "json"}, id="Ollama: JSON"),
    pytest.param(Protocol.OLLAMA, {"prompt": "Write."}, id="Ollama: a completion"),
]


@pytest.mark.parametrize(("protocol", "body"), REFUSED)
def test_what_cannot_be_gone_on_with(protocol: Protocol, body: object) -> None:
    assert asked(protocol, "any", body) is None


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        pytest.param(Protocol.CHAT, {"n": 1, "tool_choice": "auto", "function_call": "none"}, id="chat: a free choice"),
        pytest.param(Protocol.CHAT, {"response_format": {"type": "text"}, "modalities": ["text"]}, id="chat: text"),
        pytest.param(
            Protocol.MESSAGES, {"tool_choice": {"type": "auto"}, "output_config": {"effort": "low"}}, id="messages"
        ),
        pytest.param(
            Protocol.MESSAGES, {"messages": [USER, {"role": "assistant", "content": "T"}]}, id="a beginning more"
        ),
        pytest.param(
            Protocol.RESPONSES, {"input": "x", "text": {"verbosity": "low"}, "tool_choice": "none"}, id="responses"
        ),
        pytest.param(
            Protocol.GEMINI,
            {"contents": [{}], "generationConfig": {"responseMimeType": "text/plain", "responseModalities": ["TEXT"]}},
            id="Gemini",
        ),
        pytest.param(Protocol.OLLAMA, {"format": ""}, id="Ollama"),
    ],
)
def test_what_can(protocol: Protocol, body: Document) -> None:
    assert asked(protocol, "any", CHAT_BODY | body) is not None


@unhurried
@given(
    st.binary(max_size=40)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "messages",
                        "input",
                        "contents",
                        "role",
                        "n",
                        "text",
                        "format",
                        "tool_choice",
                        "reasoning",
                        "generationConfig",
                        "model",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    ),
    st.sampled_from(Protocol),
    st.sampled_from(["anthropic", "mistral", "openrouter"]),
    st.text(max_size=9),
)
def test_asking_never_raises(body: object, protocol: Protocol, provider: str, text: str) -> None:
    asked(protocol, provider, body, text)
