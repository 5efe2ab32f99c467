"""The settings: names, kinds, bounds and defaults, as `config.toml` has them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from tray_app.core.breaker import BreakerRules
from tray_app.core.cost import Price
from tray_app.core.policy import Backoff, Lane, Rules, Strategy, Target, said_of
from tray_app.core.providers import BUILT_IN, KeyHeader, Provider, canonical, custom
from tray_app.core.score import Weights
from tray_app.core.values import Profile, Protocol

MOST = 1_000_000_000  # beyond all sense, and short of what arithmetic or the system refuses
Count = Annotated[int, Meta(ge=0, le=MOST)]
Positive = Annotated[int, Meta(ge=1, le=MOST)]
Seconds = Annotated[float, Meta(gt=0, le=MOST)]
Weight = Annotated[float, Meta(ge=-1000, le=1000)]
Share = Annotated[float, Meta(ge=0, le=1)]


class BackoffTable(Struct, frozen=True, forbid_unknown_fields=True):
    base_ms: Count = 1000
    multiplier: Annotated[float, Meta(ge=1, le=1000)] = 2.0
    max_ms: Count = 30_000
    jitter: Literal["full", "equal", "none"] = "full"


class WeightsTable(Struct, frozen=True, forbid_unknown_fields=True):
    health: Weight = 1.0
    latency: Weight = 0.5
    failure: Weight = 0.8
    priority: Weight = 0.3


class BreakerTable(Struct, frozen=True, forbid_unknown_fields=True):
    failure_threshold: Positive = 5
    failure_rate_threshold: Share = 0.5
    sliding_window_size: Positive = 10
    half_open_after_ms: Count = 30_000
    half_open_max_probes: Positive = 1
    success_threshold: Positive = 2


class SwitcherTable(Struct, frozen=True, forbid_unknown_fields=True):
    retry: Count = 3
    retry_budget: Count | None = None
    failover_budget: Count | Literal["all"] = 2
    max_attempts: Positive = 12
    timeout: Positive = 30_000
    max_expected_latency_ms: Positive | None = None
    backoff: BackoffTable = BackoffTable()
    routing_weights: WeightsTable = WeightsTable()
    concurrency_limit: Positive = 10
    queue_limit: Count = 100
    backpressure_threshold: Count = 50
    circuit_breaker: BreakerTable = BreakerTable()
    strategy: Literal["sticky", "priority", "round_robin", "least_used", "soonest_reset", "score"] = "sticky"
    on_auth_error: Literal["failover", "stop"] = "failover"
    hold_until_reset_s: Annotated[float, Meta(ge=0, le=MOST)] = 0
    short_wait_s: Annotated[float, Meta(ge=0, le=60)] = 5
    failback_after_s: Annotated[float, Meta(ge=0, le=MOST)] = 60


class TargetTable(Struct, frozen=True, forbid_unknown_fields=True):
    target_id: str | None = None
    provider_id: str | None = None
    profile: str | None = None
    endpoint_id: str | None = None
    capabilities: tuple[str, ...] = ("chat",)
    enabled: bool = True
    operator_priority: int = 0
    policy_tags: tuple[str, ...] = ()
    retry_budget: Count | None = None
    failover_budget: Count | Literal["all"] | None = None
    backoff: BackoffTable | None = None
    concurrency_limit: Positive | None = None
    circuit_breaker: BreakerTable | None = None

    @property
    def profile_id(self) -> str:
        """The profile that it stands for, named whole or by provider and label; `openrouter-*`: all of a provider."""
        provider = canonical(self.provider_id) if self.provider_id else ""
        name = self.profile or ("*" if provider else self.target_id or "")
        return name if not provider or name.startswith(f"{provider}-") else f"{provider}-{name}"

    def rules(self) -> Target:
        """What it says to the policy."""
        budget = self.failover_budget
        return Target(
            self.retry_budget,
            None if budget is None else (_budget(budget),),
            None if self.backoff is None else _backoff(self.backoff),
            self.concurrency_limit,
            None if self.circuit_breaker is None else _breaker(self.circuit_breaker),
        )


def _budget(budget: int | str) -> int | None:
    return budget if isinstance(budget, int) else None  # "all"


def _backoff(table: BackoffTable) -> Backoff:
    return Backoff(table.base_ms, table.multiplier, table.max_ms, table.jitter)


def _breaker(table: BreakerTable) -> BreakerRules:
    return BreakerRules(
        table.failure_threshold,
        table.failure_rate_threshold,
        table.sliding_window_size,
        table.half_open_after_ms,
        table.half_open_max_probes,
        table.success_threshold,
    )


class TimeoutsTable(Struct, frozen=True, forbid_unknown_fields=True):
    connect: Seconds = 10.0
    first_byte: Seconds = 120.0
    idle: Seconds = 300.0
    total_non_stream: Seconds = 600.0


class StreamsTable(Struct, frozen=True, forbid_unknown_fields=True, rename={"continue_": "continue"}):
    continue_: Literal["auto", "off"] = "auto"


class ProxyTable(Struct, frozen=True, forbid_unknown_fields=True):
    port: Annotated[int, Meta(ge=0, le=65535)] = 4417
    host: str = "127.0.0.1"
    allow_remote: bool = False
    max_body_mb: Annotated[int, Meta(ge=1, le=1024)] = 64


class ProviderTable(Struct, frozen=True, forbid_unknown_fields=True):
    base_url: str | None = None
    protocol: Protocol | None = None
    auth_header: KeyHeader | None = None


class RouteTable(Struct, frozen=True, forbid_unknown_fields=True):
    model: str
    targets: tuple[str, ...]


def _lane(target: str) -> Lane:
    """`openrouter:anthropic/claude-sonnet-4.5` -> a provider and what it calls the model."""
    provider, _, model = target.partition(":")
    return Lane(canonical(provider), model)


class HistoryTable(Struct, frozen=True, forbid_unknown_fields=True):
    keep_days: Positive = 90
    max_size_mb: Positive = 1024


class SecretsTable(Struct, frozen=True, forbid_unknown_fields=True):
    store: Literal["auto", "keyring", "file"] = "auto"


class QuotaTable(Struct, frozen=True, forbid_unknown_fields=True):
    polling: bool = True
    warn_at: tuple[Annotated[int, Meta(ge=1, le=100)], ...] = (80, 95)
    reserve_percent: Annotated[float, Meta(ge=0, lt=100)] = 0


class NotificationsTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What a desktop is told of. Names but the first are those of `control.news.NewsKind`."""

    enabled: bool = True
    switched: bool = True
    warned: bool = True
    exhausted: bool = True
    back: bool = True
    reauth: bool = True
    all_exhausted: bool = True
    connected: bool = True


class PriceTable(Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars for a million tokens."""

    input: Annotated[float, Meta(ge=0)]
    output: Annotated[float, Meta(ge=0)]
    cache_read: Annotated[float, Meta(ge=0)] | None = None
    cache_write: Annotated[float, Meta(ge=0)] | None = None


class DiscoveryTable(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. Field names are those of the file."""

    switcher: SwitcherTable = SwitcherTable()
    targets: tuple[TargetTable, ...] = ()
    timeouts: TimeoutsTable = TimeoutsTable()
    streams: StreamsTable = StreamsTable()
    proxy: ProxyTable = ProxyTable()
    providers: dict[str, ProviderTable] = {}
    routes: tuple[RouteTable, ...] = ()
    history: HistoryTable = HistoryTable()
    secrets: SecretsTable = SecretsTable()
    quota: QuotaTable = QuotaTable()
    notifications: NotificationsTable = NotificationsTable()
    discovery: DiscoveryTable = DiscoveryTable()
    prices: dict[str, PriceTable] = {}

    def overrides(self) -> dict[str, Price]:
        """The user's own prices, by a model's name or a glob."""
        return {
            name: Price(one.input, one.output, one.cache_read, one.cache_write) for name, one in self.prices.items()
        }

    @property
    def discovers(self) -> bool:
        """Whether keys are taken over by themselves; targets that are named say who serves, and turn that off."""
        return self.discovery.enabled and not self.targets

    def rules(self) -> Rules:
        """What the policy obeys."""
        table, weights = self.switcher, self.switcher.routing_weights
        return Rules(
            retry_budget=table.retry if table.retry_budget is None else table.retry_budget,
            failover_budget=_budget(table.failover_budget),
            max_attempts=table.max_attempts,
            backoff=_backoff(table.backoff),
            short_wait_ms=round(table.short_wait_s * 1000),
            hold_ms=round(table.hold_until_reset_s * 1000),
            stop_on_auth_error=table.on_auth_error == "stop",
            strategy=Strategy(table.strategy),
            weights=Weights(weights.health, weights.latency, weights.failure, weights.priority),
            slow_ms=table.timeout if table.max_expected_latency_ms is None else table.max_expected_latency_ms,
            breaker=_breaker(table.circuit_breaker),
            concurrency_limit=table.concurrency_limit,
            queue_limit=table.queue_limit,
            failback_ms=round(table.failback_after_s * 1000),
            goes_on=self.streams.continue_ == "auto",
            reserve_percent=self.quota.reserve_percent,
            warn_at=self.quota.warn_at,
            targets={profile: table.rules() for profile, table in self.targets_by_profile().items()},
        )

    def targets_by_profile(self) -> dict[str, TargetTable]:
        """The targets, by the profile that each stands for."""
        return {table.profile_id: table for table in self.targets}

    def overlaid(self, profile: Profile) -> Profile:
        """`profile` as its target has it, if there is one."""
        table = said_of(self.targets_by_profile(), profile.id)
        if table is None:
            return replace(profile, capabilities=(), enabled=True)
        return replace(
            profile,
            priority=table.operator_priority,
            tags=tuple(dict.fromkeys((*profile.tags, *table.policy_tags))),
            capabilities=table.capabilities,
            enabled=table.enabled,
        )

    def ways(self) -> dict[str, tuple[Lane, ...]]:
        """Where each route's name leads, in order."""
        return {table.model: tuple(map(_lane, table.targets)) for table in self.routes}

    def known_providers(self) -> dict[str, Provider]:
        """The built-in providers, with those of the file added or overriding."""
        known = dict(BUILT_IN)
        for name, table in self.providers.items():
            like = known.get(canonical(name))
            url = table.base_url or (like.base_url if like else "")
            changes: dict[str, object] = {}
            if table.auth_header is not None:
                changes["key_header"] = table.auth_header
            if table.protocol is not None:
                changes["protocols"] = frozenset({table.protocol, Protocol.OTHER})
            known[canonical(name)] = custom(canonical(name), url, like=like, **changes)
        return known
