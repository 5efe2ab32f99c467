"""How each provider spells its base URL, its key header and the variable its key is known by. Data first.

Base URLs and headers are from the providers' own documentation; `prefix` is what stands for the
base URL in our addresses (`/openrouter/v1/chat/completions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from tray_app.core.values import Protocol


class KeyHeader(StrEnum):
    """Which header carries a provider's key."""

    BEARER = "authorization"
    X_API_KEY = "x-api-key"
    X_GOOG_API_KEY = "x-goog-api-key"
    API_KEY = "api-key"
    NONE = "none"


class Provider(Struct, frozen=True):
    """A vendor of models. `env` are the variables in which users keep its key."""

    name: str
    title: str
    base_url: str
    prefix: str = "/v1"
    key_header: KeyHeader = KeyHeader.BEARER
    env: tuple[str, ...] = ()
    protocols: frozenset[Protocol] = frozenset({Protocol.CHAT, Protocol.OTHER})
    key_prefix: str = ""  # what its keys begin with, where that is documented
    aliases: tuple[str, ...] = ()


_OPENAI = frozenset({Protocol.CHAT, Protocol.RESPONSES, Protocol.OTHER})
_ALL_SKINS = frozenset({Protocol.CHAT, Protocol.RESPONSES, Protocol.MESSAGES, Protocol.OTHER})

_KNOWN = (
    Provider(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        env=("OPENROUTER_API_KEY",),
        protocols=_ALL_SKINS,
        key_prefix="sk-or-",
    ),
    Provider("openai", "OpenAI", "https://api.openai.com/v1", env=("OPENAI_API_KEY",), protocols=_OPENAI),
    Provider(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com/v1",
        key_header=KeyHeader.X_API_KEY,
        env=("ANTHROPIC_API_KEY",),
        protocols=frozenset({Protocol.MESSAGES, Protocol.OTHER}),
        key_prefix="sk-ant-api",
    ),
    Provider(
        "google",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        prefix="/v1beta",
        key_header=KeyHeader.X_GOOG_API_KEY,
        env=("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"),
        protocols=frozenset({Protocol.GEMINI, Protocol.CHAT, Protocol.OTHER}),
        aliases=("gemini",),
    ),
    Provider("groq", "Groq", "https://api.groq.com/openai/v1", env=("GROQ_API_KEY",), key_prefix="gsk_"),
    Provider("mistral", "Mistral", "https://api.mistral.ai/v1", env=("MISTRAL_API_KEY",)),
    Provider("deepseek", "DeepSeek", "https://api.deepseek.com/v1", env=("DEEPSEEK_API_KEY",)),
    Provider("xai", "xAI", "https://api.x.ai/v1", env=("XAI_API_KEY",), protocols=_OPENAI, key_prefix="xai-"),
    Provider(
        "together",
        "Together",
        "https://api.together.xyz/v1",
        env=("TOGETHER_API_KEY",),
        aliases=("togetherai",),
    ),
    Provider(
        "fireworks",
        "Fireworks",
        "https://api.fireworks.ai/inference/v1",
        env=("FIREWORKS_API_KEY",),
        aliases=("fireworks-ai",),
    ),
    Provider("cerebras", "Cerebras", "https://api.cerebras.ai/v1", env=("CEREBRAS_API_KEY",), key_prefix="csk-"),
    Provider("github-models", "GitHub Models", "https://models.github.ai/inference", env=("GITHUB_MODELS_TOKEN",)),
    Provider(
        "zai",
        "Z.ai",
        "https://api.z.ai/api/paas/v4",
        env=("ZAI_API_KEY", "ZHIPU_API_KEY"),
        aliases=("zhipuai",),
    ),
    Provider(
        "moonshot",
        "Moonshot",
        "https://api.moonshot.ai/v1",
        env=("MOONSHOT_API_KEY",),
        aliases=("moonshotai",),
    ),
    Provider("kimi-code", "Kimi Code", "https://api.kimi.com/coding/v1", env=("KIMI_API_KEY",)),
    Provider("ollama", "Ollama", "http://localhost:11434/v1", key_header=KeyHeader.NONE, protocols=_OPENAI),
    Provider("lmstudio", "LM Studio", "http://localhost:1234/v1", key_header=KeyHeader.NONE, protocols=_OPENAI),
)

BUILT_IN: Mapping[str, Provider] = {provider.name: provider for provider in _KNOWN}
_ALIASES = {alias: provider.name for provider in _KNOWN for alias in provider.aliases}

RESERVED_NAMES = frozenset({"v1", "v1beta", "api", "report", "healthz", "metrics", "help", "static"})


def canonical(name: str) -> str:
    """The name we use for a provider that other tools may call otherwise (`gemini` -> `google`)."""
    lowered = name.strip().lower()
    return _ALIASES.get(lowered, lowered)


def custom(name: str, base_url: str, *, like: Provider | None = None, **changes: object) -> Provider:
    """A provider from the user's settings: `like` is overridden, or an OpenAI-compatible one is made."""
    base = like or Provider(name, name, base_url, protocols=_ALL_SKINS)
    return replace(base, name=name, base_url=base_url.rstrip("/"), **changes)


_ENDINGS = (
    ("/chat/completions", Protocol.CHAT),
    ("/completions", Protocol.CHAT),
    ("/responses", Protocol.RESPONSES),
    ("/messages", Protocol.MESSAGES),
    ("/messages/count_tokens", Protocol.MESSAGES),
    (":generateContent", Protocol.GEMINI),
    (":streamGenerateContent", Protocol.GEMINI),
    ("/api/chat", Protocol.OLLAMA),
    ("/api/generate", Protocol.OLLAMA),
)


def protocol_of(path: str) -> Protocol:
    """The wire protocol that a path belongs to, by its ending."""
    for ending, protocol in _ENDINGS:
        if path.endswith(ending):
            return protocol
    return Protocol.OTHER


_CAPABILITIES = (
    ("/embeddings", "embeddings"),
    ("/images/generations", "images"),
    ("/images/edits", "images"),
    ("/audio/speech", "audio"),
    ("/audio/transcriptions", "audio"),
    ("/moderations", "moderations"),
    (":embedContent", "embeddings"),
    ("/rerank", "rerank"),
)
_CHATS = frozenset({Protocol.CHAT, Protocol.RESPONSES, Protocol.MESSAGES, Protocol.GEMINI, Protocol.OLLAMA})


def capability_of(protocol: Protocol, path: str) -> str | None:
    """What a target must be able to do to serve that path of `protocol`; None where any may, as for lists of models."""
    if protocol in _CHATS:
        return "chat"
    return next((capability for ending, capability in _CAPABILITIES if path.endswith(ending)), None)
