"""Whose limits a provider's are, and what they are called."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from tray_app.core.buckets import FAMILIES, UNKNOWN, Family, family_of, scope_word
from tray_app.core.providers import BUILT_IN
from tray_app.core.values import ErrorClass, Scope

C, S = ErrorClass, Scope


@pytest.mark.parametrize(
    ("provider", "family"),
    [
        pytest.param("openrouter", "openrouter", id="its name"),
        pytest.param(" OpenRouter ", "openrouter", id="spelled otherwise"),
        pytest.param("openrouter-messages", "openrouter", id="one of its skins"),
        pytest.param("openai_responses", "openai", id="with a low line"),
        pytest.param("gemini-openai", "google", id="another name"),
        pytest.param("azure-openai", "azure", id="the first part counts"),
        pytest.param("github-models-old-host", "github", id="several parts"),
        pytest.param("llama.cpp", "llama.cpp", id="a name with a dot"),
        pytest.param("openai-codex-x", "openai", id="the longest name that is known"),
        pytest.param("openaix", "", id="a name that only begins so"),
        pytest.param("x-openai", "", id="a name that only ends so"),
        pytest.param("", "", id="no name"),
    ],
)
def test_a_name_belongs_to_a_family(provider: str, family: str) -> None:
    assert family_of(provider).name == family


def test_a_longer_name_may_have_limits_of_its_own() -> None:
    assert family_of("openai").rate is S.ACCOUNT_MODEL
    assert family_of("openai-codex").rate is S.ACCOUNT
    assert family_of("openai-codex-beta").rate is S.ACCOUNT


def test_every_built_in_provider_has_a_family() -> None:
    assert [name for name in BUILT_IN if family_of(name) is UNKNOWN] == []


def test_a_stranger_is_judged_with_care() -> None:
    assert Family("") == UNKNOWN
    assert (UNKNOWN.rate, UNKNOWN.allowance, UNKNOWN.plan) == (S.KEY, S.KEY, S.KEY_MODEL)
    assert (UNKNOWN.numbers, UNKNOWN.zone, UNKNOWN.local) == (False, UTC, False)


def test_a_day_is_whose_the_rate_is_unless_it_is_said() -> None:
    assert family_of("groq").allowance is S.ACCOUNT_MODEL
    assert (family_of("zai").rate, family_of("zai").allowance) == (S.KEY, S.ACCOUNT)
    assert family_of("zai").zone.utcoffset(None) == timedelta(hours=8)


@pytest.mark.parametrize(
    ("provider", "cls", "scope", "word"),
    [
        pytest.param("openai", C.RATE_LIMITED, S.ACCOUNT_MODEL, "account_model", id="as it is"),
        pytest.param("gemini", C.RATE_LIMITED, S.ACCOUNT_MODEL, "project_model", id="Google's project"),
        pytest.param("gemini", C.QUOTA_EXHAUSTED, S.ACCOUNT, "project", id="Google's project, whatever the model"),
        pytest.param("gemini-cloudcode", C.QUOTA_EXHAUSTED, S.ACCOUNT_MODEL, "account_model", id="a login at Google"),
        pytest.param("groq", C.RATE_LIMITED, S.ACCOUNT_MODEL, "org_model", id="Groq's organisation"),
        pytest.param("groq", C.AUTH, S.ACCOUNT, "account", id="Groq's account"),
        pytest.param("azure", C.RATE_LIMITED, S.KEY_MODEL, "deployment", id="Azure's deployment"),
        pytest.param("openai", C.BAD_REQUEST, S.REQUEST, "request", id="a request"),
        pytest.param("openai", C.NETWORK, S.REQUEST, "client", id="a client that left"),
        pytest.param("openrouter", C.QUOTA_EXHAUSTED, S.REQUEST, "account", id="too dear for the account"),
        pytest.param("gemini", C.QUOTA_EXHAUSTED, S.REQUEST, "project", id="too dear for the project"),
    ],
)
def test_people_have_their_own_word(provider: str, cls: ErrorClass, scope: Scope, word: str) -> None:
    assert scope_word(family_of(provider), cls, scope) == word


def test_names_are_spelled_as_they_are_looked_up() -> None:
    assert all(name == name.lower().strip() and "_" not in name for name in FAMILIES)
