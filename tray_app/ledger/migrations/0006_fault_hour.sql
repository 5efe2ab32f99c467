-- Calls that failed, by hour and class of error, and what failing over spared: what reports read.

CREATE TABLE fault_hour (
    hour_at INTEGER NOT NULL,     -- in which the request began, ms
    profile_id TEXT NOT NULL,     -- whose call failed
    model TEXT NOT NULL,          -- as the client names it; '' stands for none
    client TEXT NOT NULL,
    error_class TEXT NOT NULL,    -- rate_limited, quota_exhausted, auth, server_error, ...
    calls INTEGER NOT NULL,       -- that failed so
    failovers INTEGER NOT NULL,   -- after which the request went on with another profile
    spared_ms INTEGER NOT NULL,   -- that nobody had to wait for, by the provider's own words: see docs/history.md
    spared_usd FLOAT,             -- paid for answers that broke off and that another profile went on with
    PRIMARY KEY (hour_at, profile_id, model, client, error_class)
) WITHOUT ROWID;

-- What is there already, counted as `ledger/faults.py` does.
INSERT INTO fault_hour
WITH failed AS (
    SELECT d.request_id, d.seq, k.profile_id, k.outcome, b.error_class, d.retry_after_s,
           d.started_at + d.clock + coalesce(d.duration_ms, 0) AS ended_at,
           CASE typeof(d.cost) WHEN 'integer' THEN d.cost / 1e9 ELSE d.cost END AS cost_usd,
           (SELECT l.profile_id FROM attempt_data n JOIN attempt_kind l ON l.id = n.kind
            WHERE n.request_id = d.request_id AND n.seq > d.seq AND n.clock IS NOT NULL
            ORDER BY n.seq LIMIT 1) AS following
    FROM attempt_data d JOIN attempt_fault b ON b.id = d.fault JOIN attempt_kind k ON k.id = d.kind
    WHERE b.error_class IS NOT NULL AND d.clock IS NOT NULL
)
SELECT r.started_at / 3600000 * 3600000, f.profile_id, coalesce(r.model, ''), r.client, f.error_class, count(*), sum(f.following IS NOT NULL AND f.following != f.profile_id), sum(
CASE WHEN r.outcome = 'served' AND f.following IS NOT NULL AND f.following != f.profile_id AND f.retry_after_s IS NOT NULL
    AND EXISTS (SELECT 1 FROM failover o WHERE o.request_id = r.id AND o.from_profile = f.profile_id AND NOT o.manual)
    AND NOT EXISTS (SELECT 1 FROM attempt_data e JOIN attempt_kind l ON l.id = e.kind
                    JOIN attempt_fault c ON c.id = e.fault
                    WHERE e.request_id = r.id AND e.seq < f.seq AND l.profile_id != f.profile_id
                    AND c.error_class IS NOT NULL)
THEN max(0, min(CAST(f.retry_after_s * 1000 AS INTEGER), 3600000)
            - max(0, r.started_at + coalesce(r.ttft_ms, r.duration_ms) - f.ended_at))
ELSE 0 END
),
       sum(CASE WHEN r.outcome = 'served' AND f.outcome = 'interrupted' AND f.following IS NOT NULL AND f.following != f.profile_id THEN f.cost_usd END)
FROM failed f JOIN request r ON r.id = f.request_id WHERE r.outcome IS NOT NULL GROUP BY 1, 2, 3, 4, 5;
