"""What can be asked for nothing: the models, what is left on a key, and an account's credits.

Shapes: https://openrouter.ai/docs/api_reference/limits and https://openrouter.ai/openapi.yaml
"""

from __future__ import annotations

from . import errors
from .steps import Key, Script, Step
from .text import COMPLETION_USD, CREATED, PROMPT_USD, encode
from .values import Fault

Json = dict[str, object]


def models(script: Script) -> bytes:
    return encode({"data": [_model(model) for model in script.models]})


def key(key: Key, spent: float, step: Step | None) -> bytes | Fault:
    """The key's own cap and usage, as they are while it behaves like `step`."""
    told = step.behaviour.about_key(_facts(key, spent)) if step else _facts(key, spent)
    return told if isinstance(told, Fault) else encode({"data": told})


def credits(key: Key, spent: float) -> bytes | Fault:
    """The account's wallet, which only a management key may see."""
    if not key.settings.management:
        return errors.not_management()
    return encode({"data": {"total_credits": key.settings.credits, "total_usage": round(spent, 9)}})


def _facts(key: Key, spent: float) -> Json:
    """`limit` is the key's cap, never the wallet; null means that there is none."""
    limit, usage = key.settings.limit, round(key.settings.usage + spent, 9)
    management = key.settings.management
    return {
        "label": key.name,
        "limit": limit,
        "limit_remaining": None if limit is None else max(0.0, round(limit - usage, 9)),
        "limit_reset": key.settings.limit_reset,
        "include_byok_in_limit": False,
        "usage": usage,
        "usage_daily": spent,
        "usage_weekly": spent,
        "usage_monthly": spent,
        "byok_usage": 0,
        "byok_usage_daily": 0,
        "byok_usage_weekly": 0,
        "byok_usage_monthly": 0,
        "is_free_tier": key.settings.free_tier,
        "is_management_key": management,
        "is_provisioning_key": management,
        "expires_at": None,
        "creator_user_id": f"user_{key.settings.account}",
        "rate_limit": {"requests": -1, "interval": "10s", "note": "Deprecated: ignore this field"},
    }


def _model(model: str) -> Json:
    free = model.endswith(":free")
    prices = {"prompt": PROMPT_USD, "completion": COMPLETION_USD, "request": 0, "image": 0}
    return {
        "id": model,
        "canonical_slug": model.removesuffix(":free"),
        "name": model.rpartition("/")[2],
        "created": CREATED,
        "description": "A model of the simulator: it says back what it was told",
        "context_length": 128_000,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {what: "0" if free else f"{usd:.6f}".rstrip("0").rstrip(".") for what, usd in prices.items()},
        "top_provider": {"context_length": 128_000, "max_completion_tokens": 8_192, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "temperature", "stop", "tools", "tool_choice"],
        "expiration_date": None,
    }
