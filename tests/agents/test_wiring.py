"""What each client is told: in its files, in its environment, on its command line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tray_app.agents.unfit import MISSING, Unfit
from tray_app.agents.wiring import aider, claude_code, codex, llm, opencode, sdk
from tray_app.agents.wiring.clients import CLIENTS, client_named, client_of_program
from tray_app.agents.wiring.plan import FOLDER, Aim, Plan, Where
from tray_app.core.providers import BUILT_IN, custom

URL, TOKEN = "http://127.0.0.1:4417", "osw-x-0123"


def aim(*names: str, asked: str | None = None, models: tuple[str, ...] = ()) -> Aim:
    return Aim(URL, TOKEN, tuple(BUILT_IN[name] for name in names), BUILT_IN, asked, models)


def where(folder: Path, files: Mapping[str, str] | None = None, system: str = "linux", **environ: str) -> Where:
    for name, text in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Where(environ, folder, system=system)


def told(plan: Plan, place: int = 0) -> dict[str, object]:
    """The settings of one file, by dotted key."""
    return {".".join(setting.path): setting.value for setting in plan.files[place].settings}


# -- OpenCode

AUTH = ".local/share/opencode/auth.json"
GLOBAL = ".config/opencode/opencode.json"


def test_opencode_is_told_the_address_and_the_token_of_every_provider_of_the_pool(tmp_path: Path) -> None:
    plan = opencode.plan(aim("openrouter", "google", "together"), where(tmp_path))
    assert told(plan) == {
        "provider.openrouter.options.baseURL": f"{URL}/openrouter/v1",
        "provider.openrouter.options.apiKey": TOKEN,
        "provider.google.options.baseURL": f"{URL}/google/v1beta",
        "provider.google.options.apiKey": TOKEN,
        "provider.togetherai.options.baseURL": f"{URL}/together/v1",
        "provider.togetherai.options.apiKey": TOKEN,
    }
    assert plan.files[0].path == tmp_path / GLOBAL and plan.provider == "openrouter, google, together"
    assert [setting.secret for setting in plan.files[0].settings] == [False, True] * 3


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ([], "opencode.json"),
        (["config.json"], "config.json"),
        (["config.json", "opencode.json"], "opencode.json"),
        (["opencode.json", "opencode.jsonc"], "opencode.jsonc"),
    ],
)
def test_opencode_is_told_in_the_file_that_it_merges_last(tmp_path: Path, names: list[str], wanted: str) -> None:
    here = where(tmp_path, {f".config/opencode/{name}": "{}" for name in names})
    assert opencode.plan(aim("openai"), here).files[0].path.name == wanted


def test_opencode_may_have_a_configuration_elsewhere(tmp_path: Path) -> None:
    assert opencode.plan(aim("openai"), where(tmp_path, OPENCODE_CONFIG="/x/y.json")).files[0].path == Path("/x/y.json")
    moved = opencode.plan(aim("openai"), where(tmp_path, XDG_CONFIG_HOME="/x"))
    assert moved.files[0].path == Path("/x/opencode/opencode.json")


def test_a_login_of_opencode_without_an_api_key_is_left_alone_unless_it_is_asked_for(tmp_path: Path) -> None:
    here = where(tmp_path, {AUTH: '{"anthropic": {"type": "oauth"}, "openai": {"type": "api", "key": "x"}}'})
    plan = opencode.plan(aim("anthropic", "openai"), here)
    assert {key.split(".")[1] for key in told(plan)} == {"openai"}
    assert "Anthropic was left as it is" in plan.notes[0]
    assert "provider.anthropic.options.apiKey" in told(opencode.plan(aim("openai", asked="anthropic"), here))
    with pytest.raises(Unfit, match="Anthropic was left as it is"):
        opencode.plan(aim("anthropic"), here)


def test_blocks_of_opencode_keep_their_ids_and_foreign_addresses_are_left_alone(tmp_path: Path) -> None:
    blocks = {
        "mine": {"options": {"baseURL": "https://openrouter.ai/api/v1/"}},
        "openai": {"options": {"baseURL": "https://gateway.example/v1"}},
        "zhipuai": {},
        "left": {"options": {"baseURL": "http://127.0.0.1:9/openrouter/v1", "apiKey": "osw-opencode-1"}},
        "odd": 1,
    }
    here = where(tmp_path, {GLOBAL: json.dumps({"provider": blocks})})
    plan = opencode.plan(aim("openrouter", "openai", "zai"), here)
    assert {key.split(".")[1] for key in told(plan)} == {"mine", "openrouter", "zhipuai", "zai"}
    assert "openai in" in plan.notes[0] and "was left alone" in plan.notes[0]
    with pytest.raises(Unfit, match="was left alone"):
        opencode.plan(aim("openai"), here)


def test_without_profiles_or_with_an_unknown_provider_opencode_is_not_connected(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="no profiles yet; add one with"):
        opencode.plan(aim(), where(tmp_path))
    with pytest.raises(Unfit, match="no provider is called 'nobody'"):
        opencode.plan(aim("openai", asked="nobody"), where(tmp_path))


def test_opencode_is_run_with_its_configuration_in_a_variable(tmp_path: Path) -> None:
    files = {GLOBAL: '{"provider": {"mine": {"options": {"baseURL": "https://openrouter.ai/api/v1"}}}}'}
    inline = '{"theme": "x", "provider": {"openai": {"models": {}, "options": {"timeout": 5}}, "odd": 1}}'
    here = where(tmp_path, files, OPENCODE_CONFIG_CONTENT=inline)
    launch = opencode.launch(aim("openrouter", "openai"), here, [])
    content = json.loads(launch.environ["OPENCODE_CONFIG_CONTENT"] or "")
    ours = {"baseURL": f"{URL}/openrouter/v1", "apiKey": TOKEN}
    assert content == {
        "theme": "x",
        "provider": {
            "openai": {"models": {}, "options": {"timeout": 5, "baseURL": f"{URL}/openai/v1", "apiKey": TOKEN}},
            "odd": 1,
            "mine": {"options": ours},
            "openrouter": {"options": ours},
        },
    }
    assert launch.arguments == () and not launch.files


# -- Claude Code


def test_claude_code_is_told_in_the_env_of_its_settings(tmp_path: Path) -> None:
    plan = claude_code.plan(aim("openrouter", "anthropic"), where(tmp_path))
    assert told(plan) == {"env.ANTHROPIC_BASE_URL": f"{URL}/anthropic", "env.ANTHROPIC_AUTH_TOKEN": TOKEN}
    assert plan.files[0].path == tmp_path / ".claude" / "settings.json"
    assert told(claude_code.plan(aim("openrouter"), where(tmp_path)))["env.ANTHROPIC_BASE_URL"] == f"{URL}/openrouter"
    elsewhere = claude_code.plan(aim("anthropic"), where(tmp_path, CLAUDE_CONFIG_DIR="/c"))
    assert elsewhere.files[0].path == Path("/c/settings.json")


def test_a_client_of_one_address_is_refused_what_nobody_speaks(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=r"no profile's provider speaks what Claude Code speaks .* profiles add anthropic"):
        claude_code.plan(aim("openai"), where(tmp_path))
    with pytest.raises(Unfit, match="OpenAI does not speak what Claude Code speaks"):
        claude_code.plan(aim("openai", asked="openai"), where(tmp_path))
    with pytest.raises(Unfit, match="no provider is called 'x'"):
        claude_code.plan(aim(asked="x"), where(tmp_path))
    assert claude_code.plan(aim(asked="openrouter"), where(tmp_path)).provider == "openrouter"


def test_claude_code_is_run_with_the_environment_alone_where_no_file_decides(tmp_path: Path) -> None:
    launch = claude_code.launch(aim("anthropic"), where(tmp_path, PWD=str(tmp_path)), ["-p", "hi"])
    assert launch.environ == {
        "ANTHROPIC_BASE_URL": f"{URL}/anthropic",
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "ANTHROPIC_API_KEY": None,
    }
    assert launch.arguments == () and not launch.files


@pytest.mark.parametrize(
    "name", [".claude/settings.json", "work/.claude/settings.json", "work/.claude/settings.local.json"]
)
def test_claude_code_is_run_with_further_settings_where_a_file_decides(tmp_path: Path, name: str) -> None:
    here = where(tmp_path, {name: '{"env": {"ANTHROPIC_BASE_URL": "https://x.example"}}'}, PWD=str(tmp_path / "work"))
    launch = claude_code.launch(aim("anthropic"), here, ["-p", "hi"])
    assert launch.arguments == ("--settings", f"{FOLDER}/claude-settings.json")
    assert json.loads(launch.files["claude-settings.json"])["env"]["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert TOKEN not in "".join(launch.arguments)
    assert claude_code.launch(aim("anthropic"), here, ["--settings", "mine.json"]).arguments == ()


# -- Codex


def codex_plan(folder: Path, config: str = "", auth: str | None = None, *names: str) -> Plan:
    files = {".codex/config.toml": config, **({".codex/auth.json": auth} if auth is not None else {})}
    return codex.plan(aim(*(names or ("openai",))), where(folder, files))


@pytest.mark.parametrize("auth", [None, "{}", '{"OPENAI_API_KEY": "sk-1"}', '{"auth_mode": "apikey", "tokens": null}'])
def test_codex_keeps_its_built_in_provider_where_it_has_an_api_key(tmp_path: Path, auth: str | None) -> None:
    plan = codex_plan(tmp_path, "", auth)
    assert told(plan) == {"openai_base_url": f"{URL}/openai/v1"}
    assert told(plan, 1) == {"OPENAI_API_KEY": TOKEN} and plan.notes == ()


@pytest.mark.parametrize(
    ("config", "auth"),
    [
        ("", '{"tokens": {"access_token": "x"}}'),
        ("", '{"auth_mode": "chatgpt"}'),
        ("", "[]"),
        ('cli_auth_credentials_store = "keyring"', None),
        ('model_provider = "ollama"', None),
        ("model_provider = 1\nmodel_providers = 2", '{"tokens": {"a": 1}}'),
    ],
)
def test_codex_gets_a_provider_of_ours_where_its_own_key_cannot_be_replaced(
    tmp_path: Path, config: str, auth: str | None
) -> None:
    plan = codex_plan(tmp_path, config, auth)
    assert told(plan) == {
        "model_providers.o-switcher.name": "O-Switcher",
        "model_providers.o-switcher.base_url": f"{URL}/openai/v1",
        "model_providers.o-switcher.wire_api": "responses",
        "model_providers.o-switcher.experimental_bearer_token": TOKEN,
        "model_provider": "o-switcher",
    }
    assert "are there again after: o-switcher disconnect codex" in plan.notes[0]


def test_a_provider_of_the_users_own_in_codex_keeps_its_id(tmp_path: Path) -> None:
    config = 'model_provider = "r"\n[model_providers.r]\nbase_url = "https://x.example/v1"\nenv_key = "K"\n'
    assert told(codex_plan(tmp_path, config)) == {
        "model_providers.r.base_url": f"{URL}/openai/v1",
        "model_providers.r.env_key": MISSING,
        "model_providers.r.experimental_bearer_token": TOKEN,
    }


def test_the_profile_of_codex_decides_which_provider_is_in_use(tmp_path: Path) -> None:
    config = 'profile = "w"\nmodel_provider = "a"\n[profiles.w]\nmodel_provider = "b"\n'
    assert told(codex_plan(tmp_path, config))["profiles.w.model_provider"] == "o-switcher"
    table = '[model_providers.b]\nbase_url = "u"\n'
    assert "model_providers.b.base_url" in told(codex_plan(tmp_path, config + table))
    assert "model_provider" in told(
        codex_plan(tmp_path, 'profile = "w"\nmodel_provider = "x"\n[profiles.w]\nmodel = "m"\n')
    )


def test_codex_is_told_whose_names_models_have_elsewhere(tmp_path: Path) -> None:
    plan = codex_plan(tmp_path, "", None, "openrouter")
    assert told(plan) == {"openai_base_url": f"{URL}/openrouter/v1"}
    assert "as OpenRouter spells it" in plan.notes[0]


def overrides(arguments: tuple[str, ...]) -> dict[str, Any]:
    """What Codex makes of its `-c key=value`."""
    assert arguments[::2] == ("-c",) * (len(arguments) // 2)
    return tomllib.loads("\n".join(arguments[1::2]))


def test_codex_is_run_with_overrides_and_the_token_in_the_environment(tmp_path: Path) -> None:
    here = where(tmp_path)
    once = codex.launch(aim("openai"), here, ["--json", "exec", "hi"])
    assert once.environ == {"CODEX_API_KEY": TOKEN}
    assert overrides(once.arguments) == {"openai_base_url": f"{URL}/openai/v1"}
    screen = codex.launch(aim("openai"), here, ["hi"])
    assert screen.environ == {"O_SWITCHER_TOKEN": TOKEN}
    assert overrides(screen.arguments) == {
        "model_provider": "o-switcher",
        "model_providers": {
            "o-switcher": {
                "name": "O-Switcher",
                "base_url": f"{URL}/openai/v1",
                "wire_api": "responses",
                "env_key": "O_SWITCHER_TOKEN",
            }
        },
    }
    assert TOKEN not in "".join((*once.arguments, *screen.arguments))


@pytest.mark.parametrize("name", ["router", "my.router"])
def test_codex_is_run_under_the_id_of_the_users_own_provider(tmp_path: Path, name: str) -> None:
    config = f'model_provider = "{name}"\n[model_providers."{name}"]\nbase_url = "u"\n'
    launch = codex.launch(aim("openai"), where(tmp_path, {".codex/config.toml": config}), ["exec", "hi"])
    assert overrides(launch.arguments) == {
        "model_providers": {name: {"base_url": f"{URL}/openai/v1", "env_key": "O_SWITCHER_TOKEN"}}
    }


# -- aider, llm, SDKs


def test_aider_is_told_address_key_and_the_variables_of_litellm(tmp_path: Path) -> None:
    plan = aider.plan(aim("openrouter", "anthropic", "ollama"), where(tmp_path))
    assert told(plan) == {
        "openai-api-base": f"{URL}/openrouter/v1",
        "openai-api-key": TOKEN,
        "set-env": [
            f"OPENROUTER_API_BASE={URL}/openrouter/v1",
            f"OPENROUTER_API_KEY={TOKEN}",
            f"ANTHROPIC_API_BASE={URL}/anthropic",
            f"ANTHROPIC_API_KEY={TOKEN}",
        ],
    }
    assert "set-env" not in told(aider.plan(aim("openai"), where(tmp_path)))


@pytest.mark.parametrize("text", ["set-env:\n  - A=1\n", "{broken\n"])
def test_variables_of_the_users_own_in_aider_are_left_alone(tmp_path: Path, text: str) -> None:
    plan = aider.plan(aim("openrouter"), where(tmp_path, {".aider.conf.yml": text}))
    assert "set-env" not in told(plan) and "left alone" in plan.notes[0]


def test_aider_is_run_with_its_own_variables_too(tmp_path: Path) -> None:
    environ = aider.launch(aim("openrouter"), where(tmp_path), []).environ
    assert environ["AIDER_OPENAI_API_KEY"] == environ["OPENAI_API_KEY"] == environ["OPENROUTER_API_KEY"] == TOKEN
    assert environ["AIDER_OPENAI_API_BASE"] == environ["OPENAI_API_BASE"] == f"{URL}/openrouter/v1"


@pytest.mark.parametrize(
    ("system", "environ", "folder"),
    [
        ("linux", {}, "{home}/.config/io.datasette.llm"),
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x/io.datasette.llm"),
        ("linux", {"LLM_USER_PATH": "/y"}, "/y"),
        ("darwin", {}, "{home}/Library/Application Support/io.datasette.llm"),
        ("win32", {"APPDATA": "/r"}, "/r/io.datasette.llm"),
    ],
)
def test_llm_keeps_its_files_where_the_system_says(
    tmp_path: Path, system: str, environ: dict[str, str], folder: str
) -> None:
    plan = llm.plan(aim("openai", models=("m",)), where(tmp_path, system=system, **environ))
    assert plan.files[0].path.parent == Path(folder.format(home=tmp_path))


def test_llm_is_told_each_model_under_a_name_of_ours(tmp_path: Path) -> None:
    plan = llm.plan(aim("openrouter", models=("a/b", "c")), where(tmp_path))
    assert list(told(plan)) == ["o-switcher/a/b", "o-switcher/c"]
    assert told(plan)["o-switcher/c"] == {
        "model_id": "o-switcher/c",
        "model_name": "c",
        "api_base": f"{URL}/openrouter/v1",
        "api_key_name": "o-switcher",
    }
    assert told(plan, 1) == {"o-switcher": TOKEN}
    with pytest.raises(Unfit, match="connect llm --model NAME, with the name as OpenRouter spells it"):
        llm.plan(aim("openrouter"), where(tmp_path))


def test_llm_is_run_beside_what_the_user_has(tmp_path: Path) -> None:
    folder = ".config/io.datasette.llm"
    here = where(
        tmp_path,
        {
            f"{folder}/keys.json": '{"openai": "sk-mine", "mistral": "m"}',
            f"{folder}/logs.db": "x",
            f"{folder}/extra-openai-models.yaml": "- model_id: mine\n  model_name: mine\n",
        },
    )
    launch = llm.launch(aim("openrouter"), here, ["-m", "a/b", "hi"])
    assert launch.environ["LLM_USER_PATH"] == FOLDER and launch.environ["OPENAI_API_KEY"] == TOKEN
    assert json.loads(launch.files["keys.json"]) == {"openai": TOKEN, "mistral": "m", "o-switcher": TOKEN}
    assert launch.files["extra-openai-models.yaml"].startswith(
        '- model_id: mine\n  model_name: mine\n- model_id: "a/b"\n'
    )
    assert list(launch.links) == ["logs.db"]
    assert "extra-openai-models.yaml" not in llm.launch(aim("openai"), where(tmp_path / "b"), ["hi"]).files
    assert (
        '"a/b"' in llm.launch(aim("openai"), where(tmp_path / "b"), ["--model=a/b"]).files["extra-openai-models.yaml"]
    )
    broken = where(tmp_path / "c", {f"{folder}/extra-openai-models.yaml": "{x\n"})
    with pytest.raises(Unfit, match=r"extra-openai-models\.yaml"):
        llm.launch(aim("openai"), broken, ["-m", "x"])


def test_the_sdks_are_told_by_variables(tmp_path: Path) -> None:
    assert sdk.openai_lines(aim("openrouter", "openai"))["OPENAI_BASE_URL"] == f"{URL}/openai/v1"
    assert sdk.anthropic_lines(aim("anthropic")) == {
        "ANTHROPIC_BASE_URL": f"{URL}/anthropic",
        "ANTHROPIC_API_KEY": TOKEN,
    }
    assert sdk.paste_lines(aim("openai", models=("m",)))["Model ID"] == "m"
    assert "as OpenAI spells it" in sdk.paste_lines(aim("openai"))["Model ID"]


def test_an_unknown_program_is_run_with_every_variable_that_the_pool_can_serve(tmp_path: Path) -> None:
    environ = sdk.launch(aim("openrouter"), where(tmp_path), []).environ
    assert environ["OPENAI_API_KEY"] == environ["ANTHROPIC_API_KEY"] == TOKEN
    assert environ["ANTHROPIC_AUTH_TOKEN"] is None
    assert "ANTHROPIC_AUTH_TOKEN" not in sdk.launch(aim("openai"), where(tmp_path), []).environ
    with pytest.raises(Unfit, match="no profile's provider speaks"):
        sdk.launch(aim(), where(tmp_path), [])


# -- the table


def test_clients_are_found_by_name_alias_and_program() -> None:
    assert client_named("Claude").name == "claude-code" and client_named("openai").name == "openai-sdk"
    with pytest.raises(Unfit, match="no client is called 'x'; known are: opencode"):
        client_named("x")
    programs = {
        "/usr/bin/opencode": "opencode",
        "claude": "claude-code",
        r"C:\npm\codex.CMD": "codex",
        "llm.exe": "llm",
    }
    assert {program: client_of_program(program).name for program in programs} == programs
    assert client_of_program("./my tool.py").name == "my-tool-py" and client_of_program("..").name == "default"
    assert all(client.plan or client.lines for client in CLIENTS.values())


def test_a_providers_own_name_and_prefix_make_its_address() -> None:
    mine = custom("mine", "https://x.example/api")
    assert Aim(URL, TOKEN, (mine,), {"mine": mine}).base(mine) == f"{URL}/mine/v1"
    assert TOKEN not in repr(aim("openai"))


def test_files_that_cannot_be_read_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    here = where(tmp_path, {"bad": ""})
    (tmp_path / "bad").write_bytes(b"\xff")
    assert here.text(tmp_path / "bad") is None and here.text(tmp_path) is None and here.text(tmp_path / "no") is None
    assert Where({}, tmp_path, {tmp_path / "bad": "x"}).text(tmp_path / "bad") == "x"
