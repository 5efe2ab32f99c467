"""The OpenAI and Anthropic SDKs, and all that read the same variables: lines for the environment, no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tray_app.agents.unfit import Unfit
from tray_app.agents.wiring.plan import Aim, Client, Launch, Where
from tray_app.core.providers import Provider
from tray_app.core.values import Protocol

_CHAT = ("openai", "openrouter")
_MESSAGES = ("anthropic", "openrouter")


def openai_lines(aim: Aim) -> Mapping[str, str]:
    """What the OpenAI SDK reads; `OPENAI_API_BASE` is its elder name, which litellm and others still read."""
    base = aim.base(aim.pick(Protocol.CHAT, _CHAT, "the OpenAI SDK"))
    return {"OPENAI_BASE_URL": base, "OPENAI_API_BASE": base, "OPENAI_API_KEY": aim.token}


def anthropic_lines(aim: Aim) -> Mapping[str, str]:
    """What the Anthropic SDK reads. The address has no `/v1`: the SDK puts it in."""
    root = aim.root(aim.pick(Protocol.MESSAGES, _MESSAGES, "the Anthropic SDK"))
    return {"ANTHROPIC_BASE_URL": root, "ANTHROPIC_API_KEY": aim.token}


def litellm_lines(aim: Aim) -> Mapping[str, str]:
    """What litellm reads for models that name their provider (`openrouter/...`, `anthropic/...`)."""
    found: dict[str, str] = {}
    for provider in aim.providers:
        base = _LITELLM.get(provider.name)
        if base is not None:
            name, root = base
            found[f"{name}_API_BASE"] = aim.root(provider) if root else aim.base(provider)
            found[f"{name}_API_KEY"] = aim.token
    return found


_LITELLM = {
    "openrouter": ("OPENROUTER", False),
    "anthropic": ("ANTHROPIC", True),
    "groq": ("GROQ", False),
    "mistral": ("MISTRAL", False),
    "deepseek": ("DEEPSEEK", False),
    "xai": ("XAI", False),
}  # the beginning of the variables, and whether litellm puts the version in by itself


def launch(aim: Aim, where: Where, arguments: Sequence[str]) -> Launch:
    """For a program that we do not know: all of these that the pool can serve."""
    environ: dict[str, str | None] = {}
    for lines in (openai_lines, anthropic_lines):
        try:
            environ |= lines(aim)
        except Unfit:
            continue
    if not environ:
        aim.pick(Protocol.CHAT, _CHAT, "this program")
    if "ANTHROPIC_BASE_URL" in environ:
        environ["ANTHROPIC_AUTH_TOKEN"] = None  # one of the user's own would go before our token
    return Launch({**litellm_lines(aim), **environ})


def paste_lines(aim: Aim) -> Mapping[str, str]:
    """The fields of a form that asks for an OpenAI-compatible provider."""
    provider: Provider = aim.pick(Protocol.CHAT, ("openrouter", "openai"), "Cline")
    return {
        "API Provider": "OpenAI Compatible",
        "Base URL": aim.base(provider),
        "API Key": aim.token,
        "Model ID": aim.models[0] if aim.models else f"a model's name as {provider.title} spells it",
    }


OPENAI = Client("openai-sdk", "OpenAI SDK", lines=openai_lines, aliases=("openai",))
ANTHROPIC = Client("anthropic-sdk", "Anthropic SDK", lines=anthropic_lines, aliases=("anthropic",))
