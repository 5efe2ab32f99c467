"""The packages `openai` and `anthropic` through the proxy: answers, failing over, and the ends that their users see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.answers import ANSWER, OTHER, one_stream, saying, whole
from tests.clients.packages import Packages
from tests.rig import MODEL, running

ALL = ["chat", "chat_stream", "responses", "responses_stream", "messages", "messages_stream"]
SMALL = ["embeddings", "count_tokens", "models"]
EITHER = ["chat_stream", "messages_stream"]  # one of each package


def checked(call: str, told: dict[str, object]) -> None:
    """It is what an undisturbed provider would have given."""
    match call:
        case "embeddings":
            assert told == {"vector": [0.125, -0.25, 0.5, -0.0625, 0.75, -0.375, 0.03125, 0.25]}
        case "count_tokens":
            assert told == {"tokens": pytest.approx(20, abs=10)}
        case "models":
            assert told == {"models": [MODEL]}
        case _:
            (one_stream if call.endswith("_stream") else whole)(call, told)


def test_every_call_gives_what_the_provider_said(tmp_path: Path, packages: Packages) -> None:
    with running(tmp_path, {"only": saying(ANSWER)}) as rig:
        for call in (*ALL, *SMALL):
            checked(call, packages.call(call, rig))
        rows = rig.rows("SELECT client, outcome, count(*) AS n FROM request GROUP BY client, outcome")
        assert rows == [{"client": "sdk", "outcome": "served", "n": len(ALL) + len(SMALL)}]


@pytest.mark.parametrize("call", [*ALL, *SMALL])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param('{do="no_credit"}', id="out of credit"),
        pytest.param('{do="rate_limit", retry_after=30}', id="rate-limited"),
        pytest.param('{do="unauthorized"}', id="unauthorised"),
    ],
)
def test_a_profile_that_cannot_is_replaced_unnoticed(tmp_path: Path, packages: Packages, call: str, fault: str) -> None:
    fault = fault.replace("{", '{path="models", ') + ", " + fault if call == "models" else fault
    with running(tmp_path, {"first": saying(OTHER, fault), "second": saying(ANSWER)}) as rig:
        checked(call, packages.call(call, rig))
        assert [(call.key_name, call.status == 200) for call in rig.simulator.calls] == [
            ("first", False),
            ("second", True),
        ]


# -- the ends

ENDS = [
    pytest.param('{do="unauthorized"}', "PermissionDeniedError", 403, "refuses the key", 2, id="no key is good"),
    pytest.param('{do="server_error"}', "InternalServerError", 502, "failed on every profile", 8, id="it is broken"),
    pytest.param('{do="bad_request"}', "BadRequestError", 400, "", 1, id="the request is wrong"),
]


@pytest.mark.parametrize("call", EITHER)
@pytest.mark.parametrize(("fault", "error", "status", "words", "calls"), ENDS)
def test_an_end_is_an_exception_at_once_and_no_second_try(
    tmp_path: Path, packages: Packages, call: str, fault: str, error: str, status: int, words: str, calls: int
) -> None:
    with running(tmp_path, {"first": saying(OTHER, fault), "second": saying(OTHER, fault)}) as rig:
        told = packages.call(call, rig)
        assert (told["error"], told["status"]) == (error, status)
        assert words in told["says"]
        assert rig.rows("SELECT count(*) AS n FROM request") == [{"n": 1}]
        assert sum(rig.calls().values()) == calls


@pytest.mark.parametrize("call", EITHER)
def test_without_credit_anywhere_it_is_a_rate_limit_that_names_every_profile(
    tmp_path: Path, packages: Packages, call: str
) -> None:
    out = '{do="no_credit"}'
    with running(tmp_path, {"first": saying(OTHER, out), "second": saying(OTHER, out)}) as rig:
        told = packages.call(call, rig, retries=0)  # it would wait as long as it is told to, twice
        assert (told["error"], told["status"]) == ("RateLimitError", 429)
        assert all(f"openrouter-{name}: out of quota" in told["says"] for name in ("first", "second"))
        assert rig.calls() == {"first": 1, "second": 1}


@pytest.mark.parametrize("call", EITHER)
def test_a_limit_of_a_second_is_waited_for_and_the_package_notices_nothing(
    tmp_path: Path, packages: Packages, call: str
) -> None:
    limited = '{times=1, do="rate_limit", retry_after=1}, {do="ok"}'
    with running(tmp_path, {"only": saying(ANSWER, limited)}) as rig:
        checked(call, packages.call(call, rig))
        assert rig.rows("SELECT outcome, attempts FROM request") == [{"outcome": "served", "attempts": 2}]


@pytest.mark.parametrize("call", EITHER)
def test_a_wrong_token_is_told_how_to_get_one_and_nobody_is_asked(
    tmp_path: Path, packages: Packages, call: str
) -> None:
    with running(tmp_path, {"only": saying(OTHER)}) as rig:
        told = packages.call(call, rig, token="o-switcher-wrong")
        assert (told["error"], told["status"]) == ("AuthenticationError", 401)
        assert "print one with: o-switcher token" in told["says"]
        assert rig.calls() == {}
