-- The ledger as it began. Times are UTC milliseconds since the epoch, durations milliseconds.

CREATE TABLE profile (
    id TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    account TEXT NOT NULL,
    base_url TEXT NOT NULL,
    key_fingerprint TEXT NOT NULL,
    key_tail TEXT NOT NULL,
    source TEXT NOT NULL,
    priority INTEGER NOT NULL,
    tags TEXT NOT NULL,
    admin_state TEXT NOT NULL,
    admin_until_at INTEGER,
    reauth_reason TEXT,
    created_at INTEGER NOT NULL,
    removed_at INTEGER
);

CREATE TABLE request (
    id TEXT NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    client TEXT NOT NULL,
    provider TEXT,
    protocol TEXT NOT NULL,
    path TEXT NOT NULL,
    model TEXT,
    stream BOOLEAN NOT NULL,
    outcome TEXT,
    status_code INTEGER,
    profile_id TEXT,
    attempts INTEGER,
    failovers INTEGER,
    wait_ms INTEGER,
    ttft_ms INTEGER,
    duration_ms INTEGER,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost_usd FLOAT,
    cost_source TEXT,
    reason TEXT
) WITHOUT ROWID;
CREATE INDEX request_open ON request (started_at) WHERE ended_at IS NULL;

CREATE TABLE attempt (
    id INTEGER NOT NULL PRIMARY KEY,
    request_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    profile_id TEXT NOT NULL,
    model TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    status_code INTEGER,
    error_class TEXT,
    error_scope TEXT,
    error_code TEXT,
    error_message TEXT,
    retry_after_s FLOAT,
    ttft_ms INTEGER,
    duration_ms INTEGER,
    upstream_request_id TEXT,
    response_bytes INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost_usd FLOAT,
    cost_source TEXT,
    reason TEXT,
    UNIQUE (request_id, seq)
);
CREATE INDEX attempt_open ON attempt (started_at) WHERE ended_at IS NULL;

CREATE TABLE failover (
    id INTEGER NOT NULL PRIMARY KEY,
    request_id TEXT,
    at INTEGER NOT NULL,
    from_profile TEXT,
    to_profile TEXT NOT NULL,
    reason TEXT NOT NULL,
    manual BOOLEAN NOT NULL
);
CREATE INDEX failover_at ON failover (at);
CREATE INDEX failover_request ON failover (request_id);

CREATE TABLE quota_event (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    profile_id TEXT NOT NULL,
    account TEXT NOT NULL,
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    limit_value FLOAT,
    remaining FLOAT,
    unit TEXT,
    resets_at INTEGER,
    source TEXT NOT NULL,
    reason TEXT
);
CREATE INDEX quota_event_at ON quota_event (at);

CREATE TABLE segment (
    id INTEGER NOT NULL PRIMARY KEY,
    request_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL,
    profile_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    chars INTEGER,
    overlap_dropped INTEGER,
    "end" TEXT,
    UNIQUE (request_id, seq)
);

CREATE TABLE operator_event (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    profile_id TEXT,
    detail TEXT
);
CREATE INDEX operator_event_at ON operator_event (at);

-- One row an hour, profile, model and client: what reports read. '' stands for none.
CREATE TABLE usage_hour (
    hour_at INTEGER NOT NULL,
    profile_id TEXT NOT NULL,
    model TEXT NOT NULL,
    client TEXT NOT NULL,
    requests INTEGER NOT NULL,
    served INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    failovers INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost_usd FLOAT,
    latency_histogram TEXT,
    PRIMARY KEY (hour_at, profile_id, model, client)
) WITHOUT ROWID;

-- What survives a restart. '' in model stands for every model.
CREATE TABLE cooldown (
    profile_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    model TEXT NOT NULL,
    until_at INTEGER NOT NULL,
    since_at INTEGER NOT NULL,
    error_class TEXT NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (profile_id, scope, model)
) WITHOUT ROWID;

CREATE TABLE app_state (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE VIEW v_recent_requests AS
SELECT id, datetime(started_at / 1000, 'unixepoch') AS started_utc, client, model, stream, outcome, status_code,
       profile_id, attempts, failovers, ttft_ms, duration_ms, reason
FROM request ORDER BY id DESC;

CREATE VIEW v_daily_usage AS
SELECT date(hour_at / 1000, 'unixepoch') AS day_utc, profile_id, model, sum(requests) AS requests,
       sum(served) AS served, sum(failovers) AS failovers, sum(input_tokens) AS input_tokens,
       sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd
FROM usage_hour GROUP BY day_utc, profile_id, model ORDER BY day_utc DESC;

CREATE VIEW v_profile_health AS
SELECT p.id, p.provider, p.account, p.admin_state, p.reauth_reason,
       (SELECT max(until_at) FROM cooldown c WHERE c.profile_id = p.id) AS resting_until_at,
       (SELECT sum(requests) FROM usage_hour u WHERE u.profile_id = p.id) AS requests,
       (SELECT sum(served) FROM usage_hour u WHERE u.profile_id = p.id) AS served
FROM profile p WHERE p.removed_at IS NULL;
