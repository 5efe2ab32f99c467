"""Real clients through the proxy: the right answer on their standard output, whatever the first profile does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.agents import MODEL, Agent
from tests.clients.answers import ANSWER, OTHER, printed, saying
from tests.rig import running

# name -> the path it asks, and whether for a stream
ASKED = {
    "opencode": ("/chat/completions", 1),
    "opencode-anthropic": ("/messages", 1),
    "opencode-openai": ("/responses", 1),
    "claude": ("/messages", 1),
    "codex": ("/responses", 1),
    "llm": ("/chat/completions", 1),
    "llm-whole": ("/chat/completions", 0),
}
FAULTS = [
    pytest.param('{do="no_credit"}', "quota_exhausted", id="out of credit"),
    pytest.param('{do="rate_limit", retry_after=30}', "rate_limited", id="rate-limited"),
    pytest.param('{do="unauthorized"}', "auth", id="unauthorised"),
]


@pytest.mark.parametrize("name", ASKED)
def test_the_answer_arrives(tmp_path: Path, agents: dict[str, Agent], name: str) -> None:
    path, stream = ASKED[name]
    with running(tmp_path, {"only": saying(ANSWER)}) as rig:
        printed(agents[name], name, rig)
        row = {"client": name, "path": path, "model": MODEL, "stream": stream, "outcome": "served"}
        assert rig.rows("SELECT client, path, model, stream, outcome FROM request") == [row]
        assert [(call.stream, call.completed) for call in rig.simulator.calls] == [(bool(stream), True)]


@pytest.mark.parametrize("name", ["opencode", "claude", "codex", "llm"])
@pytest.mark.parametrize(("fault", "error_class"), FAULTS)
def test_a_profile_that_cannot_is_replaced_unnoticed(
    tmp_path: Path, agents: dict[str, Agent], name: str, fault: str, error_class: str
) -> None:
    with running(tmp_path, {"first": saying(OTHER, fault), "second": saying(ANSWER)}) as rig:
        printed(agents[name], name, rig)
        assert rig.rows("SELECT client, outcome FROM request") == [{"client": name, "outcome": "served"}]
        assert rig.calls() == {"first": 1, "second": 1}
        failed, good = rig.rows("SELECT profile_id, error_class FROM attempt ORDER BY id")
        assert failed == {"profile_id": "openrouter-first", "error_class": error_class}
        assert good == {"profile_id": "openrouter-second", "error_class": None}
