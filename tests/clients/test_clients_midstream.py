"""Streams that break off in mid-answer: real clients get the whole answer all the same.

Agents that ask again by themselves get it from the next profile. Those that do not (the Python packages, `llm`) get
one well-formed stream, since the proxy goes on with another profile where the first one broke off.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.agents import Agent
from tests.clients.answers import ANSWER, one_stream, printed, saying
from tests.clients.packages import Packages
from tests.rig import running
from tray_app.simulator.text import pieces

CONTINUES = False  # whether the proxy goes on by itself with a stream that broke off

CHUNKS = 6
AFTER = 3
REST = "".join(pieces(ANSWER, CHUNKS)[AFTER:])
CUT = f'{{do="cut", chunks={CHUNKS}, after={AFTER}, how="rst"}}'
HALF = f'{{do="cut", chunks={CHUNKS}, after={AFTER}, how="fin"}}'


@pytest.mark.parametrize("name", ["opencode", "claude", "codex"])
def test_an_agent_prints_the_answer_once_and_whole(tmp_path: Path, agents: dict[str, Agent], name: str) -> None:
    with running(tmp_path, {"first": saying(ANSWER, CUT), "second": saying(ANSWER)}) as rig:
        printed(agents[name], name, rig)
        assert rig.calls() == {"first": 1, "second": 1}


class TestContinuing:
    """Whatever the next profile makes of being asked to go on: the client sees one stream of one answer."""

    __test__ = CONTINUES

    @pytest.mark.parametrize("call", ["chat_stream", "responses_stream", "messages_stream"])
    @pytest.mark.parametrize("fault", [pytest.param(CUT, id="torn down"), pytest.param(HALF, id="closed")])
    @pytest.mark.parametrize("more", [pytest.param(REST, id="it goes on"), pytest.param(ANSWER, id="it begins anew")])
    def test_a_package_receives_one_stream(
        self, tmp_path: Path, packages: Packages, call: str, fault: str, more: str
    ) -> None:
        with running(tmp_path, {"first": saying(ANSWER, fault), "second": saying(more)}) as rig:
            one_stream(call, packages.call(call, rig))
            assert rig.calls() == {"first": 1, "second": 1}
            assert rig.rows("SELECT outcome FROM request") == [{"outcome": "served"}]

    @pytest.mark.parametrize("more", [pytest.param(REST, id="it goes on"), pytest.param(ANSWER, id="it begins anew")])
    def test_llm_prints_the_answer(self, tmp_path: Path, agents: dict[str, Agent], more: str) -> None:
        with running(tmp_path, {"first": saying(ANSWER, CUT), "second": saying(more)}) as rig:
            printed(agents["llm"], "llm", rig)
            assert rig.calls() == {"first": 1, "second": 1}
