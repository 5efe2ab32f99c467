"""Streams that break off in mid-answer: real clients get the whole answer all the same, as one stream.

The proxy goes on with another profile where the first one broke off. Where it must not, an agent asks again by itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.agents import Agent
from tests.clients.answers import ANSWER, one_stream, printed, saying
from tests.clients.packages import Packages
from tests.rig import running
from tray_app.simulator.text import pieces

CHUNKS = 6
AFTER = 3
REST = "".join(pieces(ANSWER, CHUNKS)[AFTER:])
CUT = f'{{do="cut", chunks={CHUNKS}, after={AFTER}, how="rst"}}'
HALF = f'{{do="cut", chunks={CHUNKS}, after={AFTER}, how="fin"}}'
WAYS = [pytest.param(REST, id="it goes on"), pytest.param(ANSWER, id="it begins anew")]

TOLD = [
    pytest.param("opencode", REST, id="opencode"),  # which takes long to start: once
    *(pytest.param(name, *way.values, id=f"{name}, {way.id}") for name in ("claude", "codex", "llm") for way in WAYS),
]


@pytest.mark.parametrize(("name", "more"), TOLD)
def test_the_answer_is_printed_once_and_whole(tmp_path: Path, agents: dict[str, Agent], name: str, more: str) -> None:
    with running(tmp_path, {"first": saying(ANSWER, CUT), "second": saying(more)}) as rig:
        printed(agents[name], name, rig)
        assert rig.calls() == {"first": 1, "second": 1}
        assert rig.rows("SELECT outcome, attempts FROM request") == [{"outcome": "served", "attempts": 2}]


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_an_agent_that_is_told_of_the_break_asks_again_and_meets_the_next_profile(
    tmp_path: Path, agents: dict[str, Agent], name: str
) -> None:
    settings = '[streams]\ncontinue = "off"\n'
    with running(tmp_path, {"first": saying(ANSWER, CUT), "second": saying(ANSWER)}, settings=settings) as rig:
        printed(agents[name], name, rig)
        assert rig.calls() == {"first": 1, "second": 1}
        outcomes = [row["outcome"] for row in rig.rows("SELECT outcome FROM request ORDER BY started_at")]
        assert outcomes == ["interrupted", "served"]


@pytest.mark.parametrize("call", ["chat_stream", "responses_stream", "messages_stream"])
@pytest.mark.parametrize("fault", [pytest.param(CUT, id="torn down"), pytest.param(HALF, id="closed")])
@pytest.mark.parametrize("more", WAYS)
def test_a_package_receives_one_stream_as_if_nothing_had_happened(
    tmp_path: Path, packages: Packages, call: str, fault: str, more: str
) -> None:
    with running(tmp_path, {"first": saying(ANSWER, fault), "second": saying(more)}) as rig:
        one_stream(call, packages.call(call, rig))
        assert rig.calls() == {"first": 1, "second": 1}
        assert rig.rows("SELECT outcome FROM request") == [{"outcome": "served"}]


BROKE = "O-Switcher: server error: the connection to the provider broke in the middle of its answer"
ENDS = [
    ("chat_stream", "APIError", BROKE),
    ("responses_stream", "APIConnectionError", ""),  # of this protocol's error event it makes an event like others
    ("messages_stream", "APIStatusError", BROKE),
]


@pytest.mark.parametrize(("call", "error", "words"), ENDS)
def test_a_package_never_takes_half_an_answer_for_the_whole(
    tmp_path: Path, packages: Packages, call: str, error: str, words: str
) -> None:
    with running(tmp_path, {"first": saying(ANSWER, CUT)}, settings='[streams]\ncontinue = "off"\n') as rig:
        told = packages.call(call, rig)
        assert told["error"] == error and words in told["says"]
        assert rig.rows("SELECT outcome FROM request") == [{"outcome": "interrupted"}]
