"""No key survives, whatever its provider; what people need to read does."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core.redact import LIMIT, brief, redact

HEX = "0123456789abcdef"
LETTERS = string.ascii_letters
MIXED = LETTERS + string.digits
URL_SAFE = MIXED + "-_"
SHOWN = 12  # so many characters of a key in a row would help whoever finds them


# Drawn by a seeded generator rather than by Hypothesis, whose favourites (aaaa…) no provider ever draws.
def shapes(seed: int) -> dict[str, str]:
    """A key of each known shape."""
    state = seed

    def take(alphabet: str, length: int) -> str:
        nonlocal state
        taken = []
        for _ in range(length):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            taken.append(alphabet[(state >> 33) % len(alphabet)])
        return "".join(taken)

    return {
        "OpenRouter": "sk-or-v1-" + take(HEX, 64),
        "OpenAI, older": "sk-" + take(MIXED, 48),
        "OpenAI, of a project": "sk-proj-" + take(URL_SAFE, 148),
        "Anthropic": "sk-ant-api03-" + take(URL_SAFE, 95),
        "Google": "AIza" + take(URL_SAFE, 35),
        "Google, newer": "AQ." + take(URL_SAFE, 50),
        "Google, a login": "ya29." + take(URL_SAFE, 120),
        "Groq": "gsk_" + take(MIXED, 52),
        "Mistral": take(MIXED, 32),
        "DeepSeek": "sk-" + take(HEX, 32),
        "xAI": "xai-" + take(MIXED, 80),
        "Together": take(HEX, 64),
        "Together, newer": "tgp_v1_" + take(URL_SAFE, 43),
        "Fireworks": "fw_" + take(MIXED, 24),
        "Cerebras": "csk-" + take(string.ascii_lowercase + string.digits, 48),
        "GitHub": "github_pat_" + take(MIXED, 22) + "_" + take(MIXED, 59),
        "GitHub, classic": "ghp_" + take(MIXED, 36),
        "Z.ai": take(HEX, 32) + "." + take(MIXED, 16),
        "Moonshot": "sk-" + take(MIXED, 48),
        "Kimi Code": "sk-kimi-" + take(MIXED, 64),
        "Hugging Face": "hf_" + take(LETTERS, 34),
        "NVIDIA": "nvapi-" + take(URL_SAFE, 64),
        "Azure": take(HEX, 32),
        "Azure, newer": take(MIXED, 84),
        "Amazon": "AKIA" + take(string.ascii_uppercase + string.digits, 16),
        "a signed token": ".".join(["eyJ" + take(URL_SAFE, 30), take(URL_SAFE, 60), take(URL_SAFE, 43)]),
        "a token of ours": "osw-opencode-" + take(HEX, 32),
    }


SETTINGS = [
    "{}",
    "Incorrect API key provided: {}. You can find your API key at https://h.example/keys.",
    "Authorization: Bearer {}",
    '{{"error": {{"message": "bad key {}"}}}}',
    "https://h.example/v1/models?key={}&alt=sse",
    "('{}',)",
    "key={}",
    "OPENROUTER_API_KEY={}\n",
    "https://{}@h.example/v1",
    "x-api-key: {}",
]


@pytest.mark.many_cases
@pytest.mark.parametrize("provider", [pytest.param(name, id=f"a key of {name}") for name in shapes(0)])
def test_no_key_survives_wherever_it_stands(provider: str) -> None:
    for seed in range(60):
        key = shapes(seed)[provider]
        for setting in SETTINGS:
            shown = redact(setting.format(key))
            assert not [at for at in range(len(key) - SHOWN + 1) if key[at : at + SHOWN] in shown], shown
            assert "[key]" in shown


SURVIVING = [
    pytest.param("Rate limit exceeded: free-models-per-day-high-balance. ", id="a limit's name"),
    pytest.param("Rate limit reached for model `openai/gpt-oss-120b` on tokens per day (TPD): Limit 200000", id="TPD"),
    pytest.param("limit_rpm/qwen/qwen3-next-80b-a3b-instruct-2509/94248808-ba97-4e3c-be60-1cb0928db51d", id="a limit"),
    pytest.param("claude-sonnet-4-5-20250929", id="a dated model"),
    pytest.param("meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", id="a long model name"),
    pytest.param("deepseek/deepseek-r1-distill-qwen-32b:free", id="a free model"),
    pytest.param("request req_011CSHoEeqs5C35K2UUqR7Fy failed", id="an Anthropic request id"),
    pytest.param("request req_0123456789abcdef0123456789abcdef", id="an OpenAI request id"),
    pytest.param("chatcmpl-BZ1dXvKkq7Zq4c2sX9Q8bN3kYw5Tf", id="the id of a completion"),
    pytest.param("gen-1712345678-AbCdEfGhIjKlMnOpQrSt", id="an OpenRouter generation id"),
    pytest.param("94248808-ba97-4e3c-be60-1cb0928db51d", id="a UUID"),
    pytest.param("https://openrouter.ai/settings/keys", id="an address about keys"),
    pytest.param("http://127.0.0.1:7337/v1/messages?beta=true", id="an address with a port and a query"),
    pytest.param("Bearer authentication is required", id="a sentence about bearer tokens"),
    pytest.param("missing x-api-key: see the documentation", id="a sentence about a header"),
    pytest.param("key-limit-exceeded key_limit_exceeded openrouter_key_limit", id="codes that begin like keys"),
    pytest.param("ServiceTierCapacityExceededErrorException", id="a compound name"),
    pytest.param("GenerateRequestsPerDayPerProjectPerModel-FreeTier", id="a Google quota id"),
    pytest.param("generativelanguage.googleapis.com/generate_content_free_tier_requests", id="a Google metric"),
    pytest.param("the key of openrouter-main is refused", id="a profile's name"),
    pytest.param("2026-09-29T23:10:05.123+00:00 waited 1790000000000 ms", id="times"),
    pytest.param("Ключ отклонён, попробуйте другой", id="another script"),
    pytest.param("=" * 40 + "_" * 40 + "-" * 40, id="rules"),
]


@pytest.mark.parametrize("text", SURVIVING)
def test_what_people_need_to_read_survives(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("https://me:pw@h.example/v1", "https://[key]@h.example/v1", id="a user name and password"),
        pytest.param("?token=abc&x=1", "?token=[key]&x=1", id="a short token in a query"),
        pytest.param("Incorrect API key: sk-pr****abcd.", "Incorrect API key: [key]", id="a key half hidden already"),
        pytest.param("authorization: Basic bWU6cHc=", "authorization: [key]", id="basic authorization"),
        pytest.param("authorization: bearer letters", "authorization: [key]", id="a bearer token of letters alone"),
        pytest.param("api_key='hunter2'", "api_key='[key]'", id="a short key by its name"),
        pytest.param("Bearer hunter2x", "[key]", id="a short bearer token"),
    ],
)
def test_what_is_said_to_be_a_secret_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@unhurried
@given(st.text() | st.text("sk-_.Bearer key=/@:?&1aA'\n", max_size=200))
@example("Bearer [key]")
def test_hiding_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@unhurried
@given(st.text(max_size=3000))
def test_brief_is_one_short_line(text: str) -> None:
    line = brief(text)
    assert line is not None or not text
    assert (line or "").isprintable()
    assert len(line or "") <= LIMIT


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(None, None, id="nothing said"),
        pytest.param("", None, id="nothing in it"),
        pytest.param(" a\n\tb  c ", "a b c", id="blanks are drawn together"),
        pytest.param("a\x1b[2J\x1b]0;b\x07c\x9bd", "a [2J ]0;b c d", id="a terminal is not steered"),
        pytest.param("a\u202eb\u200bc", "a b c", id="words are not turned round"),
        pytest.param("d\u00e9j\u00e0 \U0001f600 \u5b57", "d\u00e9j\u00e0 \U0001f600 \u5b57", id="other scripts stay"),
        pytest.param("x" * 200, "x" * 200, id="what fits is whole"),
        pytest.param("x" * 201, "x" * 199 + "…", id="what does not fit says so"),
    ],
)
def test_brief(text: str | None, line: str | None) -> None:
    assert brief(text) == line


def test_a_key_is_hidden_before_the_line_is_cut() -> None:
    key = shapes(7)["OpenRouter"]
    assert key[:20] not in (brief("x " * 90 + key) or "")
