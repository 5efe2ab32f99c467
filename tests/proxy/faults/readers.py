"""Strict readers, one a protocol: what a client is told by the bytes that it gets, and what is wrong with them.

They share no code with the app. A stream is read as the standard says (HTML, "event stream interpretation") and as
the protocol's reference orders its events; whatever a careful client could stumble over is named in `faults`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tray_app.core.values import Protocol

Document = dict[str, Any]
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass
class Reading:
    """What a client made of a body. `half`: an event that cannot be read stood before the error that ended it."""

    text: str = ""
    speaker: str = ""
    begun: bool = False  # whether anything of an answer came, were it only its opening
    finished: bool = False  # the model said that it has ended
    terminators: int = 0
    error: str | None = None
    half: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether a client takes it for a whole answer."""
        return self.error is None and self.finished and not self.faults

    def wrong(self, words: str) -> None:
        if words not in self.faults:
            self.faults.append(words)


def sse(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The events of a stream that hold data: names and data. An unfinished one is dropped, as the standard says."""
    *lines, _ = _LINE_END.split(body.removeprefix(b"\xef\xbb\xbf"))
    name, data = b"", []
    for line in lines:
        if not line:
            if data:
                yield name.decode("utf-8", "replace"), b"\n".join(data)
            name, data = b"", []
            continue
        label, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if label == b"event":
            name = value
        elif label == b"data":
            data.append(value)


def ndjson(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The lines of a stream that hold anything; an unfinished one too, since readers of lines give it as well."""
    for line in body.split(b"\n"):
        if line.strip():
            yield "", line.strip()


def stream(protocol: Protocol, body: bytes) -> Reading:
    """What the client of a stream was told."""
    reading = Reading()
    told = list(ndjson(body) if protocol is Protocol.OLLAMA else sse(body))
    documents: list[Document] = []
    for place, (name, data) in enumerate(told):
        if data == b"[DONE]" and protocol is Protocol.CHAT:
            reading.terminators += 1
            continue
        document = _document(data)
        if document is None:
            follows = _document(told[place + 1][1]) if place + 1 < len(told) else None
            if follows is None or _error_of(protocol, follows) is None:
                reading.wrong(f"an event cannot be read: {data[:60]!r}")
            reading.half = True
            continue
        if reading.error is not None and _says_it_again(document, reading.error) and place == len(told) - 1:
            continue
        if reading.error is not None:
            reading.wrong("something follows the error")
        elif (error := _error_of(protocol, document)) is not None:
            reading.error = error
            if reading.terminators:
                reading.wrong("an error follows the terminator")
            continue
        elif reading.terminators and not _ends(protocol, document) and document.get("type") != "ping":
            reading.wrong("something follows the terminator")
        if name and document.get("type") and name != document["type"]:
            reading.wrong(f"an event is called {name!r} and says {document['type']!r}")
        documents.append(document)
        if _ends(protocol, document):
            reading.terminators += 1
    reading.begun = bool(documents)
    if documents:
        _ORDER[protocol](reading, documents)
    return reading


def _document(data: bytes) -> Document | None:
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _error_of(protocol: Protocol, document: Document) -> str | None:
    """The words of an error event, in the place where that protocol's clients look for them."""
    match protocol:
        case Protocol.OLLAMA:
            found: Any = document.get("error")
        case Protocol.MESSAGES:
            found = document.get("error", {}).get("message") if document.get("type") == "error" else None
        case Protocol.RESPONSES if document.get("type") == "response.failed":
            found = document["response"]["error"]["message"]
        case Protocol.RESPONSES:
            found = document.get("message") if document.get("type") == "error" else None
        case _:
            found = document["error"].get("message") if isinstance(document.get("error"), dict) else None
    return found if isinstance(found, str) else None


def _says_it_again(document: Document, error: str) -> bool:
    """Whether the same is told in the other way of Responses, for clients that pass over the event `error`."""
    return document.get("type") == "response.failed" and document["response"]["error"]["message"] == error


def _ends(protocol: Protocol, document: Document) -> bool:
    """Whether an event is the protocol's terminator."""
    match protocol:
        case Protocol.MESSAGES:
            return document.get("type") == "message_stop"
        case Protocol.RESPONSES:
            return document.get("type") in ("response.completed", "response.incomplete")
        case Protocol.GEMINI:
            return any("finishReason" in one for one in document.get("candidates", ()))
        case Protocol.OLLAMA:
            return document.get("done") is True
        case _:
            return False


# -- the order of events


def _same(reading: Reading, documents: list[Document], *names: str) -> None:
    for name in names:
        if len({json.dumps(one.get(name)) for one in documents}) > 1:
            reading.wrong(f"{name} changes within the stream")


def _chat(reading: Reading, documents: list[Document]) -> None:
    _same(reading, documents, "id", "model", "created", "object")
    reading.speaker = str(documents[0].get("id")).removeprefix("chatcmpl-")
    finishes = 0
    for place, document in enumerate(documents):
        if document.get("object") != "chat.completion.chunk":
            reading.wrong("an event is no chunk of a chat completion")
        for choice in document.get("choices", ()):
            delta = choice["delta"]
            if choice["index"] != 0:
                reading.wrong("a choice that nobody asked for")
            if finishes and (delta.get("content") or choice["finish_reason"]):
                reading.wrong("the model goes on after it has finished")
            if place and delta.get("role") not in (None, "assistant"):
                reading.wrong("the role changes")
            reading.text += delta.get("content") or ""
            finishes += choice["finish_reason"] is not None
    reading.finished = finishes == 1


def _messages(reading: Reading, documents: list[Document]) -> None:
    documents = [one for one in documents if one.get("type") != "ping"]
    kinds = [one.get("type") for one in documents]
    if kinds[:1] != ["message_start"] or kinds.count("message_start") != 1:
        reading.wrong("it does not begin with the one message_start")
        return
    reading.speaker = documents[0]["message"]["id"].removeprefix("msg_")
    _blocks(reading, [one for one in documents if "index" in one])
    others = [kind for one, kind in zip(documents, kinds, strict=True) if "index" not in one]
    usual = ["message_start", "message_delta", "message_stop"]
    if others != usual[: len(others)]:
        reading.wrong(f"the message goes by {others}")
    if "message_delta" in kinds:
        at = kinds.index("message_delta")
        reading.finished = documents[at]["delta"].get("stop_reason") is not None
        if any("index" in one for one in documents[at:]) or kinds[at - 1] != "content_block_stop":
            reading.wrong("the message ends within a block, or before one")


def _blocks(reading: Reading, documents: list[Document]) -> None:
    """Blocks begin one after the other, and nothing is said outside of one."""
    open_block, taken = None, -1
    for document in documents:
        kind, index = document["type"], document["index"]
        if kind == "content_block_start":
            if open_block is not None or index != taken + 1:
                reading.wrong("a block begins out of its turn")
            open_block = taken = index
            reading.text += document["content_block"].get("text", "")
        elif index != open_block:
            reading.wrong(f"{kind} of a block that is not open")
        elif kind == "content_block_delta":
            reading.text += document["delta"].get("text", "")
        else:
            open_block = None


def _responses(reading: Reading, documents: list[Document]) -> None:
    if documents[0].get("type") != "response.created":
        reading.wrong("it does not begin with response.created")
        return
    numbers = [one.get("sequence_number") for one in documents]
    if numbers != list(range(len(numbers))):
        reading.wrong(f"sequence numbers are {numbers}")
    _same(reading, [one["response"] for one in documents if "response" in one], "id", "model", "created_at")
    reading.speaker = documents[0]["response"]["id"].removeprefix("resp_")
    opened: list[str] = []
    for document in documents[1:]:
        match document["type"]:
            case "response.output_item.added":
                opened.append("item")
            case "response.content_part.added":
                opened.append("part")
            case "response.output_text.delta":
                if opened != ["item", "part"]:
                    reading.wrong("text outside of a part")
                reading.text += document["delta"]
            case "response.output_text.done" if document["text"] != reading.text:
                reading.wrong("the whole text is not the sum of its deltas")
            case "response.content_part.done" | "response.output_item.done":
                if not opened or opened.pop() != ("part" if "content_part" in document["type"] else "item"):
                    reading.wrong("a part or an item ends that is not open")
            case "response.completed":
                reading.finished = True
                _completed(reading, document["response"], opened)


def _completed(reading: Reading, response: Document, opened: list[str]) -> None:
    if opened:
        reading.wrong("the response ends within an item")
    parts = [part["text"] for item in response["output"] for part in item["content"]]
    if "".join(parts) != reading.text:
        reading.wrong("the whole response is not the sum of its deltas")


def _gemini(reading: Reading, documents: list[Document]) -> None:
    _same(reading, documents, "responseId", "modelVersion")
    reading.speaker = documents[0]["responseId"].removeprefix("g-")
    for document in documents:
        for candidate in document["candidates"]:
            reading.text += "".join(part["text"] for part in candidate["content"].get("parts", ()))
            reading.finished = reading.finished or "finishReason" in candidate


def _ollama(reading: Reading, documents: list[Document]) -> None:
    _same(reading, documents, "model")
    reading.speaker = documents[0]["model"].rpartition("-")[2]
    for document in documents:
        reading.text += document["message"]["content"]
        reading.finished = reading.finished or document["done"]


_ORDER: dict[Protocol, Callable[[Reading, list[Document]], None]] = {
    Protocol.CHAT: _chat,
    Protocol.RESPONSES: _responses,
    Protocol.MESSAGES: _messages,
    Protocol.GEMINI: _gemini,
    Protocol.OLLAMA: _ollama,
}


# -- answers that are not streamed


def whole(protocol: Protocol, body: bytes) -> Reading:
    """What the client of a plain answer was told."""
    reading, document = Reading(), _document(body.removeprefix(b"\xef\xbb\xbf"))
    if document is None:
        reading.wrong(f"the answer is no JSON object: {body[:60]!r}")
        return reading
    reading.begun = True
    reading.error = _error_of(Protocol.CHAT if protocol is Protocol.RESPONSES else protocol, document)
    if reading.error is None:
        try:
            reading.speaker, reading.text, reading.finished = _WHOLE[protocol](document)
        except (KeyError, IndexError, TypeError) as error:
            reading.wrong(f"the answer lacks what every answer has: {error!r}")
        reading.terminators = int(reading.finished)
    return reading


def _whole_chat(document: Document) -> tuple[str, str, bool]:
    choice = document["choices"][0]
    return document["id"].removeprefix("chatcmpl-"), choice["message"]["content"], choice["finish_reason"] == "stop"


def _whole_messages(document: Document) -> tuple[str, str, bool]:
    text = "".join(block["text"] for block in document["content"])
    return document["id"].removeprefix("msg_"), text, document["stop_reason"] == "end_turn"


def _whole_response(document: Document) -> tuple[str, str, bool]:
    text = "".join(part["text"] for item in document["output"] for part in item["content"])
    return document["id"].removeprefix("resp_"), text, document["status"] == "completed"


def _whole_gemini(document: Document) -> tuple[str, str, bool]:
    one = document["candidates"][0]
    text = "".join(part["text"] for part in one["content"]["parts"])
    return document["responseId"].removeprefix("g-"), text, one["finishReason"] == "STOP"


def _whole_ollama(document: Document) -> tuple[str, str, bool]:
    return document["model"].rpartition("-")[2], document["message"]["content"], document["done"]


_WHOLE: dict[Protocol, Callable[[Document], tuple[str, str, bool]]] = {
    Protocol.CHAT: _whole_chat,
    Protocol.RESPONSES: _whole_response,
    Protocol.MESSAGES: _whole_messages,
    Protocol.GEMINI: _whole_gemini,
    Protocol.OLLAMA: _whole_ollama,
}
