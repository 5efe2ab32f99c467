"""What an answer cost in US dollars, and who says so: its provider, the user's own table, or a list of prices.

What nobody knows is None, never 0: a sum of costs must not look complete where it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from tray_app.core.quota import is_free
from tray_app.core.usage import Usage

PROVIDER, OVERRIDE, GENAI_PRICES = "provider", "override", "genai-prices"
_PER = 1_000_000

# (provider, model, input, output, cache read, cache write) -> US dollars; None where no price is known.
# Tokens as in Usage: cache reads and writes are parts of the input.
Prices = Callable[[str, str, int, int, int, int], float | None]


class Price(Struct, frozen=True):
    """What a model costs, in US dollars for a million tokens. Without a price of their own, cached tokens cost as all
    input does."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


def cost_of(
    provider: str, model: str | None, usage: Usage | None, overrides: Mapping[str, Price], prices: Prices | None
) -> tuple[float | None, str | None]:
    """The cost and its source; (None, None) where it is not known.

    Args:
        provider: its name here.
        model: as it was asked for.
        usage: what the answer says it used.
        overrides: the user's prices by a model's name or a glob, whatever the case; of globs the first that fits.
        prices: a list of prices, asked last; None where there is none. It tells what is paid, so 0 is no price: that
            a model is free its provider says, or the user.
    """
    if usage is None:
        return None, None
    if usage.cost_usd is not None:
        return usage.cost_usd, PROVIDER
    if model is None or usage.input_tokens is None or usage.output_tokens is None:
        return None, None
    read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    price = _override(model, overrides)
    if price is not None:
        return _sane(_sum(price, usage.input_tokens, usage.output_tokens, read, written), OVERRIDE)
    if prices is None or is_free(model):
        return None, None
    dollars = prices(provider, model, usage.input_tokens, usage.output_tokens, read, written)
    return _sane(dollars or None, GENAI_PRICES)


def _override(model: str, overrides: Mapping[str, Price]) -> Price | None:
    if model in overrides:
        return overrides[model]
    lowered = model.lower()
    return next((price for name, price in overrides.items() if fnmatchcase(lowered, name.lower())), None)


def _sum(price: Price, asked: int, output: int, read: int, written: int) -> float:
    reading = price.input if price.cache_read is None else price.cache_read
    writing = price.input if price.cache_write is None else price.cache_write
    fresh = max(0, asked - read - written)
    return (fresh * price.input + read * reading + written * writing + output * price.output) / _PER


def _sane(dollars: float | None, source: str) -> tuple[float | None, str | None]:
    return (dollars, source) if dollars is not None and 0 <= dollars < math.inf else (None, None)


# What genai-prices calls the providers that it knows. Local models and subscriptions have no price for a token.
_GENAI: Mapping[str, str] = {
    "openrouter": "openrouter",
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "xai": "x-ai",
    "together": "together",
    "fireworks": "fireworks",
    "cerebras": "cerebras",
    "zai": "zai",
    "moonshot": "moonshotai",
    "azure": "azure",
    "cohere": "cohere",
    "minimax": "minimax",
    "novita": "novita",
    "perplexity": "perplexity",
}


def from_genai(calc_price: Callable[..., Any], usage: Callable[..., Any]) -> Prices:
    """Prices out of genai-prices' `calc_price` and `Usage`, given by whoever has imported it: it takes some 16 MB.

    https://github.com/pydantic/genai-prices, as of 0.2. It counts as Usage does, takes today's prices, and opens no
    connection. Never raises: a list of prices must not stop a record from being written.
    """

    def price(provider: str, model: str, asked: int, output: int, read: int, written: int) -> float | None:
        name = _GENAI.get(provider)
        if name is None:
            return None
        try:
            used = usage(input_tokens=asked, output_tokens=output, cache_read_tokens=read, cache_write_tokens=written)
            return float(calc_price(used, model.removeprefix("models/"), provider_id=name).total_price)
        except Exception:  # LookupError for a model that it does not know, ValueError for counts that contradict
            return None

    return price
