"""What an answer cost, and who says so; what nobody knows is unknown, never free."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core.cost import GENAI_PRICES, OVERRIDE, PROVIDER, Price, Prices, cost_of, from_genai
from tray_app.core.usage import Usage

MILLION = 1_000_000


def used(
    asked: int | None = 1000,
    output: int | None = 100,
    read: int | None = None,
    written: int | None = None,
    cost: float | None = None,
) -> Usage:
    return Usage(asked, output, read, written, None, cost, None)


def listed(dollars: float | None) -> Prices:
    """A list that has that one price for everything."""
    return lambda provider, model, asked, output, read, written: dollars


def unasked(*_: object) -> float | None:
    raise AssertionError("no list of prices is asked")


TABLE = {"gpt-*": Price(2.0, 8.0), "gpt-4o": Price(1.0, 4.0), "GLM-*": Price(0.5, 1.5), "own/*": Price(0.0, 0.0)}


@pytest.mark.parametrize(
    ("usage", "model", "prices", "expected"),
    [
        pytest.param(used(cost=0.5), "gpt-4o", unasked, (0.5, PROVIDER), id="the provider's own figure first"),
        pytest.param(used(cost=0.0), "x:free", unasked, (0.0, PROVIDER), id="nothing, by the provider's figure"),
        pytest.param(used(None, None, cost=0.5), None, unasked, (0.5, PROVIDER), id="a figure and nothing else"),
        pytest.param(used(), "gpt-4o", unasked, (0.0014, OVERRIDE), id="the user's own price for a name"),
        pytest.param(used(), "gpt-5", unasked, (0.0028, OVERRIDE), id="for a glob"),
        pytest.param(used(), "glm-4.6", unasked, (0.00065, OVERRIDE), id="whatever the case"),
        pytest.param(used(), "own/llama", unasked, (0.0, OVERRIDE), id="free, as the user says"),
        pytest.param(used(), "grok-4", listed(0.25), (0.25, GENAI_PRICES), id="a list of prices last"),
        pytest.param(used(), "grok-4", listed(None), (None, None), id="a model that no list knows"),
        pytest.param(used(), "grok-4", listed(0.0), (None, None), id="a list says 0 of what it does not know"),
        pytest.param(used(), "grok-4", listed(math.nan), (None, None), id="a list that says no number"),
        pytest.param(used(), "grok-4", listed(-1.0), (None, None), id="a list that says less than nothing"),
        pytest.param(used(), "grok-4", None, (None, None), id="no list"),
        pytest.param(used(), "meta/llama:free", unasked, (None, None), id="free, but its provider does not say so"),
        pytest.param(None, "gpt-4o", unasked, (None, None), id="no usage"),
        pytest.param(used(), None, unasked, (None, None), id="no model"),
        pytest.param(used(asked=None), "gpt-4o", unasked, (None, None), id="unknown input"),
        pytest.param(used(output=None), "gpt-4o", unasked, (None, None), id="unknown output"),
        pytest.param(used(0, 0), "gpt-4o", unasked, (0.0, OVERRIDE), id="nothing used"),
    ],
)
def test_who_says_what_it_cost(
    usage: Usage | None, model: str | None, prices: Prices | None, expected: tuple[float | None, str | None]
) -> None:
    assert cost_of("openai", model, usage, TABLE, prices) == expected


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        pytest.param(Price(1.0, 2.0), 1.0 + 0.2, id="cached tokens cost as all input"),
        pytest.param(Price(1.0, 2.0, cache_read=0.1), 0.5 + 0.03 + 0.2 + 0.2, id="a price for reads"),
        pytest.param(Price(1.0, 2.0, cache_write=1.25), 0.5 + 0.3 + 0.25 + 0.2, id="a price for writes"),
        pytest.param(Price(1.0, 2.0, 0.1, 1.25), 0.5 + 0.03 + 0.25 + 0.2, id="prices for both"),
        pytest.param(Price(1.0, 2.0, 0.0, 0.0), 0.5 + 0.2, id="both for nothing"),
    ],
)
def test_cached_tokens_are_parts_of_the_input(price: Price, expected: float) -> None:
    usage = used(MILLION, MILLION // 10, 300_000, 200_000)
    dollars, source = cost_of("openai", "m", usage, {"m": price}, unasked)
    assert (dollars, source) == (pytest.approx(expected), OVERRIDE)


def test_more_cached_than_read_is_not_paid_back() -> None:
    usage = used(100, 0, MILLION, None)
    assert cost_of("openai", "m", usage, {"m": Price(1.0, 1.0, 0.5)}, None) == (0.5, OVERRIDE)


@pytest.mark.parametrize("price", [math.nan, math.inf, -1.0])
def test_a_price_that_is_none_gives_no_cost(price: float) -> None:
    assert cost_of("openai", "m", used(), {"m": Price(price, price)}, unasked) == (None, None)


def test_the_name_itself_goes_before_globs_and_of_these_the_first() -> None:
    table = {"a*": Price(1.0, 0.0), "a?": Price(2.0, 0.0), "ab": Price(3.0, 0.0)}
    for model, dollars in (("ab", 0.003), ("ac", 0.001), ("AB", 0.001)):
        assert cost_of("openai", model, used(), table, unasked) == (pytest.approx(dollars), OVERRIDE)


def test_the_list_is_asked_for_what_was_used() -> None:
    asked: list[tuple[object, ...]] = []

    def prices(*what: object) -> float:
        asked.append(what)
        return 1.0

    cost_of("openai", "m", used(10, 5, 4, None), {}, prices)
    cost_of("xai", "n", used(10, 5, None, 3), {}, prices)
    assert asked == [("openai", "m", 10, 5, 4, 0), ("xai", "n", 10, 5, 0, 3)]


tokens = st.none() | st.integers(0, 10**12)
dollars = st.none() | st.floats(0, 1e6)
prices = st.builds(
    Price, st.floats(0, 1e3), st.floats(0, 1e3), st.none() | st.floats(0, 1e3), st.none() | st.floats(0, 1e3)
)


@unhurried
@given(
    st.builds(Usage, tokens, tokens, tokens, tokens, tokens, dollars, st.none()),
    st.none() | st.text(max_size=4),
    st.dictionaries(st.text(max_size=4) | st.sampled_from(["*", "[", "a*", "[!"]), prices, max_size=3),
    st.none() | st.floats(),
)
def test_a_cost_has_a_source_and_is_a_number(
    usage: Usage, model: str | None, table: dict[str, Price], listed_at: float | None
) -> None:
    cost, source = cost_of("openai", model, usage, table, listed(listed_at))
    assert (cost is None) is (source is None)
    assert cost is None or 0 <= cost < math.inf
    if usage.cost_usd is not None:
        assert (cost, source) == (usage.cost_usd, PROVIDER)
    if source == GENAI_PRICES:
        assert cost == listed_at


# -- genai-prices


def calculator(price: object) -> tuple[Callable[..., Any], list[tuple[Any, ...]]]:
    """A `calc_price` that answers so, and what it was asked."""
    asked: list[tuple[Any, ...]] = []

    def calc_price(usage: Any, model: str, *, provider_id: str) -> Any:
        asked.append((usage, model, provider_id))
        if isinstance(price, Exception):
            raise price
        return SimpleNamespace(total_price=price)

    return calc_price, asked


@pytest.mark.parametrize(
    ("provider", "model", "wanted", "name"),
    [
        ("openai", "gpt-4o", "gpt-4o", "openai"),
        ("xai", "grok-4", "grok-4", "x-ai"),
        ("moonshot", "kimi-k2", "kimi-k2", "moonshotai"),
        ("google", "models/gemini-2.5-flash", "gemini-2.5-flash", "google"),
        ("fireworks", "accounts/fireworks/models/x", "accounts/fireworks/models/x", "fireworks"),
    ],
)
def test_genai_prices_is_asked_in_its_own_words(provider: str, model: str, wanted: str, name: str) -> None:
    calc_price, asked = calculator(Decimal("0.00021"))
    assert from_genai(calc_price, dict)(provider, model, 1000, 100, 30, 20) == 0.00021
    usage = {"input_tokens": 1000, "output_tokens": 100, "cache_read_tokens": 30, "cache_write_tokens": 20}
    assert asked == [(usage, wanted, name)]


@pytest.mark.parametrize("provider", ["ollama", "lmstudio", "kimi-code", "github-models", "somebody"])
def test_a_provider_without_a_price_for_a_token_is_not_looked_up(provider: str) -> None:
    calc_price, asked = calculator(Decimal(1))
    assert from_genai(calc_price, dict)(provider, "m", 1, 1, 0, 0) is None
    assert asked == []


@pytest.mark.parametrize("error", [LookupError("no such model"), ValueError("cache over input"), TypeError("changed")])
def test_whatever_goes_wrong_in_the_list_the_price_is_unknown(error: Exception) -> None:
    calc_price, _ = calculator(error)
    assert from_genai(calc_price, dict)("openai", "m", 1, 1, 0, 0) is None


def test_the_real_list_counts_as_we_do() -> None:

    real = from_genai(genai_prices.calc_price, genai_prices.Usage)

    def price(*what: Any) -> float:
        dollars = real(*what)
        assert dollars is not None
        return dollars

    plain, cached = price("openai", "gpt-4o-mini", 1000, 100, 0, 0), price("openai", "gpt-4o-mini", 1000, 100, 400, 0)
    assert plain == pytest.approx(0.00021)
    assert 0 < cached < plain
    claude = price("anthropic", "claude-sonnet-4-5", 1000, 100, 0, 0)
    assert price("anthropic", "claude-sonnet-4-5", 1000, 100, 500, 0) < claude
    assert price("anthropic", "claude-sonnet-4-5", 1000, 100, 0, 500) > claude
    assert price("openai", "text-embedding-3-small", 1000, 0, 0, 0) > 0
    assert real("openai", "no such model", 1, 1, 0, 0) is None
    assert real("openai", "gpt-4o-mini", 1, 1, 9, 0) is None  # more cached than read
    for provider, model in (
        ("openrouter", "openai/gpt-4o-mini"),
        ("google", "models/gemini-2.5-flash"),
        ("groq", "llama-3.3-70b-versatile"),
        ("mistral", "mistral-large-latest"),
        ("deepseek", "deepseek-chat"),
        ("xai", "grok-4"),
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("cerebras", "gpt-oss-120b"),
        ("zai", "glm-4.6"),
        ("moonshot", "kimi-k2-0905-preview"),
    ):
        assert price(provider, model, 1000, 100, 0, 0) > 0, provider
