"""Providers are asked what a profile has left: by a person, by retry-now, and by itself, never in a request's way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.rig import Rig, key_of, running, script_of
from tray_app.control.callers import connect

POLLED = "[quota]\npolling = true\n"


def capped(more: str, steps: str = '{do="ok"}') -> str:
    """A script of one key with a cap."""
    return f'models = ["openai/gpt-4o-mini"]\n[[key]]\nname = "only"\nkey = "{key_of("only")}"\nsteps = [{steps}]\n{more}\n'


def asked(rig: Rig) -> int:
    """How often the provider was asked."""
    return sum(seen.path.endswith("/key") for seen in rig.simulator.calls)


def test_a_person_is_told_what_is_left(tmp_path: Path) -> None:
    script = capped('limit = 10.0\nlimit_reset = "daily"\nusage = 4.0')
    with running(tmp_path, script) as rig:
        (asked_view,) = connect(rig.home.running).ask("quota")
        assert asked_view["asked"] and asked_view["answered"]
        (view,) = asked_view["known"]
        assert (view["profile"], view["remaining"], view["limit"], view["unit"]) == (
            "openrouter-only",
            6.0,
            10.0,
            "usd",
        )
        assert view["source"] == "probe" and view["resets_at"] > view["at"]
        assert rig.eventually("SELECT kind, remaining, unit FROM quota_event") == [
            {"kind": "probe", "remaining": 6.0, "unit": "usd"}
        ]
        status = connect(rig.home.running).ask("status")
        assert "6 of 10 USD left" in status["profiles"][0]["quota"]
        assert rig.calls() == {}  # it cost nothing


def test_an_answer_that_tells_nothing_means_nothing(tmp_path: Path) -> None:
    script = capped("", '{path="*key", do="forbidden"}, {do="ok"}')
    with running(tmp_path, script) as rig:
        (told,) = connect(rig.home.running).ask("quota")
        assert (told["asked"], told["answered"], told["known"]) == (True, False, [])
        assert rig.phase("openrouter-only") == "ready"
        assert rig.chat().status_code == 200


@pytest.mark.parametrize("how", ["hang", "garbage", "reset"])
def test_a_provider_that_does_not_answer_the_question_serves_all_the_same(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tray_app.proxy.prober.PATIENCE_S", 0.3)
    script = capped("", f'{{path="*key", do="{how}"}}, {{do="ok"}}')
    with running(tmp_path, script) as rig:
        (told,) = connect(rig.home.running).ask("quota")
        assert (told["asked"], told["answered"], told["known"]) == (True, False, [])
        assert rig.chat().status_code == 200


def test_retry_now_asks_and_takes_a_topped_up_key_back(tmp_path: Path) -> None:
    script = capped('limit = 10.0\nlimit_reset = "monthly"\nusage = 2.0', '{times=1, do="key_limit"}, {do="ok"}')
    with running(tmp_path, script) as rig:
        assert rig.chat().status_code == 429
        assert rig.phase("openrouter-only") == "cooling"
        done = connect(rig.home.running).ask("retry-now", profile="openrouter-only")
        assert done["message"].startswith("cleared: openrouter-only; openrouter-only: key limit: 8 of 10 USD left")
        assert rig.chat().status_code == 200


def test_it_is_asked_by_itself_soon_after_the_start_and_then_only_for_a_profile_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tray_app.core.poll.FIRST_MS", (50, 100))
    monkeypatch.setattr("tray_app.core.poll.SHORTEST_MS", 200)
    monkeypatch.setattr("tray_app.core.poll.LONGEST_MS", 300)
    with running(tmp_path, capped("limit = 10.0"), settings=POLLED) as rig:
        assert rig.eventually("SELECT 1 FROM quota_event WHERE kind = 'probe'")
        time.sleep(0.6)
        assert asked(rig) == 1  # nobody used it since: nothing happens, so nothing wakes
        rig.chat()
        deadline = time.monotonic() + 3
        while asked(rig) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert asked(rig) == 2


def test_without_polling_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tray_app.core.poll.FIRST_MS", (10, 20))
    with running(tmp_path, script_of(only='{do="ok"}')) as rig:
        rig.chat()
        time.sleep(0.3)
        assert asked(rig) == 0


def test_a_key_goes_to_its_own_origin_alone(tmp_path: Path) -> None:
    """The question of a provider whose balance lies beside its API is asked of the same host."""
    from tray_app.core import probes

    for name, probe in probes.PROBES.items():
        assert probe.url("https://host.example:8443/some/v1").startswith("https://host.example:8443/"), name
