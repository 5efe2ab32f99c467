"""Real coding agents through the proxy: the right answer on their standard output, whatever the first profile does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.agents import MODEL, Agent
from tests.rig import Key, Rig, running

ANSWER = "Fair wind from the west, three gulls – and a quiet harbour by night; ça ira. ⚓"
OTHER = "This is what the first profile would have said."
PATHS = {
    "opencode": "/chat/completions",
    "opencode-anthropic": "/messages",
    "opencode-openai": "/responses",
    "claude": "/messages",
    "codex": "/responses",
}

FAULTS = [
    pytest.param('{do="no_credit"}', "quota_exhausted", id="out of credit"),
    pytest.param('{do="rate_limit", retry_after=30}', "rate_limited", id="rate-limited"),
    pytest.param('{do="unauthorized"}', "auth", id="unauthorised"),
]


def saying(text: str, steps: str = '{do="ok"}') -> Key:
    """A key whose good answers are that text."""
    return Key(steps, more=f'text = "{text}"')


def token_of(rig: Rig) -> str:
    """The client's token, without its scheme."""
    return str(rig.client.headers["authorization"]).removeprefix("Bearer ")


def answered(agent: Agent, rig: Rig) -> None:
    """It prints the answer, alone, and ends well; its one request was streamed."""
    done = agent.ask(rig.url, token_of(rig))
    assert (done.stdout.strip(), done.returncode) == (ANSWER, 0), done.stderr
    rows = rig.rows("SELECT model, stream, outcome FROM request")
    assert rows == [{"model": MODEL, "stream": 1, "outcome": "served"}]


@pytest.mark.parametrize("name", PATHS)
def test_the_answer_arrives_streamed(tmp_path: Path, agents: dict[str, Agent], name: str) -> None:
    with running(tmp_path, {"only": saying(ANSWER)}) as rig:
        answered(agents[name], rig)
        assert rig.rows("SELECT path FROM request") == [{"path": PATHS[name]}]
        call = rig.simulator.calls[0]
        assert (call.stream, call.completed) == (True, True)


@pytest.mark.parametrize("name", ["opencode", "claude", "codex"])
@pytest.mark.parametrize(("fault", "error_class"), FAULTS)
def test_a_profile_that_cannot_is_replaced_unnoticed(
    tmp_path: Path, agents: dict[str, Agent], name: str, fault: str, error_class: str
) -> None:
    with running(tmp_path, {"first": saying(OTHER, fault), "second": saying(ANSWER)}) as rig:
        answered(agents[name], rig)
        assert rig.calls() == {"first": 1, "second": 1}
        failed, good = rig.rows("SELECT profile_id, error_class FROM attempt ORDER BY id")
        assert failed == {"profile_id": "openrouter-first", "error_class": error_class}
        assert good == {"profile_id": "openrouter-second", "error_class": None}
