"""No profile can serve: whatever end the proxy gives, no coding agent falls into asking again and again.

OpenCode's own answer to an end that it does not understand is to ask several times a second, for ever; here each of
them stops or paces itself, and the provider is left alone meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import pytest

from tests.clients.agents import Agent, has_opencode
from tests.clients.answers import ANSWER, saying
from tests.rig import Rig, running

WATCHED_S = 5.0  # from an agent's first request
MOST = {"opencode": 4, "claude": 6, "codex": 10}  # requests meanwhile, as their own pauses give them
PROVIDER_MOST = 24  # calls for all of them

ALL = [name for name in MOST if name != "opencode" or has_opencode()]
ENDS = [
    pytest.param('{do="no_credit"}', ALL, id="no credit anywhere"),
    pytest.param('{do="unauthorized"}', ["claude", "codex"], id="no key is good"),  # OpenCode passes it on at once
    pytest.param('{do="server_error"}', ALL, id="it is broken"),
    pytest.param('{do="no_terminator", finish=false}', ALL, id="streams end in order but half-way"),
]


@pytest.mark.parametrize(("fault", "names"), ENDS)
def test_every_agent_stops_or_takes_its_time(
    tmp_path: Path, agents: dict[str, Agent], fault: str, names: list[str]
) -> None:
    with running(tmp_path, {key: saying(ANSWER, fault) for key in ("first", "second")}) as rig, ExitStack() as ended:
        at_work = {name: ended.enter_context(agents[name].asking(rig.url, rig.app.vault.token(name))) for name in names}
        _watch(rig, at_work)
        for name, process in at_work.items():
            came = _requests(rig, name)
            soon = [at for at in came if at - came[0] <= WATCHED_S * 1000]
            assert 1 <= len(soon) <= MOST[name], came
            if process.poll() is not None:
                _ended_well(process)
        assert sum(rig.calls().values()) <= PROVIDER_MOST


def _ended_well(process: Popen[str]) -> None:
    """It failed, and said what the proxy told it; or it has asked in another way, and got its answer."""
    out, err = process.communicate()
    # of a stream that broke off Codex tells in words of its own
    told = any(word in out + err for word in ("profile", "O-Switcher", "stream disconnected"))
    assert told if process.returncode else out.strip() == ANSWER, err


def _watch(rig: Rig, at_work: Mapping[str, Popen[str]]) -> None:
    """Until each agent has ended, or has had its time since it asked for the first time."""
    deadline = time.monotonic() + 90
    left = set(at_work)
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        for name in set(left):
            came = _requests(rig, name)
            if at_work[name].poll() is not None or (came and time.time() - came[0] / 1000 > WATCHED_S):
                left.discard(name)
    assert not left, f"{left} did not come to ask"


def _requests(rig: Rig, client: str) -> list[int]:
    """When that client asked, in ms."""
    return [row["started_at"] for row in rig.rows("SELECT started_at FROM request WHERE client = ? ORDER BY 1", client)]
