"""All places together: each key once, agents before the environment, and what becomes a profile of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tray_app.agents import environment
from tray_app.agents.catalog import discover
from tray_app.agents.found import Found, provider_at, usable
from tray_app.control.registry import Registry
from tray_app.core.pool import Cell
from tray_app.core.providers import BUILT_IN, custom
from tray_app.core.values import Fact
from tray_app.host.vault import Vault, open_vault

KEY = "sk-0123456789abcdef"
OTHER = "sk-fedcba9876543210"
VARIABLES = [(provider.name, name) for provider in BUILT_IN.values() for name in provider.env]


@pytest.mark.parametrize(("provider", "name"), VARIABLES, ids=[row[1] for row in VARIABLES])
def test_each_providers_variable_is_found(tmp_path: Path, provider: str, name: str) -> None:
    (one,) = discover({name: f" {KEY} "}, tmp_path, tmp_path, BUILT_IN)
    assert one == Found(provider, "env", f"environment variable {name}", KEY)


def test_other_variables_and_empty_ones_are_not(tmp_path: Path) -> None:
    environ = {"OPENROUTER_KEY": KEY, "API_KEY": KEY, "OPENAI_API_KEY": "", "GROQ_API_KEY": "  "}
    assert discover(environ, tmp_path, tmp_path, BUILT_IN) == []
    assert list(environment.discover(environ, BUILT_IN)) == []


def test_a_key_in_several_places_counts_once_where_an_agent_holds_it(tmp_path: Path) -> None:
    path = tmp_path / ".local/share/opencode/auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"openrouter": {"type": "api", "key": KEY}, "openai": {"type": "api", "key": KEY}}))
    (tmp_path / "opencode.json").write_text(json.dumps({"provider": {"openrouter": {"options": {"apiKey": KEY}}}}))
    environ = {"OPENROUTER_API_KEY": KEY, "GEMINI_API_KEY": OTHER, "GOOGLE_API_KEY": OTHER}
    found = discover(environ, tmp_path, tmp_path, BUILT_IN)
    assert [(one.provider, one.source) for one in found] == [
        ("openrouter", "OpenCode's auth.json"),
        ("google", "environment variable GEMINI_API_KEY"),
    ]


def test_only_keys_of_known_providers_are_usable() -> None:
    found = [
        Found("nobody", "x", "y", KEY),
        Found("openrouter", "x", "y", "short"),
        Found("openrouter", "x", "y", OTHER),
    ]
    assert usable(found, BUILT_IN) == [found[2]]


ADDRESSES = [
    ("https://openrouter.ai/api/v1", "openrouter"),
    ("https://OPENROUTER.AI:443", "openrouter"),
    ("https://api.anthropic.com", "anthropic"),
    ("http://localhost:11434/v1", "ollama"),
    ("https://llm.mine.example/x", "mine"),
    ("https://openrouter.ai.evil.example/api/v1", None),
    ("https://openrouter.ai@evil.example/api/v1", None),
    ("http://openrouter.ai/api/v1", None),
    ("https://[::1", None),
    ("", None),
]


@pytest.mark.parametrize(("url", "provider"), ADDRESSES, ids=[row[0] or "nothing" for row in ADDRESSES])
def test_a_provider_is_known_by_its_origin(url: str, provider: str | None) -> None:
    known = {**BUILT_IN, "mine": custom("mine", "https://llm.mine.example/v1")}
    assert provider_at(url, known) == provider


# -- what becomes of it

Adopt = Callable[[dict[str, str]], list[str]]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path / "keys.json", "file")


@pytest.fixture
def adopt(tmp_path: Path, vault: Vault) -> Adopt:
    """Take over what is found on a machine with these variables and, maybe, files; the ids of the new profiles."""
    facts: list[Fact] = []
    known = {**BUILT_IN, "mine": custom("mine", "https://llm.mine.example/v1")}
    registry = Registry(Cell(), vault, lambda: known, facts.append, lambda: 1_760_000_000_000, lambda: 4417)
    return lambda environ: registry.adopt(discover(environ, tmp_path, tmp_path, known))


def test_a_found_key_becomes_a_profile_once(adopt: Adopt, vault: Vault) -> None:
    assert adopt({"OPENROUTER_API_KEY": KEY}) == ["openrouter-env"]
    assert adopt({"OPENROUTER_API_KEY": KEY}) == []
    assert vault.secret("openrouter-env", BUILT_IN["openrouter"].base_url) == KEY


def test_two_keys_of_one_provider_become_two_profiles(adopt: Adopt) -> None:
    assert adopt({"GEMINI_API_KEY": KEY, "GOOGLE_API_KEY": OTHER}) == ["google-env", "google-env-2"]


def test_a_key_that_was_removed_or_replaced_does_not_come_back(adopt: Adopt, vault: Vault) -> None:
    adopt({"OPENROUTER_API_KEY": KEY, "GROQ_API_KEY": OTHER})
    vault.remove("openrouter-env")
    groq = vault.entries()["groq-env"]
    vault.put("groq-env", type(groq)(secret="gsk_new0123456789", provider="groq", label="env", base_url=groq.base_url))
    assert adopt({"OPENROUTER_API_KEY": KEY, "GROQ_API_KEY": OTHER}) == []


def test_a_block_that_points_at_this_proxy_never_becomes_a_profile(adopt: Adopt, tmp_path: Path) -> None:
    """It would send requests round in a circle, and a client's token to a provider."""
    for key in ("osw-opencode-0123456789abcdef", KEY):
        options = {"apiKey": key, "baseURL": "http://127.0.0.1:4417/openrouter/v1"}
        blocks = {name: {"options": options} for name in ("openrouter", "pool", "mine")}
        (tmp_path / "opencode.json").write_text(json.dumps({"provider": blocks}))
        assert adopt({}) == []
