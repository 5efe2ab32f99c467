"""The providers that are known from the start: their addresses, names and what stands for what."""

from __future__ import annotations

from collections import Counter

import pytest

from tray_app.core.address import LOOPBACK, base_of
from tray_app.core.providers import BUILT_IN, RESERVED_NAMES, KeyHeader, Provider, canonical, custom, protocol_of
from tray_app.core.values import Protocol

EVERY = [pytest.param(provider, id=f"{provider.title}") for provider in BUILT_IN.values()]

# What the providers' own references give as the address of their main call.
ENDPOINTS = [
    pytest.param("openrouter", "/v1/chat/completions", "https://openrouter.ai/api/v1/chat/completions"),
    pytest.param("openrouter", "/v1/messages", "https://openrouter.ai/api/v1/messages"),
    pytest.param("openai", "/v1/responses", "https://api.openai.com/v1/responses"),
    pytest.param("anthropic", "/v1/messages", "https://api.anthropic.com/v1/messages"),
    pytest.param(
        "google",
        "/v1beta/models/gemini-2.5-pro:generateContent",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent",
    ),
    pytest.param(
        "google",
        "/v1beta/openai/chat/completions",
        "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    ),
    pytest.param("groq", "/v1/chat/completions", "https://api.groq.com/openai/v1/chat/completions"),
    pytest.param("mistral", "/v1/chat/completions", "https://api.mistral.ai/v1/chat/completions"),
    pytest.param("deepseek", "/v1/chat/completions", "https://api.deepseek.com/v1/chat/completions"),
    pytest.param("xai", "/v1/chat/completions", "https://api.x.ai/v1/chat/completions"),
    pytest.param("together", "/v1/chat/completions", "https://api.together.xyz/v1/chat/completions"),
    pytest.param("fireworks", "/v1/chat/completions", "https://api.fireworks.ai/inference/v1/chat/completions"),
    pytest.param("cerebras", "/v1/chat/completions", "https://api.cerebras.ai/v1/chat/completions"),
    pytest.param("github-models", "/v1/chat/completions", "https://models.github.ai/inference/chat/completions"),
    pytest.param("zai", "/v1/chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"),
    pytest.param("moonshot", "/v1/chat/completions", "https://api.moonshot.ai/v1/chat/completions"),
    pytest.param("kimi-code", "/v1/chat/completions", "https://api.kimi.com/coding/v1/chat/completions"),
    pytest.param("ollama", "/v1/chat/completions", "http://localhost:11434/v1/chat/completions"),
    pytest.param("lmstudio", "/v1/chat/completions", "http://localhost:1234/v1/chat/completions"),
]


@pytest.mark.parametrize(("name", "ours", "theirs"), ENDPOINTS)
def test_our_path_leads_to_the_documented_endpoint(name: str, ours: str, theirs: str) -> None:
    provider = BUILT_IN[name]
    assert ours.startswith(provider.prefix + "/")
    assert provider.base_url + ours.removeprefix(provider.prefix) == theirs


def test_every_provider_has_its_endpoint_checked() -> None:
    assert {case.values[0] for case in ENDPOINTS} == set(BUILT_IN)


@pytest.mark.parametrize("provider", EVERY)
def test_a_base_url_is_a_usable_address_without_an_ending_slash(provider: Provider) -> None:
    base = base_of(provider.base_url)
    assert base.path.decode() == provider.base_url.removeprefix(str(base.origin))


@pytest.mark.parametrize("provider", EVERY)
def test_a_provider_needs_no_key_only_on_this_machine(provider: Provider) -> None:
    assert (provider.key_header is KeyHeader.NONE) == (base_of(provider.base_url).origin.host in LOOPBACK)


@pytest.mark.parametrize("provider", EVERY)
def test_a_name_cannot_be_taken_for_one_of_our_own_addresses(provider: Provider) -> None:
    for name in (provider.name, *provider.aliases):
        assert name not in RESERVED_NAMES
        assert name == name.lower()
        assert "/" not in name


@pytest.mark.parametrize("provider", EVERY)
def test_every_provider_takes_calls_that_are_no_completions(provider: Provider) -> None:
    assert Protocol.OTHER in provider.protocols


def test_no_two_providers_share_an_origin_so_that_a_key_leads_to_one() -> None:
    origins = Counter(base_of(provider.base_url).origin for provider in BUILT_IN.values())
    assert not [origin for origin, times in origins.items() if times > 1]


def test_no_two_providers_share_a_name_a_variable_or_a_key_prefix() -> None:
    names = Counter(name for provider in BUILT_IN.values() for name in (provider.name, *provider.aliases))
    variables = Counter(name for provider in BUILT_IN.values() for name in provider.env)
    prefixes = Counter(provider.key_prefix for provider in BUILT_IN.values() if provider.key_prefix)
    assert set((names | variables | prefixes).values()) == {1}


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        pytest.param("gemini", "google", id="another tool's name is ours"),
        pytest.param(" OpenRouter ", "openrouter", id="case and blanks do not matter"),
        pytest.param("togetherai", "together", id="an alias of models.dev"),
        pytest.param("my-own", "my-own", id="an unknown name stays"),
    ],
)
def test_names_are_brought_to_ours(given: str, ours: str) -> None:
    assert canonical(given) == ours


def test_a_provider_of_the_users_own_speaks_every_openai_like_protocol() -> None:
    made = custom("my-own", "https://h.example/v1/")
    assert (made.name, made.title, made.base_url, made.prefix) == ("my-own", "my-own", "https://h.example/v1", "/v1")
    assert made.protocols == {Protocol.CHAT, Protocol.RESPONSES, Protocol.MESSAGES, Protocol.OTHER}
    assert made.key_header is KeyHeader.BEARER


def test_an_override_keeps_what_it_does_not_name() -> None:
    made = custom("google", "https://h.example/v1beta", like=BUILT_IN["google"], key_header=KeyHeader.BEARER)
    assert made.key_header is KeyHeader.BEARER
    assert (made.prefix, made.env, made.title) == ("/v1beta", BUILT_IN["google"].env, "Google Gemini")


@pytest.mark.parametrize(
    ("path", "protocol"),
    [
        pytest.param("/v1/chat/completions", Protocol.CHAT, id="chat completions"),
        pytest.param("/v1/completions", Protocol.CHAT, id="the older completions"),
        pytest.param("/v1/responses", Protocol.RESPONSES, id="responses"),
        pytest.param("/v1/messages", Protocol.MESSAGES, id="messages"),
        pytest.param("/v1/messages/count_tokens", Protocol.MESSAGES, id="counting tokens"),
        pytest.param("/v1beta/models/m:generateContent", Protocol.GEMINI, id="Gemini"),
        pytest.param("/v1beta/models/m:streamGenerateContent", Protocol.GEMINI, id="Gemini, streamed"),
        pytest.param("/api/chat", Protocol.OLLAMA, id="Ollama's chat"),
        pytest.param("/api/generate", Protocol.OLLAMA, id="Ollama's generate"),
        pytest.param("/v1/models", Protocol.OTHER, id="a list of models"),
        pytest.param("/v1/embeddings", Protocol.OTHER, id="embeddings"),
        pytest.param("", Protocol.OTHER, id="nothing"),
    ],
)
def test_a_path_tells_its_wire_protocol(path: str, protocol: Protocol) -> None:
    assert protocol_of(path) is protocol
