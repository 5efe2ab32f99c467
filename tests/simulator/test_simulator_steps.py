"""Which step answers which call, and what `/key`, `/credits` and `/models` say meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tray_app.simulator.thread import SimulatorThread

Simulate = Callable[..., SimulatorThread]
Knock = Callable[..., httpx.Client]
Question = Callable[..., dict[str, Any]]


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def soon(true: Callable[[], bool]) -> bool:
    """Whether it comes true within the time that a test may wait."""
    until = time.monotonic() + 5
    while not true() and time.monotonic() < until:
        time.sleep(0.002)
    return true()


def statuses(client: httpx.Client, body: dict[str, Any], calls: int) -> list[int]:
    return [client.post("chat/completions", json=body).status_code for _ in range(calls)]


def test_steps_follow_each_other_and_the_last_one_holds(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{times=2, do="ok"}, {times=1, do="rate_limit"}, {times=1, do="no_credit"}'))
    assert statuses(client, question(), 6) == [200, 200, 429, 402, 402, 402]


def test_a_step_for_some_seconds_begins_with_its_first_call(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    clock = Clock()
    client = knock(simulate('{for_s=30, do="rate_limit"}, {do="ok"}', clock=clock))
    clock.now += 1_000
    assert statuses(client, question(), 2) == [429, 429]
    clock.now += 29.9
    assert statuses(client, question(), 1) == [429]
    clock.now += 0.1
    assert statuses(client, question(), 2) == [200, 200]


def test_a_step_for_a_model_leaves_the_others_alone(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{model="*:free", do="free_daily"}, {times=1, do="ok"}, {do="no_credit"}'))
    free, paid = question(model="a/b:free"), question(model="a/b")
    assert statuses(client, free, 2) == [429, 429]
    assert statuses(client, paid, 2) == [200, 402]
    assert statuses(client, free, 1) == [429]


def test_a_step_above_so_many_calls_is_for_those_that_find_as_many_under_way(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    limit = 'above=2, do="rate_limit", of="concurrency"'
    other = '[[key]]\nname = "other"\nkey = "sk-other"\n'
    simulator = simulate(f'{{{limit}}}, {{times=2, do="ok", held=true}}, {{do="ok"}}', more=other)
    one, two, three = (knock(simulator) for _ in range(3))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(one.post, "chat/completions", json=question())
        second = pool.submit(two.post, "chat/completions", json=question())
        assert soon(lambda: simulator.counts()["one"] == 2)
        refused = three.post("chat/completions", json=question())
        assert (refused.status_code, refused.json()["error"]["message"]) == (
            429,
            "Rate limit exceeded: too many concurrent requests",
        )
        assert knock(simulator, "sk-other").post("chat/completions", json=question()).status_code == 200
        assert simulator.release() == 2
        assert [done.result().status_code for done in (first, second)] == [200, 200]
    assert soon(lambda: all(seen.ended for seen in simulator.calls))
    assert three.post("chat/completions", json=question()).status_code == 200


def test_what_is_held_goes_on_in_the_order_of_the_calls(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{times=3, do="no_credit", held=true}, {do="ok"}')
    ended: list[int] = []

    def ask(number: int) -> None:
        assert knock(simulator).post("chat/completions", json=question()).status_code == 402
        ended.append(number)

    with ThreadPoolExecutor() as pool:
        for number in range(3):
            pool.submit(ask, number)
            assert soon(lambda number=number: simulator.counts()["one"] == number + 1)
        assert [seen.status for seen in simulator.calls] == [None] * 3
        assert simulator.release() == 3
    assert sorted(ended) == [0, 1, 2]
    assert [seen.status for seen in simulator.calls] == [402] * 3
    assert simulator.release() == 0


def test_who_leaves_while_held_is_held_no_more(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{do="ok", held=true}')
    with pytest.raises(httpx.ReadTimeout):
        knock(simulator).post("chat/completions", json=question(), timeout=0.05)
    assert soon(lambda: simulator.calls[0].client_left)
    assert simulator.release() == 0


def test_a_good_answer_may_carry_further_headers(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{do="ok", headers={"x-ratelimit-remaining-requests"="7"}}'))
    for stream in (False, True):
        answer = client.post("chat/completions", json=question(stream))
        assert (answer.status_code, answer.headers["x-ratelimit-remaining-requests"]) == (200, "7")
        assert ("one answers: hello" in answer.text) is not stream  # a stream has it in pieces


def test_a_step_for_a_path_leaves_the_others_alone(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{path="messages*", do="overloaded"}'))
    assert client.post("messages", json=question()).status_code == 503
    assert client.post("messages/count_tokens", json=question()).status_code == 503
    assert client.post("chat/completions", json=question()).status_code == 200


def test_what_costs_nothing_meets_only_a_step_that_names_it(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    client = knock(simulate('{path="key", times=1, do="server_error"}, {times=1, do="ok"}, {do="no_credit"}'))
    assert [client.get(path).status_code for path in ("key", "key", "auth/key", "models")] == [500, 200, 200, 200]
    assert statuses(client, question(), 2) == [200, 402]


def test_a_step_can_make_up_a_path_that_the_simulator_does_not_know(simulate: Simulate, knock: Knock) -> None:
    client = knock(simulate("""{path="generation", do="custom", body='{"data":1}'}"""))
    assert client.get("generation?id=1").json() == {"data": 1}
    assert client.get("elsewhere").status_code == 404


def test_keys_of_one_account_walk_through_its_steps_together(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    script = """
        [[account]]
        name = "team"
        steps = [{times=2, do="ok"}, {do="no_credit"}]
        [[key]]
        name = "a"
        key = "sk-a"
        account = "team"
        [[key]]
        name = "b"
        key = "sk-b"
        account = "team"
        [[key]]
        name = "own"
        key = "sk-own"
        account = "team"
        steps = [{do="ok"}]
    """
    simulator = simulate(script=script)
    a, b, own = (knock(simulator, key) for key in ("sk-a", "sk-b", "sk-own"))
    assert [statuses(client, question(), 1) for client in (a, b, a, b, own)] == [[200], [200], [402], [402], [200]]


def test_unknown_keys_behave_by_default_where_the_script_has_one(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    simulator = simulate(script='[default]\nsteps = [{times=1, do="ok"}, {do="rate_limit"}]')
    assert statuses(knock(simulator, "any"), question(), 1) == [200]
    assert statuses(knock(simulator, "thing"), question(), 1) == [429]
    assert simulator.counts() == {"default": 2}


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_the_key_may_come_in_either_header(simulate: Simulate, knock: Knock, question: Question, header: str) -> None:
    simulator = simulate(script='[[key]]\nname = "n"\nkey = "sk-1"')
    value = "Bearer sk-1" if header == "authorization" else "sk-1"
    assert knock(simulator, None).post("messages", json=question(), headers={header: value}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"error": {"message": "M", "code": 401, "metadata": {"error_type": "authentication"}}}),
        (
            "messages",
            {
                "type": "error",
                "error": {"type": "authentication_error", "message": "M", "error_type": "authentication"},
                "request_id": None,
            },
        ),
        (
            "responses",
            {
                "error": {"code": "server_error", "message": "M"},
                "metadata": None,
                "error_type": "authentication",
            },
        ),
    ],
)
def test_no_key_and_an_unknown_key_are_refused_in_the_shape_of_the_protocol(
    simulate: Simulate, knock: Knock, question: Question, path: str, body: dict[str, Any]
) -> None:
    simulator = simulate()
    for key, message in ((None, "No auth credentials found"), ("sk-other", "User not found.")):
        answer = knock(simulator, key).post(path, json=question())
        assert answer.status_code == 401
        assert answer.json() == _with_message(body, message)


def _with_message(body: dict[str, Any], message: str) -> dict[str, Any]:
    return {**body, "error": {**body["error"], "message": message}}


def test_the_key_endpoint_follows_what_was_spent(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{do="ok"}', more="limit = 1.0\nusage = 0.25\ncost = 0.5\n"))
    assert client.get("key").json()["data"]["limit_remaining"] == 0.75
    client.post("chat/completions", json=question())
    told = client.get("key").json()["data"]
    assert (told["usage"], told["limit_remaining"], told["usage_daily"]) == (0.75, 0.25, 0.5)
    client.post("chat/completions", json=question(stream=True))
    assert client.get("key").json()["data"]["limit_remaining"] == 0


def test_without_a_cap_the_key_endpoint_says_null_not_zero(simulate: Simulate, knock: Knock) -> None:
    told = knock(simulate('{do="no_credit"}')).get("key").json()["data"]
    assert (told["limit"], told["limit_remaining"], told["label"]) == (None, None, "one")


def test_what_failed_is_not_billed(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{times=1, do="error_in_stream"}, {do="error_in_200"}'))
    client.post("chat/completions", json=question(stream=True))
    client.post("chat/completions", json=question())
    assert client.get("key").json()["data"]["usage"] == 0


@pytest.mark.parametrize(("window", "reset"), [("monthly", "monthly"), ("daily", "daily"), ("total", None)])
def test_a_key_at_its_limit_says_so_when_asked(
    simulate: Simulate, knock: Knock, window: str, reset: str | None
) -> None:
    client = knock(simulate(f'{{do="key_limit", window="{window}"}}', more="limit = 5"))
    told = client.get("key").json()["data"]
    assert (told["limit"], told["limit_remaining"], told["limit_reset"]) == (5, 0, reset)


def test_a_revoked_key_is_refused_when_asked_about(simulate: Simulate, knock: Knock) -> None:
    answer = knock(simulate('{do="unauthorized"}')).get("key")
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "User not found.")


def test_a_free_key_says_so(simulate: Simulate, knock: Knock) -> None:
    assert knock(simulate('{do="free_daily"}')).get("key").json()["data"]["is_free_tier"] is True


def test_credits_are_for_management_keys_only(simulate: Simulate, knock: Knock, question: Question) -> None:
    script = """
        [[key]]
        name = "boss"
        key = "sk-boss"
        management = true
        credits = 20.0
        [[key]]
        name = "one"
        key = "sk-one"
        usage = 3.0
        cost = 0.5
    """
    simulator = simulate(script=script)
    one = knock(simulator, "sk-one")
    one.post("chat/completions", json=question())
    refused = one.get("credits")
    assert refused.status_code == 403
    assert refused.json()["error"]["message"] == "Only management keys can perform this operation"
    told = knock(simulator, "sk-boss").get("credits").json()
    assert told == {"data": {"total_credits": 20.0, "total_usage": 3.5}}


def test_models_are_public_and_priced_like_the_answers(simulate: Simulate, knock: Knock) -> None:
    simulator = simulate(script='models = ["a/b", "c/d:free"]\n[[key]]\nname = "n"\nkey = "k"')
    paid, free = knock(simulator, None).get("models").json()["data"]
    assert (paid["id"], paid["pricing"]["prompt"], paid["pricing"]["completion"]) == ("a/b", "0.000001", "0.000004")
    assert (free["canonical_slug"], free["pricing"]["prompt"]) == ("c/d", "0")
    assert paid["context_length"] == 128_000


def test_both_base_paths_lead_to_the_same_endpoints(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate()
    client = knock(simulator)
    short = simulator.url.replace("/api/v1", "/v1")
    assert client.post(f"{short}/chat/completions", json=question()).status_code == 200
    assert client.get(f"{short}/models").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/hello", "/api/v1", "/api/v1/nothing", "/v2/models"])
def test_any_other_path_is_not_found_and_says_so_in_json(simulate: Simulate, knock: Knock, path: str) -> None:
    simulator = simulate()
    answer = knock(simulator).get(simulator.url.replace("/api/v1", path))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, 404)


def test_a_wrong_method_is_told_the_right_one(simulate: Simulate, knock: Knock) -> None:
    client = knock(simulate())
    for answer, allowed in ((client.get("messages"), "POST"), (client.delete("key"), "GET")):
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
