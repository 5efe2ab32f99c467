"""Whose bucket a provider's limits fill: a key's, an account's, or one for each model of either.

What a provider calls an account (a project, an organisation, a deployment) is said only to people
and scripts; the pool knows accounts. Facts are from the providers' documentation of their limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta, timezone
from functools import lru_cache

from msgspec import Struct, field

from tray_app.core.values import ErrorClass, Scope

_S = Scope


class Family(Struct, frozen=True):
    """Providers that answer alike. A scope says whose limit it is.

    `rate` is the scope of its rate limits, `spent` of its days and months (None: the same), `plan` of
    what a plan or a permission excludes. `numbers` says that its error codes are numbers of its own;
    `zone` is the zone of times that it states without one; `local` says that it runs on the user's machine.
    """

    name: str
    rate: Scope = Scope.KEY
    spent: Scope | None = None
    plan: Scope = Scope.KEY_MODEL
    numbers: bool = False
    zone: timezone = UTC
    local: bool = False
    words: Mapping[Scope, str] = field(default_factory=dict)

    @property
    def allowance(self) -> Scope:
        """Whose a used-up day, week or month is."""
        return self.spent or self.rate


UNKNOWN = Family("")
_PROJECT = {_S.ACCOUNT: "project", _S.ACCOUNT_MODEL: "project_model"}
_GOOGLE = Family("google", _S.ACCOUNT_MODEL, plan=_S.ACCOUNT_MODEL, words=_PROJECT)
_ZAI = Family("zai", _S.KEY, _S.ACCOUNT, numbers=True, zone=timezone(timedelta(hours=8)))
_MOONSHOT = Family("moonshot", _S.ACCOUNT)
_BEDROCK = Family("bedrock", _S.ACCOUNT_MODEL, plan=_S.ACCOUNT_MODEL)

FAMILIES: Mapping[str, Family] = {
    "openrouter": Family("openrouter", plan=_S.ACCOUNT_MODEL),
    "openai": Family("openai", _S.ACCOUNT_MODEL, plan=_S.ACCOUNT_MODEL),
    "openai-codex": Family("openai", _S.ACCOUNT, plan=_S.ACCOUNT_MODEL),
    "anthropic": Family("anthropic", _S.ACCOUNT_MODEL, plan=_S.ACCOUNT_MODEL),
    "anthropic-oauth": Family("anthropic", _S.ACCOUNT, plan=_S.ACCOUNT_MODEL),
    "google": _GOOGLE,
    "gemini": _GOOGLE,
    "gemini-cloudcode": Family("google", _S.ACCOUNT_MODEL, plan=_S.ACCOUNT_MODEL),
    "vertex": _GOOGLE,
    "groq": Family("groq", _S.ACCOUNT_MODEL, plan=_S.ACCOUNT_MODEL, words={_S.ACCOUNT_MODEL: "org_model"}),
    "mistral": Family("mistral", _S.KEY_MODEL, numbers=True),
    "deepseek": Family("deepseek", _S.ACCOUNT_MODEL),
    "xai": Family("xai", _S.ACCOUNT_MODEL, plan=_S.ACCOUNT_MODEL),
    "together": Family("together", _S.ACCOUNT),
    "togetherai": Family("together", _S.ACCOUNT),
    "fireworks": Family("fireworks", _S.ACCOUNT),
    "cerebras": Family("cerebras", _S.KEY_MODEL),
    "github": Family("github", _S.KEY_MODEL),
    "azure": Family("azure", _S.KEY_MODEL, plan=_S.ACCOUNT_MODEL, words={_S.KEY_MODEL: "deployment"}),
    "bedrock": _BEDROCK,
    "amazon": _BEDROCK,
    "zai": _ZAI,
    "z.ai": _ZAI,
    "zhipuai": _ZAI,
    "moonshot": _MOONSHOT,
    "moonshotai": _MOONSHOT,
    "kimi": _MOONSHOT,
    "minimax": Family("minimax", numbers=True),
    "ollama": Family("ollama", local=True),
    "lmstudio": Family("lmstudio", local=True),
    "llama.cpp": Family("llama.cpp", local=True),
    "vllm": Family("vllm", local=True),
    **{name: Family(name) for name in ("cohere", "digitalocean", "huggingface", "nvidia", "sambanova", "siliconflow")},
}


@lru_cache(maxsize=256)
def family_of(provider: str) -> Family:
    """The family of a provider's name, such as `openrouter-messages`; `UNKNOWN` for a stranger's."""
    name = provider.strip().lower().replace("_", "-")
    while name:
        if (found := FAMILIES.get(name)) is not None:
            return found
        name = name.rpartition("-")[0]
    return UNKNOWN


def scope_word(family: Family, cls: ErrorClass, scope: Scope) -> str:
    """What people call `scope`: Google's accounts are projects, Azure's keys with a model are deployments."""
    if scope is Scope.REQUEST:
        if cls is ErrorClass.NETWORK:
            return "client"
        if cls is ErrorClass.QUOTA_EXHAUSTED:  # too dear for what the account has left
            scope = Scope.ACCOUNT
    return family.words.get(scope, scope.value)
