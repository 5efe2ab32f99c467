"""A client that asks the same over and over, as some agents do, through the whole app."""

from __future__ import annotations

import time
from pathlib import Path

from tests.rig import CHAT, MODEL, running, script_of

NO_RETRY = "[switcher]\nretry_budget = 0\n"
BODY = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "why?"}]}


def test_it_is_slowed_and_told_why_and_the_provider_is_asked_no_oftener(tmp_path: Path) -> None:
    with running(tmp_path, script_of(only='{do="server_error"}'), settings=NO_RETRY) as rig:
        took, said = [], []
        for _ in range(5):
            began = time.monotonic()
            answer = rig.client.post(CHAT, json=BODY)
            took.append(time.monotonic() - began)
            said.append(answer.json()["error"]["message"])
            assert answer.status_code == 502
        assert max(took[:3]) < 0.9
        assert 1.0 <= took[3] < 1.9 and 2.0 <= took[4] < 2.9
        assert "held" not in said[2]
        assert "The same request failed 3 times within moments, so it is held for 1 s." in said[3]
        waits = rig.eventually("SELECT wait_ms FROM request ORDER BY id DESC LIMIT 1")
        assert waits[0]["wait_ms"] >= 2_000
        other = time.monotonic()
        rig.client.post(CHAT, json=BODY | {"max_tokens": 5})
        assert time.monotonic() - other < 0.9  # another request is nobody's storm


def test_once_it_is_answered_it_is_like_any_other(tmp_path: Path) -> None:
    script = script_of(only='{times=3, do="server_error"}, {do="ok"}')
    with running(tmp_path, script, settings=NO_RETRY) as rig:
        for _ in range(3):
            assert rig.client.post(CHAT, json=BODY).status_code == 502
        began = time.monotonic()
        assert rig.client.post(CHAT, json=BODY).status_code == 200
        held = time.monotonic()
        assert rig.client.post(CHAT, json=BODY).status_code == 200
        assert held - began >= 1.0 > time.monotonic() - held
