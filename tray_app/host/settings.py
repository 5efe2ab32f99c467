"""`config.toml` -> settings. Everything optional; a fault is named by line and key, and nothing is half applied.

The tables below are the settings: their names, kinds, bounds and defaults.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, structs

from tray_app.core.address import BadAddress, base_of
from tray_app.core.policy import Backoff, Rules
from tray_app.core.providers import BUILT_IN, RESERVED_NAMES, KeyHeader, Provider, canonical, custom
from tray_app.core.values import Protocol

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.\-]{0,63}$")]


class BackoffTable(Struct, frozen=True, forbid_unknown_fields=True):
    base_ms: Count = 1000
    multiplier: Annotated[float, Meta(ge=1)] = 2.0
    max_ms: Count = 30_000
    jitter: Literal["full", "equal", "none"] = "full"


class WeightsTable(Struct, frozen=True, forbid_unknown_fields=True):
    health: float = 1.0
    latency: float = 0.5
    failure: float = 0.8
    priority: float = 0.3


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
    hold_until_reset_s: Annotated[float, Meta(ge=0)] = 0


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
    failover_budget: Count | None = None
    backoff: BackoffTable | None = None
    concurrency_limit: Positive | None = None
    circuit_breaker: BreakerTable | None = None


class TimeoutsTable(Struct, frozen=True, forbid_unknown_fields=True):
    connect: Seconds = 10.0
    first_byte: Seconds = 120.0
    idle: Seconds = 300.0
    total_non_stream: Seconds = 600.0


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
    enabled: bool = True


class DiscoveryTable(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. Field names are those of the file."""

    switcher: SwitcherTable = SwitcherTable()
    targets: tuple[TargetTable, ...] = ()
    timeouts: TimeoutsTable = TimeoutsTable()
    proxy: ProxyTable = ProxyTable()
    providers: dict[Name, ProviderTable] = {}
    routes: tuple[RouteTable, ...] = ()
    history: HistoryTable = HistoryTable()
    secrets: SecretsTable = SecretsTable()
    quota: QuotaTable = QuotaTable()
    notifications: NotificationsTable = NotificationsTable()
    discovery: DiscoveryTable = DiscoveryTable()

    def rules(self) -> Rules:
        """What the policy obeys."""
        table = self.switcher
        budget = table.failover_budget
        return Rules(
            table.retry if table.retry_budget is None else table.retry_budget,
            None if budget == "all" else budget,
            table.max_attempts,
            Backoff(table.backoff.base_ms, table.backoff.multiplier, table.backoff.max_ms, table.backoff.jitter),
            hold_ms=round(table.hold_until_reset_s * 1000),
            stop_on_auth_error=table.on_auth_error == "stop",
        )

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


# Accepted and checked, but without effect in this version; `config check` says so.
NOT_YET = (
    "switcher.routing_weights",
    "switcher.timeout",
    "switcher.max_expected_latency_ms",
    "switcher.concurrency_limit",
    "switcher.queue_limit",
    "switcher.backpressure_threshold",
    "switcher.circuit_breaker",
    "switcher.strategy",
    "targets",
    "routes",
    "history",
    "quota",
    "notifications",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the file. `line` is None where it cannot be told."""

    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.key}: {self.message}" if self.key else f"{where}{self.message}"


class Faulty(Exception):
    """The file is refused whole."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{path}: {fault}" for fault in faults))
        self.path = path
        self.faults = faults


def load(path: Path) -> Settings:
    """The settings in `path`; all defaults where there is no such file.

    Raises:
        Faulty: the file has faults; each is named.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise Faulty(path, [Fault(None, "", f"cannot be read: {error}")]) from error
    settings, faults = parse(text)
    if settings is None:
        raise Faulty(path, faults)
    return settings


_POSITION = re.compile(r"\(at line (\d+), column \d+\)")


def parse(text: str) -> tuple[Settings | None, list[Fault]]:
    """The settings in `text`, or None and every fault in it."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.search(str(error))
        words = _POSITION.sub("", str(error)).strip()
        return None, [Fault(int(found.group(1)) if found else None, "", f"this is not valid TOML: {words}")]
    lines = _lines_of(text)
    faults = [Fault(_line(lines, path), _spelled(path), words) for path, words in _faults(document, Settings, ())]
    if faults:
        return None, faults
    settings = msgspec.convert(document, Settings)
    faults = [Fault(_line(lines, path), _spelled(path), words) for path, words in _senseless(settings)]
    return (None, faults) if faults else (settings, [])


Path_ = tuple[str | int, ...]


def _faults(value: object, kind: Any, path: Path_) -> Iterator[tuple[Path_, str]]:
    """Every value that does not fit its kind, not just the first."""
    table = _table_in(kind)
    if table is None:
        yield from _misfit(value, kind, path)
    elif isinstance(table, list):
        yield from _faults_in_list(value, table[0], path)
    elif isinstance(table, dict):
        for name, inner in value.items() if isinstance(value, dict) else ():
            yield from _misfit(name, Name, (*path, name))
            yield from _faults(inner, table["value"], (*path, name))
    elif not isinstance(value, dict):
        yield path, "must be a table"
    else:
        fields = {field.name: field for field in structs.fields(table)}
        for name, inner in value.items():
            if name not in fields:
                yield (*path, name), f"is not a known setting{_did_you_mean(name, fields)}"
            else:
                yield from _faults(inner, fields[name].type, (*path, name))
        for field in fields.values():
            if field.required and field.name not in value:
                yield (*path, field.name), "is missing"


def _faults_in_list(value: object, table: Any, path: Path_) -> Iterator[tuple[Path_, str]]:
    if not isinstance(value, list):
        yield path, f"must be a list of tables: [[{path[-1]}]]"
        return
    for place, item in enumerate(value):
        yield from _faults(item, table, (*path, place))


def _table_in(kind: Any) -> Any:
    """The Struct, [Struct] or {"value": Struct} that `kind` stands for; None for a plain value."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    arguments = get_args(kind)
    if get_origin(kind) is tuple and isinstance(arguments[0], type) and issubclass(arguments[0], Struct):
        return [arguments[0]]
    if get_origin(kind) is dict:
        return {"value": arguments[1]}
    return next((_table_in(one) for one in arguments if isinstance(one, type) and issubclass(one, Struct)), None)


def _misfit(value: object, kind: Any, path: Path_) -> Iterator[tuple[Path_, str]]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield path, _plain_words(str(error), kind)


def _plain_words(words: str, kind: Any) -> str:
    words = words.partition(" - at `")[0]
    choices = [one for part in (kind, *get_args(kind)) if get_origin(part) is Literal for one in get_args(part)]
    if choices and "enum" in words.lower():
        return f"must be one of {', '.join(map(str, choices))}"
    return words[:1].lower() + words[1:].replace("`", "")


def _did_you_mean(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _senseless(settings: Settings) -> Iterator[tuple[Path_, str]]:
    """Values that fit but cannot be meant."""
    proxy = settings.proxy
    if proxy.host not in ("127.0.0.1", "localhost", "::1") and not proxy.allow_remote:
        yield ("proxy", "host"), "is not the loopback address; set proxy.allow_remote = true if that is meant"
    for name, table in settings.providers.items():
        if canonical(name) in RESERVED_NAMES:
            yield ("providers", name), "is a reserved name; choose another"
        if table.base_url is None and canonical(name) not in BUILT_IN:
            yield ("providers", name), "needs a base_url, since no provider of that name is built in"
        if table.base_url is not None:
            try:
                base_of(table.base_url)
            except BadAddress as error:
                yield ("providers", name, "base_url"), str(error)


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def _lines_of(text: str) -> dict[Path_, int]:
    """The line of each key and table header, by path; items of a list of tables are counted."""
    lines: dict[Path_, int] = {}
    table: Path_ = ()
    counts: dict[Path_, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header.group(2))
            if header.group(1) == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            parts = _parts(key.group(1))
            for end in range(1, len(parts) + 1):
                lines.setdefault((*table, *parts[:end]), number)
    return lines


def _parts(dotted: str) -> Path_:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _line(lines: Mapping[Path_, int], path: Path_) -> int | None:
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _spelled(path: Path_) -> str:
    return ".".join(str(part) for part in path)


def set_in_file(path: Path, key: str, text: str) -> Settings:
    """Change one setting in the file, keeping its comments and order.

    Args:
        key: dotted, such as `switcher.retry`.
        text: the value in TOML, or a bare word for a string.

    Raises:
        Faulty: the file or the value has faults; nothing was written.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from tray_app.host.home import write_private

    before = path.read_text("utf-8") if path.exists() else ""
    try:
        document = tomlkit.parse(before)
    except TOMLKitError as error:
        raise Faulty(path, [Fault(None, "", f"this is not valid TOML: {error}")]) from error
    *tables, name = key.split(".")
    place: Any = document
    for part in tables:
        if part not in place:
            place[part] = tomlkit.table()
        place = place[part]
        if not hasattr(place, "keys"):
            raise Faulty(path, [Fault(None, key, f"{part} is a value, not a table")])
    place[name] = _toml_value(text)
    after = tomlkit.dumps(document)
    settings, faults = parse(after)
    if settings is None:
        raise Faulty(path, faults)
    write_private(path, after.encode())
    return settings


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def without_effect(path: Path) -> list[str]:
    """The settings in the file that are accepted but have no effect in this version."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    given = {_spelled(key) for key in _lines_of(text)}
    return [key for key in NOT_YET if any(name == key or name.startswith(f"{key}.") for name in given)]
