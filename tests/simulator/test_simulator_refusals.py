"""Every refusal: its status, its words, whose limit it names, and every spelling of when to come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tray_app.simulator.thread import SimulatorThread

Simulate = Callable[..., SimulatorThread]
Knock = Callable[..., httpx.Client]
Question = Callable[..., dict[str, Any]]

NOW = 1_790_000_000.25
KEYS = "https://openrouter.ai/settings/keys"


def clock() -> float:
    return NOW


@pytest.mark.parametrize(
    ("step", "status", "words", "metadata"),
    [
        ('do="no_credit"', 402, "Insufficient credits. Add more", {"limit_source": "openrouter_credits"}),
        ('do="no_credit", never_bought=true', 402, "never purchased credits", {"error_type": "payment_required"}),
        ('do="cannot_afford"', 402, "up to 65536 tokens, but can only afford 10114", {"provider_name": None}),
        ('do="cannot_afford", of="key", afford=0', 402, f"visit {KEYS} and create a key", {}),
        (
            'do="in_flight"',
            402,
            "given your current in-flight requests",
            {"limit_source": "openrouter_in_flight_budget", "reason": "in_flight_budget_exhausted"},
        ),
        ('do="key_limit"', 403, "Key limit exceeded (monthly limit)", {"limit_source": "openrouter_key_limit"}),
        ('do="key_limit", window="total"', 403, "Key limit exceeded (total limit)", {}),
        (
            'do="free_daily"',
            429,
            "free-models-per-day. Add 10 credits",
            {"limit_source": "openrouter_free_tier_daily", "provider_name": None},
        ),
        ('do="free_daily", high_balance=true', 429, "free-models-per-day-high-balance. ", {}),
        ('do="free_minute"', 429, "Rate limit exceeded: free-models-per-min. ", {}),
        ('do="rate_limit"', 429, "Rate limit exceeded", {"error_type": "rate_limit_exceeded"}),
        (
            'do="rate_limit", of="model"',
            429,
            "limit_rpm/openai/gpt-4o-mini/",
            {"limit_source": "openrouter_shared_capacity"},
        ),
        ('do="rate_limit", message="Slow down"', 429, "Slow down", {}),
        ('do="unauthorized"', 401, "User not found.", {"error_type": "authentication"}),
        (
            'do="forbidden", reasons=["hate"]',
            403,
            "flagged for 'hate'",
            {"reasons": ["hate"], "flagged_input": "hello", "model_slug": "openai/gpt-4o-mini"},
        ),
        ('do="bad_request", message="No such field"', 400, "No such field", {"error_type": "invalid_request"}),
        (
            'do="context_length"',
            400,
            "maximum context length is 16384 tokens",
            {"error_type": "context_length_exceeded"},
        ),
        ('do="model_not_found"', 404, "No endpoints found for openai/gpt-4o-mini", {"error_type": "not_found"}),
        ('do="model_not_found", status=400', 400, "openai/gpt-4o-mini is not a valid model ID", {}),
        ('do="server_error"', 500, "Internal Server Error", {"error_type": "server"}),
        ('do="server_error", status=524, message="Too long"', 524, "Too long", {"error_type": "timeout"}),
        ('do="overloaded"', 503, "temporarily unavailable", {"error_type": "provider_overloaded"}),
        ('do="overloaded", status=529', 529, "temporarily unavailable", {}),
        (
            'do="provider_error"',
            429,
            "Provider returned error",
            {
                "provider_name": "DigitalOcean",
                "is_byok": False,
                "limit_source": "upstream_provider_shared_pool",
                "error_type": "rate_limit_exceeded",
            },
        ),
        (
            'do="provider_error", status=401, provider="Darkbloom"',
            401,
            "Provider returned error",
            {
                "provider_name": "Darkbloom",
                "raw": '{"error":{"code":"authentication_error","message":"invalid API key"}}',
            },
        ),
        ('do="provider_error", raw="error code: 1015"', 429, "Provider", {"raw": "error code: 1015"}),
    ],
)
def test_a_refusal_has_its_status_its_words_and_its_metadata(
    simulate: Simulate,
    knock: Knock,
    question: Question,
    step: str,
    status: int,
    words: str,
    metadata: dict[str, Any],
) -> None:
    answer = knock(simulate(f"{{{step}}}")).post("chat/completions", json=question())
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    error = answer.json()["error"]
    assert error["code"] == status
    assert words in error["message"]
    assert metadata.items() <= error["metadata"].items()


@pytest.mark.parametrize(
    ("do", "native", "typed"),
    [
        ("no_credit", "billing_error", "payment_required"),
        ("key_limit", "permission_error", "permission_denied"),
        ("rate_limit", "rate_limit_error", "rate_limit_exceeded"),
        ("unauthorized", "authentication_error", "authentication"),
        ("bad_request", "invalid_request_error", "invalid_request"),
        ("context_length", "invalid_request_error", "context_length_exceeded"),
        ("model_not_found", "not_found_error", "not_found"),
        ("server_error", "api_error", "server"),
        ("overloaded", "overloaded_error", "provider_overloaded"),
        ("provider_error", "rate_limit_error", "rate_limit_exceeded"),
    ],
)
def test_the_messages_protocol_has_its_own_names_for_errors(
    simulate: Simulate, knock: Knock, question: Question, do: str, native: str, typed: str
) -> None:
    body = knock(simulate(f'{{do="{do}"}}')).post("messages", json=question(stream=True)).json()
    assert body["type"] == "error"
    assert (body["error"]["type"], body["error"]["error_type"]) == (native, typed)
    routed = do in ("server_error", "overloaded", "provider_error")
    assert (body["request_id"] is not None) == routed


@pytest.mark.parametrize(
    ("do", "code", "typed"),
    [
        ("no_credit", "server_error", "payment_required"),
        ("rate_limit", "rate_limit_exceeded", "rate_limit_exceeded"),
        ("context_length", "invalid_prompt", "context_length_exceeded"),
        ("bad_request", "invalid_prompt", "invalid_request"),
        ("overloaded", "server_error", "provider_overloaded"),
    ],
)
def test_the_responses_protocol_has_few_codes_and_the_type_beside_them(
    simulate: Simulate, knock: Knock, question: Question, do: str, code: str, typed: str
) -> None:
    body = knock(simulate(f'{{do="{do}"}}')).post("responses", json=question(stream=True)).json()
    assert (body["error"]["code"], body["error_type"]) == (code, typed)


@pytest.mark.parametrize(
    ("step", "status", "code", "retryable"),
    [
        ('do="model_not_found", availability=true', 404, "no_endpoints", False),
        ('do="model_not_found", availability=true, status=400', 400, "model_not_found", False),
        ('do="overloaded", availability=true, metadata_after=8', 503, "temporarily_unavailable", True),
    ],
)
def test_the_newer_shape_has_no_code(
    simulate: Simulate, knock: Knock, question: Question, step: str, status: int, code: str, retryable: bool
) -> None:
    answer = knock(simulate(f"{{{step}}}")).post("chat/completions", json=question())
    error = answer.json()["error"]
    assert answer.status_code == error["http_status"] == status
    assert "code" not in error
    assert (error["availability"]["code"], error["availability"]["retryable"]) == (code, retryable)
    assert error["availability"].get("retry_after") == (8 if "metadata_after" in step else None)


@pytest.mark.parametrize(
    ("hint", "header", "value"),
    [
        ('retry_after="30"', "retry-after", "30"),
        ("retry_after=30", "retry-after", "30"),
        ("retry_after=1.5", "retry-after", "1.5"),
        ('retry_after="soon"', "retry-after", "soon"),
        ("retry_after_date=60", "retry-after", "Mon, 21 Sep 2026 14:14:21 GMT"),
        ("retry_after_ms=250", "retry-after-ms", "250"),
        ("retry_after_ms=2.5", "retry-after-ms", "2.5"),
        ("reset_ms=30000", "x-ratelimit-reset", "1790000030250"),
    ],
)
@pytest.mark.parametrize("do", ["rate_limit", "overloaded", "provider_error", "in_flight"])
def test_a_hint_may_stand_in_a_header(
    simulate: Simulate, knock: Knock, question: Question, do: str, hint: str, header: str, value: str
) -> None:
    answer = knock(simulate(f'{{do="{do}", {hint}}}', clock=clock)).post("chat/completions", json=question())
    assert answer.headers[header] == value


def test_a_date_hint_is_never_too_early(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{do="rate_limit", retry_after_date=60}', clock=clock))
    when = parsedate_to_datetime(client.post("chat/completions", json=question()).headers["retry-after"])
    assert 60 <= when.timestamp() - NOW < 61


def test_a_hint_may_stand_in_the_message_or_the_metadata(simulate: Simulate, knock: Knock, question: Question) -> None:
    client = knock(simulate('{do="rate_limit", prose="7m12s", metadata_after=432}'))
    error = client.post("chat/completions", json=question()).json()["error"]
    assert error["message"] == "Rate limit exceeded. Please try again in 7m12s."
    assert error["metadata"]["retry_after_seconds"] == 432


def test_no_hint_is_given_unless_asked_for(simulate: Simulate, knock: Knock, question: Question) -> None:
    headers = knock(simulate('{do="rate_limit"}')).post("chat/completions", json=question()).headers
    assert not {"retry-after", "retry-after-ms", "x-ratelimit-reset"} & set(headers)


def test_in_flight_says_when_to_come_back(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = knock(simulate('{do="in_flight"}')).post("chat/completions", json=question())
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("do", "limit", "reset"),
    [("free_daily", "50", "2026-09-22T00:00:00"), ("free_minute", "20", "2026-09-21T14:14:00")],
)
def test_a_free_limit_names_its_reset_in_epoch_milliseconds_twice(
    simulate: Simulate, knock: Knock, question: Question, do: str, limit: str, reset: str
) -> None:
    answer = knock(simulate(f'{{do="{do}"}}', clock=clock)).post("chat/completions", json=question())
    shown = answer.json()["error"]["metadata"]["headers"]
    assert shown["X-RateLimit-Reset"] == answer.headers["x-ratelimit-reset"]
    assert (shown["X-RateLimit-Limit"], shown["X-RateLimit-Remaining"]) == (limit, "0")
    when = datetime.fromtimestamp(int(shown["X-RateLimit-Reset"]) / 1000, UTC)
    assert when == datetime.fromisoformat(reset).replace(tzinfo=UTC)


def test_flagged_input_is_cut_in_the_middle(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = knock(simulate('{do="forbidden"}')).post("chat/completions", json=question(said="x" * 150))
    flagged = answer.json()["error"]["metadata"]["flagged_input"]
    assert len(flagged) == 100
    assert "..." in flagged


def test_a_bad_gateway_is_a_page(simulate: Simulate, knock: Knock, question: Question) -> None:
    answer = knock(simulate('{do="bad_gateway_html"}')).post("chat/completions", json=question())
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "<h1>502 Bad Gateway</h1>" in answer.text


def test_platform_errors_name_the_account(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate(script='[[key]]\nname="n"\nkey="k"\naccount="mine"\nsteps=[{do="no_credit"}]')
    assert knock(simulator, "k").post("chat/completions", json=question()).json()["user_id"] == "user_mine"


def test_a_refusal_may_take_its_time(simulate: Simulate, knock: Knock, question: Question) -> None:
    simulator = simulate('{do="no_credit", delay_ms=60}')
    assert knock(simulator).post("chat/completions", json=question()).elapsed.total_seconds() >= 0.06


def test_custom_sends_what_it_was_given(simulate: Simulate, knock: Knock, question: Question) -> None:
    step = """{do="custom", status=418, headers={x-tea="yes", content-type="text/plain"}, body="short"}"""
    answer = knock(simulate(step)).post("chat/completions", json=question())
    assert (answer.status_code, answer.headers["x-tea"], answer.text) == (418, "yes", "short")
    assert answer.headers["content-type"] == "text/plain"


def test_custom_without_a_body_leaves_the_connection_sound(
    simulate: Simulate, knock: Knock, question: Question
) -> None:
    client = knock(simulate('{times=1, do="custom", status=204, body="none of this"}, {do="ok"}'))
    first, second = (client.post("chat/completions", json=question()) for _ in range(2))
    assert (first.status_code, first.content, second.status_code) == (204, b"", 200)


def test_custom_events_are_a_stream(simulate: Simulate, knock: Knock, question: Question) -> None:
    step = r"""{do="custom", events=["data: 1\n\n", "data: 2\n\n"]}"""
    answer = knock(simulate(step)).post("chat/completions", json=question())
    assert (answer.headers["content-type"], answer.text) == ("text/event-stream", "data: 1\n\ndata: 2\n\n")
