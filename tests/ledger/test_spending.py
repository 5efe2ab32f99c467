"""From the bytes that went by to tokens and money, on the writer's thread."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from msgspec.structs import replace

from tests.ledger.facts import attempt_ended, started
from tray_app.core.cost import Price
from tray_app.core.usage import Usage
from tray_app.core.values import AttemptEnded, Protocol, Said, Spent
from tray_app.ledger.prices import PriceList
from tray_app.ledger.spending import reckoned, unpriced

USED = {"prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 400}}
BODY = json.dumps({"choices": [{"message": {"content": "hi"}}], "usage": USED}).encode()
STREAM = (
    b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\ndata: ' + json.dumps({"choices": [], "usage": USED}).encode()
)
STREAM += b"\n\ndata: [DONE]\n\n"


def said(body: bytes = BODY, *, streamed: bool = False, whole: bool = True, encoding: bytes = b"") -> Said:
    return Said("openai", Protocol.CHAT, "gpt-4o-mini", body, body, streamed, whole, encoding)


def spent(told: Said, price: object = unpriced) -> Spent | None:
    (found,) = reckoned([attempt_ended(1, said=told)], price)  # type: ignore[arg-type]
    assert isinstance(found, AttemptEnded) and found.said is None
    return found.spent


TOKENS = Spent(1000, 50, 400, None, None, None, None)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(said(), id="whole"),
        pytest.param(said(STREAM, streamed=True), id="a stream"),
        pytest.param(said(STREAM, streamed=True, whole=False), id="a stream that was cut after it"),
        pytest.param(said(gzip.compress(BODY), encoding=b"gzip"), id="gzip"),
        pytest.param(said(zlib.compress(BODY), encoding=b"deflate"), id="deflate"),
        pytest.param(said(gzip.compress(STREAM), encoding=b"gzip"), id="a packed stream"),
    ],
)
def test_what_was_used(told: Said) -> None:
    found = spent(told)
    assert found is not None
    assert replace(found, usage=None) == TOKENS
    assert json.loads(found.usage or "") == USED


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(said(b"{}"), id="nothing is said"),
        pytest.param(said(b"\x00", encoding=b"br"), id="an encoding that is not known"),
        pytest.param(said(b"no gzip", encoding=b"gzip"), id="not what it says it is"),
    ],
)
def test_what_is_not_known_stays_unknown(told: Said) -> None:
    assert spent(told) is None


def test_other_facts_and_bare_ends_pass() -> None:
    for fact in (started(1), attempt_ended(1)):
        assert reckoned([fact], unpriced)[0] is fact


def test_a_fault_in_the_prices_loses_no_record() -> None:
    def faulty(provider: str, model: str | None, usage: Usage) -> tuple[float | None, str | None]:
        raise ZeroDivisionError

    assert spent(said(), faulty) is None


def test_the_list_of_prices_says_what_openai_takes() -> None:
    found = spent(said(), PriceList())
    assert found is not None and found.cost_source == "genai-prices"
    # 600 fresh tokens at 0.15, 400 cached at 0.075, 50 written at 0.60 dollars a million; lists change
    assert found.cost_usd == pytest.approx((600 * 0.15 + 400 * 0.075 + 50 * 0.6) / 1e6, rel=0.5)


def test_the_users_own_prices_come_first() -> None:
    found = spent(said(), PriceList(lambda: {"gpt-4o*": Price(10.0, 20.0, 1.0)}))
    assert found is not None and found.cost_source == "override"
    assert found.cost_usd == pytest.approx((600 * 10 + 400 * 1 + 50 * 20) / 1e6)
