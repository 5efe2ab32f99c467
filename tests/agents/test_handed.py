"""Files that the user hands over: what is found in them, and what is said of one that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.agents.found import Found, PassedOver, Unreadable
from tray_app.agents.handed import survey_file, variables
from tray_app.core.providers import BUILT_IN, Provider, custom

KEY = "sk-0123456789abcdef"
OTHER = "sk-fedcba9876543210"
KNOWN: Mapping[str, Provider] = {**BUILT_IN, "mine": custom("mine", "https://llm.mine.example/v1")}

ENV = f"""\
# mine
export GROQ_API_KEY="{KEY}"   # of the team
MISTRAL_API_KEY = '{OTHER}'
OPENAI_API_KEY=your-key-here

DEBUG=1
DEEPSEEK_API_KEY={KEY}x # later
"""
LITELLM = f"""\
model_list:
  - model_name: fast
    litellm_params:
      model: groq/llama-3.3-70b
      api_key: os.environ/TEAM_GROQ
  - model_name: gateway
    litellm_params: {{model: openai/x, api_base: "https://llm.mine.example/v1", api_key: {OTHER}}}
  - model_name: nowhere
    litellm_params: {{model: openai/x, api_base: "https://gateway.example/v1", api_key: {OTHER}zz}}
  - model_name: unnamed
    litellm_params: {{model: gpt-4o, api_key: {KEY}oo}}
  - model_name: without
    litellm_params: {{model: openai/x}}
environment_variables:
  TEAM_GROQ: {KEY}
  XAI_API_KEY: {KEY}xx
"""


def look(tmp_path: Path, name: str, text: str, **environ: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What is found in a file of that name, and why other things are not taken."""
    path = tmp_path / name
    path.write_text(text)
    findings = survey_file(path, environ, tmp_path, KNOWN)
    return (
        [(one.provider, one.secret) for one in findings if isinstance(one, Found)],
        [one.why for one in findings if isinstance(one, PassedOver)],
    )


def test_a_dotenv_sets_variables(tmp_path: Path) -> None:
    found, passed = look(tmp_path, ".env", ENV)
    assert found == [("groq", KEY), ("mistral", OTHER), ("deepseek", f"{KEY}x")]
    assert passed == ["a placeholder, not a key"]


def test_a_litellm_configuration_names_providers_and_addresses(tmp_path: Path) -> None:
    found, passed = look(tmp_path, "config.yaml", LITELLM)
    assert found == [("groq", KEY), ("mine", OTHER), ("openai", f"{KEY}oo"), ("xai", f"{KEY}xx")]
    assert len(passed) == 1 and "gateway.example" in passed[0]


def test_a_litellm_configuration_may_name_variables_of_ours(tmp_path: Path) -> None:
    text = "model_list: [{litellm_params: {model: groq/x, api_key: os.environ/MINE}}, 3, {litellm_params: 4}]"
    assert look(tmp_path, "c.yml", text, MINE=KEY) == ([("groq", KEY)], [])
    assert look(tmp_path, "c.yml", text) == ([], [])


def test_files_of_opencodes_are_told_apart(tmp_path: Path) -> None:
    login = json.dumps({"groq": {"type": "api", "key": KEY}})
    assert look(tmp_path, "auth.json", login)[0] == [("groq", KEY)]
    (tmp_path / "key").write_text(OTHER)
    blocks = '{"provider": {"xai": {"options": {"apiKey": "{file:key}",}}}} // mine'
    assert look(tmp_path, "opencode.jsonc", blocks)[0] == [("xai", OTHER)]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (".env", f"A=1\n{KEY}\n", "line 2: is not of the form NAME=value"),
        ("c.yaml", "a: [1\nb: 2\n", "line 2: is not valid YAML"),
        ("c.yaml", "\x00", "is not valid YAML"),
        ("c.yaml", "- a\n", "holds no settings: LiteLLM's config.yaml begins with model_list"),
        ("c.yaml", f"key: !!python/object/apply:os.system ['echo {KEY}']\n", "line 1: is not valid YAML"),
        ("c.json", "[1]", "is not valid JSON, or holds no object"),
    ],
)
def test_a_file_that_is_none_of_these_is_named_without_its_content(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    with pytest.raises(Unreadable) as raised:
        look(tmp_path, name, text)
    assert str(raised.value) == f"{tmp_path / name}: {why}"


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read: No such file"):
        survey_file(tmp_path / "nothing", {}, tmp_path, KNOWN)
    with pytest.raises(Unreadable, match="is no ordinary file of at most 4 MB"):
        survey_file(tmp_path, {}, tmp_path, KNOWN)
    (tmp_path / "x.env").write_bytes(b"\xff")
    with pytest.raises(Unreadable, match="is not UTF-8 text"):
        survey_file(tmp_path / "x.env", {}, tmp_path, KNOWN)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True),
        st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=20),
    )
)
def test_quoted_values_come_back_as_they_were(values: dict[str, str]) -> None:
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    text = "".join(f'{name}="{value}"\n' for name, value in quoted.items())
    assert variables(text, Path("x")) == values


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_variables(text: str) -> None:
    try:
        variables(text, Path("x"))
    except Unreadable as error:
        assert "line" in str(error)
