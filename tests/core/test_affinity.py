"""Whose turn is it? Each client's second turn, what makes another conversation, and who stays where."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.core.build import NOW, unhurried
from tray_app.core import affinity
from tray_app.core.affinity import EDGE, IDLE_MS, KEY_BYTES, Conversations, Opening, header_key, opening_key, opening_of

Body = dict[str, Any]

SESSION = "0d3f6ad2-7d3c-4c58-9f0a-5f2b8f1f7a10"
PLAIN = ((b"host", b"127.0.0.1"), (b"content-type", b"application/json"))
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def conversation_of(client: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes | None:
    """As the proxy has it: a body that cannot be read opens nothing."""
    try:
        opening = opening_of(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        opening = Opening()
    return header_key(client, headers) or opening_key(client, opening)


def key(body: Body, *headers: tuple[bytes, bytes], client: str = "agent") -> bytes | None:
    return conversation_of(client, (*PLAIN, *headers), json.dumps(body, ensure_ascii=False).encode())


def user(content: object) -> Body:
    return {"role": "user", "content": content}


def chat(*turns: Body, **fields: object) -> Body:
    return {"model": "a/b", "stream": True, "messages": [{"role": "system", "content": "Be brief."}, *turns], **fields}


def anthropic(*turns: Body, system: object = "Be brief.", **fields: object) -> Body:
    return {"model": "claude", "max_tokens": 9, "stream": True, "system": system, "messages": [*turns], **fields}


def responses(*items: object, **fields: object) -> Body:
    return {"model": "gpt", "stream": True, "instructions": "Be brief.", "input": [*items], **fields}


def gemini(*contents: Body, **fields: object) -> Body:
    return {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [*contents], **fields}


def block(text: str, **more: object) -> Body:
    return {"type": "text", "text": text, **more}


CACHED = {"cache_control": {"type": "ephemeral"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
ASKED = user("Fix the bug.")
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix the bug."}]}
CONTENT = {"role": "user", "parts": [{"text": "Fix the bug."}]}
ANSWERED = {"role": "assistant", "content": "Which one?"}


# -- the same conversation


@pytest.mark.parametrize(
    ("first", "later"),
    [
        pytest.param(chat(ASKED), chat(ASKED, ANSWERED, user("That one.")), id="the second turn of a chat"),
        pytest.param(
            chat(ASKED),
            chat(
                ASKED,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "x = 1"},
            ),
            id="a tool's result in a chat",
        ),
        pytest.param(
            chat(ASKED), chat(ASKED, ANSWERED, {"role": "system", "content": "New."}), id="a system message later on"
        ),
        pytest.param(chat(ASKED), chat(ASKED, model="c/d", tools=[CALL]), id="another model and other tools"),
        pytest.param(
            chat(ASKED), chat(user([block("Fix the bug.")])), id="a text that becomes a block, as caching marks it"
        ),
        pytest.param(
            chat(user([PICTURE, block("What?")])), chat(user([block("What?"), PICTURE])), id="only words count"
        ),
        pytest.param(
            anthropic(ASKED), anthropic(ASKED, ANSWERED, user("That one.")), id="the second turn with Anthropic"
        ),
        pytest.param(
            anthropic(user([block("Fix the bug.", **CACHED)]), system=[block("Be brief.", **CACHED)]),
            anthropic(
                user([block("Fix the bug.")]),
                ANSWERED,
                user([{"type": "tool_result", "tool_use_id": "t1", "content": "x = 1", **CACHED}]),
                system=[block("Be brief.")],
            ),
            id="a cache marker that moves to the newest turn",
        ),
        pytest.param(
            anthropic(ASKED, metadata={"user_id": "u1"}),
            anthropic(ASKED, metadata={"user_id": "u2"}),
            id="a user id that names no session",
        ),
        pytest.param(
            responses(ITEM),
            responses(
                ITEM,
                {"type": "reasoning", "encrypted_content": "abc"},
                {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "x = 1"},
            ),
            id="a tool's result with Responses",
        ),
        pytest.param(
            responses(ITEM),
            responses(ITEM, previous_response_id="resp_1"),
            id="the previous response is another each turn",
        ),
        pytest.param(
            responses(input='Fix "it":\n\tä'),  # the keyword replaces the list
            responses(user('Fix "it":\n\tä'), ANSWERED, user("That one.")),
            id="an input that was a text becomes a list",
        ),
        pytest.param(
            gemini(CONTENT),
            gemini(CONTENT, {"role": "model", "parts": [{"text": "Which?"}]}, {"parts": [{"text": "That."}]}),
            id="the second turn with Gemini",
        ),
        pytest.param(
            gemini(CONTENT), gemini({"parts": [{"text": "Fix the bug."}]}), id="Gemini's role may be left out"
        ),
        pytest.param(
            gemini(CONTENT),
            {"system_instruction": {"parts": [{"text": "Be brief."}]}, "contents": [CONTENT]},
            id="both spellings of Gemini's system instruction",
        ),
        pytest.param(chat(ASKED, session_id="s1"), chat(user("Go on."), session_id="s1"), id="a session in the body"),
        pytest.param(
            responses(ITEM, prompt_cache_key="s1"),
            responses(user("Go on."), prompt_cache_key="s1"),
            id="a prompt cache's key, such as OpenCode's and Codex's",
        ),
        pytest.param(
            anthropic(ASKED, metadata={"user_id": f"user_1_account_2_session_{SESSION}"}),
            anthropic(user("Title?"), metadata={"user_id": f"user_1_account_3_session_{SESSION}"}),
            id="Claude Code's session in its user id",
        ),
        pytest.param(
            anthropic(ASKED, metadata={"user_id": f"user_1_account_2_session_{SESSION}"}),
            anthropic(user("Title?"), metadata={"user_id": json.dumps({"device_id": "d", "session_id": SESSION})}),
            id="Claude Code's session in its newer user id",
        ),
    ],
)
def test_it_is_the_same_conversation(first: Body, later: Body) -> None:
    assert key(first) == key(later)
    assert key(first) is not None


# -- another conversation


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(chat(ASKED), chat(user("Add a test.")), id="a chat with another first message"),
        pytest.param(
            chat(ASKED), {"messages": [{"role": "system", "content": "Be kind."}, ASKED]}, id="another system message"
        ),
        pytest.param(
            chat(ASKED), {"messages": [{"role": "developer", "content": "No."}, ASKED]}, id="another developer message"
        ),
        pytest.param(chat(ASKED), {"messages": [ASKED]}, id="no system message"),
        pytest.param(
            {"messages": [{"role": "system", "content": "a"}, user("b")]},
            {"messages": [user([block("a"), block("b")])]},
            id="a system message is no part of the user's",
        ),
        pytest.param(anthropic(ASKED), anthropic(user("Add a test.")), id="Anthropic, another first message"),
        pytest.param(anthropic(ASKED), anthropic(ASKED, system="Be kind."), id="Anthropic, another system prompt"),
        pytest.param(
            anthropic(user([block("ab"), block("c")])),
            anthropic(user([block("a"), block("bc")])),
            id="where one block ends and the next begins",
        ),
        pytest.param(
            anthropic(user([*map(block, "abcdefghijklmnopqrstuvwx"), block("Fix it.")])),
            anthropic(user([*map(block, "abcdefghijklmnopqrstuvwx"), block("Try it.")])),
            id="the last of many blocks, where the prompt follows reminders",
        ),
        pytest.param(responses(ITEM), responses(user("Add a test.")), id="Responses, another first item"),
        pytest.param(responses(ITEM), responses(ITEM, instructions="Be kind."), id="Responses, other instructions"),
        pytest.param(responses(input="a"), responses(input="b"), id="Responses, another text"),
        pytest.param(gemini(CONTENT), gemini({"parts": [{"text": "Add a test."}]}), id="Gemini, other first contents"),
        pytest.param(
            gemini(CONTENT), gemini(CONTENT, systemInstruction={"parts": []}), id="Gemini, no system instruction"
        ),
        pytest.param({"prompt": "a"}, {"prompt": "b"}, id="Ollama, another prompt"),
        pytest.param(
            {"prompt": "a", "system": "s"}, {"prompt": "a", "system": "t"}, id="Ollama, another system prompt"
        ),
        pytest.param(chat(ASKED, session_id="s1"), chat(ASKED, session_id="s2"), id="another session, the same words"),
        pytest.param(
            chat(user("a" * EDGE * 3)), chat(user("a" * (EDGE * 3 + 1))), id="a long text that differs in its length"
        ),
        pytest.param(
            chat(user("a" * EDGE * 3 + "b")), chat(user("a" * EDGE * 3 + "c")), id="a long text that differs in its end"
        ),
        pytest.param(chat(user("s1")), chat(ASKED, session_id="s1"), id="words that are spelled like an id"),
    ],
)
def test_it_is_another_conversation(one: Body, other: Body) -> None:
    keys = {key(one), key(other)}
    assert None not in keys
    assert len(keys) == 2


def test_two_clients_never_share_a_conversation() -> None:
    header = (b"x-session-id", b"s1")
    assert key(chat(ASKED), client="a") != key(chat(ASKED), client="b")
    assert key({}, header, client="a") != key({}, header, client="b")
    assert key({}, (b"x-session-id", b"b"), client="a") != key({}, (b"x-session-id", b""), client="ab")


def test_the_middle_of_a_long_text_does_not_count() -> None:
    """So that a long opening costs no more than a short one."""
    assert key(chat(user("a" * EDGE * 2 + "b" + "a" * EDGE))) == key(chat(user("a" * EDGE * 2 + "c" + "a" * EDGE)))


def test_the_key_is_a_digest() -> None:
    named = key({}, (b"x-session-id", SESSION.encode()))
    assert named is not None
    assert len(named) == KEY_BYTES
    assert named not in SESSION.encode()


# -- headers


NAMES = (
    b"x-session-id",
    b"session_id",
    b"session-id",
    b"x-claude-code-session-id",
    b"x-session-affinity",
    b"conversation_id",
)


@pytest.mark.parametrize("name", [pytest.param(name, id=name.decode()) for name in NAMES])
def test_a_session_header_wins_over_the_body(name: bytes) -> None:
    named = key(chat(ASKED), (name, b"s1"))
    assert named == key(chat(user("Something else."), session_id="s2"), (name, b"s1"))
    assert named == conversation_of("agent", [(name, b"s1")], b"\x1f\x8b not looked at")
    assert named not in (key(chat(ASKED)), key(chat(ASKED), (name, b"s2")))


@pytest.mark.parametrize(("first", "second"), list(zip(NAMES, NAMES[1:], strict=False)))
def test_of_several_session_headers_the_first_by_rank_wins(first: bytes, second: bytes) -> None:
    named = key({}, (first, b"s1"))
    assert named == key({}, (first, b"s1"), (second, b"s2")) == key({}, (second, b"s2"), (first, b"s1"))


def test_an_id_is_the_same_wherever_it_stands() -> None:
    named = key({}, (b"x-claude-code-session-id", SESSION.encode()))
    assert named == key({"session_id": SESSION})
    assert named == key(anthropic(ASKED, metadata={"user_id": f"user_1_account_2_session_{SESSION}"}))


def test_an_empty_session_header_says_nothing() -> None:
    assert key({}, (b"x-session-id", b"")) is None
    assert key(chat(ASKED), (b"x-session-id", b"")) == key(chat(ASKED))


# -- nothing of the kind


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="a GET"),
        pytest.param(b"{", id="half a body"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(gzip.compress(b'{"prompt":"a"}'), id="gzip"),
        pytest.param(b'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\n', id="multipart"),
        pytest.param(b'{"messages":[{"role":"\xff","content":"a"}]}', id="a role that is no UTF-8"),
        pytest.param(b'{"model":"a","input":"\xff","stream":true}', id="an input that is no UTF-8"),
    ],
)
def test_what_cannot_be_read_belongs_to_no_conversation(body: bytes) -> None:
    assert conversation_of("agent", PLAIN, body) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="an empty object"),
        pytest.param({"model": "e", "input": "a text"}, id="an embedding of a text"),
        pytest.param({"model": "e", "input": ["a", "b"]}, id="an embedding of texts"),
        pytest.param({"model": "e", "input": [1, 2]}, id="an embedding of tokens"),
        pytest.param({"model": "r", "query": "a", "documents": ["b"]}, id="a ranking"),
        pytest.param({"prompt": ["a", "b"]}, id="a batch of prompts"),
        pytest.param({"prompt": ""}, id="an empty prompt"),
        pytest.param({"input": "", "stream": True}, id="an empty input"),
        pytest.param(chat(), id="a system prompt alone"),
        pytest.param(chat(ANSWERED), id="only the assistant's words"),
        pytest.param(chat(user("")), id="an empty message"),
        pytest.param(chat(user([])), id="a message without blocks"),
        pytest.param(chat(user([PICTURE])), id="a picture without words"),
        pytest.param(chat(user(None)), id="no content"),
        pytest.param(chat(user(["a"])), id="blocks that are none"),
        pytest.param(chat(*[ANSWERED] * affinity.TURNS, ASKED), id="the user's first words far down"),
        pytest.param(
            responses({"type": "function_call_output", "call_id": "c", "output": "x"}), id="a tool's result alone"
        ),
        pytest.param({"messages": "a"}, id="messages that are a text"),
        pytest.param({"messages": {"role": "user"}}, id="messages that are an object"),
    ],
)
def test_where_nobody_says_anything_there_is_no_conversation(body: Body) -> None:
    assert key(body) is None


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"session_id": 7}, id="a session that is a number"),
        pytest.param({"session_id": ""}, id="an empty session"),
        pytest.param({"prompt_cache_key": None}, id="no cache key"),
        pytest.param({"metadata": "m"}, id="metadata that are a text"),
        pytest.param({"metadata": {}}, id="metadata without a user"),
        pytest.param({"metadata": {"user_id": 7}}, id="a user that is a number"),
        pytest.param({"metadata": {"user_id": "user_1_account_2_session_"}}, id="an empty session in the user id"),
        pytest.param({"metadata": {"user_id": "{"}}, id="a user that is half an object"),
        pytest.param({"metadata": {"user_id": '{"device_id":"d"}'}}, id="a user object without a session"),
        pytest.param({"metadata": {"user_id": '{"session_id":7}'}}, id="a user object with a strange session"),
        pytest.param({"system": 7, "instructions": {}, "contents": [], "input": None}, id="strange fields elsewhere"),
    ],
)
def test_a_strange_field_counts_as_absent(fields: Body) -> None:
    assert key(chat(ASKED, **fields)) == key(chat(ASKED))


# -- read once, for routing too


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"messages": [ASKED]}, id="as it should be"),
        pytest.param({"messages": 7, "input": {"a": 1}}, id="with strange fields"),
    ],
)
def test_model_and_stream_are_read_in_the_same_pass(body: Body) -> None:
    opening = affinity.opening_of(json.dumps({"model": "a/b", "stream": True, **body}).encode())
    assert (opening.model, opening.stream) == ("a/b", True)


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b'{"model":1e999}'])
def test_a_body_that_is_no_object_is_the_callers_to_refuse(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        affinity.opening_of(body)


# -- whatever comes

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
known = [*(field.encode_name for field in msgspec.structs.fields(affinity.Opening)), "user_id", "role", "type"]
names = st.text(max_size=5) | st.sampled_from([*known, "content", "parts", "text", "cache_control"])
odd = st.recursive(
    scalars | st.sampled_from(["user", "system", "_session_1", '{"session_id":"a"}']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=30,
)
turns = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": odd})
)
dialects: list[Callable[..., Body]] = [chat, anthropic, responses]


@pytest.mark.many_cases
@unhurried
@given(st.dictionaries(names, odd, max_size=8))
def test_no_json_makes_the_reader_stumble(body: Body) -> None:
    found = key(body)
    assert found is None or len(found) == KEY_BYTES


@unhurried
@given(st.text(max_size=5), st.lists(st.tuples(st.sampled_from(NAMES) | st.binary(), st.binary())), st.binary())
def test_no_bytes_make_the_reader_stumble(client: str, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    for spelled in (body, b'{"messages":[' + body, b'{"prompt":"' + body + b'"}'):
        found = conversation_of(client, headers, spelled)
        assert found is None or len(found) == KEY_BYTES


@pytest.mark.many_cases
@unhurried
@given(st.sampled_from(dialects), odd, turns)
def test_what_is_said_later_never_changes_the_key(
    dialect: Callable[..., Body], first: object, later: list[Body]
) -> None:
    assert key(dialect(user(first))) == key(dialect(user(first), *later))


# -- who stays where


def test_a_conversation_stays_until_it_has_been_idle_for_an_hour() -> None:
    held = Conversations()
    assert held.find(b"a", NOW) is None
    held.hold(b"a", "one", NOW)
    assert held.find(b"a", NOW + IDLE_MS - 1) == "one"
    assert held.find(b"a", NOW + 2 * IDLE_MS - 2) == "one"
    assert held.find(b"a", NOW + 3 * IDLE_MS) is None
    assert len(held) == 0


def test_a_conversation_moves_with_the_profile_that_served_it_last() -> None:
    held = Conversations()
    held.hold(b"a", "one", NOW)
    held.hold(b"a", "two", NOW)
    assert held.find(b"a", NOW) == "two"
    assert len(held) == 1


def test_the_longest_idle_conversation_makes_room() -> None:
    held = Conversations(most=2)
    held.hold(b"a", "one", NOW)
    held.hold(b"b", "one", NOW)
    held.find(b"a", NOW)
    held.hold(b"c", "one", NOW)
    assert [held.find(name, NOW) for name in (b"a", b"b", b"c")] == ["one", None, "one"]


def test_by_default_memory_is_bounded() -> None:
    held = Conversations()
    for number in range(affinity.MOST + 10):
        held.hold(b"%d" % number, "one", NOW)
    assert len(held) == affinity.MOST


def test_a_clock_that_is_set_back_ends_conversations_and_keeps_none() -> None:
    held = Conversations()
    held.hold(b"a", "one", NOW)
    held.hold(b"b", "one", NOW)
    assert held.find(b"a", NOW - 1000) == "one"  # a correction of a second harms nobody
    assert held.find(b"b", NOW - IDLE_MS) is None
    held.hold(b"c", "one", NOW - 5 * IDLE_MS)
    assert len(held) == 1


@pytest.mark.parametrize("off", [Conversations(most=0), Conversations(idle_ms=0)], ids=["no room", "no time"])
def test_without_room_or_time_nothing_is_remembered(off: Conversations) -> None:
    off.hold(b"a", "one", NOW)
    assert off.find(b"a", NOW) is None
    assert len(off) == 0


KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
PROFILES = st.sampled_from(["one", "two", "three"])
ROOM = 3
IDLE = 100


class ConversationsMachine(RuleBasedStateMachine):
    """Every act in any order, against a list from the longest idle to the newest."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.held = Conversations(ROOM, IDLE)
        self.model: list[tuple[bytes, str, int]] = []

    def fresh(self, since: int) -> bool:
        return self.now - IDLE < since < self.now + IDLE

    def without(self, key: bytes) -> list[tuple[bytes, str, int]]:
        return [entry for entry in self.model if entry[0] != key]

    @rule(later_ms=st.integers(0, IDLE) | st.just(-1) | st.integers(-3 * IDLE, 3 * IDLE))
    def the_clock_moves(self, later_ms: int) -> None:
        self.now += later_ms

    @rule(key=KEYS)
    def find(self, key: bytes) -> None:
        known = {name: profile for name, profile, since in self.model if self.fresh(since)}
        self.model = self.without(key)
        if key in known:
            self.model.append((key, known[key], self.now))
        assert self.held.find(key, self.now) == known.get(key)

    @rule(key=KEYS, profile=PROFILES)
    def hold(self, key: bytes, profile: str) -> None:
        self.held.hold(key, profile, self.now)
        self.model = [*self.without(key), (key, profile, self.now)][-ROOM:]
        while not self.fresh(self.model[0][2]):
            self.model.pop(0)
        assert self.held.find(key, self.now) == profile

    @rule(key=KEYS)
    def forget(self, key: bytes) -> None:
        self.held.forget(key)
        self.model = self.without(key)

    @rule(profile=PROFILES)
    def leave(self, profile: str) -> None:
        self.held.leave(profile)
        self.model = [entry for entry in self.model if entry[1] != profile]

    @rule(old=PROFILES, new=PROFILES)
    def rename(self, old: str, new: str) -> None:
        self.held.rename(old, new)
        self.model = [(key, new if profile == old else profile, since) for key, profile, since in self.model]

    @invariant()
    def as_many_as_the_model_and_never_too_many(self) -> None:
        assert len(self.held) == len(self.model) <= ROOM


TestConversations = pytest.mark.many_cases(ConversationsMachine.TestCase)
TestConversations.settings = unhurried
