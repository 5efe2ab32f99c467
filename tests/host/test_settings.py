"""Settings: every documented key with its default, and every fault named by line and key."""

from __future__ import annotations

import math
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.core.build import profile
from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.core.breaker import BreakerRules
from tray_app.core.policy import Backoff, Lane, Rules, Strategy, Target
from tray_app.core.providers import BUILT_IN, KeyHeader
from tray_app.core.score import Weights
from tray_app.core.values import Protocol
from tray_app.host import settings
from tray_app.host.settings import Fault, Faulty, Settings, load, parse, set_in_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


# what the documentation says: key, default, another value that is accepted
DOCUMENTED: list[tuple[str, object, str]] = [
    ("switcher.retry", 3, "0"),
    ("switcher.retry_budget", None, "5"),
    ("switcher.failover_budget", 2, '"all"'),
    ("switcher.max_attempts", 12, "1"),
    ("switcher.timeout", 30_000, "1"),
    ("switcher.max_expected_latency_ms", None, "1000"),
    ("switcher.backoff.base_ms", 1000, "0"),
    ("switcher.backoff.multiplier", 2.0, "1.5"),
    ("switcher.backoff.max_ms", 30_000, "0"),
    ("switcher.backoff.jitter", "full", '"none"'),
    ("switcher.routing_weights.health", 1.0, "0"),
    ("switcher.routing_weights.latency", 0.5, "2"),
    ("switcher.routing_weights.failure", 0.8, "-1.5"),
    ("switcher.routing_weights.priority", 0.3, "1"),
    ("switcher.concurrency_limit", 10, "1"),
    ("switcher.queue_limit", 100, "0"),
    ("switcher.backpressure_threshold", 50, "0"),
    ("switcher.circuit_breaker.failure_threshold", 5, "1"),
    ("switcher.circuit_breaker.failure_rate_threshold", 0.5, "1"),
    ("switcher.circuit_breaker.sliding_window_size", 10, "1"),
    ("switcher.circuit_breaker.half_open_after_ms", 30_000, "0"),
    ("switcher.circuit_breaker.half_open_max_probes", 1, "2"),
    ("switcher.circuit_breaker.success_threshold", 2, "1"),
    ("switcher.strategy", "sticky", '"soonest_reset"'),
    ("switcher.on_auth_error", "failover", '"stop"'),
    ("switcher.hold_until_reset_s", 0, "1.5"),
    ("timeouts.connect", 10, "0.5"),
    ("timeouts.first_byte", 120, "1"),
    ("timeouts.idle", 300, "1"),
    ("timeouts.total_non_stream", 600, "1"),
    ("proxy.port", 4417, "0"),
    ("proxy.host", "127.0.0.1", '"::1"'),
    ("proxy.allow_remote", False, "true"),
    ("history.keep_days", 90, "1"),
    ("history.max_size_mb", 1024, "1"),
    ("secrets.store", "auto", '"keyring"'),
    ("quota.polling", True, "false"),
    ("quota.warn_at", [80, 95], "[50]"),
    ("quota.reserve_percent", 0, "10"),
    ("notifications.enabled", True, "false"),
    ("discovery.enabled", True, "false"),
]


def value_of(found: Settings, key: str) -> object:
    inner: object = msgspec.to_builtins(found)
    for part in key.split("."):
        assert isinstance(inner, Mapping)
        inner = inner[part]
    return list(inner) if isinstance(inner, tuple) else inner


@pytest.mark.parametrize(("key", "default", "other"), DOCUMENTED, ids=[row[0] for row in DOCUMENTED])
def test_each_documented_key_has_its_default_and_takes_other_values(
    path: Path, key: str, default: object, other: str
) -> None:
    assert value_of(Settings(), key) == default
    table, _, name = key.rpartition(".")
    path.write_text(f"[{table}]\n{name} = {other}\n")
    found = value_of(load(path), key)
    assert found != default
    assert found == settings.tomllib.loads(f"x = {other}")["x"]


@pytest.mark.parametrize("choice", ["sticky", "priority", "round_robin", "least_used", "soonest_reset", "score"])
def test_each_documented_strategy_is_accepted(choice: str) -> None:
    found, _ = parse(f'switcher.strategy = "{choice}"')
    assert found is not None and found.switcher.strategy == choice


def test_no_file_means_all_defaults(path: Path) -> None:
    assert load(path) == Settings()
    path.write_text("")
    assert load(path) == Settings()
    path.write_text("# nothing but a comment\n")
    assert load(path) == Settings()


def test_targets_and_routes_are_lists_of_tables() -> None:
    found, faults = parse(
        """
        [[targets]]
        target_id = "one"
        provider_id = "openrouter"
        profile = "openrouter-main"
        endpoint_id = "e"
        capabilities = ["chat"]
        enabled = false
        operator_priority = 5
        policy_tags = ["cheap"]
        retry_budget = 1
        failover_budget = "all"
        concurrency_limit = 2
        [targets.backoff]
        jitter = "equal"
        [[targets]]
        provider_id = "Gemini"
        [[routes]]
        model = "sonnet"
        targets = ["openrouter:anthropic/claude-sonnet-4.5", "anthropic:claude-sonnet-4-5"]
        """
    )
    assert faults == [] and found is not None
    one, other = found.targets
    assert (one.target_id, one.enabled, one.operator_priority, one.policy_tags) == ("one", False, 5, ("cheap",))
    assert one.backoff is not None and one.backoff.jitter == "equal"
    assert (other.capabilities, other.enabled, other.operator_priority, other.policy_tags) == (("chat",), True, 0, ())
    assert found.routes[0].targets[1] == "anthropic:claude-sonnet-4-5"
    assert (one.profile_id, other.profile_id) == ("openrouter-main", "google-*")
    assert found.ways() == {
        "sonnet": (Lane("openrouter", "anthropic/claude-sonnet-4.5"), Lane("anthropic", "claude-sonnet-4-5"))
    }


NAMES = [
    ('profile = "openrouter-main"', "openrouter-main"),
    ('profile = "main"\nprovider_id = "openrouter"', "openrouter-main"),
    ('profile = "openrouter-main"\nprovider_id = "openrouter"', "openrouter-main"),
    ('target_id = "openrouter-main"', "openrouter-main"),
    ('provider_id = "openrouter"', "openrouter-*"),
    ('target_id = "t1"\nprovider_id = "openrouter"', "openrouter-*"),
]


@pytest.mark.parametrize(("text", "profile_id"), NAMES, ids=[text for text, _ in NAMES])
def test_the_profile_that_a_target_stands_for(text: str, profile_id: str) -> None:
    found, _ = parse(f"[[targets]]\n{text}\n")
    assert found is not None and found.targets[0].profile_id == profile_id


def test_a_target_lies_over_its_profile_and_its_rules_over_those_for_all() -> None:
    found, _ = parse(
        """
        [[targets]]
        provider_id = "openrouter"
        concurrency_limit = 3
        [[targets]]
        profile = "openrouter-main"
        operator_priority = 7
        policy_tags = ["work", "eu"]
        capabilities = ["chat", "embeddings"]
        enabled = false
        retry_budget = 1
        failover_budget = "all"
        backoff = { base_ms = 5 }
        circuit_breaker = { failure_threshold = 2 }
        """
    )
    assert found is not None
    main, other = profile("openrouter-main"), profile("groq-main", provider="groq")
    laid = found.overlaid(replace(main, tags=("eu", "x")))
    assert (laid.priority, laid.tags, laid.enabled) == (7, ("eu", "x", "work"), False)
    assert laid.capabilities == ("chat", "embeddings")
    assert found.overlaid(other) == other
    rules = found.rules()
    assert rules.target("openrouter-main") == Target(1, (None,), Backoff(base_ms=5), None, BreakerRules(2))
    assert rules.target("openrouter-spare") == Target(concurrency_limit=3)
    assert rules.target("groq-main") == Target()


# -- what the policy and the proxy get

RULES = [
    ("", Rules()),
    ("switcher.retry = 1", Rules(retry_budget=1)),
    ("switcher.retry = 1\nswitcher.retry_budget = 0", Rules(retry_budget=0)),  # the long name wins
    ('switcher.failover_budget = "all"', Rules(failover_budget=None)),
    ("switcher.short_wait_s = 0.5", Rules(short_wait_ms=500)),
    ("switcher.failback_after_s = 7", Rules(failback_ms=7000)),
    ('streams.continue = "off"', Rules(goes_on=False)),
    ('switcher.strategy = "score"', Rules(strategy=Strategy.SCORE)),
    ("switcher.concurrency_limit = 3\nswitcher.queue_limit = 4", Rules(concurrency_limit=3, queue_limit=4)),
    ("switcher.timeout = 9", Rules(slow_ms=9)),
    ("switcher.timeout = 9\nswitcher.max_expected_latency_ms = 8", Rules(slow_ms=8)),
    (
        "switcher.routing_weights = { health = 2, latency = 3, failure = 4, priority = 5 }",
        Rules(weights=Weights(2, 3, 4, 5)),
    ),
    ("switcher.circuit_breaker.half_open_after_ms = 9", Rules(breaker=BreakerRules(half_open_after_ms=9))),
    ("quota.reserve_percent = 5\nquota.warn_at = [50]", Rules(reserve_percent=5, warn_at=(50,))),
    ("switcher.failover_budget = 0", Rules(failover_budget=0)),
    ("switcher.max_attempts = 7", Rules(max_attempts=7)),
    ("switcher.hold_until_reset_s = 1.5", Rules(hold_ms=1500)),
    ('switcher.on_auth_error = "stop"', Rules(stop_on_auth_error=True)),
    (
        "[switcher.backoff]\nbase_ms = 5\nmultiplier = 3\nmax_ms = 9\njitter = 'none'",
        Rules(backoff=Backoff(5, 3.0, 9, "none")),
    ),
]


@pytest.mark.parametrize(("text", "rules"), RULES, ids=[row[0] or "defaults" for row in RULES])
def test_the_policy_gets_its_rules(text: str, rules: Rules) -> None:
    found, _ = parse(text)
    assert found is not None and found.rules() == rules


def test_providers_are_added_or_overridden() -> None:
    found, faults = parse(
        """
        [providers.openrouter]
        base_url = "https://mirror.example/api/v1/"
        [providers.gemini]
        auth_header = "authorization"
        [providers.mine]
        base_url = "https://llm.mine.example/v1"
        protocol = "anthropic_messages"
        auth_header = "api-key"
        """
    )
    assert faults == [] and found is not None
    known = found.known_providers()
    assert known["openrouter"].base_url == "https://mirror.example/api/v1"
    assert known["openrouter"].protocols == BUILT_IN["openrouter"].protocols
    assert known["google"].key_header is KeyHeader.BEARER  # by the name that others have for it
    assert known["google"].base_url == BUILT_IN["google"].base_url
    assert "gemini" not in known
    mine = known["mine"]
    assert (mine.base_url, mine.key_header) == ("https://llm.mine.example/v1", KeyHeader.API_KEY)
    assert mine.protocols == {Protocol.MESSAGES, Protocol.OTHER}
    assert known.keys() - BUILT_IN.keys() == {"mine"}


# -- faults

FAULTS: list[tuple[str, str, list[str]]] = [
    ("broken TOML", "\n[switcher\nretry = 1", ["line 2: this is not valid TOML: expected ']' at the end of a table declaration"]),
    ("a value that is none", "[switcher]\nretry = yes", ["line 2: this is not valid TOML: invalid value"]),
    ("an end too soon", "a = 1\nb = ", ["line 2: this is not valid TOML: invalid value"]),
    ("a string without end", 'a = 1\n\nb = """x', ["line 3: this is not valid TOML: unterminated string"]),
    ("a key given twice", "[proxy]\nport = 1\nport = 2", ["line 3: this is not valid TOML: cannot overwrite a value"]),
    ("a table given twice", "[proxy]\n[proxy]", ["line 2: this is not valid TOML: cannot declare ('proxy',) twice"]),
    ("an unknown table", "\n[swicher]\nretry = 1", ["line 2: swicher: is not a known setting; did you mean switcher?"]),
    ("an unknown key", "[switcher]\nretries = 1", ["line 2: switcher.retries: is not a known setting; did you mean retry?"]),
    ("a key like no other", "[switcher]\nzzz = 1", ["line 2: switcher.zzz: is not a known setting"]),
    ("a dotted key", "switcher.backoff.bse_ms = 1", ["line 1: switcher.backoff.bse_ms: is not a known setting; did you mean base_ms?"]),
    ("a quoted key", "[switcher]\n'retry' = -1", ["line 2: switcher.retry: expected int >= 0"]),
    ("a text for a number", '[switcher]\nretry = "3"', ["line 2: switcher.retry: expected int, got str"]),
    ("a fraction for a whole number", "[switcher]\nretry = 1.5", ["line 2: switcher.retry: expected int, got float"]),
    ("true for a number", "[switcher]\nretry = true", ["line 2: switcher.retry: expected int, got bool"]),
    ("too low", "[switcher]\n\nmax_attempts = 0", ["line 3: switcher.max_attempts: expected int >= 1"]),
    ("too high", "[proxy]\nport = 65536", ["line 2: proxy.port: expected int <= 65535"]),
    ("beyond all sense", f"switcher.backoff.base_ms = 1{'0' * 400}", ["line 1: switcher.backoff.base_ms: expected int <= 1000000000"]),
    ("endless", "switcher.hold_until_reset_s = inf", ["line 1: switcher.hold_until_reset_s: expected float <= 1000000000.0"]),
    ("not a number", "[timeouts]\nidle = nan", ["line 2: timeouts.idle: expected float > 0.0"]),
    ("a weight that is no number", "[switcher.routing_weights]\nhealth = nan", ["line 2: switcher.routing_weights.health: expected float >= -1000.0"]),
    ("a choice that is none", '[switcher.backoff]\njitter = "some"', ["line 2: switcher.backoff.jitter: must be one of full, equal, none"]),
    ("a number or a word", '[switcher]\nfailover_budget = "every"', ["line 2: switcher.failover_budget: must be a whole number, or one of all"]),
    ("a header that is none", '[providers.mine]\nbase_url = "https://x.example"\nauth_header = "cookie"', ["line 3: providers.mine.auth_header: must be one of authorization, x-api-key, x-goog-api-key, api-key, none"]),
    ("a protocol that is none", '[providers.mine]\nbase_url = "https://x.example"\nprotocol = "http"', ["line 3: providers.mine.protocol: must be one of openai_chat, openai_responses, anthropic_messages, gemini, ollama, other"]),
    ("a value for a table", "switcher = 1", ["line 1: switcher: must be a table"]),
    ("a value for the providers", "providers = 'openai'", ["line 1: providers: must be a table"]),
    ("a value for a provider", "[providers]\nopenai = 'sk'", ["line 2: providers.openai: must be a table"]),
    ("a table for a list", "[targets]\nprofile = 'x'", ["line 1: targets: must be a list of tables: [[targets]]"]),
    ("values for a list of tables", "targets = [1, 2]", ["line 1: targets.0: must be a table", "line 1: targets.1: must be a table"]),
    ("an item of a list", "[quota]\nwarn_at = [\n  80,\n  101,\n]", ["line 2: quota.warn_at: item 2 of the list: expected int <= 100"]),
    ("the second of several tables", "[[targets]]\n[[targets]]\nenabled = 1", ["line 3: targets.1.enabled: expected bool, got int"]),
    ("a table within a list", "[[targets]]\n\n[targets.backoff]\njitter = 1\n[[targets]]", ["line 4: targets.0.backoff.jitter: expected str, got int"]),
    ("an inline table", "[switcher]\nretry = 1\nbackoff = { base_ms = -1 }", ["line 3: switcher.backoff.base_ms: expected int >= 0"]),
    ("something missing", "\n[[routes]]\nmodel = 'x'", ["line 2: routes.0.targets: is missing"]),
    ("a target of nothing", "[[targets]]\nenabled = true", ["line 1: targets.0.profile: is missing: name a profile, such as openrouter-main"]),
    ("a target twice", "[[targets]]\nprofile = 'a'\n[[targets]]\nprofile = 'a'", ["line 3: targets.1: is a second target for a"]),
    ("a route twice", "[[routes]]\nmodel = 'm'\ntargets = ['openai:x']\n[[routes]]\nmodel = 'm'\ntargets = ['openai:y']", ["line 5: routes.1.model: is a second route called m"]),
    ("a route to nowhere", "[[routes]]\nmodel = 'm'\ntargets = []", ["line 3: routes.0.targets: is empty; give \"provider:model\" for each way"]),
    ("a way without a model", "[[routes]]\nmodel = 'm'\ntargets = ['openai:', 'x']", ["line 3: routes.0.targets: 'openai:' is not of the form \"provider:model\"", "line 3: routes.0.targets: 'x' is not of the form \"provider:model\""]),
    ("a way to nobody", "[[routes]]\nmodel = 'm'\ntargets = ['nobody:x']", ["line 3: routes.0.targets: no provider is called 'nobody'"]),
    ("another address", '[proxy]\nhost = "0.0.0.0"', ["line 2: proxy.host: is not the loopback address; set proxy.allow_remote = true if that is meant"]),
    ("no address", '[proxy]\nhost = ""', ["line 2: proxy.host: is not the loopback address; set proxy.allow_remote = true if that is meant"]),
    ("a provider without address", "[providers.mine]", ["line 1: providers.mine: needs a base_url, since no provider of that name is built in"]),
    ("a name that is reserved", '[providers.report]\nbase_url = "https://x.example"', ["line 1: providers.report: is a reserved name; choose another"]),
    ("a name that is none", '[providers."My LLM"]\nbase_url = "https://x.example"', ["line 1: providers.My LLM: is no name; use lower-case letters, digits, '-', '_' and '.'"]),
    ("two names of one provider", "[providers.google]\n[providers.gemini]\n", ["line 2: providers.gemini: is another name of google, which has its settings above"]),
    ("a key in the clear", '[providers.mine]\nbase_url = "http://llm.example/v1"', ["line 2: providers.mine.base_url: http://llm.example would carry the key in the clear; use https"]),
    ("an address that is none", '[providers.mine]\nbase_url = "llm.example"', ["line 2: providers.mine.base_url: 'llm.example' is not an http(s) address; give one like https://host/v1"]),
    ("half an address", '[providers.mine]\nbase_url = "https://[::1"', ["line 2: providers.mine.base_url: 'https://[::1' is not an address: Invalid IPv6 URL"]),
    ("several at once", "[switcher]\nretry = -1\nretires = 2\n[proxy]\nport = 'x'\n[nowhere]", [
        "line 2: switcher.retry: expected int >= 0",
        "line 3: switcher.retires: is not a known setting; did you mean retry?",
        "line 5: proxy.port: expected int, got str",
        "line 6: nowhere: is not a known setting",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "faults"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
def test_each_fault_is_named_by_line_and_key(path: Path, text: str, faults: list[str], ends: str, mark: bytes) -> None:
    path.write_bytes(mark + text.replace("\n", ends).encode())
    with pytest.raises(Faulty) as caught:
        load(path)
    found = [str(fault) for fault in caught.value.faults]
    assert found == faults
    assert str(caught.value) == "; ".join(f"{path}: {line}" for line in found)


def test_a_fault_never_shows_the_value() -> None:
    """A key that was pasted into the wrong place must not appear in a log."""
    secret = "sk-or-v1-0123456789abcdef0123456789abcdef"
    text = f"""
    switcher.strategy = "{secret}"
    switcher.retry = "{secret}"
    secrets.store = "{secret}"
    quota.warn_at = ["{secret}"]
    providers.mine.auth_header = "{secret}"
    """
    _, faults = parse(text)
    assert len(faults) == 5
    assert secret not in " ".join(map(str, faults))


def test_a_file_that_is_no_text_is_named_by_its_line(path: Path) -> None:
    path.write_bytes(b"[proxy]\nport = 1\n# caf\xe9\n")
    with pytest.raises(Faulty, match=r"config\.toml: line 3: this is not UTF-8 text; save the file as UTF-8"):
        load(path)


def test_a_folder_is_no_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(Faulty, match="cannot be read: Is a directory"):
        load(path)


def test_a_file_that_may_not_be_read_is_a_fault() -> None:
    with shared_folder() as folder, ordinary_user():
        path = folder / "config.toml"
        path.touch(0o000)
        with pytest.raises(Faulty, match="cannot be read: Permission denied"):
            load(path)
        with pytest.raises(Faulty, match="cannot be read: Permission denied"):
            set_in_file(path, "switcher.retry", "1")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf[switcher]\r\nretry = 9\r\n")
    assert load(path).switcher.retry == 9


def test_a_deeply_nested_file_is_a_fault_and_no_crash(path: Path) -> None:
    path.write_text(f"a = {'[' * 5000}{']' * 5000}")
    with pytest.raises(Faulty, match="this is not valid TOML"):
        load(path)


def test_a_fault_without_a_line_or_a_key_still_reads_well() -> None:
    assert str(Fault(None, "", "is odd")) == "is odd"
    assert str(Fault(None, "a.b", "is odd")) == "a.b: is odd"


# -- changing one setting

COMMENTED = """\
# my settings
# second line

[switcher]   # what the switcher does
retry = 3    # three more
strategy = "sticky"

# the proxy
[proxy]
port = 4417
"""

CHANGES = [
    ("switcher.retry", "5", COMMENTED.replace("retry = 3", "retry = 5")),
    ("switcher.strategy", "score", COMMENTED.replace('"sticky"', '"score"')),
    ("switcher.strategy", '"score"', COMMENTED.replace('"sticky"', '"score"')),
    ("proxy.port", "0", COMMENTED.replace("4417", "0")),
    ("proxy.host", "::1", COMMENTED + 'host = "::1"\n'),
    ("quota.warn_at", "[50, 90]", COMMENTED + "\n[quota]\nwarn_at = [50, 90]\n"),
    ("timeouts.idle", "0.5", COMMENTED + "\n[timeouts]\nidle = 0.5\n"),
    ("providers.mine.base_url", "https://x.example/v1", COMMENTED + '\n[providers.mine]\nbase_url = "https://x.example/v1"\n'),
    ('providers."my.host".base_url', "https://x.example", COMMENTED + '\n[providers."my.host"]\nbase_url = "https://x.example"\n'),
    ("notifications.enabled", "false", COMMENTED + "\n[notifications]\nenabled = false\n"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "after"), CHANGES, ids=[f"{key} = {value}" for key, value, _ in CHANGES])
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["unix", "windows"])
def test_one_setting_is_changed_and_all_else_stays(path: Path, key: str, value: str, after: str, ends: str) -> None:
    path.write_bytes(COMMENTED.replace("\n", ends).encode())
    assert set_in_file(path, key, value) == load(path)
    assert path.read_bytes().decode() == after.replace("\n", ends)


STARTS = [
    ("no file", None),
    ("an empty file", ""),
    ("dotted keys", "switcher.retry = 1 # one\nproxy.port = 1\n"),
    ("dotted keys of a table within", "switcher.backoff.base_ms = 1 # one\n"),
    ("an inline table", "switcher = { retry = 1 } # inline\n"),
    ("tables within", "[switcher.backoff] # within\nbase_ms = 1\n"),
    ("tables out of order", "[switcher]\nretry = 1\n[proxy]\nport = 1 # port\n[switcher.backoff]\nbase_ms = 7\n"),
    ("a list of tables first", "[[targets]]\nprofile = 'a' # a\n[targets.backoff]\n[[targets]]\nprofile = 'b'\n"),
    ("a byte order mark", "\ufeff[switcher] # mark\nretry = 1\n"),
    ("line ends of both kinds", "[switcher]\r\nretry = 1 # mixed\n"),
    ("no line end", "[switcher]\nretry = 1 # last"),
]
KEYS = ["switcher.retry", "switcher.backoff.max_ms", "proxy.port", "history.keep_days"]


@pytest.mark.parametrize("start", [row[1] for row in STARTS], ids=[row[0] for row in STARTS])
@pytest.mark.parametrize("key", KEYS)
def test_a_setting_can_be_put_into_any_kind_of_file(path: Path, start: str | None, key: str) -> None:
    before: dict[str, object] = {}
    if start is not None:
        path.write_bytes(start.encode())
        before = settings.tomllib.loads(start.removeprefix("\ufeff"))
    assert value_of(set_in_file(path, key, "17"), key) == 17
    data = path.read_bytes()
    after = settings.tomllib.loads(data.decode("utf-8-sig"))
    inner: object = after
    for part in key.split("."):
        assert isinstance(inner, dict)
        inner = inner[part]
    assert inner == 17
    assert after.keys() - before.keys() <= {key.split(".", maxsplit=1)[0]}
    assert data.count(b"#") == (start or "").count("#")
    assert data.startswith(b"\xef\xbb\xbf") == bool(start and start.startswith("\ufeff"))


REFUSED = [
    ("switcher.retry", "-1", "switcher.retry: expected int >= 0"),
    ("switcher.retry", "many", "switcher.retry: expected int, got str"),
    ("switcher.retry", "1\nport = 2", "switcher.retry: expected int, got str"),
    ("switcher.strategy", "luck", "switcher.strategy: must be one of sticky, priority"),
    ("switcher.nothing", "1", "switcher.nothing: is not a known setting"),
    ("timeouts.idle", "nan", "timeouts.idle: expected float > 0.0"),
    ("proxy.host", "0.0.0.0", "proxy.host: is not the loopback address"),
    ("switcher", "1", "switcher: must be a table"),
    ("switcher.retry.more", "1", "a part of it is a value, not a table"),
    ("", "1", "is no key; give one like switcher.retry"),
    ("switcher..retry", "1", "is no key"),
    ("switcher.", "1", "is no key"),
    ("a = 1\nb", "1", "is no key"),
    ("[switcher]\nretry", "1", "is no key"),
    ("switcher retry", "1", "is no key"),
]


@pytest.mark.parametrize(("key", "value", "words"), REFUSED, ids=[f"{row[0]!r} = {row[1]!r}" for row in REFUSED])
def test_a_bad_change_is_refused_and_the_file_stays_as_it_was(path: Path, key: str, value: str, words: str) -> None:
    path.write_text(COMMENTED)
    before = path.stat()
    with pytest.raises(Faulty) as caught:
        set_in_file(path, key, value)
    assert words in str(caught.value)
    assert path.read_text() == COMMENTED
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_with_another_fault_is_not_changed(path: Path) -> None:
    text = "[switcher]\nretry = 1\nretires = 2\n"
    path.write_text(text)
    with pytest.raises(Faulty, match=r"line 3: switcher\.retires"):
        set_in_file(path, "proxy.port", "1")
    assert path.read_text() == text
    with pytest.raises(Faulty, match="not valid TOML"):
        path.write_text("[[")
        set_in_file(path, "proxy.port", "1")


def test_a_change_that_would_touch_something_else_is_left_to_the_person(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(COMMENTED)
    wrong = [COMMENTED, COMMENTED.replace("4417", "1").replace("retry = 3", "retry = 4"), "[["]
    monkeypatch.setattr(settings, "edits", lambda *_: iter(wrong))
    with pytest.raises(Faulty, match="cannot be changed without touching the rest; edit the file by hand"):
        set_in_file(path, "switcher.retry", "4")
    assert path.read_text() == COMMENTED


def test_the_file_stays_a_link_and_is_for_this_user_only(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "config.toml"
    real.parent.mkdir()
    real.write_text(COMMENTED)
    path.symlink_to(real)
    set_in_file(path, "switcher.retry", "4")
    assert path.is_symlink()
    assert "retry = 4" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


# -- settings that have no effect yet


def test_defaults_are_finite_and_pass_their_own_check() -> None:
    flat = msgspec.to_builtins(Settings())
    assert parse("")[0] == Settings()
    assert all(math.isfinite(value) for value in flat["switcher"]["routing_weights"].values())


def test_every_kind_of_news_can_be_silenced_by_its_name() -> None:
    from tray_app.control.news import NewsKind

    names = set(msgspec.structs.asdict(Settings().notifications))
    assert names == {"enabled", *(kind.value for kind in NewsKind)}
    assert all(msgspec.structs.asdict(Settings().notifications).values())


def test_a_price_is_for_a_model_called_whatever_its_maker_likes() -> None:
    text = '[prices."anthropic/Claude-4.5*"]\ninput = 3.0\noutput = 15.0\n'
    found, faults = settings.parse(text)
    assert faults == []
    assert found is not None and list(found.overrides()) == ["anthropic/Claude-4.5*"]
    assert settings.parse('[providers."a/b"]\nbase_url = "https://x.example/v1"\n')[1][0].message.startswith(
        "is no name"
    )
