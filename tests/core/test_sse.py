"""Events out of bytes, whatever the packets; what an event says of its stream; whether a stream ended whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core import errorbody
from tray_app.core.sse import (
    KEPT,
    EndWatch,
    Event,
    Sign,
    Splitter,
    begins_plainly,
    ends_well,
    error_in,
    is_readable,
    latest_from,
    may_fail,
    sign_of,
    whole_to,
)
from tray_app.core.values import Protocol

BOM = b"\xef\xbb\xbf"


def whole(data: bytes, protocol: Protocol = Protocol.CHAT) -> list[Event]:
    """The events of `data` come at once: what every other packetisation is compared with."""
    splitter = Splitter(protocol)
    return splitter.feed(data) + splitter.close()


def packets(data: bytes, cuts: list[int], protocol: Protocol = Protocol.CHAT) -> list[Event]:
    splitter, events = Splitter(protocol), []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in zip(edges, edges[1:], strict=False):
        events += splitter.feed(data[start:end])
    return events + splitter.close()


def told(events: list[Event]) -> list[tuple[str, bytes | None]]:
    return [(event.name, event.data) for event in events]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"data: a\n\n", [("", b"a")], id="one event"),
        pytest.param(b"data:a\n\n", [("", b"a")], id="no blank after the colon"),
        pytest.param(b"data:  a\n\n", [("", b" a")], id="only one blank is cut"),
        pytest.param(b"data: a\ndata: b\n\n", [("", b"a\nb")], id="two lines of data"),
        pytest.param(b"data\n\n", [("", b"")], id="a field without a colon"),
        pytest.param(b"event: ping\ndata: {}\n\n", [("ping", b"{}")], id="a named event"),
        pytest.param(b"id: 7\nretry: 9\ndata: a\n\n", [("", b"a")], id="other fields are passed over"),
        pytest.param(b": comment\n\n", [("", None)], id="a comment has no data"),
        pytest.param(b": comment\n\ndata: a\n\n", [("", None), ("", b"a")], id="a comment before an event"),
        pytest.param(b"data: a\r\n\r\n", [("", b"a")], id="CRLF"),
        pytest.param(b"data: a\r\rdata: b\r\r", [("", b"a"), ("", b"b")], id="CR"),
        pytest.param(b"data: a\r\n\ndata: b\n\r\n", [("", b"a"), ("", b"b")], id="a mixture"),
        pytest.param(b"data: a\n\rdata: b\r\r\n", [("", b"a"), ("", b"b")], id="a stranger mixture"),
        pytest.param(b"\n\n\n\ndata: a\n\n\n\n", [("", b"a")], id="blank lines are no events"),
        pytest.param(BOM + b"data: a\n\n", [("", b"a")], id="a byte order mark at the start"),
        pytest.param(b"data: a\n\n" + BOM + b"data: b\n\n", [("", b"a"), ("", None)], id="a mark elsewhere is a word"),
        pytest.param(b"data: a\n\ndata: b", [("", b"a"), ("", b"b")], id="an unfinished event at the end is shown"),
        pytest.param(b"data: a\n\n \n", [("", b"a")], id="blanks at the end are none"),
        pytest.param(b"event: \xff\ndata: \xff\n\n", [("\ufffd", b"\xff")], id="bytes that are no text"),
    ],
)
def test_a_stream_is_cut_into_events(data: bytes, events: list[tuple[str, bytes | None]]) -> None:
    assert told(whole(data)) == events
    assert told(packets(data, list(range(len(data))))) == events


@pytest.mark.parametrize(
    ("data", "events"),
    [
        pytest.param(b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], id="a line is an event"),
        pytest.param(
            b'{"a":1}\r\n\n\n{"b":2}', [b'{"a":1}', b'{"b":2}'], id="blank lines are none, an open end is one"
        ),
        pytest.param(b"\n \n", [], id="nothing but blanks"),
    ],
)
def test_lines_of_json_are_events_too(data: bytes, events: list[bytes]) -> None:
    assert told(whole(data, Protocol.OLLAMA)) == [("", event) for event in events]
    assert told(packets(data, list(range(len(data))), Protocol.OLLAMA)) == [("", event) for event in events]


pieces = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"event: e",
        b": c",
        b"x",
        b"\r\n",
        b"\n",
        b"\r",
        b"\n\n",
        b"\r\n\r\n",
        b"\r\r",
        BOM,
        b"\xef",
        b" ",
    ]
)
streams = st.lists(pieces, max_size=25).map(b"".join) | st.binary(max_size=40)
cuts = st.lists(st.integers(0, 400), max_size=30)


@unhurried
@given(streams, cuts, st.sampled_from([Protocol.CHAT, Protocol.OLLAMA]))
@example(b"\n\n" + BOM + b"data: a\n\n", [2], Protocol.CHAT)
@example(b"data: a\r\r\ndata: b\r\n\r", [8, 9], Protocol.CHAT)
def test_packets_do_not_matter(data: bytes, edges: list[int], protocol: Protocol) -> None:
    assert packets(data, edges, protocol) == whole(data, protocol)


def test_who_has_seen_enough_leaves_the_rest_for_later() -> None:
    splitter = Splitter(Protocol.CHAT)
    for event in splitter.events(b"data: a\n\ndata: b\n\ndata"):
        assert event.data == b"a"
        break
    assert told(splitter.feed(b": c\n\n")) == [("", b"b"), ("", b"c")]


lines = st.lists(st.sampled_from([b"data: a", b"data: b c", b"data:", b"event: e", b": note", b"id: 1"]), min_size=1)


@unhurried
@given(st.lists(lines, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans(), cuts)
def test_the_kind_of_line_end_does_not_matter(
    blocks: list[list[bytes]], end: bytes, mark: bool, edges: list[int]
) -> None:
    def stream(line_end: bytes) -> bytes:
        return b"".join(line_end.join([*block, b"", b""]) for block in blocks)

    assert told(packets((BOM if mark else b"") + stream(end), edges)) == told(whole(stream(b"\n")))


@unhurried
@given(streams, cuts)
def test_no_byte_that_says_something_is_lost(data: bytes, edges: list[int]) -> None:
    kept = b"".join(event.raw for event in packets(data, edges))
    assert kept.split() == data.removeprefix(BOM).split()


# -- signs


def event_of(document: object, name: str = "") -> Event:
    return Event(name, document if isinstance(document, bytes) else json.dumps(document).encode(), b"")


def delta(**said: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": None}], "error": None}


@pytest.mark.parametrize(
    ("event", "sign"),
    [
        # life
        pytest.param(Event("", None, b": OPENROUTER PROCESSING\n\n"), Sign.LIFE, id="a comment"),
        pytest.param(event_of(b"  "), Sign.LIFE, id="empty data"),
        pytest.param(event_of({"type": "ping"}, "ping"), Sign.LIFE, id="a ping"),
        pytest.param(event_of({"type": "message_start", "message": {"content": []}}), Sign.LIFE, id="a message begins"),
        pytest.param(event_of({}, "response.created"), Sign.LIFE, id="a response is created, by its name"),
        pytest.param(event_of({"type": "response.output_item.added"}), Sign.LIFE, id="an item begins"),
        pytest.param(event_of(delta(role="assistant", content="")), Sign.LIFE, id="a role alone"),
        pytest.param(event_of(delta(content=None, refusal=None)), Sign.LIFE, id="a delta of nothing"),
        pytest.param(event_of({"choices": [{"delta": None}]}), Sign.LIFE, id="no delta"),
        pytest.param(event_of({"choices": [{"message": {"role": "assistant"}}]}), Sign.LIFE, id="a message of nothing"),
        pytest.param(event_of({"choices": [], "prompt_filter_results": []}), Sign.LIFE, id="Azure's filter results"),
        pytest.param(event_of({"choices": [], "usage": {"total_tokens": 5}}), Sign.LIFE, id="usage alone"),
        pytest.param(
            event_of({"choices": [{"delta": {}, "finish_reason": "stop"}]}), Sign.LIFE, id="an end of nothing"
        ),
        pytest.param(event_of({"type": "content_block_stop", "index": 0}), Sign.LIFE, id="a block of nothing ends"),
        pytest.param(
            event_of({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}), Sign.LIFE, id="a turn of nothing"
        ),
        pytest.param(event_of({"type": "message_delta", "delta": None}), Sign.LIFE, id="a turn's usage"),
        pytest.param(
            event_of({"type": "content_block_delta", "delta": {"type": "text_delta", "text": ""}}),
            Sign.LIFE,
            id="Anthropic's empty delta",
        ),
        pytest.param(
            event_of({"type": "response.output_text.delta", "delta": ""}), Sign.LIFE, id="an empty delta of Responses"
        ),
        pytest.param(
            event_of({"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}]}),
            Sign.LIFE,
            id="Gemini's end of nothing",
        ),
        pytest.param(
            event_of({"done": False, "message": {"role": "assistant", "content": ""}}), Sign.LIFE, id="Ollama's opening"
        ),
        # content
        pytest.param(event_of(delta(content="Hi")), Sign.CONTENT, id="text"),
        pytest.param(event_of(delta(reasoning="Hm")), Sign.CONTENT, id="reasoning"),
        pytest.param(event_of(delta(tool_calls=[{"index": 0}])), Sign.CONTENT, id="a tool call"),
        pytest.param(event_of({"choices": [{"text": "Hi"}]}), Sign.CONTENT, id="text of the older kind"),
        pytest.param(event_of({"choices": [{"message": {"content": "Hi"}}]}), Sign.CONTENT, id="a whole message"),
        pytest.param(event_of({"choices": [{"finish_reason": "length"}]}), Sign.CONTENT, id="a finish for a reason"),
        pytest.param(event_of({"type": "content_block_delta", "delta": {"text": "H"}}), Sign.CONTENT, id="Anthropic"),
        pytest.param(event_of({"type": "response.output_text.delta", "delta": "H"}), Sign.CONTENT, id="Responses"),
        pytest.param(event_of({"candidates": [{"content": {"parts": [{"text": "H"}]}}]}), Sign.CONTENT, id="Gemini"),
        pytest.param(event_of({"candidates": [{"finishReason": "SAFETY"}]}), Sign.CONTENT, id="Gemini refuses"),
        pytest.param(event_of({"promptFeedback": {"blockReason": "x"}}), Sign.CONTENT, id="Gemini's feedback"),
        pytest.param(
            event_of({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}), Sign.CONTENT, id="cut short"
        ),
        pytest.param(event_of({"done": False, "message": {"content": "H"}}), Sign.CONTENT, id="Ollama's chat"),
        pytest.param(
            event_of({"done": True, "message": {"content": ""}}), Sign.CONTENT, id="Ollama has loaded a model"
        ),
        pytest.param(
            event_of({"done": True, "done_reason": "load", "message": {"content": ""}}),
            Sign.CONTENT,
            id="Ollama says that it has loaded a model",
        ),
        pytest.param(
            event_of({"done": True, "done_reason": "stop", "message": {"role": "assistant", "content": ""}}),
            Sign.END,
            id="Ollama's model has nothing to say",
        ),
        pytest.param(event_of({"done": True, "done_reason": "stop", "response": ""}), Sign.END, id="nor here"),
        pytest.param(
            event_of({"done": True, "done_reason": "stop", "message": {"content": "H"}}),
            Sign.CONTENT,
            id="Ollama says all of it at once",
        ),
        pytest.param(event_of({"done": True, "done_reason": "stop", "response": "H"}), Sign.CONTENT, id="here too"),
        pytest.param(event_of({"model": "m", "response": "H", "done": False}), Sign.CONTENT, id="Ollama"),
        pytest.param(event_of(b"no JSON"), Sign.CONTENT, id="what cannot be read is not ours to judge"),
        pytest.param(event_of(b"[1]"), Sign.CONTENT, id="nor is what is no object"),
        pytest.param(event_of({"choices": 5}), Sign.CONTENT, id="nor choices that are none"),
        pytest.param(event_of(b"\xff\xfe"), Sign.CONTENT, id="nor bytes that are no text"),
        pytest.param(event_of(b"[" * 5000), Sign.CONTENT, id="nor nesting without end"),
        # errors
        pytest.param(event_of({"error": {"message": "m"}}), Sign.ERROR, id="an error"),
        pytest.param(event_of({"error": "m"}), Sign.ERROR, id="an error that is a text"),
        pytest.param(event_of({"type": None, "error": {"m": 1}}), Sign.ERROR, id="an error beside a type of null"),
        pytest.param(event_of({"delta": "x", "error": {"m": 1}}), Sign.ERROR, id="an error beside anything"),
        pytest.param(event_of({"type": "error", "message": "m"}), Sign.ERROR, id="an event of errors, flat"),
        pytest.param(event_of({"message": "m"}, "error"), Sign.ERROR, id="an event of errors by its name"),
        pytest.param(event_of(b"Internal failure", "error"), Sign.ERROR, id="an event of errors in plain words"),
        pytest.param(event_of({"type": "response.failed", "response": {}}), Sign.ERROR, id="a failed response"),
        pytest.param(event_of({"object": "error", "message": "m"}), Sign.ERROR, id="Mistral's"),
        pytest.param(event_of({"choices": [{"finish_reason": "error"}]}), Sign.ERROR, id="a finish in an error"),
        pytest.param(event_of({"choices": [{"delta": {}, "error": {"code": 1}}]}), Sign.ERROR, id="a choice's error"),
        # no errors
        pytest.param(event_of({"error": None, "x": []}), Sign.CONTENT, id="an error of null is none"),
        pytest.param(event_of({"error": {}, "x": []}), Sign.CONTENT, id="an empty error is none"),
        # ends
        pytest.param(event_of(b"[DONE]"), Sign.END, id="the terminator"),
        pytest.param(event_of(b" [DONE] "), Sign.END, id="the terminator with blanks"),
        pytest.param(event_of({"type": "message_stop"}), Sign.END, id="a message ends"),
        pytest.param(event_of({"type": "response.completed", "response": {}}), Sign.END, id="a response ends"),
        pytest.param(event_of({"type": "response.incomplete"}), Sign.END, id="a response ends early"),
    ],
)
def test_the_sign_of_an_event(event: Event, sign: Sign) -> None:
    assert sign_of(event) is sign


names = st.sampled_from(["type", "error", "choices", "delta", "message", "object", "finish_reason", "text"])
leaves = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["error", "ping", "response.failed"])
documents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner))


@pytest.mark.many_cases
@unhurried
@given(st.text(max_size=9), st.binary() | documents.map(lambda document: json.dumps(document).encode()))
def test_every_event_has_a_sign(name: str, data: bytes) -> None:
    assert sign_of(Event(name, data, data)) in Sign


@pytest.mark.many_cases
@unhurried
@given(documents.map(lambda document: json.dumps(document).encode()))
def test_the_reader_of_errors_sees_every_error_that_the_stream_shows(data: bytes) -> None:
    if sign_of(Event("", data, data)) is Sign.ERROR:
        assert errorbody.read(data).present


@pytest.mark.parametrize(
    ("data", "readable"),
    [
        pytest.param(None, True, id="a comment"),
        pytest.param(b' {"a": 1}', True, id="JSON"),
        pytest.param(b"[DONE]", True, id="the terminator of chats"),
        pytest.param(b'{"a": ', False, id="half of it"),
        pytest.param(b"\xff", False, id="bytes that are no text"),
        pytest.param(b"[" * 100_000, False, id="what is nested without end"),
    ],
)
def test_an_event_can_be_read_or_not(data: bytes | None, readable: bool) -> None:
    assert is_readable(Event("", data, b"")) is readable


# -- ends

ENDS = [
    pytest.param(Protocol.CHAT, b"\n\ndata: [DONE]\n\n", id="chat"),
    pytest.param(Protocol.CHAT, b"\n\ndata:[DONE]\n\n", id="chat without the blank"),
    pytest.param(Protocol.RESPONSES, b'data: {"type":"response.completed"}\n\n', id="responses"),
    pytest.param(Protocol.RESPONSES, b'data: {"type":"response.incomplete"}\n\n', id="responses, early"),
    pytest.param(Protocol.RESPONSES, b'data: {"type":"response.failed"}\n\n', id="responses, failed"),
    pytest.param(Protocol.MESSAGES, b'event: message_stop\ndata: {"type":"message_stop"}\n\n', id="messages"),
    pytest.param(Protocol.GEMINI, b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n', id="Gemini"),
    pytest.param(Protocol.OLLAMA, b'{"model":"m","done":true}\n', id="Ollama"),
    pytest.param(Protocol.OLLAMA, b'{"model": "m", "done": true}\n', id="Ollama with blanks"),
]
COMPLETE = [
    pytest.param(Protocol.CHAT, b'{"delta":{},"finish_reason":"stop"}', id="chat: a reason to finish"),
    pytest.param(Protocol.CHAT, b'{"delta": {}, "finish_reason": "length"}', id="chat: a reason with a blank"),
    pytest.param(
        Protocol.MESSAGES, b'event: error\ndata: {"type":"error"}\n\n', id="messages: an error that the client has seen"
    ),
]
OPEN = [
    pytest.param(Protocol.CHAT, b'{"delta":{"content":"x"},"finish_reason":null}', id="chat: no reason yet"),
    pytest.param(Protocol.RESPONSES, b'{"type":"response.output_text.delta"}', id="responses: text"),
    pytest.param(
        Protocol.MESSAGES, b'{"type":"message_delta","delta":{"stop_reason":"end_turn"}}', id="messages: a delta"
    ),
    pytest.param(Protocol.GEMINI, b'{"candidates":[{"content":{}}]}', id="Gemini: text"),
    pytest.param(Protocol.OLLAMA, b'{"model":"m","done":false}', id="Ollama: not done"),
]


def watched(protocol: Protocol, *data: bytes) -> tuple[bool, bool]:
    watch = EndWatch(protocol)
    for packet in data:
        watch.passed(packet)
    return watch.whole, watch.final


@pytest.mark.parametrize(("protocol", "end"), ENDS)
def test_a_terminator_ends_a_stream(protocol: Protocol, end: bytes) -> None:
    assert watched(protocol, b"before ", end) == (True, True)
    assert watched(protocol, end, b"whatever comes after") == (True, True)


@pytest.mark.parametrize(("protocol", "mark"), COMPLETE)
def test_an_answer_may_be_complete_without_its_terminator(protocol: Protocol, mark: bytes) -> None:
    assert watched(protocol, mark, b"more") == (True, False)


LAST = [
    pytest.param(
        Protocol.RESPONSES,
        b'event: response.completed\ndata: {"type":"response.completed","response":{"output":[{"a":1}]}}\n\n',
        id="responses",
    ),
    pytest.param(Protocol.MESSAGES, b'event: message_stop\ndata: {"type":"message_stop","a":1}\n\n', id="messages"),
    pytest.param(
        Protocol.GEMINI, b'data: {"candidates":[{"finishReason":"STOP","content":{"parts":["a"]}}]}\n\n', id="Gemini"
    ),
    pytest.param(Protocol.OLLAMA, b'{"model":"m","done":true,"message":{"content":"a"}}\n', id="Ollama"),
    pytest.param(
        Protocol.CHAT, b'data: {"choices":[{"finish_reason":"stop","delta":{"content":"a"}}]}\n\n', id="chat's finish"
    ),
]


@pytest.mark.parametrize(("protocol", "last"), LAST)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_an_answer_that_is_cut_within_its_last_event_is_not_whole(
    protocol: Protocol, last: bytes, line_end: bytes
) -> None:
    if protocol is Protocol.OLLAMA and line_end == b"\r":
        return  # lines of JSON end with line feeds
    before, last = (b"data: {}\n\n" * 3).replace(b"\n", line_end), last.replace(b"\n", line_end)
    if protocol is Protocol.OLLAMA:
        before = b"{}" + line_end
    end = last.rindex(b"}") + 1
    for cut in range(end):
        assert watched(protocol, before, last[:cut])[0] is False
    for cut in range(end, len(last) + 1):  # it lacks nothing but its blank line
        assert watched(protocol, before, last[:cut])[0] is True


def test_a_last_event_of_which_the_beginning_is_not_kept_ends_as_json_does() -> None:
    event = b'data: {"type":"response.completed","response":{"output":["%b"]}}' % (b"x" * 3 * KEPT)
    packets = [event[at : at + 1000] for at in range(0, len(event), 1000)]
    assert watched(Protocol.RESPONSES, *packets) == (True, True)
    assert watched(Protocol.RESPONSES, *packets[:-1], packets[-1][:-3]) == (False, True)


@pytest.mark.parametrize(("protocol", "data"), OPEN)
def test_an_answer_without_its_end_is_not_whole(protocol: Protocol, data: bytes) -> None:
    assert watched(protocol, data * 20) == (False, False)
    assert watched(protocol) == (False, False)


@pytest.mark.parametrize(("protocol", "data"), [*ENDS, *COMPLETE])
def test_a_mark_may_be_cut_anywhere(protocol: Protocol, data: bytes) -> None:
    at_once = watched(protocol, b"x" * 40 + data)
    assert at_once[0]
    assert watched(protocol, b"x" * 40, *(data[at : at + 1] for at in range(len(data)))) == at_once
    for cut in range(len(data)):
        assert watched(protocol, b"x" * 40 + data[:cut], data[cut:]) == at_once


FAILED = [
    pytest.param(Protocol.CHAT, b'data: {"error":{"code":502},"choices":[]}\n\ndata: [DONE]\n\n', id="chat"),
    pytest.param(Protocol.CHAT, b'data: {"error": "m"}\n\n', id="chat, an error that is a text"),
    pytest.param(Protocol.RESPONSES, b'data: {"type":"response.failed","response":{}}\n\n', id="responses"),
    pytest.param(Protocol.RESPONSES, b'event: error\ndata: {"type":"error","message":"m"}\n\n', id="responses, flat"),
    pytest.param(Protocol.MESSAGES, b'event: error\ndata: {"type":"error","error":{}}\n\n', id="messages"),
    pytest.param(Protocol.GEMINI, b'data: {"error": {"code": 503}}\n\n', id="Gemini"),
    pytest.param(Protocol.OLLAMA, b'{"model":"m","done":false}\n{"error":"m"}\n', id="Ollama"),
]
WELL = [
    pytest.param(Protocol.CHAT, b'data: {"error":null,"choices":[]}\n\ndata: [DONE]\n\n', id="chat, no error"),
    pytest.param(
        Protocol.CHAT, rb'data: {"choices":[{"delta":{"content":"{\"error\":{}}"}}]}', id="chat, words about errors"
    ),
    pytest.param(Protocol.RESPONSES, b'data: {"type":"response.completed","response":{"error":null}}', id="responses"),
    pytest.param(
        Protocol.GEMINI,
        b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"args":{"error":{"a":1}}}}]}}]}',
        id="Gemini, a tool's argument of that name",
    ),
    pytest.param(
        Protocol.OLLAMA,
        b'{"message":{"tool_calls":[{"function":{"arguments":{"error":"a"}}}]},"done":true}\n',
        id="Ollama, a tool's argument of that name",
    ),
    pytest.param(Protocol.OTHER, b'data: {"error":{}}', id="another kind"),
]


def failed(protocol: Protocol, *data: bytes) -> bool:
    watch = EndWatch(protocol)
    for packet in data:
        watch.passed(packet)
    return watch.failed


@pytest.mark.parametrize(("protocol", "data"), FAILED)
def test_an_error_of_the_providers_own_at_the_end_is_seen(protocol: Protocol, data: bytes) -> None:
    assert failed(protocol, data)
    assert failed(protocol, b"x" * 100_000, b"\n\n", *(data[at : at + 1] for at in range(len(data))))


@pytest.mark.parametrize(("protocol", "data"), WELL)
def test_an_error_is_not_seen_where_there_is_none(protocol: Protocol, data: bytes) -> None:
    assert not failed(protocol, data)


def test_an_error_long_before_the_end_did_not_end_the_stream() -> None:
    assert not failed(Protocol.CHAT, b'data: {"error":{}}\n\n', *[b"x" * 1_000] * 40)


def test_an_end_that_is_cut_after_a_long_stream_is_seen() -> None:
    packets = [b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'] * 2_000
    assert watched(Protocol.CHAT, *packets, b"data: [DO", b"NE]\n\n") == (True, True)
    assert watched(Protocol.CHAT, *packets) == (False, False)


def test_of_a_stream_of_another_kind_no_end_is_known() -> None:
    assert watched(Protocol.OTHER, b"anything") == (True, False)


WORDS = [
    pytest.param(Protocol.CHAT, b'data: {"choices":[{"delta":{"content":"data: [DONE]"}}]}\n\n', id="chat"),
    pytest.param(Protocol.MESSAGES, b'data: {"delta":{"text":"event: error message_stop"}}\n\n', id="messages"),
    pytest.param(Protocol.RESPONSES, b'data: {"delta":"say \\"response.completed\\" now"}\n\n', id="responses"),
]


@pytest.mark.parametrize(("protocol", "event"), WORDS)
def test_a_models_own_words_are_no_marks(protocol: Protocol, event: bytes) -> None:
    watch = EndWatch(protocol)
    watch.passed(event)
    assert not watch.final and not watch.whole and not watch.failed


ERRORS = [
    pytest.param(Protocol.CHAT, b'data: {"error":{"code":502},"choices":[]}\n\ndata: [DONE]\n\n', id="chat"),
    pytest.param(Protocol.CHAT, b'data: {"error":"busy"}\n\n', id="chat, as a text"),
    pytest.param(Protocol.MESSAGES, b'event: error\ndata: {"type":"error","error":{}}\n\n', id="messages"),
    pytest.param(
        Protocol.RESPONSES,
        b'data: {"type":"response.failed","response":{"instructions":"' + b"x" * 12_000 + b'"}}\n\n',
        id="responses",
    ),
]


@pytest.mark.parametrize(("protocol", "event"), ERRORS)
def test_an_error_at_the_end_is_seen_however_long(protocol: Protocol, event: bytes) -> None:
    watch = EndWatch(protocol)
    for place in range(0, len(event), 1000):
        watch.passed(event[place : place + 1000])
    assert watch.failed


def test_an_answer_with_a_long_last_event_is_whole() -> None:
    chat = EndWatch(Protocol.CHAT)
    chat.passed(b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: {"usage":"' + b"x" * 6_000 + b'"}\n\n')
    ollama = EndWatch(Protocol.OLLAMA)
    ollama.passed(b'{"done":true,"context":[' + b"1," * 20_000 + b"1]}\n")
    assert chat.whole and ollama.whole


def test_a_protocol_of_which_nothing_is_known_counts_as_whole() -> None:
    watch = EndWatch(Protocol.OTHER)
    watch.passed(b'data: {"error":{}}\n\n')
    assert watch.whole and not watch.final and not watch.failed
    assert watch.ending(b"data: [DONE]\n\n") == b""


# -- a stretch in the middle of a stream


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"data: 1\n\n", 9),
        (b"data: 1\n\ndata: 2", 9),
        (b"data: 1\r\n\r\ndata: 2\r\n", 11),
        (b"data: 1\r\n\r\n", 11),
        (b"data: 1\r\rdata: 2\r", 9),
        (b"data: 1\n", 0),
        (b"data", 0),
        (b"", 0),
    ],
)
def test_whole_events_are_told_from_the_beginning_of_the_next(data: bytes, whole: int) -> None:
    assert whole_to(data, ndjson=False) == whole


@pytest.mark.parametrize(("data", "whole"), [(b"{}\n", 3), (b"{}\n{", 3), (b"{", 0), (b"{}\r\n", 4)])
def test_whole_lines_are_told_from_the_beginning_of_the_next(data: bytes, whole: int) -> None:
    assert whole_to(data, ndjson=True) == whole


@given(
    st.lists(st.sampled_from([b"data: a", b": c", b"event: x"]), max_size=6), st.sampled_from([b"\n", b"\r\n", b"\r"])
)
def test_whole_events_end_where_the_splitter_ends_one(blocks: list[bytes], end: bytes) -> None:
    data = b"".join(block + end + end for block in blocks)
    for cut in range(len(data) + 1):
        whole = whole_to(data[:cut], ndjson=False)
        events = Splitter(Protocol.CHAT).feed(data[:whole] + b"\n")  # a lone CR at the edge may be half of a CRLF
        assert whole in {0, *(len(b"".join(b + end + end for b in blocks[:n])) for n in range(len(blocks) + 1))}
        assert len(events) == (whole and data[:whole].count(end + end))


ERROR = b'data: {"error": {"message": "no"}}\n\n'


@pytest.mark.parametrize(
    ("protocol", "events", "found"),
    [
        (Protocol.CHAT, b'data: {"choices": []}\n\n' + ERROR + b"data: [DONE]\n\n", b'data: {"choices": []}\n\n'),
        (Protocol.CHAT, ERROR, b""),
        (Protocol.CHAT, b": hello\n\n\n\n" + ERROR.rstrip(), b": hello\n\n\n\n"),
        (Protocol.OLLAMA, b'{"done": false}\n{"error": "no"}\n', b'{"done": false}\n'),
    ],
)
def test_what_comes_before_an_error_is_told_apart(protocol: Protocol, events: bytes, found: bytes) -> None:
    result = error_in(events, protocol)
    assert result is not None
    before, error = result
    assert before == found and b"no" in error


@pytest.mark.parametrize(
    "events", [b"", b'data: {"choices": [], "error": null}\n\n', b'data: {"x": "\\"error\\""}\n\n']
)
def test_where_there_is_no_error_none_is_found(events: bytes) -> None:
    assert error_in(events, Protocol.CHAT) is None


@pytest.mark.parametrize(
    ("count", "start"),
    [(1, b"\n\ndata: c\n\n"), (2, b"\n\ndata: b\n\ndata: c\n\n"), (3, None), (9, None)],
)
def test_the_latest_events_are_found_from_the_end(count: int, start: bytes | None) -> None:
    events = b"data: a\n\ndata: b\n\ndata: c\n\n"
    assert events[latest_from(events, count) :] == (start or events)
    assert latest_from(b"", count) == latest_from(b"data", count) == 0


# -- at a glance

OPENINGS = (
    b": PROCESSING\n\n",
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n',
    b'data: {"choices": [{"delta": {"role": "assistant", "content": null}}]}\n\n',
    b'event: message_start\ndata: {"type":"message_start","message":{"content":[]}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{}}\n\n',
    b'event: ping\ndata: {"type": "ping"}\n\n',
    b'data: {"type":"ping","delta":{"content":"x"}}\n\n',
    b'event: ping\ndata: {"delta":{"content":"x"}}\n\n',
)
TEXTS = (
    b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":" the"},"finish_reason":null}]}\n\n',
    b'data: {"choices": [{"delta": {"content": "\\n"}}]}\n\n',
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n',
    b'data: {"type": "content_block_delta", "index": 12, "delta": {"type": "text_delta", "text": "a"}}\n\n',
)
OTHERS = (
    b'data: {"error":{"message":"no"}}\n\n',
    b'data: {"\\u0065rror":{"message":"no"}}\n\n',
    b"event: error\ndata: {}\n\n",
    b'data: {"object":"error"}\n\n',
    b'data: {"type":"response.failed"}\n\n',
    b'data: {"type":"response.completed"}\n\n',
    b'data: {"choices":[{"finish_reason":"error","delta":{"content":"x"}}]}\n\n',
    b"data: [DONE]\n\n",
    b'data: {"type":"message_stop"}\n\n',
    b'data: {"done":true,"done_reason":"stop"}\n\n',
    b': {"delta":{"content":"in a comment"}}\n\n',
    b'data: {"choices":[{"delta":{"content":"cut he',
    b'data: {"choices":[{"delta":{"content":"Hi"}}]}\r\n\r\n',
    BOM,
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
    b"event: message_stop\ndata: {}\n\n",
    b"event: done\ndata: {}\n\n",
    b"data: null\n\n",
)
GLANCED = (Protocol.CHAT, Protocol.MESSAGES)


@pytest.mark.parametrize(
    ("protocol", "data"),
    [
        *((Protocol.CHAT, opening + text) for opening in (b"", *OPENINGS[:3]) for text in TEXTS[:3]),
        *((Protocol.MESSAGES, opening + text) for opening in (b"", *OPENINGS[3:6]) for text in TEXTS[3:]),
    ],
)
def test_text_shows_at_a_glance(protocol: Protocol, data: bytes) -> None:
    assert begins_plainly(data, protocol)
    assert begins_plainly(data + data, protocol)


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("data", [b"", *OPENINGS, *OTHERS])
def test_what_may_be_another_matter_does_not(protocol: Protocol, data: bytes) -> None:
    assert not begins_plainly(data, protocol)
    mine = {Protocol.CHAT: TEXTS[0], Protocol.MESSAGES: TEXTS[3]}.get(protocol)
    if mine is not None:
        assert not begins_plainly(data + mine[:-1], protocol), "not before the event is whole"


def test_no_other_protocol_is_glanced_at() -> None:
    data = b"".join(TEXTS)
    assert {protocol for protocol in Protocol if begins_plainly(data, protocol)} == set(GLANCED)


def never_says_more(protocol: Protocol, parts: Sequence[bytes]) -> bool:
    data = b"".join(parts)
    signs = (sign_of(event) for event in Splitter(protocol).feed(data))
    return not begins_plainly(data, protocol) or next(sign for sign in signs if sign is not Sign.LIFE) is Sign.CONTENT


@pytest.mark.parametrize("protocol", GLANCED)
def test_a_glance_never_says_more_than_reading_does(protocol: Protocol) -> None:
    parts = (*OPENINGS, *TEXTS, *OTHERS)
    assert [pair for pair in product(parts, repeat=2) if not never_says_more(protocol, pair)] == []


@given(
    protocol=st.sampled_from(GLANCED),
    parts=st.lists(st.sampled_from((*OPENINGS, *TEXTS, *OTHERS)), min_size=3, max_size=6),
)
def test_nor_of_longer_streams(protocol: Protocol, parts: list[bytes]) -> None:
    assert never_says_more(protocol, parts)


@given(
    sizes=st.lists(st.integers(1, 900), max_size=12),
    count=st.integers(1, 7),
    bad=st.integers(0, 12),
    ended=st.booleans(),
)
@example(sizes=[10] * 12, count=6, bad=0, ended=True)
@example(sizes=[300] * 12, count=6, bad=4, ended=True)
@example(sizes=[900] * 12, count=6, bad=8, ended=True)
@example(sizes=[900] * 12, count=1, bad=11, ended=False)
def test_an_error_among_the_latest_events_is_seen(sizes: list[int], count: int, bad: int, ended: bool) -> None:
    """Wherever else one stands, it may be seen or not."""
    made = [b'data: {"error": 1}' if at == bad else b"data: " + b"x" * size for at, size in enumerate(sizes)]
    events = b"\n\n".join(made) + (b"\n\n" if ended else b"")
    if b'error"' in events[latest_from(events, count) :]:
        assert may_fail(events, count)
    if bad >= len(sizes):
        assert not may_fail(events, count)
    far = len(events) > 2 * 400 * (count + 1) and bad < len(sizes) - 2 * (count + 1) and max(sizes) <= 300
    if far:
        assert not may_fail(events, count)


ENDS = {
    Protocol.CHAT: b"data: [DONE]\n\n",
    Protocol.MESSAGES: b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    Protocol.RESPONSES: b'data: {"type":"response.completed","response":{}}\n\n',
    Protocol.GEMINI: b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n',
}
FAILS = (
    b'data: {"error": {"message": "no"}}\n\n',
    b'data: {"type":"response.failed"}\n\n',
    b'data: {"type":"error"}\n\n',
)


@pytest.mark.parametrize("protocol", Protocol)
def test_a_whole_stream_ends_well_or_must_be_looked_at(protocol: Protocol) -> None:
    end, text = ENDS.get(protocol, b"data: [DONE]\n\n"), b'data: {"x": 1}\n\n' * 9
    assert ends_well(text + end, protocol) is (protocol in ENDS)
    assert not ends_well(text, protocol)
    assert not ends_well(text + end[:-1], protocol)
    for fail in FAILS:
        assert not ends_well(text + fail, protocol)
        assert not ends_well(text + fail + end, protocol) or b'error"' not in fail


@given(
    protocol=st.sampled_from(list(Protocol)),
    parts=st.lists(
        st.sampled_from((*TEXTS, *FAILS, *ENDS.values(), b'data: {"x": 1}\n\n', b"\n", b"data")), max_size=8
    ),
)
def test_what_ends_well_is_whole_and_has_not_failed(protocol: Protocol, parts: list[bytes]) -> None:
    stream = b"".join(parts)
    if ends_well(stream, protocol):
        watch = EndWatch(protocol)
        watch.passed(stream)
        assert (watch.final, watch.whole, watch.failed) == (True, True, False)
