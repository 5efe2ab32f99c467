"""Every verb of the control surface, carried out on the running app."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig import MODEL, Clock, Key, Rig, eventually, key_of, running, script_of
from tray_app.control.callers import HttpCaller, NotRunning, connect
from tray_app.control.service import in_words
from tray_app.control.verbs import VERBS, Refused, verb_named

OK = '{do="ok"}'


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, script_of(a=OK, b=OK, c=OK)) as found:
        yield found


@pytest.fixture
def caller(rig: Rig) -> HttpCaller:
    return connect(rig.home.running, "cli")


def serving(rig: Rig) -> str:
    return rig.chat().headers["x-o-switcher-profile"]


def profile(caller: HttpCaller, name: str) -> dict[str, Any]:
    return next(one for one in caller.ask("status")["profiles"] if one["id"] == name)


def test_use_prefers_a_profile_from_the_next_request_on(rig: Rig, caller: HttpCaller) -> None:
    assert serving(rig) == "openrouter-a"
    answer = caller.ask("use", profile="openrouter-c")
    assert answer["message"] == "openrouter-c is preferred"
    assert serving(rig) == "openrouter-c"
    switch = rig.eventually("SELECT from_profile, to_profile, manual, request_id FROM failover")
    assert switch == [{"from_profile": "openrouter-a", "to_profile": "openrouter-c", "manual": 1, "request_id": None}]
    assert caller.ask("status")["last_switch"]["to_profile"] == "openrouter-c"
    events = rig.eventually("SELECT actor, verb, profile_id FROM operator_event")
    assert events == [{"actor": "cli", "verb": "use", "profile_id": "openrouter-c"}]


def test_use_survives_a_restart(tmp_path: Path) -> None:
    script = script_of(a=OK, b=OK)
    with running(tmp_path, script) as rig:
        connect(rig.home.running).ask("use", profile="openrouter-b")
    with running(tmp_path, script) as rig:
        assert serving(rig) == "openrouter-b"
        assert profile(connect(rig.home.running), "openrouter-b")["preferred"]


def test_using_a_profile_that_rests_says_so_and_others_serve(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="no_credit"}', b=OK)) as rig:
        caller = connect(rig.home.running)
        assert serving(rig) == "openrouter-b"
        assert "it is cooling now" in caller.ask("use", profile="openrouter-a")["message"]
        assert serving(rig) == "openrouter-b"


def test_a_pin_is_shown_with_its_end_and_ends_by_itself(rig: Rig, caller: HttpCaller) -> None:
    answer = caller.ask("pin", profile="openrouter-b", for_s=2280)
    assert answer["message"] == "openrouter-b is pinned until it ends in 38 min"
    status = caller.ask("status")
    assert status["choice"]["words"] == "pinned until it ends in 38 min"
    assert (status["choice"]["pinned"], status["choice"]["strict"]) == (True, False)
    assert [one["id"] for one in status["profiles"] if one["pinned"]] == ["openrouter-b"]
    assert serving(rig) == "openrouter-b"
    caller.ask("pin", profile="openrouter-b", for_s=0.3)
    assert eventually(lambda: caller.ask("status")["choice"] is None)
    assert rig.eventually("SELECT actor FROM operator_event WHERE verb = 'unpin'") == [{"actor": "app"}]


def test_a_pin_survives_a_restart_and_is_taken_off(tmp_path: Path) -> None:
    script = script_of(a=OK, b=OK)
    with running(tmp_path, script) as rig:
        connect(rig.home.running).ask("pin", profile="openrouter-b", strict=True)
    with running(tmp_path, script) as rig:
        caller = connect(rig.home.running)
        words = caller.ask("status")["choice"]["words"]
        assert words == "pinned until unpinned, strictly: nobody else may serve"
        assert caller.ask("unpin")["message"] == "openrouter-b is no longer pinned"
        with pytest.raises(Refused, match="nothing is pinned"):
            caller.ask("unpin")


def test_a_strict_choice_lets_nobody_else_serve(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="no_credit"}', b=OK)) as rig:
        caller = connect(rig.home.running)
        assert "strictly" in caller.ask("use", profile="openrouter-a", strict=True)["message"]
        assert rig.chat().status_code == 429
        assert "nobody serves until it is back" in caller.ask("use", profile="openrouter-a", strict=True)["message"]
        caller.ask("unpin")
        assert serving(rig) == "openrouter-b"


def capped(name: str, script: str) -> str:
    """`script` with a cap of 50 dollars on that key, of which 37.60 are spent."""
    line = f'name = "{name}"\n'
    return script.replace(line, f'{line}limit = 50.0\nlimit_reset = "monthly"\nusage = 37.6\n')


def test_a_quota_is_asked_for_and_told_of_each_profile(tmp_path: Path) -> None:
    with running(tmp_path, capped("a", script_of(a=OK, b='{do="unauthorized"}', c=OK))) as rig:
        caller = connect(rig.home.running)
        caller.ask("use", profile="openrouter-b")
        rig.chat()
        caller.ask("profiles-add", provider="groq", label="x", secret="gsk_123456789012", base_url=rig.simulator.url)
        gone = "http://127.0.0.1:1/v1"
        caller.ask("profiles-set", profile="openrouter-c", secret=key_of("c"), base_url=gone)
        told = {one["profile"]: one for one in caller.ask("quota")}
        assert {name: (one["asked"], one["answered"]) for name, one in told.items()} == {
            "openrouter-a": (True, True),
            "openrouter-b": (False, False),
            "openrouter-c": (True, False),
            "groq-x": (False, False),
        }
        assert told["openrouter-a"]["words"].startswith("key limit: 12.40 of 50 USD left, resets in ")
        assert told["openrouter-b"]["words"] == "not asked: its key is refused"
        assert told["openrouter-c"]["words"] == "OpenRouter was asked, but told nothing"
        assert told["groq-x"]["words"] == "not asked: its provider offers no free question"
        (known,) = told["openrouter-a"]["known"]
        assert (known["name"], known["limit"], known["unit"], known["source"]) == ("key limit", 50, "usd", "probe")
        assert (known["remaining"], known["used_percent"]) == (pytest.approx(12.4, 0.01), pytest.approx(75.2, 0.01))
        assert [one["profile"] for one in caller.ask("quota", profile="groq-x")] == ["groq-x"]
        view = profile(caller, "openrouter-a")
        assert {**view["left"], "at": 0} == {**known, "at": 0} and view["used_percent"] == known["used_percent"]
        assert view["quota"].startswith("key limit: 12.40 of 50 USD left")


def test_what_was_asked_again_is_dated_again(tmp_path: Path) -> None:
    with running(tmp_path, capped("a", script_of(a=OK))) as rig:
        caller = connect(rig.home.running)
        first = caller.ask("quota")[0]["known"][0]["at"]
        time.sleep(0.05)
        assert caller.ask("quota")[0]["known"][0]["at"] > first


def test_retry_now_asks_the_provider_as_well(tmp_path: Path) -> None:
    with running(tmp_path, capped("a", script_of(a='{do="no_credit"}', b=OK))) as rig:
        caller = connect(rig.home.running)
        rig.chat()
        words = caller.ask("retry-now", profile="openrouter-a")["message"]
        assert words.startswith("cleared: openrouter-a; openrouter-a: key limit: 12.40 of 50 USD left")


def test_a_view_says_when_it_is_back_why_and_from_whom_that_is_known(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="rate_limit", retry_after=2280}', b='{do="no_credit"}', c=OK)) as rig:
        caller = connect(rig.home.running)
        rig.chat()
        first, second = profile(caller, "openrouter-a"), profile(caller, "openrouter-b")
        assert first["rest"] == f"back in 38 min ({first['reason']}, stated by OpenRouter)"
        assert second["rest"] == "back in 10 min (the account is out of credit, assumed)"
        assert [one["reason"] for one in second["rests"]] == ["the account is out of credit"]
        assert profile(caller, "openrouter-c")["rest"] is None


def test_a_circuit_that_opens_is_shown_with_its_next_try(tmp_path: Path) -> None:
    settings = "[switcher]\nretry = 0\n[switcher.circuit_breaker]\nfailure_threshold = 2\nhalf_open_after_ms = 1500\n"
    with running(tmp_path, script_of(a='{do="server_error"}'), settings=settings) as rig:
        caller = connect(rig.home.running)
        rig.chat()
        rig.chat()
        view = profile(caller, "openrouter-a")
        assert (view["state"], view["circuit"]) == ("circuit open", "open")
        assert view["rest"] == "tried again in 1 min (100% of its latest calls failed)"
        assert view["health"] < 1
        assert eventually(lambda: profile(caller, "openrouter-a")["state"] == "probing")
        view = profile(caller, "openrouter-a")
        assert view["circuit"] == "half_open"
        assert view["rest"] == "100% of its latest calls failed"


def test_next_goes_round_those_that_can_serve(rig: Rig, caller: HttpCaller) -> None:
    assert caller.ask("next")["profile"] == "openrouter-b"
    caller.ask("pause", profile="openrouter-c")
    assert caller.ask("next")["profile"] == "openrouter-a"
    caller.ask("pause", profile="openrouter-b")
    with pytest.raises(Refused, match="only profile"):
        caller.ask("next")


@pytest.mark.parametrize(
    ("verb", "state", "back"),
    [("pause", "paused", "resume"), ("drain", "draining", "resume"), ("disable", "disabled", "enable")],
)
def test_a_profile_taken_out_gets_nothing_until_it_is_back(
    rig: Rig, caller: HttpCaller, verb: str, state: str, back: str
) -> None:
    caller.ask(verb, profile="openrouter-a")
    assert profile(caller, "openrouter-a")["state"] == state
    assert serving(rig) == "openrouter-b"
    caller.ask(back, profile="openrouter-a")
    assert profile(caller, "openrouter-a")["state"] == "ready"
    assert rig.calls() == {"b": 1}


def test_an_operators_state_survives_a_restart(tmp_path: Path) -> None:
    script = script_of(a=OK, b=OK)
    with running(tmp_path, script) as rig:
        connect(rig.home.running).ask("pause", profile="openrouter-a")
    with running(tmp_path, script) as rig:
        assert rig.phase("openrouter-a") == "paused"
        assert serving(rig) == "openrouter-b"


def test_a_pause_ends_by_itself(rig: Rig, caller: HttpCaller) -> None:
    caller.ask("pause", profile="openrouter-a", for_s=1.5)
    assert profile(caller, "openrouter-a")["state"] == "paused"
    assert eventually(lambda: profile(caller, "openrouter-a")["state"] == "ready")
    found = rig.eventually("SELECT actor, verb FROM operator_event WHERE verb = 'resume'")
    assert found == [{"actor": "app", "verb": "resume"}]


def test_a_pause_until_reset_lasts_as_long_as_the_limit(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="rate_limit", retry_after=900}', b=OK)) as rig:
        caller = connect(rig.home.running)
        with pytest.raises(Refused, match="waits for no reset"):
            caller.ask("pause", profile="openrouter-a", until_reset=True)
        rig.chat()
        until = profile(caller, "openrouter-a")["resets_at"]
        assert caller.ask("pause", profile="openrouter-a", until_reset=True)["until_at"] == until


def test_draining_lets_a_running_answer_finish(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="ok", chunks=10, chunk_delay_ms=60}', b=OK)) as rig:
        body = {"model": MODEL, "stream": True, "messages": []}
        with rig.client.stream("POST", "/openrouter/v1/chat/completions", json=body) as answer:
            connect(rig.home.running).ask("drain", profile="openrouter-a")
            assert b"".join(answer.iter_raw()).rstrip().endswith(b"[DONE]")
        assert serving(rig) == "openrouter-b"


def test_retry_now_clears_what_is_held_against_a_profile(tmp_path: Path) -> None:
    script = script_of(a='{do="no_credit", times=1}, {do="ok"}', b='{do="unauthorized", times=1}, {do="ok"}', c=OK)
    with running(tmp_path, script) as rig:
        caller = connect(rig.home.running)
        assert serving(rig) == "openrouter-c"
        assert caller.ask("retry-now", profile="openrouter-a")["profiles"] == ["openrouter-a"]
        assert profile(caller, "openrouter-a")["state"] == "ready"
        assert caller.ask("retry-now", all=True)["profiles"] == ["openrouter-b"]
        assert profile(caller, "openrouter-b")["state"] == "ready"
        assert rig.eventually("SELECT 1 FROM quota_event WHERE kind = 'reset'")
        assert rig.rows("SELECT * FROM cooldown") == []
        with pytest.raises(Refused, match="--all"):
            caller.ask("retry-now")


def test_a_cooldown_ends_by_itself_and_that_is_recorded(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="rate_limit", retry_after_ms=1500, times=1}, {do="ok"}', b=OK)) as rig:
        assert serving(rig) == "openrouter-b"
        assert rig.phase("openrouter-a") == "cooling"
        assert eventually(lambda: rig.phase("openrouter-a") == "ready")
        kinds = [row["kind"] for row in rig.eventually("SELECT kind FROM quota_event WHERE kind = 'reset'")]
        assert kinds == ["reset"]


def test_profiles_come_change_and_go_while_the_app_runs(rig: Rig, caller: HttpCaller) -> None:
    added = caller.ask(
        "profiles-add",
        provider="openrouter",
        label="new",
        secret="sk-or-v1-brand-new-key-1234",
        base_url=rig.simulator.url,
        priority=5,
        tags="x, y",
    )
    assert added["profile"] == "openrouter-new"
    found = profile(caller, "openrouter-new")
    assert (found["priority"], found["tags"], found["key_tail"]) == (5, ["x", "y"], "1234")
    caller.ask("profiles-set", profile="openrouter-new", secret=key_of("a") + "x", priority=0)
    assert caller.ask("profiles-rename", profile="openrouter-new", label="renamed")["profile"] == "openrouter-renamed"
    caller.ask("profiles-remove", profile="openrouter-renamed")
    assert [one["id"] for one in caller.ask("status")["profiles"]] == ["openrouter-a", "openrouter-b", "openrouter-c"]
    rows = rig.eventually(
        "SELECT id, removed_at IS NULL AS there FROM profile WHERE id LIKE '%renamed' AND removed_at IS NOT NULL"
    )
    assert rows == [{"id": "openrouter-renamed", "there": 0}]
    assert serving(rig) == "openrouter-a"


WRONG = [
    pytest.param(
        "profiles-add",
        {"provider": "nobody", "label": "x", "secret": "k" * 20},
        "not_found",
        "known are",
        id="provider",
    ),
    pytest.param(
        "profiles-add",
        {"provider": "openrouter", "label": "a", "secret": "k" * 20},
        "conflict",
        "exists",
        id="label taken",
    ),
    pytest.param(
        "profiles-add",
        {"provider": "openrouter", "label": "A b", "secret": "k" * 20},
        "bad_argument",
        "lower-case",
        id="label unfit",
    ),
    pytest.param(
        "profiles-add",
        {"provider": "openrouter", "label": "x", "secret": key_of("a")},
        "conflict",
        "held already",
        id="key held",
    ),
    pytest.param(
        "profiles-add",
        {"provider": "openrouter", "label": "x", "secret": "with space"},
        "bad_argument",
        "no key has",
        id="key unfit",
    ),
    pytest.param("profiles-add", {"provider": "openrouter", "label": "x"}, "bad_argument", "needs secret", id="no key"),
    pytest.param(
        "profiles-add",
        {"provider": "openrouter", "label": "x", "secret": "k" * 20, "base_url": "http://far.example/v1"},
        "bad_argument",
        "in the clear",
        id="plain http",
    ),
    pytest.param(
        "profiles-set",
        {"profile": "openrouter-a", "base_url": "https://elsewhere.example/v1"},
        "bad_argument",
        "give the key again",
        id="another origin without the key",
    ),
    pytest.param(
        "profiles-set", {"profile": "openrouter-a", "priority": 1 << 70}, "bad_argument", "1000000", id="priority"
    ),
    pytest.param("profiles-set", {"profile": "openrouter-a"}, "bad_argument", "what to change", id="nothing to change"),
    pytest.param(
        "profiles-rename", {"profile": "openrouter-a", "label": "b"}, "conflict", "exists", id="rename onto another"
    ),
    pytest.param("use", {"profile": "nobody"}, "not_found", "known are: openrouter-a", id="unknown profile"),
    pytest.param(
        "pause", {"profile": "openrouter-a", "for_s": -1}, "bad_argument", "more than nothing", id="negative pause"
    ),
    pytest.param("pause", {"profile": "openrouter-a", "for_s": "1h"}, "bad_argument", "of kind float", id="wrong kind"),
    pytest.param("use", {"profile": "openrouter-a", "more": 1}, "bad_argument", "no argument", id="unknown argument"),
    pytest.param("inspect", {"request_id": "nope"}, "not_found", "o-switcher history", id="unknown request"),
    pytest.param("history", {"limit": 0}, "bad_argument", "from 1", id="limit"),
    pytest.param("token", {"client": "../x"}, "bad_argument", "letters", id="client name"),
    pytest.param("dance", {}, "not_found", "no verb", id="unknown verb"),
]


@pytest.mark.parametrize(("verb", "arguments", "code", "words"), WRONG)
def test_what_cannot_be_done_says_why(
    rig: Rig, caller: HttpCaller, verb: str, arguments: dict[str, object], code: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        caller.ask(verb, **arguments)
    assert refused.value.code == code
    assert serving(rig) == "openrouter-a"


def test_the_proxy_may_not_be_its_own_provider(rig: Rig, caller: HttpCaller) -> None:
    with pytest.raises(Refused, match="O-Switcher itself"):
        caller.ask(
            "profiles-add", provider="openrouter", label="loop", secret="k" * 20, base_url=f"{rig.url}/openrouter/v1"
        )


def test_each_client_has_its_own_token_and_is_named_in_the_history(rig: Rig, caller: HttpCaller) -> None:
    token = caller.ask("token", client="aider")["token"]
    assert token == caller.ask("token", client="aider")["token"] != caller.ask("token")["token"]
    assert rig.chat(headers={"authorization": f"Bearer {token}"}).status_code == 200
    assert rig.rows("SELECT client FROM request") == [{"client": "aider"}]


def test_inspect_and_history_show_what_happened(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="no_credit"}', b=OK)) as rig:
        caller = connect(rig.home.running)
        request_id = rig.chat().headers["x-o-switcher-request-id"]
        trace = caller.ask("inspect", request_id=request_id)
        assert [attempt["profile_id"] for attempt in trace["attempts"]] == ["openrouter-a", "openrouter-b"]
        assert trace["attempts"][0]["error_class"] == "quota_exhausted"
        assert trace["failovers"][0]["to_profile"] == "openrouter-b"
        assert caller.ask("history", limit=5)[0]["id"] == request_id
        assert caller.ask("history", profile="openrouter-a") == []
        assert caller.get(f"/api/v1/requests/{request_id}") == trace
        assert caller.get("/api/v1/requests?limit=1")[0]["id"] == request_id


def test_the_states_of_the_app(tmp_path: Path) -> None:
    with running(
        tmp_path, script_of(a='{do="ok", times=1}, {do="no_credit"}', b='{do="rate_limit", retry_after=900}')
    ) as rig:
        caller = connect(rig.home.running)
        status = caller.ask("status")
        assert (status["state"], status["headline"]) == ("ready", "openrouter-a is serving")
        rig.chat()
        rig.chat()
        status = caller.ask("status")
        assert status["state"] == "exhausted" and "openrouter-a is back in 10 min" in status["headline"]
        caller.ask("disable", profile="openrouter-a")
        caller.ask("disable", profile="openrouter-b")
        assert caller.ask("status")["state"] == "paused"
        assert caller.ask("status")["requests_today"] == 2


def test_an_unreachable_provider_shows_as_offline_until_it_answers(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a=OK)) as rig:
        caller = connect(rig.home.running)
        there = rig.simulator.url
        caller.ask("profiles-set", profile="openrouter-a", secret=key_of("a"), base_url="http://127.0.0.1:1/v1")
        assert rig.chat().status_code == 503
        assert caller.ask("status")["state"] == "offline"
        assert rig.phase("openrouter-a") == "ready"
        caller.ask("profiles-set", profile="openrouter-a", secret=key_of("a"), base_url=there)
        assert rig.chat().status_code == 200
        assert caller.ask("status")["state"] == "ready"


def test_retry_now_finds_out_whether_the_network_is_back(tmp_path: Path) -> None:
    with running(tmp_path, {"a": Key(OK, there=False)}, settings="[timeouts]\nconnect = 0.5\n") as rig:
        caller = connect(rig.home.running)
        assert rig.chat().status_code == 503
        caller.ask("retry-now", all=True)
        assert caller.ask("status")["state"] == "offline"  # it was asked, and does not answer
        rig.revive(script_of(a=OK))
        caller.ask("retry-now", all=True)
        assert caller.ask("status")["state"] == "ready"
        assert rig.calls() == {}  # at no cost


def test_a_rename_keeps_the_place_the_rest_and_the_preference(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="no_credit"}', b=OK, c=OK)) as rig:
        caller = connect(rig.home.running)
        assert serving(rig) == "openrouter-b"
        caller.ask("profiles-rename", profile="openrouter-a", label="first")
        caller.ask("profiles-rename", profile="openrouter-b", label="second")
        assert [one["id"] for one in caller.ask("status")["profiles"]] == [
            "openrouter-first", "openrouter-second", "openrouter-c",
        ]  # fmt: skip
        assert rig.phase("openrouter-first") == "cooling"
        assert serving(rig) == "openrouter-second"
        assert rig.eventually("SELECT 1 FROM cooldown WHERE profile_id = 'openrouter-first'")
        assert rig.rows("SELECT 1 FROM cooldown WHERE profile_id = 'openrouter-a'") == []


def test_a_conversation_stays_on_its_profile_through_a_rename(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a=OK, b=OK)) as rig:
        caller = connect(rig.home.running)

        def served_by(session: str) -> str:
            return rig.chat(headers={"x-session-id": session}).headers["x-o-switcher-profile"]

        caller.ask("use", profile="openrouter-b")
        assert served_by("one") == "openrouter-b"
        caller.ask("profiles-rename", profile="openrouter-b", label="second")
        caller.ask("unpin")
        assert served_by("two") == "openrouter-a"  # a new one goes to whoever is wanted first
        assert served_by("one") == "openrouter-second"


def test_a_new_key_starts_with_nothing_against_it(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="no_credit"}', b=OK)) as rig:
        caller = connect(rig.home.running)
        rig.chat()
        caller.ask("profiles-set", profile="openrouter-a", secret="sk-or-v1-a-key-with-credit-1")
        assert rig.phase("openrouter-a") == "ready"


def test_a_late_answer_to_the_old_key_says_nothing_of_the_new_one(tmp_path: Path) -> None:
    from threading import Thread

    with running(tmp_path, script_of(a='{do="unauthorized", delay_ms=400}', b=OK)) as rig:
        caller = connect(rig.home.running)
        asking = Thread(target=rig.chat)
        asking.start()
        assert eventually(lambda: rig.simulator.calls)
        caller.ask("profiles-set", profile="openrouter-a", secret="sk-or-v1-the-new-key-00001")
        asking.join()
        assert rig.phase("openrouter-a") == "ready"


def test_without_profiles_the_app_says_how_to_add_one(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a=OK), names=[]) as rig:
        status = connect(rig.home.running).ask("status")
        assert status["state"] == "needs_you" and "profiles add" in status["headline"]


def test_a_refused_key_everywhere_needs_you(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="unauthorized"}')) as rig:
        assert rig.chat().status_code == 403
        assert connect(rig.home.running).ask("status")["state"] == "needs_you"


def test_stop_over_the_api_ends_the_app(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a=OK)) as rig:
        caller = connect(rig.home.running)
        assert caller.ask("stop")["message"] == "stopping"
        deadline = time.monotonic() + 5
        while caller.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(NotRunning):
            caller.ask("status")


def test_every_verb_has_a_summary_and_its_arguments_are_told() -> None:
    for verb in VERBS.values():
        assert verb.summary
        assert all(parameter.help for parameter in verb.parameters)
    with pytest.raises(Refused):
        verb_named("nothing")


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (1800, "30 min"), (8100, "2 h 15 min"), (259_200, "3 d"), (90, "1 min")]
)
def test_lengths_of_time_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_when_the_machine_wakes_up_what_ended_meanwhile_is_over_at_once(tmp_path: Path) -> None:
    clock = Clock(time.time())
    spent = '{do="no_credit"}'
    with running(tmp_path, script_of(a=spent, b=OK), clock=clock) as rig:
        connect(rig.home.running).ask("pause", profile="openrouter-b", for_s=3600)
        assert rig.phase("openrouter-b") == "paused"
        clock.leap(2 * 3600)
        rig.in_loop(rig.app.wake)
        assert rig.phase("openrouter-b") == "ready"
        ended = rig.eventually("SELECT verb, detail FROM operator_event WHERE actor = 'app'")
        assert ended == [{"verb": "resume", "detail": "the pause is over"}]
        assert any(one["event"] == "clock.leap" for one in rig.decisions())
