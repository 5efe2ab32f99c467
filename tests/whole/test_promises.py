"""What people, scripts and queries may rely on, each name as it is promised: commands, files, settings, tables, headers."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.faces.cli.test_commands import Here, Run, runner
from tests.rig import CHAT, MODEL, Key, Rig, plain_http, running
from tray_app.faces.web.api import _ACTORS
from tray_app.host.settings import load
from tray_app.ledger import decisions

COMMANDS = {
    "serve": "--port", "stop": "", "status": "--json", "list": "--json", "use": "--strict", "next": "",
    "pin": "--for --strict", "unpin": "", "pause": "--for --until-reset", "resume": "", "drain": "", "disable": "",
    "enable": "", "retry-now": "--all", "inspect": "--json",
    "history": "--profile --model --since --limit --follow --json", "export": "--format --since --out",
    "profiles list": "--json", "profiles add": "--label --account --base-url --priority --tag",
    "profiles remove": "", "profiles rename": "", "profiles set": "", "discover": "--apply --json",
    "connect": "--dry-run", "disconnect": "", "connections": "--json", "run": "", "token": "", "quota": "--json",
    "report": "--print", "config show": "--json", "config check": "", "config path": "", "config set": "",
    "autostart": "", "doctor": "--json", "classify": "", "simulate": "--port --script", "demo": "--once", "mcp": "",
    "top": "",
}  # fmt: skip

NEEDS_THE_APP = (
    "status", "list", "stop", "use x", "next", "pin x", "unpin", "pause x", "resume x", "drain x", "disable x",
    "enable x", "retry-now --all", "quota", "report --print", "run -- true", "top",
)  # fmt: skip

DEFAULTS = {
    "switcher.retry": 3, "switcher.failover_budget": 2, "switcher.max_attempts": 12, "switcher.timeout": 30_000,
    "switcher.backoff.base_ms": 1000, "switcher.backoff.multiplier": 2, "switcher.backoff.max_ms": 30_000,
    "switcher.backoff.jitter": "full", "switcher.routing_weights.health": 1.0,
    "switcher.routing_weights.latency": 0.5, "switcher.routing_weights.failure": 0.8,
    "switcher.routing_weights.priority": 0.3, "switcher.concurrency_limit": 10, "switcher.queue_limit": 100,
    "switcher.backpressure_threshold": 50, "switcher.circuit_breaker.failure_threshold": 5,
    "switcher.circuit_breaker.failure_rate_threshold": 0.5, "switcher.circuit_breaker.sliding_window_size": 10,
    "switcher.circuit_breaker.half_open_after_ms": 30_000, "switcher.circuit_breaker.half_open_max_probes": 1,
    "switcher.circuit_breaker.success_threshold": 2, "switcher.strategy": "sticky",
    "switcher.on_auth_error": "failover", "switcher.hold_until_reset_s": 0, "timeouts.connect": 10,
    "timeouts.first_byte": 120, "timeouts.idle": 300, "timeouts.total_non_stream": 600, "proxy.port": 4417,
    "proxy.host": "127.0.0.1", "proxy.allow_remote": False, "secrets.store": "auto", "quota.warn_at": [80, 95],
    "quota.reserve_percent": 0,
}  # fmt: skip

WHOLE = """
[switcher]
retry_budget = 3
max_expected_latency_ms = 30000
failover_budget = "all"
strategy = "{strategy}"
on_auth_error = "stop"
[switcher.backoff]
jitter = "{jitter}"
[[targets]]
target_id = "t"
provider_id = "openrouter"
profile = "openrouter-main"
endpoint_id = "e"
capabilities = ["chat"]
enabled = true
operator_priority = 1
policy_tags = ["a"]
retry_budget = 1
failover_budget = 1
[providers.mine]
base_url = "https://mine.example/v1"
protocol = "openai_chat"
auth_header = "authorization"
[[routes]]
model = "sonnet"
targets = ["openrouter:anthropic/claude-sonnet-4.5", "anthropic:claude-sonnet-4-5"]
[history]
keep_days = 90
max_size_mb = 1024
[secrets]
store = "{store}"
[quota]
polling = true
[notifications]
enabled = false
"""

TABLES = {
    "profile": "id provider label account base_url key_fingerprint key_tail source priority admin_state created_at"
    " removed_at",
    "request": "id started_at ended_at client provider protocol path model stream outcome status_code profile_id"
    " attempts failovers wait_ms ttft_ms duration_ms request_bytes response_bytes input_tokens output_tokens"
    " cache_read_tokens cache_write_tokens reasoning_tokens cost_usd cost_source",
    "attempt": "id request_id seq profile_id model started_at ended_at status_code error_class error_scope error_code"
    " error_message retry_after_s ttft_ms duration_ms upstream_request_id outcome input_tokens output_tokens cost_usd",
    "failover": "id request_id at from_profile to_profile reason manual",
    "quota_event": "id at profile_id account scope kind limit_value remaining unit resets_at source",
    "segment": "id request_id seq attempt_id profile_id started_at ended_at chars overlap_dropped end",
    "operator_event": "id at actor verb profile_id detail",
    "usage_hour": "hour_at profile_id model client requests attempts input_tokens output_tokens cost_usd"
    " latency_histogram",
    "v_daily_usage": "",
    "v_profile_health": "",
    "v_recent_requests": "",
}

EVENTS = [
    "request.start",
    "route.selected",
    "attempt.start",
    "attempt.end",
    "retry.scheduled",
    "failover",
    "cooldown.set",
    "cooldown.cleared",
    "circuit.change",
    "stream.segment",
    "request.end",
    "admission.queued",
    "admission.rejected",
    "profile.added",
    "profile.removed",
    "profile.reauth",
    "quota.update",
    "operator.action",
    "config.reload",
    "app.start",
    "app.stop",
]
HEADERS = ("request-id", "profile", "attempts", "failovers")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path / "home", {"main": Key('{do="no_credit"}'), "spare": Key()}) as found:
        yield found


@pytest.fixture
def cold(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "config.toml").write_text('[secrets]\nstore = "file"\n')
    return runner(Here(tmp_path, []), capsys, monkeypatch)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_is_there_with_its_options(cold: Run, command: str) -> None:
    ran = cold(*command.split(), "--help")
    named = set(re.findall(r"--[a-z-]+", ran.out))
    assert ran.code == 0 and set(COMMANDS[command].split()) <= named


@pytest.mark.parametrize("command", NEEDS_THE_APP)
def test_without_the_app_it_ends_with_3(cold: Run, command: str) -> None:
    ran = cold(*shlex.split(command))
    assert ran.code == 3 and ran.out == "" and len(ran.err.splitlines()) == 1


def test_a_target_is_another_word_for_a_profile(cold: Run) -> None:
    added = cold("targets", "add", "openrouter", "--label", "main", stdin="sk-or-v1-0123456789abcdef\n")
    assert added.code == 0
    assert cold("targets", "list").out == cold("profiles", "list").out != ""
    assert cold("history", "--target", "openrouter-main").out == "no such requests\n"


def test_settings_have_the_promised_defaults(cold: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").unlink()
    shown = json.loads(cold("config", "show", "--json").out)
    assert {name: shown[name] for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("strategy", ["sticky", "priority", "round_robin", "least_used", "soonest_reset", "score"])
def test_every_promised_setting_is_known(tmp_path: Path, strategy: str) -> None:
    for jitter, store in (("full", "auto"), ("equal", "keyring"), ("none", "file")):
        (tmp_path / "whole.toml").write_text(WHOLE.format(strategy=strategy, jitter=jitter, store=store))
        assert load(tmp_path / "whole.toml").switcher.strategy == strategy


def test_files_are_called_as_promised_and_are_for_this_user(rig: Rig) -> None:
    rig.chat()
    there = {path.name: stat.S_IMODE(path.stat().st_mode) for path in rig.home.running.parent.iterdir()}
    for name in ("config.toml", "history.db", "decisions.ndjson", "running.json", "keys.json", "o-switcher.lock"):
        assert there[name] == 0o600, name
    told = json.loads(rig.home.running.read_bytes())
    assert told.keys() == {"pid", "url", "admin_token", "started_at", "version"}


def test_tables_have_the_promised_columns(rig: Rig) -> None:
    with closing(sqlite3.connect(f"file:{rig.home.history}?mode=ro", uri=True)) as connection:
        for table, columns in TABLES.items():
            there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            assert there and set(columns.split()) <= there, table


def test_who_may_act_is_named_as_promised(rig: Rig) -> None:
    assert {"tray", "cli", "api", "mcp"} == _ACTORS
    with httpx.Client(base_url=rig.url, transport=plain_http()) as client:
        for actor in ("top", "web", "app", ""):
            headers = {"authorization": f"Bearer {rig.app.admin_token}", "x-o-switcher-actor": actor}
            client.post("/api/v1/verbs/use", json={"profile": "openrouter-spare"}, headers=headers)
    assert len(rig.eventually("SELECT 1 FROM operator_event WHERE actor = 'api'")) > 0
    assert rig.rows("SELECT 1 FROM operator_event WHERE actor NOT IN ('tray','cli','api','mcp','config','app')") == []


def test_the_log_knows_every_promised_event() -> None:
    source = Path(decisions.__file__).read_text()
    lifecycle = {"app.start", "app.stop", "config.reload"}  # named by who records them
    assert [name for name in EVENTS if f'"{name}"' not in source and name not in lifecycle] == []


def test_every_answer_says_who_gave_it_at_what_cost(rig: Rig) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
    token = rig.app.vault.token("test")
    good = {"authorization": f"Bearer {token}"}
    refused = [
        (CHAT, {}, 401),
        (CHAT, {**good, "host": "evil.example"}, 421),
        (CHAT, {**good, "origin": "https://evil.example"}, 403),
        ("/nobody/v1/x", good, 404),
        ("/anthropic/v1/messages", good, 503),
    ]
    served = [{"authorization": f"Bearer {token}"}, {"x-api-key": token}, {"x-goog-api-key": token}]
    with httpx.Client(base_url=rig.url, transport=plain_http(), timeout=20) as client:
        for path, headers, status in [*refused, *((CHAT, one, 200) for one in served)]:
            answer = client.post(path, json=body, headers=headers)
            assert answer.status_code == status
            assert all(f"x-o-switcher-{name}" in answer.headers for name in HEADERS), path
        health = client.get("/healthz")
        assert health.json().keys() == {"app", "version", "instance"} and health.json()["app"] == "o-switcher"
        assert msgspec.json.decode(client.get("/api/v1/openapi.json").content)["openapi"].startswith("3.")
