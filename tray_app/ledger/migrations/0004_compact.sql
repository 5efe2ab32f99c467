-- The same history in a quarter of the space. What is repeated from row to row stands once, in tables of its own, and a
-- request's only call stands in the request's own row. `request` and `attempt` are views that show it all as before.

ALTER TABLE request RENAME TO old_request;
ALTER TABLE attempt RENAME TO old_attempt;
ALTER TABLE attempt_usage RENAME TO old_attempt_usage;
ALTER TABLE segment RENAME TO old_segment;
DROP INDEX request_open;
DROP INDEX attempt_open;
DROP VIEW v_recent_requests;
DROP VIEW v_daily_usage;
DROP VIEW v_profile_health;

-- What reports need of an hour besides: requests that were served after a failover, and those whose client left.
ALTER TABLE usage_hour ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;
CREATE TEMP TABLE hour_sums AS
SELECT started_at / 3600000 * 3600000 AS hour_at, coalesce(profile_id, '') AS profile_id, coalesce(model, '') AS model,
       client, sum(outcome = 'served' AND failovers > 0) AS saved, sum(outcome = 'client_cancelled') AS cancelled
FROM old_request WHERE ended_at IS NOT NULL AND (failovers > 0 OR outcome = 'client_cancelled') GROUP BY 1, 2, 3, 4;
CREATE INDEX temp.hour_sums_by ON hour_sums (hour_at, profile_id, model, client);
UPDATE usage_hour AS u SET
    saved = coalesce((SELECT h.saved FROM hour_sums h
                      WHERE (h.hour_at, h.profile_id, h.model, h.client)
                          = (u.hour_at, u.profile_id, u.model, u.client)), 0),
    cancelled = coalesce((SELECT h.cancelled FROM hour_sums h
                          WHERE (h.hour_at, h.profile_id, h.model, h.client)
                              = (u.hour_at, u.profile_id, u.model, u.client)), 0);
DROP TABLE hour_sums;

CREATE TABLE request_kind (
    -- What requests ask for. Each combination stands once.
    id INTEGER NOT NULL PRIMARY KEY,
    used_at INTEGER NOT NULL,  -- the UTC day of the latest request of this kind, ms; forgotten with that day
    client TEXT NOT NULL,      -- whose token it came with
    provider TEXT,             -- who served, or was asked
    protocol TEXT NOT NULL,    -- openai_chat, openai_responses, anthropic, ...
    path TEXT NOT NULL,        -- below the provider's base URL
    model TEXT,                -- as the client named it
    stream BOOLEAN NOT NULL    -- whether a streamed answer was wanted
);
CREATE INDEX request_kind_by ON request_kind (model, client, path);

CREATE TABLE request_end (
    -- How requests end. Each combination stands once; what was not served has a negative id.
    id INTEGER NOT NULL PRIMARY KEY,
    used_at INTEGER NOT NULL,  -- the UTC day of the latest request that ended so, ms; forgotten with that day
    outcome TEXT NOT NULL,     -- served, failed, exhausted, refused, client_cancelled, interrupted
    status_code INTEGER,       -- what the client was told
    profile_id TEXT,           -- who served, or was tried last
    attempts INTEGER,          -- calls made for it
    failovers INTEGER,         -- changes of profile made for it
    cost_source TEXT,          -- who says what it cost: provider, override, genai-prices
    id_prefix TEXT NOT NULL,   -- how the provider's own ids of such calls begin
    call_model TEXT            -- what the provider calls the model; NULL: as the client does
);
CREATE INDEX request_end_by ON request_end (profile_id, outcome, status_code);

CREATE TABLE attempt_kind (
    -- Calls that have a row of their own: what they were and how they ended. Each combination stands once.
    id INTEGER NOT NULL PRIMARY KEY,
    used_at INTEGER NOT NULL,  -- the UTC day of the latest such call, ms; forgotten with that day
    profile_id TEXT NOT NULL,  -- who was called
    model TEXT,                -- as the provider names it
    outcome TEXT,              -- served, failed, client_cancelled, interrupted; NULL while it goes on
    status_code INTEGER,       -- what the provider answered
    cost_source TEXT,          -- who says what it cost
    id_prefix TEXT NOT NULL    -- how the provider's own ids of such calls begin
);
CREATE INDEX attempt_kind_by ON attempt_kind (profile_id, model, outcome);

CREATE TABLE attempt_fault (
    -- Why calls failed. Each combination stands once.
    id INTEGER NOT NULL PRIMARY KEY,
    used_at INTEGER NOT NULL,  -- the UTC day of the latest call that failed so, ms; forgotten with that day
    error_class TEXT,          -- rate_limited, quota_exhausted, auth, server_error, ...
    error_scope TEXT,          -- what it holds for: key, account, key_model, model, provider, egress
    error_code TEXT,           -- the provider's own
    error_message TEXT,        -- the provider's own, at most 200 characters, keys taken out
    reason TEXT                -- in our words
);
CREATE INDEX attempt_fault_by ON attempt_fault (error_class, error_code, reason);

CREATE TABLE request_data (
    -- One row a request, and its call in the same row where there was one alone. Read it through the view `request`.
    id TEXT NOT NULL PRIMARY KEY,  -- 9 characters of the time it began (ms), 5 of chance, in Crockford's base 32
    kind INTEGER NOT NULL,         -- what was asked for: request_kind
    ending INTEGER,                -- how it ended: request_end; NULL while it goes on
    ended INTEGER,                 -- NULL while it goes on. Else bits: 2 how much the clock differs from duration_ms,
                                   -- where the call is in this row: 3 + 3 + 3 + the rest, see the view `attempt`
    wait_ms INTEGER,               -- in the queue, or before a retry
    ttft_ms INTEGER,               -- to the first byte that matters
    duration_ms INTEGER,           -- to the last byte
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost,                          -- an INTEGER is billionths of a US dollar, a REAL is US dollars
    upstream_id,                   -- of the call in this row, without its prefix; a BLOB is hexadecimal digits
    chunks INTEGER,                -- of the call in this row: pieces of the stream
    more TEXT                      -- JSON of what few have: reason, and times that do not follow from the rest
) WITHOUT ROWID;
CREATE INDEX request_open ON request_data (id) WHERE ended IS NULL;
CREATE INDEX request_unserved ON request_data (id) WHERE ending < 0;

CREATE TABLE attempt_data (
    -- One row a call that is not in its request's own row. Read it through the view `attempt`.
    request_id TEXT NOT NULL,
    seq INTEGER NOT NULL,       -- 1, 2, ...
    kind INTEGER NOT NULL,      -- attempt_kind
    fault INTEGER,              -- attempt_fault
    started_at INTEGER NOT NULL,
    clock INTEGER,              -- how much the clock differs from duration_ms; NULL while it goes on
    retry_after_s FLOAT,        -- when to come back, as the provider said
    ttft_ms INTEGER,
    duration_ms INTEGER,
    response_bytes INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost,                       -- as in request_data
    upstream_id,                -- as in request_data
    chunks INTEGER,
    PRIMARY KEY (request_id, seq)
) WITHOUT ROWID;
CREATE INDEX attempt_open ON attempt_data (request_id) WHERE clock IS NULL;

CREATE TABLE attempt_usage (
    -- What providers said of the usage of the latest calls, in their own words.
    n INTEGER NOT NULL PRIMARY KEY,
    attempt_id TEXT NOT NULL,   -- attempt.id
    usage TEXT NOT NULL,        -- JSON
    UNIQUE (attempt_id)
);
CREATE TRIGGER attempt_usage_latest AFTER INSERT ON attempt_usage WHEN new.n % 256 = 0 BEGIN
    DELETE FROM attempt_usage WHERE n <= new.n - 10000;
END;

CREATE TABLE segment (
    -- A stretch of a stitched stream.
    id INTEGER NOT NULL PRIMARY KEY,
    request_id TEXT NOT NULL,
    seq INTEGER NOT NULL,       -- 1, 2, ...
    attempt_id TEXT NOT NULL,   -- attempt.id
    profile_id TEXT NOT NULL,   -- who wrote it
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    chars INTEGER,              -- that the client was given of it
    overlap_dropped INTEGER,    -- characters that the next one had repeated
    "end" TEXT,                 -- why it ended
    UNIQUE (request_id, seq)
);

INSERT INTO request_kind (used_at, client, provider, protocol, path, model, stream)
SELECT max(started_at) / 86400000 * 86400000, client, provider, protocol, path, model, stream
FROM old_request GROUP BY client, provider, protocol, path, model, stream;

INSERT INTO request_end (id, used_at, outcome, status_code, profile_id, attempts, failovers, cost_source, id_prefix)
SELECT row_number() OVER () * CASE outcome WHEN 'served' THEN 1 ELSE -1 END, day, outcome, status_code, profile_id,
       attempts, failovers, cost_source, ''
FROM (SELECT max(started_at) / 86400000 * 86400000 AS day, outcome, status_code, profile_id, attempts, failovers,
             cost_source
      FROM old_request WHERE ended_at IS NOT NULL
      GROUP BY outcome, status_code, profile_id, attempts, failovers, cost_source);

INSERT INTO attempt_kind (used_at, profile_id, model, outcome, status_code, cost_source, id_prefix)
SELECT max(started_at) / 86400000 * 86400000, profile_id, model, outcome, status_code, cost_source, ''
FROM old_attempt GROUP BY profile_id, model, outcome, status_code, cost_source;

INSERT INTO attempt_fault (used_at, error_class, error_scope, error_code, error_message, reason)
SELECT max(started_at) / 86400000 * 86400000, error_class, error_scope, error_code, error_message, reason
FROM old_attempt WHERE coalesce(error_class, error_scope, error_code, error_message, reason) IS NOT NULL
GROUP BY error_class, error_scope, error_code, error_message, reason;

INSERT INTO request_data
SELECT r.id,
       (SELECT k.id FROM request_kind k WHERE k.model IS r.model AND k.client IS r.client AND k.path IS r.path
        AND k.provider IS r.provider AND k.protocol IS r.protocol AND k.stream IS r.stream),
       (SELECT e.id FROM request_end e WHERE r.ended_at IS NOT NULL AND e.profile_id IS r.profile_id
        AND e.outcome IS r.outcome AND e.status_code IS r.status_code AND e.attempts IS r.attempts
        AND e.failovers IS r.failovers AND e.cost_source IS r.cost_source),
       CASE WHEN r.ended_at IS NOT NULL THEN
           CASE WHEN r.ended_at - r.started_at - coalesce(r.duration_ms, 0) BETWEEN -1 AND 2
                THEN r.ended_at - r.started_at - coalesce(r.duration_ms, 0) + 1 ELSE 1 END END,
       r.wait_ms, r.ttft_ms, r.duration_ms, r.request_bytes, r.response_bytes, r.input_tokens, r.output_tokens,
       r.cache_read_tokens, r.cache_write_tokens, r.reasoning_tokens,
       CASE WHEN abs(r.cost_usd) < 9e6 AND round(r.cost_usd * 1e9) / 1e9 = r.cost_usd
            THEN CAST(round(r.cost_usd * 1e9) AS INTEGER) ELSE r.cost_usd END,
       NULL, NULL,
       nullif(json_patch('{}', json_object(
           'started_at', nullif(r.started_at,
               (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 1, 1)) - 1 << 40)
               + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 2, 1)) - 1 << 35)
               + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 3, 1)) - 1 << 30)
               + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 4, 1)) - 1 << 25)
               + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 5, 1)) - 1 << 20)
               + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 6, 1)) - 1 << 15)
               + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 7, 1)) - 1 << 10)
               + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 8, 1)) - 1 << 5)
               + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 9, 1)) - 1)),
           'ended_at', CASE WHEN NOT r.ended_at - r.started_at - coalesce(r.duration_ms, 0) BETWEEN -1 AND 2
                            THEN r.ended_at END,
           'reason', r.reason)), '{}')
FROM old_request r ORDER BY r.id;

INSERT INTO attempt_data
SELECT a.request_id, a.seq,
       (SELECT k.id FROM attempt_kind k WHERE k.profile_id IS a.profile_id AND k.model IS a.model
        AND k.outcome IS a.outcome AND k.status_code IS a.status_code AND k.cost_source IS a.cost_source),
       (SELECT f.id FROM attempt_fault f WHERE f.error_class IS a.error_class AND f.error_code IS a.error_code
        AND f.reason IS a.reason AND f.error_scope IS a.error_scope AND f.error_message IS a.error_message),
       a.started_at, a.ended_at - a.started_at - coalesce(a.duration_ms, 0), a.retry_after_s, a.ttft_ms, a.duration_ms,
       a.response_bytes, a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_write_tokens,
       a.reasoning_tokens,
       CASE WHEN abs(a.cost_usd) < 9e6 AND round(a.cost_usd * 1e9) / 1e9 = a.cost_usd
            THEN CAST(round(a.cost_usd * 1e9) AS INTEGER) ELSE a.cost_usd END,
       a.upstream_request_id, a.chunks
FROM old_attempt a ORDER BY a.request_id, a.seq;

INSERT INTO attempt_usage (attempt_id, usage)
SELECT a.request_id || '-' || a.seq, u.usage FROM old_attempt_usage u JOIN old_attempt a ON a.id = u.attempt_id
ORDER BY u.attempt_id;

INSERT INTO segment
SELECT s.id, s.request_id, s.seq, coalesce(a.request_id || '-' || a.seq, s.attempt_id), s.profile_id, s.started_at,
       s.ended_at, s.chars, s.overlap_dropped, s."end"
FROM old_segment s LEFT JOIN old_attempt a ON a.id = s.attempt_id;

DROP TABLE old_segment;
DROP TABLE old_attempt_usage;
DROP TABLE old_attempt;
DROP TABLE old_request;

CREATE VIEW request_times AS
-- request_data with times: began is what stands in the id, if not in `more`; finished is NULL while it goes on.
SELECT t.*, CASE WHEN t.ended IS NOT NULL THEN
           coalesce(json_extract(t.more, '$.ended_at'), t.began + coalesce(t.duration_ms, 0) + (t.ended & 3) - 1)
       END AS finished
FROM (SELECT r.*, coalesce(
          json_extract(r.more, '$.started_at'),
          (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 1, 1)) - 1 << 40)
          + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 2, 1)) - 1 << 35)
          + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 3, 1)) - 1 << 30)
          + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 4, 1)) - 1 << 25)
          + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 5, 1)) - 1 << 20)
          + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 6, 1)) - 1 << 15)
          + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 7, 1)) - 1 << 10)
          + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 8, 1)) - 1 << 5)
          + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(r.id, 9, 1)) - 1)
      ) AS began FROM request_data r) t;

CREATE VIEW request AS
-- One row a client's request. Times are UTC milliseconds since the epoch, *_ms milliseconds, money US dollars.
SELECT r.id,  -- the newest request has the greatest
       r.began AS started_at, r.finished AS ended_at,  -- NULL while it goes on
       k.client, k.provider, k.protocol, k.path, k.model, k.stream,  -- explained in request_kind
       e.outcome, e.status_code, e.profile_id, e.attempts, e.failovers,  -- explained in request_end
       r.wait_ms, r.ttft_ms, r.duration_ms, r.request_bytes, r.response_bytes,
       r.input_tokens, r.output_tokens,  -- all that was read and written, NULL where that is not known
       r.cache_read_tokens, r.cache_write_tokens, r.reasoning_tokens,  -- parts of them
       CASE typeof(r.cost) WHEN 'integer' THEN r.cost / 1e9 ELSE r.cost END AS cost_usd,  -- NULL where it is not known
       e.cost_source,  -- who says so: provider, override (own prices), genai-prices (a list)
       json_extract(r.more, '$.reason') AS reason  -- why it was not served, in our words
FROM request_times r LEFT JOIN request_kind k ON k.id = r.kind LEFT JOIN request_end e ON e.id = r.ending;

CREATE VIEW attempt AS
-- One row a call to a provider. Of a call in its request's own row, `ended` has after 2 bits of the request's own:
-- 3 how long before the request it ended; 3 and 3 how its time to the first byte and its duration differ from what
-- follows from the request's, and 2 more; the rest how long after the request it began. All in milliseconds.
SELECT r.id || '-1' AS id, r.id AS request_id, 1 AS seq, e.profile_id, coalesce(e.call_model, k.model) AS model,
       r.began + (r.ended - 4 >> 11) AS started_at,
       r.finished - (r.ended - 4 >> 2 & 7) AS ended_at,
       e.outcome, e.status_code, NULL AS error_class, NULL AS error_scope, NULL AS error_code, NULL AS error_message,
       NULL AS retry_after_s, r.ttft_ms - (r.ended - 4 >> 11) - (r.ended - 4 >> 5 & 7) + 2 AS ttft_ms,
       r.duration_ms - (r.ended - 4 >> 11) - (r.ended - 4 >> 2 & 7) - (r.ended - 4 >> 8 & 7) + 2 AS duration_ms,
       e.id_prefix || CASE typeof(r.upstream_id) WHEN 'blob' THEN lower(hex(r.upstream_id)) ELSE r.upstream_id END
           AS upstream_request_id,
       r.response_bytes, r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens,
       r.reasoning_tokens,
       CASE typeof(r.cost) WHEN 'integer' THEN r.cost / 1e9 ELSE r.cost END AS cost_usd, e.cost_source,
       NULL AS reason, r.chunks
FROM request_times r LEFT JOIN request_kind k ON k.id = r.kind LEFT JOIN request_end e ON e.id = r.ending
WHERE r.ended >= 4
UNION ALL
SELECT a.request_id || '-' || a.seq, a.request_id, a.seq, k.profile_id, k.model, a.started_at,
       a.started_at + coalesce(a.duration_ms, 0) + a.clock, k.outcome, k.status_code, f.error_class, f.error_scope,
       f.error_code, f.error_message, a.retry_after_s, a.ttft_ms, a.duration_ms,
       k.id_prefix || CASE typeof(a.upstream_id) WHEN 'blob' THEN lower(hex(a.upstream_id)) ELSE a.upstream_id END,
       a.response_bytes, a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_write_tokens,
       a.reasoning_tokens, CASE typeof(a.cost) WHEN 'integer' THEN a.cost / 1e9 ELSE a.cost END, k.cost_source,
       f.reason, a.chunks
FROM attempt_data a LEFT JOIN attempt_kind k ON k.id = a.kind LEFT JOIN attempt_fault f ON f.id = a.fault;

CREATE VIEW v_recent_requests AS
-- The newest first, with times that people read.
SELECT id, datetime(started_at / 1000, 'unixepoch') AS started_utc, client, model, stream,
       coalesce(outcome, 'running') AS outcome, status_code, profile_id, attempts, failovers, ttft_ms, duration_ms,
       input_tokens, output_tokens, cost_usd, reason
FROM request ORDER BY id DESC;

CREATE VIEW v_daily_usage AS
-- What each profile did on each UTC day with each model, out of the hourly sums. cost_usd is what is known;
-- calls_without_price are those that it leaves out. Tokens read from the cache are part of input_tokens.
SELECT date(hour_at / 1000, 'unixepoch') AS day_utc, profile_id, model, sum(requests) AS requests,
       sum(served) AS served, sum(requests) - sum(served) AS not_served, sum(attempts) AS attempts,
       sum(failovers) AS failovers, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
       sum(cache_read_tokens) AS cache_read_tokens, sum(cost_usd) AS cost_usd, sum(unpriced) AS calls_without_price,
       sum(duration_ms) / nullif(sum(requests), 0) AS mean_ms
FROM usage_hour GROUP BY day_utc, profile_id, model ORDER BY day_utc DESC;

CREATE VIEW v_profile_health AS
-- Every profile that is there: what holds it back, and how its requests of the last 24 hours and of all time went.
SELECT p.id, p.provider, p.account, p.admin_state, p.reauth_reason,
       datetime((SELECT max(until_at) FROM cooldown c
                 WHERE c.profile_id = p.id AND until_at > CAST(strftime('%s', 'now') AS INTEGER) * 1000) / 1000,
                'unixepoch') AS resting_until_utc,
       (SELECT max(until_at) FROM cooldown c WHERE c.profile_id = p.id) AS resting_until_at,
       (SELECT sum(requests) FROM usage_hour u WHERE u.profile_id = p.id
        AND hour_at > (CAST(strftime('%s', 'now') AS INTEGER) - 86400) * 1000) AS requests_24h,
       (SELECT round(100.0 * sum(served) / sum(requests), 1) FROM usage_hour u WHERE u.profile_id = p.id
        AND hour_at > (CAST(strftime('%s', 'now') AS INTEGER) - 86400) * 1000) AS served_percent_24h,
       (SELECT sum(requests) FROM usage_hour u WHERE u.profile_id = p.id) AS requests,
       (SELECT sum(served) FROM usage_hour u WHERE u.profile_id = p.id) AS served
FROM profile p WHERE p.removed_at IS NULL;
