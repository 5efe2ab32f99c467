-- Answers that no rule knew, stripped of everything but their shape, for a bug report. At most 500 kinds are kept.

CREATE TABLE unknown_answer (
    shape TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    status INTEGER NOT NULL,
    line TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER unknown_answer_bound AFTER INSERT ON unknown_answer BEGIN
    DELETE FROM unknown_answer WHERE shape IN
        (SELECT shape FROM unknown_answer ORDER BY last_at DESC LIMIT -1 OFFSET 500);
END;
