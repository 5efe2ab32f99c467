"""A bug report tells the shape of an answer and nothing of anybody's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import NOW, unhurried
from tests.core.test_corpus import CASES, UNSEEN
from tests.core.test_redact import SETTINGS, shapes
from tray_app.core.collect import DEEPEST, LONGEST_LIST, WIDEST, report_line
from tray_app.core.corpus import judge_line, read_line


def body_of(document: object) -> Any:
    """What becomes of a body."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return report_line("openrouter", 400, {}, raw)["body"]


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        pytest.param(
            {"error": {"message": "Too odd", "type": "odd_error", "code": 7, "param": None}},
            {"error": {"message": "Too odd", "type": "odd_error", "code": 7, "param": None}},
            id="an error as most write it",
        ),
        pytest.param({"error": "Too odd"}, {"error": "Too odd"}, id="an error that is a text"),
        pytest.param([{"error": {"message": "m"}}], [{"error": {"message": "m"}}], id="in a list"),
        pytest.param({"errors": ["m", {"message": "n"}]}, {"errors": ["m", {"message": "n"}]}, id="several errors"),
        pytest.param("Too odd", "Too odd", id="a bare text"),
        pytest.param({"note": "words of somebody"}, {"note": "…(17)"}, id="other words are a length"),
        pytest.param({"a name of words": 1}, {"…(15)": 1}, id="a name that is none"),
        pytest.param({"x" * 41: 1}, {"…(41)": 1}, id="a name that is too long"),
        pytest.param({"x" * 40: 1}, {"x" * 40: 1}, id="a long name"),
        pytest.param({"@type": "a.b/C", "$id": 1}, {"@type": "a.b/C", "$id": 1}, id="names with marks"),
        pytest.param(
            {"code": "Some resource has been exhausted"}, {"code": "Some resource has been exhausted"}, id="xAI's code"
        ),
        pytest.param({"code": "what, a sentence?"}, {"code": "…(17)"}, id="a code that is none"),
        pytest.param({"code": "x" * 81}, {"code": "…(81)"}, id="a code that is too long"),
        pytest.param(
            {"flag": True, "nothing": None, "n": 1.5}, {"flag": True, "nothing": None, "n": 1.5}, id="plain values"
        ),
        pytest.param({"n": 10**14, "m": 10**14 - 1}, {"n": "…", "m": 10**14 - 1}, id="a number as long as a card's"),
        pytest.param({"n": -(10**14)}, {"n": "…"}, id="a long negative one"),
        pytest.param(
            {
                "error": {"message": "m"},
                "input": {"a": "b", "n": 1},
                "prompt": "hi",
                "user": 5,
                "tools": ["x", 1, True],
            },
            {
                "error": {"message": "m"},
                "input": "… 2 fields",
                "prompt": "…(2)",
                "user": "…",
                "tools": ["…(1)", "…", True],
            },
            id="what users wrote",
        ),
        pytest.param(
            {"messages": [{"content": "x"}, ["y"]]}, {"messages": ["… 1 fields", ["…(1)"]]}, id="in lists too"
        ),
        pytest.param(
            {"error": {"message": "m", "metadata": {"code": "c"}}, "metadata": {"mine": "x"}},
            {"error": {"message": "m", "metadata": {"code": "c"}}, "metadata": "… 1 fields"},
            id="the request's metadata is not the error's",
        ),
        pytest.param(
            {"detail": [{"type": "missing", "loc": ["body", 3], "msg": "Field 'my text' required", "input": "x"}]},
            {"detail": [{"type": "missing", "loc": ["…(4)", "…"], "msg": "…(24)", "input": "…(1)"}]},
            id="FastAPI",
        ),
        pytest.param({"msg": "a message"}, {"msg": "a message"}, id="a message that is cut short"),
        pytest.param(
            {"error": {"message": json.dumps({"error": {"message": "m", "input": "x"}})}},
            {"error": {"message": '{"error":{"message":"m","input":"…(1)"}}'}},
            id="JSON within a message",
        ),
        pytest.param(
            {"error": {"message": '{"half'}}, {"error": {"message": "…(6)"}}, id="half of JSON within a message"
        ),
        pytest.param(
            {"error": {"metadata": {"raw": '{"error": "m", "prompt": "p"}', "provider_name": "OpenAI"}}},
            {"error": {"metadata": {"raw": '{"error":"m","prompt":"…(1)"}', "provider_name": "OpenAI"}}},
            id="an error that is passed on",
        ),
        pytest.param(
            {"error": {"metadata": {"raw": "words"}}}, {"error": {"metadata": {"raw": "…(5)"}}}, id="in words"
        ),
        pytest.param(
            {"error": {"metadata": {"headers": {"X-RateLimit-Reset": "17", "Cookie": "c"}}}},
            {"error": {"metadata": {"headers": {"x-ratelimit-reset": "17"}}}},
            id="headers within",
        ),
        pytest.param({"list": [1, 2, 3]}, {"list": [1, 2, 3]}, id="a list"),
        pytest.param({"list": [1, 2, 3, 4, 5]}, {"list": [1, 2, 3, "… 2 more"]}, id="a longer list"),
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"  \n", "", id="blanks"),
        pytest.param(b"\xef\xbb\xbf{}", {}, id="a byte order mark"),
        pytest.param(b"Service down", "Service down", id="plain words"),
        pytest.param(b'Bad call: {"content": "my secret letter"}', "Bad call: …(31)", id="plain words and JSON"),
        pytest.param(
            b"<html><head><TITLE lang=x>Oh no</TITLE></head>my words</html>",
            "<html><title>Oh no</title>…(61)</html>",
            id="a page",
        ),
        pytest.param(b"<html>my words</html>", "<html><title></title>…(21)</html>", id="a page without a title"),
        pytest.param(b'{"half": "my wor', "…(16)", id="half of JSON"),
        pytest.param(b"[1, my words", "…(12)", id="half of a list"),
        pytest.param(b'"my words', "…(9)", id="half of a text"),
        pytest.param(b"data: my words", "…(14)", id="an event"),
        pytest.param(b"event: my words", "…(15)", id="a named event"),
        pytest.param(b'{"n": NaN}', "…(10)", id="JSON that is none"),
    ],
)
def test_a_body_is_told_by_its_shape(document: object, shown: object) -> None:
    assert body_of(document) == shown


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        pytest.param(
            "See https://h.example/settings/keys and go", "See https://h.example/settings/keys and go", id="a page"
        ),
        pytest.param(
            "See https://h.example/u/Ab3/keys?k=v#x.", "See https://h.example/u/…/keys", id="a page of somebody's"
        ),
        pytest.param("See http://h.example.", "See https://h.example.", id="a host"),
        pytest.param("write to a.b@h.example now", "write to [mail] now", id="an address for mail"),
        pytest.param("from 10.0.0.7 refused", "from [address] refused", id="a machine's address"),
        pytest.param("version 1.2.3 refused", "version 1.2.3 refused", id="a version"),
        pytest.param("team 76d698e2-0000-4000-8000-0123456789ab is out", "team [id] is out", id="a team's id"),
        pytest.param("org-abc<ak-def> and proj_x", "[id]<[id]> and [id]", id="ids by their names"),
        pytest.param("model `x-1` and 'y' and \"z\"", "model `x-1` and 'y' and \"z\"", id="quoted names"),
        pytest.param('call "my own words" failed', "call …(14) failed", id="a quoted passage"),
        pytest.param("call `my words` and \u201cmy words\u201d", "call …(10) and …(10)", id="other quotes"),
        pytest.param("tool 'my words' isn't it, can't be", "tool …(10) isn't it, can't be", id="single quotes"),
        pytest.param("set {a} and {b}", "set {a} and {b}", id="short braces"),
        pytest.param("x" * 201, "x" * 199 + "…", id="a long one is cut"),
    ],
)
def test_a_message_is_told_without_anybodys_own(message: str, shown: str) -> None:
    assert body_of({"error": {"message": message}}) == {"error": {"message": shown}}


def test_how_deep_and_how_wide_it_is_told() -> None:
    document: Any = {"n": 1}
    for _ in range(DEEPEST - 1):
        document = {"a": document}
    told = body_of(document)
    for _ in range(DEEPEST - 1):
        told = told["a"]
    assert told == {"n": 1}
    assert json.dumps(body_of({"a": document})).count("a") == DEEPEST
    assert "… 1 fields" in json.dumps(body_of({"a": document}), ensure_ascii=False)
    nested: Any = []
    for _ in range(DEEPEST + 2):
        nested = [nested]
    assert "… 1 more" in json.dumps(body_of(nested), ensure_ascii=False)
    assert len(body_of({f"n{number}": number for number in range(WIDEST + 5)})) == WIDEST
    assert len(body_of(list(range(9)))) == LONGEST_LIST + 1
    assert body_of(b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}") == "…(10007)"
    assert body_of({"error": {"message": json.dumps([[[[[[1]]]]]])}}) == {"error": {"message": '[[[["… 1 more"]]]]'}}


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        pytest.param(
            {"Retry-After": "5", "retry-after-ms": "1", "X-RateLimit-Reset-Tokens": "6m0s", "RateLimit-Reset": "9"},
            {"retry-after": "5", "retry-after-ms": "1", "x-ratelimit-reset-tokens": "6m0s", "ratelimit-reset": "9"},
            id="waits and limits",
        ),
        pytest.param(
            {"anthropic-ratelimit-unified-status": "rejected", "Content-Type": "text/html", "x-should-retry": "false"},
            {"anthropic-ratelimit-unified-status": "rejected", "content-type": "text/html", "x-should-retry": "false"},
            id="Anthropic's, and what else tells",
        ),
        pytest.param(
            {
                "Set-Cookie": "a",
                "cf-ray": "b",
                "x-request-id": "c",
                "authorization": "d",
                "my-x-ratelimit": "e",
                "x-should-retry-x": "f",
            },
            {},
            id="nothing else",
        ),
        pytest.param(
            {"x-ratelimit-key": "sk-or-v1-0123456789abcdef"}, {"x-ratelimit-key": "[key]"}, id="no key in one"
        ),
    ],
)
def test_headers_that_speak_of_limits_are_kept(headers: dict[str, str], shown: dict[str, str]) -> None:
    assert report_line("openai", 429, headers, b"")["headers"] == shown


def test_a_provider_of_the_users_own_is_not_named() -> None:
    assert report_line("openai-responses", None, {}, b"") == {
        "provider": "openai-responses",
        "status": None,
        "headers": {},
        "body": "",
    }
    assert report_line("acme-internal", 400, {}, b"")["provider"] == "custom"


@pytest.mark.parametrize("provider", [pytest.param(name, id=f"a key of {name}") for name in shapes(0)])
def test_no_key_is_told_wherever_it_stands(provider: str) -> None:
    key = shapes(3)[provider]
    for setting in SETTINGS:
        words = setting.format(key)
        document = {"error": {"message": words, "code": key, "x": words}, key: 1, "raw": words}
        for body in (json.dumps(document).encode(), words.encode(), b"<title>" + words.encode()):
            line = json.dumps(report_line("openai", 400, {"x-ratelimit-x": words, "x-request-id": key}, body))
            assert key not in line
            assert key[8:24] not in line, line


SECRET = "the patient's diagnosis is measles"
containers = st.sampled_from(
    [
        "input",
        "prompt",
        "messages",
        "failed_generation",
        "flagged_input",
        "x_new",
        "note",
        "echo",
        "content",
        "metadata",
    ]
)


@unhurried
@given(st.sampled_from([case for case in CASES + UNSEEN if isinstance(case["body"], dict)]), containers, st.booleans())
def test_nothing_that_users_wrote_is_told(case: dict[str, Any], name: str, quoted: bool) -> None:
    body = json.loads(json.dumps(case["body"]))
    body[name] = {"role": "user", "text": SECRET, SECRET: [SECRET]}
    error = body.get("error")
    if isinstance(error, dict) and name != "metadata":
        error[name] = [SECRET]
        if quoted and isinstance(error.get("message"), str) and not error["message"].startswith("{"):
            error["message"] = f'Odd call "{SECRET}". ' + error["message"]
    line = json.dumps(report_line(case["provider"], case["status"], case["headers"], json.dumps(body).encode()))
    assert "measles" not in line


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if isinstance(case["body"], dict) and case["status"] and case["status"] >= 400],
    ids=lambda case: case["id"],
)
def test_what_is_told_is_judged_as_the_answer_was(case: dict[str, Any]) -> None:
    line = report_line(case["provider"], case["status"], case["headers"], json.dumps(case["body"]).encode())
    if line["provider"] == "custom" or "raw" in json.dumps(case["body"]) or "flagged" in json.dumps(case["body"]):
        return
    found = judge_line(read_line(json.dumps(line).encode()), NOW / 1000)
    whole = judge_line(read_line(json.dumps({**case, "now": None}).encode()), NOW / 1000)
    assert (found.cls, found.scope) == (whole.cls, whole.scope)


@unhurried
@given(st.binary() | st.text().map(str.encode), st.integers(100, 999), st.dictionaries(st.text(), st.text()))
def test_every_answer_can_be_told(body: bytes, status: int, headers: dict[str, str]) -> None:
    assert json.dumps(report_line("x", status, headers, body))
