"""The honest end: its status, when a retry is offered, its shape for each protocol, and words that no agent misreads."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import MODEL, NOW, at, member, rest, unhurried
from tray_app.core.ending import RETRY_AFTER_CAP_S, Ending, exhausted, refused, stream_error
from tray_app.core.policy import Refuse, Why
from tray_app.core.pool import Member
from tray_app.core.sse import Sign, Splitter, sign_of
from tray_app.core.values import Admin, ErrorClass, Protocol, Scope

# OpenCode takes any error with one of these in its text for a passing fault, and asks again for minutes.
RETRY_WORDS = (
    *("429", "500", "502", "503", "504", "524"),
    *("rate limit", "overloaded", "server error", "provider returned error", "try again later"),
)
DAY = 86_400_000


def end(
    why: Why = Why.LIMITED,
    *members: Member,
    protocol: Protocol = Protocol.CHAT,
    resets_at: int | None = None,
    now: int = NOW,
) -> Ending:
    return exhausted(Refuse(why, "a reason", resets_at), protocol, members, MODEL, now, "req1")


def document(ending: Ending) -> dict[str, Any]:
    decoded = msgspec.json.decode(ending.body)
    assert isinstance(decoded, dict)
    return decoded


def header(ending: Ending, name: bytes) -> bytes | None:
    return dict(ending.headers).get(name)


def test_where_only_one_may_serve_it_says_so_and_how_to_end_that() -> None:
    refuse = Refuse(Why.LIMITED, "a reason", None)
    found = exhausted(refuse, Protocol.CHAT, [member("a"), member("b")], MODEL, NOW, "req1", only="b")
    message = document(found)["error"]["message"]
    assert "Only b may serve" in message and "o-switcher unpin" in message and "No profile" not in message
    offline = exhausted(Refuse(Why.OFFLINE, "r", None), Protocol.CHAT, [], MODEL, NOW, "req1", only="b")
    assert "cannot be reached" in document(offline)["error"]["message"]


@pytest.mark.parametrize(
    ("why", "resets_at", "told"),
    [
        pytest.param(Why.BROKEN, None, b"false", id="all were tried: an SDK need not try again"),
        pytest.param(Why.LIMITED, NOW + 5_000, None, id="a time to come back is told instead"),
        pytest.param(Why.OFFLINE, None, None, id="the network may be back in a moment"),
    ],
)
def test_sdks_are_told_when_to_try_again(why: Why, resets_at: int | None, told: bytes | None) -> None:
    found = end(why, resets_at=resets_at)
    assert header(found, b"x-should-retry") == told
    assert (header(found, b"retry-after") is None) is (told is not None)


@pytest.mark.parametrize(
    ("why", "status"),
    [
        pytest.param(Why.LIMITED, 429, id="limits"),
        pytest.param(Why.REAUTH, 403, id="refused keys: not 401, on which agents ask for a login"),
        pytest.param(Why.BROKEN, 502, id="a broken provider"),
        pytest.param(Why.LAST_ANSWER, 502, id="an answer that could not be passed on"),
        pytest.param(Why.OFFLINE, 503, id="no network"),
        pytest.param(Why.PAUSED, 503, id="all paused"),
        pytest.param(Why.NO_PROFILE, 503, id="no key"),
    ],
)
def test_the_status_says_what_kind_of_end_it_is(why: Why, status: int) -> None:
    assert end(why).status == status


@pytest.mark.parametrize(
    ("why", "in_ms", "seconds"),
    [
        pytest.param(Why.LIMITED, 0, b"1", id="now is a second"),
        pytest.param(Why.LIMITED, 1, b"1", id="a millisecond is a second"),
        pytest.param(Why.LIMITED, 1_001, b"2", id="a retry is never too early"),
        pytest.param(Why.LIMITED, -5_000, b"1", id="what is past is a second"),
        pytest.param(Why.LIMITED, 60_000, b"60", id="a minute"),
        pytest.param(Why.LIMITED, 30 * DAY, b"60", id="a month is a minute: no agent shall sleep for days"),
        pytest.param(Why.LIMITED, None, None, id="a limit without an end"),
        pytest.param(Why.OFFLINE, None, b"5", id="the network may be back soon"),
        pytest.param(Why.REAUTH, 1_000, None, id="a refused key does not heal"),
        pytest.param(Why.PAUSED, 1_000, None, id="the operator decides"),
        pytest.param(Why.NO_PROFILE, None, None, id="no key comes by itself"),
        pytest.param(Why.BROKEN, 1_000, None, id="nobody knows of a broken provider"),
        pytest.param(Why.LAST_ANSWER, 1_000, None, id="nor of an answer"),
    ],
)
def test_a_retry_is_offered_only_where_it_can_help(why: Why, in_ms: int | None, seconds: bytes | None) -> None:
    resets_at = None if in_ms is None else NOW + in_ms
    assert header(end(why, resets_at=resets_at), b"retry-after") == seconds


@pytest.mark.parametrize(
    ("protocol", "shape"),
    [
        pytest.param(Protocol.CHAT, ("error", "message"), id="chat"),
        pytest.param(Protocol.RESPONSES, ("error", "message"), id="responses"),
        pytest.param(Protocol.OTHER, ("error", "message"), id="other calls"),
        pytest.param(Protocol.MESSAGES, ("error", "message"), id="messages"),
        pytest.param(Protocol.GEMINI, ("error", "message"), id="Gemini"),
        pytest.param(Protocol.OLLAMA, ("o_switcher", "message"), id="Ollama"),
    ],
)
def test_every_protocol_gets_its_own_shape_with_the_whole_truth(protocol: Protocol, shape: tuple[str, str]) -> None:
    ending = end(Why.LIMITED, member("main", rest("main")), protocol=protocol, resets_at=NOW + 60_000)
    body = document(ending)
    error = body[shape[0]]
    assert error["type"] == "o_switcher_exhausted"
    assert error[shape[1]].startswith("No profile can serve this request now. main: ")
    assert (error["why"], error["resets_at"], error["request_id"]) == ("limited", NOW + 60_000, "req1")
    assert error["profiles"] == [{"id": "main", "state": "cooling", "resets_at": NOW + 60_000}]
    assert header(ending, b"content-type") == b"application/json"
    assert header(ending, b"content-length") == b"%d" % len(ending.body)


def test_what_tells_the_protocols_apart() -> None:
    bodies = {protocol: document(end(Why.REAUTH, protocol=protocol)) for protocol in Protocol}
    assert bodies[Protocol.CHAT] == bodies[Protocol.RESPONSES] == bodies[Protocol.OTHER]
    assert bodies[Protocol.CHAT]["error"]["code"] == "o_switcher_exhausted"
    assert bodies[Protocol.CHAT]["error"]["param"] is None
    assert (bodies[Protocol.MESSAGES]["type"], bodies[Protocol.MESSAGES]["request_id"]) == ("error", "req1")
    assert (bodies[Protocol.GEMINI]["error"]["code"], bodies[Protocol.GEMINI]["error"]["status"]) == (
        403,
        "PERMISSION_DENIED",
    )
    assert isinstance(bodies[Protocol.OLLAMA]["error"], str)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        pytest.param(401, "UNAUTHENTICATED", id="no token"),
        pytest.param(403, "PERMISSION_DENIED", id="another site"),
        pytest.param(429, "RESOURCE_EXHAUSTED", id="a limit"),
        pytest.param(503, "UNAVAILABLE", id="a full queue"),
        pytest.param(421, "INTERNAL", id="what Google has no word for"),
    ],
)
def test_a_status_has_googles_word(status: int, word: str) -> None:
    error = document(refused(status, "no", Protocol.GEMINI))["error"]
    assert (error["code"], error["status"]) == (status, word)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        pytest.param(member("main", rest("main", 1)), "main: cooling, back in 1 min.", id="less than a minute"),
        pytest.param(member("main", rest("main", 60_001)), "main: cooling, back in 2 min.", id="a minute begun counts"),
        pytest.param(member("main", rest("main", 59 * 60_000)), "back in 59 min.", id="up to an hour in minutes"),
        pytest.param(member("main", rest("main", 60 * 60_000)), "back in 1 h 0 min.", id="an hour"),
        pytest.param(member("main", rest("main", DAY // 2)), "back in 12 h 0 min.", id="up to twelve hours"),
        pytest.param(
            member("main", rest("main", DAY // 2 + 1)), "back on 2026-09-22 at 02:13 UTC.", id="a moment more is a time"
        ),
        pytest.param(member("main", rest("main", DAY)), "back on 2026-09-22 at 14:13 UTC.", id="else the time itself"),
        pytest.param(
            member("main", rest("main", 1, cls=ErrorClass.QUOTA_EXHAUSTED)), "main: out of quota, back in", id="a quota"
        ),
        pytest.param(member("main", reauth="x"), "main: needs re-authentication.", id="a refused key"),
        pytest.param(member("main", rest("main"), admin=Admin.PAUSED), "main: paused.", id="a pause hides a rest"),
        pytest.param(
            member("main", rest("main", scope=Scope.MODEL, model="x")), "main: ready.", id="another model's rest"
        ),
    ],
)
def test_each_profile_is_told_in_words(one: Member, words: str) -> None:
    assert words in document(end(Why.LIMITED, one))["error"]["message"]


def test_without_profiles_there_is_nothing_to_list() -> None:
    error = document(end(Why.NO_PROFILE))["error"]
    assert error["message"].startswith("O-Switcher holds no key for this provider.")
    assert error["profiles"] == []


ordinary_ids = st.from_regex(r"(openrouter|openai|anthropic|groq)-[a-z]{1,10}(-[0-9]{1,2})?", fullmatch=True)
ordinary_times = st.integers(at("2025-01-01"), at("2400-01-01"))


@st.composite
def members_at(draw: st.DrawFn, now: int) -> Member:
    name, ends = draw(ordinary_ids), now + draw(st.integers(-1_000, 32 * DAY))
    rests = [rest(name, ends - NOW, cls=draw(st.sampled_from(ErrorClass)))] if draw(st.booleans()) else []
    return member(name, *rests, admin=draw(st.sampled_from(Admin)), reauth=draw(st.none() | st.just("refused")))


@pytest.mark.many_cases
@unhurried
@given(st.data(), st.sampled_from(Why), ordinary_times, st.sampled_from(Protocol))
def test_the_text_never_makes_an_agent_ask_again(data: st.DataObject, why: Why, now: int, protocol: Protocol) -> None:
    members = data.draw(st.lists(members_at(now), max_size=5))
    resets_at = data.draw(st.none() | st.integers(now - 1_000, now + 32 * DAY))
    ending = end(why, *members, protocol=protocol, resets_at=resets_at, now=now)
    body = document(ending)
    message = (body["o_switcher"] if protocol is Protocol.OLLAMA else body["error"])["message"]
    assert not [word for word in RETRY_WORDS if word in message.lower()]
    wait = header(ending, b"retry-after")
    assert wait is None or 1 <= int(wait) <= RETRY_AFTER_CAP_S


# -- turned away at the door


def test_a_refusal_says_why_and_no_more() -> None:
    ending = refused(401, "no token was given")
    assert ending.status == 401
    assert document(ending) == {
        "error": {
            "type": "o_switcher_refused",
            "message": "no token was given",
            "code": "o_switcher_refused",
            "param": None,
        }
    }
    assert header(ending, b"retry-after") is None


def test_a_refusal_may_name_the_request_and_offer_a_retry() -> None:
    ending = refused(503, "the queue is full", Protocol.MESSAGES, request_id="req1", retry_after_s=2)
    assert document(ending)["request_id"] == document(ending)["error"]["request_id"] == "req1"
    assert header(ending, b"retry-after") == b"2"


def test_a_refusal_sends_nobody_to_sleep_either() -> None:
    assert header(refused(503, "the queue is full", retry_after_s=3_600), b"retry-after") == b"60"


# -- a stream that cannot go on


@pytest.mark.parametrize("protocol", [pytest.param(protocol, id=protocol.value) for protocol in Protocol])
def test_a_stream_that_was_cut_ends_with_the_protocols_own_error(protocol: Protocol) -> None:
    cut = b'{"half": ' if protocol is Protocol.OLLAMA else b'data: {"half": '
    splitter = Splitter(protocol)
    events = splitter.feed(cut + b"\n" + stream_error(protocol, "O-Switcher: the line was cut", "req1"))
    assert splitter.close() == []
    own = [event for event in events if event.data and b"half" not in event.data]
    assert {sign_of(event) for event in own} == {Sign.ERROR}
    body = msgspec.json.decode(own[0].data or b"")
    error = body if protocol is Protocol.RESPONSES else body.get("o_switcher") or body["error"]
    assert error["message"] == "O-Switcher: the line was cut"
    assert "o_switcher_interrupted" in (error.get("type"), error.get("code"))
    assert b"req1" in (events[-1].data or b"")


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        pytest.param(Protocol.MESSAGES, "error", id="messages name their events"),
        pytest.param(Protocol.RESPONSES, "error", id="responses name their events"),
        pytest.param(Protocol.CHAT, "", id="chat does not"),
        pytest.param(Protocol.GEMINI, "", id="nor does Gemini"),
    ],
)
def test_the_error_event_is_named_as_the_protocol_names_events(protocol: Protocol, name: str) -> None:
    assert Splitter(protocol).feed(stream_error(protocol, "cut", "req1"))[0].name == name


def test_a_response_is_said_to_have_failed_as_well_which_codex_shows_to_its_user() -> None:
    failed = Splitter(Protocol.RESPONSES).feed(stream_error(Protocol.RESPONSES, "O-Switcher: cut", "req1"))[-1]
    response = msgspec.json.decode(failed.data or b"")["response"]
    assert (failed.name, response["status"]) == ("response.failed", "failed")
    assert response["error"] == {"code": "server_error", "message": "O-Switcher: cut"}
