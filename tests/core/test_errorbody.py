"""Error bodies in all their dresses; what users wrote in them is never read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core import errorbody
from tray_app.core.errorbody import MAX_BODY, ErrorBody


def read(document: object) -> ErrorBody:
    return errorbody.read(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("document", "message", "codes"),
    [
        pytest.param(
            {"error": {"message": "m", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}},
            "m",
            ("rate_limit_exceeded", "tokens"),
            id="OpenAI",
        ),
        pytest.param({"error": {"code": 429, "message": "m"}, "user_id": "u"}, "m", ("429",), id="OpenRouter"),
        pytest.param(
            {"error": {"message": "m", "error_type": "not_found", "availability": {"code": "no_endpoints"}}},
            "m",
            ("not_found", "no_endpoints"),
            id="OpenRouter's availability",
        ),
        pytest.param(
            {"type": "error", "error": {"type": "api_error", "message": "m", "details": {"error_code": "e"}}},
            "m",
            ("error", "api_error", "e"),
            id="Anthropic",
        ),
        pytest.param({"error": {"error": {"code": 402, "message": "m"}}}, "m", ("402",), id="double nesting"),
        pytest.param({"error": "m"}, "m", (), id="an error that is a text"),
        pytest.param({"code": "c", "error": "m"}, "m", ("c",), id="xAI: flat, the error a text"),
        pytest.param({"object": "error", "message": "m", "code": "1300"}, "m", ("1300",), id="Mistral: at the top"),
        pytest.param({"message": "m", "type": "t", "code": "c"}, "m", ("c", "t"), id="Cerebras: at the top"),
        pytest.param({"detail": "m"}, "m", (), id="FastAPI: a text"),
        pytest.param({"detail": [{"type": "missing", "msg": "x"}]}, "", ("missing",), id="FastAPI: a list"),
        pytest.param({"status": 429, "title": "m"}, "m", ("429",), id="NVIDIA"),
        pytest.param([{"error": {"code": 429, "message": "m", "status": "S"}}], "m", ("429", "s"), id="a list of one"),
        pytest.param({"error": [{"message": "m", "code": "c"}]}, "m", ("c",), id="an error that is a list"),
        pytest.param(
            {"error": {"message": "m", "details": [{"reason": "R", "metadata": {"quotaResetDelay": "1s"}}]}},
            "m",
            ("r",),
            id="Google's details",
        ),
        pytest.param(
            {"error": {"code": 400, "message": json.dumps({"error": {"message": "m", "status": "S"}})}},
            "m",
            ("400", "s"),
            id="JSON within the message",
        ),
        pytest.param(
            {"error": {"message": json.dumps([{"error": {"message": "m"}}])}}, "m", (), id="a list within the message"
        ),
        pytest.param(json.dumps({"error": {"message": "m"}}), "m", (), id="JSON within a text"),
        pytest.param(
            {"type": "response.failed", "response": {"status": "failed", "error": {"code": "c", "message": "m"}}},
            "m",
            ("response.failed", "failed", "c"),
            id="a failed response",
        ),
        pytest.param(
            {"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "m"}}]},
            "m",
            ("502",),
            id="an error of a choice",
        ),
        pytest.param({"base_resp": {"status_code": 1008, "status_msg": "m"}}, "m", ("1008",), id="MiniMax"),
        pytest.param({"error_code": 18, "error_msg": "m"}, "m", ("18",), id="Baidu"),
        pytest.param({"code": 30001, "msg": "m"}, "m", ("30001",), id="a message that is cut short"),
        pytest.param({"error_message": "m"}, "m", (), id="a message with its kind"),
        pytest.param({"Message": "m", "__type": "T"}, "m", ("t",), id="Amazon"),
        pytest.param({"http_status": 429, "statusCode": 5, "message": "m"}, "m", ("429",), id="a status by its name"),
        pytest.param({"errors": [{"message": "m", "code": 4006}], "success": False}, "m", ("4006",), id="Cloudflare"),
        pytest.param({"errors": [], "error": {"message": "m"}}, "m", (), id="an error beside an empty list of them"),
        pytest.param({"detail": {"message": "m", "code": "c"}}, "m", ("c",), id="FastAPI: an object"),
        pytest.param({"detail": {"error": "m"}}, "m", (), id="FastAPI: an object with an error"),
        pytest.param({"detail": {}, "message": "m"}, "m", (), id="FastAPI: an empty object"),
        pytest.param({"error": {"details": "m", "code": "c"}}, "", ("c",), id="details that are a text"),
        pytest.param({"error": {"code": 999_999, "status": 1_000_000}}, "", ("999999",), id="numbers too great"),
        pytest.param({"error": {"code": "x" * 80}}, "", ("x" * 80,), id="the longest code"),
        pytest.param({"message": "outer", "error": {"code": 1}}, "outer", ("1",), id="the message stands outside"),
        pytest.param({"error": {"message": " ", "detail": "m"}}, "m", (), id="a blank message is none"),
        pytest.param({"error": {"innererror": {"code": "Inner"}}}, "", ("inner",), id="Azure's inner error"),
        pytest.param({"error": {"code": True, "type": 1.5, "status": "x" * 81}}, "", (), id="codes that are none"),
        pytest.param({"error": {"message": "{not JSON"}}, "{not JSON", (), id="a message that only begins like JSON"),
        pytest.param({"error": {"message": "[1, 2]"}}, "[1, 2]", (), id="a message that is a list of numbers"),
        pytest.param({"error": {"message": "[]"}}, "[]", (), id="a message that is an empty list"),
    ],
)
def test_a_shape_is_read(document: Any, message: str, codes: tuple[str, ...]) -> None:
    body = read(document)
    assert (body.message, body.codes, body.is_json, body.present) == (message, codes, True, body.present)


@pytest.mark.parametrize(
    ("body", "message", "is_json", "present"),
    [
        pytest.param(b"", "", False, False, id="nothing"),
        pytest.param(b" \n\n ", "", False, False, id="blank lines alone"),
        pytest.param(b"\xef\xbb\xbf", "", False, False, id="a byte order mark alone"),
        pytest.param(b"Authentication Fails", "Authentication Fails", False, True, id="plain words"),
        pytest.param(b"\xff\xfe busy", "\ufffd\ufffd busy", False, True, id="plain words in another encoding"),
        pytest.param(b"x" * 400, "x" * 300, False, True, id="a long text is cut"),
        pytest.param(b"<html>quota exceeded</html>", "", False, True, id="a web page says nothing"),
        pytest.param(b'{"error": {"message": "insuf', "", False, True, id="JSON cut short may echo the request"),
        pytest.param(b'[{"input": "insuf', "", False, True, id="a list cut short too"),
        pytest.param(b'"insufficient cre', "", False, True, id="and a text cut short"),
        pytest.param(b'data: {"error": "m"}', "", False, True, id="an event is no plain text"),
        pytest.param(b'{"error": NaN}', "", False, True, id="JSON that is none"),
        pytest.param(b"\n\n\n" + b'{"error": "m"}', "m", True, True, id="blank lines before the JSON"),
        pytest.param(b"\xef\xbb\xbf" + b'{"error": "m"}', "m", True, True, id="a byte order mark before the JSON"),
        pytest.param(b'"busy"', "busy", True, False, id="a bare text"),
        pytest.param(b"[]", "", True, False, id="an empty list"),
        pytest.param(b"[[1]]", "", True, False, id="a list of lists"),
        pytest.param(b"null", "", True, False, id="null"),
        pytest.param(b"42", "", True, False, id="a number"),
        pytest.param(b'{"error": ' + b"[" * 5000 + b"]" * 5000 + b"}", "", False, True, id="nesting without end"),
    ],
)
def test_a_body_is_read(body: bytes, message: str, is_json: bool, present: bool) -> None:
    found = errorbody.read(body)
    assert (found.message, found.is_json, found.present) == (message, is_json, present)
    assert found.is_page == body.startswith(b"<")
    assert found.words == message.lower()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"error": {"message": "m"}}, id="an error"),
        pytest.param({"error": "m", "choices": []}, id="an error beside choices"),
        pytest.param({"type": "error"}, id="an event of errors"),
        pytest.param({"type": "response.failed", "response": {}}, id="a failed response"),
        pytest.param({"object": "error"}, id="an object of errors"),
        pytest.param({"choices": [{"finish_reason": "error"}]}, id="a choice that ended in an error"),
        pytest.param({"choices": [{}, {"error": {"code": 1}}]}, id="a choice with an error"),
        pytest.param({"base_resp": {"status_code": 1002}}, id="a business code"),
        pytest.param({"message": "m", "code": "c"}, id="a message where an answer should be"),
        pytest.param({"success": False, "result": None}, id="no success"),
        pytest.param({"error_code": 18, "error_msg": "m", "result": ""}, id="a business code, flat"),
    ],
)
def test_an_error_is_seen_in_a_success(document: Any) -> None:
    assert read(document).present


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"choices": [{"message": {"content": "error"}, "finish_reason": "stop"}]}, id="a completion"),
        pytest.param({"error": None, "choices": []}, id="no error, said in so many words"),
        pytest.param({"error": {}, "choices": []}, id="an empty error"),
        pytest.param({"type": "message", "content": [{"text": "error"}]}, id="a message"),
        pytest.param({"type": {"error": 1}, "data": []}, id="a type that is none"),
        pytest.param({"base_resp": {"status_code": 0, "status_msg": "success"}, "choices": []}, id="MiniMax, well"),
        pytest.param({"base_resp": {}, "choices": []}, id="MiniMax, nothing said"),
        pytest.param({"model": "m", "message": {"content": "x"}}, id="Ollama"),
        pytest.param({"model": "m", "message": "x"}, id="an answer that calls itself a message"),
        pytest.param({"response": "an error occurred", "model": "m"}, id="Ollama's response in words"),
        pytest.param({"choices": "none"}, id="choices that are none"),
        pytest.param({"success": True, "result": {}}, id="success"),
        pytest.param({"error_code": 0, "error_msg": "ok", "result": ""}, id="a business code of success"),
        pytest.param({"error_code": 1, "error_msg": "", "result": ""}, id="a business code without a word"),
        pytest.param({}, id="an empty object"),
    ],
)
def test_no_error_is_seen_in_an_answer(document: Any) -> None:
    assert not read(document).present


def test_a_models_own_words_are_not_the_message() -> None:
    assert read({"model": "m", "response": "insufficient credits"}).message == ""


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param("The MODEL is Gone", "the model is gone", id="lower case"),
        pytest.param('model "x" not found', 'model "x" not found', id="a quoted name stays"),
        pytest.param('bad call "insufficient credits" here', "bad call \u2026 here", id="a quoted passage goes"),
        pytest.param("bad call `rate limit` here", "bad call \u2026 here", id="between backticks"),
        pytest.param("bad call \u201crate limit\u201d here", "bad call \u2026 here", id="between curly quotes"),
        pytest.param("bad call 'rate limit' here", "bad call \u2026 here", id="between single quotes"),
        pytest.param(
            "\"a b\" `c d` \u201ce f\u201d 'g h' i", "\u2026 \u2026 \u2026 \u2026 i", id="between quotes of every kind"
        ),
        pytest.param("you've no right, don't", "you've no right, don't", id="apostrophes quote nothing"),
        pytest.param("`a` tokens + `b` must be", "`a` tokens + `b` must be", id="between two names nothing is quoted"),
        pytest.param('he said "a b', 'he said "a b', id="a quote without its end"),
        pytest.param('"a\nb c" and more', '"a\nb c" and more', id="a quote does not go over lines"),
    ],
)
def test_what_a_message_quotes_is_left_out_of_its_words(message: str, words: str) -> None:
    body = read({"error": {"message": message}})
    assert (body.message, body.words) == (message, words)
    assert read(message).words == words


def test_numbers_of_a_providers_own_get_its_name() -> None:
    body = b'{"error": {"code": "1113", "type": "x", "status": 429}}'
    assert errorbody.read(body).codes == ("1113", "x", "429")
    assert errorbody.read(body, "zai").codes == ("1113", "x", "429", "zai:1113", "zai:429")


@pytest.mark.parametrize(
    ("document", "served_by"),
    [
        pytest.param({"provider": "OpenAI", "choices": [], "error": {"code": 502}}, "OpenAI", id="of a broken answer"),
        pytest.param({"provider": "OpenAI", "error": {"code": 502}}, None, id="not where no answer had begun"),
        pytest.param({"provider": "", "choices": []}, None, id="an empty name"),
        pytest.param({"provider": 5, "choices": []}, None, id="a name that is none"),
        pytest.param({"choices": []}, None, id="nobody is named"),
    ],
)
def test_it_is_seen_who_served_what_broke_off(document: Any, served_by: str | None) -> None:
    assert read(document).served_by == served_by


@pytest.mark.parametrize(
    ("metadata", "relayed_from"),
    [
        pytest.param({"provider_name": "OpenAI", "raw": "r"}, "OpenAI", id="another provider's error"),
        pytest.param({"provider_name": "OpenAI", "raw": "r", "is_byok": False}, "OpenAI", id="said to be not ours"),
        pytest.param({"provider_name": "OpenAI", "raw": "r", "is_byok": True}, None, id="of the user's own key there"),
        pytest.param({"provider_name": None, "raw": "r"}, None, id="nobody is named"),
        pytest.param({"provider_name": "", "raw": "r"}, None, id="an empty name"),
        pytest.param({"provider_name": 5, "raw": "r"}, None, id="a name that is none"),
    ],
)
def test_it_is_seen_whose_error_an_aggregator_passes_on(metadata: dict[str, object], relayed_from: str | None) -> None:
    body = read({"error": {"message": "Provider returned error", "metadata": metadata}})
    assert body.relayed_from == relayed_from
    assert body.raw == ("r" if metadata["provider_name"] else "")
    assert body.is_byok is (metadata.get("is_byok") is True)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            {"metadata": {"code": "c", "provider_name": "P"}, "error": {"message": "m"}}, id="beside an error"
        ),
        pytest.param(
            {"response": {"metadata": {"type": "c", "provider_name": "P"}, "error": {"message": "m"}}},
            id="of a failed response",
        ),
        pytest.param(
            {"type": "response.failed", "response": {"metadata": {"code": "c", "provider_name": "P"}}},
            id="of a failed response without an error",
        ),
        pytest.param({"error": {"message": "m"}, "input": {"error": {"code": "c"}}}, id="the input"),
        pytest.param({"error": {"message": "m", "failed_generation": '{"code": "c"}'}}, id="a failed generation"),
        pytest.param({"detail": [{"type": "t", "input": {"code": "c", "message": "x"}}]}, id="FastAPI's input"),
        pytest.param({"object": "error", "message": "m", "metadata": {"code": "c"}}, id="beside a flat error"),
        pytest.param({"error": "m", "metadata": {"code": "c"}}, id="beside an error that is a text"),
    ],
)
def test_what_the_request_brought_along_is_not_read(document: Any) -> None:
    body = read(document)
    assert "c" not in body.codes
    assert body.relayed_from is None
    assert body.message in ("m", "")


def test_a_body_is_read_up_to_a_bound() -> None:
    frame = len(b'{"error": {"message": ""}}')
    assert errorbody.read(json.dumps({"error": {"message": "x" * (MAX_BODY - frame)}}).encode()).is_json
    assert not errorbody.read(json.dumps({"error": {"message": "x" * (MAX_BODY - frame + 1)}}).encode()).is_json
    assert len(read({"error": {"message": "x" * 9000}}).message) == 2000


def test_nesting_is_followed_only_so_deep() -> None:
    document: dict[str, object] = {"message": "inmost"}
    for depth in range(5):
        assert read(document).message == "inmost", depth
        document = {"error": document}
    assert read(document).message == ""


def test_a_number_too_long_to_be_spelled_is_no_code() -> None:
    assert errorbody.read(b'{"error": {"code": ' + b"1" * 5000 + b"}}").codes == ()


def test_a_code_is_asked_for_by_any_of_several_names() -> None:
    body = read({"error": {"code": "A", "type": "b"}})
    assert body.has("x", "a")
    assert body.has("b")
    assert not body.has("x", "A")
    assert not body.has()


names = st.sampled_from(["error", "message", "code", "type", "response", "choices", "base_resp", "metadata", "details"])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
documents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names | st.text(), inner))


@pytest.mark.many_cases
@unhurried
@given(st.binary() | st.text().map(str.encode) | documents.map(lambda document: json.dumps(document).encode()))
def test_no_body_makes_the_reader_stumble(body: bytes) -> None:
    found = errorbody.read(body)
    assert len(found.message) <= 2000
    assert all(code == code.lower() for code in found.codes)
    assert not found.raw or found.relayed_from
