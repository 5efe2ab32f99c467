"""The API is as it describes itself: schemathesis over all of it, and every verb's true answer held to its schema."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from tests.rig import Rig, plain_http, running, script_of
from tray_app.control.answers import ANSWERS
from tray_app.control.callers import connect
from tray_app.control.verbs import VERBS
from tray_app.host.instance import find_running

# `stop` and `restart` end the app, live events have no end, and the others read or change what is this user's on this machine
LEFT_OUT = (
    "stop", "restart", "follow-events", "autostart", "connect", "disconnect", "discover", "move-keys", "demo-start",
)  # fmt: skip


# schemathesis takes names out of answers, so what it asks for happens; a profile that it adds must lead nowhere
NOWHERE = '[providers.openrouter]\nbase_url = "http://127.0.0.1:1/api/v1"\n'


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    script = script_of(a='{do="ok", times=1}, {do="no_credit"}', b='{do="ok"}', c='{do="ok"}')
    with running(tmp_path, script, settings=NOWHERE) as found:
        found.chat()
        found.chat()
        yield found


def token_of(rig: Rig) -> str:
    announced = find_running(rig.home.running)
    assert announced is not None
    return announced.admin_token


# Whether an address or a label can be used is no matter of its spelling alone, so no schema tells it all.
CONFIG = """
[[operations]]
include-operation-id = ["profiles-add", "profiles-adopt", "profiles-set", "config-set", "config-reset", "export"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 404, 409, 422]
"""


def schemathesis(rig: Rig, folder: Path, *options: str) -> str:
    """One run over the API; what it says, which ends with what it found."""
    command = [str(Path(sys.executable).with_name("st")), "run", f"{rig.url}/api/v1/openapi.json", "--seed", "4417"]
    left_out = [word for name in LEFT_OUT for word in ("--exclude-operation-id", name)]
    wanted = ["--no-color", "--warnings", "off", *left_out, *options]
    (folder / "schemathesis.toml").write_text(CONFIG)
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, cwd=folder, timeout=120, check=False)
    assert done.returncode == 0, (done.stdout[-4000:], done.stderr[-2000:])
    return done.stdout


def test_schemathesis_finds_nothing_with_a_token(rig: Rig, tmp_path: Path) -> None:
    bearer = f"Authorization: Bearer {token_of(rig)}"
    said = schemathesis(rig, tmp_path, "--header", bearer, "--phases", "coverage,fuzzing", "--max-examples", "2")
    assert "No issues found" in said
    assert connect(rig.home.running).alive()


def test_schemathesis_finds_nothing_without_a_token(rig: Rig, tmp_path: Path) -> None:
    said = schemathesis(rig, tmp_path, "--phases", "coverage", "--mode", "positive")
    assert "No issues found" in said


def description(rig: Rig) -> dict[str, Any]:
    document = connect(rig.home.running).get("/api/v1/openapi.json")
    assert isinstance(document, dict)
    return document


def test_nothing_but_the_description_is_told_to_strangers(rig: Rig) -> None:
    with httpx.Client(base_url=rig.url, transport=plain_http(), timeout=30) as stranger:
        for path, methods in description(rig)["paths"].items():
            for method, operation in methods.items():
                answer = stranger.request(method, path.replace("{", "").replace("}", ""), json={})
                if operation.get("security") == []:
                    assert answer.status_code == 200
                    continue
                assert answer.status_code == 401, path
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["www-authenticate"] == "Bearer"


def test_every_verb_and_its_answer_is_described(rig: Rig) -> None:
    assert ANSWERS.keys() == VERBS.keys()
    paths = description(rig)["paths"]
    assert {f"/api/v1/verbs/{name}" for name in VERBS} <= paths.keys()


ASKED: list[tuple[str, dict[str, object]]] = [
    ("status", {}),
    ("use", {"profile": "openrouter-b"}),
    ("pin", {"profile": "openrouter-b", "for_s": 60}),
    ("unpin", {}),
    ("retry-now", {"all": True}),
    ("next", {}),
    ("quota", {}),
    ("pause", {"profile": "openrouter-c", "for_s": 60}),
    ("resume", {"profile": "openrouter-c"}),
    ("drain", {"profile": "openrouter-c"}),
    ("enable", {"profile": "openrouter-c"}),
    ("disable", {"profile": "openrouter-c"}),
    ("history", {"limit": 1.0}),
    ("profiles-set", {"profile": "openrouter-c", "priority": -1}),
    ("profiles-rename", {"profile": "openrouter-c", "label": "renamed"}),
    ("profiles-remove", {"profile": "openrouter-renamed", "undo_s": 60}),
    ("status", {}),
    ("profiles-bring-back", {"profile": "openrouter-renamed"}),
    ("profiles-remove", {"profile": "openrouter-renamed", "undo_s": 60}),
    ("profiles-forget", {"profile": "openrouter-renamed"}),
    ("profiles-remove", {"profile": "openrouter-b"}),
    ("client-usage", {}),
    ("config-show", {}),
    ("config-set", {"key": "switcher.retry", "value": "2"}),
    ("config-reset", {"key": "switcher.retry"}),
    ("config-undo", {}),
    ("demo-status", {}),
    ("demo-stop", {}),
    ("known-key", {"mark": "nobody's", "base_url": "https://openrouter.ai/api/v1"}),
    ("unknown-answers", {}),
    ("token", {"client": "aider"}),
    ("token", {"client": "aider", "revoke": True}),
    ("report", {}),
    ("report", {"page": "profiles", "profile": "openrouter-a"}),
    ("folder", {}),
    ("pause-all", {"for_s": 60}),
    ("resume-all", {}),
    ("autostart", {}),
]


def test_what_verbs_truly_answer_is_as_described(rig: Rig) -> None:
    document, caller = description(rig), connect(rig.home.running)

    def check(method: str, path: str, answer: object) -> None:
        content = document["paths"][path][method]["responses"]["200"]["content"]
        schema = {**content["application/json"]["schema"], "components": document["components"]}
        jsonschema.validate(answer, schema)

    for verb, arguments in ASKED:
        check("post", f"/api/v1/verbs/{verb}", caller.ask(verb, **arguments))
    request_id = caller.ask("history", limit=1)[0]["id"]
    check("post", "/api/v1/verbs/inspect", caller.ask("inspect", request_id=request_id))
    for path in ("/api/v1/status", "/api/v1/profiles", "/api/v1/quota", "/api/v1/requests", "/v1/quota-stats"):
        check("get", path, caller.get(path))
    check("get", "/api/v1/profiles/{profile}", caller.get("/api/v1/profiles/openrouter-a"))
    check("get", "/api/v1/requests/{request_id}", caller.get(f"/api/v1/requests/{request_id}"))
