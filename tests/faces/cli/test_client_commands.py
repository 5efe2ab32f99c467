"""The commands about clients: what they print, beside the running app and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faces.cli.test_commands import Here, Run, runner
from tests.rig import Rig, running, script_of
from tray_app.control import launching
from tray_app.control.callers import connect
from tray_app.control.connecting import where_of
from tray_app.control.verbs import Refused
from tray_app.core.values import OperatorActed

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, in which clients keep their files."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in launching.PLACES[1:]:
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path / "home", script_of(a='{do="ok"}')) as found:
        yield found


@pytest.fixture
def run(rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(Here(tmp_path / "home", []), capsys, monkeypatch)


@pytest.fixture
def cold(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "config.toml").write_text('[secrets]\nstore = "file"\n')
    return runner(Here(tmp_path, []), capsys, monkeypatch)


def test_a_client_is_connected_and_disconnected(rig: Rig, run: Run, home: Path) -> None:
    path = home / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text('{\n  "theme": "dark"\n}\n')
    path.chmod(0o644)
    dry = run("connect", "claude-code", "--dry-run")
    assert "would be pointed at" in dry.out and "osw-claude-code" not in rig.home.keys.read_text()
    done = run("connect", "claude", "--provider", "openrouter")
    assert done.code == 0 and '+    "ANTHROPIC_AUTH_TOKEN": "<token>"' in done.out
    assert f"note: other users of this machine can read {path}" in done.out
    command = path.with_name("commands") / "switcher.md"
    assert f"+++ {command}" in done.out and " -P -m tray_app status`" in command.read_text()
    table = run("connections").out
    assert f"claude-code    connected      openrouter  {rig.url}" in table and str(path) in table
    back = json.loads(run("disconnect", "claude-code", "--json").out)
    assert back["changed"] and path.read_text() == '{\n  "theme": "dark"\n}\n'
    acted = [fact for fact in rig.facts if isinstance(fact, OperatorActed)]
    assert [(fact.actor, fact.verb, fact.detail) for fact in acted] == [
        ("cli", "connect", f"claude-code: {path}, {command}"),
        ("cli", "disconnect", f"claude-code: {path}, {command}"),
    ]


def test_what_cannot_be_connected_is_one_line_and_1(rig: Rig, run: Run, home: Path) -> None:
    for words, why in (
        (("connect", "emacs"), "no client is called 'emacs'"),
        (("connect", "llm"), "llm has to be told which models there are"),
        (("connect", "claude-code", "--provider", "groq"), "Groq does not speak what Claude Code speaks"),
        (("connect", "codex", "--mcp"), "codex mcp add o-switcher -- o-switcher mcp"),
        (("disconnect", "codex"), "Codex is not connected"),
        (("token", "no such"), "made of letters"),
        (("token", "nobody", "--revoke"), "nobody has no token"),
        (("token", KEY), "made of letters"),
        (("token", KEY[:38]), "looks like a key"),
        (("connect", KEY), "no client is called '[key]'"),
        (("connect", "opencode", "--provider", KEY), "no provider is called '[key]'"),
        (("connect", "codex", "--provider", KEY), "no provider is called '[key]'"),
        (("run", "--", KEY), "looks like a key"),
        (("disconnect", KEY), "no client is called '[key]'"),
    ):
        ran = run(*words)
        assert ran.code == 1 and why in ran.err and len(ran.err.splitlines()) == 1
        assert KEY not in ran.err + ran.out


def test_lines_for_a_shell_and_fields_for_a_form(rig: Rig, run: Run, home: Path) -> None:
    lines = run("connect", "anthropic-sdk")
    assert lines.out.splitlines()[0] == f"export ANTHROPIC_BASE_URL={rig.url}/openrouter"
    assert lines.err == "# Anthropic SDK: put these into its environment\n"
    form = run("connect", "cline", "--model", "a/b").out
    assert f"Base URL: {rig.url}/openrouter/v1" in form and "Model ID: a/b" in form
    assert json.loads(run("connect", "cline", "--json").out)["paste"]


def test_models_that_have_a_route_need_not_be_named(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    routes = '[[routes]]\nmodel = "fast"\ntargets = ["openrouter:a/b"]\n'
    with running(tmp_path / "home", script_of(a='{do="ok"}'), settings=routes):
        run = runner(Here(tmp_path / "home", []), capsys, monkeypatch)
        assert "llm -m o-switcher/fast" in run("connect", "llm").out


def test_each_client_has_its_own_token_and_loses_it_alone(rig: Rig, run: Run) -> None:
    first, second = run("token", "one").out.strip(), run("token", "two").out.strip()
    assert first.startswith("osw-one-") and second.startswith("osw-two-")
    assert json.loads(run("token", "one", "--json").out) == {"client": "one", "token": first}
    for token in (first, second):
        assert rig.client.get("/v1/models", headers={"authorization": f"Bearer {token}"}).status_code == 200
    assert run("token", "one", "--revoke").out == "the token of one counts no longer\n"
    codes = [
        rig.client.get("/v1/models", headers={"authorization": f"Bearer {token}"}).status_code
        for token in (first, second)
    ]
    assert codes == [401, 200]
    assert run("token", "one").out.strip() not in ("", first)


def test_a_program_is_run_with_the_token_in_its_environment_only(rig: Rig, run: Run, home: Path) -> None:
    done = run("run", "--", "sh", "-c", 'echo "$OPENAI_BASE_URL" "${OPENAI_API_KEY%-*}" > "$HOME/seen"; exit 4')
    assert done.code == 4
    assert (home / "seen").read_text() == f"{rig.url}/openrouter/v1 osw-sh\n"
    assert run("run", "--", "no-such-program").code == 127
    wrong = run("run", "--provider", "nobody", "--", "sh", "-c", "true")
    assert wrong.code == 1 and "no provider is called 'nobody'" in wrong.err
    assert run("run").code == 2


def test_faulty_settings_are_named_before_anything_is_run(rig: Rig, run: Run, home: Path) -> None:
    rig.home.config.write_text("nonsense = 1\n")
    ran = run("run", "--", "true")
    assert ran.code == 1 and "nonsense" in ran.err


def test_without_the_app_clients_are_connected_and_programs_are_not_run(cold: Run, home: Path) -> None:
    assert cold("connect", "opencode").code == 1
    cold("profiles", "add", "anthropic", "--label", "main", stdin="sk-ant-api03-0123456789abcdefghij")
    assert "http://127.0.0.1:4417/anthropic" in cold("connect", "claude-code").out
    assert "note: O-Switcher is not running now" in cold("connect", "claude-code").out
    assert cold("connections").out.count("  connected  ") == 1
    assert cold("config", "set", "proxy.port", "0").code == 0
    anywhere = cold("connect", "claude-code")
    assert anywhere.code == 3 and "so it has to run" in anywhere.err
    assert cold("connections").out.count("  connected  ") == 1
    assert cold("config", "set", "proxy.port", "4417").code == 0
    assert cold("disconnect", "claude-code").code == 0
    assert cold("token", "claude-code", "--revoke").code == 0
    assert cold("run", "--", "true").code == 3


def test_places_must_be_variables(rig: Rig) -> None:
    caller = connect(rig.home.running)
    for places in ("[]", "{", '{"HOME": 1}'):
        with pytest.raises(Refused, match="places must be a JSON object"):
            caller.ask("connect", client="codex", places=places)


def test_only_variables_that_name_places_are_looked_at() -> None:
    found = where_of('{"HOME": "/h", "PATH": "/x", "CODEX_HOME": "/c"}', {"LLM_USER_PATH": "/l"})
    assert dict(found.environ) == {"HOME": "/h", "CODEX_HOME": "/c"} and found.home == Path("/h")
    assert dict(where_of(None, {"LLM_USER_PATH": "/l", "PATH": "/x"}).environ) == {"LLM_USER_PATH": "/l"}


def test_places_begin_where_the_user_is() -> None:
    found = launching.places({"CODEX_HOME": "c", "HOME": "/h", "XDG_DATA_HOME": ""}, Path("/w"))
    assert found == {"HOME": "/h", "CODEX_HOME": "/w/c"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "p"}, {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}),
        (
            {"all_proxy": "p", "no_proxy": "x, localhost"},
            {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "x,localhost,127.0.0.1"},
        ),
    ],
)
def test_calls_to_this_machine_go_around_proxies(environ: dict[str, str], wanted: dict[str, str]) -> None:
    assert launching.around_proxies(environ) == {**environ, **wanted}


def test_clients_follow_to_another_port_and_it_is_said(rig: Rig, run: Run, home: Path) -> None:
    assert run("connect", "claude-code").code == 0
    rig.restart()
    settings = home / ".claude" / "settings.json"
    assert f"{rig.url}/openrouter" in settings.read_text()
    assert f"note      claude-code is pointed at {rig.url} now; restart it if it runs" in run("status").out
    events = rig.eventually("SELECT verb, detail FROM operator_event WHERE actor = 'app'")
    assert events == [{"verb": "connect", "detail": f"claude-code: moved to {rig.url}"}]
    assert run("disconnect", "claude-code").code == 0 and not settings.parent.exists()


def test_a_client_that_was_changed_since_does_not_follow_and_it_is_said(rig: Rig, run: Run, home: Path) -> None:
    assert run("connect", "claude-code").code == 0
    settings = home / ".claude" / "settings.json"
    settings.write_text(settings.read_text().replace("/openrouter", "/mine"))
    rig.restart()
    assert "claude-code still is pointed at another address" in run("status").out
    refused = run("disconnect", "claude-code")
    assert refused.code == 1 and "somebody has changed env.ANTHROPIC_BASE_URL" in refused.err
    assert run("disconnect", "claude-code", "--force").code == 0 and not settings.exists()


def test_a_damaged_journal_does_not_keep_the_app_from_starting(rig: Rig, run: Run) -> None:
    rig.home.connections.write_text("{")
    rig.restart()
    assert "connections.json is damaged" in run("status").out
    ran = run("connections")
    assert ran.code == 1 and "connections.json is damaged" in ran.err


def test_one_command_on_a_fresh_machine_takes_the_key_over_and_connects(cold: Run, home: Path, tmp_path: Path) -> None:
    path = home / ".config" / "opencode" / "opencode.json"
    path.parent.mkdir(parents=True)
    before = json.dumps({"provider": {"openrouter": {"options": {"apiKey": KEY}}}})
    path.write_text(before)
    shown = cold("connect", "opencode", "--dry-run")
    assert shown.code == 0 and KEY not in shown.out and path.read_text() == before
    done = cold("connect", "opencode")
    assert "note: found a key in OpenCode's opencode.json: it is openrouter-config now" in done.out
    assert KEY not in path.read_text() and KEY not in done.out
    assert "openrouter-config" in cold("profiles", "list").out
    assert cold("disconnect", "opencode").code == 0 and path.read_text() == before


def test_with_discovery_off_connecting_takes_no_key_over(cold: Run, home: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[secrets]\nstore = "file"\n[discovery]\nenabled = false\n')
    path = home / ".config" / "opencode" / "opencode.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"provider": {"openrouter": {"options": {"apiKey": KEY}}}}))
    ran = cold("connect", "opencode")
    assert ran.code == 1 and "no profiles yet" in ran.err


def test_a_key_that_came_since_the_start_is_taken_over_before_it_is_replaced(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "home", script_of(a='{do="ok"}')) as rig:
        settings = rig.home.config.read_text().replace("[discovery]\nenabled = false\n", "")
        rig.home.config.write_text(settings)
        rig.restart()
        run = runner(Here(tmp_path / "home", []), capsys, monkeypatch)
        path = home / ".config" / "opencode" / "opencode.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"provider": {"openrouter": {"options": {"apiKey": KEY}}}}))
        told = run("connect", "opencode").out
        assert "it is openrouter-config now" in told + " ".join(rig.app.notices)  # where the watch was quicker
        assert "openrouter-config" in run("list").out
        assert "it is" not in run("connect", "opencode").out
