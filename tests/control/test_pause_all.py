"""Everything paused, on the running app: what clients are told, what faces show, how it ends."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.faces.tray.desk import until
from tests.rig import running, script_of
from tray_app.control.callers import connect
from tray_app.control.verbs import Refused

SCRIPT = script_of(a='{do="ok"}', b='{do="ok"}')


def test_while_everything_is_paused_clients_are_told_so_and_nothing_goes_out(tmp_path: Path) -> None:
    with running(tmp_path, SCRIPT) as rig:
        caller = connect(rig.home.running, "cli")
        caller.ask("pause", profile="openrouter-b")
        said = caller.ask("pause-all")
        assert said["message"] == "everything is paused until resumed; requests are refused and told why"
        answer = rig.chat()
        assert (answer.status_code, answer.json()["error"]["why"]) == (503, "halted")
        assert "retry-after" not in answer.headers
        assert rig.calls() == {}
        status = caller.ask("status")
        assert (status["state"], status["headline"]) == ("paused", "everything is paused")
        assert (status["paused_all"], status["paused_until"], status["active"]) == (True, None, None)
        assert not any(one["active"] for one in status["profiles"])
        assert rig.eventually("SELECT outcome FROM request") == [{"outcome": "refused"}]
        caller.ask("resume-all")
        assert rig.chat().headers["x-o-switcher-profile"] == "openrouter-a"
        assert rig.phase("openrouter-b") == "paused", "as it was before"
        with pytest.raises(Refused, match="not everything is paused"):
            caller.ask("resume-all")
        events = rig.rows("SELECT verb, detail FROM operator_event ORDER BY at, id")
        assert ("pause-all", "until resumed") in [(one["verb"], one["detail"]) for one in events]


def test_it_is_remembered_over_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, SCRIPT) as rig:
        connect(rig.home.running).ask("pause-all", for_s=3600)
        rig.restart()
        assert rig.chat().status_code == 503
        assert connect(rig.home.running).ask("status")["headline"] == "everything is paused; it ends in 60 min"
        connect(rig.home.running).ask("resume-all")
        rig.restart()
        assert rig.chat().status_code == 200


def test_it_ends_by_itself(tmp_path: Path) -> None:
    with running(tmp_path, SCRIPT) as rig:
        began = time.monotonic()
        connect(rig.home.running).ask("pause-all", for_s=0.3)
        assert rig.chat().status_code == 503
        until(lambda: not connect(rig.home.running).ask("status")["paused_all"], "the pause did not end")
        assert time.monotonic() - began >= 0.3
        assert rig.chat().status_code == 200
        ended = rig.eventually("SELECT actor, detail FROM operator_event WHERE verb = 'resume-all'")
        assert ended == [{"actor": "app", "detail": "the pause is over"}]


def test_who_waits_for_a_place_is_told_too(tmp_path: Path) -> None:
    slow = script_of(a='{do="ok", delay_ms=1200}')
    with running(tmp_path, slow, settings="[switcher]\nconcurrency_limit = 1\n") as rig:
        answers: list[int] = []
        threads = [threading.Thread(target=lambda: answers.append(rig.chat().status_code)) for _ in range(2)]
        for one in threads:
            one.start()
        caller = connect(rig.home.running)
        until(lambda: caller.ask("status")["waiting"] == 1, "nobody waits")
        assert caller.ask("status")["waiting_since"] <= time.time() * 1000
        caller.ask("pause-all")
        until(lambda: answers == [503], "who waited was not told")
        for one in threads:
            one.join()
        assert sorted(answers) == [200, 503], "what was under way is finished"
        assert caller.ask("status")["waiting_since"] is None
