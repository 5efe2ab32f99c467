"""What the providers of these tests say, and what a client must make of it."""

from __future__ import annotations

from tests.clients.agents import MODEL, Agent
from tests.clients.packages import Told
from tests.rig import Key, Rig

ANSWER = "Fair wind from the west, three gulls and a quiet harbour by night; ça ira. ⚓"
OTHER = "This is what the first profile would have said."

_WHOLE = {"chat": "stop", "responses": "completed", "messages": "end_turn"}
_RESPONSE = ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
_RESPONDED = [
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def saying(text: str, steps: str = '{do="ok"}') -> Key:
    """A key whose good answers are that text."""
    return Key(steps, more=f'text = "{text}"')


def printed(agent: Agent, name: str, rig: Rig) -> None:
    """It prints the answer, alone, and ends well."""
    done = agent.ask(rig.url, rig.app.vault.token(name))
    assert (done.stdout.strip(), done.returncode) == (ANSWER, 0), done.stderr


def whole(call: str, told: Told) -> None:
    """The answer, not streamed."""
    assert told.pop("output") > 0
    assert told == {"text": ANSWER, "finish": _WHOLE[call]}


def one_stream(call: str, told: Told) -> None:
    """One well-formed stream of the answer, however many made it."""
    assert told.get("error") is None, told
    assert told["text"] == ANSWER
    match call:
        case "chat_stream":
            assert [len(told[name]) for name in ("ids", "created")] == [1, 1]
            assert (told["models"], told["finish"], told["usages"]) == ([MODEL], ["stop"], 1)
        case "responses_stream":
            assert told["kinds"][:4] == _RESPONSE and told["kinds"][-4:] == _RESPONDED
            assert set(told["kinds"][4:-4]) == {"response.output_text.delta"}
            assert told["numbers"] == list(range(len(told["kinds"])))
            assert (told["whole"], told["finish"]) == (ANSWER, ["completed"])
        case "messages_stream":
            assert told["kinds"][:2] == ["message_start", "content_block_start"]
            assert told["kinds"][-3:] == ["content_block_stop", "message_delta", "message_stop"]
            assert set(told["kinds"][2:-3]) == {"content_block_delta", "text"}
            assert (len(told["ids"]), told["whole"], told["finish"]) == (1, ANSWER, ["end_turn"])
            assert told["output"] > 0
