"""Keys that Claude Code, Codex and OpenCode 2.x hold, and what variables say of whose a key is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tray_app.agents import opencode
from tray_app.agents.catalog import survey
from tray_app.agents.found import LOGIN, Finding, Found, PassedOver
from tray_app.core.providers import BUILT_IN, custom

KEY = "sk-0123456789abcdef"
OTHER = "sk-fedcba9876543210"
KNOWN = {**BUILT_IN, "mine": custom("mine", "https://llm.mine.example/v1")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def look(home: Path, **environ: str) -> list[Finding]:
    return survey(environ, home, home / "nowhere", KNOWN)


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def taken(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.provider, one.source, one.secret) for one in findings if isinstance(one, Found)]


def passed(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.source, one.why) for one in findings if isinstance(one, PassedOver)]


# -- variables


def test_a_variable_that_leads_elsewhere_says_whose_the_key_is(home: Path) -> None:
    found = look(home, OPENAI_API_KEY=KEY, OPENAI_BASE_URL="https://openrouter.ai/api/v1")
    assert taken(found) == [("openrouter", "environment variable OPENAI_API_KEY", KEY)]


def test_a_key_for_an_unknown_address_is_not_sent_to_the_usual_one(home: Path) -> None:
    found = look(home, OPENAI_API_KEY=KEY, OPENAI_API_BASE="https://gateway.example/v1")
    assert taken(found) == []
    ((source, why),) = passed(found)
    assert source == "environment variable OPENAI_API_KEY"
    assert why.startswith("it is for https://gateway.example, where no known provider is; name it with: o-switcher")


def test_an_address_that_cannot_be_used_is_not_shown(home: Path) -> None:
    ((_, why),) = passed(look(home, ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL="http://user:pass@x/"))
    assert "pass" not in why and why.startswith("it is for an address that cannot be used")


def test_a_key_that_begins_as_anothers_do_is_not_shown_to_the_wrong_one(home: Path) -> None:
    ((_, why),) = passed(look(home, OPENAI_API_KEY="sk-or-v1-0123456789abcdef"))
    assert why == "it begins as keys of OpenRouter do; if it is one: o-switcher profiles add openrouter"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, []),
        ({"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}, []),
        ({"ANTHROPIC_BASE_URL": "https://gateway.example"}, []),
        ({"ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic"}, ["zai"]),
        ({"ANTHROPIC_BASE_URL": "https://openrouter.ai/api"}, ["openrouter"]),
    ],
)
def test_an_auth_token_is_a_key_only_where_it_is_for_a_gateway(
    home: Path, environ: dict[str, str], expected: list[str]
) -> None:
    found = look(home, ANTHROPIC_AUTH_TOKEN=KEY, **environ)
    assert [one[0] for one in taken(found)] == expected
    assert len(passed(found)) == 1 - len(expected)


@pytest.mark.parametrize("name", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
def test_a_token_of_our_own_is_no_key_wherever_it_leads(home: Path, name: str) -> None:
    ours = {name: "osw-claude-0123456789abcdef", "ANTHROPIC_BASE_URL": "http://127.0.0.1:4417/anthropic"}
    (one,) = look(home, **ours)
    assert isinstance(one, PassedOver) and one.why == "a token of O-Switcher's own"


def test_the_token_of_a_subscription_is_no_api_key(home: Path) -> None:
    assert passed(look(home, ANTHROPIC_API_KEY="sk-ant-oat01-0123456789abcdef")) == [
        ("environment variable ANTHROPIC_API_KEY", LOGIN)
    ]


# -- Claude Code


def test_claude_codes_env_block_is_read_and_its_login_is_not(home: Path) -> None:
    write(home / ".claude/settings.json", {"env": {"ANTHROPIC_API_KEY": KEY, "GROQ_API_KEY": OTHER, "X": 1}})
    write(home / ".claude/.credentials.json", {"claudeAiOauth": {"accessToken": "sk-ant-oat01-secretsecret"}})
    found = look(home)
    assert taken(found) == [
        ("anthropic", "Claude Code's settings.json, ANTHROPIC_API_KEY", KEY),
        ("groq", "Claude Code's settings.json, GROQ_API_KEY", OTHER),
    ]
    assert passed(found) == [("Claude Code's .credentials.json", LOGIN)]


def test_claude_codes_helper_is_named_and_not_run(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "c/settings.json", {"apiKeyHelper": f"touch {tmp_path}/ran", "env": ["x"]})
    assert passed(look(home, CLAUDE_CONFIG_DIR=str(tmp_path / "c"))) == [
        ("Claude Code's settings.json, apiKeyHelper", "a program, which is not run")
    ]
    assert not (tmp_path / "ran").exists()


# -- Codex


def test_codexs_api_key_is_taken_and_its_tokens_are_not(home: Path) -> None:
    write(home / ".codex/auth.json", {"OPENAI_API_KEY": KEY, "tokens": {"access_token": OTHER}})
    assert taken(look(home)) == [("openai", "Codex's auth.json", KEY)]
    write(home / ".codex/auth.json", {"OPENAI_API_KEY": None, "tokens": {"access_token": OTHER}})
    assert (taken(look(home)), passed(look(home))) == ([], [("Codex's auth.json", LOGIN)])
    write(home / ".codex/auth.json", {"OPENAI_API_KEY": None, "tokens": None})
    assert look(home) == []


def test_codexs_providers_are_known_by_their_addresses(home: Path, tmp_path: Path) -> None:
    write(
        tmp_path / "codex/config.toml",
        f"""
openai_base_url = "https://gateway.example/v1"
[model_providers.router]
base_url = "https://openrouter.ai/api/v1"
env_key = "MY_ROUTER"
[model_providers.mine]
experimental_bearer_token = "{OTHER}"
[model_providers.unset]
base_url = "https://api.groq.com/openai/v1"
env_key = "NOT_SET"
""",
    )
    write(tmp_path / "codex/auth.json", {"OPENAI_API_KEY": KEY})
    found = look(home, CODEX_HOME=str(tmp_path / "codex"), MY_ROUTER="sk-or-v1-0123456789abcdef")
    assert taken(found) == [
        ("openrouter", "environment variable MY_ROUTER, for Codex's router", "sk-or-v1-0123456789abcdef"),
        ("mine", "Codex's config.toml, mine", OTHER),
    ]
    ((source, why),) = passed(found)
    assert source == "Codex's auth.json" and "gateway.example" in why


@pytest.mark.parametrize("broken", ["[", "\udcff", "x = 1", "model_providers = 3"])
def test_broken_settings_of_agents_are_passed_over(home: Path, broken: str) -> None:
    for name in (".codex/config.toml", ".codex/auth.json", ".claude/settings.json"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(broken.encode("utf-8", "surrogateescape"))
    assert look(home) == []


# -- OpenCode 2.x

NEWEST = "id text PRIMARY KEY, integration_id text, label text, value text, time_created integer"
OLDER = "id text PRIMARY KEY, connector_id text NOT NULL, method_id text, label text, value text, active integer"
LATER = "id text PRIMARY KEY, integration_id text, value blob, vault_id text, extra json"
FOREIGN = ["id text, secret text", "value text", "integration_id text"]


def credentials(home: Path, columns: str, rows: list[tuple[str, str | bytes]], owner: str) -> Path:
    path = home / ".local/share/opencode/opencode.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"CREATE TABLE credential ({columns})")
        for number, row in enumerate(rows):
            statement = f"INSERT INTO credential (id, {owner}, value) VALUES (?, ?, ?)"
            connection.execute(statement, (str(number), *row))
        connection.commit()
    return path


@pytest.mark.parametrize(
    ("columns", "owner"), [(NEWEST, "integration_id"), (OLDER, "connector_id"), (LATER, "integration_id")]
)
def test_several_keys_of_one_provider_are_rows_of_the_database(home: Path, columns: str, owner: str) -> None:
    key, oauth = json.dumps({"type": "key", "key": KEY}), json.dumps({"type": "oauth", "access": "x", "refresh": "y"})
    other = json.dumps({"type": "key", "key": OTHER}).encode()
    path = credentials(home, columns, [("openrouter", key), ("openrouter", other), ("openai", oauth)], owner)
    before = path.read_bytes()
    found = look(home)
    assert taken(found) == [
        ("openrouter", "OpenCode's opencode.db", KEY),
        ("openrouter", "OpenCode's opencode.db", OTHER),
    ]
    assert passed(found) == [("OpenCode's opencode.db", LOGIN)]
    assert path.read_bytes() == before


VALUES: list[tuple[str | bytes, list[str]]] = [
    (json.dumps({"type": "key", "key": KEY, "metadata": {"baseURL": "https://api.groq.com/openai/v1"}}), ["groq"]),
    (json.dumps({"type": "key", "key": KEY, "baseURL": "https://llm.mine.example/v2"}), ["mine"]),
    (json.dumps({"type": "key", "key": KEY, "metadata": {"baseURL": "https://gateway.example/v1"}}), []),
    (json.dumps({"type": "key", "key": 3}), []),
    (json.dumps({"type": "sealed", "key": KEY}), []),
    (json.dumps([KEY]), []),
    ("v1:ciphertext", []),
    (b"\xff\xfe", []),
]


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_a_row_is_a_key_for_where_it_says(home: Path, value: str | bytes, expected: list[str]) -> None:
    credentials(home, NEWEST, [("openrouter", value)], "integration_id")
    assert [one[0] for one in taken(look(home))] == expected


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_database_is_where_opencode_is_told_to_have_it(home: Path, elsewhere: bool) -> None:
    path = credentials(home, NEWEST, [("openrouter", json.dumps({"type": "key", "key": KEY}))], "integration_id")
    named = home / "other.db" if elsewhere else path.with_name("mine.db")
    path.rename(named)
    environ = {"OPENCODE_DB": str(named) if elsewhere else named.name}
    assert look(home) == []
    assert [one[2] for one in taken(look(home, **environ))] == [KEY]
    watched = {folder / name for folder, names in opencode.watched(environ, home) for name in names}
    assert {named, Path(f"{named}-wal"), path.with_name("auth.json")} <= watched


@pytest.mark.parametrize("columns", FOREIGN)
def test_a_table_of_another_shape_holds_nothing_for_us(home: Path, columns: str) -> None:
    path = home / ".local/share/opencode/opencode.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE credential ({columns})")
    assert look(home) == []


@pytest.mark.parametrize("data", [b"", b"x" * 5000])
def test_what_is_no_database_holds_nothing_for_us(home: Path, data: bytes) -> None:
    path = home / ".local/share/opencode/opencode.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert look(home) == []


def test_a_database_that_is_being_written_is_read_all_the_same(home: Path) -> None:
    path = credentials(home, NEWEST, [("openrouter", json.dumps({"type": "key", "key": KEY}))], "integration_id")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM credential")
        assert taken(look(home)) == [("openrouter", "OpenCode's opencode.db", KEY)]


def test_the_name_of_a_provider_may_be_a_key_that_went_astray(home: Path) -> None:
    secret = "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"
    write(home / ".local/share/opencode/auth.json", {secret: {"type": "api", "key": KEY}})
    (one,) = look(home)
    assert isinstance(one, PassedOver) and one.provider == "[key]"
