"""The tables of `history.db`, as the migrations make them. No prompts, no answers, no keys, ever.

`request` and `attempt` are views over tables in which what is repeated stands once (see `packing`).
"""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel

WITHOUT_ROWID = {"sqlite_with_rowid": False}


class Untyped(UserDefinedType[object]):
    """A column of no type: SQLite keeps each value as what it is."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """What stands in the column's place for a type."""
        return ""


VIEW = {"info": {"view": True}}  # read only


class _Usage(SQLModel):
    """Tokens and money. None: not known."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None


class ProfileRow(SQLModel, table=True):
    """A profile ever seen."""

    __tablename__ = "profile"

    id: str = Field(primary_key=True)
    provider: str
    label: str
    account: str
    base_url: str
    key_fingerprint: str
    key_tail: str
    source: str
    priority: int
    tags: str
    admin_state: str
    admin_until_at: int | None = None
    reauth_reason: str | None = None
    created_at: int
    removed_at: int | None = None


class _Tokens(SQLModel):
    """Tokens, and money as `packing.packed_money` has it."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = Field(default=None, sa_type=Untyped)


class RequestRow(_Usage, table=True):
    """A client's request; a view. Ids are in the order of time."""

    __tablename__ = "request"
    __table_args__ = (VIEW,)

    id: str = Field(primary_key=True)
    started_at: int
    ended_at: int | None = None
    client: str
    provider: str | None = None
    protocol: str
    path: str
    model: str | None = None
    stream: bool
    outcome: str | None = None
    status_code: int | None = None
    profile_id: str | None = None
    attempts: int | None = None
    failovers: int | None = None
    wait_ms: int | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    request_bytes: int
    response_bytes: int | None = None
    cost_source: str | None = None
    reason: str | None = None


class RequestDataRow(_Tokens, table=True):
    """A request, with its call where there was one alone."""

    __tablename__ = "request_data"
    __table_args__ = (
        Index("request_open", "id", sqlite_where=text("ended IS NULL")),
        Index("request_unserved", "id", sqlite_where=text("ending < 0")),
        WITHOUT_ROWID,
    )

    id: str = Field(primary_key=True)
    kind: int
    ending: int | None = None
    ended: int | None = None
    wait_ms: int | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    request_bytes: int
    response_bytes: int | None = None
    upstream_id: str | None = Field(default=None, sa_type=Untyped)
    chunks: int | None = None
    more: str | None = None


class RequestKindRow(SQLModel, table=True):
    """What requests ask for: a combination."""

    __tablename__ = "request_kind"
    __table_args__ = (Index("request_kind_by", "model", "client", "path"),)

    id: int | None = Field(default=None, primary_key=True)
    used_at: int
    client: str
    provider: str | None = None
    protocol: str
    path: str
    model: str | None = None
    stream: bool


class RequestEndRow(SQLModel, table=True):
    """How requests end: a combination. What was not served has a negative id."""

    __tablename__ = "request_end"
    __table_args__ = (Index("request_end_by", "profile_id", "outcome", "status_code"),)

    id: int | None = Field(default=None, primary_key=True)
    used_at: int
    outcome: str
    status_code: int | None = None
    profile_id: str | None = None
    attempts: int | None = None
    failovers: int | None = None
    cost_source: str | None = None
    id_prefix: str
    call_model: str | None = None


class AttemptRow(_Usage, table=True):
    """A call to a provider; a view."""

    __tablename__ = "attempt"
    __table_args__ = (VIEW,)

    id: str = Field(primary_key=True)
    request_id: str
    seq: int
    profile_id: str
    model: str | None = None
    started_at: int
    ended_at: int | None = None
    outcome: str | None = None
    status_code: int | None = None
    error_class: str | None = None
    error_scope: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    retry_after_s: float | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    upstream_request_id: str | None = None
    response_bytes: int | None = None
    cost_source: str | None = None
    reason: str | None = None
    chunks: int | None = None


class AttemptDataRow(_Tokens, table=True):
    """A call that is not in its request's own row."""

    __tablename__ = "attempt_data"
    __table_args__ = (Index("attempt_open", "request_id", sqlite_where=text("clock IS NULL")), WITHOUT_ROWID)

    request_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    kind: int
    fault: int | None = None
    started_at: int
    clock: int | None = None
    retry_after_s: float | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    response_bytes: int | None = None
    upstream_id: str | None = Field(default=None, sa_type=Untyped)
    chunks: int | None = None


class AttemptKindRow(SQLModel, table=True):
    """What calls with a row of their own were and how they ended: a combination."""

    __tablename__ = "attempt_kind"
    __table_args__ = (Index("attempt_kind_by", "profile_id", "model", "outcome"),)

    id: int | None = Field(default=None, primary_key=True)
    used_at: int
    profile_id: str
    model: str | None = None
    outcome: str | None = None
    status_code: int | None = None
    cost_source: str | None = None
    id_prefix: str


class AttemptFaultRow(SQLModel, table=True):
    """Why calls failed: a combination."""

    __tablename__ = "attempt_fault"
    __table_args__ = (Index("attempt_fault_by", "error_class", "error_code", "reason"),)

    id: int | None = Field(default=None, primary_key=True)
    used_at: int
    error_class: str | None = None
    error_scope: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    reason: str | None = None


class AttemptUsageRow(SQLModel, table=True):
    """The provider's own words on the usage of one of the latest attempts, as JSON."""

    __tablename__ = "attempt_usage"
    __table_args__ = (UniqueConstraint("attempt_id"),)

    n: int | None = Field(default=None, primary_key=True)
    attempt_id: str
    usage: str


class FailoverRow(SQLModel, table=True):
    """A change of profile."""

    __tablename__ = "failover"
    __table_args__ = (Index("failover_at", "at"), Index("failover_request", "request_id"))

    id: int | None = Field(default=None, primary_key=True)
    request_id: str | None = None
    at: int
    from_profile: str | None = None
    to_profile: str
    reason: str
    manual: bool


class QuotaEventRow(SQLModel, table=True):
    """A change of what is known of a quota."""

    __tablename__ = "quota_event"
    __table_args__ = (Index("quota_event_at", "at"),)

    id: int | None = Field(default=None, primary_key=True)
    at: int
    profile_id: str
    account: str
    scope: str
    kind: str
    limit_value: float | None = None
    remaining: float | None = None
    unit: str | None = None
    resets_at: int | None = None
    source: str
    reason: str | None = None


class SegmentRow(SQLModel, table=True):
    """A stretch of a stitched stream."""

    __tablename__ = "segment"
    __table_args__ = (UniqueConstraint("request_id", "seq"),)

    id: int | None = Field(default=None, primary_key=True)
    request_id: str
    seq: int
    attempt_id: str
    profile_id: str
    started_at: int
    ended_at: int | None = None
    chars: int | None = None
    overlap_dropped: int | None = None
    end: str | None = None


class OperatorEventRow(SQLModel, table=True):
    """What an operator, or the app itself, did to a profile."""

    __tablename__ = "operator_event"
    __table_args__ = (Index("operator_event_at", "at"),)

    id: int | None = Field(default=None, primary_key=True)
    at: int
    actor: str
    verb: str
    profile_id: str | None = None
    detail: str | None = None


class UsageHourRow(_Usage, table=True):
    """Requests of one hour by profile, model and client."""

    __tablename__ = "usage_hour"
    __table_args__ = (WITHOUT_ROWID,)

    hour_at: int = Field(primary_key=True)
    profile_id: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    client: str = Field(primary_key=True)
    requests: int
    served: int
    attempts: int
    failovers: int
    request_bytes: int
    response_bytes: int
    duration_ms: int
    latency_histogram: str | None = None
    saved: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    cancelled: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    unpriced: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class UsageDayRow(_Usage, table=True):
    """Requests of one day that is over, by profile, model and client."""

    __tablename__ = "usage_day"
    __table_args__ = (WITHOUT_ROWID,)

    day_at: int = Field(primary_key=True)
    profile_id: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    client: str = Field(primary_key=True)
    requests: int
    served: int
    attempts: int
    failovers: int
    request_bytes: int
    response_bytes: int
    duration_ms: int
    saved: int
    cancelled: int
    unpriced: int
    latency_histogram: str | None = None


class FaultHourRow(SQLModel, table=True):
    """Calls of one hour that failed, by class, and what failing over spared."""

    __tablename__ = "fault_hour"
    __table_args__ = (WITHOUT_ROWID,)

    hour_at: int = Field(primary_key=True)
    profile_id: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    client: str = Field(primary_key=True)
    error_class: str = Field(primary_key=True)
    calls: int
    failovers: int
    spared_ms: int
    spared_usd: float | None = None


class CooldownRow(SQLModel, table=True):
    """A rest that survives a restart."""

    __tablename__ = "cooldown"
    __table_args__ = (WITHOUT_ROWID,)

    profile_id: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    until_at: int
    since_at: int
    error_class: str
    source: str
    reason: str


class UnknownAnswerRow(SQLModel, table=True):
    """A kind of error that no rule knew, without anything of the user's."""

    __tablename__ = "unknown_answer"
    __table_args__ = (WITHOUT_ROWID,)

    shape: str = Field(primary_key=True)
    provider: str
    status: int
    line: str
    count: int
    first_at: int
    last_at: int


class AppStateRow(SQLModel, table=True):
    """What the app remembers across restarts, such as the preferred profile."""

    __tablename__ = "app_state"
    __table_args__ = (WITHOUT_ROWID,)

    name: str = Field(primary_key=True)
    value: str
