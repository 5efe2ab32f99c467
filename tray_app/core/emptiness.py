"""Whether a whole answer with a good status says anything at all. An empty one is a fault of the provider's.

Fields as in the providers' API references. What is in doubt is no empty answer.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tray_app.core.values import Protocol

_BOM = b"\xef\xbb\xbf"
_PLAIN_ENDS = (None, "", "stop", "STOP", "end_turn")  # of an answer that is complete


class _Message(msgspec.Struct):
    content: Any = None
    parts: Any = None


class _Choice(msgspec.Struct):
    message: Any = None
    text: Any = None
    finish_reason: Any = None
    content: _Message | None = None
    stopped: Any = msgspec.field(name="finishReason", default=None)


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    candidates: list[_Choice] | None = None
    content: Any = None
    output: Any = None
    stop_reason: Any = None
    status: Any = None
    input_tokens: Any = None
    message: Any = None
    response: Any = None
    done_reason: Any = None


_answer = msgspec.json.Decoder(_Answer)


def says_nothing(protocol: Protocol, body: bytes) -> bool:
    """Whether `body`, which is JSON of a 2xx answer, holds neither content nor a reason to hold none.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is no JSON.
    """
    try:
        answer = _answer.decode(body.removeprefix(_BOM))
    except msgspec.ValidationError:
        return False  # of a shape that is not known: not ours to judge
    match protocol:
        case Protocol.CHAT:
            return not any(map(_is_choice_told, answer.choices or ()))
        case Protocol.MESSAGES:
            counted = answer.input_tokens is not None  # the answer to count_tokens
            return not counted and not _is_filled(answer.content) and answer.stop_reason in _PLAIN_ENDS
        case Protocol.RESPONSES:
            return not _is_filled(answer.output) and answer.status in (None, "completed")
        case Protocol.GEMINI:
            return answer.candidates is not None and not any(map(_is_candidate_told, answer.candidates))
        case Protocol.OLLAMA:  # that a model was loaded is a reason of its own
            return answer.done_reason == "stop" and not _is_filled(answer.message) and not answer.response
        case _:
            return False


def _is_choice_told(choice: _Choice) -> bool:
    return _is_filled(choice.message) or bool(choice.text) or choice.finish_reason not in _PLAIN_ENDS


def _is_candidate_told(one: _Choice) -> bool:
    return (one.content is not None and _is_filled(one.content.parts)) or one.stopped not in _PLAIN_ENDS


_NAMES = frozenset({"type", "role", "id", "status", "index", "annotations", "logprobs", "citations", "object"})


def _is_filled(said: Any) -> bool:
    """Whether there is more than labels and empty values, at any depth."""
    if isinstance(said, dict):
        return said.get("type") in _ALWAYS or any(_is_filled(value) for key, value in said.items() if key not in _NAMES)
    if isinstance(said, list):
        return any(map(_is_filled, said))
    return bool(said)


_ALWAYS = frozenset({"tool_use", "function_call", "server_tool_use", "redacted_thinking", "compaction"})
