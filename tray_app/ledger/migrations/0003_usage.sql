-- Tokens and money of every call. The provider's own words are kept for the latest calls alone: they are long.

ALTER TABLE attempt ADD COLUMN chunks INTEGER;
ALTER TABLE usage_hour ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0;

CREATE TABLE attempt_usage (
    attempt_id INTEGER NOT NULL PRIMARY KEY,
    usage TEXT NOT NULL
);

CREATE TRIGGER attempt_usage_bound AFTER INSERT ON attempt_usage WHEN new.attempt_id % 256 = 0 BEGIN
    DELETE FROM attempt_usage WHERE attempt_id <= new.attempt_id - 10000;
END;
