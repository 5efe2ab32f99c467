"""A profile that fails is replaced by one that works, and the client notices nothing."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.rig import MODEL, key_of, running, said, script_of

OK = '{do="ok"}'

# what the first profile does -> calls on it, its label afterwards, the class that is recorded
INVISIBLE = [
    pytest.param('{do="no_credit"}', 1, "cooling", "quota_exhausted", id="out of credit: at once, parked"),
    pytest.param(
        '{do="key_limit", window="monthly"}', 1, "cooling", "quota_exhausted", id="key limit: at once, parked"
    ),
    pytest.param('{do="rate_limit", retry_after=30}', 1, "cooling", "rate_limited", id="rate limit with a hint"),
    pytest.param('{do="rate_limit"}', 1, "cooling", "rate_limited", id="rate limit without a hint"),
    pytest.param('{do="in_flight"}', 1, "cooling", "rate_limited", id="credit reserved in flight passes"),
    pytest.param('{do="unauthorized"}', 1, "needs re-authentication", "auth", id="401: marked, elsewhere"),
    pytest.param('{do="server_error", status=500}', 4, "ready", "server_error", id="500: three retries, elsewhere"),
    pytest.param('{do="bad_gateway_html"}', 4, "ready", "server_error", id="502 as a page of HTML"),
    pytest.param('{do="overloaded", status=503}', 4, "ready", "overloaded", id="503"),
    pytest.param('{do="overloaded", status=529}', 4, "ready", "overloaded", id="529"),
    pytest.param('{do="model_not_found", status=404}', 1, "ready", "model_unavailable", id="model missing: next"),
    pytest.param('{do="model_not_found", status=400}', 1, "ready", "model_unavailable", id="model invalid: next"),
    pytest.param('{do="cannot_afford"}', 1, "ready", "quota_exhausted", id="too dear for what is left: next"),
    pytest.param('{do="reset"}', 1, "ready", "network", id="reset before the head: it may cost, so one call more"),
    pytest.param('{do="close"}', 1, "ready", "network", id="closed before the head: it may cost, so one call more"),
    pytest.param('{do="garbage", how="bytes"}', 1, "ready", "server_error", id="no HTTP at all"),
    pytest.param('{do="garbage", how="html"}', 1, "ready", "server_error", id="a web page with status 200"),
    pytest.param('{do="giant_header", size=100000}', 1, "ready", "server_error", id="a giant header"),
    pytest.param('{do="error_in_200", code=502}', 4, "ready", "server_error", id="an error inside a 200"),
    pytest.param('{do="error_in_200", code=429, message="slow"}', 1, "cooling", "rate_limited", id="429 inside a 200"),
    pytest.param('{do="empty", how="no_body"}', 1, "ready", "server_error", id="200 without a body"),
    pytest.param(
        '{do="provider_error", status=429}', 1, "cooling", "rate_limited", id="the aggregator's provider is busy"
    ),
    pytest.param('{do="wrong_length", then="fin"}', 1, "ready", "network", id="shorter than its length"),
    pytest.param('{do="cut", at=100, how="rst"}', 1, "ready", "network", id="cut in the body"),
]


@pytest.mark.parametrize(("fault", "calls", "phase", "error_class"), INVISIBLE)
def test_a_plain_answer_comes_from_the_next_profile(
    tmp_path: Path, fault: str, calls: int, phase: str, error_class: str
) -> None:
    with running(tmp_path, script_of(first=fault, second=OK)) as rig:
        answer = rig.chat()
        assert answer.status_code == 200
        assert "second" in answer.json()["choices"][0]["message"]["content"]
        assert answer.headers["x-o-switcher-profile"] == "openrouter-second"
        assert answer.headers["x-o-switcher-attempts"] == str(calls + 1)
        assert answer.headers["x-o-switcher-failovers"] == "1"
        assert rig.calls() == {"first": calls, "second": 1}
        state = rig.phase("openrouter-first")
        if phase == "cooling" and state == "ready":  # a rest for this model only
            assert rig.rows("SELECT model FROM cooldown")[0]["model"] == MODEL
        else:
            assert state == phase
        classes = rig.rows("SELECT DISTINCT error_class FROM attempt WHERE profile_id = 'openrouter-first'")
        assert [row["error_class"] for row in classes] == [error_class]
        assert rig.rows("SELECT outcome, attempts, failovers FROM request") == [
            {"outcome": "served", "attempts": calls + 1, "failovers": 1}
        ]
        assert len(rig.rows("SELECT 1 FROM failover WHERE manual = 0")) == 1


STREAM_FAULTS = [
    pytest.param('{do="no_credit"}', 1, id="out of credit"),
    pytest.param('{do="rate_limit", retry_after=30}', 1, id="rate limit"),
    pytest.param('{do="error_first", code=429}', 1, id="a 429 as the first event"),
    pytest.param('{do="error_first", code=502}', 4, id="a 502 as the first event"),
    pytest.param('{do="error_first", code=502, bare=true}', 4, id="a bare error as the first event"),
    pytest.param('{do="empty", how="no_events"}', 1, id="a stream without events"),
    pytest.param('{do="empty", how="only_done"}', 1, id="a stream that only says it is done"),
    pytest.param('{do="empty", how="no_body"}', 1, id="no body"),
    pytest.param('{do="garbage", how="html"}', 1, id="a web page"),
    pytest.param('{do="cut", at=3, how="rst"}', 1, id="cut before its first event"),
    pytest.param('{do="cut", at=3, how="fin"}', 1, id="closed before its first event"),
]


@pytest.mark.parametrize(("fault", "calls"), STREAM_FAULTS)
@pytest.mark.parametrize("path", ["/chat/completions", "/messages", "/responses"])
def test_a_stream_comes_from_the_next_profile(tmp_path: Path, fault: str, calls: int, path: str) -> None:
    body = {
        "model": MODEL,
        "stream": True,
        "max_tokens": 50,
        "input": "hi",
        "messages": [{"role": "user", "content": "hi"}],
    }
    with running(tmp_path, script_of(first=fault, second=OK)) as rig:
        answer = rig.client.post(f"/openrouter/v1{path}", json=body)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-o-switcher-profile"] == "openrouter-second"
        assert "second" in said(answer.text)
        assert "first" not in said(answer.text)
        assert rig.calls() == {"first": calls, "second": 1}


CLIENT_ERRORS = [
    pytest.param('{do="bad_request"}', 400, "bad_request", id="a bad request"),
    pytest.param('{do="context_length"}', 400, "context_length", id="too long for the model"),
    pytest.param('{do="forbidden"}', 403, "content_filter", id="moderation"),
    pytest.param('{do="custom", status=422, body="{\\"detail\\":[]}"}', 422, "bad_request", id="422"),
    pytest.param('{do="custom", status=413, body="too large"}', 413, "bad_request", id="413"),
]


@pytest.mark.parametrize(("fault", "status", "error_class"), CLIENT_ERRORS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_clients_own_error_goes_back_verbatim_and_touches_nobody(
    tmp_path: Path, fault: str, status: int, error_class: str, stream: bool
) -> None:
    with running(tmp_path, script_of(first=fault, second=OK)) as rig:
        body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        direct = httpx.post(
            rig.simulator.url + "/chat/completions", json=body, headers={"authorization": "Bearer " + key_of("first")}
        )
        answer = rig.chat(stream=stream)
        assert answer.status_code == direct.status_code == status
        assert answer.content == direct.content
        assert answer.headers["x-o-switcher-attempts"] == "1"
        assert rig.calls().get("second", 0) == 0
        assert rig.phase("openrouter-first") == "ready"
        assert rig.rows("SELECT outcome, status_code FROM request") == [{"outcome": "failed", "status_code": status}]
        assert rig.rows("SELECT error_class FROM attempt") == [{"error_class": error_class}]
        assert rig.rows("SELECT 1 FROM cooldown") == []


def test_the_current_profile_stays_in_use_and_a_parked_one_is_left_alone(tmp_path: Path) -> None:
    with running(tmp_path, script_of(first='{do="ok", times=2}, {do="no_credit"}', second=OK, third=OK)) as rig:
        served = [rig.chat(text=str(turn)).headers["x-o-switcher-profile"] for turn in range(6)]
        assert served == ["openrouter-first"] * 2 + ["openrouter-second"] * 4
        assert rig.calls() == {"first": 3, "second": 4}


def test_a_park_survives_a_restart(tmp_path: Path) -> None:
    script = script_of(first='{do="no_credit"}', second=OK)
    with running(tmp_path, script) as rig:
        assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-second"
        until = rig.rows("SELECT until_at FROM cooldown")[0]["until_at"]
    with running(tmp_path, script) as rig:
        assert rig.phase("openrouter-first") == "cooling"
        assert rig.rows("SELECT until_at FROM cooldown")[0]["until_at"] == until
        assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-second"
        assert rig.calls() == {"second": 1}


def test_a_refused_key_stays_marked_after_a_restart_until_it_is_retried(tmp_path: Path) -> None:
    script = script_of(first='{do="unauthorized", times=1}, {do="ok"}', second=OK)
    with running(tmp_path, script) as rig:
        assert rig.chat().status_code == 200
    with running(tmp_path, script) as rig:
        assert rig.phase("openrouter-first") == "needs re-authentication"
        assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-second"


def test_failovers_are_bounded_by_their_budget(tmp_path: Path) -> None:
    broke = '{do="no_credit"}'
    with running(tmp_path, script_of(a=broke, b=broke, c=broke, d=OK)) as rig:
        answer = rig.chat()
        assert answer.status_code == 429 and answer.json()["error"]["type"] == "o_switcher_exhausted"
        assert rig.calls() == {"a": 1, "b": 1, "c": 1}
        assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-d"


def test_all_means_every_profile_once(tmp_path: Path) -> None:
    broke = '{do="no_credit"}'
    settings = '[switcher]\nfailover_budget = "all"\n'
    script = script_of(a=broke, b=broke, c=broke, d=broke, e=OK)
    with running(tmp_path, script, settings=settings) as rig:
        assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-e"


def test_max_attempts_caps_the_sum_of_calls(tmp_path: Path) -> None:
    bad = '{do="server_error"}'
    with running(tmp_path, script_of(a=bad, b=bad, c=bad), settings="[switcher]\nmax_attempts = 5\n") as rig:
        answer = rig.chat()
        assert answer.status_code == 502
        assert sum(rig.calls().values()) == 5


def test_a_single_profile_waits_for_a_short_limit_and_then_serves(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only='{do="rate_limit", retry_after_ms=300, times=1}, {do="ok"}')) as rig:
        answer = rig.chat()
        assert answer.status_code == 200
        assert answer.headers["x-o-switcher-attempts"] == "2"
        row = rig.rows("SELECT wait_ms, outcome FROM request")[0]
        assert row["outcome"] == "served" and 300 <= row["wait_ms"] < 2000


def test_stop_on_auth_error_is_the_literal_rule(tmp_path: Path) -> None:
    script = script_of(first='{do="unauthorized"}', second=OK)
    with running(tmp_path, script, settings='[switcher]\non_auth_error = "stop"\n') as rig:
        answer = rig.chat()
        assert answer.status_code == 401
        assert rig.calls() == {"first": 1}
        assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-second"


def test_calls_that_may_have_to_be_paid_for_are_made_twice_at_most(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="reset"}', b='{do="reset"}', c=OK)) as rig:
        answer = rig.chat()
        assert answer.status_code == 502
        assert rig.calls() == {"a": 1, "b": 1}


def test_a_provider_that_does_not_answer_in_time_costs_two_calls_at_most(tmp_path: Path) -> None:
    settings = "[timeouts]\nfirst_byte = 0.2\ntotal_non_stream = 0.2\n"
    hang = '{do="hang", when="before_head"}'
    with running(tmp_path, script_of(a=hang, b=hang, c=OK), settings=settings) as rig:
        assert rig.chat().status_code == 502
        assert rig.calls() == {"a": 1, "b": 1}
