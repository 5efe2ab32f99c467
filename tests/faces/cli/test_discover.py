"""`o-switcher discover`: what it shows and takes over, beside the running app and without one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.faces.cli.test_commands import Here, Run, runner
from tests.rig import key_of, running, script_of
from tray_app.core.providers import BUILT_IN
from tray_app.host.vault import open_vault

FILE = '[secrets]\nstore = "file"\n[proxy]\nport = 0\n'
LOGIN, PROJECT, STRAY = "sk-or-v1-login0123456789", "gsk_project0123456789", "m0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a login in OpenCode, a key in the shell, and a project that brings one; O-Switcher's home."""
    for variable in (name for provider in BUILT_IN.values() for name in provider.env):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "OPENCODE_CONFIG", "CODEX_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(variable, raising=False)
    user, project = tmp_path / "user", tmp_path / "project"
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("MISTRAL_API_KEY", STRAY)
    monkeypatch.setenv("OPENAI_API_KEY", "your-key-here")
    project.mkdir()
    monkeypatch.chdir(project)
    (project / "opencode.json").write_text(json.dumps({"provider": {"groq": {"options": {"apiKey": PROJECT}}}}))
    (user / ".local/share/opencode").mkdir(parents=True)
    (user / ".local/share/opencode/auth.json").write_text(json.dumps({"openrouter": {"type": "api", "key": LOGIN}}))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text(FILE)
    return tmp_path / "home"


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(Here(folder, []), capsys, monkeypatch)


def standings(run: Run, *words: str) -> dict[str, str]:
    """Each provider with how its key stands."""
    return {one["provider"]: one["standing"] for one in json.loads(run("discover", "--json", *words).out)}


def test_it_shows_what_is_where_and_takes_nothing(folder: Path, run: Run) -> None:
    ran = run("discover")
    assert ran.code == 0 and ran.err == ""
    lines = [re.split(r"  +", line) for line in ran.out.splitlines()]
    assert lines[:5] == [
        ["PROVIDER", "KEY", "STANDING", "FROM", "WHAT IT MEANS"],
        ["openrouter", f"...{LOGIN[-4:]}", "new", "OpenCode's auth.json", "can be taken over"],
        [
            "groq", f"...{PROJECT[-4:]}", "asks", "OpenCode's opencode.json",
            "can be taken over; a file of the project says so, so not without being asked",
        ],
        ["openai", "skipped", "environment variable OPENAI_API_KEY", "a placeholder, not a key"],
        ["mistral", f"...{STRAY[-4:]}", "new", "environment variable MISTRAL_API_KEY", "can be taken over"],
    ]  # fmt: skip
    assert ran.out.endswith("2 new, 1 asks, 1 skipped\nTake them over: o-switcher discover --apply\n")
    assert open_vault(folder / "keys.json", "file").entries() == {}


def test_it_takes_them_over_once(folder: Path, run: Run) -> None:
    ran = run("discover", "--apply")
    assert "taken over, as openrouter-opencode" in ran.out and "taken over, as groq-config" in ran.out
    entries = open_vault(folder / "keys.json", "file").entries()
    assert {name: entry.source for name, entry in entries.items()} == {
        "openrouter-opencode": "OpenCode's auth.json",
        "groq-config": "OpenCode's opencode.json",
        "mistral-env": "environment variable MISTRAL_API_KEY",
    }
    held = {"openrouter": "held", "groq": "held", "mistral": "held", "openai": "skipped"}
    assert standings(run) == held == standings(run, "--apply")
    assert len(open_vault(folder / "keys.json", "file").entries()) == 3
    for key in (LOGIN, PROJECT, STRAY):
        assert key not in ran.out + run("discover", "--json").out


def test_a_key_that_was_removed_is_told_and_not_taken(run: Run) -> None:
    run("discover", "--apply")
    run("profiles", "remove", "groq-config")
    assert standings(run, "--apply")["groq"] == "removed"
    assert "to have it back: o-switcher profiles add groq" in run("discover").out


def test_where_targets_are_named_it_says_that_nothing_is_taken_by_itself(folder: Path, run: Run) -> None:
    (folder / "config.toml").write_text(FILE + '[[targets]]\nprofile = "openrouter-main"\n')
    assert run("discover").out.endswith("Nothing is taken over by itself, since config.toml has [[targets]].\n")
    (folder / "config.toml").write_text(FILE + "[discovery]\nenabled = false\n")
    assert run("discover").out.endswith("since discovery.enabled is false.\n")


def test_it_looks_in_a_file_that_is_named(folder: Path, run: Run) -> None:
    (folder / ".env").write_text(f"XAI_API_KEY={STRAY}\n")
    assert standings(run, "--from", str(folder / ".env")) == {"xai": "new"}
    assert f"discover --from {folder / '.env'} --apply" in run("discover", "--from", str(folder / ".env")).out
    assert "taken over, as xai-file" in run("discover", "--from", str(folder / ".env"), "--apply").out
    (folder / ".env").write_text("")
    assert run("discover", "--from", str(folder / ".env")).out == f"no key was found in {folder / '.env'}\n"


def test_what_cannot_be_looked_at_is_one_clear_line(folder: Path, run: Run) -> None:
    ran = run("discover", "--from", str(folder / "nothing.yaml"))
    assert (ran.code, ran.err) == (
        1, f"o-switcher: {folder / 'nothing.yaml'}: cannot be read: No such file or directory\n",
    )  # fmt: skip
    (folder / "config.toml").write_text("[proxy]\nprt = 1\n")
    ran = run("discover")
    assert ran.code == 1 and "proxy.prt" in ran.err


def test_beside_the_running_app_it_asks_that_one(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = '[providers.openrouter]\nbase_url = "http://127.0.0.1:1/v1"\n'
    with running(folder, script_of(a='{do="ok"}'), settings=settings) as rig:
        run = runner(Here(folder, []), capsys, monkeypatch)
        monkeypatch.setenv("OPENROUTER_API_KEY", key_of("a"))
        found = json.loads(run("discover", "--json").out)
        stand = {one["source"]: one["standing"] for one in found}
        assert stand["environment variable OPENROUTER_API_KEY"] == "held"
        run("discover", "--apply")
        assert [view.id for view in rig.app.service.status().profiles] == [
            "openrouter-a", "openrouter-opencode", "groq-config", "mistral-env",
        ]  # fmt: skip
        events = rig.eventually("SELECT actor, verb, profile_id FROM operator_event WHERE verb = 'profiles-adopt'")
        assert events[0] == {"actor": "cli", "verb": "profiles-adopt", "profile_id": "openrouter-opencode"}


def test_an_address_that_leads_to_the_app_itself_is_skipped(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(
        folder, script_of(a='{do="ok"}'), settings='[providers.loop]\nbase_url = "http://127.0.0.1:1"\n'
    ) as rig:
        rig.home.config.write_text(rig.home.config.read_text().replace("http://127.0.0.1:1", f"{rig.url}/v1"))
        (folder / "c.yaml").write_text(f"model_list: [{{litellm_params: {{model: loop/x, api_key: {STRAY}}}}}]")
        run = runner(Here(folder, []), capsys, monkeypatch)
        assert "it leads to O-Switcher itself" in run("discover", "--from", str(folder / "c.yaml"), "--apply").out


def test_a_moved_provider_is_confirmed(folder: Path, run: Run) -> None:
    run("profiles", "add", "groq", "--label", "x", stdin=PROJECT)
    ran = run("profiles", "confirm", "groq-x")
    assert ran.code == 1 and "groq-x is bound to https://api.groq.com already" in ran.err
    run("config", "set", "providers.groq.base_url", "https://groq.mine.example/v1")
    assert "o-switcher profiles confirm groq-x" in run("profiles", "list").out
    assert run("profiles", "confirm", "groq-x").out == "groq-x: its key may go to https://groq.mine.example/v1 now\n"
    assert "needs re-authentication" not in run("profiles", "list").out
