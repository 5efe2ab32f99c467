-- Days that are over, summed up out of their hours, so that reports of months read little. A day whose hours change
-- after all is taken away, and summed up anew by the next round of upkeep: what is here is always right.

CREATE TABLE usage_day (
    day_at INTEGER NOT NULL,      -- the beginning of the UTC day, ms
    profile_id TEXT NOT NULL,     -- '' stands for none, here and below
    model TEXT NOT NULL,          -- as clients name it
    client TEXT NOT NULL,
    requests INTEGER NOT NULL,
    served INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    failovers INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    saved INTEGER NOT NULL,       -- served after a failover
    cancelled INTEGER NOT NULL,   -- left by their client
    unpriced INTEGER NOT NULL,    -- calls whose tokens are known and whose cost is not
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost_usd FLOAT,
    latency_histogram TEXT,       -- of served requests: 37:5 are five between 1.1^37 and 1.1^38 ms
    PRIMARY KEY (day_at, profile_id, model, client)
) WITHOUT ROWID;

CREATE TRIGGER usage_hour_added AFTER INSERT ON usage_hour BEGIN
    DELETE FROM usage_day WHERE day_at = new.hour_at / 86400000 * 86400000;
END;
CREATE TRIGGER usage_hour_changed AFTER UPDATE ON usage_hour BEGIN
    DELETE FROM usage_day WHERE day_at = new.hour_at / 86400000 * 86400000;
END;
CREATE TRIGGER usage_hour_gone AFTER DELETE ON usage_hour BEGIN
    DELETE FROM usage_day WHERE day_at = old.hour_at / 86400000 * 86400000;
END;
