"""What a stream that broke off had told: its text exactly, and whether another attempt may go on with it.

The streams are those of the documentation: https://platform.openai.com/docs/api-reference/chat-streaming,
https://platform.openai.com/docs/api-reference/responses-streaming,
https://platform.claude.com/docs/en/build-with-claude/streaming, https://ai.google.dev/api/generate-content,
https://docs.ollama.com/api/streaming; OpenRouter's: https://openrouter.ai/docs/api/reference/streaming
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core import told as words
from tray_app.core.told import (
    BLOCK_BYTES,
    EACH_BYTES,
    KEPT_BYTES,
    SLOW_BLOCK_BYTES,
    Telling,
    Told,
    document_of,
    fields_of,
    is_text,
    mended,
    spelled,
)
from tray_app.core.values import Protocol

Document = dict[str, Any]
Named = tuple[str, Document | str | None]  # an event's name and what it holds; None is a comment
Style = Callable[[Iterable[Named]], list[bytes]]

PIECES = [
    "The",
    ' "quick" brown',
    " fox 🦊 jumps",
    "\nover the lazy dög.\n\n",
    "| a | b |\n| --- | --- |\n",
    "def f(x):\n    return x\\2\n",
    " 漢字とかな, and so it ends",
    ".",
]
TEXT = "".join(PIECES)


# -- streams


def chat(pieces: list[str], who: str = "one", tokens: tuple[int, int] = (10, 5)) -> list[Named]:
    """Chunks as OpenAI sends them, with `stream_options.include_usage`."""
    numbers = {"one": 1_700_000_001, "two": 1_700_000_002, "three": 1_700_000_003}

    def chunk(choices: list[Document], usage: Document | None = None) -> Named:
        names = {"id": f"chatcmpl-{who}", "object": "chat.completion.chunk", "created": numbers[who]}
        rest = {"model": f"gpt-4o-{who}", "system_fingerprint": "fp_1", "choices": choices, "usage": usage}
        return "", names | rest

    def choice(delta: Document, reason: str | None = None) -> list[Document]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    return [
        chunk(choice({"role": "assistant", "content": "", "refusal": None})),
        *(chunk(choice({"content": piece})) for piece in pieces),
        chunk(choice({}, "stop")),
        chunk([], usage),
        ("", "[DONE]"),
    ]


def openrouter(pieces: list[str], who: str = "one", tokens: tuple[int, int] = (10, 5)) -> list[Named]:
    """Chunks as OpenRouter sends them: comments, the role in every delta, the price in the last chunk."""

    def chunk(content: str, reason: str | None = None) -> Named:
        delta = {"role": "assistant", "content": content}
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "native_finish_reason": reason}
        names = {"id": f"gen-{who}", "provider": "P", "model": f"m/{who}", "object": "chat.completion.chunk"}
        return "", names | {"created": len(who), "choices": [choice]}

    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens), "cost": 0.00012}
    kind = {"object": "chat.completion.chunk"}
    bill = kind | {"id": f"gen-{who}", "model": f"m/{who}", "created": len(who), "choices": [], "usage": usage}
    return [
        ("", None),
        chunk(""),
        *(chunk(piece) for piece in pieces),
        ("", None),
        chunk("", "stop"),
        ("", bill),
        ("", "[DONE]"),
    ]


def messages(pieces: list[str], who: str = "one", tokens: tuple[int, int] = (10, 5)) -> list[Named]:
    usage = {"input_tokens": tokens[0], "cache_read_input_tokens": 3, "output_tokens": 1}
    message = {"id": f"msg_{who}", "type": "message", "role": "assistant", "content": [], "model": f"claude-{who}"}
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    end = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": tokens[1]}}
    events = [
        ("message_start", {"message": message | {"stop_reason": None, "usage": usage}}),
        ("content_block_start", block),
        ("ping", {}),
        *(("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": piece}}) for piece in pieces),
        ("content_block_stop", {"index": 0}),
        ("message_delta", end),
        ("message_stop", {}),
    ]
    return [(name, {"type": name, **fields}) for name, fields in events]


def responses(pieces: list[str], who: str = "one", tokens: tuple[int, int] = (10, 5)) -> list[Named]:
    text, place = "".join(pieces), {"item_id": f"msg_{who}", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    item = {"id": f"msg_{who}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    begun = item | {"status": "in_progress", "content": []}
    response = {"id": f"resp_{who}", "object": "response", "created_at": len(who), "model": f"gpt-{who}"}
    usage = {
        "input_tokens": tokens[0],
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": tokens[1],
        "total_tokens": sum(tokens),
    }
    opened = {"response": response | {"status": "in_progress", "output": [], "usage": None}}
    events = [
        ("response.created", opened),
        ("response.in_progress", opened),
        ("response.output_item.added", {"output_index": 0, "item": begun}),
        ("response.content_part.added", place | {"part": part | {"text": ""}}),
        *(("response.output_text.delta", place | {"delta": piece, "logprobs": []}) for piece in pieces),
        ("response.output_text.done", place | {"text": text, "logprobs": []}),
        ("response.content_part.done", place | {"part": part}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": response | {"status": "completed", "output": [item], "usage": usage}}),
    ]
    return [(name, {"type": name, "sequence_number": number, **fields}) for number, (name, fields) in enumerate(events)]


def gemini(pieces: list[str], who: str = "one", tokens: tuple[int, int] = (10, 5)) -> list[Named]:
    def chunk(text: str, count: int, reason: str | None) -> Named:
        candidate: Document = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
        if reason:
            candidate["finishReason"] = reason
        usage = {"promptTokenCount": tokens[0], "candidatesTokenCount": count, "totalTokenCount": tokens[0] + count}
        names = {"modelVersion": f"gemini-{who}", "responseId": f"id-{who}"}
        return "", {"candidates": [candidate], "usageMetadata": usage, **names}

    texts = pieces or [""]
    counts = [*range(1, len(texts)), tokens[1]]
    reasons = [None] * (len(texts) - 1) + ["STOP"]
    return [chunk(*three) for three in zip(texts, counts, reasons, strict=True)]


def ollama(pieces: list[str], who: str = "one", tokens: tuple[int, int] = (10, 5)) -> list[Named]:
    names = {"model": f"llama-{who}", "created_at": "2026-08-04T08:52:19.385406455-07:00"}
    counts = {"total_duration": 4883583458, "prompt_eval_count": tokens[0], "eval_count": tokens[1]}
    ended = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"} | counts
    return [
        *(("", names | {"message": {"role": "assistant", "content": piece}, "done": False}) for piece in pieces),
        ("", names | ended),
    ]


def in_events(dumps: Callable[[Document], str], end: str, colon: str = ": ") -> Style:
    """How a stream is spelled: its JSON, its line ends, and what stands between a field's name and value."""

    def dressed(events: Iterable[Named]) -> list[bytes]:
        blocks = []
        for name, held in events:
            data = held if isinstance(held, str) else "" if held is None else dumps(held)
            lines = [f"data{colon}{line}" for line in data.split("\n")] if held is not None else [": PROCESSING"]
            named = [f"event{colon}{name}"] if name else []
            blocks.append(end.join([*named, *lines, "", ""]).encode())
        return blocks

    return dressed


def compact(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


PLAIN = in_events(compact, "\n")
STYLES = {
    "plain": PLAIN,
    "escaped, with blanks": in_events(json.dumps, "\n"),
    "CRLF": in_events(compact, "\r\n"),
    "without a blank": in_events(compact, "\n", ":"),
    "many lines of data": in_events(lambda document: json.dumps(document, indent=1), "\n"),
    "CRLF and many lines": in_events(lambda document: json.dumps(document, indent=2), "\r\n"),
}


def in_lines(events: Iterable[Named]) -> list[bytes]:
    return [compact(held).encode() + b"\n" for _, held in events if isinstance(held, dict)]


MAKERS = {
    "chat": (Protocol.CHAT, chat),
    "chat of OpenRouter": (Protocol.CHAT, openrouter),
    "messages": (Protocol.MESSAGES, messages),
    "responses": (Protocol.RESPONSES, responses),
    "Gemini": (Protocol.GEMINI, gemini),
    "Ollama": (Protocol.OLLAMA, ollama),
}
MADE = [pytest.param(protocol, make, id=name) for name, (protocol, make) in MAKERS.items()]


def dressed(protocol: Protocol, events: list[Named], style: Style = PLAIN) -> list[bytes]:
    return in_lines(events) if protocol is Protocol.OLLAMA else style(events)


def telling_of(protocol: Protocol, *chunks: bytes) -> Telling:
    told = Told()
    for chunk in chunks:
        told.passed(chunk)
    return told.read(protocol)


def heard(protocol: Protocol, *events: Named) -> Telling:
    return telling_of(protocol, *dressed(protocol, list(events)))


# -- whole and half events


@pytest.mark.many_cases
@pytest.mark.parametrize("style", [pytest.param(style, id=name) for name, style in STYLES.items()])
@pytest.mark.parametrize(("protocol", "make"), MADE)
def test_at_every_byte_the_whole_events_are_known(
    protocol: Protocol, make: Callable[[list[str]], list[Named]], style: Style
) -> None:
    blocks = dressed(protocol, make(PIECES), style)
    stream, edges = b"".join(blocks), [0]
    for block in blocks:
        edges.append(edges[-1] + len(block))
    for cut in range(0, len(stream) + 1, 1 if style is PLAIN else 7):
        telling = telling_of(protocol, stream[:cut])
        edge = max(edge for edge in edges if edge <= cut)
        assert telling.whole == edge
        assert telling.half == (cut > edge)
        assert TEXT.startswith(telling.text)
    assert telling_of(protocol, stream).text == TEXT


@pytest.mark.parametrize(("protocol", "make"), MADE)
def test_a_whole_stream_has_ended_and_needs_nobody(
    protocol: Protocol, make: Callable[[list[str]], list[Named]]
) -> None:
    telling = telling_of(protocol, *dressed(protocol, make(PIECES)))
    assert (telling.text, telling.finished, telling.ended) == (TEXT, True, True)
    assert (telling.continuable, telling.why_not) == (False, words.FINISHED)


@pytest.mark.parametrize(("protocol", "make"), MADE)
def test_a_stream_that_broke_off_in_its_text_may_be_gone_on_with(
    protocol: Protocol, make: Callable[[list[str]], list[Named]]
) -> None:
    blocks = dressed(protocol, make(PIECES))
    told = Told()
    seen = 0
    for block in blocks:
        told.passed(block)
        telling = told.read(protocol)
        assert telling.continuable == (bool(telling.text) and not telling.finished)
        seen += telling.continuable
    assert seen >= len(PIECES) - 1


def test_how_much_of_an_event_is_there_is_told_with_blanks_too() -> None:
    event = PLAIN([("", {"choices": []})])[0]
    for rest, half in ((b"\n", False), (b"\n\n", False), (b" ", False), (b": co", True), (b"d", True)):
        telling = telling_of(Protocol.CHAT, event, rest)
        assert telling.half == half
        assert telling.whole == len(event) + (len(rest) if rest.isspace() and b" " not in rest else 0)


def test_a_byte_order_mark_counts() -> None:
    telling = telling_of(Protocol.CHAT, b"\xef\xbb\xbf", *PLAIN(chat(["Hi"])[:2]), b"data")
    assert telling.text == "Hi"
    assert telling.whole == 3 + len(b"".join(PLAIN(chat(["Hi"])[:2])))


# -- names, counts, places


def test_what_a_chat_stream_is_called() -> None:
    telling = heard(Protocol.CHAT, *chat(["a", "b"])[:2])
    assert (telling.id, telling.model, telling.created) == ("chatcmpl-one", "gpt-4o-one", 1_700_000_001)
    assert telling.usage == b""


def test_the_first_names_hold() -> None:
    telling = heard(Protocol.CHAT, ("", {"id": "", "choices": []}), *chat(["a"])[:2], *chat(["b"], "two")[1:2])
    assert (telling.text, telling.id) == ("ab", "chatcmpl-one")


def test_what_a_stream_of_messages_is_called() -> None:
    telling = heard(Protocol.MESSAGES, *messages(["a", "b"])[:4])
    assert (telling.id, telling.model, telling.created) == ("msg_one", "claude-one", None)
    assert (telling.index, telling.next_index, telling.closed) == (0, 1, 0)
    assert json.loads(telling.usage) == {"input_tokens": 10, "cache_read_input_tokens": 3, "output_tokens": 1}
    assert heard(Protocol.MESSAGES, *messages(["a"])[:5]).closed == 1


def test_a_finish_without_its_terminator() -> None:
    telling = heard(Protocol.MESSAGES, *messages(["a"])[:-1])
    assert (telling.finished, telling.ended, telling.why_not) == (True, False, words.FINISHED)
    assert json.loads(telling.usage)["output_tokens"] == 5
    telling = heard(Protocol.CHAT, *chat(["a"])[:3])
    assert (telling.finished, telling.ended) == (True, False)


def test_counts_that_a_later_event_leaves_open_stay() -> None:
    usage = {"input_tokens": None, "output_tokens": 9}
    end = ("message_delta", {"type": "message_delta", "delta": {"stop_reason": None}, "usage": usage})
    telling = heard(Protocol.MESSAGES, *messages(["a"])[:4], end)
    assert telling.continuable
    assert json.loads(telling.usage) == {"input_tokens": 10, "cache_read_input_tokens": 3, "output_tokens": 9}


def test_what_a_response_is_called_and_where_its_text_stands() -> None:
    events = responses(["a", "b"])
    telling = heard(Protocol.RESPONSES, *events[:6])
    assert (telling.id, telling.model, telling.created) == ("resp_one", "gpt-one", 3)
    assert (telling.item_id, telling.index, telling.next_index, telling.sequence) == ("msg_one", 0, 1, 5)
    assert (telling.closed, telling.item_text, telling.items) == (0, "ab", ())
    for count, event in enumerate(events[6:9], 1):
        events_so_far = [*events[: 5 + count], event]
        assert heard(Protocol.RESPONSES, *events_so_far).closed == count
    assert json.loads(heard(Protocol.RESPONSES, *events[:9]).items[0])["content"][0]["text"] == "ab"


def test_a_second_message_of_a_response_has_its_own_text() -> None:
    place = {"item_id": "msg_b", "output_index": 1, "content_index": 0}
    added = ("response.output_item.added", {"output_index": 1, "item": {"type": "message", "id": "msg_b"}})
    part = ("response.content_part.added", place | {"part": {"type": "output_text", "text": ""}})
    delta = ("response.output_text.delta", place | {"delta": "b"})
    first = responses(["a"])[:8]
    telling = heard(Protocol.RESPONSES, *first, added, part, delta)
    assert (telling.text, telling.item_text, telling.item_id, telling.index) == ("ab", "b", "msg_b", 1)
    assert telling.continuable
    assert heard(Protocol.RESPONSES, *first, added).why_not == words.OTHER
    assert heard(Protocol.RESPONSES, *first, added, part).continuable


def test_a_response_without_openings_is_taken_too() -> None:
    delta = {"item_id": "i", "output_index": 2, "content_index": 0, "delta": "a"}
    telling = heard(Protocol.RESPONSES, ("response.output_text.delta", delta))
    assert (telling.text, telling.item_id, telling.index, telling.next_index) == ("a", "i", 2, 3)
    assert telling.continuable
    assert telling.sequence is None


def test_what_an_answer_of_gemini_is_called_and_counts() -> None:
    telling = heard(Protocol.GEMINI, *gemini(["a", "b", "c"])[:2])
    assert (telling.id, telling.model, telling.text) == ("id-one", "gemini-one", "ab")
    assert json.loads(telling.usage)["candidatesTokenCount"] == 2


def test_a_reason_to_finish_in_every_chunk_hides_no_text() -> None:
    chunk = gemini(["a"])[0]
    assert heard(Protocol.GEMINI, chunk, chunk).text == "aa"


# -- what nobody can go on with


def choice(**delta: object) -> Named:
    return "", {"choices": [{"index": 0, "delta": delta}]}


def typed(kind: str, **fields: object) -> Named:
    return kind, {"type": kind, **fields}


def block(kind: str, **fields: object) -> Named:
    return typed("content_block_start", index=1, content_block={"type": kind, **fields})


def item(kind: str, event: str = "added", **fields: object) -> Named:
    return typed(f"response.output_item.{event}", output_index=1, item={"type": kind, **fields})


def part(**fields: object) -> Named:
    return "", {"candidates": [{"content": {"parts": [fields]}}]}


REFUSED = [
    pytest.param(Protocol.CHAT, choice(tool_calls=[{"index": 0}]), words.TOOL, id="a tool call"),
    pytest.param(Protocol.CHAT, choice(function_call={"name": "f"}), words.TOOL, id="a function call"),
    pytest.param(Protocol.CHAT, choice(refusal="No."), words.REFUSAL, id="a refusal"),
    pytest.param(Protocol.CHAT, choice(audio={"id": "a"}), words.OTHER, id="audio"),
    pytest.param(Protocol.CHAT, choice(images=[{}]), words.OTHER, id="an image"),
    pytest.param(Protocol.CHAT, choice(content=[{"type": "thinking"}]), words.OTHER, id="a list of Mistral's"),
    pytest.param(Protocol.CHAT, choice(reasoning="Hm"), words.THINKING, id="a thought"),
    pytest.param(Protocol.CHAT, choice(reasoning_content="Hm"), words.THINKING, id="a thought of DeepSeek's"),
    pytest.param(
        Protocol.CHAT, choice(reasoning_details=[{"type": "reasoning.text"}]), words.THINKING, id="a thought in detail"
    ),
    pytest.param(
        Protocol.CHAT,
        choice(reasoning_details=[{"type": "reasoning.text", "signature": "s"}]),
        words.SIGNED,
        id="a signature",
    ),
    pytest.param(
        Protocol.CHAT, choice(reasoning_details=[{"type": "reasoning.encrypted"}]), words.SIGNED, id="a sealed thought"
    ),
    pytest.param(
        Protocol.CHAT, ("", {"choices": [{"index": 1, "delta": {"content": "b"}}]}), words.SEVERAL, id="a 2nd choice"
    ),
    pytest.param(Protocol.CHAT, ("", {"choices": [{"index": 0, "text": "b"}]}), words.OTHER, id="an old completion"),
    pytest.param(Protocol.CHAT, ("", {"error": {"message": "m"}}), words.ERROR, id="an error"),
    pytest.param(
        Protocol.CHAT, ("", {"choices": [{"delta": {}, "finish_reason": "error"}]}), words.ERROR, id="a bad finish"
    ),
    pytest.param(Protocol.CHAT, ("", "no JSON"), words.UNREADABLE, id="no JSON"),
    pytest.param(Protocol.CHAT, ("", "[1]"), words.UNREADABLE, id="no object"),
    pytest.param(Protocol.MESSAGES, block("tool_use", id="t"), words.TOOL, id="a tool's block"),
    pytest.param(Protocol.MESSAGES, block("server_tool_use"), words.OTHER, id="a block of the provider's own tool"),
    pytest.param(Protocol.MESSAGES, block("thinking"), words.THINKING, id="a block of thoughts"),
    pytest.param(Protocol.MESSAGES, block("redacted_thinking"), words.SIGNED, id="a sealed block"),
    pytest.param(
        Protocol.MESSAGES,
        typed("content_block_delta", index=1, delta={"type": "signature_delta", "signature": "s"}),
        words.SIGNED,
        id="a signature in a block",
    ),
    pytest.param(Protocol.MESSAGES, typed("error", error={"type": "overloaded_error"}), words.ERROR, id="overload"),
    pytest.param(Protocol.RESPONSES, item("function_call"), words.TOOL, id="a call"),
    pytest.param(Protocol.RESPONSES, item("custom_tool_call"), words.TOOL, id="a free call"),
    pytest.param(Protocol.RESPONSES, item("web_search_call"), words.OTHER, id="a search"),
    pytest.param(Protocol.RESPONSES, item("reasoning"), words.THINKING, id="an item of thoughts"),
    pytest.param(
        Protocol.RESPONSES, item("reasoning", "done", encrypted_content="e"), words.SIGNED, id="a sealed item"
    ),
    pytest.param(Protocol.RESPONSES, typed("response.refusal.delta", delta="No"), words.REFUSAL, id="a refused item"),
    pytest.param(
        Protocol.RESPONSES,
        typed("response.content_part.added", content_index=0, part={"type": "refusal"}),
        words.OTHER,
        id="a part that is no text",
    ),
    pytest.param(
        Protocol.RESPONSES,
        typed("response.content_part.added", content_index=1, part={"type": "output_text"}),
        words.OTHER,
        id="a second part",
    ),
    pytest.param(Protocol.RESPONSES, typed("response.failed", response={}), words.ERROR, id="a failure"),
    pytest.param(Protocol.GEMINI, part(functionCall={"name": "f"}), words.TOOL, id="a call of Gemini's"),
    pytest.param(Protocol.GEMINI, part(text="Hm", thought=True), words.THINKING, id="a thought of Gemini's"),
    pytest.param(Protocol.GEMINI, part(text="", thoughtSignature="s"), words.SIGNED, id="a signature of Gemini's"),
    pytest.param(Protocol.GEMINI, part(inlineData={"data": ""}), words.OTHER, id="a picture"),
    pytest.param(
        Protocol.GEMINI, ("", {"candidates": [{"index": 1, "content": {}}]}), words.SEVERAL, id="a 2nd candidate"
    ),
    pytest.param(Protocol.GEMINI, ("", {"promptFeedback": {"blockReason": "OTHER"}}), words.REFUSAL, id="a block"),
    pytest.param(Protocol.OLLAMA, ("", {"message": {"tool_calls": [{}]}}), words.TOOL, id="a call of Ollama's"),
    pytest.param(Protocol.OLLAMA, ("", {"message": {"thinking": "Hm"}}), words.THINKING, id="a thought of Ollama's"),
    pytest.param(Protocol.OLLAMA, ("", {"response": "b", "done": False}), words.OTHER, id="a completion"),
    pytest.param(Protocol.OLLAMA, ("", {"error": "no memory"}), words.ERROR, id="an error of Ollama's"),
]
SOME = {
    Protocol.CHAT: chat(["a"])[:2],
    Protocol.MESSAGES: messages(["a"])[:4],
    Protocol.RESPONSES: responses(["a"])[:5],
    Protocol.GEMINI: gemini(["a", "b"])[:1],
    Protocol.OLLAMA: ollama(["a"])[:1],
}


@pytest.mark.parametrize(("protocol", "event", "why"), REFUSED)
def test_what_is_no_plain_text_cannot_be_gone_on_with(protocol: Protocol, event: Named, why: str) -> None:
    assert heard(protocol, *SOME[protocol]).continuable
    telling = heard(protocol, *SOME[protocol], event)
    assert (telling.continuable, telling.why_not) == (False, why)


THOUGHT_OVER = [
    pytest.param(Protocol.CHAT, [choice(reasoning="Hm"), *chat(["a"])[:2]], id="chat: text ends it"),
    pytest.param(
        Protocol.MESSAGES,
        [*messages([])[:1], block("thinking"), typed("content_block_stop", index=1), *messages(["a"])[1:4]],
        id="messages: its own end, without a signature",
    ),
    pytest.param(
        Protocol.RESPONSES,
        [
            *responses([])[:2],
            item("reasoning"),
            typed("response.content_part.added", output_index=1, part={"type": "reasoning_text"}),
            typed("response.content_part.done", output_index=1, part={"type": "reasoning_text"}),
            item("reasoning", "done", id="rs_1"),
            *responses(["a"])[2:5],
        ],
        id="responses: its own end, unsealed",
    ),
    pytest.param(Protocol.GEMINI, [part(text="Hm", thought=True), *gemini(["a", "b"])[:1]], id="Gemini: text ends it"),
    pytest.param(Protocol.OLLAMA, [("", {"message": {"thinking": "Hm"}}), *ollama(["a"])[:1]], id="Ollama: so here"),
]


@pytest.mark.parametrize(("protocol", "events"), THOUGHT_OVER)
def test_a_thought_that_is_over_is_no_hindrance(protocol: Protocol, events: list[Named]) -> None:
    telling = heard(protocol, *events)
    assert (telling.text, telling.why_not, telling.closed in (0, words.BEGUN)) == ("a", "", True)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(choice(annotations=[{"type": "url_citation"}]), id="a source"),
        pytest.param(choice(content=None, tool_calls=[], refusal=None), id="nothing in many words"),
        pytest.param(("", None), id="a comment"),
        pytest.param(("", ""), id="empty data"),
        pytest.param(("", {"choices": None, "usage": None}), id="no choices"),
    ],
)
def test_what_says_nothing_is_no_hindrance(event: Named) -> None:
    assert heard(Protocol.CHAT, *SOME[Protocol.CHAT], event).continuable


def test_deltas_of_other_kinds_and_other_events_are_no_hindrance() -> None:
    cited = typed("content_block_delta", index=0, delta={"type": "citations_delta", "citation": {}})
    assert heard(Protocol.MESSAGES, *SOME[Protocol.MESSAGES], cited, typed("ping")).continuable
    noted = typed("response.output_text.annotation.added", output_index=0)
    assert heard(Protocol.RESPONSES, *SOME[Protocol.RESPONSES], noted).continuable
    assert heard(Protocol.GEMINI, *SOME[Protocol.GEMINI], part()).continuable


def test_a_stream_without_text_is_nothing_to_go_on_from() -> None:
    assert heard(Protocol.CHAT, *chat([])[:1]).why_not == words.NO_TEXT
    assert Told().read(Protocol.CHAT) == Telling()


def test_other_protocols_are_not_read() -> None:
    telling = telling_of(Protocol.OTHER, b"data: {}\n\n")
    assert (telling.continuable, telling.why_not) == (False, words.UNREADABLE)


def test_a_stream_that_is_no_list_of_events_is_not_read() -> None:
    telling = telling_of(Protocol.GEMINI, b'[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]},\n')
    assert not telling.continuable


# -- characters in halves


def test_the_halves_of_a_character_become_one() -> None:
    halves = [
        rb'data: {"choices":[{"delta":{"content":"a\ud83d"}}]}',
        rb'data: {"choices":[{"delta":{"content":"\uDE00"}}]}',
    ]
    telling = telling_of(Protocol.CHAT, b"\n\n".join([*halves, b""]))
    assert (telling.text, telling.continuable) == ("a😀", True)
    telling = telling_of(Protocol.CHAT, halves[0] + b"\n\n")
    assert (telling.text, telling.why_not) == ("a\ud83d", words.HALF_CHARACTER)
    assert (spelled(telling.text), mended("\ud83d\ude00")) == (rb'"a\ud83d"', "😀")


@pytest.mark.parametrize(
    ("data", "document"),
    [
        pytest.param(b'{"a":1}', {"a": 1}, id="an object"),
        pytest.param(rb'{"a":"\ud83d"}', {"a": "\ud83d"}, id="half a character"),
        pytest.param(rb'{"a":"\ud83d"} ' + b"\xff", None, id="half a character, and no UTF-8"),
        pytest.param(rb'{"a":"\ud83d"', None, id="half a character, cut off"),
        pytest.param(rb'["\ud83d",' + b"[" * 100_000, None, id="half a character, as deep as a well"),
        pytest.param(b"[1]", None, id="a list"),
        pytest.param(b"{", None, id="cut off"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_an_object_is_read_or_not(data: bytes, document: object) -> None:
    assert document_of(data) == document
    assert fields_of(document_of(data)) == (document or {})


@given(st.text(st.characters(codec=None), max_size=20))
@example("a\ud83d")
@example("\ud83d\ude00")
def test_any_text_comes_back_from_its_spelling(text: str) -> None:
    assert mended(json.loads(spelled(text))) == mended(text)
    assert is_text(text) == (text == text.encode("utf-8", "replace").decode())
    assert mended(mended(text)) == mended(text)


# -- the hot path


def test_a_long_stream_is_let_go() -> None:
    told, dice = Told(limit=10_000), random.Random(1)
    while told.read(Protocol.CHAT).why_not in ("", words.NO_TEXT):
        word = "".join(dice.choices("abcdefghijklmnopqrstuvwxyz ", k=400))
        told.passed(PLAIN(chat([word])[1:2])[0])
    for _ in range(3):
        assert told.read(Protocol.CHAT) == Telling(why_not=words.TOO_LONG)
        told.passed(b"data: {}\n\n")
    assert told._parts == told._packed == []


def test_what_is_held_is_bounded_however_small_the_chunks() -> None:
    told = Told()
    for _ in range(2 * KEPT_BYTES // EACH_BYTES):
        told.passed(b"x")
        assert len(told._parts) * (EACH_BYTES + 1) <= BLOCK_BYTES
        assert sum(map(len, told._packed)) <= KEPT_BYTES


def test_a_long_stream_of_text_is_held_packed() -> None:
    told, pieces = Told(), [f"word {number} of many, " for number in range(2_000)]
    for event in PLAIN(chat(pieces)[:-3]):
        told.passed(event)
    telling = told.read(Protocol.CHAT)
    assert telling.continuable and telling.text == "".join(pieces)
    assert sum(map(len, told._packed)) < 30_000 and told._packed


def test_of_a_slow_clients_stream_less_is_held() -> None:
    told, dice = Told(), random.Random(1)
    for _ in range(80):
        word = "".join(dice.choices("abcdefghijklmnopqrstuvwxyz ", k=400))
        told.passed(PLAIN(chat([word])[1:2])[0])
    assert told.read(Protocol.CHAT).continuable
    told.slow()
    assert told.read(Protocol.CHAT) == Telling(why_not=words.TOO_LONG) and told._packed == told._parts == []


def test_a_slow_clients_stream_is_packed_early_and_loses_nothing() -> None:
    told, pieces = Told(), [f"word {number} of many, " for number in range(300)]
    events = PLAIN(chat(pieces)[:-3])
    told.passed(events[0])
    told.slow()
    assert told._packed == []
    for event in events[1:]:
        told.passed(event)
        assert sum(map(len, told._parts)) < SLOW_BLOCK_BYTES
    assert told.read(Protocol.CHAT).text == "".join(pieces)


def test_more_that_is_about_to_be_sent_is_read_with_the_rest() -> None:
    told = Told()
    first, second = PLAIN(chat(["one ", "two"])[1:3])
    told.passed(first)
    assert told.read(Protocol.CHAT, second).text == "one two"
    assert told.read(Protocol.CHAT).text == "one "


# -- anything at all


names = st.sampled_from(
    [
        "type",
        "error",
        "choices",
        "delta",
        "message",
        "index",
        "content",
        "content_block",
        "text",
        "item",
        "part",
        "parts",
        "response",
        "usage",
        "candidates",
        "sequence_number",
        "output_index",
        "content_index",
        "item_id",
        "id",
        "model",
        "created",
        "thought",
        "finish_reason",
        "finishReason",
    ]
)
kinds = st.sampled_from(
    [
        "error",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "message_delta",
        "text",
        "text_delta",
        "thinking",
        "message",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "reasoning",
        "output_text",
        "function_call",
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | kinds
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
rubbish = st.lists(
    st.binary(max_size=30)
    | documents.map(lambda document: b"data: " + json.dumps(document).encode() + b"\n\n")
    | documents.map(lambda document: json.dumps(document).encode() + b"\n")
    | st.sampled_from(
        [b"data: [DONE]\n\n", b"\r\n\r\n", b"event: error\n", b'data: {"id":1e999}\n\n', b"\xef\xbb\xbf"]
    ),
    max_size=8,
)


@unhurried
@given(rubbish, st.sampled_from(Protocol))
def test_reading_never_raises(chunks: list[bytes], protocol: Protocol) -> None:
    telling = telling_of(protocol, *chunks)
    assert 0 <= telling.whole <= len(b"".join(chunks))
    assert telling.continuable == (telling.why_not == "")
    assert telling.continuable <= bool(telling.text)


@unhurried
@given(st.sampled_from(list(MAKERS.values())), st.data())
def test_packets_do_not_matter(maker: tuple[Protocol, Callable[[list[str]], list[Named]]], data: st.DataObject) -> None:
    protocol, make = maker
    style = data.draw(st.sampled_from(list(STYLES.values())))
    stream = b"".join(dressed(protocol, make(PIECES), style))
    stream = stream[: data.draw(st.integers(0, len(stream)))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    packets = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert telling_of(protocol, *packets) == telling_of(protocol, stream)
